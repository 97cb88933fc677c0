"""Local log directories: the monitors' directories below, their health and damaged files."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator

from tb_gradplugin import event_files, metadata, reader, sources
from tb_gradplugin.health.report import HealthReport, RunHealth
from tb_gradplugin.health.thresholds import Thresholds

MAX_DIRECTORIES = 20_000
"""Directories looked at in one walk."""


def monitor_directories(logdir: str) -> Iterator[tuple[str, str]]:
    """Yields (run name as in the dashboard, directory) of directories that may be a monitor's.

    These are called ``gradients`` and hold a file named like an event file.  ``logdir`` itself is
    the run ``.`` when it is one.  Links are followed, each directory is visited once.
    """
    seen = set()
    for at, directories, files in os.walk(logdir, followlinks=True):
        real = os.path.realpath(at)
        if real in seen or len(seen) >= MAX_DIRECTORIES:
            directories.clear()
            continue
        seen.add(real)
        directories.sort()
        if os.path.basename(os.path.abspath(at)) != metadata.MONITOR_SUBDIR:
            continue
        if any(event_files.NAME_MARK in name for name in files):
            relative = os.path.relpath(at, logdir).replace(os.sep, "/")
            yield sources.dashboard_name(relative), at


def read_report(logdir: str, thresholds: Thresholds | None = None) -> HealthReport:
    """Health of every run below ``logdir`` after its last logged step.

    Args:
        logdir: local directory.
        thresholds: judge the logged steps again with these; None: as judged while training.
    """
    runs: dict[str, RunHealth] = {}
    problems: list[str] = []
    for name, directory in monitor_directories(logdir):
        if thresholds is None:
            source = sources.FileSource(directory, tags=[metadata.HEALTH_TAG])
            health = reader.read_health(source)
        else:
            source = sources.FileSource(directory)
            health = reader.judge_again(source, thresholds)
        if source.found:
            runs[name] = health or RunHealth()
        relative = os.path.relpath(directory, logdir).replace(os.sep, "/")
        problems += [f"{relative}/{line}" for line in source.problems]
    return HealthReport(dict(sorted(runs.items())), tuple(problems))


class Checker:
    """Finds damaged files below a log directory; unchanged files are checked once.

    Args:
        logdir: as given to TensorBoard; remote or empty: no file is ever looked at.
    """

    def __init__(self, logdir: str):
        """Looks at nothing yet."""
        self._logdir = "" if "://" in logdir else os.path.expanduser(logdir)
        self._lock = threading.Lock()
        self._known: dict[tuple[str, int, int], str | None] = {}

    def problems(self) -> list[str]:
        """One sentence a damaged file, with its path relative to the log directory."""
        if not os.path.isdir(self._logdir):
            return []
        with self._lock:
            known, self._known = self._known, {}
            lines = []
            for _, directory in monitor_directories(self._logdir):
                for path in _event_files(directory):
                    try:
                        stat = os.stat(path)
                    except OSError:
                        continue  # deleted meanwhile
                    key = (path, stat.st_size, stat.st_mtime_ns)
                    if key not in known:
                        known[key] = event_files.check_file(path)
                    self._known[key] = known[key]
                    if known[key]:
                        relative = os.path.relpath(path, self._logdir).replace(os.sep, "/")
                        lines.append(f"{relative}: {known[key]}")
            return lines


def _event_files(directory: str) -> list[str]:
    try:
        return [os.path.join(directory, n) for n in sources.event_file_names(directory)]
    except OSError:
        return []
