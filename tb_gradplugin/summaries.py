"""Encodes records as TensorBoard summaries and decodes what a reader finds under their tags.

``docs/data_format.md`` describes the format.  Tensors are built as protobuf messages directly.
"""

# pyright: reportAttributeAccessIssue=false
# (TensorBoard's generated protobuf modules carry no types.)

from __future__ import annotations

import base64
import json
import zlib
from typing import Any

import numpy as np
from tensorboard.compat.proto import event_pb2, summary_pb2, tensor_pb2, tensor_shape_pb2, types_pb2
from tensorboard.plugins.histogram import metadata as histogram_metadata
from tensorboard.plugins.scalar import metadata as scalar_metadata

from tb_gradplugin import bins, metadata
from tb_gradplugin.gradient_map import GradientMap
from tb_gradplugin.health.report import RunHealth
from tb_gradplugin.records import ProbeRecord, StepRecord, kept_time_steps
from tb_gradplugin.structure import ModelStructure

_DTYPES = {
    "float32": types_pb2.DT_FLOAT,
    "float64": types_pb2.DT_DOUBLE,
    "uint16": types_pb2.DT_UINT16,
    "int64": types_pb2.DT_INT64,
}
_LITTLE_ENDIAN = {name: np.dtype(name).newbyteorder("<") for name in _DTYPES}
_CONTENT = json.dumps({"schema": metadata.SCHEMA_VERSION}).encode("ascii")
_METADATA = {
    plugin: summary_pb2.SummaryMetadata(
        data_class=summary_pb2.DATA_CLASS_TENSOR,
        plugin_data=summary_pb2.SummaryMetadata.PluginData(plugin_name=plugin, content=_CONTENT),
    )
    for plugin in (metadata.PLUGIN_NAME, metadata.HISTOGRAM_PLUGIN_NAME)
}

LARGEST = float(np.finfo(np.float32).max)
"""Stands for Inf in the JSON of a probe; JSON has no such number."""


class DataError(ValueError):
    """Data under one of our tags is not what the format says; the message is one sentence."""


# Encoding


def _tensor(array: np.ndarray, dtype: str) -> tensor_pb2.TensorProto:
    array = np.asarray(array, dtype=_LITTLE_ENDIAN[dtype])
    return tensor_pb2.TensorProto(
        dtype=_DTYPES[dtype],
        tensor_shape=tensor_shape_pb2.TensorShapeProto(
            dim=[tensor_shape_pb2.TensorShapeProto.Dim(size=n) for n in array.shape]
        ),
        tensor_content=array.tobytes(),
    )


def _text(text: str) -> tensor_pb2.TensorProto:
    return tensor_pb2.TensorProto(
        dtype=types_pb2.DT_STRING,
        tensor_shape=tensor_shape_pb2.TensorShapeProto(),
        string_val=[text.encode("utf-8", "replace")],
    )


def _value(
    tag: str, tensor: tensor_pb2.TensorProto, plugin: str = metadata.PLUGIN_NAME
) -> summary_pb2.Summary.Value:
    return summary_pb2.Summary.Value(tag=tag, tensor=tensor, metadata=_METADATA[plugin])


def _blocks(tag: str, rows: np.ndarray, dtype: str, plugin: str) -> list[summary_pb2.Summary.Value]:
    starts = range(0, max(len(rows), 1), metadata.BLOCK_SIZE)  # also an empty tensor is written
    return [
        _value(
            metadata.block_tag(tag, block),
            _tensor(rows[start : start + metadata.BLOCK_SIZE], dtype),
            plugin,
        )
        for block, start in enumerate(starts)
    ]


def values_event(
    step: int, wall_time: float, values: list[summary_pb2.Summary.Value]
) -> event_pb2.Event:
    """An event of ``values``, such as ``scalar_value`` gives."""
    summary = summary_pb2.Summary(value=values)
    return event_pb2.Event(step=step, wall_time=wall_time, summary=summary)


def step_event(record: StepRecord, health: RunHealth) -> event_pb2.Event:
    """One logged step: statistics, training scalars, health so far, histograms when present."""
    values = _blocks(metadata.STATISTICS_TAG, record.statistics, "float32", metadata.PLUGIN_NAME)
    values.append(_value(metadata.TRAINING_TAG, _tensor(record.training, "float64")))
    values.append(_value(metadata.HEALTH_TAG, _text(json.dumps(health.to_dict()))))
    if record.histograms is not None:
        values += _blocks(
            metadata.HISTOGRAMS_TAG, record.histograms, "uint16", metadata.HISTOGRAM_PLUGIN_NAME
        )
    return values_event(record.step, record.wall_time, values)


def weights_event(step: int, wall_time: float, shares: np.ndarray) -> event_pb2.Event:
    """Histograms of the weights after ``step``: uint16 [variables, BINS], see ``bins.fold``."""
    plugin = metadata.HISTOGRAM_PLUGIN_NAME
    return values_event(step, wall_time, _blocks(metadata.WEIGHTS_TAG, shares, "uint16", plugin))


def probe_event(probe: ProbeRecord) -> event_pb2.Event:
    """What was seen inside one step, with the outputs' histograms when present."""
    values = [_value(metadata.PROBE_TAG, _text(probe_json(probe)))]
    if probe.histograms is not None:
        plugin = metadata.HISTOGRAM_PLUGIN_NAME
        values += _blocks(metadata.ACTIVATIONS_TAG, probe.histograms, "uint16", plugin)
    return values_event(probe.step, probe.wall_time, values)


def probe_json(probe: ProbeRecord) -> str:
    """Compact JSON: null for NaN, the largest float32 for Inf; ``decode_probe`` reads it back."""
    data = {
        "samples": probe.samples,
        "inputs": numbers(probe.inputs),
        "targets": numbers(probe.targets),
        "layers": [numbers(row) for row in probe.layers],
        "through_time": {str(i): time_json(norms) for i, norms in probe.through_time.items()},
        "spectral_radius": {str(i): numbers([r])[0] for i, r in probe.spectral_radius.items()},
    }
    return json.dumps(data, separators=(",", ":"), allow_nan=False)


def time_json(norms: np.ndarray) -> dict[str, Any]:
    """Norms at the time steps of a probe that were kept, and the number of all of them."""
    kept = kept_time_steps(len(norms))
    return {"length": len(norms), "steps": kept.tolist(), "norms": numbers(norms[kept])}


def numbers(values: Any) -> list[float | None]:
    """As JSON has them, with the digits that float32 holds: null for NaN, ``LARGEST`` for Inf."""
    wide = np.clip(np.asarray(values, np.float64), -LARGEST, LARGEST)
    return [None if np.isnan(v) else float(f"{v:.9g}") for v in wide]


def map_event(
    variable: str, row: int, picture: GradientMap, step: int, wall_time: float
) -> event_pb2.Event:
    """The picture of the gradient of ``variable``, which is the structure's ``row``-th."""
    data = {
        "variable": variable,
        "shape": picture.shape,
        "slices": picture.slices,
        "reduced": picture.codes.shape[-2:],
        "scale": picture.scale,
        "codes": base64.b64encode(zlib.compress(picture.codes.tobytes())).decode("ascii"),
    }
    value = _value(f"{metadata.MAP_TAG}/{row}", _text(json.dumps(data)))
    return values_event(step, wall_time, [value])


def model_event(structure: ModelStructure, step: int, wall_time: float) -> event_pb2.Event:
    """The structure that holds from ``step`` on."""
    value = _value(metadata.MODEL_TAG, _text(structure.to_json()))
    return values_event(step, wall_time, [value])


def health_event(step: int, wall_time: float, health: RunHealth) -> event_pb2.Event:
    """Health between logged steps: what the end of an epoch told."""
    value = _value(metadata.HEALTH_TAG, _text(json.dumps(health.to_dict())))
    return values_event(step, wall_time, [value])


def fit_event(first_step: int, step: int, wall_time: float) -> event_pb2.Event:
    """End, with ``step``, of a fit that began with ``first_step``."""
    tensor = _tensor(np.asarray(first_step), "int64")
    value = _value(metadata.FIT_TAG, tensor)
    return values_event(step, wall_time, [value])


def validation_event(step: int, loss: float, wall_time: float) -> event_pb2.Event:
    """Loss of held-back data after an epoch that ended with ``step``."""
    value = _value(metadata.VALIDATION_TAG, _tensor(np.asarray(loss), "float64"))
    return values_event(step, wall_time, [value])


def session_start_event(step: int, wall_time: float) -> event_pb2.Event:
    """Start of a fit whose first step is ``step``: older points from there on are void."""
    log = event_pb2.SessionLog(status=event_pb2.SessionLog.START)
    return event_pb2.Event(step=step, wall_time=wall_time, session_log=log)


def scalar_value(tag: str, value: float) -> summary_pb2.Summary.Value:
    """A float32 scalar for TensorBoard's own Scalars tab."""
    meta = scalar_metadata.create_summary_metadata(display_name="", description="")
    meta.data_class = summary_pb2.DATA_CLASS_SCALAR
    return summary_pb2.Summary.Value(
        tag=tag, metadata=meta, tensor=_tensor(np.asarray(value), "float32")
    )


def stock_histogram_value(tag: str, buckets: np.ndarray) -> summary_pb2.Summary.Value:
    """A histogram for TensorBoard's own Histograms and Distributions tabs.

    Args:
        tag: name of the time series.
        buckets: [k, 3], rows of (left edge, right edge, count).
    """
    buckets = np.asarray(buckets)
    if buckets.ndim != 2 or buckets.shape[1] != 3:
        raise ValueError(f"`buckets` (of shape {buckets.shape}) must have the shape [k, 3]")
    meta = histogram_metadata.create_summary_metadata(display_name="", description="")
    meta.data_class = summary_pb2.DATA_CLASS_TENSOR
    return summary_pb2.Summary.Value(tag=tag, metadata=meta, tensor=_tensor(buckets, "float64"))


# Decoding


def check_schema(content: bytes) -> None:
    """Checks the plugin content of a tag's metadata.

    Raises:
        DataError: it is not ours, or written by a newer version.
    """
    try:
        schema = json.loads(content)["schema"]
    except (ValueError, TypeError, KeyError, IndexError):
        schema = None
    if not isinstance(schema, int) or isinstance(schema, bool) or schema < 1:
        raise DataError("was not written by this plugin")
    if schema > metadata.SCHEMA_VERSION:
        raise DataError(
            f"was written by a newer version (schema {schema}, this one reads up to "
            f"{metadata.SCHEMA_VERSION}); update tb-gradplugin"
        )


def _checked(array: np.ndarray, dtype: str, columns: int, rank: int) -> np.ndarray:
    if array.dtype != dtype or array.ndim != rank or array.shape[-1] != columns:
        wanted = "[variables, " * (rank == 2) + "[" * (rank == 1) + f"{columns}]"
        raise DataError(
            f"holds {array.dtype}{list(array.shape)} where {dtype} {wanted} was expected"
        )
    return array


def decode_statistics(array: np.ndarray) -> np.ndarray:
    """float32 [variables of the block, 10], unchanged; DataError if it is something else."""
    return _checked(array, "float32", len(metadata.STATISTICS_COLUMNS), 2)


def decode_histograms(array: np.ndarray) -> np.ndarray:
    """uint16 [rows of the block, 200], unchanged; DataError if it is something else."""
    return _checked(array, "uint16", bins.BINS, 2)


def decode_training(array: np.ndarray) -> np.ndarray:
    """float64 [7], unchanged; DataError if it is something else."""
    return _checked(array, "float64", len(metadata.TRAINING_COLUMNS), 1)


def decode_fit(array: np.ndarray) -> int:
    """The first step of a fit; DataError if it is something else."""
    return int(_checked_scalar(array, "int64"))


def decode_validation(array: np.ndarray) -> float:
    """The loss of held-back data; DataError if it is something else."""
    return float(_checked_scalar(array, "float64"))


def _checked_scalar(array: np.ndarray, dtype: str) -> np.ndarray:
    if array.dtype != dtype or array.ndim:
        raise DataError(f"holds {array.dtype}{list(array.shape)} where {dtype} was expected")
    return array


def decode_probe(array: np.ndarray, step: int, wall_time: float, layers: int) -> ProbeRecord:
    """The probe from the string scalar; DataError if it is something else.

    Args:
        array: the string scalar.
        step: of its event.
        wall_time: of its event.
        layers: number of layers of the structure that holds at ``step``.
    """
    text = _decode_text(array)
    try:
        data = json.loads(text)
        _expect(data["samples"], int)
        return ProbeRecord(
            step=step,
            wall_time=wall_time,
            samples=data["samples"],
            layers=_table(data["layers"], (layers, len(metadata.PROBE_COLUMNS)), np.float32),
            inputs=_table(data["inputs"], (3,), np.float64),
            targets=_table(data["targets"], (3,), np.float64),
            through_time={
                _index(i, layers): _decode_time(t) for i, t in data["through_time"].items()
            },
            spectral_radius={
                _index(i, layers): float(_table([r], (1,), np.float64)[0])
                for i, r in data["spectral_radius"].items()
            },
        )
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError) as e:
        raise DataError(f"does not hold a probe of this model: {e!r}") from e


def decode_map(array: np.ndarray) -> tuple[str, GradientMap]:
    """Path of the variable and its picture; DataError if it is something else."""
    text = _decode_text(array)
    try:
        data = json.loads(text)
        _expect(data["variable"], str)
        slices = tuple(data["slices"])
        codes = np.frombuffer(zlib.decompress(base64.b64decode(data["codes"])), np.int8)
        codes = codes.reshape(*slices, *data["reduced"])
        picture = GradientMap(tuple(data["shape"]), slices, float(data["scale"]), codes)
    except (ValueError, TypeError, KeyError, AttributeError, zlib.error) as e:
        raise DataError(f"does not hold a gradient map: {e!r}") from e
    return data["variable"], picture


def _table(values: Any, shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    """Array of ``shape`` from nested lists of numbers and null."""
    found = np.array(values, dtype=object)
    if found.size == 0:
        found = found.reshape([0, *shape[1:]])
    if found.shape != shape:
        raise ValueError(f"shape {found.shape} where {shape} was expected")
    for value in found.flat:
        _expect(value, int, float, type(None))
    out = found.astype(np.float64)
    return np.where(np.abs(out) >= LARGEST, np.copysign(np.inf, out), out).astype(dtype)


def _index(text: str, layers: int) -> int:
    index = int(text)
    if not 0 <= index < layers:
        raise ValueError(f"no layer {index}")
    return index


def _decode_time(data: dict[str, Any]) -> np.ndarray:
    _expect(data["length"], int)
    if not 0 < data["length"] < 2**24:
        raise ValueError(f"a sequence of length {data['length']}")
    steps = data["steps"]
    for step in steps:
        _expect(step, int)
        if not 0 <= step < data["length"]:
            raise ValueError(f"no time step {step}")
    out = np.full(data["length"], np.nan, np.float32)
    out[steps] = _table(data["norms"], (len(steps),), np.float32)
    return out


def _decode_text(array: np.ndarray) -> str:
    item = array.item() if array.ndim == 0 else None
    if not isinstance(item, bytes):
        raise DataError(f"holds {array.dtype}{list(array.shape)} where a string was expected")
    return item.decode("utf-8", "replace")


def decode_health(array: np.ndarray) -> RunHealth:
    """Health from the string scalar; DataError if it is something else."""
    text = _decode_text(array)
    try:
        health = RunHealth.from_dict(json.loads(text))
        _check_health(health)
    except (ValueError, TypeError, KeyError, AttributeError) as e:
        raise DataError(f"does not hold the health of a run: {e!r}") from e
    return health


def _check_health(health: RunHealth) -> None:
    for step in (health.first_step, health.last_step):
        _expect(step, int, type(None))
    _expect(health.logged, int)
    for f in health.findings:
        for text in (f.kind, f.severity, f.cause, f.cause_id, *f.layers):
            _expect(text, str)
        for remedy in f.remedies:
            for text in (remedy.title, remedy.why, remedy.snippet, remedy.id):
                _expect(text, str)
        _expect(f.since_step, int)
        _expect(f.last_step, int)
        _expect(f.active, bool)
        _expect(f.evidence, dict)
    for note in health.notes:
        for text in (note.kind, note.cause):
            _expect(text, str)
        _expect(note.since_step, int)
        _expect(note.evidence, dict)


def _expect(value: Any, *types: type) -> None:
    if not isinstance(value, types) or (isinstance(value, bool) and bool not in types):
        raise TypeError(f"unexpected {value!r}")


def decode_model(array: np.ndarray) -> ModelStructure:
    """Structure from the string scalar; DataError if it is something else."""
    text = _decode_text(array)
    try:
        structure = ModelStructure.from_json(text)
        for layer in structure.layers:
            _expect(layer.path, str)
            _expect(layer.type, str)
            _expect(layer.parameters, int)
        for variable in structure.variables:
            _expect(variable.path, str)
            _expect(variable.role, str)
            _expect(variable.layer, int)
            for n in variable.shape:
                _expect(n, int)
            if not 0 <= variable.layer < len(structure.layers):
                raise ValueError(f"no layer {variable.layer}")
    except (ValueError, TypeError) as e:
        raise DataError(f"does not hold a model's structure: {e}") from e
    return structure
