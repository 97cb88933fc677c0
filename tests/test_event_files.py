import os
import signal
import struct
import subprocess
import sys
import time
from pathlib import Path

import google_crc32c
import pytest
from fake_runs import record_offsets
from tensorboard.backend.event_processing import event_file_loader
from tensorboard.compat.proto import event_pb2
from tensorboard.compat.tensorflow_stub import pywrap_tensorflow

from tb_gradplugin.event_files import EventFileWriter, check_file, read_events


def write(directory, steps) -> Path:
    writer = EventFileWriter(directory)
    for step in steps:
        writer.write(event_pb2.Event(step=step, wall_time=1.0 + step))
    writer.close()
    return Path(writer.path)


def steps_of(path) -> list[int]:
    return [event.step for event in read_events(path)][1:]


def test_tensorboards_own_reader_reads_what_was_written(tmp_path):
    path = write(tmp_path / "new" / "directory", range(1, 30))
    events = list(event_file_loader.RawEventFileLoader(str(path)).Load())
    parsed = [event_pb2.Event.FromString(e) for e in events]
    assert parsed[0].file_version == "brain.Event:2"
    assert [e.step for e in parsed[1:]] == list(range(1, 30))


def test_tensorflow_reads_what_was_written(tmp_path):
    tf = pytest.importorskip("tensorflow")
    path = write(tmp_path, [7, 8])
    records = [r.numpy() for r in tf.data.TFRecordDataset([str(path)])]
    assert [event_pb2.Event.FromString(r).step for r in records] == [0, 7, 8]


def test_checksums_equal_tensorboards_python_implementation(tmp_path):
    data = write(tmp_path, [1]).read_bytes()
    (length,) = struct.unpack_from("<Q", data)
    header_crc, body_crc = (
        struct.unpack_from("<I", data, 8),
        struct.unpack_from("<I", data, 12 + length),
    )
    assert header_crc[0] == pywrap_tensorflow.masked_crc32c(data[:8])
    assert body_crc[0] == pywrap_tensorflow.masked_crc32c(data[12 : 12 + length])


def test_the_checksum_library_is_the_compiled_one():
    assert google_crc32c.implementation == "c"


def test_file_names_never_collide_and_sort_in_the_order_of_creation(tmp_path):
    names = [os.path.basename(write(tmp_path, []).as_posix()) for _ in range(20)]
    assert names == sorted(set(names))
    assert all(name.startswith("events.out.tfevents.") for name in names)


def test_names_sort_after_those_of_tensorboards_own_writer_of_an_earlier_second(tmp_path):
    name = os.path.basename(write(tmp_path, []).as_posix())
    assert name > f"events.out.tfevents.{int(time.time()) - 2:010d}.host.123.0"


def test_a_killed_process_loses_nothing_that_was_written(tmp_path):
    code = (
        "import os, signal, sys\n"
        "from tensorboard.compat.proto import event_pb2\n"
        "from tb_gradplugin.event_files import EventFileWriter\n"
        "w = EventFileWriter(sys.argv[1])\n"
        "for step in range(100): w.write(event_pb2.Event(step=step, wall_time=1))\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False)
    assert done.returncode == -signal.SIGKILL
    (path,) = tmp_path.iterdir()
    assert steps_of(path) == list(range(100))
    assert check_file(path) is None


@pytest.mark.parametrize("wall_time", [float("nan"), float("inf")])
def test_a_wall_time_that_is_not_finite_is_refused(tmp_path, wall_time):
    writer = EventFileWriter(tmp_path)
    with pytest.raises(ValueError, match="wall_time"):
        writer.write(event_pb2.Event(wall_time=wall_time))
    writer.close()


def test_writing_to_a_closed_file_is_refused_and_closing_twice_is_not(tmp_path):
    writer = EventFileWriter(tmp_path)
    writer.close()
    writer.close()
    with pytest.raises(ValueError, match="closed"):
        writer.write(event_pb2.Event(wall_time=1))


def test_a_write_that_fails_half_way_leaves_a_sound_file(tmp_path, monkeypatch):
    writer = EventFileWriter(tmp_path)
    writer.write(event_pb2.Event(step=1, wall_time=1))
    real, calls = os.write, []

    def full_disk(file, data):
        calls.append(len(data))
        if len(calls) == 1:
            return real(file, data[:5])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", full_disk)
    with pytest.raises(OSError, match="No space"):
        writer.write(event_pb2.Event(step=2, wall_time=1))
    monkeypatch.undo()
    writer.write(event_pb2.Event(step=3, wall_time=1))
    writer.close()
    assert steps_of(writer.path) == [1, 3]
    assert check_file(writer.path) is None


@pytest.mark.parametrize("cut", [1, 4, 5, 20])
def test_a_truncated_last_record_is_not_a_problem(tmp_path, cut):
    path = write(tmp_path, [1, 2, 3])
    path.write_bytes(path.read_bytes()[:-cut])
    assert steps_of(path) == [1, 2]
    assert check_file(path) is None


@pytest.mark.parametrize("part", ["length", "data", "checksum"])
def test_a_flipped_bit_is_located_and_ends_the_file(tmp_path, part):
    path = write(tmp_path, range(1, 6))
    start = record_offsets(path)[3]
    data = bytearray(path.read_bytes())
    end = record_offsets(path)[4]
    data[{"length": start, "data": start + 13, "checksum": end - 1}[part]] ^= 4
    path.write_bytes(data)
    assert steps_of(path) == [1, 2]
    sentence = f"bad checksum in record 4 at byte {start}; the rest of the file cannot be read"
    assert check_file(path) == sentence


def framed(data: bytes) -> bytes:
    length = struct.pack("<Q", len(data))
    return b"".join(
        part + struct.pack("<I", pywrap_tensorflow.masked_crc32c(part)) for part in (length, data)
    )


def test_a_record_that_is_no_event_is_located(tmp_path):
    path = write(tmp_path, [1])
    size = path.stat().st_size
    path.write_bytes(path.read_bytes() + framed(b"\xff\xff\xff"))
    assert steps_of(path) == [1]
    assert (
        check_file(path)
        == f"no event in record 3 at byte {size}; the rest of the file cannot be read"
    )


@pytest.mark.parametrize(
    "content",
    [b"{'json': 'of somebody else'}", framed(b"\x0a\x03abc"), framed(b"\xff"), b"\0" * 99],
)
def test_a_foreign_file_is_called_one(tmp_path, content):
    path = tmp_path / "events.out.tfevents.1"
    path.write_bytes(content)
    assert list(read_events(path)) == []
    assert check_file(path) == "not a TensorBoard event file"


def test_an_empty_file_is_fine(tmp_path):
    path = tmp_path / "events.out.tfevents.1"
    path.touch()
    assert check_file(path) is None


def test_a_length_beyond_the_file_reads_as_truncated(tmp_path):
    path = write(tmp_path, [1])
    length = struct.pack("<Q", 1 << 60)
    crc = struct.pack("<I", pywrap_tensorflow.masked_crc32c(length))
    path.write_bytes(path.read_bytes() + length + crc)
    assert steps_of(path) == [1]
    assert check_file(path) is None


def test_a_file_that_cannot_be_opened_gets_a_sentence(tmp_path):
    assert check_file(tmp_path / "missing") == "cannot be read: No such file or directory"
