"""Data sets of the ``T-`` runs: made by NumPy, or bundled with scikit-learn."""

from __future__ import annotations

from typing import Any

import numpy as np

Pair = tuple[np.ndarray, np.ndarray]


def rng(seed: int = 7) -> np.random.Generator:
    return np.random.default_rng(seed)


def onehot(y: np.ndarray, classes: int | None = None) -> np.ndarray:
    return np.eye(classes or int(y.max()) + 1)[y]


def bundled(name: str, *, scale: bool = True) -> Pair:
    """Inputs and one-hot or binary targets of a classification set of scikit-learn."""
    from sklearn import datasets

    data: Any = getattr(datasets, f"load_{name}")()
    x, y = data.data.astype(np.float64), data.target
    if scale:
        x = (x - x.mean(0)) / np.maximum(x.std(0), 1e-6)
    return x.astype("float32"), onehot(y) if y.max() > 1 else y[:, None].astype(float)


def spirals(n: int = 600) -> Pair:
    """Two interleaved arms, one and a half turns each, in [-1, 1]."""
    r = rng()
    y = r.integers(0, 2, n)
    t = np.sqrt(r.uniform(0.02, 1, n))
    angle = 3 * np.pi * t + np.pi * y
    x = np.stack([t * np.cos(angle), t * np.sin(angle)], 1) + r.normal(0, 0.02, (n, 2))
    return x.astype("float32"), y[:, None].astype(float)


def shapes(n: int = 600, size: int = 12) -> Pair:
    """Images of a row, a column, a diagonal or a square in noise; four classes."""
    r = rng()
    x, y = r.normal(0, 0.2, (n, size, size, 1)), r.integers(0, 4, n)
    for image, kind in zip(x[..., 0], y, strict=True):
        i, j = r.integers(1, size - 6, 2)
        if kind == 0:
            image[i + 2, j : j + 5] += 1
        elif kind == 1:
            image[i : i + 5, j + 2] += 1
        elif kind == 2:
            image[np.arange(i, i + 5), np.arange(j, j + 5)] += 1
        else:
            image[i : i + 4, j : j + 4] += 1
    return x.astype("float32"), onehot(y, 4)


def discs(n: int = 400, size: int = 12) -> Pair:
    """Noisy images of a disc, and its mask as one row."""
    r = rng()
    grid = np.arange(size)
    cx, cy, radius = r.uniform(3, size - 3, n), r.uniform(3, size - 3, n), r.uniform(1.5, 3.5, n)
    away = (grid[None, :, None] - cx[:, None, None]) ** 2
    away = away + (grid[None, None, :] - cy[:, None, None]) ** 2
    mask = (away < radius[:, None, None] ** 2).astype(float)
    x = mask + r.normal(0, 0.4, mask.shape)
    return x[..., None].astype("float32"), mask.reshape(n, -1)


def waves(n: int = 600, length: int = 48) -> Pair:
    """Noisy sine, square and saw-tooth waves of random phase and frequency."""
    r = rng()
    y, t = r.integers(0, 3, n), np.linspace(0, 1, length)
    phase = (t * r.uniform(2, 4, (n, 1)) + r.uniform(0, 1, (n, 1))) % 1
    forms = np.stack([np.sin(2 * np.pi * phase), np.where(phase < 0.5, 1, -1), 2 * phase - 1])
    x = forms[y, np.arange(n)] + r.normal(0, 0.2, (n, length))
    return x[..., None].astype("float32"), onehot(y, 3)


def recall(length: int, *, at: int = 0, classes: int = 2, n: int = 512) -> Pair:
    """A symbol at step ``at`` of a sequence of distractors is the label."""
    r = rng()
    y = r.integers(0, classes, n)
    x = np.zeros((n, length, classes + 1))
    x[:, :, -1] = r.normal(0, 0.5, (n, length))
    x[np.arange(n), at, y] = 1
    return x.astype("float32"), y[:, None].astype(float) if classes == 2 else onehot(y)


def adding(length: int, n: int = 800) -> Pair:
    """Sum of the two marked values of a sequence."""
    r = rng()
    values, marks = r.uniform(0, 1, (n, length)), np.zeros((n, length))
    rows, half = np.arange(n), length // 2
    i, j = r.integers(0, half, n), r.integers(half, length, n)
    marks[rows, i] = marks[rows, j] = 1
    y = values[rows, i] + values[rows, j]
    return np.stack([values, marks], -1).astype("float32"), y[:, None]


def reviews(n: int = 900, length: int = 20, vocabulary: int = 500, pad: int = 0) -> Pair:
    """Zipf-distributed tokens; the frequent ones of odd number are kind words, of even unkind."""
    r = rng()
    p = 1 / np.arange(1, vocabulary)
    x = 1 + r.choice(vocabulary - 1, (n, length), p=p / p.sum())
    mood = np.where(x < 60, np.where(x % 2, 1, -1), 0).sum(1) + 0.5
    y = (mood - np.median(mood) + 0.25 > 0)[:, None].astype(float)
    return np.pad(x, ((0, 0), (0, pad))).astype("int32"), y


def house(n: int = 600, *, raw: bool = False, price: float = 1.0) -> Pair:
    """Area, rooms, year, metres to the station, floor -> price, standardised times ``price``."""
    r = rng()
    area, year = r.gamma(6, 18, n), r.integers(1900, 2022, n)
    rooms = np.clip((area / 28 + r.normal(0, 0.7, n)).round(), 1, 9)
    station, floor = r.exponential(900, n), r.integers(0, 12, n)
    x = np.stack([area, rooms, year, station, floor], 1)
    y = 3 * area + 0.6 * (year - 1900) - 0.04 * station + 15 * np.sin(floor / 2) + 8 * rooms
    y = y + r.normal(0, 25, n)
    y = (y - y.mean()) / y.std()
    x = x if raw else (x - x.mean(0)) / x.std(0)
    return x.astype("float32"), y[:, None] * price


def sales(n: int = 600, window: int = 24, *, raw: bool = False) -> Pair:
    """Windows of a seasonal series with a trend, and the value that follows each."""
    r, t = rng(), np.arange(n + window + 1)
    s = 4000 + 2.5 * t + 900 * np.sin(2 * np.pi * t / 12) + r.normal(0, 150, len(t))
    s = s if raw else (s - s.mean()) / s.std()
    x = np.lib.stride_tricks.sliding_window_view(s, window)[:n]
    return x[..., None].astype("float32"), s[window : window + n, None]


def ratings(n: int = 1500, users: int = 60, items: int = 80) -> tuple[Any, np.ndarray]:
    """(user, item) -> rating around 0 of a rank-3 model with biases."""
    r = rng()
    u, i = r.integers(0, users, n), (items * r.beta(0.6, 2, n)).astype(int)
    a, b = r.normal(0, 0.8, (users, 3)), r.normal(0, 0.8, (items, 3))
    y = (a[u] * b[i]).sum(1) + r.normal(0, 0.7, users)[u] + r.normal(0, 0.2, n)
    return (u[:, None].astype("int32"), i[:, None].astype("int32")), (y - y.mean())[:, None]


def rare(share: float = 0.04, n: int = 1500, width: int = 12) -> Pair:
    """Binary labels of which few are positive, with a clear but noisy cause."""
    r = rng()
    x = r.normal(0, 1, (n, width))
    score = x[:, 0] + x[:, 1] * x[:, 2] + 0.5 * x[:, 3] + r.normal(0, 0.3, n)
    y = score > np.quantile(score, 1 - share)
    return x.astype("float32"), y[:, None].astype(float)


def tags(n: int = 800, width: int = 20, labels: int = 8) -> Pair:
    """Several labels a row, each from a few of the features."""
    r = rng()
    x = r.normal(0, 1, (n, width))
    y = x @ r.normal(0, 1, (width, labels)) * 0.5 + r.normal(0, 0.3, (n, labels)) > 1
    return x.astype("float32"), y.astype(float)


def counts(n: int = 700, width: int = 6) -> Pair:
    """Poisson counts whose log-rate is linear."""
    r = rng()
    x = r.normal(0, 1, (n, width))
    y = r.poisson(np.exp(0.8 + x @ np.linspace(0.6, -0.4, width)))
    return x.astype("float32"), y[:, None].astype(float)


def curve(n: int = 600, noise: float = 0.1) -> Pair:
    """One input in [-1, 1], one wiggly output."""
    r = rng()
    x = r.uniform(-1, 1, (n, 1))
    return x.astype("float32"), np.sin(5 * x) + 0.5 * x + r.normal(0, noise, (n, 1))


def lookup(n: int = 800, length: int = 10, keys: int = 8) -> Pair:
    """Key-value pairs in random order, then a key: its value (one of four) is the label."""
    r = rng()
    length = min(length, keys)
    order = np.argsort(r.random((n, keys)), 1)[:, :length]
    values, asked = r.integers(0, 4, (n, length)), r.integers(0, length, n)
    x = np.zeros((n, length + 1, 2 * keys + 4))
    rows, places = np.arange(n)[:, None], np.arange(length)[None]
    x[rows, places, order] = 1
    x[rows, places, 2 * keys + values] = 1
    x[np.arange(n), length, keys + order[np.arange(n), asked]] = 1
    return x.astype("float32"), onehot(values[np.arange(n), asked], 4)


def phrases(n: int = 500, length: int = 16, vocabulary: int = 12) -> Pair:
    """Token sequences of a sparse Markov chain, and the same shifted by one."""
    r = rng()
    chain = r.dirichlet(np.full(vocabulary, 0.15), vocabulary).cumsum(1)
    s = np.zeros((n, length + 1), int)
    s[:, 0] = r.integers(0, vocabulary, n)
    for t in range(length):
        s[:, t + 1] = (r.random((n, 1)) > chain[s[:, t]]).sum(1).clip(0, vocabulary - 1)
    return s[:, :-1].astype("int32"), s[:, 1:].astype(float)


def pairs(n: int = 800, width: int = 10) -> tuple[Any, np.ndarray]:
    """Two views a row; 1 where both are of the same cluster."""
    r = rng()
    centres = r.normal(0, 1.2, (4, width))
    a, b = r.integers(0, 4, n), r.integers(0, 4, n)
    b = np.where(r.random(n) < 0.35, a, b)
    left, right = (centres[i] + r.normal(0, 0.5, (n, width)) for i in (a, b))
    y = (a == b)[:, None].astype(float)
    return (left.astype("float32"), right.astype("float32")), y


def triples(n: int = 600, width: int = 10) -> tuple[np.ndarray, np.ndarray]:
    """Anchor, one of its cluster and one of another: [n, 3, width]; the targets are not used."""
    r = rng()
    centres = r.normal(0, 1, (5, width))
    a = r.integers(0, 5, n)
    c = (a + r.integers(1, 5, n)) % 5
    x = np.stack([centres[a], centres[a], centres[c]], 1) + r.normal(0, 0.6, (n, 3, width))
    return x.astype("float32"), np.zeros((n, 1))
