"""Every number the rules compare with, its unit and where it comes from."""

from __future__ import annotations

import dataclasses
import math


@dataclasses.dataclass(frozen=True)
class Thresholds:
    """Defaults of the rules; ``docs/rules/`` says what each rule does with them.

    "Measured" refers to small networks rebuilt from the published corpora of AUTOTRAINER (ICSE'21),
    DeepLocalize (ICSE'21) and TheDeepChecker (TOSEM'22).  "Points" are logged steps; a "decade" is
    a factor of ten.

    Raises:
        TypeError: a value is not a number, or a count is not an int.
        ValueError: a value is out of its range.
    """

    hold_points: int = 3
    """Points in a row at which a condition must hold to open a finding, and fail to heal it.
    One or two points happen by chance in noisy batches (measured)."""

    window_points: int = 20
    """Latest points whose median is judged.  Covers the dense start of the default schedule."""

    settle_step: int = 20
    """Train step before which only ``exploding`` and ``nonfinite`` are judged.  Zero-initialised
    residual branches pass no gradient at step 0 and need some steps to open (Goyal et al. 2017)."""

    progress: float = 0.9
    """Share of the best constant prediction's loss (or of the initial loss) below which the
    smoothed loss counts as progress.  Measured: it separates failed from healthy runs."""

    loss_smoothing: float = 0.15
    """Weight of the newest point in the moving average of the loss: about the last six points."""

    attenuation: float = 3.0
    """Decades by which a layer's sensitivity lies below the strongest layer's, without progress.
    Measured at steps 20-60: vanishing runs 3.2 or more, healthy ones 2.9 or less."""

    attenuation_with_progress: float = 4.0
    """Decades, while the loss falls: healthy recurrent kernels drift to 3.2 late (measured)."""

    influence: float = 4.0
    """Decades by which a layer's sensitivity lies below the loss itself, without progress: doubling
    its weights would change the loss by less than 1 in 10,000.  Measured: healthy runs 1.6 or less
    before they make progress."""

    join_steps: int = 20
    """Steps.  A layer found sick at step t joins a finding made at step s if
    t <= 2 s + this, so a run has at most about log2(steps) findings of a kind."""

    dead_points_with_progress: int = 20
    """Points in a row with a gradient of exactly zero, in a layer that had one before, while the
    loss falls.  Healthy narrow layers are silent for some batches."""

    loss_growth: float = 3.0
    """Factor over the initial loss (DeepLocalize's and our runs: healthy ones stay below 2 after
    the first steps)."""

    loss_growth_early: float = 10.0
    """The same before ``settle_step``, or where the best constant prediction is unknown: healthy
    runs may overshoot while the optimizer starts."""

    baseline_growth: float = 1.5
    """Factor over the best constant prediction's loss that exploding loss must exceed as well."""

    update_ratio: float = 0.1
    """Norm of the update over norm of the weights, without progress.  Healthy: 1e-5 to 1e-1
    (measured); 1e-3 is usual (Karpathy)."""

    weight_growth: float = 2.5
    """Factor by which the norms of the kernels have grown (geometric mean), without progress.
    Too high a learning rate: 2.7 to 30 by step 20; healthy before they make progress: 1.2
    (measured)."""

    depth_growth: float = 0.4
    """Decades a layer by which sensitivity grows toward the input, without progress.  Healthy
    stacks of five or more kernels: -0.24 to 0.16 (measured)."""

    start_excess: float = 10.0
    """Factor of the loss over the best constant prediction's after ``settle_step``, together with
    a ``loss_sensitivity`` that only over-large weights have."""

    loss_sensitivity: float = 10.0
    """Sensitivity of the strongest layer over the loss above which over-large weights, and not
    targets far from zero, make the loss large."""

    blow_up: float = 100.0
    """Growth of loss or gradient norm, over their first values, shortly before a NaN or Inf that
    makes it an explosion."""

    time_attenuation: float = 8.0
    """Decades by which |dL/dh_t| of a recurrent layer falls from its largest to the first time
    step, without progress.  Measured while the loss stands still: sick layers 17 or more, healthy
    ones before they take off 6 or less."""

    time_growth: float = 3.0
    """Decades by which |dL/dh_t| grows from the last time step to the first, without progress.
    An orthogonal kernel of gain 1.6 over 60 steps: 12 (measured)."""

    slow_step: int = 150
    """Train step before which ``slow``, vanishing through time, and an output that does not fit are
    not judged.  Healthy small recurrent networks take off by step 140 (measured)."""

    slow_update_ratio: float = 1.2e-4
    """Norm of the update over norm of the weights below which, in every layer, learning is too
    slow without progress: 150 such steps turn the weights by 2 %.  Healthy before they make
    progress: 1.4e-4 or more (measured); too slow: 1e-4 or less."""

    stall_step: int = 250
    """Train step before which ``stalled`` is not judged."""

    stall_level: float = 0.98
    """Share of the best constant prediction's loss (or of the initial loss) that a stalled loss
    has not come below.  A plateau on which something is learned lies lower."""

    stall_fall: float = 0.03
    """Share by which a loss that is not stalled has fallen since half the time."""

    replica_factor: float = 10.0
    """Factor between the norm of one device's own gradient and the median of the others', at nine
    of ten logged steps of the window, from which a note says so.  Parts of one shuffled batch often
    differ by as much at a single step, but it is not always the same device."""

    def __post_init__(self) -> None:
        """Refuses values that no rule could use."""
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            allowed = _allowed(field.name)
            counts = isinstance(field.default, int)
            wanted = int if counts else (int, float)
            if isinstance(value, bool) or not isinstance(value, wanted):
                raise TypeError(f"`{field.name}` (={value!r}) must be {allowed}.")
            low, high = _RANGE.get(field.name, (1 if counts else 0.0, math.inf))
            # NaN fails every comparison and is refused with the rest.
            inside = low <= value if counts else low < value
            if not (inside and value <= high and math.isfinite(value)):
                raise ValueError(f"`{field.name}` (={value!r}) must be {allowed}.")


_RANGE = {
    "hold_points": (1, 1000),
    "window_points": (3, 1000),
    "settle_step": (0, math.inf),
    "join_steps": (0, math.inf),
    "progress": (0.0, 1.0),
    "loss_smoothing": (0.0, 1.0),
    "loss_growth": (1.0, math.inf),
    "loss_growth_early": (1.0, math.inf),
    "baseline_growth": (1.0, math.inf),
    "slow_step": (0, math.inf),
    "stall_step": (0, math.inf),
    "stall_level": (0.0, 1.0),
    "stall_fall": (0.0, 1.0),
    "weight_growth": (1.0, math.inf),
    "start_excess": (1.0, math.inf),
    "blow_up": (1.0, math.inf),
    "replica_factor": (1.0, math.inf),
}


def _allowed(name: str) -> str:
    """What values ``name`` may take, in words."""
    counts = isinstance(getattr(Thresholds, name), int)
    low, high = _RANGE.get(name, (1 if counts else 0.0, math.inf))
    if counts:
        return f"an int >= {low}" + (f" and <= {high}" if math.isfinite(high) else "")
    return f"a number > {low:g}" + (f" and <= {high:g}" if math.isfinite(high) else "")
