"""Faults of Stack Overflow posts, by number (DeepLocalize, DeepFD): section B of the corpus.

Left out are the rows whose post says too little to rebuild anything (B20 and B22).  Rows that need
a file or MNIST have a stand-in: digits, or a synthetic set of the same kind.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.diagnosis.runs.base import (
    BLOWN,
    DEAD,
    FIRST,
    HEALTHY,
    KILLED,
    LAST,
    NO_FLOW,
    SHUT,
    SLOW,
    VANISHING,
    Family,
    Setup,
)
from benchmarks.diagnosis.runs.data import digits, table
from benchmarks.diagnosis.runs.models import (
    adam,
    dense,
    dig,
    k,
    normal,
    sgd,
    stack,
    uniform,
)


def parabola(rate: float) -> Setup:
    rng = np.random.default_rng(0)
    x = np.arange(0, 5, 0.1)[:, None]
    y = 5 * x**2 + rng.normal(0, 1, x.shape) ** 3
    layers = [dense(50, "relu", uniform), dense(30, "relu", uniform), dense(1, None, uniform)]
    return Setup(stack(1, layers), x.astype("float32"), y, "mse", sgd(rate), 32, 400)


def wave(*, scaled: bool) -> Setup:
    x = np.arange(-100, 100, 0.5)[:, None]
    y = np.sin(x / 20) * 50 + x
    if scaled:
        x, y = (x - x.mean()) / x.std(), (y - y.mean()) / y.std()
    layers = [dense(50, "sigmoid"), dense(50, "elu"), dense(1)]
    return Setup(stack(1, layers), x.astype("float32"), y, "mse", adam(), 400, 600)


def line(rate: float, *, bias: bool, steps: int = 100) -> Setup:
    x = np.stack([np.arange(100.0), np.ones(100)], 1)
    y = 2 * x[:, :1] + 4 + np.random.default_rng(0).normal(0, 1, (100, 1))
    layers = [dense(1, use_bias=bias)]
    return Setup(stack(2, layers), x.astype("float32"), y, "half-mse", sgd(rate), 100, steps)


def one_unit(head: str) -> Setup:
    x = np.repeat([[1.0], [0.0]], 64, 0) * np.ones((1, 128))
    y = np.repeat([[1.0], [0.0]], 64, 0)
    drop = k().layers.Dropout
    layers = [dense(50, "relu"), drop(0.2), dense(50, "relu"), drop(0.2), dense(1, head)]
    opt = k().optimizers.RMSprop(1e-3)
    model = stack(128, layers)
    return Setup(model, x.astype("float32"), y, "bce", opt, 8, 150, strip=head == "softmax")


def xor(post: str) -> Setup:
    x = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], "float32")
    y = np.array([[0], [1], [1], [0]], float)
    if post == "31556268":
        layers = [dense(4, "sigmoid"), dense(1, "sigmoid")]
        opt = sgd(0.05, 0.11, nesterov=True)
        return Setup(stack(2, layers), x, y, "mae", opt, 4, 600)
    head = dense(1, "softmax", uniform)
    layers = [dense(2, "sigmoid", uniform), dense(3, "sigmoid", uniform), head]
    x, y = np.concatenate([x, x[1:3]]), np.concatenate([y, y[1:3]])
    return Setup(stack(2, layers), x, y, "mse", sgd(1e-3, 0.9, nesterov=True), 6, 200)


def bits() -> Setup:
    x = ((np.arange(256)[:, None] >> np.arange(8)) & 1).astype("float32")
    y = x[np.random.default_rng(0).permutation(256)]
    layers = [dense(8, "sigmoid", normal(0.05)) for _ in range(3)]
    return Setup(stack(8, layers), x, y.astype(float), "mse", sgd(0.01), 50, 500)


def sums() -> Setup:
    """Three inputs up to 10,000, and a softmax over one unit for a sum of them."""
    x = np.random.default_rng(0).uniform(0, 1e4, (500, 3))
    y = 2 * x[:, :1] + x[:, 1:2] + 0.5 * x[:, 2:] + 2.2
    drop = k().layers.Dropout
    layers = [dense(3, "tanh", uniform), drop(0.2), dense(2, "tanh", uniform), drop(0.2)]
    model = stack(3, [*layers, dense(1, "softmax", uniform)])
    return Setup(model, x.astype("float32"), y, "mse", sgd(0.1, 0.9), 32, 200)


def unbounded(head: str | None) -> Setup:
    """A straight line up to 100, and a head that ends at 1."""
    x = np.linspace(0, 100, 300)[:, None]
    y = 0.9 * x + np.random.default_rng(0).normal(0, 2, x.shape)
    model = stack(1, [dense(5, "sigmoid"), dense(1, head)])
    return Setup(model, x.astype("float32"), y, "mse", sgd(0.01), 32, 300)


def multilabel() -> Setup:
    from sklearn.datasets import make_multilabel_classification

    x, y = make_multilabel_classification(3000, 20, n_classes=3, random_state=0)[:2]
    drop = k().layers.Dropout
    layers = [dense(20, "relu"), drop(0.5), dense(20, "relu"), drop(0.5), dense(3, "softmax")]
    model = stack(20, layers)
    return Setup(model, x.astype("float32"), y.astype(float), "mse", sgd(0.01), 20, 300)


def two_ranges(rate: float) -> Setup:
    rng = np.random.default_rng(0)
    x = np.concatenate([rng.uniform(0, 0.5, (250, 1)), rng.uniform(0.5, 1, (250, 1))])
    y = np.eye(2)[np.repeat([0, 1], 250)]
    model = stack(1, [dense(2, "sigmoid"), dense(2, "softmax")])
    return Setup(model, x.astype("float32"), y, "cce", adam(rate), 32, 80)


def random_bits(head: str) -> Setup:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(500, 10))
    y = (x[:, :1] + x[:, 1:2] > 0).astype(float)
    model = stack(10, [dense(60, "relu"), dense(50, "relu"), dense(1, head)])
    return Setup(model, x.astype("float32"), y, "bce", adam(), 32, 200, strip=head == "softmax")


def survival() -> Setup:
    x, y = table("breast_cancer")
    model = stack(30, [dense(1, "sigmoid", normal(0.05)), dense(1, "softmax", normal(0.05))])
    return Setup(model, x, y, "mae", k().optimizers.RMSprop(1e-3), 200, 100)


def iris() -> Setup:
    x, y = table("iris", scale=False)
    model = stack(4, [dense(4, "relu", normal(0.05)), dense(3, "sigmoid", normal(0.05))])
    return Setup(model, x, y, "cce", adam(), 5, 400)


def linear_digits() -> Setup:
    wide = {"kernel_initializer": normal(1.0), "bias_initializer": normal(1.0)}
    layers = [k().layers.Dense(30, None, **wide), k().layers.Dense(10, None, **wide)]
    x, y = digits()
    return Setup(stack(64, layers), x, y, "mse", sgd(3.0), 10, 150)


def relu_head() -> Setup:
    layers = [k().layers.Reshape((8, 8, 1)), k().layers.Conv2D(16, 3, activation="relu")]
    layers += [k().layers.MaxPooling2D(), k().layers.Flatten(), dense(64, "relu")]
    return dig(lambda: stack(64, [*layers, dense(10, "relu")]), sgd(0.05), steps=250)


def raw_digits() -> Setup:
    x, y = digits()
    hidden = dense(128, "relu", kernel_regularizer=k().regularizers.L2(0.01))
    return Setup(stack(64, [hidden, dense(10, "sigmoid")]), x * 255, y, "cce", sgd(0.01), 64, 250)


def raw_regression() -> Setup:
    rng = np.random.default_rng(0)
    x = rng.uniform(0, 1000, (400, 5))
    y = x @ rng.uniform(0, 2, (5, 1)) + rng.normal(0, 20, (400, 1))
    model = stack(5, [dense(16, "relu"), dense(1)])
    return Setup(model, x.astype("float32"), y, "mse", sgd(0.01), 32, 100)


def tall() -> Setup:
    rng = np.random.default_rng(0)
    x = rng.uniform(0, 1000, (600, 6))
    y = np.sin(x[:, :1] / 100) * 50 + x[:, 1:2]
    layers = [dense(10, "tanh"), dense(90, "tanh"), *[dense(10, "relu") for _ in range(9)]]
    model = stack(6, [*layers, dense(1)])
    return Setup(model, x.astype("float32"), y, "mse", adam(), 32, 300)


def creeping() -> Setup:
    """Targets around 100 with steps of 1e-3."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(400, 4))
    y = 100 + 30 * x[:, :1] + rng.normal(0, 3, (400, 1))
    model = stack(4, [dense(8, "tanh"), dense(1)])
    return Setup(model, x.astype("float32"), y, "mse", k().optimizers.RMSprop(1e-3), 32, 300)


def narrow_binary() -> Setup:
    x, y = table("breast_cancer")
    layers = [dense(2, "relu", uniform), dense(2, "relu", uniform), dense(1, "sigmoid", uniform)]
    return Setup(stack(30, layers), x, y, "bce", adam(), 2, 1000)


def runs() -> list[Any]:
    """Rows B1 to B23."""
    family = Family()
    add = family.add
    add("SO-34311586", DEAD, lambda: xor("34311586"), source="B2", first_sick=LAST)
    add("SO-31880720", DEAD, lambda: one_unit("softmax"), source="B6", first_sick=LAST)
    add("SO-39217567", VANISHING, bits, source="B3", first_sick=FIRST)
    add("SO-48934338", KILLED, lambda: parabola(0.1), source="B4")
    add("SO-58609115like", BLOWN, lambda: line(0.01, bias=True), source="B12")
    add("SO-31556268", SLOW, lambda: xor("31556268"), source="B1, learning rate and loss")
    add("SO-52800582", (*SHUT, "slow"), lambda: wave(scaled=False), source="B5", first_sick=FIRST)
    add("SO-48934338-fix", HEALTHY, lambda: parabola(1e-3), source="B4")
    add("SO-52800582-fix", HEALTHY, lambda: wave(scaled=True), source="B5")
    add("SO-31880720-fix", HEALTHY, lambda: one_unit("sigmoid"), source="B6")
    later(functools.partial(add, later=True))
    return family.runs


def later(add: Callable[..., None]) -> None:
    """Rows that were rebuilt together with the hold-out part.

    The gradient behind a softmax over one unit is zero by mathematics; TensorFlow has what rounding
    leaves (about 1e-7 of it), except through its own cross-entropies.
    """
    add("SO-33969059", NO_FLOW, sums, source="B7", first_sick=LAST)
    add("SO-48221692", SHUT, lambda: unbounded("sigmoid"), source="B8", first_sick=LAST)
    add("SO-38648195", SLOW, multilabel, source="B9, softmax for several labels")
    add("SO-50306988", SLOW, lambda: two_ranges(1e-3), source="B10")
    add("SO-50306988-fix", HEALTHY, lambda: two_ranges(1e-1), source="B10")
    add("SO-45337371", DEAD, lambda: random_bits("softmax"), source="B11", first_sick=LAST)
    add("SO-45337371-fix", HEALTHY, lambda: random_bits("sigmoid"), source="B11")
    add("SO-45442843", NO_FLOW, survival, source="B13", first_sick=LAST)
    add("SO-51930566", None, iris, source="B14, sigmoid before cross-entropy, not scaled")
    add("SO-48385830", BLOWN, linear_digits, source="B15 on digits")
    add("SO-47352366", KILLED, relu_head, source="B16 on digits", first_sick=LAST)
    add("SO-55328966", KILLED, raw_digits, source="B17 on digits")
    add("SO-46642627", BLOWN, raw_regression, source="B18")
    add("SO-46995209", (*SHUT, "slow"), tall, source="B19")
    add("SO-51181393", SLOW, creeping, source="B21")
    add("SO-41372874", HEALTHY, narrow_binary, source="B23: nothing is wrong with the original")
