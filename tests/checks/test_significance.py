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


@pytest.mark.parametrize("tolerance", [0.01, 0.05])
def test_binomial__within_a_tolerance(tolerance: float) -> None:
    count = np.arange(101)
    loose = significance.test_binomial(count, 100, 0.5, tolerance)
    for p in (0.5 - tolerance, 0.5, 0.5 + tolerance):
        chance = stats.binom.pmf(count, 100, p)
        for level in (0.1, 0.01, 0.001):
            assert chance[loose <= level].sum() <= level + 1e-12


@pytest.mark.parametrize("p", [0.01, 0.3, 0.5])
def test_bounded__is_valid(p: float) -> None:
    count = np.arange(501)
    pvalue = significance.test_bounded(count - 500 * p, 500 * p * (1 - p), max(p, 1 - p))
    chance = stats.binom.pmf(count, 500, p)
    for level in (0.1, 0.01, 1e-4, 1e-8):
        assert chance[pvalue <= level].sum() <= level
    assert significance.test_bounded(0.0, 0.0, 0.0) == 1


def test_extreme__is_valid_and_exact() -> None:
    least = np.random.default_rng(1).random((20_000, 50)).min(axis=1)
    pvalue = significance.test_extreme(least, 50, 0.0)
    for level in (0.5, 0.1, 0.01):
        assert (pvalue < level).mean() == pytest.approx(level, abs=6 * np.sqrt(level / pvalue.size))
    assert (significance.test_extreme(least, 50, 1e-3) >= pvalue).all()


def _signs(rng: np.random.Generator, *shape: int) -> np.ndarray:
    return rng.choice([-1.0, 1.0], shape)


def _uniform(rng: np.random.Generator, *shape: int) -> np.ndarray:
    return np.sqrt(12) * (rng.random(shape) - 0.5)


def _few_values(rng: np.random.Generator, *shape: int) -> np.ndarray:
    """Middles of steps of the distribution function of a number with three values."""
    return np.sqrt(12) * rng.choice([-0.25, 0.15, 0.4], shape, p=[0.5, 0.3, 0.2])


@pytest.mark.parametrize("make", [_signs, _uniform, _few_values, np.random.Generator.standard_normal])
@pytest.mark.parametrize(("n_genes", "n_tfs"), [(1, 3), (2, 1), (30, 3), (30, 60)])
def test_sequence__is_valid(make: object, n_genes: int, n_tfs: int) -> None:
    rng = np.random.default_rng(1)
    normal = make is np.random.Generator.standard_normal
    draws = (make(rng, (n_tfs, n_genes)) if normal else make(rng, n_tfs, n_genes) for _ in range(4000))
    tests = [significance.test_sequence(x.sum(axis=0) / np.sqrt(n_tfs), normal=normal) for x in draws]
    for name in tests[0]:
        pvalues = np.array([test[name] for test in tests])
        for level in (0.1, 0.01):
            assert (pvalues < level).mean() <= level + 6 * np.sqrt(level / pvalues.size)
        if normal and name == "spread":
            assert (pvalues < 0.1).mean() > 0.07


@pytest.mark.parametrize("make", [_signs, _uniform, _few_values, np.random.Generator.standard_normal])
@pytest.mark.parametrize("n", [2, 20, 500])
def test_products__is_valid(make: object, n: int) -> None:
    rng = np.random.default_rng(1)
    x = make(rng, (20_000, n)) if make is np.random.Generator.standard_normal else make(rng, 20_000, n)
    pvalue = significance.test_products((x[:, 1:] * x[:, :-1]).sum(axis=1), (x[:, :-1] ** 2).sum(axis=1), n - 1)
    for level in (0.1, 0.01, 0.001):
        assert (pvalue < level).mean() <= level
    assert significance.test_products(0.3 * n * 100, n * 100, n * 100) < 0.5


def test_waves__are_orthonormal() -> None:
    for n in (1, 2, 5, 100):
        waves = significance.make_waves(n)
        assert waves.shape == (min(8, n - 1), n)
        np.testing.assert_allclose(waves @ waves.T, np.eye(len(waves)), atol=1e-12)
        np.testing.assert_allclose(waves.sum(axis=1), 0, atol=1e-12)


def test_make_normal__places() -> None:
    z = significance.make_normal(np.array([0.0, 4.351460, 1000.0, 3.0]), np.array([5, 5, 5, 0]))
    assert z[0] < -30
    assert z[1] == pytest.approx(0, abs=1e-6)
    assert z[2] > 30
    assert np.isnan(z[3])
