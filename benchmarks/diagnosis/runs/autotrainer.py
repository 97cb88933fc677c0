"""AUTOTRAINER (Zhang et al., ICSE 2021): section A of the corpus, rebuilt from published facts.

The rows that need MNIST or CIFAR (A35 to A41) are trained on digits: what is wrong with them is
depth, activation or initialisation, which does not depend on the pictures.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from benchmarks.diagnosis.runs.base import (
    BLOWN,
    FIRST,
    HEALTHY,
    KILLED,
    NO_FLOW,
    VANISHING,
    Family,
    Setup,
)
from benchmarks.diagnosis.runs.data import blob, circle
from benchmarks.diagnosis.runs.models import (
    adam,
    deep,
    dense,
    dig,
    dig_deep,
    he_u,
    k,
    sgd,
    stack,
    uniform,
)

TRAINED = 700
"""AUTOTRAINER's rows; the other 300 validate."""


def autotrainer(
    data: str,
    depth: int,
    act: str,
    init: Any = he_u,
    opt: Any = None,
    batch: int = 0,
    steps: int = 400,
    head: Callable[[int], Any] | None = None,
    units: int = 5,
) -> Setup:
    """Stack of 5 units a layer on circle ("C") or blob ("B"), with AUTOTRAINER's own defaults."""
    x, y = circle() if data == "C" else blob()
    out, loss = (1, "bce") if data == "C" else (3, "cce")
    last = head(out) if head else dense(out, "sigmoid", he_u)
    return Setup(
        deep(2, depth, units, act, init, last),
        x[:TRAINED],
        y[:TRAINED],
        loss,
        opt() if opt else adam(),
        batch or (128 if data == "C" else 256),
        steps,
        held=(x[TRAINED:], y[TRAINED:]),
    )


def lenet(
    act: str,
    filters: tuple[int, int],
    hidden: list[tuple[int, str]],
    init: Any,
    opt: Any,
    l2: float = 0.0,
) -> Setup:
    """Two convolutions with pooling, then dense layers of (units, activation)."""
    layers: list[Any] = [k().layers.Reshape((8, 8, 1))]
    for n in filters:
        conv = k().layers.Conv2D(n, 5, padding="same", activation=act, kernel_initializer=init())
        layers += [conv, k().layers.MaxPooling2D()]
    layers.append(k().layers.Flatten())
    for units, kind in hidden:
        regular = k().regularizers.L2(l2) if l2 else None
        layers.append(dense(units, kind, init(), kernel_regularizer=regular))
    return dig(lambda: stack(64, [*layers, dense(10, "softmax", init())]), opt, steps=250)


def runs() -> list[Any]:
    """Rows A1 to A41."""
    family = Family()
    add = family.add
    for n, row in ((8, "A1"), (11, "A2"), (12, "A3"), (13, "A4")):
        add(
            f"AT-C-sig{n}",
            VANISHING,
            lambda n=n: autotrainer("C", n, "sigmoid"),
            source=row,
            first_sick=FIRST,
        )
    for n, row in ((11, "A20"), (12, "A21")):
        add(
            f"AT-B-sig{n}",
            VANISHING,
            lambda n=n: autotrainer("B", n, "sigmoid"),
            source=row,
            first_sick=FIRST,
        )
    for d, n, row in (("C", 8, "A8"), ("C", 9, "A9"), ("B", 8, "A23"), ("B", 9, "A24")):
        add(
            f"AT-{d}-reluRU{n}",
            NO_FLOW,
            lambda d=d, n=n: autotrainer(d, n, "relu", uniform),
            source=row,
            first_sick=FIRST,
        )
    exponential = (("C", 8, "A10"), ("C", 9, "A11"), ("C", 10, "A12"))
    for d, n, row in (*exponential, ("B", 8, "A25"), ("B", 9, "A26"), ("B", 10, "A27")):
        add(
            f"AT-{d}-exp{n}",
            BLOWN,
            lambda d=d, n=n: autotrainer(d, n, "exponential", steps=80),
            source=row,
        )
    for n, row in ((15, "A5"), (16, "A6"), (17, "A7")):
        add(f"AT-C-relu{n}", NO_FLOW, lambda n=n: autotrainer("C", n, "relu"), source=row)
    add("AT-B-relu15", NO_FLOW, lambda: autotrainer("B", 15, "relu"), source="A22")
    add(
        "X-C-sig8-sgd",
        VANISHING,
        lambda: autotrainer("C", 8, "sigmoid", opt=lambda: sgd(0.1)),
        source="A1 with SGD",
        first_sick=FIRST,
    )
    add(
        "AT-B-adagrad1",
        None,
        lambda: autotrainer("B", 5, "tanh", opt=lambda: k().optimizers.Adagrad(1.0)),
        source="A29",
    )
    rows = {5: "A14", 8: "A15", 11: "A16", 14: "A17", 17: "A18"}
    for d in "CB":
        for n, row in rows.items():
            add(
                f"AT-{d}-tanh{n}",
                HEALTHY,
                lambda d=d, n=n: autotrainer(d, n, "tanh", steps=600),
                source=row if d == "C" else "A28",
            )
    add(
        "X-C-tanh8-sgd",
        HEALTHY,
        lambda: autotrainer("C", 8, "tanh", opt=lambda: sgd(0.1)),
        source="A15 with SGD",
    )
    add(
        "AT-B-adagrad.1",
        HEALTHY,
        lambda: autotrainer("B", 5, "tanh", opt=lambda: k().optimizers.Adagrad(0.1), batch=64),
        source="A30",
    )
    add(
        "AT-B-tanh17-betas",
        HEALTHY,
        lambda: autotrainer("B", 17, "tanh", opt=lambda: adam(beta_1=0.3897, beta_2=0.4435)),
        source="A31",
    )
    later(functools.partial(add, later=True))
    return family.runs


def later(add: Callable[..., None]) -> None:
    """Rows that were rebuilt together with the hold-out part."""
    add("AT-C-exp11", BLOWN, lambda: autotrainer("C", 11, "exponential", steps=80), source="A13")
    add(
        "AT-C-tanh14-tn",
        HEALTHY,
        lambda: autotrainer(
            "C", 14, "tanh", steps=600, head=lambda n: dense(n, "sigmoid", "truncated_normal")
        ),
        source="A17",
    )
    odd = {"kernel_initializer": "zeros", "bias_initializer": "ones"}
    add(
        "AT-C-tanh5-zeros",
        HEALTHY,
        lambda: autotrainer(
            "C", 5, "tanh", steps=1500, head=lambda n: k().layers.Dense(n, "sigmoid", **odd)
        ),
        source="A19",
        revision=1,
    )
    for name, init in (("zeros", "zeros"), ("ones", "ones"), ("RU", "random_uniform")):
        add(
            f"AT-B-tanh5-{name}",
            HEALTHY,
            lambda init=init: autotrainer(
                "B", 5, "tanh", steps=600, head=lambda n: dense(n, "sigmoid", init)
            ),
            source="A28",
        )
    add(
        "AT-C-tanh5-betas",
        HEALTHY,
        lambda: autotrainer(
            "C", 5, "tanh", opt=lambda: adam(beta_1=0.3499, beta_2=0.1259), batch=32, steps=1200
        ),
        source="A32",
        revision=1,
    )
    softmax = lambda n: dense(n, "softmax")
    add(
        "AT-B-osc",
        None,
        lambda: autotrainer(
            "B", 1, "relu", opt=lambda: sgd(0.01, 0.9), batch=1, steps=800, head=softmax, units=50
        ),
        source="A33, oscillates by its learning rate and batches of one row",
    )
    add(
        "AT-B-reluhead",
        (*KILLED, "stalled"),
        lambda: autotrainer(
            "B", 5, "tanh", opt=lambda: adam(1e-4), head=lambda n: dense(n, "relu", he_u)
        ),
        source="A34, a ReLU head before cross-entropy",
    )
    add(
        "AT-dig-relu34",
        NO_FLOW,
        lambda: dig_deep(34, "relu", adam(), units=128, batch=32, steps=200),
        source="A35 on digits; dies for some seeds",
    )
    add(
        "AT-dig-relu20",
        None,
        lambda: dig_deep(20, "relu", adam(), units=128, batch=32, steps=250),
        source="A36 on digits; oscillates for some seeds",
    )
    he = lambda: "he_normal"
    sig = [(120, "sigmoid"), *[(84, "sigmoid")] * 7]
    add(
        "AT-dig-lenet-sig",
        VANISHING,
        lambda: lenet("sigmoid", (6, 16), sig, he, adam(), 1e-4),
        source="A37 on digits",
        first_sick=FIRST,
    )
    add(
        "AT-dig-conv-sig",
        VANISHING,
        lambda: lenet("sigmoid", (32, 64), sig, he, adam()),
        source="A38 on digits",
        first_sick=FIRST,
    )
    exp = [(120, "exponential"), *[(84, "exponential")] * 4]
    add(
        "AT-dig-conv-exp",
        BLOWN,
        lambda: lenet("exponential", (32, 64), exp, he, adam()),
        source="A39 on digits",
    )
    for n in (16, 20):
        hidden = [*[(64, "relu")] * n, (32, "relu")]
        add(
            f"AT-dig-lenetRU{n}",
            NO_FLOW,
            lambda hidden=hidden: lenet("relu", (32, 64), hidden, uniform, adam()),
            source="A40 on digits",
            first_sick=FIRST,
        )
    for n in (1, 7, 13):
        hidden = [(120, "relu"), *[(84, "relu")] * n]
        add(
            f"AT-dig-lenet{n}",
            HEALTHY,
            lambda hidden=hidden: lenet("relu", (6, 16), hidden, he, adam()),
            source="A41 on digits",
        )
