"""Theory of what extends the tutorial, by brute force and against samples that NumPy draws."""

from fractions import Fraction

import numpy as np
import pytest
from scipy import stats

import yeastxr as yx
from yeastxr import Not
from yeastxr.errors import InputError
from yeastxr.simulation.extended import list_factors, make_hop_tables
from yeastxr.simulation.parameters import BindingParameters
from yeastxr.simulation.tables import make_poisson_tails
from yeastxr.theory import FoldedNormals, SignedFoldedNormals, TailPvalues, binding_lattice, distribution
from yeastxr.theory.features import GROUPS, compute_mean_magnitudes, find_distribution
from yeastxr.theory.pairs import _merge_near, classify_tfs, make_group_magnitudes

HOPS = {
    "hop_distribution": "negative_binomial",
    "background_hops_mean": 2.0,
    "background_hops_dispersion": 0.3,
    "unbound_experiment_hops_mean": 0.5,
    "bound_experiment_hops_mean": 3.0,
    "experiment_hops_dispersion": 0.2,
    "pseudocount": 0.1,
}


def check_sample(values, d, at):
    """Compare a sample with a distribution at some points, and its moments, within 6 standard errors."""
    n = len(values)
    chances = np.array([d.cdf(x) for x in at])
    observed = np.array([(values <= x).mean() for x in at])
    assert (np.abs(observed - chances) <= 6 * np.sqrt(chances * (1 - chances) / n) + 1e-9).all()
    assert abs(values.mean() - d.mean) <= 6 * values.std() / np.sqrt(n) + 1e-12
    spread = ((values - values.mean()) ** 2).std()
    assert abs(values.var() - d.std**2) <= 6 * spread / np.sqrt(n) + 1e-9


@pytest.mark.parametrize("positive", [[0.9, 0.2, 0.5], 0.7, 0.0, 1.0])
def test_signs_with_any_chance(positive):
    weights, means, stds = np.array([0.5, 0.3, 0.2]), np.array([0.0, 3.0, 1.5]), np.array([1.0, 0.5, 0.0])
    d = SignedFoldedNormals(weights, means, stds, positive)
    rng = np.random.default_rng(1)
    component = rng.choice(3, 100_000, p=weights)
    magnitude = np.abs(rng.normal(means[component], stds[component]))
    chance = np.broadcast_to(positive, 3)[component]
    values = np.where(rng.random(100_000) < chance, magnitude, -magnitude)
    check_sample(values, d, [-4, -2, -1.5, -1, -0.2, 0, 0.5, 1.4999, 1.5, 2, 3.5])
    q = np.array([0.001, 0.1, 0.3, 0.6, 0.95])
    at = d.quantile(q)
    assert (d.cdf(at) >= q - 1e-12).all()
    assert (d.cdf(at - 1e-6) <= q).all()
    np.testing.assert_allclose(d.cdf(at) + d.sf(at), 1)
    assert d.support == (-np.inf if d.sides[0][0] else 0.0, np.inf if d.sides[1][0] else 0.0)


def test_equal_chances_are_symmetric():
    d = SignedFoldedNormals([0.4, 0.6], [0.0, 2.0], [1.0, 0.5])
    assert d.mean == 0
    assert d.pdf(-1.3) == d.pdf(1.3)
    assert d.quantile(0.2) == pytest.approx(-d.quantile(0.8))


@pytest.mark.parametrize("null", [(0.0, 1.0), (0.7, 1.3)])
@pytest.mark.parametrize("std", [0.6, 0.0])
def test_tail_pvalues(null, std):
    unbound, magnitude = FoldedNormals([1.0], *null), FoldedNormals([0.8, 0.2], [null[0], 2.0], [null[1], std])
    d = TailPvalues(unbound, magnitude)
    rng = np.random.default_rng(2)
    active = rng.random(60_000) < 0.2
    a = np.abs(np.where(active, rng.normal(2.0, std, active.size), rng.normal(*null, active.size)))
    normal = stats.norm(*null)
    values = np.float32(normal.sf(a) + normal.cdf(-a)).astype(np.float64)
    check_sample(values, d, [0.001, 0.01, 0.05, 0.2, 0.5, 0.9])
    q = np.array([0.01, 0.15, 0.5, 0.9])
    at = d.quantile(q)
    assert (d.cdf(at) >= q - 1e-9).all()
    assert (d.cdf(at - 1e-5) <= q).all()
    np.testing.assert_allclose(d.cdf(q) + d.sf(q), 1)
    if std:
        x = np.linspace(0.01, 0.99, 50)
        np.testing.assert_allclose(d.pdf(x), (d.cdf(x + 1e-6) - d.cdf(x - 1e-6)) / 2e-6, rtol=1e-4)
    assert (d.cdf(0.0), d.cdf(1.0), d.support) == (0.0, 1.0, (0.0, 1.0))


def test_magnitudes_without_noise_have_a_lattice_of_pvalues():
    d = TailPvalues(FoldedNormals([1.0], [0.0], [1.0]), FoldedNormals([0.5, 0.5], [1.0, 2.0], [0.0, 0.0]))
    assert d.kind == "discrete"
    p = np.float32(2 * stats.norm.sf([2.0, 1.0])).astype(np.float64)
    assert d.support == tuple(p)
    np.testing.assert_array_equal(d.pmf(p), [0.5, 0.5])
    assert (d.quantile(0.3), d.quantile(0.8)) == tuple(p)


@pytest.mark.parametrize("dispersion", [0.0, 0.8])
@pytest.mark.parametrize("bound", [False, True])
def test_lattices_of_negative_binomial_hops_by_brute_force(dispersion, bound):
    params = BindingParameters(
        **HOPS | {"background_hops_mean": 0.5, "bound_experiment_hops_mean": 1.0}, promoter_dispersion=dispersion
    )
    values, probabilities = binding_lattice(params, bound=bound)
    background, *experiments = make_hop_tables(params)
    experiment = experiments[bound]
    expected: dict[float, float] = {}
    for level in range(len(list_factors(params))):
        for b, of_background in enumerate(background.probabilities[level]):
            for e, of_experiment in enumerate(experiment.probabilities[level]):
                effect = float(params.effect(float(e), float(b)))
                chance = of_background * of_experiment / len(list_factors(params))
                expected[effect] = expected.get(effect, 0.0) + chance
    found: dict[float, float] = {}
    for value, probability in zip(values.tolist(), probabilities.tolist(), strict=True):
        found[value] = found.get(value, 0.0) + probability
    assert {v for v, p in expected.items() if p} <= found.keys()
    assert max(abs(found[v] - p) for v, p in expected.items() if p) < 1e-15
    assert probabilities.sum() == pytest.approx(1, abs=1e-12)


def test_binding_pvalues_of_tests_have_the_lattice_of_their_hops():
    spec = yx.SimulationSpec(genes=100, bound=[0.2], pvalues="test", poisson_pseudocount=0.5, seed=1)
    for label, most in ((False, 1), (True, 6)):
        tails = make_poisson_tails((1, 100), (0, 6), 1000, 76, 0.5)[:, (1 if label else 0) : most + 1]
        d = distribution(spec, "binding_pvalue", label=label)
        assert set(d.values) == set(tails.ravel().astype(np.float64))
        assert d.cdf(0.05) == pytest.approx((tails <= 0.05).mean())
        # A test: conservative where the hops are those of the background.
        assert d.mean == pytest.approx(float(tails.astype(np.float64).mean()))
    both = distribution(spec, "binding_pvalue")
    assert both.mean == pytest.approx(
        0.8 * distribution(spec, "binding_pvalue", label=False).mean
        + 0.2 * distribution(spec, "binding_pvalue", label=True).mean
    )


def test_perturbation_pvalues_of_unbound_pairs_are_uniform():
    spec = yx.SimulationSpec(genes=100, bound=[0.2], pvalues="test", bound_mean=5.0, unbound_std=2.0, seed=1)
    unbound = distribution(spec, "perturbation_pvalue", label=False)
    assert (unbound.mean, unbound.cdf(0.3)) == (0.5, 0.3)
    bound = distribution(spec, "perturbation_pvalue", label=True)
    assert bound.cdf(2 * stats.norm.sf(2.5)) == pytest.approx(0.5, abs=1e-6)  # |effect| above 5: half of them
    with pytest.raises(InputError, match=r"pvalues is 'test', so there are no large effects; expected pvalues="):
        yx.theory.large_fraction(spec, "perturbation_effect")


RESPONSES = {
    "genes": 60,
    "bound": [0.3, 0.5, 0.2],
    "responsive_fraction": 0.6,
    "indirect_fraction": 0.15,
    "tf_relationships": {0: [1, 0], 1: [Not(1), 2], 2: [Not(0)]},
    "max_mean_adjustment": 4.0,
    "bound_mean": 2.5,
}


def draw_responses(spec, replicates, rng):
    """Draw labels, where conditions hold and which pairs respond, as the text says and without the package."""
    n, counts = spec.n_genes, [round(spec.n_genes * f) for f in spec.bound_fractions]
    order = rng.random((replicates, len(counts), n)).argsort(axis=-1)
    label = order < np.array(counts)[:, None]
    one, two, three = label.swapaxes(0, 1)
    holds = np.stack([two & one, ~two & three, ~one], axis=1)
    chance = np.where(label, spec.responsive_fraction, spec.indirect_fraction)
    return label, holds, rng.random(label.shape) < chance


def draw_magnitudes(spec, label, holds, responsive, rng):
    values = [yx.theory.distribution(spec, "binding_effect", label=bound) for bound in (False, True)]
    binding = np.empty(label.shape)
    for bound, d in enumerate(values):
        binding[label == bound] = rng.choice(d.values, (label == bound).sum(), p=d.probabilities)
    mean = np.where(responsive & holds, spec.bound_mean + yx.theory.slope_of_mean(spec, spec) * binding, 0.0)
    return np.abs(rng.normal(mean, np.where(responsive, spec.bound_std, spec.unbound_std)))


def test_responses_are_mixtures():
    spec = yx.SimulationSpec(**RESPONSES, bound_std=0.5, seed=1)
    rng = np.random.default_rng(3)
    label, holds, responsive = draw_responses(spec, 3000, rng)
    magnitude = draw_magnitudes(spec, label, holds, responsive, rng)
    at = [0.2, 0.7, 1.5, 2.5, 3.5]
    for tf, kind in classify_tfs(spec).items():
        assert kind.indirect == [0, Fraction(1, 5), Fraction(7, 10)][tf]
        # The own label of an unbound gene is False; TF 1's second condition is that it binds not, TF 0's that it binds.
        groups = [~label, label & holds, label & ~holds]
        for group, d in zip(groups, make_group_magnitudes(spec, kind), strict=True):
            values = magnitude[:, tf][group[:, tf]]
            if values.size:
                check_sample(values, d, at)
    sample = magnitude[~label]
    check_sample(sample, find_distribution(spec, "perturbation_magnitude", label=False), at)
    check_sample(magnitude.ravel(), find_distribution(spec, "perturbation_magnitude"), at)


def test_means_given_binding_effects_are_those_of_the_mixture():
    spec = yx.SimulationSpec(**RESPONSES | {"tf_relationships": None}, seed=1)
    effects = np.array([0.0, 2.0, 30.0])
    means = compute_mean_magnitudes(spec, effects)
    mean = spec.bound_mean + yx.theory.slope_of_mean(spec, spec) * effects
    active, unbound = yx.theory.folded_normal_mean(mean, 1.0), yx.theory.folded_normal_mean(0.0, 1.0)
    np.testing.assert_allclose(means["bound"], 0.6 * active + 0.4 * unbound)
    np.testing.assert_allclose(means["unbound"], 0.15 * active + 0.85 * unbound)


@pytest.mark.parametrize("related", [True, False])
def test_large_effects_with_responses(related):
    # Exact without relations; with them conditions of unbound genes are taken as independent.
    spec = yx.SimulationSpec(**RESPONSES | ({} if related else {"tf_relationships": None}), seed=1)
    rng = np.random.default_rng(4)
    label, holds, responsive = draw_responses(spec, 8000, rng)
    holds = holds if related else np.ones_like(holds)
    magnitude = draw_magnitudes(spec, label, holds, responsive, rng)
    large = magnitude >= np.quantile(magnitude, 0.9, axis=-1, keepdims=True)
    for tf in range(3):
        groups = {"unbound": ~label, "bound_active": label & holds, "bound_inactive": label & ~holds}
        for name, group in groups.items():
            n = group[:, tf].sum()
            if n:
                expected = yx.theory.large_fraction(spec, "perturbation_effect", tf=tf, **GROUPS[name])
                observed = large[:, tf][group[:, tf]].mean()
                error = 6 * np.sqrt(expected * (1 - expected) / n) * 1.2  # effects of one TF are not independent
                assert abs(observed - expected) < error + (0.002 if related else 0)


def test_signs_of_tfs():
    spec = yx.SimulationSpec(genes=50, bound=[0.2, 0.4], positive_fraction=[0.9, 0.3], seed=1)
    assert distribution(spec, "perturbation_effect", tf=0).sf(0.0) == pytest.approx(0.9)
    assert distribution(spec, "perturbation_effect").sf(0.0) == pytest.approx(0.6)
    bound = distribution(spec, "perturbation_effect", label=True)
    assert bound.sf(0.0) == pytest.approx((10 * 0.9 + 20 * 0.3) / 30)
    expected = yx.theory.expected(spec, by_tf=True)
    one = yx.theory.folded_normal_mean(3.0, 1.0)
    mean = expected["mean"].sel(feature="perturbation_effect", group="bound")
    np.testing.assert_allclose(mean, [0.8 * one, -0.4 * one])
    exact = yx.SimulationSpec(
        genes=50, bound=[0.2], bound_std=0.0, unbound_std=0.0, unbound_mean=1.0, positive_fraction=0.8, seed=1
    )
    d = distribution(exact, "perturbation_effect", label=True)
    assert dict(zip(d.values, d.probabilities, strict=True)) == pytest.approx({-3.0: 0.2, 3.0: 0.8})


def test_batches_are_refused():
    spec = yx.SimulationSpec(genes=50, bound=[0.2], measurements=2, batch_std=0.5, seed=1)
    for feature in ("perturbation_effect", "perturbation_pvalue"):
        with pytest.raises(InputError, match=r"batch_std is 0\.5, .* share an offset .* expected batch_std=0"):
            distribution(spec, feature, label=True)
        assert find_distribution(spec, feature, label=True) is None
    expected = yx.theory.expected(spec)
    assert expected["mean"].sel(feature="perturbation_effect").isnull().all()
    assert expected["mean"].sel(feature="binding_effect").notnull().any()
    assert compute_mean_magnitudes(spec, np.zeros(1)) == {}


def test_missing_values_and_measurements_change_no_distribution():
    plain = yx.SimulationSpec(genes=50, bound=[0.2], seed=1)
    spec = yx.SimulationSpec(
        genes=50, bound=[0.2], measurements=2, missing_gene_fraction=0.3, missing_pair_fraction=0.1, seed=1
    )
    assert yx.theory.expected(spec).identical(yx.theory.expected(plain))


def test_drawn_fractions_count():
    spec = yx.SimulationSpec(genes=500, bound=0.1, n_sample=4, bound_concentration=10.0, seed=3)
    assert len(set(spec.bound_fractions)) > 1
    for tf, fraction in enumerate(spec.bound_fractions):
        expected = round(500 * fraction) / 500
        assert distribution(spec, "label", tf=tf).mean == pytest.approx(expected)


def test_every_group_of_everything_has_moments():
    spec = yx.SimulationSpec(
        **RESPONSES | HOPS,
        promoter_dispersion=0.5,
        gene_responsiveness=0.2,
        positive_fraction=[0.2, 0.5, 0.9],
        pvalues="test",
        bound_concentration=30.0,
        measurements=2,
        missing_pair_fraction=0.1,
        seed=5,
    )
    expected = yx.theory.expected(spec)
    assert set(expected.group.values) == set(GROUPS)
    assert bool(expected.to_array().notnull().all())


def test_simulated_data_have_the_distributions():
    spec = yx.SimulationSpec(
        **RESPONSES | HOPS | {"genes": 60_000, "bound": [0.3, 0.5, 0.2]},
        promoter_dispersion=0.5,
        gene_responsiveness=0.2,
        positive_fraction=[0.2, 0.5, 0.9],
        pvalues="test",
        missing_gene_fraction=0.1,
        bound_concentration=30.0,
        bound_std=0.7,
        seed=6,
    )
    ds = spec.simulate()
    label = ds["label"].values
    one, two, three = label.T
    holds = np.stack([two & one, ~two & three, ~one], axis=1)
    groups = {
        "unbound": ~label,
        "bound": label,
        "bound_active": label & holds,
        "bound_inactive": label & ~holds,
    }
    for feature in ("binding_effect", "binding_pvalue", "perturbation_effect", "perturbation_pvalue"):
        values = ds[feature].values.astype(np.float64)
        for name, group in groups.items():
            for tf in range(3):
                sample = values[:, tf][group[:, tf]]
                sample = sample[np.isfinite(sample)]
                if sample.size < 1000:
                    continue
                d = distribution(spec, feature, tf=tf, **GROUPS[name])
                at = np.quantile(sample, [0.02, 0.2, 0.5, 0.8, 0.98])
                chances, n = np.array([d.cdf(x) for x in at]), sample.size
                observed = np.array([(sample <= x).mean() for x in at])
                assert (np.abs(observed - chances) < 6 * np.sqrt(0.25 / n)).all()
                assert abs(sample.mean() - d.mean) < 6 * sample.std() / np.sqrt(n) + 1e-6


def test_many_components_that_lie_near_are_merged():
    rng = np.random.default_rng(1)
    weights, means = rng.random(20_000), np.sort(rng.random(20_000)) * 3 - 0.1
    merged = FoldedNormals(*_merge_near(weights / weights.sum(), means, np.float64(0.8)))
    exact = FoldedNormals(weights, means, 0.8)
    assert merged.weights.size < 4000
    x = np.linspace(0, 7, 50)
    np.testing.assert_allclose(merged.cdf(x), exact.cdf(x), atol=1e-9)
    assert merged.mean == pytest.approx(exact.mean, rel=1e-9)
