"""Exploding gradients: loss, updates or sensitivities grow beyond what training can survive.

Formula, defaults and known false alarms: ``docs/rules/exploding.md``.
"""

from __future__ import annotations

import math

import numpy as np

from tb_gradplugin.health import facts
from tb_gradplugin.health.progress import RECENT_POINTS
from tb_gradplugin.health.remedies import Pace, beyond_any_rate
from tb_gradplugin.health.rule import Detection, Explanation, Rule, number
from tb_gradplugin.health.thresholds import Thresholds
from tb_gradplugin.health.window import Window

RULE = Rule(
    "exploding",
    "Exploding gradients",
    "The loss is compared with its start and with the best constant prediction, each update with "
    "the size of its weights, and sensitivity with depth, while the loss does not fall.",
)

HUGE = (
    "the gradient itself is too large for any usual rate: a loss that is summed or multiplied, or "
    "layers that add up"
)
MIN_POINTS = 3
DRIVEN = 0.1
"""Share of the limit for updates above which they can be why the loss grows."""
SHOWN_DECADES = 1.0
"""Layers within this of the one that grew most are named with it."""


def detect(window: Window, t: Thresholds) -> Detection | None:
    """The first of six signs that holds, all of them without progress:

    - loss: each of the last 5 losses > 3 x the initial one and > 1.5 x the baseline (before step
      20 each of the last 3, and 10 x; without a known baseline 10 x and |update| > 0.01 |W|);
    - start: the median of 5 losses > 10 x the baseline after step 20 while max S > 10 x the loss;
    - weights: they had grown 2.5-fold by step 20;
    - update: |update| > 0.1 |W|, median of 20 points after step 20 (small initial weights take
      such updates too, but soon have grown);
    - depth: log10 S grows by more than 0.4 a layer toward the input, after step 20;
    - time: |dL/dh_t| of a recurrent layer is 3 decades larger at the first time step than at the
      last, after step 20, at the latest probe.
    """
    loss = window.loss
    if window.points < MIN_POINTS or loss.progress:
        return None
    settled = window.step >= t.settle_step
    known = math.isfinite(loss.baseline)
    factor = t.loss_growth if settled and known else t.loss_growth_early
    points = RECENT_POINTS if settled else MIN_POINTS
    if loss.exceeds(factor, t.baseline_growth, points) and (known or driven(window, t)):
        return Detection(window.everything, "critical", grown(window), {"sign": "loss"})
    if settled and oversized(window, t, t.start_excess):
        return Detection(window.everything, "critical", None, {"sign": "start"})
    if settled and window.weight_growth > t.weight_growth:
        return Detection(window.everything, "critical", None, {"sign": "weights"})
    # Next to weights that a penalty has shrunk, or outweighed the data from the start, every
    # update is large.
    held = facts.collapsed(window) or window.first_regularisation > facts.REGULARISED
    fast = window.settled_points >= t.window_points and window.fast
    if fast and not held:
        # Tiny weights far from the output take large relative updates: that is vanishing.
        far = window.attenuation < -t.attenuation
        fast = window.judged & (window.update_ratio > t.update_ratio) & ~far
        if fast.any():
            return Detection(fast, "critical", None, {"sign": "update"})
    if settled and window.depth_slope() < -t.depth_growth:
        near_top = window.attenuation > -SHOWN_DECADES
        return Detection(window.everything, "critical", near_top, {"sign": "depth"})
    if settled and loss.is_supervised and window.knows_time:
        through_time = window.time_decades()[:, 1] > t.time_growth
        if through_time.any():
            return Detection(through_time, "critical", None, {"sign": "time"})
    return None


def driven(window: Window, t: Thresholds) -> bool:
    """Whether updates are large enough to be why the loss grows.

    Losses of games between networks, and of agents, rise in healthy training.
    """
    return bool((window.update_ratio > DRIVEN * t.update_ratio).any())


def oversized(window: Window, t: Thresholds, excess: float) -> bool:
    """Loss far above the baseline in a way that over-large weights explain.

    Targets far from zero make the loss large too, but then it does not react to the weights.
    """
    above = window.loss.recent > excess * window.loss.baseline > 0.0
    return above and window.strongest_influence > math.log10(t.loss_sensitivity)


def started_oversized(window: Window, t: Thresholds) -> bool:
    """The same at the very first loss, in layers drawn without regard to their width.

    With inputs that are not scaled the first loss is as large, whatever the weights.
    """
    careless = facts.careless_start(window.structure, window.layers[window.judged])
    return careless and window.loss.first > t.blow_up * window.loss.baseline > 0.0


def grown(window: Window) -> np.ndarray:
    """bool [L]: layers whose gradient norm grew most since the start."""
    growth = np.log10(window.peak_norm / window.first_norm)
    largest = np.fmax.reduce(growth[window.judged], initial=-np.inf)
    near = window.judged & (growth >= largest - SHOWN_DECADES)
    return near if near.any() else window.everything


def blow_up(window: Window, t: Thresholds) -> Detection | None:
    """Explosion right before the first NaN or Inf: loss or a norm grew a hundredfold, or the loss
    lay as far above the baseline from the start.

    Norms may grow that much in healthy training too, so they count only without progress.
    """
    loss = window.loss
    if started_oversized(window, t):
        return Detection(window.everything, "critical", None, {"sign": "start"})
    by_loss = loss.known and loss.last > loss.first + (t.blow_up - 1.0) * abs(loss.first)
    by_norm = (window.norm > t.blow_up * window.first_norm)[window.judged].any()
    if not (by_loss or (by_norm and not loss.progress)):
        if oversized(window, t, t.blow_up):
            return Detection(window.everything, "critical", None, {"sign": "start"})
        return None
    return Detection(window.everything, "critical", grown(window), {"sign": "blow_up"})


def explain(window: Window, t: Thresholds, found: Detection, shown: np.ndarray) -> Explanation:
    """Cause and numbers for the layers ``shown``."""
    structure, loss = window.structure, window.loss
    layers = [int(i) for i in window.layers[shown]]
    sign = found.details["sign"]
    ratios = window.update_ratio[shown]
    ratio = float(np.fmax.reduce(ratios, initial=-np.inf))
    growth = np.log10(window.peak_norm / window.first_norm)[shown]
    evidence = {
        "sign": sign,
        "norm_growth_decades": float(np.fmax.reduce(growth, initial=-np.inf)),
        "largest_norm": float(np.fmax.reduce(window.peak_norm[shown], initial=-np.inf)),
        "update_ratio": ratio,
        "weight_growth": window.weight_growth,
        "depth_slope_decades": window.depth_slope(),
        "loss": loss.recent,
        "first_loss": loss.first,
        "highest_loss": loss.highest,
        "baseline_loss": loss.baseline,
        "learning_rate": window.learning_rate,
    }
    rate = window.learning_rate
    by = facts.by_optimizer(structure)
    at = f" at learning rate {number(rate)}" if math.isfinite(rate) else ""
    initialiser = facts.common_initialiser(structure, layers)
    activation = facts.common_activation(structure, layers)
    recurrent = facts.recurrent(structure, layers)
    evidence["start_decades"], start = facts.starting_weights(window, shown)
    data = facts.unscaled(window)
    # Too large a start is the initialiser's fault, or that of the scale it was given.
    careless = initialiser is None or not facts.minds_width(initialiser)
    large = evidence["start_decades"] < -facts.GROWN
    start_id = "initialiser" if careless else "scale"
    of = f" of {initialiser}" if initialiser and not recurrent else ""
    grew = number(window.weight_growth)
    weights = f"the initial weights{of} are too large for the layers' width"
    if large:
        evidence |= start
        weights = facts.start_in_words(start, initialiser)
    elif not careless:
        weights = "the layers, or what lies between them, add up or multiply too much"
    if sign == "start":
        at_first = loss.first > t.start_excess * loss.baseline
        times = number((loss.first if at_first else loss.recent) / loss.baseline)
        if recurrent:
            id_ = "recurrent"
            why = "the initial weights are so large that the signal grows in each time step"
        elif data is not None and not large:
            id_, why = "data", f"the {data.what} are not scaled, but of size {number(data.size)}"
        elif activation in facts.STEEP:
            id_, why = "steep", f"the activation {activation} multiplies every deviation"
        elif not (at_first or large) and window.weight_growth > t.weight_growth:
            id_, why = "rate", f"updates{by}{at} have thrown the weights to {grew} times their size"
        else:
            id_, why = start_id, f"{weights}, so the signal grows in each layer"
        what = f"The loss {'starts at' if at_first else 'is'} {times} times that of the best"
        why = f"{what} constant prediction: {why}"
        return Explanation(f"exploding.{id_}", f"{why}; the loss does not fall.", evidence)
    if sign == "time":
        # Of what is sick by this sign: ``shown`` may be what an earlier sign found.
        through_time = np.where(found.sick, window.time_decades()[:, 1], np.nan)
        worst = int(np.nanargmax(through_time))
        path = structure.layers[window.layers[worst]].path
        assert window.probe is not None
        radius = window.probe.spectral_radius.get(int(window.layers[worst]), math.nan)
        decades = float(through_time[worst])
        evidence |= {"through": "time", "time_growth_decades": decades, "worst_layer": path}
        evidence["spectral_radius"] = radius
        of = f", whose kernel has spectral radius {number(radius)}" if radius > 1.0 else ""
        why = (
            f"The gradient grows by {number(decades)} decades on its way back to the first time "
            f"step of {path}{of}"
        )
        return Explanation("exploding.time", f"{why}; the loss does not fall.", evidence)
    if sign == "depth":
        why = (
            f"The gradient grows by {number(-evidence['depth_slope_decades'])} decades a layer "
            f"toward the input: {weights}"
        )
        return Explanation(f"exploding.{start_id}", f"{why}; the loss does not fall.", evidence)
    id_, on, since = "recurrent" if recurrent else "rate", "", ""
    if data is not None and not recurrent:
        id_, on = "data", data.clause
    elif not recurrent and beyond_any_rate(structure, Pace(rate, ratio)):
        id_, since = "gradient", f", since {HUGE}"
        if large:
            id_, since = start_id, f", since {weights}"
    if sign == "weights":
        why = f"Updates{by}{at}{on} have thrown the weights to {grew} times their size{since}"
        return Explanation(f"exploding.{id_}", f"{why}; the loss does not fall.", evidence)
    if sign == "update":
        size = number(100 * ratio)
        why = f"Every update{by}{at}{on} changes the weights by {size} % of their norm{since}"
        return Explanation(f"exploding.{id_}", f"{why}; the loss does not fall.", evidence)
    if held := facts.dropped(window):
        id_, on, since = "dropout", "", f", since {held[0]}"
        evidence |= held[1]
    what = f"The loss rose from {number(loss.first)} to {number(loss.highest)}"
    if sign == "blow_up" and not loss.highest > t.blow_up * abs(loss.first):
        what = f"Gradients grew by {number(evidence['norm_growth_decades'])} decades"
    after = " before it became NaN or Inf" if sign == "blow_up" else ""
    why = f"updates{by}{at}{on} are too large{since}"
    if activation in facts.STEEP:
        id_, why = "steep", f"the activation {activation} multiplies every deviation"
    elif recurrent:
        why = "the recurrent layer multiplies the gradient at every time step"
    return Explanation(f"exploding.{id_}", f"{what}{after}: {why}.", evidence)
