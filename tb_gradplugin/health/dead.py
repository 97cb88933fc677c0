"""Dead layers: the gradient is exactly zero and stays so, and the layer can never change.

Formula, defaults and known false alarms: ``docs/rules/dead.md``.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tb_gradplugin.health import facts, vanishing
from tb_gradplugin.health.rule import Detection, Explanation, Rule, number, plural
from tb_gradplugin.health.thresholds import Thresholds
from tb_gradplugin.health.window import Window

RULE = Rule(
    "dead",
    "Dead layers",
    "Every element of the gradient of a layer's kernels is exactly zero at logged steps in a row "
    "and did not come back in between, while the loss does not fall.",
)

MOSTLY = 0.5
"""Share of the window and of the layers.  A dying network twitches when a batch happens to reach
its last units; a single narrow layer may be silent for most batches in a healthy one."""
FAINT = -2.5
"""log10 of a layer's sensitivity over the loss: below it from the start, no update killed it."""

CHAOTIC = 2.0
"""Times the deviation of an orthogonal matrix from which a recurrent kernel drives tanh units to
their limits (Sompolinsky 1988: from 1 on, without inputs)."""


def detect(window: Window, t: Thresholds) -> Detection | None:
    """Without progress: zero, and not once back from zero in the window, or, 20 points after step
    20, zero at more than half of the window's points, as more than half of the layers; critical.

    A layer that never had a gradient while others have one may be a branch that is silent on
    purpose: it counts only if no layer before it has one either, after ``slow_step``.

    With progress: zero for 20 points, in a layer that had a gradient before; warning while others
    still have one, critical if none has and ``burnt_out``.
    """
    apart = disconnected(window, t)
    if window.step < t.settle_step or not (window.zeros or apart.any()):
        return None
    zero = window.judged & (window.zero_points > 0) | apart
    mostly = window.judged & (window.zero_share > MOSTLY)
    mostly &= mostly.sum() > MOSTLY * window.judged.sum()
    if not (zero | mostly).any():
        return None
    # Where no kernel ever had a gradient, a falling loss is chance.
    if window.loss.progress and window.alive[window.judged].any():
        others = bool((window.judged & (window.norm > 0.0)).any())
        long = window.zero_points >= t.dead_points_with_progress
        counts = others or burnt_out(window)
        sick, severity = zero & window.alive & long & counts, "warning" if others else "critical"
    else:
        # A dead layer does not revive: one that does is only silent for some batches.
        came_back = (window.revived > 0) & (window.points - window.revived < t.window_points)
        gets = np.flatnonzero(window.norm > 0.0)
        cut_off = np.arange(len(zero)) < (gets[0] if len(gets) else len(zero))
        late = window.settled_points >= t.window_points
        # A tower of several may get no input for long; where nothing gets a gradient there is none.
        alone = window.step >= t.slow_step
        meant = ~window.alive & ~(cut_off & (alone or not len(gets)))
        sick, severity = ((zero & ~came_back) | (mostly & late)) & ~meant, "critical"
    sick = sick & ~vanishing.faded(window, t)
    if not (sick & ~window.starved).any():
        return None
    since = np.maximum(window.zero_since, 1)
    return Detection(sick, severity, origin(window, sick), {"apart": apart}, since)


LEARNED = 1e-3
"""Share of the initial loss below which a network without any gradient has learned all there is."""


def burnt_out(window: Window) -> bool:
    """Whether progress since the start may be nothing but a first loss that was huge.

    A constant output does not get below a baseline; where that is not known, only a loss of next
    to nothing tells that nothing is left to learn.
    """
    loss = window.loss
    return math.isnan(loss.baseline) and loss.recent > LEARNED * abs(loss.initial)


def disconnected(window: Window, t: Thresholds) -> np.ndarray:
    """bool [L]: the first layers, where none of them ever was given a gradient while others were.

    Without progress after ``slow_step`` only: layers may be unused on purpose.
    """
    loss = window.loss
    if window.step < t.slow_step or loss.progress or not loss.is_supervised:
        return np.zeros_like(window.filled)
    none, gets = window.filled & np.isnan(window.peak_norm), np.flatnonzero(window.norm > 0.0)
    return none & (np.arange(len(none)) < (gets[0] if len(gets) else 0))


def origin(window: Window, sick: np.ndarray) -> np.ndarray:
    """bool [L]: of the sick layers those from the one on that cuts the others off.

    Where the depth is at fault, or a gamma of zero, no layer is apart from the others.

    Else that is the first one whose outputs are all zero at the latest probe; none, if no layer had
    a gradient before: then the way is blocked behind all of them. Without a probe: where
    units are dead nothing arrives at their layer's bias either, nor before it; the layers after it
    get no input, so no gradient for their kernels, but often one for their biases.
    """
    if facts.constant_output(window) and (sick & window.head).any():
        return window.head
    activation = facts.common_activation(window.structure, [int(i) for i in window.layers[sick]])
    if deep(window, activation) or facts.no_gamma(window):
        return sick
    if window.probe is not None:
        off = np.flatnonzero(sick & outputs_zero(window))
        if len(off):
            return sick & (np.arange(len(sick)) >= off[0])
        if not window.alive[sick].any():
            return sick
    silent = np.flatnonzero(sick & window.bias_silent)
    from_there = sick & (np.arange(len(sick)) >= (silent[-1] if len(silent) else 0))
    return from_there if from_there.any() else sick


def outputs_zero(window: Window) -> np.ndarray:
    """bool [L]: all outputs were exactly zero at the latest probe, behind the activation."""
    assert window.probe is not None
    dead = window.probe.column("dead_share") == 1.0
    ends = np.append(window.layers[1:], len(dead))
    return np.array([dead[i:end].any() for i, end in zip(window.layers, ends, strict=True)])


def deep(window: Window, activation: str | None) -> bool:
    """Whether many rectified layers follow each other without normalisation."""
    plain = not facts.normalises(window.structure)
    return plain and activation in facts.RECTIFIERS and window.judged.sum() > facts.DEEP


def chaotic_start(window: Window, shown: np.ndarray) -> dict[str, Any]:
    """Evidence that a recurrent kernel of ``shown`` started far too large; else nothing."""
    roles = [v.role for v in window.structure.variables]
    for row, unit, deviation, (_, expected) in zip(
        *window.first_deviations, window.expected_deviations, strict=True
    ):
        if roles[row] == "recurrent_kernel" and shown[unit] and deviation > CHAOTIC * expected:
            path = window.structure.layers[window.layers[unit]].path
            return {"start_layer": path, "start_times_orthogonal": float(deviation / expected)}
    return {}


def explain(window: Window, t: Thresholds, found: Detection, shown: np.ndarray) -> Explanation:
    """Cause and numbers for the layers ``shown``."""
    structure, loss = window.structure, window.loss
    layers = [int(i) for i in window.layers[shown]]
    everything = bool((window.zero_points[window.judged] > 0).all())
    revived = window.revived > 0
    had_gradient = bool(window.alive[shown].any())
    evidence = {
        "zero_layers": int(shown.sum()),
        "judged_layers": int(window.judged.sum()),
        "zero_since_step": max(int(window.zero_since[shown].min()), 1),
        "zero_points": int(window.zero_points[shown].max()),
        "zero_share": float(window.zero_share[shown].max()),
        "had_gradient_before": int(had_gradient),
        "loss": loss.smoothed,
        "baseline_loss": loss.baseline,
        "learning_rate": window.learning_rate,
    }
    activation = facts.common_activation(structure, layers)
    count = plural(len(layers), "layer")
    since = evidence["zero_since_step"]
    twitches = bool((window.points - window.revived < t.window_points)[shown & revived].any())
    when = "at most logged steps" if twitches else f"since step {since}"
    subject = f"The gradient of {count} is exactly zero {when}"
    if found.details["apart"][shown].all():
        subject = f"No gradient is computed for {count}"
    if everything and facts.constant_output(window):
        id_ = "single_softmax"
        why = "softmax over a single unit is always 1, so the output does not depend on any weight"
    elif held := facts.same_inputs(window):
        id_, why = "inputs", held[0]
        evidence |= held[1]
    elif held := facts.dropped(window):
        id_, why = "dropout", held[0]
        evidence |= held[1]
    elif window.output[1] in facts.RECTIFIERS and (shown & window.head & ~window.starved).any():
        id_ = "relu_head"
        why = f"the {window.output[1]} of the last layer gives 0 for every input"
    elif window.improper:
        id_ = "mismatch"
        why = facts.IMPROPER[0].lower() + facts.IMPROPER[1:]
    elif had_gradient and (
        held := facts.penalty(window, window.first_regularisation) or facts.shrunk(window)
    ):
        id_, why = "regularised", held[0]
        evidence |= held[1]
    elif had_gradient and deep(window, activation):
        id_ = "deep"
        why = (
            f"it does not get through {plural(int(window.judged.sum()), 'layer')} of {activation} "
            "units without normalisation between them"
        )
    elif had_gradient and -np.inf < window.peak_influence[shown].max() < FAINT:
        id_ = "faint"
        why = "it was next to nothing from the start, and then the last of it went"
    elif had_gradient:
        id_, data = "died", facts.unscaled(window)
        evidence["update_ratio"] = window.first_ratio
        rate = window.learning_rate
        by = f" at learning rate {rate:.3g}" if np.isfinite(rate) else ""
        if data is not None:
            id_ = "data"
            by += data.clause
        who = f"the {activation} units" if activation else "the units"
        why = f"too large an update{by} pushed {who} to where they no longer respond to any input"
        if chaotic := chaotic_start(window, shown):
            id_, evidence = "recurrent", evidence | chaotic
            why = (
                f"the recurrent weights of {chaotic['start_layer']} start at "
                f"{number(chaotic['start_times_orthogonal'])} times the size of an orthogonal "
                f"matrix, which drives {who} to their limits in a few time steps"
            )
    elif (samples := facts.tiny_batch(window)) is not None:
        evidence["batch_size"] = samples
        id_ = "normalisation"
        why = f"batch normalisation over {plural(samples, 'sample')} leaves nothing of the signal"
    elif held := facts.no_gamma(window):
        id_, why = "gamma", held[0]
        evidence |= held[1]
    elif held := facts.levelled(window):
        id_, why = "levelled", held[0]
        evidence |= held[1]
    elif held := facts.zeros(window):
        id_, why = "zeros", held[0]
        evidence |= held[1]
    elif activation in facts.RECTIFIERS and window.inverse_widths > facts.NARROW:
        id_, evidence["inverse_width_sum"] = "narrow", window.inverse_widths
        why = (
            f"the {activation} layers are so narrow (sum of 1 / width "
            f"{number(window.inverse_widths)}) that one of them is negative for every input"
        )
    elif activation in facts.RECTIFIERS and (window.probe is None or outputs_zero(window).any()):
        id_ = "rectifier"
        why = f"the {activation} units are negative for every input, from the start"
    elif blocking := facts.own_layers(structure, layers):
        id_, evidence["between"] = "blocked", blocking
        why = f"{', '.join(blocking)} may be an operation without a gradient, as sign or argmax"
    elif everything:
        id_ = "output"
        why = "the loss does not depend on any weight, so the output or the loss is constant"
    else:
        id_ = "cut"
        why = "nothing of the loss reaches them, as behind a constant or saturated layer"
    end = "and the loss does not fall"
    if loss.progress:
        end = "whatever the loss did before" if everything else "while the loss falls without them"
    return Explanation(f"dead.{id_}", f"{subject}, {end}: {why}.", evidence)
