"""Dual threshold optimization against all pairs of thresholds with SciPy; its p-values against their distribution."""

import zlib
from functools import partial

import numpy as np
import pytest
import xarray as xr
from scipy.stats import hypergeom

import yeastxr as yx
from tests.analysis.common import any_seed, assert_same_for_any_chunks, make_measured
from yeastxr.simulation.draws import compute_philox_words


def list_ranks(n: int) -> list[int]:
    ranks = [1]
    while int(1.01 * ranks[-1] + 1) <= n:
        ranks.append(int(1.01 * ranks[-1] + 1))
    return ranks


def order(ds: xr.Dataset, tf: str, pvalue: str, effect: str, known: np.ndarray) -> list[int]:
    """Return genes by p-value, then |effect|, then position."""
    p, e = ds[pvalue].sel(tf=tf).values, abs(ds[effect].sel(tf=tf)).fillna(-np.inf).values
    return sorted(np.flatnonzero(known).tolist(), key=lambda gene: (p[gene], -e[gene], gene))


def compute_pvalues(first: list[int], second: list[int]) -> np.ndarray:
    """Return the hypergeometric p-value of the overlap at each pair of ranks."""
    n, ranks = len(first), np.array(list_ranks(len(first)))
    overlaps = [[len(set(first[:a]) & set(second[:b])) for b in ranks] for a in ranks]
    return hypergeom.sf(np.array(overlaps) - 1, n, ranks[:, None], ranks[None, :])


def draw_order(n: int, tf: str, seed: int, permutation: int) -> list[int]:
    """Shuffle 0 to n - 1 as Fisher and Yates do, with random bits of Philox."""
    stream = (zlib.crc32(b"permutation") << 8 & 0xFFFFFF00) | 6
    counters = [(i, zlib.crc32(tf.encode()), stream, permutation) for i in range(n // 2 + 1)]
    words = compute_philox_words(np.array(counters), seed).astype(object)
    values = list(range(n))
    for i in range(n - 1, 0, -1):
        high, low = words[i // 2][2 * (i % 2) : 2 * (i % 2) + 2]
        j = (((high << 32) | low) * (i + 1)) >> 64
        values[i], values[j] = values[j], values[i]
    return values


@any_seed
def test_dual_threshold__is_that_of_all_pairs(seed: int) -> None:
    ds = make_measured(seed, label=True)
    result = yx.analysis.dual_threshold(ds, permutations=8, seed=5, sensitivity=0.7)
    for tf in ds.tf.values:
        own = result.sel(tf=tf)
        known = ~np.any([np.isnan(ds[f"{kind}_pvalue"].sel(tf=tf)) for kind in ("binding", "perturbation")], axis=0)
        bound = order(ds, tf, "binding_pvalue", "binding_effect", known)
        responsive = order(ds, tf, "perturbation_pvalue", "perturbation_effect", known)
        n = len(bound)
        assert (int(own.genes), int(own.missing)) == (n, 23 - n)
        pvalues = compute_pvalues(bound, responsive)
        ranks = np.array(list_ranks(n))
        best = np.argwhere(pvalues <= pvalues.min() * (1 + 1e-8))[0]
        a, b = ranks[best]
        assert 10.0 ** float(own.log10_pvalue) == pytest.approx(pvalues.min(), rel=1e-8)
        assert (int(own.binding_rank), int(own.response_rank)) == (a, b)
        called = sorted(set(bound[:a]) & set(responsive[:b]))
        k = len(called)
        assert int(own.overlap) == k
        assert float(own.binding_threshold) == ds.binding_pvalue.sel(tf=tf).values[bound[a - 1]]
        assert float(own.response_threshold) == ds.perturbation_pvalue.sel(tf=tf).values[responsive[b - 1]]
        expected = max(0, a - k / 0.7) * max(0, b - k / 0.7) / (n * k)
        assert float(own.expected_fdr) == pytest.approx(expected)
        truth = ds.label.sel(tf=tf).values
        assert float(own.realised_fdr) == pytest.approx(1 - truth[called].mean())
        assert float(own.realised_sensitivity) == pytest.approx(truth[called].sum() / truth[known].sum())
        as_good = 0
        for permutation in range(8):
            positions = draw_order(n, tf, 5, permutation)  # of each bound gene among the responsive ones
            shuffled = [bound[gene] for gene in np.argsort(positions)]
            as_good += compute_pvalues(bound, shuffled).min() <= pvalues.min() * (1 + 1e-8)
        assert float(own.permutation_pvalue) == pytest.approx((1 + as_good) / 9)


def test_dual_threshold__large_ranks_are_those_of_all_pairs() -> None:
    """With 1,500 genes, thresholds are more than 1 apart."""
    ds = yx.simulate(genes=1500, bound=[0.2], bound_mean=1.5, seed=2)
    own = yx.analysis.dual_threshold(
        ds, binding="binding_effect", response="perturbation_magnitude", permutations=0, seed=1
    ).isel(tf=0)
    columns = [ds[name].values[:, 0] for name in ("binding_effect", "binding_pvalue")]
    bound = np.lexsort((columns[1], -columns[0]))
    columns = [ds[name].values[:, 0] for name in ("perturbation_effect", "perturbation_pvalue")]
    responsive = np.lexsort((columns[1], -abs(columns[0])))
    member = np.zeros((1500, 1500), bool)
    member[np.argsort(bound), np.argsort(responsive)] = True
    ranks = np.array(list_ranks(1500))
    overlaps = member.cumsum(0).cumsum(1)[np.ix_(ranks - 1, ranks - 1)]
    log_p = np.log(hypergeom.sf(overlaps - 1, 1500, ranks[:, None], ranks[None, :]))
    assert float(own.log10_pvalue) == pytest.approx(log_p.min() / np.log(10), rel=1e-7)
    a, b = ranks[list(np.unravel_index(log_p.argmin(), log_p.shape))]
    assert (int(own.binding_rank), int(own.response_rank)) == (a, b)
    assert float(own.binding_threshold) == find_last(ds.binding_effect, bound, a)
    assert float(own.response_threshold) == find_last(abs(ds.perturbation_effect), responsive, b)


def find_last(effect: xr.DataArray, genes: np.ndarray, rank: int) -> float:
    return float(effect.values[genes[rank - 1], 0])


def test_dual_threshold__permutations_agree_with_counting_anew() -> None:
    """At 3,000 genes steps are counted in both ways, and agree with the least p-value of each permutation."""
    from scipy.special import gammaln

    from yeastxr.analysis import kernels

    n, permutations = 3000, 20
    ranks = kernels.list_thresholds(n)
    assert ranks.tolist() == list_ranks(n)
    start = np.searchsorted(ranks, np.arange(n), side="right").astype(np.int32)
    log_factorial = gammaln(np.arange(n + 1) + 1.0)
    counts, fresh = np.empty(ranks.size, np.int32), np.empty(ranks.size + 1, np.int32)
    critical = np.empty((ranks.size, ranks.size), np.int32)
    words, best = np.empty((n // 2 + 1, 4), np.uint32), np.empty(4)
    least, shuffles = [], []
    for permutation in range(permutations):
        bins = start.copy()
        kernels.shuffle(*(np.uint64(word) for word in (1, 2, 3, 4)), permutation, words, bins)
        kernels.find_least_pvalue(bins, ranks, log_factorial, counts, best)
        least.append(best[3])
        shuffles.append(bins)
    for goal in sorted(least)[::5]:
        kernels.fill_critical_overlaps(ranks, n, goal, log_factorial, critical)
        reached = [kernels.reaches_critical(bins, ranks, critical, counts, fresh) for bins in shuffles]
        assert reached == [log_p <= goal + 1e-9 for log_p in least]


@pytest.mark.parametrize("tfs", [1000, pytest.param(20_000, marks=pytest.mark.slow)])
def test_dual_threshold__pvalues_are_uniform_when_independent(tfs: int) -> None:
    """Data of 1,000 TFs drawn independently; ties of the least p-values make p-values only a little larger."""
    ds = yx.simulate(genes=60, bound=[0.0], n_sample=[tfs], seed=9)
    ranked = {"binding": "binding_effect", "response": "perturbation_magnitude"}
    pvalue = yx.analysis.dual_threshold(ds, permutations=99, seed=3, **ranked).permutation_pvalue.values
    for level in np.arange(1, 10) / 10:
        assert abs((pvalue <= level + 1e-9).mean() - level) < 6 * (level * (1 - level) / tfs) ** 0.5 + 0.002
    assert 0 < (pvalue <= 0.01 + 1e-9).mean() < 0.01 + 6 * (0.01 / tfs) ** 0.5


@pytest.mark.parametrize(
    ("seeds", "tfs"), [(25, 16), pytest.param(1000, 1, marks=pytest.mark.slow)], ids=["25-seeds", "1000-seeds"]
)
def test_dual_threshold__pvalues_of_many_seeds_are_uniform(seeds: int, tfs: int) -> None:
    """Data and permutations have seeds of their own, so p-values are independent, and one of j / 200 each.

    Their distribution function is within the band that Dvoretzky, Kiefer, Wolfowitz and Massart leave with a chance of
    2e-9 (6 s.d.), below it by 0.005 more at most: ties of the least p-values make them conservative. Their mean is
    within 6 s.d. of 1/2. Neither holds where binding and response depend on each other.
    """
    ranked = {"binding": "binding_effect", "response": "perturbation_magnitude"}

    def compute(bound: float) -> np.ndarray:
        values = []
        for seed in range(seeds):
            ds = yx.simulate(genes=60, bound=[bound], n_sample=[tfs], seed=seed)
            values.append(yx.analysis.dual_threshold(ds, permutations=199, seed=seed, **ranked).permutation_pvalue)
        return np.sort(np.concatenate(values))

    def is_uniform(pvalues: np.ndarray) -> bool:
        n, levels = pvalues.size, np.arange(1, 201) / 200
        excess = np.searchsorted(pvalues, levels + 1e-9) / n - levels
        band = np.sqrt(np.log(1e9) / (2 * n))
        centred = abs(pvalues.mean() - 0.5025) < 6 / np.sqrt(12 * n) + 0.005
        return bool(excess.max() < band and excess.min() > -band - 0.005 and centred)

    pvalues = compute(0.0)
    assert pvalues.size == seeds * tfs
    assert is_uniform(pvalues)
    assert not is_uniform(np.square(pvalues))
    seeds = 3
    assert compute(0.3).mean() < 0.2


def test_dual_threshold__permutations_depend_on_the_tf_alone() -> None:
    ds = make_measured(3, tfs=4)
    result = yx.analysis.dual_threshold(ds, permutations=200, seed=5)
    xr.testing.assert_identical(
        yx.analysis.dual_threshold(ds.sel(tf=["TF3", "TF1"]), permutations=200, seed=5), result.sel(tf=["TF3", "TF1"])
    )
    assert not result.equals(yx.analysis.dual_threshold(ds, permutations=200, seed=6))
    assert "realised_fdr" not in result


def test_dual_threshold__any_chunks_give_the_same() -> None:
    assert_same_for_any_chunks(
        partial(yx.analysis.dual_threshold, permutations=5, seed=1), make_measured(2, label=True)
    )
    ds = yx.simulate(genes=40, bound=[0.2, 0.4], replicates=2, seed=1)
    assert yx.analysis.dual_threshold(ds, permutations=5, seed=1).overlap.dims == ("replicate", "tf")
    assert_same_for_any_chunks(partial(yx.analysis.dual_threshold, permutations=5, seed=1), ds)


def test_dual_threshold__recovers_what_is_bound() -> None:
    """Where both effects separate bound genes, the thresholds are the number of bound genes, and errors are 0."""
    ds = yx.simulate(
        genes=500, bound=[0.1], bound_experiment_hops_range=(150, 160), bound_mean=20.0, n_sample=[2], seed=1
    )
    ranked = {"binding": "binding_effect", "response": "perturbation_magnitude"}
    result = yx.analysis.dual_threshold(ds, permutations=200, seed=1, **ranked)
    for name in ("binding_rank", "response_rank", "overlap"):
        assert result[name].values.tolist() == [50, 50], name
    assert result.realised_fdr.values.tolist() == [0, 0]
    assert result.realised_sensitivity.values.tolist() == [1, 1]
    assert result.acceptable.all()
    assert not yx.analysis.dual_threshold(ds, permutations=0, seed=1, **ranked).acceptable.any()


def test_dual_threshold__refuses_and_handles_no_data() -> None:
    ds = make_measured(1)
    for arguments, message in (
        ({"permutations": -1}, "permutations is -1"),
        ({"seed": -1}, "seed is -1"),
        ({"sensitivity": 0}, "sensitivity is 0"),
        ({"binding": "perturbation_pvalue"}, "binding is 'perturbation_pvalue'"),
        ({"largest_fdr": -1}, "largest_fdr is -1"),
    ):
        with pytest.raises(yx.InputError, match=message):
            yx.analysis.dual_threshold(ds, **arguments)
    empty = yx.analysis.dual_threshold(ds * np.float32(np.nan), permutations=3)
    assert empty.genes.values.tolist() == [0, 0, 0]
    assert empty.permutation_pvalue.isnull().all()
    assert not empty.acceptable.any()
