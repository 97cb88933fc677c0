"""Models, losses and functions of the ``G-`` runs."""

from __future__ import annotations

from typing import Any

from benchmarks.diagnosis.runs.base import Setup
from benchmarks.diagnosis.runs.glance_data import (
    colony,
    embers,
    flags,
    gauge,
    kiln,
    lottery,
    puddles,
    recipe,
    relay,
    tale,
    whale,
)
from benchmarks.diagnosis.runs.models import dense, k
from benchmarks.diagnosis.runs.unseen_models import layers
from benchmarks.diagnosis.runs.veiled_models import COMMON, fit


def banner(widths: tuple[int, ...], act: Any, opt: Any, **more: Any) -> Setup:
    """Convolutions of ``flags``, strides of 2 in the second; ``each``: further arguments."""
    each, after, body = more.pop("each", dict), more.pop("after", list), more.pop("first", [])
    for i, n in enumerate(widths):
        body.append(layers().Conv2D(n, 3, 1 + (i == 1), "same", activation=act, **each()))
        body += after()
    body.append(layers().Flatten())
    data = more.pop("data", None) or flags()
    return fit(data, [*body, *more.pop("last", [])], opt, **{"steps": 200, **more})


def song(widths: tuple[int, ...], act: Any, opt: Any, **more: Any) -> Setup:
    """Convolutions along ``whale``, strides of 2 in the first two."""
    each, after, body = more.pop("each", dict), more.pop("after", list), []
    for i, n in enumerate(widths):
        body.append(layers().Conv1D(n, 7, 1 + (i < 2), "same", activation=act, **each()))
        body += after()
    return fit(whale(), [*body, *more.pop("last", [layers().Flatten()])], opt, **more)


def patches(
    opt: Any, depth: int = 2, *, skip: bool = True, norm: bool = True, init: Any = None, **more: Any
) -> Setup:
    """Transformer on nine patches of 4 x 4 pixels of ``flags``."""
    x, y = flags()
    start = lambda: {"kernel_initializer": init()} if init else {}
    normed = lambda h: layers().LayerNormalization()(h) if norm else h
    entry = k().Input(x.shape[1:])
    h = layers().Reshape((9, 24))(layers().Conv2D(24, 4, 4, **start())(entry))
    h = h + layers().Embedding(9, 24)(k().ops.arange(9))
    for _ in range(depth):
        z = normed(h)
        z = layers().MultiHeadAttention(2, 12, **start())(z, z)
        h = h + z if skip else z
        z = layers().Dense(48, "gelu", **start())(normed(h))
        z = layers().Dense(24, **start())(z)
        h = h + z if skip else z
    out = dense(4, "softmax")(layers().GlobalAveragePooling1D()(h))
    return Setup(k().Model(entry, out), x, y, "cce", opt, **{**COMMON, "steps": 200, **more})


def meetings(
    opt: Any, rounds: int = 2, act: Any = "relu", *, skip: bool = False, mean: bool = False, **more
) -> Setup:
    """Messages along the meetings of ``colony``; ``mean`` of those met, else their sum."""
    x, y = colony()
    kind, meets = k().Input((7, 4)), k().Input((7, 7))
    h, ops = dense(24)(kind), k().ops
    all_met = ops.maximum(ops.sum(meets, axis=2, keepdims=True), 1.0) if mean else 1.0
    for _ in range(rounds):
        heard = ops.matmul(meets, dense(24)(h)) / all_met
        z = layers().Activation(act)(dense(24)(h) + heard)
        h = h + z if skip else z
    h = dense(24, act)(ops.mean(h, axis=1))
    model = k().Model([kind, meets], dense(1)(h))
    return Setup(model, x, y, "mse", opt, **{**COMMON, **more})


def meal(opt: Any, body: list[Any], rows: int = 50, **more: Any) -> Setup:
    """Embeddings of the ingredients of ``recipe``, weighted by amounts; ``share``: their mean."""
    x, y = recipe(unit=more.pop("unit", 1.0), none=more.pop("none", 0.0))
    which, much = k().Input((6,), dtype="int32"), k().Input((6,))
    h = layers().Embedding(rows, 8)(which) * much[:, :, None]
    h = k().ops.sum(h, axis=1)
    if more.pop("share", True):
        h = h / k().ops.sum(much, axis=1, keepdims=True)
    for layer in body:
        h = layer(h)
    return Setup(k().Model([which, much], dense(1)(h)), x, y, "mse", opt, **{**COMMON, **more})


def fired(
    opt: Any, trunk: tuple[int, ...], act: Any = "relu", weight: float = 1.0, **more: Any
) -> Setup:
    """A trunk and two heads for ``kiln``: glaze and heat, of which the second is weighted."""
    x, y = kiln()
    entry = h = k().Input((10,))
    for n in trunk:
        h = dense(n, act)(h)
    glaze, heat = dense(3, "softmax")(dense(12, act)(h)), dense(1)(dense(12, act)(h))
    model = k().Model(entry, k().ops.concatenate([glaze, heat], axis=1))
    options = {**COMMON, "loss": both(weight), "baseline": 1.09 + weight, **more}
    return Setup(model, x, y, optimizer=opt, **options)


def both(weight: float) -> Any:
    """Cross-entropy of three columns, and the squared error of the fourth."""
    ops = k().ops
    return lambda y, p: (
        ops.categorical_crossentropy(y[:, :3], p[:, :3]) + weight * ops.square(y[:, 3] - p[:, 3])
    )


def spots(
    opt: Any, act: Any = "relu", *, code: int = 6, depth: int = 1, noise: Any = None, **more: Any
) -> Setup:
    """Convolutional autoencoder of ``embers``; ``depth`` layers on each side, ``code`` units."""
    last = [dense(code), *([noise] if noise else []), dense(4 * 4 * 8, act)]
    body = [layers().Conv2D(8, 3, 1 + (i == 0), "same", activation=act) for i in range(depth)]
    back = [layers().Conv2D(8, 3, padding="same", activation=act) for _ in range(depth - 1)]
    body += [layers().Flatten(), *last, layers().Reshape((4, 4, 8)), *back]
    body += [layers().Conv2DTranspose(1, 4, 2, "same")]
    return fit(embers(), body, opt, layers().Flatten(), loss="mse", **{"steps": 250, **more})


def tied(opt: Any, **more: Any) -> Setup:
    """Autoencoder of ``embers`` whose way back has the same kernel."""

    class Back(layers().Layer):
        def __init__(self, forward: Any) -> None:
            super().__init__()
            self.forward = forward

        def build(self, shape: Any) -> None:
            del shape
            self.bias = self.add_weight(shape=(64,), initializer="zeros", name="bias")

        def call(self, h: Any) -> Any:
            return k().ops.matmul(h, k().ops.transpose(self.forward.kernel)) + self.bias

    forward = dense(32, "relu")
    body = [layers().Flatten(), forward]
    return fit(embers(), body, opt, Back(forward), loss="mse", **more)


def outline(
    opt: Any, widths: tuple[int, ...] = (12, 12), act: Any = "relu", scale: float = 1.0, **more: Any
) -> Setup:
    """Fully convolutional: is each place of ``puddles`` under water?"""
    body = [layers().Conv2D(n, 3, padding="same", activation=act) for n in widths]
    body.append(layers().Conv2D(1, 1, activation="sigmoid"))
    options = {"loss": "bce", "steps": 200, **more}
    return fit(puddles(scale), body, opt, layers().Flatten(), **options)


def largest(opt: Any, **more: Any) -> Setup:
    """Attention over the numbers of ``lottery`` by one learned question."""
    x, y = lottery()
    entry = k().Input((4,), dtype="int32")
    h = layers().Embedding(8, 16)(entry)
    ask = layers().Embedding(1, 16)(k().ops.zeros_like(entry[:, :1]))
    z = ask + layers().MultiHeadAttention(2, 8)(ask, h)
    z = dense(32, "gelu")(layers().LayerNormalization()(z[:, 0]))
    model = k().Model(entry, dense(8, "softmax")(z))
    return Setup(model, x, y, "cce", opt, **{**COMMON, **more})


def remember(length: int, body: list[Any], opt: Any, **more: Any) -> Setup:
    return fit(relay(length), body, opt, **{"steps": 200, **more})


def level(body: list[Any], opt: Any, **more: Any) -> Setup:
    data = gauge(more.pop("length", 24), raw=more.pop("raw", False))
    return fit(data, body, opt, **{"steps": 200, **more})


def story(body: list[Any], opt: Any, rows: int = 61, **more: Any) -> Setup:
    data = tale(unknown=more.pop("unknown", False))
    table = layers().Embedding(rows, 10, mask_zero=True)
    return fit(data, [table, *body], opt, **more)


def attended(opt: Any, low: float, *, empty: float = 0.0, **more: Any) -> Setup:
    """Words of ``tale`` weighted by a softmax in which those that are missing have ``low``."""
    x, y = tale(empty=empty)
    ops, entry = k().ops, k().Input((20,), dtype="int32")
    h = layers().Embedding(61, 10)(entry)
    score = ops.where(ops.equal(entry, 0), low, dense(1)(h)[:, :, 0])
    z = ops.sum(ops.softmax(score, axis=1)[:, :, None] * h, axis=1)
    model = k().Model(entry, dense(1, "sigmoid")(dense(16, "tanh")(z)))
    return Setup(model, x, y, "bce", opt, **{**COMMON, **more})


def triangle(low: float, high: float, half: int) -> Any:
    """A rate that goes up and down."""

    class Triangle(k().optimizers.schedules.LearningRateSchedule):
        def __call__(self, step: Any) -> Any:
            ops = k().ops
            place = ops.abs(ops.mod(ops.cast(step, "float32") / half, 2.0) - 1)
            return low + (high - low) * (1 - place)

        def get_config(self) -> dict[str, Any]:
            return {"low": low, "high": high, "half": half}

    return Triangle()


def smoothed(share: float, classes: int = 5) -> Any:
    """Cross-entropy with smoothed labels."""
    ops = k().ops
    soft = lambda y: y * (1 - share) + share / classes
    return lambda y, p: ops.categorical_crossentropy(soft(y), p)


def lifetime(y: Any, p: Any) -> Any:
    """Likelihood of an exponential distribution of mean ``p``: log of what may be negative."""
    return k().ops.mean(k().ops.log(p) + y / p, axis=-1)


def turned(y: Any, p: Any) -> Any:
    """Angle between two directions by its cosine: no derivative where they are equal."""
    ops = k().ops
    size = ops.sqrt(ops.sum(p * p, axis=-1, keepdims=True))
    return ops.arccos(ops.sum(y * p / size, axis=-1))


def apart(y: Any, p: Any) -> Any:
    """1 - cosine of the angle."""
    ops = k().ops
    return 1 - ops.sum(y * ops.normalize(p, axis=-1), axis=-1)


def relative(y: Any, p: Any) -> Any:
    """Error as a share of the target, which may be 0."""
    return k().ops.mean(k().ops.abs((y - p) / y), axis=-1)


def divergence(y: Any, p: Any) -> Any:
    """Kullback-Leibler written out: 0 * log(0) for one-hots."""
    return k().ops.sum(y * k().ops.log(y / p), axis=-1)


def decided(y: Any, p: Any) -> Any:
    """Squared error of the decision, which has no slope."""
    return k().ops.mean(k().ops.square(y - (k().ops.sign(p - 0.5) + 1) / 2), axis=-1)
