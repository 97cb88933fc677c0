"""What ``test_remedies.py`` checks, on the backend that ``KERAS_BACKEND`` names.

    KERAS_BACKEND=jax python tests/remedies_checks.py  # one JSON object: name -> "" or what failed

References are NumPy float64; gradients come from models of which they are known in closed form.
"""

from __future__ import annotations

import os
import tempfile
import warnings
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import pytest
from numpy.testing import assert_allclose

from tb_gradplugin.remedies import StandardisedOptimizer, standardise
from tests import own_process

RATE = 0.1


def reference(g: np.ndarray) -> np.ndarray:
    g = np.asarray(g, np.float64)
    return (g - g.mean()) / g.std()


def data() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    return rng.normal(size=(32, 5)).astype("float32"), rng.normal(size=(32, 3)).astype("float32")


def linear(optimizer: Any, **compile_args: Any) -> Any:
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((5,)), keras.layers.Dense(3)])
    model.compile(optimizer, loss="mse", **compile_args)
    return model


def gradients(model: Any) -> tuple[np.ndarray, np.ndarray]:
    """Of the mean squared error of ``linear``, by hand: kernel and bias."""
    x, y = (a.astype(np.float64) for a in data())
    w, b = (np.asarray(a, np.float64) for a in model.get_weights())
    d = 2 * (x @ w + b - y) / y.size
    return x.T @ d, d.sum(0)


def steps(model: Any, n: int = 1) -> list[np.ndarray]:
    """What ``n`` full-batch steps change in each weight."""
    before = model.get_weights()
    x, y = data()
    model.fit(x, y, batch_size=32, epochs=n, shuffle=False, verbose=0)
    return [a.astype(np.float64) - b for a, b in zip(model.get_weights(), before, strict=True)]


def check_sgd_moves_a_kernel_by_the_rate_times_the_standardised_gradient():
    for jit in (False, True) if keras.backend.backend() != "torch" else (False,):
        model = linear(StandardisedOptimizer(keras.optimizers.SGD(RATE)), jit_compile=jit)
        kernel, bias = gradients(model)
        moved = steps(model)
        assert_allclose(moved[0], -RATE * reference(kernel), atol=1e-6)
        assert_allclose(moved[1], -RATE * bias, atol=1e-6)


def check_the_scale_of_a_gradient_is_gone_from_1e30_to_1e_minus_30():
    g = np.random.default_rng(1).normal(0.3, 1.0, (6, 7))
    for scale in (1e-30, 1e-12, 1.0, 1e30):
        out = keras.ops.convert_to_numpy(
            standardise(keras.ops.convert_to_tensor(g * scale, "float32"))
        )
        assert_allclose(out, reference(g), atol=1e-5)
        assert abs(out.mean()) < 1e-6
        assert abs(out.std() - 1.0) < 1e-6


def check_a_constant_tensor_becomes_zero_and_a_nan_stays_visible():
    for value in (0.0, 0.1, -3e7, 1e-12):
        g = keras.ops.full((5, 3), value, "float32")
        assert not keras.ops.convert_to_numpy(standardise(g)).any()
    broken = np.ones((3, 3), "float32")
    broken[0, 0] = np.nan
    assert np.isnan(
        keras.ops.convert_to_numpy(standardise(keras.ops.convert_to_tensor(broken)))
    ).all()


def check_vectors_and_single_numbers_are_left_as_they_are():
    for shape in ((), (4,), (1, 1)):
        g = keras.ops.convert_to_tensor(np.full(shape, 2.5, "float32"))
        assert standardise(g) is g


def check_half_precision_is_computed_in_float32():
    g = np.random.default_rng(2).normal(0, 1, (64, 64)).astype("float16")
    out = standardise(keras.ops.convert_to_tensor(g * np.float16(1e-3)))
    assert keras.backend.standardize_dtype(out.dtype) == "float16"
    assert_allclose(keras.ops.convert_to_numpy(out), reference(g), atol=0.02)


def check_the_gradient_of_an_embedding_is_standardised_as_a_dense_tensor():
    keras.utils.set_random_seed(0)
    layers = [
        keras.Input((1,), dtype="int32"),
        keras.layers.Embedding(6, 2),
        keras.layers.Flatten(),
    ]
    model = keras.Sequential(layers)
    model.compile(StandardisedOptimizer(keras.optimizers.SGD(RATE)), loss="mse")
    x, y = np.array([[1], [1], [4]], "int32"), np.zeros((3, 2), "float32")
    (table,) = model.get_weights()
    g = np.zeros((6, 2))
    np.add.at(g, x[:, 0], 2 * table[x[:, 0]].astype(np.float64) / y.size)
    model.fit(x, y, batch_size=3, verbose=0)
    assert_allclose(model.get_weights()[0] - table, -RATE * reference(g), atol=1e-6)


def check_clipping_and_momentum_of_the_inner_optimizer_come_after():
    model = linear(StandardisedOptimizer(keras.optimizers.SGD(RATE, clipvalue=0.5)))
    kernel, _ = gradients(model)
    assert_allclose(steps(model)[0], -RATE * reference(kernel).clip(-0.5, 0.5), atol=1e-6)
    model = linear(StandardisedOptimizer(keras.optimizers.SGD(RATE, momentum=0.9)))
    velocity = total = 0.0
    start = model.get_weights()[0]
    for _ in range(3):
        velocity = 0.9 * velocity - RATE * reference(gradients(model)[0])
        total = total + velocity
        steps(model)
    assert_allclose(model.get_weights()[0] - start, total, atol=1e-5)


def check_a_loss_scale_changes_nothing():
    plain = linear(StandardisedOptimizer(keras.optimizers.SGD(RATE)))
    scaled = linear(StandardisedOptimizer(keras.optimizers.SGD(RATE, loss_scale_factor=64.0)))
    inner = StandardisedOptimizer(keras.optimizers.SGD(RATE))
    dynamic = linear(keras.optimizers.LossScaleOptimizer(inner, initial_scale=256.0))
    expected = steps(plain, 3)
    for model in (scaled, dynamic):
        for got, want in zip(steps(model, 3), expected, strict=True):
            assert_allclose(got, want, atol=1e-6)


def check_a_step_with_an_overflow_is_skipped_under_loss_scaling():
    inner = StandardisedOptimizer(keras.optimizers.SGD(RATE))
    optimizer = keras.optimizers.LossScaleOptimizer(inner, initial_scale=1e38)
    model = linear(optimizer, loss_weights=[1e6])
    assert not any(change.any() for change in steps(model))


def check_a_model_is_saved_and_loaded_in_mid_training():
    def model() -> Any:
        return linear(StandardisedOptimizer(keras.optimizers.Adam(RATE, clipnorm=1.0)))

    straight, stopped = model(), model()
    steps(straight, 5)
    steps(stopped, 2)
    with tempfile.TemporaryDirectory() as folder:
        stopped.save(f"{folder}/model.keras")
        loaded = keras.saving.load_model(f"{folder}/model.keras")
    assert type(loaded.optimizer) is StandardisedOptimizer
    assert loaded.optimizer.inner_optimizer.clipnorm == 1.0
    assert int(loaded.optimizer.iterations) == 2
    steps(loaded, 3)
    for got, want in zip(loaded.get_weights(), straight.get_weights(), strict=True):
        assert_allclose(got, want, atol=1e-6)


def check_the_config_round_trip_keeps_rate_schedule_name_and_loss_scale():
    schedule = keras.optimizers.schedules.CosineDecay(0.1, 100)
    inner = keras.optimizers.SGD(schedule, loss_scale_factor=8.0)
    made = StandardisedOptimizer(inner, name="calm")
    again = StandardisedOptimizer.from_config(made.get_config())
    assert again.get_config() == made.get_config()
    assert (again.name, again.loss_scale_factor) == ("calm", 8.0)
    assert again.inner_optimizer.loss_scale_factor is None
    rate = StandardisedOptimizer(keras.optimizers.SGD(RATE))
    rate.learning_rate = 0.5
    assert float(rate.inner_optimizer.learning_rate) == 0.5


def check_something_else_than_an_optimizer_is_refused():
    for wrong, error in (
        ("sgd", TypeError),
        (keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD()), ValueError),
    ):
        with pytest.raises(error, match=r"`inner_optimizer` \(="):
            StandardisedOptimizer(wrong)


def check_keras_clips_by_norm_by_global_norm_and_by_value():
    def by_norm(g: np.ndarray, limit: float) -> np.ndarray:
        return g * min(1.0, limit / np.linalg.norm(g))

    g = gradients(linear(keras.optimizers.SGD(RATE)))
    total = float(np.sqrt(sum((a**2).sum() for a in g)))
    for limit in (0.05, 100.0):
        for argument, expected in (
            ("clipnorm", [by_norm(a, limit) for a in g]),
            ("global_clipnorm", [a * min(1.0, limit / total) for a in g]),
            ("clipvalue", [a.clip(-limit, limit) for a in g]),
        ):
            model = linear(keras.optimizers.SGD(RATE, **{argument: limit}))
            for got, want in zip(steps(model), expected, strict=True):
                assert_allclose(got, -RATE * want, atol=1e-6, err_msg=f"{argument}={limit}")


if __name__ == "__main__":
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        own_process.main(own_process.checks_in(globals()))
