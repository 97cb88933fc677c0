"""The Keras callback that records every layer's gradients and says which layers are sick."""

from __future__ import annotations

import dataclasses
import functools
import os
import sys
import time
import warnings
import weakref
from collections.abc import Callable
from typing import Any, Literal

import keras

from tb_gradplugin import bins, stores
from tb_gradplugin.health.fitting import FitWatch
from tb_gradplugin.health.judge import Judge
from tb_gradplugin.health.report import Finding, HealthReport, Note, RunHealth, joined
from tb_gradplugin.health.thresholds import Thresholds
from tb_gradplugin.structure import ModelStructure

from .baseline import BaselineLoss
from .capture import Capture, Captured, create_capture, unsupported
from .describe import describe
from .map_keeper import MapKeeper
from .recording import learning_rate, probe_record, step_record
from .run_writer import RunWriter, as_number
from .schedule import AUTO_DENSE_STEPS, DENSE_HISTOGRAMS, ProbeSchedule, Schedule

NOTHING_SEEN = (
    "GradientMonitor saw no gradients: no optimizer that it knows was called in the train step. "
    "Name the optimizer in `optimizers=`; if the train step, or what it calls, is decorated with "
    "tf.function, remove the decorator (Keras compiles the train step itself)."
)
PENDING_STEPS, PENDING_SECONDS = 16, 0.25
"""Where every step is logged, steps that wait to be judged and written together, and how long the
first of them does: what runs once between two train steps finds its data and code no more in the
processor's caches, and takes two to three times as long as when it runs again at once.  The first
``AUTO_DENSE_STEPS`` do not wait."""
OnUnhealthy = Literal["warn", "stop", "ignore"] | Callable[[Finding], Any]


def _never_breaks_training(hook: Callable[..., None]) -> Callable[..., None]:
    """A fault of the monitor's own costs one warning and the monitor's output, never the run."""

    @functools.wraps(hook)
    def guarded(self: GradientMonitor, *args: Any, **kwargs: Any) -> None:
        if self._off:
            return
        try:
            hook(self, *args, **kwargs)
        except Exception as error:
            if error is self._users_error:
                raise
            self._switch_off(f"{type(error).__name__}: {error}")

    return guarded


class GradientMonitor(keras.callbacks.Callback):
    """Records per-layer gradients of the real train step and finds vanishing and exploding ones.

    ```python
    from tb_gradplugin.callbacks import GradientMonitor

    model.fit(x, y, epochs=10, callbacks=[GradientMonitor("logs/run1")])
    ```

    The gradients are those the optimizer receives, divided by the loss scale and before clipping.
    A step that is not logged runs the model's own compiled step unchanged. Weights after training
    are bit-identical with and without the monitor (XLA: up to rounding; README says what else).

    Args:
        log_dir: run directory, a local path or a URL that fsspec knows, such as
            ``s3://bucket/run1``; the monitor writes into ``<log_dir>/gradients`` only.
        update_freq: which train steps are logged: ``"auto"`` (every step up to 20, then every
            ``step // 20``, at most every 100), an int N (step 1 and every N-th after it) or
            ``"epoch"`` (the first step of every epoch).
        on_unhealthy: what happens when a finding opens: ``"warn"`` prints a message once,
            ``"stop"`` prints it and, if the finding is critical, ends training after the current
            step, ``"ignore"`` only records it, a callable is called with the ``Finding``.
        histograms: whether to write histograms of gradients and weights.
        updates: whether to record norms of weights and updates; costs a copy of the weights while
            a logged step runs if the optimizer does more than subtract from them (weight decay,
            moving averages, constraints). Without it findings that need them are not made.
        thresholds: numbers the rules compare with.
        optimizers: further optimizers whose gradients count, beside those that are attributes of
            the model.
        probe_freq: which steps are looked into as well: statistics of every layer's output, the
            gradient with respect to it, gradients through time of recurrent layers. ``"auto"``:
            the first logged step of a model and the next one after a finding opens, at most
            eight; an int N: these and every N-th train step (logged also if not due otherwise);
            None: no step. The first probe costs one more trace of the train step.
        map_layers: layers, by their path as the dashboard shows it, of whose kernels' gradients a
            picture is kept at ends of epochs, as it is of sick layers' also when a finding opens;
            at most eight pictures of 128 x 128 at a time and 8 MB a run.

    Raises:
        TypeError, ValueError: an argument is wrong; names it, its value and what is allowed.
        ImportError: ``log_dir`` is a URL that needs a package; names it.
        NotImplementedError: the Keras backend is not supported; names it.
    """

    async_safe = True  # no hook of ours needs Keras to wait for a step

    def __init__(
        self,
        log_dir: str | os.PathLike[str] = "logs",
        *,
        update_freq: str | int = "auto",
        on_unhealthy: OnUnhealthy = "warn",
        histograms: bool = True,
        updates: bool = True,
        thresholds: Thresholds | None = None,
        optimizers: tuple[keras.optimizers.Optimizer, ...] | list[keras.optimizers.Optimizer] = (),
        probe_freq: str | int | None = "auto",
        map_layers: tuple[str, ...] | list[str] = (),
    ):
        super().__init__()
        reason = unsupported()
        if reason:
            raise NotImplementedError(reason)
        self._log_dir = _checked_log_dir(log_dir)
        self._schedule = Schedule(update_freq)
        self._probes = ProbeSchedule(probe_freq)
        self._on_unhealthy = _checked_on_unhealthy(on_unhealthy)
        self._histograms = _checked_bool("histograms", histograms)
        self._updates = _checked_bool("updates", updates)
        if thresholds is not None and not isinstance(thresholds, Thresholds):
            raise TypeError(
                f"`thresholds` (={thresholds!r}) must be a tb_gradplugin.Thresholds or None."
            )
        self._thresholds = thresholds or Thresholds()
        self._optimizers = _checked_optimizers(optimizers)
        self._maps = MapKeeper(_checked_names("map_layers", map_layers))
        self._variables: list[Any] = []  # of the latest captured step
        self._fitted: keras.Model | None = None
        self._capture: Capture | None = None
        self._writer = RunWriter(stores.join(self._log_dir, "gradients"), self._warn)
        self._judge: Judge | None = None
        self._earlier: list[RunHealth] = []  # of fits with another set of trained variables
        self._fit = FitWatch()
        self._notes: tuple[Note, ...] = ()
        self._baseline = BaselineLoss(None)
        self._off = False
        self._begun = False
        self._step = 0  # last train step that was done
        self._epoch_start = 0  # train steps before the current epoch
        self._batch = -1  # of the current epoch, last begun
        self._points = 0
        self._log2_points = Schedule(max_interval=None, dense=DENSE_HISTOGRAMS)
        self._structure: ModelStructure | None = None
        self._structure_key: tuple[int, ...] | None = None
        self._with_linear: Captured | None = None
        self._epochs = 0
        self._stock_epochs = Schedule(max_interval=None)
        self._armed: int | None = None  # the step that is being captured
        self._pending: list[tuple[Captured, float]] = []  # to be judged; when they were collected
        self._told_of_nothing = False
        self._users_error: BaseException | None = None

    # Keras's hooks. `self.model` is never read in them: on JAX that property synchronises.

    def set_model(self, model: keras.Model) -> None:
        """Keras's hook: remembers the model."""
        super().set_model(model)
        if model is not self._fitted:
            self._fitted = model
            self._capture = None
            self._structure_key = None

    def on_train_begin(self, logs: Any = None) -> None:
        """Keras's hook: a fit starts."""
        self._off = False
        self._begun = False

    @_never_breaks_training
    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Keras's hook: a new count of batches starts."""
        if not self._begun:  # not earlier: other callbacks restore weights in on_train_begin
            self._begin_fit()
        self._epoch_start = self._step
        self._batch = -1
        self._schedule.begin_epoch(self._epoch_start + 1)

    def _note_fit(self, logs: dict[str, Any]) -> None:
        self._fit.observe(self._step, as_number(logs.get("loss")), as_number(logs.get("val_loss")))
        notes = self._fit.notes(self._baseline.latest)
        if notes != self._notes:
            self._notes = notes
            self._writer.write_health(self._step, self._health())

    def _begin_fit(self) -> None:
        self._begun = True
        model = self._fitted
        assert model is not None
        if _claimed_by_another(model, self, self.params):
            raise RuntimeError("another GradientMonitor already watches this fit; one is enough")
        if self._capture is None:
            self._capture = create_capture(
                model, self._optimizers, updates=self._updates, histograms=self._histograms
            )
        self._capture.disarm()
        self._collect()
        iterations = getattr(getattr(model, "optimizer", None), "iterations", None)
        done = 0 if iterations is None else int(iterations)
        if self._structure_key is None:  # a new model: its own count of steps
            self._step = done
            self._judge = None
            self._earlier = []
            self._fit, self._notes = FitWatch(), ()
            self._probes.begin(done + 1)
        else:
            self._step = max(self._step, done)
        self._baseline = BaselineLoss(model.loss)
        self._schedule.begin(self._step + 1)
        self._writer.begin(self._step + 1)

    @_never_breaks_training
    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        """Keras's hook: reads what the last logged step left, and prepares this one if due."""
        model, capture = self._fitted, self._capture
        assert model is not None
        assert capture is not None
        if batch == self._batch:
            return  # the monitor is listed twice
        self._batch = batch
        last = batch + model.steps_per_execution
        steps = (self.params or {}).get("steps")
        if steps:
            last = min(last, steps)
        step = self._epoch_start + last
        self._collect(may_wait=True)
        logged = self._schedule.due(step)
        probe = self._probes.due(step, logged=logged)
        if logged or probe:
            self._schedule.logged(step)
            self._points += 1
            log2 = self._histograms and self._log2_points.due(self._points)
            if log2:
                self._log2_points.logged(self._points)
            # For the epoch's standard histograms the last logged step of the epoch will do.
            ends = not steps or self._schedule.next_step > self._epoch_start + steps
            ends = ends and self._stock_epochs.due(self._epochs + 1)
            maps: list[Any] = []
            if (ends or self._maps.asked) and self._structure is not None:
                rows = self._maps.wanted(self._structure, self._health())
                maps = [self._variables[row] for row in rows]
            linear = self._histograms and ends
            capture.arm(step, log2=log2, linear=linear, probe=probe, maps=maps)
            self._armed = step
            if probe:
                self._probes.probed(step)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Keras's hook: counts the step as done; at an epoch's end one may begin and find no data.

        ``batch`` is the last of an execution; Keras does not clamp a partial one.
        """
        steps = (self.params or {}).get("steps")
        done = batch + 1
        self._step = self._epoch_start + (min(done, steps) if steps else done)

    @_never_breaks_training
    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Keras's hook: standard scalars and histograms for TensorBoard's own tabs."""
        if self._armed is not None and self._armed > self._step:
            # It began, found the data at an end and never ran: it is still to come.
            self._schedule.begin(self._step + 1)
        self._collect()
        self._writer.write_epoch(self._step, logs or {}, learning_rate(self._fitted))
        self._note_fit(logs or {})
        self._epochs += 1
        if self._with_linear is not None or self._maps.holds:
            self._stock_epochs.logged(self._epochs)
        self._write_maps()
        self._write_stock_histograms()

    @_never_breaks_training
    def on_train_end(self, logs: Any = None) -> None:
        """Keras's hook: closes the event file."""
        self._collect()
        if self._capture is not None:
            self._capture.disarm()
        self._writer.close()

    # What users call.

    def report(self) -> HealthReport:
        """The findings so far, under the last part of ``log_dir`` as the run's name."""
        self._catch_up()
        name = os.path.basename(os.path.abspath(self._log_dir))
        return HealthReport({name: self._health()})

    # The flow of a logged step: collect, then record -> judge -> write -> tell, soon or at once.

    @_never_breaks_training
    def _catch_up(self) -> None:
        self._collect()

    def _collect(self, *, may_wait: bool = False) -> None:
        """Takes what the last logged step left; what is pending may go on to be so, or not."""
        capture = self._capture
        if capture is not None and self._armed is not None:
            self._armed = None
            captured = capture.collect()
            if captured is not None:
                self._pending.append((captured, time.time()))
            elif capture.failure is None and self._structure is None and not self._told_of_nothing:
                self._told_of_nothing = True
                self._warn(NOTHING_SEEN)
        if self._pending and not (may_wait and self._may_wait()):
            self._judge_pending()
        if capture is not None and capture.failure is not None:
            raise capture.failure

    def _may_wait(self) -> bool:
        """Whether nobody would miss what the pending steps tell, yet."""
        captured, now = self._pending[-1]
        return (
            self._schedule.every_step
            and self._points > AUTO_DENSE_STEPS
            and self._on_unhealthy in ("warn", "ignore")
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
        record = step_record(captured, self._fitted, self._baseline, wall_time)
        self._describe(captured)
        judge = self._judge
        assert judge is not None
        self._take_probe(captured, judge)
        opened = judge.observe(record)
        if opened:
            self._probes.ask()
            self._maps.ask()
        self._writer.write_step(record, self._health())
        self._variables = captured.variables
        if self._maps.note(captured):
            self._write_maps()
        if captured.linear is not None:
            self._with_linear = captured
        return opened

    def _write_maps(self) -> None:
        step, maps = self._maps.take(self._variables)
        for row, picture in maps.items():
            assert self._structure is not None
            self._writer.write_map(step, self._structure.variables[row].path, row, picture)

    def _describe(self, captured: Captured) -> None:
        key = tuple(id(v) for v in captured.variables)
        if key == self._structure_key:
            return
        assert self._fitted is not None
        assert self._capture is not None
        self._structure = describe(self._fitted, captured.variables, self._capture.call_order)
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
        """Findings of all fits."""
        now = RunHealth() if self._judge is None else self._judge.health()
        return joined([*self._earlier, now], self._notes)

    def _take_probe(self, captured: Captured, judge: Judge) -> None:
        """Hands on what was seen inside the step; a fault costs the probes, nothing else."""
        if not self._probes.on:
            return
        capture = self._capture
        assert capture is not None
        assert self._fitted is not None
        assert self._structure is not None
        try:
            if capture.probe_failure is not None:
                raise capture.probe_failure
            probe = probe_record(
                captured, self._fitted, capture.call_order, len(self._structure.layers)
            )
            if probe is not None:
                judge.observe_probe(probe)
                self._writer.write_probe(probe)
        except Exception as error:
            self._probes.stop()
            self._warn(
                "GradientMonitor probes no further steps; training and all else go on. "
                f"{type(error).__name__}: {error}"
            )

    def _write_stock_histograms(self) -> None:
        if self._with_linear is None or self._structure is None or self._capture is None:
            return
        captured, self._with_linear = self._with_linear, None
        assert captured.linear is not None
        paths = [v.path for v in self._structure.variables]
        gradients = captured.linear.copy()
        gradients[:, :, :2] /= captured.scale[:, None, None]
        weights = self._capture.weight_histograms(captured.variables)
        counts = self._capture.weight_counts(captured.variables)
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
            _print(_message(finding))
            if self._on_unhealthy == "stop" and finding.severity == "critical":
                assert self._fitted is not None
                self._fitted.stop_training = True

    def _switch_off(self, reason: str) -> None:
        self._off = True
        if self._capture is not None:
            self._capture.disarm()
        self._writer.close()
        self._warn(f"GradientMonitor is off for this fit; training goes on. {reason}")

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


def _message(finding: Finding) -> str:
    where = finding.layers[0]
    if len(finding.layers) > 1:
        where += f" ... {finding.layers[-1]} ({len(finding.layers)} layers)"
    what = f"{finding.kind} ({finding.severity})"
    lines = [
        "",
        f"Gradients: {what} in {where} since step {finding.since_step}",
        f"  {finding.cause}",
    ]
    if finding.remedies:
        lines.append(f"  Try: {finding.remedies[0].title}")
    return "\n".join(lines)


_claims: weakref.WeakKeyDictionary[Any, tuple[Any, int]] = weakref.WeakKeyDictionary()


def _claimed_by_another(model: keras.Model, monitor: GradientMonitor, params: Any) -> bool:
    """Whether another monitor than ``monitor`` already watches ``model`` in this very fit.

    Keras hands all callbacks of one fit the same ``params`` object, so that a claim left by an
    earlier fit, also one that ended in an exception, is told from one of this fit.
    """
    claim = _claims.get(model)
    if claim is not None and claim[0] is params and claim[1] != id(monitor):
        return True
    _claims[model] = (params, id(monitor))
    return False


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


def _checked_optimizers(value: Any) -> tuple[keras.optimizers.Optimizer, ...]:
    if not isinstance(value, (list, tuple)) or not all(
        isinstance(o, keras.optimizers.Optimizer) for o in value
    ):
        raise TypeError(
            f"`optimizers` (={value!r}) must be a list or tuple of keras.optimizers.Optimizer."
        )
    return tuple(value)
