"""Synthetic runs of the monitor, written through the package's own writer."""

from __future__ import annotations

import dataclasses
import json
import struct
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import pytest

from tb_gradplugin import bins, gradient_map, metadata, summaries
from tb_gradplugin.callbacks.run_writer import RunWriter
from tb_gradplugin.event_files import EventFileWriter
from tb_gradplugin.health.judge import Judge
from tb_gradplugin.health.report import Finding, Note, Remedy, RunHealth
from tb_gradplugin.records import ProbeRecord, StepRecord
from tb_gradplugin.structure import Layer, ModelStructure, Variable
from tests.rule_series import chain, point, schedule

START = 1_790_000_000.0
"""Wall time of step 0; a step takes a second."""

COLUMN = {name: i for i, name in enumerate(metadata.STATISTICS_COLUMNS)}


def dense_structure(layers: int, size: int = 4, prefix: str = "dense") -> ModelStructure:
    """``layers`` Dense layers of a kernel and a bias each, a weightless one and a frozen one."""
    found = [
        Layer(f"{prefix}_{i}", "Dense", "relu", "GlorotUniform", True, size * size + size)
        for i in range(layers)
    ]
    variables = []
    for i in range(layers):
        variables += [
            Variable(f"{prefix}_{i}/kernel", i, "kernel", (size, size)),
            Variable(f"{prefix}_{i}/bias", i, "bias", (size,)),
        ]
    found += [Layer("flatten", "Flatten"), Layer("frozen", "Dense", trainable=False, parameters=9)]
    return ModelStructure(
        tuple(found),
        tuple(variables),
        model="sequential",
        optimizer="Adam",
        loss="mse",
        backend="tensorflow",
    )


def statistics(structure: ModelStructure, step: int, scale: float = 1.0) -> np.ndarray:
    """Statistics of gradients drawn for ``step``: float32 [variables, 10]."""
    out = np.empty((len(structure.variables), len(COLUMN)), np.float32)
    rng = np.random.default_rng(step)
    for row, variable in enumerate(structure.variables):
        g = scale * rng.normal(size=variable.size)
        out[row] = (
            np.linalg.norm(g), g.mean(), g.std(), g.min(), g.max(), (g == 0).mean(), 0, 0, 1.0, 0.01
        )  # fmt: skip
    return out


def histograms(structure: ModelStructure, step: int) -> np.ndarray:
    """Histograms of standard normal gradients: uint16 [variables, bins]."""
    rng = np.random.default_rng(step)
    counts = np.zeros((len(structure.variables), bins.DEVICE_BINS))
    for row in range(len(structure.variables)):
        bits = rng.normal(size=500).astype(np.float32).view(np.uint32) >> bins.DEVICE_SHIFT
        counts[row] = np.bincount(bits, minlength=bins.DEVICE_BINS)
    return bins.fold(counts)


def record(
    structure: ModelStructure,
    step: int,
    *,
    stats: np.ndarray | None = None,
    histogram: bool = False,
) -> StepRecord:
    """One logged step; loss 1 / step and learning rate 0.01."""
    return StepRecord(
        step=step,
        wall_time=START + step,
        statistics=statistics(structure, step) if stats is None else stats,
        training=np.array([1 / step, 1 / step, 1.0, 0.01, 1.0, 1.0, 0.0]),
        histograms=histograms(structure, step) if histogram else None,
    )


def finding(
    kind: str = "vanishing",
    layers: Iterable[str] = ("dense_0",),
    *,
    since: int = 3,
    last: int = 9,
    active: bool = True,
) -> Finding:
    return Finding(
        kind=kind,
        severity="critical",
        layers=tuple(layers),
        since_step=since,
        last_step=last,
        active=active,
        evidence={"attenuation": -3.5, "unit": "decades"},
        cause="Sigmoid saturates in <b>six</b> layers.",
        remedies=(Remedy("Use ReLU", "It does not saturate.", 'Dense(64, activation="relu")'),),
    )


def health(steps: Iterable[int], findings: Iterable[Finding] = ()) -> RunHealth:
    steps = list(steps)
    return RunHealth(tuple(findings), steps[0], steps[-1], len(steps))


def write_run(
    directory: str | Path,
    structure: ModelStructure,
    steps: Iterable[int],
    *,
    findings: Iterable[Finding] = (),
    histogram_every: int = 0,
    scale: float = 1.0,
    scalars: bool = True,
    write_model: bool = True,
    probes: Iterable[ProbeRecord] = (),
    notes: Iterable[Note] = (),
    weights: bool = False,
    maps: Mapping[int, np.ndarray] | None = None,
) -> Path:
    """One fit as the monitor writes it into ``directory``; returns its event file.

    ``weights`` go with the gradients' histograms; ``maps`` are gradients by row of the structure,
    seen at the last step.
    """
    steps, findings = list(steps), list(findings)
    writer = EventFileWriter(directory)
    writer.write(summaries.session_start_event(steps[0], START + steps[0]))
    if write_model:
        writer.write(summaries.model_event(structure, steps[0], START + steps[0]))
    for i, step in enumerate(steps):
        with_histogram = bool(histogram_every) and i % histogram_every == 0
        stats = statistics(structure, step, scale)
        step_record = record(structure, step, stats=stats, histogram=with_histogram)
        told = dataclasses.replace(health(steps[: i + 1], findings), notes=tuple(notes))
        event = summaries.step_event(step_record, told)
        if scalars:
            event.summary.value.append(summaries.scalar_value("batch_loss", 1 / step))
        writer.write(event)
        if with_histogram and weights:
            shares = histograms(structure, step)
            writer.write(summaries.weights_event(step, START + step, shares))
    for row, gradient in (maps or {}).items():
        path, picture = structure.variables[row].path, gradient_map.reduced(gradient)
        writer.write(summaries.map_event(path, row, picture, steps[-1], START + steps[-1]))
    for probe in probes:
        writer.write(summaries.probe_event(probe))
    writer.close()
    return Path(writer.path)


def write_fading(directory, decades: float) -> None:
    """A run whose gradient fades by ``decades``, logged by a monitor's own hands."""
    structure = chain(6)
    norms = [10.0 ** (decades * (i - 5) / 5) for i in range(6)]
    writer = RunWriter(str(directory), pytest.fail)
    writer.begin(1)
    writer.write_structure(structure, 1)
    judge = Judge(structure)
    for step in schedule():
        step_record = point(structure, step, norm=norms)
        judge.observe(step_record)
        writer.write_step(step_record, judge.health())
    writer.close()


def with_schema(event, schema: object):
    """``event`` as another version of the plugin would have written it."""
    for value in event.summary.value:
        value.metadata.plugin_data.content = json.dumps({"schema": schema}).encode()
    return event


def record_offsets(path: Path) -> list[int]:
    """Where records start, by their lengths alone."""
    data, offsets, at = path.read_bytes(), [], 0
    while at < len(data):
        offsets.append(at)
        at += struct.unpack_from("<Q", data, at)[0] + 16
    return offsets
