"""The ``Q-`` runs in which numbers are none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.diagnosis.runs.base import FIRST, KILLED, NONFINITE
from benchmarks.diagnosis.runs.models import adam, dense, sgd
from benchmarks.diagnosis.runs.unseen_models import constant, own
from benchmarks.diagnosis.runs.veiled_data import bearing, liver, solar, wines
from benchmarks.diagnosis.runs.veiled_losses import (
    by_sum,
    divergence,
    energy,
    euclid,
    loudness,
    own_softplus,
    spread,
)
from benchmarks.diagnosis.runs.veiled_models import fit, knock, net, pair


def nonfinite(add: Callable[..., None]) -> None:
    """Functions outside of what they take, and what is missing in the data.

    Learn without the ninth column, with what is complete, with log1p, with Keras' cross-entropy,
    with 1e-6 below the root and Adam at 0.01, with standardised values (`softplus`, and `spread` of
    standardised watts), with samples of about 1 in half precision, and with 1e-3 added to the sum.
    ReLUs turn NaN into 0 on some machines, so the loss of `liver-level` and `solar-shares` may stay
    finite while weights and gradients are NaN.
    """
    add(
        "liver-level",
        NONFINITE,
        "a constant column, standardised: 0 / 0",
        lambda: net(liver(level=True), (32, 16), "relu", adam(2e-3)),
        FIRST,
    )
    add(
        "liver-ratio",
        NONFINITE,
        "quotients by a count that may be 0",
        lambda: net(liver(ratio=True), (32, 16), "tanh", sgd(0.02, 0.9)),
        FIRST,
    )
    add(
        "wines-unrated",
        NONFINITE,
        "three wines without a rating",
        lambda: net(unrated(), (32, 32), "relu", adam(2e-3), baseline=1.0),
    )
    add(
        "bearing-loudness",
        NONFINITE,
        "logarithm of samples of which some are 0",
        lambda: knock(
            (12, 16), "relu", adam(2e-3), data=bearing(muted=True), first=[own(loudness)]
        ),
        FIRST,
    )
    add(
        "taijitu-divergence",
        NONFINITE,
        "own Kullback-Leibler divergence of one-hot labels: log of 0",
        lambda: net("taijitu", (32, 32), "relu", adam(3e-3), loss=divergence, baseline=0.95),
    )
    add(
        "twins-closeness",
        NONFINITE,
        "distance of a face to itself: a root of 0",
        lambda: pair(
            adam(2e-3),
            [dense(24, "relu"), dense(8)],
            euclid,
            same=0.2,
            head=dense(1, "sigmoid", constant(-1.0), bias_initializer="ones"),
        ),
    )
    add(
        "liver-raw-softplus",
        NONFINITE,
        "own softplus of values of thousands",
        lambda: net("liver-raw", (24, 24), own_softplus, adam(1e-3)),
    )
    add(
        "bearing-half",
        NONFINITE,
        "energy in half precision, samples as 12-bit integers",
        lambda: fit(bearing(scale=1000.0), [own(energy), dense(24, "relu")], adam(2e-3)),
        FIRST,
    )
    add(
        "solar-shares",
        NONFINITE,
        "shares of a sum that is 0 at night",
        lambda: fit(
            night(), [dense(24, "relu", use_bias=False), own(by_sum), dense(24, "relu")], adam(2e-3)
        ),
    )
    add(
        "solar-watts-spread",
        KILLED,
        "likelihood with a learned variance, watts as they are",
        lambda: net(
            "solar-watts",
            (32, 32),
            "relu",
            sgd(0.01),
            head=dense(2),
            loss=spread,
            baseline=8.0,
        ),
    )


def unrated() -> Any:
    x, y = wines()
    y = y.copy()
    y[[100, 400, 700]] = np.nan
    return x, y


def night() -> Any:
    """One row in 100 without any measurement."""
    x, y = solar()
    x[::100] = 0
    return x, y
