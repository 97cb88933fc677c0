"""Over- and underfitting, from training and validation loss by epoch: notes, never an alarm.

Formulas, defaults and known limits: ``docs/fitting.md``.
"""

from __future__ import annotations

import math

from tb_gradplugin.health.report import Note, Remedy
from tb_gradplugin.health.rule import number

PATIENCE = 3
"""Latest epochs that all have to show it."""
WORSE = 0.1
"""Share by which the validation loss lies above its best."""
STILL_FALLS = 0.02
"""Share by which the training loss has fallen since then: it is not merely noise in both."""
MIN_EPOCHS = 8
"""Epochs before which a flat loss says nothing."""
FLAT = 0.02
"""Share by which a loss that has come to rest fell over the last third of the epochs."""
HIGH = 0.5
"""Share of the best constant prediction's loss above which a loss at rest is a poor fit."""
ALIKE = 0.1
"""Share by which training and validation loss differ at most where capacity is what is missing."""

OVERFITTING = (
    Remedy(
        "Stop at the best epoch",
        "The weights of the epoch with the lowest validation loss are kept.",
        "import keras\n\nstop = keras.callbacks.EarlyStopping(\n"
        '    "val_loss", patience=5, restore_best_weights=True\n)\n',
        "stop",
    ),
    Remedy(
        "Regularise",
        "Dropout and weight decay keep a network from learning single examples by heart; more "
        "data, also augmented, does so too.",
        "import keras\n\nlayer = keras.layers.Dropout(0.3)  # before the last layers\n"
        "optimizer = keras.optimizers.AdamW(weight_decay=1e-2)\n",
        "regularise",
    ),
)
UNDERFITTING = (
    Remedy(
        "Give the network more capacity",
        "Wider or more layers can follow what these cannot; so can better features.",
        'import keras\n\nlayer = keras.layers.Dense(256, activation="relu")\n',
        "capacity",
    ),
    Remedy(
        "Regularise less",
        "Less dropout and weight decay leave more to learn with.",
        "import keras\n\nlayer = keras.layers.Dropout(0.0)\n",
        "less",
    ),
)


class FitWatch:
    """Training and validation loss at the ends of the epochs of a run."""

    def __init__(self) -> None:
        """Starts without an epoch."""
        self._epochs: list[tuple[int, float, float]] = []  # step, loss, validation loss

    def observe(self, step: int, loss: float, held_loss: float) -> None:
        """Takes in an epoch; an epoch without two finite numbers is passed over."""
        if math.isfinite(loss) and math.isfinite(held_loss):
            self._epochs.append((step, loss, held_loss))

    def notes(self, baseline: float) -> tuple[Note, ...]:
        """What there is to note now.

        Args:
            baseline: loss of the best constant prediction, NaN where unknown: then underfitting
                is not judged.
        """
        found = (self._overfitting(), self._underfitting(baseline))
        return tuple(note for note in found if note is not None)

    def _overfitting(self) -> Note | None:
        """Each of the last 3 validation losses is 10 % above the best, and the training loss has
        fallen by 2 % since then."""
        if len(self._epochs) <= PATIENCE:
            return None
        best = min(range(len(self._epochs)), key=lambda i: self._epochs[i][2])
        step, loss_then, lowest = self._epochs[best]
        recent = self._epochs[-PATIENCE:]
        limit = lowest + WORSE * abs(lowest)
        fell = loss_then - recent[-1][1] > STILL_FALLS * abs(loss_then)
        if best >= len(self._epochs) - PATIENCE or min(r[2] for r in recent) <= limit or not fell:
            return None
        cause = (
            f"The validation loss rose from {number(lowest)} at step {step} to "
            f"{number(recent[-1][2])} while the training loss fell from {number(loss_then)} to "
            f"{number(recent[-1][1])}: the network learns its examples by heart."
        )
        evidence = {
            "best_epoch": best + 1,
            "lowest_validation_loss": lowest,
            "validation_loss": recent[-1][2],
            "loss_at_best": loss_then,
            "loss": recent[-1][1],
        }
        return Note("overfitting", step, evidence, cause, OVERFITTING)

    def _underfitting(self, baseline: float) -> Note | None:
        """Training and validation loss agree within 10 %, lie above half of the best constant
        prediction's loss, and have come to rest: 2 % over the last third of at least 8 epochs."""
        count = len(self._epochs)
        if count < MIN_EPOCHS or not baseline > 0.0:
            return None
        step, then, _ = self._epochs[count - 1 - count // 3]
        _, loss, held = self._epochs[-1]
        flat = then - loss <= FLAT * abs(then)
        if not flat or loss <= HIGH * baseline or abs(held - loss) > ALIKE * abs(loss):
            return None
        cause = (
            f"Training and validation loss rest at {number(loss)} and {number(held)}, "
            f"{number(100 * loss / baseline)} % of what a constant prediction reaches: the network "
            "cannot follow the data, or the data says no more."
        )
        evidence = {"loss": loss, "validation_loss": held, "baseline_loss": baseline}
        return Note("underfitting", step, evidence, cause, UNDERFITTING)
