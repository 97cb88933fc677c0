"""Sums over gradients in NumPy, for tensors that are in the host's memory anyway.

A framework takes a pass over memory for each number; here a piece of a gradient stays in a core's
cache while all of them are taken of it.
"""

from __future__ import annotations

import numpy as np

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
