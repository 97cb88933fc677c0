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
from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tb_gradplugin import bins

from . import tensorflow_statistics as stats
from .baseline import label_moments
from .capture import Captured, find_optimizers


@dataclasses.dataclass
class _Slot:
    """Where one ``optimizer.apply`` call of the instrumented step leaves its results."""

    variables: list[Any]
    statistics: tf.Variable
    counts: tf.Variable
    linear: tf.Variable
    scale: tf.Variable


class TensorFlowCapture:
    """See ``capture.Capture``.

    Raises:
        NotImplementedError: the model trains on several replicas.
    """

    def __init__(
        self,
        model: Any,
        optimizers: tuple[keras.optimizers.Optimizer, ...],
        *,
        updates: bool,
    ):
        replicas = model.distribute_strategy.num_replicas_in_sync
        if replicas > 1:
            raise NotImplementedError(
                f"GradientMonitor does not support tf.distribute with {replicas} replicas yet."
            )
        self.call_order: list[keras.layers.Layer] = []
        self.failure: BaseException | None = None
        self._model = model
        self._more = optimizers
        self._updates = updates
        self._plain: Callable[..., Any] | None = None
        self._instrumented: Callable[..., Any] | None = None
        self._slots: list[_Slot] = []
        self._losses: tf.Variable | None = None
        self._labels: tf.Variable | None = None
        self._want: tf.Variable | None = None
        self._calls = 0
        self._inside = False
        self._pending: tuple[int, bool, bool, Any] | None = None

    def arm(self, step: int, *, log2: bool, linear: bool) -> None:
        """Has the next train step captured as ``step``."""
        model = self._model
        self.disarm()
        plain = model.train_function
        if self._instrumented is None or self._plain is not plain:
            self._build(plain)
        instrumented = self._instrumented
        assert instrumented is not None
        assert self._want is not None
        self._want.assign([float(log2), float(linear)])

        def one_shot(iterator: Any) -> Any:
            model.train_function = plain
            self._pending = None
            try:
                with self._patched():
                    out = instrumented(iterator)
            except (tf.errors.UnimplementedError, tf.errors.ResourceExhaustedError) as error:
                # The instrumented step does not compile or fit here; the user's own may.
                self.failure = error
                return plain(iterator)
            self._pending = (step, log2, linear, out)
            return out

        one_shot.plain = plain  # type: ignore[attr-defined]
        model.train_function = one_shot

    def disarm(self) -> None:
        """Puts the user's own train function back, also after an aborted fit."""
        self._model.train_function = getattr(
            self._model.train_function, "plain", self._model.train_function
        )

    def _build(self, plain: Callable[..., Any] | None) -> None:
        model = self._model
        self._slots, self._losses, self._labels = [], None, None
        with tf.init_scope():
            # Not an integer or bool: those live on the host and break XLA clusters on a GPU.
            self._want = tf.Variable(tf.zeros([2]), trainable=False)
        original = model.train_step

        def train_step(data: Any) -> Any:
            self._calls = 0
            with self._watched():
                return original(data)

        had = model.__dict__.get("train_step")
        model.__dict__["train_step"] = train_step
        try:
            model.train_function = None
            model.make_train_function(force=True)
            self._instrumented = model.train_function
        finally:
            model.train_function = plain
            if had is None:
                del model.__dict__["train_step"]
            else:
                model.__dict__["train_step"] = had
        self._plain = plain

    @contextlib.contextmanager
    def _watched(self) -> Iterator[None]:
        """Notes the loss and the order of layer calls while the train step is traced or run."""
        model = self._model
        patched: list[tuple[Any, str, Any]] = []

        def patch(owner: Any, name: str, value: Any) -> None:
            patched.append((owner, name, owner.__dict__.get(name)))
            owner.__dict__[name] = value

        def compute_loss(*args: Any, **kwargs: Any) -> Any:
            loss = original_loss(*args, **kwargs)
            self._guard(self._note_loss, loss, args, kwargs)
            return loss

        def noting(layer: Any, original: Any) -> Any:
            def call(*args: Any, **kwargs: Any) -> Any:
                if layer not in self.call_order:
                    self.call_order.append(layer)
                return original(*args, **kwargs)

            return call

        original_loss = model.compute_loss
        patch(model, "compute_loss", compute_loss)
        if not self.call_order:
            for layer in model._flatten_layers(include_self=False, recursive=True):
                patch(layer, "call", noting(layer, layer.call))
        try:
            yield
        finally:
            for owner, name, previous in reversed(patched):
                if previous is None:
                    owner.__dict__.pop(name, None)
                else:
                    owner.__dict__[name] = previous

    @contextlib.contextmanager
    def _patched(self) -> Iterator[None]:
        optimizers = find_optimizers(self._model, self._more)
        try:
            for optimizer in optimizers:
                optimizer.__dict__["apply"] = self._wrap(optimizer, optimizer.apply)
            yield
        finally:
            self._inside = False
            for optimizer in optimizers:
                optimizer.__dict__.pop("apply", None)

    def _wrap(self, optimizer: Any, original: Callable[..., Any]) -> Callable[..., Any]:
        def apply(grads: Any, trainable_variables: Any = None) -> Any:
            if self._inside:  # an inner optimizer, such as a loss-scaling one's
                return original(grads, trainable_variables)
            grads = list(grads)
            variables = (
                list(optimizer._trainable_variables)
                if trainable_variables is None
                else list(trainable_variables)
            )
            before = scale = None
            try:
                before = [tf.identity(_value(v)) for v in variables] if self._updates else None
                scale = tf.identity(tf.cast(_loss_scale(optimizer), tf.float32))
            except Exception as error:
                self.failure = error
            self._inside = True
            try:
                out = original(grads, trainable_variables)
            finally:
                self._inside = False
            if self.failure is None:
                self._guard(self._note_gradients, grads, variables, before, scale)
            return out

        return apply

    def _guard(self, function: Callable[..., None], *args: Any) -> None:
        """Calls ``function``; a fault of the monitor's own must not reach the user's step."""
        try:
            function(*args)
        except Exception as error:
            self.failure = error

    def _note_gradients(
        self, grads: list[Any], variables: list[Any], before: list[Any] | None, scale: Any
    ) -> None:
        xla = bool(self._model.jit_compile)
        pairs = [
            None if g is None or 0 in v.shape else stats.as_gradient(g, xla=xla)
            for g, v in zip(grads, variables, strict=True)
        ]
        nothing: list[Any] = [None] * len(variables)
        after = [_value(v) for v in variables] if self._updates else nothing
        table = stats.statistics(pairs, before or nothing, after)

        assert self._want is not None
        counts = _if(self._want[0], stats.log2_counts, pairs, [bins.DEVICE_BINS])
        linear = _if(self._want[1], stats.linear_histogram, pairs, [stats.STOCK_BUCKETS, 3])
        index = self._calls
        self._calls += 1
        if index == len(self._slots):  # a function may be traced again: each slot is made once
            with tf.init_scope():
                n = len(pairs)
                self._slots.append(
                    _Slot(
                        variables,
                        tf.Variable(tf.zeros([n, stats.COLUMNS]), trainable=False),
                        tf.Variable(tf.zeros([n, bins.DEVICE_BINS]), trainable=False),
                        tf.Variable(tf.zeros([n, stats.STOCK_BUCKETS, 3]), trainable=False),
                        tf.Variable(tf.ones([]), trainable=False),
                    )
                )
        slot = self._slots[index]
        slot.statistics.assign(table)
        slot.counts.assign(counts)
        slot.linear.assign(linear)
        slot.scale.assign(scale)

    def _note_loss(self, loss: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if loss is None:
            return
        loss = tf.cast(loss, tf.float32)
        extra = [tf.reduce_sum(tf.cast(t, tf.float32)) for t in self._model.losses]
        data = loss - tf.add_n(extra) if extra else loss
        if self._losses is None:
            with tf.init_scope():
                self._losses = tf.Variable(tf.fill([2], np.float32("nan")), trainable=False)
        self._losses.assign(tf.stack([loss, data]))
        names = ("x", "y", "y_pred")
        given = {**dict(zip(names, args, strict=False)), **kwargs}
        moments = label_moments(self._model.loss, given.get("y"), given.get("y_pred"))
        if moments is None:
            return
        if self._labels is None:
            with tf.init_scope():
                self._labels = tf.Variable(tf.zeros(moments.shape), trainable=False)
        self._labels.assign(moments)

    def collect(self) -> Captured | None:
        """Results of the last captured step, once."""
        if self._pending is None:
            return None
        (step, log2, linear, logs), self._pending = self._pending, None
        if self.failure is not None or not self._slots:
            return None
        loss, data_loss = (np.nan, np.nan) if self._losses is None else self._losses.numpy()
        if self._losses is None and isinstance(logs, dict) and "loss" in logs:
            loss = data_loss = float(np.asarray(logs["loss"]))
        slots = self._slots
        scales = [float(s.scale.numpy()) for s in slots]
        return Captured(
            step=step,
            variables=[v for s in slots for v in s.variables],
            statistics=np.concatenate([s.statistics.numpy() for s in slots]),
            loss_scale=scales[0],
            loss=float(loss),
            data_loss=float(data_loss),
            labels=None if self._labels is None else self._labels.numpy(),
            counts=np.concatenate([s.counts.numpy() for s in slots]) if log2 else None,
            linear=np.concatenate([s.linear.numpy() for s in slots]) if linear else None,
        )

    def weight_histograms(self, variables: list[keras.Variable]) -> np.ndarray:
        """float32 [variables, buckets, 3] of the weights now."""
        if not variables:
            return np.zeros([0, stats.STOCK_BUCKETS, 3], np.float32)
        none = tf.constant(0, tf.int64)
        return np.stack([stats.linear_histogram(_flat(_value(v)), none).numpy() for v in variables])


def _if(wanted: Any, function: Callable[..., Any], pairs: list[Any], shape: list[int]) -> Any:
    """``function`` of every gradient, zeros where there is none, or only zeros if not wanted."""
    return tf.cond(
        wanted > 0.5,
        lambda: tf.stack(
            [tf.zeros(shape) if p is None else function(_flat(p[0]), p[1]) for p in pairs]
        ),
        lambda: tf.zeros([len(pairs), *shape]),
    )


def _flat(value: Any) -> Any:
    return tf.reshape(tf.cast(value, tf.float32), [-1])


def _value(variable: Any) -> Any:
    return variable.value if isinstance(variable, keras.Variable) else variable


def _loss_scale(optimizer: Any) -> Any:
    """Factor by which the gradients handed to ``optimizer.apply`` are multiplied."""
    if isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        return _value(optimizer.dynamic_scale) if optimizer.built else optimizer.initial_scale
    return getattr(optimizer, "loss_scale_factor", None) or 1.0
