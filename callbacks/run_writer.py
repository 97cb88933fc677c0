"""Writes one run's events; a disk or store that fails costs one warning and data, nothing else."""

# pyright: reportAttributeAccessIssue=false
# (TensorBoard's generated protobuf modules carry no types.)

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary

from tb_gradplugin import stores, summaries
from tb_gradplugin.event_files import EventFileWriter
from tb_gradplugin.gradient_map import GradientMap
from tb_gradplugin.health.report import RunHealth
from tb_gradplugin.records import ProbeRecord, StepRecord
from tb_gradplugin.structure import ModelStructure

from .store_writer import WAITING_BYTES, StoreWriter


class RunWriter:
    """Event file of one run, opened at the first event of a fit.

    Writing to a local directory is unbuffered: a process that is killed loses nothing written
    before. To a URL whole files are written now and then by a thread (``StoreWriter``), and early
    when a finding is new.

    Args:
        directory: where the event files go, a local path or a URL; made when needed.
        warn: called with a message when writing fails. Local: after that nothing is written until
            the next fit. URL: once in the life of this object.
    """

    def __init__(self, directory: str, warn: Callable[[str], None]):
        self.silent = False
        """Whether nothing is to be written, since another process does."""
        self._directory = directory
        self._warn = warn
        self._writer: EventFileWriter | StoreWriter | None = None
        self._findings = 0  # written so far
        self._news = False
        self._told = False
        self._held: list[Event] | None = None
        self._failed = False

    @contextlib.contextmanager
    def together(self) -> Iterator[None]:
        """What is written inside is written at its end, at once."""
        self._held = []
        try:
            yield
        finally:
            held, self._held = self._held, None
            if held:
                self._put(held)

    def begin(self, step: int) -> None:
        """Starts a fit whose first step is ``step``: older points from there on are replaced."""
        self._failed = False
        self._write(lambda: summaries.session_start_event(step, time.time()))

    def write_structure(self, structure: ModelStructure, step: int) -> None:
        """The model's structure, valid from ``step`` on."""
        self._write(lambda: summaries.model_event(structure, step, time.time()))

    def write_step(self, record: StepRecord, health: RunHealth) -> None:
        """One logged step and the findings so far, and the batch loss as a standard scalar."""

        def make() -> Event:
            event = summaries.step_event(record, health)
            loss = record.scalar("loss")
            if math.isfinite(loss):
                event.summary.value.append(summaries.scalar_value("batch_loss", loss))
            return event

        self._news |= len(health.findings) > self._findings
        self._findings = len(health.findings)
        self._write(make)

    def write_probe(self, probe: ProbeRecord) -> None:
        """What was seen inside one step."""
        self._write(lambda: summaries.probe_event(probe))

    def write_health(self, step: int, health: RunHealth) -> None:
        """The findings and notes so far, between logged steps."""
        self._write(lambda: summaries.health_event(step, time.time(), health))

    def write_validation(self, step: int, loss: float) -> None:
        """The loss of held-back data after an epoch that ended with ``step``."""
        self._write(lambda: summaries.validation_event(step, loss, time.time()))

    def write_fit(self, first_step: int, step: int) -> None:
        """A fit that began with ``first_step`` ended with ``step``."""
        self._write(lambda: summaries.fit_event(first_step, step, time.time()))

    def write_map(self, step: int, path: str, row: int, picture: GradientMap) -> None:
        """The picture of the gradient of the variable ``path``, the structure's ``row``-th."""
        self._write(lambda: summaries.map_event(path, row, picture, step, time.time()))

    def write_epoch(self, step: int, logs: dict[str, Any], learning_rate: float) -> None:
        """Keras's epoch logs as standard scalars."""
        numbers = {**logs, "learning_rate": learning_rate}
        self.write_scalars(step, {f"epoch_{name}": value for name, value in numbers.items()})

    def write_scalars(self, step: int, numbers: dict[str, Any]) -> None:
        """Standard scalars by name; what is no finite number is left out."""
        values = {name: as_number(number) for name, number in numbers.items()}
        self._write_values(
            step,
            [
                summaries.scalar_value(name, value)
                for name, value in values.items()
                if math.isfinite(value)
            ],
        )

    def write_stock_histograms(
        self,
        gradient_step: int,
        weight_step: int,
        paths: list[str],
        gradients: np.ndarray,
        weights: np.ndarray,
    ) -> None:
        """Standard histograms, [variables, buckets, 3] of (left, right, count) each."""
        for step, prefix, tables in (
            (gradient_step, "gradients_of", gradients),
            (weight_step, "weights_of", weights),
        ):
            self._write_values(
                step,
                [
                    summaries.stock_histogram_value(f"{prefix}/{path}", table)
                    for path, table in zip(paths, tables, strict=True)
                ],
            )

    def write_weights(self, step: int, shares: np.ndarray) -> None:
        """Histograms of the weights after ``step``, uint16 [variables, BINS]."""
        self._write(lambda: summaries.weights_event(step, time.time(), shares))

    def close(self) -> None:
        """Closes the file; the next ``begin`` opens a new one."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def _write_values(self, step: int, values: Iterable[Summary.Value]) -> None:
        values = list(values)
        if values:
            self._write(lambda: summaries.values_event(step, time.time(), values))

    def _write(self, make: Callable[[], Event]) -> None:
        if self._failed or self.silent:
            return
        if self._held is None:
            self._put([make()])
        else:
            self._held.append(make())

    def _put(self, events: list[Event]) -> None:
        try:
            if self._writer is None:
                if stores.is_url(self._directory):
                    self._writer = StoreWriter(self._directory, self._warn_of_store)
                else:
                    self._writer = EventFileWriter(self._directory)
            self._writer.write(*events)
            if self._news and isinstance(self._writer, StoreWriter):
                self._writer.flush()
            self._news = False
        except OSError as error:
            self._failed = True
            self.close()
            self._warn(
                f"cannot write to {self._directory!r} ({error}); "
                "training goes on, findings are still shown here."
            )

    def _warn_of_store(self, why: str) -> None:
        if not self._told:
            self._told = True
            self._warn(
                f"cannot write to {self._directory!r} ({why}); training goes "
                f"on, findings are still shown here. Up to {WAITING_BYTES >> 20} MiB are kept and "
                "tried again; steps beyond that are lost."
            )


def as_number(value: Any) -> float:
    """``value`` as a float; NaN for what is none, such as text that another callback logs."""
    try:
        return float(value) if np.ndim(value) == 0 else math.nan
    except (TypeError, ValueError):
        return math.nan
