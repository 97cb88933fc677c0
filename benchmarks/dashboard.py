"""Measures the Gradients tab in a real browser on a real TensorBoard, with both of its loaders.

    python -m benchmarks.dashboard              # about ten minutes
    python -m benchmarks.dashboard --markdown   # the table for docs/dashboard.md

Runs are drawn, judged and written as the monitor writes them: a Dense kernel and bias a layer.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import pathlib
import platform
import re
import shutil
import statistics
import sys
import tempfile
import time
import urllib.request
from urllib.parse import urlsplit

import numpy as np

from tb_gradplugin import metadata
from tb_gradplugin.callbacks.run_writer import RunWriter
from tb_gradplugin.health.judge import Judge
from tb_gradplugin.records import StepRecord
from tb_gradplugin.structure import Layer, ModelStructure, Variable

START = 1_790_000_000.0
POINTS = 1000
"""Logged steps: as many as TensorBoard keeps of the plugin's data."""
SICK = 12
"""Layers whose gradients fade from the middle of the run on."""
STOCK_POINTS = 50
STOCK_BUCKETS = 30
"""As tf.summary.histogram writes."""
MANY = 100
VIEWPORT = {"width": 1280, "height": 920}
HOST_STARTS = 3000
"""Milliseconds that TensorBoard's own page is given before a tab is chosen."""
MOVES = 25
PAINTED = """
if (window !== window.top) {
  const times = (window.paintedAt = {});
  const note = (name) => {
    if (name in times) return;
    times[name] = 0;
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => (times[name] = performance.now());
    requestAnimationFrame(() => port2.postMessage(0));  // answered behind this frame's paint
  };
  new MutationObserver(() => {
    if (document.querySelector('[data-testid=verdict] h1')) note('verdict');
    if (document.querySelector('[data-testid=heatmap][data-rows] canvas')?.style.width) {
      note('heatmap');
    }
  }).observe(document, { subtree: true, childList: true, attributes: true });
}
"""
"""For every iframe: `paintedAt`, milliseconds from its own start to a panel's frame."""
STOCK_PAINTED = """
() => new Promise((resolve) => {
  const start = performance.now();
  const drawn = (root) => root.querySelector('g.histogram') !== null ||
    [...root.querySelectorAll('*')].some((e) => e.shadowRoot && drawn(e.shadowRoot));
  const look = () => drawn(document) ? resolve(performance.now() - start) : setTimeout(look, 50);
  location.hash = '#histograms';
  look();
})
"""
"""Milliseconds from the switch to TensorBoard's Histograms tab to its first card."""


class Run:
    """One run as the monitor writes it, to be continued.

    Args:
        directory: the run's.
        layers: Dense layers, in modules of ten.
    """

    def __init__(self, directory: pathlib.Path, layers: int):
        paths = [f"encoder/block_{i // 10}/dense_{i % 10}" for i in range(layers)]
        self.structure = ModelStructure(
            tuple(Layer(p, "Dense", "relu", "GlorotUniform", True, 4160) for p in paths),
            tuple(
                Variable(f"{path}/{role}", i, role, shape)
                for i, path in enumerate(paths)
                for role, shape in (("kernel", (64, 64)), ("bias", (64,)))
            ),
            model="functional",
            optimizer="Adam",
            loss="categorical_crossentropy",
            backend="tensorflow",
        )
        self._judge = Judge(self.structure)
        self._writer = RunWriter(str(directory / metadata.MONITOR_SUBDIR), sys.exit)
        self._writer.begin(1)
        self._writer.write_structure(self.structure, 1)
        self.steps = 0

    def log(self, steps: int = 1) -> Run:
        """Draws and writes as many further steps."""
        for _ in range(steps):
            self.steps += 1
            record = drawn(self.structure, self.steps)
            self._judge.observe(record)
            self._writer.write_step(record, self._judge.health())
        return self


def drawn(structure: ModelStructure, step: int) -> StepRecord:
    """Gradients that fall slowly with the loss; those of the first layers fade away."""
    rng = np.random.default_rng(step)
    size = np.array([v.size for v in structure.variables])
    fading = np.arange(len(size)) < 2 * SICK
    decades = -step / POINTS - fading * np.clip((step - POINTS / 2) / 50, 0, 4)
    std = 1e-3 * 10 ** (decades + 0.1 * rng.normal(size=len(size)))
    columns = {
        "norm": std * np.sqrt(size),
        "mean": 0.01 * std,
        "std": std,
        "min": -3.5 * std,
        "max": 3.5 * std,
        "weight_norm": 0.1 * np.sqrt(size),
        "update_norm": 1e-4 * np.sqrt(size),
    }
    table = np.zeros((len(size), len(metadata.STATISTICS_COLUMNS)), np.float32)
    for name, column in columns.items():
        table[:, metadata.STATISTICS_COLUMNS.index(name)] = column
    loss = 0.2 + 2 * np.exp(-3 * step / POINTS) + 0.02 * rng.normal()
    return StepRecord(step, START + step, table, np.array([loss, loss, 2.3, 1e-3, 1, 1, 0]))


def write_stock(directory: pathlib.Path, tags: int) -> None:
    """Standard histograms of as many tags, at `STOCK_POINTS` steps."""
    writer = RunWriter(str(directory), sys.exit)
    edges = np.linspace(-3, 3, STOCK_BUCKETS + 1)
    for step in range(1, STOCK_POINTS + 1):
        counts = np.random.default_rng(step).integers(1, 100, STOCK_BUCKETS)
        table = np.stack([edges[:-1], edges[1:], counts], axis=1)
        half = [f"layer_{i}" for i in range(tags // 2)]
        tables = np.broadcast_to(table, (len(half), *table.shape))
        writer.write_stock_histograms(step, step, half, tables, tables)
    writer.close()


class Board:
    """A running TensorBoard on a directory."""

    def __init__(self, logdir: pathlib.Path, fast: bool, *arguments: str):
        from tests.conftest import tensorboard

        self._stack = contextlib.ExitStack()
        log = self._stack.enter_context(tempfile.TemporaryDirectory())
        flags = [f"--load_fast={str(fast).lower()}", *arguments]
        running = tensorboard(str(logdir), pathlib.Path(log) / "log", *flags)
        board = self._stack.enter_context(running)
        self.url, self.pid = board.url, board.pid

    def __enter__(self) -> Board:
        return self

    def __exit__(self, *_):
        self._stack.close()

    def wait_for(self, route: str, ready) -> None:
        """Until the text of the answer is what is waited for: TensorBoard reads while it serves."""
        while True:
            with urllib.request.urlopen(f"{self.url}data/plugin/{route}", timeout=300) as reply:
                if ready(reply.read().decode()):
                    return
            time.sleep(0.5)

    def wait_for_steps(self, runs: int, steps: int) -> None:
        done = lambda text: len(re.findall(f'"last":{steps},', text.replace(" ", ""))) == runs
        self.wait_for("gradients/runs", done)

    def forget_peak(self) -> None:
        """Memory is measured from here on: TensorFlow's import alone would hide what comes."""
        pathlib.Path(f"/proc/{self.pid}/clear_refs").write_text("5")

    def memory(self) -> tuple[float, float]:
        """Most MB so far of TensorBoard's Python process, and of its data server."""
        children = pathlib.Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        return peak(self.pid), max((peak(int(child)) for child in children), default=0.0)


def peak(pid: int) -> float:
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(re.findall(r"VmHWM:\s+(\d+) kB", status)[0]) / 1000


class Tab:
    """The Gradients tab, chosen in a fresh page of TensorBoard."""

    def __init__(self, browser, board: Board, run: str | None = None):
        self.page = browser.new_page(viewport=VIEWPORT)
        self.page.add_init_script(PAINTED)
        self._requests = []
        self.page.on("requestfinished", lambda request: self._requests.append(request))
        self.page.goto(f"{board.url}#scalars")
        self.page.wait_for_timeout(HOST_STARTS)
        more = f"&p.gradients.run={run}" if run else ""
        self.page.evaluate(f"location.hash = '#gradients{more}'")

    def __enter__(self) -> Tab:
        return self

    def __exit__(self, *_):
        self.page.close()

    @property
    def frame(self):
        return self.page.frame_locator("iframe")

    def painted(self, *panels: str) -> list[float]:
        """Milliseconds from the iframe's start until each panel was on the screen."""
        self.frame.locator("[data-testid=heatmap][data-rows]").wait_for(timeout=180_000)
        self.page.wait_for_timeout(300)
        times = self.frame.locator("html").evaluate("() => window.paintedAt")
        return [times[panel] for panel in panels]

    def answers(self, since: int = 0) -> list[tuple[str, int]]:
        """(route, bytes on the wire) of the plugin's answers so far, from the `since`-th on."""
        found = [
            (urlsplit(r.url).path.rpartition("/gradients/")[2], r.sizes()["responseBodySize"])
            for r in list(self._requests)
            if "/plugin/gradients/" in r.url and "/static/" not in r.url
        ]
        return found[since:]

    def hover(self) -> float:
        """Main-thread milliseconds of a move over the heatmap."""
        client = self.page.context.new_cdp_session(self.page)
        client.send("Performance.enable")

        def busy() -> float:
            found = client.send("Performance.getMetrics")["metrics"]
            return next(m["value"] for m in found if m["name"] == "TaskDuration") * 1e3

        box = self.frame.locator("[data-testid=heatmap][data-rows]").bounding_box()
        costs = []
        for turn in range(5):
            before = busy()
            for i in range(MOVES):
                at = (i + turn / 5) / MOVES
                x, y = box["x"] + box["width"] * (0.3 + 0.6 * at), box["y"] + box["height"] * at / 2
                self.page.mouse.move(x, y)
            costs.append((busy() - before) / MOVES)
        return statistics.median(costs)

    def news(self, since: int, wait: float) -> int | None:
        """Bytes of the first poll from the `since`-th answer on that has brought a heatmap."""
        deadline = time.monotonic() + wait
        while time.monotonic() < deadline:
            self.page.wait_for_timeout(500)
            routes = [route for route, _ in self.answers(since)]
            if "heatmap" in routes and "scalars" in routes:
                self.page.wait_for_timeout(500)
                found = self.answers(since)
                first = max(i for i in range(routes.index("heatmap")) if routes[i] == "runs")
                return sum(size for _, size in found[first:])
        return None


def measure_size(browser, logs: pathlib.Path, layers: int, fast: bool, empty) -> dict[str, float]:
    """What opening one run of `layers` layers takes."""
    out = {}
    with Board(logs / f"run_{layers}", fast) as board:
        board.wait_for_steps(1, POINTS)
        board.forget_peak()
        again = []
        for turn in range(4):
            with Tab(browser, board) as tab:
                times = tab.painted("verdict", "heatmap")
                if turn == 0:
                    out["verdict, first"], out["heatmap, first"] = times
                    out["largest answer"] = max(size for _, size in tab.answers()) / 1e6
                else:
                    again.append(times)
                if turn == 3:
                    out["hover"] = tab.hover()
        out["verdict, again"], out["heatmap, again"] = np.median(again, axis=0)
        own, server = board.memory()
        out["own process"], out["data server"] = own - empty[0], server - empty[1]
    with Board(logs / f"stock_{layers}", fast) as board:
        last = f"weights_of/layer_{layers - 1}"
        board.wait_for("histograms/tags", lambda text: last in text)
        time.sleep(10)  # its points are read meanwhile, with nothing that would say so
        times = []
        for _ in range(3):
            page = browser.new_page(viewport=VIEWPORT)
            page.goto(f"{board.url}#scalars")
            page.wait_for_timeout(HOST_STARTS)
            times.append(page.evaluate(STOCK_PAINTED))
            page.close()
        out["Histograms tab"] = statistics.median(times)
    return out


def measure_many(browser, logs: pathlib.Path, fast: bool) -> tuple[list[float], list[float]]:
    """Verdict and heatmap of one run among many, and alone."""
    out = []
    for name, runs, run in (("many", MANY, "run_50"), ("one", 1, "run_50")):
        times = []
        with Board(logs / name, fast) as board:
            board.wait_for_steps(runs, 100)
            for _ in range(5):
                with Tab(browser, board, run) as tab:
                    times.append(tab.painted("verdict", "heatmap"))
        out.append(np.median(times, axis=0).tolist())
    return out[0], out[1]


def measure_polls(browser, logs: pathlib.Path, points: int, fast: bool) -> tuple[int, int, int]:
    """Bytes of the first load, of a poll with nothing new, of a poll with one new point."""
    shutil.rmtree(logs / "growing", ignore_errors=True)
    run = Run(logs / "growing" / "run1", 300).log(points)
    with Board(logs / "growing", fast, "--reload_interval=1") as board:
        board.wait_for_steps(1, points)
        with Tab(browser, board) as tab:
            tab.painted("heatmap")
            tab.page.wait_for_timeout(2000)
            first = tab.answers()
            while len(tab.answers()) == len(first):
                tab.page.wait_for_timeout(500)
            tab.page.wait_for_timeout(1000)
            quiet = tab.answers(len(first))
            run.log()
            news = tab.news(len(first) + len(quiet), wait=60)
    assert news is not None, "no poll has brought the new point"
    return sum(s for _, s in first), sum(s for _, s in quiet), news


def write_all(logs: pathlib.Path, sizes: list[int]) -> None:
    """The log directories that are not there yet."""
    (logs / "empty").mkdir(parents=True, exist_ok=True)
    plans = {f"run_{n}": lambda d, n=n: Run(d / "run1", n).log(POINTS) for n in sizes}
    plans |= {f"stock_{n}": lambda d, n=n: write_stock(d / "run1", 2 * n) for n in sizes}
    plans["one"] = lambda d: Run(d / "run_50", 30).log(100)
    plans["many"] = lambda d: [Run(d / f"run_{i}", 30).log(100) for i in range(MANY)]
    for name, write in plans.items():
        if not (logs / name).exists():
            write(logs / "unfinished")
            (logs / "unfinished").rename(logs / name)


def empty_memory(browser, logs: pathlib.Path, fast: bool) -> tuple[float, float]:
    with Board(logs / "empty", fast) as board:
        board.forget_peak()
        with Tab(browser, board) as tab:
            tab.frame.locator("[data-testid=empty-state]").wait_for(timeout=60_000)
        return board.memory()


def size_rows(layers: int, found: dict[bool, dict[str, float]]) -> list[list[str]]:
    """Rows of the table for runs of `layers` layers."""
    seconds = lambda ms: f"{ms / 1e3:.2f} s"
    large = layers >= 3000
    plans = [
        (
            "verdict, first",
            "verdict on screen, first visitor",
            "3 s" if large else "0.5 s",
            seconds,
        ),
        ("verdict, again", "verdict, later visitors", "", seconds),
        ("heatmap, first", "heatmap, first visitor", "3 s" if large else "1 s", seconds),
        ("heatmap, again", "heatmap, later visitors", "", seconds),
        ("Histograms tab", "TensorBoard's Histograms tab, first cards", "", seconds),
        ("hover", "hover, main thread a move", "8 ms", lambda ms: f"{ms:.1f} ms"),
        ("largest answer", "largest answer on the wire", "2 MB", lambda mb: f"{mb:.2f} MB"),
        ("own process", "TensorBoard's Python process", "200 MB", lambda mb: f"+{mb:.0f} MB"),
        ("data server", "its data server", "600 MB", lambda mb: f"+{mb:.0f} MB"),
    ]
    rows = []
    for key, what, aim, form in plans:
        cells = [
            form(values[key]) if fast or key != "data server" else "none"
            for fast, values in found.items()
        ]
        rows.append([f"{layers} layers: {what}", aim, *cells])
    return rows


def main() -> None:
    from playwright.sync_api import sync_playwright

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--layers", default="300,3000", help="sizes of the models")
    parser.add_argument("--loaders", default="fast,python")
    parser.add_argument("--only", default="sizes,many,polls", help="what is measured")
    parser.add_argument("--logs", type=pathlib.Path, help="keep the runs there, and use them again")
    parser.add_argument("--markdown", action="store_true", help="print the table as Markdown")
    args = parser.parse_args()
    sizes = [int(n) for n in args.layers.split(",")]
    loaders = [name == "fast" for name in args.loaders.split(",")]
    only = args.only.split(",")
    rows: list[list[str]] = []
    with contextlib.ExitStack() as stack:
        logs = args.logs or pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory()))
        write_all(logs, sizes)
        chromium = shutil.which("chromium") or shutil.which("chromium-browser")
        playwright = stack.enter_context(sync_playwright())
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        stack.callback(browser.close)
        if "sizes" in only:
            empty = {fast: empty_memory(browser, logs, fast) for fast in loaders}
            for n in sizes:
                found = {f: measure_size(browser, logs, n, f, empty[f]) for f in loaders}
                rows += size_rows(n, found)
        if "many" in only:
            pairs = [measure_many(browser, logs, fast) for fast in loaders]
            for i, panel in enumerate(("verdict", "heatmap")):
                cells = [f"{many[i]:.0f} ms; {one[i]:.0f} ms" for many, one in pairs]
                rows.append([f"one of {MANY} runs; alone: {panel}", "equal", *cells])
        if "polls" in only:
            for points in (900, POINTS):
                polls = [measure_polls(browser, logs, points, fast) for fast in loaders]
                what = f"300 layers, {points} points: first load; poll without news; one new point"
                cells = ["; ".join(f"{n / 1e3:.1f}" for n in poll) + " KB" for poll in polls]
                rows.append([what, "only news", *cells])
    print(f"{os.cpu_count()} cores, {platform.machine()}")
    head = ["", "aim", *("data server" if fast else "Python loader" for fast in loaders)]
    if args.markdown:
        for row in (head, ["---"] * len(head), *rows):
            print("| " + " | ".join(row) + " |")
    else:
        widths = [max(len(row[i]) for row in (head, *rows)) for i in range(len(head))]
        for row in (head, *rows):
            print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)))


if __name__ == "__main__":
    main()
