"""Correlation of binding and response by TF."""

import numpy as np
import xarray as xr

from yeastxr._validate import check_choice
from yeastxr.analysis.columns import check_dataset, map_columns, take_values
from yeastxr.schema import BINDING, MAGNITUDE

METHODS, TRANSFORMS = ("spearman", "pearson"), ("none", "log_rank")


def correlate(
    ds: xr.Dataset,
    *,
    method: str = "spearman",
    transform: str = "none",
    x: str | xr.DataArray = BINDING,
    y: str | xr.DataArray = MAGNITUDE,
) -> xr.Dataset:
    """Correlate binding effects with |perturbation effect| over the genes of each TF.

    Parameters
    ----------
    ds
        A dataset with dimensions ``(..., gene, tf)``, NumPy or dask; no ``label`` is needed.
    method
        ``"pearson"`` for values, or ``"spearman"`` for ranks; ties have the mean of their ranks.
    transform
        ``"log_rank"`` replaces values by ``log10(genes) - log10(rank)``, where rank 1 is the largest value or the
        smallest p-value, so that the strongest genes count most. Spearman's correlation does not change, except for its
        sign with p-values.
    x, y
        The variables to correlate: features, ``"perturbation_magnitude"``, or arrays with the pairs of the dataset.

    Returns
    -------
    xarray.Dataset
        ``correlation`` (..., tf), float64 in [-1, 1], or NaN if a side is constant; ``genes`` and ``missing``, int64,
        the numbers of genes used and omitted because of NaN. Dask-backed if ds is.

    Raises
    ------
    InputError
        If an argument is invalid, or the dataset lacks a variable, a dimension or an index.

    Examples
    --------
    >>> import yeastxr as yx
    >>> ds = yx.simulate(genes=1000, bound=[0.1, 0.3], seed=42)
    >>> yx.analysis.correlate(ds).correlation.round(2).values
    array([0.21, 0.45])
    >>> yx.analysis.correlate(ds, method="pearson", transform="log_rank").correlation.round(2).values
    array([0.33, 0.42])
    """
    ds = check_dataset(ds)
    check_choice("method", method, METHODS)
    check_choice("transform", transform, TRANSFORMS)
    arrays = {}
    for argument, values in (("x", x), ("y", y)):
        array = take_values(ds, values, argument)
        falls = transform == "log_rank" and not (isinstance(values, str) and values.endswith("pvalue"))
        arrays[argument] = -array if falls else array  # so that rank 1 is the strongest
    layout = dict.fromkeys(("genes", "missing"), (None, 1, np.int64)) | {"correlation": (None, 1, np.float64)}
    log = method == "pearson" and transform == "log_rank"
    result = xr.Dataset(map_columns(_correlate_columns, arrays, layout, ranked=log or method == "spearman", log=log))
    names = [values if isinstance(values, str) else str(values.name or "values") for values in (x, y)]
    return result.assign_attrs(method=method, transform=transform, x=names[0], y=names[1])


def _correlate_columns(x: np.ndarray, y: np.ndarray, *, ranked: bool, log: bool) -> np.ndarray:
    """Return counts and the correlation of each column."""
    from scipy.stats import rankdata

    known = ~(np.isnan(x) | np.isnan(y))
    rows = []
    for own, *pair in zip(known, x, y, strict=True):
        n = int(own.sum())
        values = [column[own].astype(np.float64) for column in pair]
        if ranked:
            values = [rankdata(column) for column in values]
        if log and n:
            values = [np.log10(n) - np.log10(rank) for rank in values]
        centred = [column - column.mean() if n else column for column in values]
        spread = np.sqrt(np.prod([column @ column for column in centred])) if n else 0.0
        constant = any(column.size == 0 or np.ptp(column) == 0 for column in values)
        share = np.nan if constant else np.clip(centred[0] @ centred[1] / spread, -1, 1)
        rows.append((n, own.size - n, share))
    return np.array(rows)
