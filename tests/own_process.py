"""Checks that need a process of their own: a file of ``check_...`` functions, and its results.

``python tests/<name>_checks.py [checks]`` prints one JSON object: the backend in use, and for each
check "" or what failed.  ``test_<name>.py`` has a test for each of them.
"""

from __future__ import annotations

import concurrent.futures
import functools
import importlib.util
import json
import os
import pathlib
import socket
import subprocess
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pytest

HERE = pathlib.Path(__file__).parent
Checks = dict[str, Callable[[], Any]]


# ------------------------------------------------------------------------------------ in the file


def checks_in(names: Mapping[str, Any]) -> Checks:
    """Those among the global ``names`` of a file."""
    return {n.removeprefix("check_"): f for n, f in names.items() if n.startswith("check_")}


def main(checks: Checks, prepare: Callable[[str], None] = lambda name: None) -> None:
    """Runs those named on the command line, or all, each after ``prepare(name)``."""
    import keras

    results = {}
    for name in sys.argv[1:] or checks:
        prepare(name)
        try:
            checks[name]()
            results[name] = ""
        except Exception:
            results[name] = traceback.format_exc()
    print(json.dumps({"backend": keras.backend.backend(), "results": results}))


def free_port() -> int:
    """Of this machine, at the moment."""
    with socket.socket() as s:
        s.bind(("localhost", 0))
        return s.getsockname()[1]


def norm_of_all(gradients: Sequence[np.ndarray]) -> float:
    """Of all elements, in float64."""
    return float(np.sqrt(sum(np.sum(np.square(g, dtype=np.float64)) for g in gradients)))


# ------------------------------------------------------------------------------------ in the test


def names_of(script: str) -> list[str]:
    """Names of the checks in a file beside this one."""
    lines = (HERE / script).read_text(encoding="utf-8").splitlines()
    return [
        line.removeprefix("def check_").partition("(")[0]
        for line in lines
        if line.startswith("def check_")
    ]


def run(backend: str, *command: str) -> str:
    """Last line of what Python prints on a backend; skips where that is not installed."""
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed")
    done = subprocess.run(
        [sys.executable, *command],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"KERAS_BACKEND": backend, "PYTHONPATH": str(HERE.parent)},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()[-1]


_TWO = concurrent.futures.ThreadPoolExecutor(2)
"""Processes at a time: most of what they do is compiling, on one core."""


@functools.cache
def begun(backend: str, *command: str) -> concurrent.futures.Future[str]:
    """What ``run`` is going to give; once for the same arguments."""
    return _TWO.submit(run, backend, *command)


def begin(backends: Sequence[str], script: str) -> None:
    """Starts the checks of a file beside this one on ``backends`` before anybody waits for them."""
    for backend in backends:
        for command in _commands(script):
            begun(backend, *command)


def _commands(script: str) -> list[tuple[str, ...]]:
    """That run all checks of a file: in two processes, unless it makes two itself."""
    path, names = str(HERE / script), names_of(script)
    return [(path,)] if script in PAIRS else [(path, *names[::2]), (path, *names[1::2])]


PAIRS = ("ranks_checks.py", "workers_checks.py")


@functools.cache
def _results(backend: str, script: str) -> dict[str, str]:
    begin([backend], script)
    found = {}
    for command in _commands(script):
        answer = json.loads(begun(backend, *command).result())
        assert answer["backend"] == backend
        found |= answer["results"]
    return found


def assert_passes(check: str, backend: str, script: str) -> None:
    """A check of a file beside this one passes; all of that file run once."""
    found = _results(backend, script)
    assert set(found) == set(names_of(script))
    assert not found[check], found[check]
