"""Models that several of the ``T-`` runs share.  Keras is imported when one is built."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarks.diagnosis.runs.base import Setup
from benchmarks.diagnosis.runs.models import dense, k, stack
from benchmarks.diagnosis.runs.trove_data import bundled, discs, house, shapes, waves


def own() -> Any:
    """The module of layers and losses."""
    from benchmarks.diagnosis.runs import trove_layers

    return trove_layers


def hook(function: Any) -> Any:
    return own().Hook(function)


def lay() -> Any:
    return k().layers


def schedules() -> Any:
    return k().optimizers.schedules


def mlp(n_in: int, widths: tuple[int, ...], act: str, head: Any, **more: Any) -> Any:
    """Dense layers of the given widths, ``more`` for each, and a head."""
    return stack(n_in, [*(dense(w, act, **more) for w in widths), head])


def classify(
    name: str, widths: tuple[int, ...], act: str, opt: Any, *, scale: bool = True, **more: Any
) -> Setup:
    """Such a network on a classification set of scikit-learn; ``kernel`` makes initialisers."""
    x, y = bundled(name, scale=scale)
    kernel: Callable[[], Any] | None = more.pop("kernel", None)
    layers = [dense(w, act, kernel() if kernel else None) for w in widths]
    one = y.shape[1] == 1
    loss = more.pop("loss", "bce" if one else "cce")
    head = dense(1, "sigmoid") if one else dense(y.shape[1], "softmax")
    more = {"batch": 32, "steps": 250, **more}
    return Setup(stack(x.shape[1], [*layers, head]), x, y, loss, opt, **more)


def price(layers: list[Any], opt: Any, *, raw: bool = False, times: float = 1.0, **more) -> Setup:
    """Regression of house prices by the layers given."""
    x, y = house(raw=raw, price=times)
    return Setup(stack(5, layers), x, y, **{"loss": "mse", "optimizer": opt, "batch": 32, **more})


def pictures(layers: list[Any], opt: Any, **more: Any) -> Setup:
    """Convolutional layers, average pooling and a softmax on the images of shapes."""
    x, y = shapes()
    model = stack((12, 12, 1), [*layers, lay().GlobalAveragePooling2D(), dense(4, "softmax")])
    return Setup(model, x, y, "cce", opt, **{"batch": 32, "steps": 200, **more})


def signals(layers: list[Any], opt: Any, **more: Any) -> Setup:
    """The same in one dimension, on waves."""
    x, y = waves()
    model = stack((48, 1), [*layers, lay().GlobalAveragePooling1D(), dense(3, "softmax")])
    return Setup(model, x, y, "cce", opt, **{"batch": 32, "steps": 200, **more})


def conv(filters: int, act: str | None = "relu", size: int = 3, **more: Any) -> Any:
    return lay().Conv2D(filters, size, activation=act, padding="same", **more)


def unet(act: str = "relu") -> Any:
    """One level down and up again, with a skip."""
    entry = k().Input((12, 12, 1))
    a = conv(8, act)(entry)
    b = conv(16, act)(lay().MaxPooling2D()(a))
    c = lay().Conv2DTranspose(8, 2, 2, activation=act)(b)
    out = conv(1, "sigmoid", 1)(conv(8, act)(lay().Concatenate()([a, c])))
    return k().Model(entry, lay().Flatten()(out))


def masks(model: Any, opt: Any, **more: Any) -> Setup:
    x, y = discs()
    return Setup(
        model, x, y, **{"loss": "bce", "optimizer": opt, "batch": 16, "steps": 200, **more}
    )


def encoder(width: int, blocks: int, entry: Any, h: Any, head: Any, *, pre: bool = True) -> Any:
    """Transformer blocks with two heads, and the mean over steps before ``head``."""
    norm = lambda z: lay().LayerNormalization()(z)
    for _ in range(blocks):
        z = norm(h) if pre else h
        h = h + lay().MultiHeadAttention(2, width // 2)(z, z)
        h = h if pre else norm(h)
        z = norm(h) if pre else h
        h = h + dense(width)(dense(2 * width, "gelu")(z))
        h = h if pre else norm(h)
    return k().Model(entry, head(lay().GlobalAveragePooling1D()(norm(h) if pre else h)))


def train(model: Any, x: Any, y: Any, loss: str, epochs: int) -> Any:
    """Trained beforehand, as a base that somebody else has published."""
    model.compile(k().optimizers.Adam(3e-3), loss)
    model.fit(x, y, 32, epochs, verbose=0)
    return model


def freeze(layers: list[Any]) -> None:
    for layer in layers:
        layer.trainable = False
