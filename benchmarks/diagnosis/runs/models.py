"""Models, and set-ups that several families of runs share.  Keras is imported when one is built."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.diagnosis.runs.base import Setup
from benchmarks.diagnosis.runs.data import diabetes, digits, first_step, table, tokens


def k() -> Any:
    import keras

    return keras


def he_u() -> Any:
    return k().initializers.VarianceScaling(2, "fan_in", "uniform")


def normal(std: float) -> Any:
    return k().initializers.RandomNormal(0, std)


def uniform() -> Any:
    return k().initializers.RandomUniform(-0.05, 0.05)


def adam(rate: Any = 1e-3, **more: Any) -> Any:
    return k().optimizers.Adam(rate, **more)


def sgd(rate: Any, momentum: float = 0.0, **more: Any) -> Any:
    return k().optimizers.SGD(rate, momentum, **more)


def dense(units: int, act: str | None = None, init: Any = None, **more: Any) -> Any:
    if init is not None:
        more["kernel_initializer"] = init() if callable(init) and init in (he_u, uniform) else init
    return k().layers.Dense(units, act, **more)


def stack(n_in: int | tuple[int, ...], layers: list[Any]) -> Any:
    shape = (n_in,) if isinstance(n_in, int) else n_in
    return k().Sequential([k().Input(shape), *layers])


def deep(n_in: int, depth: int, units: int, act: str, init: Any, head: Any) -> Any:
    """Plain stack of ``depth`` hidden layers; ``init`` makes a fresh initialiser a layer."""
    hidden = [dense(units, act, init() if init else "glorot_uniform") for _ in range(depth)]
    return stack(n_in, [*hidden, head])


def dig(model: Callable[[], Any], opt: Any, **more: Any) -> Setup:
    x, y = digits()
    return Setup(model(), x, y, "cce", opt, **more)


def dig_deep(depth: int, act: str, opt: Any, init: Any = None, units: int = 64, **more) -> Setup:
    return dig(lambda: deep(64, depth, units, act, init, dense(10, "softmax")), opt, **more)


def normalised(depth: int, kind: str) -> Any:
    norm = {"bn": k().layers.BatchNormalization, "ln": k().layers.LayerNormalization}[kind]
    layers: list[Any] = []
    for _ in range(depth):
        layers += [dense(64, None, "he_normal"), norm(), k().layers.ReLU()]
    return stack(64, [*layers, dense(10, "softmax")])


def residual(depth: int, *, zero: bool, norm: bool = True) -> Any:
    x = entry = k().Input((64,))
    x = dense(64)(x)
    for _ in range(depth):
        z = k().layers.LayerNormalization()(x) if norm else x
        z = dense(64, "relu", "he_normal")(z)
        x = x + dense(64, None, "zeros" if zero else "he_normal")(z)
    return k().Model(entry, dense(10, "softmax")(x))


def cnn(*, norm: bool = False) -> Any:
    layers: list[Any] = []
    for filters in (16, 32, 32):
        layers.append(k().layers.Conv2D(filters, 3, padding="same", use_bias=not norm))
        if norm:
            layers.append(k().layers.BatchNormalization())
        layers.append(k().layers.ReLU())
    pool = k().layers.GlobalAveragePooling2D()
    return stack(64, [k().layers.Reshape((8, 8, 1)), *layers, pool, dense(10, "softmax")])


def attention(blocks: int, opt: Any = None) -> Setup:
    x, y = tokens()
    entry = k().Input((x.shape[1],), dtype="int32")
    h = k().layers.Embedding(64, 32)(entry)
    for _ in range(blocks):
        z = k().layers.LayerNormalization()(h)
        h = h + k().layers.MultiHeadAttention(2, 16)(z, z)
        z = k().layers.LayerNormalization()(h)
        h = h + dense(32)(dense(64, "gelu")(z))
    h = k().layers.GlobalAveragePooling1D()(k().layers.LayerNormalization()(h))
    model = k().Model(entry, dense(1, "sigmoid")(h))
    return Setup(model, x, y, "bce", opt or adam(), 32, 200)


def recurrent(layer: Callable[[], Any], length: int, opt: Any, **more: Any) -> Setup:
    x, y = first_step(length)
    return Setup(stack((length, 2), [layer(), dense(1, "sigmoid")]), x, y, "bce", opt, 64, **more)


def simple_rnn(gain: float, act: str | None) -> Any:
    ortho = k().initializers.Orthogonal(gain)
    return k().layers.SimpleRNN(32, act, recurrent_initializer=ortho)


def regression(opt: Any, *, scale=1.0, offset=0.0, l2=1e-5, init="he_normal", **more) -> Setup:
    x, y = diabetes()
    layers = [
        dense(64, "relu", init, kernel_regularizer=k().regularizers.L2(l2)),
        dense(64, "relu", init, kernel_regularizer=k().regularizers.L2(l2)),
        dense(1, None, init),
    ]
    return Setup(stack(10, layers), x, y * scale + offset, "mse", opt, 32, **more)


def deep_regression(act: str, depth: int, opt: Any) -> Setup:
    x, y = diabetes()
    return Setup(deep(10, depth, 32, act, None, dense(1)), x, y, "mse", opt, 32)


def random_labels(setup: Setup) -> Setup:
    """The same with nothing to learn: the loss stays at the baseline in a healthy network."""
    setup.y = np.random.default_rng(0).permutation(setup.y)
    return setup


def small(
    name: str, depth: int, units: int, act: str, opt: Any, init: Any = None, **more: Any
) -> Setup:
    """Plain stack on such a data set, with the head and loss that fit it."""
    x, y = table(name)
    head, loss = (dense(y.shape[1], "softmax"), "cce") if y.shape[1] > 1 else (None, "bce")
    if name == "friedman":
        head, loss = dense(1), "mse"
    loss = more.pop("loss", loss)
    head = head or dense(1, "sigmoid")
    model = deep(x.shape[1], depth, units, act, init, head)
    return Setup(model, x, y, loss, opt, **{"batch": 32, "steps": 300, **more})


def words(layer: Callable[[], Any], opt: Any) -> Setup:
    x, y = tokens()
    layers = [k().layers.Embedding(64, 16), layer(), dense(1, "sigmoid")]
    return Setup(stack((24,), layers), x, y, "bce", opt, 32, 250)


def opts() -> Any:
    return k().optimizers


def warm_up(peak: float, length: int) -> Any:
    s = k().optimizers.schedules.CosineDecay(0.0, 1000, warmup_target=peak, warmup_steps=length)
    return adam(s)
