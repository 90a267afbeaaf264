"""What can be taken away from a view: its table as CSV, its pictures as PNG, and the Python lines that make them."""

import tempfile
from io import BytesIO, StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import panel as pn

from yeastxr import plot
from yeastxr.explore.state import State
from yeastxr.explore.style import STYLES
from yeastxr.explore.text import escape
from yeastxr.explore.views.base import View, make_html

if TYPE_CHECKING:
    from yeastxr.explore.page import Explorer


class Downloads:
    """The foot of the page.

    Parameters
    ----------
    page
        The page.
    """

    def __init__(self, page: "Explorer") -> None:
        self._page = page
        self._view: View | None = None
        settings: dict[str, Any] = {"embed": False, "auto": True, "width": 170, "stylesheets": [STYLES]}
        self._csv = pn.widgets.FileDownload(
            callback=self._write_csv, filename="pairs.csv", label="Download table (CSV)", **settings
        )
        self._png = pn.widgets.FileDownload(
            callback=self._write_png, filename="plots.png", label="Download plots (PNG)", **settings
        )
        self._code = make_html()
        self.layout = pn.Column(
            pn.FlexBox(self._csv, self._png, sizing_mode="stretch_width"),
            self._code,
            sizing_mode="stretch_width",
            stylesheets=[STYLES],
        )

    def refresh(self, view: View | None, state: State) -> None:
        """Bring the foot of the page in line with what is shown."""
        self._view = view
        code = [] if view is None else view.make_code(state)
        self._csv.visible = view is not None and view.has_table
        self._png.visible = view is not None and view.has_picture
        if view is not None:
            stem = view.name_file(state)
            self._csv.filename, self._png.filename = f"{stem}.csv", f"{stem}.png"
        lines = [*self._page.source.code.splitlines(), *code]
        text = escape("\n".join(lines), 20_000) if code else ""
        self._code.object = f"<details><summary>Python</summary><pre>{text}</pre></details>" if text else ""

    def _write_csv(self) -> StringIO:
        table = self._view.make_table() if self._view is not None else None
        if table is None:
            raise ValueError("there is no table to download")
        return StringIO(table.to_csv(index=False))

    def _write_png(self) -> BytesIO:
        picture = self._view.make_picture() if self._view is not None else None
        if picture is None:
            raise ValueError("there is no picture to download")
        with tempfile.TemporaryDirectory() as folder:
            return BytesIO(plot.save(picture, Path(folder) / "plots.png").read_bytes())
