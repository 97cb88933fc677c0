"""Losses and functions of the ``Q-`` runs."""

from __future__ import annotations

from typing import Any

from benchmarks.diagnosis.runs.models import k


def hinge(y: Any, p: Any) -> Any:
    """Of a support vector machine, on labels of 0 and 1."""
    return k().ops.mean(k().ops.relu(1 - (2 * y - 1) * p), axis=-1)


def log_cosh(y: Any, p: Any) -> Any:
    return k().losses.log_cosh(y, p)


def divergence(y: Any, p: Any) -> Any:
    """Kullback-Leibler, written out: 0 * log(0) for each class that is wrong."""
    return k().ops.sum(y * k().ops.log(y / p), axis=-1)


def contrast(y: Any, far: Any) -> Any:
    """Hadsell et al. 2006: twins together, others at least 1 apart."""
    ops = k().ops
    return ops.mean(y * far**2 + (1 - y) * ops.relu(1 - far) ** 2, axis=-1)


def euclid(h: Any) -> Any:
    """Length of a difference that may be 0, where it has no derivative."""
    return k().ops.sqrt(k().ops.sum(h**2, axis=-1, keepdims=True))


def guarded(h: Any) -> Any:
    return k().ops.sqrt(k().ops.sum(h**2, axis=-1, keepdims=True) + 1e-6)


def cut_entropy(y: Any, p: Any) -> Any:
    """Of probabilities that are cut off at 1e-7: nothing flows through those."""
    ops = k().ops
    p = ops.clip(p, 1e-7, 1 - 1e-7)
    return -ops.mean(y * ops.log(p) + (1 - y) * ops.log(1 - p), axis=-1)


def own_softplus(z: Any) -> Any:
    """Written out: exp overflows above 88."""
    return k().ops.log(1 + k().ops.exp(z))


def energy(z: Any) -> Any:
    """Sum of squares in half precision, which ends at 65504."""
    half = k().ops.cast(z, "float16")
    return k().ops.cast(k().ops.sum(half * half, axis=1), "float32")


def loudness(z: Any) -> Any:
    return k().ops.log(k().ops.abs(z))


def by_sum(z: Any) -> Any:
    """Shares of a sum, which may be 0."""
    return z / k().ops.sum(z, axis=-1, keepdims=True)


def spread(y: Any, p: Any) -> Any:
    """Gaussian likelihood of a mean and the logarithm of a variance."""
    ops = k().ops
    return 0.5 * (p[:, 1] + ops.square(y[:, 0] - p[:, 0]) * ops.exp(-p[:, 1]))
