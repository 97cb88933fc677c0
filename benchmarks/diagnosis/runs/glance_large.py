"""The ``G-`` runs in which something is too large, or dead."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarks.diagnosis.runs.base import BLOWN, DEAD, FIRST, KILLED, LAST, SHUT
from benchmarks.diagnosis.runs.glance_data import lamps, moths, orchard, pendulum, valve
from benchmarks.diagnosis.runs.glance_models import (
    banner,
    fired,
    level,
    meal,
    meetings,
    patches,
    remember,
    song,
    spots,
)
from benchmarks.diagnosis.runs.models import adam, dense, k, normal, opts, sgd
from benchmarks.diagnosis.runs.sequel_models import stacked
from benchmarks.diagnosis.runs.unseen_models import constant, layers, rates

Add = Callable[..., None]


def exploding(add: Add) -> None:
    """Initial weights, rates and scales that are too large.

    Learn with standardised values (`orchard`: rates as they are; `gauge`: LSTM with tanh and Adam
    at 0.01), with He (`moths`), with rates of 0.02 (`flags-rate`, `pendulum`, both with a momentum
    of 0.9; `orchard-pieces`), 3e-3 (`flags-adam-half`), 2e-3 (`embers`) and 0.1 (`gauge-gru-rate`,
    tanh and a momentum of 0.9), with weights of 1 (`kiln`), with means of those who meet (Adam at
    1e-3), with shares of amounts (SGD at 0.05, with momentum), with hours in thousands (`lamps`:
    Adam at 3e-3), with the identity (`relay`: Adam at 1e-3), and with an orthogonal start and tanh
    (`gauge-linear`).
    """
    add(
        "orchard-raw-x",
        KILLED,
        "rain and sun in hundreds as they are",
        lambda: stacked(orchard(raw_x=True), (24, 24), "relu", sgd(0.01)),
    )
    add(
        "orchard-raw-y",
        KILLED,
        "targets in kilograms as they are, SGD as it comes",
        lambda: stacked(orchard(raw_y=True), (32, 32), "elu", sgd(0.01, 0.9)),
    )
    add(
        "moths-normal1",
        KILLED,
        "stddev of 1 in six layers",
        lambda: stacked(moths(), (32,) * 6, "relu", sgd(0.01), lambda: normal(1.0)),
    )
    add(
        "flags-rate",
        KILLED,
        "SGD at a rate of 2",
        lambda: banner((8, 12, 12), "relu", sgd(2.0, 0.9)),
    )
    add(
        "pendulum-momentum",
        KILLED,
        "rate of 0.5 and a momentum of 0.99",
        lambda: stacked(pendulum(), (24, 24), "swish", sgd(0.5, 0.99)),
    )
    add(
        "orchard-pieces",
        KILLED,
        "rates of a schedule the wrong way round: 10 after 150 steps",
        lambda: stacked(
            orchard(),
            (24, 24),
            "tanh",
            sgd(rates().PiecewiseConstantDecay([150], [0.02, 10.0])),
            steps=250,
        ),
    )
    add(
        "kiln-weight",
        KILLED,
        "one of two losses weighted by 3000",
        lambda: fired(sgd(0.01, 0.9), (24, 24), "relu", 3000.0),
    )
    add(
        "colony-sums",
        KILLED,
        "twelve rounds of sums over all that meet, added, not normalised",
        lambda: meetings(sgd(0.01), 12, "relu", skip=True),
    )
    add(
        "flags-adam-half",
        (*KILLED, "stalled"),
        "transformer under Adam at a rate of 0.5",
        lambda: patches(adam(0.5), 2),
    )
    add(
        "embers-rmsprop",
        KILLED,
        "RMSprop at a rate of 1",
        lambda: spots(opts().RMSprop(1.0), depth=2),
    )
    add(
        "recipe-milligrams",
        KILLED,
        "amounts in milligrams",
        lambda: meal(sgd(0.01), [dense(24, "relu")], unit=1e3, share=False),
    )
    add(
        "lamps-exponential",
        KILLED,
        "exponential as head, hours in thousands, squared error",
        lambda: stacked(
            lamps(hours=1e3),
            (24, 24),
            "relu",
            sgd(0.01),
            head=layers().Dense(1, "exponential"),
        ),
    )
    add(
        "relay-identity2",
        BLOWN,
        "ReLU recurrence that starts as twice the identity, 40 steps",
        lambda: remember(
            40,
            [layers().SimpleRNN(16, "relu", recurrent_initializer=k().initializers.Identity(2.0))],
            sgd(0.01),
        ),
        FIRST,
    )
    add(
        "gauge-linear",
        BLOWN,
        "linear recurrence with a stddev of 0.5, 24 steps",
        lambda: level(
            [layers().SimpleRNN(24, "linear", recurrent_initializer=normal(0.5))], sgd(0.01)
        ),
        FIRST,
    )
    add(
        "gauge-lstm-relu",
        KILLED,
        "LSTM with ReLU on litres as they are",
        lambda: level([layers().LSTM(24, "relu")], sgd(0.01, 0.9), raw=True),
    )
    add(
        "gauge-gru-rate",
        (*KILLED, "stalled"),
        "GRU with ReLU, SGD at a rate of 5",
        lambda: level([layers().GRU(16, "relu")], sgd(5.0)),
    )


def dead(add: Add) -> None:
    """Units and heads that nothing reaches.

    Learn without the biases (`moths`, `whale`), with Glorot (`flags`), with a rate of 0.02
    (`orchard`), with a sigmoid (`valve`), and with a linear head (`pendulum`: Adam at 0.01).
    """
    add(
        "moths-bias",
        DEAD,
        "bias of -20 before ReLU",
        lambda: stacked(
            moths(),
            (),
            None,
            adam(),
            last=[dense(32, "relu", bias_initializer=constant(-20.0)) for _ in range(2)],
        ),
        FIRST,
    )
    add(
        "flags-negative",
        DEAD,
        "kernels that start below 0 on pixels above 0",
        lambda: banner(
            (8, 12),
            "relu",
            adam(2e-3),
            each=lambda: {"kernel_initializer": k().initializers.RandomUniform(-0.3, -0.05)},
        ),
        FIRST,
    )
    add(
        "orchard-rate",
        KILLED,
        "ReLU and SGD at a rate of 3",
        lambda: stacked(orchard(), (24,) * 4, "relu", sgd(3.0)),
    )
    add(
        "valve-relu-head",
        (*SHUT, "exploding"),
        "ReLU in place of the sigmoid, which starts below 0",
        lambda: stacked(
            valve(),
            (24, 24),
            "relu",
            adam(3e-3),
            head=dense(1, "relu", bias_initializer=constant(-3.0)),
        ),
        LAST,
    )
    add(
        "whale-beta",
        DEAD,
        "normalisation with a beta of -6 before ReLU",
        lambda: song((8, 12), None, adam(2e-3), after=lambda: shifted(-6.0)),
    )
    add(
        "pendulum-negative",
        DEAD,
        "ReLU as head where targets are below 0",
        lambda: below(),
        LAST,
    )


def shifted(beta: float) -> list[Any]:
    return [layers().BatchNormalization(beta_initializer=constant(beta)), layers().ReLU()]


def below() -> Any:
    """``pendulum`` whose states are all below 0."""
    x, y = pendulum()
    return stacked((x, y - 5.0), (24, 24), "tanh", adam(2e-3), head=dense(2, "relu"), loss="mse")
