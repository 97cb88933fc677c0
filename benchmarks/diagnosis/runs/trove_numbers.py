"""Runs of the ``T-`` part in which numbers grow too large, or are no numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.diagnosis.runs import trove_data as data
from benchmarks.diagnosis.runs.base import BLOWN, FIRST, NO_FLOW, NONFINITE, Family, Setup
from benchmarks.diagnosis.runs.models import adam, dense, k, normal, sgd, stack
from benchmarks.diagnosis.runs.trove_models import (
    classify,
    conv,
    hook,
    lay,
    mlp,
    own,
    pictures,
    price,
)


def runs() -> list[Any]:
    family = Family("T-")
    _broken(family)
    _grown(family)
    return family.runs


def _broken(family: Family) -> None:
    sick = family.sick
    sick(
        "nan-in-cells",
        NONFINITE,
        "Missing values read as NaN in one cell of 200",
        _missing,
    )
    sick(
        "ratio-feature",
        NONFINITE,
        "A feature area / rooms where some rows have zero rooms",
        _ratio,
    )
    sick(
        "log-target",
        NONFINITE,
        "Targets put through a logarithm, some of them zero sales",
        lambda: _log_target(),
    )
    sick(
        "rmsle-negative",
        NONFINITE,
        "Log error of a linear model, whose predictions may go below -1",
        lambda: _rmsle(),
    )
    sick(
        "log-by-hand",
        NONFINITE,
        "-sum(y log p) of a softmax by hand, at a rate that lets a probability underflow",
        lambda: classify("digits", (64,), "relu", sgd(3.0), loss="nll"),
    )
    sick(
        "distance-of-twins",
        NONFINITE,
        "Euclidean distance in a siamese net, duplicates labelled as different: sqrt at zero",
        _twins,
    )
    sick(
        "constant-column",
        NONFINITE,
        "Columns divided by their standard deviation in the batch, one is constant",
        _constant_column,
    )
    sick(
        "masked-row-softmax",
        NONFINITE,
        "-inf for padding in attention scores, and sentences that are all padding",
        _masked,
    )
    sick(
        "power-of-negative",
        NONFINITE,
        "Trained exponents on features that may be negative",
        lambda: price([dense(8), own().Power(), dense(1)], adam(1e-3), steps=150),
    )
    sick(
        "softmax-by-hand",
        NONFINITE,
        "exp(x) / sum(exp(x)) on raw features of hundreds",
        lambda: _hand_softmax(),
    )
    sick(
        "percentage-of-zero",
        NONFINITE,
        "Percentage error with targets that can be zero",
        lambda: _percentage(),
    )
    sick(
        "raw-variance",
        NONFINITE,
        "A Gaussian likelihood whose predicted variance may be negative",
        lambda: _variance(),
    )
    sick(
        "class-weight-inf",
        NONFINITE,
        "Weights of one over the frequency of a class that is not in the data",
        lambda: _weights(),
    )
    sick(
        "cosine-of-zero",
        NONFINITE,
        "Cosine similarity of ReLU outputs by hand; empty rows have no direction",
        _cosine,
    )
    sick(
        "half-precision-overflow",
        BLOWN,
        "float16 for a squared error of targets near 400: 65504 is the largest number",
        _half,
    )
    sick(
        "half-precision-underflow",
        NO_FLOW,
        "float16 without a loss scale, the loss divided by 1e7: gradients round to zero",
        _half_small,
    )


def _missing() -> Setup:
    x, y = data.bundled("breast_cancer")
    x[data.rng().random(x.shape) < 0.005] = np.nan
    model = mlp(30, (24, 12), "relu", dense(1, "sigmoid"))
    return Setup(model, x, y, "bce", adam(1e-3), 32, 120)


def _ratio() -> Setup:
    x, y = data.house(raw=True)
    rooms = np.where(data.rng().random(len(x)) < 0.02, 0, x[:, 1])
    with np.errstate(divide="ignore"):
        extra = x[:, :1] / rooms[:, None]
    x = np.concatenate([(x - x.mean(0)) / x.std(0), extra / 30], 1).astype("float32")
    return Setup(mlp(6, (24,), "tanh", dense(1)), x, y, "mse", adam(1e-3), 32, 120)


def _log_target() -> Setup:
    x, y = data.counts()
    with np.errstate(divide="ignore"):
        y = np.log(y)
    return Setup(mlp(6, (24,), "relu", dense(1)), x, y, "mse", sgd(0.01), 32, 120, baseline=1.0)


def _rmsle() -> Setup:
    x, y = data.counts()
    loss = own().rmsle
    model = stack(6, [dense(1, None, normal(1.0))])
    return Setup(model, x, y, loss, adam(5e-3), 32, 150, baseline=0.6)


def _siamese(x: Any, y: np.ndarray, compare: Any, loss: Any, opt: Any, **more: Any) -> Setup:
    one, two = k().Input((10,)), k().Input((10,))
    trunk = stack(10, [dense(16, "relu"), dense(8, more.pop("act", None))])
    out = hook(compare)(lay().Subtract()([trunk(one), trunk(two)]))
    return Setup(k().Model((one, two), out), x, y, loss, opt, 32, 150, **more)


def _twins() -> Setup:
    (left, right), y = data.pairs()
    same = np.flatnonzero(data.rng().random(len(y)) < 0.02)
    right[same], y[same] = left[same], 0.0
    root = lambda d: k().ops.sqrt(k().ops.sum(d * d, -1, keepdims=True))
    loss = own().contrastive
    return _siamese((left, right), y, root, loss, adam(1e-3), baseline=0.25)


def _constant_column() -> Setup:
    x, y = data.bundled("digits", scale=False)
    ops = k().ops
    layer = hook(lambda z: (z - ops.mean(z, 0)) / ops.std(z, 0))
    return Setup(
        stack(64, [layer, dense(32, "relu"), dense(10, "softmax")]),
        x,
        y,
        "cce",
        adam(1e-3),
        64,
        100,
    )


def _masked() -> Setup:
    x, y = data.reviews(length=12)
    x[data.rng().random(len(x)) < 0.02] = 0
    entry = k().Input((12,), dtype="int32")
    ops, h = k().ops, lay().Embedding(500, 16)(entry)
    hide = hook(lambda t: ops.where(t == 0, -np.inf, 0.0))(entry)
    weight = hook(lambda s: ops.softmax(s))(dense(1)(h)[..., 0] + hide)
    model = k().Model(entry, dense(1, "sigmoid")(ops.sum(h * weight[..., None], 1)))
    return Setup(model, x, y, "bce", adam(1e-3), 32, 120)


def _hand_softmax() -> Setup:
    x, y = data.bundled("wine", scale=False)
    ops = k().ops
    by_hand = hook(lambda z: ops.exp(z) / ops.sum(ops.exp(z), -1, keepdims=True))
    return Setup(stack(13, [dense(16, "relu"), dense(3), by_hand]), x, y, "cce", adam(), 32, 120)


def _percentage() -> Setup:
    x, y = data.counts()
    loss = own().percentage
    return Setup(mlp(6, (24,), "relu", dense(1)), x, y, loss, adam(), 32, 120, baseline=70.0)


def _variance() -> Setup:
    x, y = data.curve()
    loss = own().gaussian_variance
    return Setup(mlp(1, (24,), "tanh", dense(2)), x, y, loss, adam(), 32, 120, baseline=0.25)


def _weights() -> Setup:
    x, y = data.bundled("iris")
    y = np.concatenate([y, np.zeros((len(y), 1))], 1)
    with np.errstate(divide="ignore"):
        weights = (1 / y.mean(0)).astype("float32")

    def loss(y: Any, p: Any) -> Any:
        return -k().ops.sum(weights * y * k().ops.log(p + 1e-7), -1)

    model = mlp(4, (16,), "relu", dense(4, "softmax"))
    return Setup(model, x, y, loss, adam(1e-3), 32, 100, baseline=3.3)


def _cosine() -> Setup:
    (left, right), y = data.pairs()
    ops = k().ops
    one, two = k().Input((10,)), k().Input((10,))
    trunk = stack(10, [dense(12, "relu"), dense(4, "relu")])
    size = lambda z: ops.sqrt(ops.sum(z * z, -1, keepdims=True))
    both = lambda ab: ops.sum(ab[0] * ab[1], -1, keepdims=True) / (size(ab[0]) * size(ab[1]))
    out = dense(1, "sigmoid")(hook(both)([trunk(one), trunk(two)]))
    return Setup(k().Model((one, two), out), (left, right), y, "bce", adam(1e-3), 32, 120)


def _half() -> Setup:
    x, y = data.house()
    square = lambda a, b: k().ops.mean(k().ops.square(k().ops.cast(a, "float16") - b), -1)
    layers = [lay().Dense(16, "relu", dtype="mixed_float16") for _ in range(2)]
    model = stack(5, [*layers, lay().Dense(1, dtype="mixed_float16")])
    return Setup(model, x, y * 40 + 400, square, sgd(1e-3), 32, 120, baseline=1600.0)


def _half_small() -> Setup:
    x, y = data.house()
    square = lambda a, b: k().ops.mean(k().ops.square(k().ops.cast(a, "float16") - b), -1)
    layers = [lay().Dense(16, "relu", dtype="mixed_float16") for _ in range(3)]
    model = stack(5, [*layers, lay().Dense(1, dtype="mixed_float16")])
    return Setup(model, x, 5 * y, square, sgd(0.05), 32, 120, factor=1e-7, baseline=25e-7)


def _grown(family: Family) -> None:
    sick = family.sick
    sick(
        "rnn-relu-gain-1.7",
        BLOWN,
        "A ReLU recurrence whose kernel is 1.7 times orthogonal, over 40 steps",
        lambda: _forecast(lambda o: lay().SimpleRNN(16, "relu", recurrent_initializer=o), 1.7),
        FIRST,
    )
    sick(
        "rnn-linear-gain-1.4",
        BLOWN,
        "A linear recurrence of gain 1.4, over 40 steps",
        lambda: _forecast(lambda o: lay().SimpleRNN(16, None, recurrent_initializer=o), 1.4),
        FIRST,
    )
    sick(
        "relu-init-std-1",
        BLOWN,
        "RandomNormal with the standard deviation of 1 that NumPy users are used to, six layers",
        lambda: price([*(dense(48, "relu", normal(1.0)) for _ in range(6)), dense(1)], sgd(1e-3)),
    )
    sick(
        "residual-doubling",
        BLOWN,
        "Forty residual branches that are summed up without norm or scale",
        _doubling,
    )
    sick(
        "exp-activation",
        BLOWN,
        "exp as an activation on unscaled features",
        lambda: price(
            [lay().Rescaling(0.05), dense(16, "exponential"), dense(1)], sgd(1e-3), raw=True
        ),
    )
    sick(
        "polynomial-features",
        BLOWN,
        "Powers of a feature up to seven, not scaled, and SGD",
        _polynomial,
    )
    sick(
        "poisson-log-rate",
        BLOWN,
        "exp(prediction) in a Poisson loss of raw features",
        lambda: _log_rate(),
    )
    sick(
        "vae-log-variance",
        BLOWN,
        "exp of a log-variance that nothing bounds, pixels of 0 to 255",
        _vae,
    )
    sick(
        "conv-he-times-4",
        BLOWN,
        "Kernels of four times He's scale in seven convolutions, from fan_in counted per channel",
        lambda: pictures(
            [conv(16, kernel_initializer=k().initializers.VarianceScaling(32.0)) for _ in range(7)],
            sgd(0.01),
        ),
    )


def _forecast(layer: Any, gain: float) -> Setup:
    x, y = data.sales(window=40)
    recurrent = layer(k().initializers.Orthogonal(gain))
    return Setup(stack((40, 1), [recurrent, dense(1)]), x, y, "mse", sgd(0.01), 32, 150)


def _doubling() -> Setup:
    x, y = data.house()
    h = entry = k().Input((5,))
    h = dense(24)(h)
    for _ in range(40):
        h = h + dense(24, None, "glorot_normal")(dense(24, "relu", "he_normal")(h))
    return Setup(k().Model(entry, dense(1)(h)), x, y, "mse", sgd(1e-3), 32, 120)


def _polynomial() -> Setup:
    x, y = data.curve()
    x = (3 * x) ** np.arange(1, 8)
    return Setup(stack(7, [dense(1)]), x.astype("float32"), y, "mse", sgd(0.01), 32, 150)


def _log_rate() -> Setup:
    x, y = data.counts()
    model = stack(6, [dense(16, "relu"), dense(1)])
    return Setup(model, x * 30, y, own().poisson, sgd(0.01), 32, 150, baseline=1.76)


def _vae() -> Setup:
    x, _ = data.bundled("digits", scale=False)
    x = x * 16
    layers = [dense(32, "relu"), dense(8), own().Sample(1.0), dense(32, "relu"), dense(64)]
    return Setup(stack(64, layers), x, x.astype(float), "mse", adam(1e-3), 64, 150)
