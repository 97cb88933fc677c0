"""The ``K-`` runs that look suspicious, and learn."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarks.diagnosis.runs.base import Setup
from benchmarks.diagnosis.runs.models import adam, dense, k, sgd, warm_up
from benchmarks.diagnosis.runs.sequel_data import (
    bikes,
    churn,
    greeting,
    hearts,
    shell,
    spectra,
    tide,
    tunes,
)
from benchmarks.diagnosis.runs.sequel_models import (
    beat,
    between,
    cards,
    cloth,
    coder,
    match,
    mixture_of_logs,
    one_sided,
    sales,
    stacked,
    two_tasks,
    zeroed,
)
from benchmarks.diagnosis.runs.unseen_models import constant, layers, own
from benchmarks.diagnosis.runs.veiled_models import COMMON, blocks, fit


def healthy(fine: Callable[..., None]) -> None:
    """Nothing may be found in these."""
    fine(
        "shell-residual",
        "twelve branches whose last layer starts at 0",
        lambda: blocks(shell(), 12, adam(2e-3), zeroed, 24),
    )
    fine(
        "shell-noise",
        "one label in seven is wrong",
        lambda: stacked(shell(flips=0.14), (32, 16), "relu", adam(4e-3)),
    )
    fine(
        "shell-dropout",
        "drops 70 % of a wide layer",
        lambda: stacked(
            shell(), (256,), "relu", adam(4e-3), last=[layers().Dropout(0.7), dense(32, "relu")]
        ),
    )
    fine(
        "shell-signs",
        "hinge loss: no gradient from rows that are right",
        lambda: stacked(
            shell(signs=True),
            (48, 48),
            "relu",
            adam(3e-3),
            head=dense(1),
            loss=one_sided,
            baseline=0.95,
        ),
    )
    fine(
        "bikes-counts",
        "counts as they are, losses of ten thousands",
        lambda: stacked(
            bikes(raw_y=True),
            (48, 48),
            "relu",
            adam(0.02),
            head=dense(1, bias_initializer=constant(150.0)),
        ),
    )
    fine(
        "bikes-noisy",
        "more noise than signal",
        lambda: stacked(bikes(noise=200.0), (24,), "relu", adam(3e-3), steps=400),
    )
    fine(
        "bikes-clipped",
        "norms clipped to 0.1, rate of 0.5",
        lambda: stacked(bikes(), (32, 32), "relu", sgd(0.5, 0.5, global_clipnorm=0.1)),
    )
    fine(
        "bikes-two-tasks",
        "squared error and cross-entropy in one loss",
        lambda: stacked(
            bikes(), (40, 40), "relu", adam(4e-3), head=dense(2), loss=two_tasks, baseline=1.34
        ),
    )
    fine(
        "tide-mixture",
        "mixture of densities whose loss falls below 0",
        lambda: fit(
            tide(),
            [layers().Flatten(), dense(32, "tanh")],
            adam(5e-3),
            dense(6),
            loss=mixture_of_logs,
            baseline=1.28,
        ),
    )
    fine(
        "churn-rare",
        "few customers leave",
        lambda: stacked(churn(rare=True), (32, 16), "relu", adam(4e-3)),
    )
    fine(
        "churn-batch1",
        "one row a step",
        lambda: stacked(churn(), (24, 24), "relu", sgd(0.01), batch=1, steps=800),
    )
    fine(
        "weave-frozen",
        "random filters that are never trained",
        lambda: cloth((48,), "relu", adam(0.01), each=lambda: {"trainable": False}, steps=400),
    )
    fine(
        "weave-norm",
        "six normalised convolutions, four pictures a step",
        lambda: cloth((12,) * 6, None, adam(3e-3), after=norm_relu, batch=4, steps=400),
    )
    fine(
        "weave-resting",
        "many units rest: bias of -0.05 before ReLU",
        lambda: cloth(
            (24, 32), "relu", adam(4e-3), each=lambda: {"bias_initializer": constant(-0.05)}
        ),
    )
    fine(
        "hearts-dilated",
        "residual convolutions with gaps",
        lambda: dilated(adam(3e-3)),
    )
    fine(
        "hearts-sgd-high",
        "rate of 0.1, loss near 0 after a few steps",
        lambda: beat((12, 16), "relu", sgd(0.1, 0.5)),
    )
    fine(
        "tunes-large-table",
        "table of 5000 of which 30 rows are met",
        lambda: fit(
            tunes(),
            [layers().Embedding(5000, 12), layers().GlobalAveragePooling1D(), dense(24, "relu")],
            adam(0.01),
        ),
    )
    fine(
        "tunes-both-ways16",
        "16 zeros behind each tune, masked, read in both directions",
        lambda: fit(
            tunes(16),
            [
                layers().Embedding(31, 8, mask_zero=True),
                layers().Bidirectional(layers().LSTM(12)),
            ],
            adam(0.01),
            steps=120,
        ),
    )
    fine(
        "greeting-identity",
        "ReLU recurrence that starts as the identity, 30 steps, clipped",
        lambda: fit(
            greeting(30),
            [layers().SimpleRNN(24, "relu", recurrent_initializer=k().initializers.Identity(1.0))],
            adam(2e-3, global_clipnorm=1.0),
        ),
    )
    fine(
        "greeting-lstm10",
        "ten steps, warm-up",
        lambda: fit(greeting(10), [layers().LSTM(16)], warm_up(0.01, 80), steps=300),
    )
    fine(
        "tide-deep",
        "two GRUs, absolute errors",
        lambda: fit(
            tide(),
            [layers().GRU(12, return_sequences=True), layers().GRU(12)],
            adam(5e-3),
            loss="mae",
            steps=200,
        ),
    )
    fine(
        "tide-centimetres",
        "levels as they are, scaled within",
        lambda: fit(
            tide(raw=True),
            [own(lambda z: (z - 420.0) / 150.0), layers().Flatten(), dense(32, "relu")],
            adam(5e-3),
            layers().Dense(1, lambda z: 420.0 + 150.0 * z),
        ),
    )
    fine(
        "light-narrow",
        "wide autoencoder through three units",
        lambda: coder((32, 3, 32), "elu", adam(4e-3)),
    )
    fine(
        "spectra-tuned",
        "trained to the end before, small rate",
        lambda: stacked(spectra(), (32, 32), "relu", adam(1e-3), silent_steps=1000, steps=200),
    )
    fine(
        "duel-towers",
        "the same layers for both players, who differ little",
        lambda: match(adam(4e-3), [dense(32, "relu"), dense(16, "relu")], between),
    )
    fine(
        "cards-plateau",
        "attention that has to find the place first",
        lambda: cards(adam(5e-3), steps=400),
    )
    fine(
        "shops-sparse",
        "table of 2000 rows, plain descent with a high rate",
        lambda: sales(sgd(0.1, 0.9), 2000),
    )


def norm_relu() -> list[Any]:
    return [layers().BatchNormalization(), layers().ReLU()]


def dilated(opt: Any) -> Any:
    """Residual convolutions of ``hearts`` with gaps of 1 to 8, normalised by layer."""
    x, y = hearts()
    entry = k().Input(x.shape[1:])
    h = layers().Conv1D(12, 3, padding="same")(entry)
    for gap in (1, 2, 4, 8):
        z = layers().LayerNormalization()(h)
        h = h + layers().Conv1D(12, 3, padding="same", dilation_rate=gap, activation="relu")(z)
    out = dense(3, "softmax")(layers().Flatten()(h))
    return Setup(k().Model(entry, out), x, y, "cce", opt, **COMMON)
