"""Independent references: gradients from a GradientTape, statistics in NumPy float64."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tb_gradplugin.metadata import STATISTICS_COLUMNS


def tape_gradients(model: keras.Model, weights: list[np.ndarray], x: Any, y: Any) -> list[Any]:
    """Gradients of the model's loss on (x, y) at ``weights``, eagerly; None where there is none.

    The model's weights and state are put back afterwards.
    """
    kept = [v.numpy() for v in model.variables]
    for variable, value in zip(model.trainable_variables, weights, strict=True):
        variable.assign(value)
    with tf.GradientTape() as tape:
        y_pred = model(x, training=True)
        loss = model.compute_loss(x, y, y_pred)
    gradients = tape.gradient(loss, model.trainable_variables)
    for variable, value in zip(model.variables, kept, strict=True):
        variable.assign(value)
    return [None if g is None else tf.convert_to_tensor(g).numpy() for g in gradients]


def statistics64(gradient: np.ndarray | None, before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """One row of ``STATISTICS_COLUMNS`` in float64."""
    if gradient is None:
        return np.full(len(STATISTICS_COLUMNS), np.nan)
    g = np.asarray(gradient, dtype=np.float64).ravel()
    f = g[np.isfinite(g)]
    w = np.asarray(before, dtype=np.float64)
    row = {
        "norm": np.sqrt(np.sum(f**2)),
        "mean": f.mean() if f.size else 0.0,
        "std": f.std() if f.size else 0.0,
        "min": f.min() if f.size else 0.0,
        "max": f.max() if f.size else 0.0,
        "zero_fraction": np.mean(g == 0),
        "nan_count": np.isnan(g).sum(),
        "inf_count": np.isinf(g).sum(),
        "weight_norm": np.sqrt(np.sum(w**2)),
        "update_norm": np.sqrt(np.sum((np.asarray(after, dtype=np.float64) - w) ** 2)),
    }
    return np.array([row[c] for c in STATISTICS_COLUMNS])


class Subclassed(keras.Model):
    """Layers made in another order than they are called in, and one that is not called."""

    def __init__(self):
        super().__init__()
        self.head = keras.layers.Dense(4)
        self.body = keras.layers.Dense(6, activation="relu")
        self.unused = keras.layers.Dense(3)

    def build(self, shape):
        self.body.build(shape)
        self.head.build((None, 6))
        self.unused.build(shape)
        self.built = True

    def call(self, x):
        return self.head(self.body(x))


def subclassed() -> keras.Model:
    model = Subclassed()
    model.build((None, 8))
    return model


class CaptureEachStep(keras.callbacks.Callback):
    """Captures every n-th step through the seam and keeps the weights before and after it."""

    def __init__(self, every: int = 1, histograms: bool = True):
        super().__init__()
        self.every, self.histograms = every, histograms
        self.captured: list[Any] = []
        self.before: dict[int, list[np.ndarray]] = {}
        self.capture: Any = None
        self.step = 0

    def on_train_begin(self, logs: Any = None) -> None:
        from tb_gradplugin.callbacks.capture import create_capture

        if self.capture is None:
            self.capture = create_capture(self.model, (), updates=True, histograms=True)

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        self.collect()
        self.step += self.model.steps_per_execution
        self.before[self.step] = [v.numpy() for v in self.model.trainable_variables]
        if (self.step - 1) % self.every == 0:
            self.capture.arm(self.step, log2=self.histograms, linear=self.histograms)

    def collect(self) -> None:
        got = self.capture.collect()
        if self.capture.failure is not None:
            raise self.capture.failure
        if got is not None:
            self.captured.append(got)

    def on_train_end(self, logs: Any = None) -> None:
        self.collect()
