"""Capture on JAX: a second train step, whose results are a further output.

The instrumented step is compiled like the user's own.  What an optimizer receives is measured where
``stateless_apply`` is called; results leave the step beside its logs and are taken off before Keras
sees them.  Whether histograms are wanted comes in beside the batch, so that there is one function
to compile.  No variable of ours exists, and ``model`` is not asked for: that would synchronise.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import keras
import numpy as np
from jax.experimental import io_callback

from tb_gradplugin import bins

from . import jax_statistics as stats
from .baseline import label_moments
from .borrowed_step import (
    BorrowedStep,
    Pictures,
    picturable,
    replaced,
    set_train_function,
    shortest,
)
from .capture import Captured


class JaxCapture(BorrowedStep):
    """See ``capture.Capture``.

    Raises:
        NotImplementedError: Keras runs with Flax's nnx.
    """

    method = "stateless_apply"

    def __init__(self, model: Any, optimizers: Any, *, updates: bool, histograms: bool):
        if keras.config.is_nnx_enabled():
            raise NotImplementedError("GradientMonitor does not support Keras's nnx mode.")
        super().__init__(model, optimizers, updates=updates)
        self._histograms = histograms
        self._instrumented: Callable[..., Any] | None = None
        # Of the step that is traced: results of each optimizer call, the loss, label moments.
        self._found: list[dict[str, Any]] = []
        self._loss: dict[str, Any] = {}
        self._only_weights = True  # regularisation is all that is added to the loss of the data
        self._wish: Any = None  # bool [3]: which kinds of histogram, and pictures
        self._pictures = Pictures()
        # Of each call, fixed when it is traced: the variables.
        self._variables: list[list[Any]] = []
        self._pending: tuple[int, bool, bool, Any, Any] | None = None

    def arm(
        self,
        step: int,
        *,
        log2: bool,
        linear: bool,
        probe: bool = False,
        maps: Collection[keras.Variable] = (),
    ) -> None:
        """Has the next train step captured as ``step``; it cannot be probed."""
        self._pictures.wanted = frozenset(id(v) for v in maps)
        self.disarm()
        plain = self._model.train_function
        if self.is_new(plain) or self._instrumented is None:
            self._instrumented = self._twin(plain)
        instrumented = self._instrumented
        wanted = (log2 and self._histograms, linear and self._histograms, bool(maps))
        wish = np.array(wanted)

        def one_shot(state: Any, iterator: Any) -> Any:
            set_train_function(self._model, plain)
            self._pending = None
            with self.watched_optimizers(self._watch_apply):
                (logs, results), state = instrumented(state, _Beside(iterator, wish))
            self._pending = step, log2, linear, logs, results
            return logs, state

        self.lend(plain, one_shot)

    def _twin(self, plain: Callable[..., Any]) -> Callable[..., Any]:
        """The train function once more, instrumented when it is traced."""
        model = self._model
        original = model.train_step

        def train_step(state: Any, data_and_wish: Any) -> Any:
            data, self._wish = data_and_wish
            self._found, self._loss, self._variables = [], {}, []
            self._only_weights = True
            with contextlib.ExitStack() as stack:
                stack.enter_context(self.watched_loss(self._note_terms))
                stack.enter_context(self._watched_metrics(state[0]))
                stack.enter_context(self.watched_calls())
                logs, state = original(state, data)
            return (logs, {"calls": self._found, "loss": self._loss}), state

        with replaced(model, "train_step", train_step):
            try:
                model.train_function = None
                model.make_train_function(force=True)
                twin: Any = model.train_function
                return twin
            finally:
                model.train_function = plain

    def _watch_apply(self, optimizer: Any, original: Callable[..., Any]) -> Callable[..., Any]:
        def stateless_apply(optimizer_variables: Any, grads: Any, trainable_variables: Any) -> Any:
            if self._inside:
                return original(optimizer_variables, grads, trainable_variables)
            grads, before = list(grads), list(trainable_variables)
            self._inside = True
            try:
                out = original(optimizer_variables, grads, trainable_variables)
            finally:
                self._inside = False
            if self.failure is None:
                self.guard(self._note_call, optimizer, optimizer_variables, grads, before, out[0])
            return out

        return stateless_apply

    def _note_call(
        self, optimizer: Any, state: list[Any], grads: list[Any], before: list[Any], after: Any
    ) -> None:
        norms = jnp.full((len(grads), 2), jnp.nan)
        if self._updates:
            change = [b - a for a, b in zip(before, after, strict=True)]
            norms = jnp.stack([stats.l2_norms(before), stats.l2_norms(change)], 1)
        table = jnp.concatenate([stats.statistics(grads), norms], 1)
        self._hand_over(list(optimizer._trainable_variables), grads)
        with keras.StatelessScope(state_mapping=zip(optimizer.variables, state, strict=True)):
            scale, rate = _loss_scale(optimizer), _learning_rate(optimizer)
        found = {"table": table, "scale": scale, "rate": rate}
        if self._histograms:
            n = len(grads)
            shapes = {"log2": (n, bins.DEVICE_BINS), "linear": (n, bins.STOCK_BUCKETS, 3)}
            functions = (stats.log2_counts, stats.linear_histograms)
            for (name, shape), make, wanted in zip(
                shapes.items(), functions, self._wish[:2], strict=True
            ):
                found[name] = _if(wanted, make, shape, grads)
        self._variables.append(list(optimizer._trainable_variables))
        self._found.append(found)

    def _hand_over(self, variables: list[Any], grads: list[Any]) -> None:
        """Gradients go to the host where pictures of them are wanted."""
        places = [i for i, g in enumerate(grads) if picturable(g)]
        given = [grads[i] for i in places]
        take = self._pictures.taker(len(self._found), variables, places)
        wanted = self._wish[2]
        if isinstance(wanted, (bool, np.bool_)):  # not compiled
            if wanted:
                take(*given)
        elif given:
            hand = lambda *g: io_callback(take, None, *g)  # noqa: E731
            jax.lax.cond(wanted, hand, lambda *g: None, *given)

    def _note_terms(self, loss: Any, given: dict[str, Any]) -> None:
        """Inside the function that is differentiated: no value may leave it, only what is known."""
        terms = len(self._model.losses)
        self._only_weights = terms == len(self._model._get_regularization_losses())

    @contextlib.contextmanager
    def _watched_metrics(self, weights: list[Any]) -> Iterator[None]:
        """Takes the loss and the labels where Keras updates its metrics, outside the gradient."""
        model = self._model
        tracker = getattr(model, "_loss_tracker", None)
        compute_metrics = model.compute_metrics

        def note_loss(loss: Any) -> None:
            total = jnp.sum(jnp.asarray(loss, jnp.float32))
            data = total if self._only_weights else jnp.float32(jnp.nan)
            with keras.StatelessScope(
                state_mapping=zip(model.trainable_variables, weights, strict=True)
            ):
                terms = model._get_regularization_losses() if self._only_weights else []
            for term in terms:
                data = data - jnp.sum(jnp.asarray(term, jnp.float32))
            self._loss |= {"total": total, "data": data}

        def note_labels(y: Any, y_pred: Any, sample_weight: Any) -> None:
            with contextlib.suppress(Exception):  # labels of a kind not thought of: unknown
                moments = label_moments(model, y, y_pred, sample_weight)
                self._loss |= {} if moments is None else {"moments": moments}

        def watched(x: Any, y: Any, y_pred: Any, sample_weight: Any = None, **more: Any) -> Any:
            self.guard(note_labels, y, y_pred, sample_weight)
            return compute_metrics(x, y, y_pred, sample_weight, **more)

        with contextlib.ExitStack() as stack:
            stack.enter_context(replaced(model, "compute_metrics", watched))
            if tracker is not None:
                update = tracker.update_state

                def update_state(values: Any, *args: Any, **kwargs: Any) -> Any:
                    self.guard(note_loss, values)
                    return update(values, *args, **kwargs)

                stack.enter_context(replaced(tracker, "update_state", update_state))
            yield

    def collect(self) -> Captured | None:
        """Results of the last captured step, once; None if no optimizer ran in it."""
        if self._pending is None:
            return None
        (step, log2, linear, logs, results), self._pending = self._pending, None
        calls, loss = results["calls"], results["loss"]
        if self.failure is not None or not calls:
            return None
        calls, loss = jax.device_get((calls, loss))
        if self._pictures.wanted:
            jax.effects_barrier()
        counts = np.concatenate([c["log2"] for c in calls]) if log2 and self._histograms else None
        buckets = (
            np.concatenate([c["linear"] for c in calls]) if linear and self._histograms else None
        )
        told = "total" in loss or "loss" in logs
        total = float(loss["total"] if "total" in loss else logs["loss"]) if told else float("nan")
        return Captured(
            step=step,
            variables=[v for variables in self._variables for v in variables],
            statistics=np.concatenate([c["table"] for c in calls]),
            scale=np.concatenate(
                [
                    np.full(len(v), float(c["scale"]))
                    for c, v in zip(calls, self._variables, strict=True)
                ]
            ),
            learning_rate=shortest(float(calls[0]["rate"])),
            loss=total,
            data_loss=float(loss.get("data", total)),
            loss_reported=told,
            labels=loss.get("moments"),
            counts=counts,
            linear=buckets,
            maps=self._pictures.given([len(v) for v in self._variables]),
        )

    def weight_histograms(self, variables: list[keras.Variable]) -> np.ndarray:
        """float32 [variables, buckets, 3] of the weights now."""
        if not variables:
            return np.zeros([0, bins.STOCK_BUCKETS, 3], np.float32)
        return np.asarray(_weight_histograms([v.value for v in variables]))

    def weight_counts(self, variables: list[keras.Variable]) -> np.ndarray:
        """[variables, DEVICE_BINS] counts of the elements of the weights now."""
        return np.asarray(_weight_counts([v.value for v in variables]))


_weight_histograms = jax.jit(stats.linear_histograms)
_weight_counts = jax.jit(stats.log2_counts)


class _Beside:
    """An iterator over (batch of ``iterator``, ``wish``)."""

    def __init__(self, iterator: Any, wish: np.ndarray):
        self._iterator = iterator
        self._wish = wish

    def __iter__(self) -> _Beside:
        return self

    def __next__(self) -> tuple[Any, np.ndarray]:
        return next(self._iterator), self._wish


def _if(wanted: Any, make: Callable[..., Any], shape: tuple[int, ...], grads: list[Any]) -> Any:
    """``make(grads)`` if wanted, else zeros; one branch is computed."""
    nothing = lambda _: jnp.zeros(shape, jnp.float32)  # noqa: E731
    if isinstance(wanted, (bool, np.bool_)):  # not compiled
        return make(grads) if wanted else nothing(grads)
    return jax.lax.cond(wanted, make, nothing, grads)


def _loss_scale(optimizer: Any) -> Any:
    """Factor by which the gradients that the optimizer receives are multiplied; float32 []."""
    if isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        scale = optimizer.dynamic_scale
    else:
        scale = getattr(optimizer, "loss_scale_factor", None) or 1.0
    return jnp.asarray(_value(scale), jnp.float32)


def _learning_rate(optimizer: Any) -> Any:
    """The rate that the optimizer's call uses; float32 [], negative if it has none."""
    return jnp.asarray(_value(getattr(optimizer, "learning_rate", -1.0)), jnp.float32)


def _value(value: Any) -> Any:
    return value.value if isinstance(value, keras.Variable) else value
