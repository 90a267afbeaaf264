"""The page in a real browser: what people do with it, and what must never happen."""

import random
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import pandas as pd
import pytest

import yeastxr as yx
from tests.browser import CHROMIUM
from tests.explore.common import MARKUP, TFS, serve, simulate
from yeastxr.explore.selection import Box

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium: apt install chromium")
PATIENCE = 30_000  # ms; machines that test are slow
VISIT = "query => { history.pushState({}, '', query); dispatchEvent(new PopStateEvent('popstate')) }"
DESKTOP = {"width": 1280, "height": 900}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, int]]:
    store = tmp_path_factory.mktemp("explore") / "sim.zarr"
    yx.save(simulate(replicates=2), store)
    with serve(store) as (address, process, _):
        yield address, process


@pytest.fixture(scope="module")
def url(server: tuple[str, int]) -> str:
    return server[0]


@pytest.fixture(scope="module")
def process(server: tuple[str, int]) -> int:
    return server[1]


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    options = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=options)
        yield browser
        browser.close()


class Watched:
    """A page that records the errors of its console and its requests to other hosts."""

    def __init__(self, context: Any, url: str) -> None:
        self.page = context.new_page()
        self.page.set_default_timeout(PATIENCE)
        self.problems: list[str] = []
        host = urlsplit(url).netloc
        self.page.on("console", lambda m: self.problems.append(m.text) if m.type == "error" else None)
        self.page.on("pageerror", lambda error: self.problems.append(error.stack or str(error)))
        self.page.on("request", lambda request: self._check(request.url, host))
        self.url = url

    def _check(self, url: str, host: str) -> None:
        if urlsplit(url).scheme in ("http", "https", "ws") and urlsplit(url).netloc != host:
            self.problems.append(f"request to {url}")

    def open(self, query: str, heading: str | re.Pattern[str]) -> Any:
        """Open the page, and wait until it shows a heading and its plots are drawn."""
        self.page.goto(self.url + query)
        self.wait(heading)
        return self.page

    def visit(self, query: str, heading: str | re.Pattern[str]) -> Any:
        """Go to a URL of the page as with the back button, which takes a fraction of the time of opening it."""
        self.page.evaluate(VISIT, query)
        self.wait(heading)
        return self.page

    def wait(self, heading: str | re.Pattern[str]) -> None:
        self.page.get_by_role("heading", name=heading, exact=True).wait_for()
        self.page.wait_for_function("Bokeh.documents.every((document) => document.is_idle)", polling=100)


@pytest.fixture(scope="module")
def opened(chromium: Any, url: str) -> Iterator[Watched]:
    context = chromium.new_context(viewport=DESKTOP)
    watched = Watched(context, url)
    watched.open("?view=tf", "TF GAL4")
    yield watched
    context.close()


@pytest.fixture
def watched(opened: Watched) -> Iterator[Watched]:
    """A page that tests share, as opening one takes seconds; it shows what the test before has left."""
    opened.problems.clear()
    yield opened
    assert opened.problems == []


@pytest.fixture
def watch(chromium: Any, url: str) -> Iterator[Any]:
    """Open a page in another browser, which shares nothing."""
    started: list[Watched] = []
    contexts: list[Any] = []

    def start(**settings: Any) -> Watched:
        contexts.append(chromium.new_context(**settings))
        started.append(Watched(contexts[-1], url))
        return started[-1]

    yield start
    for context in contexts:
        context.close()
    assert [problem for watched in started for problem in watched.problems] == []


def read_box(page: Any) -> Box:
    return Box.from_text(parse_qs(urlsplit(page.url).query)["box"][0])


def drag(page: Any, figure: str, corners: tuple[float, float, float, float]) -> None:
    """Draw a rectangle in a figure, between shares of its width and height."""
    canvas = page.get_by_role("img", name=figure)
    canvas.scroll_into_view_if_needed()
    area = canvas.bounding_box()
    x0, y0, x1, y1 = (
        area[side] + area[size] * share
        for side, size, share in zip(("x", "y", "x", "y"), ("width", "height", "width", "height"), corners, strict=True)
    )
    page.mouse.move(x0, y0)
    page.mouse.down()
    page.mouse.move((x0 + x1) / 2, (y0 + y1) / 2, steps=4)
    page.mouse.move(x1, y1, steps=4)
    page.mouse.up()


def test_tf__is_picked_selected_and_taken_away(watched: Watched) -> None:
    page = watched.visit("?view=tf", "TF GAL4")
    page.get_by_label("TF", exact=True).fill("mig1")
    page.keyboard.press("Enter")
    watched.wait("TF MIG1")
    page.wait_for_url(re.compile("tf=MIG1"))
    page.get_by_role("img", name="MIG1: magnitude of perturbation effects").wait_for()

    drag(page, "MIG1: magnitude of perturbation effects", (0.2, 0.2, 0.95, 0.7))
    page.get_by_text(re.compile("genes selected")).wait_for()
    box = read_box(page)
    part = simulate(replicates=2).isel(replicate=0).sel(tf=["MIG1"])
    pairs = part.yeast.to_dataframe().reset_index()
    expected = pairs[box.find(pairs)]
    assert 0 < len(expected) < 300
    page.get_by_text(f"{len(expected)} of 300 genes selected").wait_for()

    with page.expect_download() as download:
        page.get_by_role("button", name="Download table (CSV)").click()
    assert download.value.suggested_filename == "tf-MIG1.csv"
    table = pd.read_csv(download.value.path())
    assert set(table["gene"]) == set(expected["gene"])
    assert list(table["binding_pvalue"]) == sorted(table["binding_pvalue"])

    page.go_back()
    page.get_by_text("All 300 genes").wait_for()
    page.wait_for_url(re.compile("^((?!box).)*$"))
    page.go_back()
    watched.wait("TF GAL4")
    page.go_forward()
    watched.wait("TF MIG1")
    page.go_forward()
    page.get_by_text(f"{len(expected)} of 300 genes selected").wait_for()

    watched.visit("?view=sweep", re.compile("along"))  # one plot, which is drawn soon
    with page.expect_download() as download:
        page.get_by_role("button", name="Download plots (PNG)").click()
    assert Path(download.value.path()).read_bytes().startswith(b"\x89PNG")


def test_selection__is_made_and_cleared_by_keyboard(watched: Watched) -> None:
    page = watched.visit("?view=tf", "TF GAL4")
    page.get_by_label("Ends of the rectangle").fill("0.5, 80, 1, 20")
    page.keyboard.press("Enter")
    page.get_by_text(re.compile("of 300 genes selected")).wait_for()
    page.wait_for_url(re.compile("box="))
    assert read_box(page) == Box("effects", (0.5, 80.0, 1.0, 20.0))
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")  # Clear selection
    page.get_by_text("All 300 genes").wait_for()
    page.wait_for_url(re.compile("^((?!box).)*$"))
    page.get_by_label("Ends of the rectangle").focus()
    for _ in range(10):  # the table, its pages, and the button that downloads it
        page.keyboard.press("Tab")
        name = page.evaluate(
            "() => { let part = document.activeElement;"
            " while (part.shadowRoot?.activeElement) part = part.shadowRoot.activeElement;"
            " return part.textContent }"
        )
        if "CSV" in name:
            break
    assert "CSV" in name
    page.locator(".tabulator-cell[tabulator-field=gene]").first.click()
    page.get_by_role("heading", name=re.compile("Gene [0-9]+")).wait_for()
    page.wait_for_function("Bokeh.documents.every((document) => document.is_idle)")


def test_unknown_name__is_a_sentence(watched: Watched) -> None:
    page = watched.visit("?view=tf&tf=RAP1&at.replicate=7&colour=red", "TF RAP1")
    page.get_by_role("alert").get_by_text("replicate '7' is not in the dataset").wait_for()
    page.get_by_label("TF", exact=True).fill("GAL5")
    page.keyboard.press("Enter")
    page.get_by_text("did you mean 'GAL4'?").wait_for()
    page.get_by_label("replicate", exact=True).select_option("1")
    page.get_by_text("did you mean").wait_for(state="detached")
    page.wait_for_url(re.compile(r"at\.replicate=1"))


def test_sweep__checkbox_belongs_to_its_title(watched: Watched) -> None:
    page = watched.visit("?view=sweep", "TF GAL4 along replicate")
    page.get_by_text("Mean of all TFs", exact=True).click()
    watched.wait("Mean of all TFs along replicate")
    assert page.get_by_label("Mean of all TFs", exact=True).is_checked()
    page.wait_for_url(re.compile("opt.tfs=all"))
    page.keyboard.press("Space")
    watched.wait("TF GAL4 along replicate")


def test_overview__is_not_drawn_twice(watched: Watched) -> None:
    page = watched.visit("?view=overview", "Plots")
    canvas = page.get_by_role("img", name="All pairs: Binding effects").locator("canvas").first
    canvas.evaluate("canvas => { canvas.isKept = true }")
    page.get_by_role("link", name="Gene", exact=True).click()
    watched.wait("Gene 0")
    assert not canvas.is_visible()
    page.get_by_role("link", name="Overview").click()
    watched.wait("Plots")
    assert canvas.evaluate("canvas => canvas.isKept")


def test_form__makes_a_new_dataset_that_a_copied_url_restores(watched: Watched, watch: Any) -> None:
    page = watched.visit("?view=simulate", "Simulate")
    page.get_by_label("tf_relationships").fill("GAL4: MIG1 & GCN5")
    page.keyboard.press("Tab")
    page.get_by_text("did you mean 'GCN4'?").wait_for()
    page.get_by_label("tf_relationships").fill("GAL4: MIG1 & GCN4")
    page.keyboard.press("Tab")
    page.get_by_text("All views show a simulation with other parameters").wait_for()
    page.get_by_text("did you mean 'GCN4'?").wait_for(state="detached")
    with page.expect_download() as download:
        page.get_by_role("button", name="Save specification").click()
    spec = yx.SimulationSpec.from_json(Path(download.value.path()).read_text(encoding="utf-8"))
    assert dict(spec.tf_relationships) == {"GAL4": (yx.And("MIG1", "GCN4"),)}
    page.get_by_role("link", name="TF", exact=True).click()
    watched.wait("TF GAL4")
    label = simulate(replicates=2).label.isel(replicate=0)
    met = int((label.sel(tf="GAL4") & label.sel(tf="MIG1") & label.sel(tf="GCN4")).sum())
    page.get_by_text(f"{met} of {int(label.sel(tf='GAL4').sum())}", exact=True).wait_for()
    drag(page, "GAL4: magnitude of perturbation effects", (0.2, 0.2, 0.95, 0.7))
    page.get_by_text(re.compile("genes selected")).wait_for()
    selected = page.get_by_text(re.compile("genes selected")).inner_text()
    page.wait_for_url(re.compile("box="))

    copied = watch(viewport=DESKTOP)
    copied.open(f"?{urlsplit(page.url).query}", "TF GAL4")
    copied.page.get_by_text("All views show a simulation with other parameters").wait_for()
    copied.page.get_by_text(selected, exact=True).wait_for()
    page.get_by_role("link", name="Simulate").click()  # its plots are not drawn anew
    watched.wait("Simulate")
    page.get_by_role("button", name="Back to the opened dataset").click()
    page.get_by_text("All views show a simulation").wait_for(state="hidden")
    assert "set." not in page.url
    assert copied.page.get_by_text("All views show a simulation").is_visible()  # the other browser's page stays


def test_page__on_a_phone_by_keyboard_in_both_themes_with_markup_in_names(watch: Any) -> None:
    watched = watch(viewport={"width": 375, "height": 800}, color_scheme="dark", has_touch=True)
    page = watched.open("?view=tf&tf=RAP1", "TF RAP1")
    root, width = page.locator("html"), "document.documentElement.scrollWidth"
    assert page.evaluate(width) <= 375
    assert root.get_attribute("data-theme") == "dark"
    assert root.get_attribute("lang") == "en"
    link = page.get_by_role("link", name="TF pairs")
    link.focus()
    page.keyboard.press("Enter")
    watched.wait("RAP1 and GAL4")
    assert page.get_by_role("link", name="TF pairs").get_attribute("aria-current") == "page"
    assert page.evaluate(width) <= 375

    for query in ("?view=pairs&other=RAP1", "?view=tf"):
        watched.visit(f"{query}&tf={quote(MARKUP)}", re.compile("onerror"))
        page.get_by_label("TF", exact=True).fill("img")
        page.wait_for_timeout(300)  # for the names that it completes
    assert page.evaluate("document.hacked") is None
    page.get_by_role("button", name="Light theme").click()
    assert root.get_attribute("data-theme") == "light"
    watched.open("?view=gene&gene=7", "Gene 7")
    assert page.evaluate(width) <= 375
    assert root.get_attribute("data-theme") == "light"  # it is kept
    assert page.evaluate("document.hacked") is None


class Fuzz:
    """Random interactions with a page, from a seed."""

    def __init__(self, watched: Watched, seed: int) -> None:
        self.page, self.address, self.random = watched.page, watched.url, random.Random(seed)

    def pick(self, selector: str) -> Any:
        """Return one of the visible elements of a kind."""
        return self.random.choice(self.page.locator(f"{selector}:visible").all() or [self.page.locator(".none")])

    def click_link(self) -> None:
        self.pick("nav a").click()

    def type_name(self) -> None:
        names = [*TFS, "17", "299", "GAL", "", "🧬", "x" * 300, MARKUP]
        self.pick("input[type=text]").fill(self.random.choice(names))
        self.page.keyboard.press("Enter")

    def choose(self) -> None:
        select = self.pick("select")
        select.select_option(index=self.random.randrange(select.locator("option").count() + 1))

    def draw_box(self) -> None:
        figure = self.pick(".bk-Figure")
        figure.scroll_into_view_if_needed()
        area = figure.bounding_box()
        if area is None:  # it is gone
            return
        x, y = (
            [area[side] + area[size] * self.random.uniform(0.1, 0.95) for _ in range(2)]
            for side, size in (("x", "width"), ("y", "height"))
        )
        self.page.mouse.move(x[0], y[0])
        self.page.mouse.down()
        self.page.mouse.move(x[1], y[1], steps=3)
        self.page.mouse.up()

    def press_button(self) -> None:
        self.pick("button").click()

    def press_keys(self) -> None:
        for _ in range(self.random.randrange(1, 6)):
            self.page.keyboard.press(self.random.choice(["Tab", "Enter", "ArrowDown", "Escape", "Space", "1"]))

    def travel(self) -> None:
        self.random.choice([self.page.go_back, self.page.go_forward])(wait_until="commit")

    def open_address(self) -> None:
        words = ["view=tf", "view=sweep", "tf=RAP1", "box=effects,0,9,0,9", "set.bound_mean=5", "set.genes=%5B%5D"]
        words += ["at.replicate=1", "opt.x=tf", "%FF", "view=%3Cb%3E", "box=,,", "set.seed=-1"]
        query = "&".join(self.random.sample(words, self.random.randrange(1, 5)))
        self.page.evaluate(VISIT, f"?{query}")

    def run(self, n: int) -> None:
        """Do n interactions; one that the page makes impossible meanwhile is as good as another."""
        from playwright.sync_api import Error

        actions = [
            self.click_link,
            self.type_name,
            self.choose,
            self.draw_box,
            self.press_button,
            self.press_keys,
            self.travel,
            self.open_address,
        ]
        self.page.set_default_timeout(400)
        for _ in range(n):
            with suppress(Error):
                self.random.choice(actions)()
            if not self.page.url.startswith("http"):  # back at the tab's empty page
                self.page.goto(self.address)
        self.page.set_default_timeout(PATIENCE)


def read_memory(process: int) -> float:
    """Return the resident memory of a process in MB."""
    status = Path(f"/proc/{process}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) / 1e3


@pytest.mark.parametrize("n", [20, pytest.param(1000, marks=pytest.mark.slow)])
def test_page__outlives_random_interactions(n: int, watched: Watched, process: int) -> None:
    watched.open("?view=tf", "TF GAL4")
    fuzz = Fuzz(watched, seed=n)
    fuzz.run(n // 5)  # what is read, imported and compiled once
    before = read_memory(process)
    fuzz.run(n)
    after = read_memory(process)
    print(f"{n} interactions: {before:.0f} MB before, {after:.0f} MB after")
    assert after - before < 200
    # A page that is left while it loads, as here again and again, rejects what it waits for.
    watched.problems[:] = [problem for problem in watched.problems if problem.startswith("request to")]
    watched.open("?view=tf&tf=MIG1", "TF MIG1")
