"""Whether the loss still falls: the gate of most rules.

Small gradients are harmless in a network that learns, so rules ask first whether it does.
"""

from __future__ import annotations

import math
from collections import deque
from typing import NamedTuple

from tb_gradplugin.health.thresholds import Thresholds
from tb_gradplugin.records import StepRecord
from tb_gradplugin.structure import plain_name

START_POINTS = 3
"""First points whose median is the initial loss: one batch may be lucky."""
RECENT_POINTS = 5
"""Latest points that tell how high the loss is now: a single bad batch does not count."""
OUTLIER = 2.0
"""A batch counts in the average with at most this many times the average on top of it."""
MARK_GROWTH = 1.25
"""Factor between the steps whose smoothed loss is remembered."""
REGRESSIONS = ("mse", "mae", "msle", "mape", "squared", "absolute", "huber", "cosh")
"""Parts of names of losses that compare numbers, not probabilities."""
SUPERVISED = ("entropy", *REGRESSIONS)
"""Parts of names of losses that compare with labels."""
TRAINED = 0.5
"""Below this share of the best constant prediction's loss at the start, the model was trained
before (fine-tuning, a resumed run): its initial loss is no yardstick."""
NOISE = 2.0
"""Standard errors of the difference of two means that are not a fall of the loss."""


class _Mean(NamedTuple):
    """Of some losses, and its standard error; NaN of fewer than two."""

    mean: float
    error: float


class _Sums(NamedTuple):
    """Of all losses until some step."""

    points: int = 0
    total: float = 0.0
    squares: float = 0.0

    def plus(self, loss: float) -> _Sums:
        """With one more."""
        return _Sums(self.points + 1, self.total + loss, self.squares + loss * loss)

    def since(self, earlier: _Sums) -> _Mean:
        """Of those that came after ``earlier``."""
        n = self.points - earlier.points
        if n < 2:
            return _Mean(math.nan, math.nan)
        mean = (self.total - earlier.total) / n
        variance = (self.squares - earlier.squares) / n - mean * mean
        return _Mean(mean, math.sqrt(max(variance, 0.0) / n))


class _Mark(NamedTuple):
    """What is remembered of a step."""

    step: int = 0
    smoothed: float = math.nan
    sums: _Sums = _Sums()


class LossTrend:
    """Initial, smoothed and recent loss over the logged points, and that of held-back data.

    Attributes:
        points: number of finite losses seen.
        first: first finite loss; NaN before.
        initial: median of the first points, or the first where they explode.
        baseline: loss of the best constant prediction, NaN where unknown.
        smoothed: moving average over points, single outliers clipped.
        last, highest: latest and largest finite loss.
        recent: median of the latest points.
    """

    def __init__(self, thresholds: Thresholds, loss: str | None = None):
        """Starts without a point; ``loss`` is the name of the loss that the model has."""
        self._t = thresholds
        self._name = plain_name(loss)
        self._marks: list[_Mark] = []  # steps a quarter apart
        self._sums, self._step = _Sums(), 0
        self._start: list[float] = []
        self._latest: deque[float] = deque(maxlen=RECENT_POINTS)
        self._penalty = 0.0
        self._held: list[tuple[int, float]] = []  # step, loss
        self.points = 0
        self.first = self.last = self.highest = self.initial = math.nan
        self.baseline = self.smoothed = self.recent = math.nan

    @staticmethod
    def loss_of(record: StepRecord) -> float:
        """Loss without regularisation terms, or the total where that is unknown."""
        data = record.scalar("data_loss")
        return record.scalar("loss") if math.isnan(data) else data

    def push(self, record: StepRecord) -> None:
        """Takes in one logged point; a loss that is not finite changes nothing."""
        loss, baseline = self.loss_of(record), record.scalar("baseline_loss")
        if math.isfinite(baseline):
            self.baseline = baseline
        if not math.isfinite(loss):
            return
        self.points += 1
        self._penalty = record.scalar("loss") - loss
        self.last = loss
        self.highest = loss if self.points == 1 else max(self.highest, loss)
        if self.points == 1:
            self.first = self.smoothed = loss
        if len(self._start) < START_POINTS:
            self._start.append(loss)
            median = _median(self._start)
            # A loss that explodes at once is no yardstick, its first value is.
            growth = self._t.loss_growth_early * abs(self.first)
            self.initial = self.first if median - self.first > growth else median
        self._latest.append(loss)
        self.recent = _median(list(self._latest))
        ceiling = self.smoothed + OUTLIER * max(abs(self.smoothed), abs(self.initial))
        weight = max(1.0 / self.points, self._t.loss_smoothing)
        self.smoothed += weight * (min(loss, ceiling) - self.smoothed)
        self._step = record.step
        self._sums = self._sums.plus(min(loss, ceiling))
        if not self._marks or record.step >= MARK_GROWTH * self._marks[-1].step:
            self._marks.append(_Mark(record.step, self.smoothed, self._sums))

    def push_validation(self, step: int, loss: float) -> None:
        """Takes in the loss of held-back data after ``step``, with penalties as Keras has it; one
        that is not finite changes nothing."""
        loss -= self._penalty
        if math.isfinite(loss):
            self._held.append((step, loss))

    @property
    def validated(self) -> float:
        """Latest loss of held-back data, without penalties; NaN without any."""
        return self._held[-1][1] if self._held else math.nan

    @property
    def known(self) -> bool:
        """False where the training loop reports no loss."""
        return self.points > 0

    @property
    def is_supervised(self) -> bool:
        """Whether the loss compares with labels, so that it has to fall.

        Losses of games between networks, and of agents, need not; but nobody holds data back for
        those.
        """
        if math.isfinite(self.baseline) or any(name in self._name for name in SUPERVISED):
            return True
        return bool(self._name and self._held)

    @property
    def reference(self) -> float:
        """What the loss has to get below: min(initial, baseline).

        A model that starts far below the baseline was trained before: the baseline alone counts.
        """
        if not math.isfinite(self.baseline):
            return self.initial
        trained = self.initial < TRAINED * self.baseline
        return self.baseline if trained else min(self.initial, self.baseline)

    @property
    def at_half(self) -> float:
        """``smoothed`` at about half the steps so far (from 0.4 to 0.5 of them)."""
        return self._mark(2).smoothed

    @property
    def progress(self) -> bool:
        """smoothed < 0.9 ``reference``; True without a loss (no ground for a verdict)."""
        if not self.known:
            return True
        reference = self.reference
        # The same as a factor of 0.9 for positive losses, and right for negative ones.
        return self.smoothed < reference - (1.0 - self._t.progress) * abs(reference)

    @property
    def stands_still(self) -> bool:
        """Not below ``stall_level`` of ``reference``, nor lower than half way (``stall_fall``)."""
        fell = self.at_half - self.smoothed > self._t.stall_fall * abs(self.at_half)
        return self.smoothed >= self._stall_level and not fell

    @property
    def ends_still(self) -> bool:
        """The same of a training that is over, of means: batches may differ by more than it asks.

        Over the latter half of the steps the loss is not below ``stall_level`` of ``reference``;
        since the quarter before it has not fallen by ``stall_fall`` beyond what ``NOISE`` standard
        errors explain.
        """
        late, early = self._late, self._early
        allowed = self._t.stall_fall * abs(early.mean) + NOISE * math.hypot(early.error, late.error)
        return late.mean >= self._stall_level and not early.mean - late.mean > allowed

    @property
    def ends_creeping(self) -> bool:
        """In half as many steps again the loss would not get below ``stall_level`` either.

        On a straight line a mean over the latter half is that of 3/4 of the steps, one over the
        quarter before that of 3/8, and 3/2 are twice as far beyond the former.
        """
        late, early = self._late, self._early
        return late.mean - self._stall_level > 2.0 * max(early.mean - late.mean, 0.0)

    @property
    def ends_unheld(self) -> bool:
        """Held-back data would not get below ``stall_level`` in half as many steps again.

        Straight on from half the steps to the latest validation, which must be later than that.
        """
        early = [held for held in self._held if 2 * held[0] <= self._step] or self._held[:1]
        if not early or early[-1] == self._held[-1]:
            return False
        (begin, before), (end, loss) = early[-1], self._held[-1]
        slope = max(before - loss, 0.0) / (end - begin)
        return loss - self._stall_level > 0.5 * self._step * slope

    @property
    def _stall_level(self) -> float:
        return self.reference - (1.0 - self._t.stall_level) * abs(self.reference)

    @property
    def _late(self) -> _Mean:
        return self._sums.since(self._mark(2).sums)

    @property
    def _early(self) -> _Mean:
        return self._mark(2).sums.since(self._mark(4).sums)

    def _mark(self, part: int) -> _Mark:
        """The latest until a ``part``-th of the steps so far."""
        found = (mark for mark in reversed(self._marks) if part * mark.step <= self._step)
        return next(found, _Mark())

    def exceeds(self, start_factor: float, baseline_factor: float, points: int) -> bool:
        """Whether each of the latest ``points`` losses is factors above the start and the baseline.

        At most ``RECENT_POINTS``; False with fewer losses than that.
        """
        if len(self._latest) < points:
            return False
        lowest = min(list(self._latest)[-points:])
        above_start = lowest > self.initial + (start_factor - 1.0) * abs(self.initial)
        if math.isnan(self.baseline):
            return above_start
        return above_start and lowest > baseline_factor * self.baseline


def _median(values: list[float]) -> float:
    ordered = sorted(values)
    middle = len(ordered) // 2
    if len(ordered) % 2:
        return ordered[middle]
    return 0.5 * (ordered[middle - 1] + ordered[middle])
