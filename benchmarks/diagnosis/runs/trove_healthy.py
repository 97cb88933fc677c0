"""Runs of the ``T-`` part that train well although something about them looks suspicious."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.diagnosis.runs import trove_data as data
from benchmarks.diagnosis.runs.base import Family, Setup
from benchmarks.diagnosis.runs.models import adam, dense, k, opts, sgd, stack
from benchmarks.diagnosis.runs.trove_models import (
    classify,
    conv,
    freeze,
    hook,
    lay,
    masks,
    mlp,
    own,
    pictures,
    price,
    schedules,
    signals,
    train,
    unet,
)


def runs() -> list[Any]:
    family = Family("T-")
    _deep(family)
    _optimised(family)
    return family.runs


def _deep(family: Family) -> None:
    fine = family.fine
    fine(
        "residual-20",
        "Twenty pre-norm residual blocks",
        lambda: _residual(20, lambda z: z),
    )
    fine(
        "rezero-12",
        "Branches times a trained zero (ReZero): no gradient into them at first",
        lambda: _residual(12, lambda z: own().Scale(0.0)(z)),
    )
    fine(
        "layer-scale-12",
        "LayerScale of 1e-3: the gradients of the branches are small for long",
        lambda: _residual(12, lambda z: own().Scale(1e-3)(z)),
    )
    fine(
        "selu-14",
        "Self-normalising: fourteen SELU layers of LeCun's initialisation, no norm",
        lambda: classify("digits", (32,) * 14, "selu", adam(1e-3), kernel=lambda: "lecun_normal"),
    )
    fine(
        "tanh-8-adam",
        "Eight tanh layers without a norm, which Adam trains",
        lambda: classify("digits", (32,) * 8, "tanh", adam(2e-3), steps=300),
    )
    fine(
        "leaky-10",
        "Ten layers of LeakyReLU, He's initialisation",
        lambda: price(
            [z for _ in range(10) for z in (dense(24, None, "he_normal"), lay().LeakyReLU(0.1))]
            + [dense(1)],
            adam(1e-3),
        ),
    )
    fine(
        "sigmoid-two",
        "Two sigmoid layers, small and slow, as in the eighties",
        lambda: classify("iris", (10, 8), "sigmoid", sgd(0.5, 0.9), batch=16, steps=500),
    )
    fine(
        "group-norm-cnn",
        "GroupNormalization and batches of four images",
        lambda: pictures(
            [
                conv(8, None),
                lay().GroupNormalization(4),
                lay().ReLU(),
                conv(16, None),
                lay().GroupNormalization(4),
                lay().ReLU(),
                conv(16),
            ],
            adam(3e-3),
            batch=4,
            steps=300,
        ),
    )
    fine(
        "separable-bn",
        "Depthwise separable convolutions with batch norm",
        lambda: signals(
            [
                z
                for _ in range(3)
                for z in (
                    lay().SeparableConv1D(24, 5, padding="same", use_bias=False),
                    lay().BatchNormalization(),
                    lay().ReLU(),
                )
            ],
            adam(5e-3),
        ),
    )
    fine(
        "unet-dice",
        "A small U-Net for masks that are mostly background, Dice loss",
        lambda: masks(unet(), adam(3e-3), loss=own().dice, baseline=0.8),
    )
    fine("denoiser", "Denoising with transposed convolutions", _denoiser)
    fine("vae-small-beta", "A VAE of small beta: noise within, and an unused dimension", _vae)
    fine("tied-autoencoder", "An autoencoder whose decoder is the transposed encoder", _tied)
    fine("straight-through", "Binary bottleneck with a straight-through estimator", _binary)
    fine("lora", "Low-rank updates of a frozen net, one factor zero at the start", _lora)
    fine("frozen-base", "A pretrained base is frozen, the new head learns", _frozen_base)
    fine("random-features", "Frozen random features and a trained head", _random_features)
    fine("experts", "Three experts behind a softmax gate, of which one is hardly used", _experts)


def _residual(blocks: int, branch: Any) -> Setup:
    x, y = data.bundled("digits")
    entry = k().Input((64,))
    h = dense(32)(entry)
    for _ in range(blocks):
        h = h + branch(dense(32)(dense(32, "relu")(lay().LayerNormalization()(h))))
    return Setup(k().Model(entry, dense(10, "softmax")(h)), x, y, "cce", adam(1e-3), 32, 200)


def _denoiser() -> Setup:
    x, y = data.discs()
    layers = [conv(8, strides=2), conv(8), lay().Conv2DTranspose(8, 3, 2, "same")]
    layers += [lay().ReLU(), conv(1, None), lay().Flatten()]
    return Setup(stack((12, 12, 1), layers), x, y, "mse", adam(3e-3), 16, 250)


def _pixels() -> np.ndarray:
    return data.bundled("digits", scale=False)[0] / 16


def _vae() -> Setup:
    x = _pixels()
    layers = [dense(48, "relu"), dense(12), own().Sample(1e-3), dense(48, "relu")]
    return Setup(stack(64, [*layers, dense(64)]), x, x.astype(float), "mse", adam(3e-3), 64, 300)


def _tied() -> Setup:
    x = _pixels()
    encode = dense(16, "linear")
    model = stack(64, [encode, own().Tied(encode)])
    return Setup(model, x, x.astype(float), "mse", adam(3e-3), 64, 250)


def _binary() -> Setup:
    x, y = data.bundled("digits")
    layers = [dense(48), lay().BatchNormalization(), hook(own().binarise), dense(10, "softmax")]
    return Setup(stack(64, layers), x, y, "cce", adam(3e-3), 32, 250)


def _lora() -> Setup:
    x, y = data.bundled("digits")
    base = train(mlp(64, (48,), "relu", dense(10, "softmax")), x, (y @ np.eye(10)[::-1]), "mse", 1)
    hidden = dense(48)
    hidden.build((None, 64))
    hidden.set_weights(base.layers[0].get_weights())
    model = stack(64, [own().LowRank(hidden), lay().ReLU(), own().LowRank(dense(10))])
    model = k().Sequential([*model.layers, lay().Softmax()])
    model.build((None, 64))
    return Setup(model, x, y, "cce", adam(5e-3), 32, 250)


def _frozen_base() -> Setup:
    x, y = data.shapes()
    layers = [conv(8), lay().MaxPooling2D(), conv(16), lay().GlobalAveragePooling2D()]
    model = stack((12, 12, 1), [*layers, dense(4, "softmax")])
    train(model, x[:300], y[:300], "categorical_crossentropy", 8)
    freeze(model.layers[:-1])
    merged = y[:, [1, 0, 3, 2]]
    return Setup(model, x, merged, "cce", adam(0.02), 32, 200)


def _random_features() -> Setup:
    x, y = data.bundled("digits")
    model = mlp(64, (200, 100), "relu", dense(10, "softmax"))
    freeze(model.layers[:-1])
    return Setup(model, x, y, "cce", sgd(0.05, 0.9), 32, 200)


def _experts() -> Setup:
    x, y = data.house()
    entry = k().Input((5,))
    gate = dense(3, "softmax")(entry)
    experts = lay().Concatenate()([dense(1)(dense(12, "relu")(entry)) for _ in range(3)])
    model = k().Model(entry, k().ops.sum(gate * experts, -1, keepdims=True))
    return Setup(model, x, y, "mse", adam(5e-3), 32, 250)


def _optimised(family: Family) -> None:
    fine = family.fine
    fine(
        "batch-of-two",
        "Batches of two rows: the loss jumps by a factor of ten from step to step",
        lambda: price([dense(24, "relu"), dense(1)], sgd(0.01), batch=2, steps=400),
    )
    fine(
        "full-batch",
        "All rows in one batch, few steps, momentum",
        lambda: classify("wine", (24,), "relu", sgd(0.2, 0.9), batch=512, steps=120),
    )
    fine(
        "sgd-rate-1",
        "A rate of 1.0 that batch norm allows",
        lambda: classify_bn(sgd(1.0)),
    )
    fine(
        "slow-and-steady",
        "Logistic regression at a low rate: still on its way at the end, and going down",
        lambda: classify("breast_cancer", (), "relu", sgd(0.005), steps=300),
    )
    fine(
        "clipped-all-the-time",
        "Global norm clipped to 0.5, in effect at nearly every step",
        lambda: price([dense(32, "relu"), dense(1)], sgd(0.1, 0.9, global_clipnorm=0.5), times=5.0),
    )
    fine(
        "adamw-decay-0.1",
        "AdamW with decay of 0.1",
        lambda: classify("digits", (64, 64), "gelu", opts().AdamW(2e-3, weight_decay=0.1)),
    )
    fine(
        "lion",
        "Lion: steps of sign, whatever the gradient's size",
        lambda: classify("digits", (48,), "relu", opts().Lion(5e-4)),
    )
    fine(
        "adagrad-0.05",
        "Adagrad, whose steps shrink throughout",
        lambda: classify("breast_cancer", (24,), "relu", opts().Adagrad(0.05)),
    )
    fine(
        "warm-restarts",
        "Cosine with warm restarts: the loss jumps up at each of them",
        lambda: pictures(
            [conv(8), lay().MaxPooling2D(), conv(16)],
            sgd(schedules().CosineDecayRestarts(0.2, 60), 0.9),
            steps=300,
        ),
    )
    fine(
        "accumulate-4",
        "Gradients accumulated over four batches: three of four steps change nothing",
        lambda: classify("digits", (32,), "relu", adam(5e-3, gradient_accumulation_steps=4)),
    )
    fine(
        "loss-scale",
        "mixed_float16 with a dynamic loss scale",
        _mixed,
    )
    fine(
        "resumed-converged",
        "Resumed after 300 steps: at its best from the first record on",
        lambda: classify("breast_cancer", (16,), "relu", adam(3e-3), silent_steps=300, steps=150),
    )
    fine(
        "converged-at-once",
        "Iris with a high rate is solved within twenty steps; nothing happens after",
        lambda: classify("iris", (16,), "relu", adam(0.03), batch=16, steps=200),
    )
    fine(
        "l1-sparse",
        "L1 on a wide first layer: most of its weights go to zero on purpose",
        lambda: price(
            [dense(64, "relu", None, kernel_regularizer=k().regularizers.L1(2e-3)), dense(1)],
            adam(3e-3),
        ),
    )
    fine(
        "large-targets-adam",
        "Targets of hundreds, and a rate high enough to get there",
        lambda: price([dense(32, "relu"), dense(1)], adam(0.1), times=200.0),
    )
    fine(
        "raw-inputs-normed",
        "Raw inputs of 1 to 2000, batch norm as the first layer",
        lambda: price(
            [lay().BatchNormalization(), dense(24, "relu"), dense(1)], adam(0.01), raw=True
        ),
    )


def classify_bn(opt: Any) -> Setup:
    x, y = data.bundled("digits")
    layers: list[Any] = []
    for _ in range(3):
        layers += [dense(32, None, use_bias=False), lay().BatchNormalization(), lay().ReLU()]
    return Setup(stack(64, [*layers, dense(10, "softmax")]), x, y, "cce", opt, 64, 200)


def _mixed() -> Setup:
    x, y = data.bundled("digits")
    layers = [lay().Dense(32, "relu", dtype="mixed_float16") for _ in range(2)]
    model = stack(64, [*layers, lay().Dense(10, "softmax", dtype="float32")])
    return Setup(model, x, y, "cce", opts().LossScaleOptimizer(adam(2e-3)), 32, 200)
