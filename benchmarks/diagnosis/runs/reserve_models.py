"""Models and losses of the ``V-`` runs, and the set-ups that they share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.diagnosis.runs.base import Setup
from benchmarks.diagnosis.runs.models import dense, k
from benchmarks.diagnosis.runs.reserve_data import DATA, codes
from benchmarks.diagnosis.runs.unseen_data import Data
from benchmarks.diagnosis.runs.unseen_models import layers, on, own


def fit(data: str | Data, body: list[Any], opt: Any, head: Any = None, **more: Any) -> Setup:
    """Any list of layers on one of ``DATA``, with the head and the loss that fit."""
    rows = DATA[data]() if isinstance(data, str) else data
    return on(rows, body, opt, head, **{"batch": 36, **more})


def plain(
    data: str,
    depth: int,
    units: int,
    act: Any,
    opt: Any,
    init: Callable[[], Any] | str = "glorot_uniform",
    **more: Any,
) -> Setup:
    """Dense layers; ``each`` are further arguments of every hidden one, ``after`` a layer behind.

    ``first`` and ``last`` are layers before and after them.
    """
    each, after = more.pop("each", {}), more.pop("after", None)
    body, last = more.pop("first", []), more.pop("last", [])
    for _ in range(depth):
        body.append(dense(units, act, init() if callable(init) else init, **each))
        body += [after()] if after else []
    return fit(data, [*body, *last], opt, **more)


def labels(opt: Any, *, width: int = 40, act: str = "relu", **more: Any) -> Setup:
    """Several labels a row."""
    return plain("genres", 2, width, act, opt, head=dense(6, "sigmoid"), **{"loss": "bce", **more})


def pictures(
    widths: tuple[int, ...], act: Any, opt: Any, data: str = "shapes", **more: Any
) -> Setup:
    """Convolutions with a stride of 2 in the first and the third, then what is in ``tail``.

    ``first`` are layers before them, ``after`` makes those that come behind each, and
    ``each`` are further arguments of every convolution.
    """
    each, after = more.pop("each", {}), more.pop("after", None)
    body, tail = more.pop("first", []), more.pop("tail", None)
    for i, width in enumerate(widths):
        stride = 2 if i in (0, 2) else 1
        body.append(layers().Conv2D(width, 3, stride, "same", activation=act, **each))
        body += after() if after else []
    body += [layers().Flatten()] if tail is None else tail()
    return fit(data, body, opt, **{"steps": 240, **more})


def lenet(act: str, opt: Any) -> Setup:
    """LeCun et al. 1998, with two dense layers more."""
    pool = lambda: layers().AveragePooling2D(2)
    body = [layers().Conv2D(6, 3, activation=act), pool(), layers().Conv2D(16, 3, activation=act)]
    body += [pool(), layers().Flatten(), *(dense(units, act) for units in (60, 42, 30, 24))]
    return fit("shapes", body, opt)


def sounds(depth: int, act: str, opt: Any, data: str = "tones", **more: Any) -> Setup:
    """Convolutions along ``tones``, every other with a stride of 2, then ``pool``."""
    each, pool = more.pop("each", {}), more.pop("pool", None)
    body: list[Any] = []
    for i in range(depth):
        body.append(layers().Conv1D(16, 6, 1 + i % 2, "same", activation=act, **each))
    pool = layers().GlobalAveragePooling1D() if pool is None else pool
    return fit(data, [*body, pool], opt, **more)


def remember(length: int, body: list[Any], opt: Any, **more: Any) -> Setup:
    """Recurrent layers that must keep what came first."""
    return fit(codes(length), body, opt, **{"steps": 260, **more})


def letters(body: list[Any], opt: Any, data: str = "mail", *, mask: bool = False, **more) -> Setup:
    """An embedding, and any layers."""
    return fit(data, [layers().Embedding(120, 18, mask_zero=mask), *body], opt, **more)


def encoder(blocks: int, opt: Any, *, skip: bool = True, post: bool = False) -> Setup:
    """Transformer: normalised before or after each part, and with what comes in added or not."""
    x, y = DATA["mail"]()
    entry = k().Input(x.shape[1:], dtype="int32")
    norm = lambda: layers().LayerNormalization()
    h = layers().Embedding(120, 24)(entry)
    for _ in range(blocks):
        for kind in ("attention", "dense"):
            z = h if post or not skip else norm()(h)
            if kind == "attention":
                z = layers().MultiHeadAttention(3, 8)(z, z)
            else:
                z = dense(24)(dense(48, "relu")(z))
            h = h + z if skip else z
            h = norm()(h) if post else h
    h = layers().GlobalAveragePooling1D()(h)
    return Setup(k().Model(entry, dense(1, "sigmoid")(h)), x, y, "bce", opt, 36, 240)


def pooled(opt: Any, data: str, share: Callable[[Any, Any], Any]) -> Setup:
    """Mean of the vectors of words; ``share`` makes it of vectors [n, words, 18] and words."""
    x, y = DATA[data]()
    entry = k().Input(x.shape[1:], dtype="int32")
    h = share(layers().Embedding(120, 18)(entry), entry)
    return Setup(
        k().Model(entry, dense(1, "sigmoid")(dense(20, "relu")(h))), x, y, "bce", opt, 36, 300
    )


def mean_where(test: str, floor: float) -> Callable[[Any, Any], Any]:
    """Mean over the places where ``test`` of a word and 0 holds, divided by ``floor`` at least."""

    def mean(vectors: Any, words: Any) -> Any:
        ops = k().ops
        take = ops.cast(getattr(ops, test)(words, 0), "float32")[:, :, None]
        return ops.sum(take * vectors, axis=1) / ops.maximum(ops.sum(take, axis=1), floor)

    return mean


def residual(blocks: int, opt: Any, *, norm: bool) -> Setup:
    """Convolutions with what comes in added, batch normalisation in between or not."""
    x, y = DATA["shapes"]()
    entry = k().Input(x.shape[1:])
    h = layers().Conv2D(14, 3, 2, "same")(entry)
    for _ in range(blocks):
        z = h
        for _ in range(2):
            z = layers().BatchNormalization()(z) if norm else z
            z = layers().Conv2D(14, 3, 1, "same", kernel_initializer="he_normal")(
                layers().ReLU()(z)
            )
        h = h + z
    out = dense(5, "softmax")(layers().GlobalAveragePooling2D()(h))
    return Setup(k().Model(entry, out), x, y, "cce", opt, 36, 200)


def excited(opt: Any) -> Setup:
    """Channels multiplied by gates (Hu et al. 2018)."""
    x, y = DATA["shapes"]()
    h = entry = k().Input(x.shape[1:])
    for width in (14, 20, 20):
        h = layers().Conv2D(width, 3, padding="same", activation="relu")(h)
        gate = dense(6, "relu")(layers().GlobalAveragePooling2D()(h))
        h = layers().MaxPooling2D()(h * dense(width, "sigmoid")(gate)[:, None, None, :])
    out = dense(5, "softmax")(layers().Flatten()(h))
    return Setup(k().Model(entry, out), x, y, "cce", opt, 36, 240)


def triangle(low: float, high: float, half: int) -> Any:
    """Cyclical rate (Smith 2017)."""
    keras = k()

    class Triangle(keras.optimizers.schedules.LearningRateSchedule):
        def __call__(self, step: Any) -> Any:
            at = keras.ops.cast(step, "float32") % (2 * half) / half
            return low + (high - low) * (1 - keras.ops.abs(at - 1))

    return Triangle()


def constant_column(data: str) -> Data:
    """A column that never changes, standardised by hand: 0 / 0."""
    x, y = DATA[data]()
    with np.errstate(invalid="ignore"):
        x[:, 2] = (x[:, 2] * 0) / (x[:, 2] * 0).std()
    return x, y


def relative(y: Any, p: Any) -> Any:
    """Relative error, without a floor for targets of 0."""
    return k().ops.mean(k().ops.abs(y - p) / y, axis=-1)


def divergence(y: Any, p: Any) -> Any:
    """Kullback-Leibler divergence written out: 0 * log 0."""
    return k().ops.sum(y * k().ops.log(y / p), axis=-1)


def overlap(y: Any, p: Any) -> Any:
    """Logarithm of the Dice coefficient of a row, which has none where nothing is true."""
    total = lambda v: k().ops.sum(v, axis=-1)
    return -k().ops.log(2 * total(y * p) / (total(y) + total(p)))


def log_variance(y: Any, p: Any) -> Any:
    """Negative log-likelihood; column 1 of ``p`` is the logarithm of the variance."""
    square = k().ops.square(y[:, 0] - p[:, 0])
    return 0.5 * (1.8379 + p[:, 1] + square * k().ops.exp(-p[:, 1]))


def own_softplus(z: Any) -> Any:
    """Written out: exp overflows beyond 88."""
    return k().ops.log(1 + k().ops.exp(z))


def deviation() -> Any:
    """Standard deviation along a sequence: the root has no derivative at 0."""
    return own(lambda h: k().ops.sqrt(k().ops.var(h, axis=1)))


def power(z: Any) -> Any:
    """Gamma correction."""
    return k().ops.power(z, 0.45)


def per_kilometre(z: Any) -> Any:
    """All features divided by the number of calls, which may be 0."""
    return k().ops.concatenate([z, z / z[:, 2:3]], axis=1)
