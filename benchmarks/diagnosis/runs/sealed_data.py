"""Data of the ``S-`` runs: all made here, other than the other parts' data."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.diagnosis.runs.unseen_data import Data, standard


def rng() -> np.random.Generator:
    return np.random.default_rng(23)


def sectors() -> Data:
    """Five colours of a dart board."""
    x = rng().uniform(-2, 2, (1200, 2))
    angle = np.floor((np.arctan2(x[:, 1], x[:, 0]) / np.pi + 1) * 2.5).clip(0, 4).astype(int)
    y = (angle + (np.hypot(x[:, 0], x[:, 1]) > 1.2)) % 5
    return x.astype("float32"), np.eye(5)[y]


def teacher() -> Data:
    """Seven classes, told by a random network of 16 features."""
    r = rng()
    x = r.normal(0, 1, (1500, 16))
    logits = np.tanh(x @ r.normal(0, 0.5, (16, 20))) @ r.normal(0, 1, (20, 7))
    return x.astype("float32"), np.eye(7)[logits.argmax(1)]


def loans(*, raw: bool = False, rare: bool = False) -> Data:
    """Default on a loan by income, age, debt, months and late payments; one in 20 if rare."""
    r = rng()
    income, age = r.lognormal(10.8, 0.5, 1400), r.integers(18, 80, 1400)
    debt, months = income * r.uniform(0, 1.2, 1400), r.integers(6, 72, 1400)
    late = r.poisson(1.0, 1400)
    risk = 4 * debt / income + 0.7 * late - 0.03 * (age - 18) - 0.01 * months
    cut = np.quantile(risk, 0.95 if rare else 0.65)
    y = risk + r.normal(0, 0.2, 1400) > cut
    x = np.stack([income, age, debt, months, late], 1).astype(float)
    return (x if raw else standard(x)).astype("float32"), y[:, None].astype(float)


def engine(*, raw: bool = False, decibel: bool = False) -> Data:
    """Hours that an engine will run still, up to 300, by eight sensors; decibels are below zero."""
    r = rng()
    x = r.normal(0, 1, (1100, 8))
    wear = x[:, 0] + x[:, 1] * x[:, 2] + np.abs(x[:, 3]) - 0.5 * x[:, 4]
    y = 300 / (1 + np.exp(wear)) + r.normal(0, 5, 1100)
    x = 6 * x - 60 if decibel else x
    return x.astype("float32"), (y if raw else standard(y))[:, None]


def bikes(*, raw_x: bool = False, raw_y: bool = False) -> Data:
    """Bicycles lent in an hour, 0 to 900, by hour, temperature, humidity, wind and weekday."""
    r = rng()
    hour, warm = r.integers(0, 24, 1300), r.uniform(-5, 35, 1300)
    damp, wind, day = r.uniform(20, 100, 1300), r.gamma(2, 8, 1300), r.integers(0, 7, 1300)
    rush = np.exp(-((hour - 8) ** 2) / 6) * (day < 5) + np.exp(-((hour - 17) ** 2) / 10)
    y = np.maximum(0, 450 * rush + 9 * warm - damp - 2 * wind + r.normal(0, 15, 1300)).round()
    x = np.stack([hour, warm, damp, wind, day], 1).astype(float)
    return (x if raw_x else standard(x)).astype("float32"), (y if raw_y else standard(y))[:, None]


SEGMENTS = ("012456", "25", "02346", "02356", "1235", "01356", "013456", "025", "0123456", "012356")
"""Lit segments of the digits: top, upper left and right, middle, lower left and right, bottom."""


def segments(*, scale: float = 1.0, blank: float = 0.0) -> Data:
    """Seven-segment digits of 14 x 10 pixels, shifted and noisy; ``blank`` of them show nothing."""
    r = rng()
    y, x = r.integers(0, 10, 800), r.uniform(0, 0.2, (800, 14, 10, 1))
    lines = [(0, 0, 1, 5), (0, 0, 5, 1), (0, 4, 5, 1), (4, 0, 1, 5), (4, 0, 5, 1), (4, 4, 5, 1)]
    lines.append((8, 0, 1, 5))
    for i, digit in enumerate(y):
        top, left, bright = r.integers(0, 5), r.integers(0, 5), r.uniform(0.6, 0.8)
        for s in map(int, SEGMENTS[digit]):
            a, b, high, wide = lines[s]
            x[i, top + a : top + a + high, left + b : left + b + wide] = bright
    x[r.random(800) < blank] = 0
    return (x * scale).astype("float32"), np.eye(10)[y]


def ecg() -> Data:
    """Two leads, 60 steps: a regular beat, one that is missing, wide, or upside down."""
    r = rng()
    y, x = r.integers(0, 4, 800), r.normal(0, 0.15, (800, 60, 2))
    t = np.arange(60)
    for i, kind in enumerate(y):
        start, odd = r.integers(2, 10), r.integers(0, 4)
        for beat in range(4):
            special = beat == odd
            height = {1: 0.0, 3: -1.0}.get(kind, 1.0) if special else 1.0
            width = 3.0 if special and kind == 2 else 0.8
            x[i] += height * np.exp(-(((t - start - 14 * beat) / width) ** 2))[:, None] * [1, 0.6]
    return x.astype("float32"), np.eye(4)[y]


def intent(*, empty: float = 0.0) -> Data:
    """Requests of 4 to 16 of 150 words, filled up with 0; five intents with ten words each."""
    r = rng()
    y, x = r.integers(0, 5, 1000), r.integers(51, 150, (1000, 16))
    said = r.integers(1, 11, x.shape) + 10 * y[:, None]
    x = np.where(r.random(x.shape) < 0.35, said, x)
    x[:, 0] = said[:, 0]
    lengths = np.where(r.random(1000) < empty, 0, r.integers(4, 17, 1000))
    x[np.arange(16)[None] >= lengths[:, None]] = 0
    return x.astype("int32"), np.eye(5)[y]


def latch(length: int) -> Data:
    """The mean of the first four values of a noisy sequence, to be kept to its end."""
    r = rng()
    x = r.normal(0, 0.4, (700, length, 2))
    y = r.uniform(-1, 1, 700)
    x[:, :4, 0] = y[:, None] + r.normal(0, 0.1, (700, 4))
    x[:, :, 1] = np.arange(length) < 4
    return x.astype("float32"), standard(y)[:, None]


def mackey(*, raw: bool = False) -> Data:
    """The next value of a Mackey-Glass series after 30; raw: a price of some 9000."""
    s = [1.2] * 18
    for _ in range(2500):
        s.append(0.9 * s[-1] + 0.2 * s[-18] / (1 + s[-18] ** 10))
    z = standard(np.array(s[500::2]))
    windows = np.stack([z[i : i + 30] for i in range(900)])[:, :, None]
    y = z[30:930]
    return windows.astype("float32"), (9000 + 1500 * y if raw else y)[:, None]


def clouds() -> Data:
    """Twenty points on a circle, a square or a triangle that is turned and scaled."""
    r = rng()
    y, x = r.integers(0, 3, 900), np.zeros((900, 20, 2))
    corners = {1: 4, 2: 3}
    for i, kind in enumerate(y):
        t = r.uniform(0, 2 * np.pi, 20)
        radius = np.ones(20)
        if kind:
            part = 2 * np.pi / corners[kind]
            radius = np.cos(part / 2) / np.cos(t % part - part / 2)
        turn = t + r.uniform(0, 2 * np.pi)
        x[i] = (radius * np.stack([np.cos(turn), np.sin(turn)])).T * r.uniform(0.9, 1.1)
    return (x + r.normal(0, 0.03, x.shape)).astype("float32"), np.eye(3)[y]


def clicks() -> tuple[tuple[np.ndarray, np.ndarray], np.ndarray]:
    """(User, advertisement) -> clicked or not; most advertisements are rare."""
    r = rng()
    user, ad = r.integers(0, 150, 2500), np.minimum(r.zipf(1.3, 2500), 4000) - 1
    likes, good = r.normal(0, 1.5, 150), r.normal(0, 1.5, 4000)
    y = likes[user] + good[ad] + r.normal(0, 0.5, 2500) > 0
    return (user.astype("int32"), ad.astype("int32")), y[:, None].astype(float)


def bandit() -> Data:
    """Context -> the arm that was pulled at random, times what it paid."""
    r = rng()
    x, arm = r.normal(0, 1, (1500, 10)), r.integers(0, 4, 1500)
    best = (x @ r.normal(0, 1, (10, 4))).argmax(1)
    paid = (arm == best) + r.exponential(0.15, 1500)
    return x.astype("float32"), np.eye(4)[arm] * paid[:, None]


def domains() -> Data:
    """``teacher`` with two sources, one of them shifted: seven columns of class, one of source."""
    x, y = teacher()
    source = rng().integers(0, 2, len(x))
    return x + source[:, None] * np.float32(0.7), np.concatenate([y, source[:, None]], 1)


DATA: dict[str, Callable[[], Any]] = {
    "sectors": sectors,
    "teacher": teacher,
    "loans": loans,
    "loans-raw": lambda: loans(raw=True),
    "loans-rare": lambda: loans(rare=True),
    "engine": engine,
    "engine-raw": lambda: engine(raw=True),
    "engine-decibel": lambda: engine(decibel=True),
    "bikes": bikes,
    "bikes-rawx": lambda: bikes(raw_x=True),
    "bikes-rawy": lambda: bikes(raw_y=True),
    "segments": segments,
    "ecg": ecg,
    "intent": intent,
    "intent-empty": lambda: intent(empty=0.03),
    "mackey": mackey,
    "mackey-raw": lambda: mackey(raw=True),
    "clouds": clouds,
}
