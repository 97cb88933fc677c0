"""The ``B-`` runs in which something is too large, or dead."""

from __future__ import annotations

from collections.abc import Callable

from benchmarks.diagnosis.runs.base import BLOWN, DEAD, FIRST, KILLED, LAST
from benchmarks.diagnosis.runs.bundle_data import (
    bread,
    drug,
    moved,
    postcodes,
    spark,
    stones,
    tiles,
)
from benchmarks.diagnosis.runs.bundle_models import (
    apart,
    call,
    counted,
    flower,
    mapped,
    sailed,
    tiled,
    worn,
)
from benchmarks.diagnosis.runs.models import adam, dense, k, opts, sgd
from benchmarks.diagnosis.runs.sequel_models import stacked
from benchmarks.diagnosis.runs.unseen_models import constant, layers, rates
from benchmarks.diagnosis.runs.veiled_models import fit

Add = Callable[..., None]
LEAPS = (*KILLED, "stalled")
"""Steps so large that units saturate or die at once."""


def exploding(add: Add) -> None:
    """Initial weights, rates and scales that are too large.

    Learn with scaled values and targets (`bread`, `ferry`: SGD at 0.01; `tiles`: rate as it is;
    `drug`: LSTM with tanh, SGD at 0.05 with momentum), with Glorot (`stones-uniform1`: SGD at
    0.05), with rates of 0.05 (`stones`, `bats`, `census`, all with momentum), 3e-3 (`petals`), 2e-3
    (`clothes`) and 0.3 (`roads`), with an embedded district (`rents`: SGD at 0.05), and with an
    orthogonal start (`spark`: Adam at 2e-3; `drug-uniform1`: rate as it is).
    """
    add(
        "bread-raw-x",
        KILLED,
        "grams and millilitres as they are",
        lambda: stacked(bread(raw_x=True), (24, 24), "relu", sgd(0.01)),
    )
    add(
        "bread-raw-y",
        KILLED,
        "targets in millilitres as they are",
        lambda: stacked(bread(raw_y=True), (32, 32), "gelu", sgd(0.01, 0.9)),
    )
    add(
        "bread-stamp",
        LEAPS,
        "one column in seconds since 1970",
        lambda: stacked(bread(stamp=True), (16, 16), "relu", sgd(1e-3)),
    )
    add(
        "stones-uniform1",
        KILLED,
        "uniform of 1 in seven layers of ELU",
        lambda: stacked(
            stones(),
            (32,) * 7,
            "elu",
            sgd(0.05, 0.9),
            lambda: k().initializers.RandomUniform(-1.0, 1.0),
        ),
    )
    add(
        "stones-growing",
        KILLED,
        "rate that grows: decay rate of 1.6 every ten steps",
        lambda: stacked(
            stones(), (24, 24), "relu", sgd(rates().ExponentialDecay(1e-3, 10, 1.6), 0.9)
        ),
    )
    add(
        "tiles-255",
        KILLED,
        "pixels from 0 to 255",
        lambda: tiled((12, 16), "relu", sgd(0.05, 0.9), data=tiles(scale=255.0)),
    )
    add(
        "bats-rate",
        KILLED,
        "SGD at a rate of 5, with momentum",
        lambda: call((12, 16), "relu", sgd(5.0, 0.9)),
    )
    add(
        "petals-adam1",
        LEAPS,
        "autoencoder under Adam at a rate of 1",
        lambda: flower((24,), "relu", adam(1.0)),
    )
    add(
        "ferry-seconds",
        KILLED,
        "one of two targets in seconds",
        lambda: sailed(sgd(0.01), (24, 24), "relu", seconds=True),
    )
    add(
        "rents-postcode",
        KILLED,
        "postcode as a number",
        lambda: stacked(postcodes(), (24, 24), "relu", sgd(0.01)),
    )
    add(
        "clothes-rmsprop",
        LEAPS,
        "RMSprop at a rate of 2",
        lambda: worn(opts().RMSprop(2.0), [dense(16, "relu"), dense(8)], apart),
    )
    add(
        "census-rate",
        LEAPS,
        "transformer of two blocks under SGD at a rate of 10",
        lambda: counted(sgd(10.0, 0.9), 2, norm=False),
    )
    add(
        "roads-rate",
        LEAPS,
        "SGD at a rate of 30, with momentum",
        lambda: mapped(sgd(30.0, 0.9)),
    )
    add(
        "spark-orthogonal2",
        BLOWN,
        "linear recurrence that starts as twice an orthogonal matrix, 40 steps",
        lambda: fit(
            spark(40),
            [
                layers().SimpleRNN(
                    16, "linear", recurrent_initializer=k().initializers.Orthogonal(2.0)
                )
            ],
            sgd(0.01),
            steps=200,
        ),
        FIRST,
    )
    add(
        "drug-uniform1",
        BLOWN,
        "ReLU recurrence with a uniform start of 1",
        lambda: fit(
            drug(30),
            [
                layers().SimpleRNN(
                    24, "relu", recurrent_initializer=k().initializers.RandomUniform(-1.0, 1.0)
                )
            ],
            sgd(0.01),
            steps=200,
        ),
        FIRST,
    )
    add(
        "drug-lstm-raw",
        KILLED,
        "LSTM with ReLU on milligrams as they are",
        lambda: fit(drug(raw=True), [layers().LSTM(16, "relu")], sgd(0.01, 0.9), steps=200),
    )


def dead(add: Add) -> None:
    """Units and heads that nothing reaches.

    Learn without the biases (`stones`: Adam at 3e-3; `bats`, `petals`: at 2e-3 to 3e-3), without
    the constraint (`tiles`), with a rate of 0.05 (`bread-rate`), and with a linear head
    (`bread-relu-head`: Adam at 0.01).
    """
    add(
        "stones-bias",
        DEAD,
        "bias of -15 before ReLU, meant as -1.5",
        lambda: stacked(
            stones(),
            (),
            None,
            adam(),
            last=[dense(32, "relu", bias_initializer=constant(-15.0)), dense(16, "relu")],
        ),
        FIRST,
    )
    add(
        "tiles-nonneg",
        DEAD,
        "kernels held above 0, no bias, pixels between -1 and 0",
        lambda: tiled(
            (8, 12),
            "relu",
            adam(2e-3),
            data=tiles(scale=-1.0),
            each=lambda: {"kernel_constraint": k().constraints.NonNeg(), "use_bias": False},
        ),
        FIRST,
    )
    add(
        "bread-rate",
        KILLED,
        "ReLU and SGD at a rate of 4",
        lambda: stacked(bread(), (24,) * 3, "relu", sgd(4.0)),
    )
    add(
        "bread-relu-head",
        DEAD,
        "ReLU as head where targets are below 0",
        lambda: stacked(
            moved(bread(), -4.0), (24, 24), "tanh", adam(2e-3), head=dense(1, "relu"), loss="mse"
        ),
        LAST,
    )
    add(
        "bats-bias",
        DEAD,
        "biases of -8 in two ReLU convolutions",
        lambda: call(
            (12, 12), "relu", adam(2e-3), each=lambda: {"bias_initializer": constant(-8.0)}
        ),
        FIRST,
    )
    add(
        "petals-code",
        DEAD,
        "code of ReLUs with a bias of -20",
        lambda: flower((24,), "relu", adam(2e-3), coded={"bias_initializer": constant(-20.0)}),
        1,
    )
