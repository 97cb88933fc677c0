"""The ``T-`` runs: a hold-out by an author who knew neither rules nor remedies nor other parts."""

from __future__ import annotations

from benchmarks.diagnosis.runs import (
    trove_cut,
    trove_fine,
    trove_flow,
    trove_healthy,
    trove_numbers,
    trove_pace,
    trove_rates,
    trove_sequences,
)
from benchmarks.diagnosis.runs.base import Run

_PARTS = (
    trove_flow,
    trove_cut,
    trove_pace,
    trove_numbers,
    trove_rates,
    trove_sequences,
    trove_healthy,
    trove_fine,
)


def runs() -> list[Run]:
    return [run for part in _PARTS for run in part.runs()]
