"""What ``test_workers.py`` checks: two processes under ``MultiWorkerMirroredStrategy``.

    python tests/workers_checks.py  # one JSON object: name -> "" or what failed

Keras's own ``fit`` does not run under this strategy (3.15.1), so the loop is a user's.  References
are gradients in NumPy float64, of the loss of the batches of both, at the same weights.
"""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import traceback
from typing import Any

os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf
from numpy.testing import assert_allclose, assert_array_equal

from tb_gradplugin import GradientRecorder
from tests.backend_checks import recorded
from tests.own_process import checks_in, free_port

RANK, FOLDER = 0, ""
"""Of this process; a directory that both know."""
ROWS, RATE = 16, 0.1
L = keras.layers
X = np.random.default_rng(0).normal(size=(2 * ROWS, 4)).astype("float32")
Y = X.sum(1, keepdims=True)


def train(
    name: str, steps: int, *, hidden: int = 1, activation: str = "tanh", record: bool = True
) -> tuple[list[list[np.ndarray]], Any]:
    """A user's loop: the weights before each step and after the last; and the recorder."""
    keras.utils.set_random_seed(0)
    with STRATEGY.scope():
        layers = [L.Dense(8, activation) for _ in range(hidden)]
        model = keras.Sequential([keras.Input((4,)), *layers, L.Dense(1)])
    values = [v.value for v in model.trainable_variables]

    @tf.function
    def differentiate(x: Any, y: Any) -> Any:
        def replica(x: Any, y: Any) -> Any:
            with tf.GradientTape() as tape:
                loss = tf.reduce_sum((model(x) - y) ** 2) / (2 * ROWS)
            gradients = tape.gradient(loss, values)
            return tf.distribute.get_replica_context().all_reduce("sum", [*gradients, loss])

        return STRATEGY.run(replica, (x, y))

    @tf.function
    def apply(gradients: Any) -> None:
        def replica(gradients: Any) -> None:
            for value, gradient in zip(values, gradients, strict=True):
                value.assign_sub(RATE * gradient)

        STRATEGY.run(replica, (gradients,))

    recorder = GradientRecorder(
        os.path.join(FOLDER, name), model, optimizer="SGD", loss_name="mse", update_freq=1
    )
    mine, weights = slice(RANK * ROWS, (RANK + 1) * ROWS), []
    with recorder:
        for step in range(1, steps + 1):
            weights.append(model.get_weights())
            *gradients, loss = differentiate(tf.constant(X[mine]), tf.constant(Y[mine]))
            if record:
                own = model.trainable_variables
                recorder.record(gradients, own, step=step, loss=loss, learning_rate=RATE)
            apply(gradients)
    return [*weights, model.get_weights()], recorder


def reference(weights: list[np.ndarray]) -> tuple[list[np.ndarray], float]:
    """Gradients and loss on the batches of both, one hidden layer."""
    first, first_bias, last, last_bias = (w.astype(np.float64) for w in weights)
    h = np.tanh(X @ first + first_bias)
    off = h @ last + last_bias - Y
    back = 2.0 * off / len(X)
    below = back @ last.T * (1.0 - h**2)
    return [X.T @ below, below.sum(0), h.T @ back, back.sum(0)], float(np.mean(off**2))


def check_the_chief_writes_the_gradient_of_both_batches() -> None:
    weights, recorder = train("dense", 5)
    (run,) = recorder.report().runs.values()
    assert run.verdict == ("no data" if RANK else "healthy")
    if RANK == 0:
        (_,) = pathlib.Path(FOLDER, "dense/gradients").iterdir()
        _, rows, training, _ = recorded(os.path.join(FOLDER, "dense"))
        assert list(rows.steps) == [1, 2, 3, 4, 5]
        for t, now in enumerate(weights[:-1]):
            gradients, loss = reference(now)
            norms = [np.linalg.norm(g) for g in gradients]
            assert_allclose(rows.values[t, :, 0], norms, rtol=1e-4)
            updates = [np.linalg.norm(b - a) for a, b in zip(now, weights[t + 1], strict=True)]
            assert_allclose(rows.values[t, :, 9], updates, rtol=1e-4)
            assert_allclose(training[t, 0], loss, rtol=1e-4)


def check_training_is_bit_identical_with_and_without_a_recorder() -> None:
    (*_, last), _ = train("with", 10)
    (*_, without), _ = train("without", 10, record=False)
    for a, b in zip(last, without, strict=True):
        assert_array_equal(a, b)


def check_a_sick_network_is_told_from_a_healthy_one() -> None:
    kinds = []
    for name, hidden, activation in (("healthy", 1, "tanh"), ("sick", 8, "sigmoid")):
        _, recorder = train(name, 60, hidden=hidden, activation=activation)
        (run,) = recorder.report().runs.values()
        kinds.append(run.kinds)
    assert kinds == ([[], []] if RANK else [[], ["vanishing"]])


CHECKS = checks_in(globals())


def work() -> None:
    """What one of the two processes does."""
    for name, check in CHECKS.items():
        try:
            check()
            failed = ""
        except Exception:
            failed = traceback.format_exc()
        pathlib.Path(FOLDER, f"{name}.{RANK}").write_text(failed)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        cluster = {"worker": [f"localhost:{free_port()}" for _ in range(2)]}
        processes = []
        for rank in (0, 1):
            config = {"cluster": cluster, "task": {"type": "worker", "index": rank}}
            command = [sys.executable, __file__, "--rank", str(rank), folder]
            env = os.environ | {"TF_CONFIG": json.dumps(config)}
            processes.append(subprocess.Popen(command, stderr=subprocess.PIPE, env=env))
        errors = [p.communicate(timeout=200)[1].decode() for p in processes]
        results = {}
        for name in CHECKS:
            told = [pathlib.Path(folder, f"{name}.{rank}") for rank in (0, 1)]
            failed = [p.read_text() if p.exists() else f"died: {errors}" for p in told]
            results[name] = "\n".join(filter(None, failed))
    print(json.dumps({"backend": "tensorflow", "results": results}))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--rank"]:
        RANK, FOLDER = int(sys.argv[2]), sys.argv[3]
        STRATEGY: Any = tf.distribute.MultiWorkerMirroredStrategy()
        work()
    else:
        main()
