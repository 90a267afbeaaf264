"""Plots of standard analysis methods, with chance and theory; see :mod:`yeastxr.analysis`."""

from typing import TYPE_CHECKING, Unpack

import numpy as np
import xarray as xr

from yeastxr import analysis
from yeastxr._validate import check_choice, check_integer
from yeastxr.errors import InputError
from yeastxr.plot.scatter import MAX_POINTS, draw_groups, space_pairs
from yeastxr.plot.style import (
    COLOURS,
    DARK,
    GREY,
    SERIES,
    Labels,
    Options,
    customize,
    draw_line,
    draw_overlay,
    flatten,
    load_holoviews,
    make_axis_label,
    make_dimension,
    make_title,
    select,
    select_with,
    set_options,
    shorten_name,
)
from yeastxr.schema import BINDING, LABEL, TF, get_feature, get_label, get_units, match_to
from yeastxr.theory.features import find_spec

if TYPE_CHECKING:
    import holoviews as hv

_LEAST_PVALUE = np.finfo(np.float32).tiny


def rank_response(
    ds: xr.Dataset,
    *,
    tf: Labels = None,
    gene: Labels = None,
    most: int = 150,
    bins: int = 5,
    responsive: str | xr.DataArray = "measured",
    by: str = "binding_pvalue",
    largest_pvalue: float = 0.05,
    least_magnitude: float = 0.0,
    **options: Unpack[Options],
) -> "hv.Overlay":
    """Draw the share of responsive genes among the most strongly bound ones, with confidence bands and chance.

    Parameters
    ----------
    ds
        A dataset with dimensions ``(..., gene, tf)``, NumPy or dask; no ``label`` is needed.
    tf, gene
        A label or a list of labels to draw (default: all). Up to 8 TFs have a line each; for more, the plot shows the
        mean, with a band for the middle 80 % of TFs.
    most
        The largest rank.
    bins, responsive, by, largest_pvalue, least_magnitude
        As for :func:`yeastxr.analysis.rank_response`.
    **options
        ``title``, ``xlim``, ``ylim``, ``logx``, ``theory`` (False omits theory) and ``size`` (pixels).

    Returns
    -------
    holoviews.Overlay
        For each line, an ``Area`` (the band) and a ``Curve``; then a dashed ``Curve``, labelled ``chance``: the share
        of responsive genes among all genes.

    Raises
    ------
    InputError
        As for :func:`yeastxr.analysis.rank_response`, and if a TF or a gene is not in the dataset.

    Examples
    --------
    >>> import yeastxr as yx
    >>> from yeastxr import plot
    >>> ds = yx.simulate(genes=1000, bound=[0.1, 0.3], tfs=["GAL4", "MIG1"], seed=42)
    >>> [layer.label for layer in plot.rank_response(ds, responsive="label", by="binding_effect")]
    ['GAL4, band', 'GAL4', 'MIG1, band', 'MIG1', 'chance']
    """
    ds, subtitle, given = select_with(ds, tf, gene, responsive=responsive)
    result = analysis.rank_response(
        ds, bins=bins, most=most, by=by, largest_pvalue=largest_pvalue, least_magnitude=least_magnitude, **given
    ).compute()
    note = _describe_response(responsive, largest_pvalue, least_magnitude)
    return customize(draw_responses(result, subtitle, note), **options)


def _describe_response(responsive: str | xr.DataArray, largest_pvalue: float, least_magnitude: float) -> str:
    """Describe the definition of responsive genes."""
    if isinstance(responsive, xr.DataArray):
        return shorten_name(responsive.name or "as given")
    if responsive == LABEL:
        return "by label"
    rules = [f"p ≤ {largest_pvalue:g}"] if largest_pvalue < 1 or not least_magnitude else []
    return ", ".join(rules + ([f"|effect| ≥ {least_magnitude:g}"] if least_magnitude else []))


def draw_responses(result: xr.Dataset, subtitle: str, note: str) -> "hv.Overlay":
    """Draw a rank response, with a line and a band for each TF or their mean, and chance."""
    hv = load_holoviews()
    dims = [hv.Dimension("rank", label="rank by binding"), hv.Dimension("ratio", label="share of responsive genes")]
    ranks = result["rank"].values
    layers = []
    for colour, (name, line) in zip(SERIES, _list_lines(result), strict=False):
        columns = tuple(line[part].values for part in ("ratio", "lower", "upper"))
        band = hv.Area((ranks, *columns[1:]), kdims=dims[:1], vdims=[dims[1], "upper"], label=f"{name}, band")
        layers += [
            set_options(
                band,
                color=colour,
                alpha=0.15,
                show_legend=False,
                bokeh={"line_alpha": 0},
                matplotlib={"facecolor": colour, "linewidth": 0},
            ),
            draw_line((ranks, columns[0]), dims, name, colour, widths=(2, 1.6), hover=True),
        ]
    chance = float(result["chance"].mean())
    layers.append(draw_line(([0, ranks[-1]], [chance, chance]), dims, "chance", GREY, dashed=True))
    by = "binding p-value" if result.attrs["by"].endswith("pvalue") else "binding effect"
    xlabel = f"rank by {by}\nresponse: {note}; bands: {_describe_band(result)}"
    return draw_overlay(layers, "Rank response", subtitle, xlabel, dims[1].label, {"ylim": (0, None)})


def _list_lines(result: xr.Dataset) -> list[tuple[str, xr.Dataset]]:
    """Return the lines to draw by name: one for each TF, or their mean with the middle 80 % of TFs."""
    lead = [str(dim) for dim in result["ratio"].dims if dim not in (TF, "rank")]
    if not lead and result.sizes[TF] <= len(SERIES):
        return [(shorten_name(label), result.isel({TF: i})) for i, label in enumerate(result[TF].values)]
    ratio = result["ratio"]
    known = ratio.notnull().any([*lead, TF])
    inner = ratio.isel(rank=np.flatnonzero(known)) if known.any() else ratio.fillna(0)
    lower, upper = (
        inner.quantile(q, [*lead, TF]).drop_vars("quantile").reindex_like(known).where(known) for q in (0.1, 0.9)
    )
    mean = xr.Dataset({"ratio": ratio.mean([*lead, TF]), "lower": lower, "upper": upper})
    return [(f"mean of {ratio.isel(rank=0).size:,} TFs", mean)]


def _describe_band(result: xr.Dataset) -> str:
    few = len(result["ratio"].dims) == 2 and result.sizes[TF] <= len(SERIES)
    return f"{100 * result.attrs['level']:g} % intervals" if few else "middle 80 % of TFs"


def roc(
    ds: xr.Dataset,
    *,
    tf: Labels = None,
    gene: Labels = None,
    score: str | xr.DataArray = BINDING,
    truth: str | xr.DataArray = LABEL,
    **options: Unpack[Options],
) -> "hv.Overlay":
    """Draw ROC curves of a score: for all pairs, for up to 8 TFs, by theory, and by chance.

    Parameters
    ----------
    ds
        A dataset with dimensions ``(..., gene, tf)``, NumPy or dask; with ``label``, unless another truth is given.
    tf, gene
        A label or a list of labels to draw (default: all).
    score, truth
        As for :func:`yeastxr.analysis.curves`: a feature or an array, such as the prediction of a model; and
        ``"label"`` or a bool array.
    **options
        ``title``, ``xlim``, ``ylim``, ``logx``, ``theory`` (False omits theory) and ``size`` (pixels).

    Returns
    -------
    holoviews.Overlay
        ``Curve`` elements: for TFs (if there are at most 8 and no other dimensions), all pairs, chance, and theory
        (with a specification). Labels end with the area under the curve.

    Raises
    ------
    InputError
        As for :func:`yeastxr.analysis.curves`, and if a TF or a gene is not in the dataset.

    Examples
    --------
    >>> import yeastxr as yx
    >>> from yeastxr import plot
    >>> ds = yx.simulate(genes=1000, bound=[0.1, 0.3], tfs=["GAL4", "MIG1"], seed=42)
    >>> [layer.label for layer in plot.roc(ds)]
    ['GAL4: 0.90', 'MIG1: 0.91', 'all pairs: 0.903', 'chance', 'area 0.899 by theory']
    """
    hv = load_holoviews()
    ds, subtitle, given = select_with(ds, tf, gene, score=score, truth=truth)
    if isinstance(truth, str) and truth == LABEL:
        get_label(ds, "plot.roc", "pass truth= with a bool DataArray")
    result = analysis.curves(ds, points=401, **given).compute()
    dims = [hv.Dimension("fpr", label="false positive rate"), hv.Dimension("tpr", label="true positive rate")]
    fpr = result["fpr"].values
    layers = []
    if result["auroc"].dims == (TF,) and 1 < result.sizes[TF] <= len(SERIES):
        for colour, i in zip(SERIES, range(result.sizes[TF]), strict=False):
            name = f"{shorten_name(result[TF].values[i])}: {result['auroc'].values[i]:.2f}"
            layers.append(draw_line((fpr, result["tpr"].values[i]), dims, name, colour, hover=True, alpha=0.6))
    name = f"all pairs: {result['pooled_auroc'].item():.3f}"
    pooled = np.concatenate([[0], result["pooled_tpr"].values])
    layers.append(draw_line((np.concatenate([[0], fpr]), pooled), dims, name, "#000000", widths=(2.5, 2), hover=True))
    layers.append(draw_line(([0, 1], [0, 1]), dims, "chance", GREY, dashed=True))
    if "pooled_theory_tpr" in result:
        name = f"area {result['pooled_theory_auroc'].item():.3f} by theory"
        tpr = np.concatenate([[0], result["pooled_theory_tpr"].values])
        layers.append(draw_line((np.concatenate([[0], fpr]), tpr), dims, name, DARK["unbound"], dashed=True))
    name = make_title(score) if isinstance(score, str) else shorten_name(score.name or "Scores")
    title = f"{name} as a score of {'binding' if isinstance(truth, str) else shorten_name(truth.name or 'truth')}"
    xlabel = f"{dims[0].label}\nnumbers: area under the curve"
    return customize(
        draw_overlay(layers, title, subtitle, xlabel, dims[1].label, {"xlim": (0, 1), "ylim": (0, 1)}), **options
    )


def volcano(
    ds: xr.Dataset,
    kind: str = "perturbation",
    *,
    tf: Labels = None,
    gene: Labels = None,
    max_points: int = MAX_POINTS,
    **options: Unpack[Options],
) -> "hv.Overlay":
    """Draw -log10 of p-values against effects, coloured by label, and state the origin of p-values.

    Parameters
    ----------
    ds
        A dataset with dimensions ``(..., gene, tf)``, NumPy or dask; no ``label`` is needed.
    kind
        ``"perturbation"`` or ``"binding"``.
    tf, gene
        A label or a list of labels to draw (default: all).
    max_points
        The maximum number of pairs to draw. Larger datasets are reduced to evenly spaced genes and TFs, as stated in
        the title.
    **options
        ``title``, ``xlim``, ``ylim``, ``logx``, ``theory`` (False omits theory) and ``size`` (pixels).

    Returns
    -------
    holoviews.Overlay
        ``Points``, labelled ``unbound`` and ``bound``, or ``all pairs`` without a label. Pairs with NaN are not drawn;
        p-values of 0 are drawn at the smallest float32, about 38.

    Raises
    ------
    InputError
        If a TF or a gene is not in the dataset, an argument is invalid, or the dataset lacks a variable, a
        dim or an index.

    Examples
    --------
    >>> import yeastxr as yx
    >>> from yeastxr import plot
    >>> ds = yx.simulate(genes=1000, bound=[0.1, 0.3], seed=42)
    >>> [(layer.label, len(layer)) for layer in plot.volcano(ds, tf=1)]
    [('unbound', 700), ('bound', 300)]
    """
    check_choice("kind", kind, ("binding", "perturbation"))
    limit = check_integer("max_points", max_points, least=1)
    ds, subtitle = select(ds, tf, gene)
    effect = get_feature(ds, f"{kind}_effect")
    names = [f"{kind}_effect", f"{kind}_pvalue", *([LABEL] if LABEL in ds.data_vars else [])]
    for name in names[1:]:
        match_to(get_feature(ds, name), name, effect, names[0])
    total = effect.size
    if total > limit:
        ds = space_pairs(ds, names[0], limit)
        subtitle = ", ".join(filter(None, [subtitle, f"{ds[names[0]].size:,} of {total:,} pairs"]))
    pairs = ds[names].compute()
    effect = pairs[names[0]]
    height = -xr.apply_ufunc(np.log10, match_to(pairs[names[1]], names[1], effect).clip(min=_LEAST_PVALUE))
    label = match_to(pairs[LABEL], LABEL, effect) if LABEL in names else None
    hv = load_holoviews()
    units = get_units(ds, f"{kind}_effect")
    dims = [make_dimension(f"{kind}_effect", units), hv.Dimension(f"{kind}_log_pvalue", label=f"-log10 {kind} p-value")]
    layers = draw_groups([effect, height], label, dims)
    note = _describe_pvalues(ds)
    xlabel = make_axis_label(f"{kind}_effect", units) + f"\n{note}"
    title = f"{kind.capitalize()}: p-values against effects"
    return customize(draw_overlay(layers, title, subtitle, xlabel, dims[1].label, {"ylim": (0, None)}), **options)


def _describe_pvalues(ds: xr.Dataset) -> str:
    """Describe the origin of p-values; those of the tutorial follow a rule of large effects."""
    spec = find_spec(ds)
    if spec is None:
        return "measured p-values"
    if spec.tests_effects:
        return "p-values of two-sided tests against unbound pairs"
    share, upper = 100 * (1 - spec.large_effect_percentile), spec.large_effect_upper_pval
    return f"p-values: uniform, up to {upper:g} for the {share:.3g} % largest |effects| of a TF, otherwise up to 1"


def dual_threshold(
    ds: xr.Dataset,
    *,
    tf: Labels = None,
    gene: Labels = None,
    result: xr.Dataset | None = None,
    **options: Unpack[Options],
) -> "hv.Overlay":
    """Draw expected false discovery rates of dual threshold optimization against permutation p-values, by TF.

    Parameters
    ----------
    ds
        A dataset with dimensions ``(..., gene, tf)``, NumPy or dask; no ``label`` is needed.
    tf, gene
        A label or a list of labels to draw (default: all).
    result
        A result of :func:`yeastxr.analysis.dual_threshold` for the dataset. By default it is computed with the default
        parameters and seed 0. It can't be combined with ``tf`` or ``gene``.
    **options
        ``title``, ``xlim``, ``ylim``, ``logx``, ``theory`` (False omits theory) and ``size`` (pixels).

    Returns
    -------
    holoviews.Overlay
        ``Points``, labelled ``acceptable`` and ``not acceptable`` and, for datasets with labels, ``realised``: the true
        false discovery rate of the same TFs.

    Raises
    ------
    InputError
        As for :func:`yeastxr.analysis.dual_threshold`, and if a TF or a gene is not in the dataset.

    Examples
    --------
    >>> import yeastxr as yx
    >>> from yeastxr import plot
    >>> ds = yx.simulate(genes=300, bound=[0.1, 0.3], seed=42)
    >>> [layer.label for layer in plot.dual_threshold(ds)]
    ['realised', 'not acceptable', 'acceptable']
    """
    if result is not None and not (tf is None and gene is None):
        raise InputError("result can't be combined with tf or gene; expected only one of them")
    ds, subtitle = select(ds, tf, gene)
    needed = ("permutation_pvalue", "expected_fdr", "acceptable")
    if result is None:
        result = analysis.dual_threshold(ds, seed=0)
    elif not isinstance(result, xr.Dataset) or not set(needed) <= set(result.data_vars):
        raise InputError(f"result is of type {type(result).__name__}; expected the result of analysis.dual_threshold")
    result = result.compute()
    hv = load_holoviews()
    dims = [hv.Dimension("pvalue", label="permutation p-value"), hv.Dimension("fdr", label="false discovery rate")]
    pvalue, names = result["permutation_pvalue"], result[TF].broadcast_like(result["overlap"])
    columns = [flatten(array) for array in (pvalue, result["expected_fdr"], names)]
    accepted = result["acceptable"].values.ravel()
    groups = [
        ("not acceptable", COLOURS["unbound"], columns, ~accepted),
        ("acceptable", COLOURS["bound"], columns, accepted),
    ]
    if "realised_fdr" in result:
        realised = [columns[0], flatten(result["realised_fdr"]), columns[2]]
        groups.insert(0, ("realised", GREY, realised, np.isfinite(realised[1])))
    layers = [
        set_options(
            hv.Points(
                tuple(column[rows] for column in own), kdims=dims, vdims=[hv.Dimension(TF, label="TF")], label=name
            ),
            color=colour,
            alpha=0.7,
            bokeh={"size": 6, "line_color": None, "tools": ["hover"]},
            matplotlib={"s": 16, "linewidth": 0},
        )
        for name, colour, own, rows in groups
    ]
    limits = {"xlim": (0, 1.02), "ylim": (0, None)}
    return customize(
        draw_overlay(layers, "Dual threshold optimization", subtitle, dims[0].label, dims[1].label, limits), **options
    )
