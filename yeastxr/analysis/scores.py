"""Scores of predictions, by TF and pooled, and the scores of the best possible model."""

from typing import Any

import numpy as np
import xarray as xr

from yeastxr._validate import check_choice
from yeastxr.analysis.columns import check_dataset, map_columns, take_quantity, take_values
from yeastxr.errors import InputTypeError, format_value
from yeastxr.schema import MAGNITUDE, PERTURBATION, TF, match_to
from yeastxr.theory.distributions import FoldedNormals, Lattice, folded_normal_mean
from yeastxr.theory.features import find_distribution, find_spec
from yeastxr.theory.pairs import classify_tfs

SCALES = ("range", "std", "mean")
_MOMENTS = ("genes", "mean", "spread", "error_mean", "error_spread", "least", "most")
_POOLED = "pooled_"


def scores(
    prediction: xr.DataArray, ds: xr.Dataset, *, target: str = MAGNITUDE, normalize_by: str = "range"
) -> xr.Dataset:
    """Compute scores of a prediction of a feature, by TF and over all pairs, and their upper limits.

    For the target y, the prediction f and errors e = y - f over pairs:

    - ``explained_variance``: ``1 - var(e) / var(y)``, which does not depend on a constant error;
    - ``r2``: ``1 - mean(e^2) / var(y)``;
    - ``smse``, the standardized mean squared error: ``mean(e^2) / var(y) = 1 - r2``, which is 1 for predicting the
      mean, for any number of TFs and genes;
    - ``nrmse``: ``sqrt(mean(e^2))`` over the range of y, its standard deviation, or the magnitude of its mean.

    Variances are divided by the number of pairs. Pooled scores are those of all pairs with a common mean, not means
    over TFs.

    ``ceiling`` is the expected explained variance and r2 of a model that knows the mean of each pair, which is the
    share of variance that is not noise: ``1 - E[var(y | mean)] / var(y)``, from the distributions of
    :mod:`yeastxr.theory`. Scores of finite data vary around it. The signs of perturbation effects are random, so no
    model can predict them, and their ceiling is 0.

    Parameters
    ----------
    prediction
        The prediction, with dimensions ``(..., gene, tf)`` and the genes and TFs of the dataset; NumPy or dask.
    ds
        A dataset with the target; no ``label`` is needed.
    target
        A feature, or ``"perturbation_magnitude"``.
    normalize_by
        The denominator of ``nrmse``: ``"range"``, ``"std"`` or ``"mean"``.

    Returns
    -------
    xarray.Dataset
        ``explained_variance``, ``r2``, ``smse`` and ``nrmse`` (..., tf), float64, or NaN if the target is constant; the
        same for all pairs as ``pooled_...``; ``genes`` and ``missing`` (..., tf), int64, the numbers of pairs used and
        omitted because of NaN. ``ceiling`` (tf) and ``pooled_ceiling``, if the dataset has a specification and the
        target is the perturbation effect or its magnitude. Dask-backed if an input is.

    Raises
    ------
    InputError
        If the prediction is not an array with the pairs of the dataset, or an argument is invalid.

    Examples
    --------
    >>> import yeastxr as yx
    >>> ds = yx.simulate(genes=1000, bound=[0.1, 0.3], seed=42)
    >>> best = ds.label * 3.00076 + ~ds.label * 0.79788  # the mean of each pair
    >>> scores = yx.analysis.scores(best, ds)
    >>> float(scores.pooled_r2.round(2)), float(scores.pooled_ceiling.round(2))
    (0.59, 0.61)
    """
    ds = check_dataset(ds)
    check_choice("normalize_by", normalize_by, SCALES)
    if not isinstance(prediction, xr.DataArray):
        raise InputTypeError(
            f"prediction is {format_value(prediction)}; expected a DataArray with the pairs of the dataset"
        )
    arrays = {"target": take_quantity(ds, target, "target"), "prediction": take_values(ds, prediction, "prediction")}
    arrays["prediction"] = match_to(arrays["prediction"], "prediction", arrays["target"], target)
    layout: dict[str, Any] = {"missing": (None, 1, np.int64)}
    layout |= {name: (None, 1, np.int64 if name == "genes" else np.float64) for name in _MOMENTS}
    moments = xr.Dataset(map_columns(_describe_columns, arrays, layout))
    result = _score(moments, normalize_by)
    result = result.assign({f"{_POOLED}{name}": array for name, array in _score(_pool(moments), normalize_by).items()})
    result = result.assign(genes=moments["genes"], missing=moments["missing"])
    return result.assign(_find_ceilings(ds, target)).assign_attrs(target=target, normalize_by=normalize_by)


def _describe_columns(target: np.ndarray, prediction: np.ndarray) -> np.ndarray:
    """Return for each column the number of missing pairs, and the moments of the target and of errors."""
    target, prediction = target.astype(np.float64), prediction.astype(np.float64)
    known = ~(np.isnan(target) | np.isnan(prediction))
    n = known.sum(axis=1)
    columns = [target.shape[1] - n, n]
    with np.errstate(invalid="ignore"):
        for values in (target, target - prediction):
            mean = np.where(known, values, 0).sum(axis=1) / n
            columns += [mean, (np.where(known, values - mean[:, None], 0) ** 2).sum(axis=1)]
    ends = [np.where(known, target, np.inf).min(axis=1), np.where(known, target, -np.inf).max(axis=1)]
    return np.column_stack(columns + ends)


def _pool(moments: xr.Dataset) -> xr.Dataset:
    """Return the moments of all pairs from those of TFs, summed in an order that does not depend on chunks."""
    names = list(_MOMENTS)
    table = moments[names].to_array("moment")
    table = table.chunk(-1) if table.chunks else table
    pooled = xr.apply_ufunc(
        _pool_table,
        table,
        input_core_dims=[["moment", *(dim for dim in table.dims if dim != "moment")]],
        output_core_dims=[["moment"]],
        dask="parallelized",
        output_dtypes=[np.float64],
    )
    return pooled.assign_coords(moment=names).to_dataset("moment")


def _pool_table(table: np.ndarray) -> np.ndarray:
    n, mean, spread, error_mean, error_spread, least, most = table.reshape(table.shape[0], -1)
    pooled = [n.sum()]
    weights = n / max(n.sum(), 1)
    for means, spreads in ((mean, spread), (error_mean, error_spread)):
        total = np.nansum(weights * means)
        pooled += [total, np.nansum(spreads + n * (means - total) ** 2)]
    return np.array([*pooled, least.min(), most.max()])


def _score(moments: xr.Dataset, normalize_by: str) -> xr.Dataset:
    """Return scores from moments; NaN if the target is constant."""
    n = moments["genes"].where(moments["genes"] > 0)
    variance = (moments["spread"] / n).where(moments["most"] > moments["least"])
    squared = moments["error_spread"] / n + moments["error_mean"] ** 2
    if normalize_by == "range":
        scale = moments["most"] - moments["least"]
    else:
        scale = variance**0.5 if normalize_by == "std" else abs(moments["mean"])
    return xr.Dataset(
        {
            "explained_variance": 1 - moments["error_spread"] / n / variance,
            "r2": 1 - squared / variance,
            "smse": squared / variance,
            "nrmse": squared**0.5 / scale.where(scale > 0),
        }
    )


def _find_ceilings(ds: xr.Dataset, target: str) -> dict[str, Any]:
    """Return the best expected scores, by TF and pooled, if the dataset has a suitable specification."""
    spec = find_spec(ds)
    tfs = ds.indexes[TF].tolist()
    if target not in (MAGNITUDE, PERTURBATION) or spec is None or not set(tfs) <= set(spec.tf_labels):
        return {}
    kinds = classify_tfs(spec)
    by_kind = {kind: _compute_ceiling(ds.sel({TF: [tf]}), target) for kind, tf in {kinds[tf]: tf for tf in tfs}.items()}
    by_tf = np.array([by_kind[kinds[tf]] for tf in tfs])
    return {"ceiling": (TF, by_tf), f"{_POOLED}ceiling": _compute_ceiling(ds, target)}


def _compute_ceiling(ds: xr.Dataset, target: str) -> float:
    """Return the share of variance of a target that is not noise, over the TFs of a dataset."""
    if target == PERTURBATION:
        return 0.0
    magnitude = find_distribution(ds, MAGNITUDE)
    if isinstance(magnitude, Lattice):  # no noise at all
        return 1.0
    assert isinstance(magnitude, FoldedNormals)
    folded = folded_normal_mean(magnitude.means, magnitude.stds)
    noise = magnitude.weights @ np.maximum(magnitude.means**2 + magnitude.stds**2 - folded**2, 0)
    return float(1 - noise / magnitude.std**2) if magnitude.std else np.nan
