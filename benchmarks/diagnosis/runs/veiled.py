"""The ``Q-`` runs: the hold-out part, written by someone who had read neither rules nor remedies.

Mistakes that people make most often with Keras, on data and models that no other part has.  Every
sick run is a task that can be learned: each group says with what, which was tried.  Labels were
checked against outcomes only.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarks.diagnosis.runs import veiled_flow, veiled_large, veiled_numbers
from benchmarks.diagnosis.runs.base import LAST, SHUT, SLOW, STALLED, Family
from benchmarks.diagnosis.runs.models import adam, dense, k, opts, sgd
from benchmarks.diagnosis.runs.unseen_models import layers, rates
from benchmarks.diagnosis.runs.veiled_data import drizzle, shuffled, taijitu, tongues, wines
from benchmarks.diagnosis.runs.veiled_healthy import healthy
from benchmarks.diagnosis.runs.veiled_losses import cut_entropy
from benchmarks.diagnosis.runs.veiled_models import (
    coder,
    dial,
    fit,
    knock,
    net,
    read,
)

HELD_DOWN = ("stalled", "vanishing", "dead")
"""A penalty, a constraint or noise that leaves nothing of the signal, or of the gradient."""


def runs() -> list[Any]:
    """Healthy ones first."""
    family = Family("Q-")
    add = family.sick
    healthy(family.fine)
    veiled_flow.vanishing(add)
    veiled_flow.through_time(add)
    veiled_large.exploding(add)
    veiled_large.dead(add)
    veiled_numbers.nonfinite(add)
    slow(add)
    stalled(add)
    return family.runs


def slow(add: Callable[..., None]) -> None:
    """Steps that are too small.

    Learn with Adam at 5e-3 (`tongues`, `plant` without gathering), Adadelta at 1, SGD at 0.05
    (`clocks`), a decay over all 300 steps from 3e-3, norms clipped to 1, standardised years, and
    RMSprop at 2e-3.
    """
    add(
        "tongues-adam1e-7",
        SLOW,
        "Adam at a rate of 1e-7",
        lambda: read(
            [layers().Conv1D(24, 3, activation="relu"), layers().GlobalMaxPooling1D()], adam(1e-7)
        ),
    )
    add(
        "taijitu-adadelta",
        SLOW,
        "Adadelta as it comes",
        lambda: net("taijitu", (32, 32), "relu", opts().Adadelta()),
    )
    add(
        "clocks-inverse",
        SLOW,
        "rate divided by the number of the step times 50",
        lambda: dial((8, 12), "relu", sgd(rates().InverseTimeDecay(0.02, 1, 50.0))),
    )
    add(
        "bearing-polynomial",
        SLOW,
        "decay to 0 within 5 steps, meant as epochs",
        lambda: knock((12, 16), "relu", adam(rates().PolynomialDecay(1e-3, 5, 0.0))),
    )
    add(
        "solar-clipnorm",
        SLOW,
        "norms clipped to 1e-5",
        lambda: net("solar", (32, 32), "gelu", sgd(0.1, 0.9, global_clipnorm=1e-5)),
    )
    add(
        "wines-age",
        SLOW,
        "years as they are, rate as it comes",
        lambda: net(wines(age=True), (24, 24), "relu", adam(1e-3)),
    )
    add(
        "plant-accumulated",
        SLOW,
        "gradients gathered over 1000 steps before the first update",
        lambda: coder((16, 4, 16), "tanh", adam(5e-3, gradient_accumulation_steps=1000)),
    )
    add(
        "lorenz-tuning",
        SLOW,
        "rate for fine-tuning, from scratch",
        lambda: fit("lorenz", [layers().LSTM(16)], opts().RMSprop(1e-6)),
    )
    add(
        "tongues-ftrl",
        SLOW,
        "Ftrl as it comes, at a tenth of the rate",
        lambda: read([layers().GlobalAveragePooling1D(), dense(24, "relu")], opts().Ftrl(1e-4)),
    )


def stalled(add: Callable[..., None]) -> None:
    """Heads, penalties, noise, losses and data that do not let the loss fall.

    Learn with a sigmoid, with standardised targets and a linear head, with classes in their order
    (Adam at 0.01), an L2 of 3e-6, a dropout of 0.03, squared errors (`drizzle`), pictures that are
    not turned, letters that are not scaled (Adam at 5e-3), pixels that are not pooled, batches of
    32, and standardised values with Glorot and Adam at 0.01 (`liver-raw-cut`).
    """
    regular = lambda: k().regularizers
    add(
        "liver-softmax-mse",
        SHUT,
        "softmax over one unit, squared errors",
        lambda: net("liver", (32, 16), "relu", adam(2e-3), head=dense(1, "softmax"), loss="mse"),
        LAST,
    )
    add(
        "taijitu-shuffled",
        STALLED,
        "points shuffled, classes not",
        lambda: net(shuffled(taijitu()), (16,), "relu", adam(1e-3)),
    )
    add(
        "plant-l2",
        HELD_DOWN,
        "L2 of 3, meant as 3e-6",
        lambda: coder(
            (16, 8, 16), "tanh", adam(2e-3), each={"kernel_regularizer": regular().L2(3.0)}
        ),
    )
    add(
        "wines-dropped",
        HELD_DOWN,
        "drops 97 % of the features where 3 % were to be dropped",
        lambda: net("wines", (32, 32), "tanh", adam(2e-3), first=[layers().Dropout(0.97)]),
    )
    add(
        "solar-watts-sigmoid",
        (*SHUT, "slow"),
        "sigmoid for watts",
        lambda: net(
            "solar-watts", (32, 32), "relu", adam(5e-3), head=dense(1, "sigmoid"), loss="mse"
        ),
        LAST,
    )
    add(
        "drizzle-mae",
        STALLED,
        "absolute errors of what is mostly 0",
        lambda: fit(drizzle(), [dense(24, "relu"), dense(24, "relu")], adam(2e-3), loss="mae"),
    )
    add(
        "clocks-turned",
        STALLED,
        "pictures turned by any angle, which is what was asked for",
        lambda: dial((8, 12), "relu", adam(2e-3), first=[layers().RandomRotation(0.5)]),
    )
    add(
        "tongues-scaled",
        STALLED,
        "letters scaled to [0, 1] before they are looked up: all are 0",
        lambda: read([layers().GRU(16)], adam(2e-3), data=tongues(scaled=True), steps=200),
    )
    add(
        "firefly-pooled",
        STALLED,
        "pixels pooled where their place was asked for",
        lambda: fit(
            "firefly",
            [layers().Conv2D(12, 1, activation="relu"), layers().GlobalAveragePooling2D()],
            adam(2e-3),
        ),
    )
    add(
        "liver-batch1",
        (*SHUT, "slow"),
        "batch normalisation of one row",
        lambda: net(
            "liver",
            (32, 16),
            "relu",
            adam(1e-3),
            after=lambda: [layers().BatchNormalization()],
            batch=1,
        ),
    )
    add(
        "liver-raw-cut",
        SHUT,
        "probabilities that are all cut off, since values are as they are",
        lambda: net(
            "liver-raw",
            (),
            None,
            adam(1e-4),
            head=dense(1, "sigmoid", normal_1()),
            loss=cut_entropy,
            baseline=0.693,
        ),
        LAST,
    )


def normal_1() -> Any:
    return k().initializers.RandomNormal(0, 1.0)
