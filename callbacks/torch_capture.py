"""Capture on PyTorch: Keras's train step runs eagerly, so the user's own is borrowed as it is.

While it runs, the outermost optimizer's ``apply`` and the model's ``compute_loss`` are watched.
What they leave stays on the device until the step is collected.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any, NamedTuple

import keras
import numpy as np
import torch

from tb_gradplugin import bins

from . import torch_statistics as stats
from .borrowed_step import (
    learning_rate,
    loss_scale,
    set_train_function,
    value_of,
    variables_of,
)
from .capture import Capture, Wish
from .captured import Captured, picturable, shortest
from .torch_probe import Probe


class _Call(NamedTuple):
    """What one call of an optimizer left, on the device."""

    variables: list[Any]
    gradients: list[torch.Tensor | None]
    scale: Any
    rate: Any
    sums: torch.Tensor
    norms: torch.Tensor | None
    counts: torch.Tensor | None
    linear: torch.Tensor | None


class _Loss(NamedTuple):
    """The latest loss of the step, that of the data, and the label moments; on the device."""

    total: torch.Tensor
    data: torch.Tensor
    moments: torch.Tensor | None


class TorchCapture(Capture):
    """See ``capture.Capture``.

    Raises:
        NotImplementedError: the model is compiled with ``jit_compile=True``.
    """

    def __init__(self, model: Any, optimizers: Any, *, updates: bool, histograms: bool):
        if model.jit_compile:
            raise NotImplementedError(
                "GradientMonitor does not see into a train step that torch.compile compiles: "
                "compile the model with jit_compile=False (Keras's default on PyTorch)."
            )
        super().__init__(model, optimizers, updates=updates)
        self._histograms = histograms
        self._calls: list[_Call] = []
        self._loss: _Loss | None = None
        self._wish: Wish | None = None
        self._pending: tuple[Wish, Any] | None = None

    def _build(self, plain: Any) -> None:
        """Nothing: the user's own function is what runs."""

    def _one_shot(self, plain: Any, wish: Wish) -> Callable[..., Any]:
        def one_shot(data: Any) -> Any:
            set_train_function(self._model, plain)
            self._calls, self._loss, self._pending = [], None, None
            self._wish = wish
            probe = Probe(self._model, histograms=self._histograms) if wish.probe else None
            self._probe = probe
            with contextlib.ExitStack() as stack:
                stack.enter_context(self._watched_loss(self._note_loss))
                stack.enter_context(self._watched_calls())
                stack.enter_context(self._watched_optimizers())
                if probe is not None:
                    stack.enter_context(probe.watching(data))
                out = plain(data)
            self._pending = wish, out
            return out

        return one_shot

    def _watch_apply(self, optimizer: Any, original: Callable[..., Any]) -> Callable[..., Any]:
        def apply(grads: Any, trainable_variables: Any = None) -> Any:
            if self._inside:
                return original(grads, trainable_variables)
            grads, variables = list(grads), variables_of(optimizer, trainable_variables)
            with torch.no_grad():
                # Before the optimizer's call, which might work on the gradients in place.
                call = self._guard(self._measured, optimizer, grads, variables)
                old = self._guard(self._copies, variables)
            self._inside = True
            try:
                out = original(grads, trainable_variables)
            finally:
                self._inside = False
            if self.failure is None:
                with torch.no_grad():
                    self._guard(self._note_call, call, old)
            return out

        return apply

    def _measured(self, optimizer: Any, grads: list[Any], variables: list[Any]) -> _Call:
        grads = [None if g is None or g.numel() == 0 else g.detach() for g in grads]
        wish = self._wish
        assert wish is not None
        return _Call(
            variables,
            grads,
            _copied(loss_scale(optimizer)),
            _copied(learning_rate(optimizer)),
            stats.sums(grads),
            None,
            stats.log2_counts(grads) if wish.log2 else None,
            stats.linear_histograms(grads) if wish.linear else None,
        )

    def _copies(self, variables: list[Any]) -> list[torch.Tensor]:
        return [value_of(v).detach().clone() for v in variables] if self._updates else []

    def _note_call(self, call: _Call, old: list[torch.Tensor]) -> None:
        if old:
            new = [value_of(v).detach() for v in call.variables]
            # The difference of nearly equal numbers is taken before anything is rounded.
            change = [b - a for a, b in zip(old, new, strict=True)]
            norms = torch.stack([stats.l2_norms(old), stats.l2_norms(change)], dim=1)
            call = call._replace(norms=norms)
        self._calls.append(call)

    def _note_loss(self, loss: Any, given: dict[str, Any]) -> None:
        if self._probe is not None:
            self._probe.note_loss(given)
        with torch.no_grad():
            total = loss.detach().sum()
            extra = [term.detach().sum() for term in self._model.losses]
            self._loss = _Loss(total, total - sum(extra), self._label_moments(given))

    def collect(self) -> Captured | None:
        """See ``Capture``."""
        if self._pending is None:
            return None
        (wish, logs), self._pending = self._pending, None
        calls, self._calls = self._calls, []
        loss, self._loss = self._loss, None
        if self.failure is not None or not calls:
            return None
        total = self._loss_told(logs) if loss is None else float(loss.total)
        known = float("nan") if total is None else total
        for index, call in enumerate(calls):
            for place, (v, g) in enumerate(zip(call.variables, call.gradients, strict=True)):
                if id(v) in wish.maps and g is not None and picturable(g) and not g.is_sparse:
                    self._keep_map(index, place, stats.on_host(g))
        sizes = [len(call.variables) for call in calls]
        return Captured(
            step=wish.step,
            variables=[v for call in calls for v in call.variables],
            statistics=np.concatenate([stats.table(c.gradients, c.sums, c.norms) for c in calls]),
            scale=np.repeat([float(stats.on_host(call.scale)) for call in calls], sizes),
            learning_rate=shortest(float(stats.on_host(calls[0].rate))),
            loss=known,
            data_loss=known if loss is None else float(loss.data),
            loss_reported=total is not None,
            labels=None if loss is None or loss.moments is None else stats.on_host(loss.moments),
            counts=_joined([call.counts for call in calls]),
            linear=_joined([call.linear for call in calls]),
            probe=self._collect_probe() if wish.probe else None,
            maps=self._take_maps(sizes),
        )

    def weight_histograms(self, variables: list[keras.Variable]) -> np.ndarray:
        """See ``Capture``."""
        if not variables:
            return np.zeros([0, bins.STOCK_BUCKETS, 3], np.float32)
        with torch.no_grad():
            return stats.on_host(stats.linear_histograms([value_of(v) for v in variables]))

    def weight_counts(self, variables: list[keras.Variable]) -> np.ndarray:
        """See ``Capture``."""
        with torch.no_grad():
            return stats.on_host(stats.log2_counts([value_of(v) for v in variables]))


def _joined(parts: list[torch.Tensor | None]) -> np.ndarray | None:
    arrays = [stats.on_host(part).astype(np.float32) for part in parts if part is not None]
    return np.concatenate(arrays) if len(arrays) == len(parts) else None


def _copied(value: Any) -> Any:
    """A number or tensor as it is now."""
    return value.detach().clone() if torch.is_tensor(value) else value
