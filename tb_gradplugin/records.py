"""One logged step in memory: what capture hands to the judge and to the event writer."""

from __future__ import annotations

import dataclasses

import numpy as np

from tb_gradplugin import metadata

_STAT = {name: i for i, name in enumerate(metadata.STATISTICS_COLUMNS)}
_PROBE = {name: i for i, name in enumerate(metadata.PROBE_COLUMNS)}
_TRAIN = {name: i for i, name in enumerate(metadata.TRAINING_COLUMNS)}

TIME_POINTS = 256
"""Time steps of a longer sequence that a probe keeps, evenly spaced from the first to the last."""


@dataclasses.dataclass(frozen=True)
class StepRecord:
    """Statistics of every trained variable at one logged train step.

    Attributes:
        step: 1-based count of train steps, monotonic over several fits.
        wall_time: seconds since the epoch.
        statistics: float32 [variables, len(STATISTICS_COLUMNS)].
        training: float64 [len(TRAINING_COLUMNS)].
        histograms: uint16 [variables, bins] (see ``tb_gradplugin.bins``) or None.
    """

    step: int
    wall_time: float
    statistics: np.ndarray
    training: np.ndarray
    histograms: np.ndarray | None = None

    def column(self, name: str) -> np.ndarray:
        """Column ``name`` of the statistics as float64 [variables]."""
        return self.statistics[:, _STAT[name]].astype(np.float64)

    def scalar(self, name: str) -> float:
        """Value ``name`` of the training columns."""
        return float(self.training[_TRAIN[name]])


@dataclasses.dataclass(frozen=True)
class ProbeRecord:
    """What only a look inside one train step tells: outputs of layers and gradients at them.

    Attributes:
        step: train step that was probed, 0 for a check before training.
        wall_time: seconds since the epoch.
        samples: number of samples in the batch.
        layers: float32 [layers of the structure, len(PROBE_COLUMNS)]; gradients are divided by the
            loss scale.
        inputs, targets: float64 [3], mean, standard deviation and largest |element| of the batch's
            inputs (all of them together) and targets; NaN where there are none or they are no
            numbers.
        through_time: index of a recurrent layer -> float32 [T], L2 norm over the batch of the
            total gradient dL/dh_t with respect to its state h_t after each time step, in the order
            in which the layer takes the steps. NaN: masked in every sample, or not among the
            ``kept_time_steps`` of a sequence longer than ``TIME_POINTS``.
        spectral_radius: index of a recurrent layer -> largest |eigenvalue| of its recurrent kernel,
            where that is a square matrix (``SimpleRNN``).
        histograms: uint16 [layers of the structure, bins] (see ``tb_gradplugin.bins``) of the
            outputs, a row of zeros for a layer without one; None: not made, or not read.
    """

    step: int
    wall_time: float
    samples: int
    layers: np.ndarray
    inputs: np.ndarray
    targets: np.ndarray
    through_time: dict[int, np.ndarray] = dataclasses.field(default_factory=dict)
    spectral_radius: dict[int, float] = dataclasses.field(default_factory=dict)
    histograms: np.ndarray | None = None

    def column(self, name: str) -> np.ndarray:
        """Column ``name`` as float64 [layers of the structure]."""
        return self.layers[:, _PROBE[name]].astype(np.float64)


def kept_time_steps(length: int) -> np.ndarray:
    """int64, the time steps of a sequence of ``length`` whose gradient norms a probe keeps."""
    if length <= TIME_POINTS:
        return np.arange(length)
    last = TIME_POINTS - 1
    return (np.arange(TIME_POINTS) * (length - 1) + last // 2) // last
