"""A look inside one train step on TensorFlow: outputs of layers and the gradients that reach them.

While the step is traced, every layer's ``call`` is replaced by one that passes its output through
an identity.  The forward pass of the identity leaves the output for statistics, its backward pass
notes the norm of the gradient and hands the same tensor on, so the step's own gradients stay what
they are.  There is no second forward or backward pass.

dL/dh_t of a recurrent layer is not the gradient of its output: h_t also acts through the steps
that follow.  So a zero eps_t is added to h_t inside the loop; dL/d(eps_t) is the total dL/dh_t.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from tensorflow.python.eager import record  # pyright: ignore[reportMissingImports]

from tb_gradplugin import bins
from tb_gradplugin.metadata import PROBE_COLUMNS
from tb_gradplugin.records import TIME_POINTS

from . import tensorflow_statistics as stats
from .borrowed_step import replaced
from .captured import CapturedProbe
from .probed_layers import (
    blank_unknown,
    flat_beyond,
    has_radius,
    is_recurrent,
    known,
    probed_layers,
    spread,
)
from .tensorflow_capture import _counted, _own_variable, _read

LARGEST = float(np.finfo(np.float32).max)
"""Stands for Inf on the device, where ``tf.debugging.enable_check_numerics`` refuses it."""
HIDDEN = -1.0
"""Stands for the norm at a time step that is masked in every sample."""
REARRANGED = ("Add", "AddV2", "AddN", "Sub", "Mul", "RealDiv")
"""Operations that TensorFlow's graph optimizer joins with the next such one, which rounds
otherwise, if nothing else uses what they give: x + layer_norm(x), for one."""
Tensor = Any


@dataclasses.dataclass
class _Notes:
    """What the taps of one traced step have seen, by id of the layer, in order of the calls."""

    graph: Any
    outputs: dict[int, list[Tensor]] = dataclasses.field(default_factory=dict)
    norms: dict[int, list[Tensor]] = dataclasses.field(default_factory=dict)
    times: dict[int, list[Tensor]] = dataclasses.field(default_factory=dict)
    kernels: dict[int, Tensor] = dataclasses.field(default_factory=dict)

    def reached(self) -> bool:
        """Whether what is traced now belongs to the step itself.

        Inside control flow and functions of the user's own tensors cannot be taken out.
        """
        return self.graph is _graph()


class Probe:
    """Taps for a model's train step, and the variables that hold what they saw.

    Args:
        model: about to be trained.
        exact: whether the step has to compute bit for bit what it would without a probe. Then
            recurrent layers that run as one fused kernel are not looked at through time, and
            outputs that come from one of ``REARRANGED`` have no statistics, only a gradient.
        histograms: whether to count the elements of the outputs by magnitude.
    """

    def __init__(self, model: Any, *, exact: bool, histograms: bool):
        self.failure: BaseException | None = None
        self._model = model
        self._exact = exact
        self._histograms = histograms
        self._layers: list[Any] = []
        self._recurrent: list[int] = []
        # [8]: how often it was written, samples, inputs, targets
        self._batch: tf.Variable | None = None
        self._seen = 0.0
        self._table: tf.Variable | None = None  # [layers, columns and two counts of notes]
        self._counts: tf.Variable | None = None  # [layers, DEVICE_BINS]
        self._times: tf.Variable | None = None  # [recurrent layers, 1 + TIME_POINTS]
        self._kernels: list[tf.Variable | None] = []

    @contextlib.contextmanager
    def watching(self, data: Any) -> Iterator[None]:
        """Taps what runs meanwhile, a train step on ``data``, and keeps what it saw."""
        notes = _Notes(_graph())
        with contextlib.ExitStack() as stack:
            self._guard(self._tap_all, stack, notes)
            yield
        if self.failure is None:
            self._guard(self._store, notes, data)

    def _guard(self, function: Callable[..., None], *args: Any) -> None:
        """Calls ``function``; a fault of the probe's own must not reach the step."""
        try:
            function(*args)
        except Exception as error:
            self.failure = error

    def _tap_all(self, stack: contextlib.ExitStack, notes: _Notes) -> None:
        self._layers = probed_layers(self._model)
        self._recurrent = [i for i, layer in enumerate(self._layers) if is_recurrent(layer)]
        for layer in self._layers:
            stack.enter_context(replaced(layer, "call", self._watch_call(layer, notes)))
        for i in self._recurrent:
            layer = self._layers[i]
            loop = self._watch_loop(layer, notes)
            stack.enter_context(replaced(layer, "inner_loop", loop))

    # Outputs.

    def _watch_call(self, layer: Any, notes: _Notes) -> Callable[..., Any]:
        original = layer.call

        def call(*args: Any, **kwargs: Any) -> Any:
            out = original(*args, **kwargs)
            if self.failure is not None or not notes.reached():
                return out
            try:
                return self._tapped(layer, notes, out, (args, kwargs))
            except Exception as error:
                self.failure = error
                return out

        return call

    def _tapped(self, layer: Any, notes: _Notes, out: Any, given: Any) -> Any:
        """``out`` with its first tensor of floats behind an identity that notes the gradient."""
        flat = keras.tree.flatten(out)
        index = next((i for i, t in enumerate(flat) if _is_float(t)), None)
        if index is None:
            return out
        output = flat[index]
        if not (self._exact and _op_type(output) in REARRANGED):
            notes.outputs.setdefault(id(layer), []).append(output)
        note = functools.partial(self._guard, self._note_norm, layer, notes)
        # A layer that returns what it was given: the sum of the gradients that meet there would
        # be added up in another order.
        if any(output is t for t in keras.tree.flatten(given)):
            return out
        logits = getattr(output, "_keras_logits", None)
        if logits is None and _op_type(output) in ("Softmax", "Sigmoid"):
            return out  # Keras's losses look for this very operation
        flat[index] = _tap(output, note)
        mask = getattr(output, "_keras_mask", None)
        if mask is not None:
            flat[index]._keras_mask = mask
        if logits is not None:  # the loss takes these instead of the output
            flat[index]._keras_logits = _tap(logits, note)
        return keras.tree.pack_sequence_as(out, flat)

    def _note_norm(self, layer: Any, notes: _Notes, gradient: Tensor) -> None:
        if notes.reached():
            notes.norms.setdefault(id(layer), []).append(_norm_of_all(_matrix(gradient)))

    # Through time.

    def _watch_loop(self, layer: Any, notes: _Notes) -> Callable[..., Any]:
        original = layer.inner_loop

        def inner_loop(
            sequences: Any, initial_state: Any, mask: Any = None, training: bool = False
        ) -> Any:
            if self.failure is None and notes.reached() and not (self._exact and _is_fused(layer)):
                # Whatever happens, the layer's own loop is still there.
                with contextlib.suppress(Exception):
                    return self._loop_with_eps(
                        layer, notes, sequences, initial_state, mask, training
                    )
            return original(sequences, initial_state, mask, training=training)

        return inner_loop

    def _loop_with_eps(
        self,
        layer: Any,
        notes: _Notes,
        sequences: Tensor,
        initial_state: Any,
        mask: Any,
        training: bool,
    ) -> Any:
        cell, own_call = layer.cell, layer.cell.call
        mask = mask[0] if isinstance(mask, (list, tuple)) else mask
        features = sequences.shape[-1]
        kernel = tf.convert_to_tensor(cell.recurrent_kernel.value)
        # Minus zero: adding it changes no bit, not even the sign of a zero.
        shape = tf.concat([tf.shape(sequences)[:2], [cell.units]], 0)
        eps = tf.fill(shape, tf.constant(-0.0, sequences.dtype))
        # A tape follows what comes from something it watches. None: no gradient is handed on.
        eps = _linked(
            eps,
            [sequences, kernel],
            functools.partial(self._guard, self._note_times, layer, notes, mask),
        )

        def call(inputs: Tensor, states: Any, **kwargs: Any) -> Any:
            output, states = own_call(inputs[..., :features], states, **kwargs)
            output += inputs[..., features:]
            if isinstance(states, (list, tuple)):
                return output, [output, *states[1:]]
            return output, output

        with replaced(cell, "call", call):
            # LSTM and GRU would first try a fused kernel, which knows no eps.
            out = keras.layers.RNN.inner_loop(
                layer, tf.concat([sequences, eps], -1), initial_state, mask, training
            )
        if has_radius(layer):
            notes.kernels[id(layer)] = kernel
        return out

    def _note_times(self, layer: Any, notes: _Notes, mask: Tensor | None, gradient: Tensor) -> None:
        if not notes.reached():
            return
        norms = _norm_at_each_step(tf.cast(gradient, tf.float32))
        if mask is not None:
            seen = tf.reduce_any(tf.cast(mask, tf.bool), axis=0)
            norms = tf.where(seen, norms, HIDDEN)
        if layer.go_backwards:
            norms = tf.reverse(norms, [0])
        length = tf.shape(norms)[0]
        kept = tf.range(TIME_POINTS)
        spread = (kept * (length - 1) + (TIME_POINTS - 1) // 2) // (TIME_POINTS - 1)
        kept = tf.where(length <= TIME_POINTS, tf.minimum(kept, length - 1), spread)
        found = tf.concat([[tf.cast(length, tf.float32)], tf.gather(norms, kept)], 0)
        notes.times.setdefault(id(layer), []).append(found)

    # Results.

    def _store(self, notes: _Notes, data: Any) -> None:
        x, y, _ = keras.utils.unpack_x_y_sample_weight(data)
        first = next(t for t in keras.tree.flatten(x) if t is not None)
        samples = tf.cast(tf.shape(first)[0], tf.float32)
        values = tf.concat([samples[None], _moments(x), _moments(y)], 0)
        table = self._columns(notes)
        times = [self._time_row(notes, self._layers[i]) for i in self._recurrent]
        kernels = [notes.kernels.get(id(self._layers[i])) for i in self._recurrent]
        if self._batch is None:  # a function may be traced again: each is made once
            self._batch, self._table = _own_variable([8]), _own_variable(table.shape)
            if self._histograms:
                self._counts = _own_variable([len(self._layers), bins.DEVICE_BINS])
            self._times = _own_variable([len(times), 1 + TIME_POINTS]) if times else None
            self._kernels = [None if k is None else _own_variable(k.shape) for k in kernels]
        assert self._table is not None
        self._batch.assign(tf.concat([_counted(self._batch), values], 0))
        self._table.assign(table)
        if self._counts is not None:
            self._counts.assign(self._count_outputs(notes))
        if self._times is not None:
            self._times.assign(tf.stack(times))
        for variable, kernel in zip(self._kernels, kernels, strict=True):
            if variable is not None and kernel is not None:
                variable.assign(tf.cast(kernel, tf.float32))

    def _columns(self, notes: _Notes) -> Tensor:
        """Columns of each layer, and how often it was called and a gradient came."""
        outputs = [notes.outputs.get(id(layer), []) for layer in self._layers]
        norms = [notes.norms.get(id(layer), []) for layer in self._layers]
        bounds = [flat_beyond(layer) or (0.0, 0.0) for layer in self._layers]
        rows = [
            _of_calls([_output_row(_matrix(t), *flat) for t in found])
            for found, flat in zip(outputs, bounds, strict=True)
        ]
        norm = [_of_gradients(found) for found in norms]
        counts = np.array([[len(o), len(n)] for o, n in zip(outputs, norms, strict=True)])
        columns = [tf.stack(rows), tf.stack(norm)[:, None], tf.constant(counts, tf.float32)]
        return tf.concat(columns, 1)

    def _count_outputs(self, notes: _Notes) -> Tensor:
        """float32 [layers, DEVICE_BINS]: the elements of all calls of a layer together."""
        found = [notes.outputs.get(id(layer), []) for layer in self._layers]
        calls = [stats.as_gradient(output, xla=False) for outputs in found for output in outputs]
        counts = stats.histograms(calls, stats.log2_counts, [0, bins.DEVICE_BINS])
        layer_of = np.repeat(np.arange(len(found)), [len(outputs) for outputs in found])
        return tf.math.unsorted_segment_sum(counts, layer_of, len(found))

    def _time_row(self, notes: _Notes, layer: Any) -> Tensor:
        """Length and norms; a length of 0 where the layer was not looked at.

        Sequences of several calls need not have the same length: only one call is told of.
        """
        found = notes.times.get(id(layer), [])
        return found[0] if len(found) == 1 else tf.zeros([1 + TIME_POINTS])

    def collect(self) -> CapturedProbe | None:
        """What the taps saw since the last time, or None."""
        if self.failure is not None or self._batch is None or self._table is None:
            return None
        batch = _read(self._batch).astype(np.float64)
        if batch[0] == self._seen:
            return None
        self._seen = batch[0]
        table = self._table.numpy()
        table[table >= LARGEST] = np.inf
        called, arrived = table[:, -2] > 0, table[:, -1] > 0
        layers = table[:, : len(PROBE_COLUMNS)]
        blank_unknown(layers, self._layers, called, arrived)
        through_time, kernels = {}, {}
        times = np.zeros([0, 1]) if self._times is None else self._times.numpy()
        for row, kernel, index in zip(times, self._kernels, self._recurrent, strict=True):
            if row[0] > 0:
                through_time[index] = _through_time(int(row[0]), row[1:])
            if kernel is not None:
                kernels[index] = kernel.numpy()
        return CapturedProbe(
            layers=self._layers,
            table=layers,
            samples=int(batch[1]),
            inputs=known(batch[2:5]),
            targets=known(batch[5:8]),
            through_time=through_time,
            recurrent_kernels=kernels,
            counts=None if self._counts is None else _read(self._counts),
        )


def _through_time(length: int, norms: np.ndarray) -> np.ndarray:
    """float32 [length] from what the device holds of the norms at ``kept_time_steps``."""
    norms = norms[: min(length, TIME_POINTS)].astype(np.float32)
    norms = np.where(norms == HIDDEN, np.nan, np.where(norms >= LARGEST, np.inf, norms))
    return spread(length, norms)


def _graph() -> Any:
    return None if tf.executing_eagerly() else tf.compat.v1.get_default_graph()


def _tap(tensor: Tensor, note: Callable[[Tensor], None]) -> Tensor:
    """The same values; ``note`` gets the gradient when it comes by."""
    with record.stop_recording():
        same = tf.identity(tensor)
    return _linked(same, [tensor], note, hand_on=True)


def _linked(
    tensor: Tensor, sources: list[Tensor], note: Callable[[Tensor], None], *, hand_on: bool = False
) -> Tensor:
    """``tensor``, on the tape as if computed from ``sources``.

    Not ``tf.custom_gradient``: in a graph that registers its closure for good, and with it the
    graph and the model's weights.
    """

    def backward(gradient: Tensor) -> list[Tensor | None]:
        with record.stop_recording():
            note(tf.convert_to_tensor(gradient))
        return [gradient] if hand_on else [None] * len(sources)

    record.record_operation("TbGradpluginProbe", [tensor], sources, backward)
    return tensor


def _is_float(value: Any) -> bool:
    return isinstance(value, tf.Tensor) and value.dtype.is_floating


def _op_type(tensor: Tensor) -> str | None:
    return None if tf.executing_eagerly() else tensor.op.type


def _is_fused(layer: Any) -> bool:
    """Whether ``layer`` runs as one kernel of cuDNN, which rounds differently from the loop.

    Keras marks such layers as not to be compiled when they are made.
    """
    return getattr(layer, "supports_jit", True) is False


def _of_calls(rows: list[Tensor]) -> Tensor:
    """One row for all calls of a layer: the largest element, and means, each call counting alike.

    The deviation is that of all calls together: within each, and of their means.
    """
    if len(rows) < 2:
        return rows[0] if rows else tf.zeros([7])
    calls = tf.stack(rows)
    average = tf.reduce_mean(calls, axis=0)
    spread = tf.reduce_mean(calls[:, 1] ** 2 + (calls[:, 0] - average[0]) ** 2)
    first = tf.stack([average[0], tf.sqrt(spread), tf.reduce_max(calls[:, 2])])
    return tf.concat([first, average[3:]], 0)


def _of_gradients(norms: list[Tensor]) -> Tensor:
    """Root of the sum of squares: the norm of all of a layer's gradients together."""
    if len(norms) < 2:
        return norms[0] if norms else tf.constant(0.0)
    return _norm_of_all(tf.stack(norms)[None])


def _matrix(tensor: Tensor) -> Tensor:
    """float32 [everything else, units]."""
    tensor = tensor if tensor.dtype == tf.float32 else tf.cast(tensor, tf.float32)
    if tensor.shape.rank == 2:
        return tensor
    units = tensor.shape[-1] if tensor.shape.rank else 1
    return tf.reshape(tensor, [-1, tf.shape(tensor)[-1] if units is None else units])


def _norm(tensor: Tensor, axis: Any = None) -> Tensor:
    """L2 norm that neither over- nor underflows; ``LARGEST`` where an element is NaN or Inf."""
    finite = tf.math.is_finite(tensor)
    size = tf.where(finite, tf.abs(tensor), 0.0)
    largest = tf.reduce_max(size, axis, keepdims=True)
    size /= tf.where(largest > 0.0, largest, 1.0)
    norm = tf.sqrt(tf.reduce_sum(size * size, axis)) * tf.squeeze(largest, axis)
    return tf.where(tf.reduce_all(finite, axis), tf.minimum(norm, LARGEST), LARGEST)


def _traced_once(*signature: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """A function of unknown shapes: traced once a process, not once a layer."""
    return tf.function(input_signature=signature, autograph=False)


@_traced_once(tf.TensorSpec([None, None], tf.float32))
def _norm_of_all(gradient: Tensor) -> Tensor:
    return _norm(gradient)


@_traced_once(tf.TensorSpec([None, None, None], tf.float32))
def _norm_at_each_step(gradient: Tensor) -> Tensor:
    """float32 [T] from [samples, T, units]."""
    return _norm(gradient, axis=(0, 2))


@_traced_once(tf.TensorSpec([None, None], tf.float32), *[tf.TensorSpec([], tf.float32)] * 2)
def _output_row(y: Tensor, low: Tensor, high: Tensor) -> Tensor:
    """float32 [7], the ``PROBE_COLUMNS`` of an output; shares of ``y <= low`` or ``y >= high``."""
    size = tf.maximum(tf.cast(tf.size(y), tf.float32), 1.0)
    finite, zero = tf.math.is_finite(y), tf.equal(y, 0.0)
    mean, deviation, largest = tf.unstack(_finite_moments(y))
    units = tf.cast(tf.reduce_all(zero, axis=0), tf.float32)
    flat = tf.logical_or(y <= low, y >= high)
    shares = [_count(tf.logical_not(finite)) / size, _count(zero) / size]
    dead = tf.reduce_sum(units) / tf.maximum(tf.cast(tf.size(units), tf.float32), 1.0)
    return tf.stack([mean, deviation, largest, *shares, dead, _count(flat) / size])


def _finite_moments(y: Tensor) -> Tensor:
    """float32 [3]: mean, deviation and largest |element| of the finite elements.

    Divided by the largest first, so that squares neither over- nor underflow.
    """
    finite = tf.math.is_finite(y)
    y = tf.where(finite, y, 0.0)
    largest = tf.reduce_max(tf.abs(y))
    unit = tf.where(largest > 0.0, largest, 1.0)
    y /= unit
    count = tf.maximum(_count(finite), 1.0)
    mean = tf.reduce_sum(y) / count
    difference = tf.where(finite, y - mean, 0.0)
    return tf.stack([mean, tf.sqrt(tf.reduce_sum(difference**2) / count), largest / unit]) * unit


def _count(condition: Tensor) -> Tensor:
    return tf.cast(tf.math.count_nonzero(condition, dtype=tf.int64), tf.float32)


def _moments(values: Any) -> Tensor:
    """float32 [3] of all numbers in ``values`` together; a deviation of -1 where there are none."""
    flat = [
        tf.reshape(tf.cast(t, tf.float32), [-1])
        for t in keras.tree.flatten(values)
        if isinstance(t, (tf.Tensor, np.ndarray))
        and (tf.as_dtype(t.dtype).is_floating or tf.as_dtype(t.dtype).is_integer)
    ]
    return _finite_moments(tf.concat(flat, 0)) if flat else tf.constant([0.0, -1.0, 0.0])
