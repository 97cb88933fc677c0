"""The recorder in loops of one's own: what is written, for whom, and what is refused."""

from __future__ import annotations

import itertools
import json
import os
import pathlib
import subprocess
import sys
import warnings

import numpy as np
import pytest

pytest.importorskip("tensorflow")

import keras
import tensorflow as tf
from tensorboard.backend.event_processing import plugin_event_accumulator
from tensorboard.util import tensor_util

from tb_gradplugin import GradientRecorder, Thresholds, metadata, reader, sources
from tb_gradplugin.callbacks import gradient_recorder
from tb_gradplugin.metadata import STATISTICS_COLUMNS, TRAINING_COLUMNS
from tests.reference import statistics64

L = keras.layers
REPO = pathlib.Path(__file__).parents[1]
UPDATE = STATISTICS_COLUMNS.index("update_norm")


def network(*layers, inputs=6, seed=1):
    keras.utils.set_random_seed(seed)
    model = keras.Sequential([keras.Input((inputs,)), *layers])
    return keras.models.clone_model(model)  # initialisers drew their seeds when they were made


def classifier(depth=1, activation="tanh"):
    hidden = [L.Dense(8, activation, name=f"h{i}") for i in range(depth)]
    return network(*hidden, L.Dense(2, name="head"))


def data(n=64, inputs=6):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(n, inputs)).astype("float32")
    return x, (x[:, 0] > 0).astype("int32")


loss_of = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def gradients_of(model, x, y):
    with tf.GradientTape() as tape:
        loss = loss_of(y, model(x, training=True))
    return loss, tape.gradient(loss, model.trainable_variables)


def train(model, recorder, steps=5, optimizer=None, n=16, **more):
    """A loop as TensorFlow's guide has it; the weights before each step and after the last."""
    optimizer = optimizer or keras.optimizers.SGD(0.1)
    x, y = data()
    weights = []
    for step in range(1, steps + 1):
        at = (step - 1) * n % len(x)
        loss, found = gradients_of(model, x[at : at + n], y[at : at + n])
        weights.append([v.numpy() for v in model.trainable_variables])
        if recorder is not None:
            recorder.record(found, model.trainable_variables, step=step, loss=loss, **more)
        optimizer.apply(found, model.trainable_variables)
    return [*weights, [v.numpy() for v in model.trainable_variables]]


def read(directory):
    """Structure, statistics [T, variables, columns] by step, and training columns."""
    source = sources.FileSource(directory / metadata.MONITOR_SUBDIR)
    models = reader.read_models(source)
    rows = reader.read_statistics(source, models, [v.path for v in models.latest.variables])
    training = [p.numpy for p in source.read(metadata.TRAINING_TAG)]
    assert source.problems == []
    columns = [dict(zip(TRAINING_COLUMNS, t, strict=True)) for t in training]
    return models.latest, rows, columns


def scalars(directory):
    """Standard scalars by tag."""
    accumulator = plugin_event_accumulator.EventAccumulator(str(directory / "gradients"))
    accumulator.Reload()
    return {
        tag: [(e.step, tensor_util.make_ndarray(e.tensor_proto)) for e in accumulator.Tensors(tag)]
        for tag in accumulator.Tags()["tensors"]
        if tag.startswith("batch_")
    }


def test_statistics_of_each_step_and_its_update_are_those_of_the_loop(tmp_path):
    model = classifier(2)
    with GradientRecorder(tmp_path, model, update_freq=1) as recorder:
        weights = train(model, recorder, optimizer=keras.optimizers.Adam(1e-2))
    _, rows, _ = read(tmp_path)
    assert list(rows.steps) == [1, 2, 3, 4, 5]
    x, y = data()
    for step, (before, after) in enumerate(itertools.pairwise(weights)):
        for variable, value in zip(model.trainable_variables, before, strict=True):
            variable.assign(value)
        at = step * 16 % 64
        _, found = gradients_of(model, x[at : at + 16], y[at : at + 16])
        for row, g, old, new in zip(rows.values[step], found, before, after, strict=True):
            expected = statistics64(g.numpy(), old, new)
            np.testing.assert_allclose(row, expected, rtol=1e-4, atol=1e-8)


def test_rate_name_loss_and_metrics_are_told(tmp_path):
    model = classifier()
    schedule = keras.optimizers.schedules.ExponentialDecay(0.5, 1, 0.5)
    optimizer = keras.optimizers.SGD(schedule)
    with GradientRecorder(tmp_path, model, optimizer=optimizer, loss_name="my_entropy") as recorder:
        train(model, recorder, 3, optimizer, metrics={"return": 2.0})
    structure, _, training = read(tmp_path)
    assert (structure.optimizer, structure.loss) == ("SGD", "my_entropy")
    assert [t["learning_rate"] for t in training] == [0.5, 0.25, 0.125]
    told = scalars(tmp_path)
    assert told["batch_return"] == [(1, 2.0), (2, 2.0), (3, 2.0)]
    assert told["batch_learning_rate"] == [(1, 0.5), (2, 0.25), (3, 0.125)]
    assert [v for _, v in told["batch_loss"]] == pytest.approx([t["loss"] for t in training])


def test_loss_scaling_is_divided_out_and_a_skipped_step_is_no_finding(tmp_path):
    model = classifier()
    x, y = data()
    loss, found = gradients_of(model, x, y)
    with GradientRecorder(tmp_path, model) as recorder:
        recorder.record([1024.0 * g for g in found], step=1, loss=loss, loss_scale=1024.0)
        recorder.record([np.inf * g for g in found], step=2, loss=loss, loss_scale=1024.0)
    _, rows, training = read(tmp_path)
    norms = [np.linalg.norm(g.numpy()) for g in found]
    np.testing.assert_allclose(rows.values[0, :, 0], norms, rtol=1e-5)
    assert [t["skipped"] for t in training] == [0.0, 1.0]
    assert recorder.report().kinds == []


def test_a_sparse_gradient_and_one_that_is_missing_have_their_rows(tmp_path):
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((4,)), L.Embedding(30, 5), L.Flatten(), L.Dense(1)])
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(model(np.array([[1, 2, 2, 5]])) ** 2)
    found = tape.gradient(loss, model.trainable_variables)
    assert isinstance(found[0], tf.IndexedSlices)
    with GradientRecorder(tmp_path, model) as recorder:
        recorder.record([found[0], None, found[2]], step=1, loss=loss)
    _, rows, _ = read(tmp_path)
    dense = tf.convert_to_tensor(found[0]).numpy()
    assert rows.values[0, 0, 0] == pytest.approx(np.linalg.norm(dense), rel=1e-5)
    assert rows.values[0, 0, 5] == pytest.approx(np.mean(dense == 0))
    assert np.isnan(rows.values[0, 1]).all()
    assert np.isfinite(rows.values[0, 2, :8]).all()


def test_steps_that_are_not_due_are_not_looked_at(tmp_path):
    model = classifier()
    x, y = data()
    _, found = gradients_of(model, x, y)
    with GradientRecorder(tmp_path, model, update_freq=10) as recorder:
        for step in range(31):
            assert recorder.due(step) == (step in (0, 1, 11, 21)), step
            recorder.record(found if step in (0, 1, 11, 21) else object(), step=step)
    _, rows, _ = read(tmp_path)
    assert list(rows.steps) == [1, 11, 21]


def test_update_norms_are_left_out_where_they_are_not_wanted(tmp_path):
    model = classifier()
    with GradientRecorder(tmp_path, model, updates=False, histograms=False) as recorder:
        train(model, recorder, 2)
    _, rows, _ = read(tmp_path)
    assert np.isnan(rows.values[:, :, 8:]).all()
    assert np.isfinite(rows.values[:, :, :8]).all()


def test_a_report_between_record_and_apply_does_not_take_the_update_for_nothing(tmp_path):
    model = classifier()
    optimizer = keras.optimizers.SGD(0.1)
    x, y = data()
    with GradientRecorder(tmp_path, model) as recorder:
        for step in (1, 2, 3):
            loss, found = gradients_of(model, x, y)
            recorder.record(found, step=step, loss=loss)
            assert recorder.report().runs[tmp_path.name].logged == step - 1
            optimizer.apply(found, model.trainable_variables)
            assert recorder.report().runs[tmp_path.name].logged == step
    assert (read(tmp_path)[1].values[:, 0, UPDATE] > 0).all()


def test_a_sick_network_is_told_of_and_can_stop_the_loop(tmp_path, capsys):
    model = classifier(9, "sigmoid")
    found = []
    with GradientRecorder(tmp_path / "a", model, name="deep", on_unhealthy="stop") as recorder:
        train(model, recorder, 60)
    assert recorder.stop_training
    (finding,) = recorder.report().runs["deep"].findings
    assert (finding.kind, finding.layers[0]) == ("vanishing", "h0")
    assert "Gradients of deep: vanishing (critical) in h0" in capsys.readouterr().out
    model = classifier(9, "sigmoid")
    with GradientRecorder(tmp_path / "b", model, on_unhealthy=found.append) as recorder:
        train(model, recorder, 60)
    assert [f.kind for f in found] == ["vanishing"]
    assert capsys.readouterr().out == ""


def test_a_loop_that_ends_without_progress_is_told_of_when_it_closes(tmp_path):
    model = classifier(1)
    with GradientRecorder(tmp_path, model, loss_name="sparse_categorical_crossentropy") as recorder:
        for loss in np.random.default_rng(0).normal(1.0, 0.02, size=300):
            recorder.record([v * 0.1 for v in model.trainable_variables], loss=float(loss))
            for variable in model.trainable_variables:
                variable.assign(variable * 0.999)
        assert recorder.report().kinds == []
    (finding,) = recorder.report().findings
    assert (finding.kind, finding.cause_id) == ("stalled", "stalled.plateau")


def test_what_the_users_callable_raises_reaches_the_loop(tmp_path):
    def stop(finding):
        raise KeyError(finding.kind)

    model = classifier(9, "sigmoid")
    with (
        pytest.raises(KeyError, match="vanishing"),
        GradientRecorder(tmp_path, model, on_unhealthy=stop) as recorder,
    ):
        train(model, recorder, 60)


def test_thresholds_and_pictures_are_those_of_the_monitor(tmp_path):
    model = classifier(9, "sigmoid")
    strict = Thresholds(attenuation=100.0, attenuation_with_progress=100.0, influence=100.0)
    with GradientRecorder(tmp_path, model, thresholds=strict, map_layers=["h1"]) as recorder:
        train(model, recorder, 30)
    assert recorder.report().kinds == []
    structure, _, _ = read(tmp_path)
    source = sources.FileSource(tmp_path / metadata.MONITOR_SUBDIR)
    kept = [m for i in range(len(structure.layers)) for m in reader.read_maps(source, structure, i)]
    assert {path for _, path, _ in kept} == {"h1/kernel"}


def test_a_gan_has_two_networks_kept_apart(tmp_path):
    keras.utils.set_random_seed(0)
    generator = network(L.Dense(16, "relu", name="g0"), L.Dense(2, name="g1"), inputs=4)
    critic = network(L.Dense(16, "relu", name="d0"), L.Dense(1, name="d1"), inputs=2)
    bce = keras.losses.BinaryCrossentropy(from_logits=True)
    optimizers = keras.optimizers.Adam(1e-3), keras.optimizers.Adam(1e-3)
    rng = np.random.default_rng(0)
    with (
        GradientRecorder(tmp_path, generator, name="generator") as for_generator,
        GradientRecorder(tmp_path, critic, name="critic") as for_critic,
    ):
        for step in range(1, 41):
            real = rng.normal(2.0, 0.5, size=(32, 2)).astype("float32")
            z = rng.normal(size=(32, 4)).astype("float32")
            with tf.GradientTape() as tape:
                fake = critic(generator(z))
                loss = bce(tf.ones_like(fake), critic(real)) + bce(tf.zeros_like(fake), fake)
            found = tape.gradient(loss, critic.trainable_variables)
            for_critic.record(found, critic.trainable_variables, step=step, loss=loss)
            optimizers[0].apply(found, critic.trainable_variables)
            with tf.GradientTape() as tape:
                fake = critic(generator(z))
                loss = bce(tf.ones_like(fake), fake)
            found = tape.gradient(loss, generator.trainable_variables)
            for_generator.record(found, generator.trainable_variables, step=step, loss=loss)
            optimizers[1].apply(found, generator.trainable_variables)
    for name, first, recorder in (("generator", "g0", for_generator), ("critic", "d0", for_critic)):
        structure, rows, _ = read(tmp_path / name)
        assert structure.layers[0].path == first
        assert list(rows.steps) == list(range(1, 41))
        assert list(recorder.report().runs) == [name]
        assert recorder.report().verdict == "healthy"


def test_one_recorder_for_two_networks_in_turn_is_refused(tmp_path):
    model = network(L.Dense(4, name="one"), L.Dense(2, name="two"))
    v = model.trainable_variables
    g = [tf.ones_like(x.value) for x in v]
    with GradientRecorder(tmp_path / "a", model) as recorder:
        recorder.record(g[:2], v[:2], step=1)
        with pytest.raises(ValueError, match=r"`step` \(=1\) must be larger.*`name=`"):
            recorder.record(g[2:], v[2:], step=1)
    with GradientRecorder(tmp_path / "b", model) as recorder:
        recorder.record(g[:2], v[:2])
        with pytest.raises(ValueError, match=r"`variables` of step 2 are others.*`name=`"):
            recorder.record(g[2:], v[2:])


def test_layers_may_be_frozen_on_the_way(tmp_path):
    model = network(L.Dense(4, name="one"), L.Dense(2, name="two"))
    with GradientRecorder(tmp_path, model) as recorder:
        for step in range(1, 7):
            model.layers[0].trainable = step > 3
            v = model.trainable_variables
            recorder.record([tf.ones_like(x.value) for x in v], v, step=step)
    assert recorder.report().runs[tmp_path.name].logged == 6
    assert len(read(tmp_path)[0].variables) == 4


def test_an_agent_that_learns_by_reinforce_is_healthy(tmp_path):
    """A row of six cells, the reward at its right end: the policy learns to go there.

    Once all returns of a batch are equal, its gradient is exactly zero: that is no death.
    """
    policy = network(L.Dense(16, "tanh", name="body"), L.Dense(2, name="head"))
    optimizer = keras.optimizers.Adam(3e-2)
    rng = np.random.default_rng(0)
    returns, void = [], 0
    with GradientRecorder(tmp_path, policy, optimizer=optimizer) as recorder:
        for step in range(1, 61):
            states, actions, rewards = [], [], []
            logits = policy(np.eye(6, dtype="float32")).numpy()
            goes_right = 1.0 / (1.0 + np.exp(logits[:, 0] - logits[:, 1]))
            for _ in range(8):
                cell, length = 2, 0
                while 0 < cell < 5 and length < 12:
                    action = int(rng.random() < goes_right[cell])
                    states.append(np.eye(6, dtype="float32")[cell])
                    actions.append(action)
                    cell, length = cell + 2 * action - 1, length + 1
                rewards += [float(cell == 5)] * length
                returns.append(float(cell == 5))
            advantage = np.array(rewards, "float32") - np.float32(np.mean(rewards))
            void += not advantage.any()
            with tf.GradientTape() as tape:
                log_p = tf.nn.log_softmax(policy(np.array(states)))
                chosen = tf.gather(log_p, actions, batch_dims=1)
                loss = -tf.reduce_mean(chosen * advantage)
            found = tape.gradient(loss, policy.trainable_variables)
            recorder.record(
                found, step=step, loss=loss, metrics={"return": float(np.mean(returns[-8:]))}
            )
            optimizer.apply(found, policy.trainable_variables)
    assert np.mean(returns[-80:]) > 0.9 > np.mean(returns[:8])
    assert void > 20
    assert recorder.report().verdict == "healthy"
    assert len(scalars(tmp_path)["batch_return"]) == 50


def test_wrong_arguments_are_refused_with_a_remedy(tmp_path):
    model = classifier()
    x, y = data()
    _, found = gradients_of(model, x, y)
    other = tf.Variable(1.0, name="other")
    wrong = [
        ((found[:3],), {}, ValueError, r"`gradients` \(=3\) must be as many as `variables` \(=4\)"),
        ((found, [*model.trainable_variables[:3], other]), {}, ValueError, r"`variables\[3\]`"),
        ((found[::-1],), {}, ValueError, r"`gradients\[0\]` \(of shape \(2,\)\) must have"),
        (([None] * 4,), {}, ValueError, r"`gradients` \(all None\)"),
        (([1.0, *found[1:]],), {}, TypeError, r"`gradients\[0\]` \(=1.0\)"),
        ((found[0],), {}, TypeError, r"`gradients` \(a EagerTensor\) must be a list"),
        ((None,), {}, TypeError, r"`gradients` \(a NoneType\)"),
        ((found,), {"step": 1.5}, TypeError, r"`step` \(=1.5\) must be a whole number"),
        ((found,), {"step": True}, TypeError, r"`step` \(=True\)"),
        ((found,), {"step": -1}, ValueError, r"`step` \(=-1\) must not be negative"),
        ((found,), {"loss": "low"}, TypeError, r"`loss` \(='low'\) must be a number"),
        ((found,), {"loss": [1.0, 2.0]}, TypeError, r"`loss` "),
        ((found,), {"loss_scale": 0.0}, ValueError, r"`loss_scale` \(=0.0\)"),
        ((found,), {"metrics": [1.0]}, TypeError, r"`metrics` \(=\[1.0\]\) must be a dict"),
        ((found,), {"metrics": {"loss": 1.0}}, ValueError, r"give `loss=`"),
    ]
    for position, named, error, message in wrong:
        with GradientRecorder(tmp_path, model) as recorder, pytest.raises(error, match=message):
            recorder.record(*position, **named)
    made = [
        ({"update_freq": "epoch"}, ValueError, r"`update_freq` \(='epoch'\) needs epochs"),
        ({"name": "a/b"}, ValueError, r"`name` \(='a/b'\) must be one part of a path"),
        ({"name": 1}, TypeError, r"`name` \(=1\)"),
        ({"loss_name": 1}, TypeError, r"`loss_name` \(=1\)"),
        ({"on_unhealthy": "no"}, ValueError, r"`on_unhealthy`"),
    ]
    for named, error, message in made:
        with pytest.raises(error, match=message):
            GradientRecorder(tmp_path, model, **named)
    with pytest.raises(TypeError, match=r"`model` \(a dict\) must be a keras.Model"):
        GradientRecorder(tmp_path, {})
    unbuilt = keras.Sequential([L.Dense(2)])
    with GradientRecorder(tmp_path, unbuilt) as recorder, pytest.raises(ValueError, match="builds"):
        recorder.record(found)
    assert not (tmp_path / "gradients").exists()


def test_a_call_inside_a_compiled_function_is_refused(tmp_path):
    model = classifier()
    x, y = data()
    with GradientRecorder(tmp_path, model) as recorder:

        @tf.function
        def step():
            loss, found = gradients_of(model, x, y)
            recorder.record(found, loss=loss)

        with pytest.raises(RuntimeError, match="inside a function that is being compiled"):
            step()


def test_a_fault_of_ours_costs_one_warning_and_the_loop_goes_on(tmp_path, monkeypatch):
    def broken(*args):
        raise RuntimeError("a bug")

    monkeypatch.setattr(gradient_recorder, "step_record", broken)
    model = classifier()
    message = "GradientRecorder is off; training goes on.*a bug"
    with (
        pytest.warns(RuntimeWarning, match=message) as w,
        GradientRecorder(tmp_path, model) as recorder,
    ):
        weights = train(model, recorder)
    assert len(w) == 1
    assert (weights[0][0] != weights[-1][0]).any()
    assert not recorder.due(100)


def test_a_disk_that_fails_costs_one_warning(tmp_path):
    (tmp_path / "gradients").write_text("in the way")
    model = classifier()
    with (
        pytest.warns(RuntimeWarning, match="GradientRecorder cannot write to") as w,
        GradientRecorder(tmp_path, model) as recorder,
    ):
        train(model, recorder)
    assert len(w) == 1
    assert recorder.report().runs[tmp_path.name].logged == 5


def test_an_exception_of_the_loop_leaves_the_steps_so_far(tmp_path):
    def broken_off():
        model = classifier()
        with GradientRecorder(tmp_path, model) as recorder:
            train(model, recorder, 3)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        broken_off()
    assert len(read(tmp_path)[1].steps) == 3


def test_a_run_is_continued_by_a_second_with(tmp_path):
    model = classifier()
    recorder = GradientRecorder(tmp_path, model)
    x, y = data()
    for step in (1, 2):
        with recorder:
            loss, found = gradients_of(model, x, y)
            recorder.record(found, step=step, loss=loss)
    assert list(read(tmp_path)[1].steps) == [1, 2]


PLAIN_TORCH = """
import sys, json, torch
torch.set_num_threads(1)
from tb_gradplugin import GradientRecorder

class Net(torch.nn.Module):
    def __init__(self, depth, activation):
        super().__init__()
        width = lambda i: 20 if i == 0 else 32
        parts = [m for i in range(depth) for m in (torch.nn.Linear(width(i), 32), activation())]
        self.body, self.head = torch.nn.Sequential(*parts), torch.nn.Linear(32, 1)
    def forward(self, x):
        return self.head(self.body(x))

def train(net, recorder):
    optimizer = torch.optim.AdamW(net.parameters(), 1e-3)
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(512, 20, generator=generator)
    y = (x[:, :1] > 0).float()
    for step in range(1, 151):
        at = step * 32 % 512
        optimizer.zero_grad()
        loss = torch.nn.functional.binary_cross_entropy_with_logits(net(x[at:at+32]), y[at:at+32])
        loss.backward()
        if recorder:
            recorder.record(step=step, loss=loss, learning_rate=optimizer.param_groups[0]["lr"])
        optimizer.step()
    return [p.detach().clone() for p in net.parameters()]

out = {}
for name, depth, activation in (("sick", 10, torch.nn.Sigmoid), ("healthy", 2, torch.nn.ReLU)):
    runs = []
    for watched in (False, True):
        torch.manual_seed(0)
        net = Net(depth, activation)
        if watched:
            with GradientRecorder(sys.argv[1], net, name=name, optimizer="AdamW",
                                  loss_name="cross_entropy", on_unhealthy="ignore") as recorder:
                runs.append(train(net, recorder))
            out[name] = recorder.report().to_dict()["runs"][name]
        else:
            runs.append(train(net, None))
    assert all(torch.equal(a, b) for a, b in zip(*runs))
out["loaded"] = sorted({"keras", "tensorflow", "jax"} & set(sys.modules))
print(json.dumps(out))
"""


def test_plain_pytorch_needs_neither_keras_nor_tensorflow(tmp_path):
    pytest.importorskip("torch")
    done = subprocess.run(
        [sys.executable, "-c", PLAIN_TORCH, str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PYTHONPATH": str(REPO)},
    )
    assert done.returncode == 0, done.stderr
    out = json.loads(done.stdout)
    assert out["loaded"] == []
    assert out["healthy"]["verdict"] == "healthy"
    (finding,) = out["sick"]["findings"]
    assert finding["cause_id"] == "vanishing.saturating"
    assert finding["layers"][0] == "body/0"
    structure, rows, training = read(tmp_path / "sick")
    assert structure.optimizer == "AdamW"
    assert training[0]["learning_rate"] == 1e-3
    assert (rows.values[:, 0, UPDATE] > 0).all()


def test_statistics_of_a_pytorch_module_are_those_of_its_gradients(tmp_path):
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Linear(5, 7), torch.nn.Tanh(), torch.nn.Linear(7, 1))
    net.append(torch.nn.Linear(1, 1))  # never called: it has no gradient
    optimizer = torch.optim.SGD(net.parameters(), 0.1, momentum=0.9)
    x = torch.randn(20, 5, generator=torch.Generator().manual_seed(1))
    expected = []
    with GradientRecorder(tmp_path, net, optimizer=optimizer) as recorder:
        for step in range(1, 5):
            optimizer.zero_grad(set_to_none=False)
            loss = net[:3](x).square().mean()
            loss.backward()
            before = [p.detach().numpy().copy() for p in net.parameters()]
            found = [None if p.grad is None else p.grad.numpy().copy() for p in net.parameters()]
            recorder.record(step=step, loss=loss)
            optimizer.step()
            after = [p.detach().numpy() for p in net.parameters()]
            expected.append([statistics64(*v) for v in zip(found, before, after, strict=True)])
    structure, rows, training = read(tmp_path)
    np.testing.assert_allclose(rows.values, expected, rtol=1e-4, atol=1e-8)
    assert structure.optimizer == "SGD"
    assert [t["learning_rate"] for t in training] == [0.1] * 4


def test_a_pytorch_module_is_described_in_the_words_of_keras():
    torch = pytest.importorskip("torch")
    from tb_gradplugin.callbacks.describe_module import describe_module

    nn = torch.nn

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.embed = nn.Embedding(10, 6)
            self.conv = nn.Conv2d(3, 8, (5, 4))
            self.norm = nn.BatchNorm2d(8)
            self.act = nn.LeakyReLU()
            self.up = nn.ConvTranspose2d(8, 4, 3)
            self.rnn = nn.LSTM(6, 9, num_layers=2)
            self.mix = nn.MultiheadAttention(8, 2)
            self.head = nn.Sequential(nn.Linear(9, 40), nn.Sigmoid(), nn.Dropout(0.1))
            self.drawn = nn.Linear(40, 40)
            nn.init.normal_(self.drawn.weight, std=0.6)
            self.scale = nn.Parameter(torch.ones(()))

    torch.manual_seed(0)
    net = Net()
    structure = describe_module(net, list(net.parameters()))
    layers = {layer.path: layer for layer in structure.layers}
    assert list(layers)[1:5] == ["embed", "conv", "norm", "act"]
    assert layers["conv"].type == "Conv2D"
    assert layers["norm"].type == "BatchNormalization"
    assert (layers["act"].type, layers["act"].activation) == ("LeakyReLU", "leaky_relu")
    assert (layers["head/1"].type, layers["head/1"].activation) == ("Activation", "sigmoid")
    assert {path for path, layer in layers.items() if layer.own} == {"Net"}
    assert layers["rnn"].activation == "tanh"
    assert layers["head/0"].initializer == "VarianceScaling(scale=0.333333)"
    assert layers["drawn"].initializer is None
    assert layers["conv"].parameters == 3 * 8 * 20 + 8
    rows = {v.path: v for v in structure.variables}
    assert structure.variables[0].path == "Net/scale"
    assert rows["Net/scale"].role == "other"
    assert (rows["conv/weight"].role, rows["conv/weight"].shape) == ("kernel", (5, 4, 3, 8))
    assert rows["up/weight"].shape == (3, 3, 4, 8)
    assert rows["embed/weight"].role == "embeddings"
    assert rows["norm/weight"].role == "scale"
    assert rows["rnn/weight_ih_l0"].shape == (6, 36)
    assert (rows["rnn/weight_hh_l1"].role, rows["rnn/weight_hh_l1"].shape) == (
        "recurrent_kernel",
        (9, 36),
    )
    assert rows["mix/in_proj_weight"].shape == (8, 24)
    assert rows["head/0/weight"].shape == (9, 40)


def test_parameters_in_a_tree_of_jax_arrays(tmp_path):
    jax = pytest.importorskip("jax")
    keys = jax.random.split(jax.random.PRNGKey(0), 12)
    tree = {
        f"layer_{i}": {
            "kernel": jax.random.normal(keys[i], (6, 6)) / np.sqrt(6),
            "bias": jax.numpy.zeros(6),
        }
        for i in range(12)
    }
    x = np.random.default_rng(0).normal(size=(16, 6)).astype("float32")

    def loss_of_tree(tree):
        h = x
        for i in range(12):
            h = jax.numpy.tanh(h @ tree[f"layer_{i}"]["kernel"] + tree[f"layer_{i}"]["bias"])
        return jax.numpy.mean((h - 0.5) ** 2)

    differentiate = jax.jit(jax.value_and_grad(loss_of_tree))
    expected = []
    with GradientRecorder(tmp_path, optimizer="sgd", loss_name="mse") as recorder:
        for step in range(1, 4):
            loss, found = differentiate(tree)
            recorder.record(found, tree, step=step, loss=loss, learning_rate=0.1)
            new = jax.tree.map(lambda w, g: w - 0.1 * g, tree, found)
            expected.append((tree, found, new))
            tree = new
    structure, rows, _ = read(tmp_path)
    assert [layer.path for layer in structure.layers] == [f"layer_{i}" for i in range(12)]
    for values, (tree, found, new) in zip(rows.values, expected, strict=True):
        for row, v in zip(values, structure.variables, strict=True):
            layer, name = v.path.split("/")
            arrays = (np.asarray(t[layer][name]) for t in (found, tree, new))
            want = statistics64(*arrays)
            if tree is expected[-1][0]:
                want[UPDATE] = np.nan  # nobody told the tree that followed
            np.testing.assert_allclose(row, want, rtol=2e-4, atol=1e-7)
    with GradientRecorder(tmp_path / "wrong") as recorder:
        with pytest.raises(ValueError, match="`gradients` has nothing at 'layer_0/bias'"):
            recorder.record({"layer_0": {}}, tree)
        with pytest.raises(ValueError, match=r"`variables` \(=None\)"):
            recorder.record(found)
        with pytest.raises(TypeError, match=r"`variables` \(a str\)"):
            recorder.record(found, "weights")


def test_a_step_that_is_not_due_costs_a_few_microseconds(tmp_path):
    import timeit

    model = classifier()
    x, y = data()
    loss, found = gradients_of(model, x, y)
    variables = model.trainable_variables
    with GradientRecorder(tmp_path, model, update_freq=10**6) as recorder:
        recorder.record(found, variables, step=1, loss=loss)
        recorder.record(found, variables, step=2, loss=loss)
        step = iter(range(3, 100_000))
        once = min(
            timeit.repeat(
                lambda: recorder.record(found, variables, step=next(step), loss=loss),
                number=1000,
                repeat=5,
            )
        )
    assert once / 1000 < 20e-6  # 1 us on an idle machine


def test_no_warning_comes_of_a_healthy_run(tmp_path):
    model = classifier()
    with warnings.catch_warnings(), GradientRecorder(tmp_path, model) as recorder:
        warnings.simplefilter("error")
        train(model, recorder, 30)
