"""From a Keras model to its ``ModelStructure``: unique paths, forward order, roles."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import keras

from tb_gradplugin.structure import Layer, ModelStructure, Variable

from .recording import innermost

_SEPARATE_LAYERS = {"ReLU", "LeakyReLU", "ELU", "PReLU", "Softmax"}


def describe(
    model: keras.Model, variables: list[Any], call_order: list[keras.layers.Layer]
) -> ModelStructure:
    """Structure of ``model`` with one row for each of ``variables``, in their order.

    A layer is what owns weights, or a leaf without any; recurrent layers count as one, their cells
    are not listed.  ``Variable.path`` is not unique in Keras (two nested models may both have an
    ``fc``), so paths are walked from the model down and repeats get ``#2``.

    Args:
        model: built model.
        variables: trainable variables, as the optimizer received them.
        call_order: layers in the order of their first call; others follow in attribute order.
    """
    found = layers_in_order(model, call_order)
    row_ids = {id(v) for v in variables}
    layers: list[Layer] = []
    home: dict[int, tuple[int, str, Any]] = {}  # variable -> layer index, name, layer
    for index, (path, layer) in enumerate(found):
        for name, variable in _owned(layer):
            home.setdefault(id(variable), (index, name, layer))
        layers.append(_layer(path, layer, row_ids))
    rows: list[Variable] = []
    used: dict[str, int] = {}
    for variable in variables:
        if id(variable) not in home:  # created outside any layer, such as a model's own add_weight
            home[id(variable)] = (len(layers), variable.name, model)
            layers.append(Layer(path=variable.path, type=type(model).__name__))
        index, name, _ = home[id(variable)]
        path = _unique(f"{layers[index].path}/{name}", used)
        shape = tuple(int(n) for n in variable.shape)
        rows.append(Variable(path, index, _role(name, shape), shape))
    optimizer = innermost(getattr(model, "optimizer", None))
    return ModelStructure(
        layers=tuple(layers),
        variables=tuple(rows),
        model=model.name,
        optimizer=None if optimizer is None else type(optimizer).__name__,
        loss=_loss_name(getattr(model, "loss", None)),
        backend=keras.backend.backend(),
    )


def layers_in_order(
    model: keras.Model, call_order: list[keras.layers.Layer]
) -> list[tuple[str, keras.layers.Layer]]:
    """(path, layer) for each layer that ``describe`` lists first, in its order."""
    order = {id(layer): i for i, layer in enumerate(call_order)}
    return sorted(_walk(model), key=lambda item: order.get(id(item[1]), len(order)))


def _unique(path: str, used: dict[str, int]) -> str:
    used[path] = used.get(path, 0) + 1
    return path if used[path] == 1 else f"{path}#{used[path]}"


def _walk(model: keras.Model) -> Iterator[tuple[str, keras.layers.Layer]]:
    """(unique path, layer), each layer once: a shared one belongs to its first owner."""
    used: dict[str, int] = {}
    seen: set[int] = set()

    def walk(owner: Any, prefix: str) -> Iterator[tuple[str, keras.layers.Layer]]:
        for layer in owner._layers:
            if id(layer) in seen or isinstance(layer, keras.layers.InputLayer):
                continue
            seen.add(id(layer))
            path = _unique(prefix + layer.name, used)
            inner = [] if isinstance(layer, keras.layers.RNN) else list(layer._layers)
            own = layer._trainable_variables or layer._non_trainable_variables
            if not inner or (own and not isinstance(layer, keras.Model)):
                yield path, layer
            yield from walk(layer, path + "/") if inner else ()

    yield from walk(model, "")
    if model._trainable_variables:
        yield _unique(model.name, used), model


def _owned(layer: Any) -> Iterator[tuple[str, Any]]:
    """(name, trainable variable) that belongs to a layer; a recurrent layer owns its cell's."""
    if isinstance(layer, keras.layers.RNN):
        for variable in layer.trainable_variables:
            yield variable.name, variable
    else:
        for variable in layer._trainable_variables:
            yield variable.name, variable


def _layer(path: str, layer: Any, row_ids: set[int]) -> Layer:
    is_recurrent = isinstance(layer, keras.layers.RNN)
    own = (
        layer.weights
        if is_recurrent
        else [*layer._trainable_variables, *layer._non_trainable_variables]
    )
    trained = any(id(v) in row_ids for v in own)
    return Layer(
        path=path,
        type=type(layer).__name__,
        activation=activation_name(layer),
        initializer=_initializer(layer),
        trainable=bool(layer.trainable) if not own else trained,
        parameters=sum(math.prod(v.shape) for v in own if "seed" not in v.name),
        own=not type(layer).__module__.startswith("keras"),
    )


def activation_name(layer: Any) -> str | None:
    """Name of the activation function, None for none or a linear one."""
    name = type(layer).__name__
    if name in _SEPARATE_LAYERS:
        return name.lower()
    activation = getattr(layer, "activation", None)
    if activation is None:
        return None
    name = getattr(activation, "__name__", type(activation).__name__.lower())
    return None if name == "linear" else name


def _initializer(layer: Any) -> str | None:
    """Class name and numbers, such as ``RandomNormal(stddev=0.5)`` or ``GlorotUniform``."""
    initializer = getattr(layer, "kernel_initializer", None)
    if initializer is None:
        return None
    name = type(initializer).__name__
    try:
        config = initializer.get_config()
    except Exception:
        return name
    numbers = [
        f"{k}={v:g}"
        for k, v in config.items()
        if isinstance(v, (int, float)) and not isinstance(v, bool) and k != "seed" and v != 0
    ]
    return f"{name}({', '.join(numbers)})" if numbers else name


def _loss_name(loss: Any) -> str | None:
    if loss is None or isinstance(loss, str):
        return loss
    if isinstance(loss, (list, dict)):
        return "several"
    return getattr(loss, "__name__", type(loss).__name__)


def _role(name: str, shape: tuple[int, ...]) -> str:
    """What a variable is for the rules; only kernels are compared over depth."""
    if "embed" in name:
        return "embeddings"
    if "recurrent_kernel" in name:
        return "recurrent_kernel"
    if "bias" in name or name == "beta":
        return "bias"
    if name == "gamma":
        return "scale"
    return "kernel" if len(shape) >= 2 else "other"
