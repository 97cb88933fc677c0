"""Statistics and histograms of gradients in PyTorch.

Nothing here makes the host wait for the device: a step leaves a table on it, which is read when the
step is collected.  Small variables are measured together, as rows of a matrix.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import torch

from tb_gradplugin import bins
from tb_gradplugin.metadata import STATISTICS_COLUMNS

from . import host_statistics

PIECE = 2**16
"""Elements of which a CPU may sum the squares in float32."""
UNKNOWN = -1.0
"""In the place of a sum of squared deviations that was not taken."""


class Rows(NamedTuple):
    """Some of the tensors, a row each: which, float32 [rows, width], and elements of each row."""

    which: list[int]
    matrix: torch.Tensor
    sizes: list[int]

    def inside(self) -> torch.Tensor:
        """bool [rows, width], False where a row is filled up with zeros."""
        device = self.matrix.device
        place = torch.arange(self.matrix.shape[1], device=device)
        return place[None] < torch.tensor(self.sizes, device=device)[:, None]


def flat(tensor: torch.Tensor) -> torch.Tensor:
    """float32 [n]; a sparse one becomes dense."""
    dense = tensor.detach().to_dense() if tensor.is_sparse else tensor.detach()
    return dense.reshape(-1).float()


def in_rows(tensors: list[torch.Tensor | None]) -> list[Rows]:
    """Tensors of a few elements together, by size and device; large ones alone."""
    some = {i: t for i, t in enumerate(tensors) if t is not None and t.numel()}
    sizes = {i: t.numel() for i, t in some.items()}
    out: list[Rows] = []
    for places in host_statistics.grouped(sizes, {i: t.device for i, t in some.items()}):
        rows = [flat(some[i]) for i in places]
        alone = len(rows) == 1
        matrix = rows[0][None] if alone else torch.nn.utils.rnn.pad_sequence(rows, batch_first=True)
        out.append(Rows(places, matrix, [len(row) for row in rows]))
    return out


def sums(gradients: list[torch.Tensor | None]) -> torch.Tensor:
    """[gradients, 6] on the first one's device, for ``host_statistics.described``; NaN for None."""
    parts = [(rows.which, _sums(rows)) for rows in in_rows(gradients)]
    return _in_order(parts, len(gradients), 6)


def _sums(rows: Rows) -> torch.Tensor:
    g = rows.matrix
    if len(rows.which) == 1:
        if g.device.type == "cpu":  # PyTorch is slow at some of these, and rounds in others
            known = host_statistics.sums(g[0].numpy())
            return torch.tensor(np.append(known, [[UNKNOWN]], 1), dtype=torch.float64)
        low, high = torch.aminmax(g)
        square = torch.linalg.vector_norm(g).to(wide(g.device)).square()
        values = (g.sum(), square, low, high, torch.count_nonzero(g), torch.full_like(low, UNKNOWN))
        return torch.stack([value.to(wide(g.device)) for value in values])[None]
    inside = rows.inside()
    total = g.sum(1)
    mean = total / torch.tensor(rows.sizes, device=g.device)
    # Centred on the mean: exact where all elements are nearly equal.
    centred = torch.where(inside, g - mean[:, None], 0.0).square().sum(1)
    low = torch.where(inside, g, math.inf).amin(1)
    high = torch.where(inside, g, -math.inf).amax(1)
    values = (total, g.square().sum(1), low, high, torch.count_nonzero(g, dim=1), centred)
    return torch.stack([value.to(wide(g.device)) for value in values], dim=1)


def table(
    gradients: list[torch.Tensor | None], sums: torch.Tensor, norms: torch.Tensor | None
) -> np.ndarray:
    """float32 [gradients, STATISTICS_COLUMNS] on the host; rows of NaN for None.

    Args:
        gradients: of which ``sums`` were taken; looked at again where float32 cannot sum.
        sums: what ``sums`` gave.
        norms: [gradients, 2], of the variables and of their change; None: NaN.
    """
    out = np.full([len(gradients), len(STATISTICS_COLUMNS)], np.nan)
    present = [i for i, g in enumerate(gradients) if g is not None]
    given = [g for g in gradients if g is not None]
    sizes = np.array([g.numel() for g in given], np.float64)
    rows, doubtful = host_statistics.described(on_host(sums)[present], sizes)
    for i in np.flatnonzero(doubtful):
        rows[i] = host_statistics.careful(on_host(flat(given[i])))
    out[present, :8] = rows
    if norms is not None:
        out[present, 8:] = on_host(norms)[present]
    return out.astype(np.float32)


def on_host(value: Any) -> np.ndarray:
    """A tensor, or what is none, as an array."""
    return value.detach().cpu().numpy() if torch.is_tensor(value) else np.asarray(value)


def wide(device: torch.device) -> torch.dtype:
    """float64 where the device has it."""
    return torch.float32 if device.type == "mps" else torch.float64


def l2_norms(tensors: list[torch.Tensor]) -> torch.Tensor:
    """[tensors]: L2 norm of all elements of each."""
    if tensors[0].device.type != "cpu":
        rows = [t.detach().float() for t in tensors]
        return torch.stack(torch._foreach_norm(rows))  # pyright: ignore[reportPrivateImportUsage]
    # In pieces: on a CPU the sum of many squares would lose digits.
    pieces = [torch.linalg.vector_norm(p) for t in tensors for p in flat(t).split(PIECE)]
    parts = torch.stack(pieces).double().split([-(-max(t.numel(), 1) // PIECE) for t in tensors])
    return torch.stack([torch.linalg.vector_norm(part) for part in parts])


def log2_counts(gradients: list[torch.Tensor | None]) -> torch.Tensor:
    """int64 [gradients, DEVICE_BINS]: elements by sign, exponent and first mantissa bit."""
    parts = [(rows.which, _log2_counts(rows)) for rows in in_rows(gradients)]
    return _in_order(parts, len(gradients), bins.DEVICE_BINS, torch.int64)


def _log2_counts(rows: Rows) -> torch.Tensor:
    bits = rows.matrix.contiguous().view(torch.int32) >> bins.DEVICE_SHIFT
    counts = _bincount(bits & (bins.DEVICE_BINS - 1), bins.DEVICE_BINS)
    filling = torch.tensor(rows.sizes, device=counts.device) - rows.matrix.shape[1]
    counts[:, 0] += filling
    return counts


def linear_histograms(tensors: list[torch.Tensor | None]) -> torch.Tensor:
    """float32 [tensors, STOCK_BUCKETS, 3] of (left, right, count), as the Histograms tab reads.

    Counts of the finite elements in equal buckets between the smallest and largest of them.
    """
    parts = [(rows.which, _linear_histogram(rows)) for rows in in_rows(tensors)]
    shaped = _in_order(parts, len(tensors), bins.STOCK_BUCKETS * 3)
    return torch.nan_to_num(shaped).reshape(-1, bins.STOCK_BUCKETS, 3)


def _linear_histogram(rows: Rows) -> torch.Tensor:
    g, buckets = rows.matrix, bins.STOCK_BUCKETS
    finite = torch.isfinite(g) & rows.inside()
    some = finite.any(1)
    low = torch.where(some, torch.where(finite, g, math.inf).amin(1), 0.0)
    high = torch.where(some, torch.where(finite, g, -math.inf).amax(1), 0.0)
    width = (high - low) / buckets
    usable = (width > 0.0) & torch.isfinite(width)
    divisor = torch.where(usable, width, 1.0)
    place = torch.where(finite, g - low[:, None], 0.0) / divisor[:, None]
    # One bucket more swallows the non-finite elements and the filling.
    place = torch.where(finite, place.long().clamp(0, buckets - 1), buckets)
    counts = _bincount(place, buckets + 1)[:, :buckets].float()
    steps = torch.arange(buckets + 1, device=g.device, dtype=torch.float32)
    edges = low[:, None] + width[:, None] * steps
    return torch.stack([edges[:, :-1], edges[:, 1:], counts], dim=2).reshape(len(counts), -1)


def _bincount(values: torch.Tensor, size: int) -> torch.Tensor:
    """int64 [rows, size] of integers [rows, n]."""
    rows = len(values)
    if rows > 1:
        values = values + size * torch.arange(rows, device=values.device)[:, None]
    # Of a fixed length: the device is not asked for the largest value.
    counts = torch.zeros(rows * size, dtype=torch.int64, device=values.device)
    ones = torch.ones((), dtype=torch.int64, device=values.device).expand(values.numel())
    return counts.scatter_add_(0, values.reshape(-1).long(), ones).reshape(rows, size)


def _in_order(
    parts: list[tuple[list[int], torch.Tensor]],
    count: int,
    width: int,
    dtype: torch.dtype = torch.float32,
) -> torch.Tensor:
    """[count, width]: rows of ``parts`` at their place; NaN, or 0 of integers, elsewhere."""
    device = parts[0][1].device if parts else "cpu"
    nothing = math.nan if dtype.is_floating_point else 0
    if parts and dtype.is_floating_point:
        dtype = parts[0][1].dtype
    out = torch.full((count, width), nothing, dtype=dtype, device=device)
    for index, values in parts:
        out[torch.tensor(index, device=device)] = values.to(device, dtype)
    return out
