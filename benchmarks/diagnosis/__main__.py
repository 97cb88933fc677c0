"""Records labelled runs, judges the recordings, and writes the tables into the documents.

python -m benchmarks.diagnosis record  [--part development|holdout|all] [--jobs 2]
python -m benchmarks.diagnosis outcomes [--part ...]     # labels against outcomes, no rules
python -m benchmarks.diagnosis score   [--holdout]       # what our rules and the peers' say
python -m benchmarks.diagnosis docs    [--holdout]       # docs/diagnosis_benchmark.md
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.diagnosis import report
from benchmarks.diagnosis.judging import judge_all, recorded
from benchmarks.diagnosis.recording import DEFAULT_CACHE, load
from benchmarks.diagnosis.runs import catalogue
from benchmarks.diagnosis.runs.base import HELD_OUT, Run
from benchmarks.diagnosis.score import outcome

SEEDS = 3
DOCUMENT = Path(__file__).parents[2] / "docs" / "diagnosis_benchmark.md"


def main(argv: list[str] | None = None) -> int:
    """Runs the command; returns the exit code."""
    args = parse(argv)
    runs = [r for r in catalogue() if r.id.startswith(tuple(args.only.split(",")))]
    if args.command in ("record", "outcomes"):
        runs = [r for r in runs if args.part in ("all", r.split)]
        runs.sort(key=lambda r: r.split == "holdout")
    if args.command == "record":
        from benchmarks.diagnosis.recorder import record_all

        return 1 if record_all(runs, args.seeds, args.cache, args.jobs) else 0
    if args.command == "outcomes":
        return outcomes(runs, args.seeds, args.cache)
    parts = {"development": [r for r in runs if r.split == "development"]}
    if args.holdout:
        parts["hold-out"] = [r for r in runs if r.split == "holdout"]
    judged = {
        name: judge_all(own, args.seeds, args.cache, args.jobs)
        for name, own in parts.items()
        if own
    }
    if args.command == "docs":
        text = "\n".join(report.part(name.capitalize(), own) for name, own in judged.items())
        if args.holdout:
            text += f"\nThe hold-out part has been looked at {report.looks()} times (`LOOKS.md`).\n"
        report.write(DOCUMENT, text)
        return 0
    for name, own in judged.items():
        print(f"== {name}")
        if name == "hold-out":
            print(f"looked at {report.looks()} times before: add a line to {report.LOOKS.name}")
        print(report.listing(own))
        print("\n" + report.part(name, own))
    return 0


def parse(argv: list[str] | None) -> argparse.Namespace:
    """Arguments; ends the program where the hold-out part is asked for without its flag."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.diagnosis",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True)
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--cache", type=Path, default=DEFAULT_CACHE, help="folder of recordings")
    shared.add_argument("--seeds", type=int, default=SEEDS)
    shared.add_argument("--only", default="", help="only runs whose id begins with one of a,b,c")
    shared.add_argument("--jobs", type=int, default=2, help="processes")
    for name in ("record", "outcomes"):
        command = commands.add_parser(name, parents=[shared])
        command.add_argument("--part", default="all", choices=("development", "holdout", "all"))
    for name in ("score", "docs"):
        command = commands.add_parser(name, parents=[shared])
        command.add_argument("--holdout", action="store_true", help="look at the hold-out part too")
    args = parser.parse_args(argv)
    prefixes = [prefix for prefix in args.only.split(",") if prefix]
    asked = [p for p in prefixes if any(p.startswith(h) or h.startswith(p) for h in HELD_OUT)]
    if args.command in ("score", "docs") and asked and not args.holdout:
        parser.error(f"`--only` (={args.only}) names hold-out runs: they need `--holdout`.")
    return args


def outcomes(runs: Sequence[Run], seeds: int, cache: Path) -> int:
    """Prints labels beside outcomes, without asking a rule; the exit code tells of disagreement."""
    apart = 0
    for run, seed, path in recorded(runs, seeds, cache):
        recording = load(path)
        is_apart = run.expected is not None and outcome(run, recording.failed) == "apart"
        apart += is_apart
        label = "?" if run.expected is None else "/".join(run.expected) or "healthy"
        relative = recording.final / recording.reference
        flag = "DISAGREES" if is_apart else ""
        print(f"{run.id:24} {seed} {run.split:11} {run.history:8} {relative:9.3g} {label} {flag}")
    print(f"{apart} recordings disagree with their labels")
    return int(apart > 0)


if __name__ == "__main__":
    sys.exit(main())
