"""The ``B-`` runs in which numbers are none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarks.diagnosis.runs.base import FIRST, NONFINITE
from benchmarks.diagnosis.runs.bundle_data import (
    bread,
    goals,
    paints,
    river,
    stones,
    storeys,
    tiles,
)
from benchmarks.diagnosis.runs.bundle_models import (
    called,
    contrast,
    distance,
    divided,
    logs,
    surprise,
    tiled,
    unsure,
    worn,
)
from benchmarks.diagnosis.runs.models import adam, dense, k
from benchmarks.diagnosis.runs.sequel_models import stacked
from benchmarks.diagnosis.runs.unseen_models import entropy, layers


def nonfinite(add: Callable[..., None]) -> None:
    """Functions outside of what they take, and divisions by 0.

    Learn with scaled values (`goals`: Adam at 3e-3), with a softplus as mean or spread (`mast`,
    `river`: Adam at 4e-3 and 5e-3), with absolute errors of scaled targets (`bread`), with Keras'
    cross-entropy (`paints`: Adam at 4e-3), with all values (`stones`), with 1e-6 below the root
    (`clothes`), with storeys as they are (`rents`), and with pixels as they are (`tiles`).
    """
    add(
        "goals-entropy",
        NONFINITE,
        "own cross-entropy, values as they are: log of 0",
        lambda: stacked(goals(raw=True), (24,), "relu", adam(), loss=entropy, baseline=0.69),
    )
    add(
        "mast-log",
        NONFINITE,
        "log of a mean that a linear head gives",
        lambda: called(adam(3e-3), dense(1)),
    )
    add(
        "bread-relative",
        NONFINITE,
        "error as a share of targets of which some are 0",
        lambda: stacked(
            bread(raw_y=True, burnt=0.02), (24,), "relu", adam(3e-3), loss=divided, baseline=1.0
        ),
    )
    add(
        "river-spread",
        NONFINITE,
        "spread of a normal distribution by a ReLU: may be 0",
        lambda: stacked(
            river(),
            (24, 24),
            "tanh",
            adam(3e-3),
            head=dense(2),
            loss=unsure(lambda s: k().ops.relu(s)),
            baseline=0.5,
        ),
    )
    add(
        "paints-surprise",
        NONFINITE,
        "own Kullback-Leibler divergence of shares that may be 0",
        lambda: stacked(
            paints(),
            (24,),
            "tanh",
            adam(3e-3),
            head=dense(3, "softmax"),
            loss=surprise,
            baseline=0.6,
        ),
    )
    add(
        "stones-gaps",
        NONFINITE,
        "some values are missing",
        lambda: stacked(stones(gaps=0.005), (24, 24), "tanh", adam(3e-3)),
        FIRST,
    )
    add(
        "clothes-distance",
        NONFINITE,
        "root of a squared distance that may be 0",
        lambda: worn(adam(3e-3), [dense(16, "tanh"), dense(8)], distance, same=0.05),
    )
    add(
        "rents-log",
        NONFINITE,
        "log of a storey that may be 0",
        lambda: stacked(storeys(), (24,), "tanh", adam(3e-3), first=[layers().Lambda(logs, (5,))]),
        FIRST,
    )
    add(
        "tiles-contrast",
        NONFINITE,
        "pictures divided by their deviation, of which some are all alike",
        lambda: tiled(
            (8, 12),
            "relu",
            adam(3e-3),
            data=tiles(blank=0.02),
            first=[layers().Activation(contrast)],
        ),
        FIRST,
    )


def likely(opt: Any) -> Any:
    """``river`` with a spread that is above 0."""
    return stacked(
        river(),
        (32, 32),
        "tanh",
        opt,
        head=dense(2),
        loss=unsure(lambda s: k().ops.softplus(s) + 1e-3),
        baseline=0.5,
    )
