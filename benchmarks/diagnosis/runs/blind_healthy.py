"""The ``W-`` runs that look suspicious, and learn."""

from __future__ import annotations

from collections.abc import Callable

from benchmarks.diagnosis.runs.blind_losses import alarm_and_level, both, pinball
from benchmarks.diagnosis.runs.blind_models import (
    ballot,
    bound,
    cloth,
    elo,
    experts,
    fit,
    highway,
    listener,
    mlp,
    rezero,
    skipping,
    squeeze,
    steps,
    taught,
    tune,
    wavenet,
)
from benchmarks.diagnosis.runs.models import adam, dense, k, opts, sgd, warm_up
from benchmarks.diagnosis.runs.unseen_models import constant, layers, rates


def healthy(fine: Callable[..., None]) -> None:
    """Nothing may be found in these."""
    fine(
        "petals-rezero",
        "16 residual branches that start at 0",
        lambda: skipping("petals", 16, adam(2e-3), rezero),
    )
    fine(
        "petals-bias",
        "bias of -0.7: most units of a wide layer rest at first",
        lambda: mlp("petals", 1, 32, "relu", adam(5e-3), first=[resting()], steps=400),
    )
    fine(
        "petals-siren",
        "sines",
        lambda: mlp("petals", 3, 40, k().ops.sin, adam(3e-3), "he_uniform"),
    )
    fine(
        "stars-highway",
        "12 layers whose gates are shut at first",
        lambda: skipping("stars", 12, adam(3e-3), highway),
    )
    fine(
        "stars-experts",
        "experts of which some are hardly asked",
        lambda: skipping("stars", 2, opts().Nadam(2e-3), experts),
    )
    fine(
        "stars-smooth",
        "smoothed labels: the loss cannot come near 0",
        lambda: mlp("stars-smooth", 2, 36, "relu", adam(3e-3)),
    )
    fine(
        "crops-converged",
        "trained to the end before",
        lambda: mlp("crops", 2, 40, "tanh", adam(4e-3), silent_steps=900, steps=150),
    )
    fine(
        "crops-batch2",
        "two rows a step",
        lambda: mlp("crops", 2, 24, "relu", sgd(5e-3, 0.5), batch=2, steps=800),
    )
    fine(
        "crops-summed",
        "loss times 1e4, rate of 2e-6: large gradients, tiny rate, usual steps",
        lambda: mlp("crops", 2, 32, "elu", sgd(2e-6, 0.9), factor=1e4),
    )
    fine(
        "throws-restarts",
        "rate that falls to 0 and starts anew",
        lambda: mlp(
            "throws", 3, 32, "gelu", adam(rates().CosineDecayRestarts(8e-3, 50, 1.0, 0.9, 0.0))
        ),
    )
    fine(
        "chords-denoise",
        "autoencoder of spectra in which single bins are far out",
        lambda: squeeze((28, 12, 28), "tanh", adam(4e-3), first=[layers().GaussianNoise(0.3)]),
    )
    fine(
        "chords-tasks",
        "two losses of different size in one head",
        lambda: fit(
            both("chords"),
            [dense(48, "relu"), dense(48, "relu")],
            adam(3e-3),
            dense(8),
            loss=alarm_and_level,
            baseline=1.119,
        ),
    )
    fine(
        "chords-spikes",
        "single readings of 40, gradients clipped",
        lambda: fit("chords-spikes", [dense(48, "relu")], adam(6e-3, global_clipnorm=1.0)),
    )
    fine("weaves-frozen", "taught filters, frozen", lambda: taught(adam(0.02), frozen=True))
    fine(
        "weaves-tuned",
        "taught filters that go on at a low rate",
        lambda: taught(adam(1e-3), frozen=False),
    )
    fine(
        "weaves-norm",
        "eight convolutions, normalised, drop of whole channels",
        lambda: cloth(
            (12,) * 8,
            None,
            sgd(0.05, 0.9),
            after=lambda: [
                layers().BatchNormalization(),
                layers().ReLU(),
                layers().SpatialDropout2D(0.05),
            ],
            steps=200,
        ),
    )
    fine("gait-wavenet", "gates, dilated", lambda: wavenet(adam(4e-3)))
    fine(
        "gait-prelu",
        "learned slopes, heavy weight decay that does no harm",
        lambda: steps(
            (12, 16),
            None,
            opts().AdamW(3e-3, weight_decay=0.05),
            after=lambda: [layers().PReLU(shared_axes=[1])],
        ),
    )
    fine(
        "tide-quantile",
        "loss of a quantile, on targets with far outliers",
        lambda: fit(
            "tide-wild", [layers().GRU(20)], opts().RMSprop(3e-3), loss=pinball, baseline=0.248
        ),
    )
    fine(
        "tide-linear",
        "no hidden layer at all",
        lambda: fit("tide", [layers().Flatten()], sgd(0.01, 0.9)),
    )
    fine(
        "votes-backwards",
        "60 steps, but one direction ends where it matters",
        lambda: ballot(60, [layers().Bidirectional(layers().LSTM(12))], adam(5e-3), steps=200),
    )
    fine("votes-gru24", "24 steps, gates", lambda: ballot(24, [layers().GRU(24)], adam(0.01)))
    fine(
        "melody-dropout",
        "masked, dropout within the recurrence",
        lambda: tune(
            [layers().LSTM(24, dropout=0.2, recurrent_dropout=0.2)], adam(8e-3), mask=True
        ),
    )
    fine(
        "melody-listener",
        "attention with a mask of -1e9, warm-up",
        lambda: listener(2, warm_up(4e-3, 60), masked="-1e9", data="melody-empty"),
    )
    fine("molecules-normal", "graph, three layers", lambda: bound(3, "relu", adam(5e-3), "normal"))
    fine("games-elo", "embeddings of which most are rarely met", lambda: elo(adam(0.02)))


def resting() -> object:
    return dense(96, "relu", "he_uniform", bias_initializer=constant(-0.7))
