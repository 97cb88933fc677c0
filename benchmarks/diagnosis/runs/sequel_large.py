"""The ``K-`` runs in which something is too large, or dead."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarks.diagnosis.runs.base import BLOWN, DEAD, FIRST, KILLED, LAST, SHUT
from benchmarks.diagnosis.runs.models import adam, dense, k, normal, opts, sgd
from benchmarks.diagnosis.runs.sequel_data import (
    bikes,
    churn,
    greeting,
    light,
    shell,
    spectra,
    tide,
    typo,
)
from benchmarks.diagnosis.runs.sequel_models import (
    beat,
    cloth,
    growing,
    multiplied,
    sales,
    stacked,
)
from benchmarks.diagnosis.runs.unseen_models import constant, layers
from benchmarks.diagnosis.runs.veiled_models import blocks, fit

Add = Callable[..., None]


def exploding(add: Add) -> None:
    """Initial weights, rates and scales that are too large.

    Learn with standardised levels (SGD at 0.01), without the column of seconds (SGD at 0.01, with
    momentum), without the typing error and with the decimal points (rates as they are), with He
    (`shell-scaling`: Adam at 2e-3), with pixels in [0, 1] (Adam at 3e-3), with rates of 0.02 and a
    momentum of 0.9 (`hearts`, `shops`), of 0.05 (`bikes-growing`) and 5e-3 (`bikes-adam5`), with
    products of tanh that are added (Adam at 2e-3), with ReLU units that start as the identity,
    under Adam at 3e-3 with clipping (`greeting`), and with ReLU (`light`: Adam at 3e-3).
    """
    add(
        "tide-raw-conv",
        KILLED,
        "levels in centimetres as they are, rate as it comes",
        lambda: fit(
            tide(raw=True),
            [layers().Conv1D(12, 5, activation="relu"), layers().Flatten()],
            sgd(0.01),
        ),
    )
    add(
        "churn-stamp",
        KILLED,
        "column of seconds since 1970",
        lambda: stacked(churn(stamp=True), (24, 24), "selu", sgd(0.01)),
    )
    add(
        "bikes-typo",
        KILLED,
        "one target of 30000 where others are about 1",
        lambda: stacked(typo(), (24, 24), "elu", sgd(0.02, 0.9)),
    )
    add(
        "spectra-slips",
        KILLED,
        "four rows without their decimal point",
        lambda: stacked(spectra(slips=4), (24, 24), "relu", sgd(0.02, 0.9)),
    )
    add(
        "shell-scaling",
        KILLED,
        "variance of 60 a unit, six layers",
        lambda: stacked(
            shell(), (24,) * 6, "relu", sgd(0.01), lambda: k().initializers.VarianceScaling(60.0)
        ),
    )
    add(
        "weave-255",
        KILLED,
        "pixels up to 255, rate of 0.1",
        lambda: cloth((8, 12, 12), "relu", sgd(0.1, 0.9), 255.0),
    )
    add(
        "hearts-nesterov",
        KILLED,
        "Nesterov with a momentum of 0.999 and a rate of 1",
        lambda: beat((8, 12), "relu", opts().SGD(1.0, 0.999, nesterov=True)),
    )
    add(
        "bikes-growing",
        KILLED,
        "search for a rate that goes on for too long: 4 % more in every step",
        lambda: stacked(bikes(), (32, 32), "relu", sgd(growing(1e-3, 1.04))),
    )
    add(
        "bikes-adam5",
        (*KILLED, "stalled"),
        "Adam at a rate of 5",
        lambda: stacked(bikes(), (32,) * 5, "elu", adam(5.0)),
    )
    add(
        "shell-products",
        BLOWN,
        "state multiplied by a layer of itself, six times",
        lambda: blocks(shell(), 6, sgd(0.01), multiplied, 24),
    )
    add(
        "greeting-gain",
        BLOWN,
        "ReLU recurrence with an orthogonal start times 2.5, 40 steps",
        lambda: fit(
            greeting(40),
            [
                layers().SimpleRNN(
                    16, "relu", recurrent_initializer=k().initializers.Orthogonal(2.5)
                )
            ],
            sgd(0.01),
            steps=200,
        ),
        FIRST,
    )
    add(
        "light-cubes",
        BLOWN,
        "cubes as activation of an autoencoder",
        lambda: fit(
            light(),
            [layers().Dense(n, cube) for n in (24, 8, 24)],
            sgd(0.02),
            dense(40),
            loss="mse",
        ),
    )
    add(
        "shops-rate",
        KILLED,
        "rate of 3 for embeddings and all else",
        lambda: sales(sgd(3.0, 0.9), init=normal(1.0)),
    )


def cube(z: Any) -> Any:
    return z**3


def dead(add: Add) -> None:
    """Units and heads that nothing reaches.

    Learn with ReLU as it is and Glorot (`hearts`), with a rate of 0.05, with a linear head (Adam at
    0.01), and with a tanh that is not rounded.
    """
    add(
        "hearts-threshold",
        SHUT,
        "ReLU with a threshold of 20",
        lambda: beat((12, 12), threshold, adam(2e-3)),
    )
    add(
        "hearts-bias",
        DEAD,
        "stddev of 1e-4 and a bias of -0.5 before ReLU",
        lambda: beat(
            (8, 8),
            "relu",
            adam(2e-3),
            each=lambda: {
                "kernel_initializer": normal(1e-4),
                "bias_initializer": constant(-0.5),
            },
        ),
        FIRST,
    )
    add(
        "shell-adagrad",
        KILLED,
        "Adagrad at a rate of 10",
        lambda: stacked(shell(), (24,) * 4, "relu", opts().Adagrad(10.0)),
    )
    add(
        "tide-low",
        (*DEAD, "vanishing"),
        "ReLU on the output, levels below a mark",
        lambda: fit(
            below(),
            [layers().GRU(12)],
            adam(3e-3),
            dense(1, "relu", bias_initializer=constant(-1.0)),
            loss="mse",
        ),
        LAST,
    )
    add(
        "bikes-steps",
        SHUT,
        "bottleneck of whole numbers",
        lambda: stacked(
            bikes(), (24,), "relu", adam(2e-3), last=[layers().Dense(1, whole), dense(16, "relu")]
        ),
    )


def threshold(z: Any) -> Any:
    return k().ops.where(z > 20.0, z, 0.0)


def whole(z: Any) -> Any:
    return k().ops.round(k().ops.tanh(z) * 0.4)


def below() -> Any:
    x, y = tide()
    return x, y - 3.0
