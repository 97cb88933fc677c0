"""The ``V-`` runs in which numbers are none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarks.diagnosis.runs.base import FIRST, NONFINITE
from benchmarks.diagnosis.runs.models import adam, dense, k, opts, sgd
from benchmarks.diagnosis.runs.reserve_models import (
    constant_column,
    deviation,
    divergence,
    fit,
    labels,
    log_variance,
    mean_where,
    overlap,
    own_softplus,
    per_kilometre,
    pictures,
    plain,
    pooled,
    power,
    relative,
    sounds,
)
from benchmarks.diagnosis.runs.unseen_models import entropy, layers, own


def nonfinite(add: Callable[..., None]) -> None:
    """Functions outside of what they take, and what is missing in the data.

    Learn without the column; with one call more and batch normalisation; without the shift and the
    power; with standardised features and Keras' softplus; with a floor of 1; with Keras'
    cross-entropies (`genres`: a rate of 0.01); with the smooth Dice loss; with standardised targets
    and Adam at 3e-3; with an epsilon of 1e-3; with a divisor of at least 1; with log1p and batch
    normalisation.
    """
    add(
        "trips-constant",
        NONFINITE,
        "a column that never changes, divided by its deviation",
        lambda: fit(constant_column("trips"), [dense(32, "relu")], adam(3e-3)),
        FIRST,
    )
    add(
        "churn-ratio",
        NONFINITE,
        "division by a number of calls that is often 0",
        lambda: fit("churn-raw", [own(per_kilometre), dense(24, "relu")], opts().Nadam(2e-3)),
        FIRST,
    )
    add(
        "shapes-gamma",
        NONFINITE,
        "power of 0.45 of pixels below zero",
        lambda: pictures((12, 16), "relu", adam(2e-3), "shapes-shifted", first=[own(power)]),
        FIRST,
    )
    add(
        "churn-softplus",
        NONFINITE,
        "own softplus of raw features",
        lambda: plain("churn-raw", 2, 24, own_softplus, adam(2e-3)),
        FIRST,
    )
    add(
        "sales-relative",
        NONFINITE,
        "relative error of targets of 0",
        lambda: plain("sales", 2, 30, "relu", adam(3e-3), loss=relative, baseline=1.0),
    )
    add(
        "shells-divergence",
        NONFINITE,
        "0 * log 0 in a divergence",
        lambda: plain("shells", 2, 30, "tanh", adam(3e-3), loss=divergence, baseline=1.386),
    )
    add(
        "genres-entropy",
        NONFINITE,
        "log of a probability of 0",
        lambda: labels(adam(0.1), loss=entropy, baseline=0.66),
    )
    add(
        "genres-dice",
        NONFINITE,
        "log of an overlap with nothing",
        lambda: labels(adam(3e-3), loss=overlap, baseline=0.9),
    )
    add(
        "trips-variance",
        NONFINITE,
        "exp of a variance's logarithm, targets in seconds",
        lambda: plain(
            "trips-rawy", 2, 32, "relu", sgd(1e-3), head=dense(2), loss=log_variance, baseline=7.5
        ),
    )
    add(
        "tones-deviation",
        NONFINITE,
        "root of the variance of silence",
        lambda: sounds(3, "relu", adam(2e-3), "tones-silence", pool=deviation()),
    )
    add(
        "mail-mean",
        NONFINITE,
        "mean over the words of an empty letter",
        lambda: pooled(adam(3e-3), "mail-empty", mean_where("not_equal", 0.0)),
    )
    add(
        "weather-log",
        NONFINITE,
        "log of sunshine at night",
        lambda: fit("weather-rawx", [own(logs), layers().Flatten(), dense(32, "relu")], adam(2e-3)),
        FIRST,
    )


def logs(z: Any) -> Any:
    return k().ops.log(z)
