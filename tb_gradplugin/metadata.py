"""Names and layout of everything the monitor writes: the contract between writer and reader.

``docs/data_format.md`` describes the same in prose.  Nothing here imports a framework.
"""

SCHEMA_VERSION = 1
"""Raised when an older reader could misread newer data; such data is refused with one warning."""

PLUGIN_NAME = "gradients"
"""TensorBoard plugin that owns statistics, training scalars, structure and health."""

HISTOGRAM_PLUGIN_NAME = "gradients_histograms"
"""Owner of the packed histograms: sampling limits go by plugin name, and these are larger."""

MONITOR_SUBDIR = "gradients"
"""Sub-run of the log directory that holds the monitor's own event files."""

STATISTICS_TAG = "gradients/statistics"
HISTOGRAMS_TAG = "gradients/histograms"
WEIGHTS_TAG = "gradients/weights"
TRAINING_TAG = "gradients/training"
HEALTH_TAG = "gradients/health"
MODEL_TAG = "gradients/model"
PROBE_TAG = "gradients/probe"
FIT_TAG = "gradients/fit"
"""The first step of a fit, at the step with which it ended."""
VALIDATION_TAG = "gradients/validation"
"""The loss of held-back data, penalties included, after an epoch."""
ACTIVATIONS_TAG = "gradients/activations"
"""Histograms of layers' outputs, in the event of the probe that saw them; rows are layers."""
MAP_TAG = "gradients/map"
"""A tag of its own for each variable: followed by ``/`` and its row."""

BLOCK_SIZE = 256
"""Rows a statistics or histogram tensor holds; a larger model has further tags, so that no
single read of the data server comes near its 256 MiB limit."""

STATISTICS_COLUMNS = (
    "norm",  # L2 norm of the finite elements
    "mean",  # mean of the finite elements
    "std",  # standard deviation (population) of the finite elements
    "min",  # smallest finite element
    "max",  # largest finite element
    "zero_fraction",  # share of all elements that are exactly zero
    "nan_count",
    "inf_count",
    "weight_norm",  # L2 norm of the variable before the update
    "update_norm",  # L2 norm of (variable after - variable before)
)
"""Columns of ``gradients/statistics``, float32 [variables, 10]; a row of NaN: no gradient."""

TRAINING_COLUMNS = (
    "loss",  # of the batch, total, as the gradient saw it before loss scaling
    "data_loss",  # the same without regularisation terms
    "baseline_loss",  # the best constant prediction's loss on the labels seen so far; NaN: unknown
    "learning_rate",
    "loss_scale",  # 1.0 without loss scaling
    "clip_ratio",  # global norm after clipping / before; 1.0 without clipping
    "skipped",  # 1.0 when loss scaling skipped the update
)
"""Columns of ``gradients/training``, float64 [7]."""

PROBE_COLUMNS = (
    "output_mean",  # mean of the finite elements of the layer's output
    "output_std",  # standard deviation (population) of the finite elements
    "output_max",  # largest |element|, finite ones only
    "nonfinite_share",  # share of elements that are NaN or Inf
    "zero_share",  # share of elements that are exactly zero
    "dead_share",  # share of units (last axis) that are exactly zero for the whole batch
    "saturated_share",  # share of elements on the flat part of tanh or sigmoid; NaN: neither
    "gradient_norm",  # L2 norm of dL/d(output); NaN: no gradient arrives
)
"""Columns of a probe, float32 [layers of the structure, 8]; a row of NaN: not called."""


def block_tag(tag: str, block: int) -> str:
    """Tag of the ``block``-th group of ``BLOCK_SIZE`` rows: the bare tag for the first."""
    return tag if block == 0 else f"{tag}/{block}"
