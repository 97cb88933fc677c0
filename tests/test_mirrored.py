"""Several devices under ``tf.distribute.MirroredStrategy``; checks are in ``mirrored_checks.py``.

They run in a process of their own: TensorFlow wants to know its devices before anything else.
"""

from __future__ import annotations

import pytest

from tests.test_backends import names_of, results

CHECKS = names_of("mirrored_checks.py")


@pytest.mark.parametrize("check", CHECKS)
def test_the_monitor_on_several_devices(check):
    found = results("tensorflow", "mirrored_checks.py")
    assert set(found) == set(CHECKS)
    assert not found[check], found[check]
