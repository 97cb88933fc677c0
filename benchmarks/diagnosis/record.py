"""Trains a labelled run and records it.

A minimal loop around ``tf.GradientTape`` stands in for the monitor, and NumPy computes every number
on the host, so the rules are checked on statistics that do not come from the code under test.  Only
the structure is the product's own (``callbacks.describe``): rules must see what they see there.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from benchmarks.diagnosis.losses import accuracy, constant_loss, losses
from benchmarks.diagnosis.measures import layer_row, norm, summary, variable_row
from benchmarks.diagnosis.recording import LAYER_COLUMNS, Recording
from benchmarks.diagnosis.runs.base import MIN_ROWS, Run, Setup
from benchmarks.diagnosis.taps import Taps, is_recurrent, look

HELD = 5
"""One row in this many is held back for validation."""
VALIDATION_ROWS = 256
"""At most this many rows of either part are looked at in a validation pass."""
VALIDATIONS = 12
"""About this many validation passes a run at most."""
BAD_STEPS = 40
"""Train steps after the first loss that is not finite."""
LAST_STEPS = 10
"""Losses of at least this many steps make the final loss."""


def logged_steps(steps: int) -> list[int]:
    """The schedule ``"auto"``: every step up to 20, then every ``step // 20``, at most 100."""
    out, step = [], 1
    while step <= steps:
        out.append(step)
        step += 1 if step < 20 else min(max(step // 20, 1), 100)
    return out


def split(setup: Setup) -> tuple[Any, np.ndarray, Any, np.ndarray | None]:
    """Rows to train on and rows held back: x, y, held x, held y (None where too few)."""
    if setup.held is not None:
        return setup.x, setup.y, *setup.held
    n = len(setup.y)
    if n < MIN_ROWS:
        return setup.x, setup.y, None, None
    held = np.zeros(n, bool)
    held[np.random.default_rng(12345).permutation(n)[: n // HELD]] = True
    take = lambda rows: tf.nest.map_structure(lambda a: a[rows], setup.x)
    return take(~held), setup.y[~held], take(held), setup.y[held]


def record(run: Run, seed: int) -> Recording:
    """Trains and logs on the schedule; stops 40 steps after the loss became non-finite."""
    return next(record_seeds(run, [seed]))


def record_seeds(run: Run, seeds: Sequence[int]) -> Iterator[Recording]:
    """The same for several seeds, of which only the first has the train step traced."""
    keras.backend.clear_session()
    keras.utils.set_random_seed(seeds[0])
    recorder = Recorder(run.build())
    yield recorder.record(seeds[0])
    for seed in seeds[1:]:
        keras.utils.set_random_seed(seed)
        recorder.restart(run.build().model)
        yield recorder.record(seed)


class Recorder:
    """One run of ``setup``."""

    def __init__(self, setup: Setup):
        self.setup = setup
        x, y, held_x, held_y = split(setup)
        self.y, self.held_y = y, held_y
        as_tensors = lambda part: tf.nest.map_structure(tf.constant, part)
        self.x, self.targets = as_tensors(x), tf.constant(y.astype("float32"))
        self.held_x = None if held_x is None else as_tensors(held_x)
        self.first = tf.nest.map_structure(lambda a: a[:1], self.x)
        self.structure, self.layers, self.variables = look(setup, self.first)
        self.values = [v.value for v in self.variables]
        self.recurrent = [i for i, layer in enumerate(self.layers) if is_recurrent(layer)]
        self.optimizer = setup.optimizer
        self.optimizer.build(self.variables)
        self.scaled = hasattr(self.optimizer, "dynamic_scale")
        self.step = tf.function(self._step)
        self.predict = tf.function(lambda rows: setup.model(rows, training=False))
        self.batch = min(setup.batch, len(y))
        self.started = [v.numpy() for v in self.optimizer.variables]

    def restart(self, model: Any) -> None:
        """Takes over the weights (and states of random generators) of another such model."""
        model(self.first)
        for mine, other in zip(self.setup.model.variables, model.variables, strict=True):
            mine.assign(other)
        for variable, value in zip(self.optimizer.variables, self.started, strict=True):
            variable.assign(value)

    def _step(self, index: Any) -> dict[str, Any]:
        """One train step: everything that ``_log`` looks at, before the update."""
        setup, taps = self.setup, Taps(self.layers)
        xb = tf.nest.map_structure(lambda a: tf.gather(a, index), self.x)
        yb = tf.gather(self.targets, index)
        with tf.GradientTape() as tape:
            taps.tape = tape
            with taps.inserted():
                p = setup.model(xb, training=True)
            data = setup.factor * tf.reduce_mean(losses(setup, yb, p))
            extra = [tf.cast(t, data.dtype) for t in setup.model.losses]
            total = data + tf.add_n(extra) if extra else data
            scaled = self.optimizer.scale_loss(total) if self.scaled else total
        before = [tf.identity(v) for v in self.values]
        called = list(taps.outputs)
        sources = [*self.values, *taps.outputs.values(), *taps.noise.values()]
        gradients = tape.gradient(scaled, sources)
        n, m = len(self.values), len(self.values) + len(called)
        pairs = zip(gradients[:n], self.variables, strict=True)
        self.optimizer.apply_gradients([(g, v) for g, v in pairs if g is not None])
        present = lambda items: {k: tf.convert_to_tensor(v) for k, v in items if v is not None}
        place = {id(layer): i for i, layer in enumerate(self.layers)}
        return {
            "total": total,
            "data": data,
            "prediction": p,
            "before": before,
            "after": [tf.identity(v) for v in self.values],
            "gradients": present(enumerate(gradients[:n])),
            "outputs": {place[i]: t for i, t in taps.outputs.items()},
            "errors": present((place[i], g) for i, g in zip(called, gradients[n:m], strict=True)),
            "states": present(
                (place[i], g) for i, g in zip(taps.noise, gradients[m:], strict=True)
            ),
        }

    def record(self, seed: int) -> Recording:
        """Trains on batches drawn by ``seed``, and returns what was logged."""
        self.seen = np.zeros((0, self.y.shape[-1]))
        setup, steps, history, points, validation = self.setup, self.setup.steps, [], [], []
        due, index_of = set(logged_steps(steps)), np.random.default_rng(seed)
        order = np.empty(0, np.int64)
        n, bad, initial = len(self.y), 0, math.nan
        epoch = max(math.ceil(n / self.batch), math.ceil(steps / VALIDATIONS))
        for t in range(1 - setup.silent_steps, steps + 1):
            if len(order) < self.batch:
                order = index_of.permutation(n)
            index, order = order[: self.batch], order[self.batch :]
            log = t in due
            rate = float(keras.ops.convert_to_numpy(self.optimizer.learning_rate)) if log else 0.0
            scale = self._scale() if log else 1.0
            out = self.step(tf.constant(index))
            history.append(float(out["data"]))
            initial = history[-1] if t == 1 else initial
            if log:
                with np.errstate(all="ignore"):
                    points.append(self._log(t, index, out, rate, scale))
            if t > 0 and (t % epoch == 0 or t == steps):
                validation.append([t, *self._validate()])
            bad += not math.isfinite(history[-1])
            if bad > BAD_STEPS:
                break
        tail = history[-LAST_STEPS if bad else -max(LAST_STEPS, n // self.batch) :]
        column = lambda name, kind: np.array([p[name] for p in points], kind)
        return Recording(
            structure=self.structure,
            steps=column("step", np.int64),
            statistics=column("statistics", np.float32),
            training=column("training", np.float64),
            variables=column("variables", np.float32),
            layers=column("layers", np.float32),
            inputs=column("inputs", np.float64),
            targets=column("targets", np.float64),
            accuracy=column("accuracy", np.float64),
            validation=np.array(validation, np.float64).reshape(-1, 5),
            through_time={
                i: np.array([p["through_time"][i] for p in points], np.float32)
                for i in (points[0]["through_time"] if points else ())
            },
            spectral_radius={
                i: np.array([p["radius"][i] for p in points], np.float64)
                for i in (points[0]["radius"] if points else ())
            },
            final=float(np.mean(tail)),
            baseline=constant_loss(setup, self.y),
            initial=initial,
            samples=self.batch,
            loss=setup.loss if isinstance(setup.loss, str) else "custom",
            scaled=setup.factor != 1.0,
        )

    def _scale(self) -> float:
        return float(self.optimizer.dynamic_scale.numpy()) if self.scaled else 1.0

    def _log(
        self,
        step: int,
        index: np.ndarray,
        out: dict[str, Any],
        rate: float,
        scale: float,
    ) -> dict[str, Any]:
        """Everything that is kept of one logged step."""
        before = [v.numpy() for v in out["before"]]
        gradients = {i: g.numpy() / scale for i, g in out["gradients"].items()}
        rows = np.array(
            [
                variable_row(gradients.get(i), b, a.numpy())
                for i, (b, a) in enumerate(zip(before, out["after"], strict=True))
            ],
            np.float64,
        ).reshape(-1, 14)
        outputs = {i: t.numpy() for i, t in out["outputs"].items()}
        errors = {i: g.numpy() / scale for i, g in out["errors"].items()}
        table = [
            layer_row(outputs.get(i), errors.get(i), layer.activation)
            for i, layer in enumerate(self.structure.layers)
        ]
        y = self.y[index]
        self.seen = np.concatenate([self.seen, y])
        broken = not all(np.isfinite(g).all() for g in gradients.values())
        clip = 1.0
        limit = getattr(self.optimizer, "global_clipnorm", None)
        if limit and not broken:
            whole = math.hypot(*map(norm, gradients.values()))
            clip = min(1.0, limit / whole) if whole else 1.0
        return {
            "step": step,
            "statistics": rows[:, :10],
            "variables": rows[:, 10:],
            "layers": np.array(table, np.float64).reshape(-1, len(LAYER_COLUMNS)),
            "training": [
                float(out["total"]),
                float(out["data"]),
                constant_loss(self.setup, self.seen),
                rate,
                scale,
                clip,
                float(self.scaled and broken),
            ],
            "inputs": summary(tf.nest.map_structure(lambda a: a.numpy()[index], self.x)),
            "targets": summary(y),
            "accuracy": accuracy(self.setup, y, np.asarray(out["prediction"], np.float32)),
            "through_time": {
                i: self._norms(i, g.numpy() / scale) for i, g in out["states"].items()
            },
            "radius": {i: r for i in self.recurrent if (r := self._radius(i, before)) is not None},
        }

    def _norms(self, layer: int, gradient: np.ndarray) -> np.ndarray:
        """[T], L2 norm of dL/dh_t over batch and units, in the order in which steps were taken."""
        norms = np.sqrt(np.sum(gradient.astype(np.float64) ** 2, axis=(0, 2)))
        return norms[::-1] if self.layers[layer].go_backwards else norms

    def _radius(self, layer: int, before: list[np.ndarray]) -> float | None:
        """Largest |eigenvalue| of a square recurrent kernel."""
        for row in self.structure.rows_of_layer(layer):
            if self.structure.variables[row].role == "recurrent_kernel":
                kernel = before[row]
                if kernel.shape[0] != kernel.shape[1]:
                    return None
                finite = np.isfinite(kernel).all()
                return float(np.abs(np.linalg.eigvals(kernel)).max()) if finite else math.nan
        return None

    def _validate(self) -> list[float]:
        """Loss and accuracy in inference mode, of rows trained on and of rows held back."""
        out: list[float] = []
        for x, y in ((self.x, self.y), (self.held_x, self.held_y)):
            if x is None or y is None:
                out += [math.nan, math.nan]
                continue
            y = y[:VALIDATION_ROWS]
            p = self.predict(tf.nest.map_structure(lambda a: a[:VALIDATION_ROWS], x))
            target = tf.constant(y.astype("float32"))
            loss = self.setup.factor * float(tf.reduce_mean(losses(self.setup, target, p)))
            out += [loss, accuracy(self.setup, y, np.asarray(p, np.float32))]
        return out
