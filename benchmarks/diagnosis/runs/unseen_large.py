"""The ``R-`` runs in which something is too large, dead, or no number."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.diagnosis.runs.base import (
    BLOWN,
    DEAD,
    EXPLODING,
    FIRST,
    KILLED,
    LAST,
    NO_FLOW,
    NONFINITE,
    Setup,
)
from benchmarks.diagnosis.runs.models import (
    adam,
    dense,
    k,
    normal,
    opts,
    sgd,
)
from benchmarks.diagnosis.runs.unseen_data import (
    linear,
)
from benchmarks.diagnosis.runs.unseen_models import (
    cnn,
    constant,
    entropy,
    focal,
    from_one,
    gaussian,
    layers,
    mlp,
    on,
    own,
    own_softmax,
    poisson,
    rates,
    repeated,
    root_error,
    root_log_error,
    row_norm,
    text,
    unit_length,
    variational,
)


def exploding(add: Callable[..., None]) -> None:
    """Initial weights, rates and scales that are too large.

    Learn with He or Glorot, rates of 0.01 to 0.1 (Adam and RMSprop: 1e-3 to 5e-3), standardised
    inputs and targets, and the mean of the loss.
    """
    add(
        "hexa-normal1",
        BLOWN,
        "RandomNormal(stddev=1)",
        lambda: mlp("hexa", 9, 44, "relu", sgd(0.01), lambda: normal(1.0)),
    )
    add(
        "glyph-uniform1",
        KILLED,
        "RandomUniform(-1, 1)",
        lambda: cnn(
            (16,) * 5, "relu", sgd(0.01, 0.9), init=k().initializers.RandomUniform(-1.0, 1.0)
        ),
    )
    add(
        "hexa-elu-lr1",
        EXPLODING,
        "rate of 1",
        lambda: mlp("hexa", 3, 40, "elu", opts().RMSprop(1.0)),
    )
    add(
        "curve-momentum.99",
        KILLED,
        "momentum kept when the rate was raised",
        lambda: mlp("curve", 3, 36, "relu", sgd(0.3, 0.99)),
    )
    add("clusters-sgd8", KILLED, "rate of 8", lambda: mlp("clusters", 3, 24, "relu", sgd(8.0)))
    add(
        "linear-raw", KILLED, "targets of hundreds", lambda: mlp("linear", 2, 36, "relu", sgd(0.01))
    )
    add(
        "houses-rawx",
        KILLED,
        "year and area as they are",
        lambda: mlp("houses-rawx", 2, 24, "relu", sgd(1e-3)),
    )
    add(
        "houses-rawy",
        KILLED,
        "prices as they are",
        lambda: mlp("houses-rawy", 1, 24, "relu", sgd(1e-3, 0.9)),
    )
    add(
        "glyph-summed",
        KILLED,
        "loss summed over the batch",
        lambda: cnn((12, 12), "relu", sgd(0.05, 0.9), factor=48.0),
    )
    add(
        "hexa-lr-finder",
        KILLED,
        "rate that is raised all the time",
        lambda: mlp("hexa", 3, 32, "relu", sgd(rates().ExponentialDecay(1e-3, 50, 10.0))),
    )
    add(
        "curve-late",
        KILLED,
        "second rate of a schedule mistyped",
        lambda: mlp(
            "curve", 2, 32, "relu", sgd(rates().PiecewiseConstantDecay([180], [0.02, 5.0]), 0.9)
        ),
    )
    add(
        "reviews-adam5",
        (*KILLED, "vanishing"),
        "rate of 5",
        lambda: text([layers().Conv1D(12, 3, activation="tanh"), layers().Flatten()], adam(5.0)),
    )


def dead(add: Callable[..., None]) -> None:
    """Units that no row reaches.

    Learn with Adam at 3e-3, a bias of 0, ReLU6, a linear head, a dropout of 0.02, pixels in [0, 1],
    tanh for sign.
    """
    add(
        "hexa-adam.5",
        ("exploding", "dead"),
        "rate of 0.5",
        lambda: mlp("hexa", 4, 28, "relu", adam(0.5)),
    )
    add(
        "checker-negative",
        DEAD,
        "bias -8",
        lambda: on(
            "checker",
            [dense(24, "relu", bias_initializer=constant(-8.0)), dense(24, "relu")],
            adam(5e-3),
        ),
        FIRST,
    )
    add(
        "hexa-threshold",
        DEAD,
        "threshold of 6, meant as ReLU6",
        lambda: on(
            "hexa",
            repeated(3, lambda: dense(26), lambda: layers().ReLU(threshold=6.0)),
            adam(2e-3),
        ),
        FIRST,
    )
    add(
        "curve-relu-head",
        DEAD,
        "ReLU on the output, targets below zero",
        lambda: negative(mlp("curve", 2, 28, "tanh", sgd(0.05), head=dense(1, "relu"))),
        LAST,
    )
    add(
        "hexa-dropout.98",
        ("stalled", "dead"),
        "share to keep given as share to drop",
        lambda: on(
            "hexa",
            repeated(3, lambda: dense(24, "relu"), lambda: layers().Dropout(0.98)),
            opts().RMSprop(1e-3),
        ),
    )
    add(
        "glyph-raw255",
        KILLED,
        "raw pixels",
        lambda: cnn((14, 14, 20), "relu", sgd(0.1, 0.9), scale=255.0),
    )
    add(
        "hexa-sign",
        NO_FLOW,
        "sign without a straight-through gradient",
        lambda: on("hexa", repeated(5, lambda: dense(8), lambda: own(k().ops.sign)), adam(2e-3)),
        FIRST,
    )


def negative(setup: Setup) -> Setup:
    """Targets that are all below zero, as the logarithm of a probability is."""
    setup.y = setup.y - setup.y.max() - 0.1
    return setup


def nonfinite(add: Callable[..., None]) -> None:
    """Numbers that a function cannot take.

    Learn with an epsilon, a softplus, labels from 0, scaled inputs, or Keras' own function.
    """
    add(
        "counts-root",
        NONFINITE,
        "sqrt at 0 in a loss",
        lambda: mlp("counts", 1, 24, "relu", adam(0.01), head=dense(1, "relu"), loss=root_error),
    )
    add(
        "curve-variance",
        NONFINITE,
        "log of a variance below 0",
        lambda: mlp("curve", 2, 24, "tanh", adam(5e-3), head=dense(2), loss=gaussian),
    )
    add("counts-exp", NONFINITE, "exponential of raw inputs", lambda: poisson("counts-raw", adam()))
    add(
        "houses-gaps",
        NONFINITE,
        "missing values",
        lambda: mlp("houses-gaps", 2, 24, "relu", adam()),
    )
    add(
        "parity-from-1",
        NONFINITE,
        "labels counted from 1",
        lambda: from_one(
            mlp(
                "parity",
                2,
                32,
                "relu",
                adam(0.01),
                head=dense(1, "sigmoid"),
                loss=entropy,
                baseline=0.693,
            )
        ),
    )
    add(
        "clusters-focal",
        NONFINITE,
        "log of 0 in a focal loss",
        lambda: mlp("clusters-raw", 2, 32, "relu", adam(0.05), loss=focal, baseline=2.08),
    )
    add(
        "topics-length",
        NONFINITE,
        "empty rows divided by their length",
        lambda: on("topics-empty", [own(unit_length), dense(24, "relu")], adam(5e-3)),
    )
    add(
        "hexa-own-norm",
        NONFINITE,
        "normalisation without epsilon",
        lambda: on(
            "hexa", repeated(2, lambda: dense(3, "relu"), lambda: own(row_norm)), adam(5e-3)
        ),
    )
    add(
        "linear-rmsle",
        NONFINITE,
        "log(1 + prediction) below -1",
        lambda: on(positive(), [dense(24, "relu")], adam(5e-3), loss=root_log_error),
    )
    add(
        "hexa-vae-raw", NONFINITE, "exp in a code of raw inputs", lambda: variational(adam(), 100.0)
    )
    add(
        "glyph-own-softmax",
        NONFINITE,
        "exp overflow on pixels of 16 bits",
        lambda: cnn((12, 12), "relu", adam(), scale=65535.0, head=on_logits()),
    )


def on_logits() -> Any:
    return layers().Dense(4, own_softmax)


def positive() -> Any:
    """Targets of about 3: the sums of squares of the inputs."""
    x, _ = linear()
    return x, np.sqrt((x.astype(float) ** 2)[:, :6].sum(1, keepdims=True))
