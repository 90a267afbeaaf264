"""Common parts of all plots: colours, axis labels, titles, legends, selection of TFs and genes, and the HTML page."""

import math
import os
import re
import sys
from collections.abc import Hashable, Iterable, Sequence
from contextlib import suppress
from typing import Any, TypedDict, Unpack

import numpy as np
import xarray as xr

from yeastxr._blocks import broadcast_dims
from yeastxr._validate import check_integer, check_number, check_sequence, to_python, unwrap
from yeastxr.analysis.columns import check_dataset, match_pairs
from yeastxr.errors import InputError, InputTypeError, SchemaError, escape_controls, format_value, shorten, suggest
from yeastxr.schema import (
    CORE_DIMS,
    FEATURE_BY_NAME,
    GENE,
    LABEL,
    MAGNITUDE,
    PERTURBATION,
    STATUSES,
    TF,
    list_dims,
    restore_dims,
)

LABELS = {"unbound": False, "bound": True}
ALL_PAIRS = "all pairs"  # the one group of data without labels
_ORANGE, _BLUE, _GREEN = "#E69F00", "#0072B2", "#009E73"  # colours of Okabe and Ito, safe for colour blindness
COLOURS = {"bound": _BLUE, ALL_PAIRS: "#56B4E9", **dict(zip(STATUSES, (_ORANGE, _BLUE, _GREEN), strict=True))}
_DARK_ORANGE, _DARK_BLUE, _DARK_GREEN = "#7a4f00", "#003a5c", "#00513b"  # the same hues for theory
DARK = {
    "bound": _DARK_BLUE,
    ALL_PAIRS: _DARK_BLUE,
    **dict(zip(STATUSES, (_DARK_ORANGE, _DARK_BLUE, _DARK_GREEN), strict=True)),
}
SERIES = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000", "#999999")
GREY = "#555555"  # of chance
SEQUENTIAL, DIVERGING = (
    "Blues",
    "RdBu_r",
)  # of ColorBrewer, safe for colour blindness, available in bokeh and matplotlib
DIM_TITLES = {GENE: "gene", TF: "TF"}
PAIRS, TFS = "gene–TF pairs", "TFs"  # axes of counts
_LONGEST_NAME = 60


def load_holoviews() -> Any:
    """Return holoviews with both backends loaded, without changing the current backend."""
    _import_matplotlib()
    import holoviews as hv

    if not hv.Store.loaded_backends():
        hv.extension("bokeh", "matplotlib", logo=False)
    before = hv.Store.current_backend
    import holoviews.plotting.bokeh
    import holoviews.plotting.mpl

    if hv.Store.current_backend != before:
        hv.Store.set_current_backend(before)
    return hv


def _import_matplotlib() -> None:
    """Import matplotlib, even if MPLBACKEND names a missing backend, such as that of a notebook."""
    if "matplotlib" in sys.modules:
        return
    backend = os.environ.pop("MPLBACKEND", None)
    try:
        import matplotlib
    finally:
        if backend is not None:
            os.environ["MPLBACKEND"] = backend
    if backend:
        with suppress(ValueError):
            matplotlib.rcParams["backend"] = backend


def list_groups(data: xr.Dataset) -> dict[str, dict[str, bool]]:
    """Return selections of the groups of pairs of a dataset or its counts: by label, or all pairs without labels."""
    return {group: {LABEL: label} for group, label in LABELS.items()} if LABEL in data.variables else {ALL_PAIRS: {}}


def describe_quantity(quantity: str, units: str = "") -> tuple[str, str | None]:
    """Return the display name and the unit of a quantity; a unit of 1 is empty."""
    feature = FEATURE_BY_NAME[PERTURBATION if quantity == MAGNITUDE else quantity]
    name = f"|{feature.long_name}|" if quantity == MAGNITUDE else feature.long_name
    return name, None if units in ("", "1") else shorten_name(units)


def make_axis_label(quantity: str, units: str, suffix: str = "") -> str:
    """Return the label of the axis of a quantity, with its unit."""
    name, unit = describe_quantity(quantity, units)
    return f"{name}{suffix} ({unit})" if unit else f"{name}{suffix}"


def make_dimension(quantity: str, units: str) -> Any:
    """Return a quantity as a holoviews dimension."""
    name, unit = describe_quantity(quantity, units)
    return load_holoviews().Dimension((quantity, name), unit=unit)


def make_title(quantity: str) -> str:
    """Return a quantity as the title of a plot: its capitalized plural."""
    name = describe_quantity(quantity)[0].strip("|")
    title = f"{name[0].upper()}{name[1:]}s"
    return f"|{title}|" if quantity == MAGNITUDE else title


def flatten(column: xr.DataArray) -> np.ndarray:
    """Return a column of values, or of names as Python strings, shortened if they are long."""
    values = np.ravel(column.values)
    return values if values.dtype.kind in "iufbM" else np.array([shorten_name(value) for value in values], dtype=object)


def shorten_name(name: Any) -> str:
    """Return a name as text, shortened if it is long, because plots and tables contain thousands of names."""
    return shorten(escape_controls(str(name)), _LONGEST_NAME)


def set_options(
    element: Any, *, bokeh: dict[str, Any] | None = None, matplotlib: dict[str, Any] | None = None, **shared: Any
) -> Any:
    """Set options of an element for both backends: common ones, and those of each."""
    options = getattr(load_holoviews().opts, type(element).__name__)
    return element.opts(
        options(**shared, **(bokeh or {}), backend="bokeh"),
        options(**shared, **(matplotlib or {}), backend="matplotlib"),
    )


def draw_line(
    data: Any,
    dims: Sequence[Any],
    label: str,
    colour: str,
    *,
    widths: tuple[float, float] = (1.5, 1.1),
    dashed: bool = False,
    hover: bool = False,
    **shared: Any,
) -> Any:
    """Draw y against x as a line, with widths for bokeh and matplotlib."""
    curve = load_holoviews().Curve(data, kdims=[dims[0]], vdims=[dims[1]], label=label)
    return set_options(
        curve,
        color=colour,
        **shared,
        bokeh={"line_width": widths[0]}
        | ({"line_dash": "dashed"} if dashed else {})
        | ({"tools": ["hover"]} if hover else {}),
        matplotlib={"linewidth": widths[1]} | ({"linestyle": "--"} if dashed else {}),
    )


def draw_overlay(
    layers: list[Any],
    title: str,
    subtitle: str,
    xlabel: str,
    ylabel: str,
    limits: dict[str, Any] | None = None,
    *,
    linked: bool = False,
) -> Any:
    """Overlay elements, and set size, titles and a legend above the data, for both backends.

    In bokeh layouts, linked plots share axes of the same dimension, so that zooming affects all of them.
    """
    legend = {"margin": 0, "padding": 2, "border_line_alpha": 0, "background_fill_alpha": 0}
    return set_options(
        load_holoviews().Overlay(layers),
        title=join_titles(title, subtitle),
        xlabel=xlabel,
        ylabel=ylabel,
        show_grid=True,
        show_legend=True,
        padding=0.04,
        **(limits or {}),
        bokeh={
            "width": 480,
            "height": 400,
            "legend_position": "top",
            "legend_opts": legend,
            "autohide_toolbar": True,
            "shared_axes": linked,
            "hooks": [finish_bokeh],
        },
        matplotlib={
            "aspect": 1.3,
            "fig_inches": 5,
            "legend_position": "inner",
            "legend_opts": _MATPLOTLIB_LEGEND,
            "hooks": [_finish_matplotlib],
        },
    )


class Options(TypedDict, total=False):
    """Options of every plot except :func:`yeastxr.plot.qc`; omitted options keep the defaults of the plot."""

    title: str
    xlim: tuple[float | None, float | None]
    ylim: tuple[float | None, float | None]
    logx: bool
    theory: bool
    size: tuple[int, int]


def customize(picture: Any, **options: Unpack[Options]) -> Any:
    """Return a plot with the user's options, for both backends.

    ``theory=False`` omits theory; ``size`` is (width, height) in pixels of bokeh; matplotlib uses 100 pixels per inch.
    """
    chosen: dict[str, Any] = dict(options)
    for name in chosen:
        if name not in Options.__annotations__:
            raise InputTypeError(f"unknown option {format_value(name)}; {suggest(name, Options.__annotations__)}")
    for name in {"logx", "theory"} & chosen.keys():
        if not isinstance(chosen[name], bool):
            raise InputTypeError(f"{name} is {format_value(chosen[name])}; expected True or False")
    hv = load_holoviews()
    if not chosen.pop("theory", True) and isinstance(picture, hv.Overlay):
        xlabel = hv.Store.lookup_options("bokeh", picture, "plot").kwargs["xlabel"]
        label, *notes = re.split(r"\n|; ", xlabel)
        notes = [note for note in notes if "theory" not in note]
        picture = picture.clone([layer for layer in picture if not layer.label.endswith("theory")])
        picture = set_options(picture, xlabel="\n".join(filter(None, [label, "; ".join(notes)])))
    bokeh: dict[str, Any] = {}
    matplotlib: dict[str, Any] = {}
    if "title" in chosen and not isinstance(chosen["title"], str):
        raise InputTypeError(f"title is {format_value(chosen['title'])}; expected a string")
    for name in {"xlim", "ylim"} & chosen.keys():
        ends = check_sequence(name, chosen[name], "a pair of numbers or None (lower, upper)")
        if len(ends) != 2:
            raise InputError(f"{name} is {format_value(chosen[name])}; expected a pair of numbers or None")
        lower, upper = chosen[name] = tuple(None if end is None else check_number(name, end) for end in ends)
        if lower is not None and upper is not None and lower >= upper:
            raise InputError(f"{name} is {format_value(chosen[name])}; expected lower < upper")
    if chosen.get("logx"):
        lower, upper = chosen.get("xlim", (None, None))
        if lower is not None and lower <= 0:
            raise InputError(f"xlim begins at {lower:g} and logx is True; expected a number above 0")
        chosen["xlim"] = (_find_least_positive(picture) if lower is None else lower, upper)
        matplotlib |= {"fig_inches": (5, 4), "aspect": "auto"}  # an aspect would refer to logarithms
    if "size" in chosen:
        size = check_sequence("size", chosen.pop("size"), "(width, height) in pixels")
        if len(size) != 2:
            raise InputError(f"size is {format_value(size)}; expected (width, height) in pixels")
        width, height = (check_integer("size", side, least=50, most=10_000) for side in size)
        bokeh |= {"width": width, "height": height}
        matplotlib |= {"fig_inches": (width / 100, height / 100), "aspect": "auto"}
    return set_options(picture, **chosen, bokeh=bokeh, matplotlib=matplotlib) if {*chosen, *bokeh} else picture


def _find_least_positive(picture: Any) -> float | None:
    """Return the smallest x above 0 in the elements of a plot, where a logarithmic axis can begin."""
    elements = list(picture) if isinstance(picture, load_holoviews().Overlay) else [picture]
    columns = [np.asarray(element.dimension_values(0), np.float64) for element in elements]
    values = np.concatenate([column[column > 0] for column in columns])
    return float(values.min()) if values.size else None


def lay_out(pictures: list[Any], columns: int) -> Any:
    """Arrange plots in rows; plots define linked axes themselves."""
    hv = load_holoviews()
    return (
        hv.Layout(pictures)
        .opts(
            hv.opts.Layout(shared_axes=True, backend="bokeh"),
            hv.opts.Layout(shared_axes=False, sublabel_format="", hspace=0.35, vspace=0.6, backend="matplotlib"),
        )
        .cols(columns)
    )


def join_titles(title: str, subtitle: str) -> str:
    """Return the title of a plot, with a second line that describes a selection."""
    return f"{title}\n{subtitle}" if subtitle else title


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


def set_matplotlib_title(plot: Any, element: Any, pad: float = 6) -> None:
    """Set the title in bold at the left, above the legend."""
    axis = plot.handles["axis"]
    title = axis.get_title()
    if title:
        axis.set_title("")
        axis.set_title(title, loc="left", pad=pad, fontsize=11, fontweight="bold")


def finish_bokeh(plot: Any, element: Any) -> None:
    """Set options of bokeh that holoviews lacks: upright labels, and counts as full integers."""
    from bokeh.models import BasicTicker, NumeralTickFormatter

    xaxis, yaxis = plot.handles["xaxis"], plot.handles["yaxis"]
    xaxis.axis_label_text_font_style = yaxis.axis_label_text_font_style = "normal"
    plot.handles["plot"].toolbar.logo = None
    if yaxis.axis_label in (PAIRS, TFS):
        yaxis.formatter = NumeralTickFormatter(format="0,0")
        yaxis.ticker = BasicTicker(min_interval=1, num_minor_ticks=0)
        for grid in plot.handles["plot"].ygrid:
            grid.ticker = yaxis.ticker


def _finish_matplotlib(plot: Any, element: Any) -> None:
    """Set options of matplotlib that holoviews lacks: a title above the legend, a faint grid, full counts."""
    from matplotlib.ticker import MaxNLocator, StrMethodFormatter

    axis = plot.handles["axis"]
    legend = axis.get_legend()
    texts = legend.get_texts() if legend else []
    for text in texts:
        text.set_parse_math(False)  # names of datasets may contain dollar signs
    rows = -(-len(texts) // _MATPLOTLIB_LEGEND["ncol"])
    set_matplotlib_title(plot, element, pad=6 + 16 * rows)
    axis.grid(True, color="#dddddd", linewidth=0.6)
    axis.set_axisbelow(True)
    axis.spines[["top", "right"]].set_visible(False)
    if axis.get_ylabel() in (PAIRS, TFS):
        axis.yaxis.set_major_locator(MaxNLocator(nbins=6, steps=[1, 2, 5, 10], integer=True))
        axis.yaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))


Labels = Hashable | Iterable[Hashable] | slice | None
_PLAIN = re.compile(r"[A-Za-z0-9 _.,:;+*/()'-]{1,24}")  # characters that all fonts have, and that are not markup


def select(ds: xr.Dataset, tf: Labels, gene: Labels) -> tuple[xr.Dataset, str]:
    """Return the selected TFs and genes of a dataset, and a subtitle that describes them."""
    ds = broadcast_dims(restore_dims(ds))
    words = []
    for dim, selection in ((TF, tf), (GENE, gene)):
        if selection is None:
            continue
        if not isinstance(ds, xr.Dataset) or dim not in ds.indexes:
            raise SchemaError(f"ds has no index coordinate {dim!r} for selection; expected a yeastxr dataset")
        index = ds.indexes[dim]
        labels = _list_labels(index, selection, dim)
        if not labels:
            raise InputError(
                f"{dim} is {format_value(selection)}, which is empty; expected a label, a list or a slice of labels"
            )
        known = {to_python(label): position for position, label in enumerate(index)}
        positions: list[int] = []
        for label in labels:
            try:
                positions.append(-1 if isinstance(label, bool) else known.get(to_python(label), -1))
            except TypeError:  # a label that can't be hashed
                positions.append(-1)
            if positions[-1] < 0:
                raise InputError(f"{dim} is {format_value(label)}, which is unknown; {suggest(label, index)}")
        ds = ds.isel({dim: list(dict.fromkeys(positions))})
        plain = len(labels) == 1 and _PLAIN.fullmatch(str(labels[0]))
        title = DIM_TITLES[dim]
        words.append(f"{title} {labels[0]}" if plain else f"{ds.sizes[dim]:,} of {len(index):,} {title}s")
    return ds, ", ".join(words)


def split_by(ds: xr.Dataset, by: str | Sequence[str], most: int) -> dict[str, xr.Dataset]:
    """Return the parts of a dataset along leading dimensions, such as the points of a sweep, by their labels."""
    ds = restore_dims(ds)
    known = [dim for dim in list_dims(ds) if dim not in CORE_DIMS]
    dims = (
        [by]
        if isinstance(by, str)
        else check_sequence("by", by, "a leading dimension, or a list of leading dimensions")
    )
    for dim in dims or [None]:
        if dim not in known:
            raise InputError(f"by is {format_value(dim)}; expected a leading dimension, {suggest(dim, known)}")
    n_parts = math.prod(ds.sizes[dim] for dim in dims)
    if n_parts > most:
        raise InputError(f"by has {n_parts:,} combinations of labels; expected from 1 to {most}")
    parts = {}
    for index in np.ndindex(*(ds.sizes[dim] for dim in dims)):
        places = zip(dims, index, strict=True)
        name = ", ".join(shorten_name(f"{dim} {ds[dim].values[place]}") for dim, place in places)
        parts[name] = ds.isel(dict(zip(dims, index, strict=True)))
    return parts


def select_with(ds: xr.Dataset, tf: Labels, gene: Labels, **values: Any) -> tuple[xr.Dataset, str, dict[str, Any]]:
    """Select TFs and genes of a dataset and of arrays with its pairs; other values are returned unchanged."""
    arrays = {f"_{name}": array for name, array in values.items() if isinstance(array, xr.DataArray)}
    if arrays:
        ds = check_dataset(ds)
        ds = ds.assign({name: match_pairs(array, ds, name[1:]) for name, array in arrays.items()})
    ds, subtitle = select(ds, tf, gene)
    selected = {name[1:]: ds[name].rename(array.name) for name, array in arrays.items()}
    return ds.drop_vars(list(arrays)), subtitle, values | selected


def _list_labels(index: Any, selection: Any, dim: str) -> list[Any]:
    """Return the selected labels as a list; slices are by label, both ends included, as in xarray."""
    if isinstance(selection, slice):
        try:
            return list(index[index.slice_indexer(selection.start, selection.stop, selection.step)])
        except (KeyError, TypeError, ValueError):
            raise InputError(f"{dim} is {selection}; expected a slice from one label to another") from None
    selection = unwrap(selection)
    if isinstance(selection, str) or not isinstance(selection, Iterable):
        return [selection]
    return list(map(unwrap, selection))  # a DataArray consists of DataArrays


def render_page(
    figures: list[Any], title: str, *, package: str = "yeastxr.plot", template: str = "page.html", **content: Any
) -> str:
    """Return an HTML page with bokeh figures; higher layers can extend its template.

    Texts are escaped; HTML must be passed as :class:`markupsafe.Markup`.
    """
    from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    loader = ChoiceLoader([PackageLoader(name, "assets") for name in dict.fromkeys((package, "yeastxr.plot"))])
    pages = Environment(
        loader=loader,
        autoescape=True,
        finalize=lambda value: value if hasattr(value, "__html__") else escape_controls(str(value)),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    scripts, places = embed_figures(figures)
    content |= {"title": title, "scripts": Markup(scripts), "figures": [Markup(place) for place in places]}
    return pages.get_template(template).render(content)


def embed_figures(figures: list[Any]) -> tuple[str, list[str]]:
    """Return self-contained scripts that draw bokeh figures, and the element of each figure, as HTML.

    ``file_html`` of bokeh is not suitable: with panel loaded, its pages also request files of panel.
    """
    from bokeh.embed import components
    from bokeh.resources import Resources

    library = Resources(mode="inline", components=["bokeh", "bokeh-gl"]).js_raw
    script, places = components(tuple(figures))
    return "".join(f"<script>{code}</script>\n" for code in library) + script, list(places)
