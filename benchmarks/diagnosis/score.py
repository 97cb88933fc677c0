"""How well rules did on recorded runs: recall, kind, layer, false alarms, and how early.

A run counts by its label and its outcome.  It is

- ``sick``: labelled with a fault, and failed;
- ``healthy``: labelled healthy, and learned;
- ``unlearnable``: a healthy network that has nothing to learn (noise) or plays a game;
- ``apart``: label and outcome disagree, or the label is None.  Counted, not scored.
"""

from __future__ import annotations

import dataclasses
import math
import statistics
from collections.abc import Iterable, Sequence

import numpy as np

from benchmarks.diagnosis.peers import PEERS, Alarm
from benchmarks.diagnosis.recording import Recording
from benchmarks.diagnosis.runs.base import Run
from tb_gradplugin.health.judge import Judge
from tb_gradplugin.health.report import Finding
from tb_gradplugin.health.thresholds import Thresholds
from tb_gradplugin.structure import JUDGED_ROLES

CONFIDENCE = 0.95

SAME = {"exploding": {"exploding", "nonfinite"}, "nonfinite": {"exploding", "nonfinite"}}
"""Kinds that peers do not tell apart: NaN is how they notice most explosions."""


@dataclasses.dataclass(frozen=True)
class Verdict:
    """What our rules said about one recording.

    Attributes:
        findings: all of them, healed ones too.
        step: train step at which the first of them opened; None: never.
    """

    findings: tuple[Finding, ...]
    step: int | None

    @property
    def kinds(self) -> set[str]:
        """Kinds of all findings."""
        return {finding.kind for finding in self.findings}


@dataclasses.dataclass(frozen=True)
class Result:
    """One recording judged by everybody.

    Attributes:
        run, seed: which.
        outcome: ``sick``, ``healthy``, ``unlearnable`` or ``apart``.
        relative: final loss over that of the best constant prediction.
        verdict: ours.
        right_kind: an expected kind was found.
        right_layer: the first layer of a finding of an expected kind is the one that is sick by
            construction; None where that is not known or no such finding was made.
        alarms: of each of ``PEERS``, None where it stayed quiet or does not apply.
        applies: whether each of them does.
    """

    run: Run
    seed: int
    outcome: str
    relative: float
    verdict: Verdict
    right_kind: bool
    right_layer: bool | None
    alarms: tuple[Alarm | None, ...] = ()
    applies: tuple[bool, ...] = ()

    @property
    def false_kinds(self) -> set[str]:
        """Kinds found that may not be found in a healthy network."""
        return self.verdict.kinds - set(self.run.allowed)


def outcome(run: Run, failed: bool) -> str:
    """``sick``, ``healthy``, ``unlearnable`` or ``apart``."""
    if run.expected is None:
        return "apart"
    if run.expected:
        return "sick" if failed else "apart"
    if not run.learnable:
        return "unlearnable"
    return "apart" if failed else "healthy"


def diagnose(recording: Recording, thresholds: Thresholds | None = None) -> Verdict:
    """Our rules, fed as by one fit: probes come first, and after a finding opens."""
    judge, step = Judge(recording.structure, thresholds), None
    held = recording.held_back
    probes = {probe.step: probe for probe in recording.probes}
    asked = True
    for record in recording.records:
        while held and held[0][0] < record.step:
            judge.observe_validation(*held.pop(0))
        if asked and record.step in probes:
            judge.observe_probe(probes[record.step])
            asked = False
        if judge.observe(record):
            asked = True
            step = record.step if step is None else step
    if recording.records:
        first, last = recording.records[0].step, recording.records[-1].step
        for validation in held:
            judge.observe_validation(*validation)
        if judge.end(recording.last_step - first + 1) and step is None:
            step = last
    return Verdict(judge.health().findings, step)


def kernel_layers(recording: Recording) -> list[str]:
    """Paths of the layers with trained kernels, forward order."""
    structure = recording.structure
    indices = sorted({v.layer for v in structure.variables if v.role in JUDGED_ROLES})
    return [structure.layers[i].path for i in indices]


def layer_is_right(run: Run, layers: Sequence[str], findings: Iterable[Finding]) -> bool | None:
    """Whether a finding of an expected kind begins with the layer that is sick; None: not known."""
    named = [f.layers[0] for f in findings if f.kind in (run.expected or ()) and f.layers]
    if run.first_sick is None or not named or not layers:
        return None
    return layers[run.first_sick] in named


def judge(
    run: Run,
    seed: int,
    recording: Recording,
    thresholds: Thresholds | None = None,
    *,
    peers: bool = True,
) -> Result:
    """All rules on one recording."""
    verdict = diagnose(recording, thresholds)
    applies = tuple(peer.applies(recording) for peer in PEERS) if peers else ()
    alarms = tuple(
        peer.rule(recording) if does else None
        for peer, does in zip(PEERS, applies, strict=bool(peers))
    )
    return Result(
        run=run,
        seed=seed,
        outcome=outcome(run, recording.failed),
        relative=recording.final / recording.reference,
        verdict=verdict,
        right_kind=bool(verdict.kinds & set(run.expected or ())),
        right_layer=layer_is_right(run, kernel_layers(recording), verdict.findings),
        alarms=alarms,
        applies=applies,
    )


# --------------------------------------------------------------------------------------- numbers


def upper_bound(events: int, trials: int, confidence: float = CONFIDENCE) -> float:
    """One-sided exact (Clopper-Pearson) upper bound of a rate: P(X <= events | bound) = 1 - c.

    1 for no trials.
    """
    if events >= trials:
        return 1.0
    low, high = events / trials, 1.0
    for _ in range(60):
        middle = 0.5 * (low + high)
        if at_most(events, trials, middle) > 1.0 - confidence:
            low = middle
        else:
            high = middle
    return high


def at_most(events: int, trials: int, rate: float) -> float:
    """P(X <= events) of a binomial distribution."""
    if rate <= 0.0:
        return 1.0
    logs = [
        math.lgamma(trials + 1)
        - math.lgamma(i + 1)
        - math.lgamma(trials - i + 1)
        + i * math.log(rate)
        + (trials - i) * math.log1p(-rate)
        for i in range(events + 1)
    ]
    return min(1.0, sum(math.exp(x) for x in logs))


@dataclasses.dataclass(frozen=True)
class Rate:
    """``events`` out of ``trials``."""

    events: int
    trials: int

    @property
    def value(self) -> float:
        """The rate, NaN without trials."""
        return self.events / self.trials if self.trials else math.nan

    @property
    def bound(self) -> float:
        """Upper bound at 95 % confidence."""
        return upper_bound(self.events, self.trials)

    def __str__(self) -> str:
        return f"{self.value:.3f} ({self.events}/{self.trials})" if self.trials else "-"


@dataclasses.dataclass(frozen=True)
class Row:
    """One line of the table.

    Attributes:
        name: of the rules.
        recall: any alarm in a sick run.
        kind: an alarm of an expected kind in a sick run; None: no kinds are named.
        layer: the right first layer, of the sick runs where that is known and the kind was right.
        false: any alarm in a healthy run.
        false_configurations: the same by configuration: an alarm for any seed.
        unlearnable: an alarm that is not true in a run with nothing to learn.
        step: median train step of the first alarm in sick runs; NaN for none.
    """

    name: str
    recall: Rate
    kind: Rate | None
    layer: Rate | None
    false: Rate
    false_configurations: Rate
    unlearnable: Rate
    step: float


def rate(values: Iterable[bool]) -> Rate:
    """Share of True."""
    values = list(values)
    return Rate(sum(values), len(values))


def by_configuration(pairs: Iterable[tuple[str, bool]]) -> Rate:
    """Share of ids with a True for any seed."""
    any_seed: dict[str, bool] = {}
    for id, value in pairs:
        any_seed[id] = any_seed.get(id, False) or value
    return rate(any_seed.values())


def median(steps: Iterable[int | None]) -> float:
    """Median of those that are not None, NaN for none."""
    known = [step for step in steps if step is not None]
    return float(statistics.median(known)) if known else math.nan


def our_row(results: Sequence[Result], name: str = "Gradients for TensorBoard") -> Row:
    """Our rules."""
    sick = [r for r in results if r.outcome == "sick"]
    healthy = [r for r in results if r.outcome == "healthy"]
    return Row(
        name=name,
        recall=rate(bool(r.verdict.findings) for r in sick),
        kind=rate(r.right_kind for r in sick),
        layer=rate(r.right_layer for r in sick if r.right_layer is not None),
        false=rate(bool(r.false_kinds) for r in healthy),
        false_configurations=by_configuration((r.run.id, bool(r.false_kinds)) for r in healthy),
        unlearnable=rate(bool(r.false_kinds) for r in results if r.outcome == "unlearnable"),
        step=median(r.verdict.step for r in sick),
    )


def peer_row(results: Sequence[Result], index: int) -> Row:
    """The rules of ``PEERS[index]``, on the runs to which they apply."""
    peer = PEERS[index]
    own = [r for r in results if r.applies[index]]
    alarm = {id(r): r.alarms[index] for r in own}
    sick = [r for r in own if r.outcome == "sick"]
    healthy = [(r.run.id, alarm[id(r)] is not None) for r in own if r.outcome == "healthy"]

    def right(result: Result) -> bool:
        came = alarm[id(result)]
        kinds = set() if came is None else SAME.get(came.kind, {came.kind})
        return bool(kinds & set(result.run.expected or ()))

    came = [alarm[id(r)] for r in sick]
    return Row(
        name=peer.name,
        recall=rate(a is not None for a in came),
        kind=rate(right(r) for r in sick) if peer.names_kinds else None,
        layer=None,
        false=rate(value for _, value in healthy),
        false_configurations=by_configuration(healthy),
        unlearnable=rate(alarm[id(r)] is not None for r in own if r.outcome == "unlearnable"),
        step=median(None if a is None else a.step for a in came),
    )


def rows(results: Sequence[Result]) -> list[Row]:
    """Ours first, then the peers'."""
    return [our_row(results), *(peer_row(results, i) for i in range(len(PEERS)))]


def by_kind(results: Sequence[Result]) -> list[tuple[str, Rate]]:
    """Right kind in sick runs, by the first kind that is expected."""
    sick = [r for r in results if r.outcome == "sick"]
    kinds = sorted({r.run.expected[0] for r in sick if r.run.expected})
    return [
        (kind, rate(r.right_kind for r in sick if (r.run.expected or ("",))[0] == kind))
        for kind in kinds
    ]


def finite(value: float) -> str:
    """A number for a table, or a dash."""
    return f"{value:.3g}" if np.isfinite(value) else "-"
