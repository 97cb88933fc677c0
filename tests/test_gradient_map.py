"""The picture of a gradient keeps every peak, with its sign, where it is."""

from __future__ import annotations

import numpy as np
import pytest

from tb_gradplugin import summaries
from tb_gradplugin.gradient_map import LEVELS, NONFINITE, GradientMap, reduced


def by_hand(g: np.ndarray, side: int) -> np.ndarray:
    """The extreme element of every block, one by one."""
    rows, columns = (min(n, side) for n in g.shape)
    out = np.empty((rows, columns))
    edges = [
        [k * n // m for k in range(m + 1)] for n, m in zip(g.shape, (rows, columns), strict=True)
    ]
    for i in range(rows):
        for j in range(columns):
            block = g[edges[0][i] : edges[0][i + 1], edges[1][j] : edges[1][j + 1]].ravel()
            out[i, j] = block[np.argmax(np.abs(block))]
    return out


@pytest.mark.parametrize(
    ("shape", "slices", "side"),
    [
        ((5, 7), (), 128),
        ((300, 10), (), 128),
        ((129, 500), (), 128),
        ((3, 3, 8, 100), (3, 3), 64),
        ((1, 1, 200, 130), (1, 1), 128),
        ((4, 6, 70), (4,), 64),
    ],
)
def test_each_cell_is_the_extreme_element_of_its_block(shape, slices, side):
    g = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    found = reduced(g)
    assert (found.shape, found.slices) == (shape, slices)
    assert found.scale == pytest.approx(np.abs(g).max())
    expected = [by_hand(m, side) for m in g.reshape(-1, *shape[-2:])]
    values = found.codes.astype(float) / LEVELS * found.scale
    assert values.shape == (*slices, *expected[0].shape)
    error = np.abs(values.reshape(len(expected), *expected[0].shape) - np.stack(expected))
    assert error.max() <= found.scale / LEVELS / 2 + 1e-12


def test_many_leading_axes_are_reduced_too():
    g = np.random.default_rng(0).normal(size=(7, 7, 5, 6))
    found = reduced(g)
    flat = g.reshape(49, 5, 6)
    expected = np.take_along_axis(flat, np.abs(flat).argmax(0)[None], 0)[0]
    assert found.slices == ()
    assert np.abs(found.codes / LEVELS * found.scale - expected).max() < found.scale / LEVELS


def test_what_is_not_finite_is_shown_where_it_is():
    g = np.zeros((256, 4), np.float32)
    g[7, 1], g[9, 3], g[100, 2] = np.nan, -np.inf, -2.0
    found = reduced(g)
    assert (found.codes == NONFINITE).sum() == 2
    assert found.codes[3, 1] == found.codes[4, 3] == NONFINITE
    assert (found.scale, found.codes[50, 2]) == (2.0, -LEVELS)


def test_a_gradient_of_zero_is_a_picture_of_zeros():
    found = reduced(np.zeros((3, 2)))
    assert (found.scale, found.codes.any()) == (0.0, False)


def test_what_is_written_is_what_is_read():
    g = np.random.default_rng(0).normal(size=(3, 3, 8, 9)).astype(np.float32)
    wrote = reduced(g)
    event = summaries.map_event("conv/kernel", 4, wrote, 17, 1e9)
    (value,) = event.summary.value
    assert (event.step, value.tag) == (17, "gradients/map/4")
    from tensorboard.util import tensor_util

    variable, read = summaries.decode_map(tensor_util.make_ndarray(value.tensor))
    assert variable == "conv/kernel"
    assert (read.shape, read.slices, read.scale) == (wrote.shape, wrote.slices, wrote.scale)
    assert (read.codes == wrote.codes).all()
    assert isinstance(read, GradientMap)
    for damaged in ('{"variable": "a"}', "no json"):
        with pytest.raises(summaries.DataError):
            summaries.decode_map(np.array(damaged.encode(), dtype=object))
