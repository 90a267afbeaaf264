"""Is a dataset what its specification says? A table of checks, each with what was expected and what was found.

Every tolerance is a bound on the deviation that holds for samples of any size, at odds of one in a thousand million
for each check, so that a check of a right dataset does not fail by chance. Sums are taken block by block.
"""

import math
from typing import Any

import numpy as np
import xarray as xr

from yeastxr import draws, theory
from yeastxr.adjust import adjusted_pairs
from yeastxr.blocks import map_blocks
from yeastxr.checktable import Check, CheckTable
from yeastxr.relations import tfs_named
from yeastxr.schema import BOUND_FRACTION, FEATURES, GENE, TF, validate
from yeastxr.simulate import SimulationSpec, spec_of

_ODDS = math.log(1e9)  # minus the log of half the chance that a check fails on a right dataset
_FLOAT32 = 2.0**-23


def check(ds: xr.Dataset) -> CheckTable:
    """Check a dataset against the data model and, where it holds a specification, against the closed forms.

    The tutorial's sanity checks among them: exact bound ratios; the distributions of binding and perturbation effects
    by label; perturbation effects rising with binding effects as the method says. A dask-backed dataset is read once,
    block by block.

    Parameters
    ----------
    ds
        The dataset, dims ``(..., gene, tf)``; NumPy or dask.

    Returns
    -------
    CheckTable
        One row a check; ``.passed`` says whether none failed.

    Raises
    ------
    SchemaError
        If a variable or a dim is missing or has the wrong dtype, so that there is nothing to check.

    Examples
    --------
    >>> import yeastxr as yx
    >>> ds = yx.simulate(genes=500, bound=[0.1, 0.2], seed=42)
    >>> yx.check(ds.assign(binding_effect=2 * ds.binding_effect)).passed
    False
    """
    validate(ds)
    spec = spec_of(ds)
    wanted: dict[str, xr.DataArray] = _ranges(ds)
    subset = None if spec is None else _subset(ds, spec)
    if spec is not None:
        wanted |= _population(ds) | _binding(ds) | _signs(ds)
        if subset is None:
            wanted |= _pvalues(ds, spec)
        adjusted = _adjusted(ds, spec)
        if adjusted is not None:
            wanted |= _perturbation(ds, spec, adjusted)
    import dask

    found = dict(zip(wanted, dask.compute(*wanted.values()), strict=True))
    rows = _range_rows(found)
    if spec is not None:
        rows += _population_rows(found, ds, spec, subset)
        rows += _binding_rows(found, spec)
        rows += _perturbation_rows(found, spec)
        rows += _sign_rows(found)
        rows += _pvalue_rows(found, spec, subset)
    return CheckTable(tuple(rows))


def _subset(ds: xr.Dataset, spec: SimulationSpec) -> str | None:
    """Say why sums over genes can't be checked, if the dataset holds but a part of the simulation's genes."""
    genes = ds.sizes[GENE]
    return None if genes == spec.n_genes else f"a subset: {genes} of {spec.n_genes} genes"


def _adjusted(ds: xr.Dataset, spec: SimulationSpec) -> xr.DataArray | None:
    """Return which pairs are adjusted, or None where TFs that the relationships name are not in the dataset."""
    here = set(ds.indexes[TF])
    relationships = {tf: entries for tf, entries in (spec.tf_relationships or {}).items() if tf in here}
    if any(named not in here for entries in relationships.values() for named in tfs_named(entries)):
        return None
    return adjusted_pairs(ds["label"], relationships)


def _ranges(ds: xr.Dataset) -> dict[str, xr.DataArray]:
    wrong = {}
    for feature in FEATURES[1:]:
        values = ds[feature.name]
        allowed = np.isfinite(values) & (values >= feature.least) & (values <= feature.most)
        wrong[f"outside {feature.name}"] = (~allowed).sum()
    return wrong


def _range_rows(found: dict[str, Any]) -> list[Check]:
    rows = []
    for feature in FEATURES[1:]:
        wrong = int(found[f"outside {feature.name}"])
        limits = f"finite, {feature.least:g} to {feature.most:g}"
        if not math.isfinite(feature.most):
            limits = f"finite, at least {feature.least:g}" if math.isfinite(feature.least) else "finite"
        rows.append(Check(f"{feature.long_name}: range", limits, f"{wrong} outside" if wrong else "all", wrong == 0))
    return rows


def _population(ds: xr.Dataset) -> dict[str, xr.DataArray]:
    return {"bound counts": ds["label"].sum(GENE)}


def _population_rows(found: dict[str, Any], ds: xr.Dataset, spec: SimulationSpec, subset: str | None) -> list[Check]:
    name, expected = "bound ratio of each TF", "exactly as asked for"
    if subset is not None or BOUND_FRACTION not in ds.coords:
        return [Check(name, expected, subset or f"no coordinate {BOUND_FRACTION!r}", None)]
    asked = xr.DataArray([round(spec.n_genes * float(b)) for b in ds[BOUND_FRACTION].values], dims=TF)
    right = found["bound counts"].drop_vars(TF) == asked
    text = f"{int(right.sum())} of {right.size} columns exact"
    return [Check(name, expected, text, bool(right.all()))]


def _by_label(ds: xr.Dataset) -> dict[str, xr.DataArray]:
    return {"bound": ds["label"], "unbound": ~ds["label"]}


def _binding(ds: xr.Dataset) -> dict[str, xr.DataArray]:
    effect = ds["binding_effect"].astype(np.float64)
    sums: dict[str, xr.DataArray] = {}
    for group, mask in _by_label(ds).items():
        inside = effect.where(mask, 0)
        sums |= {
            f"n {group}": mask.sum(),
            f"binding {group} sum": inside.sum(),
            f"binding {group} squares": (inside**2).sum(),
            f"binding {group} least": effect.where(mask, np.inf).min(),
            f"binding {group} most": effect.where(mask, -np.inf).max(),
        }
    return sums


def _binding_rows(found: dict[str, Any], spec: SimulationSpec) -> list[Check]:
    rows = []
    for group in ("bound", "unbound"):
        n = int(found[f"n {group}"])
        exact = theory.binding_moments(spec, bound=group == "bound")
        name = f"binding effect, {group}"
        if n == 0:
            rows.append(Check(name, f"mean {exact.mean:.4g}", "no such pairs", None))
            continue
        least, most = float(found[f"binding {group} least"]), float(found[f"binding {group} most"])
        inside = exact.least * (1 - _FLOAT32) <= least and most <= exact.most * (1 + _FLOAT32)
        limits = f"{exact.least:.4g} to {exact.most:.4g}"
        rows.append(Check(f"{name}: range", limits, f"{least:.4g} to {most:.4g}", inside))
        spread = max(exact.most - exact.mean, exact.mean - exact.least)
        mean = float(found[f"binding {group} sum"]) / n
        tolerance = _bernstein(n, exact.std, spread) + _FLOAT32 * exact.mean
        rows.append(_near(f"{name}: mean", mean, exact.mean, tolerance))
        spread = max(exact.most**2 - exact.square_mean, exact.square_mean - exact.least**2)
        square = float(found[f"binding {group} squares"]) / n
        tolerance = _bernstein(n, exact.square_std, spread) + 2 * _FLOAT32 * exact.square_mean
        rows.append(_near(f"{name}: mean square", square, exact.square_mean, tolerance))
    return rows


def _perturbation(ds: xr.Dataset, spec: SimulationSpec, adjusted: xr.DataArray) -> dict[str, xr.DataArray]:
    """Sum |effect| less its mean given the pair's binding effect, by whether a pair is bound and adjusted."""
    slope = theory.slope_of_mean(spec, spec)
    size = abs(ds["perturbation_effect"].astype(np.float64))
    binding = ds["binding_effect"].astype(np.float64)
    groups = {
        "adjusted": (adjusted, spec.bound_mean, spec.bound_std, slope),
        "failed": (ds["label"] & ~adjusted, spec.unbound_mean, spec.bound_std, 0.0),
        "unbound": (~ds["label"], spec.unbound_mean, spec.unbound_std, 0.0),
    }
    sums: dict[str, xr.DataArray] = {}
    for group, (mask, mean, std, rise) in groups.items():
        means = mean + rise * binding if rise else xr.full_like(binding, mean)
        sizes = xr.apply_ufunc(theory.folded_normal_mean, means, std, dask="parallelized", output_dtypes=[np.float64])
        centred = binding - theory.binding_moments(spec, bound=True).mean
        columns = {
            "n": xr.ones_like(size),
            "sizes": size,
            "expected sizes": sizes,
            "squares": size**2,
            "mean squares": means**2,
        }
        if group == "adjusted":
            columns |= {
                "binding": centred,
                "binding squares": centred**2,
                "binding x sizes": centred * size,
                "binding x expected sizes": centred * sizes,
            }
        sums |= {f"perturbation {group} {name}": column.where(mask, 0).sum() for name, column in columns.items()}
    return sums


def _perturbation_rows(found: dict[str, Any], spec: SimulationSpec) -> list[Check]:
    if "perturbation unbound n" not in found:
        return [Check("|perturbation effect|", "as the relations say", "a subset: TFs they name are not here", None)]
    names = {
        "adjusted": "bound" if spec.tf_relationships is None else "bound, conditions hold",
        "failed": "bound, conditions fail",
        "unbound": "unbound",
    }
    rows = []
    for group, called in names.items():
        got = {key.removeprefix(f"perturbation {group} "): float(v) for key, v in found.items() if group in key.split()}
        n, std = got["n"], spec.unbound_std if group == "unbound" else spec.bound_std
        name = f"|perturbation effect|, {called}"
        if n == 0:
            if group != "failed" or spec.tf_relationships is not None:
                rows.append(Check(f"{name}: mean", "", "no such pairs", None))
            continue
        expected = got["expected sizes"] / n
        # |normal| is sub-Gaussian: a function of slope 1 of a Gaussian.
        tolerance = std * math.sqrt(2 * _ODDS / n) + _FLOAT32 * abs(expected)
        rows.append(_near(f"{name}: mean", got["sizes"] / n, expected, tolerance))
        # Tails of the non-central chi-square, Birge 2001.
        square = got["mean squares"] / n + std**2
        width = 2 * math.sqrt((std**4 + 2 * got["mean squares"] / n * std**2) * _ODDS / n) + 2 * std**2 * _ODDS / n
        rows.append(_near(f"{name}: mean square", got["squares"] / n, square, width + 2 * _FLOAT32 * square))
        if group == "adjusted":
            rows.append(_slope_row(got, n, std))
    return rows


def _slope_row(got: dict[str, float], n: float, std: float) -> Check:
    """Compare the slope of |effect| over the binding effect with what the means of the pairs make it."""
    name = "|perturbation effect| over binding effect: slope"
    spread = got["binding squares"] - got["binding"] ** 2 / n
    if spread <= _FLOAT32 * got["binding squares"] or n < 2:
        return Check(name, "as the method says", "binding effects do not vary", None)
    found = (got["binding x sizes"] - got["binding"] * got["sizes"] / n) / spread
    expected = (got["binding x expected sizes"] - got["binding"] * got["expected sizes"] / n) / spread
    tolerance = std * math.sqrt(2 * _ODDS / spread) + _FLOAT32 * (abs(expected) + 1)
    return _near(name, found, expected, tolerance)


def _signs(ds: xr.Dataset) -> dict[str, xr.DataArray]:
    effect = ds["perturbation_effect"]
    return {"positive": (effect > 0).sum(), "negative": (effect < 0).sum()}


def _sign_rows(found: dict[str, Any]) -> list[Check]:
    positive, n = int(found["positive"]), int(found["positive"]) + int(found["negative"])
    name = "perturbation effect: share positive"
    if n == 0:
        return [Check(name, "0.5", "no effect differs from 0", None)]
    return [_near(name, positive / n, 0.5, math.sqrt(_ODDS / (2 * n)))]


def _pvalues(ds: xr.Dataset, spec: SimulationSpec) -> dict[str, xr.DataArray]:
    sums: dict[str, xr.DataArray] = {}
    for kind in ("binding", "perturbation"):
        effect = ds[f"{kind}_effect"].transpose(..., GENE, TF).fillna(0)
        pvalue = ds[f"{kind}_pvalue"].astype(np.float64)
        whole = effect.chunk({GENE: -1}) if effect.chunks else effect
        cutoffs = map_blocks(
            draws.abs_quantiles,
            effect.dims,
            [whole],
            dtype=np.float64,
            reduces=GENE,
            fraction=spec.large_effect_percentile,
        )
        large = abs(effect.astype(np.float64)) >= xr.DataArray(cutoffs.isel({GENE: 0}))
        sums |= {
            f"{kind} large": large.sum(),
            f"{kind} small": (~large).sum(),
            f"{kind} large sum": pvalue.where(large, 0).sum(),
            f"{kind} small sum": pvalue.where(~large, 0).sum(),
            f"{kind} broken": (large & (pvalue > spec.large_effect_upper_pval + _FLOAT32)).sum(),
        }
    return sums


def _pvalue_rows(found: dict[str, Any], spec: SimulationSpec, subset: str | None) -> list[Check]:
    rows = []
    upper = spec.large_effect_upper_pval
    for kind in ("binding", "perturbation"):
        rule = f"at most {upper:g} from quantile {spec.large_effect_percentile:g} on"
        if subset is not None:
            rows.append(Check(f"{kind} p-value, large effects", rule, subset, None))
            continue
        broken = int(found[f"{kind} broken"])
        text = f"{broken} above" if broken else f"all {int(found[f'{kind} large'])}"
        rows.append(Check(f"{kind} p-value, large effects", rule, text, broken == 0))
        for size, end in (("large", upper), ("small", 1.0)):
            n = int(found[f"{kind} {size}"])
            if n:
                # A uniform value is sub-Gaussian with its own standard deviation.
                tolerance = end / math.sqrt(12) * math.sqrt(2 * _ODDS / n) + _FLOAT32
                name = f"{kind} p-value, {'large' if size == 'large' else 'other'} effects: mean"
                rows.append(_near(name, float(found[f"{kind} {size} sum"]) / n, end / 2, tolerance))
    return rows


def _near(name: str, found: float, expected: float, tolerance: float) -> Check:
    ok = abs(found - expected) <= tolerance
    return Check(name, f"{expected:.4f} ± {tolerance:.2g}", f"{found:.4f}", bool(ok))


def _bernstein(n: int, std: float, spread: float) -> float:
    """Return how far the mean of n bounded values may lie from its expectation, by Bernstein's inequality."""
    b = 2 * spread * _ODDS / 3
    return (b + math.sqrt(b**2 + 8 * n * std**2 * _ODDS)) / (2 * n)
