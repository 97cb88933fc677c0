"""The ``D-`` runs whose gradients vanish, with depth or through time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarks.diagnosis.runs.base import FIRST, NO_FLOW, SHUT, VANISHING
from benchmarks.diagnosis.runs.draw_data import (
    beacon,
    bees,
    fungi,
    recall,
    ropes,
    snow,
    tags,
    tea,
)
from benchmarks.diagnosis.runs.draw_models import (
    always,
    chain,
    flat,
    lay,
    letters,
    plain,
    priced,
    roped,
    shaken,
    sung,
    yard,
)
from benchmarks.diagnosis.runs.models import adam, dense, normal, opts, sgd

Add = Callable[..., None]


def vanishing(add: Add) -> None:
    """Vanishing with depth, by initial weights, or by saturation.

    Learn with fewer layers and ReLU, He's start where there are four (`bees`: Adam at 2e-3;
    `fungi`, `knots`, `stalls`: SGD at 0.05 with momentum; `shake`: Adam at 3e-3; `tags`: RMSprop at
    1e-3; `snow`: rate as it is), with tanh and Glorot (`tea`, `ropes`: SGD at 0.05 with momentum),
    with two graph convolutions (`hives`: Adam at 5e-3), and with one block with skips and
    normalisation (`order`: Adam at 5e-3).
    """

    def first(id: str, expected: tuple[str, ...], source: str, build: Callable[[], Any]) -> None:
        add(id, expected, source, build, FIRST)

    first(
        "bees-sig9",
        VANISHING,
        "nine sigmoids under Adam",
        lambda: plain(bees(), (24,) * 9, "sigmoid", adam()),
    )
    first(
        "tea-normal0005",
        NO_FLOW,
        "stddev of 0.005 in nine layers of tanh",
        lambda: plain(tea(), (24,) * 9, "tanh", sgd(0.05, 0.9), init=lambda: normal(0.005)),
    )
    first(
        "fungi-relu-small",
        NO_FLOW,
        "stddev of 0.02 in ten layers of ReLU",
        lambda: plain(fungi(), (24,) * 10, "relu", sgd(0.05, 0.9), init=lambda: normal(0.02)),
    )
    first(
        "knots-sig6",
        VANISHING,
        "six sigmoid convolutions",
        lambda: roped((8,) * 6, "sigmoid", sgd(0.05, 0.9)),
    )
    first(
        "shake-sig8",
        VANISHING,
        "eight sigmoid convolutions along the signal",
        lambda: shaken((12,) * 8, "sigmoid", adam()),
    )
    first(
        "tags-sig10",
        VANISHING,
        "ten sigmoids below five tags",
        lambda: plain(tags(), (20,) * 10, "sigmoid", opts().RMSprop(1e-3)),
    )
    add(
        "tea-thin",
        NO_FLOW,
        "25 layers of two ReLUs",
        lambda: plain(tea(), (2,) * 25, "relu", sgd(0.02, 0.9)),
    )
    first(
        "ropes-sig-coder",
        VANISHING,
        "autoencoder of eight sigmoids",
        lambda: plain(ropes(), (24, 18, 12, 4, 4, 12, 18, 24), "sigmoid", sgd(0.05, 0.9)),
    )
    first(
        "stalls-sig8",
        VANISHING,
        "eight sigmoids above two embeddings",
        lambda: priced(sgd(0.05, 0.9), (24,) * 8, "sigmoid"),
    )
    first(
        "hives-sig8",
        VANISHING,
        "eight graph convolutions with sigmoids of small weights",
        lambda: yard(adam(), 8, "sigmoid", width=16, init=lambda: normal(0.05)),
    )
    first(
        "bees-raw-sig",
        SHUT,
        "thousands as they are below four sigmoids",
        lambda: plain(bees(raw=True), (24,) * 4, "sigmoid", sgd(0.05)),
    )
    add(
        "bees-bias-tanh",
        NO_FLOW,
        "bias of 9 in four layers of tanh, meant as 0.9",
        lambda: plain(
            bees(), (24,) * 4, "tanh", adam(), each=lambda: {"bias_initializer": always(9.0)}
        ),
    )
    first(
        "order-no-skip",
        NO_FLOW,
        "transformer of five blocks without skips or normalisation, stddev of 0.02",
        lambda: letters(
            sgd(0.05, 0.9), 5, skip=False, norm=False, init=lambda: normal(0.02), steps=200
        ),
    )
    first(
        "snow-softmax5",
        SHUT,
        "softmax in five hidden layers",
        lambda: plain(snow(), (24,) * 5, "softmax", sgd(0.02, 0.9), first=[lay().Flatten()]),
    )
    first(
        "shake-uniform",
        NO_FLOW,
        "uniform of 0.03, nine convolutions with ELU",
        lambda: shaken(
            (8,) * 9,
            "elu",
            sgd(0.02, 0.9),
            each=lambda: {"kernel_initializer": flat(-0.03, 0.03)},
        ),
    )


def through_time(add: Add) -> None:
    """Recurrent layers that forget.

    `beacon` and `recall` are learned by 24 ReLU units that start as the identity, under Adam at
    1e-3 with clipping (120 and 100 steps, 300 train steps), `beacon` also with an orthogonal start
    and tanh (25 and 40 steps: Adam at 3e-3), and `rhymes` with a mask (Adam at 0.01, 110 train
    steps).
    """

    def first(id: str, expected: tuple[str, ...], source: str, build: Callable[[], Any]) -> None:
        add(id, expected, source, build, FIRST)

    first(
        "beacon-rnn120",
        NO_FLOW,
        "120 steps, recurrence with Glorot, trained for 110 steps",
        lambda: chain(
            beacon(120),
            [lay().SimpleRNN(20, recurrent_initializer="glorot_uniform")],
            adam(),
            steps=110,
        ),
    )
    first(
        "beacon-lstm130",
        NO_FLOW,
        "130 steps, LSTM as it comes, trained for 120 steps",
        lambda: chain(beacon(130), [lay().LSTM(16)], adam(), steps=120),
    )
    first(
        "beacon-gru90",
        NO_FLOW,
        "90 steps, GRU as it comes under RMSprop",
        lambda: chain(beacon(90), [lay().GRU(16)], opts().RMSprop(1e-3), steps=220),
    )
    first(
        "beacon-lstm-twice",
        NO_FLOW,
        "80 steps, two LSTMs, SGD, trained for 100 steps",
        lambda: chain(
            beacon(80),
            [lay().LSTM(12, return_sequences=True), lay().LSTM(12)],
            sgd(0.05, 0.9),
            steps=100,
        ),
    )
    first(
        "beacon-both-ways",
        NO_FLOW,
        "GRU both ways, the light shines in the middle of 160 steps",
        lambda: chain(
            beacon(160, "middle"), [lay().Bidirectional(lay().GRU(12))], adam(), steps=130
        ),
    )
    first(
        "beacon-sig40",
        NO_FLOW,
        "sigmoid recurrence, 40 steps",
        lambda: chain(beacon(40), [lay().SimpleRNN(20, "sigmoid")], sgd(0.05, 0.9)),
    )
    first(
        "beacon-backwards",
        NO_FLOW,
        "read backwards by mistake: the light shines last of 100 steps",
        lambda: chain(
            beacon(100, "last"),
            [lay().SimpleRNN(16, go_backwards=True, recurrent_initializer=flat(-0.25, 0.25))],
            adam(2e-3),
            steps=130,
        ),
    )
    first(
        "rhymes-padded",
        NO_FLOW,
        "110 zeros behind the syllables, no mask, LSTM",
        lambda: sung([lay().LSTM(16)], adam(2e-3), pad=110, steps=110),
    )
    first(
        "beacon-no-forget-bias",
        NO_FLOW,
        "LSTM whose forget gates start at a half, 60 steps",
        lambda: chain(
            beacon(60), [lay().LSTM(16, unit_forget_bias=False)], sgd(0.1, 0.9), steps=250
        ),
    )
    first(
        "beacon-small25",
        NO_FLOW,
        "recurrent weights with a stddev of 0.01, 25 steps",
        lambda: chain(
            beacon(25), [lay().SimpleRNN(16, recurrent_initializer=normal(0.01))], sgd(0.05, 0.9)
        ),
    )
    first(
        "beacon-conv-rnn",
        NO_FLOW,
        "recurrence with Glorot above a convolution, 100 steps",
        lambda: chain(
            beacon(100),
            [
                lay().Conv1D(12, 3, padding="causal", activation="relu"),
                lay().SimpleRNN(16, recurrent_initializer="glorot_uniform"),
            ],
            sgd(0.05, 0.9),
            steps=200,
        ),
    )
    first(
        "recall-lstm100",
        NO_FLOW,
        "a number 100 steps ago, LSTM, trained for 120 steps",
        lambda: chain(recall(100), [lay().LSTM(16)], adam(2e-3), steps=120),
    )
    first(
        "recall-gru70",
        NO_FLOW,
        "a number 70 steps ago, GRU and a dense layer",
        lambda: chain(recall(70), [lay().GRU(16), dense(16, "relu")], sgd(0.02, 0.9), steps=250),
    )
