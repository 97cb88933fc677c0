"""TheDeepChecker (TOSEM 2022): a clean base with one fault each, section C of the corpus.

auto-mpg is replaced by the bundled diabetes data, MNIST and CIFAR by digits.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.diagnosis.runs.base import (
    BLOWN,
    HEALTHY,
    KILLED,
    LAST,
    NO_FLOW,
    NONFINITE,
    SHUT,
    SLOW,
    Family,
    Setup,
)
from benchmarks.diagnosis.runs.data import diabetes, digits
from benchmarks.diagnosis.runs.models import (
    adam,
    dense,
    dig,
    dig_deep,
    k,
    normal,
    regression,
    sgd,
    stack,
)
from benchmarks.diagnosis.runs.stackoverflow import line

OVER = ("stalled", "vanishing", "dead")
"""Regularisation wins: weights shrink to zero, and gradients with them."""


def hand_written(std: float, rate: float) -> Setup:
    """Cross-entropy written out: the logarithm of 0 once a probability underflows."""
    layers = [dense(64, "relu", normal(std)), dense(10, "softmax", normal(std))]
    setup = dig(lambda: stack(64, layers), sgd(rate), steps=200)
    setup.loss, setup.strip = "nll", True
    return setup


def base(
    opt: Any,
    *,
    act: str = "relu",
    init: Any = "he_normal",
    l2: float = 1e-5,
    scale: float = 1.0,
    units: int = 128,
) -> Setup:
    """baseCNN, a quarter as wide: two convolutions and one hidden layer."""
    layers: list[Any] = [k().layers.Reshape((8, 8, 1))]
    more = lambda: {"kernel_initializer": init, "kernel_regularizer": k().regularizers.L2(l2)}
    for n, kind, size in ((8, act, 5), (16, "relu", 3)):
        layers.append(k().layers.Conv2D(n, size, padding="same", activation=kind, **more()))
        layers.append(k().layers.MaxPooling2D())
    layers += [k().layers.Flatten(), k().layers.Dense(units, "relu", **more())]
    setup = dig(lambda: stack(64, [*layers, k().layers.Dense(10, "softmax", **more())]), opt)
    setup.x = setup.x * scale
    return setup


def vgg(
    opt: Any,
    *,
    act: str = "relu",
    init: Any = "he_normal",
    l2: float = 1e-5,
    scale: float = 1.0,
    norm: bool = True,
) -> Setup:
    """deepCNN: pairs of convolutions, each with batch normalisation, an eighth as wide."""
    layers: list[Any] = [k().layers.Reshape((8, 8, 1))]
    for i, n in enumerate((8, 8, 16, 16)):
        regular = k().regularizers.L2(l2)
        conv = k().layers.Conv2D(
            n, 3, padding="same", kernel_initializer=init, kernel_regularizer=regular
        )
        layers.append(conv)
        if norm:
            layers.append(k().layers.BatchNormalization())
        layers.append(k().layers.Activation(act if i == 0 else "relu"))
        if i % 2:
            layers.append(k().layers.MaxPooling2D())
    layers += [k().layers.Flatten(), dense(64, "relu", init), dense(10, "softmax", init)]
    setup = dig(lambda: stack(64, layers), opt, steps=250)
    setup.x = setup.x * scale
    return setup


def headed(head: str, opt: Any) -> Setup:
    """The regression with a head of another range; standardised targets."""
    x, y = diabetes()
    layers = [dense(64, "relu", "he_normal"), dense(64, "relu", "he_normal")]
    return Setup(stack(10, [*layers, dense(1, head)]), x, y, "mse", opt, 32, 300)


def raw_inputs() -> Setup:
    """The regression without scaling: columns from 1e-3 to 1e3."""
    setup = regression(adam(), steps=400)
    setup.x = setup.x * np.logspace(-3, 3, 10).astype("float32")
    return setup


def raw_logs() -> Setup:
    """The logarithm of outputs that are no probabilities."""
    layers = [dense(128, "sigmoid", normal(1.0)), dense(10, None, normal(1.0))]
    setup = dig(lambda: stack(64, layers), sgd(0.05), steps=100)
    setup.loss, setup.strip = "nll", True
    return setup


def slope() -> Setup:
    rng = np.random.default_rng(0)
    w, b = rng.uniform(-8, 8, 2)
    x = np.linspace(0, 10, 100)[:, None]
    model = stack(1, [dense(1, None, "zeros")])
    return Setup(model, x.astype("float32"), w * x + b, "mse", sgd(0.1), 100, 100)


def summed_squares(y: Any, p: Any) -> Any:
    return k().ops.sum((y - p) ** 2) * k().ops.ones_like(y[:, 0])


def quadratic() -> Setup:
    x = np.array([[1.0], [2.0], [3.0], [4.0]])
    y = 2 * x**2 - x + 1
    features = np.concatenate([x**2, x], 1).astype("float32")
    model = stack(2, [dense(1)])
    return Setup(model, features, y, summed_squares, sgd(0.01), 4, 100, baseline=4 * y.var())


def summed_entropy(y: Any, p: Any) -> Any:
    rows = k().losses.categorical_crossentropy(y, p)
    return k().ops.sum(rows) * k().ops.ones_like(rows)


def summed_softmax() -> Setup:
    x, y = digits()
    model = stack(64, [dense(10, "softmax", normal(1.0))])
    entropy = 64 * float(np.log(10))
    return Setup(model, x, y, summed_entropy, sgd(0.01), 64, 200, baseline=entropy)


def runs() -> list[Any]:
    """Rows C1 to C17."""
    family = Family()
    add = family.add
    add("TDC-IPS15", BLOWN, lambda: line(0.5, bias=False), source="C14")
    add("TDC-IPS1", NONFINITE, lambda: hand_written(3.0, 0.5), source="C17")
    add("TDC-regr-highlr", None, lambda: regression(adam(0.1)), source="C4")
    add("TDC-regr-lowlr", SLOW, lambda: regression(adam(1e-5)), source="C5")
    add("TDC-regr-l2", OVER, lambda: regression(adam(), l2=0.1), source="C9")
    constant = lambda: k().initializers.Constant(0.01)
    add("TDC-regr-const", None, lambda: regression(adam(), init=constant()), source="C2")
    add(
        "TDC-IPS4",
        None,
        lambda: dig_deep(3, "relu", adam(3e-3), lambda: normal(1.0), 128),
        source="C11",
    )
    add("TDC-regr-clean", HEALTHY, lambda: regression(adam(), steps=400), source="C1")
    add(
        "TDC-regr-rawy", HEALTHY, lambda: regression(adam(), scale=10.0, steps=400), source="C8, D8"
    )
    later(functools.partial(add, later=True))
    return family.runs


def later(add: Callable[..., None]) -> None:
    """Rows that were rebuilt together with the hold-out part."""
    slowly = lambda rate: sgd(rate, 0.9)
    constant = lambda: k().initializers.Constant(0.01)
    add("TDC-base-clean", HEALTHY, lambda: base(sgd(0.1)), source="C1")
    add("TDC-deep-clean", HEALTHY, lambda: vgg(slowly(1e-2)), source="C1, rate for 250 steps")
    add("TDC-base-const", None, lambda: base(sgd(0.1), init=constant()), source="C2")
    add("TDC-deep-const", None, lambda: vgg(slowly(1e-2), init=constant()), source="C2")
    add("TDC-regr-random", BLOWN, lambda: regression(adam(), init=normal(0.25)), source="C3")
    add("TDC-base-random", BLOWN, lambda: base(sgd(0.1), init=normal(0.1)), source="C3")
    add("TDC-deep-random", BLOWN, lambda: vgg(slowly(1e-2), init=normal(0.25)), source="C3")
    add("TDC-base-highlr", KILLED, lambda: base(sgd(0.5), units=256), source="C4")
    add("TDC-deep-highlr", KILLED, lambda: vgg(slowly(0.1)), source="C4")
    add("TDC-base-lowlr", SLOW, lambda: base(sgd(1e-3)), source="C5")
    add("TDC-deep-lowlr", SLOW, lambda: vgg(slowly(1e-5)), source="C5")
    add("TDC-base-softmax", SHUT, lambda: base(sgd(0.1), act="softmax"), source="C6")
    add("TDC-deep-softmax", None, lambda: vgg(slowly(1e-2), act="softmax"), source="C6")
    add(
        "TDC-regr-softmax",
        NO_FLOW,
        lambda: headed("softmax", adam()),
        source="C6",
        first_sick=LAST,
    )
    add("TDC-regr-sigmoid", (*SHUT, "slow"), lambda: headed("sigmoid", adam()), source="C6")
    add("TDC-regr-eps", None, lambda: regression(adam(epsilon=1e-16)), source="C7")
    add("TDC-base-eps", KILLED, lambda: base(adam(0.1, epsilon=1e-16)), source="C7")
    add("TDC-deep-eps", None, lambda: vgg(adam(0.01, epsilon=1e-16)), source="C7")
    add("TDC-regr-rawx", None, raw_inputs, source="C8")
    add("TDC-base-rawx", KILLED, lambda: base(sgd(0.1), scale=255.0), source="C8")
    add("TDC-deep-rawx", HEALTHY, lambda: vgg(slowly(1e-2), scale=255.0), source="C8, BN scales")
    add("TDC-base-l2", OVER, lambda: base(sgd(0.1), l2=0.1), source="C9")
    add("TDC-deep-l2", None, lambda: vgg(slowly(1e-2), l2=0.1), source="C9")
    add("TDC-deep-nobn", None, lambda: vgg(slowly(1e-2), norm=False), source="C10")
    add("TDC-IPS7", NONFINITE, raw_logs, source="C12")
    add("TDC-IPS5", BLOWN, slope, source="C13")
    add("TDC-IPS17", BLOWN, quadratic, source="C15")
    add("TDC-IPS14", BLOWN, summed_softmax, source="C16")
