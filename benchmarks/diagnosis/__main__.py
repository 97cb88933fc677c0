"""Records labelled runs, judges the recordings, and writes the table into the documents.

python -m benchmarks.diagnosis record [--part development|holdout|all] [--jobs 2]
python -m benchmarks.diagnosis score  [--holdout]
python -m benchmarks.diagnosis docs   [--holdout]
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from benchmarks.diagnosis.recording import DEFAULT_CACHE
from benchmarks.diagnosis.runs import catalogue

SEEDS = 3


def main(argv: list[str] | None = None) -> int:
    """Runs the command; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.diagnosis", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--cache", type=Path, default=DEFAULT_CACHE, help="folder of recordings")
    shared.add_argument("--seeds", type=int, default=SEEDS)
    shared.add_argument("--only", default="", help="only runs whose id begins with one of a,b,c")
    record = commands.add_parser("record", parents=[shared])
    record.add_argument("--part", default="all", choices=("development", "holdout", "all"))
    record.add_argument("--jobs", type=int, default=2)
    args = parser.parse_args(argv)
    runs = [r for r in catalogue() if r.id.startswith(tuple(args.only.split(",")))]
    if args.command == "record":
        from benchmarks.diagnosis.recorder import record_all

        parts = [r for r in runs if args.part in ("all", r.split)]
        parts.sort(key=lambda r: r.split == "holdout")
        return 1 if record_all(parts, args.seeds, args.cache, args.jobs) else 0
    return 0


if __name__ == "__main__":
    sys.exit(main())
