"""How many genes have conditions that hold: every set of genes, hypergeometric distributions, and cumulants."""

import math
from fractions import Fraction
from itertools import combinations, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from tests.reference.boolean import conditions, holds
from yeastxr import And, Not, Or
from yeastxr.simulation.relations import iterate_tfs
from yeastxr.theory.conditions import _compute_cumulants, compute_probability, count_genes
from yeastxr.theory.counts import Counts, approximate_count, draw_sizes

EXCLUSIVE = Or(And(1, Not(2)), And(2, Not(1)))
MAJORITY = Or(And(1, 2), And(2, 3), And(1, 3))
RELATIONS = {
    "one TF": [1],
    "Not": [Not(1)],
    "And": [1, Not(2), 3],
    "Or": [Or(1, 2, 3)],
    "nested": [Or(And(1, 2), Not(3))],
    "exclusive": [EXCLUSIVE],
    "majority": [MAJORITY],
    "named twice": [Or(1, 2), Or(And(1, 3), Not(2))],
    "one decides": [Or(Not(1), And(1, 2))],
    "other decides": [Or(1, And(Not(1), 3), 3)],
    "alternatives": [Or(And(1, 2), And(Not(1), 3))],
    "itself": [Or(And(0, 1), And(Not(0), 2))],
}


def spread(count: Counts, n: int) -> np.ndarray:
    """Return probabilities of 0 to n."""
    probabilities = np.zeros(n + 1)
    probabilities[count.numbers] = count.probabilities
    return probabilities


def cumulants(entries: list, bound: dict, n: int) -> tuple[float, float, float]:
    """Return what the approximation starts from."""
    chances = {tf: Fraction(bound[tf], n) for tf in iterate_tfs(entries)} | {0: Fraction(1)}
    return _compute_cumulants(tuple(entries), 0, bound[0], chances, n)


def count_by_enumeration(entries: list, bound: dict, n: int) -> np.ndarray:
    """Return the distribution by taking every set of genes of every TF."""
    outcomes = np.zeros(n + 1)
    for sets in product(*(combinations(range(n), k) for k in bound.values())):
        binds = [{tf for tf, genes in zip(bound, sets, strict=True) if gene in genes} for gene in range(n)]
        outcomes[sum(0 in tfs and all(holds(entry, tfs) for entry in entries) for tfs in binds)] += 1
    return outcomes / outcomes.sum()


@pytest.mark.parametrize("entries", RELATIONS.values(), ids=RELATIONS)
@pytest.mark.parametrize("sizes", [(3, 2, 1, 2), (4, 1, 3, 2), (2, 2, 2, 4), (1, 0, 2, 3)], ids=str)
def test_count_genes__every_set(entries: list, sizes: tuple[int, ...]) -> None:
    bound = dict(enumerate(sizes))
    np.testing.assert_allclose(
        spread(count_genes(entries, 0, bound, 4), 4), count_by_enumeration(entries, bound, 4), atol=1e-14
    )


@settings(max_examples=60)
@given(
    entries=st.lists(conditions([0, 1, 2, 3]), max_size=2), sizes=st.lists(st.integers(0, 3), min_size=4, max_size=4)
)
def test_count_genes__every_set_of_random_relations(entries: list, sizes: list) -> None:
    bound = dict(enumerate(sizes))
    np.testing.assert_allclose(
        spread(count_genes(entries, 0, bound, 3), 3), count_by_enumeration(entries, bound, 3), atol=1e-14
    )


@pytest.mark.parametrize("n", [1, 10, 1000, 100_000])
def test_draw_sizes__hypergeometric(n: int) -> None:
    one, other = (np.unique((n * share).astype(int)) for share in (np.array([0, 0.01, 0.5, 1]), np.array([0, 0.3, 1])))
    pairs = np.array(list(product(one, other))).T
    rows, sizes, probabilities = draw_sizes(*pairs, np.full(pairs.shape[1], n))
    np.testing.assert_allclose(np.bincount(rows, probabilities), 1, rtol=1e-13)
    exact = stats.hypergeom.pmf(sizes, n, pairs[0][rows], pairs[1][rows])
    np.testing.assert_allclose(probabilities, exact, rtol=1e-8, atol=1e-14)


@pytest.mark.parametrize("entries", RELATIONS.values(), ids=RELATIONS)
@pytest.mark.parametrize("n", [50, 200, 800])
def test_count_genes__mean_and_leading_order(entries: list, n: int) -> None:
    """Leading orders of variance and third cumulant are off by a bounded amount, as they themselves grow with n."""
    bound = {0: n // 2, 1: n // 5, 2: n // 4, 3: n // 3}
    count = count_genes(entries, 0, bound, n)
    mean, variance, third = cumulants(entries, bound, n)
    deviation = count.numbers - count.mean
    assert count.mean == pytest.approx(mean, rel=1e-12)
    assert abs(count.probabilities @ deviation**2 - variance) < 0.1
    assert abs(count.probabilities @ deviation**3 - third) < 0.3


@pytest.mark.parametrize("entries", [RELATIONS[name] for name in ("one TF", "And", "majority", "named twice")], ids=str)
def test_approximate_count__error_of_the_order_of_n_to_the_minus_3_2(entries: list) -> None:
    """Of what a gap in the distribution of effects depends on: the mean excess of the number over a limit."""
    for n in (100, 1600, 6400):
        bound = {0: n // 2, 1: n // 5, 2: n // 4, 3: n // 3}
        exact = count_genes(entries, 0, bound, n)
        approximate = approximate_count(n, *cumulants(entries, bound, n))
        assert approximate.mean == pytest.approx(exact.mean, rel=1e-12)
        limits = exact.numbers[:, None]
        excess = [np.maximum(count.numbers - limits, 0) @ count.probabilities for count in (exact, approximate)]
        assert np.abs(excess[0] - excess[1]).max() / exact.mean < 15 * n**-1.5


@pytest.mark.parametrize(
    ("mean", "variance", "third"), [(0, 0, 0), (10, 0, 0), (0.3, 0.2, 0.1), (9.9, 5, -3), (2.5, -1e-18, 0)], ids=str
)
def test_approximate_count__extremes(mean: float, variance: float, third: float) -> None:
    count = approximate_count(10, mean, variance, third)
    assert count.mean == pytest.approx(mean, abs=1e-12)
    assert 0 <= count.numbers[0] <= count.numbers[-1] <= 10
    assert math.fsum(count.probabilities) == pytest.approx(1, abs=1e-14)


def test_count_genes__conditions_that_differ_in_names_share_one_distribution() -> None:
    bound = {tf: 100 * (1 + tf % 2) for tf in range(8)}
    first, *others = [
        count_genes([Or(a, And(b, c))], tf, bound, 1000) for tf, a, b, c in [(0, 1, 2, 3), (2, 3, 6, 5), (4, 7, 1, 0)]
    ]
    assert all(other is first for other in others)


def test_count_genes__too_costly_relations_are_approximated() -> None:
    chain = [Or(*(And(tf, tf + 1) for tf in range(1, 40)))]
    bound = {tf: 100 + tf for tf in range(41)} | {0: 500}
    chances = {tf: Fraction(k, 1000) for tf, k in bound.items()} | {0: Fraction(1)}
    count = count_genes(chain, 0, bound, 1000)
    assert count is approximate_count(1000, *cumulants(chain, bound, 1000))
    assert count.mean == pytest.approx(float(500 * compute_probability(chain, chances)), rel=1e-12)
