"""Check before training: a few train steps on one batch, judged, and taken back."""

from __future__ import annotations

import contextlib
import random
import time
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np
from keras.src.backend.common import global_state

from tb_gradplugin.callbacks.baseline import BaselineLoss
from tb_gradplugin.callbacks.capture import Capture, create_capture, find_optimizers
from tb_gradplugin.callbacks.describe import describe
from tb_gradplugin.callbacks.recording import probe_record, step_record
from tb_gradplugin.health.judge import Judge
from tb_gradplugin.health.probe_report import ProbeReport
from tb_gradplugin.health.report import HealthReport
from tb_gradplugin.health.thresholds import Thresholds

RUN = "preflight"
"""Name of the run in the report."""
_GLOBAL_SEEDS = "global_seed_generator"


def preflight(
    model: keras.Model,
    x: Any,
    y: Any,
    *,
    sample_weight: Any = None,
    steps: int = 30,
    thresholds: Thresholds | None = None,
) -> HealthReport:
    """Findings before training: real train steps on one batch, which are then taken back.

    ```python
    report = tb_gradplugin.preflight(model, x[:64], y[:64])
    print(report.verdict)
    ```

    Weights, optimizer state, metrics, batch statistics and random states (those of Keras, Python,
    NumPy and PyTorch) are afterwards what they were before, also if a step raises. A model that is
    not built yet gets built on ``x`` and stays so, and so do its metrics and loss: on JAX and
    PyTorch the first ``fit`` of a new model then shuffles otherwise, as it need not draw a batch to
    build them.

    Args:
        model: compiled.
        x: inputs of one batch, as large as in training: an array or tensor, or a list, tuple or
            dict of these, as for ``model.train_on_batch``.
        y: targets of the batch.
        sample_weight: weights of its samples.
        steps: train steps. Most rules judge from step ``Thresholds.settle_step`` (20) on and open
            a finding after ``hold_points`` (3) in a row.
        thresholds: numbers the rules compare with.

    Returns:
        the report of one run, ``"preflight"``; ``report.probes["preflight"]`` holds what the first
        step showed: of each layer its output's statistics and the gradient that reaches it,
        through time for recurrent layers.

    Raises:
        TypeError, ValueError: an argument is wrong; names it and what is allowed.
        NotImplementedError: the way of training is not supported (several devices on TensorFlow,
            ``jit_compile=True`` on PyTorch, Flax's nnx mode on JAX).
        RuntimeError: no gradient was seen.
    """
    _check(model, x, y, sample_weight, steps, thresholds)
    capture = create_capture(model, (), updates=True, histograms=False, exact_probe=False)
    if capture.probe_failure is not None:
        raise capture.probe_failure
    batch = (x, y, sample_weight)
    if not all(layer.built for layer in model._flatten_layers()):
        model._symbolic_build(data_batch=batch)
    optimizer = model.optimizer
    if optimizer is not None and not optimizer.built:
        optimizer.build(model.trainable_variables)
    with _restored(model):
        return _run(model, capture, batch, steps, thresholds or Thresholds())


def _run(
    model: Any, capture: Capture, batch: tuple[Any, Any, Any], steps: int, t: Thresholds
) -> HealthReport:
    baseline = BaselineLoss(model.loss)
    judge: Judge | None = None
    probes: dict[str, ProbeReport] = {}
    try:
        model.make_train_function()
        for step in range(1, steps + 1):
            # On TensorFlow every step runs the function that probes: a second trace takes longer.
            look = judge is None or keras.backend.backend() == "tensorflow"
            capture.arm(step, log2=False, linear=False, probe=look)
            model.train_on_batch(*batch)
            captured = capture.collect()
            if capture.failure is not None:
                raise RuntimeError("preflight cannot watch this model") from capture.failure
            if captured is None:
                continue
            if judge is None:
                structure = describe(model, captured.variables, capture.call_order)
                judge = Judge(structure, t)
                probe = probe_record(
                    captured, model, capture.call_order, len(structure.layers), step=0
                )
                if probe is not None:
                    judge.observe_probe(probe)
                    probes[RUN] = ProbeReport(tuple(x.path for x in structure.layers), probe)
            baseline_loss = baseline.update(captured.labels)
            judge.observe(step_record(captured, model.optimizer, baseline_loss, time.time()))
    finally:
        capture.disarm()
    if judge is None:
        raise RuntimeError(
            "preflight saw no gradients: no optimizer that is an attribute of `model` was called "
            "in its train step; if that is decorated with tf.function, remove the decorator"
        )
    if capture.probe_failure is not None:
        error = capture.probe_failure
        warnings.warn(
            f"preflight reports without a probe. {type(error).__name__}: {error}",
            RuntimeWarning,
            stacklevel=3,
        )
    return HealthReport({RUN: judge.health()}, probes=probes)


@contextlib.contextmanager
def _restored(model: Any) -> Iterator[None]:
    """Puts back afterwards all state that train steps change."""
    optimizers = find_optimizers(model, ())
    unbuilt = [optimizer for optimizer in optimizers if not optimizer.built]
    kept = [(v, np.array(keras.ops.convert_to_numpy(v))) for v in _variables(model, optimizers)]
    grads = _kept_gradients(kept)
    function, stop = model.train_function, model.stop_training
    put_back = _random_states()
    try:
        yield
    finally:
        model.train_function, model.stop_training = function, stop
        model.reset_metrics()  # those that were made meanwhile
        for variable, value in kept:
            variable.assign(value)
        for value, grad in grads:
            value.grad = grad
        for optimizer in unbuilt:
            _renew(optimizer)
        for restore in put_back:
            restore()


def _variables(model: Any, optimizers: list[Any]) -> list[Any]:
    found = [*model.variables, *model.metrics_variables]
    for optimizer in optimizers:
        found += optimizer.variables
    for layer in model._flatten_layers():
        if isinstance(layer, keras.layers.RNN) and layer.stateful:  # Keras does not list these
            found += keras.tree.flatten(layer.states)
    seeds = global_state.get_global_attribute(_GLOBAL_SEEDS)
    if seeds is not None:
        found.append(seeds.state)
    return list({id(v): v for v in found if v is not None}.values())


def _kept_gradients(kept: list[tuple[Any, np.ndarray]]) -> list[tuple[Any, Any]]:
    """(parameter, its gradient) of PyTorch, which a parameter holds itself."""
    if keras.backend.backend() != "torch":
        return []
    return [(v.value, v.value.grad) for v, _ in kept if v.value.is_leaf]


def _renew(optimizer: Any) -> None:
    """Gives an optimizer that was built meanwhile the state of a new one."""
    if optimizer.built:
        new = type(optimizer).from_config(optimizer.get_config())
        new.build(list(optimizer._trainable_variables))
        for variable, value in zip(optimizer.variables, new.variables, strict=True):
            variable.assign(value)


def _random_states() -> list[Callable[[], None]]:
    """Functions that put back the random states of now that are not variables."""
    python, numpy = random.getstate(), np.random.get_state()
    restore: list[Callable[[], None]] = [
        lambda: random.setstate(python),
        lambda: np.random.set_state(numpy),
    ]
    if global_state.get_global_attribute(_GLOBAL_SEEDS) is None:
        restore.append(lambda: global_state.set_global_attribute(_GLOBAL_SEEDS, None))
    if keras.backend.backend() == "tensorflow":
        from tensorflow.python.eager import context  # pyright: ignore[reportMissingImports]

        # Seeds of datasets that shuffle are drawn from it.
        seeds = getattr(context.context(), "_rng", None)
        if seeds is not None:
            state = seeds.getstate()
            restore.append(lambda: seeds.setstate(state))
    if keras.backend.backend() == "torch":
        import torch

        # Of layers that are PyTorch's own, and of data loaders that shuffle.
        devices, state = torch.cuda.get_rng_state_all(), torch.get_rng_state()
        restore.append(lambda: torch.cuda.set_rng_state_all(devices))
        restore.append(lambda: torch.set_rng_state(state))
    return restore


def _check(model: Any, x: Any, y: Any, sample_weight: Any, steps: Any, thresholds: Any) -> None:
    if not isinstance(model, keras.Model):
        raise TypeError(f"`model` (={model!r}) must be a keras.Model.")
    if not model.compiled:
        raise ValueError(
            f"`model` (={model.name!r}) must be compiled: call model.compile(optimizer, loss) as "
            "for training first."
        )
    if isinstance(steps, bool) or not isinstance(steps, int):
        raise TypeError(f"`steps` (={steps!r}) must be an int >= 1.")
    if steps < 1:
        raise ValueError(f"`steps` (={steps!r}) must be an int >= 1.")
    if thresholds is not None and not isinstance(thresholds, Thresholds):
        raise TypeError(
            f"`thresholds` (={thresholds!r}) must be a tb_gradplugin.Thresholds or None."
        )
    samples: dict[str, int] = {}
    for name, value in (("x", x), ("y", y), ("sample_weight", sample_weight)):
        leaves = [leaf for leaf in keras.tree.flatten(value) if leaf is not None]
        if not leaves and name == "x":
            raise TypeError("`x` (=None) must be the inputs of one batch.")
        for leaf in leaves:
            if not hasattr(leaf, "shape") or not hasattr(leaf, "dtype") or not len(leaf.shape):
                raise TypeError(
                    f"`{name}` (a {type(leaf).__name__}) must be one batch of arrays or tensors; "
                    "of a dataset take one: x, y = next(iter(dataset)); of a list, np.array(list)."
                )
            samples[name] = int(leaf.shape[0])
            if samples[name] != samples["x"] or samples["x"] == 0:
                counts = ", ".join(f"`{n}` {count}" for n, count in samples.items())
                raise ValueError(
                    f"`x`, `y` and `sample_weight` must hold the same number of samples, at least "
                    f"one ({counts})."
                )
