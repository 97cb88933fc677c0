"""Runs of the ``T-`` part whose gradient is cut off, or whose head does not fit the loss."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.diagnosis.runs import trove_data as data
from benchmarks.diagnosis.runs.base import FIRST, LAST, NO_FLOW, SHUT, STALLED, Family, Setup
from benchmarks.diagnosis.runs.models import adam, dense, k, normal, sgd, stack
from benchmarks.diagnosis.runs.trove_models import classify, hook, lay, own, pictures, price


def runs() -> list[Any]:
    family = Family("T-")
    _cut(family)
    _heads(family)
    _saturated(family)
    return family.runs


def _cut(family: Family) -> None:
    sick = family.sick
    ops = lambda: k().ops
    sick(
        "stop-gradient",
        SHUT,
        "stop_gradient left behind after debugging, between a bottleneck of two and the head",
        lambda: _bottleneck(lambda z: ops().stop_gradient(z)),
    )
    sick(
        "round",
        SHUT,
        "A quantiser of plain tf.round in a bottleneck, without a straight-through estimator",
        lambda: _bottleneck(lambda z: ops().round(z)),
    )
    sick(
        "sign",
        SHUT,
        "Binarised activations by tf.sign, whose gradient is zero everywhere",
        lambda: _bottleneck(lambda z: ops().sign(z)),
    )
    sick(
        "hard-attention",
        SHUT,
        "One-hot of an argmax picks the token to read; nothing tells the scores where to look",
        _hard_attention,
    )
    sick(
        "clipped-output",
        SHUT,
        "tf.clip_by_value(prediction, 0, 1) kept from another task, targets around 30",
        lambda: _clipped(),
    )
    sick(
        "trained-on-error-rate",
        SHUT,
        "The metric used as the loss: rounding leaves the L2 penalty as the only gradient",
        _error_rate,
    )
    sick(
        "norm-of-one-feature",
        SHUT,
        "LayerNormalization over an axis of size one gives zero whatever comes in",
        lambda: price([dense(16, "tanh"), dense(1), lay().LayerNormalization(), dense(1)], adam()),
    )
    sick(
        "instance-norm-of-vectors",
        SHUT,
        "GroupNormalization with as many groups as channels on vectors: each is its own mean",
        lambda: price(
            [dense(16), lay().GroupNormalization(16), lay().ReLU(), dense(16, "relu"), dense(1)],
            adam(),
        ),
    )
    sick(
        "batch-norm-one-row",
        SHUT,
        "BatchNormalization behind dense layers, fed rows one by one",
        lambda: price(
            [dense(16), lay().BatchNormalization(), lay().ReLU(), dense(1)],
            sgd(0.005),
            batch=1,
            steps=400,
        ),
    )
    sick(
        "dropout-0.97",
        SHUT,
        "Rate and keep probability mixed up: Dropout(0.97) in three layers",
        lambda: _dropped(),
    )
    sick(
        "max-norm-tiny",
        SHUT,
        "MaxNorm(0.01) on every kernel, meant as 1.0",
        lambda: _constrained(),
    )
    sick(
        "softmax-times-1e4",
        SHUT,
        "Scores of all rows multiplied by 1e4 before the softmax over places: one-hot, arbitrary",
        _hot_softmax,
    )
    sick(
        "all-frozen-but-bias",
        SHUT,
        "The loop that freezes a base froze the new head as well; one scale and shift remain",
        _frozen,
    )
    sick(
        "wrong-branch-frozen",
        SHUT,
        "The input that matters feeds a stop_gradient of width one, the other is noise",
        _wrong_branch,
    )


def _bottleneck(function: Any, classes: str = "digits") -> Setup:
    x, y = data.bundled(classes)
    layers = [dense(32, "tanh"), dense(1, None), hook(function), dense(16, "tanh")]
    return Setup(stack(x.shape[1], [*layers, dense(10, "softmax")]), x, y, "cce", sgd(0.02), 32)


def _hard_attention() -> Setup:
    x, y = data.lookup()
    entry = k().Input(x.shape[1:])
    asked = dense(16, "tanh")(entry[:, -1])
    scores = k().ops.sum(dense(16)(entry) * asked[:, None], -1)
    pick = hook(lambda s: k().ops.one_hot(k().ops.argmax(s, -1), x.shape[1]))(scores)
    read = k().ops.sum(entry * pick[..., None], 1)
    return Setup(k().Model(entry, dense(4, "softmax")(read)), x, y, "cce", adam(), 32, 250)


def _clipped() -> Setup:
    x, y = data.house()
    clip = hook(lambda z: k().ops.clip(z, 0.0, 1.0))
    model = stack(5, [dense(32, "relu"), dense(1), clip])
    return Setup(model, x, 30 + 8 * y, "mse", adam(), 32, 250)


def _error_rate() -> Setup:
    x, y = data.rare(0.5)
    reg = k().regularizers.L2(1e-3)
    layers = [dense(16, "relu", None, kernel_regularizer=reg), dense(1, "sigmoid")]
    loss = own().error_rate
    return Setup(stack(12, layers), x, y, loss, adam(), 32, 200, baseline=0.5)


def _dropped() -> Setup:
    x, y = data.bundled("digits")
    layers: list[Any] = []
    for _ in range(3):
        layers += [dense(32, "relu"), lay().Dropout(0.97)]
    return Setup(stack(64, [*layers, dense(10, "softmax")]), x, y, "cce", adam(), 32, 250)


def _constrained() -> Setup:
    x, y = data.bundled("digits")
    keep = lambda: {"kernel_constraint": k().constraints.MaxNorm(0.01)}
    layers = [dense(32, "relu", None, **keep()) for _ in range(2)]
    model = stack(64, [*layers, dense(10, "softmax", None, **keep())])
    return Setup(model, x, y, "cce", adam(), 32, 250)


def _hot_softmax() -> Setup:
    x, y = data.lookup()
    entry = k().Input(x.shape[1:])
    asked = dense(16)(entry[:, -1])
    scores = 1e4 * k().ops.sum(dense(16)(entry) * asked[:, None], -1)
    read = k().ops.sum(entry * k().ops.softmax(scores)[..., None], 1)
    return Setup(k().Model(entry, dense(4, "softmax")(read)), x, y, "cce", adam(), 32, 250)


def _frozen() -> Setup:
    x, y = data.bundled("digits")
    layers = [dense(32, "relu"), dense(10), lay().BatchNormalization(), lay().Softmax()]
    model = stack(64, layers)
    for layer in model.layers[:2]:
        layer.trainable = False
    return Setup(model, x, y, "cce", sgd(0.05), 32, 200)


def _wrong_branch() -> Setup:
    x, y = data.bundled("breast_cancer")
    noise = data.rng(5).normal(0, 1, (len(y), 8)).astype("float32")
    one, two = k().Input((30,)), k().Input((8,))
    z = dense(1, "tanh", normal(0.001))(dense(8, "tanh")(one))
    h = lay().Concatenate()([hook(lambda t: k().ops.stop_gradient(t))(z), dense(8, "tanh")(two)])
    model = k().Model((one, two), dense(1, "sigmoid")(h))
    return Setup(model, (x, noise), y, "bce", sgd(0.05), 32, 250)


def _heads(family: Family) -> None:
    sick = family.sick
    sick(
        "softmax-over-one",
        SHUT,
        "Dense(1, 'softmax') with binary cross-entropy, a daily question on Stack Overflow",
        lambda: _binary(dense(1, "softmax")),
        LAST,
    )
    sick(
        "sigmoid-as-logits",
        SHUT,
        "from_logits=True on a sigmoid, one positive in 25: 0.5 is the least it can say",
        lambda: _binary(dense(1, "sigmoid"), loss="bce+logits", share=0.04),
    )
    sick(
        "logits-as-probabilities",
        SHUT,
        "A linear output into a cross-entropy that clips it to (0, 1), targets mostly zero",
        lambda: _binary(dense(1, None, normal(1.0)), share=0.3, opt=sgd(0.05)),
    )
    sick(
        "relu-into-cross-entropy",
        SHUT,
        "ReLU as the last activation of a binary classifier",
        lambda: _binary(dense(1, "relu"), opt=sgd(0.1)),
    )
    sick(
        "tanh-head-prices",
        SHUT,
        "tanh on the output of a regression of prices in thousands",
        lambda: price([dense(32, "relu"), dense(1, "tanh")], adam(0.01), times=300.0, steps=200),
        LAST,
    )
    sick(
        "sigmoid-head-ages",
        SHUT,
        "A sigmoid output for ages in years",
        lambda: _ages(),
        LAST,
    )
    sick(
        "softmax-regression",
        STALLED + NO_FLOW,
        "A softmax over five outputs for five targets that do not add up to one",
        _softmax_regression,
    )
    sick(
        "sigmoid-of-class-numbers",
        SHUT,
        "Class numbers 0 to 9 as one target of a sigmoid and a squared error",
        _class_numbers,
        LAST,
    )
    sick(
        "tags-softmax-as-logits",
        SHUT,
        "Multi-label tags: softmax over 8, then binary cross-entropy from logits",
        _tags,
    )
    sick(
        "softmax-twice-many",
        (*SHUT, "slow"),
        "Softmax in the model, and once more in the loss, for a vocabulary of 200 next words",
        _softmax_twice,
    )


def _binary(head: Any, loss: str = "bce", share: float = 0.5, opt: Any = None) -> Setup:
    """``strip``: else Keras finds the logits behind the activation, and there is no fault."""
    x, y = data.rare(share)
    model = stack(12, [dense(24, "relu"), head])
    return Setup(model, x, y, loss, opt or adam(), 32, 200, strip=True)


def _ages() -> Setup:
    x, y = data.house()
    model = stack(5, [dense(24, "tanh"), dense(1, "sigmoid")])
    return Setup(model, x, 42 + 11 * y, "mae", sgd(0.05), 32, 200)


def _softmax_regression() -> Setup:
    x, _ = data.tags()
    y = x @ data.rng(2).normal(0, 1, (20, 5)) * 3 + 6
    model = stack(20, [dense(32, "relu"), dense(5, "softmax")])
    return Setup(model, x, y, "mse", adam(), 32, 200)


def _class_numbers() -> Setup:
    x, y = data.bundled("digits")
    model = stack(64, [dense(32, "relu"), dense(1, "sigmoid")])
    return Setup(model, x, y.argmax(1)[:, None].astype(float), "mse", adam(), 32, 200)


def _tags() -> Setup:
    x, y = data.tags()
    model = stack(20, [dense(32, "relu"), dense(8, "softmax")])
    return Setup(model, x, y, "bce+logits", adam(0.005), 32, 250, strip=True)


def _softmax_twice() -> Setup:
    r = data.rng()
    x = r.integers(0, 200, (900, 4)).astype("int32")
    y = np.eye(200)[(x[:, 0] + x[:, 1]) // 2 % 200]
    layers = [lay().Embedding(200, 16), lay().Flatten(), dense(32, "relu"), dense(200, "softmax")]
    return Setup(stack((4,), layers), x, y, "cce+logits", adam(), 32, 200, strip=True)


def _saturated(family: Family) -> None:
    sick = family.sick
    sick(
        "tanh-raw-features",
        SHUT,
        "Unscaled house features (years, metres) into two layers of tanh",
        lambda: price([dense(6, "tanh"), dense(6, "tanh"), dense(1)], sgd(0.01), raw=True),
        FIRST,
    )
    sick(
        "normal-init-std-4",
        SHUT,
        "RandomNormal(stddev=4) for a sigmoid network on spirals",
        lambda: _spirals([dense(12, "sigmoid", normal(4.0)) for _ in range(5)], sgd(0.05)),
    )
    sick(
        "constant-init-half",
        SHUT,
        "Constant kernels of 0.5 over 64 pixels: all units saturate, and all are the same",
        lambda: classify(
            "digits",
            (24, 24, 24),
            "tanh",
            sgd(0.05),
            scale=False,
            kernel=lambda: k().initializers.Constant(0.5),
        ),
    )
    sick(
        "lstm-raw-sales",
        SHUT,
        "An LSTM on unscaled sales (thousands) that forecasts in thousands: all gates saturate",
        _raw_lstm,
    )
    sick(
        "rnn-kernel-10",
        SHUT,
        "Input kernel of a SimpleRNN drawn with a standard deviation of 10",
        _hot_rnn,
        FIRST,
    )
    sick(
        "images-0-255-sigmoid",
        SHUT,
        "Pixels of 0 to 255 into convolutions with sigmoid",
        _raw_pixels,
    )


def _spirals(layers: list[Any], opt: Any) -> Setup:
    x, y = data.spirals()
    return Setup(stack(2, [*layers, dense(1, "sigmoid")]), x, y, "bce", opt, 32, 250)


def _raw_lstm() -> Setup:
    x, y = data.sales(raw=True)
    model = stack((24, 1), [lay().LSTM(8, kernel_initializer=normal(0.1)), dense(1)])
    return Setup(model, x, y, "mae", adam(0.01), 32, 200)


def _hot_rnn() -> Setup:
    x, y = data.recall(25)
    layer = lay().SimpleRNN(16, kernel_initializer=normal(10.0))
    return Setup(stack((25, 3), [layer, dense(1, "sigmoid")]), x, y, "bce", sgd(0.02), 32, 200)


def _raw_pixels() -> Setup:
    conv = lambda: lay().Conv2D(8, 3, activation="sigmoid", padding="same")
    setup = pictures([conv(), conv(), conv()], sgd(0.02))
    setup.x = ((setup.x + 1) * 100).clip(0, 255).round()
    return setup
