"""The ``E-`` runs whose gradients vanish, with depth or through time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarks.diagnosis.runs.base import FIRST, NO_FLOW, SHUT, VANISHING
from benchmarks.diagnosis.runs.envoy_data import (
    buttons,
    cheese,
    doorbell,
    herbs,
    pleats,
    ripples,
    soil,
    toll,
    tram,
)
from benchmarks.diagnosis.runs.envoy_models import (
    between,
    eaten,
    fixed,
    lay,
    mlp,
    ridden,
    row,
    seen,
    spelled,
    wired,
)
from benchmarks.diagnosis.runs.models import adam, dense, normal, opts, sgd

Add = Callable[..., None]


def vanishing(add: Add) -> None:
    """Vanishing with depth, by initial weights, or by saturation.

    Learn with two layers of ReLU (`soil`, `riders`: Adam at 3e-3; `cheese`, `buttons`: SGD at 0.05
    with momentum; `herbs`: RMSprop at 3e-3; `ripples`: rate as it is), with tanh and Glorot
    (`tram`, and the coder of `pleats`, with three layers: SGD at 0.05 with momentum), with two
    graph convolutions (`wires`: rate as it is), and with one block with skips and normalisation
    (`vowels`: rate as it is).
    """

    def first(id: str, expected: tuple[str, ...], source: str, build: Callable[[], Any]) -> None:
        add(id, expected, source, build, FIRST)

    first(
        "soil-sig10",
        VANISHING,
        "ten sigmoids under Adam",
        lambda: mlp(soil(), (20,) * 10, "sigmoid", adam()),
    )
    first(
        "cheese-sig7",
        VANISHING,
        "seven sigmoids under SGD, trained for 140 steps",
        lambda: mlp(cheese(), (20,) * 7, "sigmoid", sgd(0.05, 0.9), steps=140),
    )
    first(
        "tram-tanh-small",
        NO_FLOW,
        "stddev of 0.01 in seven layers of tanh",
        lambda: mlp(tram(), (20,) * 7, "tanh", sgd(0.05, 0.9), init=lambda: normal(0.01)),
    )
    first(
        "soil-relu-small",
        NO_FLOW,
        "uniform of 0.05 in twelve layers of ReLU",
        lambda: mlp(soil(), (20,) * 12, "relu", adam(), init=lambda: between(-0.05, 0.05)),
    )
    first(
        "buttons-sig6",
        VANISHING,
        "six sigmoid convolutions",
        lambda: seen((8,) * 6, "sigmoid", sgd(0.05, 0.9)),
    )
    first(
        "herbs-sig9",
        VANISHING,
        "nine sigmoids below six uses, RMSprop",
        lambda: mlp(herbs(), (20,) * 9, "sigmoid", opts().RMSprop(1e-3)),
    )
    add(
        "soil-thin",
        NO_FLOW,
        "30 layers of two ReLUs",
        lambda: mlp(soil(), (2,) * 30, "relu", sgd(0.02, 0.9), steps=200),
    )
    first(
        "pleats-sig-coder",
        VANISHING,
        "autoencoder of eight sigmoids",
        lambda: mlp(pleats(), (20, 16, 10, 4, 4, 10, 16, 20), "sigmoid", sgd(0.05, 0.9)),
    )
    first(
        "riders-sig8",
        VANISHING,
        "eight sigmoids above two embeddings",
        lambda: ridden(adam(), (16,) * 8, "sigmoid"),
    )
    first(
        "wires-sig7",
        VANISHING,
        "seven graph convolutions with sigmoids",
        lambda: wired(sgd(0.05, 0.9), 7, "sigmoid", init=lambda: normal(0.05)),
    )
    first(
        "cheese-raw-tanh",
        SHUT,
        "thousands as they are below three layers of tanh",
        lambda: mlp(
            cheese(raw_x=True), (16,) * 3, "tanh", sgd(0.01), init=lambda: between(0.0, 0.5)
        ),
    )
    first(
        "tram-bias-sig",
        NO_FLOW,
        "bias of 12 in three layers of sigmoids",
        lambda: mlp(
            tram(), (20,) * 3, "sigmoid", adam(), each=lambda: {"bias_initializer": fixed(12.0)}
        ),
    )
    first(
        "vowels-no-skip",
        NO_FLOW,
        "transformer of four blocks without skips or normalisation, stddev of 0.02",
        lambda: spelled(
            sgd(0.05, 0.9), 4, skip=False, norm=False, init=lambda: normal(0.02), steps=150
        ),
    )
    first(
        "ripples-softmax4",
        SHUT,
        "softmax in four hidden layers",
        lambda: mlp(ripples(), (20,) * 4, "softmax", sgd(0.02, 0.9), first=[lay().Flatten()]),
    )
    first(
        "buttons-swish-small",
        NO_FLOW,
        "stddev of 0.01 in seven convolutions with swish",
        lambda: seen(
            (8,) * 7,
            "swish",
            adam(),
            data=buttons(),
            each=lambda: {"kernel_initializer": normal(0.01)},
            steps=130,
        ),
    )


def through_time(add: Add) -> None:
    """Recurrent layers that forget.

    Learned by 20 or 32 ReLU units that start as the identity, under Adam with clipping: `doorbell`
    of 100 steps in 100 train steps, of 110 in 130, and of 140 with the bells in the middle in 110,
    at 1e-3; `toll` of 90 steps in 120 train steps, and of 40 in 250, at 2e-3.  `doorbell` of 30 and
    40 steps is also learned by tanh and an orthogonal start (Adam at 3e-3), read forwards by a GRU
    (the same), and `menus` with a mask (Adam at 0.01, 130 train steps).
    """

    def first(id: str, expected: tuple[str, ...], source: str, build: Callable[[], Any]) -> None:
        add(id, expected, source, build, FIRST)

    first(
        "doorbell-rnn100",
        NO_FLOW,
        "100 steps, recurrence with Glorot, trained for 100 steps",
        lambda: row(
            doorbell(100),
            [lay().SimpleRNN(16, recurrent_initializer="glorot_uniform")],
            adam(),
            steps=100,
        ),
    )
    first(
        "doorbell-lstm110",
        NO_FLOW,
        "110 steps, LSTM as it comes, trained for 130 steps",
        lambda: row(doorbell(110), [lay().LSTM(16)], adam(), steps=130),
    )
    first(
        "doorbell-gru100",
        NO_FLOW,
        "100 steps, GRU as it comes, SGD, trained for 110 steps",
        lambda: row(doorbell(100), [lay().GRU(16)], sgd(0.05, 0.9), steps=110),
    )
    first(
        "doorbell-sig30",
        NO_FLOW,
        "sigmoid recurrence, 30 steps, a long training",
        lambda: row(doorbell(30), [lay().SimpleRNN(16, "sigmoid")], adam(), steps=300),
    )
    first(
        "doorbell-lstm-long",
        NO_FLOW,
        "90 steps, LSTM under RMSprop",
        lambda: row(doorbell(90), [lay().LSTM(12)], opts().RMSprop(1e-3), steps=220),
    )
    first(
        "doorbell-both-ways",
        NO_FLOW,
        "LSTM both ways, the bells ring in the middle of 140 steps",
        lambda: row(
            doorbell(140, "middle"), [lay().Bidirectional(lay().LSTM(8))], adam(), steps=110
        ),
    )
    first(
        "doorbell-two-rnns",
        NO_FLOW,
        "two recurrences of small weights above each other, 40 steps",
        lambda: row(
            doorbell(40),
            [
                lay().SimpleRNN(12, recurrent_initializer=normal(0.05), return_sequences=True),
                lay().SimpleRNN(12, recurrent_initializer=normal(0.05)),
            ],
            sgd(0.05, 0.9),
            steps=250,
        ),
    )
    first(
        "toll-lstm90",
        NO_FLOW,
        "sum of two early numbers, 90 steps, LSTM, trained for 120 steps",
        lambda: row(toll(90), [lay().LSTM(16)], adam(), steps=120),
    )
    first(
        "toll-gru80",
        NO_FLOW,
        "the same, 80 steps, GRU below a dense layer",
        lambda: row(toll(80), [lay().GRU(12), dense(12, "relu")], sgd(0.02, 0.9), steps=200),
    )
    first(
        "toll-rnn40",
        NO_FLOW,
        "the same, 40 steps, tanh recurrence with a start of at most 0.1",
        lambda: row(
            toll(40),
            [lay().SimpleRNN(16, recurrent_initializer=between(-0.1, 0.1))],
            adam(),
            steps=250,
        ),
    )
    first(
        "menus-padded",
        NO_FLOW,
        "90 zeros behind the dishes, no mask, LSTM, trained for 120 steps",
        lambda: eaten([lay().LSTM(12)], adam(2e-3), pad=90, steps=120),
    )
    first(
        "doorbell-backwards",
        NO_FLOW,
        "read backwards by mistake: the bells ring last of 80 steps",
        lambda: row(doorbell(80, "last"), [lay().GRU(12, go_backwards=True)], adam(), steps=130),
    )
