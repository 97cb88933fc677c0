"""Healthy networks, at least one for every way in which a rule on gradients may cry wolf."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.diagnosis.runs.base import HEALTHY, STALLED, Family, Setup
from benchmarks.diagnosis.runs.data import diabetes, digits, first_step, tokens
from benchmarks.diagnosis.runs.models import (
    adam,
    attention,
    cnn,
    dense,
    dig,
    dig_deep,
    k,
    normalised,
    opts,
    random_labels,
    recurrent,
    regression,
    sgd,
    small,
    stack,
    warm_up,
)


def causal(blocks: int, opt: Any) -> Setup:
    """Decoder-only transformer: causal attention, no pooling, the last token decides."""
    x, y = tokens()
    entry = k().Input((x.shape[1],), dtype="int32")
    h = k().layers.Embedding(64, 32)(entry)
    for _ in range(blocks):
        z = k().layers.LayerNormalization()(h)
        h = h + k().layers.MultiHeadAttention(4, 8)(z, z, use_causal_mask=True)
        h = h + dense(32)(dense(64, "gelu")(k().layers.LayerNormalization()(h)))
    h = k().layers.LayerNormalization()(h)[:, -1]
    return Setup(k().Model(entry, dense(1, "sigmoid")(h)), x, y, "bce", opt, 32, 250)


def rezero(depth: int, opt: Any) -> Setup:
    """Residual branches behind a scalar that starts at zero (Bachlechner et al. 2021)."""
    keras = k()

    class ReZero(keras.layers.Layer):
        def build(self, shape: Any) -> None:
            self.alpha = self.add_weight(shape=(), initializer="zeros", name="alpha")

        def call(self, x: Any) -> Any:
            return x * self.alpha

    x = entry = keras.Input((64,))
    x = dense(64)(x)
    for _ in range(depth):
        x = x + ReZero()(dense(64, "relu", "he_normal")(x))
    return dig(lambda: keras.Model(entry, dense(10, "softmax")(x)), opt)


def stopped() -> Setup:
    """A first layer behind stop_gradient: trainable, but no gradient is defined."""
    keras = k()
    entry = keras.Input((64,))
    features = keras.layers.Lambda(keras.ops.stop_gradient)(dense(64, "relu")(entry))
    h = dense(64, "relu")(features)
    return dig(lambda: keras.Model(entry, dense(10, "softmax")(h)), adam())


def frozen_middle() -> Setup:
    model = stack(64, [dense(64, "relu") for _ in range(4)] + [dense(10, "softmax")])
    model.layers[1].trainable = model.layers[2].trainable = False
    x, y = digits()
    return Setup(model, x, y, "cce", sgd(0.1), steps=300)


def sparse_words(opt: Any, vocabulary: int = 5000) -> Setup:
    """An embedding of which a batch touches one row in thirty."""
    rng = np.random.default_rng(1)
    x = rng.integers(0, vocabulary, (1500, 8))
    good = rng.normal(size=vocabulary)
    y = (good[x].sum(1) > 0).astype(float)[:, None]
    pool = k().layers.GlobalAveragePooling1D()
    layers = [k().layers.Embedding(vocabulary, 16), pool, dense(1, "sigmoid")]
    return Setup(stack((8,), layers), x.astype("int32"), y, "bce", opt, 32, 300)


def exactly_linear() -> Setup:
    """Full-batch regression without noise: it converges until gradients round to nothing."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(300, 6)).astype("float32")
    y = x @ rng.normal(size=(6, 1)) + 1.0
    return Setup(stack(6, [dense(8), dense(1)]), x, y, "mse", sgd(0.1), 300, 1200)


def loss_scaled(initial: float) -> Setup:
    """Half precision under a loss scale that overflows first and is then halved."""
    policy = {"dtype": "mixed_float16"}
    layers = [dense(64, "relu", **policy) for _ in range(3)]
    head = [dense(10, **policy), k().layers.Activation("softmax", dtype="float32")]
    opt = k().optimizers.LossScaleOptimizer(adam(), initial_scale=initial, dynamic_growth_steps=100)
    return dig(lambda: stack(64, [*layers, *head]), opt, steps=250)


def imbalanced() -> Setup:
    """Nineteen rows of one class for each of the other."""
    rng = np.random.default_rng(0)
    y = rng.random(2000) < 0.05
    x = rng.normal(size=(2000, 10)) + 1.5 * y[:, None]
    model = stack(10, [dense(32, "relu"), dense(32, "relu"), dense(1, "sigmoid")])
    return Setup(model, x.astype("float32"), y[:, None].astype(float), "bce", adam(), 64, 300)


def flipped(share: float) -> Setup:
    setup = dig_deep(3, "relu", adam(), steps=400)
    rng = np.random.default_rng(0)
    flip = rng.random(len(setup.y)) < share
    setup.y = setup.y.copy()
    setup.y[flip] = np.eye(10)[rng.integers(0, 10, flip.sum())]
    return setup


def smoothed() -> Setup:
    setup = dig_deep(4, "relu", adam())
    setup.y = 0.7 * setup.y + 0.03
    return setup


def variational() -> Setup:
    """A variational autoencoder: reconstruction and a divergence, drawn with noise."""
    keras = k()

    class Sample(keras.layers.Layer):
        def __init__(self) -> None:
            super().__init__()
            self.seeds = keras.random.SeedGenerator(0)

        def call(self, moments: Any) -> Any:
            mean, log_variance = keras.ops.split(moments, 2, axis=-1)
            rest = keras.ops.exp(log_variance) + mean**2 - 1.0 - log_variance
            self.add_loss(1e-3 * keras.ops.mean(keras.ops.sum(rest, axis=-1)))
            noise = keras.random.normal(keras.ops.shape(mean), seed=self.seeds)
            return mean + keras.ops.exp(0.5 * log_variance) * noise

    x, _ = digits()
    entry = keras.Input((64,))
    h = Sample()(dense(16)(dense(48, "relu")(entry)))
    model = keras.Model(entry, dense(64, "sigmoid")(dense(48, "relu")(h)))
    return Setup(model, x, x, "mse", adam(2e-3), 64, 400)


def adversarial(depth: int) -> Setup:
    """Two networks against each other in one loss, by reversing the gradient between them.

    The generator turns noise into points, the critic tells them from the data; in balance the loss
    stays near 2 ln 2 however well both learn.
    """
    import tensorflow as tf

    keras = k()

    @tf.custom_gradient
    def reverse(v: Any) -> Any:
        return tf.identity(v), lambda upstream: -upstream

    data = np.random.default_rng(0).normal(size=(1024, 2)) * [1.0, 0.3] + [2.0, -1.0]
    noise = np.random.default_rng(1).normal(size=(1024, 4))
    z, real = keras.Input((4,)), keras.Input((2,))
    h = z
    for _ in range(depth):
        h = dense(32, "relu", "he_normal")(h)
    fake = keras.layers.Lambda(reverse, output_shape=(2,))(dense(2)(h))
    critic = stack(2, [dense(32, "relu", "he_normal") for _ in range(depth)] + [dense(1)])
    both = keras.layers.Concatenate()([critic(real), critic(fake)])

    def game(y: Any, p: Any) -> Any:
        softplus = keras.ops.softplus
        return softplus(-p[:, 0]) + softplus(p[:, 1]) + 0.0 * y[:, 0]

    x = (noise.astype("float32"), data.astype("float32"))
    model = keras.Model([z, real], both)
    return Setup(model, x, np.zeros((1024, 1)), game, adam(1e-3, beta_1=0.5), 64, 300)


def policy_gradient() -> Setup:
    """REINFORCE on a bandit: advantages of either sign, so the loss wanders about zero."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2000, 8))
    action = rng.integers(0, 4, 2000)
    reward = (x[np.arange(2000), action] > 0) + rng.normal(0, 1, 2000)
    y = np.concatenate([np.eye(4)[action], (reward - reward.mean())[:, None]], 1)

    def surrogate(target: Any, p: Any) -> Any:
        ops = k().ops
        chosen = ops.sum(target[:, :4] * p, axis=-1)
        return -target[:, 4] * ops.log(chosen + 1e-6)

    model = stack(8, [dense(32, "tanh"), dense(32, "tanh"), dense(4, "softmax")])
    return Setup(model, x.astype("float32"), y, surrogate, adam(3e-4), 32, 300)


def bootstrapped() -> Setup:
    """Regression to targets that are mostly noise, with rewards up to 100: as in value learning."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2000, 8)).astype("float32")
    y = 30 * np.tanh(x[:, :1] + x[:, 1:2]) + rng.normal(0, 15, (2000, 1))
    model = stack(8, [dense(64, "relu"), dense(64, "relu"), dense(1)])
    return Setup(model, x, y, "huber", adam(1e-2), 32, 300)


def long_lstm() -> Setup:
    """Trained long after it can do the task: its input kernel's share of the gradient drifts."""
    return recurrent(lambda: k().layers.LSTM(16), 20, adam(5e-3), steps=1200)


def unlucky_unit_l2() -> Setup:
    """A healthy network with a layer in which half of the units are dead, and L2 terms."""
    half = np.where(np.arange(64) % 2, -10.0, 0.0).astype("float32")
    start = lambda shape, dtype=None: k().ops.convert_to_tensor(half)
    regular = {"kernel_regularizer": k().regularizers.L2(1e-4)}
    layers = [dense(64, "relu", **regular), dense(64, "relu", bias_initializer=start, **regular)]
    return dig(lambda: stack(64, [*layers, dense(10, "softmax", **regular)]), adam())


def one_wide_layer(opt: Any) -> Setup:
    return dig(lambda: stack(64, [dense(8192, "relu"), dense(10, "softmax")]), opt, steps=120)


def bottleneck() -> Setup:
    layers = [dense(n, "tanh") for n in (64, 16, 3, 16, 64)]
    return dig(lambda: stack(64, [*layers, dense(10, "softmax")]), adam(3e-3), steps=400)


def two_heads() -> Setup:
    """A second output that is added to the loss with a weight of 1e-4 only."""
    keras = k()
    entry = keras.Input((64,))
    h = dense(64, "relu")(entry)
    main = dense(10, "softmax")(h)
    side = dense(1)(dense(32, "relu")(h))
    x, y = digits()
    both = np.concatenate([y, x.mean(1, keepdims=True)], 1)

    def loss(target: Any, p: Any) -> Any:
        first = keras.losses.categorical_crossentropy(target[:, :10], p[:, :10])
        return first + 1e-4 * keras.losses.mean_squared_error(target[:, 10:], p[:, 10:])

    model = keras.Model(entry, keras.layers.Concatenate()([main, side]))
    return Setup(model, x, both, loss, adam(), steps=300, baseline=float(np.log(10)))


def clipped() -> Setup:
    return dig_deep(4, "relu", sgd(0.2, 0.9, global_clipnorm=0.1))


def attended_sequence() -> Setup:
    """LSTM states that attention reads: most time steps carry no gradient."""
    x, y = first_step(40)
    entry = k().Input((40, 2))
    h = k().layers.LSTM(24, return_sequences=True)(entry)
    h = k().layers.MultiHeadAttention(2, 8)(h, h)
    h = k().layers.GlobalMaxPooling1D()(h)
    model = k().Model(entry, dense(1, "sigmoid")(h))
    return Setup(model, x, y, "bce", adam(3e-3), 64, 200)


def offset_inputs() -> Setup:
    """Years and prices as they come, behind a layer that normalises them."""
    x, y = diabetes()
    raw = (x * [1, 10, 100, 1, 1, 5, 1, 1, 1, 1000] + 2000).astype("float32")
    scale = k().layers.Normalization()
    scale.adapt(raw)
    layers = [scale, dense(32, "relu"), dense(32, "relu"), dense(1)]
    return Setup(stack(10, layers), raw, y, "mse", adam(3e-3), 32, 300)


def few_rows() -> Setup:
    """Thirty rows learned by heart: the held-back loss rises, gradients do not."""
    x, y = digits()
    model = stack(64, [dense(64, "relu"), dense(64, "relu"), dense(10, "softmax")])
    return Setup(model, x[:30], y[:30], "cce", adam(3e-3), 30, 300, held=(x[500:900], y[500:900]))


def tuned(rate: float, make: Callable[..., Any] = adam) -> Setup:
    """A network that was trained by Adam, trained on with a small rate on part of the classes."""
    setup = dig_deep(4, "relu", adam(3e-3))
    model = setup.model
    model.compile(adam(3e-3), "categorical_crossentropy")
    model.fit(setup.x, setup.y, batch_size=64, epochs=12, verbose=0)
    x = setup.x + np.random.default_rng(0).normal(0, 0.1, setup.x.shape).astype("float32")
    return Setup(model, x, setup.y, "cce", make(rate), steps=300)


def runs() -> list[Any]:
    """One or more for each trap."""
    family = Family()
    add = functools.partial(family.add, later=True)

    def fine(id: str, build: Callable[[], Setup], trap: str) -> None:
        add(id, HEALTHY, build, source=trap)

    def game(id: str, build: Callable[[], Setup], trap: str) -> None:
        add(id, HEALTHY, build, source=trap, learnable=False)

    fine("H-causal3", lambda: causal(3, adam()), "attention key bias")
    fine("H-attn4-sgd", lambda: attention(4, sgd(0.1, 0.9)), "attention key bias")
    fine("H-attn-lstm", attended_sequence, "attention key bias, states without gradient")
    fine("H-rezero12", lambda: rezero(12, adam()), "zero-initialised residual branch")
    fine("H-rezero12-sgd", lambda: rezero(12, sgd(0.05, 0.9)), "zero-initialised residual branch")
    zero_head = lambda: dense(10, "softmax", "zeros")
    fine(
        "H-zerohead",
        lambda: dig(
            lambda: stack(64, [*[dense(64, "relu") for _ in range(4)], zero_head()]), adam()
        ),
        "zero-initialised head: no gradient before it at the first step",
    )
    fine("H-stopped", stopped, "gradient None")
    fine("H-frozen-middle", frozen_middle, "frozen layers between trained ones")
    fine("H-words-sparse", lambda: sparse_words(adam(1e-2)), "embedding, sparse rows")
    fine("H-words-sparse-sgd", lambda: sparse_words(sgd(20.0)), "embedding, sparse rows, rate 20")
    fine("H-converged-linear", exactly_linear, "converged")
    fine(
        "H-converged-moons",
        lambda: small("moons", 3, 32, "relu", adam(1e-2), steps=1200),
        "converged",
    )
    fine(
        "H-finetune-1e-5",
        lambda: tuned(1e-5),
        "fine-tuning with a small learning rate",
    )
    fine("H-finetune-sgd", lambda: tuned(1e-4, sgd), "fine-tuning with a small learning rate")
    for factor in (1e-4, 1e4):
        fine(
            f"H-scale{factor:g}-cnn",
            lambda factor=factor: dig(cnn, adam(3e-3), factor=factor),
            "loss multiplied, Adam",
        )
        fine(
            f"H-scale{factor:g}-bn",
            lambda factor=factor: dig(lambda: normalised(6, "bn"), adam(), factor=factor),
            "loss multiplied, Adam",
        )
    fine(
        "H-regr-rawy-rmsprop",
        lambda: regression(opts().RMSprop(1e-2), scale=100.0, offset=500.0, steps=400),
        "unscaled targets",
    )
    fine("H-regr-rewards", bootstrapped, "unscaled noisy targets, Huber")
    fine("H-l2-halfdead", unlucky_unit_l2, "L2 terms and dead units")
    fine("H-loss-scaling", lambda: loss_scaled(2.0**24), "loss scaling, skipped steps")
    fine("H-loss-scaling-low", lambda: loss_scaled(2.0**10), "loss scaling")
    fine("H-warmup200", lambda: dig_deep(6, "relu", warm_up(1e-3, 200), steps=400), "warm-up")
    warm = lambda: k().optimizers.schedules.CosineDecay(
        0.0, 600, warmup_target=0.2, warmup_steps=150
    )
    fine("H-warmup-sgd", lambda: dig_deep(3, "tanh", sgd(warm(), 0.9), steps=400), "warm-up")
    fine("H-flipped50", lambda: flipped(0.5), "label noise")
    fine("H-smoothed", smoothed, "label smoothing: the loss cannot fall far")
    fine("H-imbalanced", imbalanced, "a constant prediction is good already")
    fine("H-lstm-long", long_lstm, "LSTM input kernel drifts")
    fine("H-wide8192", lambda: one_wide_layer(adam()), "very wide single layer")
    fine("H-wide8192-sgd", lambda: one_wide_layer(sgd(0.02)), "very wide single layer")
    fine("H-vae", variational, "two terms in the loss")
    fine("H-bottleneck", bottleneck, "narrow layer in the middle")
    fine("H-side-head", two_heads, "a head with next to no weight in the loss")
    fine("H-clipped", clipped, "clipping")
    fine("H-normalization", offset_inputs, "raw inputs behind a Normalization layer")
    fine("H-few-rows", few_rows, "overfitting")
    game("H-gan1", lambda: adversarial(1), "game between networks")
    game("H-gan3", lambda: adversarial(3), "game between networks")
    game("H-reinforce", policy_gradient, "loss about zero")

    def noise(id: str, build: Callable[[], Setup]) -> None:
        add(id, HEALTHY, build, learnable=False, allowed=STALLED, source="labels of noise")

    noise("H-random-causal", lambda: random_labels(causal(2, adam())))
    noise("H-random-regr", lambda: random_labels(regression(adam(1e-4))))
    noise("H-random-iris", lambda: random_labels(small("iris", 3, 16, "relu", sgd(0.02))))
    return family.runs
