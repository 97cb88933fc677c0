"""The ``E-`` runs in which something is too large, or dead."""

from __future__ import annotations

from collections.abc import Callable

from benchmarks.diagnosis.runs.base import BLOWN, DEAD, FIRST, KILLED, LAST, NO_FLOW
from benchmarks.diagnosis.runs.envoy_data import (
    buttons,
    calls,
    cheese,
    doorbell,
    drum,
    herbs,
    ledger,
    pleats,
    ripples,
    soil,
    tram,
)
from benchmarks.diagnosis.runs.envoy_models import (
    between,
    both,
    fixed,
    lay,
    loud,
    mlp,
    rates,
    ridden,
    row,
    seen,
    skipping,
    spelled,
    turn,
    wired,
)
from benchmarks.diagnosis.runs.models import adam, dense, k, normal, sgd

Add = Callable[..., None]
TOO_FAR = (*KILLED, "stalled")
"""Steps so large that units saturate or die at once."""


def exploding(add: Add) -> None:
    """Initial weights, rates and scales that are too large.

    Learn with scaled values and targets (`cheese`, `tram`: SGD at 0.05 with momentum; `buttons`,
    `ripples`: rate as it is; `ledger`: LSTM with tanh, SGD at 0.05 with momentum), with He's start
    in two layers (`soil`: Adam at 3e-3), with tanh or a start at the identity (`drum`: LSTM, Adam
    at 0.01; `doorbell`: Adam at 1e-3, clipped), with shares of neighbours in two layers (`wires`:
    SGD at 0.05 with momentum), with rates of 0.1 (`herbs`), 0.05 (`vowels`), 3e-3 (`pleats`,
    Adam), with four blocks that are normalised (`cheese`: rate as it is), and with losses weighted
    alike (`cheese-weights`: rate as it is).
    """
    add(
        "cheese-raw-x",
        KILLED,
        "grams, metres and months as they are",
        lambda: mlp(cheese(raw_x=True), (20, 20), "relu", sgd(0.01)),
    )
    add(
        "cheese-raw-y",
        KILLED,
        "cents as targets",
        lambda: mlp(cheese(raw_y=True), (24, 24), "relu", sgd(0.01, 0.9)),
    )
    add(
        "soil-normal2",
        KILLED,
        "stddev of 2 in six layers of ReLU",
        lambda: mlp(soil(), (20,) * 6, "relu", sgd(0.01), init=lambda: normal(2.0)),
    )
    add(
        "buttons-255",
        KILLED,
        "pixels from 0 to 255, trained for 120 steps",
        lambda: seen((8, 12), "relu", sgd(0.05, 0.9), data=buttons(255.0), steps=120),
    )
    add(
        "herbs-rate",
        TOO_FAR,
        "SGD at a rate of 30",
        lambda: mlp(herbs(), (24, 24), "relu", sgd(30.0, 0.9)),
    )
    add(
        "cheese-late",
        TOO_FAR,
        "rate of 20 from step 120 on",
        lambda: mlp(
            cheese(), (20, 20), "relu", sgd(rates().PiecewiseConstantDecay([120], [0.02, 20.0]))
        ),
    )
    add(
        "drum-orthogonal",
        BLOWN,
        "linear recurrence that starts as 1.8 times an orthogonal matrix, 60 steps",
        lambda: row(
            drum(60),
            [lay().SimpleRNN(12, "linear", recurrent_initializer=turn(1.8))],
            sgd(0.01),
            steps=130,
        ),
        FIRST,
    )
    add(
        "ledger-relu-lstm",
        TOO_FAR,
        "LSTM with ReLU on cents as they are",
        lambda: row(ledger(25, raw=True), [lay().LSTM(12, "relu")], sgd(0.01), steps=150),
    )
    add(
        "doorbell-relu-rnn",
        BLOWN,
        "ReLU recurrence, recurrent kernel of 2.2 times the identity, 50 steps",
        lambda: row(
            doorbell(50),
            [lay().SimpleRNN(12, "relu", recurrent_initializer=k().initializers.Identity(2.2))],
            sgd(0.01),
            steps=120,
        ),
        FIRST,
    )
    add(
        "pleats-adam10",
        TOO_FAR,
        "autoencoder under Adam at a rate of 10",
        lambda: mlp(pleats(), (20, 4, 20), "elu", adam(10.0)),
    )
    add(
        "wires-sum",
        KILLED,
        "sums over wires in seven layers, none normalised",
        lambda: wired(sgd(0.01, 0.9), 7, total=True),
    )
    add(
        "vowels-rate",
        TOO_FAR,
        "transformer without normalisation under SGD at a rate of 10",
        lambda: spelled(sgd(10.0, 0.9), 1, norm=False, steps=150),
    )
    add(
        "cheese-skips30",
        BLOWN,
        "30 residual blocks, none normalised",
        lambda: skipping(cheese(), 30, sgd(0.01), loud, steps=120),
    )
    add(
        "ripples-millimetres",
        KILLED,
        "targets in millimetres as they are",
        lambda: seen((8,), "relu", sgd(0.05), data=ripples(raw=True)),
    )
    add(
        "cheese-weights",
        KILLED,
        "one of two losses weighted by 10000",
        lambda: both(cheese(), sgd(0.01, 0.9), (10000.0, 1.0)),
    )
    add(
        "tram-raw",
        KILLED,
        "counts in thousands as they are",
        lambda: mlp(tram(raw=True), (20, 20), "relu", sgd(0.5, 0.9)),
    )


def dead(add: Add) -> None:
    """Units that are off for every row.

    Learn with biases of 0 (`soil`, `pleats`: Adam at 2e-3 or 3e-3; `buttons`: Adam at 3e-3, or
    normalised at the rate as it is; `calls`: rate as it is; `drum`: ReLU, Adam at 0.01), with
    Glorot's start and logs of counts (`tram`: Adam at 5e-3), with a linear head (`pleats`: Adam at
    5e-3), with two layers of 20 (`herbs`: RMSprop at 3e-3), and with rates of 0.05 (`cheese`) and
    3e-3 (`riders`, Adam).
    """
    add(
        "soil-bias",
        DEAD,
        "bias of -20 in the second of three ReLU layers",
        lambda: row(
            soil(),
            [
                dense(20, "relu"),
                dense(20, "relu", bias_initializer=fixed(-20.0)),
                dense(20, "relu"),
            ],
            adam(),
        ),
        1,
    )
    add(
        "buttons-bias",
        DEAD,
        "bias of -15 in the first of two convolutions",
        lambda: row(
            buttons(),
            [
                lay().Conv2D(8, 3, 2, "same", activation="relu", bias_initializer=fixed(-15.0)),
                lay().Conv2D(8, 3, padding="same", activation="relu"),
                lay().Flatten(),
            ],
            adam(),
            steps=150,
        ),
        FIRST,
    )
    add(
        "pleats-relu-head",
        DEAD,
        "ReLU as head of an autoencoder, all heights below 0",
        lambda: mlp(
            pleats(lift=-12.0),
            (20, 5, 20),
            "tanh",
            adam(2e-3),
            head=dense(28, "relu", bias_initializer=fixed(-4.0)),
        ),
        LAST,
    )
    add(
        "tram-below0",
        DEAD,
        "kernels that start below 0 on counts above 0",
        lambda: mlp(tram(raw=True), (20, 12), "relu", adam(), init=lambda: between(-0.6, 0.0)),
        FIRST,
    )
    add(
        "cheese-killed",
        KILLED,
        "SGD at a rate of 3 with momentum",
        lambda: mlp(cheese(), (20, 20), "relu", sgd(3.0, 0.9)),
    )
    add(
        "buttons-beta",
        DEAD,
        "normalisation with a beta of -9 before ReLU",
        lambda: seen(
            (8, 8),
            None,
            sgd(0.05),
            behind=lambda: [lay().BatchNormalization(beta_initializer=fixed(-9.0)), lay().ReLU()],
            steps=130,
        ),
    )
    add(
        "pleats-code",
        DEAD,
        "code of ReLUs with a bias of -30",
        lambda: row(
            pleats(),
            [
                dense(20, "tanh"),
                dense(6, "relu", bias_initializer=fixed(-30.0)),
                dense(20, "tanh"),
            ],
            adam(2e-3),
        ),
        1,
    )
    add(
        "herbs-thin",
        NO_FLOW,
        "28 layers of three ReLUs",
        lambda: mlp(herbs(), (3,) * 28, "relu", adam(2e-3), steps=200),
    )
    add(
        "calls-off",
        DEAD,
        "bias of -25 in the first of two ReLU layers",
        lambda: row(
            calls(),
            [
                dense(16, "relu", bias_initializer=fixed(-25.0)),
                dense(16, "relu"),
            ],
            sgd(0.02, 0.9),
        ),
        FIRST,
    )
    add(
        "drum-relu-off",
        DEAD,
        "ReLU recurrence with a bias of -12",
        lambda: row(
            drum(24),
            [lay().SimpleRNN(12, "relu", bias_initializer=fixed(-12.0))],
            adam(),
            steps=150,
        ),
        FIRST,
    )
    add(
        "riders-killed",
        TOO_FAR,
        "Adam at a rate of 20",
        lambda: ridden(adam(20.0), (20, 20)),
    )
