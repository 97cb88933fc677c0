"""Losses and functions of the ``W-`` runs."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.diagnosis.runs.blind_data import DATA
from benchmarks.diagnosis.runs.models import k
from benchmarks.diagnosis.runs.unseen_data import Data


def both(data: str) -> Data:
    """Which notes sound, and in an eighth column how loud it is, in decibels."""
    x, y = DATA[data]()
    loud = 10 * np.log10(1 + x.sum(1, keepdims=True))
    return x, np.concatenate([y, loud - loud.mean()], 1)


def alarm_and_level(y: Any, p: Any) -> Any:
    """Cross-entropy of seven logits, and a tenth of the squared error of the eighth column."""
    ops = k().ops
    entropy = ops.binary_crossentropy(y[:, :7], p[:, :7], from_logits=True)
    return ops.mean(entropy, axis=-1) + 0.1 * ops.square(y[:, 7] - p[:, 7])


def pinball(y: Any, p: Any) -> Any:
    """Loss of the quantile of 80 %."""
    error = y - p
    return k().ops.mean(k().ops.maximum(0.8 * error, -0.2 * error), axis=-1)


def length(v: Any) -> Any:
    """Length of vectors, which has no derivative where it is 0."""
    return k().ops.sqrt(k().ops.sum(k().ops.square(v), axis=1, keepdims=True))


def separation(h: Any) -> Any:
    """Distances of all rows of a set to each other, and to themselves: a root of 0."""
    ops = k().ops
    return ops.sqrt(ops.sum(ops.square(h[:, :, None] - h[:, None]), axis=-1))


def root(h: Any) -> Any:
    """Root of what a ReLU lets through: no derivative at 0."""
    return k().ops.sqrt(k().ops.relu(h))


def own_tanh(z: Any) -> Any:
    """Written out: infinity over infinity where exp overflows."""
    up, down = k().ops.exp(z), k().ops.exp(-z)
    return (up - down) / (up + down)


def decibel(z: Any) -> Any:
    """Logarithm of a spectrum that may be 0."""
    return k().ops.log(z)


def window(z: Any) -> Any:
    """Each window standardised by its own deviation, which may be 0."""
    ops = k().ops
    return (z - ops.mean(z, axis=1, keepdims=True)) / ops.std(z, axis=1, keepdims=True)
