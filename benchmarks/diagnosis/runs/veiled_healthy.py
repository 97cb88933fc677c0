"""The ``Q-`` runs that look suspicious, and learn."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarks.diagnosis.runs.models import adam, dense, k, normal, opts, sgd, warm_up
from benchmarks.diagnosis.runs.unseen_models import constant, layers, own
from benchmarks.diagnosis.runs.veiled_data import doses, exact, liver, plant, solar
from benchmarks.diagnosis.runs.veiled_losses import contrast, guarded, hinge, log_cosh
from benchmarks.diagnosis.runs.veiled_models import (
    asked,
    blocks,
    carry,
    dial,
    fit,
    knock,
    net,
    pair,
    read,
    skip_init,
    squeeze,
    taste,
)


def healthy(fine: Callable[..., None]) -> None:
    """Nothing may be found in these."""
    fine(
        "taijitu-skip-init",
        "18 branches times a number that starts at 0",
        lambda: blocks("taijitu", 18, adam(2e-3), skip_init),
    )
    fine(
        "taijitu-selu",
        "twelve layers without normalisation that need none",
        lambda: net("taijitu", (32,) * 12, "selu", adam(1e-3), init=lambda: "lecun_normal"),
    )
    fine(
        "taijitu-converged",
        "trained to the end before",
        lambda: net("taijitu", (40, 40), "relu", adam(3e-3), silent_steps=1200, steps=200),
    )
    fine(
        "liver-rare",
        "one in twelve is ill",
        lambda: net(liver(rare=True), (24, 16), "relu", adam(4e-3)),
    )
    fine(
        "liver-flips",
        "a sixth of the labels is wrong",
        lambda: net(liver(flips=0.16), (24, 16), "tanh", adam(3e-3)),
    )
    fine(
        "liver-hinge",
        "hinge loss: no gradient from rows that are right",
        lambda: net(
            "liver", (48, 48), "relu", sgd(0.05, 0.9), head=dense(1), loss=hinge, baseline=0.97
        ),
    )
    fine(
        "liver-raw-norm",
        "values of thousands, but normalised by the network",
        lambda: net(
            "liver-raw",
            (32, 16),
            "relu",
            adam(4e-3),
            first=[layers().BatchNormalization()],
            steps=400,
        ),
    )
    fine(
        "liver-lasso",
        "penalty that rightly takes most of the first weights away",
        lambda: net(
            "liver",
            (48, 16),
            "relu",
            adam(4e-3),
            each={"kernel_regularizer": k().regularizers.L1(3e-4)},
        ),
    )
    fine(
        "solar-watts-adam",
        "watts as they are, and a rate that fits them",
        lambda: net(
            "solar-watts",
            (32, 32),
            "relu",
            adam(0.02),
            head=dense(1, bias_initializer=constant(2500.0)),
            steps=400,
        ),
    )
    fine(
        "solar-log-cosh",
        "loss without steep sides, targets times 50",
        lambda: net(
            solar(factor=50.0),
            (32, 32),
            "tanh",
            adam(0.02),
            loss=log_cosh,
            baseline=38.8,
            steps=400,
        ),
    )
    fine(
        "solar-batch1",
        "one row a step",
        lambda: net("solar", (24, 24), "relu", sgd(3e-3, 0.5), batch=1, steps=800),
    )
    fine(
        "solar-dropout",
        "drops 60 % of a wide layer",
        lambda: net("solar", (160, 160), "relu", adam(2e-3), after=lambda: [layers().Dropout(0.6)]),
    )
    fine(
        "wines-lion",
        "only the signs of gradients count",
        lambda: net("wines", (32, 32), "gelu", opts().Lion(1e-3)),
    )
    fine(
        "wines-squeeze",
        "gates within branches, normalised after the sum",
        lambda: blocks("wines", 8, adam(2e-3), squeeze),
    )
    fine(
        "exact-linear",
        "ends with a loss of 0",
        lambda: fit(exact(), [], adam(0.05), loss="mse", steps=400),
    )
    fine(
        "plant-sparse",
        "wide code of which most rests, by a penalty",
        lambda: fit(
            "plant",
            [
                dense(64, "relu", activity_regularizer=k().regularizers.L1(1e-3)),
            ],
            adam(3e-3),
            dense(24),
        ),
    )
    fine(
        "plant-thousandth",
        "readings in thousandths of their unit, loss of 1e-6",
        lambda: fit(
            plant(scale=1e-3),
            [own(lambda z: z * 1e3), dense(16, "elu"), dense(6, "elu"), dense(24)],
            adam(5e-3, epsilon=1e-14),
            own(lambda z: z * 1e-3),
        ),
    )
    fine(
        "clocks-batch2",
        "two pictures a step",
        lambda: dial((8, 12), "relu", adam(1e-3), batch=2, steps=600),
    )
    fine(
        "clocks-separable",
        "normalised, separable, capped at 6",
        lambda: dial((12,), None, adam(5e-3), last=separable(), steps=240),
    )
    fine(
        "bearing-frozen",
        "random filters that are never trained, and a head",
        lambda: knock((48,), "relu", adam(0.01), each={"trainable": False}, steps=400),
    )
    fine(
        "bearing-clipped",
        "norms clipped to 0.05, rate of 1",
        lambda: knock((12, 16), "relu", sgd(1.0, 0.5, global_clipnorm=0.05)),
    )
    fine(
        "tongues-rare",
        "table of 3000 of which 26 rows are met, drops of whole letters",
        lambda: read(
            [layers().SpatialDropout1D(0.2), layers().GRU(20)],
            adam(5e-3),
            table=layers().Embedding(3000, 12),
        ),
    )
    fine(
        "tongues-padded-mask",
        "40 zeros behind each text, masked",
        lambda: read([layers().LSTM(20)], adam(8e-3), mask=True, pad=40, steps=200),
    )
    fine(
        "parcel-late",
        "60 steps of which the last ones matter",
        lambda: carry(60, [layers().SimpleRNN(20)], adam(3e-3), late=True, steps=200),
    )
    fine(
        "parcel-gru14",
        "14 steps, warm-up",
        lambda: carry(14, [layers().GRU(20)], warm_up(0.01, 60), steps=400),
    )
    fine(
        "lorenz-deep",
        "three recurrent layers, clipped",
        lambda: fit(
            "lorenz",
            [
                layers().GRU(16, return_sequences=True),
                layers().GRU(16, return_sequences=True),
                layers().GRU(16),
            ],
            adam(4e-3, global_clipnorm=0.5),
            steps=200,
        ),
    )
    fine(
        "lockers-solved",
        "attention that has solved all after a third of the steps",
        lambda: asked(adam(4e-3), 2, steps=500),
    )
    fine(
        "guests-once",
        "embeddings of guests who come once",
        lambda: taste(adam(0.01), lambda h: dense(24, "relu")(h), init=normal(0.05)),
    )
    fine(
        "twins-contrast",
        "distances, no gradient from those far enough apart",
        lambda: pair(
            adam(3e-3), [dense(32, "relu"), dense(8)], guarded, loss=contrast, baseline=0.25
        ),
    )
    fine(
        "doses-logged",
        "two thirds of the rows have a weight of 0",
        lambda: net(doses(), (32,), "relu", adam(4e-3), head=dense(3, "softmax"), loss="cce"),
    )


def separable() -> list[Any]:
    layer = layers()
    return [
        layer.BatchNormalization(),
        layer.ReLU(6),
        layer.SeparableConv2D(16, 3, padding="same", use_bias=False),
        layer.BatchNormalization(),
        layer.ReLU(6),
        layer.Flatten(),
    ]
