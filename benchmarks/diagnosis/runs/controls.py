"""Healthy networks with small, absent or odd gradients: section D of the corpus, and more."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.diagnosis.runs.base import HEALTHY, SLOW, STALLED, Family, Setup
from benchmarks.diagnosis.runs.data import digits, tokens
from benchmarks.diagnosis.runs.models import (
    adam,
    attention,
    cnn,
    dense,
    dig,
    dig_deep,
    he_u,
    k,
    normal,
    normalised,
    random_labels,
    recurrent,
    regression,
    residual,
    sgd,
    stack,
    warm_up,
)


def embedding() -> Setup:
    x, y = tokens(2048, 16, 2000)
    pool = k().layers.GlobalAveragePooling1D()
    layers = [k().layers.Embedding(2000, 16), pool, dense(16, "relu"), dense(1, "sigmoid")]
    return Setup(stack((16,), layers), x, y, "bce", adam(1e-2), 32, 400)


def frozen() -> Setup:
    model = stack(64, [dense(64, "relu"), dense(64, "relu"), dense(10, "softmax")])
    model.layers[0].trainable = False
    x, y = digits()
    return Setup(model, x, y, "cce", adam(), steps=300)


def noisy_labels() -> Setup:
    setup = dig_deep(3, "relu", adam(), steps=400)
    rng = np.random.default_rng(0)
    flip = rng.random(len(setup.y)) < 0.3
    setup.y = setup.y.copy()
    setup.y[flip] = np.eye(10)[rng.integers(0, 10, flip.sum())]
    return setup


def big_head(std: float) -> Setup:
    head = dense(10, "softmax", normal(std))
    return dig(lambda: stack(64, [dense(64, "relu"), head]), adam(3e-3), steps=400)


def weak_signal() -> Setup:
    """Full-batch regression that converges close to the baseline, where gradients vanish."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(256, 8)).astype("float32")
    y = 0.2 * x[:, :1] + rng.normal(size=(256, 1))
    model = stack(8, [dense(8, "tanh"), dense(1)])
    return Setup(model, x, y, "mse", sgd(0.1), 256, 1500)


def gated(kind: str, opt: Any, steps: int = 300) -> Setup:
    """Residual blocks whose branches start closed: gamma of zero, or LayerScale of 1e-6."""
    keras = k()

    class LayerScale(keras.layers.Layer):
        def build(self, shape: Any) -> None:
            init = keras.initializers.Constant(1e-6)
            self.gamma = self.add_weight(shape=(shape[-1],), initializer=init, name="gamma")

        def call(self, x: Any) -> Any:
            return x * self.gamma

    x = entry = keras.Input((64,))
    x = dense(64)(x)
    for _ in range(8):
        z = keras.layers.LayerNormalization()(x)
        z = dense(64, None, "he_normal")(dense(64, "relu", "he_normal")(z))
        if kind == "gamma":
            z = keras.layers.BatchNormalization(gamma_initializer="zeros")(z)
        else:
            z = LayerScale()(z)
        x = x + z
    return dig(lambda: keras.Model(entry, dense(10, "softmax")(x)), opt, steps=steps)


def two_towers() -> Setup:
    """Two inputs, of which one carries nothing."""
    a = k().Input((64,))
    b = k().layers.Lambda(lambda v: v * 0.0)(a)
    left = dense(32, "relu")(dense(32, "relu")(a))
    right = dense(32, "relu")(dense(32, "relu")(b))
    h = k().layers.Concatenate()([left, right])
    return dig(lambda: k().Model(a, dense(10, "softmax")(h)), adam())


def autoencoder() -> Setup:
    x, _ = digits()
    layers = [dense(32, "relu"), dense(8, "relu"), dense(32, "relu"), dense(64, "sigmoid")]
    return Setup(stack(64, layers), x, x, "mse", adam(), 64, 400)


def dropout() -> Setup:
    layers = [f for _ in range(4) for f in (dense(64, "relu"), k().layers.Dropout(0.5))]
    return dig(lambda: stack(64, [*layers, dense(10, "softmax")]), adam(), steps=400)


def wide() -> Setup:
    return dig(
        lambda: stack(64, [dense(4096, "relu"), dense(16, "relu"), dense(10, "softmax")]),
        adam(),
        steps=200,
    )


def l2_relu() -> Setup:
    reg = k().regularizers.L2(1e-3)
    layers = [dense(64, "relu", kernel_regularizer=reg) for _ in range(3)]
    return dig(lambda: stack(64, [*layers, dense(10, "softmax")]), adam(), steps=300)


def runs() -> list[Any]:
    """Section D's controls, and one for each trap that a rule was found to fall into."""
    family = Family()
    add = family.add

    def noise(id: str, build: Callable[[], Setup]) -> None:
        add(id, HEALTHY, build, learnable=False, allowed=STALLED, source="labels of noise")

    add("H-regr-rawy1000", HEALTHY, lambda: regression(adam(1e-2), scale=1000.0, steps=400))
    add(
        "H-regr-offset",
        HEALTHY,
        lambda: regression(adam(1e-2), scale=10, offset=300, steps=800),
        revision=1,
    )
    add("H-dig-relu2", HEALTHY, lambda: dig_deep(2, "relu", adam(), units=128, steps=400))
    add(
        "H-dig-relu2-conv",
        HEALTHY,
        lambda: dig_deep(2, "relu", adam(3e-3), steps=2500),
        source="D1",
    )
    add("H-dig-relu10", HEALTHY, lambda: dig_deep(10, "relu", adam(), steps=400), source="D7")
    add("H-dig-bn10", HEALTHY, lambda: dig(lambda: normalised(10, "bn"), adam()), source="D2")
    add(
        "H-dig-bn10-sgd",
        HEALTHY,
        lambda: dig(lambda: normalised(10, "bn"), sgd(0.1, 0.9)),
        source="D2",
    )
    add("H-dig-ln10", HEALTHY, lambda: dig(lambda: normalised(10, "ln"), adam()), source="D2")
    add("H-dig-res10", HEALTHY, lambda: dig(lambda: residual(10, zero=False), adam()), source="D3")
    add(
        "H-dig-res10-zero",
        HEALTHY,
        lambda: dig(lambda: residual(10, zero=True), adam()),
        source="D3",
    )
    add("H-dig-cnn", HEALTHY, lambda: dig(cnn, adam(3e-3), steps=400))
    add("H-dig-cnn-bn-sgd", HEALTHY, lambda: dig(lambda: cnn(norm=True), sgd(0.1, 0.9)))
    add("H-dig-frozen", HEALTHY, frozen, source="D4")
    add("H-dig-noise", HEALTHY, noisy_labels)
    add("H-dig-warmup", HEALTHY, lambda: dig_deep(4, "relu", warm_up(3e-3, 100), steps=400))
    add("H-dig-bighead", HEALTHY, lambda: big_head(1.0))
    add("H-dig-scale1e4", HEALTHY, lambda: dig_deep(4, "relu", adam(), factor=1e4))
    add("H-dig-scale1e-4", HEALTHY, lambda: dig_deep(4, "relu", adam(), factor=1e-4))
    add(
        "H-dig-finetune",
        HEALTHY,
        lambda: dig_deep(6, "relu", adam(3e-4), silent_steps=1500, steps=600),
    )
    add("H-dig-batch1", HEALTHY, lambda: dig_deep(2, "relu", sgd(0.02), batch=1, steps=2000))
    add("H-dig-wide", HEALTHY, wide)
    add("H-dig-l2", HEALTHY, l2_relu)
    add("H-dig-elu8", HEALTHY, lambda: dig_deep(8, "elu", adam()))
    add("H-dig-swish12", HEALTHY, lambda: dig_deep(12, "swish", adam(), he_u, steps=400))
    selu = lambda: k().initializers.LecunNormal()
    add("H-selu20", HEALTHY, lambda: dig_deep(20, "selu", adam(), selu), source="D7")
    add("H-tanh20-glorot", HEALTHY, lambda: dig_deep(20, "tanh", adam(), steps=400), source="D7")
    add("H-tinylr", SLOW, lambda: dig_deep(3, "relu", sgd(1e-5), steps=400), source="D9")
    for n, act in ((4, "relu"), (12, "tanh"), (10, "elu")):
        noise(
            f"H-random-{act}{n}",
            lambda n=n, act=act: random_labels(dig_deep(n, act, adam(), he_u)),
        )
    noise("H-random-sgd", lambda: random_labels(dig_deep(6, "relu", sgd(0.1))))
    noise("H-random-attn2", lambda: random_labels(attention(2)))
    noise(
        "H-random-lstm",
        lambda: random_labels(recurrent(lambda: k().layers.LSTM(32), 40, adam(), steps=300)),
    )
    noise("H-random-bn10", lambda: random_labels(dig(lambda: normalised(10, "bn"), adam())))
    noise(
        "H-random-res10-zero",
        lambda: random_labels(dig(lambda: residual(10, zero=True), adam())),
    )
    noise("H-random-cnn", lambda: random_labels(dig(cnn, adam())))
    add(
        "H-random-relu2-narrow",  # five units a layer, nothing to learn: they do die
        None,
        lambda: random_labels(dig_deep(2, "relu", sgd(0.05), batch=2, units=5)),
    )
    add("H-weak-signal", HEALTHY, weak_signal)
    add("H-dig-gamma0", HEALTHY, lambda: gated("gamma", sgd(0.05, 0.9)))
    add("H-dig-gamma0-slow", HEALTHY, lambda: gated("gamma", sgd(1e-3), 600), revision=1)
    add("H-dig-layerscale", HEALTHY, lambda: gated("scale", adam()))
    add("H-dig-layerscale-slow", HEALTHY, lambda: gated("scale", sgd(1e-3), 600), revision=1)
    add("H-dig-towers", HEALTHY, two_towers)
    add("H-dig-auto", HEALTHY, autoencoder)
    add("H-dig-dropout", HEALTHY, dropout)
    add(
        "H-dig-narrow",
        HEALTHY,
        lambda: dig_deep(3, "relu", sgd(0.05), batch=4, units=8, steps=1000),
    )
    add("H-dig-rmsprop", HEALTHY, lambda: dig_deep(4, "relu", k().optimizers.RMSprop(1e-3)))
    add("H-dig-momentum", HEALTHY, lambda: dig_deep(4, "relu", sgd(0.1, 0.9)))
    add("H-emb", HEALTHY, embedding, source="D5")
    add("H-attn2", HEALTHY, lambda: attention(2), source="D6")
    add("H-attn6", HEALTHY, lambda: attention(6), source="D6")
    add(
        "H-lstm",
        HEALTHY,
        lambda: recurrent(lambda: k().layers.LSTM(32), 40, adam(1e-2), steps=300),
    )
    add(
        "H-gru",
        HEALTHY,
        lambda: recurrent(lambda: k().layers.GRU(32), 30, adam(1e-2), steps=300),
    )
    return family.runs
