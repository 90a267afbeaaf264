"""Perturbation over binding: every pair as a point, or a marker for every bin, with the mean that theory expects."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np
import xarray as xr

from yeastxr import qc
from yeastxr._validate import check_integer
from yeastxr.plot.style import (
    COLOURS,
    DARK,
    DIM_TITLES,
    LABELS,
    Labels,
    Options,
    customize,
    draw_line,
    draw_overlay,
    flatten,
    lay_out,
    load_holoviews,
    make_axis_label,
    make_dimension,
    select,
    set_options,
    shorten_name,
    split_by,
)
from yeastxr.schema import BINDING, CORE_DIMS, GENE, LABEL, MAGNITUDE, PERTURBATION, TF
from yeastxr.theory.features import compute_mean_magnitudes, find_spec

if TYPE_CHECKING:
    import holoviews as hv

MAX_POINTS = 20_000
_MOST_PANELS, _MOST_COLUMNS = 24, 4
_SMALLEST, _LARGEST = 2.0, 7.5  # diameters of the markers of bins, in bokeh's pixels and matplotlib's points


def binding_vs_perturbation(
    ds: xr.Dataset,
    *,
    tf: Labels = None,
    gene: Labels = None,
    max_points: int = MAX_POINTS,
    bins: int = qc.BINS,
    by: str | Sequence[str] | None = None,
    **options: Unpack[Options],
) -> "hv.Overlay | hv.Layout":
    """Draw |perturbation effect| against binding effects, coloured by label, with the expected means.

    Up to ``max_points`` pairs are drawn as they are, and hovering tells their gene and TF. Above that, each label has
    one marker for each bin that is not empty, the larger the more pairs are in it.

    Parameters
    ----------
    ds
        A yeastxr dataset, dims ``(..., gene, tf)``, NumPy or dask; it is read once as points, twice as bins.
    tf, gene
        A label or a list of labels to draw; all by default.
    max_points
        Up to how many pairs are drawn as points.
    bins
        The number of bins along each axis, from 1 to 1,000.
    by
        A leading dim, such as a swept parameter, or a list of them: a panel for each combination of their labels, at
        most 24. By default all are drawn in one.
    **options
        ``title``, ``xlim``, ``ylim``, ``logx``, ``theory`` (False drops its lines) and ``size`` (pixels).

    Returns
    -------
    holoviews.Overlay
        Two ``Points`` elements, labelled ``unbound`` and ``bound``. If the dataset has a specification, ``Curve``
        elements with the mean magnitude that theory expects: of unbound pairs, of bound ones (whose conditions hold),
        and of those whose conditions fail. With ``by`` a Layout of these, in rows along the last of the dims.

    Raises
    ------
    InputError
        If a TF or a gene is not in the dataset, max_points or bins are invalid, or the dataset lacks a variable, a dim
        or an index.

    Examples
    --------
    >>> import yeastxr as yx
    >>> from yeastxr import plot
    >>> ds = yx.simulate(genes=1000, bound=[0.1, 0.3], seed=42)
    >>> [len(layer) for layer in plot.binding_vs_perturbation(ds)][:2]
    [1600, 400]
    """
    if by is not None:
        shared: dict[str, Any] = {"tf": tf, "gene": gene, "max_points": max_points, "bins": bins}
        panels = []
        for name, part in split_by(ds, by, _MOST_PANELS).items():
            looks: dict[str, Any] = {"title": name.replace(", ", "\n"), **options}
            panels.append(binding_vs_perturbation(part, **shared, **looks))
        last = by if isinstance(by, str) else list(by)[-1]
        return lay_out(panels, min(_MOST_COLUMNS, ds.sizes[last]))
    ds, subtitle = select(ds, tf, gene)
    if are_points(ds, max_points):
        return customize(draw_points(ds, subtitle, ds[[LABEL, BINDING, PERTURBATION]].compute()), **options)
    return customize(draw_bins(ds, subtitle, qc.histogram_2d(ds, bins=bins).compute()), **options)


def are_points(ds: xr.Dataset, max_points: int) -> bool:
    """Tell whether the pairs of a dataset, once checked, are drawn one by one."""
    most = check_integer("max_points", max_points, least=0)
    return qc.number_of_cells(ds, BINDING, PERTURBATION) <= most


def draw_points(ds: xr.Dataset, subtitle: str, pairs: xr.Dataset) -> Any:
    """Draw every pair as a point, from its label and both effects, with the expected means."""
    layers = draw_groups([pairs[BINDING], abs(pairs[PERTURBATION])], pairs[LABEL], _make_plane())
    return _draw_scatter(ds, subtitle, layers, float(pairs[BINDING].max()), "")


def draw_groups(values: list[xr.DataArray], label: xr.DataArray | None, plane: list[Any]) -> list[Any]:
    """Draw pairs as points by their label, if there is one; hovering tells their gene, TF and the like.

    Bound ones are rings, which do not hide the points below them.
    """
    hv = load_holoviews()
    first = values[0]
    dims = [*CORE_DIMS, *(str(dim) for dim in first.dims if dim not in CORE_DIMS)]
    arrays = [*values, *(first[dim].broadcast_like(first) for dim in dims)]
    columns = [flatten(array.transpose(*first.dims)) for array in arrays]
    vdims = [hv.Dimension(dim, label=DIM_TITLES.get(dim, shorten_name(dim))) for dim in dims]
    drawn = np.isfinite(columns[0]) & np.isfinite(columns[1])
    groups: dict[str, np.ndarray] = {"pairs": drawn}
    if label is not None:
        is_bound = label.transpose(*first.dims).values.ravel()
        groups = {group: drawn & (is_bound == value) for group, value in LABELS.items()}
    return [
        set_options(
            hv.Points(tuple(column[rows] for column in columns), kdims=plane, vdims=vdims, label=group),
            **_style_markers(group, 4, 10),
        )
        for group, rows in groups.items()
    ]


def _style_markers(group: str, size: Any, area: Any) -> dict[str, Any]:
    """Return options of markers for both backends: filled, but for bound pairs, which are rings."""
    colour = COLOURS.get(group, COLOURS["unbound"])
    bokeh: dict[str, Any] = {"size": size, "tools": ["hover"]}
    if group == "bound":
        bokeh |= {"fill_alpha": 0.0, "line_color": colour, "line_alpha": 0.7}
        matplotlib: dict[str, Any] = {"s": area, "facecolors": "none", "edgecolors": colour, "linewidth": 0.6}
        return {"color": colour, "alpha": 0.7, "bokeh": bokeh, "matplotlib": matplotlib}
    matplotlib = {"s": area, "linewidth": 0}
    return {"color": colour, "alpha": 0.5, "bokeh": bokeh | {"line_color": None}, "matplotlib": matplotlib}


def draw_bins(ds: xr.Dataset, subtitle: str, counts: xr.Dataset) -> Any:
    """Draw a marker for every bin with pairs in it, sized by the logarithm of their count, with the expected means."""
    hv = load_holoviews()
    largest_count = math.log1p(int(counts["cells"].max()) or 1)
    layers = []
    for group, label in LABELS.items():
        cells = counts["cells"].sel(label=label).transpose("x_bin", "y_bin").values
        x, y = np.nonzero(cells)
        diameter = _SMALLEST + (_LARGEST - _SMALLEST) * np.log1p(cells[x, y]) / largest_count
        columns = (counts["x_bin"].values[x], counts["y_bin"].values[y], cells[x, y], diameter)
        points = hv.Points(columns, kdims=_make_plane(), vdims=["pairs", "diameter"], label=group)
        tips = [(dim.label, f"@{{{dim.name}}}") for dim in points.kdims] + [("pairs", "@pairs")]
        style = _style_markers(group, "diameter", hv.dim("diameter") ** 2 / 2)
        style["bokeh"]["hover_tooltips"] = tips
        layers.append(set_options(points, **style))
    filled = counts["cells"].sum([LABEL, "y_bin"]).values > 0
    most = float(counts["x_right"].values[filled].max()) if filled.any() else 1.0
    return _draw_scatter(ds, subtitle, layers, most, "a marker is a bin, the larger the more pairs")


def _draw_scatter(ds: xr.Dataset, subtitle: str, layers: list[Any], most: float, note: str) -> Any:
    """Lay lines of the expected means over markers, up to the largest binding effect."""
    lines = _draw_means(ds, most)
    notes = "; ".join(filter(None, [note, "lines: mean by theory" if lines else ""]))
    xlabel = make_axis_label(BINDING) + (f"\n{notes}" if notes else "")
    title = "Perturbation over binding"
    return draw_overlay([*layers, *lines], title, subtitle, xlabel, make_axis_label(MAGNITUDE), linked=True)


def _draw_means(ds: xr.Dataset, most: float) -> list[Any]:
    """Draw the mean magnitude that theory expects over binding effects; none without a specification."""
    spec = find_spec(ds)
    if spec is None:
        return []
    binding = np.linspace(0, max(most, 1e-6), 65)
    lines = []
    for name, magnitudes in compute_mean_magnitudes(spec, binding).items():
        drawn = binding <= (max(most / 5, 1e-6) if name == "unbound" else math.inf)
        line = draw_line(
            (binding[drawn], magnitudes[drawn]),
            _make_plane(),
            f"{name}, theory",
            DARK[name],
            widths=(2, 1.4),
            show_legend=False,
        )
        lines.append(line)
    return lines


def _make_plane() -> list[Any]:
    """Return the axes of the scatter."""
    return [make_dimension(BINDING), make_dimension(MAGNITUDE)]


def space_pairs(ds: xr.Dataset, feature: str, limit: int) -> xr.Dataset:
    """Return evenly spaced genes of a dataset, and TFs and others where needed, with at most ``limit`` pairs."""
    for dim in (GENE, TF, *(dim for dim in ds[feature].dims if dim not in CORE_DIMS)):
        kept = max(1, limit // (ds[feature].size // ds.sizes[dim]))
        ds = ds.isel({dim: slice(None, None, -(-ds.sizes[dim] // kept))})
    return ds
