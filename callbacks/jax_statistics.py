"""Statistics and histograms of gradients in JAX: pure functions for use inside ``jit``.

XLA fuses all sums of one pass over a gradient and adds in a tree.  Small variables are measured
together, as rows of a matrix, so that a model of many layers still compiles quickly.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from tb_gradplugin import bins

from .host_statistics import grouped

Array = Any


class Rows(NamedTuple):
    """Some of the arrays, a row each: which, float32 [rows, width], and elements of each row."""

    which: list[int]
    matrix: Array
    sizes: np.ndarray

    @property
    def inside(self) -> np.ndarray:
        """bool [rows, width] or [rows, 1], False where a row is filled up with zeros."""
        if len(self.which) == 1:
            return np.ones((1, 1), bool)
        return np.arange(self.matrix.shape[1])[None] < self.sizes[:, None]


def in_rows(arrays: list[Array | None]) -> list[Rows]:
    """Arrays of a few elements together, by size; large ones alone."""
    some = {i: a for i, a in enumerate(arrays) if a is not None and a.size}
    out: list[Rows] = []
    for places in grouped({i: a.size for i, a in some.items()}):
        rows = [jnp.ravel(some[i]).astype(jnp.float32) for i in places]
        width = max(row.size for row in rows)
        padded = [jnp.pad(row, (0, width - row.size)) for row in rows]
        out.append(Rows(places, jnp.stack(padded), np.array([row.size for row in rows])))
    return out


def statistics(gradients: list[Array | None]) -> Array:
    """float32 [gradients, 8], the first of ``STATISTICS_COLUMNS``; rows of NaN for None.

    Divided by the largest element first, so that no square leaves float32's range.
    """
    parts = [(rows.which, _statistics(rows)) for rows in in_rows(gradients)]
    return _in_order(parts, len(gradients), (8,), jnp.nan)


def _statistics(rows: Rows) -> Array:
    g, inside, sizes = rows.matrix, rows.inside, rows.sizes
    finite = jnp.isfinite(g)
    x = jnp.where(finite, g, 0.0)  # what a row is filled up with is zero
    nan = jnp.sum(jnp.isnan(g), 1, dtype=jnp.int32)
    inf = jnp.sum(jnp.isinf(g), 1, dtype=jnp.int32)
    nonzero = jnp.sum(x != 0.0, 1, dtype=jnp.int32)
    count = sizes.astype(np.int32) - nan - inf
    some = count > 0
    counted = finite & inside
    low = jnp.where(some, jnp.min(jnp.where(counted, g, jnp.inf), 1), 0.0)
    high = jnp.where(some, jnp.max(jnp.where(counted, g, -jnp.inf), 1), 0.0)
    top = jnp.maximum(-low, high)
    unit = jnp.where(top > 0.0, top, 1.0)
    y = x / unit[:, None]
    n = jnp.maximum(count, 1).astype(jnp.float32)
    mean = jnp.sum(y, 1) / n
    deviation = jnp.where(counted, y - mean[:, None], 0.0)
    columns = (
        unit * jnp.sqrt(jnp.sum(jnp.square(y), 1)),
        unit * mean,
        unit * jnp.sqrt(jnp.sum(jnp.square(deviation), 1) / n),
        low,
        high,
        (count - nonzero) / sizes.astype(np.float32),
        nan,
        inf,
    )
    return jnp.stack([column.astype(jnp.float32) for column in columns], 1)


def l2_norms(arrays: list[Array]) -> Array:
    """float32 [arrays]: L2 norm of all elements of each."""
    parts = [
        (rows.which, jnp.sqrt(jnp.sum(jnp.square(rows.matrix), 1))) for rows in in_rows(arrays)
    ]
    return _in_order(parts, len(arrays), (), 0.0)


def log2_counts(gradients: list[Array | None]) -> Array:
    """float32 [gradients, DEVICE_BINS]: elements by sign, exponent and first mantissa bit."""
    parts = [(rows.which, _log2_counts(rows)) for rows in in_rows(gradients)]
    return _in_order(parts, len(gradients), (bins.DEVICE_BINS,), 0.0)


def _log2_counts(rows: Rows) -> Array:
    bits = jax.lax.bitcast_convert_type(rows.matrix, jnp.uint32) >> bins.DEVICE_SHIFT
    counts = _bincount(bits.astype(jnp.int32), bins.DEVICE_BINS)
    filling = rows.matrix.shape[1] - rows.sizes
    return counts.at[:, 0].add(-filling).astype(jnp.float32)


def linear_histograms(arrays: list[Array | None]) -> Array:
    """float32 [arrays, STOCK_BUCKETS, 3] of (left, right, count), as the Histograms tab reads.

    Counts of the finite elements in equal buckets between the smallest and largest of them.
    """
    parts = [(rows.which, _linear_histogram(rows)) for rows in in_rows(arrays)]
    return _in_order(parts, len(arrays), (bins.STOCK_BUCKETS, 3), 0.0)


def _linear_histogram(rows: Rows) -> Array:
    g, buckets = rows.matrix, bins.STOCK_BUCKETS
    finite = jnp.isfinite(g) & rows.inside
    some = jnp.any(finite, 1)
    low = jnp.where(some, jnp.min(jnp.where(finite, g, jnp.inf), 1), 0.0)
    high = jnp.where(some, jnp.max(jnp.where(finite, g, -jnp.inf), 1), 0.0)
    width = (high - low) / buckets
    divisor = jnp.where((width > 0.0) & jnp.isfinite(width), width, 1.0)
    place = jnp.where(finite, g - low[:, None], 0.0) / divisor[:, None]
    place = jnp.clip(place.astype(jnp.int32), 0, buckets - 1)
    # One bucket more swallows the non-finite elements and the filling.
    place = jnp.where(finite, place, buckets)
    counts = _bincount(place, buckets + 1)[:, :buckets].astype(jnp.float32)
    edges = low[:, None] + width[:, None] * np.arange(buckets + 1, dtype=np.float32)
    return jnp.stack([edges[:, :-1], edges[:, 1:], counts], 2)


def _bincount(values: Array, size: int) -> Array:
    """int32 [rows, size] of int32 [rows, n]."""
    rows = values.shape[0]
    places = values + size * np.arange(rows, dtype=np.int32)[:, None]
    counts = jnp.zeros(rows * size, jnp.int32)
    return counts.at[places.ravel()].add(1, mode="promise_in_bounds").reshape(rows, size)


def _in_order(
    parts: list[tuple[list[int], Array]], count: int, shape: tuple[int, ...], nothing: float
) -> Array:
    """[count, *shape]: rows of ``parts`` at their place, ``nothing`` elsewhere."""
    values = [jnp.full((1, *shape), nothing, jnp.float32), *(value for _, value in parts)]
    place = np.zeros(count, np.int32)
    index = [i for members, _ in parts for i in members]
    place[index] = np.arange(1, 1 + len(index))
    return jnp.concatenate(values)[place]
