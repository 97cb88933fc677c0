"""The ``B-`` runs: a hold-out part, written by someone who had read neither rules nor remedies.

Mistakes that people make most often with Keras, on data and models that no other part has.  Every
sick run is a task that can be learned: each group says with what, which was tried.  Labels were
checked against outcomes only.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarks.diagnosis.runs import bundle_flow, bundle_large, bundle_numbers
from benchmarks.diagnosis.runs.base import LAST, SHUT, SLOW, STALLED, Family
from benchmarks.diagnosis.runs.bundle_data import (
    alike,
    bread,
    goals,
    spark,
    stones,
    swapped,
)
from benchmarks.diagnosis.runs.bundle_healthy import healthy
from benchmarks.diagnosis.runs.bundle_models import flower, mapped, subject, tiled
from benchmarks.diagnosis.runs.models import adam, dense, k, opts, sgd
from benchmarks.diagnosis.runs.sequel_models import stacked
from benchmarks.diagnosis.runs.unseen_models import layers, rates
from benchmarks.diagnosis.runs.veiled_models import fit

HELD_DOWN = ("stalled", "vanishing", "dead")
"""A penalty that leaves nothing of the signal, or of the gradient."""


def runs() -> list[Any]:
    """Healthy ones first."""
    family = Family("B-")
    add = family.sick
    healthy(family.fine)
    bundle_flow.vanishing(add)
    bundle_flow.through_time(add)
    bundle_large.exploding(add)
    bundle_large.dead(add)
    bundle_numbers.nonfinite(add)
    slow(add)
    stalled(add)
    return family.runs


def slow(add: Callable[..., None]) -> None:
    """Steps that are too small.

    Learn with rates of 0.05 (SGD with momentum, `stones`), 2e-3 (Adam, `tiles`), 0.3
    (Adagrad), 0.01 (Adam, `spark`), 3e-3 (RMSprop) and 1 (Adadelta).
    """
    add(
        "stones-sgd",
        SLOW,
        "SGD at a rate of 1e-6",
        lambda: stacked(stones(), (32, 32), "relu", sgd(1e-6, 0.9)),
    )
    add(
        "tiles-adam",
        SLOW,
        "Adam at a rate of 1e-7",
        lambda: tiled((8, 12), "relu", adam(1e-7)),
    )
    add(
        "stones-decay",
        SLOW,
        "rate that is halved every step, meant for every epoch",
        lambda: stacked(stones(), (24, 24), "relu", sgd(rates().ExponentialDecay(0.02, 1, 0.5))),
    )
    add(
        "notes-adagrad",
        SLOW,
        "embeddings under Adagrad at a rate of 1e-4",
        lambda: subject(
            [layers().GlobalAveragePooling1D(), dense(16, "relu")], opts().Adagrad(1e-4)
        ),
    )
    add(
        "spark-gru",
        SLOW,
        "GRU under Adam at a rate of 3e-7",
        lambda: fit(spark(8), [layers().GRU(12)], adam(3e-7), steps=200),
    )
    add(
        "roads-rmsprop",
        SLOW,
        "RMSprop at a rate of 1e-7",
        lambda: mapped(opts().RMSprop(1e-7)),
    )
    add(
        "goals-adadelta",
        SLOW,
        "Adadelta at a rate of 1e-3, as it comes",
        lambda: stacked(goals(), (32, 32), "elu", opts().Adadelta()),
    )


def stalled(add: Callable[..., None]) -> None:
    """Heads, penalties, noise and data that do not let the loss fall.

    Learn with a sigmoid (`goals`), with targets of the same rows (`bread`: RMSprop at 1e-3), with
    values as they are (`stones`: Adam at 3e-3), without the penalty (`tiles`) or the decay
    (`petals`: Adam at 2e-3), with a linear head (`stones-number`), with rows as they are (`bread`)
    and with the words (`notes`: Adam at 3e-3).
    """
    add(
        "goals-softmax1",
        SHUT,
        "softmax of one unit",
        lambda: stacked(
            goals(), (24, 24), "tanh", adam(3e-3), head=dense(1, "softmax"), strip=True
        ),
        LAST,
    )
    add(
        "bread-swapped",
        STALLED,
        "targets of other rows",
        lambda: stacked(swapped(bread()), (12,), "relu", adam(1e-3)),
    )
    add(
        "stones-dropout",
        STALLED,
        "drops 97 % of the values: meant as the share that is kept",
        lambda: stacked(stones(), (24, 24), "relu", adam(2e-3), first=[layers().Dropout(0.97)]),
    )
    add(
        "tiles-l1",
        HELD_DOWN,
        "L1 of 1 on all kernels",
        lambda: tiled(
            (8, 12),
            "relu",
            adam(2e-3),
            each=lambda: {"kernel_regularizer": k().regularizers.L1(1.0)},
        ),
    )
    add(
        "stones-number",
        SHUT,
        "numbers of classes, 0 to 5, against a sigmoid",
        lambda: stacked(
            stones(number=True), (24, 24), "relu", adam(3e-3), head=dense(1, "sigmoid"), loss="mse"
        ),
        LAST,
    )
    add(
        "bread-constant",
        STALLED,
        "the same row for all",
        lambda: stacked(alike(bread(), 0.4), (24, 24), "tanh", adam(2e-3)),
    )
    add(
        "notes-lost",
        STALLED,
        "texts of which only padding is left",
        lambda: subject([layers().Flatten(), dense(16, "relu")], adam(3e-3), lost=True),
    )
    add(
        "petals-decay",
        HELD_DOWN,
        "weight decay of 300",
        lambda: flower((24,), "tanh", opts().AdamW(2e-3, 300.0)),
    )
