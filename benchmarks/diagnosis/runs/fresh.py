"""Runs added after the first tuning: other data, widths, optimizers and kinds of layers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarks.diagnosis.runs.base import (
    BLOWN,
    FIRST,
    HEALTHY,
    NO_FLOW,
    STALLED,
    VANISHING,
    Family,
    Setup,
)
from benchmarks.diagnosis.runs.data import digits, table
from benchmarks.diagnosis.runs.models import (
    adam,
    dense,
    dig,
    dig_deep,
    he_u,
    k,
    normal,
    opts,
    random_labels,
    recurrent,
    sgd,
    simple_rnn,
    small,
    stack,
    uniform,
    words,
)
from benchmarks.diagnosis.runs.thedeepchecker import hand_written


def conv_sigmoid(depth: int) -> Setup:
    layers = [k().layers.Conv2D(12, 3, padding="same", activation="sigmoid") for _ in range(depth)]
    head = [k().layers.Flatten(), dense(10, "softmax")]
    return dig(lambda: stack(64, [k().layers.Reshape((8, 8, 1)), *layers, *head]), adam())


def lenet_sigmoid() -> Setup:
    c = [k().layers.Conv2D(n, 3, activation="sigmoid", padding="same") for n in (8, 16)]
    pool = k().layers.AveragePooling2D
    layers = [k().layers.Reshape((8, 8, 1)), c[0], pool(2), c[1], pool(2), k().layers.Flatten()]
    head = [dense(64, "sigmoid"), dense(10, "softmax")]
    return dig(lambda: stack(64, [*layers, *head]), adam(1e-2), steps=400)


def conv_residual(opt: Any) -> Setup:
    conv = k().layers.Conv2D
    x = entry = k().Input((64,))
    x = conv(16, 3, padding="same", use_bias=False)(k().layers.Reshape((8, 8, 1))(x))
    for _ in range(5):
        z = k().layers.ReLU()(k().layers.BatchNormalization()(x))
        z = conv(16, 3, padding="same", use_bias=False)(z)
        z = k().layers.ReLU()(k().layers.BatchNormalization()(z))
        x = x + conv(16, 3, padding="same", use_bias=False)(z)
    x = k().layers.GlobalAveragePooling2D()(k().layers.ReLU()(k().layers.BatchNormalization()(x)))
    return dig(lambda: k().Model(entry, dense(10, "softmax")(x)), opt, steps=200)


def separable() -> Setup:
    layers: list[Any] = [k().layers.Reshape((8, 8, 1))]
    for n in (16, 32, 32):
        layers += [k().layers.SeparableConv2D(n, 3, padding="same"), k().layers.ReLU()]
    layers += [k().layers.GlobalAveragePooling2D(), dense(10, "softmax")]
    return dig(lambda: stack(64, layers), adam(5e-3), steps=300)


def new_head() -> Setup:
    """A trained and frozen base under a fresh head."""
    x, y = digits()
    base = stack(64, [dense(64, "relu"), dense(64, "relu")])
    base.trainable = False
    model = k().Sequential([k().Input((64,)), base, dense(10, "softmax")])
    return Setup(model, x, y, "cce", adam(), steps=300)


def dense_net() -> Setup:
    x = entry = k().Input((64,))
    for _ in range(8):
        x = k().layers.Concatenate()([x, dense(24, "relu")(x)])
    return dig(lambda: k().Model(entry, dense(10, "softmax")(x)), adam())


def root() -> Setup:
    """The gradient of a norm is 0 / 0 where its argument is 0."""
    keras = k()
    x, y = digits()
    entry = keras.Input((64,))
    h = dense(32, "relu")(entry)
    norm = keras.layers.Lambda(
        lambda v: keras.ops.sqrt(keras.ops.sum(v * 0.0, axis=-1, keepdims=True))
    )(h)
    model = keras.Model(entry, dense(10, "softmax")(keras.layers.Concatenate()([h, norm])))
    return Setup(model, x, y, "cce", adam(), steps=60)


def raw_linear(rate: float) -> Setup:
    x, y = table("wine", scale=False)
    return Setup(stack(13, [dense(3)]), x, y, "mse", sgd(rate), 32, 100)


def runs() -> list[Any]:
    """Healthy ones first."""
    family = Family()
    add = family.add

    def noise(id: str, build: Callable[[], Setup]) -> None:
        add(id, HEALTHY, build, learnable=False, allowed=STALLED, source="labels of noise")

    gelu = "gelu"
    add("F-iris-relu3", HEALTHY, lambda: small("iris", 3, 16, "relu", adam(5e-3)))
    add("F-iris-tanh6", HEALTHY, lambda: small("iris", 6, 16, "tanh", sgd(0.05, 0.9)))
    add("F-wine-swish5", HEALTHY, lambda: small("wine", 5, 24, "swish", adam(2e-3), he_u))
    add(
        "F-cancer-elu4", HEALTHY, lambda: small("breast_cancer", 4, 32, "elu", opts().RMSprop(1e-3))
    )
    add("F-cancer-sig2", HEALTHY, lambda: small("breast_cancer", 2, 16, "sigmoid", adam(1e-2)))
    add("F-moons-relu6", HEALTHY, lambda: small("moons", 6, 24, "relu", adam(2e-3), he_u))
    add("F-moons-gelu10", HEALTHY, lambda: small("moons", 10, 24, gelu, adam(1e-3), he_u))
    add("F-friedman-relu4", HEALTHY, lambda: small("friedman", 4, 32, "relu", adam(1e-2)))
    add("F-friedman-sgd", HEALTHY, lambda: small("friedman", 2, 32, "tanh", sgd(1e-2)))
    add(
        "F-friedman-mae",
        HEALTHY,
        lambda: small("friedman", 3, 32, "relu", opts().Nadam(2e-3), loss="mae"),
    )
    add("F-dig-lenet-sig", HEALTHY, lenet_sigmoid)
    add("F-dig-conv-res", HEALTHY, lambda: conv_residual(sgd(0.1, 0.9, nesterov=True)))
    add("F-dig-separable", HEALTHY, separable)
    add("F-dig-densenet", HEALTHY, dense_net)
    add("F-dig-newhead", HEALTHY, new_head)
    add("F-dig-adagrad", HEALTHY, lambda: dig_deep(4, "relu", opts().Adagrad(0.05)))
    add("F-dig-lion", HEALTHY, lambda: dig_deep(4, "relu", opts().Lion(3e-4)))
    add("F-dig-adamw", HEALTHY, lambda: dig_deep(5, gelu, opts().AdamW(1e-3, weight_decay=0.1)))
    add("F-dig-momentum.2", HEALTHY, lambda: dig_deep(3, "relu", sgd(0.2, 0.9)))
    add("F-dig-relu16", HEALTHY, lambda: dig_deep(16, "relu", adam(5e-4), he_u, 48, steps=400))
    add("F-dig-slow", HEALTHY, lambda: dig_deep(4, "tanh", sgd(3e-3), steps=400))
    add("F-dig-batch8", HEALTHY, lambda: dig_deep(2, "relu", sgd(0.1), units=16, batch=8))
    add("F-words-gru", HEALTHY, lambda: words(lambda: k().layers.GRU(24), adam(3e-3)))
    bi = lambda: k().layers.Bidirectional(k().layers.LSTM(12))
    add("F-words-bilstm", HEALTHY, lambda: words(bi, adam(3e-3)))
    add("F-words-rnn", HEALTHY, lambda: words(lambda: k().layers.SimpleRNN(24), adam(3e-3)))
    selu = lambda: k().initializers.LecunNormal()
    noise("F-random-selu20", lambda: random_labels(dig_deep(20, "selu", adam(), selu)))
    noise("F-random-moons", lambda: random_labels(small("moons", 5, 24, "relu", adam())))
    noise(
        "F-random-words",
        lambda: random_labels(words(lambda: k().layers.GRU(24), adam())),
    )
    noise(
        "F-random-momentum",
        lambda: random_labels(dig_deep(3, "relu", sgd(0.05, 0.9))),
    )
    add(
        "F-iris-sig12",
        VANISHING,
        lambda: small("iris", 12, 16, "sigmoid", adam()),
        first_sick=FIRST,
    )
    add(
        "F-cancer-sig10",
        VANISHING,
        lambda: small("breast_cancer", 10, 32, "sigmoid", sgd(0.1)),
        first_sick=FIRST,
    )
    add(
        "F-friedman-sig9",
        VANISHING,
        lambda: small("friedman", 9, 24, "sigmoid", sgd(1e-2)),
        first_sick=FIRST,
    )
    add(
        "F-cancer-hard12",
        VANISHING,
        lambda: small("breast_cancer", 12, 24, "hard_sigmoid", opts().RMSprop(1e-3)),
    )
    add("F-dig-conv-sig9", VANISHING, lambda: conv_sigmoid(9), first_sick=FIRST)
    add(
        "F-wine-relu10-RU",
        NO_FLOW,
        lambda: small("wine", 10, 12, "relu", adam(), uniform),
        first_sick=FIRST,
    )
    add(
        "F-moons-tanh20-small",
        NO_FLOW,
        lambda: small("moons", 20, 24, "tanh", sgd(0.05), lambda: normal(0.05)),
    )
    add(
        "F-moons-relu3-lr2", ("dead", "exploding"), lambda: small("moons", 3, 24, "relu", adam(2.0))
    )
    add("F-friedman-sgd-lr1", (*BLOWN, "dead"), lambda: small("friedman", 2, 32, "relu", sgd(1.0)))
    add("F-wine-raw-sgd", BLOWN, lambda: raw_linear(0.01))
    add("F-iris-lr50", (*BLOWN, "dead"), lambda: small("iris", 3, 16, "relu", sgd(50.0)))
    huge = lambda: normal(0.45)
    add("F-dig-relu25-big", BLOWN, lambda: dig_deep(25, "relu", adam(), huge))
    add(
        "F-rnn-gain1.8",
        BLOWN,
        lambda: recurrent(lambda: simple_rnn(1.8, "linear"), 50, sgd(0.01), steps=100),
    )
    add("F-moons-exp6", BLOWN, lambda: small("moons", 6, 16, "exponential", adam(), he_u))
    add("F-dig-root", ("nonfinite",), root)
    add("F-dig-log0", ("nonfinite",), lambda: hand_written(1.5, 1.0))
    return family.runs
