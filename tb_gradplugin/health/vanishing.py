"""Vanishing gradients: what reaches the first layers is too small for them to learn.

Formula, defaults and known false alarms: ``docs/rules/vanishing.md``.
"""

from __future__ import annotations

import math

import numpy as np

from tb_gradplugin.health import facts
from tb_gradplugin.health.rule import Detection, Explanation, Rule, number, plural
from tb_gradplugin.health.thresholds import Thresholds
from tb_gradplugin.health.window import PEAK_MARGIN, Window

RULE = Rule(
    "vanishing",
    "Vanishing gradients",
    "The sensitivity |g| |W| of the first layers is compared with that of the strongest layer "
    "and with the loss, over the last 20 logged steps, and with whether the loss falls.",
)

MIN_POINTS = 3
BORDER = 0.5
"""Decades.  Shallow sigmoid networks start near 3 and may still take off: close to the limit..."""
BORDER_TIME = 5
"""...they are watched for this many times ``settle_step`` first."""


def detect(window: Window, t: Thresholds) -> Detection | None:
    """A layer is sick if A = log10 S - max log10 S is low and so it is in all layers before it.

    Without progress A < -3 suffices, or S below 1e-4 of the loss ever since the start (-3.5 and
    10^-4.5 before step 100); with progress A < -4.  A layer behind one that gets its gradient is
    not cut off by depth: it is gated (zero-initialised branches, LayerScale), and a gate opens by
    itself.
    """
    if window.step < t.settle_step or window.points < MIN_POINTS:
        return None
    sick = faded(window, t)
    if not sick.any():
        return through_time(window, t)
    severity = "warning" if window.loss.progress else "critical"
    shown = window.head if facts.constant_output(window) else None
    return Detection(sick, severity, shown, since=window.weak_since)


def through_time(window: Window, t: Thresholds) -> Detection | None:
    """Where the loss stands still after ``slow_step``, or training ended without progress:
    recurrent layers in whose first time step |dL/dh_t| is ``time_attenuation`` decades below its
    largest, at the latest probe.

    Healthy layers forget as much, if what counts is in the last steps: so only without progress.
    """
    loss = window.loss
    late = window.ended or window.step >= t.slow_step
    if not late or not window.knows_time or loss.progress:
        return None
    stalls = loss.ends_still or loss.ends_creeping if window.ended else loss.stands_still
    if not (loss.is_supervised and stalls):
        return None
    decades = window.time_decades()
    sick = decades[:, 0] < -t.time_attenuation
    if not sick.any():
        return None
    return Detection(sick, "critical", details={"through": "time"})


def faded(window: Window, t: Thresholds) -> np.ndarray:
    """bool [L]: layers that the gradient does not reach, silent ones included where it fades out.

    A layer whose gradient is exactly zero belongs here if the next layer with any gradient is
    faded too (underflow), else to the rule ``dead``.
    """
    # Not low once in the window, or not one gradient is left: that is dead, not faded.
    if not window.low or not np.isfinite(window.relative[window.judged]).any():
        return np.zeros(len(window.layers), dtype=bool)
    a = window.attenuation
    progress = window.loss.progress
    limit = t.attenuation_with_progress if progress else t.attenuation
    early = BORDER if window.step < BORDER_TIME * t.settle_step else 0.0
    weak = a < -limit - (0.0 if progress else early)
    if not progress:
        always = window.peak_influence < PEAK_MARGIN - t.influence
        weak |= (window.influence < -t.influence - early) & always
    reached = np.flatnonzero(~weak & ~np.isnan(a))
    first = reached[0] if len(reached) else len(a)
    sick = weak & window.judged & (np.arange(len(a)) < first)
    silent = np.flatnonzero(sick & np.isneginf(a))
    if len(silent):
        audible = np.flatnonzero(np.isfinite(a) & window.judged)
        after = np.searchsorted(audible, silent)
        fades = np.zeros(len(silent), dtype=bool)
        inside = after < len(audible)
        fades[inside] = sick[audible[after[inside]]]
        sick[silent[~fades]] = False
    return sick


def explain(window: Window, t: Thresholds, found: Detection, shown: np.ndarray) -> Explanation:
    """Cause and numbers for the layers ``shown``."""
    if found.details.get("through") == "time":
        return explain_time(window, found.sick)
    a = np.where(shown, window.attenuation, np.nan)
    layers = [int(i) for i in window.layers[shown]]
    structure, loss = window.structure, window.loss
    measured = np.flatnonzero(np.isfinite(a))
    # Where all of it underflowed, float32 itself bounds the attenuation from below.
    worst = int(measured[np.argmin(a[measured])] if len(measured) else np.flatnonzero(shown)[0])
    decades = -float(a[worst])
    influence = -float(window.influence[worst])
    slope = window.depth_slope()
    judged = np.flatnonzero(window.judged & (window.norm > 0.0))
    evidence = {
        "through": "depth",
        "attenuation_decades": decades,
        "worst_layer": window.paths(np.arange(len(a)) == worst)[0],
        "depth_slope_decades": slope,
        "influence_decades": -influence,
        "silent_layers": int(np.isneginf(a).sum()),
        "first_layer_norm": float(window.norm[judged[0]]) if len(judged) else 0.0,
        "last_layer_norm": float(window.norm[judged[-1]]) if len(judged) else 0.0,
        "loss": loss.smoothed,
        "baseline_loss": loss.baseline,
        "learning_rate": window.learning_rate,
    }
    activation = facts.common_activation(structure, layers)
    initialiser = facts.common_initialiser(structure, layers)
    evidence["start_decades"], start = facts.starting_weights(window, shown)
    lost = decades if math.isfinite(decades) else t.attenuation
    small = evidence["start_decades"] > facts.EXPLAINED * lost
    careless = facts.careless_start(structure, layers)
    narrow = window.inverse_widths
    how_much = f"shrinks by {number(decades)} decades" if math.isfinite(decades) else "dies out"
    if slope > 0.0:
        how_much += f" ({number(slope)} a layer)"
    how_much += f" on its way back to {evidence['worst_layer']}"
    if facts.constant_output(window):
        id_ = "constant"
        why = "The softmax over a single unit is always 1, so the loss depends on no weight"
    elif not decades >= t.attenuation and math.isfinite(influence):
        id_ = "influence"
        why = (
            f"No weight matters: even doubling the weights of {evidence['worst_layer']} would "
            f"change the loss by less than 1 part in 10^{math.floor(influence)}"
        )
    elif held := facts.shrunk(window):
        id_, why = "regularised", f"The gradient {how_much}: {held[0]}"
        evidence |= held[1]
    elif window.weight_growth > t.weight_growth:
        id_ = "rate"
        evidence["weight_growth"] = window.weight_growth
        by = facts.by_optimizer(structure)
        flat = f", where {activation} is flat" if activation in facts.SATURATING else ""
        why = (
            f"The gradient {how_much}: updates{by} have thrown the weights to "
            f"{number(window.weight_growth)} times their size{flat}"
        )
    elif facts.recurrent(structure, layers):
        id_, why = "recurrent", f"The gradient {how_much}, through the steps of a recurrent layer"
    elif held := facts.no_gamma(window):
        id_, why = "gamma", f"The gradient {how_much}: {held[0]}"
        evidence |= held[1]
    elif activation in facts.SATURATING and not (small and activation not in facts.WEAK):
        id_ = "saturating"
        why = f"The gradient {how_much}: the activation {activation} weakens it in each layer"
        if activation == "sigmoid":
            why += " to a quarter at best"
    elif small or (careless and not start):
        id_ = "initialiser" if len(layers) <= facts.DEEP else "deep_initialiser"
        evidence |= start
        weights = f"{initialiser} gave weights too small for the layers' width"
        if start:
            weights = facts.start_in_words(start, initialiser)
        why = f"The gradient {how_much}: {weights}"
    elif narrow > facts.NARROW:
        id_ = "narrow"
        evidence["inverse_width_sum"] = narrow
        why = (
            f"The gradient {how_much}, through ReLU layers so narrow (sum of 1 / width "
            f"{number(narrow)}) that it may vanish by chance"
        )
    elif window.judged.sum() <= facts.DEEP and (own := facts.own_layers(structure, layers)):
        id_, evidence["between"] = "blocked", own
        why = f"The gradient {how_much}, where {', '.join(own)} may let next to nothing through"
    else:
        id_ = "depth"
        why = f"The gradient {how_much}, through {plural(int(window.judged.sum()), 'layer')}"
    if loss.progress:
        end = "the loss falls all the same, so these layers learn little."
    else:
        end = "the loss does not fall."
    return Explanation(f"vanishing.{id_}", f"{why}; {end}", evidence)


def explain_time(window: Window, sick: np.ndarray) -> Explanation:
    """Cause and numbers for recurrent layers ``sick`` that forget their first time steps."""
    loss = window.loss
    decades = np.where(sick, window.time_decades()[:, 0], np.nan)
    worst = int(np.nanargmin(decades))
    layer = int(window.layers[worst])
    assert window.probe is not None
    norms = window.time_norms(layer)
    radius = window.probe.spectral_radius.get(layer, math.nan)
    evidence = {
        "through": "time",
        "attenuation_decades": -float(decades[worst]),
        "worst_layer": window.paths(np.arange(len(sick)) == worst)[0],
        "first_step_norm": float(norms[0]),
        "last_step_norm": float(norms[-1]),
        "spectral_radius": radius,
        "loss": loss.smoothed,
        "baseline_loss": loss.baseline,
        "learning_rate": window.learning_rate,
    }
    why = ""
    if math.isfinite(radius):
        why = f", where its recurrent kernel has spectral radius {number(radius)}"
    return Explanation(
        "vanishing.time",
        f"The gradient shrinks by {number(-decades[worst])} decades on its way back to the first "
        f"time step of {evidence['worst_layer']}{why}; the loss does not fall.",
        evidence,
    )
