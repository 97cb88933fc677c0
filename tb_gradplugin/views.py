"""What the routes answer (``http_api.md``), as plain JSON, from what the reader found."""

from __future__ import annotations

import base64
import dataclasses
import json
import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from tb_gradplugin import bins, metadata, reader, scales, summaries
from tb_gradplugin.gradient_map import GradientMap
from tb_gradplugin.health.report import RunHealth
from tb_gradplugin.records import ProbeRecord
from tb_gradplugin.sources import Source
from tb_gradplugin.structure import ModelStructure

MAX_COLUMNS = 1000


def strict(value: Any) -> Any:
    """``value`` with None for every float that JSON cannot express, at any depth."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: strict(v) for key, v in value.items()}
    if isinstance(value, list | tuple):
        return [strict(v) for v in value]
    return value


def body(answer: dict[str, Any]) -> str:
    """JSON of an answer; the codes of a table, bytes a column until now, become row-major."""
    if "codes" in answer and isinstance(answer["codes"], list):
        table = np.frombuffer(b"".join(answer["codes"]), np.uint8)
        rows = table.reshape(len(answer["codes"]), len(answer["layers"])).T
        text = base64.b64encode(np.ascontiguousarray(rows).tobytes()).decode("ascii")
        answer = {**answer, "codes": text}
    return json.dumps(answer, allow_nan=False, separators=(",", ":"))


def numbers(values: np.ndarray) -> list[float | None]:
    """Six significant digits each; None where not finite."""
    return [float(f"{x:.6g}") if math.isfinite(x) else None for x in values.tolist()]


def times(values: np.ndarray) -> list[float]:
    """Wall times to the millisecond."""
    return np.round(values, 3).tolist()


def run_summary(name: str, health: RunHealth | None, start_time: float | None) -> dict[str, Any]:
    """One entry of ``runs``."""
    health = health or RunHealth()
    report = health.to_dict()
    sick = {layer for f in health.findings if f.active for layer in f.layers}
    return {
        "name": name,
        "verdict": report["verdict"],
        "kinds": report["kinds"],
        "steps": report["steps"],
        "sick_layers": len(sick),
        "start_time": strict(float(start_time)) if start_time else None,
    }


def run(
    name: str,
    health: RunHealth | None,
    structure: ModelStructure,
    rules: Iterable[tuple[str, str, str]],
    problems: list[str],
) -> dict[str, Any]:
    """The answer of ``run``; ``rules`` are (kind, title, checks)."""
    recorded = {v.layer for v in structure.variables}
    return {
        "name": name,
        **strict((health or RunHealth()).to_dict()),
        "model": {
            "name": structure.model,
            "optimizer": structure.optimizer,
            "loss": structure.loss,
            "backend": structure.backend,
        },
        "layers": [
            {
                "path": layer.path,
                "type": layer.type,
                "activation": layer.activation,
                "initializer": layer.initializer,
                "trainable": layer.trainable,
                "parameters": layer.parameters,
                "recorded": i in recorded,
            }
            for i, layer in enumerate(structure.layers)
        ],
        "size": {
            "layers": len(structure.layers),
            "variables": len(structure.variables),
            "steps": health.logged if health else 0,
        },
        "rules": [
            {"kind": kind, "title": title, "checks": checks} for kind, title, checks in rules
        ],
        "problems": problems,
    }


@dataclasses.dataclass(frozen=True)
class Overview:
    """A run as a whole.

    Attributes:
        models: its structures; everything else is of the latest.
        steps, wall_times: of the logged steps, see ``reader.Rows``.
        series: of its layers.
    """

    models: reader.Models
    steps: np.ndarray
    wall_times: np.ndarray
    series: scales.LayerSeries

    @property
    def paths(self) -> list[str]:
        """Of the layers that have rows."""
        structure = self.models.latest
        return [structure.layers[i].path for i in self.series.layers]


def read_overview(source: Source) -> Overview:
    """Reads a run as a whole from either source."""
    models = reader.read_models(source)
    structure = models.latest
    rows = reader.read_essence(source, models, [v.path for v in structure.variables])
    series = scales.layer_series(rows.values, structure)
    return Overview(models, rows.steps, rows.wall_times, series)


def heatmap(seen: Overview, health: RunHealth | None) -> dict[str, Any]:
    """The answer of ``heatmap``."""
    columns, codes = scales.bucket(scales.quantise(seen.series), MAX_COLUMNS)
    row_of = {path: row for row, path in enumerate(seen.paths)}
    return {
        **_table(seen, columns, codes),
        "sick": [
            [row_of[path], f.kind, f.since_step, f.last_step, f.active]
            for f in (health.findings if health else ())
            for path in f.layers
            if path in row_of
        ],
    }


def norms(seen: Overview) -> dict[str, Any]:
    """The answer of ``norms``."""
    codes, low, step = scales.quantise_norms(seen.series.norm, seen.series.bad)
    columns, codes = scales.bucket_norms(codes, MAX_COLUMNS)
    return {**_table(seen, columns, codes), "log10_min": low, "log10_step": step}


def _table(seen: Overview, columns: np.ndarray, codes: np.ndarray) -> dict[str, Any]:
    return {
        "steps": seen.steps[columns].tolist(),
        "wall_times": times(seen.wall_times[columns]),
        "layers": seen.paths,
        "codes": [column.tobytes() for column in codes],
    }


def layer(
    index: int,
    rows: reader.Rows,
    seen: Overview,
    histograms: reader.Rows,
    probes: Sequence[ProbeRecord] = (),
    maps: Sequence[tuple[int, str, GradientMap]] = (),
    weights: reader.Rows | None = None,
    activations: reader.Rows | None = None,
) -> dict[str, Any]:
    """The answer of ``layer``.

    Args:
        index: of the layer.
        rows: statistics of its variables.
        seen: of the run.
        histograms: of the layer's variables.
        probes: of the run, by step.
        maps: of the layer, see ``reader.read_maps``.
        weights: histograms of the layer's variables themselves.
        activations: those of its output.
    """
    structure, series = seen.models.latest, seen.series
    path = structure.layers[index].path
    own = [structure.variables[i] for i in structure.rows_of_layer(index)]
    paths = [v.path for v in own]
    # A layer has a step of its own where others lost theirs, and none without variables.
    _, here, there = np.intersect1d(seen.steps, rows.steps, return_indices=True)
    values = np.full((len(seen.steps), *rows.values.shape[1:]), np.nan, np.float32)
    values[here] = rows.values[there]
    level = np.full(len(seen.steps), np.nan)
    if index in series.layers:
        level = series.level[:, series.layers.index(index)]
    return {
        "layer": path,
        "steps": seen.steps.tolist(),
        "wall_times": times(seen.wall_times),
        "variables": [
            {
                "path": v.path,
                "role": v.role,
                "shape": list(v.shape),
                **_series(values[:, i], v.size),
            }
            for i, v in enumerate(own)
        ],
        "level": numbers(level),
        "histograms": _histograms(histograms, paths),
        "weights": _histograms_if_any(weights, paths),
        "activations": _histograms_if_any(activations, [path]),
        "probe": _probe(path, seen.models, probes),
        "maps": [
            {
                "variable": path,
                "step": step,
                "shape": list(picture.shape),
                "reduced": list(picture.codes.shape[-2:]),
            }
            for step, path, picture in maps
        ],
    }


def gradient_map(step: int, variable: str, picture: GradientMap) -> dict[str, Any]:
    """The answer of ``map``."""
    return {
        "variable": variable,
        "step": step,
        "shape": list(picture.shape),
        "slices": list(picture.slices),
        "reduced": list(picture.codes.shape[-2:]),
        "scale": strict(picture.scale),
        "codes": base64.b64encode(picture.codes.tobytes()).decode("ascii"),
    }


def _probe(
    path: str, models: reader.Models, probes: Sequence[ProbeRecord]
) -> dict[str, Any] | None:
    """What the latest probe that looked at the layer ``path`` saw there."""
    for probe in reversed(probes):
        paths = [layer.path for layer in models.at(probe.step).layers]
        if path not in paths:
            continue
        index = paths.index(path)
        seen = probe.layers[index].astype(np.float64)
        if np.isnan(seen).all():
            continue
        norms = np.minimum(probe.through_time.get(index, np.empty(0)), summaries.LARGEST)
        kept = np.flatnonzero(~np.isnan(norms))
        radius = probe.spectral_radius.get(index)
        return {
            "step": probe.step,
            **dict(zip(metadata.PROBE_COLUMNS, numbers(seen), strict=True)),
            "through_time": {"steps": kept.tolist(), "norms": numbers(norms[kept])}
            if len(norms)
            else None,
            "spectral_radius": None if radius is None else numbers(np.array([radius]))[0],
        }
    return None


def _series(statistics: np.ndarray, size: int) -> dict[str, list[float | None]]:
    """Series of one variable from its statistics [T, 10]."""
    column = {name: scales.column(statistics, name) for name in metadata.STATISTICS_COLUMNS}
    norm = scales.gradient_norm(statistics)
    finite = size - column["nan_count"] - column["inf_count"]
    weight = column["weight_norm"]
    with np.errstate(divide="ignore", invalid="ignore"):
        column["rms"] = np.where(finite > 0, norm / np.sqrt(np.maximum(finite, 1)), np.nan)
        column["update_ratio"] = np.where(weight != 0, column["update_norm"] / weight, np.nan)
    column["norm"] = norm
    column["max_abs"] = scales.max_abs(statistics)
    return {
        name: numbers(column[name])
        for name in (
            "norm",
            "rms",
            "mean",
            "std",
            "max_abs",
            "zero_fraction",
            "nan_count",
            "inf_count",
            "weight_norm",
            "update_norm",
            "update_ratio",
        )
    }


def _histograms_if_any(rows: reader.Rows | None, paths: Sequence[str]) -> dict[str, Any] | None:
    return _histograms(rows, paths) if rows is not None and len(rows.steps) else None


def _histograms(rows: reader.Rows, paths: Sequence[str]) -> dict[str, Any]:
    values = rows.values.astype(np.float64)
    total = values.sum(axis=-1, keepdims=True)
    # Stored shares are rounded and at least 1 / 65535 each: divided by their sum they add up.
    shares = np.round(values / np.where(total > 0, total, 1), 6)
    negative, positive = shares[..., : bins.OCTAVES], shares[..., bins.OCTAVES : bins.ZERO]
    used = np.flatnonzero((negative + positive).any(axis=(0, 1)))
    low, high = (used[0], used[-1] + 1) if len(used) else (0, 0)
    infinite = shares[..., bins.POSITIVE_INF] + shares[..., bins.NEGATIVE_INF]
    return {
        "steps": rows.steps.tolist(),
        "log10_edges": np.round(bins.LOG10_EDGES[low : high + 1], 6).tolist(),
        "variables": [
            {
                "path": path,
                "negative": negative[:, i, low:high].tolist(),
                "positive": positive[:, i, low:high].tolist(),
                "zero": shares[:, i, bins.ZERO].tolist(),
                "nan": shares[:, i, bins.NAN].tolist(),
                "inf": infinite[:, i].tolist(),
            }
            for i, path in enumerate(paths)
        ],
    }
