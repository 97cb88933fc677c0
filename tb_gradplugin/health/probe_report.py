"""A probe in a report: what one look inside a train step told of each layer."""

from __future__ import annotations

import dataclasses
from typing import Any

from tb_gradplugin import metadata, summaries
from tb_gradplugin.records import ProbeRecord


@dataclasses.dataclass(frozen=True)
class ProbeReport:
    """A probe and the layers that its rows belong to.

    Attributes:
        layers: paths, in forward order.
        record: the numbers.
    """

    layers: tuple[str, ...]
    record: ProbeRecord

    def to_dict(self) -> dict[str, Any]:
        """As in the report's JSON; null for what is not known."""
        record = self.record
        moments = ("mean", "std", "max")
        layers = []
        for i, path in enumerate(self.layers):
            row = summaries.numbers(record.layers[i])
            entry: dict[str, Any] = {
                "path": path,
                **dict(zip(metadata.PROBE_COLUMNS, row, strict=True)),
            }
            if i in record.through_time:
                entry["through_time"] = summaries.time_json(record.through_time[i])
            if i in record.spectral_radius:
                entry["spectral_radius"] = summaries.numbers([record.spectral_radius[i]])[0]
            layers.append(entry)
        return {
            "step": record.step,
            "samples": record.samples,
            "inputs": dict(zip(moments, summaries.numbers(record.inputs), strict=True)),
            "targets": dict(zip(moments, summaries.numbers(record.targets), strict=True)),
            "layers": layers,
        }
