"""The picture of a log directory: what the figure holds, and what the command line says of it."""

from __future__ import annotations

import itertools
import re
import subprocess
import sys
from pathlib import Path

import fsspec
import numpy as np
import pytest
from fake_runs import (
    COLUMN,
    dense_structure,
    finding,
    health,
    record,
    statistics,
    write_fading,
    write_run,
)
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure

from tb_gradplugin import cli, logdir, png_panels, png_report, sources, summaries, views
from tb_gradplugin.event_files import EventFileWriter
from tb_gradplugin.structure import Layer, ModelStructure, Variable

PNG = b"\x89PNG\r\n\x1a\n"
HALF_A_CODE = 0.5 / 31 + 1e-6
"""Decades by which a level is rounded."""


def write_norms(directory, norms: np.ndarray, findings=(), bad=None, structure=None, steps=None):
    """A run whose kernels and biases have gradients of ``norms`` [T, layers] and weights of 1."""
    structure = structure or dense_structure(norms.shape[1])
    steps = list(range(1, len(norms) + 1)) if steps is None else steps
    writer = EventFileWriter(directory)
    writer.write(summaries.model_event(structure, steps[0], 1.79e9))
    for i, step in enumerate(steps):
        stats = statistics(structure, step)
        stats[:, COLUMN["norm"]] = np.repeat(norms[i], 2)
        stats[:, [COLUMN["min"], COLUMN["max"]]] = 0
        if bad is not None:
            stats[:, COLUMN["nan_count"]] = np.repeat(bad[i], 2)
        told = health(steps[: i + 1], findings)
        writer.write(summaries.step_event(record(structure, step, stats=stats), told))
    writer.close()


def drawn(directory: Path) -> Figure:
    """The figure, laid out, of all runs below ``directory``."""
    report, runs = logdir.read_report(str(directory)), {}
    for name, where in logdir.monitor_directories(str(directory)):
        runs[name] = views.read_overview(sources.FileSource(where)), report.runs[name]
    figure = png_report.draw(runs)
    figure.draw_without_rendering()
    return figure


@pytest.fixture
def figures(monkeypatch) -> list[Figure]:
    """What the command line draws."""
    kept, draw = [], png_report.draw
    monkeypatch.setattr(png_report, "draw", lambda *given: kept.append(draw(*given)) or kept[-1])
    return kept


def panels(figure: Figure) -> list[tuple[Axes, Axes, Axes]]:
    """(heatmap, gutter, profile) of each run."""
    axes = figure.axes[:-2]  # colour bar and legend come last
    return [tuple(axes[i : i + 3]) for i in range(0, len(axes), 3)]


def levels(heat: Axes) -> np.ma.MaskedArray:
    (_, image) = heat.get_images()
    return image.get_array()


def specials(heat: Axes) -> np.ma.MaskedArray:
    (image, _) = heat.get_images()
    return image.get_array()


def names(heat: Axes) -> list[str]:
    return [label.get_text() for label in heat.get_yticklabels()]


def marks(gutter: Axes) -> list[tuple[str, list[int]]]:
    """(colour of the fill, rows) of each collection of marks."""
    found = [c for c in gutter.collections if isinstance(c, PathCollection)]
    return [(c.get_facecolor(), c.get_offsets()[:, 1].astype(int).tolist()) for c in found]


def expected_levels(norms: np.ndarray) -> np.ndarray:
    """Written anew from ``http_api.md``, for weights of norm 1: decades [T, layers]."""
    attenuation = np.log10(norms) - np.log10(norms).max(axis=1, keepdims=True)
    log = np.log10(np.sqrt(2) * norms)
    growth = log - np.median(log[:20], axis=0)
    grown = (growth > 0.7) & (growth > -attenuation)
    return np.clip(np.where(grown, growth, attenuation), -4, 4)


def test_the_file_is_a_png_of_a_page(tmp_path, capsys):
    write_run(tmp_path / "logs/gradients", dense_structure(3), [1, 2, 9], findings=[finding()])
    path = tmp_path / "a.png"
    command = ["report", str(tmp_path / "logs"), "--png", str(path), "--fail-on", "vanishing"]
    assert cli.main(command) == 1
    out = capsys.readouterr()
    assert ("dense_0" in out.out, out.err) == (True, "")
    data = path.read_bytes()
    width, height = int.from_bytes(data[16:20]), int.from_bytes(data[20:24])
    assert data.startswith(PNG)
    assert width == 2100
    assert 400 < height < 2000
    assert 10_000 < len(data) < 1_000_000
    assert [p.name for p in tmp_path.iterdir() if p.is_file()] == ["a.png"]


def test_cells_are_the_levels_of_the_logged_norms_and_lines_the_norms(tmp_path):
    rng = np.random.default_rng(0)
    norms = (10.0 ** rng.uniform(-5, 1, (40, 7))).astype(np.float32)
    norms[25:, 3] *= 1e5
    write_norms(tmp_path / "gradients", norms)
    ((heat, _, profile),) = panels(drawn(tmp_path))
    np.testing.assert_allclose(levels(heat), expected_levels(norms).T, atol=HALF_A_CODE)
    assert not np.ma.getmaskarray(levels(heat)).any()
    assert specials(heat).mask.all()
    assert names(heat) == [f"dense_{i}" for i in range(7)]
    first, last = profile.lines[:2]
    np.testing.assert_allclose(first.get_xdata(), np.sqrt(2) * norms[0], rtol=1e-6)
    np.testing.assert_allclose(last.get_xdata(), np.sqrt(2) * norms[-1], rtol=1e-6)
    assert last.get_ydata().tolist() == list(range(7))
    assert profile.get_ylim() == heat.get_ylim() == (6.5, -0.5)
    assert heat.get_title(loc="left") == "All 7 layers are healthy"


def test_a_level_has_the_colour_that_it_has_in_the_dashboard():
    palette = Path(__file__).parents[1] / "frontend/src/charts/palette.ts"
    source = palette.read_text(encoding="utf-8")
    source = source[source.index("const LIGHT") : source.index("const DARK")]
    ours = [*png_panels.SCALE, *(c for c, _ in png_panels.SPECIAL.values())]
    ours += [colour for colour, _ in png_panels.KINDS.values()]
    assert [c for c in ours if f"'{c}'" not in source] == []
    table, places = png_panels.colours(), (-3, -1.85, -0.69, 0, 0.69, 1.85, 3)
    scale = png_panels.SCALE
    for level, colour in zip(places, (*scale[:3], scale[2], *scale[2:]), strict=True):
        assert np.allclose(table((level + 3) / 6), to_rgba(colour), atol=0.01), level


def test_zero_nan_and_what_is_not_recorded_stand_apart(tmp_path):
    norms = np.ones((5, 4), np.float32)
    norms[2:, 0] = 0
    norms[:2, 1] = np.nan
    bad = np.zeros((5, 4))
    bad[4, 2] = 3
    write_norms(tmp_path / "gradients", norms, bad=bad)
    figure = drawn(tmp_path)
    ((heat, _, profile),) = panels(figure)
    expected = np.full((4, 5), -1)
    expected[0, 2:], expected[1, :2], expected[2, 4] = 2, 0, 1
    assert specials(heat).filled(99).astype(int).tolist() == np.where(
        expected < 0, 99, expected
    ).tolist()  # fmt: skip
    assert (np.ma.getmaskarray(levels(heat)) == (expected >= 0)).all()
    image = heat.get_images()[0]
    for code, (colour, _) in png_panels.SPECIAL.items():
        assert image.cmap(image.norm(code)) == pytest.approx(to_rgba(colour))
    _, last, zero, nonfinite = profile.lines
    assert np.isnan(last.get_xdata()).tolist() == [True, False, True, False]
    assert (zero.get_ydata().tolist(), nonfinite.get_ydata().tolist()) == ([0], [2])
    told = {text.get_text() for text in figure.axes[-1].get_legend().get_texts()}
    assert {"not recorded", "NaN or Inf in the gradient", "gradient exactly zero"} <= told


def test_layers_of_findings_are_marked_with_their_kind_and_since_when(tmp_path):
    found = [
        finding("vanishing", ("dense_0", "dense_1"), since=3),
        finding("dead", ("dense_4",), since=2, last=4, active=False),
    ]
    write_run(tmp_path / "gradients", dense_structure(6), [1, 2, 3, 4, 9], findings=found)
    figure = drawn(tmp_path)
    ((heat, gutter, _),) = panels(figure)
    (fill, sick), (hollow, healed) = marks(gutter)
    assert (sick, healed) == ([0, 1], [4])
    assert fill[0] == pytest.approx(to_rgba(png_panels.KINDS["vanishing"][0]))
    assert len(hollow) == 0
    bars = [c.get_segments() for c in heat.collections]
    assert [s[0][0] for s in bars[0]] == [1.5, 1.5]  # the left edge of the column of step 3
    assert [s[0][0] for s in bars[2]] == [0.5]
    bold = [t.get_text() for t in heat.get_yticklabels() if t.get_fontweight() == "bold"]
    assert bold == ["dense_0", "dense_1", "dense_4"]
    title = heat.get_title(loc="left")
    assert title == "2 of 6 layers are sick since step 3: vanishing"
    assert "Sigmoid saturates" in heat.texts[0].get_text()
    told = {text.get_text() for text in figure.axes[-1].get_legend().get_texts()}
    assert {"vanishing, since the bar", "dead, healed"} <= told


@pytest.mark.parametrize(
    ("layers", "findings", "line"),
    [
        (1, [], "The one layer is healthy"),
        (1, [finding()], "The one layer is sick since step 3: vanishing"),
        (1200, [finding()], "1 of 1,200 layers is sick since step 3: vanishing"),
        (4, [finding("slow", (), since=1234)], "The run is sick since step 1,234: slow"),
        (4, [finding(active=False)], "All 4 layers are healthy now; 1 finding healed"),
    ],
)
def test_the_verdict_is_one_sentence(layers, findings, line):
    assert png_report.verdict_line(health([1], findings), layers) == line


@pytest.mark.parametrize(("steps", "layers"), [(1, 6), (30, 1), (1, 1)])
def test_one_step_and_one_layer_are_a_picture_too(tmp_path, steps, layers):
    write_norms(tmp_path / "gradients", np.ones((steps, layers), np.float32))
    ((heat, _, profile),) = panels(drawn(tmp_path))
    assert levels(heat).shape == (layers, steps)
    assert len(names(heat)) == layers
    low, high = profile.get_xlim()
    assert low < np.sqrt(2) < high


def test_three_thousand_layers_stay_readable(tmp_path):
    layers, long = 3000, "transformer/encoder_block_with_a_long_name/attention"
    structure = dense_structure(layers, prefix=long)
    norms = np.ones((3, layers), np.float32)
    norms[:, 1501] = 0
    sick = finding("dead", (f"{long}_1501",), since=1)
    write_norms(tmp_path / "gradients", norms, [sick], structure=structure)
    figure = drawn(tmp_path)
    ((heat, gutter, _),) = panels(figure)
    shown = specials(heat)
    assert heat.get_window_extent().height >= len(shown)  # a pixel or more each
    (rows,) = np.nonzero((shown[:, 0] == 2).filled(False))  # none of many hides it
    assert rows.tolist() == [1501 * len(shown) // layers]
    assert [rows for _, rows in marks(gutter)] == [[1501]]
    assert gutter.collections[0].get_sizes() >= 3**2
    labels = [label for label in heat.get_yticklabels() if label.get_text()]
    assert "transformer/enc…/attention_1501" in names(heat)
    assert max(len(text.get_text()) for text in labels) <= 32
    boxes = sorted((t.get_window_extent() for t in labels), key=lambda box: box.y0)
    assert 20 < len(boxes) < 80
    assert all(a.y1 <= b.y0 + 1 for a, b in itertools.pairwise(boxes))
    assert min(box.x0 for box in boxes) >= 0
    assert heat.get_ylabel() == "layers in forward order (up to 4 in a row)"


def test_more_steps_than_columns_keep_the_most_extreme(tmp_path):
    norms = np.ones((2500, 2), np.float32)
    norms[1234, 0] = 1e-3
    write_norms(tmp_path / "gradients", norms, steps=range(1, 25001, 10))
    ((heat, _, _),) = panels(drawn(tmp_path))
    assert levels(heat).shape == (2, 1000)
    assert levels(heat).min() == pytest.approx(-3, abs=HALF_A_CODE)
    assert heat.get_xlabel() == "train step (2,500 logged, up to 3 in a column)"
    assert heat.get_xticklabels()[0].get_text() == "1"
    assert heat.get_window_extent().width >= 1000


def test_of_many_runs_the_unhealthy_come_first_and_the_rest_is_named(tmp_path, capsys, figures):
    for name in "abcdef":
        sick = [finding()] if name in "ce" else []
        write_run(tmp_path / f"logs/{name}/gradients", dense_structure(2), [1, 2], findings=sick)
    assert cli.main(["report", str(tmp_path / "logs"), "--png", str(tmp_path / "a.png")]) == 0
    titles = [heat.get_title(loc="left") for heat, *_ in panels(figures[0])]
    assert [title[:2] for title in titles] == ["c:", "e:", "a:", "b:"]
    assert figures[0].get_suptitle() == "not shown: d, f"
    error = capsys.readouterr().err
    assert error == f"tb-gradients: {tmp_path / 'a.png'}: not shown: d, f\n"
    write_run(tmp_path / "logs/g/gradients", dense_structure(2), [1])
    for name in range(5):
        write_run(tmp_path / f"logs/h{name}/gradients", dense_structure(2), [1])
    assert cli.main(["report", str(tmp_path / "logs"), "--png", str(tmp_path / "a.png")]) == 0
    assert figures[1].get_suptitle() == "not shown: d, f, g, h0, h1, h2 and 2 more runs"


def test_names_are_drawn_as_they_are_whatever_they_hold(tmp_path, figures):
    hostile = "$x^{2$\x1b[31m層 \\frac"
    structure = ModelStructure(
        (Layer(hostile, "Dense"),), (Variable(f"{hostile}/k", 0, "kernel", (2, 2)),)
    )
    write_run(tmp_path / f"logs/{hostile}/gradients", structure, [1, 2])
    command = ["report", str(tmp_path / "logs"), "--json", "--png", str(tmp_path / "a.png")]
    assert cli.main(command) == 0
    ((heat, _, _),) = panels(figures[0])
    assert names(heat) == ["$x^{2$\ufffd[31m層 \\frac"]


def test_other_thresholds_show_in_the_picture(tmp_path, figures):
    write_fading(tmp_path / "logs/gradients", 2.6)
    command = ["report", str(tmp_path / "logs"), "--png", str(tmp_path / "a.png")]
    assert cli.main(command) == 0
    assert cli.main([*command, "--threshold", "attenuation=2"]) == 0
    before, after = ([rows for _, rows in marks(panels(f)[0][1])] for f in figures)
    assert before == []
    assert after[0][0] == 0
    titles = [panels(f)[0][0].get_title("left") for f in figures]
    assert ["Judged again with attenuation = 2 (default 3)." in t for t in titles] == [False, True]


def test_a_user_s_own_settings_change_nothing(tmp_path):
    import matplotlib

    write_run(tmp_path / "logs/gradients", dense_structure(3), [1, 2])
    pictures = []
    for settings in ({}, {"font.size": 30, "savefig.dpi": 30, "axes.facecolor": "red"}):
        with matplotlib.rc_context(settings):
            mine = dict(matplotlib.rcParams)
            path = tmp_path / f"{len(pictures)}.png"
            assert cli.main(["report", str(tmp_path / "logs"), "--png", str(path)]) == 0
            assert dict(matplotlib.rcParams) == mine
        pictures.append(path.read_bytes())
    assert pictures[0] == pictures[1]


def test_a_store_is_drawn_as_a_directory_is(tmp_path):
    write_run(tmp_path / "logs/run/gradients", dense_structure(3), [1, 2])
    fsspec.filesystem("memory").put(str(tmp_path / "logs"), "/png_logs", recursive=True)
    for logs, name in ((str(tmp_path / "logs"), "a"), ("memory://png_logs", "b")):
        assert cli.main(["report", logs, "--png", str(tmp_path / name)]) == 0
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_file_that_cannot_be_written_is_told(tmp_path, capsys):
    write_run(tmp_path / "logs/gradients", dense_structure(1), [1])
    path = tmp_path / "no/such/a.png"
    assert cli.main(["report", str(tmp_path / "logs"), "--png", str(path)]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"tb-gradients: --png {path}: No such file or directory")
    assert "name a file that can be written" in error


def test_statistics_that_cannot_be_read_are_told_once_and_drawn_as_missing(tmp_path, capsys):
    writer = EventFileWriter(tmp_path / "logs/gradients")
    structure = dense_structure(2)
    event = summaries.step_event(record(structure, 1), health([1]))
    writer.write(event)  # without the structure
    writer.close()
    path = tmp_path / "a.png"
    assert cli.main(["report", str(tmp_path / "logs"), "--png", str(path)]) == 0
    assert path.read_bytes().startswith(PNG)
    error = capsys.readouterr().err
    assert error == "tb-gradients: .: no model structure has been written: layers are unknown\n"


def test_without_matplotlib_one_line_says_what_to_install(tmp_path):
    write_run(tmp_path / "logs/gradients", dense_structure(1), [1])
    code = (
        "import sys; sys.modules['matplotlib'] = None\n"
        "from tb_gradplugin import cli\n"
        f"plain = cli.main(['report', {str(tmp_path / 'logs')!r}])\n"
        f"sys.exit(plain or cli.main(['report', {str(tmp_path)!r}, '--png', 'a.png']))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert re.match(
        r'tb-gradients: --png needs matplotlib: pip install "tb-gradplugin\[png\]"', line
    )


def test_the_picture_needs_neither_pyplot_nor_a_framework(tmp_path):
    from test_imports import FRAMEWORKS, modules_after

    write_run(tmp_path / "gradients", dense_structure(1), [1])
    arguments = ["report", str(tmp_path), "--json", "--png", str(tmp_path / "a.png")]
    loaded = modules_after(
        f"import contextlib, io\nfrom tb_gradplugin import cli\n"
        f"with contextlib.redirect_stdout(io.StringIO()): assert cli.main({arguments!r}) == 0"
    )
    assert "matplotlib" in loaded
    assert loaded.isdisjoint({"matplotlib.pyplot", *FRAMEWORKS})
