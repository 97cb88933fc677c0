"""The hold-out part: written after every rule and threshold that existed then.

Other data, widths, depths, optimizers and kinds of layers than the development part, with the same
kinds of faults.  Nobody tunes on these.  A run may be dropped or its label changed for its outcome
only (it learned, or did not), never for what a rule says about it.  ``LOOKS.md`` counts the looks.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.diagnosis.runs.base import (
    BLOWN,
    DEAD,
    EXPLODING,
    FIRST,
    HEALTHY,
    KILLED,
    LAST,
    NO_FLOW,
    NONFINITE,
    SHUT,
    SLOW,
    STALLED,
    VANISHING,
    Family,
    Setup,
)
from benchmarks.diagnosis.runs.models import (
    adam,
    deep,
    dense,
    he_u,
    k,
    normal,
    opts,
    random_labels,
    sgd,
    stack,
    uniform,
)

# -------------------------------------------------------------------------------------------- data


def spiral() -> tuple[np.ndarray, np.ndarray]:
    """Three arms that turn once."""
    rng = np.random.default_rng(5)
    arm, t = rng.integers(0, 3, 900), rng.uniform(0.2, 1, 900)
    angle = 2 * np.pi * (arm / 3 + 0.8 * t) + rng.normal(0, 0.08, 900)
    x = np.stack([t * np.cos(angle), t * np.sin(angle)], 1) * 1.7
    return x.astype("float32"), np.eye(3)[arm]


def quantiles() -> tuple[np.ndarray, np.ndarray]:
    from sklearn.datasets import make_gaussian_quantiles

    x, y = make_gaussian_quantiles(n_samples=1000, n_features=5, n_classes=3, random_state=5)
    return x.astype("float32"), np.eye(3)[y]


def class4() -> tuple[np.ndarray, np.ndarray]:
    from sklearn.datasets import make_classification

    x, y = make_classification(
        1200, 20, n_informative=8, n_classes=4, class_sep=1.5, random_state=5
    )
    return ((x - x.mean(0)) / x.std(0)).astype("float32"), np.eye(4)[y]


def hastie() -> tuple[np.ndarray, np.ndarray]:
    from sklearn.datasets import make_hastie_10_2

    x, y = make_hastie_10_2(2000, random_state=5)
    return x.astype("float32"), (y > 0)[:, None].astype(float)


def roll() -> tuple[np.ndarray, np.ndarray]:
    """Position along a Swiss roll, both scaled."""
    from sklearn.datasets import make_swiss_roll

    x, t = make_swiss_roll(1000, noise=0.3, random_state=5)
    x = (x - x.mean(0)) / x.std(0)
    return x.astype("float32"), ((t - t.mean()) / t.std())[:, None]


def impedance(*, scaled: bool) -> tuple[np.ndarray, np.ndarray]:
    """Friedman's second problem; as it comes, inputs reach 1800 and targets 1700."""
    from sklearn.datasets import make_friedman2

    x, y = make_friedman2(900, noise=20.0, random_state=5)
    y = y[:, None]
    if scaled:
        x, y = (x - x.mean(0)) / x.std(0), (y - y.mean()) / y.std()
    return x.astype("float32"), y


def waves(length: int = 48) -> tuple[np.ndarray, np.ndarray]:
    """Noisy sines of three frequencies."""
    rng = np.random.default_rng(5)
    y = rng.integers(0, 3, 800)
    phase = rng.uniform(0, 2 * np.pi, (800, 1))
    time = np.arange(length)[None] / length
    x = np.sin(2 * np.pi * (2 + 2 * y[:, None]) * time + phase) + rng.normal(0, 0.3, (800, length))
    return x[:, :, None].astype("float32"), np.eye(3)[y]


def bars(size: int = 10) -> tuple[np.ndarray, np.ndarray]:
    """Pictures with a horizontal, a vertical or a diagonal bar."""
    rng = np.random.default_rng(5)
    y = rng.integers(0, 3, 900)
    x = rng.normal(0, 0.3, (900, size, size, 1))
    for i, kind in enumerate(y):
        at = rng.integers(0, size)
        if kind == 0:
            x[i, at, :, 0] += 1
        elif kind == 1:
            x[i, :, at, 0] += 1
        else:
            rows = np.arange(size)
            x[i, rows, (rows + at) % size, 0] += 1
    return x.astype("float32"), np.eye(3)[y]


def squares(size: int = 12) -> tuple[np.ndarray, np.ndarray]:
    """Pictures of a bright square in noise, and its mask."""
    rng = np.random.default_rng(5)
    x, y = rng.normal(0, 0.4, (500, size, size, 1)), np.zeros((500, size, size, 1))
    for i in range(500):
        a, b, n = rng.integers(0, size - 4), rng.integers(0, size - 4), rng.integers(3, 5)
        y[i, a : a + n, b : b + n] = 1
    return (x + y).astype("float32"), y


def pairs() -> tuple[tuple[np.ndarray, np.ndarray], np.ndarray]:
    """Two noisy views of one of six patterns, or of two."""
    rng = np.random.default_rng(5)
    patterns = rng.normal(size=(6, 16))
    a, same = rng.integers(0, 6, 1200), rng.integers(0, 2, 1200)
    b = np.where(same, a, (a + rng.integers(1, 6, 1200)) % 6)
    view = lambda i: (patterns[i] + rng.normal(0, 0.3, (1200, 16))).astype("float32")
    return (view(a), view(b)), same[:, None].astype(float)


def order(length: int = 20) -> tuple[np.ndarray, np.ndarray]:
    """Sequences of 30 tokens; the class is which of the tokens 1 and 2 comes first."""
    rng = np.random.default_rng(5)
    x = rng.integers(3, 30, (1200, length))
    first = rng.integers(0, 2, 1200)
    for i in range(1200):
        a, b = np.sort(rng.choice(length, 2, replace=False))
        x[i, a], x[i, b] = (1, 2) if first[i] else (2, 1)
    return x.astype("int32"), first[:, None].astype(float)


def adding(length: int = 16) -> tuple[np.ndarray, np.ndarray]:
    """The sum of the two marked numbers of a sequence."""
    rng = np.random.default_rng(5)
    x = np.zeros((1000, length, 2))
    x[:, :, 0] = rng.uniform(0, 1, (1000, length))
    for i in range(1000):
        x[i, rng.choice(length, 2, replace=False), 1] = 1
    y = (x[:, :, 0] * x[:, :, 1]).sum(1, keepdims=True)
    return x.astype("float32"), y


def opening(length: int) -> tuple[np.ndarray, np.ndarray]:
    """Three classes, told by the first two steps of a noisy sequence."""
    rng = np.random.default_rng(5)
    y = rng.integers(0, 3, 600)
    x = rng.normal(0, 0.3, (600, length, 3))
    x[:, :2] += 1.5 * np.eye(3)[y][:, None]
    return x.astype("float32"), np.eye(3)[y]


DATA: dict[str, Callable[[], tuple[Any, np.ndarray]]] = {
    "spiral": spiral,
    "quantiles": quantiles,
    "class4": class4,
    "hastie": hastie,
    "roll": roll,
    "impedance": lambda: impedance(scaled=True),
}
REGRESSION = ("roll", "impedance")

# ------------------------------------------------------------------------------------------ models


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


# ------------------------------------------------------------------------------------------- runs


def runs() -> list[Any]:
    """Healthy ones first."""
    family = Family()
    healthy(family)
    noise(family)
    sick(family)
    return family.runs


def healthy(family: Family) -> None:
    """Networks that learn."""

    def fine(id: str, build: Callable[[], Setup]) -> None:
        family.add(f"N-{id}", HEALTHY, build)

    layers = lambda: k().layers
    fine("spiral-relu4", lambda: plain("spiral", 4, 40, "relu", opts().RMSprop(3e-3)))
    fine("spiral-tanh12", lambda: plain("spiral", 12, 20, "tanh", adam(3e-3)))
    fine("spiral-batch4", lambda: plain("spiral", 3, 24, "relu", sgd(0.05), batch=4, steps=800))
    fine(
        "quantiles-prelu",
        lambda: layered(
            "quantiles",
            [f for _ in range(3) for f in (dense(28), layers().PReLU())],
            opts().Nadam(5e-3),
        ),
    )
    fine("quantiles-softplus4", lambda: plain("quantiles", 4, 28, "softplus", adam(5e-3)))
    fine("class4-highway", lambda: highway(6, adam(3e-3)))
    fine("class4-experts", lambda: experts(opts().AdamW(3e-3)))
    fine("class4-mish8", lambda: plain("class4", 8, 36, "mish", opts().Adafactor(1e-2)))
    fine("class4-leaky5", lambda: plain("class4", 5, 36, "leaky_relu", opts().Adamax(5e-3)))
    fine("class4-noise40", lambda: flipped(0.4, adam(2e-3)))
    fine(
        "class4-loss1e3",
        lambda: plain("class4", 3, 36, "relu", sgd(5e-5, 0.9), factor=1e3),
    )
    fine("class4-loss1e-3", lambda: plain("class4", 3, 36, "relu", adam(2e-3), factor=1e-3))
    fine(
        "hastie-selu8",
        lambda: plain("hastie", 8, 40, "selu", adam(1e-3), lambda: "lecun_normal", steps=400),
    )
    fine(
        "hastie-bn",
        lambda: layered(
            "hastie",
            [
                f
                for _ in range(4)
                for f in (dense(48), layers().BatchNormalization(), layers().ReLU())
            ],
            sgd(0.05, 0.9),
            steps=400,
        ),
    )
    decay = lambda: k().optimizers.schedules.ExponentialDecay(1e-2, 50, 0.7)
    fine("hastie-decay", lambda: plain("hastie", 2, 64, "relu", adam(decay()), steps=400))
    fine("roll-huber", lambda: plain("roll", 3, 48, "relu", adam(5e-3), loss="huber"))
    fine("roll-elu6", lambda: plain("roll", 6, 24, "elu", adam(3e-3), steps=400))
    fine("impedance-mae", lambda: plain("impedance", 2, 40, "gelu", opts().Nadam(3e-3), loss="mae"))
    fine("impedance-raw", lambda: raw_impedance(adam(0.03)))
    fine(
        "impedance-l2",
        lambda: layered(
            "impedance",
            [dense(40, "relu", kernel_regularizer=k().regularizers.L2(3e-3)) for _ in range(2)],
            sgd(0.02, 0.9),
        ),
    )
    fine("waves-conv1d", lambda: conv1d(4, "relu", opts().Nadam(2e-3)))
    fine("waves-dilated", lambda: dilated(adam(5e-3)))
    fine("waves-tuned", lambda: conv1d(3, "relu", adam(1e-4), silent_steps=500))
    fine(
        "waves-bigru",
        lambda: sequence(
            waves(),
            [layers().Bidirectional(layers().GRU(12))],
            "cce",
            opts().AdamW(5e-3),
            steps=250,
        ),
    )
    fine("bars-groupnorm", lambda: grouped(sgd(0.05, 0.9)))
    fine("bars-separable", lambda: separable_residual(opts().RMSprop(3e-3)))
    fine("bars-patches", lambda: patches(adam(2e-3)))
    fine("squares-unet", lambda: unet(adam(5e-3)))
    fine("squares-coder", lambda: coder(adam(5e-3)))
    fine("pairs-siamese", lambda: siamese(adam(3e-3)))
    fine("pairs-frozen", lambda: siamese(adam(3e-3), frozen=True))
    fine("several-labels", lambda: several_labels("sigmoid", opts().Adamax(5e-3)))
    fine("bag-adagrad", lambda: bag(opts().Adagrad(0.5)))
    warm = lambda: k().optimizers.schedules.CosineDecay(
        0.0, 400, warmup_target=5e-3, warmup_steps=60
    )
    fine("order-postnorm", lambda: post_norm(adam(warm())))
    fine(
        "order-lstm2",
        lambda: words([layers().LSTM(24, return_sequences=True), layers().LSTM(16)], adam(1e-2)),
    )
    fine(
        "adding-gru",
        lambda: sequence(adding(), [layers().GRU(24)], "mse", adam(1e-2), steps=350),
    )


def noise(family: Family) -> None:
    """Healthy networks with nothing to learn."""

    def nothing(id: str, build: Callable[[], Setup]) -> None:
        family.add(
            f"N-noise-{id}",
            HEALTHY,
            lambda: random_labels(build()),
            learnable=False,
            allowed=STALLED,
        )

    nothing("spiral", lambda: plain("spiral", 6, 24, "tanh", adam(1e-3)))
    nothing("waves", lambda: conv1d(4, "relu", opts().RMSprop(1e-3)))
    nothing("order", lambda: words([k().layers.GRU(16)], adam(1e-3)))
    nothing("bars", lambda: grouped(sgd(0.02)))


def sick(family: Family) -> None:
    """One fault each."""

    def add(id: str, expected: tuple[str, ...], build: Callable[[], Setup], **more: Any) -> None:
        family.add(f"N-{id}", expected, build, **more)

    def first(id: str, expected: tuple[str, ...], build: Callable[[], Setup]) -> None:
        add(id, expected, build, first_sick=FIRST)

    layers = lambda: k().layers
    # depth and saturation
    first("spiral-sig10", VANISHING, lambda: plain("spiral", 10, 20, "sigmoid", adam(1e-3)))
    first("waves-conv-sig10", VANISHING, lambda: conv1d(10, "sigmoid", sgd(0.1)))
    first(
        "class4-hard14",
        VANISHING,
        lambda: plain("class4", 14, 30, "hard_sigmoid", opts().Nadam(1e-3)),
    )
    first("quantiles-softmax6", VANISHING, lambda: plain("quantiles", 6, 24, "softmax", sgd(0.1)))
    first(
        "roll-sig9-huber",
        VANISHING,
        lambda: plain("roll", 9, 24, "sigmoid", sgd(0.05), loss="huber"),
    )
    first(
        "bars-cnn-sig9",
        VANISHING,
        lambda: pictures(
            [
                *[layers().Conv2D(10, 3, padding="same", activation="sigmoid") for _ in range(9)],
                layers().GlobalAveragePooling2D(),
            ],
            opts().RMSprop(1e-3),
        ),
    )
    # initial weights
    first(
        "hastie-tanh16-small",
        NO_FLOW,
        lambda: plain("hastie", 16, 40, "tanh", adam(1e-3), lambda: normal(0.03)),
    )
    first(
        "class4-relu14-RU",
        NO_FLOW,
        lambda: plain("class4", 14, 30, "relu", sgd(0.1, 0.9), uniform),
    )
    first(
        "waves-conv-small",
        NO_FLOW,
        lambda: sequence(
            waves(),
            [
                *[
                    layers().Conv1D(16, 3, activation="relu", kernel_initializer=normal(0.01))
                    for _ in range(7)
                ],
                layers().GlobalAveragePooling1D(),
            ],
            "cce",
            adam(3e-4),
        ),
    )
    add(
        "class4-relu18-big",
        BLOWN,
        lambda: plain("class4", 18, 36, "relu", adam(1e-3), lambda: normal(0.8)),
    )
    add(
        "roll-relu9-big",
        BLOWN,
        lambda: plain("roll", 9, 48, "relu", sgd(1e-3), lambda: normal(1.0)),
    )
    first(
        "quantiles-tanh4-big",
        (*SHUT, "exploding"),
        lambda: plain("quantiles", 4, 40, "tanh", sgd(1e-3), lambda: normal(4.0)),
    )
    add("quantiles-exp6", BLOWN, lambda: plain("quantiles", 6, 16, "exponential", adam(), he_u))
    add("class4-residual40", BLOWN, lambda: deep_residual(40, sgd(0.1)))
    # dead layers
    add("class4-deadbias", DEAD, lambda: killed("class4", 2, 4, -25.0, adam()), first_sick=2)
    add("hastie-deadbias", DEAD, lambda: killed("hastie", 0, 3, -30.0, sgd(0.05)), first_sick=0)
    add(
        "bars-deadconv",
        DEAD,
        lambda: pictures(
            [
                layers().Conv2D(12, 3, activation="relu"),
                layers().Conv2D(
                    12, 3, activation="relu", bias_initializer=k().initializers.Constant(-20.0)
                ),
                layers().Flatten(),
            ],
            adam(),
        ),
        first_sick=1,
    )
    first("spiral-relu36x3", NO_FLOW, lambda: plain("spiral", 36, 3, "relu", adam(), he_u))
    first("class4-zeros", NO_FLOW, lambda: plain("class4", 4, 24, "relu", adam(), lambda: "zeros"))
    add(
        "hastie-softmax1",
        DEAD,
        lambda: plain("hastie", 2, 32, "relu", adam(), head=dense(1, "softmax"), strip=True),
        first_sick=LAST,
    )
    add(
        "roll-relu-head",
        DEAD,
        lambda: plain(
            "roll",
            2,
            32,
            "relu",
            sgd(0.01),
            head=dense(1, "relu", bias_initializer=k().initializers.Constant(-60.0)),
        ),
        first_sick=LAST,
    )
    # learning rates
    add("hastie-lr3", KILLED, lambda: plain("hastie", 3, 48, "relu", adam(3.0)))
    add("spiral-sgd30", KILLED, lambda: plain("spiral", 3, 32, "relu", sgd(30.0)))
    add("class4-tanh-sgd20", EXPLODING, lambda: plain("class4", 3, 32, "tanh", sgd(20.0)))
    add("waves-conv-lr2", KILLED, lambda: conv1d(4, "relu", opts().RMSprop(2.0)))
    add("order-postnorm-lr1", ("exploding", "dead"), lambda: post_norm(adam(1.0)))
    add("impedance-raw-sgd", KILLED, lambda: raw_impedance(sgd(0.01), 150))
    add("impedance-rawx-sgd", KILLED, lambda: raw_impedance(sgd(1e-3), 150, inputs=True))
    add("class4-adam1e-6", SLOW, lambda: plain("class4", 3, 32, "relu", adam(1e-6)))
    add("waves-sgd1e-5", SLOW, lambda: conv1d(3, "relu", sgd(1e-5)))
    add("bars-nadam1e-7", SLOW, lambda: grouped(opts().Nadam(1e-7)))
    add("order-adagrad1e-5", SLOW, lambda: words([k().layers.GRU(16)], opts().Adagrad(1e-5)))
    add("impedance-raw-adam1e-4", SLOW, lambda: raw_impedance(adam(1e-4)))
    # through time
    first(
        "opening-rnn",
        SHUT,
        lambda: sequence(opening(70), [rnn(24, 0.4, "tanh")], "cce", sgd(0.05)),
    )
    first(
        "opening-lstm",
        SHUT,
        lambda: sequence(
            opening(50),
            [layers().LSTM(24, unit_forget_bias=False, bias_initializer=gate_bias(24, 1, 4, -4.0))],
            "cce",
            sgd(0.1),
        ),
    )
    first(
        "opening-gru",
        SHUT,
        lambda: sequence(
            opening(45),
            [layers().GRU(20, bias_initializer=gate_bias(20, 0, 3, -4.0, rows=2))],
            "cce",
            sgd(0.1),
        ),
    )
    first(
        "adding-rnn-explode",
        BLOWN,
        lambda: sequence(adding(50), [rnn(24, 1.7, "linear")], "mse", sgd(0.01), steps=100),
    )
    first(
        "opening-rnn-relu",
        BLOWN,
        lambda: sequence(opening(50), [rnn(24, 1.8, "relu")], "cce", sgd(0.05), steps=100),
    )
    # numbers outside of what a function can take
    add("pairs-root", NONFINITE, lambda: siamese(adam(3e-3), distance=True))
    add(
        "hastie-log",
        NONFINITE,
        lambda: plain(
            "hastie", 2, 48, "relu", sgd(0.5), lambda: normal(1.5), loss=logarithm, baseline=0.693
        ),
    )
    add("quantiles-shares", NONFINITE, lambda: shares(adam(1e-2)))
    # scales, heads, and what drowns the signal
    first("class4-raw-tanh", SHUT, lambda: plain("class4", 5, 32, "tanh", sgd(0.1), gain=200.0))
    add(
        "roll-sigmoid-head",
        (*SHUT, "slow"),
        lambda: raw_headed("sigmoid", adam(1e-3)),
        first_sick=LAST,
    )
    add(
        "class4-dropout.96",
        STALLED,
        lambda: layered(
            "class4",
            [f for _ in range(4) for f in (dense(24, "relu"), k().layers.Dropout(0.96))],
            adam(1e-3),
        ),
    )
    add(
        "hastie-l2-1",
        ("stalled", "vanishing", "dead"),
        lambda: layered(
            "hastie",
            [dense(32, "relu", kernel_regularizer=k().regularizers.L2(1.0)) for _ in range(3)],
            adam(1e-3),
        ),
    )
    first(
        "quantiles-bn-gamma0",
        NO_FLOW,
        lambda: layered(
            "quantiles",
            [
                f
                for _ in range(7)
                for f in (
                    dense(28),
                    k().layers.BatchNormalization(
                        gamma_initializer=k().initializers.Constant(1e-3)
                    ),
                    k().layers.Activation("tanh"),
                )
            ],
            sgd(0.02),
        ),
    )


def raw_headed(head: str, opt: Any) -> Setup:
    """Targets between 500 and 1500, and a head that ends at 1."""
    x, y = roll()
    model = stack(3, [dense(32, "relu"), dense(1, head)])
    return Setup(model, x, 1000 + 250 * y, "mse", opt, 32, 250)
