"""The ``E-`` runs: a hold-out part, written by someone who had read neither rules nor remedies.

Mistakes that people make most often with Keras, and networks that only look sick, on data and
models that no other part has.  Every sick run is a task that can be learned: each group says with
what, which was tried.  Labels were checked against outcomes only.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarks.diagnosis.runs import envoy_flow, envoy_large, envoy_numbers
from benchmarks.diagnosis.runs.base import LAST, SHUT, SLOW, STALLED, Family
from benchmarks.diagnosis.runs.envoy_data import cheese, herbs, ledger, pleats, ripples, soil, tram
from benchmarks.diagnosis.runs.envoy_healthy import healthy
from benchmarks.diagnosis.runs.envoy_models import (
    eaten,
    l2,
    lay,
    mlp,
    rates,
    ridden,
    row,
    seen,
    spelled,
)
from benchmarks.diagnosis.runs.models import adam, dense, normal, opts, sgd

PRESSED = ("stalled", "vanishing", "dead")
"""A penalty or a value that leaves nothing of the signal, or of the gradient."""


def runs() -> list[Any]:
    """Healthy ones first."""
    family = Family("E-")
    add = family.sick
    healthy(family.fine)
    envoy_flow.vanishing(add)
    envoy_flow.through_time(add)
    envoy_large.exploding(add)
    envoy_large.dead(add)
    envoy_numbers.nonfinite(add)
    slow(add)
    stalled(add)
    return family.runs


def slow(add: Callable[..., None]) -> None:
    """Steps that are too small.

    Learn with rates of 0.05 (SGD with momentum, `tram`, `ledger`), 0.1 (SGD, `herbs`), 0.01 (SGD,
    `soil`; Adam, `menus`), 5e-3 (Adam, `vowels`) and 3e-3 (RMSprop, `riders`; Adam, `buttons`).
    """
    add(
        "tram-sgd",
        SLOW,
        "SGD at a rate of 1e-6",
        lambda: mlp(tram(), (24, 24), "relu", sgd(1e-6, 0.9)),
    )
    add(
        "buttons-adam",
        SLOW,
        "Adam at a rate of 1e-7, trained for 130 steps",
        lambda: seen((8, 8), "relu", adam(1e-7), steps=130),
    )
    add(
        "menus-adagrad",
        SLOW,
        "embeddings under Adagrad at a rate of 1e-4",
        lambda: eaten([lay().GlobalAveragePooling1D(), dense(12, "relu")], opts().Adagrad(1e-4)),
    )
    add(
        "ledger-lstm",
        SLOW,
        "LSTM under SGD at a rate of 1e-5",
        lambda: row(ledger(25), [lay().LSTM(12)], sgd(1e-5), steps=120),
    )
    add(
        "riders-rmsprop",
        SLOW,
        "RMSprop at a rate of 1e-7",
        lambda: ridden(opts().RMSprop(1e-7), (24,)),
    )
    add(
        "soil-decay",
        SLOW,
        "rate that is halved at every step, meant for every epoch",
        lambda: mlp(soil(), (24,), "relu", sgd(rates().ExponentialDecay(0.003, 1, 0.5))),
    )
    add(
        "vowels-warm",
        SLOW,
        "rate that rises over two million steps",
        lambda: spelled(adam(rates().PolynomialDecay(1e-9, 2_000_000, 1e-3)), 1, steps=150),
    )
    add(
        "herbs-clip",
        SLOW,
        "every element of a gradient clipped to 1e-6",
        lambda: mlp(herbs(), (24, 24), "tanh", sgd(0.1, clipvalue=1e-6)),
    )


def stalled(add: Callable[..., None]) -> None:
    """Heads, penalties, noise and data that do not let the loss fall.

    Learn with crops of the same rows and no penalty (`soil`: Adam at 3e-3), with a sigmoid (`tram`:
    Adam at 5e-3), without noise (`ripples`: SGD at 0.02 with momentum), with the dishes
    (`menus`: rate as it is), and with a linear head (`soil-number`, `pleats`: rate as it is;
    `cheese`, cents: Adam at 0.02).
    """
    add(
        "soil-mixed",
        STALLED,
        "crops of other rows",
        lambda: mlp(soil(mixed=True), (8,), "relu", adam(1e-3)),
    )
    add(
        "tram-softmax1",
        SHUT,
        "softmax of one unit",
        lambda: mlp(tram(), (20,), "relu", adam(3e-3), head=dense(1, "softmax"), strip=True),
        LAST,
    )
    add(
        "soil-l2",
        PRESSED,
        "L2 of 10 on all kernels",
        lambda: mlp(soil(), (20, 20), "relu", adam(0.01), each=lambda: l2(10.0)),
    )
    add(
        "menus-unknown",
        STALLED,
        "every dish is an unknown one",
        lambda: eaten([lay().Flatten(), dense(12, "relu")], adam(3e-3), unknown=True),
    )
    add(
        "cheese-sigmoid-head",
        SHUT,
        "sigmoid for cents",
        lambda: mlp(
            cheese(raw_y=True), (20,), "relu", adam(3e-3), head=dense(1, "sigmoid"), loss="mse"
        ),
        LAST,
    )
    add(
        "ripples-noise",
        STALLED,
        "noise with a stddev of 1 on values divided by 30",
        lambda: mlp(
            ripples(),
            (20,),
            "tanh",
            adam(1e-3),
            first=[lay().Flatten(), lay().Rescaling(1 / 30), lay().GaussianNoise(1.0)],
        ),
    )
    add(
        "tram-norm1",
        SHUT,
        "normalises a layer of one unit: it is always 0",
        lambda: row(tram(), [dense(20, "relu"), dense(1), lay().LayerNormalization()], adam(3e-3)),
    )
    add(
        "soil-zeros",
        SHUT,
        "all kernels start at 0",
        lambda: mlp(
            soil(),
            (20, 20),
            "relu",
            adam(3e-3),
            init=lambda: "zeros",
            head=dense(5, "softmax", "zeros"),
        ),
    )
    add(
        "soil-number",
        SHUT,
        "softmax of one unit for crops numbered 0 to 4, squared error",
        lambda: mlp(
            soil(number=True), (20,), "relu", adam(3e-3), head=dense(1, "softmax"), loss="mse"
        ),
        LAST,
    )
    add(
        "pleats-sigmoid-head",
        SHUT,
        "sigmoid for heights from -9 to -3",
        lambda: mlp(pleats(lift=-7.0), (20, 5, 20), "tanh", adam(5e-3), head=dense(28, "sigmoid")),
        LAST,
    )
    add(
        "tram-saturated",
        SHUT,
        "head that starts with a stddev of 2000: saturated, squared error",
        lambda: mlp(
            tram(),
            (20,),
            "relu",
            sgd(0.01),
            head=dense(1, "sigmoid", normal(2000.0)),
            loss="mse",
        ),
        LAST,
    )
