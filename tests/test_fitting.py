"""Notes on over- and underfitting, on hand-made epochs and in a real fit."""

from __future__ import annotations

import dataclasses
import json
import math

import pytest

from tb_gradplugin.health.fitting import FitWatch
from tb_gradplugin.health.report import Finding, Note, RunHealth, joined


def notes(losses, held, baseline=1.0):
    watch = FitWatch()
    for epoch, (loss, held_loss) in enumerate(zip(losses, held, strict=True), 1):
        watch.observe(10 * epoch, loss, held_loss)
    return watch.notes(baseline)


FALLING = [0.9, 0.7, 0.5, 0.4, 0.3, 0.2, 0.1, 0.05]
RISING_AGAIN = [0.9, 0.7, 0.6, 0.55, 0.65, 0.7, 0.8, 0.9]


def test_a_validation_loss_that_rises_while_the_training_loss_falls_is_overfitting():
    (note,) = notes(FALLING, RISING_AGAIN)
    assert (note.kind, note.since_step) == ("overfitting", 40)
    assert note.evidence["best_epoch"] == 4
    assert note.evidence["lowest_validation_loss"] == 0.55
    assert "from 0.55 at step 40 to 0.9" in note.cause
    assert [r.id for r in note.remedies] == ["stop", "regularise"]


@pytest.mark.parametrize(
    ("losses", "held"),
    [
        (FALLING, FALLING),
        (FALLING, [0.9, 0.7, 0.6, 0.55, 0.56, 0.57, 0.58, 0.59]),  # within 10 %
        (FALLING, [0.9, 0.7, 0.6, 0.55, 0.54, 0.53, 0.7, 0.9]),  # for two epochs only
        ([0.9, 0.7, 0.5, 0.4, 0.4, 0.4, 0.4, 0.4], RISING_AGAIN),  # it does not learn more either
        (FALLING[:3], RISING_AGAIN[3:6]),  # too few epochs
    ],
)
def test_what_is_not_overfitting_is_not_noted(losses, held):
    assert notes(losses, held) == ()


def test_two_losses_that_rest_high_and_alike_are_underfitting():
    losses = [0.99, 0.9, 0.82, 0.8, 0.8, 0.795, 0.795, 0.795]
    (note,) = notes(losses, [value + 0.02 for value in losses])
    assert (note.kind, note.since_step) == ("underfitting", 60)
    assert "79.5 % of what a constant prediction reaches" in note.cause


@pytest.mark.parametrize(
    ("losses", "gap", "baseline"),
    [
        ([0.8] * 7, 0.0, 1.0),  # too few epochs
        ([0.8] * 8, 0.2, 1.0),  # not alike
        ([0.4] * 8, 0.0, 1.0),  # low
        ([0.9, 0.88, 0.86, 0.84, 0.82, 0.8, 0.78, 0.76], 0.0, 1.0),  # still falls
        ([0.8] * 8, 0.0, math.nan),  # nothing to compare with
    ],
)
def test_what_is_not_underfitting_is_not_noted(losses, gap, baseline):
    assert notes(losses, [value + gap for value in losses], baseline) == ()


def test_an_epoch_without_two_finite_losses_is_passed_over():
    with_gaps = [*FALLING[:4], math.nan, *FALLING[4:]], [*RISING_AGAIN[:4], 9.0, *RISING_AGAIN[4:]]
    (note,) = notes(*with_gaps)
    assert note.evidence["best_epoch"] == 4
    assert notes(FALLING, [math.nan] * 8) == ()


def test_notes_are_additive_in_the_json_and_no_part_of_the_verdict():
    health = RunHealth(first_step=1, last_step=9, logged=3, notes=notes(FALLING, RISING_AGAIN))
    assert health.verdict == "healthy"
    assert health.kinds == []
    data = json.loads(json.dumps(health.to_dict()))
    assert data["notes"][0]["kind"] == "overfitting"
    assert RunHealth.from_dict(data) == health
    assert "notes" not in RunHealth().to_dict()


def test_every_snippet_runs_by_itself():
    pytest.importorskip("keras")
    for note in (*notes(FALLING, RISING_AGAIN), *notes([0.8] * 8, [0.8] * 8)):
        for remedy in note.remedies:
            exec(remedy.snippet, {})


def test_a_fit_that_learns_noise_by_heart_is_noted_in_the_report(tmp_path, capsys):
    keras = pytest.importorskip("keras")
    pytest.importorskip("tensorflow")
    import numpy as np

    from tb_gradplugin import cli
    from tb_gradplugin.callbacks import GradientMonitor

    keras.utils.set_random_seed(0)
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=[64, 20]), rng.normal(size=[64, 1])
    model = keras.Sequential(
        [keras.Input([20]), keras.layers.Dense(64, "relu"), keras.layers.Dense(1)]
    )
    model.compile(keras.optimizers.Adam(1e-2), "mse")
    monitor = GradientMonitor(tmp_path, probe_freq=None)
    held = rng.normal(size=[200, 20]), rng.normal(size=[200, 1])
    model.fit(x, y, validation_data=held, epochs=12, verbose=0, callbacks=[monitor])
    (health,) = monitor.report().runs.values()
    assert [note.kind for note in health.notes] == ["overfitting"]
    assert health.verdict == "healthy"
    assert cli.main(["report", str(tmp_path)]) == 0
    assert "overfitting: The validation loss rose" in " ".join(capsys.readouterr().out.split())
    assert cli.main(["report", str(tmp_path), "--json"]) == 0
    (run,) = json.loads(capsys.readouterr().out)["runs"].values()
    assert run["notes"][0]["kind"] == "overfitting"


def test_underfitting_is_no_news_where_an_active_finding_says_why():
    notes = tuple(Note(kind, 9, {}, "It is so.", ()) for kind in ("overfitting", "underfitting"))
    sick = Finding("vanishing", "critical", ("a",), 1, 9, True, {}, "It fades.", ())
    healed = dataclasses.replace(sick, active=False)
    kinds = lambda *found: [n.kind for n in joined([RunHealth(found, 1, 9, 9)], notes).notes]  # noqa: E731
    assert kinds(sick) == ["overfitting"]
    assert kinds(healed) == kinds() == ["overfitting", "underfitting"]
