"""Runs of the ``T-`` part whose rate, or the scale of whose loss, is too high."""

from __future__ import annotations

from typing import Any

from benchmarks.diagnosis.runs import trove_data as data
from benchmarks.diagnosis.runs.base import BLOWN, KILLED, Family, Setup
from benchmarks.diagnosis.runs.models import adam, dense, k, opts, sgd
from benchmarks.diagnosis.runs.trove_models import (
    conv,
    lay,
    mlp,
    pictures,
    price,
    schedules,
    signals,
)


def runs() -> list[Any]:
    family = Family("T-")
    _rates(family)
    return family.runs


def _rates(family: Family) -> None:
    sick = family.sick
    sick(
        "linear-regression-raw",
        BLOWN,
        "Linear regression of raw areas and years by SGD at its default rate",
        lambda: price([dense(1)], sgd(0.01), raw=True, steps=150),
    )
    sick(
        "prices-in-thousands",
        BLOWN,
        "Targets of hundreds of thousands, SGD at 0.01",
        lambda: price([dense(32, "relu"), dense(1)], sgd(0.01), times=2e5, steps=150),
    )
    sick(
        "sgd-rate-2",
        KILLED,
        "SGD at 2.0 for a small ReLU regression",
        lambda: price([dense(32, "relu"), dense(32, "relu"), dense(1)], sgd(2.0), steps=150),
    )
    sick(
        "adam-rate-2",
        (*KILLED, "stalled"),
        "Adam at 2.0 in place of 2e-3, a ReLU CNN",
        lambda: pictures([conv(8), conv(16), conv(16)], adam(2.0), steps=150),
    )
    sick(
        "rmsprop-0.5-conv1d",
        (*KILLED, "stalled"),
        "RMSprop at 0.5 for a 1D CNN",
        lambda: signals(
            [lay().Conv1D(16, 5, activation="relu") for _ in range(3)],
            opts().RMSprop(0.5),
            steps=150,
        ),
    )
    sick(
        "momentum-0.999",
        KILLED,
        "Momentum of 0.999 at a rate of 0.1: a step lasts a thousand",
        lambda: price([dense(32, "relu"), dense(32, "relu"), dense(1)], sgd(0.1, 0.999)),
    )
    sick(
        "rate-finder-left-on",
        KILLED,
        "The rate finder's exponential growth was never stopped",
        lambda: price(
            [dense(32, "relu"), dense(1)], sgd(schedules().ExponentialDecay(1e-3, 20, 2.5))
        ),
    )
    sick(
        "loss-times-1e4",
        BLOWN,
        "loss_weights of 1e4 for a head, under SGD",
        lambda: price([dense(32, "tanh"), dense(1)], sgd(0.01), factor=1e4, steps=150),
    )
    sick(
        "restart-too-hot",
        KILLED,
        "A trained network is resumed with a hundred times its rate",
        lambda: _resumed(),
    )
    sick(
        "ascent",
        BLOWN,
        "A sign error in a custom loss: the squared error is maximised",
        lambda: _ascent(),
    )


def _resumed() -> Setup:
    steps = schedules().PiecewiseConstantDecay([151], [0.02, 2.0])
    layers = [dense(32, "relu"), dense(16, "relu"), dense(1)]
    return price(layers, sgd(steps), silent_steps=150, steps=150)


def _ascent() -> Setup:
    x, y = data.house()
    loss = lambda a, p: k().ops.mean(2.0 - k().ops.square(a - p), -1)
    model = mlp(5, (24,), "tanh", dense(1))
    return Setup(model, x, y, loss, sgd(0.05), 32, 200, baseline=1.0)
