"""A check before training finds what is sick, and the training that follows does not notice."""

from __future__ import annotations

import json
import random

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

import tb_gradplugin
from tb_gradplugin import Thresholds, preflight


def data(n=40):
    rng = np.random.default_rng(0)
    x = rng.normal(size=[n, 8]).astype("float32")
    return x, (x[:, 0] > 0).astype("int32") + (x[:, 1] > 0)


def network(activation="relu", depth=8, **layer_args):
    keras.utils.set_random_seed(1)
    hidden = [layers.Dense(16, activation, name=f"hidden_{i}", **layer_args) for i in range(depth)]
    return compiled(keras.Sequential([keras.Input([8]), *hidden, layers.Dense(3, "softmax")]))


def compiled(model):
    model.compile(
        keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy", metrics=["accuracy"]
    )
    return model


@pytest.mark.parametrize(
    ("settings", "kinds"),
    [
        ({"activation": "sigmoid"}, ["vanishing"]),
        ({"bias_initializer": keras.initializers.Constant(-30)}, ["dead"]),
        ({}, []),
    ],
)
def test_sick_networks_are_found_and_a_healthy_one_is_not(settings, kinds):
    report = preflight(network(**settings), *data())
    assert report.kinds == kinds
    assert list(report.runs) == ["preflight"]
    assert report.runs["preflight"].logged == 30


def test_the_report_is_the_usual_json_with_the_probe_of_the_untouched_network():
    model, (x, y) = network(depth=2), data()
    hidden = model.layers[0](x).numpy().astype(np.float64)
    out = json.loads(json.dumps(preflight(model, x, y, steps=2).to_dict(), allow_nan=False))
    run = out["runs"]["preflight"]
    assert set(run) == {"verdict", "kinds", "steps", "findings", "probe"}
    probe = run["probe"]
    assert (probe["step"], probe["samples"]) == (0, 40)
    assert [entry["path"] for entry in probe["layers"]][:2] == ["hidden_0", "hidden_1"]
    first = probe["layers"][0]
    assert first["output_mean"] == pytest.approx(hidden.mean(), rel=1e-5)
    assert first["dead_share"] == pytest.approx((hidden == 0).all(axis=0).mean())
    assert first["saturated_share"] is None
    assert probe["inputs"]["std"] == pytest.approx(x.std(), rel=1e-5)


def stateful_model():
    keras.utils.set_random_seed(4)
    x = keras.Input([8])
    h = layers.Reshape([4, 2])(x)
    h = layers.GRU(6, dropout=0.2)(h)
    h = layers.BatchNormalization()(layers.Dropout(0.3)(h))
    return compiled(keras.Model(x, layers.Dense(3, "softmax")(h)))


class Unbuilt(keras.Model):
    def __init__(self):
        super().__init__()
        self.body, self.drop = layers.Dense(6, "relu"), layers.Dropout(0.2)
        self.head = layers.Dense(3, "softmax")

    def call(self, x, training=False):
        return self.head(self.drop(self.body(x), training=training))


def unbuilt_model():
    keras.utils.set_random_seed(4)
    return compiled(Unbuilt())


def state(model):
    found = [*model.variables, *model.optimizer.variables, *model.metrics_variables]
    return [v.numpy() for v in found]


@pytest.mark.parametrize("make", [stateful_model, unbuilt_model])
def test_training_after_a_preflight_is_bit_identical_to_training_without(make):
    x, y = data()
    finals = []
    for checked in (False, True):
        model = make()
        if checked:
            preflight(model, x, y, steps=3)
        history = model.fit(x, y, batch_size=9, epochs=2, verbose=0)  # shuffled
        drawn = [random.random(), np.random.rand(), keras.random.normal([2]).numpy()]
        finals.append([*state(model), *history.history["loss"], *drawn])
    for a, b in zip(*finals, strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_preflight_in_the_middle_of_training_changes_nothing():
    x, y = data()
    model = stateful_model()
    model.fit(x, y, batch_size=9, verbose=0)
    before, function = state(model), model.train_function
    model.stop_training = False
    preflight(model, x, y, steps=2)
    for a, b in zip(before, state(model), strict=True):
        np.testing.assert_array_equal(a, b)
    assert model.train_function is function
    assert not model.stop_training


def test_a_step_that_raises_leaves_everything_as_it_was():
    class Raises(keras.Model):
        def train_step(self, data):
            super().train_step(data)
            raise ZeroDivisionError("the user's own")

    keras.utils.set_random_seed(4)
    x = keras.Input([8])
    model = compiled(Raises(x, layers.Dense(3, "softmax")(layers.Dropout(0.2)(x))))
    model.optimizer.build(model.trainable_variables)
    model.run_eagerly = True
    variables = [*model.variables, *model.optimizer.variables]
    before = [v.numpy() for v in variables]
    with pytest.raises(ZeroDivisionError):
        preflight(model, *data())
    for a, b in zip(before, variables, strict=True):
        np.testing.assert_array_equal(a, b.numpy())
    assert model.train_function is None
    assert "call" not in vars(model.layers[-1])


def test_a_probe_that_fails_costs_the_probe_only(monkeypatch):
    from tb_gradplugin.callbacks.tensorflow_probe import Probe

    def broken(self, *args):
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(Probe, "_store", broken)
    model = network("sigmoid")
    with pytest.warns(RuntimeWarning, match="without a probe.*a bug"):
        report = preflight(model, *data())
    assert report.kinds == ["vanishing"]
    assert "probe" not in report.to_dict()["runs"]["preflight"]


X, Y = data(4)


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"model": 3}, TypeError, ["model", "3", "keras.Model"]),
        ({"model": keras.Sequential([layers.Dense(1)])}, ValueError, ["model.compile("]),
        ({"x": None}, TypeError, ["`x`"]),
        ({"x": X.tolist()}, TypeError, ["`x`", "float", "np.array"]),
        ({"x": tf.data.Dataset.from_tensors(X)}, TypeError, ["`x`", "next(iter(dataset))"]),
        ({"y": Y[:3]}, ValueError, ["`x` 4", "`y` 3"]),
        ({"x": X[:0], "y": Y[:0]}, ValueError, ["`x` 0"]),
        ({"sample_weight": np.ones(2)}, ValueError, ["`sample_weight` 2"]),
        ({"steps": 0}, ValueError, ["steps", "0", ">= 1"]),
        ({"steps": 1.5}, TypeError, ["steps", "1.5"]),
        ({"thresholds": {}}, TypeError, ["thresholds", "Thresholds"]),
    ],
)
def test_a_wrong_argument_is_named_with_what_is_allowed(change, error, words):
    arguments = {"model": network(depth=1), "x": X, "y": Y, **change}
    with pytest.raises(error) as caught:
        preflight(arguments.pop("model"), arguments.pop("x"), arguments.pop("y"), **arguments)
    for word in words:
        assert word in str(caught.value)


def test_thresholds_and_steps_are_those_asked_for():
    report = preflight(
        network("sigmoid"), *data(), steps=4, thresholds=Thresholds(settle_step=0, hold_points=2)
    )
    assert report.kinds == ["vanishing"]
    assert report.runs["preflight"].last_step == 4


def test_the_package_offers_it_without_importing_keras_for_it():
    assert tb_gradplugin.preflight is preflight
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = tb_gradplugin.nothing
