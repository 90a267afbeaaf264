"""Two-sided p-values against brute force; and that they are valid: never too often too small."""

from itertools import product

import numpy as np
import pytest
from scipy import stats

from yeastxr.checks import significance


@pytest.mark.parametrize("chances", [[0.5], [0.1, 0.9], [0.2, 0.2, 0.7, 1.0, 0.0]])
def test_counts__enumerated(chances: list[float]) -> None:
    pmf = np.zeros(len(chances) + 1)
    for outcome in product([0, 1], repeat=len(chances)):
        pmf[sum(outcome)] += np.prod([p if o else 1 - p for p, o in zip(chances, outcome, strict=True)])
    expected = [min(1, 2 * min(pmf[: k + 1].sum(), pmf[k:].sum())) for k in range(len(pmf))]
    np.testing.assert_allclose(significance.test_counts(np.arange(len(pmf)), np.array(chances)), expected, atol=1e-15)


def test_counts__far_tails_keep_their_precision() -> None:
    p = significance.test_counts(np.array([400]), np.full(1000, 0.2))
    assert p == pytest.approx(2 * stats.binom.sf(399, 1000, 0.2), rel=1e-9)


def test_overlap__enumerated() -> None:
    sets = [frozenset(s) for s in product(range(5), repeat=2) if s[0] < s[1]]
    overlaps = np.array([len(a & b) for a in sets for b in sets])
    for both in range(3):
        expected = min(1, 2 * min((overlaps <= both).mean(), (overlaps >= both).mean()))
        assert significance.test_overlap(np.array(both), 5, np.array(2), np.array(2)) == pytest.approx(expected)


@pytest.mark.parametrize("n", [1, 2, 7, 100])
def test_binomial__is_valid(n: int) -> None:
    p = significance.test_binomial(np.arange(n + 1), n, 0.5)
    chance = stats.binom.pmf(np.arange(n + 1), n, 0.5)
    for level in p:
        assert chance[p <= level].sum() <= level + 1e-12


@pytest.mark.parametrize("cells", [2, 10, 100])
def test_fit__is_calibrated_far_out(cells: int) -> None:
    """Of 200,000 multinomial counts of 20 a cell, the share of p-values below 0.001 is 0.001 within 6 s.d., twice."""
    rng = np.random.default_rng(1)
    chances = rng.dirichlet(np.full(cells, 50.0)) if cells > 2 else np.array([0.4, 0.6])
    counts = rng.multinomial(25 * cells, chances, 20_000)
    p = np.array([significance.test_fit(count, chances)[1] for count in counts])
    for level in (0.1, 0.01, 0.001):
        assert (p < level).mean() <= 1.4 * level + 6 * np.sqrt(level / p.size)
    if cells > 2:
        assert (p < 0.1).mean() > 0.08


def test_fit__pools_and_tells_when_it_can_not() -> None:
    assert significance.test_fit(np.array([5, 5]), np.array([0.5, 0.5])) is None
    assert significance.test_fit(np.array([100]), np.array([1.0])) is None
    _, _, cells = significance.test_fit(np.full(100, 5), np.full(100, 0.01))
    assert cells == 25
    _, pvalue, _ = significance.test_fit(np.array([130, 70]), np.array([0.5, 0.5]))
    assert pvalue < 1e-4


def test_combine_pvalues__bonferroni() -> None:
    assert significance.combine_pvalues(np.array([0.01, 0.5, np.nan])) == 0.02
    assert significance.combine_pvalues(np.array([])) == 1.0
