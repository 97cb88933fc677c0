"""A look inside one train step on PyTorch: outputs of layers and the gradients that reach them.

While the eager step runs, every layer's ``call`` is replaced by one that measures the output where
it is and leaves a hook on it, which measures the gradient when the backward pass comes by.  The
hook hands nothing back, and nothing else is computed than without a probe.  When the step has
ended, all hooks are removed.

h_t of a recurrent layer is one tensor in Keras's loops on PyTorch, which the output and the next
time step both use, so a hook on it sees the total dL/dh_t.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np
import torch
from torch.overrides import TorchFunctionMode

from tb_gradplugin import bins
from tb_gradplugin.metadata import PROBE_COLUMNS
from tb_gradplugin.records import kept_time_steps

from . import torch_statistics as stats
from .borrowed_step import replaced, value_of
from .captured import CapturedProbe
from .probed_layers import (
    GRADIENT,
    blank_unknown,
    flat_beyond,
    has_radius,
    is_crossentropy,
    is_recurrent,
    known,
    of_calls,
    probed_layers,
    spread,
)

Tensor = torch.Tensor


class _Layer:
    """What the calls of one layer left, on the device."""

    def __init__(self, layer: Any):
        self.layer = layer
        self.rows: list[Tensor] = []  # of each call
        self.counts: list[Tensor] = []
        self.norms: dict[int, Tensor] = {}  # by call
        self.loops: list[tuple[dict[int, Tensor], int, Tensor | None]] = []  # of each call
        self.kernel: Tensor | None = None


class Probe:
    """Taps for one eager train step of a model, and what they saw.

    Args:
        model: about to take the step.
        histograms: whether to count the elements of the outputs by magnitude.

    Attributes:
        failure: what went wrong inside the probe; nothing more is looked at, and the step goes on.
    """

    def __init__(self, model: Any, *, histograms: bool):
        self.failure: BaseException | None = None
        self._model = model
        self._histograms = histograms
        self._layers: list[_Layer] = []
        self._samples = 0
        self._inputs: Tensor | None = None
        self._targets: Tensor | None = None
        self._hooks: list[Any] = []
        self._heads: list[tuple[Tensor, Tensor, Callable[[Tensor], None]]] = []

    @contextlib.contextmanager
    def watching(self, execution: Any) -> Iterator[None]:
        """Taps what runs meanwhile, the train step on ``execution``: a list of one batch."""
        with contextlib.ExitStack() as stack:
            stack.callback(self._let_go)
            self._guard(self._note_batch, execution)
            self._guard(self._tap_all, stack)
            yield

    def note_loss(self, given: dict[str, Any]) -> None:
        """Has the gradient noted at the logits where it is their softmax that a loss is given.

        Args:
            given: arguments of the model's ``compute_loss``.

        Keras's cross-entropies on other backends take the logits themselves: the same definition.
        """
        self._guard(self._note_loss, given)

    def _note_loss(self, given: dict[str, Any]) -> None:
        if not any(map(is_crossentropy, keras.tree.flatten(self._model.loss))):
            return
        outputs = {id(t) for t in keras.tree.flatten(given.get("y_pred"))}
        for output, logits, note in self._heads:
            if id(output) in outputs:
                self._hook(logits, note)  # comes by after the output's and overwrites that

    def _guard(self, function: Callable[..., None], *args: Any) -> None:
        """Calls ``function``; a fault of the probe's own must not reach the step."""
        if self.failure is None:
            try:
                with torch.no_grad():
                    function(*args)
            except Exception as error:
                self.failure = error

    def _note_batch(self, execution: Any) -> None:
        x, y, _ = keras.utils.unpack_x_y_sample_weight(execution[0])
        first = next(t for t in keras.tree.flatten(x) if t is not None)
        self._samples = int(first.shape[0])
        self._inputs, self._targets = _moments(x), _moments(y)

    def _tap_all(self, stack: contextlib.ExitStack) -> None:
        self._layers = [_Layer(layer) for layer in probed_layers(self._model)]
        for seen in self._layers:
            stack.enter_context(replaced(seen.layer, "call", self._watch_call(seen)))
            if is_recurrent(seen.layer):
                stack.enter_context(replaced(seen.layer, "inner_loop", self._watch_loop(seen)))

    def _let_go(self) -> None:
        for hook in self._hooks:
            hook.remove()
        self._hooks, self._heads = [], []

    def _hook(self, tensor: Tensor, note: Callable[[Tensor], None]) -> None:
        """Has ``note`` called with the gradient of ``tensor``, if one comes by.

        Not of a leaf: that is somebody's weight, and the gradient of all of its uses.
        """
        if tensor.requires_grad and not tensor.is_leaf:
            take = functools.partial(self._guard, note)
            self._hooks.append(tensor.register_hook(lambda gradient: take(gradient.detach())))

    # Outputs.

    def _watch_call(self, seen: _Layer) -> Callable[..., Any]:
        original = seen.layer.call

        def call(*args: Any, **kwargs: Any) -> Any:
            out = original(*args, **kwargs)
            if _reached():
                self._guard(self._note_output, seen, out, (args, kwargs))
            return out

        return call

    def _note_output(self, seen: _Layer, out: Any, given: Any) -> None:
        output = next((t for t in keras.tree.flatten(out) if _is_float(t)), None)
        if output is None:
            return
        number = len(seen.rows)
        seen.rows.append(_output_row(output, flat_beyond(seen.layer)))
        if self._histograms:
            seen.counts.append(stats.log2_counts([output])[0])
        # A layer that returns what it was given: the gradient is that of other uses as well.
        if any(output is t for t in keras.tree.flatten(given)):
            return

        def note(gradient: Tensor) -> None:
            seen.norms[number] = _norm(gradient)

        self._hook(output, note)
        logits = getattr(output, "_keras_logits", None)
        if logits is not None:
            self._heads.append((output, logits, note))

    # Through time.

    def _watch_loop(self, seen: _Layer) -> Callable[..., Any]:
        original, cell = seen.layer.inner_loop, seen.layer.cell

        def inner_loop(
            sequences: Any, initial_state: Any, mask: Any = None, training: bool = False
        ) -> Any:
            if self.failure is not None or not _reached():
                return original(sequences, initial_state, mask, training=training)
            called: list[Tensor] = []
            own_call = cell.call

            def call(*args: Any, **kwargs: Any) -> Any:
                output, states = own_call(*args, **kwargs)
                called.append(output)
                return output, states

            with replaced(cell, "call", call), _Multiplied(cell) as multiplied:
                out = original(sequences, initial_state, mask, training=training)
            length, last = sequences.shape[1], out[0]
            # The loop of any cell calls it once more, for the shape, before all others.
            states = called[-length:] if length <= len(called) <= length + 1 else []
            if not called and len(multiplied.states) == length:
                states = [*multiplied.states[1:], last]
            self._guard(self._note_states, seen, states, mask)
            return out

        return inner_loop

    def _note_states(self, seen: _Layer, states: list[Tensor], mask: Any) -> None:
        norms: dict[int, Tensor] = {}
        mask = mask[0] if isinstance(mask, (list, tuple)) else mask
        shown = None if mask is None or not states else mask.bool().any(0)
        if shown is not None and seen.layer.go_backwards:
            shown = shown.flip(0)
        seen.loops.append((norms, len(states), shown))

        def note(step: int, gradient: Tensor) -> None:
            norms[step] = _norm(gradient)

        for step, state in enumerate(states):
            self._hook(state, functools.partial(note, step))
        if states and has_radius(seen.layer):
            seen.kernel = value_of(seen.layer.cell.recurrent_kernel).detach().float().clone()

    # Results.

    def collect(self) -> CapturedProbe | None:
        """What the taps saw, or None."""
        if self.failure is not None or self._inputs is None or self._targets is None:
            return None
        layers = [seen.layer for seen in self._layers]
        table = np.zeros([len(layers), len(PROBE_COLUMNS)])
        for row, seen in zip(table, self._layers, strict=True):
            row[:GRADIENT] = of_calls(_on_host(seen.rows))
            row[GRADIENT] = np.linalg.norm(_on_host(list(seen.norms.values())))
        called = np.array([bool(seen.rows) for seen in self._layers], bool)
        arrived = np.array([bool(seen.norms) for seen in self._layers], bool)
        blank_unknown(table, layers, called, arrived)
        through_time = {i: _through_time(seen) for i, seen in enumerate(self._layers)}
        kernels = {i: seen.kernel for i, seen in enumerate(self._layers)}
        return CapturedProbe(
            layers=layers,
            table=table.astype(np.float32),
            samples=self._samples,
            inputs=known(stats.on_host(self._inputs)),
            targets=known(stats.on_host(self._targets)),
            through_time={i: norms for i, norms in through_time.items() if norms is not None},
            recurrent_kernels={i: stats.on_host(k) for i, k in kernels.items() if k is not None},
            counts=self._counts() if self._histograms else None,
        )

    def _counts(self) -> np.ndarray:
        """float32 [layers, DEVICE_BINS]: the elements of all calls of a layer together."""
        counts = np.zeros([len(self._layers), bins.DEVICE_BINS], np.float32)
        for row, seen in zip(counts, self._layers, strict=True):
            row += _on_host(seen.counts).sum(0)
        return counts


class _Multiplied(TorchFunctionMode):
    """Notes the states that meanwhile are multiplied by the recurrent kernel of ``cell``.

    Keras runs LSTM and GRU by a loop of its own that calls no cell.  What is multiplied by the
    kernel there, and nothing else, has the shape of a state.
    """

    def __init__(self, cell: Any):
        super().__init__()
        self.states: list[Tensor] = []
        self._shape = tuple(cell.recurrent_kernel.shape)

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """PyTorch's hook: every function that is called meanwhile."""
        by_kernel = func is torch.matmul and len(args) == 2 and args[1].shape == self._shape
        if by_kernel and args[0].ndim == 2:
            self.states.append(args[0])
        return func(*args, **(kwargs or {}))


def _reached() -> bool:
    """Whether what runs now belongs to the step itself.

    Not while something is compiled or vectorised, whose tensors cannot be taken out, nor where a
    layer runs again in the backward pass, because its outputs were not kept.
    """
    if torch.compiler.is_compiling():
        return False
    torch_c: Any = torch._C
    again = torch_c._current_graph_task_id() != -1
    return not again and torch_c._functorch.maybe_current_level() is None


def _is_float(value: Any) -> bool:
    """A tensor of floats that holds some: one that only has a shape is used to find out shapes."""
    return (
        torch.is_tensor(value)
        and value.is_floating_point()
        and value.device.type != "meta"
        and value.numel() > 0
    )


def _through_time(seen: _Layer) -> np.ndarray | None:
    """float32 [T], see ``records.ProbeRecord``; None where the layer was not looked at.

    Sequences of several calls need not have the same length: only one call is told of.
    """
    if len(seen.loops) != 1:
        return None
    norms, length, shown = seen.loops[0]
    if not norms:
        return None
    found = np.zeros(length)  # where no gradient comes by it is zero
    found[list(norms)] = _on_host(list(norms.values()))
    if shown is not None:
        found[~stats.on_host(shown)] = np.nan
    return spread(length, found[kept_time_steps(length)])


def _on_host(tensors: list[Tensor]) -> np.ndarray:
    """float64 [tensors, ...]."""
    if not tensors:
        return np.zeros([0, 1])
    device = tensors[0].device
    stacked = torch.stack([t.to(device) for t in tensors])
    return stats.on_host(stacked).astype(np.float64)


def _norm(tensor: Tensor) -> Tensor:
    """L2 norm of all elements; Inf where one is NaN or Inf.

    Summed in float64, where squares of float32 neither over- nor underflow.
    """
    norm = torch.linalg.vector_norm(tensor, dtype=stats.wide(tensor.device))
    return torch.where(torch.isfinite(norm), norm, torch.inf)


def _output_row(output: Tensor, flat: tuple[float, float] | None) -> Tensor:
    """[7], the ``PROBE_COLUMNS`` of an output; shares of elements at or beyond ``flat``."""
    y = output.detach().float()
    y = y.reshape(-1, y.shape[-1] if y.ndim else 1)
    low, high = flat or (0.0, 0.0)
    zero = y == 0.0
    shares = (~torch.isfinite(y), zero, zero.all(0), (y <= low) | (y >= high))
    dtype = stats.wide(y.device)
    return torch.cat([_finite_moments(y), torch.stack([s.to(dtype).mean() for s in shares])])


def _finite_moments(y: Tensor) -> Tensor:
    """[3]: mean, deviation and largest |element| of the finite elements."""
    dtype = stats.wide(y.device)
    finite = torch.isfinite(y)
    some = torch.where(finite, y, 0.0)
    count = finite.sum().clamp(min=1).to(dtype)
    mean = some.sum(dtype=dtype) / count
    rounded = mean.to(y.dtype)
    apart = torch.linalg.vector_norm(torch.where(finite, y - rounded, 0.0), dtype=dtype)
    # About the rounded mean, which is exact for float32, and back to the mean.
    variance = apart.square() / count - (mean - rounded).square()
    return torch.stack([mean, variance.clamp(min=0.0).sqrt(), some.abs().amax().to(dtype)])


def _moments(values: Any) -> Tensor:
    """[3] of all numbers in ``values`` together; a deviation of -1 where there are none."""
    flat = [_numbers(t) for t in keras.tree.flatten(values)]
    some = [t for t in flat if t is not None and t.numel()]
    if not some:
        return torch.tensor([0.0, -1.0, 0.0])
    return _finite_moments(torch.cat([t.to(some[0].device) for t in some]))


def _numbers(value: Any) -> Tensor | None:
    """float32 [n] of an array or tensor of floats or integers."""
    if isinstance(value, np.ndarray) and value.dtype.kind in "fiu":
        return torch.from_numpy(np.array(value, np.float32)).reshape(-1)
    if not torch.is_tensor(value) or value.is_complex() or value.dtype == torch.bool:
        return None
    return stats.flat(value)
