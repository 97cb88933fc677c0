"""A plain stack of sixteen convolutions on handwritten digits, and residual connections.

SiLU halves a small signal, and the gradient on its way back. In a deep plain stack (run `plain`)
next to nothing of the image arrives at the head, and less of the gradient at the image: a
`vanishing` finding, and a heatmap that is bluer the nearer a row is to the input. Residual
connections with layer normalisation, the first suggestion (run `residual`), lead past every layer.
`map_layers` keeps pictures of the stem's gradient: open that layer, then *gradient map*.
"""

import argparse

import keras
import sklearn.datasets
from keras import layers

from tb_gradplugin.callbacks import GradientMonitor

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("--logdir", default="logs/cnn")
parser.add_argument("--epochs", type=int, default=5)
args = parser.parse_args()

digits = sklearn.datasets.load_digits()
x, y = (digits.images[..., None] / 16).astype("float32"), digits.target


def build(residual: bool) -> keras.Model:
    """A stem, sixteen convolutions, a head."""
    inputs = keras.Input((8, 8, 1))
    h = layers.Conv2D(16, 3, padding="same", activation="silu", name="stem")(inputs)
    for i in range(16):
        branch = layers.LayerNormalization(name=f"norm_{i}")(h) if residual else h
        branch = layers.Conv2D(16, 3, padding="same", activation="silu", name=f"conv_{i}")(branch)
        h = layers.Add(name=f"add_{i}")([h, branch]) if residual else branch
    h = layers.GlobalAveragePooling2D(name="pool")(h)
    outputs = layers.Dense(10, "softmax", name="head")(h)
    model = keras.Model(inputs, outputs)
    model.compile(
        keras.optimizers.SGD(0.02), loss="sparse_categorical_crossentropy", metrics=["accuracy"]
    )
    return model


for name in ("plain", "residual"):
    keras.utils.set_random_seed(0)
    monitor = GradientMonitor(f"{args.logdir}/{name}", map_layers=["stem"])
    history = build(residual=name == "residual").fit(
        x, y, batch_size=64, epochs=args.epochs, verbose=0, callbacks=[monitor]
    )
    report = monitor.report()
    accuracy = f"accuracy {history.history['accuracy'][-1]:.2f}"
    print(f"{name}: {report.verdict}", *report.kinds, accuracy, sep=", ")
