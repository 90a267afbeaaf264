"""ROC and precision-recall curves of a score, by TF and pooled, with theoretical curves."""

from fractions import Fraction
from functools import partial
from typing import Any

import numpy as np
import xarray as xr

from yeastxr._validate import check_choice, check_integer
from yeastxr.analysis.columns import (
    align_columns,
    check_dataset,
    map_columns,
    order_bits,
    take_truth,
    take_values,
)
from yeastxr.schema import BINDING, GENE, LABEL, PERTURBATION, TF, match_to
from yeastxr.simulation.simulate import SimulationSpec
from yeastxr.theory.distributions import Distribution, FoldedNormals, Lattice, UniformMixture
from yeastxr.theory.features import distribution, find_distribution, find_spec
from yeastxr.theory.pairs import TFKind, classify_tfs, make_binding_distributions, make_group_magnitudes

FPR, RECALL = "fpr", "recall"
EXACT_PAIRS = 10**7
_POOLS = ("auto", "exact", "histogram")
_HISTOGRAM_BITS = 18  # leading bits of float32: 512 bins for each power of two
_QUANTILES = 513  # number of quantiles for theoretical curves


def curves(
    ds: xr.Dataset,
    *,
    score: str | xr.DataArray = BINDING,
    truth: str | xr.DataArray = LABEL,
    points: int = 101,
    pool: str = "auto",
) -> xr.Dataset:
    """Compute ROC and precision-recall curves of a score, by TF and pooled over all pairs.

    A pair is called if its score is at least the threshold. Pairs with equal scores are called together, so that the
    ROC curve is a line between them, and the area under it is the probability that a true pair has the larger score,
    plus half the probability of a tie (Hanley and McNeil 1982). The area under the precision-recall curve is the
    average precision, ``sum((R_n - R_(n-1)) P_n)`` over thresholds, without interpolation (Davis and Goadrich 2006,
    https://doi.org/10.1145/1143844.1143874). Chance is 1/2 for the first, and the base rate for the second.

    Curves by TF are exact. Pooled curves are exact up to 10^7 pairs. For more pairs, scores are counted block by block
    in bins, 512 for each power of two, and pairs in a bin are ties; ``pooled_auroc_error`` and ``pooled_auprc_error``
    are bounds of the resulting error of the areas.

    Parameters
    ----------
    ds
        A dataset with dims ``(..., gene, tf)``, NumPy or dask.
    score
        A feature of the dataset, ``"perturbation_magnitude"``, or an array with its pairs, such as the prediction of a
        model. Smaller p-values are larger scores.
    truth
        ``"label"``, or a bool array of pairs, such as the result of :func:`yeastxr.adjusted_pairs`.
    points
        The number of points of a curve, at least 2.
    pool
        How to pool: ``"exact"`` or ``"histogram"``. The default depends on the number of pairs.

    Returns
    -------
    xarray.Dataset
        float64, or NaN if all pairs are true or none is; dask-backed if ds is.

        - ``auroc``, ``auprc`` and ``base_rate`` (..., tf); ``genes`` and ``missing`` (..., tf), int64, the numbers of
          pairs used, and omitted because their score is NaN;
        - ``tpr`` and ``threshold`` (..., tf, fpr): the share of true pairs that are called, at false positive rates
          ``fpr`` from 0 to 1, and the lowest threshold that calls at most that share of false pairs, infinite where
          none does (of p-values, with their sign turned);
        - ``precision`` (..., tf, recall): the share of called pairs that are true, at the highest threshold that calls
          at least a share ``recall`` of true pairs;
        - the same of all pairs: ``pooled_auroc``, ``pooled_auprc``, ``pooled_base_rate``, ``pooled_tpr``,
          ``pooled_threshold``, ``pooled_precision``;
        - if the dataset has a specification, the score is a feature and the truth the label: ``theory_auroc`` (tf),
          ``pooled_theory_auroc`` and ``pooled_theory_tpr`` (fpr), from the exact distributions of single pairs.

    Raises
    ------
    InputError
        If there is neither a label nor a truth, or an argument is invalid.

    Examples
    --------
    >>> import yeastxr as yx
    >>> ds = yx.simulate(genes=1000, bound=[0.1, 0.3], seed=42)
    >>> curves = yx.analysis.curves(ds, score="perturbation_magnitude")
    >>> curves.auroc.round(3).values, curves.theory_auroc.round(3).values
    (array([0.952, 0.96 ]), array([0.967, 0.967]))
    """
    ds = check_dataset(ds)
    n_points = check_integer("points", points, least=2, most=10_000)
    check_choice("pool", pool, _POOLS)
    labels = take_truth(ds, truth, "truth", "curves")
    values = match_to(take_values(ds, score, "score"), "score", labels, "truth")
    if isinstance(score, str) and score.endswith("pvalue"):
        values = -values
    arrays = dict(zip(("truth", "score"), align_columns({"truth": labels, "score": values}), strict=True))
    grid = np.linspace(0, 1, n_points)
    layout: dict[str, Any] = dict.fromkeys(("genes", "missing"), (None, 1, np.int64))
    layout |= dict.fromkeys(("base_rate", "auroc", "auprc", "auroc_error", "auprc_error"), (None, 1, np.float64))
    layout |= dict.fromkeys(("tpr", "threshold"), (FPR, n_points, np.float64))
    layout |= {"precision": (RECALL, n_points, np.float64)}
    trace = partial(map_columns, _trace_columns, layout=layout, grid=grid)
    result = trace(arrays)
    exact = pool == "exact" or (pool == "auto" and labels.size <= EXACT_PAIRS)
    pooled = trace({name: _join_pairs(array) for name, array in arrays.items()}) if exact else {}
    if not exact:
        pooled = map_columns(_trace_counts, _count_scores(**arrays), layout, grid=grid)
    for name in ("auroc_error", "auprc_error"):
        del result[name]
        pooled[name] = xr.zeros_like(pooled[name]) if exact else pooled[name]
    result |= {f"pooled_{name}": array.isel({TF: 0}, drop=True) for name, array in pooled.items()}
    del result["pooled_genes"], result["pooled_missing"]
    curves = xr.Dataset(result).assign_coords({FPR: grid, RECALL: grid})
    name = score if isinstance(score, str) else str(score.name or "score")
    if isinstance(score, str) and isinstance(truth, str):
        curves = curves.assign(_expect_curves(ds, score, grid))
    return curves.assign_attrs(score=name)


def _trace_columns(truth: np.ndarray, score: np.ndarray, *, grid: np.ndarray) -> np.ndarray:
    """Return counts, areas and curves of each column, from pairs in descending order of scores."""
    from yeastxr.analysis import kernels

    known = ~np.isnan(score)
    score = np.where(known, score, -np.inf)
    order = np.argsort(-score, axis=1)
    scores = np.take_along_axis(score, order, axis=1).astype(np.float64)
    is_true = np.take_along_axis(truth & known, order, axis=1)
    is_false = np.take_along_axis(~truth & known, order, axis=1)
    out = np.empty((truth.shape[0], 4 + 3 * grid.size))
    kernels.trace_curves(scores, is_true, is_false, grid, grid, out)
    n, n_true = known.sum(axis=1), is_true.sum(axis=1)
    with np.errstate(invalid="ignore"):
        return np.column_stack([n, truth.shape[1] - n, n_true / n, out])


def _join_pairs(array: xr.DataArray) -> xr.DataArray:
    """Return all pairs of an array as one column."""
    data = array.data.reshape(-1, 1)
    return xr.DataArray(data.rechunk(-1) if array.chunks else data, dims=(GENE, TF))


def _count_scores(truth: xr.DataArray, score: xr.DataArray) -> dict[str, xr.DataArray]:
    """Return the number of true and false pairs in each bin, in descending order of scores."""
    if truth.chunks:
        import dask.array as da

        counts = da.map_blocks(
            _count_block,
            truth.data,
            score.data,
            dtype=np.int64,
            new_axis=truth.ndim,
            chunks=(*((1,) * n for n in truth.data.numblocks), (2 << _HISTOGRAM_BITS,)),
            meta=np.empty((0,) * (truth.ndim + 1), np.int64),
        ).sum(axis=tuple(range(truth.ndim)))
    else:
        counts = _count_block(truth.values, score.values).reshape(-1)
    table = counts.reshape(2, -1, 1)
    return {name: xr.DataArray(table[i], dims=(GENE, TF)) for i, name in enumerate(("false", "true"))}


def _count_block(truth: np.ndarray, score: np.ndarray) -> np.ndarray:
    """Return the numbers of false and true pairs by bin along a last axis, in descending order of scores."""
    known = ~np.isnan(score)
    bins = (order_bits(score[known]) >> np.uint64(32 - _HISTOGRAM_BITS)).astype(np.int64)
    slots = ((1 << _HISTOGRAM_BITS) - 1 - bins) + (truth[known].astype(np.int64) << _HISTOGRAM_BITS)
    return np.bincount(slots, minlength=2 << _HISTOGRAM_BITS).reshape((1,) * truth.ndim + (-1,))


def _trace_counts(false: np.ndarray, true: np.ndarray, *, grid: np.ndarray) -> np.ndarray:
    """Return counts, areas and curves from counts in bins; a threshold is the smallest score of its bin."""
    from yeastxr.analysis import kernels

    out = np.empty((1, 4 + 3 * grid.size))
    kernels.trace_curves(_find_bin_starts()[None], true.astype(float), false.astype(float), grid, grid, out)
    n_true, n = true.sum(), (true + false).sum()
    return np.column_stack([[n], [0], [n_true / n if n else np.nan], out])


def _find_bin_starts() -> np.ndarray:
    """Return the smallest score of each bin, in descending order; bins beyond infinity are empty."""
    ordered = np.arange(1 << _HISTOGRAM_BITS, dtype=np.uint32)[::-1] << np.uint32(32 - _HISTOGRAM_BITS)
    bits = np.where(ordered >> 31, ordered ^ np.uint32(0x80000000), ~ordered)
    with np.errstate(invalid="ignore"):
        starts = bits.astype(np.uint32).view(np.float32).astype(np.float64)
    return np.where(np.isnan(starts), np.where(ordered >> 31, np.inf, -np.inf), starts)


def _expect_curves(ds: xr.Dataset, score: str, grid: np.ndarray) -> dict[str, Any]:
    """Return theoretical areas and curves of a feature as a score, if the dataset has a specification."""
    spec, expected = find_spec(ds), expect_roc(ds, score)
    if spec is None or expected is None:
        return {}
    fpr, tpr = expected
    kinds = classify_tfs(spec)
    areas = _expect_areas(spec, score)
    by_tf = [areas[kinds[tf]] for tf in ds.indexes[TF].tolist()]
    return {
        "theory_auroc": (TF, np.array(by_tf)),
        "pooled_theory_auroc": np.trapezoid(tpr, fpr),
        "pooled_theory_tpr": (FPR, _interpolate(grid, fpr, tpr)),
    }


def expect_roc(ds: xr.Dataset, score: str, quantiles: int = _QUANTILES) -> tuple[np.ndarray, np.ndarray] | None:
    """Return theoretical false and true positive rates of a feature over all pairs; None if unknown.

    They are exact at their points.
    """
    bound, unbound = (find_distribution(ds, score, label=label) for label in (True, False))
    if bound is None or unbound is None:
        return None
    return _compute_roc(bound, unbound, rising=score.endswith("pvalue"), quantiles=quantiles)


def _expect_areas(spec: SimulationSpec, score: str) -> dict[TFKind, float]:
    """Return the area under the ROC curve of each kind of TF; NaN if all pairs are bound or none is."""
    kinds = {kind: tf for tf, kind in classify_tfs(spec).items()}
    mixed = {kind: tf for kind, tf in kinds.items() if 0 < kind.bound < spec.n_genes}
    areas = dict.fromkeys(kinds, np.nan)
    if score == PERTURBATION and all(kind.positive == 0.5 for kind in mixed):  # signs are random
        return areas | dict.fromkeys(mixed, 0.5)
    if score == PERTURBATION:
        for kind, tf in mixed.items():
            unbound, bound = (distribution(spec, score, label=label, tf=tf) for label in (False, True))
            areas[kind] = compute_area(bound, unbound)
    elif score.endswith("pvalue"):
        for kind, tf in mixed.items():
            unbound, bound = (distribution(spec, score, label=label, tf=tf) for label in (False, True))
            areas[kind] = compute_area(bound, unbound, rising=True)
    elif score == BINDING:
        unbound, bound = make_binding_distributions(spec)
        areas |= dict.fromkeys(mixed, compute_area(bound, unbound))
    else:  # the area of a mixture is the mixture of areas
        by_indirect: dict[Fraction, tuple[float, ...]] = {}
        for kind in mixed:
            if kind.indirect not in by_indirect:
                of_unbound, *of_bound = make_group_magnitudes(spec, kind)
                by_indirect[kind.indirect] = tuple(compute_area(d, of_unbound) for d in of_bound)
            active, inactive = by_indirect[kind.indirect]
            areas[kind] = float(kind.adjusted) * active + float(1 - kind.adjusted) * inactive
    return areas


def compute_area(
    bound: Distribution, unbound: Distribution, *, rising: bool = False, quantiles: int = _QUANTILES
) -> float:
    """Return the area under the ROC curve by theory; with ``rising``, small values are called."""
    fpr, tpr = _compute_roc(bound, unbound, rising=rising, quantiles=quantiles)
    return float(np.trapezoid(tpr, fpr))


def _compute_roc(
    bound: Distribution, unbound: Distribution, *, rising: bool, quantiles: int = _QUANTILES
) -> tuple[np.ndarray, np.ndarray]:
    """Return a theoretical ROC curve, exact at its points: all atoms, and quantiles of continuous parts.

    With ``rising``, pairs with small values are called.
    """
    parts = [_list_points(d, quantiles) for d in (bound, unbound)]
    points = np.unique(np.concatenate(parts))
    points = np.union1d(points, np.nextafter(points, -np.inf))
    fpr, tpr = (np.asarray(d.cdf(points) if rising else d.sf(points)) for d in (unbound, bound))
    if not rising:
        fpr, tpr = fpr[::-1], tpr[::-1]
    return np.concatenate([[0.0], fpr, [1.0]]), np.concatenate([[0.0], tpr, [1.0]])


def _list_points(d: Distribution, quantiles: int) -> np.ndarray:
    """Return values between which a distribution has no atoms and a smooth curve."""
    if isinstance(d, Lattice):
        return d.values
    if isinstance(d, UniformMixture):
        return np.union1d(d.ends, 0.0)
    q = np.linspace(0, 1, quantiles)[1:-1]
    points = np.asarray(d.quantile(np.concatenate([[1e-6, 1e-4], q, [1 - 1e-4, 1 - 1e-6]])))
    atoms = d.atoms if isinstance(d, FoldedNormals) else None
    return points if atoms is None else np.union1d(points, atoms.values)


def _interpolate(grid: np.ndarray, fpr: np.ndarray, tpr: np.ndarray) -> np.ndarray:
    """Interpolate a curve at points of a grid; where it is vertical, take its upper end."""
    right = np.searchsorted(fpr, grid, side="right").clip(1, fpr.size - 1)
    left = right - 1
    width = fpr[right] - fpr[left]
    share = np.divide(grid - fpr[left], width, out=np.zeros_like(grid), where=width > 0)
    return np.where(grid >= 1, 1.0, tpr[left] + share * (tpr[right] - tpr[left]))
