"""The ``B-`` runs that look suspicious, and learn."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarks.diagnosis.runs.bundle_data import (
    bread,
    drug,
    goals,
    paints,
    spark,
    stones,
)
from benchmarks.diagnosis.runs.bundle_models import (
    apart,
    bound,
    call,
    called,
    counted,
    crossing,
    flower,
    rented,
    sailed,
    saw,
    subject,
    tiled,
    worn,
)
from benchmarks.diagnosis.runs.bundle_numbers import likely
from benchmarks.diagnosis.runs.models import adam, dense, k, normal, opts, sgd
from benchmarks.diagnosis.runs.sequel_models import stacked, zeroed
from benchmarks.diagnosis.runs.unseen_models import layers
from benchmarks.diagnosis.runs.veiled_models import blocks, fit


def healthy(fine: Callable[..., None]) -> None:
    """Nothing may be found in these."""
    fine(
        "bread-batch3",
        "three rows a step",
        lambda: stacked(bread(), (24, 24), "relu", sgd(0.01), batch=3, steps=400),
    )
    fine(
        "bread-saw",
        "rate falls from 0.03 to 1e-3, again and again",
        lambda: stacked(bread(), (32, 32), "tanh", sgd(saw(1e-3, 0.03, 50), 0.9)),
    )
    fine(
        "bread-lion",
        "steps by the sign only",
        lambda: stacked(bread(), (32, 32), "relu", opts().Lion(1e-3)),
    )
    fine(
        "stones-zero",
        "six residual branches whose last layer starts at 0",
        lambda: blocks(stones(), 6, adam(2e-3), zeroed),
    )
    fine(
        "stones-selu",
        "eight layers of SELU, LeCun's start",
        lambda: stacked(stones(), (32,) * 8, "selu", adam(), lambda: "lecun_normal"),
    )
    fine(
        "stones-tuned",
        "trained to the end before, rate of 1e-4",
        lambda: stacked(stones(), (40, 40), "relu", adam(1e-4), silent_steps=700, steps=150),
    )
    fine(
        "stones-halves",
        "drops a half of two wide layers",
        lambda: stacked(
            stones(),
            (),
            None,
            adam(2e-3),
            last=[layer for _ in range(2) for layer in (dense(64, "relu"), layers().Dropout(0.5))],
        ),
    )
    fine(
        "goals-low-rate",
        "Adam at a rate of 4e-4, low and enough",
        lambda: stacked(goals(), (48, 48), "relu", adam(4e-4), steps=400),
    )
    fine(
        "goals-plateau",
        "stddev of 0.04 in three layers: nothing at first",
        lambda: stacked(goals(), (32,) * 3, "relu", adam(4e-3), lambda: normal(0.04), steps=400),
    )
    fine(
        "goals-rare",
        "one shot in ten",
        lambda: stacked(goals(far=4.5), (32, 32), "relu", adam(5e-3)),
    )
    fine(
        "tiles-frozen",
        "a random convolution that is never trained",
        lambda: tiled(
            (16,),
            "relu",
            adam(2e-3),
            each=lambda: {"trainable": False},
            last=[dense(32, "relu")],
        ),
    )
    fine(
        "tiles-layer-norm",
        "four convolutions, each normalised over its channels",
        lambda: tiled(
            (12,) * 4,
            None,
            adam(3e-3),
            after=lambda: [layers().LayerNormalization(), layers().ReLU()],
        ),
    )
    fine(
        "tiles-groups",
        "separable convolutions normalised by groups, eight tiles a step",
        lambda: tiled((), None, adam(3e-3), first=separable(), batch=8, steps=250),
    )
    fine(
        "bats-clipped",
        "gradients clipped to a norm of 0.1",
        lambda: call((16, 16), "relu", adam(3e-3, global_clipnorm=0.1)),
    )
    fine(
        "notes-sparse",
        "table of 5000 of which 39 rows are met",
        lambda: subject(
            [layers().GlobalAveragePooling1D(), dense(16, "relu")], adam(0.01), rows=5000
        ),
    )
    fine(
        "notes-masked",
        "LSTM both ways over words and 20 masked zeros",
        lambda: subject(
            [layers().Bidirectional(layers().LSTM(8))], adam(5e-3), pad=20, mask=True, steps=200
        ),
    )
    fine(
        "spark-gru6",
        "six steps",
        lambda: fit(spark(6), [layers().GRU(12)], adam(0.01), steps=200),
    )
    fine(
        "drug-lstm",
        "what is long ago does not matter",
        lambda: fit(drug(), [layers().LSTM(16)], adam(0.01), steps=200),
    )
    fine(
        "drug-conv-rnn",
        "recurrence above a convolution, clipped",
        lambda: fit(
            drug(),
            [layers().Conv1D(12, 3, activation="relu"), layers().SimpleRNN(12)],
            sgd(0.03, 0.9, global_clipnorm=1.0),
            steps=200,
        ),
    )
    fine(
        "petals-bound",
        "way back with the same kernels",
        lambda: bound(adam(5e-3)),
    )
    fine(
        "petals-noisy",
        "noise in the code",
        lambda: flower((32,), "elu", adam(5e-3), noise=layers().GaussianNoise(0.2)),
    )
    fine(
        "rents-joined",
        "district and flat",
        lambda: rented(adam(5e-3), (32, 32)),
    )
    fine(
        "clothes-twins",
        "absolute difference of two towers",
        lambda: worn(adam(5e-3), [dense(24, "relu"), dense(12)], apart),
    )
    fine(
        "ferry-heads",
        "cross-entropy and squared error of two heads",
        lambda: sailed(adam(4e-3), (40, 40)),
    )
    fine(
        "roads-unet",
        "U-Net, one pixel in five is road",
        lambda: crossing(adam(4e-3)),
    )
    fine(
        "census-transformer",
        "two blocks, weight decay",
        lambda: counted(opts().AdamW(3e-3, 0.01), 2),
    )
    fine(
        "mast-deviance",
        "deviance of counts, mean by a softplus",
        lambda: called(adam(4e-3), layers().Dense(1, lambda z: k().ops.softplus(z) + 1e-3)),
    )
    fine(
        "river-likelihood",
        "likelihood that falls below 0",
        lambda: likely(adam(5e-3)),
    )
    fine(
        "paints-soft",
        "targets are shares: the loss stays well above 0",
        lambda: stacked(
            paints(), (32, 32), "relu", adam(4e-3), head=dense(3, "softmax"), loss="cce"
        ),
    )


def separable() -> list[Any]:
    """Two separable convolutions of ``tiles``, normalised by groups."""
    return [
        layer
        for _ in range(2)
        for layer in (
            layers().SeparableConv2D(16, 3, padding="same"),
            layers().GroupNormalization(4),
            layers().Activation("swish"),
        )
    ]
