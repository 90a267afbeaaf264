"""From reduced data to holoviews elements that look the same in bokeh and matplotlib."""

import math
from typing import Any

import numpy as np
import xarray as xr

from yeastxr.schema import CORE_DIMS, FEATURE_BY_NAME, GENE, TF

BINDING, PERTURBATION = "binding_effect", "perturbation_effect"
NAMES = {False: "unbound", True: "bound"}
COLOURS = {False: "#E69F00", True: "#0072B2"}  # orange and blue of Okabe and Ito: told apart by the colour-blind too
WORDS = {GENE: "gene", TF: "TF"}

_COUNTS = "gene–TF pairs"
_PLANE_TITLE = "Perturbation over binding"
_SMALLEST, _LARGEST = 2.0, 7.5  # diameters of the markers of bins, in bokeh's pixels and matplotlib's points


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


def histogram(counts: xr.Dataset, of: str) -> Any:
    """Draw counts by label as an overlay of two histograms.

    Parameters
    ----------
    counts
        What :func:`yeastxr.qc.histogram` returned, computed.
    of
        Which genes and TFs they are of, for the title; empty for all.
    """
    hv = holoviews()
    feature = counts.attrs["feature"]
    edges = np.append(counts["left"].values, counts["right"].values[-1])
    layers = [
        hv.Histogram(
            (edges, counts["cells"].sel(label=bound).values), kdims=[_axis(hv, feature)], vdims=["pairs"], label=name
        )
        for bound, name in NAMES.items()
    ]
    for bound, layer in zip(NAMES, layers, strict=True):
        colour = COLOURS[bound]
        line = {"line_color": "white", "line_width": 0.5}
        layer.opts(hv.opts.Histogram(color=colour, alpha=0.6, **line, tools=["hover"], backend="bokeh"))
        line = {"edgecolor": "white", "linewidth": 0.3}
        layer.opts(hv.opts.Histogram(facecolor=colour, alpha=0.6, **line, backend="matplotlib"))
    beyond = _beyond(counts, edges)
    xlabel = _axis(hv, feature).pprint_label + (f"\n{beyond}" if beyond else "")
    limits = {"xlim": (edges[0], edges[-1]), "ylim": (0, 1.05 * max(1, int(counts["cells"].max())))}
    return _overlay(hv, layers, f"{FEATURE_BY_NAME[feature].long_name.capitalize()}s", of, xlabel, _COUNTS, limits)


def points(pairs: xr.Dataset, of: str) -> Any:
    """Draw |perturbation| over binding by label: every pair as a point.

    Parameters
    ----------
    pairs
        The labels and both effects, computed.
    of
        Which genes and TFs they are of, for the title; empty for all.
    """
    hv = holoviews()
    label = pairs["label"]
    dims = [*CORE_DIMS, *(dim for dim in label.dims if dim not in CORE_DIMS)]
    columns = {
        "binding": pairs[BINDING],
        "size": abs(pairs[PERTURBATION]),
        **{str(dim): pairs[dim].broadcast_like(label) for dim in dims},
    }
    flat = {name: _flat(column.transpose(*label.dims)) for name, column in columns.items()}
    bound_ones = label.values.ravel()
    vdims = [hv.Dimension(str(dim), label=WORDS.get(str(dim), str(dim))) for dim in dims]
    layers = []
    for bound, name in NAMES.items():
        here = bound_ones == bound
        data = tuple(column[here] for column in flat.values())
        layer = hv.Points(data, kdims=_plane(hv), vdims=vdims, label=name)
        look = {"color": COLOURS[bound], "alpha": 0.45}
        layer.opts(hv.opts.Points(**look, size=4, line_color=None, tools=["hover"], backend="bokeh"))
        layer.opts(hv.opts.Points(**look, s=10, linewidth=0, backend="matplotlib"))
        layers.append(layer)
    return _overlay(hv, layers, _PLANE_TITLE, of, *(axis.pprint_label for axis in _plane(hv)))


def binned_points(counts: xr.Dataset, of: str) -> Any:
    """Draw |perturbation| over binding by label: a marker for every bin with pairs in it, sized by their logarithm.

    Parameters
    ----------
    counts
        What :func:`yeastxr.qc.histogram_2d` returned, computed.
    of
        Which genes and TFs they are of, for the title; empty for all.
    """
    hv = holoviews()
    most = math.log1p(int(counts["cells"].max()) or 1)
    layers = []
    for bound, name in NAMES.items():
        cells = counts["cells"].sel(label=bound).transpose("x_bin", "y_bin").values
        x, y = np.nonzero(cells)
        number = cells[x, y]
        diameter = _SMALLEST + (_LARGEST - _SMALLEST) * np.log1p(number) / most
        layer = hv.Points(
            (counts["x_bin"].values[x], counts["y_bin"].values[y], number, diameter),
            kdims=_plane(hv),
            vdims=["pairs", "diameter"],
            label=name,
        )
        look = {"color": COLOURS[bound], "alpha": 0.6}
        tips = [(axis.label, f"@{{{axis.name}}}") for axis in layer.kdims] + [("pairs", "@pairs")]
        layer.opts(
            hv.opts.Points(
                **look, size="diameter", line_color=None, tools=["hover"], hover_tooltips=tips, backend="bokeh"
            )
        )
        layer.opts(hv.opts.Points(**look, s=hv.dim("diameter") ** 2 / 2, linewidth=0, backend="matplotlib"))
        layers.append(layer)
    xlabel, ylabel = (axis.pprint_label for axis in _plane(hv))
    return _overlay(hv, layers, _PLANE_TITLE, of, f"{xlabel}\na marker is a bin, the larger the more pairs", ylabel)


def _plane(hv: Any) -> list[Any]:
    """Return the axes of the scatter: the binding effect, and the size of the perturbation effect."""
    size = FEATURE_BY_NAME[PERTURBATION]
    return [
        _axis(hv, BINDING),
        hv.Dimension(("perturbation_size", f"|{size.long_name}|"), unit=size.units),
    ]


def _axis(hv: Any, feature: str) -> Any:
    """Return a feature as a holoviews dimension; a unit of 1 is not shown."""
    declared = FEATURE_BY_NAME[feature]
    unit = None if declared.units == "1" else declared.units
    return hv.Dimension((feature, declared.long_name), unit=unit)


def _flat(column: xr.DataArray) -> np.ndarray:
    """Return a column of values or names; names as Python text, which every backend can write."""
    values = np.ravel(column.values)
    return values if values.dtype.kind in "iufbM" else np.array([str(value) for value in values], dtype=object)


def _beyond(counts: xr.Dataset, edges: np.ndarray) -> str:
    """Say which share of the cells the histogram does not show."""
    outside = {
        f"below {edges[0]:g}": int(counts["below"].sum()),
        f"above {edges[-1]:g}": int(counts["above"].sum()),
        "missing": int(counts["missing"].sum()),
    }
    total = int(counts["cells"].sum()) + sum(outside.values())
    return ", ".join(f"{_percent(number / total)} {where}" for where, number in outside.items() if number)


def _percent(share: float) -> str:
    return "< 0.1 %" if share < 0.001 else f"{100 * share:.1f} %"


def _overlay(
    hv: Any, layers: list[Any], what: str, of: str, xlabel: str, ylabel: str, limits: dict[str, Any] | None = None
) -> Any:
    """Lay bound over unbound, and set size, titles and a legend above the data, for both backends."""
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
            hooks=[_finish_bokeh],
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


_MATPLOTLIB_LEGEND = {
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


def _finish_bokeh(plot: Any, element: Any) -> None:
    """Give bokeh what holoviews has no option for: upright labels, counts in full and at whole numbers."""
    from bokeh.models import BasicTicker, NumeralTickFormatter

    xaxis, yaxis = plot.handles["xaxis"], plot.handles["yaxis"]
    xaxis.axis_label_text_font_style = yaxis.axis_label_text_font_style = "normal"
    plot.handles["plot"].toolbar.logo = None
    if yaxis.axis_label == _COUNTS:
        yaxis.formatter = NumeralTickFormatter(format="0,0")
        yaxis.ticker = BasicTicker(min_interval=1, num_minor_ticks=0)
        for grid in plot.handles["plot"].ygrid:
            grid.ticker = yaxis.ticker


def _finish_matplotlib(plot: Any, element: Any) -> None:
    """Give matplotlib what holoviews has no option for: a title above the legend, a faint grid, counts in full."""
    from matplotlib.ticker import MaxNLocator, StrMethodFormatter

    axis = plot.handles["axis"]
    title = axis.get_title()
    if title:
        axis.set_title("")
        axis.set_title(title, loc="left", pad=22, fontsize=11, fontweight="bold")
    axis.grid(True, color="#dddddd", linewidth=0.6)
    axis.set_axisbelow(True)
    axis.spines[["top", "right"]].set_visible(False)
    if axis.get_ylabel() == _COUNTS:
        axis.yaxis.set_major_locator(MaxNLocator(nbins=6, steps=[1, 2, 5, 10], integer=True))
        axis.yaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
