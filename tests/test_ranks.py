"""Processes under PyTorch's ``DistributedDataParallel``; the checks are in ``ranks_checks.py``."""

from __future__ import annotations

import pytest

from tests.test_backends import names_of, results

CHECKS = names_of("ranks_checks.py")


@pytest.mark.parametrize("check", CHECKS)
def test_two_processes_of_pytorch(check):
    found = results("torch", "ranks_checks.py")
    assert set(found) == set(CHECKS)
    assert not found[check], found[check]
