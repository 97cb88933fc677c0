"""Records many runs in worker processes; what is recorded already is left alone."""

from __future__ import annotations

import multiprocessing
import time
import traceback
from collections.abc import Iterable
from pathlib import Path

from benchmarks.diagnosis.recording import path_of, save
from benchmarks.diagnosis.runs import catalogue
from benchmarks.diagnosis.runs.base import Run

RUNS_A_WORKER = 40
"""A worker is replaced after this many: TensorFlow keeps some of every graph."""


def record_all(runs: Iterable[Run], seeds: int, cache: Path, jobs: int) -> list[str]:
    """Records every (run, seed) that is missing in ``cache``; returns those that raised."""
    todo = []
    for run in runs:
        missing = [seed for seed in range(seeds) if not path_of(cache, run, seed).exists()]
        if missing:
            todo.append((run.id, missing))
    started, failed = time.monotonic(), []
    context = multiprocessing.get_context("spawn")
    with context.Pool(jobs, _start, (str(cache),), maxtasksperchild=RUNS_A_WORKER) as pool:
        for n, (name, seconds, said) in enumerate(pool.imap_unordered(_one, todo), 1):
            print(
                f"{n}/{len(todo)} {name} {seconds:.1f} s, {time.monotonic() - started:.0f} s in all"
                f"  {said.splitlines()[-1]}",
                flush=True,
            )
            if said.startswith("Traceback"):
                print("\n".join(said.splitlines()[-12:]), flush=True)
                failed.append(name)
    return failed


_state: dict[str, object] = {}


def _start(cache: str) -> None:
    import os

    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    import tensorflow as tf

    # One thread a worker: the models are too small to share, and results do not depend on threads.
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    _state.update(cache=Path(cache), runs={run.id: run for run in catalogue()})


def _one(task: tuple[str, list[int]]) -> tuple[str, float, str]:
    """(name, seconds, what came out or the traceback)."""
    from benchmarks.diagnosis.record import record_seeds

    id, seeds = task
    runs, cache = _state["runs"], _state["cache"]
    assert isinstance(runs, dict)
    assert isinstance(cache, Path)
    begun, final = time.monotonic(), []
    try:
        recordings = record_seeds(runs[id], seeds)
        for seed, recording in zip(seeds, recordings, strict=True):
            save(path_of(cache, runs[id], seed), recording)
            final.append(f"{recording.final / recording.reference:.3g}")
        said = f"final loss over baseline: {', '.join(final)}"
    except Exception:
        said = traceback.format_exc()
    return id, time.monotonic() - begun, said
