"""The ``S-`` runs that look suspicious, and learn."""

from __future__ import annotations

from collections.abc import Callable

from benchmarks.diagnosis.runs.models import adam, dense, k, opts, sgd
from benchmarks.diagnosis.runs.sealed_models import (
    adversarial,
    coder,
    conv,
    conv1d,
    embedded,
    encoder,
    fit,
    keep,
    pinball,
    plain,
    points,
    policy,
    residual,
    sparse,
)
from benchmarks.diagnosis.runs.unseen_models import layers, rates


def healthy(fine: Callable[..., None]) -> None:
    """Nothing may be found in these."""
    orthogonal = lambda: k().initializers.Orthogonal(1.1)
    fine(
        "bikes-weight1e-5",
        "loss weight of 1e-5, which RMSprop divides out",
        lambda: plain("bikes", 2, 36, "relu", opts().RMSprop(3e-3, epsilon=1e-14), factor=1e-5),
    )
    fine(
        "segments-converged",
        "trained to the end before",
        lambda: conv((10, 14), "relu", adam(3e-3), silent_steps=500, steps=150),
    )
    fine("clicks", "embeddings, most rows of which get no gradient", lambda: sparse(adam(0.02)))
    fine("intent-encoder", "bias of keys", lambda: encoder("intent", 2, adam(2e-3)))
    fine(
        "clouds-frozen",
        "random features of points, frozen",
        lambda: points(
            [dense(64, "relu", trainable=False), dense(64, "relu")],
            opts().AdamW(5e-3),
            layers().GlobalMaxPooling1D(),
        ),
    )
    fine("teacher-rezero", "factors of 0", lambda: residual(10, adam(3e-3), rezero=True))
    fine("teacher-prenorm8", "depth", lambda: residual(8, opts().Nadam(1e-3)))
    fine(
        "teacher-tanh18",
        "depth, orthogonal kernels",
        lambda: plain("teacher", 18, 32, "tanh", sgd(0.02, 0.9), orthogonal),
    )
    fine(
        "sectors-batch2",
        "two rows a step",
        lambda: plain("sectors", 2, 40, "relu", adam(2e-3), batch=2, steps=800),
    )
    fine("bandit", "rewards as weights, noisy", lambda: policy(adam(5e-3)))
    fine(
        "ecg-cycles",
        "rate that starts anew four times",
        lambda: conv1d(3, "elu", adam(rates().CosineDecayRestarts(5e-3, 75, 1.0))),
    )
    fine(
        "ecg-tuned",
        "trained before, goes on at a hundredth of the rate",
        lambda: fit(
            "ecg",
            [
                layers().Conv1D(16, 7, activation="relu"),
                layers().MaxPooling1D(2),
                layers().Conv1D(16, 5, activation="relu"),
                layers().GlobalMaxPooling1D(),
            ],
            adam(rates().PiecewiseConstantDecay([400], [5e-3, 5e-5])),
            silent_steps=400,
        ),
    )
    fine(
        "engine-rescaled",
        "targets up to 300, the head's output is multiplied",
        lambda: fit(
            "engine-raw",
            [dense(36, "relu"), dense(36, "relu"), dense(1)],
            adam(5e-3),
            layers().Rescaling(80.0, 110.0),
        ),
    )
    fine("latch-gru20", "sequence", lambda: keep(20, [layers().GRU(20)], adam(0.02), steps=350))
    fine(
        "engine-quantiles",
        "pinball loss",
        lambda: plain(
            "engine",
            2,
            40,
            "relu",
            opts().Adamax(0.01),
            head=dense(3),
            loss=pinball,
            baseline=0.245,
        ),
    )
    fine(
        "domains-adversarial",
        "a head whose gradient is turned around",
        lambda: adversarial(adam(3e-3)),
    )
    fine(
        "loans-rare",
        "one of 20 defaults",
        lambda: plain("loans-rare", 2, 24, "relu", adam(5e-3), batch=64),
    )
    fine(
        "intent-clipped",
        "small clipping, high rate",
        lambda: embedded(
            [layers().Bidirectional(layers().LSTM(12))], sgd(1.0, 0.9, global_clipnorm=0.1)
        ),
    )
    fine("segments-coder", "autoencoder", lambda: coder(opts().Nadam(3e-3), "mse"))
