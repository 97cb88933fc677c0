"""Several devices under ``tf.distribute.MirroredStrategy``; checks are in ``mirrored_checks.py``.

They run in a process of their own: TensorFlow wants to know its devices before anything else.
"""

from __future__ import annotations

import pytest

from tests.own_process import assert_passes, names_of

CHECKS = names_of("mirrored_checks.py")


@pytest.mark.parametrize("check", CHECKS)
def test_the_monitor_on_several_devices(check):
    assert_passes(check, "tensorflow", "mirrored_checks.py")
