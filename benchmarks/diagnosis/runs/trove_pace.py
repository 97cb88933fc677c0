"""Runs of the ``T-`` part that hardly move, or move without getting anywhere."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.diagnosis.runs import trove_data as data
from benchmarks.diagnosis.runs.base import SHUT, SLOW, STALLED, Family, Setup
from benchmarks.diagnosis.runs.models import adam, dense, k, opts, sgd, stack
from benchmarks.diagnosis.runs.trove_models import (
    classify,
    conv,
    encoder,
    hook,
    lay,
    mlp,
    own,
    pictures,
    price,
    schedules,
    signals,
)


def runs() -> list[Any]:
    family = Family("T-")
    _slow(family)
    _stalled(family)
    _penalty(family)
    return family.runs


def _slow(family: Family) -> None:
    sick = family.sick
    sick(
        "adam-1e-7",
        SLOW,
        "A rate of 1e-7 left over from fine-tuning",
        lambda: classify("digits", (32, 32), "relu", adam(1e-7)),
    )
    sick(
        "sgd-1e-5-gru",
        SLOW,
        "SGD at 1e-5 for a GRU that Adam would train",
        lambda: _gru(sgd(1e-5)),
    )
    sick(
        "rate-zero",
        SLOW,
        "A callback has set the rate to zero before the first step",
        lambda: pictures([conv(8), lay().MaxPooling2D(), conv(16)], adam(0.0)),
    )
    sick(
        "decay-per-step",
        SLOW,
        "ExponentialDecay(0.01, decay_steps=1, 0.5), meant per epoch: over after ten steps",
        lambda: pictures([conv(8), conv(16)], sgd(schedules().ExponentialDecay(0.01, 1, 0.5))),
    )
    sick(
        "cosine-over-at-once",
        SLOW,
        "CosineDecay given epochs (4) where it takes steps",
        lambda: signals(
            [lay().Conv1D(16, 5, activation="relu"), lay().Conv1D(16, 5, activation="relu")],
            adam(schedules().CosineDecay(1e-3, 4)),
        ),
    )
    sick(
        "warm-up-of-a-million",
        SLOW,
        "Warm-up over a million steps, copied from a large model",
        lambda: _transformer(
            adam(schedules().CosineDecay(0.0, 10**7, warmup_target=1e-3, warmup_steps=10**6))
        ),
    )
    sick(
        "clipnorm-1e-5",
        SLOW,
        "Global gradient norm clipped to 1e-5 after a scare",
        lambda: classify("digits", (32, 32), "relu", sgd(0.1, 0.9, global_clipnorm=1e-5)),
    )
    sick(
        "clipvalue-1e-6",
        SLOW,
        "clipvalue=1e-6 with plain SGD",
        lambda: price([dense(32, "relu"), dense(1)], sgd(0.1, clipvalue=1e-6), times=100.0),
    )
    sick(
        "epsilon-100",
        SLOW,
        "Adam with epsilon=100, mistaken for the rate's denominator",
        lambda: classify("digits", (48,), "relu", adam(1e-3, epsilon=100.0)),
    )
    sick(
        "adadelta-default",
        SLOW,
        "Adadelta of Keras starts at 0.001, not at 1.0 as in the paper",
        lambda: pictures([conv(8), conv(16)], opts().Adadelta()),
    )
    sick(
        "adagrad-full-accumulator",
        SLOW,
        "Adagrad resumed with an accumulator of 1e6",
        lambda: classify(
            "digits", (32, 32), "relu", opts().Adagrad(0.01, initial_accumulator_value=1e6)
        ),
    )
    sick(
        "accumulate-1000",
        SLOW,
        "gradient_accumulation_steps=1000 in a training of 200 steps: no update happens",
        lambda: classify("wine", (32,), "tanh", adam(1e-3, gradient_accumulation_steps=1000)),
    )
    sick(
        "ema-overwrites",
        SLOW,
        "use_ema with an overwrite each step pins the weights to where they began",
        lambda: classify(
            "digits",
            (32, 32),
            "relu",
            sgd(0.01, use_ema=True, ema_momentum=0.9995, ema_overwrite_frequency=1),
        ),
    )
    sick(
        "loss-over-pixels-and-batch",
        SLOW,
        "Loss divided by pixels and batch size once more than it should, under SGD",
        _tiny_loss,
    )
    sick(
        "linear-slow-feature-scale",
        SLOW,
        "A rate low enough for one raw feature of 1e3 is too low for all others, which matter",
        _ill_scaled,
    )


def _gru(opt: Any) -> Setup:
    x, y = data.adding(12)
    return Setup(stack((12, 2), [lay().GRU(16), dense(1)]), x, y * 2, "mse", opt, 32, 150)


def _transformer(opt: Any) -> Setup:
    x, y = data.reviews(length=12)
    entry = k().Input((12,), dtype="int32")
    h = lay().Embedding(500, 16)(entry)
    return Setup(encoder(16, 1, entry, h, dense(1, "sigmoid")), x, y, "bce", opt, 32, 120)


def _tiny_loss() -> Setup:
    x, y = data.discs()
    layers = [conv(8), conv(8), conv(1, "sigmoid", 1), lay().Flatten()]
    return Setup(stack((12, 12, 1), layers), x, y, "bce", sgd(0.1), 16, 150, factor=1 / (144 * 16))


def _ill_scaled() -> Setup:
    r = data.rng()
    x = r.normal(0, 1, (600, 8))
    y = x[:, 1:] @ np.linspace(1, -1, 7) + r.normal(0, 0.1, 600)
    x[:, 0] *= 1000
    start = k().initializers.RandomNormal(0, 1e-3)
    model = stack(8, [dense(1, None, start)])
    return Setup(model, x.astype("float32"), y[:, None], "mse", sgd(5e-7), 32, 300)


def _stalled(family: Family) -> None:
    sick = family.sick
    sick(
        "inputs-shuffled",
        STALLED,
        "x was shuffled and y was not; one pass through the data",
        lambda: _shuffled(),
    )
    sick(
        "wrong-column",
        STALLED,
        "The column trained on is a hash of the row number, not the outcome",
        lambda: _hash_target(),
    )
    sick(
        "linear-on-xor",
        STALLED,
        "All activations forgotten: five layers that are one linear map, on quadrants",
        lambda: _linear_xor(),
    )
    sick(
        "random-walk",
        STALLED,
        "An LSTM forecasts the increments of a random walk",
        _walk,
    )
    sick(
        "augmentation-hides-all",
        STALLED,
        "Noise of 40 standard deviations from a mistyped augmentation",
        lambda: pictures([hook(own().shake), conv(8), conv(16)], adam(1e-3)),
    )
    sick(
        "unique-ids",
        STALLED,
        "Joined on the wrong key: every row has an id of its own, whose embedding is seen once",
        _ids,
    )
    sick(
        "bag-of-order",
        STALLED,
        "Which of two marks comes first, asked of a mean over steps that cannot know",
        _order,
    )
    sick(
        "noise-task-outweighs",
        STALLED,
        "Two tasks on one trunk: the second has a weight of 1000 and labels of noise",
        _two_tasks,
    )
    sick(
        "triplets-same-point",
        SHUT,
        "Triplet loss and a last layer started at zero: all embeddings are the same point",
        _collapse,
    )
    sick(
        "channels-mixed-up",
        STALLED,
        "Reshape where a transpose was meant scatters each signal over all rows of the batch",
        _scattered,
    )


def _shuffled() -> Setup:
    x, y = data.rare(0.5)
    x = data.rng(9).permutation(x)
    return Setup(mlp(12, (32, 16), "relu", dense(1, "sigmoid")), x, y, "bce", adam(1e-3), 32, 150)


def _hash_target() -> Setup:
    x, _ = data.house(1200)
    y = ((np.arange(len(x)) * 2654435761) % 1009 / 1009)[:, None]
    return Setup(mlp(5, (32, 32), "relu", dense(1)), x, y, "mse", adam(1e-3), 32, 250)


def _linear_xor() -> Setup:
    x = data.rng().uniform(-1, 1, (1200, 2)).astype("float32")
    y = (x[:, :1] * x[:, 1:] > 0).astype(float)
    head = dense(1, "sigmoid")
    return Setup(mlp(2, (24,) * 4, "linear", head), x, y, "bce", adam(1e-3), 32, 250)


def _walk() -> Setup:
    steps = data.rng().normal(0, 1, 900)
    x = np.lib.stride_tricks.sliding_window_view(steps, 20)[:-1, :, None].astype("float32")
    model = stack((20, 1), [lay().LSTM(8), dense(1)])
    return Setup(model, x, steps[20:, None], "mse", adam(1e-3), 32, 200)


def _ids() -> Setup:
    n = 4000
    x = np.arange(n, dtype="int32")[:, None]
    y = data.rng().integers(0, 2, (n, 1)).astype(float)
    layers = [lay().Embedding(n, 8), lay().Flatten(), dense(16, "relu"), dense(1, "sigmoid")]
    return Setup(stack((1,), layers), x, y, "bce", adam(1e-3), 32, 100)


def _order() -> Setup:
    r = data.rng()
    n = 900
    x, y = np.zeros((n, 16, 2)), r.integers(0, 2, n)
    first, second = r.integers(0, 8, n), r.integers(8, 16, n)
    x[np.arange(n), first, y] = x[np.arange(n), second, 1 - y] = 1
    layers = [dense(16, "relu"), lay().GlobalAveragePooling1D(), dense(16, "relu")]
    model = stack((16, 2), [*layers, dense(1, "sigmoid")])
    return Setup(model, x.astype("float32"), y[:, None].astype(float), "bce", adam(1e-3), 32, 200)


def _two_tasks() -> Setup:
    x, y = data.house()
    y = np.concatenate([y, data.rng(4).normal(0, 1, y.shape)], 1)
    model = stack(5, [dense(8, "relu"), dense(2)])
    weight = 1000.0
    loss = own().two_tasks(weight)
    return Setup(model, x, y, loss, adam(1e-3), 32, 250, baseline=1 + weight * y[:, 1].var())


def _collapse() -> Setup:
    x, y = data.triples()
    model = stack((3, 10), [dense(16, "relu"), dense(8, "tanh")])
    setup = Setup(model, x, y, own().triplet, sgd(0.02), 32, 200, baseline=1.0)
    layer = model.layers[-1]
    layer.kernel.assign(layer.kernel * 0)
    return setup


def _scattered() -> Setup:
    x, y = data.waves()
    x = x.reshape(48, len(y), 1).transpose(1, 0, 2)
    layers = [lay().Conv1D(8, 5, activation="relu"), lay().GlobalMaxPooling1D()]
    model = stack((48, 1), [*layers, dense(3, "softmax")])
    return Setup(model, x, y, "cce", adam(1e-3), 32, 150)


def _penalty(family: Family) -> None:
    sick = family.sick
    l2 = lambda c: {"kernel_regularizer": k().regularizers.L2(c)}
    sick(
        "l2-of-10",
        SHUT,
        "L2(10) a layer: the penalty outweighs the data, the weights go to zero",
        lambda: classify_with(l2(10.0), sgd(0.01)),
    )
    sick(
        "l1-of-1",
        SHUT,
        "L1(1.0) taken from a shallow model with three features",
        lambda: classify_with({"kernel_regularizer": k().regularizers.L1(1.0)}, adam(1e-3)),
    )
    sick(
        "adamw-decay-50",
        SHUT,
        "weight_decay=50 where the other library's value was multiplied by the rate already",
        lambda: classify("digits", (32, 32), "relu", opts().AdamW(5e-3, weight_decay=50.0)),
    )
    sick(
        "beta-vae-200",
        SHUT,
        "beta=200 in a VAE: the posterior collapses, and all reconstructions are the mean",
        _vae,
    )
    sick(
        "unit-norm-head",
        STALLED,
        "UnitNorm on the head and outputs averaged over 64: logits within 0.1, whatever is learnt",
        _unit_norm,
    )


def classify_with(more: dict[str, Any], opt: Any) -> Setup:
    x, y = data.bundled("digits")
    layers = [dense(32, "relu", None, **more) for _ in range(2)]
    model = stack(64, [*layers, dense(10, "softmax", None, **more)])
    return Setup(model, x, y, "cce", opt, 32, 250)


def _vae() -> Setup:
    x, _ = data.bundled("digits", scale=False)
    x = x / 16
    layers = [dense(32, "relu"), dense(8), own().Sample(200.0), dense(32, "relu")]
    return Setup(stack(64, [*layers, dense(64)]), x, x.astype(float), "mse", adam(1e-3), 64, 250)


def _unit_norm() -> Setup:
    x, y = data.bundled("digits")
    keep = {"kernel_constraint": k().constraints.UnitNorm(), "use_bias": False}
    layers = [dense(64, "tanh"), lay().Rescaling(1 / 64), dense(10, "softmax", None, **keep)]
    return Setup(stack(64, layers), x, y, "cce", adam(1e-3), 32, 250)
