"""The ``W-`` runs in which numbers are none."""

from __future__ import annotations

from collections.abc import Callable

from benchmarks.diagnosis.runs.base import FIRST, NONFINITE
from benchmarks.diagnosis.runs.blind_losses import (
    decibel,
    length,
    own_tanh,
    root,
    separation,
    window,
)
from benchmarks.diagnosis.runs.blind_models import cloth, elo, fit, listener, mlp, steps
from benchmarks.diagnosis.runs.models import adam, dense, opts, sgd
from benchmarks.diagnosis.runs.unseen_models import entropy, layers, own


def nonfinite(add: Callable[..., None]) -> None:
    """Functions outside of what they take, and what is missing in the data.

    Learn with what is complete; with 1e-2 added to the deviation, and 1e-3 below every root;
    without the harvests of 0; with log1p; with Keras' cross-entropy and a rate of 5e-3; with
    standardised logarithms and Keras' tanh; with a mask of -1e9.
    """
    add(
        "gait-lost",
        NONFINITE,
        "one reading of 1000 is missing",
        lambda: steps((12, 16), "relu", adam(3e-3), "gait-lost"),
        FIRST,
    )
    add(
        "gait-window",
        NONFINITE,
        "windows divided by their deviation, which is 0 at rest",
        lambda: steps((12, 16), "relu", sgd(0.02, 0.9), "gait-still", first=[own(window)]),
        FIRST,
    )
    add(
        "crops-log",
        NONFINITE,
        "logarithm of a harvest of 0",
        lambda: mlp("crops-log", 2, 32, "relu", adam(3e-3), baseline=1.0),
    )
    add(
        "chords-decibel",
        NONFINITE,
        "logarithm of a spectrum that is often 0",
        lambda: fit("chords", [own(decibel), dense(48, "relu")], adam(3e-3)),
        FIRST,
    )
    add(
        "chords-entropy",
        NONFINITE,
        "logarithm of a probability of 0",
        lambda: mlp(
            "chords",
            2,
            48,
            "relu",
            adam(0.1),
            head=dense(7, "sigmoid"),
            loss=entropy,
            baseline=0.669,
            steps=400,
        ),
    )
    add(
        "stars-own-tanh",
        NONFINITE,
        "own tanh of kelvin",
        lambda: mlp("stars-raw", 2, 32, own_tanh, opts().Nadam(2e-3)),
        FIRST,
    )
    add(
        "weaves-root",
        NONFINITE,
        "root of a ReLU: no derivative at 0",
        lambda: cloth((12, 16), None, adam(2e-3), after=lambda: [own(root)]),
    )
    add(
        "gait-apart",
        NONFINITE,
        "distances of all axes to each other, and to themselves: a root of 0",
        lambda: fit(
            "gait",
            [
                layers().Permute((2, 1)),
                dense(16, "relu"),
                own(separation),
                layers().Flatten(),
                dense(24, "relu"),
            ],
            adam(3e-3),
        ),
        FIRST,
    )
    add(
        "games-distance",
        NONFINITE,
        "distance of two players, who may be the same: a root of 0",
        lambda: elo(adam(0.02), far=length),
    )
    add(
        "melody-silence",
        NONFINITE,
        "mask of minus infinity where all is masked",
        lambda: listener(1, adam(3e-3), masked="-inf", data="melody-empty"),
    )
