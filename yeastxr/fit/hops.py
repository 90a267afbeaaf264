"""Fits of hops: uniform ranges, from hops or from the lattice of binding effects, and negative binomial distributions.

An :class:`Estimate` is a value with its standard error. Ends of ranges are the smallest and the largest count that
occur; their error is the root mean square of the distance to the true end.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import combinations, product
from typing import NamedTuple

import numpy as np

from yeastxr.fit.cells import HopCounts, Moments
from yeastxr.simulation.parameters import BindingParameters
from yeastxr.simulation.tables import FACTOR_LEVELS, make_gamma_levels

RANGES = ("background_hops_range", "unbound_experiment_hops_range", "bound_experiment_hops_range")
MEANS = ("background_hops_mean", "unbound_experiment_hops_mean", "bound_experiment_hops_mean")
DISPERSIONS = ("background_hops_dispersion", "experiment_hops_dispersion", "promoter_dispersion")
_MOST_EXPERIMENT_HOPS = 200  # experiment hops to try for a binding effect
_MOST_COMBINATIONS = 200_000  # combinations of hops with tabulated binding effects
_MOST_MOVES = 500
_MATCHED_HOPS = 30  # the largest experiment hop of ranges chosen by moments
_SIGNIFICANT = 3.0  # standard errors for significant differences of promoters
_STEP = 1e-4


class Estimate(NamedTuple):
    """A number and its standard error, which is NaN if unknown."""

    value: float
    error: float


@dataclass(frozen=True)
class HopFit:
    """Parameters of hops by name (two estimates for a range, one for others), and the log likelihood of the counts."""

    estimates: dict[str, tuple[Estimate, ...]]
    log_likelihood: float = np.nan
    notes: tuple[str, ...] = ()


def find_end_error(length: int, n: float) -> float:
    """Return the root mean square of the distance from an end of a range to the nearest of n uniform numbers.

    The distance is at least j with probability ``(1 - j / length)^n``.
    """
    missing = np.arange(1, length)
    return float(np.sqrt(np.sum((2 * missing - 1) * (1 - missing / length) ** n))) if n else np.nan


def _make_ranges(ends: Iterable[tuple[str, tuple[int, int], float]]) -> dict[str, tuple[Estimate, ...]]:
    return {
        name: tuple(Estimate(end, find_end_error(last - first + 1, n)) for end in (first, last))
        for name, (first, last), n in ends
    }


def fit_uniform_hops(hops: HopCounts) -> HopFit:
    """Return the ranges of hops: the smallest and the largest count that occur."""
    ends, log_likelihood = [], 0.0
    for name, counts in zip(RANGES, (hops.background, hops.unbound, hops.bound), strict=True):
        present = np.flatnonzero(counts)
        if not present.size:
            continue
        first, last, n = int(present[0]), int(present[-1]), float(counts.sum())
        ends.append((name, (first, last), n))
        log_likelihood -= n * np.log(last - first + 1)
    return HopFit(_make_ranges(ends), log_likelihood)


# The lattice of binding effects of all combinations of uniform hops.


class _Lattice:
    """The likelihood of observed binding effects of both groups, by ranges of hops."""

    def __init__(self, values: np.ndarray, counts: np.ndarray, params: BindingParameters) -> None:
        self._values, self._counts, self._params = values, counts, params
        self._cache: dict[tuple[int, ...], float] = {}

    def evaluate(self, ends: tuple[int, ...]) -> float:
        """Return the log likelihood of ends: background, unbound and bound hops, first and last."""
        total = 0.0
        for code in (0, 1):
            if self._counts[code].any():
                total += self._evaluate_group(code, *ends[:2], *ends[2 + 2 * code : 4 + 2 * code])
        return total

    def _evaluate_group(self, code: int, *ends: int) -> float:
        key = (code, *ends)
        if key not in self._cache:
            self._cache[key] = self._compute(code, *ends)
        return self._cache[key]

    def _compute(self, code: int, first: int, last: int, least: int, most: int) -> float:
        if first > last or least > most or least < 0 or first < 0 or (first == 0 and self._params.pseudocount == 0):
            return -np.inf
        if (last - first + 1) * (most - least + 1) > _MOST_COMBINATIONS:
            return -np.inf
        background, experiment = np.arange(first, last + 1.0), np.arange(least, most + 1.0)
        effects = np.asarray(self._params.effect(experiment[:, None], background)).astype(np.float32)
        distinct, multiplicity = np.unique(effects, return_counts=True)
        counts = self._counts[code]
        values = self._values[counts > 0]
        places = np.minimum(np.searchsorted(distinct, values), distinct.size - 1)
        if not np.array_equal(distinct[places], values):
            return -np.inf
        return float(counts[counts > 0] @ np.log(multiplicity[places] / effects.size))


def fit_lattice(values: np.ndarray, counts: np.ndarray, params: BindingParameters) -> HopFit | None:
    """Return the most likely ranges of uniform hops for observed binding effects; None if none fits.

    ``values`` are the distinct effects, float32, and ``counts`` ``(2, n)`` their frequencies in unbound and bound
    pairs. Totals and pseudocount come from the parameters. The search starts at the smallest hops that give each
    effect, and moves one or two ends at a time.
    """
    numerators, denominators = _find_fractions(values[values > 0].astype(np.float64), params)
    if not numerators.size:
        return None
    own = {code: numerators[counts[code][values > 0] > 0] for code in (0, 1)}
    ends = [int(denominators.min()), int(denominators.max())]
    for code in (0, 1):
        has_none = bool(counts[code][values == 0].any())
        if own[code].size:
            ends += [0 if has_none else int(own[code].min()), int(own[code].max())]
        else:
            ends += [0, 0] if has_none else [1, 1]
    lattice = _Lattice(values, counts, params)
    best = tuple(ends)
    if not np.isfinite(lattice.evaluate(best)):
        return None
    best = _climb_ends(lattice.evaluate, best)
    positive = counts[:, values > 0].sum(axis=1)
    ranges = [(RANGES[0], (best[0], best[1]), float(positive.sum()))]
    ranges += [
        (RANGES[1 + code], (best[2 + 2 * code], best[3 + 2 * code]), float(counts[code].sum()))
        for code in (0, 1)
        if counts[code].any()
    ]
    return HopFit(_make_ranges(ranges), lattice.evaluate(best))


def _find_fractions(values: np.ndarray, params: BindingParameters) -> tuple[np.ndarray, np.ndarray]:
    """Return the smallest experiment hops that give each effect, and their background hops; empty if there are none."""
    nothing = np.zeros(0, int), np.zeros(0, int)
    factor, offset = params.factors
    numerators, denominators = np.zeros(values.size, int), np.zeros(values.size, int)
    for experiment in range(1, _MOST_EXPERIMENT_HOPS + 1):
        left = numerators == 0
        if not left.any():
            break
        background = experiment * factor / values[left] - offset
        nearest = np.round(background)
        with np.errstate(divide="ignore"):
            exact = np.asarray(params.effect(float(experiment), nearest)).astype(np.float32) == values[left]
        places = np.flatnonzero(left)[exact & (nearest >= 0)]
        numerators[places], denominators[places] = experiment, nearest[exact & (nearest >= 0)]
    if not values.size or (numerators == 0).any():
        return nothing
    # Large background hops are so dense in float32 that they match any number.
    chance = numerators.max() * (denominators.max() + 1.0) * 2.0**-23
    return nothing if chance > 0.05 else (numerators, denominators)


def _climb_ends(evaluate: Callable[[tuple[int, ...]], float], start: tuple[int, ...]) -> tuple[int, ...]:
    """Return the ends with the largest likelihood; at first each end moves inward as far as possible."""
    best, value = start, evaluate(start)
    for place in range(len(start)):
        inward, step = (1 if place % 2 == 0 else -1), 1
        while step:  # double steps while the likelihood increases
            moved = _move(best, ((place, inward * step),))
            gain = evaluate(moved)
            if gain > value:
                best, value, step = moved, gain, step * 2
            else:
                step //= 2
    singles = [((place, step),) for place in range(len(start)) for step in (-1, 1)]
    moves = singles + [first + second for first, second in combinations(singles, 2) if first[0][0] != second[0][0]]
    for _ in range(_MOST_MOVES):
        trials = [_move(best, move) for move in moves]
        gains = [evaluate(trial) for trial in trials]
        if max(gains) <= value:
            break
        value = max(gains)
        best = trials[gains.index(value)]
    return best


def _move(ends: tuple[int, ...], move: tuple[tuple[int, int], ...]) -> tuple[int, ...]:
    moved = list(ends)
    for place, step in move:
        moved[place] += step
    return tuple(moved)


# Effects of unknown hops: ranges and a total that give their means and mean squares.


def match_moments(
    moments: Moments, params: BindingParameters, *, most: int = _MATCHED_HOPS, fix_totals: bool = False
) -> tuple[HopFit, int] | None:
    """Return ranges of experiment hops, and their total, with the closest means and mean squares of effects.

    Background hops have the range of the parameters; experiment hops are at most ``most``. Return None if effects are
    negative or a group has no mean above 0.
    """
    present = moments.count > 0
    if moments.least < 0 or not (moments.mean[present] > 0).all() or not present.any():
        return None
    first, last = params.background_hops_range
    background = np.arange(first, last + 1.0) + params.factors[1]
    reciprocal, square = float((1 / background).mean()), float((1 / background**2).mean())
    ends = np.array([(a, b) for a, b in product(range(min(most, _MATCHED_HOPS) + 1), repeat=2) if a <= b and b > 0])
    lows, highs = ends.T.astype(np.float64)
    means = (lows + highs) / 2
    squares = means**2 + ((highs - lows + 1) ** 2 - 1) / 12
    # Without ratios of totals, a factor is free.
    unit = params.factors[0] if fix_totals else 1.0
    reciprocal, square = reciprocal * unit, square * unit**2
    # Logarithms of expected (for a factor of 1) minus observed means, and half of those of mean squares.
    errors = [
        np.stack([np.log(means * reciprocal / mean), np.log(squares * square / mean_square) / 2])
        for mean, mean_square in zip(moments.mean[present], moments.mean_square[present], strict=True)
    ]
    if len(errors) == 1:
        errors.append(errors[0])
    both = np.concatenate(
        [
            np.broadcast_to(errors[0][:, :, None], (2, len(ends), len(ends))),
            np.broadcast_to(errors[1][:, None, :], (2, len(ends), len(ends))),
        ]
    )
    shift = np.zeros(both.shape[1:]) if fix_totals else both.mean(axis=0)
    costs = ((both - shift) ** 2).sum(axis=0)
    at = np.unravel_index(int(np.argmin(costs)), costs.shape)
    factor = float(np.exp(-shift[at])) * (params.factors[0] if fix_totals else 1.0)
    total = max(1, round((params.total_background_hops + params.pseudocount) / factor))
    chosen = [tuple(Estimate(float(end), np.nan) for end in ends[place]) for place in at]
    background_ends = tuple(Estimate(float(end), np.nan) for end in (first, last))
    return HopFit(dict(zip(RANGES, (background_ends, *chosen), strict=True))), total


# Negative binomial hops.


def fit_negative_binomial(hops: HopCounts) -> HopFit:
    """Return means and dispersions of hops, and the variance of the factor shared by the hops of a gene.

    That variance, v, follows from products of counts of one gene, whose expectation is that of independent counts times
    ``1 + v``. If it is not above 0 by three standard errors, it is 0; means are then averages, which are maximum
    likelihood estimates, and dispersions maximize the likelihood. Otherwise dispersions d come from variances, ``m + d
    m^2 (1 + v) + m^2 v``, and standard errors from the scatter of genes, which are independent.
    """
    present = hops.number.sum(axis=1) > 0
    sums = _stack_sums(hops)
    values = _solve_moments(sums.sum(axis=1), present)
    covariance = propagate(sums, lambda total: _solve_moments(total, present))
    error = float(np.sqrt(covariance[5, 5]))
    shares_factor = values[5] > _SIGNIFICANT * error
    histograms = (hops.background, hops.unbound, hops.bound)
    dispersed = [
        _maximize_dispersion(histograms[:1], values[:1]),
        _maximize_dispersion(histograms[1:], values[1:3]),
    ]
    log_likelihood = sum(
        _evaluate_counts(counts, mean, dispersion.value)
        for counts, mean, dispersion in zip(histograms, values[:3], (dispersed[0], *dispersed[1:] * 2), strict=True)
        if counts.any()
    )
    names = (*MEANS, *DISPERSIONS)
    notes: tuple[str, ...] = ()
    if shares_factor:
        variance, slope = _find_variance(values[5])
        values[5] = variance
        errors = np.sqrt(np.diag(covariance))
        errors[5] = error * slope
        estimates = [Estimate(float(value), float(e)) for value, e in zip(values, errors, strict=True)]
    else:
        notes = ("promoter_dispersion is 0: it does not differ significantly from 0",)
        by_group = (dispersed[0], dispersed[1], dispersed[1])
        estimates = [
            Estimate(float(mean), float(np.sqrt((mean + d.value * mean**2) / n)) if n else np.nan)
            for mean, d, n in zip(values[:3], by_group, hops.number.sum(axis=1), strict=True)
        ]
        estimates += [*dispersed, Estimate(0.0, error)]
    for place in (3, 4):
        if estimates[place].value <= 0:
            estimates[place] = Estimate(0.0, estimates[place].error)
            notes += (f"{names[place]} is 0: counts do not vary more than Poisson counts",)
    known = [name for name, own in zip(MEANS, present, strict=True) if own] + list(DISPERSIONS)
    chosen: dict[str, tuple[Estimate, ...]] = {
        name: (value,) for name, value in zip(names, estimates, strict=True) if name in known
    }
    return HopFit(chosen, float(log_likelihood), notes)


def _stack_sums(hops: HopCounts) -> np.ndarray:
    """Return sums by gene that determine moments, ``(18, units)``.

    They are numbers, totals and squares of the three groups, products of the totals of two groups (six), and numbers of
    pairs of different counts of a gene within and between groups (six, in the same order).
    """
    products = [hops.total[i] * hops.total[j] for i in range(3) for j in range(i, 3)]
    pairs = [hops.number[i] * hops.number[j] - (hops.number[i] if i == j else 0) for i in range(3) for j in range(i, 3)]
    return np.concatenate([hops.number, hops.total, hops.square, products, pairs])


def _solve_moments(sums: np.ndarray, present: np.ndarray) -> np.ndarray:
    """Return three means, two dispersions and the variance of the factor, from sums over genes."""
    number, total, square, products, pairs = (sums[:3], sums[3:6], sums[6:9], sums[9:15], sums[15:])
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(present, total / number, 0.0)
        mean_square = np.where(present, square / number, 0.0)
    order = [(i, j) for i in range(3) for j in range(i, 3)]
    observed, expected = 0.0, 0.0
    for place, (i, j) in enumerate(order):
        if mean[i] and mean[j]:
            twice = 1 if i == j else 2
            observed += twice * (products[place] - (square[i] if i == j else 0)) / (mean[i] * mean[j])
            expected += twice * pairs[place]
    variance = max(observed / expected - 1, -0.99) if expected else 0.0
    excess = mean_square - mean - mean**2 * (1 + variance)  # d m^2 (1 + v)
    scale = mean**2 * (1 + variance)
    # Dispersions of groups with small counts vary more, by about (1 + 1 / m)^2.
    weights = number * (mean / (1 + mean)) ** 2
    dispersions = np.divide(excess, scale, out=np.zeros(3), where=scale > 0)
    experiment = weights[1:] @ dispersions[1:] / weights[1:].sum() if weights[1:].any() else 0.0
    return np.array([*mean, dispersions[0], experiment, variance])


def propagate(sums: np.ndarray, function: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """Return the covariance of a function of sums over independent units (the delta method)."""
    total = sums.sum(axis=1)
    columns = []
    for i, value in enumerate(total):
        if not value:
            columns.append(0 * function(total))
            continue
        step = np.zeros(total.size)
        step[i] = _STEP * abs(value)
        columns.append((function(total + step) - function(total - step)) / (2 * step[i]))
    gradient = np.array(columns).T
    centred = sums - sums.mean(axis=1, keepdims=True)
    units = sums.shape[1]
    spread = centred @ centred.T * (units / max(units - 1, 1))
    return np.asarray(gradient @ spread @ gradient.T)


def _find_variance(observed: float) -> tuple[float, float]:
    """Return the variance of the gamma factor whose 64 levels have the observed variance, and its derivative."""
    points = [observed, observed * 1.05]
    levels = [float((make_gamma_levels(point, FACTOR_LEVELS) ** 2).mean() - 1) for point in points]
    slope = (points[1] - points[0]) / (levels[1] - levels[0])
    return points[0] + (observed - levels[0]) * slope, slope


def _evaluate_counts(counts: np.ndarray, mean: float, dispersion: float) -> float:
    """Return the log likelihood of a histogram of counts under a negative binomial distribution."""
    from scipy.special import gammaln, xlogy

    present = np.flatnonzero(counts)
    n, k = counts[present], present.astype(np.float64)
    if dispersion <= 0:
        return float(n @ (xlogy(k, mean) - mean - gammaln(k + 1)))
    size = 1 / dispersion
    logs = gammaln(k + size) - gammaln(size) - gammaln(k + 1)
    return float(
        n @ (logs - size * np.log1p(dispersion * mean) + xlogy(k, dispersion * mean / (1 + dispersion * mean)))
    )


def _maximize_dispersion(histograms: tuple[np.ndarray, ...], means: np.ndarray) -> Estimate:
    """Return the common dispersion of counts with given means by maximum likelihood."""
    from scipy.optimize import minimize_scalar

    def evaluate(dispersion: float) -> float:
        return sum(_evaluate_counts(c, m, dispersion) for c, m in zip(histograms, means, strict=True) if c.any())

    ends = np.log(1e-7), np.log(100)
    found = minimize_scalar(lambda z: -evaluate(np.exp(z)), bounds=ends, method="bounded", options={"xatol": 1e-8})
    best = float(np.exp(found.x))
    if evaluate(best) <= evaluate(0.0):
        return Estimate(0.0, np.nan)
    step = 1e-3 * best
    information = (2 * evaluate(best) - evaluate(best - step) - evaluate(best + step)) / step**2
    return Estimate(best, float(1 / np.sqrt(information)) if information > 0 else np.nan)
