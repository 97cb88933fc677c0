"""The dashboard in one file: what it holds, what it leaves out, and that no name breaks it."""

from __future__ import annotations

import base64
import json
import re
import urllib.parse
from pathlib import Path

import pytest
from fake_runs import dense_structure, finding, write_fading, write_run

from tb_gradplugin import cli, html_report
from tb_gradplugin.health.report import HealthReport
from tb_gradplugin.logdir import read_report
from tb_gradplugin.structure import Layer, ModelStructure, Variable

HOSTILE = "</script><!--<b>&'層 1"


def answers(path: Path) -> dict:
    text = path.read_text(encoding="utf-8")
    (data,) = re.findall(
        r'<script type="application/json" id="gradients-data">(.*?)</script>', text
    )
    return json.loads(data)["answers"]


@pytest.fixture
def logs(tmp_path):
    sick = [finding(layers=("dense_1",))]
    write_run(tmp_path / "logs/run 1/gradients", dense_structure(3), [1, 2, 9], findings=sick)
    return tmp_path / "logs"


def test_the_page_has_every_answer_and_the_bundle(logs, tmp_path, capsys):
    page = tmp_path / "page.html"
    assert cli.main(["report", str(logs), "--html", str(page), "--fail-on", "vanishing"]) == 1
    assert "dense_1" in capsys.readouterr().out
    found = answers(page)
    run = "run=run%201"
    assert list(found)[:3] == ["runs", "problems", f"run?{run}"]
    assert {f"{r}?{run}" for r in ("run", "heatmap", "scalars", "norms")} <= set(found)
    layers = [key for key in found if key.startswith("layer")]
    assert layers[0] == f"layer?{run}&layer=dense_1"  # the sick one first
    assert len(layers) == 3
    assert found[f"heatmap?{run}"]["steps"] == [1, 2, 9]
    (code,) = re.findall(r"base64,([\w+/=]+)", page.read_text(encoding="utf-8"))
    assert (
        base64.b64decode(code)
        == Path(html_report.__file__).with_name("static").joinpath("index.js").read_bytes()
    )


def test_no_name_ends_the_element_that_holds_the_data(tmp_path):
    structure = ModelStructure(
        (Layer(HOSTILE, "Dense"),), (Variable(f"{HOSTILE}/k", 0, "kernel", (2, 2)),)
    )
    write_run(tmp_path / "logs/gradients", structure, [1, 2])
    page = tmp_path / "page.html"
    assert html_report.write(str(tmp_path / "logs"), str(page), HealthReport({})) == []
    found = answers(page)
    assert found["run?run=."]["layers"][0]["path"] == HOSTILE
    name = urllib.parse.quote(HOSTILE, safe="!~*'()")
    assert f"layer?run=.&layer={name}" in found


def test_what_does_not_fit_is_left_out_and_told(logs, tmp_path, monkeypatch, capsys):
    page, whole = tmp_path / "page.html", tmp_path / "whole.html"
    report = read_report(str(logs))
    html_report.write(str(logs), str(whole), report)
    limit = whole.stat().st_size - 100
    left_out = html_report.write(str(logs), str(page), report, limit)
    assert page.stat().st_size <= limit
    assert left_out == ["layer?run=run%201&layer=dense_2"]
    assert set(answers(whole)) - set(answers(page)) == set(left_out)
    monkeypatch.setattr(html_report.write, "__defaults__", (limit,))
    assert cli.main(["report", str(logs), "--html", str(page)]) == 0
    assert "1 views are not in it" in capsys.readouterr().err


def test_a_file_that_cannot_be_written_is_told(logs, tmp_path, capsys):
    assert cli.main(["report", str(logs), "--html", str(tmp_path / "no/such/page.html")]) == 2
    error = capsys.readouterr().err
    assert "page.html" in error
    assert "name a file that can be written" in error


def test_the_page_shows_what_other_thresholds_find(tmp_path, capsys):
    write_fading(tmp_path / "logs/gradients", 2.6)
    page = tmp_path / "page.html"
    command = ["report", str(tmp_path / "logs"), "--json", "--html", str(page)]
    assert cli.main(command) == 0
    assert answers(page)["runs"]["runs"][0]["verdict"] == "healthy"
    capsys.readouterr()
    assert cli.main([*command, "--threshold", "attenuation=2"]) == 0
    told = json.loads(capsys.readouterr().out)["runs"]["."]
    found = answers(page)
    assert told["kinds"] == found["runs"]["runs"][0]["kinds"] == ["vanishing"]
    assert found["run?run=."]["findings"] == told["findings"]
    (note,) = found["run?run=."]["notes"]
    assert note["cause"] == "Judged again with attenuation = 2 (default 3)."
    paths = found["heatmap?run=."]["layers"]
    sick = [paths[row] for row, *_ in found["heatmap?run=."]["sick"]]
    assert sick == [path for f in told["findings"] for path in f["layers"]]
