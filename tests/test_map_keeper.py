"""Pictures of gradients in a real fit: of which layers, when, and what the page is given."""

from __future__ import annotations

import base64

import numpy as np
import pytest

pytest.importorskip("tensorflow")

import keras
from providers import LOADERS, client

from tb_gradplugin import metadata, reader, sources
from tb_gradplugin.callbacks import GradientMonitor, map_keeper

L = keras.layers


def fit(folder, activation: str, depth: int, *, epochs: int = 4, **more) -> GradientMonitor:
    keras.utils.set_random_seed(0)
    hidden = [L.Dense(24, activation, name=f"h{i}") for i in range(depth)]
    model = keras.Sequential([keras.Input((10,)), *hidden, L.Dense(1, "sigmoid", name="head")])
    model.compile(keras.optimizers.Adam(1e-3), loss="binary_crossentropy")
    x = np.random.default_rng(0).normal(size=(320, 10)).astype("float32")
    y = (x[:, :1] > 0).astype("float32")
    monitor = GradientMonitor(folder, on_unhealthy="ignore", probe_freq=None, **more)
    model.fit(x, y, batch_size=32, epochs=epochs, verbose=0, callbacks=[monitor])
    return monitor


def maps(folder) -> list[tuple[int, str]]:
    source = sources.FileSource(folder / metadata.MONITOR_SUBDIR)
    structure = reader.read_models(source).latest
    found = [
        (step, path)
        for layer in range(len(structure.layers))
        for step, path, _ in reader.read_maps(source, structure, layer)
    ]
    assert source.problems == []
    return found


def test_a_healthy_run_keeps_none_unless_layers_are_chosen(tmp_path):
    fit(tmp_path / "a", "relu", 2)
    assert maps(tmp_path / "a") == []
    fit(tmp_path / "b", "relu", 2, map_layers=["h1"])
    steps = [step for step, path in maps(tmp_path / "b") if path == "h1/kernel"]
    assert steps == [10, 20, 30, 40]  # the last logged one of each epoch
    assert len(steps) == len(maps(tmp_path / "b"))


def test_sick_layers_are_kept_when_the_finding_opens_and_at_ends_of_epochs(tmp_path):
    monitor = fit(tmp_path, "sigmoid", 10)
    (finding,) = monitor.report().runs[tmp_path.name].findings
    kept = maps(tmp_path)
    steps = sorted({step for step, _ in kept})
    assert steps[0] % 10 != 0  # the next logged one after it opened
    assert steps[1:] == [step for step in (10, 20, 30, 40) if step > steps[0]]
    assert len(steps) > 1
    layers = {path.partition("/")[0] for _, path in kept}
    assert layers <= set(finding.layers) | {"h0"}
    assert {"h0", "h1"} <= layers
    assert max(sum(s == step for s, _ in kept) for step in steps) <= map_keeper.AT_ONCE


def test_no_more_than_a_run_may_leave(tmp_path, monkeypatch):
    monkeypatch.setattr(map_keeper, "ROOM", 24 * 24 * 3)
    fit(tmp_path, "relu", 2, map_layers=["h1"], epochs=8)
    assert len(maps(tmp_path)) == 3


def test_a_layer_that_is_not_there_is_told_once(tmp_path):
    with pytest.warns(
        RuntimeWarning, match=r"`map_layers` names \['nine'\].*its layers are h0"
    ) as w:
        fit(tmp_path, "relu", 1, map_layers=("nine",))
    assert len(w) == 1


@pytest.mark.parametrize("wrong", ["h0", [1], None])
def test_names_of_another_kind_are_refused(tmp_path, wrong):
    with pytest.raises(TypeError, match=r"`map_layers` \(=.*list or tuple of layer paths"):
        GradientMonitor(tmp_path, map_layers=wrong)


@pytest.mark.parametrize("kind", LOADERS)
def test_the_page_gets_the_picture(tmp_path, kind):
    fit(tmp_path / "run", "relu", 2, map_layers=["h1"])
    with client(kind, tmp_path) as plugin:
        layer = plugin.json("layer", run="run", layer="h1")
        assert [m["step"] for m in layer["maps"]] == [10, 20, 30, 40]
        assert layer["maps"][0]["variable"] == "h1/kernel"
        assert plugin.json("layer", run="run", layer="h0")["maps"] == []
        weights = layer["weights"]
        assert weights["steps"] == [10, 20, 30, 40]  # ends of epochs
        (kernel, bias) = weights["variables"]
        assert kernel["path"] == "h1/kernel"
        for one in (kernel, bias):
            for i in range(4):
                shares = [*one["negative"][i], *one["positive"][i], one["zero"][i]]
                assert sum(shares) == pytest.approx(1.0, abs=1e-3)
        # Glorot: uniform up to sqrt(6 / 48) = 0.35.
        filled = np.flatnonzero(np.sum(kernel["positive"], axis=0))
        assert weights["log10_edges"][filled[-1]] < np.log10(0.5)
        assert weights["log10_edges"][filled[-1] + 1] >= np.log10(0.35)
        one = plugin.json("map", run="run", variable="h1/kernel", step="20")
        assert (one["shape"], one["reduced"], one["slices"]) == ([24, 24], [24, 24], [])
        codes = np.frombuffer(base64.b64decode(one["codes"]), np.int8).reshape(24, 24)
        row = layer["steps"].index(20)
        largest = layer["variables"][0]["max_abs"][row]
        assert one["scale"] == pytest.approx(largest, rel=1e-4)
        norm = np.linalg.norm(codes / 127 * one["scale"])
        assert norm == pytest.approx(layer["variables"][0]["norm"][row], rel=0.05)
        for query in ({"step": "21"}, {"step": "x"}, {"variable": "none"}):
            asked = {"run": "run", "variable": "h1/kernel", "step": "20"} | query
            assert plugin.get("map", **asked).status_code == 404
