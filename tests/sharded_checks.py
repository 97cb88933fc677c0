"""What ``test_sharded.py`` checks: JAX over several devices, by Keras's distribution API.

    python tests/sharded_checks.py  # one JSON object: name -> "" or what failed

Four devices of this CPU; in the last checks two processes with two devices each.  References are
those of ``backend_checks.py``: one device's gradients of the loss of the whole batch, and NumPy's
in float64.
"""

from __future__ import annotations

import contextlib
import os
import pathlib
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from typing import Any

os.environ["KERAS_BACKEND"] = "jax"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("XLA_FLAGS", "--xla_force_host_platform_device_count=4")

import jax
import keras
import numpy as np
from numpy.testing import assert_allclose, assert_array_equal

from tb_gradplugin import GradientRecorder, metadata, reader, sources
from tb_gradplugin.gradient_map import reduced
from tests import backend_checks, own_process
from tests.backend_checks import COLUMN, TOLERANCE, compare, monitor

SGD = keras.optimizers.SGD


def over_data() -> Any:
    return keras.distribution.DataParallel(auto_shard_dataset=False)


def over_weights(*, across: bool = False) -> Any:
    """A matrix of two by two devices, over which batches and every kernel's outputs are cut.

    ``across``: kernels are cut between processes, batches inside them.
    """
    devices = np.array(keras.distribution.list_devices()).reshape(2, 2)
    devices = (devices.T if across else devices).ravel().tolist()
    layout = keras.distribution.LayoutMap(
        keras.distribution.DeviceMesh((2, 2), ["batch", "model"], devices)
    )
    layout[".*kernel"] = (None, "model")
    layout[".*bias"] = ("model",)
    return keras.distribution.ModelParallel(
        layout_map=layout, batch_dim_name="batch", auto_shard_dataset=False
    )


@contextlib.contextmanager
def distributed(how: Any) -> Iterator[None]:
    before = keras.distribution.distribution()
    keras.distribution.set_distribution(how)
    try:
        yield
    finally:
        keras.distribution.set_distribution(before)


def check_the_gradient_is_that_of_the_whole_batch() -> None:
    with distributed(over_data()):
        model = backend_checks.small()[0]
        assert len(model.layers[0].kernel.value.sharding.device_set) == 4
        compare(backend_checks.cnn, tolerance=5e-4)


def check_kernels_that_lie_on_several_devices() -> None:
    with distributed(over_weights()):
        kernel = backend_checks.small()[0].layers[0].kernel.value
        assert kernel.addressable_shards[0].data.shape == (6, 4)
        compare(backend_checks.small)


def check_weights_are_bit_identical_and_nothing_is_left_behind() -> None:
    with distributed(over_data()):
        runs, names = [], []
        for watched in (False, True):
            model, x, y = backend_checks.noisy()
            with tempfile.TemporaryDirectory() as folder:
                watch = [monitor(folder)] if watched else []
                model.fit(x, y, batch_size=8, epochs=15, verbose=0, callbacks=watch)
                assert not watched or backend_checks.told(watch[0])["steps"]["logged"] < 60
            runs.append(model.get_weights())
            names.append([set(vars(o)) for o in (model, model.optimizer, *model.layers)])
            assert not hasattr(model.train_function, "plain")
        assert names[0] == names[1]
        for plain, ours in zip(*runs, strict=True):
            assert_array_equal(plain, ours)


def check_the_report_is_right_on_a_sick_and_a_healthy_network() -> None:
    with distributed(over_data()):
        for depth in (backend_checks.SHALLOW, backend_checks.DEEP):
            model, x, y = backend_checks.healthy_or_sick(depth)
            with tempfile.TemporaryDirectory() as folder:
                watch = monitor(folder, update_freq=1)  # one step to compile, not two
                model.fit(x, y, batch_size=32, epochs=5, verbose=0, callbacks=[watch])
            backend_checks.assert_right(backend_checks.told(watch), depth)


def check_pictures_of_gradients() -> None:
    with distributed(over_weights()):
        model, x, y = backend_checks.small()
        before = [np.array(v.numpy()) for v in model.variables]
        watch = backend_checks.Watch(maps=[model.layers[0].kernel])
        model.fit(x, y, batch_size=len(x), shuffle=False, verbose=0, callbacks=[watch])
        expected = reduced(backend_checks.differentiated(model, x, y)(before)[0])
        (picture,) = watch.captured[0].maps.values()
        assert_allclose(picture.scale, expected.scale, rtol=1e-4)
        assert np.abs(picture.codes.astype(int) - expected.codes).max() <= 1


def check_a_device_whose_data_are_broken_is_seen_in_the_whole() -> None:
    with distributed(over_data()):
        model, x, y = backend_checks.small()
        x[20, 2] = np.nan
        with tempfile.TemporaryDirectory() as folder:
            watch = monitor(folder, update_freq=1)
            model.fit(x, y, batch_size=8, shuffle=False, verbose=0, callbacks=[watch])
        run = backend_checks.told(watch)
        assert run["kinds"] == ["nonfinite"]
        assert run["findings"][0]["since_step"] == 3


def check_recorder_in_a_loop_over_arrays_on_several_devices() -> None:
    how = over_data()
    with distributed(how):
        model, x, y = backend_checks.small(SGD(0.1))
        weights = [np.array(v.numpy()) for v in model.trainable_variables]
        placed = [jax.device_put(a, how.get_data_layout(a.shape).backend_layout) for a in (x, y)]
        assert len(placed[0].sharding.device_set) == 4
        with tempfile.TemporaryDirectory() as folder:
            with GradientRecorder(folder, model, on_unhealthy="ignore") as recorder:
                backend_checks.loop(model, placed[0], placed[1], 3, recorder)
            assert_by_hand(folder, weights, x, y, 3)


def assert_by_hand(
    folder: str, weights: Any, x: Any, y: Any, steps: int, pictures: Sequence[int] = ()
) -> None:
    """What was written of ``small``, trained by SGD at a rate of 0.1 on one batch.

    ``pictures``: steps with one of the gradient of the last kernel.
    """
    structure, rows, training, _ = backend_checks.recorded(folder)
    assert list(rows.steps) == list(range(1, steps + 1))
    source = sources.FileSource(os.path.join(folder, metadata.MONITOR_SUBDIR))
    seen = {step: picture for step, _, picture in reader.read_maps(source, structure, 1)}
    assert list(seen) == list(pictures)
    for step, values in enumerate(rows.values):
        loss, found = backend_checks.by_hand(weights, x, y)
        assert_allclose(training[step, 0], loss, rtol=1e-5)
        if step + 1 in seen:
            expected = reduced(found[2].astype(np.float32))
            assert_allclose(seen[step + 1].scale, expected.scale, rtol=1e-4)
            assert np.abs(seen[step + 1].codes.astype(int) - expected.codes).max() <= 1
        for row, g, old in zip(values, found, weights, strict=True):
            expected = backend_checks.statistics64(g, old, old - 0.1 * g)
            size = np.maximum(np.abs(expected), 1e-2 * np.abs(g).max())
            error = np.abs(row - expected) / size
            if np.isnan(row[COLUMN["update_norm"]]):  # of a recorder's last step
                assert step == steps - 1
                error[COLUMN["update_norm"]] = 0.0
            assert error.max() < TOLERANCE, (step, row, expected)
        weights = [w - 0.1 * g for w, g in zip(weights, found, strict=True)]


# --------------------------------------------------------------------------------- two processes


def check_two_processes_compute_alike_and_the_first_writes() -> None:
    port = str(own_process.free_port())
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, __file__, "--rank"]
        flags = {"XLA_FLAGS": "--xla_force_host_platform_device_count=2"}
        processes = [
            subprocess.Popen([*command, rank, port, folder], stderr=-1, env=os.environ | flags)
            for rank in ("0", "1")
        ]
        told = [process.communicate(timeout=120) for process in processes]
        assert all(process.returncode == 0 for process in processes), told
        names = ["across", "data", "loop"]
        written = sorted(path.name for path in pathlib.Path(folder).iterdir())
        assert written == [f"{name}_0" for name in names], written
        model, x, y = backend_checks.small(SGD(0.1))
        weights = [np.array(v.numpy()) for v in model.trainable_variables]
        for name in names:
            pictures = [] if name == "loop" else [2, 3]
            assert_by_hand(f"{folder}/{name}_0", weights, x, y, 3, pictures)


def work(rank: int, port: str, folder: str) -> None:
    """What one of the two processes does."""
    jax.config.update("jax_cpu_collectives_implementation", "gloo")
    jax.config.update("jax_disable_most_optimizations", True)  # compiles twice as fast
    keras.distribution.initialize(f"127.0.0.1:{port}", 2, rank)
    assert jax.process_count() == 2
    for name, how in (("data", over_data()), ("across", over_weights(across=True))):
        with distributed(how):
            model, x, y = backend_checks.small(SGD(0.1))
            watch = monitor(f"{folder}/{name}_{rank}", update_freq=1, map_layers=["head"])
            mine = slice(None) if name == "across" else slice(16 * rank, 16 * rank + 16)
            x, y = x[mine], y[mine]
            model.fit(x, y, batch_size=len(x), epochs=3, verbose=0, callbacks=[watch])
            assert backend_checks.told(watch)["steps"]["logged"] == 3
    with distributed(over_data()):
        model, x, y = backend_checks.small(SGD(0.1))
        layout = over_data().get_data_layout(x.shape).backend_layout
        mine = slice(16 * rank, 16 * rank + 16)
        x, y = (jax.make_array_from_process_local_data(layout, a[mine]) for a in (x, y))
        with GradientRecorder(f"{folder}/loop_{rank}", model, on_unhealthy="ignore") as recorder:
            backend_checks.loop(model, x, y, 3, recorder)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--rank"]:
        work(int(sys.argv[2]), *sys.argv[3:])
    else:
        own_process.main(own_process.checks_in(globals()), backend_checks.prepare)
