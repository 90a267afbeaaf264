"""Which effects are large: ranks against the kernel, tiny numbers of genes by every outcome, and sums of binomials."""

import math
import time
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from yeastxr.simulation import draws
from yeastxr.theory.counts import Counts
from yeastxr.theory.distributions import FoldedNormals, Lattice
from yeastxr.theory.pvalues import Group, _compute_tail, _Genes, compute_large_probabilities, rank_cutoff

NUDGED = math.nextafter(0.5, 1)  # of 3 values: a rounding error above the middle one
FEW = Lattice.of([0.0, 1.0, 1.25, 3.0], [0.4, 0.3, 0.2, 0.1])
OTHERS = Lattice.of([1.0, 1.25, 2.0], [0.2, 0.3, 0.5])


@given(
    n=st.integers(1, 40),
    percentile=st.floats(0, 1) | st.sampled_from([0.0, 0.1, 0.5, 0.55, 0.9, 1.0, NUDGED]),
    distinct=st.integers(1, 60),
    seed=st.integers(0, 2**32),
)
def test_rank_of_cutoff__large_means_at_least_an_order_statistic(
    n: int, percentile: float, distinct: int, seed: int
) -> None:
    values = np.random.default_rng(seed).integers(0, distinct, (n, 50)).astype(np.float32) / np.float32(7)
    rank = rank_cutoff(n, percentile)
    large = values >= draws.compute_abs_quantiles(values, fraction=percentile)
    larger = (values[None, :, :] > values[:, None, :]).sum(axis=1)
    if rank.weight:  # the one after it may be let in, where rounding takes the cutoff down to it
        assert ((larger <= rank.others) <= large).all()
        assert (large <= (larger <= rank.others + 1)).all()
    else:
        np.testing.assert_array_equal(large, larger <= rank.others)


def by_every_outcome(groups: list[Group], percentile: float) -> list[float]:
    """Run the kernel's rule on all combinations of values, each with its probability; one lattice a group."""
    genes = [group for group in groups for _ in range(group.count)]
    lattices = [group.distributions[0] for group in genes]
    values = np.array(list(product(*(lattice.values for lattice in lattices))), np.float32).T
    weights = np.array([math.prod(p) for p in product(*(lattice.probabilities for lattice in lattices))])
    large = values >= draws.compute_abs_quantiles(values, fraction=percentile)
    chances = large @ weights
    return [chances[genes.index(group)] for group in groups]


@pytest.mark.parametrize("counts", [(1, 0), (3, 0), (1, 1), (2, 1), (1, 2), (2, 3), (4, 2)], ids=str)
@pytest.mark.parametrize("percentile", [0.0, 0.3, 0.5, NUDGED, 0.9, 1.0])
def test_large_probabilities__every_outcome(counts: tuple[int, int], percentile: float) -> None:
    groups = [Group(count, (1.0,), (lattice,)) for count, lattice in zip(counts, (FEW, OTHERS), strict=True) if count]
    found = [chance for (chance,) in compute_large_probabilities(groups, percentile)]
    assert found == pytest.approx(by_every_outcome(groups, percentile), abs=1e-14)


@pytest.mark.parametrize("percentile", [0.0, 0.3, 0.5, NUDGED, 0.9, 1.0])
@pytest.mark.parametrize("probabilities", [(0.2, 0.5, 0.3), (0.0, 1.0, 0.0), (0.5, 0.0, 0.5)], ids=str)
def test_large_probabilities__random_numbers_by_every_outcome(
    probabilities: tuple[float, ...], percentile: float
) -> None:
    """Of two genes 0, 1 or 2 follow the first distribution, and not as two independent genes would."""
    mean = float(np.arange(3) @ probabilities) / 2
    group = Group(2, (mean, 1 - mean), (FEW, OTHERS), Counts(0, np.array(probabilities)))
    others = Group(1, (1.0,), (OTHERS,))
    (first, second), (third,) = compute_large_probabilities([group, others], percentile)
    expected = np.zeros(3)
    for a, probability in enumerate(probabilities):
        parts = [Group(a, (1.0,), (FEW,)), Group(2 - a, (1.0,), (OTHERS,)), others]
        parts = [part for part in parts if part.count]
        chances = by_every_outcome(parts, percentile)
        if a:
            expected[0] += probability * a / (2 * mean) * chances[0]
        if a < 2:
            expected[1] += probability * (2 - a) / (2 - 2 * mean) * chances[bool(a)]
        expected[2] += probability * chances[-1]
    np.testing.assert_allclose([first, second, third], expected, atol=1e-14)


def test_large_probabilities__a_rounding_error_counts() -> None:
    groups = [Group(3, (1.0,), (FEW,))]
    (found,), (exact,) = compute_large_probabilities(groups, NUDGED)[0], compute_large_probabilities(groups, 0.51)[0]
    assert found > exact + 0.01  # of 1 and 1.25 next to each other, both are large


def test_large_probabilities__atoms_as_a_lattice() -> None:
    atoms = FoldedNormals(FEW.probabilities, FEW.values, np.zeros(4))
    others = FoldedNormals(OTHERS.probabilities, OTHERS.values, np.zeros(3))
    first, second = (
        compute_large_probabilities([Group(4, (1.0,), (a,)), Group(6, (1.0,), (b,))], 0.6)
        for a, b in ((FEW, OTHERS), (atoms, others))
    )
    np.testing.assert_allclose(first, second, atol=1e-14)


HOLD = FoldedNormals(np.ones(50), np.linspace(3, 13, 50), np.ones(50))
NOISE = FoldedNormals([1.0], [0.0], [1.0])
SHARP = FoldedNormals(np.ones(10), np.linspace(1, 4, 10), np.full(10, 1e-3))
PART_ATOMS = FoldedNormals([0.5, 0.5], [1.5, 2.0], [0.0, 1.0])


@pytest.mark.parametrize("genes", [(0, 1), (2, 3), (300, 2700), (6600, 0)], ids=str)
@pytest.mark.parametrize("bound", [HOLD, SHARP], ids=["broad", "sharp"])
@pytest.mark.parametrize("percentile", [0.0, 0.9, 1.0])
def test_large_probabilities__without_ties_shares_add_up(
    genes: tuple[int, int], bound: FoldedNormals, percentile: float
) -> None:
    (k, others), n = genes, sum(genes)
    groups = [Group(k, (0.3, 0.7), (bound, NOISE)), Group(others, (1.0,), (NOISE,))]
    (hold, fail), (unbound,) = compute_large_probabilities(groups, percentile)
    parts = [(0.3 * k, hold), (0.7 * k, fail), (others, unbound)]
    total = sum(count * chance for count, chance in parts if count)
    assert total == pytest.approx(rank_cutoff(n, percentile).others + 1, abs=1e-12 * n)


def test_large_probabilities__drawn() -> None:
    """Three kinds of genes, one of them half atoms, against draws: in one TF of 40 genes the rest matters."""
    groups = [Group(10, (0.4, 0.6), (HOLD, PART_ATOMS)), Group(30, (1.0,), (NOISE,))]
    (hold, part), (noise,) = compute_large_probabilities(groups, 0.8)
    rng, n = np.random.default_rng(5), 50_000
    holds = rng.random((10, n)) < 0.4
    still = rng.random((10, n)) < 0.5
    z = rng.standard_normal((40, n))
    values = np.abs(z)
    values[:10] = np.abs(np.where(holds, HOLD.means[rng.integers(0, 50, (10, n))], 2.0) + z[:10])
    values[:10][~holds & still] = 1.5
    values = values.astype(np.float32)
    large = values >= draws.compute_abs_quantiles(values, fraction=0.8)
    for inside, chance in ((holds, hold), (~holds, part), (np.ones((30, n), bool), noise)):
        found = large[:10] if inside.shape[0] == 10 else large[10:]
        deviations = np.where(inside, found - chance, 0.0).sum(axis=0)  # a TF is one draw
        assert abs(deviations.mean()) < 6 * deviations.std() / math.sqrt(n)


@pytest.mark.parametrize(
    ("counts", "chances", "most"),
    [((9, 90), (0.3, 0.05), 9), ((999, 5600), (0.3, 0.06), 659), ((1, 99999), (0.5, 0.1), 9990), ((5, 5), (1, 0), 4)],
)
def test_tail__sum_of_two_binomials(counts: tuple[int, int], chances: tuple[float, float], most: int) -> None:
    def tail(counts: tuple[int, ...], *chances: np.ndarray) -> np.ndarray:
        genes = [_Genes(n, None, (s,), (np.zeros(s.size),)) for n, s in zip(counts, chances, strict=True)]
        return _compute_tail(genes, chances[0].size, most)

    a = np.arange(counts[0] + 1)
    exact = stats.binom.pmf(a, counts[0], chances[0]) @ stats.binom.cdf(most - a, counts[1], chances[1])
    assert tail(counts, *(np.array([chance]) for chance in chances))[0] == pytest.approx(exact, abs=1e-12)
    exact = stats.binom.cdf(most, counts[1], np.linspace(0, 1, 50))
    np.testing.assert_allclose(tail(counts[1:], np.linspace(0, 1, 50)), exact, atol=1e-12)


def test_large_probabilities__many_genes_are_quick() -> None:
    many = FoldedNormals(np.ones(545), np.linspace(3, 13, 545), np.ones(545))
    started = time.perf_counter()
    compute_large_probabilities([Group(10_000, (0.3, 0.7), (many, NOISE)), Group(90_000, (1.0,), (NOISE,))], 0.9)
    assert time.perf_counter() - started < 5  # 0.2 s on an idle machine; all terms of all sums would take minutes
