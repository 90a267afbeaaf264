"""Rank response: which share of the genes that a TF binds most strongly responds to it."""

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
    """Return which share of the genes that a TF binds most strongly responds, from rank to rank.

    Genes are sorted by binding p-value, ties by the larger binding effect, then by position. The ratio at rank r is the
    share of responsive genes among the first r (as in Kang et al. 2020, https://doi.org/10.1101/gr.259655.119). Genes
    without the value that sorts them, or without a known response, are left out. Its
    band is the exact binomial interval of Clopper and Pearson (1934), as of ``scipy.stats.binomtest``: it holds the
    true share with a probability of at least ``level``. Chance is the share of responsive genes among all.

    Parameters
    ----------
    ds
        A dataset with binding effects and p-values, dims ``(..., gene, tf)``, NumPy or dask; no ``label`` is needed.
    bins
        How many genes a bin has: ranks are its multiples, and the last one all genes.
    most
        Up to which rank; by default up to all genes.
    responsive
        ``"measured"``: by the two thresholds below. ``"label"``: by truth. Or a bool DataArray of the dataset's pairs,
        such as of :func:`yeastxr.adjusted_pairs`.
    by
        What sorts genes: ``"binding_pvalue"``, or ``"binding_effect"``, whose ties are broken by p-value.
    largest_pvalue, least_magnitude
        A gene responds if its perturbation p-value is at most this, and its |effect|, in its own units, at least that.
        P-values are not read where the first is 1, effects not where the second is 0: NaN in them does not matter.
    level
        The confidence level of the band, above 0 and below 1.

    Returns
    -------
    xarray.Dataset
        ``ratio``, ``lower`` and ``upper`` (..., tf, rank), float64 in [0, 1], NaN beyond the genes that count;
        ``responsive`` (..., tf, rank), int64, how many respond up to a rank; ``chance`` (..., tf), float64;
        ``genes`` and ``missing`` (..., tf), int64, how many count, and how many are left out. Dask-backed if
        ds is.

    Raises
    ------
    InputError
        If an argument is not what it must be, ``responsive="label"`` without a label, or the dataset lacks a variable,
        a dim or an index.

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
    """Return which share of the n genes that a TF binds most strongly responds.

    Parameters
    ----------
    ds
        A dataset; see :func:`rank_response`.
    n
        How many genes; a list of numbers gives a dim ``rank``.
    responsive, by, largest_pvalue, least_magnitude, level
        As of :func:`rank_response`.

    Returns
    -------
    xarray.Dataset
        As of :func:`rank_response`, at the rank n.

    Raises
    ------
    InputError
        As of :func:`rank_response`, and if n is not from 1 to the number of genes.

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
        raise InputError(f"n is {format_value(n)}; expected rising numbers of genes")
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
    """Return how many genes respond up to each rank, as a ratio with its band."""
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
    """Return for each column how many genes count, are missing, and respond: in all, and up to each rank."""
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
