"""From statistics to what the heatmap shows: one level per layer and step, in decades.

Negative levels say how far a layer's sensitivity lies below the most sensitive one of the same
step (attenuation), positive ones how far a layer's gradient has grown since its start; the health
rules look at the same quantities.  All functions are pure NumPy over whole runs.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools

import numpy as np

from tb_gradplugin import metadata
from tb_gradplugin.structure import JUDGED_ROLES, ModelStructure

BASELINE_STEPS = 20
"""Logged steps at the start of a run that a layer's growth is relative to."""
GROWTH_DEAD_BAND = 0.7
"""Decades; growth below it is drift and does not hide attenuation."""
LIMIT = 4.0
"""Decades at which levels are clipped."""

NOT_RECORDED, NONFINITE, ZERO = 0, 1, 2
"""Codes with a meaning of their own; all others are levels."""
CODES_PER_DECADE = 31
CODE_OF_ZERO = 131

_COLUMN = {name: i for i, name in enumerate(metadata.STATISTICS_COLUMNS)}


@dataclasses.dataclass(frozen=True)
class LayerSeries:
    """What is known of every layer with trained variables at every step.

    Attributes:
        layers: indices into the structure's layers of the rows: those with a trained variable.
        level: float32 [T, rows], decades within +-``LIMIT``; NaN: no level, see ``special``.
        special: uint8 [T, rows], ``NOT_RECORDED``, ``NONFINITE`` or ``ZERO`` where ``level`` is
            NaN, 255 elsewhere.
        norm: float32 [T, rows], L2 norm of the layer's gradient; NaN where not recorded or bad.
        bad: bool [T, rows], True where an element is NaN or Inf.
    """

    layers: list[int]
    level: np.ndarray
    special: np.ndarray
    norm: np.ndarray
    bad: np.ndarray


def column(statistics: np.ndarray, name: str) -> np.ndarray:
    """Column ``name`` of statistics [..., 10] as float64 [...]."""
    return statistics[..., _COLUMN[name]].astype(np.float64)


def max_abs(statistics: np.ndarray) -> np.ndarray:
    """Largest finite \\|g\\|: max(\\|min\\|, \\|max\\|)."""
    return np.maximum(np.abs(column(statistics, "min")), np.abs(column(statistics, "max")))


def gradient_norm(statistics: np.ndarray) -> np.ndarray:
    """L2 norm of the finite elements; never below max \\|g\\|, which its squares may underflow."""
    norm, largest = column(statistics, "norm"), max_abs(statistics)
    norm = np.where(np.isinf(norm), largest, norm)  # the squares overflowed float32
    return np.where(largest > norm, largest, norm)


def attenuation(norm: np.ndarray, weight_norm: np.ndarray, judged: np.ndarray) -> np.ndarray:
    """A = log10 S - max over judged variables of log10 S, with the sensitivity S = \\|g\\| \\|W\\|.

    Args:
        norm: [T, V].
        weight_norm: [T, V].
        judged: bool [V].

    Returns:
        [T, V], at most 0; NaN for variables not judged, not recorded or with S = 0.
    """
    out = np.full(norm.shape, np.nan)
    with np.errstate(invalid="ignore"):  # 0 * inf
        sensitivity = norm[:, judged] * weight_norm[:, judged]
    usable = np.isfinite(sensitivity) & (sensitivity > 0)
    log = np.log10(np.where(usable, sensitivity, 1.0))
    top = np.max(np.where(usable, log, -np.inf), axis=1, keepdims=True, initial=-np.inf)
    out[:, judged] = np.where(usable, log - np.where(np.isfinite(top), top, 0.0), np.nan)
    return out


def growth(norm: np.ndarray, first: np.ndarray | None = None) -> np.ndarray:
    """log10 norm - median of log10 norm over the first ``BASELINE_STEPS`` logged steps.

    Args:
        norm: layer norms [T, L].
        first: those of the first logged steps, [any, L], if ``norm`` does not begin with them.

    Returns:
        [T, L]; NaN where the norm is zero or not recorded, 0 for layers without a baseline.
    """
    log = _log10(norm)
    start = _log10((norm if first is None else first)[:BASELINE_STEPS])
    has_baseline = np.isfinite(start).any(axis=0)
    baseline = np.nanmedian(np.where(has_baseline, start, 0.0), axis=0) if len(start) else 0.0
    return np.where(has_baseline | np.isnan(log), log - baseline, 0.0)


def _log10(norm: np.ndarray) -> np.ndarray:
    """NaN where the norm is zero, infinite or not recorded."""
    usable = np.isfinite(norm) & (norm > 0)
    return np.where(usable, np.log10(np.where(usable, norm, 1.0)), np.nan)


def essence(statistics: np.ndarray) -> np.ndarray:
    """What the heatmap is made of, a fifth of it all: float32 [..., 10] -> float32 [..., 2].

    Columns: gradient norm, Inf where an element of the gradient is NaN or Inf, and weight norm.
    """
    bad = (column(statistics, "nan_count") > 0) | (column(statistics, "inf_count") > 0)
    norm = np.where(bad, np.inf, gradient_norm(statistics))
    return np.stack((norm, column(statistics, "weight_norm")), axis=-1).astype(np.float32)


FEW = 16
"""Stretches of layers with equally many variables up to which each is reduced by itself."""
STEPS_AT_ONCE = 64
"""Steps whose [T, V] are float64 at the same time."""


def layer_series(values: np.ndarray, structure: ModelStructure) -> LayerSeries:
    """Norm and level of every layer with trained variables at every step.

    The level is ``growth`` where it exceeds ``GROWTH_DEAD_BAND`` and is more than the layer is
    attenuated, else the smallest ``attenuation`` of the layer's judged variables (0 for a layer
    without any), clipped to +-``LIMIT``.  A layer is ``ZERO`` where the gradient of all its judged
    variables is exactly zero, whatever a bias gets.

    Args:
        values: float32 [T, V, 2], see ``essence``; NaN rows: not recorded.
        structure: with V variables.
    """
    groups = _Groups(structure)
    judged = np.array([v.role in JUDGED_ROLES for v in structure.variables], bool)
    has_judged = groups.reduce(np.logical_or, judged[None])[0]
    deciding = judged | ~groups.spread(has_judged)
    shape = (len(values), len(groups.layers))
    level, norms = np.empty(shape, np.float32), np.empty(shape, np.float32)
    special, bads = np.full(shape, 255, np.uint8), np.empty(shape, bool)
    for start in range(0, len(values), STEPS_AT_ONCE):
        at = slice(start, start + STEPS_AT_ONCE)
        norm, weight = values[at, :, 0].astype(np.float64), values[at, :, 1].astype(np.float64)
        # Inf where a norm is; the squares of float32 do not overflow float64.
        whole = np.sqrt(groups.reduce(np.add, np.where(np.isnan(norm), 0.0, norm) ** 2))
        bads[at] = bad = np.isinf(whole)
        largest = groups.reduce(np.fmax, norm)  # NaN where nothing is recorded
        norms[at] = per_layer = np.where(
            bad | np.isnan(largest), np.nan, np.minimum(whole, np.finfo(np.float32).max)
        )
        a = attenuation(norm, weight, judged)
        lowest = groups.reduce(np.minimum, np.where(np.isnan(a), 0.0, a))
        grown = growth(per_layer, norms[: min(BASELINE_STEPS, start + len(norm))])
        found = np.where((grown > GROWTH_DEAD_BAND) & (grown > -lowest), grown, lowest)
        part = special[at]
        part[groups.reduce(np.fmax, np.where(deciding, norm, np.nan)) == 0] = ZERO
        part[largest == 0] = ZERO
        part[np.isnan(per_layer)] = NOT_RECORDED
        part[bad] = NONFINITE
        level[at] = np.where(part == 255, np.clip(found, -LIMIT, LIMIT), np.nan)
    return LayerSeries(groups.layers, level, special, norms, bads)


def quantise(found: LayerSeries) -> np.ndarray:
    """uint8 codes [T, rows]: a special code, or round(level * 31 + 131) in 7..255."""
    level = np.where(np.isnan(found.level), 0.0, found.level)
    codes = np.round(level * CODES_PER_DECADE + CODE_OF_ZERO).astype(np.uint8)
    return np.where(found.special == 255, codes, found.special).astype(np.uint8)


def bucket(codes: np.ndarray, columns: int) -> tuple[np.ndarray, np.ndarray]:
    """Merges neighbouring steps so that at most ``columns`` remain.

    A bucket keeps each row's most extreme code: NONFINITE before ZERO before the level furthest
    from 0 before NOT_RECORDED.

    Args:
        codes: uint8 [T, rows].
        columns: positive.

    Returns:
        indices of each bucket's first step, and codes uint8 [min(T, columns), rows].
    """
    rank = np.abs(codes.astype(np.int32) - CODE_OF_ZERO)
    rank[codes == ZERO] = 1000
    rank[codes == NONFINITE] = 1001
    rank[codes == NOT_RECORDED] = -1
    return _bucket(codes, rank, columns)


FIRST_NORM = 3
"""Code of the smallest norm."""


def quantise_norms(norm: np.ndarray, bad: np.ndarray) -> tuple[np.ndarray, float, float]:
    """uint8 codes [T, rows]: a special code, or ``low + step * (code - 3)`` is log10 of the norm.

    Returns:
        codes, ``low`` and ``step``: 1/16 decade, or 1/8, 1/4, 1/2 where the range needs it.
    """
    usable = np.isfinite(norm) & (norm > 0)
    log = np.log10(np.where(usable, norm, 1.0))
    low = float(np.floor(log[usable].min())) if usable.any() else 0.0
    high = float(log[usable].max()) if usable.any() else 0.0
    step = next(1 / n for n in (16, 8, 4, 2) if n == 2 or (high - low) * n <= 255 - FIRST_NORM)
    codes = np.clip(np.round((log - low) / step) + FIRST_NORM, FIRST_NORM, 255).astype(np.uint8)
    codes[~usable] = ZERO
    codes[np.isnan(norm)] = NOT_RECORDED
    codes[bad | np.isinf(norm)] = NONFINITE
    return codes, low, step


def bucket_norms(codes: np.ndarray, columns: int) -> tuple[np.ndarray, np.ndarray]:
    """As ``bucket``; a bucket keeps NONFINITE, else the largest norm."""
    rank = codes.astype(np.int32)
    rank[codes == NONFINITE] = 256
    return _bucket(codes, rank, columns)


def _bucket(codes: np.ndarray, rank: np.ndarray, columns: int) -> tuple[np.ndarray, np.ndarray]:
    count = len(codes)
    if count <= columns:
        return np.arange(count), codes
    starts = np.arange(columns) * count // columns
    best = np.maximum.reduceat(rank * 256 + codes, starts, axis=0)
    return starts, (best & 255).astype(np.uint8)


class _Groups:
    """The variables of a structure by layer.

    Attributes:
        layers: those with trained variables, ascending.
    """

    def __init__(self, structure: ModelStructure):
        owner = np.array([v.layer for v in structure.variables], np.int64)
        order = np.argsort(owner, kind="stable")
        layers, self._starts, self._of = np.unique(
            owner[order], return_index=True, return_inverse=True
        )
        self.layers: list[int] = layers.tolist()
        self._order = order
        in_order = np.array_equal(order, np.arange(len(order)))
        self._columns: slice | np.ndarray = slice(None) if in_order else order
        sizes = np.diff(np.append(self._starts, len(order)))
        edges = np.flatnonzero(np.diff(sizes, prepend=0, append=0))
        self._alike = [  # layers that follow each other with as many variables each
            (slice(first, end), int(self._starts[first]), int(sizes[first]))
            for first, end in itertools.pairwise(edges.tolist())
        ]

    def reduce(self, ufunc: np.ufunc, values: np.ndarray) -> np.ndarray:
        """``ufunc`` over the columns of each layer: [T, V] -> [T, layers].

        Where layers have a kernel and a bias each, it takes every other column: ten times faster.
        """
        values = values[:, self._columns]
        if len(self._alike) > FEW:
            return ufunc.reduceat(values, self._starts, axis=1)
        out = np.empty((len(values), len(self.layers)), values.dtype)
        for layers, start, size in self._alike:
            end = start + size * (layers.stop - layers.start)
            parts = (values[:, start + i : end : size] for i in range(size))
            out[:, layers] = functools.reduce(ufunc, parts)
        return out

    def spread(self, of_layers: np.ndarray) -> np.ndarray:
        """[layers] -> [V]: what holds of a layer for each of its variables."""
        out = np.empty(len(self._order), of_layers.dtype)
        out[self._order] = of_layers[self._of]
        return out
