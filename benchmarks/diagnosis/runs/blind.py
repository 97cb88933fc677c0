"""The ``W-`` runs: the hold-out part, written by someone who had read neither rules nor remedies.

Mistakes that people make most often with Keras, on data and models that no other part has.  Every
sick run is a task that can be learned: each group says with what, which was tried.  Labels were
checked against outcomes only.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarks.diagnosis.runs import blind_flow, blind_large, blind_numbers
from benchmarks.diagnosis.runs.base import LAST, SHUT, SLOW, STALLED, Family
from benchmarks.diagnosis.runs.blind_healthy import healthy
from benchmarks.diagnosis.runs.blind_models import (
    bound,
    elo,
    fit,
    listener,
    mlp,
    steps,
    tune,
)
from benchmarks.diagnosis.runs.models import adam, dense, k, opts, sgd, warm_up
from benchmarks.diagnosis.runs.unseen import HELD_DOWN
from benchmarks.diagnosis.runs.unseen_models import layers, rates


def runs() -> list[Any]:
    """Healthy ones first."""
    family = Family("W-")
    add = family.sick
    healthy(family.fine)
    blind_flow.vanishing(add)
    blind_flow.uniformly(add)
    blind_flow.through_time(add)
    blind_large.exploding(add)
    blind_large.dead(add)
    blind_numbers.nonfinite(add)
    slow(add)
    stalled(add)
    return family.runs


def slow(add: Callable[..., None]) -> None:
    """Steps that are too small.

    Learn with SGD at 0.1 (`melody`: 0.5, not clipped; `games`: 1) and a momentum of 0.9, Adam at
    3e-3 to 5e-3 and its usual epsilon, Adagrad at 0.05, a warm-up of 50 steps, a decay of 5 %
    every 20 steps, and standardised targets.
    """
    add(
        "petals-sgd1e-6",
        SLOW,
        "rate of 1e-6",
        lambda: mlp("petals", 2, 32, "relu", sgd(1e-6, 0.9)),
    )
    add(
        "throws-warm-up",
        SLOW,
        "warm-up of ten million steps",
        lambda: mlp("throws", 3, 32, "gelu", warm_up(3e-3, 10_000_000)),
    )
    add(
        "throws-metres",
        SLOW,
        "targets in metres, usual rate",
        lambda: mlp("throws-metres", 2, 24, "tanh", adam(5e-4)),
    )
    add(
        "gait-decay",
        SLOW,
        "rate that is halved every step, meant as every epoch",
        lambda: steps((12, 16), "relu", sgd(rates().ExponentialDecay(0.02, 1, 0.5))),
    )
    add(
        "crops-adagrad",
        SLOW,
        "Adagrad at a rate of 1e-5",
        lambda: mlp("crops", 2, 32, "elu", opts().Adagrad(1e-5)),
    )
    add(
        "melody-clip",
        SLOW,
        "values clipped to 1e-6",
        lambda: tune(
            [layers().GlobalAveragePooling1D(), dense(24, "relu")], sgd(0.1, clipvalue=1e-6)
        ),
    )
    add(
        "games-sgd",
        SLOW,
        "embeddings at a rate of 1e-3, no momentum",
        lambda: elo(sgd(1e-3)),
    )
    add(
        "molecules-epsilon",
        SLOW,
        "epsilon of Adam of 1e4, meant as 1e-4",
        lambda: bound(3, "relu", adam(3e-3, epsilon=1e4), "mean"),
    )


def stalled(add: Callable[..., None]) -> None:
    """Heads, penalties, noise and data that do not let the loss fall.

    Learn with standardised targets and a linear head, a sigmoid, a softmax, notes that are in their
    order and known, and without penalties, constraints and noise (`chords`: a dropout of 0.01).
    """
    regular = lambda: k().regularizers
    add(
        "crops-tanh-head",
        (*SHUT, "slow"),
        "tanh for kilograms",
        lambda: mlp("crops-rawy", 2, 32, "relu", adam(3e-3), head=dense(1, "tanh")),
        LAST,
    )
    add(
        "petals-tanh-head",
        SHUT,
        "tanh on the output, cross-entropy",
        lambda: mlp("petals", 3, 32, "relu", sgd(0.1, 0.9), head=dense(1, "tanh"), loss="bce"),
        LAST,
    )
    add(
        "stars-linear-head",
        (*SHUT, "slow"),
        "no softmax, cross-entropy",
        lambda: mlp("stars", 2, 32, "relu", adam(2e-3), head=dense(5), loss="cce"),
        LAST,
    )
    add(
        "melody-shuffled",
        STALLED,
        "notes shuffled, classes not",
        lambda: tune(
            [layers().GlobalAveragePooling1D(), dense(24, "relu")], adam(3e-3), "melody-shuffled"
        ),
    )
    add(
        "melody-unknown",
        STALLED,
        "every note is looked up as unknown",
        lambda: listener(1, adam(2e-3), data="melody-unknown"),
    )
    add(
        "chords-dropout",
        HELD_DOWN,
        "dropout of 0.99, meant as 0.01",
        lambda: mlp(
            "chords",
            2,
            48,
            "relu",
            adam(2e-3),
            after=lambda: layers().Dropout(0.99),
        ),
    )
    add(
        "stars-l1",
        HELD_DOWN,
        "L1 of 1",
        lambda: mlp(
            "stars", 2, 40, "relu", sgd(0.05, 0.9), each={"kernel_regularizer": regular().L1(1.0)}
        ),
    )
    add(
        "gait-max-norm",
        HELD_DOWN,
        "weights held below a norm of 0.01",
        lambda: steps(
            (12, 16, 16),
            "relu",
            adam(3e-3),
            each={"kernel_constraint": k().constraints.MaxNorm(0.01, [0, 1])},
        ),
    )
    add(
        "tide-noise",
        HELD_DOWN,
        "inputs multiplied by noise with a stddev of 100",
        lambda: fit(
            "tide",
            [layers().GaussianDropout(0.9999), layers().Flatten(), dense(32, "tanh")],
            adam(1e-3),
        ),
    )
