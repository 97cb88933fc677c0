"""A `tf.GradientTape` loop, and the logarithm of 0 in a loss written by hand.

Raw features of the wine data reach 1000, so the first logits differ by hundreds, their softmax is
exactly 0 somewhere, and `-log(p)` infinite. The run `by_hand` has a `nonfinite` finding at its
first step, whose cause is that logarithm; `on_unhealthy="stop"` sets `recorder.stop_training`, and
the loop ends. `from_logits`, the first suggestion, is the same network with a loss that takes
logits: every gradient is finite, and it learns.
"""

import argparse
from collections.abc import Callable

import keras
import sklearn.datasets
import tensorflow as tf

from tb_gradplugin import GradientRecorder

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("--logdir", default="logs/custom_loop")
parser.add_argument("--epochs", type=int, default=40)
args = parser.parse_args()

x, y = sklearn.datasets.load_wine(return_X_y=True)
data = tf.data.Dataset.from_tensor_slices((x.astype("float32"), y.astype("int32")))


def by_hand(labels: tf.Tensor, p: tf.Tensor) -> tf.Tensor:
    """Mean of -log p of the labels."""
    return -tf.reduce_mean(tf.math.log(tf.gather(p, labels, batch_dims=1)))


def train(name: str, activation: str | None, loss_of: Callable) -> None:
    """Trains one network; gradients are recorded between the tape and the optimizer."""
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((13,)),
            keras.layers.Dense(32, "relu", name="hidden_1"),
            keras.layers.Dense(32, "relu", name="hidden_2"),
            keras.layers.Dense(3, activation, name="output"),
        ]
    )
    optimizer = keras.optimizers.Adam(1e-3)
    optimizer.build(model.trainable_variables)

    @tf.function
    def differentiate(features: tf.Tensor, labels: tf.Tensor) -> tuple:
        with tf.GradientTape() as tape:
            loss = loss_of(labels, model(features, training=True))
        return loss, tape.gradient(loss, model.trainable_variables)

    @tf.function
    def apply(gradients: list[tf.Tensor]) -> None:
        optimizer.apply(gradients, model.trainable_variables)

    with GradientRecorder(
        f"{args.logdir}/{name}",
        model,
        optimizer=optimizer,
        loss_name="cross_entropy",
        on_unhealthy="stop",
    ) as recorder:
        batches = data.shuffle(len(data), seed=0).repeat(args.epochs).batch(32)
        for step, (features, labels) in enumerate(batches, start=1):
            loss, gradients = differentiate(features, labels)
            recorder.record(gradients, model.trainable_variables, step=step, loss=loss)
            apply(gradients)
            if recorder.stop_training:
                break
    report = recorder.report()
    end = f"loss {float(loss):.2f} after {step} steps"
    print(f"{name}: {report.verdict}", *report.kinds, end, sep=", ")


train("by_hand", "softmax", by_hand)
train("from_logits", None, keras.losses.SparseCategoricalCrossentropy(from_logits=True))
