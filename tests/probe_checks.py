"""What a probe sees on JAX and PyTorch, and that the step does not notice.

Run by ``test_backend_probes.py`` in a process with ``KERAS_BACKEND``.

``numbers`` runs on TensorFlow as well, for ``test_backend_probes.py`` to compare.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import pathlib
import random
import tempfile
import warnings
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np
from numpy.testing import assert_allclose, assert_array_equal

from tb_gradplugin import bins, preflight, reader
from tb_gradplugin.callbacks import GradientMonitor, describe, recording
from tb_gradplugin.callbacks.capture import create_capture
from tb_gradplugin.metadata import PROBE_COLUMNS
from tb_gradplugin.records import TIME_POINTS, ProbeRecord, kept_time_steps
from tb_gradplugin.sources import FileSource
from tests import own_process

BACKEND = keras.backend.backend()
L = keras.layers
RELATIVE = 1e-5
GRADIENT = PROBE_COLUMNS.index("gradient_norm")
Batch = tuple[np.ndarray, np.ndarray]

if BACKEND == "jax":
    import jax

    # Compiles in less than half the time, and rounds logged steps unlike others; read when JAX
    # first computes.
    os.environ["XLA_FLAGS"] = "--xla_cpu_use_fusion_emitters=false"


def compile_fast() -> None:
    """From now on JAX leaves out most optimisations (which rounds otherwise), compiles nothing
    twice, and NumPy draws initial weights, since JAX compiles a program for each shape."""
    if BACKEND == "jax":
        jax.config.update("jax_disable_most_optimizations", True)
        jax.config.update("jax_compilation_cache_dir", tempfile.mkdtemp())
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.1)
        for kind in (keras.initializers.GlorotUniform, keras.initializers.Orthogonal):
            kind.__call__ = _drawn


def _drawn(self: Any, shape: Any, dtype: Any = None) -> Any:
    size = np.sqrt(6.0 / (np.prod(shape[:-2]) * sum(shape[-2:])))
    return keras.ops.convert_to_tensor(np.random.uniform(-size, size, shape), dtype)


# ----------------------------------------------------------------------------------- the networks


def data(n: int = 16, outputs: int = 4) -> Batch:
    rng = np.random.default_rng(0)
    x = rng.normal(size=[n, 8]).astype("float32")
    return x, rng.normal(size=[n, outputs]).astype("float32")


def in_two(x: np.ndarray) -> dict[str, np.ndarray]:
    return {"a": x[:, :5], "b": x[:, 5:]}


def classes(n: int = 16) -> Batch:
    x, y = data(n)
    return x, np.eye(4, dtype="float32")[y.argmax(1)]


def dense() -> Any:
    layers = [L.Dense(6, "tanh"), L.Dense(9, "relu"), L.Dense(7, "sigmoid"), L.Dense(4)]
    return keras.Sequential([keras.Input([8]), *layers])


def convolutional() -> Any:
    return keras.Sequential(
        [
            keras.Input([8]),
            L.Reshape([4, 2, 1]),
            L.Conv2D(5, 2, activation="relu"),
            L.BatchNormalization(),
            L.Activation("tanh"),
            L.MaxPooling2D((2, 1)),
            L.Flatten(),
            L.Dense(4),
        ]
    )


def shared() -> Any:
    a = keras.Input([8])
    layer = L.Dense(8, activation="tanh")
    out = layer(a)
    return keras.Model(a, L.Dense(4)(L.add([layer(out), out])))


def nested() -> Any:
    inner = keras.Sequential([keras.Input([8]), L.Dense(6, "elu"), L.Dense(6, "tanh")])
    return keras.Sequential([keras.Input([8]), inner, L.LayerNormalization(), L.Dense(4)])


def softmax() -> Any:
    return keras.Sequential([keras.Input([8]), L.Dense(6, "softmax"), L.Dense(4, "softmax")])


def attention() -> Any:
    a = keras.Input([8])
    h = L.Dense(6)(L.Reshape([4, 2])(a))
    h = L.add([h, L.MultiHeadAttention(2, 3)(h, h)])
    return keras.Model(a, L.Dense(4)(L.GlobalAveragePooling1D()(L.LayerNormalization()(h))))


def recurrent() -> Any:
    a = keras.Input([8])
    h = L.Masking()(L.Reshape([4, 2])(a))
    h = L.SimpleRNN(3, return_sequences=True)(h)
    h = L.Bidirectional(L.GRU(4, return_sequences=True))(h)
    return keras.Model(a, L.Dense(4)(L.LSTM(5)(h)))


def loop() -> Any:
    layers = [L.Reshape([4, 2]), L.SimpleRNN(3), L.Dense(4)]
    return keras.Sequential([keras.Input([8]), *layers])


def two_inputs() -> Any:
    a, b = keras.Input([5], name="a"), keras.Input([3], name="b")
    h = L.concatenate([L.Dense(6, "tanh")(a), L.Dense(4, "sigmoid")(b)])
    return keras.Model({"a": a, "b": b}, L.Dense(4)(h))


MAKES = (dense, convolutional, shared, nested, softmax, attention, recurrent, two_inputs)
NETWORKS: dict[str, Callable[[], Any]] = {make.__name__: make for make in MAKES}


def network(make: Callable[[], Any], size: float = 0.8) -> Any:
    """With weights that are the same on every backend."""
    model, rng = make(), np.random.default_rng(5)
    for variable in model.trainable_variables:
        variable.assign(rng.normal(size=variable.shape).astype("float32") * size)
    return model


def probed(
    model: Any,
    x: Any,
    y: Any,
    *,
    exact: bool = False,
    histograms: bool = False,
    **compile_args: Any,
) -> tuple[ProbeRecord, list[str], Any]:
    """(record, layer paths, raw capture) of one train step on (x, y)."""
    model.compile(**{"optimizer": keras.optimizers.SGD(0.1), "loss": "mse", **compile_args})
    model.make_train_function()
    capture = create_capture(model, (), updates=False, histograms=histograms, exact_probe=exact)
    capture.arm(1, log2=histograms, linear=histograms, probe=True)
    model.train_on_batch(x, y)
    captured = capture.collect()
    for failure in (capture.failure, capture.probe_failure):
        if failure is not None:
            raise failure
    assert captured is not None
    structure = describe.describe(model, captured.variables, capture.call_order)
    record = recording.probe_record(captured, model, capture.call_order, len(structure.layers))
    assert record is not None
    return record, [layer.path for layer in structure.layers], captured


def numbers() -> dict[str, Any]:
    """What a probe sees of each network, with null for NaN."""
    out = {}
    for name, make in NETWORKS.items():
        keras.backend.clear_session()  # names count from 1 again
        x, y = classes() if make is softmax else data()
        if make is recurrent:
            x[:8, 4:] = 0.0
            x[:, 6:] = 0.0
        given = in_two(x) if make is two_inputs else x
        loss = "categorical_crossentropy" if make is softmax else "mse"
        # Eager steps take JAX longest, and the others least.
        eager = BACKEND != "jax"
        compile_args = {"loss": loss, "run_eagerly": eager}
        record, paths, _ = probed(network(make), given, y, histograms=True, **compile_args)
        times = {paths[i]: plain(norms) for i, norms in record.through_time.items()}
        assert record.histograms is not None
        out[name] = {
            "rows": {path: plain(row) for path, row in zip(paths, record.layers, strict=True)},
            "times": times,
            "radii": {paths[i]: radius for i, radius in record.spectral_radius.items()},
            "batch": [record.samples, *plain(record.inputs), *plain(record.targets)],
            "counts": record.histograms.tolist(),
        }
    return out


def plain(values: np.ndarray) -> list[float | None]:
    return [None if np.isnan(v) else float(v) for v in values]


def causes_of_unscaled_data(**monitor_args: Any) -> list[str]:
    """Of what a monitor with its default probe finds where data are a thousand times too large."""
    x, y = data(64)
    model = network(dense, 0.5)
    model.compile(keras.optimizers.SGD(0.01), "mse")
    monitor = GradientMonitor(tempfile.mkdtemp(), on_unhealthy="ignore", **monitor_args)
    fit = {"batch_size": 64, "epochs": 40, "shuffle": False, "verbose": 0}
    model.fit(1000 * x, 1000 * y, callbacks=[monitor], **fit)
    return [finding.cause_id for finding in monitor.report().findings]


# ------------------------------------------------------------------------- an independent reference


@contextlib.contextmanager
def float64() -> Iterator[None]:
    """New models compute in float64 meanwhile."""
    with contextlib.ExitStack() as stack:
        if BACKEND == "jax":
            stack.enter_context(jax.enable_x64(True))
        stack.callback(keras.config.set_dtype_policy, "float32")
        keras.config.set_dtype_policy("float64")
        yield


def differentiated(loss: Callable[[list[Any]], Any], at: list[np.ndarray]) -> list[np.ndarray]:
    """Gradients of ``loss`` by the backend, with respect to each of the arrays ``at``."""
    if BACKEND == "jax":
        return [np.asarray(g) for g in jax.jit(jax.grad(loss))(at)]
    import torch

    leaves = [torch.from_numpy(a).requires_grad_() for a in at]
    return [g.numpy() for g in torch.autograd.grad(loss(leaves), leaves)]


def outputs_and_gradients(model: Any, x: Any, y: Any) -> dict[str, list[Any]]:
    """name -> [(output, dL/d(output) or None)], one for each call.

    The gradients are those with respect to zeros that are added to the outputs; None before any
    layer that has weights.
    """
    seen: list[tuple[str, Any, bool]] = []
    zeros: list[Any] = []

    def watched(layer: Any, own: Any) -> Any:
        def call(*args: Any, **kwargs: Any) -> Any:
            output = own(*args, **kwargs)
            if zeros:
                output = output + zeros[len(seen)]
            learns = bool(layer.trainable_weights) or any(s[2] for s in seen)
            seen.append((layer.name, output, learns))
            return output

        return call

    def loss(added: list[Any]) -> Any:
        seen.clear()
        zeros[:] = added
        with keras.StatelessScope():
            apart = model(x, training=True) - keras.ops.convert_to_tensor(y)
        return keras.ops.mean(keras.ops.square(apart))

    inner = [layer for layer in model._flatten_layers() if not isinstance(layer, keras.Model)]
    for layer in inner:
        layer.__dict__["call"] = watched(layer, layer.call)
    loss([])
    calls = [
        (n, keras.ops.convert_to_numpy(o.detach() if BACKEND == "torch" else o), learns)
        for n, o, learns in seen
    ]
    gradients = differentiated(loss, [np.zeros(output.shape) for _, output, _ in calls])
    for layer in inner:
        del layer.__dict__["call"]
    out: dict[str, list[Any]] = {}
    for (name, output, learns), gradient in zip(calls, gradients, strict=True):
        out.setdefault(name, []).append((output, gradient if learns else None))
    return out


SATURATED = {
    "tanh": lambda y: np.abs(y) >= 0.99,
    "sigmoid": lambda y: (y <= 0.01) | (y >= 0.99),
}


def row64(calls: list[Any], saturated: Any = None) -> np.ndarray:
    """One row of ``PROBE_COLUMNS`` from [(output, gradient)] of all calls."""
    gradients = [g for _, g in calls if g is not None]
    together = np.concatenate([out.ravel() for out, _ in calls])
    dead = [np.all(out.reshape([-1, out.shape[-1]]) == 0, axis=0).mean() for out, _ in calls]
    return np.array(
        [
            together.mean(),
            together.std(),
            np.abs(together).max(),
            0.0,
            np.mean(together == 0),
            np.mean(dead),
            np.nan if saturated is None else np.mean(saturated(together)),
            np.sqrt(sum(np.sum(g**2) for g in gradients)) if gradients else np.nan,
        ]
    )


def unrolled(layer: Any, x: np.ndarray, y: np.ndarray, mask: np.ndarray | None) -> np.ndarray:
    """|dL/dh_t| in processing order in float64, L = mean((h_T - y)**2)."""
    steps = range(x.shape[1])
    zero = np.zeros([len(x), layer.units])
    ops = keras.ops

    def loss(added: list[Any]) -> Any:
        states = [ops.convert_to_tensor(zero)] * (2 if isinstance(layer, L.LSTM) else 1)
        for t, e in zip(reversed(steps) if layer.go_backwards else steps, added, strict=True):
            h, new = layer.cell.call(ops.convert_to_tensor(x[:, t].astype(float)), states)
            new = [h + e, *new[1:]]
            if mask is not None:
                keep = ops.convert_to_tensor(mask[:, t, None])
                new = [ops.where(keep, a, b) for a, b in zip(new, states, strict=True)]
            states = new
        return ops.mean(ops.square(states[0] - ops.convert_to_tensor(y.astype(float))))

    return np.array([np.linalg.norm(g) for g in differentiated(loss, [zero] * len(steps))])


# ------------------------------------------------------------------------------------- what it sees


def check_outputs_and_the_gradients_at_them_equal_those_in_float64() -> None:
    x, y = data()
    for make in (convolutional, shared) if BACKEND == "jax" else MAKES[:4]:
        model = network(make)
        weights = model.get_weights()
        record, paths, _ = probed(model, x, y)
        with float64():
            reference = make()
            reference.set_weights(weights)
            want = outputs_and_gradients(reference, x.astype(float), y.astype(float))
        layers = {layer.name: layer for layer in reference._flatten_layers()}
        assert len(want) == len(paths)
        for path, row, (name, calls) in zip(paths, record.layers, want.items(), strict=True):
            activation = getattr(getattr(layers[name], "activation", None), "__name__", None)
            expected = row64(calls, SATURATED.get(activation or ""))
            size = RELATIVE * np.maximum(np.abs(expected), 1e-2)
            size[0] = RELATIVE * max(abs(expected[0]), expected[1])
            near = np.abs(row - expected) <= size
            assert (near | (np.isnan(row) & np.isnan(expected))).all(), (path, row, expected)
        assert_allclose(record.inputs, [x.mean(), x.std(), np.abs(x).max()], rtol=1e-5)
        assert_allclose(record.targets, [y.mean(), y.std(), np.abs(y).max()], rtol=1e-5)
        assert record.samples == 16


CELLS = (L.SimpleRNN, L.LSTM, L.GRU)


def check_gradients_through_time_equal_those_of_an_unrolled_loop_in_float64() -> None:
    x = np.random.default_rng(1).normal(size=[6, 9, 3]).astype("float32")
    x[:3, 5:] = 0
    x[:, 7:] = 0
    ways: list[dict[str, Any]] = [{}, {"go_backwards": True}, {"unroll": True}]
    for masked, settings in ((False, ways), (True, [{}])):
        loops = {
            f"{cell.__name__}_{'_'.join(way)}": (cell, way)
            for cell in CELLS
            for way in settings
            # JAX compiles for seconds, and has one loop for all cells.
            if BACKEND != "jax" or way in ({}, ways[1 + (cell is L.LSTM)])
        }
        y = np.full([6, 5 * len(loops)], 0.5, np.float32)

        def make(masked: bool = masked, loops: dict[str, Any] = loops) -> Any:
            a = keras.Input([9, 3])
            h = L.Masking()(a) if masked else a
            out = [cell(5, name=name, **way)(h) for name, (cell, way) in loops.items()]
            return keras.Model(a, L.concatenate(out))

        model = network(make)
        weights = [np.array(w) for w in model.get_weights()]
        record, paths, _ = probed(model, x, y)
        with float64():
            reference = make()
            reference.set_weights(weights)
            mask = (x != 0).any(-1) if masked else None
            for index, norms in record.through_time.items():
                layer = reference.get_layer(paths[index])
                want = unrolled(layer, x, y[:, :5], mask) / len(loops)
                if masked:
                    assert np.isnan(norms[7:]).all()
                    norms, want = norms[:7], want[:7]
                assert_allclose(norms, want, rtol=RELATIVE, err_msg=paths[index])
        assert {paths[index] for index in record.through_time} == set(loops)
        for index, radius in record.spectral_radius.items():
            kernel = model.get_layer(paths[index]).cell.recurrent_kernel
            position = [v.path for v in model.weights].index(kernel.path)
            found = np.linalg.eigvals(weights[position].astype(np.float64))
            assert_allclose(radius, np.abs(found).max(), rtol=1e-5)
        simple = {name for name in loops if name.startswith("Simple")}
        assert {paths[index] for index in record.spectral_radius} == simple


def check_long_sequences_and_dropout_are_probed_through_time() -> None:
    x = np.random.default_rng(1).normal(size=[2, 300, 3]).astype("float32")
    layers = [L.GRU(4, return_sequences=True, dropout=0.2), L.SimpleRNN(3, dropout=0.2)]
    model = keras.Sequential([keras.Input([None, 3]), *layers])
    record, _, _ = probed(model, x, np.zeros([2, 3], np.float32))
    assert len(record.through_time) == 2
    for norms in record.through_time.values():
        assert len(norms) == 300
        assert np.isfinite(norms[kept_time_steps(300)]).all()
        assert np.isnan(norms).sum() == 300 - TIME_POINTS


class OwnLoop(L.LSTM):
    def inner_loop(
        self, sequences: Any, initial_state: Any, mask: Any, training: bool = False
    ) -> Any:
        return super().inner_loop(sequences, initial_state, mask, training)


class Blind(L.Layer):
    def __init__(self) -> None:
        super().__init__()
        self.inner = L.Dense(3)

    def call(self, x: Any) -> Any:
        if BACKEND == "jax":
            return keras.ops.stop_gradient(self.inner(x))
        import torch

        with torch.no_grad():
            return self.inner(x)


def check_what_cannot_be_seen_is_left_out() -> None:
    a = keras.Input([8])
    h = L.Dropout(0.0)(L.Dense(8)(a))  # returns what it is given
    h = L.concatenate([OwnLoop(4)(L.Reshape([4, 2])(h)), Blind()(h)])
    record, paths, _ = probed(keras.Model(a, L.Dense(4)(h)), *data())
    assert record.through_time == {}
    own = [row for path, row in zip(paths, record.layers, strict=True) if "own_loop" in path]
    assert own[0][GRADIENT] > 0.0
    blind = [row for path, row in zip(paths, record.layers, strict=True) if "blind/" in path]
    dropped = [row for path, row in zip(paths, record.layers, strict=True) if "dropout" in path]
    for row in (*blind, *dropped):
        assert row[1] > 0.0
        assert np.isnan(row[GRADIENT])
    assert len(blind) == len(dropped) == 1


class Scaled(L.Layer):
    def __init__(self, factor: float):
        super().__init__()
        self.factor = factor

    def call(self, x: Any) -> Any:
        return x * self.factor


def check_hard_outputs_and_gradients_neither_overflow_nor_vanish() -> None:
    x, y = np.ones([3, 2], np.float32), np.zeros([3, 2], np.float32)
    for value in (1e-25, 1e25, np.inf, np.nan):
        model = keras.Sequential([keras.Input([2]), L.Dense(2, use_bias=False), Scaled(value)])
        before = model.get_weights()[0].sum(0).astype(np.float64)
        loss = lambda t, p: keras.ops.sum(p)  # noqa: E731
        record, _, captured = probed(model, x, y, loss=loss, histograms=True)
        norm, scaled = record.column("gradient_norm")[0], record.layers[1]
        if np.isfinite(value):
            assert_allclose(norm, value * np.sqrt(6), rtol=RELATIVE)
            assert_allclose(scaled[2], np.abs(before).max() * value, rtol=RELATIVE)
            assert_allclose(scaled[1], np.std(before) * value, rtol=RELATIVE)
        else:
            assert np.isinf(norm)
            assert scaled[3] == 1.0
            assert captured.probe.counts[1, [510, 511, 1022, 1023]].sum() == 6


def check_gradients_are_divided_by_the_loss_scale_and_half_precision_is_seen() -> None:
    inner = keras.optimizers.SGD(0.1)
    scaled = keras.optimizers.LossScaleOptimizer(inner, initial_scale=1024.0)
    record, _, _ = probed(network(loop), *data(), optimizer=scaled)
    wanted, _, _ = probed(network(loop), *data())
    assert_allclose(record.layers, wanted.layers, rtol=RELATIVE, atol=1e-7)
    for i, norms in wanted.through_time.items():
        assert_allclose(record.through_time[i], norms, rtol=RELATIVE)
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = network(loop)
    finally:
        keras.config.set_dtype_policy("float32")
    half, _, _ = probed(model, *data())
    assert_allclose(half.column("gradient_norm"), wanted.column("gradient_norm"), rtol=0.2)
    assert len(half.through_time) == 1


def check_outputs_are_counted_by_magnitude() -> None:
    x, y = data()
    twice = L.Dense(8, "relu", kernel_initializer="ones", bias_initializer="ones")
    model = keras.Sequential([keras.Input([8]), twice, L.Dense(4)])
    _, _, captured = probed(model, np.round(x), y, histograms=True)
    output = np.maximum(np.round(x).sum(1) + 1, 0).astype(np.float32).repeat(8)
    want = np.bincount(output.view(np.uint32) >> bins.DEVICE_SHIFT, minlength=bins.DEVICE_BINS)
    assert_array_equal(captured.probe.counts[0], want)


class Again(L.Layer):
    """Computes its output a second time in the backward pass."""

    def __init__(self, again: bool):
        super().__init__()
        self.inner, self.again = L.Dense(8, "tanh", name="inner"), again

    def build(self, input_shape: Any) -> None:
        self.inner.build(input_shape)

    def call(self, x: Any) -> Any:
        if not self.again:
            return self.inner(x)
        if BACKEND == "jax":
            return jax.checkpoint(self.inner)(x)
        import torch
        from torch.utils.checkpoint import checkpoint

        if not torch.is_tensor(x) or x.device.type == "meta":
            return self.inner(x)
        return checkpoint(self.inner, x, use_reentrant=False)


def check_layers_that_run_again_in_the_backward_pass_count_once_or_not_at_all() -> None:
    found = []
    for again in (True, False):
        model = keras.Sequential([keras.Input([8]), Again(again), L.Dense(4)])
        found.append(probed(network(lambda model=model: model), *data())[0].layers)
    if (
        BACKEND == "jax"
    ):  # JAX has traced the layer for itself, which the order of calls does not show
        assert np.isnan(found[0][1]).all()
        found = [found[0][:1], found[1][1:]]
    assert_allclose(*found, rtol=RELATIVE)
    assert np.isfinite(found[0][:, GRADIENT]).all()


# ------------------------------------------------------------------------- the step does not notice


def everything() -> Any:
    keras.utils.set_random_seed(5)
    a = keras.Input([8])
    h = L.Masking()(L.Reshape([4, 2])(a))
    h = L.LSTM(5, return_sequences=True, dropout=0.2, recurrent_dropout=0.1)(h)
    h = L.Dropout(0.3)(h)
    h = L.add([h, L.Dropout(0.0)(h), L.LayerNormalization()(h)])
    h = L.SimpleRNN(5, return_sequences=BACKEND != "jax")(h)
    if BACKEND != "jax":  # that compiles for seconds
        h = L.Bidirectional(L.GRU(3, return_sequences=True))(h)
        h = L.LSTM(6)(h)
    h = L.BatchNormalization()(L.GaussianNoise(0.1)(h))
    model = keras.Model(a, L.Dense(4, "softmax")(h))
    model.compile(keras.optimizers.Adam(0.01), "categorical_crossentropy", metrics=["accuracy"])
    return model


def probes_in(folder: str) -> list[ProbeRecord]:
    source = FileSource(pathlib.Path(folder) / "gradients")
    return reader.read_probes(source, reader.read_models(source))


def state(model: Any) -> list[np.ndarray]:
    found = [*model.variables, *model.optimizer.variables, *model.metrics_variables]
    return [np.array(keras.ops.convert_to_numpy(v)) for v in found]


def gradients_of(model: Any) -> list[np.ndarray]:
    """Those that PyTorch keeps beside the weights."""
    weights = model.trainable_variables if BACKEND == "torch" else []
    return [v.value.grad.numpy().copy() for v in weights]


def trained(
    callbacks: Any,
    before: Callable[[Any], Any] = lambda model: None,
    *,
    epochs: int = 1,
    samples: int = 36,
) -> list[Any]:
    """State of all that a fit with batches of 9 leaves, random states too."""
    x, y = classes(samples)
    x[:20, 4:] = 0
    model = everything()
    if BACKEND == "torch":
        import torch

        torch.manual_seed(5)  # is not among the seeds of ``everything``
    before(model)
    history = model.fit(x, y, batch_size=9, epochs=epochs, verbose=0, callbacks=callbacks)
    drawn = [random.random(), np.random.rand()]
    drawn.append(keras.ops.convert_to_numpy(keras.random.normal([2])))
    if BACKEND == "torch":
        drawn.append(torch.rand(2).numpy())
    return [*state(model), *history.history.values(), *drawn]


def unprobed() -> list[Any]:
    """Callbacks of the training to compare with; ``backend_checks.py`` compares it with none."""
    return [GradientMonitor(tempfile.mkdtemp(), probe_freq=None)] if BACKEND == "jax" else []


def check_training_is_bit_identical_with_and_without_probes() -> None:
    folder = tempfile.mkdtemp()
    size = {"epochs": 2, "samples": 40}
    without = trained(unprobed(), **size)
    watched = trained([GradientMonitor(folder, probe_freq=1)], **size)
    for a, b in zip(without, watched, strict=True):
        assert_array_equal(a, b)
    source = FileSource(pathlib.Path(folder) / "gradients")
    models = reader.read_models(source)
    probes = reader.read_probes(source, models)
    assert [p.step for p in probes] == list(range(1, 11))
    assert len(probes[-1].through_time) == (2 if BACKEND == "jax" else 5)
    path = models.latest.layers[-1].path
    assert reader.read_activations(source, models, path).steps.tolist() == list(range(1, 11))
    assert source.problems == []


class Drawn(L.Layer):
    """Noise of NumPy's."""

    def call(self, x: Any) -> Any:
        drawn = np.random.normal(size=x.shape[1:]).astype("float32")
        return x + keras.ops.convert_to_tensor(drawn)


def check_eager_steps_are_looked_into_and_do_not_notice() -> None:
    x, y = data(10)
    left = []
    for folder in (tempfile.mkdtemp(), None):
        keras.utils.set_random_seed(5)
        model: Any = keras.Sequential([keras.Input([8]), L.Dense(4), Drawn(), L.Dropout(0.5)])
        model.compile("sgd", "mse", run_eagerly=True)
        callbacks = [] if folder is None else [GradientMonitor(folder, probe_freq=1)]
        model.fit(x, y, batch_size=4, verbose=0, callbacks=callbacks)
        left.append(state(model))
        if folder is not None:
            probes = probes_in(folder)
            assert [p.samples for p in probes] == [4, 4, 2]
            assert np.isfinite(probes[0].column("gradient_norm")[0])
    for a, b in zip(*left, strict=True):
        assert_array_equal(a, b)


class Told(L.Layer):
    """Tells of each call, on JAX when traced: whether it was replaced, and hooks of its input."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[tuple[bool, int]] = []
        self.outputs: list[Any] = []

    def call(self, x: Any) -> Any:
        self.told.append(("call" in vars(self), len(getattr(x, "_backward_hooks", None) or {})))
        self.outputs.append(weakref.ref(x))
        return x * 1.0


def check_only_probed_steps_are_looked_into_and_nothing_is_left_behind() -> None:
    x, y = data(40)
    told = Told()
    layers = [L.Reshape([4, 2]), L.LSTM(8), told, L.Dense(4)]
    model: Any = keras.Sequential([keras.Input([8]), *layers])
    model.compile("sgd", "mse")
    told.told.clear()
    folder = tempfile.mkdtemp()
    monitor = GradientMonitor(folder, probe_freq=3, update_freq=5)
    model.fit(x, y, batch_size=4, verbose=0, callbacks=[monitor])
    looked = [step in (1, 4, 7, 10) for step in range(1, 11)]
    if BACKEND == "torch":
        want = [(look, int(look) * 2) for look in looked]  # h_T and the output
    else:  # the look, the logged step (which notes the order of calls), the plain one
        want = [(True, 0), (True, 0), (False, 0)]
    assert told.told[-len(want) :] == want, told.told
    assert [p.step for p in probes_in(folder)] == [1, 4, 7, 10]
    for layer in (*model.layers, model.layers[1].cell):
        assert not {"call", "inner_loop"} & set(vars(layer))
    monitor._capture = None
    gc.collect()
    assert not any(output() is not None for output in told.outputs[-len(want) :])


def check_a_fault_costs_one_warning_and_training_goes_on() -> None:
    backend = importlib.import_module(f"tb_gradplugin.callbacks.{BACKEND}_probe")

    def broken(*args: Any, **kwargs: Any) -> None:
        raise ZeroDivisionError("a bug")

    def patched(owner: Any, name: str) -> list[Any]:
        kept = getattr(owner, name)
        setattr(owner, name, broken)
        folder = tempfile.mkdtemp()
        monitor = GradientMonitor(folder, probe_freq=2)
        try:
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                out = trained([monitor])
        finally:
            setattr(owner, name, kept)
        ours = [str(w.message) for w in caught if "GradientMonitor" in str(w.message)]
        assert len(ours) == 1, (name, ours)
        assert "no further steps" in ours[0]
        assert "a bug" in ours[0]
        assert probes_in(folder) == []
        (run,) = monitor.report().runs.values()
        assert run.logged == 4
        return out

    without = trained(unprobed())
    probe = backend.Probe
    names = {
        "jax": ("_tapped", "_eps"),
        "torch": ("_tap_all", "_note_output", "_note_states", "_note_loss", "collect"),
    }
    places = [(probe, name) for name in names[BACKEND]]
    for owner, name in [*places, (backend, "_norms" if BACKEND == "jax" else "_norm")]:
        for a, b in zip(without, patched(owner, name), strict=True):
            assert_array_equal(a, b, err_msg=name)


def check_training_after_a_preflight_is_bit_identical_to_training_without() -> None:
    x, y = classes(36)
    reports: list[Any] = []

    def begun(model: Any) -> None:
        # Else ``fit`` builds metrics and loss on a batch that it draws for that: another shuffle.
        model.train_on_batch(x, y)

    def looked(model: Any) -> None:
        begun(model)
        before = gradients_of(model)
        reports.append(preflight(model, x, y, steps=2))
        for gradient, kept in zip(gradients_of(model), before, strict=True):
            assert_array_equal(gradient, kept)

    for a, b in zip(trained([], begun), trained([], looked), strict=True):
        assert_array_equal(a, b)
    probe = reports[0].to_dict()["runs"]["preflight"]["probe"]
    assert probe["samples"] == 36
    assert all(layer["output_std"] > 0 for layer in probe["layers"]), probe["layers"]


def check_preflight_finds_sick_networks() -> None:
    x, y = classes(40)
    for activation, kinds in (("sigmoid", ["vanishing"]), ("relu", [])):
        keras.utils.set_random_seed(1)
        hidden = [L.Dense(16, activation) for _ in range(8)]
        model = keras.Sequential([keras.Input([8]), *hidden, L.Dense(4, "softmax")])
        model.compile(keras.optimizers.Adam(0.01), "categorical_crossentropy")
        report = preflight(model, x, y)
        assert report.kinds == kinds


CHECKS = own_process.checks_in(globals())

if __name__ == "__main__":
    compile_fast()
    own_process.main(CHECKS)
