"""Mixed precision with loss scaling, and a feature that float16 cannot hold.

The largest number of float16 is 65504. A yearly income may be more, and then is Inf from the first
layer on: in the run `raw` every step is skipped, halving the loss scale does not help, and a
`nonfinite` finding ends the training. With standardised features (run `scaled`) the first steps
overflow and are skipped too, but that is how `LossScaleOptimizer` finds its scale, and no finding.
Gradients are shown divided by the loss scale, so they compare with those of a float32 run.
"""

import argparse

import keras
import numpy as np

from tb_gradplugin.callbacks import GradientMonitor

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("--logdir", default="logs/mixed_precision")
parser.add_argument("--epochs", type=int, default=6)
args = parser.parse_args()

rng = np.random.default_rng(0)
age, income = rng.uniform(20, 70, 2048), rng.lognormal(10.5, 0.6, 2048)
raw = np.stack([age, income], axis=1).astype("float32")
scaled = (raw - raw.mean(axis=0)) / raw.std(axis=0)
y = (scaled.sum(axis=1) + rng.normal(0, 0.3, 2048) > 0).astype("float32")

keras.mixed_precision.set_global_policy("mixed_float16")

for name, x in [("raw", raw), ("scaled", scaled)]:
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((2,)),
            keras.layers.Dense(64, "relu", name="hidden_1"),
            keras.layers.Dense(64, "relu", name="hidden_2"),
            keras.layers.Dense(1, "sigmoid", name="output", dtype="float32"),
        ]
    )
    adam = keras.optimizers.Adam(1e-3)
    model.compile(
        keras.optimizers.LossScaleOptimizer(adam, initial_scale=2.0**24),
        loss="binary_crossentropy",
        metrics=["accuracy"],
    )
    monitor = GradientMonitor(f"{args.logdir}/{name}", on_unhealthy="stop")
    history = model.fit(x, y, batch_size=64, epochs=args.epochs, verbose=0, callbacks=[monitor])
    report = monitor.report()
    accuracy = f"accuracy {history.history['accuracy'][-1]:.2f}"
    print(f"{name}: {report.verdict}", *report.kinds, accuracy, sep=", ")
