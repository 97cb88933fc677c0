"""Processes under PyTorch's ``DistributedDataParallel``; the checks are in ``ranks_checks.py``."""

from __future__ import annotations

import pytest

from tests.own_process import assert_passes, names_of

CHECKS = names_of("ranks_checks.py")


@pytest.mark.parametrize("check", CHECKS)
def test_two_processes_of_pytorch(check):
    assert_passes(check, "torch", "ranks_checks.py")
