"""Each remedy, applied by the benchmark, changes what its snippet says and nothing else."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import pytest

pytest.importorskip("tensorflow")

import keras
import numpy as np

from benchmarks.diagnosis import cures
from benchmarks.diagnosis.runs.base import Setup
from tb_gradplugin.callbacks.describe import describe
from tb_gradplugin.health import remedies
from tb_gradplugin.remedies import StandardisedOptimizer

L = keras.layers


def setup(layers: list[Any], **more: Any) -> Setup:
    model = keras.Sequential([keras.Input((4,)), *layers])
    x = np.random.default_rng(0).normal(3, 2, (16, 4)).astype("float32")
    given = {"y": np.eye(3)[np.arange(16) % 3], "optimizer": keras.optimizers.SGD(0.1, 0.9), **more}
    return Setup(model, x, **given)


def sigmoid_stack(units: int = 8, **more: Any) -> Setup:
    hidden = [L.Dense(units, "sigmoid", kernel_regularizer="l2", name=f"h{i}") for i in range(3)]
    return setup([*hidden, L.Dense(3, "softmax", name="head")], **more)


def apply(
    id_: str,
    given: Setup,
    layers: list[int] | None = None,
    rate: float = 0.1,
    ratio: float = math.nan,
) -> Any:
    model = given.model
    structure = dataclasses.replace(
        describe(model, model.trainable_variables, []),
        optimizer=type(given.optimizer).__name__,
        loss=given.loss if isinstance(given.loss, str) else "custom",
    )
    where = list(range(len(structure.layers) - 1)) if layers is None else layers
    return cures.apply(id_, given, structure, where, remedies.Pace(rate, ratio))


def configs(model: Any) -> dict[str, dict[str, Any]]:
    return {layer.name: layer.get_config() for layer in model.layers}


def differences(before: Any, after: Any) -> dict[str, set[str]]:
    """Layer name -> arguments that differ, of two models with the same layers."""
    a, b = configs(before), configs(after)
    assert list(a) == list(b)
    found = {name: {k for k in a[name] if a[name][k] != b[name].get(k)} for name in a}
    return {name: keys for name, keys in found.items() if keys}


def test_every_remedy_is_a_change_or_a_search():
    assert set(cures._CHANGES) | set(remedies.SEARCHES) == set(remedies.IDS)
    assert set(cures._CHANGES).isdisjoint(remedies.SEARCHES)
    for id_ in remedies.SEARCHES:
        assert apply(id_, sigmoid_stack()) is None


def test_relu_takes_the_place_of_every_hidden_sigmoid_and_keeps_all_else():
    old = sigmoid_stack(32)
    new = apply("activation", old, [0])  # only the first is named
    changed = {"activation", "kernel_initializer"}
    assert differences(old.model, new.model) == {"h0": changed, "h1": changed, "h2": changed}
    assert new.model.layers[0].activation is keras.activations.relu
    assert type(new.model.layers[0].kernel_initializer) is keras.initializers.HeNormal
    assert dataclasses.replace(new, model=old.model) == old
    assert (new.model.get_weights()[0] != old.model.get_weights()[0]).any()


def test_narrow_layers_get_an_activation_that_cannot_die():
    new = apply("activation", sigmoid_stack(31), [0])
    assert new.model.layers[0].activation is keras.activations.elu


def test_an_activation_that_is_a_layer_of_its_own_is_replaced_too():
    old = setup([L.Dense(8), L.Activation("sigmoid"), L.Dense(3), L.Activation("softmax")])
    new = apply("activation", old)
    names = [layer.activation.__name__ for layer in new.model.layers]
    assert names == ["linear", "elu", "linear", "softmax"]
    new = apply("leaky", setup([L.Dense(8), L.ReLU(), L.Dense(3), L.Activation("softmax")]))
    assert [type(layer) for layer in new.model.layers[:2]] == [L.Dense, L.Activation]
    assert new.model.layers[1].activation is keras.activations.leaky_relu
    old = setup([L.Dense(8), L.ReLU(), L.Dense(3), L.Activation("softmax")])
    block = apply("normalise", old).model.layers[0]
    assert [type(layer) for layer in block.layers] == [L.Dense, L.BatchNormalization]


def test_a_careless_initialiser_is_replaced_everywhere_by_one_that_fits_the_activation():
    layers = [L.Dense(8, "relu", kernel_initializer="random_normal", name="a")]
    layers += [L.Dense(8, "relu", name="b")]
    layers += [L.Dense(3, "softmax", kernel_initializer="random_normal", name="head")]
    old = setup(layers)
    new = apply("initialiser", old, [0])
    assert set(differences(old.model, new.model)) == {"a", "head"}
    names = [type(layer.kernel_initializer).__name__ for layer in new.model.layers]
    assert names == ["HeNormal", "GlorotUniform", "GlorotUniform"]


def test_a_normalised_block_has_no_bias_and_its_activation_after_the_norm():
    new = apply("normalise", sigmoid_stack())
    block = new.model.get_layer("h1")
    assert [type(layer).__name__ for layer in block.layers] == [
        "Dense",
        "BatchNormalization",
        "Activation",
    ]
    assert not block.layers[0].use_bias
    assert block.layers[0].activation is keras.activations.linear
    assert block.layers[2].activation is keras.activations.sigmoid
    assert type(new.model.get_layer("head")) is L.Dense
    assert apply("normalise", new) is None  # it is normalised already


def test_residual_connections_go_around_layers_of_equal_width_only():
    new = apply("residual", sigmoid_stack())
    assert type(new.model.get_layer("h0")) is L.Dense  # 4 inputs, 8 units
    block = new.model.get_layer("h1")
    x = np.random.default_rng(0).normal(size=(2, 8)).astype("float32")
    norm, dense = block.layers[1:3]
    expected = x + np.asarray(dense(norm(x)))
    np.testing.assert_allclose(np.asarray(block(x)), expected, atol=1e-6)
    assert dense.activation is keras.activations.relu
    assert dense.kernel_initializer.scale == 2 / 3  # three hidden layers
    assert new.model.get_layer("h0").kernel_initializer.scale == 2.0


def test_functional_models_custom_layers_and_lambdas_are_rebuilt():
    class Double(L.Layer):
        def call(self, x: Any) -> Any:
            return 2.0 * x

    x = keras.Input((4,))
    h = L.Dense(4, "sigmoid", name="h")(x)
    h = Double()(h) + L.Lambda(lambda v: v * 0.5)(x)
    model = keras.Model(x, L.Dense(3, "softmax", name="head")(h))
    old = sigmoid_stack()
    old.model = model
    new = apply("activation", old, [0])
    assert new.model.get_layer("h").activation is keras.activations.elu
    given = old.x[:2]
    new.model.set_weights(model.get_weights())
    hidden = given @ new.model.get_layer("h").kernel.numpy()
    hidden = np.where(hidden > 0, hidden, np.expm1(hidden))
    expected = (2 * hidden + given / 2) @ new.model.get_layer("head").kernel.numpy()
    logits = np.log(np.asarray(new.model(given)))
    centred = expected - expected.mean(1, keepdims=True)
    np.testing.assert_allclose(logits - logits.mean(1, keepdims=True), centred, atol=1e-4)


def test_leaky_relu_starts_with_zero_biases():
    layers = [L.Dense(8, "relu", bias_initializer=keras.initializers.Constant(-9.0), name="h")]
    new = apply("leaky", setup([*layers, L.Dense(3, "softmax")]), [0])
    assert new.model.get_layer("h").activation is keras.activations.leaky_relu
    assert not new.model.get_layer("h").bias.numpy().any()


def test_what_is_normalised_before_leaky_relu_is_centred():
    beta = L.BatchNormalization(beta_initializer=keras.initializers.Constant(-6.0), name="n")
    layers = [L.Dense(8, name="h"), beta, L.ReLU(), L.Dense(3, "softmax")]
    assert layers[1].get_config()["beta_initializer"]["config"]["value"] == -6.0
    new = apply("leaky", setup(layers), [0]).model
    assert not new.get_layer("n").beta.numpy().any()


def test_adam_gets_an_epsilon_below_what_updates_tell():
    tiny, usual = (apply("adaptive", sigmoid_stack(), [0], 0.1, r).optimizer for r in (1e-6, 1e-2))
    assert (tiny.epsilon, usual.epsilon) == (1e-12, 1e-7)


def test_a_recurrent_layer_becomes_gated_or_orthogonal():
    def rnn() -> Setup:
        old = setup([L.Dense(3)])
        start = keras.initializers.Orthogonal(1.8)
        layer = L.SimpleRNN(6, "relu", recurrent_initializer=start, name="rnn")
        old.model = keras.Sequential([keras.Input((5, 2)), layer, L.Dense(3, "softmax")])
        return old

    lstm = apply("gated", rnn(), [0]).model.get_layer("rnn")
    assert (type(lstm), lstm.units) == (L.LSTM, 6)
    bounded = apply("orthogonal", rnn(), [0]).model.get_layer("rnn")
    kernel = bounded.cell.recurrent_kernel.numpy()
    np.testing.assert_allclose(kernel @ kernel.T, np.eye(6), atol=1e-5)
    assert bounded.activation is keras.activations.tanh
    assert apply("gated", sigmoid_stack()) is None
    assert apply("pool", sigmoid_stack()) is None


def test_all_time_steps_of_the_last_recurrent_layer_are_pooled():
    old = setup([L.Dense(3)])
    rnns = [L.SimpleRNN(6, "relu", return_sequences=True, name="a"), L.GRU(5, name="b")]
    old.model = keras.Sequential([keras.Input((7, 2)), *rnns, L.Dense(3, "softmax", name="c")])
    new = apply("pool", old, [0, 1]).model
    first, block, head = new.layers
    assert (first.name, first.activation.__name__) == ("a", "tanh")
    given = np.random.default_rng(0).normal(size=(4, 7, 2)).astype(np.float32)
    states = block.layers[0](first(given))
    assert states.shape == (4, 7, 5)
    expected = np.asarray(head(np.max(states, axis=1)))
    np.testing.assert_allclose(np.asarray(new(given)), expected, rtol=1e-5)
    everything = setup([L.Dense(3)])
    everything.model = keras.Sequential([keras.Input((7, 2)), rnns[0]])
    assert apply("pool", everything, [0]) is None


def test_the_loss_gets_logits_and_the_head_no_activation():
    old = sigmoid_stack(loss="nll", strip=True)
    new = apply("loss", old)
    assert (new.loss, new.strip) == ("cce+logits", False)
    assert differences(old.model, new.model) == {"head": {"activation"}}
    assert apply("loss", sigmoid_stack(loss="mse")) is None
    own = setup([L.Dense(3), L.Softmax()], loss="cce")
    assert apply("loss", own).model.layers[-1].activation is keras.activations.linear


def own_loss(y, p):
    return -keras.ops.sum(y * keras.ops.log(p), axis=-1)


@pytest.mark.parametrize(
    ("units", "last", "kind"), [(3, "softmax", "cce"), (3, "sigmoid", "bce"), (1, "tanh", "bce")]
)
def test_the_last_layer_says_what_takes_the_place_of_a_loss_of_ones_own(units, last, kind):
    y = np.eye(3)[np.arange(16) % 3][:, :units]
    old = setup([L.Dense(units, last, name="head")], y=y, loss=own_loss, baseline=9.0)
    new = apply("loss", old, [0])
    assert (new.loss, new.baseline) == (f"{kind}+logits", None)
    assert differences(old.model, new.model) == {"head": {"activation"}}
    out = apply("output", old, [0]).model.layers[-1].activation.__name__
    assert out == {"cce": "softmax", "bce": "sigmoid"}[kind]
    # Targets that are no probabilities want another loss.
    assert apply("loss", setup([L.Dense(units, last)], y=y + 1, loss=own_loss), [0]) is None


def test_a_layer_that_is_made_anew_starts_without_its_old_bias():
    start = keras.initializers.Constant(-30.0)
    old = setup([L.Dense(8, "relu"), L.Dense(1, "relu", bias_initializer=start)], loss="mse")
    assert apply("output", old).model.layers[-1].bias.numpy() == [0.0]


def test_the_output_fits_the_loss():
    for loss, name in (("mse", "linear"), ("bce", "sigmoid"), ("cce", "softmax")):
        new = apply("output", setup([L.Dense(8, "relu"), L.Dense(3, "relu")], loss=loss))
        assert new.model.layers[-1].activation.__name__ == name
    one = setup([L.Dense(1, "softmax")], y=np.arange(16)[:, None] % 2.0, loss="mse", strip=True)
    head = apply("head", one, [0])
    assert (head.loss, head.strip) == ("bce", False)
    assert head.model.layers[-1].activation is keras.activations.sigmoid
    number = setup([L.Dense(1, "softmax")], y=np.arange(16.0)[:, None], loss="mse")
    head = apply("head", number, [0])
    assert (head.loss, head.model.layers[-1].activation.__name__) == ("mse", "linear")
    assert apply("head", sigmoid_stack()) is None


def test_optimizers_keep_their_kind_and_momentum_at_another_rate():
    for id_, rate in (("lower", 0.01), ("raise", 1.0), ("clip", 0.1)):
        new = apply(id_, sigmoid_stack()).optimizer
        assert type(new) is keras.optimizers.SGD
        assert (float(new.learning_rate), new.momentum) == (pytest.approx(rate), 0.9)
        assert new.global_clipnorm == (1.0 if id_ == "clip" else None)
    plain = [keras.optimizers.SGD(0.1), keras.optimizers.RMSprop(0.1)]
    for id_ in ("lower", "raise"):
        found = [apply(id_, sigmoid_stack(optimizer=given)).optimizer.momentum for given in plain]
        assert found == [0.9, 0.0]
    schedule = keras.optimizers.schedules.CosineDecay(0.1, 100)
    new = apply("lower", sigmoid_stack(optimizer=keras.optimizers.Adam(schedule)), rate=math.nan)
    assert float(new.optimizer.learning_rate) == pytest.approx(1e-4)
    assert type(apply("adaptive", sigmoid_stack()).optimizer) is keras.optimizers.Adam
    calm = apply("standardise", sigmoid_stack()).optimizer
    assert (type(calm), calm.inner_optimizer.momentum) == (StandardisedOptimizer, 0.9)


def test_inputs_are_scaled_and_targets_of_a_regression_too():
    new = apply("inputs", sigmoid_stack())
    np.testing.assert_allclose(new.x.mean(0), 0, atol=1e-6)
    np.testing.assert_allclose(new.x.std(0), 1, atol=1e-5)
    assert new.y is not None
    assert set(np.unique(new.y)) == {0, 1}
    targets = np.arange(16.0)[:, None] * 100
    far = apply("inputs", setup([L.Dense(1)], y=targets, loss="mse"), [0])
    assert (far.y.mean(), far.y.std()) == (pytest.approx(0), pytest.approx(1))
    tokens = sigmoid_stack()
    tokens.x = np.zeros((16, 4), "int32")
    assert apply("inputs", tokens) is None


def test_regularisation_and_batch_norm_are_weakened_and_replaced():
    old = sigmoid_stack()
    new = apply("weaken", old)
    assert set(differences(old.model, new.model)) == {"h0", "h1", "h2"}
    assert float(new.model.layers[0].kernel_regularizer.l2) == pytest.approx(1e-5)
    layers = [L.Dense(8), L.BatchNormalization(), L.Dropout(0.8), L.Dense(3, "softmax")]
    dropped = apply("weaken", setup(layers))
    assert dropped.model.layers[2].rate == 0.1
    assert apply("weaken", setup([L.GaussianNoise(1.0), L.Dense(3)])).model.layers[0].stddev == 0.0
    normed = apply("layer_norm", setup(layers))
    assert type(normed.model.layers[1]) is L.LayerNormalization
    plain = setup([L.Dense(3, "softmax")])
    assert apply("weaken", plain) is None
    assert apply("layer_norm", plain) is None
    assert apply("bare", plain) is None
    single = setup([L.Dense(1), L.LayerNormalization(), L.Dense(3, "softmax")])
    assert apply("bare", single).model.layers[1].activation is keras.activations.linear


def test_recurrent_kernels_are_not_weighed_down_either():
    recurrent = L.SimpleRNN(4, recurrent_regularizer=keras.regularizers.L2(1.0))
    new = apply("weaken", setup([L.Reshape((2, 2)), recurrent, L.Dense(3)]))
    assert new.model.layers[1].recurrent_regularizer is None


def test_sums_of_branches_are_normalised_where_they_are_made():
    x = keras.Input((4,))
    y = x
    for _ in range(2):
        y = L.Add()([y, L.Dense(4)(y)])
    old = setup([])
    old.model = keras.Model(x, L.Dense(3, "softmax")(y))
    new = apply("normalise", old)
    sums = [layer for layer in new.model.layers if isinstance(layer, L.Add)]
    assert len(sums) == 2
    a, b = np.random.default_rng(0).normal(size=(2, 8, 4)).astype("float32")
    out = sums[0]([10 * a, b]).numpy()
    np.testing.assert_allclose(out.mean(-1), 0, atol=1e-5)
    np.testing.assert_allclose(out.std(-1), 1, atol=1e-2)


def test_a_layer_that_does_not_say_how_it_was_made_is_handed_on():
    class Hook(L.Layer):
        def __init__(self, function):
            super().__init__()
            self.function = function

        def call(self, x):
            return self.function(x)

    hook = Hook(lambda x: x * 2)
    new = apply("normalise", setup([L.Dense(4, "tanh"), hook, L.Dense(3, "softmax")]))
    assert hook in new.model.layers


def test_layers_are_widened_but_not_the_head():
    new = apply("wider", sigmoid_stack())
    assert [layer.units for layer in new.model.layers] == [64, 64, 64, 3]


def test_the_page_of_remedies_names_each_and_shows_the_outcomes_as_they_are():
    from benchmarks.diagnosis import try_remedies

    text = try_remedies.PAGE.read_text(encoding="utf-8")
    assert all(f"`{id_}`" in text.partition(try_remedies.BEGIN)[0] for id_ in remedies.IDS)
    trials = list(try_remedies.load().values())
    assert try_remedies.table(trials) in text


def test_a_share_counts_only_what_was_tried_and_a_cure_needs_learning_and_a_healthy_report():
    from benchmarks.diagnosis.try_remedies import Trial, firsts, searches, share

    def trial(learned: bool | None, kinds: tuple[str, ...] = (), *, first: bool = True) -> Trial:
        return Trial("r", "dev", 0, "exploding.time", "clip", "", first, learned, kinds)

    trials = [trial(True), trial(True, ("dead",)), trial(False), trial(None)]
    trials += [trial(True, first=False)]
    assert share(trials) == "2/4"
    assert share([trial(None)]) == "-"
    assert firsts(trials) == trials[:4]
    search = dataclasses.replace(trials[-1], run="of which only a search is told first")
    assert (firsts([search]), searches([search, trials[0]])) == ([], 1)


def test_an_activation_of_ones_own_is_handed_on():
    def threshold(x: Any) -> Any:  # which Keras has, too, with other arguments
        return keras.ops.where(x > 0.0, x, 0.0)

    layer = keras.layers.Dense(3, activation=threshold)
    assert cures.again(layer).activation is threshold
    assert cures.edited(layer, kernel_initializer="he_normal").activation is threshold
    assert cures.edited(layer, activation="elu").activation is keras.activations.elu
    assert cures.again(keras.layers.Dense(3)).activation is keras.activations.linear
