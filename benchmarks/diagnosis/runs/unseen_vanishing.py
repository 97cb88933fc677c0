"""The ``R-`` runs whose gradients vanish, and all of the recurrent ones that are sick."""

from __future__ import annotations

from collections.abc import Callable

from benchmarks.diagnosis.runs.base import (
    BLOWN,
    FIRST,
    LAST,
    NO_FLOW,
    SHUT,
    VANISHING,
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
from benchmarks.diagnosis.runs.unseen_models import (
    act,
    autoencoder,
    cnn,
    forecast,
    layers,
    mlp,
    norm_cnn,
    on,
    own,
    recall,
    rnn,
    text,
    unrolled,
)

SMALL = ("vanishing", "slow", "stalled")
"""Gradients are small everywhere: whether that is called vanishing or a low rate is a word."""


def depth(add: Callable[..., None]) -> None:
    """Vanishing with depth, or everywhere."""
    trunc = lambda: k().initializers.TruncatedNormal(0, 0.02)
    # Depth and saturation. Learn with ReLU, He and Adam: at these depths, `hexa` at 6 layers.
    add(
        "checker-sig7",
        VANISHING,
        "sigmoids",
        lambda: mlp("checker", 7, 16, "sigmoid", sgd(0.5)),
        FIRST,
    )
    add(
        "curve-sig8-mae",
        VANISHING,
        "sigmoids",
        lambda: mlp("curve", 8, 20, "sigmoid", opts().Adagrad(0.01), loss="mae"),
        FIRST,
    )
    add(
        "glyph-vgg-sig",
        VANISHING,
        "sigmoid CNN",
        lambda: cnn((8,) * 7, "sigmoid", sgd(0.05, 0.9)),
        FIRST,
    )
    add(
        "hexa-coder-sig",
        VANISHING,
        "deep autoencoder (Hinton 2006)",
        lambda: autoencoder((20, 16, 10, 6, 10, 16, 20), "sigmoid", sgd(0.1, 0.9)),
        FIRST,
    )
    add(
        "hexa-relu28",
        NO_FLOW,
        "plain deep ReLU, Glorot",
        lambda: mlp("hexa", 28, 22, "relu", sgd(0.05)),
        FIRST,
    )
    add(
        "glyph-plain16",
        NO_FLOW,
        "plain deep CNN (He et al. 2016)",
        lambda: cnn((6,) * 16, "relu", sgd(0.02, 0.9)),
        FIRST,
    )
    # Initial weights. Learn with Glorot, gelu with He; `phase` needs momentum too.
    add(
        "hexa-softsign22",
        NO_FLOW,
        "stddev 0.05 everywhere",
        lambda: mlp("hexa", 22, 26, "softsign", opts().RMSprop(1e-3), lambda: normal(0.05)),
        FIRST,
    )
    add(
        "clusters-tanh18",
        NO_FLOW,
        "initialiser of BERT in a narrow net",
        lambda: mlp("clusters", 18, 20, "tanh", adam(1e-3), trunc),
        FIRST,
    )
    add(
        "hexa-gelu16",
        NO_FLOW,
        "stddev 0.02 everywhere",
        lambda: mlp("hexa", 16, 40, "gelu", opts().AdamW(1e-3), trunc),
        FIRST,
    )
    add(
        "phase-tiny",
        (*NO_FLOW, "slow"),
        "random numbers times 1e-4",
        lambda: mlp("phase", 3, 24, "relu", sgd(0.01), lambda: normal(1e-4)),
        FIRST,
    )
    # Everywhere. Learn with a sigmoid, with gamma at 1, and without the factor, all else equal.
    add(
        "parity-softmax1",
        NO_FLOW,
        "softmax over one unit",
        lambda: mlp("parity", 2, 32, "relu", adam(0.01), head=dense(1, "softmax"), strip=True),
        LAST,
    )
    add(
        "glyph-gamma0-plain",
        NO_FLOW,
        "gamma at 0, no residual",
        lambda: norm_cnn("zeros", adam()),
        FIRST,
    )
    add(
        "hexa-temperature",
        SMALL,
        "logits divided by 1000",
        lambda: on(
            "hexa",
            [dense(32, "relu"), dense(6), own(lambda z: z / 1000)],
            sgd(0.05),
            act("softmax"),
        ),
    )
    add(
        "hexa-weight1e-5",
        SMALL,
        "loss weight of 1e-5",
        lambda: mlp("hexa", 2, 32, "relu", sgd(0.1), factor=1e-5),
    )
    add(
        "glyph-scaled-twice",
        SMALL,
        "divided by 255 twice",
        lambda: cnn((12, 12), "relu", sgd(0.05), scale=1 / 255),
    )


def through_time(add: Callable[..., None]) -> None:
    """Recurrent layers.

    Cues are learned by ReLU units that start as the identity, at 24 and at 50 steps; `season` with
    an orthogonal start, padded reviews with a mask.
    """

    def first(id: str, expected: tuple[str, ...], source: str, build: Callable[[], Setup]) -> None:
        add(id, expected, source, build, FIRST)

    first("cue-rnn50", SHUT, "small kernel", lambda: recall(50, [rnn(20, 0.05)], sgd(0.1)))
    first(
        "cue-rnn-sig",
        SHUT,
        "sigmoid recurrence",
        lambda: recall(35, [rnn(18, 0.25, "sigmoid")], opts().RMSprop(1e-3)),
    )
    first("cue-unrolled", SHUT, "written by hand", lambda: unrolled(24, 0.05, sgd(0.2)))
    first(
        "cue-lstm50",
        SHUT,
        "no unit forget bias",
        lambda: recall(50, [layers().LSTM(18, unit_forget_bias=False)], sgd(0.2)),
    )
    add(
        "reviews-padded",
        SHUT,
        "zeros after the end, not masked",
        lambda: text([rnn(16, 0.15)], adam(1e-3), pad=45),
    )
    first(
        "season-rnn-relu",
        BLOWN,
        "stddev 1",
        lambda: forecast([rnn(16, 1.0, "relu")], sgd(0.01)),
    )
    first(
        "cue-stacked-big",
        BLOWN,
        "stddev 0.7, linear",
        lambda: recall(
            30,
            [rnn(16, 0.7, "linear", return_sequences=True), rnn(16, 0.7, "linear")],
            sgd(0.05),
        ),
    )
