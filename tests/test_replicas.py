"""A note where one of several devices has a gradient unlike that of the others."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tb_gradplugin.health.replicas import ReplicaWatch
from tb_gradplugin.health.thresholds import Thresholds


def watched(norms, *, scaled=False, **thresholds):
    watch = ReplicaWatch(Thresholds(**thresholds))
    for step, of_each in enumerate(norms, start=1):
        watch.observe(step, np.array(of_each, float), scaled=scaled)
    return watch.notes


def test_devices_alike_need_no_note():
    rng = np.random.default_rng(0)
    assert watched(rng.lognormal(size=(500, 4))) == ()


def test_parts_of_a_batch_may_differ_by_much_where_it_is_not_always_the_same_one():
    rng = np.random.default_rng(1)
    # Late in training one misread row outweighs all others: three decades between parts.
    assert watched(10.0 ** rng.normal(0.0, 1.5, size=(2000, 4))) == ()


@pytest.mark.parametrize("devices", [2, 3, 8])
@pytest.mark.parametrize("times", [30.0, 1 / 30])
def test_one_that_always_stands_apart_is_named(devices, times):
    norms = np.random.default_rng(2).lognormal(sigma=0.2, size=(30, devices))
    norms[:, 1] *= times
    (note,) = watched(norms)
    assert (note.kind, note.since_step) == ("replica", 1)
    # Of two the larger one, which is as likely the one that is wrong.
    smaller = devices == 2 and times < 1
    assert note.evidence["replica"] == (0 if smaller else 1)
    assert note.evidence["ratio"] == pytest.approx(30 if smaller else times, rel=0.5)
    assert f"replica {note.evidence['replica']}" in note.cause
    assert note.remedies[0].id == "shards"


def test_the_factor_is_a_threshold():
    norms = [[1.0, 1.0, 5.0]] * 20
    assert watched(norms) == ()
    assert len(watched(norms, replica_factor=4.0)) == 1


def test_a_device_that_is_alike_again_has_no_note():
    assert watched([[1.0, 1.0, 50.0]] * 20 + [[1.0, 1.0, 1.0]] * 5) == ()


def test_a_gradient_of_zero_on_one_device_is_apart():
    (note,) = watched([[1.0, 0.0, 1.0]] * 20)
    assert note.evidence == {"replica": 1, "ratio": 0.0}
    (note,) = watched([[0.0, 1.0, 0.0]] * 20)
    assert note.evidence == {"replica": 1}
    assert "is not zero, but that of the others is" in note.cause
    assert watched([[0.0, 0.0, 0.0]] * 20) == ()


def test_the_first_that_is_not_finite_is_named_and_stays_so():
    (note,) = watched([[1.0, 1.0, 1.0]] * 3 + [[1.0, math.nan, 1.0]] + [[math.nan] * 3] * 30)
    assert (note.since_step, note.evidence) == (4, {"replicas": [1]})
    assert "replica 1 was not finite at step 4" in note.cause


def test_all_of_them_at_once_say_nothing_of_a_device():
    assert watched([[1.0, 1.0]] * 20 + [[math.inf, math.nan]] * 20) == ()


def test_overflows_of_loss_scaling_are_none_of_a_device():
    assert watched([[1.0, math.inf]] * 20, scaled=True) == ()
