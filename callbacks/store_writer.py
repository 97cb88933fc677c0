"""Writes events to a store that cannot append, in whole files, from a thread of its own."""

# pyright: reportAttributeAccessIssue=false
# (TensorBoard's generated protobuf modules carry no types.)

from __future__ import annotations

import atexit
import concurrent.futures.thread  # noqa: F401  (see the end)
import threading
import time
from collections.abc import Callable

from tensorboard.compat.proto.event_pb2 import Event

from tb_gradplugin import event_files, stores

SHORTEST, SHARE, LONGEST = 15.0, 1 / 20, 600.0
"""A file is written after this share of the time since the first event, in seconds within these
bounds: some 70 files in the first hour, 220 in a day, 1100 in a week.  TensorBoard lists and opens
every one of them."""
FILE_BYTES = 8 << 20
"""A file is written earlier when this much waits."""
WAITING_BYTES = 64 << 20
"""Most bytes that wait in this process, of all writers; events beyond that are dropped."""
TRIES = 3
"""Failures in a row after which the user is told and, once the fit has ended, the data dropped."""
RETRY_SECONDS = 1.0
"""Until the second try; doubled each time, up to ``LONGEST``."""
SLOW_SECONDS = 60.0
"""A write that takes longer is told of: the store may hang."""
CLOSE_SECONDS = 5.0
"""Longest wait at the end of a fit, and once more at the end of the process."""


def interval(age: float) -> float:
    """Seconds until the next file of a writer whose first event is ``age`` seconds old."""
    return min(max(SHORTEST, SHARE * age), LONGEST)


_changed = threading.Condition()
"""Guards all writers' state: they share ``WAITING_BYTES``."""
_busy: set[StoreWriter] = set()
"""Writers whose thread runs."""


class StoreWriter:
    """Event files in the directory ``url`` of a store, a new whole one each time.

    ``write`` and ``flush`` only hand over; the thread lives while something waits. A file whose
    write failed is tried again under its name, so that it is there once even if the store took it
    and its answer was lost.

    Args:
        url: of the directory.
        warn: called in the caller's thread, perhaps repeatedly, with why events are late or lost.
    """

    _waiting_bytes = 0  # of all writers

    def __init__(self, url: str, warn: Callable[[str], None]):
        """Asks the store nothing yet."""
        self._url = url
        self._warn = warn
        # Names sort in the order of writing even if the clock is put back meanwhile.
        self._begun_at = time.time()
        self._begun = time.monotonic()
        self._waiting: list[bytes] = []
        self._waiting_here = 0
        self._file: tuple[str, bytes, int] | None = None  # name, content, bytes of the events
        self._due = self._begun + SHORTEST
        self._at_once = False
        self._asked: float | None = None  # when the write that is under way began
        self._failures = 0
        self._closed = False
        self._trouble = self._last_failure = ""

    def write(self, *events: Event) -> None:
        """Hands over ``events``; drops them when too much waits.

        Raises:
            ValueError: a wall time is not finite.
        """
        data = event_files.encode(*events)
        with _changed:
            if StoreWriter._waiting_bytes + len(data) > WAITING_BYTES:
                self._trouble = f"{WAITING_BYTES >> 20} MiB wait already"
            else:
                StoreWriter._waiting_bytes += len(data)
                self._waiting_here += len(data)
                self._waiting.append(data)
                self._at_once |= self._waiting_here >= FILE_BYTES
                self._start()
            if self._asked is not None and time.monotonic() - self._asked > SLOW_SECONDS:
                self._trouble = f"no answer for {SLOW_SECONDS:.0f} s"
        self._tell()

    def flush(self) -> None:
        """Has what waits written soon."""
        with _changed:
            self._at_once = bool(self._waiting or self._file)
            _changed.notify_all()

    def close(self, seconds: float = CLOSE_SECONDS) -> None:
        """Has what waits written, and waits for that ``seconds`` at most."""
        self.flush()
        with _changed:
            self._closed = True
            _changed.notify_all()
            if not _changed.wait_for(lambda: self not in _busy, seconds):
                self._trouble = self._last_failure or f"no answer for {CLOSE_SECONDS:.0f} s"
        self._tell()

    def _tell(self) -> None:
        with _changed:
            trouble, self._trouble = self._trouble, ""
        if trouble:
            self._warn(trouble)

    def _start(self) -> None:
        if self not in _busy:
            _busy.add(self)
            threading.Thread(target=self._run, name="GradientMonitor-store", daemon=True).start()
        _changed.notify_all()

    def _run(self) -> None:
        while self._next():
            assert self._file is not None
            name, content, _ = self._file
            try:
                stores.put(self._url, name, content)
            except Exception as error:  # of any kind: each store has its own
                self._failed(f"{type(error).__name__}: {error}")
            else:
                self._done()

    def _next(self) -> bool:
        """Waits until a file is due and makes it; False: nothing is left, the thread may end."""
        with _changed:
            if self._file is None and not self._waiting:
                _busy.discard(self)
                self._at_once = False
                _changed.notify_all()
                return False
            _changed.wait_for(lambda: self._at_once, self._due - time.monotonic())
            self._at_once = False
            if self._file is None:
                version = event_files.encode(event_files.version_event())
                events = b"".join(self._waiting)
                self._waiting.clear()
                self._waiting_here = 0
                name = event_files.file_name(self._begun_at)
                self._file = name, version + events, len(events)
            self._asked = time.monotonic()
            return True

    def _done(self) -> None:
        with _changed:
            self._forget_file()
            self._failures, self._last_failure = 0, ""
            now = time.monotonic()
            self._due = now + interval(now - self._begun)
            self._at_once |= self._closed

    def _failed(self, why: str) -> None:
        with _changed:
            self._asked = None
            self._failures += 1
            self._last_failure = why
            wait = min(RETRY_SECONDS * 2 ** (self._failures - 1), LONGEST)
            self._due = time.monotonic() + wait
            if self._failures >= TRIES:
                self._trouble = why
                if self._closed:
                    self._forget_file()
                    StoreWriter._waiting_bytes -= self._waiting_here
                    self._waiting.clear()
                    self._waiting_here = 0

    def _forget_file(self) -> None:
        assert self._file is not None
        StoreWriter._waiting_bytes -= self._file[2]
        self._file = None
        self._asked = None


def _close_all() -> None:
    """A fit that ended in an exception never closed its writer."""
    deadline = time.monotonic() + CLOSE_SECONDS
    for writer in list(_busy):
        writer.close(max(0.0, deadline - time.monotonic()))


# Before the executors' own, in the reverse order of registration: asyncio looks names up in one,
# so that after those, and in `atexit`, no new connection can be made.
getattr(threading, "_register_atexit", atexit.register)(_close_all)
