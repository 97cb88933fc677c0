"""The dashboard in one file that needs no server: the page's own code with its answers inlined.

The answers are the plugin's, of a data provider in this process.
"""

from __future__ import annotations

import base64
import functools
import json
import os
import urllib.parse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tensorboard.backend.event_processing import data_provider, plugin_event_multiplexer
from tensorboard.context import RequestContext
from tensorboard.plugins import base_plugin

from tb_gradplugin import loader, plugin, sources, views
from tb_gradplugin.health.report import HealthReport, RunHealth

LIMIT = 24_000_000
"""Bytes of the page at most: mail and browsers take it."""
_BUNDLE = Path(__file__).parent / "static" / "index.js"
_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Gradients</title>
<link rel="icon" href="data:,">
</head>
<body>
<script type="application/json" id="gradients-data">{"answers":{%s}}</script>
<script type="module">
import(%s).then((page) => page.render());
</script>
</body>
</html>
"""


def write(logdir: str, path: str, report: HealthReport, limit: int = LIMIT) -> list[str]:
    """Writes the page about all runs below ``logdir`` to the file ``path``.

    Args:
        logdir: local directory.
        path: of the file; replaced if it is there.
        report: on the same directory; the page shows its findings.
        limit: bytes at most.

    Returns:
        the requests whose answers were left out because of ``limit``, first the layers that no
        finding names.

    Raises:
        OSError: the file cannot be written.
    """
    bundle = base64.b64encode(_BUNDLE.read_bytes()).decode("ascii")
    code = f'"data:text/javascript;base64,{bundle}"'
    room = limit - len(_PAGE) - len(code)
    kept, left_out = [], []
    for request, answer in _answers(local_plugin(logdir, report)):
        # In JSON a "<" stands in strings only; none may end the element.
        text = f"{json.dumps(request)}:{views.body(answer)}".replace("<", "\\u003c")
        if len(text) + 1 > room:
            left_out.append(request)
            continue
        room -= len(text) + 1
        kept.append(text)
    partial = f"{path}.partial"
    with open(partial, "w", encoding="utf-8") as file:
        file.write(_PAGE % (",".join(kept), code))
    os.replace(partial, path)
    return left_out


class _Plugin(plugin.GradientsPlugin):
    verdicts_within = None  # a page in a file has no next answer

    def __init__(self, context: base_plugin.TBContext, report: HealthReport):
        super().__init__(context)
        self._report = report

    def _health(self, run: str, source: sources.ProviderSource) -> RunHealth | None:
        return self._report.runs.get(run) or super()._health(run, source)


def local_plugin(logdir: str, report: HealthReport) -> plugin.GradientsPlugin:
    """The plugin on the event files below ``logdir``, read now, with the findings of ``report``."""
    multiplexer = plugin_event_multiplexer.EventMultiplexer(
        tensor_size_guidance={"scalars": 1000, **loader.SAMPLES}
    )
    multiplexer.AddRunsFromDirectory(logdir)
    multiplexer.Reload()
    provider = data_provider.MultiplexerDataProvider(multiplexer, logdir)
    return _Plugin(base_plugin.TBContext(data_provider=provider, logdir=logdir), report)


def _answers(source: plugin.GradientsPlugin) -> Iterator[tuple[str, dict[str, Any]]]:
    """(request as the page makes it, answer), what matters most first."""
    ctx, experiment = RequestContext(), ""
    runs = source.runs_impl(ctx, experiment)
    yield "runs", runs
    yield "problems", source.problems_impl(ctx, experiment)
    names = [run["name"] for run in runs["runs"]]
    described = {name: source.run_impl(ctx, experiment, name) for name in names}
    for name in names:
        yield _request("run", run=name), described[name]
        for route, impl in (
            ("heatmap", source.heatmap_impl),
            ("scalars", source.scalars_impl),
            ("norms", source.norms_impl),
        ):
            yield _request(route, run=name), impl(ctx, experiment, name)
    layers = [
        (path not in {x for f in described[name]["findings"] for x in f["layers"]}, name, path)
        for name in names
        for path in (layer["path"] for layer in described[name]["layers"] if layer["recorded"])
    ]
    for _, name, path in sorted(layers, key=lambda item: item[0]):
        layer = source.layer_impl(ctx, experiment, name, path)
        yield _request("layer", run=name, layer=path), layer
        latest = {m["variable"]: str(m["step"]) for m in layer["maps"]}
        for variable, step in latest.items():
            request = _request("map", run=name, variable=variable, step=step)
            yield request, source.map_impl(ctx, experiment, name, variable, step)


def _request(route: str, **parameters: str) -> str:
    """As JavaScript's encodeURIComponent writes it."""
    quote = functools.partial(urllib.parse.quote, safe="!~*'()")
    return f"{route}?" + "&".join(f"{name}={quote(v)}" for name, v in parameters.items())
