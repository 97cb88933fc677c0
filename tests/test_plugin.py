import base64
import json
import math
import os
import re
import subprocess
import threading
import time
import types
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

import numpy as np
import pytest
from fake_runs import (
    COLUMN,
    START,
    dense_structure,
    finding,
    health,
    histograms,
    record,
    statistics,
    with_schema,
    write_run,
)
from providers import LOADERS, client
from tensorboard import errors
from tensorboard.compat.proto import event_pb2, summary_pb2

from tb_gradplugin import bins, loader, metadata, scales, sources, summaries, views
from tb_gradplugin.event_files import EventFileWriter
from tb_gradplugin.health.judge import RULES
from tb_gradplugin.health.report import Note, RunHealth
from tb_gradplugin.records import ProbeRecord
from tests.conftest import tensorboard_command
from tests.own_process import free_port

ROUTES = ("run", "heatmap", "norms", "scalars", "layer")
HOSTILE = (
    "back\\slash",
    'it\'s "quoted"',
    "<img src=x onerror=alert(1)>",
    "层/ünï",
    "a&b=c#d%2F",
    "{{x}}",
    "..",
)


@pytest.fixture(params=LOADERS)
def kind(request):
    return request.param


def codes_of(answer) -> np.ndarray:
    codes = np.frombuffer(base64.b64decode(answer["codes"]), np.uint8)
    return codes.reshape(len(answer["layers"]), len(answer["steps"]))


def write_scalars(directory, tag_values, steps):
    writer = EventFileWriter(directory)
    for step in steps:
        values = [summaries.scalar_value(tag, value) for tag, value in tag_values.items()]
        summary = summary_pb2.Summary(value=values)
        writer.write(event_pb2.Event(step=step, wall_time=START + 3 * step, summary=summary))
    writer.close()


def test_runs_lists_every_run_with_its_verdict(tmp_path, kind):
    sick = [
        finding(layers=("dense_0", "dense_1")),
        finding("dead", ("dense_1", "dense_2")),
        finding("exploding", ("dense_0",), active=False),
    ]
    write_run(tmp_path / "sick/gradients", dense_structure(3), [1, 2, 9], findings=sick)
    write_run(tmp_path / "gradients", dense_structure(3), [1])
    EventFileWriter(tmp_path / "other").close()
    with client(kind, tmp_path) as plugin:
        answer = plugin.json("runs")
    for run in answer["runs"]:
        assert run.pop("start_time") == pytest.approx(START, abs=1e9)
    assert answer == {
        "runs": [
            {
                "name": ".",
                "verdict": "healthy",
                "kinds": [],
                "steps": {"first": 1, "last": 1, "logged": 1},
                "sick_layers": 0,
            },
            {
                "name": "sick",
                "verdict": "unhealthy",
                "kinds": ["dead", "exploding", "vanishing"],
                "steps": {"first": 1, "last": 9, "logged": 3},
                "sick_layers": 3,
            },
        ]
    }


@pytest.mark.parametrize(("runs", "waits"), [(20, True), (21, False)])
def test_many_verdicts_that_take_long_come_with_the_next_answer(tmp_path, runs, waits):
    for i in range(runs):
        write_run(tmp_path / f"{i}/gradients", dense_structure(1), [1, 2])
    ready = threading.Event()
    with client("python", tmp_path) as plugin:
        read = plugin.plugin._provider.read_tensors

        def slow(*args, **more):
            ready.wait(30)
            return read(*args, **more)

        plugin.plugin._provider.read_tensors = slow
        if waits:
            threading.Timer(0.5, ready.set).start()
        first = plugin.json("runs")["runs"]
        assert {run["verdict"] for run in first} == {"healthy" if waits else "unknown"}
        assert len(first) == runs
        plugin.plugin.verdicts_within = None
        threading.Timer(0.2, ready.set).start()
        second = plugin.json("runs")["runs"]
        assert all(run["verdict"] == "healthy" and run["steps"]["last"] == 2 for run in second)


def test_verdicts_are_read_anew_where_there_is_news(tmp_path, kind):
    for name in "ab":
        write_run(tmp_path / name / "gradients", dense_structure(1), [1, 2])
    with client(kind, tmp_path) as plugin:
        provider, asked = plugin.plugin._provider, []
        read, listed = provider.read_tensors, provider.list_tensors

        def counted(*args, run_tag_filter, **more):
            asked.append(run_tag_filter.runs)
            return read(*args, run_tag_filter=run_tag_filter, **more)

        provider.read_tensors = counted
        plugin.json("runs")
        plugin.json("runs")
        assert asked == [None]

        def later(*args, **more):
            found = listed(*args, **more)
            series = found["b/gradients"][metadata.HEALTH_TAG]
            news = types.SimpleNamespace(**{**vars_of(series), "max_step": series.max_step + 1})
            return {**found, "b/gradients": {**found["b/gradients"], metadata.HEALTH_TAG: news}}

        provider.list_tensors = later
        plugin.json("runs")
        assert asked == [None, frozenset(["b/gradients"])]


def vars_of(series) -> dict:
    names = ("max_step", "max_wall_time", "plugin_content")
    return {name: getattr(series, name) for name in names}


def test_a_run_that_has_not_logged_a_step_yet_has_no_data(tmp_path, kind):
    writer = EventFileWriter(tmp_path / "gradients")
    writer.write(summaries.model_event(dense_structure(1), 1, START))
    writer.close()
    with client(kind, tmp_path) as plugin:
        (run,) = plugin.json("runs")["runs"]
        assert run["verdict"] == "no data"
        assert run["steps"] == {"first": None, "last": None, "logged": 0}
        assert plugin.json("run", run=".")["verdict"] == "no data"
        assert plugin.json("heatmap", run=".")["steps"] == []
        assert plugin.json("scalars", run=".")["series"] == []
        assert plugin.json("layer", run=".", layer="dense_0")["steps"] == []


def test_an_empty_log_directory_has_no_runs_and_no_problems(tmp_path, kind):
    with client(kind, tmp_path) as plugin:
        assert plugin.json("runs") == {"runs": []}
        assert plugin.json("problems") == {"problems": []}
        assert plugin.get("run", run=".").status_code == 404


def test_run_answers_the_report_and_the_model(tmp_path, kind):
    run = health([1, 2], [finding()])
    write_run(tmp_path / "run1/gradients", dense_structure(2), [1, 2], findings=[finding()])
    with client(kind, tmp_path) as plugin:
        answer = plugin.json("run", run="run1")
    assert {key: answer[key] for key in run.to_dict()} == json.loads(json.dumps(run.to_dict()))
    assert answer["name"] == "run1"
    assert answer["model"] == {
        "name": "sequential",
        "optimizer": "Adam",
        "loss": "mse",
        "backend": "tensorflow",
    }
    assert [layer["path"] for layer in answer["layers"]] == [
        "dense_0",
        "dense_1",
        "flatten",
        "frozen",
    ]
    assert [layer["recorded"] for layer in answer["layers"]] == [True, True, False, False]
    assert answer["layers"][0] == {
        "path": "dense_0",
        "type": "Dense",
        "activation": "relu",
        "initializer": "GlorotUniform",
        "trainable": True,
        "parameters": 20,
        "recorded": True,
    }
    assert [rule["kind"] for rule in answer["rules"]] == [rule[0] for rule in RULES]
    assert all(rule["title"] and rule["checks"] for rule in answer["rules"])
    assert answer["problems"] == []


def test_the_heatmap_is_the_levels_of_the_run(tmp_path, kind):
    structure, steps = dense_structure(3), [1, 2, 5]
    sick = [finding(), finding("dead", ("dense_2", "flatten"), since=2, last=4, active=False)]
    write_run(tmp_path / "gradients", structure, steps, findings=sick)
    with client(kind, tmp_path) as plugin:
        answer = plugin.json("heatmap", run=".")
    stats = np.stack([statistics(structure, s) for s in steps])
    assert answer["steps"] == steps
    assert answer["wall_times"] == [START + s for s in steps]
    assert answer["layers"] == ["dense_0", "dense_1", "dense_2"]
    expected = scales.quantise(scales.layer_series(scales.essence(stats), structure)).T
    np.testing.assert_array_equal(codes_of(answer), expected)
    assert answer["sick"] == [[0, "vanishing", 3, 9, True], [2, "dead", 2, 4, False]]


def test_the_heatmap_has_at_most_a_thousand_columns(tmp_path, kind):
    structure = dense_structure(1)
    writer = EventFileWriter(tmp_path / "gradients")
    writer.write(summaries.model_event(structure, 1, START))
    stats = statistics(structure, 1)
    bad = stats.copy()
    bad[0, COLUMN["nan_count"]] = 1
    for step in range(1, 2502):
        step_record = record(structure, step, stats=bad if step == 1234 else stats)
        writer.write(summaries.step_event(step_record, RunHealth()))
    writer.close()
    with client(kind, tmp_path, {"gradients": 3000, "scalars": 10}) as plugin:
        answer = plugin.json("heatmap", run=".")
        assert len(plugin.json("layer", run=".", layer="dense_0")["steps"]) == 2501
    assert len(answer["steps"]) == 1000
    assert answer["steps"] == sorted(set(answer["steps"]))
    (sick,) = np.flatnonzero(codes_of(answer)[0] == 1)
    assert answer["steps"][sick] <= 1234 < answer["steps"][sick + 1]


def test_a_layer_has_its_series_and_histograms(tmp_path, kind):
    structure, steps = dense_structure(3), range(1, 8)
    write_run(tmp_path / "gradients", structure, steps, histogram_every=2)
    with client(kind, tmp_path) as plugin:
        answer = plugin.json("layer", run=".", layer="dense_1")
        codes = codes_of(plugin.json("heatmap", run="."))[1]
    assert answer["layer"] == "dense_1"
    assert answer["steps"] == list(steps)
    assert np.round(np.array(answer["level"]) * 31 + 131).tolist() == codes.tolist()
    kernel, bias = answer["variables"]
    assert (kernel["path"], kernel["role"], kernel["shape"]) == ("dense_1/kernel", "kernel", [4, 4])
    assert (bias["path"], bias["role"], bias["shape"]) == ("dense_1/bias", "bias", [4])
    for row, variable in ((2, kernel), (3, bias)):
        stats = np.stack([statistics(structure, s)[row] for s in steps]).astype(float)
        size = math.prod(variable["shape"])
        column = {name: stats[:, i] for name, i in COLUMN.items()}
        column["rms"] = column["norm"] / np.sqrt(size)
        column["max_abs"] = np.maximum(-column["min"], column["max"])
        column["update_ratio"] = column["update_norm"] / column["weight_norm"]
        del column["min"], column["max"]
        assert set(column) == set(variable) - {"path", "role", "shape"}
        for name, values in column.items():
            assert variable[name] == pytest.approx(values.tolist(), rel=1e-5), name
    found = answer["histograms"]
    assert found["steps"] == [1, 3, 5, 7]
    edges = np.array(found["log10_edges"])
    low = round(edges[0] / math.log10(2)) - bins.MIN_EXPONENT
    for row, variable in ((2, found["variables"][0]), (3, found["variables"][1])):
        stored = np.stack([histograms(structure, s)[row] for s in (1, 3, 5, 7)]).astype(float)
        stored /= stored.sum(axis=1, keepdims=True)
        n = len(edges) - 1
        for name, at in (("negative", low), ("positive", low + bins.OCTAVES)):
            np.testing.assert_allclose(variable[name], stored[:, at : at + n], atol=1e-6)
        parts = [np.array(variable[name]) for name in ("negative", "positive")]
        ends = np.array(variable["zero"]) + variable["nan"] + variable["inf"]
        np.testing.assert_allclose(sum(p.sum(axis=1) for p in parts) + ends, 1, atol=1e-3)
    both = np.array([[v["negative"], v["positive"]] for v in found["variables"]])
    assert both[..., 0].any()  # empty bins are cut at both ends
    assert both[..., -1].any()


def seen_at(step: int, layers: int, row: int, **more) -> ProbeRecord:
    """A probe that looked at the layer ``row`` only."""
    table = np.full((layers, len(metadata.PROBE_COLUMNS)), np.nan, np.float32)
    table[row] = np.arange(8) / 8 + step
    table[row, metadata.PROBE_COLUMNS.index("saturated_share")] = np.nan
    nothing = np.full(3, np.nan)
    return ProbeRecord(step, START + step, 32, table, nothing, nothing, **more)


def test_a_layer_has_what_the_latest_probe_saw_of_it(tmp_path, kind):
    structure = dense_structure(3)
    row, count = [x.path for x in structure.layers].index("dense_1"), len(structure.layers)
    norms = np.array([1e-3, np.nan, 1.0], np.float32)  # the second time step is masked
    more = {"through_time": {row: norms}, "spectral_radius": {row: 1.25}}
    probes = [seen_at(1, count, row), seen_at(2, count, row, **more), seen_at(3, count, row + 1)]
    write_run(tmp_path / "gradients", structure, range(1, 4), probes=probes)
    with client(kind, tmp_path) as plugin:
        answer = plugin.json("layer", run=".", layer="dense_1")["probe"]
        other = plugin.json("layer", run=".", layer="dense_0")["probe"]
    assert answer == {
        "step": 2,
        "output_mean": 2.0,
        "output_std": 2.125,
        "output_max": 2.25,
        "nonfinite_share": 2.375,
        "zero_share": 2.5,
        "dead_share": 2.625,
        "saturated_share": None,
        "gradient_norm": 2.875,
        "through_time": {"steps": [0, 2], "norms": [0.001, 1.0]},
        "spectral_radius": 1.25,
    }
    assert other is None


def outputs(structure, step: int, *, without=()) -> np.ndarray:
    """Histograms of drawn outputs of the layers: uint16 [layers, bins]; no row of ``without``."""
    rng = np.random.default_rng(step)
    counts = np.zeros((len(structure.layers), bins.DEVICE_BINS))
    for row, layer in enumerate(structure.layers):
        if layer.path in without:
            continue
        y = np.maximum(rng.normal(size=500), 0).astype(np.float32)
        y[:5] = [np.nan, np.inf, -np.inf, -1.0, np.nan]
        counts[row] = np.bincount(y.view(np.uint32) >> bins.DEVICE_SHIFT, minlength=1024)
    return bins.fold(counts)


def test_a_layer_has_the_histograms_of_its_output_at_the_probes_that_made_one(tmp_path, kind):
    structure = dense_structure(300, size=1)  # layers in two blocks
    count = len(structure.layers)
    tables = {
        1: outputs(structure, 1),
        2: outputs(structure, 2, without=["dense_280"]),
        3: None,  # as an older version writes it
        4: outputs(structure, 4),
    }
    probes = [seen_at(step, count, 280, histograms=table) for step, table in tables.items()]
    write_run(tmp_path / "gradients", structure, range(1, 6), probes=probes)
    with client(kind, tmp_path) as plugin:
        answers = {
            path: plugin.json("layer", run=".", layer=path) for path in ("dense_280", "flatten")
        }
        assert plugin.json("run", run=".")["problems"] == []
    assert answers["dense_280"]["probe"]["step"] == 4
    for path, steps in (("dense_280", [1, 4]), ("flatten", [1, 2, 4])):
        found = answers[path]["activations"]
        assert found["steps"] == steps
        (rows,) = found["variables"]
        assert rows["path"] == path
        row = [x.path for x in structure.layers].index(path)
        stored = np.stack([tables[step][row] for step in steps]).astype(float)
        stored /= stored.sum(axis=1, keepdims=True)
        np.testing.assert_allclose(rows["zero"], stored[:, bins.ZERO], atol=1e-6)
        np.testing.assert_allclose(rows["nan"], stored[:, bins.NAN], atol=1e-6)
        np.testing.assert_allclose(rows["inf"], stored[:, -2:].sum(axis=1), atol=1e-6)
        low = round(found["log10_edges"][0] / math.log10(2)) - bins.MIN_EXPONENT
        n = len(found["log10_edges"]) - 1
        for name, at in (("negative", low), ("positive", low + bins.OCTAVES)):
            np.testing.assert_allclose(rows[name], stored[:, at : at + n], atol=1e-6)


@pytest.mark.parametrize("probed", [False, True])
def test_a_run_whose_probes_made_no_histograms_has_none_of_outputs(tmp_path, kind, probed):
    structure = dense_structure(2)
    probes = [seen_at(1, len(structure.layers), 1)] * probed
    write_run(tmp_path / "gradients", structure, [1, 2], probes=probes)
    with client(kind, tmp_path) as plugin:
        answer = plugin.json("layer", run=".", layer="dense_1")
    assert answer["activations"] is None
    assert (answer["probe"] is not None) == probed


def test_notes_on_the_run_are_told_and_leave_the_verdict(tmp_path, kind):
    note = Note("overfitting", 40, {"gap": 0.5}, "The loss on held-out data rises.", ())
    write_run(tmp_path / "gradients", dense_structure(1), [1, 2], notes=[note])
    with client(kind, tmp_path) as plugin:
        answer = plugin.json("run", run=".")
    assert answer["verdict"] == "healthy"
    assert answer["notes"] == [note.to_dict()]


def test_a_layer_without_trained_variables_has_steps_and_nothing_else(tmp_path, kind):
    write_run(tmp_path / "gradients", dense_structure(1), [1, 2])
    with client(kind, tmp_path) as plugin:
        answer = plugin.json("layer", run=".", layer="flatten")
    assert answer["variables"] == []
    assert answer["steps"] == [1, 2]
    assert answer["level"] == [None, None]
    assert answer["histograms"]["steps"] == answer["histograms"]["variables"] == []
    assert len(answer["histograms"]["log10_edges"]) == 1  # n + 1 edges of no bins


def test_scalars_are_those_of_the_run_and_its_siblings(tmp_path, kind):
    write_run(tmp_path / "run1/gradients", dense_structure(1), range(1, 11))
    own = {
        "epoch_loss": 1.0,
        "epoch_val_loss": 2.0,
        "epoch_accuracy": 0.5,
        "epoch_val_accuracy": 0.4,
    }
    write_scalars(tmp_path / "run1/gradients", own | {"epoch_learning_rate": 0.01}, [5, 10])
    train = {"epoch_loss": 3.0, "epoch_learning_rate": 0.1, "epoch_steps_per_second": 9.0}
    write_scalars(tmp_path / "run1/train", train, [0, 1, 2])
    write_scalars(tmp_path / "run1", {"my/lr": 0.5, "weather": 3.0}, [1])
    write_scalars(tmp_path / "run2/train", {"epoch_loss": 3.0}, [0])
    with client(kind, tmp_path) as plugin:
        series = plugin.json("scalars", run="run1")["series"]
    assert [(s["name"], s["label"], s["kind"]) for s in series] == [
        ("loss", "loss", "loss"),
        ("loss", "epoch_loss", "loss"),
        ("loss", "val_loss", "loss"),
        ("loss", "train · epoch_loss", "loss"),
        ("accuracy", "accuracy", "metric"),
        ("accuracy", "val_accuracy", "metric"),
        ("learning_rate", "learning_rate", "learning_rate"),
        ("learning_rate", "train · epoch_learning_rate", "learning_rate"),
        ("my/lr", "run1 · my/lr", "learning_rate"),
    ]
    by_label = {s["label"]: s for s in series}
    assert by_label["loss"]["steps"] == list(range(1, 11))
    assert by_label["loss"]["values"] == pytest.approx([1 / s for s in range(1, 11)], rel=1e-5)
    assert by_label["learning_rate"]["steps"] == list(range(1, 11))
    assert by_label["learning_rate"]["values"] == [0.01] * 10
    # Epochs 0, 1, 2 ended when the run was at these train steps.
    assert by_label["train · epoch_loss"]["steps"] == [1, 3, 6]
    for s in series:
        assert len(s["steps"]) == len(s["values"]) == len(s["wall_times"])
        assert s["steps"] == sorted(set(s["steps"]))


def test_scalars_are_at_most_forty_and_losses_come_first(tmp_path, kind):
    write_run(tmp_path / "gradients", dense_structure(1), [1])
    write_scalars(tmp_path / "train", {f"epoch_m{i}": 1.0 for i in range(60)}, [1])
    write_scalars(tmp_path / "validation", {"epoch_loss": math.nan}, [1])
    with client(kind, tmp_path) as plugin:
        series = plugin.json("scalars", run=".")["series"]
    assert len(series) == 40
    assert [s["label"] for s in series[:2]] == ["loss", "validation · epoch_loss"]
    assert series[1]["values"] == [None]


def test_a_parameter_that_is_missing_is_a_400(tmp_path):
    with client("python", tmp_path) as plugin:
        for route in ROUTES:
            response = plugin.get(route)
            assert response.status_code == 400
            assert response.get_data(as_text=True) == "The parameter `run` is missing."
        response = plugin.get("layer", run="x")
        assert response.get_data(as_text=True) == "The parameter `layer` is missing."
        assert response.content_type.startswith("text/plain")


def test_an_unknown_run_or_layer_is_a_404(tmp_path, kind):
    write_run(tmp_path / "run1/gradients", dense_structure(1), [1])
    with client(kind, tmp_path) as plugin:
        for route in ROUTES:
            response = plugin.get(route, run="nope", layer="dense_0")
            assert response.status_code == 404
            assert "'nope'" in response.get_data(as_text=True)
        response = plugin.get("layer", run="run1", layer="dense_9")
        assert response.status_code == 404
        assert "'dense_9'" in response.get_data(as_text=True)


def test_a_fault_of_the_plugin_is_a_sentence_and_not_a_traceback(tmp_path, monkeypatch):
    write_run(tmp_path / "gradients", dense_structure(1), [1])
    monkeypatch.setattr(scales, "layer_series", lambda *_: 1 / 0)
    with client("python", tmp_path) as plugin:
        response = plugin.get("heatmap", run=".")
    assert response.status_code == 500
    assert response.get_data(as_text=True) == ("Internal error; TensorBoard's log has the details.")


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_of_runs_and_layers_come_through_unchanged(tmp_path, kind, name):
    structure = dense_structure(2, prefix=name)
    folder = tmp_path / name.replace("..", "dots")
    run = folder.relative_to(tmp_path).as_posix()
    write_run(folder / "gradients", structure, [1, 2], findings=[finding(layers=(f"{name}_0",))])
    with client(kind, tmp_path) as plugin:
        assert [r["name"] for r in plugin.json("runs")["runs"]] == [run]
        assert plugin.json("run", run=run)["findings"][0]["layers"] == [f"{name}_0"]
        assert plugin.json("heatmap", run=run)["layers"] == [f"{name}_0", f"{name}_1"]
        assert plugin.json("layer", run=run, layer=f"{name}_1")["layer"] == f"{name}_1"
        assert plugin.json("scalars", run=run)["series"]


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_nothing_but_numbers_and_null_leaves_the_server(tmp_path, kind, value):
    structure = dense_structure(2)
    odd = finding()
    odd.evidence["attenuation"] = value
    writer = EventFileWriter(tmp_path / "gradients")
    writer.write(summaries.model_event(structure, 1, START))
    for step in (1, 2):
        stats = np.full((4, 10), value, np.float32)
        step_record = record(structure, step, stats=stats, histogram=True)
        step_record.training[:] = value
        event = summaries.step_event(step_record, health([1], [odd]))
        event.summary.value.append(summaries.scalar_value("batch_loss", value))
        writer.write(event)
    writer.close()
    with client(kind, tmp_path) as plugin:
        plugin.json("runs")
        assert plugin.json("run", run=".")["findings"][0]["evidence"]["attenuation"] is None
        plugin.json("heatmap", run=".")
        layer = plugin.json("layer", run=".", layer="dense_0")
        series = plugin.json("scalars", run=".")["series"]
    assert [s["values"] for s in series] == [[None, None], [None, None]]
    assert layer["variables"][0]["norm"] == [None, None]
    assert layer["level"] == [None, None] or math.isinf(value)


def test_a_variable_without_weights_has_no_update_ratio(tmp_path):
    structure = dense_structure(1)
    stats = statistics(structure, 1)
    stats[:, COLUMN["weight_norm"]] = 0
    writer = EventFileWriter(tmp_path / "gradients")
    writer.write(summaries.model_event(structure, 1, START))
    writer.write(summaries.step_event(record(structure, 1, stats=stats), RunHealth()))
    writer.close()
    with client("python", tmp_path) as plugin:
        layer = plugin.json("layer", run=".", layer="dense_0")
    assert layer["variables"][0]["update_ratio"] == [None]
    assert layer["level"] == [0]


def test_data_that_cannot_be_read_become_problems_of_the_run(tmp_path, kind):
    structure = dense_structure(1)
    writer = EventFileWriter(tmp_path / "newer/gradients")
    writer.write(with_schema(summaries.model_event(structure, 1, START), 2))
    writer.write(with_schema(summaries.step_event(record(structure, 1), health([1])), 2))
    writer.close()
    write_run(tmp_path / "fine/gradients", structure, [1])
    with client(kind, tmp_path) as plugin:
        verdicts = {r["name"]: r["verdict"] for r in plugin.json("runs")["runs"]}
        newer = plugin.json("run", run="newer")
        assert plugin.json("heatmap", run="newer")["layers"] == []
        assert plugin.get("layer", run="newer", layer="dense_0").status_code == 404
    assert verdicts == {"newer": "no data", "fine": "healthy"}
    assert newer["layers"] == []
    assert newer["problems"]
    assert all("newer version" in line for line in newer["problems"])


def test_a_run_started_afresh_shows_only_the_new_one(tmp_path, kind):
    write_run(
        tmp_path / "gradients", dense_structure(3, prefix="old"), range(1, 9), findings=[finding()]
    )
    write_run(tmp_path / "gradients", dense_structure(2, prefix="new"), [1, 2])
    with client(kind, tmp_path) as plugin:
        assert plugin.json("runs")["runs"][0]["verdict"] == "healthy"
        answer = plugin.json("heatmap", run=".")
    assert answer["steps"] == [1, 2]
    assert answer["layers"] == ["new_0", "new_1"]


def test_kept_statistics_are_read_again_when_the_run_grows(tmp_path):
    directory = tmp_path / "gradients"
    write_run(directory, dense_structure(1), [1, 2])
    with client("python", tmp_path) as plugin:
        assert plugin.json("heatmap", run=".")["steps"] == [1, 2]
        write_run(directory, dense_structure(1), [3])
        multiplexer = plugin.plugin._provider._multiplexer
        multiplexer.Reload()
        assert plugin.json("heatmap", run=".")["steps"] == [1, 2, 3]
        assert plugin.json("layer", run=".", layer="dense_0")["steps"] == [1, 2, 3]


def test_the_server_reads_on_after_the_first_verdict(tmp_path, kind):
    for name in ("a", "b"):
        write_run(tmp_path / name / "gradients", dense_structure(1), [1, 2])
    with client(kind, tmp_path) as plugin:
        assert plugin.json("run", run="a")["layers"]
        kept = lambda: plugin.plugin._kept and plugin.plugin._kept[0][1]  # noqa: E731
        while kept() is None:
            time.sleep(0.01)
        assert kept() == "a/gradients"
        seen = plugin.plugin._kept[1]
        assert plugin.json("heatmap", run="a")["steps"] == [1, 2]
        assert plugin.plugin._kept[1] is seen  # was read once
        assert plugin.json("run", run="b")["layers"]
        assert plugin.plugin._kept[1] is seen  # another run does not push it out


def test_what_cannot_be_read_on_is_told_when_it_is_asked_for(tmp_path, monkeypatch):
    write_run(tmp_path / "gradients", dense_structure(1), [1, 2])
    asked = threading.Event()

    def fails(*_):
        asked.set()
        raise errors.NotFoundError("gone")

    monkeypatch.setattr(views, "read_overview", fails)
    with client("python", tmp_path) as plugin:
        assert plugin.json("run", run=".")["layers"]
        assert asked.wait(10)
        assert plugin.get("heatmap", run=".").status_code == 404


def test_problems_are_the_damaged_files_of_monitors(tmp_path):
    good = write_run(tmp_path / "good/gradients", dense_structure(1), [1])
    bad = write_run(tmp_path / "bad/gradients", dense_structure(1), [1, 2])
    data = bytearray(bad.read_bytes())
    data[-1] ^= 1
    bad.write_bytes(data)
    foreign = tmp_path / "gradients" / "events.out.tfevents.1"
    foreign.parent.mkdir()
    foreign.write_text("hello, I am a text file")
    (tmp_path / "train").mkdir()
    (tmp_path / "train" / "events.out.tfevents.1").write_text("not the monitor's")
    with client("python", tmp_path) as plugin:
        problems = plugin.json("problems")["problems"]
        assert len(problems) == 2
        assert re.fullmatch(
            rf"bad/gradients/{re.escape(bad.name)}: bad checksum in record 5 at byte \d+; "
            "the rest of the file cannot be read",
            problems[0],
        )
        assert problems[1] == "gradients/events.out.tfevents.1: not a TensorBoard event file"
        data[-1] ^= 1
        bad.write_bytes(data)
        good.unlink()
        assert plugin.json("problems")["problems"] == problems[1:]


def test_files_are_checked_once_while_they_do_not_change(tmp_path, monkeypatch):
    write_run(tmp_path / "gradients", dense_structure(1), [1])
    with client("python", tmp_path) as plugin:
        plugin.json("problems")
        monkeypatch.setattr("tb_gradplugin.event_files.check_file", lambda path: 1 / 0)
        assert plugin.json("problems") == {"problems": []}


@pytest.mark.parametrize("logdir", ["", "gs://bucket/logs", "/does/not/exist", "s3://x"])
def test_remote_and_unknown_log_directories_have_no_problems(tmp_path, logdir):
    with client("python", tmp_path) as plugin:
        from tb_gradplugin.logdir import Checker

        plugin.plugin._checker = Checker(logdir)
        assert plugin.json("problems") == {"problems": []}


def test_links_in_a_circle_end(tmp_path):
    write_run(tmp_path / "a/gradients", dense_structure(1), [1])
    os.symlink(tmp_path, tmp_path / "a" / "up")
    from tb_gradplugin.logdir import read_report

    assert list(read_report(str(tmp_path)).runs) == ["a"]


def test_static_files_come_from_a_fixed_list(tmp_path, monkeypatch):
    (tmp_path / "index.js").write_text("export function render() {}")
    monkeypatch.setattr("tb_gradplugin.plugin._STATIC", tmp_path)
    with client("python", tmp_path) as plugin:
        response = plugin.get("static/index.js")
        assert response.content_type == "text/javascript; charset=utf-8"
        assert response.get_data(as_text=True) == "export function render() {}"
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert plugin.get("static/THIRD_PARTY_LICENSES.txt").status_code == 404
        apps = plugin.plugin.get_plugin_apps()
    assert [route for route in apps if "static" in route] == [
        "/static/index.js",
        "/static/THIRD_PARTY_LICENSES.txt",
    ]
    assert not any("*" in route for route in apps)


def test_the_tab_is_named_and_found_active_by_its_data(tmp_path):
    with client("python", tmp_path) as plugin:
        page = plugin.plugin.frontend_metadata()
        assert (page.tab_name, page.es_module_path) == ("Gradients", "/static/index.js")
        assert plugin.plugin.plugin_name == "gradients"
        assert plugin.plugin.is_active() is False
        assert set(plugin.plugin.data_plugin_names()) == {"gradients", "gradients_histograms"}


def test_the_loader_asks_for_more_samples_and_the_user_wins():
    flags = types.SimpleNamespace(samples_per_plugin={"gradients": 7, "images": 3})
    loader.GradientsLoader().fix_flags(flags)
    assert flags.samples_per_plugin == {
        "gradients": 7,
        "images": 3,
        "gradients_histograms": 200,
    }


@pytest.mark.parametrize("samples", [None, "", 5])
def test_the_loader_never_fails_on_flags_it_does_not_know(samples):
    loader.GradientsLoader().fix_flags(types.SimpleNamespace(samples_per_plugin=samples))
    loader.GradientsLoader().fix_flags(types.SimpleNamespace())


def test_answers_are_compressed_when_the_client_takes_it(tmp_path):
    write_run(tmp_path / "gradients", dense_structure(3), range(1, 50))
    with client("python", tmp_path) as plugin:
        import werkzeug.test

        app = plugin.plugin.get_plugin_apps()["/layer"]
        response = werkzeug.test.Client(app).get(
            "/",
            query_string={"run": ".", "layer": "dense_0"},
            headers={"Accept-Encoding": "gzip"},
        )
    assert response.headers["Content-Encoding"] == "gzip"


# A real TensorBoard


def fetch(url: str) -> tuple[int, bytes]:
    try:
        with urllib.request.urlopen(url, timeout=20) as response:
            return response.status, response.read()
    except urllib.error.HTTPError as e:
        with e:
            return e.code, e.read()


@pytest.mark.parametrize("load_fast", ["true", "false"])
def test_tensorboard_serves_the_plugin(tmp_path, load_fast):
    command = tensorboard_command(tmp_path)
    name = "läyer <b>/1"
    write_run(
        tmp_path / name / "gradients",
        dense_structure(2),
        range(1, 301),
        findings=[finding()],
        histogram_every=1,
    )
    port = free_port()
    command += ["--logdir", str(tmp_path), "--port", str(port), "--load_fast", load_fast]
    with (
        open(tmp_path / "log.txt", "wb") as log,
        subprocess.Popen(
            [*command, "--path_prefix", "/x", "--reload_interval", "1"],
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=tmp_path,
        ) as server,
    ):
        try:
            base = f"http://localhost:{port}/x/data"
            ask = base + "/plugin/gradients/"
            run = urllib.parse.quote(name, safe="")
            deadline = time.monotonic() + 60
            while True:
                try:
                    answer = json.loads(fetch(ask + f"layer?run={run}&layer=dense_1")[1])
                    if len(answer["steps"]) == 300:
                        break
                except (urllib.error.URLError, ValueError, ConnectionError):
                    pass
                assert time.monotonic() < deadline, Path(log.name).read_text()
                time.sleep(0.2)
            assert len(answer["histograms"]["steps"]) == 200
            listing = json.loads(fetch(base + "/plugins_listing")[1])
            assert listing["gradients"]["enabled"] is True
            assert listing["gradients"]["tab_name"] == "Gradients"
            assert json.loads(fetch(ask + "runs")[1])["runs"][0]["name"] == name
            under_experiment = f"http://localhost:{port}/x/experiment/e/data/plugin/gradients/runs"
            assert fetch(under_experiment)[0] == 200
            status, text = fetch(ask + "heatmap?run=nope")
            assert (status, b"'nope'" in text) == (404, True)
            assert fetch(ask + "heatmap")[0] == 400
            assert fetch(ask + "static/../plugin.py")[0] == 404
            assert fetch(ask + "static/%2e%2e/plugin.py")[0] == 404
        finally:
            server.kill()


def test_names_of_runs_are_those_of_the_sources():
    assert sources.dashboard_name("läyer <b>/1/gradients") == "läyer <b>/1"
