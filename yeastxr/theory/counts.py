"""Distributions of the number of genes in random sets, if sets of equal size are equally likely.

Each TF binds a fixed number of genes. Conditions combine such sets, which are independent if they share no TF; their
sizes follow from hypergeometric distributions.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

_ODDS = 40.0  # exp(-40) = 4e-18 is neglected at each end of a distribution
MOST_TERMS = 2 * 10**6
_CACHED = 2**14


@dataclass(frozen=True, eq=False)
class Counts:
    """The distribution of a number of genes: ``start``, ``start + 1`` and so on, and their probabilities."""

    start: int
    probabilities: np.ndarray

    @classmethod
    def trim(cls, start: int, weights: np.ndarray) -> "Counts":
        """Create a distribution from weights: drop negligible ones at both ends, and normalize the others."""
        kept = np.flatnonzero(weights > np.exp(-_ODDS) * weights.max())
        weights = weights[kept[0] : kept[-1] + 1]
        return cls(start + int(kept[0]), weights / weights.sum())

    @property
    def numbers(self) -> np.ndarray:
        """The possible numbers."""
        return np.arange(self.start, self.start + self.probabilities.size)

    @property
    def mean(self) -> float:
        """The mean."""
        return float(self.numbers @ self.probabilities)

    @property
    def is_fixed(self) -> bool:
        """Whether there is only one possible number."""
        return self.probabilities.size == 1


@lru_cache(maxsize=_CACHED)
def fix_count(number: int) -> Counts:
    """Return the distribution of a fixed number."""
    return Counts(number, np.ones(1))


@lru_cache(maxsize=_CACHED)
def negate_count(count: Counts, n: int) -> Counts:
    """Return the distribution of the number of all other genes, out of n."""
    if count.is_fixed:
        return fix_count(n - count.start)
    return Counts(n + 1 - count.start - count.probabilities.size, count.probabilities[::-1])


@lru_cache(maxsize=_CACHED)
def add_counts(one: Counts, other: Counts) -> Counts:
    """Return the distribution of the sum of two independent numbers."""
    return Counts.trim(one.start + other.start, np.convolve(one.probabilities, other.probabilities))


def intersect_counts(counts: Iterable[Counts], n: int) -> Counts | None:
    """Return the number of genes, out of n, in all of several independent sets; None if it is too costly."""
    first, *others = sorted(counts, key=lambda count: (count.probabilities.size, count.start, count.mean))
    for other in others:
        intersection = _intersect_two(first, other, n)
        if intersection is None:
            return None
        first = intersection
    return first


@lru_cache(maxsize=_CACHED)
def _intersect_two(one: Counts, other: Counts, n: int) -> Counts | None:
    for count, result in ((one, other), (other, one)):
        if count.is_fixed and count.start in (0, n):
            return result if count.start else count
    ones, others = (array.reshape(-1) for array in np.meshgrid(one.numbers, other.numbers, indexing="ij"))
    probabilities = np.outer(one.probabilities, other.probabilities).reshape(-1)
    drawn = draw_sizes(ones, others, np.full(probabilities.size, n))
    if drawn is None:
        return None
    rows, sizes, chances = drawn
    return Counts.trim(0, np.bincount(sizes, probabilities[rows] * chances, minlength=n + 1))


def draw_sizes(one: np.ndarray, other: np.ndarray, n: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
    """Return the possible sizes of intersections of two independent random sets of n genes, for arrays of their sizes.

    The result is a flat table: the index into the arrays, the size of the intersection, and its probability. Each
    probability follows from its neighbour by their ratio, from the mode outwards. Return None if the table is too
    large.
    """
    variance = one * (n - one) * other / np.maximum(n, 1) * (n - other) / np.maximum(n, 1) / np.maximum(n - 1, 1)
    half = min(int(np.ceil(compute_reach(variance).max(initial=0))) + 1, int(np.minimum(one, other).max(initial=0)))
    if (2 * half + 1) * one.size > MOST_TERMS:
        return None
    one, other, n = (array[:, None] for array in (one, other, n))
    mode = (one + 1) * (other + 1) // (n + 2)
    with np.errstate(under="ignore"):
        x = mode + np.arange(half)
        up = np.maximum(one - x, 0.0) * np.maximum(other - x, 0) / ((x + 1) * np.maximum(n - one - other + x + 1, 1))
        x = mode - np.arange(half)
        down = np.maximum(x, 0.0) * np.maximum(n - one - other + x, 0) / ((one - x + 1) * (other - x + 1))
        terms = [np.cumprod(down, axis=1)[:, ::-1], np.ones(mode.shape), np.cumprod(up, axis=1)]
    probabilities = np.concatenate(terms, axis=1)
    rows, columns = np.nonzero(probabilities > np.exp(-_ODDS))
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    return rows, mode[rows, 0] - half + columns, probabilities[rows, columns]


@lru_cache(maxsize=_CACHED)
def approximate_count(n: int, mean: float, variance: float, third: float) -> Counts:
    """Return a shifted binomial distribution on 0 to n: the mean is exact, variance and third cumulant nearly so."""
    from scipy.special import gammaln, xlogy

    p = (1 - np.clip(third / variance, -0.9, 0.9)) / 2 if variance > 0 else 0.5
    trials = int(np.ceil(max(variance, 0.0) / (p * (1 - p))))
    if trials:
        p = 0.5 + np.copysign(np.sqrt(max(0.25 - variance / trials, 0.0)), p - 0.5)
    x = np.arange(trials + 1)
    log = gammaln(trials + 1) - gammaln(x + 1) - gammaln(trials - x + 1) + xlogy(x, p) + xlogy(trials - x, 1 - p)
    shift = mean - trials * p
    start = int(np.floor(shift))
    weights = np.convolve(np.exp(log), [1 - (shift - start), shift - start])
    weights = np.bincount((start + np.arange(weights.size)).clip(0, n), weights, minlength=n + 1)
    count = Counts.trim(0, weights)
    for _ in range(20):  # tilt it to the exact mean
        deviation = count.numbers - count.mean
        square = float(count.probabilities @ deviation**2)
        if abs(count.mean - mean) <= 1e-14 * n or not square:
            break
        count = Counts.trim(count.start, count.probabilities * np.exp((mean - count.mean) / square * deviation))
    return count


def compute_reach(variance: np.ndarray) -> np.ndarray:
    """Return the deviation of a sum of indicators with probability 4e-18, by Bernstein's inequality."""
    return _ODDS / 3 + np.sqrt((_ODDS / 3) ** 2 + 2 * _ODDS * variance)
