"""Runs of the ``T-`` part whose gradient gets lost on its way: depth, dead units."""

from __future__ import annotations

from typing import Any

from benchmarks.diagnosis.runs import trove_data as data
from benchmarks.diagnosis.runs.base import (
    DEAD,
    FIRST,
    LAST,
    NO_FLOW,
    SHUT,
    VANISHING,
    Family,
    Setup,
)
from benchmarks.diagnosis.runs.models import adam, dense, k, normal, sgd, stack
from benchmarks.diagnosis.runs.trove_models import (
    classify,
    conv,
    encoder,
    hook,
    lay,
    masks,
    mlp,
    pictures,
    price,
    signals,
)


def runs() -> list[Any]:
    family = Family("T-")
    _depth(family)
    _dead(family)
    return family.runs


def _depth(family: Family) -> None:
    sick = family.sick
    sick(
        "sigmoid-tower",
        VANISHING,
        "The textbook case: nine sigmoid layers under plain SGD",
        lambda: classify("digits", (32,) * 9, "sigmoid", sgd(0.1)),
        FIRST,
    )
    sick(
        "tanh-init-0.01",
        VANISHING,
        "random_normal(stddev=0.01) copied from a shallow net into seven layers of tanh",
        lambda: classify("wine", (24,) * 7, "tanh", sgd(0.1), kernel=lambda: normal(0.01)),
        FIRST,
    )
    sick(
        "softsign-adam",
        VANISHING,
        "Twelve softsign layers with initial weights of 0.02; Adam does not make up for it",
        lambda: classify(
            "breast_cancer",
            (16,) * 12,
            "softsign",
            adam(1e-4),
            kernel=lambda: normal(0.02),
            steps=200,
        ),
        FIRST,
    )
    sick(
        "hard-sigmoid",
        VANISHING,
        "Hard sigmoids in seven layers: slope 1/6 each",
        lambda: classify("wine", (24,) * 7, "hard_sigmoid", sgd(0.05, 0.9)),
        FIRST,
    )
    sick("sigmoid-autoencoder", VANISHING, "Stacked autoencoder of sigmoids, not pretrained", _auto)
    sick(
        "sigmoid-convolutions",
        VANISHING,
        "Convolutions with the sigmoids of LeNet, six of them",
        lambda: pictures([conv(8, "sigmoid") for _ in range(6)], sgd(0.1)),
        FIRST,
    )
    sick(
        "conv1d-uniform-0.03",
        VANISHING,
        "Initial weights in +-0.03 for eight narrow 1D convolutions",
        lambda: signals(
            [
                lay().Conv1D(
                    8,
                    3,
                    padding="same",
                    activation="tanh",
                    kernel_initializer=k().initializers.RandomUniform(-0.03, 0.03),
                )
                for _ in range(8)
            ],
            sgd(0.05, 0.9),
        ),
        FIRST,
    )
    sick(
        "gelu-16",
        VANISHING,
        "Sixteen GELU layers without residual paths, as when blocks of a transformer lose theirs",
        lambda: classify("digits", (32,) * 16, "gelu", sgd(0.01), steps=200),
        FIRST,
    )
    sick(
        "relu-narrow-24",
        NO_FLOW,
        "A ReLU network 24 deep and 8 wide is born dead with high probability (Lu et al. 2019)",
        lambda: classify("iris", (8,) * 24, "relu", sgd(0.01)),
    )
    sick(
        "elu-shrunk",
        VANISHING,
        "Ten ELU layers of VarianceScaling(0.1): signal and gradient shrink threefold in each",
        lambda: price(
            [
                *(
                    dense(32, "elu", k().initializers.VarianceScaling(0.1, "fan_in"))
                    for _ in range(10)
                ),
                dense(1),
            ],
            sgd(0.02),
        ),
        FIRST,
    )
    sick(
        "unet-sigmoid",
        VANISHING,
        "Sigmoids between transposed convolutions: an encoder-decoder that predicts the mean mask",
        lambda: masks(_decoder("sigmoid"), sgd(0.05)),
        FIRST,
    )
    sick("gate-shut", VANISHING, "Gates of a highway net biased to let nothing through", _gates)
    sick(
        "features-divided-twice",
        ("vanishing", "slow", "stalled"),
        "Pixels divided by 255 in the generator and again in the model, and once more by mistake",
        lambda: _tiny_inputs(),
    )
    sick(
        "embedding-tiny-tanh",
        VANISHING,
        "Embeddings and kernels started at 1e-3, three tanh layers above their mean",
        _tiny_embedding,
    )
    sick(
        "wide-deep-sigmoid",
        VANISHING,
        "The deep branch alone is eight sigmoids wide 16; the wide branch sees one useless feature",
        _wide_deep,
    )
    sick(
        "bn-frozen-variance",
        NO_FLOW,
        "Fine-tuning in inference mode with moving variances of other data: 1e6 times too large",
        _wrong_variance,
    )


def _auto() -> Setup:
    x, _ = data.bundled("digits", scale=False)
    x = x / 16
    widths = (48, 32, 16, 8, 16, 32, 48)
    model = mlp(64, widths, "sigmoid", dense(64, "sigmoid"))
    return Setup(model, x, x.astype(float), "mse", sgd(0.1), 64, 200)


def _decoder(act: str) -> Any:
    layers: list[Any] = [conv(8, act), lay().MaxPooling2D(), conv(16, act), lay().MaxPooling2D()]
    layers += [lay().Conv2DTranspose(8, 2, 2, activation=act)]
    layers += [lay().Conv2DTranspose(8, 2, 2, activation=act), conv(8, act)]
    return stack((12, 12, 1), [*layers, conv(1, "sigmoid", 1), lay().Flatten()])


def _gates() -> Setup:
    x, y = data.bundled("digits")
    h = entry = k().Input((64,))
    for _ in range(3):
        gate = lay().Dense(32, "sigmoid", bias_initializer=k().initializers.Constant(-6.0))(h)
        h = dense(32, "tanh")(h) * gate
    return Setup(k().Model(entry, dense(10, "softmax")(h)), x, y, "cce", sgd(0.1), 32, 250)


def _tiny_inputs() -> Setup:
    x, y = data.shapes()
    layers = [conv(8), lay().MaxPooling2D(), conv(8), lay().Flatten(), dense(32, "relu")]
    model = stack((12, 12, 1), [lay().Rescaling(1 / 255**2), *layers, dense(4, "softmax")])
    return Setup(model, x, y, "cce", sgd(0.01, 0.9), 32, 200)


def _tiny_embedding() -> Setup:
    x, y = data.reviews()
    layers = [lay().Embedding(500, 16, embeddings_initializer=normal(1e-3))]
    layers += [lay().GlobalAveragePooling1D()]
    layers += [dense(16, "tanh", normal(1e-3)) for _ in range(3)]
    return Setup(stack((20,), [*layers, dense(1, "sigmoid")]), x, y, "bce", sgd(0.1), 32, 250)


def _wide_deep() -> Setup:
    x, y = data.house()
    noise = data.rng(3).normal(0, 1, (len(y), 1)).astype("float32")
    deep, wide = k().Input((5,)), k().Input((1,))
    h = deep
    for _ in range(8):
        h = dense(16, "sigmoid")(h)
    out = dense(1)(lay().Concatenate()([h, wide]))
    return Setup(k().Model((deep, wide), out), (x, noise), y, "mse", sgd(0.02), 32, 250)


def _wrong_variance() -> Setup:
    x, y = data.bundled("digits")
    layers: list[Any] = []
    for _ in range(3):
        norm = lay().BatchNormalization(moving_variance_initializer=k().initializers.Constant(1e6))
        norm.trainable = False
        layers += [dense(32, None), norm, lay().Activation("relu")]
    return Setup(stack(64, [*layers, dense(10, "softmax")]), x, y, "cce", sgd(0.05), 32, 250)


def _dead(family: Family) -> None:
    sick = family.sick
    below = lambda b: {"bias_initializer": k().initializers.Constant(b)}
    sick(
        "bias-below-all",
        DEAD,
        "A bias of -8 from a copied checkpoint switches off each unit of the second ReLU layer",
        lambda: price(
            [dense(32, "relu"), dense(32, "relu", None, **below(-8.0)), dense(1)], adam(1e-3)
        ),
        1,
    )
    sick(
        "relu-after-zeros",
        NO_FLOW,
        "kernel_initializer='zeros' for every layer of a ReLU network",
        lambda: classify("digits", (32, 32), "relu", adam(1e-3), kernel=lambda: "zeros"),
        FIRST,
    )
    sick(
        "tanh-after-zeros",
        NO_FLOW,
        "All-zero tanh network for regression, head included: only the last bias ever moves",
        lambda: price(
            [dense(32, "tanh", "zeros"), dense(16, "tanh", "zeros"), dense(1, None, "zeros")],
            sgd(0.05),
        ),
    )
    sick(
        "relu-head-negative-target",
        DEAD,
        "ReLU kept on the output where all targets are below zero (log-returns, energies)",
        lambda: _negative_targets(),
        LAST,
    )
    sick(
        "kernels-below-zero",
        DEAD,
        "Weights started at -0.3 on non-negative pixels: no ReLU of the first layer fires",
        lambda: classify(
            "digits",
            (32, 32),
            "relu",
            sgd(0.05),
            scale=False,
            kernel=lambda: k().initializers.RandomUniform(-0.3, 0.0),
        ),
        FIRST,
    )
    sick(
        "bn-gamma-zero-twice",
        NO_FLOW,
        "gamma_initializer='zeros', right for the last norm of a residual branch, in a plain CNN",
        _gamma_zero,
    )
    sick(
        "negative-kernel-constraint",
        DEAD,
        "A sign error in a custom constraint keeps the kernels of a ReLU CNN below zero",
        _negative_cnn,
        FIRST,
    )
    sick(
        "activity-penalty",
        SHUT,
        "activity_regularizer=L1(1.0) on ReLU convolutions: silence is the cheapest activity",
        lambda: pictures(
            [conv(8, activity_regularizer=k().regularizers.L1(1.0)) for _ in range(3)], sgd(0.02)
        ),
    )
    sick(
        "threshold-relu",
        NO_FLOW,
        "ReLU(threshold=3) in three layers of standardised data: next to nothing passes",
        lambda: _threshold(),
    )
    sick(
        "inputs-minus-50",
        DEAD,
        "Outputs of a frozen, badly centred base minus 50 go into ReLUs",
        lambda: price(
            [
                hook(lambda z: z - 50.0),
                dense(32, "relu", k().initializers.RandomUniform(0.0, 0.3)),
                dense(16, "relu"),
                dense(1),
            ],
            adam(1e-3),
            steps=200,
        ),
        FIRST,
    )
    sick(
        "encoder-block-zero-mask",
        SHUT,
        "The padding mask multiplies the embeddings the wrong way round: real tokens become zero",
        _zero_mask,
    )


def _negative_targets() -> Setup:
    x, y = data.house()
    model = stack(5, [dense(32, "relu"), dense(1, "relu", k().initializers.RandomUniform(-0.3, 0))])
    return Setup(model, x, y - 6.0, "mse", sgd(0.01), 32, 200)


def _gamma_zero() -> Setup:
    layers: list[Any] = []
    for _ in range(3):
        norm = lay().BatchNormalization(gamma_initializer="zeros")
        layers += [conv(8, None, use_bias=False), norm, lay().ReLU()]
    return pictures(layers, adam(1e-3))


def _negative_cnn() -> Setup:
    keep = lambda: {"kernel_constraint": _BelowZero(), "kernel_initializer": "glorot_uniform"}
    x, y = data.shapes()
    x = x.clip(0.05, None)
    start = {"bias_initializer": k().initializers.Constant(-0.05)}
    layers = [conv(8, **keep(), **start), conv(8, **keep()), lay().Flatten()]
    model = stack((12, 12, 1), [*layers, dense(4, "softmax")])
    for layer in model.layers[:2]:
        layer.kernel.assign(-abs(layer.kernel.numpy()))
    return Setup(model, x, y, "cce", sgd(0.02), 32, 200)


class _BelowZero:
    """The constraint ``NonNeg`` with the sign turned round."""

    def __call__(self, w: Any) -> Any:
        return k().ops.minimum(w, 0.0)


def _threshold() -> Setup:
    layers: list[Any] = []
    for _ in range(3):
        layers += [dense(24), lay().ReLU(threshold=3.0)]
    return price([*layers, dense(1)], sgd(0.02))


def _zero_mask() -> Setup:
    x, y = data.reviews()
    entry = k().Input((20,), dtype="int32")
    h = lay().Embedding(500, 16)(entry)
    mask = hook(lambda t: k().ops.cast(t == 0, "float32")[..., None])(entry)
    model = encoder(16, 1, entry, h * mask, dense(1, "sigmoid"))
    return Setup(model, x, y, "bce", adam(1e-3), 32, 150)
