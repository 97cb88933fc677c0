"""What a person sees: the real dashboard in a real TensorBoard in headless Chromium and Firefox."""

from __future__ import annotations

import contextlib
import functools
import os
import pathlib
import shutil
import time
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest

from tb_gradplugin import html_report, logdir
from tb_gradplugin.health.report import Note, Remedy
from tb_gradplugin.structure import Layer, ModelStructure, Variable
from tests.conftest import tensorboard
from tests.fake_runs import dense_structure, finding, write_run

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
pytestmark = pytest.mark.browser

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FIREFOX = shutil.which("firefox-esr") or shutil.which("firefox")
CHROMIUM_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
AXE = pathlib.Path(__file__).parents[1] / "frontend/node_modules/axe-core/axe.min.js"
HEATMAP = "[data-testid=heatmap][data-rows]"
LOADERS = ["true", "false"]


in_firefox_too = pytest.mark.parametrize("page", ["chromium", "firefox"], indirect=True)


@pytest.fixture(scope="module")
def downloads(tmp_path_factory):
    return tmp_path_factory.mktemp("downloads")


@pytest.fixture(scope="module")
def browser_called(downloads):
    """Gives a browser by its name, started when it is first asked for."""
    with sync_api.sync_playwright() as playwright, contextlib.ExitStack() as stack:

        @functools.cache
        def start(name):
            path = {"chromium": CHROMIUM, "firefox": FIREFOX}[name]
            if path is None:
                package = {"chromium": "chromium", "firefox": "firefox-esr"}[name]
                pytest.skip(f"{name} is not installed (Debian package: {package})")
            browser = (
                playwright.chromium.launch(
                    executable_path=path, args=CHROMIUM_ARGUMENTS, downloads_path=downloads
                )
                if name == "chromium"
                # Mozilla's own build, by WebDriver BiDi.
                else playwright.firefox.launch(
                    executable_path=path, channel="moz-firefox", downloads_path=downloads
                )
            )
            stack.callback(browser.close)
            return browser

        yield start


@pytest.fixture
def page(request, browser_called):
    """A page that fails the test when the console shows an error of ours."""
    browser = browser_called(getattr(request, "param", "chromium"))
    try:
        page = browser.new_page(viewport={"width": 1280, "height": 920})
    except sync_api.Error as error:
        if "unknown command" not in str(error):
            raise
        pytest.skip(f"this Playwright asks more than {browser.version} knows: see setup.py")
    wrong = []

    def note(message):
        if "net::ERR_FAILED" in message.text:
            return  # a request that a test itself refuses
        if message.type == "error" or (
            # TensorBoard's own projector plugin says this on every page.
            message.type == "warning" and "Three.js" not in message.text
        ):
            wrong.append(message.text)

    page.on("console", note)
    page.on("pageerror", lambda error: wrong.append(str(error)))
    yield page
    page.close()
    assert wrong == []


@pytest.fixture(scope="module", params=LOADERS, ids=["fast_loader", "python_loader"])
def demo_board(request, demo, tmp_path_factory):
    log = tmp_path_factory.mktemp("board") / "log"
    with tensorboard(demo[0], log, f"--load_fast={request.param}") as board:
        yield board


@contextlib.contextmanager
def board_for(page, *arguments):
    """A TensorBoard of one test, which the page has left when it stops."""
    with tensorboard(*arguments) as board:
        yield board
        page.goto("about:blank")


def open_tab(page, board, run=None, dark=False):
    fragment = "#gradients" + (f"&p.gradients.run={run}" if run else "")
    page.goto(f"{board.url}?darkMode={'true' if dark else 'false'}{fragment}")
    return page.frame_locator("iframe")


def text(frame, testid):
    return frame.locator(f"[data-testid={testid}]").first.inner_text(timeout=15_000)


def of_pixels(canvas, expression):
    """Value of a JavaScript expression of ``data``, four bytes for each pixel of a canvas."""
    return canvas.evaluate(
        """c => {
            const copy = new OffscreenCanvas(c.width, c.height).getContext("2d");
            copy.drawImage(c, 0, 0);
            const {data} = copy.getImageData(0, 0, c.width, c.height);
            return EXPRESSION;
        }""".replace("EXPRESSION", expression)
    )


def colours(canvas):
    """How many different colours a canvas shows: 1 if nothing is drawn."""
    return of_pixels(canvas, "new Set(new Uint32Array(data.buffer)).size")


def coloured(canvas):
    """How many pixels are not grey."""
    pixels = "Array.from({length: data.length / 4}, (_, i) => data.slice(4 * i, 4 * i + 3))"
    return of_pixels(canvas, f"{pixels}.filter(p => Math.max(...p) - Math.min(...p) > 30).length")


@pytest.fixture
def saved(page, downloads):
    """What a press on a "Save ..." button puts into the folder of downloads.

    The folder is watched: Playwright does not tell of what Firefox saves from a `blob:` address.
    """

    def press(frame, what):
        before = set(downloads.iterdir())
        frame.get_by_label(f"Save {what}").click()
        content, deadline = b"", time.monotonic() + 20
        while time.monotonic() < deadline:
            page.wait_for_timeout(100)
            for file in set(downloads.iterdir()) - before:
                earlier, content = content, file.read_bytes()
                if content and content == earlier:  # whole: it no longer grows
                    return content
        raise AssertionError(f"nothing was saved of {what}")

    return press


def growing_run(directory, steps):
    """Twelve layers of drawn gradients, the first said to vanish."""
    steps = list(steps)
    sick = finding("vanishing", ["dense_0"], since=3, last=steps[-1])
    write_run(
        directory / "gradients", dense_structure(12), steps, findings=[sick], histogram_every=1
    )


def keep(page, name):
    """Saves a screenshot where TB_GRADPLUGIN_SCREENSHOTS says, to be looked at."""
    directory = os.environ.get("TB_GRADPLUGIN_SCREENSHOTS")
    if directory:
        page.wait_for_timeout(600)
        browser = page.context.browser.browser_type.name
        page.screenshot(path=str(pathlib.Path(directory) / f"{browser}_{name}.png"))


@in_firefox_too
def test_the_sick_run_is_on_the_screen_within_two_seconds(page, demo_board):
    open_tab(page, demo_board, "vanishing_sigmoid")
    page.frame_locator("iframe").locator(HEATMAP).wait_for(timeout=30_000)
    # Once more on a warm server: from the iframe's own start to what it shows.
    page.reload()
    frame = page.frame_locator("iframe")
    frame.locator(HEATMAP).wait_for(timeout=30_000)
    shown = frame.locator("html").evaluate("() => performance.now()")
    assert "5 of 11 layers are sick since step 1" in text(frame, "verdict")
    assert "vanishing" in text(frame, "verdict")
    card = text(frame, "finding-card")
    assert "dense_0" in card
    assert "dense_4" in card
    assert "sigmoid" in card
    assert "keras.layers" in card
    heatmap = frame.locator(HEATMAP)
    assert heatmap.get_attribute("data-rows") == "11"
    assert int(heatmap.get_attribute("data-columns")) > 50
    assert colours(heatmap.locator("canvas").first) > 10
    box = heatmap.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 5)
    assert "dense_0 · step " in text(frame, "read-out")
    assert frame.locator("[data-testid=loss-panel]").is_visible()
    # The aim of two seconds with a wide margin for a loaded machine: this is no stopwatch.
    assert shown < 20_000
    print(f"on screen {shown:.0f} ms after the iframe's start")
    keep(page, "vanishing_light")


def test_the_cured_run_says_healthy_and_lists_what_was_checked(page, demo_board):
    frame = open_tab(page, demo_board, "cured_relu")
    frame.locator(HEATMAP).wait_for(timeout=30_000)
    assert "healthy" in text(frame, "verdict").lower()
    rules = text(frame, "healthy-rules")
    for kind in ("vanish", "explod", "dead", "nan"):
        assert kind in rules.lower()
    assert frame.locator("[data-testid=finding-card]").count() == 0
    keep(page, "cured_light")


@pytest.mark.parametrize(
    ("page", "run"),
    [("chromium", "exploding_init"), ("chromium", "dead_relu"), ("firefox", "exploding_init")],
    indirect=["page"],
)
def test_dark_mode_follows_tensorboards_switch(page, demo_board, run):
    frame = open_tab(page, demo_board, run, dark=True)
    frame.locator(HEATMAP).wait_for(timeout=30_000)
    body = frame.locator("body")
    colour = "getComputedStyle(document.body).backgroundColor"
    assert body.evaluate(f"() => {colour}") == "rgb(48, 48, 48)"
    keep(page, f"{run}_dark")
    page.evaluate("document.body.classList.remove('dark-mode')")
    page.wait_for_timeout(300)
    assert body.evaluate(f"() => {colour}") != "rgb(48, 48, 48)"


@in_firefox_too
def test_a_click_on_the_heatmap_opens_the_layer_and_escape_closes_it(page, demo_board):
    frame = open_tab(page, demo_board, "vanishing_sigmoid")
    heatmap = frame.locator(HEATMAP)
    heatmap.wait_for(timeout=30_000)
    heatmap.focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    detail = frame.locator("[data-testid=layer-detail]")
    detail.wait_for(timeout=15_000)
    layer = detail.get_attribute("data-layer")
    assert layer.startswith("dense_")
    detail.locator("canvas").nth(2).wait_for(timeout=15_000)  # norm, update ratio, histogram
    inside = text(frame, "probe")
    assert "Inside the layer at step" in inside
    assert "saturated" in inside  # sigmoid
    keep(page, "layer_light")
    assert f"layer={layer}" in page.url
    page.keyboard.press("Escape")
    detail.wait_for(state="detached", timeout=5_000)
    box = heatmap.bounding_box()
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] * 0.1)
    detail.wait_for(timeout=15_000)


def test_another_run_can_be_picked(page, demo_board):
    frame = open_tab(page, demo_board, "cured_relu")
    frame.locator(HEATMAP).wait_for(timeout=30_000)
    picker = frame.locator("[data-testid=run-picker]")
    picker = picker if picker.evaluate("e => e.tagName") == "SELECT" else picker.locator("select")
    picker.select_option(value="dead_relu")
    frame.locator("[data-testid=verdict]", has_text="dead").wait_for(timeout=15_000)


def test_nothing_in_the_servers_log_is_about_us(demo_board):
    log = demo_board.log()
    assert "Traceback" not in log
    assert "gradients" not in log.lower().replace(":6006/#gradients", "")


@pytest.mark.parametrize("loader", LOADERS)
def test_an_empty_directory_shows_how_to_start(page, tmp_path, loader):
    (tmp_path / "logs").mkdir()
    with board_for(
        page, str(tmp_path / "logs"), tmp_path / "log", f"--load_fast={loader}"
    ) as board:
        # Without data TensorBoard lists the plugin as inactive; its page opens all the same.
        frame = open_tab(page, board)
        empty = text(frame, "empty-state")
        assert "GradientMonitor" in empty
        assert "callbacks" in empty
        keep(page, "empty")


@pytest.mark.parametrize(
    ("page", "loader"),
    [("chromium", "true"), ("chromium", "false"), ("firefox", "false")],
    indirect=["page"],
)
def test_a_growing_run_is_followed_without_losing_the_layer(page, tmp_path, loader):
    logs = tmp_path / "logs"
    growing_run(logs / "run1", range(1, 30))
    arguments = [f"--load_fast={loader}", "--reload_interval=1"]
    with board_for(page, str(logs), tmp_path / "log", *arguments) as board:
        frame = open_tab(page, board, "run1")
        heatmap = frame.locator(HEATMAP)
        heatmap.wait_for(timeout=30_000)
        heatmap.focus()
        page.keyboard.press("Enter")
        detail = frame.locator("[data-testid=layer-detail]")
        detail.wait_for(timeout=15_000)
        layer, before = detail.get_attribute("data-layer"), heatmap.get_attribute("data-columns")
        page.keyboard.press("+")
        page.wait_for_timeout(300)
        address = page.url
        assert "zoom=" in address
        growing_run(logs / "run1", range(30, 60))
        deadline = time.monotonic() + 40
        while heatmap.get_attribute("data-columns") == before and time.monotonic() < deadline:
            page.wait_for_timeout(500)
        assert int(heatmap.get_attribute("data-columns")) > int(before)
        assert detail.get_attribute("data-layer") == layer
        assert page.url == address  # neither zoom nor step nor layer has moved


def test_hostile_names_are_shown_as_text(page, tmp_path):
    logs = tmp_path / "logs"
    name = "<img src=x onerror=document.title='owned'>"
    growing_run(logs / name, range(1, 30))
    with board_for(page, str(logs), tmp_path / "log") as board:
        frame = open_tab(page, board)
        frame.locator(HEATMAP).wait_for(timeout=30_000)
        assert name in text(frame, "run-picker")
        assert frame.locator("img").count() == 0


@pytest.mark.parametrize("loader", LOADERS)
def test_a_damaged_file_is_a_line_on_the_screen(page, tmp_path, loader):
    logs = tmp_path / "logs"
    growing_run(logs / "run1", range(1, 30))
    (file,) = (logs / "run1" / "gradients").glob("events*")
    content = bytearray(file.read_bytes())
    content[-400] ^= 0xFF
    file.write_bytes(content)
    with board_for(page, str(logs), tmp_path / "log", f"--load_fast={loader}") as board:
        frame = open_tab(page, board, "run1")
        frame.locator(HEATMAP).wait_for(timeout=30_000)
        assert "checksum" in text(frame, "problem")
        keep(page, "damaged")


def test_an_error_of_the_server_is_a_panel_with_a_retry(page, tmp_path):
    logs = tmp_path / "logs"
    growing_run(logs / "run1", range(1, 30))
    failing = {"on": True}

    def fail(route):
        if failing["on"]:
            route.abort()
        else:
            route.continue_()

    with board_for(page, str(logs), tmp_path / "log") as board:
        page.route("**/plugin/gradients/heatmap*", fail)
        frame = open_tab(page, board, "run1")
        panel = frame.locator("[data-testid=error-panel]").first
        panel.wait_for(timeout=20_000)
        assert "heatmap" in panel.inner_text()
        assert frame.locator("[data-testid=verdict]").is_visible()
        keep(page, "error")
        failing["on"] = False
        panel.locator("button").first.click()
        frame.locator(HEATMAP).wait_for(timeout=15_000)


MAPPED = "encoder/block_1/up"
RAMP = np.linspace(-1, 1, 3 * 3 * 4 * 100).reshape(3, 3, 4, 100)
"""The gradient of its kernel, of which a map is recorded."""


def encoder(blocks):
    """Blocks of two layers and a head, all recorded; one kernel is that of a convolution."""
    paths = [f"encoder/block_{i}/{name}" for i in range(blocks) for name in ("up", "down")]
    paths.append("head")
    layers = tuple(Layer(path, "Dense", "relu", "GlorotUniform", True, 16) for path in paths)
    variables = tuple(
        Variable(f"{path}/kernel", i, "kernel", RAMP.shape if path == MAPPED else (4, 4))
        for i, path in enumerate(paths)
    )
    return ModelStructure(layers, variables, model="functional", optimizer="Adam", loss="mse")


@pytest.fixture(scope="module")
def modules_logs(tmp_path_factory):
    """Two runs: ten blocks of which two are sick, and five blocks of larger gradients."""
    logs = tmp_path_factory.mktemp("modules") / "logs"
    sick = [
        finding("vanishing", [f"encoder/block_{block}/{name}"], since=since, last=40)
        for block, name, since in ((0, "up", 5), (0, "down", 6), (3, "up", 30))
    ]
    sick.append(finding("dead", ["head"], since=20, last=40))
    write_run(
        logs / "deep" / "gradients",
        encoder(10),
        range(1, 41),
        findings=sick,
        histogram_every=4,
        weights=True,
        maps={2: RAMP},
        notes=[
            Note("overfitting", 33, {"gap": 0.5}, "It learns by heart.", (Remedy("Stop", "", ""),))
        ],
    )
    write_run(
        logs / "shallow" / "gradients", encoder(5), range(1, 41), scale=10.0, histogram_every=4
    )
    return str(logs)


@pytest.fixture(scope="module")
def modules_board(modules_logs, tmp_path_factory):
    with tensorboard(modules_logs, tmp_path_factory.mktemp("modules_board") / "log") as board:
        yield board


def open_deep(page, board, more="", dark=False):
    frame = open_tab(page, board, "deep" + more, dark)
    frame.locator(HEATMAP).wait_for(timeout=30_000)
    return frame


def rows(frame):
    return int(frame.locator("[data-testid=heatmap]").get_attribute("data-rows"))


def test_like_findings_share_a_card_and_chips_filter_them(page, modules_board):
    frame = open_deep(page, modules_board)
    cards = frame.locator("[data-testid=finding-card]")
    assert cards.count() == 3  # block_0's two, block_3's, the head's
    assert "2 layers" in cards.first.inner_text()
    assert "It learns by heart." in text(frame, "note")
    assert "since step 33" in text(frame, "note")
    frame.locator(".chip", has_text="dead").click()
    assert cards.count() == 1
    assert "kind=dead" in page.url
    frame.locator(".chip", has_text="dead").click()
    assert cards.count() == 3
    keep(page, "modules_light")


@in_firefox_too
def test_findings_are_shown_pinned_and_muted(page, modules_board):
    frame = open_deep(page, modules_board)
    cards = frame.locator("[data-testid=finding-card]")
    last = cards.nth(2)
    assert last.get_attribute("data-kind") == "dead"
    last.get_by_role("button", name="Pin").click()
    assert cards.first.get_attribute("data-kind") == "dead"
    cards.nth(1).get_by_role("button", name="Mute").click()
    assert "1 muted finding" in text(frame, "muted")
    assert "1 muted" in text(frame, "verdict")
    # Pinned rows stay, whatever the filter says.
    frame.locator("[data-testid=layer-filter]").fill("block_1/")
    page.wait_for_timeout(300)
    assert rows(frame) == 3
    cards.first.get_by_role("button", name="Show").click()
    detail = frame.locator("[data-testid=layer-detail]")
    detail.wait_for(timeout=15_000)
    assert detail.get_attribute("data-layer") == "head"
    assert "step=20" in page.url
    # All of it is in the address.
    page.reload()
    frame = page.frame_locator("iframe")
    frame.locator(HEATMAP).wait_for(timeout=30_000)
    assert rows(frame) == 3
    assert frame.locator("[data-testid=finding-card]").first.get_attribute("data-kind") == "dead"
    assert "1 muted" in text(frame, "verdict")
    assert frame.locator("[data-testid=layer-detail]").get_attribute("data-layer") == "head"


@in_firefox_too
def test_a_filter_that_is_no_expression_is_said_and_hides_nothing(page, modules_board):
    frame = open_deep(page, modules_board)
    box = frame.locator("[data-testid=layer-filter]")
    for wrong in ("(", "[a", "(a+)+$", "x" * 500):
        box.fill(wrong)
        page.wait_for_timeout(150)
        assert "Not " in frame.locator("#filter-error").inner_text()
        assert rows(frame) == 21
    box.fill("up$")
    page.wait_for_timeout(200)
    assert rows(frame) == 10
    box.fill("no such layer")
    frame.get_by_text("No layer matches the filter.").wait_for(timeout=5_000)


def test_modules_fold_by_button_bracket_and_key(page, modules_board):
    frame = open_deep(page, modules_board)
    frame.locator("[data-testid=fold]").click()
    page.wait_for_timeout(200)
    # Eight healthy blocks in a row each, two sick ones of two rows, the head.
    assert rows(frame) == 13
    frame.locator("[data-testid=fold]").click()
    page.wait_for_timeout(200)
    assert rows(frame) == 21
    box = frame.locator(HEATMAP).bounding_box()
    page.mouse.click(box["x"] + 15, box["y"] + 8)  # the inner bracket of block_0
    page.wait_for_timeout(200)
    assert rows(frame) == 20
    frame.locator(HEATMAP).focus()
    page.keyboard.press("f")  # the pointer is still in the folded row
    page.wait_for_timeout(200)
    assert rows(frame) == 21
    frame.locator("[data-testid=order]").select_option("worst")
    frame.locator(HEATMAP).focus()
    page.keyboard.press("Home")
    page.keyboard.press("End")
    assert "vanishing" in text(frame, "read-out")


@in_firefox_too
def test_everything_can_be_done_with_keys(page, modules_board):
    frame = open_deep(page, modules_board)
    frame.locator("body").evaluate("() => window.focus()")
    press = page.keyboard.press
    press("?")
    frame.locator("[data-testid=help]").wait_for(timeout=5_000)
    press("Escape")
    frame.locator("[data-testid=help]").wait_for(state="detached", timeout=5_000)
    press("/")
    page.keyboard.type("block_3")
    page.wait_for_timeout(200)
    assert rows(frame) == 2
    press("Escape")
    page.wait_for_timeout(200)
    assert rows(frame) == 2
    press("n")
    press("n")
    active = frame.locator("[data-group]:focus")
    assert active.get_attribute("data-kind") == "vanishing"
    press("p")
    press("Enter")
    detail = frame.locator("[data-testid=layer-detail]")
    detail.wait_for(timeout=15_000)
    # Shown although it was filtered out: the filter gives way.
    assert detail.get_attribute("data-layer") == "encoder/block_0/up"
    assert rows(frame) == 21
    press("Escape")
    detail.wait_for(state="detached", timeout=5_000)
    press("+")
    page.wait_for_timeout(200)
    assert "zoom=" in page.url
    press("0")
    page.wait_for_timeout(200)
    assert "zoom=" not in page.url


@in_firefox_too
def test_a_drag_zooms_every_picture(page, modules_board):
    frame = open_deep(page, modules_board)
    box = frame.locator(HEATMAP).bounding_box()
    y = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + box["width"] * 0.5, y)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.7, y, steps=4)
    page.mouse.up()
    page.wait_for_timeout(300)
    assert "zoom=" in page.url
    assert frame.locator("[data-testid=layer-detail]").count() == 0  # a drag is no click
    keep(page, "zoomed")
    for axis in ("relative", "wall"):
        frame.locator("[data-testid=axis]").select_option(axis)
        page.wait_for_timeout(200)
        assert f"axis={axis}" in page.url
    assert "zoom=" in page.url


def test_a_double_click_shows_all_steps_again(page, modules_board):
    # In Chromium alone: Playwright's second click is a first one to Firefox.
    frame = open_deep(page, modules_board, "&p.gradients.zoom=10,20")
    frame.locator("[data-testid=loss-panel] .plot").first.dblclick()
    page.wait_for_timeout(200)
    assert "zoom=" not in page.url


@in_firefox_too
def test_runs_are_compared_and_what_has_no_partner_is_listed(page, modules_board):
    frame = open_deep(page, modules_board, "&p.gradients.layer=encoder%2Fblock_1%2Fup")
    frame.locator("[data-testid=compare]").click()
    frame.get_by_role("checkbox", name="shallow").check()
    frame.get_by_text("shallow: loss").first.wait_for(timeout=15_000)
    frame.get_by_text("shallow: ‖g‖").first.wait_for(timeout=15_000)
    assert "compare=shallow" in page.url
    frame.locator("[data-testid=compare]").click()
    frame.locator("[data-testid=ratio]").select_option("shallow")
    unmatched = frame.locator("[data-testid=unmatched]")
    unmatched.first.wait_for(timeout=15_000)
    assert "10 layers only in deep" in unmatched.first.inner_text()
    frame.locator(HEATMAP).focus()
    page.keyboard.press("ArrowDown")
    # The same draws at a tenth of the scale, quantised to 1/16 and 1/31 of a decade.
    assert "(−1.0 decades)" in text(frame, "read-out")
    assert text(frame, "read-out").split(" · ")[2].startswith("A is 1/")
    keep(page, "compared")


@in_firefox_too
def test_a_layer_has_its_views(page, modules_board, saved):
    frame = open_deep(page, modules_board, "&p.gradients.layer=encoder%2Fblock_1%2Fup")
    mode = frame.locator("[data-testid=histogram-mode]")
    mode.wait_for(timeout=15_000)
    for of in ("gradients", "weights"):
        frame.locator("[data-testid=histogram-of]").select_option(of)
        for kind in ("overlay", "bands", "ridge"):
            mode.select_option(kind)
            page.wait_for_timeout(150)
            assert colours(frame.locator(".histogram canvas").first) > 10
            keep(page, f"histogram_{of}_{kind}")
    frame.locator("[data-testid=picture]").select_option("profile")
    assert "layers in forward order" in text(frame, "profile")
    assert "encoder/block_1/up · ‖g‖ " in text(frame, "profile")
    frame.locator("[data-testid=picture]").select_option("map")
    picture = frame.locator("[data-testid=map] canvas")
    picture.wait_for(timeout=15_000)
    assert colours(picture) > 10
    assert "3 × 3 × 4 × 100, shown as 3 × 3 × 4 × 64" in text(frame, "map")
    box = picture.bounding_box()
    page.mouse.move(box["x"] + 3, box["y"] + 3)
    # RAMP[1, 1, 0, 0] = -0.1109, as a code: -14 / 127.
    assert "[0, 0] −0.11" in text(frame, "map")
    frame.get_by_label("Axis of the rows").select_option("3")
    page.wait_for_timeout(200)
    assert frame.get_by_label("Axis of the columns").input_value() == "2"
    table = saved(frame, "the gradient map as CSV").decode().splitlines()
    assert [len(line.split(",")) for line in table] == [4] * 64
    keep(page, "map")


def test_outputs_have_their_histograms_where_probes_looked(page, demo_board):
    start = "&p.gradients.layer=dense_1&p.gradients.of=activations"
    for run, step, zero in (("cured_relu", 1, "0 %"), ("dead_relu", 23, "100 %")):
        frame = open_tab(page, demo_board, run + start)
        mode = frame.locator("[data-testid=histogram-mode]")
        mode.wait_for(timeout=30_000)
        canvas = frame.locator(".histogram canvas")
        for kind in ("overlay", "bands", "ridge"):
            mode.select_option(kind)
            page.wait_for_timeout(200)
            label = canvas.get_attribute("aria-label")
            assert f"of the |output| at step {step}" in label
            # All zeros: nothing has a place on the axis, the bar says it.
            assert (coloured(canvas) > 100) == (zero == "0 %")
            keep(page, f"outputs_{run}_{kind}")
        assert frame.locator(".share-bars dd").first.inner_text().strip() == zero
        page.goto("about:blank")


def test_what_a_run_has_not_recorded_is_said(page, modules_board):
    frame = open_tab(page, modules_board, "shallow&p.gradients.layer=encoder%2Fblock_1%2Fup")
    of = frame.locator("[data-testid=histogram-of]")
    of.wait_for(timeout=30_000)
    of.select_option("activations")
    assert "probe" in text(frame, "no-histogram")
    of.select_option("weights")
    assert "weights" in text(frame, "no-histogram")
    frame.locator("[data-testid=picture]").select_option("map")
    assert "No gradient map" in text(frame, "map")


@in_firefox_too
def test_panels_are_saved_as_tables_and_pictures(page, modules_board, saved):
    frame = open_deep(page, modules_board)
    lines = saved(frame, "the heatmap as CSV").decode().splitlines()
    assert lines[0].startswith("step,wall_time,decades encoder/block_0/up,")
    assert len(lines) == 41
    for what in ("the heatmap", "loss and training", "the findings"):
        picture = saved(frame, f"{what} as PNG")
        assert picture.startswith(b"\x89PNG")
        assert len(picture) > 5_000
        keep_file(page, picture, what.replace(" ", "_"))


def keep_file(page, content, name):
    directory = os.environ.get("TB_GRADPLUGIN_SCREENSHOTS")
    if directory:
        browser = page.context.browser.browser_type.name
        (pathlib.Path(directory) / f"{browser}_saved_{name}.png").write_bytes(content)


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_nothing_on_the_page_is_a_barrier(page, modules_board, dark):
    if not AXE.exists():
        pytest.skip("axe-core is not installed (npm ci in frontend/)")
    frame = open_deep(page, modules_board, "&p.gradients.layer=encoder%2Fblock_1%2Fup", dark)
    frame.locator("[data-testid=layer-detail] canvas").first.wait_for(timeout=15_000)
    body = frame.locator("body")
    body.evaluate(AXE.read_text())
    found = body.evaluate("() => axe.run(document, {resultTypes: ['violations']})")
    bad = [
        (v["id"], v["help"], [node["html"][:120] for node in v["nodes"]][:5])
        for v in found["violations"]
        if v["impact"] in ("serious", "critical")
    ]
    assert bad == []


def test_a_server_that_went_away_is_followed_again_when_it_is_back(page, modules_board):
    gone = {"on": True}
    frame = open_deep(page, modules_board)
    page.route("**/plugin/gradients/runs*", lambda r: r.abort() if gone["on"] else r.fallback())
    frame.locator("[data-testid=live]", has_text="no answer").wait_for(timeout=30_000)
    assert rows(frame) == 21  # what was there is still there
    keep(page, "gone")
    gone["on"] = False
    frame.locator("[data-testid=live]", has_text="live").wait_for(timeout=60_000)
    assert frame.locator("[data-testid=error-panel]").count() == 0


def test_a_page_that_holds_its_data_needs_no_server(page, modules_logs, tmp_path):
    whole, file = tmp_path / "whole.html", tmp_path / "report.html"
    report = logdir.read_report(modules_logs)
    html_report.write(modules_logs, str(whole), report)
    # Without room for the last layers, as of a large log directory.
    left_out = html_report.write(modules_logs, str(file), report, whole.stat().st_size - 1000)
    assert all(request.startswith("layer") for request in left_out)
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(file.as_uri() + "#p.gradients.run=deep")
    page.locator(HEATMAP).wait_for(timeout=15_000)
    assert "4 of 21 layers are sick" in page.locator("[data-testid=verdict]").inner_text()
    assert "saved file" in page.locator(".live").inner_text()
    page.locator("[data-testid=finding-card]").first.get_by_role("button", name="Show").click()
    page.locator("[data-testid=layer-detail] canvas").first.wait_for(timeout=5_000)
    page.locator("[data-testid=run-picker]").select_option("shallow")
    page.locator(HEATMAP).focus()
    page.keyboard.press("PageDown")
    page.keyboard.press("PageDown")
    page.keyboard.press("Enter")
    error = page.locator("[data-testid=error-panel]").first
    error.wait_for(timeout=5_000)
    assert "not in this file" in error.inner_text()
    assert [url for url in asked if not url.startswith("file:")] == []
    keep(page, "saved_page")


def test_a_poll_brings_only_what_is_new(page, tmp_path, saved):
    logs = tmp_path / "logs"
    growing_run(logs / "run1", range(1, 30))
    asked = []
    page.on("request", lambda request: asked.append(urlsplit(request.url)))

    def of(route):
        return [parse_qs(url.query) for url in asked if url.path.endswith(f"gradients/{route}")]

    with board_for(page, str(logs), tmp_path / "log", "--reload_interval=1") as board:
        frame = open_tab(page, board, "run1&p.gradients.layer=dense_0")
        heatmap = frame.locator(HEATMAP)
        heatmap.wait_for(timeout=30_000)
        frame.locator("[data-testid=layer-detail] canvas").first.wait_for(timeout=15_000)
        growing_run(logs / "run1", range(30, 60))
        deadline = time.monotonic() + 40
        while heatmap.get_attribute("data-columns") != "59" and time.monotonic() < deadline:
            page.wait_for_timeout(500)
        assert heatmap.get_attribute("data-columns") == "59"
        page.wait_for_timeout(1000)
        for route in ("heatmap", "scalars", "layer"):
            first, second, *_ = of(route)
            assert "since" not in first
            assert second["since"] == ["29"]
            assert second["epoch"]
        table = saved(frame, "norm and update ratio as CSV").decode().splitlines()
        assert [line.split(",")[0] for line in table[1:]] == [str(step) for step in range(1, 60)]


@in_firefox_too
def test_an_address_that_is_put_in_an_open_page_is_followed(page, modules_board):
    frame = open_deep(page, modules_board, "&p.gradients.order=worst")
    page.evaluate("location.hash = '#gradients&p.gradients.run=shallow&p.gradients.axis=wall'")
    frame.locator("[data-testid=verdict]", has_text="healthy").wait_for(timeout=15_000)
    assert frame.locator("[data-testid=axis]").input_value() == "wall"
    assert frame.locator("[data-testid=order]").input_value() == "forward"
    # Another tab and back: the view is as it was, and in the address again.
    page.evaluate("location.hash = '#timeseries'")
    page.wait_for_timeout(500)
    page.evaluate("location.hash = '#gradients'")
    page.wait_for_timeout(500)
    assert "run=shallow" in page.url
    assert "axis=wall" in page.url
