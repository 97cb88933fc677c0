"""The ``E-`` runs that look suspicious, and learn."""

from __future__ import annotations

from collections.abc import Callable

from benchmarks.diagnosis.runs.envoy_data import (
    bids,
    buttons,
    calls,
    cheese,
    claims,
    cracks,
    doorbell,
    drum,
    firms,
    flyers,
    herbs,
    ledger,
    pleats,
    ripples,
    soil,
    tank,
    tram,
)
from benchmarks.diagnosis.runs.envoy_models import (
    both,
    calm,
    counted,
    eaten,
    fixed,
    forged,
    l2,
    lay,
    mlp,
    rates,
    ridden,
    rivals,
    row,
    seen,
    silent,
    skipping,
    spelled,
    wired,
)
from benchmarks.diagnosis.runs.models import adam, dense, normal, opts, sgd, warm_up

Fine = Callable[..., None]


def healthy(fine: Fine) -> None:
    """Nothing may be found in these."""
    tables(fine)
    pictures(fine)
    series(fine)


def tables(fine: Fine) -> None:
    """Rows of numbers, some beside names."""
    fine(
        "cheese-skips16",
        "16 residual blocks, each normalised first",
        lambda: skipping(cheese(), 16, adam(), calm, steps=150),
    )
    fine(
        "soil-skips-zero",
        "ten residual blocks that add nothing at first: no gradient inside in the first step",
        lambda: skipping(soil(), 10, adam(2e-3), silent, steps=200),
    )
    fine(
        "soil-mostly-off",
        "ReLUs with a bias of -1: most values are 0",
        lambda: mlp(
            soil(), (96,), "relu", adam(5e-3), each=lambda: {"bias_initializer": fixed(-1)}
        ),
    )
    fine(
        "cheese-low-rate",
        "Adam at a rate of 2e-4, low and enough",
        lambda: mlp(cheese(), (96, 64), "relu", adam(2e-4)),
    )
    fine(
        "tram-raw-normalised",
        "counts in thousands, below a normalisation",
        lambda: mlp(tram(raw=True), (32,), "relu", adam(5e-3), first=[lay().BatchNormalization()]),
    )
    fine(
        "bids-huber",
        "most of the target is luck, Huber's loss",
        lambda: mlp(bids(), (48,), "relu", adam(3e-3), loss="huber", steps=300),
    )
    fine(
        "soil-converged",
        "trained to the end before",
        lambda: mlp(soil(), (32, 32), "relu", adam(2e-3), silent_steps=600, steps=120),
    )
    fine(
        "cheese-clipped",
        "gradients clipped to a norm of 0.1",
        lambda: mlp(cheese(), (24, 24), "relu", sgd(0.1, 0.9, global_clipnorm=0.1)),
    )
    fine(
        "cheese-l2",
        "L2 of 5e-3 on all kernels",
        lambda: mlp(cheese(), (32, 32), "relu", adam(3e-3), each=lambda: l2(5e-3)),
    )
    fine(
        "claims-mae",
        "heavy tails, absolute error",
        lambda: mlp(claims(), (32, 32), "relu", adam(3e-3), loss="mae"),
    )
    fine(
        "pleats-narrow",
        "autoencoder through four units",
        lambda: mlp(pleats(), (32, 4, 32), "elu", adam(5e-3)),
    )
    fine(
        "pleats-forged",
        "autoencoder against a critic, as in a GAN",
        lambda: forged(adam(3e-3)),
    )
    fine(
        "firms-rivals",
        "features trained against a rival",
        lambda: rivals(firms(), adam(5e-3)),
    )
    fine(
        "riders-names",
        "riders and horses embedded, Adagrad",
        lambda: ridden(opts().Adagrad(0.1), (32,)),
    )
    fine(
        "soil-frozen",
        "random first layer that is never trained",
        lambda: row(
            soil(), [dense(96, "relu", trainable=False), dense(24, "relu")], adam(3e-3), steps=200
        ),
    )
    fine(
        "herbs-rare",
        "six uses, each of one herb in ten",
        lambda: mlp(herbs(2.4), (48,), "relu", adam(5e-3)),
    )
    fine(
        "cheese-far",
        "cents as targets: starts at twenty times the baseline and takes long to come down",
        lambda: mlp(cheese(raw_y=True), (64, 64), "relu", adam(0.02), steps=300),
    )
    fine(
        "calls-counts",
        "counts, mean by an exponential",
        lambda: mlp(
            calls(),
            (24,),
            "tanh",
            adam(5e-3),
            head=dense(1, "exponential"),
            loss=counted,
            baseline=0.52,
        ),
    )
    fine(
        "flyers-sparse",
        "seven of 250 columns are not 0",
        lambda: mlp(flyers(), (16,), "relu", adam(5e-3)),
    )
    fine(
        "soil-selu12",
        "twelve layers of SELU",
        lambda: mlp(soil(), (24,) * 12, "selu", adam(), init=lambda: "lecun_normal", steps=200),
    )
    fine("wires-graph", "three graph convolutions", lambda: wired(adam(5e-3), 3))
    fine(
        "cheese-two-rows",
        "two rows a step",
        lambda: mlp(cheese(), (24, 24), "tanh", sgd(0.02), batch=2, steps=400),
    )
    fine(
        "tram-zero-head",
        "head that starts at 0",
        lambda: mlp(tram(), (24, 24), "relu", adam(5e-3), head=dense(1, "sigmoid", "zeros")),
    )
    fine(
        "cheese-two-heads",
        "two losses, weighted 50 to 1",
        lambda: both(cheese(), adam(3e-3), (50.0, 1.0)),
    )
    fine(
        "soil-plateau",
        "stddev of 0.03 in three layers: nothing at first",
        lambda: mlp(soil(), (32,) * 3, "relu", adam(3e-3), init=lambda: normal(0.03)),
    )
    fine(
        "soil-short",
        "110 train steps of sigmoids under Adam",
        lambda: mlp(soil(), (64,), "sigmoid", adam(0.01), steps=110),
    )


def pictures(fine: Fine) -> None:
    """Pixels."""
    fine(
        "buttons-batch-norm",
        "four convolutions, each normalised over the batch, 0 to 255",
        lambda: seen(
            (8,) * 4,
            None,
            adam(3e-3),
            data=buttons(255.0),
            behind=lambda: [lay().BatchNormalization(), lay().ReLU()],
            steps=150,
        ),
    )
    fine(
        "buttons-frozen",
        "two random convolutions below a trained head",
        lambda: seen((16, 16), "relu", adam(5e-3), each=lambda: {"trainable": False}),
    )
    fine(
        "buttons-dropout",
        "drops 70 % of a wide layer",
        lambda: seen(
            (8,),
            "relu",
            adam(3e-3),
            last=[lay().Flatten(), dense(96, "relu"), lay().Dropout(0.7)],
        ),
    )
    fine(
        "ripples-cosine",
        "strength, cosine from a high rate to 0",
        lambda: seen((8,), "relu", sgd(rates().CosineDecay(0.03, 200), 0.9), data=ripples()),
    )
    fine(
        "cracks-pixels",
        "one pixel in eight is cracked",
        lambda: row(
            cracks(),
            [
                lay().Conv2D(8, 3, padding="same", activation="relu"),
                lay().Conv2D(1, 3, padding="same"),
                lay().Flatten(),
            ],
            adam(0.01),
            lay().Activation("sigmoid"),
            steps=150,
        ),
    )
    fine(
        "buttons-tuned",
        "trained before, then goes on at a rate of 1e-5",
        lambda: seen(
            (12, 12),
            "relu",
            adam(rates().PiecewiseConstantDecay([250], [3e-3, 1e-5])),
            silent_steps=250,
            steps=100,
        ),
    )


def series(fine: Fine) -> None:
    """Sequences and words; most trainings are short."""
    fine(
        "drum-lstm60",
        "60 steps that all tell a little, mean of an LSTM's answers, trained for 120 steps",
        lambda: row(
            drum(60),
            [
                lay().Conv1D(16, 7, padding="causal", activation="relu"),
                lay().LSTM(16, return_sequences=True),
                lay().GlobalAveragePooling1D(),
            ],
            adam(0.01),
            steps=120,
        ),
    )
    fine(
        "ledger-gru",
        "50 bookings, GRU, clipped, trained for 110 steps",
        lambda: row(ledger(50), [lay().GRU(16)], adam(5e-3, global_clipnorm=0.5), steps=110),
    )
    fine(
        "ledger-slow",
        "SGD at a low rate: learns slowly all along",
        lambda: row(ledger(25), [lay().LSTM(16)], sgd(0.01, 0.9), steps=140),
    )
    fine(
        "doorbell-late",
        "80 steps of which the last three count, recurrence with Glorot",
        lambda: row(
            doorbell(80, "last"),
            [lay().SimpleRNN(16, recurrent_initializer="glorot_uniform")],
            adam(3e-3),
            steps=100,
        ),
    )
    fine(
        "doorbell-identity",
        "ReLU recurrence that starts as the identity, 60 steps, a low rate",
        lambda: row(
            doorbell(60),
            [lay().SimpleRNN(20, "relu", recurrent_initializer="identity")],
            adam(1e-4, global_clipnorm=1.0),
            steps=150,
        ),
    )
    fine(
        "menus-masked",
        "50 masked zeros behind the dishes, GRU",
        lambda: eaten([lay().GRU(16)], adam(0.01), pad=50, mask=True, steps=130),
    )
    fine(
        "tank-next",
        "next hour, two LSTMs, trained for 150 steps",
        lambda: row(
            tank(), [lay().LSTM(16, return_sequences=True), lay().LSTM(16)], adam(0.015), steps=150
        ),
    )
    fine(
        "ledger-both-ways",
        "GRU both ways with dropout",
        lambda: row(
            ledger(20), [lay().Bidirectional(lay().GRU(12, dropout=0.2))], adam(5e-3), steps=120
        ),
    )
    fine(
        "vowels-warm-up",
        "transformer of two blocks, rate that rises for 80 steps",
        lambda: spelled(warm_up(0.01, 80), 2, steps=200),
    )
