"""``tb-gradients demo``: four small trainings on scikit-learn's digits, sick ones and a cured one.

Everything the dashboard shows of them is real: real trainings, real gradients, real event files.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from tb_gradplugin import stores

EPOCHS = 12
BATCH_SIZE = 64


class DemoRun(NamedTuple):
    """One training: a name, what it shows, and the model it trains."""

    name: str
    shows: str
    build: Any


def _deep(hidden: list[Any], optimizer: Any) -> Any:
    import keras

    model = keras.Sequential(
        [keras.Input([64]), *hidden, keras.layers.Dense(10, activation="softmax", name="output")]
    )
    model.compile(optimizer=optimizer, loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def vanishing_sigmoid() -> Any:
    """Ten sigmoid layers: each passes on at most a quarter of the gradient."""
    import keras

    hidden = [keras.layers.Dense(32, "sigmoid", name=f"dense_{i}") for i in range(10)]
    return _deep(hidden, keras.optimizers.SGD(0.1))


def cured_relu() -> Any:
    """The same depth and width with ReLU, He initialisation and batch normalisation."""
    import keras

    hidden: list[Any] = []
    for i in range(10):
        hidden += [
            keras.layers.Dense(
                32, use_bias=False, kernel_initializer="he_normal", name=f"dense_{i}"
            ),
            keras.layers.BatchNormalization(name=f"norm_{i}"),
            keras.layers.ReLU(name=f"relu_{i}"),
        ]
    return _deep(hidden, keras.optimizers.SGD(0.1))


def exploding_init() -> Any:
    """Weights drawn far too large: the gradient grows from layer to layer towards the input."""
    import keras

    random_normal: Any = keras.initializers.RandomNormal
    hidden = [
        keras.layers.Dense(
            32,
            "relu",
            kernel_initializer=random_normal(stddev=0.6, seed=i),
            name=f"dense_{i}",
        )
        for i in range(10)
    ]
    return _deep(hidden, keras.optimizers.SGD(0.01))


def dead_relu() -> Any:
    """Biases far below zero: no ReLU ever fires, and no gradient passes."""
    import keras

    constant: Any = keras.initializers.Constant
    hidden = [
        keras.layers.Dense(
            32,
            "relu",
            bias_initializer=constant(-20.0 if i == 1 else 0.0),
            name=f"dense_{i}",
        )
        for i in range(4)
    ]
    return _deep(hidden, keras.optimizers.Adam(1e-3))


RUNS = (
    DemoRun("vanishing_sigmoid", "a deep sigmoid network, first layers vanish", vanishing_sigmoid),
    DemoRun("cured_relu", "its cured twin: ReLU, He initialisation, batch norm", cured_relu),
    DemoRun("exploding_init", "weights drawn too large: gradients explode", exploding_init),
    DemoRun("dead_relu", "ReLUs that never fire", dead_relu),
)


@contextlib.contextmanager
def _quiet_start() -> Iterator[None]:
    """Keeps TensorFlow's start-up chatter, written by C++ to descriptor 2, off the screen."""
    sys.stderr.flush()
    kept = os.dup(2)
    try:
        with open(os.devnull, "w") as nowhere:
            os.dup2(nowhere.fileno(), 2)
            yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def _begin(logdir: str) -> Callable[[str], bool]:
    """Makes ``logdir`` if it is local; returns what tells whether something exists."""
    if not stores.is_url(logdir):
        os.makedirs(logdir, exist_ok=True)
        return os.path.exists
    stores.check(logdir)
    return lambda url: bool(stores.open_store(url)[0].exists(url))


def run_demo(logdir: str) -> int:
    """Trains the demo runs into ``logdir`` and says how to look at them.

    Returns:
        Exit code: 0, or 2 when something that the demo needs is not installed or writable.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    try:
        exists = _begin(logdir)
        taken = [name for run in RUNS if exists(name := stores.join(logdir, run.name))]
        if taken:
            print(
                f"tb-gradients: {taken[0]!r} exists already; name another LOGDIR or remove it.",
                file=sys.stderr,
            )
            return 2
    except Exception as error:  # of any kind: each store has its own
        print(f"tb-gradients: cannot write to LOGDIR {logdir!r}: {error}", file=sys.stderr)
        return 2
    try:
        with _quiet_start():
            import keras
            import sklearn.datasets

            from tb_gradplugin.callbacks import GradientMonitor

            keras.ops.ones([1])  # looks for devices, and says so
    except ImportError as error:
        print(
            f"tb-gradients: the demo needs TensorFlow and scikit-learn ({error}); "
            'install them with: pip install "tb-gradplugin[tensorflow]"',
            file=sys.stderr,
        )
        return 2
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    digits: Any = sklearn.datasets.load_digits()
    x = (digits.data / 16.0).astype("float32")
    train, held_out = slice(0, 1437), slice(1437, None)
    y = digits.target
    columns = (
        TextColumn("{task.description:<20}"),
        BarColumn(),
        TextColumn("epoch {task.completed}/{task.total}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns) as progress:
        for run in RUNS:
            task = progress.add_task(run.name, total=EPOCHS)

            def advance(epoch: int, logs: Any, task: Any = task) -> None:
                progress.advance(task)

            keras.utils.set_random_seed(7)
            model = run.build()
            monitor = GradientMonitor(stores.join(logdir, run.name), on_unhealthy="ignore")
            model.fit(
                x[train],
                y[train],
                validation_data=(x[held_out], y[held_out]),
                batch_size=BATCH_SIZE,
                epochs=EPOCHS,
                verbose=0,
                callbacks=[monitor, keras.callbacks.LambdaCallback(on_epoch_end=advance)],
            )
            report = monitor.report()
            outcome = ", ".join(report.kinds) if report.kinds else report.verdict
            progress.console.print(f"{run.name}: {run.shows} -> {outcome}", highlight=False)
    print(f"\nLook at them:\n  tensorboard --logdir {logdir}\nand open the Gradients tab, or:")
    print(f"  tb-gradients report {logdir}")
    return 0
