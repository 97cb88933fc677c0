"""The callback from fit to event files: what is written, when, and that training never notices."""

from __future__ import annotations

import gc
import logging
import os
import pathlib
import signal
import subprocess
import sys
import textwrap
import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers
from tensorboard.backend.event_processing import plugin_event_accumulator
from tensorboard.util import tensor_util

from tb_gradplugin import Finding, Thresholds, bins
from tb_gradplugin.callbacks import GradientMonitor, gradient_monitor, run_watcher
from tb_gradplugin.logdir import read_report
from tb_gradplugin.metadata import STATISTICS_COLUMNS, TRAINING_COLUMNS
from tb_gradplugin.structure import ModelStructure
from tests import fake_runs
from tests.reference import tape_gradients

REPO = pathlib.Path(__file__).parents[1]
NORM = STATISTICS_COLUMNS.index("norm")


def small_model(**compile_args):
    keras.utils.set_random_seed(11)
    model = keras.Sequential(
        [
            keras.Input([6]),
            layers.Dense(8, activation="relu", name="hidden"),
            layers.Dense(3, activation="softmax", name="head"),
        ]
    )
    settings = {
        "optimizer": keras.optimizers.SGD(0.05),
        "loss": "sparse_categorical_crossentropy",
        "metrics": ["accuracy"],
        **compile_args,
    }
    model.compile(**settings)
    return model


def small_data(n=40):
    rng = np.random.default_rng(2)
    x = rng.normal(size=[n, 6]).astype("float32")
    return x, (x[:, 0] > 0).astype("int32") + (x[:, 1] > 1)


def vanishing_model():
    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [keras.Input([6])]
        + [layers.Dense(12, "sigmoid", name=f"dense_{i}") for i in range(9)]
        + [layers.Dense(3, "softmax", name="head")]
    )
    model.compile(keras.optimizers.SGD(0.1), "sparse_categorical_crossentropy")
    return model


def fit(model, monitor, **args):
    x, y = small_data()
    settings = {"batch_size": 10, "epochs": 3, "verbose": 0, "shuffle": False, **args}
    return model.fit(x, y, callbacks=[monitor], **settings)


def read(directory):
    """Everything below a monitor's directory, by TensorBoard's own reader."""
    accumulator = plugin_event_accumulator.EventAccumulator(
        str(directory), size_guidance={plugin_event_accumulator.TENSORS: 0}
    )
    accumulator.Reload()
    return {
        tag: [(e.step, tensor_util.make_ndarray(e.tensor_proto)) for e in accumulator.Tensors(tag)]
        for tag in accumulator.Tags()["tensors"]
    }


def test_events_hold_the_gradients_of_the_real_steps(tmp_path):
    model = small_model()
    start = [v.numpy() for v in model.trainable_variables]
    fit(model, GradientMonitor(tmp_path, update_freq=1), epochs=1)
    data = read(tmp_path / "gradients")
    assert [step for step, _ in data["gradients/statistics"]] == [1, 2, 3, 4]
    x, y = small_data()
    want = [np.linalg.norm(g) for g in tape_gradients(model, start, x[:10], y[:10])]
    np.testing.assert_allclose(data["gradients/statistics"][0][1][:, NORM], want, rtol=1e-5)
    training = dict(zip(TRAINING_COLUMNS, data["gradients/training"][0][1], strict=True))
    assert training["learning_rate"] == pytest.approx(0.05)
    assert training["loss_scale"] == 1.0
    assert training["clip_ratio"] == 1.0
    share = np.bincount(y[:10], minlength=3) / 10
    entropy = -sum(p * np.log(p) for p in share if p)
    assert training["baseline_loss"] == pytest.approx(entropy, rel=1e-5)
    assert data["batch_loss"][0][1] == pytest.approx(training["loss"], rel=1e-6)


def test_structure_names_layers_in_forward_order_and_rows_in_optimizer_order(tmp_path):
    model = small_model()
    fit(model, GradientMonitor(tmp_path))
    ((_, text),) = read(tmp_path / "gradients")["gradients/model"]
    structure = ModelStructure.from_json(text.item().decode())
    assert [layer.path for layer in structure.layers] == ["hidden", "head"]
    assert structure.layers[0].activation == "relu"
    assert structure.layers[0].initializer == "GlorotUniform"
    assert [v.path for v in structure.variables] == [
        "hidden/kernel",
        "hidden/bias",
        "head/kernel",
        "head/bias",
    ]
    assert [v.role for v in structure.variables] == ["kernel", "bias"] * 2
    assert structure.optimizer == "SGD"


def test_histogram_shares_are_those_of_the_gradient(tmp_path):
    model = small_model()
    start = [v.numpy() for v in model.trainable_variables]
    fit(model, GradientMonitor(tmp_path, update_freq=1), epochs=1)
    step, shares = read(tmp_path / "gradients")["gradients/histograms"][0]
    assert step == 1
    assert shares.dtype == np.uint16
    x, y = small_data()
    g = tape_gradients(model, start, x[:10], y[:10])[0].ravel()
    octave = np.floor(np.log2(np.abs(g[g != 0]))).astype(int) - bins.MIN_EXPONENT
    negative = np.bincount(octave[g[g != 0] < 0], minlength=bins.OCTAVES)
    got = shares[0].astype(float) / bins.FULL_SHARE
    assert got[bins.ZERO] == pytest.approx(np.mean(g == 0), abs=1e-3)
    np.testing.assert_allclose(got[: bins.OCTAVES], negative / g.size, atol=1.5 / g.size)


def test_a_logged_step_costs_at_most_500_bytes_a_variable(tmp_path):
    model = small_model()
    fit(model, GradientMonitor(tmp_path, update_freq=1))
    data = read(tmp_path / "gradients")
    row = (
        data["gradients/statistics"][0][1][0].nbytes + data["gradients/histograms"][0][1][0].nbytes
    )
    assert row <= 500


def test_tensorboards_own_tabs_get_scalars_and_histograms_at_epoch_ends(tmp_path):
    model = small_model()
    x, y = small_data()
    history = fit(model, GradientMonitor(tmp_path), validation_data=(x, y))
    data = read(tmp_path / "gradients")
    assert [step for step, _ in data["epoch_loss"]] == [4, 8, 12]
    np.testing.assert_allclose(
        [v for _, v in data["epoch_val_accuracy"]], history.history["val_accuracy"], rtol=1e-6
    )
    assert data["epoch_learning_rate"][0][1] == pytest.approx(0.05)
    weights = data["weights_of/hidden/kernel"]
    assert [step for step, _ in weights] == [4, 8, 12]
    kernel = model.layers[0].kernel.numpy()
    left, right, count = weights[-1][1].T
    assert left[0] == pytest.approx(kernel.min())
    assert right[-1] == pytest.approx(kernel.max())
    np.testing.assert_allclose(count, np.histogram(kernel, 30)[0], atol=1)
    assert count.sum() == kernel.size
    assert [step for step, _ in data["gradients_of/hidden/kernel"]] == [4, 8, 12]


@pytest.mark.parametrize(
    ("freq", "want"),
    [
        (5, [1, 6, 11, 16, 21]),
        ("epoch", [1, 9, 17]),
        ("auto", [*range(1, 25)]),
    ],
)
def test_update_freq_chooses_the_logged_steps(tmp_path, freq, want):
    fit(small_model(), GradientMonitor(tmp_path, update_freq=freq), batch_size=5)
    assert [step for step, _ in read(tmp_path / "gradients")["gradients/statistics"]] == want


def test_steps_go_on_over_several_fits_and_into_a_resumed_run(tmp_path):
    model, monitor = small_model(), GradientMonitor(tmp_path / "a", update_freq=1)
    fit(model, monitor, epochs=1)
    fit(model, monitor, epochs=1)
    model.save(tmp_path / "model.keras")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        resumed = keras.models.load_model(tmp_path / "model.keras")
    fit(resumed, GradientMonitor(tmp_path / "a", update_freq=1), epochs=1)
    steps = [step for step, _ in read(tmp_path / "a" / "gradients")["gradients/statistics"]]
    assert steps == list(range(1, 13))


def test_a_run_started_afresh_in_the_same_directory_replaces_the_old_points(tmp_path):
    fit(small_model(), GradientMonitor(tmp_path, update_freq=1), epochs=3)
    fit(small_model(), GradientMonitor(tmp_path, update_freq=1), epochs=1)
    steps = [step for step, _ in read(tmp_path / "gradients")["gradients/statistics"]]
    assert steps == [1, 2, 3, 4]


@pytest.mark.parametrize("freq", [1, 3, "auto"])
def test_weights_are_bit_identical_with_and_without_the_monitor(tmp_path, freq):
    def train(callbacks):
        model = small_model(optimizer=keras.optimizers.Adam(0.01))
        x, y = small_data()
        model.fit(x, y, batch_size=9, epochs=4, verbose=0, callbacks=callbacks)
        return [v.numpy() for v in [*model.variables, *model.optimizer.variables]]

    for a, b in zip(train([]), train([GradientMonitor(tmp_path, update_freq=freq)]), strict=True):
        np.testing.assert_array_equal(a, b)


def test_an_exception_in_the_middle_of_fit_leaves_model_and_data_usable(tmp_path):
    class Interrupt(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if batch == 2:
                raise KeyboardInterrupt

    model, monitor = small_model(), GradientMonitor(tmp_path, update_freq=1)
    x, y = small_data()
    with pytest.raises(KeyboardInterrupt):
        model.fit(x, y, batch_size=10, verbose=0, callbacks=[monitor, Interrupt()])
    assert "train_step" not in vars(model)
    assert "apply" not in vars(model.optimizer)
    assert [s for s, _ in read(tmp_path / "gradients")["gradients/statistics"]] == [1, 2]
    assert monitor.report().runs[tmp_path.name].logged == 3  # the last one is fetched on asking
    fit(model, monitor, epochs=1)
    steps = [s for s, _ in read(tmp_path / "gradients")["gradients/statistics"]]
    assert steps == [1, 2, 3, 4, 5, 6, 7]


def test_a_killed_run_keeps_every_logged_step_that_was_written(tmp_path):
    code = f"""
        import os, signal, keras
        from tests.test_gradient_monitor import small_model, small_data, GradientMonitor
        class Kill(keras.callbacks.Callback):
            def on_train_batch_begin(self, batch, logs=None):
                if batch == 3:
                    os.kill(os.getpid(), signal.SIGKILL)
        x, y = small_data()
        small_model().fit(x, y, batch_size=10, verbose=0,
                          callbacks=[GradientMonitor({str(tmp_path)!r}, update_freq=1), Kill()])
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], cwd=REPO, capture_output=True, timeout=120
    )
    assert done.returncode == -signal.SIGKILL
    assert [s for s, _ in read(tmp_path / "gradients")["gradients/statistics"]] == [1, 2, 3]


class Written(keras.callbacks.Callback):
    """Counts the logged steps on disk at the end of every step."""

    def __init__(self, directory):
        super().__init__()
        self.directory, self.counts = directory, []

    def on_train_batch_end(self, batch, logs=None):
        self.counts.append(len(read(self.directory).get("gradients/statistics", ())))


def test_at_every_step_a_few_steps_wait_to_be_written_together_and_none_is_lost(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(run_watcher, "PENDING_SECONDS", 1e9)
    written = Written(tmp_path / "gradients")
    x, y = small_data(60)
    fit_ = {"batch_size": 1, "verbose": 0, "shuffle": False}
    monitor = GradientMonitor(tmp_path, update_freq=1)
    small_model().fit(x, y, callbacks=[monitor, written], **fit_)
    # Step n + 1 begins with n steps logged: the first 20 at once, then sixteen at a time.
    logged = np.arange(60)
    np.testing.assert_array_equal(
        written.counts, np.where(logged <= 20, logged, 20 + (logged - 20) // 16 * 16)
    )
    assert [s for s, _ in read(tmp_path / "gradients")["gradients/statistics"]] == [*range(1, 61)]
    keras.utils.set_random_seed(0)
    at_once = GradientMonitor(tmp_path / "b", update_freq=1, on_unhealthy=lambda finding: None)
    other = Written(tmp_path / "b/gradients")
    small_model().fit(x, y, callbacks=[at_once, other], **fit_)
    np.testing.assert_array_equal(other.counts, logged)  # somebody waits to hear of findings


def test_what_waits_does_so_for_a_moment_only_and_not_beside_a_nan(tmp_path, monkeypatch):
    monkeypatch.setattr(run_watcher, "PENDING_SECONDS", 0.0)
    written = Written(tmp_path / "gradients")
    x, y = small_data(40)
    model = small_model()
    fit_ = {"batch_size": 1, "verbose": 0, "shuffle": False}
    model.fit(x, y, callbacks=[GradientMonitor(tmp_path, update_freq=1), written], **fit_)
    np.testing.assert_array_equal(written.counts, np.arange(40))
    monkeypatch.setattr(run_watcher, "PENDING_SECONDS", 1e9)
    written = Written(tmp_path / "b/gradients")
    x[30] = np.nan
    model.fit(x, y, callbacks=[GradientMonitor(tmp_path / "b", update_freq=1), written], **fit_)
    assert written.counts[30] == 20
    assert written.counts[31:] == [*range(31, 40)]


def test_a_vanishing_network_is_reported_told_once_and_a_healthy_one_is_not(tmp_path, capsys):
    monitor = GradientMonitor(tmp_path / "sick")
    fit(vanishing_model(), monitor, epochs=12)
    (finding,) = monitor.report().findings
    assert finding.kind == "vanishing"
    assert finding.active
    assert finding.layers[0] == "dense_0"
    assert "head" not in finding.layers
    assert monitor.report().verdict == "unhealthy"
    shown = capsys.readouterr().out
    assert shown.count("vanishing") == 1
    assert "dense_0" in shown
    healthy = GradientMonitor(tmp_path / "healthy")
    fit(small_model(), healthy, epochs=12)
    assert healthy.report().verdict == "healthy"
    assert capsys.readouterr().out == ""


def noise():
    """Labels that have nothing to do with the inputs: no network can lower its loss."""
    rng = np.random.default_rng(6)
    while True:
        yield rng.normal(size=[32, 6]).astype("float32"), rng.integers(0, 3, size=32)


def test_a_training_that_ends_without_progress_is_told_of_at_its_end(tmp_path, capsys):
    model, monitor = small_model(optimizer=keras.optimizers.SGD(0.01)), GradientMonitor(tmp_path)
    for steps, kinds in ((50, []), (200, ["stalled"])):
        args = {"steps_per_epoch": 50, "verbose": 0, "shuffle": False, "callbacks": [monitor]}
        model.fit(noise(), epochs=steps // 50, **args)
        told = read_report(str(tmp_path))
        assert told.kinds == kinds
        assert monitor.report().kinds == told.kinds
    assert capsys.readouterr().out.count("Training ended with the loss still at") == 1
    again = read_report(str(tmp_path), Thresholds())
    assert list(again.runs.values()) == list(told.runs.values())
    assert read_report(str(tmp_path), Thresholds(stall_step=600)).kinds == []


@pytest.mark.parametrize("validates", [True, False])
def test_what_held_back_data_say_at_the_end_of_a_fit_is_written(tmp_path, validates):
    rng = np.random.default_rng(8)
    x, y = rng.normal(size=[720, 6]).astype("float32"), rng.integers(0, 3, size=720)
    held = {"validation_data": (x[320:], y[320:])} if validates else {}
    model, monitor = small_model(optimizer=keras.optimizers.Adam(0.01)), GradientMonitor(tmp_path)
    model.fit(x[:320], y[:320], 16, 10, verbose=0, callbacks=[monitor], **held)
    told = read_report(str(tmp_path))
    causes = [f.cause_id for run in told.runs.values() for f in run.findings]
    assert causes == ["stalled.validation"] * validates
    assert list(read_report(str(tmp_path), Thresholds()).runs.values()) == list(told.runs.values())


def test_a_callable_that_raises_at_the_end_of_a_fit_leaves_the_data_and_no_open_file(tmp_path):
    class TooBadError(Exception):
        pass

    def raises(finding):
        raise TooBadError(finding.kind)

    model = small_model(optimizer=keras.optimizers.SGD(0.05))
    monitor = GradientMonitor(tmp_path, on_unhealthy=raises, probe_freq=None)
    args = {"steps_per_epoch": 500, "verbose": 0, "shuffle": False, "callbacks": [monitor]}
    with pytest.raises(TooBadError, match="stalled"):
        model.fit(noise(), **args)
    assert read_report(str(tmp_path)).kinds == ["stalled"]
    opened = {
        os.readlink(f"/proc/self/fd/{fd}")
        for fd in os.listdir("/proc/self/fd")
        if os.path.islink(f"/proc/self/fd/{fd}")
    }
    assert not any(name.startswith(str(tmp_path)) for name in opened)


def test_the_finding_is_on_disk_as_soon_as_it_opens(tmp_path):
    seen = []

    def look(finding: Finding):
        seen.append(read(tmp_path / "gradients")["gradients/health"][-1][1].item().decode())

    fit(vanishing_model(), GradientMonitor(tmp_path, on_unhealthy=look), epochs=12)
    assert len(seen) == 1
    assert '"vanishing"' in seen[0]


def test_on_unhealthy_stop_ends_training_and_ignore_is_silent(tmp_path, capsys):
    model = vanishing_model()
    history = fit(model, GradientMonitor(tmp_path / "a", on_unhealthy="stop"), epochs=30)
    assert len(history.epoch) < 30
    capsys.readouterr()
    fit(vanishing_model(), GradientMonitor(tmp_path / "b", on_unhealthy="ignore"), epochs=12)
    assert capsys.readouterr().out == ""


def test_an_exception_of_the_users_own_callable_reaches_the_user(tmp_path):
    class PrunedError(Exception):
        pass

    def prune(finding):
        raise PrunedError

    with pytest.raises(PrunedError):
        fit(vanishing_model(), GradientMonitor(tmp_path, on_unhealthy=prune), epochs=12)


def test_a_network_that_is_nan_at_the_first_step_is_reported(tmp_path):
    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [keras.Input([6])] + [layers.Dense(12, "exponential") for _ in range(8)] + [layers.Dense(3)]
    )
    model.compile(keras.optimizers.Adam(1e-3), "mse")
    monitor = GradientMonitor(tmp_path, on_unhealthy="ignore")
    x, _ = small_data()
    model.fit(x, x[:, :3], batch_size=10, epochs=2, verbose=0, callbacks=[monitor])
    assert "nonfinite" in monitor.report().kinds


def test_a_log_directory_that_cannot_be_written_warns_once_and_training_goes_on(tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("not a directory")
    monitor = GradientMonitor(blocked / "run")
    with pytest.warns(RuntimeWarning, match="cannot write") as caught:
        history = fit(vanishing_model(), monitor, epochs=12)
    assert len(caught) == 1
    assert len(history.epoch) == 12
    assert monitor.report().kinds == ["vanishing"]


def test_a_directory_that_vanishes_does_not_stop_training(tmp_path):
    class Remove(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            for file in (tmp_path / "gradients").glob("*"):
                file.unlink()

    model = small_model()
    x, y = small_data()
    model.fit(x, y, epochs=3, verbose=0, callbacks=[GradientMonitor(tmp_path), Remove()])


def test_a_fault_of_the_monitor_costs_one_warning_and_never_the_run(tmp_path, monkeypatch):
    monitor = GradientMonitor(tmp_path, update_freq=1)

    def broken(*args, **kwargs):
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(gradient_monitor, "step_record", broken)
    with pytest.warns(RuntimeWarning, match="training goes on.*a bug") as caught:
        history = fit(small_model(), monitor)
    assert len(caught) == 1
    assert len(history.epoch) == 3


def test_a_fault_inside_the_traced_step_never_reaches_it(tmp_path, monkeypatch):
    from tb_gradplugin.callbacks import tensorflow_statistics

    def broken(*args, **kwargs):
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(tensorflow_statistics, "statistics", broken)
    with pytest.warns(RuntimeWarning, match="training goes on.*a bug"):
        history = fit(small_model(), GradientMonitor(tmp_path))
    assert len(history.epoch) == 3


def test_warnings_as_errors_do_not_stop_training(tmp_path, monkeypatch, capsys):
    blocked = tmp_path / "file"
    blocked.write_text("")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fit(small_model(), GradientMonitor(blocked))
    assert "cannot write" in capsys.readouterr().err


def test_two_monitors_on_one_fit_are_one_too_many_but_train(tmp_path):
    model = small_model()
    x, y = small_data()
    monitors = [GradientMonitor(tmp_path / "a"), GradientMonitor(tmp_path / "b")]
    with pytest.warns(RuntimeWarning, match="another GradientMonitor"):
        model.fit(x, y, epochs=2, verbose=0, callbacks=monitors)
    assert monitors[0].report().verdict == "healthy"
    assert monitors[1].report().verdict == "no data"


def test_one_monitor_can_watch_one_model_after_another(tmp_path):
    monitor = GradientMonitor(tmp_path, update_freq=1)
    fit(small_model(), monitor, epochs=2)
    fit(small_model(), monitor, epochs=1)
    assert monitor.report().runs[tmp_path.name].logged == 4


def test_findings_outlive_a_change_of_what_is_trained(tmp_path):
    model, monitor = vanishing_model(), GradientMonitor(tmp_path, on_unhealthy="ignore")
    fit(model, monitor, epochs=12)
    for layer in model.layers[:-1]:
        layer.trainable = False
    model.compile(keras.optimizers.SGD(0.1), "sparse_categorical_crossentropy")
    fit(model, monitor, epochs=2)
    health = monitor.report().runs[tmp_path.name]
    assert [(f.kind, f.active) for f in health.findings] == [("vanishing", False)]
    assert health.verdict == "healthy"
    assert (health.first_step, health.last_step) == (1, 55)


class TwoLosses(keras.Model):
    """A train step of its own that never calls compute_loss."""

    def __init__(self):
        super().__init__()
        self.dense = layers.Dense(3, name="dense")
        self.loss_metric = keras.metrics.Mean(name="loss")

    def call(self, x):
        return self.dense(x)

    def train_step(self, data):
        x, y = data
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.square(self(x)[:, 0] - tf.cast(y, tf.float32)))
        gradients = tape.gradient(loss, self.trainable_variables)
        self.optimizer.apply_gradients(zip(gradients, self.trainable_variables, strict=True))
        self.loss_metric.update_state(loss)
        return {"loss": self.loss_metric.result()}


def test_a_custom_train_step_is_captured_with_its_loss(tmp_path):
    model = TwoLosses()
    model.compile(optimizer="sgd")
    fit(model, GradientMonitor(tmp_path, update_freq=1), epochs=1)
    data = read(tmp_path / "gradients")
    assert len(data["gradients/statistics"]) == 4
    assert np.isfinite(data["gradients/training"][0][1][0])


class CompiledByTheUser(keras.Model):
    """A train step in a tf.function of its own, which keeps its trace."""

    def __init__(self):
        super().__init__()
        self.dense = layers.Dense(3, activation="softmax")

    def call(self, x):
        return self.dense(x)

    @tf.function
    def train_step(self, data):
        x, y = data
        with tf.GradientTape() as tape:
            loss = self.compute_loss(x, y, self(x))
        gradients = tape.gradient(loss, self.trainable_variables)
        self.optimizer.apply_gradients(zip(gradients, self.trainable_variables, strict=True))
        return {"loss": loss}


def test_nothing_of_ours_gets_into_a_function_that_the_user_compiled(tmp_path):
    model = CompiledByTheUser()
    model(np.ones([1, 6], np.float32))
    model.compile("sgd", "sparse_categorical_crossentropy")
    with pytest.warns(RuntimeWarning, match=r"saw no gradients.*tf.function") as caught:
        fit(model, GradientMonitor(tmp_path))
    assert len(caught) == 1
    gc.collect()
    x, y = small_data()
    assert np.isfinite(model.fit(x, y, verbose=0).history["loss"][0])


class AppliesEveryThird(keras.Model):
    """Calls its optimizer in every third step only."""

    def __init__(self):
        super().__init__()
        self.dense = layers.Dense(3, activation="softmax")
        self.count = tf.Variable(0, trainable=False)

    def call(self, x):
        return self.dense(x)

    def train_step(self, data):
        x, y = data
        with tf.GradientTape() as tape:
            loss = self.compute_loss(x, y, self(x))
        gradients = tape.gradient(loss, self.trainable_variables)
        self.count.assign_add(1)

        def apply():
            self.optimizer.apply(gradients, self.trainable_variables)
            return tf.constant(0)

        tf.cond(self.count % 3 == 0, apply, lambda: tf.constant(0))
        return {"loss": loss}


def test_a_step_in_which_the_optimizer_did_not_run_is_not_logged(tmp_path):
    model = AppliesEveryThird()
    model(np.ones([1, 6], np.float32))
    model.compile("sgd", "sparse_categorical_crossentropy")
    model.optimizer.build(model.trainable_variables)
    fit(model, GradientMonitor(tmp_path, update_freq=1))
    steps = [step for step, _ in read(tmp_path / "gradients")["gradients/statistics"]]
    assert steps == [3, 6, 9, 12]


def test_check_numerics_does_not_mistake_the_monitor_for_a_fault(tmp_path):
    tf.debugging.enable_check_numerics()
    try:
        model = small_model()
        model.layers[0].bias.trainable = False
        fit(model, GradientMonitor(tmp_path, update_freq=1))
    finally:
        tf.debugging.disable_check_numerics()
    assert len(read(tmp_path / "gradients")["gradients/statistics"]) == 12


@pytest.mark.parametrize("monitor_first", [True, False])
def test_steps_go_on_where_another_callback_restores_the_run(tmp_path, monitor_first):
    class Restore(keras.callbacks.Callback):
        def on_train_begin(self, logs=None):
            self.model.optimizer.iterations.assign(40)

    callbacks = [GradientMonitor(tmp_path, update_freq=1), Restore()]
    x, y = small_data()
    small_model().fit(
        x, y, batch_size=20, verbose=0, callbacks=callbacks if monitor_first else callbacks[::-1]
    )
    steps = [step for step, _ in read(tmp_path / "gradients")["gradients/statistics"]]
    assert steps == [41, 42]


def test_steps_are_counted_right_where_their_number_is_not_known(tmp_path):
    x, y = small_data()
    batches = [(x[i : i + 10], y[i : i + 10]) for i in range(0, 40, 10)]
    data = tf.data.Dataset.from_generator(
        lambda: iter(batches),
        output_signature=(tf.TensorSpec([10, 6]), tf.TensorSpec([10], tf.int32)),
    )
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Your input ran out of data")
        small_model().fit(
            data,
            epochs=3,
            verbose=0,
            shuffle=False,
            callbacks=[GradientMonitor(tmp_path, update_freq=1)],
        )
    data = read(tmp_path / "gradients")
    assert [step for step, _ in data["gradients/statistics"]] == list(range(1, 13))
    assert [step for step, _ in data["epoch_loss"]] == [4, 8, 12]


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="needs /proc")
def test_fits_that_end_in_an_exception_leak_no_file(tmp_path):
    class Prune(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            raise RuntimeError

    x, y = small_data()
    model = small_model()

    def aborted(i):
        with pytest.raises(RuntimeError):
            model.fit(x, y, verbose=0, callbacks=[GradientMonitor(tmp_path / str(i)), Prune()])
        gc.collect()
        return len(os.listdir("/proc/self/fd"))

    first = aborted(0)
    assert [aborted(i) for i in range(1, 4)] == [first] * 3


def test_losses_and_logs_of_unusual_kinds_do_not_switch_the_monitor_off(tmp_path):
    class PerSample(keras.Model):
        def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
            return keras.losses.sparse_categorical_crossentropy(y, y_pred)

    class Talks(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            logs.update(note="hello", nothing=None)

    x = keras.Input([6])
    model = PerSample(x, layers.Dense(3, activation="softmax")(x))
    model.compile("sgd")
    a, b = small_data()
    model.fit(
        a,
        b,
        batch_size=10,
        epochs=2,
        verbose=0,
        callbacks=[Talks(), GradientMonitor(tmp_path, update_freq=1)],
    )
    data = read(tmp_path / "gradients")
    assert len(data["gradients/statistics"]) == 8
    assert "epoch_note" not in data
    assert "epoch_loss" in data


def test_an_optimizer_that_the_user_patched_stays_patched(tmp_path):
    model = small_model()
    calls = []
    own = model.optimizer.apply

    def apply(grads, trainable_variables=None):
        calls.append(1)
        return own(grads, trainable_variables)

    model.optimizer.__dict__["apply"] = apply
    fit(model, GradientMonitor(tmp_path))
    assert model.optimizer.__dict__["apply"] is apply
    assert calls


def test_updates_of_float64_models_are_not_rounded_away(tmp_path):
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input([6]), layers.Dense(3, dtype="float64")])
    model.compile(keras.optimizers.SGD(1e-9), "mse")
    x, _ = small_data()
    before = model.layers[0].kernel.numpy()
    model.fit(
        x, x[:, :3], batch_size=40, verbose=0, callbacks=[GradientMonitor(tmp_path, update_freq=1)]
    )
    want = np.linalg.norm(model.layers[0].kernel.numpy() - before)
    got = read(tmp_path / "gradients")["gradients/statistics"][0][1][0]
    assert got[STATISTICS_COLUMNS.index("update_norm")] == pytest.approx(want, rel=1e-6)


def test_a_strategy_that_is_not_known_warns_once_and_trains(tmp_path):
    with tf.distribute.experimental.CentralStorageStrategy(["CPU:0"]).scope():
        model = small_model()
    with pytest.warns(RuntimeWarning, match=r"does not support CentralStorageStrategy") as caught:
        history = fit(model, GradientMonitor(tmp_path))
    assert len([w for w in caught if "GradientMonitor" in str(w.message)]) == 1
    assert len(history.epoch) == 3


def test_one_monitor_listed_twice_logs_each_step_once(tmp_path):
    monitor = GradientMonitor(tmp_path, update_freq=1)
    x, y = small_data()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        small_model().fit(x, y, batch_size=10, verbose=0, callbacks=[monitor, monitor])
    steps = [step for step, _ in read(tmp_path / "gradients")["gradients/statistics"]]
    assert steps == [1, 2, 3, 4]


def test_an_instrumented_step_that_does_not_compile_leaves_the_users_own(tmp_path, monkeypatch):
    from tb_gradplugin.callbacks.tensorflow_capture import TensorFlowCapture

    def build(self, plain):
        self._plain, self._want = plain, tf.Variable([0.0, 0.0, 0.0])
        self._optimizers = [self._model.optimizer]

        def fails(iterator):
            raise tf.errors.UnimplementedError(None, None, "no kernel")

        self._instrumented = fails

    monkeypatch.setattr(TensorFlowCapture, "_build", build)
    with pytest.warns(RuntimeWarning, match="training goes on.*no kernel"):
        history = fit(small_model(), GradientMonitor(tmp_path))
    assert len(history.epoch) == 3


def test_a_train_step_that_tells_no_loss_is_not_said_to_have_lost_it(tmp_path):
    class Silent(keras.Model):
        def train_step(self, data):
            x, y = data
            with tf.GradientTape() as tape:
                loss = tf.reduce_mean((self(x) - y) ** 2)
            gradients = tape.gradient(loss, self.trainable_variables)
            self.optimizer.apply(gradients, self.trainable_variables)
            return {"error": loss}

    inputs = keras.Input([4])
    model = Silent(inputs, keras.layers.Dense(1)(inputs))
    model.compile("sgd", "mse")
    monitor = GradientMonitor(tmp_path, update_freq=1, probe_freq=None)
    model.fit(np.ones([32, 4]), np.ones([32, 1]), batch_size=8, verbose=0, callbacks=[monitor])
    assert monitor.report().verdict == "healthy"
    assert monitor.report().kinds == []


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"log_dir": 3}, TypeError, ["log_dir", "3", "directory"]),
        ({"log_dir": ""}, ValueError, ["log_dir", "''"]),
        ({"log_dir": "nosuch://bucket/x"}, ValueError, ["log_dir", "nosuch://bucket/x", "s3"]),
        ({"update_freq": 0}, ValueError, ["update_freq", "0", ">= 1"]),
        ({"update_freq": "batch"}, ValueError, ["update_freq", "batch", '"epoch"']),
        ({"update_freq": 1.5}, TypeError, ["update_freq", "1.5", '"auto"']),
        ({"update_freq": True}, TypeError, ["update_freq", "True"]),
        ({"on_unhealthy": "raise"}, ValueError, ["on_unhealthy", "raise", '"stop"', "callable"]),
        ({"histograms": "yes"}, TypeError, ["histograms", "yes", "True or False"]),
        ({"updates": 1}, TypeError, ["updates", "1", "True or False"]),
        ({"thresholds": {"x": 1}}, TypeError, ["thresholds", "Thresholds"]),
        ({"optimizers": "adam"}, TypeError, ["optimizers", "adam", "keras.optimizers.Optimizer"]),
    ],
)
def test_a_wrong_argument_is_named_with_its_value_and_what_is_allowed(arguments, error, words):
    with pytest.raises(error) as caught:
        GradientMonitor(**arguments)
    for word in words:
        assert word in str(caught.value)


def test_another_backend_is_refused_with_the_remedy(monkeypatch):
    monkeypatch.setattr(keras.backend, "backend", lambda: "openvino")
    with pytest.raises(NotImplementedError, match=r"'openvino'.*KERAS_BACKEND"):
        GradientMonitor()


def test_tensorflow_has_nothing_to_warn_about(tmp_path, caplog, monkeypatch):
    monkeypatch.setattr(logging.getLogger("tensorflow"), "propagate", True)
    with caplog.at_level(logging.WARNING):
        fit(small_model(), GradientMonitor(tmp_path, update_freq=1))
    assert caplog.messages == []


def test_a_loss_scale_that_was_halved_down_to_zero_is_survived(tmp_path):
    inner = keras.optimizers.SGD(0.05)
    optimizer = keras.optimizers.LossScaleOptimizer(inner, initial_scale=1e-44)
    monitor = GradientMonitor(tmp_path, update_freq=1, probe_freq=None, on_unhealthy="ignore")
    model = small_model(optimizer=optimizer, loss=lambda y, p: keras.ops.sum(p) * np.inf)
    fit(model, monitor, epochs=4)
    assert float(optimizer.dynamic_scale) == 0.0
    assert monitor.report().kinds == ["nonfinite"]
    assert monitor.report().runs[tmp_path.name].logged == 16


def test_a_finding_that_heals_and_comes_back_is_printed_once(tmp_path, capsys):
    monitor = GradientMonitor(tmp_path)
    for named in (["a", "b"], ["b"], ["a", "b"], ["b", "c"]):
        monitor._tell(fake_runs.finding(layers=named))
    monitor._tell(fake_runs.finding("dead", ["a"]))
    told = capsys.readouterr().out
    assert told.count("vanishing (critical)") == 2
    assert told.count("dead (critical)") == 1
    seen = []
    monitor = GradientMonitor(tmp_path / "b", on_unhealthy=seen.append)
    for _ in range(2):
        monitor._tell(fake_runs.finding())
    assert len(seen) == 2
