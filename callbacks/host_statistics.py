"""Sums over gradients in NumPy, for tensors that are in the host's memory anyway.

A framework takes a pass over memory for each number; here a piece of a gradient stays in a core's
cache while all of them are taken of it.  And what the backends' statistics share.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping

import numpy as np

from tb_gradplugin import bins

SMALL = 16384
"""Elements up to which variables are measured together, as rows of a matrix."""
ROW_GROWTH = 4
"""Variables in one matrix differ in size by less than this factor: the rest of a row is padding."""


def grouped(
    sizes: Mapping[int, int | None], kinds: Mapping[int, Hashable] | None = None
) -> list[list[int]]:
    """Which variables are measured together: small ones of like size and kind; others alone.

    Args:
        sizes: place of a variable -> number of its elements, None to have it alone.
        kinds: place -> what variables of one matrix have in common, such as their device.
    """
    alone: list[list[int]] = []
    together: dict[Hashable, list[int]] = {}
    for place, size in sizes.items():
        if size is None or size > SMALL:
            alone.append([place])
        else:
            group = math.ceil(math.log(size, ROW_GROWTH)) if size > 1 else 0
            kind = kinds[place] if kinds else None
            together.setdefault((group, kind), []).append(place)
    return [*alone, *together.values()]


PIECE = 2**16
"""Elements summed in float32 at a time; few enough for a core's cache, and for float32, which NumPy
adds in several partial sums.  The pieces are added in float64."""


def sums(*gradients: np.ndarray) -> np.ndarray:
    """float64 [gradients, 5] of float32 [n] each.

    Sum, sum of squares, smallest, largest, number of elements other than zero.  Elements that are
    not finite, and what does not fit float32, show in the sum of squares.
    """
    with np.errstate(all="ignore"):
        return np.array([_sums(gradient) for gradient in gradients], np.float64).reshape(-1, 5)


def _sums(gradient: np.ndarray) -> tuple[float, float, float, float, int]:
    total = square = 0.0
    low, high, nonzero = np.inf, -np.inf, 0
    for start in range(0, gradient.size, PIECE):
        piece = gradient[start : start + PIECE]
        total += float(np.einsum("i->", piece))  # np.sum takes three times as long
        square += float(np.einsum("i,i->", piece, piece))
        low = min(low, float(np.minimum.reduce(piece)))
        high = max(high, float(np.maximum.reduce(piece)))
        nonzero += int(np.count_nonzero(piece != 0.0))  # of bools: many times faster
    return total, square, low, high, nonzero


TINY_SQUARE = 1e-30
"""Sums of squares below it lose digits in float32."""


def described(sums: np.ndarray, sizes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The first eight of ``metadata.STATISTICS_COLUMNS``, and where they may be wrong.

    Args:
        sums: [gradients, 6]: sum, sum of squares, smallest, largest, number of elements other than
            zero, sum of squared deviations from the mean (negative: unknown).
        sizes: [gradients], number of elements.

    Returns:
        float64 [gradients, 8]; bool [gradients], True where elements are not finite, squares left
        float32's range, or the deviation is the difference of nearly equal numbers: see
        ``careful``.
    """
    total, square, low, high, nonzero, centred = sums.astype(np.float64).T
    with np.errstate(all="ignore"):
        mean, mean_square = total / sizes, square / sizes
        known = centred >= 0.0
        variance = np.where(known, centred / sizes, mean_square - mean**2)
        some = np.maximum(-low, high) > 0.0
        good = np.isfinite(square) & ((square > TINY_SQUARE) | ~some)
        cancelled = ~known & some & (mean**2 > 0.5 * mean_square)
        columns = (np.sqrt(square), mean, np.sqrt(np.maximum(variance, 0.0)), low, high)
        zeros = (sizes - nonzero) / sizes
        nothing = np.zeros_like(mean)
    return np.stack([*columns, zeros, nothing, nothing], 1), ~good | cancelled


def careful(gradient: np.ndarray) -> tuple[float, ...]:
    """The first eight of ``metadata.STATISTICS_COLUMNS``, summed in float64.

    Args:
        gradient: floats of any values, [n], n > 0.
    """
    pieces = [gradient[i : i + PIECE] for i in range(0, gradient.size, PIECE)]
    count, nan, nonzero, total, square = 0, 0, 0, 0.0, 0.0
    low, high = np.inf, -np.inf
    for piece in pieces:
        finite = _finite(piece)
        nan += int(np.isnan(piece).sum())
        if finite.size:
            count += finite.size
            nonzero += int(np.count_nonzero(finite))
            total += float(finite.sum())
            square += float(finite @ finite)
            low, high = min(low, float(finite.min())), max(high, float(finite.max()))
    if not count:
        return 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, float(nan), float(gradient.size - nan)
    mean = total / count
    spread = sum(float(np.sum((_finite(piece) - mean) ** 2)) for piece in pieces)
    inf = gradient.size - count - nan
    zeros = (count - nonzero) / gradient.size
    return square**0.5, mean, (spread / count) ** 0.5, low, high, zeros, float(nan), float(inf)


def _finite(piece: np.ndarray) -> np.ndarray:
    piece = piece.astype(np.float64)
    return piece[np.isfinite(piece)]


def statistics(gradients: list[np.ndarray]) -> np.ndarray:
    """float64 [gradients, 8], the first of ``metadata.STATISTICS_COLUMNS``, of float32 [n] each."""
    unknown = np.full([len(gradients), 1], -1.0)
    sizes = np.array([gradient.size for gradient in gradients], np.float64)
    rows, doubtful = described(np.append(sums(*gradients), unknown, 1), sizes)
    for i in np.flatnonzero(doubtful):
        rows[i] = careful(gradients[i])
    return rows


def l2_norm(values: np.ndarray) -> float:
    """Of float32 [n]."""
    pieces = (values[i : i + PIECE] for i in range(0, values.size, PIECE))
    with np.errstate(all="ignore"):
        return math.sqrt(sum(float(np.einsum("i,i->", piece, piece)) for piece in pieces))


def log2_counts(values: np.ndarray) -> np.ndarray:
    """int64 [DEVICE_BINS]: elements of float32 [n] by sign, exponent and first mantissa bit."""
    bits = np.ascontiguousarray(values).view(np.uint32) >> bins.DEVICE_SHIFT
    return np.bincount(bits, minlength=bins.DEVICE_BINS)


def linear_histogram(values: np.ndarray) -> np.ndarray:
    """float32 [STOCK_BUCKETS, 3] of (left, right, count), as the Histograms tab reads.

    Counts of the finite elements of float32 [n] in equal buckets between the smallest and largest.
    """
    finite = values[np.isfinite(values)].astype(np.float64)
    low, high = (finite.min(), finite.max()) if finite.size else (0.0, 0.0)
    width = (high - low) / bins.STOCK_BUCKETS
    places = ((finite - low) / (width or 1.0)).astype(np.int64)
    counts = np.bincount(np.minimum(places, bins.STOCK_BUCKETS - 1), minlength=bins.STOCK_BUCKETS)
    edges = low + width * np.arange(bins.STOCK_BUCKETS + 1)
    return np.stack([edges[:-1], edges[1:], counts], 1).astype(np.float32)
