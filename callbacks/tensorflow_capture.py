"""Capture on TensorFlow: the borrowed step.

The model's compiled train function is never touched.  A second, instrumented one is built lazily;
for a step to be captured a one-shot takes its place, which puts the plain function back first,
replaces the outermost optimizer's ``apply`` only while the instrumented function runs (or is
traced), and leaves its results in variables of its own.  A step that is not captured runs exactly
what it would run without a monitor.
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

from tb_gradplugin import bins

from . import tensorflow_statistics as stats
from .baseline import label_moments
from .capture import Captured, CapturedProbe, find_optimizers

SINGLE_DEVICE = ("_DefaultDistributionStrategy", "OneDeviceStrategy")
"""Strategies of ``tf.distribute`` whose variables are plain ones."""
BRANCHES = ("CondBranchFuncGraph", "WhileCondFuncGraph", "WhileBodyFuncGraph")
"""Graphs of control flow inside a function, which see the variables of the function around them."""


@dataclasses.dataclass
class _Slot:
    """Where one ``optimizer.apply`` call of the instrumented step leaves its results.

    One read a captured step is cheaper than many: ``results`` holds, flat, how often the call has
    been made, the loss scale, the learning rate, and then the statistics of every variable.
    """

    variables: list[Any]
    present: list[bool]
    results: tf.Variable
    counts: tf.Variable | None
    linear: tf.Variable | None
    calls: float = 0.0  # when last read


class TensorFlowCapture:
    """See ``capture.Capture``.

    Raises:
        NotImplementedError: the model trains under a ``tf.distribute`` strategy of several devices.
    """

    def __init__(
        self,
        model: Any,
        optimizers: tuple[keras.optimizers.Optimizer, ...],
        *,
        updates: bool,
        histograms: bool,
        exact_probe: bool = True,
    ):
        strategy = type(model.distribute_strategy).__name__
        if strategy not in SINGLE_DEVICE:
            raise NotImplementedError(f"GradientMonitor does not support {strategy} yet.")
        self.failure: BaseException | None = None
        self._model = model
        self._more = optimizers
        self._updates = updates
        self._histograms = histograms
        self._order: dict[int, keras.layers.Layer] = {}
        self._ordered = False
        self._plain: Callable[..., Any] | None = None
        self._instrumented: Callable[..., Any] | None = None
        self._exact_probe = exact_probe
        self._probe: Any = None  # a tensorflow_probe.Probe, from the first one asked for
        self._probing: Callable[..., Any] | None = None  # the instrumented step with a probe
        self.probe_failure: BaseException | None = None
        self._slots: list[_Slot] = []
        # Flat: how often the loss was noted, the loss, that without regularisation, label moments.
        self._losses: tf.Variable | None = None
        self._noted = 0.0
        self._want: tf.Variable | None = None
        self._wanted = (False, False)
        self._graph: Any = None
        self._calls = 0
        self._inside = False
        self._pending: tuple[int, bool, bool, bool, Any] | None = None

    @property
    def call_order(self) -> list[keras.layers.Layer]:
        """Layers in the order of their first call in an instrumented step."""
        return list(self._order.values())

    def arm(self, step: int, *, log2: bool, linear: bool, probe: bool = False) -> None:
        """Has the next train step captured as ``step``."""
        model = self._model
        self.disarm()
        plain = model.train_function
        if self._instrumented is None or self._plain is not plain:
            self._build(plain)
        probe = probe and self.probe_failure is None
        if probe and self._probing is None:
            self._build_probing(plain)
        instrumented = self._probing if probe else self._instrumented
        assert instrumented is not None
        assert self._want is not None
        if self._wanted != (log2, linear):
            handle: Any = self._want.handle
            tf.raw_ops.AssignVariableOp(resource=handle, value=_wish(log2, linear))
            self._wanted = (log2, linear)

        def one_shot(iterator: Any) -> Any:
            _set(model, plain)
            self._pending = None
            try:
                with self._patched():
                    out = instrumented(iterator)
            except tf.errors.OpError as error:
                if not _cannot_run(error):
                    raise
                # The instrumented step does not compile or fit here; the user's own may. The
                # batch that it took is lost.
                if probe:
                    self.probe_failure = error
                else:
                    self.failure = error
                return plain(iterator)
            self._pending = (step, log2, linear, probe, out)
            return out

        one_shot.plain = plain  # type: ignore[attr-defined]
        _set(model, one_shot)

    def disarm(self) -> None:
        """Puts the user's own train function back, also after an aborted fit."""
        armed = self._model.train_function
        if hasattr(armed, "plain"):
            _set(self._model, armed.plain)

    def _build(self, plain: Callable[..., Any] | None) -> None:
        self._slots, self._losses, self._noted = [], None, 0.0
        # Not an integer or bool: those live on the host and break XLA clusters on a GPU.
        self._want, self._wanted = _own_variable([2]), (False, False)
        self._instrumented = self._twin(plain, None)
        self._probing = None
        self._plain = plain

    def _build_probing(self, plain: Callable[..., Any] | None) -> None:
        from .tensorflow_probe import Probe

        self._probe = Probe(self._model, exact=self._exact_probe)
        self._probing = self._twin(plain, self._probe)

    def _twin(self, plain: Callable[..., Any] | None, probe: Any) -> Callable[..., Any]:
        """The train function once more, instrumented when it is traced."""
        model = self._model
        original = model.train_step

        def train_step(data: Any) -> Any:
            self._calls = 0
            self._graph = _graph()
            with contextlib.ExitStack() as stack:
                stack.enter_context(_replaced(model, "compute_loss", self._watch_loss(model)))
                if not self._ordered:
                    self._order.clear()
                    for layer in model._flatten_layers(include_self=False, recursive=True):
                        stack.enter_context(_replaced(layer, "call", self._watch_call(layer)))
                if probe is not None:
                    stack.enter_context(probe.watching(data))
                out = original(data)
                self._ordered = True
                return out

        with _replaced(model, "train_step", train_step):
            try:
                model.train_function = None
                model.make_train_function(force=True)
                twin: Any = model.train_function
                return twin
            finally:
                model.train_function = plain

    def _watch_loss(self, model: Any) -> Callable[..., Any]:
        original = model.compute_loss

        def compute_loss(*args: Any, **kwargs: Any) -> Any:
            loss = original(*args, **kwargs)
            if self._reached():
                self._guard(self._note_loss, loss, args, kwargs)
            return loss

        return compute_loss

    def _watch_call(self, layer: Any) -> Callable[..., Any]:
        original = layer.call

        def call(*args: Any, **kwargs: Any) -> Any:
            self._order.setdefault(id(layer), layer)
            return original(*args, **kwargs)

        return call

    @contextlib.contextmanager
    def _patched(self) -> Iterator[None]:
        with contextlib.ExitStack() as stack:
            for optimizer in find_optimizers(self._model, self._more):
                wrapped = self._watch_apply(optimizer, optimizer.apply)
                stack.enter_context(_replaced(optimizer, "apply", wrapped))
            try:
                yield
            finally:
                self._inside = False

    def _watch_apply(self, optimizer: Any, original: Callable[..., Any]) -> Callable[..., Any]:
        def apply(grads: Any, trainable_variables: Any = None) -> Any:
            if self._inside or not self._reached():  # an inner optimizer, or another's function
                return original(grads, trainable_variables)
            grads = list(grads)
            variables = (
                list(optimizer._trainable_variables)
                if trainable_variables is None
                else list(trainable_variables)
            )
            before: list[Any] = []
            told = None
            try:
                before = [tf.identity(_value(v)) for v in variables] if self._updates else []
                told = tf.stack([_loss_scale(optimizer), _learning_rate(optimizer)])
            except Exception as error:
                self.failure = error
            graph = None if tf.executing_eagerly() else tf.compat.v1.get_default_graph()
            done = 0 if graph is None else len(graph.get_operations())
            self._inside = True
            try:
                out = original(grads, trainable_variables)
            finally:
                self._inside = False
            if self.failure is None:
                self._guard(self._note_gradients, grads, variables, before, told, graph, done)
            return out

        return apply

    def _reached(self) -> bool:
        """Whether what is traced now belongs to the instrumented step itself.

        A ``tf.function`` of the user's own keeps its trace: nothing of ours may get into it.
        """
        return _graph() is self._graph

    def _guard(self, function: Callable[..., None], *args: Any) -> None:
        """Calls ``function``; a fault of the monitor's own must not reach the user's step."""
        try:
            function(*args)
        except Exception as error:
            self.failure = error

    def _note_gradients(
        self,
        grads: list[Any],
        variables: list[Any],
        before: list[Any],
        told: Any,
        graph: Any,
        done: int,
    ) -> None:
        xla = bool(self._model.jit_compile)
        pairs = [
            None if g is None or 0 in v.shape else stats.as_gradient(g, xla=xla)
            for g, v in zip(grads, variables, strict=True)
        ]
        norms = [tf.zeros([2])] * len(variables)
        if before:
            changes = _changes(variables, before, graph, done)
            norms = [
                tf.stack([stats.l2_norm(b), stats.l2_norm(c)])
                for b, c in zip(before, changes, strict=True)
            ]
        table = stats.statistics(pairs, norms)
        n, index = len(pairs), self._calls
        self._calls += 1
        if index == len(self._slots):  # a function may be traced again: each slot is made once
            shapes = [[n, bins.DEVICE_BINS], [n, stats.STOCK_BUCKETS, 3]]
            counts, linear = (_own_variable(s) if self._histograms else None for s in shapes)
            present = [p is not None for p in pairs]
            results = _own_variable([3 + n * stats.COLUMNS])
            self._slots.append(_Slot(variables, present, results, counts, linear))
        slot = self._slots[index]
        slot.results.assign(
            tf.concat([_counted(slot.results), told, tf.reshape(table, [-1])], axis=0)
        )
        assert self._want is not None
        for place, kind, function in (
            (slot.counts, 0, stats.log2_counts),
            (slot.linear, 1, stats.linear_histogram),
        ):
            if place is not None:
                place.assign(stats.histograms(self._want[kind], pairs, function, place.shape))

    def _note_loss(self, loss: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if loss is None:
            return
        loss = tf.reduce_sum(tf.cast(loss, tf.float32))
        extra = [tf.reduce_sum(tf.cast(t, tf.float32)) for t in self._model.losses]
        data = loss - tf.add_n(extra) if extra else loss
        names = ("x", "y", "y_pred", "sample_weight")
        given = {**dict(zip(names, args, strict=False)), **kwargs}
        parts: list[Any] = [tf.stack([loss, data])]
        try:
            moments = label_moments(
                self._model, given.get("y"), given.get("y_pred"), given.get("sample_weight")
            )
            if moments is not None:
                parts.append(tf.reshape(moments, [-1]))
        except Exception:  # labels of a kind not thought of: the baseline stays unknown
            pass
        shape = [1 + sum(part.shape.num_elements() for part in parts)]
        if self._losses is None:
            self._losses = _own_variable(shape)
        if self._losses.shape == shape:
            self._losses.assign(tf.concat([_counted(self._losses), *parts], axis=0))

    def collect(self) -> Captured | None:
        """Results of the last captured step, once; None if no optimizer ran in it."""
        if self._pending is None:
            return None
        (step, log2, linear, probe, logs), self._pending = self._pending, None
        slots, read = self._slots, [_read(s.results) for s in self._slots]
        reached = [r[0] != s.calls for r, s in zip(read, slots, strict=True)]
        if self.failure is not None or not any(reached):
            return None
        for slot, results in zip(slots, read, strict=True):
            slot.calls = results[0]
        loss = data_loss = float("nan")
        labels, reported = None, True
        losses = np.zeros(1) if self._losses is None else _read(self._losses)
        if losses[0] != self._noted:
            self._noted = losses[0]
            loss, data_loss = float(losses[1]), float(losses[2])
            labels = losses[3:].reshape(2, -1) if len(losses) > 3 else None
        elif isinstance(logs, dict) and "loss" in logs:
            told = np.asarray(logs["loss"], dtype=np.float64)
            loss = data_loss = float(told) if told.ndim == 0 else loss
        else:
            reported = False
        # float32 holds seven digits: 0.001 is meant, not 0.0010000000474974513.
        rate = next(r[2] for r, there in zip(read, reached, strict=True) if there)
        return Captured(
            step=step,
            variables=[v for s in slots for v in s.variables],
            statistics=np.concatenate(
                [self._statistics(*one) for one in zip(slots, read, reached, strict=True)]
            ),
            scale=np.repeat(
                [float(r[1]) if there else 1.0 for r, there in zip(read, reached, strict=True)],
                [len(s.variables) for s in slots],
            ),
            learning_rate=float(f"{rate:.7g}") if rate >= 0.0 else float("nan"),
            loss=loss,
            data_loss=data_loss,
            loss_reported=reported,
            labels=labels,
            counts=np.concatenate([_read(s.counts) for s in slots]) if log2 else None,
            linear=np.concatenate([_read(s.linear) for s in slots]) if linear else None,
            probe=self._collect_probe() if probe else None,
        )

    def _collect_probe(self) -> CapturedProbe | None:
        found = None
        try:
            found = self._probe.collect()
            self.probe_failure = self._probe.failure
        except Exception as error:
            self.probe_failure = error
        return found

    def _statistics(self, slot: _Slot, results: np.ndarray, reached: bool) -> np.ndarray:
        table = results[3:].reshape(-1, stats.COLUMNS)
        if not reached:
            table[:] = np.nan
        table[~np.array(slot.present, bool)] = np.nan
        if not self._updates:
            table[:, -2:] = np.nan
        return table

    def weight_histograms(self, variables: list[keras.Variable]) -> np.ndarray:
        """float32 [variables, buckets, 3] of the weights now."""
        if not variables:
            return np.zeros([0, stats.STOCK_BUCKETS, 3], np.float32)
        flat = [stats.as_gradient(_value(v), xla=False) for v in variables]
        shape = [len(flat), stats.STOCK_BUCKETS, 3]
        return stats.histograms(tf.constant(1.0), flat, stats.linear_histogram, shape).numpy()


@contextlib.contextmanager
def _replaced(owner: Any, name: str, value: Any) -> Iterator[None]:
    """``owner.name`` is ``value`` meanwhile, set on the instance past Keras's tracking."""
    kept = owner.__dict__.get(name)
    owner.__dict__[name] = value
    try:
        yield
    finally:
        if kept is None:
            owner.__dict__.pop(name, None)
        else:
            owner.__dict__[name] = kept


def _set(model: Any, function: Any) -> None:
    """Sets the train function past Keras's tracking of attributes, which takes its time."""
    model.__dict__["train_function"] = function


@functools.cache
def _wish(log2: bool, linear: bool) -> Any:
    return tf.constant([float(log2), float(linear)])


def _graph() -> Any:
    """The function graph that is being traced, out of its control flow; None when eager."""
    if tf.executing_eagerly():
        return None
    graph: Any = tf.compat.v1.get_default_graph()
    while type(graph).__name__ in BRANCHES:
        graph = graph.outer_graph
    return graph


def _own_variable(shape: Any) -> tf.Variable:
    """A variable outside the graph that is traced, and of no interest to it.

    Without ``experimental_enable_variable_lifting=False`` TensorFlow would trace the step twice.
    """
    with tf.init_scope():
        return tf.Variable(
            tf.zeros(shape), trainable=False, experimental_enable_variable_lifting=False
        )


def _cannot_run(error: BaseException) -> bool:
    """Whether a step failed for what it is, not for what the user's code does in it."""
    if isinstance(error, (tf.errors.UnimplementedError, tf.errors.ResourceExhaustedError)):
        return True
    return isinstance(error, tf.errors.InvalidArgumentError) and "unsupported op" in str(error)


def _read(variable: tf.Variable | None) -> np.ndarray:
    """Its value; without the layers of ``tf.Variable.numpy`` this takes a quarter of the time."""
    assert variable is not None
    handle: Any = variable.handle
    return tf.raw_ops.ReadVariableOp(resource=handle, dtype=variable.dtype).numpy()


def _counted(results: tf.Variable) -> Any:
    """[1]: the first element of what is kept there, one more; starts again at 2**20."""
    return tf.math.floormod(results[:1], 2.0**20) + 1.0


def _changes(variables: list[Any], before: list[Any], graph: Any, done: int) -> list[Any]:
    """What an optimizer's call, the operations of ``graph`` from number ``done`` on, changed.

    Most optimizers subtract one tensor from each variable: that is it.  Otherwise the difference
    of the values, which needs a copy of the old one.
    """
    steps: dict[int, list[Any]] = {}
    if graph is not None:
        handles = {id(graph.capture(_value(v).handle)) for v in variables}
        for operation in graph.get_operations()[done:]:
            for tensor in operation.inputs:
                if id(tensor) in handles and operation.type != "ReadVariableOp":
                    steps.setdefault(id(tensor), []).append(operation)
    out = []
    for variable, old in zip(variables, before, strict=True):
        value = _value(variable)
        written = [] if graph is None else steps.get(id(graph.capture(value.handle)), [])
        if [w.type for w in written] in (["AssignSubVariableOp"], ["AssignAddVariableOp"]):
            out.append(written[0].inputs[1])
        else:
            # The difference of nearly equal numbers is taken before anything is rounded.
            out.append(value - old)
    return out


def _value(variable: Any) -> Any:
    return variable.value if isinstance(variable, keras.Variable) else variable


def _loss_scale(optimizer: Any) -> Any:
    """Factor by which the gradients handed to ``optimizer.apply`` are multiplied; float32 []."""
    if isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        scale = _value(optimizer.dynamic_scale) if optimizer.built else optimizer.initial_scale
    else:
        scale = getattr(optimizer, "loss_scale_factor", None) or 1.0
    return tf.cast(scale, tf.float32)


def _learning_rate(optimizer: Any) -> Any:
    """The rate that the optimizer's next call uses; float32 [], negative if it has none."""
    return tf.cast(_value(getattr(optimizer, "learning_rate", -1.0)), tf.float32)
