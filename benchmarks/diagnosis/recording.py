"""One recorded run: plain arrays on disk, and the records that the rules are given.

Everything the rules of ours and of the peers look at is in here, so judging takes NumPy only.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.diagnosis.runs.base import Run
from tb_gradplugin import metadata
from tb_gradplugin.records import ProbeRecord, StepRecord
from tb_gradplugin.structure import ModelStructure

RECORDER_VERSION = 2
"""Raised when ``record.py`` measures something else; recordings of other versions are not used."""

DEFAULT_CACHE = Path(tempfile.gettempdir()) / "gradient_diagnosis_runs"

VARIABLE_COLUMNS = (
    "mean_abs",  # mean |element| of the gradient, finite ones only
    "max_abs",  # largest |element|
    "zero_share",  # share of elements that are exactly zero
    "weight_max",  # largest |weight| before the update
)
"""Columns for the peers, float32 [points, variables, 4]; NaN: no gradient."""

LAYER_COLUMNS = (
    *metadata.PROBE_COLUMNS,
    "nonpositive_share",  # share of elements <= 0
    "quiet_unit_share",  # share of units that are above zero for less than 1 % of the batch
    "flat_share",  # share of elements whose input lies outside +-5, for tanh and sigmoid
    "extreme_unit_share",  # share of units at the limits of float32 for 99 % of the batch, the same
)
"""Columns of every layer of the structure, float32 [points, layers, 12]; NaN: not called."""

VALIDATION_COLUMNS = ("step", "loss", "accuracy", "held_loss", "held_accuracy")
"""Columns of the passes in inference mode, about one an epoch; NaN: not known."""

PROBE_STEPS = (1, 20, 60, 100, 200)
"""Train steps at which the product probes."""

KNOWN_BASELINES = ("bce", "cce", "mse")
"""Losses whose best constant prediction the product knows."""

UNVALIDATED = ("game", "surrogate")
"""Names of the losses of games and agents."""

FAILED = 0.9
"""A run has failed if its final loss is not below this share of the constant prediction's."""


@dataclasses.dataclass(frozen=True)
class Recording:
    """What one run left, T logged points, V variables, L layers of the structure.

    Attributes:
        structure: as ``callbacks.describe`` makes it.
        steps: int [T], 1-based train steps.
        statistics: float32 [T, V, 10], ``metadata.STATISTICS_COLUMNS``.
        training: float64 [T, 7], ``metadata.TRAINING_COLUMNS``; the baseline is that of the labels
            seen so far, whatever the loss.
        variables: float32 [T, V, 4], ``VARIABLE_COLUMNS``.
        layers: float32 [T, L, 12], ``LAYER_COLUMNS``.
        inputs, targets: float64 [T, 3], mean, standard deviation and largest |element|.
        accuracy: float64 [T], of the batch; NaN where the task is no classification.
        validation: float64 [E, 5], ``VALIDATION_COLUMNS``.
        through_time: layer -> float32 [T, length], |dL/dh_t|.
        spectral_radius: layer -> float64 [T].
        final: mean loss of the last steps, NaN after a NaN.
        baseline: the loss of the best constant prediction on all rows, NaN where there is none.
        initial: the first loss.
        samples: rows of a batch.
        loss: name of the loss; ``"custom"`` for a function.
        scaled: the loss was multiplied by a factor.
    """

    structure: ModelStructure
    steps: np.ndarray
    statistics: np.ndarray
    training: np.ndarray
    variables: np.ndarray
    layers: np.ndarray
    inputs: np.ndarray
    targets: np.ndarray
    accuracy: np.ndarray
    validation: np.ndarray
    through_time: dict[int, np.ndarray]
    spectral_radius: dict[int, np.ndarray]
    final: float
    baseline: float
    initial: float
    samples: int
    loss: str
    scaled: bool

    @property
    def reference(self) -> float:
        """Loss of the best constant prediction, or the first loss where that is not known."""
        return self.baseline if np.isfinite(self.baseline) else self.initial

    @property
    def failed(self) -> bool:
        """NaN, or a final loss above 0.9 of the reference."""
        return not self.final <= FAILED * self.reference

    @property
    def last_step(self) -> int:
        """Of the training, which goes on behind the step logged last; 0: nothing is recorded."""
        validated = self.validation[-1, 0] if len(self.validation) else 0
        return int(max(self.steps[-1] if len(self.steps) else 0, validated))

    @functools.cached_property
    def records(self) -> list[StepRecord]:
        """What the monitor would have handed to the judge."""
        known = self.loss in KNOWN_BASELINES and not self.scaled
        training = self.training.copy()
        if not known:
            training[:, metadata.TRAINING_COLUMNS.index("baseline_loss")] = np.nan
        return [
            StepRecord(int(s), float(s), a, b)
            for s, a, b in zip(self.steps, self.statistics, training, strict=True)
        ]

    @property
    def held_back(self) -> list[tuple[int, float]]:
        """Step and loss of held-back data, by step, with penalties as Keras has it.

        None of games and agents: they have nothing to hold back.
        """
        if self.structure.loss in UNVALIDATED:
            return []
        steps, held = self.validation[:, 0], self.validation[:, 3]
        with np.errstate(invalid="ignore"):  # of losses that are infinite
            penalties = self.training[:, metadata.TRAINING_COLUMNS.index("loss")] - self.losses
        latest = np.searchsorted(self.steps, steps, side="right") - 1
        whole = held + penalties[np.maximum(latest, 0)]
        return list(zip(steps.astype(int).tolist(), whole.tolist(), strict=True))

    @functools.cached_property
    def probes(self) -> list[ProbeRecord]:
        """What the product's probes would have seen, at those of ``PROBE_STEPS`` that exist."""
        return [self.probe(i) for i in np.flatnonzero(np.isin(self.steps, PROBE_STEPS))]

    def probe(self, point: int) -> ProbeRecord:
        """The probe of logged point ``point``."""
        return ProbeRecord(
            step=int(self.steps[point]),
            wall_time=float(self.steps[point]),
            samples=self.samples,
            layers=self.layers[point, :, : len(metadata.PROBE_COLUMNS)],
            inputs=self.inputs[point],
            targets=self.targets[point],
            through_time={i: v[point] for i, v in self.through_time.items()},
            spectral_radius={i: float(v[point]) for i, v in self.spectral_radius.items()},
        )

    def variable(self, name: str) -> np.ndarray:
        """Column ``name`` of the peers' statistics, float64 [T, V]."""
        return self.variables[:, :, VARIABLE_COLUMNS.index(name)].astype(np.float64)

    def layer(self, name: str) -> np.ndarray:
        """Column ``name`` of the layers' outputs, float64 [T, L]."""
        return self.layers[:, :, LAYER_COLUMNS.index(name)].astype(np.float64)

    def statistic(self, name: str) -> np.ndarray:
        """Column ``name`` of the statistics, float64 [T, V]."""
        return self.statistics[:, :, metadata.STATISTICS_COLUMNS.index(name)].astype(np.float64)

    @property
    def losses(self) -> np.ndarray:
        """float64 [T], loss without regularisation."""
        return self.training[:, metadata.TRAINING_COLUMNS.index("data_loss")]


_ARRAYS = (
    "steps",
    "statistics",
    "training",
    "variables",
    "layers",
    "inputs",
    "targets",
    "accuracy",
    "validation",
)
_SCALARS = ("final", "baseline", "initial", "samples", "loss", "scaled")
_BY_LAYER = ("through_time", "spectral_radius")


def path_of(cache: Path, run: Run, seed: int) -> Path:
    """Where the recording of a run is kept; another recorder or configuration has another name."""
    key = hashlib.sha1(f"{RECORDER_VERSION}/{run.id}/{run.revision}/{seed}".encode()).hexdigest()
    return cache / f"{run.id}-{seed}-{key[:8]}.npz"


def save(path: Path, recording: Recording) -> None:
    """Writes ``recording`` at once: a file that exists is complete."""
    arrays = {name: getattr(recording, name) for name in _ARRAYS}
    for name in _BY_LAYER:
        arrays |= {f"{name}/{i}": v for i, v in getattr(recording, name).items()}
    facts: dict[str, Any] = {name: getattr(recording, name) for name in _SCALARS}
    facts["structure"] = recording.structure.to_json()
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    with part.open("wb") as file:
        np.savez_compressed(file, facts=np.array(json.dumps(facts)), **arrays)
    part.rename(path)


def load(path: Path) -> Recording:
    """Inverse of ``save``."""
    with np.load(path) as stored:
        facts = json.loads(str(stored["facts"]))
        by_layer: dict[str, dict[int, np.ndarray]] = {name: {} for name in _BY_LAYER}
        for key in stored.files:
            name, _, layer = key.partition("/")
            if layer:
                by_layer[name][int(layer)] = stored[key]
        structure = ModelStructure.from_json(facts.pop("structure"))
        return Recording(structure, **{name: stored[name] for name in _ARRAYS}, **by_layer, **facts)
