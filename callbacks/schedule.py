"""Which train steps are logged."""

from __future__ import annotations

AUTO_DENSE_STEPS = 20
"""Every step is logged up to here: initialisation faults show at once."""
AUTO_MAX_INTERVAL = 100
DENSE_HISTOGRAMS = 10
"""Every logged step has a histogram up to this many: enough to draw, and they cost most."""

MAX_ASKED_PROBES = 8
"""Probes of a run that need no asking for: the first, and those after findings."""


class Schedule:
    """Logged steps for an ``update_freq``.

    ``"auto"``: every step up to ``dense``, then every ``step // dense``, at most every 100.
    An int N: step 1, 1 + N, 1 + 2 N, …  ``"epoch"``: the first step of every epoch.

    Args:
        update_freq: ``"auto"``, ``"epoch"`` or an int >= 1.
        max_interval: longest interval of ``"auto"``; None keeps growing it, so that N items leave
            about ``dense`` (1 + ln(N / dense)): of 1000 98 with 20, 56 with 10.
        dense: of ``"auto"``, see above.

    Raises:
        TypeError: ``update_freq`` is neither a str nor an int.
        ValueError: it is another word or smaller than 1.
    """

    def __init__(
        self,
        update_freq: str | int = "auto",
        *,
        max_interval: int | None = AUTO_MAX_INTERVAL,
        dense: int = AUTO_DENSE_STEPS,
    ):
        allowed = 'must be "auto", "epoch" or an int >= 1 (log every N-th step)'
        if isinstance(update_freq, bool) or not isinstance(update_freq, (str, int)):
            raise TypeError(f"`update_freq` (={update_freq!r}) {allowed}.")
        if update_freq not in ("auto", "epoch") and (
            isinstance(update_freq, str) or update_freq < 1
        ):
            raise ValueError(f"`update_freq` (={update_freq!r}) {allowed}.")
        self._freq = update_freq
        self._max_interval = max_interval or 2**63
        self._dense = dense
        self._next = 1

    def begin(self, step: int) -> None:
        """Starts a fit whose first step is ``step``."""
        if isinstance(self._freq, int):
            step += -(step - 1) % self._freq
        self._next = step

    def begin_epoch(self, step: int) -> None:
        """Starts an epoch whose first step is ``step``."""
        if self._freq == "epoch":
            self._next = step

    def due(self, step: int) -> bool:
        """Whether ``step`` is to be logged."""
        return step >= self._next

    @property
    def every_step(self) -> bool:
        """Whether every step is logged, for good."""
        return self._freq == 1

    @property
    def next_step(self) -> int:
        """The next step that is planned to be logged."""
        return self._next

    def logged(self, step: int) -> None:
        """Notes that ``step`` was logged and plans the next one."""
        if isinstance(self._freq, int):
            self._next = step + self._freq - (step - 1) % self._freq
        elif self._freq == "auto":
            self._next = step + min(max(step // self._dense, 1), self._max_interval)
        else:
            self._next = 2**63


class ProbeSchedule:
    """Which train steps are looked into, for a ``probe_freq``.

    ``"auto"``: the first logged step and the next step after a finding opens, at most
    ``MAX_ASKED_PROBES``.  An int N: these and steps 1, 1 + N, 1 + 2 N, …  None: no step.

    Raises:
        TypeError: ``probe_freq`` is neither a str, an int nor None.
        ValueError: it is another word or smaller than 1.
    """

    def __init__(self, probe_freq: str | int | None = "auto"):
        allowed = 'must be "auto", an int >= 1 (also every N-th step) or None (never)'
        kinds = (str, int, type(None))
        if isinstance(probe_freq, bool) or not isinstance(probe_freq, kinds):
            raise TypeError(f"`probe_freq` (={probe_freq!r}) {allowed}.")
        if isinstance(probe_freq, str) and probe_freq != "auto":
            raise ValueError(f"`probe_freq` (={probe_freq!r}) {allowed}.")
        if isinstance(probe_freq, int) and probe_freq < 1:
            raise ValueError(f"`probe_freq` (={probe_freq!r}) {allowed}.")
        self.on = probe_freq is not None
        """Whether there are any probes, or may be."""
        self._every = Schedule(probe_freq) if isinstance(probe_freq, int) else None
        self._asked = 0
        self._first = self._wanted = False

    def begin(self, step: int) -> None:
        """A new model, whose first train step is ``step``."""
        self._asked, self._first, self._wanted = 0, self.on, False
        if self._every is not None:
            self._every.begin(step)

    def ask(self) -> None:
        """A finding opened: the next step is to be looked into."""
        self._wanted = self.on and self._asked < MAX_ASKED_PROBES

    def stop(self) -> None:
        """No further probes."""
        self.on, self._every, self._first, self._wanted = False, None, False, False

    def due(self, step: int, *, logged: bool) -> bool:
        """Whether to look into ``step``, which is ``logged`` anyway or not."""
        every = self._every is not None and self._every.due(step)
        return self._wanted or every or (self._first and logged)

    def probed(self, step: int) -> None:
        """Notes that ``step`` is looked into."""
        self._asked += self._wanted or self._first
        self._first = self._wanted = False
        if self._every is not None and self._every.due(step):
            self._every.logged(step)
