"""Results as text for a terminal, and as the table of the documents."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from benchmarks.diagnosis.score import Result, Row, by_kind, finite, rows

BEGIN, END = "<!-- results: begin -->", "<!-- results: end -->"
LOOKS = Path(__file__).parent / "LOOKS.md"


def looks() -> int:
    """How often the hold-out part was looked at: rows of the table in ``LOOKS.md``."""
    lines = LOOKS.read_text(encoding="utf-8").splitlines()
    return sum(line.startswith("| ") and line[2].isdigit() for line in lines)


def line(result: Result) -> str:
    """One recording: what came out, and what was found."""
    found = ", ".join(
        f"{f.kind}/{f.severity}@{f.since_step}-{f.last_step} {f.layers[0] if f.layers else '-'}"
        f"x{len(f.layers)}{'' if f.active else ' healed'}"
        for f in result.verdict.findings
    )
    expected = "?" if result.run.expected is None else "/".join(result.run.expected) or "healthy"
    return f"  {result.run.id:24} {result.seed} {result.relative:9.3g}  {expected}: {found or '-'}"


def section(title: str, results: Sequence[Result]) -> list[str]:
    """A heading with a line for each result; nothing for none."""
    return [f"\n{title} ({len(results)}):", *map(line, results)] if results else []


def listing(results: Sequence[Result]) -> str:
    """What went wrong, by kind of wrong."""
    sick = [r for r in results if r.outcome == "sick"]
    out = section("MISSED", [r for r in sick if not r.verdict.findings])
    out += section("OTHER KIND", [r for r in sick if r.verdict.findings and not r.right_kind])
    out += section("OTHER LAYER", [r for r in sick if r.right_layer is False])
    healthy = [r for r in results if r.outcome == "healthy" and r.false_kinds]
    out += section("FALSE ALARM", healthy)
    unlearnable = [r for r in results if r.outcome == "unlearnable" and r.false_kinds]
    out += section("FALSE ALARM, nothing to learn", unlearnable)
    out += section("APART: label and outcome disagree, or no label", apart(results))
    return "\n".join(out)


def apart(results: Sequence[Result]) -> list[Result]:
    """Results that are not scored."""
    return [r for r in results if r.outcome == "apart"]


HEAD = (
    "rules",
    "recall",
    "right kind",
    "right layer",
    "false alarms",
    "at most",
    "nothing to learn",
    "median step",
)


def cells(row: Row) -> list[str]:
    """One line of the table."""
    return [
        row.name,
        str(row.recall),
        "-" if row.kind is None else str(row.kind),
        "-" if row.layer is None else str(row.layer),
        str(row.false),
        f"{row.false.bound:.3f}; configurations {row.false_configurations.bound:.3f}",
        str(row.unlearnable),
        finite(row.step),
    ]


def table(results: Sequence[Result]) -> str:
    """Markdown: a line for each set of rules."""
    lines = [HEAD, ["---"] * len(HEAD), *map(cells, rows(results))]
    return "\n".join(f"| {' | '.join(one)} |" for one in lines)


def counts(results: Sequence[Result]) -> str:
    """How many recordings of how many configurations, by outcome."""
    number = Counter(r.outcome for r in results)
    configurations = len({r.run.id for r in results})
    told = ", ".join(
        f"{number[name]} {name}" for name in ("sick", "healthy", "unlearnable", "apart")
    )
    return f"{len(results)} recordings of {configurations} configurations: {told}."


def part(title: str, results: Sequence[Result]) -> str:
    """One part as Markdown."""
    kinds = "; ".join(f"{kind} {share}" for kind, share in by_kind(results))
    return (
        f"### {title}\n\n{counts(results)}\n\n{table(results)}\n\n"
        f"Right kind by the kind that is expected first: {kinds}.\n"
    )


def write(document: Path, text: str) -> None:
    """Puts ``text`` between the two marks of ``document``."""
    before, _, rest = document.read_text(encoding="utf-8").partition(BEGIN)
    _, mark, after = rest.partition(END)
    if not mark:
        raise ValueError(f"`document` (={document}) must hold the marks {BEGIN} and {END}.")
    document.write_text(f"{before}{BEGIN}\n\n{text}\n{END}{after}", encoding="utf-8")
