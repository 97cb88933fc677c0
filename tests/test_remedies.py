"""Gradient standardisation and Keras's clipping do what they say, on each backend.

The checks are in ``remedies_checks.py`` and run in processes of their own, two a backend.
"""

from __future__ import annotations

import numpy as np
import pytest

from tests.own_process import assert_passes, begin, names_of

CHECKS = names_of("remedies_checks.py")
BACKENDS = ("tensorflow", "jax", "torch")


@pytest.fixture(scope="module", autouse=True)
def _side_by_side():
    begin(BACKENDS, "remedies_checks.py")


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("check", CHECKS)
def test_remedies_do_what_they_say(check, backend):
    assert_passes(check, backend, "remedies_checks.py")


@pytest.mark.parametrize("wrapped", [False, True])
def test_a_monitor_sees_the_gradient_before_standardisation(tmp_path, wrapped):
    pytest.importorskip("tensorflow")
    import keras

    from tb_gradplugin.metadata import STATISTICS_COLUMNS
    from tb_gradplugin.remedies import StandardisedOptimizer
    from tests.reference import CaptureEachStep, tape_gradients

    keras.utils.set_random_seed(3)
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
    optimizer = StandardisedOptimizer(keras.optimizers.SGD(0.1, global_clipnorm=1.0))
    if wrapped:
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer, initial_scale=2.0**10)
    model.compile(optimizer, loss="mse")
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(8, 4)).astype("float32"), rng.normal(size=(8, 3)).astype("float32")
    before = model.get_weights()
    watch = CaptureEachStep()
    model.fit(x, y, batch_size=8, verbose=0, callbacks=[watch])
    (captured,) = watch.captured
    norms = captured.statistics[:, STATISTICS_COLUMNS.index("norm")] / captured.scale
    expected = [np.linalg.norm(g) for g in tape_gradients(model, before, x, y)]
    np.testing.assert_allclose(norms, expected, rtol=1e-5)
    # Clipping acts on the standardised gradient: a kernel's update has norm rate x limit at most.
    moved = [np.linalg.norm(a - b) for a, b in zip(model.get_weights(), before, strict=True)]
    assert np.hypot(*moved) == pytest.approx(0.1, rel=1e-5)


def test_a_monitored_run_is_bit_identical_and_does_not_claim_to_know_the_clip_ratio(tmp_path):
    pytest.importorskip("tensorflow")
    import keras

    from tb_gradplugin.callbacks import GradientMonitor
    from tb_gradplugin.callbacks.recording import _clip_ratio
    from tb_gradplugin.remedies import StandardisedOptimizer

    weights = []
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(64, 4)).astype("float32"), rng.normal(size=(64, 3)).astype("float32")
    for callbacks in ([], [GradientMonitor(tmp_path)]):
        keras.utils.set_random_seed(3)
        model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
        model.compile(StandardisedOptimizer(keras.optimizers.Adam(1e-2, clipnorm=1.0)), loss="mse")
        model.fit(x, y, batch_size=8, epochs=2, verbose=0, callbacks=callbacks)
        weights.append(model.get_weights())
        assert np.isnan(_clip_ratio(model.optimizer, np.array([1.0, 2.0])))
    assert all((a == b).all() for a, b in zip(*weights, strict=True))
