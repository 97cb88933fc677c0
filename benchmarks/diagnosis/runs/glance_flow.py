"""The ``G-`` runs whose gradients vanish, with depth or through time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarks.diagnosis.runs.base import FIRST, NO_FLOW, SHUT, VANISHING
from benchmarks.diagnosis.runs.glance_data import moths, orchard, pendulum, valve
from benchmarks.diagnosis.runs.glance_models import (
    banner,
    fired,
    meetings,
    patches,
    remember,
    song,
    spots,
)
from benchmarks.diagnosis.runs.models import adam, k, normal, sgd
from benchmarks.diagnosis.runs.sequel_models import stacked
from benchmarks.diagnosis.runs.unseen_models import layers

Add = Callable[..., None]


def vanishing(add: Add) -> None:
    """Vanishing with depth, by initial weights, or by saturation.

    Learn with He and ReLU (`moths`, `flags-sig6`: Adam at 1e-3; `kiln`: at 2e-3; `embers`,
    `colony`: at 3e-3), with Glorot (`orchard-normal001`), with He (`flags-uniform`: Adam at 2e-3;
    `whale`, `pendulum`: at 1e-3), as 15 residual branches of width 24 (`orchard-narrow`: Adam at
    2e-3), with standardised values (`valve`: Adam at 5e-3), and with skips, normalisation and
    Glorot (`flags-no-skip`).
    """

    def first(id: str, expected: tuple[str, ...], source: str, build: Callable[[], Any]) -> None:
        add(id, expected, source, build, FIRST)

    first(
        "moths-sig9",
        VANISHING,
        "nine sigmoids, Adam as it comes",
        lambda: stacked(moths(), (32,) * 9, "sigmoid", adam()),
    )
    first(
        "moths-softmax6",
        SHUT,
        "softmax as activation of six hidden layers",
        lambda: stacked(moths(), (24,) * 6, "softmax", adam()),
    )
    first(
        "orchard-normal001",
        NO_FLOW,
        "stddev of 0.01, eight layers of tanh",
        lambda: stacked(orchard(), (24,) * 8, "tanh", sgd(0.05, 0.9), lambda: normal(0.01)),
    )
    first(
        "orchard-narrow",
        NO_FLOW,
        "30 layers of three units",
        lambda: stacked(orchard(), (3,) * 30, "relu", adam(2e-3)),
    )
    first(
        "pendulum-gelu30",
        NO_FLOW,
        "30 layers of GELU with LeCun's start",
        lambda: stacked(pendulum(), (20,) * 30, "gelu", sgd(0.02, 0.9), lambda: "lecun_normal"),
    )
    first(
        "valve-raw-tanh",
        SHUT,
        "values of thousands as they are, four layers of tanh",
        lambda: stacked(valve(raw=True), (20,) * 4, "tanh", sgd(0.01, 0.9)),
    )
    first(
        "flags-sig6",
        VANISHING,
        "six sigmoid convolutions",
        lambda: banner((8,) * 6, "sigmoid", adam()),
    )
    first(
        "flags-uniform",
        NO_FLOW,
        "uniform of 0.02, eight narrow convolutions",
        lambda: banner(
            (6,) * 8,
            "relu",
            sgd(0.05, 0.9),
            each=lambda: {"kernel_initializer": k().initializers.RandomUniform(-0.02, 0.02)},
        ),
    )
    first(
        "whale-truncated",
        NO_FLOW,
        "truncated normal of 0.02, nine convolutions",
        lambda: song(
            (8,) * 9,
            "swish",
            adam(),
            each=lambda: {"kernel_initializer": k().initializers.TruncatedNormal(0.0, 0.02)},
        ),
    )
    first(
        "embers-sig-coder",
        VANISHING,
        "autoencoder with four sigmoid convolutions on each side",
        lambda: spots(sgd(0.1, 0.9), "sigmoid", depth=4),
    )
    first(
        "colony-sig8",
        VANISHING,
        "eight rounds of messages with sigmoids",
        lambda: meetings(sgd(0.05, 0.9), 8, "sigmoid", mean=True),
    )
    first(
        "flags-no-skip",
        NO_FLOW,
        "transformer of six blocks without skips or normalisation, stddev of 0.02",
        lambda: patches(adam(), 6, skip=False, norm=False, init=lambda: normal(0.02)),
    )
    first(
        "kiln-sig-trunk",
        VANISHING,
        "trunk of eight sigmoids under two heads",
        lambda: fired(sgd(0.05, 0.9), (20,) * 8, "sigmoid"),
    )


def through_time(add: Add) -> None:
    """Recurrent layers that forget.

    `relay` is learned by 24 ReLU units that start as the identity, under Adam at 1e-3 with clipping
    (70, 90 and 140 steps, 300 to 400 train steps), by an LSTM whose forget gates start open (90
    steps, Adam at 0.01), and with an orthogonal start (20 and 25 steps; `relay-stacked`: Adam at
    3e-3).
    """

    def first(id: str, expected: tuple[str, ...], source: str, build: Callable[[], Any]) -> None:
        add(id, expected, source, build, FIRST)

    first(
        "relay-rnn140",
        NO_FLOW,
        "140 steps, recurrence with Glorot",
        lambda: remember(
            140,
            [layers().SimpleRNN(16, recurrent_initializer="glorot_uniform")],
            sgd(5e-3, 0.9),
            steps=120,
        ),
    )
    first(
        "relay-lstm90",
        NO_FLOW,
        "90 steps, LSTM whose forget gates start at a half",
        lambda: remember(
            90, [layers().LSTM(12, unit_forget_bias=False)], sgd(0.05, 0.9), steps=150
        ),
    )
    first(
        "relay-gru70",
        SHUT,
        "70 steps, GRU as it comes",
        lambda: remember(70, [layers().GRU(12)], adam(), steps=150),
    )
    first(
        "relay-sig20",
        NO_FLOW,
        "sigmoid recurrence, 20 steps",
        lambda: remember(20, [layers().SimpleRNN(20, "sigmoid")], adam()),
    )
    first(
        "relay-normal",
        NO_FLOW,
        "recurrent weights with a stddev of 0.02, 25 steps",
        lambda: remember(
            25, [layers().SimpleRNN(20, recurrent_initializer=normal(0.02))], sgd(0.05, 0.9)
        ),
    )
    first(
        "relay-stacked",
        NO_FLOW,
        "three recurrences with a uniform start of 0.05, 30 steps",
        lambda: remember(
            30,
            [
                layers().SimpleRNN(
                    12, recurrent_initializer="random_uniform", return_sequences=i < 2
                )
                for i in range(3)
            ],
            adam(),
            steps=150,
        ),
    )
