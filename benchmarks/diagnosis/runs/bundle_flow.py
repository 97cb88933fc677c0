"""The ``B-`` runs whose gradients vanish, with depth or through time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarks.diagnosis.runs.base import FIRST, NO_FLOW, SHUT, VANISHING
from benchmarks.diagnosis.runs.bundle_data import bread, goals, spark, stones
from benchmarks.diagnosis.runs.bundle_models import (
    apart,
    call,
    counted,
    flower,
    rented,
    sailed,
    subject,
    tiled,
    worn,
)
from benchmarks.diagnosis.runs.models import adam, dense, k, normal, opts, sgd
from benchmarks.diagnosis.runs.sequel_models import stacked
from benchmarks.diagnosis.runs.unseen_models import layers
from benchmarks.diagnosis.runs.veiled_models import fit

Add = Callable[..., None]


def vanishing(add: Add) -> None:
    """Vanishing with depth, by initial weights, or by saturation.

    Learn with He and ReLU (`stones`, `tiles-sig7`: Adam at 1e-3; `bread-hard8`: RMSprop at 1e-3;
    `bats`, `clothes`: Adam at 2e-3), with Glorot (`stones-normal001`, `rents` with ReLU: Adam at
    2e-3), with He (`goals`, `tiles-leaky`: rates as they are), with ELU (`petals`: Adam at 3e-3),
    with skips, normalisation and Glorot (`census`: Adam at 1e-3), and with standardised values
    (`ferry`: rate as it is).
    """

    def first(id: str, expected: tuple[str, ...], source: str, build: Callable[[], Any]) -> None:
        add(id, expected, source, build, FIRST)

    first(
        "stones-sig8",
        VANISHING,
        "eight sigmoids, Adam as it comes",
        lambda: stacked(stones(), (32,) * 8, "sigmoid", adam()),
    )
    first(
        "stones-normal001",
        NO_FLOW,
        "stddev of 0.01, ten layers of tanh",
        lambda: stacked(stones(), (24,) * 10, "tanh", sgd(0.05, 0.9), lambda: normal(0.01)),
    )
    first(
        "bread-hard8",
        VANISHING,
        "eight hard sigmoids under RMSprop",
        lambda: stacked(bread(), (24,) * 8, "hard_sigmoid", opts().RMSprop(1e-3)),
    )
    first(
        "goals-uniform",
        NO_FLOW,
        "uniform of 0.05, Keras' older default, in ten layers of swish",
        lambda: stacked(
            goals(),
            (20,) * 10,
            "swish",
            sgd(0.1, 0.9),
            lambda: k().initializers.RandomUniform(-0.05, 0.05),
        ),
    )
    first(
        "tiles-sig7",
        VANISHING,
        "seven sigmoid convolutions",
        lambda: tiled((8,) * 7, "sigmoid", sgd(0.05, 0.9)),
    )
    first(
        "tiles-leaky",
        NO_FLOW,
        "stddev of 0.01, eight convolutions with leaky ReLU",
        lambda: tiled(
            (8,) * 8,
            "leaky_relu",
            sgd(0.02, 0.9),
            each=lambda: {"kernel_initializer": normal(0.01)},
        ),
    )
    first(
        "bats-sig7",
        VANISHING,
        "seven sigmoid convolutions along the signal",
        lambda: call((8,) * 7, "sigmoid", adam()),
    )
    first(
        "petals-sig-coder",
        VANISHING,
        "autoencoder of nine sigmoids",
        lambda: flower((30, 24, 16, 10), "sigmoid", sgd(0.1, 0.9)),
    )
    first(
        "census-no-skip",
        NO_FLOW,
        "transformer of four blocks without skips or normalisation, stddev of 0.02",
        lambda: counted(
            sgd(0.05, 0.9), 4, skip=False, norm=False, init=lambda: normal(0.02), steps=200
        ),
    )
    first(
        "rents-sig9",
        VANISHING,
        "nine sigmoids above an embedding",
        lambda: rented(adam(), (20,) * 9, "sigmoid"),
    )
    first(
        "ferry-raw-tanh",
        SHUT,
        "thousands as they are, five layers of tanh under two heads",
        lambda: sailed(sgd(5e-3, 0.9), (20,) * 5, "tanh", raw_x=True),
    )
    first(
        "clothes-sig8",
        VANISHING,
        "shared tower of eight sigmoids",
        lambda: worn(sgd(0.05, 0.9), [dense(16, "sigmoid") for _ in range(8)], apart),
    )


def through_time(add: Add) -> None:
    """Recurrent layers that forget.

    `spark` is learned by 24 ReLU units that start as the identity, under Adam at 1e-3 with clipping
    (100 steps, 300 train steps), and with an orthogonal start and tanh (20 and 30 steps: Adam at
    3e-3); `notes` with a mask and an orthogonal start (Adam at 5e-3).
    """

    def first(id: str, expected: tuple[str, ...], source: str, build: Callable[[], Any]) -> None:
        add(id, expected, source, build, FIRST)

    first(
        "spark-rnn100",
        NO_FLOW,
        "100 steps, recurrence with Glorot, under RMSprop",
        lambda: fit(
            spark(100),
            [layers().SimpleRNN(16, recurrent_initializer="glorot_uniform")],
            opts().RMSprop(1e-3),
            steps=120,
        ),
    )
    first(
        "spark-lstm110",
        NO_FLOW,
        "110 steps, LSTM as it comes",
        lambda: fit(spark(110), [layers().LSTM(12)], sgd(0.05, 0.9), steps=120),
    )
    first(
        "spark-gru60",
        SHUT,
        "60 steps, two GRUs",
        lambda: fit(
            spark(60),
            [layers().GRU(12, return_sequences=True), layers().GRU(12)],
            sgd(0.05, 0.9),
            steps=120,
        ),
    )
    first(
        "spark-sig20",
        NO_FLOW,
        "two sigmoid recurrences, 20 steps",
        lambda: fit(
            spark(20),
            [
                layers().SimpleRNN(16, "sigmoid", return_sequences=True),
                layers().SimpleRNN(16, "sigmoid"),
            ],
            adam(),
            steps=200,
        ),
    )
    first(
        "notes-padded",
        NO_FLOW,
        "100 zeros behind the words, no mask, recurrence with Glorot",
        lambda: subject(
            [layers().SimpleRNN(16, recurrent_initializer="glorot_uniform")],
            adam(2e-3),
            pad=100,
            steps=120,
        ),
    )
    first(
        "spark-small",
        NO_FLOW,
        "recurrent weights with a stddev of 0.05, 30 steps",
        lambda: fit(
            spark(30),
            [layers().SimpleRNN(16, recurrent_initializer=normal(0.05))],
            sgd(0.05, 0.9),
            steps=200,
        ),
    )
