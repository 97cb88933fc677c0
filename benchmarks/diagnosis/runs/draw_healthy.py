"""The ``D-`` runs that look suspicious, and learn."""

from __future__ import annotations

from collections.abc import Callable

from benchmarks.diagnosis.runs.draw_data import (
    basket,
    beacon,
    bees,
    ferns,
    fungi,
    gusts,
    knots,
    melt,
    meter,
    mills,
    rewards,
    ropes,
    snow,
    tags,
    tally,
    tea,
)
from benchmarks.diagnosis.runs.draw_models import (
    against,
    always,
    chain,
    decays,
    gated,
    joined,
    lay,
    letters,
    normed,
    own_log_loss,
    plain,
    poisson,
    priced,
    roped,
    shaken,
    small,
    steps_of,
    sung,
    yard,
)
from benchmarks.diagnosis.runs.models import adam, dense, k, normal, opts, sgd, warm_up

Fine = Callable[..., None]


def healthy(fine: Fine) -> None:
    """Nothing may be found in these."""
    tables(fine)
    pictures(fine)
    series(fine)


def tables(fine: Fine) -> None:
    """Rows of numbers, some beside names."""
    fine(
        "bees-skips14",
        "14 residual blocks, each normalised first",
        lambda: steps_of(bees(), 14, adam(), normed, steps=200),
    )
    fine(
        "tea-skips-small",
        "twelve residual blocks that add next to nothing at first",
        lambda: steps_of(tea(), 12, adam(2e-3), small),
    )
    fine(
        "bees-sparse",
        "ReLUs with a bias of -0.7: most values are 0",
        lambda: plain(
            bees(), (128,), "relu", adam(5e-3), each=lambda: {"bias_initializer": always(-0.7)}
        ),
    )
    fine(
        "tea-low-rate",
        "Adam at a rate of 3e-4, low and enough",
        lambda: plain(tea(), (64, 64), "relu", adam(3e-4), steps=400),
    )
    fine(
        "fungi-normalised",
        "grams as they are, below a normalisation",
        lambda: plain(
            fungi(raw=True), (32,), "relu", adam(3e-3), first=[lay().BatchNormalization()]
        ),
    )
    fine(
        "rewards-noise",
        "returns of which most is noise, Huber's loss",
        lambda: plain(rewards(), (32,), "relu", adam(1e-3), loss="huber"),
    )
    fine(
        "bees-converged",
        "trained to the end before: small gradients",
        lambda: plain(bees(), (48, 48), "relu", adam(2e-3), silent_steps=900, steps=150),
    )
    fine(
        "tea-clipped",
        "gradients clipped to a norm of 0.05",
        lambda: plain(tea(), (32, 32), "relu", sgd(0.3, 0.9, global_clipnorm=0.05)),
    )
    fine(
        "tea-l2",
        "L2 of 3e-3 on all kernels: the penalty is a large part of the loss",
        lambda: plain(
            tea(),
            (48, 48),
            "relu",
            adam(3e-3),
            each=lambda: {"kernel_regularizer": k().regularizers.L2(3e-3)},
        ),
    )
    fine(
        "gusts-mae",
        "some targets far off, absolute error",
        lambda: plain(gusts(), (32, 32), "relu", adam(2e-3), loss="mae"),
    )
    fine(
        "ropes-narrow",
        "autoencoder through three units",
        lambda: plain(ropes(), (24, 3, 24), "tanh", adam(3e-3)),
    )
    fine(
        "ropes-noisy",
        "autoencoder that drops a third of its input",
        lambda: plain(ropes(), (32, 8, 32), "relu", adam(3e-3), first=[lay().Dropout(0.33)]),
    )
    fine(
        "mills-against",
        "features trained against a second head",
        lambda: against(mills(), adam(3e-3)),
    )
    fine(
        "tea-two-heads",
        "number and sign, losses weighted 1 to 20",
        lambda: joined(tea(), adam(2e-3), (1.0, 20.0)),
    )
    fine(
        "bees-tuned",
        "first layer frozen, rate of 1e-4 after a first training",
        lambda: chain(
            bees(),
            [dense(64, "relu", trainable=False), dense(32, "relu")],
            adam(5e-4),
            silent_steps=400,
            steps=150,
        ),
    )
    fine(
        "tags-rare",
        "five tags of which most hold for one row in six",
        lambda: plain(tags(1.2), (48,), "relu", adam(3e-3)),
    )
    fine(
        "bees-selu",
        "ten layers of SELU, LeCun's start",
        lambda: plain(bees(), (32,) * 10, "selu", adam(1e-3), init=lambda: "lecun_normal"),
    )
    fine(
        "bees-sigmoids",
        "two layers of sigmoids under SGD at a rate of 0.5",
        lambda: plain(bees(), (32, 32), "sigmoid", sgd(0.5, 0.9), steps=400),
    )
    fine(
        "tea-batch4",
        "four rows a step",
        lambda: plain(tea(), (32, 32), "tanh", sgd(0.03), batch=4, steps=500),
    )
    fine(
        "fungi-zero-head",
        "head that starts at 0: no gradient below it in the first step",
        lambda: plain(fungi(), (32, 32), "relu", adam(2e-3), head=dense(1, "sigmoid", "zeros")),
    )
    fine(
        "ferns-counts",
        "counts, mean by an exponential",
        lambda: plain(
            ferns(),
            (24,),
            "tanh",
            adam(5e-3),
            head=dense(1, "exponential"),
            loss=poisson,
            baseline=0.6,
        ),
    )
    fine(
        "basket-sparse",
        "six of 300 columns are not 0",
        lambda: plain(basket(), (24,), "relu", adam(3e-3)),
    )
    fine(
        "bees-gated",
        "gated linear units behind a normalisation",
        lambda: chain(bees(), [*gated(32), lay().LayerNormalization(), *gated(32)], adam(3e-3)),
    )
    fine(
        "stalls-names",
        "goods and stalls embedded, a few rows of each table a step",
        lambda: priced(adam(5e-3), (48, 24)),
    )
    fine(
        "hives-graph",
        "two graph convolutions",
        lambda: yard(adam(5e-3), 2),
    )
    fine(
        "tea-plateau",
        "stddev of 0.03 in three layers: nothing at first",
        lambda: plain(tea(), (32,) * 3, "relu", adam(3e-3), init=lambda: normal(0.03), steps=400),
    )
    fine(
        "fungi-finite-loss",
        "own cross-entropy of values of order 1, finite",
        lambda: plain(fungi(), (24,), "tanh", adam(3e-3), loss=own_log_loss, baseline=0.69),
    )
    fine(
        "tea-short",
        "100 train steps of a wide layer",
        lambda: plain(tea(), (128,), "relu", adam(2e-3), steps=100),
    )


def pictures(fine: Fine) -> None:
    """Pixels and signals."""
    fine(
        "knots-frozen",
        "two random convolutions that are never trained",
        lambda: roped(
            (16, 16),
            "relu",
            adam(2e-3),
            each=lambda: {"trainable": False},
            last=[lay().Flatten(), dense(24, "relu")],
        ),
    )
    fine(
        "knots-dropout",
        "drops 60 % of a wide layer",
        lambda: roped(
            (12,),
            "relu",
            adam(2e-3),
            last=[lay().Flatten(), dense(96, "relu"), lay().Dropout(0.6)],
        ),
    )
    fine(
        "knots-batch-norm",
        "five convolutions, each normalised over the batch, 0 to 255",
        lambda: roped(
            (12,) * 5,
            None,
            adam(3e-3),
            data=knots(255.0),
            after=lambda: [lay().BatchNormalization(), lay().ReLU()],
            steps=200,
        ),
    )
    fine(
        "snow-amount",
        "amount in a picture, cosine from a high rate to 0",
        lambda: roped((8,), "relu", sgd(decays().CosineDecay(0.02, 250), 0.9), data=snow()),
    )
    fine(
        "melt-pixels",
        "one pixel in seven is snow",
        lambda: chain(
            melt(),
            [
                lay().Conv2D(12, 3, padding="same", activation="relu"),
                lay().Conv2D(1, 3, padding="same"),
                lay().Flatten(),
            ],
            adam(5e-3),
            lay().Activation("sigmoid"),
            steps=200,
        ),
    )
    fine(
        "shake-depthwise",
        "depthwise convolutions, largest answers",
        lambda: chain(
            beacon(40, "middle"),
            [
                lay().SeparableConv1D(24, 5, padding="same", activation="relu"),
                lay().SeparableConv1D(24, 5, padding="same", activation="relu"),
                lay().GlobalMaxPooling1D(),
            ],
            adam(5e-3),
        ),
    )
    fine(
        "shake-swish",
        "six convolutions with swish under AdamW",
        lambda: shaken((12,) * 6, "swish", opts().AdamW(2e-3, 0.01)),
    )


def series(fine: Fine) -> None:
    """Sequences and words; most trainings are short."""
    fine(
        "tally-lstm80",
        "80 steps that all tell a little, LSTM, trained for 100 steps",
        lambda: chain(tally(80), [lay().LSTM(16)], adam(5e-3), steps=100),
    )
    fine(
        "tally-gru100",
        "100 steps, GRU, trained for 120 steps, clipped",
        lambda: chain(tally(100), [lay().GRU(16)], adam(5e-3, global_clipnorm=1.0), steps=120),
    )
    fine(
        "tally-slow",
        "SGD at a low rate: learns slowly all along",
        lambda: chain(tally(30), [lay().GRU(16)], sgd(0.004, 0.9), steps=130),
    )
    fine(
        "beacon-late",
        "100 steps of which the last two count, recurrence with Glorot",
        lambda: chain(
            beacon(100, "last"),
            [lay().SimpleRNN(16, recurrent_initializer="glorot_uniform")],
            adam(3e-3),
            steps=110,
        ),
    )
    fine(
        "beacon-identity",
        "ReLU recurrence that starts as the identity, 70 steps: learns late",
        lambda: chain(
            beacon(70),
            [lay().SimpleRNN(24, "relu", recurrent_initializer="identity")],
            adam(2e-4, global_clipnorm=1.0),
            steps=150,
        ),
    )
    fine(
        "rhymes-masked",
        "60 masked zeros behind the syllables, LSTM",
        lambda: sung([lay().LSTM(24)], adam(1e-2), pad=60, mask=True, steps=150),
    )
    fine(
        "meter-next",
        "next hour, two GRUs, trained for 120 steps",
        lambda: chain(
            meter(), [lay().GRU(16, return_sequences=True), lay().GRU(16)], adam(3e-3), steps=120
        ),
    )
    fine(
        "tally-both-ways",
        "LSTM both ways with recurrent dropout",
        lambda: chain(
            tally(30),
            [lay().Bidirectional(lay().LSTM(12, recurrent_dropout=0.2))],
            adam(3e-3),
            steps=130,
        ),
    )
    fine(
        "rhymes-large-table",
        "table of 20000 of which 59 rows are met",
        lambda: sung([lay().GlobalAveragePooling1D(), dense(24, "relu")], adam(1e-2), rows=20000),
    )
    fine(
        "order-warm-up",
        "transformer of two blocks, rate that rises for 100 steps",
        lambda: letters(warm_up(5e-3, 100), 2),
    )
