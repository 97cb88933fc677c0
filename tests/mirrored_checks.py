"""What ``test_mirrored.py`` checks: several devices under ``tf.distribute.MirroredStrategy``.

    python tests/mirrored_checks.py  # one JSON object: name -> "" or what failed

Two logical CPU devices; references are those of ``backend_checks.py``: one device's gradients of
the loss of the whole batch.
"""

from __future__ import annotations

import functools
import os
import tempfile
import warnings
from typing import Any

os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_allclose, assert_array_equal

from tb_gradplugin import preflight
from tb_gradplugin.callbacks import GradientMonitor
from tb_gradplugin.metadata import TRAINING_COLUMNS
from tests import backend_checks, own_process
from tests.backend_checks import L, compare, told

tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2
)
STRATEGY = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])


def mirrored(make: Any, *args: Any, strategy: Any = STRATEGY, **more: Any) -> Any:
    def made() -> Any:
        with strategy.scope():
            return make(*args, **more)

    return made


monitor = functools.partial(backend_checks.monitor, update_freq=1)


def fitted(make: Any, callbacks: list[Any], **more: Any) -> Any:
    model, x, y = make()
    how = {"batch_size": 16, "epochs": 3, "shuffle": False, "verbose": 0, **more}
    model.fit(x, y, callbacks=callbacks, **how)
    return model


def check_dense() -> float:
    return compare(mirrored(backend_checks.mlp))


def check_convolution() -> float:
    layers = [L.Conv2D(8, 3, activation="relu"), L.Flatten()]  # no statistics over the batch
    return compare(mirrored(backend_checks.built, layers, (12, 12, 1)), tolerance=5e-4)


def check_recurrent() -> float:
    return compare(mirrored(backend_checks.lstm), tolerance=5e-4)


def check_attention_and_shared_layers() -> None:
    compare(mirrored(backend_checks.transformer), tolerance=5e-4)
    compare(mirrored(backend_checks.shared))


def check_sparse_gradients() -> float:
    return compare(mirrored(backend_checks.embedding))


def check_frozen_layer_and_regularisation() -> None:
    compare(mirrored(backend_checks.frozen))
    compare(mirrored(backend_checks.regularised))


def check_optimizers() -> None:
    for optimizer in ("SGD", "AdamW", "Lion"):
        compare(mirrored(lambda name=optimizer: backend_checks.small(name.lower())))


def check_not_compiled() -> float:
    return compare(mirrored(backend_checks.small, run_eagerly=True))


def check_fit_inside_the_scope_of_the_strategy() -> float:
    def make() -> Any:
        model, x, y = mirrored(backend_checks.small)()
        fit = model.fit

        def fit_inside(*args: Any, **more: Any) -> Any:
            with STRATEGY.scope():
                return fit(*args, **more)

        model.__dict__["fit"] = fit_inside
        return model, x, y

    return compare(make)


def check_a_strategy_of_one_device() -> float:
    return compare(
        mirrored(backend_checks.small, strategy=tf.distribute.MirroredStrategy(["CPU:0"]))
    )


def check_loss_rate_and_labels_are_those_of_the_whole_batch() -> None:
    model, x, y = mirrored(backend_checks.regularised)()
    start = [v.numpy() for v in model.variables]
    watch = backend_checks.Watch()
    model.fit(x, y, batch_size=32, shuffle=False, verbose=0, callbacks=[watch])
    (captured,) = watch.captured
    for variable, value in zip(model.variables, start, strict=True):
        variable.assign(value)
    total = float(model.compute_loss(x, y, model(x)))
    penalty = float(sum(model.losses))
    assert penalty > 0.01
    assert_allclose([captured.loss, captured.data_loss], [total, total - penalty], rtol=1e-5)
    assert captured.learning_rate == 1e-3
    assert_allclose(captured.labels, [y.mean(axis=0), (y**2).mean(axis=0)], rtol=1e-6)


def check_norms_of_the_replicas_are_those_of_their_parts() -> None:
    model, x, y = mirrored(backend_checks.small)()
    start = [v.numpy() for v in model.variables]
    watch = backend_checks.Watch()
    model.fit(x, y, batch_size=32, shuffle=False, verbose=0, callbacks=[watch])
    (captured,) = watch.captured
    expected = []
    for half in (slice(0, 16), slice(16, 32)):
        found = backend_checks.differentiated(model, x[half], y[half])(start)
        expected.append(own_process.norm_of_all(found))
    assert expected[0] != expected[1]
    assert_allclose(captured.replicas, expected, rtol=1e-5)


def check_weights_are_bit_identical() -> None:
    for make in (backend_checks.mlp, backend_checks.noisy, backend_checks.embedding):
        weights = []
        for callbacks in ([], [monitor(tempfile.mkdtemp())]):
            model = fitted(mirrored(make), callbacks)
            weights.append([np.array(v.numpy()) for v in model.variables])
        for plain, watched in zip(*weights, strict=True):
            assert_array_equal(plain, watched)


def check_nothing_is_left_behind() -> None:
    model = fitted(mirrored(backend_checks.small), [monitor(tempfile.mkdtemp())])
    for owner, names in (
        (model, ("train_step", "compute_loss")),
        (model.optimizer, ("apply",)),
        *((layer, ("call",)) for layer in model.layers),
    ):
        for name in names:
            assert name not in owner.__dict__, (owner, name)
    assert not hasattr(model.train_function, "plain")


def check_the_report_is_right_on_a_sick_and_a_healthy_network() -> None:
    for depth in (backend_checks.SHALLOW, backend_checks.DEEP):
        folder = tempfile.mkdtemp()
        watch = monitor(folder)
        fitted(mirrored(backend_checks.healthy_or_sick, depth), [watch], batch_size=32, epochs=12)
        backend_checks.assert_right(told(watch), depth)
        assert "notes" not in told(watch), told(watch)["notes"]
        backend_checks.read_back(folder, told(watch))


def check_a_replica_whose_data_are_broken_is_named() -> None:
    model, x, y = mirrored(backend_checks.small)()
    x = np.tile(x, (4, 1))  # 128 rows: 8 batches of 16, of which the second half is replica 1's
    y = np.tile(y, (4, 1))
    x[64 + 12] = np.nan
    watch = monitor(tempfile.mkdtemp())
    model.fit(x, y, batch_size=16, shuffle=False, verbose=0, callbacks=[watch])
    (note,) = told(watch)["notes"]
    assert (note["kind"], note["since_step"], note["evidence"]) == ("replica", 5, {"replicas": [1]})
    assert told(watch)["kinds"] == ["nonfinite"]


def check_a_replica_whose_data_are_of_another_scale_is_named() -> None:
    model, x, y = mirrored(backend_checks.built, [L.Dense(8, "relu")], (6,))()
    x = x.reshape(2, 2, 8, 6) * np.array([1.0, 200.0]).reshape(1, 2, 1, 1)
    watch = monitor(tempfile.mkdtemp())
    x = x.reshape(32, 6).astype("float32")
    model.fit(x, y, batch_size=16, epochs=8, shuffle=False, verbose=0, callbacks=[watch])
    (note,) = told(watch)["notes"]
    assert (note["kind"], note["since_step"], note["evidence"]["replica"]) == ("replica", 1, 1)
    assert note["evidence"]["ratio"] > 10


def check_what_is_not_possible_is_said_once() -> None:
    model, x, y = mirrored(backend_checks.small)()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.fit(x, y, verbose=0, epochs=2, callbacks=[GradientMonitor(tempfile.mkdtemp())])
    (message,) = [str(w.message) for w in caught if "GradientMonitor" in str(w.message)]
    assert "is not possible under MirroredStrategy of 2 devices" in message
    with pytest.raises(NotImplementedError, match="not possible under MirroredStrategy of 2 dev"):
        preflight(model, x, y)


def check_clipping_of_each_part_is_not_guessed() -> None:
    make = mirrored(lambda: backend_checks.small(keras.optimizers.SGD(0.1, clipnorm=1e-3)))
    compare(make)
    folder = tempfile.mkdtemp()
    fitted(make, [monitor(folder)])
    _, _, training, _ = backend_checks.recorded(folder)
    assert np.isnan(training[:, TRAINING_COLUMNS.index("clip_ratio")]).all()


if __name__ == "__main__":
    own_process.main(own_process.checks_in(globals()), backend_checks.prepare)
