"""The ``E-`` runs in which numbers are none."""

from __future__ import annotations

from collections.abc import Callable

from benchmarks.diagnosis.runs.base import BLOWN, FIRST, NONFINITE
from benchmarks.diagnosis.runs.envoy_data import (
    buttons,
    calls,
    cheese,
    claims,
    drum,
    pleats,
    soil,
    tram,
)
from benchmarks.diagnosis.runs.envoy_models import (
    bare_log_loss,
    counted,
    laplace,
    lay,
    mapped,
    mlp,
    per_picture,
    per_row,
    picked_log,
    ratio_error,
    ridden,
    root_error,
    row,
    seen,
    shares,
)
from benchmarks.diagnosis.runs.models import adam, dense, k, sgd


def nonfinite(add: Callable[..., None]) -> None:
    """Functions outside of what they take, missing numbers, and divisions by 0.

    Learn with an exponential (`cheese-log`: Adam at 3e-3, bias of 8) or a softplus (`calls`,
    `claims`: Adam at 2e-3 to 5e-3) as head, with all values and Keras' losses (`soil`, `tram`,
    `cheese`, `pleats`: Adam at 3e-3 or 5e-3; `riders`: rate as it is), with pixels as they are
    (`buttons`: Adam at 3e-3), ReLU (`cheese-cubes`: rate as it is), and all samples (`drum`: LSTM,
    Adam at 0.01).
    """
    add(
        "cheese-log",
        NONFINITE,
        "log of a ratio, linear head that starts around 0",
        lambda: mlp(cheese(raw_y=True), (20, 20), "relu", adam(), loss=ratio_error, baseline=0.06),
    )
    add(
        "soil-gaps",
        NONFINITE,
        "some values are missing",
        lambda: mlp(soil(gaps=0.003), (20, 20), "relu", adam()),
        FIRST,
    )
    add(
        "tram-bare-loss",
        NONFINITE,
        "own cross-entropy, counts in thousands: log of 0",
        lambda: mlp(tram(raw=True), (16,), "relu", adam(), loss=bare_log_loss, baseline=0.69),
    )
    add(
        "cheese-per-row",
        NONFINITE,
        "rows divided by their deviation, some are empty",
        lambda: mlp(cheese(hollow=0.02), (20,), "tanh", adam(), first=[mapped(per_row, (7,))]),
        FIRST,
    )
    add(
        "riders-endless",
        NONFINITE,
        "a share of 0: infinite in some rows",
        lambda: ridden(sgd(0.05, 0.9), (20,), endless=0.005),
    )
    add(
        "calls-poisson",
        NONFINITE,
        "log of a mean that a linear head gives",
        lambda: mlp(calls(), (20,), "tanh", adam(3e-3), loss=counted, baseline=0.52),
    )
    add(
        "claims-width",
        NONFINITE,
        "log of a width that a linear head gives",
        lambda: mlp(
            claims(), (20, 20), "tanh", adam(3e-3), head=dense(2), loss=laplace, baseline=1.91
        ),
    )
    add(
        "pleats-lost",
        NONFINITE,
        "some targets are missing",
        lambda: mlp(pleats(lost=0.003), (20, 5, 20), "tanh", adam(2e-3), loss="mse"),
    )
    add(
        "buttons-per-picture",
        NONFINITE,
        "pictures divided by their sum, some are empty",
        lambda: seen(
            (8,),
            "relu",
            adam(2e-3),
            data=buttons(blank=0.02),
            first=[lay().Activation(per_picture)],
        ),
        FIRST,
    )
    add(
        "soil-shares",
        NONFINITE,
        "own softmax of raw values: exponentials overflow",
        lambda: mlp(
            soil(raw=True),
            (20,),
            "relu",
            adam(),
            head=lay().Dense(5, shares),
            loss=picked_log,
            baseline=1.61,
        ),
    )
    add(
        "calls-root",
        NONFINITE,
        "root of a count that a linear head gives",
        lambda: mlp(calls(), (20, 20), "relu", adam(2e-3), loss=root_error, baseline=0.84),
    )
    add(
        "soil-log-features",
        NONFINITE,
        "second of three layers takes the log of ReLUs",
        lambda: row(
            soil(),
            [
                dense(16, "tanh"),
                lay().Dense(12, lambda h: k().ops.log(k().ops.relu(h))),
                dense(16, "relu"),
            ],
            adam(2e-3),
        ),
        1,
    )
    add(
        "drum-lost",
        NONFINITE,
        "some samples are missing, LSTM",
        lambda: row(drum(24, lost=0.001), [lay().LSTM(12)], adam(2e-3), steps=120),
        FIRST,
    )
    add(
        "cheese-cubes",
        BLOWN,
        "cubes in five layers",
        lambda: mlp(
            cheese(), (20,) * 5, lambda h: h**3, sgd(0.05), init=lambda: "he_normal", steps=120
        ),
    )
