"""No progress although gradients are healthy: look at loss, labels, output and learning rate.

Formula, defaults and known false alarms: ``docs/rules/stalled.md``.
"""

from __future__ import annotations

import math

import numpy as np

from tb_gradplugin.health import facts
from tb_gradplugin.health.rule import Detection, Explanation, Rule, number, plural
from tb_gradplugin.health.thresholds import Thresholds
from tb_gradplugin.health.window import Window

RULE = Rule(
    "stalled",
    "No progress",
    "Late in training the loss is compared with that of the best constant prediction and with "
    "itself at half the time, where no other rule finds anything.",
)

ENOUGH = 0.4
"""Share of ``stall_step`` (100 of 250 steps) that a fit must have run to be judged at its end."""
SURE = 0.6
"""Share up to which the loss must both stand still and be out of reach of progress, of which one is
enough later, as is held-back data without progress: healthy networks that need some time to take
off are told from others by that."""
PLATEAU = 4
"""Times ``stall_step`` after which no progress alone is a finding: healthy networks may stay on a
plateau for 500 steps before they take off (measured)."""
OVERSHOOT = 0.3
"""Share of its size by which a variable is thrown to and fro, long after the start."""


OUTRIGHT = ("output", "regularised")
"""Reasons that leave no hope, for which no plateau is waited for."""


def detect(window: Window, t: Thresholds) -> Detection | None:
    """After ``stall_step``: the loss is not below ``stall_level`` of the constant prediction's (or
    of its start) and has not fallen by ``stall_fall`` since half the time, and something is known
    that explains it; after four times ``stall_step`` nothing needs to be.

    When training ended, nothing needs to be either, means over the latter half of the steps and
    the quarter before that decide, and a loss that still falls is no excuse if half as many steps
    again would not do, or if that of held-back data does not fall with it.

    Where the last activation cannot give what the loss asks for, a penalty outweighs the data, or
    dropout leaves next to nothing of it, no progress after ``slow_step`` is enough.
    """
    loss = window.loss
    if not loss.is_supervised or loss.progress:
        return None
    if window.step < min(t.slow_step, t.stall_step) and not window.ended:
        return None
    known = reason(window)
    late = window.ended or window.step >= t.slow_step
    if late and known is not None and known[0] in OUTRIGHT:
        shown = window.head if known[0] == "output" else None
        return Detection(window.everything, "warning", shown)
    if window.ended:
        stalls = loss.ends_still or loss.ends_creeping or loss.ends_unheld
    else:
        waits = t.stall_step if known is not None else PLATEAU * t.stall_step
        stalls = window.step >= waits and loss.stands_still
    return Detection(window.everything, "warning") if stalls else None


def reason(window: Window) -> tuple[str, str, dict[str, float]] | None:
    """Id, words and evidence of what holds the loss up, or None if it is not known."""
    structure = window.structure
    wrong = facts.output_mismatch(window)
    if wrong:
        return "output", wrong[0].lower() + wrong[1:], {}
    if held := facts.same_inputs(window):
        return "inputs", *held
    if held := facts.penalty(window, window.regularisation):
        return "regularised", *held
    if held := facts.dropped(window) or facts.drowned(window):
        return "regularised", *held
    if window.overshoot > OVERSHOOT:
        by = facts.by_optimizer(structure)
        size = number(100 * window.overshoot)
        return "overshoot", f"updates{by} throw a variable to and fro by {size} % of its size", {}
    samples = facts.tiny_batch(window)
    if samples is not None:
        why = f"batch normalisation works on {plural(samples, 'sample')}"
        return "normalisation", why, {"batch_size": samples}
    if held := facts.no_gamma(window):
        return "normalisation", *held
    share = facts.saturated_share(window)
    if share > facts.SATURATED:
        why = f"{number(100 * share)} % of a layer's outputs lie where its activation is flat"
        return "saturated", why, {"saturated_share": share}
    return None


def unexplained(window: Window, t: Thresholds) -> bool:
    """Whether nothing but the size of some updates is known that would hold the loss up."""
    known = reason(window)
    small = np.fmax.reduce(window.update_ratio, initial=-np.inf) < t.slow_update_ratio
    return not small and (known is None or known[0] == "overshoot")


def explain(window: Window, t: Thresholds, found: Detection, shown: np.ndarray) -> Explanation:
    """Cause and numbers for the layers ``shown``."""
    loss = window.loss
    ratio = float(np.fmax.reduce(window.update_ratio[shown], initial=-np.inf))
    evidence = {
        "loss": loss.smoothed,
        "loss_at_half_time": loss.at_half,
        "first_loss": loss.first,
        "baseline_loss": loss.baseline,
        "validation_loss": loss.validated,
        "regularisation_share": window.regularisation,
        "update_ratio": ratio,
        "largest_update_ratio": window.overshoot,
        "learning_rate": window.learning_rate,
    }
    times = loss.smoothed / loss.baseline
    level = f"{number(loss.smoothed)}"
    if math.isfinite(times):
        level += f", {number(times)} times that of the best constant prediction"
    known = reason(window)
    if known is not None:
        id_, why, more = known
        evidence |= more
    elif ratio < t.slow_update_ratio:
        id_, why = "rate", "updates are very small: the learning rate may be too low"
    elif window.ended and not (loss.ends_still or loss.ends_creeping):
        id_ = "validation"
        why = (
            f"on validation data it is {number(loss.validated)}, so what is learned does not hold "
            "for them; labels may not belong to their inputs"
        )
    elif window.ended and not loss.ends_still:
        id_ = "creeping"
        mark = "that" if math.isfinite(times) else "where it began"
        why = f"it falls, but half as many steps again would not bring it below {mark}"
    elif math.isfinite(times) and times < 1.0 / t.stall_level:
        id_ = "labels"
        why = "it predicts the same for every input, so labels may not belong to their inputs"
    else:
        id_, why = "plateau", "updates lead nowhere: the learning rate or the loss may not fit"
        if window.ended:
            why += ", or it takes more steps until the loss falls"
    stays = "Training ended with the loss still" if window.ended else "The loss stays"
    what = f"{stays} at {level}, though gradients arrive in every layer"
    return Explanation(f"stalled.{id_}", f"{what}: {why}.", evidence)
