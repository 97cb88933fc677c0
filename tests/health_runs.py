"""Small labelled training runs, rebuilt from published facts, and the records they produce.

A minimal loop around ``tf.GradientTape`` stands in for the callback, so the rules are checked on
statistics that do not come from the code under test.  ``AT-`` rows follow AUTOTRAINER (ICSE'21),
``SO-`` Stack Overflow posts by number, ``TDC-`` TheDeepChecker (TOSEM'22); ``H-`` and ``U-`` are
healthy and unhealthy controls.

    python tests/health_runs.py dev|holdout|fresh|all [SEEDS [PREFIX]]  # prints a table

``expected`` of a run: kinds of which one must be found when it fails; empty: nothing may be found;
None: seed-dependent or faults that are not about gradients, only listed.
"""

from __future__ import annotations

import dataclasses
import hashlib
import math
import pickle
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from tb_gradplugin.records import StepRecord
from tb_gradplugin.structure import Layer, ModelStructure, Variable

CACHE = Path(tempfile.gettempdir()) / "gradient_health_runs"


@dataclasses.dataclass
class Setup:
    """What is trained: everything ``record`` needs."""

    model: Any
    x: np.ndarray
    y: np.ndarray
    loss: str = "cce"
    optimizer: Any = None
    batch: int = 64
    steps: int = 300
    silent_steps: int = 0  # trained before the first record: a fine-tuned or resumed model
    factor: float = 1.0  # multiplies the loss
    strip: bool = False  # hides the cached logits of the head from Keras' loss


@dataclasses.dataclass(frozen=True)
class Run:
    id: str
    build: Callable[[], Setup]
    expected: tuple[str, ...] | None

    @property
    def split(self) -> str:
        """Fixed before any threshold was tuned: a third of the ids, by hash, is held out.

        ``F-`` runs were added after the first look at the held-out ones, which changed two rules.
        """
        if self.id.startswith("F-"):
            return "fresh"
        return "holdout" if int(hashlib.sha1(self.id.encode()).hexdigest(), 16) % 3 == 0 else "dev"


@dataclasses.dataclass
class Recorded:
    structure: ModelStructure
    records: list[StepRecord]
    final: float  # mean loss of the last ten steps (NaN counts as NaN)
    baseline: float

    @property
    def failed(self) -> bool:
        return not self.final <= 0.9 * self.baseline


# ---------------------------------------------------------------------------------------- loop


def logged_steps(steps: int) -> list[int]:
    """The schedule ``"auto"``: every step up to 20, then every ``step // 20``, at most 100."""
    out, step = [], 1
    while step <= steps:
        out.append(step)
        step += 1 if step < 20 else min(max(step // 20, 1), 100)
    return out


def role(name: str) -> str:
    if name in ("kernel", "recurrent_kernel", "embeddings", "bias"):
        return name
    return "scale" if name in ("gamma", "beta") else "other"


def describe(setup: Setup) -> tuple[ModelStructure, list[Any]]:
    """Structure of the model, and its trained variables in the same order."""
    layers, variables, handles = [], [], []
    for layer in setup.model._flatten_layers(include_self=False, recursive=True):
        own = list(layer._trainable_variables) + list(layer._non_trainable_variables)
        if not own or type(layer).__name__ == "SeedGenerator":
            continue
        path = own[0].path.rsplit("/", 1)[0]
        init = getattr(layer, "kernel_initializer", None)
        act = getattr(layer, "activation", None)
        layers.append(
            Layer(
                path=path,
                type=type(layer).__name__,
                activation=getattr(act, "__name__", None),
                initializer=type(init).__name__ if init is not None else None,
                trainable=bool(layer.trainable),
                parameters=sum(math.prod(v.shape) for v in own),
            )
        )
        for v in layer._trainable_variables if layer.trainable else []:
            variables.append(Variable(v.path, len(layers) - 1, role(v.name), tuple(v.shape)))
            handles.append(v)
    structure = ModelStructure(
        tuple(layers),
        tuple(variables),
        model=setup.model.name,
        optimizer=type(setup.optimizer).__name__,
        loss=setup.loss,
        backend="tensorflow",
    )
    return structure, handles


def baseline(setup: Setup) -> float:
    """Loss of the best constant prediction."""
    y = setup.y.astype(np.float64)
    loss = setup.loss.removesuffix("+logits")
    if loss == "bce":
        p = np.clip(y.mean(0), 1e-12, 1 - 1e-12)
        value = np.mean(-p * np.log(p) - (1 - p) * np.log(1 - p))
    elif loss in ("cce", "nll"):
        p = np.clip(y.mean(0) / y.mean(0).sum(), 1e-12, 1)
        value = -np.sum(p * np.log(p))
    elif loss == "mae":
        value = np.mean(np.abs(y - np.median(y, axis=0)))
    else:
        value = np.mean(y.var(0))
    return float(value * setup.factor)


def losses(setup: Setup, y: Any, p: Any) -> Any:
    import keras
    import tensorflow as tf

    if setup.strip:
        p = tf.identity(p)
    if setup.loss == "nll":  # hand-written cross-entropy: log(0) once a probability underflows
        return -tf.reduce_sum(y * tf.math.log(p), axis=-1)
    if setup.loss == "half-mse":
        return 0.5 * keras.losses.mean_squared_error(y, p)
    if setup.loss.endswith("+logits"):
        kind = {"bce": "binary", "cce": "categorical"}[setup.loss.removesuffix("+logits")]
        return getattr(keras.losses, f"{kind}_crossentropy")(y, p, from_logits=True)
    names = {
        "bce": keras.losses.binary_crossentropy,
        "cce": keras.losses.categorical_crossentropy,
        "mse": keras.losses.mean_squared_error,
        "mae": keras.losses.mean_absolute_error,
        "huber": keras.losses.huber,
    }
    return names[setup.loss](y, p)


def record(run: Run, seed: int) -> Recorded:
    """Trains and logs on the schedule; stops 40 steps after the loss became non-finite."""
    import keras
    import tensorflow as tf

    keras.backend.clear_session()
    keras.utils.set_random_seed(seed)
    setup = run.build()
    x, y = tf.constant(setup.x), tf.constant(setup.y.astype("float32"))
    setup.model(x[:1])
    structure, handles = describe(setup)
    values = [v.value for v in handles]
    optimizer = setup.optimizer
    optimizer.build(setup.model.trainable_variables)
    const = baseline(setup)

    def row(g: Any, before: Any, after: Any) -> Any:
        if g is None:
            return tf.fill([10], tf.constant(np.nan, tf.float64))
        g = tf.reshape(tf.cast(tf.convert_to_tensor(g), tf.float64), [-1])
        before, after = tf.cast(before, tf.float64), tf.cast(after, tf.float64)
        ok = tf.boolean_mask(g, tf.math.is_finite(g))
        mean = tf.reduce_mean(ok)
        some = tf.concat([ok, tf.zeros([tf.cast(tf.size(ok) == 0, tf.int32)], tf.float64)], 0)
        return tf.stack(
            [
                tf.norm(ok),
                mean,
                tf.sqrt(tf.reduce_mean((ok - mean) ** 2)),
                tf.reduce_min(some),
                tf.reduce_max(some),
                tf.reduce_mean(tf.cast(g == 0, tf.float64)),
                tf.reduce_sum(tf.cast(tf.math.is_nan(g), tf.float64)),
                tf.reduce_sum(tf.cast(tf.math.is_inf(g), tf.float64)),
                tf.norm(before),
                tf.norm(after - before),
            ]
        )

    @tf.function
    def step(index: Any, log: Any) -> Any:
        xb, yb = tf.gather(x, index), tf.gather(y, index)
        with tf.GradientTape() as tape:
            data = setup.factor * tf.reduce_mean(losses(setup, yb, setup.model(xb, training=True)))
            total = data + tf.add_n(setup.model.losses) if setup.model.losses else data
        by_id = {id(v.value): v for v in handles}
        gradients = tape.gradient(total, values)
        before = [tf.identity(v) for v in values]
        pairs = [(g, by_id[id(v)]) for g, v in zip(gradients, values, strict=True)]
        optimizer.apply_gradients([(g, v) for g, v in pairs if g is not None])

        def rows() -> Any:
            return tf.stack(
                [row(g, b, v) for g, b, v in zip(gradients, before, values, strict=True)]
            )

        empty = tf.zeros([len(values), 10], tf.float64)
        return total, data, tf.cond(log, rows, lambda: empty)

    records, history, index_of = [], [], np.random.default_rng(seed)
    due = set(logged_steps(setup.steps))
    order = np.empty(0, np.int64)
    n, bad = len(setup.x), 0
    batch = min(setup.batch, n)
    for t in range(1 - setup.silent_steps, setup.steps + 1):
        if len(order) < batch:
            order = index_of.permutation(n)
        index, order = order[:batch], order[batch:]
        rate = float(keras.ops.convert_to_numpy(optimizer.learning_rate))
        total, data, table = step(tf.constant(index), tf.constant(t in due))
        history.append(float(data))
        if t in due:
            training = np.array([float(total), float(data), const, rate, 1.0, 1.0, 0.0])
            with np.errstate(over="ignore"):
                statistics = table.numpy().astype(np.float32)
            records.append(StepRecord(t, float(t), statistics, training))
        bad += not math.isfinite(history[-1])
        if bad > 40:
            break
    tail = history[-10 if bad else -max(10, n // batch) :]
    return Recorded(structure, records, float(np.mean(tail)), const)


def recorded(run: Run, seed: int) -> Recorded:
    """``record``, kept on disk so that judging again takes no training."""
    path = CACHE / f"{run.id}-{seed}.pickle"
    if not path.exists():
        CACHE.mkdir(exist_ok=True)
        path.write_bytes(pickle.dumps(record(run, seed)))
    return pickle.loads(path.read_bytes())


# ------------------------------------------------------------------------------ data and models


def circle() -> tuple[np.ndarray, np.ndarray]:
    from sklearn.datasets import make_circles

    x, y = make_circles(1000, noise=0.1, random_state=1)
    return x[:700].astype("float32"), y[:700, None]


def blob() -> tuple[np.ndarray, np.ndarray]:
    from sklearn.datasets import make_blobs

    x, y = make_blobs(1000, centers=3, n_features=2, cluster_std=2, random_state=2)[:2]
    return x[:700].astype("float32"), np.eye(3)[y[:700]]


def digits() -> tuple[np.ndarray, np.ndarray]:
    from sklearn.datasets import load_digits

    data: Any = load_digits()
    return (data.data / 16).astype("float32"), np.eye(10)[data.target]


def diabetes() -> tuple[np.ndarray, np.ndarray]:
    from sklearn.datasets import load_diabetes

    data: Any = load_diabetes()
    x, y = data.data, data.target[:, None]
    return ((x - x.mean(0)) / x.std(0)).astype("float32"), (y - y.mean()) / y.std()


def k() -> Any:
    import keras

    return keras


def he_u() -> Any:
    return k().initializers.VarianceScaling(2, "fan_in", "uniform")


def normal(std: float) -> Any:
    return k().initializers.RandomNormal(0, std)


def uniform() -> Any:
    return k().initializers.RandomUniform(-0.05, 0.05)


def adam(rate: Any = 1e-3, **more: Any) -> Any:
    return k().optimizers.Adam(rate, **more)


def sgd(rate: Any, momentum: float = 0.0, **more: Any) -> Any:
    return k().optimizers.SGD(rate, momentum, **more)


def dense(units: int, act: str | None = None, init: Any = None, **more: Any) -> Any:
    if init is not None:
        more["kernel_initializer"] = init() if callable(init) and init in (he_u, uniform) else init
    return k().layers.Dense(units, act, **more)


def stack(n_in: int | tuple[int, ...], layers: list[Any]) -> Any:
    shape = (n_in,) if isinstance(n_in, int) else n_in
    return k().Sequential([k().Input(shape), *layers])


def deep(n_in: int, depth: int, units: int, act: str, init: Any, head: Any) -> Any:
    """Plain stack of ``depth`` hidden layers; ``init`` makes a fresh initialiser a layer."""
    hidden = [dense(units, act, init() if init else "glorot_uniform") for _ in range(depth)]
    return stack(n_in, [*hidden, head])


def autotrainer(
    data: str, depth: int, act: str, init: Any = he_u, opt: Any = None, batch: int = 0, steps=400
) -> Setup:
    x, y = circle() if data == "C" else blob()
    units, loss = (1, "bce") if data == "C" else (3, "cce")
    model = deep(2, depth, 5, act, init, dense(units, "sigmoid", he_u))
    opt = opt() if opt else adam()
    return Setup(model, x, y, loss, opt, batch or (128 if data == "C" else 256), steps)


def dig(model: Callable[[], Any], opt: Any, **more: Any) -> Setup:
    x, y = digits()
    return Setup(model(), x, y, "cce", opt, **more)


def dig_deep(depth: int, act: str, opt: Any, init: Any = None, units: int = 64, **more) -> Setup:
    return dig(lambda: deep(64, depth, units, act, init, dense(10, "softmax")), opt, **more)


def normalised(depth: int, kind: str) -> Any:
    norm = {"bn": k().layers.BatchNormalization, "ln": k().layers.LayerNormalization}[kind]
    layers: list[Any] = []
    for _ in range(depth):
        layers += [dense(64, None, "he_normal"), norm(), k().layers.ReLU()]
    return stack(64, [*layers, dense(10, "softmax")])


def residual(depth: int, *, zero: bool, norm: bool = True) -> Any:
    x = entry = k().Input((64,))
    x = dense(64)(x)
    for _ in range(depth):
        z = k().layers.LayerNormalization()(x) if norm else x
        z = dense(64, "relu", "he_normal")(z)
        x = x + dense(64, None, "zeros" if zero else "he_normal")(z)
    return k().Model(entry, dense(10, "softmax")(x))


def cnn(*, norm: bool = False) -> Any:
    layers: list[Any] = []
    for filters in (16, 32, 32):
        layers.append(k().layers.Conv2D(filters, 3, padding="same", use_bias=not norm))
        if norm:
            layers.append(k().layers.BatchNormalization())
        layers.append(k().layers.ReLU())
    pool = k().layers.GlobalAveragePooling2D()
    return stack(64, [k().layers.Reshape((8, 8, 1)), *layers, pool, dense(10, "softmax")])


def tokens(n: int = 1024, length: int = 24, vocabulary: int = 64) -> tuple[np.ndarray, np.ndarray]:
    """Sequences whose class is whether small tokens outnumber large ones."""
    rng = np.random.default_rng(0)
    x = rng.integers(0, vocabulary, (n, length))
    y = (x < vocabulary // 2).sum(1) > length // 2
    return x.astype("int32"), y[:, None].astype(float)


def attention(blocks: int) -> Setup:
    x, y = tokens()
    entry = k().Input((x.shape[1],), dtype="int32")
    h = k().layers.Embedding(64, 32)(entry)
    for _ in range(blocks):
        z = k().layers.LayerNormalization()(h)
        h = h + k().layers.MultiHeadAttention(2, 16)(z, z)
        z = k().layers.LayerNormalization()(h)
        h = h + dense(32)(dense(64, "gelu")(z))
    h = k().layers.GlobalAveragePooling1D()(k().layers.LayerNormalization()(h))
    model = k().Model(entry, dense(1, "sigmoid")(h))
    return Setup(model, x, y, "bce", adam(), 32, 250)


def embedding() -> Setup:
    x, y = tokens(2048, 16, 2000)
    pool = k().layers.GlobalAveragePooling1D()
    layers = [k().layers.Embedding(2000, 16), pool, dense(16, "relu"), dense(1, "sigmoid")]
    return Setup(stack((16,), layers), x, y, "bce", adam(1e-2), 32, 400)


def first_step(length: int, n: int = 512) -> tuple[np.ndarray, np.ndarray]:
    """Noise sequences whose first value carries the label."""
    rng = np.random.default_rng(0)
    x = rng.normal(0, 0.3, (n, length, 2))
    y = rng.integers(0, 2, n)
    x[:, 0, 0] = 2 * y - 1
    return x.astype("float32"), y[:, None].astype(float)


def recurrent(layer: Callable[[], Any], length: int, opt: Any, **more: Any) -> Setup:
    x, y = first_step(length)
    return Setup(stack((length, 2), [layer(), dense(1, "sigmoid")]), x, y, "bce", opt, 64, **more)


def simple_rnn(gain: float, act: str | None) -> Any:
    ortho = k().initializers.Orthogonal(gain)
    return k().layers.SimpleRNN(32, act, recurrent_initializer=ortho)


def regression(opt: Any, *, scale=1.0, offset=0.0, l2=1e-5, init="he_normal", **more) -> Setup:
    x, y = diabetes()
    layers = [
        dense(64, "relu", init, kernel_regularizer=k().regularizers.L2(l2)),
        dense(64, "relu", init, kernel_regularizer=k().regularizers.L2(l2)),
        dense(1, None, init),
    ]
    return Setup(stack(10, layers), x, y * scale + offset, "mse", opt, 32, **more)


def deep_regression(act: str, depth: int, opt: Any) -> Setup:
    x, y = diabetes()
    return Setup(deep(10, depth, 32, act, None, dense(1)), x, y, "mse", opt, 32)


def parabola(rate: float) -> Setup:
    rng = np.random.default_rng(0)
    x = np.arange(0, 5, 0.1)[:, None]
    y = 5 * x**2 + rng.normal(0, 1, x.shape) ** 3
    layers = [dense(50, "relu", uniform), dense(30, "relu", uniform), dense(1, None, uniform)]
    return Setup(stack(1, layers), x.astype("float32"), y, "mse", sgd(rate), 32, 400)


def wave(*, scaled: bool) -> Setup:
    x = np.arange(-100, 100, 0.5)[:, None]
    y = np.sin(x / 20) * 50 + x
    if scaled:
        x, y = (x - x.mean()) / x.std(), (y - y.mean()) / y.std()
    layers = [dense(50, "sigmoid"), dense(50, "elu"), dense(1)]
    return Setup(stack(1, layers), x.astype("float32"), y, "mse", adam(), 400, 600)


def line(rate: float, *, bias: bool, steps: int = 100) -> Setup:
    x = np.stack([np.arange(100.0), np.ones(100)], 1)
    y = 2 * x[:, :1] + 4 + np.random.default_rng(0).normal(0, 1, (100, 1))
    layers = [dense(1, use_bias=bias)]
    return Setup(stack(2, layers), x.astype("float32"), y, "half-mse", sgd(rate), 100, steps)


def one_unit(head: str) -> Setup:
    x = np.repeat([[1.0], [0.0]], 64, 0) * np.ones((1, 128))
    y = np.repeat([[1.0], [0.0]], 64, 0)
    drop = k().layers.Dropout
    layers = [dense(50, "relu"), drop(0.2), dense(50, "relu"), drop(0.2), dense(1, head)]
    opt = k().optimizers.RMSprop(1e-3)
    model = stack(128, layers)
    return Setup(model, x.astype("float32"), y, "bce", opt, 8, 150, strip=head == "softmax")


def xor(post: str) -> Setup:
    x = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], "float32")
    y = np.array([[0], [1], [1], [0]], float)
    if post == "31556268":
        layers = [dense(4, "sigmoid"), dense(1, "sigmoid")]
        opt = sgd(0.05, 0.11, nesterov=True)
        return Setup(stack(2, layers), x, y, "mae", opt, 4, 600)
    head = dense(1, "softmax", uniform)
    layers = [dense(2, "sigmoid", uniform), dense(3, "sigmoid", uniform), head]
    x, y = np.concatenate([x, x[1:3]]), np.concatenate([y, y[1:3]])
    return Setup(stack(2, layers), x, y, "mse", sgd(1e-3, 0.9, nesterov=True), 6, 200)


def bits() -> Setup:
    x = ((np.arange(256)[:, None] >> np.arange(8)) & 1).astype("float32")
    y = x[np.random.default_rng(0).permutation(256)]
    layers = [dense(8, "sigmoid", normal(0.05)) for _ in range(3)]
    return Setup(stack(8, layers), x, y.astype(float), "mse", sgd(0.01), 50, 500)


def dead_bias(bias: float = -20.0) -> Setup:
    kill = k().initializers.Constant(bias)
    layers = [dense(64, "relu"), dense(64, "relu", bias_initializer=kill), dense(64, "relu")]
    return dig(lambda: stack(64, [*layers, dense(10, "softmax")]), adam(), steps=250)


def saturated() -> Setup:
    setup = dig_deep(6, "tanh", sgd(0.1), steps=300)
    setup.x = setup.x * 50
    return setup


def frozen() -> Setup:
    model = stack(64, [dense(64, "relu"), dense(64, "relu"), dense(10, "softmax")])
    model.layers[0].trainable = False
    x, y = digits()
    return Setup(model, x, y, "cce", adam(), steps=300)


def noisy_labels() -> Setup:
    setup = dig_deep(3, "relu", adam(), steps=400)
    rng = np.random.default_rng(0)
    flip = rng.random(len(setup.y)) < 0.3
    setup.y = setup.y.copy()
    setup.y[flip] = np.eye(10)[rng.integers(0, 10, flip.sum())]
    return setup


def warm_up(peak: float, length: int) -> Any:
    s = k().optimizers.schedules.CosineDecay(0.0, 1000, warmup_target=peak, warmup_steps=length)
    return adam(s)


def big_head(std: float) -> Setup:
    head = dense(10, "softmax", normal(std))
    return dig(lambda: stack(64, [dense(64, "relu"), head]), adam(3e-3), steps=400)


def random_labels(setup: Setup) -> Setup:
    """The same with nothing to learn: the loss stays at the baseline in a healthy network."""
    setup.y = np.random.default_rng(0).permutation(setup.y)
    return setup


def weak_signal() -> Setup:
    """Full-batch regression that converges close to the baseline, where gradients vanish."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(256, 8)).astype("float32")
    y = 0.2 * x[:, :1] + rng.normal(size=(256, 1))
    model = stack(8, [dense(8, "tanh"), dense(1)])
    return Setup(model, x, y, "mse", sgd(0.1), 256, 1500)


def gated(kind: str, opt: Any) -> Setup:
    """Residual blocks whose branches start closed: gamma of zero, or LayerScale of 1e-6."""
    keras = k()

    class LayerScale(keras.layers.Layer):
        def build(self, shape: Any) -> None:
            init = keras.initializers.Constant(1e-6)
            self.gamma = self.add_weight(shape=(shape[-1],), initializer=init, name="gamma")

        def call(self, x: Any) -> Any:
            return x * self.gamma

    x = entry = keras.Input((64,))
    x = dense(64)(x)
    for _ in range(8):
        z = keras.layers.LayerNormalization()(x)
        z = dense(64, None, "he_normal")(dense(64, "relu", "he_normal")(z))
        if kind == "gamma":
            z = keras.layers.BatchNormalization(gamma_initializer="zeros")(z)
        else:
            z = LayerScale()(z)
        x = x + z
    return dig(lambda: keras.Model(entry, dense(10, "softmax")(x)), opt)


def two_towers() -> Setup:
    """Two inputs, of which one carries nothing."""
    a = k().Input((64,))
    b = k().layers.Lambda(lambda v: v * 0.0)(a)
    left = dense(32, "relu")(dense(32, "relu")(a))
    right = dense(32, "relu")(dense(32, "relu")(b))
    h = k().layers.Concatenate()([left, right])
    return dig(lambda: k().Model(a, dense(10, "softmax")(h)), adam())


def autoencoder() -> Setup:
    x, _ = digits()
    layers = [dense(32, "relu"), dense(8, "relu"), dense(32, "relu"), dense(64, "sigmoid")]
    return Setup(stack(64, layers), x, x, "mse", adam(), 64, 400)


def dropout() -> Setup:
    layers = [f for _ in range(4) for f in (dense(64, "relu"), k().layers.Dropout(0.5))]
    return dig(lambda: stack(64, [*layers, dense(10, "softmax")]), adam(), steps=400)


def small_cnn() -> Setup:
    layers = [
        k().layers.Conv2D(16, 3, padding="same", activation="relu", kernel_initializer=normal(0.02))
        for _ in range(8)
    ]
    pool = k().layers.GlobalAveragePooling2D()
    head = dense(10, "softmax", normal(0.02))
    model = stack(64, [k().layers.Reshape((8, 8, 1)), *layers, pool, head])
    return dig(lambda: model, sgd(0.05, 0.9))


def no_bias(depth: int, std: float, opt: Any) -> Setup:
    layers = [dense(64, "relu", normal(std), use_bias=False) for _ in range(depth)]
    head = dense(10, "softmax", normal(std), use_bias=False)
    return dig(lambda: stack(64, [*layers, head]), opt)


def wide() -> Setup:
    return dig(
        lambda: stack(64, [dense(4096, "relu"), dense(16, "relu"), dense(10, "softmax")]),
        adam(),
        steps=200,
    )


def l2_relu() -> Setup:
    reg = k().regularizers.L2(1e-3)
    layers = [dense(64, "relu", kernel_regularizer=reg) for _ in range(3)]
    return dig(lambda: stack(64, [*layers, dense(10, "softmax")]), adam(), steps=300)


def hand_written(std: float, rate: float) -> Setup:
    layers = [dense(64, "relu", normal(std)), dense(10, "softmax", normal(std))]
    setup = dig(lambda: stack(64, layers), sgd(rate), steps=200)
    setup.loss, setup.strip = "nll", True
    return setup


# ------------------------------------------------------------------------------------- catalogue

VANISHING, DEAD, EXPLODING = ("vanishing",), ("dead",), ("exploding",)
BLOWN = ("exploding", "nonfinite")
NO_FLOW = ("vanishing", "dead")
HEALTHY: tuple[str, ...] = ()


def catalogue() -> list[Run]:
    """All runs, sick ones first."""
    out: list[Run] = []

    def add(id: str, expected: tuple[str, ...] | None, build: Callable[[], Setup]) -> None:
        out.append(Run(id, build, expected))

    for n in (8, 11, 12, 13):
        add(f"AT-C-sig{n}", VANISHING, lambda n=n: autotrainer("C", n, "sigmoid"))
    for n in (11, 12):
        add(f"AT-B-sig{n}", VANISHING, lambda n=n: autotrainer("B", n, "sigmoid"))
    for d in "CB":
        for n in (8, 9):
            add(f"AT-{d}-reluRU{n}", NO_FLOW, lambda d=d, n=n: autotrainer(d, n, "relu", uniform))
        for n in (8, 9, 10):
            add(
                f"AT-{d}-exp{n}", BLOWN, lambda d=d, n=n: autotrainer(d, n, "exponential", steps=80)
            )
    for n in (15, 16, 17):
        add(f"AT-C-relu{n}", NO_FLOW, lambda n=n: autotrainer("C", n, "relu"))
    add("AT-B-relu15", NO_FLOW, lambda: autotrainer("B", 15, "relu"))
    add("X-C-sig8-sgd", VANISHING, lambda: autotrainer("C", 8, "sigmoid", opt=lambda: sgd(0.1)))
    add("SO-34311586", DEAD, lambda: xor("34311586"))
    add("SO-31880720", DEAD, lambda: one_unit("softmax"))
    add("SO-39217567", VANISHING, bits)
    add("SO-48934338", ("exploding", "dead", "nonfinite"), lambda: parabola(0.1))
    add("SO-58609115like", BLOWN, lambda: line(0.01, bias=True))
    add("TDC-IPS15", BLOWN, lambda: line(0.5, bias=False))
    add("TDC-IPS1", ("nonfinite",), lambda: hand_written(3.0, 0.5))
    add("U-dig-sig6-sgd", VANISHING, lambda: dig_deep(6, "sigmoid", sgd(0.1)))
    add("U-dig-sig10", VANISHING, lambda: dig_deep(10, "sigmoid", adam()))
    add("U-dig-sig20-sgd", VANISHING, lambda: dig_deep(20, "sigmoid", sgd(0.1)))
    add("U-dig-hard30", VANISHING, lambda: dig_deep(30, "hard_sigmoid", adam()))
    small = lambda: normal(0.02)  # noqa: E731
    add("U-dig-relu30-small", NO_FLOW, lambda: dig_deep(30, "relu", adam(), small))
    add("U-dig-relu12-small", NO_FLOW, lambda: dig_deep(12, "relu", sgd(0.05), small))
    add("U-dig-tanh20-small", NO_FLOW, lambda: dig_deep(20, "tanh", adam(), lambda: normal(0.05)))
    add("U-dig-deadbias", DEAD, dead_bias)
    add("U-dig-deadbias5", DEAD, lambda: dead_bias(-8.0))
    add("U-dig-relu8-nobias", NO_FLOW, lambda: no_bias(8, 0.02, sgd(0.05)))
    add("U-dig-relu16-nobias", NO_FLOW, lambda: no_bias(16, 0.02, adam()))
    add("U-dig-cnn-small", NO_FLOW, small_cnn)
    add("U-dig-softmax8", VANISHING, lambda: dig_deep(8, "softmax", adam()))
    add("U-dig-sig8-small", VANISHING, lambda: dig_deep(8, "sigmoid", sgd(0.1), small))
    add("U-diabetes-sig9", VANISHING, lambda: deep_regression("sigmoid", 9, sgd(0.01)))
    big = lambda: normal(0.5)  # noqa: E731
    add("U-dig-relu20-big", BLOWN, lambda: dig_deep(20, "relu", adam(), big))
    add("U-dig-relu12-big-sgd", BLOWN, lambda: dig_deep(12, "relu", sgd(0.01), big))
    add(
        "U-dig-tanh10-big-sgd",
        EXPLODING,
        lambda: dig_deep(10, "tanh", sgd(0.1), lambda: normal(0.6)),
    )
    add("U-dig-lr1-adam", ("exploding", "dead"), lambda: dig_deep(3, "relu", adam(1.0)))
    add("U-dig-sgd-lr10", ("exploding", "dead"), lambda: dig_deep(3, "relu", sgd(10.0)))
    add(
        "U-rnn-explode",
        BLOWN,
        lambda: recurrent(lambda: simple_rnn(1.6, "linear"), 60, sgd(0.1), steps=150),
    )
    add(
        "U-dig-res20-nonorm",
        BLOWN,
        lambda: dig(lambda: residual(20, zero=True, norm=False), sgd(0.1, 0.9), steps=300),
    )

    # Seed-dependent, or faults of the learning rate, the loss or the data rather than gradients.
    add("U-rnn-vanish", None, lambda: recurrent(lambda: simple_rnn(0.5, "tanh"), 100, adam()))
    add("SO-31556268", None, lambda: xor("31556268"))
    add("SO-52800582", None, lambda: wave(scaled=False))
    add("U-dig-lr.1-adam", None, lambda: dig_deep(3, "relu", adam(0.1)))
    add("U-dig-raw-sat", None, saturated)
    add(
        "AT-B-adagrad1",
        None,
        lambda: autotrainer("B", 5, "tanh", opt=lambda: k().optimizers.Adagrad(1.0)),
    )
    add("TDC-regr-highlr", None, lambda: regression(adam(0.1)))
    add("TDC-regr-lowlr", None, lambda: regression(adam(1e-5)))
    add("TDC-regr-l2", None, lambda: regression(adam(), l2=0.1))
    constant = lambda: k().initializers.Constant(0.01)  # noqa: E731
    add("TDC-regr-const", None, lambda: regression(adam(), init=constant()))
    add("TDC-IPS4", None, lambda: dig_deep(3, "relu", adam(3e-3), lambda: normal(1.0), 128))

    for d in "CB":
        for n in (5, 8, 11, 14, 17):
            add(f"AT-{d}-tanh{n}", HEALTHY, lambda d=d, n=n: autotrainer(d, n, "tanh", steps=600))
    add("X-C-tanh8-sgd", HEALTHY, lambda: autotrainer("C", 8, "tanh", opt=lambda: sgd(0.1)))
    add(
        "AT-B-adagrad.1",
        HEALTHY,
        lambda: autotrainer("B", 5, "tanh", opt=lambda: k().optimizers.Adagrad(0.1), batch=64),
    )
    add(
        "AT-B-tanh17-betas",
        HEALTHY,
        lambda: autotrainer("B", 17, "tanh", opt=lambda: adam(beta_1=0.3897, beta_2=0.4435)),
    )
    add("SO-48934338-fix", HEALTHY, lambda: parabola(1e-3))
    add("SO-52800582-fix", HEALTHY, lambda: wave(scaled=True))
    add("SO-31880720-fix", HEALTHY, lambda: one_unit("sigmoid"))
    add("TDC-regr-clean", HEALTHY, lambda: regression(adam(), steps=400))
    add("TDC-regr-rawy", HEALTHY, lambda: regression(adam(), scale=10.0, steps=400))
    add("H-regr-rawy1000", HEALTHY, lambda: regression(adam(1e-2), scale=1000.0, steps=400))
    add("H-regr-offset", HEALTHY, lambda: regression(adam(1e-2), scale=10, offset=300, steps=400))
    add("H-dig-relu2", HEALTHY, lambda: dig_deep(2, "relu", adam(), units=128, steps=400))
    add("H-dig-relu2-conv", HEALTHY, lambda: dig_deep(2, "relu", adam(3e-3), steps=2500))
    add("H-dig-relu10", HEALTHY, lambda: dig_deep(10, "relu", adam(), steps=400))
    add("H-dig-bn10", HEALTHY, lambda: dig(lambda: normalised(10, "bn"), adam()))
    add("H-dig-bn10-sgd", HEALTHY, lambda: dig(lambda: normalised(10, "bn"), sgd(0.1, 0.9)))
    add("H-dig-ln10", HEALTHY, lambda: dig(lambda: normalised(10, "ln"), adam()))
    add("H-dig-res10", HEALTHY, lambda: dig(lambda: residual(10, zero=False), adam()))
    add("H-dig-res10-zero", HEALTHY, lambda: dig(lambda: residual(10, zero=True), adam()))
    add("H-dig-cnn", HEALTHY, lambda: dig(cnn, adam(3e-3), steps=400))
    add("H-dig-cnn-bn-sgd", HEALTHY, lambda: dig(lambda: cnn(norm=True), sgd(0.1, 0.9)))
    add("H-dig-frozen", HEALTHY, frozen)
    add("H-dig-noise", HEALTHY, noisy_labels)
    add("H-dig-warmup", HEALTHY, lambda: dig_deep(4, "relu", warm_up(3e-3, 100), steps=400))
    add("H-dig-bighead", HEALTHY, lambda: big_head(1.0))
    add("H-dig-scale1e4", HEALTHY, lambda: dig_deep(4, "relu", adam(), factor=1e4))
    add("H-dig-scale1e-4", HEALTHY, lambda: dig_deep(4, "relu", adam(), factor=1e-4))
    add(
        "H-dig-finetune",
        HEALTHY,
        lambda: dig_deep(6, "relu", adam(3e-4), silent_steps=1500, steps=600),
    )
    add("H-dig-batch1", HEALTHY, lambda: dig_deep(2, "relu", sgd(0.02), batch=1, steps=2000))
    add("H-dig-wide", HEALTHY, wide)
    add("H-dig-l2", HEALTHY, l2_relu)
    add("H-dig-elu8", HEALTHY, lambda: dig_deep(8, "elu", adam()))
    add("H-dig-swish12", HEALTHY, lambda: dig_deep(12, "swish", adam(), he_u, steps=400))
    selu = lambda: k().initializers.LecunNormal()  # noqa: E731
    add("H-selu20", HEALTHY, lambda: dig_deep(20, "selu", adam(), selu))
    add("H-tanh20-glorot", HEALTHY, lambda: dig_deep(20, "tanh", adam(), steps=400))
    add("H-tinylr", HEALTHY, lambda: dig_deep(3, "relu", sgd(1e-5), steps=400))
    for n, act in ((4, "relu"), (12, "tanh"), (10, "elu")):
        add(
            f"H-random-{act}{n}",
            HEALTHY,
            lambda n=n, act=act: random_labels(dig_deep(n, act, adam(), he_u)),
        )
    add("H-random-sgd", HEALTHY, lambda: random_labels(dig_deep(6, "relu", sgd(0.1))))
    add("H-random-attn2", HEALTHY, lambda: random_labels(attention(2)))
    add(
        "H-random-lstm",
        HEALTHY,
        lambda: random_labels(recurrent(lambda: k().layers.LSTM(32), 40, adam(), steps=300)),
    )
    add("H-random-bn10", HEALTHY, lambda: random_labels(dig(lambda: normalised(10, "bn"), adam())))
    add(
        "H-random-res10-zero",
        HEALTHY,
        lambda: random_labels(dig(lambda: residual(10, zero=True), adam())),
    )
    add("H-random-cnn", HEALTHY, lambda: random_labels(dig(cnn, adam())))
    add(
        "H-random-relu2-narrow",  # five units a layer, nothing to learn: they do die
        None,
        lambda: random_labels(dig_deep(2, "relu", sgd(0.05), batch=2, units=5)),
    )
    add("H-weak-signal", HEALTHY, weak_signal)
    add("H-dig-gamma0", HEALTHY, lambda: gated("gamma", sgd(0.05, 0.9)))
    add("H-dig-gamma0-slow", HEALTHY, lambda: gated("gamma", sgd(1e-3)))
    add("H-dig-layerscale", HEALTHY, lambda: gated("scale", adam()))
    add("H-dig-layerscale-slow", HEALTHY, lambda: gated("scale", sgd(1e-3)))
    add("H-dig-towers", HEALTHY, two_towers)
    add("H-dig-auto", HEALTHY, autoencoder)
    add("H-dig-dropout", HEALTHY, dropout)
    add(
        "H-dig-narrow",
        HEALTHY,
        lambda: dig_deep(3, "relu", sgd(0.05), batch=4, units=8, steps=1000),
    )
    add("H-dig-rmsprop", HEALTHY, lambda: dig_deep(4, "relu", k().optimizers.RMSprop(1e-3)))
    add("H-dig-momentum", HEALTHY, lambda: dig_deep(4, "relu", sgd(0.1, 0.9)))
    add("H-emb", HEALTHY, embedding)
    add("H-attn2", HEALTHY, lambda: attention(2))
    add("H-attn6", HEALTHY, lambda: attention(6))
    add(
        "H-lstm",
        HEALTHY,
        lambda: recurrent(lambda: k().layers.LSTM(32), 40, adam(1e-2), steps=300),
    )
    add(
        "H-gru",
        HEALTHY,
        lambda: recurrent(lambda: k().layers.GRU(32), 30, adam(1e-2), steps=300),
    )
    fresh(add)
    return out


def table(name: str, *, scale: bool = True) -> tuple[np.ndarray, np.ndarray]:
    """Inputs and targets of a data set that comes with scikit-learn."""
    from sklearn import datasets

    if name == "moons":
        x, y = datasets.make_moons(800, noise=0.15, random_state=3)
    elif name == "friedman":
        x, y = datasets.make_friedman1(800, noise=0.5, random_state=3)
        return x.astype("float32"), y[:, None]
    else:
        data: Any = getattr(datasets, f"load_{name}")()
        x, y = data.data, data.target
    x = (x - x.mean(0)) / x.std(0) if scale else x
    return x.astype("float32"), np.eye(y.max() + 1)[y] if y.max() > 1 else y[:, None].astype(float)


def small(
    name: str, depth: int, units: int, act: str, opt: Any, init: Any = None, **more: Any
) -> Setup:
    """Plain stack on such a data set, with the head and loss that fit it."""
    x, y = table(name)
    head, loss = (dense(y.shape[1], "softmax"), "cce") if y.shape[1] > 1 else (None, "bce")
    if name == "friedman":
        head, loss = dense(1), "mse"
    loss = more.pop("loss", loss)
    head = head or dense(1, "sigmoid")
    model = deep(x.shape[1], depth, units, act, init, head)
    return Setup(model, x, y, loss, opt, **{"batch": 32, "steps": 300, **more})


def conv_sigmoid(depth: int) -> Setup:
    layers = [k().layers.Conv2D(12, 3, padding="same", activation="sigmoid") for _ in range(depth)]
    head = [k().layers.Flatten(), dense(10, "softmax")]
    return dig(lambda: stack(64, [k().layers.Reshape((8, 8, 1)), *layers, *head]), adam())


def lenet_sigmoid() -> Setup:
    c = [k().layers.Conv2D(n, 3, activation="sigmoid", padding="same") for n in (8, 16)]
    pool = k().layers.AveragePooling2D
    layers = [k().layers.Reshape((8, 8, 1)), c[0], pool(2), c[1], pool(2), k().layers.Flatten()]
    head = [dense(64, "sigmoid"), dense(10, "softmax")]
    return dig(lambda: stack(64, [*layers, *head]), adam(1e-2), steps=400)


def conv_residual(opt: Any) -> Setup:
    conv = k().layers.Conv2D
    x = entry = k().Input((64,))
    x = conv(16, 3, padding="same", use_bias=False)(k().layers.Reshape((8, 8, 1))(x))
    for _ in range(5):
        z = k().layers.ReLU()(k().layers.BatchNormalization()(x))
        z = conv(16, 3, padding="same", use_bias=False)(z)
        z = k().layers.ReLU()(k().layers.BatchNormalization()(z))
        x = x + conv(16, 3, padding="same", use_bias=False)(z)
    x = k().layers.GlobalAveragePooling2D()(k().layers.ReLU()(k().layers.BatchNormalization()(x)))
    return dig(lambda: k().Model(entry, dense(10, "softmax")(x)), opt, steps=200)


def separable() -> Setup:
    layers: list[Any] = [k().layers.Reshape((8, 8, 1))]
    for n in (16, 32, 32):
        layers += [k().layers.SeparableConv2D(n, 3, padding="same"), k().layers.ReLU()]
    layers += [k().layers.GlobalAveragePooling2D(), dense(10, "softmax")]
    return dig(lambda: stack(64, layers), adam(5e-3), steps=300)


def words(layer: Callable[[], Any], opt: Any) -> Setup:
    x, y = tokens()
    layers = [k().layers.Embedding(64, 16), layer(), dense(1, "sigmoid")]
    return Setup(stack((24,), layers), x, y, "bce", opt, 32, 250)


def new_head() -> Setup:
    """A trained and frozen base under a fresh head."""
    x, y = digits()
    base = stack(64, [dense(64, "relu"), dense(64, "relu")])
    base.trainable = False
    model = k().Sequential([k().Input((64,)), base, dense(10, "softmax")])
    return Setup(model, x, y, "cce", adam(), steps=300)


def dense_net() -> Setup:
    x = entry = k().Input((64,))
    for _ in range(8):
        x = k().layers.Concatenate()([x, dense(24, "relu")(x)])
    return dig(lambda: k().Model(entry, dense(10, "softmax")(x)), adam())


def root() -> Setup:
    """The gradient of a norm is 0 / 0 where its argument is 0."""
    keras = k()
    x, y = digits()
    entry = keras.Input((64,))
    h = dense(32, "relu")(entry)
    norm = keras.layers.Lambda(
        lambda v: keras.ops.sqrt(keras.ops.sum(v * 0.0, axis=-1, keepdims=True))
    )(h)
    model = keras.Model(entry, dense(10, "softmax")(keras.layers.Concatenate()([h, norm])))
    return Setup(model, x, y, "cce", adam(), steps=60)


def raw_linear(rate: float) -> Setup:
    x, y = table("wine", scale=False)
    return Setup(stack(13, [dense(3)]), x, y, "mse", sgd(rate), 32, 100)


def fresh(add: Callable[..., None]) -> None:
    """Runs that no rule was tuned on: other data, widths, optimizers and kinds of layers."""
    opts = k().optimizers
    gelu = "gelu"
    add("F-iris-relu3", HEALTHY, lambda: small("iris", 3, 16, "relu", adam(5e-3)))
    add("F-iris-tanh6", HEALTHY, lambda: small("iris", 6, 16, "tanh", sgd(0.05, 0.9)))
    add("F-wine-swish5", HEALTHY, lambda: small("wine", 5, 24, "swish", adam(2e-3), he_u))
    add("F-cancer-elu4", HEALTHY, lambda: small("breast_cancer", 4, 32, "elu", opts.RMSprop(1e-3)))
    add("F-cancer-sig2", HEALTHY, lambda: small("breast_cancer", 2, 16, "sigmoid", adam(1e-2)))
    add("F-moons-relu6", HEALTHY, lambda: small("moons", 6, 24, "relu", adam(2e-3), he_u))
    add("F-moons-gelu10", HEALTHY, lambda: small("moons", 10, 24, gelu, adam(1e-3), he_u))
    add("F-friedman-relu4", HEALTHY, lambda: small("friedman", 4, 32, "relu", adam(1e-2)))
    add("F-friedman-sgd", HEALTHY, lambda: small("friedman", 2, 32, "tanh", sgd(1e-2)))
    add(
        "F-friedman-mae",
        HEALTHY,
        lambda: small("friedman", 3, 32, "relu", opts.Nadam(2e-3), loss="mae"),
    )
    add("F-dig-lenet-sig", HEALTHY, lenet_sigmoid)
    add("F-dig-conv-res", HEALTHY, lambda: conv_residual(sgd(0.1, 0.9, nesterov=True)))
    add("F-dig-separable", HEALTHY, separable)
    add("F-dig-densenet", HEALTHY, dense_net)
    add("F-dig-newhead", HEALTHY, new_head)
    add("F-dig-adagrad", HEALTHY, lambda: dig_deep(4, "relu", opts.Adagrad(0.05)))
    add("F-dig-lion", HEALTHY, lambda: dig_deep(4, "relu", opts.Lion(3e-4)))
    add("F-dig-adamw", HEALTHY, lambda: dig_deep(5, gelu, opts.AdamW(1e-3, weight_decay=0.1)))
    add("F-dig-momentum.2", HEALTHY, lambda: dig_deep(3, "relu", sgd(0.2, 0.9)))
    add("F-dig-relu16", HEALTHY, lambda: dig_deep(16, "relu", adam(5e-4), he_u, 48, steps=400))
    add("F-dig-slow", HEALTHY, lambda: dig_deep(4, "tanh", sgd(3e-3), steps=400))
    add("F-dig-batch8", HEALTHY, lambda: dig_deep(2, "relu", sgd(0.1), units=16, batch=8))
    add("F-words-gru", HEALTHY, lambda: words(lambda: k().layers.GRU(24), adam(3e-3)))
    bi = lambda: k().layers.Bidirectional(k().layers.LSTM(12))  # noqa: E731
    add("F-words-bilstm", HEALTHY, lambda: words(bi, adam(3e-3)))
    add("F-words-rnn", HEALTHY, lambda: words(lambda: k().layers.SimpleRNN(24), adam(3e-3)))
    selu = lambda: k().initializers.LecunNormal()  # noqa: E731
    add("F-random-selu20", HEALTHY, lambda: random_labels(dig_deep(20, "selu", adam(), selu)))
    add("F-random-moons", HEALTHY, lambda: random_labels(small("moons", 5, 24, "relu", adam())))
    add(
        "F-random-words",
        HEALTHY,
        lambda: random_labels(words(lambda: k().layers.GRU(24), adam())),
    )
    add(
        "F-random-momentum",
        HEALTHY,
        lambda: random_labels(dig_deep(3, "relu", sgd(0.05, 0.9))),
    )
    add("F-iris-sig12", VANISHING, lambda: small("iris", 12, 16, "sigmoid", adam()))
    add("F-cancer-sig10", VANISHING, lambda: small("breast_cancer", 10, 32, "sigmoid", sgd(0.1)))
    add("F-friedman-sig9", VANISHING, lambda: small("friedman", 9, 24, "sigmoid", sgd(1e-2)))
    add(
        "F-cancer-hard12",
        VANISHING,
        lambda: small("breast_cancer", 12, 24, "hard_sigmoid", opts.RMSprop(1e-3)),
    )
    add("F-dig-conv-sig9", VANISHING, lambda: conv_sigmoid(9))
    add("F-wine-relu10-RU", NO_FLOW, lambda: small("wine", 10, 12, "relu", adam(), uniform))
    add(
        "F-moons-tanh20-small",
        NO_FLOW,
        lambda: small("moons", 20, 24, "tanh", sgd(0.05), lambda: normal(0.05)),
    )
    add(
        "F-moons-relu3-lr2", ("dead", "exploding"), lambda: small("moons", 3, 24, "relu", adam(2.0))
    )
    add("F-friedman-sgd-lr1", (*BLOWN, "dead"), lambda: small("friedman", 2, 32, "relu", sgd(1.0)))
    add("F-wine-raw-sgd", BLOWN, lambda: raw_linear(0.01))
    add("F-iris-lr50", (*BLOWN, "dead"), lambda: small("iris", 3, 16, "relu", sgd(50.0)))
    huge = lambda: normal(0.45)  # noqa: E731
    add("F-dig-relu25-big", BLOWN, lambda: dig_deep(25, "relu", adam(), huge))
    add(
        "F-rnn-gain1.8",
        BLOWN,
        lambda: recurrent(lambda: simple_rnn(1.8, "linear"), 50, sgd(0.01), steps=100),
    )
    add("F-moons-exp6", BLOWN, lambda: small("moons", 6, 16, "exponential", adam(), he_u))
    add("F-dig-root", ("nonfinite",), root)
    add("F-dig-log0", ("nonfinite",), lambda: hand_written(1.5, 1.0))


def main(split: str, seeds: int, prefix: str) -> None:
    """Prints a line a run and the totals."""
    from tb_gradplugin.health import judge

    runs = [r for r in catalogue() if split in ("all", r.split) and r.id.startswith(prefix)]
    sick = right = alarms = healthy = 0
    for run in runs:
        for seed in range(seeds):
            data = recorded(run, seed)
            health = judge.judge_run(data.structure, data.records)
            wrong = ""
            if run.expected and data.failed:
                sick += 1
                hit = bool(set(health.kinds) & set(run.expected))
                right += hit
                wrong = "" if hit else "MISSED" if not health.kinds else "OTHER KIND"
            elif run.expected == () and math.isfinite(data.final):
                healthy += 1
                alarms += bool(health.kinds)
                wrong = "FALSE ALARM" if health.kinds else ""
            found = ", ".join(
                f"{f.kind}/{f.severity}@{f.since_step}-{f.last_step}x{len(f.layers)}"
                + ("" if f.active else " healed")
                for f in health.findings
            )
            rel = data.final / data.baseline
            print(f"{run.id:20} {seed} {run.split:8} {rel:9.3g} {wrong:12} {found}", flush=True)
    print(f"sick {right}/{sick} right kind; healthy {alarms}/{healthy} false alarms")


if __name__ == "__main__":
    import health_runs  # pickles name this module, not __main__

    health_runs.main(sys.argv[1], int((sys.argv[2:] or ["2"])[0]), (sys.argv[3:] or [""])[0])
