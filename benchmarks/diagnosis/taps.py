"""Sees the outputs of layers, and gradients with respect to them, inside one train step."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator
from typing import Any

import keras
import tensorflow as tf

from benchmarks.diagnosis.losses import KERAS_NAMES
from benchmarks.diagnosis.runs.base import Setup
from tb_gradplugin.callbacks import describe


@dataclasses.dataclass
class Taps:
    """Instance patches that see every layer's output, and every state of a recurrent layer.

    Attributes:
        layers: to patch.
        order: those called, in the order of their first call.
        outputs: layer -> first output of the forward pass at hand.
        noise: recurrent layer -> zeros [batch, T, units] added to its states: what the loss's
            gradient with respect to them is, that of the states is.
    """

    layers: list[Any]
    tape: Any = None
    order: list[Any] = dataclasses.field(default_factory=list)
    outputs: dict[int, Any] = dataclasses.field(default_factory=dict)
    noise: dict[int, Any] = dataclasses.field(default_factory=dict)

    @contextlib.contextmanager
    def inserted(self) -> Iterator[None]:
        """Patches all layers, and takes the patches out again."""
        recurrent = [x for x in self.layers if is_recurrent(x)]
        try:
            for layer in self.layers:
                layer.__dict__["call"] = self._tapped(layer, layer.call)
            for layer in recurrent:
                layer.__dict__["inner_loop"] = self._loop(layer)
                layer.cell.__dict__["call"] = self._cell(layer, layer.cell.call)
            yield
        finally:
            for layer in self.layers:
                layer.__dict__.pop("call", None)
            for layer in recurrent:
                layer.__dict__.pop("inner_loop", None)
                layer.cell.__dict__.pop("call", None)

    def _tapped(self, layer: Any, call: Any) -> Any:
        def tapped(*args: Any, **kwargs: Any) -> Any:
            if not any(layer is other for other in self.order):
                self.order.append(layer)
            out = call(*args, **kwargs)
            first = next((t for t in tf.nest.flatten(out) if hasattr(t, "dtype")), None)
            if first is not None and first.dtype.is_floating and id(layer) not in self.outputs:
                self.outputs[id(layer)] = first
                if self.tape is not None:
                    self.tape.watch(first)
            return out

        return tapped

    def _loop(self, layer: Any) -> Any:
        def loop(sequences: Any, initial_state: Any, mask: Any, training: bool = False) -> Any:
            shape = tf.shape(sequences)
            zeros = tf.zeros([shape[0], shape[1], layer.units], sequences.dtype)
            if self.tape is not None:
                self.tape.watch(zeros)
                self.noise[id(layer)] = zeros
            zeros = tf.ensure_shape(zeros, [None, sequences.shape[1], layer.units])
            both = tf.concat([sequences, zeros], axis=-1)
            return keras.layers.RNN.inner_loop(layer, both, initial_state, mask, training)

        return loop

    @staticmethod
    def _cell(layer: Any, call: Any) -> Any:
        def cell(inputs: Any, states: Any, **kwargs: Any) -> Any:
            width = inputs.shape[-1] - layer.units
            out, new = call(inputs[..., :width], states, **kwargs)
            hidden = out + inputs[..., width:]
            new = list(new) if isinstance(new, (list, tuple)) else [new]
            return hidden, [hidden, *new[1:]]

        return cell


def is_recurrent(layer: Any) -> bool:
    """A recurrent layer with one cell whose output is its first state."""
    return isinstance(layer, keras.layers.RNN) and hasattr(layer, "units")


def look(setup: Setup, x: Any) -> tuple[Any, list[Any], list[Any]]:
    """Structure, its layers and the trained variables, in the order of a first forward pass."""
    layers = [layer for _, layer in describe._walk(setup.model)]
    taps = Taps(layers)
    with taps.inserted():
        setup.model(x)
    variables = list(setup.model.trainable_variables)
    structure = describe.describe(setup.model, variables, taps.order)
    structure = dataclasses.replace(
        structure,
        optimizer=type(setup.optimizer).__name__,
        loss=describe._loss_name(KERAS_NAMES.get(setup.loss, setup.loss)),
    )
    place = {id(layer): n for n, layer in enumerate(taps.order)}
    layers.sort(key=lambda layer: place.get(id(layer), len(place)))
    return structure, layers, variables
