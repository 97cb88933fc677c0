"""The ``G-`` runs: a hold-out part, written by someone who had read neither rules nor remedies.

Mistakes that people make most often with Keras, on data and models that no other part has.  Every
sick run is a task that can be learned: each group says with what, which was tried.  Labels were
checked against outcomes only.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarks.diagnosis.runs import glance_flow, glance_large, glance_numbers
from benchmarks.diagnosis.runs.base import LAST, SHUT, SLOW, STALLED, Family
from benchmarks.diagnosis.runs.glance_data import (
    flags,
    gone,
    kiln,
    moths,
    orchard,
    valve,
)
from benchmarks.diagnosis.runs.glance_healthy import healthy
from benchmarks.diagnosis.runs.glance_models import (
    banner,
    decided,
    fired,
    meal,
    outline,
    patches,
    smoothed,
    song,
    spots,
    story,
)
from benchmarks.diagnosis.runs.models import adam, dense, k, opts, sgd
from benchmarks.diagnosis.runs.sequel_models import stacked
from benchmarks.diagnosis.runs.unseen_models import layers, rates

HELD_DOWN = ("stalled", "vanishing", "dead")
"""A penalty that leaves nothing of the signal, or of the gradient."""


def runs() -> list[Any]:
    """Healthy ones first."""
    family = Family("G-")
    add = family.sick
    healthy(family.fine)
    glance_flow.vanishing(add)
    glance_flow.through_time(add)
    glance_large.exploding(add)
    glance_large.dead(add)
    glance_numbers.nonfinite(add)
    slow(add)
    stalled(add)
    return family.runs


def slow(add: Callable[..., None]) -> None:
    """Steps that are too small.

    Learn with rates of 0.1 (SGD, `moths`, `puddles`), 2e-3 (Adam, `flags`), 1 (Adadelta), 0.02
    (Adamax) and 5e-3 (Nadam), with a rate that does not fall (`flags-inverse-time`, `kiln`), and
    with a loss that is not weighted.
    """
    add(
        "moths-sgd",
        SLOW,
        "SGD at a rate of 1e-5",
        lambda: stacked(moths(), (32, 32), "relu", sgd(1e-5)),
    )
    add(
        "flags-adam",
        SLOW,
        "Adam at a rate of 1e-7",
        lambda: banner((8, 12), "relu", adam(1e-7)),
    )
    add(
        "orchard-adadelta",
        SLOW,
        "Adadelta at a rate of 1e-3, as it comes",
        lambda: stacked(orchard(), (32, 32), "relu", opts().Adadelta()),
    )
    add(
        "tale-adamax",
        SLOW,
        "GRU under Adamax at a rate of 1e-6",
        lambda: story([layers().GRU(12)], opts().Adamax(1e-6), steps=200),
    )
    add(
        "puddles-factor",
        SLOW,
        "loss weighted by 1e-6 under SGD",
        lambda: outline(sgd(0.1, 0.9), factor=1e-6),
    )
    add(
        "flags-inverse-time",
        SLOW,
        "rate divided by 50 times the number of the step",
        lambda: patches(sgd(rates().InverseTimeDecay(0.05, 1, 50.0))),
    )
    add(
        "kiln-cosine",
        SLOW,
        "cosine over eight steps, meant for eight epochs",
        lambda: fired(adam(rates().CosineDecay(3e-3, 8)), (24, 24)),
    )
    add(
        "recipe-nadam",
        SLOW,
        "embeddings under Nadam at a rate of 3e-7",
        lambda: meal(opts().Nadam(3e-7), [dense(24, "relu")]),
    )


def stalled(add: Callable[..., None]) -> None:
    """Heads, penalties, noise, losses and data that do not let the loss fall.

    Learn with a sigmoid, without dropout (`valve`), with labels of the same rows and a smoothing of
    0.01 (`moths`), without the penalty, with pixels that are not rounded, with a full table of
    words, with a scaled linear head (`orchard`), with cross-entropy (`puddles`), without dropout
    (`embers`), and with rows as they are (`kiln`); Adam at 2e-3 to 5e-3 in all.
    """
    regular = lambda: k().regularizers
    add(
        "valve-softmax1",
        SHUT,
        "softmax of one unit",
        lambda: stacked(
            valve(), (24, 24), "relu", adam(3e-3), head=dense(1, "softmax"), strip=True
        ),
        LAST,
    )
    add(
        "moths-mixed",
        STALLED,
        "labels of other rows",
        lambda: stacked(moths(mixed=True), (12,), "relu", adam(1e-3)),
    )
    add(
        "whale-l2",
        HELD_DOWN,
        "L2 of 5 on all kernels",
        lambda: song(
            (8, 12, 12),
            "relu",
            adam(2e-3),
            each=lambda: {"kernel_regularizer": regular().L2(5.0)},
        ),
    )
    add(
        "valve-dropout",
        STALLED,
        "drops 95 % in each of three narrow layers",
        lambda: stacked(
            valve(),
            (),
            None,
            adam(3e-3),
            last=[layer for _ in range(3) for layer in (dense(16, "relu"), layers().Dropout(0.95))],
        ),
    )
    add(
        "flags-whole",
        (*STALLED, "dead", "vanishing"),
        "pixels divided by 255 as whole numbers: all are 0",
        lambda: banner((8, 12), "relu", adam(2e-3), data=flags(whole=True)),
    )
    add(
        "tale-unknown",
        STALLED,
        "all words are the unknown one",
        lambda: story(
            [layers().GlobalAveragePooling1D(), dense(16, "relu")], adam(5e-3), unknown=True
        ),
    )
    add(
        "orchard-sigmoid-head",
        SHUT,
        "sigmoid as head, targets of a hundred",
        lambda: stacked(
            orchard(raw_y=True), (24, 24), "relu", adam(3e-3), head=dense(1, "sigmoid"), loss="mse"
        ),
        LAST,
    )
    add(
        "puddles-decided",
        SHUT,
        "loss of decisions instead of probabilities",
        lambda: outline(adam(3e-3), loss=decided, baseline=0.2),
    )
    add(
        "embers-dropout",
        STALLED,
        "drops 98 % of a code of six",
        lambda: spots(adam(2e-3), noise=layers().Dropout(0.98)),
    )
    add(
        "moths-smoothing",
        STALLED,
        "label smoothing of 0.99, meant as 0.01",
        lambda: stacked(moths(), (24, 24), "relu", adam(2e-3), loss=smoothed(0.99), baseline=1.609),
    )
    add(
        "kiln-constant",
        STALLED,
        "the same row for all: a join that went wrong",
        lambda: stacked(heat_of_one(), (24, 24), "relu", adam(2e-3)),
    )


def heat_of_one() -> Any:
    """``kiln`` whose rows are all alike, and its heat."""
    x, y = kiln()
    return gone((x, y[:, 3:]), 0.7)
