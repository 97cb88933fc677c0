"""Models of the ``W-`` runs, and the set-ups that they share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarks.diagnosis.runs.base import Setup
from benchmarks.diagnosis.runs.blind_data import DATA, games, votes
from benchmarks.diagnosis.runs.models import dense, k, normal
from benchmarks.diagnosis.runs.unseen_data import Data
from benchmarks.diagnosis.runs.unseen_models import layers, on


def fit(data: str | Data, body: list[Any], opt: Any, head: Any = None, **more: Any) -> Setup:
    """Any list of layers on one of ``DATA``, with the head and the loss that fit."""
    if isinstance(data, str):
        if data.startswith("throws") and head is None:
            head, more = dense(2), {"loss": "mse", **more}
        if data.startswith("chords") and head is None:
            head, more = dense(7, "sigmoid"), {"loss": "bce", **more}
        data = DATA[data]()
    return on(data, body, opt, head, **{"batch": 40, **more})


def mlp(data: str, depth: int, units: int, act: Any, opt: Any, init: Any = None, **more) -> Setup:
    """Dense layers; ``init`` makes an initialiser, or is the name of one.

    ``each`` are further arguments of every hidden layer, ``after`` makes a layer behind each,
    ``first`` are layers before them.
    """
    each, after, body = more.pop("each", {}), more.pop("after", None), more.pop("first", [])
    init = init or "glorot_uniform"
    for _ in range(depth):
        body.append(dense(units, act, init() if callable(init) else init, **each))
        body += [after()] if after else []
    return fit(data, body, opt, **more)


def cloth(widths: tuple[int, ...], act: Any, opt: Any, data: str = "weaves", **more: Any) -> Setup:
    """Convolutions on ``weaves``, the second with a stride of 2, then the largest of each channel.

    ``first``, ``each`` and ``after`` as in ``mlp``.
    """
    each, after, body = more.pop("each", {}), more.pop("after", None), more.pop("first", [])
    for i, width in enumerate(widths):
        body.append(layers().Conv2D(width, 3, 1 + (i == 1), "same", activation=act, **each))
        body += after() if after else []
    return fit(data, [*body, layers().GlobalMaxPooling2D()], opt, **{"steps": 240, **more})


def steps(widths: tuple[int, ...], act: Any, opt: Any, data: str = "gait", **more: Any) -> Setup:
    """Convolutions along ``gait``, each followed by pooling; the rest as in ``mlp``."""
    each, after, body = more.pop("each", {}), more.pop("after", None), more.pop("first", [])
    for width in widths:
        body.append(layers().Conv1D(width, 5, padding="same", activation=act, **each))
        body += after() if after else []
        body.append(layers().AveragePooling1D(2))
    return fit(data, [*body, layers().Flatten()], opt, **more)


def ballot(length: int, body: list[Any], opt: Any, **more: Any) -> Setup:
    """Recurrent layers that must keep what came first."""
    return fit(votes(length), body, opt, **{"steps": 260, **more})


def tune(body: list[Any], opt: Any, data: str = "melody", *, mask: bool = False, **more) -> Setup:
    """An embedding, and any layers."""
    table = more.pop("table", None) or layers().Embedding(37, 16, mask_zero=mask)
    return fit(data, [table, *body], opt, **more)


def squeeze(widths: tuple[int, ...], act: str, opt: Any, **more: Any) -> Setup:
    """Autoencoder of ``chords``."""
    x, _ = DATA["chords"]()
    body = [*more.pop("first", []), *(dense(width, act) for width in widths)]
    return on((x, x.astype(float)), body, opt, dense(40), **{"loss": "mse", "batch": 40, **more})


def bound(depth: int, act: Any, opt: Any, how: str, width: int = 32, **more: Any) -> Setup:
    """Graph convolutions: what an atom is, and the ``how`` of those that it is bound to.

    ``sum``; ``mean`` with a floor of 1 below the number of bonds, ``ratio`` without; ``normal``:
    Kipf & Welling 2017.
    """
    ops = k().ops
    x, y = DATA["molecules"]()
    entry = k().Input(x.shape[1:])
    h, bonds = entry[:, :, :4], entry[:, :, 4:]
    degree = ops.sum(bonds, axis=2, keepdims=True)
    if how == "mean":
        bonds = bonds / ops.maximum(degree, 1.0)
    elif how == "ratio":
        bonds = bonds / degree
    elif how == "normal":
        scale = 1 / ops.sqrt(degree + 1)
        bonds = bonds * scale * ops.transpose(scale, (0, 2, 1))
    norm = more.pop("norm", False)
    for _ in range(depth):
        h = dense(width)(h) + dense(width, None, use_bias=False)(ops.matmul(bonds, h))
        h = layers().LayerNormalization()(h) if norm else h
        h = layers().Activation(act)(h)
    out = dense(1)(ops.mean(h, axis=1))
    return Setup(k().Model(entry, out), x, y, "mse", opt, **{"batch": 40, "steps": 300, **more})


def elo(opt: Any, width: int = 8, std: float = 0.3, **more: Any) -> Setup:
    """Two embeddings of a player (attack and defence), and the difference of their products.

    ``far`` makes one more feature of the difference between the players.
    """
    far = more.pop("far", None)
    x, y = games()
    first, second = k().Input((), dtype="int32"), k().Input((), dtype="int32")
    attack, defence = (layers().Embedding(250, width, normal(std)) for _ in range(2))
    h = attack(first) * defence(second) - attack(second) * defence(first)
    h = k().ops.concatenate([h, far(attack(first) - attack(second))], axis=1) if far else h
    model = k().Model([first, second], dense(1, "sigmoid")(h))
    return Setup(model, x, y, "bce", opt, batch=50, steps=400, **more)


def listener(blocks: int, opt: Any, *, masked: str = "", data: str = "melody", **more) -> Setup:
    """Transformer, normalised before each part; ``masked``: a number or "-inf" hides what is 0."""
    ops = k().ops
    x, y = DATA[data]()
    entry = k().Input(x.shape[1:], dtype="int32")
    h = layers().Embedding(37, 20)(entry)
    hidden = ops.equal(entry, 0)[:, None, :] if masked else None
    for _ in range(blocks):
        z = layers().LayerNormalization()(h)
        score = ops.matmul(dense(20)(z), ops.transpose(dense(20)(z), (0, 2, 1))) / 20**0.5
        if hidden is not None:
            score = ops.where(hidden, float(masked), score)
        h = h + dense(20)(ops.matmul(ops.softmax(score), dense(20)(z)))
        h = h + dense(20)(dense(40, "relu")(layers().LayerNormalization()(h)))
    h = layers().GlobalAveragePooling1D()(layers().LayerNormalization()(h))
    model = k().Model(entry, dense(3, "softmax")(h))
    return Setup(model, x, y, "cce", opt, **{"batch": 40, "steps": 240, **more})


def skipping(data: str, blocks: int, opt: Any, branch: Callable[[Any], Any], **more) -> Setup:
    """A dense layer of 32, then ``blocks`` times what ``branch`` makes of the state so far."""
    x, y = DATA[data]()
    entry = k().Input(x.shape[1:])
    h = dense(32)(entry)
    for _ in range(blocks):
        h = branch(h)
    head, loss = (dense(y.shape[1], "softmax"), "cce") if y.shape[1] > 1 else (None, "mse")
    if head is None:
        binary = set(y.ravel()) == {0.0, 1.0}
        head, loss = (dense(1, "sigmoid"), "bce") if binary else (dense(1), "mse")
    return Setup(k().Model(entry, head(h)), x, y, loss, opt, **{"batch": 40, "steps": 300, **more})


def highway(h: Any) -> Any:
    """Srivastava et al. 2015: a gate that is shut at first."""
    gate = dense(32, "sigmoid", bias_initializer=k().initializers.Constant(-2.0))(h)
    return h + gate * (dense(32, "tanh")(h) - h)


def rezero(h: Any) -> Any:
    """Bachlechner et al. 2020: a branch that starts at 0, with a factor that is learned."""
    z = dense(32, "relu", "he_normal")(h)
    return h + dense(32, None, "zeros")(z)


def experts(h: Any) -> Any:
    """Four experts, weighted by a softmax."""
    ops = k().ops
    opinions = ops.stack([dense(32, "relu")(h) for _ in range(4)], axis=1)
    return ops.sum(dense(4, "softmax")(h)[:, :, None] * opinions, axis=1)


def wavenet(opt: Any, **more: Any) -> Setup:
    """Dilated convolutions with gates, and what comes in added (van den Oord et al. 2016)."""
    x, y = DATA["gait"]()
    entry = k().Input(x.shape[1:])
    h = layers().Conv1D(16, 1)(entry)
    for i in range(5):
        conv = lambda act, rate=2**i, h=h: layers().Conv1D(
            16, 2, padding="causal", dilation_rate=rate, activation=act
        )(h)
        h = h + layers().Conv1D(16, 1)(conv("tanh") * conv("sigmoid"))
    out = dense(4, "softmax")(layers().GlobalMaxPooling1D()(h))
    return Setup(k().Model(entry, out), x, y, "cce", opt, **{"batch": 40, "steps": 240, **more})


def taught(opt: Any, *, frozen: bool, **more: Any) -> Setup:
    """Filters that were taught to tell three weaves apart, and a new head for all five."""
    x, y = DATA["weaves"]()
    old = y[:, :3].sum(1) > 0
    body = k().Sequential(
        [
            k().Input(x.shape[1:]),
            layers().Conv2D(12, 3, 1, "same", activation="relu"),
            layers().Conv2D(16, 3, 2, "same", activation="relu"),
            layers().GlobalMaxPooling2D(),
        ]
    )
    first = k().Sequential([body, dense(3, "softmax")])
    first.compile(k().optimizers.Adam(3e-3), "categorical_crossentropy")
    first.fit(x[old], y[old][:, :3], 40, 8, verbose=0)
    body.trainable = not frozen
    return fit((x, y), body.layers, opt, **{"steps": 240, **more})
