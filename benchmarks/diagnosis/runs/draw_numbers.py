"""The ``D-`` runs in which numbers are none."""

from __future__ import annotations

from collections.abc import Callable

from benchmarks.diagnosis.runs.base import BLOWN, FIRST, NONFINITE
from benchmarks.diagnosis.runs.draw_data import (
    bees,
    ferns,
    fungi,
    gusts,
    knots,
    ropes,
    tally,
    tea,
)
from benchmarks.diagnosis.runs.draw_models import (
    brightened,
    chain,
    lay,
    log_error,
    mapping,
    own_entropy,
    own_log_loss,
    own_softmax,
    plain,
    poisson,
    priced,
    roped,
    share_of_sum,
    student,
    unit,
)
from benchmarks.diagnosis.runs.models import adam, dense, k, sgd


def nonfinite(add: Callable[..., None]) -> None:
    """Functions outside of what they take, missing numbers, and divisions by 0.

    Learn with a softplus (`tea-log`: Adam at 3e-3, bias of 300; `ferns`: Adam at 5e-3), with all
    values and Keras' losses (`bees`, `fungi`, `gusts`: Adam at 2e-3 or 3e-3), with ReLU (`knots`,
    `stalls`: SGD at 0.05 with momentum), tanh (`tea`: the same) and all counts (`tally`: rate as it
    is), and with all targets (`ropes`: rate as it is).
    """
    add(
        "tea-log",
        NONFINITE,
        "difference of logs, linear head that starts around 0",
        lambda: plain(tea(raw_y=True), (24, 24), "relu", adam(), loss=log_error, baseline=0.08),
    )
    add(
        "bees-gaps",
        NONFINITE,
        "some values are missing",
        lambda: plain(bees(gaps=0.004), (24, 24), "relu", sgd(0.05)),
        FIRST,
    )
    add(
        "fungi-own-loss",
        NONFINITE,
        "own cross-entropy, grams as they are: log of 0",
        lambda: plain(fungi(raw=True), (24,), "relu", adam(), loss=own_log_loss, baseline=0.69),
    )
    add(
        "tea-unit",
        NONFINITE,
        "rows divided by their length, some are empty",
        lambda: plain(tea(empty=0.01), (24, 24), "tanh", adam(), first=[mapping(unit, (6,))]),
        FIRST,
    )
    add(
        "stalls-endless",
        NONFINITE,
        "a share of 0: infinite in some rows",
        lambda: priced(adam(2e-3), (24, 24), endless=0.01),
    )
    add(
        "ferns-poisson",
        NONFINITE,
        "log of a mean that a ReLU gives",
        lambda: plain(
            ferns(), (24,), "tanh", adam(3e-3), head=dense(1, "relu"), loss=poisson, baseline=0.9
        ),
    )
    add(
        "gusts-width",
        NONFINITE,
        "log of a width that a linear head gives",
        lambda: plain(
            gusts(), (24, 24), "tanh", adam(3e-3), head=dense(2), loss=student, baseline=2.0
        ),
    )
    add(
        "ropes-lost",
        NONFINITE,
        "some targets are missing",
        lambda: plain(ropes(lost=0.002), (24, 5, 24), "tanh", adam(2e-3), loss="mse"),
    )
    add(
        "knots-brightest",
        NONFINITE,
        "pictures divided by their brightest pixel, some are empty",
        lambda: roped(
            (8, 12),
            "relu",
            adam(2e-3),
            data=knots(blank=0.01),
            first=[lay().Activation(brightened)],
        ),
        FIRST,
    )
    add(
        "bees-softmax",
        NONFINITE,
        "own softmax of raw values: exponentials overflow",
        lambda: plain(
            bees(raw=True),
            (24,),
            "relu",
            adam(),
            head=lay().Dense(4, own_softmax),
            loss=own_entropy,
            baseline=1.38,
        ),
    )
    add(
        "bees-shares",
        NONFINITE,
        "second of three layers divides by a sum of ReLUs, which is 0 for some rows",
        lambda: chain(
            bees(),
            [dense(16, "tanh"), lay().Dense(4, share_of_sum), dense(16, "relu")],
            adam(2e-3),
        ),
        1,
    )
    add(
        "tally-gaps",
        NONFINITE,
        "some counts are missing, GRU",
        lambda: chain(tally(20, gaps=0.001), [lay().GRU(16)], adam(2e-3), steps=150),
        FIRST,
    )
    add(
        "tea-powers",
        BLOWN,
        "exponentials in four layers",
        lambda: plain(tea(), (24,) * 4, k().ops.exp, sgd(0.01)),
    )
