"""Why a finding holds: causes that go by the initial weights, the data, the widths and gamma."""

from __future__ import annotations

import contextlib
import dataclasses
import math
from typing import Any

import keras
import numpy as np
import pytest

from tb_gradplugin.health import facts, remedies, vanishing
from tb_gradplugin.health.judge import Judge, judge_run
from tb_gradplugin.health.report import RunHealth, joined
from tb_gradplugin.health.thresholds import Thresholds
from tb_gradplugin.structure import Layer, ModelStructure, Variable
from tests.rule_series import (
    FADING,
    broken,
    chain,
    learning,
    point,
    probe,
    recurrent_structure,
    run,
    with_layer,
    with_second_layer,
)

FADES = [10.0 ** (i - 5) for i in range(6)]
"""Gradient norms of six layers, a decade a layer toward the input."""


def drawn_by(initialiser: str, structure: ModelStructure) -> ModelStructure:
    layers = tuple(dataclasses.replace(x, initializer=initialiser) for x in structure.layers)
    return dataclasses.replace(structure, layers=layers)


@pytest.mark.parametrize(
    ("activation", "initialiser", "by"),
    [
        ("relu", keras.initializers.HeNormal(0), "He"),
        ("elu", keras.initializers.HeUniform(0), "He"),
        ("tanh", keras.initializers.GlorotNormal(0), "Glorot"),
        (None, keras.initializers.GlorotUniform(0), "Glorot"),
        ("selu", keras.initializers.LecunNormal(0), "LeCun"),
    ],
)
@pytest.mark.parametrize("shape", [(200, 300), (3, 3, 40, 60)])
def test_the_expected_deviation_is_that_of_kerass_own_initialisers(
    activation, initialiser, by, shape
):
    structure = ModelStructure(
        (Layer("a", "Dense", activation),), (Variable("a/kernel", 0, "kernel", shape),)
    )
    name, expected = facts.expected_deviation(structure, 0)
    assert name == by
    assert expected == pytest.approx(float(np.std(initialiser(shape))), rel=0.02)


def test_a_recurrent_kernel_is_held_against_an_orthogonal_matrix():
    kernel = np.asarray(keras.initializers.Orthogonal(seed=0)((32, 96)))  # of a GRU
    structure = ModelStructure(
        (Layer("a", "GRU", "tanh"),), (Variable("a/r", 0, "recurrent_kernel", (32, 96)),)
    )
    expected = facts.expected_deviation(structure, 0)[1]
    assert expected == pytest.approx(float(np.sqrt(np.mean(kernel**2))), rel=1e-5)


def test_what_is_no_matrix_has_no_expected_deviation():
    structure = ModelStructure((Layer("a", "Mine"),), (Variable("a/w", 0, "kernel", (5,)),))
    assert math.isnan(facts.expected_deviation(structure, 0)[1])


def test_weights_that_start_too_small_are_named_with_what_was_expected():
    # 8 x 8 behind ReLU: He asks for 0.5, so for a norm of 4.
    structure = drawn_by("RandomNormal(stddev=0.05)", chain(6))
    (finding,) = run(structure, norm=FADES, weight=[4.0, 4.0, 4.0, 4.0, 0.4, 4.0]).findings
    assert finding.cause_id == "vanishing.depth"  # those named start as they should
    (finding,) = run(structure, norm=FADES, weight=0.4).findings
    assert finding.cause_id == "vanishing.initialiser"
    assert finding.evidence["initial_deviation"] == pytest.approx(0.05, rel=1e-5)
    assert finding.evidence["expected_deviation"] == pytest.approx(0.5, rel=1e-5)
    assert (finding.evidence["expected_by"], finding.evidence["start_layer"]) == ("He", "d0")
    assert "by RandomNormal(stddev=0.05), start with deviation 0.05, where He" in finding.cause


def test_a_slightly_small_start_adds_up_over_many_layers():
    fades = [10.0 ** (0.15 * (i - 39)) for i in range(40)]
    glorot = math.sqrt(2 / 16) * 8.0  # behind ReLU 0.7 of what He asks for
    (finding,) = run(chain(40), norm=fades, weight=glorot).findings
    assert finding.cause_id == "vanishing.deep_initialiser"
    assert [r.id for r in finding.remedies] == ["residual", "initialiser", "normalise"]
    assert finding.evidence["start_decades"] == pytest.approx(40 * math.log10(2**0.5), rel=1e-4)


def test_tanh_is_to_blame_unless_the_weights_start_too_small_to_saturate_it():
    tanh = lambda weight: run(chain(6, "tanh"), norm=FADES, weight=weight).findings[0].cause_id  # noqa: E731
    assert tanh(0.2) == "vanishing.initialiser"
    assert tanh(2.8) == "vanishing.saturating"
    sigmoid = run(chain(6, "sigmoid"), norm=FADES, weight=0.2).findings[0]
    assert sigmoid.cause_id == "vanishing.saturating"


def test_a_run_that_was_resumed_tells_nothing_of_its_initial_weights():
    structure = chain(6)
    records = [point(structure, step, norm=FADES, weight=0.4) for step in range(500, 560)]
    (finding,) = judge_run(structure, records).findings
    assert "initial_deviation" not in finding.evidence
    assert finding.cause_id == "vanishing.depth"


def narrow(layers: int, width: int) -> ModelStructure:
    structure = chain(layers)
    shape = {"kernel": (width, width), "bias": (width,)}
    variables = tuple(dataclasses.replace(v, shape=shape[v.role]) for v in structure.variables)
    return dataclasses.replace(structure, variables=variables)


@pytest.mark.parametrize(("width", "cause"), [(4, "narrow"), (64, "depth")])
def test_deep_and_narrow_relu_layers_vanish_by_chance(width, cause):
    fades = [10.0 ** (i - 11) for i in range(12)]
    weight = math.sqrt(2.0 * width)  # as He asks for
    (finding,) = run(narrow(12, width), norm=fades, weight=weight).findings
    assert finding.cause_id == f"vanishing.{cause}"
    if cause == "narrow":
        assert finding.evidence["inverse_width_sum"] == pytest.approx(12 / 4)


def with_gamma(structure: ModelStructure) -> ModelStructure:
    n = len(structure.layers)
    return dataclasses.replace(
        structure,
        layers=(*structure.layers, Layer("norm", "BatchNormalization")),
        variables=(*structure.variables, Variable("norm/gamma", n, "scale", (16,))),
    )


@pytest.mark.parametrize(("size", "cause"), [(0.01, "vanishing.gamma"), (1.0, "vanishing.depth")])
def test_a_gamma_near_zero_is_why_nothing_comes_through(size, cause):
    structure = with_gamma(chain(6))
    (finding,) = run(structure, norm=[*FADES, 1.0], weight=[4.0] * 6 + [4.0 * size]).findings
    assert finding.cause_id == cause
    if size < 1.0:
        assert finding.evidence["gamma"] == pytest.approx(size, rel=1e-4)
        assert "norm multiplies by a gamma of size 0.01" in finding.cause


def test_a_gamma_near_zero_can_hold_up_a_run():
    structure = with_gamma(chain(3))
    weight = [4.0, 4.0, 4.0, 0.04]
    (finding,) = run(structure, stop=600, weight=weight, update=0.004).findings
    assert (finding.cause_id, finding.kind) == ("stalled.normalisation", "stalled")


def test_weights_that_start_too_large_by_a_scale_are_told_from_an_initialiser_without_one():
    grows = [10.0 ** (0.6 * (5 - i)) for i in range(6)]
    scaled = drawn_by("VarianceScaling(scale=50)", chain(6))
    (finding,) = run(scaled, norm=grows, weight=28.0).findings
    assert (finding.cause_id, finding.evidence["sign"]) == ("exploding.scale", "depth")
    assert finding.evidence["initial_deviation"] == pytest.approx(3.5, rel=1e-4)
    careless = drawn_by("RandomNormal(stddev=3.5)", chain(6))
    (finding,) = run(careless, norm=grows, weight=28.0).findings
    assert finding.cause_id == "exploding.initialiser"
    assert "where He asks for 0.5" in finding.cause


@pytest.mark.parametrize(
    ("batch", "loss", "found"),
    [
        ({}, "mse", None),
        ({"inputs": (0.0, 60.0, 150.0)}, "mse", "inputs"),
        ({"inputs": (120.0, 1.0, 122.0)}, "mse", "inputs"),
        ({"inputs": (0.0, 0.5, 900.0)}, "mse", "inputs"),
        ({"targets": (300.0, 20.0, 350.0)}, "mse", "targets"),
        ({"targets": (300.0, 20.0, 350.0)}, "sparse_categorical_crossentropy", None),
    ],
)
def test_updates_blow_up_on_data_that_is_not_scaled(batch, loss, found):
    structure = chain(3, loss=loss)
    rises = lambda step: min(1.5**step, 1e6)  # noqa: E731
    (finding,) = run(structure, loss=rises, seen=probe(structure, **batch)).findings
    assert finding.cause_id == ("exploding.data" if found else "exploding.rate")
    assert finding.evidence.get("unscaled") == found
    if found:
        assert f"on {found} of size" in finding.cause
        assert finding.remedies[0].id == "inputs"


@pytest.mark.parametrize(
    ("optimizer", "rate", "update", "weight", "cause"),
    [
        ("SGD", 0.01, 50.0, 4.0, "gradient"),
        ("SGD", float(np.float32(0.1)), 50.0, 4.0, "gradient"),  # ten times the usual
        ("SGD", 0.2, 50.0, 4.0, "rate"),  # the rate is far above the usual
        ("SGD", 0.01, 3.0, 4.0, "rate"),  # lowered, an update is less than the weights
        ("Adam", 1e-3, 50.0, 4.0, "rate"),  # which does not go by the gradient's size
        ("SGD", 0.01, 300.0, 28.0, "scale"),  # seven times what He asks for
    ],
)
@pytest.mark.parametrize("sign", ["update", "blow_up"])
def test_updates_that_no_usual_rate_makes_small_enough(
    optimizer, rate, update, weight, cause, sign
):
    structure = chain(3, optimizer=optimizer)
    series: dict[str, Any] = {}
    if sign == "blow_up":
        series = {
            "norm": lambda s: 10.0 ** min(s, 8),
            "loss": lambda s: 10.0**s if s < 8 else math.nan,
        }
    found = run(structure, weight=weight, update=update, rate=rate, **series).findings
    (finding,) = (f for f in found if f.kind == "exploding")
    assert (finding.cause_id, finding.evidence["sign"]) == (f"exploding.{cause}", sign)
    if cause == "gradient":
        assert "too large for any usual rate" in finding.cause
        assert [r.id for r in finding.remedies] == ["normalise", "clip", "lower"]
        assert "and clip the gradient" in finding.remedies[0].title
    if cause == "scale":
        assert "since weights of d0, by GlorotUniform, start with deviation 3.5" in finding.cause


def test_what_is_large_from_the_start_though_the_weights_are_not_is_not_the_initialisers_fault():
    series = {"loss": 1e3, "norm": 1e5}
    (finding,) = run(chain(3), weight=4.0, **series).findings
    assert (finding.cause_id, finding.evidence["sign"]) == ("exploding.scale", "start")
    assert "add up or multiply too much" in finding.cause
    careless = drawn_by("RandomNormal(stddev=1)", chain(3))
    assert run(careless, weight=8.0, **series).findings[0].cause_id == "exploding.initialiser"
    (steep,) = run(chain(3, "exponential"), weight=4.0, **series).findings
    assert steep.cause_id == "exploding.steep"


def test_weights_that_were_thrown_to_where_the_loss_is_large_did_not_start_there():
    structure = chain(3, optimizer="SGD")
    thrown = lambda step: 4.0 if step < 5 else 40.0  # noqa: E731
    loss = lambda step: 1.0 if step < 5 else 100.0  # noqa: E731
    (finding,) = run(
        structure, weight=thrown, loss=loss, norm=1e4, rate=20.0, thresholds=NEVER_GREW
    ).findings
    assert (finding.cause_id, finding.evidence["sign"]) == ("exploding.rate", "start")
    assert "have thrown the weights to 10 times their size" in finding.cause


NEVER_GREW = Thresholds(loss_growth=1e9)


@pytest.mark.parametrize("kind", ["Rescaling", "Normalization", "BatchNormalization"])
def test_a_model_that_scales_its_inputs_itself_may_have_them_of_any_size(kind):
    structure = chain(3)
    scaled = dataclasses.replace(
        structure,
        layers=(Layer("scaler", kind), *structure.layers),
        variables=tuple(dataclasses.replace(v, layer=v.layer + 1) for v in structure.variables),
    )
    rises = lambda step: min(1.5**step, 1e6)  # noqa: E731
    batch = {"inputs": (120.0, 60.0, 255.0)}
    for of, cause in ((structure, "exploding.data"), (scaled, "exploding.rate")):
        (finding,) = run(of, loss=rises, seen=probe(of, **batch)).findings
        assert finding.cause_id == cause


def test_a_second_fault_is_mended_together_with_the_first():
    structure = chain(6, "sigmoid", head="linear")
    data = {"unscaled": "inputs", "data_size": 200.0}
    (alone,) = run(structure, norm=FADES, seen=probe(structure)).findings
    seen = probe(structure, inputs=(0.0, 200.0, 500.0))
    (both,) = run(structure, norm=FADES, seen=seen).findings
    assert alone.cause_id == both.cause_id == "vanishing.saturating"
    assert both.evidence == {**alone.evidence, **data}
    first, *others = both.remedies
    assert (first.id, others) == (alone.remedies[0].id, list(alone.remedies[1:]))
    assert "scale inputs and targets" in first.title.lower()
    assert "scale" not in alone.remedies[0].title.lower()
    assert first.snippet.startswith(alone.remedies[0].snippet)


@pytest.mark.parametrize(
    ("cause", "rate", "evidence", "together"),
    [
        ("exploding.initialiser", 0.1, {}, ("lower",)),  # 100 times Adam's default
        ("exploding.initialiser", 0.02, {}, ()),
        ("exploding.initialiser", math.nan, {}, ()),
        ("exploding.recurrent", 0.02, {}, ("clip",)),  # 20 times: slowed down as well
        ("exploding.recurrent", 1e-3, {}, ("clip",)),
        ("exploding.initialiser", 1e-4, {}, ("raise",)),  # a tenth of the usual
        ("dead.died", 0.1, {"poor_start": 9.0}, ("initialiser",)),
        ("exploding.rate", 0.1, {}, ()),  # lowered already
        ("vanishing.saturating", 0.1, {}, ()),  # not thrown anywhere
        ("nonfinite.output", 0.1, {}, ()),  # likewise
        ("nonfinite.logarithm", 0.1, {}, ("lower",)),
        ("dead.data", 0.1, {"unscaled": "inputs"}, ("lower",)),  # scaled already
        ("vanishing.saturating", 1e-3, {"output_mismatch": "relu"}, ("output",)),
        ("nonfinite.output", 1e-3, {"output_mismatch": "relu"}, ()),  # replaced already
        ("dead.relu_head", 1e-3, {"output_mismatch": "relu"}, ()),  # replaced already
        ("nonfinite.forward", 0.1, {"unscaled": "inputs"}, ()),  # a search
        ("slow.rate", 1e-5, {"unscaled": "targets"}, ("inputs",)),
    ],
)
def test_what_goes_with_the_first_remedy(cause, rate, evidence, together):
    assert remedies.companions(cause, chain(3), remedies.Pace(rate), evidence) == together


@pytest.mark.parametrize(
    ("cause", "rate", "together"),
    [
        ("vanishing.saturating", 0.1, ("clip",)),
        ("vanishing.saturating", 0.05, ("clip",)),
        ("vanishing.saturating", 0.02, ()),
        ("vanishing.depth", 1e-3, ("raise",)),
        ("vanishing.depth", 0.01, ("clip",)),  # sums of branches are large at any rate
        ("vanishing.depth", 0.1, ("clip",)),
        ("exploding.gradient", 0.01, ("clip",)),
        ("exploding.initialiser", 0.1, ("clip",)),
        ("exploding.initialiser", 1.0, ("lower",)),
        ("exploding.data", 0.1, ("clip",)),
        ("exploding.data", 0.01, ()),
    ],
)
def test_plain_gradient_descent_is_clipped_where_the_model_changes(cause, rate, together):
    sgd = chain(3, optimizer="SGD")
    assert remedies.companions(cause, sgd, remedies.Pace(rate), {}) == together


@pytest.mark.parametrize(
    ("optimizer", "rate", "first"),
    [
        ("SGD", 0.01, "adaptive"),
        ("Adam", 1e-3, "labels"),
        ("RMSprop", 5e-3, "labels"),
        ("Adam", 0.1, "adaptive"),
        ("Adam", math.nan, "adaptive"),
    ],
)
def test_nobody_is_told_to_use_what_he_uses(optimizer, rate, first):
    structure, pace = chain(3, optimizer=optimizer), remedies.Pace(rate)
    order = remedies.plan("stalled.plateau", structure, pace)
    assert order[0] == first
    assert sorted(order) == sorted(remedies.PLAN["stalled.plateau"])
    assert remedies.plan("slow.gradient", structure, pace)[0] == "adaptive"  # made anew


def test_layers_that_are_normalised_or_a_single_one_are_not_to_be_normalised():
    pace = remedies.Pace(0.01)
    first = lambda structure: remedies.plan("exploding.gradient", structure, pace)[0]  # noqa: E731
    assert (
        first(chain(3)) == first(with_layer(chain(3), Layer("n", "Normalization"))) == "normalise"
    )
    for structure in (chain(1), with_layer(chain(3), Layer("n", "LayerNormalization"))):
        assert first(structure) == "clip"


@pytest.mark.parametrize(("rate", "new"), [(0.02, 0.001), (0.01, 0.01), (0.001, 0.001)])
def test_clipping_slows_down_what_is_more_than_ten_times_the_default(rate, new):
    found = remedies.remedies("exploding.recurrent", chain(3), [1], remedies.Pace(rate), {})
    assert f"learning_rate={new}, global_clipnorm=1.0" in found[0].snippet


def test_what_vanishes_through_time_is_not_left_to_plain_gradient_descent():
    for optimizer, together in (("SGD", ("adaptive",)), ("Adam", ())):
        structure = chain(3, optimizer=optimizer)
        pace = remedies.Pace(remedies.usual_rate(structure))
        assert remedies.companions("vanishing.time", structure, pace, {}) == together


def test_the_rate_that_goes_with_another_remedy_is_not_that_of_the_sick_model():
    pace = remedies.Pace(0.05, 1e5)
    structure = chain(3, optimizer="SGD")
    found = remedies.remedies("exploding.data", structure, [0, 1], pace, {"unscaled": "inputs"})
    assert [r.id for r in found] == list(remedies.PLAN["exploding.data"])
    assert "learning_rate=0.05, global_clipnorm=1.0" in found[0].snippet
    assert "learning_rate=0.001, momentum=0.9)" in found[1].snippet


@pytest.mark.parametrize(("start", "cause"), [(3.0, "recurrent"), (1.2, "died")])
def test_a_recurrent_layer_that_saturates_by_its_start(start, cause):
    structure = recurrent_structure()
    dies = lambda step: 1.0 if step < 3 else 0.0  # noqa: E731
    orthogonal = math.sqrt(32.0)  # norm of an orthogonal matrix of 32 units
    weight = lambda step: [start * orthogonal, 1.0]  # noqa: E731
    (finding,) = run(structure, norm=dies, weight=weight, seen=probe(structure)).findings
    assert finding.cause_id == f"dead.{cause}"
    times = finding.evidence.get("start_times_orthogonal")
    assert times == (pytest.approx(start) if cause == "recurrent" else None)


@pytest.mark.parametrize(("samples", "cause"), [(1, "normalisation"), (32, "output")])
def test_batch_normalisation_over_one_sample_leaves_nothing(samples, cause):
    structure = with_layer(chain(3, head="softmax"), Layer("bn", "BatchNormalization"))
    seen = probe(structure, samples=samples)
    (finding,) = run(structure, norm=0.0, loss=1.0, seen=seen).findings
    assert finding.cause_id == f"dead.{cause}"
    assert finding.evidence.get("batch_size") == (1 if cause == "normalisation" else None)


def test_units_that_died_on_data_that_is_not_scaled():
    structure = chain(3, head="linear")
    dies = lambda step: 1.0 if step < 30 else 0.0  # noqa: E731
    seen = probe(structure, inputs=(0.0, 200.0, 500.0))
    (finding,) = run(structure, norm=dies, seen=seen).findings
    assert (finding.cause_id, finding.evidence["unscaled"]) == ("dead.data", "inputs")
    (finding,) = run(structure, norm=dies, seen=probe(structure)).findings
    assert finding.cause_id == "dead.died"


@pytest.mark.parametrize(
    ("loss", "head", "cause"),
    [
        ("my_nll", "softmax", "logarithm"),
        ("LogLikelihood", "sigmoid", "logarithm"),
        ("my_nll", "softplus", "forward"),
        ("mse", "softmax", "forward"),
        ("categorical_crossentropy", "softmax", "forward"),  # Keras's own clips
        ("BinaryCrossentropy", "sigmoid", "forward"),
    ],
)
def test_a_loss_that_takes_the_logarithm_of_zero(loss, head, cause):
    breaks = lambda step: 1.0 if step < 5 else math.inf  # noqa: E731
    (finding,) = run(chain(3, head=head, loss=loss), stop=10, loss=breaks).findings
    assert finding.cause_id == f"nonfinite.{cause}"
    assert ("logarithm" in finding.evidence["arises_in"]) == (cause == "logarithm")


def test_a_recurrent_start_is_not_blamed_on_the_data():
    structure = recurrent_structure()
    seen = probe(structure, inputs=(0.0, 200.0, 500.0))
    (finding, *_) = run(structure, loss=50.0, norm=100.0, weight=10.0, seen=seen).findings
    assert finding.cause_id == "exploding.recurrent"


@pytest.mark.parametrize("dies", [1, 30])
def test_a_relu_at_the_end_that_gives_zero_for_every_input(dies):
    structure = chain(3, "tanh", head="relu")
    (finding,) = run(structure, norm=lambda step: 1.0 if step < dies else 0.0).findings
    assert finding.cause_id == "dead.relu_head"
    assert finding.remedies[0].title == "End without an activation"


@pytest.mark.parametrize(("growth", "cause"), [(9.0, "rate"), (1.5, "saturating")])
def test_updates_that_are_too_large_drive_tanh_to_where_it_is_flat(growth, cause):
    thrown = lambda step: 2.8 * (1.0 + (growth - 1.0) * min(step, 20) / 20)  # noqa: E731
    fades = [10.0 ** (i - 5) for i in range(6)]
    records = [point(chain(6, "tanh"), s, norm=fades, weight=thrown(s)) for s in range(1, 60)]
    finding = next(
        f for f in judge_run(chain(6, "tanh"), records).findings if f.kind != "exploding"
    )
    assert finding.cause_id == f"vanishing.{cause}"
    assert ("where tanh is flat" in finding.cause) == (cause == "rate")


@pytest.mark.parametrize("shape", [(0, 8), (8, 0), (0, 0)])
@pytest.mark.parametrize("role", ["kernel", "recurrent_kernel"])
def test_a_kernel_without_elements_is_passed_over(shape, role):
    structure = chain(7)
    empty = dataclasses.replace(structure.variables[0], shape=shape, role=role)
    structure = dataclasses.replace(structure, variables=(empty, *structure.variables[1:]))
    (finding,) = run(structure, norm=[math.nan, *FADES], weight=0.4).findings
    assert finding.cause_id == "vanishing.initialiser"
    assert finding.evidence["start_layer"] == "d1"


def test_a_relu_head_that_only_gets_no_input_is_not_to_blame():
    structure = chain(3, head="relu")
    dies = lambda s: 1.0 if s < 30 else 0.0  # noqa: E731
    bias = lambda s: [1.0, 1.0, 1.0] if s < 30 else [0.0, 0.0, 1.0]  # noqa: E731
    (finding,) = run(structure, norm=dies, bias=bias).findings
    assert finding.cause_id == "dead.died"


def test_layers_that_died_where_no_loss_is_known_were_not_faint_from_the_start():
    dies = lambda s: 1.0 if s < 30 else [0.0, 0.0, 1.0]  # noqa: E731
    unknown = {"loss": math.nan, "baseline": math.nan}
    (finding,) = run(chain(3, loss=None, head="linear"), 300, norm=dies, **unknown).findings
    assert finding.cause_id == "dead.died"


@pytest.mark.parametrize("loss", ["my_loss", None])
def test_labels_under_a_loss_that_is_not_known_are_no_targets(loss):
    structure = chain(3, loss=loss, head="softmax")
    dies = lambda s: 1.0 if s < 30 else 0.0  # noqa: E731
    seen = probe(structure, targets=(50.0, 28.0, 99.0))
    (finding,) = run(structure, norm=dies, seen=seen).findings
    assert finding.cause_id == "dead.died"


def test_inputs_that_are_not_finite_have_no_size():
    structure = chain(3, head="linear")
    dies = lambda s: 1.0 if s < 30 else 0.0  # noqa: E731
    seen = probe(structure, inputs=(math.inf, math.inf, math.inf))
    (finding,) = run(structure, norm=dies, seen=seen).findings
    assert finding.cause_id == "dead.died"


def test_a_negative_loss_that_regularisation_brings_to_zero_is_taken_in():
    assert run(chain(3), 30, loss=-1.0, total=0.0, baseline=math.nan).logged > 20


def test_a_part_of_a_run_with_nothing_logged_heals_nothing():
    sick = run(chain(6), norm=FADES)
    assert joined([sick, RunHealth()], ()) == sick


def test_a_rule_that_fails_while_it_explains_leaves_the_rest_of_the_report(monkeypatch):
    structure = chain(6)
    judge = Judge(structure)
    monkeypatch.setattr(vanishing, "explain", lambda *args: 1 / 0)
    for step in range(1, 60):
        with contextlib.suppress(ZeroDivisionError):
            judge.observe(point(structure, step, norm=FADES))
    assert judge.health().findings == ()
    assert judge.health().logged == 59


DIES = {"norm": lambda step: 1.0 if step < 30 else 0.0}


def parametrised(structure: ModelStructure) -> ModelStructure:
    layers = (dataclasses.replace(layer, parameters=72) for layer in structure.layers)
    return dataclasses.replace(structure, layers=tuple(layers))


@pytest.mark.parametrize(("first_loss", "found"), [(9.0, True), (7.0, False)])
@pytest.mark.parametrize("head", ["linear", "softmax"])
def test_logits_that_are_taken_for_probabilities(head, first_loss, found):
    loss = "categorical_crossentropy"
    structure = parametrised(chain(3, head=head, loss=loss))
    # Outputs of at most 3 over 8 units: as probabilities no loss above 6 + log 8 = 8.08.
    seen = dataclasses.replace(probe(structure, output_max=3.0), step=1)
    falls = lambda step: first_loss if step == 1 else 2.0  # noqa: E731
    (finding,) = run(structure, loss=falls, seen=seen, **DIES).findings
    improper = found and head == "linear"
    assert finding.cause_id == ("dead.mismatch" if improper else "dead.died")
    assert ("from_logits=True" in finding.cause) == improper
    assert finding.remedies[0].id == ("output" if improper else "lower")


def test_a_weighted_loss_proves_nothing_of_the_output():
    structure = parametrised(chain(3, head="linear", loss="categorical_crossentropy"))
    seen = dataclasses.replace(probe(structure, output_max=3.0), step=1)
    (finding,) = run(structure, loss=90.0, baseline=math.nan, seen=seen, **DIES).findings
    assert finding.cause_id == "dead.died"


def test_a_deep_rectified_stack_dies_as_a_whole():
    structure = chain(10)
    bias = lambda step: 1.0 if step < 30 else [0.0] * 7 + [1.0] * 3  # noqa: E731
    (finding,) = run(structure, bias=bias, **DIES).findings
    assert finding.cause_id == "dead.deep"
    assert finding.layers[0] == "d0"
    assert finding.remedies[0].id == "residual"
    first, *others = structure.layers
    normed = dataclasses.replace(first, type="BatchNormalization"), *others
    normed = dataclasses.replace(structure, layers=normed)
    (finding,) = run(normed, bias=bias, **DIES).findings
    assert finding.cause_id == "dead.died"
    assert finding.layers[0] == "d6"


def test_a_loss_that_rises_where_dropout_leaves_nothing_is_not_the_rates_fault():
    dropout = Layer("dropout", "Dropout")
    structure = with_second_layer(chain(3, head="softmax"), dropout)
    rises = lambda step: 1.0 if step < 5 else 50.0  # noqa: E731
    for share, cause in ((0.5, "exploding.rate"), (0.97, "exploding.dropout")):
        seen = probe(structure, zero_share=[0.0, share, 0.0, 0.0])
        (finding,) = run(structure, loss=rises, seen=seen).findings
        assert finding.cause_id == cause
    assert finding.evidence["dropout_rate"] == pytest.approx(0.97)
    assert finding.remedies[0].id == "weaken"


def test_a_penalty_that_outweighed_the_data_has_killed_the_units():
    total = lambda step: 9.0 if step < 30 else 1.0  # noqa: E731  of an activity regulariser
    (finding,) = run(chain(3, head="linear"), total=total, **DIES).findings
    assert finding.cause_id == "dead.regularised"
    assert finding.evidence["regularisation_share"] == pytest.approx(8 / 9, rel=1e-5)
    assert [r.id for r in finding.remedies] == ["weaken"]


def test_a_gamma_of_zero_lets_no_gradient_through():
    structure = chain(3, head="linear")
    norm = Layer("bn", "BatchNormalization")
    gamma = Variable("bn/gamma", 3, "scale", (8,))
    structure = dataclasses.replace(
        structure,
        layers=(*structure.layers, norm),
        variables=(*structure.variables, gamma),
    )
    weight = [1.0, 1.0, 1.0, 0.0]
    (finding,) = run(structure, norm=[0.0, 0.0, 0.0, 1.0], weight=weight).findings
    assert (finding.cause_id, finding.evidence["gamma"]) == ("dead.gamma", 0.0)
    assert finding.layers == ("d0", "d1", "d2")


def test_an_operation_without_a_gradient_is_named():
    structure = with_second_layer(chain(3, "tanh", head="linear"), Layer("sign", "Lambda"))
    norm = [0.0, 0.0, 1.0, 1.0]
    (finding,) = run(structure, norm=norm).findings
    assert (finding.cause_id, finding.evidence["between"]) == ("dead.blocked", ["sign"])
    assert finding.layers == ("d0",)
    assert "straight_through" in finding.remedies[0].snippet


@pytest.mark.parametrize(("parameters", "cause"), [(0, "dead.blocked"), (9, "dead.cut")])
def test_a_layer_without_weights_of_the_users_own_may_be_such_an_operation(parameters, cause):
    own = Layer("hook", "Hook", parameters=parameters, own=True)
    structure = with_second_layer(chain(3, "tanh", head="linear"), own)
    (finding,) = run(structure, norm=[0.0, 0.0, 1.0, 1.0]).findings
    assert finding.cause_id == cause


@pytest.mark.parametrize(
    ("own", "cause"), [(True, "vanishing.blocked"), (False, "vanishing.depth")]
)
def test_where_few_layers_lose_the_gradient_one_of_the_users_own_may(own, cause):
    structure = with_second_layer(
        chain(7, "relu", head="linear"), Layer("hook", "Hook" if own else "Flatten", own=own)
    )
    norms = [1e-9, *[1.0] * 7]
    (finding,) = run(drawn_by("HeNormal", structure), norm=norms).findings
    assert finding.cause_id == cause
    if own:
        assert finding.evidence["between"] == ["hook"]
        assert finding.remedies[0].id == "unblock"


@pytest.mark.parametrize(
    ("before", "after", "kind", "cause"),
    [
        (1.0, 0.0, "LayerNormalization", "dead.levelled"),
        (1.0, 0.0, "GroupNormalization", "dead.levelled"),
        (1.0, 1e-5, "LayerNormalization", "dead.levelled"),  # rounding
        (1e4, 1.0, "LayerNormalization", "dead.cut"),
        (1e-4, 3e-3, "LayerNormalization", "dead.cut"),
        (1.0, 0.5, "LayerNormalization", "dead.cut"),
        (0.0, 0.0, "LayerNormalization", "dead.cut"),  # it got nothing to normalise
        (1.0, 0.0, "BatchNormalization", "dead.cut"),  # of a batch, which is another matter
    ],
)
def test_a_mean_over_one_element_leaves_nothing_of_it(before, after, kind, cause):
    structure = with_second_layer(chain(3, "tanh", head="linear"), Layer("norm", kind))
    seen = probe(structure, output_std=[before, after, 1.0, 1.0])
    (finding,) = run(structure, norm=[0.0, 0.0, 1.0, 1.0], seen=seen).findings
    assert finding.cause_id == cause
    assert ("norm" in finding.cause) is (cause == "dead.levelled")


@pytest.mark.parametrize(("size", "cause"), [(1, "dead.levelled"), (2, "dead.cut")])
def test_a_layer_normalisation_of_one_feature_is_known_without_a_probe(size, cause):
    structure = with_second_layer(
        chain(3, "tanh", head="linear"), Layer("norm", "LayerNormalization")
    )
    gamma = Variable("norm/gamma", 1, "scale", (size,))
    structure = dataclasses.replace(structure, variables=(*structure.variables, gamma))
    norm = [0.0, 0.0, 1.0, 1.0]
    (finding,) = run(structure, norm=norm).findings
    assert finding.cause_id == cause


@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_kernels_that_start_at_zero_are_named_and_drawn_anew(activation):
    structure = drawn_by("Zeros", chain(5, activation, head="linear"))
    (finding,) = run(structure, norm=0.0, weight=0.0).findings
    assert (finding.cause_id, finding.evidence["zero_kernels"]) == ("dead.zeros", 5)
    assert "the weights of d0, d1, d2 and others are all zero" in finding.cause
    assert [r.id for r in finding.remedies] == ["initialiser"]
    other = run(structure, norm=0.0, weight=1.0).findings
    assert "dead.zeros" not in {f.cause_id for f in other}


def test_outputs_that_are_zero_behind_an_activation_of_its_own_are_those_of_the_layer():
    relu = Layer("relu", "ReLU", "relu")
    structure = with_second_layer(chain(3, "linear", head="softmax"), relu)
    seen = probe(structure, dead_share=[0.0, 1.0, 0.0, 0.0])
    (finding,) = run(structure, norm=0.0, seen=seen).findings
    assert finding.layers == ("d0", "d1", "d2")
    seen = probe(structure, dead_share=[0.0, 0.0, 1.0, 0.0])
    (finding,) = run(structure, norm=0.0, seen=seen).findings
    assert finding.layers == ("d1", "d2")


def test_weights_that_decay_has_shrunk_carry_no_gradient():
    shrinks = lambda step: max(math.exp(-step / 10), 1e-3)  # noqa: E731
    (finding,) = run(chain(10, "tanh"), norm=FADING, weight=shrinks).findings
    assert finding.cause_id == "vanishing.regularised"
    assert finding.evidence["weight_size"] < 0.3
    adamw = chain(10, "tanh", optimizer="AdamW")
    (finding,) = run(adamw, norm=FADING, weight=shrinks).findings
    assert "weight_decay=0.0001" in finding.remedies[0].snippet


def test_large_updates_of_weights_that_a_penalty_has_shrunk_do_not_explode():
    shrinks = lambda step: max(math.exp(-step / 10), 1e-3)  # noqa: E731
    findings = run(chain(3), stop=140, weight=shrinks, update=0.02).findings
    assert [f.kind for f in findings] == []
    kept = run(chain(3), stop=140, weight=0.05, update=0.02).findings
    assert [f.kind for f in kept] == ["exploding"]


def test_batches_without_any_loss_or_gradient_are_no_death():
    """Equal returns in reinforcement learning: the advantage of every action is exactly zero."""
    void = lambda step: 0.0 if step > 30 else 1.0  # noqa: E731
    games = chain(3, loss=None, head="linear")
    assert run(games, norm=void, loss=void, baseline=math.nan).findings == ()
    (finding,) = run(games, norm=void, loss=1.0, baseline=math.nan).findings
    assert finding.kind == "dead"


def test_weights_that_are_nan_are_not_dead_although_rectifiers_make_zeros_of_them():
    structure = chain(3)
    weight = lambda step: [1.0, math.nan, 1.0] if step > 5 else 1.0  # noqa: E731
    norm = lambda step: 0.0 if step > 5 else 1.0  # noqa: E731
    (finding,) = run(structure, weight=weight, norm=norm).findings
    assert (finding.cause_id, finding.layers) == ("nonfinite.weights", ("d1",))
    assert (finding.since_step, finding.active) == (6, True)
    assert "Weights of 1 layer are NaN" in finding.cause


def test_weights_thrown_off_by_data_that_is_not_scaled():
    structure = chain(3, head="linear")
    weight = lambda step: [1.0, math.nan, 1.0] if step > 5 else 1.0  # noqa: E731
    loss = lambda step: math.nan if step > 5 else 1.0  # noqa: E731
    seen = probe(structure, inputs=(0.0, 200.0, 500.0))
    (finding,) = run(structure, weight=weight, loss=loss, seen=seen).findings
    assert (finding.cause_id, finding.remedies[0].id) == ("nonfinite.data", "inputs")
    assert finding.cause.endswith("The inputs are of size 200.")


def test_first_layers_that_are_given_no_gradient_at_all():
    structure = with_second_layer(chain(3, "tanh", head="linear"), Layer("round", "Lambda"))
    first = {"norm": [math.nan, 1.0, 1.0, 1.0]}
    (finding,) = run(structure, **first).findings
    assert (finding.cause_id, finding.evidence["between"]) == ("dead.blocked", ["round"])
    assert finding.layers == ("d0",)
    assert "No gradient is computed for 1 layer" in finding.cause
    assert run(structure, 140, **first).findings == ()
    assert run(structure, loss=learning, **first).findings == ()
    unused = {"norm": [1.0, 1.0, math.nan, 1.0]}
    assert run(structure, **unused).findings == ()
    game = dataclasses.replace(structure, loss=None)
    assert run(game, baseline=math.nan, **first).findings == ()


def test_a_loss_of_the_first_time_step_alone_does_not_explode_through_time():
    structure = recurrent_structure()
    alone = np.array([1.0, 0.0, 0.0, 0.0])
    seen = probe(structure, through_time={0: alone})
    assert [f.kind for f in run(structure, seen=seen).findings] == []
    seen = probe(structure, through_time={0: np.array([1.0, 0.1, 1e-3, 1e-5])})
    assert [f.kind for f in run(structure, seen=seen).findings] == ["exploding"]


def test_a_network_that_is_dead_as_a_whole_is_found_whatever_its_first_loss_was():
    loss = lambda step: 150.0 if step < 6 else 1.1  # noqa: E731  no baseline is known
    dies = lambda step: 1.0 if step < 8 else 0.0  # noqa: E731
    (finding,) = run(chain(3), 300, loss=loss, baseline=math.nan, norm=dies).findings
    assert (finding.kind, finding.severity) == ("dead", "critical")
    assert "whatever the loss did before" in finding.cause
    learned = lambda step: 5.0 if step < 6 else 1.2e-7  # noqa: E731  as Keras clips it
    assert run(chain(3), 300, loss=learned, baseline=math.nan, norm=dies).findings == ()
    assert run(chain(3), 300, loss=learned, baseline=2.0, norm=dies).findings == ()
    below = lambda step: 2.2 if step < 6 else 1.1  # noqa: E731
    assert run(chain(3), 300, loss=below, baseline=2.0, norm=dies).findings == ()
    one = lambda step: 1.0 if step < 8 else [0.0, 1.0, 1.0]  # noqa: E731
    (finding,) = run(chain(3), 300, loss=loss, baseline=math.nan, norm=one).findings
    assert (finding.kind, finding.severity) == ("dead", "warning")


def test_a_loss_that_overflows_itself_is_no_matter_of_the_loss_scale():
    structure = chain(3)
    judge = Judge(structure)
    opened = []
    for step in range(1, 7):
        overflow = step in (2, 4, 5, 6)
        loss = math.inf if overflow else 1.0
        record = point(structure, step, loss=loss, skipped=float(overflow))
        opened.append([f.kind for f in judge.observe(broken(record, 0) if overflow else record)])
    assert opened == [[], [], [], [], [], ["nonfinite"]]


@pytest.mark.parametrize(
    ("inputs", "samples", "same"),
    [
        ((0.0, 0.0, 0.0), 32, True),
        ((3.0, 0.0, 3.0), 32, True),
        ((0.0, 0.1, 0.3), 32, False),
        ((0.0, 0.0, 0.0), 1, False),  # of a single sample nothing is known
        ((math.nan, math.nan, math.nan), 32, False),
    ],
)
def test_inputs_that_are_all_the_same_are_named(inputs, samples, same):
    structure = chain(3, head="linear")
    seen = probe(structure, inputs=inputs, samples=samples, dead_share=1.0)
    (still,) = run(structure, stop=1500, seen=seen).findings
    assert still.cause_id == ("stalled.inputs" if same else "stalled.labels")
    (dead,) = run(structure, norm=0.0, seen=seen).findings
    assert dead.cause_id == ("dead.inputs" if same else "dead.rectifier")
    for finding in (still, dead) if same else ():
        assert f"every element of the inputs is {inputs[0]:g}" in finding.cause
        assert finding.remedies[0].id == "labels"


@pytest.mark.parametrize(("ratio", "epsilon"), [(1e-5, "1e-12"), (1e-3, ""), (math.nan, "")])
def test_adams_epsilon_is_below_gradients_that_are_tiny(ratio, epsilon):
    pace = remedies.Pace(0.1, ratio)
    found = remedies.remedy("adaptive", chain(3, optimizer="SGD"), [0], pace)
    given = f"learning_rate=1e-3{epsilon and ', epsilon='}{epsilon})"
    assert given in found.snippet


@pytest.mark.parametrize(
    ("loss", "units", "last", "kind"),
    [
        ("my_loss", 8, "softmax", "Categorical"),
        ("my_loss", 8, "sigmoid", "Binary"),
        ("my_loss", 1, None, "Binary"),
        (None, 8, None, "Categorical"),
        ("categorical_crossentropy", 1, "softmax", "Categorical"),
        ("SparseCategoricalCrossentropy", 8, "softmax", "SparseCategorical"),
        ("bce", 8, "softmax", "Binary"),
    ],
)
def test_which_cross_entropy_takes_the_place_of_the_loss(loss, units, last, kind):
    structure = chain(2, head=last or "linear", loss=loss)
    *others, kernel, bias = structure.variables
    kernel = dataclasses.replace(kernel, shape=(8, units))
    structure = dataclasses.replace(structure, variables=(*others, kernel, bias))
    assert remedies.cross_entropy(structure) == f"{kind}Crossentropy"
