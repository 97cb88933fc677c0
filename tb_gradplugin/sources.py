"""Where points of a run come from: TensorBoard's data provider, or event files directly.

A source returns the points of a tag; what cannot be read becomes one line in its ``problems``.
"""

# pyright: reportAttributeAccessIssue=false
# (TensorBoard's generated protobuf modules carry no types.)

from __future__ import annotations

import dataclasses
import functools
import logging
import os
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from tensorboard import errors
from tensorboard.compat.proto import event_pb2
from tensorboard.data import provider
from tensorboard.util import tensor_util

from tb_gradplugin import event_files, metadata, summaries

_log = logging.getLogger(__name__)

STATISTICS_POINTS = 10_000
"""Most points read of a series; a block of 256 variables is then a reply of 102 MB, below the data
server's limit of 256 MiB.  TensorBoard keeps 1000 unless told otherwise."""
HISTOGRAM_POINTS = 1000
"""Likewise; TensorBoard keeps 200 unless told otherwise."""

OWN_TAGS = frozenset({metadata.HEALTH_TAG, metadata.MODEL_TAG, metadata.STATISTICS_TAG})
"""A run with any of these is a monitor's."""
_PLUGIN_OF: dict[str, str] = dict.fromkeys(
    (metadata.HISTOGRAMS_TAG, metadata.WEIGHTS_TAG, metadata.ACTIVATIONS_TAG),
    metadata.HISTOGRAM_PLUGIN_NAME,
)


@dataclasses.dataclass(frozen=True)
class Point:
    """One point of a time series: step, wall time in seconds, value."""

    step: int
    wall_time: float
    numpy: np.ndarray


class Source(Protocol):
    """Points of one run."""

    problems: list[str]
    """One sentence each on what could not be read; the source and its readers append."""

    def read(self, tag: str, block: int = 0, points: int = ...) -> list[Point]:
        """Points of a tag in ascending step order, at most ``points``, the last one included."""
        ...


def dashboard_name(tensorboard_run: str) -> str:
    """``run1`` for TensorBoard's run ``run1/gradients``, ``.`` for ``gradients``."""
    head, _, last = tensorboard_run.rpartition("/")
    return (head or ".") if last == metadata.MONITOR_SUBDIR else tensorboard_run


def find_runs(
    data_provider: Any, ctx: Any, experiment_id: str, only: str | None = None
) -> dict[str, ProviderSource]:
    """All runs with the monitor's data by dashboard name, sorted; with ``only`` at least that one.

    Args:
        data_provider: TensorBoard's.
        ctx: its request context.
        experiment_id: of the request.
        only: a dashboard name, to look at no other runs.
    """
    runs = None
    if only is not None:
        suffix = metadata.MONITOR_SUBDIR
        runs = [only, f"{only}/{suffix}", dashboard_name(only), *([suffix] * (only == "."))]
    listed = data_provider.list_tensors(
        ctx,
        experiment_id=experiment_id,
        plugin_name=metadata.PLUGIN_NAME,
        run_tag_filter=provider.RunTagFilter(runs=runs),
    )
    ours = sorted(run for run, tags in listed.items() if OWN_TAGS & set(tags))
    # Were both run1 and run1/gradients written to by monitors, the latter keeps its full name.
    plain = {run for run in ours if dashboard_name(run) == run}
    found = {}
    for run in ours:
        name = run if dashboard_name(run) in plain else dashboard_name(run)
        found[name] = ProviderSource(data_provider, ctx, experiment_id, run, listed[run])
    return dict(sorted(found.items()))


class ProviderSource:
    """A run in TensorBoard's data provider, which holds a sample of its points.

    Args:
        data_provider: TensorBoard's.
        ctx: its request context.
        experiment_id: of the request.
        run: TensorBoard's name of the run.
        tags: time series of the plugin ``gradients`` in this run, by tag.
    """

    def __init__(
        self, data_provider: Any, ctx: Any, experiment_id: str, run: str, tags: Mapping[str, Any]
    ):
        """Reads nothing yet."""
        self.run = run
        self.problems: list[str] = []
        self._read = functools.partial(data_provider.read_tensors, ctx, experiment_id=experiment_id)
        self._tags = tags
        self._last: Mapping[str, Sequence[Any]] = {}

    @property
    def version(self) -> tuple[Any, ...]:
        """Changes whenever TensorBoard has read more of the run."""
        return tuple((tag, s.max_step, s.max_wall_time) for tag, s in sorted(self._tags.items()))

    def check_tags(self) -> None:
        """Appends to ``problems`` what metadata tell: foreign data and newer schemas."""
        for tag in sorted(self._tags):
            self._readable(tag)

    def _readable(self, tag: str) -> bool:
        try:
            summaries.check_schema(self._tags[tag].plugin_content)
        except summaries.DataError as e:
            note(self.problems, f"{tag} {e}")
            return False
        return True

    def read(self, tag: str, block: int = 0, points: int = STATISTICS_POINTS) -> list[Point]:
        """See ``Source``; data of another schema are refused with a line in ``problems``."""
        plugin = _PLUGIN_OF.get(tag, metadata.PLUGIN_NAME)
        tag = metadata.block_tag(tag, block)
        if plugin == metadata.PLUGIN_NAME and not (tag in self._tags and self._readable(tag)):
            return []
        found = self._last.get(tag) if points == 1 else None
        if found is None:
            try:
                wanted = provider.RunTagFilter(runs=[self.run], tags=[tag])
                reply = self._read(plugin_name=plugin, downsample=points, run_tag_filter=wanted)
                found = reply.get(self.run, {}).get(tag, ())
            except errors.PublicError:
                raise
            except Exception as e:  # of any kind: tensors of others that cannot be decoded
                _log.exception("cannot read %s of run %s", tag, self.run)
                note(self.problems, f"{tag} cannot be read: {e}")
                return []
        return _by_step(Point(p.step, p.wall_time, p.numpy) for p in found)

    def ends_with(self, tag: str, points: Sequence[Any]) -> bool:
        """Whether the last of ``points`` is the last of ``tag``, or there are none of either."""
        series = self._tags.get(tag)
        if series is None:
            return not points
        last = (points[-1].step, points[-1].wall_time) if points else None
        return last == (series.max_step, series.max_wall_time)

    def tags_of(self, bases: Container[str]) -> list[str]:
        """The run's tags that are one of ``bases`` or a block of it."""
        return [tag for tag in self._tags if _base(tag) in bases]

    def fetch_last(self, tags: Iterable[str]) -> None:
        """Gets the last points of ``tags`` in one reply."""
        self.hold(last_points(self._read, tags, [self.run]))

    def hold(self, last: Mapping[str, Mapping[str, Sequence[Any]]]) -> None:
        """Reads single points from what ``last_points`` returned."""
        self._last = last.get(self.run, {})


def last_points(
    read: Callable[..., Any], tags: Iterable[str], runs: Sequence[str] | None = None
) -> Mapping[str, Mapping[str, Sequence[Any]]]:
    """run -> tag -> its last point, in one reply; without ``runs`` of all.

    A reply of the data server takes up to 50 ms however small it is.  Empty where it failed:
    reading the points one by one tells which it is.

    Args:
        read: TensorBoard's ``read_tensors`` of a context and an experiment.
        tags: full names.
        runs: TensorBoard's names.
    """
    wanted = provider.RunTagFilter(runs=runs, tags=list(tags))
    try:
        return read(plugin_name=metadata.PLUGIN_NAME, downsample=1, run_tag_filter=wanted)
    except errors.PublicError:
        raise
    except Exception:
        return {}


class FileSource:
    """A run's event files, without sampling.

    Files are read in the order of their names; a ``SessionLog.START`` at step s drops the earlier
    points from s on, as TensorBoard does.

    Args:
        directory: holds the event files.
        tags: tags to keep (without block suffix), all of ours by default.

    Raises:
        OSError: the directory cannot be listed.
    """

    def __init__(self, directory: str | os.PathLike[str], tags: Iterable[str] | None = None):
        """Reads all files."""
        self.directory = os.fspath(directory)
        self.problems: list[str] = []
        self.found = False
        """Whether any value of the monitor was met, kept or not."""
        self._tags = None if tags is None else frozenset(tags)
        self._events: dict[str, list[tuple[int, float, Any]]] = {}
        self._content: dict[str, bytes] = {}
        for name in event_file_names(self.directory):
            try:
                for event in event_files.scan_events(os.path.join(self.directory, name)):
                    self._add(event)
            except event_files.DamagedFileError as e:
                self.problems.append(f"{name}: {e}")
            except OSError as e:
                self.problems.append(f"{name}: cannot be read: {e.strerror or e}")

    def _add(self, event: event_pb2.Event) -> None:
        if event.session_log.status == event_pb2.SessionLog.START:
            for tag, points in self._events.items():
                self._events[tag] = [p for p in points if p[0] < event.step]
            return
        for value in event.summary.value:
            tag = value.tag
            if value.metadata.plugin_data.plugin_name in (
                metadata.PLUGIN_NAME,
                metadata.HISTOGRAM_PLUGIN_NAME,
            ):
                self._content.setdefault(tag, value.metadata.plugin_data.content)
            if tag not in self._content:
                continue
            self.found = True
            if self._tags is None or _base(tag) in self._tags:
                point = (event.step, event.wall_time, value.tensor)
                self._events.setdefault(tag, []).append(point)

    def read(self, tag: str, block: int = 0, points: int | None = None) -> list[Point]:
        """See ``Source``; all points, or the last with ``points=1``."""
        tag = metadata.block_tag(tag, block)
        events = self._events.get(tag, [])
        if events and points == 1:
            events = [max(reversed(events), key=lambda p: p[0])]
        try:
            if tag in self._content:
                summaries.check_schema(self._content[tag])
            out = [Point(step, time, tensor_util.make_ndarray(x)) for step, time, x in events]
        except (ValueError, TypeError, KeyError) as e:
            note(self.problems, f"{tag} {e}")
            return []
        return _by_step(out)


def event_file_names(directory: str | os.PathLike[str]) -> list[str]:
    """Names of the event files in ``directory``, oldest first; OSError if it cannot be listed."""
    return sorted(name for name in os.listdir(directory) if event_files.NAME_MARK in name)


def _base(tag: str) -> str:
    head, _, tail = tag.rpartition("/")
    return head if tail.isdecimal() else tag


def note(problems: list[str], line: str) -> None:
    """Appends ``line`` once."""
    if line not in problems:
        problems.append(line)


def _by_step(points: Iterable[Point]) -> list[Point]:
    """Sorted by step; of several points of a step the one written last."""
    return [p for _, p in sorted({p.step: p for p in points}.items())]
