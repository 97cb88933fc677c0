"""The ``V-`` runs that look suspicious, and learn."""

from __future__ import annotations

from collections.abc import Callable

from benchmarks.diagnosis.runs.models import adam, dense, k, opts, sgd, warm_up
from benchmarks.diagnosis.runs.reserve_models import (
    encoder,
    excited,
    fit,
    labels,
    letters,
    log_variance,
    pictures,
    plain,
    remember,
    residual,
    sounds,
    triangle,
)
from benchmarks.diagnosis.runs.unseen_models import layers, rates


def healthy(fine: Callable[..., None]) -> None:
    """Nothing may be found in these."""
    fine(
        "shells-weight1e-4",
        "loss weight of 1e-4, which Nadam divides out",
        lambda: plain("shells", 2, 44, "relu", opts().Nadam(5e-3, epsilon=1e-12), factor=1e-4),
    )
    fine(
        "shells-converged",
        "trained to the end before",
        lambda: plain("shells", 2, 44, "relu", adam(5e-3), silent_steps=700, steps=150),
    )
    fine(
        "shells-sig2",
        "sigmoids, slow start",
        lambda: plain("shells", 2, 30, "sigmoid", adam(0.02), steps=400),
    )
    fine(
        "shells-norm10",
        "depth, layer normalisation",
        lambda: plain(
            "shells", 10, 28, "silu", adam(2e-3), after=layers().LayerNormalization, steps=250
        ),
    )
    fine(
        "baskets",
        "embeddings of rare articles",
        lambda: fit(
            "baskets",
            [layers().Embedding(5000, 10), layers().GlobalAveragePooling1D()],
            adam(0.02),
        ),
    )
    fine(
        "shapes-frozen",
        "random filters, frozen",
        lambda: pictures((24,), "relu", adam(3e-3), first=[frozen()], tail=joined),
    )
    fine(
        "shapes-residual5",
        "depth, normalised",
        lambda: residual(5, opts().AdamW(2e-3), norm=True),
    )
    fine("shapes-excited", "gates of channels", lambda: excited(opts().RMSprop(2e-3)))
    fine(
        "shapes-norm255",
        "raw pixels, normalised by the first layer",
        lambda: pictures(
            (12, 16), "relu", sgd(0.02, 0.9), "shapes-255", first=[layers().BatchNormalization()]
        ),
    )
    fine(
        "churn-batch3",
        "three rows a step",
        lambda: plain("churn", 2, 24, "relu", adam(1e-3), batch=3, steps=700),
    )
    fine(
        "churn-flips",
        "one of seven labels is wrong",
        lambda: plain("churn-flips", 2, 24, "relu", opts().Adamax(3e-3)),
    )
    fine(
        "tones-triangle",
        "cyclical rate",
        lambda: sounds(4, "relu", adam(triangle(1e-5, 6e-3, 50))),
    )
    fine(
        "tones-tuned",
        "trained before, goes on at a fiftieth of the rate",
        lambda: sounds(
            3,
            "gelu",
            adam(rates().PiecewiseConstantDecay([350], [5e-3, 1e-4])),
            silent_steps=350,
            steps=250,
        ),
    )
    fine(
        "genres-dropout",
        "dropout of 0.5 in wide layers",
        lambda: labels(adam(3e-3), width=160, after=lambda: layers().Dropout(0.5)),
    )
    fine(
        "genres-l2",
        "penalty that helps",
        lambda: labels(sgd(0.3, 0.9), each={"kernel_regularizer": k().regularizers.L2(3e-4)}),
    )
    fine(
        "trips-spikes",
        "one target of 50 is far out",
        lambda: plain("trips-spikes", 2, 36, "relu", adam(3e-3), loss="mae"),
    )
    fine(
        "trips-gaussian",
        "a loss that falls below zero",
        lambda: plain(
            "trips", 2, 36, "relu", adam(3e-3), head=dense(2), loss=log_variance, baseline=1.419
        ),
    )
    fine(
        "weather-clipped",
        "two LSTMs, clipped to a norm of 0.5",
        lambda: fit(
            "weather",
            [layers().LSTM(18, return_sequences=True), layers().LSTM(18)],
            opts().Nadam(5e-3, clipnorm=0.5),
        ),
    )
    fine(
        "mail-post-norm",
        "normalised after, with warm-up",
        lambda: encoder(2, warm_up(3e-3, 50), post=True),
    )
    fine(
        "mail-masked",
        "both directions, masked",
        lambda: letters([layers().Bidirectional(layers().GRU(12))], opts().AdamW(5e-3), mask=True),
    )
    fine(
        "codes-gru16",
        "short sequence",
        lambda: remember(16, [layers().GRU(24)], adam(0.01), steps=320),
    )


def frozen() -> object:
    return layers().Conv2D(24, 5, padding="same", activation="relu", trainable=False)


def joined() -> list[object]:
    return [layers().Flatten(), layers().Dropout(0.2)]
