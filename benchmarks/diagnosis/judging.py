"""Judges what is recorded, in worker processes."""

from __future__ import annotations

import functools
import multiprocessing
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from benchmarks.diagnosis.recording import load, path_of
from benchmarks.diagnosis.runs import catalogue
from benchmarks.diagnosis.runs.base import Run
from benchmarks.diagnosis.score import Result, judge


def recorded(runs: Sequence[Run], seeds: int, cache: Path) -> Iterator[tuple[Run, int, Path]]:
    """What of the runs is recorded."""
    for run in runs:
        for seed in range(seeds):
            path = path_of(cache, run, seed)
            if path.exists():
                yield run, seed, path


def judge_all(runs: Sequence[Run], seeds: int, cache: Path, jobs: int) -> list[Result]:
    """All recordings of ``runs`` judged; says how many are missing."""
    tasks = [(run.id, seed, path) for run, seed, path in recorded(runs, seeds, cache)]
    missing = len(runs) * seeds - len(tasks)
    if missing:
        print(f"{missing} recordings are missing in {cache}", file=sys.stderr)
    by_id = {run.id: run for run in runs}
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, context) as pool:
        judged = pool.map(_judge, tasks, chunksize=20)
        return [Result(run=by_id[id], **facts) for id, facts in judged]


@functools.cache
def _runs() -> dict[str, Run]:
    return {run.id: run for run in catalogue()}


def _judge(task: tuple[str, int, Path]) -> tuple[str, dict[str, object]]:
    """Id and facts of a result: a run itself holds functions and does not travel."""
    id, seed, path = task
    result = judge(_runs()[id], seed, load(path))
    return id, {k: v for k, v in vars(result).items() if k != "run"}
