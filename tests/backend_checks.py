"""What ``test_backends.py`` checks, on the backend that ``KERAS_BACKEND`` names.

    KERAS_BACKEND=jax python tests/backend_checks.py  # one JSON object: name -> "" or what failed

References are gradients by the backend's own differentiation of the same loss at the same weights
on the same batch, outside of ``fit``, and statistics in NumPy float64.
"""

from __future__ import annotations

import contextlib
import functools
import io
import json
import os
import pathlib
import tempfile
import warnings
from collections.abc import Callable, Sequence
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from numpy.testing import assert_allclose, assert_array_equal

from tb_gradplugin import bins
from tb_gradplugin.callbacks import GradientMonitor
from tb_gradplugin.callbacks.capture import create_capture
from tb_gradplugin.gradient_map import reduced
from tb_gradplugin.metadata import STATISTICS_COLUMNS
from tests import own_process

BACKEND = keras.backend.backend()
COLUMN = {name: i for i, name in enumerate(STATISTICS_COLUMNS)}
TOLERANCE = 1e-4
L = keras.layers


# --------------------------------------------------------------------------------------- references


Gradients = list[np.ndarray | None]


def differentiated(model: Any, x: Any, y: Any) -> Callable[[list[np.ndarray]], Gradients]:
    """Weights -> gradient of the model's loss, with respect to ``model.trainable_variables``."""
    variables = model.trainable_variables

    def loss_of(y_pred: Any, terms: list[Any]) -> Any:
        loss = model.loss(keras.ops.convert_to_tensor(y), y_pred)
        return loss + sum(keras.ops.sum(t) for t in terms)

    if BACKEND == "jax":
        import jax

        def loss(trainable: list[Any], rest: list[Any]) -> Any:
            y_pred, _, terms = model.stateless_call(
                trainable, rest, x, training=True, return_losses=True
            )
            return loss_of(y_pred, terms)

        compiled = jax.jit(jax.grad(loss))

        def found() -> Any:
            rest = [v.value for v in model.non_trainable_variables]
            return compiled([v.value for v in variables], rest)
    elif BACKEND == "torch":

        def found() -> Any:
            model.zero_grad()
            loss_of(model(x, training=True), model.losses).backward()
            grads = [v.value.grad for v in variables]
            out = [None if g is None else g.detach().cpu().numpy() for g in grads]
            model.zero_grad()
            return out
    else:
        import tensorflow as tf

        def found() -> Any:
            with tf.GradientTape() as tape:
                value = loss_of(model(x, training=True), model.losses)
            grads = tape.gradient(value, [v.value for v in variables])
            return [None if g is None else tf.convert_to_tensor(g) for g in grads]

    def at(weights: list[np.ndarray]) -> Gradients:
        for variable, value in zip(model.variables, weights, strict=True):
            variable.assign(value)
        return [None if g is None else np.asarray(g) for g in found()]

    return at


def statistics64(gradient: Any, before: Any, after: Any) -> np.ndarray:
    """One row of ``STATISTICS_COLUMNS``."""
    g = np.asarray(gradient, np.float64).ravel()
    f = g[np.isfinite(g)]
    w, change = np.asarray(before, np.float64), np.asarray(after, np.float64) - before
    some = f.size > 0
    row = [np.sqrt(np.sum(f**2)), f.mean() if some else 0, f.std() if some else 0]
    row += [f.min() if some else 0, f.max() if some else 0, np.mean(g == 0)]
    row += [np.isnan(g).sum(), np.isinf(g).sum(), np.linalg.norm(w), np.linalg.norm(change)]
    return np.array(row)


class Watch(keras.callbacks.Callback):
    """Captures the one step of every epoch; weights are taken between epochs."""

    def __init__(self, maps: Any = ()) -> None:
        super().__init__()
        self.maps = maps
        self.weights: list[list[np.ndarray]] = []
        self.captured: list[Any] = []
        self.capture: Any = None

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        if self.capture is None:
            self.capture = create_capture(self.model, (), updates=True, histograms=True)
        self.weights.append([np.array(v.numpy()) for v in self.model.variables])

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        self.capture.arm(len(self.weights), log2=True, linear=True, maps=self.maps)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        found = self.capture.collect()
        if self.capture.failure is not None:
            raise self.capture.failure
        self.captured.append(found)
        self.last = [np.array(v.numpy()) for v in self.model.variables]

    def without_maps(self) -> Watch:
        self.maps = ()
        return self


Make = Callable[[], tuple[Any, np.ndarray, np.ndarray]]


def compare(
    make: Make, *, steps: int = 2, tolerance: float = TOLERANCE, twin: bool = False
) -> float:
    """Trains on one batch, ``steps`` times; largest relative error of what was captured.

    Means are held against the deviation, which is what their rounding goes by.  With ``twin``, and
    where nothing is compiled, the model is left as a training that nobody watches leaves it; the
    others go by ``check_weights_are_bit_identical``.
    """
    watch = Watch()

    def train(watched: bool) -> Any:
        model, x, y = make()
        given: dict[str, Any] = {"batch_size": len(x), "epochs": steps, "shuffle": False}
        model.fit(x, y, **given, verbose=0, callbacks=[watch] if watched else [])
        return model

    model, (reference, x, y) = train(True), make()
    if twin or BACKEND == "torch":
        assert_left_alone(model, train)
    places = [[v is t for v in reference.variables].index(True) for t in trainable(reference)]
    gradients = differentiated(reference, x, y)
    worst = 0.0
    for captured, before, after in zip(
        watch.captured, watch.weights, [*watch.weights[1:], watch.last], strict=True
    ):
        found = gradients(before)
        # A gradient that is zero by mathematics (an attention key's bias) is rounding.
        noise = 1e-5 * max(
            np.abs(g[np.isfinite(g)]).max(initial=0.0) for g in found if g is not None
        )
        for row, counts, edges, place, gradient in zip(
            captured.statistics, captured.counts, captured.linear, places, found, strict=True
        ):
            if gradient is None:
                assert np.isnan(row).all()
                continue
            if 0.0 < np.abs(gradient[np.isfinite(gradient)]).max(initial=0.0) < noise:
                continue
            expected = statistics64(gradient, before[place], after[place])
            size = np.abs(expected)
            size[COLUMN["mean"]] = max(expected[COLUMN["std"]], size[COLUMN["mean"]])
            top = np.abs(gradient[np.isfinite(gradient)]).max(initial=0.0)
            size[[COLUMN["min"], COLUMN["max"]]] = top
            size[COLUMN["std"]] = max(size[COLUMN["std"]], 1e-3 * top)
            # What was subtracted is known more exactly than the difference of rounded weights.
            weight, update = COLUMN["weight_norm"], COLUMN["update_norm"]
            size[update] = max(size[update], 1e-3 * expected[weight])
            scale = np.ones(len(row))
            scale[:5] = captured.scale[0]
            both = np.isnan(row) & np.isnan(expected)
            with np.errstate(invalid="ignore"):
                error = np.abs(row / scale - expected) / np.where(size > 0, size, 1.0)
            error[both] = 0.0
            worst = max(worst, float(error.max()))
            assert error.max() < tolerance, (row / scale, expected)
            assert counts.sum() == gradient.size
            if captured.scale[0] == 1.0 and tolerance <= TOLERANCE:
                near = np.abs(same_nan(counts) - same_nan(counts64(gradient))).sum()
                assert near <= 2 + 2e-3 * gradient.size, near  # rounding at the edges of bins
            assert edges[:, 2].sum() == np.isfinite(gradient).sum()
    return worst


def assert_left_alone(model: Any, train: Callable[[bool], Any]) -> None:
    """Weights, states and attributes of ``train(True)`` are those of ``train(False)``.

    Weights to the bit, where two such trainings agree; else as near as these are.
    """
    plain = train(False)
    for ours, theirs in ((model, plain), (model.optimizer, plain.optimizer)):
        assert set(vars(ours)) == set(vars(theirs))
    after, expected = trained(model), trained(plain)
    if not np.array_equal(after, expected, equal_nan=True):
        change, noise = (np.abs(v - expected).max() for v in (after, trained(train(False))))
        assert change <= 4.0 * noise, change


def trained(model: Any) -> np.ndarray:
    """What training changes, in the model and its optimizer."""
    return flat([*model.variables, *model.optimizer.variables])


def flat(variables: Sequence[Any]) -> np.ndarray:
    """All elements, in float64."""
    return np.concatenate([np.array(v.numpy(), np.float64).ravel() for v in variables])


def trainable(model: Any) -> list[Any]:
    return model.trainable_variables


def counts64(gradient: np.ndarray) -> np.ndarray:
    bits = np.ascontiguousarray(gradient, np.float32).view(np.uint32).ravel() >> bins.DEVICE_SHIFT
    return np.bincount(bits, minlength=bins.DEVICE_BINS)


def same_nan(counts: np.ndarray) -> np.ndarray:
    """The sign of a NaN says nothing."""
    out = counts.copy()
    out[bins.DEVICE_BINS // 2 - 1] += out[-1]
    out[-1] = 0
    return out


# ------------------------------------------------------------------------------------------- models


def batch(shape: tuple[int, ...], classes: int = 4, n: int = 32) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(n, *shape)).astype("float32")
    return x, np.eye(classes, dtype="float32")[rng.integers(0, classes, n)]


def built(
    layers: list[Any],
    shape: tuple[int, ...],
    optimizer: Any = None,
    *,
    x: np.ndarray | None = None,
    **compile_args: Any,
) -> tuple[Any, np.ndarray, np.ndarray]:
    """A classifier with fresh, always equal weights, and a batch."""
    data, y = batch(shape)
    # In float32 also under mixed precision, as Keras advises: 1 / p times a loss scale overflows.
    head = L.Dense(4, "softmax", dtype="float32", name="head")
    model = keras.Sequential([keras.Input(shape), *layers, head])
    keras.utils.set_random_seed(1)
    # Made again: initializers draw their seeds when they are made, before this one was set.
    model = keras.models.clone_model(model)
    loss = keras.losses.CategoricalCrossentropy()
    model.compile(optimizer or keras.optimizers.Adam(1e-3), loss=loss, **compile_args)
    return model, data if x is None else x, y


def mlp(optimizer: Any = None, **more: Any) -> Any:
    return built([L.Dense(200, "relu"), L.Dense(100, "tanh")], (100,), optimizer, **more)


def small(optimizer: Any = None, **more: Any) -> Any:
    return built([L.Dense(8, "tanh")], (6,), optimizer, **more)


def cnn() -> Any:
    layers = [L.Conv2D(8, 3, activation="relu"), L.BatchNormalization(), L.Flatten()]
    return built(layers, (12, 12, 1))


def noisy() -> Any:
    """Random numbers in the step, and state that it changes."""
    return built([L.Dense(8, "relu"), L.GaussianNoise(0.1), L.Dropout(0.5)], (6,))


def lstm() -> Any:
    return built([L.LSTM(16)], (10, 5))


def transformer() -> Any:
    x = keras.Input((12, 16))
    h = L.LayerNormalization()(x + L.MultiHeadAttention(2, 8)(x, x))
    h = L.LayerNormalization()(h + L.Dense(16)(L.Dense(32, "gelu")(h)))
    return functional(x, L.Dense(4, "softmax")(L.GlobalAveragePooling1D()(h)), (12, 16))


def shared() -> Any:
    x = keras.Input((8,))
    layer = L.Dense(8, "tanh")
    return functional(x, L.Dense(4, "softmax")(layer(layer(x))), (8,))


def functional(x: Any, y: Any, shape: tuple[int, ...]) -> Any:
    keras.utils.set_random_seed(1)
    model = keras.Model(x, y)
    # Made again: initial weights were drawn before the seed was set.
    model = keras.models.clone_model(model)
    loss = keras.losses.CategoricalCrossentropy()
    model.compile(keras.optimizers.Adam(1e-3), loss=loss)
    return model, *batch(shape)


def embedding() -> Any:
    x = np.random.default_rng(1).integers(0, 30, (32, 6)).astype("float32")
    return built([L.Embedding(50, 8), L.Flatten()], (6,), x=x)


def frozen() -> Any:
    return built([L.Dense(8, "relu", trainable=False), L.Dense(8, "relu")], (6,))


def regularised() -> Any:
    return built([L.Dense(8, "relu", kernel_regularizer=keras.regularizers.L2(0.1))], (6,))


# ------------------------------------------------------------------------------------------- checks


def check_mlp() -> float:
    return compare(mlp)


def check_cnn() -> float:
    return compare(cnn, tolerance=5e-4)


def check_lstm() -> float:
    return compare(lstm, tolerance=5e-4)


def check_transformer() -> float:
    return compare(transformer, tolerance=5e-4)


def check_shared_layer() -> float:
    return compare(shared)


def check_embedding() -> float:
    return compare(embedding)


def check_frozen_layer() -> float:
    return compare(frozen)


def check_regularisation_is_apart_from_the_loss_of_the_data() -> None:
    compare(regularised)
    model, x, y = regularised()
    watch = Watch()
    kernel = np.array(model.layers[0].kernel.numpy(), np.float64)
    model.fit(x, y, batch_size=len(x), verbose=0, callbacks=[watch])
    (captured,) = watch.captured
    assert_allclose(captured.loss - captured.data_loss, 0.1 * np.sum(kernel**2), rtol=1e-4)


def check_the_gradient_is_that_before_clipping() -> float:
    return compare(lambda: small(keras.optimizers.SGD(0.1, global_clipnorm=1e-3)), twin=True)


def check_gradient_accumulation() -> float:
    more = {"gradient_accumulation_steps": 2}
    make = lambda: small(keras.optimizers.SGD(0.1, **more))  # noqa: E731
    return compare(make, steps=4, twin=True)


def check_not_compiled() -> float:
    return compare(lambda: small(run_eagerly=True), steps=1)


def check_optimizers() -> None:
    names = ("SGD", "RMSprop", "Adam", "AdamW", "Adadelta", "Adagrad", "Adamax", "Adafactor")
    for name in (*names, "Nadam", "Ftrl", "Lion", "Lamb", "Muon"):
        make = lambda name=name: small(getattr(keras.optimizers, name)(1e-3))  # noqa: E731
        compare(make, steps=1, twin=name == "Adam")


def check_the_rate_and_the_labels_are_told() -> None:
    schedule = keras.optimizers.schedules.ExponentialDecay(0.5, 1, 0.5)
    model, x, y = small(keras.optimizers.SGD(schedule))
    watch = Watch()
    model.fit(x, y, batch_size=len(x), epochs=3, verbose=0, callbacks=[watch])
    assert [c.learning_rate for c in watch.captured] == [0.5, 0.25, 0.125]
    assert_allclose(watch.captured[0].labels, np.stack([y.mean(0), (y**2).mean(0)]), rtol=1e-6)
    assert_allclose([c.loss for c in watch.captured], model.history.history["loss"], rtol=1e-5)


def check_loss_scaling() -> float:
    scaled = lambda: keras.optimizers.LossScaleOptimizer(  # noqa: E731
        keras.optimizers.SGD(0.1), initial_scale=1024.0
    )
    return compare(lambda: small(scaled()), twin=True)


def in_precision(policy: str) -> Any:
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        return built([L.Dense(32, "tanh"), L.Dense(16, "relu")], (20,), keras.optimizers.SGD(0.1))
    finally:
        keras.config.set_dtype_policy(before)


def check_mixed_float16() -> float:
    model, *_ = in_precision("mixed_float16")
    assert isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer)
    return compare(lambda: in_precision("mixed_float16"), tolerance=5e-3, twin=True)


def check_mixed_bfloat16() -> float:
    return compare(lambda: in_precision("mixed_bfloat16"), tolerance=3e-2)


def check_float64() -> float:
    if BACKEND == "jax":
        return 0.0  # has no float64 unless it is switched on for all that runs
    return compare(lambda: in_precision("float64"))


def check_moving_average_and_weight_decay() -> float:
    how = {"use_ema": True, "ema_overwrite_frequency": 1, "weight_decay": 0.01}
    return compare(lambda: small(keras.optimizers.Adam(1e-2, **how)), twin=True)


class Batches(keras.utils.PyDataset):
    def __init__(self, x: np.ndarray, y: np.ndarray):
        super().__init__()
        self.all = x, y

    def __len__(self) -> int:
        return 1

    def __getitem__(self, index: int) -> Any:
        return self.all


def check_data_from_generators() -> None:
    rows = []
    for give in (
        lambda x, y: ({"x": x, "y": y, "batch_size": len(x), "shuffle": False}),
        lambda x, y: {"x": Batches(x, y)},
        lambda x, y: {"x": ((x, y) for _ in range(3)), "steps_per_epoch": 1},
    ):
        model, x, y = small()
        watch = Watch()
        model.fit(**give(x, y), epochs=3, verbose=0, callbacks=[watch])
        rows.append(np.stack([c.statistics for c in watch.captured]))
    np.testing.assert_array_equal(rows[0], rows[1])
    np.testing.assert_array_equal(rows[0], rows[2])


class OwnStep(keras.Sequential):
    """A train step of the user's own, as Keras's guides write it for each backend."""

    def train_step(self, *given: Any) -> Any:
        if BACKEND == "jax":
            import jax

            state, data = given
            (trainable, rest, slots, metrics), (x, y) = state, data[:2]

            def loss_of(trainable: Any) -> Any:
                y_pred, rest_now = self.stateless_call(trainable, rest, x, training=True)
                return self.compute_loss(x, y, y_pred), rest_now

            (loss, rest), grads = jax.value_and_grad(loss_of, has_aux=True)(trainable)
            trainable, slots = self.optimizer.stateless_apply(slots, grads, trainable)
            return {"loss": loss}, (trainable, rest, slots, metrics)
        x, y = given[0][:2]
        if BACKEND == "torch":
            self.zero_grad()
            loss = self.compute_loss(x, y, self(x, training=True))
            loss.backward()
            found = [v.value.grad for v in self.trainable_weights]
            import torch

            with torch.no_grad():
                self.optimizer.apply(found, self.trainable_weights)
            return {"loss": loss}
        import tensorflow as tf

        with tf.GradientTape() as tape:
            loss = self.compute_loss(x, y, self(x, training=True))
        self.optimizer.apply(tape.gradient(loss, self.trainable_weights), self.trainable_weights)
        return {"loss": loss}


def check_a_train_step_of_ones_own() -> float:
    def make() -> Any:
        model, x, y = small()
        own = OwnStep([keras.Input((6,)), *model.layers])
        own.compile(keras.optimizers.Adam(1e-3), loss=keras.losses.CategoricalCrossentropy())
        return own, x, y

    return compare(make)


def check_hard_gradients() -> None:
    """NaN and Inf; squares that overflow or vanish in float32; nearly equal elements."""
    for factor in (1e-25, 1e25, np.inf, np.nan):

        def make(factor: float = factor) -> Any:
            model, x, y = built([L.Dense(8, "tanh")], (6,), keras.optimizers.SGD(0.0))
            model.compile(
                keras.optimizers.SGD(0.0),
                loss=keras.losses.CategoricalCrossentropy(),
                loss_weights=None,
            )
            own = model.loss

            class Scaled(keras.losses.Loss):
                def call(self, y_true: Any, y_pred: Any) -> Any:
                    return keras.ops.cast(factor, "float32") * own.call(y_true, y_pred)

            model.compile(keras.optimizers.SGD(0.0), loss=Scaled())
            return model, x, y

        compare(make, steps=1)


def check_pictures_of_gradients() -> None:
    for make in (cnn, lambda: mlp(run_eagerly=True)):
        model, x, y = make()
        wanted = [v for v in model.trainable_variables if len(v.shape) >= 2][1:]
        watch = Watch(maps=wanted)
        model.fit(x, y, batch_size=len(x), epochs=2, shuffle=False, verbose=0, callbacks=[watch])
        reference, _, _ = make()
        gradients = differentiated(reference, x, y)
        for captured, before in zip(watch.captured, watch.weights, strict=True):
            found = gradients(before)
            names = [any(v is w for w in wanted) for v in captured.variables]
            assert sorted(captured.maps) == [i for i, name in enumerate(names) if name]
            for i, picture in captured.maps.items():
                expected = reduced(found[i])
                assert (picture.shape, picture.slices) == (expected.shape, expected.slices)
                assert_allclose(picture.scale, expected.scale, rtol=1e-4)
                # A code may fall to the other side of its border.
                assert np.abs(picture.codes.astype(int) - expected.codes).max() <= 1
        model.fit(x, y, batch_size=len(x), verbose=0, callbacks=[watch.without_maps()])
        assert watch.captured[-1].maps == {}


def check_histograms_of_the_weights() -> None:
    model = cnn()[0]
    capture = create_capture(model, (), updates=True, histograms=True)
    variables = model.trainable_variables
    counts = capture.weight_counts(variables)
    edges = capture.weight_histograms(variables)
    for one, linear, variable in zip(counts, edges, variables, strict=True):
        value = np.asarray(keras.ops.convert_to_numpy(variable))
        assert_array_equal(one, counts64(value))
        expected, _ = np.histogram(value.astype(np.float64), bins.STOCK_BUCKETS)
        if np.ptp(value) > 0:
            assert np.abs(linear[:, 2] - expected).sum() <= 4  # rounding at the edges


def check_many_elements() -> float:
    """Sums over millions of elements of one sign keep their digits."""

    def make() -> Any:
        model, x, y = built([L.Dense(4000, "relu")], (1000,), keras.optimizers.SGD(1e-3))
        return model, np.abs(x), y

    return compare(make, steps=1)


class Columns(L.Layer):
    """A dense layer whose kernel is a hundred variables, one a unit."""

    def build(self, shape: Any) -> None:
        self.columns = [self.add_weight(shape=(shape[-1],), name=f"w{i}") for i in range(100)]

    def call(self, x: Any) -> Any:
        return keras.ops.tanh(keras.ops.matmul(x, keras.ops.stack(self.columns, axis=1)))


def check_a_thousand_variables() -> float:
    """Each is measured for itself, and in its own place."""

    # Without XLA, which takes minutes for a step of as many variables, monitored or not.
    def make() -> Any:
        layers = [Columns(name=f"columns{i}") for i in range(10)]
        return built(layers, (40,), keras.optimizers.SGD(0.1), jit_compile=False)

    return compare(make, steps=1)


def unchanged(name: str, train: Callable[[bool], Any]) -> str:
    """Whether weights and states are those of a training that nobody watches, to the bit.

    Where two such trainings agree (not with atomic sums on a GPU); else as near as these are.
    """
    plain, again, ours = (flat(train(watched).variables) for watched in (False, False, True))
    noise, change = np.abs(plain - again).max(), np.abs(plain - ours).max()
    told = f"{name} {change:.1e} (two plain runs: {noise:.1e})"
    # Larger "noise" would be two different trainings, against which nothing can fail.
    assert noise <= 1e-3, told
    assert change <= 4.0 * noise, told
    return told


def check_weights_are_bit_identical() -> str:
    def train(make: Any, watched: bool) -> Any:
        model, x, y = make()
        with tempfile.TemporaryDirectory() as folder:
            # ``test_probe.py`` says where a probe on TensorFlow is exact.
            probe_freq = None if BACKEND == "tensorflow" else 1
            settings: dict[str, Any] = {"update_freq": 1, "probe_freq": probe_freq}
            watch = [monitor(folder, **settings)] if watched else []
            model.fit(x, y, batch_size=8, epochs=5, verbose=0, callbacks=watch)
        return model

    makes = (mlp, cnn, lstm, embedding, noisy)
    return ", ".join(unchanged(m.__name__, functools.partial(train, m)) for m in makes)


def check_nothing_is_left_behind() -> None:
    model, x, y = small()
    names = set(vars(model)), set(vars(model.optimizer))
    with tempfile.TemporaryDirectory() as folder:
        model.fit(x, y, verbose=0)
        names = set(vars(model)), set(vars(model.optimizer))
        function = model.train_function
        model.fit(x, y, verbose=0, callbacks=[monitor(folder)])
        assert model.train_function is function
        assert (set(vars(model)), set(vars(model.optimizer))) == names
        path = pathlib.Path(folder, "model.keras")
        model.save(path)
        again = keras.models.load_model(path)
        for a, b in zip(model.get_weights(), again.get_weights(), strict=True):
            assert_array_equal(a, b)
        again.fit(x, y, verbose=0)


def check_an_exception_in_the_middle_of_fit_and_a_second_fit() -> None:
    class Stop(keras.callbacks.Callback):
        def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
            if batch == 2:
                raise KeyboardInterrupt

    model, x, y = small()
    with tempfile.TemporaryDirectory() as folder:
        watch = monitor(folder, update_freq=1)
        with contextlib.suppress(KeyboardInterrupt):
            model.fit(x, y, batch_size=8, verbose=0, callbacks=[watch, Stop()])
        model.fit(x, y, batch_size=8, verbose=0, callbacks=[watch])
        assert told(watch)["steps"]["logged"] >= 6, told(watch)["steps"]
        model.compile("sgd", keras.losses.CategoricalCrossentropy())
        model.fit(x, y, batch_size=8, verbose=0, callbacks=[watch])
        assert told(watch)["steps"]["logged"] >= 10, told(watch)["steps"]


def check_the_report_is_right_on_a_sick_and_a_healthy_network() -> None:
    for depth in (SHALLOW, DEEP):
        model, x, y = healthy_or_sick(depth)
        with tempfile.TemporaryDirectory() as folder:
            watch = monitor(folder)
            model.fit(x, y, batch_size=32, epochs=12, verbose=0, callbacks=[watch])
            run = told(watch)
            read_back(folder, run)
        assert_right(run, depth)


SHALLOW, DEEP = ("relu", 2), ("sigmoid", 10)


def healthy_or_sick(depth: tuple[str, int]) -> tuple[Any, np.ndarray, np.ndarray]:
    """A network that learns, or one whose first layers do not."""
    x = np.random.default_rng(0).normal(size=(512, 20)).astype("float32")
    keras.utils.set_random_seed(1)
    activation, layers = depth
    hidden = [L.Dense(32, activation, name=f"h{i}") for i in range(layers)]
    model = keras.Sequential([keras.Input((20,)), *hidden, L.Dense(1, "sigmoid")])
    model.compile(keras.optimizers.Adam(1e-3), loss=keras.losses.BinaryCrossentropy())
    return model, x, (x[:, :1] > 0).astype("float32")


def assert_right(run: dict[str, Any], depth: tuple[str, int]) -> None:
    assert run["kinds"] == ([] if depth == SHALLOW else ["vanishing"]), run
    if depth == DEEP:
        assert run["findings"][0]["layers"][0] == "h0"
        assert run["findings"][0]["cause_id"] == "vanishing.saturating", run["findings"][0]


def check_a_probe_costs_no_warning() -> None:
    model, x, y = small()
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings(record=True) as told_:
        warnings.simplefilter("always")
        model.fit(x, y, verbose=0, callbacks=[GradientMonitor(folder, probe_freq=1)])
        model.fit(x, y, verbose=0, callbacks=[GradientMonitor(folder, probe_freq=None)])
    ours = [str(w.message) for w in told_ if "GradientMonitor" in str(w.message)]
    assert ours == []


# ------------------------------------------------------------------------- loops without ``fit``


def loop(
    model: Any, x: np.ndarray, y: np.ndarray, steps: int, recorder: Any = None, size: int = 32
) -> None:
    """Trains ``model`` by hand as one does on this backend, on one batch after the other."""
    loss_of, optimizer = model.loss, model.optimizer
    variables = model.trainable_variables
    optimizer.build(variables)
    places = [slice(i * size % len(x), i * size % len(x) + size) for i in range(steps)]
    batches = [(step, x[at], y[at]) for step, at in enumerate(places, start=1)]
    if BACKEND == "jax":
        import jax

        rest = [v.value for v in model.non_trainable_variables]

        def objective(trainable: list[Any], x: Any, y: Any) -> Any:
            y_pred, _ = model.stateless_call(trainable, rest, x, training=True)
            return loss_of(y, y_pred)

        differentiate = jax.jit(jax.value_and_grad(objective))
        apply = jax.jit(optimizer.stateless_apply, donate_argnums=(0, 2))
        state = [jax.numpy.copy(v.value) for v in optimizer.variables]
        trained = [jax.numpy.copy(v.value) for v in variables]
        for step, x, y in batches:
            loss, found = differentiate(trained, x, y)
            if recorder is not None:
                recorder.record(found, trained, step=step, loss=loss)
            trained, state = apply(state, found, trained)
        for variable, value in zip(variables, trained, strict=True):
            variable.assign(value)
    elif BACKEND == "torch":
        import torch

        for step, x, y in batches:
            model.zero_grad()
            loss = loss_of(keras.ops.convert_to_tensor(y), model(x, training=True))
            loss.backward()
            found = [v.value.grad for v in variables]
            if recorder is not None:
                recorder.record(found, variables, step=step, loss=loss)
            with torch.no_grad():
                optimizer.apply(found, variables)
    else:
        import tensorflow as tf

        for step, x, y in batches:
            with tf.GradientTape() as tape:
                loss = loss_of(y, model(x, training=True))
            found = tape.gradient(loss, variables)
            if recorder is not None:
                recorder.record(found, variables, step=step, loss=loss)
            optimizer.apply(found, variables)


def by_hand(weights: list[np.ndarray], x: np.ndarray, y: np.ndarray) -> tuple[float, list[Any]]:
    """Loss and gradients of ``small`` in float64: tanh, softmax, mean cross-entropy."""
    w1, b1, w2, b2 = (w.astype(np.float64) for w in weights)
    h = np.tanh(x @ w1 + b1)
    z = h @ w2 + b2
    p = np.exp(z - z.max(1, keepdims=True))
    p /= p.sum(1, keepdims=True)
    out = (p - y) / len(x)
    back = (out @ w2.T) * (1.0 - h * h)
    loss = -np.log(np.sum(p * y, 1)).mean()
    return loss, [x.T @ back, back.sum(0), h.T @ out, out.sum(0)]


def recorded(folder: str) -> Any:
    """What a recorder wrote, as the dashboard reads it: statistics, training, histograms."""
    from tb_gradplugin import metadata, reader, sources

    source = sources.FileSource(os.path.join(folder, "gradients"))
    models = reader.read_models(source)
    paths = [v.path for v in models.latest.variables]
    rows = reader.read_statistics(source, models, paths)
    histograms = reader.read_histograms(source, models, paths)
    training = np.array([p.numpy for p in source.read(metadata.TRAINING_TAG)])
    assert source.problems == []
    return models.latest, rows, training, histograms


def check_recorder_writes_what_is_computed_by_hand() -> None:
    from tb_gradplugin import GradientRecorder

    rate, steps = 0.1, 4
    model, x, y = small(keras.optimizers.SGD(rate))
    weights = [np.array(keras.ops.convert_to_numpy(v)) for v in model.trainable_variables]
    with tempfile.TemporaryDirectory() as folder:
        with GradientRecorder(folder, model, on_unhealthy="ignore") as recorder:
            loop(model, x, y, steps, recorder)
        structure, rows, training, histograms = recorded(folder)
        read_back(folder, told(recorder))
    assert [layer.path for layer in structure.layers] == [v.name for v in model.layers]
    assert structure.optimizer == "SGD"
    assert structure.backend == BACKEND
    assert list(rows.steps) == [1, 2, 3, 4]
    assert_allclose(training[:, 3], rate, rtol=1e-6)
    assert_allclose(histograms.values.sum(2) / bins.FULL_SHARE, 1.0, atol=1e-3)
    for step in range(steps):
        loss, found = by_hand(weights, x, y)
        after = [w - rate * g for w, g in zip(weights, found, strict=True)]
        assert_allclose(training[step, 0], loss, rtol=1e-5)
        for row, g, old, new in zip(rows.values[step], found, weights, after, strict=True):
            expected = statistics64(g, old, new)
            size = np.where(expected == 0.0, 1.0, np.abs(expected))
            size[COLUMN["mean"]] = max(expected[COLUMN["std"]], size[COLUMN["mean"]])
            if step == steps - 1 and BACKEND == "jax":
                assert np.isnan(row[COLUMN["update_norm"]])  # nobody told the arrays that followed
                row[COLUMN["update_norm"]] = expected[COLUMN["update_norm"]]
            error = np.abs(row - expected) / size
            assert error.max() < TOLERANCE, (step, row, expected)
        weights = after


def check_recorder_leaves_training_bit_identical() -> str:
    from tb_gradplugin import GradientRecorder

    def train(make: Any, watched: bool) -> Any:
        model, x, y = make()
        with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
            recorder = None
            if watched:
                recorder = GradientRecorder(
                    folder, model, update_freq=1, on_unhealthy="ignore", map_layers=["dense"]
                )
                stack.enter_context(recorder)
            loop(model, x, y, 12, recorder)
        return model

    makes = (mlp, cnn, lstm, embedding)
    return ", ".join(unchanged(m.__name__, functools.partial(train, m)) for m in makes)


def check_recorder_report_is_right_on_a_sick_and_a_healthy_network() -> None:
    from tb_gradplugin import GradientRecorder

    for depth in (SHALLOW, DEEP):
        model, x, y = healthy_or_sick(depth)
        with tempfile.TemporaryDirectory() as folder:
            with GradientRecorder(folder, model, on_unhealthy="ignore") as recorder:
                loop(model, x, y, 150, recorder)
            run = told(recorder)
            read_back(folder, run)
        assert_right(run, depth)


def check_recorder_finds_the_step_that_is_not_finite() -> None:
    from tb_gradplugin import GradientRecorder

    model, x, y = small()
    x[3, 2] = np.nan
    with tempfile.TemporaryDirectory() as folder:
        with GradientRecorder(folder, model, on_unhealthy="ignore") as recorder:
            loop(model, x, y, 2, recorder)
        run = told(recorder)
    assert run["kinds"] == ["nonfinite"], run
    assert run["findings"][0]["since_step"] == 1


def monitor(folder: str, **more: Any) -> GradientMonitor:
    return GradientMonitor(folder, **{"on_unhealthy": "ignore", "probe_freq": None, **more})


def told(watch: Any) -> dict[str, Any]:
    (run,) = watch.report().to_dict()["runs"].values()
    return run


def read_back(folder: str, run: dict[str, Any]) -> None:
    """What is on disk tells the same."""
    from tb_gradplugin.cli import main as command

    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        command(["report", folder, "--json"])
    (read,) = json.loads(out.getvalue())["runs"].values()
    assert read == run


CHECKS = own_process.checks_in(globals())


def prepare(name: str) -> None:
    if BACKEND == "jax":  # compiles twice as fast; what is told of bits is told of real steps
        jax.config.update("jax_disable_most_optimizations", "bit_identical" not in name)


if BACKEND == "jax":  # else products on a GPU keep ten bits, and not the same ones twice
    import jax

    jax.config.update("jax_default_matmul_precision", "highest")

if __name__ == "__main__":
    own_process.main(CHECKS, prepare)
