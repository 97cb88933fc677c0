"""Data of the ``K-`` runs: all made here, other than the other parts' data."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.diagnosis.runs.unseen_data import Data, standard

Pair = tuple[tuple[np.ndarray, np.ndarray], np.ndarray]


def rng() -> np.random.Generator:
    return np.random.default_rng(90210)


def shell(*, flips: float = 0.0, signs: bool = False) -> Data:
    """Inside or outside of an ellipsoid in six dimensions."""
    r = rng()
    x = r.normal(0, 1, (1200, 6))
    y = (x**2 * [2.5, 2, 1, 0.5, 0.2, 0.1]).sum(1) + x[:, 0] > 5.2
    y = (y ^ (r.random(1200) < flips))[:, None].astype(float)
    return x.astype("float32"), 2 * y - 1 if signs else y


def bikes(
    *, raw_x: bool = False, raw_y: bool = False, logs: bool = False, noise: float = 25.0
) -> Data:
    """Bicycles lent in an hour, 0 to 600, by hour, day of the week, warmth, wind and rain.

    ``logs``: logarithms of counts, of which some are 0.
    """
    r = rng()
    x = np.stack(
        [
            r.integers(0, 24, 1200),
            r.integers(0, 7, 1200),
            r.normal(14, 8, 1200),
            r.gamma(2, 6, 1200),
            r.exponential(1.5, 1200),
        ],
        1,
    ).astype(float)
    rush = np.exp(-((x[:, 0] - 8) ** 2) / 8) + 1.2 * np.exp(-((x[:, 0] - 17) ** 2) / 12)
    y = 350 * rush * np.where(x[:, 1] < 5, 1, 0.4) + 6 * x[:, 2] - 15 * x[:, 4]
    y = np.round(np.maximum(y + r.normal(0, noise, 1200), 0))[:, None]
    x = x if raw_x else standard(x)
    if logs:
        with np.errstate(divide="ignore"):
            return x.astype("float32"), np.log(y)
    return x.astype("float32"), y if raw_y else standard(y)


def typo() -> Data:
    """Bicycles, one count of which has two digits too many and four zeros."""
    x, y = bikes()
    y = y.copy()
    y[77] = 3e4
    return x, y


def churn(*, raw: bool = False, gaps: float = 0.0, stamp: bool = False, rare: bool = False) -> Data:
    """Customers who leave, by months, bill, calls, complaints, data and age.

    ``stamp``: a seventh column with the second at which the row was written.
    """
    r = rng()
    z = r.normal(0, 1, (1200, 6))
    score = 2.5 * z[:, 3] - 2 * z[:, 0] + 1.5 * z[:, 1] * z[:, 2] - 1.2 * np.abs(z[:, 5])
    y = score + r.normal(0, 0.3, 1200) > (4.5 if rare else -0.9)
    x = np.array([30, 55, 90, 3, 9000, 45]) * np.exp(0.6 * z) if raw else z
    if stamp:
        x = np.concatenate([x, 1.7e9 + r.integers(0, 10**7, (1200, 1))], 1)
    x[r.random(x.shape) < gaps] = np.nan
    return x.astype("float32"), y[:, None].astype(float)


def weave(scale: float = 1.0) -> Data:
    """Cloth of 12 x 12 pixels whose threads run in one of four directions."""
    r = rng()
    y, (a, b) = r.integers(0, 4, 800), np.mgrid[:12, :12]
    angle, phase = y * np.pi / 4 + r.normal(0, 0.08, 800), r.uniform(0, 6.3, 800)
    along = a * np.cos(angle)[:, None, None] + b * np.sin(angle)[:, None, None]
    x = 0.5 + 0.3 * np.sin(1.9 * along + phase[:, None, None]) + r.normal(0, 0.1, (800, 12, 12))
    return (scale * np.clip(x, 0, 1))[..., None].astype("float32"), np.eye(4)[y]


def hearts(*, flat: float = 0.0) -> Data:
    """60 samples of a heart: beating regularly, without one beat, or with an early one.

    ``flat``: share of rows in which the electrode was off, all samples of which are equal.
    """
    r = rng()
    y, t, start = r.integers(0, 3, 900), np.arange(60), r.uniform(2, 8, 900)
    x = r.normal(0, 0.08, (900, 60))
    for i in range(5):
        at, high = start + 12 * i, np.ones(900)
        at = np.where((y == 2) & (i == 3), at - 6, at)
        high[(y == 1) & (i == 2)] = 0
        x += high[:, None] * np.exp(-((t - at[:, None]) ** 2) / 1.5)
    x[r.random(900) < flat] = 0.25
    return x[:, :, None].astype("float32"), np.eye(3)[y]


def tunes(pad: int = 0) -> Data:
    """24 notes out of 30 in one of three scales; ``pad`` zeros are added behind."""
    r = rng()
    weights = r.dirichlet(np.full(30, 0.6), 3)
    y = r.integers(0, 3, 1000)
    x = np.stack([r.choice(30, 24, p=weights[i]) for i in y]) + 1
    return np.pad(x, ((0, 0), (0, pad))).astype("int32"), np.eye(3)[y]


def greeting(length: int) -> Data:
    """Two pulses, each up or down, and then hiss: which of the four greetings was it?"""
    r = rng()
    bits = r.integers(0, 2, (800, 2))
    x = r.normal(0, 0.2, (800, length, 2))
    x[:, 0, 0], x[:, 1, 1] = (2 * bits - 1).T * 1.5
    return x.astype("float32"), np.eye(4)[bits @ [1, 2]]


def tide(*, raw: bool = False) -> Data:
    """Level of the sea in the next half hour, by the last 30; raw: in centimetres."""
    r = rng()
    t = np.arange(930)
    level = 180 * np.sin(t / 3.95) + 70 * np.sin(t / 3.83 + 1) + r.normal(0, 12, 930)
    level = level + 420 if raw else standard(level)
    x = np.stack([level[i : i + 30] for i in range(900)])
    return x[:, :, None].astype("float32"), level[30:, None]


def spectra(*, slips: int = 0, noise: float = 0.05) -> Data:
    """Light of 40 colours, and how much of three gases took it away.

    ``slips``: rows without their decimal point.
    """
    r = rng()
    gas = r.gamma(2, 0.5, (1000, 3))
    bands = np.exp(-((np.arange(40) - np.array([[8], [19], [30]])) ** 2) / [[12], [30], [18]])
    x = standard(np.exp(-gas @ bands) + r.normal(0, noise, (1000, 40)))
    x[r.choice(1000, slips, replace=False)] *= 1e4
    return x.astype("float32"), standard(gas)


def light() -> Data:
    """The same light, to be coded."""
    x, _ = spectra()
    return x, x.astype(float)


def duel(*, empty: float = 0.0) -> Pair:
    """Two players of eight skills each: does the first win?  ``empty``: share of newcomers."""
    r = rng()
    a, b = r.normal(0, 1, (2, 1200, 8))
    skill = lambda p: p[:, 0] + 0.8 * p[:, 1] - p[:, 2] * p[:, 3]
    y = skill(a) - skill(b) + r.normal(0, 0.3, 1200) > 0
    a[r.random(1200) < empty] = 0
    return (a.astype("float32"), b.astype("float32")), y[:, None].astype(float)


def pointer() -> Data:
    """Seven cards of four suits, and the number of one behind them: its suit?  One-hots of 11."""
    r = rng()
    suit, asked, rows = r.integers(0, 4, (1500, 7)), r.integers(0, 7, 1500), np.arange(1500)
    x = np.zeros((1500, 8, 11), "float32")
    x[:, :7, :4] = np.eye(4)[suit]
    x[rows, 7, 4 + asked] = 1
    return x, np.eye(4)[suit[rows, asked]]


def shops() -> Pair:
    """(Shop of 120, four features of the day) -> standardised sales."""
    r = rng()
    shop, day = r.integers(0, 120, 1800), r.normal(0, 1, (1800, 4))
    size, taste = r.normal(0, 1, 120), r.normal(0, 0.6, (120, 4))
    y = size[shop] + (taste[shop] * day).sum(1) + 0.5 * day[:, 0] + r.normal(0, 0.2, 1800)
    return (shop.astype("int32"), day.astype("float32")), standard(y)[:, None]


def misplaced(data: Any) -> Any:
    """Inputs sorted by their first column, targets not."""
    x, y = data
    return x[np.argsort(x[:, 0])], y
