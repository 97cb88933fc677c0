import dataclasses
import functools
import json

import numpy as np
import pytest
from fake_runs import (
    START,
    dense_structure,
    finding,
    health,
    histograms,
    record,
    record_offsets,
    statistics,
    with_schema,
    write_run,
)
from providers import CONTEXT, LOADERS, SAMPLES, data_provider
from tensorboard.compat.proto import event_pb2, summary_pb2
from tensorboard.util import tensor_util

from tb_gradplugin import metadata, reader, sources, summaries
from tb_gradplugin.event_files import EventFileWriter
from tb_gradplugin.health.report import RunHealth
from tb_gradplugin.records import ProbeRecord
from tb_gradplugin.structure import Layer, ModelStructure, Variable

SOURCES = (*LOADERS, "files")


def read_all(kind, logdir, samples=SAMPLES) -> dict[str, reader.RunData]:
    """All runs below ``logdir`` through one kind of source."""
    if kind == "files":
        return {
            sources.dashboard_name(path.relative_to(logdir).as_posix()): reader.read_run(
                sources.FileSource(path), "x"
            )
            for path in sorted({file.parent for file in logdir.rglob("*tfevents*")})
        }
    with data_provider(kind, logdir, samples) as provider:
        found = sources.find_runs(provider, CONTEXT, "")
        return {name: reader.read_run(source, name) for name, source in found.items()}


@pytest.fixture(params=SOURCES)
def kind(request):
    return request.param


def test_a_run_is_read_as_it_was_written(tmp_path, kind):
    structure, steps = dense_structure(3), [1, 2, 5, 9]
    write_run(tmp_path / "run1" / "gradients", structure, steps, findings=[finding()])
    run = read_all(kind, tmp_path)["run1"]
    assert run.structure == structure
    assert run.steps.tolist() == steps
    assert run.steps.dtype == np.int64
    assert run.wall_times.tolist() == [START + s for s in steps]
    np.testing.assert_array_equal(run.statistics, [statistics(structure, s) for s in steps])
    np.testing.assert_array_equal(run.training, [record(structure, s).training for s in steps])
    assert run.health == health(steps, [finding()])
    assert run.problems == []


def test_runs_are_named_as_in_the_dashboard(tmp_path):
    assert sources.dashboard_name("gradients") == "."
    assert sources.dashboard_name("a/gradients") == "a"
    assert sources.dashboard_name("a/b/gradients") == "a/b"
    assert sources.dashboard_name("a/my_gradients") == "a/my_gradients"
    assert sources.dashboard_name(".") == "."


@pytest.mark.parametrize("loader", LOADERS)
def test_a_run_without_the_suffix_keeps_its_name_and_never_hides_another(tmp_path, loader):
    for run in ("gradients", "a", "a/gradients", "b/gradients"):
        write_run(tmp_path / run, dense_structure(1), [1])
    names = {".": "gradients", "a": "a", "a/gradients": "a/gradients", "b": "b/gradients"}
    with data_provider(loader, tmp_path) as provider:
        found = sources.find_runs(provider, CONTEXT, "")
        assert {name: source.run for name, source in found.items()} == names
        for name, run in names.items():
            assert sources.find_runs(provider, CONTEXT, "", only=name)[name].run == run
        assert "c" not in sources.find_runs(provider, CONTEXT, "", only="c")


def test_a_model_of_several_blocks_is_joined(tmp_path, kind):
    structure = dense_structure(600, size=1)
    write_run(tmp_path / "gradients", structure, [1, 2, 3])
    run = read_all(kind, tmp_path)["."]
    assert run.statistics.shape == (3, 1200, 10)
    np.testing.assert_array_equal(run.statistics[2], statistics(structure, 3))


def test_a_step_that_lacks_a_block_is_left_out(tmp_path, kind):
    structure = dense_structure(300, size=1)
    writer = EventFileWriter(tmp_path / "gradients")
    writer.write(summaries.model_event(structure, 1, START))
    for step in (1, 2, 3):
        event = summaries.step_event(record(structure, step), health([1]))
        if step == 2:
            (index,) = [i for i, v in enumerate(event.summary.value) if v.tag.endswith("/1")]
            del event.summary.value[index]
        writer.write(event)
    writer.close()
    assert read_all(kind, tmp_path)["."].steps.tolist() == [1, 3]


def test_two_fits_make_one_run(tmp_path, kind):
    structure = dense_structure(2)
    write_run(tmp_path / "gradients", structure, [1, 2, 3])
    write_run(tmp_path / "gradients", structure, [4, 5], write_model=False)
    run = read_all(kind, tmp_path)["."]
    assert run.steps.tolist() == [1, 2, 3, 4, 5]
    assert run.problems == []


def test_a_run_started_afresh_in_the_same_directory_replaces_the_old_one(tmp_path, kind):
    old, new = dense_structure(3, prefix="old"), dense_structure(2, prefix="new")
    write_run(tmp_path / "gradients", old, range(1, 50), findings=[finding()], scale=1e-6)
    write_run(tmp_path / "gradients", new, [1, 2, 3])
    run = read_all(kind, tmp_path)["."]
    assert run.structure == new
    assert run.steps.tolist() == [1, 2, 3]
    np.testing.assert_array_equal(run.statistics, [statistics(new, s) for s in (1, 2, 3)])
    assert run.health == health([1, 2, 3])
    assert run.problems == []


def test_a_resumed_run_replaces_the_steps_after_its_checkpoint(tmp_path, kind):
    structure = dense_structure(1)
    write_run(tmp_path / "gradients", structure, range(1, 11), scale=5.0)
    write_run(tmp_path / "gradients", structure, range(6, 9))
    run = read_all(kind, tmp_path)["."]
    assert run.steps.tolist() == list(range(1, 9))
    np.testing.assert_array_equal(run.statistics[-1], statistics(structure, 8))
    np.testing.assert_array_equal(run.statistics[4], statistics(structure, 5, 5.0))


def test_rows_of_an_older_structure_go_to_the_variables_of_the_same_path(tmp_path, kind):
    def structure(*names):
        layers = tuple(Layer(n, "Dense") for n in names)
        variables = (Variable(f"{n}/kernel", i, "kernel", (2, 2)) for i, n in enumerate(names))
        return ModelStructure(layers, tuple(variables))

    old, new = structure("gone", "a", "b"), structure("b", "new", "a")
    write_run(tmp_path / "gradients", old, [1, 2])
    write_run(tmp_path / "gradients", new, [3, 4])
    run = read_all(kind, tmp_path)["."]
    assert run.structure == new
    assert run.steps.tolist() == [1, 2, 3, 4]
    for i, step in enumerate((1, 2)):
        np.testing.assert_array_equal(run.statistics[i, [2, 0]], statistics(old, step)[1:])
        assert np.isnan(run.statistics[i, 1]).all()
    np.testing.assert_array_equal(run.statistics[3], statistics(new, 4))


def test_a_structure_that_shrinks_below_a_block_ignores_the_old_second_block(tmp_path, kind):
    write_run(tmp_path / "gradients", dense_structure(300, size=1), [1, 2])
    write_run(tmp_path / "gradients", dense_structure(2, size=1), [3])
    run = read_all(kind, tmp_path)["."]
    assert run.steps.tolist() == [1, 2, 3]
    assert run.statistics.shape == (3, 4, 10)


def test_nan_and_infinity_everywhere_are_read_as_they_are(tmp_path, kind):
    structure = dense_structure(1)
    writer = EventFileWriter(tmp_path / "gradients")
    writer.write(summaries.model_event(structure, 1, START))
    for step, value in enumerate((np.nan, np.inf, -np.inf, 3e38), start=1):
        stats = np.full((2, 10), value, np.float32)
        training = np.full(7, value)
        step_record = dataclasses.replace(record(structure, step, stats=stats), training=training)
        writer.write(summaries.step_event(step_record, RunHealth()))
    writer.close()
    run = read_all(kind, tmp_path)["."]
    assert np.isnan(run.statistics[0]).all()
    assert np.isposinf(run.training[1]).all()
    assert np.isneginf(run.statistics[2]).all()


def test_histograms_are_read_for_the_variables_asked_for(tmp_path, kind):
    structure = dense_structure(300, size=1)
    write_run(tmp_path / "gradients", structure, range(1, 9), histogram_every=3)
    paths = ["dense_299/bias", "dense_0/kernel"]

    def check(source):
        rows = reader.read_histograms(source, reader.read_models(source), paths)
        assert rows.steps.tolist() == [1, 4, 7]
        np.testing.assert_array_equal(rows.values[1], histograms(structure, 4)[[599, 0]])

    if kind == "files":
        check(sources.FileSource(tmp_path / "gradients"))
    else:
        with data_provider(kind, tmp_path) as provider:
            check(sources.find_runs(provider, CONTEXT, "")["."])


@pytest.mark.parametrize("loader", LOADERS)
def test_the_last_point_of_a_sampled_run_is_always_there(tmp_path, loader):
    structure = dense_structure(1)
    write_run(tmp_path / "gradients", structure, range(1, 301), findings=[finding(last=299)])
    samples = {"gradients": 20, "gradients_histograms": 5}
    with data_provider(loader, tmp_path, samples) as provider:
        source = sources.find_runs(provider, CONTEXT, "")["."]
        assert reader.read_health(source) == health(range(1, 301), [finding(last=299)])
        run = reader.read_run(source, ".")
    assert len(run.steps) == 20
    assert run.steps[-1] == 300
    for step, row in zip(run.steps, run.statistics, strict=True):
        np.testing.assert_array_equal(row, statistics(structure, int(step)))


def test_one_reply_brings_the_health_of_all_runs(tmp_path):
    for i in range(3):
        write_run(tmp_path / f"{i}/gradients", dense_structure(1), range(1, i + 2))
    with data_provider("python", tmp_path) as provider:
        found = sources.find_runs(provider, CONTEXT, "")
        read = functools.partial(provider.read_tensors, CONTEXT, experiment_id="")
        last = sources.last_points(read, [metadata.HEALTH_TAG])
        provider.read_tensors = None  # no further reply is needed
        for source in found.values():
            source.hold(last)
        assert [reader.read_health(s).last_step for s in found.values()] == [1, 2, 3]


def test_one_reply_brings_the_last_points_of_all_blocks(tmp_path):
    structure = dense_structure(300)
    write_run(tmp_path, structure, [1, 5])
    with data_provider("python", tmp_path) as provider:
        source = sources.find_runs(provider, CONTEXT, "")["."]
        tags = source.tags_of(sources.OWN_TAGS)
        assert sorted(tags) == [
            *("gradients/health", "gradients/model", "gradients/statistics"),
            *("gradients/statistics/1", "gradients/statistics/2"),
        ]
        source.fetch_last(tags)
        source._read = None  # no further reply is needed
        models = reader.read_models(source, points=1)
        rows = reader.read_statistics(source, models, [v.path for v in structure.variables], 1)
    np.testing.assert_array_equal(rows.values[-1], statistics(structure, 5))


def foreign_value(tag, array, plugin=metadata.PLUGIN_NAME, content=b'{"schema": 1}'):
    value = summary_pb2.Summary.Value(tag=tag, tensor=tensor_util.make_tensor_proto(array))
    value.metadata.data_class = summary_pb2.DATA_CLASS_TENSOR
    value.metadata.plugin_data.plugin_name = plugin
    value.metadata.plugin_data.content = content
    return value


def write_values(directory, step, *values):
    writer = EventFileWriter(directory)
    summary = summary_pb2.Summary(value=values)
    writer.write(event_pb2.Event(step=step, wall_time=START, summary=summary))
    writer.close()


def test_foreign_tensors_under_our_tags_become_problems(tmp_path, kind):
    write_values(
        tmp_path / "gradients",
        1,
        foreign_value(metadata.HEALTH_TAG, np.zeros(3, np.float32)),
        foreign_value(metadata.MODEL_TAG, np.array(b"{}", object)),
        foreign_value(metadata.STATISTICS_TAG, np.zeros(3, np.float32)),
        foreign_value(metadata.TRAINING_TAG, np.array([b"x", b"y"], object)),
    )
    run = read_all(kind, tmp_path)["."]
    assert run.health is None
    assert run.structure == ModelStructure((), ())
    assert run.statistics.shape == (0, 0, 10)
    assert len(run.problems) == 3  # without a structure nobody looks at statistics
    assert all("\n" not in line for line in run.problems)


def test_a_damaged_step_is_left_out_with_one_line(tmp_path, kind):
    structure = dense_structure(2)
    write_run(tmp_path / "gradients", structure, [1, 2])
    write_values(
        tmp_path / "gradients",
        3,
        foreign_value(metadata.STATISTICS_TAG, np.zeros((4, 9), np.float32)),
    )
    write_values(
        tmp_path / "gradients",
        4,
        foreign_value(metadata.STATISTICS_TAG, np.zeros((3, 10), np.float32)),
    )
    run = read_all(kind, tmp_path)["."]
    assert run.steps.tolist() == [1, 2]
    assert run.problems == [
        "gradients/statistics holds float32[4, 9] where float32 [variables, 10] was expected",
        "gradients/statistics holds 3 rows at step 4 where the model has 4",
    ]


def test_a_newer_schema_is_refused_with_clear_lines(tmp_path, kind):
    structure = dense_structure(1)
    writer = EventFileWriter(tmp_path / "gradients")
    writer.write(with_schema(summaries.model_event(structure, 1, START), 2))
    writer.write(with_schema(summaries.step_event(record(structure, 1), health([1])), 2))
    writer.close()
    run = read_all(kind, tmp_path)["."]
    assert run.health is None
    assert len(run.steps) == 0
    assert run.problems
    assert all("newer version" in line for line in run.problems)


def test_a_tensor_that_tensorboard_cannot_decode_becomes_a_problem(tmp_path, kind):
    structure = dense_structure(1)
    write_run(tmp_path / "gradients", structure, [1])
    value = foreign_value(metadata.HEALTH_TAG, np.zeros(3, np.float32))
    value.tensor.tensor_content = b"x"
    write_values(tmp_path / "gradients", 2, value)
    run = read_all(kind, tmp_path)["."]
    assert run.health is None
    assert run.steps.tolist() == [1]
    assert len(run.problems) == 1


def test_a_damaged_file_is_read_up_to_the_damage(tmp_path, kind):
    path = write_run(tmp_path / "gradients", dense_structure(1), range(1, 10))
    data = bytearray(path.read_bytes())
    start = record_offsets(path)[7]  # after the version, the start, the model and four steps
    data[start] ^= 1
    path.write_bytes(data)
    run = read_all(kind, tmp_path)["."]
    assert run.steps.tolist() == [1, 2, 3, 4]
    if kind == "files":
        (line,) = run.problems
        assert line.startswith(f"{path.name}: bad checksum in record 8 at byte {start};")


def test_a_run_without_a_structure_says_so(tmp_path, kind):
    write_run(tmp_path / "gradients", dense_structure(1), [1, 2], write_model=False)
    run = read_all(kind, tmp_path)["."]
    assert run.health == health([1, 2])
    assert run.problems == ["no model structure has been written: layers are unknown"]


def test_runs_of_other_plugins_are_not_ours(tmp_path):
    write_values(
        tmp_path / "a", 1, foreign_value("gradients/health", np.zeros(3, np.float32), "other")
    )
    write_values(tmp_path / "b", 1, foreign_value("x", np.zeros(3, np.float32)))
    for loader in LOADERS:
        with data_provider(loader, tmp_path) as provider:
            assert sources.find_runs(provider, CONTEXT, "") == {}
    assert not sources.FileSource(tmp_path / "a").found


def test_run_health_of_a_reader_is_what_the_report_prints(tmp_path):
    write_run(tmp_path, dense_structure(1), [1, 2], findings=[finding()])
    source = sources.FileSource(tmp_path, tags=[metadata.HEALTH_TAG])
    found = reader.read_health(source)
    assert found is not None
    assert json.loads(json.dumps(found.to_dict())) == health([1, 2], [finding()]).to_dict()


def test_probes_are_read_in_the_order_of_their_steps_and_foreign_ones_become_a_line(tmp_path, kind):
    structure = dense_structure(1)
    path = tmp_path / "gradients"
    write_run(path, structure, [1, 2, 3])
    rows = np.arange(8.0 * len(structure.layers), dtype=np.float32).reshape(-1, 8)
    writer = EventFileWriter(path)
    for step, table in ((1, rows), (2, rows[:1]), (3, rows + 1)):
        probe = ProbeRecord(step, START + step, 4, table, np.zeros(3), np.ones(3))
        writer.write(summaries.probe_event(probe))
    writer.close()

    def check(source):
        found = reader.read_probes(source, reader.read_models(source))
        assert [p.step for p in found] == [1, 3]
        np.testing.assert_array_equal(found[1].layers, rows + 1)
        assert found[0].wall_time == START + 1
        (problem,) = source.problems
        assert "gradients/probe does not hold a probe of this model" in problem

    with_source(kind, tmp_path, check)


def test_histograms_of_outputs_follow_a_layer_into_another_structure(tmp_path, kind):
    def structure(*names):
        return ModelStructure(tuple(Layer(n, "Dense") for n in names), ())

    def probe(step, layers):
        rows = (1000 * step + np.arange(layers)[:, None] + np.zeros(200)).astype(np.uint16)
        table, nothing = np.zeros((layers, 8), np.float32), np.zeros(3)
        return ProbeRecord(step, START + step, 4, table, nothing, nothing, histograms=rows)

    writer = EventFileWriter(tmp_path / "gradients")
    writer.write(summaries.model_event(structure("gone", "a", "b"), 1, START))
    writer.write(summaries.probe_event(probe(1, 3)))
    writer.write(summaries.model_event(structure("b", "new"), 2, START))
    writer.write(summaries.probe_event(probe(2, 2)), summaries.probe_event(probe(3, 5)))
    writer.close()

    def check(source):
        models = reader.read_models(source)
        found = {path: reader.read_activations(source, models, path) for path in ("b", "new", "c")}
        assert found["b"].steps.tolist() == [1, 2]
        assert found["b"].values[:, 0, 0].tolist() == [1002, 2000]
        assert found["b"].wall_times.tolist() == [START + 1, START + 2]
        assert found["new"].values[:, 0, 0].tolist() == [2001]
        assert found["c"].steps.tolist() == []
        assert source.problems == [
            "gradients/activations holds 5 rows at step 3 where the model has 2"
        ]

    with_source(kind, tmp_path, check)


def with_source(kind, logdir, check):
    """``check`` of the run in ``logdir/gradients``, from either source."""
    if kind == "files":
        check(sources.FileSource(logdir / "gradients"))
    else:
        with data_provider(kind, logdir) as provider:
            check(sources.find_runs(provider, CONTEXT, "")["."])
