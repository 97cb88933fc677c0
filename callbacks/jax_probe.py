"""A look inside one train step on JAX: outputs of layers and the gradients that reach them.

The train step runs once more, before the real one, on the same state and batch, and what it returns
is dropped: the real step stays the program that it is.  While the look is traced, every layer's
``call`` is replaced by one that passes its output through an identity with a derivative of its own
(``jax.custom_vjp``).  JAX runs both rules of that outside of the function that is differentiated:
the forward one leaves the output for statistics, the backward one the gradient.

dL/dh_t of a recurrent layer is not the gradient of its output: h_t also acts through the steps that
follow.  So a zero eps_t is added to h_t inside the loop; dL/d(eps_t) is the total dL/dh_t.
"""

from __future__ import annotations

import contextlib
import dataclasses
import random
from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import keras
import numpy as np
from jax.core import Tracer
from jax.extend.core import find_top_trace
from keras.src.backend import get_keras_mask, set_keras_mask

from tb_gradplugin import bins
from tb_gradplugin.metadata import PROBE_COLUMNS
from tb_gradplugin.records import kept_time_steps

from . import jax_statistics as stats
from .borrowed_step import replaced, value_of
from .captured import CapturedProbe
from .describe import activation_name
from .probed_layers import (
    GRADIENT,
    blank_unknown,
    flat_beyond,
    has_radius,
    is_crossentropy,
    is_recurrent,
    known,
    of_calls,
    probed_layers,
    spread,
)

Array = Any
HIDDEN = -1.0
"""Stands for the norm at a time step that is masked in every sample."""


@dataclasses.dataclass
class _Layer:
    """What the calls of one layer left, as values of the step that is traced."""

    layer: Any
    outputs: list[Array] = dataclasses.field(default_factory=list)
    gradients: list[Array] = dataclasses.field(default_factory=list)
    loops: list[Array] = dataclasses.field(default_factory=list)  # norms of each call
    kernel: Array | None = None


@jax.tree_util.register_static
@dataclasses.dataclass(frozen=True)
class _Rows:
    """Index of the layer of each row of the results: of outputs, and of gradients."""

    outputs: tuple[int, ...]
    gradients: tuple[int, ...]


class Probe:
    """Looks inside train steps of a model.

    Args:
        model: about to be trained.
        histograms: whether to count the elements of the outputs by magnitude.

    Attributes:
        failure: what went wrong inside the probe; nothing more is looked at.
    """

    def __init__(self, model: Any, *, histograms: bool):
        self.failure: BaseException | None = None
        self._model = model
        self._histograms = histograms
        self._layers: list[_Layer] = []
        self._home: Any = None  # JAX's trace of the step that is looked into
        self._predictions: list[Array] = []  # what a cross-entropy is given
        self._found: Any = None
        self._step = model.train_step
        compiled = model.jit_compile and not model.run_eagerly
        self._traced = jax.jit(self._look, **_placed()) if compiled else self._look

    def look(self, state: Any, batch: Any) -> None:
        """Looks into the step that is about to be taken from ``state`` on ``batch``.

        It reads both and changes nothing; a fault of the probe's own does not reach the step.
        """
        self._found = None
        if self.failure is not None:
            return
        try:
            with _random_states_kept():
                self._found = self._traced(state, batch)
        except Exception as error:
            self.failure = error
        finally:
            self._layers, self._predictions, self._home = [], [], None

    def _look(self, state: Any, batch: Any) -> Any:
        self._home = find_top_trace(())
        self._layers = [_Layer(layer) for layer in probed_layers(self._model)]
        self._predictions = []
        with contextlib.ExitStack() as stack:
            for seen in self._layers:
                stack.enter_context(replaced(seen.layer, "call", self._watch_call(seen)))
                if is_recurrent(seen.layer):
                    stack.enter_context(replaced(seen.layer, "inner_loop", self._watch_loop(seen)))
            stack.enter_context(replaced(self._model, "compute_loss", self._watch_loss()))
            self._step(state, batch)
        return None if self.failure else self._results(batch)

    def _guard(self, function: Callable[..., Any], *args: Any) -> Any:
        """``function(*args)``, or None: a fault of the probe's own must not reach Keras's layers,
        which may keep values of an interrupted call."""
        if self.failure is None:
            try:
                return function(*args)
            except Exception as error:
                self.failure = error
        return None

    # Where a value belongs. One of an inner trace (a loop, something vectorised, compiled or
    # computed again by itself) cannot be taken out of it.

    def _is_outside(self, value: Array) -> bool:
        """Whether ``value`` is one of the step itself, outside of what it differentiates."""
        return not isinstance(value, Tracer) or value._trace is self._home

    def _is_differentiated(self, value: Array) -> bool:
        """Whether ``value`` is one of a function that the step itself differentiates."""
        trace = getattr(value, "_trace", None)
        inside = getattr(trace, "parent_trace", None) is self._home
        return inside and hasattr(trace, "tangent_trace")

    # Outputs.

    def _watch_call(self, seen: _Layer) -> Callable[..., Any]:
        original = seen.layer.call

        def call(*args: Any, **kwargs: Any) -> Any:
            out = original(*args, **kwargs)
            tapped = self._guard(self._tapped, seen, out, (args, kwargs))
            return out if tapped is None else tapped

        return call

    def _tapped(self, seen: _Layer, out: Any, given: Any) -> Any:
        """``out`` with its first tensor of floats behind a tap."""
        flat = keras.tree.flatten(out)
        index = next((i for i, t in enumerate(flat) if _is_float(t)), None)
        if index is None:
            return out
        output = flat[index]
        if self._is_outside(output):  # nothing is differentiated that far back
            seen.outputs.append(output)
        elif self._is_differentiated(output):
            # A layer that returns what it was given: the gradient is that of other uses as well.
            own = not any(output is t for t in keras.tree.flatten(given))
            flat[index] = self._tap(seen, output, own=own)
        return keras.tree.pack_sequence_as(out, flat)

    def _tap(self, seen: _Layer, output: Array, *, own: bool) -> Array:
        """The same values; notes them, and the gradient if it is the layer's ``own``."""
        tapped: list[Array] = []  # as the rest of the network gets it
        outside: list[Array] = []  # the same outside of what is differentiated

        @jax.custom_vjp
        def same(y: Array) -> Array:
            return y

        def forward(y: Array) -> tuple[Array, None]:
            outside.append(y)
            seen.outputs.append(y)
            return y, None

        def note(gradient: Array) -> None:
            if own and self._is_outside(gradient):
                if any(tapped[0] is t for t in self._predictions):
                    gradient = _at_logits(seen.layer, outside[0], gradient)
                seen.gradients.append(gradient)

        def backward(_: None, gradient: Array) -> tuple[Array]:
            self._guard(note, gradient)
            return (gradient,)

        same.defvjp(forward, backward)
        tapped.append(same(output))
        set_keras_mask(tapped[0], get_keras_mask(output))
        return tapped[0]

    def _watch_loss(self) -> Callable[..., Any]:
        """Keras's cross-entropies on TensorFlow take logits where it is their softmax that they are
        given: the gradient is noted there, which is the same definition on all backends."""
        original = self._model.compute_loss

        def compute_loss(
            x: Any = None, y: Any = None, y_pred: Any = None, *a: Any, **k: Any
        ) -> Any:
            self._guard(self._note_predictions, y_pred)
            return original(x, y, y_pred, *a, **k)

        return compute_loss

    def _note_predictions(self, y_pred: Any) -> None:
        if any(map(is_crossentropy, keras.tree.flatten(self._model.loss))):
            self._predictions += keras.tree.flatten(y_pred)

    # Through time.

    def _watch_loop(self, seen: _Layer) -> Callable[..., Any]:
        original = seen.layer.inner_loop

        def inner_loop(
            sequences: Any, initial_state: Any, mask: Any = None, training: bool = False
        ) -> Any:
            given = sequences, initial_state, mask
            out = self._guard(self._loop_with_eps, seen, *given, training)
            return original(*given, training=training) if out is None else out

        return inner_loop

    def _loop_with_eps(
        self, seen: _Layer, sequences: Array, initial_state: Any, mask: Any, training: bool
    ) -> Any:
        """What the layer's own loop gives; None where no gradient is asked for."""
        layer, cell, own_call = seen.layer, seen.layer.cell, seen.layer.cell.call
        kernel = value_of(cell.recurrent_kernel)
        if not (self._is_differentiated(sequences) or self._is_differentiated(kernel)):
            return None
        mask = mask[0] if isinstance(mask, (list, tuple)) else mask
        features = sequences.shape[-1]

        def call(inputs: Array, states: Any, **kwargs: Any) -> Any:
            output, states = own_call(inputs[..., :features], states, **kwargs)
            output += inputs[..., features:]
            if isinstance(states, (list, tuple)):
                return output, [output, *states[1:]]
            return output, output

        eps = self._eps(seen, kernel, sequences, mask)
        with replaced(cell, "call", call):
            # LSTM and GRU would first try a fused kernel, which knows no eps.
            return keras.layers.RNN.inner_loop(
                layer, jnp.concatenate([sequences, eps], -1), initial_state, mask, training
            )

    def _eps(self, seen: _Layer, kernel: Array, sequences: Array, mask: Array | None) -> Array:
        """Zeros [samples, T, units]; notes the norm of the gradient of each time step's.

        They are a function of the kernel and sequences, so that a gradient is asked for.
        """
        shape = (*sequences.shape[:2], seen.layer.cell.units)
        shown = None if mask is None else jnp.asarray(mask).astype(jnp.float32)
        sources = [kernel, sequences, *([] if shown is None else [shown])]
        outside: list[Array] = []

        @jax.custom_vjp
        def zeros(*_: Array) -> Array:
            return jnp.zeros(shape, sequences.dtype)

        def forward(*given: Array) -> tuple[Array, None]:
            outside.extend(given)
            if has_radius(seen.layer):
                seen.kernel = given[0].astype(jnp.float32)
            return zeros(*given), None

        def note(gradient: Array) -> None:
            if self._is_outside(gradient):
                norms = _norm_at_each_step(gradient)
                if shown is not None:
                    norms = jnp.where(jnp.any(outside[2] > 0.0, axis=0), norms, HIDDEN)
                seen.loops.append(jnp.flip(norms) if seen.layer.go_backwards else norms)

        def backward(_: None, gradient: Array) -> tuple[Array, ...]:
            self._guard(note, gradient)
            return tuple(jnp.zeros(s.shape, s.dtype) for s in sources)

        zeros.defvjp(forward, backward)
        return zeros(*sources)

    # Results.

    def _results(self, batch: Any) -> dict[str, Any]:
        """All that was noted, in numbers, still on the device."""
        x, y, _ = keras.utils.unpack_x_y_sample_weight(batch)
        first = next(t for t in keras.tree.flatten(x) if t is not None)
        outputs = [(i, t) for i, seen in enumerate(self._layers) for t in seen.outputs]
        gradients = [(i, t) for i, seen in enumerate(self._layers) for t in seen.gradients]
        if not outputs:
            raise RuntimeError(
                "the train step calls no layer outside of what it compiles or vectorises itself"
            )
        # XLA computes with constants while it compiles, and gets NaN where squares underflow.
        tensors, arrived = jax.lax.optimization_barrier(
            ([t for _, t in outputs], [t for _, t in gradients])
        )
        return {
            "rows": _Rows(tuple(i for i, _ in outputs), tuple(i for i, _ in gradients)),
            "samples": jnp.int32(first.shape[0]),
            "moments": jnp.stack([_moments(x), _moments(y)]),
            "outputs": _output_rows(tensors, [self._layers[i].layer for i, _ in outputs]),
            "norms": _norms(arrived),
            "counts": stats.log2_counts(tensors) if self._histograms else None,
            "loops": {i: seen.loops for i, seen in enumerate(self._layers) if seen.loops},
            "kernels": {
                i: seen.kernel for i, seen in enumerate(self._layers) if seen.kernel is not None
            },
        }

    def collect(self) -> CapturedProbe | None:
        """What the latest look saw, once, or None."""
        found, self._found = self._found, None
        if self.failure is not None or found is None:
            return None
        found = jax.device_get(found)
        rows, layers = found["rows"], probed_layers(self._model)
        outputs, gradients = np.array(rows.outputs, int), np.array(rows.gradients, int)
        every = range(len(layers))
        table = np.zeros([len(layers), len(PROBE_COLUMNS)])
        for i in every:
            table[i, :GRADIENT] = of_calls(found["outputs"][outputs == i].astype(np.float64))
            table[i, GRADIENT] = np.linalg.norm(found["norms"][gradients == i].astype(np.float64))
        blank_unknown(table, layers, np.isin(every, outputs), np.isin(every, gradients))
        counts = None
        if found["counts"] is not None:
            counts = np.zeros([len(layers), bins.DEVICE_BINS], np.float32)
            np.add.at(counts, outputs, found["counts"])
        return CapturedProbe(
            layers=layers,
            table=table.astype(np.float32),
            samples=int(found["samples"]),
            inputs=known(found["moments"][0].astype(np.float64)),
            targets=known(found["moments"][1].astype(np.float64)),
            # Sequences of several calls need not have the same length: only one call is told of.
            through_time={i: _through_time(c[0]) for i, c in found["loops"].items() if len(c) == 1},
            recurrent_kernels=found["kernels"],
            counts=counts,
        )


def _placed() -> dict[str, Any]:
    """Arguments of ``jax.jit``: over several devices each of them gets all results."""
    distribution = keras.distribution.distribution()
    if distribution is None:
        return {}
    mesh = distribution.device_mesh.backend_mesh
    return {"out_shardings": jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec())}


@contextlib.contextmanager
def _random_states_kept() -> Iterator[None]:
    """A step may draw from the generators of Python and NumPy; the look does so for itself."""
    python, numpy = random.getstate(), np.random.get_state()
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)


def _is_float(value: Any) -> bool:
    floats = isinstance(value, jax.Array) and jnp.issubdtype(value.dtype, jnp.floating)
    return floats and value.size > 0


def _at_logits(layer: Any, output: Array, gradient: Array) -> Array:
    """The gradient at the logits of ``layer``, a softmax or sigmoid; else that at its output."""
    activation = activation_name(layer)
    y, g = output.astype(jnp.float32), gradient.astype(jnp.float32)
    if activation == "sigmoid":
        return y * (1.0 - y) * g
    if activation == "softmax":
        axis = layer.axis if isinstance(layer, keras.layers.Softmax) else -1
        return y * (g - jnp.sum(y * g, axis, keepdims=True))
    return gradient


def _output_rows(outputs: list[Array], layers: list[Any]) -> Array:
    """float32 [outputs, 7], the ``PROBE_COLUMNS`` of outputs, each of its layer."""
    sizes = np.array([t.size for t in outputs], np.float32)
    _, mean, deviation, low, high, zero, nan, inf = stats.statistics(outputs).T
    shares = [
        _dead_and_flat(t, flat_beyond(layer)) for t, layer in zip(outputs, layers, strict=True)
    ]
    dead, flat = jnp.stack(shares).T
    largest = jnp.maximum(-low, high)
    return jnp.stack([mean, deviation, largest, (nan + inf) / sizes, zero, dead, flat], 1)


def _dead_and_flat(y: Array, bounds: tuple[float, float] | None) -> Array:
    """float32 [2]: shares of units that are always zero, of elements at or beyond ``bounds``."""
    y = y.astype(jnp.float32).reshape(-1, y.shape[-1] if y.ndim else 1)
    dead = jnp.mean(jnp.all(y == 0.0, 0))
    if bounds is None:
        return jnp.stack([dead, 0.0])
    flat = (y <= bounds[0]) | (y >= bounds[1])
    return jnp.stack([dead, jnp.sum(flat, dtype=jnp.int32) / flat.size])


def _norms(gradients: list[Array]) -> Array:
    """float32 [gradients]: L2 norms; Inf where an element is NaN or Inf."""
    norm, *_, nan, inf = stats.statistics(gradients).T
    return jnp.where(nan + inf > 0.0, jnp.inf, norm)


def _norm_at_each_step(gradient: Array) -> Array:
    """float32 [T] from [samples, T, units]; Inf where an element is NaN or Inf.

    Divided by the largest element first, so that no square leaves float32's range.
    """
    g = gradient.astype(jnp.float32)
    largest = jnp.max(jnp.abs(g), (0, 2), keepdims=True)
    unit = jnp.where((largest > 0.0) & jnp.isfinite(largest), largest, 1.0)
    norm = jnp.sqrt(jnp.sum(jnp.square(g / unit), (0, 2))) * unit[0, :, 0]
    return jnp.where(jnp.isfinite(largest[0, :, 0]), norm, jnp.inf)


def _moments(values: Any) -> Array:
    """float32 [3] of all numbers in ``values`` together; a deviation of -1 where there are none."""
    flat = [
        jnp.ravel(t).astype(jnp.float32)
        for t in keras.tree.flatten(values)
        if isinstance(t, (jax.Array, np.ndarray))
        and (jnp.issubdtype(t.dtype, jnp.floating) or jnp.issubdtype(t.dtype, jnp.integer))
    ]
    if not sum(t.size for t in flat):
        return jnp.array([0.0, -1.0, 0.0])
    _, mean, deviation, low, high, *_ = stats.statistics([jnp.concatenate(flat)])[0]
    return jnp.stack([mean, deviation, jnp.maximum(-low, high)])


def _through_time(norms: np.ndarray) -> np.ndarray:
    """float32 [T], see ``records.ProbeRecord``, from those of all steps."""
    length = len(norms)
    shown = np.where(norms == HIDDEN, np.nan, norms)
    return spread(length, shown[kept_time_steps(length)])
