"""A small transformer with a learning rate that is too high, and with the usual one.

The task: is the largest token at an even place larger than the largest at an odd one? Adam at 0.1
(run `rate_0.1`) throws the weights to several times their size before anything is learned, and the
loss stays where a constant prediction is: an `exploding` finding from step 20 on, although the loss
curve alone looks like that of a network too weak for its task. The first suggestion, 0.001 (run
`rate_0.001`), learns. Query and key kernels get smaller gradients than the rest there, and the bias
of the key none at all: that is how attention is, and no finding.
"""

import argparse

import keras
import numpy as np
from keras import layers

from tb_gradplugin.callbacks import GradientMonitor

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("--logdir", default="logs/transformer")
parser.add_argument("--epochs", type=int, default=10)
parser.add_argument("--blocks", type=int, default=2)
args = parser.parse_args()

LENGTH, VOCABULARY, WIDTH, HEADS = 12, 20, 32, 4
rng = np.random.default_rng(0)
x = rng.integers(0, VOCABULARY, (1024, LENGTH))
y = (x[:, ::2].max(axis=1) > x[:, 1::2].max(axis=1)).astype("int32")


def build(rate: float) -> keras.Model:
    """A pre-norm encoder; each token is given its place as a learned vector."""
    inputs = keras.Input((LENGTH,), dtype="int32")
    places = layers.Embedding(LENGTH, WIDTH, name="places")(keras.ops.arange(LENGTH))
    h = layers.Embedding(VOCABULARY, WIDTH, name="tokens")(inputs) + places
    for i in range(args.blocks):
        z = layers.LayerNormalization(name=f"block_{i}_norm_1")(h)
        h += layers.MultiHeadAttention(HEADS, WIDTH // HEADS, name=f"block_{i}_attention")(z, z)
        z = layers.LayerNormalization(name=f"block_{i}_norm_2")(h)
        z = layers.Dense(2 * WIDTH, "gelu", name=f"block_{i}_up")(z)
        h += layers.Dense(WIDTH, name=f"block_{i}_down")(z)
    h = layers.GlobalAveragePooling1D(name="pool")(layers.LayerNormalization(name="norm")(h))
    model = keras.Model(inputs, layers.Dense(2, "softmax", name="head")(h))
    model.compile(
        keras.optimizers.Adam(rate), loss="sparse_categorical_crossentropy", metrics=["accuracy"]
    )
    return model


for rate in (0.1, 0.001):
    keras.utils.set_random_seed(0)
    monitor = GradientMonitor(f"{args.logdir}/rate_{rate}")
    history = build(rate).fit(
        x, y, batch_size=64, epochs=args.epochs, verbose=0, callbacks=[monitor]
    )
    report = monitor.report()
    accuracy = f"accuracy {history.history['accuracy'][-1]:.2f}"
    print(f"rate {rate}: {report.verdict}", *report.kinds, accuracy, sep=", ")
