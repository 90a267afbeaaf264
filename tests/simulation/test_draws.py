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


def draw_calls(n: int, *, seed: int = SEED, gene: int = 0, tf: int = 0, replicate: int = 0) -> np.ndarray:
    """Return the eight words of both calls of n pairs, uint32 ``(n, 8)``: 256 genes of each of n / 256 TFs."""
    counters = np.empty((2, n, 4), np.uint32)
    counters[..., 0] = np.arange(n) % 256 + gene
    counters[..., 1] = np.arange(n) // 256 + tf
    counters[..., 2] = np.array([[Stream.BINDING], [Stream.PERTURBATION]])
    counters[..., 3] = replicate
    return np.concatenate([draws.compute_philox_words(part, seed) for part in counters], axis=-1)


def assert_as_poisson(count: int, mean: float) -> None:
    assert stats.poisson.cdf(count, mean) > 1e-9
    assert stats.poisson.sf(count - 1, mean) > 1e-9


@pytest.mark.parametrize(
    "samples", [pytest.param(64, id="small"), pytest.param(8192, id="large", marks=pytest.mark.slow)]
)
def test_words__birthday_spacings(samples: int) -> None:
    # Of the spacings of n sorted numbers below d, about Poisson(n^3 / 4d) equal another one (Marsaglia 1984).
    days, birthdays = 2**32, 4096
    equal = np.zeros(8, int)
    for replicate in range(samples):
        numbers = np.sort(draw_calls(birthdays, replicate=replicate).astype(np.int64), axis=0)
        spacings = np.sort(np.diff(numbers, axis=0, append=numbers[:1] + days), axis=0)
        equal += (np.diff(spacings, axis=0) == 0).sum(axis=0)
    for count in equal:
        assert_as_poisson(int(count), samples * birthdays**3 / (4 * days))


@pytest.mark.parametrize(
    "size", [pytest.param(2**12, id="small"), pytest.param(2**18, id="large", marks=pytest.mark.slow)]
)
def test_words__ranks_of_binary_matrices(size: int) -> None:
    # The chance of rank 32 - r is 2^(-r^2) prod(1 - 2^-i, i = r + 1 to 32)^2 / prod(1 - 2^-i, i = 1 to 32 - r).
    factors = 1 - 2.0 ** -np.arange(1, 33)
    chances = [2.0 ** -(r * r) * factors[r:].prod() ** 2 / factors[: 32 - r].prod() for r in range(3)]
    expected = size * np.array([*chances, 1 - sum(chances)])
    for word in range(8):
        rows = draw_calls(32 * size)[:, word].reshape(size, 32)
        rank = np.zeros(size, int)
        for bit in range(32):
            has = rows >> np.uint32(bit) & 1 == 1
            pivot = np.take_along_axis(rows, has.argmax(axis=1)[:, None], axis=1)
            rows = np.where(has, rows ^ pivot, rows)
            rank += has.any(axis=1)
        counts = np.bincount(np.minimum(32 - rank, 3), minlength=4)
        assert_as_chi_square(float(((counts - expected) ** 2 / expected).sum()), 3)


@pytest.mark.parametrize("size", SIZES)
def test_words__hamming_weights_of_neighbours(size: int) -> None:
    size //= 4
    moves = [("seed", 0), ("seed", 1), ("seed", 2**63), ("gene", 1), ("tf", 1), ("replicate", 1)]
    products = np.zeros((len(moves), 8, 8))
    for replicate in range(0, 2 * size // 2**18, 2):
        base = {"seed": SEED, "gene": 0, "tf": 0, "replicate": replicate}
        drawn = [draw_calls(2**18, **{**base, name: base[name] + step}) for name, step in moves]
        own, *others = ((np.bitwise_count(words) - 16.0) / math.sqrt(8) for words in drawn)
        products += [own.T @ other for other in (own, *others)]
    within = products[0] - np.diag(np.diag(products[0]))  # of the words of a pair with each other
    assert abs(within).max() < 6 * math.sqrt(size)
    assert abs(products[1:]).max() < 6 * math.sqrt(size)
    # The weight of a word is binomial: its fourth moment is 3 - 2 / 32.
    assert abs(np.diag(products[0]) - size).max() < 6 * math.sqrt(size * (2 - 2 / 32))


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
