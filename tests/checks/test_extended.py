"""Checks of what extends the tutorial: correct datasets pass, injected errors are found, subsets are no errors."""

import numpy as np
import pytest
import xarray as xr

import yeastxr as yx
from tests.reference import injected
from yeastxr.checks.topic import make_steps
from yeastxr.simulation.parameters import BindingParameters

SMALL = {"genes": 400, "bound": [0.1, 0.3], "n_sample": [5, 5]}
FEW = injected.HOPS | {  # tables that are made quickly
    "background_hops_mean": 3.0,
    "unbound_experiment_hops_mean": 0.7,
    "bound_experiment_hops_mean": 3.0,
}
EVERYTHING = (
    injected.RESPONSES
    | FEW
    | {
        "bound_concentration": 20.0,
        "hops": True,
        "pvalues": "test",
        "gene_responsiveness": 0.2,
        "adjusted": True,
        "positive_fraction": [0.1, 0.2, 0.3, 0.4, 0.5, 0.5, 0.6, 0.7, 0.8, 0.9],
        "measurements": 2,
        "batch_std": 0.3,
        "missing_gene_fraction": 0.07,
        "missing_pair_fraction": 0.01,
        "max_mean_adjustment": 3.0,
        "replicates": 2,
    }
)
NOT_TESTED = {"missing values": ["perturbation p-value, large effects"]}
QUICK = (  # errors that a small dataset shows
    "no promoter factor",
    "one experiment hop more",
    "one binding p-value rounded",
    "p-values of another s.d.",
    "Poisson pseudocount 0.101",
    "all bound pairs of a TF respond",
    "no indirect responses of a TF",
    "responses of another seed",
    "fair signs",
    "a label that one measurement lacks",
    "no offsets of batches",
    "one adjusted pair",
    "no missing genes",
    "more missing pairs of a gene",
    "fractions of another seed",
)


def simulate(name: str, seed: int = 3, **extra: object) -> xr.Dataset:
    parameters = dict(injected.EXTENDED[name])
    return yx.simulate(**SMALL | parameters | (FEW if "hop_distribution" in parameters else {}) | extra, seed=seed)


@pytest.mark.parametrize("name", injected.EXTENDED)
def test_check__simulation_passes(name: str) -> None:
    table = yx.check(simulate(name))
    assert table.failed == []
    assert [row.name for row in table.rows if row.passed is None] == NOT_TESTED.get(name, [])


def test_check__everything_passes_whatever_the_chunks() -> None:
    ds = yx.simulate(**SMALL | EVERYTHING, seed=4)
    table = yx.check(ds)
    assert table.passed
    names = " ".join(row.name for row in table.rows)
    for part in (
        "measurement=1: responsive pairs, unbound: of each gene",
        "measurement=0: hops: binding effect",
        "measurement=0: missing genes",
        "measurement=1: adjusted pairs",
        "measurement=1: offset of each TF",
        "binding p-value: function of hops",
        "signs of each gene",
        "background hops: the same in all measurements",
        "experiment_hops: dimensions and dtype",
    ):
        assert part in names
    lazy = ds.chunk({"replicate": 1, "measurement": 1, "gene": 150, "tf": 3})
    xr.testing.assert_identical(yx.check(lazy).to_dataset(), table.to_dataset())


def test_check__subsets_are_no_errors() -> None:
    ds = yx.simulate(**SMALL | EVERYTHING, seed=4)
    part = ds.isel(replicate=[1], measurement=[1], gene=slice(399, 90, -2), tf=[9, 3, 0])
    table = yx.check(part)
    assert table.failed == []
    lost = yx.check(ds.drop_vars(["responsive", "adjusted", "experiment_hops"]))
    assert lost.failed == []
    reasons = {row.name: row.observed for row in lost.rows if row.passed is None}
    assert reasons["measurement=0: responsive pairs"] == "not tested: the dataset has no variable 'responsive'"
    assert reasons["measurement=0: hops"] == "not tested: the dataset has no hops"


@pytest.mark.slow
@pytest.mark.parametrize("name", injected.EXTENDED)
def test_check__false_alarms_are_as_rare_as_stated(name: str) -> None:
    """Of 100 seeds, a correct dataset fails at 0.05 in 18 at most, 6 s.d. above the bound."""
    tables = [yx.check(simulate(name, seed, genes=120), level=0.05) for seed in range(100)]
    assert sum(bool(table.failed) for table in tables) <= 100 * 0.05 + 6 * np.sqrt(0.05 * 0.95 * 100)


@pytest.mark.parametrize("error", QUICK)
def test_check__errors_that_a_small_dataset_shows(error: str) -> None:
    parameters, inject, name = injected.EXTENDED_ERRORS[error]
    parameters = parameters | (FEW if "hop_distribution" in parameters else {})
    failed = yx.check(inject(injected.make_extended_spec(genes=600, tfs=60, **parameters))).failed
    assert any(name in row for row in failed), failed


@pytest.mark.slow
@pytest.mark.parametrize("error", injected.EXTENDED_ERRORS)
def test_check__injected_errors(error: str) -> None:
    parameters, inject, name = injected.EXTENDED_ERRORS[error]
    failed = yx.check(inject(injected.make_extended_spec(**parameters))).failed
    assert any(name in row for row in failed), failed


def test_check__wrong_extra_variables_fail_the_data_model() -> None:
    ds = simulate("responses")
    table = yx.check(ds.assign(adjusted=ds["adjusted"].astype(np.float32)))
    assert table.failed == ["adjusted: dimensions and dtype"]


def test_steps_by_level_have_the_mean_of_the_lattice() -> None:
    steps = make_steps(BindingParameters(**FEW))
    for lattice, chances, scores, distances in zip(
        steps.lattices, steps.chances, steps.scores, steps.distances, strict=True
    ):
        np.testing.assert_allclose(chances.mean(axis=0), lattice.probabilities, atol=1e-15)
        np.testing.assert_allclose(chances.sum(axis=1), 1)
        np.testing.assert_allclose((chances * scores).sum(axis=1), 0, atol=1e-12)
        np.testing.assert_allclose((chances * distances).sum(axis=1), 0, atol=1e-12)
