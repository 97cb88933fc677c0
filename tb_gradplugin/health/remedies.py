"""What to change for each cause, best first, as Keras 3 code to paste.

Snippets are adapted to the layer at fault (kind, width), its activation and the optimizer in use;
``model`` in them is the model being trained.  Their order in ``PLAN`` is that of the evidence in
``docs/remedies.md``, where each was tried; ``places`` and ``new_rate`` are what the trial shares
with the words.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from tb_gradplugin.health import facts
from tb_gradplugin.health.report import Remedy
from tb_gradplugin.structure import ModelStructure

PLAN: dict[str, tuple[str, ...]] = {
    "vanishing.saturating": ("activation", "normalise", "residual"),
    "vanishing.initialiser": ("initialiser", "normalise", "residual"),
    "vanishing.deep_initialiser": ("residual", "initialiser", "normalise"),
    "vanishing.influence": ("initialiser", "activation"),
    "vanishing.regularised": ("weaken",),
    "vanishing.rate": ("lower", "clip"),
    "vanishing.recurrent": ("pool", "orthogonal", "gated"),
    "vanishing.time": ("pool", "orthogonal", "gated"),
    "vanishing.constant": ("head",),
    "vanishing.gamma": ("layer_norm",),
    "vanishing.blocked": ("unblock", "normalise"),
    "vanishing.depth": ("residual", "normalise", "initialiser"),
    "vanishing.narrow": ("residual", "wider", "normalise"),
    "dead.single_softmax": ("head",),
    "dead.died": ("lower", "clip", "leaky"),
    "dead.deep": ("residual", "normalise", "lower"),
    "dead.mismatch": ("output", "loss"),
    "dead.regularised": ("weaken",),
    "dead.gamma": ("layer_norm",),
    "dead.blocked": ("unblock", "leaky"),
    "dead.faint": ("normalise", "initialiser"),
    "dead.relu_head": ("output", "leaky"),
    "dead.narrow": ("wider", "residual", "normalise"),
    "dead.rectifier": ("leaky", "normalise"),
    "dead.output": ("loss", "head"),
    "dead.inputs": ("labels",),
    "dead.cut": ("leaky", "normalise", "initialiser"),
    "dead.dropout": ("weaken", "lower"),
    "dead.data": ("inputs", "lower", "leaky"),
    "dead.recurrent": ("orthogonal", "lower", "clip"),
    "dead.normalisation": ("layer_norm",),
    "dead.levelled": ("bare",),
    "dead.zeros": ("initialiser",),
    "exploding.rate": ("lower", "clip", "inputs"),
    "exploding.initialiser": ("initialiser", "normalise"),
    "exploding.scale": ("normalise", "initialiser"),
    "exploding.gradient": ("normalise", "clip", "lower"),
    "exploding.recurrent": ("orthogonal", "clip", "lower"),
    "exploding.time": ("orthogonal", "clip", "lower"),
    "exploding.steep": ("activation",),
    "exploding.dropout": ("weaken", "lower"),
    "exploding.data": ("inputs", "lower", "clip"),
    "nonfinite.weights": ("lower", "clip", "find"),
    "nonfinite.data": ("inputs", "lower", "clip"),
    "nonfinite.output": ("output", "loss", "lower"),
    "nonfinite.explosion": ("lower", "inputs", "clip"),
    "nonfinite.forward": ("find", "loss"),
    "nonfinite.logarithm": ("loss", "find"),
    "nonfinite.steep": ("activation",),
    "nonfinite.backward": ("find",),
    "slow.rate": ("raise", "adaptive"),
    "slow.gradient": ("adaptive", "raise"),
    "slow.data": ("inputs", "raise"),
    "stalled.rate": ("raise", "adaptive", "lower"),
    "stalled.overshoot": ("adaptive", "lower", "clip"),
    "stalled.creeping": ("raise", "adaptive", "standardise"),
    "stalled.output": ("output", "loss"),
    "stalled.labels": ("labels", "inputs"),
    "stalled.validation": ("labels", "adaptive", "weaken"),
    "stalled.inputs": ("labels",),
    "stalled.plateau": ("adaptive", "labels", "raise", "standardise"),
    "stalled.regularised": ("weaken",),
    "stalled.normalisation": ("layer_norm",),
    "stalled.saturated": ("normalise", "inputs", "activation"),
}
"""Ids of the remedies of each cause, best first."""


class Pace(NamedTuple):
    """How fast a run trains: its learning rate, and what it makes of the weights.

    ``update_ratio`` is ``|update| / |W|`` in the layers at fault; NaN stands for unknown.
    """

    rate: float
    update_ratio: float = math.nan


def remedies(
    cause_id: str,
    structure: ModelStructure,
    layers: list[int],
    pace: Pace,
    evidence: Mapping[str, Any],
) -> tuple[Remedy, ...]:
    """Remedies for ``cause_id``, best first; the first together with its ``companions``.

    Args:
        cause_id: ``Explanation.cause_id``.
        structure: the model.
        layers: indices of the layers at fault, forward order, at least one.
        pace: how fast it trains.
        evidence: of the finding.
    """
    first, *others = plan(cause_id, structure, pace)
    best = remedy(first, structure, layers, pace)
    for id_ in companions(cause_id, structure, pace, evidence):
        # How far an update went before says nothing of the changed model.
        best = _joined(best, remedy(id_, structure, layers, Pace(pace.rate)))
    return best, *(remedy(id_, structure, layers, pace) for id_ in others)


def plan(cause_id: str, structure: ModelStructure, pace: Pace) -> tuple[str, ...]:
    """Ids of the remedies of ``cause_id``, best first; what the run has already comes last."""
    return tuple(sorted(PLAN[cause_id], key=lambda id_: _there(id_, cause_id, structure, pace)))


def _there(id_: str, cause_id: str, structure: ModelStructure, pace: Pace) -> bool:
    """Whether the run has what the remedy ``id_`` would give it."""
    if id_ == "normalise":
        return len(_with_kernels(structure)) < 2 or facts.normalises(structure)
    # An optimizer that withholds updates (a large epsilon, clipping) is made anew all the same.
    adapts = structure.optimizer in ADAPTIVE and not cause_id.startswith("slow.")
    return id_ == "adaptive" and adapts and times_usual(structure, pace.rate) <= FAST


ADAPTIVE = ("Adam", "AdamW", "Adamax", "Nadam", "RMSprop")
"""Optimizers that give every weight a step of its own size."""


def remedy(id_: str, structure: ModelStructure, layers: list[int], pace: Pace) -> Remedy:
    """The remedy ``id_``, in words and code for this model."""
    title, why, snippet = _MAKE[id_](structure, layers, pace)
    return Remedy(title, why, snippet, id_)


SEARCHES = ("find", "unblock", "labels")
"""Remedies that say where to look: what is found there is not known to anybody beforehand."""
PACES = ("lower", "raise", "adaptive")
"""Remedies that set the learning rate."""
HEADS = ("output", "head", "loss")
"""Remedies that change how the network ends."""
MODELS = ("activation", "initialiser", "normalise", "residual", "leaky", "wider")
"""Remedies that give hidden layers gradients of another size."""
THROWN = ("exploding.", "dead.", "nonfinite.weights", "nonfinite.data", "nonfinite.logarithm")
"""Causes that an update may have had a part in."""
FAR_TOO_FAST, FAST, BRISK, FAR_TOO_SLOW = 100.0, 10.0, 3.0, 0.1
"""Times the usual rate from which a learning rate is at fault beside whatever else is; up to which
clipping alone will do; from which gradient descent, that may have momentum, goes on only while
gradients are small; and up to which it was chosen for what is mended now."""


def companions(
    cause_id: str, structure: ModelStructure, pace: Pace, evidence: Mapping[str, Any]
) -> tuple[str, ...]:
    """What to change together with the first remedy of ``cause_id``: second faults seen beside it.

    A better model does not learn either on data that is not scaled, or with an output that does
    not fit the loss.  And its gradients are of another size: a rate far above the usual throws it
    off again, and one far below was chosen for a network that could not take more.  What reaches
    the first steps of a sequence stays small, and plain gradient descent makes small steps of it.

    Args:
        cause_id, structure, pace: as in ``remedies``.
        evidence: of the finding, see ``facts.second_faults``.
    """
    first = plan(cause_id, structure, pace)[0]
    if first in SEARCHES:
        return ()
    found = []
    if "unscaled" in evidence and first != "inputs":
        found.append("inputs")
    if "output_mismatch" in evidence and first not in HEADS:
        found.append("output")
    if "poor_start" in evidence and first in PACES:
        found.append("initialiser")
    if first not in PACES:
        found += _companion_rate(cause_id, first, structure, pace.rate)
    return tuple(found)


def _companion_rate(cause_id: str, first: str, structure: ModelStructure, rate: float) -> list[str]:
    descent, times = structure.optimizer == "SGD", times_usual(structure, rate)
    if cause_id in ("vanishing.time", "vanishing.recurrent") and descent:
        return ["adaptive"]
    # What is NaN at the first step was not thrown there by an update; a logarithm of 0 may be.
    thrown = cause_id.startswith(THROWN)
    if thrown and first == "orthogonal":
        return ["clip"]
    if thrown and times >= FAR_TOO_FAST:
        return ["lower"]
    if times <= FAR_TOO_SLOW:
        return ["raise"]
    # Sums of many branches or units are large at any rate, as is what a usual rate has thrown.
    thrown_off = first == "normalise" and cause_id.startswith("exploding.")
    brisk = times >= BRISK and first in (*MODELS, "inputs")
    large = first in ("residual", "wider") or thrown_off or brisk
    return ["clip"] if descent and large else []


def _joined(one: Remedy, other: Remedy) -> Remedy:
    """Both at once, under the id of ``one``."""
    title = f"{one.title}, and {other.title[0].lower()}{other.title[1:]}"
    return Remedy(title, f"{one.why} {other.why}", f"{one.snippet}\n\n{other.snippet}", one.id)


def places(id_: str, structure: ModelStructure, layers: list[int]) -> list[int]:
    """Layers that the remedy ``id_`` changes, forward order.

    What weakens a gradient does so in every layer of its kind, not only where it has become too
    small: all hidden layers of the same activation, or all layers of the same initialiser.
    """
    kernels = _with_kernels(structure)
    if not kernels:
        return list(layers)
    if id_ in ("head", "output", "loss"):
        return kernels[-1:]
    if id_ in ("gated", "orthogonal", "pool"):
        return [i for i in kernels if facts.recurrent(structure, [i])]
    if id_ == "initialiser":
        name = facts.common_initialiser(structure, layers)
        if name is None or facts.minds_width(name):
            return [i for i in kernels if i in layers]
        return [
            i
            for i in kernels
            if i in layers or not facts.minds_width(structure.layers[i].initializer or "Identity")
        ]
    name = facts.common_activation(structure, layers)
    return [i for i in kernels[:-1] if i in layers or facts.activation(structure, i) == name]


def usual_rate(structure: ModelStructure) -> float:
    """A usual learning rate for the optimizer in use: Keras's default, where that is one."""
    return USUAL_RATES.get(structure.optimizer or "", 1e-3)


def times_usual(structure: ModelStructure, rate: float) -> float:
    """``rate`` over the usual one, to six digits: 0.1 is ten times 0.01, though float32."""
    return float(f"{rate / usual_rate(structure):.6g}")


USUAL_RATES = {"SGD": 1e-2, "Adagrad": 0.1, "Adadelta": 1.0}
"""Adam's default for all others.  Keras's own for Adagrad and Adadelta, 1e-3, is said in its
documentation to be lower than in their papers (1.0)."""


USUAL_RATIO, SAFE_RATIO = 1e-3, 1e-2
"""``|update| / |W|`` to aim at (Karpathy), and up to which nothing is thrown off."""


def new_rate(id_: str, structure: ModelStructure, pace: Pace) -> float:
    """Learning rate that the remedy ``id_`` sets.

    A rate that is too low is raised tenfold, at least to the usual one, and to where updates are
    a thousandth of the weights, but then not further than ten times the usual one.

    Updates of gradient descent that are too large are brought down to a hundredth of the weights, a
    tenth of that before momentum, but not further than a tenth of the usual rate.  Where the rate
    is far above the usual they say nothing of what they would be at another: see ``settings``.
    """
    rate, ratio = pace
    usual = usual_rate(structure)
    known = math.isfinite(rate) and rate > 0
    if id_ == "lower":
        slower = min(rate / 10, usual) if known else usual / 10
        measured = structure.optimizer == "SGD" and known and 0.0 < ratio < math.inf
        if not measured or times_usual(structure, rate) > FAST:
            return slower
        return min(slower, max(rate * SAFE_RATIO / ratio, usual / 10))
    if id_ == "raise":
        faster = max(rate * 10, usual) if known else usual
        measured = known and 0.0 < ratio < math.inf
        return max(faster, min(rate * USUAL_RATIO / ratio, 10 * usual)) if measured else faster
    if id_ == "clip":
        sane = known and times_usual(structure, rate) <= FAST
        return rate if sane else new_rate("lower", structure, pace)
    return 1e-3  # Adam's default, and steps of a thousandth of unit deviation


def beyond_any_rate(structure: ModelStructure, pace: Pace) -> bool:
    """Whether gradient descent throws the weights off by the size of its gradients, not its rate.

    That is so if the rate is not far above the usual and yet, at the rate and with the momentum
    that the remedy ``lower`` gives it, an update would be larger than the weights.
    """
    rate, ratio = pace
    if structure.optimizer != "SGD" or not 0.0 < times_usual(structure, rate) <= FAST:
        return False
    lowered = ratio * new_rate("lower", structure, pace) / rate
    return math.isfinite(ratio) and lowered / (1.0 - MOMENTUM) > 1.0


NARROW = 32
"""Units below which a deep stack of ReLU layers is likely to die from the start (Lu 2019)."""


def rectifier_for(structure: ModelStructure, places: list[int]) -> str:
    """Activation that the remedy ``activation`` puts in the place of a saturating or steep one."""
    narrow = any(_units(structure, i) < NARROW for i in places)
    return "elu" if narrow else "relu"


def initialiser_for(activation: str | None) -> str:
    """Initialiser that keeps the variance for an activation (Glorot 2010, He 2015)."""
    if activation == "selu":
        return "lecun_normal"
    if activation in (None, "linear", "softmax", *facts.SATURATING):
        return "glorot_uniform"
    return "he_normal"


_BINARY = ("sigmoid", "hard_sigmoid")


def cross_entropy(structure: ModelStructure) -> str:
    """Name of Keras's loss class for the cross-entropy in use; the last layer says which one a loss
    of one's own stands for."""
    name = structure.plain_loss
    binary = "binary" in name or name == "bce"
    if not binary and "categorical" not in name and name != "cce":
        binary = _head_units(structure) == 1 or structure.layers[-1].activation in _BINARY
    kind = "Binary" if binary else "SparseCategorical" if "sparse" in name else "Categorical"
    return f"{kind}Crossentropy"


def _with_kernels(structure: ModelStructure) -> list[int]:
    return sorted({v.layer for v in structure.variables if "kernel" in v.role})


def _units(structure: ModelStructure, layer: int) -> int:
    shapes = (v.shape for v in structure.variables if v.layer == layer and v.shape)
    return next((shape[-1] for shape in shapes), 1)


def _head_units(structure: ModelStructure) -> int:
    kernels = _with_kernels(structure)
    return _units(structure, kernels[-1]) if kernels else 1


def _instead(structure: ModelStructure, layers: list[int], code: str) -> str:
    """Snippet that puts ``code`` in the place of ``layers``."""
    which = "the layer" if len(layers) == 1 else f"each of the {len(layers)} layers"
    names = [structure.layers[i].path for i in layers]
    named = f"{names[0]} to {names[-1]}" if len(names) > 1 else names[0]
    return f"import keras\n\n# in place of {which} {named}, with its own width\n{code}\n"


_Text = tuple[str, str, str]


def _activation(structure: ModelStructure, layers: list[int], pace: Pace) -> _Text:
    where = places("activation", structure, layers) or layers
    new = rectifier_for(structure, where)
    code = facts.constructor(
        structure, where[0], activation=f'"{new}"', kernel_initializer='"he_normal"'
    )
    old = facts.common_activation(structure, layers)
    name = {"relu": "ReLU", "elu": "ELU"}[new]
    alive = "" if new == "relu" else " Unlike ReLU it is nowhere flat: a narrow layer cannot die."
    return (
        f"Use {name} instead of {old}" if old and old != new else f"Use {name}",
        f"{name} passes the gradient on unchanged where it is active, and the He initialiser keeps "
        f"its scale from layer to layer.{alive}",
        _instead(structure, where, f"layer = {code}"),
    )


def _initialiser(structure: ModelStructure, layers: list[int], pace: Pace) -> _Text:
    where = places("initialiser", structure, layers) or layers
    name = facts.common_activation(structure, layers)
    init = initialiser_for(name)
    arguments = {"activation": f'"{name}"'} if name else {}
    code = facts.constructor(structure, where[0], **arguments, kernel_initializer=f'"{init}"')
    head = initialiser_for(facts.activation(structure, where[-1]))
    more = f'  # "{head}" in the last' if head != init else ""
    return (
        f"Initialise with {init}",
        "It takes the width of the layer into account, so signal and gradient keep their scale.",
        _instead(structure, where, f"layer = {code}{more}"),
    )


def sums(structure: ModelStructure) -> bool:
    """Whether layers add up, one after the other: what is added up grows with their number."""
    return sum(layer.type == "Add" for layer in structure.layers) > 1


def _normalise(structure: ModelStructure, layers: list[int], pace: Pace) -> _Text:
    if sums(structure):
        return (
            "Normalise the sums",
            "What is added up grows with each branch; normalisation sets its scale anew.",
            "import keras\n\n\ndef add(x, y):  # in place of each Add\n"
            "    return keras.layers.LayerNormalization()(keras.layers.Add()([x, y]))\n",
        )
    where = places("normalise", structure, layers) or layers
    name = facts.common_activation(structure, layers) or "relu"
    init = initialiser_for(name)
    code = facts.constructor(structure, where[0], use_bias="False", kernel_initializer=f'"{init}"')
    return (
        "Normalise between layers",
        "Normalisation sets the scale anew in each layer, whatever the weights before it are.",
        _instead(
            structure,
            where,
            f"block = keras.Sequential([\n    {code},\n    keras.layers.BatchNormalization(),\n"
            f'    keras.layers.Activation("{name}"),\n])',
        ),
    )


def _residual(structure: ModelStructure, layers: list[int], pace: Pace) -> _Text:
    where = places("residual", structure, layers) or layers
    start = f"keras.initializers.VarianceScaling(2 / {len(where)})"
    code = facts.constructor(structure, where[-1], activation='"relu"', kernel_initializer=start)
    return (
        "Add residual connections",
        "The gradient then has a path around each layer and does not depend on all of them. "
        "Branches that start small keep their sum from growing with depth (Zhang 2019).",
        "import keras\n\n\ndef residual(x):  # for hidden layers with as many outputs as inputs\n"
        f"    y = keras.layers.LayerNormalization()(x)\n    y = {code}(y)\n"
        "    return keras.layers.Add()([x, y])\n",
    )


def _wider(structure: ModelStructure, layers: list[int], pace: Pace) -> _Text:
    where = places("wider", structure, layers) or layers
    return (
        f"Use wider layers: {WIDE} units",
        "The gradient of a deep ReLU network varies by exp(sum of 1 / width): many narrow layers "
        "make it vanish by chance (Hanin 2018).",
        _instead(
            structure,
            where,
            f'layer = keras.layers.Dense({WIDE}, activation="relu", '
            'kernel_initializer="he_normal")',
        ),
    )


WIDE = 64
"""Units of the remedy ``wider``."""


def _lower_rate(structure: ModelStructure, layers: list[int], pace: Pace) -> _Text:
    return _other_rate(
        "lower",
        structure,
        pace,
        "Smaller updates{now} stay where the gradient still tells the way down. "
        "Start again from fresh weights.",
    )


def _raise_rate(structure: ModelStructure, layers: list[int], pace: Pace) -> _Text:
    why = "The updates{now} are too small for the weights to get anywhere."
    return _other_rate("raise", structure, pace, why)


def _other_rate(id_: str, structure: ModelStructure, pace: Pace, why: str) -> _Text:
    new, more = new_rate(id_, structure, pace), settings(id_, structure, pace)
    now = f" ({pace.rate:.3g} now)" if math.isfinite(pace.rate) else ""
    title = f"{id_.capitalize()} the learning rate to {new:.3g}"
    why = why.format(now=now)
    if "momentum" in more:
        title += f", with momentum {MOMENTUM}"
        why += " Momentum adds up the updates that agree."
    if "global_clipnorm" in more:
        title += ", and clip the gradient"
        why += " Clipping bounds what is left of steep places."
    code = facts.optimizer_code(structure, new, **more)
    return title, why, f"import keras\n\noptimizer = {code}\n"


def settings(id_: str, structure: ModelStructure, pace: Pace) -> dict[str, Any]:
    """Further arguments of the optimizer at the rate that the remedy ``id_`` sets.

    Plain gradient descent gets momentum, and is clipped where its rate was far above the usual.
    """
    if structure.optimizer != "SGD":
        return {}
    far = id_ == "lower" and times_usual(structure, pace.rate) > FAST
    return {"momentum": MOMENTUM} | ({"global_clipnorm": 1.0} if far else {})


MOMENTUM = 0.9
"""With it plain gradient descent gets ten times as far at the same rate."""


def _clip(structure: ModelStructure, layers: list[int], pace: Pace) -> _Text:
    new = new_rate("clip", structure, pace)
    return (
        "Clip the gradient",
        "A single huge gradient can then no longer throw the weights far off (Pascanu 2013).",
        f"import keras\n\noptimizer = "
        f"{facts.optimizer_code(structure, new, global_clipnorm='1.0')}\n",
    )


def _adaptive(structure: ModelStructure, layers: list[int], pace: Pace) -> _Text:
    more, why = "", ""
    if epsilon := epsilon_for(pace):
        more = f", epsilon={epsilon:g}"
        why = " Its usual epsilon of 1e-7 would be larger than such gradients."
    return (
        "Use Adam",
        "It gives every weight a step of its own size, so a layer with a small gradient moves too."
        + why,
        f"import keras\n\noptimizer = keras.optimizers.Adam(learning_rate=1e-3{more})\n",
    )


def epsilon_for(pace: Pace) -> float | None:
    """Adam's epsilon in the remedy ``adaptive``; None: its default."""
    return TINY_EPSILON if 0.0 < pace.update_ratio < USUAL_RATIO / 10.0 else None


TINY_EPSILON = 1e-12
"""Below any gradient that float32 can square."""


def _standardise(structure: ModelStructure, layers: list[int], pace: Pace) -> _Text:
    code = facts.optimizer_code(structure, new_rate("standardise", structure, pace))
    return (
        "Standardise the gradients",
        "Each layer then learns at the pace of the learning rate, however small a gradient "
        "arrives in it.",
        "import keras\n\nfrom tb_gradplugin.remedies import StandardisedOptimizer\n\n"
        f"optimizer = StandardisedOptimizer(\n    {code}\n)\n",
    )


def _leaky(structure: ModelStructure, layers: list[int], pace: Pace) -> _Text:
    where = places("leaky", structure, layers) or layers
    code = facts.constructor(
        structure, where[0], activation='"leaky_relu"', kernel_initializer='"he_normal"'
    )
    return (
        "Use leaky ReLU, and biases that start at zero",
        "Its slope is never zero, so a unit can always come back.",
        _instead(structure, where, f"layer = {code}") + BETA * facts.normalises(structure),
    )


BETA = '# and beta_initializer="zeros" in a normalisation between them\n'


def _head(structure: ModelStructure, layers: list[int], pace: Pace) -> _Text:
    return (
        "End in one sigmoid unit, or one softmax unit a class",
        "A softmax over one unit is constant. For two classes take a sigmoid, for a number no "
        "activation at all.",
        'import keras\n\nhead = keras.layers.Dense(1, activation="sigmoid")\n'
        "loss = keras.losses.BinaryCrossentropy()\n"
        "# for a number: keras.layers.Dense(1), and the loss as it is\n",
    )


def _output(structure: ModelStructure, layers: list[int], pace: Pace) -> _Text:
    units = _head_units(structure)
    if facts.is_regression(structure):
        activation, title = None, "End without an activation"
        why = "Only then can the output reach every target."
    else:
        activation = "sigmoid" if cross_entropy(structure).startswith("Binary") else "softmax"
        title = f"End in {activation}"
        why = "The loss expects probabilities: between 0 and 1, for one class of many adding to 1."
    given = f', activation="{activation}"' if activation else ""
    return title, why, f"import keras\n\nhead = keras.layers.Dense({units}{given})\n"


def _loss(structure: ModelStructure, layers: list[int], pace: Pace) -> _Text:
    if facts.is_regression(structure):
        return _find_nan(structure, layers, pace)
    return (
        "Let the loss work on logits",
        "Keras then computes it without overflow and without the logarithm of 0, and it keeps a "
        "gradient where probabilities are 0 or 1.",
        f"import keras\n\nhead = keras.layers.Dense({_head_units(structure)})  # no activation\n"
        f"loss = keras.losses.{cross_entropy(structure)}(from_logits=True)\n",
    )


def _recurrent_units(structure: ModelStructure, layers: list[int]) -> int:
    shapes = (
        v.shape
        for v in structure.variables
        if v.layer in layers and v.role == "recurrent_kernel" and v.shape
    )
    return next((shape[0] for shape in shapes), 64)


def _gated(structure: ModelStructure, layers: list[int], pace: Pace) -> _Text:
    return (
        "Use a gated layer",
        "The cell of an LSTM carries the gradient through time without multiplying it; on shorter "
        "sequences there is less time to cross.",
        f"import keras\n\nlayer = keras.layers.LSTM({_recurrent_units(structure, layers)})\n",
    )


def _orthogonal(structure: ModelStructure, layers: list[int], pace: Pace) -> _Text:
    where = places("orthogonal", structure, layers) or layers
    activation = structure.layers[where[0]].activation
    unbounded = activation not in facts.SATURATING
    return (
        "Start the recurrent kernel orthogonal with gain 1"
        + (f", and use tanh instead of {activation or 'linear'}" if unbounded else ""),
        "An orthogonal matrix neither shrinks nor grows what is multiplied by it at every step"
        + (", and tanh keeps the state from growing." if unbounded else "."),
        _instead(structure, where, f"layer = {_orthogonal_layer(structure, where)}"),
    )


def _pool(structure: ModelStructure, layers: list[int], pace: Pace) -> _Text:
    where = (places("pool", structure, layers) or layers)[-1:]
    layer = _orthogonal_layer(structure, where, "return_sequences=True")
    return (
        "Read all time steps, not only the last",
        "Each state then has a gradient of its own, which has no way to go through time "
        "(Maini 2020); tanh and an orthogonal start keep what goes through it.",
        _instead(
            structure,
            where,
            f"layer = {layer}\npool = keras.layers.GlobalMaxPooling1D()  # of what it gives",
        ),
    )


def _orthogonal_layer(structure: ModelStructure, where: list[int], *more: str) -> str:
    """Code of the first of the recurrent layers ``where`` with tanh and an orthogonal start."""
    known = structure.layers[where[0]].type
    kind = next((k for k in ("LSTM", "GRU") if known.startswith(k)), "SimpleRNN")
    arguments = (
        'activation="tanh"',
        "recurrent_initializer=keras.initializers.Orthogonal(gain=1.0)",
        *more,
    )
    lines = "".join(f",\n    {argument}" for argument in arguments)
    return f"keras.layers.{kind}(\n    {_recurrent_units(structure, where)}{lines},\n)"


def _inputs(structure: ModelStructure, layers: list[int], pace: Pace) -> _Text:
    both = facts.is_regression(structure)
    return (
        "Scale inputs and targets" if both else "Scale the inputs",
        "Values of size 1 keep activations where they respond, and the loss at a sane size.",
        "import numpy as np\n\n\n"
        f"def standardise(values):  # {'x and y' if both else 'x'}, by column\n"
        "    return (values - np.mean(values, axis=0)) / (np.std(values, axis=0) + 1e-7)\n",
    )


def _weaken(structure: ModelStructure, layers: list[int], pace: Pace) -> _Text:
    where = places("weaken", structure, layers) or layers
    code = facts.constructor(
        structure, where[0], kernel_regularizer=f"keras.regularizers.L2({WEAK_L2:g})"
    )
    snippet = f"import keras\n\nlayer = {code}\n"
    snippet += "# and no activity_regularizer or kernel_constraint\n"
    if facts.recurrent(structure, range(len(structure.layers))):
        snippet += "# nor a recurrent_regularizer\n"
    snippet += f"dropout = keras.layers.Dropout({WEAK_DROPOUT})\n"
    if any(layer.type == "GaussianNoise" for layer in structure.layers):
        snippet += "# and no GaussianNoise, or a hundredth of what it adds\n"
    if math.isfinite(pace.rate) and structure.optimizer in DECAYING:
        decay = {"weight_decay": WEAK_DECAY}
        snippet += f"optimizer = {facts.optimizer_code(structure, pace.rate, **decay)}\n"
    else:
        snippet += f"# and an optimizer with a weight_decay of {WEAK_DECAY:g} at most\n"
    return (
        "Weaken the regularisation",
        "Weight decay and dropout may hold the weights where the data cannot move them.",
        snippet,
    )


WEAK_L2, WEAK_DROPOUT, WEAK_DECAY = 1e-5, 0.1, 1e-4
"""What the remedy ``weaken`` leaves of a regulariser, of dropout and of an optimizer's decay."""
DECAYING = ("AdamW", "Muon")
"""Optimizers that decay weights unless they are told not to."""


def _layer_norm(structure: ModelStructure, layers: list[int], pace: Pace) -> _Text:
    return (
        "Use layer normalisation, or larger batches",
        "Batch normalisation over a few examples is mostly noise; layer normalisation does not "
        "look at the batch, and its gamma starts at 1.",
        "import keras\n\n# in place of each BatchNormalization\n"
        "layer = keras.layers.LayerNormalization()\n",
    )


def _bare(structure: ModelStructure, layers: list[int], pace: Pace) -> _Text:
    return (
        "Remove the normalisation of single elements",
        "A mean over one element is that element: what is left of it is 0, whatever comes in.",
        "import keras\n\n# in its place, or normalise over more: a GroupNormalization with fewer\n"
        "# groups than channels, a LayerNormalization where there are more features\n"
        'layer = keras.layers.Activation("linear")\n',
    )


def _unblock(structure: ModelStructure, layers: list[int], pace: Pace) -> _Text:
    return (
        "Replace the operation that has no gradient",
        "Sign, rounding, comparisons, argmax, integers and NumPy let no gradient through. A smooth "
        "function does (tanh for sign), or its gradient in place of theirs.",
        "import keras\n\n\ndef straight_through(x):  # sign, with the gradient of tanh\n"
        "    smooth = keras.ops.tanh(x)\n"
        "    return smooth + keras.ops.stop_gradient(keras.ops.sign(x) - smooth)\n",
    )


def _labels(structure: ModelStructure, layers: list[int], pace: Pace) -> _Text:
    return (
        "Check that inputs and labels belong together",
        "A network that could learn and does not may have nothing to learn: shuffled, constant or "
        "wrongly encoded labels.",
        "import numpy as np\n\n\ndef check(x, y):  # call with the training data\n"
        "    assert len(x) == len(y)\n"
        "    print(np.unique(y, axis=0, return_counts=True))\n"
        "    for i in (0, len(x) // 2, -1):  # look at some: is this the answer to that?\n"
        "        print(x[i], y[i])\n",
    )


def _find_nan(structure: ModelStructure, layers: list[int], pace: Pace) -> _Text:
    return (
        "Find the operation",
        "Typical: the logarithm of 0, a division by 0, the square root or norm of 0, and bad data.",
        "import numpy as np\n\n\ndef check(x, y):  # call with the training data\n"
        "    assert np.isfinite(x).all() and np.isfinite(y).all()\n"
        "\n\n# and with the TensorFlow backend, before training:\n"
        "# tf.debugging.enable_check_numerics()\n",
    )


_MAKE: dict[str, Callable[[ModelStructure, list[int], Pace], _Text]] = {
    "activation": _activation,
    "adaptive": _adaptive,
    "bare": _bare,
    "clip": _clip,
    "find": _find_nan,
    "gated": _gated,
    "head": _head,
    "initialiser": _initialiser,
    "inputs": _inputs,
    "labels": _labels,
    "layer_norm": _layer_norm,
    "leaky": _leaky,
    "loss": _loss,
    "lower": _lower_rate,
    "normalise": _normalise,
    "orthogonal": _orthogonal,
    "output": _output,
    "pool": _pool,
    "raise": _raise_rate,
    "residual": _residual,
    "standardise": _standardise,
    "unblock": _unblock,
    "weaken": _weaken,
    "wider": _wider,
}
IDS = tuple(_MAKE)
"""Every remedy there is."""
