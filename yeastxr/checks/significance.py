"""Two-sided p-values of counts and sums, exact if possible and otherwise conservative.

Discrete p-values are twice the smaller tail, so they are never too small. The only approximation is a gamma
distribution for chi-square statistics of histograms, with their exact mean and variance.
"""

from functools import lru_cache
from typing import Any

import numpy as np

SLACK = 4.47  # 2 e^3 / 9, see test_sequence
LEAST_EXPECTED = 20.0  # bins of a histogram are pooled up to this expected count
_WAVES = 8  # of a drift
_CANDIDATES = 32  # number of overlaps with an exact p-value


def test_normal(z: Any) -> Any:
    """Return the p-value of a standard normal variable.

    >>> round(float(test_normal(1.959964)), 6)
    0.05
    """
    from scipy.special import ndtr

    return 2 * ndtr(-np.abs(z))


def test_chi_square(value: Any, freedom: Any) -> Any:
    """Return the p-value of a chi-square variable with the given degrees of freedom."""
    from scipy.special import chdtr, chdtrc

    return _double(chdtr(freedom, value), chdtrc(freedom, value))


def test_binomial(count: Any, n: Any, p: Any, tolerance: Any = 0.0) -> Any:  # noqa: PT028
    """Return the p-value of a count of n independent events with probability p, up to a tolerance.

    >>> float(test_binomial(0, 10, 0.5))
    0.001953125
    """
    from scipy.stats import binom

    return _double(binom.cdf(count, n, p - tolerance), binom.sf(np.asarray(count) - 1, n, p + tolerance))


def test_binomial_above(count: float, n: float, p: float) -> float:
    """Return the one-sided p-value of a large count of n independent events with probability p."""
    from scipy.stats import binom

    return float(binom.sf(count - 1, n, p))


def test_overlap(both: np.ndarray, n: float, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return the p-value of the overlap of two independent sets of given sizes, out of n items.

    >>> float(test_overlap(np.array(2), 4, np.array(2), np.array(2)))  # one of six pairs of pairs, doubled
    0.3333333333333333
    """
    from scipy.stats import hypergeom

    return _double(hypergeom.cdf(both, n, first, second), hypergeom.sf(both - 1, n, first, second))


def test_overlaps(both: np.ndarray, n: float, first: np.ndarray, second: np.ndarray) -> float:
    """Return the smallest p-value of :func:`test_overlap` over many sets; 1 without sets.

    It is computed only for the most unlikely overlaps. The p-values of all others are larger or about equal, and
    Bonferroni's inequality is valid for any choice.

    >>> test_overlaps(np.array([2, 1, 0]), 4, np.array([2, 2, 0]), np.array([2, 2, 2]))
    0.3333333333333333
    """
    most, _ = find_most_unlikely(both, n, first, second)
    return float(np.min(test_overlap(both[most], n, first[most], second[most]), initial=1.0))


def find_most_unlikely(both: np.ndarray, n: float, first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, int]:
    """Return the 32 overlaps with the largest deviations in s.d., and the number of overlaps that can vary.

    >>> find_most_unlikely(np.array([2, 0]), 4, np.array([2, 0]), np.array([2, 2]))
    (array([0]), 1)
    """
    a, b = np.asarray(first, np.float64), np.asarray(second, np.float64)
    variance = a * (n - a) * b * (n - b)
    with np.errstate(divide="ignore", invalid="ignore"):
        z = np.where(variance > 0, (both - a * b / n) ** 2 / variance, -1.0)
    most = np.argpartition(-z, _CANDIDATES)[:_CANDIDATES] if z.size > _CANDIDATES else np.arange(z.size)
    return most[z[most] >= 0], int(np.count_nonzero(variance > 0))


def test_counts(count: np.ndarray, chances: np.ndarray) -> np.ndarray:
    """Return the p-values of counts of independent events with the given probabilities, shape (events,).

    >>> test_counts(np.array([0, 2]), np.array([0.5, 0.5])).round(6).tolist()
    [0.5, 0.5]
    """
    from scipy.stats import binom

    pmf = np.ones(1)
    for chance, n in zip(*np.unique(chances, return_counts=True), strict=True):
        pmf = np.convolve(pmf, binom.pmf(np.arange(n + 1), n, chance))  # directly: an FFT would lose the tails
    below = np.cumsum(pmf)
    above = np.cumsum(pmf[::-1])[::-1]
    return _double(below[count], above[count])


def test_fit(counts: np.ndarray, chances: np.ndarray) -> tuple[float, float, int] | None:
    """Test a histogram against probabilities by Pearson's chi-square; return statistic, p-value and number of bins.

    Neighbouring bins are pooled to expected counts of at least 20. The mean and variance of the statistic are known
    exactly for multinomial counts (Haldane 1937); the p-value is the upper tail of a gamma distribution with both.
    Return None for fewer than two bins.

    >>> statistic, pvalue, bins = test_fit(np.array([60, 40]), np.array([0.5, 0.5]))
    >>> statistic, int(100 * pvalue) / 100, bins
    (4.0, 0.04, 2)
    """
    from scipy.special import gammaincc

    n = counts.sum()
    edges = _pool_bins(chances * n)
    if len(edges) < 3:
        return None
    observed = np.add.reduceat(counts, edges[:-1]).astype(np.float64)
    expected = np.add.reduceat(chances, edges[:-1]) * n
    statistic = float(((observed - expected) ** 2 / expected).sum())
    bins = len(observed)
    mean = bins - 1.0
    variance = 2 * mean + ((n / expected).sum() - bins**2 - 2 * bins + 2) / n
    return statistic, float(gammaincc(mean**2 / variance, statistic * mean / variance)), bins


def test_bounded(deviation: Any, variance: Any, bound: float) -> Any:
    """Return the p-value of the deviation of a sum of independent variables from its mean, by Bennett's inequality.

    Each variable deviates from its mean by at most the bound; the variance of the sum is at most the given one.

    >>> bool(test_binomial(70, 100, 0.5) < test_bounded(20.0, 25.0, 0.5) < 0.01)
    True
    """
    variance = np.asarray(variance, np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        x = bound * np.abs(deviation) / variance
        pvalue = 2 * np.exp(-variance / bound**2 * ((1 + x) * np.log1p(x) - x))
    return np.where((variance > 0) & (bound > 0), np.minimum(1.0, pvalue), 1.0)


def test_extreme(extreme: Any, n: Any, resolution: float) -> Any:
    """Return the p-value of the smallest of n uniform variables, rounded by at most the resolution.

    >>> test_extreme(np.array([1e-9, 0.5]), 1000, 1e-12).round(7).tolist()
    [2e-06, 0.0]
    """
    above = np.exp(n * np.log1p(-np.clip(extreme - resolution, 0, 1 - 1e-16)))
    below = -np.expm1(n * np.log1p(-np.clip(extreme + resolution, 0, 1 - 1e-16)))
    return _double(below, above)


def test_sequence(z: np.ndarray, *, normal: bool) -> dict[str, float]:
    """Return p-values of a sequence of independent standard normal variables: of its spread, maximum and drift.

    Drift is a sum of waves with at most four periods. If the variables are not normal but sums of independent,
    symmetric variables that are themselves sums of random signs (such as signs, uniform variables, and conditional
    means of these), the tails of their squared norms are at most 2 e^3 / 9 times those of chi-square (Pinelis 1994).
    """
    from scipy.special import chdtrc

    known = np.isfinite(z)
    z, n = np.where(known, z, 0.0), int(known.sum())
    waves = make_waves(len(z))
    slack = 1.0 if normal else SLACK
    spread = z @ z
    pvalues = {
        "spread": test_chi_square(spread, n) if normal else slack * chdtrc(n, spread),
        "one alone": slack * n * test_normal(np.abs(z).max()),
        "drift": slack * chdtrc(len(waves), ((waves @ z) ** 2).sum()) if len(waves) else 1.0,
    }
    return {name: min(1.0, float(pvalue)) for name, pvalue in pvalues.items()} if n else {"spread": 1.0}


def test_products(products: Any, weights: Any, n: Any) -> Any:
    """Return the p-value of a sum of n products of neighbours in a sequence of independent variables.

    If E exp(t x) <= exp(t^2 / 2) for each variable x, as for standard normal variables, signs and uniform variables
    with variance 1, then exp(t products - t^2 weights / 2), where the weights are the sum of squares of the first
    factors, is a supermartingale. Markov's inequality gives the p-value; t is optimal near the usual limits of
    significance.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        t = 5 / np.sqrt(n)
        return np.nan_to_num(np.minimum(1.0, 2 * np.exp(t**2 * weights / 2 - t * np.abs(products))), nan=1.0)


@lru_cache(maxsize=4)
def make_waves(n: int) -> np.ndarray:
    """Return cosines over n positions as rows, orthogonal to each other and to a constant, with norm 1."""
    periods = np.arange(1, min(_WAVES, n - 1) + 1)[:, None]
    return np.sqrt(2 / n) * np.cos(np.pi * periods * (np.arange(n) + 0.5) / n)


def make_normal(value: Any, freedom: Any) -> np.ndarray:
    """Convert chi-square variables to standard normal ones; NaN without degrees of freedom."""
    from scipy.special import chdtr, chdtrc, ndtri

    lower, upper = chdtr(freedom, value), chdtrc(freedom, value)
    z = ndtri(np.maximum(np.minimum(lower, upper), 1e-300))
    return np.where(np.asarray(freedom) > 0, np.where(lower < upper, z, -z), np.nan)


def combine_pvalues(pvalues: Any) -> float:
    """Combine p-values by Bonferroni's inequality, ignoring NaN; 1 if all are NaN."""
    known = np.asarray(pvalues, np.float64)
    known = known[np.isfinite(known)]
    return float(min(1.0, known.min() * known.size)) if known.size else 1.0


def _double(lower: np.ndarray, upper: np.ndarray) -> np.ndarray:
    return np.minimum(1.0, 2 * np.minimum(lower, upper))


def _pool_bins(expected: np.ndarray) -> np.ndarray:
    """Return the borders of pooled bins, each with a sufficient expected count; the last one takes the rest."""
    edges, pooled = [0], 0.0
    for i, count in enumerate(expected):
        pooled += count
        if pooled >= LEAST_EXPECTED:
            edges.append(i + 1)
            pooled = 0.0
    if edges[-1] != len(expected):
        edges[-1:] = [len(expected)] if len(edges) > 1 else [0, len(expected)]
    return np.array(edges)
