"""What a page that polls is sent: what is new, or everything where what it holds has changed."""

from __future__ import annotations

import copy

import numpy as np
import pytest
from fake_runs import COLUMN, dense_structure, statistics, write_run
from providers import LOADERS, client
from tensorboard import errors

from tb_gradplugin import bins, reader, scales, since, views
from tb_gradplugin.reader import Models, Rows
from tb_gradplugin.structure import ModelStructure

STRUCTURE = dense_structure(3)
RNG = np.random.default_rng(0)
NORMS = 10.0 ** RNG.normal(-3, 0.3, (40, len(STRUCTURE.variables)))
SHARES = RNG.integers(1, 100, (40, len(STRUCTURE.variables), 3))


def rows(steps: range, values: np.ndarray) -> Rows:
    return Rows(np.array(steps), 1e9 + np.array(steps, float), values[: len(steps)])


def table(count: int) -> np.ndarray:
    out = np.repeat(statistics(STRUCTURE, 1)[None], count, 0)
    for name, times in (("norm", 1.0), ("min", -0.5), ("max", 0.5)):
        out[:, :, COLUMN[name]] = times * NORMS[:count]
    return out


def overview(structure: ModelStructure, seen: Rows) -> views.Overview:
    series = scales.layer_series(scales.essence(seen.values), structure)
    return views.Overview(Models((1,), (structure,)), seen.steps, seen.wall_times, series)


def layer(count: int) -> dict:
    counts = np.zeros((count, len(STRUCTURE.variables), bins.BINS), np.uint16)
    counts[:, :, 30:33] = SHARES[:count]
    seen = rows(range(1, count + 1), table(count))
    own = STRUCTURE.rows_of_layer(0)
    histograms = Rows(seen.steps[::3], seen.wall_times[::3], counts[::3][:, own])
    its_own = Rows(seen.steps, seen.wall_times, seen.values[:, own])
    return views.layer(0, its_own, overview(STRUCTURE, seen), histograms)


def heatmap(count: int) -> dict:
    return views.heatmap(overview(STRUCTURE, rows(range(1, count + 1), table(count))), None)


def norms(count: int) -> dict:
    return views.norms(overview(STRUCTURE, rows(range(1, count + 1), table(count))))


def scalars(count: int) -> dict:
    steps = list(range(1, count + 1))
    fast = {"name": "loss", "label": "loss", "steps": steps, "values": [1 / s for s in steps]}
    slow = {"name": "loss", "label": "val", "steps": steps[::4], "values": steps[::4]}
    return {"series": [fast, slow]}


ANSWERS = [layer, heatmap, norms, scalars]


def joined(old: dict, new: dict, step: int) -> dict:
    """As the page does it."""
    out = {}
    for name, value in new.items():
        before = old.get(name)
        if name in ("sick", "layers", "log10_edges", "shape", "probe", "maps", "epoch"):
            out[name] = value
        elif isinstance(value, dict):
            out[name] = joined(before, value, step)
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            out[name] = [joined(b, v, step) for b, v in zip(before, value, strict=True)]
        elif isinstance(value, list):
            held = before
            if "steps" in old:
                held = before[: sum(s <= step for s in old["steps"])]
            out[name] = held + value
        elif name != "since":
            out[name] = value
    return out


@pytest.mark.parametrize("answer", ANSWERS)
def test_what_is_held_and_what_is_sent_are_the_whole(answer):
    held = since.answer(answer(20), {})
    asked = {"since": str(since._last(held)), "epoch": held["epoch"]}
    sent = since.answer(answer(33), asked)
    assert sent["since"] == int(asked["since"])
    whole = since.answer(answer(33), {})
    assert joined(held, sent, sent["since"]) == whole
    again = {"since": str(since._last(whole)), "epoch": sent["epoch"]}
    assert since.answer(answer(40), again)["since"] == since._last(whole)


@pytest.mark.parametrize("answer", ANSWERS)
def test_all_is_sent_where_what_is_held_no_longer_stands(answer):
    held = since.answer(answer(20), {})
    asked = {"since": str(since._last(held)), "epoch": held["epoch"]}

    def changed(value: dict) -> dict:
        """One number of an early step is another."""
        out = copy.deepcopy(value)
        part = out["series"][1] if "series" in out else out
        part["steps"][1] += 0.5
        return out

    for full in (changed(answer(33)), answer(10)):
        sent = since.answer(full, asked)
        assert "since" not in sent
        assert sent == since.answer(full, {})
    assert "since" not in since.answer(answer(33), asked | {"epoch": "other"})
    assert "since" not in since.answer(answer(33), {"since": asked["since"]})


def test_edges_of_histograms_and_the_unit_of_norms_are_part_of_what_must_stand():
    for answer, name in ((layer, "log10_edges"), (norms, "log10_min")):
        held = since.answer(answer(20), {})
        asked = {"since": "20", "epoch": held["epoch"]}
        full = answer(33)
        place = full["histograms"] if answer is layer else full
        place[name] = [0.5, *place[name][1:]] if answer is layer else place[name] - 1.0
        assert "since" not in since.answer(full, asked)


def test_what_comes_anew_each_time_may_change():
    held = since.answer(heatmap(20), {})
    full = heatmap(33) | {"sick": [[0, "dead", 1, 33, True]]}
    sent = since.answer(full, {"since": "20", "epoch": held["epoch"]})
    assert (sent["since"], sent["sick"]) == (20, full["sick"])


def test_a_since_that_is_no_step_is_refused():
    with pytest.raises(errors.InvalidArgumentError, match=r"`since` \(='x'\)"):
        since.answer(heatmap(3), {"since": "x"})


@pytest.mark.parametrize("kind", LOADERS)
def test_the_plugin_sends_what_is_new(tmp_path, kind):
    write_run(tmp_path / "run1/gradients", STRUCTURE, [1, 2, 3, 5, 8])
    with client(kind, tmp_path) as plugin:
        for route in ("heatmap", "norms", "layer"):
            query = {"run": "run1"} | ({"layer": "dense_0"} if route == "layer" else {})
            full = plugin.json(route, **query)
            assert full["steps"] == [1, 2, 3, 5, 8]
            earlier = plugin.json(route, **query, since=8, epoch=full["epoch"])
            assert (earlier["since"], earlier["steps"]) == (8, [])
            assert plugin.json(route, **query, since=8, epoch="x")["steps"] == full["steps"]


def test_norms_are_those_of_numpy_to_half_a_code():
    found = scales.layer_series(scales.essence(table(40)), STRUCTURE)
    owner = np.array([v.layer for v in STRUCTURE.variables])
    of_layer = [np.sqrt((NORMS[:, owner == i] ** 2).sum(1)) for i in found.layers]
    expected = np.stack(of_layer, 1)
    codes, low, step = scales.quantise_norms(found.norm, found.bad)
    log = low + step * (codes.astype(float) - 3)
    assert step == 1 / 16
    assert np.abs(log - np.log10(expected)).max() <= step / 2 + 1e-6


def test_codes_of_norms_that_are_none():
    norm = np.array([[0.0, np.nan, 1e-30, 1e30, np.inf, 5.0]])
    bad = np.array([[False, False, False, False, False, True]])
    codes, low, step = scales.quantise_norms(norm, bad)
    assert codes[0, [0, 1, 4, 5]].tolist() == [2, 0, 1, 1]
    assert (low, step) == (-30.0, 1 / 4)
    assert low + step * (int(codes[0, 3]) - 3) == pytest.approx(30.0)
    kept = scales.bucket_norms(np.array([[3, 0], [9, 2], [7, 200], [1, 0]], np.uint8), 2)
    assert kept[0].tolist() == [0, 2]
    assert kept[1].tolist() == [[9, 2], [1, 200]]


def test_a_run_without_a_gradient_has_norms_too():
    empty = reader.Rows(np.zeros(0, int), np.zeros(0), np.zeros((0, 0, 10), np.float32))
    answer = views.norms(overview(dense_structure(0), empty))
    assert (answer["steps"], answer["layers"], answer["codes"]) == ([], [], [])
