"""What extends the tutorial: against another implementation, by steps, in any chunks, and against closed forms."""

import hashlib
import math
from dataclasses import fields
from typing import Any

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from scipy import stats

import yeastxr as yx
from tests.reference import scheme
from tests.simulation.test_steps import cuts
from yeastxr.schema import EXTRA_NAMES, FEATURE_NAMES
from yeastxr.simulation import draws, extended, extended_kernels
from yeastxr.simulation.parameters import BindingParameters

HOPS: dict[str, Any] = {
    "hop_distribution": "negative_binomial",
    "background_hops_mean": 5.0,
    "unbound_experiment_hops_mean": 1.5,
    "bound_experiment_hops_mean": 6.0,
    "background_hops_dispersion": 0.3,
    "experiment_hops_dispersion": 0.5,
    "promoter_dispersion": 0.4,
    "total_background_hops": 1000,
    "total_experiment_hops": 300,
    "pseudocount": 0.1,
}
RESPONSES: dict[str, Any] = {"responsive_fraction": 0.4, "indirect_fraction": 0.05, "gene_responsiveness": 0.1}
MISSING: dict[str, Any] = {"missing_gene_fraction": 0.05, "missing_pair_fraction": 0.1}
MEASUREMENTS: dict[str, Any] = {"measurements": 2, "batch_std": 0.5}
RELATIONS: dict[int, list] = {0: [1], 2: [yx.Or(0, yx.Not(3))], 3: [3]}
BASE: dict[str, Any] = {"genes": 90, "bound": [0.2, 0.1, 0.5], "n_sample": [2, 1, 2], "seed": 42}
FULL: dict[str, Any] = {
    **BASE,
    **HOPS,
    **RESPONSES,
    **MISSING,
    **MEASUREMENTS,
    "bound_concentration": 8.0,
    "replicates": 2,
    "hops": True,
    "adjusted": True,
    "pvalues": "test",
    "positive_fraction": [0.1, 0.5, 0.9, 1.0, 0.0],
    "max_mean_adjustment": 4.0,
    "unbound_mean": 0.25,
    "tf_relationships": RELATIONS,
}
GROUPS: dict[str, dict[str, Any]] = {
    "all": {},
    "uniform hops": dict.fromkeys(HOPS),
    "no promoter": {"promoter_dispersion": 0.0},
    "Poisson": {"background_hops_dispersion": 0.0, "experiment_hops_dispersion": 0.0},
    "drawn p-values": {"pvalues": None},
    "bound pairs respond": dict.fromkeys(RESPONSES),
    "no factor of genes": {"gene_responsiveness": None},
    "no missing genes": {"missing_gene_fraction": None},
    "no missing pairs": {"missing_pair_fraction": None},
    "no measurements": dict.fromkeys(MEASUREMENTS),
    "fixed fractions": {"bound_concentration": None},
    "no relations": {"tf_relationships": None},
    "nothing kept": {"hops": None, "adjusted": None},
}


def choose(changes: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Return the full parameters with changes; None leaves one out."""
    return {name: value for name, value in {**FULL, **changes, **more}.items() if value is not None}


def simulate_by_hand(options: dict[str, Any], chunks: Any = None) -> xr.Dataset:
    """Run the steps with the parameters that each has."""

    def pick(*groups: Any) -> dict[str, Any]:
        names = {name for group in groups for name in (group if isinstance(group, list | dict) else [group])}
        return {name: value for name, value in options.items() if name in names}

    population = ["genes", "bound", "n_sample", "replicates", "measurements", "bound_concentration"]
    labels = yx.generate_gene_population(**pick(population, "seed"), chunks=chunks)
    hops = yx.generate_hops(labels, **pick(HOPS, "seed"))
    effect = yx.generate_binding_effects(labels, **pick(HOPS, "seed"))
    responsive = yx.generate_responses(labels, **pick(RESPONSES, "seed")) if "responsive_fraction" in options else None
    tested = "pvalues" in options
    pvalue = yx.generate_pvalues(effect, **pick("pvalues", "seed"), hops=hops if tested else None)
    step = ["positive_fraction", "batch_std", "max_mean_adjustment", "unbound_mean", "tf_relationships"]
    response = yx.generate_perturbation_effects(labels, effect, responsive=responsive, **pick(step, "seed"))
    parts = [response, yx.generate_pvalues(response, **pick("pvalues", "seed"))]
    if options.keys() & MISSING.keys():
        parts = [yx.mask_missing(part, **pick(MISSING, "seed")) for part in parts]
    relations = options.get("tf_relationships")
    adjusted = yx.adjusted_pairs(labels, relations, responsive=responsive) if "adjusted" in options else None
    kept = hops if "hops" in options else None
    return yx.assemble(labels, effect, pvalue, *parts, hops=kept, responsive=responsive, adjusted=adjusted)


def same_bits(found: np.ndarray, expected: np.ndarray) -> None:
    assert found.dtype == expected.dtype
    kind = np.uint32 if found.dtype == np.float32 else found.dtype
    np.testing.assert_array_equal(np.ascontiguousarray(found).view(kind), np.ascontiguousarray(expected).view(kind))


@pytest.mark.parametrize("group", GROUPS)
def test_simulate__as_the_scheme_defines(group: str) -> None:
    options = choose(GROUPS[group], genes=60, replicates=None, hops=True, adjusted=True)
    spec = yx.SimulationSpec(**options)
    ds = spec.simulate()
    params = {field.name: getattr(spec, field.name) for field in fields(spec)}
    params["slope"] = spec.max_mean_adjustment / spec.largest_effect
    means = [b for b, n in zip(spec.bound, spec.n_sample, strict=True) for _ in range(n)]
    relations = spec.tf_relationships or {}

    def holds(label: np.ndarray) -> np.ndarray:
        result = np.ones(label.shape, bool)
        for tf in relations:
            own = {0: label[:, 1], 2: label[:, 0] | ~label[:, 3], 3: label[:, 3]}
            result[:, tf] = own[tf]
        return result

    for m in range(spec.measurements or 1):
        one = ds.isel(measurement=m) if spec.measurements else ds
        expected = scheme.extended(spec.seed, spec.n_genes, means, holds, 0, m, params)
        np.testing.assert_allclose(one.bound_fraction.values, expected["bound_fraction"], rtol=1e-9)
        for name in ("label", "binding_effect", "binding_pvalue", "perturbation_effect", *EXTRA_NAMES):
            if name in one:
                same_bits(one[name].values, expected[name])
        if spec.tests_effects:
            z = abs(expected["complete"].astype(float))
            tested = stats.norm.sf(z - 0.25) + stats.norm.sf(z + 0.25)
            pvalue = np.where(expected["missing"], np.nan, tested)
            np.testing.assert_allclose(one["perturbation_pvalue"].values, pvalue, rtol=1e-7)
        else:
            pvalue = np.where(expected["missing"], np.float32(np.nan), expected["drawn_pvalue"])
            same_bits(one["perturbation_pvalue"].values, pvalue)


# sha256 of the bytes of all variables, cut to 16 digits: of each parameter alone, and of all together.
GOLDEN: dict[str, tuple[dict[str, Any], str]] = {
    "hops": ({"hops": True}, "3d4ec7d7db5ec1a3"),
    "hop_distribution": ({**HOPS, "promoter_dispersion": 0.0, "hops": True}, "3bef2c58223c9f12"),
    "promoter_dispersion": (HOPS, "9d2950762f96eb71"),
    "pvalues": ({"pvalues": "test"}, "ad485a539fb4a181"),
    "poisson_pseudocount": ({"pvalues": "test", "poisson_pseudocount": 0.3}, "6d4cc93428867812"),
    "responsive_fraction": ({"responsive_fraction": 0.4}, "64390a9a553323b2"),
    "indirect_fraction": ({"indirect_fraction": 0.1}, "c7b521ef9c64e2d4"),
    "gene_responsiveness": (RESPONSES, "9fdd83b9797c811b"),
    "bound_concentration": ({"bound_concentration": 8.0}, "5ecba487f5e990aa"),
    "measurements": ({"measurements": 2}, "6f42b9ee6e556524"),
    "batch_std": (MEASUREMENTS, "27684d4f4b9cf896"),
    "positive_fraction": ({"positive_fraction": 0.3}, "a94158763c601b0b"),
    "missing_gene_fraction": ({"missing_gene_fraction": 0.1}, "05bb0873c30c05f8"),
    "missing_pair_fraction": ({"missing_pair_fraction": 0.1}, "f487bb0cea4cdcc2"),
    "adjusted": ({"adjusted": True, "tf_relationships": RELATIONS}, "ea0369043d2cc26c"),
    "all": (FULL, "0166a45e205f9951"),
}


def test_scheme__golden_hashes() -> None:
    for name, (change, expected) in GOLDEN.items():
        ds = yx.simulate(**{**BASE, **change})
        digest = hashlib.sha256(b"".join(ds[variable].values.tobytes() for variable in ds.data_vars)).hexdigest()
        assert digest[:16] == expected, name


@pytest.mark.parametrize("chunks", [None, {"tf": 2}, {"gene": 40, "tf": 3}], ids=["numpy", "dask", "dask-genes"])
@pytest.mark.parametrize("group", GROUPS)
def test_simulate__equals_the_steps_by_hand(group: str, chunks: dict | None) -> None:
    options = choose(GROUPS[group])
    by_hand = simulate_by_hand(options, chunks)
    assert yx.spec_of(by_hand) == yx.SimulationSpec(**options)
    xr.testing.assert_identical(by_hand.compute(), yx.simulate(**options))


@given(gene=cuts(90), tf=cuts(5), replicate=cuts(2), measurement=cuts(2))
def test_simulate__chunks_change_no_bit(gene: object, tf: object, replicate: object, measurement: object) -> None:
    chunks = {"gene": gene, "tf": tf, "replicate": replicate, "measurement": measurement}
    xr.testing.assert_identical(yx.simulate(**FULL, chunks=chunks).compute(), yx.simulate(**FULL))


@pytest.mark.parametrize("name", [*FEATURE_NAMES, *EXTRA_NAMES])
def test_compute__one_variable_alone(name: str) -> None:
    lazy, complete = yx.simulate(**FULL, chunks={"tf": 2}), yx.simulate(**FULL)
    xr.testing.assert_identical(lazy[name].compute(), complete[name])


@pytest.mark.parametrize("chunks", [{"tf": 2}, {"gene": 40}], ids=str)
def test_simulate__lazy_computes_nothing(chunks: dict, no_compute: None) -> None:
    ds = yx.simulate(**FULL, chunks=chunks)
    assert all(array.chunks for array in ds.data_vars.values())
    assert yx.spec_of(simulate_by_hand(FULL, chunks)) is not None


@pytest.mark.parametrize("threads", ["1", "3"])
def test_simulate__slabs_and_threads_change_no_bit(threads: str, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = yx.simulate(**FULL)
    monkeypatch.setenv("YEASTXR_THREADS", threads)
    monkeypatch.setattr(draws, "_SLAB_CELLS", 200)  # two TFs at a time
    xr.testing.assert_identical(yx.simulate(**FULL), expected)


def test_simulate__tutorial_values_stay() -> None:
    plain = yx.simulate(**BASE, max_mean_adjustment=5.0, tf_relationships=RELATIONS)
    for change in ({"hops": True}, {"adjusted": True}, {"missing_pair_fraction": 0.3}, {"measurements": 2}):
        ds = yx.simulate(**BASE, max_mean_adjustment=5.0, tf_relationships=RELATIONS, **change)
        ds = ds.isel(measurement=0, drop=True) if "measurement" in ds.dims else ds
        known = ds["perturbation_effect"].notnull()
        for name in FEATURE_NAMES:
            same_bits(ds[name].values[known.values], plain[name].values[known.values])
    # Signs are half positive, and the same ones.
    signs = yx.simulate(**BASE, positive_fraction=[0.5] * 5, hops=True)
    same_bits(signs["perturbation_effect"].values, yx.simulate(**BASE)["perturbation_effect"].values)


def test_simulate__tfs_and_measurements_appended_leave_others() -> None:
    options = choose({"tf_relationships": None}, positive_fraction=0.3)
    ds = yx.simulate(**options)
    more = {"bound": [*FULL["bound"], 0.3], "n_sample": [*FULL["n_sample"], 2], "measurements": 3, "replicates": 3}
    larger = yx.simulate(**{**options, **more}).isel(tf=slice(5), measurement=slice(2), replicate=slice(2))
    for name in ds.data_vars:
        same_bits(larger[name].values, ds[name].values)
    np.testing.assert_array_equal(larger.bound_fraction, ds.bound_fraction)


def test_measurements__share_their_truth() -> None:
    ds = yx.simulate(**choose({"genes": 600, "positive_fraction": 0.3, "batch_std": None}))
    one, other = ds.isel(measurement=0, drop=True), ds.isel(measurement=1, drop=True)
    for name in ("label", "background_hops", "responsive", "adjusted"):
        assert one[name].equals(other[name]), name
    both = one["perturbation_effect"].notnull() & other["perturbation_effect"].notnull()
    signs = (one["perturbation_effect"] > 0) == (other["perturbation_effect"] > 0)
    assert bool(signs.where(both, True).all())
    for name in ("experiment_hops", "binding_pvalue", "perturbation_effect", "perturbation_pvalue"):
        assert (one[name] == other[name]).mean() < 0.6, name
    # Missing genes are shared, missing pairs are not.
    missing = ds["perturbation_effect"].isnull().all("tf")
    assert bool((missing.isel(measurement=0) == missing.isel(measurement=1)).all())
    assert bool(missing.any())


def close(found: float, expected: float, sd: float) -> None:
    """Compare a statistic with its expectation, give or take 6 standard deviations."""
    assert abs(found - expected) < 6 * sd + 1e-12, (found, expected, sd)


def test_hops__moments_of_the_table_and_of_the_law() -> None:
    ds = yx.simulate(**{**BASE, **HOPS, "genes": 20_000, "n_sample": 4, "hops": True})
    params = BindingParameters(**HOPS)
    factors = np.array(extended.list_factors(params))
    assert math.isclose(factors.mean(), 1, rel_tol=1e-12)
    assert abs(factors.var() / 0.4 - 1) < 0.02  # a level has lost the variance within it
    label = ds["label"].values
    pairs = ds["background_hops"].values, ds["experiment_hops"].values[label], ds["experiment_hops"].values[~label]
    tables = extended.make_hop_tables(params)
    laws = [(5.0, 0.3), (6.0, 0.5), (1.5, 0.5)]
    for hops, table, (mean, dispersion) in zip(pairs, (tables[0], tables[2], tables[1]), laws, strict=True):
        chances = table.probabilities.mean(axis=0)
        k = np.arange(chances.size)
        assert math.isclose((k * chances).sum(), mean, rel_tol=1e-5)
        variance = mean + dispersion * mean**2 + (1 + dispersion) * mean**2 * factors.var()
        assert math.isclose((k**2 * chances).sum() - mean**2, variance, rel_tol=1e-5)
        # Pairs of a gene share its factor: their mean varies as that of genes does, and little more.
        spread = math.sqrt((mean + dispersion * mean**2) / hops.size + mean**2 * factors.var() / 20_000)
        close(hops.mean(), mean, spread)
        close((hops == 0).mean(), chances[0], 0.5 * math.sqrt(1 / 20_000 + 1 / hops.size))
        assert abs(hops.var() / variance - 1) < 0.15


def test_responses__fractions_and_correlation() -> None:
    # Half the pairs are bound, so both kinds are counted well.
    ds = yx.simulate(**{**BASE, **RESPONSES, "genes": 20_000, "bound": [0.5], "n_sample": 20})
    label, responsive = ds["label"].values, ds["responsive"].values
    for status, chance in ((True, 0.4), (False, 0.05)):
        n_pairs, n_genes = (label == status).sum(), 20_000
        sd = math.sqrt(chance * (1 - chance) * (0.1 / n_genes + 1 / n_pairs))
        close(responsive[label == status].mean(), chance, sd)
    alone = yx.simulate(**{**BASE, "genes": 20_000, "n_sample": 20, "responsive_fraction": 0.4})
    bound = alone["label"].values
    close(alone["responsive"].values[bound].mean(), 0.4, math.sqrt(0.24 / bound.sum()))
    assert not alone["responsive"].values[~bound].any()
    # Two responses of a gene have the intra-class correlation, but for what is lost within levels.
    every = yx.simulate(
        genes=20_000, bound=[1.0], n_sample=20, responsive_fraction=0.4, gene_responsiveness=0.1, seed=3
    )
    counts = every["responsive"].values.sum(axis=1)
    correlation = (counts.var() / (20 * 0.24) - 1) / 19
    assert abs(correlation - 0.1) < 0.01


def test_signs_missing_fractions_and_batches__as_they_should_be() -> None:
    n_genes, n_tfs = 5000, 20
    ds = yx.simulate(
        genes=n_genes,
        bound=0.1,
        n_sample=n_tfs,
        positive_fraction=[0.0, 1.0, *[0.3] * 18],
        missing_gene_fraction=0.07,
        missing_pair_fraction=0.02,
        seed=9,
    )
    effect = ds["perturbation_effect"].values
    known = np.isfinite(effect)
    np.testing.assert_array_equal(known, np.isfinite(ds["perturbation_pvalue"].values))
    assert not (effect[:, 0] > 0).any()
    assert not (effect[:, 1] < 0).any()
    close((effect[:, 2:][known[:, 2:]] > 0).mean(), 0.3, math.sqrt(0.21 / known[:, 2:].sum()))
    gone = ~known.any(axis=1)
    close(gone.mean(), 0.07, math.sqrt(0.07 * 0.93 / n_genes))
    close((~known[~gone]).mean(), 0.02, math.sqrt(0.02 * 0.98 / (n_genes * n_tfs * 0.93)))
    batches = yx.simulate(
        genes=500, bound=0.0, n_sample=400, measurements=2, unbound_std=0.0, batch_std=0.5, unbound_mean=0.0, seed=5
    )
    offset = batches["perturbation_effect"]
    assert float((offset.max("gene") - offset.min("gene")).max()) == 0
    values = offset.isel(gene=0).values
    close(values.mean(), 0, 0.5 / math.sqrt(values.size))
    close(values.var(), 0.25, 0.25 * math.sqrt(2 / values.size))
    close(float(np.corrcoef(values)[0, 1]), 0, 1 / math.sqrt(400))


def test_bound_fractions__of_a_beta_distribution() -> None:
    ds = yx.simulate(genes=500, bound=[0.1, 0.0, 1.0], n_sample=[2000, 2, 2], bound_concentration=20.0, seed=8)
    fractions = ds.bound_fraction.values
    np.testing.assert_array_equal(fractions[2000:], [0, 0, 1, 1])
    close(fractions[:2000].mean(), 0.1, math.sqrt(0.09 / 21 / 2000))
    assert abs(fractions[:2000].var() / (0.09 / 21) - 1) < 0.25
    np.testing.assert_array_equal(ds.label.sum("gene"), [round(500 * f) for f in fractions])
    assert yx.spec_of(ds).bound_fractions == fractions.tolist()
    replicates = yx.simulate(genes=50, bound=[0.1], n_sample=9, bound_concentration=20.0, replicates=3, seed=8)
    np.testing.assert_array_equal(replicates.bound_fraction, fractions[:9])


@pytest.mark.parametrize("hops", [{}, HOPS], ids=["uniform", "negative binomial"])
def test_binding_pvalues__are_poisson_tails(hops: dict[str, Any]) -> None:
    ds = yx.simulate(**{**BASE, **hops, "genes": 2000}, pvalues="test", poisson_pseudocount=0.2, hops=True)
    ratio = 300 / 1000 if hops else 76 / 1000
    experiment, background = ds["experiment_hops"].values, ds["background_hops"].values
    expected = stats.poisson.sf(experiment - 1, (background + 0.2) * ratio)
    np.testing.assert_allclose(ds["binding_pvalue"].values, expected, rtol=1e-6, atol=2e-45)
    totals = (1000 + 0.1, 300 + 0.1, 0.1) if hops else (1000 + 1e-10, 76 + 1e-10, 1e-10)
    effect = (experiment / totals[1]) / (background / totals[0] + totals[2])
    np.testing.assert_allclose(ds["binding_effect"].values, effect, rtol=1e-6)


def test_perturbation_pvalues__are_uniform_for_unbound_pairs() -> None:
    for mean in (0.0, 0.7):
        ds = yx.simulate(
            genes=20_000, bound=0.0, n_sample=5, pvalues="test", unbound_mean=mean, unbound_std=2.0, seed=4
        )
        assert stats.kstest(ds["perturbation_pvalue"].values.ravel(), "uniform").pvalue > 1e-6


def test_sweep__points_in_which_exactly_the_bound_pairs_respond() -> None:
    ds = yx.sweep(yx.SimulationSpec(**BASE), responsive_fraction=[0.5, 1.0]).compute()
    assert ds["label"].dims == ("gene", "tf")
    assert ds["responsive"].sel(responsive_fraction=1.0, drop=True).equals(ds["label"])


def test_stores__have_extra_variables(tmp_path: Any) -> None:
    ds = yx.simulate(**FULL)
    options = choose({"tf_relationships": None})
    for source in (ds, yx.simulate(**FULL, chunks={"tf": 2})):
        path = yx.save(source, tmp_path / "a.zarr", overwrite=True)
        opened = yx.open(path)
        assert all(opened[name].chunks for name in EXTRA_NAMES)
        xr.testing.assert_identical(opened.compute(), ds)
    chunk = next(f for f in (path / "background_hops" / "c").rglob("*") if f.is_file())
    chunk.write_bytes(chunk.read_bytes()[:-1])
    found = yx.verify(path)
    assert [problem.partition(",")[0] for problem in found.problems] == ["background_hops"]
    assert yx.verify(path, repair=True).repaired
    xr.testing.assert_identical(yx.open(path).compute(), ds)
    path = yx.save(yx.simulate(**options, chunks={"tf": 2}), tmp_path / "b.zarr")
    with pytest.raises(yx.InputError, match="positive_fraction is missing; expected values for the new TFs"):
        yx.extend(path, bound=[0.3])
    with pytest.raises(yx.InputError, match="positive_fraction has 3 entries; expected 1, or 2"):
        yx.extend(path, bound=[0.3], n_sample=[2], positive_fraction=[0.1, 0.2, 0.3])
    yx.extend(path, bound=[0.3], n_sample=[2], replicates=3, positive_fraction=0.4)
    options = {**options, "positive_fraction": [*FULL["positive_fraction"], 0.4, 0.4]}
    larger = {**options, "bound": [*FULL["bound"], 0.3], "n_sample": [*FULL["n_sample"], 2], "replicates": 3}
    xr.testing.assert_identical(yx.open(path).compute(), yx.simulate(**larger))


def test_tensors__leave_out_extra_variables() -> None:
    ds = yx.simulate(**FULL)
    assert yx.to_torch(ds).shape == (2, 2, 90, 5, 5)
    one = ds.isel(replicate=0, measurement=0, drop=True).sel(tf=[2])
    assert yx.validate(one.sel(tf=2)).sizes["tf"] == 1
    with pytest.raises(yx.SchemaError, match="experiment_hops has dtype float64; expected int32"):
        yx.validate(ds.assign(experiment_hops=ds["experiment_hops"].astype(float)))
    yx.validate(ds.assign(responsive=ds["responsive"].isel(replicate=0)))  # a variable may lack leading dims
    with pytest.raises(yx.SchemaError, match="responsive has no dimension 'tf'"):
        yx.validate(ds.assign(responsive=ds["responsive"].isel(tf=0, drop=True)))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"hop_distribution": "poisson"}, "hop_distribution is 'poisson'; expected 'uniform' or 'negative_binomial'"),
        ({"background_hops_mean": 3.0}, "background_hops_mean can't be used with hop_distribution='uniform'"),
        ({"promoter_dispersion": 3.0}, "promoter_dispersion can't be used with hop_distribution='uniform'"),
        ({**HOPS, "promoter_dispersion": 1e-7}, "promoter_dispersion is 1e-07; expected 0, or a number from 1e-06"),
        (
            {"hop_distribution": "negative_binomial"},
            "without background_hops_mean, unbound_exp.*; expected all means",
        ),
        (
            {**HOPS, "background_hops_range": (1, 5)},
            "background_hops_range can't be used with hop_distribution='negative_binomial'",
        ),
        ({**HOPS, "pseudocount": 0}, "pseudocount is 0 and hop_distribution is 'negative_binomial'"),
        ({**HOPS, "background_hops_mean": -1}, "background_hops_mean is -1; expected a number from 0 to 10000"),
        ({"hops": 1}, "hops is 1; expected True or False"),
        ({"adjusted": "yes"}, "adjusted is 'yes'; expected True or False"),
        ({"pvalues": "exact"}, "pvalues is 'exact'; expected 'tutorial' or 'test'"),
        (
            {"pvalues": "test", "large_effect_percentile": 0.8},
            "large_effect_percentile can't be used with pvalues='test'",
        ),
        ({"poisson_pseudocount": 0.2}, "poisson_pseudocount can't be used with pvalues='tutorial'"),
        ({"pvalues": "test", "unbound_std": 0}, "unbound_std is 0 and pvalues is 'test'"),
        ({"pvalues": "test", "background_hops_range": (1, 10**8)}, "combinations; expected at most 10"),
        ({"responsive_fraction": 1.1}, "responsive_fraction is 1.1; expected a number from 0 to 1"),
        ({"gene_responsiveness": 0.5}, "gene_responsiveness has no effect if exactly the bound pairs respond"),
        ({"gene_responsiveness": 1.0, "indirect_fraction": 0.1}, "gene_responsiveness is 1; expected 0, or a number"),
        ({"positive_fraction": [0.5, 0.5]}, "positive_fraction has 2 entries; expected 1, or 5"),
        ({"positive_fraction": 2}, "positive_fraction is 2; expected a number from 0 to 1"),
        ({"batch_std": 1.0}, "batch_std is 1 but there are no measurements"),
        ({"batch_std": -1.0, "measurements": 2}, "batch_std is -1.0; expected a finite number of at least 0"),
        ({"measurements": 0}, "measurements is 0; expected an integer from 1"),
        ({"bound_concentration": 0}, "bound_concentration is 0; expected a number from 0.01 to 1e"),
        ({"missing_gene_fraction": -0.1}, "missing_gene_fraction is -0.1; expected a number from 0 to 1"),
        (
            {**HOPS, "background_hops_mean": 9999.0, "background_hops_dispersion": 99.0},
            "exceed 65,536; expected smaller",
        ),
    ],
    ids=str,
)
def test_bad_input__is_refused_in_one_sentence(change: dict[str, Any], message: str) -> None:
    with pytest.raises(yx.InputError, match=message) as caught:
        yx.simulate(**{**BASE, **change})
    assert "\n" not in str(caught.value)


def test_steps__refuse_what_does_not_go_together() -> None:
    labels = yx.generate_gene_population(20, bound=0.5, seed=1)
    effect, hops = yx.generate_binding_effects(labels, seed=1), yx.generate_hops(labels, seed=1)
    response = yx.generate_perturbation_effects(labels, effect, seed=1)
    with pytest.raises(yx.InputTypeError, match="hops is None; expected the result of generate_hops"):
        yx.generate_pvalues(effect, pvalues="test")
    with pytest.raises(yx.InputError, match="hops can't be used with pvalues='tutorial' of binding_pvalue"):
        yx.generate_pvalues(effect, hops=hops)
    with pytest.raises(yx.InputError, match="hops can't be used with pvalues='test' of perturbation_pvalue"):
        yx.generate_pvalues(response, pvalues="test", hops=hops)
    with pytest.raises(yx.InputError, match=r"experiment_hops range from 1000 to 100.*, but the parameters .* 0 to 6"):
        yx.generate_pvalues(effect, pvalues="test", hops=hops.assign(experiment_hops=hops.experiment_hops + 1000))
    with pytest.raises(yx.SchemaError, match="has no variable 'background_hops'"):
        yx.generate_pvalues(effect, pvalues="test", hops=hops[["experiment_hops"]])
    with pytest.raises(yx.InputError, match="hops has no parameters"):
        yx.generate_pvalues(effect, pvalues="test", hops=hops.drop_attrs())
    with pytest.raises(yx.InputError, match="pass unbound_mean and unbound_std"):
        yx.generate_pvalues(response.drop_attrs(), pvalues="test")
    found = yx.generate_pvalues(response.drop_attrs(), pvalues="test", unbound_mean=0.0, unbound_std=1.0)
    np.testing.assert_array_equal(found, yx.generate_pvalues(response, pvalues="test"))
    with pytest.raises(yx.InputError, match="batch_std is 1 but labels have no dimension 'measurement'"):
        yx.generate_perturbation_effects(labels, effect, batch_std=1.0)
    with pytest.raises(yx.SchemaError, match="array is named 'binding_effect'; expected 'perturbation_effect' or"):
        yx.mask_missing(effect, missing_gene_fraction=0.5)
    with pytest.raises(yx.SchemaError, match="hops is of type DataArray; expected the xarray"):
        yx.assemble(labels, effect, effect, response, response, hops=hops.experiment_hops)
    # A rule of one's own has signs, batches and responses, too.
    many = yx.generate_gene_population(400, bound=0.5, measurements=2, seed=1)
    effects = yx.generate_binding_effects(many, seed=1)
    negative = yx.generate_perturbation_effects(
        many,
        effects,
        adjustment_function=lambda labels, effect: labels * 3.0,
        positive_fraction=0.0,
        responsive=yx.generate_responses(many, responsive_fraction=0.5, seed=1),
        seed=1,
    )
    assert bool((negative <= 0).all())


def test_extended_kernels__any_word_has_a_count() -> None:
    hops = extended.make_hops(BindingParameters(**HOPS))
    for words in (np.zeros(64, np.uint32), np.full(64, 0xFFFFFFFF, np.uint32)):
        out = np.empty(64, np.int32)
        extended_kernels.set_table_counts(words, np.arange(64, dtype=np.uint8), hops.background, out)
        table = extended.make_hop_tables(BindingParameters(**HOPS))[0]
        np.testing.assert_array_equal(out, table.guide[:, 256] if words[0] else (table.thresholds == 0).sum(axis=1))
