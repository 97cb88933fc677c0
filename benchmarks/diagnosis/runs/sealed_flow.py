"""The ``S-`` runs whose gradients vanish, and all of the recurrent ones that are sick."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarks.diagnosis.runs.base import BLOWN, FIRST, NO_FLOW, SHUT, VANISHING
from benchmarks.diagnosis.runs.models import adam, dense, k, normal, opts, sgd, uniform
from benchmarks.diagnosis.runs.sealed_models import (
    conv1d,
    fit,
    gates,
    keep,
    leaky,
    plain,
    points,
)
from benchmarks.diagnosis.runs.unseen_models import constant, layers, repeated, rnn

Add = Callable[..., None]


def vanishing(add: Add) -> None:
    """Vanishing with depth, by initial weights, or by saturation.

    Learn with ReLU and He under Adam at 3e-3 (`ecg`: 1e-3), all at the same depth; softsign with
    Glorot and Adam, gates with a bias of 4; without the constraint and with a momentum of 0.9;
    with standardised inputs.
    """

    def first(id: str, expected: tuple[str, ...], source: str, build: Callable[[], Any]) -> None:
        add(id, expected, source, build, FIRST)

    first(
        "sectors-sig9",
        VANISHING,
        "sigmoids",
        lambda: plain("sectors", 9, 28, "sigmoid", sgd(0.2, 0.9)),
    )
    first(
        "engine-hard8",
        VANISHING,
        "hard sigmoids",
        lambda: plain("engine", 8, 22, "hard_sigmoid", opts().RMSprop(5e-4)),
    )
    first(
        "clouds-sig7",
        VANISHING,
        "sigmoids shared by all points",
        lambda: points(repeated(7, lambda: dense(20, "sigmoid")), opts().Nadam(1e-3)),
    )
    first(
        "teacher-silu16",
        NO_FLOW,
        "swish halves its input",
        lambda: plain("teacher", 16, 30, "silu", sgd(0.05, 0.9)),
    )
    add("teacher-gates16", NO_FLOW, "gates in a row", lambda: gates(16, sgd(0.1, 0.9)))
    first(
        "teacher-softsign14",
        NO_FLOW,
        "stddev of 0.03",
        lambda: plain("teacher", 14, 34, "softsign", opts().Adagrad(0.01), lambda: normal(0.03)),
    )
    first(
        "ecg-conv13",
        NO_FLOW,
        "RandomUniform of Keras as it comes, no normalisation",
        lambda: conv1d(13, "relu", sgd(0.1, 0.9), kernel_initializer=uniform()),
    )
    first(
        "teacher-maxnorm",
        (*NO_FLOW, "slow"),
        "weights held to a norm of 0.1",
        lambda: plain("teacher", 6, 40, "relu", sgd(0.1), each=held()),
    )
    first(
        "engine-decibel-tanh",
        SHUT,
        "decibels as they are, tanh",
        lambda: plain("engine-decibel", 3, 30, "tanh", sgd(0.05, 0.9)),
    )


def held() -> dict[str, Any]:
    return {"kernel_constraint": k().constraints.MaxNorm(0.1)}


def through_time(add: Add) -> None:
    """Recurrent layers.

    Learn with ReLU units that start as the identity, Adam at 2e-3 and clipping; LSTM with a forget
    bias of 4 and GRU with one of 0 under Adam at 0.01 and 0.02; the own cell with a share of 0.98
    and Adam at 0.03; `mackey` with the initialisers and activations of Keras, LSTM under Adam.
    """

    def first(id: str, expected: tuple[str, ...], source: str, build: Callable[[], Any]) -> None:
        add(id, expected, source, build, FIRST)

    first("latch-rnn70", SHUT, "small kernel", lambda: keep(70, [rnn(24, 0.06)], sgd(0.05, 0.9)))
    first(
        "latch-lstm60",
        SHUT,
        "forget gates that start shut",
        lambda: keep(
            60,
            [layers().LSTM(20, unit_forget_bias=False, bias_initializer=constant(-3.0))],
            sgd(0.1),
        ),
    )
    first(
        "latch-leaky50",
        SHUT,
        "own cell that forgets half at every step",
        lambda: keep(50, [leaky(20, 0.5)], adam(3e-3)),
    )
    first(
        "latch-gru20-bias",
        SHUT,
        "bias of -4, taken from a library that counts gates the other way round",
        lambda: keep(20, [layers().GRU(20, bias_initializer=constant(-4.0))], adam(2e-3)),
    )
    first(
        "mackey-lstm-relu",
        BLOWN,
        "ReLU for states and gates, large kernel",
        lambda: fit(
            "mackey",
            [layers().LSTM(24, "relu", "relu", recurrent_initializer=normal(0.6))],
            sgd(0.01, 0.9),
        ),
    )
    first(
        "mackey-rnn-linear",
        BLOWN,
        "orthogonal kernel times 1.6",
        lambda: fit(
            "mackey",
            [
                layers().SimpleRNN(
                    18, "linear", recurrent_initializer=k().initializers.Orthogonal(1.6)
                )
            ],
            opts().RMSprop(1e-3),
        ),
    )
