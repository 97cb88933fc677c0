"""Rules for networks that do not learn although each gradient looks healthy: ``slow``, ``stalled``,
and gradients that get lost or grow on their way back through time.
"""

from __future__ import annotations

import dataclasses
import json
import math

import numpy as np
import pytest

from tb_gradplugin.health import remedies
from tb_gradplugin.health.report import Finding
from tb_gradplugin.health.thresholds import Thresholds
from tb_gradplugin.structure import Layer
from tests.rule_series import (
    FADING,
    chain,
    learning,
    probe,
    recurrent_structure,
    run,
    with_layer,
)

UNKNOWN = {"baseline": math.nan}
TINY = {"update": 1e-5}
"""Updates of 1e-5 of the weights: too small for anything."""
FAR = {"loss": 5.0, "update": 3e-4}
"""Five times the baseline; 150 such updates could lower the loss by 5 % at most."""


def only(health) -> Finding:
    (finding,) = health.findings
    return finding


# ------------------------------------------------------------------------------------------- slow


def test_updates_too_small_for_every_layer_are_slow():
    finding = only(run(chain(3), rate=1e-5, **TINY))
    assert (finding.kind, finding.severity, finding.active) == ("slow", "warning", True)
    assert (finding.cause_id, finding.evidence["sign"]) == ("slow.rate", "update")
    assert finding.layers == ("d0", "d1", "d2")
    assert 150 <= finding.since_step < 160
    assert finding.evidence["update_ratio"] == pytest.approx(1e-5)
    assert "no update by Adam at learning rate 1e-05 changes" in finding.cause
    assert [r.id for r in finding.remedies] == ["raise", "adaptive"]


def test_a_gradient_that_is_too_small_for_any_rate_is_told_apart():
    finding = only(run(chain(3, optimizer="SGD"), rate=0.1, update=1e-7))
    assert finding.cause_id == "slow.gradient"
    assert "multiplied by a small number" in finding.cause
    assert [r.id for r in finding.remedies] == ["adaptive", "raise"]
    structure = chain(3, optimizer="SGD")
    faint = probe(structure, inputs=(0.001, 0.001, 0.004))
    finding = only(run(structure, rate=0.1, update=1e-7, seen=faint))
    assert finding.cause_id == "slow.data"
    assert "inputs are of size 0.001" in finding.cause


def test_one_layer_that_moves_is_enough_not_to_be_slow():
    assert run(chain(3), update=[1e-5, 3e-4, 1e-5]).findings == ()


def test_updates_that_were_large_before_are_not_slow():
    assert run(chain(3), stop=400, update=lambda s: 1e-2 if s < 100 else 1e-5).findings == ()


def test_updates_that_rounding_swallows_are_slow():
    assert only(run(chain(3), update=0.0, rate=1e-9)).cause_id == "slow.rate"


def test_updates_that_a_usual_rate_withholds_are_not_the_rates_fault():
    finding = only(run(chain(3), update=0.0, rate=1e-3))
    assert (finding.cause_id, finding.remedies[0].id) == ("slow.gradient", "adaptive")
    assert "no update by Adam reaches the weights at learning rate 0.001" in finding.cause


@pytest.mark.parametrize(("update", "cause"), [(4e-5, "gradient"), (6e-5, "rate")])
def test_a_rate_ten_times_as_high_must_give_half_a_usual_update(update, cause):
    finding = only(run(chain(3, optimizer="SGD"), update=update, rate=0.01))
    assert finding.cause_id == f"slow.{cause}"


def test_updates_that_are_not_recorded_are_not_slow():
    assert run(chain(3), update=math.nan, weight=math.nan).findings == ()


def test_a_way_down_that_all_updates_together_cannot_cover_is_slow():
    finding = only(run(chain(3), **FAR))
    assert (finding.cause_id, finding.evidence["sign"]) == ("slow.rate", "reach")
    # Six variables of norm 1, 3e-4 a step, 199 steps until the last point, of a loss of 5.
    assert finding.evidence["reach"] == pytest.approx(6 * 3e-4 * 199 / 5, rel=0.02)
    assert "even straight downhill" in finding.cause
    assert "5 times that of the best constant prediction" in finding.cause


def test_a_way_down_that_the_updates_could_have_covered_is_not_slow():
    assert run(chain(3), norm=20.0, **FAR).findings == ()


def test_steps_between_logged_ones_count_in_the_way_down():
    dense = only(run(chain(3), stop=1000, **FAR)).evidence["reach"]
    assert dense == pytest.approx(6 * 3e-4 * 1000 / 5, rel=0.05)


def test_targets_much_larger_than_the_output_are_slow_because_of_the_data():
    structure = chain(3)
    seen = probe(structure, targets=(0.0, 200.0, 500.0), output_max=[9.0, 9.0, 1.0])
    finding = only(run(structure, seen=seen))
    assert (finding.cause_id, finding.evidence["sign"]) == ("slow.data", "scale")
    assert finding.evidence["target_scale"] == pytest.approx(200.0)
    assert "targets vary 200 times as much as the output" in finding.cause
    assert finding.remedies[0].id == "inputs"


@pytest.mark.parametrize(
    ("deviation", "loss"), [(99.0, "mse"), (200.0, "sparse_categorical_crossentropy")]
)
def test_targets_of_the_outputs_size_and_class_numbers_are_not_slow(deviation, loss):
    structure = chain(3, "tanh", head="softmax", loss=loss)
    if loss == "mse":
        structure = chain(3, "tanh", head="linear")
    seen = probe(structure, targets=(0.0, deviation, 500.0), output_max=1.0)
    assert run(structure, seen=seen).findings == ()


def test_a_learning_rate_that_still_rises_is_not_slow():
    assert run(chain(3), rate=lambda s: 1e-6 * s, **TINY).findings == ()


@pytest.mark.parametrize("rates", [(0.0, 0.0), (0.0, 1e-6)])
def test_a_learning_rate_may_be_zero(rates):
    at = lambda s: rates[s > 600]  # noqa: E731
    assert only(run(chain(3), stop=900, rate=at, **TINY)).kind == "slow"


def test_after_its_warm_up_a_learning_rate_may_be_too_low():
    warm_up = lambda s: 1e-6 * min(s, 200)  # noqa: E731
    finding = only(run(chain(3), stop=900, rate=warm_up, **TINY))
    assert finding.kind == "slow"
    assert finding.since_step > 200


@pytest.mark.parametrize("signs", [TINY, FAR])
def test_slow_is_not_judged_before_its_step(signs):
    assert run(chain(3), stop=149, **signs).findings == ()
    early = run(chain(3), stop=149, thresholds=Thresholds(slow_step=50), **signs)
    assert only(early).since_step < 60


def test_a_loss_that_falls_is_not_slow():
    assert run(chain(3), loss=learning, **TINY).findings == ()


def test_a_loss_without_labels_need_not_fall_and_is_never_slow_or_stalled():
    for series in (TINY, {}):
        assert run(chain(3, loss="my_loss"), stop=2000, **UNKNOWN, **series).findings == ()
    assert only(run(chain(3, loss="my_loss"), **TINY)).kind == "slow"  # the baseline says: labels


def test_a_named_loss_compares_with_labels_although_its_baseline_is_unknown():
    assert only(run(chain(3, loss="mean_absolute_error"), **UNKNOWN, **TINY)).kind == "slow"


@pytest.mark.parametrize(
    ("kind", "series"),
    [("vanishing", {"norm": FADING}), ("dead", {"norm": 0.0})],
)
def test_what_is_wrong_with_a_gradient_goes_before_slow_and_stalled(kind, series):
    assert run(chain(10, "sigmoid"), stop=1500, **TINY, **series).kinds == [kind]


def test_slow_goes_before_stalled():
    assert run(chain(3), stop=1500, **TINY).kinds == ["slow"]


def test_slow_heals_with_larger_updates():
    raised = lambda s: 1e-5 if s < 200 else 1e-2  # noqa: E731
    finding = only(run(chain(3), stop=800, update=raised))
    assert not finding.active
    assert 150 <= finding.since_step < finding.last_step < 600


def test_slow_heals_when_the_loss_falls():
    falls_late = lambda s: 1.0 if s < 200 else 0.2  # noqa: E731
    finding = only(run(chain(3), stop=400, loss=falls_late, **TINY))
    assert (finding.kind, finding.active) == ("slow", False)


def test_slow_gives_way_to_a_gradient_that_goes_wrong_later():
    dies = lambda s: float(s < 250)  # noqa: E731
    findings = run(chain(3), stop=400, norm=dies, **TINY).findings
    assert [(f.kind, f.active) for f in findings] == [("dead", True), ("slow", False)]


# ---------------------------------------------------------------------------------------- stalled


def test_a_relu_head_does_not_suit_a_cross_entropy_and_only_the_head_is_named():
    finding = only(run(chain(3, "relu", loss="binary_crossentropy")))
    assert (finding.kind, finding.severity) == ("stalled", "warning")
    assert (finding.cause_id, finding.layers) == ("stalled.output", ("d2",))
    assert 150 <= finding.since_step < 160
    assert "cross-entropy needs probabilities" in finding.cause
    assert [r.id for r in finding.remedies] == ["output", "loss"]


def test_a_sigmoid_head_suits_a_cross_entropy():
    assert run(chain(3, "relu", "sigmoid", loss="binary_crossentropy")).findings == ()


def test_a_relu_head_with_a_cross_entropy_that_learns_is_left_alone():
    assert run(chain(3, "relu", loss="binary_crossentropy"), loss=learning).findings == ()


OUTSIDE = [
    ("sigmoid", (0.0, 1.0, 3.0)),
    ("tanh", (0.0, 1.0, 3.0)),
    ("relu", (-0.5, 1.0, 3.0)),
]
INSIDE = [
    ("sigmoid", (0.5, 0.3, 1.0)),
    ("tanh", (0.0, 0.5, 1.0)),
    ("relu", (2.0, 1.0, 4.0)),
    ("linear", (-5.0, 1.0, 9.0)),
]


@pytest.mark.parametrize(("head", "targets"), OUTSIDE)
def test_a_head_that_cannot_reach_the_targets_is_named_by_the_probe(head, targets):
    structure = chain(3, "tanh", head)
    finding = only(run(structure, seen=probe(structure, targets=targets)))
    assert (finding.cause_id, finding.layers) == ("stalled.output", ("d2",))
    assert f"the last layer's {head} gives" in finding.cause


@pytest.mark.parametrize(("head", "targets"), INSIDE)
def test_a_head_that_can_reach_the_targets_is_not(head, targets):
    structure = chain(3, "tanh", head)
    assert run(structure, seen=probe(structure, targets=targets)).findings == ()


def test_without_a_probe_nothing_is_known_of_the_targets():
    assert run(chain(3, "tanh", "sigmoid")).findings == ()


def test_a_penalty_that_makes_up_most_of_the_loss_has_stalled_it():
    finding = only(run(chain(3), stop=400, total=4.0))
    assert finding.cause_id == "stalled.regularised"
    assert 150 <= finding.since_step < 170
    assert finding.layers == ("d0", "d1", "d2")
    assert finding.evidence["regularisation_share"] == pytest.approx(0.75)
    assert "regularisation makes up 75 %" in finding.cause
    assert [r.id for r in finding.remedies] == ["weaken"]


def test_large_updates_of_weights_that_a_penalty_rules_from_the_start_do_not_explode():
    assert only(run(chain(3), total=4.0, update=0.2)).cause_id == "stalled.regularised"
    grown = lambda s: 1.0 if s == 1 else 4.0  # noqa: E731  the updates made the penalty large
    assert only(run(chain(3), total=grown, update=0.2)).cause_id == "exploding.rate"


def test_a_small_penalty_has_not():
    assert run(chain(3), stop=400, total=1.5).findings == ()


def shrinking(step: int) -> float:
    return max(3.0 * math.exp(-step / 50), 0.6)  # to a fifth


def test_weights_that_weight_decay_has_shrunk_are_regularised_away():
    update = lambda s: 1e-3 * shrinking(s)  # noqa: E731
    finding = only(run(chain(3), stop=400, total=1.001, weight=shrinking, update=update))
    assert finding.cause_id == "stalled.regularised"
    assert finding.evidence["weight_size"] == pytest.approx(0.6 / shrinking(1), rel=1e-4)
    assert run(chain(3), stop=400, weight=shrinking, update=update).findings == ()  # no penalty


@pytest.mark.parametrize(("kept", "found"), [(0.1, True), (0.5, False)])
def test_dropout_of_nearly_all_units_is_read_off_the_probe(kept, found):
    structure = with_layer(chain(2), Layer("drop", "Dropout"))
    # Half of the units are zero before it already.
    seen = probe(structure, zero_share=[0.5, 0.5, 1.0 - 0.5 * kept])
    findings = run(structure, stop=400, seen=seen).findings
    assert [f.cause_id for f in findings] == ["stalled.regularised"] * found
    if found:
        assert findings[0].evidence["dropout_rate"] == pytest.approx(1.0 - kept)


@pytest.mark.parametrize(
    ("zeros", "deviation", "found"),
    [(0.95, 1.0 / math.sqrt(0.05), True), (0.95, 1.0, False), (0.5, math.sqrt(2.0), False)],
)
def test_dropout_of_nearly_all_inputs_is_told_from_inputs_of_zeros(zeros, deviation, found):
    plain = chain(2)
    layers = (Layer("drop", "Dropout"), *plain.layers)
    variables = tuple(dataclasses.replace(v, layer=v.layer + 1) for v in plain.variables)
    structure = dataclasses.replace(plain, layers=layers, variables=variables)
    seen = probe(structure, zero_share=zeros, output_mean=0.0, output_std=deviation)
    findings = run(structure, stop=400, seen=seen).findings
    assert [f.cause_id for f in findings] == ["stalled.regularised"] * found


@pytest.mark.parametrize(("stddev", "found"), [(20.0, True), (5.0, False)])
def test_noise_that_drowns_the_data_is_read_off_the_probe(stddev, found):
    structure = with_layer(chain(2), Layer("noise", "GaussianNoise"))
    out = [1.0, 0.5, math.hypot(0.5, 0.5 * stddev)]
    seen = probe(structure, output_mean=0.0, output_std=out)
    findings = run(structure, stop=400, seen=seen).findings
    assert [f.cause_id for f in findings] == ["stalled.regularised"] * found
    if found:
        assert findings[0].evidence["noise_ratio"] == pytest.approx(20.0)
        assert "noise 20 times as large as the data is added" in findings[0].cause
        assert "no GaussianNoise" in findings[0].remedies[0].snippet


def test_a_variable_that_is_thrown_to_and_fro_is_an_overshoot():
    finding = only(run(chain(3), stop=400, bias_update=0.5))
    assert finding.cause_id == "stalled.overshoot"
    assert finding.evidence["largest_update_ratio"] == pytest.approx(0.5)
    assert "by 50 % of its size" in finding.cause
    assert run(chain(3), stop=400, bias_update=0.2).findings == ()


@pytest.mark.parametrize(("samples", "found"), [(2, True), (32, False)])
def test_batch_normalisation_over_two_samples_is_named(samples, found):
    structure = with_layer(chain(2), Layer("bn", "BatchNormalization"))
    findings = run(structure, stop=400, seen=probe(structure, samples=samples)).findings
    assert [f.cause_id for f in findings] == ["stalled.normalisation"] * found
    assert all(f.evidence["batch_size"] == 2 for f in findings)


def test_two_samples_are_enough_without_batch_normalisation():
    assert run(chain(2), stop=400, seen=probe(chain(2), samples=2)).findings == ()


@pytest.mark.parametrize(
    ("shares", "found"),
    [([0.9, 0.1, 0.1], True), ([0.1, 0.7, 0.1], False), ([0.1, 0.1, 1.0], False)],
)
def test_hidden_layers_on_the_flat_part_of_their_activation_are_saturated(shares, found):
    structure = chain(3, "tanh", "linear")
    findings = run(structure, stop=400, seen=probe(structure, saturated_share=shares)).findings
    assert [f.cause_id for f in findings] == ["stalled.saturated"] * found
    if found:
        assert findings[0].evidence["saturated_share"] == pytest.approx(0.9)


def test_a_standstill_without_any_reason_is_found_only_after_four_times_as_long():
    assert run(chain(3), stop=990).findings == ()
    finding = only(run(chain(3), stop=1500))
    assert (finding.kind, finding.cause_id) == ("stalled", "stalled.labels")
    assert 1000 <= finding.since_step < 1050
    assert "labels may not belong to their inputs" in finding.cause
    assert [r.id for r in finding.remedies] == ["labels", "inputs"]


ENDED = {"stop": 300, "fits": ((1, 300),)}


def test_a_training_that_ends_without_progress_is_not_waited_for():
    finding = only(run(chain(3), **ENDED))
    assert (finding.kind, finding.cause_id) == ("stalled", "stalled.labels")
    assert (finding.since_step, finding.last_step) == (292, 292)  # logged last
    assert finding.cause.startswith("Training ended with the loss still at 1, 1 times that")
    assert run(chain(3), stop=300).findings == ()  # it goes on


@pytest.mark.parametrize("fits", [((1, 99),), ((1, 99), (100, 198), (199, 297))])
def test_short_fits_end_no_training(fits):
    assert run(chain(3), stop=fits[-1][1], fits=fits).findings == ()
    patient = Thresholds(stall_step=751)
    assert run(chain(3), **ENDED, thresholds=patient).findings == ()
    assert only(run(chain(3), stop=100, fits=((1, 100),))).kind == "stalled"


@pytest.mark.parametrize(("steps", "found"), [(100, False), (149, False), (150, True)])
def test_a_loss_that_may_take_off_soon_when_a_short_training_ends_is_left_alone(steps, found):
    drifts = lambda s: 1.03 - 0.05 * s / steps  # noqa: E731  stands still, but not out of reach
    series = {"loss": drifts, "stop": steps, "fits": ((1, steps),)}
    assert bool(run(chain(3), **series).findings) is found
    # That the first time steps are forgotten needs no more than either.
    (finding,) = run(recurrent_structure(), **series, seen=through_time(-9)).findings
    assert finding.evidence["through"] == "time"


@pytest.mark.parametrize("baseline", [1.0, math.nan])
def test_a_loss_that_creeps_when_training_ends_is_no_progress(baseline):
    creeps = lambda s: 3.0 * s**-0.1  # noqa: E731
    if math.isnan(baseline):
        creeps = lambda s: 1.0 + 0.5 * s if s < 10 else 8.0 * s**-0.1  # noqa: E731
    assert run(chain(3), stop=300, loss=creeps, norm=10.0, baseline=baseline).findings == ()
    finding = only(run(chain(3), loss=creeps, norm=10.0, baseline=baseline, **ENDED))
    assert (finding.kind, finding.cause_id) == ("stalled", "stalled.creeping")
    whither = "that." if baseline == 1.0 else "where it began."
    assert finding.cause.endswith(f"half as many steps again would not bring it below {whither}")
    assert [r.id for r in finding.remedies] == ["raise", "standardise", "adaptive"]


def noisy(seed: int, level: float):
    """A loss about ``level`` whose batches differ by a tenth of it."""
    return lambda step: level * (1.0 + 0.1 * np.random.default_rng((seed, step)).normal())


@pytest.mark.parametrize("seed", range(20))
def test_noise_between_batches_is_no_progress_when_training_ends(seed):
    finding = only(run(chain(3), loss=noisy(seed, 1.03), norm=10.0, **ENDED))
    assert finding.kind == "stalled"


@pytest.mark.parametrize("seed", range(20))
def test_noise_between_batches_does_not_hide_that_a_loss_fell(seed):
    high, low = noisy(seed, 2.0), noisy(seed, 0.93)
    falls = lambda s: high(s) if s < 60 else low(s)  # noqa: E731
    assert run(chain(3), loss=falls, norm=10.0, **ENDED).findings == ()


def test_a_loss_on_its_way_below_the_baseline_when_training_ends_is_left_alone():
    falls = lambda s: 2.6 - 0.005 * s  # noqa: E731  1.1 at the end, 1.85 at half the time
    assert run(chain(3), loss=falls, norm=10.0, **ENDED).findings == ()


def test_a_training_that_ended_with_some_progress_is_left_alone():
    assert run(chain(3), loss=lambda s: 1.0 - 0.1 * (s > 250), **ENDED).findings == ()
    assert run(chain(3), loss=learning, **ENDED).findings == ()


LEARNS_LITTLE = {"loss": lambda s: 1.0 - 0.0003 * s, **ENDED}
"""0.91 of the baseline at the end, 0.93 over the latter half of the steps."""


@pytest.mark.parametrize(
    ("held", "found"),
    [
        ((1.0, 1.0, 1.01), True),
        ((1.02, 1.01, 1.0), True),  # falls to 0.985
        ((2.0, 1.5, 1.1), False),  # falls to 0.7 in half as many steps again
        ((1.0, 0.99, 0.97), False),
        ((1.0, 1.0, math.nan), True),  # of the second epoch, which is late enough
        ((1.0,), False),  # nothing to compare it with, and long ago
        ((), False),
    ],
)
def test_what_does_not_hold_for_held_back_data_is_no_progress(held, found):
    validations = tuple(zip((100, 200, 300), held, strict=False))
    health = run(chain(3), **LEARNS_LITTLE, validations=validations)
    assert [f.cause_id for f in health.findings] == ["stalled.validation"] * found
    if found:
        (finding,) = health.findings
        assert finding.evidence["validation_loss"] == [h for h in held if h == h][-1]
        assert "on validation data it is 1" in finding.cause
        assert finding.remedies[0].id == "labels"


def test_held_back_data_need_not_do_better_where_the_training_does():
    validations = ((150, 1.0), (300, 2.0))
    assert run(chain(3), loss=learning, **ENDED, validations=validations).findings == ()


def test_a_penalty_is_no_part_of_the_loss_of_held_back_data():
    held = {"validations": ((150, 1.15), (300, 1.15))}
    with_penalty = lambda s: 1.2 - 0.0003 * s  # noqa: E731
    assert run(chain(3), **LEARNS_LITTLE, total=with_penalty, **held).findings == ()
    assert run(chain(3), **LEARNS_LITTLE, **held).findings != ()


def test_a_short_training_ends_with_more_than_held_back_data_to_show():
    for steps, found in ((100, False), (150, True)):
        falls = lambda s, steps=steps: 1.0 - 0.09 * s / steps  # noqa: E731
        held = ((steps // 2, 1.0), (steps, 1.0))
        health = run(chain(3), stop=steps, fits=((1, steps),), loss=falls, validations=held)
        assert bool(health.findings) is found


def test_a_loss_of_ones_own_compares_with_labels_where_data_are_held_back():
    own = chain(3, loss="my_loss")
    assert run(own, **ENDED, **UNKNOWN).findings == ()
    held = ((150, 1.0), (300, 1.0))
    assert only(run(own, **ENDED, **UNKNOWN, validations=held)).kind == "stalled"
    # Without any loss that the model has, as of games between networks, it says nothing.
    assert run(chain(3, loss=None), **ENDED, **UNKNOWN, validations=held).findings == ()


@pytest.mark.parametrize(
    ("kind", "series"), [("slow", TINY), ("dead", {"norm": lambda s: float(s < 5)})]
)
def test_where_another_finding_says_why_the_end_adds_nothing(kind, series):
    assert only(run(chain(3), **ENDED, **series)).kind == kind


def test_what_the_end_of_a_fit_told_stays_until_a_further_fit_makes_progress():
    fits = ((1, 300),)
    assert only(run(chain(3), stop=600, fits=fits)).active
    late = lambda s: 1.0 if s < 500 else 0.1  # noqa: E731
    assert not only(run(chain(3), stop=800, fits=fits, loss=late)).active


@pytest.mark.parametrize(("loss", "series"), [(2.0, {}), (1.0, UNKNOWN)])
def test_a_standstill_elsewhere_than_at_the_baseline_is_a_plateau(loss, series):
    finding = only(run(chain(3), stop=1500, loss=loss, norm=10.0, **series))
    assert finding.cause_id == "stalled.plateau"


def test_a_standstill_with_updates_that_became_small_is_blamed_on_the_rate():
    decayed = lambda s: 1e-2 if s < 50 else 1e-5  # noqa: E731
    assert only(run(chain(3), stop=1500, update=decayed)).cause_id == "stalled.rate"


def test_a_loss_that_still_falls_has_not_stalled():
    falls = lambda s: 5.0 * s**-0.1  # noqa: E731  by 7 % when time doubles, and stays above 1
    still = lambda s: 5.0 * s**-0.02  # noqa: E731  by 1.4 %
    assert run(chain(3), stop=2000, loss=falls, norm=10.0).findings == ()
    assert only(run(chain(3), stop=2000, loss=still, norm=10.0)).kind == "stalled"


def test_a_loss_a_little_below_the_baseline_has_not_stalled():
    falls_a_little = lambda s: 1.0 if s < 5 else 0.95  # noqa: E731
    assert run(chain(3), stop=1500, loss=falls_a_little).findings == ()


def test_stalled_waits_for_its_step_even_with_a_reason():
    thrown = {"bias_update": 0.5}
    assert run(chain(3), stop=249, **thrown).findings == ()
    at_once = run(chain(3), stop=140, thresholds=Thresholds(stall_step=100), **thrown)
    assert only(at_once).since_step < 110  # before ``slow_step``
    early = run(chain(3), stop=249, thresholds=Thresholds(stall_step=200), **thrown)
    assert 200 <= only(early).since_step < 220


def test_stalled_heals_when_the_loss_takes_off():
    takes_off = lambda s: 1.0 if s < 600 else 0.5  # noqa: E731
    finding = only(run(chain(3), stop=1500, loss=takes_off, total=4.0))
    assert (finding.cause_id, finding.active) == ("stalled.regularised", False)
    assert 550 < finding.last_step < 800


# ------------------------------------------------------------------------------------ through time


def through_time(first: float, last: float = 0.0, radius: float | None = 0.5):
    """A probe with norms from 10 ** first at the first time step to 10 ** last at the last."""
    known = {} if radius is None else {0: radius}
    norms = np.logspace(first, last, 30).astype(np.float32)
    return probe(recurrent_structure(), through_time={0: norms}, radius=known)


def test_a_gradient_that_fades_through_time_is_vanishing_where_the_loss_stands_still():
    finding = only(run(recurrent_structure(), seen=through_time(-9)))
    assert (finding.kind, finding.severity) == ("vanishing", "critical")
    assert (finding.cause_id, finding.layers) == ("vanishing.time", ("rnn",))
    assert 150 <= finding.since_step < 160
    assert finding.evidence["through"] == "time"
    assert finding.evidence["attenuation_decades"] == pytest.approx(9, abs=1e-4)
    assert finding.evidence["worst_layer"] == "rnn"
    assert finding.evidence["spectral_radius"] == 0.5
    assert "spectral radius 0.5" in finding.cause
    assert [r.id for r in finding.remedies] == ["pool", "orthogonal", "gated"]
    assert "return_sequences=True,\n)\npool = keras.layers.Global" in finding.remedies[0].snippet


CREEPS = {"loss": lambda s: 3.0 * s**-0.1, "norm": 10.0}
"""A loss that does not stand still, but leads nowhere."""


def test_a_training_that_ends_without_progress_and_forgets_has_vanished_through_time():
    structure, seen = recurrent_structure(), through_time(-9)
    found = run(structure, **CREEPS, **ENDED, seen=seen)
    finding = only(found)
    assert (finding.cause_id, finding.since_step) == ("vanishing.time", 292)
    assert only(run(structure, **CREEPS, **ENDED, seen=through_time(-7))).kind == "stalled"
    assert run(structure, **CREEPS, stop=300, seen=seen).findings == ()  # it goes on
    later = only(run(structure, **CREEPS, stop=600, fits=((1, 300),), seen=seen))
    assert (later.cause_id, later.active) == ("vanishing.time", True)


@pytest.mark.parametrize(
    ("series", "cause"),
    [
        ({"total": 3.0}, "stalled.regularised"),  # which is known, whatever is forgotten
        ({"bias_update": 0.5}, "vanishing.time"),  # while an overshoot may come of it
        ({"update": lambda s: 1e-2 if s < 50 else 1e-5}, "stalled.rate"),
    ],
)
def test_what_else_may_hold_up_a_training_that_forgets(series, cause):
    seen = through_time(-9)
    thresholds = Thresholds(slow_step=100_000)  # which would not wait for the end
    ended = run(recurrent_structure(), **series, **ENDED, seen=seen, thresholds=thresholds)
    assert only(ended).cause_id == cause


def test_through_depth_is_told_from_through_time():
    finding = only(run(chain(10, "sigmoid"), norm=FADING))
    assert finding.evidence["through"] == "depth"


def test_forgetting_is_told_of_the_layer_in_which_it_is_whatever_the_finding_named_before():
    """Through depth a constant output names the head alone."""
    rnn = recurrent_structure()
    head = dataclasses.replace(rnn.layers[1], activation="softmax")
    structure = dataclasses.replace(rnn, layers=(rnn.layers[0], head))
    comes_back = lambda s: 1e-9 if s < 200 else 1.0  # noqa: E731
    finding = only(run(structure, stop=600, norm=comes_back, seen=through_time(-9)))
    assert "head" in finding.layers
    assert (finding.cause_id, finding.evidence["worst_layer"]) == ("vanishing.time", "rnn")


def test_gated_layers_have_no_spectral_radius_to_tell():
    finding = only(run(recurrent_structure("LSTM"), seen=through_time(-9, radius=None)))
    assert finding.cause_id == "vanishing.time"
    assert "spectral_radius" not in finding.evidence
    assert "radius" not in finding.cause


def test_a_zero_at_the_first_time_step_is_as_faint_as_float32_can_tell():
    norms = np.array([0.0, 1e-3, 1.0], np.float32)
    seen = probe(recurrent_structure(), through_time={0: norms})
    finding = only(run(recurrent_structure(), seen=seen))
    assert 40 < finding.evidence["attenuation_decades"] < 50


def test_masked_time_steps_are_left_out():
    norms = np.array([np.nan, np.nan, 1e-9, np.nan, 1e-3, 1.0, np.nan], np.float32)
    seen = probe(recurrent_structure(), through_time={0: norms})
    finding = only(run(recurrent_structure(), seen=seen))
    assert finding.cause_id == "vanishing.time"
    assert finding.evidence["attenuation_decades"] == pytest.approx(9, abs=1e-4)
    assert finding.evidence["first_step_norm"] == pytest.approx(1e-9)
    assert finding.evidence["last_step_norm"] == 1.0


@pytest.mark.parametrize("norms", [[0.0, 0.0], [np.nan, np.nan], [np.inf, 1.0], []])
def test_norms_through_time_that_tell_nothing_are_ignored(norms):
    seen = probe(recurrent_structure(), through_time={0: np.array(norms, np.float32)})
    assert run(recurrent_structure(), seen=seen).findings == ()


def falling_slowly(step: int) -> float:
    return 1.5 * step**-0.06  # to 1.1, by 4 % when time doubles


@pytest.mark.parametrize(
    ("seen", "series"),
    [
        (None, {}),
        (through_time(-7.5), {}),
        (through_time(-9), {"loss": learning}),
        (through_time(-9), {"loss": falling_slowly}),
        (through_time(-9), {"stop": 149}),
    ],
    ids=["no probe", "3.5 decades", "progress", "still falls", "early"],
)
def test_healthy_recurrent_layers_forget_too(seen, series):
    assert run(recurrent_structure(), seen=seen, **series).findings == ()


def test_a_gradient_that_grows_through_time_is_exploding():
    finding = only(run(recurrent_structure(), seen=through_time(4, radius=1.6)))
    assert (finding.kind, finding.severity) == ("exploding", "critical")
    assert (finding.cause_id, finding.layers) == ("exploding.time", ("rnn",))
    assert 20 <= finding.since_step < 25
    assert (finding.evidence["sign"], finding.evidence["through"]) == ("time", "time")
    assert finding.evidence["time_growth_decades"] == pytest.approx(4, abs=1e-4)
    assert "grows by 4 decades on its way back to the first time step of rnn" in finding.cause
    assert "spectral radius 1.6" in finding.cause
    assert finding.remedies[0].id == "orthogonal"


@pytest.mark.parametrize(
    ("decades", "series"), [(2.5, {}), (4, {"loss": learning}), (4, {"stop": 19})]
)
def test_growth_through_time_is_judged_settled_and_without_progress(decades, series):
    assert run(recurrent_structure(), seen=through_time(decades), **series).findings == ()


def test_growth_through_time_is_told_of_the_layer_in_which_it_is():
    """An earlier sign may have named other layers of the same finding: here the head grew most."""
    high = lambda s: 50.0 if 1 < s < 40 else 1.0  # noqa: E731
    norm = lambda s: [1.0, 1.0 if s == 1 else 1e3]  # noqa: E731
    structure = recurrent_structure()
    finding = only(run(structure, seen=through_time(4), loss=high, norm=norm))
    assert "head" in finding.layers
    assert finding.evidence["sign"] == "time"
    assert "4 decades" in finding.cause
    assert finding.evidence["worst_layer"] == "rnn"


# ---------------------------------------------------------------------------------- all together


def everything_found() -> list[Finding]:
    rnn, relu = recurrent_structure(), chain(3, "relu", loss="binary_crossentropy")
    blank = probe(chain(3))
    runs = [
        run(chain(3), **TINY),
        run(chain(3), seen=blank, **FAR),
        run(chain(3), stop=1500, seen=blank),
        run(chain(3), stop=1500, loss=2.0, norm=10.0),
        run(chain(3), stop=1500, update=math.nan, weight=math.nan, **UNKNOWN),
        run(relu, seen=blank),
        run(chain(3), stop=400, total=4.0),
        run(chain(3), stop=400, bias_update=0.5, rate=math.nan),
        run(chain(3), **LEARNS_LITTLE, validations=((150, 1.0), (300, 1.0))),
        run(rnn, seen=through_time(-9, radius=math.nan)),
        run(rnn, seen=through_time(4, radius=None)),
    ]
    return [only(health) for health in runs]


def test_findings_are_plain_json_without_nan_and_each_cause_has_its_remedies():
    findings = everything_found()
    assert len({f.cause_id for f in findings}) >= 8
    for finding in findings:
        text = json.dumps(finding.to_dict(), allow_nan=False)
        assert Finding.from_dict(json.loads(text)) == finding
        assert "nan" not in finding.cause.lower()
        assert {r.id for r in finding.remedies} == set(remedies.PLAN[finding.cause_id])
