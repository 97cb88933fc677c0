"""Rows of numbers of variables and layers, by NumPy in float64: nothing of the product is used."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import tensorflow as tf

from benchmarks.diagnosis.recording import LAYER_COLUMNS


def norm(values: np.ndarray) -> float:
    """L2 norm in float64, without the threads of a BLAS."""
    return math.sqrt(float(np.sum(np.square(values, dtype=np.float64))))


def variable_row(g: np.ndarray | None, before: np.ndarray, after: np.ndarray) -> list[float]:
    """``STATISTICS_COLUMNS`` and ``VARIABLE_COLUMNS`` of one variable, in float64."""
    if g is None:
        return [math.nan] * 14
    g = np.asarray(g, np.float64).ravel()
    before, after = before.astype(np.float64), after.astype(np.float64)
    finite = g[np.isfinite(g)]
    some = finite if len(finite) else np.full(1, np.nan)
    magnitude = np.abs(some)
    zero = float(np.mean(g == 0.0))
    return [
        norm(finite),
        some.mean(),
        some.std(),
        some.min(),
        some.max(),
        zero,
        float(np.isnan(g).sum()),
        float(np.isinf(g).sum()),
        norm(before),
        norm(after - before),
        magnitude.mean(),
        magnitude.max(),
        zero,
        float(np.abs(before).max(initial=0.0)),
    ]


def layer_row(out: np.ndarray | None, gradient: np.ndarray | None, act: str | None) -> list[float]:
    """``LAYER_COLUMNS`` of one layer."""
    if out is None:
        return [math.nan] * len(LAYER_COLUMNS)
    out = np.asarray(out, np.float32)
    finite = out[np.isfinite(out)].astype(np.float64)
    some = finite if finite.size else np.full(1, np.nan)
    units = out.reshape(-1, out.shape[-1]) if out.ndim else out.reshape(1, 1)
    saturated = flat = extreme = math.nan
    if act == "tanh":
        size = np.abs(units)
        saturated, flat = np.mean(size > 0.99), np.mean(size > np.tanh(5.0))
        extreme = np.mean(np.mean(size >= np.float32(1.0 - 1e-7), axis=0) > 0.99)
    elif act == "sigmoid":
        saturated = np.mean((units < 0.01) | (units > 0.99))
        edge = 1.0 / (1.0 + math.exp(5.0))
        flat = np.mean((units < edge) | (units > 1.0 - edge))
        limit = (units < 1.026e-10) | (units >= np.float32(1.0 - 6e-8))
        extreme = np.mean(np.mean(limit, axis=0) > 0.99)
    return [
        some.mean(),
        some.std(),
        np.abs(some).max(),
        float(np.mean(~np.isfinite(out))),
        float(np.mean(out == 0.0)),
        float(np.mean((units == 0.0).all(axis=0))),
        float(saturated),
        math.nan if gradient is None else norm(gradient),
        float(np.mean(units <= 0.0)),
        float(np.mean(np.mean(units > 0.0, axis=0) < 0.01)),
        float(flat),
        float(extreme),
    ]


def summary(arrays: Any) -> list[float]:
    """Mean, standard deviation and largest |element| of arrays of numbers, NaN for none."""
    parts = [np.asarray(a, np.float64).ravel() for a in tf.nest.flatten(arrays)]
    flat = np.concatenate(parts)
    return [flat.mean(), flat.std(), np.abs(flat).max()] if flat.size else [math.nan] * 3
