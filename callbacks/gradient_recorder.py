"""Records the gradients of training loops without ``fit``."""

from __future__ import annotations

import dataclasses
import math
import os
import time
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from tb_gradplugin.gradient_map import GradientMap, reduced
from tb_gradplugin.health.thresholds import Thresholds
from tb_gradplugin.records import StepRecord
from tb_gradplugin.structure import ModelStructure

from .captured import Captured, picturable, shortest
from .loose_gradients import NORMS, Meter, create_meter
from .networks import Given, create_network
from .processes import find_peers, place
from .recording import UNKNOWN, innermost, learning_rate, step_record
from .run_watcher import OnUnhealthy, RunWatcher, never_breaks_training

WEIGHT, UPDATE = NORMS
INSIDE = (
    "`record` is called inside a function that is being compiled (tf.function, jax.jit), where "
    "gradients have no values: return the gradients from that function and record them outside."
)


class _Held(NamedTuple):
    """A logged step whose update is still to come: when it was, and the weights before it."""

    captured: Captured
    wall_time: float
    given: Given
    old: list[Any] | None


class GradientRecorder(RunWatcher):
    """Records per-layer gradients of a training loop of your own and finds sick layers.

    ```python
    from tb_gradplugin import GradientRecorder

    with GradientRecorder("logs/run1", model, optimizer=optimizer) as recorder:
        for step, (x, y) in enumerate(batches, start=1):
            with tf.GradientTape() as tape:
                loss = loss_of(y, model(x, training=True))
            gradients = tape.gradient(loss, model.trainable_variables)
            recorder.record(gradients, model.trainable_variables, step=step, loss=loss)
            optimizer.apply(gradients, model.trainable_variables)
    print(recorder.report().verdict)
    ```

    Also for ``jax.grad``, for ``loss.backward()`` and for networks that Keras does not know
    (``docs/recorder.md``). Files, rules and report are those of ``GradientMonitor``.

    Args:
        log_dir: run directory; the recorder writes into ``<log_dir>/gradients`` only, or with a
            ``name`` into ``<log_dir>/<name>/gradients``.
        model: a ``keras.Model``, a ``torch.nn.Module`` (either in ``DistributedDataParallel``), or
            None for parameters in a tree of JAX arrays.
        name: of the network, where a loop trains several: each has a recorder of its own.
        optimizer: tells its name and learning rate: one of Keras or of PyTorch, or a name. None:
            that of a compiled Keras model.
        loss_name: of the loss, such as ``"cross_entropy"`` or ``"mse"``. Where it compares with
            labels, so that it has to fall, ``slow`` and ``stalled`` are looked for too. None: that
            of a compiled Keras model.
        update_freq: which steps are logged: ``"auto"`` (every step up to 20, then every
            ``step // 20``, at most every 100) or an int N (step 1 and every N-th after it).
        on_unhealthy: what happens when a finding opens: ``"warn"`` prints a message once,
            ``"stop"`` also sets ``stop_training`` if the finding is critical, ``"ignore"`` only
            records it, a callable is called with the ``Finding``.
        histograms: whether to write histograms of gradients and weights.
        updates: whether to record norms of weights and updates; costs a copy of the weights from a
            logged step to the next.
        thresholds: numbers the rules compare with.
        map_layers: layers, by their path as the dashboard shows it, of whose kernels' gradients
            pictures are kept, as they are of sick layers.

    Attributes:
        stop_training: whether a critical finding opened under ``on_unhealthy="stop"``; of several
            processes the first alone knows, but on JAX all do.

    Raises:
        TypeError, ValueError: an argument is wrong; names it, its value and what is allowed.
    """

    def __init__(
        self,
        log_dir: str | os.PathLike[str] = "logs",
        model: Any = None,
        *,
        name: str | None = None,
        optimizer: Any = None,
        loss_name: str | None = None,
        update_freq: str | int = "auto",
        on_unhealthy: OnUnhealthy = "warn",
        histograms: bool = True,
        updates: bool = True,
        thresholds: Thresholds | None = None,
        map_layers: tuple[str, ...] | list[str] = (),
    ):
        if update_freq == "epoch":
            raise ValueError(
                "`update_freq` (='epoch') needs epochs, which a recorder does not know: give "
                '"auto" or an int >= 1 (log every N-th step).'
            )
        super().__init__(
            log_dir,
            update_freq=update_freq,
            on_unhealthy=on_unhealthy,
            histograms=histograms,
            updates=updates,
            thresholds=thresholds,
            map_layers=map_layers,
            network=name if name is None else _checked_name(name),
        )
        if loss_name is not None and not isinstance(loss_name, str):
            raise TypeError(f"`loss_name` (={loss_name!r}) must be a str, such as 'mse', or None.")
        self.stop_training = False
        self._network = create_network(model)
        self._peers = find_peers(model, name, self._warn_of)
        self._optimizer = self._network.optimizer if optimizer is None else optimizer
        self._loss_name = loss_name
        self._meter: Meter | None = None
        self._held: _Held | None = None
        self._begun = False
        self._last: list[Any] = []  # variables of the latest logged call
        self._calls_with_last = 0

    def __enter__(self) -> GradientRecorder:
        """Starts, or goes on."""
        self._off = False
        self._peers.listen()
        return self

    def __exit__(self, *exception: Any) -> None:
        """Takes in the last step and closes the event file."""
        self.close()

    def due(self, step: int) -> bool:
        """Whether ``record`` would log ``step``: for loops that compile a step with gradients."""
        return not self._off and (not self._begun or self._schedule.due(step))

    def record(
        self,
        gradients: Any = None,
        variables: Any = None,
        *,
        step: Any = None,
        loss: Any = None,
        learning_rate: Any = None,
        loss_scale: Any = 1.0,
        metrics: Mapping[str, Any] | None = None,
    ) -> None:
        """One train step, between computing the gradients and applying them.

        What changes the variables until the next call is the step's update, which is measured
        there: a logged step is judged and written one call later, or at the end. A step that is
        not due returns at once.

        Args:
            gradients: one for each variable, None for one that has none; averaged and before
                clipping if what is shown is to be what the loss produced. None: the ``.grad`` of a
                ``torch.nn.Module``'s parameters.
            variables: that the gradients belong to, before the update: variables of the model, on
                JAX the arrays that stand for all of them, or a tree like ``gradients``. None: all
                trainable ones of the model (not on JAX).
            step: number of the train step, larger than that of the last call; None: one more.
            loss: of the batch, without loss scaling; a number or a tensor with one element.
            learning_rate: where ``optimizer`` does not tell it.
            loss_scale: factor by which loss and gradients are multiplied against underflow.
            metrics: further numbers to write as scalars, by name; ``batch_`` is put before it.

        Raises:
            TypeError, ValueError: an argument does not fit; names it and what to do. Looked for on
                the first call and on logged steps.
            RuntimeError: the call is inside a function that is being compiled.
        """
        if self._off:
            return
        last, step = self._step, self._next_step(step)
        due = not self._begun or self._schedule.due(step)
        self._peers.heard()
        if due or self._held is not None:
            given = self._network.given(variables)
            self._finish(given)
            if due:
                found = _fitting(self._network.gradients(gradients, given), given)
                self._meter = self._meter or create_meter(self._network.framework)
                if any(g is not None and self._meter.is_traced(g) for g in found):
                    raise RuntimeError(INSIDE)
                self._check_network(given, step)
                numbers = {
                    "loss": _scalar("loss", loss),
                    "learning_rate": _scalar("learning_rate", learning_rate),
                    "loss_scale": _scalar("loss_scale", loss_scale),
                }
                if not numbers["loss_scale"] > 0.0:
                    raise ValueError(f"`loss_scale` (={loss_scale!r}) must be larger than 0.")
                self._peers.tell(step, numbers["loss_scale"])
                self._log(step, found, given, numbers, _checked_metrics(metrics), loss is not None)
        if self._schedule.due(2 * step - last):  # the next one, if steps go on as they did
            self._peers.listen()
        self._step = step

    def close(self) -> None:
        """Takes in the last step and closes the event file; a further ``record`` opens another."""
        try:
            self._end()
        finally:  # the user's own callable may raise
            self._peers.heard()
            self._writer.close()

    # Steps.

    def _next_step(self, step: Any) -> int:
        if step is None:
            return self._step + 1
        number = step if type(step) is int else _whole("step", step)
        if self._begun and number <= self._step:
            raise ValueError(
                f"`step` (={number}) must be larger than that of the last call (={self._step}). "
                "Gradients of one step go into one call; a loop that trains several networks has "
                "one GradientRecorder for each, told apart by `name=`."
            )
        if number < 0:
            raise ValueError(f"`step` (={number}) must not be negative.")
        return number

    def _check_network(self, given: Given, step: int) -> None:
        """Refuses a loop that records several networks in turn as if they were one."""
        same = len(self._last) == len(given.variables)
        same = same and all(a is b for a, b in zip(self._last, given.variables, strict=True))
        if not same and self._calls_with_last == 1:
            raise ValueError(
                f"`variables` of step {step} are others than those of the logged step before, "
                f"which was the first with these ({len(given.variables)} and {len(self._last)} "
                "variables). A recorder watches one network: make one GradientRecorder for each, "
                "told apart by `name=`."
            )
        self._calls_with_last = self._calls_with_last + 1 if same else 1
        self._last = given.variables

    @never_breaks_training
    def _log(
        self,
        step: int,
        gradients: list[Any],
        given: Given,
        numbers: dict[str, float],
        metrics: dict[str, float],
        loss_told: bool,
    ) -> None:
        meter = self._meter
        assert meter is not None
        if not self._begun:
            self._schedule.begin(step)
            self._take_place(place(self._network.framework, self._peers.group, given.values))
            self._writer.begin(step)
            self._begun = True
            self._before = step - 1
        if not self._schedule.due(step):  # the first call of an "every N-th step"
            return
        self._schedule.logged(step)
        if self._network.framework != "jax" and self._place.rank > 0:
            return  # the first process has the same gradients; on JAX all run the same programs
        histograms = self._log2_wanted()
        measured = meter.measured(gradients, histograms=histograms)
        if self._updates:
            present = [i for i, g in enumerate(gradients) if g is not None]
            measured.table[present, WEIGHT] = meter.norms(given.values)[present]
        rate = numbers["learning_rate"]
        if math.isnan(rate):
            rate = self._rate()
        captured = Captured(
            step=step,
            variables=given.variables,
            statistics=measured.table,
            scale=np.full(len(gradients), numbers["loss_scale"]),
            learning_rate=rate,
            loss=numbers["loss"],
            data_loss=math.nan,
            loss_reported=loss_told,
            labels=None,
            counts=measured.counts,
            linear=measured.linear,
            maps=self._pictures(gradients, histograms, meter),
        )
        numbers = {**metrics, "learning_rate": rate}
        self._writer.write_scalars(step, {f"batch_{name}": v for name, v in numbers.items()})
        old = meter.copies(given.values) if self._updates else None
        self._held = _Held(captured, time.time(), given, old)

    def _rate(self) -> float:
        return shortest(learning_rate(self._optimizer))

    def _pictures(
        self, gradients: list[Any], histograms: bool, meter: Meter
    ) -> dict[int, GradientMap]:
        """With the histograms, and once a finding opened."""
        if self._structure is None or not (histograms or self._maps.asked):
            return {}
        pictures = {}
        for row in self._maps.wanted(self._structure, self._health()):
            gradient = gradients[row]
            if gradient is not None and picturable(gradient):
                array = meter.picture(gradient)
                if array is not None:
                    pictures[row] = reduced(array)
        return pictures

    @never_breaks_training
    def _finish(self, now: Given | None) -> None:
        """Measures the update of the step that is held, and passes it on.

        Args:
            now: the variables of the next call; None: there is none yet.
        """
        held, self._held = self._held, None
        if held is None:
            return
        meter, captured = self._meter, held.captured
        assert meter is not None
        values = None
        if held.given.live:
            values = self._network.values(held.given.variables)
        elif now is not None and now.variables == held.given.variables:
            values = now.values
        if values is not None and held.old is not None:
            present = ~np.isnan(captured.statistics[:, 0])
            captured.statistics[present, UPDATE] = meter.changes(held.old, values)[present]
        captured.replicas = self._peers.told(captured.step)
        self._pending.append((captured, held.wall_time))
        if not self._may_wait() or captured.linear is not None:
            self._judge_pending()
        if self._maps.holds:
            self._write_maps()
        if self._with_linear is not None and values is not None:
            self._write_stock_histograms(*meter.histograms(values))

    @never_breaks_training
    def _catch_up(self) -> None:
        """A step whose update is not to be seen yet stays where it is."""
        held, meter = self._held, self._meter
        if held is not None and meter is not None and held.old is not None and held.given.live:
            values = self._network.values(held.given.variables)
            if np.any(meter.changes(held.old, values) != 0.0):
                self._finish(None)
        self._judge_pending()

    @never_breaks_training
    def _end(self) -> None:
        self._finish(None)
        self._judge_pending()
        self._end_fit()

    # What ``RunWatcher`` asks for.

    def _record(self, captured: Captured, wall_time: float) -> StepRecord:
        optimizer = UNKNOWN if self._optimizer is None else self._optimizer
        return step_record(captured, optimizer, math.nan, wall_time)

    def _structure_of(self, captured: Captured) -> ModelStructure:
        structure = self._network.describe(captured.variables)
        if self._loss_name is not None:
            structure = dataclasses.replace(structure, loss=self._loss_name)
        if self._optimizer is not None:
            named = isinstance(self._optimizer, str)
            optimizer = self._optimizer if named else type(innermost(self._optimizer)).__name__
            structure = dataclasses.replace(structure, optimizer=optimizer)
        return structure

    def _stop(self) -> None:
        self.stop_training = True

    def _let_go(self) -> None:
        self._held = None
        self._pending = []
        self._peers.heard()


def _fitting(gradients: list[Any], given: Given) -> list[Any]:
    """``gradients``, checked against the variables.

    Raises:
        TypeError, ValueError: they do not fit; says which and what to do.
        RuntimeError: they have no values.
    """
    count = len(given.variables)
    if len(gradients) != count:
        raise ValueError(
            f"`gradients` (={len(gradients)}) must be as many as `variables` (={count}), one for "
            "each in the same order; None for a variable that has none."
        )
    for index, (gradient, value) in enumerate(zip(gradients, given.values, strict=True)):
        if gradient is None:
            continue
        if not hasattr(gradient, "shape") or not hasattr(gradient, "dtype"):
            raise TypeError(f"`gradients[{index}]` (={gradient!r}) must be a tensor or None.")
        if tuple(gradient.shape) != tuple(value.shape):
            raise ValueError(
                f"`gradients[{index}]` (of shape {tuple(gradient.shape)}) must have the shape of "
                f"its variable, {tuple(value.shape)}: `gradients` and `variables` are in the same "
                "order."
            )
    if all(gradient is None for gradient in gradients):
        raise ValueError(
            "`gradients` (all None) has no gradient: call `record` between computing gradients "
            "and applying them (PyTorch: behind backward(), before zero_grad())."
        )
    return gradients


def _whole(name: str, value: Any) -> int:
    """A whole number of any kind but a bool."""
    try:
        number = int(value)
        if isinstance(value, bool) or number != value:
            raise ValueError
    except (TypeError, ValueError) as error:
        raise TypeError(f"`{name}` (={value!r}) must be a whole number or None.") from error
    return number


def _scalar(name: str, value: Any) -> float:
    """A number or a tensor with one element as a float; NaN for None."""
    if value is None:
        return math.nan
    try:
        return float(value.detach() if hasattr(value, "detach") else value)
    except (TypeError, ValueError, RuntimeError) as error:
        raise TypeError(
            f"`{name}` (={value!r}) must be a number or a tensor with one element, with a value: "
            "`record` is called outside of functions that are compiled."
        ) from error


def _checked_metrics(metrics: Any) -> dict[str, float]:
    if metrics is None:
        return {}
    if not isinstance(metrics, Mapping) or not all(isinstance(name, str) for name in metrics):
        raise TypeError(f"`metrics` (={metrics!r}) must be a dict from names to numbers.")
    for name in ("loss", "learning_rate"):
        if name in metrics:
            raise ValueError(f"`metrics` (with {name!r}) has a name of its own: give `{name}=`.")
    return {name: _scalar(f"metrics[{name!r}]", value) for name, value in metrics.items()}


def _checked_name(name: Any) -> str:
    allowed = "must be one part of a path, such as 'generator', or None"
    if not isinstance(name, str):
        raise TypeError(f"`name` (={name!r}) {allowed}.")
    if name in ("", ".", "..") or any(c in name for c in "/\\\0"):
        raise ValueError(f"`name` (={name!r}) {allowed}.")
    return name
