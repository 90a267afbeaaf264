"""Simulated cells against theory: standard scores whose errors are measured between independent blocks of replicates.

Pairs of a replicate depend on each other (labels add up, conditions share columns): a block's sum counts as one draw.
"""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

import yeastxr as yx
from yeastxr import theory
from yeastxr.simulation import draws

FEATURES = ("binding_effect", "binding_pvalue", "perturbation_effect", "perturbation_pvalue")
LEVELS = (0.001, 0.05, 0.25, 0.5, 0.75, 0.95, 0.999)
KINDS = {
    "all": [0, 1, 2],
    "unbound": [0],
    "bound": [1, 2],
    "bound_active": [1],
    "bound_inactive": [2],
}
ROUNDING = 1e-7  # values are float32: nothing is claimed beyond that


class Expectation:
    """What theory says about a group and a feature: moments, the cdf at some points, and the share of large effects."""

    def __init__(self, spec: yx.SimulationSpec, feature: str, group: str) -> None:
        asked = theory.GROUPS[group]
        d = theory.distribution(spec, feature, **asked)
        signed = feature == "perturbation_effect"
        self.moments = {
            "mean": (0, d.mean),
            "size": (1, d.magnitude().mean if signed else d.mean),
            "square": (2, d.std**2 + d.mean**2),
        }
        self.points = np.unique(d.quantile(np.array(LEVELS)))
        self.cdf = d.cdf(self.points)
        self.large = None if feature.endswith("pvalue") else theory.large_fraction(spec, feature, **asked)


def scores(spec: yx.SimulationSpec, *, blocks: int) -> dict[tuple[str, str, str], float]:
    """Return a standard score for each quantity: (group, feature, what); each block draws all replicates anew."""
    here = theory.expected(spec).pairs
    groups = [group for group in theory.GROUPS if here.sel(group=group) > 0]
    expected = {(group, feature): Expectation(spec, feature, group) for group in groups for feature in FEATURES}
    found: dict[tuple[str, str, str], list[tuple[float, float]]] = {}
    for block in range(blocks):
        ds = replace(spec, seed=spec.seed + block).simulate()
        for key, deviation, scale in _deviations(ds, spec, groups, expected):
            found.setdefault(key, []).append((deviation, scale))
    return {key: _score(*np.array(rows).T) for key, rows in found.items()}


def _score(deviations: np.ndarray, scales: np.ndarray) -> float:
    excess = max(abs(deviations.sum()) - ROUNDING * scales.sum(), 0.0)
    error = np.sqrt(deviations.size) * deviations.std(ddof=1)
    return float(excess / error) if excess else 0.0


def _deviations(
    ds: object, spec: yx.SimulationSpec, groups: list[str], expected: dict[tuple[str, str], Expectation]
) -> Iterator[tuple[tuple[str, str, str], float, float]]:
    """Yield sums over a block of what was found less what theory says, and of the size of what was summed."""
    label = ds["label"]
    holds = yx.adjusted_pairs(label, spec.tf_relationships)
    kind = np.where(label.values, np.where(holds.values, 1, 2), 0).reshape(-1)
    cells = np.bincount(kind, minlength=3).astype(float)
    pairs = theory.expected(spec).pairs
    for group in groups:
        count = cells[KINDS[group]].sum()
        yield (group, "label", "pairs"), count - float(pairs.sel(group=group)) * (spec.replicates or 1), cells.sum()
    for feature in FEATURES:
        stored = ds[feature].values
        x = stored.astype(np.float64).reshape(-1)
        sums = np.array([np.bincount(kind, w, minlength=3) for w in (x, np.abs(x), x**2)])
        points = np.unique(np.concatenate([expected[group, feature].points for group in groups]))
        slots = np.searchsorted(points, x)
        counts = np.bincount(kind * (points.size + 1) + slots, minlength=3 * (points.size + 1)).reshape(3, -1)
        upto = np.cumsum(counts, axis=1)
        if not feature.endswith("pvalue"):
            cutoffs = draws.compute_abs_quantiles(stored, fraction=spec.large_effect_percentile)
            large = np.bincount(kind, (np.abs(stored) >= cutoffs).reshape(-1), minlength=3)
        for group in groups:
            told, rows = expected[group, feature], KINDS[group]
            n = cells[rows].sum()
            for name, (power, value) in told.moments.items():
                yield (group, feature, name), sums[power][rows].sum() - n * value, sums[max(power, 1)][rows].sum()
            at = np.searchsorted(points, told.points)
            for i, (slot, value) in enumerate(zip(at, told.cdf, strict=True)):
                yield (group, feature, f"cdf {i}"), upto[rows, slot].sum() - n * value, n
            if told.large is not None:
                yield (group, feature, "large"), large[rows].sum() - n * told.large, n
