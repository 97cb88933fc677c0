"""From a ``torch.nn.Module`` to its ``ModelStructure``, in the words of Keras.

The rules, and the code that findings suggest, know layers by Keras's names and kernels by Keras's
order of axes, so both are translated here.  Layers come in the order in which they were registered.
Activations that a module calls as functions (``F.relu``) are not seen.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import torch

from tb_gradplugin.structure import Layer, ModelStructure, Variable

_TYPES = {
    "Conv1d": "Conv1D",
    "Conv2d": "Conv2D",
    "Conv3d": "Conv3D",
    "ConvTranspose1d": "Conv1DTranspose",
    "ConvTranspose2d": "Conv2DTranspose",
    "ConvTranspose3d": "Conv3DTranspose",
    "RNN": "SimpleRNN",
    "BatchNorm1d": "BatchNormalization",
    "BatchNorm2d": "BatchNormalization",
    "BatchNorm3d": "BatchNormalization",
    "SyncBatchNorm": "BatchNormalization",
    "InstanceNorm1d": "GroupNormalization",
    "InstanceNorm2d": "GroupNormalization",
    "InstanceNorm3d": "GroupNormalization",
    "GroupNorm": "GroupNormalization",
    "LayerNorm": "LayerNormalization",
    "RMSNorm": "RMSNormalization",
    "MultiheadAttention": "MultiHeadAttention",
}
_ACTIVATIONS = {
    "ReLU": "relu",
    "ReLU6": "relu6",
    "LeakyReLU": "leaky_relu",
    "PReLU": "prelu",
    "ELU": "elu",
    "CELU": "celu",
    "SELU": "selu",
    "GELU": "gelu",
    "SiLU": "silu",
    "Mish": "mish",
    "Sigmoid": "sigmoid",
    "LogSigmoid": "log_sigmoid",
    "Hardsigmoid": "hard_sigmoid",
    "Tanh": "tanh",
    "Hardtanh": "hard_tanh",
    "Softmax": "softmax",
    "LogSoftmax": "log_softmax",
    "Softplus": "softplus",
    "Softsign": "softsign",
}
_OWN_LAYERS = ("ReLU", "LeakyReLU", "PReLU", "ELU", "Softmax")
"""Activations that Keras has a layer of the same name for; the others are its ``Activation``."""
_GATED = ("LSTM", "GRU", "LSTMCell", "GRUCell")
_DEFAULT = "VarianceScaling(scale=0.333333)"
"""What PyTorch draws weights of dense and convolutional layers from, if nothing else is asked for:
uniformly from +-1 / sqrt(fan in)."""
_DEVIATION = 0.1
"""Relative, by which the weights' deviation may be off the default's, as that of few weights is."""


def describe_module(module: torch.nn.Module, parameters: list[Any]) -> ModelStructure:
    """Structure of ``module`` with one row for each of ``parameters``, in their order.

    Args:
        module: as it is trained.
        parameters: of the module, those that have gradients.
    """
    row_ids = {id(p) for p in parameters}
    layers: list[Layer] = []
    home: dict[int, tuple[int, str, Any]] = {}  # parameter -> layer index, name, module
    for path, part in _walk(module):
        for name, parameter in part._parameters.items():
            if parameter is not None:
                home.setdefault(id(parameter), (len(layers), name, part))
        layers.append(_layer(path, part, row_ids))
    rows = []
    for parameter in parameters:
        index, name, part = home[id(parameter)]
        role = _role(part, name, parameter)
        shape = _keras_shape(part, role, tuple(parameter.shape))
        rows.append(Variable(f"{layers[index].path}/{name}", index, role, shape))
    return ModelStructure(
        layers=tuple(layers),
        variables=tuple(rows),
        model=type(module).__name__,
        backend="torch",
    )


def _walk(module: torch.nn.Module) -> Iterator[tuple[str, Any]]:
    """(path, module) of what owns parameters, or is a leaf; each once."""
    for name, part in module.named_modules():
        own = any(p is not None for p in part._parameters.values())
        if own or not any(True for _ in part.children()):
            yield name.replace(".", "/") or type(module).__name__, part


def _layer(path: str, part: Any, row_ids: set[int]) -> Layer:
    own = [p for p in part._parameters.values() if p is not None]
    name = type(part).__name__
    activation = _ACTIVATIONS.get(name)
    if activation and name not in _OWN_LAYERS:
        name = "Activation"
    if name in _GATED:
        activation = "tanh"
    elif isinstance(part, (torch.nn.RNN, torch.nn.RNNCell)):
        activation = part.nonlinearity
    return Layer(
        path=path,
        type=_TYPES.get(name, name),
        activation=activation,
        initializer=_initializer(part),
        trainable=not own or any(id(p) in row_ids for p in own),
        parameters=sum(p.numel() for p in own),
        own=not type(part).__module__.startswith("torch."),
    )


def _initializer(part: Any) -> str | None:
    """PyTorch's default where the weights look like it, None where they come from elsewhere."""
    if not isinstance(part, (torch.nn.Linear, torch.nn.modules.conv._ConvNd)):
        return None
    weight = part.weight.detach().float()
    if weight.numel() < 2:
        return None
    limit = 1.0 / math.sqrt(weight[0].numel())
    expected = limit / math.sqrt(3.0)
    largest, deviation = float(weight.abs().max()), float(weight.square().mean().sqrt())
    if largest > limit * 1.001 or abs(deviation - expected) > _DEVIATION * expected:
        return None
    return _DEFAULT


def _role(part: Any, name: str, parameter: Any) -> str:
    """What a parameter is for the rules, see ``structure.Variable``."""
    if isinstance(part, (torch.nn.Embedding, torch.nn.EmbeddingBag)):
        return "embeddings"
    if "bias" in name:
        return "bias"
    if name.startswith("weight_hh"):
        return "recurrent_kernel"
    if name == "weight" and "Norm" in type(part).__name__:
        return "scale"
    return "kernel" if parameter.dim() >= 2 else "other"


def _keras_shape(part: Any, role: str, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Keras has outputs last and the field of a convolution first."""
    known = isinstance(
        part, (torch.nn.Linear, torch.nn.RNNBase, torch.nn.RNNCellBase, torch.nn.MultiheadAttention)
    )
    if isinstance(part, torch.nn.modules.conv._ConvNd) and len(shape) >= 3:
        return (*shape[2:], shape[1], shape[0])  # a transposed one has both the other way round
    if known and "kernel" in role and len(shape) == 2:
        return shape[::-1]
    return shape
