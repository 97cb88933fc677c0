"""Data of the ``Q-`` runs: all made here, other than the other parts' data."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.diagnosis.runs.unseen_data import Data, standard


def rng() -> np.random.Generator:
    return np.random.default_rng(4711)


def taijitu() -> Data:
    """Yin, yang and their eyes: three classes in the plane."""
    r = rng()
    x = r.uniform(-1, 1, (2600, 2))
    x = x[np.hypot(x[:, 0], x[:, 1]) < 1][:1100]
    upper, lower = (np.hypot(x[:, 0], x[:, 1] - s) for s in (0.5, -0.5))
    white = (x[:, 0] > 0) & (lower > 0.5) | (upper < 0.5)
    y = np.where((upper < 0.22) | (lower < 0.22), 2, white)
    return (2 * x).astype("float32"), np.eye(3)[y]


def liver(
    *,
    raw: bool = False,
    flips: float = 0.0,
    rare: bool = False,
    sentinel: float = 0.0,
    level: bool = False,
    ratio: bool = False,
) -> Data:
    """Ill or not, by eight laboratory values from 0.1 to some thousands.

    ``sentinel``: share of values given as -99999, after scaling; ``level``: a ninth column that is
    constant, standardised as well; ``ratio``: a ninth column of quotients by a count of 0.
    """
    r = rng()
    z = r.normal(0, 1, (1200, 8))
    z[:, 1] += 0.6 * z[:, 0]
    score = 2.2 * z[:, 0] - 1.8 * z[:, 2] + 1.6 * z[:, 3] * z[:, 4] + z[:, 5] - (4.5 if rare else 0)
    y = (score + r.normal(0, 0.4, 1200) > 0) ^ (r.random(1200) < flips)
    x = z
    if raw:
        middle = np.array([0.8, 35, 45, 210, 140, 4.1, 900, 55])
        x = middle * np.exp(np.array([0.7, 0.8, 0.7, 0.3, 0.1, 0.2, 0.9, 0.3]) * z)
    x = np.where(r.random(x.shape) < sentinel, -99999.0, x)
    with np.errstate(all="ignore"):
        if level:
            x = np.concatenate([x, standard(np.full((1200, 1), 7.0))], 1)
        if ratio:
            x = np.concatenate([x, (x[:, :1] ** 2 + 1) / r.poisson(5, (1200, 1))], 1)
    return x.astype("float32"), y[:, None].astype(float)


def solar(*, raw_x: bool = False, raw_y: bool = False, factor: float = 1.0) -> Data:
    """Watts of a roof by hour, day, cloud, tilt, azimuth and warmth."""
    r = rng()
    low, high = np.array([5, 0, 0, 0, 90, -10]), np.array([21, 365, 100, 60, 270, 35])
    u = r.random((1200, 6))
    x = low + (high - low) * u
    sun = np.maximum(np.sin(np.pi * u[:, 0]) * (0.65 - 0.35 * np.cos(2 * np.pi * u[:, 1])), 0)
    y = 9000 * sun * (1 - 0.75 * u[:, 2] ** 2) * (0.8 + 0.2 * np.sin(3 * u[:, 3]))
    y *= 1 - 0.1 * np.abs(u[:, 4] - 0.5) - 0.1 * u[:, 5]
    y = np.maximum(y + r.normal(0, 120, 1200), 0)[:, None]
    y = y if raw_y else standard(y)
    return (x if raw_x else standard(u)).astype("float32"), y * factor


def drizzle() -> Data:
    """Rain of a day: none in most, whatever the weather, else as much as the weather tells."""
    r = rng()
    x = r.normal(0, 1, (1200, 5))
    y = np.exp(0.8 * x[:, 0] - 0.5 * x[:, 1] + 0.4 * x[:, 2] * x[:, 3])
    return x.astype("float32"), (y * (r.random(1200) < 0.3))[:, None]


def wines(*, age: bool = False) -> Data:
    """Ten measurements of wines; ``age``: target is the year of harvest, as it is."""
    r = rng()
    x = r.normal(0, 1, (1000, 10))
    y = x @ r.normal(0, 1, 10) / 3 + 0.5 * np.tanh(x[:, 0] * x[:, 1])
    y = standard(y + r.normal(0, 0.1, 1000))
    return x.astype("float32"), (np.round(2005 + 6 * y) if age else y)[:, None]


def exact() -> Data:
    """A plane without any noise."""
    x = rng().normal(0, 1, (900, 6))
    return x.astype("float32"), (x.astype("float32") @ np.array([1, -2, 0.5, 0, 3, 1]))[:, None]


def clocks(*, scale: float = 1.0, shift: float = 0.0) -> Data:
    """Dials of 12 x 12 pixels: in which sixth is the hand?"""
    r = rng()
    y = r.integers(0, 6, 800)
    x = r.uniform(0, 0.3, (800, 12, 12, 1))
    angle = (y + r.uniform(0.1, 0.9, 800)) * np.pi / 3
    for away in np.arange(0.5, 5.5, 0.5):
        a, b = (np.round(5.5 + away * f(angle)).astype(int) for f in (np.sin, np.cos))
        x[np.arange(800), a, b, 0] = r.uniform(0.7, 1.0, 800)
    return ((x + shift) * scale).astype("float32"), np.eye(6)[y]


def firefly() -> Data:
    """A spot on 10 x 10 pixels, and where it is."""
    r = rng()
    place = r.uniform(1, 8, (800, 2))
    a, b = np.mgrid[:10, :10]
    far = (a - place[:, :1, None]) ** 2 + (b - place[:, 1:, None]) ** 2
    x = np.exp(-far / 2) + r.normal(0, 0.05, far.shape)
    return x[..., None].astype("float32"), standard(place)


def bearing(*, scale: float = 1.0, muted: bool = False) -> Data:
    """64 samples of a machine: whole, or knocking at one of three periods.

    ``muted``: what is below 0.2 is cut to 0.
    """
    r = rng()
    y, t = r.integers(0, 4, 900), np.arange(64)
    period, phase = np.array([99, 5, 8, 13])[y][:, None], r.integers(0, 13, (900, 1))
    knock = ((t + phase) % period == 0) & (y > 0)[:, None]
    x = 1.5 * knock + 0.3 * np.sin(0.4 * t + phase) + r.normal(0, 0.15, (900, 64))
    x = np.where(np.abs(x) < 0.2, 0, x) if muted else x
    return (x * scale)[:, :, None].astype("float32"), np.eye(4)[y]


def tongues(*, pad: int = 0, scaled: bool = False) -> Data:
    """28 letters in one of four languages, each a Markov chain; ``pad`` zeros are added behind.

    ``scaled``: divided by the size of the alphabet before they are looked up.
    """
    r = rng()
    chains = r.dirichlet(np.full(26, 0.15), (4, 26)).cumsum(-1)
    y, letter, text = r.integers(0, 4, 1000), r.integers(0, 26, 1000), []
    for _ in range(28):
        after = chains[y, letter]
        letter = np.minimum((r.random((1000, 1)) > after).sum(1), 25)
        text.append(letter + 1)
    x = np.pad(np.stack(text, 1), ((0, 0), (0, pad)))
    return (x / 27 if scaled else x).astype("int32"), np.eye(4)[y]


def parcel(length: int, *, late: bool = False) -> Data:
    """Noise, and a number handed over at the start (``late``: at the end): what was it?"""
    r = rng()
    x, y = r.normal(0, 0.3, (700, length, 2)), r.normal(0, 1, (700, 1))
    at = length - 2 if late else 1
    x[:, at] = np.concatenate([y, np.full_like(y, 2.0)], 1)
    return x.astype("float32"), y


def lorenz(*, raw: bool = False) -> Data:
    """Fourteen states of Lorenz' weather, and the one that comes 5 steps later."""
    state, path = np.array([1.0, 1.0, 20.0]), []
    for _ in range(6000):
        a, b, c = state
        state = state + 0.01 * np.array([10 * (b - a), a * (28 - c) - b, a * b - 8 * c / 3])
        path.append(state)
    series = np.array(path)[500::5]
    series = series if raw else standard(series)
    n = len(series) - 19
    return np.stack([series[i : i + 14] for i in range(n)]).astype("float32"), series[18 : 18 + n]


def plant(*, scale: float = 1.0) -> Data:
    """24 sensors that tell of four states of a plant, for autoencoders."""
    r = rng()
    z = r.normal(0, 1, (1100, 4))
    x = np.tanh(z @ r.normal(0, 0.7, (4, 24))) + 0.4 * z @ r.normal(0, 0.7, (4, 24))
    x = scale * standard(x + r.normal(0, 0.1, x.shape)).astype("float32")
    return x, x.astype(float)


def lockers() -> Data:
    """Five (locker, colour) in any order, then a locker: which colour has it?  As one-hots of 9."""
    r = rng()
    order = np.argsort(r.random((1600, 5)), 1)
    colour, asked = r.integers(0, 4, (1600, 5)), r.integers(0, 5, 1600)
    x = np.zeros((1600, 6, 9), "float32")
    rows = np.arange(1600)
    for i in range(5):
        x[rows, i, order[:, i]] = 1
        x[rows, i, 5 + colour[:, i]] = 1
    x[rows, 5, asked] = 1
    return x, np.eye(4)[colour[order == asked[:, None]]]


def guests() -> tuple[tuple[np.ndarray, np.ndarray], np.ndarray]:
    """(Guest of 1500, most of whom come once; dish of 6 features) -> liked or not."""
    r = rng()
    who = np.where(r.random(2000) < 0.6, r.integers(0, 25, 2000), r.integers(25, 1500, 2000))
    dish, taste = r.normal(0, 1, (2000, 6)), r.normal(0, 1, (1500, 6))
    y = (taste[who] * dish).sum(1) + 1.5 * dish[:, 0] - dish[:, 1] > 0
    return (who.astype("int32"), dish.astype("float32")), y[:, None].astype(float)


def twins(*, same: float = 0.0) -> tuple[tuple[np.ndarray, np.ndarray], np.ndarray]:
    """Two faces of 16 numbers: of one person?  ``same``: share of pairs with itself."""
    r = rng()
    people = r.normal(0, 1, (12, 16))
    a, other, y = r.integers(0, 12, 1200), r.integers(1, 12, 1200), r.random(1200) < 0.5
    b = np.where(y, a, (a + other) % 12)
    x = [people[who] + r.normal(0, 0.4, (1200, 16)) for who in (a, b)]
    itself = y & (r.random(1200) < same)
    x[1][itself] = x[0][itself]
    return (x[0].astype("float32"), x[1].astype("float32")), y[:, None].astype(float)


def doses() -> Data:
    """Logged decisions: targets are the reward of a dose out of three, at the dose that was given.

    Times 3, since doses were given at random.
    """
    r = rng()
    x = r.normal(0, 1, (1200, 5))
    best = np.argmax([x[:, 0] + x[:, 1], -x[:, 0] * x[:, 2], x[:, 3]], 0)
    given = r.integers(0, 3, 1200)
    return x.astype("float32"), 3 * np.eye(3)[given] * (best == given)[:, None]


def shuffled(data: Data) -> Data:
    """Rows of targets that are not those of the inputs."""
    return data[0], rng().permutation(data[1])


DATA: dict[str, Callable[[], Any]] = {
    "taijitu": taijitu,
    "liver": liver,
    "liver-raw": lambda: liver(raw=True),
    "solar": solar,
    "solar-rawx": lambda: solar(raw_x=True),
    "solar-watts": lambda: solar(raw_y=True),
    "drizzle": drizzle,
    "wines": wines,
    "clocks": clocks,
    "clocks-255": lambda: clocks(scale=255.0),
    "firefly": firefly,
    "bearing": bearing,
    "tongues": tongues,
    "lorenz": lorenz,
    "lorenz-raw": lambda: lorenz(raw=True),
    "plant": plant,
    "lockers": lockers,
}
