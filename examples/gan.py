"""
"""

import argparse

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from tb_gradplugin import GradientRecorder

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("--logdir", default="logs/gan")
parser.add_argument("--steps", type=int, default=600)
parser.add_argument("--kind", default="nonsat")
args = parser.parse_args()

BATCH, NOISE = 64, 8
keras.utils.set_random_seed(0)
rng = np.random.default_rng(0)
logistic = keras.losses.BinaryCrossentropy(from_logits=True)
ones, zeros = tf.ones((BATCH, 1)), tf.zeros((BATCH, 1))

generator = keras.Sequential(
    [
        keras.Input((NOISE,)),
        layers.Dense(64, "relu", name="hidden_1"),
        layers.Dense(64, "relu", name="hidden_2"),
        layers.Dense(2, name="points"),
    ]
)
discriminator = keras.Sequential(
    [
        keras.Input((2,)),
        layers.Dense(64, "leaky_relu", name="hidden_1"),
        layers.Dense(64, "leaky_relu", name="hidden_2"),
        layers.Dense(1, name="logit"),
    ]
)
g_optimizer = keras.optimizers.Adam(1e-3, beta_1=0.5)
d_optimizer = keras.optimizers.Adam(1e-3, beta_1=0.5)
g_optimizer.build(generator.trainable_variables)
d_optimizer.build(discriminator.trainable_variables)

def real_points() -> np.ndarray:
    angle = 2 * np.pi * rng.integers(0, 8, BATCH) / 8
    points = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return (points + rng.normal(0, 0.05, points.shape)).astype("float32")


@tf.function
def differentiate(real, noise):
    with tf.GradientTape() as g_tape, tf.GradientTape() as d_tape:
        fake = generator(noise, training=True)
        on_fake, on_real = discriminator(fake, training=True), discriminator(real, training=True)
        d_loss = logistic(ones, on_real) + logistic(zeros, on_fake)
        g_loss = logistic(ones, on_fake) if args.kind == "nonsat" else -logistic(zeros, on_fake)
    return (
        (g_loss, g_tape.gradient(g_loss, generator.trainable_variables)),
        (d_loss, d_tape.gradient(d_loss, discriminator.trainable_variables)),
        fake,
    )


@tf.function
def apply(g_gradients, d_gradients):
    g_optimizer.apply(g_gradients, generator.trainable_variables)
    d_optimizer.apply(d_gradients, discriminator.trainable_variables)


with (
    GradientRecorder(args.logdir, generator, name="generator", optimizer=g_optimizer) as g_recorder,
    GradientRecorder(args.logdir, discriminator, name="discriminator", optimizer=d_optimizer) as d_recorder,
):
    for step in range(1, args.steps + 1):
        noise = rng.normal(size=(BATCH, NOISE)).astype("float32")
        (g_loss, g_gradients), (d_loss, d_gradients), fake = differentiate(real_points(), noise)
        g_recorder.record(g_gradients, generator.trainable_variables, step=step, loss=g_loss)
        d_recorder.record(d_gradients, discriminator.trainable_variables, step=step, loss=d_loss)
        apply(g_gradients, d_gradients)
        if step%100==0: print(step, float(g_loss), float(d_loss), np.linalg.norm(fake,axis=1).mean(), np.linalg.norm(fake,axis=1).std())

for recorder in (g_recorder, d_recorder):
    report = recorder.report()
    print(report.runs.keys(), f"{report.verdict} {report.kinds}")
