"""Rank response: the share of responsive genes among those that a TF binds most strongly."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr

from yeastxr._validate import check_integer, check_number, check_sequence
from yeastxr.analysis.columns import (
    BINDING_PVALUE,
    check_dataset,
    find_responsive,
    map_columns,
    order_genes,
    take_ranks,
)
from yeastxr.errors import InputError, format_value
from yeastxr.schema import BINDING, GENE

RANK = "rank"
_BY = (BINDING_PVALUE, BINDING)


def rank_response(
    ds: xr.Dataset,
    *,
    bins: int = 5,
    most: int | None = None,
    responsive: str | xr.DataArray = "measured",
    by: str = BINDING_PVALUE,
    largest_pvalue: float = 0.05,
    least_magnitude: float = 0.0,
    level: float = 0.95,
) -> xr.Dataset:
    """Compute the share of responsive genes among those that a TF binds most strongly, by rank.

    Genes are sorted by binding p-value, ties by the larger binding effect, then by position. The ratio at rank r is the
    share of responsive genes among the first r (as in Kang et al. 2020, https://doi.org/10.1101/gr.259655.119). Genes
    with a missing rank or response are omitted. The band is the exact binomial interval of Clopper and Pearson (1934),
    as in ``scipy.stats.binomtest``: it contains the true share with a probability of at least ``level``. Chance is the
    share of responsive genes among all genes.

    Parameters
    ----------
    ds
        A dataset with binding effects and p-values, dimensions ``(..., gene, tf)``, NumPy or dask; no ``label`` is
        needed.
    bins
        The number of genes per bin: ranks are its multiples, and the number of all genes.
    most
        The largest rank (default: the number of genes).
    responsive
        The definition of responsive genes: ``"measured"`` (the thresholds below), ``"label"`` (the truth), or a bool
        DataArray with the pairs of the dataset, such as the result of :func:`yeastxr.adjusted_pairs`.
    by
        The variable that ranks genes: ``"binding_pvalue"``, or ``"binding_effect"`` with ties broken by p-value.
    largest_pvalue, least_magnitude
        A gene responds if its perturbation p-value is at most ``largest_pvalue`` and its |effect|, in its units, is at
        least ``least_magnitude``. P-values are not read if the first is 1, and effects are not read if the second is 0,
        so that they may be NaN.
    level
        The confidence level of the band, above 0 and below 1.

    Returns
    -------
    xarray.Dataset
        ``ratio``, ``lower`` and ``upper`` (..., tf, rank), float64 in [0, 1], NaN beyond the number of genes;
        ``responsive`` (..., tf, rank), int64, the number of responsive genes up to a rank; ``chance`` (..., tf),
        float64; ``genes`` and ``missing`` (..., tf), int64, the numbers of genes used and omitted. Dask-backed if ds
        is.

    Raises
    ------
    InputError
        If an argument is invalid, ``responsive="label"`` without a label, or the dataset lacks a variable,
        a dimension or an index.

    Examples
    --------
    >>> import yeastxr as yx
    >>> ds = yx.simulate(genes=1000, bound=[0.1, 0.3], seed=42)
    >>> response = yx.analysis.rank_response(ds, responsive="label", by="binding_effect")
    >>> response.ratio.sel(rank=[25, 100, 1000]).round(2).values
    array([[0.52, 0.44, 0.1 ],
           [0.88, 0.76, 0.3 ]])
    """
    ds = check_dataset(ds)
    n = ds.sizes[GENE]
    width = check_integer("bins", bins, least=1)
    last = n if most is None else min(check_integer("most", most, least=1), n)
    ranks = np.append(np.arange(width, last, width), last)
    return _count_responsive(ds, ranks, responsive, by, largest_pvalue, least_magnitude, level)


def top_ratio(
    ds: xr.Dataset,
    n: int | Sequence[int] = 25,
    *,
    responsive: str | xr.DataArray = "measured",
    by: str = BINDING_PVALUE,
    largest_pvalue: float = 0.05,
    least_magnitude: float = 0.0,
    level: float = 0.95,
) -> xr.Dataset:
    """Compute the share of responsive genes among the n genes that a TF binds most strongly.

    Parameters
    ----------
    ds
        A dataset; see :func:`rank_response`.
    n
        The number of genes; a list adds a dimension ``rank``.
    responsive, by, largest_pvalue, least_magnitude, level
        As for :func:`rank_response`.

    Returns
    -------
    xarray.Dataset
        As for :func:`rank_response`, at the rank n.

    Raises
    ------
    InputError
        As for :func:`rank_response`, and if n is not from 1 to the number of genes.

    Examples
    --------
    >>> import yeastxr as yx
    >>> ds = yx.simulate(genes=1000, bound=[0.1, 0.3], seed=42)
    >>> top = yx.analysis.top_ratio(ds, 25, responsive="label", by="binding_effect")
    >>> top.ratio.values, top.lower.round(2).values, top.chance.values
    (array([0.52, 0.88]), array([0.31, 0.69]), array([0.1, 0.3]))
    """
    ds = check_dataset(ds)
    several = isinstance(n, list | tuple) or getattr(n, "ndim", 0) > 0
    numbers: list[Any] = check_sequence("n", n, "numbers of genes") if several else [n]
    ranks = [check_integer("n", number, least=1, most=ds.sizes[GENE]) for number in numbers]
    if not ranks or sorted(set(ranks)) != ranks:
        raise InputError(f"n is {format_value(n)}; expected increasing numbers of genes")
    result = _count_responsive(ds, np.array(ranks), responsive, by, largest_pvalue, least_magnitude, level)
    return result if several else result.isel({RANK: 0})


def _count_responsive(
    ds: xr.Dataset,
    ranks: np.ndarray,
    responsive: str | xr.DataArray,
    by: str,
    largest_pvalue: float,
    least_magnitude: float,
    level: float,
) -> xr.Dataset:
    """Return the share of responsive genes up to each rank, with its band."""
    level = check_number("level", level, least=0, most=1)
    if level in (0, 1):
        raise InputError(f"level is {level:g}; expected a number above 0 and below 1")
    arrays = take_ranks(ds, by, "by", _BY)
    arrays["responsive"] = find_responsive(ds, responsive, largest_pvalue, least_magnitude)
    scalars = dict.fromkeys(("genes", "missing", "total"), (None, 1, np.int64))
    counts = xr.Dataset(
        map_columns(_count_columns, arrays, {**scalars, "responsive": (RANK, ranks.size, np.int64)}, ranks=ranks)
    ).assign_coords({RANK: (RANK, ranks, {"long_name": "rank by binding", "units": "1"})})
    successes, trials = counts["responsive"], counts[RANK].where(counts[RANK] <= counts["genes"])
    lower, upper = (
        xr.apply_ufunc(
            _bound_share, successes, trials, kwargs={"tail": tail}, dask="parallelized", output_dtypes=[float]
        )
        for tail in ((1 - level) / 2, (1 + level) / 2)
    )
    dims = successes.dims
    return xr.Dataset(
        {
            "ratio": (successes / trials)
            .transpose(*dims)
            .assign_attrs(long_name="share of responsive genes", units="1"),
            "lower": lower.transpose(*dims),
            "upper": upper.transpose(*dims),
            "responsive": successes,
            "chance": counts["total"] / counts["genes"].where(counts["genes"] > 0),
            "genes": counts["genes"],
            "missing": counts["missing"],
        },
        attrs={"by": by, "level": level},
    )


def _count_columns(
    primary: np.ndarray, secondary: np.ndarray, responsive: np.ndarray, *, ranks: np.ndarray
) -> np.ndarray:
    """Return for each column the numbers of genes used, missing and responsive, in total and up to each rank."""
    valid = ~(np.isnan(primary) | np.isnan(secondary) | np.isnan(responsive))
    order = order_genes(primary, secondary, valid)
    responds = np.take_along_axis(np.where(valid, responsive, 0), order, axis=1)
    upto = np.cumsum(responds, axis=1, dtype=np.float64)
    n = valid.sum(axis=1)
    return np.column_stack([n, primary.shape[1] - n, upto[:, -1], upto[:, ranks - 1]])


def _bound_share(successes: np.ndarray, trials: np.ndarray, *, tail: float) -> np.ndarray:
    """Return one end of the interval of Clopper and Pearson: the quantile ``tail`` of a beta distribution."""
    from scipy.special import betaincinv

    failures = trials - successes
    if tail < 0.5:
        return np.where(successes == 0, 0.0 * trials, betaincinv(np.maximum(successes, 1), failures + 1, tail))
    return np.where(failures == 0, 1.0 + 0.0 * trials, betaincinv(successes + 1, np.maximum(failures, 1), tail))
