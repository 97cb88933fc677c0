"""The hold-out part: written after every rule and threshold that existed then.

Other data, widths, depths, optimizers and kinds of layers than the development part, with the same
kinds of faults.  Nobody tunes on these.  A run may be dropped or its label changed for its outcome
only (it learned, or did not), never for what a rule says about it.  ``LOOKS.md`` counts the looks.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarks.diagnosis.runs.base import (
    BLOWN,
    DEAD,
    EXPLODING,
    FIRST,
    HEALTHY,
    KILLED,
    LAST,
    NO_FLOW,
    NONFINITE,
    SHUT,
    SLOW,
    STALLED,
    VANISHING,
    Family,
    Setup,
)
from benchmarks.diagnosis.runs.holdout_data import (
    adding,
    opening,
    waves,
)
from benchmarks.diagnosis.runs.holdout_models import (
    bag,
    coder,
    conv1d,
    deep_residual,
    dilated,
    experts,
    flipped,
    gate_bias,
    grouped,
    highway,
    killed,
    layered,
    logarithm,
    patches,
    pictures,
    plain,
    post_norm,
    raw_headed,
    raw_impedance,
    rnn,
    separable_residual,
    sequence,
    several_labels,
    shares,
    siamese,
    unet,
    words,
)
from benchmarks.diagnosis.runs.models import (
    adam,
    dense,
    he_u,
    k,
    normal,
    opts,
    random_labels,
    sgd,
    uniform,
)


def runs() -> list[Any]:
    """Healthy ones first."""
    family = Family()
    healthy(family)
    noise(family)
    sick(family)
    return family.runs


def healthy(family: Family) -> None:
    """Networks that learn."""

    def fine(id: str, build: Callable[[], Setup], **more: Any) -> None:
        family.add(f"N-{id}", HEALTHY, build, **more)

    layers = lambda: k().layers
    fine("spiral-relu4", lambda: plain("spiral", 4, 40, "relu", opts().RMSprop(3e-3)))
    fine("spiral-tanh12", lambda: plain("spiral", 12, 20, "tanh", adam(3e-3)))
    fine("spiral-batch4", lambda: plain("spiral", 3, 24, "relu", sgd(0.05), batch=4, steps=800))
    fine(
        "quantiles-prelu",
        lambda: layered(
            "quantiles",
            [f for _ in range(3) for f in (dense(28), layers().PReLU())],
            opts().Nadam(5e-3),
        ),
    )
    fine("quantiles-softplus4", lambda: plain("quantiles", 4, 28, "softplus", adam(5e-3)))
    fine("class4-highway", lambda: highway(6, adam(3e-3)))
    fine("class4-experts", lambda: experts(opts().AdamW(3e-3)))
    fine("class4-mish8", lambda: plain("class4", 8, 36, "mish", opts().Adafactor(1e-2)))
    fine("class4-leaky5", lambda: plain("class4", 5, 36, "leaky_relu", opts().Adamax(5e-3)))
    fine("class4-noise40", lambda: flipped(0.4, adam(2e-3)))
    fine(
        "class4-loss1e3",
        lambda: plain("class4", 3, 36, "relu", sgd(5e-5, 0.9), factor=1e3),
    )
    fine("class4-loss1e-3", lambda: plain("class4", 3, 36, "relu", adam(2e-3), factor=1e-3))
    fine(
        "hastie-selu8",
        lambda: plain("hastie", 8, 40, "selu", adam(1e-3), lambda: "lecun_normal", steps=400),
    )
    fine(
        "hastie-bn",
        lambda: layered(
            "hastie",
            [
                f
                for _ in range(4)
                for f in (dense(48), layers().BatchNormalization(), layers().ReLU())
            ],
            sgd(0.05, 0.9),
            steps=400,
        ),
    )
    decay = lambda: k().optimizers.schedules.ExponentialDecay(1e-2, 50, 0.7)
    fine("hastie-decay", lambda: plain("hastie", 2, 64, "relu", adam(decay()), steps=400))
    fine("roll-huber", lambda: plain("roll", 3, 48, "relu", adam(5e-3), loss="huber"))
    fine("roll-elu6", lambda: plain("roll", 6, 24, "elu", adam(3e-3), steps=400))
    fine("impedance-mae", lambda: plain("impedance", 2, 40, "gelu", opts().Nadam(3e-3), loss="mae"))
    fine("impedance-raw", lambda: raw_impedance(adam(0.03)))
    fine(
        "impedance-l2",
        lambda: layered(
            "impedance",
            [dense(40, "relu", kernel_regularizer=k().regularizers.L2(3e-3)) for _ in range(2)],
            sgd(0.02, 0.9),
        ),
    )
    fine("waves-conv1d", lambda: conv1d(4, "relu", opts().Nadam(2e-3)))
    fine("waves-dilated", lambda: dilated(adam(5e-3)))
    fine("waves-tuned", lambda: conv1d(3, "relu", adam(1e-4), silent_steps=500))
    fine(
        "waves-bigru",
        lambda: sequence(
            waves(),
            [layers().Bidirectional(layers().GRU(12))],
            "cce",
            opts().AdamW(5e-3),
            steps=250,
        ),
    )
    fine("bars-groupnorm", lambda: grouped(opts().AdamW(3e-3)), revision=1)
    fine("bars-separable", lambda: separable_residual(opts().RMSprop(3e-3)))
    fine("bars-patches", lambda: patches(adam(2e-3)))
    fine("squares-unet", lambda: unet(adam(5e-3)))
    fine("squares-coder", lambda: coder(adam(5e-3)))
    fine("pairs-siamese", lambda: siamese(adam(3e-3)))
    fine("pairs-frozen", lambda: siamese(adam(3e-3), frozen=True))
    fine("several-labels", lambda: several_labels("sigmoid", opts().Adamax(5e-3)))
    fine("bag-adamw", lambda: bag(opts().AdamW(3e-2)))
    warm = lambda: k().optimizers.schedules.CosineDecay(
        0.0, 400, warmup_target=5e-3, warmup_steps=60
    )
    fine("order-postnorm", lambda: post_norm(adam(warm())))
    fine(
        "order-lstm2",
        lambda: words([layers().LSTM(24, return_sequences=True), layers().LSTM(16)], adam(1e-2)),
    )
    fine(
        "adding-gru",
        lambda: sequence(adding(), [layers().GRU(24)], "mse", adam(1e-2), steps=350),
    )


def noise(family: Family) -> None:
    """Healthy networks with nothing to learn."""

    def nothing(id: str, build: Callable[[], Setup]) -> None:
        family.add(
            f"N-noise-{id}",
            HEALTHY,
            lambda: random_labels(build()),
            learnable=False,
            allowed=STALLED,
        )

    nothing("spiral", lambda: plain("spiral", 6, 24, "tanh", adam(1e-3)))
    nothing("waves", lambda: conv1d(4, "relu", opts().RMSprop(1e-3)))
    nothing("order", lambda: words([k().layers.GRU(16)], adam(1e-3)))
    nothing("bars", lambda: grouped(sgd(0.02)))


def sick(family: Family) -> None:
    """One fault each."""

    def add(id: str, expected: tuple[str, ...], build: Callable[[], Setup], **more: Any) -> None:
        family.add(f"N-{id}", expected, build, **more)

    def first(id: str, expected: tuple[str, ...], build: Callable[[], Setup]) -> None:
        add(id, expected, build, first_sick=FIRST)

    layers = lambda: k().layers
    # depth and saturation
    first("spiral-sig10", VANISHING, lambda: plain("spiral", 10, 20, "sigmoid", adam(1e-3)))
    first("waves-conv-sig10", VANISHING, lambda: conv1d(10, "sigmoid", sgd(0.1)))
    first(
        "class4-hard14",
        VANISHING,
        lambda: plain("class4", 14, 30, "hard_sigmoid", opts().Nadam(1e-3)),
    )
    first("quantiles-softmax6", VANISHING, lambda: plain("quantiles", 6, 24, "softmax", sgd(0.1)))
    first(
        "roll-sig9-huber",
        VANISHING,
        lambda: plain("roll", 9, 24, "sigmoid", sgd(0.05), loss="huber"),
    )
    first(
        "bars-cnn-sig9",
        VANISHING,
        lambda: pictures(
            [
                *[layers().Conv2D(10, 3, padding="same", activation="sigmoid") for _ in range(9)],
                layers().GlobalAveragePooling2D(),
            ],
            opts().RMSprop(1e-3),
        ),
    )
    # initial weights
    first(
        "hastie-tanh16-small",
        NO_FLOW,
        lambda: plain("hastie", 16, 40, "tanh", adam(1e-3), lambda: normal(0.03)),
    )
    first(
        "class4-relu14-RU",
        NO_FLOW,
        lambda: plain("class4", 14, 30, "relu", sgd(0.1, 0.9), uniform),
    )
    first(
        "waves-conv-small",
        NO_FLOW,
        lambda: sequence(
            waves(),
            [
                *[
                    layers().Conv1D(16, 3, activation="relu", kernel_initializer=normal(0.01))
                    for _ in range(7)
                ],
                layers().GlobalAveragePooling1D(),
            ],
            "cce",
            adam(3e-4),
        ),
    )
    add(
        "class4-relu18-big",
        BLOWN,
        lambda: plain("class4", 18, 36, "relu", adam(1e-3), lambda: normal(0.8)),
    )
    add(
        "roll-relu9-big",
        BLOWN,
        lambda: plain("roll", 9, 48, "relu", sgd(1e-3), lambda: normal(1.0)),
    )
    first(
        "quantiles-tanh4-big",
        (*SHUT, "exploding"),
        lambda: plain("quantiles", 4, 40, "tanh", sgd(1e-3), lambda: normal(4.0)),
    )
    add("quantiles-exp6", BLOWN, lambda: plain("quantiles", 6, 16, "exponential", adam(), he_u))
    add("class4-residual40", BLOWN, lambda: deep_residual(40, sgd(0.1)))
    # dead layers
    add("class4-deadbias", DEAD, lambda: killed("class4", 2, 4, -25.0, adam()), first_sick=2)
    add("hastie-deadbias", DEAD, lambda: killed("hastie", 0, 3, -30.0, sgd(0.05)), first_sick=0)
    add(
        "bars-deadconv",
        DEAD,
        lambda: pictures(
            [
                layers().Conv2D(12, 3, activation="relu"),
                layers().Conv2D(
                    12, 3, activation="relu", bias_initializer=k().initializers.Constant(-20.0)
                ),
                layers().Flatten(),
            ],
            adam(),
        ),
        first_sick=1,
    )
    first("spiral-relu36x3", NO_FLOW, lambda: plain("spiral", 36, 3, "relu", adam(), he_u))
    first("class4-zeros", NO_FLOW, lambda: plain("class4", 4, 24, "relu", adam(), lambda: "zeros"))
    add(
        "hastie-softmax1",
        DEAD,
        lambda: plain("hastie", 2, 32, "relu", adam(), head=dense(1, "softmax"), strip=True),
        first_sick=LAST,
    )
    add(
        "roll-relu-head",
        DEAD,
        lambda: plain(
            "roll",
            2,
            32,
            "relu",
            sgd(0.01),
            head=dense(1, "relu", bias_initializer=k().initializers.Constant(-60.0)),
        ),
        first_sick=LAST,
    )
    # learning rates
    add("hastie-lr3", KILLED, lambda: plain("hastie", 3, 48, "relu", adam(3.0)))
    add("spiral-sgd30", KILLED, lambda: plain("spiral", 3, 32, "relu", sgd(30.0)))
    add("class4-tanh-sgd20", EXPLODING, lambda: plain("class4", 3, 32, "tanh", sgd(20.0)))
    add("waves-conv-lr2", KILLED, lambda: conv1d(4, "relu", opts().RMSprop(2.0)))
    add("order-postnorm-lr1", ("exploding", "dead"), lambda: post_norm(adam(1.0)))
    add("impedance-raw-sgd", KILLED, lambda: raw_impedance(sgd(0.01), 150))
    add("impedance-rawx-sgd", KILLED, lambda: raw_impedance(sgd(1e-3), 150, inputs=True))
    add("class4-adam1e-6", SLOW, lambda: plain("class4", 3, 32, "relu", adam(1e-6)))
    add("waves-sgd1e-5", SLOW, lambda: conv1d(3, "relu", sgd(1e-5)))
    add("bars-nadam1e-7", SLOW, lambda: grouped(opts().Nadam(1e-7)))
    add("order-adagrad1e-5", SLOW, lambda: words([k().layers.GRU(16)], opts().Adagrad(1e-5)))
    add("impedance-raw-adam1e-4", SLOW, lambda: raw_impedance(adam(1e-4)))
    # through time
    first(
        "opening-rnn",
        SHUT,
        lambda: sequence(opening(70), [rnn(24, 0.4, "tanh")], "cce", sgd(0.05)),
    )
    first(
        "opening-lstm",
        SHUT,
        lambda: sequence(
            opening(50),
            [layers().LSTM(24, unit_forget_bias=False, bias_initializer=gate_bias(24, 1, 4, -4.0))],
            "cce",
            sgd(0.1),
        ),
    )
    first(
        "opening-gru",
        SHUT,
        lambda: sequence(
            opening(45),
            [layers().GRU(20, bias_initializer=gate_bias(20, 0, 3, -4.0, rows=2))],
            "cce",
            sgd(0.1),
        ),
    )
    first(
        "adding-rnn-explode",
        BLOWN,
        lambda: sequence(adding(50), [rnn(24, 1.7, "linear")], "mse", sgd(0.01), steps=100),
    )
    first(
        "opening-rnn-relu",
        BLOWN,
        lambda: sequence(opening(50), [rnn(24, 1.8, "relu")], "cce", sgd(0.05), steps=100),
    )
    # numbers outside of what a function can take
    add("pairs-root", NONFINITE, lambda: siamese(adam(3e-3), distance=True))
    add(
        "hastie-log",
        NONFINITE,
        lambda: plain(
            "hastie", 2, 48, "relu", sgd(0.5), lambda: normal(1.5), loss=logarithm, baseline=0.693
        ),
    )
    add("quantiles-shares", NONFINITE, lambda: shares(adam(1e-2)))
    # scales, heads, and what drowns the signal
    first("class4-raw-tanh", SHUT, lambda: plain("class4", 5, 32, "tanh", sgd(0.1), gain=200.0))
    add(
        "roll-sigmoid-head",
        (*SHUT, "slow"),
        lambda: raw_headed("sigmoid", adam(1e-3)),
        first_sick=LAST,
    )
    add(
        "class4-dropout.96",
        STALLED,
        lambda: layered(
            "class4",
            [f for _ in range(4) for f in (dense(24, "relu"), k().layers.Dropout(0.96))],
            adam(1e-3),
        ),
    )
    add(
        "hastie-l2-1",
        ("stalled", "vanishing", "dead"),
        lambda: layered(
            "hastie",
            [dense(32, "relu", kernel_regularizer=k().regularizers.L2(1.0)) for _ in range(3)],
            adam(1e-3),
        ),
    )
    first(
        "quantiles-bn-gamma0",
        NO_FLOW,
        lambda: layered(
            "quantiles",
            [
                f
                for _ in range(7)
                for f in (
                    dense(28),
                    k().layers.BatchNormalization(
                        gamma_initializer=k().initializers.Constant(1e-3)
                    ),
                    k().layers.Activation("tanh"),
                )
            ],
            sgd(0.02),
        ),
    )
