"""What the captures of all backends share: a train step that is borrowed for once.

``fit`` reads ``model.train_function`` anew at every step.  For a step to be captured a one-shot
takes its place, which puts the user's own function back before it does anything else.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import keras

from .capture import find_optimizers, no_probe


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


def shortest(rate: float) -> float:
    """The number meant by a float32: 0.001 for 0.0010000000474974513; NaN for a negative one."""
    return float(f"{rate:.7g}") if rate >= 0.0 else float("nan")


class BorrowedStep:
    """The parts of ``capture.Capture`` that need no backend; JAX and Torch build on it.

    Args:
        model: a compiled model about to be fitted.
        optimizers: further optimizers whose gradients count, besides the model's attributes.
        updates: whether to record norms of weights and updates.
    """

    method = "apply"
    """Of an optimizer, by which it receives gradients."""

    def __init__(
        self,
        model: Any,
        optimizers: tuple[keras.optimizers.Optimizer, ...],
        *,
        updates: bool,
    ):
        self.failure: BaseException | None = None
        self.probe_failure: BaseException | None = no_probe()
        self._model = model
        self._more = optimizers
        self._updates = updates
        self._order: dict[int, keras.layers.Layer] = {}
        self._ordered = False
        self._inside = False  # an optimizer that calls another one counts once
        self._plain: Callable[..., Any] | None = None
        self._optimizers: list[keras.optimizers.Optimizer] = []

    @property
    def call_order(self) -> list[keras.layers.Layer]:
        """Layers in the order of their first call in an instrumented step."""
        return list(self._order.values())

    def lend(self, plain: Callable[..., Any], one_shot: Any) -> None:
        """Puts ``one_shot`` in the place of ``plain``, which it has to put back first."""
        one_shot.plain = plain
        set_train_function(self._model, one_shot)

    def disarm(self) -> None:
        """Puts the user's own train function back, also after an aborted fit."""
        armed = self._model.train_function
        if hasattr(armed, "plain"):
            set_train_function(self._model, armed.plain)

    def is_new(self, plain: Callable[..., Any]) -> bool:
        """Whether the model has another train function than last time: it was compiled anew."""
        if self._plain is plain:
            return False
        self._plain = plain
        self._optimizers = find_optimizers(self._model, self._more)
        return True

    @contextlib.contextmanager
    def watched_calls(self) -> Iterator[None]:
        """Notes the order in which layers are called, the first time."""
        with contextlib.ExitStack() as stack:
            if not self._ordered:
                self._order.clear()
                for layer in self._model._flatten_layers(include_self=False, recursive=True):
                    stack.enter_context(replaced(layer, "call", self._watch_call(layer)))
            yield
            self._ordered = True

    def _watch_call(self, layer: Any) -> Callable[..., Any]:
        original = layer.call

        def call(*args: Any, **kwargs: Any) -> Any:
            self._order.setdefault(id(layer), layer)
            return original(*args, **kwargs)

        return call

    @contextlib.contextmanager
    def watched_loss(self, note: Callable[[Any, dict[str, Any]], None]) -> Iterator[None]:
        """``note(loss, arguments)`` of each call of the model's ``compute_loss``."""
        original = self._model.compute_loss
        names = ("x", "y", "y_pred", "sample_weight")

        def compute_loss(*args: Any, **kwargs: Any) -> Any:
            loss = original(*args, **kwargs)
            if loss is not None:
                self.guard(note, loss, {**dict(zip(names, args, strict=False)), **kwargs})
            return loss

        with replaced(self._model, "compute_loss", compute_loss):
            yield

    @contextlib.contextmanager
    def watched_optimizers(self, watch: Callable[[Any, Any], Any]) -> Iterator[None]:
        """``watch(optimizer, method)`` takes the place of the method that receives gradients."""
        with contextlib.ExitStack() as stack:
            for optimizer in self._optimizers:
                wrapped = watch(optimizer, getattr(optimizer, self.method))
                stack.enter_context(replaced(optimizer, self.method, wrapped))
            try:
                yield
            finally:
                self._inside = False

    def guard(self, function: Callable[..., Any], *args: Any) -> Any:
        """``function(*args)``; a fault of the monitor's own must not reach the user's step."""
        try:
            return function(*args)
        except Exception as error:
            self.failure = error
            return None
