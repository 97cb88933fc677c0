"""More healthy runs of the ``T-`` part: unusual data, losses and heads."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.diagnosis.runs import trove_data as data
from benchmarks.diagnosis.runs.base import STALLED, Family, Setup
from benchmarks.diagnosis.runs.models import adam, dense, k, normal, sgd, stack
from benchmarks.diagnosis.runs.trove_models import classify, hook, lay, mlp, own


def runs() -> list[Any]:
    family = Family("T-")
    fine = family.fine
    fine("rare-4-percent", "One positive in 25, no weights", lambda: _rare("bce", 0.04))
    fine(
        "rare-focal",
        "Focal loss: small losses, small gradients, from the first step on",
        lambda: _rare(own().focal, 0.1, baseline=0.09),
    )
    fine(
        "rare-weighted",
        "A weight of 20 for the rare class: a loss that jumps",
        lambda: _rare(own().scaled_bce((1.0, 20.0)), 0.05, baseline=1.32),
    )
    fine(
        "ratings",
        "Matrix factorisation: each step touches few rows of the embeddings",
        _ratings,
    )
    fine("tags", "Eight labels a row, sigmoid each", _tags)
    fine("two-inputs", "Wide and deep inputs of unlike scale", _wide_deep)
    fine("two-outputs", "Two regressions on one trunk, the second 30 times the first", _two_tasks)
    fine("poisson", "Poisson counts from a log-rate", _poisson)
    fine("pinball", "The 0.8 quantile: gradients of two sizes only", _pinball)
    fine("huber-outliers", "Huber loss with one target in twenty far off", _outliers)
    fine("mixture-density", "A mixture density network of three normals", _mixture)
    fine("likelihood", "Mean and log-scale of a normal; the loss goes below zero", _likelihood)
    fine("siamese", "Contrastive loss with an epsilon under the root", _siamese)
    fine("triplets", "Triplet loss: more and more triplets have a gradient of zero", _triplets)
    fine(
        "smoothing",
        "Label smoothing: the loss cannot come near zero",
        lambda: classify("digits", (48,), "relu", adam(3e-3), loss=own().smooth, baseline=2.303),
    )
    fine("noisy-labels", "Three labels in ten are wrong: a high floor", _noisy)
    fine("returns", "Values of states from returns that are mostly noise", _returns)
    fine("domain-adversarial", "A domain classifier behind a reversed gradient", _domains)
    fine("dropout-0.6", "Dropout of 0.6 in two layers: the training loss is rough", _dropout)
    fine("max-norm-2", "MaxNorm(2), in effect for many units", _max_norm)
    fine("spirals", "Two spirals: a long plateau, then a way down", _spirals)
    fine("zero-inputs", "Bags of 400 words as 0/1 columns, nearly all of them zero", _bags)
    family.add(
        "T-game",
        (),
        _game,
        source="Generator and discriminator in balance: the loss stays at log 2",
        learnable=False,
        allowed=STALLED,
    )
    return family.runs


def _rare(loss: Any, share: float, **more: Any) -> Setup:
    x, y = data.rare(share, 2500)
    return Setup(
        mlp(12, (32,), "relu", dense(1, "sigmoid")), x, y, loss, adam(5e-3), 32, 350, **more
    )


def _ratings() -> Setup:
    x, y = data.ratings()
    user, item = (k().Input((1,), dtype="int32") for _ in range(2))
    reg = {"embeddings_initializer": normal(0.3)}
    u, v = lay().Embedding(60, 4, **reg)(user), lay().Embedding(80, 4, **reg)(item)
    bias = lay().Embedding(60, 1)(user)[:, 0]
    out = k().ops.sum(u * v, -1) + bias
    return Setup(k().Model((user, item), out), x, y, "mse", adam(0.02), 64, 250)


def _tags() -> Setup:
    x, y = data.tags()
    return Setup(mlp(20, (32,), "relu", dense(8, "sigmoid")), x, y, "bce", adam(5e-3), 32, 250)


def _wide_deep() -> Setup:
    x, y = data.house()
    deep, wide = k().Input((3,)), k().Input((2,))
    h = lay().Concatenate()([dense(24, "relu")(deep), wide])
    model = k().Model((deep, wide), dense(1)(h))
    return Setup(model, (x[:, :3], 10 * x[:, 3:]), y, "mse", adam(5e-3), 32, 250)


def _two_tasks() -> Setup:
    x, y = data.house()
    y = np.concatenate([y, 30 * x[:, :1] * x[:, 2:3]], 1)
    loss = own().two_tasks(1e-3)
    baseline = 1 + 1e-3 * y[:, 1].var()
    return Setup(
        mlp(5, (32,), "relu", dense(2)), x, y, loss, adam(0.01), 32, 250, baseline=baseline
    )


def _poisson() -> Setup:
    x, y = data.counts()
    mean = y.mean()
    setup = Setup(mlp(6, (24,), "relu", dense(1)), x, y, own().poisson, adam(5e-3), 32, 250)
    setup.baseline = float((y * np.log(np.maximum(y, 1))).mean() - mean * np.log(mean))
    return setup


def _pinball() -> Setup:
    x, y = data.curve(noise=0.3)
    low = np.quantile(y, 0.8)
    baseline = float(np.maximum(0.8 * (y - low), -0.2 * (y - low)).mean())
    model = mlp(1, (32, 32), "relu", dense(1))
    return Setup(model, x, y, own().pinball, adam(5e-3), 32, 300, baseline=baseline)


def _outliers() -> Setup:
    x, y = data.house()
    y[data.rng().random(len(y)) < 0.05] += 15
    return Setup(mlp(5, (24,), "relu", dense(1)), x, y, "huber", adam(5e-3), 32, 250)


def _mixture() -> Setup:
    y, x = data.curve(800)
    x = x / x.std()
    y = y.astype(float)
    loss = own().mixture
    model = mlp(1, (24,), "tanh", dense(9))
    return Setup(model, x.astype("float32"), y / y.std(), loss, adam(0.01), 32, 300, baseline=1.42)


def _likelihood() -> Setup:
    x, y = data.curve()
    model = mlp(1, (32, 32), "tanh", dense(2))
    baseline = float(np.log(y.std()) + 0.919 + 0.5)
    return Setup(model, x, y, own().gaussian, adam(5e-3), 32, 300, baseline=baseline)


def _siamese() -> Setup:
    x, y = data.pairs()
    ops = k().ops
    one, two = k().Input((10,)), k().Input((10,))
    trunk = stack(10, [dense(24, "relu"), dense(6)])
    root = hook(lambda d: ops.sqrt(ops.sum(d * d, -1, keepdims=True) + 1e-6))
    model = k().Model((one, two), root(lay().Subtract()([trunk(one), trunk(two)])))
    return Setup(model, x, y, own().contrastive, adam(3e-3), 32, 250, baseline=0.25)


def _triplets() -> Setup:
    x, y = data.triples()
    model = stack((3, 10), [dense(24, "relu"), dense(6)])
    return Setup(model, x, y, own().triplet, adam(2e-3), 32, 200, baseline=1.0)


def _noisy() -> Setup:
    x, y = data.bundled("digits")
    r = data.rng()
    wrong = r.random(len(y)) < 0.3
    y[wrong] = np.eye(10)[r.integers(0, 10, wrong.sum())]
    return Setup(mlp(64, (48,), "relu", dense(10, "softmax")), x, y, "cce", adam(3e-3), 64, 250)


def _returns() -> Setup:
    r = data.rng()
    x = r.normal(0, 1, (1500, 4))
    value = np.tanh(x[:, 0]) + 0.8 * x[:, 1] * (x[:, 2] > 0)
    y = value + r.normal(0, 1.2, len(x))
    model = mlp(4, (32, 32), "tanh", dense(1))
    return Setup(model, x.astype("float32"), y[:, None], "mse", adam(5e-3), 64, 300)


def _domains() -> Setup:
    x, y = data.bundled("breast_cancer")
    domain = (data.rng().random((len(y), 1)) < 0.5).astype(float)
    x[:, :3] += 1.5 * domain.astype("float32")
    entry = k().Input((30,))
    h = dense(24, "relu")(entry)
    label = dense(1, "sigmoid")(h)
    other = dense(1, "sigmoid")(dense(8, "relu")(hook(own().reverse)(h)))
    model = k().Model(entry, lay().Concatenate()([label, other]))
    y = np.concatenate([y, domain], 1)
    return Setup(model, x, y, "bce", adam(2e-3), 32, 250)


def _dropout() -> Setup:
    x, y = data.bundled("digits")
    layers = [dense(64, "relu"), lay().Dropout(0.6), dense(64, "relu"), lay().Dropout(0.6)]
    return Setup(stack(64, [*layers, dense(10, "softmax")]), x, y, "cce", adam(2e-3), 32, 300)


def _max_norm() -> Setup:
    x, y = data.bundled("digits")
    keep = {"kernel_constraint": k().constraints.MaxNorm(2.0)}
    model = stack(64, [dense(32, "relu", None, **keep), dense(10, "softmax", None, **keep)])
    return Setup(model, x, y, "cce", sgd(0.1, 0.9), 32, 250)


def _spirals() -> Setup:
    x, y = data.spirals()
    model = mlp(2, (48, 48), "tanh", dense(1, "sigmoid"))
    return Setup(model, x * 3, y, "bce", adam(0.01), 64, 500)


def _bags() -> Setup:
    tokens, y = data.reviews()
    x = np.zeros((len(y), 500), "float32")
    x[np.arange(len(y))[:, None], tokens] = 1
    return Setup(mlp(500, (24,), "relu", dense(1, "sigmoid")), x, y, "bce", adam(5e-3), 32, 200)


def _game() -> Setup:
    r = data.rng()
    noise = r.normal(0, 1, (800, 4)).astype("float32")
    real = (r.normal(0, 1, (800, 2)) @ [[1.0, 0.5], [0.0, 0.7]] + 1).astype("float32")
    one, two = k().Input((4,)), k().Input((2,))
    made = hook(own().reverse)(dense(2)(dense(16, "relu")(one)))
    judge = stack(2, [dense(16, "relu"), dense(1, "sigmoid")])
    model = k().Model((one, two), lay().Concatenate()([judge(made), judge(two)]))
    y = np.tile([0.0, 1.0], (800, 1))
    return Setup(model, (noise, real), y, "bce", adam(2e-3), 32, 250, baseline=0.693)
