"""Ten sigmoid layers on handwritten digits, and their cure.

A sigmoid passes on at most a quarter of the gradient: ten in a row leave next to nothing for the
first layers. In the Gradients tab the first rows of the run `sigmoid` are blue from step 1 on, and
a `vanishing` finding names them and their cause. Its first suggestion, ReLU with He initialisation
(run `relu`), has the same depth, width and learning rate: no row is blue, and the network learns.
"""

import argparse

import keras
import sklearn.datasets

from tb_gradplugin.callbacks import GradientMonitor

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("--logdir", default="logs/dnn")
parser.add_argument("--epochs", type=int, default=15)
args = parser.parse_args()

digits = sklearn.datasets.load_digits()
x, y = (digits.data / 16).astype("float32"), digits.target


def build(activation: str, initializer: str) -> keras.Model:
    """Ten hidden layers of 32 units."""
    model = keras.Sequential([keras.Input((64,))])
    for i in range(10):
        model.add(
            keras.layers.Dense(32, activation, kernel_initializer=initializer, name=f"dense_{i}")
        )
    model.add(keras.layers.Dense(10, "softmax", name="output"))
    model.compile(
        keras.optimizers.SGD(0.1, global_clipnorm=1.0),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    return model


for activation, initializer in [("sigmoid", "glorot_uniform"), ("relu", "he_normal")]:
    keras.utils.set_random_seed(1)
    monitor = GradientMonitor(f"{args.logdir}/{activation}")
    history = build(activation, initializer).fit(
        x, y, batch_size=64, epochs=args.epochs, verbose=0, callbacks=[monitor]
    )
    report = monitor.report()
    accuracy = f"accuracy {history.history['accuracy'][-1]:.2f}"
    print(f"{activation}: {report.verdict}", *report.kinds, accuracy, sep=", ")
