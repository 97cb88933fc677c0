"""A GAN that learns eight points on a circle, watched by two recorders.

Generator and discriminator have a recorder each, told apart by `name`, and are runs of their own in
the Gradients tab: choose one and compare it with the other to see which of the two is ahead. In a
game neither loss has to fall, so no `loss_name` is given, and `slow` and `stalled` are not looked
for: both losses go up and down, and both runs are healthy.
"""

import argparse

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from tb_gradplugin import GradientRecorder

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("--logdir", default="logs/gan")
parser.add_argument("--steps", type=int, default=1000)
args = parser.parse_args()

BATCH, NOISE = 64, 8
keras.utils.set_random_seed(0)
rng = np.random.default_rng(0)
entropy = keras.losses.BinaryCrossentropy(from_logits=True)


def build(inputs: int, outputs: int) -> tuple[keras.Model, keras.optimizers.Optimizer]:
    """A small network and its optimizer."""
    model = keras.Sequential(
        [
            keras.Input((inputs,)),
            layers.Dense(64, "leaky_relu", name="hidden_1"),
            layers.Dense(64, "leaky_relu", name="hidden_2"),
            layers.Dense(outputs, name="output"),
        ]
    )
    optimizer = keras.optimizers.Adam(1e-3, beta_1=0.5)
    optimizer.build(model.trainable_variables)
    return model, optimizer


generator, g_optimizer = build(NOISE, 2)
discriminator, d_optimizer = build(2, 1)


def real_points() -> np.ndarray:
    """A batch of points near the eight, [BATCH, 2]."""
    angle = 2 * np.pi * rng.integers(0, 8, BATCH) / 8
    points = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return (points + rng.normal(0, 0.05, points.shape)).astype("float32")


@tf.function
def differentiate(real: tf.Tensor, noise: tf.Tensor) -> tuple:
    """Both losses, each with the gradients of its own network."""
    with tf.GradientTape() as g_tape, tf.GradientTape() as d_tape:
        on_fake, on_real = discriminator(generator(noise)), discriminator(real)
        g_loss = entropy(tf.ones_like(on_fake), on_fake)
        d_loss = entropy(tf.zeros_like(on_fake), on_fake) + entropy(tf.ones_like(on_real), on_real)
    return (
        (g_loss, g_tape.gradient(g_loss, generator.trainable_variables)),
        (d_loss, d_tape.gradient(d_loss, discriminator.trainable_variables)),
    )


@tf.function
def apply(g_gradients: list[tf.Tensor], d_gradients: list[tf.Tensor]) -> None:
    """One step of both."""
    g_optimizer.apply(g_gradients, generator.trainable_variables)
    d_optimizer.apply(d_gradients, discriminator.trainable_variables)


with (
    GradientRecorder(args.logdir, generator, name="generator", optimizer=g_optimizer) as g,
    GradientRecorder(args.logdir, discriminator, name="discriminator", optimizer=d_optimizer) as d,
):
    for step in range(1, args.steps + 1):
        noise = rng.normal(size=(BATCH, NOISE)).astype("float32")
        (g_loss, g_gradients), (d_loss, d_gradients) = differentiate(real_points(), noise)
        g.record(g_gradients, generator.trainable_variables, step=step, loss=g_loss)
        d.record(d_gradients, discriminator.trainable_variables, step=step, loss=d_loss)
        apply(g_gradients, d_gradients)

radius = np.linalg.norm(generator(rng.normal(size=(1000, NOISE)).astype("float32")), axis=1)
print(f"generated points lie {radius.mean():.2f} from the centre, deviation {radius.std():.2f}")
for name, recorder in (("generator", g), ("discriminator", d)):
    report = recorder.report()
    print(f"{name}: {report.verdict}", *report.kinds, sep=", ")
