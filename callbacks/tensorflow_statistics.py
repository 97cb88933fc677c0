"""Statistics and histograms of gradients as TensorFlow graph operations.

Everything compiles under XLA, forces no synchronisation and reads each gradient only a few times.
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from tb_gradplugin import bins
from tb_gradplugin.metadata import STATISTICS_COLUMNS

COLUMNS = len(STATISTICS_COLUMNS)
SMALL = 65536
"""Elements up to which the standard deviation is computed in two passes at once."""
TINY_SQUARE = 1e-30
"""Sums of squares below it lose digits in float32: the careful path takes over."""

STOCK_BUCKETS = 30
"""Buckets of the standard histogram summaries, as TensorBoard's own writer uses."""

Tensor = Any


def as_gradient(gradient: Any, *, xla: bool) -> tuple[Tensor, int | Tensor]:
    """Elements of a gradient and the number of zeros left out of them.

    Sparse gradients (``tf.IndexedSlices``): rows of equal index are summed, as an optimizer does;
    rows that are not present are zeros that need no memory.  XLA has no ``tf.unique``, so there
    the gradient is made dense.

    Returns:
        float32 tensor of rank >= 1, and the count of further zero elements.
    """
    left_out: int | Tensor = 0
    if isinstance(gradient, tf.IndexedSlices):
        if xla or gradient.dense_shape is None:
            gradient = tf.convert_to_tensor(gradient)
        else:
            rows, position = tf.unique(gradient.indices)
            values = tf.math.unsorted_segment_sum(gradient.values, position, tf.size(rows))
            total = tf.reduce_prod(tf.cast(gradient.dense_shape, tf.int64))
            left_out = total - tf.size(values, out_type=tf.int64)
            gradient = values
    gradient = tf.cast(gradient, tf.float32)
    if gradient.shape.rank == 0:
        gradient = tf.reshape(gradient, [1])
    return gradient, left_out


def statistics(
    gradients: list[tuple[Tensor, int | Tensor] | None],
    before: list[Tensor | None],
    after: list[Tensor | None],
) -> Tensor:
    """Statistics of each variable, ``STATISTICS_COLUMNS``.

    The fast path sums squares in float32 (error below 1e-6 relative) and sums rows in float32,
    their total in float64.  Where that is not enough anywhere (non-finite elements, overflow,
    underflow, mean much larger than the deviation) all of it is done again in float64.

    Args:
        gradients: results of ``as_gradient``, or None without a gradient.
        before: value of each variable before the optimizer's call, or None (not recorded).
        after: likewise afterwards.

    Returns:
        float32 [len(gradients), COLUMNS]; a row of NaN for None.
    """
    present = [i for i, g in enumerate(gradients) if g is not None]
    chosen = [gradients[i] for i in present]
    rows: list[Tensor] = [tf.fill([COLUMNS], tf.constant(float("nan")))] * len(gradients)
    if chosen:
        fast = [_fast(*g) for g in chosen if g is not None]
        doubtful = tf.reduce_any(tf.stack([d for _, d in fast]))
        quick = tf.stack([s for s, _ in fast])
        table = tf.cond(
            doubtful,
            lambda: tf.stack([_careful(*g) for g in chosen if g is not None]),
            lambda: quick,
        )
        weights = tf.stack([_weights(before[i], after[i]) for i in present])
        table = tf.concat([table, weights], axis=1)
        for k, i in enumerate(present):
            rows[i] = table[k]
    return tf.stack(rows)


def _size(g: Tensor, left_out: int | Tensor) -> Tensor:
    return tf.cast(tf.size(g, out_type=tf.int64) + tf.cast(left_out, tf.int64), tf.float64)


def _with_left_out(extreme: Tensor, left_out: int | Tensor, pick: Any) -> Tensor:
    """Smallest or largest element, the zeros that were left out included."""
    if isinstance(left_out, int):
        return extreme
    return tf.where(left_out > 0, pick(extreme, tf.zeros_like(extreme)), extreme)


def _fast(g: Tensor, left_out: int | Tensor) -> tuple[Tensor, Tensor]:
    size = _size(g, left_out)
    square = 2.0 * tf.nn.l2_loss(g)
    # Partial sums per row keep float32 exact enough; the total of many rows needs float64.
    total = tf.reduce_sum(tf.cast(tf.reduce_sum(g, axis=-1), tf.float64))
    low = tf.reduce_min(tf.reduce_min(g, axis=-1))
    high = tf.reduce_max(tf.reduce_max(g, axis=-1))
    low = _with_left_out(low, left_out, tf.minimum)
    high = _with_left_out(high, left_out, tf.maximum)
    nonzero = tf.cast(tf.math.count_nonzero(g, dtype=tf.int32), tf.float64)
    divisor = tf.maximum(size, 1.0)
    mean = total / divisor
    mean_square = tf.cast(square, tf.float64) / divisor
    elements = g.shape.num_elements()
    if isinstance(left_out, int) and elements is not None and elements <= SMALL:
        # Centred on the mean: exact where all elements are nearly equal.
        centred = g - tf.cast(mean, tf.float32)
        variance = 2.0 * tf.cast(tf.nn.l2_loss(centred), tf.float64) / divisor
        cancelled = tf.constant(False)
    else:
        variance = mean_square - mean * mean
        cancelled = mean * mean > 0.5 * mean_square
    largest = tf.maximum(-low, high)
    # NaN compares false: "not (a and b)" catches it.
    usable = tf.logical_and(
        tf.math.is_finite(square), tf.logical_or(square > TINY_SQUARE, largest <= 0.0)
    )
    doubtful = tf.logical_or(tf.logical_not(usable), tf.logical_and(cancelled, largest > 0.0))
    return (
        _pack(
            tf.sqrt(square),
            mean,
            tf.sqrt(tf.maximum(variance, 0.0)),
            low,
            high,
            (size - nonzero) / divisor,
            tf.constant(0.0),
            tf.constant(0.0),
        ),
        doubtful,
    )


def _careful(g: Tensor, left_out: int | Tensor) -> Tensor:
    size = _size(g, left_out)
    finite = tf.math.is_finite(g)
    x = tf.cast(tf.where(finite, g, tf.zeros_like(g)), tf.float64)
    nan = tf.cast(tf.math.count_nonzero(tf.math.is_nan(g), dtype=tf.int32), tf.float64)
    inf = tf.cast(tf.math.count_nonzero(tf.math.is_inf(g), dtype=tf.int32), tf.float64)
    count = tf.maximum(size - nan - inf, 1.0)
    square = tf.reduce_sum(x * x)
    mean = tf.reduce_sum(x) / count
    deviation = tf.where(finite, x - mean, tf.zeros_like(x))
    # Zeros left out of a sparse gradient each deviate by the mean.
    variance = (
        tf.reduce_sum(deviation * deviation) + tf.cast(left_out, tf.float64) * mean * mean
    ) / count
    inf64 = tf.constant(float("inf"), tf.float64)
    low = tf.reduce_min(tf.where(finite, x, inf64))
    high = tf.reduce_max(tf.where(finite, x, -inf64))
    low = _with_left_out(low, left_out, tf.minimum)
    high = _with_left_out(high, left_out, tf.maximum)
    empty = size - nan - inf <= 0.0
    zero = tf.zeros_like(low)
    zeros = size - nan - inf - tf.cast(tf.math.count_nonzero(x, dtype=tf.int32), tf.float64)
    return _pack(
        tf.sqrt(square),
        mean,
        tf.sqrt(variance),
        tf.where(empty, zero, low),
        tf.where(empty, zero, high),
        zeros / tf.maximum(size, 1.0),
        nan,
        inf,
    )


def _pack(*values: Tensor) -> Tensor:
    return tf.stack([tf.cast(v, tf.float32) for v in values])


def _weights(before: Tensor | None, after: Tensor | None) -> Tensor:
    """Norms of the variable before the update and of the update, NaN where not recorded."""
    unknown = tf.constant(float("nan"))
    if before is None:
        return tf.stack([unknown, unknown])
    before = tf.cast(before, tf.float32)
    weight = tf.sqrt(2.0 * tf.nn.l2_loss(before))
    if after is None:
        return tf.stack([weight, unknown])
    update = tf.sqrt(2.0 * tf.nn.l2_loss(tf.cast(after, tf.float32) - before))
    return tf.stack([weight, update])


def log2_counts(g: Tensor, left_out: int | Tensor) -> Tensor:
    """Counts of the elements by sign, exponent and first mantissa bit (``tb_gradplugin.bins``).

    Args:
        g: float32 tensor.
        left_out: further zero elements.

    Returns:
        float32 [DEVICE_BINS]; counted in int32, since float32 would stick at 2**24.
    """
    bits = tf.bitcast(tf.reshape(g, [-1]), tf.uint32)
    index = tf.bitwise.right_shift(bits, tf.constant(bins.DEVICE_SHIFT, tf.uint32))
    counts = tf.cast(_bincount(tf.bitcast(index, tf.int32), bins.DEVICE_BINS), tf.float32)
    if isinstance(left_out, int):
        return counts
    first = tf.one_hot(0, bins.DEVICE_BINS) * tf.cast(left_out, tf.float32)
    return counts + first


def linear_histogram(
    g: Tensor, left_out: int | Tensor, buckets: int = STOCK_BUCKETS
) -> Tensor:
    """Counts of the finite elements in equal buckets between the smallest and largest of them.

    Args:
        g: tensor of any float dtype.
        left_out: further zero elements.
        buckets: number of buckets.

    Returns:
        float32 [buckets, 3] of (left, right, count), as TensorBoard's Histograms tab reads it.
    """
    g = tf.reshape(tf.cast(g, tf.float32), [-1])
    finite = tf.math.is_finite(g)
    any_finite = tf.reduce_any(finite)
    low = tf.where(any_finite, tf.reduce_min(tf.where(finite, g, g.dtype.max)), 0.0)
    high = tf.where(any_finite, tf.reduce_max(tf.where(finite, g, g.dtype.min)), 0.0)
    low = _with_left_out(low, left_out, tf.minimum)
    high = _with_left_out(high, left_out, tf.maximum)
    width = (high - low) / buckets
    usable = tf.logical_and(width > 0.0, tf.math.is_finite(width))
    position = tf.where(finite, g - low, 0.0) / tf.where(usable, width, 1.0)
    bucket = tf.clip_by_value(tf.cast(position, tf.int32), 0, buckets - 1)
    # One bucket more swallows the non-finite elements.
    counts = _bincount(tf.where(finite, bucket, buckets), buckets + 1)[:buckets]
    counts = tf.cast(counts, tf.float32)
    if not isinstance(left_out, int):
        zero = tf.cast(-low / tf.where(usable, width, 1.0), tf.int32)
        zero = tf.clip_by_value(zero, 0, buckets - 1)
        counts += tf.one_hot(zero, buckets) * tf.cast(left_out, tf.float32)
    edges = low + width * tf.range(buckets + 1, dtype=tf.float32)
    return tf.stack([edges[:-1], edges[1:], counts], axis=1)


def _bincount(values: Tensor, size: int) -> Tensor:
    # The raw operation with a Python size: tf.math.bincount's is no compile-time constant, and
    # XLA refuses it.
    return tf.raw_ops.DenseBincount(
        input=values, size=size, weights=tf.zeros([0], tf.int32), binary_output=False
    )
