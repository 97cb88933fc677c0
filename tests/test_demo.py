"""The demo's sick runs are reported with the right kinds and layers, the cured one as healthy."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.conftest import REPO


def command(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "tb_gradplugin.cli", *arguments],
        cwd=REPO,
        capture_output=True,
        text=True,
    )


def report(directory, *arguments):
    return command("report", directory, *arguments)


@pytest.fixture(scope="module")
def runs(demo):
    return json.loads(report(demo[0], "--json").stdout)["runs"]


def finding(run, kind):
    (found,) = [f for f in run["findings"] if f["kind"] == kind]
    return found


def test_the_deep_sigmoid_network_vanishes_in_its_first_layers_from_the_first_step(runs):
    run = runs["vanishing_sigmoid"]
    assert run["verdict"] == "unhealthy"
    assert run["kinds"] == ["vanishing"]
    found = finding(run, "vanishing")
    assert found["severity"] == "critical"
    assert found["active"]
    assert found["since_step"] == 1
    assert found["layers"][:3] == ["dense_0", "dense_1", "dense_2"]
    assert not {"dense_8", "dense_9", "output"} & set(found["layers"])
    assert "sigmoid" in found["cause"]
    assert "relu" in found["remedies"][0]["snippet"]


def test_its_cured_twin_is_healthy(runs):
    assert runs["cured_relu"]["verdict"] == "healthy"
    assert runs["cured_relu"]["findings"] == []


def test_the_badly_initialised_network_explodes_at_once(runs):
    found = finding(runs["exploding_init"], "exploding")
    assert found["since_step"] <= 3
    assert "dense_0" in found["layers"]


def test_the_network_of_dead_relus_is_dead_from_the_first_step(runs):
    assert runs["dead_relu"]["kinds"] == ["dead"]
    found = finding(runs["dead_relu"], "dead")
    assert found["since_step"] == 1
    # The units of dense_1 are dead; dense_0 is only cut off by them.
    assert found["layers"][0] == "dense_1"
    assert "dense_2" in found["layers"]


def test_exit_codes_tell_findings_from_health(demo):
    assert report(demo[0]).returncode == 0
    assert report(demo[0], "--fail-on", "vanishing").returncode == 1
    assert report(f"{demo[0]}/cured_relu", "--fail-on", "vanishing,dead").returncode == 0


def test_the_demo_says_how_to_open_tensorboard_and_is_not_noisy(demo):
    assert f"tensorboard --logdir {demo[0]}" in demo[1]
    assert "Gradients tab" in demo[1]
    for noise in ("Traceback", "Warning", "cuda", "oneDNN"):
        assert noise not in demo[1]


def test_the_demo_does_not_write_over_runs_that_are_there(demo):
    done = command("demo", demo[0])
    assert done.returncode == 2
    assert "exists already" in done.stderr
