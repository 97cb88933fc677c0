"""What an event of 4 KB costs: our writer, with and without TensorFlow, and TensorFlow's own.

    python -m benchmarks.event_writer [--events 2000]

Each of the three writes 100 events in turn, in processes that live side by side, until all events
are written; what is compared is the median of the turns.  Ours hands each event to the operating
system; TensorFlow's keeps them in a buffer until it is flushed, at the end of a turn here.
"""

# pyright: reportAttributeAccessIssue=false
# (TensorBoard's generated protobuf modules carry no types.)

from __future__ import annotations

import argparse
import multiprocessing
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

from tensorboard.compat.proto import event_pb2, summary_pb2, tensor_pb2

from tb_gradplugin.event_files import EventFileWriter

TURN = 100
CONTENT = bytes(4000)


def event(step: int) -> event_pb2.Event:
    """As a block of statistics is written: one tensor, 4 KB as a record."""
    tensor = tensor_pb2.TensorProto(dtype="DT_STRING", string_val=[CONTENT])
    value = summary_pb2.Summary.Value(tag="gradients/statistics/0", tensor=tensor)
    return event_pb2.Event(step=step, wall_time=time.time(), summary={"value": [value]})


def ours(folder: str) -> tuple[Callable[[int], Any], Callable[[], Any]]:
    """Functions that write the event of a step and end a turn."""
    writer = EventFileWriter(folder)
    return lambda step: writer.write(event(step)), lambda: None


def ours_with_tensorflow(folder: str) -> tuple[Callable[[int], Any], Callable[[], Any]]:
    """The same where TensorFlow has been imported."""
    import tensorflow  # noqa: F401

    return ours(folder)


def tensorflows(folder: str) -> tuple[Callable[[int], Any], Callable[[], Any]]:
    """TensorFlow's writer of records, which its summaries are written by."""
    import tensorflow as tf

    writer = tf.io.TFRecordWriter(f"{folder}/events.out.tfevents.0")
    return lambda step: writer.write(event(step).SerializeToString()), writer.flush


WRITERS = {f.__name__: f for f in (ours, ours_with_tensorflow, tensorflows)}


def turns(name: str, folder: str, pipe: Connection) -> None:
    """In a process: a turn, and how long it took, whenever asked."""
    write, end = WRITERS[name](folder)
    assert ("tensorflow" in sys.modules) == (name != "ours")
    while (first := pipe.recv()) is not None:
        start = time.perf_counter()
        for step in range(first, first + TURN):
            write(step)
        end()
        pipe.send((time.perf_counter() - start) / TURN)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--events", type=int, default=2000)
    events = parser.parse_args().events
    spawn = multiprocessing.get_context("spawn")
    taken: dict[str, list[float]] = {name: [] for name in WRITERS}
    with tempfile.TemporaryDirectory() as folder:
        pipes = {}
        for name in WRITERS:
            here, there = spawn.Pipe()
            spawn.Process(target=turns, args=(name, folder, there), daemon=True).start()
            pipes[name] = here
        for first in range(0, events, TURN):
            for name, pipe in pipes.items():
                pipe.send(first)
                taken[name].append(pipe.recv())
        for pipe in pipes.values():
            pipe.send(None)
    medians = {name: statistics.median(values[1:]) for name, values in taken.items()}
    for name, seconds in medians.items():
        ratio = seconds / medians["tensorflows"]
        print(f"{name:22}{1e6 * seconds:8.1f} us an event{ratio:8.2f} of TensorFlow's")


if __name__ == "__main__":
    main()
