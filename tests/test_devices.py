"""Many devices and processes on JAX and PyTorch; the checks are in the two files named below."""

from __future__ import annotations

import pytest

from tests.test_backends import names_of, results

SHARDED, RANKS = names_of("sharded_checks.py"), names_of("ranks_checks.py")


@pytest.mark.parametrize("check", SHARDED)
def test_jax_over_several_devices(check):
    found = results("jax", "sharded_checks.py")
    assert set(found) == set(SHARDED)
    assert not found[check], found[check]


@pytest.mark.parametrize("check", RANKS)
def test_two_processes_of_pytorch(check):
    found = results("torch", "ranks_checks.py")
    assert set(found) == set(RANKS)
    assert not found[check], found[check]
