"""The dataset as a whole: what it is, whether it is sound, and how it looks."""

from collections.abc import Callable
from threading import Lock
from typing import Any
from uuid import uuid4

import pandas as pd
import xarray as xr

from yeastxr._blocks import is_in_memory
from yeastxr.checks.check import Visit
from yeastxr.checks.table import CheckTable, count_noun, format_cells
from yeastxr.errors import InputError, format_value
from yeastxr.explore.figures import Figure
from yeastxr.explore.source import Source
from yeastxr.explore.state import State
from yeastxr.explore.text import escape, make_facts, make_table
from yeastxr.explore.views.base import (
    MOST_READ_UNASKED,
    View,
    describe_reading,
    make_figure_place,
    make_grid,
    make_html,
    make_start_button,
)
from yeastxr.plot.style import lay_out, load_holoviews
from yeastxr.report import facts, provenance
from yeastxr.schema import BINDING, GENE, TF, get_units, list_variables
from yeastxr.simulation.simulate import SPECIFICATION, SimulationSpec
from yeastxr.simulation.sweeps import Sweep

_LEAST_CUT = 4_000_000  # pairs in memory that are read in blocks, so that the work can be seen and ended
_BLOCK_TFS = 500
_MOST_CHECKS, _MOST_POINTS = 500, 100  # rows


class OverviewView(View):
    """What a dataset is, its checks, and the standard set of plots; all of it is read in one pass."""

    name, title = "overview", "Overview"

    def __init__(self, page: Any) -> None:
        super().__init__(page)
        self.has_table = self.has_picture = False  # until the dataset is read
        self._inspection: facts.Inspection | None = None
        self._pictures: list[Any] = []
        ds = self.source.ds
        self._spec, self._sweep = provenance.find_source(ds)
        self._verdict = make_html()
        self._start = make_start_button(self._inspect)
        self._checks = make_html()
        self._grid = make_grid()
        self.layout.objects = [
            self._verdict,
            self._start,
            make_html("<h2>Dataset</h2>" + make_facts(_list_facts(self.source))),
            make_html(_describe_source(ds, self._spec, self._sweep)),
            self._checks,
            self._grid,
        ]

    def show(self, state: State) -> None:
        """Read the dataset, or offer to do so if it takes long; what was read before is there at once."""
        if self._inspection is not None:
            self.page.call_later(self._draw_next)
            return
        n_read = self.source.n_pairs * (1 if self._spec is not None else 2)
        self._start.visible = n_read > MOST_READ_UNASKED
        if not self._start.visible:
            self._inspect()
        else:
            self._verdict.object = f"<p>Checks and plots {describe_reading(n_read)}</p>"

    def _inspect(self, *_: Any) -> None:
        self._start.visible = False
        self._verdict.object = '<p class="note" role="status">Checks and plots: reading the dataset.</p>'
        ds = cut_blocks(self.source)

        def read(report_share: Callable[[float], None]) -> facts.Inspection:
            return facts.inspect_dataset(ds, progress=False, visit=count_pairs(self.source.n_pairs, report_share))

        self.page.run(read, self._finish)

    def _finish(self, inspection: facts.Inspection) -> None:
        self._inspection = inspection
        self._verdict.object = _format_banner(inspection.checks)
        self._checks.object = _format_checks(self.source.ds, inspection.checks)
        self.has_table = self.has_picture = True
        self.page.downloads.refresh(self, self.page.state)
        self.page.call_later(self._draw_next)

    def _draw_next(self) -> None:
        """Draw one plot more; drawing all of them at once would keep the page busy for seconds."""
        pictures = self._make_pictures()
        if len(self._grid) < len(pictures):
            picture = pictures[len(self._grid)]
            figure, place = Figure(_get_title(picture)), make_figure_place()
            figure.draw(picture, "All pairs")
            place.object = figure.model
            self._grid.append(place)
            self.page.call_later(self._draw_next)

    def _make_pictures(self) -> list[Any]:
        if self._inspection is None:
            raise InputError("the dataset was not read yet; expected that its plots are shown")
        if not self._pictures:
            _, summary, sample = self._inspection
            self._pictures = facts.draw_pictures(self.source.ds, summary, sample)
        return self._pictures

    def make_table(self) -> pd.DataFrame | None:
        """Return the table of checks."""
        if self._inspection is None:
            return None
        return self._inspection.checks.to_dataset().to_dataframe().reset_index()

    def make_picture(self) -> Any:
        """Return the standard set of plots."""
        return None if self._inspection is None else lay_out(self._make_pictures(), 3)

    def make_code(self, state: State) -> list[str]:
        """Return Python lines that check the dataset, and draw the plots."""
        return [
            "checks = ds.yeast.check()",
            "table = checks.to_dataset().to_dataframe().reset_index()",
            "ds.yeast.plot.qc()",
        ]


def cut_blocks(source: Source) -> xr.Dataset:
    """Return a dataset in blocks; one in memory is cut, unless it is small."""
    ds = source.ds
    if source.n_pairs < _LEAST_CUT or not all(is_in_memory(ds[name]) for name in list_variables(ds)):
        return ds
    # Without a token dask would hash all values.
    return ds.chunk({**dict.fromkeys(source.dims, 1), GENE: -1, TF: _BLOCK_TFS}, token=uuid4().hex)


def count_pairs(n_pairs: int, report_share: Callable[[float], None]) -> Visit:
    """Return a function that sees blocks, from several threads, and reports the share of pairs that were seen."""
    lock, seen = Lock(), 0

    def visit(positions: Any, region: Any, values: Any) -> None:
        nonlocal seen
        with lock:
            seen += values[BINDING].size
        report_share(seen / n_pairs)

    return visit


def _list_facts(source: Source) -> dict[str, object]:
    """Return what there is to know of a dataset without reading it."""
    ds = source.ds
    names = []
    for name in list_variables(ds):
        units = get_units(ds, name)
        names.append(f"{name} ({units})" if units not in ("", "1") else name)
    known = "in the variable label" if source.has_label else "unknown: no variable label"
    return {**facts.list_facts(ds), "Variables": ", ".join(names), "Bound pairs": known}


def _describe_source(ds: xr.Dataset, spec: SimulationSpec | None, sweep: Sweep | None) -> str:
    """Say in HTML what made a dataset."""
    parts = ["<h2>Specification</h2>"]
    if spec is None:
        parts.append("<p>None: the dataset is not of one simulation, or was measured.</p>")
        if SPECIFICATION in ds.attrs:
            parts.append("<p>Its specification can't be read:</p>")
            parts.append(f"<pre>{escape(ds.attrs[SPECIFICATION], 10_000)}</pre>")
        return "".join(parts)
    difference = provenance.describe_difference(ds, spec, sweep)
    if difference:
        parts.append(f'<p class="note">{escape(difference, 2_000)}</p>')
    if sweep is not None:
        rows = [
            (dim, len(labels), format_value(list(labels), 180).removeprefix("[").removesuffix("]"))
            for dim, labels in sweep.labels.items()
        ]
        parts.append(make_table(("dim", "labels", "values"), rows, "Swept"))
    parameters = provenance.list_parameters(spec, sweep)
    table = make_table(("parameter", "value"), parameters.items(), "Parameters of the specification")
    parts.append(f"<details><summary>{len(parameters)} parameters</summary>{table}</details>")
    conditions, n_conditions = provenance.list_conditions(spec, sweep)
    if conditions:
        head = ("TF", "conditions, all of which must hold", "probability that they do")
        few = "" if n_conditions == len(conditions) else f"; here are {len(conditions):,}"
        table = make_table(head, conditions, "Conditions of TFs")
        parts.append(
            f"<details><summary>{count_noun(n_conditions, 'TF')} with conditions{few}</summary>{table}</details>"
        )
    return "".join(parts)


def _format_banner(checks: CheckTable) -> str:
    banner = facts.make_banner(checks)
    kind = "error" if banner["outcome"] == "failed" else "notice"
    failed = f" {escape(banner['failed'], 2_000)}." if banner["failed"] else ""
    words = f"<strong>{escape(banner['words'])}</strong>{failed} {escape(banner['note'])}"
    return f'<div class="{kind}" role="status">{words}</div>'


def _format_checks(ds: xr.Dataset, checks: CheckTable) -> str:
    """Return in HTML the outcome of each point of a sweep, and of all checks, those that failed first."""
    parts = ["<h2>Checks</h2>"]
    points = facts.list_points(ds, checks, _MOST_POINTS)
    if points:
        few = "" if len(points) <= _MOST_POINTS else f", the first {_MOST_POINTS} of {len(points):,}"
        parts.append(make_table(("point of the sweep", "outcome"), points[:_MOST_POINTS], f"Points of the sweep{few}"))
    rows = sorted(checks.rows, key=lambda row: row.passed is not False)
    few = (
        ""
        if len(rows) <= _MOST_CHECKS
        else f"; here are {_MOST_CHECKS:,} of {len(rows):,}, the table to download has all"
    )
    cells = ((name, verdict, *rest) for name, *rest, verdict in map(format_cells, rows[:_MOST_CHECKS]))
    head = ("check", "verdict", "expected", "observed", "statistic", "p-value")
    table = make_table(head, cells, f"{checks.summary}{few}", "FAIL")
    opened = " open" if checks.failed else ""
    parts.append(f"<details{opened}><summary>{len(rows):,} checks</summary>{table}</details>")
    parts.append("<h2>Plots</h2>")
    return "".join(parts)


def _get_title(picture: Any) -> str:
    """Return the title of a picture, as one line."""
    title = load_holoviews().Store.lookup_options("bokeh", picture, "plot").kwargs.get("title", "")
    return ", ".join(str(title).split("\n"))
