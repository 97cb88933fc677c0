"""Each example runs as a user would run it, on less data, and ends with the verdict it promises."""

from __future__ import annotations

import json
import os
import pathlib
import re
import subprocess
import sys
from typing import NamedTuple

import pytest

from tb_gradplugin import cli
from tests.conftest import REPO, tensorboard_command

FOLDER = REPO / "examples"
TABLE = (FOLDER / "README.md").read_text(encoding="utf-8")
FRAMEWORKS = ("keras", "tensorflow", "torch")


class Example(NamedTuple):
    """A script: how to shorten it, the kinds found in each of its runs, what it imports."""

    arguments: str
    kinds: dict[str, list[str]]
    imports: str = "keras tensorflow"


EXAMPLES = {
    "dnn": Example("--epochs 2", {"sigmoid": ["vanishing"], "relu": []}),
    "cnn": Example("--epochs 1", {"plain": ["vanishing"], "residual": []}),
    "rnn": Example("--epochs 5 --length 30", {"small": ["vanishing"], "orthogonal": []}),
    "transformer": Example("--epochs 2", {"rate_0.1": ["exploding"], "rate_0.001": []}),
    "gan": Example("--steps 100", {"generator": [], "discriminator": []}),
    "reinforcement_learning": Example("--updates 25", {"rate_1.0": ["exploding"], "rate_0.01": []}),
    "mixed_precision": Example("--epochs 1", {"raw": ["nonfinite"], "scaled": []}),
    "custom_loop": Example("--epochs 5", {"by_hand": ["nonfinite"], "from_logits": []}),
    "pytorch": Example("--epochs 2", {"default": ["vanishing"], "he": []}, "torch"),
}

SCRIPT = """
import runpy, sys
script, frameworks, *arguments = sys.argv[1:]
sys.argv = [script, *arguments]
runpy.run_path(script, run_name="__main__")
print(*sorted(set(frameworks.split()) & set(sys.modules)))
"""
NOTEBOOK = """
import json, re, sys, urllib.request
import nbclient, nbformat
notebook = nbformat.read(sys.argv[1], as_version=4)
client = nbclient.NotebookClient(notebook, timeout=300, kernel_name="python3")
with client.setup_kernel():  # whose end is that of TensorBoard too
    for place, cell in enumerate(notebook.cells):
        client.execute_cell(cell, place)
    outputs = [o for cell in notebook.cells for o in cell.get("outputs", ())]
    (frame,) = (o.data["text/html"] for o in outputs if "text/html" in o.get("data", ()))
    port = re.search(r"port\\D+(\\d+)", frame).group(1)
    with urllib.request.urlopen(f"http://localhost:{port}/data/plugins_listing") as answer:
        print("tabs:", *(name for name, tab in json.load(answer).items() if tab["enabled"]))
print(*(o.text for o in outputs if o.output_type == "stream"), sep="")
"""


def run(code: str, *arguments: str, cwd: pathlib.Path) -> list[str]:
    """Lines that ``code`` prints in an interpreter of its own."""
    paths = [os.path.dirname(sys.executable), os.environ["PATH"]]
    python_path = [str(REPO), os.environ.get("PYTHONPATH", "")]
    environment = {
        "KERAS_BACKEND": "tensorflow",
        "OMP_NUM_THREADS": "1",
        "PATH": os.pathsep.join(paths),
        "PYTHONPATH": os.pathsep.join(filter(None, python_path)),
        "TMPDIR": str(cwd),  # where TensorBoard keeps notes of servers that it may use again
    }
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=cwd,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.splitlines()


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_ends_with_the_verdict_it_promises(name, tmp_path, capsys):
    example = EXAMPLES[name]
    for framework in example.imports.split():
        pytest.importorskip(framework)
    pytest.importorskip("sklearn")
    logdir = tmp_path / "logs"
    script = str(FOLDER / f"{name}.py")
    arguments = ["--logdir", str(logdir), *example.arguments.split()]
    *printed, imported = run(SCRIPT, script, " ".join(FRAMEWORKS), *arguments, cwd=tmp_path)
    assert imported == example.imports
    assert cli.main(["report", str(logdir), "--json"]) == 0
    runs = json.loads(capsys.readouterr().out)["runs"]
    assert {path: health["kinds"] for path, health in runs.items()} == example.kinds
    verdicts = {"unhealthy" if kinds else "healthy" for kinds in example.kinds.values()}
    assert {health["verdict"] for health in runs.values()} == verdicts
    assert all(any(f": {verdict}" in line for line in printed) for verdict in verdicts)


def test_every_example_is_tested_and_in_the_table():
    assert {p.stem for p in FOLDER.glob("*.py")} == set(EXAMPLES)
    files = {p.name for p in FOLDER.iterdir() if p.suffix in (".py", ".ipynb")}
    assert set(re.findall(r"^\| \[(\S+)\]\(\1\) \|", TABLE, re.MULTILINE)) == files


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_table_and_the_docstring_tell_the_kinds_that_are_found(name):
    (row,) = [line for line in TABLE.splitlines() if line.startswith(f"| [{name}.py]")]
    docstring = (FOLDER / f"{name}.py").read_text(encoding="utf-8").split('"""')[1]
    assert f"`python examples/{name}.py`" in row
    for path, kinds in EXAMPLES[name].kinds.items():
        told = ", ".join(f"`{kind}`" for kind in kinds) or "healthy"
        assert f"{path}: {told}" in row
        assert all(f"`{kind}`" in docstring for kind in kinds)


def test_the_notebook_runs_and_its_frame_has_the_gradients_tab(tmp_path):
    for package in ("tensorflow", "sklearn", "nbclient", "ipykernel"):
        pytest.importorskip(package)
    tensorboard_command(tmp_path)
    source = FOLDER / "notebook.ipynb"
    assert all(not c.get("outputs") for c in json.loads(source.read_text())["cells"])
    printed = run(NOTEBOOK, str(source), cwd=tmp_path)
    assert "gradients" in printed[0].split()
    assert "sigmoid unhealthy ['vanishing']" in printed
    assert "relu healthy []" in printed
