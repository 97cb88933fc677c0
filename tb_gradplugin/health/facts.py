"""What the structure says about some layers, for the sentences and snippets of findings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from tb_gradplugin.structure import JUDGED_ROLES, Layer, ModelStructure

SATURATING = ("sigmoid", "hard_sigmoid", "tanh", "hard_tanh", "softsign", "softmax")
"""Activations whose derivative tends to zero on both sides."""
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


def recurrent(structure: ModelStructure, layers: Iterable[int]) -> bool:
    """Whether one of ``layers`` applies its weights at every step of a sequence."""
    through_time = {v.layer for v in structure.variables if v.role == "recurrent_kernel"}
    return not through_time.isdisjoint(layers)


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


OPTIMIZERS = ("SGD", "RMSprop", "Adam", "AdamW", "Adagrad", "Adamax", "Nadam", "Lion", "Adafactor")


def optimizer_code(structure: ModelStructure, rate: float, **arguments: str) -> str:
    """Keras code for the optimizer in use with another learning rate."""
    name = structure.optimizer if structure.optimizer in OPTIMIZERS else "Adam"
    more = "".join(f", {key}={value}" for key, value in arguments.items())
    literal = float(f"{rate:.3g}")  # Keras refuses an int: 1.0, not 1
    return f"keras.optimizers.{name}(learning_rate={literal!r}{more})"
