"""The seam between the monitor and a backend: what a capture is, and which one a model gets."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Collection
from typing import Protocol

import keras
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
    """

    layers: list[keras.layers.Layer]
    table: np.ndarray
    samples: int
    inputs: np.ndarray
    targets: np.ndarray
    through_time: dict[int, np.ndarray]
    recurrent_kernels: dict[int, np.ndarray]


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
    """

    step: int
    variables: list[keras.Variable]
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

    @property
    def looks_finite(self) -> bool:
        """Whether loss and gradients are finite, as far as they are known."""
        known = math.isfinite(self.loss) or not self.loss_reported
        return known and not (self.statistics[:, NONFINITE] > 0.0).any()


class Capture(Protocol):
    """Sees the gradients that a model's optimizers receive in chosen train steps."""

    failure: BaseException | None
    """What went wrong inside the capture; nothing is captured any more."""
    probe_failure: BaseException | None
    """What went wrong inside the probe; nothing is probed any more."""

    @property
    def call_order(self) -> list[keras.layers.Layer]:
        """Layers in the order of their first call in an instrumented step."""
        ...

    def arm(
        self,
        step: int,
        *,
        log2: bool,
        linear: bool,
        probe: bool = False,
        maps: Collection[keras.Variable] = (),
    ) -> None:
        """Has the next train step, and only that one, captured as ``step``.

        ``log2`` and ``linear`` say whether to make the two kinds of histogram as well, ``probe``
        whether to look at outputs of layers and the gradients that reach them, ``maps`` of which
        variables to make a picture of the gradient (none of a sparse one, none under XLA on
        TensorFlow).
        """
        ...

    def collect(self) -> Captured | None:
        """Results of the last captured step, once; None when there are none."""
        ...

    def disarm(self) -> None:
        """Puts the user's own train function back."""
        ...

    def weight_histograms(self, variables: list[keras.Variable]) -> np.ndarray:
        """float32 [variables, buckets, 3] of (left, right, count) of the weights now."""
        ...

    def weight_counts(self, variables: list[keras.Variable]) -> np.ndarray:
        """[variables, DEVICE_BINS] counts of the elements of the weights now."""
        ...


BACKENDS = ("tensorflow", "jax", "torch")


def unsupported() -> str | None:
    """Why no capture is possible with the backend in use, or None."""
    backend = keras.backend.backend()
    if backend in BACKENDS:
        return None
    return (
        f"The Keras backends {', '.join(BACKENDS)} are supported; this process runs {backend!r}. "
        "Set the environment variable KERAS_BACKEND before importing keras."
    )


def no_probe() -> NotImplementedError:
    """What is told where a step cannot be looked into."""
    return NotImplementedError(
        "Looking inside a step (probe_freq, preflight) needs the TensorFlow backend; this process "
        f"runs {keras.backend.backend()!r}. Causes that only a probe sees, such as data that is "
        "not scaled, are not named."
    )


def create_capture(
    model: keras.Model,
    optimizers: tuple[keras.optimizers.Optimizer, ...],
    *,
    updates: bool,
    histograms: bool,
    exact_probe: bool = True,
) -> Capture:
    """The capture for ``model`` under the backend in use, which alone is imported.

    Args:
        model: a compiled model about to be fitted.
        optimizers: further optimizers whose gradients count, besides the model's attributes.
        updates: whether to record norms of weights and updates.
        histograms: whether histograms will be asked for.
        exact_probe: whether a probed step must compute bit for bit what it would otherwise.

    Raises:
        NotImplementedError: the backend or the way of training is not supported; says which.
    """
    reason = unsupported()
    if reason:
        raise NotImplementedError(reason)
    backend = keras.backend.backend()
    if backend == "jax":
        from .jax_capture import JaxCapture

        return JaxCapture(model, optimizers, updates=updates, histograms=histograms)
    if backend == "torch":
        from .torch_capture import TorchCapture

        return TorchCapture(model, optimizers, updates=updates)
    from .tensorflow_capture import TensorFlowCapture

    return TensorFlowCapture(
        model, optimizers, updates=updates, histograms=histograms, exact_probe=exact_probe
    )


def find_optimizers(
    model: keras.Model, more: tuple[keras.optimizers.Optimizer, ...]
) -> list[keras.optimizers.Optimizer]:
    """Optimizers that are attributes of the model or its sub-models, then ``more``, each once."""
    found: dict[int, keras.optimizers.Optimizer] = {}
    seen: set[int] = set()
    todo: list[keras.Model] = [model]
    while todo:
        owner = todo.pop()
        if id(owner) in seen:
            continue
        seen.add(id(owner))
        for value in list(vars(owner).values()):
            if isinstance(value, dict):
                value = list(value.values())
            for item in value if isinstance(value, (list, tuple)) else (value,):
                if isinstance(item, keras.optimizers.Optimizer):
                    found.setdefault(id(item), item)
                elif isinstance(item, keras.Model):
                    todo.append(item)
    for item in more:
        found.setdefault(id(item), item)
    return list(found.values())
