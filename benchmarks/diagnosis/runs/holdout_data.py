"""Data of the hold-out part: synthetic, other than the development part's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np


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
