"""Models, losses and functions of the ``K-`` runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.diagnosis.runs.base import Setup
from benchmarks.diagnosis.runs.models import dense, k
from benchmarks.diagnosis.runs.sequel_data import Data, duel, hearts, light, pointer, shops, weave
from benchmarks.diagnosis.runs.unseen_models import layers
from benchmarks.diagnosis.runs.veiled_models import COMMON, fit


def stacked(
    data: Data, widths: tuple[int, ...], act: Any, opt: Any, init: Any = None, **more: Any
) -> Setup:
    """Dense layers; ``init`` makes an initialiser, ``last`` are layers behind them."""
    start = lambda: {"kernel_initializer": init()} if init else {}
    body = [*more.pop("first", []), *(dense(n, act, **start()) for n in widths)]
    return fit(data, [*body, *more.pop("last", [])], opt, **more)


def cloth(widths: tuple[int, ...], act: Any, opt: Any, scale: float = 1.0, **more: Any) -> Setup:
    """Convolutions of ``weave`` with strides of 2 in the second; ``each``: further arguments."""
    each = more.pop("each", dict)
    body = list(more.pop("first", []))
    for i, n in enumerate(widths):
        body.append(layers().Conv2D(n, 3, 1 + (i == 1), "same", activation=act, **each()))
        body += more.get("after", list)()
    more.pop("after", None)
    body.append(layers().GlobalMaxPooling2D())
    return fit(weave(scale), body, opt, **{"steps": 200, **more})


def beat(widths: tuple[int, ...], act: Any, opt: Any, **more: Any) -> Setup:
    """Convolutions along ``hearts``, strides of 2, all places kept."""
    each, first = more.pop("each", dict), more.pop("first", [])
    body = [
        layers().Conv1D(n, 7, 2 if i < 2 else 1, "same", activation=act, **each())
        for i, n in enumerate(widths)
    ]
    return fit(more.pop("data", None) or hearts(), [*first, *body, layers().Flatten()], opt, **more)


def coder(widths: tuple[int, ...], act: Any, opt: Any, init: Any = None, **more: Any) -> Setup:
    """Autoencoder of ``light``."""
    return stacked(light(), widths, act, opt, init, **{"head": dense(40), "loss": "mse", **more})


def zeroed(h: Any) -> Any:
    """Residual branch whose last layer starts at 0."""
    return h + dense(h.shape[-1], None, "zeros")(dense(32, "relu", "he_normal")(h))


def multiplied(h: Any) -> Any:
    return h * dense(h.shape[-1], None, "he_normal")(h)


def match(opt: Any, tower: list[Any], join: Callable[[Any, Any], Any], **more: Any) -> Setup:
    """The same tower for both players of ``duel``."""
    x, y = duel(empty=more.pop("empty", 0.0))
    shared = k().Sequential([k().Input((8,)), *tower])
    a, b = k().Input((8,)), k().Input((8,))
    out = dense(1, "sigmoid")(join(shared(a), shared(b)))
    return Setup(k().Model([a, b], out), x, y, "bce", opt, **{**COMMON, **more})


def between(a: Any, b: Any) -> Any:
    return a - b


def cards(opt: Any, *, masked: bool = False, **more: Any) -> Setup:
    """One head of attention from the last place of ``pointer`` to all, and two dense layers."""
    x, y = pointer()
    entry = k().Input(x.shape[1:])
    h = dense(24)(entry) + layers().Embedding(8, 24, "glorot_uniform")(k().ops.arange(8))
    mask = np.arange(8)[None, None] == 7 if masked else None
    z = layers().MultiHeadAttention(2, 16)(h[:, -1:], h, attention_mask=mask)[:, 0]
    out = dense(4, "softmax")(dense(32, "relu")(z))
    return Setup(k().Model(entry, out), x, y, "cce", opt, **{**COMMON, **more})


def sales(opt: Any, rows: int = 120, init: Any = "uniform", **more: Any) -> Setup:
    """An embedding of the shop beside the day, and a dense layer."""
    x, y = shops()
    shop, day = k().Input((), dtype="int32"), k().Input((4,))
    h = k().ops.concatenate([layers().Embedding(rows, 6, init)(shop), day], axis=1)
    h = more.pop("head", dense(1))(dense(32, "relu")(h))
    return Setup(k().Model([shop, day], h), x, y, "mse", opt, **{**COMMON, **more})


def mixture(y: Any, p: Any) -> Any:
    """Likelihood of two Gaussians, written out: log of 0 far away from both."""
    ops = k().ops
    share, middle, width = p[:, :2], p[:, 2:4], ops.exp(p[:, 4:6])
    high = ops.exp(-0.5 * ops.square((y - middle) / width)) / (2.507 * width)
    return -ops.log(ops.sum(ops.softmax(share) * high, axis=-1))


def mixture_of_logs(y: Any, p: Any) -> Any:
    """The same with ``logsumexp``."""
    ops = k().ops
    share, middle, width = p[:, :2], p[:, 2:4], p[:, 4:6]
    high = -0.5 * ops.square((y - middle) * ops.exp(-width)) - width - 0.919
    return -ops.logsumexp(ops.log_softmax(share) + high, axis=-1)


def one_sided(y: Any, p: Any) -> Any:
    """Hinge loss for labels of -1 and 1."""
    return k().ops.mean(k().ops.relu(1 - y * p), axis=-1)


def two_tasks(y: Any, p: Any) -> Any:
    """Squared error of column 0, and cross-entropy of whether it is above the mean."""
    ops = k().ops
    high = ops.cast(y[:, 0] > 0, "float32")
    entropy = ops.binary_crossentropy(high, p[:, 1], from_logits=True)
    return ops.square(y[:, 0] - p[:, 0]) + 0.5 * entropy


def cosine(a: Any, b: Any) -> Any:
    """Written out: 0 / 0 for a vector of zeros; and both sums of skills."""
    ops = k().ops
    size = lambda v: ops.sqrt(ops.sum(v * v, axis=-1, keepdims=True))
    return ops.concatenate([ops.sum(a * b, -1, keepdims=True) / (size(a) * size(b)), a - b], -1)


def bell(z: Any) -> Any:
    return k().ops.exp(-k().ops.square(z))


def rooted(z: Any) -> Any:
    """Square root of what a ReLU lets through: no derivative at 0."""
    return k().ops.sqrt(k().ops.relu(z))


def windowed(z: Any) -> Any:
    """Each row standardised by itself."""
    ops = k().ops
    return (z - ops.mean(z, axis=1, keepdims=True)) / ops.std(z, axis=1, keepdims=True)


def inverse(z: Any) -> Any:
    return k().ops.concatenate([z, 1 / z], axis=-1)


def growing(low: float, factor: float) -> Any:
    """A rate that is multiplied in every step."""
    return k().optimizers.schedules.ExponentialDecay(low, 1, factor)
