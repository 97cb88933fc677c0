"""Models and losses of the ``R-`` runs, and the set-ups that they share."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.diagnosis.runs.base import Setup
from benchmarks.diagnosis.runs.models import dense, k, stack
from benchmarks.diagnosis.runs.unseen_data import (
    DATA,
    Data,
    counts,
    cue,
    glyphs,
    hexa,
    ratings,
    reviews,
    season,
)


def layers() -> Any:
    return k().layers


def act(name: str) -> Any:
    return layers().Activation(name)


def constant(value: float) -> Any:
    return k().initializers.Constant(value)


def head_of(y: np.ndarray) -> tuple[Any, str]:
    """Last layer and loss that fit the targets."""
    if y.shape[1] > 1:
        return dense(y.shape[1], "softmax"), "cce"
    binary = np.isin(y, (0, 1)).all()
    return (dense(1, "sigmoid"), "bce") if binary else (dense(1), "mse")


def on(data: str | Data, body: list[Any], opt: Any, head: Any = None, **more: Any) -> Setup:
    """Any list of layers on data, with the head and the loss that fit unless they are given."""
    x, y = DATA[data]() if isinstance(data, str) else data
    fitting, loss = head_of(y)
    model = stack(x.shape[1:], [*body, fitting if head is None else head])
    loss = more.pop("loss", loss)
    return Setup(model, x, y, loss, opt, **{"batch": 48, "steps": 300, **more})


def mlp(
    data: str | Data,
    depth: int,
    units: int,
    act: str,
    opt: Any,
    init: Callable[[], Any] = lambda: "glorot_uniform",
    **more: Any,
) -> Setup:
    """Plain stack of dense layers."""
    return on(data, [dense(units, act, init()) for _ in range(depth)], opt, **more)


def repeated(times: int, *makers: Callable[[], Any]) -> list[Any]:
    """``times`` blocks of fresh layers."""
    return [make() for _ in range(times) for make in makers]


def cnn(
    widths: tuple[int, ...],
    act: str,
    opt: Any,
    *,
    scale: float = 1.0,
    init: Any = None,
    **more: Any,
) -> Setup:
    """Convolutions on ``glyphs``, with pooling after the second and the fourth."""
    start = {"kernel_initializer": init} if init is not None else {}
    start |= more.pop("conv", {})
    body: list[Any] = []
    for i, width in enumerate(widths):
        body.append(layers().Conv2D(width, 3, padding="same", activation=act, **start))
        if i in (1, 3):
            body.append(layers().MaxPooling2D())
    body.append(layers().Flatten())
    return on(glyphs(scale), body, opt, **{"batch": 32, "steps": 200, **more})


def norm_cnn(gamma: Any, opt: Any, *, scale: float = 1.0, first: bool = False) -> Setup:
    """Convolution, batch normalisation, ReLU; ``first`` normalises the input as well."""
    body = repeated(
        3,
        lambda: layers().Conv2D(10, 3, padding="same", use_bias=False),
        lambda: layers().BatchNormalization(gamma_initializer=gamma),
        lambda: layers().ReLU(),
    )
    body = [layers().BatchNormalization(), *body] if first else body
    return on(glyphs(scale), [*body, layers().GlobalMaxPooling2D()], opt, batch=32, steps=200)


def zero_gamma(blocks: int, opt: Any) -> Setup:
    """Residual branches that end with a normalisation whose gamma starts at 0 (Goyal et al.)."""
    x, y = glyphs()
    entry = k().Input(x.shape[1:])
    h = layers().Conv2D(10, 3, padding="same")(entry)
    for _ in range(blocks):
        z = layers().Conv2D(10, 3, padding="same", activation="relu")(h)
        z = layers().Conv2D(10, 3, padding="same", use_bias=False)(z)
        h = layers().ReLU()(h + layers().BatchNormalization(gamma_initializer="zeros")(z))
    out = dense(4, "softmax")(layers().GlobalMaxPooling2D()(h))
    return Setup(k().Model(entry, out), x, y, "cce", opt, 32, 200)


def recall(length: int, body: list[Any], opt: Any, **more: Any) -> Setup:
    """Recurrent layers that must keep the first step."""
    return on(cue(length), body, opt, **{"steps": 250, **more})


def rnn(units: int, std: float, act: str = "tanh", **more: Any) -> Any:
    """Simple recurrence with a normal recurrent kernel."""
    start = k().initializers.RandomNormal(0, std)
    return layers().SimpleRNN(units, act, recurrent_initializer=start, **more)


def unrolled(length: int, std: float, opt: Any) -> Setup:
    """A recurrence written by hand: two dense layers that are called at every step."""
    x, y = cue(length)
    entry = k().Input(x.shape[1:])
    inward = dense(20)
    onward = dense(20, None, k().initializers.RandomNormal(0, std), use_bias=False)
    h = k().ops.tanh(inward(entry[:, 0]))
    for t in range(1, length):
        h = k().ops.tanh(inward(entry[:, t]) + onward(h))
    return Setup(k().Model(entry, dense(4, "softmax")(h)), x, y, "cce", opt, 48, 250)


def forecast(body: list[Any], opt: Any, head: Any = None, **more: Any) -> Setup:
    return on(season(raw=more.pop("raw", False)), body, opt, head, **more)


def text(body: list[Any], opt: Any, pad: int = 0) -> Setup:
    return on(reviews(pad), [layers().Embedding(200, 12), *body], opt)


def factors(opt: Any) -> Setup:
    """Matrix factorisation: products of two embeddings."""
    x, y = ratings()
    user, film = k().Input((), dtype="int32"), k().Input((), dtype="int32")
    table = lambda n: layers().Embedding(n, 8, k().initializers.RandomNormal(0, 0.3))
    product = table(80)(user) * table(60)(film)
    return Setup(k().Model([user, film], dense(1)(product)), x, y, "mse", opt, 64, 400)


def autoencoder(widths: tuple[int, ...], act: str, opt: Any, **more: Any) -> Setup:
    x, _ = hexa()
    body = [dense(width, act) for width in widths]
    return on((x, x.astype(float)), body, opt, dense(30), **{"loss": "mse", **more})


def variational(opt: Any, gain: float = 1.0) -> Setup:
    """Variational autoencoder; the width of the code is the exponential of a linear layer."""
    keras = k()

    class Sample(keras.layers.Layer):
        def __init__(self) -> None:
            super().__init__()
            self.generator = keras.random.SeedGenerator(11)

        def call(self, mean: Any, width: Any) -> Any:
            spread = keras.ops.exp(width)
            square = keras.ops.square
            self.add_loss(0.01 * keras.ops.mean(square(mean) + square(spread) - 2 * width - 1))
            noise = keras.random.normal(keras.ops.shape(mean), seed=self.generator)
            return mean + spread * noise

    x, _ = hexa()
    x = x * gain
    entry = keras.Input((30,))
    h = dense(32, "relu")(entry)
    h = Sample()(dense(8)(h), dense(8)(h))
    out = dense(30)(dense(32, "relu")(h))
    return Setup(keras.Model(entry, out), x, x.astype(float), "mse", opt, 48, 300)


def poisson(data: str, opt: Any, **more: Any) -> Setup:
    """Poisson regression whose rate is the exponential of the last layer."""
    rate = layers().Dense(1, k().ops.exp)
    _, y = counts()
    mean = y.mean()
    base = float(mean - mean * math.log(mean))
    return on(data, [dense(20, "relu")], opt, rate, loss=poisson_loss, baseline=base, **more)


def poisson_loss(y: Any, rate: Any) -> Any:
    return k().ops.mean(rate - y * k().ops.log(rate), axis=-1)


def root_error(y: Any, p: Any) -> Any:
    """Root of the squared error of a row: 0 / 0 in the gradient where a prediction is exact."""
    return k().ops.sqrt(k().ops.mean(k().ops.square(y - p), axis=-1))


def root_log_error(y: Any, p: Any) -> Any:
    """Squared error of logarithms, without a floor: log of a negative number below -1."""
    return k().ops.mean(k().ops.square(k().ops.log(1 + y) - k().ops.log(1 + p)), axis=-1)


def gaussian(y: Any, p: Any) -> Any:
    """Negative log-likelihood; column 1 of ``p`` is the variance."""
    mean, variance = p[:, 0], p[:, 1]
    return 0.5 * (k().ops.log(variance) + k().ops.square(y[:, 0] - mean) / variance)


def guarded(y: Any, p: Any) -> Any:
    """The same, column 1 made positive."""
    p = k().ops.stack([p[:, 0], k().ops.softplus(p[:, 1]) + 1e-3], axis=1)
    return gaussian(y, p)


def focal(y: Any, p: Any) -> Any:
    """Focal loss written out: 0 * log(0) once a probability is 0."""
    return -k().ops.sum(y * k().ops.square(1 - p) * k().ops.log(p), axis=-1)


def entropy(y: Any, p: Any) -> Any:
    """Binary cross-entropy written out."""
    log = k().ops.log
    return -k().ops.mean(y * log(p) + (1 - y) * log(1 - p), axis=-1)


def from_one(setup: Setup) -> Setup:
    """Labels counted from 1: 1 and 2 where the loss takes 0 and 1."""
    setup.y = setup.y + 1
    return setup


def own(function: Callable[[Any], Any]) -> Any:
    return layers().Lambda(function)


def own_softmax(z: Any) -> Any:
    """Without the largest logit taken off: exp overflows."""
    e = k().ops.exp(z)
    return e / k().ops.sum(e, axis=-1, keepdims=True)


def unit_length(v: Any) -> Any:
    """Rows divided by their length, which is 0 for empty rows."""
    return v / k().ops.sqrt(k().ops.sum(k().ops.square(v), axis=-1, keepdims=True))


def row_norm(v: Any) -> Any:
    """Layer normalisation without epsilon: 0 / 0 where all units of a row are equal."""
    v = v - k().ops.mean(v, axis=-1, keepdims=True)
    return v / k().ops.std(v, axis=-1, keepdims=True)


def rates() -> Any:
    return k().optimizers.schedules
