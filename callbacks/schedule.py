"""Which train steps are logged."""

from __future__ import annotations

AUTO_DENSE_STEPS = 20
"""Every step is logged up to here: initialisation faults show at once."""
AUTO_MAX_INTERVAL = 100


class Schedule:
    """Logged steps for an ``update_freq``.

    ``"auto"``: every step up to 20, then every ``step // 20``, at most every 100.
    An int N: step 1, 1 + N, 1 + 2 N, …  ``"epoch"``: the first step of every epoch.

    Args:
        update_freq: ``"auto"``, ``"epoch"`` or an int >= 1.
        max_interval: longest interval of ``"auto"``; None keeps it at a twentieth, so that N
            items leave about 20 + 20 ln(N / 20): 98 of 1000, 144 of 10,000.

    Raises:
        TypeError: ``update_freq`` is neither a str nor an int.
        ValueError: it is another word or smaller than 1.
    """

    def __init__(
        self, update_freq: str | int = "auto", *, max_interval: int | None = AUTO_MAX_INTERVAL
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
    def next_step(self) -> int:
        """The next step that is planned to be logged."""
        return self._next

    def logged(self, step: int) -> None:
        """Notes that ``step`` was logged and plans the next one."""
        if isinstance(self._freq, int):
            self._next = step + self._freq - (step - 1) % self._freq
        elif self._freq == "auto":
            self._next = step + min(max(step // AUTO_DENSE_STEPS, 1), self._max_interval)
        else:
            self._next = 2**63
