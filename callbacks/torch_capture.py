"""Capture on PyTorch: Keras's train step runs eagerly, so the user's own is borrowed as it is.

While it runs, the outermost optimizer's ``apply`` and the model's ``compute_loss`` are watched.
What they leave stays on the device until the step is collected.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection
from typing import Any, NamedTuple

import keras
import numpy as np
import torch

from tb_gradplugin import bins
from tb_gradplugin.gradient_map import reduced
from tb_gradplugin.metadata import STATISTICS_COLUMNS

from . import host_statistics
from . import torch_statistics as stats
from .baseline import label_moments
from .borrowed_step import BorrowedStep, set_train_function, shortest
from .capture import Captured

NAN = float("nan")


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


class TorchCapture(BorrowedStep):
    """See ``capture.Capture``.

    Raises:
        NotImplementedError: the model is compiled with ``jit_compile=True``.
    """

    def __init__(self, model: Any, optimizers: Any, *, updates: bool):
        if model.jit_compile:
            raise NotImplementedError(
                "GradientMonitor does not see into a train step that torch.compile compiles: "
                "compile the model with jit_compile=False (Keras's default on PyTorch)."
            )
        super().__init__(model, optimizers, updates=updates)
        self._calls: list[_Call] = []
        self._loss: _Loss | None = None
        self._wish = (False, False)
        self._mapped: set[int] = set()
        self._pending: tuple[int, Any] | None = None

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
        self._mapped = {id(v) for v in maps}
        self.disarm()
        plain = self._model.train_function
        self.is_new(plain)

        def one_shot(data: Any) -> Any:
            set_train_function(self._model, plain)
            self._calls, self._loss, self._pending = [], None, None
            self._wish = log2, linear
            with contextlib.ExitStack() as stack:
                stack.enter_context(self.watched_loss(self._note_loss))
                stack.enter_context(self.watched_calls())
                stack.enter_context(self.watched_optimizers(self._watch_apply))
                out = plain(data)
            self._pending = step, out
            return out

        self.lend(plain, one_shot)

    def _watch_apply(self, optimizer: Any, original: Callable[..., Any]) -> Callable[..., Any]:
        def apply(grads: Any, trainable_variables: Any = None) -> Any:
            if self._inside:
                return original(grads, trainable_variables)
            grads = list(grads)
            variables = trainable_variables
            variables = list(optimizer._trainable_variables if variables is None else variables)
            with torch.no_grad():
                # Before the optimizer's call, which might work on the gradients in place.
                call = self.guard(self._measured, optimizer, grads, variables)
                old = self.guard(self._copies, variables)
            self._inside = True
            try:
                out = original(grads, trainable_variables)
            finally:
                self._inside = False
            if self.failure is None:
                with torch.no_grad():
                    self.guard(self._note_call, call, old)
            return out

        return apply

    def _measured(self, optimizer: Any, grads: list[Any], variables: list[Any]) -> _Call:
        grads = [None if g is None or g.numel() == 0 else g.detach() for g in grads]
        log2, linear = self._wish
        return _Call(
            variables,
            grads,
            _loss_scale(optimizer),
            _copied(getattr(optimizer, "learning_rate", -1.0)),
            stats.sums(grads),
            None,
            stats.log2_counts(grads) if log2 else None,
            stats.linear_histograms(grads) if linear else None,
        )

    def _copies(self, variables: list[Any]) -> list[torch.Tensor]:
        return [_value(v).detach().clone() for v in variables] if self._updates else []

    def _note_call(self, call: _Call, old: list[torch.Tensor]) -> None:
        if old:
            new = [_value(v).detach() for v in call.variables]
            # The difference of nearly equal numbers is taken before anything is rounded.
            change = [b - a for a, b in zip(old, new, strict=True)]
            norms = torch.stack([stats.l2_norms(old), stats.l2_norms(change)], dim=1)
            call = call._replace(norms=norms)
        self._calls.append(call)

    def _note_loss(self, loss: Any, given: dict[str, Any]) -> None:
        with torch.no_grad():
            total = loss.detach().sum()
            extra = [term.detach().sum() for term in self._model.losses]
            moments = None
            with contextlib.suppress(Exception):  # labels of a kind not thought of: unknown
                moments = label_moments(
                    self._model, given.get("y"), given.get("y_pred"), given.get("sample_weight")
                )
            self._loss = _Loss(total, total - sum(extra), moments)

    def collect(self) -> Captured | None:
        """Results of the last captured step, once; None if no optimizer ran in it."""
        if self._pending is None:
            return None
        (step, logs), self._pending = self._pending, None
        calls, self._calls = self._calls, []
        loss, self._loss = self._loss, None
        if self.failure is not None or not calls:
            return None
        total = data = NAN
        reported = True
        if loss is not None:
            total, data = float(loss.total), float(loss.data)
        elif isinstance(logs, dict) and "loss" in logs:
            total = data = float(logs["loss"])
        else:
            reported = False
        moments = None if loss is None or loss.moments is None else _host(loss.moments)
        pictures = {
            i: reduced(_host(gradient))
            for i, (v, gradient) in enumerate(
                (v, g) for c in calls for v, g in zip(c.variables, c.gradients, strict=True)
            )
            if id(v) in self._mapped and gradient is not None and not gradient.is_sparse
        }
        scales = [np.full(len(call.variables), float(_host(call.scale))) for call in calls]
        return Captured(
            step=step,
            variables=[v for call in calls for v in call.variables],
            statistics=np.concatenate([_table(call) for call in calls]),
            scale=np.concatenate(scales),
            learning_rate=shortest(float(_host(calls[0].rate))),
            loss=total,
            data_loss=data,
            loss_reported=reported,
            labels=moments,
            counts=_joined([call.counts for call in calls]),
            linear=_joined([call.linear for call in calls]),
            maps=pictures,
        )

    def weight_histograms(self, variables: list[keras.Variable]) -> np.ndarray:
        """float32 [variables, buckets, 3] of the weights now."""
        if not variables:
            return np.zeros([0, bins.STOCK_BUCKETS, 3], np.float32)
        with torch.no_grad():
            return _host(stats.linear_histograms([_value(v) for v in variables]))

    def weight_counts(self, variables: list[keras.Variable]) -> np.ndarray:
        """[variables, DEVICE_BINS] counts of the elements of the weights now."""
        with torch.no_grad():
            return _host(stats.log2_counts([_value(v) for v in variables]))


def _table(call: _Call) -> np.ndarray:
    """float32 [variables, STATISTICS_COLUMNS] of one call."""
    table = np.full([len(call.variables), len(STATISTICS_COLUMNS)], np.nan)
    present = [i for i, g in enumerate(call.gradients) if g is not None]
    given = [g for g in call.gradients if g is not None]
    sizes = np.array([g.numel() for g in given], np.float64)
    rows, doubtful = host_statistics.described(_host(call.sums)[present], sizes)
    for i in np.flatnonzero(doubtful):
        rows[i] = host_statistics.careful(_host(stats.flat(given[i])))
    table[present, :8] = rows
    if call.norms is not None:
        table[present, 8:] = _host(call.norms)[present]
    return table.astype(np.float32)


def _joined(parts: list[torch.Tensor | None]) -> np.ndarray | None:
    arrays = [_host(part).astype(np.float32) for part in parts if part is not None]
    return np.concatenate(arrays) if len(arrays) == len(parts) else None


def _value(variable: Any) -> Any:
    return variable.value if isinstance(variable, keras.Variable) else variable


def _copied(value: Any) -> Any:
    """A number or variable as it is now."""
    value = _value(value)
    return value.detach().clone() if torch.is_tensor(value) else value


def _loss_scale(optimizer: Any) -> Any:
    """Factor by which the gradients handed to ``optimizer.apply`` are multiplied."""
    if isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        return _copied(optimizer.dynamic_scale if optimizer.built else optimizer.initial_scale)
    return getattr(optimizer, "loss_scale_factor", None) or 1.0


def _host(value: Any) -> np.ndarray:
    return value.detach().cpu().numpy() if torch.is_tensor(value) else np.asarray(value)
