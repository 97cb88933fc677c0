"""Data sets: synthetic, or bundled with scikit-learn; nothing is downloaded."""

from __future__ import annotations

from typing import Any

import numpy as np


def circle() -> tuple[np.ndarray, np.ndarray]:
    """Two noisy circles; AUTOTRAINER trains on the first 700 of the 1000 rows."""
    from sklearn.datasets import make_circles

    x, y = make_circles(1000, noise=0.1, random_state=1)
    return x.astype("float32"), y[:, None]


def blob() -> tuple[np.ndarray, np.ndarray]:
    """Three clusters, not scaled; the first 700 rows are trained on."""
    from sklearn.datasets import make_blobs

    x, y = make_blobs(1000, centers=3, n_features=2, cluster_std=2, random_state=2)[:2]
    return x.astype("float32"), np.eye(3)[y]


def digits() -> tuple[np.ndarray, np.ndarray]:
    """1797 digits of 8 x 8 pixels in [0, 1]: what stands in for MNIST and CIFAR."""
    from sklearn.datasets import load_digits

    data: Any = load_digits()
    return (data.data / 16).astype("float32"), np.eye(10)[data.target]


def diabetes() -> tuple[np.ndarray, np.ndarray]:
    """442 rows of 10 features and a target, all standardised: stands in for auto-mpg."""
    from sklearn.datasets import load_diabetes

    data: Any = load_diabetes()
    x, y = data.data, data.target[:, None]
    return ((x - x.mean(0)) / x.std(0)).astype("float32"), (y - y.mean()) / y.std()


def tokens(n: int = 1024, length: int = 24, vocabulary: int = 64) -> tuple[np.ndarray, np.ndarray]:
    """Sequences whose class is whether small tokens outnumber large ones."""
    rng = np.random.default_rng(0)
    x = rng.integers(0, vocabulary, (n, length))
    y = (x < vocabulary // 2).sum(1) > length // 2
    return x.astype("int32"), y[:, None].astype(float)


def first_step(length: int, n: int = 512) -> tuple[np.ndarray, np.ndarray]:
    """Noise sequences whose first value carries the label."""
    rng = np.random.default_rng(0)
    x = rng.normal(0, 0.3, (n, length, 2))
    y = rng.integers(0, 2, n)
    x[:, 0, 0] = 2 * y - 1
    return x.astype("float32"), y[:, None].astype(float)


def table(name: str, *, scale: bool = True) -> tuple[np.ndarray, np.ndarray]:
    """Inputs and targets of a data set that comes with scikit-learn."""
    from sklearn import datasets

    if name == "moons":
        x, y = datasets.make_moons(800, noise=0.15, random_state=3)
    elif name == "friedman":
        x, y = datasets.make_friedman1(800, noise=0.5, random_state=3)
        return x.astype("float32"), y[:, None]
    else:
        data: Any = getattr(datasets, f"load_{name}")()
        x, y = data.data, data.target
    x = (x - x.mean(0)) / x.std(0) if scale else x
    return x.astype("float32"), np.eye(y.max() + 1)[y] if y.max() > 1 else y[:, None].astype(float)
