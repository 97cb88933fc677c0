"""The gradients that are captured are those of the real step, and nothing else changes."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from tb_gradplugin import bins
from tests.reference import (
    CaptureEachStep,
    Subclassed,
    statistics64,
    subclassed,
    tape_gradients,
)

RELATIVE = 1e-5


def sequential():
    return keras.Sequential(
        [keras.Input([8]), layers.Dense(16, activation="relu"), layers.Dense(4)]
    )


def functional_with_shared_layer():
    a, b = keras.Input([8]), keras.Input([8])
    shared = layers.Dense(5, activation="tanh", name="shared")
    out = layers.Dense(4)(layers.concatenate([shared(a), shared(b)]))
    inner = keras.Model([a, b], out)
    x = keras.Input([8])
    return keras.Model(x, inner([x, layers.Lambda(lambda t: t * 2)(x)]))


def nested():
    inner = keras.Sequential([layers.Dense(8, activation="relu", name="fc")], name="inner")
    return keras.Sequential([keras.Input([8]), inner, layers.Dense(4, name="fc")])


def with_frozen_layer():
    model = sequential()
    model.layers[0].trainable = False
    return model


def batch_normalised():
    return keras.Sequential(
        [
            keras.Input([8]),
            layers.Dense(16, use_bias=False),  # before normalisation its gradient is pure rounding
            layers.BatchNormalization(),
            layers.Dense(4),
        ]
    )


def convolutional():
    return keras.Sequential(
        [
            keras.Input([8]),
            layers.Reshape([4, 2, 1]),
            layers.Conv2D(3, 2, activation="relu"),
            layers.Flatten(),
            layers.Dense(4),
        ]
    )


def recurrent():
    return keras.Sequential(
        [keras.Input([8]), layers.Reshape([4, 2]), layers.LSTM(5), layers.Dense(4)]
    )


def embedding():
    return keras.Sequential(
        [
            keras.Input([8]),
            layers.Embedding(50, 3),
            layers.GlobalAveragePooling1D(),
            layers.Dense(4),
        ]
    )


MODELS = [
    sequential,
    functional_with_shared_layer,
    nested,
    subclassed,
    with_frozen_layer,
    batch_normalised,
    convolutional,
    recurrent,
    embedding,
]


def data(n=48, integers=False):
    rng = np.random.default_rng(0)
    x = rng.integers(0, 20, [n, 8]) if integers else rng.normal(size=[n, 8]).astype("float32")
    return x, rng.normal(size=[n, 4]).astype("float32")


def fit_captured(model, every=1, batch=16, epochs=2, x=None, y=None, **compile_args):
    settings = {"optimizer": keras.optimizers.Adam(0.01), "loss": "mse", **compile_args}
    model.compile(**settings)
    callback = CaptureEachStep(every)
    model.fit(x, y, batch_size=batch, epochs=epochs, shuffle=False, verbose=0, callbacks=[callback])
    return callback


def assert_rows_equal(got, want):
    """Relative to each number itself; the mean relative to the deviation it is a part of."""
    names = ["norm", "mean", "std", "min", "max", "zero", "nan", "inf", "weight", "update"]
    for column, name in enumerate(names):
        if name == "mean":
            scale = np.maximum(np.abs(want[:, 1]), want[:, 0] / 10)
            np.testing.assert_array_less(
                np.abs(got[:, 1] - want[:, 1]) / np.where(scale > 0, scale, 1), RELATIVE
            )
        else:
            # The update is a difference of float32 weights: it carries their rounding.
            tolerance = 1e-3 if name == "update" else RELATIVE
            np.testing.assert_allclose(
                got[:, column], want[:, column], rtol=tolerance, atol=1e-30, err_msg=name
            )


CASES = [(make, "graph") for make in MODELS]
CASES += [(make, mode) for make in (sequential, recurrent, embedding) for mode in ("xla", "eager")]


@pytest.mark.filterwarnings("ignore:Gradients do not exist for variables")
@pytest.mark.parametrize(("make", "mode"), CASES)
def test_statistics_equal_float64_of_a_tape_on_the_same_batch_and_weights(make, mode):
    keras.utils.set_random_seed(1)
    x, y = data(integers=make is embedding)
    model = make()
    extra = {"graph": {}, "xla": {"jit_compile": True}, "eager": {"run_eagerly": True}}[mode]
    callback = fit_captured(model, x=x, y=y, **extra)
    assert [c.step for c in callback.captured] == [1, 2, 3, 4, 5, 6]
    final = [v.numpy() for v in model.trainable_variables]
    for captured in callback.captured:
        batch = slice((captured.step - 1) % 3 * 16, (captured.step - 1) % 3 * 16 + 16)
        before = callback.before[captured.step]
        after = callback.before.get(captured.step + 1, final)
        gradients = tape_gradients(model, before, x[batch], y[batch])
        want = np.stack([statistics64(*row) for row in zip(gradients, before, after, strict=True)])
        present = ~np.isnan(want[:, 0])
        np.testing.assert_array_equal(np.isnan(captured.statistics[:, 0]), ~present)
        # XLA and graph fuse differently from the eager tape: the gradients themselves differ by
        # a few float32 roundings, which elements near zero show in full.
        assert_rows_equal(captured.statistics[present], want[present])
        for counts, g in zip(captured.counts, gradients, strict=True):
            if g is None:
                assert counts.sum() == 0
                continue
            assert counts.sum() == g.size
            index = np.ascontiguousarray(g, np.float32).ravel().view(np.uint32) >> bins.DEVICE_SHIFT
            reference = np.bincount(index, minlength=bins.DEVICE_BINS)
            # Elements on the edge of a bin may fall to either side of it.
            assert np.abs(counts - reference).sum() <= max(2, 0.02 * g.size)


def test_the_loss_captured_is_the_loss_of_the_batch():
    x, y = data()
    model = sequential()
    callback = fit_captured(model, x=x, y=y)
    for captured in callback.captured:
        batch = slice((captured.step - 1) % 3 * 16, (captured.step - 1) % 3 * 16 + 16)
        for variable, value in zip(
            model.trainable_variables, callback.before[captured.step], strict=True
        ):
            variable.assign(value)
        want = float(np.mean((model.predict(x[batch], verbose=0) - y[batch]) ** 2))
        assert captured.loss == pytest.approx(want, rel=1e-5)


@pytest.mark.parametrize(
    ("make", "mode"),
    [
        (sequential, "graph"),
        (batch_normalised, "graph"),
        (recurrent, "graph"),
        (embedding, "graph"),
        (sequential, "xla"),
        (sequential, "eager"),
    ],
)
def test_weights_are_bit_identical_with_and_without_capture(make, mode):
    x, y = data(integers=make is embedding)
    extra = {"graph": {}, "xla": {"jit_compile": True}, "eager": {"run_eagerly": True}}[mode]
    finals = []
    for every in (None, 1, 2):
        keras.utils.set_random_seed(3)
        model = make()
        model.compile(optimizer=keras.optimizers.Adam(0.01), loss="mse", **extra)
        callbacks = [] if every is None else [CaptureEachStep(every)]
        model.fit(x, y, batch_size=10, epochs=3, verbose=0, callbacks=callbacks)
        finals.append([v.numpy() for v in [*model.variables, *model.optimizer.variables]])
    for with_capture in finals[1:]:
        for a, b in zip(finals[0], with_capture, strict=True):
            np.testing.assert_array_equal(a, b)


class Poison(keras.layers.Layer):
    """Identity whose gradient is replaced by given values."""

    def __init__(self, values):
        super().__init__()
        self.values = values

    def build(self, shape):
        self.w = self.add_weight(shape=self.values.shape, initializer="ones", name="w")

    def call(self, x):
        values = tf.constant(self.values)

        @tf.custom_gradient
        def poisoned(w):
            return w, lambda upstream: values

        return x + tf.reduce_sum(poisoned(self.w)) * 0.0


HARD = {
    "nan_and_inf": np.array([[np.nan, np.inf, -np.inf, 3.0, 0.0, -4.0]], np.float32),
    "all_nan": np.full([2, 3], np.nan, np.float32),
    "underflowing_squares": np.array([[1e-25, -2e-25, 3e-25]], np.float32),
    "overflowing_squares": np.array([[1e25, -2e25, 3e25]], np.float32),
    "mean_far_above_deviation": (
        1 + 1e-3 * np.random.default_rng(0).normal(size=[300, 300])
    ).astype(np.float32),
    "all_zero": np.zeros([4, 4], np.float32),
    "large": np.random.default_rng(1).normal(size=[700, 300]).astype(np.float32) * 1e-6,
    "large_with_nan_and_inf": np.tile(
        np.array([np.nan, np.inf, -np.inf, 3.0, 0.0, -4.0], np.float32), [300, 50]
    ),
    "large_underflowing_squares": np.full([300, 300], -2e-25, np.float32),
    "large_and_zero": np.zeros([300, 300], np.float32),
}


@pytest.mark.parametrize("jit", [False, True])
@pytest.mark.parametrize("name", HARD)
def test_hard_gradients_are_measured_as_in_float64(name, jit):
    values = HARD[name]
    model = keras.Sequential([keras.Input([2]), Poison(values)])
    model.compile(optimizer=keras.optimizers.SGD(0.0), loss="mse", jit_compile=jit)
    callback = CaptureEachStep()
    model.fit(np.ones([4, 2]), np.ones([4, 2]), verbose=0, callbacks=[callback])
    got = callback.captured[0]
    want = statistics64(values, np.ones(values.shape), np.ones(values.shape))
    np.testing.assert_allclose(got.statistics[0, :8], want[:8], rtol=RELATIVE, atol=0)
    assert got.counts[0].sum() == values.size
    shares = bins.fold(got.counts)[0] / bins.FULL_SHARE
    assert shares[bins.NAN] == pytest.approx(np.isnan(values).mean(), abs=1e-4)
    assert shares[bins.ZERO] == pytest.approx(np.mean(values == 0), abs=1e-4)
    finite = values[np.isfinite(values)].astype(np.float64)
    if finite.size and np.ptp(finite) > 0:
        counts, edges = np.histogram(finite, bins=30)
        np.testing.assert_allclose(
            got.linear[0][:, 0], edges[:-1], rtol=1e-4, atol=np.ptp(edges) * 1e-5
        )
        assert got.linear[0][:, 2].sum() == finite.size
        # Rounding moves elements across an edge, never far.
        assert (
            np.abs(np.cumsum(got.linear[0][:, 2]) - np.cumsum(counts)).max()
            <= 2 + finite.size / 200
        )


def test_sparse_gradients_sum_repeated_rows_and_count_absent_rows_as_zeros():
    model = keras.Sequential([keras.Input([3]), layers.Embedding(1000, 4), layers.Flatten()])
    x = np.array([[1, 1, 7], [7, 7, 7]])
    y = np.ones([2, 12], np.float32)
    callback = fit_captured(model, x=x, y=y, epochs=1)
    got = callback.captured[0]
    gradient = tape_gradients(model, callback.before[1], x, y)[0]
    assert np.count_nonzero(gradient.any(axis=1)) == 2
    want = statistics64(gradient, callback.before[1][0], callback.before[1][0])
    np.testing.assert_allclose(got.statistics[0, :9], want[:9], rtol=RELATIVE, atol=1e-12)
    assert got.counts[0].sum() == 4000


def test_steps_per_execution_keeps_the_last_inner_step():
    x, y = data(64)
    model = sequential()
    callback = fit_captured(model, x=x, y=y, batch=8, epochs=1, steps_per_execution=4)
    assert [c.step for c in callback.captured] == [4, 8]
    keras.utils.set_random_seed(0)
    plain = sequential()
    plain.compile(optimizer=keras.optimizers.Adam(0.01), loss="mse")
    plain.set_weights(list(callback.before[4]))
    each = CaptureEachStep()
    plain.fit(x, y, batch_size=8, shuffle=False, verbose=0, callbacks=[each])
    for captured in callback.captured:
        np.testing.assert_allclose(
            captured.statistics[:, :5],
            each.captured[captured.step - 1].statistics[:, :5],
            rtol=1e-4,
        )


def test_loss_scaling_is_reported_so_that_gradients_can_be_unscaled():
    x, y = data()
    model = sequential()
    optimizer = keras.optimizers.LossScaleOptimizer(
        keras.optimizers.SGD(0.01), initial_scale=1024.0
    )
    callback = fit_captured(model, x=x, y=y, optimizer=optimizer, epochs=1)
    got = callback.captured[0]
    gradients = tape_gradients(model, callback.before[1], x[:16], y[:16])
    want = [np.linalg.norm(g) for g in gradients]
    assert set(got.scale) == {1024.0}
    np.testing.assert_allclose(got.statistics[:, 0] / got.scale, want, rtol=RELATIVE)


def test_gradients_are_those_before_clipping():
    x, y = data()
    model = sequential()
    callback = fit_captured(
        model, x=x, y=y, optimizer=keras.optimizers.SGD(0.01, global_clipnorm=1e-3), epochs=1
    )
    gradients = tape_gradients(model, callback.before[1], x[:16], y[:16])
    np.testing.assert_allclose(
        callback.captured[0].statistics[:, 0], [np.linalg.norm(g) for g in gradients], rtol=RELATIVE
    )


OPTIMIZERS = {
    "sgd": lambda o: o.SGD(0.1),
    "nesterov": lambda o: o.SGD(0.1, 0.9, nesterov=True),
    "adam": lambda o: o.Adam(0.01),
    "adamw": lambda o: o.AdamW(0.01, weight_decay=0.5),
    "average": lambda o: o.Adam(0.01, use_ema=True, ema_overwrite_frequency=1),
    "rmsprop": lambda o: o.RMSprop(0.01),
    "adagrad": lambda o: o.Adagrad(0.01),
    "lion": lambda o: o.Lion(0.01),
    "ftrl": lambda o: o.Ftrl(0.01),
    "adafactor": lambda o: o.Adafactor(0.01),
    "accumulating": lambda o: o.Adam(0.01, gradient_accumulation_steps=2),
    "scaling": lambda o: o.LossScaleOptimizer(o.SGD(0.1), initial_scale=8.0),
    "muon": lambda o: o.Muon(0.01),
}


@pytest.mark.parametrize(
    ("name", "constraint"), [*((name, None) for name in OPTIMIZERS), ("adam", "max_norm")]
)
def test_the_update_is_all_that_an_optimizers_call_changed(name, constraint):
    x, y = data()
    model = keras.Sequential(
        [keras.Input([8]), layers.Dense(16, kernel_constraint=constraint), layers.Dense(4)]
    )
    callback = fit_captured(model, x=x, y=y, optimizer=OPTIMIZERS[name](keras.optimizers))
    final = [v.numpy() for v in model.trainable_variables]
    for captured in callback.captured:
        before = callback.before[captured.step]
        after = callback.before.get(captured.step + 1, final)
        want = [
            np.linalg.norm((a - b).astype(np.float64)) for a, b in zip(after, before, strict=True)
        ]
        # Weights carry the rounding of float32, the update itself does not.
        np.testing.assert_allclose(captured.statistics[:, 9], want, rtol=1e-4, atol=1e-6)


def test_nothing_is_left_in_model_optimizer_or_saved_file(tmp_path):
    x, y = data()
    keras.utils.set_random_seed(5)
    watched = sequential()
    attributes = set(vars(watched)), set(vars(watched.layers[0]))
    callback = fit_captured(watched, x=x, y=y)
    assert watched.train_function is callback.capture._plain
    assert "train_step" not in vars(watched)
    assert "compute_loss" not in vars(watched)
    assert "apply" not in vars(watched.optimizer)
    assert "call" not in vars(watched.layers[0])
    assert set(vars(watched.layers[0])) == attributes[1]
    watched.save(tmp_path / "watched.keras")
    keras.utils.set_random_seed(5)
    plain = sequential()
    plain.compile(optimizer=keras.optimizers.Adam(0.01), loss="mse")
    plain.fit(x, y, batch_size=16, epochs=2, shuffle=False, verbose=0)
    loaded = keras.models.load_model(tmp_path / "watched.keras")
    names = [v.path for v in loaded.optimizer.variables]
    assert len(names) == len(plain.optimizer.variables)
    for a, b in zip(loaded.optimizer.variables, plain.optimizer.variables, strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy())


def test_a_step_that_is_not_captured_runs_the_users_own_train_function():
    x, y = data(64)
    model = sequential()
    model.compile(optimizer="sgd", loss="mse")
    seen = []

    class Spy(keras.callbacks.Callback):
        def on_train_batch_begin(self, batch, logs=None):
            seen.append(self.model.train_function)

    model.make_train_function()
    own = model.train_function
    callback = CaptureEachStep(every=4)
    model.fit(x, y, batch_size=16, epochs=2, verbose=0, callbacks=[callback, Spy()])
    assert [f is own for f in seen] == [False, True, True, True] * 2


def test_recompiling_and_fitting_again_captures_the_new_optimizer():
    x, y = data()
    model = sequential()
    model.compile(optimizer="sgd", loss="mse")
    callback = CaptureEachStep()
    model.fit(x, y, batch_size=16, verbose=0, callbacks=[callback])
    model.compile(optimizer=keras.optimizers.SGD(0.5), loss="mae")
    model.fit(x, y, batch_size=16, verbose=0, shuffle=False, callbacks=[callback])
    assert [c.step for c in callback.captured] == [1, 2, 3, 4, 5, 6]
    gradients = tape_gradients(model, callback.before[4], x[:16], y[:16])
    np.testing.assert_allclose(
        callback.captured[3].statistics[:, 0], [np.linalg.norm(g) for g in gradients], rtol=1e-5
    )


@pytest.mark.filterwarnings("ignore:Gradients do not exist for variables")
def test_layers_of_an_unbuilt_model_are_noted_in_the_order_of_their_first_call():
    x, y = data()
    model = Subclassed()
    callback = fit_captured(model, x=x, y=y, epochs=1)
    assert [c.step for c in callback.captured] == [1, 2, 3]
    assert [layer.name for layer in callback.capture.call_order] == [
        model.body.name,
        model.head.name,
    ]
