"""Models of the hold-out part, and the set-ups that its runs share."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.diagnosis.runs.base import (
    Setup,
)
from benchmarks.diagnosis.runs.holdout_data import (
    DATA,
    REGRESSION,
    bars,
    class4,
    impedance,
    order,
    pairs,
    quantiles,
    roll,
    squares,
    waves,
)
from benchmarks.diagnosis.runs.models import (
    deep,
    dense,
    k,
    stack,
)


def head_of(data: str, y: np.ndarray) -> tuple[Any, str]:
    """Last layer and loss that fit the targets."""
    if data in REGRESSION:
        return dense(1), "mse"
    return (dense(y.shape[1], "softmax"), "cce") if y.shape[1] > 1 else (dense(1, "sigmoid"), "bce")


def plain(
    data: str, depth: int, units: int, act: str, opt: Any, init: Any = None, **more: Any
) -> Setup:
    """Stack of dense layers on one of ``DATA``."""
    x, y = DATA[data]()
    head, loss = head_of(data, y)
    head, loss = more.pop("head", head), more.pop("loss", loss)
    x = x * more.pop("gain", 1.0)
    model = deep(x.shape[1], depth, units, act, init, head)
    return Setup(model, x, y, loss, opt, **{"batch": 32, "steps": 250, **more})


def layered(data: str, layers: list[Any], opt: Any, **more: Any) -> Setup:
    """Any list of layers on one of ``DATA``, with the head that fits."""
    x, y = DATA[data]()
    head, loss = head_of(data, y)
    model = stack(x.shape[1], [*layers, head])
    return Setup(model, x, y, loss, opt, **{"batch": 32, "steps": 250, **more})


def highway(depth: int, opt: Any) -> Setup:
    """Highway layers (Srivastava et al. 2015): gates that start almost closed."""
    x, y = class4()
    entry = k().Input((20,))
    h = dense(24, "tanh")(entry)
    shut = k().initializers.Constant(-2.0)
    for _ in range(depth):
        gate = dense(24, "sigmoid", bias_initializer=shut)(h)
        h = gate * dense(24, "relu")(h) + (1.0 - gate) * h
    model = k().Model(entry, dense(4, "softmax")(h))
    return Setup(model, x, y, "cce", opt, 32, 250)


def experts(opt: Any) -> Setup:
    """Four experts, and a softmax that weighs them."""
    x, y = class4()
    entry = k().Input((20,))
    weights = dense(4, "softmax")(entry)
    outs = [dense(16, "relu")(dense(32, "relu")(entry)) for _ in range(4)]
    mixed = sum(out * weights[:, i : i + 1] for i, out in enumerate(outs))
    return Setup(k().Model(entry, dense(4, "softmax")(mixed)), x, y, "cce", opt, 32, 250)


def deep_residual(depth: int, opt: Any, init: str = "he_normal") -> Setup:
    """Residual branches added without normalisation or scale: variance doubles in each."""
    x, y = class4()
    entry = k().Input((20,))
    h = dense(32)(entry)
    for _ in range(depth):
        h = h + dense(32, None, init)(dense(32, "relu", init)(h))
    return Setup(k().Model(entry, dense(4, "softmax")(h)), x, y, "cce", opt, 32, 150)


def conv1d(layers: int, act: str, opt: Any, **more: Any) -> Setup:
    x, y = waves()
    body = [k().layers.Conv1D(16, 5, padding="same", activation=act) for _ in range(layers)]
    model = stack((48, 1), [*body, k().layers.GlobalMaxPooling1D(), dense(3, "softmax")])
    return Setup(model, x, y, "cce", opt, **{"batch": 32, "steps": 250, **more})


def dilated(opt: Any) -> Setup:
    """Causal convolutions with growing gaps and residual connections."""
    x, y = waves()
    entry = k().Input((48, 1))
    h = k().layers.Conv1D(16, 1)(entry)
    for gap in (1, 2, 4, 8):
        z = k().layers.Conv1D(16, 3, padding="causal", dilation_rate=gap, activation="relu")(h)
        h = h + k().layers.SpatialDropout1D(0.1)(z)
    model = k().Model(entry, dense(3, "softmax")(h[:, -1]))
    return Setup(model, x, y, "cce", opt, 32, 250)


def sequence(
    data: tuple[np.ndarray, np.ndarray], layers: list[Any], loss: str, opt: Any, **more: Any
) -> Setup:
    """Recurrent or other layers over a sequence of vectors."""
    x, y = data
    heads = {"cce": lambda: dense(y.shape[1], "softmax"), "mse": lambda: dense(1)}
    model = stack(x.shape[1:], [*layers, heads[loss]()])
    return Setup(model, x, y, loss, opt, **{"batch": 32, "steps": 200, **more})


def words(layers: list[Any], opt: Any, **more: Any) -> Setup:
    x, y = order()
    body = [k().layers.Embedding(30, 16), *layers, dense(1, "sigmoid")]
    return Setup(stack((20,), body), x, y, "bce", opt, **{"batch": 32, "steps": 300, **more})


def post_norm(opt: Any) -> Setup:
    """Transformer with normalisation after each sum, and positions."""
    x, y = order()
    entry = k().Input((20,), dtype="int32")
    place = k().layers.Embedding(20, 24)(k().ops.arange(20))
    h = k().layers.Embedding(30, 24)(entry) + place
    for _ in range(2):
        h = k().layers.LayerNormalization()(h + k().layers.MultiHeadAttention(3, 8)(h, h))
        h = k().layers.LayerNormalization()(h + dense(24)(dense(48, "relu")(h)))
    model = k().Model(entry, dense(1, "sigmoid")(k().layers.GlobalAveragePooling1D()(h)))
    return Setup(model, x, y, "bce", opt, 32, 250)


def pictures(layers: list[Any], opt: Any, **more: Any) -> Setup:
    x, y = bars()
    model = stack((10, 10, 1), [*layers, dense(3, "softmax")])
    return Setup(model, x, y, "cce", opt, **{"batch": 32, "steps": 200, **more})


def grouped(opt: Any) -> Setup:
    layers: list[Any] = []
    for _ in range(4):
        layers += [k().layers.Conv2D(16, 3, padding="same"), k().layers.GroupNormalization(4)]
        layers.append(k().layers.Activation("silu"))
    return pictures([*layers, k().layers.GlobalMaxPooling2D()], opt)


def separable_residual(opt: Any) -> Setup:
    x, y = bars()
    entry = k().Input((10, 10, 1))
    h = k().layers.Conv2D(16, 3, padding="same")(entry)
    for _ in range(3):
        z = k().layers.LayerNormalization()(h)
        h = h + k().layers.SeparableConv2D(16, 3, padding="same", activation="relu")(z)
    h = k().layers.GlobalMaxPooling2D()(h)
    return Setup(k().Model(entry, dense(3, "softmax")(h)), x, y, "cce", opt, 32, 200)


def patches(opt: Any) -> Setup:
    """A small vision transformer."""
    x, y = bars()
    entry = k().Input((10, 10, 1))
    h = k().layers.Reshape((4, 32))(k().layers.Conv2D(32, 5, strides=5)(entry))
    for _ in range(2):
        z = k().layers.LayerNormalization()(h)
        h = h + k().layers.MultiHeadAttention(4, 8)(z, z)
        h = h + dense(32)(dense(64, "gelu")(k().layers.LayerNormalization()(h)))
    h = k().layers.Flatten()(h)
    return Setup(k().Model(entry, dense(3, "softmax")(h)), x, y, "cce", opt, 32, 250)


def unet(opt: Any, *, skip: bool = True) -> Setup:
    """Down, up, and a connection across."""
    x, y = squares()
    conv = lambda n: k().layers.Conv2D(n, 3, padding="same", activation="relu")
    entry = k().Input((12, 12, 1))
    wide = conv(8)(entry)
    low = conv(16)(k().layers.MaxPooling2D()(wide))
    low = k().layers.Conv2DTranspose(8, 2, strides=2, activation="relu")(conv(16)(low))
    h = k().layers.Concatenate()([wide, low]) if skip else low
    out = k().layers.Conv2D(1, 1, activation="sigmoid")(conv(8)(h))
    flat = k().layers.Flatten()(out)
    return Setup(k().Model(entry, flat), x, y.reshape(len(y), -1), "bce", opt, 16, 150)


def coder(opt: Any) -> Setup:
    """Convolutional autoencoder."""
    x, _ = squares()
    layers = [
        k().layers.Conv2D(8, 3, strides=2, padding="same", activation="relu"),
        k().layers.Conv2D(16, 3, strides=2, padding="same", activation="relu"),
        k().layers.Conv2DTranspose(8, 3, strides=2, padding="same", activation="relu"),
        k().layers.Conv2DTranspose(1, 3, strides=2, padding="same"),
        k().layers.Flatten(),
    ]
    return Setup(stack((12, 12, 1), layers), x, x.reshape(len(x), -1), "mse", opt, 16, 250)


def siamese(opt: Any, *, distance: bool = False, frozen: bool = False) -> Setup:
    """Two inputs through one tower (or two, one of them frozen), compared.

    ``distance`` compares by a root of squares, whose gradient is 0 / 0 where both views agree.
    """
    x, y = pairs()
    tower = stack(16, [dense(32, "relu"), dense(16, "relu")])
    other = tower
    if frozen:
        other = stack(16, [dense(32, "relu"), dense(16, "relu")])
        other.trainable = False
    a, b = k().Input((16,)), k().Input((16,))
    difference = tower(a) - other(b)
    if distance:
        x = (x[0], np.where(y > 0, x[0], x[1]).astype("float32"))
        root = lambda v: k().ops.sqrt(k().ops.sum(v * v, axis=-1, keepdims=True))
        difference = k().layers.Lambda(root)(difference)
    else:
        difference = dense(16, "relu")(k().layers.Lambda(k().ops.abs)(difference))
    model = k().Model([a, b], dense(1, "sigmoid")(difference))
    return Setup(model, x, y, "bce", opt, 32, 300)


def several_labels(head: str, opt: Any) -> Setup:
    from sklearn.datasets import make_multilabel_classification

    x, y = make_multilabel_classification(1200, 16, n_classes=5, random_state=5)[:2]
    x = (x - x.mean(0)) / x.std(0)
    model = stack(16, [dense(32, "relu"), dense(32, "relu"), dense(5, head)])
    return Setup(model, x.astype("float32"), y.astype(float), "bce", opt, 32, 250)


def bag(opt: Any) -> Setup:
    """Bags of words out of 8000, by the mean of their vectors."""
    rng = np.random.default_rng(5)
    x = rng.integers(0, 8000, (1500, 12))
    y = ((x % 2).sum(1) > 6).astype(float)[:, None]
    layers = [k().layers.Embedding(8000, 8), k().layers.GlobalAveragePooling1D()]
    return Setup(
        stack((12,), [*layers, dense(1, "sigmoid")]), x.astype("int32"), y, "bce", opt, 32, 300
    )


def raw_impedance(opt: Any, steps: int = 300, *, inputs: bool = False) -> Setup:
    """Targets as they come; with ``inputs`` the inputs as well."""
    x, y = impedance(scaled=False)
    x = x if inputs else impedance(scaled=True)[0]
    model = stack(4, [dense(48, "relu"), dense(48, "relu"), dense(1)])
    return Setup(model, x, y, "mse", opt, 32, steps)


def killed(data: str, at: int, depth: int, bias: float, opt: Any) -> Setup:
    """Hidden layer ``at`` of ``depth`` starts far below zero."""
    start = k().initializers.Constant(bias)
    layers = [
        dense(24, "relu", bias_initializer=start if i == at else "zeros") for i in range(depth)
    ]
    return layered(data, layers, opt)


def flipped(share: float, opt: Any) -> Setup:
    setup = plain("class4", 3, 32, "relu", opt)
    rng = np.random.default_rng(5)
    flip = rng.random(len(setup.y)) < share
    setup.y = setup.y.copy()
    setup.y[flip] = np.eye(4)[rng.integers(0, 4, flip.sum())]
    return setup


def logarithm(y: Any, p: Any) -> Any:
    """Binary cross-entropy written out, without guard."""
    log = k().ops.log
    return -k().ops.mean(y * log(p) + (1.0 - y) * log(1.0 - p), axis=-1)


def shares(opt: Any) -> Setup:
    """Features divided by their sum."""
    x, y = quantiles()
    entry = k().Input((5,))
    h = dense(4, "relu")(entry)
    h = k().layers.Lambda(lambda v: v / k().ops.sum(v, axis=-1, keepdims=True))(h)
    return Setup(k().Model(entry, dense(3, "softmax")(h)), x, y, "cce", opt, 32, 150)


def gate_bias(units: int, gate: int, gates: int, bias: float, rows: int = 1) -> Any:
    """Initialiser of a recurrent layer's bias that sets one of its gates."""
    parts = np.zeros((rows, gates * units), "float32")
    parts[0, gate * units : (gate + 1) * units] = bias
    parts = parts[0] if rows == 1 else parts
    return lambda shape, dtype=None: k().ops.convert_to_tensor(parts)


def rnn(units: int, gain: float, act: str) -> Any:
    start = k().initializers.Orthogonal(gain)
    return k().layers.SimpleRNN(units, act, recurrent_initializer=start)


def raw_headed(head: str, opt: Any) -> Setup:
    """Targets between 500 and 1500, and a head that ends at 1."""
    x, y = roll()
    model = stack(3, [dense(32, "relu"), dense(1, head)])
    return Setup(model, x, 1000 + 250 * y, "mse", opt, 32, 250)
