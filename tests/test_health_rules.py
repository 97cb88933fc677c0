"""Each rule, its hysteresis and its documented false alarms, on synthetic series.

``rule_series`` writes records straight from the numbers a test is about; a healthy default learns.
"""

from __future__ import annotations

import ast
import dataclasses
import json
import math
import pathlib
import re
import sys

import numpy as np
import pytest

from tb_gradplugin.health import facts, remedies
from tb_gradplugin.health.judge import RULES, Judge, judge_run
from tb_gradplugin.health.report import KINDS, Finding, RunHealth
from tb_gradplugin.metadata import PROBE_COLUMNS, TRAINING_COLUMNS
from tb_gradplugin.structure import Layer, ModelStructure, Variable
from tests.rule_series import (
    COLUMN,
    FADING,
    broken,
    chain,
    learning,
    point,
    probe,
    recurrent_structure,
    run,
    schedule,
    softmax_over_one_unit,
    with_layer,
)

# --------------------------------------------------------------------------------------- vanishing


def test_a_fading_gradient_without_progress_is_critical_and_names_the_first_layers():
    health = run(chain(10, "sigmoid"), norm=FADING)
    (finding,) = health.findings
    assert (finding.kind, finding.severity, finding.active) == ("vanishing", "critical", True)
    assert finding.layers == tuple(f"d{i}" for i in range(6))  # A of d6 is exactly -3
    assert finding.since_step == 1
    assert finding.evidence["attenuation_decades"] == pytest.approx(9, abs=1e-4)
    assert finding.evidence["depth_slope_decades"] == pytest.approx(1, abs=1e-4)
    assert "sigmoid" in finding.cause
    assert finding.cause.count(".") >= 1
    assert finding.cause.endswith("the loss does not fall.")


def test_a_constant_output_whose_gradient_is_not_quite_zero_names_the_head():
    (finding,) = run(softmax_over_one_unit(), norm=1e-9).findings
    assert (finding.cause_id, finding.layers) == ("vanishing.constant", ("d1",))
    assert "softmax over a single unit" in finding.cause
    assert [r.id for r in finding.remedies] == ["head"]


def test_the_same_while_the_loss_falls_is_only_a_warning():
    (finding,) = run(chain(10, "sigmoid"), norm=FADING, loss=learning).findings
    assert (finding.kind, finding.severity) == ("vanishing", "warning")


def test_severity_follows_the_latest_sick_point():
    falls_late = lambda s: 1.0 if s < 100 else 0.2  # noqa: E731
    health = run(chain(10, "sigmoid"), stop=400, norm=FADING, loss=falls_late)
    assert [f.severity for f in health.findings] == ["warning"]


def test_attenuation_between_three_and_four_decades_heals_with_progress():
    falls_late = lambda s: 1.0 if s < 150 else 0.2  # noqa: E731
    (finding,) = run(chain(2), norm=[10**-3.4, 1.0], loss=falls_late, stop=400).findings
    assert not finding.active
    assert finding.severity == "critical"
    assert (finding.since_step, finding.last_step < 200) == (1, True)


def test_a_shallow_sigmoid_network_that_takes_off_late_is_left_alone():
    takes_off = lambda s: 1.0 if s < 80 else 0.2  # noqa: E731
    assert run(chain(4, "sigmoid"), norm=[10**-3.4, 0.1, 0.3, 1.0], loss=takes_off).findings == ()


def test_every_layer_without_influence_is_found_although_none_is_below_the_others():
    (finding,) = run(chain(4, "relu"), norm=1e-6).findings
    assert (finding.kind, len(finding.layers)) == ("vanishing", 4)


def test_a_gradient_that_underflows_to_zero_is_vanishing_and_not_dead():
    norms = [0.0, 0.0, 1e-30, 1e-20, 1e-10, 1.0]
    health = run(chain(6, "sigmoid"), norm=norms)
    assert health.kinds == ["vanishing"]
    assert health.findings[0].layers == ("d0", "d1", "d2", "d3", "d4")
    assert health.findings[0].evidence["silent_layers"] == 2


def test_small_initial_weights_are_named_as_the_cause():
    structure = chain(6, "relu")
    small = dataclasses.replace(
        structure,
        layers=tuple(dataclasses.replace(x, initializer="RandomNormal") for x in structure.layers),
    )
    (finding,) = run(small, norm=[10.0 ** (i - 5) for i in range(6)]).findings
    assert "RandomNormal" in finding.cause
    assert "Initialise" in finding.remedies[0].title


def drawn_by(initializer: str, structure: ModelStructure) -> ModelStructure:
    layers = (dataclasses.replace(x, initializer=initializer) for x in structure.layers)
    return dataclasses.replace(structure, layers=tuple(layers))


@pytest.mark.parametrize(
    ("initializer", "blamed"),
    [("RandomNormal(stddev=0.6)", True), ("VarianceScaling(scale=2)", False)],
)
def test_a_first_loss_far_too_high_is_blamed_on_weights_that_do_not_mind_the_width(
    initializer, blamed
):
    losses = {1: 3e3, 2: 1e6, 3: math.nan, 4: math.nan}
    health = run(
        drawn_by(initializer, chain(4)), stop=4, loss=lambda s: losses[s], norm=lambda s: 10.0**s
    )
    found = next(f for f in health.findings if f.kind == "exploding")
    assert ("initial weights" in found.cause) == blamed
    assert ("Initialise" in found.remedies[0].title) == blamed
    assert found.layers[0] == "d0"


# --------------------------------------------------------------------------- dead, exploding, NaN


def test_a_network_without_any_gradient_is_dead():
    (finding,) = run(chain(3), norm=0.0).findings
    assert (finding.kind, finding.severity, finding.since_step) == ("dead", "critical", 1)
    assert finding.layers == ("d2",)  # nothing arrives even there: that cuts off all others
    assert finding.evidence["zero_since_step"] == 1


def test_layers_that_die_in_training_are_named_with_the_step():
    dies = lambda s: [1.0, 1.0, 1.0] if s < 50 else [0.0, 0.0, 1.0]  # noqa: E731
    (finding,) = run(chain(3), norm=dies).findings
    assert finding.layers == ("d1",)  # that cuts off d0
    assert finding.evidence["zero_since_step"] == 50
    assert "learning rate 0.001" in finding.cause


def test_a_dead_layer_in_a_network_that_learns_is_a_warning_after_twenty_points():
    dies = lambda s: [1.0, 1.0, 1.0] if s < 30 else [1.0, 0.0, 1.0]  # noqa: E731
    health = run(chain(3), norm=dies, loss=learning, stop=300)
    assert [(f.kind, f.severity, f.layers) for f in health.findings] == [
        ("dead", "warning", ("d1",))
    ]
    assert run(chain(3), norm=dies, loss=learning, stop=40).findings == ()


def test_a_network_that_twitches_now_and_then_is_dead_all_the_same():
    rng = np.random.default_rng(0)
    twitch = lambda s: 1e-3 * float(s < 30 or rng.random() < 0.2)  # noqa: E731
    (finding,) = run(chain(3), norm=twitch, stop=1000).findings
    assert (finding.kind, finding.layers) == ("dead", ("d2",))
    assert "at most logged steps" in finding.cause


def test_layers_that_die_one_after_the_other_open_with_the_one_that_cuts_off_the_others():
    # At the third point of d0 its cause, d1, is only at its second.
    dies = lambda s: [float(s < 50), float(s < 52), 1.0]  # noqa: E731
    (finding,) = run(chain(3), norm=dies).findings
    assert (finding.kind, finding.layers) == ("dead", ("d1",))


def test_the_first_layer_whose_units_are_all_off_is_the_origin_by_the_probe():
    structure = chain(4)
    dies = lambda s: [1.0] * 4 if s < 50 else [0.0, 0.0, 0.0, 1.0]  # noqa: E731
    off = probe(structure, dead_share=[0.5, 1.0, 1.0, 0.0])
    (finding,) = run(structure, norm=dies, seen=off).findings
    assert finding.layers == ("d1", "d2")
    on = probe(structure, dead_share=[0.5, 0.9, 0.9, 0.0])
    (finding,) = run(structure, norm=dies, seen=on).findings
    assert finding.layers == ("d2",)  # the last whose bias gets nothing


def test_without_a_probe_the_origin_is_the_last_layer_whose_bias_gets_nothing():
    dies = lambda s: [float(s < 50)] * 3 + [1.0]  # noqa: E731
    biases = lambda s: [float(s < 50)] * 2 + [1.0, 1.0]  # noqa: E731
    (finding,) = run(chain(4), norm=dies, bias=biases).findings
    assert finding.layers == ("d1", "d2")  # d2 gets no input, but its bias a gradient


def test_without_biases_every_layer_without_gradient_is_named():
    structure = chain(3)
    kernels = tuple(v for v in structure.variables if v.role == "kernel")
    dies = lambda s: [float(s < 50)] * 2 + [1.0]  # noqa: E731
    (finding,) = run(dataclasses.replace(structure, variables=kernels), norm=dies).findings
    assert finding.layers == ("d0", "d1")


def test_heavy_dropout_is_why_layers_are_dead():
    structure = with_layer(chain(2), Layer("drop", "Dropout"))
    seen = probe(structure, zero_share=[0.0, 0.0, 0.95])
    (finding,) = run(structure, norm=0.0, seen=seen).findings
    assert finding.cause_id == "dead.dropout"
    assert finding.evidence["dropout_rate"] == pytest.approx(0.95)


def test_a_gradient_that_was_next_to_nothing_from_the_start_was_not_killed_by_an_update():
    dies = lambda s: 1e-3 * float(s < 50)  # noqa: E731
    (finding,) = run(chain(3, head="linear"), norm=dies).findings
    assert finding.cause_id == "dead.faint"


@pytest.mark.parametrize(("total", "dead"), [(1.5, True), (None, False)])
def test_weight_decay_does_not_hide_a_dead_layer(total, dead):
    """Its kernels get the gradient of the decay, its biases none."""
    findings = run(chain(3), norm=1e-2, bias=0.0, total=total).findings
    assert [f.kind for f in findings] == ["dead"] * dead


def test_weight_decay_does_not_make_a_layer_with_a_gradient_dead():
    assert run(chain(3), norm=1e-2, bias=1e-3, total=1.5).findings == ()


def test_a_softmax_over_one_unit_is_named():
    (finding,) = run(softmax_over_one_unit(), norm=0.0).findings
    assert "softmax over a single unit" in finding.cause
    assert 'Dense(1, activation="sigmoid")' in finding.remedies[0].snippet


def test_a_loss_that_runs_away_is_found_within_a_few_steps():
    growing = lambda s: 10.0**s  # noqa: E731
    (finding,) = run(chain(3), stop=8, loss=growing, norm=growing).findings
    assert (finding.kind, finding.severity) == ("exploding", "critical")
    assert finding.since_step <= 6


def test_updates_as_large_as_the_weights_name_the_layers_in_which_they_are():
    (finding,) = run(chain(3), update=[1e-3, 0.4, 1e-3]).findings
    assert (finding.kind, finding.layers) == ("exploding", ("d1",))
    assert finding.evidence["update_ratio"] == pytest.approx(0.4, rel=1e-5)
    assert "Adam" in finding.cause


def test_a_loss_far_above_the_baseline_from_the_start_is_found_by_its_sensitivity():
    assert run(chain(3), loss=1e6, norm=1e9).kinds == ["exploding"]
    # Targets far from zero: the loss does not react to the weights, so it is a long way down.
    assert run(chain(3), loss=1e6, norm=1e5).kinds == ["slow"]


def test_growth_toward_the_input_is_found():
    norms = [10.0 ** (0.5 * (7 - i)) for i in range(8)]
    (finding,) = run(chain(8, "tanh"), norm=norms).findings
    assert finding.kind == "exploding"
    assert finding.layers == ("d0", "d1")


def thrown(factor: float, step: int = 20):
    """Weights that grow by ``factor`` until ``step``."""
    return lambda s: 3.0 * (1.0 + (factor - 1.0) * min(s, step) / step)


def test_weights_thrown_far_off_within_twenty_steps_are_exploding():
    (finding,) = run(chain(3), weight=thrown(4.0)).findings
    assert (finding.kind, finding.severity) == ("exploding", "critical")
    assert (finding.cause_id, finding.evidence["sign"]) == ("exploding.rate", "weights")
    assert finding.layers == ("d0", "d1", "d2")
    assert 20 <= finding.since_step <= 25
    growth = 12.0 / (3.0 * (1.0 + 3.0 / 20))
    assert finding.evidence["weight_growth"] == pytest.approx(growth, rel=1e-4)
    assert "have thrown the weights to 3.48 times their size" in finding.cause


def test_weights_may_double_or_grow_later_or_grow_while_the_loss_falls():
    assert run(chain(3), weight=thrown(2.0), update=1e-2).findings == ()
    assert run(chain(3), weight=thrown(10.0, step=200), update=1e-2).findings == ()
    assert run(chain(3), weight=thrown(4.0), update=1e-2, loss=learning).findings == ()


def test_kernels_that_start_small_may_grow_to_the_size_that_their_width_asks_for():
    assert run(chain(3), weight=lambda s: 0.1 * min(s, 25)).findings == ()


def test_growth_right_before_a_nan_opens_both_findings_at_once():
    structure = chain(3)
    judge = Judge(structure)
    for step, norm in ((1, 1.0), (2, 500.0)):
        assert judge.observe(point(structure, step, norm=norm)) == []
    opened = judge.observe(broken(point(structure, 3), 0))
    assert sorted(f.kind for f in opened) == ["exploding", "nonfinite"]


def test_a_nan_on_the_first_step_is_found_and_named_after_its_origin():
    structure = chain(4)
    judge = Judge(structure)
    record = broken(broken(point(structure, 1), 2), 4, "inf_count", 5)
    (finding,) = judge.observe(record)
    assert finding.kind == "nonfinite"
    assert finding.layers == ("d1", "d2")
    assert finding.evidence["origin"] == "d2"  # finite loss: the way back starts at the output
    assert finding.evidence["nan_elements"] == 3
    assert finding.evidence["inf_elements"] == 5


def test_a_loss_that_is_nan_from_the_first_step_counts_where_the_model_has_one():
    (finding,) = run(chain(3, loss="mse"), stop=5, loss=math.nan).findings
    assert (finding.cause_id, finding.layers) == ("nonfinite.forward", ("d2",))
    assert (finding.since_step, finding.evidence["loss"]) == (1, "nan")
    assert run(chain(3, loss=None), stop=5, loss=math.nan).findings == ()


def test_a_loss_that_was_finite_before_counts_whether_it_has_a_name_or_not():
    breaks = lambda s: 1.0 if s < 5 else math.inf  # noqa: E731
    (finding,) = run(chain(3, loss=None), stop=10, loss=breaks).findings
    assert (finding.kind, finding.since_step) == ("nonfinite", 5)


@pytest.mark.parametrize(("head", "cause"), [("relu", "output"), ("softmax", "weights")])
def test_broken_weights_are_the_origin_of_a_broken_loss(head, cause):
    structure = chain(3, head=head, loss="categorical_crossentropy")
    weight = [1.0, np.nan, 1.0]
    record = broken(point(structure, 5, weight=weight, loss=math.nan), 0)
    health = judge_run(structure, [point(structure, 4), record])
    (finding,) = health.findings
    assert finding.evidence["origin"] == "d1"
    assert finding.evidence["arises_in"] == "weights"
    assert finding.cause_id == f"nonfinite.{cause}"
    assert ("cross-entropy needs probabilities" in finding.cause) == (cause == "output")
    assert finding.evidence["loss"] == "nan"


def test_nonfinite_names_the_layers_of_its_onset_and_heals_after_three_points():
    structure = chain(3)
    records = [point(structure, s) for s in range(1, 10)]
    records[3] = broken(records[3], 0)
    records[4] = broken(broken(records[4], 0), 2)
    (finding,) = judge_run(structure, records).findings
    assert finding.layers == ("d0",)
    assert (finding.since_step, finding.last_step, finding.active) == (4, 5, False)
    (finding,) = judge_run(structure, records[:7]).findings
    assert finding.active


# -------------------------------------------------------------------------------------- hysteresis


def test_two_sick_points_do_not_open_a_finding_and_two_well_points_do_not_heal_it():
    structure = chain(3)

    def health(pattern: str) -> RunHealth:
        judge = Judge(structure)
        for i, c in enumerate("0" * 30 + pattern):
            # Dead without progress: judged from the point itself, without a median.
            norm = 0.0 if c == "x" else 1.0
            judge.observe(point(structure, i + 1, norm=norm))
        return judge.health()

    assert health("xx").findings == ()
    (finding,) = health("xxx").findings
    assert (finding.since_step, finding.last_step, finding.active) == (31, 33, True)
    assert health("xxx00").findings[0].active
    healed = health("xxx000").findings[0]
    assert (healed.active, healed.last_step) == (False, 33)
    assert health("xxx000").verdict == "healthy"


def test_layers_that_fall_sick_soon_after_join_and_much_later_ones_do_not():
    def norms(second: int):
        return lambda s: [1.0, 1.0, 1.0 if s < 30 else 0.0, 1.0 if s < second else 0.0, 1.0]

    (finding,) = run(chain(5), norm=norms(60), stop=400).findings
    assert finding.layers == ("d2", "d3")
    assert finding.since_step == 30
    assert len(run(chain(5), norm=norms(300), stop=500).findings) == 2


def test_vanishing_is_dated_from_the_step_at_which_it_began_not_from_the_first_judged_one():
    (finding,) = run(chain(6, "sigmoid"), norm=[10.0 ** (i - 5) for i in range(6)]).findings
    assert finding.since_step == 1

    def norms(step: int) -> list[float]:
        weak = step >= 8 and step != 12  # one point in between does not start it anew
        return [1e-5 if weak else 1.0, 1.0, 1.0]

    (finding,) = run(chain(3), norm=norms, stop=60).findings
    assert finding.since_step == 8


def test_a_gradient_that_fades_layer_by_layer_gives_few_findings():
    def norms(step: int) -> list[float]:
        return [10.0 ** (-4.0 if i < step / 100 else 0.0) for i in range(30)]

    health = run(chain(30), norm=norms, stop=3000)
    assert 1 <= len(health.findings) <= 8


def test_a_finding_that_returns_soon_is_the_same_one():
    ill = lambda s: 0.0 if s < 30 or s >= 50 else 1.0  # noqa: E731
    structure = chain(3)
    judge = Judge(structure)
    opened = [f for s in range(1, 100) for f in judge.observe(point(structure, s, norm=ill(s)))]
    assert len(judge.health().findings) == 1
    assert len(opened) == 2  # it is told again
    assert judge.health().findings[0].active


# ------------------------------------------------------------------------- documented false alarms


def test_a_healthy_run_has_no_finding():
    health = run(chain(10), loss=learning)
    assert (health.findings, health.verdict) == ((), "healthy")
    assert (health.first_step, health.logged) == (1, len(schedule()))


@pytest.mark.parametrize("norm", [4e-8, 1e-12])
def test_a_converged_run_has_tiny_gradients(norm):
    shrink = lambda s: 1.0 if s < 20 else norm  # noqa: E731
    assert run(chain(4), loss=learning, norm=shrink).findings == ()


def test_a_run_that_converges_near_the_baseline_lost_its_influence_by_learning():
    assert run(chain(4), norm=lambda s: 10.0 ** -(s / 40), stop=400, loss=0.95).findings == ()


def test_an_attention_key_bias_without_gradient_is_not_judged():
    structure = ModelStructure(
        (Layer("q", "EinsumDense"), Layer("key", "EinsumDense"), Layer("out", "EinsumDense")),
        (
            Variable("q/kernel", 0, "kernel", (8, 2, 4)),
            Variable("key/kernel", 1, "kernel", (8, 2, 4)),
            Variable("key/bias", 1, "bias", (2, 4)),
            Variable("out/kernel", 2, "kernel", (2, 4, 8)),
        ),
    )
    records = []
    for step in schedule():
        record = point(structure, step)
        record.statistics[2] = 0.0
        record.statistics[2, COLUMN["zero_fraction"]] = 1.0
        records.append(record)
    assert judge_run(structure, records).findings == ()


def test_a_residual_branch_that_starts_at_zero_is_not_dead():
    opens = lambda s: [1.0, 0.0, 1.0] if s < 3 else [1.0, 1e-3 * s, 1.0]  # noqa: E731
    assert run(chain(3), norm=opens).findings == ()


def test_a_layer_without_input_is_starved_and_not_dead():
    """A kernel without gradient whose bias has one."""
    assert run(chain(3), norm=[0.0, 1.0, 1.0], bias=1.0).findings == ()
    assert run(chain(3), norm=[0.0, 1.0, 1.0], bias=[0.0, 1.0, 1.0]).kinds == ["dead"]


def test_a_tower_that_has_not_had_a_gradient_yet_is_not_dead_for_long():
    silent = {"norm": [0.0, 1.0, 1.0]}
    assert run(chain(3), stop=149, **silent).findings == ()
    (finding,) = run(chain(3), stop=200, **silent).findings
    assert (finding.kind, finding.layers) == ("dead", ("d0",))


def test_a_branch_behind_a_closed_gate_is_not_vanishing():
    assert run(chain(5), norm=[1.0, 1e-6, 1e-6, 1e-6, 1.0]).findings == ()


def test_variables_without_gradient_are_not_zero():
    assert run(chain(4), norm=[1.0, np.nan, 1.0, 1.0]).findings == ()
    assert run(chain(4), norm=np.nan, loss=learning).findings == ()


def test_embeddings_and_scales_are_not_judged():
    structure = ModelStructure(
        (Layer("e", "Embedding"), Layer("n", "LayerNormalization"), Layer("d", "Dense")),
        (
            Variable("e/embeddings", 0, "embeddings", (100, 8)),
            Variable("n/gamma", 1, "scale", (8,)),
            Variable("d/kernel", 2, "kernel", (8, 8)),
        ),
    )
    assert run(structure, norm=[0.0, 0.0, 1.0]).findings == ()
    assert run(structure, norm=[1e-9, 1e-9, 1.0]).findings == ()


def test_an_embedding_that_gets_its_gradient_shows_that_the_layers_after_it_are_gated():
    structure = ModelStructure(
        (Layer("e", "Embedding"), Layer("a", "Dense"), Layer("d", "Dense")),
        (
            Variable("e/embeddings", 0, "embeddings", (100, 8)),
            Variable("a/kernel", 1, "kernel", (8, 8)),
            Variable("d/kernel", 2, "kernel", (8, 8)),
        ),
    )
    assert run(structure, norm=[0.1, 1e-6, 1.0]).findings == ()
    assert run(structure, norm=[1e-7, 1e-6, 1.0]).kinds == ["vanishing"]


def test_a_fine_tuned_model_starts_far_below_the_baseline():
    quiet = run(chain(4), loss=0.01, norm=1e-7, update=1e-7)
    assert quiet.findings == ()
    silent = run(chain(4), loss=0.01, norm=lambda s: [1.0, 1.0 if s < 40 else 0.0, 1.0, 1.0])
    assert [f.severity for f in silent.findings] == ["warning"]


def test_unscaled_targets_make_a_large_loss_that_falls():
    fall = lambda s: 1e8 * (0.2 + math.exp(-s / 30))  # noqa: E731
    assert run(chain(4), loss=fall, baseline=8e7, norm=1e8).findings == ()


def test_l2_terms_do_not_hide_that_the_data_loss_makes_progress():
    structure = chain(4)
    records = []
    for step in schedule():
        record = point(structure, step, loss=learning(step), norm=FADING[4:8])
        record.training[TRAINING_COLUMNS.index("loss")] = 50.0
        records.append(record)
    assert judge_run(structure, records).findings == ()


def test_steps_that_loss_scaling_skips_are_ignored():
    structure = chain(3)
    records = [point(structure, s, loss=learning(s)) for s in range(1, 40)]
    for i in (0, 1, 20):
        records[i] = broken(point(structure, i + 1, loss=math.inf, skipped=1.0), 0, "inf_count")
    health = judge_run(structure, records)
    assert health.findings == ()
    assert health.logged == 39


def test_a_warm_up_overshoot_is_not_an_explosion():
    bump = lambda s: 1.0 + 4.0 * math.exp(-(((s - 6) / 3) ** 2)) if s < 20 else learning(s)  # noqa: E731
    assert run(chain(3), loss=bump, update=lambda s: 0.5 / s).findings == ()


def test_one_terrible_batch_is_not_an_explosion():
    spike = lambda s: 1e6 if s in (25, 60) else 0.95  # noqa: E731
    assert run(chain(3), loss=spike).findings == ()


def test_noisy_losses_of_single_samples_are_not_an_explosion():
    rng = np.random.default_rng(0)
    for _ in range(20):
        health = run(chain(3), stop=2000, loss=lambda s: float(rng.chisquare(1)))
        assert set(health.kinds) <= {"stalled"}  # true: it does not get below the baseline


def test_kernels_that_start_small_take_large_relative_updates_until_they_have_grown():
    ratio = lambda s: 1.0 / s  # noqa: E731
    assert run(chain(3), update=ratio, loss=0.95).findings == ()


def test_label_noise_keeps_the_loss_at_the_baseline_of_a_healthy_network():
    assert run(chain(10), norm=[10 ** (0.2 * (i - 9)) for i in range(10)], loss=1.0).findings == ()


def test_recurrent_kernels_may_lie_three_decades_below_while_the_loss_falls():
    drift = lambda s: [10 ** -(2.9 + 0.3 * s / 400), 1.0]  # noqa: E731
    assert run(chain(2), stop=400, norm=drift, loss=learning).findings == ()


def test_a_weak_kernel_beside_a_strong_one_in_its_layer_is_not_sick():
    structure = ModelStructure(
        (Layer("lstm", "LSTM"), Layer("d", "Dense")),
        (
            Variable("lstm/kernel", 0, "kernel", (2, 32)),
            Variable("lstm/recurrent_kernel", 0, "recurrent_kernel", (8, 32)),
            Variable("d/kernel", 1, "kernel", (8, 1)),
        ),
    )
    records = [point(structure, s) for s in schedule()]
    for record in records:
        record.statistics[0, COLUMN["norm"]] = 1e-5
    assert judge_run(structure, records).findings == ()


def test_a_very_wide_layer_does_not_make_the_others_sick():
    norms, weights = [0.1, 1.0, 0.1, 0.1], [1.0, 60.0, 1.0, 1.0]
    assert run(chain(4), norm=norms, weight=weights).findings == ()


def test_a_narrow_layer_that_is_silent_for_some_batches_is_not_dead():
    rng = np.random.default_rng(1)
    norms = lambda s: [1.0, float(rng.random() < 0.4), 1.0]  # noqa: E731
    assert "dead" not in run(chain(3), norm=norms, stop=2000).kinds


def test_a_training_loop_that_reports_no_loss_is_judged_leniently():
    nothing = {"loss": math.nan, "baseline": math.nan}
    assert run(chain(4, loss=None), **nothing).findings == ()
    (finding,) = run(chain(10, loss=None), norm=FADING, **nothing).findings
    assert (finding.kind, finding.severity) == ("vanishing", "warning")


def test_a_training_loop_that_records_no_weights_is_judged_by_gradients_alone():
    unknown = {"weight": math.nan, "update": math.nan}
    assert run(chain(10), norm=FADING, **unknown).kinds == ["vanishing"]
    assert run(chain(10), loss=learning, **unknown).findings == ()
    structure = chain(3)
    record = broken(point(structure, 1, loss=math.nan, **unknown), 0)
    (finding,) = judge_run(structure, [record]).findings
    assert finding.evidence["arises_in"] == "forward pass"


# ------------------------------------------------------------------------------------- whole judge


SICK = {
    "vanishing": {"norm": FADING},
    "dead": {"norm": 0.0},
    "exploding": {"loss": lambda s: min(2.0**s, 1e30), "norm": lambda s: min(2.0**s, 1e18)},
    "start": {"loss": 1e6, "norm": 1e9},
    "healthy": {"loss": learning},
    "near threshold": {"norm": [10**-2.99] + [1.0] * 9},
}


@pytest.mark.parametrize("name", SICK)
@pytest.mark.parametrize("factor", [1e-4, 1e4])
@pytest.mark.parametrize("known", [True, False])
def test_a_loss_multiplied_by_a_constant_gives_the_same_findings(name, factor, known):
    def scaled(by: float) -> dict:
        value = lambda x, s: np.asarray(x(s) if callable(x) else x) * by  # noqa: E731
        series = {"norm": 1.0, "loss": 1.0, "baseline": 1.0 if known else math.nan, **SICK[name]}
        return {k: (lambda s, x=x: value(x, s)) for k, x in series.items()}

    def keys(by: float) -> list:
        findings = run(chain(10), **scaled(by)).findings
        return [(f.kind, f.severity, f.layers, f.since_step, f.last_step) for f in findings]

    assert keys(factor) == keys(1.0)


@pytest.mark.parametrize("every", [1, 10])
def test_other_logging_intervals_find_the_same(every):
    structure = chain(10)
    steps = range(1, 60 * every, every)
    health = judge_run(structure, [point(structure, s, norm=FADING) for s in steps])
    assert health.kinds == ["vanishing"]


def test_few_points_as_with_one_an_epoch_are_enough():
    structure = chain(10)
    records = [point(structure, 1 + 100 * i, norm=FADING) for i in range(6)]
    assert judge_run(structure, records).kinds == ["vanishing"]


def test_judging_again_what_was_recorded_gives_identical_findings():
    structure = chain(10, "tanh")
    rng = np.random.default_rng(0)
    judge, records, opened = Judge(structure), [], []
    for step in schedule(500):
        norm = np.array(FADING) * rng.lognormal(0, 1, 10)
        records.append(point(structure, step, norm=norm, loss=rng.lognormal(0, 0.3)))
        opened += judge.observe(records[-1])
    assert judge.health() == judge_run(structure, records)
    assert opened
    assert RunHealth.from_dict(json.loads(json.dumps(judge.health().to_dict()))) == judge.health()


def test_findings_are_sorted_worst_first():
    structure = chain(12, "sigmoid")
    norms = lambda s: [0.0] * 12 if 25 <= s < 40 else [1e-9] * 4 + [1.0] * 8  # noqa: E731
    findings = run(structure, norm=norms).findings
    order = [(not f.active, f.severity != "critical", f.since_step) for f in findings]
    assert len(findings) > 1
    assert order == sorted(order)


def test_evidence_is_plain_json_without_nan():
    for name, series in SICK.items():
        for known in (1.0, math.nan):
            health = run(chain(10), **{"baseline": known, **series})
            text = json.dumps(health.to_dict(), allow_nan=False)
            assert ("NaN" in text) is False, name


@pytest.mark.parametrize("cause", sorted(remedies.PLAN))
def test_the_remedies_of_a_cause_are_code_that_runs_by_itself(cause):
    pytest.importorskip("keras")
    empty = ModelStructure((Layer("odd", "Odd"),), ())
    for structure in (
        chain(3, optimizer="SGD"),
        chain(3, loss="bce"),
        recurrent_structure(),
        empty,
    ):
        layers = [0] if structure is empty else [0, 1]
        for rate in (0.1, math.nan):
            pace = remedies.Pace(rate)
            faults = {"unscaled": "inputs", "output_mismatch": "the head"}
            found = remedies.remedies(cause, structure, layers, pace, faults)
            assert [r.id for r in found] == list(remedies.plan(cause, structure, pace))
            assert {r.id for r in found} == set(remedies.PLAN[cause])
            for remedy in found:
                exec(compile(remedy.snippet, remedy.id, "exec"), {})
                assert remedy.title
                assert remedy.why


def words(node: ast.expr | None) -> set[str]:
    """Strings that an expression may be, first element of a tuple."""
    match node:
        case ast.Tuple(elts=[first, *_]):
            return words(first)
        case ast.IfExp(body=yes, orelse=no):
            return words(yes) | words(no)
        case ast.Constant(value=str(word)):
            return {word}
    return set()


def causes(kind: str) -> set[str]:
    """Every ``cause_id`` that the source of a rule may give."""
    path = pathlib.Path(remedies.__file__).parent / f"{kind}.py"
    source = path.read_text(encoding="utf-8")
    out = set(re.findall(rf'Explanation\(\s*"{kind}\.(\w+)"', source))
    out |= set(re.findall(rf'Explanation\(\s*f"{kind}\.(\w+)"', source))
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Assign):
            (target,) = node.targets
            first = target.elts[0] if isinstance(target, ast.Tuple) else target
            if isinstance(first, ast.Name) and first.id in ("id_", "start_id", "where"):
                out |= {word.split()[0] for word in words(node.value)}
        if isinstance(node, ast.FunctionDef) and node.name == "reason":
            for inner in ast.walk(node):
                if isinstance(inner, ast.Return):
                    out |= words(inner.value)
    return {f"{kind}.{word}" for word in out}


def test_every_cause_that_a_rule_gives_has_remedies_and_every_remedy_a_cause_or_a_reason():
    given = {kind: causes(kind) for kind in KINDS}
    assert given["slow"] == {"slow.rate", "slow.data", "slow.gradient"}
    assert {"stalled.output", "stalled.saturated", "stalled.plateau"} <= given["stalled"]
    assert {"exploding.time", "exploding.recurrent", "exploding.rate"} <= given["exploding"]
    assert {"nonfinite.backward", "nonfinite.steep"} <= given["nonfinite"]
    assert {"vanishing.time", "vanishing.constant"} <= given["vanishing"]
    assert set().union(*given.values()) == set(remedies.PLAN)
    assert {id_ for plan in remedies.PLAN.values() for id_ in plan} <= set(remedies.IDS)


def test_the_cause_and_the_remedies_have_ids_that_older_data_does_not():
    (finding,) = run(chain(10, "sigmoid"), norm=FADING).findings
    assert finding.cause_id == "vanishing.saturating"
    assert [r.id for r in finding.remedies] == list(remedies.PLAN[finding.cause_id])
    data = json.loads(json.dumps(finding.to_dict()))
    assert Finding.from_dict(data) == finding
    del data["cause_id"]
    for remedy in data["remedies"]:
        del remedy["id"]
    older = Finding.from_dict(data)
    assert (older.cause_id, older.remedies[0].id) == ("", "")
    assert older.remedies[0].snippet == finding.remedies[0].snippet


def test_snippets_make_the_kind_of_layer_that_is_at_fault():
    structure = recurrent_structure()
    (layer, _) = structure.layers
    for kind in ("SimpleRNN", "LSTM", "GRU"):
        other = dataclasses.replace(
            structure, layers=(dataclasses.replace(layer, type=kind), structure.layers[1])
        )
        assert facts.constructor(other, 0) == f"keras.layers.{kind}(32)"
    conv = ModelStructure(
        (Layer("c", "Conv2D", "relu"),), (Variable("c/kernel", 0, "kernel", (3, 3, 4, 8)),)
    )
    assert (
        facts.constructor(conv, 0, use_bias="False") == "keras.layers.Conv2D(8, 3, use_bias=False)"
    )


def test_what_a_remedy_changes_is_every_layer_of_the_kind_at_fault():
    structure = chain(6, "sigmoid")
    assert remedies.places("activation", structure, [0, 1]) == [0, 1, 2, 3, 4]  # not the head
    assert remedies.places("output", structure, [0, 1]) == [5]
    careless = dataclasses.replace(
        structure,
        layers=tuple(
            dataclasses.replace(layer, initializer="RandomNormal(stddev=0.02)")
            for layer in structure.layers
        ),
    )
    assert remedies.places("initialiser", structure, [0, 1]) == [0, 1]
    assert remedies.places("initialiser", careless, [0, 1]) == [0, 1, 2, 3, 4, 5]
    assert remedies.places("gated", recurrent_structure(), [1]) == [0]


def test_learning_rates_are_lowered_and_raised_by_ten_but_not_past_the_default():
    adam, sgd = chain(1), chain(1, optimizer="SGD")

    def new(id_: str, structure: ModelStructure, *pace: float) -> float:
        return remedies.new_rate(id_, structure, remedies.Pace(*pace))

    assert new("lower", adam, 1e-3) == pytest.approx(1e-4)
    assert new("lower", adam, 1.0) == 1e-3
    assert new("lower", sgd, 10.0) == 1e-2
    assert new("raise", adam, 1e-5) == 1e-3
    assert new("raise", sgd, 1e-2) == pytest.approx(0.1)
    assert new("clip", sgd, 1e-2) == 1e-2
    assert new("raise", adam, math.nan) == 1e-3
    # Updates of 3e-6 |W| at rate 1e-4: a thousandth at 0.033, but no more than 0.1.
    assert new("raise", sgd, 1e-4, 3e-6) == pytest.approx(1e-4 * 1e-3 / 3e-6)
    assert new("raise", sgd, 1e-5, 1e-9) == pytest.approx(0.1)
    assert new("raise", adam, 1e-7, 1e-6) == 1e-3
    assert new("raise", chain(1, optimizer="Adagrad"), 1e-5) == 0.1
    assert new("raise", chain(1, optimizer="Adadelta"), 1e-3) == 1.0
    # Updates of 0.2 |W| at rate 0.1: a hundredth at 0.005, but no less than 0.001.
    assert new("lower", sgd, 0.1, 0.2) == pytest.approx(0.005)
    assert new("lower", sgd, 0.1, 20.0) == pytest.approx(0.001)
    assert new("lower", adam, 0.1, 1000.0) == 1e-3
    assert new("lower", sgd, 10.0, 20.0) == 1e-2  # what came of a rate so high says nothing


def test_snippets_name_momentum_for_gradient_descent_and_a_bounded_state():
    def snippet(id_: str, structure: ModelStructure, rate: float = 1.0) -> str:
        return remedies.remedy(id_, structure, [0], remedies.Pace(rate)).snippet

    sgd = chain(1, optimizer="SGD")
    clipped = "SGD(learning_rate=0.01, momentum=0.9, global_clipnorm=1.0)"
    assert clipped in snippet("lower", sgd)
    assert "SGD(learning_rate=0.01, momentum=0.9)" in snippet("lower", sgd, 0.1)
    assert "SGD(learning_rate=10.0, momentum=0.9)" in snippet("raise", sgd)
    assert "Adam(learning_rate=0.001)" in snippet("lower", chain(1))
    layer = snippet("orthogonal", recurrent_structure())
    assert 'activation="tanh",' in layer
    assert "Orthogonal(gain=1.0)" in layer


NUMBERS = (0.0, -1.0, 1e-45, 1e-30, 1e-3, 1.0, 1e3, 1e30, 3e38, math.inf, -math.inf, math.nan)


@pytest.mark.parametrize("seed", range(60))
def test_no_numbers_make_a_rule_fail(seed):
    rng = np.random.default_rng(seed)
    structure = (chain(4), chain(3, "sigmoid", "softmax", optimizer="SGD"), recurrent_structure())
    structure = structure[seed % 3]
    rare = (0.0, 0.001, 0.3)[seed // 3 % 3]
    steady = rng.choice(NUMBERS, 10)  # the training columns and the batch stay so for the whole run
    odd = rng.random(4) < 0.5

    def spoilt(values: np.ndarray) -> np.ndarray:
        return np.where(rng.random(values.shape) < rare, rng.choice(NUMBERS, values.shape), values)

    judge = Judge(structure)
    for step in schedule(900):
        record = point(structure, step)
        training = record.training.copy()
        training[:4][odd] = steady[:4][odd]
        statistics = spoilt(record.statistics).astype(np.float32)
        counts = [COLUMN["nan_count"], COLUMN["inf_count"]]
        statistics[:, counts] = rng.random((len(statistics), 2)) < rare / 10
        judge.observe(dataclasses.replace(record, statistics=statistics, training=spoilt(training)))
        if step % 50 == 0:
            seen = {name: rng.choice(NUMBERS) for name in PROBE_COLUMNS}
            batch = {"inputs": tuple(steady[4:7]), "targets": tuple(steady[7:10])}
            judge.observe_probe(probe(structure, **batch, **seen))
    for finding in judge.health().findings:
        assert finding.cause
        assert finding.remedies


def test_a_model_without_variables_or_kernels_is_never_sick():
    empty = ModelStructure((Layer("flatten", "Flatten"),), ())
    assert run(empty, loss=lambda s: 2.0**s).findings == ()
    embedding = ModelStructure(
        (Layer("e", "Embedding"),), (Variable("e/embeddings", 0, "embeddings", (9, 9)),)
    )
    assert run(embedding, norm=0.0).findings == ()
    (finding,) = run(embedding, stop=10, loss=lambda s: 10.0**s, update=1.0).findings
    assert (finding.kind, finding.layers) == ("exploding", ("e",))


def calls_of_a_judged_step(layers: int, faintest: float) -> int:
    """Functions called, Python's and NumPy's, by one judged step late in a run."""
    structure = chain(layers, "sigmoid")
    judge = Judge(structure)
    norms = np.geomspace(faintest, 1.0, layers)
    for step in range(1, 60):
        judge.observe(point(structure, step, norm=norms))
    record = point(structure, 60, norm=norms)
    calls = 0

    def count(frame, event, argument):
        nonlocal calls
        calls += event in ("call", "c_call")

    sys.setprofile(count)
    try:
        judge.observe(record)
    finally:
        sys.setprofile(None)
    return calls


def test_the_work_of_judging_a_healthy_step_does_not_grow_with_the_layers():
    assert calls_of_a_judged_step(1500, 0.1) <= 1.1 * calls_of_a_judged_step(10, 0.1) < 1000


def test_naming_sick_layers_takes_a_few_calls_for_each():
    assert calls_of_a_judged_step(1500, 1e-9) < 8 * 1500


def test_a_record_of_another_model_is_refused():
    judge = Judge(chain(3))
    with pytest.raises(ValueError, match=r"=8 rows.*each of the 6 trained variables"):
        judge.observe(point(chain(4), 1))


def test_a_probe_of_another_model_is_refused():
    judge = Judge(chain(3))
    with pytest.raises(ValueError, match=r"probe.layers.*=4 rows.*each of the 3 layers"):
        judge.observe_probe(probe(chain(4)))


def test_the_list_of_rules_names_every_kind_once():
    assert sorted(kind for kind, _, _ in RULES) == sorted(KINDS)
    assert all(title and checks.endswith(".") for _, title, checks in RULES)
