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
    """Vanishing with depth, by initial weights, or by saturation."""

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
    """Recurrent layers that forget."""

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
        "parcel-reversed",
        "read backwards, while what matters is at the end",
        lambda: carry(80, [layers().GRU(8, go_backwards=True)], adam(5e-4), late=True, steps=160),
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
