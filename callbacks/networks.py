"""What a recorder has to know of a network: which variables it has, and their structure."""

from __future__ import annotations

import abc
import dataclasses
import math
import re
import sys
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from tb_gradplugin.structure import Layer, ModelStructure, Variable


class Given(NamedTuple):
    """The variables of one call.

    Attributes:
        variables: what stands for each from call to call, and is compared by identity.
        values: their tensors now, or variables that give these.
        live: whether ``Network.values`` tells them later too; else only a further call does.
    """

    variables: list[Any]
    values: list[Any]
    live: bool = True


class Network(abc.ABC):
    """A network whose gradients are recorded.

    Attributes:
        framework: ``"tensorflow"``, ``"jax"`` or ``"torch"``.
        optimizer: the one that belongs to it, or None.
    """

    framework: str
    optimizer: Any = None

    @abc.abstractmethod
    def given(self, variables: Any) -> Given:
        """What a call of ``record`` names as ``variables``.

        Raises:
            TypeError, ValueError: they are not the network's; says which and what to do.
        """

    def gradients(self, gradients: Any, given: Given) -> list[Any]:
        """One gradient, or None, for each variable.

        Raises:
            TypeError, ValueError: they do not fit; says which and what to do.
        """
        return _sequence("gradients", gradients)

    @abc.abstractmethod
    def values(self, variables: list[Any]) -> list[Any]:
        """Of ``Given.variables`` as they are now, if these are ``live``."""

    @abc.abstractmethod
    def describe(self, variables: list[Any]) -> ModelStructure:
        """Structure with one row for each of ``variables``."""


def create_network(model: Any) -> Network:
    """For a Keras model, a PyTorch module, or None for parameters in a tree of JAX arrays.

    Raises:
        TypeError: ``model`` is something else.
    """
    # Whoever has such a model has imported its framework.
    keras, torch = sys.modules.get("keras"), sys.modules.get("torch")
    model = bare(model)
    if keras is not None and isinstance(model, keras.Model):
        return _Keras(model)
    if torch is not None and isinstance(model, torch.nn.Module):
        return _Module(model)
    if model is None:
        return _Tree()
    raise TypeError(
        f"`model` (a {type(model).__name__}) must be a keras.Model, a torch.nn.Module, or None for "
        "parameters in a tree (nested dicts, lists, tuples) of JAX arrays."
    )


def wrappers(model: Any) -> Iterator[Any]:
    """``model``, and what is in it as long as that is a wrapper of PyTorch's; the network last."""
    torch: Any = sys.modules.get("torch")
    while True:
        yield model
        if torch is None or not isinstance(model, torch.nn.Module):
            return
        if hasattr(model, "_orig_mod"):  # what torch.compile compiles
            model = model._orig_mod
        elif type(model).__name__ in ("DataParallel", "DistributedDataParallel"):
            model = model.module
        else:
            return


def bare(model: Any) -> Any:
    """The network itself, under whose names layers are shown."""
    return list(wrappers(model))[-1]


class _Keras(Network):
    def __init__(self, model: Any):
        import keras

        from . import describe

        self.framework = keras.backend.backend()
        self.optimizer = getattr(model, "optimizer", None)
        self._model, self._variable = model, keras.Variable
        self._describe = describe.describe

    def given(self, variables: Any) -> Given:
        own = self._model.trainable_variables
        name = self._model.name
        if not own:
            raise ValueError(
                f"`model` (={name!r}) has no trainable variables: call it on a batch, which builds "
                "it, before its gradients are recorded."
            )
        if variables is None:
            if self.framework == "jax":
                raise ValueError(
                    "`variables` (=None) must be given on the JAX backend: the arrays that the "
                    "gradients were taken at, in the order of model.trainable_variables."
                )
            return Given(own, self.values(own))
        listed = _sequence("variables", variables)
        known = {id(value): v for v in own for value in (v, v.value)}
        found = [known.get(id(v)) for v in listed]
        if self.framework == "jax" and not any(isinstance(v, self._variable) for v in listed):
            # The state of a loop, which Keras's variables know nothing of.
            shapes = [tuple(getattr(v, "shape", ())) for v in listed]
            if shapes == [tuple(v.shape) for v in own]:
                return Given(own, listed, live=False)
        for place, (one, v) in enumerate(zip(found, listed, strict=True)):
            if one is None:
                raise ValueError(
                    f"`variables[{place}]` (={_told(v)}) is not a trainable variable of the model "
                    f"{name!r}: give its trainable_variables, and make one GradientRecorder for "
                    "each network, told apart by `name=`."
                )
        return Given(found, self.values(found))

    def values(self, variables: list[Any]) -> list[Any]:
        return [v.value for v in variables]

    def describe(self, variables: list[Any]) -> ModelStructure:
        return self._describe(self._model, variables, [])


class _Module(Network):
    framework = "torch"

    def __init__(self, module: Any):
        from .describe_module import describe_module

        self._module = module
        self._describe = describe_module

    def given(self, variables: Any) -> Given:
        own = list(self._module.parameters())
        listed = own if variables is None else _sequence("variables", variables)
        if variables is None:
            listed = [p for p in own if p.requires_grad]
        known = {id(p) for p in own}
        for place, p in enumerate(listed):
            if id(p) not in known:
                raise ValueError(
                    f"`variables[{place}]` (={_told(p)}) is not a parameter of the module "
                    f"{type(self._module).__name__}: give its parameters(), and make one "
                    "GradientRecorder for each network, told apart by `name=`."
                )
        if not listed:
            raise ValueError("`model` has no parameter that needs a gradient.")
        return Given(listed, listed)

    def gradients(self, gradients: Any, given: Given) -> list[Any]:
        if gradients is None:
            return [p.grad for p in given.variables]
        return super().gradients(gradients, given)

    def values(self, variables: list[Any]) -> list[Any]:
        return variables

    def describe(self, variables: list[Any]) -> ModelStructure:
        return self._describe(self._module, variables)


@dataclasses.dataclass(frozen=True, eq=False)
class _Leaf:
    """An array of a tree: the keys on the way to it, and its shape."""

    keys: tuple[str, ...]
    shape: tuple[int, ...]


class _Tree(Network):
    framework = "jax"

    def __init__(self) -> None:
        self._known: dict[Any, list[_Leaf]] = {}

    def given(self, variables: Any) -> Given:
        if variables is None:
            raise ValueError("`variables` (=None) must be given where there is no `model`.")
        leaves = {keys: v for keys, v in _leaves(variables).items() if v is not None}
        shapes = {keys: tuple(getattr(v, "shape", ())) for keys, v in leaves.items()}
        if not leaves or not all(hasattr(v, "shape") for v in leaves.values()):
            raise TypeError(
                f"`variables` (a {type(variables).__name__}) must be a tree (nested dicts, lists, "
                "tuples) of JAX arrays where there is no `model`."
            )
        key = tuple(shapes.items())
        if key not in self._known:
            self._known[key] = [_Leaf(keys, shape) for keys, shape in key]
        return Given(self._known[key], list(leaves.values()), live=False)

    def gradients(self, gradients: Any, given: Given) -> list[Any]:
        found = _leaves(gradients)
        for leaf in given.variables:
            if leaf.keys not in found:
                raise ValueError(
                    f"`gradients` has nothing at {'/'.join(leaf.keys)!r}: it must be a tree like "
                    "`variables`, as jax.grad gives it."
                )
        return [found[leaf.keys] for leaf in given.variables]

    def values(self, variables: list[Any]) -> list[Any]:
        raise NotImplementedError("a tree of arrays is not live")

    def describe(self, variables: list[Any]) -> ModelStructure:
        return describe_tree(variables)


def describe_tree(leaves: Iterable[Any]) -> ModelStructure:
    """Structure of parameters of which only the names and shapes are known.

    Arrays in one dict, list or tuple are one layer; one that lies at the top is a layer of its own.
    Layers are in the order of their names, numbers in them by size: JAX keeps no other.
    """
    leaves = list(leaves)
    home = {leaf: leaf.keys[:-1] or leaf.keys for leaf in leaves}
    groups = sorted(set(home.values()), key=lambda keys: [_natural(key) for key in keys])
    layers = [
        Layer(
            path="/".join(keys) or "parameters",
            type="Parameters",
            parameters=sum(math.prod(leaf.shape) for leaf in leaves if home[leaf] == keys),
        )
        for keys in groups
    ]
    rows = []
    for leaf in leaves:
        index = groups.index(home[leaf])
        name = leaf.keys[-1] if leaf.keys else "value"
        rows.append(
            Variable(f"{layers[index].path}/{name}", index, _role(name, leaf.shape), leaf.shape)
        )
    return ModelStructure(tuple(layers), tuple(rows), backend="jax")


def _role(name: str, shape: tuple[int, ...]) -> str:
    if "embed" in name:
        return "embeddings"
    if len(shape) >= 2:
        return "kernel"
    return "scale" if name in ("scale", "gamma") else "bias"


def _natural(key: str) -> list[tuple[int, int, str]]:
    """Orders ``layer_10`` behind ``layer_9``."""
    return [(1, int(p), "") if p.isdigit() else (0, 0, p) for p in re.split(r"(\d+)", key)]


def _leaves(tree: Any) -> dict[tuple[str, ...], Any]:
    """Keys on the way -> array, or None."""
    import jax

    found, _ = jax.tree_util.tree_flatten_with_path(tree, is_leaf=lambda leaf: leaf is None)
    return {tuple(_key(entry) for entry in path): leaf for path, leaf in found}


def _key(entry: Any) -> str:
    """Of a dict, a list, an attribute or whatever else a tree is made of."""
    for name in ("key", "idx", "name"):
        if hasattr(entry, name):
            return str(getattr(entry, name))
    return str(entry)


def _sequence(name: str, given: Any) -> list[Any]:
    if isinstance(given, (str, bytes, dict)) or not isinstance(given, Iterable) or _array(given):
        raise TypeError(
            f"`{name}` (a {type(given).__name__}) must be a list or tuple with one entry for each "
            "variable."
        )
    return list(given)


def _array(given: Any) -> bool:
    return hasattr(given, "shape") and hasattr(given, "dtype")


def _told(variable: Any) -> str:
    """A variable in few words."""
    name = getattr(variable, "path", None) or getattr(variable, "name", None)
    shape = getattr(variable, "shape", None)
    what = type(variable).__name__ if name is None else repr(name)
    return what if shape is None else f"{what} of shape {tuple(shape)}"
