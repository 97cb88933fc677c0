"""Statistics and histograms of gradients as TensorFlow graph operations.

Everything compiles under XLA, forces no synchronisation and reads each gradient only a few times.
A model has a few large variables, on which time goes by the pass over memory, and many small ones,
on which it goes by the operation: the small ones are measured together, as rows of a matrix.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tb_gradplugin import bins
from tb_gradplugin.bins import STOCK_BUCKETS
from tb_gradplugin.metadata import STATISTICS_COLUMNS

from . import host_statistics

COLUMNS = len(STATISTICS_COLUMNS)
TINY_SQUARE = 1e-30
"""Sums of squares below it lose digits in float32: the careful path takes over."""
FLOAT32_COUNTS = 2**24
"""Whole numbers that float32 can tell apart."""

Tensor = Any
Gradient = tuple[Tensor, Tensor | int]
"""Elements (float32 [n]) and the count (int64) of further elements that are zero."""


def as_gradient(gradient: Any, *, xla: bool) -> Gradient:
    """Elements of a gradient and the number of zeros left out of them.

    Sparse gradients (``tf.IndexedSlices``): rows of equal index are summed, as an optimizer does;
    rows that are not present are zeros that need no memory.  XLA has no ``tf.unique``, so there
    the gradient is made dense.
    """
    left_out: Any = 0
    if isinstance(gradient, tf.IndexedSlices):
        if xla or gradient.dense_shape is None:
            gradient = tf.convert_to_tensor(gradient)
        else:
            rows, position = tf.unique(gradient.indices)
            values = tf.math.unsorted_segment_sum(gradient.values, position, tf.size(rows))
            total = tf.reduce_prod(tf.cast(gradient.dense_shape, tf.int64))
            left_out = total - tf.size(values, out_type=tf.int64)
            gradient = values
    return tf.reshape(tf.cast(gradient, tf.float32), [-1]), left_out


@dataclasses.dataclass(frozen=True)
class Rows:
    """Some of the gradients, a row each.

    Attributes:
        index: which gradients.
        matrix: float32 [rows, width], rows shorter than that filled up with zeros.
        sizes: int64 [rows], elements of each row.
        left_out: int64 [rows], further elements that are zero.
    """

    index: list[int]
    matrix: Tensor
    sizes: Any
    left_out: Any

    @property
    def alone(self) -> bool:
        """Whether this is one gradient, of any length; together have lengths that are known."""
        return len(self.index) == 1

    @property
    def inside(self) -> Tensor:
        """bool [rows, width], False where a row is filled up."""
        width = tf.shape(self.matrix, out_type=tf.int64)[1]
        return tf.range(width)[None] < tf.cast(self.sizes, tf.int64)[:, None]


def in_rows(gradients: Iterable[Gradient | None]) -> list[Rows]:
    """Gradients of a few elements together, by size; large and sparse ones alone."""
    some = {i: g for i, g in enumerate(gradients) if g is not None}
    dense = {i: g[0].shape[0] if isinstance(g[1], int) else None for i, g in some.items()}
    out: list[Rows] = []
    for places in host_statistics.grouped(dense):
        if len(places) == 1:
            g, left_out = some[places[0]]
            out.append(_alone(places, g[None], tf.cast(left_out, tf.int64)[None]))
            continue
        sizes = np.array([dense[i] for i in places], np.int64)
        parts: list[Tensor] = []
        for i, size in zip(places, sizes, strict=True):
            parts += [some[i][0], np.zeros(sizes.max() - size, np.float32)]
        matrix = tf.reshape(tf.concat(parts, 0), [len(places), sizes.max()])
        out.append(Rows(places, matrix, sizes, np.zeros_like(sizes)))
    return out


def _in_order(parts: list[tuple[Rows, Tensor]], count: int) -> Tensor:
    """Rows of ``parts`` at their gradient's place of ``count``; zeros where there is none."""
    if not parts:
        raise ValueError("no gradient")
    place = np.zeros(count, np.int64)  # the row of zeros put first
    place[[i for rows, _ in parts for i in rows.index]] = np.arange(
        1, 1 + sum(len(rows.index) for rows, _ in parts)
    )
    values = [value for _, value in parts]
    return tf.gather(tf.concat([tf.zeros_like(values[0][:1]), *values], 0), place)


@dataclasses.dataclass(frozen=True)
class Keep:
    """A histogram to keep: where, what (``log2_counts`` or ``linear_histogram``), and whether."""

    place: tf.Variable
    function: Callable[[Rows], Tensor]
    wanted: Tensor


def statistics(
    gradients: list[Gradient | None],
    norms: Tensor,
    keeps: Sequence[Keep] = (),
    *,
    on_host: bool = False,
) -> Tensor:
    """Statistics of each variable, ``STATISTICS_COLUMNS``.

    The fast path sums in float32 (Eigen adds in a tree: error of sums of squares below 1e-6
    relative, of the mean far below 1e-5 of the deviation).  Where that is not enough anywhere
    (non-finite elements, overflow, underflow, mean much larger than the deviation) all of it is
    done again in float64.

    Args:
        gradients: results of ``as_gradient``, or None without a gradient.
        norms: float32 [len(gradients), 2], of the variable before the optimizer's call and of the
            change.
        keeps: histograms to assign to their places where they are wanted (bool []).
        on_host: whether the gradients are in the host's memory, where NumPy sums large ones in
            fewer passes over it.  Not under XLA.

    Returns:
        float32 [len(gradients), COLUMNS]; zeros for None.
        (No NaN: constants of NaN would trip ``tf.debugging.enable_check_numerics``.)
    """
    count = len(gradients)
    arranged = in_rows(gradients)
    if not arranged:
        return tf.zeros([count, COLUMNS])
    alone = [r for r in arranged if r.alone]
    together = [(r, _sums_of_small(r)) for r in arranged if not r.alone]
    sums = _in_order(together + list(zip(alone, _sums_of_each(alone, on_host), strict=True)), count)
    quick, doubtful = _described(sums)
    careful = tf.reduce_any(doubtful & np.array([g is not None for g in gradients]))
    wishes, handles = [k.wanted for k in keeps], [k.place.handle for k in keeps]
    kept = len(keeps)

    # What is seldom wanted is behind one operation, see ``either``.
    def seldom(quick: Tensor, careful: Tensor, *inputs: Tensor) -> list[Tensor]:
        wishes, handles, flat = inputs[:kept], inputs[kept : 2 * kept], inputs[2 * kept :]
        for keep, wanted, handle in zip(keeps, wishes, handles, strict=True):
            either(wanted, functools.partial(fill, keep), _nothing, [handle, *flat])
        return either(careful, describe, _first, [quick, *flat])

    def fill(keep: Keep, handle: Tensor, *flat: Tensor) -> list[Tensor]:
        value = _measured(_arranged(flat, arranged), keep.function, count)
        tf.raw_ops.AssignVariableOp(resource=handle, value=value)
        return []

    def describe(quick: Tensor, *flat: Tensor) -> list[Tensor]:
        return [_measured(_arranged(flat, arranged), _careful, count)]

    inputs: list[Any] = [quick, careful, *wishes, *handles, *_flat(arranged)]
    (table,) = either(tf.reduce_any([careful, *wishes]), seldom, _first, inputs)
    return tf.concat([table, norms], axis=1)


# TensorFlow names inputs after arguments, and warns of names that begin with an underscore.
def _first(first: Tensor, *inputs: Tensor) -> list[Tensor]:
    return [first]


def _nothing(*inputs: Tensor) -> list[Tensor]:
    return []


def either(
    wanted: Tensor,
    then: Callable[..., list[Tensor]],
    otherwise: Callable[..., list[Tensor]],
    inputs: Sequence[Tensor],
) -> list[Tensor]:
    """``then(*inputs)`` if ``wanted``, else ``otherwise(*inputs)``, as one operation of the graph.

    ``tf.cond`` becomes a switch for every input and schedules the operations of both branches, at
    every step.  The functions must use nothing else of the graph around them.
    """
    if tf.executing_eagerly():
        return (then if wanted else otherwise)(*inputs)
    specs = [tf.TensorSpec(tensor.shape, tensor.dtype) for tensor in inputs]
    taken, other = (
        tf.function(f, autograph=False).get_concrete_function(*specs) for f in (then, otherwise)
    )
    out = tf.raw_ops.If(
        cond=wanted,
        input=list(inputs),
        Tout=[tensor.dtype for tensor in taken.outputs],
        then_branch=taken,
        else_branch=other,
    )
    return list(out) if taken.outputs else []


def _flat(arranged: Iterable[Rows]) -> list[Tensor]:
    """The tensors of ``arranged``."""
    return [t for r in arranged for t in ([r.matrix, r.left_out] if r.alone else [r.matrix])]


def _arranged(tensors: Iterable[Tensor], like: Iterable[Rows]) -> list[Rows]:
    """Rows as in ``like``, of the tensors that ``_flat`` gives."""
    rest = iter(tensors)
    return [
        _alone(rows.index, next(rest), next(rest))
        if rows.alone
        else dataclasses.replace(rows, matrix=next(rest))
        for rows in like
    ]


def _alone(index: list[int], matrix: Tensor, left_out: Tensor) -> Rows:
    return Rows(index, matrix, tf.shape(matrix, out_type=tf.int64)[1:], left_out)


def _sums_of_each(alone: list[Rows], on_host: bool) -> list[Tensor]:
    """float64 [1, 8] for each of ``alone``, which are single rows; see ``_described``."""
    rows = [r.matrix[0] for r in alone]
    small = host_statistics.SMALL
    if on_host and any(row.shape[0] is None or row.shape[0] > small for row in rows):
        # One call for all: each takes about 0.1 ms, most of it to get hold of the interpreter.
        measured = tf.numpy_function(host_statistics.sums, rows, tf.float64, stateful=False)
        sums = tf.unstack(tf.ensure_shape(measured, [len(rows), 5]))
    else:
        sums = [_sums_of_one(g) for g in rows]
    unknown = tf.constant([-1.0], tf.float64)
    heads = [tf.cast(tf.concat([r.sizes, r.left_out], 0), tf.float64) for r in alone]
    return [tf.concat([h, s, unknown], 0)[None] for h, s in zip(heads, sums, strict=True)]


def _sums_of_one(g: Tensor) -> Tensor:
    """float64 [5], as ``host_statistics.sums``."""
    sums = (tf.reduce_sum(g), 2.0 * tf.nn.l2_loss(g), tf.reduce_min(g), tf.reduce_max(g))
    return tf.stack([*(tf.cast(value, tf.float64) for value in sums), _count_nonzero(g)])


def _count_nonzero(g: Tensor) -> Tensor:
    """float64 []; NaN if there is one.  One pass less than ``tf.math.count_nonzero``."""
    sign = tf.sign(g)
    if g.shape[0] is not None and g.shape[0] < FLOAT32_COUNTS:
        return tf.round(tf.cast(2.0 * tf.nn.l2_loss(sign), tf.float64))
    return tf.reduce_sum(tf.cast(tf.abs(sign), tf.float64))


def _sums_of_small(rows: Rows) -> Tensor:
    """float64 [rows, 8], see ``_described``."""
    g, inside = rows.matrix, rows.inside
    sizes = tf.constant(rows.sizes, tf.float64)
    total = tf.reduce_sum(g, 1)
    mean = total / tf.cast(sizes, tf.float32)
    # Centred on the mean: exact where all elements are nearly equal.
    centred = tf.reduce_sum(tf.square(tf.where(inside, g - mean[:, None], 0.0)), 1)
    sums = (
        total,
        tf.reduce_sum(tf.square(g), 1),
        tf.reduce_min(tf.where(inside, g, g.dtype.max), 1),
        tf.reduce_max(tf.where(inside, g, g.dtype.min), 1),
        tf.reduce_sum(tf.abs(tf.sign(g)), 1),
        centred,
    )
    wide = [tf.cast(value, tf.float64) for value in sums]
    return tf.stack([sizes, tf.zeros_like(sizes), *wide], 1)


def _described(sums: Tensor) -> tuple[Tensor, Tensor]:
    """The columns that describe a gradient, and bool [n], True where they may be wrong.

    Args:
        sums: float64 [n, 8]: number of elements, of further zeros, sum, sum of squares, smallest,
            largest, number of elements other than zero, sum of squared deviations (-1: unknown).
    """
    elements, left_out, total, square, low, high, nonzero, centred = tf.unstack(sums, axis=1)
    size = tf.maximum(elements + left_out, 1.0)
    mean, mean_square = total / size, square / size
    known = centred >= 0.0
    variance = tf.where(known, centred / size, mean_square - mean * mean)
    low = tf.where(left_out > 0.0, tf.minimum(low, 0.0), low)
    high = tf.where(left_out > 0.0, tf.maximum(high, 0.0), high)
    some: Tensor = tf.maximum(-low, high) > 0.0
    # NaN compares false: "not (a and b)" catches it.
    good = tf.math.is_finite(square) & ((square > TINY_SQUARE) | ~some)
    cancelled = ~known & some & (mean * mean > 0.5 * mean_square)
    row = _row(size, square, mean, variance, low, high, nonzero)
    return row, ~good | cancelled


def _row(
    size: Tensor,
    square: Tensor,
    mean: Tensor,
    variance: Tensor,
    low: Tensor,
    high: Tensor,
    nonzero: Tensor,
    nan: Tensor | float = 0.0,
    inf: Tensor | float = 0.0,
) -> Tensor:
    """The columns that describe the gradient, stacked last."""
    zeros = size - nan - inf - nonzero
    columns = (
        tf.sqrt(square),
        mean,
        tf.sqrt(tf.maximum(variance, 0.0)),
        low,
        high,
        zeros / size,
        nan + tf.zeros_like(size),
        inf + tf.zeros_like(size),
    )
    return tf.cast(tf.stack(columns, axis=-1), tf.float32)


def _careful(rows: Rows) -> Tensor:
    """float32 [rows, 8] in float64 throughout; the non-finite elements apart."""
    g, left_out = rows.matrix, tf.cast(rows.left_out, tf.float64)
    size = tf.cast(rows.sizes, tf.float64) + left_out
    finite = tf.math.is_finite(g) & rows.inside
    x = tf.cast(tf.where(finite, g, tf.zeros_like(g)), tf.float64)
    nan, inf, nonzero = (
        tf.cast(tf.math.count_nonzero(those, axis=1, dtype=tf.int32), tf.float64)
        for those in (tf.math.is_nan(g), tf.math.is_inf(g), x)
    )
    count = tf.maximum(size - nan - inf, 1.0)
    mean = tf.reduce_sum(x, 1) / count
    deviation = tf.where(finite, x - mean[:, None], tf.zeros_like(x))
    squares = tf.reduce_sum(deviation * deviation, 1) + left_out * mean * mean
    low = tf.reduce_min(tf.where(finite, x, x.dtype.max), 1)
    high = tf.reduce_max(tf.where(finite, x, x.dtype.min), 1)
    low = tf.where(left_out > 0.0, tf.minimum(low, 0.0), low)
    high = tf.where(left_out > 0.0, tf.maximum(high, 0.0), high)
    nothing = size - nan - inf <= 0.0
    low, high = (tf.where(nothing, tf.zeros_like(v), v) for v in (low, high))
    square = tf.reduce_sum(x * x, 1)
    return _row(size, square, mean, squares / count, low, high, nonzero, nan, inf)


def l2_norms(values: Iterable[Tensor]) -> Tensor:
    """L2 norm of all elements of each of ``values``; float32 [len(values)]."""
    return tf.sqrt(2.0 * tf.stack([tf.nn.l2_loss(tf.cast(v, tf.float32)) for v in values]))


def histograms(
    gradients: Sequence[Gradient | None], function: Callable[[Rows], Tensor], shape: Any
) -> Tensor:
    """``function`` (``log2_counts`` or ``linear_histogram``) of all gradients.

    Args:
        gradients: as in ``statistics``.
        function: from rows to a tensor of ``shape[1:]`` for each of them.
        shape: of the result.

    Returns:
        float32 of ``shape``; zeros for None.
    """

    arranged = in_rows(gradients)
    return _measured(arranged, function, len(gradients)) if arranged else tf.zeros(shape)


def _measured(arranged: Iterable[Rows], function: Callable[[Rows], Tensor], count: int) -> Tensor:
    """``function`` of all rows, each at its gradient's place of ``count``."""
    parts = [
        (r, _of_one(function)(r.matrix, r.left_out) if r.alone else function(r)) for r in arranged
    ]
    return _in_order(parts, count)


@functools.cache
def _of_one(function: Callable[[Rows], Tensor]) -> Callable[[Tensor, Tensor], Tensor]:
    """``function`` of a single row of any length, traced once a process.

    Not once a variable and train function.
    """
    signature = [tf.TensorSpec([1, None], tf.float32), tf.TensorSpec([1], tf.int64)]
    return tf.function(
        lambda matrix, left_out: function(_alone([0], matrix, left_out)),
        input_signature=signature,
        autograph=False,
    )


def log2_counts(rows: Rows) -> Tensor:
    """Counts of the elements by sign, exponent and first mantissa bit (``tb_gradplugin.bins``).

    Returns:
        float32 [rows, DEVICE_BINS]; counted in int32, since float32 would stick at 2**24.
    """
    g = rows.matrix
    index = tf.bitwise.right_shift(
        tf.bitcast(g, tf.uint32), tf.constant(bins.DEVICE_SHIFT, tf.uint32)
    )
    counts = _bincount(tf.bitcast(index, tf.int32), bins.DEVICE_BINS)
    return counts + tf.one_hot(0, bins.DEVICE_BINS)[None] * _further_zeros(rows)[:, None]


def linear_histogram(rows: Rows) -> Tensor:
    """Counts of the finite elements in equal buckets between the smallest and largest of them.

    Returns:
        float32 [rows, STOCK_BUCKETS, 3] of (left, right, count), as TensorBoard's Histograms tab
        reads.
    """
    g, inside = rows.matrix, rows.inside
    finite = tf.math.is_finite(g) & inside
    any_finite = tf.reduce_any(finite, 1)
    low = tf.reduce_min(tf.where(finite, g, g.dtype.max), 1)
    high = tf.reduce_max(tf.where(finite, g, g.dtype.min), 1)
    some = tf.cast(rows.left_out, tf.int64) > 0
    low, high = (tf.where(any_finite, v, 0.0) for v in (low, high))
    low = tf.where(some, tf.minimum(low, 0.0), low)
    high = tf.where(some, tf.maximum(high, 0.0), high)
    width = (high - low) / STOCK_BUCKETS
    usable = (width > 0.0) & tf.math.is_finite(width)
    divisor = tf.where(usable, width, 1.0)
    bucket = tf.cast(tf.where(finite, g - low[:, None], 0.0) / divisor[:, None], tf.int32)
    bucket = tf.clip_by_value(bucket, 0, STOCK_BUCKETS - 1)
    # One bucket more swallows the non-finite elements and the filling.
    bucket = tf.where(finite, bucket, STOCK_BUCKETS)
    counts = _bincount(bucket, STOCK_BUCKETS + 1)[:, :STOCK_BUCKETS]
    zero = tf.clip_by_value(tf.cast(-low / divisor, tf.int32), 0, STOCK_BUCKETS - 1)
    counts += tf.one_hot(zero, STOCK_BUCKETS) * tf.cast(rows.left_out, tf.float32)[:, None]
    edges = low[:, None] + width[:, None] * tf.range(STOCK_BUCKETS + 1, dtype=tf.float32)
    return tf.stack([edges[:, :-1], edges[:, 1:], counts], axis=2)


def _further_zeros(rows: Rows) -> Tensor:
    """float32 [rows]: zeros left out, less those that a row was filled up with."""
    filling = tf.shape(rows.matrix, out_type=tf.int64)[1] - rows.sizes
    return tf.cast(rows.left_out - filling, tf.float32)


def _bincount(values: Tensor, size: int) -> Tensor:
    """float32 [rows, size] of int32 [rows, n]."""
    # The raw operation with a Python size: tf.math.bincount's is no compile-time constant, and
    # XLA refuses it.  Its form for one row works on several cores, that for a matrix on one.
    counts = [
        tf.raw_ops.DenseBincount(
            input=row, size=size, weights=tf.zeros([0], tf.int32), binary_output=False
        )
        for row in (tf.unstack(values) if values.shape[0] == 1 else [values])
    ]
    return tf.cast(tf.reshape(counts[0], [-1, size]), tf.float32)
