"""The ``Q-`` runs whose gradients vanish, with depth or through time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarks.diagnosis.runs.base import FIRST, NO_FLOW, SHUT, VANISHING
from benchmarks.diagnosis.runs.models import adam, dense, k, normal, opts, sgd, uniform
from benchmarks.diagnosis.runs.unseen_models import constant, layers, own
from benchmarks.diagnosis.runs.veiled_models import (
    asked,
    blocks,
    carry,
    coder,
    dial,
    gated,
    knock,
    net,
    pair,
    read,
    taste,
)

Add = Callable[..., None]

SMALL = ("vanishing", "slow", "stalled")
"""Gradients that are small in every layer alike."""


def vanishing(add: Add) -> None:
    """Vanishing with depth, by initial weights, or by saturation.

    Learn at the same depth with ReLU, He and Adam at 5e-4 to 1e-3 (`liver-sig8`, `clocks`,
    `solar`; `wines-gelu14` with its GELU), with ReLU and Glorot (Adam at 1e-3 to 2e-3: `bearing`,
    `twins`, `taijitu-tenth` without the division; SGD at 0.05: `liver-softmax`), with Glorot for
    tanh (Adam at 2e-3), with ELU (`plant`: Adam at 3e-3), with standardised values
    (`liver-raw-tanh`), with the other lane of the highway, with branches that are added and
    normalised (`lockers`: Adam at 4e-3), with a stddev of 0.3 and Adam at 0.01 (`guests`), and with
    He below a Glorot head (`firefly`).
    """

    def first(id: str, expected: tuple[str, ...], source: str, build: Callable[[], Any]) -> None:
        add(id, expected, source, build, FIRST)

    first(
        "liver-sig8",
        VANISHING,
        "eight sigmoids",
        lambda: net("liver", (32,) * 8, "sigmoid", sgd(0.1, 0.9)),
    )
    first(
        "taijitu-tanh10",
        NO_FLOW,
        "stddev of 0.01, ten layers",
        lambda: net("taijitu", (24,) * 10, "tanh", sgd(0.05, 0.9), init=lambda: normal(0.01)),
    )
    first(
        "solar-relu28",
        NO_FLOW,
        "28 layers as they come",
        lambda: net("solar", (20,) * 28, "relu", sgd(0.01, 0.9)),
    )
    first(
        "wines-gelu14",
        NO_FLOW,
        "truncated normal of 0.05 in narrow layers, as if they were wide",
        lambda: net("wines", (16,) * 14, "gelu", sgd(0.05, 0.9), init=cut),
    )
    first(
        "bearing-sig7",
        VANISHING,
        "seven sigmoid convolutions",
        lambda: knock((8, 8, 12, 12, 12, 16, 16), "sigmoid", sgd(0.05, 0.9)),
    )
    first(
        "clocks-uniform",
        NO_FLOW,
        'initialiser "random_uniform", eight convolutions',
        lambda: dial((8,) * 8, "tanh", sgd(0.05, 0.9), init=uniform),
    )
    first(
        "plant-sig6",
        VANISHING,
        "autoencoder of sigmoids",
        lambda: coder((20, 12, 4, 12, 20), "sigmoid", sgd(0.1, 0.9)),
    )
    first(
        "liver-softmax",
        (*NO_FLOW, "stalled"),
        "softmax in the hidden layers",
        lambda: net("liver", (32,) * 5, "softmax", sgd(0.1, 0.9)),
    )
    first(
        "liver-raw-tanh",
        SHUT,
        "values of thousands as they are, tanh",
        lambda: net("liver-raw", (24,) * 5, "tanh", sgd(0.01, 0.9)),
    )
    first(
        "wines-gates",
        VANISHING,
        "highway without its other lane, gates shut at first",
        lambda: blocks("wines", 7, sgd(0.05, 0.9), gated),
    )
    first(
        "taijitu-tenth",
        VANISHING,
        "every layer's output divided by 10",
        lambda: net(
            "taijitu", (32,) * 6, "relu", sgd(0.1, 0.9), after=lambda: [own(lambda z: z / 10)]
        ),
    )
    first(
        "twins-sig7",
        VANISHING,
        "two towers of seven sigmoids",
        lambda: pair(
            sgd(0.1, 0.9),
            [dense(24, "sigmoid") for _ in range(7)],
            lambda h: k().ops.abs(h),
            head=dense(1, "sigmoid"),
        ),
    )
    first(
        "lockers-bare",
        (*NO_FLOW, "stalled"),
        "six blocks of attention, nothing added or normalised, stddev of 0.02",
        lambda: asked(adam(), 6, skip=False, norm=False, init=lambda: normal(0.02), steps=200),
    )
    add(
        "guests-product",
        SMALL,
        "product of an embedding that starts near 0, nothing beside it, SGD",
        lambda: taste(opts().SGD(0.05), lambda h: h[:, :6], steps=300),
    )
    add(
        "firefly-tiny",
        (*NO_FLOW, "slow", "stalled"),
        "stddev of 1e-3 in four convolutions and the head",
        lambda: dial(
            (8, 8, 8, 8),
            "relu",
            sgd(0.01, 0.9),
            data="firefly",
            init=lambda: normal(1e-3),
            head=dense(2, None, normal(1e-3)),
        ),
    )


def cut() -> Any:
    return k().initializers.TruncatedNormal(0, 0.05)


def through_time(add: Add) -> None:
    """Recurrent layers that forget.

    `parcel` is learned by ReLU units that start as the identity, under Adam at 2e-3 with clipping
    (100 and 110 steps; 120 in 300 train steps, to two thirds of the loss of a constant, while no
    LSTM that was tried did), by LSTMs with a forget bias of 3 or 4 and Adam at 0.01 (25 and 60),
    with an orthogonal start and Adam at 3e-3 (30), and read forwards (Adam at 5e-3); `tongues`
    with a mask and Adam at 5e-3.
    """

    def first(id: str, source: str, build: Callable[[], Any]) -> None:
        add(id, SHUT, source, build, FIRST)

    first(
        "parcel-rnn110",
        "110 steps, recurrence as it comes",
        lambda: carry(110, [layers().SimpleRNN(20)], sgd(3e-3, 0.9), steps=160),
    )
    first(
        "parcel-lstm120",
        "120 steps, LSTM as it comes",
        lambda: carry(120, [layers().LSTM(16)], sgd(0.05, 0.9), steps=150),
    )
    first(
        "parcel-gru-sigmoid",
        "GRU whose activation is a sigmoid, 60 steps",
        lambda: carry(60, [layers().GRU(16, "sigmoid")], sgd(0.05, 0.9), steps=200),
    )
    first(
        "parcel-small",
        "recurrent stddev of 0.02",
        lambda: carry(
            30, [layers().SimpleRNN(24, recurrent_initializer=normal(0.02))], sgd(0.05, 0.9)
        ),
    )
    first(
        "parcel-last-first",
        "read backwards, while what matters is at the end",
        lambda: carry(80, [layers().GRU(8, go_backwards=True)], adam(5e-4), late=True, steps=153),
    )
    first(
        "parcel-softsign8",
        "two narrow layers of softsign, 100 steps",
        lambda: carry(
            100,
            [
                layers().SimpleRNN(8, "softsign", return_sequences=True),
                layers().SimpleRNN(8, "softsign"),
            ],
            sgd(2e-3, 0.9),
            steps=150,
        ),
    )
    first(
        "tongues-padded",
        "100 zeros behind each text, not masked",
        lambda: read([layers().LSTM(16)], sgd(0.05, 0.9), pad=100, steps=150),
    )
    first(
        "parcel-forgets",
        "bias of -3 in all gates of an LSTM",
        lambda: carry(
            25,
            [layers().LSTM(16, unit_forget_bias=False, bias_initializer=constant(-3))],
            adam(2e-3),
        ),
    )
