"""The diagnosis benchmark: its catalogue, its scores, and the peers' rules on hand-made numbers."""

from __future__ import annotations

import dataclasses
import math
import re
from pathlib import Path

import numpy as np
import pytest

from benchmarks.diagnosis import peers, report, score
from benchmarks.diagnosis.__main__ import main
from benchmarks.diagnosis.recording import (
    LAYER_COLUMNS,
    VARIABLE_COLUMNS,
    Recording,
    load,
    path_of,
    save,
)
from benchmarks.diagnosis.runs import catalogue
from benchmarks.diagnosis.runs.base import HELD_OUT, OPENED, Run
from tb_gradplugin.health.report import KINDS, Finding
from tb_gradplugin.metadata import STATISTICS_COLUMNS
from tb_gradplugin.structure import Layer, ModelStructure, Variable

POINTS = 40


def healthy(layers: int = 3, activation: str = "relu") -> Recording:
    """A run whose loss halves every ten steps, and of which no rule has anything to say."""
    structure = ModelStructure(
        tuple(Layer(f"dense_{i}", "Dense", activation, "GlorotUniform") for i in range(layers)),
        tuple(Variable(f"dense_{i}/kernel", i, "kernel", (8, 8)) for i in range(layers)),
    )
    steps = np.arange(1, POINTS + 1)
    statistics = np.tile(
        np.array([1.0, 0.0, 0.1, -0.5, 0.5, 0.0, 0.0, 0.0, 8.0, 0.008], np.float32),
        (POINTS, layers, 1),
    )
    loss = 2.0 * 0.5 ** (steps / 10)
    training = np.column_stack([loss, loss, *np.tile([[2.0], [0.01], [1.0], [1.0], [0.0]], POINTS)])
    variables = np.tile(np.array([0.1, 0.5, 0.0, 1.0], np.float32), (POINTS, layers, 1))
    outputs = np.zeros((POINTS, layers, len(LAYER_COLUMNS)), np.float32)
    outputs[:, :, LAYER_COLUMNS.index("nonpositive_share")] = 0.5
    return Recording(
        structure=structure,
        steps=steps,
        statistics=statistics,
        training=training,
        variables=variables,
        layers=outputs,
        inputs=np.tile([0.0, 1.0, 3.0], (POINTS, 1)),
        targets=np.tile([0.1, 0.3, 1.0], (POINTS, 1)),
        accuracy=np.linspace(0.1, 0.9, POINTS),
        validation=np.array(
            [[10, 1.0, 0.5, 1.1, 0.5], [20, 0.5, 0.8, 0.6, 0.7], [40, 0.2, 1.0, 0.3, 0.9]]
        ),
        through_time={0: np.ones((POINTS, 5), np.float32)},
        spectral_radius={0: np.ones(POINTS)},
        final=float(loss[-1]),
        baseline=2.0,
        initial=2.0,
        samples=32,
        loss="cce",
        scaled=False,
    )


def changed(name: str, column: str, value: float, since: int = 5, at: int = 0) -> Recording:
    """``healthy`` with one column of one variable or layer set to ``value`` from step ``since``."""
    columns = {
        "statistics": STATISTICS_COLUMNS,
        "variables": VARIABLE_COLUMNS,
        "layers": LAYER_COLUMNS,
    }[name]
    base = healthy(activation="sigmoid" if column.startswith(("flat", "extreme")) else "relu")
    array = getattr(base, name).copy()
    array[since - 1 :, at, columns.index(column)] = value
    return dataclasses.replace(base, **{name: array})


def flat_loss(recording: Recording) -> Recording:
    """The same without any progress, and with an accuracy that does not move."""
    training = recording.training.copy()
    training[:, :2] = 2.0
    validation = recording.validation.copy()
    validation[:, 2] = 0.1
    return dataclasses.replace(recording, training=training, validation=validation, final=2.0)


@pytest.mark.parametrize("peer", peers.PEERS, ids=lambda peer: peer.name)
def test_no_peer_says_anything_about_an_inconspicuous_run(peer):
    assert peer.rule(healthy()) is None


@pytest.mark.parametrize(
    ("rule", "recording", "alarm"),
    [
        (peers.sagemaker, changed("variables", "mean_abs", 0.9e-7), (5, "vanishing")),
        (peers.sagemaker, changed("statistics", "nan_count", 1), (5, "nonfinite")),
        (peers.sagemaker_all, changed("statistics", "update_norm", 81.0), (5, "exploding")),
        (peers.sagemaker_all, changed("statistics", "update_norm", 7e-8), (5, "slow")),
        (peers.sagemaker_all, changed("layers", "quiet_unit_share", 0.51), (5, "dead")),
        (peers.sagemaker_all, changed("layers", "extreme_unit_share", 0.51), (5, "vanishing")),
        (peers.autotrainer, changed("statistics", "norm", 0.9e-4), (5, "vanishing")),
        (peers.autotrainer, changed("statistics", "norm", 71.0), (5, "exploding")),
        (peers.thedeepchecker, changed("variables", "mean_abs", 0.9e-6), (5, "vanishing")),
        (peers.thedeepchecker, changed("variables", "mean_abs", 1.1e6), (5, "exploding")),
        (peers.default, changed("variables", "max_abs", 71.0), (5, "exploding")),
        (peers.default, changed("layers", "nonpositive_share", 1.0, since=7), None),
        (peers.deepdiagnosis, changed("layers", "nonpositive_share", 0.71), (5, "dead")),
        (peers.deepdiagnosis, changed("layers", "flat_share", 0.51), (5, "vanishing")),
    ],
)
def test_a_peer_alarms_right_beyond_its_published_threshold(rule, recording, alarm):
    assert rule(recording) == alarm


def test_thedeepchecker_counts_halvings_and_averages_update_ratios_over_ten_points():
    recording = healthy()
    mean = recording.variables.copy()
    mean[10:14, 1, 0] = 0.1 * 0.5 ** np.arange(1, 5)
    halved = peers.thedeepchecker(dataclasses.replace(recording, variables=mean))
    assert halved == (14, "vanishing")
    assert peers.thedeepchecker(changed("statistics", "update_norm", 8e-5, 1)) == (10, "slow")


def test_autotrainers_gate_lets_nothing_through_while_accuracy_rises():
    sick = changed("statistics", "norm", 0.9e-4)
    assert peers.autotrainer_gated(sick) is None
    assert peers.autotrainer_gated(flat_loss(sick)) == (20, "vanishing")


def test_a_stalled_loss_is_an_alarm_only_from_step_200_on():
    flat = flat_loss(healthy())
    assert peers.loss_stalls(flat) is None
    later = dataclasses.replace(flat, steps=flat.steps * 10)
    assert peers.loss_stalls(later) == (200, "stalled")


@pytest.mark.parametrize(
    ("events", "trials", "bound"),
    # scipy.stats.beta.ppf(0.95, k + 1, n - k); for none of n that is 1 - 0.05^(1/n).
    [
        (0, 10, 0.2588656),
        (0, 300, 1 - 0.05 ** (1 / 300)),
        (1, 20, 0.2161062),
        (3, 50, 0.1478373),
        (5, 5, 1.0),
        (0, 0, 1.0),
    ],
)
def test_the_upper_bound_is_the_exact_one(events, trials, bound):
    assert score.upper_bound(events, trials) == pytest.approx(bound, abs=1e-6)


def run(id: str, expected: tuple[str, ...] | None, **more) -> Run:
    return Run(id, lambda: None, expected, **more)  # type: ignore[arg-type, return-value]


@pytest.mark.parametrize(
    ("labelled", "failed", "outcome"),
    [
        (run("U-a", ("dead",)), True, "sick"),
        (run("U-a", ("dead",)), False, "apart"),
        (run("H-a", ()), False, "healthy"),
        (run("H-a", ()), True, "apart"),
        (run("H-noise", (), learnable=False), True, "unlearnable"),
        (run("U-b", None), True, "apart"),
    ],
)
def test_a_run_counts_by_label_and_outcome(labelled, failed, outcome):
    assert score.outcome(labelled, failed) == outcome


def finding(kind: str, *layers: str) -> Finding:
    return Finding(kind, "critical", layers, 3, 9, True, {}, "", ())


@pytest.mark.parametrize(
    ("first_sick", "findings", "right"),
    [
        (1, [finding("dead", "b", "c")], True),
        (1, [finding("dead", "a", "b")], False),
        (-1, [finding("exploding", "a"), finding("dead", "c")], True),
        (1, [finding("exploding", "b")], None),
        (None, [finding("dead", "b")], None),
    ],
)
def test_the_right_layer_is_the_first_of_a_finding_of_an_expected_kind(first_sick, findings, right):
    labelled = run("U-a", ("dead",), first_sick=first_sick)
    assert score.layer_is_right(labelled, ["a", "b", "c"], findings) is right


def test_rates_are_by_recording_and_by_configuration():
    sick, fine = run("U-a", ("vanishing",)), run("H-a", ())
    found = score.Verdict((finding("vanishing", "dense_0"),), 22)
    results = [
        score.Result(sick, 0, "sick", 1.0, found, True, True),
        score.Result(sick, 1, "sick", 1.0, score.Verdict((), None), False, None),
        score.Result(fine, 0, "healthy", 0.1, found, False, None),
        score.Result(fine, 1, "healthy", 0.1, score.Verdict((), None), False, None),
        score.Result(run("U-b", None), 0, "apart", 0.1, found, False, None),
    ]
    row = score.our_row(results)
    assert (row.recall, row.kind) == (score.Rate(1, 2), score.Rate(1, 2))
    assert row.layer == score.Rate(1, 1)
    assert (row.false, row.false_configurations) == (score.Rate(1, 2), score.Rate(1, 1))
    assert (row.step, math.isnan(row.unlearnable.value)) == (22, True)


def test_what_is_true_of_noise_is_no_false_alarm():
    noise = run("H-noise", (), learnable=False, allowed=("stalled",))
    verdict = score.Verdict((finding("stalled"),), 100)
    assert score.Result(noise, 0, "unlearnable", 1.0, verdict, False, None).false_kinds == set()


def test_our_rules_and_all_peers_judge_a_recording_that_was_saved_and_loaded(tmp_path):
    labelled = run("U-a", ("vanishing",), first_sick=0)
    statistics = healthy().statistics.copy()
    statistics[:, 0, 0] = 1e-6
    recording = flat_loss(dataclasses.replace(healthy(), statistics=statistics))
    path = path_of(tmp_path, labelled, 0)
    save(path, recording)
    again = load(path)
    assert again.structure == recording.structure
    np.testing.assert_array_equal(again.through_time[0], recording.through_time[0])
    result = score.judge(labelled, 0, again)
    assert (result.outcome, result.right_kind, result.right_layer) == ("sick", True, True)
    assert result.verdict.step == 22
    assert len(result.alarms) == len(peers.PEERS)
    assert [p.step for p in again.probes] == [1, 20]
    assert report.table([result]).count("\n") == 2 + len(peers.PEERS)


def test_a_baseline_that_the_product_does_not_know_is_kept_from_the_rules():
    assert healthy().records[0].scalar("baseline_loss") == 2.0
    unknown = dataclasses.replace(healthy(), loss="huber")
    assert math.isnan(unknown.records[0].scalar("baseline_loss"))
    scaled = dataclasses.replace(healthy(), scaled=True)
    assert math.isnan(scaled.records[0].scalar("baseline_loss"))


@pytest.mark.parametrize(("steps", "kinds"), [(99, set()), (100, {"stalled"})])
def test_a_training_ends_at_its_last_step_not_at_the_one_logged_last(steps, kinds):
    still = healthy()
    still.training[:, :2] = 2.0
    still.validation[-1, 0] = steps
    still = dataclasses.replace(still, steps=np.linspace(1, 95, POINTS).astype(int))
    assert still.last_step == steps
    assert score.diagnose(still).kinds == kinds


def test_the_catalogue_is_large_labelled_and_split():
    runs = catalogue()
    holdout = [r for r in runs if r.split == "holdout"]
    assert len(runs) - len(holdout) >= 80
    assert not set(HELD_OUT) & set(OPENED)
    sick = [bool(r.expected) for r in holdout]
    assert sum(sick) >= 44
    assert len(sick) - sum(sick) >= 16
    assert {kind for r in runs for kind in (*(r.expected or ()), *r.allowed)} <= set(KINDS)


def test_every_row_of_the_corpus_that_can_be_rebuilt_has_a_run():
    told = " ".join(r.source for r in catalogue())
    rows = {f"A{i}" for i in range(1, 42)} | {f"B{i}" for i in range(1, 24)} - {"B20", "B22"}
    rows |= {f"C{i}" for i in range(1, 18)} | {f"D{i}" for i in range(1, 17)}
    assert rows - set(re.findall(r"[A-D]\d+", told)) == set()


@pytest.mark.parametrize("only", [HELD_OUT[0], HELD_OUT[0][0], f"U-,{HELD_OUT[0]}some"])
def test_hold_out_runs_are_not_scored_without_their_flag(only, capsys, tmp_path):
    with pytest.raises(SystemExit):
        main(["score", "--cache", str(tmp_path), "--only", only])
    assert "--holdout" in capsys.readouterr().err


def test_the_document_is_rewritten_between_its_marks(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(f"before\n{report.BEGIN}\nold\n{report.END}\nafter\n")
    report.write(page, "new\n")
    assert page.read_text() == f"before\n{report.BEGIN}\n\nnew\n\n{report.END}\nafter\n"
    page.write_text("no marks")
    with pytest.raises(ValueError, match="must hold the marks"):
        report.write(page, "new")


def test_the_committed_document_has_the_marks():
    text = (Path(__file__).parents[1] / "docs" / "diagnosis_benchmark.md").read_text("utf-8")
    assert text.index(report.BEGIN) < text.index(report.END)


@pytest.mark.parametrize("kind", ["SimpleRNN", "LSTM", "GRU"])
def test_gradients_through_time_equal_those_of_an_unrolled_tape(kind):
    """Tolerance 1e-5: both are float32."""
    tf = pytest.importorskip("tensorflow")
    import keras

    from benchmarks.diagnosis.taps import Taps

    keras.utils.set_random_seed(0)
    layer = getattr(keras.layers, kind)(4)
    model = keras.Sequential([keras.Input((5, 3)), layer, keras.layers.Dense(1)])
    x = tf.random.normal([6, 5, 3])
    taps = Taps(list(model.layers))
    with tf.GradientTape() as tape:
        taps.tape = tape
        with taps.inserted():
            loss = tf.reduce_mean(model(x) ** 2)
    got = tape.gradient(loss, taps.noise[id(layer)]).numpy()

    states, hidden = [tf.zeros([6, 4])] * (2 if kind == "LSTM" else 1), []
    with tf.GradientTape() as tape:
        for t in range(5):
            _, states = layer.cell(x[:, t], states)
            states = list(states)
            states[0] = tf.identity(states[0])
            tape.watch(states[0])
            hidden.append(states[0])
        loss = tf.reduce_mean(model.layers[-1](hidden[-1]) ** 2)
    wanted = tape.gradient(loss, hidden)
    for t in range(5):
        np.testing.assert_allclose(got[:, t], wanted[t], rtol=1e-4, atol=1e-5)
    assert not any("call" in one.__dict__ for one in model.layers)
