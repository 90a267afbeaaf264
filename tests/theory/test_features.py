"""Closed forms against brute force and against the numbers that the tutorial's defaults must give."""

import time
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, stats

import yeastxr as yx
from tests.reference import agreement
from tests.reference.boolean import nested_conditions
from yeastxr import theory
from yeastxr.demo import METHODS, POPULATION
from yeastxr.schema import MAGNITUDE, QUANTITIES, STATUSES
from yeastxr.simulation.parameters import BindingParameters
from yeastxr.theory.features import compute_bin_probabilities, compute_mean_magnitudes, find_distribution

RELATIONS = st.fixed_dictionaries(
    {}, optional={t: st.lists(nested_conditions(list(range(10)), 4), max_size=3) for t in range(10)}
)


def tutorial(method: int, **extra: object) -> yx.SimulationSpec:
    return yx.SimulationSpec(**{**POPULATION, **METHODS[method][1], "seed": 1, **extra})


@pytest.mark.parametrize(("bound", "mean", "std"), [(True, 2.3889, 6.101), (False, 0.34127, 1.1397)])
def test_distribution__binding_effects_of_the_defaults(bound: bool, mean: float, std: float) -> None:
    d = theory.distribution(tutorial(1), "binding_effect", label=bound)
    assert d.mean == pytest.approx(mean, rel=1e-4)
    assert d.std == pytest.approx(std, rel=1e-4)


def test_distribution__binding_effects_by_brute_force() -> None:
    spec = tutorial(
        1,
        background_hops_range=(2, 5),
        bound_experiment_hops_range=(3, 4),
        total_background_hops=50,
        total_experiment_hops=7,
        pseudocount=0.5,
    )
    values = [(e / 7.5) / (b / 50.5 + 0.5) for e in (3, 4) for b in (2, 3, 4, 5)]
    d = theory.distribution(spec, "binding_effect", label=True)
    assert d.mean == pytest.approx(np.mean(values), rel=1e-6)
    assert d.std == pytest.approx(np.std(values), rel=1e-6)
    assert d.support == pytest.approx((min(values), max(values)), rel=1e-6)


@pytest.mark.parametrize(("mean", "std"), [(0, 1), (3, 1), (-2, 0.5), (0.1, 4)])
def test_folded_normal_mean__integral(mean: float, std: float) -> None:
    exact, _ = integrate.quad(
        lambda x: abs(x) * stats.norm.pdf(x, mean, std), mean - 12 * std, mean + 12 * std, points=[0]
    )
    assert theory.folded_normal_mean(mean, std) == pytest.approx(exact, rel=1e-9)


def test_folded_normal_mean__no_noise() -> None:
    np.testing.assert_array_equal(theory.folded_normal_mean(np.array([-2.0, 3.0]), 0), [2.0, 3.0])


def test_distribution__sizes_of_perturbation_effects_by_method_1() -> None:
    for label, mean in [(True, 3.00076), (False, 0.79788)]:
        d = theory.distribution(tutorial(1), "perturbation_effect", label=label)
        assert d.magnitude().mean == pytest.approx(mean, abs=1e-5)


def test_distribution__sizes_by_method_2_are_a_mixture_over_the_lattice() -> None:
    values, weights = theory.binding_lattice(BindingParameters(), bound=True)
    expected = sum(w * stats.foldnorm.mean(3 + 10 * v / values.max()) for v, w in zip(values, weights, strict=True))
    d = theory.distribution(tutorial(2), "perturbation_effect", label=True)
    assert d.magnitude().mean == pytest.approx(expected, rel=1e-6)


def test_distribution__effects_without_noise_are_float32() -> None:
    spec = tutorial(4, bound_std=0.0, unbound_std=0.0, unbound_mean=0.3)
    d = theory.distribution(spec, "perturbation_effect", label=True)
    np.testing.assert_array_equal(d.values, d.values.astype(np.float32))
    effects = spec.simulate().perturbation_effect.values
    assert (d.pmf(effects) > 0)[np.abs(effects) != np.float32(0.3)].all()


def test_distribution__noise_by_status() -> None:
    spec = tutorial(4, unbound_std=2.0, bound_std=0.5, max_mean_adjustment=0.0)
    expected = {"unbound": (0.0, 2.0), "bound_active": (3.0, 0.5), "bound_inactive": (0.0, 0.5)}
    for group, (mean, std) in expected.items():
        d = theory.distribution(spec, "perturbation_effect", **theory.GROUPS[group])
        assert (d.means.tolist(), d.stds.tolist()) == ([mean], [std])


def test_expected__moments_of_magnitudes() -> None:
    spec = tutorial(4)
    expected = theory.expected(spec).sel(feature="perturbation_effect")
    for group in theory.GROUPS:
        magnitude = theory.distribution(spec, "perturbation_effect", **theory.GROUPS[group]).magnitude()
        moments = expected.sel(group=group)
        assert float(moments.magnitude_mean) == pytest.approx(magnitude.mean, rel=1e-12)
        assert float(moments.magnitude_std) == pytest.approx(magnitude.std, rel=1e-9)


@pytest.mark.parametrize("group", theory.GROUPS)
@pytest.mark.parametrize("quantity", QUANTITIES)
def test_find_distribution__of_a_selection_of_tfs_is_their_mixture(quantity: str, group: str) -> None:
    spec = tutorial(4)
    ds = spec.simulate().isel(tf=[0, 3, 3, 5, 9])
    arguments = theory.GROUPS[group]
    pairs = theory.expected(spec, by_tf=True).pairs.sel(group=group)
    x = np.linspace(-3, 10, 40)
    name = "perturbation_effect" if quantity == MAGNITUDE else quantity
    weights, cdfs = [], []
    for tf in ds.tf.values.tolist():
        if pairs.sel(tf=tf) > 0:
            d = theory.distribution(spec, name, **arguments, tf=tf)
            cdfs.append((d.magnitude() if quantity == MAGNITUDE else d).cdf(x))
            weights.append(float(pairs.sel(tf=tf)))
    mixture = find_distribution(ds, quantity, **arguments)
    np.testing.assert_allclose(mixture.cdf(x), np.average(cdfs, axis=0, weights=weights), atol=1e-12)
    whole = find_distribution(spec.simulate(), quantity, **arguments)
    np.testing.assert_array_equal(whole.cdf(x), find_distribution(spec, quantity, **arguments).cdf(x))


def test_find_distribution__none_without_specification_or_pairs() -> None:
    spec = tutorial(1)
    ds = spec.simulate()
    assert find_distribution(spec, "binding_effect", label=True, adjusted=False) is None
    assert find_distribution(ds.assign_coords(tf=ds.tf + 1), "binding_effect") is None
    assert find_distribution(ds.drop_attrs(), "binding_effect") is None


def test_compute_bin_probabilities__bins_are_closed_on_the_left() -> None:
    d = theory.Lattice.of([0.0, 1.0, 2.0, 3.0], [0.4, 0.3, 0.2, 0.1])
    np.testing.assert_allclose(compute_bin_probabilities(d, np.array([0.0, 1.0, 2.0, 3.0])), [0.4, 0.3, 0.3])


def test_compute_mean_magnitudes__by_status() -> None:
    binding = np.array([0.0, 10.0, 78.0])
    plain, related = (compute_mean_magnitudes(tutorial(method), binding) for method in (2, 4))
    assert list(plain) == ["unbound", "bound"]
    assert list(related) == list(STATUSES)
    raised = stats.foldnorm.mean(3 + 10 * binding / (6 / 76 * 1000))
    for magnitudes in (plain["bound"], related["bound_active"]):
        np.testing.assert_allclose(magnitudes, raised, rtol=1e-6)
    for magnitudes in (plain["unbound"], related["unbound"], related["bound_inactive"]):
        np.testing.assert_allclose(magnitudes, np.full(3, np.sqrt(2 / np.pi)), rtol=1e-12)


@pytest.mark.parametrize("method", METHODS)
def test_distribution__agrees_with_simulations(method: int) -> None:
    """2 x 10^6 cells: moments, cdf at seven points and the share of large effects, of every feature in every group."""
    found = agreement.compute_scores(tutorial(method, replicates=10), blocks=20)
    assert len(found) > 100
    assert max(found.values()) < 6, {key: z for key, z in found.items() if z >= 6}


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
def test_distribution__agrees_with_10_to_the_8_cells(method: int) -> None:
    found = agreement.compute_scores(tutorial(method, replicates=100), blocks=100)
    worst = max(found, key=found.get)
    print(f"method {method}: largest of {len(found)} standard scores {found[worst]:.2f} ({', '.join(worst)})")
    assert found[worst] < 6


@pytest.mark.slow
@settings(max_examples=3)
@given(relations=RELATIONS)
def test_distribution__agrees_with_10_to_the_8_cells_of_random_relations(relations: dict) -> None:
    spec = tutorial(2, replicates=100, tf_relationships=relations)
    found = agreement.compute_scores(spec, blocks=100)
    worst = max(found, key=found.get)
    print(f"{relations}: largest of {len(found)} standard scores {found[worst]:.2f} ({', '.join(worst)})")
    assert found[worst] < 6


@settings(max_examples=2)
@given(relations=RELATIONS)
def test_distribution__agrees_with_random_relations(relations: dict) -> None:
    found = agreement.compute_scores(tutorial(2, replicates=10, tf_relationships=relations), blocks=20)
    assert max(found.values()) < 6, {key: z for key, z in found.items() if z >= 6}


@pytest.mark.parametrize(("genes", "share"), [(100, 0.9703), (1000, 0.9887), (6600, 0.9956)])
def test_large_fraction__cutoff_in_a_gap(genes: int, share: float) -> None:
    """All active pairs have larger effects than all others, but the number of them is random: E min(A, rank) / E A."""
    spec = yx.SimulationSpec(genes=genes, bound=[0.9, 0.111], bound_mean=10.0, tf_relationships={0: [1]}, seed=1)
    large = theory.large_fraction(spec, "perturbation_effect", label=True, adjusted=True, tf=0)
    assert large == pytest.approx(share, abs=5e-5)
    bound, named = round(0.9 * genes), round(0.111 * genes)
    numbers = np.arange(named + 1)
    chances = stats.hypergeom.pmf(numbers, genes, named, bound)
    most = genes - np.ceil((genes - 1) * 0.9)
    exact = np.minimum(numbers, most) @ chances / (numbers @ chances)
    assert large == pytest.approx(exact, abs=1e-4)  # a few unbound pairs are larger than bound ones


GAP = {"bound": [0.9, 0.06, 0.2, 0.22], "bound_mean": 10.0}
TIED = {"bound": [0.8, 0.3, 0.2, 0.25], "bound_mean": 1.0, "bound_std": 0.0, "max_mean_adjustment": 5.0}
EXCLUSIVE = yx.Or(yx.And(1, yx.Not(2)), yx.And(2, yx.Not(1)))
MAJORITY = yx.Or(yx.And(1, 2), yx.And(2, 3), yx.And(1, 3))
ODD: dict[str, dict] = {
    "gap": {"bound": [0.9, 0.111], "bound_mean": 10.0, "tf_relationships": {0: [1]}},
    "gap, And": {**GAP, "tf_relationships": {0: [yx.And(yx.Not(1), 2, 3), yx.Or(2, 3)]}},
    "gap, Or": {**GAP, "tf_relationships": {0: [yx.Or(1, yx.And(2, 3))]}},
    "gap, exclusive": {**GAP, "tf_relationships": {0: [EXCLUSIVE]}},
    "gap, majority": {**GAP, "tf_relationships": {0: [MAJORITY]}},
    "gap, all bound": {**GAP, "bound": [1.0, 0.06, 0.05], "tf_relationships": {0: [EXCLUSIVE]}},
    "ties": {**TIED, "tf_relationships": {0: [1]}},
    "ties, majority": {**TIED, "tf_relationships": {0: [MAJORITY], 1: [yx.Not(2)]}},
    "only ties": {**TIED, "unbound_std": 0.0, "tf_relationships": {0: [yx.Or(1, 2)]}},
    "all large": {**GAP, "large_effect_percentile": 0.0, "tf_relationships": {0: [1]}},
    "one large": {**GAP, "large_effect_percentile": 1.0, "tf_relationships": {0: [1]}},
    "a rounded rank": {**GAP, "large_effect_percentile": 0.55, "tf_relationships": {0: [yx.Or(1, 2)]}},
    "none bound": {"bound": [0.5, 0.0], "tf_relationships": {0: [yx.Or(1, yx.Not(1))], 1: [0]}},
    "large means": {"bound": [0.5, 0.4], "bound_mean": 1e5, "unbound_mean": 1e5, "max_mean_adjustment": 10.0},
    "larger means": {"bound": [0.5, 0.4], "bound_mean": 1e6, "unbound_mean": 1e6, "tf_relationships": {0: [1]}},
    "means beyond noise": {"bound": [0.5, 0.4], "bound_mean": 1e8, "unbound_mean": 1e8, "tf_relationships": {0: [1]}},
    "noise of float32's least numbers": {"bound": [0.5], "bound_mean": 0.0, "bound_std": 1e-44, "unbound_std": 1e-44},
}


@pytest.mark.medium
@pytest.mark.parametrize("replicates", [150, pytest.param(1000, marks=pytest.mark.slow)])
@pytest.mark.parametrize("genes", [1, 2, 101])
@pytest.mark.parametrize("parameters", ODD.values(), ids=ODD)
def test_large_fraction__agrees_with_simulations_of_odd_specifications(
    parameters: dict, genes: int, replicates: int
) -> None:
    spec = yx.SimulationSpec(genes=genes, **parameters, seed=1, replicates=replicates)
    scores = agreement.compute_large_scores(spec, blocks=4)
    assert max(scores.values()) < 6, scores


@pytest.mark.medium
@pytest.mark.parametrize(
    "name",
    ["gap, And", "gap, majority", *(pytest.param(name, marks=pytest.mark.slow) for name in ("gap", "gap, exclusive"))],
)
def test_large_fraction__agrees_with_simulations_of_1000_genes(name: str) -> None:
    spec = yx.SimulationSpec(genes=1000, **ODD[name], seed=1, replicates=400)
    scores = agreement.compute_large_scores(spec, blocks=5)
    assert max(scores.values()) < 6, scores


@pytest.mark.parametrize("quantile", [0.0, 0.3, 0.5, 0.9, 0.97, 1.0])
def test_large_fraction__ties_by_brute_force(quantile: float) -> None:
    """Three genes, one of them bound, two hops: every outcome is counted."""
    spec = yx.SimulationSpec(
        genes=3, bound=[1 / 3], background_hops_range=(1, 2), bound_experiment_hops_range=(1, 2), seed=1,
        large_effect_percentile=quantile,
    )  # fmt: skip
    bound, unbound = (theory.distribution(spec, "binding_effect", label=label) for label in (True, False))
    found = {True: 0.0, False: 0.0}
    for (b, pb), (u, pu), (v, pv) in product(
        zip(bound.values, bound.probabilities, strict=True),
        *[list(zip(unbound.values, unbound.probabilities, strict=True))] * 2,
    ):
        large = np.array([b, u, v]) >= np.quantile([b, u, v], quantile)
        found[True] += pb * pu * pv * large[0]
        found[False] += pb * pu * pv * large[1:].mean()
    for label, share in found.items():
        assert theory.large_fraction(spec, "binding_effect", label=label) == pytest.approx(share, abs=1e-12)
    assert theory.large_fraction(spec, "binding_effect") == pytest.approx(
        (found[True] + 2 * found[False]) / 3, abs=1e-12
    )
    pvalue = theory.distribution(spec, "binding_pvalue", label=True)
    assert pvalue.mean == pytest.approx(0.5 - 0.4 * found[True])


def test_large_fraction__without_ties_is_exact() -> None:
    for genes in (10, 11, 1000, 6600):
        spec = yx.SimulationSpec(genes=genes, bound=[0.3], seed=1)
        large = genes - np.ceil((genes - 1) * 0.9)
        assert theory.large_fraction(spec, "perturbation_effect") == pytest.approx(large / genes, abs=1e-12)
        by_label = [theory.large_fraction(spec, "perturbation_effect", label=label) for label in (True, False)]
        bound = round(genes * 0.3) / genes
        assert bound * by_label[0] + (1 - bound) * by_label[1] == pytest.approx(large / genes, abs=1e-9)


def test_distribution__of_a_mixture_is_the_mixture_of_its_groups() -> None:
    spec = tutorial(4)
    x = np.linspace(-8, 8, 33)
    pairs = theory.expected(spec).pairs
    parts = {
        group: theory.distribution(spec, "perturbation_effect", **theory.GROUPS[group])
        for group in ("unbound", "bound_active", "bound_inactive")
    }
    mixed = sum(float(pairs.sel(group=group)) * d.cdf(x) for group, d in parts.items()) / float(pairs.sel(group="all"))
    np.testing.assert_allclose(theory.distribution(spec, "perturbation_effect").cdf(x), mixed, rtol=1e-12)


def test_expected__by_tf_averages_to_all() -> None:
    spec = tutorial(3)
    whole, by_tf = theory.expected(spec), theory.expected(spec, by_tf=True)
    assert by_tf.sizes["tf"] == 10
    np.testing.assert_allclose(by_tf.pairs.sum("tf"), whole.pairs)
    weighted = (by_tf["mean"] * by_tf.pairs).sum("tf") / by_tf.pairs.sum("tf")
    np.testing.assert_allclose(weighted.transpose(*whole["mean"].dims), whole["mean"], atol=1e-9)


@pytest.mark.parametrize(
    ("extra", "arguments", "message"),
    [
        ({}, {"label": False, "adjusted": True}, "adjusted is True and label is False"),
        ({}, {"label": 1.5}, "label is 1.5; expected True, False or None"),
        ({}, {"tf": 99}, "tf is 99, which is unknown"),
        ({"bound": [0.0], "n_sample": [3]}, {"label": True}, "there are no pairs with label=True"),
        ({}, {"label": True, "adjusted": False}, "there are no pairs with label=True, adjusted=False"),
    ],
)
def test_distribution__refused(extra: dict, arguments: dict, message: str) -> None:
    with pytest.raises(yx.InputError, match=message):
        theory.distribution(tutorial(1, **extra), "binding_effect", **arguments)


def test_distribution__unknown_feature_or_no_specification() -> None:
    with pytest.raises(yx.SchemaError, match="unknown feature 'bindin'"):
        theory.distribution(tutorial(1), "bindin")
    with pytest.raises(yx.InputError, match="spec is of type dict"):
        theory.distribution({}, "binding_effect")


def test_large_fraction__10_000_tfs_with_relations_are_quick_by_sharing() -> None:
    entries = [[1], [yx.Or(1, 2)], [yx.And(3, yx.Not(4))], [yx.Or(yx.And(1, 2), yx.And(2, 3))]]
    relations = {tf: entries[tf % 4] for tf in range(5, 10_000)}
    spec = yx.SimulationSpec(genes=6600, bound=[0.1, 0.3], n_sample=[5000, 5000], tf_relationships=relations, seed=1)
    started = time.perf_counter()
    assert 0.8 < theory.large_fraction(spec, "perturbation_effect", label=True, adjusted=True) < 0.95
    assert time.perf_counter() - started < 30  # 3 s on an idle machine


def test_distribution__many_genes_and_tfs_are_quick_by_sharing() -> None:
    spec = yx.SimulationSpec(genes=6600, bound=[0.1, 0.3], n_sample=[1000, 1000], max_mean_adjustment=10.0, seed=1)
    assert len({theory.distribution(spec, "perturbation_pvalue", tf=tf).mean for tf in (0, 500, 999)}) == 1
    assert theory.distribution(spec, "perturbation_pvalue").mean == pytest.approx(0.46, abs=1e-4)
