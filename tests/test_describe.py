"""Model structure: unique paths, forward order, what is trained, roles."""

from __future__ import annotations

import keras
from keras import layers

from tb_gradplugin.callbacks.describe import describe
from tb_gradplugin.remedies import StandardisedOptimizer
from tb_gradplugin.structure import ModelStructure


def structure_of(model, order=()):
    return describe(model, list(model.trainable_variables), list(order))


def test_repeated_names_get_a_number_and_nested_models_a_prefix():
    def block(name):
        return keras.Sequential([layers.Dense(3, name="fc"), layers.ReLU(name="act")], name=name)

    model = keras.Sequential([keras.Input([2]), block("a"), block("b"), layers.Dense(1, name="fc")])
    got = structure_of(model)
    assert [layer.path for layer in got.layers] == ["a/fc", "a/act", "b/fc", "b/act", "fc"]
    assert [v.path for v in got.variables][:2] == ["a/fc/kernel", "a/fc/bias"]
    assert got.layers[1].activation == "relu"
    assert got.layers[1].parameters == 0

    class Same(keras.Model):
        def __init__(self):
            super().__init__()
            self.one, self.two = layers.Dense(2, name="x"), layers.Dense(2, name="x")

        def call(self, x):
            return self.two(self.one(x))

    same = Same()
    same(keras.ops.ones([1, 2]))
    assert [layer.path for layer in structure_of(same).layers] == ["x", "x#2"]


def test_the_optimizer_is_the_one_that_updates_not_what_is_wrapped_around_it():
    model = keras.Sequential([keras.Input([2]), layers.Dense(1)])
    inner = keras.optimizers.SGD(0.1)
    model.compile(keras.optimizers.LossScaleOptimizer(StandardisedOptimizer(inner)), "mse")
    assert structure_of(model).optimizer == "SGD"


def test_classes_of_the_users_own_are_told_from_kerass():
    class Hook(layers.Layer):
        def call(self, x):
            return x

    class Flatten(layers.Flatten):
        pass

    model = keras.Sequential([keras.Input([2]), Hook(), Flatten(), layers.Flatten()])
    got = structure_of(model)
    assert [layer.own for layer in got.layers] == [True, True, False]
    assert ModelStructure.from_json(got.to_json()) == got
    assert got.to_json().count('"own":true') == 2
    older = got.to_json().replace(',"own":true', "")
    assert not any(layer.own for layer in ModelStructure.from_json(older).layers)


def test_layers_follow_the_order_of_their_calls():
    first, second = layers.Dense(2, name="first"), layers.Dense(2, name="second")
    model = keras.Sequential([keras.Input([2]), first, second])
    got = structure_of(model, [second, first])
    assert [layer.path for layer in got.layers] == ["second", "first"]
    assert [got.layers[v.layer].path for v in got.variables] == [
        "first",
        "first",
        "second",
        "second",
    ]


def test_a_shared_layer_appears_once():
    shared = layers.Dense(2, name="shared")
    x = keras.Input([2])
    got = structure_of(keras.Model(x, shared(shared(x))))
    assert [layer.path for layer in got.layers] == ["shared"]


def test_frozen_layers_are_listed_as_not_trained_and_have_no_rows():
    model = keras.Sequential(
        [keras.Input([2]), layers.Dense(2, name="a"), layers.Dense(2, name="b")]
    )
    model.layers[0].trainable = False
    got = structure_of(model)
    assert [(layer.path, layer.trainable) for layer in got.layers] == [("a", False), ("b", True)]
    assert {v.layer for v in got.variables} == {1}


def test_recurrent_and_attention_layers_have_roles_that_rules_rely_on():
    x = keras.Input([5, 4])
    h = layers.Bidirectional(layers.LSTM(3, return_sequences=True, name="lstm"), name="rnn")(x)
    h = layers.MultiHeadAttention(2, 3, name="mha")(h, h)
    h = layers.LayerNormalization(name="norm")(h)
    got = structure_of(keras.Model(x, h))
    roles = {v.path: v.role for v in got.variables}
    assert roles["rnn/forward_lstm/recurrent_kernel"] == "recurrent_kernel"
    assert roles["rnn/backward_lstm/kernel"] == "kernel"
    assert roles["mha/key/bias"] == "bias"
    assert roles["mha/query/kernel"] == "kernel"
    assert roles["norm/gamma"] == "scale"
    assert roles["norm/beta"] == "bias"


def test_embeddings_have_their_own_role_and_initialisers_their_numbers():
    model = keras.Sequential(
        [
            keras.Input([3]),
            layers.Embedding(9, 4),
            layers.Flatten(),
            layers.Dense(2, kernel_initializer=keras.initializers.RandomNormal(stddev=0.5)),
        ]
    )
    got = structure_of(model)
    assert got.variables[0].role == "embeddings"
    assert got.layers[-1].initializer == "RandomNormal(stddev=0.5)"


def test_weights_of_the_model_itself_are_rows_too():
    class Own(keras.Model):
        def build(self, shape):
            self.scale = self.add_weight(shape=[1], name="scale")
            self.dense = layers.Dense(2, name="dense")
            self.dense.build(shape)

        def call(self, x):
            return self.dense(x) * self.scale

    model = Own(name="own")
    model(keras.ops.ones([1, 2]))
    got = structure_of(model)
    assert len(got.variables) == 3
    assert "own/scale" in [v.path for v in got.variables]


def test_json_reads_back_equal():
    model = keras.Sequential([keras.Input([2]), layers.Dense(2)])
    model.compile("adam", "mse")
    got = structure_of(model)
    assert ModelStructure.from_json(got.to_json()) == got
