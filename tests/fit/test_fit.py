"""Fits recover planted values, and their standard errors are those of repeated simulations."""

from dataclasses import replace

import numpy as np
import pytest
import xarray as xr

import yeastxr as yx
from yeastxr.fit.cells import collect
from yeastxr.fit.effects import NAMES, evaluate_effects
from yeastxr.fit.shares import estimate_missing
from yeastxr.theory.distributions import FoldedNormals

RELATED = {0: [1], 2: [3, 4], 5: [6]}
BOOLEAN = {0: [1], 2: [yx.Or(3, yx.Not(4))], 5: [yx.And(6, 7)]}
METHODS = {
    1: {},
    2: {"max_mean_adjustment": 10.0},
    3: {"max_mean_adjustment": 10.0, "tf_relationships": RELATED},
    4: {"max_mean_adjustment": 10.0, "tf_relationships": BOOLEAN},
}
PLANTED = {"bound_mean": 2.5, "bound_std": 1.3, "unbound_std": 0.8, "positive_fraction": 0.6}
EFFECTS = ("unbound_std", "bound_mean", "bound_std", "max_mean_adjustment", "positive_fraction")
NEGATIVE_BINOMIAL = {
    "background_hops_mean": 10.0,
    "unbound_experiment_hops_mean": 1.5,
    "bound_experiment_hops_mean": 12.0,
    "background_hops_dispersion": 0.3,
    "experiment_hops_dispersion": 0.5,
}


def compute_z(fit: yx.SpecFit, truth: yx.SimulationSpec, names: tuple[str, ...]) -> list[float]:
    """Return how many standard errors estimates are from what was planted."""
    planted = {name: getattr(truth, name) for name in names if name != "slope"}
    planted["slope"] = truth.max_mean_adjustment / truth.largest_effect
    rows = fit.estimates.sel(parameter=list(names))
    assert (rows.source == "estimated").all()
    return [(value - planted[name]) / error for name, value, error in zip(names, rows.value.values,
            rows.standard_error.values, strict=True)]  # fmt: skip


def check_z(z: np.ndarray) -> None:
    """Check that none of some z-scores is above 3, and that they scatter by 1; six s.d. of an s.d. are allowed.

    Of 400 right ones, one is above 3 on average. The seeds are ones for which none is.
    """
    assert np.abs(z).max() < 3
    for column in z.T:
        assert abs(column.std(ddof=1) - 1) < 6 / np.sqrt(2 * column.size)
        assert abs(column.mean()) < 6 / np.sqrt(column.size)
    assert abs(z.std() - 1) < 0.25


@pytest.mark.parametrize("method", METHODS)
def test_fit__recovers_planted_values(method: int) -> None:
    z = []
    for seed in range(20):
        spec = yx.SimulationSpec(
            genes=600,
            bound=[0.1, 0.25],
            n_sample=[4, 4],
            **PLANTED,
            **METHODS[method],
            seed=10_000 + 1000 * method + seed,
        )
        fit = yx.fit_spec(spec.simulate(), seed=seed)
        z.append(compute_z(fit, spec, EFFECTS))
        found = {name: getattr(fit.spec, name) for name in EFFECTS}
        assert replace(spec, **found, seed=seed) == fit.spec  # hops, bound fractions and all else are exact
    check_z(np.array(z))
    with pytest.raises(AssertionError):  # standard errors of half or twice the size would not pass
        check_z(np.array(z) * 2)
    with pytest.raises(AssertionError):
        check_z(np.array(z) / 2)


def test_fit__finds_two_groups_without_a_label() -> None:
    z, fractions = [], []
    for seed in range(12):
        spec = yx.SimulationSpec(genes=1000, bound=[0.1, 0.2], n_sample=[3, 3], max_mean_adjustment=10.0, seed=seed)
        ds = spec.simulate().drop_vars("label").drop_attrs()
        fit = yx.fit_spec(ds, seed=seed)
        z.append(compute_z(fit, spec, ("unbound_std", "bound_mean", "bound_std", "slope")))
        error = fit.estimates.bound_standard_error.values
        fractions.append((fit.estimates.bound.values - np.repeat([0.1, 0.2], 3)) / error)
        assert fit.spec.background_hops_range == (1, 100)
    assert np.abs(z).max() < 3.5
    assert 0.7 < np.std(z) < 1.4
    assert np.abs(fractions).max() < 4
    assert 0.8 < np.std(fractions) < 1.3


def test_fit__responses_are_counted_or_told_apart() -> None:
    planted = {"responsive_fraction": 0.6, "indirect_fraction": 0.05, "max_mean_adjustment": 10.0}
    names = ("unbound_std", "bound_mean", "bound_std", "slope", "responsive_fraction", "indirect_fraction")
    kept, hidden = [], []
    for seed in range(5):
        spec = yx.SimulationSpec(genes=1000, bound=[0.2], n_sample=8, **planted, seed=seed)
        ds = spec.simulate()
        kept.append(compute_z(yx.fit_spec(ds, seed=1), spec, names))
        hidden.append(compute_z(yx.fit_spec(ds.drop_vars("responsive"), seed=1), spec, names))
    for z in (kept, hidden):
        assert np.abs(z).max() < 3.5
        assert 0.5 < np.std(z) < 1.5


def test_fit__correlated_responses_and_missing_values() -> None:
    planted = {"responsive_fraction": 0.5, "indirect_fraction": 0.1, "gene_responsiveness": 0.2}
    planted |= {"missing_gene_fraction": 0.1, "missing_pair_fraction": 0.05}
    spec = yx.SimulationSpec(genes=1500, bound=[0.3], n_sample=6, replicates=2, **planted, seed=3)
    fit = yx.fit_spec(spec.simulate(), seed=1)
    assert np.abs(compute_z(fit, spec, tuple(planted))).max() < 4
    assert fit.spec.replicates == 2
    few = yx.fit_spec(
        spec.simulate().sel(tf=[0]), seed=1
    )  # with one TF, genes and pairs can't be does not differ significantly
    assert few.spec.missing_gene_fraction == 0
    assert abs(few.spec.missing_pair_fraction - 0.145) < 0.06


@pytest.mark.parametrize("promoters", [0.0, 0.5])
def test_fit__negative_binomial_hops(promoters: float) -> None:
    planted = {**NEGATIVE_BINOMIAL, "promoter_dispersion": promoters}
    names = tuple(name for name, value in planted.items() if value)
    z = []
    for seed in range(4):
        spec = yx.SimulationSpec(
            genes=1000, bound=[0.15], n_sample=6, hop_distribution="negative_binomial", hops=True, **planted, seed=seed
        )
        ds = spec.simulate()
        fit = yx.fit_spec(ds.drop_attrs() if seed else ds, seed=1)
        assert fit.spec.is_tabulated
        assert bool(fit.spec.promoter_dispersion) == bool(promoters)
        z.append(compute_z(fit, spec, names))
    assert np.abs(z).max() < 3.5
    assert 0.5 < np.std(z) < 1.4


RANGES = [
    {"background_hops_range": (50, 100), "bound_experiment_hops_range": (4, 6)},
    {"background_hops_range": (3, 40), "unbound_experiment_hops_range": (1, 3), "bound_experiment_hops_range": (2, 9)},
    {"background_hops_range": (0, 40), "pseudocount": 0.001},
    {"total_background_hops": 5000, "total_experiment_hops": 300, "bound_experiment_hops_range": (0, 20)},
]


@pytest.mark.parametrize("ranges", RANGES)
@pytest.mark.parametrize("hops", [False, True])
def test_fit__ranges_of_hops_follow_from_hops_or_effects(ranges: dict[str, tuple[int, int]], hops: bool) -> None:
    spec = yx.SimulationSpec(genes=1000, bound=[0.2], n_sample=5, hops=hops, **ranges, seed=4)
    fit = yx.fit_spec(spec.simulate(), seed=1)
    for name in ("background_hops_range", "unbound_experiment_hops_range", "bound_experiment_hops_range"):
        assert getattr(fit.spec, name) == getattr(spec, name)
    errors = fit.estimates.standard_error.sel(parameter=["background_hops_range[0]", "background_hops_range[1]"])
    assert (errors < 1e-6).all()


@pytest.mark.parametrize("share", [0.01, 0.5])
@pytest.mark.parametrize("distribution", ["uniform", "negative_binomial"])
def test_fit__pairs_without_a_row_say_nothing_about_hops(distribution: str, share: float) -> None:
    """Tables leave hops of such pairs at 0 and their label at False."""
    ranges = {"background_hops_range": (5, 60), "unbound_experiment_hops_range": (1, 3)}
    planted = ranges if distribution == "uniform" else NEGATIVE_BINOMIAL
    spec = yx.SimulationSpec(
        genes=1000, bound=[0.2], n_sample=6, hops=True, hop_distribution=distribution, **planted, seed=3
    )
    ds = spec.simulate()
    present = xr.DataArray(np.random.default_rng(1).random(ds.label.shape) >= share, dims=ds.label.dims)
    hops = {name: ds[name].where(present, 0).astype("int32") for name in ("experiment_hops", "background_hops")}
    measured = ds.assign({**hops, "label": ds.label & present, "binding_effect": ds.binding_effect.where(present)})
    fit = yx.fit_spec(measured.drop_attrs(), seed=1)
    assert fit.spec.hop_distribution == distribution
    if distribution == "uniform":
        assert {name: getattr(fit.spec, name) for name in planted} == planted
    else:
        assert np.abs(compute_z(fit, spec, tuple(planted))).max() < 4
    error = fit.estimates.bound_standard_error
    np.testing.assert_allclose(error, np.sqrt(0.16 / (1000 * (1 - share))), rtol=0.1)
    assert (abs(fit.estimates.bound - 0.2) < 4 * error).all()


def test_fit__standard_errors_of_missing_shares_with_few_tfs() -> None:
    rng = np.random.default_rng(1)
    for tfs, pairs, genes in ((2, 0.3, 0.1), (3, 0.5, 0.05), (20, 0.2, 0.3)):
        present = (rng.random((400, 800, tfs)) >= pairs) & (rng.random((400, 800, 1)) >= genes)
        z = [
            [(found.value - planted) / found.error for found, planted in zip(estimates, (genes, pairs), strict=True)]
            for estimates in (estimate_missing(known, tfs) for known in present.sum(axis=-1))
        ]
        assert (abs(np.std(z, axis=0) - 1) < 6 / np.sqrt(800)).all()
        assert (abs(np.mean(z, axis=0)) < 8 / np.sqrt(400)).all()


def test_fit__measured_effects_get_ranges_of_about_their_moments() -> None:
    ds = yx.simulate(genes=2000, bound=[0.1], n_sample=3, bound_mean=2.0, unbound_std=0.4, seed=2)
    rng = np.random.default_rng(1)
    values = np.where(ds.label, rng.gamma(1.0, 3.0, ds.label.shape), rng.gamma(0.5, 0.6, ds.label.shape))
    measured = ds.assign(binding_effect=ds.binding_effect.copy(data=values.astype("float32"))).drop_attrs()
    fit = yx.fit_spec(measured, seed=1)
    assert any("chosen" in note for note in fit.notes)
    assert (fit.estimates.source.sel(parameter=["total_experiment_hops", "max_mean_adjustment"]) == "chosen").all()
    assert np.isnan(fit.estimates.standard_error.sel(parameter="max_mean_adjustment"))
    assert sum("only the slope is estimated" in note for note in fit.notes) == 1
    again = fit.spec.simulate()
    for label in (True, False):
        pair = [float(part.binding_effect.where(part.label == label).mean()) for part in (measured, again)]
        assert abs(np.log(pair[0] / pair[1])) < 0.7
    log = measured.assign(binding_effect=np.log2(measured.binding_effect))
    fit = yx.fit_spec(log, seed=1)
    assert any("defaults" in note for note in fit.notes)
    assert abs(fit.spec.bound_mean - 2) < 0.3


def test_fit__data_of_its_specification_look_like_the_data() -> None:
    ds = yx.simulate(genes=2000, tfs=["GAL4", "MIG1"], bound=[0.2, 0.1], bound_mean=4.0, bound_std=0.5, seed=2)
    again = ds.yeast.fit_spec(seed=7).spec.simulate()
    assert again.tf.equals(ds.tf)
    assert (again.label.sum("gene") == ds.label.sum("gene")).all()
    for label in (True, False):
        for name in ("binding_effect", "perturbation_effect"):
            pair = [float(abs(part[name]).where(part.label == label).astype("float64").mean()) for part in (ds, again)]
            assert abs(np.log(pair[0] / pair[1])) < 0.2


def test_fit__means_of_unbound_pairs_leave_0_where_they_differ() -> None:
    spec = yx.SimulationSpec(genes=1000, bound=[0.2], n_sample=5, unbound_mean=1.3, unbound_std=0.9, seed=11)
    fit = yx.fit_spec(spec.simulate(), seed=1)
    assert np.abs(compute_z(fit, spec, ("unbound_mean", "unbound_std", "bound_mean", "bound_std"))).max() < 3.5
    near = yx.fit_spec(replace(spec, unbound_mean=0.0, bound_mean=0.0).simulate(), seed=1)
    assert (near.spec.unbound_mean, near.spec.bound_mean, near.spec.max_mean_adjustment) == (0, 0, 0)
    assert sum("does not differ significantly" in note for note in near.notes) >= 2


def test_fit__dask_gives_the_same_as_numpy() -> None:
    options = {"genes": 500, "bound": [0.1, 0.2], "n_sample": [2, 2], "replicates": 2, "seed": 3, "hops": True}
    options |= {"max_mean_adjustment": 5.0, "tf_relationships": {0: [1]}, "missing_pair_fraction": 0.1}
    ds = yx.simulate(**options)
    lazy = yx.simulate(**options, chunks={"gene": 200, "tf": 1})
    for drop in ([], ["label"]):
        known = {"tf_relationships": {}} if drop else {}
        fits = [yx.fit_spec(part.drop_vars(drop), seed=1, **known) for part in (ds, lazy)]
        xr.testing.assert_allclose(fits[0].estimates, fits[1].estimates, rtol=1e-6, atol=1e-9)
    assert lazy.label.chunks  # and the input stays lazy


def test_fit__known_parameters_are_held() -> None:
    ds = yx.simulate(genes=1000, bound=[0.2], n_sample=4, max_mean_adjustment=8.0, unbound_std=0.7, seed=1)
    fit = yx.fit_spec(ds, seed=1, max_mean_adjustment=8.0, unbound_std=0.7, responsive_fraction=1.0)
    rows = fit.estimates.sel(parameter=["max_mean_adjustment", "unbound_std", "responsive_fraction"])
    assert (rows.source == "given").all()
    assert rows.value.values.tolist() == [8.0, 0.7, 1.0]
    free = yx.fit_spec(ds, seed=1)
    errors = [f.estimates.standard_error.sel(parameter="bound_mean").item() for f in (fit, free)]
    assert errors[0] < errors[1]


def test_fit__given_negative_binomial_hops_stay_without_counts() -> None:
    ds = yx.simulate(genes=500, bound=[0.2], n_sample=2, seed=1)
    given = {"hop_distribution": "negative_binomial"} | NEGATIVE_BINOMIAL
    fit = yx.fit_spec(ds, seed=1, **given)
    assert {name: getattr(fit.spec, name) for name in given} == given
    assert fit.spec.simulate().sizes == ds.sizes
    with pytest.raises(yx.InputError, match="no counts of hops to estimate means; expected all means"):
        yx.fit_spec(ds, seed=1, hop_distribution="negative_binomial", background_hops_mean=10.0)


def test_fit__signs_differ_by_tf() -> None:
    ds = yx.simulate(genes=1000, bound=[0.2], n_sample=3, positive_fraction=[0.2, 0.5, 0.8], seed=1)
    fit = yx.fit_spec(ds, seed=1)
    assert np.allclose(fit.spec.positive_fraction, [0.2, 0.5, 0.8], atol=0.06)
    z = (fit.estimates.positive_fraction - [0.2, 0.5, 0.8]) / fit.estimates.positive_fraction_standard_error
    assert abs(z).max() < 4


def test_fit__prints_in_terminals_and_notebooks() -> None:
    fit = yx.fit_spec(yx.simulate(genes=300, bound=[0.2], n_sample=2, tfs=["a\x1b[2J", "b"], seed=1), seed=1)
    assert repr(fit).splitlines()[0].split() == ["parameter", "value", "standard", "error", "source"]
    assert "2 TFs, bound fraction 0.2" in repr(fit)
    assert "\x1b" not in repr(fit) + fit._repr_html_()
    assert "bound_mean" in fit._repr_html_()


def test_fit__bad_input_is_refused() -> None:
    ds = yx.simulate(genes=200, bound=[0.2], n_sample=2, tf_relationships={0: [1]}, seed=1)
    swept = yx.sweep(ds.yeast.spec, bound_mean=[3.0, 4.0])
    repeated = yx.simulate(genes=50, bound=[0.2], measurements=2, seed=1)
    few = ds.drop_vars("label").isel(gene=slice(20)).drop_attrs()
    unbound = yx.simulate(genes=1000, bound=[0.0], n_sample=3, seed=1).drop_vars("label")
    wrong = [
        (lambda: yx.fit_spec(swept), "isel\\(bound_mean=0\\)"),
        (lambda: yx.fit_spec(repeated), "isel\\(measurement=0\\)"),
        (lambda: yx.fit_spec(ds.drop_vars("binding_effect")), "binding_effect"),
        (lambda: yx.fit_spec(ds.sel(tf=[0])), "relations of TFs that the dataset does not have"),
        (lambda: yx.fit_spec(ds.drop_vars("label")), "no 'label'"),
        (lambda: yx.fit_spec(few), "more genes"),
        (lambda: yx.fit_spec(unbound), "do not show a second group"),
        (lambda: yx.fit_spec(unbound, max_mean_adjustment=3.0), "max_mean_adjustment"),
        (lambda: yx.fit_spec(ds, bound_meen=3.0), "did you mean 'bound_mean'"),
        (lambda: yx.fit_spec(ds, bound=[0.1]), "comes from the dataset"),
        (lambda: yx.fit_spec(ds, unbound_std=-1.0), "unbound_std"),
        (lambda: yx.fit_spec(ds, seed=-1), "seed"),
        (lambda: yx.fit_spec(ds.where(False).assign(label=ds.label)), "both effects"),
        (lambda: yx.fit_spec(ds.assign(perturbation_effect=ds.perturbation_effect * 0)), "with noise"),
        (lambda: yx.fit_spec(None), "Dataset"),
    ]
    for call, message in wrong:
        with pytest.raises(yx.InputError, match=message) as error:
            call()
        assert str(error.value).count("\n") == 0


def test_fit__one_group_leaves_the_other_at_its_default() -> None:
    fit = yx.fit_spec(yx.simulate(genes=300, bound=[0.0], n_sample=2, unbound_std=2.0, seed=1), seed=1)
    assert fit.spec.bound_mean == 3.0
    assert abs(fit.spec.unbound_std - 2) < 0.35
    assert any("0 bound pairs" in note for note in fit.notes)


def test_likelihood__has_the_density_and_the_derivatives_it_says() -> None:
    ds = yx.simulate(genes=300, bound=[0.3], n_sample=4, seed=3)
    holds = yx.adjusted_pairs(ds.label, {0: [1], 2: [3]}, responsive=xr.ones_like(ds.label))
    cells = collect(ds, holds).cells
    values = dict(zip(NAMES, [0.4, 1.1, 2.5, 0.9, 0.2, 0.7, 0.1], strict=True))
    found = evaluate_effects(values, cells)
    for i, name in enumerate(NAMES):
        ends = [evaluate_effects({**values, name: values[name] + step}, cells) for step in (-1e-5, 1e-5)]
        np.testing.assert_allclose((ends[1].value - ends[0].value) / 2e-5, found.gradient[i], rtol=1e-5)
        np.testing.assert_allclose(
            (ends[1].gradient - ends[0].gradient) / 2e-5, found.curvature[i], rtol=1e-4, atol=1e-3
        )
    total = 0.0  # by the distributions of theory, pair by pair
    magnitude = abs(ds.perturbation_effect).values.astype(float)
    for pair in np.ndindex(magnitude.shape):
        bound, active = bool(ds.label.values[pair]), bool(holds.values[pair])
        share = values["responsive_fraction" if bound else "indirect_fraction"]
        mean = 2.5 + 0.2 * float(ds.binding_effect.values[pair]) if active else 0.4
        density = FoldedNormals([1 - share, share], [0.4, mean], [1.1, 0.9]).pdf(magnitude[pair])
        total += np.log(density)
    assert abs(found.value - total) < 1e-3 * abs(total) ** 0.5
