"""The page in a real browser: what people do with it, and what must never happen."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pandas as pd
import pytest

import yeastxr as yx
from tests.explore.common import MARKUP, serve, simulate
from yeastxr.explore.selection import Box

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium: apt install chromium")
PATIENCE = 30_000  # ms; machines that test are slow


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    store = tmp_path_factory.mktemp("explore") / "sim.zarr"
    yx.save(simulate(replicates=2), store)
    with serve(store) as (address, _, _):
        yield address


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

    def __init__(self, browser: Any, url: str, **settings: Any) -> None:
        self.context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **settings})
        self.page = self.context.new_page()
        self.page.set_default_timeout(PATIENCE)
        self.problems: list[str] = []
        host = urlsplit(url).netloc
        self.page.on("console", lambda m: self.problems.append(m.text) if m.type == "error" else None)
        self.page.on("pageerror", lambda error: self.problems.append(str(error)))
        self.page.on("request", lambda request: self._check(request.url, host))
        self.url = url

    def _check(self, url: str, host: str) -> None:
        if urlsplit(url).scheme in ("http", "https", "ws") and urlsplit(url).netloc != host:
            self.problems.append(f"request to {url}")

    def open(self, query: str, heading: str) -> Any:
        """Open the page, and wait until it shows a heading and its plots are drawn."""
        self.page.goto(self.url + query)
        self.wait(heading)
        return self.page

    def wait(self, heading: str) -> None:
        self.page.get_by_role("heading", name=heading, exact=True).wait_for()
        self.page.wait_for_function("Bokeh.documents.every((document) => document.is_idle)")


@pytest.fixture
def watch(chromium: Any, url: str) -> Iterator[Any]:
    opened: list[Watched] = []

    def start(**settings: Any) -> Watched:
        opened.append(Watched(chromium, url, **settings))
        return opened[-1]

    yield start
    for watched in opened:
        watched.context.close()
    assert [problem for watched in opened for problem in watched.problems] == []


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


def test_tf__is_picked_selected_and_taken_away(watch: Any) -> None:
    watched = watch()
    page = watched.open("?view=tf", "TF GAL4")
    page.get_by_label("TF", exact=True).fill("mig1")
    page.keyboard.press("Enter")
    watched.wait("TF MIG1")
    assert "tf=MIG1" in page.url
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
    with page.expect_download() as download:
        page.get_by_role("button", name="Download plots (PNG)").click()
    assert Path(download.value.path()).read_bytes().startswith(b"\x89PNG")

    page.go_back()
    page.get_by_text("All 300 genes").wait_for()
    assert "box" not in page.url
    page.go_back()
    watched.wait("TF GAL4")
    page.go_forward()
    watched.wait("TF MIG1")
    page.go_forward()
    page.get_by_text(f"{len(expected)} of 300 genes selected").wait_for()

    copied = watch()
    copied.open(f"?{urlsplit(page.url).query}", "TF MIG1")
    copied.page.get_by_text(f"{len(expected)} of 300 genes selected").wait_for()
    copied.page.get_by_role("link", name="Gene").click()
    copied.wait("Gene 0")
    assert page.get_by_role("heading", name="TF MIG1").is_visible()  # the other browser's page stays


def test_page__works_by_keyboard_and_on_a_phone_in_both_themes(watch: Any) -> None:
    watched = watch(viewport={"width": 375, "height": 800}, color_scheme="dark", has_touch=True)
    page = watched.open("?view=tf&tf=RAP1", "TF RAP1")
    root = page.locator("html")
    assert root.get_attribute("data-theme") == "dark"
    assert root.get_attribute("lang") == "en"
    link = page.get_by_role("link", name="TF pairs")
    link.focus()
    page.keyboard.press("Enter")
    watched.wait("RAP1 and GAL4")
    assert page.get_by_role("link", name="TF pairs").get_attribute("aria-current") == "page"
    for view, heading in (("?view=tf", "TF GAL4"), ("?view=gene&gene=7", "Gene 7"), ("?view=pairs", "GAL4 and MIG1")):
        watched.open(view, heading)
        assert page.evaluate("document.documentElement.scrollWidth") <= 375
    page.get_by_role("button", name="Light theme").click()
    assert root.get_attribute("data-theme") == "light"
    watched.open("?view=tf", "TF GAL4")
    assert root.get_attribute("data-theme") == "light"  # it is kept


def test_names__inject_no_markup(watch: Any) -> None:
    watched = watch()
    for query in ("?view=tf", "?view=pairs&other=RAP1"):
        page = watched.page
        page.goto(f"{watched.url}{query}&tf={MARKUP.replace(' ', '%20')}")
        page.get_by_role("heading", name=re.compile("onerror")).wait_for()
        page.get_by_label("TF", exact=True).fill("img")
        page.wait_for_timeout(300)
    watched.open("?view=gene&gene=5", "Gene 5")
    assert page.evaluate("document.hacked") is None


def test_unknown_name__is_a_sentence(watch: Any) -> None:
    watched = watch()
    page = watched.open("?view=tf&tf=GAL4&at.replicate=7&colour=red", "TF GAL4")
    assert "replicate '7' is not in the dataset" in page.get_by_role("alert").inner_text()
    page.get_by_label("TF", exact=True).fill("GAL5")
    page.keyboard.press("Enter")
    page.get_by_text("did you mean 'GAL4'?").wait_for()
    page.get_by_label("replicate").select_option("1")
    page.get_by_text("did you mean").wait_for(state="detached")
    assert "at.replicate=1" in page.url
