"""Log directories that are URLs: fsspec's stores in memory and on disk, and an S3 server."""

from __future__ import annotations

import errno
import json
import logging
import os
import subprocess
import sys
import textwrap
import threading
import time
import urllib.request
from pathlib import Path

import fsspec
import keras
import numpy as np
import pytest
from conftest import REPO, tensorboard
from fake_runs import dense_structure, finding, health, record, write_run
from fsspec.implementations.memory import MemoryFileSystem
from fsspec.registry import known_implementations
from tensorboard.backend.event_processing import event_file_loader
from tensorboard.compat.proto import event_pb2

from tb_gradplugin import cli, stores
from tb_gradplugin.callbacks import GradientMonitor, store_writer
from tb_gradplugin.callbacks.run_writer import RunWriter
from tb_gradplugin.callbacks.store_writer import StoreWriter
from tests.test_gradient_monitor import fit, read, small_model, vanishing_model

EPOCHS = 12


@pytest.fixture(scope="session")
def bucket():
    """URL of a bucket on an S3 server of this process; credentials are in the environment."""
    boto3 = pytest.importorskip("boto3")
    pytest.importorskip("s3fs")
    server = pytest.importorskip("moto.server").ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server.start()
    with pytest.MonkeyPatch.context() as patch:
        # By name: looking it up is part of making a connection.
        address = f"http://localhost:{server.get_host_and_port()[1]}"
        for name, value in {
            "AWS_ENDPOINT_URL": address,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": "us-east-1",
        }.items():
            patch.setenv(name, value)
        boto3.client("s3").create_bucket(Bucket="bucket")
        yield "s3://bucket"
    server.stop()


@pytest.fixture(params=["memory", "file", "s3"])
def url(request, tmp_path):
    """An empty directory in a store."""
    if request.param == "memory":
        return f"memory://{tmp_path.name}/logs"
    if request.param == "file":
        return f"file://{tmp_path}/logs"
    return f"{request.getfixturevalue('bucket')}/{tmp_path.name}/logs"


class Broken(MemoryFileSystem):
    """A store whose writes do what a test says; it counts them."""

    protocol = "broken"
    cachable = False
    calls = 0

    @staticmethod
    def behave() -> None:
        """Called at each write."""

    def pipe_file(self, path, value, mode="overwrite", **kwargs):
        type(self).calls += 1
        self.behave()
        super().pipe_file(path, value, mode, **kwargs)


fsspec.register_implementation("broken", Broken, clobber=True)


@pytest.fixture
def broken(monkeypatch, tmp_path):
    """(the class, URL of a directory in such a store), with a short wait at the end of a fit."""
    monkeypatch.setattr(Broken, "calls", 0)
    monkeypatch.setattr(store_writer, "CLOSE_SECONDS", 0.2)
    monkeypatch.setattr(store_writer, "RETRY_SECONDS", 0.001)
    return Broken, f"broken://{tmp_path.name}/run"


def refuse() -> None:
    raise ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused")


def objects(url: str) -> list[str]:
    store, path = stores.open_store(url)
    store.invalidate_cache()
    return sorted(store.find(path))


def until(condition, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def event(step: int) -> event_pb2.Event:
    return event_pb2.Event(step=step, wall_time=1.0 + step)


def steps_in(url: str) -> list[int]:
    """Steps of the events in all files, by TensorBoard's loader."""
    found = []
    with stores.local_copy(url, monitors_only=False) as directory:
        for path in sorted(Path(directory).rglob("*tfevents*")):
            events = list(event_file_loader.EventFileLoader(str(path)).Load())
            assert events[0].file_version == "brain.Event:2"
            found += [e.step for e in events[1:]]
    return found


def report(capsys, *arguments: str) -> tuple[int, dict, str]:
    code = cli.main(["report", *arguments, "--json"])
    out = capsys.readouterr()
    return code, json.loads(out.out or "{}"), out.err


def train(log_dir: str | os.PathLike[str]) -> keras.callbacks.History:
    """A short fit that vanishes; no probe, to be quick."""
    keras.backend.clear_session()  # the model's name
    monitor = GradientMonitor(log_dir, update_freq=1, probe_freq=None, on_unhealthy="ignore")
    return fit(vanishing_model(), monitor, epochs=EPOCHS)


@pytest.fixture(scope="module")
def local(tmp_path_factory) -> Path:
    """A local log directory with the run ``run1``."""
    directory = tmp_path_factory.mktemp("local")
    train(directory / "run1")
    return directory


def test_a_fit_into_a_store_leaves_what_the_same_fit_leaves_on_disk(url, local, capsys):
    train(f"{url}/run1")
    code, told, err = report(capsys, url, "--fail-on", "vanishing")
    assert (code, err) == (1, "")
    assert told == report(capsys, str(local))[1]
    assert list(told["runs"]) == ["run1"]
    assert list(report(capsys, f"{url}/run1")[1]["runs"]) == ["."]
    assert list(report(capsys, f"{url}/run1/gradients")[1]["runs"]) == ["."]

    with stores.local_copy(url, monitors_only=True) as directory:
        got = read(Path(directory) / "run1/gradients")
    want = read(local / "run1/gradients")
    assert set(got) == set(want)
    for tag, points in want.items():
        assert [step for step, _ in got[tag]] == [step for step, _ in points]
        for (_, a), (_, b) in zip(got[tag], points, strict=True):
            np.testing.assert_array_equal(a, b)
    # One at the end and one a finding that opened.
    assert 1 <= len(objects(f"{url}/run1")) <= 1 + len(told["runs"]["run1"]["findings"])


def test_the_dashboard_as_one_file_is_made_from_a_store(url, tmp_path):
    source = write_run(tmp_path / "local/run1/gradients", dense_structure(3), range(1, 9))
    stores.put(f"{url}/run1/gradients", source.name, source.read_bytes())
    page = tmp_path / "page.html"
    assert cli.main(["report", url, "--html", str(page)]) == 0
    assert '"runs":{"runs":[{"name":"run1"' in page.read_text().replace(" ", "")


def test_files_are_whole_sort_in_the_order_of_writing_and_never_collide(url, monkeypatch):
    monkeypatch.setattr(store_writer, "SHORTEST", 0.0)
    monkeypatch.setattr(store_writer, "SHARE", 0.0)
    clock = iter(range(2_000_000_000, 0, -1000))
    monkeypatch.setattr(store_writer.time, "time", lambda: float(next(clock)))  # it is put back
    writer = StoreWriter(url, pytest.fail)
    for n in range(1, 6):
        writer.write(event(n), event(n))
        until(lambda n=n: len(objects(url)) == n)
    writer.close()
    assert steps_in(url) == [1, 1, 2, 2, 3, 3, 4, 4, 5, 5]


def test_the_number_of_files_is_bounded_by_the_age_of_the_run():
    for seconds, most in ((3600, 75), (86_400, 225), (7 * 86_400, 1100)):
        age, files = 0.0, 0
        while age < seconds:
            age, files = age + store_writer.interval(age), files + 1
        assert files <= most


def test_much_data_is_written_early_so_that_little_waits(monkeypatch, broken):
    monkeypatch.setattr(store_writer, "FILE_BYTES", 1000)
    _, url = broken
    writer = StoreWriter(url, pytest.fail)
    writer.write(*map(event, range(10)))
    assert objects(url) == []
    writer.write(*map(event, range(10, 100)))
    until(lambda: len(objects(url)) == 1)
    writer.close()
    assert steps_in(url) == list(range(100))


def test_a_finding_that_opens_is_written_at_once(url):
    writer = RunWriter(url, pytest.fail)
    writer.begin(1)
    writer.write_structure(dense_structure(1), 1)
    writer.write_step(record(dense_structure(1), 1), health([1]))
    assert objects(url) == []
    with writer.together():
        writer.write_step(record(dense_structure(1), 2), health([1, 2], [finding()]))
    until(lambda: len(objects(url)) == 1)
    until(lambda: not store_writer._busy)
    writer.write_step(record(dense_structure(1), 3), health([1, 2, 3], [finding()]))
    assert steps_in(url)[-1] == 2
    writer.close()
    assert steps_in(url)[-1] == 3
    assert len(objects(url)) == 2


def test_a_store_that_refuses_costs_one_warning_and_training_goes_on(broken, monkeypatch):
    store, url = broken
    monkeypatch.setattr(store, "behave", staticmethod(refuse))
    before = StoreWriter._waiting_bytes
    model, monitor = small_model(), GradientMonitor(url, update_freq=1, probe_freq=None)
    with pytest.warns(RuntimeWarning, match=r"cannot write to .*Connection refused") as caught:
        histories = [fit(model, monitor, epochs=2) for _ in range(3)]
    assert len(caught) == 1
    assert [len(h.epoch) for h in histories] == [2, 2, 2]
    assert monitor.report().verdict == "healthy"
    until(lambda: not store_writer._busy)  # tries are few once a fit has ended
    assert StoreWriter._waiting_bytes == before


def test_a_real_store_that_is_unreachable_costs_one_warning(bucket, monkeypatch):
    import s3fs

    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://localhost:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    monkeypatch.setattr(store_writer, "CLOSE_SECONDS", 0.5)
    s3fs.S3FileSystem.clear_instance_cache()
    try:
        told: list[str] = []
        writer = RunWriter(f"{bucket}/never", told.append)
        for step in (1, 2):
            writer.begin(step)
            writer.close()
        assert len(told) == 1
        assert "cannot write to 's3://bucket/never'" in told[0]
        until(lambda: not store_writer._busy, 120)
    finally:
        s3fs.S3FileSystem.clear_instance_cache()


def test_a_store_that_hangs_blocks_no_step_and_what_waits_is_bounded(broken, monkeypatch):
    store, url = broken
    hanging, release = threading.Event(), threading.Event()

    def hang() -> None:
        hanging.set()
        assert release.wait(600)

    monkeypatch.setattr(store, "behave", staticmethod(hang))
    monkeypatch.setattr(store_writer, "SHORTEST", 0.0)
    limit = StoreWriter._waiting_bytes + 8_000
    monkeypatch.setattr(store_writer, "WAITING_BYTES", limit)
    monitor = GradientMonitor(url, update_freq=1, probe_freq=None)
    with pytest.warns(RuntimeWarning, match=r"cannot write to .*\d+ MiB wait already") as caught:
        history = fit(small_model(), monitor, epochs=EPOCHS)
    assert hanging.is_set()
    assert not release.is_set()
    assert store.calls == 1
    assert len(caught) == 1
    assert len(history.epoch) == EPOCHS
    assert limit - 8_000 < StoreWriter._waiting_bytes <= limit
    release.set()
    until(lambda: not store_writer._busy)
    assert StoreWriter._waiting_bytes == limit - 8_000
    kept = steps_in(url)
    assert kept == sorted(kept)  # the first of them, up to the limit


def test_a_store_that_answers_again_gets_everything_once(broken, monkeypatch):
    store, url = broken
    monkeypatch.setattr(store_writer, "SHORTEST", 0.0)
    monkeypatch.setattr(store_writer, "SHARE", 0.0)
    told = []
    writer = StoreWriter(url, told.append)
    monkeypatch.setattr(store, "behave", staticmethod(refuse))
    writer.write(event(1))
    until(lambda: store.calls > store_writer.TRIES)
    writer.write(event(2))
    assert told == ["ConnectionRefusedError: [Errno 111] Connection refused"]
    monkeypatch.undo()
    writer.write(event(3))
    writer.close()
    assert steps_in(url) == [1, 2, 3]
    assert len(told) == 1


def test_an_answer_that_was_lost_leaves_no_file_twice(broken, monkeypatch):
    store, url = broken
    writer = StoreWriter(url, pytest.fail)

    def lose_the_answer(self, path, value, mode="overwrite", **kwargs):
        store.calls += 1
        MemoryFileSystem.pipe_file(self, path, value, mode, **kwargs)
        if store.calls == 1:
            raise TimeoutError

    monkeypatch.setattr(store, "pipe_file", lose_the_answer)
    writer.write(event(1))
    writer.close()
    until(lambda: not store_writer._busy)
    assert store.calls == 2
    assert steps_in(url) == [1]


def test_a_bucket_that_does_not_exist_is_told_and_not_made(bucket, monkeypatch):
    import boto3

    monkeypatch.setattr(store_writer, "RETRY_SECONDS", 0.001)
    told: list[str] = []
    writer = RunWriter("s3://mistyped/run/gradients", told.append)
    writer.begin(1)
    writer.close()
    assert len(told) == 1
    assert "bucket does not exist" in told[0]
    found = [b["Name"] for b in boto3.client("s3").list_buckets()["Buckets"]]
    assert found == ["bucket"]


def test_a_fit_that_is_interrupted_leaves_what_it_logged(bucket, tmp_path):
    code = textwrap.dedent("""
        import sys
        from tensorboard.compat.proto import event_pb2
        from tb_gradplugin.callbacks.store_writer import StoreWriter

        StoreWriter(sys.argv[1], print).write(event_pb2.Event(step=7, wall_time=1))
        raise KeyboardInterrupt
    """)
    url = f"{bucket}/{tmp_path.name}"
    done = subprocess.run(
        [sys.executable, "-c", code, url], cwd=REPO, capture_output=True, text=True, check=False
    )
    assert "KeyboardInterrupt" in done.stderr
    assert done.stdout == ""
    assert steps_in(url) == [7]


def test_tensorboard_without_tensorflow_shows_a_run_in_a_bucket_as_it_grows(bucket, tmp_path):
    url = f"{bucket}/{tmp_path.name}"
    structure = dense_structure(2)

    def log(*steps: int) -> None:
        writer = RunWriter(f"{url}/run1/gradients", pytest.fail)
        writer.begin(steps[0])
        writer.write_structure(structure, steps[0])
        for step in steps:
            writer.write_step(record(structure, step), health(range(1, step + 1), [finding()]))
        writer.close()

    log(1, 2, 3)
    arguments = ["--reload_interval", "1"]
    with tensorboard(url, tmp_path / "log", *arguments, without_tensorflow=True) as board:

        def shown(route: str) -> dict:
            address = f"{board.url}data/plugin/gradients/{route}"
            with urllib.request.urlopen(address, timeout=30) as answer:
                return json.load(answer)

        def last() -> int:
            runs = shown("runs")["runs"]
            assert [r["name"] for r in runs] in ([], ["run1"])
            return runs[0]["steps"]["last"] if runs else 0

        until(lambda: last() == 3, 60)
        assert shown("runs")["runs"][0]["kinds"] == ["vanishing"]
        log(4, 5)
        until(lambda: last() == 5, 60)
        assert shown("problems") == {"problems": []}


def test_the_demo_refuses_a_store_that_holds_it_already(tmp_path, capsys):
    from tb_gradplugin.demo import RUNS, run_demo

    url = f"memory://{tmp_path.name}"
    stores.put(f"{url}/{RUNS[0].name}", "x", b"")
    assert run_demo(url) == 2
    assert f"'{url}/{RUNS[0].name}' exists already" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("url", "missing", "error", "words"),
    [
        ("absent://x", "absentfs", ImportError, ["'absent://x'", "Install absentfs"]),
        ("s3://bucket/run", "fsspec", ImportError, ["fsspec", '"tb-gradplugin[remote]"']),
        ("nosuch://x", "nosuch", ValueError, ["'nosuch://x'", "'nosuch'"]),
    ],
)
def test_a_url_that_cannot_be_used_is_told_at_once(url, missing, error, words, monkeypatch, capsys):
    known = {"class": "absentfs.Store", "err": "Install absentfs to access it"}
    monkeypatch.setitem(known_implementations, "absent", known)
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(error) as caught:
        GradientMonitor(url)
    assert cli.main(["report", url]) == 2
    err = capsys.readouterr().err
    assert err.startswith(f"tb-gradients: {url}: ")
    assert err.count("\n") == 1
    for word in words:
        assert word in str(caught.value)
        assert word in err


def test_a_store_without_data_or_that_refuses_is_one_line_and_a_two(tmp_path, capsys, monkeypatch):
    assert report(capsys, f"memory://{tmp_path.name}") == (
        2,
        {},
        f"tb-gradients: memory://{tmp_path.name}: no gradient data; "
        "train with GradientMonitor to get some\n",
    )
    monkeypatch.setattr(Broken, "find", lambda self, path: refuse())
    assert report(capsys, "broken://x") == (
        2,
        {},
        "tb-gradients: broken://x: cannot be read: [Errno 111] Connection refused\n",
    )


def test_a_key_that_leads_out_of_the_directory_is_left_out(tmp_path, monkeypatch):
    root = stores.open_store("broken://x")[1]
    keys = [f"{root}/../../../gradients/tfevents.out", f"{root}/gradients/tfevents.in"]
    monkeypatch.setattr(Broken, "find", lambda self, path: keys)
    monkeypatch.setattr(Broken, "get", lambda self, there, here: fetched.extend(there))
    fetched: list[str] = []
    with stores.local_copy("broken://x", monitors_only=True):
        pass
    assert fetched == keys[1:]


def test_the_documented_numbers_are_those_of_the_code():
    page = (REPO / "docs/remote_logs.md").read_text()
    for words in (
        f"{store_writer.SHORTEST:.0f} s after the first event",
        f"at most {store_writer.LONGEST / 60:.0f} minutes apart",
        f"when {store_writer.FILE_BYTES >> 20} MiB wait",
        f"At most {store_writer.WAITING_BYTES >> 20} MiB wait",
        f"at most {store_writer.CLOSE_SECONDS:.0f} seconds are waited",
    ):
        assert words in page


def test_nothing_of_fsspec_is_imported_for_a_local_directory():
    code = "import sys, tb_gradplugin.stores as s; s.join('x', 'y'); print('fsspec' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=REPO, capture_output=True, text=True, check=True
    )
    assert done.stdout == "False\n"
