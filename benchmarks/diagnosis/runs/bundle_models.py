"""Models, losses and functions of the ``B-`` runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.diagnosis.runs.base import Setup
from benchmarks.diagnosis.runs.bundle_data import (
    bats,
    census,
    clothes,
    ferry,
    mast,
    notes,
    petals,
    rents,
    roads,
    tiles,
)
from benchmarks.diagnosis.runs.glance_models import banner
from benchmarks.diagnosis.runs.models import dense, k
from benchmarks.diagnosis.runs.sequel_models import stacked
from benchmarks.diagnosis.runs.unseen_models import layers
from benchmarks.diagnosis.runs.veiled_models import COMMON, fit


def tiled(widths: tuple[int, ...], act: Any, opt: Any, **more: Any) -> Setup:
    """Convolutions of ``tiles``; options as in ``banner``."""
    return banner(widths, act, opt, **{"data": tiles(), **more})


def call(widths: tuple[int, ...], act: Any, opt: Any, **more: Any) -> Setup:
    """Convolutions along ``bats``, strides of 2 in the first; ``each``: further arguments."""
    each, after, body = more.pop("each", dict), more.pop("after", list), []
    for i, n in enumerate(widths):
        body.append(layers().Conv1D(n, 5, 1 + (i == 0), "same", activation=act, **each()))
        body += after()
    last = more.pop("last", [layers().GlobalMaxPooling1D()])
    return fit(bats(more.pop("scale", 1.0)), [*body, *last], opt, **{"steps": 250, **more})


def subject(body: list[Any], opt: Any, rows: int = 40, **more: Any) -> Setup:
    """Embedded words of ``notes``."""
    data = notes(more.pop("pad", 0), lost=more.pop("lost", False))
    table = layers().Embedding(rows, 8, mask_zero=more.pop("mask", False))
    return fit(data, [table, *body], opt, **more)


def flower(
    widths: tuple[int, ...], act: Any, opt: Any, code: int = 5, noise: Any = None, **more: Any
) -> Setup:
    """Autoencoder of ``petals`` through ``code`` units, with ``widths`` there and back."""
    middle = [dense(code, act, **more.pop("coded", {})), *([noise] if noise else [])]
    there, back = ([dense(n, act) for n in order] for order in (widths, widths[::-1]))
    data = petals(more.pop("scale", 1.0))
    return fit(data, [*there, *middle, *back], opt, dense(36), **{"loss": "mse", **more})


def rented(opt: Any, widths: tuple[int, ...], act: Any = "relu", **more: Any) -> Setup:
    """An embedded district and a flat, joined below dense layers."""
    x, y = rents()
    where, flat = k().Input((), dtype="int32"), k().Input((4,))
    h = k().ops.concatenate([layers().Embedding(40, 6)(where), flat], axis=1)
    for n in widths:
        h = dense(n, act)(h)
    return Setup(k().Model([where, flat], dense(1)(h)), x, y, "mse", opt, **{**COMMON, **more})


def worn(opt: Any, tower: list[Any], join: Callable[[Any, Any], Any], **more: Any) -> Setup:
    """The same tower for body and coat."""
    x, y = clothes(same=more.pop("same", 0.0))
    shared, a, b = k().Sequential([k().Input((5,)), *tower]), k().Input((5,)), k().Input((5,))
    h = dense(16, "relu")(join(shared(a), shared(b)))
    return Setup(k().Model([a, b], dense(1)(h)), x, y, "mse", opt, **{**COMMON, **more})


def apart(a: Any, b: Any) -> Any:
    return k().ops.abs(a - b)


def distance(a: Any, b: Any) -> Any:
    """Euclidean, without a slope where both are the same."""
    return k().ops.sqrt(k().ops.sum(k().ops.square(a - b), axis=1, keepdims=True))


def sailed(
    opt: Any, trunk: tuple[int, ...], act: Any = "relu", weight: float = 1.0, **more: Any
) -> Setup:
    """A trunk and two heads for ``ferry``: full or not, and how late, of which that is weighted."""
    x, y = ferry(raw_x=more.pop("raw_x", False), seconds=more.pop("seconds", False))
    entry = h = k().Input((6,))
    for n in trunk:
        h = dense(n, act)(h)
    full, late = dense(1, "sigmoid")(dense(12, act)(h)), dense(1)(dense(12, act)(h))
    model = k().Model(entry, k().ops.concatenate([full, late], axis=1))
    ops = k().ops
    loss = lambda y, p: (
        ops.binary_crossentropy(y[:, 0], p[:, 0]) + weight * ops.square(y[:, 1] - p[:, 1])
    )
    options = {"loss": loss, "baseline": 0.68 + weight * float(y[:, 1].var()), **COMMON, **more}
    return Setup(model, x, y, optimizer=opt, **options)


def mapped(
    opt: Any, widths: tuple[int, ...] = (12, 12), act: Any = "relu", scale: float = 1.0, **more: Any
) -> Setup:
    """Fully convolutional: is each pixel of ``roads`` on the road?"""
    body = [layers().Conv2D(n, 3, padding="same", activation=act) for n in widths]
    body.append(layers().Conv2D(1, 1, activation="sigmoid"))
    return fit(roads(scale), body, opt, layers().Flatten(), **{"loss": "bce", "steps": 200, **more})


def crossing(opt: Any, **more: Any) -> Setup:
    """Small U-Net of ``roads``: down once, up once, with what was there before."""
    x, y = roads()
    conv = lambda n, h: layers().Conv2D(n, 3, padding="same", activation="relu")(h)
    entry = k().Input((12, 12, 1))
    fine = conv(8, entry)
    coarse = conv(16, conv(16, layers().MaxPooling2D()(fine)))
    h = layers().Concatenate()([fine, layers().UpSampling2D()(coarse)])
    out = layers().Flatten()(layers().Conv2D(1, 1, activation="sigmoid")(conv(8, h)))
    return Setup(k().Model(entry, out), x, y, "bce", opt, **{**COMMON, "steps": 200, **more})


def counted(
    opt: Any, depth: int = 1, *, skip: bool = True, norm: bool = True, init: Any = None, **more: Any
) -> Setup:
    """Transformer on the letters of ``census``, of which the first answers."""
    x, y = census()
    start = lambda: {"kernel_initializer": init()} if init else {}
    normed = lambda h: layers().LayerNormalization()(h) if norm else h
    entry = k().Input((8,), dtype="int32")
    h = layers().Embedding(4, 24)(entry) + layers().Embedding(8, 24)(k().ops.arange(8))
    for _ in range(depth):
        z = normed(h)
        z = layers().MultiHeadAttention(2, 12, **start())(z, z)
        h = h + z if skip else z
        z = layers().Dense(24, **start())(layers().Dense(48, "gelu", **start())(normed(h)))
        h = h + z if skip else z
    model = k().Model(entry, dense(5, "softmax")(normed(h)[:, 0]))
    return Setup(model, x, y, "cce", opt, **{**COMMON, **more})


def bound(opt: Any, code: int = 8, **more: Any) -> Setup:
    """Autoencoder of ``petals`` whose two ways have the same kernels, turned."""

    class Turned(layers().Layer):
        def __init__(self, there: Any) -> None:
            super().__init__()
            self.there = there

        def call(self, h: Any) -> Any:
            return k().ops.matmul(h, k().ops.transpose(self.there.kernel))

    wide, narrow = dense(24, "tanh"), dense(code)
    body = [wide, narrow, Turned(narrow), layers().Activation("tanh")]
    return fit(petals(), body, opt, Turned(wide), **{"loss": "mse", **more})


def called(opt: Any, head: Any, **more: Any) -> Setup:
    """Deviance of Poisson on ``mast``."""
    x, y = mast()
    seen = np.maximum(y, 1e-9)
    constant = float((y * np.log(seen / y.mean())).mean())
    return stacked((x, y), (24, 24), "relu", opt, head=head, loss=deviance, baseline=constant)


def deviance(y: Any, p: Any) -> Any:
    """Of counts from a Poisson distribution, by its mean ``p``, which must be above 0."""
    log, seen = k().ops.log, k().ops.maximum(y, 1e-9)
    return k().ops.mean(y * (log(seen) - log(p)) - y + p, axis=-1)


def unsure(spread: Callable[[Any], Any]) -> Callable[[Any, Any], Any]:
    """Likelihood of a normal distribution: two columns are its mean and what gives its spread."""

    def loss(y: Any, p: Any) -> Any:
        ops, wide = k().ops, spread(p[:, 1])
        return ops.log(wide) + 0.5 * ops.square((y[:, 0] - p[:, 0]) / wide)

    return loss


def divided(y: Any, p: Any) -> Any:
    """Error as a share of the target, which may be 0."""
    return k().ops.mean(k().ops.abs(y - p) / y, axis=-1)


def surprise(y: Any, p: Any) -> Any:
    """Kullback-Leibler written out: 0 * log(0) where a share is 0."""
    return k().ops.sum(y * (k().ops.log(y) - k().ops.log(p)), axis=-1)


def contrast(x: Any) -> Any:
    """Every picture by its own mean and deviation, which is 0 where all is alike."""
    ops = k().ops
    mean = ops.mean(x, axis=(1, 2), keepdims=True)
    return (x - mean) / ops.std(x, axis=(1, 2), keepdims=True)


def logs(x: Any) -> Any:
    """Log of the first column, which may be 0."""
    return k().ops.concatenate([k().ops.log(x[:, :1]), x[:, 1:]], axis=1)


def saw(low: float, high: float, length: int) -> Any:
    """A rate that falls in a straight line, and starts again."""

    class Saw(k().optimizers.schedules.LearningRateSchedule):
        def __call__(self, step: Any) -> Any:
            ops = k().ops
            return high - (high - low) * ops.mod(ops.cast(step, "float32"), length) / length

        def get_config(self) -> dict[str, Any]:
            return {"low": low, "high": high, "length": length}

    return Saw()
