"""Data of the ``B-`` runs: all made here, other than the other parts' data."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.diagnosis.runs.unseen_data import Data, standard

Pair = tuple[tuple[np.ndarray, np.ndarray], np.ndarray]


def rng() -> np.random.Generator:
    return np.random.default_rng(70623)


def bread(
    *, raw_x: bool = False, raw_y: bool = False, stamp: bool = False, burnt: float = 0.0
) -> Data:
    """Volume of a loaf, in millilitres if raw, by flour, water, yeast, heat and minutes.

    ``stamp``: the last column is seconds since 1970; ``burnt``: share of loaves without volume.
    """
    r = rng()
    z = r.normal(0, 1, (1200, 5))
    y = np.sin(1.3 * z[:, 0]) + 0.7 * z[:, 1] * z[:, 2] + 0.6 * np.maximum(z[:, 3], 0)
    y = standard(y - 0.4 * z[:, 4] ** 2 + r.normal(0, 0.1, 1200))
    y = 900 + 140 * y if raw_y else y
    y[r.random(1200) < burnt] = 0
    x = np.array([5e3, 3500, 20, 220, 40]) + np.array([900, 700, 6, 15, 8]) * z if raw_x else z
    x[:, 4] = 1.6e9 + 1e7 * z[:, 4] if stamp else x[:, 4]
    return x.astype("float32"), y[:, None]


def stones(*, gaps: float = 0.0, mixed: bool = False, number: bool = False) -> Data:
    """Six kinds of stone by ten measures, told by a small random network.

    ``gaps``: share of values that are missing; ``mixed``: labels of other rows; ``number``: the
    kind as 0 to 5.
    """
    r = rng()
    x = r.normal(0, 1, (1400, 10))
    y = standard(np.tanh(x @ r.normal(0, 0.5, (10, 12))) @ r.normal(0, 1, (12, 6))).argmax(1)
    x[r.random(x.shape) < gaps] = np.nan
    y = r.permutation(y) if mixed else y
    return x.astype("float32"), y[:, None].astype(float) if number else np.eye(6)[y]


def goals(*, raw: bool = False, far: float = 1.4) -> Data:
    """Does a shot miss, by metres to the left, metres away, speed and spin?"""
    r = rng()
    z = r.normal(0, 1, (1200, 4))
    y = z[:, 0] ** 2 + z[:, 1] ** 2 + 0.8 * np.sin(2 * z[:, 2]) * z[:, 3] > far
    x = np.array([0, 1600, 90, 300]) + np.array([700, 600, 20, 250]) * z if raw else z
    return x.astype("float32"), y[:, None].astype(float)


def tiles(*, scale: float = 1.0, blank: float = 0.0) -> Data:
    """Tiles of 10 x 10 pixels: squares, stripes, rings, a slope; share ``blank`` is all alike."""
    r = rng()
    y, (a, b) = r.integers(0, 4, 800), np.mgrid[:10, :10]
    shift, middle = r.integers(0, 4, (2, 800, 1, 1)), r.uniform(3, 6, (2, 800, 1, 1))
    squares = ((a + shift[0]) // 2 + (b + shift[1]) // 2) % 2
    stripes = (a + shift[0]) // 2 % 2 + 0 * b
    rings = np.sin(1.5 * np.hypot(a - middle[0], b - middle[1])) > 0
    slope = (a * shift[0] + b * shift[1]) / 54
    x = np.stack([np.broadcast_to(p, (800, 10, 10)) for p in (squares, stripes, rings, slope)], 1)
    x = np.clip(0.7 * x[np.arange(800), y] + r.normal(0.15, 0.12, (800, 10, 10)), 0, 1)
    x[r.random(800) < blank] = 0.5
    return (scale * x[..., None]).astype("float32"), np.eye(4)[y]


def bats(scale: float = 1.0) -> Data:
    """60 samples with one call of a bat: short, long or double."""
    r = rng()
    y, away = r.integers(0, 3, 900), np.arange(60) - r.uniform(12, 48, (900, 1))
    bump = lambda at, width: np.exp(-(((away - at) / width) ** 2))
    calls = np.stack([1.3 * bump(0, 1.2), bump(0, 5), bump(-4, 1.2) + bump(4, 1.2)], 1)
    x = calls[np.arange(900), y] + r.normal(0, 0.12, (900, 60))
    return (scale * x[:, :, None]).astype("float32"), np.eye(3)[y]


def notes(pad: int = 0, *, lost: bool = False) -> Data:
    """12 of 39 words of three subjects, ``pad`` zeros behind: which subject has most of them?

    ``lost``: the words are cut off, and only zeros are left.
    """
    r = rng()
    y = r.integers(0, 3, 1000)
    own = 13 * y[:, None] + r.integers(1, 14, (1000, 12))
    x = np.where(r.random((1000, 12)) < 0.35, own, r.integers(1, 40, (1000, 12)))
    x = 0 * x if lost else x
    return np.pad(x, ((0, 0), (0, pad))).astype("int32"), np.eye(3)[y]


def spark(length: int) -> Data:
    """Two lamps flash at the first step, each red or green, and then flicker: four classes."""
    r = rng()
    y = r.integers(0, 4, 800)
    x = r.normal(0, 0.25, (800, length, 2))
    x[:, 0] += 1.5 * np.stack([y // 2, y % 2], 1) * 2 - 1.5
    return x.astype("float32"), np.eye(4)[y]


def drug(length: int = 20, *, raw: bool = False) -> Data:
    """What is left of a drug, milligrams if raw, by doses and by how fast it is cleared."""
    r = rng()
    doses = r.gamma(2, 0.5, (1000, length)) * (r.random((1000, length)) < 0.4)
    x, left = np.stack([doses, r.random((1000, length))], 2), np.zeros(1000)
    for t in range(length):
        left = left * (0.9 - 0.5 * x[:, t, 1]) + doses[:, t]
    x = 80 * x if raw else standard(x)
    return x.astype("float32"), (80 * left if raw else standard(left))[:, None]


def rents() -> Pair:
    """(District of 40, four features of a flat) -> standardised rent."""
    r = rng()
    where, x = r.integers(0, 40, 1500), r.normal(0, 1, (1500, 4))
    level, slope = r.normal(0, 1, (2, 40))
    y = level[where] + (1 + 0.5 * slope[where]) * x[:, 0] + 0.5 * x[:, 1] * x[:, 2]
    return (where.astype("int32"), x.astype("float32")), standard(y)[:, None]


def postcodes() -> Data:
    """``rents`` with the district as a number of five digits, one column of five."""
    (where, x), y = rents()
    return np.concatenate([10000.0 + 2000 * where[:, None], x], 1).astype("float32"), y


def storeys() -> Data:
    """``rents`` without the district, and with the storey, 0 to 9, in front."""
    (_, x), y = rents()
    up = rng().integers(0, 10, (1500, 1))
    return np.concatenate([up, x], 1).astype("float32"), standard(y + 0.3 * up)


def clothes(*, same: float = 0.0) -> Pair:
    """Five measures of a body and of a coat -> how badly it fits; ``same``: share made to fit."""
    r = rng()
    body, coat = r.normal(0, 1, (2, 1200, 5))
    coat = np.where(r.random((1200, 1)) < same, body, coat)
    y = (abs(body - coat) * np.array([1.5, 1, 1, 0.5, 0.2])).sum(1)
    return (body.astype("float32"), coat.astype("float32")), standard(y)[:, None]


def petals(scale: float = 1.0) -> Data:
    """36 widths of a flower that four causes make, to be coded."""
    r = rng()
    z = r.normal(0, 1, (1000, 4))
    x = standard(np.sin(z @ r.normal(0, 0.6, (4, 36))) + z @ r.normal(0, 0.5, (4, 36)))
    x = (scale * (x + r.normal(0, 0.1, x.shape))).astype("float32")
    return x, x.astype(float)


def ferry(*, raw_x: bool = False, seconds: bool = False) -> Data:
    """Is a ferry full, and how late is it, by six features; scaled, or in seconds."""
    r = rng()
    z = r.normal(0, 1, (1200, 6))
    full = z[:, 0] * z[:, 1] + z[:, 2] > 0.2
    late = standard(np.maximum(z[:, 3], 0) + 0.6 * z[:, 4] * z[:, 5] + 0.5 * z[:, 0])
    late = 600 + 300 * late if seconds else late
    x = 2000 + np.array([900, 700, 800, 600, 900, 500]) * z if raw_x else z
    return x.astype("float32"), np.stack([full, late], 1).astype(float)


def roads(scale: float = 1.0) -> Data:
    """12 x 12 pixels of a bad picture, and whether each is on the road that crosses it."""
    r = rng()
    turn, off = r.uniform(0, np.pi, (800, 1, 1)), r.uniform(-3, 3, (800, 1, 1))
    a, b = np.mgrid[:12, :12] - 5.5
    on = abs(a * np.cos(turn) + b * np.sin(turn) - off) < 1.2
    x = scale * (on + r.normal(0, 0.5, on.shape))[..., None]
    return x.astype("float32"), on.reshape(800, 144).astype(float)


def census() -> Data:
    """Eight of four letters: how many of the others are like the first, up to four?"""
    x = rng().integers(0, 4, (1500, 8))
    return x.astype("int32"), np.eye(5)[np.minimum((x[:, 1:] == x[:, :1]).sum(1), 4)]


def mast() -> Data:
    """How many calls a mast takes in an hour, by hour, weather, day, and a match nearby."""
    r = rng()
    x = r.normal(0, 1, (1200, 4))
    y = r.poisson(np.exp(0.7 + 0.8 * np.sin(1.5 * x[:, 0]) + 0.6 * x[:, 1] * (x[:, 3] > 0)))
    return x.astype("float32"), y[:, None].astype(float)


def river() -> Data:
    """Flow of a river, which is the less certain the warmer the day."""
    r = rng()
    x = r.normal(0, 1, (1200, 4))
    y = np.sin(2 * x[:, 0]) + 0.7 * x[:, 1] + np.exp(0.8 * x[:, 2] - 1.2) * r.normal(0, 1, 1200)
    return x.astype("float32"), standard(y)[:, None]


def paints() -> Data:
    """Shares of three colours, of which some are 0, by five features."""
    r = rng()
    x = r.normal(0, 1, (1200, 5))
    z = 2.5 * np.stack([x[:, 0] * x[:, 1], np.sin(2 * x[:, 2]), x[:, 3] - 0.5 * x[:, 4]], 1)
    y = np.exp(z) / np.exp(z).sum(1, keepdims=True)
    y[y < 0.05] = 0
    return x.astype("float32"), y / y.sum(1, keepdims=True)


def moved(data: Any, by: float) -> Any:
    """Targets are larger by this."""
    x, y = data
    return x, y + by


def swapped(data: Any) -> Any:
    """Targets of other rows."""
    x, y = data
    return x, rng().permutation(y)


def alike(data: Any, value: float) -> Any:
    """All inputs are ``value``."""
    x, y = data
    return np.full_like(x, value), y
