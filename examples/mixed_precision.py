"""
"""

import argparse

import keras
import sklearn.datasets

from tb_gradplugin.callbacks import GradientMonitor

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("--logdir", default="logs/mixed_precision")
parser.add_argument("--epochs", type=int, default=10)
parser.add_argument("--lw", type=float, default=1e-4)
args = parser.parse_args()

digits = sklearn.datasets.load_digits()
x, y = (digits.data / 16).astype("float32"), digits.target
keras.mixed_precision.set_global_policy("mixed_float16")

def build(scaled: bool) -> keras.Model:
    model = keras.Sequential(
        [
            keras.Input((64,)),
            keras.layers.Dense(64, "relu", name="hidden_1"),
            keras.layers.Dense(64, "relu", name="hidden_2"),
            keras.layers.Dense(64, "relu", name="hidden_3"),
            keras.layers.Dense(10, "softmax", name="output", dtype="float32"),
        ]
    )
    model.compile(
        keras.optimizers.Adam(1e-3),
        "sparse_categorical_crossentropy",
        loss_weights=args.lw,
        metrics=["accuracy"],
        auto_scale_loss=scaled,
    )
    return model


for name, scaled in [("unscaled", False), ("scaled", True)]:
    keras.utils.set_random_seed(0)
    monitor = GradientMonitor(f"{args.logdir}/{name}")
    history = build(scaled).fit(
        x, y, batch_size=64, epochs=args.epochs, verbose=0, callbacks=[monitor]
    )
    report = monitor.report()
    accuracy = history.history["accuracy"][-1]
    print(f"{name}: {report.verdict} {report.kinds}, accuracy {accuracy:.2f}")
