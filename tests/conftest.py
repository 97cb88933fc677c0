"""Shared fixtures: the demo's runs, trained once, and a real TensorBoard over a log directory."""

from __future__ import annotations

import contextlib
import os
import pathlib
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator

import pytest

# Where tests share the cores, threads wait for each other longer than they compute.
os.environ.setdefault("OMP_NUM_THREADS", "1")

REPO = pathlib.Path(__file__).parents[1]


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport():
    """Where everything is installed, a skipped test is a failure (`.ci/run` sets this)."""
    report = (yield).get_result()
    if report.skipped and os.environ.get("TB_GRADPLUGIN_REQUIRE_ALL"):
        report.outcome = "failed"
        report.longrepr = f"skipped where nothing may be: {report.longrepr}"


@pytest.fixture(scope="session")
def demo(tmp_path_factory) -> tuple[str, str]:
    """(log directory, what was printed) of `tb-gradients demo`, trained once for all tests.

    Also if these run in several processes, which have the parent of their directories in common.
    """
    pytest.importorskip("tensorflow")
    pytest.importorskip("sklearn")
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "demo"
    directory, printed = str(folder / "logs"), folder / "printed.txt"
    try:
        folder.mkdir()
    except FileExistsError:
        deadline = time.monotonic() + 600
        while not printed.exists():
            assert time.monotonic() < deadline, "the demo is trained by another process"
            time.sleep(0.2)
        return directory, printed.read_text()
    done = subprocess.run(
        [sys.executable, "-m", "tb_gradplugin.cli", "demo", directory],
        cwd=REPO,
        capture_output=True,
        text=True,
        timeout=600,
    )
    text = done.stdout + done.stderr
    printed.with_suffix(".part").write_text(text)
    printed.with_suffix(".part").rename(printed)
    assert done.returncode == 0, text
    return directory, text


def tensorboard_command(cwd: pathlib.Path) -> list[str]:
    """Starts TensorBoard with this interpreter; skips where the package is not installed."""
    code = (
        "import importlib.metadata as m; print(m.entry_points(group='tensorboard_plugins').names)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=cwd, capture_output=True, text=True, check=True
    )
    if "'gradients'" not in done.stdout:
        pytest.skip("the package is not installed, so TensorBoard does not know its entry point")
    return [sys.executable, "-m", "tensorboard.main"]


class TensorBoard:
    """A running TensorBoard: its address, its process and what it logged."""

    def __init__(self, url: str, pid: int, log: pathlib.Path):
        self.url, self.pid, self._log = url, pid, log

    def log(self) -> str:
        return self._log.read_text()


WITHOUT_TENSORFLOW = (
    "import sys, types; sys.modules['tensorboard.compat.notf'] = types.ModuleType('notf'); "
    "from tensorboard.main import run_main; run_main()"
)
"""TensorBoard's own switch: with that module it does as if TensorFlow were not installed."""


@contextlib.contextmanager
def tensorboard(
    logdir: str, log: pathlib.Path, *arguments: str, without_tensorflow: bool = False
) -> Iterator[TensorBoard]:
    """Starts the real thing on a free port and waits until it answers."""
    command = tensorboard_command(log.parent)
    if without_tensorflow:
        command = [sys.executable, "-c", WITHOUT_TENSORFLOW]
    command += ["--logdir", logdir, "--port", "0"]
    with log.open("w") as out:
        process = subprocess.Popen(
            [*command, *arguments], cwd=REPO, stdout=out, stderr=subprocess.STDOUT
        )
    try:
        deadline = time.monotonic() + 120
        while not (found := re.search(r"http://\S+?:\d+/\S*", log.read_text())):
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.2)
        url = found.group(0)
        with urllib.request.urlopen(url, timeout=30):
            pass
        yield TensorBoard(url, process.pid, log)
    finally:
        process.terminate()
        process.wait(30)
