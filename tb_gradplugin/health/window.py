"""The recent logged points, reduced from variables to layers: what every rule looks at.

Memory is O(window x layers).  Rules only read it.
"""

from __future__ import annotations

import functools
import math

import numpy as np

from tb_gradplugin.health import facts
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
DEEP = 5
"""Layers from which a slope over depth says something."""
PEAK_MARGIN = 1.0
"""Decades: a layer that once had influence and lost it has converged, not vanished."""


class Window:
    """Series of the layers that have trained variables, in forward order.

    A layer's sensitivity is S = max over its kernels of |g| |W| (L2 norms): unlike |g| it does not
    change when ReLU layers are rescaled against each other or a normalised kernel is scaled.
    Biases, scales and embeddings are not judged; embeddings count only as evidence that a gradient
    arrives (``reached``).

    Attributes:
        layers: int [L], indices into ``structure.layers``.
        judged, filled: bool [L], layers with a kernel, and with one that has elements.
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
        output: units of the last layer with a kernel, and its activation.
        weight_growth: ``weight_size`` at the first point after ``settle_step``.
        pace: mean over all steps of the largest |update| / |W| of a layer.
        bias_silent: bool [L], the gradient of the layer's bias is exactly zero at the latest point.
        starved: bool [L], it is not: if the kernel's is zero, the layer gets no input.
        reach: sum over all steps of |g| |update| / |smoothed loss|: the share by which the loss
            could have fallen at most, to first order (steps between points as at the later one).
        regularisation, first_regularisation: share of the latest and of the first total loss that
            is not the data's.
        first_ratio: largest |update| / |W| of a layer at the first point.
        improper: at a probe the loss was higher than probabilities made of the last layer's
            outputs could give.
        probe: the latest look inside a train step, or None.
        ended: a fit ended without progress: no plateau is waited for any more.
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
        self.filled = np.zeros(len(self.layers), dtype=bool)
        sizes = np.array([v.size for v in structure.variables], dtype=np.int64)
        self.filled[self._unit[kernel & (sizes > 0)]] = True
        # Rows of kernels (or embeddings, in layers without kernels), grouped by layer.
        self._rows = np.flatnonzero(flow & (kernel | ~self.judged[self._unit]))
        self._rows = self._rows[np.argsort(self._unit[self._rows], kind="stable")]
        self._groups, self._starts = np.unique(self._unit[self._rows], return_index=True)
        self._kernels = np.flatnonzero(self.judged[self._unit[self._rows]])
        self._kernel_rows = self._rows[self._kernels]
        # Norm that a kernel has when the initialiser minds its width (variance 1 / fan in).
        widths = [structure.variables[i].shape[-1:] or (1,) for i in self._rows]
        self._usual_weight = np.sqrt(np.array(widths, dtype=np.float64).reshape(-1))
        # |W| of all variables at the latest point and, where that is a start, at the first one.
        self._norms = self._first_norms = np.full(len(structure.variables), np.nan)
        self._first_weight = np.empty(0)
        self.weight_growth = math.nan
        self.bias_silent = self.starved = np.zeros(len(self.layers), dtype=bool)
        bias = np.array([v.role == "bias" for v in structure.variables], dtype=bool)
        self._bias = np.flatnonzero(bias & self.judged[self._unit])
        self._biased = self._unit[self._bias]
        self._sizes = np.maximum(sizes, 1).astype(np.float64)
        self._gamma = [
            row
            for row, v in enumerate(structure.variables)
            if v.role == "scale" and "BatchNormalization" in structure.layers[v.layer].type
        ]
        n = len(self.layers)
        self.loss = LossTrend(thresholds, structure.loss)
        self.output = facts.head(structure)
        self.probe: ProbeRecord | None = None
        self.ended = False
        self.reach = self.pace = 0.0
        self.first_ratio = math.nan
        self.regularisation = self.first_regularisation = 0.0
        self.improper = False
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
        self._ring = np.full((thresholds.window_points, n), np.nan)
        self._top = np.full(thresholds.window_points, np.nan)
        self._ratios = np.full((thresholds.window_points, n), np.nan)
        self._zeros = np.zeros((thresholds.window_points, n), dtype=bool)
        self._largest = np.full(thresholds.window_points, np.nan)
        self._rates = np.full(thresholds.window_points, np.nan)
        self._attenuation: np.ndarray | None = None
        self._weights_known = False
        # Latest points at which there was something to look at, see the properties.
        self._low_point = self._fast_point = self._zero_point = 0

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
        elapsed = record.step - self.step if self.points else 1
        self.step, self.points = record.step, self.points + 1
        self.settled_points += record.step > self._t.settle_step
        slot = (self.points - 1) % self._t.window_points
        self.learning_rate = self._rates[slot] = record.scalar("learning_rate")
        self.loss.push(record)
        total, data = record.scalar("loss"), record.scalar("data_loss")
        extra, whole = total - data, max(abs(total), abs(data))
        self.regularisation = extra / whole if extra > 0.0 else 0.0
        if self.points == 1:
            self.first_regularisation = self.regularisation
        self.improper |= facts.improper(self, record)
        statistics = record.statistics.astype(np.float64)
        ratios = statistics[:, _UPDATE] / statistics[:, _WEIGHT]
        ratios[np.isinf(ratios)] = np.nan  # biases that start at zero
        self._largest[slot] = np.fmax.reduce(ratios, initial=-np.inf)
        downhill = statistics[:, _NORM] * statistics[:, _UPDATE]
        downhill = float(downhill[~np.isnan(downhill)].sum())
        self.reach += elapsed * downhill / (abs(self.loss.smoothed) or math.inf)
        table = statistics[self._rows]
        # A norm that underflowed is not a gradient of exactly zero.
        norm = np.where((table[:, _NORM] == 0.0) & (table[:, _ZERO] < 1.0), TINY, table[:, _NORM])
        self._norms = statistics[:, _WEIGHT]
        weight = _or_one(table[:, _WEIGHT])
        if self.points == 1:
            self._first_weight = np.fmax(weight, self._usual_weight)
            if record.step <= max(self._t.settle_step, 1):
                self._first_norms = self._norms
        if self.settled_points <= 1:
            self.weight_growth = self.weight_size
        self._weights_known = self._weights_known or bool(np.isfinite(table[:, _WEIGHT]).any())
        sensitivity = np.where(weight > 0.0, norm * weight, np.where(norm == 0.0, 0.0, np.nan))
        silent = statistics[self._bias, _ZERO] == 1.0
        self.bias_silent = np.zeros(len(self.layers), dtype=bool)
        self.bias_silent[self._biased[silent]] = True
        self.starved = np.zeros(len(self.layers), dtype=bool)
        self.starved[self._biased[statistics[self._bias, _ZERO] < 1.0]] = True
        if self.regularisation > facts.ROUNDING:
            norm = self._of_data(norm)
            sensitivity = np.where(norm == 0.0, 0.0, sensitivity)
        self.norm = self._per_layer(norm)
        top = self._per_layer(sensitivity)
        logs = np.log10(top)
        highest = np.fmax.reduce(logs[self.judged], initial=-np.inf)
        self.relative = logs - highest if math.isfinite(highest) else np.full(len(top), np.nan)
        self._ring[slot] = self.relative
        self._attenuation = None
        scale = abs(self.loss.smoothed)
        self._top[slot] = highest - math.log10(scale) if scale > 0.0 else np.nan
        influence = self.relative + self._top[slot]
        self.peak_influence = np.fmax(self.peak_influence, influence)
        ratio = np.where(weight > 0.0, table[:, _UPDATE] / weight, np.nan)
        self._ratios[slot] = self._per_layer(ratio)
        fastest = float(np.fmax.reduce(self._ratios[slot][self.judged], initial=0.0))
        if math.isfinite(fastest):
            self.pace += (fastest - self.pace) * elapsed / max(record.step, elapsed)
            self.first_ratio = fastest if self.points == 1 else self.first_ratio
        if fastest > self._t.update_ratio:
            self._fast_point = self.points
        zero = self.norm == 0.0
        # A batch without a loss, as equal returns are in reinforcement learning, tells nothing.
        void = self.loss.last == 0.0 and self.alive.any() and not (table[:, _NORM] > 0.0).any()
        self._zeros[slot] = zero & (not void)
        if not void:
            self._count_zeros(zero)
        self._count_weak(influence)

    def _per_layer(self, values: np.ndarray) -> np.ndarray:
        """Largest value of each layer's rows; NaN where there is none."""
        out = np.full(len(self.layers), np.nan)
        if len(self._rows):
            out[self._groups] = np.fmax.reduceat(values, self._starts)
        return out

    def _of_data(self, norm: np.ndarray) -> np.ndarray:
        """``norm`` [rows], 0 for kernels whose gradient comes from regularisation alone.

        Weight decay in the loss keeps the gradient of a dead layer's kernel from zero, but not that
        of its bias.
        """
        return np.where(self.bias_silent[self._unit[self._rows]], 0.0, norm)

    def _count_zeros(self, zero: np.ndarray) -> None:
        alive = self.norm > 0.0
        if zero.any():
            self._zero_point = self.points
        if self.zeros:
            self.revived = np.where(alive & (self.zero_points > 0), self.points, self.revived)
            self.zero_since = np.where(zero & (self.zero_points == 0), self.step, self.zero_since)
            self.zero_points = np.where(zero, self.zero_points + 1, 0)
        if not self.alive.all():
            self.first_norm = np.where(alive & ~self.alive, self.norm, self.first_norm)
            self.alive = self.alive | alive
        self.peak_norm = np.fmax(self.peak_norm, self.norm)

    def _count_weak(self, influence: np.ndarray) -> None:
        t = self._t
        lowest = np.fmin.reduce(self.relative, initial=np.inf)
        faint = np.fmin.reduce(influence, initial=np.inf) < PEAK_MARGIN - t.influence
        if faint or lowest < -min(t.attenuation, t.attenuation_with_progress):
            self._low_point = self.points
        elif not self.weak_since.any():
            self._strong_points += 1
            return
        weak = (self.relative < -t.attenuation) | (influence < -t.influence)
        self._strong_points = np.where(weak, 0, self._strong_points + 1)
        self.weak_since[self._strong_points >= t.hold_points] = 0
        self.weak_since[weak & (self.weak_since == 0)] = self.step

    def _within(self, point: int) -> bool:
        return point > 0 and self.points - point < self._t.window_points

    @property
    def low(self) -> bool:
        """Whether any layer had so little sensitivity within the window that it may have faded."""
        return self._within(self._low_point)

    @property
    def zeros(self) -> bool:
        """Whether any layer had a gradient of exactly zero within the window."""
        return self._within(self._zero_point)

    @property
    def fast(self) -> bool:
        """Whether any kernel was updated by more than ``update_ratio`` within the window."""
        return self._within(self._fast_point)

    @functools.cached_property
    def expected_deviations(self) -> list[tuple[str, float]]:
        """Of the initial weights of each kernel, see ``facts.expected_deviation``."""
        return [facts.expected_deviation(self.structure, int(row)) for row in self._kernel_rows]

    @functools.cached_property
    def inverse_widths(self) -> float:
        """See ``facts.inverse_widths``."""
        return facts.inverse_widths(self.structure)

    @property
    def first_deviations(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Row, place in ``layers`` and root mean square of the initial weights of each kernel.

        NaN where the first steps were not logged: weights may come from an earlier training.
        """
        rows = self._kernel_rows
        return rows, self._unit[rows], self._first_norms[rows] / np.sqrt(self._sizes[rows])

    @property
    def empty_kernels(self) -> list[str]:
        """Layers whose kernels were exactly zero before the latest update."""
        rows = self._kernel_rows[self._norms[self._kernel_rows] == 0.0]
        return [self.structure.layers[self.structure.variables[r].layer].path for r in rows]

    def gamma(self) -> tuple[str, float]:
        """Layer of batch normalisation whose gamma is smallest, and its root mean square."""
        if not self._gamma:
            return "", math.inf
        means = self._norms[self._gamma] / np.sqrt(self._sizes[self._gamma])
        least = int(np.argmin(np.where(np.isnan(means), np.inf, means)))
        layer = self.structure.variables[self._gamma[least]].layer
        return self.structure.layers[layer].path, float(means[least])

    @property
    def weight_size(self) -> float:
        """Geometric mean over the kernels of |W| / max(|W| at first, sqrt(fan out)); NaN: none."""
        if not (self.points and len(self._kernels)):
            return math.nan
        return _geometric_mean(
            _or_one(self._norms[self._kernel_rows]) / self._first_weight[self._kernels]
        )

    @property
    def shrinkage(self) -> float:
        """Geometric mean over the kernels of |W| / |W| at first; NaN where the start is unknown."""
        rows = self._kernel_rows
        return (
            _geometric_mean(self._norms[rows] / self._first_norms[rows]) if len(rows) else math.nan
        )

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
    def knows_time(self) -> bool:
        """Whether the latest probe saw a recurrent layer."""
        return self.probe is not None and bool(self.probe.through_time)

    def time_norms(self, layer: int) -> np.ndarray:
        """float64, |dL/dh_t| of a layer of the structure at the latest probe, first step first.

        Time steps that are masked or not kept are left out; empty if the layer is not recurrent.
        """
        norms = None if self.probe is None else self.probe.through_time.get(layer)
        if norms is None:
            return np.empty(0)
        return norms[~np.isnan(norms)].astype(np.float64)

    def time_decades(self) -> np.ndarray:
        """float [L, 2], at the latest probe: log10 of |dL/dh_t| at the first time step over its
        largest, and over that at the last; NaN for layers that are not recurrent, and where the
        loss does not depend on the last one."""
        out = np.full((len(self.layers), 2), np.nan)
        for layer in () if self.probe is None else self.probe.through_time:
            norms = self.time_norms(layer)
            if np.isfinite(norms).all() and norms.max(initial=0.0) > 0.0:
                wide = np.maximum(norms, TINY)
                last = wide[-1] if norms[-1] > 0.0 else np.nan  # nothing to grow from
                out[self.layers == layer] = np.log10(wide[0] / np.array([wide.max(), last]))
        return out

    @property
    def overshoot(self) -> float:
        """Median over the window of the largest |update| / |W| of any variable."""
        return float(median(self._largest[: self.points, None])[0])

    @property
    def rate_growth(self) -> float:
        """Learning rate now over the smallest in the window; NaN if unknown or all are 0."""
        return float(np.divide(self.learning_rate, np.fmin.reduce(self._rates)))

    @property
    def everything(self) -> np.ndarray:
        """bool [L]: layers with kernels, or all where there is none."""
        return self.judged if self.judged.any() else np.ones_like(self.judged)

    @property
    def head(self) -> np.ndarray:
        """bool [L]: the last layer with a kernel."""
        return np.arange(len(self.judged)) == np.flatnonzero(self.everything)[-1]

    @property
    def zero_share(self) -> np.ndarray:
        """float [L]: share of the window's points at which all kernels had a gradient of zero."""
        return self._zeros[: self.points].mean(axis=0)

    def depth_slope(self) -> float:
        """Least-squares slope of log10 S over depth, decades a kernel layer (positive: vanishing).

        NaN for fewer than ``DEEP`` layers with a gradient: a line through less says nothing.
        """
        if len(self._kernels) < DEEP:
            return math.nan
        a = self.attenuation[self.judged]
        depth = np.flatnonzero(np.isfinite(a))
        if len(depth) < DEEP:
            return math.nan
        x = depth - depth.mean()
        return float(x @ a[depth] / (x @ x))

    def paths(self, mask: np.ndarray) -> tuple[str, ...]:
        """Paths of the layers in ``mask``, forward order."""
        return tuple(self.structure.layers[i].path for i in self.layers[mask])


def _geometric_mean(ratios: np.ndarray) -> float:
    """Geometric mean."""
    return float(np.exp(np.mean(np.log(ratios))))


def _or_one(weights: np.ndarray) -> np.ndarray:
    """Norms of weights, 1 where they are not recorded: there |g| alone has to do."""
    return np.where(np.isnan(weights), 1.0, weights)


def median(values: np.ndarray) -> np.ndarray:
    """Median of each column without its NaNs, NaN for a column of nothing else."""
    ordered = np.sort(values, axis=0)  # NaNs go last
    count = len(values) - np.isnan(ordered).sum(axis=0)
    column = np.arange(values.shape[1])
    return 0.5 * (ordered[np.maximum(count - 1, 0) // 2, column] + ordered[count // 2, column])
