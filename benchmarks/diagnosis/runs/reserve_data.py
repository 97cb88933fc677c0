"""Data of the ``V-`` runs: all made here, other than the other parts' data."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.diagnosis.runs.unseen_data import Data, standard


def rng() -> np.random.Generator:
    return np.random.default_rng(71)


def shells(*, numbers: bool = False) -> Data:
    """Four nested shells in three dimensions; ``numbers``: the class as 1 to 4."""
    r = rng()
    y, x = r.integers(0, 4, 1200), r.normal(0, 1, (1200, 3))
    x *= ((0.5 + y + r.normal(0, 0.12, 1200)) / np.linalg.norm(x, axis=1))[:, None] / 2
    return x.astype("float32"), y[:, None] + 1.0 if numbers else np.eye(4)[y]


def churn(*, raw: bool = False, powers: bool = False, flips: float = 0.0) -> Data:
    """Customers who leave, by months, charges, calls, contract, age, complaints and visits."""
    r = rng()
    months, charge, calls = r.integers(0, 73, 1300), r.uniform(18, 120, 1300), r.poisson(2, 1300)
    contract, age = r.integers(0, 3, 1300), r.normal(45, 14, 1300)
    moans, visits = r.poisson(0.6, 1300), r.gamma(2, 200, 1300)
    risk = charge / 30 + 1.5 * moans + 0.4 * calls - months / 15 - contract + visits / 400
    y = (risk > np.quantile(risk, 0.6)) ^ (r.random(1300) < flips)
    x = np.stack([months, charge, calls, contract, age, moans, visits], 1).astype(float)
    if powers:
        x = np.concatenate([x, x**2, x**3], 1)
    x = x if raw or powers else standard(x)
    return x.astype("float32"), y[:, None].astype(float)


def trips(*, raw_x: bool = False, raw_y: bool = False, spikes: bool = False) -> Data:
    """Seconds of a taxi ride, by the clock in seconds since 1970, places, riders and distance."""
    r = rng()
    clock, place = 1.7e9 + r.uniform(0, 3e7, 1250), r.uniform(0, 12, (1250, 4))
    way = np.abs(place[:, 0] - place[:, 2]) + np.abs(place[:, 1] - place[:, 3])
    riders, rain = r.integers(1, 6, 1250), r.integers(0, 2, 1250)
    y = 120 + way * (95 + 55 * rain + 6 * place[:, 0]) + r.normal(0, 40, 1250)
    y += spikes * (r.random(1250) < 0.02) * 2e4
    x = np.stack([clock, *place.T, riders, rain, way], 1)
    centre, width = (y.mean(), y.std()) if not spikes else (np.median(y), 700.0)
    y = y if raw_y else (y - centre) / width
    return (x if raw_x else standard(x)).astype("float32"), y[:, None]


def sales() -> Data:
    """Pieces sold, 0 to 30, often none at all, by six features."""
    r = rng()
    x = r.normal(0, 1, (1100, 6))
    y = r.poisson(np.exp(0.8 + 0.7 * x[:, 0] - 0.5 * x[:, 1] * x[:, 2]).clip(0, 25))
    return x.astype("float32"), y[:, None].astype(float)


def shapes(*, scale: float = 1.0, shift: float = 0.0) -> Data:
    """Coloured disc, frame, cross, stripes or stairs, 12 x 12 x 3, anywhere in the picture."""
    r = rng()
    y, x = r.integers(0, 5, 800), r.uniform(0, 0.25, (800, 12, 12, 3))
    a, b = np.mgrid[:7, :7]
    masks = [
        (a - 3) ** 2 + (b - 3) ** 2 <= 9,
        (np.maximum(abs(a - 3), abs(b - 3)) == 3),
        (a == 3) | (b == 3),
        a % 2 == 0,
        a >= b,
    ]
    for i, kind in enumerate(y):
        top, left = r.integers(0, 6, 2)
        x[i, top : top + 7, left : left + 7] += masks[kind][..., None] * r.uniform(0.3, 0.7, 3)
    return (x * scale + shift).astype("float32"), np.eye(5)[y]


def tones(*, silence: float = 0.0) -> Data:
    """72 steps of a tone that rises, falls, stays, or trembles; ``silence`` of them are zero."""
    r = rng()
    t, y = np.arange(72) / 72, r.integers(0, 4, 850)
    start, turn = r.uniform(0, 6.3, (850, 1)), r.uniform(0.8, 1.2, (850, 1))
    rate = [4 + 8 * t, 12 - 8 * t, 8 + 0 * t, 8 + 4 * np.sign(np.sin(18 * t))]
    phase = np.cumsum(np.stack(rate)[y], 1) * 2 * np.pi / 72
    x = np.sin(phase * turn + start) + r.normal(0, 0.1, (850, 72))
    x[r.random(850) < silence] = 0
    return x[:, :, None].astype("float32"), np.eye(4)[y]


def weather(
    *, raw_x: bool = False, raw_y: bool = False, cold: bool = False, columns: int = 4
) -> Data:
    """Temperature in an hour by the last 24 hours: kelvin, hectopascal, wind and sun."""
    r = rng()
    t = np.arange(1100)
    slow = np.convolve(r.normal(0, 1, 1160), np.ones(60) / 8, "valid")[:1100]
    sun = np.maximum(0, np.sin(2 * np.pi * t / 24))
    heat = 283 + 5 * slow + 6 * np.sin(2 * np.pi * (t - 4) / 24) + r.normal(0, 0.3, 1100)
    press, wind = 1013 - 4 * slow + r.normal(0, 1, 1100), r.gamma(2, 2, 1100)
    series = np.stack([heat, press, wind, 800 * sun], 1)
    y = heat[24:] - 340 if cold else heat[24:] if raw_y else standard(heat)[24:]
    series = series if raw_x else standard(series)
    windows = np.stack([series[i : i + 24, :columns] for i in range(len(y))])
    return windows.astype("float32"), y[:, None]


def mail(pad: int = 0, *, empty: float = 0.0) -> Data:
    """Six to 18 of 120 words, filled up with 0; junk has more of words 1 to 20 than of 21 to 40."""
    r = rng()
    y, x = r.integers(0, 2, 1100), r.integers(41, 120, (1100, 18))
    side = (r.random(x.shape) < 0.85) == y[:, None].astype(bool)
    told = np.where(side, r.integers(1, 21, x.shape), r.integers(21, 41, x.shape))
    x = np.where(r.random(x.shape) < 0.4, told, x)
    x[:, 0] = told[:, 0]
    lengths = np.where(r.random(1100) < empty, 0, r.integers(6, 19, 1100))
    x[np.arange(18)[None] >= lengths[:, None]] = 0
    return np.pad(x, ((0, 0), (0, pad))).astype("int32"), y[:, None].astype(float)


def codes(length: int) -> Data:
    """Which two of two symbols came first, in a noisy sequence: four classes."""
    r = rng()
    y, x = r.integers(0, 4, 700), r.normal(0, 0.2, (700, length, 3))
    x[:, 0, 0] += 2 * (y // 2) - 1
    x[:, 2, 1] += 2 * (y % 2) - 1
    x[:, :3, 2] += 1
    return x.astype("float32"), np.eye(4)[y]


def genres() -> Data:
    """Six labels, each of which may hold or not, by 18 features."""
    r = rng()
    x = r.normal(0, 1, (1300, 18))
    y = np.tanh(x @ r.normal(0, 0.4, (18, 12))) @ r.normal(0, 1, (12, 6)) > 0.5
    return x.astype("float32"), y.astype(float)


def baskets() -> Data:
    """Eight of 5000 articles, most of them rare -> one of three kinds of household."""
    r = rng()
    y, taste = r.integers(0, 3, 1500), r.integers(0, 3, 5000)
    x = np.minimum(r.zipf(1.25, (1500, 40)), 5000) - 1
    rank = np.argsort(taste[x] != y[:, None], axis=1, kind="stable")[:, :5]
    x = np.concatenate([np.take_along_axis(x, rank, 1), x[:, -3:]], 1)
    return x.astype("int32"), np.eye(3)[y]


DATA: dict[str, Callable[[], Any]] = {
    "shells": shells,
    "shells-numbers": lambda: shells(numbers=True),
    "churn": churn,
    "churn-raw": lambda: churn(raw=True),
    "churn-powers": lambda: churn(powers=True),
    "churn-flips": lambda: churn(flips=0.15),
    "trips": trips,
    "trips-rawx": lambda: trips(raw_x=True),
    "trips-rawy": lambda: trips(raw_y=True),
    "trips-spikes": lambda: trips(spikes=True),
    "sales": sales,
    "shapes": shapes,
    "shapes-255": lambda: shapes(scale=255.0),
    "shapes-shifted": lambda: shapes(shift=-120.0),
    "tones": tones,
    "tones-silence": lambda: tones(silence=0.1),
    "weather": weather,
    "weather-rawx": lambda: weather(raw_x=True),
    "weather-air": lambda: weather(raw_x=True, columns=2),
    "weather-rawy": lambda: weather(raw_y=True),
    "weather-cold": lambda: weather(cold=True),
    "mail": mail,
    "mail-padded": lambda: mail(90),
    "mail-empty": lambda: mail(empty=0.03),
    "genres": genres,
    "baskets": baskets,
}
