"""Fixed bins of log2 |g| by sign, the same for every variable, step, layer and run.

The device counts float32 values into 1024 bins by their top ten bits (sign, exponent, first
mantissa bit): half an octave each, over the whole range, with zero, Inf and NaN apart for free.
The host folds them into ``BINS`` shares, one octave a bin, so that they add up and compare:

    [0, 98)      negative, 2**(e-1 .. e) with e from MIN_EXPONENT + 1 to MAX_EXPONENT
    [98, 196)    positive, likewise
    196 .. 199   exact zero, NaN, +Inf, -Inf

Magnitudes below 2**MIN_EXPONENT fall into the first octave of their sign, those above
2**MAX_EXPONENT into the last.  Subnormal numbers (below 2**-126) count as zero.
"""

from __future__ import annotations

import numpy as np

DEVICE_BINS = 1024
DEVICE_SHIFT = 22
"""Right shift of the float32 bit pattern that gives the device bin."""

OCTAVES = 98
MIN_EXPONENT = -76
"""2**-76 = 1.3e-23: below it a gradient moves nothing, even under Adam (epsilon 1e-7)."""
MAX_EXPONENT = MIN_EXPONENT + OCTAVES
BINS = 2 * OCTAVES + 4
ZERO, NAN, POSITIVE_INF, NEGATIVE_INF = range(2 * OCTAVES, BINS)
STOCK_BUCKETS = 30
"""Buckets of the standard histogram summaries, as TensorBoard's own writer uses."""
FULL_SHARE = 65535
"""Stored value of a share of 1; a bin that holds anything stores at least 1."""

LOG10_EDGES = np.arange(MIN_EXPONENT, MAX_EXPONENT + 1) * np.log10(2.0)
"""float64 [OCTAVES + 1]: edges of the octaves as log10 |g|."""


def fold(counts: np.ndarray, scale: np.ndarray | float = 1.0) -> np.ndarray:
    """Shares of the elements per octave from the device's counts.

    Args:
        counts: non-negative [variables, DEVICE_BINS].
        scale: positive, [variables] or one number: what the gradients still have to be divided by
            (the loss scale); rounded to a power of two, exact for those that Keras uses.

    Returns:
        uint16 [variables, BINS]; a row without elements is all zero.
    """
    counts = np.asarray(counts, dtype=np.float64).reshape(-1, 2, 256, 2)
    octaves = np.zeros((len(counts), 2, OCTAVES))
    finite = counts[:, :, 1:255].sum(axis=3)
    shifts = np.broadcast_to(np.round(np.log2(scale)), len(counts))
    for shift in np.unique(shifts):
        rows = np.flatnonzero(shifts == shift)
        # Exponent field e holds magnitudes 2**(e - 127) .. 2**(e - 126).
        target = np.arange(1, 255) - 127 - int(shift) - MIN_EXPONENT
        used, starts = np.unique(np.clip(target, 0, OCTAVES - 1), return_index=True)
        sums = np.zeros((len(rows), 2, OCTAVES))
        sums[:, :, used] = np.add.reduceat(finite[rows], starts, axis=2)
        octaves[rows] = sums
    out = np.empty((len(counts), BINS))
    out[:, :OCTAVES] = octaves[:, 1]
    out[:, OCTAVES : 2 * OCTAVES] = octaves[:, 0]
    out[:, ZERO] = counts[:, :, 0].sum(axis=(1, 2))
    out[:, NAN] = counts[:, :, 255, 1].sum(axis=1)
    out[:, POSITIVE_INF] = counts[:, 0, 255, 0]
    out[:, NEGATIVE_INF] = counts[:, 1, 255, 0]
    total = out.sum(axis=1, keepdims=True)
    shares = out / np.where(total > 0, total, 1) * FULL_SHARE
    return np.where(out > 0, np.maximum(np.round(shares), 1), 0).astype(np.uint16)
