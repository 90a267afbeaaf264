"""Enrichment and p-values from counts of calling cards, and adjustment of p-values for the number of genes."""

from typing import Any

import numpy as np
import xarray as xr

from yeastxr._blocks import map_blocks
from yeastxr._validate import check_choice, check_number
from yeastxr.analysis.columns import align_columns
from yeastxr.errors import InputError, InputTypeError, SchemaError, format_value
from yeastxr.schema import GENE, check_dims, match_to, order_dims

METHODS = ("bh", "by", "bonferroni")


def enrichment(
    experiment_hops: xr.DataArray,
    background_hops: xr.DataArray,
    *,
    total_experiment_hops: float | xr.DataArray | None = None,
    total_background_hops: float | xr.DataArray | None = None,
    pseudocount: float = 1e-10,
) -> xr.Dataset:
    """Compute the enrichment of calling cards, with Poisson and hypergeometric p-values, from counts.

    With x of X hops of the experiment and b of B hops of the background in a gene's promoter, and the pseudocount c:

    - ``enrichment``: ``(x / (X + c)) / (b / (B + c) + c)``, which is the binding effect in simulations;
    - ``poisson_pvalue``: ``P(N >= x)`` for a Poisson N with mean ``(b + c) X / B``, with a known background rate (Wang
      et al. 2011, https://doi.org/10.1101/gr.114850.110);
    - ``hypergeometric_pvalue``: ``P(N >= x)`` where N of the ``x + b`` hops in the promoter are among the X of the
      experiment, of ``X + B`` in all: one-sided Fisher's test, which needs no pseudocount.

    Parameters
    ----------
    experiment_hops, background_hops
        Counts of hops, with dimensions ``(..., gene, tf)``, NumPy or dask; the background may lack ``tf``. NaN
        propagates.
    total_experiment_hops, total_background_hops
        Total hops, at least those of any gene: a number, or an array by TF (and leading dimensions). The default is the
        sum over genes.
    pseudocount
        A number of at least 0. With 0, the enrichment of genes without background hops is infinite, or NaN without any
        hops.

    Returns
    -------
    xarray.Dataset
        ``enrichment``, ``poisson_pvalue`` and ``hypergeometric_pvalue``, float64, with the dimensions of the
        experiment; dask-backed if one of the counts is.

    Raises
    ------
    InputError
        If counts are not numeric arrays with genes and TFs, have different labels, or an argument is invalid. Negative
        or fractional counts, and counts above the total, raise an error on computation.

    Examples
    --------
    >>> import xarray as xr
    >>> import yeastxr as yx
    >>> coords = {"gene": ["YAL001C", "YAL002W", "YAL003W"], "tf": ["GAL4"]}
    >>> experiment = xr.DataArray([[0], [1], [6]], dims=("gene", "tf"), coords=coords)
    >>> background = xr.DataArray([[5], [13], [2]], dims=("gene", "tf"), coords=coords)
    >>> result = yx.analysis.enrichment(
    ...     experiment, background, total_experiment_hops=76, total_background_hops=1000
    ... )
    >>> result.enrichment.sel(tf="GAL4").round(2).values
    array([ 0.  ,  1.01, 39.47])
    >>> result.poisson_pvalue.sel(tf="GAL4").round(3).values
    array([1.   , 0.628, 0.   ])
    """
    experiment = _check_counts(experiment_hops, "experiment_hops")
    background = _check_counts(background_hops, "background_hops")
    for dim in experiment.indexes.keys() & background.indexes.keys():
        if not experiment.indexes[dim].equals(background.indexes[dim]):
            raise SchemaError(
                f"background_hops and experiment_hops have different labels along {dim!r}; expected the same"
            )
    check_dims(experiment, "experiment_hops")
    experiment, background = xr.broadcast(experiment, background)
    experiment, background = order_dims(experiment), order_dims(background)
    c = check_number("pseudocount", pseudocount, least=0)
    total_experiment = _check_total(total_experiment_hops, "total_experiment_hops", experiment)
    total_background = _check_total(total_background_hops, "total_background_hops", background)
    with np.errstate(divide="ignore", invalid="ignore"):
        effect = (experiment / (total_experiment + c)) / (background / (total_background + c) + c)
    arrays = (experiment, background, total_experiment, total_background)
    values = {"enrichment": effect}
    for name, function in (
        ("poisson_pvalue", _compute_poisson),
        ("hypergeometric_pvalue", _compute_hypergeometric),
    ):
        values[name] = xr.apply_ufunc(
            function,
            *arrays,
            kwargs={"pseudocount": c},
            dask="parallelized",
            output_dtypes=[np.float64],
        )
    return xr.Dataset({name: array.transpose(*experiment.dims) for name, array in values.items()})


def _check_counts(counts: object, argument: str) -> xr.DataArray:
    """Return counts as float64, or raise if they are not a numeric array with genes."""
    if not isinstance(counts, xr.DataArray) or counts.dtype.kind not in "iuf":
        raise InputTypeError(f"{argument} is {format_value(counts)}; expected a DataArray of counts by gene and TF")
    if GENE not in counts.dims or GENE not in counts.indexes:
        raise SchemaError(f"{argument} has no index coordinate 'gene'; expected counts by gene and TF")
    return counts.astype(np.float64)


def _check_total(total: Any, argument: str, counts: xr.DataArray) -> xr.DataArray:
    """Return the given total, or the sum over genes, as an array."""
    if total is None:
        return counts.sum(GENE)
    if isinstance(total, xr.DataArray) and total.ndim:
        if not set(total.dims) <= set(counts.dims) - {GENE}:
            raise SchemaError(f"{argument} has the dimensions {total.dims}; expected a number, or one for each TF")
        for dim in total.dims:
            if not total.get_index(dim).equals(counts.get_index(dim)) and (
                dim in total.indexes or total.sizes[dim] != counts.sizes[dim]
            ):
                raise SchemaError(f"{argument} and the counts have different labels along {dim!r}; expected the same")
        if not total.chunks and bool((total < 0).any()):
            raise InputError(f"{argument} contains {float(total.min()):g}; expected totals of at least 0")
        return total.astype(np.float64)
    return xr.DataArray(check_number(argument, total, least=1))


def _compute_poisson(
    x: np.ndarray, b: np.ndarray, total_x: np.ndarray, total_b: np.ndarray, *, pseudocount: float
) -> np.ndarray:
    from scipy.special import gammainc

    _check_hops(x, total_x, "experiment_hops")
    _check_hops(b, total_b, "background_hops")
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = (b + pseudocount) * total_x / total_b
        return np.where((x == 0) & ~np.isnan(mean), 1.0, gammainc(np.where(x == 0, 1.0, x), mean))


def _check_hops(counts: np.ndarray, total: np.ndarray, argument: str) -> None:
    """Raise for invalid counts, block by block, because counts of dask are unknown before."""
    for wrong, expected in (
        (counts < 0, "counts of at least 0"),
        (np.floor(counts) != counts, "whole numbers"),
        (counts > total, "at most the total"),
    ):
        wrong = wrong & ~np.isnan(counts)
        if wrong.any():
            raise InputError(f"{argument} contains {counts[wrong][0]:g}; expected {expected}")


def _compute_hypergeometric(
    x: np.ndarray, b: np.ndarray, total_x: np.ndarray, total_b: np.ndarray, *, pseudocount: float
) -> np.ndarray:
    """Return P(N >= x), computing each combination of counts once."""
    from scipy.stats import hypergeom

    arrays = np.broadcast_arrays(x, b, total_x, total_b)
    counts, positions = np.unique(np.stack([array.ravel() for array in arrays]), axis=1, return_inverse=True)
    hops, others, total_hops, total_others = counts
    pvalues = hypergeom.sf(hops - 1, total_hops + total_others, total_hops, hops + others)
    return pvalues[positions.reshape(-1)].reshape(arrays[0].shape)


def adjust_pvalues(pvalues: xr.DataArray, method: str = "bh") -> xr.DataArray:
    """Adjust p-values for the number of genes of each TF.

    Parameters
    ----------
    pvalues
        Values in [0, 1], float, with dimensions ``(..., gene, tf)``, NumPy or dask. NaN is kept, and does not count as
        a gene.
    method
        ``"bh"``: Benjamini and Hochberg (1995), the false discovery rate of independent tests. ``"by"``: Benjamini and
        Yekutieli (2001), of tests with any dependence. ``"bonferroni"``: the probability of any false discovery,
        ``min(1, genes p)``.

    Returns
    -------
    xarray.DataArray
        Adjusted p-values in [0, 1], with the dimensions and the dtype of the input; dask-backed if it is.

    Raises
    ------
    InputError
        If p-values are not a numeric array with genes and TFs, a value is outside [0, 1], or the method is unknown.

    Examples
    --------
    >>> import yeastxr as yx
    >>> ds = yx.simulate(genes=1000, bound=[0.1, 0.3], seed=42)
    >>> adjusted = yx.analysis.adjust_pvalues(ds.binding_pvalue)
    >>> bool((adjusted >= ds.binding_pvalue).all()), adjusted.dtype
    (True, dtype('float32'))
    """
    check_choice("method", method, METHODS)
    if not isinstance(pvalues, xr.DataArray) or pvalues.dtype.kind != "f":
        raise InputTypeError(f"pvalues is {format_value(pvalues)}; expected a DataArray of p-values by gene and TF")
    check_dims(pvalues, "pvalues")
    [columns] = align_columns({"pvalues": pvalues})
    adjusted = map_blocks(_adjust_block, columns.dims, [columns], dtype=pvalues.dtype, method=method)
    return match_to(columns.copy(deep=False, data=adjusted.data), "pvalues", pvalues, "pvalues")


def _adjust_block(pvalues: np.ndarray, *, method: str, threads: int) -> np.ndarray:
    """Adjust the p-values of a block, ``(..., gene, tf)``."""
    from scipy.stats import false_discovery_control

    known = ~np.isnan(pvalues)
    if ((pvalues < 0) | (pvalues > 1)).any():
        raise InputError("a p-value is outside [0, 1]; expected p-values or NaN")
    if method == "bonferroni":
        return np.minimum(pvalues * known.sum(axis=-2, keepdims=True), 1).astype(pvalues.dtype)
    columns = np.moveaxis(pvalues, -2, -1).reshape(-1, pvalues.shape[-2])
    adjusted = np.full(columns.shape, np.nan, pvalues.dtype)
    for column, own, target in zip(columns, ~np.isnan(columns), adjusted, strict=True):
        if own.any():
            target[own] = false_discovery_control(column[own].astype(np.float64), method=method)
    return np.moveaxis(adjusted.reshape(*np.moveaxis(pvalues, -2, -1).shape), -1, -2)
