"""Reads monitored runs from any source: decodes points and joins them to arrays over time.

Whatever cannot be decoded becomes one line in the source's ``problems``, never an exception.
"""

from __future__ import annotations

import bisect
import dataclasses
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

import numpy as np

from tb_gradplugin import bins, metadata, scales, summaries
from tb_gradplugin.gradient_map import GradientMap
from tb_gradplugin.health.judge import judge_run
from tb_gradplugin.health.report import Note, RunHealth, joined
from tb_gradplugin.health.thresholds import Thresholds
from tb_gradplugin.records import ProbeRecord, StepRecord
from tb_gradplugin.sources import HISTOGRAM_POINTS, STATISTICS_POINTS, Point, Source, note
from tb_gradplugin.structure import ModelStructure

_T = TypeVar("_T")


def _decoded(
    source: Source, tag: str, points: Iterable[Point], decode: Callable[[np.ndarray], _T]
) -> dict[int, tuple[float, _T]]:
    """step -> (wall time, value) of what decodes; one problem line for the rest of a tag."""
    out: dict[int, tuple[float, _T]] = {}
    for p in points:
        try:
            out[p.step] = (p.wall_time, decode(p.numpy))
        except summaries.DataError as e:
            note(source.problems, f"{tag} {e}")
    return out


def read_health(source: Source) -> RunHealth | None:
    """Health of the run after its last logged step, None without any; reads one point."""
    points = source.read(metadata.HEALTH_TAG, points=1)[-1:]
    found = _decoded(source, metadata.HEALTH_TAG, points, summaries.decode_health)
    return next((health for _, health in found.values()), None)


@dataclasses.dataclass(frozen=True)
class Models:
    """The structures of a run over time.

    Attributes:
        steps: step from which each structure holds, ascending.
        structures: as many.
    """

    steps: tuple[int, ...]
    structures: tuple[ModelStructure, ...]

    @property
    def latest(self) -> ModelStructure:
        """The structure that answers are about; older data are mapped to it by path."""
        return self.structures[-1] if self.structures else ModelStructure((), ())

    def at(self, step: int) -> ModelStructure:
        """The structure that holds at ``step``."""
        return self.structures[max(bisect.bisect_right(self.steps, step) - 1, 0)]


def read_models(source: Source, points: int = STATISTICS_POINTS) -> Models:
    """All structures of the run; a run without any gets a line in ``problems``."""
    read = source.read(metadata.MODEL_TAG, points=points)
    found = _decoded(source, metadata.MODEL_TAG, read, summaries.decode_model)
    if not found and not source.problems:
        note(source.problems, "no model structure has been written: layers are unknown")
    return Models(tuple(found), tuple(structure for _, structure in found.values()))


@dataclasses.dataclass(frozen=True)
class Rows:
    """Rows of some variables, or layers, over time.

    Attributes:
        steps: int64 [T], ascending, unique.
        wall_times: float64 [T], seconds.
        values: [T, variables, columns].
    """

    steps: np.ndarray
    wall_times: np.ndarray
    values: np.ndarray


def read_statistics(
    source: Source, models: Models, paths: Sequence[str], points: int = STATISTICS_POINTS
) -> Rows:
    """Statistics of the variables ``paths``: float32 [T, len(paths), 10], NaN: not recorded."""
    columns = len(metadata.STATISTICS_COLUMNS)
    empty = np.full((len(paths), columns), np.nan, np.float32)
    tag, decode = metadata.STATISTICS_TAG, summaries.decode_statistics
    return _read_rows(source, models, paths, empty, tag, decode, points)


def read_essence(source: Source, models: Models, paths: Sequence[str]) -> Rows:
    """``scales.essence`` of the variables ``paths``: float32 [T, len(paths), 2]."""
    empty = np.full((len(paths), 2), np.nan, np.float32)
    tag, decode = metadata.STATISTICS_TAG, summaries.decode_statistics
    points, reduce = STATISTICS_POINTS, scales.essence
    return _read_rows(source, models, paths, empty, tag, decode, points, reduce)


def read_histograms(
    source: Source, models: Models, paths: Sequence[str], tag: str = metadata.HISTOGRAMS_TAG
) -> Rows:
    """Histograms of the variables ``paths``: uint16 [T, len(paths), 200], zeros: not recorded.

    Of their gradients, or with ``WEIGHTS_TAG`` of themselves.
    """
    empty = np.zeros((len(paths), bins.BINS), np.uint16)
    decode = summaries.decode_histograms
    return _read_rows(source, models, paths, empty, tag, decode, HISTOGRAM_POINTS)


def read_activations(source: Source, models: Models, path: str) -> Rows:
    """Histograms of the layer's output: uint16 [T, 1, 200], at the probes that made one."""
    empty = np.zeros((1, bins.BINS), np.uint16)
    tag, decode = metadata.ACTIVATIONS_TAG, summaries.decode_histograms
    points, names = HISTOGRAM_POINTS, _layer_paths
    rows = _read_rows(source, models, [path], empty, tag, decode, points, names=names)
    seen = rows.values.any(axis=(1, 2))
    return Rows(rows.steps[seen], rows.wall_times[seen], rows.values[seen])


def _variable_paths(structure: ModelStructure) -> list[str]:
    return [variable.path for variable in structure.variables]


def _layer_paths(structure: ModelStructure) -> list[str]:
    return [layer.path for layer in structure.layers]


def _read_rows(
    source: Source,
    models: Models,
    paths: Sequence[str],
    empty: np.ndarray,
    tag: str,
    decode: Callable[[np.ndarray], np.ndarray],
    points: int,
    reduce: Callable[[np.ndarray], np.ndarray] = np.asarray,
    names: Callable[[ModelStructure], list[str]] = _variable_paths,
) -> Rows:
    """Joins the blocks that hold ``paths``; keeps the steps for which all of them are there.

    A block read is one tag of at most 256 rows, so that no reply of the data server is large,
    and is let go before the next one is read.  ``reduce`` makes rows of the result of those of a
    block, [steps, rows, columns], of many steps at once.  ``names`` says of what the rows are.
    """
    plans = {id(s): _Plan(names(s), paths) for s in models.structures}
    needed = sorted({block for plan in plans.values() for block in plan.blocks})
    place: dict[int, int] = {}  # step -> row of ``values``
    values = np.empty((0, *empty.shape), empty.dtype)
    parts: list[int] = []  # blocks that each row has
    wall_times: list[float] = []
    for b in needed:
        name = metadata.block_tag(tag, b)
        found = _decoded(source, name, source.read(tag, b, points), decode)
        if new := [step for step in found if step not in place]:
            place |= zip(new, range(len(place), len(place) + len(new)), strict=True)
            more = np.broadcast_to(empty, (len(new), *empty.shape))
            values = np.concatenate([values, more]) if len(values) else more.copy()
            parts += [0] * len(new)
            wall_times += [found[step][0] for step in new]
        alike: dict[int, list[int]] = {}  # steps of the same structure
        for step, (_, part) in found.items():
            plan = plans[id(models.at(step))]
            if b in plan.blocks and _fits(source, part, name, step, plan.blocks[b][2]):
                alike.setdefault(id(models.at(step)), []).append(step)
                parts[place[step]] += 1
        for structure, steps in alike.items():
            own, targets, _ = plans[structure].blocks[b]
            for start in range(0, len(steps), scales.STEPS_AT_ONCE):
                some = steps[start : start + scales.STEPS_AT_ONCE]
                block = reduce(np.stack([found[step][1][own] for step in some]))
                at = [place[step] for step in some]
                values[(at, targets) if isinstance(targets, slice) else np.ix_(at, targets)] = block
    wanted = {step: len(plans[id(models.at(step))].blocks) for step in place}
    steps = [s for s in sorted(place) if parts[place[s]] == wanted[s] > 0]
    rows = [place[step] for step in steps]
    return Rows(
        np.array(steps, np.int64),
        np.array([wall_times[row] for row in rows], np.float64),
        values if rows == list(range(len(values))) else values[rows],
    )


def _fits(source: Source, part: np.ndarray, tag: str, step: int, count: int) -> bool:
    if len(part) != count:
        line = f"{tag} holds {len(part)} rows at step {step} where the model has {count}"
        note(source.problems, line)
    return len(part) == count


class _Plan:
    """Where the rows of ``paths`` lie in the blocks of a structure, whose rows are of ``names``.

    ``blocks``: block -> (rows in the block, rows of the result, length of the block).
    """

    def __init__(self, names: Sequence[str], paths: Sequence[str]):
        size = metadata.BLOCK_SIZE
        row_of = {name: row for row, name in enumerate(names)}
        found = [(row_of[path], target) for target, path in enumerate(paths) if path in row_of]
        self.blocks = {}
        for block in sorted({row // size for row, _ in found}):
            inside = [(row - block * size, t) for row, t in found if row // size == block]
            rows, targets = np.array(inside).T
            count = min(size, len(names) - block * size)
            self.blocks[block] = (_range(rows), _range(targets), count)


def _range(indices: np.ndarray) -> slice | np.ndarray:
    """The slice that is ``indices``, where they follow each other: faster, and copies nothing."""
    first, last = int(indices[0]), int(indices[-1])
    follow = last - first + 1 == len(indices) and bool((np.diff(indices) == 1).all())
    return slice(first, last + 1) if follow else indices


def read_training(source: Source) -> Rows:
    """Training columns of every logged step: float64 [T, 7]."""
    points = source.read(metadata.TRAINING_TAG)
    found = _decoded(source, metadata.TRAINING_TAG, points, summaries.decode_training)
    return Rows(
        np.array(list(found), np.int64),
        np.array([wall_time for wall_time, _ in found.values()], np.float64),
        np.array([row for _, row in found.values()]).reshape(-1, len(metadata.TRAINING_COLUMNS)),
    )


def read_probes(source: Source, models: Models) -> list[ProbeRecord]:
    """Looks inside single train steps, by step; rows are the layers of ``models.at(step)``."""
    out = []
    for p in source.read(metadata.PROBE_TAG):
        layers = len(models.at(p.step).layers) if models.structures else 0
        try:
            out.append(summaries.decode_probe(p.numpy, p.step, p.wall_time, layers))
        except summaries.DataError as e:
            note(source.problems, f"{metadata.PROBE_TAG} {e}")
    return out


def read_fits(source: Source) -> list[tuple[int, int]]:
    """First and last step of every fit that ended, in order."""
    points = source.read(metadata.FIT_TAG)
    found = _decoded(source, metadata.FIT_TAG, points, summaries.decode_fit)
    return [(first, step) for step, (_, first) in found.items()]


def read_validations(source: Source) -> list[tuple[int, float]]:
    """Last step of an epoch, and the loss of held-back data after it, in order."""
    points = source.read(metadata.VALIDATION_TAG)
    found = _decoded(source, metadata.VALIDATION_TAG, points, summaries.decode_validation)
    return [(step, loss) for step, (_, loss) in found.items()]


def read_maps(
    source: Source, structure: ModelStructure, layer: int
) -> list[tuple[int, str, GradientMap]]:
    """(step, path of the variable, picture of its gradient) of a layer's variables, by step."""
    out = []
    for row in structure.rows_of_layer(layer):
        path, tag = structure.variables[row].path, f"{metadata.MAP_TAG}/{row}"
        found = _decoded(source, tag, source.read(tag), summaries.decode_map)
        # Of a variable with this path: another model of the run may have had another one there.
        out += [(step, path, m) for step, (_, (name, m)) in found.items() if name == path]
    return sorted(out, key=lambda item: item[0])


def judge_again(source: Source, thresholds: Thresholds) -> RunHealth | None:
    """Health by other thresholds, from the logged steps; None without any.

    As while training, each structure is judged on its own, from the first step of the latest
    monitor on; notes on the fit as a whole stay as they were written, and one more names what is
    not by default.
    """
    models, found = read_models(source), read_training(source)
    probes, told, fits = read_probes(source, models), read_health(source), read_fits(source)
    validations = read_validations(source)
    parts: list[RunHealth] = []
    first = (told.first_step if told is not None else None) or 0
    ends = (*models.steps[1:], math.inf)
    training = dict(zip(found.steps.tolist(), found.values, strict=True))
    for structure, begin, end in zip(models.structures, models.steps, ends, strict=True):
        start = max(begin, first)
        rows = read_statistics(source, models, [v.path for v in structure.variables])
        records = [
            StepRecord(step, wall_time, statistics, training[step])
            for step, wall_time, statistics in zip(
                rows.steps.tolist(), rows.wall_times.tolist(), rows.values, strict=True
            )
            if start <= step < end and step in training
        ]
        seen = [probe for probe in probes if start <= probe.step < end]
        done = [fit for fit in fits if start <= fit[1] < end]
        held = [one for one in validations if start <= one[0] < end]
        parts.append(judge_run(structure, records, thresholds, seen, done, held))
    notes = (*(() if told is None else told.notes), *_judged_with(thresholds, parts))
    return joined(parts, notes) if parts else None


def _judged_with(thresholds: Thresholds, parts: Sequence[RunHealth]) -> Iterator[Note]:
    """A note that names the thresholds that are not the defaults, if any."""
    usual = Thresholds()
    others = [
        f"{f.name} = {getattr(thresholds, f.name):g} (default {getattr(usual, f.name):g})"
        for f in dataclasses.fields(Thresholds)
        if getattr(thresholds, f.name) != getattr(usual, f.name)
    ]
    first = next((part.first_step for part in parts if part.first_step is not None), 0)
    if others:
        yield Note("thresholds", first, {}, f"Judged again with {', '.join(others)}.", ())


@dataclasses.dataclass(frozen=True)
class RunData:
    """Everything logged of a run but its histograms.

    Attributes:
        name: as the dashboard shows it.
        structure: the latest; rows of other structures are mapped to it by variable path.
        steps: int64 [T], ascending, unique.
        wall_times: float64 [T], seconds.
        statistics: float32 [T, V, 10], columns ``metadata.STATISTICS_COLUMNS``.
        training: float64 [T, 7], columns ``metadata.TRAINING_COLUMNS``.
        health: after the last logged step, or None.
        problems: one sentence each on what could not be read.
    """

    name: str
    structure: ModelStructure
    steps: np.ndarray
    wall_times: np.ndarray
    statistics: np.ndarray
    training: np.ndarray
    health: RunHealth | None
    problems: list[str]


def read_run(source: Source, name: str) -> RunData:
    """Reads a run from either source."""
    models = read_models(source)
    rows = read_statistics(source, models, [v.path for v in models.latest.variables])
    found = read_training(source)
    training = np.full((len(rows.steps), len(metadata.TRAINING_COLUMNS)), np.nan)
    _, here, there = np.intersect1d(rows.steps, found.steps, return_indices=True)
    training[here] = found.values[there]
    return RunData(
        name=name,
        structure=models.latest,
        steps=rows.steps,
        wall_times=rows.wall_times,
        statistics=rows.values,
        training=training,
        health=read_health(source),
        problems=source.problems,
    )
