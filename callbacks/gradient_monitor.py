"""The Keras callback that records every layer's gradients and says which layers are sick."""

from __future__ import annotations

import math
import os
import time
import weakref
from typing import Any

import keras

from tb_gradplugin.health.fitting import FitWatch
from tb_gradplugin.health.judge import Judge
from tb_gradplugin.health.replicas import ReplicaWatch
from tb_gradplugin.health.thresholds import Thresholds
from tb_gradplugin.records import StepRecord
from tb_gradplugin.structure import ModelStructure

from .baseline import BaselineLoss
from .capture import Capture, create_capture, unsupported
from .captured import Captured
from .describe import describe
from .processes import place
from .recording import learning_rate, probe_record, step_record
from .run_watcher import OnUnhealthy, RunWatcher, never_breaks_training
from .run_writer import as_number
from .schedule import ProbeSchedule, Schedule

NOTHING_SEEN = (
    "GradientMonitor saw no gradients: no optimizer that it knows was called in the train step. "
    "Name the optimizer in `optimizers=`; if the train step, or what it calls, is decorated with "
    "tf.function, remove the decorator (Keras compiles the train step itself)."
)


class GradientMonitor(RunWatcher, keras.callbacks.Callback):
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
        histograms: whether to write histograms of gradients and weights, and of layers' outputs in
            steps that are looked into.
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
            None: no step. On TensorFlow the first probe costs one more trace of the train step; on
            JAX too, and each one a second run of the step before the step itself.
        map_layers: layers, by their path as the dashboard shows it, of whose kernels' gradients a
            picture is kept at ends of epochs, as it is of sick layers' also when a finding opens;
            at most eight pictures of 128 x 128 at a time and 8 MB a run.

    Raises:
        TypeError, ValueError: an argument is wrong; names it, its value and what is allowed.
        ImportError: ``log_dir`` is a URL that needs a package; names it.
        NotImplementedError: the Keras backend is not supported; names it.
    """

    _while_off = " for this fit"
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
        super().__init__(
            log_dir,
            update_freq=update_freq,
            on_unhealthy=on_unhealthy,
            histograms=histograms,
            updates=updates,
            thresholds=thresholds,
            map_layers=map_layers,
        )
        reason = unsupported()
        if reason:
            raise NotImplementedError(reason)
        self._probes = ProbeSchedule(probe_freq)
        self._optimizers = _checked_optimizers(optimizers)
        self._fitted: keras.Model | None = None
        self._capture: Capture | None = None
        self._fit = FitWatch()
        self._baseline = BaselineLoss(None)
        self._begun = False
        self._epoch_start = 0  # train steps before the current epoch
        self._batch = -1  # of the current epoch, last begun
        self._epochs = 0
        self._stock_epochs = Schedule(max_interval=None)
        self._armed: int | None = None  # the step that is being captured
        self._told_of_nothing = False

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

    @never_breaks_training
    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Keras's hook: a new count of batches starts."""
        if not self._begun:  # not earlier: other callbacks restore weights in on_train_begin
            self._begin_fit()
        self._epoch_start = self._step
        self._batch = -1
        self._schedule.begin_epoch(self._epoch_start + 1)

    def _note_fit(self, logs: dict[str, Any]) -> None:
        held = as_number(logs.get("val_loss"))
        self._fit.observe(self._step, as_number(logs.get("loss")), held)
        if self._judge is not None and math.isfinite(held):
            self._judge.observe_validation(self._step, held)
            self._writer.write_validation(self._step, held)
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
        done = 0 if iterations is None else int(iterations.numpy())
        if self._structure_key is None:  # a new model: its own count of steps
            self._step = done
            self._judge = None
            self._earlier = []
            self._fit, self._notes = FitWatch(), ()
            self._replicas = ReplicaWatch(self._thresholds)
            self._probes.begin(done + 1)
        else:
            self._step = max(self._step, done)
        self._before = self._step
        self._baseline = BaselineLoss(model.loss)
        self._schedule.begin(self._step + 1)
        self._take_place(place(keras.backend.backend()))
        self._writer.begin(self._step + 1)

    @never_breaks_training
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
            log2 = self._log2_wanted()
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

    @never_breaks_training
    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Keras's hook: standard scalars and histograms for TensorBoard's own tabs."""
        if self._armed is not None and self._armed > self._step:
            # It began, found the data at an end and never ran: it is still to come.
            self._schedule.begin(self._step + 1)
        self._collect()
        self._writer.write_epoch(self._step, logs or {}, learning_rate(_optimizer_of(self._fitted)))
        self._note_fit(logs or {})
        self._epochs += 1
        if self._with_linear is not None or self._maps.holds:
            self._stock_epochs.logged(self._epochs)
        self._write_maps()
        self._write_histograms()

    @never_breaks_training
    def on_train_end(self, logs: Any = None) -> None:
        """Keras's hook: what is clear at the end, and the event file is closed."""
        self._collect()
        if self._capture is not None:
            self._capture.disarm()
        try:
            self._end_fit()
        finally:  # the user's own callable may raise
            self._writer.close()

    # What ``RunWatcher`` asks for.

    @never_breaks_training
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

    def _record(self, captured: Captured, wall_time: float) -> StepRecord:
        baseline_loss = self._baseline.update(captured.labels)
        in_parts = captured.replicas is not None  # as Keras has it
        return step_record(
            captured,
            _optimizer_of(self._fitted),
            baseline_loss,
            wall_time,
            clipped_in_parts=in_parts,
        )

    def _structure_of(self, captured: Captured) -> ModelStructure:
        assert self._fitted is not None
        assert self._capture is not None
        return describe(self._fitted, captured.variables, self._capture.call_order)

    def _opened(self) -> None:
        super()._opened()
        self._probes.ask()

    def _stop(self) -> None:
        assert self._fitted is not None
        self._fitted.stop_training = True

    def _let_go(self) -> None:
        if self._capture is not None:
            self._capture.disarm()

    def _look_inside(self, captured: Captured, judge: Judge) -> None:
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

    def _write_histograms(self) -> None:
        if self._with_linear is not None and self._capture is not None:
            variables = self._with_linear.variables
            self._write_stock_histograms(
                self._capture.weight_histograms(variables), self._capture.weight_counts(variables)
            )


def _optimizer_of(model: Any) -> Any:
    return getattr(model, "optimizer", None)


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


def _checked_optimizers(value: Any) -> tuple[keras.optimizers.Optimizer, ...]:
    if not isinstance(value, (list, tuple)) or not all(
        isinstance(o, keras.optimizers.Optimizer) for o in value
    ):
        raise TypeError(
            f"`optimizers` (={value!r}) must be a list or tuple of keras.optimizers.Optimizer."
        )
    return tuple(value)
