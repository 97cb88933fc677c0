"""The ``D-`` runs: a hold-out part, written by someone who had read neither rules nor remedies.

Mistakes that people make most often with Keras, and networks that only look sick, on data and
models that no other part has.  Every sick run is a task that can be learned: each group says with
what, which was tried.  Labels were checked against outcomes only.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarks.diagnosis.runs import draw_flow, draw_large, draw_numbers
from benchmarks.diagnosis.runs.base import LAST, SHUT, SLOW, STALLED, Family
from benchmarks.diagnosis.runs.draw_data import bees, fungi, snow, tally, tea
from benchmarks.diagnosis.runs.draw_healthy import healthy
from benchmarks.diagnosis.runs.draw_models import (
    chain,
    decays,
    lay,
    letters,
    plain,
    priced,
    roped,
    sung,
)
from benchmarks.diagnosis.runs.models import adam, dense, k, opts, sgd

HELD_DOWN = ("stalled", "vanishing", "dead")
"""A penalty that leaves nothing of the signal, or of the gradient."""


def runs() -> list[Any]:
    """Healthy ones first."""
    family = Family("D-")
    add = family.sick
    healthy(family.fine)
    draw_flow.vanishing(add)
    draw_flow.through_time(add)
    draw_large.exploding(add)
    draw_large.dead(add)
    draw_numbers.nonfinite(add)
    slow(add)
    stalled(add)
    return family.runs


def slow(add: Callable[..., None]) -> None:
    """Steps that are too small.

    Learn with rates of 0.05 (SGD with momentum, `tea`, `knots`), 0.01 (Adam, `rhymes`), 0.1 (SGD
    with momentum, `tally`), 2e-3 (RMSprop, `stalls`; Adam, `bees`) and 5e-3 (Adam, `order`).
    """
    add(
        "tea-sgd",
        SLOW,
        "SGD at a rate of 1e-6",
        lambda: plain(tea(), (32, 32), "tanh", sgd(1e-6, 0.9)),
    )
    add(
        "knots-adam",
        SLOW,
        "Adam at a rate of 1e-7",
        lambda: roped((8, 12), "relu", adam(1e-7)),
    )
    add(
        "rhymes-adagrad",
        SLOW,
        "embeddings under Adagrad at a rate of 1e-4",
        lambda: sung([lay().GlobalAveragePooling1D(), dense(16, "relu")], opts().Adagrad(1e-4)),
    )
    add(
        "tally-lstm",
        SLOW,
        "LSTM under SGD at a rate of 1e-5",
        lambda: chain(tally(20), [lay().LSTM(16)], sgd(1e-5), steps=150),
    )
    add(
        "stalls-rmsprop",
        SLOW,
        "RMSprop at a rate of 1e-7",
        lambda: priced(opts().RMSprop(1e-7), (32, 16)),
    )
    add(
        "bees-decay",
        SLOW,
        "rate that falls to a third at every step, meant for every epoch",
        lambda: plain(bees(), (32,), "relu", adam(decays().ExponentialDecay(2e-3, 1, 0.33))),
    )
    add(
        "order-warm",
        SLOW,
        "rate that rises over a million steps, taken from a large model",
        lambda: letters(adam(decays().PolynomialDecay(1e-9, 1_000_000, 1e-3)), 1, steps=200),
    )
    add(
        "tea-clip",
        SLOW,
        "gradients clipped to a norm of 1e-5",
        lambda: plain(tea(), (32, 32), "relu", sgd(0.05, global_clipnorm=1e-5)),
    )


def stalled(add: Callable[..., None]) -> None:
    """Heads, penalties, noise and data that do not let the loss fall.

    Learn with a sigmoid (`fungi`: Adam at 3e-3), with meadows of the same rows and no penalty
    (`bees`: Adam at 2e-3), without noise (`tea`: SGD at 0.05 with momentum; `snow`: SGD at 0.02
    with momentum), with scaled targets and a linear head (`tea`), and with the syllables
    (`rhymes`: Adam at 0.01).
    """
    add(
        "bees-swapped",
        STALLED,
        "meadows of other rows",
        lambda: plain(bees(swapped=True), (12,), "relu", adam(1e-3)),
    )
    add(
        "tea-dropout",
        STALLED,
        "drops 97 % of the values: meant as the share that is kept",
        lambda: plain(tea(), (32, 32), "tanh", adam(1e-3), first=[lay().Dropout(0.97)]),
    )
    add(
        "fungi-softmax1",
        SHUT,
        "softmax of one unit",
        lambda: plain(fungi(), (24,), "relu", adam(3e-3), head=dense(1, "softmax"), strip=True),
        LAST,
    )
    add(
        "bees-l2",
        HELD_DOWN,
        "L2 of 5 on all kernels",
        lambda: plain(
            bees(),
            (24, 24),
            "relu",
            adam(2e-3),
            each=lambda: {"kernel_regularizer": k().regularizers.L2(5.0)},
        ),
    )
    add(
        "rhymes-unknown",
        STALLED,
        "every syllable is an unknown one: vocabulary of another text",
        lambda: sung([lay().Flatten(), dense(16, "relu")], adam(3e-3), unknown=True),
    )
    add(
        "tea-sigmoid-head",
        SHUT,
        "sigmoid for points up to 900",
        lambda: plain(
            tea(raw_y=True), (24, 24), "relu", adam(3e-3), head=dense(1, "sigmoid"), loss="mse"
        ),
        LAST,
    )
    add(
        "snow-noise",
        STALLED,
        "noise with a stddev of 1 on pixels divided by 255",
        lambda: plain(
            snow(),
            (24,),
            "relu",
            adam(1e-3),
            first=[lay().Rescaling(1 / 255), lay().GaussianNoise(1.0), lay().Flatten()],
        ),
    )
    add(
        "fungi-norm1",
        SHUT,
        "normalises a layer of one unit: it is always 0",
        lambda: chain(
            fungi(),
            [dense(24, "relu"), dense(1), lay().LayerNormalization()],
            adam(3e-3),
        ),
    )
    add(
        "fungi-zeros",
        SHUT,
        "all kernels start at 0",
        lambda: plain(
            fungi(),
            (24, 24),
            "relu",
            adam(3e-3),
            init=lambda: "zeros",
            head=dense(1, "sigmoid", "zeros"),
        ),
    )
