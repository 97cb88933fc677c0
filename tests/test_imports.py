"""Data flow one way: nothing on the serving side imports a framework."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "tb_gradplugin"
WRITERS = {"preflight", "recorder", "demo", "remedies"}
"""Modules at the top of the package that train or watch a model, or change how it trains."""

SERVING = sorted(
    {
        "tb_gradplugin",
        *(f"tb_gradplugin.{p.stem}" for p in PACKAGE.glob("*.py") if p.stem not in WRITERS),
        *(f"tb_gradplugin.health.{p.stem}" for p in (PACKAGE / "health").glob("*.py")),
    }
    - {"tb_gradplugin.__init__", "tb_gradplugin.health.__init__"}
)
FRAMEWORKS = ("keras", "tensorflow", "jax", "torch")


def modules_after(code: str) -> set[str]:
    """Modules that a fresh interpreter has loaded after ``code``."""
    code += "\nimport sys, json; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        cwd=PACKAGE.parent,
        env=os.environ | {"PYTHONPATH": str(PACKAGE.parent)},
    )
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_no_serving_module_imports_a_framework():
    assert {"tb_gradplugin.plugin", "tb_gradplugin.cli", "tb_gradplugin.reader"} <= set(SERVING)
    loaded = modules_after("\n".join(f"import {name}" for name in SERVING))
    assert set(SERVING) <= loaded
    assert loaded.isdisjoint(FRAMEWORKS)


def test_the_entry_point_imports_next_to_nothing():
    base = modules_after("import tensorboard.plugins.base_plugin")
    added = modules_after("import tb_gradplugin.loader") - base
    assert not {name for name in added if name.split(".")[0] in ("numpy", "google", "rich")}
    assert {name for name in added if name.startswith("tb_gradplugin")} <= {
        "tb_gradplugin",
        "tb_gradplugin.loader",
        "tb_gradplugin.metadata",
        "tb_gradplugin.health",
        "tb_gradplugin.health.report",
        "tb_gradplugin.health.thresholds",
    }


@pytest.mark.parametrize("mode", [[], ["--json"]])
def test_a_report_imports_no_framework(tmp_path, mode):
    from fake_runs import dense_structure, write_run

    write_run(tmp_path / "gradients", dense_structure(1), [1])
    arguments = ["report", str(tmp_path), *mode]
    loaded = modules_after(
        f"import contextlib, io\nfrom tb_gradplugin import cli\n"
        f"with contextlib.redirect_stdout(io.StringIO()): assert cli.main({arguments!r}) == 0"
    )
    assert loaded.isdisjoint(FRAMEWORKS)
    assert "werkzeug" not in loaded
    assert ("rich" in loaded) == (not mode)


def test_the_help_text_needs_neither_numpy_nor_tensorboard():
    loaded = modules_after("from tb_gradplugin import cli")
    assert not loaded & {"numpy", "tensorboard", "rich"}
