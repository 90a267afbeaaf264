"""Dual threshold optimization: the thresholds with the best agreement of binding and response."""

import zlib
from typing import Any

import numpy as np
import xarray as xr

from yeastxr._validate import check_integer, check_number, check_seed
from yeastxr.analysis.columns import (
    BINDING_PVALUE,
    PERTURBATION_PVALUE,
    check_dataset,
    map_columns,
    order_genes,
    take_ranks,
    take_truth,
)
from yeastxr.errors import InputError
from yeastxr.schema import BINDING, LABEL, MAGNITUDE, TF
from yeastxr.simulation.draws import Stream, split_seed

_STREAM = zlib.crc32(b"permutation") << 8 & 0xFFFFFF00 | Stream.SHUFFLE  # as in draws.draw_keys
_MOST_PERMUTATIONS = 2**32 - 1
_COUNTS = ("binding_rank", "response_rank", "overlap", "genes", "missing")


def dual_threshold(
    ds: xr.Dataset,
    *,
    permutations: int = 1000,
    seed: int | None = None,
    binding: str = BINDING_PVALUE,
    response: str = PERTURBATION_PVALUE,
    sensitivity: float = 0.8,
    largest_pvalue: float = 0.01,
    largest_fdr: float = 0.2,
) -> xr.Dataset:
    """Choose thresholds of binding and response for each TF by dual threshold optimization.

    This is the method of Kang et al. 2020, https://doi.org/10.1101/gr.259655.119. Genes are ranked by binding and by
    response. Among all pairs of ranks 1, ..., T, floor(1.01 T + 1), ..., it chooses the pair whose overlap of bound and
    responsive genes has the smallest hypergeometric p-value. Because this is the minimum of many p-values, it is
    compared with those of permutations: ``permutation_pvalue`` is ``(1 + number of p-values at most as large) / (1 +
    permutations)``, which is uniform if binding and response are independent. With B bound and R responsive genes of G,
    and an overlap k with the sensitivity S, the expected false discovery rate is ``max(0, B - k / S) max(0, R - k / S)
    / (G k)``. A TF is acceptable if both are small.

    Parameters
    ----------
    ds
        A dataset with effects and p-values, dims ``(..., gene, tf)``, NumPy or dask; no ``label`` is needed.
    permutations
        The number of permutations. With 0, there is no permutation p-value, and no TF is acceptable.
    seed
        An integer from 0 to 2^64 - 1. By default it is random, and stored in the attributes. A permutation depends only
        on the seed, its number and the label of the TF.
    binding, response
        The variables that rank genes: ``"binding_pvalue"`` or ``"binding_effect"``, and ``"perturbation_pvalue"`` or
        ``"perturbation_magnitude"``. The other one of each pair breaks ties, then the position of the gene.
    sensitivity
        The sensitivity of the overlap for the expected rate, above 0 and at most 1.
    largest_pvalue, largest_fdr
        The largest permutation p-value and expected rate of an acceptable TF.

    Returns
    -------
    xarray.Dataset
        By ``(..., tf)``; dask-backed if ds is.

        - ``binding_rank``, ``response_rank``, ``overlap``, int64: the numbers of genes that are bound, responsive, and
          both; ``genes`` and ``missing``, the numbers of genes used, and omitted because of NaN;
        - ``binding_threshold``, ``response_threshold``, float64: the last p-value or effect within these ranks;
        - ``log10_pvalue``, the smallest hypergeometric p-value, ``permutation_pvalue`` and ``expected_fdr``, float64;
          ``acceptable``, bool;
        - if the dataset has a ``label``: ``realised_fdr``, the share of unbound genes in the overlap, and
          ``realised_sensitivity``, the share of the label's genes in the overlap, float64.

    Raises
    ------
    InputError
        If an argument is invalid, or the dataset lacks a variable, a dimension or an index.

    Examples
    --------
    >>> import yeastxr as yx
    >>> ds = yx.simulate(genes=1000, bound=[0.1, 0.3], seed=42)
    >>> dual = yx.analysis.dual_threshold(
    ...     ds, binding="binding_effect", response="perturbation_magnitude", permutations=200, seed=1
    ... )
    >>> dual.permutation_pvalue.round(3).values, dual.acceptable.values
    (array([0.005, 0.005]), array([ True,  True]))
    """
    ds = check_dataset(ds)
    permutations = check_integer("permutations", permutations, least=0, most=_MOST_PERMUTATIONS, largest="2**32 - 1")
    seed = check_seed(seed)
    sensitivity = check_number("sensitivity", sensitivity, least=0, most=1)
    if sensitivity == 0:
        raise InputError("sensitivity is 0; expected a number above 0")
    most_p = check_number("largest_pvalue", largest_pvalue, least=0, most=1)
    most_fdr = check_number("largest_fdr", largest_fdr, least=0)
    arrays = take_ranks(ds, binding, "binding", (BINDING_PVALUE, BINDING))
    arrays |= take_ranks(ds, response, "response", (PERTURBATION_PVALUE, MAGNITUDE))
    layout: dict[str, Any] = dict.fromkeys(_COUNTS, (None, 1, np.int64))
    names = ["binding_threshold", "response_threshold", "log10_pvalue", "permutation_pvalue"]
    if LABEL in ds.data_vars:
        arrays[LABEL] = take_truth(ds, LABEL, LABEL)
        names += ["realised_fdr", "realised_sensitivity"]
    layout |= dict.fromkeys(names, (None, 1, np.float64))
    keys = np.array([zlib.crc32(str(tf).encode()) for tf in ds.indexes[TF].tolist()], np.uint64)
    result = xr.Dataset(
        map_columns(
            _optimize_columns,
            arrays,
            layout,
            per_tf={"key": keys},
            slab_cells=1,
            permutations=permutations,
            seed=seed,
        )
    )
    for name, quantity in (("binding_threshold", binding), ("response_threshold", response)):
        result[name] = result[name] if quantity.endswith("pvalue") else -result[name]
    overlap = result["overlap"].where(result["overlap"] > 0)
    excess = [(result[name] - overlap / sensitivity).clip(min=0) for name in ("binding_rank", "response_rank")]
    result["expected_fdr"] = excess[0] * excess[1] / (result["genes"] * overlap)
    result["acceptable"] = (result["permutation_pvalue"] <= most_p) & (result["expected_fdr"] <= most_fdr)
    return result.assign_attrs(seed=seed, permutations=permutations, binding=binding, response=response)


def _optimize_columns(*columns: np.ndarray, permutations: int, seed: int) -> np.ndarray:
    """Return counts, thresholds and p-values of each column and, with a label, true error rates."""
    from scipy.special import gammaln

    from yeastxr.analysis import kernels

    *planes, keys = columns
    valid = ~np.any([np.isnan(plane) for plane in planes[:4]], axis=0)
    orders = [order_genes(planes[i], planes[i + 1], valid) for i in (0, 2)]
    ranks = [np.argsort(order, axis=1) for order in orders]  # the position of each gene in the order
    n = valid.sum(axis=1)
    best = np.empty((n.size, 5))
    log_factorial = gammaln(np.arange(valid.shape[1] + 1) + 1.0)
    words = np.uint64(_STREAM)
    kernels.optimize_thresholds(
        orders[0], ranks[1], n, keys, *split_seed(seed), words, permutations, log_factorial, best
    )
    n_bound, n_responsive, overlap = np.nan_to_num(best[:, :3]).astype(np.int64).T
    pvalue = (1 + best[:, 4]) / (1 + permutations) if permutations else np.full(n.size, np.nan)
    table = [n_bound, n_responsive, overlap, n, valid.shape[1] - n]
    for plane, order, number in ((planes[0], orders[0], n_bound), (planes[2], orders[1], n_responsive)):
        last = np.take_along_axis(order, np.maximum(number, 1)[:, None] - 1, axis=1)
        table.append(np.take_along_axis(plane, last, axis=1)[:, 0])
    table += [best[:, 3] / np.log(10), pvalue]
    if len(planes) > 4:
        called = valid & (ranks[0] < n_bound[:, None]) & (ranks[1] < n_responsive[:, None])
        truth = planes[4] & valid
        n_true = (called & truth).sum(axis=1)
        with np.errstate(invalid="ignore"):
            table += [1 - n_true / called.sum(axis=1), n_true / truth.sum(axis=1)]
    return np.column_stack(table).astype(np.float64)
