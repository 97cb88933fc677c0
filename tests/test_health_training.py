"""A quick subset of the labelled training runs: the right kind where sick, nothing where healthy.

The rest of them is for measuring: ``python -m benchmarks.diagnosis --help``.
"""

from __future__ import annotations

import pytest

pytest.importorskip("tensorflow")

from benchmarks.diagnosis.record import record
from benchmarks.diagnosis.runs import catalogue
from tb_gradplugin.health.judge import judge_run

RUNS = {run.id: run for run in catalogue()}

SICK = [
    ("AT-C-sig8", "vanishing"),
    ("U-dig-relu8-nobias", "vanishing"),
    ("SO-31880720", "dead"),
    ("U-dig-lr1-adam", "exploding"),
    ("TDC-IPS15", "exploding"),
    ("AT-C-exp8", "nonfinite"),
    ("F-dig-root", "nonfinite"),
]
HEALTHY = [
    "SO-48934338-fix",
    "H-dig-res10-zero",
    "H-dig-scale1e-4",
    "H-emb",
    "H-attn2",
    "H-lstm",
]


@pytest.mark.parametrize(("id", "kind"), SICK)
@pytest.mark.filterwarnings("ignore:You are using a softmax over axis")
def test_a_sick_run_is_found_and_named(id, kind):
    data = record(RUNS[id], seed=0)
    assert data.failed
    assert kind in judge_run(data.structure, data.records).kinds


@pytest.mark.parametrize("id", HEALTHY)
def test_a_healthy_run_has_no_finding(id):
    data = record(RUNS[id], seed=0)
    assert not data.failed
    assert judge_run(data.structure, data.records).findings == ()
