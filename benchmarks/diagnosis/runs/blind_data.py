"""Data of the ``W-`` runs: all made here, other than the other parts' data."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.diagnosis.runs.unseen_data import Data, standard


def rng() -> np.random.Generator:
    return np.random.default_rng(2309)


def petals() -> Data:
    """A flower of three petals, and what is around it."""
    r = rng()
    x = r.uniform(-1, 1, (1100, 2))
    angle, away = np.arctan2(x[:, 1], x[:, 0]), np.hypot(x[:, 0], x[:, 1])
    y = away + r.normal(0, 0.03, 1100) < 0.6 + 0.4 * np.cos(3 * angle)
    return (x * 1.7).astype("float32"), y[:, None].astype(float)


def stars(*, raw: bool = False, smooth: float = 0.0) -> Data:
    """Five kinds of star; raw: kelvin, and luminosity and radius in suns, not their logarithms."""
    r = rng()
    y = r.integers(0, 5, 1200)
    low, high = np.array([3.9, 3.45, 3.6, 3.5, 3.5])[y], np.array([4.5, 4.5, 3.9, 3.8, 4.4])[y]
    heat = low + (high - low) * r.random(1200)
    light = np.array([-2.5, 0, 0.9, 2.0, 4.6])[y] + r.normal(0, 0.35, 1200)
    light += np.where(y == 1, 5 * (heat - 3.76), 0)
    size = light / 2 - 2 * (heat - 3.76) + r.normal(0, 0.05, 1200)
    bright = 4.8 - 2.5 * light + r.normal(0, 0.4, 1200)
    far = r.gamma(2, 150, 1200)
    x = np.stack([heat, light, size, bright, far], 1)
    if raw:
        x[:, :3] = 10 ** x[:, :3]
    x = x if raw else standard(x)
    return x.astype("float32"), np.eye(5)[y] * (1 - smooth) + smooth / 5


def crops(
    *, raw_x: bool = False, raw_y: bool = False, unit: bool = False, log: bool = False
) -> Data:
    """Kilograms a hectare by rain, warmth, nitrogen, acidity, sand and altitude.

    ``unit``: all features in [0, 1]; ``log``: logarithm of a harvest that is sometimes 0.
    """
    r = rng()
    low, high = np.array([200, 5, 0, 4.5, 0, 0]), np.array([1200, 30, 250, 8.5, 100, 2500])
    u = r.random((1150, 6))
    bell = lambda v, middle, width: np.exp(-(((v - middle) / width) ** 2))
    y = 9500 * bell(u[:, 0], 0.6, 0.6) * bell(u[:, 1], 0.55, 0.5) * bell(u[:, 3], 0.5, 0.7)
    y *= (0.5 + u[:, 2] / (u[:, 2] + 0.5)) * (1 - 0.5 * u[:, 4] * u[:, 5])
    y = np.maximum(y + r.normal(0, 250, 1150), 0)
    if log:
        y = np.where(r.random(1150) < 0.03, 0, y)
        with np.errstate(divide="ignore"):
            y = np.log(y)
    x = low + (high - low) * u if raw_x else u if unit else standard(u)
    y = y if raw_y or log else standard(y)
    return x.astype("float32"), y[:, None]


def throws(*, scale: float = 0.0) -> Data:
    """How far and how high, by angle, speed, drag, wind and start; ``scale``: of the metres."""
    r = rng()
    u = r.uniform(-1, 1, (1200, 5))
    angle, speed = 0.8 + 0.6 * u[:, 0], 30 + 18 * u[:, 1]
    drag, wind, start = 0.25 + 0.2 * u[:, 2], 6 * u[:, 3], 10 + 9 * u[:, 4]
    up = speed * np.sin(angle)
    time = (up + np.sqrt(up**2 + 19.6 * start)) / 9.8
    away = (speed * np.cos(angle) + wind) * time * np.exp(-drag * time / 3)
    y = np.stack([away, start + up**2 / 19.6 * np.exp(-drag)], 1)
    return (u * 1.7).astype("float32"), y * scale if scale else standard(y)


def chords(*, spikes: float = 0.0) -> Data:
    """Which of seven notes sound, by a spectrum of 40 bins, often exactly 0."""
    r = rng()
    y = r.random((1250, 7)) < 0.4
    tones = np.zeros((7, 40))
    for i, low in enumerate((4, 5, 6, 7, 9, 10, 12)):
        for part, strength in ((1, 1.0), (2, 0.6), (3, 0.35)):
            tones[i, low * part] += strength
    x = (y * r.gamma(4, 0.25, (1250, 7))) @ tones + r.normal(-0.05, 0.08, (1250, 40))
    x += spikes * (r.random((1250, 40)) < 0.01) * 40
    return np.maximum(x, 0).astype("float32"), y.astype(float)


def weaves(*, scale: float = 1.0) -> Data:
    """Cloth of 14 x 14 grey pixels: five ways to weave, any phase, two periods."""
    r = rng()
    y, period, phase = r.integers(0, 5, 800), r.integers(3, 5, 800), r.integers(0, 4, (800, 2))
    a, b = np.mgrid[:14, :14]
    x = r.uniform(0, 0.35, (800, 14, 14, 1))
    for i in range(800):
        p, q = a + phase[i, 0], b + phase[i, 1]
        kinds = (p, q, p + q, p - q + 16)
        on = kinds[y[i]] % period[i] == 0 if y[i] < 4 else (p // 2 + q // 2) % 2 == 0
        x[i, :, :, 0] += 0.6 * on
    return (x * scale).astype("float32"), np.eye(5)[y]


def gait(*, lost: float = 0.0, still: bool = False, counts: bool = False) -> Data:
    """60 readings of three axes: walking, running, climbing or sitting.

    ``still``: those who sit do not move at all; ``counts``: 16-bit numbers without a sign.
    """
    r = rng()
    t, y = np.arange(60) / 20, r.integers(0, 4, 900)
    pace = np.array([1.6, 2.7, 1.3, 0.0])[y] * r.uniform(0.85, 1.15, 900)
    angle = 2 * np.pi * (pace[:, None] * t + r.random((900, 1)))
    size = np.array([0.6, 1.3, 0.6, 0.0])[y][:, None] * r.uniform(0.7, 1.3, (900, 1))
    climbs = (y == 2)[:, None]
    x = np.stack(
        [
            size * np.sin(angle),
            size * (0.5 * np.sin(2 * angle) + 0.4 * climbs * np.sin(3 * angle)),
            1 + 0.5 * size * np.cos(angle) - 0.3 * climbs,
        ],
        2,
    )
    noise = r.normal(0, 0.15, x.shape)
    x += noise * ~(still & (y == 3))[:, None, None]
    x[r.random(x.shape) < lost] = np.nan
    x = 32768 + 700 * x if counts else x
    return x.astype("float32"), np.eye(4)[y]


def tide(*, wild: bool = False) -> Data:
    """Height of the sea after 30 hours of height and pressure; ``wild``: with jumps."""
    r = rng()
    t = np.arange(1100)
    press = np.convolve(r.normal(0, 1, 1139), np.ones(40) / 2, "valid")
    high = 140 * np.sin(2 * np.pi * t / 12.42) + 55 * np.sin(2 * np.pi * t / 12) - 12 * press
    high += r.normal(0, 8, 1100)
    if wild:
        high += r.standard_t(1.2, 1100) * 15
    series = np.stack([520 + high, 1013 + 3 * press], 1)
    if wild:
        series = np.clip(series, -500, 2000)
    series = standard(series)
    windows = np.stack([series[i : i + 30] for i in range(1070)])
    return windows.astype("float32"), series[30:, :1]


def melody(*, empty: float = 0.0, unknown: bool = False, shuffled: bool = False) -> Data:
    """Eight to 20 of 36 notes, filled up with 0: major, minor or whole tones.

    ``unknown``: every note is the one that stands for what is not in the vocabulary.
    """
    r = rng()
    scales = np.array([[0, 2, 4, 5, 7, 9, 11], [0, 2, 3, 5, 7, 8, 10], [0, 2, 4, 6, 8, 10, 6]])
    y = r.integers(0, 3, 1100)
    x = scales[y[:, None], r.integers(0, 7, (1100, 20))] + 12 * r.integers(0, 3, (1100, 20)) + 1
    x = np.where(r.random(x.shape) < 0.25, r.integers(1, 37, x.shape), x)
    lengths = np.where(r.random(1100) < empty, 0, r.integers(8, 21, 1100))
    x[np.arange(20)[None] >= lengths[:, None]] = 0
    x = np.minimum(x, 1) if unknown else x
    y = r.permutation(y) if shuffled else y
    return x.astype("int32"), np.eye(3)[y]


def votes(length: int) -> Data:
    """Three votes at the start of a noisy sequence: what did most of them say?"""
    r = rng()
    said, x = r.choice([-1, 1], (700, 3)), r.normal(0, 0.2, (700, length, 2))
    x[:, :3, 0] += said
    x[:, :3, 1] += 1
    return x.astype("float32"), (said.sum(1) > 0)[:, None].astype(float)


def molecules() -> Data:
    """Ten atoms of four kinds and who is bound to whom: bonds between the kinds 0 and 1.

    Of an atom, its kind (4 columns) and its bonds (10); every seventh or so has none.
    """
    r = rng()
    kind = np.eye(4)[r.integers(0, 4, (1000, 10))]
    bonds = np.triu(r.random((1000, 10, 10)) < 0.22, 1)
    bonds = (bonds | bonds.transpose(0, 2, 1)).astype(float)
    y = np.einsum("ni,nij,nj->n", kind[:, :, 0], bonds, kind[:, :, 1])
    return np.concatenate([kind, bonds], 2).astype("float32"), standard(y)[:, None]


def games() -> tuple[tuple[np.ndarray, np.ndarray], np.ndarray]:
    """(Player, player) -> whether the first one wins; most of the 250 play rarely."""
    r = rng()
    a, b = (np.minimum(r.zipf(1.3, 2200), 250) - 1 for _ in range(2))
    shift = r.integers(0, 250, 2200) * (r.random(2200) < 0.5)
    a, skill = (a + shift) % 250, r.normal(0, 1.5, 250)
    y = r.random(2200) < 1 / (1 + np.exp(2 * (skill[b] - skill[a])))
    return (a.astype("int32"), b.astype("int32")), y[:, None].astype(float)


DATA: dict[str, Callable[[], Any]] = {
    "petals": petals,
    "stars": stars,
    "stars-raw": lambda: stars(raw=True),
    "stars-smooth": lambda: stars(smooth=0.2),
    "crops": crops,
    "crops-rawx": lambda: crops(raw_x=True),
    "crops-rawy": lambda: crops(raw_y=True),
    "crops-unit": lambda: crops(unit=True),
    "crops-log": lambda: crops(log=True),
    "throws": throws,
    "throws-metres": lambda: throws(scale=1.0),
    "throws-parsecs": lambda: throws(scale=1e-5),
    "chords": chords,
    "chords-spikes": lambda: chords(spikes=1.0),
    "weaves": weaves,
    "weaves-65535": lambda: weaves(scale=65535.0),
    "weaves-255": lambda: weaves(scale=255.0),
    "weaves-twice": lambda: weaves(scale=1 / 255**2),
    "gait": gait,
    "gait-unsigned": lambda: gait(counts=True),
    "gait-lost": lambda: gait(lost=0.001),
    "gait-still": lambda: gait(still=True),
    "tide": tide,
    "tide-wild": lambda: tide(wild=True),
    "melody": melody,
    "melody-empty": lambda: melody(empty=0.03),
    "melody-unknown": lambda: melody(unknown=True),
    "melody-shuffled": lambda: melody(shuffled=True),
    "molecules": molecules,
}
