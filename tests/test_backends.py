"""The monitor on each backend of Keras.

The checks are in ``backend_checks.py`` and run in processes of their own, two a backend.
"""

from __future__ import annotations

import pytest

from tests.own_process import assert_passes, begin, names_of, run

BACKENDS = ("tensorflow", "jax", "torch")
CHECKS = names_of("backend_checks.py")
FIT = """
import sys, tempfile, keras, numpy as np
model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
model.compile("sgd", "mse")
x, y = np.zeros((8, 3), "float32"), np.zeros((8, 2), "float32")
model.fit(x, y, verbose=0)
before = set(sys.modules)
from tb_gradplugin.callbacks import GradientMonitor
monitor = GradientMonitor(tempfile.mkdtemp(), update_freq=1, probe_freq=1)
model.fit(x, y, epochs=3, verbose=0, callbacks=[monitor])
assert monitor.report().runs
from tb_gradplugin import preflight
assert preflight(model, x, y, steps=1).probes
print(*sorted({"tensorflow", "jax", "torch"} & (set(sys.modules) - before)))
"""


@pytest.fixture(scope="module", autouse=True)
def _side_by_side():
    begin(BACKENDS, "backend_checks.py")


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("check", CHECKS)
def test_the_monitor_on_each_backend(check, backend):
    assert_passes(check, backend, "backend_checks.py")


@pytest.mark.parametrize("backend", BACKENDS)
def test_no_other_backend_is_imported_than_the_one_that_keras_runs_on(backend):
    assert run(backend, "-c", FIT) == ""
