"""From what a capture left to the records that are judged and written: shared by all watchers."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np

from tb_gradplugin import bins
from tb_gradplugin.metadata import PROBE_COLUMNS, STATISTICS_COLUMNS, TRAINING_COLUMNS
from tb_gradplugin.records import ProbeRecord, StepRecord

from .captured import NONFINITE, Captured

if TYPE_CHECKING:
    import keras

_SCALED = [STATISTICS_COLUMNS.index(c) for c in ("norm", "mean", "std", "min", "max")]
_NORM = STATISTICS_COLUMNS.index("norm")
_UPDATE = STATISTICS_COLUMNS.index("update_norm")
_GRADIENT = PROBE_COLUMNS.index("gradient_norm")


UNKNOWN = object()
"""In the place of an optimizer that may clip, or whose gradients may be clipped elsewhere."""


def step_record(
    captured: Captured,
    optimizer: Any,
    baseline_loss: float,
    wall_time: float,
    *,
    clipped_in_parts: bool = False,
) -> StepRecord:
    """The logged step, its gradients divided by the loss scale.

    Args:
        captured: raw results of the step.
        optimizer: tells clipping; None: there is none; ``UNKNOWN``.
        baseline_loss: of the best constant prediction, NaN if unknown.
        wall_time: seconds since the epoch.
        clipped_in_parts: each device clips the gradient of its own part of the batch.
    """
    statistics, skipped = captured.statistics, False
    if np.any(captured.scale != 1.0):
        statistics = statistics.copy()
        statistics[:, _SCALED] /= captured.divisor[:, None]
        nonfinite = np.any(statistics[:, NONFINITE] > 0)
        skipped = nonfinite and not np.any(statistics[:, _UPDATE] > 0)
    training = {
        "loss": captured.loss,
        "data_loss": captured.data_loss,
        "baseline_loss": baseline_loss,
        "learning_rate": captured.learning_rate,
        "loss_scale": float(captured.scale.max()),
        "clip_ratio": _clip_ratio(optimizer, statistics[:, _NORM], in_parts=clipped_in_parts),
        "skipped": float(skipped),
    }
    histograms = None
    if captured.counts is not None:
        histograms = bins.fold(captured.counts, captured.divisor)
    return StepRecord(
        step=captured.step,
        wall_time=wall_time,
        statistics=statistics,
        training=np.array([training[name] for name in TRAINING_COLUMNS]),
        histograms=histograms,
    )


def probe_record(
    captured: Captured,
    model: keras.Model,
    call_order: list[keras.layers.Layer],
    layers: int,
    *,
    step: int | None = None,
) -> ProbeRecord | None:
    """What was seen inside the step, None without a probe.

    Args:
        captured: raw results of the step.
        model: that was trained.
        call_order: as given to ``describe`` for the structure.
        layers: number of layers of the structure; those that were not looked at are rows of NaN.
        step: of the record, the captured one by default.
    """
    from .describe import layers_in_order

    seen = captured.probe
    if seen is None:
        return None
    ours = {id(layer): i for i, layer in enumerate(seen.layers)}
    place = {
        ours[id(layer)]: row
        for row, (_, layer) in enumerate(layers_in_order(model, call_order)[:layers])
        if id(layer) in ours
    }
    scale = float(captured.divisor.max())
    table = np.full((layers, len(PROBE_COLUMNS)), np.nan, np.float32)
    for i, row in place.items():
        table[row] = seen.table[i]
    table[:, _GRADIENT] /= scale
    histograms = None
    if seen.counts is not None:
        histograms = np.zeros((layers, bins.BINS), np.uint16)
        histograms[list(place.values())] = bins.fold(seen.counts[list(place)])
    return ProbeRecord(
        step=captured.step if step is None else step,
        wall_time=time.time(),
        samples=seen.samples,
        layers=table,
        inputs=seen.inputs,
        targets=seen.targets,
        through_time={
            place[i]: (norms / scale).astype(np.float32)
            for i, norms in sorted(seen.through_time.items())
            if i in place
        },
        spectral_radius={
            place[i]: _spectral_radius(kernel)
            for i, kernel in sorted(seen.recurrent_kernels.items())
            if i in place and np.all(np.isfinite(kernel))
        },
        histograms=histograms,
    )


def learning_rate(optimizer: Any) -> float:
    """The optimizer's current rate, of PyTorch's the first group's; NaN without one."""
    groups = getattr(optimizer, "param_groups", None)
    rate = groups[0].get("lr") if groups else getattr(optimizer, "learning_rate", None)
    value_of = getattr(rate, "numpy", None)
    if not groups and value_of is not None:
        rate = value_of()  # a variable that has a copy on each device is no number
    return float("nan") if rate is None else float(rate)


def innermost(optimizer: Any) -> Any:
    """The optimizer that updates, without those around it (loss scaling, standardising)."""
    while hasattr(optimizer, "inner_optimizer"):
        optimizer = optimizer.inner_optimizer
    return optimizer


def _spectral_radius(kernel: np.ndarray) -> float:
    return float(np.max(np.abs(np.linalg.eigvals(kernel.astype(np.float64)))))


def _clip_ratio(optimizer: Any, norms: np.ndarray, *, in_parts: bool = False) -> float:
    """Global gradient norm after clipping over before; NaN where norms alone cannot tell."""
    while hasattr(optimizer, "inner_optimizer"):
        from tb_gradplugin.remedies import StandardisedOptimizer

        if isinstance(optimizer, StandardisedOptimizer):
            return float("nan")  # what is clipped is another gradient
        optimizer = optimizer.inner_optimizer
    if getattr(optimizer, "clipvalue", None):
        return float("nan")
    if optimizer is not None and not hasattr(optimizer, "clipvalue"):
        return float("nan")  # not one of Keras's
    of_all: float | None = getattr(optimizer, "global_clipnorm", None)
    of_each: float | None = getattr(optimizer, "clipnorm", None)
    if not (of_all or of_each):
        return 1.0
    if in_parts:
        return float("nan")
    norms = norms[np.isfinite(norms)].astype(np.float64)
    total = float(np.sqrt(np.sum(norms**2)))
    if total == 0.0:
        return 1.0
    if of_all:
        return min(1.0, of_all / total)
    return float(np.sqrt(np.sum(np.minimum(norms, of_each or np.inf) ** 2))) / total
