"""What a watched step left, on the host; nothing here needs a framework."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np

from tb_gradplugin.gradient_map import GradientMap
from tb_gradplugin.metadata import STATISTICS_COLUMNS

NONFINITE = [STATISTICS_COLUMNS.index(c) for c in ("nan_count", "inf_count")]


@dataclasses.dataclass
class CapturedProbe:
    """What a probe of the step saw, on the host; gradients still times the loss scale.

    Attributes:
        layers: the layers that were looked at.
        table: float32 [layers, PROBE_COLUMNS], a row of NaN for a layer that was not called.
        samples: number of samples in the batch.
        inputs, targets: float64 [3], see ``records.ProbeRecord``.
        through_time: index into ``layers`` -> float32 [T], see ``records.ProbeRecord``.
        recurrent_kernels: index into ``layers`` -> square recurrent kernel before the update.
        counts: float32 [layers, DEVICE_BINS] of the elements of the outputs, or None.
    """

    layers: list[Any]
    table: np.ndarray
    samples: int
    inputs: np.ndarray
    targets: np.ndarray
    through_time: dict[int, np.ndarray]
    recurrent_kernels: dict[int, np.ndarray]
    counts: np.ndarray | None


@dataclasses.dataclass
class Captured:
    """Raw results of one instrumented train step, on the host.

    Attributes:
        step: the train step that ran.
        variables: the trainable variables that an optimizer's call received, in its order.
        statistics: float32 [variables, STATISTICS_COLUMNS], gradients still times ``scale``; a row
            of NaN for a variable that got no gradient in this step.
        scale: float64 [variables], the loss scale by which the gradients are still multiplied.
        learning_rate: of the first optimizer that was called, as it was used.
        loss: total loss of the batch, NaN if unknown.
        data_loss: loss without regularisation terms, NaN if unknown.
        loss_reported: False where the train step tells no loss: then NaN says nothing.
        labels: label moments for ``baseline.BaselineLoss``, or None.
        counts: float32 [variables, DEVICE_BINS] or None.
        linear: float32 [variables, buckets, 3] or None.
        probe: what was seen inside the step, or None.
        maps: index into ``variables`` -> picture of its gradient, still times ``scale``.
        replicas: float [replicas], norm of the gradient of each device's own part of the batch,
            divided by the loss scale; None with one device.
    """

    step: int
    variables: list[Any]
    statistics: np.ndarray
    scale: np.ndarray
    learning_rate: float
    loss: float
    data_loss: float
    loss_reported: bool
    labels: np.ndarray | None
    counts: np.ndarray | None
    linear: np.ndarray | None
    probe: CapturedProbe | None = None
    maps: dict[int, GradientMap] = dataclasses.field(default_factory=dict)
    replicas: np.ndarray | None = None

    @property
    def divisor(self) -> np.ndarray:
        """float64 [variables]: ``scale``, but 1 where it was halved down to 0: there the gradients
        are lost, and nothing is left to divide by."""
        return np.where(self.scale > 0.0, self.scale, 1.0)

    @property
    def looks_finite(self) -> bool:
        """Whether loss and gradients are finite, as far as they are known."""
        known = math.isfinite(self.loss) or not self.loss_reported
        return known and not (self.statistics[:, NONFINITE] > 0.0).any()


def shortest(rate: float) -> float:
    """The number meant by a float32: 0.001 for 0.0010000000474974513; NaN for a negative one."""
    return float(f"{rate:.7g}") if rate >= 0.0 else float("nan")


def picturable(gradient: Any) -> bool:
    """Whether a gradient (not a sparse one) is a matrix, or a stack of some, and has elements."""
    shape = getattr(gradient, "shape", None)
    if shape is None or getattr(shape, "rank", 2) is None:
        return False
    return len(shape) >= 2 and 0 not in tuple(shape)
