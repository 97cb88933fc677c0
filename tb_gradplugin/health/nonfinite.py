"""NaN or Inf in gradients or loss, and where it comes from.

Formula, defaults and known false alarms: ``docs/rules/nonfinite.md``.
"""

from __future__ import annotations

import math

import numpy as np

from tb_gradplugin.health import facts
from tb_gradplugin.health.rule import Detection, Explanation, Rule, number, plural
from tb_gradplugin.health.thresholds import Thresholds
from tb_gradplugin.health.window import Window
from tb_gradplugin.records import StepRecord

RULE = Rule(
    "nonfinite",
    "NaN or Inf",
    "Every gradient and the loss are checked for NaN and Inf; steps that loss scaling skips on "
    "purpose do not count.",
)


def detect(window: Window, record: StepRecord) -> Detection | None:
    """Any NaN or Inf in a gradient or in weights, or in a loss that was finite before."""
    broken = window.broken_layers(record)
    if not broken.any():
        broken = window.broken_weights(record)  # of which ReLU may make zeros
    loss = window.loss.loss_of(record)
    # A training loop may report no loss: then NaN from the start says nothing.
    reported = window.loss.known or window.structure.loss is not None
    bad_loss = not math.isfinite(loss) and (reported or bool(broken.any()))
    if not len(broken) or not (broken.any() or bad_loss):
        return None
    shown = broken
    if not broken.any():  # only the loss: the layer next to it stands for it
        shown = np.arange(len(broken)) == len(broken) - 1
    details = {"record": record, "loss": loss, "bad_loss": bad_loss}
    return Detection(np.ones_like(broken), "critical", shown, details)


LOGARITHMS = ("nll", "likelihood", "log", "entropy", "divergence")
"""Parts of names of losses that take a logarithm."""
CLIPPED = (
    "binarycrossentropy",
    "categoricalcrossentropy",
    "sparsecategoricalcrossentropy",
    "binaryfocalcrossentropy",
    "categoricalfocalcrossentropy",
    "kldivergence",
    "kullbackleiblerdivergence",
    "logcosh",
)
"""Keras's own losses keep probabilities away from 0, or take no logarithm of them."""
REACH_ZERO = ("softmax", "sigmoid", "hard_sigmoid", "relu")
"""Activations that give 0, some by rounding: the softmax of logits 104 apart."""


def takes_log(window: Window) -> bool:
    """Whether the loss takes the logarithm of an output that may be 0."""
    name = window.structure.plain_loss
    suspect = name not in CLIPPED and any(part in name for part in LOGARITHMS)
    return suspect and window.output[1] in REACH_ZERO


def explain(window: Window, t: Thresholds, found: Detection, shown: np.ndarray) -> Explanation:
    """Cause and numbers; ``shown`` are the layers at the onset."""
    record: StepRecord = found.details["record"]
    structure = window.structure
    nan, inf = record.column("nan_count"), record.column("inf_count")
    sizes = np.array([v.size for v in structure.variables], dtype=np.float64)
    present = np.isfinite(nan)
    bad = present & ((nan > 0) | (inf > 0))
    broken = window.broken_layers(record)
    weights = window.broken_weights(record)
    bad_loss, mismatch = found.details["bad_loss"], None
    if weights.any() and (bad_loss or not bad.any()):
        where, origin = "weights", window.paths(weights)[0]
        why = f"the weights of {origin} are no longer finite"
        if bad_loss:
            why += ", nor is any loss computed from them"
        mismatch = facts.output_mismatch(window)
        if mismatch:
            why += f". {mismatch}"
    elif bad_loss:
        where, origin = "forward pass", "loss"
        steep = [layer.path for layer in structure.layers if layer.activation in facts.STEEP]
        why = "the forward pass or the loss overflows or takes the logarithm of 0"
        trend = window.loss
        if trend.known and trend.last > trend.first + (t.blow_up - 1.0) * abs(trend.first):
            where = "explosion"
            why = f"it had risen from {number(trend.first)} to {number(trend.last)} and overflowed"
        elif steep:
            origin = steep[0]
            why = f"the forward pass overflows through {plural(len(steep), 'exponential layer')}"
        elif takes_log(window):
            where = "logarithm"
            last = window.output[1]
            why = f"the last layer's {last} can give exactly 0, and the loss takes its logarithm"
    else:
        where = "backward pass"
        origin = window.paths(broken)[-1]
        why = f"the loss is finite, and it arises on the way back in {origin}"
    share = float(bad.sum()) / max(int(present.sum()), 1)
    evidence = {
        "origin": origin,
        "arises_in": where,
        "nan_elements": int(np.nansum(nan)),
        "inf_elements": int(np.nansum(inf)),
        "share_of_elements": float(np.nansum(nan + inf) / max(sizes[present].sum(), 1.0)),
        "share_of_variables": share,
        "loss": str(found.details["loss"]) if bad_loss else found.details["loss"],
        "last_finite_loss": window.loss.last,
        "learning_rate": record.scalar("learning_rate"),
    }
    what = f"Gradients of {plural(int(broken.sum()), 'layer')} are"
    if not bad.any():
        what = f"Weights of {plural(int(weights.sum()), 'layer')} are"
    if bad_loss:
        what = "The loss and its gradients are" if bad.any() else "The loss is"
    id_ = where.split()[0]
    if id_ == "forward" and origin != "loss":
        id_ = "steep"
    if mismatch:
        id_ = "output"
    elif where in ("weights", "explosion") and (data := facts.unscaled(window)):
        id_ = "data"
        why += f". The {data.what} are of size {number(data.size)}"
    return Explanation(
        f"nonfinite.{id_}", f"{what} NaN or Inf at step {record.step}: {why}.", evidence
    )
