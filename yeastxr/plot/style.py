"""What all pictures share: colours, axes with units, titles, legends, and the same look in bokeh and matplotlib."""

import re
from collections.abc import Hashable, Iterable
from typing import Any

import numpy as np
import xarray as xr

from yeastxr.errors import InputError, SchemaError, format_value, shorten, suggest
from yeastxr.schema import FEATURE_BY_NAME, GENE, TF

NAMES = {False: "unbound", True: "bound"}
COLOURS = {False: "#E69F00", True: "#0072B2"}  # orange and blue of Okabe and Ito: told apart by the colour-blind too
DARK = {False: "#7a4f00", True: "#003a5c"}  # the same hues, for lines of theory over data
STATUS_COLOURS = {"unbound": "#E69F00", "conditions hold": "#0072B2", "conditions fail": "#009E73"}
STATUS_DARK = {"unbound": "#7a4f00", "conditions hold": "#003a5c", "conditions fail": "#00513b"}
SERIES = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000", "#999999")
WORDS = {GENE: "gene", TF: "TF"}
COUNTS = "gene–TF pairs"
_LONGEST_NAME = 60


def holoviews() -> Any:
    """Return holoviews with both backends loaded, and the current backend as the user left it."""
    import holoviews as hv

    if not hv.Store.loaded_backends():
        hv.extension("bokeh", "matplotlib", logo=False)
    before = hv.Store.current_backend
    import holoviews.plotting.bokeh
    import holoviews.plotting.mpl

    if hv.Store.current_backend != before:
        hv.Store.set_current_backend(before)
    return hv


def embedded(figures: list[Any]) -> tuple[str, list[str]]:
    """Return scripts that draw bokeh figures without a network, and the place of each figure, as HTML.

    Bokeh's own ``file_html`` won't do: with panel loaded, its pages also ask for files of panel's.
    """
    from bokeh.embed import components
    from bokeh.resources import Resources

    library = Resources(mode="inline", components=["bokeh", "bokeh-gl"]).js_raw
    script, places = components(tuple(figures))
    return "".join(f"<script>{code}</script>\n" for code in library) + script, list(places)


def axis(hv: Any, feature: str) -> Any:
    """Return a feature as a holoviews dimension; a unit of 1 is not shown."""
    declared = FEATURE_BY_NAME[feature]
    unit = None if declared.units == "1" else declared.units
    return hv.Dimension((feature, declared.long_name), unit=unit)


def flat(column: xr.DataArray) -> np.ndarray:
    """Return a column of values or names; names as Python text, which every backend can write, long ones shortened."""
    values = np.ravel(column.values)
    return values if values.dtype.kind in "iufbM" else np.array([shortened(value) for value in values], dtype=object)


def shortened(name: Any) -> str:
    """Return a name as text, of a long one the beginning: a picture or a table holds thousands of them."""
    return shorten(str(name), _LONGEST_NAME)


def overlay(
    hv: Any,
    layers: list[Any],
    what: str,
    of: str,
    xlabel: str,
    ylabel: str,
    limits: dict[str, Any] | None = None,
    *,
    linked: bool = False,
) -> Any:
    """Lay elements over each other, and set size, titles and a legend above the data, for both backends.

    Linked ones share axes of the same dimension with each other in a layout of bokeh's: zooming into one does into all.
    """
    shared: dict[str, Any] = {
        "title": f"{what}\n{of}" if of else what,
        "xlabel": xlabel,
        "ylabel": ylabel,
        "show_grid": True,
        "show_legend": True,
        "padding": 0.04,
        **(limits or {}),
    }
    return hv.Overlay(layers).opts(
        hv.opts.Overlay(
            **shared,
            width=480,
            height=400,
            legend_position="top",
            legend_opts={"margin": 0, "padding": 2, "border_line_alpha": 0, "background_fill_alpha": 0},
            autohide_toolbar=True,
            shared_axes=linked,
            hooks=[finish_bokeh],
            backend="bokeh",
        ),
        hv.opts.Overlay(
            **shared,
            aspect=1.3,
            fig_inches=5,
            legend_position="inner",
            legend_opts=_MATPLOTLIB_LEGEND,
            hooks=[_finish_matplotlib],
            backend="matplotlib",
        ),
    )


_MATPLOTLIB_LEGEND: dict[str, Any] = {
    "loc": "lower left",
    "bbox_to_anchor": (0.0, 1.0),
    "ncol": 2,
    "frameon": False,
    "borderaxespad": 0.1,
    "borderpad": 0.2,
    "fontsize": 9,
    "handlelength": 1.2,
    "handletextpad": 0.4,
    "columnspacing": 1.2,
}


def title_matplotlib(plot: Any, element: Any, pad: float = 6) -> None:
    """Set the title in bold at the left, above what is there."""
    axis = plot.handles["axis"]
    title = axis.get_title()
    if title:
        axis.set_title("")
        axis.set_title(title, loc="left", pad=pad, fontsize=11, fontweight="bold")


def finish_bokeh(plot: Any, element: Any) -> None:
    """Give bokeh what holoviews has no option for: upright labels, counts in full and at whole numbers."""
    from bokeh.models import BasicTicker, NumeralTickFormatter

    xaxis, yaxis = plot.handles["xaxis"], plot.handles["yaxis"]
    xaxis.axis_label_text_font_style = yaxis.axis_label_text_font_style = "normal"
    plot.handles["plot"].toolbar.logo = None
    if yaxis.axis_label == COUNTS:
        yaxis.formatter = NumeralTickFormatter(format="0,0")
        yaxis.ticker = BasicTicker(min_interval=1, num_minor_ticks=0)
        for grid in plot.handles["plot"].ygrid:
            grid.ticker = yaxis.ticker


def _finish_matplotlib(plot: Any, element: Any) -> None:
    """Give matplotlib what holoviews has no option for: a title above the legend, a faint grid, counts in full."""
    from matplotlib.ticker import MaxNLocator, StrMethodFormatter

    axis = plot.handles["axis"]
    legend = axis.get_legend()
    rows = -(-len(legend.get_texts()) // _MATPLOTLIB_LEGEND["ncol"]) if legend else 0
    title_matplotlib(plot, element, pad=6 + 16 * rows)
    axis.grid(True, color="#dddddd", linewidth=0.6)
    axis.set_axisbelow(True)
    axis.spines[["top", "right"]].set_visible(False)
    if axis.get_ylabel() == COUNTS:
        axis.yaxis.set_major_locator(MaxNLocator(nbins=6, steps=[1, 2, 5, 10], integer=True))
        axis.yaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))


Labels = Hashable | Iterable[Hashable] | slice | None
_PLAIN = re.compile(r"[A-Za-z0-9 _.,:;+*/()'-]{1,24}")  # no font lacks these, and no library reads them as markup


def select(ds: xr.Dataset, tf: Labels, gene: Labels) -> tuple[xr.Dataset, str]:
    """Return what is asked for of a dataset, and words for the titles that say so."""
    words = []
    for dim, asked in ((TF, tf), (GENE, gene)):
        if asked is None:
            continue
        if not isinstance(ds, xr.Dataset) or dim not in ds.indexes:
            raise SchemaError(f"ds has no index coordinate {dim!r} to select by; expected a yeastxr dataset")
        index = ds.indexes[dim]
        labels = _labels(index, asked, dim)
        if not labels:
            found = f"{dim} is {format_value(asked)}, with no label in it"
            raise InputError(f"{found}; expected a label, a list or a slice of them")
        places = index.get_indexer(labels)
        for label, place in zip(labels, places, strict=True):
            if place < 0 or isinstance(label, bool):
                raise InputError(f"{dim} is {format_value(label)}, which is not known; {suggest(label, index)}")
        ds = ds.isel({dim: list(dict.fromkeys(places))})
        plain = len(labels) == 1 and _PLAIN.fullmatch(str(labels[0]))
        words.append(f"{WORDS[dim]} {labels[0]}" if plain else f"{ds.sizes[dim]:,} of {len(index):,} {WORDS[dim]}s")
    return ds, ", ".join(words)


def _labels(index: Any, asked: Any, dim: str) -> list[Any]:
    """Return what is asked for as a list of labels; slices are by label, both ends included, as in xarray."""
    if isinstance(asked, slice):
        try:
            return list(index[index.slice_indexer(asked.start, asked.stop, asked.step)])
        except (KeyError, TypeError, ValueError):
            raise InputError(f"{dim} is {asked}; expected a slice from one label to another") from None
    return list(asked) if isinstance(asked, Iterable) and not isinstance(asked, str) else [asked]
