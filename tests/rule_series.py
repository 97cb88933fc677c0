"""Hand-made runs for the tests of the rules: records and probes from the numbers a test is about.

The defaults are those of a network with healthy gradients whose loss stays at the baseline.
"""

from __future__ import annotations

import dataclasses
import math

import numpy as np

from tb_gradplugin.health.judge import judge_run
from tb_gradplugin.health.report import RunHealth
from tb_gradplugin.health.thresholds import Thresholds
from tb_gradplugin.metadata import PROBE_COLUMNS, STATISTICS_COLUMNS, TRAINING_COLUMNS
from tb_gradplugin.records import ProbeRecord, StepRecord
from tb_gradplugin.structure import Layer, ModelStructure, Variable

COLUMN = {name: i for i, name in enumerate(STATISTICS_COLUMNS)}


def chain(layers: int, activation: str = "relu", head: str | None = None, **more) -> ModelStructure:
    """Dense layers, each with a kernel and a bias; ``head`` is the activation of the last one."""
    return ModelStructure(
        tuple(
            Layer(f"d{i}", "Dense", (i == layers - 1 and head) or activation, "GlorotUniform")
            for i in range(layers)
        ),
        tuple(
            Variable(f"d{i}/{role}", i, role, (8, 8) if role == "kernel" else (8,))
            for i in range(layers)
            for role in ("kernel", "bias")
        ),
        **{"model": "m", "optimizer": "Adam", "loss": "mse", "backend": "tensorflow", **more},
    )


def with_layer(structure: ModelStructure, layer: Layer) -> ModelStructure:
    """The same with a layer without variables behind all others."""
    return dataclasses.replace(structure, layers=(*structure.layers, layer))


def with_second_layer(structure: ModelStructure, layer: Layer) -> ModelStructure:
    """The same with a layer without variables right behind the first."""
    first, *others = structure.layers
    variables = (dataclasses.replace(v, layer=v.layer + (v.layer > 0)) for v in structure.variables)
    return dataclasses.replace(
        structure, layers=(first, layer, *others), variables=tuple(variables)
    )


def softmax_over_one_unit() -> ModelStructure:
    """Two dense layers, the last of them with an output that is always 1."""
    structure = chain(2, head="softmax")
    variables = tuple(
        dataclasses.replace(v, shape=(8, 1)) if v.path == "d1/kernel" else v
        for v in structure.variables
    )
    return dataclasses.replace(structure, variables=variables)


def recurrent_structure(kind: str = "SimpleRNN") -> ModelStructure:
    """A recurrent layer and a dense head."""
    return ModelStructure(
        (Layer("rnn", kind, "tanh", "GlorotUniform"), Layer("head", "Dense", "sigmoid")),
        (
            Variable("rnn/kernel", 0, "kernel", (2, 32)),
            Variable("rnn/recurrent_kernel", 0, "recurrent_kernel", (32, 32)),
            Variable("head/kernel", 1, "kernel", (32, 1)),
        ),
        optimizer="StandardisedOptimizer",
        loss="binary_crossentropy",
    )


def point(
    structure: ModelStructure,
    step: int,
    *,
    norm=1.0,
    bias=None,
    weight=1.0,
    update=1e-3,
    bias_update=None,
    loss=1.0,
    total=None,
    baseline=1.0,
    rate=1e-3,
    skipped=0.0,
) -> StepRecord:
    """A record; ``norm``, ``weight`` and ``update`` are numbers or one value a layer.

    ``bias`` and ``bias_update`` are norm and update of the biases where they are others.  ``total``
    is the loss with regularisation terms.
    """
    n = len(structure.variables)
    layer = [v.layer for v in structure.variables]
    biases = np.array([v.role == "bias" for v in structure.variables], dtype=bool)
    spread = lambda x: np.broadcast_to(np.asarray(x, float), len(structure.layers))[layer]  # noqa: E731
    norms = np.where(biases, spread(norm if bias is None else bias), spread(norm))
    of_biases = spread(update if bias_update is None else bias_update)
    table = np.zeros((n, len(STATISTICS_COLUMNS)))
    table[:, COLUMN["norm"]] = norms
    table[:, COLUMN["zero_fraction"]] = norms == 0
    table[:, COLUMN["weight_norm"]] = spread(weight)
    table[:, COLUMN["update_norm"]] = np.where(biases, of_biases, spread(update))
    table[np.isnan(norms)] = np.nan
    values = {"loss": loss if total is None else total, "data_loss": loss}
    values |= {"baseline_loss": baseline, "learning_rate": rate}
    values |= {"loss_scale": 1.0, "clip_ratio": 1.0, "skipped": skipped}
    training = np.array([values[name] for name in TRAINING_COLUMNS])
    return StepRecord(step, float(step), table.astype(np.float32), training)


def probe(
    structure: ModelStructure,
    *,
    samples: int = 32,
    inputs: tuple[float, float, float] = (0.0, 1.0, 3.0),
    targets: tuple[float, float, float] = (0.0, 1.0, 3.0),
    through_time: dict[int, np.ndarray] | None = None,
    radius: dict[int, float] | None = None,
    **columns,
) -> ProbeRecord:
    """A look inside a step; a column is a number or one value a layer, NaN where not given."""
    table = np.full((len(structure.layers), len(PROBE_COLUMNS)), np.nan, dtype=np.float32)
    for name, values in columns.items():
        table[:, PROBE_COLUMNS.index(name)] = values
    batch = np.array(inputs), np.array(targets)
    return ProbeRecord(0, 0.0, samples, table, *batch, through_time or {}, radius or {})


def broken(record: StepRecord, row: int, column: str = "nan_count", count=3) -> StepRecord:
    """The same with non-finite elements in one variable."""
    table = record.statistics.copy()
    table[row, COLUMN[column]] = count
    return dataclasses.replace(record, statistics=table)


def schedule(stop: int = 200) -> list[int]:
    """Logged steps up to ``stop``, as the monitor chooses them."""
    out, step = [], 1
    while step <= stop:
        out.append(step)
        step += 1 if step < 20 else min(max(step // 20, 1), 100)
    return out


def run(
    structure: ModelStructure,
    stop: int = 200,
    *,
    seen: ProbeRecord | None = None,
    thresholds: Thresholds | None = None,
    fits: tuple[tuple[int, int], ...] = (),
    validations: tuple[tuple[int, float], ...] = (),
    **series,
) -> RunHealth:
    """Judges a run on the default schedule; a series is a number, list or function of the step.

    ``seen`` is a probe from before the first step, ``fits`` first and last step of ended fits,
    ``validations`` step and loss of held-back data.
    """
    records = []
    for step in schedule(stop):
        values = {k: v(step) if callable(v) else v for k, v in series.items()}
        records.append(point(structure, step, **values))
    return judge_run(
        structure, records, thresholds, () if seen is None else [seen], fits, validations
    )


def learning(step: int) -> float:
    """A loss that falls at once."""
    return 0.1 + math.exp(-step / 10)


FADING = [10.0 ** -(9 - i) for i in range(10)]
"""One decade a layer toward the input, ten layers."""
