"""Capture on JAX: a second train step, whose results are a further output.

The instrumented step is compiled like the user's own.  What an optimizer receives is measured where
``stateless_apply`` is called; results leave the step beside its logs and are taken off before Keras
sees them.  Whether histograms are wanted comes in beside the batch, so that there is one function
to compile.  No variable of ours exists, and ``model`` is not asked for: that would synchronise.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import keras
import numpy as np
from jax.experimental import io_callback

from tb_gradplugin import bins

from . import jax_statistics as stats
from .borrowed_step import (
    learning_rate,
    loss_scale,
    replaced,
    set_train_function,
)
from .capture import Capture, Wish
from .captured import Captured, picturable, shortest
from .jax_probe import Probe


class JaxCapture(Capture):
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
        self._wanted: Any = None  # bool [3]: which kinds of histogram, and pictures
        # Of each call, fixed when it is traced: the variables.
        self._variables: list[list[Any]] = []
        self._pending: tuple[Wish, Any, Any] | None = None

    def _build(self, plain: Any) -> None:
        self._instrumented = self._twin(plain)
        self._probe = Probe(self._model, histograms=self._histograms)

    def _one_shot(self, plain: Any, wish: Wish) -> Callable[..., Any]:
        instrumented = self._instrumented
        assert instrumented is not None
        histograms = self._histograms
        wish = wish._replace(log2=wish.log2 and histograms, linear=wish.linear and histograms)
        wanted = np.array([wish.log2, wish.linear, bool(wish.maps)])

        def one_shot(state: Any, iterator: Any) -> Any:
            set_train_function(self._model, plain)
            self._pending = None
            if wish.probe:
                # The first step of an execution: it alone has the state that comes in.
                batch = next(iterator)
                self._probe.look(state, batch)
                iterator = itertools.chain([batch], iterator)
            with self._watched_optimizers():
                (logs, results), state = instrumented(state, _Beside(iterator, wanted))
            self._pending = wish, logs, results
            return logs, state

        return one_shot

    def _twin(self, plain: Any) -> Callable[..., Any]:
        """The train function once more, instrumented when it is traced."""
        original = self._model.train_step

        def train_step(state: Any, data_and_wanted: Any) -> Any:
            data, self._wanted = data_and_wanted
            self._found, self._loss, self._variables = [], {}, []
            self._only_weights = True
            with contextlib.ExitStack() as stack:
                stack.enter_context(self._watched_loss(self._note_terms))
                stack.enter_context(self._watched_metrics(state[0]))
                stack.enter_context(self._watched_calls())
                logs, state = original(state, data)
            return (logs, {"calls": self._found, "loss": self._loss}), state

        return self._made_with(train_step, plain)

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
                self._guard(self._note_call, optimizer, optimizer_variables, grads, before, out[0])
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
            told = loss_scale(optimizer), learning_rate(optimizer)
            scale, rate = (jnp.asarray(value, jnp.float32) for value in told)
        found = {"table": table, "scale": scale, "rate": rate}
        if self._histograms:
            n = len(grads)
            shapes = {"log2": (n, bins.DEVICE_BINS), "linear": (n, bins.STOCK_BUCKETS, 3)}
            functions = (stats.log2_counts, stats.linear_histograms)
            for (name, shape), make, wanted in zip(
                shapes.items(), functions, self._wanted[:2], strict=True
            ):
                found[name] = _if(wanted, make, shape, grads)
        self._variables.append(list(optimizer._trainable_variables))
        self._found.append(found)

    def _hand_over(self, variables: list[Any], grads: list[Any]) -> None:
        """Gradients go to the host where pictures of them are wanted."""
        places = [i for i, g in enumerate(grads) if picturable(g)]
        given = [grads[i] for i in places]
        take = self._map_taker(len(self._found), variables, places)
        wanted = self._wanted[2]
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

        def watched(x: Any, y: Any, y_pred: Any, sample_weight: Any = None, **more: Any) -> Any:
            given = {"y": y, "y_pred": y_pred, "sample_weight": sample_weight}
            moments = self._label_moments(given)
            self._loss |= {} if moments is None else {"moments": moments}
            return compute_metrics(x, y, y_pred, sample_weight, **more)

        with contextlib.ExitStack() as stack:
            stack.enter_context(replaced(model, "compute_metrics", watched))
            if tracker is not None:
                update = tracker.update_state

                def update_state(values: Any, *args: Any, **kwargs: Any) -> Any:
                    self._guard(note_loss, values)
                    return update(values, *args, **kwargs)

                stack.enter_context(replaced(tracker, "update_state", update_state))
            yield

    def collect(self) -> Captured | None:
        """See ``Capture``."""
        if self._pending is None:
            return None
        (wish, logs, results), self._pending = self._pending, None
        calls, loss = results["calls"], results["loss"]
        if self.failure is not None or not calls:
            return None
        calls, loss = jax.device_get((calls, loss))
        if wish.maps:
            jax.effects_barrier()
        total = float(loss["total"]) if "total" in loss else self._loss_told(logs)
        known = float("nan") if total is None else total
        sizes = [len(variables) for variables in self._variables]
        return Captured(
            step=wish.step,
            variables=[v for variables in self._variables for v in variables],
            statistics=np.concatenate([c["table"] for c in calls]),
            scale=np.repeat([float(c["scale"]) for c in calls], sizes),
            learning_rate=shortest(float(calls[0]["rate"])),
            loss=known,
            data_loss=float(loss.get("data", known)),
            loss_reported=total is not None,
            labels=loss.get("moments"),
            counts=np.concatenate([c["log2"] for c in calls]) if wish.log2 else None,
            linear=np.concatenate([c["linear"] for c in calls]) if wish.linear else None,
            probe=self._collect_probe() if wish.probe else None,
            maps=self._take_maps(sizes),
        )

    def weight_histograms(self, variables: list[keras.Variable]) -> np.ndarray:
        """See ``Capture``."""
        if not variables:
            return np.zeros([0, bins.STOCK_BUCKETS, 3], np.float32)
        return np.asarray(_weight_histograms([v.value for v in variables]))

    def weight_counts(self, variables: list[keras.Variable]) -> np.ndarray:
        """See ``Capture``."""
        return np.asarray(_weight_counts([v.value for v in variables]))


_weight_histograms = jax.jit(stats.linear_histograms)
_weight_counts = jax.jit(stats.log2_counts)


class _Beside:
    """An iterator over (batch of ``iterator``, ``wanted``)."""

    def __init__(self, iterator: Any, wanted: np.ndarray):
        self._iterator = iterator
        self._wanted = wanted

    def __iter__(self) -> _Beside:
        return self

    def __next__(self) -> tuple[Any, np.ndarray]:
        return next(self._iterator), self._wanted


def _if(wanted: Any, make: Callable[..., Any], shape: tuple[int, ...], grads: list[Any]) -> Any:
    """``make(grads)`` if wanted, else zeros; one branch is computed."""
    nothing = lambda _: jnp.zeros(shape, jnp.float32)  # noqa: E731
    if isinstance(wanted, (bool, np.bool_)):  # not compiled
        return make(grads) if wanted else nothing(grads)
    return jax.lax.cond(wanted, make, nothing, grads)
