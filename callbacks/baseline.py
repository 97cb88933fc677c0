"""Loss of the best constant prediction: what a model that ignores its input can reach.

Categorical cross-entropy: entropy of the mean label, -sum_c p_c log p_c.
Binary cross-entropy: mean over outputs of -p log p - (1 - p) log(1 - p).
Mean squared error: mean over outputs of E[y^2] - E[y]^2.
Other losses: unknown (NaN).
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops

MAX_CLASSES = 4096
"""Larger outputs are not tracked: their moments would cost more than they tell."""

MAX_LABELS = 1024
"""Sparse labels looked at per batch: enough on average, and a bound on memory for sequences."""

MEANS = ("mean", "sum_over_batch_size", "mean_with_sample_weight")

_KINDS = {
    "categorical_crossentropy": "categorical",
    "sparse_categorical_crossentropy": "sparse",
    "binary_crossentropy": "binary",
    "mean_squared_error": "squared",
    "mse": "squared",
    "MSE": "squared",
}


def label_kind(loss: Any) -> str | None:
    """``"categorical"``, ``"sparse"``, ``"binary"``, ``"squared"`` or None if not known."""
    if isinstance(loss, keras.losses.Loss):
        loss = type(loss).__name__
        loss = {
            "CategoricalCrossentropy": "categorical_crossentropy",
            "SparseCategoricalCrossentropy": "sparse_categorical_crossentropy",
            "BinaryCrossentropy": "binary_crossentropy",
            "MeanSquaredError": "mean_squared_error",
        }.get(loss)
    elif callable(loss):
        loss = getattr(loss, "__name__", None)
    return _KINDS.get(loss) if isinstance(loss, str) else None


def label_moments(model: Any, y: Any, y_pred: Any, sample_weight: Any = None) -> Any | None:
    """First and second moment of the labels of a batch per output, in the graph.

    Args:
        model: as compiled; its ``loss`` must be a mean, or its value does not compare.
        y: labels of the batch, one tensor.
        y_pred: predictions, one tensor; tells the number of classes of sparse labels.
        sample_weight: None, or the moments are not known (class weights come as sample weights).

    Returns:
        float32 [2, outputs], or None where the constant prediction is not known.
    """
    kind = label_kind(model.loss)
    reduction = getattr(model.loss, "reduction", "mean")
    weights = getattr(getattr(model, "_compile_loss", None), "_user_loss_weights", None)
    if sample_weight is not None or weights is not None or reduction not in MEANS:
        return None
    if kind is None or y is None or not hasattr(y, "shape") or not hasattr(y_pred, "shape"):
        return None
    outputs = y_pred.shape[-1] if len(y_pred.shape) else None
    if not outputs or outputs > MAX_CLASSES:
        return None
    if kind == "sparse":
        flat: Any = ops.cast(ops.reshape(y, [-1]), "int32")
        y = ops.one_hot(flat[:MAX_LABELS], outputs, dtype="float32")
    elif outputs > 1 and (not y.shape or y.shape[-1] != outputs):
        return None  # labels that the loss broadcasts
    else:
        y = ops.reshape(ops.cast(y, "float32"), [-1, outputs])
    return ops.stack([ops.mean(y, axis=0), ops.mean(ops.square(y), axis=0)])


class BaselineLoss:
    """Averages label moments over the logged batches and gives the constant prediction's loss."""

    def __init__(self, loss: Any):
        self._kind = label_kind(loss)
        self._sum: np.ndarray | None = None
        self._batches = 0
        self.latest = float("nan")  # what ``update`` gave last

    def update(self, moments: np.ndarray | None) -> float:
        """Adds one batch's [2, outputs] moments; returns the loss so far, NaN if unknown."""
        self.latest = self._updated(moments)
        return self.latest

    def _updated(self, moments: np.ndarray | None) -> float:
        if moments is not None and np.all(np.isfinite(moments)):
            moments = np.asarray(moments, dtype=np.float64)
            self._sum = moments if self._sum is None else self._sum + moments
            self._batches += 1
        if self._sum is None or self._kind is None:
            return float("nan")
        mean, square = self._sum / self._batches
        if self._kind == "squared":
            return float(np.maximum(square - mean * mean, 0.0).sum()) / len(mean)
        if self._kind == "binary":
            return float(np.mean(_plogp(mean) + _plogp(1.0 - mean)))
        return float(np.sum(_plogp(mean / max(mean.sum(), 1e-12))))


def _plogp(p: np.ndarray) -> np.ndarray:
    p = np.clip(p, 0.0, 1.0)
    return -p * np.log(np.where(p > 0, p, 1.0))
