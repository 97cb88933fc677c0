"""The TensorBoard plugin: the routes of ``http_api.md`` and the page's files."""

from __future__ import annotations

import contextlib
import functools
import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent import futures
from pathlib import Path
from typing import Any

from tensorboard import errors, plugin_util
from tensorboard.backend import http_util
from tensorboard.data import provider
from tensorboard.plugins import base_plugin
from werkzeug import wrappers

from tb_gradplugin import curves, logdir, metadata, reader, since, sources, views
from tb_gradplugin.health.judge import RULES
from tb_gradplugin.health.report import RunHealth

_log = logging.getLogger(__name__)

_STATIC = Path(__file__).parent / "static"
_STATIC_FILES = {
    "index.js": "text/javascript",
    "THIRD_PARTY_LICENSES.txt": "text/plain",
}
"""All that is served; paths from requests are never joined to a directory."""

_SCALAR_POINTS = 1000

LastPoints = Mapping[str, Sequence[Any]]
"""Tag -> its last point."""
MANY = 20
"""Runs whose verdicts all come with the first answer."""


class GradientsPlugin(base_plugin.TBPlugin):
    """Serves the Gradients tab.

    Args:
        context: TensorBoard's; only its data provider and the name of the log directory are used.
    """

    plugin_name = metadata.PLUGIN_NAME
    verdicts_within: float | None = 0.1
    """Seconds after which those of many runs come with the next answer; None: never."""

    def __init__(self, context: base_plugin.TBContext):
        """Remembers where data come from; reads nothing."""
        super().__init__(context)
        self._provider: Any = context.data_provider
        self._kept: tuple[Any, views.Overview] | None = None
        self._reading = threading.Lock()
        self._pool = futures.ThreadPoolExecutor(3, thread_name_prefix="gradients")
        self._verdicts: dict[str, LastPoints] = {}
        self._late: futures.Future[Any] | None = None
        self._checker = logdir.Checker(context.logdir or "")

    def is_active(self) -> bool:
        """False: TensorBoard activates the tab itself when it meets ``data_plugin_names``."""
        return False

    def data_plugin_names(self) -> tuple[str, ...]:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Plugin names whose data this tab shows."""
        return (metadata.PLUGIN_NAME, metadata.HISTOGRAM_PLUGIN_NAME)

    def frontend_metadata(self) -> base_plugin.FrontendMetadata:
        """The page and the name of the tab."""
        return base_plugin.FrontendMetadata(es_module_path="/static/index.js", tab_name="Gradients")

    def get_plugin_apps(self) -> dict[str, Callable[..., Any]]:
        """WSGI applications by route."""
        return {
            "/runs": _json_route(self.runs_impl),
            "/run": _json_route(self._run_and_read_on, "run"),
            "/heatmap": _json_route(self.heatmap_impl, "run", grows=True),
            "/norms": _json_route(self.norms_impl, "run", grows=True),
            "/scalars": _json_route(self.scalars_impl, "run", grows=True),
            "/layer": _json_route(self.layer_impl, "run", "layer", grows=True),
            "/map": _json_route(self.map_impl, "run", "variable", "step"),
            "/problems": _json_route(self.problems_impl),
            **{f"/static/{name}": _static_route(name) for name in _STATIC_FILES},
        }

    def runs_impl(self, ctx: Any, experiment: str) -> dict[str, Any]:
        """All runs with their verdicts, those of runs with news read anew.

        At first all are read while TensorBoard is asked for the names.  Many that take their time
        (3 ms each with its Python loader) hold up no page: they come with the next answer.
        """
        ask = self._provider
        read = functools.partial(ask.read_tensors, ctx, experiment_id=experiment)

        def read_last(runs: list[str] | None = None) -> futures.Future[Any]:
            return self._pool.submit(sources.last_points, read, [metadata.HEALTH_TAG], runs)

        asked = self._pool.submit(ask.list_runs, ctx, experiment_id=experiment)
        last, self._late = self._late or (None if self._verdicts else read_last()), None
        found = sources.find_runs(ask, ctx, experiment)
        start_times = {run.run_name: run.start_time for run in asked.result()}
        news = {source.run for source in found.values() if not self._is_known(source)}
        if news:
            last = last or read_last(sorted(news))
            try:
                self._verdicts |= last.result(self.verdicts_within if len(news) > MANY else None)
                news = set()
            except futures.TimeoutError:
                self._late = last
        summaries = []
        for name, source in found.items():
            source.hold(self._verdicts)
            health = None if source.run in news else self._health(name, source)
            summary = views.run_summary(name, health, start_times.get(source.run))
            summaries.append(summary | {"verdict": "unknown"} if source.run in news else summary)
        return {"runs": summaries}

    def _is_known(self, source: sources.ProviderSource) -> bool:
        points = self._verdicts.get(source.run, {}).get(metadata.HEALTH_TAG, ())
        return source.ends_with(metadata.HEALTH_TAG, points)

    def run_impl(self, ctx: Any, experiment: str, run: str) -> dict[str, Any]:
        """Verdict, findings and layers of one run."""
        source = self._source(ctx, experiment, run)
        source.check_tags()
        source.fetch_last(source.tags_of(sources.OWN_TAGS))
        health, models = self._health(run, source), reader.read_models(source, points=1)
        paths = [v.path for v in models.latest.variables]
        reader.read_statistics(source, models, paths, points=1)  # for its problems
        return views.run(run, health, models.latest, RULES, source.problems)

    def _run_and_read_on(self, ctx: Any, experiment: str, run: str) -> dict[str, Any]:
        """``run_impl``; then a thread reads what the first page is about to ask for."""
        answer = self.run_impl(ctx, experiment, run)
        if self._kept is None and not self._reading.locked():
            asked = ctx, experiment, run
            threading.Thread(target=self._read_on, args=asked, daemon=True).start()
        return answer

    def _read_on(self, ctx: Any, experiment: str, run: str) -> None:
        with contextlib.suppress(Exception):  # who asks for it will be told
            self._overview(experiment, self._source(ctx, experiment, run))

    def heatmap_impl(self, ctx: Any, experiment: str, run: str) -> dict[str, Any]:
        """Layers x steps of one run."""
        source = self._source(ctx, experiment, run)
        return views.heatmap(self._overview(experiment, source), self._health(run, source))

    def norms_impl(self, ctx: Any, experiment: str, run: str) -> dict[str, Any]:
        """Gradient norms, layers x steps, of one run."""
        return views.norms(self._overview(experiment, self._source(ctx, experiment, run)))

    def layer_impl(self, ctx: Any, experiment: str, run: str, layer: str) -> dict[str, Any]:
        """Series and histograms of one layer."""
        source = self._source(ctx, experiment, run)
        seen = self._overview(experiment, source)
        models, structure = seen.models, seen.models.latest
        paths = [x.path for x in structure.layers]
        if layer not in paths:
            raise errors.NotFoundError(f"run {run!r} has no layer {layer!r}")
        index = paths.index(layer)
        own = [v.path for v in structure.variables if v.layer == index]
        rows = reader.read_statistics(source, models, own)
        histograms = reader.read_histograms(source, models, own)
        probes = reader.read_probes(source, models)
        weights = reader.read_histograms(source, models, own, metadata.WEIGHTS_TAG)
        activations = reader.read_activations(source, models, layer)
        maps = reader.read_maps(source, structure, index)
        return views.layer(index, rows, seen, histograms, probes, maps, weights, activations)

    def map_impl(
        self, ctx: Any, experiment: str, run: str, variable: str, step: str
    ) -> dict[str, Any]:
        """The picture of a variable's gradient at a step."""
        source = self._source(ctx, experiment, run)
        structure = reader.read_models(source, points=1).latest
        layer = next((v.layer for v in structure.variables if v.path == variable), None)
        maps = [] if layer is None else reader.read_maps(source, structure, layer)
        for at, path, picture in reversed(maps):
            if (str(at), path) == (step, variable):
                return views.gradient_map(at, path, picture)
        raise errors.NotFoundError(
            f"run {run!r} has no map of the gradient of {variable!r} at step {step!r}"
        )

    def scalars_impl(self, ctx: Any, experiment: str, run: str) -> dict[str, Any]:
        """Loss, metrics and learning rate of one run and its siblings."""
        source = self._source(ctx, experiment, run)
        runs = [source.run, *curves.sibling_runs(source.run)]
        found = self._provider.read_scalars(
            ctx,
            experiment_id=experiment,
            plugin_name="scalars",
            downsample=_SCALAR_POINTS,
            run_tag_filter=provider.RunTagFilter(runs=runs),
        )
        return curves.curves(source.run, found, reader.read_training(source))

    def problems_impl(self, ctx: Any, experiment: str) -> dict[str, Any]:
        """Damaged or foreign files of the monitor's below a local log directory."""
        return {"problems": self._checker.problems()}

    def _health(self, run: str, source: sources.ProviderSource) -> RunHealth | None:
        return reader.read_health(source)

    def _source(self, ctx: Any, experiment: str, run: str) -> sources.ProviderSource:
        found = sources.find_runs(self._provider, ctx, experiment, only=run)
        if run not in found:
            raise errors.NotFoundError(f"there is no run {run!r} with gradient data")
        return found[run]

    def _overview(self, experiment: str, source: sources.ProviderSource) -> views.Overview:
        """Of the whole run; the last one is kept, for the clicks from layer to layer."""
        key = (experiment, source.run, source.version)
        with self._reading:  # a page asks for several answers at once
            if self._kept is None or self._kept[0] != key:
                self._kept = None
                self._kept = key, views.read_overview(source)
            return self._kept[1]


def _json_route(
    impl: Callable[..., dict[str, Any]], *parameters: str, grows: bool = False
) -> Callable[..., Any]:
    """Parses the request, calls ``impl`` and responds; errors become one sentence.

    An answer that ``grows`` may be asked for since a step.
    """

    @wrappers.Request.application
    def serve(request: wrappers.Request) -> wrappers.Response:
        missing = [name for name in parameters if not request.args.get(name)]
        if missing:
            return _sentence(request, f"The parameter `{missing[0]}` is missing.", 400)
        ctx = plugin_util.context(request.environ)
        experiment = plugin_util.experiment_id(request.environ)
        try:
            answer = impl(ctx, experiment, **{name: request.args[name] for name in parameters})
            body = views.body(since.answer(answer, request.args) if grows else answer)
        except errors.PublicError as e:
            return _sentence(request, str(e), e.http_code)
        except Exception:  # a fault of ours must not show as a traceback page
            _log.exception("request for %s failed", request.path)
            return _sentence(request, "Internal error; TensorBoard's log has the details.", 500)
        return http_util.Respond(request, body, "application/json")

    return serve


def _static_route(name: str) -> Callable[..., Any]:
    @wrappers.Request.application
    def serve(request: wrappers.Request) -> wrappers.Response:
        try:
            content = (_STATIC / name).read_bytes()
        except OSError:
            return _sentence(request, f"{name} is not part of this installation.", 404)
        return http_util.Respond(request, content, _STATIC_FILES[name])

    return serve


def _sentence(request: wrappers.Request, text: str, code: int) -> wrappers.Response:
    return http_util.Respond(request, text, "text/plain", code=code)
