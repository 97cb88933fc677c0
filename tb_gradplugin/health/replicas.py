"""Devices that train one model together: whether one's gradient is unlike that of the others.

A note, never an alarm: what is applied is the sum of all.  Formulas and known limits:
``docs/many_devices.md``.
"""

from __future__ import annotations

import math
from collections import deque

import numpy as np

from tb_gradplugin.health.report import Note, Remedy, plain
from tb_gradplugin.health.rule import number
from tb_gradplugin.health.thresholds import Thresholds

REMEDIES = (
    Remedy(
        "Look at what that device is given",
        "All devices have the same weights, so what differs is their part of the batch: rows of "
        "another source, order or scale, or with numbers that are none.",
        "dataset = dataset.shuffle(10_000).batch(256)  # shuffled before it is cut into batches\n",
        "shards",
    ),
)


MIN_POINTS = 10
"""Logged steps before which nothing is said."""
FARTHEST = 99.0
"""Decades; a gradient of zero is infinitely far from others."""
ALWAYS = 0.9
"""Share of the latest logged steps at which a device has to stand apart, the same way."""


class ReplicaWatch:
    """Follows the norm of each device's own gradient over the logged steps.

    Attributes:
        notes: none, or one on the device that stands out.
    """

    def __init__(self, thresholds: Thresholds):
        """Starts without a step."""
        self._t = thresholds
        # Step, and by how many decades each device is away from the others.
        self._points: deque[tuple[int, np.ndarray]] = deque(maxlen=thresholds.window_points)
        self._broken = False
        self.notes: tuple[Note, ...] = ()

    def observe(self, step: int, norms: np.ndarray, *, scaled: bool) -> None:
        """Takes in a logged step.

        Args:
            step: its number.
            norms: [devices], each's own, times their number.
            scaled: there is a loss scale, which makes gradients overflow on purpose.
        """
        finite = np.isfinite(norms)
        if self._broken or not finite.any():
            return
        if finite.all():
            self._compare(step, norms)
        elif not scaled:  # the sum of all is not finite either: nothing comes after that
            self._broken = True
            self.notes = (_broken_note(step, np.flatnonzero(~finite)),)

    def _compare(self, step: int, norms: np.ndarray) -> None:
        with np.errstate(divide="ignore", invalid="ignore"):
            others = [np.median(np.delete(norms, i)) for i in range(len(norms))]
            away = np.log10(norms / others)
        away[np.isnan(away)] = 0.0  # all of them are zero
        self._points.append((step, away))
        if len(self._points) < MIN_POINTS:
            return
        # Parts of one batch differ by much, late in training above all, but not always the same.
        away = np.sort([point for _, point in self._points], axis=0)
        few = int((1.0 - ALWAYS) * len(away))
        least = np.maximum(away[few], 0.0) + np.minimum(away[-1 - few], 0.0)
        # Of two, each is far from the other: the larger one is named.
        place = int(np.argmax(np.minimum(np.abs(least), FARTHEST) + 1e-9 * (least > 0)))
        if abs(least[place]) <= np.log10(self._t.replica_factor):
            self.notes = ()
        elif not (self.notes and self.notes[0].evidence["replica"] == place):
            ratio = 10.0 ** float(np.median(away[:, place]))
            self.notes = (_apart_note(place, ratio, self._points[0][0]),)


def _broken_note(step: int, places: np.ndarray) -> Note:
    names = " and ".join(str(i) for i in places)
    return Note(
        "replica",
        step,
        {"replicas": [int(i) for i in places]},
        f"The gradient of replica {names} was not finite at step {step}, when those of the others "
        "still were: the cause is in its part of the batch.",
        REMEDIES,
    )


def _apart_note(place: int, ratio: float, since: int) -> Note:
    how = f"{number(ratio)} times that of the others"
    if math.isinf(ratio):
        how = "not zero, but that of the others is"
    return Note(
        "replica",
        since,
        plain({"replica": place, "ratio": ratio}),
        f"The gradient of replica {place} is {how} (medians).",
        REMEDIES,
    )
