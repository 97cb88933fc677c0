"""Losses of the runs, and the best constant prediction for each."""

from __future__ import annotations

import math
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from benchmarks.diagnosis.runs.base import Setup

KERAS_NAMES = {
    "bce": "binary_crossentropy",
    "cce": "categorical_crossentropy",
    "mse": "mean_squared_error",
    "mae": "mean_absolute_error",
    "huber": "huber",
}


LOGITS = "+logits"
"""Ends the name of a cross-entropy whose last layer has no activation: a remedy makes such."""


def on_logits(setup: Setup) -> bool:
    """Whether the loss takes logits."""
    return isinstance(setup.loss, str) and setup.loss.endswith(LOGITS)


def name(setup: Setup) -> Any:
    """The loss, without saying whether it takes logits."""
    return setup.loss.removesuffix(LOGITS) if isinstance(setup.loss, str) else setup.loss


def losses(setup: Setup, y: Any, p: Any) -> Any:
    """Loss of each row of the batch."""
    if callable(setup.loss):
        return setup.loss(y, p)
    if setup.strip:
        p = tf.identity(p)
    if setup.loss == "nll":  # hand-written cross-entropy: log(0) once a probability underflows
        return -tf.reduce_sum(y * tf.math.log(p), axis=-1)
    if setup.loss == "half-mse":
        return 0.5 * keras.losses.mean_squared_error(y, p)
    if on_logits(setup):
        return getattr(keras.losses, KERAS_NAMES[name(setup)])(y, p, from_logits=True)
    return getattr(keras.losses, KERAS_NAMES[setup.loss])(y, p)


def constant_loss(setup: Setup, y: np.ndarray) -> float:
    """Loss of the best constant prediction for the rows ``y``; NaN where it is not known."""
    if setup.baseline is not None:
        return float(setup.baseline)
    if callable(setup.loss):
        return math.nan
    y, loss = y.astype(np.float64), name(setup)
    mean = y.mean(0)
    if loss == "bce":
        p = np.clip(mean, 1e-12, 1 - 1e-12)
        value = np.mean(-p * np.log(p) - (1 - p) * np.log(1 - p))
    elif loss in ("cce", "nll"):
        p = np.clip(mean / mean.sum(), 1e-12, 1)
        value = -np.sum(p * np.log(p))
    elif setup.loss == "mae":
        value = np.mean(np.abs(y - np.median(y, axis=0)))
    elif setup.loss == "huber":
        grid = np.linspace(y.min(0), y.max(0), 201)[:, None]
        error = np.abs(y - grid)
        value = np.where(error <= 1, 0.5 * error**2, error - 0.5).mean(1).min(0).mean()
    else:
        value = np.mean(y.var(0)) * (0.5 if setup.loss == "half-mse" else 1.0)
    return float(value * setup.factor)


def accuracy(setup: Setup, y: np.ndarray, p: np.ndarray) -> float:
    """Share of right classes; NaN where the task is no classification."""
    if name(setup) in ("cce", "nll"):
        return float(np.mean(y.argmax(-1) == p.argmax(-1)))
    if name(setup) == "bce" and np.isin(y, (0, 1)).all():
        return float(np.mean((p > (0.0 if on_logits(setup) else 0.5)) == (y > 0.5)))
    return math.nan
