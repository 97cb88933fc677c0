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
import threading
from collections.abc import Callable
from concurrent import futures
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tb_gradplugin import bins

from . import tensorflow_statistics as stats
from .borrowed_step import (
    learning_rate,
    loss_scale,
    set_train_function,
    value_of,
    variables_of,
)
from .capture import Capture, Wish
from .captured import Captured, picturable, shortest

STRATEGIES = ("_DefaultDistributionStrategy", "OneDeviceStrategy", "MirroredStrategy")
"""Strategies of ``tf.distribute`` under which a model is watched."""
BRANCHES = ("CondBranchFuncGraph", "WhileCondFuncGraph", "WhileBodyFuncGraph")
"""Graphs of control flow inside a function, which see the variables of the function around them."""


TOLD = ("loss_scale", "learning_rate", "seen", "loss", "data_loss")
"""What is kept beside the statistics of a call; ``seen``: 1 with a loss, 2 with label moments."""
_HEAD = 1 + len(TOLD)


@dataclasses.dataclass
class _Slot:
    """Where one ``optimizer.apply`` call of the instrumented step leaves its results.

    One read a captured step is cheaper than many: ``results`` holds, flat, how often the call has
    been made, ``TOLD`` and the statistics of every variable, then the norm of each replica's own
    gradient where there are several, then the label moments.
    """

    variables: list[Any]
    absent: np.ndarray  # places of those without a gradient
    results: tf.Variable
    norms: int  # number of norms of replicas
    moments: int  # length of the label moments
    counts: tf.Variable | None
    linear: tf.Variable | None
    calls: float = 0.0  # when last read


class _Here(threading.local):
    """What is known of the step that is traced (or runs), by this replica's thread.

    Attributes:
        graph: that is traced; None when eager.
        calls: of optimizers so far.
        loss: the latest, that of the data alone, and label moments (flat).
        inside: an optimizer is being called; one that calls another counts once.
    """

    graph: Any = None
    calls: int = 0
    loss: tuple[Any, Any, Any] | None = None
    inside: bool = False


class TensorFlowCapture(Capture):
    """See ``capture.Capture``.

    Under ``MirroredStrategy`` each device calls the optimizer with the gradient of its own part of
    the batch, divided by their number; what is measured is the sum, which Keras applies.  The first
    replica measures.

    Raises:
        NotImplementedError: the model trains under another ``tf.distribute`` strategy.
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
        if strategy not in STRATEGIES:
            raise NotImplementedError(f"GradientMonitor does not support {strategy} yet.")
        super().__init__(model, optimizers, updates=updates)
        self._replicas = model.distribute_strategy.num_replicas_in_sync
        if self._replicas > 1:
            self.probe_failure = NotImplementedError(
                f"Looking inside a step (probe_freq, preflight) is not possible under {strategy} "
                f"of {self._replicas} devices. Causes that only a probe sees, such as data that is "
                "not scaled, are not named."
            )
        self._histograms = histograms
        self._instrumented: Callable[..., Any] | None = None
        self._exact_probe = exact_probe
        self._probing: Callable[..., Any] | None = None  # the instrumented step with a probe
        self._slots: list[_Slot] = []
        self._here = _Here()
        self._want: tf.Variable | None = None
        self._wanted = (False, False, False)
        self._pending: tuple[Wish, Any] | None = None

    def _one_shot(self, plain: Any, wish: Wish) -> Callable[..., Any]:
        model = self._model
        if wish.probe and self._probing is None:
            self._build_probing(plain)
        instrumented = self._probing if wish.probe else self._instrumented
        assert instrumented is not None
        assert self._want is not None
        wanted = (wish.log2, wish.linear, bool(wish.maps))
        if self._wanted != wanted:
            handle: Any = self._want.handle
            tf.raw_ops.AssignVariableOp(resource=handle, value=_as_tensor(*wanted))
            self._wanted = wanted

        def one_shot(iterator: Any) -> Any:
            set_train_function(model, plain)
            self._pending = None
            try:
                # Here, not in the train step: replicas run it in threads that take turns.
                with (
                    self._watched_optimizers(),
                    self._watched_calls(),
                    self._watched_loss(self._note_loss),
                ):
                    out = instrumented(iterator)
            except tf.errors.OpError as error:
                if not _cannot_run(error):
                    raise
                # The instrumented step does not compile or fit here; the user's own may. The
                # batch that it took is lost.
                if wish.probe:
                    self.probe_failure = error
                else:
                    self.failure = error
                return plain(iterator)
            self._pending = (wish, out)
            return out

        return one_shot

    def _build(self, plain: Any) -> None:
        self._slots = []
        # Not an integer or bool: those live on the host and break XLA clusters on a GPU.
        self._want, self._wanted = _own_variable([3]), (False, False, False)
        self._instrumented = self._twin(plain, None)
        self._probing = None

    def _build_probing(self, plain: Any) -> None:
        from .tensorflow_probe import Probe

        self._probe = Probe(self._model, exact=self._exact_probe, histograms=self._histograms)
        self._probing = self._twin(plain, self._probe)

    def _twin(self, plain: Any, probe: Any) -> Callable[..., Any]:
        """The train function once more, instrumented when it is traced."""
        original = self._model.train_step

        def train_step(data: Any) -> Any:
            here = self._here
            here.graph, here.calls, here.loss = _graph(), 0, None
            with contextlib.nullcontext() if probe is None else probe.watching(data):
                return original(data)

        return self._made_with(train_step, plain)

    def _watch_apply(self, optimizer: Any, original: Callable[..., Any]) -> Callable[..., Any]:
        def apply(grads: Any, trainable_variables: Any = None) -> Any:
            if (
                self._here.inside or not self._reached()
            ):  # an inner optimizer, or another's function
                return original(grads, trainable_variables)
            grads, variables = list(grads), variables_of(optimizer, trainable_variables)
            before: list[Any] = []
            told: list[Any] = []
            try:
                before = [tf.identity(value_of(v)) for v in variables] if self._updates else []
                told = [
                    tf.cast(value, tf.float32)
                    for value in (loss_scale(optimizer), learning_rate(optimizer))
                ]
            except Exception as error:
                self.failure = error
            graph = None if tf.executing_eagerly() else tf.compat.v1.get_default_graph()
            done = 0 if graph is None else len(graph.get_operations())
            self._here.inside = True
            try:
                out = original(grads, trainable_variables)
            finally:
                self._here.inside = False
            if self.failure is None:
                self._guard(self._note_gradients, grads, variables, before, told, graph, done)
            return out

        return apply

    def _reached(self) -> bool:
        """Whether what is traced now belongs to the instrumented step itself.

        A ``tf.function`` of the user's own keeps its trace: nothing of ours may get into it.
        """
        return _graph() is self._here.graph

    def _note_gradients(
        self,
        grads: list[Any],
        variables: list[Any],
        before: list[Any],
        told: list[Any],
        graph: Any,
        done: int,
    ) -> None:
        norms = tf.zeros([len(variables), 2])
        if before:
            changes = _changes(variables, before, graph, done)
            norms = tf.stack([stats.l2_norms(before), stats.l2_norms(changes)], axis=1)
        losses, moments = self._loss_in_sight()
        index = self._here.calls
        self._here.calls += 1
        if self._replicas == 1:
            nothing = tf.zeros([0])
            self._keep(index, variables, grads, norms, told, losses, moments, nothing)
            return

        def merge(strategy: Any, grads: Any, losses: Any, moments: Any, own: Any) -> None:
            """Of all replicas, which wait meanwhile; variables, norms and rates are the first's."""

            def keep() -> None:
                of_each = strategy.experimental_local_results
                summed = [None if g is None else _sum(of_each(g)) for g in grads]
                loss, data = (_sum(of_each(told)) for told in losses[1:])
                mean = _sum(of_each(moments)) / self._replicas
                told_losses = [of_each(losses[0])[0], loss, data]
                norm_of_each = tf.stack(of_each(own))
                self._keep(index, variables, summed, norms, told, told_losses, mean, norm_of_each)

            self._guard(keep)

        # Not `all_reduce`: with Keras's own there would be two collectives in one step, which
        # TensorFlow mixes up (2.21).
        own = _norm_of_all(grads) * self._replicas
        tf.distribute.get_replica_context().merge_call(merge, (grads, losses, moments, own))

    def _keep(
        self,
        index: int,
        variables: list[Any],
        grads: list[Any],
        norms: Any,
        told: list[Any],
        losses: list[Any],
        moments: Any,
        own: Any,
    ) -> None:
        """Measures the gradients of the step's call number ``index``, and keeps the results."""
        xla = bool(self._model.jit_compile)
        pairs = [
            None if g is None or 0 in v.shape else stats.as_gradient(g, xla=xla)
            for g, v in zip(grads, variables, strict=True)
        ]
        n, length = len(pairs), moments.shape.num_elements()
        if index == len(self._slots):  # a function may be traced again: each slot is made once
            shapes = [[n, bins.DEVICE_BINS], [n, stats.STOCK_BUCKETS, 3]]
            counts, linear = (_own_variable(s) if self._histograms else None for s in shapes)
            absent = np.flatnonzero([p is None for p in pairs])
            norms_of_each = own.shape.num_elements()
            results = _own_variable([_HEAD + n * stats.COLUMNS + norms_of_each + length])
            slot = _Slot(variables, absent, results, norms_of_each, length, counts, linear)
            self._slots.append(slot)
        slot = self._slots[index]
        if length != slot.moments:
            losses[0], moments = tf.minimum(losses[0], 1.0), tf.zeros([slot.moments])
        assert self._want is not None
        wanted = tf.unstack(self._want > 0.5)
        keeps = [
            stats.Keep(place, function, wish)
            for place, function, wish in (
                (slot.counts, stats.log2_counts, wanted[0]),
                (slot.linear, stats.linear_histogram, wanted[1]),
            )
            if place is not None
        ]
        if not xla:
            self._hand_over(index, variables, grads, wanted[2])
        on_host = not xla and _only_cpu()
        table = tf.reshape(stats.statistics(pairs, norms, keeps, on_host=on_host), [-1])
        head = [_counted(slot.results), tf.stack([*told, *losses])]
        slot.results.assign(tf.concat([*head, table, own, moments], axis=0))

    def _hand_over(self, call: int, variables: list[Any], grads: list[Any], wanted: Any) -> None:
        """Gradients go to the host where pictures of them are wanted."""
        sparse = tf.IndexedSlices
        places = [i for i, g in enumerate(grads) if not isinstance(g, sparse) and picturable(g)]
        take = self._map_taker(call, variables, places)

        def hand(*given: Any) -> list[Any]:
            tf.numpy_function(take, given, [])
            return []

        if places:
            stats.either(wanted, hand, lambda *given: [], [grads[i] for i in places])

    def _note_loss(self, loss: Any, given: dict[str, Any]) -> None:
        if not self._reached():
            return
        loss = tf.reduce_sum(tf.cast(loss, tf.float32))
        # Of several devices each has its share of the loss; these terms are the same in all.
        extra = [tf.reduce_sum(tf.cast(t, tf.float32)) for t in self._model.losses]
        data = loss - tf.add_n(extra) / self._replicas if extra else loss
        moments = self._label_moments(given)
        self._here.loss = loss, data, None if moments is None else tf.reshape(moments, [-1])

    def _loss_in_sight(self) -> tuple[list[Any], Any]:
        """The last three of ``TOLD`` and the label moments, of the latest loss of this step.

        A loss that is computed after the last optimizer call, or inside a branch of which the call
        is no part, is not in sight: the step's logs tell it then.
        """
        loss, data, moments = self._here.loss or (None, None, None)
        if loss is None or not _in_sight(loss):
            return [tf.zeros([])] * 3, tf.zeros([0])
        if moments is None:
            return [tf.ones([]), loss, data], tf.zeros([0])
        return [tf.constant(2.0), loss, data], moments

    def collect(self) -> Captured | None:
        """See ``Capture``."""
        if self._pending is None:
            return None
        (wish, logs), self._pending = self._pending, None
        if self.failure is not None:
            return None
        slots = self._slots
        tables, scales, labels, replicas = [], [], None, []
        loss = data_loss = rate = float("nan")
        reached = seen = False
        for slot in slots:
            results = _read(slot.results)
            calls, scale, its_rate, its_seen, its_loss, its_data_loss = results[:_HEAD].tolist()
            there, slot.calls = calls != slot.calls, calls
            tables.append(self._statistics(slot, results, there))
            scales.append(scale if there else 1.0)
            if there and slot.norms:
                at = len(results) - slot.moments
                replicas.append(results[at - slot.norms : at] / (scale or 1.0))
            if there and not reached:
                reached, rate = True, shortest(its_rate)
            if there and its_seen:
                seen, loss, data_loss = True, its_loss, its_data_loss
                moments = results[len(results) - slot.moments :].reshape(2, -1)
                labels = moments if its_seen == 2.0 else None
        if not reached:
            return None
        if not seen and (told := self._loss_told(logs)) is not None:
            seen, loss, data_loss = True, told, told
        sizes = [len(s.variables) for s in slots]
        return Captured(
            step=wish.step,
            variables=[v for s in slots for v in s.variables],
            statistics=tables[0] if len(tables) == 1 else np.concatenate(tables),
            scale=np.repeat(scales, sizes),
            learning_rate=rate,
            loss=loss,
            data_loss=data_loss,
            loss_reported=seen,
            labels=labels,
            counts=np.concatenate([_read(s.counts) for s in slots]) if wish.log2 else None,
            linear=np.concatenate([_read(s.linear) for s in slots]) if wish.linear else None,
            probe=self._collect_probe() if wish.probe else None,
            maps=self._take_maps(sizes),
            replicas=np.linalg.norm(replicas, axis=0) if replicas else None,
        )

    def _statistics(self, slot: _Slot, results: np.ndarray, reached: bool) -> np.ndarray:
        size = len(slot.variables) * stats.COLUMNS
        table = results[_HEAD : _HEAD + size].reshape(-1, stats.COLUMNS)
        if not reached:
            table[:] = np.nan
        elif len(slot.absent):
            table[slot.absent] = np.nan
        if not self._updates:
            table[:, -2:] = np.nan
        return table

    def weight_histograms(self, variables: list[keras.Variable]) -> np.ndarray:
        """See ``Capture``."""
        shape = [len(variables), stats.STOCK_BUCKETS, 3]
        return self._of_weights(variables, stats.linear_histogram, shape)

    def weight_counts(self, variables: list[keras.Variable]) -> np.ndarray:
        """See ``Capture``."""
        return self._of_weights(variables, stats.log2_counts, [len(variables), bins.DEVICE_BINS])

    @staticmethod
    def _of_weights(variables: list[keras.Variable], function: Any, shape: list[int]) -> np.ndarray:
        flat = [stats.as_gradient(value_of(v), xla=False) for v in variables]
        return stats.histograms(flat, function, shape).numpy()


@functools.cache
def _as_tensor(*wanted: bool) -> Any:
    return tf.constant([float(w) for w in wanted])


def _graph() -> Any:
    """The function graph that is being traced, out of its control flow; None when eager."""
    if tf.executing_eagerly():
        return None
    graph: Any = tf.compat.v1.get_default_graph()
    while type(graph).__name__ in BRANCHES:
        graph = graph.outer_graph
    return graph


def _in_sight(tensor: Any) -> bool:
    """Whether what is traced now can use ``tensor``: of the same function or one around it."""
    if tf.executing_eagerly():
        return True
    graph: Any = tf.compat.v1.get_default_graph()
    while graph is not None and graph is not tensor.graph:
        graph = getattr(graph, "outer_graph", None)
    return graph is not None


def _only_cpu() -> bool:
    """Whether all tensors are in the host's memory."""
    return all(d.device_type == "CPU" for d in tf.config.list_logical_devices())


def _own_variable(shape: Any) -> tf.Variable:
    """A variable outside the graph that is traced, and of no interest to it.

    Without ``experimental_enable_variable_lifting=False`` TensorFlow would trace the step twice.
    """

    def make() -> tf.Variable:
        with tf.init_scope():
            return tf.Variable(
                tf.zeros(shape), trainable=False, experimental_enable_variable_lifting=False
            )

    if not tf.distribute.has_strategy():
        return make()
    # A strategy would make copies on all devices; it knows nothing of another thread.
    with futures.ThreadPoolExecutor(1) as other:
        return other.submit(make).result()


def _sum(of_each: tuple[Any, ...]) -> Any:
    """Sum of a tensor or sparse gradient over replicas, on the first one's device."""
    first = of_each[0]
    with tf.device(first.device):
        if isinstance(first, tf.IndexedSlices):
            return tf.IndexedSlices(
                tf.concat([g.values for g in of_each], axis=0),
                tf.concat([g.indices for g in of_each], axis=0),
                first.dense_shape,
            )
        return tf.add_n(list(of_each))


def _norm_of_all(grads: list[Any]) -> Any:
    """L2 norm of all elements of all gradients (of a sparse one as if no row came twice)."""
    there = [g.values if isinstance(g, tf.IndexedSlices) else g for g in grads if g is not None]
    return tf.norm(stats.l2_norms(there)) if there else tf.zeros([])


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
        handles = {id(graph.capture(value_of(v).handle)) for v in variables}
        for operation in graph.get_operations()[done:]:
            for tensor in operation.inputs:
                if id(tensor) in handles and operation.type != "ReadVariableOp":
                    steps.setdefault(id(tensor), []).append(operation)
    out = []
    for variable, old in zip(variables, before, strict=True):
        value = value_of(variable)
        written = [] if graph is None else steps.get(id(graph.capture(value.handle)), [])
        if [w.type for w in written] in (["AssignSubVariableOp"], ["AssignAddVariableOp"]):
            out.append(written[0].inputs[1])
        else:
            # The difference of nearly equal numbers is taken before anything is rounded.
            out.append(value - old)
    return out
