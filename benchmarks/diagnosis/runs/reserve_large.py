"""The ``V-`` runs in which something is too large, or dead."""

from __future__ import annotations

from collections.abc import Callable

from benchmarks.diagnosis.runs.base import (
    BLOWN,
    DEAD,
    EXPLODING,
    FIRST,
    KILLED,
    LAST,
    NO_FLOW,
)
from benchmarks.diagnosis.runs.models import adam, dense, k, normal, opts, sgd
from benchmarks.diagnosis.runs.reserve_models import (
    encoder,
    fit,
    letters,
    pictures,
    plain,
    residual,
    sounds,
)
from benchmarks.diagnosis.runs.unseen_models import constant, layers

Add = Callable[..., None]


def exploding(add: Add) -> None:
    """Initial weights, rates and scales that are too large.

    Learn with He, batch normalisation, standardised inputs and targets, pixels in [0, 1] and the
    mean of the loss, all else equal (`shells-normal1` with a momentum of 0.9); rates of 0.1 (SGD)
    and 1e-3 (Adam, RMSprop).
    """
    add(
        "shells-normal1",
        BLOWN,
        "stddev of 1",
        lambda: plain("shells", 8, 48, "relu", sgd(0.01), lambda: normal(1.0)),
    )
    add(
        "shapes-plain-skips",
        BLOWN,
        "residual, no normalisation",
        lambda: residual(24, sgd(0.02), norm=False),
    )
    add(
        "trips-rawy",
        KILLED,
        "targets in seconds, rate as it comes",
        lambda: plain("trips-rawy", 2, 32, "relu", sgd(0.01)),
    )
    add(
        "trips-rawx",
        KILLED,
        "seconds since 1970 as they are",
        lambda: plain("trips-rawx", 3, 24, "relu", sgd(0.01)),
    )
    add(
        "churn-powers",
        KILLED,
        "squares and cubes of raw features",
        lambda: plain("churn-powers", 2, 28, "elu", sgd(0.01, 0.9)),
    )
    add(
        "shapes-255",
        KILLED,
        "raw pixels",
        lambda: pictures((16, 16, 24), "relu", sgd(0.05, 0.9, nesterov=True), "shapes-255"),
    )
    add(
        "shapes-shifted",
        KILLED,
        "means of ImageNet taken off pixels in [0, 1]",
        lambda: pictures((12, 20), "leaky_relu", sgd(0.05), "shapes-shifted"),
    )
    add(
        "weather-summed",
        KILLED,
        "loss summed over the batch",
        lambda: fit(
            "weather",
            [layers().Flatten(), dense(40, "relu"), dense(40, "relu")],
            sgd(0.05, 0.9),
            factor=36.0,
        ),
    )
    add("churn-sgd20", KILLED, "rate of 20", lambda: plain("churn", 3, 30, "relu", sgd(20.0)))
    add(
        "genres-tanh-sgd",
        EXPLODING,
        "rate of 10",
        lambda: plain(
            "genres", 3, 36, "tanh", sgd(10.0, 0.9), head=dense(6, "sigmoid"), loss="bce"
        ),
    )
    add("mail-encoder", KILLED, "rate of 0.5", lambda: encoder(2, adam(0.5)))
    add(
        "tones-rmsprop1",
        KILLED,
        "rate of 1",
        lambda: sounds(4, "relu", opts().RMSprop(1.0)),
    )


def dead(add: Add) -> None:
    """Units and heads that nothing reaches.

    Learn with a bias of 0, a rate of 3e-3 (`sales`: 0.01), standardised targets and a linear
    head, a sigmoid, pixels in [0, 1] with Glorot and no constraint.
    """
    add(
        "churn-bias",
        DEAD,
        "bias of -10",
        lambda: plain("churn", 3, 26, "relu", adam(3e-3), each={"bias_initializer": constant(-10)}),
        FIRST,
    )
    add("shells-adam1", KILLED, "rate of 1", lambda: plain("shells", 4, 32, "relu", adam(1.0)))
    add(
        "weather-relu-head",
        DEAD,
        "ReLU on the output, all targets below zero",
        lambda: fit("weather-cold", [layers().GRU(16)], adam(5e-3), dense(1, "relu"), steps=200),
        LAST,
    )
    add(
        "mail-softmax1",
        NO_FLOW,
        "softmax over one unit",
        lambda: letters(
            [layers().Conv1D(20, 3, activation="relu"), layers().GlobalMaxPooling1D()],
            adam(2e-3),
            head=dense(1, "softmax"),
            strip=True,
        ),
        LAST,
    )
    add(
        "trips-softmax1",
        NO_FLOW,
        "softmax over one unit, regression",
        lambda: plain("trips", 2, 32, "relu", opts().Nadam(2e-3), head=dense(1, "softmax")),
        LAST,
    )
    add(
        "shapes-nonneg",
        DEAD,
        "pictures below zero, weights held above",
        lambda: pictures(
            (12, 16),
            "relu",
            adam(2e-3),
            "shapes-shifted",
            each={
                "kernel_initializer": k().initializers.RandomUniform(0.0, 0.1),
                "kernel_constraint": k().constraints.NonNeg(),
            },
        ),
        FIRST,
    )
    add(
        "sales-sgd",
        KILLED,
        "counts as they are, rate of 0.5",
        lambda: plain("sales", 3, 30, "relu", sgd(0.5)),
    )
