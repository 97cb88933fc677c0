import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from fake_runs import START, dense_structure, finding, health, record, write_fading, write_run

from tb_gradplugin import Thresholds, cli, summaries
from tb_gradplugin.callbacks.run_writer import RunWriter
from tb_gradplugin.event_files import EventFileWriter
from tb_gradplugin.health.judge import Judge
from tb_gradplugin.logdir import read_report
from tests.rule_series import chain, point, schedule

ROOT = Path(__file__).parent.parent


@pytest.fixture
def logdir(tmp_path):
    """A sick run, one that healed, and a healthy one."""
    layers = [f"dense_{i}" for i in range(5)]
    write_run(
        tmp_path / "sick/gradients",
        dense_structure(5),
        [1, 2, 9],
        findings=[finding(layers=layers)],
    )
    healed = finding("exploding", ("dense_1",), since=2, last=5, active=False)
    write_run(tmp_path / "healed/gradients", dense_structure(2), [1, 9], findings=[healed])
    write_run(tmp_path / "gradients", dense_structure(2), [1])
    return tmp_path


def report(capsys, *arguments) -> tuple[int, str, str]:
    """Exit code, stdout and stderr."""
    try:
        code = cli.main(["report", *map(str, arguments)])
    except SystemExit as e:
        code = int(e.code or 0)
    out = capsys.readouterr()
    return code, out.out, out.err


def test_json_is_exactly_the_report(logdir, capsys):
    code, out, err = report(capsys, logdir, "--json")
    layers = [f"dense_{i}" for i in range(5)]
    healed = finding("exploding", ("dense_1",), since=2, last=5, active=False)
    expected = {
        "schema": 1,
        "runs": {
            ".": health([1]).to_dict(),
            "healed": health([1, 9], [healed]).to_dict(),
            "sick": health([1, 2, 9], [finding(layers=layers)]).to_dict(),
        },
    }
    assert (code, err) == (0, "")
    assert json.loads(out) == json.loads(json.dumps(expected))
    assert expected["runs"]["sick"]["kinds"] == ["vanishing"]


def test_the_text_names_runs_layers_causes_and_remedies(logdir, capsys):
    code, out, err = report(capsys, logdir)
    assert (code, err) == (0, "")
    words = " ".join(out.split())
    assert "sick unhealthy steps 1 to 9, 3 logged" in words
    assert "vanishing critical dense_0 … dense_4 (5) 3 active" in words
    assert "exploding critical dense_1 2 healed after step 5" in words
    assert "Sigmoid saturates in <b>six</b> layers." in words
    assert "Try: Use ReLU. It does not saturate." in words
    assert ". healthy steps 1 to 1, 1 logged" in words


@pytest.mark.parametrize(
    ("kinds", "code"),
    [
        ("vanishing", 1),
        ("exploding", 1),  # also a finding that healed
        ("dead", 0),
        ("dead, nonfinite", 0),
        ("dead,exploding", 1),
    ],
)
def test_the_exit_code_goes_by_the_kinds_asked_for(logdir, capsys, kinds, code):
    assert report(capsys, logdir, "--fail-on", kinds)[0] == code
    assert report(capsys, logdir, "--fail-on", kinds, "--json")[0] == code


@pytest.mark.parametrize("kinds", ["vanishing,overfitting", "", "vanishing,", "all"])
def test_an_unknown_kind_is_an_error_that_names_the_known_ones(logdir, capsys, kinds):
    code, out, err = report(capsys, logdir, "--fail-on", kinds)
    assert (code, out) == (2, "")
    assert "unknown kind" in err
    assert "dead, exploding, nonfinite, slow, stalled, vanishing" in err


@pytest.mark.parametrize("mode", [[], ["--json"]])
def test_no_such_directory_is_one_line_and_a_two(tmp_path, capsys, mode):
    code, out, err = report(capsys, tmp_path / "nope", *mode)
    assert (code, out) == (2, "")
    assert err == f"tb-gradients: {tmp_path / 'nope'}: no such directory\n"


@pytest.mark.parametrize("mode", [[], ["--json"]])
def test_no_data_is_one_line_and_a_two(tmp_path, capsys, mode):
    (tmp_path / "gradients").mkdir()
    EventFileWriter(tmp_path / "gradients").close()
    code, out, err = report(capsys, tmp_path, *mode)
    assert (code, out) == (2, "")
    assert "no gradient data" in err
    assert err.count("\n") == 1


def test_a_run_that_has_not_logged_a_step_yet_is_listed_beside_others(logdir, capsys):
    writer = EventFileWriter(logdir / "new/gradients")
    writer.write(summaries.model_event(dense_structure(1), 1, START))
    writer.close()
    code, out, _ = report(capsys, logdir, "--json")
    assert code == 0
    assert json.loads(out)["runs"]["new"]["verdict"] == "no data"
    assert "new  no data" in report(capsys, logdir)[1]


@pytest.mark.parametrize("mode", [[], ["--json"]])
def test_damaged_and_foreign_files_are_one_line_each_on_stderr(logdir, capsys, mode):
    path = write_run(logdir / "bad/gradients", dense_structure(1), [1, 2])
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    (logdir / "foreign" / "gradients").mkdir(parents=True)
    (logdir / "foreign" / "gradients" / "x.tfevents").write_text("some text of somebody else")
    code, out, err = report(capsys, logdir, *mode)
    assert code == 0
    lines = err.splitlines()
    assert len(lines) == 2
    assert lines[0].startswith(f"tb-gradients: bad/gradients/{path.name}: bad checksum in record 5")
    assert lines[1] == "tb-gradients: foreign/gradients/x.tfevents: not a TensorBoard event file"
    if mode:
        runs = json.loads(out)["runs"]
        assert runs["bad"]["steps"]["last"] == 1  # up to the damage
        assert "foreign" not in runs
        assert len(json.loads(out)["problems"]) == 2


def test_the_last_health_of_a_restarted_run_counts(tmp_path):
    write_run(tmp_path / "gradients", dense_structure(1), range(1, 99), findings=[finding()])
    write_run(tmp_path / "gradients", dense_structure(1), [1, 2])
    run = read_report(str(tmp_path)).runs["."]
    assert (run.verdict, run.last_step) == ("healthy", 2)


def test_the_log_directory_may_be_the_monitors_own(tmp_path):
    write_run(tmp_path / "gradients", dense_structure(1), [1])
    assert list(read_report(str(tmp_path / "gradients")).runs) == ["."]


def test_values_that_json_cannot_express_become_null(tmp_path, capsys):
    odd = finding()
    odd.evidence["attenuation"] = float("nan")
    writer = EventFileWriter(tmp_path / "gradients")
    writer.write(summaries.step_event(record(dense_structure(1), 1), health([1], [odd])))
    writer.close()
    _, out, _ = report(capsys, tmp_path, "--json")
    evidence = json.loads(out)["runs"]["."]["findings"][0]["evidence"]
    assert evidence == {"attenuation": None, "unit": "decades"}


def test_names_cannot_control_the_terminal(tmp_path, capsys):
    name = "a\x1b[31mred[bold]x[/bold]:smile:"
    write_run(tmp_path / name / "gradients", dense_structure(1), [1], findings=[finding()])
    _, out, _ = report(capsys, tmp_path)
    assert "\x1b[31m" not in out
    assert "a\ufffd[31mred[bold]x[/bold]:smile:" in out
    _, out, _ = report(capsys, tmp_path, "--json")
    assert list(json.loads(out)["runs"]) == [name]


@pytest.mark.skipif(sys.platform != "linux", reason="file names are Unicode elsewhere")
def test_file_names_that_are_no_unicode_are_shown_somehow(tmp_path):
    write_run(
        os.path.join(os.fsencode(tmp_path), b"\xff").decode(errors="surrogateescape")
        + "/gradients",
        dense_structure(1),
        [1],
    )
    done = run_cli("report", str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert "healthy" in done.stdout


@pytest.mark.parametrize(
    ("layers", "text"),
    [
        (["a"], "a"),
        (["dense_0", "dense_1", "dense_2"], "dense_0 … dense_2 (3)"),
        (["dense", "dense_1", "lstm"], "dense … dense_1 (2), lstm"),
        (["b/0/x", "b/1/x", "b/2/y"], "b/0/x … b/1/x (2), b/2/y"),
        (["a", "b", "c", "d", "e", "f_1", "f_2"], "a, b, c, d, and 3 more"),
        ([], ""),
    ],
)
def test_layers_are_written_in_little_space(layers, text):
    assert cli.compact_layers(layers) == text


def run_cli(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tb_gradplugin.cli", *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env=os.environ | {"PYTHONIOENCODING": "utf-8", "PYTHONUTF8": "1"},
    )


def test_the_command_runs_as_a_program(logdir):
    done = run_cli("report", str(logdir), "--fail-on", "vanishing", "--json")
    assert done.returncode == 1
    assert set(json.loads(done.stdout)["runs"]) == {".", "healed", "sick"}
    assert done.stderr == ""
    assert run_cli("report", "/does/not/exist").returncode == 2
    assert run_cli().returncode == 2


def test_a_pipe_in_ascii_gets_replacement_characters_and_no_traceback(logdir):
    done = subprocess.run(
        [sys.executable, "-m", "tb_gradplugin.cli", "report", str(logdir)],
        capture_output=True,
        check=False,
        cwd=ROOT,
        env=os.environ | {"PYTHONIOENCODING": "ascii"},
    )
    assert done.returncode == 0, done.stderr
    assert b"vanishing" in done.stdout


def test_a_hundred_runs_take_a_few_seconds_at_most(tmp_path):
    for i in range(100):
        write_run(tmp_path / f"{i}/gradients", dense_structure(5), range(1, 31))
    start = time.perf_counter()
    assert len(read_report(str(tmp_path)).runs) == 100
    assert time.perf_counter() - start < 5  # 0.1 s on a free core


def test_thresholds_judge_the_logged_steps_again(tmp_path, capsys):
    write_fading(tmp_path / "gradients", 2.6)
    assert report(capsys, tmp_path, "--fail-on", "vanishing")[0] == 0
    code, out, err = report(
        capsys, tmp_path, "--json", "--fail-on", "vanishing", "--threshold", "attenuation=2"
    )
    assert (code, err) == (1, "")
    assert json.loads(out)["runs"]["."]["kinds"] == ["vanishing"]
    (note,) = json.loads(out)["runs"]["."]["notes"]
    assert note["kind"] == "thresholds"
    assert note["cause"] == "Judged again with attenuation = 2 (default 3)."
    code, out, _ = report(
        capsys, tmp_path, "--json", "--threshold", "attenuation=2", "--threshold", "settle_step=500"
    )
    assert json.loads(out)["runs"]["."]["kinds"] == []
    assert json.loads(out)["runs"]["."]["steps"]["logged"] == len(schedule())
    _, out, _ = report(capsys, tmp_path, "--threshold", "attenuation=2")
    assert "thresholds: Judged again with attenuation = 2 (default 3)." in out
    _, out, _ = report(capsys, tmp_path, "--threshold", "attenuation=3")
    assert "Judged again" not in out


def test_the_same_thresholds_give_the_same_report(tmp_path):
    write_fading(tmp_path / "gradients", 6.0)
    again = read_report(str(tmp_path), Thresholds())
    assert again.runs == read_report(str(tmp_path)).runs
    assert again.kinds == ["vanishing"]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("attenuate=2", "unknown threshold 'attenuate'; one of hold_points, window_points"),
        ("attenuation=low", "attenuation must be a number, not 'low'"),
        ("hold_points=2.5", "hold_points must be an integer, not '2.5'"),
        ("hold_points=0", "`hold_points` (=0) must be an int >= 1 and <= 1000."),
    ],
)
def test_a_wrong_threshold_is_refused_with_what_is_allowed(tmp_path, capsys, given, message):
    code, out, err = report(capsys, tmp_path, "--threshold", given)
    assert (code, out) == (2, "")
    assert message in err


def test_a_run_that_was_resumed_is_judged_again_as_its_latest_monitor_judged_it(tmp_path):
    write_fading(tmp_path / "gradients", 6.0)
    structure, judge = chain(6), Judge(chain(6))
    writer = RunWriter(str(tmp_path / "gradients"), pytest.fail)
    writer.begin(201)
    writer.write_structure(structure, 201)
    for step in range(201, 240):
        step_record = point(structure, step, norm=1.0)
        judge.observe(step_record)
        writer.write_step(step_record, judge.health())
    writer.close()
    again = read_report(str(tmp_path), Thresholds())
    assert again.runs == read_report(str(tmp_path)).runs
    assert (again.runs["."].first_step, again.kinds) == (201, [])
