"""From detections at single points to findings: opening, joining, healing.

A condition must hold at ``hold_points`` logged points in a row to open a finding and fail at as
many to heal it.  Severity, evidence and cause of a finding are those of its latest sick point, so
they always belong together; a healed finding keeps the last ones.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from tb_gradplugin.health.rule import Detection, Explanation
from tb_gradplugin.health.thresholds import Thresholds


@dataclasses.dataclass
class Case:
    """A finding in the making: what one set of layers suffers from since one step.

    Attributes:
        watched: bool [L], layers that keep it open.
        shown: bool [L], layers that the finding names.
        since: first logged step at which they were sick.
        noticed: first logged step at which the rule said so; it does not judge the first steps.
        explanation: set by the judge from the latest sick point.
    """

    kind: str
    watched: np.ndarray
    shown: np.ndarray
    since: int
    noticed: int
    last: int
    severity: str
    active: bool = True
    well_points: int = 0
    explanation: Explanation | None = None


class Tracker:
    """Cases of one kind over ``layers`` layers."""

    def __init__(self, kind: str, layers: int, thresholds: Thresholds):
        """``layers`` is their number."""
        self.kind = kind
        self.cases: list[Case] = []
        self._t = thresholds
        self._sick_points = np.zeros(layers, dtype=np.int64)
        self._onset = np.zeros(layers, dtype=np.int64)
        self._noticed = np.zeros(layers, dtype=np.int64)
        self._owned = np.zeros(layers, dtype=bool)
        self._sick = False  # whether anything was at the last point, or any case is open

    def update(
        self, step: int, found: Detection | None, *, at_once: bool = False
    ) -> tuple[list[Case], list[Case]]:
        """Takes in one point; ``found`` None: nothing is sick.

        Args:
            step: of the point.
            found: what the rule detected.
            at_once: open without waiting for further points.

        Returns:
            cases opened (or open again), and all cases sick at this point, these included.
        """
        if found is None and not self._sick:
            return [], []
        sick = np.zeros_like(self._owned) if found is None else found.sick
        self._sick = found is not None or any(case.active for case in self.cases)
        self._sick_points = np.where(sick, self._sick_points + 1, 0)
        begins = self._sick_points == 1
        self._noticed[begins] = self._onset[begins] = step
        if found is not None and found.since is not None:
            earlier = begins & (found.since > 0)
            self._onset[earlier] = found.since[earlier]
        touched = [case for case in self.cases if case.active and (case.watched & sick).any()]
        for case in self.cases:
            if case.active and not any(case is other for other in touched):
                case.well_points += 1
                if case.well_points >= self._t.hold_points:
                    case.active = False
                    self._owned &= ~case.watched
        opened: list[Case] = []
        if found is not None:
            needed = 1 if at_once else self._t.hold_points
            new = sick & ~self._owned & (self._sick_points >= needed)
            if new.any():
                shown = self._to_name(new, found)
                case, is_new = self._take_in(new, shown, found.severity)
                opened = [case] if is_new else []
                if not any(case is other for other in touched):
                    touched.append(case)
            for case in touched:
                case.last, case.severity, case.well_points = step, found.severity, 0
        return opened, touched

    def _to_name(self, new: np.ndarray, found: Detection) -> np.ndarray:
        """The layers of ``new`` to name; never none for a finding that opens with them.

        What the rule would name may have been sick for fewer points than the others.
        """
        if found.shown is None:
            return new
        wanted = (new & found.shown, found.sick & found.shown)
        return next((mask for mask in wanted if mask.any()), new)

    def _take_in(self, new: np.ndarray, shown: np.ndarray, severity: str) -> tuple[Case, bool]:
        """Adds layers to the case of nearest onset, or opens one; True where that is news."""
        since, noticed = int(self._onset[new].min()), int(self._noticed[new].min())
        self._owned |= new
        for case in reversed(self.cases):
            # A few layers more are the wobbling border of what is known already.
            border = case.active and 2 * new.sum() <= case.watched.sum()
            if border or noticed <= 2 * case.noticed + self._t.join_steps:
                reopened = not case.active
                case.active = True
                case.watched = case.watched | new
                case.shown = case.shown | shown
                self._owned |= case.watched
                return case, reopened
        case = Case(self.kind, new, shown, since, noticed, noticed, severity)
        self.cases.append(case)
        return case, True
