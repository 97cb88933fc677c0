"""The ``D-`` runs in which something is too large, or dead."""

from __future__ import annotations

from collections.abc import Callable

from benchmarks.diagnosis.runs.base import BLOWN, DEAD, FIRST, KILLED, LAST, NO_FLOW
from benchmarks.diagnosis.runs.draw_data import (
    beacon,
    bees,
    fungi,
    knots,
    meter,
    ropes,
    snow,
    stalls,
    tags,
    tally,
    tea,
)
from benchmarks.diagnosis.runs.draw_models import (
    always,
    bare,
    chain,
    decays,
    flat,
    joined,
    lay,
    letters,
    ortho,
    plain,
    roped,
    shaken,
    steps_of,
    yard,
)
from benchmarks.diagnosis.runs.models import adam, dense, k, normal, opts, sgd

Add = Callable[..., None]
LEAPS = (*KILLED, "stalled")
"""Steps so large that units saturate or die at once."""


def exploding(add: Add) -> None:
    """Initial weights, rates and scales that are too large.

    Learn with scaled values and targets (`tea`: SGD at 0.05 with momentum; `snow`: rate as it is;
    `knots`: rate as it is; `meter`: LSTM with tanh, SGD at 0.05 with momentum), with He's start
    (`bees`: Adam at 2e-3), with an orthogonal start (`tally`: rate as it is) or the identity
    (`beacon`, 120 steps: Adam at 1e-3, clipped), with embedded goods (`stalls`: SGD at 0.05 with
    momentum), with rates of 3e-3 (`shake`), 2e-3 (`ropes`) and 5e-3 (`order`), all Adam, with
    shares of neighbours in two layers (`hives`: rate as it is), and with losses weighted alike
    (`tea-weights`: rate as it is).
    """
    add(
        "tea-raw-x",
        KILLED,
        "degrees, seconds and metres as they are",
        lambda: plain(tea(raw_x=True), (24, 24), "relu", sgd(0.01)),
    )
    add(
        "tea-raw-y",
        KILLED,
        "points up to 900 as targets",
        lambda: plain(tea(raw_y=True), (32, 32), "relu", sgd(0.02, 0.9)),
    )
    add(
        "bees-normal15",
        KILLED,
        "stddev of 1.5 in eight layers of ReLU",
        lambda: plain(bees(), (24,) * 8, "relu", sgd(0.01), init=lambda: normal(1.5)),
    )
    add(
        "knots-255",
        KILLED,
        "pixels from 0 to 255",
        lambda: roped((12, 16), "relu", sgd(0.05, 0.9), data=knots(255.0)),
    )
    add(
        "shake-rate",
        LEAPS,
        "SGD at a rate of 20",
        lambda: shaken((12, 16), "relu", sgd(20.0, 0.9)),
    )
    add(
        "tea-late",
        LEAPS,
        "rate of 30 from step 150 on, a slip in a schedule",
        lambda: plain(
            tea(), (24, 24), "elu", sgd(decays().PiecewiseConstantDecay([150], [0.01, 30.0]))
        ),
    )
    add(
        "tally-orthogonal2",
        BLOWN,
        "linear recurrence that starts as 1.9 times an orthogonal matrix, 50 steps",
        lambda: chain(
            tally(50),
            [lay().SimpleRNN(16, "linear", recurrent_initializer=ortho(1.9))],
            sgd(0.01),
            steps=200,
        ),
        FIRST,
    )
    add(
        "meter-relu-lstm",
        LEAPS,
        "LSTM with ReLU on kilowatts as they are",
        lambda: chain(meter(raw=True), [lay().LSTM(16, "relu")], sgd(0.01), steps=200),
    )
    add(
        "beacon-relu-rnn",
        BLOWN,
        "ReLU recurrence, recurrent kernel of twice the identity, 60 steps",
        lambda: chain(
            beacon(60),
            [lay().SimpleRNN(16, "relu", recurrent_initializer=k().initializers.Identity(2.0))],
            sgd(0.01),
            steps=150,
        ),
        FIRST,
    )
    add(
        "stalls-number",
        KILLED,
        "numbers of goods from 500000 on as they are",
        lambda: plain(stalls(number=True), (24, 24), "relu", sgd(1e-3)),
    )
    add(
        "ropes-adam5",
        LEAPS,
        "autoencoder under Adam at a rate of 5",
        lambda: plain(ropes(), (24, 4, 24), "relu", adam(5.0)),
    )
    add(
        "hives-sum",
        KILLED,
        "sums over neighbours in eight layers, none normalised",
        lambda: yard(sgd(0.02, 0.9), 8, total=True),
    )
    add(
        "order-rate",
        LEAPS,
        "transformer without normalisation under SGD at a rate of 20",
        lambda: letters(sgd(20.0, 0.9), 2, norm=False, steps=200),
    )
    add(
        "tea-skips40",
        BLOWN,
        "40 residual blocks, none normalised",
        lambda: steps_of(tea(), 40, sgd(0.01), bare, steps=200),
    )
    add(
        "snow-grams",
        KILLED,
        "targets in grams as they are",
        lambda: roped((8, 12), "relu", sgd(0.05), data=snow(raw=True)),
    )
    add(
        "tea-weights",
        KILLED,
        "one of two losses weighted by 5000",
        lambda: joined(tea(), sgd(0.01, 0.9), (5000.0, 1.0)),
    )


def dead(add: Add) -> None:
    """Units that are off for every row.

    Learn with biases of 0 (`bees`, `ropes`: Adam at 2e-3; `knots`, `shake`: see above), with He's
    start (`fungi`: SGD at 0.05 with momentum), with a linear head (`ropes`), with a rate of 0.05
    (`tea`), with two layers of 24 (`tags`: rate as it is), and with a GRU (`tally`: Adam at 2e-3).
    """
    add(
        "bees-bias15",
        DEAD,
        "bias of -15 in the second of three ReLU layers",
        lambda: chain(
            bees(),
            [
                dense(24, "relu"),
                dense(24, "relu", bias_initializer=always(-15.0)),
                dense(24, "relu"),
            ],
            adam(),
        ),
        1,
    )
    add(
        "knots-bias",
        DEAD,
        "bias of -12 in the first of three convolutions",
        lambda: chain(
            knots(),
            [
                lay().Conv2D(8, 3, 2, "same", activation="relu", bias_initializer=always(-12.0)),
                lay().Conv2D(12, 3, padding="same", activation="relu"),
                lay().Conv2D(12, 3, padding="same", activation="relu"),
                lay().GlobalAveragePooling2D(),
            ],
            sgd(0.05, 0.9),
        ),
        FIRST,
    )
    add(
        "ropes-relu-head",
        DEAD,
        "ReLU as head of an autoencoder, all heights below 0",
        lambda: plain(
            ropes(lift=-9.0),
            (24, 6, 24),
            "tanh",
            adam(2e-3),
            head=dense(32, "relu", bias_initializer=always(-3.0)),
        ),
        LAST,
    )
    add(
        "fungi-below0",
        DEAD,
        "kernels that start below 0 on values above 0",
        lambda: plain(
            fungi(),
            (24,),
            "relu",
            sgd(0.05),
            init=lambda: flat(-0.5, 0.0),
            last=[dense(16, "relu")],
        ),
        FIRST,
    )
    add(
        "tea-killed",
        KILLED,
        "SGD at a rate of 2 with momentum",
        lambda: plain(tea(), (24, 24), "relu", sgd(2.0, 0.9)),
    )
    add(
        "shake-beta",
        DEAD,
        "normalisation with a beta of -7 before ReLU",
        lambda: shaken(
            (12, 16),
            None,
            sgd(0.05),
            after=lambda: [lay().BatchNormalization(beta_initializer=always(-7.0)), lay().ReLU()],
        ),
    )
    add(
        "ropes-code",
        DEAD,
        "code of ReLUs with a bias of -25",
        lambda: chain(
            ropes(),
            [
                dense(20, "tanh"),
                dense(5, "relu", bias_initializer=always(-25.0)),
                dense(20, "tanh"),
            ],
            adam(2e-3),
        ),
        1,
    )
    add(
        "tags-thin",
        NO_FLOW,
        "30 layers of three ReLUs below five tags",
        lambda: plain(tags(), (3,) * 30, "relu", adam(2e-3)),
    )
    add(
        "tally-relu-off",
        DEAD,
        "ReLU recurrence with a bias of -10",
        lambda: chain(
            tally(20),
            [lay().SimpleRNN(16, "relu", bias_initializer=always(-10.0))],
            opts().RMSprop(1e-3),
            steps=200,
        ),
        FIRST,
    )
