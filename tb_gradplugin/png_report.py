"""Heatmaps and depth profiles of runs in one PNG, drawn by matplotlib (the extra ``[png]``)."""

from __future__ import annotations

import os
import textwrap
import warnings
from collections.abc import Mapping, Sequence

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from tb_gradplugin import logdir, metadata, png_panels, sources, views
from tb_gradplugin.health.report import HealthReport, RunHealth
from tb_gradplugin.png_panels import SMALL

MAX_RUNS = 4
"""Rows of panels; more are not readable on a page."""
WIDTH, DPI = 14.0, 150
"""Inches, and pixels an inch: no column of a heatmap is thinner than a pixel."""


def write(directory: str, path: str, report: HealthReport) -> list[str]:
    """Draws the runs of ``report`` into the file ``path``, unhealthy ones first.

    Args:
        directory: the local log directory that ``report`` is about.
        path: of the file; replaced if it is there.
        report: says which runs there are and which of their layers are sick.

    Returns:
        one sentence each on what could not be read and on what is not in the picture.

    Raises:
        OSError: the file cannot be written.
    """
    names = [name for name, health in report.runs.items() if health.logged]
    names.sort(key=lambda name: report.runs[name].verdict != "unhealthy")
    directories = dict(logdir.monitor_directories(directory))
    lines, runs = [], {}
    for name in names[:MAX_RUNS]:
        tags = (metadata.MODEL_TAG, metadata.STATISTICS_TAG)
        source = sources.FileSource(directories[name], tags)
        runs[name] = views.read_overview(source), report.runs[name]
        known = "\n".join(report.problems)
        lines += [f"{name}: {line}" for line in source.problems if line not in known]
    if left_out := names[MAX_RUNS:]:
        lines.append(f"{path}: {_missing(left_out)}")
    partial = f"{path}.partial"
    with matplotlib.rc_context(), warnings.catch_warnings():
        matplotlib.rcdefaults()  # not what a user has set for pictures of their own
        warnings.filterwarnings("ignore", "Glyph .* missing")  # names may be in any script
        draw(runs, left_out).savefig(partial, format="png")
    os.replace(partial, path)
    return lines


def draw(
    runs: Mapping[str, tuple[views.Overview, RunHealth]], left_out: Sequence[str] = ()
) -> Figure:
    """The picture: a row a run, with its heatmap and its depth profile side by side.

    Args:
        runs: by name, at least one.
        left_out: names of runs to say that they are missing.
    """
    tallest, of_a_layer = 7.5 if len(runs) == 1 else 3.2, 1.3 * png_panels.LABEL
    heights = [min(tallest, max(1.5, of_a_layer * len(s.paths))) for s, _ in runs.values()]
    figure = Figure(
        (WIDTH, sum(heights) + 0.9 * len(runs) + 1.1),
        DPI,
        layout=ConstrainedLayoutEngine(wspace=0.005),
    )
    grid = figure.add_gridspec(
        len(runs) + 2, 3, width_ratios=(30, 1, 10), height_ratios=(*heights, 0.12, 0.4)
    )
    image, marked = None, {}
    for at, (name, (seen, health)) in enumerate(runs.items()):
        left = figure.add_subplot(grid[at, 0])
        _title(left, name, health, len(seen.paths))
        if not (len(seen.steps) and seen.paths):
            left.set(xticks=[], yticks=[], xlabel="no gradient norms could be read")
            continue
        found, height = views.heatmap(seen, health), heights[at]
        image = png_panels.heatmap(left, found, len(seen.steps), height)
        between = figure.add_subplot(grid[at, 1], sharey=left)
        marked |= dict.fromkeys(png_panels.gutter(between, found, height))
        png_panels.profile(figure.add_subplot(grid[at, 2], sharey=left), seen.series)
    if image is not None:
        bar = figure.colorbar(
            image, figure.add_subplot(grid[-2, 0]), orientation="horizontal", extend="both"
        )
        bar.ax.tick_params(labelsize=SMALL)
        bar.set_label(
            "level in decades (log10): below 0, |g| |W| against the most sensitive layer of the "
            "step; above 0, the gradient norm against the layer's own start",
            fontsize=SMALL,
        )
    below = figure.add_subplot(grid[-1, :])
    below.set_axis_off()
    keys = png_panels.legend(marked)
    below.legend(handles=keys, loc="center left", ncols=6, fontsize=SMALL).set_in_layout(False)
    if left_out:
        figure.suptitle(_missing(left_out), fontsize=SMALL, parse_math=False)
    return figure


def _missing(runs: Sequence[str]) -> str:
    some = ", ".join(png_panels.short(name) for name in runs[:6])
    return f"not shown: {some}" + (f" and {len(runs) - 6} more runs" if len(runs) > 6 else "")


def verdict_line(health: RunHealth, layers: int) -> str:
    """The verdict in the dashboard's words, and the kinds of what is active."""
    active = [f for f in health.findings if f.active]
    if not active:
        gone = len(health.findings)
        healed = f" now; {gone} finding{'s' * (gone > 1)} healed" if gone else ""
        every = "The one layer is" if layers == 1 else f"All {layers:,} layers are"
        return f"{every} healthy{healed}"
    sick = len({layer for f in active for layer in f.layers})
    who = f"{sick:,} of {layers:,} layers {'is' if sick == 1 else 'are'}" if sick else "The run is"
    who = "The one layer is" if sick == layers == 1 else who
    kinds = ", ".join(dict.fromkeys(f.kind for f in active))
    return f"{who} sick since step {min(f.since_step for f in active):,}: {kinds}"


def _title(panel: Axes, name: str, health: RunHealth, layers: int) -> None:
    """The verdict and, below it, cause and first remedy of the worst active finding."""
    worst = next((f for f in health.findings if f.active), None)
    why = f"{worst.kind}: {worst.cause}" if worst else ""
    if worst and worst.remedies:
        why += f" Try: {worst.remedies[0].title}."
    lines = textwrap.wrap(png_panels.short(why, 1000), 200, max_lines=2, placeholder=" …")
    judged = [note.cause for note in health.notes if note.kind == "thresholds"]
    text = ". ".join((verdict_line(health, layers), *judged))
    panel.set_title(
        text if name == "." else f"{png_panels.short(name, 60)}: {text}",
        {"fontsize": 10, "fontweight": "bold"},
        loc="left",
        pad=6 + 11 * len(lines),
        parse_math=False,
    )
    small = panel.annotate(
        "\n".join(lines),
        (0, 1),
        (0, 4),
        xycoords="axes fraction",
        textcoords="offset points",
        fontsize=SMALL,
        parse_math=False,
    )
    small.set_in_layout(False)
