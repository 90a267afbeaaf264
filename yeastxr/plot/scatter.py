"""Perturbation against binding: a point for each pair, or a marker for each bin, with expected means."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np
import xarray as xr

from yeastxr import qc
from yeastxr._validate import check_integer
from yeastxr.plot.style import (
    ALL_PAIRS,
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
    list_groups,
    load_holoviews,
    make_axis_label,
    make_dimension,
    select,
    set_options,
    shorten_name,
    split_by,
)
from yeastxr.schema import BINDING, CORE_DIMS, GENE, LABEL, MAGNITUDE, PERTURBATION, TF, get_units
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

    Up to ``max_points`` pairs are drawn individually, and hovering shows their gene and TF. Larger datasets are drawn
    as bins, with markers whose size shows the number of pairs. Without ``label``, all pairs form one group. Pairs with
    a missing effect are not drawn; the label of the axis states how many.

    Parameters
    ----------
    ds
        A yeastxr dataset with dimensions ``(..., gene, tf)``, NumPy or dask; it is read once for points, and twice for
        bins.
    tf, gene
        A label or a list of labels to draw (default: all).
    max_points
        The maximum number of pairs to draw as points.
    bins
        The number of bins along each axis, from 1 to 1,000.
    by
        A leading dimension, such as a swept parameter, or a list of leading dimensions: one panel for each combination
        of labels, at most 24. By default there is a single panel.
    **options
        ``title``, ``xlim``, ``ylim``, ``logx``, ``theory`` (False omits theory) and ``size`` (pixels).

    Returns
    -------
    holoviews.Overlay
        Two ``Points`` elements, labelled ``unbound`` and ``bound``, or one, labelled ``all pairs``. If the dataset has
        a specification, ``Curve`` elements with the expected mean magnitude: of unbound pairs, of bound pairs (whose
        conditions hold), and of bound pairs whose conditions fail. With ``by``, a Layout of such plots, with the last
        dimension along rows.

    Raises
    ------
    InputError
        If a TF or a gene is not in the dataset, max_points or bins are invalid, or the dataset lacks a variable, a
        dimension or an index.

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
        return customize(draw_points(ds, subtitle, select_points(ds).compute()), **options)
    return customize(draw_bins(ds, subtitle, qc.histogram_2d(ds, bins=bins).compute()), **options)


def are_points(ds: xr.Dataset, max_points: int) -> bool:
    """Return whether the pairs of a validated dataset are drawn individually."""
    most = check_integer("max_points", max_points, least=0)
    return qc.number_of_cells(ds, BINDING, PERTURBATION) <= most


def select_points(ds: xr.Dataset) -> xr.Dataset:
    """Return the data for points: both effects, and the label if there is one."""
    return ds[[name for name in (LABEL, BINDING, PERTURBATION) if name in ds.data_vars]]


def draw_points(ds: xr.Dataset, subtitle: str, pairs: xr.Dataset) -> Any:
    """Draw every pair as a point, with expected means."""
    effects = [pairs[BINDING], abs(pairs[PERTURBATION])]
    layers = draw_groups(effects, pairs.get(LABEL), _make_plane(ds))
    most, n_missing = float(pairs[BINDING].max()), int((effects[0].isnull() | effects[1].isnull()).sum())
    note = _describe_missing(n_missing, effects[0].size)
    return _draw_scatter(ds, subtitle, layers, most if math.isfinite(most) else 1.0, note)


def _describe_missing(n_missing: int, total: int) -> str:
    """Describe the share of pairs with a missing effect; empty if there are none."""
    share = 100 * n_missing / total
    return f"{'< 0.1' if share < 0.1 else f'{share:.1f}'} % missing" if n_missing else ""


def draw_groups(values: list[xr.DataArray], label: xr.DataArray | None, plane: list[Any]) -> list[Any]:
    """Draw pairs as points by label, if there is one; hovering shows their gene, TF and other labels.

    Bound pairs are rings, which do not hide the points below them.
    """
    hv = load_holoviews()
    first = values[0]
    dims = [*CORE_DIMS, *(str(dim) for dim in first.dims if dim not in CORE_DIMS)]
    arrays = [*values, *(first[dim].broadcast_like(first) for dim in dims)]
    columns = [flatten(array.transpose(*first.dims)) for array in arrays]
    vdims = [hv.Dimension(dim, label=DIM_TITLES.get(dim, shorten_name(dim))) for dim in dims]
    drawn = np.isfinite(columns[0]) & np.isfinite(columns[1])
    groups: dict[str, np.ndarray] = {ALL_PAIRS: drawn}
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
    """Return options of markers for both backends: rings for bound pairs, filled for all others."""
    colour = COLOURS[group]
    bokeh: dict[str, Any] = {"size": size, "tools": ["hover"]}
    if group == "bound":
        bokeh |= {"fill_alpha": 0.0, "line_color": colour, "line_alpha": 0.7}
        matplotlib: dict[str, Any] = {"s": area, "facecolors": "none", "edgecolors": colour, "linewidth": 0.6}
        return {"color": colour, "alpha": 0.7, "bokeh": bokeh, "matplotlib": matplotlib}
    matplotlib = {"s": area, "linewidth": 0}
    return {"color": colour, "alpha": 0.5, "bokeh": bokeh | {"line_color": None}, "matplotlib": matplotlib}


def draw_bins(ds: xr.Dataset, subtitle: str, counts: xr.Dataset) -> Any:
    """Draw a marker for every non-empty bin, sized by the logarithm of its count, with expected means."""
    hv = load_holoviews()
    largest_count = math.log1p(int(counts["cells"].max()) or 1)
    layers = []
    for group, selection in list_groups(counts).items():
        cells = counts["cells"].sel(selection).transpose("x_bin", "y_bin").values
        x, y = np.nonzero(cells)
        diameter = _SMALLEST + (_LARGEST - _SMALLEST) * np.log1p(cells[x, y]) / largest_count
        columns = (counts["x_bin"].values[x], counts["y_bin"].values[y], cells[x, y], diameter)
        points = hv.Points(columns, kdims=_make_plane(ds), vdims=["pairs", "diameter"], label=group)
        tips = [(dim.label, f"@{{{dim.name}}}") for dim in points.kdims] + [("pairs", "@pairs")]
        style = _style_markers(group, "diameter", hv.dim("diameter") ** 2 / 2)
        style["bokeh"]["hover_tooltips"] = tips
        layers.append(set_options(points, **style))
    filled = counts["cells"].sum([dim for dim in counts["cells"].dims if dim != "x_bin"]).values > 0
    most = float(counts["x_right"].values[filled].max()) if filled.any() else 1.0
    total = int(sum(counts[name].sum() for name in ("cells", "outside", "missing")))
    notes = ["marker size: pairs per bin", _describe_missing(int(counts["missing"].sum()), total)]
    return _draw_scatter(ds, subtitle, layers, most, "; ".join(filter(None, notes)))


def _draw_scatter(ds: xr.Dataset, subtitle: str, layers: list[Any], most: float, note: str) -> Any:
    """Draw lines of expected means over markers, up to the largest binding effect."""
    lines = _draw_means(ds, most)
    notes = "; ".join(filter(None, [note, "lines: mean by theory" if lines else ""]))
    xlabel = make_axis_label(BINDING, get_units(ds, BINDING)) + (f"\n{notes}" if notes else "")
    ylabel = make_axis_label(MAGNITUDE, get_units(ds, MAGNITUDE))
    title = "Perturbation against binding"
    return draw_overlay([*layers, *lines], title, subtitle, xlabel, ylabel, linked=True)


def _draw_means(ds: xr.Dataset, most: float) -> list[Any]:
    """Draw expected mean magnitudes against binding effects; nothing without a specification."""
    spec = find_spec(ds)
    if spec is None:
        return []
    binding = np.linspace(0, max(most, 1e-6), 65)
    lines = []
    for name, magnitudes in compute_mean_magnitudes(spec, binding).items():
        drawn = binding <= (max(most / 5, 1e-6) if name == "unbound" else math.inf)
        line = draw_line(
            (binding[drawn], magnitudes[drawn]),
            _make_plane(ds),
            f"{name}, theory",
            DARK[name],
            widths=(2, 1.4),
            show_legend=False,
        )
        lines.append(line)
    return lines


def _make_plane(ds: xr.Dataset) -> list[Any]:
    """Return the axes of the scatter."""
    return [make_dimension(quantity, get_units(ds, quantity)) for quantity in (BINDING, MAGNITUDE)]


def space_pairs(ds: xr.Dataset, feature: str, limit: int) -> xr.Dataset:
    """Return evenly spaced genes of a dataset and, if necessary, TFs and other labels, with at most ``limit`` pairs."""
    for dim in (GENE, TF, *(dim for dim in ds[feature].dims if dim not in CORE_DIMS)):
        kept = max(1, limit // (ds[feature].size // ds.sizes[dim]))
        ds = ds.isel({dim: slice(None, None, -(-ds.sizes[dim] // kept))})
    return ds
