"""What a labelled run is: how it is built, where it comes from, and what should be found."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable
from typing import Any

import numpy as np

HEALTHY: tuple[str, ...] = ()
VANISHING, DEAD, EXPLODING, NONFINITE = ("vanishing",), ("dead",), ("exploding",), ("nonfinite",)
SLOW = ("slow", "stalled")
"""Learning rate too low: gradients flow, the weights hardly move."""
STALLED = ("stalled",)
"""No progress, and gradients do not say why."""
BLOWN = ("exploding", "nonfinite")
KILLED = ("exploding", "dead", "nonfinite")
"""Updates so large that units die, or numbers overflow, before or after the loss has risen."""
NO_FLOW = ("vanishing", "dead")
SHUT = ("vanishing", "dead", "stalled")
"""A saturated or cut-off layer: what is left of the gradient depends on rounding and seed."""

FIRST, LAST = 0, -1

HELD_OUT = ("T-",)
"""What the ids of runs begin with on which no rule and no remedy was tuned."""

OPENED = ("N-", "R-", "S-", "V-", "W-", "Q-", "K-", "G-", "B-", "D-", "E-")
"""Earlier hold-outs: development, since rules or remedies were changed for what they showed."""

MIN_ROWS = 200
"""Data sets with fewer rows are trained on as a whole, without held-back rows."""


@dataclasses.dataclass
class Setup:
    """What is trained: everything ``record.record`` needs.

    Attributes:
        model: built Keras model.
        x: rows of inputs, a tuple of such where the model has several.
        y: rows of targets, [n, outputs].
        loss: name in ``record.LOSSES``, or a function of (y, prediction) to a loss a row.
        optimizer: Keras optimizer.
        batch, steps: rows a step, and train steps.
        silent_steps: trained before the first record: a fine-tuned or resumed model.
        factor: multiplies the loss.
        strip: hides the cached logits of the head from Keras' loss.
        held: (x, y) to validate on; None: every fifth row, where there are enough.
        baseline: loss of the best constant prediction where ``loss`` does not tell.
    """

    model: Any
    x: Any
    y: np.ndarray
    loss: Any = "cce"
    optimizer: Any = None
    batch: int = 64
    steps: int = 300
    silent_steps: int = 0
    factor: float = 1.0
    strip: bool = False
    held: tuple[Any, np.ndarray] | None = None
    baseline: float | None = None


@dataclasses.dataclass(frozen=True)
class Run:
    """A configuration and its label.

    Attributes:
        id: ``AT-`` AUTOTRAINER, ``SO-`` Stack Overflow by number, ``TDC-`` TheDeepChecker, ``H-``
            and ``X-`` healthy controls, ``U-`` faults, ``F-`` both, added later; ``N-``,
            ``R-``, ``S-``, ``V-``, ``W-``, ``Q-``, ``K-``, ``G-``, ``B-``, ``D-`` and ``E-`` held
            out once; ``T-`` held out, by an author who knew neither rules, remedies nor other runs.
        expected: kinds of which one must be found if the run fails; empty: a healthy network, in
            which nothing may be found; None: listed, not scored.
        source: row of the corpus, or the trap or cause that it stands for.
        first_sick: index, among the layers with kernels, of the layer that is sick by construction.
        learnable: False where no network can lower the loss (labels of noise, games).
        allowed: kinds that are true of it all the same, such as ``stalled`` on labels of noise.
        later: added together with the hold-out part, after the rules had been tuned on the others.
        revision: raised when the configuration changes, so that older recordings are not used.
    """

    id: str
    build: Callable[[], Setup]
    expected: tuple[str, ...] | None
    source: str = ""
    first_sick: int | None = None
    learnable: bool = True
    allowed: tuple[str, ...] = ()
    later: bool = False
    revision: int = 0

    @property
    def split(self) -> str:
        """``"holdout"`` for ids that begin with one of ``HELD_OUT``, else ``"development"``.

        The held-out runs were written after every rule and threshold that existed then, and no rule
        was run on them before their labels and the rules were final.
        """
        return "holdout" if self.id.startswith(HELD_OUT) else "development"

    @property
    def history(self) -> str:
        """Earlier role: ``dev`` and ``holdout`` by hash, ``fresh``, ``new``, ``opened``.

        All have been looked at since, so all count as development now; else ``hold-out``.
        """
        if self.split == "holdout":
            return "hold-out"
        if self.id.startswith(OPENED):
            return "opened"
        if self.later:
            return "new"
        if self.id.startswith("F-"):
            return "fresh"
        return "holdout" if int(hashlib.sha1(self.id.encode()).hexdigest(), 16) % 3 == 0 else "dev"


class Family:
    """Collects the runs of one file; ``fine`` and ``sick`` put ``prefix`` before their ids."""

    def __init__(self, prefix: str = "") -> None:
        self._prefix = prefix
        self.runs: list[Run] = []

    def fine(self, id: str, source: str, build: Callable[[], Setup]) -> None:
        self.add(self._prefix + id, HEALTHY, build, source=source)

    def sick(
        self,
        id: str,
        expected: tuple[str, ...],
        source: str,
        build: Callable[[], Setup],
        first_sick: int | None = None,
    ) -> None:
        self.add(self._prefix + id, expected, build, source=source, first_sick=first_sick)

    def add(
        self, id: str, expected: tuple[str, ...] | None, build: Callable[[], Setup], **more: Any
    ) -> None:
        self.runs.append(Run(id, build, expected, **more))
