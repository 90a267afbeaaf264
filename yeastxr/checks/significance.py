"""How surprising a count or a sum is: two-sided p-values, exact where that can be had, for the checks.

Where a p-value is discrete it is the doubled smaller tail, so it is never too small. The only approximation is that of
chi-square statistics, by a gamma distribution with their exact mean and variance.
"""

from typing import Any

import numpy as np

LEAST_EXPECTED = 20.0  # cells of a chi-square statistic are pooled until each expects so many


def normal(z: Any) -> Any:
    """Return the two-sided p-value of a standard normal number.

    Examples
    --------
    >>> round(float(normal(1.959964)), 6)
    0.05
    """
    from scipy.special import ndtr

    return 2 * ndtr(-np.abs(z))


def chi_square(value: Any, freedom: Any) -> Any:
    """Return the two-sided p-value of a chi-square number with some degrees of freedom."""
    from scipy.special import chdtr, chdtrc

    return _doubled(chdtr(freedom, value), chdtrc(freedom, value))


def binomial(count: Any, n: Any, p: Any = 0.5) -> Any:
    """Return the two-sided p-value of a count of n independent events of probability p.

    Examples
    --------
    >>> float(binomial(0, 10))
    0.001953125
    """
    from scipy.stats import binom

    return _doubled(binom.cdf(count, n, p), binom.sf(np.asarray(count) - 1, n, p))


def binomial_above(count: float, n: float, p: float) -> float:
    """Return the probability of at least so many of n independent events of probability p."""
    from scipy.stats import binom

    return float(binom.sf(count - 1, n, p))


def overlap(both: np.ndarray, n: float, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return the two-sided p-value of how many of n items are in both of two independent sets of given sizes.

    Examples
    --------
    >>> float(overlap(np.array(2), 4, np.array(2), np.array(2)))  # one of six pairs of pairs, doubled
    0.3333333333333333
    """
    from scipy.stats import hypergeom

    return _doubled(hypergeom.cdf(both, n, first, second), hypergeom.sf(both - 1, n, first, second))


def of_counts(count: np.ndarray, chances: np.ndarray) -> np.ndarray:
    """Return the two-sided p-value of counts of independent events, each with a probability of its own.

    Parameters
    ----------
    count
        Integers from 0 to the number of events, any shape.
    chances
        Shape (n,): the events' probabilities.

    Examples
    --------
    >>> of_counts(np.array([0, 2]), np.array([0.5, 0.5])).round(6).tolist()
    [0.5, 0.5]
    """
    from scipy.stats import binom

    pmf = np.ones(1)
    for chance, n in zip(*np.unique(chances, return_counts=True), strict=True):
        pmf = _convolved(pmf, binom.pmf(np.arange(n + 1), n, chance))
    below = np.cumsum(pmf)
    above = np.cumsum(pmf[::-1])[::-1]
    return _doubled(below[count], above[count])


def goodness_of_fit(counts: np.ndarray, chances: np.ndarray) -> tuple[float, float, int] | None:
    """Compare counts in cells with the cells' probabilities, by Pearson's chi-square.

    Neighbouring cells are pooled until each expects at least 20. The statistic's mean and variance are known exactly
    for a multinomial count (Haldane 1937): a gamma distribution with both gives its upper tail.

    Parameters
    ----------
    counts, chances
        Shape (n,): integers, and probabilities that sum to 1.

    Returns
    -------
    statistic, pvalue, cells
        One-sided, as a fit that is too good is no fault; None where fewer than two cells are left.

    Examples
    --------
    >>> statistic, pvalue, cells = goodness_of_fit(np.array([60, 40]), np.array([0.5, 0.5]))
    >>> statistic, int(100 * pvalue) / 100, cells
    (4.0, 0.04, 2)
    """
    from scipy.special import gammaincc

    n = counts.sum()
    edges = _pooled(chances * n)
    if len(edges) < 3:
        return None
    found = np.add.reduceat(counts, edges[:-1]).astype(np.float64)
    expected = np.add.reduceat(chances, edges[:-1]) * n
    statistic = float(((found - expected) ** 2 / expected).sum())
    cells = len(found)
    mean = cells - 1.0
    variance = 2 * mean + ((n / expected).sum() - cells**2 - 2 * cells + 2) / n
    return statistic, float(gammaincc(mean**2 / variance, statistic * mean / variance)), cells


def smallest(pvalues: np.ndarray) -> float:
    """Return the p-value of the smallest of several, by Bonferroni's inequality; NaN are left out, 1 if all are."""
    known = pvalues[np.isfinite(pvalues)]
    return float(min(1.0, known.min() * known.size)) if known.size else 1.0


def _doubled(lower: np.ndarray, upper: np.ndarray) -> np.ndarray:
    return np.minimum(1.0, 2 * np.minimum(lower, upper))


def _pooled(expected: np.ndarray) -> np.ndarray:
    """Return where pooled cells begin, and the end: each expects enough, the last one takes what is left."""
    edges, held = [0], 0.0
    for i, each in enumerate(expected):
        held += each
        if held >= LEAST_EXPECTED:
            edges.append(i + 1)
            held = 0.0
    if edges[-1] != len(expected):
        edges[-1:] = [len(expected)] if len(edges) > 1 else [0, len(expected)]
    return np.array(edges)


def _convolved(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return the distribution of a sum; directly, as an FFT would lose the tails."""
    return np.convolve(first, second)
