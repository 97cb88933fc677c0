"""The published rules of other tools, on the same recorded statistics.

Each rule is a pure function from a recording to its first alarm.  Thresholds are the tools' own
defaults; what had to be mapped, because the tools look at epochs, at other tensors or at batches of
their own, is said with each.  A rule is asked at every logged step, as ours are.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from benchmarks.diagnosis.recording import Recording
from tb_gradplugin.health.progress import LossTrend
from tb_gradplugin.health.thresholds import Thresholds
from tb_gradplugin.structure import JUDGED_ROLES


class Alarm(NamedTuple):
    """First alarm of a rule: the train step, and the kind as we call it."""

    step: int
    kind: str


class Peer(NamedTuple):
    """A tool's rules under the name that the table shows.

    Attributes:
        rule: recording -> first alarm, or None.
        applies: whether the tool says anything about such a run.
        names_kinds: False for a rule that tells that training fails, not of what.
    """

    name: str
    rule: Callable[[Recording], Alarm | None]
    applies: Callable[[Recording], bool] = lambda recording: True
    names_kinds: bool = True


def first(recording: Recording, at: np.ndarray, kind: str) -> Alarm | None:
    """Alarm at the first True of ``at``, bool [T]."""
    points = np.flatnonzero(at)
    return Alarm(int(recording.steps[points[0]]), kind) if len(points) else None


def earliest(*alarms: Alarm | None) -> Alarm | None:
    """The alarm that came first; of several at one step the first named."""
    came = [alarm for alarm in alarms if alarm is not None]
    return min(came, key=lambda alarm: alarm.step) if came else None


def any_of(values: np.ndarray) -> np.ndarray:
    """bool [T]: whether the condition, bool [T, n], holds for any of n; False for none."""
    return values.any(axis=1) if values.shape[1] else np.zeros(len(values), bool)


def kernels(recording: Recording) -> np.ndarray:
    """int [K], rows of the kernels among the trained variables."""
    variables = recording.structure.variables
    return np.flatnonzero([v.role in JUDGED_ROLES for v in variables])


def with_activation(recording: Recording, *names: str) -> np.ndarray:
    """int, layers with one of these activations."""
    return np.flatnonzero([layer.activation in names for layer in recording.structure.layers])


def nonfinite(recording: Recording) -> np.ndarray:
    """bool [T]: any NaN or Inf in a gradient or the loss."""
    counts = recording.statistic("nan_count") + recording.statistic("inf_count")
    return any_of(counts > 0) | ~np.isfinite(recording.losses)


def update_ratio(recording: Recording, rows: np.ndarray) -> np.ndarray:
    """[T, K], |update| / |W| (L2 norms); NaN where the weights are zero."""
    weight = recording.statistic("weight_norm")[:, rows]
    with np.errstate(all="ignore"):
        return np.where(weight > 0, recording.statistic("update_norm")[:, rows] / weight, np.nan)


# -------------------------------------------------------------------------------------- SageMaker


def sagemaker(recording: Recording) -> Alarm | None:
    """SageMaker Debugger, VanishingGradient and ExplodingTensor.

    Published: mean |g| of a gradient tensor < 1e-7; any NaN or Inf in a tensor (awsdocs, "List of
    Debugger built-in rules").  Mapped: every trained variable is a tensor; the loss counts too.
    """
    small = any_of(recording.variable("mean_abs") < 1e-7)
    return earliest(
        first(recording, nonfinite(recording), "nonfinite"),
        first(recording, small, "vanishing"),
    )


def sagemaker_all(recording: Recording) -> Alarm | None:
    """The same with WeightUpdateRatio, DeadRelu and SaturatedActivation.

    Published: update / weight > 10 or < 1e-8; a ReLU unit active for less than 1 % of the inputs
    is dead, and a layer fires with more than 50 % of such; likewise units whose input lies outside
    +-9.5 (tanh) or (-23, 17) (sigmoid).  Mapped: the ratio is that of L2 norms; the inputs are
    those of the batch; limits of inputs are taken at the outputs, where float32 rounds them off.
    """
    ratio = update_ratio(recording, np.arange(len(recording.structure.variables)))
    ratio = np.where(recording.steps[:, None] > 1, ratio, np.nan)
    dead = recording.layer("quiet_unit_share")[:, with_activation(recording, "relu")] > 0.5
    flat = recording.layer("extreme_unit_share") > 0.5
    return earliest(
        sagemaker(recording),
        first(recording, any_of(ratio > 10.0), "exploding"),
        first(recording, any_of(ratio < 1e-8), "slow"),
        first(recording, any_of(dead), "dead"),
        first(recording, any_of(flat), "vanishing"),
    )


# ------------------------------------------------------------------------------------ AUTOTRAINER


def autotrainer(recording: Recording) -> Alarm | None:
    """AUTOTRAINER (ICSE 2021) without its gate on accuracy.

    Published (``monitor.py``): norm of the first kernel's gradient over the last one's < 1e-3 and
    the first < 1e-4; that ratio > 70; 70 % of all gradient elements exactly zero; NaN or Inf, or a
    loss of 1000.  Mapped: asked at logged steps, not at epoch ends.
    """
    rows = kernels(recording)
    if not len(rows):
        return first(recording, nonfinite(recording), "nonfinite")
    norm = recording.statistic("norm")[:, rows]
    with np.errstate(all="ignore"):
        ratio = norm[:, 0] / norm[:, -1]
    sizes = np.array([v.size for v in recording.structure.variables], float)
    zero = recording.variable("zero_share")
    known = np.isfinite(zero) * sizes
    share = np.nansum(zero * sizes, axis=1) / np.maximum(known.sum(axis=1), 1.0)
    return earliest(
        first(recording, nonfinite(recording) | (recording.losses >= 1e3), "exploding"),
        first(recording, share >= 0.7, "dead"),
        first(recording, ratio > 70.0, "exploding"),
        first(recording, (ratio < 1e-3) & (norm[:, 0] < 1e-4), "vanishing"),
    )


def autotrainer_gated(recording: Recording) -> Alarm | None:
    """AUTOTRAINER as published, with its gate.

    Published: besides NaN, problems count only while the best training accuracy so far is below
    0.7 or no epoch has gained 0.01, and not before 30 % of the epochs.  Mapped: accuracy of the
    validation passes on rows trained on.
    """
    ungated = autotrainer(recording)
    broken = first(recording, nonfinite(recording), "exploding")
    if ungated is None:
        return None
    steps, accuracy = recording.validation[:, 0], recording.validation[:, 2]
    for i in np.flatnonzero(steps >= 0.3 * recording.steps[-1]):
        seen = accuracy[: i + 1]
        gain = np.diff(seen).max(initial=0.0)
        poor = np.nanmax(seen, initial=0.0) < 0.7 or gain < 0.01
        if poor and ungated.step <= steps[i]:
            return earliest(broken, Alarm(int(steps[i]), ungated.kind))
    return broken


def classifies(recording: Recording) -> bool:
    """Whether there is an accuracy to gate on."""
    return bool(np.isfinite(recording.accuracy).any())


# --------------------------------------------------------------------------------- TheDeepChecker


def thedeepchecker(recording: Recording) -> Alarm | None:
    """TheDeepChecker (TOSEM 2022), its checks on gradients and updates.

    Published (``settings.yaml``): mean |g| < 1e-6 or halved four times in a row; > 1e6; mean log10
    of update over weight outside [-4, -1].  Mapped: kernels; the mean is over the latest ten logged
    steps, "in a row" counts logged steps.
    """
    rows = kernels(recording)
    mean = recording.variable("mean_abs")[:, rows]
    halved = np.zeros_like(mean, bool)
    halved[1:] = mean[1:] <= 0.5 * mean[:-1]
    four = in_a_row(halved, 4)
    with np.errstate(all="ignore"):
        ratio = moving_mean(np.log10(update_ratio(recording, rows)), 10)
    return earliest(
        first(recording, nonfinite(recording), "nonfinite"),
        first(recording, any_of(mean > 1e6), "exploding"),
        first(recording, any_of((mean < 1e-6) | four), "vanishing"),
        first(recording, any_of(ratio > -1.0), "exploding"),
        first(recording, any_of(ratio < -4.0), "slow"),
    )


def in_a_row(values: np.ndarray, count: int) -> np.ndarray:
    """bool [T, n]: True at this and the ``count`` - 1 points before."""
    out = np.zeros_like(values, bool)
    run = np.zeros(values.shape[1:], int)
    for i, now in enumerate(values):
        run = np.where(now, run + 1, 0)
        out[i] = run >= count
    return out


def moving_mean(values: np.ndarray, count: int) -> np.ndarray:
    """[T, n], mean of this and the ``count`` - 1 points before; NaN before there are as many."""
    out = np.full_like(values, np.nan)
    for i in range(count - 1, len(values)):
        out[i] = values[i + 1 - count : i + 1].mean(axis=0)
    return out


# ----------------------------------------------------------------------------------------- DEFault


def default(recording: Recording) -> Alarm | None:
    """DEFault (ICSE 2025), the flags of its callback that mean a fault.

    Published (``CustomCallback.py``): mean |g| over all gradients < 1e-4; largest |g| > 70; more
    than 70 % of the outputs of all ReLU layers <= 0; NaN.  Mapped: the batch trained on instead of
    three drawn at each epoch's end; layers count alike whatever their width.
    """
    sizes = np.array([v.size for v in recording.structure.variables], float)
    mean, largest = recording.variable("mean_abs"), recording.variable("max_abs")
    weight = np.isfinite(mean) * sizes
    average = np.nansum(mean * sizes, axis=1) / np.maximum(weight.sum(axis=1), 1.0)
    relu = recording.layer("nonpositive_share")[:, with_activation(recording, "relu")]
    quiet = relu.mean(axis=1) > 0.7 if relu.shape[1] else np.zeros(len(average), bool)
    return earliest(
        first(recording, nonfinite(recording), "nonfinite"),
        first(recording, any_of(largest > 70.0), "exploding"),
        first(recording, quiet, "dead"),
        first(recording, average < 1e-4, "vanishing"),
    )


# ----------------------------------------------------------------------------------- DeepDiagnosis


def deepdiagnosis(recording: Recording) -> Alarm | None:
    """DeepDiagnosis (ICSE 2022).

    Published (``callbacks.py``): mean |g| of a layer's kernel < 1e-7; 70 % of a ReLU layer's
    outputs <= 0; more than 50 % of a tanh or sigmoid layer's values beyond +-5; NaN, Inf or all
    zero.
    Mapped: its limits for inputs are taken at the outputs.
    """
    mean = recording.variable("mean_abs")[:, kernels(recording)]
    relu = recording.layer("nonpositive_share")[:, with_activation(recording, "relu")]
    flat = recording.layer("flat_share")
    zero = recording.layer("zero_share")
    return earliest(
        first(recording, nonfinite(recording), "nonfinite"),
        first(recording, any_of(mean < 1e-7), "vanishing"),
        first(recording, any_of(relu >= 0.7), "dead"),
        first(recording, any_of(zero >= 1.0), "dead"),
        first(recording, any_of(flat > 0.5), "vanishing"),
    )


# --------------------------------------------------------------------------------------------- loss


STALLED_POINTS = 20
STALLED_FROM = 200
"""Earlier, healthy networks that start slowly are still on their plateau."""


def loss_stalls(recording: Recording) -> Alarm | None:
    """What everybody can see: the loss makes no progress, or is NaN.

    No tool's rule: our own gate (below 0.9 of the smaller of first loss and constant prediction)
    failing at 20 logged steps in a row, the last of them at step 200 or later.  It names no cause.
    """
    trend, waited = LossTrend(Thresholds()), 0
    for record in recording.records:
        if not np.isfinite(trend.loss_of(record)):
            return Alarm(record.step, "stalled")
        trend.push(record)
        waited = 0 if trend.progress else waited + 1
        if waited >= STALLED_POINTS and record.step >= STALLED_FROM:
            return Alarm(record.step, "stalled")
    return None


PEERS = (
    Peer("SageMaker Debugger (vanishing, exploding)", sagemaker),
    Peer("SageMaker Debugger (+ update ratio, dead, saturated)", sagemaker_all),
    Peer("AUTOTRAINER, ungated", autotrainer),
    Peer("AUTOTRAINER, gated on accuracy", autotrainer_gated, classifies),
    Peer("TheDeepChecker", thedeepchecker),
    Peer("DEFault", default),
    Peer("DeepDiagnosis", deepdiagnosis),
    Peer("loss stalls (no cause)", loss_stalls, names_kinds=False),
)
