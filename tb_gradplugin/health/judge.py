"""Judges a run point by point: all rules over one window of recent logged steps."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

from tb_gradplugin.health import dead, exploding, facts, nonfinite, slow, stalled, vanishing
from tb_gradplugin.health.remedies import Pace, remedies
from tb_gradplugin.health.report import Finding, RunHealth, plain
from tb_gradplugin.health.rule import Detection, Rule
from tb_gradplugin.health.thresholds import Thresholds
from tb_gradplugin.health.tracker import Case, Tracker
from tb_gradplugin.health.window import Window
from tb_gradplugin.records import ProbeRecord, StepRecord
from tb_gradplugin.structure import ModelStructure

_MODULES = {m.RULE.kind: m for m in (vanishing, exploding, dead, nonfinite, slow, stalled)}
RULES: tuple[Rule, ...] = tuple(m.RULE for m in _MODULES.values())
"""What is checked, in the order in which the dashboard lists it."""

SICK_GRADIENTS = ("vanishing", "exploding", "dead", "nonfinite")


class Judge:
    """Streaming judge of one run: same records, same findings.

    Args:
        structure: the model; row i of the records belongs to ``structure.variables[i]``.
        thresholds: what the rules compare with.
    """

    def __init__(self, structure: ModelStructure, thresholds: Thresholds | None = None):
        """Starts without a logged step."""
        self._structure = structure
        self._t = thresholds or Thresholds()
        self._window = Window(structure, self._t)
        n = len(self._window.layers)
        self._trackers = {kind: Tracker(kind, n, self._t) for kind in _MODULES}
        self._findings: dict[int, Finding] = {}  # by id of the case; dropped when it changes
        self._first: int | None = None
        self._last: int | None = None
        self._logged = 0
        self._overflows = 0  # steps in a row that were skipped with a loss that is not finite

    def observe(self, record: StepRecord) -> list[Finding]:
        """Takes in the next logged step and returns the findings that open with it.

        Raises:
            ValueError: ``record.statistics`` has another number of rows than there are variables.
        """
        if len(record.statistics) != len(self._structure.variables):
            raise ValueError(
                f"`record.statistics` (={len(record.statistics)} rows) must have one row for each "
                f"of the {len(self._structure.variables)} trained variables."
            )
        self._first = record.step if self._first is None else self._first
        self._last = record.step
        self._logged += 1
        # Loss scaling meets overflows on purpose, and no weight changes.  But no scale makes the
        # loss itself overflow.
        skipped = record.scalar("skipped") == 1.0
        overflows = skipped and not math.isfinite(record.scalar("loss"))
        self._overflows = self._overflows + 1 if overflows else 0
        if skipped and self._overflows < self._t.hold_points:
            return []
        # NaN stands for "nothing to compare" throughout; comparisons with it are False.
        with np.errstate(all="ignore"):
            return [self._finding(case) for case in self._judge(record)]

    def observe_probe(self, probe: ProbeRecord) -> None:
        """Takes in a look inside a train step, for rules to find as ``Window.probe``.

        Raises:
            ValueError: ``probe.layers`` has another number of rows than the structure has layers.
        """
        if len(probe.layers) != len(self._structure.layers):
            raise ValueError(
                f"`probe.layers` (={len(probe.layers)} rows) must have one row for each of the "
                f"{len(self._structure.layers)} layers."
            )
        self._window.probe = probe

    def observe_validation(self, step: int, loss: float) -> None:
        """Takes in the loss of held-back data after ``step``, penalties included."""
        self._window.loss.push_validation(step, loss)

    def end(self, steps: int) -> list[Finding]:
        """A fit of ``steps`` train steps ended; returns the findings that open with that.

        No longer plateau is waited for: whoever looks at a training that ended without any progress
        wants to be told so.  A fit shorter than 0.4 ``stall_step`` is one of many and ends nothing.
        """
        if steps < stalled.ENOUGH * self._t.stall_step or self._any_active(*SICK_GRADIENTS, "slow"):
            return []
        with np.errstate(all="ignore"):
            self._window.ended = True
            found = self._at_the_end(steps)
            # What was found stays until the loss falls, also in a further fit.
            self._window.ended = found is not None
            if found is None:
                return []
            opened = self._update(*found, at_once=True)
            return [self._finding(case) for case in opened]

    def _at_the_end(self, steps: int) -> tuple[str, int, Detection] | None:
        """Kind, step and extent of what a fit of ``steps`` train steps ends with."""
        window, loss = self._window, self._window.loss
        stalls = stalled.detect(window, self._t)
        if stalls is None:
            return None
        if stalled.unexplained(window, self._t):
            forgets = vanishing.through_time(window, self._t)
            if forgets is not None:
                return "vanishing", window.step, forgets
        short = steps < stalled.SURE * self._t.stall_step
        if short and not (loss.ends_still and loss.ends_creeping):
            return None
        return "stalled", window.step, stalls

    def _any_active(self, *kinds: str) -> bool:
        return any(case.active for kind in kinds for case in self._trackers[kind].cases)

    def _judge(self, record: StepRecord) -> list[Case]:
        broken = nonfinite.detect(self._window, record)
        opened = self._update("nonfinite", record.step, broken, at_once=True)
        if broken is None:
            self._window.push(record)
            for kind in ("vanishing", "exploding", "dead"):
                found = _MODULES[kind].detect(self._window, self._t)
                opened += self._update(kind, record.step, found)
            # These two speak of gradients that are fine: where another rule sees none amiss.
            amiss = self._any_active(*SICK_GRADIENTS)
            for kind in ("slow", "stalled"):
                found = None if amiss else _MODULES[kind].detect(self._window, self._t)
                opened += self._update(kind, record.step, found)
                amiss |= found is not None
        elif opened:
            # Other rules wait for finite numbers; but did what came before lead here?
            grew = exploding.blow_up(self._window, self._t)
            if grew is not None:
                opened += self._update("exploding", record.step, grew, at_once=True)
        return opened

    def _update(
        self, kind: str, step: int, found: Detection | None, *, at_once: bool = False
    ) -> list[Case]:
        tracker = self._trackers[kind]
        was_active = [case for case in tracker.cases if case.active]
        opened, sick = tracker.update(step, found, at_once=at_once)
        for case in sick:
            # What follows a NaN is NaN everywhere: its onset is what explains it.
            if found is not None and (kind != "nonfinite" or case in opened):
                why = _MODULES[kind].explain(self._window, self._t, found, case.shown)
                why.evidence.update(facts.second_faults(self._window))
                case.explanation = why
        for case in [*was_active, *sick]:
            self._findings.pop(id(case), None)
        return opened

    def health(self) -> RunHealth:
        """All findings so far, healed ones too, worst first."""
        cases = [c for t in self._trackers.values() for c in t.cases]
        # One without an explanation: a rule failed while it was being made.
        findings = [self._finding(c) for c in cases if c.explanation is not None]
        findings.sort(key=lambda f: (not f.active, f.severity != "critical", f.since_step, f.kind))
        return RunHealth(tuple(findings), self._first, self._last, self._logged)

    def _finding(self, case: Case) -> Finding:
        known = self._findings.get(id(case))
        if known is None:
            why = case.explanation
            assert why is not None  # set with the first update of every case
            layers = [int(i) for i in self._window.layers[case.shown]]
            known = Finding(
                kind=case.kind,
                severity=case.severity,
                layers=self._window.paths(case.shown),
                since_step=case.since,
                last_step=case.last,
                active=case.active,
                evidence=plain(why.evidence),
                cause=why.cause,
                remedies=remedies(
                    why.cause_id,
                    self._structure,
                    layers,
                    Pace(why.evidence["learning_rate"], why.evidence.get("update_ratio", math.nan)),
                    why.evidence,
                ),
                cause_id=why.cause_id,
            )
            self._findings[id(case)] = known
        return known


def judge_run(
    structure: ModelStructure,
    records: Iterable[StepRecord],
    thresholds: Thresholds | None = None,
    probes: Iterable[ProbeRecord] = (),
    fits: Iterable[tuple[int, int]] = (),
    validations: Iterable[tuple[int, float]] = (),
) -> RunHealth:
    """Judges recorded steps, in order, as ``Judge`` would have while they were logged.

    A probe is taken in before the first record of its step or a later one, as the monitor does;
    ``fits`` are the first and last step of those that ended, ``validations`` step and loss.
    """
    judge = Judge(structure, thresholds)
    waiting = sorted(probes, key=lambda probe: probe.step, reverse=True)
    # A fit ends with the validation of its last epoch.
    held = [(step, 0, loss) for step, loss in validations]
    ends = [(last, 1, first) for first, last in fits]
    after = sorted([*held, *ends], reverse=True)
    for record in records:
        while after and after[-1][0] < record.step:
            _go_on(judge, *after.pop())
        while waiting and waiting[-1].step <= record.step:
            judge.observe_probe(waiting.pop())
        judge.observe(record)
    while after:
        _go_on(judge, *after.pop())
    return judge.health()


def _go_on(judge: Judge, step: int, ended: int, value: float) -> None:
    """What came after a step: the end of the fit that began with ``value``, or a validation."""
    if ended:
        judge.end(step - int(value) + 1)
    else:
        judge.observe_validation(step, value)
