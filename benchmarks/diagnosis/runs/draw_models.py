"""Models, layers and losses of the ``D-`` runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.diagnosis.runs.base import Setup
from benchmarks.diagnosis.runs.draw_data import Data, hives, knots, order, rhymes, shake, stalls
from benchmarks.diagnosis.runs.models import dense, k

USUAL: dict[str, Any] = {"batch": 32, "steps": 300}


def lay() -> Any:
    return k().layers


def decays() -> Any:
    return k().optimizers.schedules


def always(value: float) -> Any:
    return k().initializers.Constant(value)


def flat(low: float, high: float) -> Any:
    return k().initializers.RandomUniform(low, high)


def ortho(gain: float) -> Any:
    return k().initializers.Orthogonal(gain)


def answer(y: np.ndarray) -> tuple[Any, str]:
    """Head and loss that fit the targets: classes, several tags at once, or numbers."""
    if not np.isin(y, (0, 1)).all():
        return dense(y.shape[1]), "mse"
    if y.shape[1] > 1 and (y.sum(1) == 1).all():
        return dense(y.shape[1], "softmax"), "cce"
    return dense(y.shape[1], "sigmoid"), "bce"


def chain(data: Data, body: list[Any], opt: Any, head: Any = None, **more: Any) -> Setup:
    """Layers in a row."""
    x, y = data
    usual, loss = answer(y)
    kind = {"dtype": "int32"} if x.dtype == np.int32 else {}
    entry = k().Input(x.shape[1:], **kind)
    model = k().Sequential([entry, *body, head or usual])
    return Setup(model, x, y, optimizer=opt, **{**USUAL, "loss": loss, **more})


def plain(data: Data, widths: tuple[int, ...], act: Any, opt: Any, **more: Any) -> Setup:
    """Dense layers.

    ``init`` makes an initialiser, ``each`` further arguments of a layer, ``after`` the layers
    behind each; ``first`` and ``last`` stand around them.
    """
    init, each, after = more.pop("init", None), more.pop("each", dict), more.pop("after", list)
    body = [*more.pop("first", [])]
    for n in widths:
        body += [dense(n, act, init() if init else None, **each()), *after()]
    return chain(data, [*body, *more.pop("last", [])], opt, **more)


def roped(widths: tuple[int, ...], act: Any, opt: Any, **more: Any) -> Setup:
    """Convolutions of pictures, the first with a stride of 2; options as in ``plain``."""
    each, after, body = more.pop("each", dict), more.pop("after", list), [*more.pop("first", [])]
    for i, n in enumerate(widths):
        body += [lay().Conv2D(n, 3, 2 - (i > 0), "same", activation=act, **each()), *after()]
    last = more.pop("last", None) or [lay().Flatten()]
    data = more.pop("data", None) or knots()
    return chain(data, [*body, *last], opt, **{"steps": 250, **more})


def shaken(widths: tuple[int, ...], act: Any, opt: Any, **more: Any) -> Setup:
    """Convolutions along ``shake``, then the mean over time; options as in ``plain``."""
    each, after, body = more.pop("each", dict), more.pop("after", list), [*more.pop("first", [])]
    for i, n in enumerate(widths):
        body += [lay().Conv1D(n, 5, 2 - (i > 1), "same", activation=act, **each()), *after()]
    last = more.pop("last", None) or [lay().GlobalAveragePooling1D()]
    data = more.pop("data", None) or shake()
    return chain(data, [*body, *last], opt, **{"steps": 250, **more})


def sung(body: list[Any], opt: Any, rows: int = 60, **more: Any) -> Setup:
    """Embedded syllables of ``rhymes``."""
    data = rhymes(more.pop("pad", 0), unknown=more.pop("unknown", False))
    table = lay().Embedding(rows, 12, mask_zero=more.pop("mask", False))
    return chain(data, [table, *body], opt, **more)


def priced(opt: Any, widths: tuple[int, ...], act: Any = "relu", **more: Any) -> Setup:
    """Embedded goods and stalls beside numbers, below dense layers."""
    x, y = stalls(endless=more.pop("endless", 0.0))
    good, stall, numbers = (
        k().Input((), dtype="int32"),
        k().Input((), dtype="int32"),
        k().Input((3,)),
    )
    h = lay().Concatenate()([lay().Embedding(60, 6)(good), lay().Embedding(12, 4)(stall), numbers])
    for n in widths:
        h = dense(n, act)(h)
    model = k().Model([good, stall, numbers], dense(1)(h))
    return Setup(model, x, y, "mse", opt, **{**USUAL, **more})


def yard(opt: Any, depth: int, act: Any = "relu", *, total: bool = False, **more: Any) -> Setup:
    """Graph convolutions of ``hives``: mix neighbours, then a dense layer for every hive."""
    x, y = hives(total)
    width, init = more.pop("width", 24), more.pop("init", None)
    traits, near = k().Input((10, 4)), k().Input((10, 10))
    h = traits
    for _ in range(depth):
        mixed = lay().Concatenate()([h, k().ops.matmul(near, h)])
        h = dense(width, act, init() if init else None)(mixed)
    out = dense(1)(lay().GlobalAveragePooling1D()(h))
    return Setup(k().Model([traits, near], out), x, y, "mse", opt, **{**USUAL, **more})


def steps_of(data: Data, blocks: int, opt: Any, branch: Callable[[Any], Any], **more: Any) -> Setup:
    """Residual network: ``branch`` gives what is added to 32 values, ``blocks`` times."""
    x, y = data
    head, loss = answer(y)
    entry = k().Input(x.shape[1:])
    h = dense(32)(entry)
    for _ in range(blocks):
        h = h + branch(h)
    h = more.pop("last", lambda h: h)(h)
    return Setup(k().Model(entry, head(h)), x, y, loss, opt, **{**USUAL, **more})


def normed(h: Any) -> Any:
    h = dense(32, "gelu")(lay().LayerNormalization()(h))
    return dense(32)(h)


def small(h: Any) -> Any:
    """A branch of a stddev of 1e-3: next to nothing is added at first."""
    return dense(32, None, k().initializers.RandomNormal(0, 1e-3))(dense(32, "relu")(h))


def bare(h: Any) -> Any:
    return dense(32, None, "he_normal")(dense(32, "relu", "he_normal")(h))


def letters(
    opt: Any, blocks: int = 1, *, skip: bool = True, norm: bool = True, **more: Any
) -> Setup:
    """Transformer of ``order``, with the mean over letters; ``init`` makes an initialiser."""
    x, y = order()
    init = more.pop("init", None)
    start = lambda: {"kernel_initializer": init()} if init else {}
    even = lambda h: lay().LayerNormalization()(h) if norm else h
    entry = k().Input((10,), dtype="int32")
    h = lay().Embedding(20, 16)(entry) + lay().Embedding(10, 16)(k().ops.arange(10))
    for _ in range(blocks):
        z = even(h)
        z = lay().MultiHeadAttention(2, 8, **start())(z, z)
        h = h + z if skip else z
        z = lay().Dense(16, **start())(lay().Dense(32, "relu", **start())(even(h)))
        h = h + z if skip else z
    out = dense(1, "sigmoid")(lay().GlobalMaxPooling1D()(even(h)))
    return Setup(k().Model(entry, out), x, y, "bce", opt, **{**USUAL, **more})


def joined(
    data: Data, opt: Any, weights: tuple[float, float], widths: tuple[int, ...] = (32, 32)
) -> Setup:
    """A trunk and two heads, one for a number and one for its sign; ``weights`` of both losses."""
    x, y = data
    both = np.concatenate([y, y > 0], 1)
    entry = h = k().Input(x.shape[1:])
    for n in widths:
        h = dense(n, "relu")(h)
    out = lay().Concatenate()([dense(1)(h), dense(1, "sigmoid")(h)])

    def loss(y: Any, p: Any) -> Any:
        sign = k().losses.binary_crossentropy(y[:, 1:], p[:, 1:])
        return weights[0] * k().ops.square(y[:, 0] - p[:, 0]) + weights[1] * sign

    base = weights[0] * float(y.var()) + weights[1] * 0.69
    return Setup(k().Model(entry, out), x, both, loss, opt, baseline=base, **USUAL)


def against(data: Data, opt: Any, share: float = 0.3, **more: Any) -> Setup:
    """Two players: features for the first answer, turned against the second, which must not know.

    The gradient of the second head changes its sign where it enters the features.
    """
    import tensorflow as tf

    @tf.custom_gradient
    def turned(h: Any) -> Any:
        return tf.identity(h), lambda g: -share * g

    class Turn(lay().Layer):
        def call(self, h: Any) -> Any:
            return turned(h)

    x, y = data
    entry = k().Input(x.shape[1:])
    h = dense(24, "relu")(dense(32, "relu")(entry))
    other = dense(1, "sigmoid")(dense(12, "relu")(Turn()(h)))
    model = k().Model(entry, lay().Concatenate()([dense(1, "sigmoid")(h), other]))
    return Setup(model, x, y, "bce", opt, **{**USUAL, **more})


def gated(n: int) -> Any:
    """Gated linear units: half of the values times a sigmoid of the other half."""

    class Gate(lay().Layer):
        def call(self, h: Any) -> Any:
            a, b = k().ops.split(h, 2, axis=-1)
            return a * k().ops.sigmoid(b)

        def compute_output_shape(self, shape: Any) -> Any:
            return (*shape[:-1], shape[-1] // 2)

    return [dense(2 * n), Gate()]


def mapping(function: Callable[[Any], Any], shape: tuple[int, ...]) -> Any:
    return lay().Lambda(function, output_shape=shape)


def own_log_loss(y: Any, p: Any) -> Any:
    """Cross-entropy of one probability, without a smallest value."""
    log = k().ops.log
    return -k().ops.mean(y * log(p) + (1 - y) * log(1 - p), axis=-1)


def log_error(y: Any, p: Any) -> Any:
    """Squared difference of the logs."""
    return k().ops.mean(k().ops.square(k().ops.log(y) - k().ops.log(p)), axis=-1)


def poisson(y: Any, p: Any) -> Any:
    return k().ops.mean(p - y * k().ops.log(p), axis=-1)


def student(y: Any, p: Any) -> Any:
    """Likelihood of a heavy-tailed distribution; the second column is its width as it is."""
    ops = k().ops
    return ops.log(p[:, 1]) + 1.5 * ops.log(1 + ops.square((y[:, 0] - p[:, 0]) / p[:, 1]))


def own_softmax(x: Any) -> Any:
    """Exponentials over their sum, without taking away the largest."""
    e = k().ops.exp(x)
    return e / k().ops.sum(e, axis=-1, keepdims=True)


def own_entropy(y: Any, p: Any) -> Any:
    return -k().ops.sum(y * k().ops.log(p), axis=-1)


def unit(x: Any) -> Any:
    """Rows divided by their length, which may be 0."""
    return x / k().ops.sqrt(k().ops.sum(k().ops.square(x), axis=-1, keepdims=True))


def brightened(x: Any) -> Any:
    """Pictures divided by their brightest pixel, which may be 0."""
    return x / k().ops.max(x, axis=(1, 2, 3), keepdims=True)


def share_of_sum(x: Any) -> Any:
    """ReLU, as shares of the sum, which may be 0."""
    h = k().ops.relu(x)
    return h / k().ops.sum(h, axis=-1, keepdims=True)
