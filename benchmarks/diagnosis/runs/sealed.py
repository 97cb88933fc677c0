"""The ``S-`` runs: the hold-out part, written by someone who had read neither rules nor remedies.

Mistakes that people make with Keras, on data and models that no other part has.  Every sick run is
a task that can be learned: each group says with what, which was tried.  Labels were
checked against outcomes only.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarks.diagnosis.runs import sealed_flow, sealed_large, sealed_numbers
from benchmarks.diagnosis.runs.base import LAST, SHUT, SLOW, STALLED, Family
from benchmarks.diagnosis.runs.models import adam, dense, k, opts, sgd
from benchmarks.diagnosis.runs.sealed_healthy import healthy
from benchmarks.diagnosis.runs.sealed_models import (
    between,
    broadcast,
    coder,
    conv1d,
    embedded,
    encoder,
    fit,
    plain,
    points,
)
from benchmarks.diagnosis.runs.unseen import HELD_DOWN
from benchmarks.diagnosis.runs.unseen_models import layers, own, rates, repeated
from benchmarks.diagnosis.runs.unseen_vanishing import SMALL


def runs() -> list[Any]:
    """Healthy ones first."""
    family = Family("S-")
    add = family.sick
    healthy(family.fine)
    sealed_flow.vanishing(add)
    sealed_flow.through_time(add)
    sealed_large.exploding(add)
    sealed_large.dead(add)
    sealed_numbers.nonfinite(add)
    slow(add)
    stalled(add)
    return family.runs


def slow(add: Callable[..., None]) -> None:
    """Steps that are too small.

    Learn with Adam at 2e-3 to 5e-3, without clipping, gathering or the factor, and with
    standardised targets.
    """
    add("intent-nadam1e-7", SLOW, "rate", lambda: encoder("intent", 1, opts().Nadam(1e-7)))
    add(
        "intent-warm-up",
        SLOW,
        "warm-up that never ends",
        lambda: embedded(
            [layers().GRU(14)],
            adam(rates().CosineDecay(0.0, 10**6, warmup_target=2e-3, warmup_steps=10**6)),
        ),
    )
    add(
        "sectors-clipvalue",
        SLOW,
        "gradients clipped to 1e-6",
        lambda: plain("sectors", 2, 40, "tanh", sgd(0.1, 0.9, clipvalue=1e-6)),
    )
    add(
        "loans-accumulated",
        SLOW,
        "gradients of 1000 steps gathered first",
        lambda: plain("loans", 2, 24, "relu", adam(3e-3, gradient_accumulation_steps=1000)),
    )
    add(
        "mackey-raw",
        SLOW,
        "prices of 9000, usual rate",
        lambda: fit("mackey-raw", [layers().LSTM(20)], adam(1e-3)),
    )
    add(
        "segments-mean-twice",
        SMALL,
        "mean divided by the number of pixels and rows once more",
        lambda: coder(sgd(0.5, 0.9), "mse", factor=1 / (140 * 40)),
    )


def stalled(add: Callable[..., None]) -> None:
    """Heads, penalties and noise that do not let the loss fall.

    Learn with standardised targets and a linear head, targets of the right shape, the last state,
    without the penalty, with a dropout of 0.03, and with factors of 0.01.
    """
    regular = lambda: k().regularizers
    add(
        "engine-tanh-head",
        (*SHUT, "slow"),
        "tanh for targets up to 300",
        lambda: plain("engine-raw", 2, 30, "relu", adam(3e-3), head=dense(1, "tanh")),
        LAST,
    )
    add(
        "bikes-broadcast",
        STALLED,
        "targets [n] against predictions [n, 1]",
        lambda: plain("bikes", 2, 36, "relu", adam(3e-3), loss=broadcast, baseline=1.0),
    )
    add(
        "ecg-first-step",
        STALLED,
        "the first state is taken, not the last",
        lambda: fit(
            "ecg",
            [layers().GRU(20, return_sequences=True), own(lambda h: h[:, 0])],
            adam(5e-3),
        ),
    )
    add(
        "bikes-l2",
        HELD_DOWN,
        "L2 of 10",
        lambda: plain(
            "bikes", 3, 36, "relu", adam(3e-3), each={"kernel_regularizer": regular().L2(10.0)}
        ),
    )
    add(
        "ecg-l1",
        HELD_DOWN,
        "L1 of 0.2",
        lambda: conv1d(3, "relu", opts().RMSprop(1e-3), kernel_regularizer=regular().L1(0.2)),
    )
    add(
        "clouds-dropout",
        HELD_DOWN,
        "dropout of 0.97",
        lambda: points(
            repeated(3, lambda: dense(24, "relu"), lambda: layers().SpatialDropout1D(0.97)),
            adam(2e-3),
        ),
    )
    add(
        "sectors-noise",
        HELD_DOWN,
        "factors of noise with a deviation of 30",
        lambda: between(
            "sectors", 2, 30, "tanh", lambda: layers().GaussianDropout(0.999), opts().Nadam(2e-3)
        ),
    )
    add(
        "intent-decay",
        HELD_DOWN,
        "weight decay of 0.5 a step",
        lambda: embedded(
            [layers().GlobalAveragePooling1D(), dense(20, "relu")], sgd(1.0, weight_decay=0.5)
        ),
    )
