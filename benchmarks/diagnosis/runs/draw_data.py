"""Data of the ``D-`` runs: all made here, other than the other parts' data."""

from __future__ import annotations

from typing import Any

import numpy as np

Data = tuple[Any, np.ndarray]


def rng(salt: int = 0) -> np.random.Generator:
    return np.random.default_rng([90417, salt])


def scaled(y: np.ndarray) -> np.ndarray:
    """Mean 0 and deviation 1 over the rows."""
    return (y - y.mean(0)) / y.std(0)


def onehot(y: np.ndarray, classes: int) -> np.ndarray:
    return np.eye(classes)[y]


def tea(*, raw_x: bool = False, raw_y: bool = False, empty: float = 0.0) -> Data:
    """Taste of a cup by heat, minutes, grams, age, hardness and height of the garden.

    ``raw_x``: in their units; ``raw_y``: points from about 100 to 900; ``empty``: share of rows of
    zeros.
    """
    r = rng(1)
    z = r.normal(0, 1, (1300, 6))
    y = np.cos(1.2 * z[:, 0]) + 0.8 * z[:, 1] * z[:, 2] + np.abs(z[:, 3]) - 0.5 * z[:, 4]
    y = scaled(y + 0.4 * z[:, 5] * (z[:, 0] > 0) + r.normal(0, 0.1, 1300))
    unit = np.array([15, 90, 2, 400, 60, 700.0])
    x = np.array([80, 240, 8, 900, 150, 1500.0]) + unit * z if raw_x else z
    x[r.random(1300) < empty] = 0
    return x.astype("float32"), (500 + 130 * y if raw_y else y)[:, None]


def bees(
    *, raw: bool = False, gaps: float = 0.0, swapped: bool = False, number: bool = False
) -> Data:
    """Which of four meadows does a dance mean, by angle, waggles, loudness, sun and wind?

    ``raw``: in their units; ``gaps``: share of missing values; ``swapped``: meadows of other rows;
    ``number``: the meadow as 0 to 3.
    """
    r = rng(2)
    z = r.normal(0, 1, (1400, 8))
    side = z[:, 0] + 0.5 * z[:, 2] * z[:, 3] > 0
    far = z[:, 1] ** 2 + 0.4 * z[:, 4] > 0.6 + 0.3 * np.sin(2 * z[:, 5])
    y = 2 * side + far
    x = 3000 + 900 * z if raw else z
    x[r.random(x.shape) < gaps] = np.nan
    y = r.permutation(y) if swapped else y
    return x.astype("float32"), y[:, None].astype(float) if number else onehot(y, 4)


def fungi(*, raw: bool = False) -> Data:
    """May one eat it?  Three traits as columns of 0 and 1, and four measures above 0."""
    r = rng(3)
    cap, gill, smell = r.integers(0, 5, 1200), r.integers(0, 4, 1200), r.integers(0, 3, 1200)
    size = r.gamma(3, 0.5, (1200, 4))
    score = 1.2 * (cap % 2) - (gill > 1) * (smell == 0) + 0.8 * (size[:, 0] > size[:, 1])
    y = score - 0.4 * size[:, 2] + 0.15 * size[:, 3] + r.normal(0, 0.1, 1200) > 0.3
    size = 1000 * size if raw else size
    x = np.concatenate([onehot(cap, 5), onehot(gill, 4), onehot(smell, 3), size], 1)
    return x.astype("float32"), y[:, None].astype(float)


def knots(scale: float = 1.0, blank: float = 0.0) -> Data:
    """12 x 12 pixels with a rope: flat, upright, slanted, or crossed; share ``blank`` is empty."""
    r = rng(4)
    y, (a, b) = r.integers(0, 4, 900), np.mgrid[:12, :12]
    at = r.uniform(3, 8, (2, 900, 1, 1))
    line = lambda d: np.exp(-((d / 0.9) ** 2))
    flat, upright = line(a - at[0]), line(b - at[1])
    slanted = line((a - at[0] + b - at[1]) / 1.4)
    x = np.stack([flat + 0 * b, upright + 0 * a, slanted, np.maximum(flat, upright)], 1)
    x = np.clip(x[np.arange(900), y] + r.normal(0.1, 0.1, (900, 12, 12)), 0, 1)
    x[r.random(900) < blank] = 0
    return (scale * x[..., None]).astype("float32"), onehot(y, 4)


def snow(*, raw: bool = False) -> Data:
    """How much snow lies on 8 x 8 pixels of two channels, of which one is fog?

    ``raw``: in grams, else standardised.
    """
    r = rng(5)
    share = r.uniform(0.05, 0.6, (900, 1, 1))
    flakes = (r.random((900, 8, 8)) < share).astype(float)
    fog = r.uniform(0, 0.5, (900, 1, 1)) + r.normal(0, 0.1, (900, 8, 8))
    y = flakes.sum((1, 2))
    x = np.stack([flakes + 0.5 * fog, fog], 3)
    return x.astype("float32"), (40 * y if raw else scaled(y))[:, None]


def melt() -> Data:
    """``snow``'s pictures, and where there are flakes: one pixel in seven, as 64 columns."""
    r = rng(6)
    flakes = (r.random((700, 8, 8)) < 0.14).astype(float)
    fog = r.normal(0.3, 0.25, (700, 8, 8))
    x = np.stack([0.9 * flakes + fog, fog + r.normal(0, 0.1, fog.shape)], 3)
    return x.astype("float32"), flakes.reshape(700, 64)


def beacon(length: int, where: str = "first") -> Data:
    """Three colours of a light that shines twice, then waves: which colour was it?

    ``where``: it shines ``"first"``, in the ``"middle"`` or ``"last"``.
    """
    r = rng(7)
    y, x = r.integers(0, 3, 800), r.normal(0, 0.3, (800, length, 3))
    start = {"first": 0, "middle": length // 2 - 1, "last": length - 2}[where]
    x[np.arange(800), start, y] += 1.6
    x[np.arange(800), start + 1, y] += 1.6
    return x.astype("float32"), onehot(y, 3)


def recall(length: int) -> Data:
    """A number between -1 and 1 at the first step, then noise: what was it?"""
    r = rng(8)
    x = r.normal(0, 0.2, (800, length, 2))
    y = r.uniform(-1, 1, 800)
    x[:, 0, 0] = 1.5 * y
    x[:, 1:, 1] += 0.1
    return x.astype("float32"), scaled(y)[:, None]


def tally(length: int, *, raw: bool = False, gaps: float = 0.0) -> Data:
    """Did more people enter or leave a room?  Two counters, of which every step tells a little."""
    r = rng(9)
    more = r.integers(0, 2, 900)
    rate = np.stack([0.9 + 0.5 * more, 1.4 - 0.5 * more], 1)[:, None]
    x = r.poisson(rate, (900, length, 2)).astype(float)
    y = x[..., 0].sum(1) > x[..., 1].sum(1)
    x = 500 * x if raw else (x - 1.1) / 1.1
    x[r.random(x.shape) < gaps] = np.nan
    return x.astype("float32"), y[:, None].astype(float)


def meter(length: int = 24, *, raw: bool = False) -> Data:
    """Next hour of a meter that swings, from the hours before."""
    r = rng(10)
    phase, speed = r.uniform(0, 6.3, (2, 900, 1)) * np.array([1, 0.03])[:, None, None]
    t = np.arange(length + 1)
    wave = np.sin(phase + (0.35 + speed) * t) + 0.4 * np.sin(2.1 * phase + 0.9 * t)
    wave = wave + r.normal(0, 0.08, wave.shape)
    wave = 4000 + 1500 * wave if raw else wave
    return wave[:, :-1, None].astype("float32"), wave[:, -1:]


def rhymes(pad: int = 0, *, unknown: bool = False) -> Data:
    """12 of 59 syllables of four songs, ``pad`` zeros behind: which song?

    ``unknown``: every syllable is replaced by the one for unknown ones.
    """
    r = rng(11)
    y = r.integers(0, 4, 1000)
    own = 1 + (4 * r.integers(0, 14, (1000, 12)) + y[:, None])
    x = np.where(r.random((1000, 12)) < 0.4, own, r.integers(1, 60, (1000, 12)))
    x = 0 * x + 1 if unknown else x
    return np.pad(x, ((0, 0), (0, pad))).astype("int32"), onehot(y, 4)


def order() -> Data:
    """10 of 20 letters: does the only A stand before the only B?"""
    r = rng(12)
    x = r.integers(2, 20, (1000, 10))
    places = np.argsort(r.random((1000, 10)), axis=1)[:, :2]
    rows = np.arange(1000)
    x[rows, places[:, 0]], x[rows, places[:, 1]] = 0, 1
    return x.astype("int32"), (places[:, 0] < places[:, 1])[:, None].astype(float)


def shake(scale: float = 1.0) -> Data:
    """72 samples of two sensors on a bridge: wind, lorry or footsteps."""
    r = rng(13)
    y, t = r.integers(0, 3, 900), np.arange(72)
    phase, at = r.uniform(0, 6.3, (900, 1)), r.uniform(15, 55, (900, 1))
    wind = np.sin(0.25 * t + phase)
    lorry = 1.5 * np.exp(-(((t - at) / 9) ** 2)) * np.sin(0.9 * t + phase)
    steps = (np.sin(0.7 * t + phase) > 0.8) * 1.2
    x = np.stack([wind, lorry, steps], 1)[np.arange(900), y]
    x = np.stack([x, np.roll(x, 3, 1)], 2) + r.normal(0, 0.25, (900, 72, 2))
    return (scale * x).astype("float32"), onehot(y, 3)


def tags(rare: float = 0.0) -> Data:
    """Five tags of a photograph that may hold at once, by ten numbers; higher is rarer."""
    r = rng(14)
    x = r.normal(0, 1, (1300, 10))
    z = x @ r.normal(0, 0.5, (10, 5)) + 0.8 * np.abs(x[:, :5]) - 0.6
    return x.astype("float32"), (z > rare).astype(float)


def hives(total: bool = False) -> Data:
    """((10 hives, 4 traits), who is whose neighbour) -> how ill the yard gets.

    Rows of the second are shares, or, if ``total``, ones.
    """
    r = rng(15)
    x = r.normal(0, 1, (800, 10, 4))
    near = np.triu(r.random((800, 10, 10)) < 0.3, 1)
    near = near + near.transpose(0, 2, 1) + np.eye(10)
    share = near / near.sum(2, keepdims=True)
    around = np.einsum("nij,njk->nik", share, x)
    y = np.maximum(around[..., 0], 0).mean(1) + 0.8 * (x[..., 1] * around[..., 2]).mean(1)
    pair = x.astype("float32"), (near if total else share).astype("float32")
    return pair, scaled(y + 0.02 * r.normal(0, 1, 800))[:, None]


def stalls(*, endless: float = 0.0, number: bool = False) -> Data:
    """(One of 60 goods, one of 12 stalls, three numbers) -> price.

    ``endless``: share of rows whose last number was divided by 0; ``number``: one table, with the
    good's number from 500000 on as a column.
    """
    r = rng(16)
    good, stall, x = r.integers(0, 60, 1500), r.integers(0, 12, 1500), r.normal(0, 1, (1500, 3))
    y = r.normal(0, 1, 60)[good] * (1 + 0.3 * r.normal(0, 1, 12)[stall])
    y = scaled(y + 0.7 * np.tanh(2 * x[:, 0]) + 0.4 * x[:, 1] * x[:, 2])[:, None]
    x[r.random(1500) < endless, 2] = np.inf
    if number:
        wide = np.concatenate([500000.0 + 900 * good[:, None], stall[:, None], x], 1)
        return wide.astype("float32"), y
    return (good.astype("int32"), stall.astype("int32"), x.astype("float32")), y


def gusts() -> Data:
    """Heavy-tailed wind by five numbers: a few targets are far off."""
    r = rng(17)
    x = r.normal(0, 1, (1400, 5))
    y = 1.5 * np.sin(x[:, 0]) + x[:, 1] * (x[:, 2] > 0) + 0.25 * r.standard_t(1.7, 1400)
    return x.astype("float32"), y[:, None]


def rewards() -> Data:
    """Return of an action by state: three quarters of it is noise."""
    r = rng(18)
    x = r.normal(0, 1, (2000, 6))
    signal = scaled(np.tanh(x[:, 0] + x[:, 1]) + 0.5 * x[:, 2])
    return x.astype("float32"), (0.58 * signal + 0.81 * r.normal(0, 1, 2000))[:, None]


def ropes(*, lost: float = 0.0, lift: float = 0.0) -> Data:
    """32 heights of a swinging rope, to be given back; ``lost``: share of missing targets."""
    r = rng(19)
    t, (a, b, c) = np.linspace(0, 3.1, 32), r.normal(0, 1, (3, 1000, 1))
    x = a * np.sin(t) + 0.7 * b * np.sin(2 * t) + 0.5 * c * np.sin(3 * t)
    x = x + r.normal(0, 0.05, x.shape) + lift
    y = x.copy()
    y[r.random(y.shape) < lost] = np.nan
    return x.astype("float32"), y


def ferns() -> Data:
    """Spores caught in an hour, by four numbers: counts, many of them 0."""
    r = rng(20)
    x = r.normal(0, 1, (1300, 4))
    y = r.poisson(np.exp(0.4 + 0.9 * x[:, 0] - 0.6 * np.abs(x[:, 1])))
    return x.astype("float32"), y[:, None].astype(float)


def basket() -> Data:
    """Which 6 of 300 goods were bought, as 0 and 1: was it a feast?"""
    r = rng(21)
    x, worth = np.zeros((1200, 300)), r.normal(0, 1, 300)
    picked = np.argsort(r.random((1200, 300)), axis=1)[:, :6]
    np.put_along_axis(x, picked, 1, axis=1)
    return x.astype("float32"), (x @ worth > 0)[:, None].astype(float)


def mills() -> Data:
    """Rows of two mills, shifted against each other: (is the flour fine, which mill)."""
    r = rng(22)
    z, mill = r.normal(0, 1, (1200, 6)), r.integers(0, 2, 1200)
    fine = z[:, 0] + z[:, 1] * z[:, 2] > 0
    z[:, 3:] += 0.6 * mill[:, None]
    return z.astype("float32"), np.stack([fine, mill], 1).astype(float)
