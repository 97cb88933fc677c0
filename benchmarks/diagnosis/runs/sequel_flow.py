"""The ``K-`` runs whose gradients vanish, with depth or through time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarks.diagnosis.runs.base import FIRST, NO_FLOW, SHUT, VANISHING
from benchmarks.diagnosis.runs.models import adam, dense, k, normal, sgd
from benchmarks.diagnosis.runs.sequel_data import bikes, churn, greeting, shell, tunes
from benchmarks.diagnosis.runs.sequel_models import (
    beat,
    bell,
    between,
    cloth,
    coder,
    match,
    stacked,
)
from benchmarks.diagnosis.runs.unseen_models import constant, layers
from benchmarks.diagnosis.runs.veiled_models import blocks, fit

Add = Callable[..., None]


def vanishing(add: Add) -> None:
    """Vanishing with depth, by initial weights, or by saturation.

    Learn with He and ReLU (`shell-sig10`, `shell-hard-sigmoid`: Adam at 1e-3; `weave-sig6`: at
    3e-3), with He (`bikes-swish12`: Adam at 2e-3; `weave-normal`: at 3e-3), with Glorot
    (`shell-zeros`: Adam at 2e-3; `light-coder`: at 4e-3), with a gain of 1 and a variance of 2 a
    unit (`hearts-orthogonal`, `duel-softsign9`: Adam at 2e-3), with standardised values
    (`bikes-bells`: Adam at 5e-3; `churn-raw-sig`: ReLU and Adam at 2e-3), as 17 residual branches
    of width 24 (`bikes-narrow`: Adam at 2e-3), and with gates of a half on branches that are added
    (Adam at 2e-3).
    """

    def first(id: str, expected: tuple[str, ...], source: str, build: Callable[[], Any]) -> None:
        add(id, expected, source, build, FIRST)

    first(
        "shell-sig10",
        VANISHING,
        "ten sigmoids, Adam as it comes",
        lambda: stacked(shell(), (32,) * 10, "sigmoid", adam()),
    )
    first(
        "shell-hard-sigmoid",
        NO_FLOW,
        "seven hard sigmoids",
        lambda: stacked(shell(), (24,) * 7, "hard_sigmoid", sgd(0.1, 0.9)),
    )
    first(
        "shell-zeros",
        SHUT,
        "all weights start at 0",
        lambda: stacked(shell(), (32, 32), "relu", adam(2e-3), lambda: "zeros"),
    )
    first(
        "bikes-swish12",
        NO_FLOW,
        "stddev of 0.02 taken from a paper on transformers, twelve layers",
        lambda: stacked(bikes(), (24,) * 12, "swish", sgd(0.05, 0.9), lambda: normal(0.02)),
    )
    first(
        "bikes-narrow",
        NO_FLOW,
        "36 layers of five units",
        lambda: stacked(bikes(), (5,) * 36, "relu", sgd(0.01, 0.9)),
    )
    first(
        "bikes-bells",
        SHUT,
        "radial units on values as they are",
        lambda: stacked(bikes(raw_x=True), (24, 24, 24), bell, sgd(0.02, 0.9)),
    )
    first(
        "churn-raw-sig",
        SHUT,
        "values of thousands as they are, four sigmoids",
        lambda: stacked(churn(raw=True), (24,) * 4, "sigmoid", sgd(0.02, 0.9)),
    )
    first(
        "weave-sig6",
        VANISHING,
        "six sigmoid convolutions",
        lambda: cloth((8, 8, 12, 12, 12, 12), "sigmoid", sgd(0.05, 0.9)),
    )
    first(
        "weave-normal",
        NO_FLOW,
        'initialiser "random_normal", nine convolutions',
        lambda: cloth(
            (6,) * 9, "elu", sgd(0.02, 0.9), each=lambda: {"kernel_initializer": "random_normal"}
        ),
    )
    first(
        "hearts-orthogonal",
        NO_FLOW,
        "orthogonal with a gain of 0.15, seven convolutions",
        lambda: beat(
            (8,) * 7,
            "tanh",
            sgd(0.02, 0.9),
            each=lambda: {"kernel_initializer": k().initializers.Orthogonal(0.15)},
        ),
    )
    first(
        "light-coder",
        NO_FLOW,
        "variance of 0.01 a unit where 1 was meant, autoencoder of seven layers",
        lambda: coder(
            (24, 12, 6, 3, 6, 12, 24),
            "tanh",
            sgd(0.05, 0.9),
            lambda: k().initializers.VarianceScaling(0.01),
        ),
    )
    first(
        "duel-softsign9",
        NO_FLOW,
        "uniform of 0.05, nine layers for each player",
        lambda: match(
            sgd(0.05, 0.9),
            [dense(20, "softsign", k().initializers.RandomUniform(-0.05, 0.05)) for _ in range(9)],
            between,
        ),
    )
    first(
        "bikes-shut-gates",
        VANISHING,
        "eight gated layers whose gates start shut",
        lambda: blocks(bikes(), 8, sgd(0.05, 0.9), linear_gate, 24),
    )


def linear_gate(h: Any) -> Any:
    """Gated linear unit with a gate of 0.02 at first."""
    width = h.shape[-1]
    return dense(width)(h) * dense(width, "sigmoid", bias_initializer=constant(-4.0))(h)


def hello(length: int, body: list[Any], opt: Any, **more: Any) -> Any:
    return fit(greeting(length), body, opt, **{"steps": 200, **more})


def through_time(add: Add) -> None:
    """Recurrent layers that forget.

    `greeting` is learned by ReLU units that start as the identity, under Adam at 2e-3 with clipping
    (40, 100 and 120 steps, 300 train steps), by an LSTM with a forget bias of 3 and Adam at 0.01
    (40 steps), and with an orthogonal start and Adam at 3e-3
    (30 steps); `tunes` with a mask, tanh and Adam at 5e-3.
    """
    layer = layers

    def first(id: str, expected: tuple[str, ...], source: str, build: Callable[[], Any]) -> None:
        add(id, expected, source, build, FIRST)

    first(
        "greeting-rnn120",
        NO_FLOW,
        "120 steps, recurrence with Glorot",
        lambda: hello(
            120,
            [layer().SimpleRNN(16, recurrent_initializer="glorot_uniform")],
            sgd(5e-3, 0.9),
            steps=150,
        ),
    )
    first(
        "greeting-gru100",
        SHUT,
        "100 steps, GRU as it comes",
        lambda: hello(100, [layer().GRU(12)], sgd(0.05, 0.9), steps=150),
    )
    first(
        "greeting-lstm-deep",
        NO_FLOW,
        "two LSTMs with sigmoids in place of tanh, 40 steps",
        lambda: hello(
            40,
            [
                layer().LSTM(12, "sigmoid", return_sequences=True),
                layer().LSTM(12, "sigmoid"),
            ],
            adam(),
            steps=150,
        ),
    )
    first(
        "greeting-no-recurrence",
        SHUT,
        "recurrent weights start at 0",
        lambda: hello(30, [layer().SimpleRNN(20, recurrent_initializer="zeros")], sgd(0.05, 0.9)),
    )
    first(
        "greeting-relu",
        NO_FLOW,
        "ReLU recurrence that starts as a half of the identity, 40 steps",
        lambda: hello(
            40,
            [layer().SimpleRNN(20, "relu", recurrent_initializer=k().initializers.Identity(0.5))],
            sgd(0.02, 0.9),
        ),
    )
    first(
        "greeting-penalty",
        (*SHUT, "slow"),
        "recurrent weights held down by an L2 of 0.3",
        lambda: hello(
            30,
            [layer().SimpleRNN(20, recurrent_regularizer=k().regularizers.L2(0.3))],
            sgd(0.05, 0.9),
        ),
    )
    first(
        "tunes-padded",
        NO_FLOW,
        "50 zeros behind each tune, not masked, recurrence of sigmoids",
        lambda: fit(
            tunes(50),
            [layer().Embedding(31, 8), layer().SimpleRNN(16, "sigmoid")],
            adam(2e-3),
            steps=150,
        ),
    )
