"""Perturbation over binding: every pair as a point, or a marker for every bin, with the mean that theory expects."""

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from yeastxr import qc as summaries
from yeastxr._validate import check_integer
from yeastxr.plot.style import (
    COLOURS,
    DARK,
    NAMES,
    STATUS_DARK,
    WORDS,
    Labels,
    axis,
    flat,
    holoviews,
    overlay,
    select,
)
from yeastxr.schema import BINDING, CORE_DIMS, FEATURE_BY_NAME, MAGNITUDE, PERTURBATION
from yeastxr.theory import features as expectations

if TYPE_CHECKING:
    import holoviews as hv

MAX_POINTS = 20_000


def binding_vs_perturbation(
    ds: xr.Dataset, *, tf: Labels = None, gene: Labels = None, max_points: int = MAX_POINTS, bins: int = summaries.BINS
) -> "hv.Overlay":
    """Draw the size of perturbation effects against binding effects, coloured by label, with the expected means.

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
        How many bins along each axis, from 1 to 1,000.

    Returns
    -------
    holoviews.Overlay
        Two ``Points`` elements, labelled ``unbound`` and ``bound``. If the dataset has a specification, ``Curve``
        elements with the mean size that theory expects: of unbound pairs, of bound ones (whose conditions hold), and of
        those whose conditions fail.

    Raises
    ------
    InputError
        If a TF or a gene is not in the dataset, max_points or bins are not what they must be, or the dataset lacks a
        variable, a dim or an index.

    Examples
    --------
    >>> import yeastxr as yx
    >>> from yeastxr import plot
    >>> ds = yx.simulate(genes=1000, bound=[0.1, 0.3], seed=42)
    >>> [len(layer) for layer in plot.binding_vs_perturbation(ds)][:2]
    [1600, 400]
    """
    ds, of = select(ds, tf, gene)
    if few(ds, max_points):
        return points_of(ds, of, ds[["label", BINDING, PERTURBATION]].compute())
    return bins_of(ds, of, summaries.histogram_2d(ds, bins=bins).compute())


def few(ds: xr.Dataset, max_points: int) -> bool:
    """Tell whether the pairs of a dataset, once checked, are few enough to be drawn one by one."""
    most = check_integer("max_points", max_points, least=0)
    return summaries.number_of_cells(ds, BINDING, PERTURBATION) <= most


def points_of(ds: xr.Dataset, of: str, pairs: xr.Dataset) -> Any:
    """Draw every pair as a point, with the expected means."""
    most = float(pairs[BINDING].max())
    return points(pairs, of, _expected_lines(ds, most))


def bins_of(ds: xr.Dataset, of: str, counts: xr.Dataset) -> Any:
    """Draw counts of pairs as markers, with the expected means."""
    held = counts["cells"].sum(["label", "y_bin"]).values > 0
    most = float(counts["x_right"].values[held].max()) if held.any() else 1.0
    return binned_points(counts, of, _expected_lines(ds, most))


def _expected_lines(ds: xr.Dataset, most: float) -> dict[str, tuple[np.ndarray, np.ndarray]] | None:
    spec = expectations.specification(ds)
    if spec is None:
        return None
    binding = np.linspace(0, max(most, 1e-6), 65)
    lines = expectations.expected_sizes(spec, binding)
    reach = {"bound": binding, "unbound": binding[binding <= max(most / 5, 1e-6)]}
    return {name: (reach.get(name, binding), sizes[: reach.get(name, binding).size]) for name, sizes in lines.items()}


_TITLE = "Perturbation over binding"
_SMALLEST, _LARGEST = 2.0, 7.5  # diameters of the markers of bins, in bokeh's pixels and matplotlib's points
Lines = Mapping[str, tuple[np.ndarray, np.ndarray]] | None


def points(pairs: xr.Dataset, of: str, lines: Lines = None) -> Any:
    """Draw |perturbation| over binding by label: every pair as a point.

    Parameters
    ----------
    pairs
        The labels and both effects, computed.
    of
        Which genes and TFs they are of, for the title; empty for all.
    lines
        Binding effects and the mean size expected there, for groups of pairs; none by default.
    """
    hv = holoviews()
    label = pairs["label"]
    dims = [*CORE_DIMS, *(dim for dim in label.dims if dim not in CORE_DIMS)]
    columns = {
        "binding": pairs[BINDING],
        "size": abs(pairs[PERTURBATION]),
        **{str(dim): pairs[dim].broadcast_like(label) for dim in dims},
    }
    values = {name: flat(column.transpose(*label.dims)) for name, column in columns.items()}
    bound_ones = label.values.ravel()
    vdims = [hv.Dimension(str(dim), label=WORDS.get(str(dim), str(dim))) for dim in dims]
    layers = []
    for bound, name in NAMES.items():
        here = bound_ones == bound
        data = tuple(column[here] for column in values.values())
        layer = hv.Points(data, kdims=_plane(hv), vdims=vdims, label=name)
        look = {"color": COLOURS[bound], "alpha": 0.45}
        layer.opts(hv.opts.Points(**look, size=4, line_color=None, tools=["hover"], backend="bokeh"))
        layer.opts(hv.opts.Points(**look, s=10, linewidth=0, backend="matplotlib"))
        layers.append(layer)
    xlabel, ylabel = (one.pprint_label for one in _plane(hv))
    xlabel += "\nlines: mean by theory" if lines else ""
    return overlay(hv, layers + _expected(hv, lines), _TITLE, of, xlabel, ylabel, linked=True)


def binned_points(counts: xr.Dataset, of: str, lines: Lines = None) -> Any:
    """Draw |perturbation| over binding by label: a marker for every bin with pairs in it, sized by their logarithm.

    Parameters
    ----------
    counts
        What :func:`yeastxr.qc.histogram_2d` returned, computed.
    of
        Which genes and TFs they are of, for the title; empty for all.
    lines
        Binding effects and the mean size expected there, for groups of pairs; none by default.
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
        tips = [(one.label, f"@{{{one.name}}}") for one in layer.kdims] + [("pairs", "@pairs")]
        layer.opts(
            hv.opts.Points(
                **look, size="diameter", line_color=None, tools=["hover"], hover_tooltips=tips, backend="bokeh"
            )
        )
        layer.opts(hv.opts.Points(**look, s=hv.dim("diameter") ** 2 / 2, linewidth=0, backend="matplotlib"))
        layers.append(layer)
    xlabel, ylabel = (one.pprint_label for one in _plane(hv))
    xlabel += "\na marker is a bin, the larger the more pairs" + ("; lines: mean by theory" if lines else "")
    return overlay(hv, layers + _expected(hv, lines), _TITLE, of, xlabel, ylabel, linked=True)


def _expected(hv: Any, lines: Lines) -> list[Any]:
    """Draw the mean size that theory expects over binding effects."""
    x, y = _plane(hv)
    colours = {NAMES[bound]: DARK[bound] for bound in NAMES} | STATUS_DARK
    layers = []
    for name, (binding, size) in (lines or {}).items():
        curve = hv.Curve((binding, size), kdims=[x], vdims=[y], label=f"{name}, theory")
        look = {"color": colours[name], "show_legend": False}
        curve.opts(hv.opts.Curve(**look, line_width=2, backend="bokeh"))
        curve.opts(hv.opts.Curve(**look, linewidth=1.4, backend="matplotlib"))
        layers.append(curve)
    return layers


def _plane(hv: Any) -> list[Any]:
    """Return the axes of the scatter: the binding effect, and the size of the perturbation effect."""
    size = FEATURE_BY_NAME[PERTURBATION]
    return [
        axis(hv, BINDING),
        hv.Dimension((MAGNITUDE, f"|{size.long_name}|"), unit=size.units),
    ]
