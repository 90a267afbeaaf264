"""Enrichment and adjusted p-values against sums of probabilities and definitions in plain Python."""

import math

import dask
import numpy as np
import pytest
import xarray as xr

import yeastxr as yx
from tests.analysis.common import CHUNKINGS, any_seed, make_measured


def make_counts(seed: int) -> tuple[xr.DataArray, xr.DataArray]:
    rng = np.random.default_rng(seed)
    coords = {"gene": [f"Y{i}" for i in range(12)], "tf": ["A", "B"]}
    experiment = rng.integers(0, 7, (12, 2)).astype(float)
    experiment[rng.integers(12), 0] = np.nan
    background = rng.integers(0, 20, (12, 2))
    return tuple(xr.DataArray(values, dims=("gene", "tf"), coords=coords) for values in (experiment, background))


@any_seed
def test_enrichment__is_that_of_sums_of_probabilities(seed: int) -> None:
    experiment, background = make_counts(seed)
    total, total_background, c = 60, 300, 0.5
    result = yx.analysis.enrichment(
        experiment, background, total_experiment_hops=total, total_background_hops=total_background, pseudocount=c
    )
    for gene in experiment.gene.values:
        for tf in experiment.tf.values:
            row, x = result.sel(gene=gene, tf=tf), float(experiment.sel(gene=gene, tf=tf))
            if math.isnan(x):
                assert all(math.isnan(row[name]) for name in result.data_vars)
                continue
            x, b = int(x), int(background.sel(gene=gene, tf=tf))
            assert float(row.enrichment) == pytest.approx((x / (total + c)) / (b / (total_background + c) + c))
            mean = (b + c) * total / total_background
            below = sum(math.exp(-mean) * mean**k / math.factorial(k) for k in range(x))
            assert float(row.poisson_pvalue) == pytest.approx(1 - below, abs=1e-12)
            ways = sum(
                math.comb(total, k) * math.comb(total_background, x + b - k) for k in range(x, min(total, x + b) + 1)
            )
            at_least = ways / math.comb(total + total_background, x + b)
            assert float(row.hypergeometric_pvalue) == pytest.approx(at_least, rel=1e-9)


def test_enrichment__is_the_simulated_one() -> None:
    """With the totals of a simulation, the formula is the one of its second step."""
    x, b = make_counts(1)
    result = yx.analysis.enrichment(x, b + 1, total_experiment_hops=76, total_background_hops=1000)
    expected = yx.SimulationSpec(genes=2, bound=[0.5], seed=1).effect(x.values, b.values + 1)
    np.testing.assert_allclose(result.enrichment.values, expected, rtol=1e-14)


def test_enrichment__totals_are_sums_and_chunks_do_not_matter(no_compute: None) -> None:
    experiment, background = make_counts(3)
    expected = yx.analysis.enrichment(experiment, background)
    totals = {"total_experiment_hops": experiment.sum("gene"), "total_background_hops": background.sum("gene")}
    xr.testing.assert_allclose(yx.analysis.enrichment(experiment, background, **totals), expected)
    shared = yx.analysis.enrichment(experiment, background.sel(tf="A", drop=True))
    xr.testing.assert_equal(shared.sel(tf="A"), expected.sel(tf="A"))
    for chunks in CHUNKINGS:
        lazy = yx.analysis.enrichment(experiment.chunk(chunks), background.chunk(chunks))
        with dask.config.set(scheduler="synchronous"):
            xr.testing.assert_allclose(lazy.compute(), expected, rtol=1e-14)


def test_enrichment__pvalues_of_counts_from_background_alone_are_valid() -> None:
    """Where both libraries follow the same rates, at most a share p of hypergeometric p-values is below p."""
    rng = np.random.default_rng(5)
    coords = {"gene": np.arange(4000), "tf": [0]}
    x, b = (rng.poisson(mean, (4000, 1)) for mean in (4, 20))
    counts = [xr.DataArray(values, dims=("gene", "tf"), coords=coords) for values in (x, b)]
    pvalue = yx.analysis.enrichment(*counts).hypergeometric_pvalue
    for level in (0.01, 0.1, 0.5):
        assert float((pvalue <= level).mean()) < level + 6 * (level * (1 - level) / 4000) ** 0.5


def adjust(column: list[float], method: str) -> list[float]:
    """Adjust p-values by the definitions: the least of n p / rank among those at least as large."""
    known = sorted(p for p in column if not math.isnan(p))
    n = len(known)
    factor = {"bh": 1.0, "by": sum(1 / k for k in range(1, n + 1))}.get(method)
    if factor is None:
        return [p if math.isnan(p) else min(1.0, n * p) for p in column]
    steps = [min(1.0, factor * n * p / (rank + 1)) for rank, p in enumerate(known)]
    return [math.nan if math.isnan(p) else min(steps[known.index(p) :]) for p in column]


@any_seed
def test_adjust_pvalues__are_those_of_the_definitions(seed: int) -> None:
    pvalues = make_measured(seed, missing=0.3).binding_pvalue.astype(np.float64)
    for method in ("bh", "by", "bonferroni"):
        adjusted = yx.analysis.adjust_pvalues(pvalues, method)
        for tf in pvalues.tf.values:
            expected = adjust(pvalues.sel(tf=tf).values.tolist(), method)
            np.testing.assert_allclose(adjusted.sel(tf=tf).values, expected, rtol=1e-12)


def test_adjust_pvalues__any_chunks_and_dims_give_the_same(no_compute: None) -> None:
    pvalues = make_measured(1).binding_pvalue
    expected = yx.analysis.adjust_pvalues(pvalues)
    assert expected.dtype == np.float32
    xr.testing.assert_identical(yx.analysis.adjust_pvalues(pvalues.T), expected.T)
    for chunks in CHUNKINGS:
        lazy = yx.analysis.adjust_pvalues(pvalues.chunk(chunks))
        with dask.config.set(scheduler="synchronous"):
            xr.testing.assert_identical(lazy.compute(), expected)


def test_enrichment__leading_dims_and_totals_by_them() -> None:
    both = [make_counts(seed) for seed in (1, 2)]
    experiment, background = (xr.concat(parts, "replicate") for parts in zip(*both, strict=True))
    together = yx.analysis.enrichment(experiment, background)
    totals = {"total_experiment_hops": experiment.sum("gene"), "total_background_hops": background.sum("gene")}
    xr.testing.assert_allclose(yx.analysis.enrichment(experiment, background, **totals), together)
    for i, counts in enumerate(both):
        xr.testing.assert_allclose(yx.analysis.enrichment(*counts), together.isel(replicate=i))


@pytest.mark.parametrize("chunks", [None, {"gene": 5}], ids=["numpy", "dask"])
def test_enrichment__refuses(chunks: dict[str, int] | None) -> None:
    experiment, background = (counts.chunk(chunks) if chunks else counts for counts in make_counts(1))
    for arguments, message in (
        ((experiment.values, background), "experiment_hops is array"),
        ((experiment, -1 - background), "background_hops contains -.*; expected counts of at least 0"),
        ((experiment / 2, background), "experiment_hops contains .*; expected whole numbers"),
        ((experiment, background[:5]), "background_hops and experiment_hops have different labels along 'gene'"),
        (
            (experiment, background.assign_coords(tf=["A", "C"])),
            "background_hops and experiment_hops have different labels along 'tf'",
        ),
        ((experiment.isel(tf=0, drop=True), background), "experiment_hops has no dimension 'tf'"),
        ((experiment.drop_vars("gene"), background), "experiment_hops has no index coordinate 'gene'"),
    ):
        with pytest.raises(yx.InputError, match=message):
            yx.analysis.enrichment(*arguments).compute()
    for total, message in (
        (0, "total_experiment_hops is 0"),
        (3, "experiment_hops contains .*; expected at most the total"),
        (background, "total_experiment_hops has the dimensions"),
        (xr.DataArray([9.0, -5.0], dims="tf"), "total_experiment_hops contains -5; expected totals of at least 0"),
        (
            xr.DataArray([9.0, 9.0], {"tf": ["B", "A"]}, "tf"),
            "total_experiment_hops and the counts have different labels along 'tf'",
        ),
        (xr.DataArray([9.0], dims="tf"), "total_experiment_hops and the counts have different labels along 'tf'"),
    ):
        with pytest.raises(yx.InputError, match=message):
            yx.analysis.enrichment(experiment, background, total_experiment_hops=total).compute()
    with pytest.raises(yx.InputError, match="method is 'holm'; expected 'bh', 'by' or 'bonferroni'"):
        yx.analysis.adjust_pvalues(background / 20.0, "holm")
    with pytest.raises(yx.InputError, match=r"a p-value is outside \[0, 1\]"):
        yx.analysis.adjust_pvalues(background * 2.0).compute()


def test_adjusted_pvalues__of_tests_hold_the_false_discovery_rate() -> None:
    ds = yx.simulate(genes=6600, bound=[0.1], n_sample=[20], pvalues="test", bound_mean=5.0, seed=3)
    called, label = (yx.analysis.adjust_pvalues(ds.perturbation_pvalue) < 0.05).values, ds.label.values
    false = (called & ~label).sum() / called.sum()
    # Benjamini and Hochberg: 5 % of the share that is unbound; the number of false calls is nearly Poisson.
    assert false < 0.05 * 0.9 + 6 * np.sqrt(0.05 / called.sum())
    assert (called & label).sum() > 0.8 * label.sum()


def test_binding_pvalues__of_tests_are_those_of_enrichment() -> None:
    ds = yx.simulate(genes=2000, bound=[0.1], n_sample=[5], pvalues="test", hops=True, seed=3)
    tested = yx.analysis.enrichment(
        ds.experiment_hops, ds.background_hops, total_experiment_hops=76, total_background_hops=1000, pseudocount=0.1
    )
    np.testing.assert_allclose(ds.binding_pvalue, tested.poisson_pvalue, rtol=1e-6)
    strongest = yx.analysis.top_ratio(ds, n=25, responsive="label")
    assert (strongest.ratio > 0.85).all()
