"""The monitor on a GPU: right numbers, unchanged training, and what it costs.

    KERAS_BACKEND=jax python benchmarks/gpu.py [--checks] [--overhead] [--models mlp,cnn]

Says so and ends where the backend sees no GPU.  The checks are those of
``tests/backend_checks.py``: statistics of real steps against float64 NumPy, weights with and
without the monitor, the report on a sick and on a healthy network.

Cost: variants of a model take turns, a short ``fit`` each, so that whatever slows the machine slows
all of them alike; a turn ends when its results are on the host.  Ratios are of the medians over the
turns.  "plain again" is a second model without anything: its distance from 1 is the noise.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
import traceback
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.insert(0, str(Path(__file__).parents[1]))

import keras
import numpy as np
from keras import layers

from tb_gradplugin.callbacks import GradientMonitor

BATCH = 64


def device() -> str | None:
    """Name of the GPU that the backend in use sees, or None."""
    backend = keras.backend.backend()
    if backend == "jax":
        import jax

        found = [d.device_kind for d in jax.devices() if d.platform == "gpu"]
    elif backend == "torch":
        import torch

        found = [torch.cuda.get_device_name(0)] if torch.cuda.is_available() else []
    else:
        import tensorflow as tf

        found = [d.name for d in tf.config.list_physical_devices("GPU")]
    return found[0] if found else None


def mlp() -> Any:
    x = keras.Input([512])
    h = x
    for _ in range(8):
        h = layers.Dense(512, "relu")(h)
    return x, layers.Dense(10)(h)


def wide_mlp() -> Any:
    x = keras.Input([512])
    h = x
    for _ in range(8):
        h = layers.Dense(4096, "relu")(h)
    return x, layers.Dense(10)(h)


def cnn() -> Any:
    x = keras.Input([32, 32, 3])
    h = x
    for filters in (64, 128, 256):
        h = layers.Conv2D(filters, 3, activation="relu", padding="same")(h)
        h = layers.Conv2D(filters, 3, activation="relu", padding="same")(h)
        h = layers.MaxPooling2D()(h)
    return x, layers.Dense(10)(layers.Flatten()(h))


def lstm() -> Any:
    x = keras.Input([100, 16])
    return x, layers.Dense(10)(layers.LSTM(64)(x))


def transformer() -> Any:
    x = keras.Input([128, 512])
    h = x
    for _ in range(6):
        a = layers.LayerNormalization()(h)
        h = h + layers.MultiHeadAttention(8, 64)(a, a)
        a = layers.LayerNormalization()(h)
        h = h + layers.Dense(512)(layers.Dense(2048, "gelu")(a))
    return x, layers.Dense(10)(layers.GlobalAveragePooling1D()(h))


MODELS = {"mlp": mlp, "wide_mlp": wide_mlp, "cnn": cnn, "lstm": lstm, "transformer": transformer}


class Variant:
    """One model and the monitor that it trains with."""

    def __init__(self, name: str, make: Any, frequency: Any, folder: str):
        keras.utils.set_random_seed(0)
        self.name = name
        self.model = keras.Model(*make())
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        self.model.compile(keras.optimizers.Adam(1e-4), loss=loss)
        self.callbacks = []
        if frequency is not None:
            self.callbacks = [
                GradientMonitor(
                    os.path.join(folder, name.replace(" ", "_")),
                    update_freq=frequency,
                    on_unhealthy="ignore",
                    probe_freq=None,
                )
            ]
        self.seconds: list[float] = []

    def turn(self, x: Any, y: Any) -> float:
        begun = time.perf_counter()
        self.model.fit(x, y, batch_size=BATCH, verbose=0, shuffle=False, callbacks=self.callbacks)
        return time.perf_counter() - begun


def measure(model: str, turns: int, steps: int) -> list[str]:
    """Rows of a Markdown table: variant, ms a step, ratio, seconds of the first turn."""
    shape = MODELS[model]()[0].shape[1:]
    rng = np.random.default_rng(0)
    x = rng.normal(size=(steps * BATCH, *shape)).astype("float32")
    y = rng.integers(0, 10, steps * BATCH).astype("int32")
    with tempfile.TemporaryDirectory() as folder:
        frequencies = {"plain": None, "plain again": None, "every step": 1, "every 10th": 10}
        frequencies |= {"every 100th": 100, "auto": "auto"}
        variants = [Variant(n, MODELS[model], f, folder) for n, f in frequencies.items()]
        first = [v.turn(x, y) for v in variants]
        for v in variants:  # what is compiled at the second logged epoch
            v.turn(x, y)
        for _ in range(turns):
            for v in variants:
                v.seconds.append(v.turn(x, y))
    parameters = variants[0].model.count_params()
    plain = statistics.median(variants[0].seconds)
    return [
        f"| {model}, {parameters / 1e6:.2f} M parameters | {v.name} | "
        f"{1e3 * statistics.median(v.seconds) / steps:.2f} | "
        f"{statistics.median(v.seconds) / plain:.3f} | {start - first[0]:+.1f} |"
        for v, start in zip(variants, first, strict=True)
    ]


def check() -> list[str]:
    """Rows of a Markdown table: check, outcome."""
    from tests import backend_checks

    rows = []
    for name, function in backend_checks.CHECKS.items():
        begun = time.perf_counter()
        try:
            outcome = function()
            told = f"largest error {outcome:.1e}" if isinstance(outcome, float) else outcome or "ok"
        except Exception as error:
            told = f"FAILED: {type(error).__name__}: {str(error)[:300]!r}"
            traceback.print_exc()
        label = name.replace("_", " ")
        rows.append(f"| {label} | {told} | {time.perf_counter() - begun:.1f} s |")
        print(rows[-1], flush=True)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--checks", action="store_true", help="only the checks")
    parser.add_argument("--overhead", action="store_true", help="only the costs")
    parser.add_argument("--models", default=",".join(MODELS))
    parser.add_argument("--turns", type=int, default=7)
    parser.add_argument("--steps", type=int, default=200, help="of a turn")
    parser.add_argument("--allow-cpu", action="store_true", help="to try this script")
    given = parser.parse_args()
    backend, found = keras.backend.backend(), device()
    if found is None and not given.allow_cpu:
        print(f"Keras on {backend} sees no GPU here: nothing to check or measure.")
        return
    where = f"Keras {keras.__version__} on {backend}, {found or 'CPU'}"
    if given.checks or not given.overhead:
        print(f"{where}: checks\n\n| check | outcome | took |\n|---|---|---|", flush=True)
        check()
    if given.overhead or not given.checks:
        print(f"\n{where}: step time over plain, batch {BATCH}\n", flush=True)
        print("| model | variant | ms a step | over plain | first turn, s more |", flush=True)
        print("|---|---|---|---|---|", flush=True)
        for model in given.models.split(","):
            print("\n".join(measure(model, given.turns, given.steps)), flush=True)


if __name__ == "__main__":
    main()
