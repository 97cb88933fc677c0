"""The probe on JAX and PyTorch: what it sees is what the backend's own differentiation, NumPy and
the probe on TensorFlow compute.

The checks are in ``probe_checks.py`` and run in processes of their own, two a backend.
"""

from __future__ import annotations

import functools
import json
from typing import Any

import numpy as np
import pytest

from tests import probe_checks
from tests.own_process import assert_passes, begin, begun, names_of

SCRIPT = "probe_checks.py"
BACKENDS = ("jax", "torch")
SEEN = """
import json
from tests import probe_checks as checks
causes = [checks.causes_of_unscaled_data(probe_freq=freq) for freq in ("auto", None)]
checks.compile_fast()
print(json.dumps([checks.numbers(), causes]))
"""
RELATIVE = 1e-4


@pytest.fixture(scope="module", autouse=True)
def _side_by_side():
    begin(BACKENDS, SCRIPT)
    for backend in BACKENDS:
        begun(backend, "-c", SEEN)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("check", names_of(SCRIPT))
def test_the_probe_on_each_backend(check, backend):
    assert_passes(check, backend, SCRIPT)


@functools.cache
def seen_on(backend: str) -> Any:
    return json.loads(begun(backend, "-c", SEEN).result())


@functools.cache
def on_tensorflow() -> dict[str, Any]:
    return probe_checks.numbers()


def assert_near(got: Any, want: Any, what: str) -> None:
    """Lists of numbers, None for NaN."""
    a, b = (np.array(values, np.float64) for values in (got, want))
    np.testing.assert_allclose(a, b, rtol=RELATIVE, atol=1e-6, err_msg=what)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", probe_checks.NETWORKS)
def test_it_sees_what_the_probe_on_tensorflow_sees(name, backend):
    got, want = seen_on(backend)[0][name], on_tensorflow()[name]
    assert list(got["rows"]) == list(want["rows"])
    for part in ("rows", "times"):
        assert set(got[part]) == set(want[part])
        for path, values in want[part].items():
            assert_near(got[part][path], values, f"{part} of {path}")
    assert_near(list(got["radii"].values()), list(want["radii"].values()), "spectral radius")
    assert_near(got["batch"], want["batch"], "batch")
    moved = np.abs(np.subtract(got["counts"], want["counts"], dtype=np.int64)).sum(axis=1)
    assert (moved < 0.05 * np.sum(want["counts"], axis=1) + 1).all()  # at the edges of bins


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_cause_that_only_a_probe_sees_is_named_as_on_tensorflow(backend):
    with_probe, without = seen_on(backend)[1]
    assert "exploding.data" in with_probe
    assert with_probe == probe_checks.causes_of_unscaled_data()
    assert without
    assert "exploding.data" not in without
