"""``tb-gradients``: the health report in a terminal or in CI, and a demo."""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import os
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from tb_gradplugin.health.report import KINDS, Finding, HealthReport, RunHealth
from tb_gradplugin.health.thresholds import Thresholds

if TYPE_CHECKING:
    from rich.console import RenderableType

FINE, FOUND, NO_DATA = 0, 1, 2
"""Exit codes of ``report``; wrong arguments exit with 2 too."""


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command line ``argv`` (default: the process's) and returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="tb-gradients", description="Gradients of Keras training: what is sick and why."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    report = commands.add_parser(
        "report",
        help="print the findings of every run below a log directory",
        epilog="Exit codes: 0 no finding among --fail-on, 1 a finding (also one that healed), "
        "2 no such directory, no data, or a file that cannot be written.",
    )
    report.add_argument("logdir", metavar="LOGDIR", help="a directory, or a URL that fsspec knows")
    report.add_argument("--json", action="store_true", help="print JSON and nothing else")
    report.add_argument(
        "--fail-on",
        metavar="KINDS",
        type=_kinds,
        default=frozenset(),
        help=f"exit with 1 on findings of these kinds, comma-separated: {', '.join(KINDS)}",
    )
    report.add_argument(
        "--html",
        metavar="FILE",
        help="write the dashboard of all runs to one HTML file that needs no server",
    )
    report.add_argument(
        "--png",
        metavar="FILE",
        help="draw heatmaps and depth profiles of up to four runs into one picture; "
        'needs matplotlib: pip install "tb-gradplugin[png]"',
    )
    report.add_argument(
        "--threshold",
        metavar="NAME=VALUE",
        action="append",
        type=_threshold,
        default=[],
        help="judge the logged steps again with this field of Thresholds; may be given repeatedly",
    )
    demo = commands.add_parser("demo", help="train sick and healthy models on digits")
    demo.add_argument("logdir", metavar="LOGDIR")
    arguments = parser.parse_args(argv)
    if arguments.command == "demo":
        from tb_gradplugin.demo import run_demo

        return run_demo(arguments.logdir)
    try:
        thresholds = Thresholds(**dict(arguments.threshold)) if arguments.threshold else None
    except (TypeError, ValueError) as error:
        parser.error(f"--threshold: {error}")
    if arguments.png is not None and not _can_draw():
        return NO_DATA
    with _local(arguments.logdir, whole=arguments.html is not None) as logdir:
        return NO_DATA if logdir is None else _report(arguments, logdir, thresholds)


def _kinds(text: str) -> frozenset[str]:
    kinds = frozenset(kind.strip() for kind in text.split(","))
    unknown = sorted(kinds - set(KINDS))
    if unknown:
        names = ", ".join(repr(kind) for kind in unknown)
        raise argparse.ArgumentTypeError(f"unknown kind {names}; choose from {', '.join(KINDS)}")
    return kinds


def _threshold(text: str) -> tuple[str, float]:
    name, _, value = text.partition("=")
    defaults = dataclasses.asdict(Thresholds())
    if name not in defaults:
        known = ", ".join(defaults)
        raise argparse.ArgumentTypeError(f"unknown threshold {name!r}; one of {known}")
    whole = isinstance(defaults[name], int)
    try:
        return name, int(value) if whole else float(value)
    except ValueError:
        kind = "an integer" if whole else "a number"
        raise argparse.ArgumentTypeError(f"{name} must be {kind}, not {value!r}") from None


@contextlib.contextmanager
def _local(logdir: str, *, whole: bool) -> Iterator[str | None]:
    """``logdir``, or a copy of it for the time being if it is a URL; None: there is no such."""
    from tb_gradplugin import stores

    with contextlib.ExitStack() as stack:
        found: str | None = logdir
        if stores.is_url(logdir):
            try:
                found = stack.enter_context(stores.local_copy(logdir, monitors_only=not whole))
            except Exception as error:  # of any kind: each store has its own
                _complain(f"{logdir}: cannot be read: {error or type(error).__name__}")
                found = None
        elif not os.path.isdir(logdir):
            _complain(f"{logdir}: no such directory")
            found = None
        yield found


def _can_draw() -> bool:
    try:
        from tb_gradplugin import png_report  # noqa: F401
    except ImportError as error:
        _complain(f'--png needs matplotlib: pip install "tb-gradplugin[png]" ({error})')
        return False
    return True


def _report(arguments: argparse.Namespace, logdir: str, thresholds: Thresholds | None) -> int:
    """``logdir`` is local."""
    from tb_gradplugin.logdir import read_report

    report = read_report(logdir, thresholds)
    for problem in report.problems:
        _complain(problem)
    if report.verdict == "no data":
        _complain(f"{arguments.logdir}: no gradient data; train with GradientMonitor to get some")
        return NO_DATA
    if arguments.json:
        from tb_gradplugin.views import strict

        print(json.dumps(strict(report.to_dict()), allow_nan=False, indent=2))
    else:
        _print(report)
    pictures = (("--html", arguments.html, _write_html), ("--png", arguments.png, _write_png))
    for option, path, write in pictures:
        if path is None:
            continue
        try:
            lines = write(logdir, path, report)
        except OSError as error:
            reason = error.strerror or error
            _complain(f"{option} {path}: {reason}; name a file that can be written")
            return NO_DATA
        for line in lines:
            _complain(line)
    return FOUND if arguments.fail_on & set(report.kinds) else FINE


def _write_html(logdir: str, path: str, report: HealthReport) -> list[str]:
    """What to say of it."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # TensorBoard imports it where it is
    from tb_gradplugin import html_report

    left_out = html_report.write(logdir, path, report)
    return [f"{path}: {len(left_out)} views are not in it, it would be too large"] * bool(left_out)


def _write_png(logdir: str, path: str, report: HealthReport) -> list[str]:
    """What to say of it."""
    from tb_gradplugin import png_report

    return png_report.write(logdir, path, report)


def _complain(line: str) -> None:
    print(f"tb-gradients: {_printable(line)}", file=sys.stderr)


def _printable(text: str) -> str:
    """Names come from files: no control characters or lone surrogates reach the terminal."""
    text = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)
    encoding = sys.stdout.encoding or "utf-8"
    return text.encode(encoding, "replace").decode(encoding)


def _print(report: HealthReport) -> None:
    from rich.console import Console

    console = Console(highlight=False, markup=False, emoji=False)
    for name, health in report.runs.items():
        for part in _run(name, health):
            console.print(part)


def _run(name: str, health: RunHealth) -> Iterable[RenderableType]:
    from rich import box
    from rich.padding import Padding
    from rich.table import Table
    from rich.text import Text

    colour = {"unhealthy": "bold red", "healthy": "bold green"}.get(health.verdict, "dim")
    steps = f"steps {health.first_step} to {health.last_step}, {health.logged} logged"
    yield Text.assemble(
        (_printable(name), "bold"),
        "  ",
        (health.verdict, colour),
        (f"  {steps}" if health.logged else "", "dim"),
    )
    for note in health.notes:
        yield Padding(Text(_printable(f"{note.kind}: {note.cause}"), "dim"), (0, 0, 0, 2))
    if not health.findings:
        return
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in ("kind", "severity", "layers", "since step", "state"):
        table.add_column(heading, justify="right" if heading == "since step" else "left")
    for f in health.findings:
        state = "active" if f.active else f"healed after step {f.last_step}"
        cells = (f.kind, f.severity, compact_layers(f.layers), str(f.since_step), state)
        style = "dim" if not f.active else "red" if f.severity == "critical" else "yellow"
        table.add_row(*(Text(_printable(cell), overflow="fold") for cell in cells), style=style)
    yield Padding(table, (0, 0, 0, 2))
    for f in health.findings:
        yield Padding(Text(_printable(_advice(f))), (0, 0, 0, 2))
    yield Text()


def _advice(finding: Finding) -> str:
    advice = f"{finding.kind}: {finding.cause}"
    if finding.remedies:
        remedy = finding.remedies[0]
        advice += f" Try: {remedy.title}. {remedy.why}"
    return advice


def compact_layers(paths: Sequence[str]) -> str:
    """Layer paths in little space: ``dense_0 … dense_4 (5)`` for a run of numbered names."""
    groups: list[list[str]] = []
    for path in paths:
        if groups and _numbered(groups[-1][-1]) == _numbered(path):
            groups[-1].append(path)
        else:
            groups.append([path])
    shown = [g[0] if len(g) == 1 else f"{g[0]} … {g[-1]} ({len(g)})" for g in groups]
    if len(shown) > 4:
        rest = sum(len(g) for g in groups[4:])
        shown = [*shown[:4], f"and {rest} more"]
    return ", ".join(shown)


def _numbered(path: str) -> str:
    """The path with every number masked; a bare ``dense`` belongs to ``dense_1``."""
    return re.sub(r"_#(?=/|$)", "", re.sub(r"\d+", "#", path))


if __name__ == "__main__":
    sys.exit(main())
