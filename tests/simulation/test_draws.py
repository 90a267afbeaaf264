"""Quality of the draws: uniform, normal, independent, and labels as fair as drawing genes from an urn.

Seeds are fixed, so an outcome never changes; limits are 6 standard deviations of the statistic, or odds of 10^-9 where
it is not normally distributed. Small samples run in the suite, large ones with ``make test-slow``.
"""

import math
from collections.abc import Iterator

import numpy as np
import pytest
from scipy import stats

import yeastxr as yx
from yeastxr.simulation import draws
from yeastxr.simulation.draws import Stream

SEED = 20261123
SIZES = [pytest.param(2**20, id="small"), pytest.param(2**26, id="large", marks=pytest.mark.slow)]
PLANE = 2**20  # numbers at a time


def planes(size: int, tfs: int = 64) -> Iterator[draws.Positions]:
    """Yield positions of planes of a million cells, one a replicate."""
    for replicate in range(size // PLANE):
        yield draws.Positions(np.array(replicate)[None, None], np.arange(PLANE // tfs)[:, None], np.arange(tfs))


def uniforms(where: draws.Positions, *, seed: int = SEED, stream: Stream = Stream.BINDING) -> np.ndarray:
    """Draw p-values that no effect makes small: plain uniforms."""
    effect = np.zeros(where.shape, np.float32)
    cutoffs = np.ones((*where.shape[:-2], 1, where.shape[-1]))
    return draws.draw_pvalues(effect, cutoffs, *where, stream=stream, upper=1.0, seed=seed, threads=2)


def normals(where: draws.Positions, mean: float = 0.0) -> np.ndarray:
    """Draw perturbation effects of unbound pairs, sign * |mean + z|."""
    label, effect = np.zeros(where.shape, bool), np.zeros(where.shape, np.float32)
    numbers = (mean, 1.0, 0.0, 1.0, 0.0)
    return draws.draw_perturbation_effects(label, label, effect, *where, numbers=numbers, seed=SEED, threads=2)


def assert_as_chi_square(statistic: float, freedom: int) -> None:
    """Refuse a chi-square statistic in either tail: too good a fit is a defect, too."""
    assert stats.chi2.sf(statistic, freedom) > 1e-9
    assert stats.chi2.cdf(statistic, freedom) > 1e-9


@pytest.mark.parametrize("size", SIZES)
def test_words__uniform_on_65536_bins(size: int) -> None:
    counts = np.zeros((4, 2, 2**16))
    for first in range(0, size, PLANE):
        counters = np.zeros((PLANE, 4), np.uint32)
        counters[:, 0] = np.arange(first, first + PLANE)
        words = draws.compute_philox_words(counters, SEED)
        for i in range(4):
            for j, half in enumerate([words[:, i] >> 16, words[:, i] & 0xFFFF]):
                counts[i, j] += np.bincount(half, minlength=2**16)
    expected = size / 2**16
    for statistic in ((counts - expected) ** 2 / expected).sum(axis=-1).ravel():
        assert_as_chi_square(statistic, 2**16 - 1)


@pytest.mark.parametrize("size", SIZES)
def test_normals__moments_and_tails(size: int) -> None:
    sums, beyond = np.zeros(7), np.zeros(13)
    for where in planes(size):
        shifted = normals(where, mean=64.0).astype(np.float64)
        z = abs(shifted) - 64.0  # float32 keeps it to 4e-6
        sums += [np.sum(z**k) for k in range(7)]
        halves = np.floor(abs(normals(where)) * 2).astype(int).ravel()
        beyond += np.bincount(np.minimum(halves, 12), minlength=13)[::-1].cumsum()[::-1]
    exact = [1, 0, 1, 0, 3, 0, 15, 0, 105, 0, 945, 0, 10395]
    for k in range(1, 7):
        sd = math.sqrt((exact[2 * k] - exact[k] ** 2) / size)
        assert abs(sums[k] / size - exact[k]) < 6 * sd + 1e-5, k
    for i, found in enumerate(beyond[1:], 1):
        expected = stats.binom(size, 2 * stats.norm.sf(i / 2))
        assert expected.cdf(found) > 1e-9, i / 2
        assert expected.sf(found - 1) > 1e-9, i / 2


@pytest.mark.slow
def test_normals__tails_to_6_sd_in_four_billion() -> None:
    size = 2**32
    limits = np.array([5.0, 5.5, 6.0], np.float32)
    found = np.zeros(3)
    for where in planes(size):
        size_of_z = abs(normals(where))
        largest = size_of_z[size_of_z >= limits[0]]
        found += (largest[:, None] >= limits).sum(axis=0)
    for limit, count in zip(limits, found, strict=True):
        expected = stats.binom(size, 2 * stats.norm.sf(float(limit)))
        assert expected.cdf(count) > 1e-9, limit
        assert expected.sf(count - 1) > 1e-9, limit


def beside(where: draws.Positions, **moved: object) -> tuple[np.ndarray, np.ndarray]:
    """Draw a plane, and another one: at other positions, of another stream, or with another seed."""
    other = {name: moved.pop(name) for name in ("replicate", "gene", "tf") if name in moved}
    return uniforms(where), uniforms(where._replace(**{k: getattr(where, k) + v for k, v in other.items()}), **moved)


@pytest.mark.parametrize(
    "moved",
    [
        {"gene": 1},
        {"gene": 2},
        {"gene": 2**16},
        {"tf": 1},
        {"tf": 64},
        {"replicate": 1000},
        {"replicate": 2**31},
        {"seed": SEED + 1},
        {"seed": SEED ^ 2**63},
        {"seed": SEED << 32},
        {"stream": Stream.PERTURBATION},
        {"stream": Stream.RESPONSE},
    ],
    ids=str,
)
@pytest.mark.parametrize("size", SIZES)
def test_neighbours__independent(size: int, moved: dict) -> None:
    bins = 32
    joint, product = np.zeros(bins * bins), 0.0
    for where in planes(size):
        one, other = beside(where, **moved)
        cells = np.minimum(one * bins, bins - 1).astype(int) * bins + np.minimum(other * bins, bins - 1).astype(int)
        joint += np.bincount(cells.ravel(), minlength=bins * bins)
        product += float(np.sum((one - 0.5).astype(np.float64) * (other - 0.5)))
    assert abs(product / size) < 6 / 12 / math.sqrt(size)  # each has the variance 1/12
    expected = size / bins**2
    assert_as_chi_square(float(((joint - expected) ** 2 / expected).sum()), bins**2 - 1)


def test_neighbours__one_bit_changes_half_of_all() -> None:
    rng = np.random.default_rng(0)
    counters = rng.integers(0, 2**32, (2000, 4), dtype=np.uint32)
    before = draws.compute_philox_words(counters, SEED)
    for bit in range(128):
        flipped = counters.copy()
        flipped[:, bit // 32] ^= np.uint32(1 << bit % 32)
        changed = int(np.bitwise_count(before ^ draws.compute_philox_words(flipped, SEED)).sum())
        assert abs(changed - 128 * 1000) < 6 * math.sqrt(128 * 2000 / 4), bit


@pytest.mark.parametrize(
    "tfs", [pytest.param(4000, id="small"), pytest.param(10**6, id="large", marks=pytest.mark.slow)]
)
def test_labels__as_fair_as_an_urn(tfs: int) -> None:
    genes, bound = 97, 31
    by_gene, lag_sums, overlaps = np.zeros(genes), [], []
    for replicate in range(tfs // 1000):
        where = draws.Positions(np.array(replicate)[None, None], np.arange(genes)[:, None], np.arange(1000))
        label = draws.draw_label_columns(np.full((1, 1000), bound), *where, seed=SEED, threads=2)
        assert (label.sum(axis=0) == bound).all()
        by_gene += label.sum(axis=1)
        lag_sums.append([(label & np.roll(label, lag, axis=0)).sum(axis=0) for lag in (1, 2, 32)])
        overlaps.append((label & np.roll(label, 1, axis=1)).sum(axis=0))
    p = bound / genes
    # Counts of a TF add up to `bound`, which takes one degree of freedom and shrinks the variance by (G - 1) / G.
    statistic = ((by_gene - tfs * p) ** 2).sum() / (tfs * p * (1 - p)) * (genes - 1) / genes
    assert_as_chi_square(float(statistic), genes - 1)
    # Pairs of genes: both of two given ones are bound with the hypergeometric chance, near or far.
    both = genes * bound * (bound - 1) / (genes * (genes - 1))
    for lagged in np.concatenate(lag_sums, axis=-1):
        assert abs(lagged.mean() - both) < 6 * lagged.std() / math.sqrt(tfs)
    # Pairs of TFs: how many genes they share is hypergeometric, in mean and in variance.
    shared = np.concatenate(overlaps)
    expected = stats.hypergeom(genes, bound, bound)
    assert abs(shared.mean() - expected.mean()) < 6 * expected.std() / math.sqrt(tfs)
    fourth = expected.expect(lambda n: (n - expected.mean()) ** 4)
    assert abs(shared.var() - expected.var()) < 6 * math.sqrt((fourth - expected.var() ** 2) / tfs)


def test_signs__even_and_tied_to_nothing() -> None:
    ds = yx.simulate(genes=6600, bound=[0.3], n_sample=[40], seed=SEED)
    negative, label = ds["perturbation_effect"].values < 0, ds["label"].values
    for some in (label, ~label, ds["binding_effect"].values > 1):
        n = int(some.sum())
        assert abs(int(negative[some].sum()) - n / 2) < 6 * math.sqrt(n / 4)
