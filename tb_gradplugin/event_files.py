"""TensorBoard event files: records with checksums, one protobuf ``Event`` each.

A record (TFRecord) is ``uint64 length, uint32 crc(length), bytes data, uint32 crc(data)``, little
endian, with masked CRC-32C checksums.  Writing is one operating system call, unbuffered, so that a
killed process loses nothing that was written, and needs no TensorFlow.
"""

# pyright: reportAttributeAccessIssue=false
# (TensorBoard's generated protobuf modules carry no types.)

from __future__ import annotations

import contextlib
import itertools
import math
import os
import socket
import struct
import time
import weakref
from collections.abc import Iterator

import google_crc32c
from google.protobuf.message import DecodeError
from tensorboard.compat.proto import event_pb2

FILE_VERSION = "brain.Event:2"
NAME_MARK = "tfevents"
"""TensorBoard reads every file whose name contains this."""

_counter = itertools.count()
_HEADER = struct.Struct("<QI")
_CHECKSUM = struct.Struct("<I")


class DamagedFileError(ValueError):
    """The file cannot be read any further; the message is one sentence without the file's name."""


def _checksum(data: bytes) -> int:
    crc = google_crc32c.value(data)
    return (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF


def file_name(seconds: float) -> str:
    """``events.out.tfevents.<seconds>.<host>.<pid>.<n>``, a name for a new event file.

    Names sort by time, then by the process-wide count ``n``, and never collide.
    """
    return (
        f"events.out.{NAME_MARK}.{seconds:017.6f}"
        f".{socket.gethostname()}.{os.getpid()}.{next(_counter):06d}"
    )


def version_event() -> event_pb2.Event:
    """The event that every file begins with."""
    return event_pb2.Event(wall_time=time.time(), file_version=FILE_VERSION)


def encode(*events: event_pb2.Event) -> bytes:
    """Records of ``events``, as they stand in a file.

    Raises:
        ValueError: a wall time is not finite (TensorBoard would drop the rest of the file).
    """
    return b"".join(part for event in events for part in _record(event))


class EventFileWriter:
    """Appends events to a new event file of its own in ``directory``, which is made if needed.

    Raises:
        OSError: the directory or the file cannot be made.
    """

    def __init__(self, directory: str | os.PathLike[str]):
        """Makes the file."""
        os.makedirs(directory, exist_ok=True)
        self.path = os.path.join(directory, file_name(time.time()))
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | getattr(os, "O_BINARY", 0)
        self._file: int | None = os.open(self.path, flags, 0o644)
        # A fit that ends in an exception never closes its writer.
        self._closer = weakref.finalize(self, os.close, self._file)
        self._size = 0
        self.write(version_event())

    def write(self, *events: event_pb2.Event) -> None:
        """Appends ``events``; on return the operating system has all of them.

        Raises:
            OSError: they could not be written; the file ends with the event before them.
            ValueError: a wall time is not finite (TensorBoard would drop the rest of the
                file), or the writer is closed.
        """
        if self._file is None:
            raise ValueError(f"the event file {self.path!r} is closed")
        records = memoryview(encode(*events))
        written = 0
        try:
            while written < len(records):  # once, except on a full disk or a signal
                written += os.write(self._file, records[written:])
        except OSError:
            with contextlib.suppress(OSError):
                os.ftruncate(self._file, self._size)
            raise
        self._size += written

    def close(self) -> None:
        """Closes the file; closing twice is fine."""
        self._file = None
        self._closer()


def _record(event: event_pb2.Event) -> tuple[bytes, bytes, bytes, bytes]:
    if not math.isfinite(event.wall_time):
        raise ValueError(f"`wall_time` (={event.wall_time}) of an event must be finite")
    data = event.SerializeToString()
    length = struct.pack("<Q", len(data))
    return length, _CHECKSUM.pack(_checksum(length)), data, _CHECKSUM.pack(_checksum(data))


def scan_events(path: str | os.PathLike[str]) -> Iterator[event_pb2.Event]:
    """Yields the events of a file in order.

    A last record that is cut short ends the file quietly: its writer may be at work or was killed.

    Raises:
        DamagedFileError: after the last readable event, with what is wrong and where.
        OSError: the file cannot be opened.
    """
    with open(path, "rb") as file:
        offset = 0
        for number in itertools.count(1):
            header = file.read(_HEADER.size)
            if len(header) < _HEADER.size:
                return
            length, crc = _HEADER.unpack(header)
            if _checksum(header[:8]) != crc:
                raise _damage(number, offset, "bad checksum")
            if offset + length > os.fstat(file.fileno()).st_size:
                return
            body = file.read(length + _CHECKSUM.size)
            if len(body) < length + _CHECKSUM.size:
                return
            data = body[:length]
            if _checksum(data) != _CHECKSUM.unpack_from(body, length)[0]:
                raise _damage(number, offset, "bad checksum", foreign=False)
            try:
                event = event_pb2.Event.FromString(data)
            except DecodeError as e:
                raise _damage(number, offset, "no event") from e
            if number == 1 and not event.file_version.startswith("brain.Event:"):
                raise _damage(number, offset, "no event")
            yield event
            offset += _HEADER.size + len(body)


def _damage(number: int, offset: int, what: str, *, foreign: bool = True) -> DamagedFileError:
    if number == 1 and foreign:
        return DamagedFileError("not a TensorBoard event file")
    return DamagedFileError(
        f"{what} in record {number} at byte {offset}; the rest of the file cannot be read"
    )


def read_events(path: str | os.PathLike[str]) -> Iterator[event_pb2.Event]:
    """Yields the events of a file up to its end or the first damage.

    Raises:
        OSError: the file cannot be opened.
    """
    with contextlib.suppress(DamagedFileError):
        yield from scan_events(path)


def check_file(path: str | os.PathLike[str]) -> str | None:
    """What is wrong with an event file, in one sentence, or None.

    Records are counted from 1, bytes from 0 at the start of the record.
    """
    try:
        for _ in scan_events(path):
            pass
    except DamagedFileError as e:
        return str(e)
    except OSError as e:
        return f"cannot be read: {e.strerror or e}"
    return None
