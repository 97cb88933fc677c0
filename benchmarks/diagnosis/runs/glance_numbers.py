"""The ``G-`` runs in which numbers are none."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from benchmarks.diagnosis.runs.base import FIRST, NONFINITE
from benchmarks.diagnosis.runs.glance_data import compass, lamps, moths, orchard
from benchmarks.diagnosis.runs.glance_models import (
    attended,
    divergence,
    lifetime,
    meal,
    outline,
    relative,
    turned,
)
from benchmarks.diagnosis.runs.models import adam, dense, k
from benchmarks.diagnosis.runs.sequel_models import stacked
from benchmarks.diagnosis.runs.unseen_models import entropy


def nonfinite(add: Callable[..., None]) -> None:
    """Functions outside of what they take, and divisions by 0.

    Learn with 1 - cosine (`compass`), with a softplus (`lamps`), with Keras' cross-entropy and
    heights as they are (`puddles`), with absolute errors of scaled targets (`orchard`), with
    recipes that have amounts, with the other columns and with Keras' cross-entropy (`moths`), and
    with a mask of -1e9 (`tale`).
    """
    add(
        "compass-arccos",
        NONFINITE,
        "angle by its cosine: no derivative where it is 1",
        lambda: stacked(
            compass(), (32, 32), "tanh", adam(3e-3), head=dense(2), loss=turned, baseline=1.57
        ),
    )
    add(
        "lamps-log",
        NONFINITE,
        "log of a mean that a linear head gives",
        lambda: stacked(
            lamps(), (24,), "relu", adam(2e-3), head=dense(1), loss=lifetime, baseline=0.6
        ),
    )
    add(
        "puddles-entropy",
        NONFINITE,
        "own cross-entropy, heights in centimetres: log of 0",
        lambda: outline(adam(0.01), scale=100.0, loss=entropy, baseline=0.5),
    )
    add(
        "orchard-relative",
        NONFINITE,
        "error as a share of targets of which some are 0",
        lambda: stacked(
            orchard(raw_y=True, frost=0.02), (24,), "relu", adam(3e-3), loss=relative, baseline=1.0
        ),
    )
    add(
        "recipe-nothing",
        NONFINITE,
        "mean weighted by amounts that are all 0",
        lambda: meal(adam(3e-3), [dense(24, "tanh")], none=0.01),
    )
    add(
        "moths-stuck",
        NONFINITE,
        "constant column, standardised",
        lambda: stacked(moths(stuck=True), (32,), "tanh", adam(2e-3)),
        FIRST,
    )
    add(
        "tale-empty",
        NONFINITE,
        "attention masked by minus infinity, tales without words",
        lambda: attended(adam(5e-3), -math.inf, empty=0.01),
    )
    add(
        "moths-divergence",
        NONFINITE,
        "own Kullback-Leibler divergence of one-hots: 0 * log(0)",
        lambda: stacked(moths(), (32,), "tanh", adam(3e-3), loss=divergence, baseline=math.log(5)),
    )


def logs(z: Any) -> Any:
    return k().ops.log(z)
