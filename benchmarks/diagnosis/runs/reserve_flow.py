"""The ``V-`` runs whose gradients vanish, and all of the recurrent ones that are sick."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarks.diagnosis.runs.base import BLOWN, FIRST, KILLED, NO_FLOW, SHUT, VANISHING
from benchmarks.diagnosis.runs.models import adam, normal, opts, sgd, uniform
from benchmarks.diagnosis.runs.reserve_models import (
    encoder,
    fit,
    lenet,
    letters,
    pictures,
    plain,
    remember,
    sounds,
)
from benchmarks.diagnosis.runs.unseen_models import layers

Add = Callable[..., None]


def vanishing(add: Add) -> None:
    """Vanishing with depth, by initial weights, or by saturation.

    Learn with ReLU, He (`churn`, `shapes-lenet`: Glorot) and Adam at 1e-3 to 3e-3, all at the
    same depth; tanh with Glorot; an epsilon of 1e-3; the transformer with residual connections
    and Adam at 1e-3; standardised inputs.
    """

    def first(id: str, expected: tuple[str, ...], source: str, build: Callable[[], Any]) -> None:
        add(id, expected, source, build, FIRST)

    first(
        "shells-sig10",
        VANISHING,
        "sigmoids",
        lambda: plain("shells", 10, 24, "sigmoid", sgd(0.1)),
    )
    first("shapes-lenet", VANISHING, "LeNet with sigmoids", lambda: lenet("sigmoid", sgd(0.05)))
    first(
        "tones-sig8",
        VANISHING,
        "sigmoid convolutions",
        lambda: sounds(8, "sigmoid", sgd(0.05, 0.9)),
    )
    first(
        "churn-softmax4",
        NO_FLOW,
        "softmax in hidden layers",
        lambda: plain("churn", 4, 20, "softmax", sgd(0.05)),
    )
    first(
        "trips-tanh15",
        NO_FLOW,
        'initialiser "random_normal"',
        lambda: plain("trips", 15, 20, "tanh", opts().Nadam(1e-3), "random_normal"),
    )
    first(
        "shells-relu14",
        NO_FLOW,
        'initialiser "truncated_normal"',
        lambda: plain("shells", 14, 32, "relu", adam(), "truncated_normal"),
    )
    first(
        "shapes-conv14",
        NO_FLOW,
        "stddev of 0.05, no normalisation",
        lambda: pictures(
            (8,) * 14, "relu", sgd(0.05, 0.9), each={"kernel_initializer": "random_normal"}
        ),
    )
    first(
        "shapes-epsilon",
        NO_FLOW,
        "epsilon of batch normalisation 1e3, meant as 1e-3",
        lambda: pictures((12, 16, 16, 20), None, sgd(0.05), after=loose),
    )
    add(
        "mail-no-skip",
        NO_FLOW,
        "transformer without residual connections",
        lambda: encoder(5, sgd(0.05), skip=False),
    )
    first(
        "trips-rawx-tanh",
        SHUT,
        "seconds since 1970 as they are, tanh",
        lambda: plain("trips-rawx", 2, 32, "tanh", adam(2e-3)),
    )


def loose() -> list[Any]:
    return [layers().BatchNormalization(epsilon=1e3), layers().ReLU()]


def through_time(add: Add) -> None:
    """Recurrent layers.

    `codes` are learned by ReLU units that start as the identity, under Adam at 2e-3 with clipping
    (45 steps, and 40 with two layers), and by LSTMs with a forget bias of 4 and Adam at 0.01;
    padded letters with a mask and Keras' own start; `weather` with standardised inputs and the
    initialisers of Keras (ReLU: clipped; LSTM: tanh).
    """

    def first(id: str, expected: tuple[str, ...], source: str, build: Callable[[], Any]) -> None:
        add(id, expected, source, build, FIRST)

    first(
        "codes-rnn45",
        SHUT,
        'recurrent initialiser "uniform"',
        lambda: remember(
            45, [layers().SimpleRNN(22, recurrent_initializer=uniform())], sgd(0.05, 0.9)
        ),
    )
    first(
        "codes-lstm80",
        SHUT,
        "80 steps, LSTM as it comes, SGD",
        lambda: remember(
            80, [layers().LSTM(16, return_sequences=True), layers().LSTM(16)], sgd(0.05), steps=200
        ),
    )
    first(
        "codes-rnn-sig2",
        SHUT,
        "sigmoid for states, stacked",
        lambda: remember(
            40,
            [
                layers().SimpleRNN(20, "sigmoid", return_sequences=True),
                layers().SimpleRNN(20, "sigmoid"),
            ],
            adam(),
        ),
    )
    add(
        "mail-padded",
        SHUT,
        "90 zeros after the end, not masked",
        lambda: letters(
            [layers().SimpleRNN(20, recurrent_initializer=normal(0.1))],
            opts().RMSprop(1e-3),
            "mail-padded",
            steps=220,
        ),
    )
    first(
        "weather-air",
        SHUT,
        "kelvin and hectopascal as they are",
        lambda: fit("weather-air", [layers().GRU(20)], adam(2e-3)),
    )
    first(
        "weather-rnn-relu",
        BLOWN,
        "ReLU, stddev of 0.6",
        lambda: fit(
            "weather",
            [layers().SimpleRNN(28, "relu", recurrent_initializer=normal(0.6))],
            sgd(0.01, 0.9),
        ),
    )
    first(
        "weather-lstm-relu",
        KILLED,
        "LSTM with ReLU, kelvin and hectopascal as they are",
        lambda: fit(
            "weather-air",
            [layers().LSTM(24, "relu")],
            sgd(0.01, 0.9),
        ),
    )
