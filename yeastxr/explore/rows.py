"""A table of pairs, how many of them are selected, and their selection without a mouse."""

from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING

import pandas as pd
import panel as pn

from yeastxr.errors import InputError, format_value
from yeastxr.explore.selection import PLANES, Box
from yeastxr.explore.style import STYLES
from yeastxr.explore.views.base import make_html
from yeastxr.export.selection import make_cell
from yeastxr.schema import GENE

if TYPE_CHECKING:
    from yeastxr.explore.page import Explorer

_FOUR_DIGITS = "<%= value == null || isNaN(value) ? '' : Number(value.toPrecision(4)) %>"


class RowsTable:
    """Rows of pairs, with fields that select among them as a rectangle in a plot does.

    Parameters
    ----------
    page
        The page.
    key
        The column of labels that tell rows apart: ``gene`` or ``tf``.
    plots
        The titles of the plots in which pairs can be selected, by the names of their axes.
    follow
        Called with the text of a label that is clicked.
    """

    def __init__(
        self,
        page: "Explorer",
        key: str,
        plots: Mapping[str, str],
        follow: Callable[[str], None] | None = None,
    ) -> None:
        self._page, self._key = page, key
        self._syncing = False
        self._count = make_html()
        self._plot = pn.widgets.Select(
            label="Select in", options={title: plane for plane, title in plots.items()}, width=240, stylesheets=[STYLES]
        )
        self._ends = pn.widgets.TextInput(label="Ends of the rectangle", width=240, stylesheets=[STYLES])
        self._clear = pn.widgets.Button(
            label="Clear selection", width=140, visible=False, margin=(24, 10, 5, 10), stylesheets=[STYLES]
        )
        self._plot.param.watch(lambda _: self._choose_plot(), "value")
        self._ends.param.watch(lambda event: self._enter(event.new), "value")
        self._choose_plot()
        self._clear.on_click(lambda _: page.go(box=None))
        self._table = pn.widgets.Tabulator(
            pd.DataFrame(),
            pagination="remote",
            page_size=15,
            disabled=True,
            selectable=False,
            show_index=False,
            sizing_mode="stretch_width",
            layout="fit_data_table",
            label="pairs",
            stylesheets=[STYLES],
        )
        if follow is not None:
            self._table.on_click(lambda event: follow(str(event.value)) if event.column == key else None)
        self.layout = pn.Column(
            self._count,
            pn.FlexBox(self._plot, self._ends, self._clear, sizing_mode="stretch_width", stylesheets=[STYLES]),
            self._table,
            sizing_mode="stretch_width",
            stylesheets=[STYLES],
        )

    def show(self, rows: pd.DataFrame, total: int, box: Box | None, hidden: Collection[str] = ()) -> None:
        """Show the selected rows, from the first page on, without hidden columns, and how many of all they are."""
        plural = "genes" if self._key == GENE else "TFs"
        words = f"{len(rows):,} of {total:,} {plural} selected" if box is not None else f"All {total:,} {plural}"
        hint = "Draw a rectangle in a plot to select some, or enter its ends."
        self._count.object = f'<h3>{words}</h3><p class="note">{hint}</p>'
        self._clear.visible = box is not None
        if box is not None:
            self._plot.value = box.plane
        self._write_ends("" if box is None else box.to_text().partition(",")[2].replace(",", ", "))
        rows = rows.drop(columns=list(hidden)).assign(
            **{self._key: [str(make_cell(label)) for label in rows[self._key]]}
        )
        numbers = [str(name) for name in rows if rows[name].dtype.kind == "f"]
        if list(map(str, rows.columns)) != list(self._table.editors):
            from bokeh.models.widgets.tables import HTMLTemplateFormatter

            self._table.param.update(
                editors=dict.fromkeys(map(str, rows.columns)),  # with one, each cell would be a stop of the Tab key
                formatters={name: HTMLTemplateFormatter(template=_FOUR_DIGITS) for name in numbers},
                text_align=dict.fromkeys(numbers, "right"),
            )
        self._table.page = 1
        self._table.value = rows

    def _list_ends(self) -> list[str]:
        return ["x from", "x to", "y from", "y to"][: 2 * len(PLANES[self._plot.value])]

    def _choose_plot(self) -> None:
        """Wait for ends in another plot; the selection stays until there are some."""
        self._ends.placeholder = ", ".join(self._list_ends())
        if not self._syncing:
            self._write_ends("")

    def _write_ends(self, text: str) -> None:
        self._syncing = True
        try:
            self._ends.value = text
        finally:
            self._syncing = False

    def _enter(self, text: str) -> None:
        """Select by ends that somebody has entered; none select all."""
        if self._syncing:
            return
        plane = self._plot.value
        try:
            box = Box.from_text(f"{plane},{text}") if text.strip() else None
        except InputError:
            names = self._list_ends()
            self._page.tell(
                f"ends are {format_value(text)}; expected {len(names)} numbers with commas between them: "
                f"{', '.join(names)}"
            )
            return
        self._page.go(box=None if box is None else Box.make(plane, *box.ends, *[0.0] * (4 - len(box.ends))))
