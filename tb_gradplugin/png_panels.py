"""The panels of ``png_report``: a run's heatmap, and its depth profile on the same layers.

Colours and marks are the dashboard's (``palette.ts``, ``kinds.ts``), for light paper.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, ListedColormap
from matplotlib.image import AxesImage
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from tb_gradplugin import scales

COLOUR_DECADES = 3.0
"""Beyond this many decades the colour does not change any more."""
LABEL = 0.13
"""Inches from one layer's name to the next, at least."""
SCALE = ("#084081", "#4393c3", "#f4f4f2", "#e6963c", "#8c3c00")
SPECIAL = {
    scales.NOT_RECORDED: ("#a8a8a8", "not recorded"),
    scales.NONFINITE: ("#9000f0", "NaN or Inf in the gradient"),
    scales.ZERO: ("#111111", "gradient exactly zero"),
}
KINDS = {
    "vanishing": ("#0b5394", "v"),
    "exploding": ("#9a4300", "^"),
    "dead": ("#202124", "s"),
    "nonfinite": ("#7a00cc", "X"),
}
OTHER = ("#5f6368", "o")
FIRST, LAST = "#a8a8a8", "#1a5fb4"
SMALL = 8
"""Points of all text but titles."""


def heatmap(panel: Axes, found: dict[str, Any], logged: int, height: float) -> AxesImage:
    """Layers x steps of the answer ``found`` of ``heatmap``, with bars where layers fell sick.

    Args:
        panel: to draw into.
        found: see ``http_api.md``; columns that stand for several steps, and rows that have to
            stand for several layers, show the most extreme.
        logged: steps.
        height: of the panel in inches, about.
    """
    steps, layers = found["steps"], len(found["layers"])
    codes = np.frombuffer(b"".join(found["codes"]), np.uint8).reshape(len(steps), layers).T
    _, codes = scales.bucket(codes, int(0.85 * height * panel.figure.dpi))
    level = (codes.astype(float) - scales.CODE_OF_ZERO) / scales.CODES_PER_DECADE
    special = np.isin(codes, list(SPECIAL))
    how: dict[str, Any] = {
        "extent": (-0.5, len(steps) - 0.5, layers - 0.5, -0.5),
        "aspect": "auto",
        "interpolation": "nearest",
    }
    apart = ListedColormap([colour for colour, _ in SPECIAL.values()])
    panel.imshow(np.ma.array(codes, mask=~special), apart, vmin=0, vmax=len(SPECIAL) - 1, **how)
    limits = {"vmin": -COLOUR_DECADES, "vmax": COLOUR_DECADES}
    image = panel.imshow(np.ma.array(level, mask=special), colours(), **limits, **how)
    # Here and in the panels that share the layers, whatever they draw.
    panel.set(xlim=(-0.5, len(steps) - 0.5), ylim=(layers - 0.5, -0.5))
    ticks = np.unique(np.linspace(0, len(steps) - 1, min(len(steps), 9)).round().astype(int))
    panel.set_xticks(ticks, [f"{steps[i]:,}" for i in ticks], fontsize=SMALL)
    across, down = math.ceil(logged / len(steps)), math.ceil(layers / len(codes))
    each = "each in a column" if across == 1 else f"up to {across} in a column"
    panel.set_xlabel(f"train step ({logged:,} logged, {each})", fontsize=SMALL)
    of = "" if down == 1 else f" (up to {down} in a row)"
    panel.set_ylabel(f"layers in forward order{of}", fontsize=SMALL)
    _name(panel, found, math.ceil(layers * LABEL / height))
    for kind, _, rows, since in _findings(found):
        at = np.maximum(np.searchsorted(steps, since, "right") - 1, 0) - 0.5
        for width, colour in ((3.5, "white"), (1.5, KINDS.get(kind, OTHER)[0])):
            panel.vlines(at, rows - 0.5, rows + 0.5, colors=colour, linewidths=width)
    return image


def colours() -> LinearSegmentedColormap:
    """From -``COLOUR_DECADES`` to there; neutral in the dead band."""
    dead = scales.GROWTH_DEAD_BAND / COLOUR_DECADES
    places = (-1, -(1 + dead) / 2, -dead, dead, (1 + dead) / 2, 1)
    stops = zip(((at + 1) / 2 for at in places), (*SCALE[:3], *SCALE[2:]), strict=True)
    return LinearSegmentedColormap.from_list("levels", list(stops), N=1024)


def _findings(found: dict[str, Any]) -> Iterator[tuple[str, bool, np.ndarray, np.ndarray]]:
    """(kind, active, rows of the layers, step since when each is sick), worst first."""
    groups: dict[tuple[str, bool], list[tuple[int, int]]] = {}
    for row, kind, since, _, active in found["sick"]:
        groups.setdefault((kind, active), []).append((row, since))
    for (kind, active), pairs in groups.items():
        yield kind, active, *np.array(pairs).T


def gutter(panel: Axes, found: dict[str, Any], height: float) -> list[tuple[str, bool]]:
    """A mark at every layer of a finding, never too small to see; hollow once it healed.

    Returns:
        (kind, active) of what is marked.
    """
    panel.set_axis_off()
    marked, kinds = [], list(dict.fromkeys(kind for _, kind, *_ in found["sick"]))
    size = min(7.0, max(3.5, 50 * height / len(found["layers"])))
    for kind, active, rows, _ in _findings(found):
        colour, marker = KINDS.get(kind, OTHER)
        fill = colour if active else "none"
        at = np.full(len(rows), kinds.index(kind))
        panel.scatter(at, rows, size**2, fill, marker=marker, edgecolors=colour, linewidths=0.7)
        marked.append((kind, active))
    panel.set_xlim(-0.6, max(len(kinds), 2) - 0.4)
    return marked


def _name(panel: Axes, found: dict[str, Any], gap: int) -> None:
    """Names at least ``gap`` layers apart: of the first of neighbouring sick ones, then others."""
    paths, kind_of = found["layers"], {row: kind for row, kind, *_ in reversed(found["sick"])}
    named: list[int] = []
    for row in (*(r for r in sorted(kind_of) if r - 1 not in kind_of), *range(0, len(paths), gap)):
        if all(abs(row - other) >= gap for other in named):
            named.append(row)
    named.sort()
    names = [short(paths[row]) for row in named]
    for row, text in zip(named, panel.set_yticks(named, names, fontsize=7), strict=True):
        text.label1.set_parse_math(False)
        if row in kind_of:
            text.label1.set(color=KINDS.get(kind_of[row], OTHER)[0], fontweight="bold")


def short(name: str, most: int = 32) -> str:
    """``name`` without what cannot be drawn, and without its middle if it is long."""
    name = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in name)
    half = (most - 1) // 2
    return name if len(name) <= most else f"{name[:half]}…{name[-half:]}"


def profile(panel: Axes, series: scales.LayerSeries) -> None:
    """Gradient norms of all layers at the first and the last logged step.

    Those of the last that are zero or not finite have no place on a log axis, but marks at its
    left end.
    """
    rows = np.arange(len(series.layers))
    usable = series.norm > 0  # NaN where not finite
    dot = 5 if len(rows) <= 60 else 2
    for at, colour in ((0, FIRST), (-1, LAST)):
        norm = np.where(usable[at], series.norm[at], np.nan)
        panel.plot(norm, rows, ".-", color=colour, linewidth=1, markersize=dot)
    zero = series.norm[-1] == 0
    for there, code in ((zero, scales.ZERO), (series.bad[-1], scales.NONFINITE)):
        at, colour = np.flatnonzero(there), SPECIAL[code][0]
        place = panel.get_yaxis_transform()
        panel.plot(np.full(len(at), 0.02), at, "_", ms=9, mew=2, color=colour, transform=place)
    shown = np.log10(series.norm[[0, -1]][usable[[0, -1]]])
    if len(shown):
        low = math.floor(shown.min())
        high = max(low + 1, math.ceil(shown.max()))
        decades = range(low, high + 1, math.ceil((high - low) / 4))
        panel.set(xscale="log", xlim=(10.0**low / 1.5, 10.0**high * 1.5))
        panel.set_xticks([10.0**n for n in decades], [f"1e{n}" for n in decades])
        panel.minorticks_off()
    else:
        panel.set_xticks([])
    panel.tick_params(labelsize=SMALL, left=False, labelleft=False)
    panel.grid(color="#e8e8e6")
    panel.set_xlabel("gradient norm (L2, log axis)", fontsize=SMALL)


def legend(kinds: Iterable[tuple[str, bool]]) -> list[Artist]:
    """Keys of both panels; ``kinds`` are (kind, active) of the findings that are marked."""
    keys: list[Artist] = [Patch(color=colour, label=words) for colour, words in SPECIAL.values()]
    for kind, active in kinds:
        colour, marker = KINDS.get(kind, OTHER)
        key = Line2D([], [], linestyle="", marker=marker, color=colour)
        key.set_markerfacecolor(colour if active else "none")
        key.set_label(f"{kind}, since the bar" if active else f"{kind}, healed")
        keys.append(key)
    for colour, words in ((FIRST, "norm at the first logged step"), (LAST, "norm at the last")):
        keys.append(Line2D([], [], color=colour, marker=".", label=words))
    return keys
