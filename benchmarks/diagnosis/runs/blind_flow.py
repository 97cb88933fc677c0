"""The ``W-`` runs whose gradients vanish, and all of the recurrent ones that are sick."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarks.diagnosis.runs.base import BLOWN, FIRST, NO_FLOW, SHUT, VANISHING
from benchmarks.diagnosis.runs.blind_models import (
    ballot,
    bound,
    cloth,
    elo,
    fit,
    mlp,
    squeeze,
    steps,
)
from benchmarks.diagnosis.runs.models import adam, dense, k, normal, opts, sgd, uniform
from benchmarks.diagnosis.runs.unseen_models import constant, layers, own
from benchmarks.diagnosis.runs.unseen_vanishing import SMALL

Add = Callable[..., None]


def vanishing(add: Add) -> None:
    """Vanishing with depth, by initial weights, or by saturation.

    Learn at the same depth with ReLU, He and Adam at 1e-3 to 2e-3 (`petals`, `crops`, `weaves`),
    with ReLU and Glorot (`molecules`), with ELU (`throws`, `chords`), with Glorot for tanh and
    softsign (Adam at 3e-3); with readings in units of gravity.
    """

    def first(id: str, expected: tuple[str, ...], source: str, build: Callable[[], Any]) -> None:
        add(id, expected, source, build, FIRST)

    first(
        "petals-sig9",
        VANISHING,
        "nine sigmoids",
        lambda: mlp("petals", 9, 28, "sigmoid", sgd(0.1, 0.9)),
    )
    first(
        "stars-tanh12",
        NO_FLOW,
        "stddev of 0.02",
        lambda: mlp("stars", 12, 30, "tanh", opts().RMSprop(1e-3), lambda: normal(0.02)),
    )
    first(
        "crops-relu22",
        NO_FLOW,
        "22 layers, Glorot for ReLU, nothing added or normalised",
        lambda: mlp("crops", 22, 24, "relu", sgd(0.02)),
    )
    first(
        "petals-softsign10",
        NO_FLOW,
        'initialiser "uniform"',
        lambda: mlp("petals", 10, 28, "softsign", adam(), uniform),
    )
    first(
        "throws-hard10",
        NO_FLOW,
        "hard sigmoids",
        lambda: mlp("throws", 10, 32, "hard_sigmoid", adam(2e-3)),
    )
    first(
        "weaves-sig6",
        VANISHING,
        "six sigmoid convolutions",
        lambda: cloth((10, 12, 12, 16, 16, 16), "sigmoid", sgd(0.05, 0.9)),
    )
    first(
        "chords-squeeze",
        VANISHING,
        "autoencoder of sigmoids",
        lambda: squeeze((30, 20, 10, 4, 10, 20, 30), "sigmoid", sgd(0.2, 0.9)),
    )
    first(
        "molecules-sig8",
        VANISHING,
        "eight graph convolutions with sigmoids",
        lambda: bound(8, "sigmoid", sgd(0.05, 0.9), "mean"),
    )
    first(
        "gait-unsigned",
        SHUT,
        "16-bit counts around 32768 as they are, tanh",
        lambda: steps((12, 16), "tanh", adam(2e-3), "gait-unsigned"),
    )


def uniformly(add: Add) -> None:
    """Small gradients everywhere.

    Learn without the temperature, without the weight, with pixels in [0, 1], and with a stddev of
    0.3 and Adam at 0.02.
    """
    add(
        "stars-heat",
        SMALL,
        "temperature of 2000 in the softmax",
        lambda: fit(
            "stars",
            [dense(36, "relu"), dense(5), own(lambda z: z / 2000)],
            sgd(0.1, 0.9),
            layers().Softmax(),
        ),
    )
    add(
        "chords-weight",
        SMALL,
        "loss weight of 1e-6",
        lambda: fit("chords", [dense(48, "relu")], sgd(0.1, 0.9), factor=1e-6),
    )
    add(
        "weaves-twice",
        SMALL,
        "pixels divided by 255 twice more",
        lambda: cloth((12, 16), "relu", sgd(0.05, 0.9), "weaves-twice"),
    )
    add(
        "games-zeros",
        SMALL,
        "embeddings with a stddev of 1e-5, whose products are formed",
        lambda: elo(sgd(0.5), std=1e-5),
    )


def through_time(add: Add) -> None:
    """Recurrent layers.

    `votes` are learned by ReLU units that start as the identity, under Adam at 2e-3 with clipping
    (50 and 70 steps), and by LSTMs with a forget bias of 4 and Adam at 0.01 (30, 40 and 100);
    `gait` by the same LSTM with readings in units of gravity and Adam at 5e-3; `tide` with a
    stddev of 0.1.
    """

    def first(id: str, expected: tuple[str, ...], source: str, build: Callable[[], Any]) -> None:
        add(id, expected, source, build, FIRST)

    first(
        "votes-rnn70",
        SHUT,
        "70 steps, recurrent initialiser of Glorot",
        lambda: ballot(
            70, [layers().SimpleRNN(24, recurrent_initializer="glorot_uniform")], sgd(0.05, 0.9)
        ),
    )
    first(
        "votes-gru100",
        SHUT,
        "100 steps, GRU as it comes",
        lambda: ballot(100, [layers().GRU(16)], sgd(0.05, 0.9), steps=160),
    )
    first(
        "votes-forget",
        SHUT,
        "LSTM that forgets: bias of -2",
        lambda: ballot(
            40,
            [layers().LSTM(18, unit_forget_bias=False, bias_initializer=constant(-2))],
            adam(2e-3),
        ),
    )
    first(
        "votes-stack",
        SHUT,
        "three recurrent layers of sigmoids",
        lambda: ballot(
            30,
            [
                layers().SimpleRNN(18, "sigmoid", return_sequences=True),
                layers().SimpleRNN(18, "sigmoid", return_sequences=True),
                layers().SimpleRNN(18, "sigmoid"),
            ],
            sgd(0.05, 0.9),
        ),
    )
    first(
        "gait-unsigned-lstm",
        SHUT,
        "16-bit counts around 32768 as they are, LSTM",
        lambda: fit("gait-unsigned", [layers().LSTM(20)], adam(2e-3)),
    )
    first(
        "votes-relu",
        BLOWN,
        "ReLU, recurrent kernel of 1.5 times the identity",
        lambda: ballot(
            50,
            [layers().SimpleRNN(24, "relu", recurrent_initializer=k().initializers.Identity(1.5))],
            sgd(0.01),
        ),
    )
    first(
        "tide-linear-rnn",
        BLOWN,
        "linear recurrence, stddev of 0.4",
        lambda: fit(
            "tide",
            [layers().SimpleRNN(32, None, recurrent_initializer=normal(0.4))],
            sgd(0.01),
        ),
    )
