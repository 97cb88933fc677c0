"""Remembering the first of sixty numbers, with recurrent weights that are too small.

Only the first number tells the class; the others are noise. With small recurrent weights (run
`small`) the gradient shrinks at each of the sixty steps back through time. The heatmap stays pale,
for the last time steps do get a gradient; the `vanishing` finding at step 150 comes from a look
inside the layer. An orthogonal recurrent kernel, Keras's default and the first suggestion (run
`orthogonal`), keeps the length of what passes through it.
"""

import argparse

import keras
import numpy as np

from tb_gradplugin.callbacks import GradientMonitor

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("--logdir", default="logs/rnn")
parser.add_argument("--epochs", type=int, default=6)
parser.add_argument("--length", type=int, default=60)
args = parser.parse_args()

rng = np.random.default_rng(0)
y = rng.integers(0, 2, 2048)
x = 0.1 * rng.normal(size=(len(y), args.length, 1)).astype("float32")
x[:, 0, 0] = 2 * y - 1

INITIALIZERS = {
    "small": keras.initializers.RandomNormal(stddev=0.05, seed=0),
    "orthogonal": keras.initializers.Orthogonal(seed=0),
}

for name, initializer in INITIALIZERS.items():
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((args.length, 1)),
            keras.layers.SimpleRNN(32, recurrent_initializer=initializer, name="rnn"),
            keras.layers.Dense(2, "softmax", name="head"),
        ]
    )
    model.compile(
        keras.optimizers.SGD(0.1), loss="sparse_categorical_crossentropy", metrics=["accuracy"]
    )
    monitor = GradientMonitor(f"{args.logdir}/{name}")
    history = model.fit(x, y, batch_size=64, epochs=args.epochs, verbose=0, callbacks=[monitor])
    report = monitor.report()
    accuracy = f"accuracy {history.history['accuracy'][-1]:.2f}"
    print(f"{name}: {report.verdict}", *report.kinds, accuracy, sep=", ")
