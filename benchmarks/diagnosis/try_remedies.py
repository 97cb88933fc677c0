"""Tries the remedies of sick runs: does the network learn then, and is its report healthy?

    python benchmarks/diagnosis/try_remedies.py [--split dev,fresh] [--first] [--most 3] [--docs]

Judges each sick run, applies the remedies of its worst finding one at a time to a fresh build, and
trains that as long as the sick one.  Outcomes are kept in ``remedies_tried.json`` beside this file,
by run, seed and remedy; one whose cause or code has changed since is trained again.  ``--docs``
writes the table in ``docs/remedies.md``.
"""

from __future__ import annotations

import argparse
import collections
import concurrent.futures
import dataclasses
import json
import math
import multiprocessing
import os
import pathlib
import sys
from typing import Any

HERE = pathlib.Path(__file__).parent
REPO = HERE.parents[1]
sys.path[:0] = [str(REPO)]
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from benchmarks.diagnosis import cures, recording  # noqa: E402
from benchmarks.diagnosis.recording import DEFAULT_CACHE, Recording, path_of  # noqa: E402
from benchmarks.diagnosis.runs import catalogue  # noqa: E402
from benchmarks.diagnosis.runs.base import Run  # noqa: E402
from benchmarks.diagnosis.score import diagnose  # noqa: E402
from tb_gradplugin.health.remedies import (  # noqa: E402
    PLAN,
    SEARCHES,
    Pace,
    companions,
    plan,
    remedy,
)
from tb_gradplugin.health.report import Finding  # noqa: E402

OUTCOMES = HERE / "remedies_tried.json"
PAGE = REPO / "docs" / "remedies.md"
STEPS = 300
"""A trial takes at least as many steps: some sick runs were stopped early, having blown up."""
PARTS = ("dev", "fresh", "holdout", "new", "opened", "hold-out")
BEGIN, END = "<!-- tried: begin (written by try_remedies.py) -->", "<!-- tried: end -->"


def recorded(run: Run, seed: int) -> Recording:
    """The sick run as it was recorded; recorded now if it was not."""
    path = path_of(DEFAULT_CACHE, run, seed)
    if not path.exists():
        from benchmarks.diagnosis.record import record

        recording.save(path, record(run, seed))
    return recording.load(path)


@dataclasses.dataclass(frozen=True)
class Trial:
    """What became of one remedy in one sick run; ``learned`` is None where it does not apply.

    ``first``: it is what the report suggests first.
    """

    run: str
    split: str
    seed: int
    cause: str
    remedy: str
    snippet: str
    first: bool = False
    learned: bool | None = None
    kinds: tuple[str, ...] = ()
    loss_over_baseline: float | None = None

    @property
    def key(self) -> tuple[str, int, str]:
        return self.run, self.seed, self.remedy

    def outdates(self, other: Trial | None) -> bool:
        """Whether what was tried then is not what would be tried now."""
        return other is None or (self.cause, self.snippet) != (other.cause, other.snippet)

    @property
    def cured(self) -> bool:
        return bool(self.learned) and not self.kinds


def sick(run: Any, seed: int) -> tuple[Any, Finding] | None:
    """Records and worst finding of a run that failed and was found out."""
    data = recorded(run, seed)
    findings = diagnose(data).findings
    return (data, findings[0]) if data.failed and findings else None


def planned(run: Any, seed: int, found: Any, *, more: tuple[str, ...] = ()) -> list[Trial]:
    """Trials for one run, not yet made, in the order of the plan, without searches.

    ``found`` is what ``sick`` tells of it; where that is None there are none.
    """
    if found is None:
        return []
    data, finding = found
    where, pace = _at_fault(data, finding)
    best, *others = plan(finding.cause_id, data.structure, pace)
    ids = [i for i in dict.fromkeys((best, *others, *more)) if i not in SEARCHES]
    suggested = {told.id: told.snippet for told in finding.remedies}
    return [
        Trial(run.id, run.history, seed, finding.cause_id, id_, snippet, id_ == best)
        for id_ in ids
        for snippet in [suggested.get(id_) or remedy(id_, data.structure, where, pace).snippet]
    ]


def _at_fault(data: Any, finding: Finding) -> tuple[list[int], Pace]:
    where = [i for i, layer in enumerate(data.structure.layers) if layer.path in finding.layers]
    known = (finding.evidence.get(name, math.nan) for name in ("learning_rate", "update_ratio"))
    return where, Pace(*known)


def tried(trial: Trial) -> Trial:
    """Makes the trial: the same run, changed, trained and judged again."""
    from benchmarks.diagnosis.record import record

    (run,) = [r for r in catalogue() if r.id == trial.run]
    found = sick(run, trial.seed)
    assert found is not None
    data, finding = found
    where, pace = _at_fault(data, finding)
    together: tuple[str, ...] = ()
    if trial.first:
        together = companions(trial.cause, data.structure, pace, finding.evidence)

    def build() -> Any:
        setup = run.build()
        try:
            changed = cures.apply(trial.remedy, setup, data.structure, where, pace)
            for id_ in together:  # what of it does not apply is left out
                if changed is not None:
                    alone = Pace(pace.rate)
                    changed = cures.apply(id_, changed, data.structure, where, alone) or changed
        except (TypeError, ValueError, NotImplementedError):  # a layer that cannot be made again
            changed = None
        if changed is None:
            raise _DoesNotApplyError
        changed.steps = max(changed.steps, STEPS)
        return changed

    try:
        outcome = record(dataclasses.replace(run, build=build), trial.seed)
    except _DoesNotApplyError:
        return trial
    except (TypeError, ValueError):  # what was put in does not fit the rest
        return dataclasses.replace(trial, learned=False)
    findings = [f for f in diagnose(outcome).findings if f.active]
    relative = outcome.final / outcome.reference
    return dataclasses.replace(
        trial,
        learned=not outcome.failed,
        kinds=tuple(sorted({f.kind for f in findings})),
        loss_over_baseline=float(f"{relative:.3g}") if math.isfinite(relative) else None,
    )


class _DoesNotApplyError(Exception):
    """There is nothing in the run that the remedy could change."""


def load() -> dict[tuple[str, int, str], Trial]:
    """Outcomes so far, by key; a part that was held out then may have been opened since."""
    if not OUTCOMES.exists():
        return {}
    rows = json.loads(OUTCOMES.read_text(encoding="utf-8"))
    now = {run.id: {"split": run.history} for run in catalogue()}
    rows = [row | {"kinds": tuple(row["kinds"])} | now.get(row["run"], {}) for row in rows]
    trials = (Trial(**row) for row in rows)
    return {t.key: t for t in trials}


def save(outcomes: dict[tuple[str, int, str], Trial]) -> None:
    """Writes them sorted, one a line."""
    rows = sorted(outcomes.values(), key=lambda t: t.key)
    lines = ",\n".join(json.dumps(dataclasses.asdict(t), ensure_ascii=False) for t in rows)
    OUTCOMES.write_text(f"[\n{lines}\n]\n", encoding="utf-8")


def share(trials: list[Trial]) -> str:
    """``cured/tried``."""
    made = [t for t in trials if t.learned is not None]
    return f"{sum(t.cured for t in made)}/{len(made)}" if made else "-"


def firsts(trials: list[Trial]) -> list[Trial]:
    """The trials of the first suggestion of each run; where that is a search, there is none."""
    return [t for t in trials if t.first]


def searches(trials: list[Trial]) -> int:
    """Number of runs in which the first suggestion is a search."""
    return len({(t.run, t.seed) for t in trials} - {(t.run, t.seed) for t in firsts(trials)})


def table(trials: list[Trial]) -> str:
    """The fragment of ``docs/remedies.md``."""
    by_split = {s: [t for t in trials if t.split == s] for s in PARTS}
    lines = [
        "| runs | cured by the first suggestion | first suggestion is a search |",
        "|---|---|---|",
    ]
    lines += [
        f"| {s} | {share(firsts(found))} | {searches(found)} |"
        for s, found in by_split.items()
        if found
    ]
    lines += ["", "| cause | remedies in their order, each with cured/tried |", "|---|---|"]
    for cause in PLAN:
        of = [t for t in trials if t.cause == cause]
        if not of:
            continue
        order = [*PLAN[cause], *sorted({t.remedy for t in of} - set(PLAN[cause]))]
        cells = []
        for id_ in order:
            cell = f"`{id_}` {share([t for t in of if t.remedy == id_])}"
            cells.append(cell if id_ in PLAN[cause] else f"({cell})")
        lines.append(f"| `{cause}` | {', '.join(cells)} |")
    untried = ", ".join(f"`{c}`" for c in PLAN if not any(t.cause == c for t in trials))
    lines += ["", f"No run yet: {untried}."]
    return "\n".join(lines)


def write_page(trials: list[Trial]) -> None:
    """Puts the table between the two markers."""
    text = PAGE.read_text(encoding="utf-8")
    head, _, rest = text.partition(BEGIN)
    _, _, tail = rest.partition(END)
    PAGE.write_text(f"{head}{BEGIN}\n{table(trials)}\n{END}{tail}", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--split", default=",".join(PARTS[:-1]))
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--prefix", default="", help="only runs whose id starts so")
    parser.add_argument("--first", action="store_true", help="only the first suggestion")
    parser.add_argument("--most", type=int, default=10**6, help="of a cause: runs for the others")
    parser.add_argument("--more", default="", help="remedies to try besides those of the plan")
    parser.add_argument("--again", default="", help="remedies to train again")
    parser.add_argument("--docs", action="store_true", help="write docs/remedies.md")
    parser.add_argument("--processes", type=int, default=1)
    given = parser.parse_args()
    splits, more = given.split.split(","), tuple(filter(None, given.more.split(",")))
    plans: list[Trial] = []
    runs: collections.Counter[str] = collections.Counter()
    causes: dict[tuple[str, int], str | None] = {}
    for run in catalogue():
        if run.history not in splits or not run.expected or not run.id.startswith(given.prefix):
            continue
        for seed in range(given.seeds):
            told = sick(run, seed)
            causes[run.id, seed] = told and told[1].cause_id
            found = planned(run, seed, told, more=more)
            runs.update({trial.cause for trial in found})
            many = bool(found) and runs[found[0].cause] > given.most
            plans += found[: 1 if given.first or many else None]
    outcomes = {  # without those of another cause than the run has now
        key: t for key, t in load().items() if causes.get(key[:2], t.cause) == t.cause
    }
    for trial in plans:
        if trial.key in outcomes:  # what is suggested first may have changed
            outcomes[trial.key] = dataclasses.replace(outcomes[trial.key], first=trial.first)
    again = given.again.split(",")
    todo = [t for t in plans if t.outdates(outcomes.get(t.key)) or t.remedy in again]
    common = collections.Counter(t.cause for t in plans)
    todo.sort(key=lambda t: (not t.first, common[t.cause]))  # what tells most
    print(f"{len(plans)} trials, {len(todo)} to make", flush=True)
    spawn = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(given.processes, mp_context=spawn) as pool:
        for trial in pool.map(tried, todo):
            outcomes[trial.key] = trial
            verdict = {None: "does not apply", False: "no"}.get(trial.learned, "learns")
            verdict = "CURED" if trial.cured else f"{verdict} {' '.join(trial.kinds)}"
            print(
                f"{trial.run:22} {trial.cause:24} {trial.remedy:12} "
                f"{trial.loss_over_baseline!s:>9} {verdict}",
                flush=True,
            )
            save(outcomes)
    save(outcomes)
    print(table([outcomes[t.key] for t in plans]))
    if given.docs:
        write_page(list(outcomes.values()))


if __name__ == "__main__":
    main()
