"""Learning too slowly: the gradients are fine, but every update is too small for the weights.

Formula, defaults and known false alarms: ``docs/rules/slow.md``.
"""

from __future__ import annotations

import math

import numpy as np

from tb_gradplugin.health import facts
from tb_gradplugin.health.remedies import USUAL_RATIO, Pace, new_rate, times_usual
from tb_gradplugin.health.rule import Detection, Explanation, Rule, number
from tb_gradplugin.health.thresholds import Thresholds
from tb_gradplugin.health.window import Window

RULE = Rule(
    "slow",
    "Learning too slowly",
    "Without progress each update is compared with the size of its weights, and all of them "
    "together with the way down to the best constant prediction.",
)

FAR = 100.0
"""Targets' deviation over the largest output before training from which scale is the problem."""
ABOVE = 1.1
"""Factor over the best constant prediction's loss from which the way down to it counts."""
ENOUGH = 0.5
"""Share of a usual update that a raised rate must give, or another rate is no remedy."""
RISING = 1.2
"""Factor by which the learning rate grew within the window: a warm-up is still under way."""


def detect(window: Window, t: Thresholds) -> Detection | None:
    """Without progress after ``slow_step``, while the learning rate does not rise, one of

    - update: |update| / |W| of every layer is below ``slow_update_ratio``, as the median of the
      window and as the mean of all steps;
    - reach: the loss lies above the constant prediction's, and would do so even if every update so
      far had gone straight downhill, which lowers the loss by at most |g| |update|;
    - scale: the targets' deviation is 100 times the largest output, at the latest probe.
    """
    loss = window.loss
    if window.step < t.slow_step or not loss.is_supervised or loss.progress:
        return None
    sign = sign_of(window, t)
    if sign is None or window.rate_growth > RISING or facts.output_mismatch(window):
        return None
    if facts.penalty(window, window.regularisation):
        return None  # no rate makes up for it
    return Detection(window.everything, "warning", details={"sign": sign})


def sign_of(window: Window, t: Thresholds) -> str | None:
    """By which of the three signs learning is slow, if by any."""
    loss = window.loss
    if window.pace < t.slow_update_ratio:
        largest = np.fmax.reduce(window.update_ratio[window.judged], initial=-np.inf)
        # Updates that rounding swallows are zero; where they are not recorded it is -inf.
        if 0.0 <= largest < t.slow_update_ratio:
            return "update"
    above = loss.smoothed > ABOVE * loss.baseline > 0.0 and loss.initial > loss.baseline
    if above and 0.0 < window.reach < 1.0 - loss.baseline / loss.initial:
        return "reach"
    return "scale" if target_scale(window) > FAR else None


def target_scale(window: Window) -> float:
    """Deviation of a regression's targets over the largest output; NaN if unknown."""
    probe = window.probe
    if probe is None or not facts.is_regression(window.structure):
        return math.nan
    return float(probe.targets[1] / probe.column("output_max")[-1])


def explain(window: Window, t: Thresholds, found: Detection, shown: np.ndarray) -> Explanation:
    """Cause and numbers for the layers ``shown``."""
    structure, loss = window.structure, window.loss
    rate = window.learning_rate
    ratio = float(np.fmax.reduce(window.update_ratio[shown], initial=-np.inf))
    evidence = {
        "sign": found.details["sign"],
        "update_ratio": ratio,
        "reach": window.reach,
        "loss": loss.smoothed,
        "first_loss": loss.first,
        "baseline_loss": loss.baseline,
        "learning_rate": rate,
    }
    by = facts.by_optimizer(structure)
    at = f" at learning rate {number(rate)}" if math.isfinite(rate) else ""
    if found.details["sign"] == "scale":
        times = target_scale(window)
        id_, evidence["target_scale"] = "data", times
        why = f"targets vary {number(times)} times as much as the output before training"
    elif data := facts.faint_inputs(window):
        id_, why = "data", f"the {data.what} are of size {number(data.size)}"
    elif found.details["sign"] == "update":
        id_ = "rate"
        why = f"no update{by}{at} changes a layer's weights by more than {number(100 * ratio)} %"
        raised = new_rate("raise", structure, Pace(rate, ratio))
        if ratio == 0.0 and times_usual(structure, rate) >= 1.0:
            id_ = "gradient"
            why = f"no update{by} reaches the weights{at}: it may be gathered over many steps"
        elif 0.0 < raised * ratio < ENOUGH * USUAL_RATIO * rate:
            id_ = "gradient"
            why += ", nor would it at any usual rate: the loss may be multiplied by a small number"
    else:
        id_ = "rate"
        why = (
            f"even straight downhill, all updates{by}{at} could have lowered the loss by only "
            f"{number(100 * window.reach)} %, and it is {number(loss.smoothed / loss.baseline)} "
            "times that of the best constant prediction"
        )
    return Explanation(f"slow.{id_}", f"Gradients arrive in every layer, but {why}.", evidence)
