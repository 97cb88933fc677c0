"""Statistics and histograms of gradients as TensorFlow graph operations.

Everything compiles under XLA, forces no synchronisation and reads each gradient only a few times.
What is done per variable is a ``tf.function`` of unknown shape: traced once a process, not once a
variable and train function, which would take seconds on a model of some dozen variables.
"""

from __future__ import annotations

from collections.abc import Callable
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
Gradient = tuple[Tensor, Tensor]
"""Elements (float32, rank >= 1) and the int64 count of further elements that are zero."""

_FLAT = tf.TensorSpec([None], tf.float32)
_MATRIX = tf.TensorSpec([None, None], tf.float32)
_COUNT = tf.TensorSpec([], tf.int64)


def _once(*signature: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    return tf.function(input_signature=signature, autograph=False)


def as_gradient(gradient: Any, *, xla: bool) -> Gradient:
    """Elements of a gradient and the number of zeros left out of them.

    Sparse gradients (``tf.IndexedSlices``): rows of equal index are summed, as an optimizer does;
    rows that are not present are zeros that need no memory.  XLA has no ``tf.unique``, so there
    the gradient is made dense.
    """
    left_out = tf.constant(0, tf.int64)
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
    gradients: list[Gradient | None],
    before: list[Tensor | None],
    after: list[Tensor | None],
) -> Tensor:
    """Statistics of each variable, ``STATISTICS_COLUMNS``.

    The fast path sums squares in float32 (error below 1e-6 relative) and sums rows in float32,
    their total in float64 (error of the mean far below 1e-5 of the deviation).  Where that is not
    enough anywhere (non-finite elements, overflow, underflow, mean much larger than the deviation)
    all of it is done again in float64.

    Args:
        gradients: results of ``as_gradient``, or None without a gradient.
        before: value of each variable before the optimizer's call, or None (not recorded).
        after: likewise afterwards.

    Returns:
        float32 [len(gradients), COLUMNS]; a row of zeros for None, zeros for what is not recorded.
        (No NaN: constants of NaN would trip ``tf.debugging.enable_check_numerics``.)
    """
    present = [i for i, g in enumerate(gradients) if g is not None]
    chosen = [g for g in gradients if g is not None]
    rows: list[Tensor] = [tf.zeros([COLUMNS])] * len(gradients)
    if chosen:
        fast = [_fast(*g) for g in chosen]
        quick = tf.stack([row for row, _ in fast])
        table = tf.cond(
            tf.reduce_any(tf.stack([doubtful for _, doubtful in fast])),
            lambda: tf.stack([_careful(tf.reshape(g, [-1]), n) for g, n in chosen]),
            lambda: quick,
        )
        weights = tf.stack([_weights(before[i], after[i]) for i in present])
        table = tf.concat([table, weights], axis=1)
        for i, row in zip(present, tf.unstack(table, num=len(present)), strict=True):
            rows[i] = row
    return tf.stack(rows)


def _fast(g: Tensor, left_out: Tensor) -> tuple[Tensor, Tensor]:
    elements = g.shape.num_elements()
    matrix = tf.reshape(g, [-1, g.shape[-1] or 1])
    if elements is not None and elements <= SMALL:
        return _fast_small(matrix, left_out)
    return _fast_large(matrix, left_out)


@_once(_MATRIX, _COUNT)
def _fast_small(g: Tensor, left_out: Tensor) -> tuple[Tensor, Tensor]:
    size, total, square, low, high, nonzero = _sums(g, left_out)
    mean = total / size
    # Centred on the mean: exact where all elements are nearly equal; each zero that was left out
    # deviates by the mean itself.
    centred = 2.0 * tf.nn.l2_loss(g - tf.cast(mean, tf.float32))
    variance = (tf.cast(centred, tf.float64) + tf.cast(left_out, tf.float64) * mean * mean) / size
    return _row(size, square, mean, variance, low, high, nonzero), _doubtful(square, low, high)


@_once(_MATRIX, _COUNT)
def _fast_large(g: Tensor, left_out: Tensor) -> tuple[Tensor, Tensor]:
    size, total, square, low, high, nonzero = _sums(g, left_out)
    mean = total / size
    mean_square = tf.cast(square, tf.float64) / size
    cancelled = tf.logical_and(mean * mean > 0.5 * mean_square, tf.maximum(-low, high) > 0.0)
    row = _row(size, square, mean, mean_square - mean * mean, low, high, nonzero)
    return row, tf.logical_or(cancelled, _doubtful(square, low, high))


def _sums(g: Tensor, left_out: Tensor) -> tuple[Tensor, ...]:
    size = _size(g, left_out)
    square = 2.0 * tf.nn.l2_loss(g)
    # Partial sums per row keep float32 exact enough; the total of many rows needs float64.
    total = tf.reduce_sum(tf.cast(tf.reduce_sum(g, axis=-1), tf.float64))
    low = _with_left_out(tf.reduce_min(tf.reduce_min(g, axis=-1)), left_out, tf.minimum)
    high = _with_left_out(tf.reduce_max(tf.reduce_max(g, axis=-1)), left_out, tf.maximum)
    # Faster than tf.math.count_nonzero; a row's count is exact below 2**24 elements.
    present = tf.cast(tf.not_equal(g, 0.0), tf.float32)
    nonzero = tf.reduce_sum(tf.cast(tf.reduce_sum(present, axis=-1), tf.float64))
    return size, total, square, low, high, nonzero


def _size(g: Tensor, left_out: Tensor) -> Tensor:
    return tf.cast(tf.size(g, out_type=tf.int64) + left_out, tf.float64)


def _with_left_out(extreme: Tensor, left_out: Tensor, pick: Callable[..., Tensor]) -> Tensor:
    """Smallest or largest element, the zeros that were left out included."""
    return tf.where(left_out > 0, pick(extreme, tf.zeros_like(extreme)), extreme)


def _doubtful(square: Tensor, low: Tensor, high: Tensor) -> Tensor:
    # NaN compares false: "not (a and b)" catches it.
    large_enough = tf.logical_or(square > TINY_SQUARE, tf.maximum(-low, high) <= 0.0)
    return tf.logical_not(tf.logical_and(tf.math.is_finite(square), large_enough))


def _row(
    size: Tensor,
    square: Tensor,
    mean: Tensor,
    variance: Tensor,
    low: Tensor,
    high: Tensor,
    nonzero: Tensor,
    nan: Tensor = 0.0,
    inf: Tensor = 0.0,
) -> Tensor:
    """The columns that describe the gradient."""
    zeros = size - nan - inf - nonzero
    columns = (
        tf.sqrt(square),
        mean,
        tf.sqrt(tf.maximum(variance, 0.0)),
        low,
        high,
        zeros / size,
        nan,
        inf,
    )
    return tf.stack([tf.cast(c, tf.float32) for c in columns])


@_once(_FLAT, _COUNT)
def _careful(g: Tensor, left_out: Tensor) -> Tensor:
    size = _size(g, left_out)
    finite = tf.math.is_finite(g)
    x = tf.cast(tf.where(finite, g, tf.zeros_like(g)), tf.float64)
    nan = tf.cast(tf.math.count_nonzero(tf.math.is_nan(g), dtype=tf.int32), tf.float64)
    inf = tf.cast(tf.math.count_nonzero(tf.math.is_inf(g), dtype=tf.int32), tf.float64)
    count = tf.maximum(size - nan - inf, 1.0)
    mean = tf.reduce_sum(x) / count
    deviation = tf.where(finite, x - mean, tf.zeros_like(x))
    squares = tf.reduce_sum(deviation * deviation) + tf.cast(left_out, tf.float64) * mean * mean
    low = tf.reduce_min(tf.where(finite, x, x.dtype.max))
    high = tf.reduce_max(tf.where(finite, x, x.dtype.min))
    low = _with_left_out(low, left_out, tf.minimum)
    high = _with_left_out(high, left_out, tf.maximum)
    nothing = size - nan - inf <= 0.0
    low, high = (tf.where(nothing, tf.zeros_like(v), v) for v in (low, high))
    nonzero = tf.cast(tf.math.count_nonzero(x, dtype=tf.int32), tf.float64)
    square = tf.reduce_sum(x * x)
    return _row(size, square, mean, squares / count, low, high, nonzero, nan, inf)


def _weights(before: Tensor | None, after: Tensor | None) -> Tensor:
    """Norms of the variable before the update and of the update, zero where not recorded."""
    if before is None:
        return tf.zeros([2])
    wide = before.dtype if before.dtype == tf.float64 else tf.float32
    before = tf.reshape(tf.cast(before, wide), [-1])
    after = before if after is None else tf.reshape(tf.cast(after, wide), [-1])
    # The difference of nearly equal numbers is taken before anything is rounded.
    return _weight_norms(tf.cast(before, tf.float32), tf.cast(after - before, tf.float32))


@_once(_FLAT, _FLAT)
def _weight_norms(before: Tensor, update: Tensor) -> Tensor:
    return tf.sqrt(2.0 * tf.stack([tf.nn.l2_loss(before), tf.nn.l2_loss(update)]))


@_once(_FLAT, _COUNT)
def log2_counts(g: Tensor, left_out: Tensor) -> Tensor:
    """Counts of the elements by sign, exponent and first mantissa bit (``tb_gradplugin.bins``).

    Args:
        g: float32 [n].
        left_out: further zero elements.

    Returns:
        float32 [DEVICE_BINS]; counted in int32, since float32 would stick at 2**24.
    """
    index = tf.bitwise.right_shift(
        tf.bitcast(g, tf.uint32), tf.constant(bins.DEVICE_SHIFT, tf.uint32)
    )
    counts = tf.cast(_bincount(tf.bitcast(index, tf.int32), bins.DEVICE_BINS), tf.float32)
    return counts + tf.one_hot(0, bins.DEVICE_BINS) * tf.cast(left_out, tf.float32)


@_once(_FLAT, _COUNT)
def linear_histogram(g: Tensor, left_out: Tensor) -> Tensor:
    """Counts of the finite elements in equal buckets between the smallest and largest of them.

    Args:
        g: float32 [n].
        left_out: further zero elements.

    Returns:
        float32 [STOCK_BUCKETS, 3] of (left, right, count), as TensorBoard's Histograms tab reads.
    """
    finite = tf.math.is_finite(g)
    any_finite = tf.reduce_any(finite)
    low = tf.where(any_finite, tf.reduce_min(tf.where(finite, g, g.dtype.max)), 0.0)
    high = tf.where(any_finite, tf.reduce_max(tf.where(finite, g, g.dtype.min)), 0.0)
    low = _with_left_out(low, left_out, tf.minimum)
    high = _with_left_out(high, left_out, tf.maximum)
    width = (high - low) / STOCK_BUCKETS
    usable = tf.logical_and(width > 0.0, tf.math.is_finite(width))
    divisor = tf.where(usable, width, 1.0)
    bucket = tf.cast(tf.where(finite, g - low, 0.0) / divisor, tf.int32)
    bucket = tf.clip_by_value(bucket, 0, STOCK_BUCKETS - 1)
    # One bucket more swallows the non-finite elements.
    bucket = tf.where(finite, bucket, STOCK_BUCKETS)
    counts = tf.cast(_bincount(bucket, STOCK_BUCKETS + 1)[:STOCK_BUCKETS], tf.float32)
    zero = tf.clip_by_value(tf.cast(-low / divisor, tf.int32), 0, STOCK_BUCKETS - 1)
    counts += tf.one_hot(zero, STOCK_BUCKETS) * tf.cast(left_out, tf.float32)
    edges = low + width * tf.range(STOCK_BUCKETS + 1, dtype=tf.float32)
    return tf.stack([edges[:-1], edges[1:], counts], axis=1)


def _bincount(values: Tensor, size: int) -> Tensor:
    # The raw operation with a Python size: tf.math.bincount's is no compile-time constant, and
    # XLA refuses it.
    return tf.raw_ops.DenseBincount(
        input=values, size=size, weights=tf.zeros([0], tf.int32), binary_output=False
    )
