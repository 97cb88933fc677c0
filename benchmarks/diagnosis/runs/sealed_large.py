"""The ``S-`` runs in which something is too large, or dead."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarks.diagnosis.runs.base import BLOWN, DEAD, FIRST, KILLED, LAST, SHUT
from benchmarks.diagnosis.runs.models import adam, dense, k, normal, opts, sgd
from benchmarks.diagnosis.runs.sealed_models import (
    between,
    conv,
    conv1d,
    encoder,
    fit,
    fourth,
    plain,
    summed,
)
from benchmarks.diagnosis.runs.unseen_models import constant, layers, own, rates, repeated

Add = Callable[..., None]


def exploding(add: Add) -> None:
    """Initial weights, rates and scales that are too large.

    Learn with Glorot or He (`ecg` too), the mean of all before and a momentum of 0.9, the square
    of the error, standardised inputs and targets, rates of 0.05 (Lion: 1e-3; attention:
    Nadam at 2e-3); all else equal.
    """
    add(
        "teacher-linear12",
        BLOWN,
        "linear layers, stddev of 0.6",
        lambda: plain("teacher", 12, 40, "linear", sgd(0.01), lambda: normal(0.6)),
    )
    add(
        "ecg-scale20",
        BLOWN,
        "scale of 20 where He has 2",
        lambda: conv1d(
            8,
            "relu",
            sgd(0.01, 0.9),
            kernel_initializer=k().initializers.VarianceScaling(20.0, "fan_in"),
        ),
    )
    add("teacher-sum14", BLOWN, "sums of all before", lambda: summed(14, sgd(0.05)))
    add(
        "engine-raw",
        KILLED,
        "targets up to 300",
        lambda: plain("engine-raw", 2, 30, "elu", sgd(0.02, 0.9)),
    )
    add(
        "bikes-rawx",
        KILLED,
        "hours and humidity as they are",
        lambda: plain("bikes-rawx", 3, 40, "leaky_relu", sgd(0.02, 0.9)),
    )
    add("bikes-fourth", KILLED, "fourth power of the error", bikes_fourth)
    add(
        "segments-sgd2",
        KILLED,
        "rate of 2",
        lambda: conv((12, 16), "relu", sgd(2.0, 0.9, nesterov=True)),
    )
    add("clouds-encoder", KILLED, "rate of 3", lambda: encoder("clouds", 2, sgd(3.0, 0.9)))
    add(
        "teacher-lion",
        KILLED,
        "rate of 0.3",
        lambda: plain("teacher", 3, 36, "relu", opts().Lion(0.3)),
    )
    add(
        "loans-warm-up",
        KILLED,
        "warm-up to 50, meant as 0.05",
        lambda: plain(
            "loans",
            2,
            30,
            "relu",
            sgd(rates().CosineDecay(0.0, 1000, warmup_target=50.0, warmup_steps=200), 0.9),
        ),
    )


def bikes_fourth() -> Any:
    return plain("bikes", 2, 40, "relu", sgd(0.2, 0.9), loss=fourth, baseline=2.1)


def dead(add: Add) -> None:
    """Units that nothing reaches.

    Learn with standardised inputs and Glorot, a beta and a bias of 0, Adam at 3e-3, without
    rounding, clipping (600 steps) or the norm, and with a batch of 32.
    """
    add(
        "engine-decibel",
        DEAD,
        "inputs below zero, positive weights",
        lambda: fit(
            "engine-decibel",
            [
                dense(32, "relu", k().initializers.RandomUniform(0.0, 0.1)),
                dense(32, "relu"),
            ],
            adam(2e-3),
        ),
        FIRST,
    )
    add(
        "segments-beta",
        DEAD,
        "beta of -6 before ReLU",
        lambda: conv((10, 12, 12), None, adam(2e-3), after=shifted),
    )
    add(
        "ecg-bias",
        DEAD,
        "bias of -15 in the third layer",
        lambda: fit(
            "ecg",
            [
                *repeated(2, lambda: layers().Conv1D(12, 5, activation="relu")),
                layers().Conv1D(12, 5, activation="relu", bias_initializer=constant(-15.0)),
                layers().GlobalAveragePooling1D(),
            ],
            opts().Nadam(2e-3),
        ),
        2,
    )
    add("bikes-adam2", KILLED, "rate of 2", lambda: plain("bikes", 4, 24, "relu", adam(2.0)))
    add(
        "teacher-round",
        SHUT,
        "rounded codes",
        lambda: between("teacher", 3, 10, "sigmoid", lambda: own(k().ops.round), adam(3e-3)),
        FIRST,
    )
    add(
        "engine-clip",
        SHUT,
        "predictions clipped to [0, 1], targets up to 300",
        lambda: fit(
            "engine-raw", [dense(30, "relu"), dense(30, "relu"), dense(1)], adam(3e-3), clipped()
        ),
        LAST,
    )
    add(
        "loans-batch1",
        SHUT,
        "batch normalisation of single rows",
        lambda: between(
            "loans", 2, 20, "relu", layers().BatchNormalization, sgd(0.01, 0.9), batch=1, steps=400
        ),
        FIRST,
    )
    add(
        "segments-channel-norm",
        SHUT,
        "layer normalisation of the only channel",
        lambda: conv((12, 16), "relu", adam(2e-3), first=[layers().LayerNormalization()]),
        FIRST,
    )


def shifted() -> list[Any]:
    return [layers().BatchNormalization(beta_initializer=constant(-6.0)), layers().ReLU()]


def clipped() -> Any:
    return own(lambda v: k().ops.clip(v, 0.0, 1.0))
