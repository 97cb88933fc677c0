"""One logged step in memory: what capture hands to the judge and to the event writer."""

from __future__ import annotations

import dataclasses

import numpy as np

from tb_gradplugin import metadata

_STAT = {name: i for i, name in enumerate(metadata.STATISTICS_COLUMNS)}
_TRAIN = {name: i for i, name in enumerate(metadata.TRAINING_COLUMNS)}


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
