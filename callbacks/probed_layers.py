"""What a probe looks at and what it tells, on every backend: layers, bounds, the numbers' form."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from tb_gradplugin.metadata import PROBE_COLUMNS
from tb_gradplugin.records import kept_time_steps

from .describe import activation_name, layers_in_order

FLAT_BEYOND = {"tanh": (-0.99, 0.99), "sigmoid": (0.01, 0.99), "hard_sigmoid": (0.01, 0.99)}
"""Outputs at and beyond which an activation counts as saturated: its slope is below 0.02 (tanh) or
0.01 (sigmoid) of its input's scale there."""
MAX_UNITS = 512
"""Larger recurrent kernels are not kept for their eigenvalues, which take seconds."""

CELLS = (keras.layers.SimpleRNNCell, keras.layers.LSTMCell, keras.layers.GRUCell)
LOOPS = (keras.layers.SimpleRNN, keras.layers.LSTM, keras.layers.GRU, keras.layers.RNN)

GRADIENT = PROBE_COLUMNS.index("gradient_norm")
_SATURATED = PROBE_COLUMNS.index("saturated_share")


def probed_layers(model: Any) -> list[Any]:
    """The layers of ``model`` that a probe looks at, each once."""
    found = [layer for _, layer in layers_in_order(model, [])]
    return [layer for layer in found if not isinstance(layer, keras.Model)]


def is_recurrent(layer: Any) -> bool:
    """Whether ``layer`` runs Keras's own loop over one of Keras's own cells."""
    if not isinstance(layer, keras.layers.RNN) or type(layer.cell) not in CELLS:
        return False
    return any(type(layer).inner_loop is loop.inner_loop for loop in LOOPS)


def has_radius(layer: Any) -> bool:
    """Whether the recurrent kernel is a square matrix, small enough for its eigenvalues."""
    cell = layer.cell
    return isinstance(cell, keras.layers.SimpleRNNCell) and cell.units <= MAX_UNITS


def flat_beyond(layer: Any) -> tuple[float, float] | None:
    """See ``FLAT_BEYOND``; None where the output is not that of such an activation."""
    if isinstance(layer, keras.layers.RNN) and not isinstance(layer, keras.layers.SimpleRNN):
        return None  # gates weigh the activation's output
    return FLAT_BEYOND.get(activation_name(layer) or "")


def is_crossentropy(loss: Any) -> bool:
    """Whether a loss, or the name of one, is a cross-entropy."""
    name = loss if isinstance(loss, str) else getattr(loss, "__name__", type(loss).__name__)
    return "crossentropy" in name.replace("_", "").lower()


def of_calls(rows: np.ndarray) -> np.ndarray:
    """One row for all calls of a layer: the largest element, and means, each call counting alike.

    The deviation is that of all calls together: within each, and of their means.
    """
    if not len(rows):
        return np.zeros(GRADIENT)
    out = rows.mean(0)
    out[1] = np.sqrt(np.mean(rows[:, 1] ** 2 + (rows[:, 0] - out[0]) ** 2))
    out[2] = rows[:, 2].max()
    return out


def blank_unknown(
    table: np.ndarray, layers: list[Any], called: np.ndarray, arrived: np.ndarray
) -> None:
    """Puts NaN where nothing is known, in place.

    Args:
        table: [layers, PROBE_COLUMNS].
        layers: of the rows.
        called: bool [layers], whether there was an output.
        arrived: bool [layers], whether a gradient reached it.
    """
    table[~called, :GRADIENT] = np.nan
    table[~arrived, GRADIENT] = np.nan
    flat = np.array([flat_beyond(layer) is not None for layer in layers], bool)
    table[~flat, _SATURATED] = np.nan


def spread(length: int, norms: np.ndarray) -> np.ndarray:
    """float32 [length] from the norms at ``kept_time_steps``; NaN where there is none."""
    out = np.full(length, np.nan, np.float32)
    out[kept_time_steps(length)] = norms
    return out


def known(moments: np.ndarray) -> np.ndarray:
    """Moments, NaN where there was nothing: no numbers have a negative deviation."""
    return np.where(moments[1] < 0, np.nan, moments)
