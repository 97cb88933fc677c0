"""The seam between the monitor and a backend: what a capture is, and which one a model gets."""

from __future__ import annotations

import abc
import contextlib
import math
import weakref
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, NamedTuple

import keras
import numpy as np

from tb_gradplugin.gradient_map import GradientMap, reduced

from .baseline import label_moments
from .borrowed_step import replaced, set_train_function
from .captured import Captured, CapturedProbe


class Wish(NamedTuple):
    """What is wanted of one train step, see ``Capture.arm``; ``maps``: ids of variables."""

    step: int
    log2: bool
    linear: bool
    probe: bool
    maps: frozenset[int]


class Capture(abc.ABC):
    """Sees the gradients that a model's optimizers receive in chosen train steps.

    ``fit`` reads ``model.train_function`` anew at every step.  For a step to be captured a one-shot
    takes its place, which puts the user's own function back before it does anything else.

    Args:
        model: a compiled model about to be fitted.
        optimizers: further optimizers whose gradients count, besides the model's attributes.
        updates: whether to record norms of weights and updates.

    Attributes:
        failure: what went wrong inside the capture; nothing is captured any more.
        probe_failure: what went wrong inside the probe; nothing is probed any more.
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
        self.probe_failure: BaseException | None = None
        self._model = model
        self._more = optimizers
        self._updates = updates
        self._order: dict[int, keras.layers.Layer] = {}
        self._ordered = False
        self._inside = False  # an optimizer that calls another one counts once
        self._plain: Any = _NOT_YET
        self._optimizers: list[keras.optimizers.Optimizer] = []
        self._mapped: frozenset[int] = frozenset()
        self._maps: dict[tuple[int, int], GradientMap] = {}  # by call and place in it
        self._probe: Any = None  # a backend's Probe, from the first one asked for

    # What the monitor calls.

    @property
    def call_order(self) -> list[keras.layers.Layer]:
        """Layers in the order of their first call in an instrumented step."""
        return list(self._order.values())

    def arm(
        self,
        step: int,
        *,
        log2: bool,
        linear: bool,
        probe: bool = False,
        maps: Collection[keras.Variable] = (),
    ) -> None:
        """Has the next train step, and only that one, captured as ``step``.

        ``log2`` and ``linear`` say whether to make the two kinds of histogram as well, ``probe``
        whether to look at outputs of layers and the gradients that reach them, ``maps`` of which
        variables to make a picture of the gradient (none of a sparse one, none under XLA on
        TensorFlow).
        """
        self.disarm()
        plain = self._model.train_function
        if self._plain is not plain:
            self._optimizers = find_optimizers(self._model, self._more)
            self._build(plain)
            self._plain = plain
        probe = probe and self.probe_failure is None
        self._mapped = frozenset(id(v) for v in maps)
        one_shot: Any = self._one_shot(plain, Wish(step, log2, linear, probe, self._mapped))
        one_shot.plain = plain
        set_train_function(self._model, one_shot)

    def disarm(self) -> None:
        """Puts the user's own train function back, also after an aborted fit."""
        armed = self._model.train_function
        if hasattr(armed, "plain"):
            set_train_function(self._model, armed.plain)

    @abc.abstractmethod
    def collect(self) -> Captured | None:
        """Results of the last captured step, once; None if no optimizer ran in it."""

    @abc.abstractmethod
    def weight_histograms(self, variables: list[keras.Variable]) -> np.ndarray:
        """float32 [variables, buckets, 3] of (left, right, count) of the weights now."""

    @abc.abstractmethod
    def weight_counts(self, variables: list[keras.Variable]) -> np.ndarray:
        """[variables, DEVICE_BINS] counts of the elements of the weights now."""

    # What a backend has to say.

    @abc.abstractmethod
    def _build(self, plain: Any) -> None:
        """Prepares for a model that was compiled anew: ``plain`` is its train function."""

    @abc.abstractmethod
    def _one_shot(self, plain: Any, wish: Wish) -> Callable[..., Any]:
        """What runs in the place of ``plain``; it has to put that back first."""

    @abc.abstractmethod
    def _watch_apply(self, optimizer: Any, original: Callable[..., Any]) -> Callable[..., Any]:
        """What runs in the place of the optimizer's ``method``."""

    # What a backend builds on.

    def _made_with(self, train_step: Callable[..., Any], plain: Any) -> Callable[..., Any]:
        """The train function as Keras makes it of ``train_step``; the model keeps ``plain``."""
        model = self._model
        with replaced(model, "train_step", train_step):
            try:
                model.train_function = None
                model.make_train_function(force=True)
                twin: Any = model.train_function
                return twin
            finally:
                model.train_function = plain

    @contextlib.contextmanager
    def _watched_calls(self) -> Iterator[None]:
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
    def _watched_loss(self, note: Callable[[Any, dict[str, Any]], None]) -> Iterator[None]:
        """``note(loss, arguments)`` of each call of the model's ``compute_loss``."""
        original = self._model.compute_loss
        names = ("x", "y", "y_pred", "sample_weight")

        def compute_loss(*args: Any, **kwargs: Any) -> Any:
            loss = original(*args, **kwargs)
            if loss is not None:
                self._guard(note, loss, {**dict(zip(names, args, strict=False)), **kwargs})
            return loss

        with replaced(self._model, "compute_loss", compute_loss):
            yield

    @contextlib.contextmanager
    def _watched_optimizers(self) -> Iterator[None]:
        """``_watch_apply`` takes the place of the method that receives gradients."""
        with contextlib.ExitStack() as stack:
            for optimizer in self._optimizers:
                wrapped = self._watch_apply(optimizer, getattr(optimizer, self.method))
                stack.enter_context(replaced(optimizer, self.method, wrapped))
            try:
                yield
            finally:
                self._inside = False

    def _guard(self, function: Callable[..., Any], *args: Any) -> Any:
        """``function(*args)``; a fault of the monitor's own must not reach the user's step."""
        try:
            return function(*args)
        except Exception as error:
            self.failure = error
            return None

    def _label_moments(self, given: Mapping[str, Any]) -> Any:
        """Of what a loss was given; None where they are not known."""
        names = ("y", "y_pred", "sample_weight")
        with contextlib.suppress(Exception):  # labels of a kind not thought of
            return label_moments(self._model, *(given.get(name) for name in names))
        return None

    @staticmethod
    def _loss_told(logs: Any) -> float | None:
        """The loss by a step's logs, NaN if it is no number; None if they tell none."""
        if not (isinstance(logs, dict) and "loss" in logs):
            return None
        told = np.asarray(logs["loss"], dtype=np.float64)
        return float(told) if told.ndim == 0 else math.nan

    def _collect_probe(self) -> CapturedProbe | None:
        """What the probe of the step saw; a fault costs the probes, nothing else."""
        found = None
        try:
            found = self._probe.collect()
            self.probe_failure = self._probe.failure
        except Exception as error:
            self.probe_failure = error
        return found

    def _map_taker(self, call: int, variables: list[Any], places: list[int]) -> Callable[..., None]:
        """A function of the gradients at ``places`` of the ``call``-th call of an optimizer.

        It refers to nothing of ours: TensorFlow keeps it for as long as the process lives.
        """
        ids, this = [id(variables[place]) for place in places], weakref.ref(self)

        def take(*gradients: Any) -> None:
            capture = this()
            if capture is not None:
                for place, id_, gradient in zip(places, ids, gradients, strict=True):
                    if id_ in capture._mapped:
                        capture._guard(capture._keep_map, call, place, gradient)

        return take

    def _keep_map(self, call: int, place: int, gradient: Any) -> None:
        self._maps[call, place] = reduced(np.asarray(gradient))

    def _take_maps(self, sizes: list[int]) -> dict[int, GradientMap]:
        """Pictures by index into the variables of all calls, which have ``sizes``; once."""
        maps, self._maps = self._maps, {}
        starts = np.cumsum([0, *sizes])
        return {int(starts[call]) + place: m for (call, place), m in sorted(maps.items())}


_NOT_YET = object()
BACKENDS = ("tensorflow", "jax", "torch")


def unsupported() -> str | None:
    """Why no capture is possible with the backend in use, or None."""
    backend = keras.backend.backend()
    if backend in BACKENDS:
        return None
    return (
        f"The Keras backends {', '.join(BACKENDS)} are supported; this process runs {backend!r}. "
        "Set the environment variable KERAS_BACKEND before importing keras."
    )


def create_capture(
    model: keras.Model,
    optimizers: tuple[keras.optimizers.Optimizer, ...],
    *,
    updates: bool,
    histograms: bool,
    exact_probe: bool = True,
) -> Capture:
    """The capture for ``model`` under the backend in use, which alone is imported.

    Args:
        model: a compiled model about to be fitted.
        optimizers: further optimizers whose gradients count, besides the model's attributes.
        updates: whether to record norms of weights and updates.
        histograms: whether histograms will be asked for.
        exact_probe: whether a probed step must compute bit for bit what it would otherwise.

    Raises:
        NotImplementedError: the backend or the way of training is not supported; says which.
    """
    reason = unsupported()
    if reason:
        raise NotImplementedError(reason)
    backend = keras.backend.backend()
    if backend == "jax":
        from .jax_capture import JaxCapture

        return JaxCapture(model, optimizers, updates=updates, histograms=histograms)
    if backend == "torch":
        from .torch_capture import TorchCapture

        return TorchCapture(model, optimizers, updates=updates, histograms=histograms)
    from .tensorflow_capture import TensorFlowCapture

    return TensorFlowCapture(
        model, optimizers, updates=updates, histograms=histograms, exact_probe=exact_probe
    )


def find_optimizers(
    model: keras.Model, more: tuple[keras.optimizers.Optimizer, ...]
) -> list[keras.optimizers.Optimizer]:
    """Optimizers that are attributes of the model or its sub-models, then ``more``, each once."""
    found: dict[int, keras.optimizers.Optimizer] = {}
    seen: set[int] = set()
    todo: list[keras.Model] = [model]
    while todo:
        owner = todo.pop()
        if id(owner) in seen:
            continue
        seen.add(id(owner))
        for value in list(vars(owner).values()):
            if isinstance(value, dict):
                value = list(value.values())
            for item in value if isinstance(value, (list, tuple)) else (value,):
                if isinstance(item, keras.optimizers.Optimizer):
                    found.setdefault(id(item), item)
                elif isinstance(item, keras.Model):
                    todo.append(item)
    for item in more:
        found.setdefault(id(item), item)
    return list(found.values())
