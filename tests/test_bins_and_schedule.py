"""Fixed bins and the schedule of logged steps, against plain loops."""

from __future__ import annotations

import itertools
import types

import numpy as np
import pytest

from tb_gradplugin import bins
from tb_gradplugin.callbacks.baseline import BaselineLoss, label_moments
from tb_gradplugin.callbacks.schedule import Schedule


def device_counts(values):
    index = np.asarray(values, np.float32).view(np.uint32) >> bins.DEVICE_SHIFT
    return np.bincount(index, minlength=bins.DEVICE_BINS)[None]


def bin_of(value):
    if np.isnan(value):
        return bins.NAN
    if np.isinf(value):
        return bins.POSITIVE_INF if value > 0 else bins.NEGATIVE_INF
    if abs(value) < 2.0**-126:
        return bins.ZERO
    octave = int(np.clip(np.floor(np.log2(abs(value))), bins.MIN_EXPONENT, bins.MAX_EXPONENT - 1))
    return octave - bins.MIN_EXPONENT + (bins.OCTAVES if value > 0 else 0)


def test_every_float_falls_into_the_bin_of_its_sign_and_octave():
    rng = np.random.default_rng(0)
    values = np.concatenate(
        [
            (rng.normal(size=500) * 10.0 ** rng.uniform(-37, 37, 500)).astype(np.float32),
            np.array([0, -0.0, np.nan, np.inf, -np.inf, 1, 2, 4, -1, 1e-40], np.float32),
        ]
    )
    for value in values:
        assert np.flatnonzero(bins.fold(device_counts([value]))[0]).tolist() == [
            bin_of(float(value))
        ]


def test_shares_sum_to_one_and_a_single_element_is_never_lost():
    counts = np.zeros([1, bins.DEVICE_BINS])
    counts[0, 254] = 1
    counts[0, 300] = 10_000_000
    shares = bins.fold(counts)[0]
    assert sorted(shares[shares > 0]) == [1, bins.FULL_SHARE]
    assert bins.fold(np.zeros([2, bins.DEVICE_BINS])).sum() == 0


def test_folding_undoes_a_loss_scale_exactly():
    values = np.array([1e-3, -2e-5, 7.0], np.float32)
    plain = bins.fold(device_counts(values))
    scaled = device_counts(values * np.float32(2**15))
    np.testing.assert_array_equal(plain, bins.fold(scaled, 2.0**15))
    mixed = np.concatenate([device_counts(values), scaled])
    np.testing.assert_array_equal(bins.fold(mixed, np.array([1.0, 2.0**15]))[1], plain[0])


def logged(freq, steps, first=1, **options):
    schedule, out = Schedule(freq, **options), []
    schedule.begin(first)
    for step in range(first, steps + 1):
        if schedule.due(step):
            schedule.logged(step)
            out.append(step)
    return out


def test_auto_logs_every_step_to_20_then_a_twentieth_then_every_100():
    got = logged("auto", 6000)
    assert got[:20] == list(range(1, 21))
    assert np.diff(got).max() == 100
    assert np.all(np.diff(got) >= 1)
    for a, b in itertools.pairwise(got[20:]):
        assert b - a == min(a // 20, 100)


def test_an_int_keeps_its_grid_when_a_run_is_resumed():
    assert logged(10, 35) == [1, 11, 21, 31]
    assert logged(10, 45, first=15) == [21, 31, 41]


def test_thinning_keeps_the_start_whole_and_the_rest_logarithmic():
    kept = logged("auto", 10_000, max_interval=None)
    assert kept[:20] == list(range(1, 21))
    assert 120 <= len(kept) <= 160


def compiled(loss):
    return types.SimpleNamespace(loss=loss)


@pytest.mark.parametrize("loss", ["mse", "binary_crossentropy", "categorical_crossentropy"])
def test_the_baseline_is_the_best_constant_predictions_loss(loss):
    import keras

    rng = np.random.default_rng(0)
    if loss == "categorical_crossentropy":
        y = np.eye(4, dtype="float32")[rng.choice(4, 200, p=[0.1, 0.2, 0.3, 0.4])]
    elif loss == "mse":
        y = rng.normal(size=[200, 4]).astype("float32") * [1, 2, 3, 4]
    else:
        y = (rng.random([200, 4]) < [0.1, 0.5, 0.7, 0.9]).astype("float32")
    baseline = BaselineLoss(loss)
    for batch in np.split(y, 4):
        got = baseline.update(np.asarray(label_moments(compiled(loss), batch, np.zeros([50, 4]))))
    constant = np.broadcast_to(y.mean(axis=0), y.shape).astype("float32")
    want = float(np.mean(keras.losses.get(loss)(y.astype("float32"), constant)))
    assert got == pytest.approx(want, rel=1e-4)


def test_sparse_labels_have_the_baseline_of_their_one_hot_form():
    labels = np.random.default_rng(0).choice(5, 100)
    one_hot = BaselineLoss("categorical_crossentropy").update(
        np.asarray(
            label_moments(
                compiled("categorical_crossentropy"), np.eye(5)[labels], np.zeros([100, 5])
            )
        )
    )
    sparse = BaselineLoss("sparse_categorical_crossentropy").update(
        np.asarray(
            label_moments(compiled("sparse_categorical_crossentropy"), labels, np.zeros([100, 5]))
        )
    )
    assert sparse == pytest.approx(one_hot, rel=1e-6)


def test_labels_that_the_loss_broadcasts_have_no_baseline():
    assert label_moments(compiled("mse"), np.ones([5, 1]), np.ones([5, 3])) is None
    assert label_moments(compiled("mse"), np.ones([5]), np.ones([5, 3])) is None


def test_a_loss_that_is_no_plain_mean_has_no_baseline():
    import keras

    y = np.ones([5, 3])
    assert label_moments(compiled("mse"), y, y) is not None
    assert label_moments(compiled("mse"), y, y, np.ones([5])) is None
    summed = keras.losses.MeanSquaredError(reduction="sum")
    assert label_moments(compiled(summed), y, y) is None


def test_an_unknown_loss_has_no_baseline():
    assert label_moments(compiled("mae"), np.ones([3, 1]), np.ones([3, 1])) is None
    assert np.isnan(BaselineLoss("mae").update(None))
