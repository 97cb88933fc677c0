import dataclasses
import json

import numpy as np
import pytest
from fake_runs import START, dense_structure, finding, health, record, write_run
from tensorboard.backend.event_processing import event_accumulator
from tensorboard.compat.proto import event_pb2, summary_pb2
from tensorboard.plugins.histogram import metadata as histogram_metadata
from tensorboard.util import tensor_util

from tb_gradplugin import metadata, summaries
from tb_gradplugin.event_files import EventFileWriter
from tb_gradplugin.health.report import RunHealth
from tb_gradplugin.records import TIME_POINTS, ProbeRecord, kept_time_steps


def values_of(event) -> dict:
    return {value.tag: value for value in event.summary.value}


def array(value) -> np.ndarray:
    return tensor_util.make_ndarray(value.tensor)


def test_a_step_event_decodes_to_the_record_bit_by_bit():
    structure = dense_structure(3)
    written = record(structure, 5, histogram=True)
    written.statistics[1] = np.nan
    written.statistics[2, 0] = np.inf
    run = health([1, 5], [finding()])
    event = summaries.step_event(written, run)
    found = values_of(event)
    assert (event.step, event.wall_time) == (5, START + 5)
    assert set(found) == {
        metadata.STATISTICS_TAG,
        metadata.TRAINING_TAG,
        metadata.HEALTH_TAG,
        metadata.HISTOGRAMS_TAG,
    }
    statistics = summaries.decode_statistics(array(found[metadata.STATISTICS_TAG]))
    np.testing.assert_array_equal(statistics, written.statistics)
    training = summaries.decode_training(array(found[metadata.TRAINING_TAG]))
    np.testing.assert_array_equal(training, written.training)
    histograms = summaries.decode_histograms(array(found[metadata.HISTOGRAMS_TAG]))
    np.testing.assert_array_equal(histograms, written.histograms)
    assert summaries.decode_health(array(found[metadata.HEALTH_TAG])) == run


def test_a_step_without_histograms_has_none():
    event = summaries.step_event(record(dense_structure(1), 1), RunHealth())
    assert metadata.HISTOGRAMS_TAG not in values_of(event)


@pytest.mark.parametrize(
    ("layers", "sizes"), [(128, [256]), (129, [256, 2]), (300, [256, 256, 88])]
)
def test_variables_are_split_into_blocks_of_256(layers, sizes):
    written = record(dense_structure(layers, size=1), 1, histogram=True)
    found = values_of(summaries.step_event(written, RunHealth()))
    for tag, rows in (
        (metadata.STATISTICS_TAG, written.statistics),
        (metadata.HISTOGRAMS_TAG, written.histograms),
    ):
        tags = [tag, *(f"{tag}/{i}" for i in range(1, len(sizes)))]
        assert [t for t in found if t.startswith(tag)] == tags
        blocks = [array(found[t]) for t in tags]
        assert [len(b) for b in blocks] == sizes
        np.testing.assert_array_equal(np.concatenate(blocks), rows)


def test_metadata_are_as_documented():
    event = summaries.step_event(record(dense_structure(1), 1, histogram=True), RunHealth())
    for tag, value in values_of(event).items():
        meta = value.metadata
        histogram = tag.startswith(metadata.HISTOGRAMS_TAG)
        assert meta.data_class == summary_pb2.DATA_CLASS_TENSOR
        assert meta.plugin_data.plugin_name == (
            "gradients_histograms" if histogram else "gradients"
        )
        assert meta.plugin_data.content == b'{"schema": 1}'


def test_a_structure_survives_the_round_trip():
    structure = dataclasses.replace(dense_structure(2, prefix='naïve "层"/<b>'), loss=None)
    event = summaries.model_event(structure, 3, START)
    (value,) = event.summary.value
    assert value.tag == metadata.MODEL_TAG
    assert summaries.decode_model(array(value)) == structure


def test_a_session_start_is_tensorboards():
    event = summaries.session_start_event(4, START)
    assert event.session_log.status == event_pb2.SessionLog.START
    assert (event.step, event.wall_time) == (4, START)


def test_standard_summaries_show_in_tensorboards_own_reader(tmp_path):
    buckets = np.array([[-1.0, 0.0, 3.0], [0.0, 2.0, 5.0]])
    writer = EventFileWriter(tmp_path)
    for step in (1, 2):
        values = [
            summaries.scalar_value("batch_loss", 0.1 * step),
            summaries.stock_histogram_value("weights_of/dense/kernel", buckets * step),
        ]
        summary = summary_pb2.Summary(value=values)
        writer.write(event_pb2.Event(step=step, wall_time=START, summary=summary))
    writer.close()
    accumulator = event_accumulator.EventAccumulator(str(tmp_path))
    accumulator.Reload()
    scalars = [array_of(e) for e in accumulator.Tensors("batch_loss")]
    np.testing.assert_array_equal(scalars, np.float32([0.1, 0.2]))
    histograms = [array_of(e) for e in accumulator.Tensors("weights_of/dense/kernel")]
    np.testing.assert_array_equal(histograms, [buckets, buckets * 2])
    meta = accumulator.SummaryMetadata("weights_of/dense/kernel")
    assert meta.plugin_data.plugin_name == "histograms"
    assert meta.data_class == summary_pb2.DATA_CLASS_TENSOR
    assert histogram_metadata.parse_plugin_metadata(meta.plugin_data.content).version == 0
    assert accumulator.SummaryMetadata("batch_loss").data_class == summary_pb2.DATA_CLASS_SCALAR


def array_of(event) -> np.ndarray:
    return tensor_util.make_ndarray(event.tensor_proto)


def test_standard_metadata_equal_those_of_tensorflows_summaries(tmp_path):
    tf = pytest.importorskip("tensorflow")
    from tensorboard.plugins.histogram import summary_v2

    writer = tf.summary.create_file_writer(str(tmp_path))
    with writer.as_default(step=1):
        tf.summary.scalar("s", 1.0)
        summary_v2.histogram("h", [1.0, 2.0])
    writer.close()
    (path,) = tmp_path.iterdir()
    events = [event_pb2.Event.FromString(r.numpy()) for r in tf.data.TFRecordDataset([str(path)])]
    stock = {v.tag: v for e in events for v in e.summary.value}
    scalar = summaries.scalar_value("s", 1.0)
    histogram = summaries.stock_histogram_value("h", np.zeros((1, 3)))
    for ours, theirs in ((scalar, stock["s"]), (histogram, stock["h"])):
        assert ours.metadata.plugin_data == theirs.metadata.plugin_data
        assert array(ours).dtype == array(theirs).dtype


def test_buckets_of_another_shape_are_refused():
    with pytest.raises(ValueError, match=r"\(2, 4\)"):
        summaries.stock_histogram_value("h", np.zeros((2, 4)))


@pytest.mark.parametrize(
    ("decode", "wrong", "sentence"),
    [
        (summaries.decode_statistics, np.zeros((3, 9), np.float32), "[variables, 10]"),
        (summaries.decode_statistics, np.zeros((3, 10)), "float64[3, 10]"),
        (summaries.decode_statistics, np.zeros(10, np.float32), "float32[10]"),
        (summaries.decode_statistics, np.array(b"text", object), "object[]"),
        (summaries.decode_training, np.zeros(8), "float64[8]"),
        (summaries.decode_histograms, np.zeros((1, 200), np.int32), "int32[1, 200]"),
        (summaries.decode_health, np.zeros(3, np.float32), "string"),
        (summaries.decode_health, np.array(b"not json", object), "health"),
        (summaries.decode_health, np.array(b"[]", object), "health"),
        (summaries.decode_health, np.array(b'{"steps": {}}', object), "health"),
        (summaries.decode_model, np.array(b"{}", object), "structure"),
        (summaries.decode_model, np.array(b'"x"', object), "structure"),
        (summaries.decode_model, np.array([b"{}"], object), "string"),
    ],
)
def test_foreign_tensors_are_refused_with_a_sentence(decode, wrong, sentence):
    with pytest.raises(summaries.DataError) as caught:
        decode(wrong)
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "change",
    [
        {"kind": 3},
        {"layers": [1]},
        {"since_step": "x"},
        {"since_step": True},
        {"active": 1},
        {"evidence": []},
        {"remedies": [{"title": "x"}]},
        {"remedies": [{"title": "x", "why": "y", "snippet": "z", "id": 1}]},
        {"cause_id": None},
    ],
)
def test_health_with_values_of_another_type_is_refused(change):
    data = health([1], [finding()]).to_dict()
    data["findings"][0] |= change
    with pytest.raises(summaries.DataError):
        summaries.decode_health(np.array(json.dumps(data).encode(), object))


def test_a_variable_of_a_layer_that_does_not_exist_is_refused():
    data = json.loads(dense_structure(1).to_json())
    data["variables"][0]["layer"] = 9
    with pytest.raises(summaries.DataError, match="no layer 9"):
        summaries.decode_model(np.array(json.dumps(data).encode(), object))


@pytest.mark.parametrize(
    "content", [b"", b"x", b"[]", b'{"schema": "1"}', b'{"schema": true}', b"\xff"]
)
def test_plugin_content_of_others_is_refused(content):
    with pytest.raises(summaries.DataError, match="not written by this plugin"):
        summaries.check_schema(content)


def test_a_newer_schema_is_refused_with_the_remedy():
    summaries.check_schema(b'{"schema": 1, "more": 2}')
    with pytest.raises(summaries.DataError, match=r"newer version.*update tb-gradplugin"):
        summaries.check_schema(b'{"schema": 2}')


def test_an_event_of_three_thousand_variables_is_within_its_budget(tmp_path):
    structure = dense_structure(1500, size=1)
    path = write_run(tmp_path, structure, [1], histogram_every=1)
    assert path.stat().st_size < len(structure.variables) * 440 + 400_000  # the structure's JSON


def probe(layers=3, length=4):
    rng = np.random.default_rng(layers)
    table = rng.lognormal(sigma=12, size=[layers, 8]).astype(np.float32)
    table[1] = np.nan
    table[0, -1] = np.inf
    norms = rng.lognormal(sigma=12, size=length).astype(np.float32)
    norms[0] = np.nan
    moments = rng.normal(size=3).astype(np.float32).astype(np.float64)
    return ProbeRecord(5, START, 16, table, moments, np.full(3, np.nan), {2: norms}, {2: 0.75})


def decoded(written, layers=3):
    (value,) = summaries.probe_event(written).summary.value
    assert value.tag == metadata.PROBE_TAG
    json.loads(value.tensor.string_val[0], parse_constant=lambda name: pytest.fail(name))
    return summaries.decode_probe(array(value), written.step, written.wall_time, layers)


def test_a_probe_survives_the_round_trip_bit_by_bit_as_json_without_nan():
    written = probe()
    read = decoded(written)
    for name in ("step", "wall_time", "samples", "spectral_radius"):
        assert getattr(read, name) == getattr(written, name)
    for name in ("layers", "inputs", "targets"):
        got, want = getattr(read, name), getattr(written, name)
        assert got.dtype == want.dtype
        np.testing.assert_array_equal(got.astype(np.float32), want.astype(np.float32))
    np.testing.assert_array_equal(read.through_time[2], written.through_time[2])


def test_histograms_of_outputs_are_in_the_event_of_their_probe_in_blocks_of_layers():
    tables = np.random.default_rng(0).integers(0, 65536, [300, 200]).astype(np.uint16)
    event = summaries.probe_event(dataclasses.replace(probe(300), histograms=tables))
    of_probe, *blocks = event.summary.value
    assert of_probe.tag == metadata.PROBE_TAG
    assert [v.tag for v in blocks] == ["gradients/activations", "gradients/activations/1"]
    assert {v.metadata.plugin_data.plugin_name for v in blocks} == {"gradients_histograms"}
    read = [summaries.decode_histograms(array(value)) for value in blocks]
    np.testing.assert_array_equal(np.concatenate(read), tables)


def test_of_a_long_sequence_evenly_spaced_time_steps_are_kept():
    written = probe(length=2000)
    read = decoded(written).through_time[2]
    kept = kept_time_steps(2000)
    assert len(read) == 2000
    np.testing.assert_array_equal(read[kept], written.through_time[2][kept])
    assert np.isnan(np.delete(read, kept)).all()
    assert len(kept) == TIME_POINTS
    assert set(np.diff(kept)) <= {7, 8}
    assert (kept[0], kept[-1]) == (0, 1999)


@pytest.mark.parametrize(
    "change",
    [
        {"samples": "x"},
        {"layers": [[1.0] * 8] * 2},
        {"layers": [[1.0] * 7] * 3},
        {"layers": [["1"] * 8] * 3},
        {"inputs": [1.0, 2.0]},
        {"through_time": {"3": {"length": 1, "steps": [0], "norms": [1.0]}}},
        {"through_time": {"0": {"length": 1, "steps": [1], "norms": [1.0]}}},
        {"through_time": {"0": {"length": 2, "steps": [0, 1], "norms": [1.0]}}},
        {"through_time": {"0": {"length": 10**12, "steps": [0], "norms": [1.0]}}},
        {"through_time": []},
        {"spectral_radius": {"x": 1.0}},
    ],
)
def test_a_probe_with_other_values_or_shapes_is_refused(change):
    data = json.loads(summaries.probe_json(probe())) | change
    text = np.array(json.dumps(data).encode(), object)
    with pytest.raises(summaries.DataError, match="does not hold a probe of this model"):
        summaries.decode_probe(text, 1, START, 3)
