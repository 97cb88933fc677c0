"""What a probe sees is what a tape and NumPy compute, and the step does not notice."""

from __future__ import annotations

import gc
import weakref

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from tb_gradplugin import bins, reader
from tb_gradplugin.callbacks import GradientMonitor
from tb_gradplugin.metadata import PROBE_COLUMNS
from tb_gradplugin.records import TIME_POINTS, kept_time_steps
from tb_gradplugin.sources import FileSource
from tests import probe_checks
from tests.reference import subclassed

RELATIVE = 1e-5
MODES = {"graph": {}, "eager": {"run_eagerly": True}, "xla": {"jit_compile": True}}


def data(n=16, outputs=4):
    rng = np.random.default_rng(0)
    x = rng.normal(size=[n, 8]).astype("float32")
    return x, rng.normal(size=[n, outputs]).astype("float32")


def probed(model, x, y, *, exact=False, **compile_args):
    """(record, layer paths, raw capture) of one train step on (x, y), which is then taken back."""
    kept = [(v, v.numpy()) for v in model.variables]
    found = probe_checks.probed(model, x, y, exact=exact, histograms=True, **compile_args)
    for variable, value in kept:
        variable.assign(value)
    return found


def outputs_and_gradients(model, x, y):
    """name -> [(output, dL/d(output) or None)], one for each call, by an eager tape."""
    seen = []
    with tf.GradientTape() as tape:

        def watched(layer, own):
            def call(*args, **kwargs):
                out = tf.identity(own(*args, **kwargs))
                tape.watch(out)
                seen.append((layer.name, out))
                return out

            return call

        inner = [x for x in model._flatten_layers() if not isinstance(x, keras.Model)]
        for layer in inner:
            layer.__dict__["call"] = watched(layer, layer.call)
        try:
            loss = model.compute_loss(x, y, model(x, training=True))
        finally:
            for layer in inner:
                del layer.__dict__["call"]
    gradients = tape.gradient(loss, [out for _, out in seen])
    found = {}
    for (name, out), g in zip(seen, gradients, strict=True):
        found.setdefault(name, []).append((out.numpy(), None if g is None else g.numpy()))
    return found


def row64(calls, saturated=None):
    """One row of ``PROBE_COLUMNS`` in float64, from [(output, gradient)] of all calls."""
    outputs = [np.asarray(out, np.float64) for out, _ in calls]
    gradients = [np.asarray(g, np.float64) for _, g in calls if g is not None]
    together = np.concatenate([out.ravel() for out in outputs])
    finite = together[np.isfinite(together)]
    dead = [np.all(out.reshape([-1, out.shape[-1]]) == 0, axis=0).mean() for out in outputs]
    row = {
        "output_mean": finite.mean(),
        "output_std": finite.std(),
        "output_max": np.abs(finite).max(),
        "nonfinite_share": 1 - finite.size / together.size,
        "zero_share": np.mean(together == 0),
        "dead_share": np.mean(dead),
        "saturated_share": np.nan if saturated is None else np.mean(saturated(together)),
        "gradient_norm": np.sqrt(sum(np.sum(g**2) for g in gradients)) if gradients else np.nan,
    }
    return np.array([row[c] for c in PROBE_COLUMNS])


def assert_row(got, want):
    """Relative to each number itself; the mean relative to the deviation it is a part of."""
    assert abs(got[0] - want[0]) <= RELATIVE * max(abs(want[0]), want[1])
    np.testing.assert_allclose(got[1:], want[1:], rtol=RELATIVE, atol=1e-7)


def dense():
    return keras.Sequential(
        [
            keras.Input([8]),
            layers.Dense(6, "tanh", kernel_initializer=keras.initializers.RandomNormal(stddev=2)),
            layers.Dense(9, "relu", bias_initializer=keras.initializers.RandomNormal(stddev=3)),
            layers.Dense(7, "sigmoid", kernel_initializer=keras.initializers.RandomNormal(0, 2)),
            layers.Dense(4),
        ]
    )


constant = keras.initializers.Constant


def convolutional():
    return keras.Sequential(
        [
            keras.Input([8]),
            layers.Reshape([4, 2, 1]),
            layers.Conv2D(
                5, 2, activation="relu", bias_initializer=keras.initializers.Constant(-1)
            ),
            layers.BatchNormalization(),
            layers.Activation("tanh"),
            layers.Flatten(),
            layers.Dense(4),
        ]
    )


def shared():
    a = keras.Input([8])
    layer = layers.Dense(8, activation="tanh")
    out = layer(a)
    return keras.Model(a, layers.Dense(4)(layers.add([layer(out), out])))


SATURATED = {
    "tanh": lambda y: np.abs(y) >= 0.99,
    "sigmoid": lambda y: (y <= 0.01) | (y >= 0.99),
}
CASES = [(make, "graph") for make in (dense, convolutional, shared, subclassed)]
CASES += [(dense, "eager"), (convolutional, "eager"), (dense, "xla")]


@pytest.mark.filterwarnings("ignore:Gradients do not exist for variables")
@pytest.mark.parametrize(("make", "mode"), CASES)
def test_outputs_and_the_gradients_at_them_equal_those_of_a_tape_in_float64(make, mode):
    keras.utils.set_random_seed(1)
    x, y = data()
    model = make()
    record, paths, _ = probed(model, x, y, **MODES[mode])
    want = outputs_and_gradients(model, x, y)
    by_name = {layer.name: layer for layer in model._flatten_layers()}
    for path, row in zip(paths, record.layers, strict=True):
        if path not in want:
            assert path.startswith("dense")
            assert np.isnan(row).all()
            continue
        activation = getattr(getattr(by_name[path], "activation", None), "__name__", None)
        calls = want[path]
        if path.startswith("reshape"):  # nothing is trained before it: no gradient is computed
            calls = [(out, None) for out, _ in calls]
        assert_row(row, row64(calls, SATURATED.get(activation)))
    assert len(want) >= len(paths) - 1
    assert record.samples == 16
    np.testing.assert_allclose(record.inputs, [x.mean(), x.std(), np.abs(x).max()], rtol=1e-4)
    np.testing.assert_allclose(record.targets, [y.mean(), y.std(), np.abs(y).max()], rtol=1e-4)


def test_dead_and_saturated_shares_are_not_trivially_zero():
    keras.utils.set_random_seed(1)
    record, _, _ = probed(dense(), *data())
    assert record.column("saturated_share")[0] > 0.1
    assert 0 < record.column("dead_share")[1] < 1
    assert np.isnan(record.column("saturated_share")[[1, 3]]).all()


def test_a_softmax_head_has_the_gradient_at_its_logits_where_the_loss_takes_these():
    keras.utils.set_random_seed(1)
    x, y = data(outputs=3)
    labels = y.argmax(1)
    model = keras.Sequential([keras.Input([8]), layers.Dense(3, "softmax")])
    record, _, _ = probed(model, x, labels, loss="sparse_categorical_crossentropy")
    p = model(x).numpy().astype(np.float64)
    want = np.linalg.norm((p - np.eye(3)[labels]) / len(x))
    assert record.column("gradient_norm")[0] == pytest.approx(want, rel=RELATIVE)


def test_gradients_are_divided_by_the_loss_scale():
    keras.utils.set_random_seed(1)
    x, y = data()
    model = dense()
    scaled = keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.1), initial_scale=1024.0)
    record, _, _ = probed(model, x, y, optimizer=scaled)
    plain, _, _ = probed(model, x, y)
    np.testing.assert_allclose(record.layers, plain.layers, rtol=RELATIVE, atol=1e-7)


def test_half_precision_is_probed_in_single():
    keras.utils.set_random_seed(1)
    x, y = data()
    model = keras.Sequential(
        [
            keras.Input([8]),
            layers.Dense(6, "tanh", dtype="mixed_float16"),
            layers.Reshape([3, 2], dtype="mixed_float16"),
            layers.LSTM(4, dtype="mixed_float16"),
            layers.Dense(4),
        ]
    )
    record, _, _ = probed(model, x, y)
    assert np.isfinite(record.column("gradient_norm")).all()
    assert np.isfinite(record.through_time[2]).all()


@pytest.mark.parametrize("value", [1e-25, 1e25, np.inf, np.nan])
def test_hard_outputs_and_gradients_neither_overflow_nor_vanish(value):
    model = keras.Sequential([keras.Input([2]), layers.Dense(2, use_bias=False), Scaled(value)])
    x, y = np.ones([3, 2], np.float32), np.zeros([3, 2], np.float32)
    record, _, _ = probed(model, x, y, loss=lambda t, p: tf.reduce_sum(p))
    norm, largest = record.column("gradient_norm")[0], record.column("output_max")[1]
    if np.isfinite(value):
        assert norm == pytest.approx(value * np.sqrt(6), rel=RELATIVE)
        want = np.abs(model.layers[0](x).numpy().astype(np.float64) * value)
        assert largest == pytest.approx(want.max(), rel=RELATIVE)
        assert record.column("output_std")[1] == pytest.approx(
            (model.layers[0](x).numpy().astype(np.float64) * value).std(), rel=1e-4
        )
    else:
        assert np.isinf(norm)
        assert record.column("nonfinite_share")[1] == 1.0


class Scaled(layers.Layer):
    def __init__(self, factor):
        super().__init__()
        self.factor = factor

    def call(self, x):
        return x * self.factor


# Histograms of outputs.


class Mixed(layers.Layer):
    """Puts zeros, subnormal, huge and non-finite elements into the first column."""

    def call(self, x):
        odd = [0.0, -0.0, 1e-40, 3e38, np.nan, np.inf, -np.inf, np.inf]
        column = tf.constant(odd * 2)[:, None] + 0.0 * x[:, :1]
        return tf.concat([column, x[:, 1:]], axis=1)


def exact_network():
    """Outputs are small whole numbers, the same in whatever order they are summed."""
    whole = {"kernel_initializer": constant(1.0), "bias_initializer": constant(-3.0)}
    x = keras.Input([8])
    twice = layers.Dense(8, "relu", **whole)
    h = twice(twice(x))
    h = layers.Reshape([4, 2, 1])(layers.Activation("linear")(h))
    h = layers.Flatten()(layers.Conv2D(5, 2, **whole)(h))
    return keras.Model(x, Mixed()(layers.Dense(4, **whole)(h)))


def counts64(outputs):
    """Counts in ``bins.DEVICE_BINS`` by NumPy's own logarithm, of all elements of ``outputs``."""
    out = np.zeros(bins.DEVICE_BINS)
    for y in np.concatenate([np.asarray(y, np.float32).ravel() for y in outputs]):
        negative = int(np.signbit(y))
        mantissa, exponent = np.frexp(abs(float(y)))  # y = mantissa * 2**exponent, >= 1/2
        if np.isnan(y):
            field, half = 255, 1
        elif np.isinf(y):
            field, half = 255, 0
        elif abs(y) < np.finfo(np.float32).tiny:
            field, half = 0, 0
        else:
            field, half = exponent + 126, int(mantissa >= 0.75)
        out[negative * 512 + field * 2 + half] += 1
    return out


def without_signs_that_say_nothing(counts):
    """Subnormal numbers count as zeros and NaNs have no sign: of each kind all in one bin."""
    counts = counts.reshape(-1, 2, 256, 2).copy()
    for field, part in ((0, slice(None)), (255, 1)):
        total = counts[:, :, field, part].reshape(len(counts), -1).sum(axis=1)
        counts[:, :, field, part] = 0
        counts[:, 0, field, 1] = total
    return counts.reshape(-1, bins.DEVICE_BINS)


@pytest.mark.parametrize("mode", MODES)
def test_outputs_are_counted_by_magnitude_as_numpy_does(mode):
    rng = np.random.default_rng(0)
    x = rng.integers(-3, 9, size=[16, 8]).astype("float32")
    y = np.zeros([16, 4], np.float32)
    model = exact_network()
    record, paths, captured = probed(model, x, y, **MODES[mode])
    want = outputs_and_gradients(model, x, y)
    assert max(len(calls) for calls in want.values()) == 2  # of one layer
    names = [layer.name for layer in captured.probe.layers]
    expected = np.stack([counts64([out for out, _ in want[name]]) for name in names])
    got = without_signs_that_say_nothing(captured.probe.counts)
    np.testing.assert_array_equal(got, without_signs_that_say_nothing(expected))
    row = {path: bins.fold(counts[None])[0] for path, counts in zip(names, expected, strict=True)}
    np.testing.assert_array_equal(record.histograms, [row[path] for path in paths])
    assert record.histograms[:, [bins.ZERO, bins.NAN, bins.POSITIVE_INF]].any(axis=0).all()


@pytest.mark.filterwarnings("ignore:Gradients do not exist for variables")
def test_outputs_of_any_kind_are_counted_and_what_has_none_is_a_row_of_zeros():
    keras.utils.set_random_seed(1)
    x, y = data()
    record, paths, _ = probed(subclassed(), x, y)
    filled = dict(zip(paths, record.histograms.any(axis=1), strict=True))
    assert sorted(filled.values()) == [False, True, True]  # one is not called
    half = keras.Sequential([keras.Input([8]), layers.Dense(4, "relu", dtype="mixed_bfloat16")])
    record, _, captured = probed(half, x, y)
    assert captured.probe.counts.sum() == 16 * 4
    assert record.column("zero_share")[0] == pytest.approx(
        record.histograms[0, bins.ZERO] / bins.FULL_SHARE, abs=1e-4
    )


def test_where_the_step_must_stay_exact_a_sum_has_no_histogram():
    x, y = data()
    inputs = keras.Input([8])
    h = layers.Dense(8, "relu")(inputs)
    model = keras.Model(inputs, layers.Dense(4)(layers.add([h, layers.Dense(8)(h)])))
    record, paths, _ = probed(model, x, y, exact=True)
    sums = [path.startswith("add") for path in paths]
    assert sum(sums) == 1
    np.testing.assert_array_equal(~record.histograms.any(axis=1), sums)


def test_without_histograms_outputs_are_not_counted(tmp_path):
    x, y = data(40)
    small_model().fit(
        x, y, batch_size=4, verbose=0, callbacks=[GradientMonitor(tmp_path, histograms=False)]
    )
    source = FileSource(tmp_path / "gradients")
    assert read_probes(tmp_path) == [1]
    assert source.read("gradients/activations") == []


# Through time.


def unrolled(layer, x, mask=None):
    """Norms of total dL/dh_t in processing order for L = sum of squares of the outputs."""
    cell, steps = layer.cell, list(range(x.shape[1]))
    steps = steps[::-1] if layer.go_backwards else steps
    states = [tf.zeros([len(x), layer.units])] * (2 if isinstance(layer, layers.LSTM) else 1)
    seen = []
    with tf.GradientTape() as tape:
        for t in steps:
            out, new = cell.call(tf.constant(x[:, t]), states)
            h = tf.identity(out)
            tape.watch(h)
            seen.append(h)
            new = [h, *new[1:]]
            if mask is not None:
                m = tf.constant(mask[:, t, None])
                new = [tf.where(m, a, b) for a, b in zip(new, states, strict=True)]
            states = new
        loss = tf.reduce_mean(tf.square(states[0] - 0.5))
    gradients = tape.gradient(loss, seen)
    return np.array([np.linalg.norm(g.numpy().astype(np.float64)) for g in gradients])


CELLS = [layers.SimpleRNN, layers.LSTM, layers.GRU]


@pytest.mark.parametrize("settings", [{}, {"go_backwards": True}, {"unroll": True}])
@pytest.mark.parametrize("cell", CELLS)
def test_gradients_through_time_equal_those_of_an_unrolled_tape(cell, settings):
    keras.utils.set_random_seed(3)
    x = np.random.default_rng(1).normal(size=[6, 12, 3]).astype("float32")
    layer = cell(5, **settings)
    model = keras.Sequential([keras.Input([12, 3]), layer])
    record, _, _ = probed(model, x, np.full([6, 5], 0.5, np.float32))
    np.testing.assert_allclose(record.through_time[0], unrolled(layer, x), rtol=RELATIVE)
    radius = record.spectral_radius.get(0)
    if cell is layers.SimpleRNN:
        kernel = layer.cell.recurrent_kernel.numpy().astype(np.float64)
        assert radius == pytest.approx(np.abs(np.linalg.eigvals(kernel)).max(), rel=1e-5)
    else:
        assert radius is None


@pytest.mark.parametrize("cell", CELLS)
def test_masked_time_steps_count_for_the_samples_that_have_them(cell):
    keras.utils.set_random_seed(3)
    x = np.random.default_rng(1).normal(size=[6, 10, 3]).astype("float32")
    x[:3, 6:] = 0
    x[:, 8:] = 0
    layer = cell(5)
    model = keras.Sequential([keras.Input([10, 3]), layers.Masking(), layer])
    record, _, _ = probed(model, x, np.full([6, 5], 0.5, np.float32))
    mask = (x != 0).any(-1)
    want = unrolled(layer, x, mask)
    np.testing.assert_allclose(record.through_time[1][:8], want[:8], rtol=RELATIVE)
    assert np.isnan(record.through_time[1][8:]).all()


@pytest.mark.parametrize("mode", ["graph", "eager"])
def test_bidirectional_stacked_and_long_layers_are_probed_through_time(mode):
    keras.utils.set_random_seed(3)
    x = np.random.default_rng(1).normal(size=[2, 300, 3]).astype("float32")
    model = keras.Sequential(
        [
            keras.Input([None, 3]),
            layers.GRU(4, return_sequences=True, dropout=0.2),
            layers.Bidirectional(layers.LSTM(3)),
        ]
    )
    record, paths, _ = probed(model, x, np.zeros([2, 6], np.float32), **MODES[mode])
    assert [p.split("/")[-1].split("_")[0] for p in paths] == ["gru", "forward", "backward"]
    kept = kept_time_steps(300)
    assert len(kept) == TIME_POINTS == len(set(kept))
    assert (kept[0], kept[-1]) == (0, 299)
    for norms in record.through_time.values():
        assert len(norms) == 300
        assert np.isfinite(norms[kept]).all()
        assert np.isnan(norms).sum() == 300 - TIME_POINTS
    assert len(record.through_time) == 3


class OwnLoop(layers.LSTM):
    def inner_loop(self, sequences, initial_state, mask, training=False):
        return super().inner_loop(sequences, initial_state, mask, training)


def test_a_recurrent_layer_with_a_loop_of_its_own_is_left_out_of_time():
    x, y = data()
    model = keras.Sequential([keras.Input([8]), layers.Reshape([4, 2]), OwnLoop(4)])
    record, _, _ = probed(model, x, y)
    assert record.through_time == {}
    assert record.column("gradient_norm")[1] > 0


def test_a_layer_that_runs_as_one_kernel_is_left_out_where_the_step_must_stay_exact():
    x, y = data()
    model = keras.Sequential([keras.Input([8]), layers.Reshape([4, 2]), layers.LSTM(4)])
    model.layers[1].supports_jit = False
    assert probed(model, x, y, exact=True, jit_compile=False)[0].through_time == {}
    assert len(probed(model, x, y, jit_compile=False)[0].through_time) == 1


def test_a_sum_has_only_its_gradient_where_the_step_must_stay_exact():
    x, y = data()
    inputs = keras.Input([8])
    h = layers.Dense(8, "relu")(inputs)
    model = keras.Model(inputs, layers.Dense(4)(layers.add([h, layers.LayerNormalization()(h)])))
    (exact, paths, _), (full, _, _) = (probed(model, x, y, exact=e) for e in (True, False))
    sums = [p.startswith(("add", "layer_norm")) for p in paths]
    assert sum(sums) == 2
    np.testing.assert_array_equal(np.isnan(exact.column("output_std")), sums)
    np.testing.assert_allclose(
        exact.column("gradient_norm"), full.column("gradient_norm"), rtol=RELATIVE
    )
    assert np.isfinite(full.column("output_std")).all()


class InFunction(keras.Model):
    def __init__(self):
        super().__init__()
        self.inside, self.head = layers.Dense(4, "relu"), layers.Dense(4)

    @tf.function
    def hidden(self, x):
        return self.inside(x)

    def call(self, x):
        return self.head(self.hidden(x))


def test_layers_in_a_function_of_the_users_own_are_left_out_and_the_rest_is_there():
    x, y = data()
    model = InFunction()
    model.inside.build([None, 8])
    model.head.build([None, 4])
    record, paths, _ = probed(model, x, y)
    row = dict(zip(paths, record.layers, strict=True))
    assert np.isnan(row[model.inside.name]).all()
    assert np.isfinite(row[model.head.name][-1])


# The step does not notice.


def everything():
    keras.utils.set_random_seed(5)
    x = keras.Input([8])
    h = layers.Masking()(layers.Reshape([4, 2])(x))
    h = layers.LSTM(5, return_sequences=True, dropout=0.2, recurrent_dropout=0.1)(h)
    h = layers.Dropout(0.3)(h)
    h = layers.add([h, layers.Dropout(0.0)(h), layers.LayerNormalization()(h)])
    h = layers.Bidirectional(layers.GRU(3))(h)
    h = layers.BatchNormalization()(h)
    return keras.Model(x, layers.Dense(4, "softmax")(h))


@pytest.mark.parametrize("mode", ["graph", "eager"])
def test_training_is_bit_identical_with_and_without_probes(tmp_path, mode):
    rng = np.random.default_rng(0)
    x, y = data(40)
    x[:20, 4:] = 0
    y = np.eye(4)[rng.integers(0, 4, 40)]

    def train(callbacks):
        model = everything()
        model.compile(keras.optimizers.Adam(0.01), "categorical_crossentropy", **MODES[mode])
        model.fit(x, y, batch_size=9, epochs=2, verbose=0, callbacks=callbacks)
        return [v.numpy() for v in [*model.variables, *model.optimizer.variables]]

    plain = train([])
    watched = train([GradientMonitor(tmp_path, probe_freq=1)])
    for a, b in zip(plain, watched, strict=True):
        np.testing.assert_array_equal(a, b)
    source = FileSource(tmp_path / "gradients")
    models = reader.read_models(source)
    probes = reader.read_probes(source, models)
    assert [p.step for p in probes] == list(range(1, 11))
    for path in ("dropout", "lstm", "dense"):
        layer = next(x.path for x in models.latest.layers if x.path.startswith(path))
        rows = reader.read_activations(source, models, layer)
        assert rows.steps.tolist() == list(range(1, 11))
    assert source.problems == []


def test_nothing_of_a_probe_is_left_behind():
    x, y = data()
    model = keras.Sequential([keras.Input([8]), layers.Reshape([4, 2]), layers.LSTM(4)])
    before = [set(vars(layer)) for layer in model._flatten_layers()]
    cell = set(vars(model.layers[1].cell))
    probed(model, x, y)
    layer = model.layers[1]
    assert not {"call", "inner_loop"} & set(vars(layer))
    assert "call" not in vars(layer.cell)
    assert "train_step" not in vars(model)
    assert set(vars(layer.cell)) - cell <= {"_dropout_mask", "_recurrent_dropout_mask"}
    assert len(before) == len(list(model._flatten_layers()))


def test_a_probed_model_is_freed_with_its_graph():
    x, y = data()
    model = keras.Sequential([keras.Input([8]), layers.Dense(4)])
    probed(model, x, y)
    gone = weakref.ref(model.layers[0].kernel.value)
    del model
    keras.backend.clear_session()
    gc.collect()
    assert gone() is None


# The monitor.


def small_model():
    keras.utils.set_random_seed(11)
    model = keras.Sequential([keras.Input([8]), layers.Dense(8, "relu"), layers.Dense(4)])
    model.compile("sgd", "mse")
    return model


def read_probes(directory):
    source = FileSource(directory / "gradients")
    return [p.step for p in reader.read_probes(source, reader.read_models(source))]


@pytest.mark.parametrize(
    ("settings", "want"),
    [
        ({}, [1]),
        ({"probe_freq": None}, []),
        ({"probe_freq": 3, "update_freq": 5}, [1, 4, 7, 10]),
    ],
)
def test_probe_freq_chooses_the_steps(tmp_path, settings, want):
    x, y = data(40)
    monitor = GradientMonitor(tmp_path, **settings)
    small_model().fit(x, y, batch_size=4, verbose=0, callbacks=[monitor])
    assert read_probes(tmp_path) == want


def test_the_next_step_after_a_finding_opens_is_probed(tmp_path):
    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [keras.Input([8])] + [layers.Dense(12, "sigmoid") for _ in range(9)] + [layers.Dense(4)]
    )
    model.compile(keras.optimizers.SGD(0.1), "mse")
    x, y = data(40)
    opened = []
    monitor = GradientMonitor(tmp_path, on_unhealthy=lambda f: opened.append(monitor._armed))
    model.fit(x, y, batch_size=4, epochs=4, verbose=0, callbacks=[monitor])
    (finding, *_) = monitor.report().findings
    assert finding.kind == "vanishing"
    probes = read_probes(tmp_path)
    assert probes[0] == 1
    assert len(probes) == 2
    assert probes[1] > finding.since_step
    assert monitor._judge._window.probe.step == probes[1]


@pytest.mark.parametrize("where", ["_tapped", "_note_norm", "_store", "collect"])
def test_a_fault_of_the_probe_costs_the_probe_only(tmp_path, monkeypatch, where):
    from tb_gradplugin.callbacks.tensorflow_probe import Probe

    def broken(self, *args):
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(Probe, where, broken)
    x, y = data(40)
    model, monitor = small_model(), GradientMonitor(tmp_path, probe_freq=2)
    with pytest.warns(RuntimeWarning, match="no further steps.*a bug") as caught:
        model.fit(x, y, batch_size=4, verbose=0, callbacks=[monitor])
    assert len(caught) == 1
    assert read_probes(tmp_path) == []
    assert monitor.report().runs[tmp_path.name].logged == 10


@pytest.mark.parametrize(
    ("value", "error"),
    [(0, ValueError), ("start", ValueError), (1.5, TypeError), (True, TypeError)],
)
def test_a_wrong_probe_freq_is_named_with_its_value_and_what_is_allowed(value, error):
    with pytest.raises(error, match=rf'`probe_freq` \(={value!r}\) must be "auto", an int >= 1'):
        GradientMonitor(probe_freq=value)
