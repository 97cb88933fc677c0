"""What a rule is: its name for the dashboard, and what it answers about one logged point."""

from __future__ import annotations

import dataclasses
from typing import Any, NamedTuple

import numpy as np


class Rule(NamedTuple):
    """A rule in the dashboard's list of what was checked."""

    kind: str
    title: str
    checks: str


@dataclasses.dataclass(frozen=True)
class Detection:
    """Which layers a rule finds sick at one logged point.

    Attributes:
        sick: bool [layers], the layers of ``Window.layers`` for which the condition holds.
        severity: ``"warning"`` or ``"critical"``.
        shown: bool [layers], the part of ``sick`` to name in a finding; None: all of it.
        details: whatever the rule's ``explain`` needs again.
        since: int [layers], the logged step since when the fault has stood there, where that is
            earlier than the step from which the rule judges; 0: not known. None: nowhere.
    """

    sick: np.ndarray
    severity: str
    shown: np.ndarray | None = None
    details: dict[str, Any] = dataclasses.field(default_factory=dict)
    since: np.ndarray | None = None


class Explanation(NamedTuple):
    """Why a finding holds: the id that remedies go by, one sentence, and numbers."""

    cause_id: str
    cause: str
    evidence: dict[str, Any]


def number(value: float) -> str:
    """``value`` with three digits for a sentence."""
    return f"{value:.3g}"


def plural(count: int, noun: str) -> str:
    """``"1 layer"``, ``"2 layers"``."""
    return f"{count} {noun}" + ("" if count == 1 else "s")
