"""Every remedy as a change of a model, its optimizer, its loss or its data: what a user would do.

``apply`` does to a ``Setup`` what the remedy's snippet says, and no more.  Models are rebuilt layer
by layer from their configs, with fresh weights: a sick network is not healed, it is trained anew.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from tb_gradplugin.health import facts, remedies
from tb_gradplugin.health.remedies import Pace
from tb_gradplugin.remedies import StandardisedOptimizer
from tb_gradplugin.structure import ModelStructure

Setup = Any
"""A dataclass with ``model, x, y, loss, optimizer, strip``; ``loss`` may end in ``LOGITS``."""
Change = Callable[[Setup, ModelStructure, list[int], Pace], "Setup | None"]

LOGITS = "+logits"
"""End of the name of a loss that expects logits."""
REGRESSIONS = ("mse", "mae", "huber", "half-mse")


def apply(
    id_: str,
    setup: Setup,
    structure: ModelStructure,
    layers: list[int],
    pace: Pace,
) -> Setup | None:
    """A new ``Setup`` with the remedy ``id_`` applied; None if there is nothing to apply it to.

    Args:
        id_: one of ``tb_gradplugin.health.remedies.IDS``.
        setup: what is to be changed, freshly built; it is not to be used afterwards.
        structure: of the sick run's model, layer names as in ``setup.model``.
        layers: indices of the layers that the finding names.
        pace: by the finding's evidence.
    """
    if id_ in remedies.SEARCHES:
        return None
    return _CHANGES[id_](setup, structure, layers, pace)


# ------------------------------------------------------------------------------------------ models


def rebuilt(model: Any, replace: Callable[[Any], Any]) -> Any:
    """``model`` with fresh weights; ``replace(layer)`` gives another layer, or None for the same.

    Raises:
        TypeError, ValueError: a layer of the model cannot be made again from its config.
    """

    def fresh(layer: Any) -> Any:
        new = replace(layer)
        if new is not None:
            return new
        if isinstance(layer, keras.layers.Lambda):  # its config holds code, which Keras refuses
            return keras.layers.Lambda(layer.function, name=layer.name)
        if isinstance(layer, keras.Model):
            return rebuilt(layer, replace)
        try:
            return again(layer)
        except NotImplementedError:  # one of the user's own that does not say how it was made
            return layer

    new = keras.models.clone_model(model, clone_function=fresh)
    new.trainable = model.trainable
    return new


def with_layers(
    setup: Setup, structure: ModelStructure, places: list[int], make: Callable[[Any], Any]
) -> Setup | None:
    """``setup`` with ``make(layer)`` in the place of the layers at ``places``."""
    paths = [structure.layers[i].path.partition("#")[0].split("/") for i in places]
    names = {path[-1] for path in paths}
    within = {name for path in paths for name in path}  # a recurrent layer around its cell

    def replace(layer: Any) -> Any:
        if isinstance(layer, keras.Model):
            return None
        if layer.name not in (within if isinstance(layer, keras.layers.RNN) else names):
            return None
        return make(layer)

    return exchanged(setup, replace)


def exchanged(setup: Setup, replace: Callable[[Any], Any]) -> Setup | None:
    """``setup`` with its model ``rebuilt``; None if ``replace`` gave no other layer."""
    done: list[str] = []

    def noted(layer: Any) -> Any:
        new = replace(layer)
        if new is not None:
            done.append(layer.name)
        return new

    model = rebuilt(setup.model, noted)
    return dataclasses.replace(setup, model=model) if done else None


def edited(layer: Any, **changes: Any) -> Any:
    """``layer`` anew with some arguments changed; None if it does not know them.

    Biases start at zero, as they do in a layer that is written as the snippets say.
    """
    config = layer.get_config()
    known = {k: v for k, v in changes.items() if k in config}
    if not known:
        return None
    fresh = {"bias_initializer": "zeros"} if "bias_initializer" in config else {}
    return again(layer, **fresh, **known)


def again(layer: Any, **changes: Any) -> Any:
    """``layer`` made anew from its config with some entries changed.

    An activation that is the user's own is handed on: by its name Keras may find another.
    """
    config = layer.get_config() | changes
    own = getattr(layer, "activation", None)
    keras_own = own is getattr(keras.activations, getattr(own, "__name__", ""), None)
    if "activation" in changes or "activation" not in config or own is None or keras_own:
        return type(layer).from_config(config)
    new = type(layer).from_config(config | {"activation": "linear"})
    new.activation = own
    return new


def _input_shape(layer: Any) -> tuple[int, ...]:
    return tuple(layer.get_build_config()["input_shape"][1:])


def _name(layer: Any) -> str | None:
    """The activation that ``layer`` is, if it is nothing else."""
    if isinstance(layer, keras.layers.Activation):
        return layer.activation.__name__
    return facts._OWN_LAYER.get(type(layer).__name__)


def _bare(layer: Any) -> bool:
    """Whether the activation of ``layer``, if any, is a layer of its own."""
    return getattr(layer, "activation", None) is keras.activations.linear


def reactivated(
    setup: Setup, structure: ModelStructure, id_: str, layers: list[int], new: str, **more: Any
) -> Setup | None:
    """Another activation in the places of remedy ``id_``, be it an argument or a layer after it."""
    old = facts.common_activation(structure, layers)
    out = with_layers(
        setup,
        structure,
        remedies.places(id_, structure, layers),
        lambda layer: edited(layer, **more, **({} if _bare(layer) else {"activation": new})),
    )
    if out is None:
        return None
    last = out.model.layers[-1]

    def own(layer: Any) -> Any:
        if layer is last or _name(layer) != old or old is None:
            return None
        return keras.layers.Activation(new, name=layer.name)

    return dataclasses.replace(out, model=rebuilt(out.model, own))


def _activation(setup: Setup, structure: ModelStructure, layers: list[int], pace: Pace) -> Any:
    new = remedies.rectifier_for(structure, remedies.places("activation", structure, layers))
    more = {"kernel_initializer": "he_normal"}
    return reactivated(setup, structure, "activation", layers, new, **more)


def _leaky(setup: Setup, structure: ModelStructure, layers: list[int], pace: Pace) -> Any:
    more = {"kernel_initializer": "he_normal"}
    out = reactivated(setup, structure, "leaky", layers, "leaky_relu", **more)
    if out is None:
        return None

    def centred(layer: Any) -> Any:  # the bias of a layer that is normalised is the beta
        own = "Normalization" in type(layer).__name__ and "beta_initializer" in layer.get_config()
        return again(layer, beta_initializer="zeros") if own else None

    return dataclasses.replace(out, model=rebuilt(out.model, centred))


def _initialiser(setup: Setup, structure: ModelStructure, layers: list[int], pace: Pace) -> Any:
    places = remedies.places("initialiser", structure, layers)
    names = {structure.layers[i].path.rpartition("/")[2]: i for i in places}
    return with_layers(
        setup,
        structure,
        places,
        lambda layer: edited(
            layer,
            kernel_initializer=remedies.initialiser_for(
                facts.activation(structure, names[layer.name])
            ),
        ),
    )


def _normalise(setup: Setup, structure: ModelStructure, layers: list[int], pace: Pace) -> Any:
    if facts.normalises(structure):
        return None
    if remedies.sums(structure):
        return exchanged(setup, _normalised_sum)
    name = facts.common_activation(structure, layers) or "relu"

    def block(layer: Any) -> Any:
        changes = {"activation": "linear", "use_bias": False}
        plain = edited(layer, kernel_initializer=remedies.initialiser_for(name), **changes)
        if plain is None:
            return None
        after = [keras.layers.BatchNormalization()]
        after += [] if _bare(layer) else [keras.layers.Activation(name)]
        shape = keras.Input(_input_shape(layer))
        return keras.Sequential([shape, plain, *after], name=layer.name)

    return with_layers(setup, structure, remedies.places("normalise", structure, layers), block)


class NormalisedSum(keras.layers.Add):
    """The sum of its inputs, normalised over the last axis."""

    def __init__(self, **settings: Any):
        super().__init__(**settings)
        self.norm = keras.layers.LayerNormalization()

    def build(self, input_shape: Any) -> None:
        super().build(input_shape)
        self.norm.build(input_shape[0])

    def call(self, inputs: Any) -> Any:
        return self.norm(super().call(inputs))


def _normalised_sum(layer: Any) -> Any:
    return NormalisedSum(name=layer.name) if type(layer) is keras.layers.Add else None


def _residual(setup: Setup, structure: ModelStructure, layers: list[int], pace: Pace) -> Any:
    where = remedies.places("residual", structure, layers)

    def block(layer: Any) -> Any:
        shape = _input_shape(layer)
        goes_around = tuple(layer.compute_output_shape((None, *shape))[1:]) == shape
        start = keras.initializers.VarianceScaling(2.0 / (len(where) if goes_around else 1))
        new = edited(layer, activation="relu", kernel_initializer=start)
        if new is None or not goes_around:
            return new
        x = keras.Input(shape)
        y = new(keras.layers.LayerNormalization()(x))
        return keras.Model(x, keras.layers.Add()([x, y]), name=layer.name)

    return with_layers(setup, structure, where, block)


def _wider(setup: Setup, structure: ModelStructure, layers: list[int], pace: Pace) -> Any:
    changes = {"units": remedies.WIDE, "activation": "relu", "kernel_initializer": "he_normal"}
    return with_layers(
        setup,
        structure,
        remedies.places("wider", structure, layers),
        lambda layer: edited(layer, **changes) if hasattr(layer, "units") else None,
    )


def _gated(setup: Setup, structure: ModelStructure, layers: list[int], pace: Pace) -> Any:
    def lstm(layer: Any) -> Any:
        if not isinstance(layer, keras.layers.SimpleRNN):
            return None
        keep = ("units", "return_sequences", "return_state", "go_backwards", "name")
        return keras.layers.LSTM(**{k: layer.get_config()[k] for k in keep})

    return with_layers(setup, structure, remedies.places("gated", structure, layers), lstm)


def _orthogonal(setup: Setup, structure: ModelStructure, layers: list[int], pace: Pace) -> Any:
    places = remedies.places("orthogonal", structure, layers)
    return with_layers(setup, structure, places, _orthogonally)


def _orthogonally(layer: Any, **more: Any) -> Any:
    """A recurrent layer anew with tanh and a recurrent kernel that starts orthogonal."""
    start = {"class_name": "Orthogonal", "config": {"gain": 1.0}}
    changes = {"activation": "tanh", "recurrent_initializer": start, "unit_forget_bias": True}
    return edited(layer, **changes, **more)


def _pool(setup: Setup, structure: ModelStructure, layers: list[int], pace: Pace) -> Any:
    pooled: list[str] = []

    def block(layer: Any) -> Any:
        if getattr(layer, "return_sequences", True):
            return _orthogonally(layer)  # below another one, or a part of one
        every = _orthogonally(layer, return_sequences=True, name=f"{layer.name}_every")
        if every is None:
            return None
        pooled.append(layer.name)
        shape = keras.Input(_input_shape(layer))
        return keras.Sequential([shape, every, keras.layers.GlobalMaxPooling1D()], name=layer.name)

    new = with_layers(setup, structure, remedies.places("pool", structure, layers), block)
    return new if pooled else None


def _weaken(setup: Setup, structure: ModelStructure, layers: list[int], pace: Pace) -> Any:
    changed = []

    def weaker(layer: Any) -> Any:
        config = layer.get_config()
        changes = {}
        if isinstance(layer, keras.layers.Dropout) and layer.rate > remedies.WEAK_DROPOUT:
            changes["rate"] = remedies.WEAK_DROPOUT
        if isinstance(layer, keras.layers.GaussianNoise):
            changes["stddev"] = 0.0
        if config.get("kernel_regularizer"):
            changes["kernel_regularizer"] = keras.regularizers.L2(remedies.WEAK_L2)
        names = ("activity_regularizer", "kernel_constraint", "recurrent_regularizer")
        changes |= {name: None for name in names if config.get(name)}
        if not changes:
            return None
        changed.append(layer.name)
        return again(layer, **changes)

    model, optimizer = rebuilt(setup.model, weaker), setup.optimizer
    if (optimizer.weight_decay or 0.0) > remedies.WEAK_DECAY:
        optimizer = reoptimised(optimizer, pace.rate, weight_decay=remedies.WEAK_DECAY)
        changed.append("optimizer")
    return dataclasses.replace(setup, model=model, optimizer=optimizer) if changed else None


def _layer_norm(setup: Setup, structure: ModelStructure, layers: list[int], pace: Pace) -> Any:
    def other(layer: Any) -> Any:
        is_batch = isinstance(layer, keras.layers.BatchNormalization)
        return keras.layers.LayerNormalization(name=layer.name) if is_batch else None

    return exchanged(setup, other)


def _without_norms(setup: Setup, structure: ModelStructure, layers: list[int], pace: Pace) -> Any:
    def other(layer: Any) -> Any:
        levels = type(layer).__name__ in facts.WITHIN_ROWS
        return keras.layers.Activation("linear", name=layer.name) if levels else None

    return exchanged(setup, other)


# ----------------------------------------------------------------------------------- head and loss


def _with_head(setup: Setup, activation: str, **changes: Any) -> Setup:
    """Another activation at the end, be it an argument of the last layer or a layer of its own."""
    last = setup.model.layers[-1]
    own = _name(last) is not None

    def replace(layer: Any) -> Any:
        if layer is not last:
            return None
        if own:
            return keras.layers.Activation(activation, name=layer.name)
        return edited(layer, activation=activation)

    return dataclasses.replace(setup, model=rebuilt(setup.model, replace), **changes)


def _head(setup: Setup, structure: ModelStructure, layers: list[int], pace: Pace) -> Any:
    two_classes = setup.y.shape[1:] == (1,) and set(np.unique(setup.y)) <= {0, 1}
    if two_classes:
        return _with_head(setup, "sigmoid", loss="bce", strip=False)
    return _with_head(setup, "linear") if setup.loss in REGRESSIONS else None


def _is_binary(structure: ModelStructure) -> bool:
    return remedies.cross_entropy(structure).startswith("Binary")


def _output(setup: Setup, structure: ModelStructure, layers: list[int], pace: Pace) -> Any:
    if setup.loss in REGRESSIONS or str(setup.loss).endswith(LOGITS):
        return _with_head(setup, "linear")
    return _with_head(setup, "sigmoid" if _is_binary(structure) else "softmax", strip=False)


def _loss(setup: Setup, structure: ModelStructure, layers: list[int], pace: Pace) -> Any:
    if setup.loss in REGRESSIONS or setup.y.min() < 0.0 or setup.y.max() > 1.0:
        return None
    loss = ("bce" if _is_binary(structure) else "cce") + LOGITS
    return _with_head(setup, "linear", loss=loss, strip=False, baseline=None)


# ------------------------------------------------------------------------------- optimizer and data


def reoptimised(optimizer: Any, rate: float, **changes: Any) -> Any:
    """The optimizer anew, at another learning rate; clipped in one way, if in another than now."""
    if "global_clipnorm" in changes:
        changes |= {"clipnorm": None, "clipvalue": None}
    config = optimizer.get_config() | {"learning_rate": float(rate)} | changes
    return type(optimizer).from_config(config)


def _rate(id_: str) -> Change:
    def change(setup: Setup, structure: ModelStructure, layers: list[int], pace: Pace) -> Any:
        rate = remedies.new_rate(id_, structure, pace)
        more = remedies.settings(id_, structure, pace)
        return dataclasses.replace(setup, optimizer=reoptimised(setup.optimizer, rate, **more))

    return change


def _clip(setup: Setup, structure: ModelStructure, layers: list[int], pace: Pace) -> Any:
    new = reoptimised(
        setup.optimizer,
        remedies.new_rate("clip", structure, pace),
        global_clipnorm=1.0,
    )
    return dataclasses.replace(setup, optimizer=new)


def _adaptive(setup: Setup, structure: ModelStructure, layers: list[int], pace: Pace) -> Any:
    epsilon = remedies.epsilon_for(pace)
    more = {} if epsilon is None else {"epsilon": epsilon}
    return dataclasses.replace(setup, optimizer=keras.optimizers.Adam(1e-3, **more))


def _standardise(setup: Setup, structure: ModelStructure, layers: list[int], pace: Pace) -> Any:
    inner = reoptimised(setup.optimizer, remedies.new_rate("standardise", structure, pace))
    return dataclasses.replace(setup, optimizer=StandardisedOptimizer(inner))


def standardised(values: np.ndarray) -> np.ndarray:
    """As in the snippet of the remedy ``inputs``."""
    scaled = (values - np.mean(values, axis=0)) / (np.std(values, axis=0) + 1e-7)
    return scaled.astype(values.dtype)


def _inputs(setup: Setup, structure: ModelStructure, layers: list[int], pace: Pace) -> Any:
    if isinstance(setup.x, tuple) or not np.issubdtype(setup.x.dtype, np.floating):
        return None  # tokens have no scale; which of several inputs is meant is not told
    y = standardised(setup.y) if setup.loss in REGRESSIONS else setup.y
    return dataclasses.replace(setup, x=standardised(setup.x), y=y)


_CHANGES: dict[str, Change] = {
    "activation": _activation,
    "adaptive": _adaptive,
    "bare": _without_norms,
    "clip": _clip,
    "gated": _gated,
    "head": _head,
    "initialiser": _initialiser,
    "inputs": _inputs,
    "layer_norm": _layer_norm,
    "leaky": _leaky,
    "loss": _loss,
    "lower": _rate("lower"),
    "normalise": _normalise,
    "orthogonal": _orthogonal,
    "output": _output,
    "pool": _pool,
    "raise": _rate("raise"),
    "residual": _residual,
    "standardise": _standardise,
    "weaken": _weaken,
    "wider": _wider,
}
