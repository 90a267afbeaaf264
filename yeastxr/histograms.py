"""Histograms of what was found, with what theory says drawn over them; quantiles against quantiles; comparisons."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from yeastxr.elements import (
    COLOURS,
    COUNTS,
    DARK,
    NAMES,
    SERIES,
    SIZE,
    STATUS_COLOURS,
    STATUS_DARK,
    axis,
    holoviews,
    overlay,
)
from yeastxr.schema import FEATURE_BY_NAME

THEORY = "theory"
THEORY_LINES = "lines: theory"


def histogram(counts: xr.Dataset, of: str, expected: Mapping[bool, np.ndarray] | None = None) -> Any:
    """Draw counts by label as an overlay of two histograms, and lines of the counts that theory expects.

    Parameters
    ----------
    counts
        What :func:`yeastxr.qc.histogram` returned, computed.
    of
        Which genes and TFs they are of, for the title; empty for all.
    expected
        For a label the expected count in each bin; none, or none for a label, draws no line.
    """
    hv = holoviews()
    feature = counts.attrs["feature"]
    edges = np.append(counts["left"].values, counts["right"].values[-1])
    pairs = hv.Dimension(("pairs", f"{FEATURE_BY_NAME[feature].long_name}, pairs"))
    layers = []
    for bound, name in NAMES.items():
        layer = hv.Histogram(
            (edges, counts["cells"].sel(label=bound).values), kdims=[dimension(feature)], vdims=[pairs], label=name
        )
        line = {"line_color": "white", "line_width": 0.5}
        layer.opts(hv.opts.Histogram(color=COLOURS[bound], alpha=0.6, **line, tools=["hover"], backend="bokeh"))
        line = {"edgecolor": "white", "linewidth": 0.3}
        layer.opts(hv.opts.Histogram(facecolor=COLOURS[bound], alpha=0.6, **line, backend="matplotlib"))
        layers.append(layer)
    most = int(counts["cells"].max())
    for bound, values in (expected or {}).items():
        layers.append(_line(counts["bin"].values, values, feature, pairs, f"{NAMES[bound]}, {THEORY}", DARK[bound]))
        most = max(most, int(np.ceil(values.max())))
    notes = "; ".join(filter(None, [THEORY_LINES if expected else "", _beyond(counts, edges)]))
    xlabel = _label_of(feature) + (f"\n{notes}" if notes else "")
    limits = {"xlim": (edges[0], edges[-1]), "ylim": (0, 1.05 * max(1, most))}
    linked = feature.endswith("pvalue")  # both kinds have one dimension
    return overlay(hv, layers, _title(feature), of, xlabel, COUNTS, limits, linked=linked)


def densities(
    bins: xr.Dataset, of: str, shares: Mapping[str, np.ndarray], lines: Mapping[str, np.ndarray], what: str
) -> Any:
    """Draw the share of pairs in each bin, for groups of very different sizes, and lines of what theory expects.

    Parameters
    ----------
    bins
        Bins as :func:`yeastxr.qc.histogram_of` has them: ``bin``, ``left``, ``right``, the attribute ``feature``.
    of, what
        Which genes and TFs they are of, and what is shown, for the title.
    shares, lines
        For each group the share of its pairs in each bin: found, and expected.
    """
    hv = holoviews()
    feature = bins.attrs["feature"]
    edges = np.append(bins["left"].values, bins["right"].values[-1])
    width = np.diff(edges)
    colours = {name: STATUS_COLOURS.get(name, SERIES[i % len(SERIES)]) for i, name in enumerate(shares)}
    layers = []
    for name, share in shares.items():
        curve = hv.Curve((bins["bin"].values, share / width), kdims=[dimension(feature)], vdims=["density"], label=name)
        look = {"color": colours[name], "interpolation": "steps-mid"}
        curve.opts(hv.opts.Curve(**look, line_width=2, tools=["hover"], backend="bokeh"))
        curve.opts(hv.opts.Curve(**look, linewidth=1.8, backend="matplotlib"))
        layers.append(curve)
    for name, share in lines.items():
        dark = STATUS_DARK.get(name, "#333333")
        layers.append(
            _line(bins["bin"].values, share / width, feature, "density", f"{name}, {THEORY}", dark, dashed=True)
        )
    held = np.flatnonzero(np.sum(list(shares.values()), axis=0))
    limits = {"xlim": (edges[held[0]], edges[held[-1] + 1]) if held.size else (edges[0], edges[-1]), "ylim": (0, None)}
    xlabel = _label_of(feature) + ("\ndashed: theory" if lines else "")
    return overlay(hv, layers, what, of, xlabel, f"density ({_per(feature)})", limits)


def quantile_quantile(points: Mapping[bool, tuple[np.ndarray, ...]], feature: str, of: str) -> Any:
    """Draw quantiles found against those of theory, by label, and the line on which they agree.

    Parameters
    ----------
    points
        For each label quantiles by theory, quantiles found, and between what found ones should lie.
    feature
        Whose quantiles.
    of
        Which genes and TFs they are of, for the title.
    """
    hv = holoviews()
    found = dimension(feature)
    by_theory = hv.Dimension((f"{feature}_theory", f"{found.label}, theory"), unit=found.unit)
    most = max([float(max(x.max(), y.max())) for x, y, *_ in points.values() if x.size] or [1.0])
    diagonal = hv.Curve([(0.0, 0.0), (most, most)], kdims=[by_theory], vdims=[found], label="agreement")
    diagonal.opts(hv.opts.Curve(color="#333333", line_width=1, backend="bokeh"))
    diagonal.opts(hv.opts.Curve(color="#333333", linewidth=0.8, backend="matplotlib"))
    layers = [diagonal]
    for bound, (x, y, lower, upper) in points.items():
        band = hv.Area((x, lower, upper), kdims=[by_theory], vdims=[found, "upper"], label=f"{NAMES[bound]}, chance")
        look: dict[str, Any] = {"alpha": 0.2, "show_legend": False}
        band.opts(hv.opts.Area(**look, color=COLOURS[bound], line_alpha=0, backend="bokeh"))
        colour = dict.fromkeys(
            ("color", "facecolor"), COLOURS[bound]
        )  # each has a default that would win over the other
        band.opts(hv.opts.Area(**look, **colour, linewidth=0, backend="matplotlib"))
        layers.append(band)
        layer = hv.Scatter((x, y), kdims=[by_theory], vdims=[found], label=NAMES[bound])
        look = {"color": COLOURS[bound], "alpha": 0.8}
        layer.opts(hv.opts.Scatter(**look, size=5, line_color=None, tools=["hover"], backend="bokeh"))
        layer.opts(hv.opts.Scatter(**look, s=14, linewidth=0, backend="matplotlib"))
        layers.append(layer)
    xlabel = f"{by_theory.pprint_label}\nshaded: within chance (3 s.d.)"
    limits = {"xlim": (0, 1.04 * most), "ylim": (0, 1.04 * most)}
    ylabel = f"{found.pprint_label}, found"
    return overlay(hv, layers, f"Quantiles: {found.label}", of, xlabel, ylabel, limits, linked=True)


def dimension(quantity: str) -> Any:
    """Return a feature, or the size of perturbation effects, as a holoviews dimension; p-values share one."""
    hv = holoviews()
    if quantity.endswith("pvalue"):
        return hv.Dimension(("pvalue", "p-value"))
    if quantity != SIZE:  # bokeh links axes by label: a histogram of binding effects is not to follow their scatter
        return axis(hv, quantity).clone(label=f"{FEATURE_BY_NAME[quantity].long_name} (bin)")
    effect = FEATURE_BY_NAME["perturbation_effect"]
    return hv.Dimension((SIZE, f"|{effect.long_name}|"), unit=effect.units)


def _title(feature: str) -> str:
    name = FEATURE_BY_NAME[feature].long_name
    return f"{name[0].upper()}{name[1:]}s"


def _per(feature: str) -> str:
    unit = dimension(feature).unit
    return f"1 / {unit}" if unit else "1 / unit"


def _line(x: np.ndarray, y: np.ndarray, feature: str, of: Any, label: str, colour: str, *, dashed: bool = False) -> Any:
    """Draw what theory says in each bin as a line of steps."""
    hv = holoviews()
    curve = hv.Curve((x, y), kdims=[dimension(feature)], vdims=[of], label=label)
    look = {"color": colour, "interpolation": "steps-mid", "show_legend": False}
    dash = {"line_dash": "dashed"} if dashed else {}
    curve.opts(hv.opts.Curve(**look, line_width=1.5, **dash, backend="bokeh"))
    dash = {"linestyle": "--"} if dashed else {}
    curve.opts(hv.opts.Curve(**look, linewidth=1.1, **dash, backend="matplotlib"))
    return curve


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


def _label_of(quantity: str) -> str:
    """Return what an axis is called, with its unit."""
    hv = holoviews()
    return str((dimension(quantity) if quantity == SIZE else axis(hv, quantity)).pprint_label)
