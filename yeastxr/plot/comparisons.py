"""Plots of correlations, scores of predictions and counts of hops, compared with chance or the best possible value."""

from typing import TYPE_CHECKING, Any, Unpack

import numpy as np
import xarray as xr

from yeastxr import analysis
from yeastxr._validate import check_choice, check_integer, check_number
from yeastxr.errors import InputError, InputTypeError, SchemaError, format_value
from yeastxr.plot.maps import draw_tfs
from yeastxr.plot.scatter import MAX_POINTS, space_pairs
from yeastxr.plot.style import (
    COLOURS,
    DARK,
    DIM_TITLES,
    GREY,
    TFS,
    Labels,
    Options,
    customize,
    describe_quantity,
    draw_line,
    draw_overlay,
    flatten,
    load_holoviews,
    select,
    select_with,
    set_options,
    shorten_name,
)
from yeastxr.schema import BINDING, CORE_DIMS, GENE, MAGNITUDE, TF, restore_dims

if TYPE_CHECKING:
    import holoviews as hv

_SCORES = {
    "r2": ("r2", "maximum by theory"),
    "explained_variance": ("explained variance", "maximum by theory"),
    "smse": ("standardized mean squared error", "minimum by theory"),
}
_HOPS = ("experiment_hops", "background_hops")
_LEAST_HOPS = 0.5  # position of 0 on a logarithmic axis


def correlation(
    ds: xr.Dataset,
    *,
    tf: Labels = None,
    gene: Labels = None,
    method: str = "spearman",
    transform: str = "none",
    x: str | xr.DataArray = BINDING,
    y: str | xr.DataArray = MAGNITUDE,
    level: float = 0.95,
    **options: Unpack[Options],
) -> "hv.Overlay":
    """Draw a histogram of correlations by TF, compared with chance.

    If n genes are paired at random, a correlation has mean 0 and variance ``1 / (n - 1)`` for any values and ties
    (Pitman 1937, https://doi.org/10.2307/2983647), and is nearly normal: the share ``level`` of TFs is then within ``z
    / sqrt(n - 1)`` of 0, where z is the normal quantile of ``(1 + level) / 2``. If TFs have different numbers of genes,
    chance is a mixture.

    Parameters
    ----------
    ds
        A dataset with dimensions ``(..., gene, tf)``, NumPy or dask; it is read once. No ``label`` is needed.
    tf, gene
        A label or a list of labels to draw (default: all).
    method, transform, x, y
        As for :func:`yeastxr.analysis.correlate`.
    level
        The share of TFs that the interval contains by chance, above 0 and below 1.
    **options
        ``title``, ``xlim``, ``ylim``, ``logx``, ``theory`` (False omits theory) and ``size`` (pixels).

    Returns
    -------
    holoviews.Overlay
        A ``Histogram`` of TFs over all leading dimensions, a dashed ``Curve``, labelled ``chance``, with the number of
        TFs in each bin by chance, and an ``Area`` for the interval. TFs without a correlation, because one side is
        constant, are omitted.

    Raises
    ------
    InputError
        As for :func:`yeastxr.analysis.correlate`, and if the level is out of range, or a TF or a gene is not in the
        dataset.

    Examples
    --------
    >>> import yeastxr as yx
    >>> from yeastxr import plot
    >>> ds = yx.simulate(genes=1000, bound=[0.1, 0.3], n_sample=[20, 20], seed=42)
    >>> tfs, band, chance = plot.correlation(ds)
    >>> int(tfs.dimension_values("tfs").sum()), round(float(band.range("correlation")[1]), 3)
    (40, 0.062)
    """
    from scipy.special import ndtr

    level = check_number("level", level, least=0, most=1)
    if level in (0, 1):
        raise InputError(f"level is {level:g}; expected a number above 0 and below 1")
    ds, subtitle, sides = select_with(ds, tf, gene, x=x, y=y)
    result = analysis.correlate(ds, method=method, transform=transform, **sides).compute()
    known = result["correlation"].notnull().values.ravel()
    values, genes = (result[name].values.ravel()[known] for name in ("correlation", "genes"))
    hv = load_holoviews()
    dims = [hv.Dimension("correlation", label=f"{method.capitalize()} correlation"), hv.Dimension("tfs", label=TFS)]
    roots = np.sqrt(np.maximum(genes - 1.0, 1))
    end = _find_end(roots, level)
    first, last = (min(-1.8 * end, *values), max(1.8 * end, *values)) if values.size else (-1.0, 1.0)
    edges = np.linspace(first, last, 1 + int(np.clip(2 * np.sqrt(values.size), 24, 60)))
    width = edges[1] - edges[0]
    counts, _ = np.histogram(values, edges)

    def expect_counts(points: np.ndarray) -> np.ndarray:
        sides = (ndtr((points[:, None] + shift) * roots) for shift in (width / 2, -width / 2))
        upper, lower = (side.sum(axis=1) for side in sides)
        return upper - lower

    line, inside = np.linspace(first, last, 401), np.linspace(-end, end, 101)
    bars = hv.Histogram((edges, counts), kdims=dims[:1], vdims=dims[1:], label="TFs")
    band = hv.Area(
        (inside, expect_counts(inside)), kdims=dims[:1], vdims=dims[1:], label=f"{100 * level:g} % by chance"
    )
    layers = [
        set_options(
            bars,
            alpha=0.7,
            bokeh={"color": COLOURS["bound"], "line_color": "white", "line_width": 0.5, "tools": ["hover"]},
            matplotlib={"facecolor": COLOURS["bound"], "edgecolor": "white", "linewidth": 0.3},
        ),
        set_options(
            band,
            color=GREY,
            alpha=0.3,
            bokeh={"line_alpha": 0},
            matplotlib={"facecolor": GREY, "linewidth": 0},
        ),
        draw_line((line, expect_counts(line)), dims, "chance", GREY, dashed=True),
    ]
    names = [describe_quantity(v)[0] if isinstance(v, str) else shorten_name(v.name or "values") for v in (x, y)]
    title = f"{names[0][0].upper()}{names[0][1:]} and {names[1]}"
    lead = [str(dim) for dim in result["correlation"].dims if dim != TF]
    notes = [f"by {', '.join([*lead, 'TF'])}"] if lead else []
    if values.size:
        notes.append(f"median {np.median(values):.2f}; {100 * level:g} % by chance within ±{end:.2g}")
    if not known.all():
        notes.append(f"{(~known).sum():,} omitted")
    ranks = " of log10 ranks" if transform == "log_rank" else ""
    xlabel = "\n".join([f"{dims[0].label}{ranks}", "; ".join(notes)])
    picture = draw_overlay(layers, title, subtitle, xlabel, TFS, {"ylim": (0, None)})
    return customize(picture, **options)


def _find_end(roots: np.ndarray, level: float) -> float:
    """Return the upper end of the interval that contains a share of TFs by chance, given the roots sqrt(n - 1).

    It uses bisection between the ends for TFs with the most and the fewest genes.
    """
    from scipy.special import ndtr, ndtri

    if not roots.size:
        return 0.0
    z = ndtri((1 + level) / 2)
    lower, upper = z / roots.max(), z / roots.min()
    for _ in range(60):
        middle = (lower + upper) / 2
        if (2 * ndtr(middle * roots) - 1).mean() < level:
            lower = middle
        else:
            upper = middle
    return float(min(upper, 1))


def scores(
    ds: xr.Dataset,
    prediction: xr.DataArray,
    *,
    tf: Labels = None,
    gene: Labels = None,
    score: str = "r2",
    target: str = MAGNITUDE,
    **options: Unpack[Options],
) -> "hv.Overlay":
    """Draw scores of a prediction for each TF, compared with the best possible score and with predicting the mean.

    Parameters
    ----------
    ds
        A dataset with the target; no ``label`` is needed. It is read once.
    prediction
        The prediction, with dimensions ``(..., gene, tf)`` and the genes and TFs of the dataset; NumPy or dask.
    tf, gene
        A label or a list of labels to draw (default: all).
    score
        ``"r2"``, ``"explained_variance"`` or ``"smse"``; see :func:`yeastxr.analysis.scores`.
    target
        A feature, or ``"perturbation_magnitude"``.
    **options
        ``title``, ``xlim``, ``ylim``, ``logx``, ``theory`` (False omits theory) and ``size`` (pixels).

    Returns
    -------
    holoviews.Overlay
        A dashed ``Curve``, labelled ``the mean``: the score of predicting the mean, which is 0, and 1 for ``smse``.
        With a specification, a ``Curve`` of the best expected score of each TF, labelled ``maximum by theory``, or
        for ``smse`` ``minimum by theory``. A ``Scatter`` of the scores, averaged over leading dimensions. At most
        2,000 TFs are drawn, including those with the largest deviations.

    Raises
    ------
    InputError
        As for :func:`yeastxr.analysis.scores`, and if the score is invalid, or a TF or a gene is not in the dataset.

    Examples
    --------
    >>> import yeastxr as yx
    >>> from yeastxr import plot
    >>> ds = yx.simulate(genes=1000, bound=[0.1, 0.3], seed=42)
    >>> [layer.label for layer in plot.scores(ds, 2.2 * ds.label + 0.8)]
    ['the mean', 'maximum by theory', 'prediction']
    """
    check_choice("score", score, tuple(_SCORES))
    if not isinstance(prediction, xr.DataArray):
        raise InputTypeError(f"prediction is {format_value(prediction)}; expected a DataArray of the dataset's pairs")
    ds, subtitle, given = select_with(ds, tf, gene, prediction=prediction)
    result = analysis.scores(given["prediction"], ds, target=target).compute()
    observed = result[score].mean([dim for dim in result[score].dims if dim != TF]).values
    name, best = _SCORES[score]
    is_error = score == "smse"
    notes = [f"all pairs: {result[f'pooled_{score}'].item():.2f}"]
    expected = None
    if "ceiling" in result:
        expected = 1 - result["ceiling"].values if is_error else result["ceiling"].values
        pooled = result["pooled_ceiling"].item()
        notes.append(f"{best} {1 - pooled if is_error else pooled:.2f}")
    level = ("the mean", float(is_error))
    values = np.concatenate([observed, [level[1]], [] if expected is None else expected])
    values = values[np.isfinite(values)]
    least, most = float(values.min()), float(values.max())
    room = 0.08 * max(most - least, 0.1)
    picture = draw_tfs(
        ds[TF].values,
        observed,
        expected,
        load_holoviews().Dimension("score", label=name),
        f"Prediction of {describe_quantity(target)[0]}s".replace("|s", "|"),
        subtitle,
        names=(best, "prediction"),
        level=level,
        note="; ".join(notes),
        limits={"ylim": (least - room, most + room)},
    )
    return customize(picture, **options)


def enrichment(
    ds: xr.Dataset,
    *,
    tf: Labels = None,
    gene: Labels = None,
    experiment_hops: str | xr.DataArray = _HOPS[0],
    background_hops: str | xr.DataArray = _HOPS[1],
    total_experiment_hops: float | xr.DataArray | None = None,
    total_background_hops: float | xr.DataArray | None = None,
    pseudocount: float = 0.5,
    largest_pvalue: float = 0.001,
    max_points: int = MAX_POINTS,
    **options: Unpack[Options],
) -> "hv.Overlay":
    """Draw observed hops against those expected from the background, with lines for chance.

    Counts show more than enrichment: 2 observed and 0.1 expected hops are as enriched as 200 and 10, but far less
    certain. The enrichment of a gene is its distance above the line of chance, and its p-value is small above the
    limit, which approaches this line for large numbers of hops. If the background does not fit, the points are shifted
    away from the line.

    By chance, hops are Poisson with mean ``(b + c) X / B``, see :func:`yeastxr.analysis.enrichment`. The limit is the
    smallest number of hops with ``P(N >= x) <= largest_pvalue``.

    Parameters
    ----------
    ds
        A dataset with variables of counts and dimensions ``(..., gene, tf)``, NumPy or dask; it is read once. It needs
        neither features nor ``label``.
    tf, gene
        A label or a list of labels to draw (default: all). Totals include all genes.
    experiment_hops, background_hops
        The names of the variables, or arrays; see :func:`yeastxr.analysis.enrichment`.
    total_experiment_hops, total_background_hops
        Total hops (default: sums over genes).
    pseudocount
        A number above 0 added to the background hops of each promoter. The default is one half, unlike in the analysis,
        because a logarithmic axis can't show 0, and a single hop without background is weak evidence.
    largest_pvalue
        The Poisson p-value of the limit, above 0 and below 1.
    max_points
        The maximum number of pairs to draw. Larger datasets are reduced to evenly spaced genes and TFs, as stated in
        the title.
    **options
        ``title``, ``xlim``, ``ylim``, ``logx``, ``theory`` (False omits theory) and ``size`` (pixels).

    Returns
    -------
    holoviews.Overlay
        ``Points`` with p-values above and up to ``largest_pvalue``; then two ``Curve`` elements: chance, and its limit.
        Both axes are logarithmic; counts of 0 are drawn at 0.5.

    Raises
    ------
    InputError
        As for :func:`yeastxr.analysis.enrichment`, and if the dataset lacks the counts, a TF or a gene is not in it, or
        an argument is invalid.

    Examples
    --------
    >>> import numpy as np
    >>> import xarray as xr
    >>> from yeastxr import plot
    >>> rng = np.random.default_rng(1)
    >>> hops = {"background_hops": rng.poisson(20, (500, 1)), "experiment_hops": rng.poisson(4, (500, 1))}
    >>> hops["experiment_hops"][:5] += 30
    >>> ds = xr.Dataset(
    ...     {name: (("gene", "tf"), counts) for name, counts in hops.items()},
    ...     coords={"gene": np.arange(500), "tf": ["GAL4"]},
    ... )
    >>> [(layer.label, len(layer)) for layer in plot.enrichment(ds)][:2]
    [('p > 0.001', 495), ('p ≤ 0.001', 5)]
    """
    pvalue = check_number("largest_pvalue", largest_pvalue, least=0, most=1)
    if pvalue in (0, 1):
        raise InputError(f"largest_pvalue is {pvalue:g}; expected a number above 0 and below 1")
    c = check_number("pseudocount", pseudocount, least=0)
    if c == 0:
        raise InputError("pseudocount is 0; expected a number above 0, because the axis is logarithmic")
    limit = check_integer("max_points", max_points, least=1)
    lower = dict(options).get("ylim")
    if isinstance(lower, tuple | list) and lower and isinstance(lower[0], int | float) and lower[0] <= 0:
        raise InputError(f"ylim begins at {lower[0]:g}; expected a number above 0, because the axis is logarithmic")
    ds = restore_dims(ds)
    counts = {
        name: _take_counts(ds, given, name)
        for name, given in zip(_HOPS, (experiment_hops, background_hops), strict=True)
    }
    for name, given in zip(_HOPS, (total_experiment_hops, total_background_hops), strict=True):
        total = f"total_{name}"
        if given is None:
            counts[total] = counts[name].sum(GENE)  # of all genes, before selection
        elif isinstance(given, xr.DataArray):
            counts[total] = given
        else:
            counts[total] = xr.DataArray(check_number(total, given, least=1))
    pairs, subtitle = select(xr.Dataset(counts), tf, gene)
    n_pairs = pairs[_HOPS[0]].size
    if n_pairs > limit:
        pairs = space_pairs(pairs, _HOPS[0], limit)
        subtitle = ", ".join(filter(None, [subtitle, f"{pairs[_HOPS[0]].size:,} of {n_pairs:,} pairs"]))
    pairs = pairs.compute()
    result = analysis.enrichment(**{str(name): array for name, array in pairs.items()}, pseudocount=c)
    rate = pairs[f"total_{_HOPS[0]}"] / pairs[f"total_{_HOPS[1]}"]
    result = result.assign(expected=(pairs[_HOPS[1]] + c) * rate, observed=pairs[_HOPS[0]].clip(min=_LEAST_HOPS))
    return customize(_draw_hops(result, pvalue, subtitle, logx=options.get("logx", True)), **options)


def _take_counts(ds: xr.Dataset, counts: object, argument: str) -> xr.DataArray:
    """Return counts from a variable of a dataset, or from an array with its labels."""
    if isinstance(counts, xr.DataArray):
        for dim in counts.indexes.keys() & ds.indexes.keys():
            if not counts.indexes[dim].equals(ds.indexes[dim]):
                raise SchemaError(f"{argument} and the dataset have different labels along {dim!r}; expected the same")
        return counts
    if not isinstance(counts, str):
        raise InputTypeError(f"{argument} is {format_value(counts)}; expected the name of a variable, or a DataArray")
    if counts not in ds.data_vars:
        names = ", ".join(map(str, ds.data_vars)) or "none"
        raise SchemaError(f"the dataset has no counts {counts!r}; pass {argument}= with one of its variables ({names})")
    array = ds[counts]
    for dim in CORE_DIMS:
        if dim not in array.dims and ds.sizes.get(dim) == 1 and dim in ds.indexes:  # it was selected as a scalar
            array = array.expand_dims({dim: ds.indexes[dim]})
    return array


def _draw_hops(result: xr.Dataset, limit: float, subtitle: str, *, logx: bool) -> Any:
    """Draw observed against expected hops by p-value, with lines for chance and its limit."""
    hv = load_holoviews()
    pvalue = result["poisson_pvalue"]
    labels = [GENE, TF, *(str(dim) for dim in pvalue.dims if dim not in CORE_DIMS)]
    arrays = [result["expected"], result["observed"], pvalue, *(pvalue[dim] for dim in labels)]
    expected, observed, p, *names = (flatten(array.broadcast_like(pvalue).transpose(*pvalue.dims)) for array in arrays)
    known = np.isfinite(p) & (expected > 0)
    dims = [hv.Dimension("expected", label="expected hops"), hv.Dimension("observed", label="observed hops")]
    vdims = [hv.Dimension("pvalue", label="p-value")]
    vdims += [hv.Dimension(dim, label=DIM_TITLES.get(dim, shorten_name(dim))) for dim in labels]
    layers = [
        set_options(
            hv.Points(
                tuple(column[rows] for column in (expected, observed, p, *names)), kdims=dims, vdims=vdims, label=name
            ),
            color=colour,
            alpha=0.5,
            bokeh={"size": 4, "line_color": None, "tools": ["hover"]},
            matplotlib={"s": 10, "linewidth": 0},
        )
        for name, colour, rows in (
            (f"p > {limit:g}", COLOURS["unbound"], known & (p > limit)),
            (f"p ≤ {limit:g}", COLOURS["bound"], known & (p <= limit)),
        )
    ]
    least, most = (expected[known].min(), expected[known].max()) if known.any() else (0.1, 10.0)
    means = np.geomspace(least, most, 400) if most > least else np.array([0.8, 1.25]) * least
    limits = (("chance", means), (f"limit, p = {limit:g}", _find_limits(means, limit)))
    layers += [
        draw_line((means, hops), dims, name, DARK["bound"] if i else GREY, dashed=not i)
        for i, (name, hops) in enumerate(limits)
    ]
    xlabel = f"{dims[0].label} (background, scaled to the experiment)"
    axes = {"logx": logx, "logy": True, "ylim": (0.8 * _LEAST_HOPS, None)}
    picture = draw_overlay(layers, "Hops of calling cards", subtitle, xlabel, f"{dims[1].label} (0 at 0.5)", axes)
    return set_options(picture, matplotlib={"fig_inches": (5, 4), "aspect": "auto"})


def _find_limits(means: np.ndarray, pvalue: float) -> np.ndarray:
    """Return for each Poisson mean the smallest count x with P(N >= x) at most the p-value."""
    from scipy.stats import poisson

    return poisson.isf(pvalue, means) + 1
