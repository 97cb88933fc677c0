"""Loss, metrics and learning rate beside the gradients: the answer of ``scalars``."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from tb_gradplugin import metadata, reader, sources
from tb_gradplugin.views import numbers, times

MAX_SERIES = 40

_LOSS = re.compile(r"loss", re.IGNORECASE)
_LEARNING_RATE = re.compile(r"learning[_ ]?rate|(?:^|[/_ ])lr$", re.IGNORECASE)
_METRIC = re.compile(
    r"^(?:epoch|batch|evaluation)_|acc|auc|error|mae|mse|precision|recall|f1|iou|perplexity|metric",
    re.IGNORECASE,
)
_NOT_OF_INTEREST = re.compile(r"per_second", re.IGNORECASE)
_PREFIX = re.compile(r"^(?:epoch|batch|evaluation)_")
_SAME_AS_TRAINING = ("batch_loss", "batch_learning_rate", "epoch_learning_rate")
_ORDER = ("loss", "metric", "learning_rate")


def sibling_runs(tensorboard_run: str) -> list[str]:
    """TensorBoard runs beside the monitor's where loss curves are looked for."""
    parent = sources.dashboard_name(tensorboard_run)
    prefix = "" if parent == "." else f"{parent}/"
    runs = [f"{prefix}train", f"{prefix}validation", parent]
    return [run for run in runs if run != tensorboard_run]


def curves(
    own_run: str, found: Mapping[str, Mapping[str, Sequence[Any]]], training: reader.Rows
) -> dict[str, Any]:
    """The answer of ``scalars``.

    Args:
        own_run: TensorBoard's name of the monitor's run.
        found: scalar points by TensorBoard run and tag, of this run and its siblings.
        training: training columns of the logged steps.
    """
    series = [
        {
            "name": name,
            "label": name,
            "kind": name,
            "steps": training.steps.tolist(),
            "wall_times": times(training.wall_times),
            "values": numbers(training.values[:, metadata.TRAINING_COLUMNS.index(name)]),
        }
        for name in ("loss", "learning_rate")
        if len(training.steps)
    ]
    for run_name in (own_run, *sibling_runs(own_run)):
        own = run_name == own_run
        for tag, points in sorted(found.get(run_name, {}).items()):
            kind = _kind(tag)
            if kind is None or (own and tag in _SAME_AS_TRAINING and len(training.steps)):
                continue
            steps_of = _identity if own or not tag.startswith("epoch_") else _by_time(training)
            short = _PREFIX.sub("", tag).removesuffix("_vs_iterations")
            series.append(
                {
                    "name": re.sub(r"(^|/)val_", r"\1", short),
                    "label": _label(tag, short) if own else f"{_last(run_name)} · {tag}",
                    "kind": kind,
                    **_points(points, steps_of),
                }
            )
    series.sort(key=lambda s: _ORDER.index(s["kind"]))
    return {"series": series[:MAX_SERIES]}


def _kind(tag: str) -> str | None:
    if _NOT_OF_INTEREST.search(tag):
        return None
    if _LEARNING_RATE.search(tag):
        return "learning_rate"
    if _LOSS.search(tag):
        return "loss"
    return "metric" if _METRIC.search(tag) else None


def _label(tag: str, short: str) -> str:
    """``batch_loss`` is the loss itself; the mean over an epoch is told apart from it."""
    return tag if tag == "epoch_loss" else short


def _last(run_name: str) -> str:
    return run_name.rpartition("/")[2]


def _identity(steps: np.ndarray, wall_times: np.ndarray) -> np.ndarray:
    return steps


def _by_time(training: reader.Rows) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """Keras's TensorBoard callback numbers epochs: they go to the train step of that moment."""

    def steps_of(steps: np.ndarray, wall_times: np.ndarray) -> np.ndarray:
        if not len(training.steps):
            return steps
        order = np.argsort(training.wall_times, kind="stable")
        moved = np.interp(wall_times, training.wall_times[order], training.steps[order])
        return np.round(moved).astype(np.int64)

    return steps_of


def _points(
    points: Sequence[Any], steps_of: Callable[[np.ndarray, np.ndarray], np.ndarray]
) -> dict[str, list[Any]]:
    wall_times = np.array([p.wall_time for p in points], np.float64)
    steps = steps_of(np.array([p.step for p in points], np.int64), wall_times)
    last = {step: i for i, step in enumerate(steps.tolist())}
    keep = [i for _, i in sorted(last.items())]
    values = np.array([p.value for p in points], np.float64)
    return {
        "steps": steps[keep].tolist(),
        "wall_times": times(wall_times[keep]),
        "values": numbers(values[keep]),
    }
