"""Each example runs as a user would run it, on less data, and ends with the verdict it promises."""

from __future__ import annotations

import functools
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
    "rnn": Example("--epochs 6 --length 30", {"small": ["vanishing"], "orthogonal": []}),
    "transformer": Example("--epochs 2 --blocks 1", {"rate_0.1": ["exploding"], "rate_0.001": []}),
    "gan": Example("--steps 100", {"generator": [], "discriminator": []}),
    "reinforcement_learning": Example("--updates 25", {"rate_1.0": ["exploding"], "rate_0.01": []}),
    "custom_loop": Example("--epochs 5", {"by_hand": ["nonfinite"], "from_logits": []}),
    "pytorch": Example("--epochs 2", {"default": ["vanishing"], "he": []}, "torch"),
    # Last, since it sets the policy of all models that are made after it.
    "mixed_precision": Example("--epochs 1", {"raw": ["nonfinite"], "scaled": []}),
}

SCRIPTS = """
import contextlib, io, json, runpy, sys, traceback
commands, frameworks = json.loads(sys.argv[1])
ended = {}
for name, command in commands.items():
    sys.argv = command
    error, printed = "", io.StringIO()
    with contextlib.redirect_stdout(printed):
        try:
            runpy.run_path(command[0], run_name="__main__")
        except BaseException:
            error = traceback.format_exc()
    imported = sorted(set(frameworks) & set(sys.modules))
    ended[name] = {"error": error, "printed": printed.getvalue(), "imported": imported}
print(json.dumps(ended))
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


@pytest.fixture(scope="module")
def ended(tmp_path_factory):
    """What a script printed and imported, and the report of its runs.

    Scripts that import the same frameworks run in one interpreter: importing takes half the time.
    """
    logdir = tmp_path_factory.mktemp("examples")

    @functools.cache
    def together(imports: str) -> dict[str, dict]:
        commands = {
            name: [f"{FOLDER}/{name}.py", "--logdir", f"{logdir}/{name}", *e.arguments.split()]
            for name, e in EXAMPLES.items()
            if e.imports == imports
        }
        printed = run(SCRIPTS, json.dumps([commands, FRAMEWORKS]), cwd=logdir)
        return json.loads(printed[-1])

    return lambda name: (together(EXAMPLES[name].imports)[name], str(logdir / name))


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_ends_with_the_verdict_it_promises(name, ended, capsys):
    example = EXAMPLES[name]
    for package in (*example.imports.split(), "sklearn"):
        pytest.importorskip(package)
    end, logdir = ended(name)
    assert not end["error"], end["error"]
    assert end["imported"] == example.imports.split()
    assert cli.main(["report", logdir, "--json"]) == 0
    runs = json.loads(capsys.readouterr().out)["runs"]
    assert {path: health["kinds"] for path, health in runs.items()} == example.kinds
    verdicts = {"unhealthy" if kinds else "healthy" for kinds in example.kinds.values()}
    assert {health["verdict"] for health in runs.values()} == verdicts
    assert all(f": {verdict}" in end["printed"] for verdict in verdicts)


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
