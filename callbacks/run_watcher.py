"""What all that watch a run share: from captured steps to findings, event files and messages."""

from __future__ import annotations

import dataclasses
import functools
import os
import sys
import warnings
from collections.abc import Callable
from typing import Any, Literal

import numpy as np

from tb_gradplugin import bins, stores
from tb_gradplugin.health.judge import Judge
from tb_gradplugin.health.replicas import ReplicaWatch
from tb_gradplugin.health.report import Finding, HealthReport, Note, RunHealth, joined
from tb_gradplugin.health.thresholds import Thresholds
from tb_gradplugin.records import StepRecord
from tb_gradplugin.structure import ModelStructure

from .captured import Captured
from .map_keeper import MapKeeper
from .processes import Place
from .run_writer import RunWriter
from .schedule import AUTO_DENSE_STEPS, DENSE_HISTOGRAMS, Schedule

PENDING_STEPS, PENDING_SECONDS = 16, 0.25
"""Where every step is logged, steps that wait to be judged and written together, and how long the
first of them does: what runs once between two train steps finds its data and code no more in the
processor's caches, and takes two to three times as long as when it runs again at once.  The first
``AUTO_DENSE_STEPS`` do not wait."""
OnUnhealthy = Literal["warn", "stop", "ignore"] | Callable[[Finding], Any]


def never_breaks_training(hook: Callable[..., None]) -> Callable[..., None]:
    """A fault of our own costs one warning and our output, never the run."""

    @functools.wraps(hook)
    def guarded(self: RunWatcher, *args: Any, **kwargs: Any) -> None:
        if self._off:
            return
        try:
            hook(self, *args, **kwargs)
        except Exception as error:
            if error is self._users_error:
                raise
            self._switch_off(f"{type(error).__name__}: {error}")

    return guarded


class RunWatcher:
    """Judges, writes and tells of captured steps of one run.

    What watches says how to record and to describe a captured step (``_record``, ``_structure_of``)
    and puts captured steps into ``_pending``.

    Args:
        log_dir, update_freq, on_unhealthy, histograms, updates, thresholds, map_layers: see
            ``GradientMonitor``.
        network: name of one of several networks, with a run of its own below ``log_dir``.

    Raises:
        TypeError, ValueError: an argument is wrong; names it, its value and what is allowed.
        ImportError: ``log_dir`` is a URL that needs a package; names it.
    """

    _while_off = ""
    """How long it stays off after a fault, in words."""

    def __init__(
        self,
        log_dir: str | os.PathLike[str],
        *,
        update_freq: str | int,
        on_unhealthy: OnUnhealthy,
        histograms: bool,
        updates: bool,
        thresholds: Thresholds | None,
        map_layers: tuple[str, ...] | list[str],
        network: str | None = None,
    ):
        super().__init__()
        self._log_dir = _checked_log_dir(log_dir)
        if network is not None:
            self._log_dir = stores.join(self._log_dir, network)
        self._network_name = network
        self._schedule = Schedule(update_freq)
        self._on_unhealthy = _checked_on_unhealthy(on_unhealthy)
        self._histograms = _checked_bool("histograms", histograms)
        self._updates = _checked_bool("updates", updates)
        if thresholds is not None and not isinstance(thresholds, Thresholds):
            raise TypeError(
                f"`thresholds` (={thresholds!r}) must be a tb_gradplugin.Thresholds or None."
            )
        self._thresholds = thresholds or Thresholds()
        self._maps = MapKeeper(_checked_names("map_layers", map_layers))
        self._variables: list[Any] = []  # of the latest captured step
        self._place = Place()
        self._writer = RunWriter(stores.join(self._log_dir, "gradients"), self._warn_of)
        self._judge: Judge | None = None
        self._earlier: list[RunHealth] = []  # of another set of trained variables
        self._notes: tuple[Note, ...] = ()  # on the fit
        self._replicas = ReplicaWatch(self._thresholds)
        self._off = False
        self._step = 0  # last train step that was done
        self._before = 0  # train steps before this fit
        self._points = 0
        self._log2_points = Schedule(max_interval=None, dense=DENSE_HISTOGRAMS)
        self._structure: ModelStructure | None = None
        self._structure_key: tuple[int, ...] | None = None
        self._with_linear: Captured | None = None
        self._pending: list[tuple[Captured, float]] = []  # to be judged; when they were collected
        self._users_error: BaseException | None = None
        self._told: dict[tuple[str, str], set[str]] = {}  # kind and cause -> layers told of

    def report(self) -> HealthReport:
        """The findings so far, under the last part of the run's directory as its name."""
        self._catch_up()
        name = os.path.basename(os.path.abspath(self._log_dir))
        return HealthReport({name: self._health()})

    # What those that watch have to say.

    def _catch_up(self) -> None:
        """Takes in what is known of steps that were logged."""
        raise NotImplementedError

    def _record(self, captured: Captured, wall_time: float) -> StepRecord:
        """The logged step."""
        raise NotImplementedError

    def _structure_of(self, captured: Captured) -> ModelStructure:
        """Of the model, a row for each of the captured variables."""
        raise NotImplementedError

    def _look_inside(self, captured: Captured, judge: Judge) -> None:
        """Hands on what else was seen in the step, before it is judged."""

    def _opened(self) -> None:
        """A finding opened."""
        self._maps.ask()

    def _stop(self) -> None:
        """Training is to end."""

    def _let_go(self) -> None:
        """Nothing more is to be captured."""

    # record -> judge -> write -> tell, soon or at once.

    def _log2_wanted(self) -> bool:
        """Counts a further logged step; whether it gets a histogram."""
        self._points += 1
        wanted = self._histograms and self._log2_points.due(self._points)
        if wanted:
            self._log2_points.logged(self._points)
        return wanted

    def _take_place(self, place: Place) -> None:
        """Of several processes that train together the first writes and prints."""
        self._place = place
        self._writer.silent = place.rank > 0

    def _may_wait(self) -> bool:
        """Whether nobody would miss what the pending steps tell, yet."""
        captured, now = self._pending[-1]
        return (
            self._schedule.every_step
            and self._points > AUTO_DENSE_STEPS
            and self._on_unhealthy in ("warn", "ignore")
            and self._place.size == 1  # all are to ask for pictures of the same step
            and len(self._pending) < PENDING_STEPS
            and now - self._pending[0][1] < PENDING_SECONDS
            and captured.probe is None
            and captured.looks_finite
        )

    def _judge_pending(self) -> None:
        pending, self._pending = self._pending, []
        opened: list[Finding] = []
        with self._writer.together():
            for captured, wall_time in pending:
                opened += self._judge_one(captured, wall_time)
        for finding in opened:
            self._tell(finding)

    def _judge_one(self, captured: Captured, wall_time: float) -> list[Finding]:
        record = self._record(captured, wall_time)
        self._describe(captured)
        judge = self._judge
        assert judge is not None
        self._look_inside(captured, judge)
        if captured.replicas is not None:
            scaled = bool(np.any(captured.scale != 1.0))
            self._replicas.observe(record.step, captured.replicas, scaled=scaled)
        opened = judge.observe(record)
        if opened:
            self._opened()
        self._writer.write_step(record, self._health())
        self._variables = captured.variables
        if self._maps.note(captured):
            self._write_maps()
        if captured.linear is not None:
            self._with_linear = captured
        return opened

    def _end_fit(self) -> None:
        """Says what a longer fit might still have overcome."""
        if self._judge is None or self._step <= self._before:
            return
        opened = self._judge.end(self._step - self._before)
        self._writer.write_fit(self._before + 1, self._step)
        if opened:
            self._opened()
            self._writer.write_health(self._step, self._health())
        self._before = self._step
        for finding in opened:
            self._tell(finding)

    def _write_maps(self) -> None:
        step, maps = self._maps.take(self._variables)
        for row, picture in maps.items():
            assert self._structure is not None
            self._writer.write_map(step, self._structure.variables[row].path, row, picture)

    def _describe(self, captured: Captured) -> None:
        key = tuple(id(v) for v in captured.variables)
        if key == self._structure_key:
            return
        self._structure = self._structure_of(captured)
        if not captured.loss_reported:
            self._structure = dataclasses.replace(self._structure, loss=None)
        self._structure_key = key
        unknown = self._maps.unknown(self._structure)
        if unknown:
            self._warn(
                f"`map_layers` names {unknown}, which the model does not have; its layers "
                f"are {', '.join(layer.path for layer in self._structure.layers[:20])}."
            )
        if self._judge is not None:
            self._earlier.append(self._judge.health())
        self._judge = Judge(self._structure, self._thresholds)
        self._writer.write_structure(self._structure, captured.step)

    def _health(self) -> RunHealth:
        """Findings of all sets of variables."""
        now = RunHealth() if self._judge is None else self._judge.health()
        return joined([*self._earlier, now], (*self._notes, *self._replicas.notes))

    def _write_stock_histograms(self, weights: np.ndarray, counts: np.ndarray) -> None:
        """Histograms of the latest gradients that have them, and of the weights after ``_step``.

        Args:
            weights: float32 [variables, buckets, 3] of (left, right, count).
            counts: [variables, DEVICE_BINS].
        """
        captured, self._with_linear = self._with_linear, None
        if captured is None or captured.linear is None or self._structure is None:
            return
        paths = [v.path for v in self._structure.variables]
        gradients = captured.linear.copy()
        gradients[:, :, :2] /= captured.divisor[:, None, None]
        self._writer.write_weights(self._step, bins.fold(counts))
        self._writer.write_stock_histograms(captured.step, self._step, paths, gradients, weights)

    def _tell(self, finding: Finding) -> None:
        if callable(self._on_unhealthy):
            try:
                self._on_unhealthy(finding)
            except BaseException as error:  # the user's own, meant to be seen: let through
                self._users_error = error
                raise
        elif self._on_unhealthy != "ignore":
            # A finding that heals and comes back is no news.
            known = self._told.setdefault((finding.kind, finding.cause_id), set())
            news = not finding.layers or not known.issuperset(finding.layers)
            if news and self._place.rank == 0:
                _print(_message(finding, self._network_name))
            known.update(finding.layers)
            if self._on_unhealthy == "stop" and finding.severity == "critical":
                self._stop()

    def _switch_off(self, reason: str) -> None:
        self._off = True
        self._let_go()
        self._writer.close()
        name = type(self).__name__
        self._warn(f"{name} is off{self._while_off}; training goes on. {reason}")

    def _warn_of(self, what: str) -> None:
        self._warn(f"{type(self).__name__} {what}")

    def _warn(self, message: str) -> None:
        try:
            warnings.warn(message, RuntimeWarning, stacklevel=2)
        except RuntimeWarning:  # warnings are errors here, but training comes first
            print(f"RuntimeWarning: {message}", file=sys.stderr)


def _print(text: str) -> None:
    try:
        print(text, flush=True)
    except UnicodeEncodeError:  # a terminal that cannot show a layer's name
        print(text.encode("ascii", "replace").decode("ascii"), flush=True)


def _message(finding: Finding, network: str | None) -> str:
    where = finding.layers[0]
    if len(finding.layers) > 1:
        where += f" ... {finding.layers[-1]} ({len(finding.layers)} layers)"
    of = "" if network is None else f" of {network}"
    what = f"{finding.kind} ({finding.severity})"
    lines = [
        "",
        f"Gradients{of}: {what} in {where} since step {finding.since_step}",
        f"  {finding.cause}",
    ]
    if finding.remedies:
        lines.append(f"  Try: {finding.remedies[0].title}")
    return "\n".join(lines)


def _checked_log_dir(log_dir: Any) -> str:
    allowed = "must be a directory (str or os.PathLike), such as 'logs/run1' or 's3://bucket/run1'"
    if not isinstance(log_dir, (str, os.PathLike)):
        raise TypeError(f"`log_dir` (={log_dir!r}) {allowed}.")
    path = os.fspath(log_dir)
    if not isinstance(path, str) or not path or "\0" in path:
        raise ValueError(f"`log_dir` (={log_dir!r}) {allowed}.")
    if stores.is_url(path):
        try:
            stores.check(path)
        except (ImportError, ValueError) as error:
            raise type(error)(f"`log_dir`: {error}.") from error
    return path


def _checked_on_unhealthy(value: Any) -> OnUnhealthy:
    if not callable(value) and value not in ("warn", "stop", "ignore"):
        raise ValueError(
            f'`on_unhealthy` (={value!r}) must be "warn", "stop", "ignore" or a callable '
            "that takes a tb_gradplugin.Finding."
        )
    return value


def _checked_bool(name: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError(f"`{name}` (={value!r}) must be True or False.")
    return value


def _checked_names(name: str, value: Any) -> tuple[str, ...]:
    if not isinstance(value, (list, tuple)) or not all(isinstance(v, str) for v in value):
        raise TypeError(f"`{name}` (={value!r}) must be a list or tuple of layer paths (str).")
    return tuple(value)
