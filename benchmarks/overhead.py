"""What monitoring costs: time of `fit` with it over time of `fit` without it, on this machine.

    python benchmarks/overhead.py [--models mlp,cnn,lstm,transformer] [--rounds 5] [--steps 100]

All variants of a model live in one process and take turns, a `fit` of a hundred steps each, every
one right after a turn of the plain model, so that a noisy machine slows both alike; printed is the
median over the rounds of the ratio to that turn.  The first turn of each variant traces and is not
counted; "first turn" is what it took longer than the plain model's first.  "plain again" is a second
model without anything: its distance from 1 is the noise of this run.

Beside ours, two ways people do it today: a callback that computes the gradients again on the batch
with a GradientTape in a tf.function and writes their norms, and tf.summary.histogram of every
gradient in a custom train_step.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import tempfile
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from tb_gradplugin.callbacks import GradientMonitor

BATCH = 64


def mlp():
    x = keras.Input([512])
    h = x
    for _ in range(8):
        h = layers.Dense(512, "relu")(h)
    return x, layers.Dense(10)(h)


def cnn():
    x = keras.Input([28, 28, 1])
    h = x
    for filters in (16, 32, 32):
        h = layers.Conv2D(filters, 3, activation="relu", padding="same")(h)
        h = layers.MaxPooling2D()(h)
    return x, layers.Dense(10)(layers.Flatten()(h))


def lstm():
    x = keras.Input([100, 16])
    return x, layers.Dense(10)(layers.LSTM(64)(x))


def transformer():
    x = keras.Input([32, 64])
    h = x
    for _ in range(3):
        a = layers.LayerNormalization()(h)
        h = h + layers.MultiHeadAttention(4, 16)(a, a)
        a = layers.LayerNormalization()(h)
        h = h + layers.Dense(64)(layers.Dense(256, "gelu")(a))
    return x, layers.Dense(10)(layers.GlobalAveragePooling1D()(h))


MODELS = {"mlp": mlp, "cnn": cnn, "lstm": lstm, "transformer": transformer}
TITLES = {
    "mlp": "MLP 8 x 512",
    "cnn": "CNN, 3 convolutions",
    "lstm": "LSTM, 100 steps",
    "transformer": "transformer, 3 blocks",
}


class StepTimes(keras.callbacks.Callback):
    """Seconds of each train step, other callbacks' work at its begin included."""

    def __init__(self):
        super().__init__()
        self.seconds = []
        self._last = None

    def on_epoch_begin(self, epoch, logs=None):
        self._last = None

    def on_train_batch_end(self, batch, logs=None):
        now = time.perf_counter()
        if self._last is not None:
            self.seconds.append(now - self._last)
        self._last = now


class TapeCallback(keras.callbacks.Callback):
    """Gradients computed once more with a GradientTape, their norms written."""

    def __init__(self, every, directory, x, y):
        super().__init__()
        self.every, self.x, self.y, self.step = every, x[:BATCH], y[:BATCH], 0
        self.writer = tf.summary.create_file_writer(directory)
        self.gradients = None

    def on_train_batch_end(self, batch, logs=None):
        self.step += 1
        if self.step % self.every:
            return
        if self.gradients is None:

            @tf.function
            def gradients(x, y):
                with tf.GradientTape() as tape:
                    loss = self.model.compute_loss(x, y, self.model(x, training=True))
                return tape.gradient(loss, self.model.trainable_variables)

            self.gradients = gradients
        with self.writer.as_default(self.step):
            for v, g in zip(
                self.model.trainable_variables, self.gradients(self.x, self.y), strict=True
            ):
                tf.summary.scalar(v.path, tf.norm(g))


class SummaryModel(keras.Model):
    """Writes tf.summary.histogram of every gradient inside its train_step."""

    every = 1
    directory = ""

    def train_step(self, data):
        if not hasattr(self, "_writer"):
            with tf.init_scope():
                self._writer = tf.summary.create_file_writer(self.directory)
        x, y = data
        with tf.GradientTape() as tape:
            loss = self.compute_loss(x, y, self(x, training=True))
        gradients = tape.gradient(loss, self.trainable_variables)
        step = tf.cast(self.optimizer.iterations, tf.int64)
        with self._writer.as_default(step), tf.summary.record_if(step % self.every == 0):
            for v, g in zip(self.trainable_variables, gradients, strict=True):
                tf.summary.histogram(v.path, g)
        self.optimizer.apply_gradients(zip(gradients, self.trainable_variables, strict=True))
        return {"loss": loss}


class Variant:
    """A model, its callbacks and the times of its turns."""

    def __init__(self, name, build, x, y, steps, kind, every, jit):
        self.name, self.kind, self.every = name, kind, every
        keras.utils.set_random_seed(0)
        inputs, outputs = build()
        directory = tempfile.mkdtemp()
        model_class = keras.Model
        if kind == "summary":
            model_class = type("S", (SummaryModel,), {"every": every, "directory": directory})
        self.model = model_class(inputs, outputs)
        self.model.compile("adam", "mse", jit_compile=jit)
        self.times = StepTimes()
        self.callbacks = [self.times]
        if kind == "ours":
            self.callbacks.insert(
                0, GradientMonitor(directory, update_freq=every, on_unhealthy="ignore")
            )
        elif kind == "tape":
            self.callbacks.insert(0, TapeCallback(every, directory, x, y))
        self.x, self.y, self.first = x, y, None

    def turn(self):
        """Seconds of one fit."""
        start = time.perf_counter()
        self.model.fit(self.x, self.y, batch_size=BATCH, verbose=0, callbacks=self.callbacks)
        seconds = time.perf_counter() - start
        if self.first is None:
            self.first = seconds
        return seconds


def measure(name, rounds, steps, jit):
    build = MODELS[name]
    inputs, _ = build()
    rng = np.random.default_rng(0)
    x = rng.normal(size=[BATCH * steps, *inputs.shape[1:]]).astype("float32")
    y = rng.normal(size=[BATCH * steps, 10]).astype("float32")
    plans = [("plain", "plain", 0), ("plain again", "plain", 0)]
    plans += [(f"ours, {n}", "ours", n) for n in (1, 10, 100, "auto")]
    plans += [(f"tape again, {n}", "tape", n) for n in (1, 10, 100)]
    if not jit:  # tf.summary does not compile under XLA
        plans += [(f"tf.summary, {n}", "summary", n) for n in (1, 10, 100)]
    variants = [Variant(n, build, x, y, steps, kind, every, jit) for n, kind, every in plans]
    for variant in variants:
        variant.turn()
        variant.times.seconds.clear()
    plain, *others = variants
    ratios = {v.name: [] for v in others}
    off_steps = {v.name: [] for v in others}
    for _ in range(rounds):
        for variant in others:
            plain.times.seconds.clear()
            variant.times.seconds.clear()
            ratios[variant.name].append(1 / plain.turn() * variant.turn())
            off_steps[variant.name].append(
                statistics.median(variant.times.seconds) / statistics.median(plain.times.seconds)
            )
    step_ms = statistics.median(plain.times.seconds) * 1e3
    title = TITLES[name] + (", XLA" if jit else "")
    parameters = plain.model.count_params()
    print(f"\n{title}: {parameters:,} parameters, plain step {step_ms:.1f} ms")
    print(f"  {'':18}{'fit':>8}{'off-step':>10}{'first turn':>12}")
    for variant in others:
        ratio = statistics.median(ratios[variant.name])
        # Of these hardly a step is logged: the median step is one that is not.
        off = statistics.median(off_steps[variant.name]) if variant.every in (100, "auto") else None
        shown = "" if off is None else f"{off:.3f}"
        first = f"{variant.first - plain.first:+.1f} s"
        print(f"  {variant.name:18}{ratio:8.3f}{shown:>10}{first:>12}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", default="mlp,cnn,lstm,transformer")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=100, help="train steps a turn")
    parser.add_argument("--xla", action="store_true", help="compile the models with XLA")
    args = parser.parse_args()
    print(
        f"TensorFlow {tf.__version__}, Keras {keras.__version__}, {os.cpu_count()} cores, "
        f"{platform.machine()}; fit time over plain, median of {args.rounds} interleaved turns of "
        f"{args.steps} steps, batch {BATCH}"
    )
    for name in args.models.split(","):
        measure(name, args.rounds, args.steps, args.xla)


if __name__ == "__main__":
    main()
