"""The ``R-`` runs: written by someone who had read neither the rules nor the remedies.

Mistakes that people make with Keras, on data and models that no other part has.  Every sick run is
a task that can be learned: each group says with what, which was tried.  Labels were
checked against outcomes only.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarks.diagnosis.runs import unseen_large, unseen_vanishing
from benchmarks.diagnosis.runs.base import (
    LAST,
    SHUT,
    SLOW,
    Family,
)
from benchmarks.diagnosis.runs.models import (
    adam,
    dense,
    k,
    opts,
    sgd,
)
from benchmarks.diagnosis.runs.unseen_data import (
    glyphs,
)
from benchmarks.diagnosis.runs.unseen_models import (
    autoencoder,
    cnn,
    constant,
    factors,
    forecast,
    guarded,
    layers,
    mlp,
    norm_cnn,
    on,
    poisson,
    rates,
    recall,
    repeated,
    text,
    variational,
    zero_gamma,
)

HELD_DOWN = ("stalled", "vanishing", "dead")
"""A penalty or noise outweighs the data."""


def runs() -> list[Any]:
    """Healthy ones first."""
    family = Family("R-")
    add = family.sick
    healthy(family.fine)
    unseen_vanishing.depth(add)
    unseen_vanishing.through_time(add)
    unseen_large.exploding(add)
    unseen_large.dead(add)
    unseen_large.nonfinite(add)
    idle(add)
    return family.runs


def healthy(fine: Callable[..., None]) -> None:
    """Networks that look suspicious, and learn."""
    fine("curve-sig3", "sigmoids", lambda: mlp("curve", 3, 24, "sigmoid", adam(0.03)))
    fine("hexa-tanh14", "depth", lambda: mlp("hexa", 14, 26, "tanh", opts().RMSprop(1e-3)))
    fine(
        "curve-selu11",
        "depth",
        lambda: mlp("curve", 11, 18, "selu", sgd(5e-3, 0.9), lambda: "lecun_normal"),
    )
    fine("clusters-raw", "inputs up to 14", lambda: mlp("clusters-raw", 2, 20, "relu", adam(5e-3)))
    fine("linear-raw-adam", "targets of hundreds", lambda: mlp("linear", 1, 60, "relu", adam(0.3)))
    fine("glyph-bn-sgd", "batch normalisation", lambda: norm_cnn("ones", sgd(0.03, 0.9)))
    fine(
        "glyph-raw255-bn",
        "raw pixels, normalised by the first layer",
        lambda: norm_cnn("ones", adam(3e-3), scale=255.0, first=True),
    )
    fine("glyph-gamma0", "gamma of residual branches at 0", lambda: zero_gamma(3, adam(3e-3)))
    fine("cue-gru30", "long sequence", lambda: recall(30, [layers().GRU(20)], adam(0.02)))
    fine(
        "cue-rnn-identity",
        "recurrent kernel that starts as the identity (Le et al. 2015)",
        lambda: recall(
            25,
            [layers().SimpleRNN(20, "relu", recurrent_initializer="identity")],
            adam(2e-3, global_clipnorm=1.0),
        ),
    )
    fine("season-lstm", "short windows", lambda: forecast([layers().LSTM(14)], adam(0.01)))
    fine(
        "reviews-conv",
        "embedding, most rows of which get no gradient",
        lambda: text(
            [layers().Conv1D(10, 3, activation="relu"), layers().GlobalMaxPooling1D()],
            opts().RMSprop(5e-3),
        ),
    )
    fine("ratings", "nothing but embeddings", lambda: factors(adam(0.02)))
    fine("parity", "long plateau", lambda: mlp("parity", 2, 32, "relu", adam(0.01), steps=400))
    fine(
        "hexa-dropout",
        "dropout of a half, thrice",
        lambda: on(
            "hexa",
            repeated(3, lambda: dense(56, "relu"), lambda: layers().Dropout(0.5)),
            adam(3e-3),
        ),
    )
    fine("hexa-vae", "code of a variational autoencoder", lambda: variational(adam(3e-3)))
    fine("counts-poisson", "exponential head", lambda: poisson("counts", adam(0.01)))
    fine(
        "hexa-coder", "narrow middle", lambda: autoencoder((24, 14, 24), "elu", opts().Nadam(5e-3))
    )
    fine(
        "hexa-silent",
        "most units silent at a time",
        lambda: on(
            "hexa",
            repeated(2, lambda: dense(64, "relu", bias_initializer=constant(-1.0))),
            adam(5e-3),
        ),
    )
    fine(
        "hexa-weight1e-6",
        "loss weight of 1e-6 under Adam",
        lambda: mlp("hexa", 2, 26, "relu", adam(3e-3, epsilon=1e-12), factor=1e-6),
    )
    fine(
        "clusters-lion",
        "sign of the gradient",
        lambda: mlp("clusters", 3, 20, "gelu", opts().Lion(2e-3)),
    )
    fine(
        "glyph-depthwise",
        "leaky units",
        lambda: on(
            glyphs(),
            [
                layers().Conv2D(12, 3, strides=2, activation="leaky_relu"),
                layers().DepthwiseConv2D(3, depth_multiplier=2, activation="leaky_relu"),
                layers().Flatten(),
            ],
            opts().Adamax(0.01),
        ),
    )
    fine(
        "curve-nll",
        "loss that goes below zero",
        lambda: mlp("curve", 2, 24, "tanh", adam(5e-3), head=dense(2), loss=guarded, baseline=0.5),
    )
    fine(
        "hexa-frozen",
        "random features, only the head is trained",
        lambda: on("hexa", [dense(120, "relu", trainable=False)], sgd(0.05, 0.9)),
    )
    fine(
        "houses-converged",
        "trained to the end before",
        lambda: mlp("houses", 2, 20, "relu", adam(2e-3), silent_steps=600),
    )
    fine("topics-counts", "raw counts", lambda: mlp("topics", 1, 24, "relu", opts().Ftrl(0.05)))


def idle(add: Callable[..., None]) -> None:
    """No progress: heads, penalties, and rates that are too low.

    Learn with the head that fits, without the penalty, and with scaled targets.
    """
    add(
        "season-sigmoid-head",
        (*SHUT, "slow"),
        "sigmoid for values from 100 to 600",
        lambda: forecast([layers().LSTM(14)], adam(2e-3), dense(1, "sigmoid"), raw=True),
        LAST,
    )
    add(
        "clusters-no-softmax",
        (*SHUT, "exploding"),
        "logits taken for probabilities",
        lambda: mlp("clusters", 2, 24, "relu", adam(2e-3), head=dense(8), loss="cce"),
        LAST,
    )
    add(
        "glyph-l1",
        HELD_DOWN,
        "L1 of 0.1",
        lambda: cnn(
            (12, 12), "relu", adam(2e-3), conv={"kernel_regularizer": k().regularizers.L1(0.1)}
        ),
    )
    add(
        "hexa-activity",
        HELD_DOWN,
        "activity regulariser of 10",
        lambda: on(
            "hexa",
            repeated(2, lambda: dense(30, "relu", activity_regularizer=k().regularizers.L1(10.0))),
            adam(2e-3),
        ),
    )
    add(
        "hexa-decay100",
        HELD_DOWN,
        "weight decay of 100",
        lambda: mlp("hexa", 2, 32, "relu", opts().AdamW(3e-3, weight_decay=100.0)),
    )
    # Rates that are too low. Learn with SGD at 0.02, Adam and RMSprop at 1e-3 to 1e-2.
    add("hexa-sgd1e-5", SLOW, "rate", lambda: mlp("hexa", 2, 32, "relu", sgd(1e-5, 0.9)))
    add("glyph-adam1e-6", SLOW, "rate", lambda: cnn((12, 12), "relu", adam(1e-6)))
    add(
        "clusters-adadelta",
        SLOW,
        "default rate",
        lambda: mlp("clusters", 2, 24, "relu", opts().Adadelta()),
    )
    add("reviews-adagrad", SLOW, "rate", lambda: text([layers().GRU(12)], opts().Adagrad(1e-4)))
    add(
        "parity-rmsprop1e-7",
        SLOW,
        "rate",
        lambda: mlp("parity", 2, 32, "elu", opts().RMSprop(1e-7)),
    )
    add(
        "houses-rawy-adam",
        SLOW,
        "prices as they are, usual rate",
        lambda: mlp("houses-rawy", 2, 24, "relu", adam(1e-3)),
    )
    add(
        "hexa-decayed",
        SLOW,
        "rate halved at every step",
        lambda: mlp("hexa", 2, 32, "relu", sgd(rates().ExponentialDecay(0.02, 1, 0.5))),
    )
    add(
        "hexa-clipped",
        SLOW,
        "gradients clipped to 1e-3",
        lambda: mlp("hexa", 2, 32, "tanh", sgd(0.03, global_clipnorm=1e-3)),
    )
    add(
        "hexa-epsilon",
        SLOW,
        "epsilon of 100",
        lambda: mlp("hexa", 2, 32, "gelu", adam(1e-3, epsilon=100.0)),
    )
