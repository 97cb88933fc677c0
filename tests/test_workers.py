"""Two processes of TensorFlow; the checks are in ``workers_checks.py``."""

from __future__ import annotations

import pytest

from tests.own_process import assert_passes, names_of

CHECKS = names_of("workers_checks.py")


@pytest.mark.parametrize("check", CHECKS)
def test_two_workers_of_tensorflow(check):
    assert_passes(check, "tensorflow", "workers_checks.py")
