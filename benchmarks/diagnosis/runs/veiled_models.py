"""Models of the ``Q-`` runs, and the set-ups that they share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarks.diagnosis.runs.base import Setup
from benchmarks.diagnosis.runs.models import dense, k
from benchmarks.diagnosis.runs.unseen_data import Data
from benchmarks.diagnosis.runs.unseen_models import head_of, layers, on
from benchmarks.diagnosis.runs.veiled_data import DATA, guests, parcel, tongues, twins

COMMON: dict[str, Any] = {"batch": 32, "steps": 300}


def take(data: str | Data) -> Data:
    return DATA[data]() if isinstance(data, str) else data


def fit(data: str | Data, body: list[Any], opt: Any, head: Any = None, **more: Any) -> Setup:
    """Any list of layers on data, with the head and the loss that fit."""
    data = take(data)
    y = data[1]
    if y.shape[1] > 1 and not set(y[:50].ravel()) <= {0.0, 1.0}:
        head, more = head or dense(y.shape[1]), {"loss": "mse", **more}
    return on(data, body, opt, head, **{**COMMON, **more})


def net(data: str | Data, widths: tuple[int, ...], act: Any, opt: Any, **more: Any) -> Setup:
    """Dense layers.

    ``init`` makes an initialiser, ``each`` are further arguments of every hidden layer, ``after``
    makes the layers behind each, ``first`` are layers before them.
    """
    init, body = more.pop("init", None), [*more.pop("first", [])]
    each, after = more.pop("each", {}), more.pop("after", lambda: [])
    for width in widths:
        body += [dense(width, act, init() if init else None, **each), *after()]
    return fit(data, body, opt, **more)


def dial(widths: tuple[int, ...], act: Any, opt: Any, **more: Any) -> Setup:
    """Convolutions of ``clocks`` or other pictures, one pooling; options as in ``net``."""
    init, body = more.pop("init", None), [*more.pop("first", [])]
    each, after = more.pop("each", {}), more.pop("after", lambda: [])
    for i, width in enumerate(widths):
        start = {"kernel_initializer": init()} if init else {}
        body.append(
            layers().Conv2D(width, 3, padding="same", activation=act, **(start | each)),
        )
        body += after()
        body += [layers().MaxPooling2D()] if i == 0 else []
    body += more.pop("last", [layers().Flatten()])
    return fit(more.pop("data", "clocks"), body, opt, **{"steps": 200, **more})


def knock(widths: tuple[int, ...], act: Any, opt: Any, **more: Any) -> Setup:
    """Convolutions along ``bearing`` whose largest answers are kept; options as in ``net``."""
    body, each = [*more.pop("first", [])], more.pop("each", {})
    after = more.pop("after", lambda: [])
    for width in widths:
        body += [layers().Conv1D(width, 7, padding="same", activation=act, **each), *after()]
    body += more.pop("last", [layers().GlobalMaxPooling1D()])
    return fit(more.pop("data", "bearing"), body, opt, **more)


def carry(length: int, body: list[Any], opt: Any, **more: Any) -> Setup:
    """Recurrent layers that must keep a number."""
    return fit(parcel(length, late=more.pop("late", False)), body, opt, **{"steps": 250, **more})


def read(body: list[Any], opt: Any, *, mask: bool = False, pad: int = 0, **more: Any) -> Setup:
    """An embedding of letters, and any layers."""
    table = more.pop("table", None) or layers().Embedding(27, 12, mask_zero=mask)
    return fit(more.pop("data", None) or tongues(pad=pad), [table, *body], opt, **more)


def coder(widths: tuple[int, ...], act: Any, opt: Any, **more: Any) -> Setup:
    """Autoencoder of ``plant``."""
    return net(more.pop("data", "plant"), widths, act, opt, head=dense(24), loss="mse", **more)


def blocks(
    data: str | Data, count: int, opt: Any, block: Callable[[Any], Any], width: int = 32, **more
) -> Setup:
    """A dense layer, then ``count`` times what ``block`` makes of the state so far."""
    x, y = take(data)
    entry = k().Input(x.shape[1:])
    h = dense(width)(entry)
    for _ in range(count):
        h = block(h)
    head, loss = head_of(y)
    return Setup(k().Model(entry, head(h)), x, y, loss, opt, **{**COMMON, **more})


def asked(opt: Any, depth: int = 2, *, skip: bool = True, norm: bool = True, **more: Any) -> Setup:
    """Self-attention on ``lockers``, of which the last place answers."""
    x, y = take(more.pop("data", "lockers"))
    entry = k().Input(x.shape[1:])
    init = more.pop("init", lambda: "glorot_uniform")
    h = dense(24)(entry) + layers().Embedding(6, 24)(k().ops.arange(6))
    for _ in range(depth):
        z = layers().LayerNormalization()(h) if norm else h
        z = layers().MultiHeadAttention(2, 12, kernel_initializer=init())(z, z)
        h = h + z if skip else z
        z = layers().LayerNormalization()(h) if norm else h
        z = dense(24, None, init())(dense(48, "relu", init())(z))
        h = h + z if skip else z
    model = k().Model(entry, dense(4, "softmax")(h[:, -1]))
    return Setup(model, x, y, "cce", opt, **{**COMMON, "steps": 400, **more})


def taste(opt: Any, body: Callable[[Any], Any], width: int = 6, **more: Any) -> Setup:
    """An embedding of the guest beside the dish, their product, and what ``body`` makes of them."""
    x, y = guests()
    who, dish = k().Input((), dtype="int32"), k().Input((6,))
    init = more.pop("init", "uniform")
    h = layers().Embedding(1500, width, init)(who)
    bond = h * dense(width)(dish) if more.pop("product", True) else h
    h = body(k().ops.concatenate([bond, h, dish], axis=1))
    model = k().Model([who, dish], dense(1, "sigmoid")(h))
    return Setup(model, x, y, "bce", opt, **{**COMMON, "steps": 400, **more})


def pair(opt: Any, tower: list[Any], far: Callable[[Any], Any], **more: Any) -> Setup:
    """The same tower for both twins; ``far`` makes a feature of their difference."""
    x, y = twins(same=more.pop("same", 0.0))
    shared = k().Sequential([k().Input((16,)), *tower])
    a, b = k().Input((16,)), k().Input((16,))
    h = far(shared(a) - shared(b))
    head = more.pop("head", None)
    model = k().Model([a, b], head(h) if head else h)
    return Setup(model, x, y, more.pop("loss", "bce"), opt, **{**COMMON, **more})


def gated(h: Any) -> Any:
    """A gate that is shut, on everything: what a highway is without its other lane."""
    width = h.shape[-1]
    gate = dense(width, "sigmoid", bias_initializer=k().initializers.Constant(-3.0))(h)
    return gate * dense(width, "relu")(h)


def adding(h: Any) -> Any:
    """Residual branch of full size, nothing normalised."""
    width = h.shape[-1]
    return h + dense(width, None, "he_normal")(dense(width, "relu", "he_normal")(h))


def skip_init(h: Any) -> Any:
    """De & Smith 2020: a branch times one learned number, 0 at first."""

    class Share(layers().Layer):
        def build(self, shape: Any) -> None:
            del shape
            self.share = self.add_weight(shape=(), initializer="zeros", name="share")

        def call(self, z: Any) -> Any:
            return self.share * z

    width = h.shape[-1]
    return h + Share()(dense(width, "relu", "he_normal")(h))


def squeeze(h: Any) -> Any:
    """Squeeze and excitation, normalised after the sum."""
    width = h.shape[-1]
    z = dense(width, "relu")(h)
    z = z * dense(width, "sigmoid")(dense(4, "relu")(z))
    return layers().LayerNormalization()(h + z)
