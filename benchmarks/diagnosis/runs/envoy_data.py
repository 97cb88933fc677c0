"""Data of the ``E-`` runs: all made here, other than the other parts' data."""

from __future__ import annotations

from typing import Any

import numpy as np

Data = tuple[Any, np.ndarray]


def draws(salt: int) -> np.random.Generator:
    return np.random.default_rng([52361, salt])


def even(y: np.ndarray) -> np.ndarray:
    """Mean 0 and deviation 1 over the rows."""
    return (y - y.mean(0)) / y.std(0)


def hot(y: np.ndarray, classes: int) -> np.ndarray:
    return np.eye(classes)[y]


def cheese(*, raw_x: bool = False, raw_y: bool = False, hollow: float = 0.0) -> Data:
    """Price of a cheese by fat, months, salt, weight, height of the meadow, milk and moisture.

    ``raw_x``: in their units; ``raw_y``: cents, about 1000 to 5000; ``hollow``: share of rows of
    zeros.
    """
    r = draws(127)
    z = r.uniform(-1.7, 1.7, (1200, 7))
    y = 1.3 * z[:, 0] - np.maximum(z[:, 1], 0) * z[:, 2] + np.tanh(2 * z[:, 3])
    y = even(y + 0.6 * z[:, 4] ** 2 + r.normal(0, 0.15, 1200))
    unit = np.array([12, 8, 1, 2500, 500, 3000, 9.0])
    x = np.array([40, 14, 2, 6000, 1100, 9000, 40.0]) + unit * z if raw_x else z
    x[r.random(1200) < hollow] = 0
    return x.astype("float32"), (3000 + 700 * y if raw_y else y)[:, None]


def soil(
    *, raw: bool = False, gaps: float = 0.0, mixed: bool = False, number: bool = False
) -> Data:
    """Which of five crops fits a field, by nine measures around five centres that are bent.

    ``raw``: in their units; ``gaps``: share of missing values; ``mixed``: crops of other rows;
    ``number``: the crop as 0 to 4.
    """
    r = draws(2)
    y = r.integers(0, 5, 1300)
    z = r.normal(0, 1.5, (5, 9))[y] + r.normal(0, 1, (1300, 9))
    z[:, :3] = z[:, :3] + 0.4 * z[:, 3:6] ** 2 - 0.8
    x = 5000 + 1500 * z if raw else z / 1.8
    x[r.random(x.shape) < gaps] = np.nan
    y = r.permutation(y) if mixed else y
    return x.astype("float32"), y[:, None].astype(float) if number else hot(y, 5)


def tram(*, raw: bool = False) -> Data:
    """Is the tram late?  Line and hour as columns of 0 and 1, beside skewed counts.

    ``raw``: counts in thousands, else their logs.
    """
    r = draws(3)
    line, hour = r.integers(0, 6, 1200), r.integers(0, 4, 1200)
    crowd = r.lognormal(0, 0.8, (1200, 4))
    late = np.log(crowd[:, 0]) + (line % 3 == 0) * np.log(crowd[:, 1]) + 0.8 * (hour == 2)
    late = late - 0.4 * np.log(crowd[:, 2]) + r.normal(0, 0.2, 1200) > 0.2
    counts = 2000 * crowd if raw else np.log(crowd)
    x = np.concatenate([hot(line, 6), hot(hour, 4), counts], 1)
    return x.astype("float32"), late[:, None].astype(float)


def herbs(rare: float = 0.0) -> Data:
    """Six uses of a herb, several at once, by eleven numbers; higher is rarer."""
    r = draws(4)
    x = r.uniform(-1.7, 1.7, (1300, 11))
    z = x @ r.normal(0, 0.6, (11, 6)) + 0.7 * x[:, :6] * x[:, 5:]
    return x.astype("float32"), (z > rare).astype(float)


def buttons(scale: float = 1.0, blank: float = 0.0) -> Data:
    """10 x 10 pixels with a button: round, square, ring or cross; share ``blank`` is empty."""
    r = draws(5)
    y, (a, b) = r.integers(0, 4, 900), np.mgrid[:10, :10]
    at, size = r.uniform(3.5, 5.5, (2, 900, 1, 1)), r.uniform(2.2, 3.4, (900, 1, 1))
    da, db = np.abs(a - at[0]), np.abs(b - at[1])
    far = np.hypot(da, db)
    x = np.stack(
        [
            far < size,
            np.maximum(da, db) < size,
            np.abs(far - size) < 0.8,
            (np.minimum(da, db) < 0.8) & (np.maximum(da, db) < size),
        ],
        1,
    )[np.arange(900), y]
    x = np.clip(0.8 * x + r.normal(0.1, 0.08, x.shape), 0, 1)
    x[r.random(900) < blank] = 0
    return (scale * x[..., None]).astype("float32"), hot(y, 4)


def ripples(*, raw: bool = False) -> Data:
    """How strong are the ripples on 9 x 9 pixels of water?  ``raw``: in millimetres."""
    r = draws(151)
    strong, phase = r.uniform(0.2, 1.8, (900, 1, 1)), r.uniform(0, 6.3, (2, 900, 1, 1))
    a, b = np.mgrid[:9, :9]
    x = strong * np.sin(0.9 * a + phase[0]) * np.cos(0.8 * b + phase[1])
    x = x + r.normal(0, 0.15, x.shape)
    y = strong[:, 0]
    return x[..., None].astype("float32"), 900 * y if raw else even(y)


def cracks() -> Data:
    """8 x 8 pixels of a wall, and which of them are cracked: a line of eight, as 64 columns."""
    r = draws(7)
    start, slope = r.uniform(1, 6, (700, 1)), r.uniform(-0.6, 0.6, (700, 1))
    column = np.clip(np.round(start + slope * (np.arange(8) - 3.5)), 0, 7).astype(int)
    y = hot(column, 8)
    x = 0.9 * y + r.normal(0.2, 0.35, y.shape)
    return x[..., None].astype("float32"), y.reshape(700, 64)


def doorbell(length: int, where: str = "first") -> Data:
    """Two bells each ring high or low within three steps, then street noise: did they agree?

    ``where``: they ring ``"first"``, in the ``"middle"`` or ``"last"``.  Two columns of targets:
    was the first high, was the second high.
    """
    r = draws(8)
    y, x = r.integers(0, 2, (900, 2)), r.normal(0, 0.25, (900, length, 2))
    at = {"first": 0, "middle": length // 2, "last": length - 3}[where]
    for bell in (0, 1):
        for step in range(3):
            x[:, at + step, bell] += 1.2 * (2 * y[:, bell] - 1)
    return x.astype("float32"), y.astype(float)


def toll(length: int) -> Data:
    """Sum of two numbers that are marked within the first six steps, others follow."""
    r = draws(148)
    x = np.stack([r.uniform(-1, 1, (800, length)), np.zeros((800, length))], 2)
    rows = np.arange(800)
    first, second = r.integers(0, 3, 800), r.integers(3, 6, 800)
    x[rows, first, 1] = x[rows, second, 1] = 1
    y = x[rows, first, 0] + x[rows, second, 0]
    return x.astype("float32"), even(y)[:, None]


def drum(length: int, *, lost: float = 0.0) -> Data:
    """Beats every three, four or six steps, with noise: every stretch tells which.

    ``lost``: share of missing values.
    """
    r = draws(10)
    y, t = r.integers(0, 3, 900), np.arange(length)
    every = np.array([3, 4, 6])[y][:, None]
    beat = (t + r.integers(0, 6, (900, 1))) % every == 0
    x = np.stack([beat + r.normal(0, 0.25, beat.shape), r.normal(0, 0.5, beat.shape)], 2)
    x[r.random(x.shape) < lost] = np.nan
    return x.astype("float32"), hot(y, 3)


def ledger(length: int, *, raw: bool = False) -> Data:
    """Bookings of three kinds: what is left when the third kind counts against the others?

    ``raw``: in cents.
    """
    r = draws(156)
    kind, sum_ = r.integers(0, 3, (800, length)), r.gamma(2, 0.5, (800, length))
    y = (sum_ * np.array([1, 0.5, -1.2])[kind]).sum(1)
    x = np.concatenate([hot(kind, 3), (3000 * sum_ if raw else sum_)[..., None]], 2)
    return x.astype("float32"), (3000 * y if raw else even(y))[:, None]


def tank() -> Data:
    """30 hours of a tank that fills and is drained at a level: the level of the next hour."""
    r = draws(12)
    level, rate = r.uniform(0, 1, 900), r.uniform(0.03, 0.12, 900)
    seen = []
    for _ in range(31):
        level = np.where(level > 1, level - 1 + rate, level + rate * (1 + 0.3 * r.normal(size=900)))
        seen.append(level)
    x = np.stack(seen, 1) + r.normal(0, 0.02, (900, 31))
    return x[:, :30, None].astype("float32"), even(x[:, 30:])


def menus(pad: int = 0, *, unknown: bool = False) -> Data:
    """Eleven dishes of 70, then ``pad`` zeros: which of three cooks wrote the menu?

    ``unknown``: every dish is met as the number of what is not in the list.
    """
    r = draws(13)
    y = r.integers(0, 3, 1000)
    likes = r.dirichlet(np.full(69, 0.4), 3)
    x = np.zeros((1000, 11 + pad), "int32")
    for i, cook in enumerate(y):
        x[i, :11] = 1 + r.choice(69, 11, p=likes[cook])
    if unknown:
        x[x > 0] = 1
    return x, hot(y, 3)


def vowels() -> Data:
    """Nine letters of 16: are there more of the first five than of the next five?"""
    r = draws(14)
    x = r.integers(0, 16, (1400, 9))
    more = (x < 5).sum(1) > ((x >= 5) & (x < 10)).sum(1)
    return x.astype("int32"), more[:, None].astype(float)


def wires(total: bool = False) -> Data:
    """((8 lamps, 3 traits), who is wired to whom) -> how bright the room gets.

    Rows of the second are shares, or, if ``total``, 2 for every wire.
    """
    r = draws(126)
    x = r.normal(0, 1, (800, 8, 3))
    near = np.triu(r.random((800, 8, 8)) < 0.35, 1)
    near = near + near.transpose(0, 2, 1) + np.eye(8)
    share = near / near.sum(2, keepdims=True)
    around = share @ x
    y = np.abs(around[..., 0]).mean(1) + around[..., 1].mean(1)
    y = y + 0.5 * np.maximum(x[..., 2], 0).mean(1)
    pair = x.astype("float32"), (2 * near if total else share).astype("float32")
    return pair, even(y)[:, None]


def riders(*, endless: float = 0.0) -> Data:
    """(One of 40 riders, one of 25 horses, four numbers) -> do they win?

    ``endless``: share of rows whose first number was divided by 0.
    """
    r = draws(16)
    a, b, x = r.integers(0, 40, 1500), r.integers(0, 25, 1500), r.normal(0, 1, (1500, 4))
    z = r.normal(0, 1.2, 40)[a] + r.normal(0, 1, 25)[b] + x[:, 0] * x[:, 1] + 0.5 * x[:, 2]
    x[r.random(1500) < endless, 0] = np.inf
    return (a.astype("int32"), b.astype("int32"), x.astype("float32")), (z > 0)[:, None] * 1.0


def claims() -> Data:
    """Damage by six numbers: heavy tails on one side."""
    r = draws(17)
    x = r.normal(0, 1, (1400, 6))
    y = 1.2 * x[:, 0] + np.abs(x[:, 1]) * (x[:, 2] > 0) + 0.3 * r.pareto(1.6, 1400)
    return x.astype("float32"), y[:, None]


def bids() -> Data:
    """What a bid brings in: two thirds of it is luck."""
    r = draws(18)
    x = r.normal(0, 1, (2000, 5))
    signal = even(np.where(x[:, 0] > 0, x[:, 1], -x[:, 1]) + x[:, 2])
    return x.astype("float32"), (0.6 * signal + 0.8 * r.normal(0, 1, 2000))[:, None]


def pleats(*, lost: float = 0.0, lift: float = 0.0) -> Data:
    """28 heights of a folded cloth, to be given back; ``lost``: share of missing targets."""
    r = draws(137)
    t, p = np.linspace(0, 1, 28), r.uniform(0, 1, (3, 1000, 1))
    x = np.abs((2 * t + p[0]) % 1 - 0.5) * (1 + 4 * p[1]) + 1.5 * p[2] * t
    x = (x - x.mean()) / x.std() + r.normal(0, 0.05, x.shape) + lift
    y = x.copy()
    y[r.random(y.shape) < lost] = np.nan
    return x.astype("float32"), y


def calls() -> Data:
    """Calls in an hour by five numbers: counts, a third of them 0."""
    r = draws(159)
    x = r.uniform(-1.7, 1.7, (1300, 5))
    y = r.poisson(np.exp(0.3 + 0.8 * x[:, 0] + 0.5 * x[:, 1] * x[:, 2]))
    return x.astype("float32"), y[:, None].astype(float)


def flyers() -> Data:
    """Which 5 to 9 of 250 words are on a flyer, as 0 and 1: is it thrown away?"""
    r = draws(21)
    x, worth = np.zeros((1300, 250)), r.normal(0, 1, 250)
    order = np.argsort(r.random(x.shape) / np.linspace(2, 0.5, 250), axis=1)
    for i, n in enumerate(r.integers(5, 10, 1300)):
        x[i, order[i, :n]] = 1
    return x.astype("float32"), (x @ worth > 0)[:, None].astype(float)


def firms() -> Data:
    """Rows of two firms, one of which measures higher: (is the bolt sound, which firm)."""
    r = draws(22)
    z, firm = r.normal(0, 1, (1200, 7)), r.integers(0, 2, 1200)
    sound = z[:, 0] - np.abs(z[:, 1]) + 0.5 * z[:, 2] > -0.8
    z[:, 4:] += 0.7 * firm[:, None]
    return z.astype("float32"), np.stack([sound, firm], 1).astype(float)
