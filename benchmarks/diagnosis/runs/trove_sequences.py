"""Runs of the ``T-`` part on sequences: gradients lost through time, and healthy ones."""

from __future__ import annotations

from typing import Any

from benchmarks.diagnosis.runs import trove_data as data
from benchmarks.diagnosis.runs.base import FIRST, VANISHING, Family, Setup
from benchmarks.diagnosis.runs.models import adam, dense, k, sgd, stack, warm_up
from benchmarks.diagnosis.runs.trove_models import (
    encoder,
    hook,
    lay,
    own,
)


def runs() -> list[Any]:
    family = Family("T-")
    _time(family)
    _sequences(family)
    return family.runs


def _time(family: Family) -> None:
    sick = family.sick
    sick(
        "rnn-first-symbol-60",
        VANISHING,
        "A SimpleRNN of Glorot recurrent weights is to recall the first of 60 symbols",
        lambda: _recall(
            lambda: lay().SimpleRNN(24, recurrent_initializer="glorot_uniform"), 60, sgd(0.05)
        ),
        FIRST,
    )
    sick(
        "gru-first-symbol-90",
        VANISHING,
        "A GRU of default gates forgets half a step: nothing of step one is left after 90",
        lambda: _recall(lambda: lay().GRU(16), 90, adam(1e-3), steps=120),
        FIRST,
    )
    sick(
        "lstm-no-forget-bias",
        VANISHING,
        "unit_forget_bias=False as in ported weights, and the label at the start of 70 steps",
        lambda: _recall(lambda: lay().LSTM(16, unit_forget_bias=False), 70, adam(1e-3), steps=120),
        FIRST,
    )
    sick(
        "bidirectional-middle",
        VANISHING,
        "What matters is in the middle of 80 steps, far from both ends of a bidirectional net",
        lambda: _recall(
            lambda: lay().Bidirectional(
                lay().SimpleRNN(16, recurrent_initializer=k().initializers.Orthogonal(0.7))
            ),
            80,
            sgd(0.05),
            at=40,
        ),
    )
    sick(
        "padded-behind",
        VANISHING,
        "pad_sequences(padding='post') without a mask: 60 zeros between words and last state",
        _padded,
    )
    sick(
        "sigmoid-recurrence",
        VANISHING,
        "SimpleRNN with sigmoid on an adding problem of 30 steps",
        lambda: _adding(lay().SimpleRNN(24, "sigmoid"), 30, sgd(0.05)),
        FIRST,
    )
    sick(
        "rnn-recurrent-l2",
        VANISHING,
        "A recurrent regulariser of 0.5 pulls the kernel to zero, and the memory with it",
        lambda: _recall(
            lambda: lay().SimpleRNN(24, recurrent_regularizer=k().regularizers.L2(0.5)),
            40,
            sgd(0.1),
        ),
        FIRST,
    )


def _recall(layer: Any, length: int, opt: Any, at: int = 0, steps: int = 200) -> Setup:
    x, y = data.recall(length, at=at)
    model = stack((length, 3), [layer(), dense(1, "sigmoid")])
    return Setup(model, x, y, "bce", opt, 32, steps)


def _adding(layer: Any, length: int, opt: Any, steps: int = 200) -> Setup:
    x, y = data.adding(length)
    return Setup(stack((length, 2), [layer, dense(1)]), x, y, "mse", opt, 32, steps)


def _padded() -> Setup:
    x, y = data.reviews(length=12, pad=60)
    layers = [lay().Embedding(500, 16), lay().LSTM(16, unit_forget_bias=False)]
    return Setup(stack((72,), [*layers, dense(1, "sigmoid")]), x, y, "bce", adam(1e-3), 32, 120)


def _sequences(family: Family) -> None:
    fine = family.fine
    fine(
        "lstm-forecast",
        "An LSTM on scaled sales: early steps hardly matter, and their gradients are small",
        lambda: _sales(lay().LSTM(16), adam(0.01)),
    )
    fine(
        "gru-last-symbol-80",
        "Eighty steps, but the label stands at the last ones",
        lambda: _remember(lay().GRU(12), 80, 76, adam(3e-3, global_clipnorm=1.0), 160),
    )
    fine(
        "rnn-recall-12",
        "A SimpleRNN recalls over twelve steps after a plateau",
        lambda: _remember(lay().SimpleRNN(24), 12, 0, adam(3e-3), 250),
    )
    fine(
        "irnn-recall-40",
        "ReLU recurrence started at the identity (IRNN), 40 steps",
        lambda: _remember(
            lay().SimpleRNN(16, "relu", recurrent_initializer="identity"), 40, 0, adam(2e-3), 200
        ),
    )
    fine(
        "masked-reviews",
        "mask_zero and padding behind, rare words that are seen once or never",
        _masked,
    )
    fine(
        "causal-convolutions",
        "Dilated causal convolutions, of which only the last step is used",
        _causal,
    )
    fine(
        "transformer-warm-up",
        "A pre-norm transformer of two blocks with warm-up",
        lambda: _transformer(2, warm_up(3e-3, 40), pre=True),
    )
    fine(
        "transformer-post-norm",
        "A post-norm transformer of one block",
        lambda: _transformer(1, adam(2e-3), pre=False),
    )
    fine("language-model", "Next token of a Markov chain, integer targets", _language)
    fine(
        "attention-pooling-lookup",
        "A key is to be looked up by attention: a plateau, then a drop",
        _attend,
    )


def _sales(layer: Any, opt: Any) -> Setup:
    x, y = data.sales(window=18)
    return Setup(stack((18, 1), [layer, dense(1)]), x, y, "mse", opt, 32, 200)


def _remember(layer: Any, length: int, at: int, opt: Any, steps: int) -> Setup:
    x, y = data.recall(length, at=at)
    return Setup(stack((length, 3), [layer, dense(1, "sigmoid")]), x, y, "bce", opt, 32, steps)


def _masked() -> Setup:
    x, y = data.reviews(length=10, pad=8)
    layers = [lay().Embedding(500, 12, mask_zero=True), lay().Bidirectional(lay().GRU(8))]
    return Setup(stack((18,), [*layers, dense(1, "sigmoid")]), x, y, "bce", adam(0.01), 32, 120)


def _causal() -> Setup:
    x, y = data.sales(window=16)
    layers = [
        lay().Conv1D(12, 2, padding="causal", dilation_rate=d, activation="relu")
        for d in (1, 2, 4, 8)
    ]
    model = stack((16, 1), [*layers, hook(lambda z: z[:, -1]), dense(1)])
    return Setup(model, x, y, "mse", adam(3e-3), 32, 250)


def _transformer(blocks: int, opt: Any, *, pre: bool) -> Setup:
    x, y = data.reviews(length=12)
    entry = k().Input((12,), dtype="int32")
    h = lay().Embedding(500, 16)(entry)
    model = encoder(16, blocks, entry, h, dense(1, "sigmoid"), pre=pre)
    return Setup(model, x, y, "bce", opt, 32, 200)


def _language() -> Setup:
    x, y = data.phrases()
    model = stack((16,), [lay().Embedding(12, 8), lay().GRU(16, return_sequences=True), dense(12)])
    return Setup(model, x, y, own().next_token, adam(0.02), 32, 150, baseline=2.4)


def _attend() -> Setup:
    x, y = data.lookup(1600, 3, 4)
    entry = k().Input(x.shape[1:])
    asked = dense(16)(entry[:, -1])
    scores = k().ops.sum(dense(16)(entry) * asked[:, None], -1)
    read = k().ops.sum(entry * k().ops.softmax(scores)[..., None], 1)
    return Setup(k().Model(entry, dense(4, "softmax")(read)), x, y, "cce", adam(0.02), 32, 400)
