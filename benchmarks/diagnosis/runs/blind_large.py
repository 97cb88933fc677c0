"""The ``W-`` runs in which something is too large, or dead."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarks.diagnosis.runs.base import BLOWN, DEAD, FIRST, KILLED, LAST, NO_FLOW, SHUT
from benchmarks.diagnosis.runs.blind_models import bound, cloth, fit, listener, mlp, steps
from benchmarks.diagnosis.runs.models import adam, dense, k, sgd
from benchmarks.diagnosis.runs.unseen_models import constant, layers, rates

Add = Callable[..., None]


def exploding(add: Add) -> None:
    """Initial weights, rates and scales that are too large.

    Learn with He (momentum of 0.9), standardised inputs and targets, pixels in [0, 1], ReLU, a
    linear head, a momentum of 0.9 and a rate of 0.05; rates of 0.1 (`petals`), 2e-3 (`gait`) and
    0.3 (`melody`); the sums followed by layer normalisation (momentum of 0.9).
    """
    add(
        "stars-scaling",
        KILLED,
        "variance scaling of 30",
        lambda: mlp("stars", 8, 40, "relu", sgd(0.01), scaling),
    )
    add(
        "petals-elu",
        KILLED,
        "rate of 8",
        lambda: mlp("petals", 4, 32, "elu", sgd(8.0, 0.9)),
    )
    add(
        "crops-rawx",
        KILLED,
        "millimetres, kilograms and metres as they are",
        lambda: mlp("crops-rawx", 2, 32, "relu", sgd(1e-3)),
    )
    add(
        "crops-rawy",
        KILLED,
        "kilograms a hectare as they are, rate as it comes",
        lambda: mlp("crops-rawy", 2, 32, "relu", sgd(0.01)),
    )
    add(
        "throws-square",
        BLOWN,
        "squares as activation",
        lambda: mlp("throws", 5, 32, k().ops.square, sgd(0.02), "he_normal"),
    )
    add(
        "throws-momentum",
        KILLED,
        "momentum of 0.9999, rate of 0.5",
        lambda: mlp("throws", 3, 32, "tanh", sgd(0.5, 0.9999)),
    )
    add(
        "throws-exp",
        KILLED,
        "exponential head for metres",
        lambda: mlp("throws-metres", 2, 32, "relu", sgd(1e-3), head=dense(2, "exponential"), **MSE),
    )
    add(
        "weaves-65535",
        KILLED,
        "16-bit pixels as they are",
        lambda: cloth((12, 16, 16), "relu", sgd(0.01, 0.9), "weaves-65535"),
    )
    add(
        "gait-late",
        KILLED,
        "schedule whose second rate is 20, meant as 2e-3",
        lambda: steps(
            (12, 16), "relu", sgd(rates().PiecewiseConstantDecay([150], [0.02, 20.0]), 0.9)
        ),
    )
    add(
        "molecules-sum",
        BLOWN,
        "ten graph convolutions that add up neighbours",
        lambda: bound(10, "relu", sgd(0.01), "sum"),
    )
    add("melody-sgd30", KILLED, "rate of 30", lambda: listener(2, sgd(30.0)))


MSE: dict[str, Any] = {"loss": "mse"}


def scaling() -> Any:
    return k().initializers.VarianceScaling(30.0)


def dead(add: Add) -> None:
    """Units and heads that nothing reaches.

    Learn with Glorot, with 24 units a layer and Adam at 1e-3, a rate of 2e-3, a beta of 0, and a
    linear head (Adam at 0.02, 300 steps).
    """
    add(
        "crops-negative",
        DEAD,
        "features in [0, 1], weights from -0.2 to 0",
        lambda: mlp("crops-unit", 2, 32, "relu", adam(3e-3), first=[dense(32, "relu", negative())]),
        FIRST,
    )
    add(
        "petals-narrow",
        NO_FLOW,
        "20 layers of two units",
        lambda: mlp("petals", 20, 2, "relu", adam(3e-3), "he_normal"),
    )
    add(
        "stars-zeros",
        SHUT,
        "all weights start at 0",
        lambda: mlp("stars", 3, 32, "relu", adam(3e-3), "zeros"),
    )
    add("stars-adam2", KILLED, "rate of 2", lambda: mlp("stars", 5, 32, "relu", adam(2.0)))
    add(
        "gait-beta",
        DEAD,
        "beta of batch normalisation starts at -6",
        lambda: steps((12, 16), None, adam(3e-3), after=shifted),
    )
    add(
        "tide-below",
        DEAD,
        "ReLU on the output, heights below a datum on land",
        lambda: fit(below(), [layers().GRU(16)], adam(5e-3), dense(1, "relu"), steps=200),
        LAST,
    )


def negative() -> Any:
    return k().initializers.RandomUniform(-0.2, 0.0)


def shifted() -> list[Any]:
    return [layers().BatchNormalization(beta_initializer=constant(-6)), layers().ReLU()]


def below() -> Any:
    from benchmarks.diagnosis.runs.blind_data import tide

    x, y = tide()
    return x, y - 4.0
