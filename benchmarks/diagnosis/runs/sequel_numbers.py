"""The ``K-`` runs in which numbers are none."""

from __future__ import annotations

from collections.abc import Callable

from benchmarks.diagnosis.runs.base import FIRST, NONFINITE
from benchmarks.diagnosis.runs.models import adam, dense, sgd
from benchmarks.diagnosis.runs.sequel_data import bikes, churn, hearts, shell
from benchmarks.diagnosis.runs.sequel_models import (
    beat,
    cosine,
    inverse,
    match,
    mixture,
    rooted,
    stacked,
    windowed,
)
from benchmarks.diagnosis.runs.unseen_models import own


def nonfinite(add: Callable[..., None]) -> None:
    """Functions outside of what they take, and what is missing in the data.

    Learn with log1p (Adam at 5e-3), with what is complete, with players who have skills, with 1e-3
    below the root, with 0.01 added to the deviation, with standardised hours instead of inverses,
    and with ``logsumexp`` of standardised counts.  ReLUs turn NaN into 0 on some machines, so the
    loss of `shell-rooted` may stay finite while weights and gradients are NaN.
    """
    add(
        "bikes-logs",
        NONFINITE,
        "logarithms of counts of which some are 0, as targets",
        lambda: stacked(bikes(logs=True), (32, 32), "relu", adam(2e-3), loss="mse", baseline=1.0),
    )
    add(
        "churn-gaps",
        NONFINITE,
        "one value in 200 is missing",
        lambda: stacked(churn(gaps=0.005), (32, 16), "tanh", adam(2e-3)),
        FIRST,
    )
    add(
        "duel-newcomers",
        NONFINITE,
        "own cosine, players without any skills",
        lambda: match(
            adam(3e-3),
            [dense(24, "tanh", use_bias=False), dense(8, use_bias=False)],
            cosine,
            empty=0.02,
        ),
    )
    add(
        "shell-rooted",
        NONFINITE,
        "root of a ReLU as activation",
        lambda: stacked(shell(), (32, 32), rooted, adam(2e-3)),
    )
    add(
        "hearts-flat",
        NONFINITE,
        "windows standardised one by one, some of which are flat",
        lambda: beat(
            (8, 12), "tanh", sgd(0.02, 0.9), data=hearts(flat=0.03), first=[own(windowed)]
        ),
        FIRST,
    )
    add(
        "bikes-inverse",
        NONFINITE,
        "inverse of the hour, which may be 0",
        lambda: stacked(bikes(raw_x=True), (32, 16), "tanh", adam(2e-3), first=[own(inverse)]),
        FIRST,
    )
    add(
        "bikes-mixture",
        NONFINITE,
        "mixture of densities of counts as they are: log of 0",
        lambda: stacked(
            bikes(raw_y=True), (32, 32), "tanh", adam(2e-3), head=dense(6), loss=mixture, baseline=6
        ),
    )
