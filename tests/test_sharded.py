"""JAX over several devices and processes; the checks are in ``sharded_checks.py``.

They run in a process of their own: JAX wants to know its devices before anything else.
"""

from __future__ import annotations

import pytest

from tests.own_process import assert_passes, names_of

CHECKS = names_of("sharded_checks.py")


@pytest.mark.parametrize("check", CHECKS)
def test_jax_over_several_devices(check):
    assert_passes(check, "jax", "sharded_checks.py")
