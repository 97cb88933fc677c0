"""The catalogue of labelled runs, a file a family."""

from __future__ import annotations

from benchmarks.diagnosis.runs import (
    autotrainer,
    blind,
    bundle,
    controls,
    draw,
    envoy,
    faults,
    fresh,
    glance,
    holdout,
    reserve,
    sealed,
    sequel,
    stackoverflow,
    thedeepchecker,
    traps,
    trove,
    unseen,
    veiled,
)
from benchmarks.diagnosis.runs.base import Run

FAMILIES = (
    autotrainer,
    stackoverflow,
    thedeepchecker,
    faults,
    controls,
    fresh,
    traps,
    holdout,
    unseen,
    sealed,
    reserve,
    blind,
    veiled,
    sequel,
    glance,
    bundle,
    draw,
    envoy,
    trove,
)


def catalogue() -> list[Run]:
    """All runs, in the order of the files; ids are unique.  Building one needs Keras, this not."""
    runs = [run for family in FAMILIES for run in family.runs()]
    assert len({run.id for run in runs}) == len(runs)
    return runs
