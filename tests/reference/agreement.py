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
CODES = {
    "all": [0, 1, 2],
    "unbound": [0],
    "bound": [1, 2],
    "bound_active": [1],
    "bound_inactive": [2],
}
ROUNDING = 1e-7  # values are float32: nothing is claimed beyond that


class Expectation:
    """Theory of a group and a feature: moments, the cdf at several points, and the share of large effects."""

    def __init__(self, spec: yx.SimulationSpec, feature: str, group: str) -> None:
        arguments = theory.GROUPS[group]
        d = theory.distribution(spec, feature, **arguments)
        signed = feature == "perturbation_effect"
        self.moments = {
            "mean": (0, d.mean),
            "magnitude": (1, d.magnitude().mean if signed else d.mean),
            "square": (2, d.std**2 + d.mean**2),
        }
        self.points = np.unique(d.quantile(np.array(LEVELS)))
        self.cdf = d.cdf(self.points)
        self.large = None if feature.endswith("pvalue") else theory.large_fraction(spec, feature, **arguments)


def compute_scores(spec: yx.SimulationSpec, *, blocks: int) -> dict[tuple[str, str, str], float]:
    """Return a standard score for each (group, feature, statistic); each block draws all replicates anew."""
    pairs = theory.expected(spec).pairs
    groups = [group for group in theory.GROUPS if pairs.sel(group=group) > 0]
    expected = {(group, feature): Expectation(spec, feature, group) for group in groups for feature in FEATURES}
    rows: dict[tuple[str, str, str], list[tuple[float, float]]] = {}
    for block in range(blocks):
        ds = replace(spec, seed=spec.seed + block).simulate()
        for key, deviation, scale in _iterate_deviations(ds, spec, groups, expected):
            rows.setdefault(key, []).append((deviation, scale))
    return {key: _compute_score(*np.array(values).T) for key, values in rows.items()}


def compute_large_scores(spec: yx.SimulationSpec, *, blocks: int) -> dict[str, float]:
    """Return a standard score for the share of large perturbation effects by group, replicates being independent."""
    pairs = theory.expected(spec).pairs
    groups = [group for group in theory.GROUPS if pairs.sel(group=group) > 0]
    expected = {group: theory.large_fraction(spec, "perturbation_effect", **theory.GROUPS[group]) for group in groups}
    deviations: dict[str, list[np.ndarray]] = {group: [] for group in groups}
    for block in range(blocks):
        ds = replace(spec, seed=spec.seed + block).simulate()
        active = yx.adjusted_pairs(ds["label"], spec.tf_relationships).values
        status = np.where(ds["label"].values, np.where(active, 1, 2), 0)
        effects = ds["perturbation_effect"].values
        large = np.abs(effects) >= draws.compute_abs_quantiles(effects, fraction=spec.large_effect_percentile)
        for group in groups:
            members = np.isin(status, CODES[group])
            deviations[group].append((members * (large - expected[group])).sum(axis=(1, 2)))
    scores = {}
    for group, values in deviations.items():
        total = np.concatenate(values)
        # A group with no large effect, or no other, in any replicate: its score is by the number expected.
        error = max(total.std(ddof=1), np.sqrt(abs(total.mean()))) / np.sqrt(total.size)
        excess = max(abs(total.mean()) - ROUNDING, 0.0)
        scores[group] = float(excess / error) if excess else 0.0
    return scores


def _compute_score(deviations: np.ndarray, scales: np.ndarray) -> float:
    excess = max(abs(deviations.sum()) - ROUNDING * scales.sum(), 0.0)
    error = np.sqrt(deviations.size) * deviations.std(ddof=1)
    return float(excess / error) if excess else 0.0


def _iterate_deviations(
    ds: object, spec: yx.SimulationSpec, groups: list[str], expected: dict[tuple[str, str], Expectation]
) -> Iterator[tuple[tuple[str, str, str], float, float]]:
    """Yield sums over a block of observed less expected values, and of the magnitudes of the terms."""
    label = ds["label"]
    active = yx.adjusted_pairs(label, spec.tf_relationships)
    status = np.where(label.values, np.where(active.values, 1, 2), 0).reshape(-1)
    cells = np.bincount(status, minlength=3).astype(float)
    pairs = theory.expected(spec).pairs
    for group in groups:
        count = cells[CODES[group]].sum()
        yield (group, "label", "pairs"), count - float(pairs.sel(group=group)) * (spec.replicates or 1), cells.sum()
    for feature in FEATURES:
        stored = ds[feature].values
        x = stored.astype(np.float64).reshape(-1)
        sums = np.array([np.bincount(status, w, minlength=3) for w in (x, np.abs(x), x**2)])
        points = np.unique(np.concatenate([expected[group, feature].points for group in groups]))
        positions = np.searchsorted(points, x)
        counts = np.bincount(status * (points.size + 1) + positions, minlength=3 * (points.size + 1)).reshape(3, -1)
        upto = np.cumsum(counts, axis=1)
        if not feature.endswith("pvalue"):
            cutoffs = draws.compute_abs_quantiles(stored, fraction=spec.large_effect_percentile)
            large = np.bincount(status, (np.abs(stored) >= cutoffs).reshape(-1), minlength=3)
        for group in groups:
            expectation, codes = expected[group, feature], CODES[group]
            n = cells[codes].sum()
            for name, (power, value) in expectation.moments.items():
                yield (group, feature, name), sums[power][codes].sum() - n * value, sums[max(power, 1)][codes].sum()
            slots = np.searchsorted(points, expectation.points)
            for i, (slot, value) in enumerate(zip(slots, expectation.cdf, strict=True)):
                yield (group, feature, f"cdf {i}"), upto[codes, slot].sum() - n * value, n
            if expectation.large is not None:
                yield (group, feature, "large"), large[codes].sum() - n * expectation.large, n
