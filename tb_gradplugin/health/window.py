"""The recent logged points, reduced from variables to layers: what every rule looks at.

Memory is O(window x layers).  Rules only read it.
"""

from __future__ import annotations

import math

import numpy as np

from tb_gradplugin.health.progress import LossTrend
from tb_gradplugin.health.thresholds import Thresholds
from tb_gradplugin.metadata import STATISTICS_COLUMNS
from tb_gradplugin.records import ProbeRecord, StepRecord
from tb_gradplugin.structure import JUDGED_ROLES, ModelStructure

_NORM, _ZERO, _NAN, _INF, _WEIGHT, _UPDATE = (
    STATISTICS_COLUMNS.index(name)
    for name in ("norm", "zero_fraction", "nan_count", "inf_count", "weight_norm", "update_norm")
)
TINY = 1e-45
"""About the smallest positive float32."""


class Window:
    """Series of the layers that have trained variables, in forward order.

    A layer's sensitivity is S = max over its kernels of |g| |W| (L2 norms): unlike |g| it does not
    change when ReLU layers are rescaled against each other or a normalised kernel is scaled.
    Biases, scales and embeddings are not judged; embeddings count only as evidence that a gradient
    arrives (``reached``).

    Attributes:
        layers: int [L], indices into ``structure.layers``.
        judged: bool [L], layers with a kernel.
        loss: the trend of the loss.
        step, points, settled_points: step of the latest point taken in, the number of points, and
            of those after ``settle_step``.
        relative: float [L], A = log10 S - max log10 S, of the latest point (NaN: no gradient,
            -inf: exactly zero).
        norm: float [L], largest gradient norm of the layer's kernels at the latest point.
        zero_points: int [L], latest points in a row at which all kernels had a gradient of zero.
        zero_since: int [L], step of the first of these.
        weak_since: int [L], step since when a layer has been as weak as ``vanishing`` asks for,
            with fewer than ``hold_points`` points in a row at which it was not; 0: it is not.
        revived: int [L], value of ``points`` when the gradient last came back from zero; 0: never.
        alive: bool [L], had a gradient other than zero at some point.
        first_norm, peak_norm: float [L], the first norm that was not zero, and the largest.
        peak_influence: float [L], largest log10 (S / |loss|) so far.
        probe: the latest look inside a train step, or None; its rows are ``structure.layers``.
    """

    def __init__(self, structure: ModelStructure, thresholds: Thresholds):
        """Finds the layers with trained variables, and the rows of their kernels."""
        self.structure = structure
        layer_of = np.array([v.layer for v in structure.variables], dtype=np.int64)
        kernel = np.array([v.role in JUDGED_ROLES for v in structure.variables], dtype=bool)
        flow = kernel | np.array([v.role == "embeddings" for v in structure.variables], dtype=bool)
        self.layers, self._unit = np.unique(layer_of, return_inverse=True)
        self.judged = np.zeros(len(self.layers), dtype=bool)
        self.judged[self._unit[kernel]] = True
        # Rows of kernels (or embeddings, in layers without kernels), grouped by layer.
        self._rows = np.flatnonzero(flow & (kernel | ~self.judged[self._unit]))
        self._rows = self._rows[np.argsort(self._unit[self._rows], kind="stable")]
        self._groups, self._starts = np.unique(self._unit[self._rows], return_index=True)
        n = len(self.layers)
        self.loss = LossTrend(thresholds)
        self.step = self.points = self.settled_points = 0
        self._t = thresholds
        self.learning_rate = math.nan
        self.relative = self.norm = np.full(n, np.nan)
        self.zero_points = np.zeros(n, dtype=np.int64)
        self.zero_since = np.zeros(n, dtype=np.int64)
        self.weak_since = np.zeros(n, dtype=np.int64)
        self._strong_points = np.zeros(n, dtype=np.int64)
        self.revived = np.zeros(n, dtype=np.int64)
        self.alive = np.zeros(n, dtype=bool)
        self.first_norm = np.full(n, np.nan)
        self.peak_norm = np.full(n, np.nan)
        self.peak_influence = np.full(n, -np.inf)
        self.probe: ProbeRecord | None = None
        self._ring = np.full((thresholds.window_points, n), np.nan)
        self._top = np.full(thresholds.window_points, np.nan)
        self._ratios = np.full((thresholds.window_points, n), np.nan)
        self._zeros = np.zeros((thresholds.window_points, n), dtype=bool)
        self._attenuation: np.ndarray | None = None
        self._weights_known = False

    def broken_layers(self, record: StepRecord) -> np.ndarray:
        """bool [L]: layers with a NaN or Inf in a gradient of ``record``."""
        bad = (record.statistics[:, _NAN] > 0) | (record.statistics[:, _INF] > 0)
        out = np.zeros(len(self.layers), dtype=bool)
        out[self._unit[bad]] = True
        return out

    def broken_weights(self, record: StepRecord) -> np.ndarray:
        """bool [L]: layers with a weight norm that is NaN or Inf although they have a gradient."""
        finite = np.isfinite(record.statistics[:, _WEIGHT])
        bad = ~np.isnan(record.statistics[:, _ZERO]) & ~finite
        if not (finite.any() or self._weights_known):
            bad[:] = False  # this training loop does not record weights
        out = np.zeros(len(self.layers), dtype=bool)
        out[self._unit[bad]] = True
        return out

    def push(self, record: StepRecord) -> None:
        """Takes in a point whose gradients and loss are finite."""
        self.step, self.points = record.step, self.points + 1
        self.settled_points += record.step > self._t.settle_step
        self.learning_rate = record.scalar("learning_rate")
        self.loss.push(record)
        table = record.statistics[self._rows].astype(np.float64)
        # A norm that underflowed is not a gradient of exactly zero.
        norm = np.where((table[:, _NORM] == 0.0) & (table[:, _ZERO] < 1.0), TINY, table[:, _NORM])
        # Where weights are not recorded |g| alone has to do.
        weight = np.where(np.isnan(table[:, _WEIGHT]), 1.0, table[:, _WEIGHT])
        self._weights_known |= bool(np.isfinite(table[:, _WEIGHT]).any())
        sensitivity = np.where(weight > 0.0, norm * weight, np.where(norm == 0.0, 0.0, np.nan))
        self.norm = self._per_layer(norm)
        top = self._per_layer(sensitivity)
        logs = np.log10(top)
        highest = np.fmax.reduce(logs[self.judged], initial=-np.inf)
        self.relative = logs - highest if math.isfinite(highest) else np.full(len(top), np.nan)
        slot = (self.points - 1) % len(self._ring)
        self._ring[slot] = self.relative
        self._attenuation = None
        scale = abs(self.loss.smoothed)
        self._top[slot] = highest - math.log10(scale) if scale > 0.0 else np.nan
        self.peak_influence = np.fmax(self.peak_influence, self.relative + self._top[slot])
        ratio = np.where(weight > 0.0, table[:, _UPDATE] / weight, np.nan)
        self._ratios[slot] = self._per_layer(ratio)
        self._count_zeros()
        self._count_weak(self.relative + self._top[slot])
        self._zeros[slot] = self.norm == 0.0

    def _per_layer(self, values: np.ndarray) -> np.ndarray:
        """Largest value of each layer's rows; NaN where there is none."""
        out = np.full(len(self.layers), np.nan)
        if len(self._rows):
            out[self._groups] = np.fmax.reduceat(values, self._starts)
        return out

    def _count_zeros(self) -> None:
        zero, alive = self.norm == 0.0, self.norm > 0.0
        self.revived = np.where(alive & (self.zero_points > 0), self.points, self.revived)
        self.zero_since = np.where(zero & (self.zero_points == 0), self.step, self.zero_since)
        self.zero_points = np.where(zero, self.zero_points + 1, 0)
        self.first_norm = np.where(alive & ~self.alive, self.norm, self.first_norm)
        self.peak_norm = np.fmax(self.peak_norm, self.norm)
        self.alive = self.alive | alive

    def _count_weak(self, influence: np.ndarray) -> None:
        weak = (self.relative < -self._t.attenuation) | (influence < -self._t.influence)
        self._strong_points = np.where(weak, 0, self._strong_points + 1)
        self.weak_since[self._strong_points >= self._t.hold_points] = 0
        self.weak_since[weak & (self.weak_since == 0)] = self.step

    @property
    def attenuation(self) -> np.ndarray:
        """float [L]: median of A over the window; NaN where there is nothing to judge."""
        if self._attenuation is None:
            self._attenuation = median(self._ring[: self.points])
        return self._attenuation

    @property
    def influence(self) -> np.ndarray:
        """float [L]: log10 (S / |smoothed loss|), medians over the window."""
        return self.attenuation + self.strongest_influence

    @property
    def strongest_influence(self) -> float:
        """Median over the window of log10 (max S / |smoothed loss|); NaN without a loss."""
        return float(median(self._top[: self.points, None])[0])

    @property
    def update_ratio(self) -> np.ndarray:
        """float [L]: |update| / |W| of the layer's fastest kernel, median over the window."""
        return median(self._ratios[: self.points])

    @property
    def zero_share(self) -> np.ndarray:
        """float [L]: share of the window's points at which all kernels had a gradient of zero."""
        return self._zeros[: self.points].mean(axis=0)

    def depth_slope(self) -> float:
        """Least-squares slope of log10 S over depth, decades a kernel layer (positive: vanishing).

        NaN for fewer than five layers with a gradient: a line through less says nothing.
        """
        a = self.attenuation[self.judged]
        depth = np.flatnonzero(np.isfinite(a))
        if len(depth) < 5:
            return math.nan
        x = depth - depth.mean()
        return float(x @ a[depth] / (x @ x))

    def paths(self, mask: np.ndarray) -> tuple[str, ...]:
        """Paths of the layers in ``mask``, forward order."""
        return tuple(self.structure.layers[i].path for i in self.layers[mask])


def median(values: np.ndarray) -> np.ndarray:
    """Median of each column without its NaNs, NaN for a column of nothing else."""
    ordered = np.sort(values, axis=0)  # NaNs go last
    count = len(values) - np.isnan(ordered).sum(axis=0)
    column = np.arange(values.shape[1])
    return 0.5 * (ordered[np.maximum(count - 1, 0) // 2, column] + ordered[count // 2, column])
