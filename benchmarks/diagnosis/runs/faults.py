"""One fault each, on digits or a small set: section D of the corpus, and more."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.diagnosis.runs.base import (
    BLOWN,
    DEAD,
    EXPLODING,
    FIRST,
    KILLED,
    LAST,
    NO_FLOW,
    NONFINITE,
    SHUT,
    SLOW,
    VANISHING,
    Family,
    Setup,
)
from benchmarks.diagnosis.runs.data import diabetes, table
from benchmarks.diagnosis.runs.models import (
    adam,
    attention,
    cnn,
    deep_regression,
    dense,
    dig,
    dig_deep,
    he_u,
    k,
    normal,
    opts,
    recurrent,
    regression,
    residual,
    sgd,
    simple_rnn,
    small,
    stack,
)


def dead_bias(bias: float = -20.0) -> Setup:
    kill = k().initializers.Constant(bias)
    layers = [dense(64, "relu"), dense(64, "relu", bias_initializer=kill), dense(64, "relu")]
    return dig(lambda: stack(64, [*layers, dense(10, "softmax")]), adam(), steps=250)


def small_cnn() -> Setup:
    layers = [
        k().layers.Conv2D(16, 3, padding="same", activation="relu", kernel_initializer=normal(0.02))
        for _ in range(8)
    ]
    pool = k().layers.GlobalAveragePooling2D()
    head = dense(10, "softmax", normal(0.02))
    model = stack(64, [k().layers.Reshape((8, 8, 1)), *layers, pool, head])
    return dig(lambda: model, sgd(0.05, 0.9))


def no_bias(depth: int, std: float, opt: Any) -> Setup:
    layers = [dense(64, "relu", normal(std), use_bias=False) for _ in range(depth)]
    head = dense(10, "softmax", normal(std), use_bias=False)
    return dig(lambda: stack(64, [*layers, head]), opt)


def saturated(act: str = "tanh", gain: float = 50.0) -> Setup:
    """Inputs so large that the first layer is on the flat part of its activation."""
    setup = dig_deep(6, act, sgd(0.1), steps=300)
    setup.x = setup.x * gain
    return setup


def closed_norm(gamma: float, opt: Any) -> Setup:
    """Plain stack whose batch normalisations scale everything to next to nothing."""
    layers: list[Any] = []
    for _ in range(6):
        init = k().initializers.Constant(gamma)
        layers += [dense(64), k().layers.BatchNormalization(gamma_initializer=init)]
        layers.append(k().layers.Activation("tanh"))
    return dig(lambda: stack(64, [*layers, dense(10, "softmax")]), opt)


def tiny_batches(batch: int) -> Setup:
    """Batch normalisation over one or two rows: with one row its output is beta, whatever comes."""
    layers: list[Any] = []
    for _ in range(3):
        layers += [dense(64), k().layers.BatchNormalization(), k().layers.ReLU()]
    model = lambda: stack(64, [*layers, dense(10, "softmax")])
    return dig(model, sgd(0.01), batch=batch, steps=400)


def drowned(rate: float, depth: int, opt: Any) -> Setup:
    layers = [f for _ in range(depth) for f in (dense(32, "relu"), k().layers.Dropout(rate))]
    return dig(lambda: stack(64, [*layers, dense(10, "softmax")]), opt, steps=300)


def pulled(kind: str, strength: float) -> Setup:
    """A penalty on the weights that outweighs the data."""
    penalty = getattr(k().regularizers, kind)(strength)
    layers = [dense(64, "relu", kernel_regularizer=penalty) for _ in range(3)]
    head = dense(10, "softmax", kernel_regularizer=penalty)
    return dig(lambda: stack(64, [*layers, head]), adam(), steps=300)


def dead_with_l2() -> Setup:
    """A dead layer whose L2 term keeps its gradient from zero."""
    kill = k().initializers.Constant(-20.0)
    regular = {"kernel_regularizer": k().regularizers.L2(1e-4)}
    layers = [dense(64, "relu", **regular), dense(64, "relu", bias_initializer=kill, **regular)]
    return dig(lambda: stack(64, [*layers, dense(10, "softmax", **regular)]), adam(), steps=250)


def dead_head(*, negative: bool) -> Setup:
    """A ReLU head for targets that are never positive."""
    x, y = table("friedman")
    y = -np.abs(y) if negative else y
    start = k().initializers.Constant(-30.0)
    model = stack(10, [dense(32, "relu"), dense(1, "relu", bias_initializer=start)])
    return Setup(model, x, y, "mse", sgd(1e-3), 32, 250)


def out_of_range(head: str, scale: float, opt: Any) -> Setup:
    """Targets far outside of what the head can say."""
    x, y = diabetes()
    model = stack(10, [dense(32, "relu"), dense(1, head)])
    return Setup(model, x, 5 * scale + y * scale, "mse", opt, 32, 300)


def through_time(layer: Callable[[], Any], length: int, opt: Any, steps: int = 250) -> Setup:
    return recurrent(layer, length, opt, steps=steps)


def forgetful_lstm(bias: float) -> Any:
    """An LSTM whose forget gate is almost shut from the start."""
    units = 32
    parts = np.zeros(4 * units, "float32")
    parts[units : 2 * units] = bias
    start = lambda shape, dtype=None: k().ops.convert_to_tensor(parts)
    return k().layers.LSTM(units, unit_forget_bias=False, bias_initializer=start)


def forgetful_gru(bias: float) -> Any:
    """A GRU whose update gate always takes the new state."""
    units = 32
    parts = np.zeros((2, 3 * units), "float32")
    parts[0, :units] = bias
    start = lambda shape, dtype=None: k().ops.convert_to_tensor(parts)
    return k().layers.GRU(units, bias_initializer=start)


def scaled_targets(scale: float, opt: Any) -> Setup:
    return regression(opt, scale=scale, steps=300)


def scaled_inputs(scale: float, opt: Any) -> Setup:
    setup = regression(opt, steps=200)
    setup.x = setup.x * scale
    return setup


def raw_pixels(scale: float, opt: Any) -> Setup:
    setup = dig_deep(3, "relu", opt, steps=200)
    setup.x = setup.x * scale
    return setup


def log_of_zero() -> Setup:
    """The logarithm of a ReLU inside the model."""
    keras = k()
    x = entry = keras.Input((64,))
    h = dense(32, "relu")(dense(32, "relu")(x))
    h = keras.layers.Lambda(keras.ops.log)(h)
    return dig(lambda: keras.Model(entry, dense(10, "softmax")(h)), adam(), steps=60)


def divided_by_zero() -> Setup:
    """Features divided by their sum, which is zero for some rows."""
    keras = k()
    entry = keras.Input((64,))
    h = dense(6, "relu")(entry)
    share = lambda v: v / keras.ops.sum(v, axis=-1, keepdims=True)
    h = keras.layers.Lambda(share)(h)
    return dig(lambda: keras.Model(entry, dense(10, "softmax")(h)), adam(1e-2), steps=200)


def zeros() -> Setup:
    """Every kernel starts at zero: no gradient passes a ReLU layer."""
    return dig_deep(3, "relu", adam(), lambda: "zeros")


def runs() -> list[Any]:
    """By cause: depth and activation, initial weights, dead units, rates, time, scales, heads."""
    family = Family()
    add = family.add
    at_first = functools.partial(add, first_sick=FIRST)
    small = lambda: normal(0.02)
    big = lambda: normal(0.5)
    at_first("U-dig-sig6-sgd", VANISHING, lambda: dig_deep(6, "sigmoid", sgd(0.1)), source="D10")
    at_first("U-dig-sig10", VANISHING, lambda: dig_deep(10, "sigmoid", adam()), source="D10")
    at_first("U-dig-sig20-sgd", VANISHING, lambda: dig_deep(20, "sigmoid", sgd(0.1)), source="D10")
    at_first("U-dig-hard30", VANISHING, lambda: dig_deep(30, "hard_sigmoid", adam()))
    at_first(
        "U-dig-relu30-small", NO_FLOW, lambda: dig_deep(30, "relu", adam(), small), source="D11"
    )
    at_first("U-dig-relu12-small", NO_FLOW, lambda: dig_deep(12, "relu", sgd(0.05), small))
    tanh_small = lambda: dig_deep(20, "tanh", adam(), lambda: normal(0.05))
    at_first("U-dig-tanh20-small", NO_FLOW, tanh_small, source="D11")
    add("U-dig-deadbias", DEAD, dead_bias, first_sick=1, source="D13")
    add("U-dig-deadbias5", DEAD, lambda: dead_bias(-8.0), first_sick=1)
    at_first("U-dig-relu8-nobias", NO_FLOW, lambda: no_bias(8, 0.02, sgd(0.05)))
    at_first("U-dig-relu16-nobias", NO_FLOW, lambda: no_bias(16, 0.02, adam()))
    at_first("U-dig-cnn-small", NO_FLOW, small_cnn)
    at_first("U-dig-softmax8", VANISHING, lambda: dig_deep(8, "softmax", adam()))
    at_first("U-dig-sig8-small", VANISHING, lambda: dig_deep(8, "sigmoid", sgd(0.1), small))
    at_first("U-diabetes-sig9", VANISHING, lambda: deep_regression("sigmoid", 9, sgd(0.01)))
    add("U-dig-relu20-big", BLOWN, lambda: dig_deep(20, "relu", adam(), big), source="D12")
    add("U-dig-relu12-big-sgd", BLOWN, lambda: dig_deep(12, "relu", sgd(0.01), big))
    tanh_big = lambda: dig_deep(10, "tanh", sgd(0.1), lambda: normal(0.6))
    add("U-dig-tanh10-big-sgd", EXPLODING, tanh_big, source="D12")
    add(
        "U-dig-lr1-adam",
        ("exploding", "dead"),
        lambda: dig_deep(3, "relu", adam(1.0)),
        source="D14",
    )
    add(
        "U-dig-sgd-lr10",
        ("exploding", "dead"),
        lambda: dig_deep(3, "relu", sgd(10.0)),
        source="D14",
    )
    explode = lambda: recurrent(lambda: simple_rnn(1.6, "linear"), 60, sgd(0.1), steps=150)
    at_first("U-rnn-explode", BLOWN, explode, source="D16")
    plain = lambda: dig(lambda: residual(20, zero=True, norm=False), sgd(0.1, 0.9), steps=300)
    add("U-dig-res20-nonorm", BLOWN, plain)
    learns = lambda: recurrent(lambda: simple_rnn(0.5, "tanh"), 100, adam())
    add("U-rnn-vanish", ("vanishing",), learns, source="D16, Adam learns it", first_sick=FIRST)
    add(
        "U-dig-lr.1-adam",
        ("exploding", "dead"),
        lambda: dig_deep(3, "relu", adam(0.1)),
        source="D14",
    )
    add("U-dig-raw-sat", SHUT, saturated, source="D15", first_sick=FIRST)
    later(functools.partial(add, later=True))
    return family.runs


def later(add: Callable[..., None]) -> None:
    """One or more runs for every cause, added together with the hold-out part."""
    first = functools.partial(add, first_sick=FIRST)
    # saturating activations, depth
    first("U-dig-softsign30", None, lambda: dig_deep(30, "softsign", sgd(0.01)))
    first("U-dig-sig7-rmsprop", VANISHING, lambda: dig_deep(7, "sigmoid", opts().RMSprop(1e-4)))
    first("U-dig-hard12-sgd", VANISHING, lambda: dig_deep(12, "hard_sigmoid", sgd(0.1)))
    first("U-dig-relu50-glorot", NO_FLOW, lambda: dig_deep(50, "relu", sgd(0.05), units=32))
    first("U-dig-gelu30", NO_FLOW, lambda: dig_deep(30, "gelu", sgd(0.05)))
    first("U-dig-swish25", NO_FLOW, lambda: dig_deep(25, "swish", sgd(0.05)))
    first("U-dig-raw-sig", SHUT, lambda: saturated("sigmoid", 100.0))
    # narrow and deep: the output is soon constant (Lu et al. 2019)
    add("U-moons-relu30x3", NO_FLOW, lambda: small("moons", 30, 3, "relu", adam(), he_u))
    add("U-iris-relu24x2", NO_FLOW, lambda: small("iris", 24, 2, "relu", sgd(0.05), he_u))
    # initial weights
    first(
        "U-dig-tanh4-big",
        (*SHUT, "exploding"),
        lambda: dig_deep(4, "tanh", sgd(0.01), lambda: normal(3.0)),
    )
    first("U-dig-sig3-big", SHUT, lambda: dig_deep(3, "sigmoid", sgd(0.01), lambda: normal(20.0)))
    first(
        "U-wine-tanh15-small",
        NO_FLOW,
        lambda: small("wine", 15, 16, "tanh", opts().RMSprop(1e-3), lambda: normal(0.05)),
    )
    add(
        "U-cancer-relu10-big",
        BLOWN,
        lambda: small("breast_cancer", 10, 64, "relu", sgd(0.01), lambda: normal(1.0)),
    )
    first("U-dig-zeros", NO_FLOW, zeros)
    # dead layers
    add("U-dig-dead-l2", ("dead", "vanishing", "stalled"), dead_with_l2, first_sick=1)
    add("U-friedman-relu-head", DEAD, lambda: dead_head(negative=True), first_sick=LAST)
    # learning rate too high
    add("U-dig-rmsprop.5", KILLED, lambda: dig_deep(3, "relu", opts().RMSprop(0.5)))
    add("U-dig-nadam.5-tanh", ("exploding",), lambda: dig_deep(3, "tanh", opts().Nadam(0.5)))
    add("U-dig-sgd5-tanh", ("exploding",), lambda: dig_deep(4, "tanh", sgd(5.0)))
    add("U-dig-momentum1", KILLED, lambda: dig_deep(4, "relu", sgd(1.0, 0.9)))
    add("U-diabetes-sgd.5", KILLED, lambda: deep_regression("relu", 4, sgd(0.5)))
    add("U-attn2-lr.3", ("exploding", "dead"), lambda: attention(2, adam(0.3)))
    add(
        "U-lstm-lr1",
        ("exploding", "vanishing"),
        lambda: recurrent(lambda: k().layers.LSTM(32), 20, adam(1.0), steps=200),
    )
    add("U-cnn-sgd3", (*KILLED, "stalled"), lambda: dig(cnn, sgd(3.0)))
    # learning rate too low
    add("U-dig-adam1e-7", SLOW, lambda: dig_deep(3, "relu", adam(1e-7)))
    add("U-dig-rmsprop1e-7", SLOW, lambda: dig_deep(3, "tanh", opts().RMSprop(1e-7)))
    add("U-cnn-sgd1e-4", SLOW, lambda: dig(cnn, sgd(1e-4)))
    add("U-wine-sgd1e-5", SLOW, lambda: small("wine", 3, 24, "relu", sgd(1e-5)))
    add("U-attn2-sgd1e-5", SLOW, lambda: attention(2, sgd(1e-5)))
    add(
        "U-lstm-adam1e-6",
        SLOW,
        lambda: recurrent(lambda: k().layers.LSTM(32), 20, adam(1e-6), steps=200),
    )
    # through time
    first(
        "U-rnn-vanish-sgd",
        SHUT,
        lambda: through_time(lambda: simple_rnn(0.3, "tanh"), 80, sgd(0.1)),
    )
    first(
        "U-rnn-vanish.5-sgd",
        SHUT,
        lambda: through_time(lambda: simple_rnn(0.5, "tanh"), 60, sgd(0.05)),
    )
    first("U-lstm-vanish", SHUT, lambda: through_time(lambda: forgetful_lstm(-3.0), 60, sgd(0.1)))
    first("U-gru-vanish", SHUT, lambda: through_time(lambda: forgetful_gru(-3.0), 50, sgd(0.1)))
    first(
        "U-rnn-chaos",
        ("exploding", "dead"),
        lambda: through_time(lambda: simple_rnn(3.0, "tanh"), 60, sgd(0.1)),
    )
    first(
        "U-rnn-relu1.4",
        (*BLOWN, "stalled"),
        lambda: through_time(lambda: simple_rnn(1.5, "relu"), 60, sgd(0.05), 150),
    )
    # scales of inputs and targets
    add("U-regr-rawx1000", BLOWN, lambda: scaled_inputs(1000.0, sgd(0.01)))
    add("U-dig-raw255", KILLED, lambda: raw_pixels(255.0, sgd(0.1)))
    add("U-regr-rawy100-sgd", KILLED, lambda: scaled_targets(100.0, sgd(0.01)))
    add("U-regr-rawy1e4-adam", SLOW, lambda: scaled_targets(1e4, adam()))
    add("U-regr-rawy1000-adam1e-4", SLOW, lambda: scaled_targets(1000.0, adam(1e-4)))
    # numbers outside of what a function can take
    add("U-dig-log-relu", NONFINITE, log_of_zero)
    add("U-dig-share", NONFINITE, divided_by_zero, first_sick=FIRST)
    # heads that cannot say what is asked
    last = functools.partial(add, first_sick=LAST)
    last("U-regr-sigmoid-head", SHUT, lambda: out_of_range("sigmoid", 10.0, adam()))
    last("U-regr-tanh-head", SHUT, lambda: out_of_range("tanh", 10.0, sgd(0.01)))
    last("U-regr-softmax-head", NO_FLOW, lambda: out_of_range("softmax", 1.0, sgd(0.01)))
    # dropout and penalties that dominate, batch normalisation that cannot work
    add("U-dig-dropout.95", ("stalled", "dead"), lambda: drowned(0.95, 4, sgd(0.01)))
    add("U-dig-dropout.97", ("stalled", "dead"), lambda: drowned(0.97, 6, adam()))
    add("U-dig-l2-1", ("stalled", "vanishing", "dead"), lambda: pulled("L2", 1.0))
    add("U-dig-l2-.1", ("stalled", "vanishing", "dead"), lambda: pulled("L2", 0.1))
    add("U-dig-l1-.01", ("stalled", "vanishing", "dead"), lambda: pulled("L1", 0.01))
    first("U-dig-bn-gamma0", NO_FLOW, lambda: closed_norm(1e-3, sgd(0.05)))
    first("U-dig-bn-gamma0-adam", NO_FLOW, lambda: closed_norm(1e-4, adam(1e-4)))
    first("U-dig-bn-batch1", SHUT, lambda: tiny_batches(1))
    add("U-dig-bn-batch2", None, lambda: tiny_batches(2))
