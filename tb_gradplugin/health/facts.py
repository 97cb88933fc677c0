"""What the structure says about some layers, for the sentences and snippets of findings."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from tb_gradplugin.health.progress import REGRESSIONS
from tb_gradplugin.health.rule import number
from tb_gradplugin.records import ProbeRecord, StepRecord
from tb_gradplugin.structure import JUDGED_ROLES, Layer, ModelStructure

if TYPE_CHECKING:
    from tb_gradplugin.health.window import Window

SATURATING = ("sigmoid", "hard_sigmoid", "tanh", "hard_tanh", "softsign", "softmax")
"""Activations whose derivative tends to zero on both sides."""
WEAK = ("sigmoid", "hard_sigmoid", "softmax")
"""Those of them whose derivative is at most a quarter, whatever comes in."""
RECTIFIERS = ("relu", "relu6")
"""Activations whose derivative is exactly zero on one side."""
STEEP = ("exponential", "exp")
SCALED_INITIALISERS = (
    "GlorotUniform",
    "GlorotNormal",
    "HeUniform",
    "HeNormal",
    "LecunUniform",
    "LecunNormal",
    "VarianceScaling",
    "Orthogonal",
    "OrthogonalInitializer",
    "Identity",
    "IdentityInitializer",
)
"""Initialisers that take the layer's width into account."""
_OWN_LAYER = {
    "ReLU": "relu",
    "LeakyReLU": "leaky_relu",
    "ELU": "elu",
    "PReLU": "prelu",
    "Softmax": "softmax",
}


def activation(structure: ModelStructure, layer: int) -> str | None:
    """Activation that follows layer ``layer``: its own or that of a layer after it."""
    own = structure.layers[layer].activation
    if own not in (None, "linear"):
        return own
    for later in structure.layers[layer + 1 :]:
        if later.type in _OWN_LAYER:
            return _OWN_LAYER[later.type]
        if later.type == "Activation":
            return later.activation
        if "Normalization" not in later.type and later.parameters:
            break
    return own


def most_common(names: Iterable[str | None]) -> str | None:
    """The name that most have, None for none."""
    counted = Counter(name for name in names if name)
    return counted.most_common(1)[0][0] if counted else None


def common_activation(structure: ModelStructure, layers: Iterable[int]) -> str | None:
    """The activation that most of ``layers`` have."""
    return most_common(activation(structure, i) for i in layers)


def common_initialiser(structure: ModelStructure, layers: Iterable[int]) -> str | None:
    """The kernel initialiser that most of ``layers`` have."""
    return most_common(structure.layers[i].initializer for i in layers)


def minds_width(initialiser: str) -> bool:
    """Whether it scales with the width, given as ``HeNormal`` or ``VarianceScaling(scale=2)``."""
    return initialiser.partition("(")[0] in SCALED_INITIALISERS


def careless_start(structure: ModelStructure, layers: Iterable[int]) -> bool:
    """Whether most of ``layers`` have an initialiser that is known not to mind the width."""
    initialiser = common_initialiser(structure, layers)
    return initialiser is not None and not minds_width(initialiser)


LECUN = ("selu",)
HE = ("relu", "relu6", "leaky_relu", "prelu", "elu")
"""Activations for which He et al. (2015) keep the variance; for all others Glorot (2010) do. For
GELU and Swish no simple rule does: 25 such layers lose five decades, with He's still one."""
EXPLAINED = 0.5
"""Share of the measured decades from which the initial weights explain a vanishing gradient."""
GROWN = 1.0
"""Decades of growth through all layers from which the initial weights are too large."""


def expected_deviation(structure: ModelStructure, row: int) -> tuple[str, float]:
    """Whose rule for initial weights fits variable ``row``, and their standard deviation by it.

    With fan in n and fan out m: Glorot sqrt(2 / (n + m)), He sqrt(2 / n), LeCun sqrt(1 / n); an
    orthogonal n x m matrix has 1 / sqrt(max(n, m)).  NaN for what is no matrix.
    """
    variable = structure.variables[row]
    if len(variable.shape) < 2 or 0 in variable.shape:
        return "", math.nan
    field = math.prod(variable.shape[:-2])
    fan_in, fan_out = (float(field * n) for n in variable.shape[-2:])
    if variable.role == "recurrent_kernel":
        return "an orthogonal matrix", 1.0 / math.sqrt(max(fan_in, fan_out))
    name = activation(structure, variable.layer)
    if name in LECUN:
        return "LeCun", math.sqrt(1.0 / fan_in)
    if name in HE:
        return "He", math.sqrt(2.0 / fan_in)
    return "Glorot", math.sqrt(2.0 / (fan_in + fan_out))


def starting_weights(window: Window, shown: np.ndarray) -> tuple[float, dict[str, Any]]:
    """How large the weights were at first, against what was expected.

    Returns:
        how much smaller the initial weights make the signal on its way through all layers, in
        decades (negative: larger): the sum of log10 (expected / initial deviation) over the
        kernels; and ``initial_deviation``, ``expected_deviation``, ``expected_by``, ``start_layer``
        of that kernel of the layers ``shown`` that is farthest off.  NaN and nothing where the
        start is not known, as in a run that was resumed.
    """
    rows, units, deviations = window.first_deviations
    rules = window.expected_deviations
    with np.errstate(all="ignore"):
        decades = np.log10(np.array([size for _, size in rules]) / deviations)
    known = np.isfinite(decades)
    off = np.where(known & shown[units], np.abs(decades), -1.0)
    if not (off >= 0.0).any():
        return math.nan, {}
    worst, variables = int(np.argmax(off)), window.structure.variables
    recurrent_ones = np.array([variables[row].role == "recurrent_kernel" for row in rows])
    by, expected = rules[worst]
    return float(decades[known & ~recurrent_ones].sum()), {
        "initial_deviation": float(deviations[worst]),
        "expected_deviation": expected,
        "expected_by": by,
        "start_layer": window.structure.layers[variables[rows[worst]].layer].path,
    }


def start_in_words(start: dict[str, Any], initialiser: str | None) -> str:
    """``starting_weights`` as a clause."""
    by = f", by {initialiser}," if initialiser else ""
    return (
        f"weights of {start['start_layer']}{by} start with deviation "
        f"{start['initial_deviation']:.2g}, where {start['expected_by']} asks for "
        f"{start['expected_deviation']:.2g}"
    )


def is_regression(structure: ModelStructure) -> bool:
    """Whether the loss compares numbers, not probabilities, as far as its name tells."""
    return any(word in structure.plain_loss for word in REGRESSIONS)


FAR_OFF = 10.0
"""Mean, deviation or a tenth of the largest element of a batch from which data is not scaled."""


class Unscaled(NamedTuple):
    """``"inputs"`` or ``"targets"`` of a regression, and their size, which should be about 1."""

    what: str
    size: float

    @property
    def evidence(self) -> dict[str, Any]:
        """As a finding tells it."""
        return {"unscaled": self.what, "data_size": self.size}

    @property
    def clause(self) -> str:
        """What updates were made on, in words."""
        return f", on {self.what} of size {number(self.size)},"


def scales_inputs(structure: ModelStructure) -> bool:
    """Whether a layer before the first kernel scales or normalises the inputs."""
    first = next((v.layer for v in structure.variables if "kernel" in v.role), 0)
    before = structure.layers[:first]
    return any(layer.type.endswith(("Rescaling", "Normalization")) for layer in before)


def normalises(structure: ModelStructure) -> bool:
    """Whether a layer normalises between others (Keras's ``Normalization`` scales inputs)."""
    return any("Norm" in x.type and x.type != "Normalization" for x in structure.layers)


def data_sizes(window: Window) -> list[Unscaled]:
    """Inputs and targets of the batch of the latest probe, as far as their size means something.

    What an embedding looks up is a number of a row and has no size; a model that scales its inputs
    itself may have them of any size; targets count in a regression.

    The size is the largest of |mean|, the deviation and a tenth of the largest |element|.
    """
    probe, found = window.probe, []
    if probe is None:
        return found
    looked_up = any(v.role == "embeddings" for v in window.structure.variables)
    kinds = {} if looked_up or scales_inputs(window.structure) else {"inputs": probe.inputs}
    if is_regression(window.structure):
        kinds["targets"] = probe.targets
    for name, (mean, deviation, largest) in kinds.items():
        size = float(np.fmax.reduce([abs(mean), deviation, largest / 10.0]))
        if 0.0 < size < math.inf:
            found.append(Unscaled(name, size))
    return found


def unscaled(window: Window) -> Unscaled | None:
    """Data that is far too large; None if there is none, or there was no probe."""
    return next((data for data in data_sizes(window) if data.size > FAR_OFF), None)


def faint_inputs(window: Window) -> Unscaled | None:
    """Inputs that are far too small for the usual initial weights and rates, likewise."""
    small = (d for d in data_sizes(window) if d.what == "inputs" and d.size < FAINT)
    return next(small, None)


def same_inputs(window: Window) -> tuple[str, dict[str, Any]] | None:
    """All elements of all inputs being the same, in words and as evidence, if they are."""
    if window.probe is None or window.probe.samples <= 1:
        return None
    mean, deviation, _ = window.probe.inputs
    if deviation != 0.0:
        return None
    return f"every element of the inputs is {number(mean)}", {"data_size": abs(float(mean))}


FAINT = 0.01
"""Size of inputs below which a unit's output does not depend on them at first."""


def own_layers(structure: ModelStructure, layers: list[int]) -> list[str]:
    """Paths of layers without weights between or right behind ``layers``, made by the user."""
    kernels = [v.layer for v in structure.variables if v.role in JUDGED_ROLES]
    end = min((i for i in kernels if i > max(layers)), default=len(structure.layers))
    between = structure.layers[min(layers) : end]
    return [x.path for x in between if x.type == "Lambda" or (x.own and not x.parameters)]


NARROW = 1.0
"""Sum of 1 / width over the ReLU layers from which the gradient varies by chance alone by more than
a decade: its variance is about exp(5 * sum) (Hanin 2018)."""


def inverse_widths(structure: ModelStructure) -> float:
    """Sum of 1 / width over the layers with a kernel and a ReLU behind it."""
    widths = {
        v.layer: v.shape[-1]
        for v in structure.variables
        if v.role in JUDGED_ROLES and len(v.shape) >= 2 and v.shape[-1]
    }
    return sum(1.0 / width for i, width in widths.items() if activation(structure, i) in RECTIFIERS)


NO_GAMMA = 0.05
"""Root mean square of gamma below which normalisation switches a layer off."""


def no_gamma(window: Window) -> tuple[str, dict[str, Any]] | None:
    """Batch normalisation that switches its layer off, in words and as evidence, if there is."""
    path, gamma = window.gamma()
    if not gamma < NO_GAMMA:
        return None
    why = f"the batch normalisation {path} multiplies by a gamma of size {number(gamma)}"
    return why, {"gamma": gamma}


WITHIN_ROWS = ("LayerNormalization", "GroupNormalization", "UnitNormalization", "LayerNorm")
"""Layers that subtract from what they are given a mean over a part of each row."""


LEVEL = 1e-3
"""Deviation of what is normalised, in that of what came in or in 1, which is rounding."""


def levelled(window: Window) -> tuple[str, dict[str, Any]] | None:
    """Normalisation that takes all from its inputs, in words and as evidence, if there is.

    Of one element, or in groups of one, the mean is the element itself, but for rounding: to be
    seen by a probe, or of a layer normalisation by the size of its scale or offset.
    """
    structure, given = window.structure, np.full(len(window.structure.layers) + 1, np.nan)
    if window.probe is not None:
        given[0], given[1:] = window.probe.inputs[1], window.probe.column("output_std")
    one = {v.layer for v in structure.variables if v.size == 1}
    for i, layer in enumerate(structure.layers):
        single = layer.type == "LayerNormalization" and i in one
        if single or (layer.type in WITHIN_ROWS and given[i + 1] < LEVEL * min(given[i], 1.0)):
            why = f"{layer.path} normalises over single elements, of which nothing is left"
            return why, {"normalisation": layer.path}
    return None


def zeros(window: Window) -> tuple[str, dict[str, Any]] | None:
    """Kernels that are all zero, in words and as evidence, if there are."""
    empty = window.empty_kernels
    if not empty:
        return None
    who = "the weights of " + ", ".join(empty[:3]) + (" and others" if len(empty) > 3 else "")
    return f"{who} are all zero, so all of their outputs are alike", {"zero_kernels": len(empty)}


def recurrent(structure: ModelStructure, layers: Iterable[int]) -> bool:
    """Whether one of ``layers`` applies its weights at every step of a sequence."""
    through_time = {v.layer for v in structure.variables if v.role == "recurrent_kernel"}
    return not through_time.isdisjoint(layers)


def by_optimizer(structure: ModelStructure) -> str:
    """``" by Adam"``, or nothing where the optimizer is not known."""
    return f" by {structure.optimizer}" if structure.optimizer else ""


def constructor(structure: ModelStructure, layer: int, **arguments: str) -> str:
    """Keras code that makes layer ``layer`` again with some arguments changed.

    Values of ``arguments`` are source text, such as ``'"relu"'``.
    """
    known: Layer = structure.layers[layer]
    shape = next(
        (
            v.shape
            for v in structure.variables
            if v.layer == layer and v.role in JUDGED_ROLES and v.shape
        ),
        (64,),
    )
    name, given = "Dense", [str(shape[-1])]
    recurrent = [
        v.shape for v in structure.variables if v.layer == layer and v.role == "recurrent_kernel"
    ]
    if recurrent and recurrent[0]:
        name = known.type.removesuffix("Cell")
        name = name if name in ("LSTM", "GRU") else "SimpleRNN"
        given = [str(recurrent[0][0])]
    elif known.type in ("Conv1D", "Conv2D", "Conv3D") and len(shape) >= 3:
        size = shape[0] if len(set(shape[:-2])) == 1 else tuple(shape[:-2])
        name, given = known.type, [str(shape[-1]), str(size)]
    given += [f"{key}={value}" for key, value in arguments.items()]
    return f"keras.layers.{name}({', '.join(given)})"


SATURATED = 0.8
"""Share of a layer's outputs on the flat part of its activation; healthy runs reach 0.6."""


def saturated_share(window: Window) -> float:
    """Largest share of a layer's outputs where its activation is flat, by the latest probe.

    The last layer is left out: outputs of 0 and 1 are what it is for.  0 without a probe.
    """
    if window.probe is None:
        return 0.0
    shares = window.probe.column("saturated_share")[:-1]
    return float(np.fmax.reduce(shares, initial=0.0))


DROPPED = 0.8
"""Rate of dropout that leaves too little of a layer to learn from."""


def dropout_rate(window: Window) -> float:
    """Largest rate of a dropout layer, by the zeros that it added at the latest probe; 0: none.

    How many zeros the inputs hold is not told.  What is kept of them is divided by its share, so
    a rate p raises their mean square to 1 / (1 - p) of what it was.
    """
    probe = window.probe
    if probe is None:
        return 0.0
    zeros, rates = probe.column("zero_share"), []
    for i, layer in enumerate(window.structure.layers):
        if "Dropout" in layer.type:
            if i:
                rates.append(1.0 - (1.0 - zeros[i]) / max(1.0 - zeros[i - 1], 1e-12))
            else:
                given, out = _mean_squares(probe, i)
                rates.append(min(zeros[i], 1.0 - given / max(out, 1e-300)))
    return float(np.fmax.reduce(rates, initial=0.0))


def _mean_squares(probe: ProbeRecord, layer: int) -> tuple[float, float]:
    """Mean square of what comes in and of what comes out, for a layer of one input."""
    moments = np.stack([probe.column("output_mean"), probe.column("output_std")], axis=1)
    given = moments[layer - 1] if layer else probe.inputs[:2]
    return float(np.square(given).sum()), float(np.square(moments[layer]).sum())


def dropped(window: Window) -> tuple[str, dict[str, Any]] | None:
    """Dropout that leaves too little, in words and as evidence, if there is."""
    rate = dropout_rate(window)
    if not rate > DROPPED:
        return None
    return f"dropout switches off {number(100 * rate)} % of a layer", {"dropout_rate": rate}


NOISY = 10.0
"""Size of a layer's noise, in sizes of what it is added to, in which little is left of the data."""


def drowned(window: Window) -> tuple[str, dict[str, Any]] | None:
    """Noise that a layer adds, far larger than its inputs, in words and as evidence."""
    probe = window.probe
    if probe is None:
        return None
    ratios = []
    for i, layer in enumerate(window.structure.layers):
        if layer.type == "GaussianNoise":
            given, out = _mean_squares(probe, i)
            ratios.append(math.sqrt(max(out - given, 0.0) / max(given, 1e-300)))
    ratio = float(np.fmax.reduce(ratios, initial=0.0))
    if not ratio > NOISY:
        return None
    return f"noise {number(ratio)} times as large as the data is added", {"noise_ratio": ratio}


DEEP = 8
"""Layers up to which better initial weights alone let a network learn; from there on its depth is
at fault beside them."""


RANGES = {
    "sigmoid": (0.0, 1.0),
    "hard_sigmoid": (0.0, 1.0),
    "softmax": (0.0, 1.0),
    "tanh": (-1.0, 1.0),
    "relu": (0.0, math.inf),
    "softplus": (0.0, math.inf),
}
"""Values that an activation can give."""


def head(structure: ModelStructure) -> tuple[int, str | None]:
    """Number of units of the last layer with a kernel and its activation; (0, None) without."""
    kernels = [v for v in structure.variables if v.role in JUDGED_ROLES]
    if not kernels:
        return 0, None
    last = max(kernels, key=lambda v: v.layer)
    return (last.shape or (0,))[-1], activation(structure, last.layer)


def constant_output(window: Window) -> bool:
    """Whether the last layer with a kernel is a softmax over one unit."""
    return window.output == (1, "softmax")


def improper(window: Window, record: StepRecord) -> bool:
    """Whether a cross-entropy was given numbers that are no probabilities.

    Made into probabilities, outputs of at most m give no loss above 2 m + log(units), be it by a
    softmax or a sigmoid; known where the probe looked into this step.
    """
    probe, structure = window.probe, window.structure
    units, activation_ = window.output
    if probe is None or probe.step != record.step or "entropy" not in structure.plain_loss:
        return False
    if activation_ not in (None, "linear") or not structure.layers[-1].parameters:
        return False
    if not math.isfinite(record.scalar("baseline_loss")):
        return False  # the loss is weighted or summed
    most = 2.0 * float(probe.column("output_max")[-1]) + math.log(max(units, 2))
    return record.scalar("data_loss") > ABOVE_ROUNDING * most


IMPROPER = "A cross-entropy needs probabilities or `from_logits=True`, and the last layer is linear"
ABOVE_ROUNDING = 1.01
"""Factor by which the loss must be higher than it could be."""


def output_mismatch(window: Window) -> str | None:
    """What does not fit between the last activation, the loss and the targets, in words."""
    probe, activation_ = window.probe, window.output[1]
    loss = window.structure.plain_loss
    if constant_output(window):
        return "The softmax over a single unit is always 1"
    if "entropy" in loss and activation_ in ("relu", "tanh", "elu", "leaky_relu", "selu"):
        return f"A cross-entropy needs probabilities, and the last layer gives {activation_}"
    if window.improper:
        return IMPROPER
    if activation_ in RANGES and probe is not None and "entropy" not in loss:
        low, high = RANGES[activation_]
        mean, deviation, largest = probe.targets
        outside = largest > max(high, -low) if math.isfinite(high) else mean + deviation < low
        if outside or (low == 0.0 and mean < 0.0):
            return (
                f"The last layer's {activation_} gives {low:g} to {high:g}, and targets reach "
                f"{largest:.3g} with a mean of {mean:.3g}"
            )
    return None


def second_faults(window: Window) -> dict[str, Any]:
    """What is wrong beside whatever the cause is, to be mended with it; as evidence."""
    found: dict[str, Any] = {}
    if data := unscaled(window) or faint_inputs(window):
        found |= data.evidence
    if wrong := output_mismatch(window):
        found["output_mismatch"] = wrong
    if careless_start(window.structure, window.layers[window.judged]):
        decades, _ = starting_weights(window, window.judged)
        if abs(decades) > POOR_START:
            found["poor_start"] = decades
    return found


POOR_START = 3.0
"""Decades by which initial weights drawn without regard to the width make the signal smaller, or
larger if negative, from where they are at fault beside whatever else is."""


ROUNDING = 1e-5
"""Share of the loss that may be rounding: more than that is regularisation."""
REGULARISED = 0.5
"""Share of the total loss that regularisation makes up, from which it is why nothing else falls."""
COLLAPSED = 0.3
"""Size of the weights against their start below which nothing but weight decay has moved them."""


def collapsed(window: Window) -> bool:
    """Whether weight decay, or what works like it, has shrunk the weights."""
    return window.shrinkage < COLLAPSED


def penalty(window: Window, share: float) -> tuple[str, dict[str, Any]] | None:
    """What outweighs the data, in words and as evidence; None: nothing does.

    Args:
        window: what is known.
        share: of the total loss that is not the data's.
    """
    if share > REGULARISED:
        why = f"regularisation makes up {number(100 * share)} % of what is minimised"
        return why, {"regularisation_share": share}
    return shrunk(window) if share > ROUNDING else None


def shrunk(window: Window) -> tuple[str, dict[str, Any]] | None:
    """``collapsed`` in words and as evidence, be the decay the loss's or the optimizer's."""
    if not collapsed(window):
        return None
    size = window.shrinkage
    why = f"weight decay has shrunk the weights to {number(100 * size)} % of their size"
    return why, {"weight_size": size}


TINY_BATCH = 2
"""Samples up to which batch normalisation normalises little but noise."""


def tiny_batch(window: Window) -> int | None:
    """Number of samples that batch normalisation works on, where that is too few."""
    normalised = any(layer.type == "BatchNormalization" for layer in window.structure.layers)
    if normalised and window.probe is not None and window.probe.samples <= TINY_BATCH:
        return window.probe.samples
    return None


OPTIMIZERS = (
    *("SGD", "RMSprop", "Adam", "AdamW", "Adagrad", "Adadelta", "Adamax"),
    *("Nadam", "Lion", "Adafactor"),
)


def optimizer_code(structure: ModelStructure, rate: float, **arguments: Any) -> str:
    """Keras code for the optimizer in use with another learning rate."""
    name = structure.optimizer if structure.optimizer in OPTIMIZERS else "Adam"
    more = "".join(f", {key}={value}" for key, value in arguments.items())
    literal = float(f"{rate:.3g}")  # Keras refuses an int: 1.0, not 1
    return f"keras.optimizers.{name}(learning_rate={literal!r}{more})"
