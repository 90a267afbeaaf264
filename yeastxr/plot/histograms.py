"""Histograms of what was found, with what theory says drawn over them; quantiles against quantiles; comparisons."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import xarray as xr

from yeastxr import qc as summaries
from yeastxr.errors import InputError, InputTypeError, format_value, suggest
from yeastxr.plot.style import (
    COLOURS,
    COUNTS,
    DARK,
    NAMES,
    SERIES,
    STATUS_COLOURS,
    STATUS_DARK,
    Labels,
    axis,
    holoviews,
    overlay,
    select,
)
from yeastxr.schema import BINDING, CORE_DIMS, FEATURE_BY_NAME, MAGNITUDE, PERTURBATION, STATUSES, check_feature
from yeastxr.theory import features as expectations
from yeastxr.theory.features import GROUPS

if TYPE_CHECKING:
    import holoviews as hv

_MOST_SERIES = 8


def binding_histogram(
    ds: xr.Dataset,
    *,
    tf: Labels = None,
    gene: Labels = None,
    bins: int = summaries.BINS,
    limits: tuple[float, float] | None = None,
) -> "hv.Overlay":
    """Draw the histogram of binding effects, unbound over bound, with the counts that theory expects.

    Parameters
    ----------
    ds
        A yeastxr dataset, dims ``(..., gene, tf)``, NumPy or dask; it is read once.
    tf, gene
        A label or a list of labels to draw; all by default.
    bins
        How many bins, from 1 to 10,000.
    limits
        The ends of the axis, 0 to 5 by default; the axis says how many effects are beyond them.

    Returns
    -------
    holoviews.Overlay
        Two ``Histogram`` elements, labelled ``unbound`` and ``bound``; their counts are exact. If the dataset has a
        specification, two ``Curve`` elements with what theory expects in each bin.

    Raises
    ------
    InputError
        If a TF or a gene is not in the dataset, bins or limits are not what they must be, or the dataset lacks a
        variable, a dim or an index.

    Examples
    --------
    >>> import yeastxr as yx
    >>> from yeastxr import plot
    >>> ds = yx.simulate(genes=1000, bound=[0.1, 0.15, 0.2, 0.25, 0.3], n_sample=[1, 1, 2, 2, 4], seed=42)
    >>> [layer.label for layer in plot.binding_histogram(ds, tf=[0, 1])]
    ['unbound', 'bound', 'unbound, theory', 'bound, theory']
    """
    ds, of = select(ds, tf, gene)
    return with_theory(ds, of, summaries.histogram(ds, BINDING, bins=bins, limits=limits).compute())


def perturbation_histogram(
    ds: xr.Dataset,
    *,
    tf: Labels = None,
    gene: Labels = None,
    bins: int = summaries.BINS,
    limits: tuple[float, float] | None = None,
) -> "hv.Overlay":
    """Draw the histogram of perturbation effects, unbound over bound, with the counts that theory expects.

    Parameters
    ----------
    ds
        A yeastxr dataset, dims ``(..., gene, tf)``, NumPy or dask; it is read twice, or once if limits are given.
    tf, gene
        A label or a list of labels to draw; all by default.
    bins
        How many bins, from 1 to 10,000.
    limits
        The ends of the axis; by default what holds all effects, symmetric about 0.

    Returns
    -------
    holoviews.Overlay
        As of :func:`binding_histogram`.

    Raises
    ------
    InputError
        As of :func:`binding_histogram`.

    Examples
    --------
    >>> import yeastxr as yx
    >>> from yeastxr import plot
    >>> ds = yx.simulate(genes=1000, bound=[0.1, 0.3], seed=42)
    >>> unbound, bound, *theory = plot.perturbation_histogram(ds)
    >>> int(sum(histogram.dimension_values("pairs").sum() for histogram in (unbound, bound)))
    2000
    """
    ds, of = select(ds, tf, gene)
    return with_theory(ds, of, summaries.histogram(ds, PERTURBATION, bins=bins, limits=limits).compute())


def pvalue_histogram(
    ds: xr.Dataset,
    kind: Literal["binding", "perturbation"] = "binding",
    *,
    tf: Labels = None,
    gene: Labels = None,
    bins: int = 50,
) -> "hv.Overlay":
    """Draw the histogram of p-values, unbound over bound, with the counts that theory expects.

    Parameters
    ----------
    ds
        A yeastxr dataset, dims ``(..., gene, tf)``, NumPy or dask; it is read once.
    kind
        Whose p-values.
    tf, gene
        A label or a list of labels to draw; all by default.
    bins
        How many bins, from 1 to 10,000.

    Returns
    -------
    holoviews.Overlay
        As of :func:`binding_histogram`.

    Raises
    ------
    InputError
        As of :func:`binding_histogram`, and if the kind is another.

    Examples
    --------
    >>> import yeastxr as yx
    >>> from yeastxr import plot
    >>> ds = yx.simulate(genes=1000, bound=[0.1, 0.3], seed=42)
    >>> plot.pvalue_histogram(ds, "perturbation").get(0).kdims
    [Dimension('pvalue', label='p-value')]
    """
    if kind not in ("binding", "perturbation"):
        raise InputError(f"kind is {format_value(kind)}; expected 'binding' or 'perturbation'")
    ds, of = select(ds, tf, gene)
    return with_theory(ds, of, summaries.histogram(ds, f"{kind}_pvalue", bins=bins).compute())


def quantile_quantile(ds: xr.Dataset, *, tf: Labels = None, gene: Labels = None) -> "hv.Overlay":
    """Draw quantiles of the size of perturbation effects against those of theory, by label.

    Quantiles are exact: shares of pairs below the edges of a fine histogram.

    Parameters
    ----------
    ds
        A yeastxr dataset with a specification, dims ``(..., gene, tf)``, NumPy or dask; it is read once.
    tf, gene
        A label or a list of labels to draw; all by default.

    Returns
    -------
    holoviews.Overlay
        A ``Curve``, the line of agreement, and for each label that has pairs an ``Area``, 3 standard deviations wide to
        both sides, and a ``Scatter`` of quantiles.

    Raises
    ------
    InputError
        If there is no specification, a TF or a gene is not in the dataset, or it lacks a variable, a dim or an index.

    Examples
    --------
    >>> import yeastxr as yx
    >>> from yeastxr import plot
    >>> ds = yx.simulate(genes=1000, bound=[0.1, 0.3], seed=42)
    >>> [layer.label for layer in plot.quantile_quantile(ds)]
    ['agreement', 'unbound, chance', 'unbound', 'bound, chance', 'bound']
    """
    ds, of = select(ds, tf, gene)
    if expectations.specification(ds) is None:
        raise InputError("the dataset has no specification, and so no theory; expected one simulation's dataset")
    return quantiles_of(ds, of, summaries.summarize(ds).compute())


def relation_status(ds: xr.Dataset, *, tf: Labels = None, gene: Labels = None) -> "hv.Overlay":
    """Draw the size of perturbation effects by whether a pair is bound, and its TF's conditions hold (methods 3 and 4).

    Parameters
    ----------
    ds
        A yeastxr dataset whose specification has relationships, dims ``(..., gene, tf)``, NumPy or dask; read once.
    tf, gene
        A label or a list of labels to draw; all by default. TFs that those depend on are looked up in the dataset.

    Returns
    -------
    holoviews.Overlay
        For each group a ``Curve`` with its density, and one with that of theory.

    Raises
    ------
    InputError
        If there are no relationships, they name TFs that are not in the dataset, a TF or a gene is not in it, or it
        lacks a variable, a dim or an index.

    Examples
    --------
    >>> import yeastxr as yx
    >>> from yeastxr import plot
    >>> ds = yx.simulate(genes=1000, bound=[0.1, 0.3], tf_relationships={0: [1]}, seed=42)
    >>> [layer.label for layer in plot.relation_status(ds)][:3]
    ['unbound', 'conditions hold', 'conditions fail']
    """
    from yeastxr.simulation.adjustment import adjusted_pairs

    spec = expectations.specification(ds) if isinstance(ds, xr.Dataset) else None
    if spec is None or not spec.tf_relationships:
        raise InputError("the dataset has no relationships; expected one simulation's dataset by method 3 or 4")
    adjusted = adjusted_pairs(ds["label"], spec.tf_relationships)
    some, of = select(ds.assign(adjusted=adjusted), tf, gene)
    summary = summaries.summarize(some.drop_vars("adjusted"), adjusted=some["adjusted"]).compute()
    return statuses_of(some, of, summary)


def compare(
    datasets: Mapping[str, xr.Dataset] | xr.Dataset,
    feature: str = PERTURBATION,
    *,
    by: str | None = None,
    label: bool | None = True,
    bins: int = summaries.BINS,
    limits: tuple[float, float] | None = None,
) -> "hv.Overlay":
    """Draw how a feature is distributed in several datasets, or along a swept dim of one.

    Parameters
    ----------
    datasets
        Names and datasets, at most 8; or one dataset, with ``by``.
    feature
        Any feature but ``label``.
    by
        A dim of the dataset, such as a swept parameter, with at most 8 labels.
    label
        Of bound pairs, of unbound ones (False), or of all (None).
    bins
        How many bins, from 1 to 10,000.
    limits
        The ends of the axis; by default what holds all.

    Returns
    -------
    holoviews.Overlay
        For each dataset a ``Curve`` of its density, labelled with its name.

    Raises
    ------
    InputError
        If there are no or too many datasets, or as for :func:`binding_histogram`.

    Examples
    --------
    >>> import yeastxr as yx
    >>> from yeastxr import plot
    >>> swept = yx.sweep(yx.SimulationSpec(genes=100, bound=[0.2], seed=42), bound_mean=[3.0, 5.0])
    >>> [layer.label for layer in plot.compare(swept, by="bound_mean")]
    ['bound_mean 3.0', 'bound_mean 5.0']
    """
    check_feature(feature)
    if label is not None and not isinstance(label, bool | np.bool_):
        raise InputTypeError(f"label is {format_value(label)}; expected True, False or None")
    named = _series(datasets, by)
    if limits is None and feature not in summaries.LIMITS:
        most = max(summaries.largest_effects(ds, feature)[feature] for ds in named.values())
        limits = (-most, most) if feature == PERTURBATION else (0.0, most)
    found = {name: summaries.histogram(ds, feature, bins=bins, limits=limits).compute() for name, ds in named.items()}
    shares = {}
    for name, counts in found.items():
        total = counts["cells"].sum("bin") + counts["below"] + counts["above"]
        cells, total = (one.sum("label") if label is None else one.sel(label=label) for one in (counts["cells"], total))
        shares[name] = cells.values / max(int(total), 1)
    what = {True: "bound pairs", False: "unbound pairs", None: "all pairs"}[None if label is None else bool(label)]
    long_name = check_feature(feature).long_name
    return densities(next(iter(found.values())), what, shares, {}, f"{long_name[0].upper()}{long_name[1:]}s compared")


def _series(datasets: Any, by: str | None) -> dict[str, xr.Dataset]:
    if isinstance(datasets, xr.Dataset):
        dims = [str(dim) for dim in datasets["label"].dims if dim not in CORE_DIMS]
        if by not in dims:
            raise InputError(f"by is {format_value(by)}; expected a dim in front of gene and tf, {suggest(by, dims)}")
        named = {f"{by} {value}": datasets.sel({by: value}) for value in datasets[by].values[: _MOST_SERIES + 1]}
    elif isinstance(datasets, Mapping) and by is None:
        named = {str(name): ds for name, ds in datasets.items()}
    else:
        raise InputTypeError(
            "datasets is neither a dict of names and datasets nor one dataset with by; expected either"
        )
    if not 1 <= len(named) <= _MOST_SERIES:
        raise InputError(f"there are {len(named)} datasets or more; expected from 1 to {_MOST_SERIES}")
    return named


_MOST_QUANTILES = 60


def histogram_of(ds: xr.Dataset, of: str, summary: xr.Dataset, feature: str, bins: int = summaries.BINS) -> Any:
    """Draw a histogram of a summary; one of perturbation effects is as wide as what it holds."""
    counts = summaries.histogram_of(summary, feature)
    if feature == PERTURBATION:
        counts = _trimmed(counts)
    n = counts.sizes["bin"]
    joined = max(1, round(n / bins))
    joined = next(j for j in range(joined, 0, -1) if n % j == 0)
    cells = counts["cells"].drop_vars(["left", "right", "bin"]).coarsen(bin=joined).sum()
    left, right = counts["left"].values[::joined], counts["right"].values[joined - 1 :: joined]
    merged = counts.drop_vars(["cells", "bin", "left", "right"]).assign(cells=cells)
    merged = merged.assign_coords(bin=("bin", (left + right) / 2), left=("bin", left), right=("bin", right))
    return with_theory(ds, of, merged.assign_attrs(counts.attrs))


def _trimmed(counts: xr.Dataset) -> xr.Dataset:
    """Leave out empty bins at both ends alike, but for a number of bins that many numbers divide."""
    held = np.flatnonzero(counts["cells"].sum("label").values)
    n = counts.sizes["bin"]
    if not held.size or int((counts["below"] + counts["above"]).sum()):
        return counts
    empty = int(min(held[0], n - 1 - held[-1]))
    wanted = n - 2 * empty
    while wanted < n and not (wanted % 60 == 0 or (wanted < 60 and wanted % 2 == 0)):
        wanted += 1
    cut = (n - wanted) // 2
    return counts.isel(bin=slice(cut, n - cut))


def quantiles_of(ds: xr.Dataset, of: str, summary: xr.Dataset) -> Any:
    """Draw quantiles of sizes of perturbation effects of a summary against those of theory."""
    counts = summaries.histogram_of(summary, MAGNITUDE)
    edges = counts["right"].values
    drawn = {}
    for bound in NAMES:
        mixed = expectations.parts(ds, MAGNITUDE, label=bound)
        cells = counts["cells"].sel(label=bound).values
        total = int(cells.sum() + counts["above"].sel(label=bound))
        if not mixed or not total:
            continue
        below = np.cumsum(cells) / total
        some = np.flatnonzero((cells > 0) & (below < 1))
        if some.size > _MOST_QUANTILES:
            some = some[np.unique(np.linspace(0, some.size - 1, _MOST_QUANTILES).round().astype(int))]
        spread = 3 * np.sqrt(below[some] * (1 - below[some]) / total)
        shares = [np.clip(below[some] + sign * spread, 0, 1 - 0.01 / total) for sign in (0, -1, 1)]
        middle, lower, upper = (expectations.quantiles(mixed, share, 2 * edges[-1]) for share in shares)
        drawn[bound] = (middle, edges[some], lower, upper)
    return draw_quantiles(drawn, MAGNITUDE, of)


def statuses_of(ds: xr.Dataset, of: str, summary: xr.Dataset) -> Any:
    """Draw the size of perturbation effects by status of a summary that has it."""
    counts = summaries.histogram_of(summary, MAGNITUDE, bins=120)
    edges = np.append(counts["left"].values, counts["right"].values[-1])
    shares, lines = {}, {}
    for status in STATUSES:
        cells = summary["status_histogram"].sel(status=status).values.reshape(120, -1).sum(axis=1)
        total = int(summary["status_cells"].sel(status=status).sum())
        if not total:
            continue
        name = status.removeprefix("bound, ")
        shares[name] = cells / total
        mixed = expectations.parts(ds, MAGNITUDE, **GROUPS[status])
        if mixed:
            lines[name] = expectations.shares_of_bins(mixed, edges)
    return densities(counts, of, shares, lines, "|Perturbation effects| by relation status")


def with_theory(ds: xr.Dataset, of: str, counts: xr.Dataset) -> Any:
    """Draw a histogram with the counts that theory expects."""
    edges = np.append(counts["left"].values, counts["right"].values[-1])
    expected = {}
    for bound in NAMES:
        mixed = expectations.parts(ds, counts.attrs["feature"], label=bound)
        total = int(sum(counts[name].sel(label=bound).sum() for name in ("cells", "below", "above")))
        if mixed and total:
            expected[bound] = total * expectations.shares_of_bins(mixed, edges)
    return histogram(counts, of, expected)


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


def draw_quantiles(points: Mapping[bool, tuple[np.ndarray, ...]], feature: str, of: str) -> Any:
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
    if (
        quantity != MAGNITUDE
    ):  # bokeh links axes by label: a histogram of binding effects is not to follow their scatter
        return axis(hv, quantity).clone(label=f"{FEATURE_BY_NAME[quantity].long_name} (bin)")
    effect = FEATURE_BY_NAME["perturbation_effect"]
    return hv.Dimension((MAGNITUDE, f"|{effect.long_name}|"), unit=effect.units)


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
    return str((dimension(quantity) if quantity == MAGNITUDE else axis(hv, quantity)).pprint_label)
