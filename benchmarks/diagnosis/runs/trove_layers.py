"""Layers and losses of the ``T-`` runs.  Imports Keras, so it is imported when one is built."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf


class Hook(keras.layers.Layer):
    """A function without weights as a layer."""

    def __init__(self, function: Any, **more: Any) -> None:
        super().__init__(**more)
        self._function = function

    def call(self, inputs: Any) -> Any:
        return self._function(inputs)


@tf.custom_gradient
def reverse(x: Any) -> Any:
    """Gradient reversal of domain-adversarial training."""
    return tf.identity(x), lambda g: -g


@tf.custom_gradient
def binarise(x: Any) -> Any:
    """Sign forwards, hard tanh backwards: the straight-through estimator."""
    return tf.where(x >= 0, 1.0, -1.0), lambda g: g * tf.cast(tf.abs(x) <= 1, g.dtype)


def shake(x: Any) -> Any:
    """Noise far above the signal."""
    return x + 8.0 * tf.random.normal(tf.shape(x))


class Scale(keras.layers.Layer):
    """Times one trained number, as in ReZero and LayerScale."""

    def __init__(self, start: float, **more: Any) -> None:
        super().__init__(**more)
        self._start = start

    def build(self, input_shape: Any) -> None:
        del input_shape
        self.alpha = self.add_weight(
            shape=(), initializer=keras.initializers.Constant(self._start), name="alpha"
        )

    def call(self, inputs: Any) -> Any:
        return inputs * self.alpha


class Power(keras.layers.Layer):
    """x to a trained power a feature."""

    def build(self, input_shape: Any) -> None:
        start = keras.initializers.RandomUniform(0.8, 1.2)
        self.power = self.add_weight(shape=(input_shape[-1],), initializer=start, name="power")

    def call(self, inputs: Any) -> Any:
        return tf.pow(inputs, self.power)


class Sample(keras.layers.Layer):
    """Draws from a normal of given mean and log-variance, and adds its KL divergence."""

    def __init__(self, beta: float, **more: Any) -> None:
        super().__init__(**more)
        self._beta = beta

    def call(self, inputs: Any) -> Any:
        mean, log = tf.split(inputs, 2, axis=-1)
        kl = 0.5 * tf.reduce_sum(tf.exp(log) + mean**2 - 1 - log, -1)
        self.add_loss(self._beta * tf.reduce_mean(kl))
        return mean + tf.exp(0.5 * log) * tf.random.normal(tf.shape(mean))


class LowRank(keras.layers.Layer):
    """A frozen dense layer and a trained low-rank update, the second factor of zeros."""

    def __init__(self, base: Any, rank: int = 4, **more: Any) -> None:
        super().__init__(**more)
        self.base, self._rank = base, rank
        self.base.trainable = False

    def build(self, input_shape: Any) -> None:
        self.down = self.add_weight(
            shape=(input_shape[-1], self._rank), initializer="he_normal", name="down"
        )
        shape = (self._rank, self.base.units)
        self.up = self.add_weight(shape=shape, initializer="zeros", name="up")

    def call(self, inputs: Any) -> Any:
        raw = self.base(inputs)
        return raw + tf.matmul(tf.matmul(inputs, self.down), self.up)


class Tied(keras.layers.Layer):
    """Decoder with the transposed kernel of a dense layer."""

    def __init__(self, encoder: Any, **more: Any) -> None:
        super().__init__(**more)
        self._encoder = [encoder]  # in a list within a private field: not tracked twice

    def build(self, input_shape: Any) -> None:
        del input_shape
        size = self._encoder[0].kernel.shape[0]
        self.bias = self.add_weight(shape=(size,), initializer="zeros", name="bias")

    def call(self, inputs: Any) -> Any:
        return tf.matmul(inputs, self._encoder[0].kernel, transpose_b=True) + self.bias


def next_token(y: Any, p: Any) -> Any:
    """Cross-entropy of integer targets a step, from logits."""
    each: Any = keras.losses.sparse_categorical_crossentropy(y, p, True)
    return tf.reduce_mean(each, -1)


def focal(y: Any, p: Any) -> Any:
    return keras.losses.binary_focal_crossentropy(y, p, gamma=2.0)


def smooth(y: Any, p: Any) -> Any:
    return keras.losses.categorical_crossentropy(y, p, label_smoothing=0.1)


def poisson(y: Any, p: Any) -> Any:
    """Half the deviance of a log-rate."""
    return tf.reduce_mean(tf.exp(p) - y * p + tf.math.xlogy(y, y) - y, -1)


def pinball(y: Any, p: Any, q: float = 0.8) -> Any:
    return tf.reduce_mean(tf.maximum(q * (y - p), (q - 1) * (y - p)), -1)


def rmsle(y: Any, p: Any) -> Any:
    return tf.reduce_mean((tf.math.log(1 + p) - tf.math.log(1 + y)) ** 2, -1)


def percentage(y: Any, p: Any) -> Any:
    """Mean absolute percentage error without anything against division by zero."""
    return 100 * tf.reduce_mean(tf.abs((y - p) / y), -1)


def gaussian(y: Any, p: Any) -> Any:
    """Negative log-likelihood of a mean and a log-scale."""
    mean, log = p[:, :1], p[:, 1:]
    return tf.reduce_mean(0.5 * ((y - mean) * tf.exp(-log)) ** 2 + log + 0.919, -1)


def gaussian_variance(y: Any, p: Any) -> Any:
    """The same of a mean and a raw variance, which nothing keeps above zero."""
    mean, variance = p[:, :1], p[:, 1:]
    return tf.reduce_mean((y - mean) ** 2 / (2 * variance) + 0.5 * tf.math.log(variance), -1)


def mixture(y: Any, p: Any) -> Any:
    """Negative log-likelihood of three normals."""
    weight, mean, log = tf.split(p, 3, axis=-1)
    each = -0.5 * ((y - mean) * tf.exp(-log)) ** 2 - log - 0.919
    return -tf.reduce_logsumexp(tf.nn.log_softmax(weight) + each, -1)


def triplet(y: Any, p: Any) -> Any:
    """Of embeddings [n, 3, d]: anchor, positive, negative; margin 1."""
    near = tf.reduce_sum((p[:, 0] - p[:, 1]) ** 2, -1)
    far = tf.reduce_sum((p[:, 0] - p[:, 2]) ** 2, -1)
    return tf.maximum(near - far + 1.0, 0.0) + 0.0 * y[:, 0]


def contrastive(y: Any, p: Any) -> Any:
    """Of distances: pairs of the same class together, others one apart."""
    return tf.reduce_mean(y * p**2 + (1 - y) * tf.maximum(1 - p, 0.0) ** 2, -1)


def dice(y: Any, p: Any) -> Any:
    both = tf.reduce_sum(y * p, -1)
    return 1 - (2 * both + 1) / (tf.reduce_sum(y, -1) + tf.reduce_sum(p, -1) + 1)


def error_rate(y: Any, p: Any) -> Any:
    """What should be measured, not trained on: the share of wrong decisions."""
    return tf.reduce_mean(tf.abs(y - tf.round(p)), -1)


def scaled_bce(weights: tuple[float, float]) -> Any:
    """Cross-entropy with a weight for either class."""

    def loss(y: Any, p: Any) -> Any:
        w = tf.where(y > 0.5, weights[1], weights[0])
        p = tf.clip_by_value(p, 1e-7, 1 - 1e-7)
        return -tf.reduce_mean(w * (y * tf.math.log(p) + (1 - y) * tf.math.log(1 - p)), -1)

    return loss


def two_tasks(weight: float) -> Any:
    """Squared error of the first target, and ``weight`` times that of the second."""
    return lambda y, p: (y[:, 0] - p[:, 0]) ** 2 + weight * (y[:, 1] - p[:, 1]) ** 2
