"""Models and losses of the ``S-`` runs, and the set-ups that they share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.diagnosis.runs.base import Setup
from benchmarks.diagnosis.runs.models import dense, k
from benchmarks.diagnosis.runs.sealed_data import DATA, bandit, clicks, domains, latch, segments
from benchmarks.diagnosis.runs.unseen_data import Data
from benchmarks.diagnosis.runs.unseen_models import layers, on, own


def fit(data: str | Data, body: list[Any], opt: Any, head: Any = None, **more: Any) -> Setup:
    """Any list of layers on one of ``DATA``, with the head and the loss that fit."""
    rows = DATA[data]() if isinstance(data, str) else data
    return on(rows, body, opt, head, **{"batch": 40, **more})


def plain(
    data: str | Data,
    depth: int,
    units: int,
    act: Any,
    opt: Any,
    init: Callable[[], Any] = lambda: "glorot_uniform",
    **more: Any,
) -> Setup:
    """Dense layers; ``each`` are further arguments of every hidden one."""
    each = more.pop("each", {})
    body = [dense(units, act, init(), **each) for _ in range(depth)]
    return fit(data, body, opt, **more)


def between(
    data: str, depth: int, units: int, act: str, layer: Callable[[], Any], opt: Any, **more: Any
) -> Setup:
    """Dense layers, and such a layer after each of them."""
    body = [make for _ in range(depth) for make in (dense(units, act), layer())]
    return fit(data, body, opt, **more)


def embedded(body: list[Any], opt: Any, data: str = "intent", start: Any = "uniform") -> Setup:
    return fit(data, [layers().Embedding(150, 14, start), *body], opt)


def conv(
    widths: tuple[int, ...], act: Any, opt: Any, *, data: Data | None = None, **more: Any
) -> Setup:
    """Convolutions on ``segments``, the second and the fourth with a stride of 2.

    ``first`` are layers before them, ``after`` makes those that come behind each, and
    ``each`` are further arguments of every convolution.
    """
    each, after = more.pop("each", {}), more.pop("after", None)
    body = more.pop("first", [])
    for i, width in enumerate(widths):
        stride = 2 if i in (1, 3) else 1
        body.append(layers().Conv2D(width, 3, stride, "same", activation=act, **each))
        body += after() if after else []
    body.append(layers().Flatten())
    return fit(data or segments(), body, opt, **{"steps": 220, **more})


def conv1d(depth: int, act: str, opt: Any, **each: Any) -> Setup:
    """Convolutions along the beats of ``ecg``."""
    body: list[Any] = []
    for _ in range(depth):
        body.append(layers().Conv1D(14, 5, padding="same", activation=act, **each))
    return fit("ecg", [*body, layers().GlobalMaxPooling1D()], opt)


def keep(length: int, body: list[Any], opt: Any, **more: Any) -> Setup:
    """Recurrent layers that must keep the mean of the first four steps."""
    return fit(latch(length), body, opt, **{"steps": 250, **more})


def leaky(units: int, share: float) -> Any:
    """A recurrence of one's own that keeps ``share`` of its state at every step."""
    keras = k()

    class Leaky(keras.layers.Layer):
        def __init__(self) -> None:
            super().__init__()
            self.state_size = self.output_size = units
            self.inward = keras.layers.Dense(units, "tanh")

        def build(self, shape: Any) -> None:
            self.inward.build(shape)

        def call(self, x: Any, states: Any) -> Any:
            h = share * states[0] + (1 - share) * self.inward(x)
            return h, [h]

    return keras.layers.RNN(Leaky())


def points(body: list[Any], opt: Any, pool: Any = None) -> Setup:
    """The same layers for every point, then their mean over all points."""
    return fit("clouds", [*body, pool or layers().GlobalAveragePooling1D()], opt)


def encoder(data: str, blocks: int, opt: Any, *, mask: Any = None) -> Setup:
    """Transformer without positions; ``mask`` adds to the scores of places that hold no word."""
    x, y = DATA[data]()
    words = np.issubdtype(x.dtype, np.integer)
    entry = k().Input(x.shape[1:], dtype=x.dtype.name)
    h = layers().Embedding(150, 20)(entry) if words else dense(20)(entry)
    for _ in range(blocks):
        z = layers().LayerNormalization()(h)
        if mask is None:
            z = layers().MultiHeadAttention(2, 10)(z, z)
        else:
            q, key, value = dense(20)(z), dense(20)(z), dense(20)(z)
            scores = k().ops.matmul(q, k().ops.transpose(key, (0, 2, 1))) / 20**0.5
            pad = k().ops.cast(k().ops.equal(entry, 0), "float32")[:, None, :]
            scores = k().ops.where(pad > 0, mask, scores)
            z = k().ops.matmul(k().ops.softmax(scores), value)
        h = h + z
        z = layers().LayerNormalization()(h)
        h = h + dense(20)(dense(40, "gelu")(z))
    h = layers().GlobalAveragePooling1D()(h)
    model = k().Model(entry, dense(y.shape[1], "softmax")(h))
    return Setup(model, x, y, "cce", opt, 40, 250)


def gates(depth: int, opt: Any) -> Setup:
    """Every layer multiplies what comes in by a sigmoid, with nothing added around it."""
    x, y = DATA["teacher"]()
    entry = k().Input((16,))
    h = dense(26)(entry)
    for _ in range(depth):
        h = h * dense(26, "sigmoid")(h)
    return Setup(k().Model(entry, dense(7, "softmax")(h)), x, y, "cce", opt, 40, 300)


def summed(depth: int, opt: Any, *, mean: bool = False) -> Setup:
    """Every layer gets the sum (or the mean) of the outputs of all before it."""
    x, y = DATA["teacher"]()
    entry = k().Input((16,))
    outs = [dense(24)(entry)]
    for _ in range(depth):
        total = k().ops.add(outs[0], 0.0)
        for out in outs[1:]:
            total = total + out
        outs.append(dense(24, "relu", "he_normal")(total / len(outs) if mean else total))
    return Setup(k().Model(entry, dense(7, "softmax")(outs[-1])), x, y, "cce", opt, 40, 200)


def residual(blocks: int, opt: Any, *, rezero: bool = False) -> Setup:
    """Pre-norm blocks, or ReZero ones: no norm, and a factor that starts at 0."""
    keras = k()

    class Factor(keras.layers.Layer):
        def build(self, shape: Any) -> None:
            self.alpha = self.add_weight(shape=(), initializer="zeros", name="alpha")

        def call(self, z: Any) -> Any:
            return self.alpha * z

    x, y = DATA["teacher"]()
    entry = keras.Input((16,))
    h = dense(24)(entry)
    for _ in range(blocks):
        z = h if rezero else layers().LayerNormalization()(h)
        z = dense(24, None, "he_normal")(dense(36, "relu", "he_normal")(z))
        h = h + (Factor()(z) if rezero else z)
    return Setup(keras.Model(entry, dense(7, "softmax")(h)), x, y, "cce", opt, 40, 250)


def sparse(opt: Any) -> Setup:
    """Logistic regression on two embeddings; most rows are in no batch."""
    x, y = clicks()
    user, ad = k().Input((), dtype="int32"), k().Input((), dtype="int32")
    both = layers().Concatenate()(
        [layers().Embedding(150, 6)(user), layers().Embedding(4000, 6)(ad)]
    )
    return Setup(k().Model([user, ad], dense(1, "sigmoid")(both)), x, y, "bce", opt, 50, 400)


def policy(opt: Any) -> Setup:
    """Which arm to pull, by what arms that were pulled at random have paid."""
    return fit(bandit(), [dense(32, "relu")], opt, dense(4, "softmax"), loss=paid, batch=16)


def paid(y: Any, p: Any) -> Any:
    return -k().ops.sum(y * k().ops.log(p + 1e-7), axis=-1)


def adversarial(opt: Any) -> Setup:
    """Domain-adversarial training (Ganin et al. 2016): one head's gradient is turned around."""
    keras = k()
    x, y = domains()
    stop = keras.ops.stop_gradient
    entry = keras.Input((16,))
    h = dense(32, "relu")(dense(32, "relu")(entry))
    turned = own(lambda v: 1.2 * stop(v) - 0.2 * v)(h)
    source = dense(1, "sigmoid")(dense(16, "relu")(turned))
    out = layers().Concatenate()([dense(7, "softmax")(h), source])

    def both(y: Any, p: Any) -> Any:
        classes = keras.losses.categorical_crossentropy(y[:, :7], p[:, :7])
        return classes + keras.losses.binary_crossentropy(y[:, 7:], p[:, 7:])

    return Setup(keras.Model(entry, out), x, y, both, opt, 40, 300)


def coder(opt: Any, loss: Any, *, blank: float = 0.0, **more: Any) -> Setup:
    """Autoencoder of ``segments``."""
    x, _ = segments(blank=blank)
    flat = x.reshape(len(x), -1)
    body = [dense(48, "relu"), dense(16, "relu"), dense(48, "relu")]
    return fit((flat, flat.astype(float)), body, opt, dense(140), loss=loss, **more)


def correlation(y: Any, p: Any) -> Any:
    """1 - Pearson's r of a row: 0 / 0 where a row is constant."""
    y = y - k().ops.mean(y, axis=-1, keepdims=True)
    p = p - k().ops.mean(p, axis=-1, keepdims=True)
    total = lambda v: k().ops.sum(v, axis=-1)
    return 1 - total(y * p) / k().ops.sqrt(total(y * y) * total(p * p))


def broadcast(y: Any, p: Any) -> Any:
    """Targets [n] against predictions [n, 1]: every row is compared with all targets."""
    return k().ops.mean(k().ops.square(y[:, 0][None] - p), axis=-1)


def fourth(y: Any, p: Any) -> Any:
    return k().ops.mean((y - p) ** 4, axis=-1)


def log_cosh(y: Any, p: Any) -> Any:
    """Written out: cosh overflows beyond 89."""
    return k().ops.mean(k().ops.log(k().ops.cosh(y - p)), axis=-1)


def tweedie(y: Any, p: Any) -> Any:
    """Half the Tweedie deviance of power 1.5; a negative mean has no root."""
    return k().ops.mean(2 * y * p**-0.5 + 2 * p**0.5 - 4 * y**0.5, axis=-1)


def angular(y: Any, p: Any) -> Any:
    """ArcFace: a turned angle; what is beyond 1 has none."""
    ops = k().ops
    angle = ops.arccos(p)
    turned = ops.cos(angle + 0.2 * y)
    return k().losses.categorical_crossentropy(y, 8 * turned, from_logits=True)


def unit(v: Any) -> Any:
    return v / k().ops.sqrt(k().ops.sum(v * v, axis=-1, keepdims=True) + 1e-12)


def mixture(y: Any, p: Any) -> Any:
    """Three Gaussians as probabilities, not logarithms: all of them underflow far away."""
    ops = k().ops
    share, mean, width = ops.softmax(p[:, :3]), p[:, 3:6], ops.exp(p[:, 6:])
    density = ops.exp(-0.5 * ((y - mean) / width) ** 2) / (width * 2.5066)
    return -ops.log(ops.sum(share * density, axis=-1))


def pinball(y: Any, p: Any) -> Any:
    """Quantiles 0.1, 0.5 and 0.9."""
    q = k().ops.convert_to_tensor(np.array([[0.1, 0.5, 0.9]], "float32"))
    return k().ops.mean(k().ops.maximum(q * (y - p), (q - 1) * (y - p)), axis=-1)
