"""TensorBoard's two data providers over a log directory, and the plugin on top of them."""

from __future__ import annotations

import json
import subprocess
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tensorboard import context as request_context
from tensorboard.backend.event_processing import data_provider as multiplexer_provider
from tensorboard.backend.event_processing import plugin_event_multiplexer
from tensorboard.plugins import base_plugin
from werkzeug import test as werkzeug_test

from tb_gradplugin import event_files, loader

with warnings.catch_warnings():  # TensorBoard's own copy of bleach, at its import
    warnings.filterwarnings("ignore", "html5lib's sanitizer", DeprecationWarning)
    from tb_gradplugin.plugin import GradientsPlugin

LOADERS = ("python", "rust")
SAMPLES = {"scalars": 1000, **loader.SAMPLES}
CONTEXT = request_context.RequestContext()


@contextmanager
def data_provider(
    kind: str, logdir: str | Path, samples: dict[str, int] = SAMPLES
) -> Iterator[Any]:
    """TensorBoard's data provider over ``logdir``, all loaded."""
    if kind == "python":
        multiplexer = plugin_event_multiplexer.EventMultiplexer(
            tensor_size_guidance=samples, purge_orphaned_data=True
        )
        multiplexer.AddRunsFromDirectory(str(logdir))
        multiplexer.Reload()
        yield multiplexer_provider.MultiplexerDataProvider(multiplexer, str(logdir))
    else:
        with _rust_provider(logdir, samples) as provider:
            yield provider


@contextmanager
def _rust_provider(logdir: str | Path, samples: dict[str, int]) -> Iterator[Any]:
    server = pytest.importorskip("tensorboard_data_server")
    grpc = pytest.importorskip("grpc")
    from tensorboard.data import grpc_provider

    with tempfile.TemporaryDirectory() as directory:
        port_file = Path(directory) / "port"
        process = subprocess.Popen(
            [
                server.server_binary(),
                f"--logdir={logdir}",
                "--reload=once",
                "--samples-per-plugin=" + ",".join(f"{k}={v}" for k, v in samples.items()),
                "--port=0",
                f"--port-file={port_file}",
                "--die-after-stdin",
            ],
            stdin=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        try:
            _until(lambda: port_file.exists() and port_file.read_text().endswith("\n"))
            options = [("grpc.max_receive_message_length", 1 << 28)]
            address = f"localhost:{int(port_file.read_text())}"
            with grpc.insecure_channel(address, options=options) as channel:
                stub = grpc_provider.make_stub(channel)
                provider = grpc_provider.GrpcDataProvider(address, stub)
                expected = _last_steps(Path(logdir))
                _until(lambda: expected.items() <= _loaded(provider).items())
                yield provider
        finally:
            process.kill()
            process.communicate()


def _last_steps(logdir: Path) -> dict[tuple[str, str], int]:
    """(run, tag) -> last step of everything that should show up."""
    out = {}
    for path in sorted(logdir.rglob("*tfevents*")):
        run = path.parent.relative_to(logdir).as_posix()
        for event in event_files.read_events(path):
            for value in event.summary.value:
                if value.metadata.plugin_data.plugin_name in SAMPLES:
                    out[run, value.tag] = event.step
    return out


def _loaded(provider: Any) -> dict[tuple[str, str], int]:
    out = {}
    for plugin in ("gradients", "gradients_histograms"):
        listed = provider.list_tensors(CONTEXT, experiment_id="", plugin_name=plugin)
        out |= {(run, tag): s.max_step for run, tags in listed.items() for tag, s in tags.items()}
    listed = provider.list_scalars(CONTEXT, experiment_id="", plugin_name="scalars")
    out |= {(run, tag): s.max_step for run, tags in listed.items() for tag, s in tags.items()}
    return out


def _until(condition: Any, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError("the data server does not get ready")
        time.sleep(0.02)


class Client:
    """Asks the plugin as TensorBoard would."""

    def __init__(self, provider: Any, logdir: str | Path):
        context = base_plugin.TBContext(data_provider=provider, logdir=str(logdir))
        self.plugin = GradientsPlugin(context)
        self._apps = self.plugin.get_plugin_apps()

    def get(self, route: str, **parameters: str) -> Any:
        """The response of ``route`` with ``parameters``."""
        client = werkzeug_test.Client(self._apps[f"/{route}"])
        return client.get("/", query_string=parameters)

    def json(self, route: str, **parameters: str) -> Any:
        """The JSON answer; fails on an error or on anything but strict JSON."""
        response = self.get(route, **parameters)
        text = response.get_data(as_text=True)
        assert response.status_code == 200, text
        assert response.content_type == "application/json"
        answer = json.loads(text, parse_constant=_refuse)
        assert '"NaN"' not in text
        assert "Infinity" not in text
        return answer


def _refuse(token: str) -> None:
    raise AssertionError(f"the answer holds {token}")


@contextmanager
def client(kind: str, logdir: str | Path, samples: dict[str, int] = SAMPLES) -> Iterator[Client]:
    """The plugin over ``logdir`` in TensorBoard's ``kind`` of loader."""
    with data_provider(kind, logdir, samples) as provider:
        yield Client(provider, logdir)
