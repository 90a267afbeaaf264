"""Pictures of effects and p-values: how they are distributed, and how perturbation follows binding."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import xarray as xr

from yeastxr import expectations, histograms
from yeastxr import qc as summaries
from yeastxr.arguments import InputError, InputTypeError, shown, suggestion
from yeastxr.elements import BINDING, PERTURBATION
from yeastxr.schema import CORE_DIMS, check_feature
from yeastxr.selection import Labels, select
from yeastxr.summaryplots import bins_of, few, points_of, quantiles_of, statuses_of, with_theory

if TYPE_CHECKING:
    import holoviews as hv

MAX_POINTS = 20_000

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
        raise InputError(f"kind is {shown(kind)}; expected 'binding' or 'perturbation'")
    ds, of = select(ds, tf, gene)
    return with_theory(ds, of, summaries.histogram(ds, f"{kind}_pvalue", bins=bins).compute())


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
    from yeastxr.adjust import adjusted_pairs

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
        raise InputTypeError(f"label is {shown(label)}; expected True, False or None")
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
    return histograms.densities(
        next(iter(found.values())), what, shares, {}, f"{long_name[0].upper()}{long_name[1:]}s compared"
    )


def _series(datasets: Any, by: str | None) -> dict[str, xr.Dataset]:
    if isinstance(datasets, xr.Dataset):
        dims = [str(dim) for dim in datasets["label"].dims if dim not in CORE_DIMS]
        if by not in dims:
            raise InputError(f"by is {shown(by)}; expected a dim in front of gene and tf, {suggestion(by, dims)}")
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
