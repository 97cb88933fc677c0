"""The report: findings of one or many runs, and its fixed JSON form."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tb_gradplugin.health.probe_report import ProbeReport

REPORT_SCHEMA = 1
DIGITS = 6
"""Significant digits of evidence: what float32 statistics hold."""
KINDS = ("dead", "exploding", "nonfinite", "slow", "stalled", "vanishing")


@dataclasses.dataclass(frozen=True)
class Remedy:
    """Something to change: a title, why it helps, and Keras code to paste.

    ``id`` is stable from version to version, the words are not; ``""`` in older data.
    """

    title: str
    why: str
    snippet: str
    id: str = ""


@dataclasses.dataclass(frozen=True)
class Finding:
    """A sickness of some layers over a range of steps.

    Attributes:
        kind: one of ``KINDS``.
        severity: ``"warning"`` or ``"critical"``.
        layers: layer paths in forward order.
        since_step: first logged step at which it held.
        last_step: last logged step at which it held.
        active: False once it has healed.
        evidence: numbers (finite floats, ints, strings or lists of these; never NaN).
        cause: one sentence.
        remedies: best first.
        cause_id: stable name of the cause, as ``"vanishing.saturating"``; ``""`` in older data.
    """

    kind: str
    severity: str
    layers: tuple[str, ...]
    since_step: int
    last_step: int
    active: bool
    evidence: dict[str, Any]
    cause: str
    remedies: tuple[Remedy, ...]
    cause_id: str = ""

    def to_dict(self) -> dict[str, Any]:
        """The finding as in the report's JSON."""
        return {
            **dataclasses.asdict(self),
            "layers": list(self.layers),
            "remedies": [dataclasses.asdict(r) for r in self.remedies],
        }

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Finding:
        """Inverse of ``to_dict``; raises KeyError or TypeError on foreign data."""
        fields = {f.name: data[f.name] for f in dataclasses.fields(cls) if f.name != "cause_id"}
        fields["cause_id"] = data.get("cause_id", "")
        fields["layers"] = tuple(data["layers"])
        fields["remedies"] = tuple(Remedy(**r) for r in data["remedies"])
        return cls(**fields)


@dataclasses.dataclass(frozen=True)
class Note:
    """Something to know of a run as a whole, such as overfitting; never an alarm.

    Attributes:
        kind: ``"overfitting"``, ``"underfitting"``; ``"replica"``: one of several devices is
            unlike the others; ``"thresholds"``: the run was judged again, with others.
        since_step: train step since when it has been so.
        evidence: finite numbers.
        cause: one sentence.
        remedies: best first.
    """

    kind: str
    since_step: int
    evidence: dict[str, Any]
    cause: str
    remedies: tuple[Remedy, ...]

    def to_dict(self) -> dict[str, Any]:
        """The note as in the report's JSON."""
        remedies = [dataclasses.asdict(r) for r in self.remedies]
        return {**dataclasses.asdict(self), "remedies": remedies}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Note:
        """Inverse of ``to_dict``; raises KeyError or TypeError on foreign data."""
        fields = {f.name: data[f.name] for f in dataclasses.fields(cls)}
        return cls(**{**fields, "remedies": tuple(Remedy(**r) for r in data["remedies"])})


@dataclasses.dataclass(frozen=True)
class RunHealth:
    """Health of one run.

    Attributes:
        findings: worst first (active before healed, critical before warning, then by onset).
        first_step, last_step: of the logged steps; None without data.
        logged: number of logged steps.
        notes: on the fit of the run as a whole; they do not count for the verdict.
    """

    findings: tuple[Finding, ...] = ()
    first_step: int | None = None
    last_step: int | None = None
    logged: int = 0
    notes: tuple[Note, ...] = ()

    @property
    def verdict(self) -> str:
        """``"unhealthy"`` with an active finding, ``"no data"`` without a logged step."""
        if not self.logged:
            return "no data"
        return "unhealthy" if any(f.active for f in self.findings) else "healthy"

    @property
    def kinds(self) -> list[str]:
        """Kinds of all findings, healed ones too, sorted."""
        return sorted({f.kind for f in self.findings})

    def to_dict(self) -> dict[str, Any]:
        """One entry of ``runs`` in the report's JSON; ``notes`` only if there are any."""
        return {
            "verdict": self.verdict,
            "kinds": self.kinds,
            "steps": {"first": self.first_step, "last": self.last_step, "logged": self.logged},
            "findings": [f.to_dict() for f in self.findings],
            **({"notes": [n.to_dict() for n in self.notes]} if self.notes else {}),
        }

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> RunHealth:
        """Inverse of ``to_dict``; raises KeyError or TypeError on foreign data."""
        steps = data["steps"]
        return cls(
            findings=tuple(Finding.from_dict(f) for f in data["findings"]),
            first_step=steps["first"],
            last_step=steps["last"],
            logged=steps["logged"],
            notes=tuple(Note.from_dict(n) for n in data.get("notes", ())),
        )


def plain(evidence: dict[str, Any]) -> dict[str, Any]:
    """Evidence as JSON has it: without what is not finite, floats rounded."""
    out: dict[str, Any] = {}
    for name, value in evidence.items():
        if isinstance(value, float):
            if not math.isfinite(value):
                continue
            value = float(f"{value:.{DIGITS}g}")
        out[name] = value
    return out


def joined(parts: Sequence[RunHealth], notes: tuple[Note, ...]) -> RunHealth:
    """Health of a run that was judged in parts, one for each set of trained variables, in order.

    What was still active when a part ended ended with it.  Underfitting is no news where a finding
    says why.
    """
    parts = [part for part in parts if part.logged]
    findings: tuple[Finding, ...] = ()
    for i, part in enumerate(parts):
        found = part.findings
        if i + 1 < len(parts):
            found = tuple(dataclasses.replace(f, active=False) for f in found)
        findings = found + findings
    if any(finding.active for finding in findings):
        notes = tuple(note for note in notes if note.kind != "underfitting")
    steps = [s for part in parts for s in (part.first_step, part.last_step) if s is not None]
    return RunHealth(
        findings=findings,
        first_step=steps[0] if steps else None,
        last_step=steps[-1] if steps else None,
        logged=sum(part.logged for part in parts),
        notes=notes,
    )


@dataclasses.dataclass(frozen=True)
class HealthReport:
    """Health of one or many runs by name, and the problems met while reading them.

    Attributes:
        runs: run name -> health.
        problems: one clear line each, such as a damaged event file; not part of the JSON's runs.
        probes: run name -> what a look inside a train step told, for runs that have one.
    """

    runs: dict[str, RunHealth]
    problems: tuple[str, ...] = ()
    probes: Mapping[str, ProbeReport] = dataclasses.field(default_factory=dict)

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Findings of all runs."""
        return tuple(f for health in self.runs.values() for f in health.findings)

    @property
    def kinds(self) -> list[str]:
        """Kinds of all findings of all runs, sorted."""
        return sorted({f.kind for f in self.findings})

    @property
    def verdict(self) -> str:
        """Worst verdict of the runs."""
        verdicts = {health.verdict for health in self.runs.values()}
        return next((v for v in ("unhealthy", "healthy") if v in verdicts), "no data")

    def to_dict(self) -> dict[str, Any]:
        """The fixed JSON; ``problems``, and a run's ``probe``, appear only when there are any."""
        out: dict[str, Any] = {
            "schema": REPORT_SCHEMA,
            "runs": {name: health.to_dict() for name, health in self.runs.items()},
        }
        for name, probe in self.probes.items():
            out["runs"][name]["probe"] = probe.to_dict()
        if self.problems:
            out["problems"] = list(self.problems)
        return out
