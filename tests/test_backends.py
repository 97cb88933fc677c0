"""The monitor on each backend of Keras.

The checks are in ``backend_checks.py`` and run in one process a backend.
"""

from __future__ import annotations

import functools
import importlib.util
import json
import os
import pathlib
import subprocess
import sys

import pytest

HERE = pathlib.Path(__file__).parent
BACKENDS = ("tensorflow", "jax", "torch")


def names_of(script: str) -> list[str]:
    """Names of the checks in a file beside this one."""
    lines = (HERE / script).read_text(encoding="utf-8").splitlines()
    return [
        line.removeprefix("def check_").partition("(")[0]
        for line in lines
        if line.startswith("def check_")
    ]


CHECKS = names_of("backend_checks.py")
FIT = """
import sys, tempfile, keras, numpy as np
model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
model.compile("sgd", "mse")
x, y = np.zeros((8, 3), "float32"), np.zeros((8, 2), "float32")
model.fit(x, y, verbose=0)
before = set(sys.modules)
from tb_gradplugin.callbacks import GradientMonitor
monitor = GradientMonitor(tempfile.mkdtemp(), update_freq=1, probe_freq=None)
model.fit(x, y, epochs=3, verbose=0, callbacks=[monitor])
assert monitor.report().runs
print(*sorted({"tensorflow", "jax", "torch"} & (set(sys.modules) - before)))
"""


def run(backend: str, *command: str) -> str:
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed")
    done = subprocess.run(
        [sys.executable, *command],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"KERAS_BACKEND": backend, "PYTHONPATH": str(HERE.parent)},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()[-1]


@functools.cache
def results(backend: str, script: str) -> dict[str, str]:
    """Name of each check of a file beside this one -> what failed; runs it once."""
    answer = json.loads(run(backend, str(HERE / script)))
    assert answer["backend"] == backend
    return answer["results"]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("check", CHECKS)
def test_the_monitor_on_each_backend(check, backend):
    found = results(backend, "backend_checks.py")
    assert set(found) == set(CHECKS)
    assert not found[check], found[check]


@pytest.mark.parametrize("backend", BACKENDS)
def test_no_other_backend_is_imported_than_the_one_that_keras_runs_on(backend):
    assert run(backend, "-c", FIT) == ""
