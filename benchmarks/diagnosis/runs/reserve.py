"""The ``V-`` runs: held out once, written by someone who had read neither rules nor remedies.

Mistakes that people make most often with Keras, on data and models that no other part has.  Every
sick run is a task that can be learned: each group says with what, which was tried.  Labels were
checked against outcomes only.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarks.diagnosis.runs import reserve_flow, reserve_large, reserve_numbers
from benchmarks.diagnosis.runs.base import LAST, SHUT, SLOW, STALLED, Family
from benchmarks.diagnosis.runs.models import adam, dense, k, opts, sgd
from benchmarks.diagnosis.runs.reserve_healthy import healthy
from benchmarks.diagnosis.runs.reserve_models import (
    encoder,
    fit,
    labels,
    letters,
    mean_where,
    pictures,
    plain,
    pooled,
    sounds,
)
from benchmarks.diagnosis.runs.unseen import HELD_DOWN
from benchmarks.diagnosis.runs.unseen_models import layers, rates
from benchmarks.diagnosis.runs.unseen_vanishing import SMALL


def runs() -> list[Any]:
    """Healthy ones first."""
    family = Family("V-")
    add = family.sick
    healthy(family.fine)
    reserve_flow.vanishing(add)
    reserve_flow.through_time(add)
    reserve_large.exploding(add)
    reserve_large.dead(add)
    reserve_numbers.nonfinite(add)
    slow(add)
    stalled(add)
    return family.runs


def slow(add: Callable[..., None]) -> None:
    """Steps that are too small.

    Learn with Adam at 2e-3 to 5e-3, SGD at 0.02, standardised targets, a constant rate, and
    without the weights.
    """
    add(
        "shapes-adadelta",
        SLOW,
        "Adadelta as it comes",
        lambda: pictures((12, 16, 20), "relu", opts().Adadelta()),
    )
    add(
        "tones-sgd1e-5",
        SLOW,
        "rate of 1e-5",
        lambda: sounds(3, "elu", sgd(1e-5, 0.9)),
    )
    add("mail-encoder1e-7", SLOW, "rate of 1e-7", lambda: encoder(1, adam(1e-7)))
    add(
        "trips-rmsprop",
        SLOW,
        "targets in seconds, usual rate",
        lambda: plain("trips-rawy", 2, 32, "gelu", opts().RMSprop(1e-3)),
    )
    add(
        "mail-decay",
        SLOW,
        "decay of 10",
        lambda: letters(
            [layers().LSTM(14)], adam(rates().InverseTimeDecay(1e-3, 1, 10.0)), mask=True
        ),
    )
    add(
        "tones-ended",
        SLOW,
        "schedule that ends after 5 of 300 steps",
        lambda: sounds(3, "relu", opts().Adamax(rates().PolynomialDecay(2e-3, 5, 0.0))),
    )
    add(
        "shells-weights",
        SMALL,
        "weights of rows that sum to 1",
        lambda: plain("shells", 2, 40, "relu", sgd(0.1, 0.9), factor=1 / 1200),
    )


def stalled(add: Callable[..., None]) -> None:
    """Heads, penalties and noise that do not let the loss fall.

    Learn with a linear head, standardised targets, the mask turned round, and without penalties,
    or with a dropout of 0.1 (`trips`: none).
    """
    regular = lambda: k().regularizers
    add(
        "shells-numbers",
        (*SHUT, "slow"),
        "classes 1 to 4 as numbers, sigmoid",
        lambda: plain(
            "shells-numbers", 2, 40, "relu", adam(5e-3), head=dense(1, "sigmoid"), loss="mse"
        ),
        LAST,
    )
    add(
        "weather-sigmoid-head",
        (*SHUT, "slow"),
        "sigmoid for kelvin",
        lambda: fit("weather-rawy", [layers().GRU(18)], opts().Nadam(2e-3), dense(1, "sigmoid")),
        LAST,
    )
    add(
        "trips-norm-head",
        (*SHUT, "slow"),
        "output normalised, targets in seconds",
        lambda: plain(
            "trips-rawy",
            2,
            32,
            "relu",
            adam(3e-3),
            last=[dense(1)],
            head=layers().BatchNormalization(center=False, scale=False),
        ),
        LAST,
    )
    add(
        "mail-mask",
        STALLED,
        "mask that is the wrong way round",
        lambda: pooled(adam(3e-3), "mail", mean_where("equal", 1.0)),
    )
    add(
        "weather-l2",
        HELD_DOWN,
        "L2 of 3",
        lambda: plain(
            "weather",
            2,
            40,
            "relu",
            sgd(0.05, 0.9),
            first=[layers().Flatten()],
            each={"kernel_regularizer": regular().L2(3.0)},
        ),
    )
    add(
        "shapes-l1-l2",
        HELD_DOWN,
        "L1 and L2 of 0.3",
        lambda: pictures(
            (12, 16, 20), "relu", adam(2e-3), each={"kernel_regularizer": regular().L1L2(0.3, 0.3)}
        ),
    )
    add(
        "genres-decay",
        HELD_DOWN,
        "weight decay of 200",
        lambda: labels(opts().AdamW(2e-3, weight_decay=200.0)),
    )
    add(
        "mail-dropout",
        HELD_DOWN,
        "dropout of 0.98 twice",
        lambda: letters(
            [
                layers().SpatialDropout1D(0.98),
                layers().GlobalAveragePooling1D(),
                dense(24, "relu"),
                layers().Dropout(0.98),
            ],
            adam(2e-3),
        ),
    )
    add(
        "trips-alpha",
        HELD_DOWN,
        "alpha dropout of 0.97",
        lambda: plain(
            "trips",
            3,
            32,
            "selu",
            adam(2e-3),
            "lecun_normal",
            after=lambda: layers().AlphaDropout(0.97),
        ),
    )
