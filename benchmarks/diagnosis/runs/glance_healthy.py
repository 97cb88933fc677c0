"""The ``G-`` runs that look suspicious, and learn."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarks.diagnosis.runs.base import Setup
from benchmarks.diagnosis.runs.glance_data import (
    compass,
    flags,
    lamps,
    moths,
    orchard,
    pendulum,
    valve,
)
from benchmarks.diagnosis.runs.glance_models import (
    apart,
    attended,
    banner,
    fired,
    largest,
    level,
    lifetime,
    meal,
    meetings,
    outline,
    patches,
    remember,
    smoothed,
    song,
    spots,
    story,
    tied,
    triangle,
)
from benchmarks.diagnosis.runs.models import adam, dense, k, normal, opts, sgd
from benchmarks.diagnosis.runs.sequel_models import stacked
from benchmarks.diagnosis.runs.unseen_models import layers
from benchmarks.diagnosis.runs.veiled_models import COMMON, blocks


def healthy(fine: Callable[..., None]) -> None:
    """Nothing may be found in these."""
    fine(
        "moths-batch4",
        "four rows a step",
        lambda: stacked(moths(), (24, 24), "relu", sgd(0.02), batch=4, steps=400),
    )
    fine(
        "moths-smooth",
        "label smoothing of 0.1: the loss stays above 0.5",
        lambda: stacked(moths(), (32,), "relu", adam(5e-3), loss=smoothed(0.1), baseline=1.609),
    )
    fine(
        "moths-maxout",
        "largest of three linear layers",
        lambda: blocks(moths(), 2, adam(3e-3), maxout, 24),
    )
    fine(
        "moths-tuned",
        "trained to the end before, rate of 1e-4",
        lambda: stacked(moths(), (32, 32), "relu", adam(1e-4), silent_steps=800, steps=150),
    )
    fine(
        "orchard-triangle",
        "rate goes up and down between 1e-3 and 0.05",
        lambda: stacked(orchard(), (32, 32), "relu", sgd(triangle(1e-3, 0.05, 40), 0.9)),
    )
    fine(
        "orchard-wild",
        "Huber's loss, some targets far off",
        lambda: stacked(orchard(wild=0.02), (32, 32), "relu", adam(5e-3), loss="huber"),
    )
    fine(
        "orchard-full",
        "all rows in every step",
        lambda: stacked(orchard(), (32, 32), "tanh", adam(0.01), batch=960, steps=200),
    )
    fine(
        "orchard-kilograms",
        "values and targets as they are, scaled within",
        lambda: stacked(
            orchard(raw_x=True, raw_y=True),
            (32, 32),
            "swish",
            adam(5e-3),
            first=[layers().BatchNormalization()],
            head=layers().Dense(1, lambda z: 120.0 + 35.0 * z),
        ),
    )
    fine(
        "valve-layer-norm",
        "ten layers of GELU, each normalised",
        lambda: blocks(valve(), 10, adam(2e-3), normed, 24),
    )
    fine(
        "valve-plateau",
        "stddev of 0.05 in three layers: nothing at first",
        lambda: stacked(valve(), (32,) * 3, "relu", adam(5e-3), lambda: normal(0.05), steps=400),
    )
    fine(
        "valve-clipped",
        "every gradient clipped to 0.01",
        lambda: stacked(valve(), (32, 32), "relu", adam(5e-3, clipvalue=0.01)),
    )
    fine(
        "flags-groups",
        "normalised by groups, four pictures a step",
        lambda: banner((12, 12, 12), None, adam(3e-3), after=grouped, batch=4, steps=300),
    )
    fine(
        "flags-frozen",
        "two random convolutions that are never trained",
        lambda: banner(
            (16, 24),
            "relu",
            adam(2e-3),
            each=lambda: {"trainable": False},
            last=[dense(32, "relu")],
        ),
    )
    fine(
        "flags-zero-gamma",
        "branches whose normalisation starts at 0",
        lambda: skipping(adam(5e-3)),
    )
    fine(
        "flags-transformer",
        "patches, two blocks, weight decay",
        lambda: patches(opts().AdamW(3e-3, 0.01), 2),
    )
    fine(
        "whale-dropout",
        "drops whole channels",
        lambda: song((16, 24), "relu", adam(4e-3), after=lambda: [layers().SpatialDropout1D(0.3)]),
    )
    fine(
        "whale-low-rate",
        "rate of 5e-4, low and enough",
        lambda: song((16, 16), "elu", adam(5e-4), steps=400),
    )
    fine(
        "tale-sparse",
        "table of 4000 of which 60 rows are met",
        lambda: story(
            [layers().GlobalAveragePooling1D(), dense(16, "relu")], adam(0.01), rows=4000
        ),
    )
    fine(
        "tale-attended",
        "words weighted by a masked softmax, tales without words",
        lambda: attended(adam(0.01), -1e9, empty=0.01),
    )
    fine(
        "relay-lstm8",
        "eight steps",
        lambda: remember(8, [layers().LSTM(12)], adam(0.01)),
    )
    fine(
        "gauge-rnn",
        "leaky level: what is long ago does not matter",
        lambda: level([layers().SimpleRNN(16)], sgd(0.02, 0.9, global_clipnorm=1.0)),
    )
    fine(
        "gauge-gru-both",
        "GRU under convolution",
        lambda: level([layers().Conv1D(12, 3, activation="relu"), layers().GRU(12)], adam(5e-3)),
    )
    fine(
        "recipe-sets",
        "weighted means of embeddings, table of 500 of which 50 rows are met",
        lambda: meal(adam(0.01), [dense(24, "relu")], rows=500),
    )
    fine(
        "colony-messages",
        "two rounds of messages and a mean over all ants",
        lambda: meetings(adam(5e-3), 2),
    )
    fine(
        "embers-coder",
        "convolutional autoencoder through eight units",
        lambda: spots(adam(5e-3), code=8, steps=300),
    )
    fine(
        "embers-tied",
        "way back with the same kernel",
        lambda: tied(adam(5e-3)),
    )
    fine(
        "puddles-few",
        "one place in eight is under water",
        lambda: outline(adam(5e-3)),
    )
    fine(
        "kiln-heads",
        "cross-entropy and squared error of two heads",
        lambda: fired(adam(5e-3), (40, 40)),
    )
    fine(
        "pendulum-steps",
        "eight small steps, each added to the state",
        lambda: moved(adam(3e-3)),
    )
    fine(
        "lottery-attention",
        "one learned question to four numbers",
        lambda: largest(adam(5e-3)),
    )
    fine(
        "lamps-likelihood",
        "likelihood that falls below 0",
        lambda: stacked(
            lamps(),
            (32, 32),
            "relu",
            adam(5e-3),
            head=layers().Dense(1, lambda z: k().ops.softplus(z) + 1e-3),
            loss=lifetime,
            baseline=0.6,
        ),
    )
    fine(
        "compass-cosine",
        "own loss of directions, near 0 after a few steps",
        lambda: stacked(
            compass(), (32,), "tanh", adam(0.01), head=dense(2), loss=apart, baseline=1.0
        ),
    )


def maxout(h: Any) -> Any:
    return k().ops.max(k().ops.stack([dense(24)(h) for _ in range(3)]), axis=0)


def normed(h: Any) -> Any:
    return layers().Activation("gelu")(layers().LayerNormalization()(dense(24)(h)))


def small_step(h: Any) -> Any:
    return h + 0.1 * dense(h.shape[-1])(dense(32, "tanh")(h))


def moved(opt: Any) -> Setup:
    """Eight small steps of the state of ``pendulum``."""
    x, y = pendulum()
    h = entry = k().Input((4,))
    for _ in range(8):
        h = small_step(h)
    return Setup(k().Model(entry, dense(2)(h)), x, y, "mse", opt, **COMMON)


def grouped() -> list[Any]:
    return [layers().GroupNormalization(4), layers().ReLU()]


def skipping(opt: Any) -> Setup:
    """Four residual convolutions of ``flags``."""
    x, y = flags()
    entry = k().Input(x.shape[1:])
    h = layers().Conv2D(12, 3, 2, "same", activation="relu")(entry)
    for _ in range(4):
        z = layers().Conv2D(12, 3, padding="same", activation="relu")(h)
        z = layers().Conv2D(12, 3, padding="same", use_bias=False)(z)
        h = h + layers().BatchNormalization(gamma_initializer="zeros")(z)
    out = dense(4, "softmax")(layers().Flatten()(h))
    return Setup(k().Model(entry, out), x, y, "cce", opt, **{**COMMON, "steps": 200})
