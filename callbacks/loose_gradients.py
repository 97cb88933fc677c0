"""Statistics of gradients that are given, by the framework whose tensors they are.

The sums are those of the captures (``*_statistics.py``), and they are read at once: a training loop
may work on its gradients in place as soon as it has them back.
"""

from __future__ import annotations

import abc
import functools
from typing import Any, NamedTuple

import numpy as np

from tb_gradplugin import bins
from tb_gradplugin.metadata import STATISTICS_COLUMNS

from . import host_statistics

NORMS = [STATISTICS_COLUMNS.index(c) for c in ("weight_norm", "update_norm")]


class Measured(NamedTuple):
    """What was found of some gradients, on the host.

    Attributes:
        table: float32 [gradients, STATISTICS_COLUMNS], norms of weights and updates NaN; a row of
            NaN for None.
        counts: [gradients, DEVICE_BINS], or None.
        linear: float32 [gradients, buckets, 3] of (left, right, count), or None.
    """

    table: np.ndarray
    counts: np.ndarray | None
    linear: np.ndarray | None


class Meter(abc.ABC):
    """Measures tensors of one framework."""

    def measured(self, gradients: list[Any], *, histograms: bool) -> Measured:
        """Statistics of each gradient; None, or one without elements, has a row of NaN."""
        some = [None if g is None or 0 in tuple(g.shape) else g for g in gradients]
        table, counts, linear = self._measured(some, histograms)
        out = np.full([len(some), len(STATISTICS_COLUMNS)], np.nan, np.float32)
        present = [i for i, g in enumerate(some) if g is not None]
        out[present, : min(NORMS)] = table[present, : min(NORMS)]
        return Measured(out, counts, linear)

    @abc.abstractmethod
    def _measured(
        self, gradients: list[Any], histograms: bool
    ) -> tuple[np.ndarray, np.ndarray | None, np.ndarray | None]:
        """``Measured``, the table with at least its first eight columns."""

    @abc.abstractmethod
    def norms(self, values: list[Any]) -> np.ndarray:
        """L2 norm of each."""

    @abc.abstractmethod
    def copies(self, values: list[Any]) -> list[Any]:
        """The values as they are now, whatever is done to them later."""

    @abc.abstractmethod
    def changes(self, old: list[Any], new: list[Any]) -> np.ndarray:
        """L2 norm of each difference, which is taken before anything is rounded."""

    @abc.abstractmethod
    def histograms(self, values: list[Any]) -> tuple[np.ndarray, np.ndarray]:
        """(left, right, count) in equal buckets, and counts in the device's bins."""

    @abc.abstractmethod
    def picture(self, gradient: Any) -> np.ndarray | None:
        """The gradient on the host as float32; None of a sparse one."""

    @abc.abstractmethod
    def is_traced(self, gradient: Any) -> bool:
        """Whether it has no value: what is called now is being compiled."""


def create_meter(framework: str) -> Meter:
    """For ``"tensorflow"``, ``"jax"`` or ``"torch"``, which alone is imported."""
    return {"tensorflow": _TensorFlow, "jax": _Jax, "torch": _Torch}[framework]()


class _TensorFlow(Meter):
    """On the host: run one by one, TensorFlow's operations take many times as long there."""

    def __init__(self) -> None:
        import tensorflow as tf

        self._tf = tf

    def _flat(self, value: Any) -> np.ndarray:
        """float32 [n], a copy; rows of equal index of a sparse gradient are summed."""
        return self._tf.cast(self._tf.convert_to_tensor(value), self._tf.float32).numpy().ravel()

    def _measured(self, gradients: list[Any], histograms: bool) -> Any:
        present = [i for i, g in enumerate(gradients) if g is not None]
        flat = [self._flat(gradients[i]) for i in present]
        table = np.full([len(gradients), min(NORMS)], np.nan)
        table[present] = host_statistics.statistics(flat)
        if not histograms:
            return table, None, None
        counts = np.zeros([len(gradients), bins.DEVICE_BINS])
        linear = np.zeros([len(gradients), bins.STOCK_BUCKETS, 3], np.float32)
        counts[present] = [host_statistics.log2_counts(g) for g in flat]
        linear[present] = [host_statistics.linear_histogram(g) for g in flat]
        return table, counts, linear

    def norms(self, values: list[Any]) -> np.ndarray:
        return np.array([host_statistics.l2_norm(self._flat(v)) for v in values])

    def copies(self, values: list[Any]) -> list[Any]:
        return [self._tf.convert_to_tensor(v).numpy() for v in values]

    def changes(self, old: list[Any], new: list[Any]) -> np.ndarray:
        changes = [np.asarray(b) - a for a, b in zip(old, self.copies(new), strict=True)]
        return np.array([host_statistics.l2_norm(c.astype(np.float32).ravel()) for c in changes])

    def histograms(self, values: list[Any]) -> tuple[np.ndarray, np.ndarray]:
        flat = [self._flat(v) for v in values]
        linear = np.stack([host_statistics.linear_histogram(v) for v in flat])
        return linear, np.stack([host_statistics.log2_counts(v) for v in flat])

    def picture(self, gradient: Any) -> np.ndarray | None:
        if isinstance(gradient, self._tf.IndexedSlices):
            return None
        return self._tf.cast(gradient, self._tf.float32).numpy()

    def is_traced(self, gradient: Any) -> bool:
        return not self._tf.executing_eagerly()


class _Jax(Meter):
    def __init__(self) -> None:
        import jax.core

        self._jax = jax
        self._functions = _jitted()

    def _measured(self, gradients: list[Any], histograms: bool) -> Any:
        return self._got("measured", gradients, histograms)

    def _got(self, name: str, *args: Any) -> Any:
        return self._jax.device_get(self._functions[name](*args))

    def norms(self, values: list[Any]) -> np.ndarray:
        return self._got("norms", values)

    def copies(self, values: list[Any]) -> list[Any]:
        # The arrays themselves may be donated to the step that follows.
        return [self._jax.numpy.array(v, copy=True) for v in values]

    def changes(self, old: list[Any], new: list[Any]) -> np.ndarray:
        return self._got("changes", old, new)

    def histograms(self, values: list[Any]) -> tuple[np.ndarray, np.ndarray]:
        return self._got("histograms", values)

    def picture(self, gradient: Any) -> np.ndarray | None:
        return np.asarray(gradient, np.float32)

    def is_traced(self, gradient: Any) -> bool:
        return isinstance(gradient, self._jax.core.Tracer)


@functools.cache
def _jitted() -> dict[str, Any]:
    """Compiled once for the same shapes, whoever measures."""
    import jax

    from . import jax_statistics as stats

    def measured(gradients: list[Any], histograms: bool) -> Any:
        table = stats.statistics(gradients)
        if not histograms:
            return table, None, None
        return table, stats.log2_counts(gradients), stats.linear_histograms(gradients)

    def changes(old: list[Any], new: list[Any]) -> Any:
        return stats.l2_norms([b - a for a, b in zip(old, new, strict=True)])

    def histograms(values: list[Any]) -> Any:
        return stats.linear_histograms([*values]), stats.log2_counts([*values])

    return {
        "measured": jax.jit(measured, static_argnums=1),
        "norms": jax.jit(stats.l2_norms),
        "changes": jax.jit(changes),
        "histograms": jax.jit(histograms),
    }


class _Torch(Meter):
    def __init__(self) -> None:
        import torch

        from . import torch_statistics

        self._torch, self._stats = torch, torch_statistics

    def _measured(self, gradients: list[Any], histograms: bool) -> Any:
        stats = self._stats
        with self._torch.no_grad():
            table = stats.table(gradients, stats.sums(gradients), None)
            if not histograms:
                return table, None, None
            counts = stats.on_host(stats.log2_counts(gradients))
            return table, counts, stats.on_host(stats.linear_histograms(gradients))

    def norms(self, values: list[Any]) -> np.ndarray:
        with self._torch.no_grad():
            return self._stats.on_host(self._stats.l2_norms([v.detach() for v in values]))

    def copies(self, values: list[Any]) -> list[Any]:
        return [v.detach().clone() for v in values]

    def changes(self, old: list[Any], new: list[Any]) -> np.ndarray:
        with self._torch.no_grad():
            return self.norms([b.detach() - a for a, b in zip(old, new, strict=True)])

    def histograms(self, values: list[Any]) -> tuple[np.ndarray, np.ndarray]:
        stats = self._stats
        with self._torch.no_grad():
            linear = stats.on_host(stats.linear_histograms(values))
            return linear, stats.on_host(stats.log2_counts(values))

    def picture(self, gradient: Any) -> np.ndarray | None:
        return None if gradient.is_sparse else gradient.detach().float().cpu().numpy()

    def is_traced(self, gradient: Any) -> bool:
        return False
