"""JAX over several devices and processes; the checks are in ``sharded_checks.py``.

They run in a process of their own: JAX wants to know its devices before anything else.
"""

from __future__ import annotations

import pytest

from tests.test_backends import names_of, results

CHECKS = names_of("sharded_checks.py")


@pytest.mark.parametrize("check", CHECKS)
def test_jax_over_several_devices(check):
    found = results("jax", "sharded_checks.py")
    assert set(found) == set(CHECKS)
    assert not found[check], found[check]
