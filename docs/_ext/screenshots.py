"""Pictures of the explorer for the pages, taken in a headless Chromium: ``python docs/_ext/screenshots.py``.

The datasets are those of the Python blocks of ``docs/guide/explorer.md``. Needs ``yeastxr[explore]``, playwright,
pillow and Chromium (``apt install chromium``).
"""

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import sync_playwright

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from tests.explore.common import serve  # noqa: E402
from tests.pages import blocks  # noqa: E402

PAGE, PICTURES = ROOT / "docs" / "guide" / "explorer.md", ROOT / "docs" / "explorer"
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
WIDE, PHONE = (1280, 800), (375, 800)  # windows, in pixels
WIDTH, TOUR_WIDTH = 960, 900  # of pictures
COLOURS, NEARLY_WHITE = 255, 251
FRAME = 1500  # ms
EFFECTS = "TF GAL4: magnitude of perturbation effects over binding effects"
RELATIONS = "GAL4: MIG1 | GCN4\nSTE12: RAP1 & !ABF1"
SELECTION = (0.2, 0.25, 0.98, 0.62)  # a rectangle in that plot, in shares of its width and height


class Window:
    """A window of the browser that shows the explorer."""

    def __init__(self, browser: Any, url: str, size: tuple[int, int], **settings: Any) -> None:
        self._url = url
        self.page = browser.new_context(
            viewport=dict(zip(("width", "height"), size, strict=True)), **settings
        ).new_page()

    def open(self, query: str, heading: str, n_figures: int, *, height: int | None = None) -> None:
        """Show what a query says in a window of a height, and wait for its heading and its plots."""
        if height is not None:
            self.page.set_viewport_size({"width": self.page.viewport_size["width"], "height": height})
        self.page.goto(self._url + query)
        self.page.get_by_role("heading", name=heading, exact=True).wait_for()
        self.wait(n_figures)

    def wait(self, n_figures: int) -> None:
        """Wait until a number of plots are drawn and nothing changes."""
        self.page.locator(f":nth-match(.bk-Figure:visible, {n_figures})").wait_for()
        self.page.wait_for_timeout(1500)
        self.page.wait_for_function("Bokeh.documents.every((document) => document.is_idle)")

    def drag(self, corners: tuple[float, float, float, float], *, release: bool) -> None:
        """Draw a rectangle in the plot of effects."""
        area = self.page.get_by_role("img", name=EFFECTS).bounding_box()
        left, top, right, bottom = corners
        x, y, width, height = area["x"], area["y"], area["width"], area["height"]
        self.page.mouse.move(x + left * width, y + top * height)
        self.page.mouse.down()
        self.page.mouse.move(x + right * width, y + bottom * height, steps=8)
        self.page.wait_for_timeout(300)
        if release:
            self.page.mouse.up()

    def take(self) -> Image.Image:
        """Return a picture of the window."""
        return Image.open(BytesIO(self.page.screenshot())).convert("RGB")


def reduce(pictures: list[Image.Image], width: int) -> list[Image.Image]:
    """Return pictures of one size at a width, with few colours, which are the same in all of them."""
    size = (width, round(pictures[0].height * width / pictures[0].width))
    small = [picture.resize(size, Image.Resampling.LANCZOS) for picture in pictures]
    column = Image.new("RGB", (width, size[1] * len(small)))
    for i, picture in enumerate(small):
        column.paste(picture, (0, i * size[1]))
    # Median cuts would give most colours to shades of white, and mix those of thin lines.
    palette = column.quantize(COLOURS, method=Image.Quantize.MAXCOVERAGE, kmeans=1)
    palette.putpalette([255 if value >= NEARLY_WHITE else value for value in palette.getpalette()])
    return [picture.quantize(palette=palette, dither=Image.Dither.NONE) for picture in small]


def save(name: str, picture: Image.Image, width: int = WIDTH) -> None:
    """Write a picture, and print its size."""
    path = PICTURES / name
    reduce([picture], width)[0].save(path, optimize=True)
    print(f"{path.relative_to(ROOT)}: {path.stat().st_size / 1e3:.0f} kB")


def take_pictures(browser: Any, url: str, swept_url: str) -> None:
    """Write the pictures of the page on the explorer."""
    window = Window(browser, url, WIDE)
    window.open("?view=overview", "Dataset", 7, height=1180)
    save("overview.png", window.take())
    window.open("?view=tf&tf=GAL4", "TF GAL4", 6, height=1250)
    window.drag(SELECTION, release=True)
    window.page.get_by_text("genes selected").wait_for()
    window.wait(6)
    save("tf.png", window.take())
    window.open("?view=pairs&tf=GAL4&other=MIG1", "GAL4 and MIG1", 4, height=1130)
    save("pairs.png", window.take())
    window.open("?view=simulate", "Simulate", 4, height=1250)
    change_relations(window)
    window.wait(4)
    save("simulate.png", window.take())
    swept = Window(browser, swept_url, WIDE)
    swept.open(
        "?view=sweep&tf=GAL4&opt.statistic=perturbation_auroc", "TF GAL4 along max_mean_adjustment", 1, height=680
    )
    save("sweep.png", swept.take())
    phone = Window(browser, url, PHONE, color_scheme="dark", device_scale_factor=2)
    phone.open("?view=tf&tf=GAL4", "TF GAL4", 6)
    save("phone.png", phone.take(), width=400)


def change_relations(window: Window) -> None:
    """Write other relations into the form."""
    window.page.get_by_label("tf_relationships").fill(RELATIONS)
    window.page.keyboard.press("Tab")
    window.page.get_by_text("All views show a simulation with other parameters").wait_for()


def record_tour(browser: Any, url: str) -> None:
    """Write the animated picture of the README."""
    window = Window(browser, url, WIDE)
    page, frames = window.page, []
    window.open("?view=overview", "Dataset", 7)
    frames.append(window.take())
    window.open("?view=tf&tf=MIG1", "TF MIG1", 6)  # the second TF of pairs from now on
    field = page.get_by_label("TF", exact=True)
    field.fill("")
    field.press_sequentially("ga", delay=100)
    page.wait_for_timeout(500)
    frames.append(window.take())
    field.press_sequentially("l4", delay=100)
    field.press("Enter")
    page.get_by_role("heading", name="TF GAL4", exact=True).wait_for()
    window.wait(6)
    window.drag(SELECTION, release=False)
    frames.append(window.take())
    page.mouse.up()
    page.get_by_text("genes selected").wait_for()
    window.wait(6)
    page.mouse.move(WIDE[0] - 1, 0)
    page.evaluate("scrollTo(0, 700)")
    page.wait_for_timeout(500)
    frames.append(window.take())
    page.get_by_role("link", name="TF pairs").click()
    page.get_by_role("heading", name="GAL4 and MIG1", exact=True).wait_for()
    window.wait(4)
    frames.append(window.take())
    page.get_by_role("link", name="Simulate").click()
    page.get_by_role("heading", name="Simulate", exact=True).wait_for()
    window.wait(4)
    page.get_by_label("tf_relationships").fill(RELATIONS)
    frames.append(window.take())
    change_relations(window)
    page.get_by_role("link", name="TF", exact=True).click()
    page.get_by_role("heading", name="TF GAL4", exact=True).wait_for()
    window.wait(6)
    frames.append(window.take())
    first, *rest = reduce(frames, TOUR_WIDTH)
    path = PICTURES / "tour.gif"
    first.save(path, save_all=True, append_images=rest, duration=FRAME, loop=0, optimize=True)
    print(f"{path.relative_to(ROOT)}: {len(frames)} frames, {path.stat().st_size / 1e3:.0f} kB")


@contextmanager
def make_stores() -> Iterator[tuple[Path, Path]]:
    """Run the code of the page in a folder of its own, and yield its stores."""
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        names: dict[str, Any] = {}
        for block in blocks(PAGE, "python"):
            exec(compile(block, PAGE.name, "exec"), names)
        yield Path("sim.zarr"), Path("swept.zarr")
        os.chdir(ROOT)


def main() -> None:
    """Take all pictures."""
    PICTURES.mkdir(exist_ok=True)
    with (
        make_stores() as (store, swept),
        serve(store) as (url, _, _),
        serve(swept) as (swept_url, _, _),
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        take_pictures(browser, url, swept_url)
        record_tour(browser, url)
        browser.close()


if __name__ == "__main__":
    main()
