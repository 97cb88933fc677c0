"""Data of the ``G-`` runs: all made here, other than the other parts' data."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.diagnosis.runs.unseen_data import Data, standard

Pair = tuple[tuple[np.ndarray, np.ndarray], np.ndarray]


def rng() -> np.random.Generator:
    return np.random.default_rng(40411)


def orchard(
    *, raw_x: bool = False, raw_y: bool = False, frost: float = 0.0, wild: float = 0.0
) -> Data:
    """What a tree bears, in kilograms if raw, by rain, sun, acidity, age and mites.

    ``frost``: share of trees that bear nothing; ``wild``: share of targets that are far off.
    """
    r = rng()
    z = r.normal(0, 1, (1200, 5))
    y = 1.2 * z[:, 0] - 0.6 * z[:, 0] ** 2 + z[:, 1] * np.tanh(z[:, 2])
    y = standard(y + 0.8 * np.sin(1.5 * z[:, 3]) - 0.5 * np.abs(z[:, 4]) + r.normal(0, 0.1, 1200))
    y[r.random(1200) < wild] += 12
    y = 120 + 35 * y if raw_y else y
    y[r.random(1200) < frost] = 0
    x = np.array([800, 1600, 6.2, 25, 300]) + np.array([150, 200, 0.5, 8, 80]) * z if raw_x else z
    return x.astype("float32"), y[:, None]


def moths(*, scale: float = 1.0, stuck: bool = False, mixed: bool = False) -> Data:
    """Five species by nine measures; each has a male and a female form.

    ``stuck``: a scale that always says 3, standardised too; ``mixed``: labels of other rows.
    """
    r = rng()
    middles, y = r.normal(0, 1.3, (5, 2, 9)), r.integers(0, 5, 1200)
    x = middles[y, r.integers(0, 2, 1200)] + r.normal(0, 0.5, (1200, 9))
    if stuck:
        x[:, 4] = 3
        with np.errstate(invalid="ignore"):
            x = standard(x)
    y = r.permutation(y) if mixed else y
    return (scale * x).astype("float32"), np.eye(5)[y]


def valve(*, raw: bool = False) -> Data:
    """Does a valve hold, by heat, pressure, wear and flow?"""
    r = rng()
    z = r.normal(0, 1, (1200, 4))
    y = np.sin(2 * z[:, 0]) + z[:, 1] * z[:, 2] - 0.7 * z[:, 3] ** 2 + 0.5 > 0
    x = np.array([350, 9e3, 40, 700]) + np.array([60, 2e3, 12, 150]) * z if raw else z
    return x.astype("float32"), y[:, None].astype(float)


def flags(*, whole: bool = False) -> Data:
    """Flags of 12 x 12 pixels in colours: three bands across or upright, a cross, two triangles.

    ``whole``: pixels divided by 255 as whole numbers.
    """
    r = rng()
    y, palette = r.integers(0, 4, 800), np.eye(3)[[0, 1, 2]] * 0.8 + 0.1
    a, b = np.mgrid[:12, :12]
    parts = np.stack(
        [a // 4, b // 4, ((abs(a - 5.5) < 2) | (abs(b - 5.5) < 2)).astype(int), (a > b).astype(int)]
    )
    colours = np.stack([palette[r.permutation(3)] for _ in y])
    x = np.stack([colours[i][parts[c]] for i, c in enumerate(y)])
    x = np.clip(x + r.normal(0, 0.1, x.shape), 0, 0.99)
    return (np.floor(x) if whole else x).astype("float32"), np.eye(4)[y]


def whale() -> Data:
    """64 samples of a song whose tone rises, falls, or stays."""
    r = rng()
    y, t = r.integers(0, 3, 900), np.linspace(0, 1, 64)
    slope = np.array([10.0, -10.0, 0.0])[y] + r.normal(0, 0.7, 900)
    turns = r.uniform(6.5, 7.5, 900)[:, None] * t + slope[:, None] * (t**2 - t) / 2
    x = np.sin(2 * np.pi * (turns + r.random((900, 1)))) + r.normal(0, 0.15, (900, 64))
    return x[:, :, None].astype("float32"), np.eye(3)[y]


def tale(*, unknown: bool = False, empty: float = 0.0) -> Data:
    """20 words out of 60, each merry or sad: does a tale end well?

    ``unknown``: a table of words that was never filled; ``empty``: share of tales without words.
    """
    r = rng()
    mood, x = r.normal(0, 1, 61), r.integers(1, 61, (1000, 20))
    y = mood[x].sum(1) > 0
    x = np.ones_like(x) if unknown else x
    x[:, 14:] *= r.random((1000, 6)) < 0.5
    x[r.random(1000) < empty] = 0
    return x.astype("int32"), y[:, None].astype(float)


def relay(length: int) -> Data:
    """One of three runners starts, and then comes noise: who was it?"""
    r = rng()
    y = r.integers(0, 3, 800)
    x = r.normal(0, 0.25, (800, length, 3))
    x[:, 0] += 1.5 * np.eye(3)[y]
    return x.astype("float32"), np.eye(3)[y]


def gauge(length: int = 24, *, raw: bool = False) -> Data:
    """Level of a tank that leaks, by what flows in and by an open tap; litres if raw."""
    r = rng()
    x = np.stack([r.gamma(2, 0.5, (1000, length)), r.integers(0, 2, (1000, length))], 2)
    level = np.zeros(1000)
    for t in range(length):
        level = 0.8 * level + x[:, t, 0] - 0.8 * x[:, t, 1]
    x = 100 * x if raw else standard(x)
    return x.astype("float32"), (100 * level if raw else standard(level))[:, None]


def recipe(*, unit: float = 1.0, none: float = 0.0) -> Pair:
    """(Six ingredients of 50, how much of each) -> standardised energy of the mixture.

    ``unit``: multiplies amounts; ``none``: share of recipes without amounts.
    """
    r = rng()
    energy, x = r.normal(0, 1, 50), r.integers(0, 50, (1500, 6))
    much = r.gamma(2, 0.5, (1500, 6))
    y = standard((energy[x] * much).sum(1) / much.sum(1))
    much[r.random(1500) < none] = 0
    return (x.astype("int32"), (unit * much).astype("float32")), y[:, None]


def colony() -> Pair:
    """(Four kinds of seven ants, who meets whom) -> number of meetings of workers and queens."""
    r = rng()
    kind = np.eye(4)[r.integers(0, 4, (1200, 7))]
    meets = np.triu(r.random((1200, 7, 7)) < 0.4, 1)
    meets = (meets | meets.transpose(0, 2, 1)).astype("float32")
    y = np.einsum("ni,nij,nj->n", kind[:, :, 0], meets, kind[:, :, 1] + kind[:, :, 2])
    return (kind.astype("float32"), meets), standard(y)[:, None]


def embers() -> Data:
    """Two glowing spots in 8 x 8 pixels, to be coded."""
    r = rng()
    at, (a, b) = r.uniform(1, 6, (800, 2, 2)), np.mgrid[:8, :8]
    away = (a - at[:, :, 0, None, None]) ** 2 + (b - at[:, :, 1, None, None]) ** 2
    x = np.exp(-away / 3).sum(1)
    return x[..., None].astype("float32"), x.reshape(800, 64)


def puddles(scale: float = 1.0) -> Data:
    """Heights of 10 x 10 places, measured badly: which are under water?"""
    r = rng()
    a, b = np.mgrid[:10, :10] / 10
    waves = r.normal(0, 1, (800, 3, 3, 1, 1))
    height = (waves[:, :, 0] * np.sin(5 * a) + waves[:, :, 1] * np.cos(4 * b)).sum(1) * 0.5
    height = height + waves[:, 0, 2] * np.sin(4 * (a + b))
    x = height + r.normal(0, 0.3, height.shape)
    return scale * x[..., None].astype("float32"), (height < -0.9).reshape(800, 100).astype(float)


def kiln() -> Data:
    """Glaze, one of three, and heat of a kiln, by ten measures."""
    r = rng()
    x = r.normal(0, 1, (1200, 10))
    heat = standard(x[:, 0] * x[:, 1] + x[:, 2] + 0.5 * np.sin(2 * x[:, 3]))
    glaze = np.stack([x[:, 4] + x[:, 0], 1.2 * x[:, 5], np.abs(x[:, 6]) - 0.5], 1).argmax(1)
    return x.astype("float32"), np.concatenate([np.eye(3)[glaze], heat[:, None]], 1)


def pendulum() -> Data:
    """(Angle, speed, length, friction) -> angle and speed a second later."""
    r = rng()
    x = r.normal(0, 1, (1200, 4))
    angle, speed = 1.2 * x[:, 0], x[:, 1].copy()
    for _ in range(50):
        pull = -2 * np.exp(-0.3 * x[:, 2]) * np.sin(angle) - 0.5 * np.exp(0.5 * x[:, 3]) * speed
        speed = speed + 0.02 * pull
        angle = angle + 0.02 * speed
    return x.astype("float32"), standard(np.stack([angle, speed], 1))


def lottery() -> Data:
    """Four numbers out of eight: the largest of them."""
    x = rng().integers(0, 8, (1200, 4))
    return x.astype("int32"), np.eye(8)[x.max(1)]


def lamps(*, hours: float = 1.0) -> Data:
    """How long a lamp burns, by volts, heat, cycles and make."""
    r = rng()
    x = r.normal(0, 1, (1200, 4))
    mean = np.exp(0.8 * x[:, 0] - 0.6 * x[:, 1] * x[:, 2] + 0.3 * x[:, 3] - 1)
    return x.astype("float32"), (hours * mean * r.gamma(6, 1 / 6, 1200))[:, None]


def compass() -> Data:
    """Direction, as a point on the circle, by six sensors around."""
    r = rng()
    angle = r.uniform(0, 2 * np.pi, 1000)
    x = np.maximum(np.cos(angle[:, None] - np.arange(6) * np.pi / 3), -0.3)
    x = x + r.normal(0, 0.02, x.shape)
    return x.astype("float32"), np.stack([np.cos(angle), np.sin(angle)], 1)


def gone(data: Any, value: float) -> Any:
    """All inputs are ``value``."""
    x, y = data
    return np.full_like(x, value), y
