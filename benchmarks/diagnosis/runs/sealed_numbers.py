"""The ``S-`` runs in which numbers are none."""

from __future__ import annotations

from collections.abc import Callable

from benchmarks.diagnosis.runs.base import NONFINITE
from benchmarks.diagnosis.runs.models import adam, dense, k, opts
from benchmarks.diagnosis.runs.sealed_models import (
    angular,
    coder,
    correlation,
    encoder,
    fit,
    log_cosh,
    mixture,
    plain,
    tweedie,
    unit,
)
from benchmarks.diagnosis.runs.unseen_models import own


def nonfinite(add: Callable[..., None]) -> None:
    """Functions outside of what they take.

    Learn with log1p, a mask of -1e9, an epsilon below the root, Keras' own ``log_cosh``, an
    exponential head, unit classes and a clip, a logarithmic density of standardised targets, and
    an epsilon of 1e-4.
    """
    add(
        "loans-log",
        NONFINITE,
        "log of late payments, often 0",
        lambda: fit("loans-raw", [own(k().ops.log), dense(24, "relu")], adam(3e-3)),
    )
    add(
        "intent-mask",
        NONFINITE,
        "mask of -inf, and a request without a word",
        lambda: encoder("intent-empty", 1, adam(2e-3), mask=-float("inf")),
    )
    add(
        "segments-correlation",
        NONFINITE,
        "correlation with an empty picture",
        lambda: coder(adam(2e-3), correlation, blank=0.02, baseline=1.0),
    )
    add(
        "engine-log-cosh",
        NONFINITE,
        "cosh of errors up to 300",
        lambda: plain("engine-raw", 2, 30, "relu", adam(1e-2), loss=log_cosh, baseline=65.9),
    )
    add(
        "bikes-tweedie",
        NONFINITE,
        "root of a negative mean",
        lambda: plain("bikes-rawy", 2, 30, "tanh", opts().Nadam(1e-2), loss=tweedie, baseline=8.5),
    )
    add(
        "sectors-angular",
        NONFINITE,
        "arccos of a product with classes that have no unit length",
        lambda: fit(
            "sectors",
            [dense(40, "relu"), dense(40, "relu"), dense(2), own(unit)],
            adam(1e-2),
            dense(5, use_bias=False),
            loss=angular,
            baseline=2.0,
        ),
    )
    add(
        "engine-mixture",
        NONFINITE,
        "densities that underflow",
        lambda: plain(
            "engine-raw", 1, 30, "tanh", adam(1e-2), head=dense(9), loss=mixture, baseline=5.8
        ),
    )
    add(
        "teacher-float16",
        NONFINITE,
        "float16 all over, epsilon that is 0 there",
        lambda: plain(
            "teacher", 2, 40, "relu", adam(3e-3, epsilon=1e-8), each={"dtype": "float16"}
        ),
    )
