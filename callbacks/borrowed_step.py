"""Small tools of the captures: what is replaced for a step, what is read of an optimizer."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import keras


@contextlib.contextmanager
def replaced(owner: Any, name: str, value: Any) -> Iterator[None]:
    """``owner.name`` is ``value`` meanwhile, set on the instance past Keras's tracking."""
    kept = owner.__dict__.get(name)
    owner.__dict__[name] = value
    try:
        yield
    finally:
        if kept is None:
            owner.__dict__.pop(name, None)
        else:
            owner.__dict__[name] = kept


def set_train_function(model: Any, function: Any) -> None:
    """Sets the train function past Keras's tracking of attributes, which takes its time."""
    model.__dict__["train_function"] = function


def value_of(variable: Any) -> Any:
    """A backend's tensor, of a variable of Keras or as it is."""
    return variable.value if isinstance(variable, keras.Variable) else variable


def loss_scale(optimizer: Any) -> Any:
    """Factor by which the gradients that ``optimizer`` receives are multiplied: tensor or number.

    To be read before its call, which may change it.
    """
    if isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        return value_of(optimizer.dynamic_scale) if optimizer.built else optimizer.initial_scale
    return getattr(optimizer, "loss_scale_factor", None) or 1.0


def learning_rate(optimizer: Any) -> Any:
    """The rate that the optimizer's next call uses: tensor or number, negative if it has none."""
    return value_of(getattr(optimizer, "learning_rate", -1.0))


def variables_of(optimizer: Any, given: Any) -> list[Any]:
    """The variables that a call of ``optimizer`` updates: those ``given`` to it, or its own."""
    return list(optimizer._trainable_variables if given is None else given)
