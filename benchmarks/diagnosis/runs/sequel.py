"""The ``K-`` runs: the hold-out part, written by someone who had read neither rules nor remedies.

Mistakes that people make most often with Keras, on data and models that no other part has.  Every
sick run is a task that can be learned: each group says with what, which was tried.  Labels were
checked against outcomes only.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarks.diagnosis.runs import sequel_flow, sequel_large, sequel_numbers
from benchmarks.diagnosis.runs.base import LAST, SHUT, SLOW, STALLED, Family
from benchmarks.diagnosis.runs.models import adam, dense, k, opts, sgd
from benchmarks.diagnosis.runs.sequel_data import bikes, churn, misplaced, shell, tunes
from benchmarks.diagnosis.runs.sequel_healthy import healthy
from benchmarks.diagnosis.runs.sequel_models import (
    beat,
    between,
    cards,
    cloth,
    coder,
    growing,
    match,
    one_sided,
    stacked,
)
from benchmarks.diagnosis.runs.unseen_models import layers, rates
from benchmarks.diagnosis.runs.veiled_models import fit

HELD_DOWN = ("stalled", "vanishing", "dead")
"""A penalty or a constraint that leaves nothing of the signal, or of the gradient."""


def runs() -> list[Any]:
    """Healthy ones first."""
    family = Family("K-")
    add = family.sick
    healthy(family.fine)
    sequel_flow.vanishing(add)
    sequel_flow.through_time(add)
    sequel_large.exploding(add)
    sequel_large.dead(add)
    sequel_numbers.nonfinite(add)
    slow(add)
    stalled(add)
    return family.runs


def slow(add: Callable[..., None]) -> None:
    """Steps that are too small.

    Learn with rates of 3e-3 (AdamW), 0.03 (Adagrad) and 0.05 (`duel`, neither it nor the loss
    divided), with a warm-up over 50 steps, gradients clipped to 1, an epsilon of 1e-3, and a rate
    that falls by 0.5 % a step.
    """
    add(
        "churn-adamw",
        SLOW,
        "AdamW at a rate of 1e-6",
        lambda: stacked(churn(), (32, 32), "relu", opts().AdamW(1e-6)),
    )
    add(
        "hearts-adagrad",
        SLOW,
        "Adagrad at a rate of 1e-5",
        lambda: beat((8, 12), "relu", opts().Adagrad(1e-5)),
    )
    add(
        "weave-warm-up",
        SLOW,
        "warm-up over ten million steps",
        lambda: cloth(
            (8, 12),
            "relu",
            adam(rates().CosineDecay(0.0, 1, warmup_target=5e-3, warmup_steps=10**7)),
        ),
    )
    add(
        "bikes-clipvalue",
        SLOW,
        "every gradient clipped to 1e-5",
        lambda: stacked(bikes(), (32, 32), "relu", sgd(0.1, clipvalue=1e-5)),
    )
    add(
        "churn-epsilon",
        SLOW,
        "epsilon of 1000 in Adam, meant as 1e-3",
        lambda: stacked(churn(), (32, 32), "gelu", adam(5e-3, epsilon=1e3)),
    )
    add(
        "tunes-halved",
        SLOW,
        "rate halved in each step, meant for each epoch",
        lambda: fit(
            tunes(),
            [layers().Embedding(31, 8), layers().GRU(16)],
            adam(growing(5e-3, 0.5)),
            steps=200,
        ),
    )
    add(
        "duel-divided",
        SLOW,
        "rate divided by the number of rows, loss too",
        lambda: match(sgd(0.05 / 1200, 0.9), [dense(24, "relu")], between, factor=1 / 1200),
    )


def stalled(add: Callable[..., None]) -> None:
    """Heads, penalties, noise, losses and data that do not let the loss fall.

    Learn with a sigmoid (Adam at 3e-3), with rows in one order (Adam at 5e-3), an L1 of 2e-5,
    samples that are not divided, without the constraint, with labels of -1 and 1, without the
    normalisation, and without the mask.
    """
    regular = lambda: k().regularizers
    add(
        "churn-above-one",
        SHUT,
        "softplus and an offset as head: probabilities above 1 are cut off",
        lambda: stacked(churn(), (24, 16), "relu", adam(1e-3), head=layers().Dense(1, over)),
        LAST,
    )
    add(
        "bikes-misplaced",
        STALLED,
        "inputs sorted, targets not",
        lambda: stacked(misplaced(bikes()), (16,), "relu", adam(1e-3)),
    )
    add(
        "light-l1",
        HELD_DOWN,
        "L1 of 20 on what is coded, meant as 2e-5",
        lambda: coder(
            (24,),
            "relu",
            adam(3e-3),
            last=[dense(8, activity_regularizer=regular().L1(20.0)), dense(24, "relu")],
        ),
    )
    add(
        "hearts-noise",
        STALLED,
        "samples of about 1 divided by 255, and noise of 0.5",
        lambda: beat(
            (8, 12),
            "tanh",
            adam(2e-3),
            first=[layers().Rescaling(1 / 255), layers().GaussianNoise(0.5)],
        ),
    )
    add(
        "weave-max-norm",
        (*HELD_DOWN, "slow"),
        "norms of all kernels kept below 0.01",
        lambda: cloth(
            (8, 12, 12),
            "relu",
            adam(2e-3),
            each=lambda: {"kernel_constraint": k().constraints.MaxNorm(0.01)},
        ),
    )
    add(
        "shell-hinge01",
        SHUT,
        "hinge loss on labels of 0 and 1",
        lambda: stacked(
            shell(), (32, 32), "tanh", adam(3e-3), head=dense(1), loss=one_sided, baseline=0.526
        ),
    )
    add(
        "churn-one-feature",
        SHUT,
        "layer normalisation of one feature, which is 0 whatever comes",
        lambda: stacked(
            churn(), (24,), "relu", adam(3e-3), last=[dense(1), layers().LayerNormalization()]
        ),
    )
    add(
        "cards-masked",
        SHUT,
        "mask of attention the wrong way round: the last place sees only itself",
        lambda: cards(adam(3e-3), masked=True),
    )


def over(z: Any) -> Any:
    """Above 1 always."""
    return 1.1 + k().ops.softplus(z)
