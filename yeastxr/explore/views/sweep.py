"""A statistic along the leading dims of a dataset: those of a sweep, and replicates."""

from collections import OrderedDict
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import panel as pn
import xarray as xr

from yeastxr._blocks import is_in_memory
from yeastxr.errors import format_value, suggest
from yeastxr.explore.figures import Figure
from yeastxr.explore.source import Source
from yeastxr.explore.state import State
from yeastxr.explore.statistics import (
    BOUND,
    GROUP,
    STATISTICS,
    Rules,
    Statistic,
    compute_statistic,
    expect_statistic,
)
from yeastxr.explore.style import STYLES
from yeastxr.explore.text import escape
from yeastxr.explore.text import make_table as make_html_table
from yeastxr.explore.views.base import (
    MOST_READ_UNASKED,
    View,
    describe_reading,
    make_checkbox,
    make_figure_place,
    make_grid,
    make_html,
    make_start_button,
)
from yeastxr.export.tables import quote_label
from yeastxr.plot.maps import make_plain_text, make_ticks
from yeastxr.plot.sample import choose_rules
from yeastxr.plot.style import (
    COLOURS,
    SERIES,
    draw_line,
    draw_overlay,
    load_holoviews,
    set_options,
    shorten_name,
)
from yeastxr.schema import MEASUREMENT, REPLICATE, TF, list_variables

_MOST_READ = 50_000_000  # pairs of one TF that are read without a button
_PARTS = 50  # in which a dataset is read, so that the work can be seen and ended
_MOST_KEPT = 2  # TFs
_MOST_POINTS = 20  # replicates that are points; of more there is a band
_MOST_ROWS = 200  # of the table on the page
_ALL_TITLE = "Mean of all TFs"
_AVERAGED = (REPLICATE, MEASUREMENT)  # dims that differ by chance alone
VALUE, LEAST, MOST, THEORY = "value", "least", "most", "theory"


class SweepView(View):
    """A statistic of a TF, or the mean of all TFs, along one leading dim, by another one; the rest is averaged."""

    name, title = "sweep", "Sweep"
    selectors = ("tf",)

    def __init__(self, page: Any) -> None:
        super().__init__(page)
        self.has_table = self.has_picture = False  # until something is read
        dims = self.source.dims
        self._parts: OrderedDict[int, list[xr.Dataset]] = OrderedDict()
        self._values: dict[tuple[int | None, str], tuple[xr.DataArray, xr.DataArray | None]] = {}
        self._rules: tuple[Rules, str] | None = None
        self._table: xr.Dataset | None = None
        self._drawn: tuple[Any, ...] = ()
        self._figure: Figure | None = None
        self._syncing = False
        titles = {shorten_name(dim): dim for dim in dims}
        colours = {name: dim for name, dim in titles.items() if self.source.ds.sizes[dim] <= len(SERIES)}
        statistics = {
            statistic.title: name
            for name, statistic in STATISTICS.items()
            if self.source.has_label or not statistic.needs_label
        }
        self._widgets: dict[str, Any] = {
            "statistic": _make_select("Statistic", statistics, 260),
            "x": _make_select("Along", titles, 160),
            "colour": _make_select("Colour by", {"nothing": "", **colours}, 160),
        }
        self._defaults = {"statistic": next(iter(statistics.values())), **_choose_dims(self.source, colours.values())}
        self._all = make_checkbox(_ALL_TITLE, visible=self.source.n_pairs <= MOST_READ_UNASKED, margin=(25, 10, 5, 10))
        for name, widget in self._widgets.items():
            widget.param.watch(partial(self._choose, name), "value")
        self._all.param.watch(partial(self._choose, "tfs"), "value")
        self._heading, self._note, self._html_table = make_html(), make_html(), make_html()
        self._start = make_start_button(lambda _: self.page.call_later(lambda: self._read(self.page.state)))
        self._place = make_figure_place()
        self.layout.objects = [
            self._heading,
            pn.FlexBox(*self._widgets.values(), self._all, sizing_mode="stretch_width", stylesheets=[STYLES]),
            self._note,
            self._start,
            make_grid(self._place, self._html_table),
        ]

    @classmethod
    def applies(cls, source: Source) -> bool:
        """Return whether the dataset has leading dims."""
        return bool(source.dims)

    def show(self, state: State) -> None:
        """Read what the statistic needs, or offer to do so if it takes long."""
        chosen = self._sync(state)
        tf = None if chosen["tfs"] else state.tf
        who = _ALL_TITLE if tf is None else f"TF {self.source.get_label(TF, tf)}"
        self._heading.object = f"<h2>{escape(who)} along {escape(chosen['x'])}</h2>"
        n_read = self._count_read(tf)
        waits = n_read > _MOST_READ and tf is not None and (tf, chosen["statistic"]) not in self._values
        self._start.visible = waits
        self._place.visible = not waits
        if waits:
            self._forget(f"<p>The points {describe_reading(n_read)}</p>")
        else:
            self._read(state)

    def _count_read(self, tf: int | None) -> int:
        """Return how many pairs are read."""
        if tf in self._parts:
            return 0
        if tf is None:
            return self.source.n_pairs
        points = int(np.prod([self.source.ds.sizes[dim] for dim in self.source.dims]))
        return self.source.count_read(TF) * points

    def _forget(self, note: str) -> None:
        """Show a note until other numbers are read; the plot stays, so that its figure can show them."""
        self._table, self._html_table.object, self._note.object = None, "", note
        self.has_table = self.has_picture = False

    def _read(self, state: State) -> None:
        self._start.visible, self._place.visible = False, True
        chosen = self._choose_all(state)[0]
        key = (None if chosen["tfs"] else state.tf, chosen["statistic"])
        if key in self._values:
            self._draw(state, chosen)
            return
        self._forget('<p class="note" role="status">Reading the points.</p>')
        statistic = STATISTICS[chosen["statistic"]]
        work = partial(self._compute, key[0], statistic)

        def finish(values: tuple[xr.DataArray, xr.DataArray | None]) -> None:
            self._values[key] = values
            self._draw(state, chosen)
            self.page.downloads.refresh(self, state)

        self.page.run(work, finish)

    def _compute(
        self, tf: int | None, statistic: Statistic, report_share: Callable[[float], None]
    ) -> tuple[xr.DataArray, xr.DataArray | None]:
        """Return a statistic by point and TF, and what theory expects of it by point."""
        values, kept = [], []
        for share, part in self._list_parts(tf):
            if self._rules is None:
                self._rules = choose_rules(self.source.ds, part)
            values.append(compute_statistic(statistic, part, self._rules[0]))
            kept.append(part)
            if tf is None:
                kept.clear()  # all TFs are too many to keep
            report_share(0.8 * share)
        if tf is not None:
            self._parts[tf] = kept
            while len(self._parts) > _MOST_KEPT:
                self._parts.popitem(last=False)
        dim = self._find_longest()
        joined = values[0] if len(values) == 1 else xr.concat(values, dim, coords="minimal", compat="override")
        label = None if tf is None else self.source.get_label(TF, tf)
        rules = self._rules[0] if self._rules is not None else {}
        return joined, expect_statistic(
            statistic, self.source, label, rules, lambda share: report_share(0.8 + 0.2 * share)
        )

    def _find_longest(self) -> str:
        return max(self.source.dims, key=lambda dim: self.source.ds.sizes[dim])

    def _list_parts(self, tf: int | None) -> Iterator[tuple[float, xr.Dataset]]:
        """Yield parts of a TF, or of all, along the longest leading dim, in memory, and the share that is read then."""
        if tf is not None and tf in self._parts:
            known = self._parts[tf]
            yield from ((1.0, part) for part in known)
            return
        ds = self.source.ds if tf is None else self.source.ds.isel({TF: [tf]})
        dim = self._find_longest()
        n = ds.sizes[dim]
        names = list_variables(ds)
        if tf is not None and all(is_in_memory(ds[name]) for name in names):
            yield 1.0, ds.compute()
            return
        # What all points share is read once.
        ds = ds.assign({name: ds[name].compute() for name in names if dim not in ds[name].dims})
        step = -(-n // _PARTS)
        for first in range(0, n, step):
            yield min(1.0, (first + step) / n), ds.isel({dim: slice(first, first + step)}).compute()

    def _draw(self, state: State, chosen: dict[str, Any]) -> None:
        tf = None if chosen["tfs"] else state.tf
        self._table = _arrange(*self._values[tf, chosen["statistic"]], chosen["x"], chosen["colour"])
        note = self._describe(chosen)
        self._note.object = f'<p class="note">{escape(note, 1_000)}</p>' if note else ""
        picture = self._make_overlay(chosen, "")
        kind = (chosen["statistic"], chosen["x"], chosen["colour"])
        if self._figure is None or kind != self._drawn:  # titles and ticks stay with a figure
            self._figure, self._drawn = Figure(f"{STATISTICS[chosen['statistic']].axis} along {chosen['x']}"), kind
        name = "mean of all TFs" if tf is None else f"TF {self.source.get_label(TF, tf)}"
        if self._figure.draw(picture, name):
            self._place.object = self._figure.model
        rows = self.make_table()
        cells = [[_format_cell(cell) for cell in row] for row in rows.head(_MOST_ROWS).itertuples(index=False)]
        few = "" if len(rows) <= _MOST_ROWS else f", the first {_MOST_ROWS} of {len(rows):,} rows"
        title = f"{STATISTICS[chosen['statistic']].title}{few}"
        self._html_table.object = make_html_table(list(map(str, rows.columns)), cells, title)
        self.has_table = self.has_picture = True

    def _describe(self, chosen: dict[str, Any]) -> str:
        """Say what is averaged, what points and bands are, which genes respond, and what dashed lines are."""
        source, table = self.source, self._table
        rest = [dim for dim in source.dims if dim not in (chosen["x"], chosen["colour"])]
        notes = [f"Colours: {shorten_name(chosen['colour'])}."] if chosen["colour"] else []
        if rest:
            names = ", ".join(f"{source.ds.sizes[dim]:,} of {shorten_name(dim)}" for dim in rest)
            notes.append(f"Mean over {names}.")
        spread = _find_spread(source.dims, chosen["x"], chosen["colour"])
        if spread is not None and source.ds.sizes[spread] > 1:
            few = source.ds.sizes[spread] <= _MOST_POINTS
            how = "Small points are" if few else "Bands go from the least to the most of"
            notes.append(f"{how} single labels of {shorten_name(spread)}.")
        if chosen["statistic"] in ("responsive", "rank_response") and self._rules is not None:
            notes.append(f"Genes with {self._rules[1]} respond.")
        if table is not None and THEORY in table:
            notes.append("Dashed: theory.")
        return " ".join(notes)

    def _make_overlay(self, chosen: dict[str, Any], subtitle: str) -> Any:
        assert self._table is not None
        return _draw_table(self._table, chosen["x"], chosen["colour"], STATISTICS[chosen["statistic"]], subtitle)

    def make_table(self) -> pd.DataFrame:
        """Return the statistic at each point, with the least and the most of replicates, and theory."""
        if self._table is None:
            return pd.DataFrame()
        rows = self._table.drop_vars("single", errors="ignore").to_dataframe(dim_order=list(self._table[VALUE].dims))
        return rows.reset_index()

    def make_picture(self) -> Any:
        """Return the plot."""
        if self._table is None:
            return None
        state = self.page.state
        chosen = self._choose_all(state)[0]
        tf = state.tf
        who = "mean of all TFs" if chosen["tfs"] else f"TF {make_plain_text(self.source.get_label(TF, tf), tf)}"
        return self._make_overlay(chosen, who)

    def name_file(self, state: State) -> str:
        """Return the name of files with what is shown."""
        chosen = self._choose_all(state)[0]
        who = "all" if chosen["tfs"] else quote_label(self.source.get_label(TF, state.tf))
        return f"sweep-{chosen['statistic']}-{who}"

    def make_code(self, state: State) -> list[str]:
        """Return Python lines that make the table, less its theory, and a plot."""
        chosen = self._choose_all(state)[0]
        if self._rules is None:  # which genes respond is known once data were read
            return []
        labels = "" if chosen["tfs"] else f".sel(tf=[{self.source.get_label(TF, state.tf)!r}])"
        kept = [dim for dim in (chosen["x"], chosen["colour"]) if dim]
        code = STATISTICS[chosen["statistic"]].code
        return [
            f"part = ds{labels}",
            *code(self._rules[0], self.source.has_label, self.source.ds.sizes["gene"]),
            f"kept = {kept!r}",
            f'value = value.mean([dim for dim in value.dims if dim not in (*kept, "{GROUP}")])',
            "for dim in kept:",
            "    value = value if dim in value.dims else value.expand_dims({dim: ds[dim]})",
            'table = value.transpose(*kept, ...).to_dataframe("value")["value"].reset_index()',
            'table.set_index(list(table.columns[:-1]))["value"].unstack(list(table.columns[1:-1])).plot()'
            if len(kept) > 1 or self._has_groups()
            else "table.set_index(kept[0]).plot()",
        ]

    def _has_groups(self) -> bool:
        return self._table is not None and GROUP in self._table.dims

    def _sync(self, state: State) -> dict[str, Any]:
        """Bring the widgets in line with the state, and say which of its options can't be followed."""
        chosen, problems = self._choose_all(state)
        self._syncing = True
        try:
            for name, widget in self._widgets.items():
                widget.value = chosen[name]
            self._all.value = [_ALL_TITLE] if chosen["tfs"] else []
        finally:
            self._syncing = False
        if problems:
            self.page.tell("; ".join(problems))
        return chosen

    def _choose_all(self, state: State) -> tuple[dict[str, Any], list[str]]:
        """Return what the state chooses, with defaults, and sentences on what it can't."""
        chosen: dict[str, Any] = dict(self._defaults)
        problems = []
        for name, widget in self._widgets.items():
            if name not in state.options:
                continue
            known = list(widget.options.values())
            if state.options[name] in known:
                chosen[name] = state.options[name]
            else:
                problems.append(f"{name} is {format_value(state.options[name])}; {suggest(state.options[name], known)}")
        if chosen["colour"] == chosen["x"]:
            chosen["colour"] = ""
        chosen["tfs"] = state.options.get("tfs") == "all" and bool(self._all.visible)
        return chosen, problems

    def _choose(self, name: str, event: Any) -> None:
        if self._syncing:
            return
        value = ("all" if event.new else "") if name == "tfs" else event.new
        options = {**self.page.state.options, name: value}
        defaults = {**self._defaults, "tfs": ""}
        self.page.go(options={key: text for key, text in options.items() if text != defaults.get(key)})


def _make_select(title: str, options: dict[str, str], width: int) -> Any:
    value = next(iter(options.values()))
    return pn.widgets.Select(label=title, options=options, value=value, width=width, stylesheets=[STYLES])


def _choose_dims(source: Source, colours: Any) -> dict[str, str]:
    """Return the dim along which, and the one by which a statistic is shown at first: those that are swept."""
    by_use = sorted(source.dims, key=lambda dim: (dim in _AVERAGED, source.ds.sizes[dim] < 2))
    others = [dim for dim in by_use[1:] if dim in colours and dim not in _AVERAGED and source.ds.sizes[dim] > 1]
    return {"x": by_use[0], "colour": others[0] if others else ""}


def _find_spread(dims: tuple[Any, ...], x: str, colour: str) -> str | None:
    """Return the dim whose labels differ by chance alone, if it is averaged over."""
    return next((dim for dim in _AVERAGED if dim in dims and dim not in (x, colour)), None)


def _arrange(values: xr.DataArray, theory: xr.DataArray | None, x: str, colour: str) -> xr.Dataset:
    """Return the mean along what is shown, the least and the most of replicates, each of them, and theory.

    Dims are x, the one of colours, and groups.
    """
    kept = [dim for dim in (x, colour) if dim]
    order = [*kept, *([GROUP] if GROUP in values.dims else [])]
    values = values.drop_vars([name for name in values.coords if name not in values.dims])
    spread = _find_spread(values.dims, x, colour)
    table = xr.Dataset({VALUE: values.mean([dim for dim in values.dims if dim not in order]).transpose(*order)})
    if spread is not None and values.sizes[spread] > 1:
        single = values.mean([dim for dim in values.dims if dim not in (*order, spread)])
        table = table.assign({LEAST: single.min(spread), MOST: single.max(spread)})
        table["single"] = single.rename({spread: "single_label"}).drop_vars("single_label", errors="ignore")
    if theory is not None and theory.notnull().any():
        theory = theory.mean([dim for dim in theory.dims if dim not in order])
        table[THEORY] = theory.broadcast_like(table[VALUE]).transpose(*order)
    return table


def _draw_table(table: xr.Dataset, x: str, colour: str, statistic: Statistic, subtitle: str) -> Any:
    """Draw a line for each label of the colour's dim and each group, with points or a band, and theory."""
    hv = load_holoviews()
    labels = table.indexes[x] if x in table.indexes else pd.RangeIndex(table.sizes[x])
    numeric = labels.dtype.kind in "iuf"
    places = labels.to_numpy(dtype=float) if numeric else np.arange(labels.size, dtype=float)
    order = np.argsort(places, kind="stable")
    dims = [hv.Dimension("x", label="x"), hv.Dimension("y", label="y")]
    layers, lines = [], []
    for name, shade, thin, line in _list_lines(table, colour):
        line = line.isel({x: order})
        columns = (places[order], line[VALUE].values)
        widths = (1.0, 0.8) if thin else (2.2, 1.7)
        if LEAST in line and line.sizes.get("single_label", 0) > _MOST_POINTS:
            ends = (columns[0], line[LEAST].values, line[MOST].values)
            band = hv.Area(ends, kdims=dims[:1], vdims=[dims[1], "upper"], label=f"{name}, band")
            looks = {"facecolor": shade, "linewidth": 0}
            layers.append(
                set_options(band, color=shade, alpha=0.2, show_legend=False, bokeh={"line_alpha": 0}, matplotlib=looks)
            )
        elif LEAST in line:
            single = line["single"].transpose("single_label", x).values
            cloud = (np.tile(columns[0], len(single)), single.ravel())
            layers.append(_draw_marks(cloud, dims, f"{name}, single", shade, 4, alpha=0.45, show_legend=False))
        layers.append(draw_line(columns, dims, name, shade, widths=widths, hover=True))
        layers.append(_draw_marks(columns, dims, f"{name}, points", shade, 7, show_legend=False))
        if THEORY in line:
            data = (columns[0], line[THEORY].values)
            label = f"{name}, theory"
            lines.append(draw_line(data, dims, label, "#000000", dashed=True, show_legend=False))
    limits: dict[str, Any] = {} if numeric else {"xticks": make_ticks(labels.to_numpy())}
    return draw_overlay(
        [*layers, *lines],
        statistic.title,
        subtitle,
        make_plain_text(x, 1).replace("#1", "label"),
        statistic.axis,
        limits,
    )


def _draw_marks(columns: Any, dims: list[Any], label: str, colour: str, size: int, **shared: Any) -> Any:
    marks = load_holoviews().Scatter(columns, kdims=dims[:1], vdims=dims[1:], label=label)
    bokeh = {"size": size, "line_color": None}
    return set_options(marks, color=colour, **shared, bokeh=bokeh, matplotlib={"s": size**2 / 2, "linewidth": 0})


def _list_lines(table: xr.Dataset, colour: str) -> Iterator[tuple[str, str, bool, xr.Dataset]]:
    """Yield the name of a line, its colour, whether it is thin, and its part of a table."""
    groups = list(table[GROUP].values) if GROUP in table.dims else [None]
    if not colour:
        for group in groups:
            own = table if group is None else table.sel({GROUP: group})
            yield str(group or "mean"), COLOURS[group or BOUND], False, own
        return
    for shade, position in zip(SERIES, range(table.sizes[colour]), strict=False):
        part = table.isel({colour: position})
        label = part.coords[colour].item() if colour in part.coords else position
        name = shorten_name(label)
        for group in groups:
            own = part if group is None else part.sel({GROUP: group})
            yield (name if group is None else f"{name}, {group}"), shade, group not in (None, BOUND), own


def _format_cell(cell: object) -> str:
    return f"{cell:.4g}" if isinstance(cell, float) else str(cell)
