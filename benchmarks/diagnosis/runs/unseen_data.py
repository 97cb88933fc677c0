"""Data of the ``R-`` runs: made here or by scikit-learn, other than the other parts' data."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

Data = tuple[Any, np.ndarray]


def standard(a: np.ndarray) -> np.ndarray:
    return (a - a.mean(0)) / a.std(0)


def checker() -> Data:
    """A board of 3 x 3 fields in two colours."""
    x = np.random.default_rng(11).uniform(-1.5, 1.5, (1000, 2))
    y = np.floor(x + 1.5).sum(1) % 2
    return x.astype("float32"), y[:, None]


def hexa() -> Data:
    """Six classes in 30 features."""
    from sklearn.datasets import make_classification

    x, y = make_classification(
        1400, 30, n_informative=12, n_classes=6, class_sep=2.0, random_state=11
    )
    return standard(x).astype("float32"), np.eye(6)[y]


def clusters(*, raw: bool = False) -> Data:
    """Eight clusters in three dimensions, in [-14, 14] if raw."""
    from sklearn.datasets import make_blobs

    x, y = make_blobs(900, centers=8, n_features=3, cluster_std=1.2, random_state=11)[:2]
    return (x if raw else standard(x)).astype("float32"), np.eye(8)[y]


def curve() -> Data:
    """Position along an S."""
    from sklearn.datasets import make_s_curve

    x, t = make_s_curve(900, noise=0.1, random_state=11)
    return standard(x).astype("float32"), standard(t)[:, None]


def phase() -> Data:
    """Friedman's third problem."""
    from sklearn.datasets import make_friedman3

    x, y = make_friedman3(900, noise=0.05, random_state=11)
    return standard(x).astype("float32"), standard(y)[:, None]


def linear() -> Data:
    """``make_regression`` as it comes: targets of some hundreds."""
    from sklearn.datasets import make_regression

    x, y = make_regression(800, 12, n_informative=8, noise=10, random_state=11)[:2]
    return x.astype("float32"), y[:, None]


def houses(*, raw_x: bool = False, raw_y: bool = False, gaps: float = 0.0) -> Data:
    """Price by area, year, rooms and distance; ``gaps`` is the share of values that are missing."""
    rng = np.random.default_rng(11)
    area, year = rng.uniform(40, 250, 1000), rng.integers(1900, 2020, 1000)
    rooms, distance = 1 + area // 30 + rng.integers(0, 2, 1000), rng.lognormal(8, 0.8, 1000)
    y = 2500 * area + 1500 * (year - 1900) + 2e5 * np.exp(-distance / 4000)
    y = y + rng.normal(0, 2e4, 1000)
    x = np.stack([area, year, rooms, distance], 1)
    x, y = x if raw_x else standard(x), y if raw_y else standard(y)
    x[rng.random(x.shape) < gaps] = np.nan
    return x.astype("float32"), y[:, None]


def counts(*, raw: bool = False) -> Data:
    """Rare events: Poisson counts, two thirds of them zero; raw inputs reach 200."""
    rng = np.random.default_rng(11)
    x = rng.normal(0, 1, (1200, 6))
    y = rng.poisson(np.exp(-1.2 + 0.8 * x[:, 0] - 0.6 * x[:, 1] * (x[:, 2] > 0)))
    return (x * 40 + 60 if raw else x).astype("float32"), y[:, None].astype(float)


def parity() -> Data:
    """Parity of three of ten bits, as -1 and 1."""
    x = np.random.default_rng(11).integers(0, 2, (1000, 10)) * 2.0 - 1
    return x.astype("float32"), (x[:, :3].prod(1) > 0)[:, None].astype(float)


def glyphs(scale: float = 1.0, size: int = 10) -> Data:
    """Colour pictures of a disc, a ring, a cross or a plus; in [0, ``scale``]."""
    rng = np.random.default_rng(11)
    y = rng.integers(0, 4, 700)
    x = rng.uniform(0, 0.3, (700, size, size, 3))
    rows, columns = np.mgrid[:size, :size]
    for i, kind in enumerate(y):
        a, b = rng.integers(3, size - 3, 2)
        r, c = rows - a, columns - b
        far, near = np.hypot(r, c), np.maximum(abs(r), abs(c)) <= 3
        shapes = (
            far <= 3,
            (far <= 3.6) & (far > 2),
            (abs(r) == abs(c)) & near,
            (r * c == 0) & near,
        )
        x[i][shapes[kind]] += rng.uniform(0.4, 0.7, 3)
    return (x * scale).astype("float32"), np.eye(4)[y]


def cue(length: int) -> Data:
    """One of four cues at the first step, then distractors: which was it?"""
    rng = np.random.default_rng(11)
    y = rng.integers(0, 4, 700)
    tokens = rng.integers(4, 8, (700, length))
    tokens[:, 0] = y
    return np.eye(8, dtype="float32")[tokens], np.eye(4)[y]


def season(*, raw: bool = False) -> Data:
    """Next value after 24 months of a series with trend and season; raw: from 100 to 600."""
    rng = np.random.default_rng(11)
    t = np.arange(724)
    series = 100 + 0.5 * t + (30 + 0.1 * t) * np.sin(2 * np.pi * t / 12) + rng.normal(0, 8, 724)
    scaled = standard(series)
    windows = lambda s: np.stack([s[i : i + 24] for i in range(700)])[:, :, None]
    return windows(scaled).astype("float32"), (series if raw else scaled)[24:, None]


def reviews(pad: int) -> Data:
    """Texts of 200 words, 20 of them good, 20 bad; ``pad`` zeros are added after the end."""
    rng = np.random.default_rng(11)
    y = rng.integers(0, 2, 1000)
    x = rng.integers(41, 200, (1000, 30))
    said = rng.integers(1, 21, x.shape) + 20 * y[:, None]
    x = np.where(rng.random(x.shape) < 0.25, said, x)
    return np.pad(x, ((0, 0), (0, pad))).astype("int32"), y[:, None].astype(float)


def topics(*, empty: float = 0.0) -> Data:
    """Word counts of five topics; ``empty`` is the share of documents without a known word."""
    rng = np.random.default_rng(11)
    y = rng.integers(0, 5, 900)
    rates = rng.gamma(0.4, 1.5, (5, 40))
    x = rng.poisson(rates[y])
    x[rng.random(900) < empty] = 0
    return x.astype("float32"), np.eye(5)[y]


def ratings() -> Data:
    """(User, film) -> a standardised rating."""
    rng = np.random.default_rng(11)
    user, film = rng.integers(0, 80, 2000), rng.integers(0, 60, 2000)
    u, f = rng.normal(size=(80, 3)), rng.normal(size=(60, 3))
    y = (u[user] * f[film]).sum(1) + rng.normal(0, 0.3, 2000)
    return (user.astype("int32"), film.astype("int32")), standard(y)[:, None]


DATA: dict[str, Callable[[], Data]] = {
    "checker": checker,
    "hexa": hexa,
    "clusters": clusters,
    "clusters-raw": lambda: clusters(raw=True),
    "curve": curve,
    "phase": phase,
    "linear": linear,
    "houses": houses,
    "houses-rawx": lambda: houses(raw_x=True),
    "houses-rawy": lambda: houses(raw_y=True),
    "houses-gaps": lambda: houses(gaps=0.01),
    "counts": counts,
    "counts-raw": lambda: counts(raw=True),
    "parity": parity,
    "topics": topics,
    "topics-empty": lambda: topics(empty=0.02),
}
