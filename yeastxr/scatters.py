"""Perturbation over binding: every pair as a point, or a marker for every bin, with the mean that theory expects."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from yeastxr.elements import (
    BINDING,
    COLOURS,
    DARK,
    NAMES,
    PERTURBATION,
    SIZE,
    STATUS_DARK,
    WORDS,
    axis,
    flat,
    holoviews,
    overlay,
)
from yeastxr.schema import CORE_DIMS, FEATURE_BY_NAME

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
        hv.Dimension((SIZE, f"|{size.long_name}|"), unit=size.units),
    ]
