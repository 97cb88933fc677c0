"""What to change for each cause, best first, as Keras 3 code to paste.

Snippets are adapted to the layer at fault (kind, width), its activation and the optimizer in use;
``model`` in them is the model being trained.
"""

from __future__ import annotations

import math

from tb_gradplugin.health import facts
from tb_gradplugin.health.report import Remedy
from tb_gradplugin.structure import ModelStructure


def remedies(
    cause_id: str, structure: ModelStructure, layers: list[int], rate: float
) -> tuple[Remedy, ...]:
    """Remedies for ``cause_id``, best first.

    Args:
        cause_id: ``Explanation.cause_id``.
        structure: the model.
        layers: indices of the layers at fault, forward order, at least one.
        rate: learning rate in use; NaN if unknown.
    """
    make = {
        "activation": _activation,
        "initialiser": _initialiser,
        "normalise": _normalise,
        "residual": _residual,
        "lower": _lower_rate,
        "clip": _clip,
        "leaky": _leaky,
        "head": _head,
        "loss": _loss,
        "gated": _gated,
        "orthogonal": _orthogonal,
        "inputs": _inputs,
        "find": _find_nan,
    }
    return tuple(make[name](structure, layers, rate) for name in _PLAN[cause_id])


_PLAN: dict[str, tuple[str, ...]] = {
    "vanishing.saturating": ("activation", "normalise", "residual"),
    "vanishing.initialiser": ("initialiser", "normalise", "residual"),
    "vanishing.influence": ("initialiser", "activation", "inputs"),
    "vanishing.recurrent": ("gated", "orthogonal"),
    "vanishing.depth": ("residual", "normalise", "initialiser"),
    "dead.single_softmax": ("head",),
    "dead.died": ("lower", "leaky", "clip"),
    "dead.faint": ("initialiser", "normalise", "lower"),
    "dead.rectifier": ("leaky", "initialiser", "inputs"),
    "dead.output": ("loss", "head"),
    "dead.cut": ("leaky", "normalise", "initialiser"),
    "exploding.rate": ("lower", "clip", "inputs"),
    "exploding.initialiser": ("initialiser", "normalise", "lower"),
    "exploding.recurrent": ("clip", "orthogonal", "lower"),
    "exploding.steep": ("activation", "initialiser", "lower"),
    "nonfinite.weights": ("lower", "clip", "find"),
    "nonfinite.explosion": ("lower", "clip", "inputs"),
    "nonfinite.forward": ("loss", "lower", "inputs"),
    "nonfinite.steep": ("activation", "initialiser", "lower"),
    "nonfinite.backward": ("find", "clip", "lower"),
}


def _rate(structure: ModelStructure, rate: float) -> float:
    """A tenth of the learning rate in use, at most Keras' default for the optimizer."""
    usual = 1e-2 if structure.optimizer == "SGD" else 1e-3
    return min(rate / 10, usual) if math.isfinite(rate) and rate > 0 else usual / 10


def _initialiser_for(activation: str | None) -> str:
    """Initialiser that keeps the variance for an activation (Glorot 2010, He 2015)."""
    if activation in ("selu",):
        return '"lecun_normal"'
    if activation in (None, "linear", "softmax", *facts.SATURATING):
        return '"glorot_uniform"'
    return '"he_normal"'


def _activation(structure: ModelStructure, layers: list[int], rate: float) -> Remedy:
    code = facts.constructor(
        structure, layers[0], activation='"relu"', kernel_initializer='"he_normal"'
    )
    old = facts.common_activation(structure, layers)
    return Remedy(
        f"Use ReLU instead of {old}" if old and old != "relu" else "Use ReLU",
        "ReLU passes the gradient on unchanged where it is active, and the He initialiser keeps "
        "its scale from layer to layer.",
        f"import keras\n\n# in place of each of the layers at fault\nlayer = {code}\n",
    )


def _initialiser(structure: ModelStructure, layers: list[int], rate: float) -> Remedy:
    name = facts.common_activation(structure, layers)
    init = _initialiser_for(name)
    arguments = {"activation": f'"{name}"'} if name else {}
    code = facts.constructor(structure, layers[0], **arguments, kernel_initializer=init)
    return Remedy(
        f"Initialise with {init.strip(chr(34))}",
        "It takes the width of the layer into account, so signal and gradient keep their scale.",
        f"import keras\n\n# in place of each of the layers at fault\nlayer = {code}\n",
    )


def _normalise(structure: ModelStructure, layers: list[int], rate: float) -> Remedy:
    name = facts.common_activation(structure, layers) or "relu"
    code = facts.constructor(structure, layers[0], use_bias="False")
    return Remedy(
        "Normalise between layers",
        "Normalisation sets the scale anew in each layer, whatever the weights before it are.",
        "import keras\n\n# in place of each of the layers at fault\nblock = keras.Sequential([\n"
        f"    {code},\n    keras.layers.BatchNormalization(),\n"
        f'    keras.layers.Activation("{name}"),\n])\n',
    )


def _residual(structure: ModelStructure, layers: list[int], rate: float) -> Remedy:
    code = facts.constructor(
        structure, layers[0], activation='"relu"', kernel_initializer='"he_normal"'
    )
    return Remedy(
        "Add residual connections",
        "The gradient then has a path around each layer and does not depend on all of them.",
        "import keras\n\n\ndef residual(x):  # for layers with as many outputs as inputs\n"
        f"    y = keras.layers.LayerNormalization()(x)\n    y = {code}(y)\n"
        "    return keras.layers.Add()([x, y])\n",
    )


def _lower_rate(structure: ModelStructure, layers: list[int], rate: float) -> Remedy:
    new = _rate(structure, rate)
    now = f" ({rate:.3g} now)" if math.isfinite(rate) else ""
    return Remedy(
        f"Lower the learning rate to {new:.3g}",
        f"Smaller updates{now} stay where the gradient still tells the way down. "
        "Start again from fresh weights.",
        f"import keras\n\noptimizer = {facts.optimizer_code(structure, new)}\n",
    )


def _clip(structure: ModelStructure, layers: list[int], rate: float) -> Remedy:
    keep = rate if math.isfinite(rate) and 0 < rate <= 1e-2 else _rate(structure, rate)
    return Remedy(
        "Clip the gradient",
        "A single huge gradient can then no longer throw the weights far off (Pascanu 2013).",
        f"import keras\n\noptimizer = "
        f"{facts.optimizer_code(structure, keep, global_clipnorm='1.0')}\n",
    )


def _leaky(structure: ModelStructure, layers: list[int], rate: float) -> Remedy:
    code = facts.constructor(
        structure, layers[0], activation='"leaky_relu"', kernel_initializer='"he_normal"'
    )
    return Remedy(
        "Use leaky ReLU, and biases that start at zero",
        "Its slope is never zero, so a unit can always come back.",
        f"import keras\n\n# in place of each of the layers at fault\nlayer = {code}\n",
    )


def _head(structure: ModelStructure, layers: list[int], rate: float) -> Remedy:
    return Remedy(
        "End in one sigmoid unit, or one softmax unit a class",
        "A softmax over one unit is constant. For two classes take a sigmoid, for a number no "
        "activation at all.",
        'import keras\n\nhead = keras.layers.Dense(1, activation="sigmoid")\n'
        "loss = keras.losses.BinaryCrossentropy()\n",
    )


def _loss(structure: ModelStructure, layers: list[int], rate: float) -> Remedy:
    name = (structure.loss or "").replace("_", "").lower()
    if name and "entropy" not in name:
        return _find_nan(structure, layers, rate)
    kind = "Categorical"
    kind = "Binary" if "binary" in name else "SparseCategorical" if "sparse" in name else kind
    return Remedy(
        "Let the loss work on logits",
        "Keras then computes it without overflow and without the logarithm of 0, and it keeps a "
        "gradient where probabilities are 0 or 1.",
        "import keras\n\n# with a last layer without activation\n"
        f"loss = keras.losses.{kind}Crossentropy(from_logits=True)\n",
    )


def _gated(structure: ModelStructure, layers: list[int], rate: float) -> Remedy:
    units = next((v.shape[-1] for v in structure.variables if v.layer in layers and v.shape), 64)
    units = units // 4 if "LSTM" in structure.layers[layers[0]].type else units
    return Remedy(
        "Use a gated layer on shorter sequences",
        "The cell of an LSTM carries the gradient through time without multiplying it.",
        f"import keras\n\nlayer = keras.layers.LSTM({units})\n",
    )


def _orthogonal(structure: ModelStructure, layers: list[int], rate: float) -> Remedy:
    units = next(
        (
            v.shape[0]
            for v in structure.variables
            if v.layer in layers and v.role == "recurrent_kernel" and v.shape
        ),
        64,
    )
    return Remedy(
        "Start the recurrent kernel orthogonal with gain 1",
        "An orthogonal matrix neither shrinks nor grows what is multiplied by it at every step.",
        f"import keras\n\nlayer = keras.layers.SimpleRNN(\n    {units}, "
        "recurrent_initializer=keras.initializers.Orthogonal(gain=1.0)\n)\n",
    )


def _inputs(structure: ModelStructure, layers: list[int], rate: float) -> Remedy:
    return Remedy(
        "Scale inputs and targets",
        "Values of size 1 keep activations where they respond, and the loss at a sane size.",
        "import numpy as np\n\n\ndef standardise(values):  # for x, and for y of a regression\n"
        "    return (values - np.mean(values, axis=0)) / (np.std(values, axis=0) + 1e-7)\n",
    )


def _find_nan(structure: ModelStructure, layers: list[int], rate: float) -> Remedy:
    return Remedy(
        "Find the operation",
        "Typical: the logarithm of 0, a division by 0, the square root or norm of 0, and bad data.",
        "import numpy as np\n\n\ndef check(x, y):  # call with the training data\n"
        "    assert np.isfinite(x).all() and np.isfinite(y).all()\n"
        "\n\n# and with the TensorFlow backend, before training:\n"
        "# tf.debugging.enable_check_numerics()\n",
    )
