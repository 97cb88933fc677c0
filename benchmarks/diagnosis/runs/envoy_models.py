"""Models, layers and losses of the ``E-`` runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.diagnosis.runs.base import Setup
from benchmarks.diagnosis.runs.envoy_data import Data, buttons, menus, riders, vowels, wires
from benchmarks.diagnosis.runs.models import dense, k

USUAL: dict[str, Any] = {"batch": 32, "steps": 250}


def lay() -> Any:
    return k().layers


def rates() -> Any:
    return k().optimizers.schedules


def fixed(value: float) -> Any:
    return k().initializers.Constant(value)


def between(low: float, high: float) -> Any:
    return k().initializers.RandomUniform(low, high)


def turn(gain: float) -> Any:
    return k().initializers.Orthogonal(gain)


def l2(factor: float) -> dict[str, Any]:
    return {"kernel_regularizer": k().regularizers.L2(factor)}


def usual_head(y: np.ndarray) -> tuple[Any, str]:
    """Head and loss that fit the targets."""
    if not np.isin(y, (0, 1)).all():
        return dense(y.shape[1]), "mse"
    if y.shape[1] > 1 and (y.sum(1) == 1).all():
        return dense(y.shape[1], "softmax"), "cce"
    return dense(y.shape[1], "sigmoid"), "bce"


def row(data: Data, body: list[Any], opt: Any, head: Any = None, **more: Any) -> Setup:
    """Layers one behind the other, and a head."""
    x, y = data
    usual, loss = usual_head(y)
    kind = {"dtype": "int32"} if x.dtype == np.int32 else {}
    model = k().Sequential([k().Input(x.shape[1:], **kind), *body, head or usual])
    return Setup(model, x, y, optimizer=opt, **{**USUAL, "loss": loss, **more})


def mlp(data: Data, widths: tuple[int, ...], act: Any, opt: Any, **more: Any) -> Setup:
    """Dense layers.

    ``init`` makes an initialiser, ``each`` further arguments of a layer, ``behind`` the layers
    after each; ``first`` and ``last`` stand around them.
    """
    init, each = more.pop("init", None), more.pop("each", dict)
    behind, body = more.pop("behind", list), [*more.pop("first", [])]
    for n in widths:
        body += [dense(n, act, init() if init else None, **each()), *behind()]
    return row(data, [*body, *more.pop("last", [])], opt, **more)


def seen(widths: tuple[int, ...], act: Any, opt: Any, **more: Any) -> Setup:
    """Convolutions of pictures, the first with a stride of 2; options as in ``mlp``."""
    each, behind = more.pop("each", dict), more.pop("behind", list)
    body, data = [*more.pop("first", [])], more.pop("data", None) or buttons()
    for i, n in enumerate(widths):
        body += [lay().Conv2D(n, 3, 2 - (i > 0), "same", activation=act, **each()), *behind()]
    last = more.pop("last", None) or [lay().Flatten()]
    return row(data, [*body, *last], opt, **{"steps": 200, **more})


def eaten(body: list[Any], opt: Any, **more: Any) -> Setup:
    """Embedded dishes of ``menus``."""
    data = menus(more.pop("pad", 0), unknown=more.pop("unknown", False))
    table = lay().Embedding(70, 10, mask_zero=more.pop("mask", False))
    return row(data, [table, *body], opt, **more)


def ridden(opt: Any, widths: tuple[int, ...], act: Any = "relu", **more: Any) -> Setup:
    """Embedded riders and horses beside numbers, below dense layers."""
    x, y = riders(endless=more.pop("endless", 0.0))
    who, horse = k().Input((), dtype="int32"), k().Input((), dtype="int32")
    numbers = k().Input((4,))
    h = lay().Concatenate()([lay().Embedding(40, 5)(who), lay().Embedding(25, 5)(horse), numbers])
    init = more.pop("init", None)
    for n in widths:
        h = dense(n, act, init() if init else None)(h)
    model = k().Model([who, horse, numbers], dense(1, "sigmoid")(h))
    return Setup(model, x, y, "bce", opt, **{**USUAL, **more})


def wired(opt: Any, depth: int, act: Any = "relu", **more: Any) -> Setup:
    """Graph convolutions of ``wires``: a lamp and what its neighbours say, ``depth`` times."""
    x, y = wires(more.pop("total", False))
    width, init = more.pop("width", 16), more.pop("init", None)
    traits, near = k().Input((8, 3)), k().Input((8, 8))
    h = traits
    for _ in range(depth):
        h = lay().Concatenate()([h, k().ops.matmul(near, h)])
        h = dense(width, act, init() if init else None)(h)
    out = dense(1)(lay().GlobalAveragePooling1D()(h))
    return Setup(k().Model([traits, near], out), x, y, "mse", opt, **{**USUAL, **more})


def skipping(data: Data, blocks: int, opt: Any, branch: Callable[[Any], Any], **more: Any) -> Setup:
    """Residual network of 24 values."""
    x, y = data
    head, loss = usual_head(y)
    entry = k().Input(x.shape[1:])
    h = dense(24)(entry)
    for _ in range(blocks):
        h = h + branch(h)
    h = more.pop("last", lambda h: h)(h)
    return Setup(k().Model(entry, head(h)), x, y, loss, opt, **{**USUAL, **more})


def calm(h: Any) -> Any:
    return dense(24)(dense(24, "relu")(lay().LayerNormalization()(h)))


def silent(h: Any) -> Any:
    """Adds nothing at first."""
    return dense(24, None, "zeros")(dense(24, "relu")(h))


def loud(h: Any) -> Any:
    return dense(24, None, "he_normal")(dense(24, "relu", "he_normal")(h))


def spelled(
    opt: Any, blocks: int = 1, *, skip: bool = True, norm: bool = True, **more: Any
) -> Setup:
    """Transformer of ``vowels`` that answers by all letters; ``init`` makes an initialiser."""
    x, y = vowels()
    init = more.pop("init", None)
    start = lambda: {"kernel_initializer": init()} if init else {}
    level = lambda h: lay().LayerNormalization()(h) if norm else h
    entry = k().Input((9,), dtype="int32")
    h = lay().Embedding(16, 16)(entry) + lay().Embedding(9, 16)(k().ops.arange(9))
    for _ in range(blocks):
        z = level(h)
        z = lay().MultiHeadAttention(2, 8, **start())(z, z)
        h = h + z if skip else z
        z = lay().Dense(16, **start())(lay().Dense(32, "relu", **start())(level(h)))
        h = h + z if skip else z
    out = dense(1, "sigmoid")(lay().Flatten()(level(h)))
    return Setup(k().Model(entry, out), x, y, "bce", opt, **{**USUAL, **more})


def both(data: Data, opt: Any, weights: tuple[float, float]) -> Setup:
    """A trunk with a head for the number and one for whether it is large; weights of both."""
    x, y = data
    targets = np.concatenate([y, y > 0.5], 1)
    entry = k().Input(x.shape[1:])
    h = dense(24, "relu")(dense(32, "relu")(entry))
    out = lay().Concatenate()([dense(1)(h), dense(1, "sigmoid")(h)])

    def loss(y: Any, p: Any) -> Any:
        large = k().losses.binary_crossentropy(y[:, 1:], p[:, 1:])
        return weights[0] * k().ops.square(y[:, 0] - p[:, 0]) + weights[1] * large

    share = float(np.mean(y > 0.5))
    entropy = -share * np.log(share) - (1 - share) * np.log(1 - share)
    base = weights[0] * float(y.var()) + weights[1] * float(entropy)
    return Setup(k().Model(entry, out), x, targets, loss, opt, baseline=base, **USUAL)


def rivals(data: Data, opt: Any, share: float = 0.4, **more: Any) -> Setup:
    """Features for the first answer, turned against a rival that guesses the second from them."""
    import tensorflow as tf

    @tf.custom_gradient
    def turned(h: Any) -> Any:
        return tf.identity(h), lambda g: -share * g

    class Turned(lay().Layer):
        def call(self, h: Any) -> Any:
            return turned(h)

    x, y = data
    entry = k().Input(x.shape[1:])
    h = dense(16, "relu")(dense(32, "relu")(entry))
    rival = dense(1, "sigmoid")(dense(16, "relu")(Turned()(h)))
    model = k().Model(entry, lay().Concatenate()([dense(1, "sigmoid")(h), rival]))
    return Setup(model, x, y, "bce", opt, **{**USUAL, **more})


def forged(opt: Any, **more: Any) -> Setup:
    """Coder of ``pleats`` against a critic that tells its copies from true rows.

    Both play in one loss: what the critic gains flows into the coder turned round.
    """
    import tensorflow as tf

    from benchmarks.diagnosis.runs.envoy_data import pleats

    @tf.custom_gradient
    def turned(h: Any) -> Any:
        return tf.identity(h), lambda g: -0.1 * g

    class Turned(lay().Layer):
        def call(self, h: Any) -> Any:
            return turned(h)

    x, y = pleats()
    entry = k().Input((28,))
    copy = dense(28)(dense(24, "relu")(dense(6)(dense(24, "relu")(entry))))
    critic = k().Sequential([k().Input((28,)), dense(16, "relu"), dense(1, "sigmoid")])
    out = lay().Concatenate()([copy, critic(entry), critic(Turned()(copy))])

    def loss(y: Any, p: Any) -> Any:
        near = k().ops.mean(k().ops.square(y - p[:, :28]), axis=-1)
        true = k().ops.log(p[:, 28] + 1e-6)
        false = k().ops.log(1 - p[:, 29] + 1e-6)
        return near - 0.1 * (true + false)

    base = float(y.var(0).mean()) + 0.1386
    return Setup(k().Model(entry, out), x, y, loss, opt, baseline=base, **{**USUAL, **more})


def mapped(function: Callable[[Any], Any], shape: tuple[int, ...]) -> Any:
    return lay().Lambda(function, output_shape=shape)


def bare_log_loss(y: Any, p: Any) -> Any:
    """Cross-entropy of probabilities, with nothing that keeps them from 0 and 1."""
    log = k().ops.log
    return -k().ops.mean(y * log(p) + (1 - y) * log(1 - p), axis=-1)


def ratio_error(y: Any, p: Any) -> Any:
    """Squared log of how many times too large the prediction is."""
    return k().ops.mean(k().ops.square(k().ops.log(p / y)), axis=-1)


def counted(y: Any, p: Any) -> Any:
    """Poisson's likelihood."""
    return k().ops.mean(p - y * k().ops.log(p), axis=-1)


def laplace(y: Any, p: Any) -> Any:
    """Likelihood of a two-sided exponential whose width is the second column as it is."""
    return k().ops.log(2 * p[:, 1]) + k().ops.abs(y[:, 0] - p[:, 0]) / p[:, 1]


def root_error(y: Any, p: Any) -> Any:
    """Difference of the square roots."""
    return k().ops.mean(k().ops.square(k().ops.sqrt(y) - k().ops.sqrt(p)), axis=-1)


def shares(x: Any) -> Any:
    """Exponentials over their sum, without taking away the largest."""
    e = k().ops.exp(x)
    return e / k().ops.sum(e, axis=-1, keepdims=True)


def picked_log(y: Any, p: Any) -> Any:
    return -k().ops.sum(y * k().ops.log(p), axis=-1)


def per_row(x: Any) -> Any:
    """Rows less their mean, divided by their deviation, which may be 0."""
    return (x - k().ops.mean(x, axis=-1, keepdims=True)) / k().ops.std(x, axis=-1, keepdims=True)


def per_picture(x: Any) -> Any:
    """Pictures divided by their sum, which may be 0."""
    return 100 * x / k().ops.sum(x, axis=(1, 2, 3), keepdims=True)
