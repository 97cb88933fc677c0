"""No progress although gradients are healthy: look at loss, labels, output and learning rate.

Formula, defaults and known false alarms: ``docs/rules/stalled.md``.
"""

from __future__ import annotations

import math

import numpy as np

from tb_gradplugin.health import facts
from tb_gradplugin.health.rule import Detection, Explanation, Rule, number
from tb_gradplugin.health.thresholds import Thresholds
from tb_gradplugin.health.window import Window

RULE = Rule(
    "stalled",
    "No progress",
    "Late in training the loss is compared with that of the best constant prediction and with "
    "itself at half the time, where no other rule finds anything.",
)

REGULARISED = 0.5
"""Share of the total loss that regularisation makes up, from which it is why nothing else falls."""
OVERSHOOT = 0.3
"""Share of its size by which a variable is thrown to and fro, long after the start."""
TINY_BATCH = 2
"""Samples from which batch normalisation has no statistics to speak of."""


def detect(window: Window, t: Thresholds) -> Detection | None:
    """After ``stall_step``: the loss is not below ``stall_level`` of the constant prediction's (or
    of its start) and has not fallen by ``stall_fall`` since half the time.

    Where the last activation cannot give what the loss asks for, no progress after ``slow_step``
    is enough.
    """
    loss = window.loss
    if window.step < t.slow_step or not loss.is_supervised or loss.progress:
        return None
    if not facts.output_mismatch(window):
        stuck = loss.smoothed >= t.stall_level * loss.reference
        fell = loss.at_half - loss.smoothed > t.stall_fall * abs(loss.at_half)
        if window.step < t.stall_step or not stuck or fell:
            return None
    return Detection(window.everything, "warning")


def explain(window: Window, t: Thresholds, found: Detection, shown: np.ndarray) -> Explanation:
    """Cause and numbers for the layers ``shown``."""
    structure, loss, probe = window.structure, window.loss, window.probe
    ratio = float(np.fmax.reduce(window.update_ratio[shown], initial=-np.inf))
    saturated = facts.saturated_share(window)
    evidence = {
        "loss": loss.smoothed,
        "loss_at_half_time": loss.at_half,
        "first_loss": loss.first,
        "baseline_loss": loss.baseline,
        "regularisation_share": window.regularisation,
        "update_ratio": ratio,
        "largest_update_ratio": window.overshoot,
        "learning_rate": window.learning_rate,
    }
    times = loss.smoothed / loss.baseline
    level = f"{number(loss.smoothed)}"
    if math.isfinite(times):
        level += f", {number(times)} times that of the best constant prediction"
    what = f"The loss stays at {level}, though gradients arrive in every layer"
    normalised = any(layer.type == "BatchNormalization" for layer in structure.layers)
    wrong = facts.output_mismatch(window)
    if wrong:
        id_, why = "output", wrong[0].lower() + wrong[1:]
    elif window.regularisation > REGULARISED:
        share = number(100 * window.regularisation)
        id_, why = "regularised", f"weight decay makes up {share} % of what is minimised"
    elif facts.dropout_rate(window) > facts.DROPPED:
        evidence["dropout_rate"] = facts.dropout_rate(window)
        id_ = "regularised"
        why = f"dropout switches off {number(100 * evidence['dropout_rate'])} % of a layer"
    elif window.overshoot > OVERSHOOT:
        id_ = "overshoot"
        by = f" by {structure.optimizer}" if structure.optimizer else ""
        why = (
            f"updates{by} throw a variable to and fro by {number(100 * window.overshoot)} % of "
            "its size"
        )
    elif normalised and probe is not None and probe.samples <= TINY_BATCH:
        evidence["batch_size"] = probe.samples
        id_, why = "normalisation", f"batch normalisation works on {probe.samples} samples"
    elif saturated > facts.SATURATED:
        evidence["saturated_share"] = saturated
        id_ = "saturated"
        why = f"{number(100 * saturated)} % of a layer's outputs lie where its activation is flat"
    elif ratio < t.slow_update_ratio:
        id_, why = "rate", "updates are very small: the learning rate may be too low"
    elif math.isfinite(times) and times < 1.0 / t.stall_level:
        id_ = "labels"
        why = "it predicts the same for every input, so labels may not belong to their inputs"
    else:
        id_, why = "plateau", "updates lead nowhere: the learning rate or the loss may not fit"
    return Explanation(f"stalled.{id_}", f"{what}: {why}.", evidence)
