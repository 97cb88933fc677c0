"""The ``Q-`` runs in which something is too large, or dead."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.diagnosis.runs.base import BLOWN, DEAD, FIRST, KILLED, LAST, SHUT
from benchmarks.diagnosis.runs.models import adam, dense, k, normal, opts, sgd
from benchmarks.diagnosis.runs.unseen_models import constant, layers, rates
from benchmarks.diagnosis.runs.veiled_data import clocks, liver, solar
from benchmarks.diagnosis.runs.veiled_models import (
    adding,
    asked,
    blocks,
    carry,
    coder,
    dial,
    fit,
    knock,
    net,
    taste,
)

Add = Callable[..., None]


def exploding(add: Add) -> None:
    """Initial weights, rates and scales that are too large.

    Learn with standardised inputs and targets (`solar`, `liver`, `lorenz`, the powers), without
    values given as -99999, with layer normalisation after each sum, with He (`plant`: SGD at
    0.05), with pixels in [0, 1] and Glorot, with ReLU, with the mean of the loss, with a rate of
    0.02 (`bearing`, `solar-spikes`), 3e-3 (`lockers`: Adam) or one that falls (`taijitu-grows`),
    with a stddev of 0.05 and Adam at 0.01 (`guests`), and with ReLU units that start as the
    identity, under Adam with clipping (`parcel`).
    """
    add(
        "solar-watts-sgd",
        KILLED,
        "watts as they are, rate as it comes",
        lambda: net("solar-watts", (32, 32), "relu", sgd(0.01)),
    )
    add(
        "liver-raw-sgd",
        KILLED,
        "laboratory values as they are",
        lambda: net("liver-raw", (32, 16), "relu", sgd(0.05, 0.9)),
    )
    add(
        "liver-sentinel",
        KILLED,
        "missing values given as -99999",
        lambda: net(liver(sentinel=0.004), (32, 16), "elu", sgd(0.02, 0.9)),
    )
    add(
        "wines-residual30",
        BLOWN,
        "30 residual branches, nothing normalised",
        lambda: blocks("wines", 30, sgd(0.01), adding),
    )
    add(
        "plant-normal",
        BLOWN,
        "stddev of 1 in every layer",
        lambda: coder((24, 16, 8, 16, 24), "relu", sgd(0.01), init=lambda: normal(1.0)),
    )
    add(
        "clocks-255-normal",
        KILLED,
        "pixels up to 255, stddev of 0.3",
        lambda: dial((8, 12, 12), "relu", sgd(0.01), data="clocks-255", init=lambda: normal(0.3)),
    )
    add(
        "taijitu-exp",
        BLOWN,
        "exponentials in hidden layers",
        lambda: net("taijitu", (24,) * 3, "exponential", sgd(0.1)),
    )
    add(
        "bearing-sgd20",
        KILLED,
        "rate of 20, meant as 0.020",
        lambda: knock((12, 16), "relu", sgd(20.0, 0.9)),
    )
    add(
        "wines-summed",
        KILLED,
        "loss summed over the batch and 100 repetitions, not averaged",
        lambda: net("wines", (32, 32), "relu", sgd(0.05), factor=3200.0),
    )
    add(
        "taijitu-grows",
        KILLED,
        "rate that grows by 5 % each step instead of falling",
        lambda: net("taijitu", (32, 32), "relu", sgd(rates().ExponentialDecay(0.01, 1, 1.05), 0.9)),
    )
    add(
        "solar-spikes",
        KILLED,
        "cycles whose rate jumps to 50 after each 60 steps",
        lambda: net("solar", (32, 32), "relu", sgd(cycles(), 0.0), steps=320),
    )
    add(
        "parcel-identity",
        BLOWN,
        "linear recurrence of 1.3 times the identity, 40 steps",
        lambda: carry(
            40,
            [layers().SimpleRNN(16, None, recurrent_initializer=k().initializers.Identity(1.3))],
            sgd(0.01),
        ),
        FIRST,
    )
    add(
        "solar-powers",
        BLOWN,
        "powers up to the fourth of features as they are",
        lambda: fit(powers(), [], sgd(1e-3)),
        FIRST,
    )
    add(
        "guests-wide",
        KILLED,
        "embeddings with a stddev of 30, whose products are formed",
        lambda: taste(
            sgd(0.1, 0.9),
            lambda h: dense(24, "relu")(h),
            init=normal(30.0),
        ),
    )
    add(
        "lockers-adam1",
        (*KILLED, "stalled"),
        "attention at a rate of 1",
        lambda: asked(adam(1.0), 2, norm=False, steps=200),
    )
    add(
        "lorenz-rnn-relu",
        BLOWN,
        "ReLU recurrence, raw states, rate of 0.05",
        lambda: fit("lorenz-raw", [layers().SimpleRNN(24, "relu")], sgd(0.05)),
        FIRST,
    )


def cycles() -> Any:
    """0.02, but 50 in one step of 60."""
    keras = k()

    class Cycles(keras.optimizers.schedules.LearningRateSchedule):
        def __call__(self, step: Any) -> Any:
            due = keras.ops.equal(keras.ops.mod(keras.ops.cast(step, "int32"), 60), 59)
            return keras.ops.where(due, 50.0, 0.02)

        def get_config(self) -> dict[str, Any]:
            return {}

    return Cycles()


def powers() -> Any:
    x, y = solar()
    return np.concatenate([(4 * x) ** i for i in range(1, 5)], 1), y


def dead(add: Add) -> None:
    """Units and heads that nothing reaches.

    Learn with a bias of 0, with pixels in [0, 1] and Glorot, with a linear head (`solar-log-relu`:
    Adam at 0.02; `solar-watts-clipped`: targets standardised as well), and with a rate of 1e-3.
    """
    add(
        "taijitu-bias",
        DEAD,
        "bias of -8 in a hidden layer",
        lambda: net(
            "taijitu",
            (32,),
            "relu",
            adam(2e-3),
            first=[dense(32, "relu", bias_initializer=constant(-8.0))],
        ),
        FIRST,
    )
    add(
        "clocks-black",
        DEAD,
        "black is 0 and white -255, weights from 0 up",
        lambda: dial(
            (8, 12),
            "relu",
            adam(2e-3),
            data=clocks(scale=255.0, shift=-1.05),
            init=lambda: k().initializers.RandomUniform(0.0, 0.05),
        ),
        FIRST,
    )
    add(
        "solar-watts-clipped",
        (*SHUT, "slow"),
        "output clipped to what is between 0 and 1, targets in watts",
        lambda: net(
            "solar-watts",
            (32, 32),
            "relu",
            adam(5e-3),
            head=layers().Dense(1, unit, bias_initializer="ones"),
            loss="mse",
        ),
    )
    add(
        "liver-sign",
        (*DEAD, "vanishing"),
        "sign as activation of the output",
        lambda: net(sides(), (24, 24), "tanh", adam(2e-3), head=dense(1, k().ops.sign), loss="mse"),
    )
    add(
        "taijitu-rmsprop3",
        KILLED,
        "RMSprop at a rate of 3",
        lambda: net("taijitu", (32,) * 5, "relu", opts().RMSprop(3.0)),
    )
    add(
        "solar-log-relu",
        (*DEAD, "vanishing"),
        "ReLU on the output, targets are logarithms below 0",
        lambda: net(shares(), (24, 24), "tanh", adam(3e-3), head=dense(1, "relu"), loss="mse"),
        LAST,
    )


def unit(z: Any) -> Any:
    return k().ops.clip(z, 0.0, 1.0)


def sides() -> Any:
    x, y = liver()
    return x, 2 * y - 1


def shares() -> Any:
    """Logarithm of the share of the sun: below 0."""
    x, y = solar(raw_y=True)
    return x, np.log((y + 20) / 20000)
