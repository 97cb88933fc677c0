import numpy as np
import pytest
from fake_runs import COLUMN

from tb_gradplugin import scales
from tb_gradplugin.structure import Layer, ModelStructure, Variable


def levels(statistics: np.ndarray, structure: ModelStructure) -> scales.LayerSeries:
    return scales.layer_series(scales.essence(statistics), structure)


def two_roles() -> ModelStructure:
    return ModelStructure(
        (Layer("a", "Dense"), Layer("none", "Flatten"), Layer("b", "LSTM"), Layer("c", "Norm")),
        (
            Variable("a/kernel", 0, "kernel", (2,)),
            Variable("b/kernel", 2, "kernel", (2,)),
            Variable("c/gamma", 3, "scale", (2,)),
            Variable("a/bias", 0, "bias", (2,)),
            Variable("b/recurrent_kernel", 2, "recurrent_kernel", (2,)),
        ),
    )


def by_loops(stats, structure):
    """Codes as http_api.md and the docstrings say, cell by cell."""
    rows = sorted({v.layer for v in structure.variables})
    steps = len(stats)
    codes = np.zeros((steps, len(rows)), int)
    norms = np.full((steps, len(rows)), np.nan)
    for t in range(steps):
        for r, layer in enumerate(rows):
            own = [float(stats[t, i, 0]) for i in structure.rows_of_layer(layer)]
            own = [x for x in own if x == x]
            norms[t, r] = sum(x * x for x in own) ** 0.5 if own else np.nan
            if (stats[t, structure.rows_of_layer(layer), 6:8] > 0).any():
                norms[t, r] = np.nan  # no part of where a layer started
    for t in range(steps):
        s = {
            i: float(stats[t, i, 0]) * float(stats[t, i, 8])
            for i, v in enumerate(structure.variables)
            if v.role in ("kernel", "recurrent_kernel")
            and not np.isnan(stats[t, i, 0])
            and not (stats[t, i, 6:8] > 0).any()
        }
        norm_of = {i: float(stats[t, i, 0]) for i in s}
        top = max((np.log10(x) for x in s.values() if x > 0), default=0.0)
        for r, layer in enumerate(rows):
            own = structure.rows_of_layer(layer)
            if any(stats[t, i, 6] > 0 or stats[t, i, 7] > 0 for i in own):
                codes[t, r] = 1
            elif np.isnan(norms[t, r]):
                codes[t, r] = 0
            elif norms[t, r] == 0 or ({0.0} == {norm_of[i] for i in own if i in norm_of}):
                codes[t, r] = 2
            else:
                start = [np.log10(x) for x in norms[:20, r] if x > 0]
                growth = np.log10(norms[t, r]) - np.median(start) if start else 0.0
                a = min((np.log10(s[i]) - top for i in own if s.get(i, 0) > 0), default=0.0)
                level = growth if growth > max(0.7, -a) else a
                codes[t, r] = round(min(max(level, -4), 4) * 31 + 131)
    return codes


def test_levels_equal_a_computation_cell_by_cell():
    structure, rng = two_roles(), np.random.default_rng(0)
    steps = 2 * scales.STEPS_AT_ONCE + 7
    stats = np.zeros((steps, 5, 10), np.float32)
    stats[..., COLUMN["norm"]] = 10 ** rng.uniform(-6, 1, (steps, 5))
    stats[..., COLUMN["weight_norm"]] = 10 ** rng.uniform(-1, 1, (steps, 5))
    stats[rng.random((steps, 5)) < 0.1] = np.nan
    stats[rng.random((steps, 5)) < 0.1, COLUMN["norm"]] = 0
    stats[rng.random((steps, 5)) < 0.05, COLUMN["nan_count"]] = 3
    stats[rng.random((steps, 5)) < 0.05, COLUMN["inf_count"]] = 1
    stats[30, :3] = np.nan
    stats[31, :, COLUMN["weight_norm"]] = 0
    found = levels(stats, structure)
    assert found.layers == [0, 2, 3]
    codes = scales.quantise(found)
    assert set(np.unique(codes)) >= {0, 1, 2, 7, 131}
    np.testing.assert_array_equal(codes, by_loops(stats, structure))


def test_levels_of_a_run_of_one_step_or_none_exist():
    structure = two_roles()
    for steps in (0, 1):
        found = levels(np.ones((steps, 5, 10), np.float32), structure)
        assert found.level.shape == (steps, 3)
    empty = levels(np.ones((4, 0, 10), np.float32), ModelStructure((), ()))
    assert scales.quantise(empty).shape == (4, 0)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 3e38, 0.0])
def test_levels_never_warn_whatever_the_statistics_hold(value):
    found = levels(np.full((3, 5, 10), value, np.float32), two_roles())
    assert scales.quantise(found).dtype == np.uint8


def test_growth_is_relative_to_the_median_of_the_first_twenty_steps():
    norm = np.r_[np.full(20, 2.0), np.full(20, 2000.0)][:, None]
    assert scales.growth(norm)[:, 0] == pytest.approx([0] * 20 + [3] * 20)


def test_a_norm_that_underflowed_is_not_taken_for_zero():
    stats = np.zeros((1, 5, 10), np.float32)
    stats[0, :, COLUMN["weight_norm"]] = 1
    stats[0, :, COLUMN["norm"]] = 1
    stats[0, [0, 3], COLUMN["norm"]] = 0
    stats[0, 0, COLUMN["min"]] = -1e-30
    assert scales.quantise(levels(stats, two_roles()))[0].tolist() == [7, 131, 131]


def test_special_codes_win_a_bucket_then_the_level_furthest_from_zero():
    codes = np.array([[131, 0, 2, 7], [1, 0, 100, 131], [2, 131, 255, 131], [0, 0, 0, 250]])
    starts, merged = scales.bucket(codes.astype(np.uint8), 1)
    assert starts.tolist() == [0]
    assert merged.tolist() == [[1, 131, 2, 7]]


def test_buckets_cover_all_steps_once_and_at_most_as_asked():
    codes = np.random.default_rng(1).integers(7, 256, (2357, 3)).astype(np.uint8)
    starts, merged = scales.bucket(codes, 1000)
    assert merged.shape == (1000, 3)
    assert (np.diff(starts) > 0).all()
    for k, part in enumerate(np.split(codes.astype(int), starts[1:])):
        assert abs(merged[k].astype(int) - 131).tolist() == abs(part - 131).max(axis=0).tolist()
    starts, merged = scales.bucket(codes[:5], 1000)
    assert starts.tolist() == [0, 1, 2, 3, 4]
    np.testing.assert_array_equal(merged, codes[:5])


@pytest.mark.parametrize(
    "owners",
    [
        [0, 0, 1, 1, 2, 2],
        [0, 1, 1, 2, 2, 2, 3, 3, 3, 5],
        [3, 0, 3, 1, 0, 3],  # not in the order of the layers
        [i for layer in range(60) for i in [layer] * (1 + layer % 2)],  # no stretch is long
        [4],
        [],
    ],
)
def test_variables_are_reduced_by_layer_however_many_each_has(owners):
    structure = ModelStructure(
        tuple(Layer(f"d{i}", "Dense") for i in range(60)),
        tuple(Variable(f"v{i}", owner, "kernel", (2,)) for i, owner in enumerate(owners)),
    )
    values = np.random.default_rng(0).normal(size=(5, len(owners)))
    groups = scales._Groups(structure)
    assert groups.layers == sorted(set(owners))
    for ufunc in (np.add, np.fmax, np.minimum):
        found = groups.reduce(ufunc, values)
        assert found.shape == (5, len(groups.layers))
        for row, layer in enumerate(groups.layers):
            own = values[:, np.array(owners) == layer]
            np.testing.assert_allclose(found[:, row], ufunc.reduce(own, axis=1), rtol=1e-14)
