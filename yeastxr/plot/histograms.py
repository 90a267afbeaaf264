"""Histograms with expected counts, quantile-quantile plots, and densities of several groups."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, Unpack

import numpy as np
import xarray as xr

from yeastxr import qc
from yeastxr._blocks import broadcast_dims
from yeastxr._validate import check_choice
from yeastxr.errors import InputError, InputTypeError, format_value
from yeastxr.plot.style import (
    COLOURS,
    DARK,
    PAIRS,
    SERIES,
    Labels,
    Options,
    customize,
    describe_quantity,
    draw_line,
    draw_overlay,
    list_groups,
    load_holoviews,
    make_axis_label,
    make_dimension,
    make_title,
    select,
    set_options,
    shorten_name,
    split_by,
)
from yeastxr.qc.bins import find_span, list_limits
from yeastxr.schema import (
    BINDING,
    LABEL,
    MAGNITUDE,
    PERTURBATION,
    STATUSES,
    check_feature,
    get_label,
    get_units,
    restore_dims,
)
from yeastxr.simulation.adjustment import adjusted_pairs
from yeastxr.theory.features import GROUPS, compute_bin_probabilities, find_distribution, find_spec

if TYPE_CHECKING:
    import holoviews as hv

_MOST_SERIES = 8
_MOST_QUANTILES = 60
_STATUS_BINS = 120


def binding_histogram(
    ds: xr.Dataset,
    *,
    tf: Labels = None,
    gene: Labels = None,
    bins: int = qc.BINS,
    limits: tuple[float, float] | None = None,
    **options: Unpack[Options],
) -> "hv.Overlay":
    """Draw histograms of binding effects of unbound and bound pairs, with expected counts.

    Without ``label``, as in measured data, all pairs are one group.

    Parameters
    ----------
    ds
        A yeastxr dataset with dimensions ``(..., gene, tf)``, NumPy or dask; it is read once.
    tf, gene
        A label or a list of labels to draw (default: all).
    bins
        The number of bins, from 1 to 10,000.
    limits
        The limits of the axis: 0 to 5 by default, or all values in logarithmic units such as log2 enrichment. The label
        of the axis states how many effects are outside of the limits or missing.
    **options
        ``title``, ``xlim``, ``ylim``, ``logx``, ``theory`` (False omits theory) and ``size`` (pixels).

    Returns
    -------
    holoviews.Overlay
        Two ``Histogram`` elements, labelled ``unbound`` and ``bound``, or one, labelled ``all pairs``, with exact
        counts. If the dataset has a specification, a ``Curve`` with expected counts for each of them.

    Raises
    ------
    InputError
        If a TF or a gene is not in the dataset, bins or limits are invalid, or the dataset lacks a variable, a
        dimension or an index.

    Examples
    --------
    >>> import yeastxr as yx
    >>> from yeastxr import plot
    >>> ds = yx.simulate(genes=1000, bound=[0.1, 0.15, 0.2, 0.25, 0.3], n_sample=[1, 1, 2, 2, 4], seed=42)
    >>> [layer.label for layer in plot.binding_histogram(ds, tf=[0, 1])]
    ['unbound', 'bound', 'unbound, theory', 'bound, theory']
    """
    ds, subtitle = select(ds, tf, gene)
    return customize(
        draw_histogram(ds, subtitle, qc.histogram(ds, BINDING, bins=bins, limits=limits).compute()), **options
    )


def perturbation_histogram(
    ds: xr.Dataset,
    *,
    tf: Labels = None,
    gene: Labels = None,
    bins: int = qc.BINS,
    limits: tuple[float, float] | None = None,
    **options: Unpack[Options],
) -> "hv.Overlay":
    """Draw histograms of perturbation effects of unbound and bound pairs, with expected counts.

    Parameters
    ----------
    ds
        A yeastxr dataset with dimensions ``(..., gene, tf)``, NumPy or dask; it is read twice, or once with ``limits``.
    tf, gene
        A label or a list of labels to draw (default: all).
    bins
        The number of bins, from 1 to 10,000.
    limits
        The limits of the axis. By default they include all effects, and are symmetric about 0.
    **options
        ``title``, ``xlim``, ``ylim``, ``logx``, ``theory`` (False omits theory) and ``size`` (pixels).

    Returns
    -------
    holoviews.Overlay
        As for :func:`binding_histogram`.

    Raises
    ------
    InputError
        As for :func:`binding_histogram`.

    Examples
    --------
    >>> import yeastxr as yx
    >>> from yeastxr import plot
    >>> ds = yx.simulate(genes=1000, bound=[0.1, 0.3], seed=42)
    >>> unbound, bound, *theory = plot.perturbation_histogram(ds)
    >>> int(sum(histogram.dimension_values("pairs").sum() for histogram in (unbound, bound)))
    2000
    """
    ds, subtitle = select(ds, tf, gene)
    return customize(
        draw_histogram(ds, subtitle, qc.histogram(ds, PERTURBATION, bins=bins, limits=limits).compute()), **options
    )


def pvalue_histogram(
    ds: xr.Dataset,
    kind: Literal["binding", "perturbation"] = "binding",
    *,
    tf: Labels = None,
    gene: Labels = None,
    bins: int = 50,
    **options: Unpack[Options],
) -> "hv.Overlay":
    """Draw histograms of p-values of unbound and bound pairs, with expected counts.

    Parameters
    ----------
    ds
        A yeastxr dataset with dimensions ``(..., gene, tf)``, NumPy or dask; it is read once.
    kind
        ``"binding"`` or ``"perturbation"``.
    tf, gene
        A label or a list of labels to draw (default: all).
    bins
        The number of bins, from 1 to 10,000.
    **options
        ``title``, ``xlim``, ``ylim``, ``logx``, ``theory`` (False omits theory) and ``size`` (pixels).

    Returns
    -------
    holoviews.Overlay
        As for :func:`binding_histogram`.

    Raises
    ------
    InputError
        As for :func:`binding_histogram`, and if the kind is invalid.

    Examples
    --------
    >>> import yeastxr as yx
    >>> from yeastxr import plot
    >>> ds = yx.simulate(genes=1000, bound=[0.1, 0.3], seed=42)
    >>> plot.pvalue_histogram(ds, "perturbation").get(0).kdims
    [Dimension('pvalue', label='p-value')]
    """
    check_choice("kind", kind, ("binding", "perturbation"))
    ds, subtitle = select(ds, tf, gene)
    return customize(draw_histogram(ds, subtitle, qc.histogram(ds, f"{kind}_pvalue", bins=bins).compute()), **options)


def take_histogram(summary: xr.Dataset, feature: str, bins: int = qc.BINS) -> xr.Dataset:
    """Return the counts of one feature from a summary; those of perturbation effects without empty ends."""
    counts = qc.histogram_of(summary, feature)
    if feature == PERTURBATION:
        counts = _trim(counts)
    n = counts.sizes["bin"]
    joined = next(j for j in range(max(1, round(n / bins)), 0, -1) if n % j == 0)
    cells = counts["cells"].drop_vars(["left", "right", "bin"]).coarsen(bin=joined).sum()
    left, right = counts["left"].values[::joined], counts["right"].values[joined - 1 :: joined]
    values = {"bin": (left + right) / 2, "left": left, "right": right}
    edges = {name: ("bin", array, counts["bin"].attrs) for name, array in values.items()}
    merged = counts.drop_vars(["cells", "bin", "left", "right"]).assign(cells=cells).assign_coords(edges)
    return merged.assign_attrs(counts.attrs)


def _trim(counts: xr.Dataset) -> xr.Dataset:
    """Drop the same number of empty bins at both ends, keeping a number of bins with many divisors."""
    filled = np.flatnonzero(counts["cells"].sum([dim for dim in counts["cells"].dims if dim != "bin"]).values)
    n = counts.sizes["bin"]
    if not filled.size or int((counts["below"] + counts["above"]).sum()):
        return counts
    kept = n - 2 * int(min(filled[0], n - 1 - filled[-1]))
    while kept < n and not (kept % 60 == 0 or (kept < 60 and kept % 2 == 0)):
        kept += 1
    cut = (n - kept) // 2
    return counts.isel(bin=slice(cut, n - cut))


def draw_histogram(ds: xr.Dataset, subtitle: str, counts: xr.Dataset) -> Any:
    """Draw counts by label as two histograms, with lines of expected counts."""
    hv = load_holoviews()
    feature, units = counts.attrs["feature"], _get_units(counts)
    edges = _get_edges(counts)
    dims = [_make_bin_dimension(feature, units), hv.Dimension(("pairs", f"{describe_quantity(feature)[0]}, pairs"))]
    layers = [
        set_options(
            hv.Histogram((edges, counts["cells"].sel(selection).values), kdims=dims[:1], vdims=dims[1:], label=group),
            alpha=0.6,
            bokeh={"color": COLOURS[group], "line_color": "white", "line_width": 0.5, "tools": ["hover"]},
            matplotlib={"facecolor": COLOURS[group], "edgecolor": "white", "linewidth": 0.3},
        )
        for group, selection in list_groups(counts).items()
    ]
    expected = _expect_counts(ds, counts, edges)
    layers += [
        _draw_steps(counts["bin"].values, values, dims, f"{group}, theory", DARK[group])
        for group, values in expected.items()
    ]
    most = max(1, int(counts["cells"].max()), *(int(np.ceil(values.max())) for values in expected.values()))
    notes = "; ".join(filter(None, ["lines: theory" if expected else "", _describe_hidden(counts, edges)]))
    return draw_overlay(
        layers,
        make_title(feature),
        subtitle,
        make_axis_label(feature, units) + (f"\n{notes}" if notes else ""),
        PAIRS,
        {"xlim": (edges[0], edges[-1]), "ylim": (0, 1.05 * most)},
        linked=feature.endswith("pvalue"),  # both have one dimension
    )


def _expect_counts(ds: xr.Dataset, counts: xr.Dataset, edges: np.ndarray) -> dict[str, np.ndarray]:
    """Return expected counts in each bin, for groups with pairs."""
    expected = {}
    for group, selection in list_groups(counts).items():
        distribution = find_distribution(ds, counts.attrs["feature"], **selection)
        total = int(sum(counts[name].sel(selection).sum() for name in ("cells", "below", "above")))
        if distribution and total:
            expected[group] = total * compute_bin_probabilities(distribution, edges)
    return expected


def _describe_hidden(counts: xr.Dataset, edges: np.ndarray) -> str:
    """Describe the share of pairs that the histogram does not show."""
    hidden = {
        f"below {edges[0]:g}": int(counts["below"].sum()),
        f"above {edges[-1]:g}": int(counts["above"].sum()),
        "missing": int(counts["missing"].sum()),
    }
    total = int(counts["cells"].sum()) + sum(hidden.values())
    shares = {reason: number / total for reason, number in hidden.items() if number}
    percent = {reason: "< 0.1" if share < 0.001 else f"{100 * share:.1f}" for reason, share in shares.items()}
    return ", ".join(f"{number} % {reason}" for reason, number in percent.items())


def quantile_quantile(
    ds: xr.Dataset, *, tf: Labels = None, gene: Labels = None, **options: Unpack[Options]
) -> "hv.Overlay":
    """Draw quantiles of |perturbation effect| against theoretical quantiles, by label.

    Quantiles are exact shares of pairs below the edges of a fine histogram.

    Parameters
    ----------
    ds
        A yeastxr dataset with a specification, dims ``(..., gene, tf)``, NumPy or dask; it is read once.
    tf, gene
        A label or a list of labels to draw (default: all).
    **options
        ``title``, ``xlim``, ``ylim``, ``logx``, ``theory`` (False omits theory) and ``size`` (pixels).

    Returns
    -------
    holoviews.Overlay
        A ``Curve`` for the line of agreement and, for each label with pairs, an ``Area`` of 3 standard deviations on
        both sides, and a ``Scatter`` of quantiles.

    Raises
    ------
    InputError
        If there is no specification, a TF or a gene is not in the dataset, or it lacks a variable, a dimension or an
        index.

    Examples
    --------
    >>> import yeastxr as yx
    >>> from yeastxr import plot
    >>> ds = yx.simulate(genes=1000, bound=[0.1, 0.3], seed=42)
    >>> [layer.label for layer in plot.quantile_quantile(ds)]
    ['agreement', 'unbound, chance', 'unbound', 'bound, chance', 'bound']
    """
    ds, subtitle = select(ds, tf, gene)
    if find_spec(ds) is None:
        raise InputError("the dataset has no specification for theory; expected the dataset of one simulation")
    return customize(draw_quantiles(ds, subtitle, qc.summarize(ds).compute()), **options)


def _compute_quantiles(ds: xr.Dataset, summary: xr.Dataset) -> dict[str, tuple[np.ndarray, ...]]:
    """Return theoretical and observed quantiles for each label, and the limits of chance for observed ones."""
    counts = qc.histogram_of(summary, MAGNITUDE)
    edges = counts["right"].values
    quantiles: dict[str, tuple[np.ndarray, ...]] = {}
    for group, selection in list_groups(counts).items():
        distribution = find_distribution(ds, MAGNITUDE, **selection)
        cells = counts["cells"].sel(selection).values
        total = int(cells.sum() + counts["above"].sel(selection))
        if distribution is None or not total:
            continue
        below = np.cumsum(cells) / total
        drawn = np.flatnonzero((cells > 0) & (below < 1))
        if drawn.size > _MOST_QUANTILES:
            drawn = drawn[np.unique(np.linspace(0, drawn.size - 1, _MOST_QUANTILES).round().astype(int))]
        spread = 3 * np.sqrt(below[drawn] * (1 - below[drawn]) / total)
        shares = [np.clip(below[drawn] + sign * spread, 0, 1 - 0.01 / total) for sign in (0, -1, 1)]
        middle, lower, upper = (np.asarray(distribution.quantile(share)) for share in shares)
        quantiles[group] = (middle, edges[drawn], lower, upper)
    return quantiles


def draw_quantiles(ds: xr.Dataset, subtitle: str, summary: xr.Dataset) -> Any:
    """Draw observed against theoretical quantiles, by label, with the line of agreement."""
    hv = load_holoviews()
    quantiles = _compute_quantiles(ds, summary)
    units = get_units(ds, MAGNITUDE)
    name, unit = describe_quantity(MAGNITUDE, units)
    observed = make_dimension(MAGNITUDE, units)
    by_theory = hv.Dimension((f"{MAGNITUDE}_theory", f"{name}, theory"), unit=unit)
    most = max([float(max(x.max(), y.max())) for x, y, *_ in quantiles.values() if x.size] or [1.0])
    diagonal = [(0.0, 0.0), (most, most)]
    layers = [draw_line(diagonal, (by_theory, observed), "agreement", "#333333", widths=(1, 0.8))]
    for group, (x, y, lower, upper) in quantiles.items():
        band = hv.Area((x, lower, upper), kdims=[by_theory], vdims=[observed, "upper"], label=f"{group}, chance")
        points = hv.Scatter((x, y), kdims=[by_theory], vdims=[observed], label=group)
        layers += [
            set_options(
                band,
                color=COLOURS[group],
                alpha=0.2,
                show_legend=False,
                bokeh={"line_alpha": 0},
                matplotlib={"facecolor": COLOURS[group], "linewidth": 0},  # its default would override the colour
            ),
            set_options(
                points,
                color=COLOURS[group],
                alpha=0.8,
                bokeh={"size": 5, "line_color": None, "tools": ["hover"]},
                matplotlib={"s": 14, "linewidth": 0},
            ),
        ]
    return draw_overlay(
        layers,
        f"Quantiles: {name}",
        subtitle,
        f"{make_axis_label(MAGNITUDE, units, ', theory')}\nshaded: 3 s.d. of chance",
        f"{make_axis_label(MAGNITUDE, units)}, observed",
        {"xlim": (0, 1.04 * most), "ylim": (0, 1.04 * most)},
        linked=True,
    )


def relation_status(
    ds: xr.Dataset, *, tf: Labels = None, gene: Labels = None, **options: Unpack[Options]
) -> "hv.Overlay":
    """Draw |perturbation effect| by the status of pairs: unbound, bound_active, bound_inactive (methods 3 and 4).

    Parameters
    ----------
    ds
        A yeastxr dataset whose specification has relationships, with dimensions ``(..., gene, tf)``, NumPy or dask; it
        is read once.
    tf, gene
        A label or a list of labels to draw (default: all). Labels of TFs that conditions name are also read.
    **options
        ``title``, ``xlim``, ``ylim``, ``logx``, ``theory`` (False omits theory) and ``size`` (pixels).

    Returns
    -------
    holoviews.Overlay
        For each status, a ``Curve`` with its density, and another one with the density of theory.

    Raises
    ------
    InputError
        If there are no relationships, they name TFs that are not in the dataset, a TF or a gene is not in it, or it
        lacks a variable, a dimension or an index.

    Examples
    --------
    >>> import yeastxr as yx
    >>> from yeastxr import plot
    >>> ds = yx.simulate(genes=1000, bound=[0.1, 0.3], tf_relationships={0: [1]}, seed=42)
    >>> [layer.label for layer in plot.relation_status(ds)][:3]
    ['unbound', 'bound_active', 'bound_inactive']
    """
    ds = broadcast_dims(restore_dims(ds))
    spec = find_spec(ds)
    if spec is None or not spec.tf_relationships:
        raise InputError("the dataset has no relationships; expected the dataset of a simulation with method 3 or 4")
    adjusted = adjusted_pairs(get_label(ds, "plot.relation_status"), spec.tf_relationships)
    ds, subtitle = select(ds.assign(adjusted=adjusted), tf, gene)
    summary = qc.summarize(ds.drop_vars("adjusted"), adjusted=ds["adjusted"]).compute()
    return customize(draw_statuses(ds, subtitle, summary), **options)


def draw_statuses(ds: xr.Dataset, subtitle: str, summary: xr.Dataset) -> Any:
    """Draw |perturbation effect| by status from a summary."""
    counts = qc.histogram_of(summary, MAGNITUDE, bins=_STATUS_BINS)
    edges = _get_edges(counts)
    shares, expected = {}, {}
    for status in STATUSES:
        cells = summary["status_histogram"].sel(status=status).values.reshape(_STATUS_BINS, -1).sum(axis=1)
        total = int(summary["status_cells"].sel(status=status).sum())
        if not total:
            continue
        shares[status] = cells / total
        if distribution := find_distribution(ds, MAGNITUDE, **GROUPS[status]):
            expected[status] = compute_bin_probabilities(distribution, edges)
    return _draw_densities(counts, f"{make_title(MAGNITUDE)} by relation status", subtitle, shares, expected)


def compare(
    datasets: Mapping[str, xr.Dataset] | xr.Dataset,
    feature: str = PERTURBATION,
    *,
    by: str | Sequence[str] | None = None,
    label: bool | None = True,
    bins: int = qc.BINS,
    limits: tuple[float, float] | None = None,
    **options: Unpack[Options],
) -> "hv.Overlay":
    """Draw distributions of a feature in several datasets, or along leading dimensions of one dataset.

    Parameters
    ----------
    datasets
        A dict from names to at most 8 datasets; or one dataset, with ``by``.
    feature
        Any feature except ``label``.
    by
        A leading dimension of the dataset, such as a swept parameter, or a list of leading dimensions, with at most 8
        combinations of labels.
    label
        Whether to draw bound pairs (True), unbound pairs (False), or all pairs (None, required for data without
        ``label``).
    bins
        The number of bins, from 1 to 10,000.
    limits
        The limits of the axis (default: all values).
    **options
        ``title``, ``xlim``, ``ylim``, ``logx``, ``theory`` (False omits theory) and ``size`` (pixels).

    Returns
    -------
    holoviews.Overlay
        For each dataset, a ``Curve`` of its density, labelled with its name.

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
    series = {name: restore_dims(ds) for name, ds in _name_series(datasets, by).items()}
    if label is not None:
        for ds in series.values():
            get_label(ds, f"plot.compare with label={bool(label)}", "pass label=None for all pairs")
    if limits is None and any(feature not in list_limits(ds) for ds in series.values()):
        most = max(qc.largest_effects(ds, feature)[feature] for ds in series.values())
        spans = [find_span(ds[feature], feature, most) for ds in series.values()]
        limits = min(spans)
    histograms = {name: qc.histogram(ds, feature, bins=bins, limits=limits).compute() for name, ds in series.items()}
    shares = {}
    for name, counts in histograms.items():
        counts = counts.sum([LABEL] if LABEL in counts.dims else []) if label is None else counts.sel(label=label)
        total = int(counts["cells"].sum() + counts["below"] + counts["above"])
        shares[name] = counts["cells"].values / max(total, 1)
    pairs = {True: "bound pairs", False: "unbound pairs", None: "all pairs"}[None if label is None else bool(label)]
    counts = next(iter(histograms.values()))
    units = " or ".join(dict.fromkeys(filter(None, map(_get_units, histograms.values()))))
    counts = counts.assign_coords(bin=counts["bin"].assign_attrs(units=units))
    return customize(_draw_densities(counts, f"{make_title(feature)} compared", pairs, shares, {}), **options)


def _name_series(datasets: Any, by: str | Sequence[str] | None) -> dict[str, xr.Dataset]:
    """Return the datasets to compare by name, or raise."""
    if isinstance(datasets, xr.Dataset):
        return split_by(datasets, () if by is None else by, _MOST_SERIES)
    if isinstance(datasets, Mapping) and by is None:
        series = {shorten_name(name): ds for name, ds in datasets.items()}
    else:
        raise InputTypeError("datasets is invalid; expected a dict from names to datasets, or one dataset with by")
    if not 1 <= len(series) <= _MOST_SERIES:
        raise InputError(f"there are at least {len(series)} datasets; expected from 1 to {_MOST_SERIES}")
    return series


def _draw_densities(
    bins: xr.Dataset, title: str, subtitle: str, shares: Mapping[str, np.ndarray], expected: Mapping[str, np.ndarray]
) -> Any:
    """Draw densities of groups with different numbers of pairs, with theory."""
    feature, units = bins.attrs["feature"], _get_units(bins)
    x, edges = bins["bin"].values, _get_edges(bins)
    dims = (_make_bin_dimension(feature, units), "density")
    width = np.diff(edges)
    layers = []
    for i, (name, share) in enumerate(shares.items()):
        colour = COLOURS[name] if name in STATUSES else SERIES[i]
        look: dict[str, Any] = {"widths": (2, 1.8), "interpolation": "steps-mid", "hover": True}
        layers.append(draw_line((x, share / width), dims, name, colour, **look))
    for name, share in expected.items():
        layers.append(_draw_steps(x, share / width, dims, f"{name}, theory", DARK[name], dashed=True))
    filled = np.flatnonzero(np.sum(list(shares.values()), axis=0))
    xlim = (edges[filled[0]], edges[filled[-1] + 1]) if filled.size else (edges[0], edges[-1])
    xlabel = make_axis_label(feature, units) + ("\ndashed: theory" if expected else "")
    ylabel = f"density (1 / {describe_quantity(feature, units)[1] or 'unit'})"
    return draw_overlay(layers, title, subtitle, xlabel, ylabel, {"xlim": xlim, "ylim": (0, None)})


def _draw_steps(x: np.ndarray, y: np.ndarray, dims: Any, label: str, colour: str, *, dashed: bool = False) -> Any:
    """Draw expected values of bins as a line of steps, without a legend."""
    return draw_line((x, y), dims, label, colour, dashed=dashed, interpolation="steps-mid", show_legend=False)


def _make_bin_dimension(quantity: str, units: str) -> Any:
    """Return the dimension of bins of a quantity; p-values share one."""
    if quantity.endswith("pvalue"):
        return load_holoviews().Dimension(("pvalue", "p-value"))
    dim = make_dimension(quantity, units)
    # Bokeh links axes by label: a histogram of binding effects must not follow their scatter.
    return dim if quantity == MAGNITUDE else dim.clone(label=f"{dim.label} (bin)")


def _get_units(counts: xr.Dataset) -> str:
    return str(counts["bin"].attrs.get("units", ""))


def _get_edges(bins: xr.Dataset) -> np.ndarray:
    return np.append(bins["left"].values, bins["right"].values[-1])
