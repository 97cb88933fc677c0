"""A kernel's gradient as a picture: reduced by signed extremes, so that no peak is lost."""

from __future__ import annotations

import dataclasses
import math

import numpy as np

SIDE = 128
"""Rows and columns of a picture at most."""
SLICES, SLICED_SIDE = 25, 64
"""Pictures of one variable at most, such as the 5 x 5 of a convolution, and their rows and columns
where there are several; with more, the leading axes are reduced too."""
LEVELS = 127
NONFINITE = -128


@dataclasses.dataclass(frozen=True)
class GradientMap:
    """The gradient of one variable at one step.

    Attributes:
        shape: of the variable.
        slices: sizes of the leading axes as kept; () if there are none, or they were reduced.
        scale: largest finite \\|g\\|.
        codes: int8 [*slices, rows, columns]; g is code / 127 * scale, -128 stands for NaN or Inf.
            Each is the element of largest \\|g\\|, with its sign, of the cells it stands for.
    """

    shape: tuple[int, ...]
    slices: tuple[int, ...]
    scale: float
    codes: np.ndarray


def reduced(gradient: np.ndarray) -> GradientMap:
    """The picture of a gradient [..., rows, columns] of at least two axes, none of them empty."""
    shape = tuple(int(n) for n in gradient.shape)
    slices = shape[:-2] if math.prod(shape[:-2]) <= SLICES else ()
    side = SLICED_SIDE if math.prod(slices) > 1 else SIDE
    g = gradient.reshape(-1, *shape[-2:])
    finite = np.isfinite(g)
    bad = np.logical_not(finite)
    low = high = np.where(finite, g, 0.0).astype(np.float64)
    if not slices:
        low, high = low.min(0, keepdims=True), high.max(0, keepdims=True)
        bad = bad.any(0, keepdims=True)
    for axis in (1, 2):
        n = low.shape[axis]
        if n > side:
            starts = np.arange(side) * n // side
            low = np.minimum.reduceat(low, starts, axis)
            high = np.maximum.reduceat(high, starts, axis)
            bad = np.logical_or.reduceat(bad, starts, axis)
    extreme = np.where(high >= -low, high, low)
    scale = float(np.abs(extreme).max())
    codes = np.round(extreme / (scale or 1.0) * LEVELS).astype(np.int8)
    codes[bad] = NONFINITE
    return GradientMap(shape, slices, scale, codes.reshape(*slices, *codes.shape[1:]))
