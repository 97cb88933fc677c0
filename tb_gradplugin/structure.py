"""What is known of the model: layers in forward order and the variables that are trained."""

from __future__ import annotations

import dataclasses
import json
import math
from typing import Any

JUDGED_ROLES = ("kernel", "recurrent_kernel")


@dataclasses.dataclass(frozen=True)
class Layer:
    """A leaf layer.

    Attributes:
        path: unique, "/"-separated Keras names from the model down, ``#2`` on a repeat.
        type: class name, such as ``"Dense"``.
        activation: name of the activation function, or None.
        initializer: class name of the kernel's initialiser, or None.
        trainable: False for a frozen layer (shown as not trained, never judged).
        parameters: number of scalar weights, trained or not.
        own: whether its class is none of the framework's.
    """

    path: str
    type: str
    activation: str | None = None
    initializer: str | None = None
    trainable: bool = True
    parameters: int = 0
    own: bool = False


@dataclasses.dataclass(frozen=True)
class Variable:
    """A trainable variable: row i of the statistics belongs to ``structure.variables[i]``.

    Attributes:
        path: unique path, the layer's path and the variable's name.
        layer: index into ``ModelStructure.layers``.
        role: ``kernel``, ``recurrent_kernel``, ``embeddings``, ``bias``, ``scale`` or ``other``.
        shape: as in Keras.
    """

    path: str
    layer: int
    role: str
    shape: tuple[int, ...]

    @property
    def size(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)


def plain_name(name: str | None) -> str:
    """``name`` in small letters without underscores: functions and classes are spelt alike."""
    return (name or "").replace("_", "").lower()


@dataclasses.dataclass(frozen=True)
class ModelStructure:
    """Layers in forward order (first call in one symbolic forward pass) and trained variables.

    ``layers`` includes frozen and weightless leaf layers; ``variables`` only what is trained.
    """

    layers: tuple[Layer, ...]
    variables: tuple[Variable, ...]
    model: str = ""
    optimizer: str | None = None
    loss: str | None = None
    backend: str | None = None

    @property
    def plain_loss(self) -> str:
        """Name of the loss in small letters without underscores; ``""`` without one."""
        return plain_name(self.loss)

    def rows_of_layer(self, layer: int) -> list[int]:
        """Rows of the statistics that belong to layer ``layer`` (an index), in order."""
        return [i for i, v in enumerate(self.variables) if v.layer == layer]

    def to_json(self) -> str:
        """Compact JSON; ``from_json`` reads it back."""
        data = dataclasses.asdict(self)
        for layer in data["layers"]:
            if not layer["own"]:  # as most are not: 13 bytes a layer
                del layer["own"]
        return json.dumps(data, separators=(",", ":"), ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> ModelStructure:
        """Inverse of ``to_json``.

        Raises:
            ValueError: ``text`` is not such a JSON document.
        """
        try:
            data: dict[str, Any] = json.loads(text)
            return cls(
                layers=tuple(Layer(**x) for x in data["layers"]),
                variables=tuple(
                    Variable(x["path"], x["layer"], x["role"], tuple(x["shape"]))
                    for x in data["variables"]
                ),
                model=data["model"],
                optimizer=data["optimizer"],
                loss=data["loss"],
                backend=data["backend"],
            )
        except (KeyError, TypeError, AttributeError) as e:
            raise ValueError(f"not a model structure: {e!r}") from e
