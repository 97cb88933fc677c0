"""What monitoring costs: time of a train step in `fit` with it over one without it.

    python benchmarks/overhead.py [--models mlp,cnn,lstm,transformer] [--steps 630] [--xla]

All variants of a model train at once, each in a `fit` of its own in a thread of its own, and pass a
baton: 21 steps of each in turn.  So whatever slows this machine slows all of them alike.  The first
3 steps of a turn do not count: caches still hold another variant's data there.  A step's time runs
from its first callback to its last.  With every N-th step logged the mean is put together
from the medians of the logged step, of the one after it (which reads the results) and of the
others; otherwise it is the mean without the slowest 1 %.  The first 21 steps (tracing) are apart,
and so are the first two logged ones, of which the second traces once more if the first was probed:
"start-up" is what they took longer than those of the second plain model.  "plain again" is that
second model without anything: its distance from 1 is the noise of this run.

Beside ours, two ways people do it today: a callback that computes the gradients again on the batch
with a GradientTape in a tf.function and writes their norms, and tf.summary.histogram of every
gradient in a custom train_step.
"""

from __future__ import annotations

import argparse
import os
import platform
import tempfile
import threading
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from tb_gradplugin.callbacks import GradientMonitor

BATCH = 64
TURN = 21
"""Steps of a turn: no divisor of 10 or 100, so that logged steps fall anywhere in it."""
SETTLE = 3
START = TURN


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


class Baton:
    """Lets threads take turns."""

    def __init__(self, count):
        self.turn, self.count, self.change = 0, count, threading.Condition()

    def wait(self, index):
        with self.change:
            self.change.wait_for(lambda: self.turn == index)

    def pass_on(self):
        with self.change:
            self.turn = (self.turn + 1) % self.count
            self.change.notify_all()


class Take(keras.callbacks.Callback):
    """First callback: waits at the begin of the variant's turn, then the step's time runs."""

    def __init__(self, variant, baton):
        super().__init__()
        self.variant, self.baton = variant, baton

    def on_train_batch_begin(self, batch, logs=None):
        if batch % TURN == 0:
            self.baton.wait(self.variant.index)
        self.variant.begun = time.perf_counter()


class Pass(keras.callbacks.Callback):
    """Last callback: the step's time ends."""

    def __init__(self, variant, baton):
        super().__init__()
        self.variant, self.baton = variant, baton

    def on_train_batch_end(self, batch, logs=None):
        self.variant.seconds.append(time.perf_counter() - self.variant.begun)
        if (batch + 1) % TURN == 0:
            self.baton.pass_on()


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
    """One way to train, and the seconds of its steps."""

    def __init__(self, index, name, kind, every):
        self.index, self.name, self.kind, self.every = index, name, kind, every
        self.begun, self.seconds = 0.0, []

    def train(self, build, x, y, jit, baton):
        directory = tempfile.mkdtemp()
        # One at a time also while building: Keras names and seeds are global.
        baton.wait(self.index)
        inputs, outputs = build()
        model_class = keras.Model
        if self.kind == "summary":
            members = {"every": self.every, "directory": directory}
            model_class = type("Summarised", (SummaryModel,), members)
        model = model_class(inputs, outputs)
        model.compile("adam", "mse", jit_compile=jit)
        baton.pass_on()
        callbacks = [Take(self, baton), Pass(self, baton)]
        if self.kind == "ours":
            monitor = GradientMonitor(directory, update_freq=self.every, on_unhealthy="ignore")
            callbacks.insert(1, monitor)
        elif self.kind == "tape":
            callbacks.insert(1, TapeCallback(self.every, directory, x, y))
        model.fit(x, y, batch_size=BATCH, verbose=0, callbacks=callbacks)
        self.parameters = model.count_params()

    @property
    def start(self):
        """Steps that are apart."""
        return max(START, self.every + 2) if isinstance(self.every, int) else START

    @property
    def start_up(self):
        """Seconds of these steps over those that as many later ones take."""
        return sum(self.seconds[: self.start]) - self.start * self.off

    def _counted(self):
        """Seconds of the steps that count, and how many steps ago one was logged."""
        step = np.arange(len(self.seconds))
        counts = (step >= self.start) & (step % TURN >= SETTLE)
        # Ours logs step 1, 1 + N, ...; the others N, 2 N, ...
        phase = (step + (self.kind != "ours")) % self.every if self.thin else np.zeros_like(step)
        return np.array(self.seconds)[counts], phase[counts]

    @property
    def thin(self):
        """Whether only every N-th step is logged."""
        return self.every not in (0, 1, "auto")

    @property
    def mean(self):
        """Mean seconds of a step after the start."""
        seconds, phase = self._counted()
        if not self.thin:
            return np.sort(seconds)[: -max(len(seconds) // 100, 1)].mean()
        on, after = np.median(seconds[phase == 0]), np.median(seconds[phase == 1])
        return (on + after + (self.every - 2) * self.off) / self.every

    @property
    def off(self):
        """Median seconds of a step that is not logged, nor follows one that is."""
        seconds, phase = self._counted()
        return np.median(seconds[phase > 1] if self.thin else seconds)


def measure(name, steps, jit, peers):
    build = MODELS[name]
    inputs, _ = build()
    rng = np.random.default_rng(0)
    x = rng.normal(size=[BATCH * steps, *inputs.shape[1:]]).astype("float32")
    y = rng.normal(size=[BATCH * steps, 10]).astype("float32")
    plans = [("plain", "plain", 0), ("plain again", "plain", 0)]
    plans += [(f"ours, {n}", "ours", n) for n in (1, 10, 100, "auto")]
    plans += [(f"tape again, {n}", "tape", n) for n in peers]
    if not jit:  # tf.summary does not compile under XLA
        plans += [(f"tf.summary, {n}", "summary", n) for n in peers]
    variants = [Variant(i, *plan) for i, plan in enumerate(plans)]
    baton = Baton(len(variants))
    threads = [threading.Thread(target=v.train, args=(build, x, y, jit, baton)) for v in variants]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    plain, *others = variants
    title = TITLES[name] + (", XLA" if jit else "")
    print(f"\n{title}: {plain.parameters:,} parameters, plain step {plain.off * 1e3:.1f} ms")
    print(f"  {'':18}{'step':>8}{'off-step':>10}{'start-up':>12}")
    again = others[0]  # the very first one bears what is made once a process
    for variant in others:
        off = f"{variant.off / plain.off:.3f}" if variant.every in (10, 100) else ""
        start = f"{variant.start_up - again.start_up:+.1f} s"
        ratio = variant.mean / plain.mean  # NaN: too few steps for this update frequency
        step = "-" if np.isnan(ratio) else f"{ratio:.3f}"
        print(f"  {variant.name:18}{step:>8}{off:>10}{start:>12}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", default="mlp,cnn,lstm,transformer")
    parser.add_argument("--steps", type=int, default=30 * TURN, help=f"multiple of {TURN}")
    parser.add_argument("--xla", action="store_true", help="compile the models with XLA")
    parser.add_argument(
        "--peers", default="1,10,100", help="update frequencies of the other ways, or nothing"
    )
    args = parser.parse_args()
    peers = [int(n) for n in args.peers.split(",") if n]
    if args.steps % TURN:
        parser.error(f"--steps (={args.steps}) must be a multiple of {TURN}")
    print(
        f"TensorFlow {tf.__version__}, Keras {keras.__version__}, {os.cpu_count()} cores, "
        f"{platform.machine()}; step time over plain, {args.steps} interleaved steps, batch {BATCH}"
    )
    for name in args.models.split(","):
        measure(name, args.steps, args.xla, peers)


if __name__ == "__main__":
    main()
