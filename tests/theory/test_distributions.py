"""Distributions: densities by quadrature, quantiles there and back into the tails, and the same on labelled arrays."""

import math

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from yeastxr import InputError
from yeastxr.theory.distributions import Distribution, FoldedNormals, Lattice, SignedFoldedNormals, UniformMixture

NORMALS = {
    "one": ([1.0], [3.0], [1.0]),
    "half-normal": ([1.0], [0.0], [2.0]),
    "sharp and broad": ([0.8, 0.2], [0.0, -6.0], [1.0, 0.05]),
    "many": (np.full(60, 1 / 60), np.linspace(3, 13, 60), np.ones(60)),
}
CONTINUOUS: dict[str, Distribution] = {
    "p-values": UniformMixture.of([1.0, 0.2], [0.9, 0.1]),
    "uniform": UniformMixture.of([1.0, 1.0], [0.3, 0.7]),
    **{f"signed, {name}": SignedFoldedNormals(*parts) for name, parts in NORMALS.items()},
    **{f"folded, {name}": FoldedNormals(*parts) for name, parts in NORMALS.items()},
}
DISCRETE: dict[str, Distribution] = {
    "lattice": Lattice.of([3.0, 0.0, 1.5, 0.0], [0.1, 0.3, 0.4, 0.2]),
    "all at 0": UniformMixture.of([0.0], [1.0]),
    "signed atoms": SignedFoldedNormals([0.2, 0.5, 0.3], [0.0, -2.0, 4.0], [0.0, 0.0, 0.0]),
    "atoms": FoldedNormals([0.2, 0.5, 0.3], [0.0, -2.0, 4.0], [0.0, 0.0, 0.0]),
}
MIXED: dict[str, Distribution] = {
    "p-values": UniformMixture.of([1.0, 0.0], [0.75, 0.25]),
    "signed": SignedFoldedNormals([0.25, 0.25, 0.5], [0.0, 3.0, 0.0], [0.0, 0.0, 1.0]),
    "folded": FoldedNormals([0.25, 0.25, 0.5], [0.0, 3.0, 0.0], [0.0, 0.0, 1.0]),
}
ALL = [*CONTINUOUS.values(), *DISCRETE.values(), *MIXED.values()]


def integral(d: Distribution, function: object = np.ones_like, upto: float = math.inf) -> float:
    """Integrate a function times the density, by Gauss and Legendre's rule between many quantiles."""
    ends = d.quantile(np.concatenate([[1e-13], np.linspace(0, 1, 403)[1:-1], [1 - 1e-13]]))
    known = [end for end in (*d.support, upto, *getattr(d, "ends", ())) if math.isfinite(end)]
    ends = np.unique(np.minimum(np.concatenate([ends, known]), upto))
    nodes, weights = np.polynomial.legendre.leggauss(60)
    half = np.diff(ends)[:, None] / 2
    x = (ends[:-1, None] + half) + half * nodes
    return float((half * weights * function(x) * d.pdf(x)).sum())


@pytest.mark.parametrize("d", CONTINUOUS.values(), ids=CONTINUOUS)
def test_continuous__quadrature(d: Distribution) -> None:
    assert d.kind == "continuous"
    assert integral(d) == pytest.approx(1, abs=1e-9)
    assert integral(d, lambda x: x) == pytest.approx(d.mean, abs=1e-8)
    assert integral(d, lambda x: (x - d.mean) ** 2) == pytest.approx(d.std**2, rel=1e-7)
    for q in (0.01, 0.4, 0.93):
        x = d.quantile(q)
        assert integral(d, upto=x) == pytest.approx(d.cdf(x), abs=1e-9)


@pytest.mark.parametrize("d", CONTINUOUS.values(), ids=CONTINUOUS)
def test_continuous__quantiles_there_and_back(d: Distribution) -> None:
    q = np.array([1e-12, 1e-9, 1e-4, 0.01, 0.3, 0.4999, 0.6, 0.99, 1 - 1e-9, 1 - 1e-12])
    x = d.quantile(q)
    assert (np.diff(x) > 0).all()
    np.testing.assert_allclose(d.cdf(x), q, rtol=1e-10)
    np.testing.assert_allclose(d.sf(x), 1 - q, rtol=1e-10, atol=1e-16 if isinstance(d, FoldedNormals) else 2e-16)
    np.testing.assert_allclose(d.cdf(x) + d.sf(x), 1, atol=1e-15)
    assert (d.quantile(0.0), d.quantile(1.0)) == d.support


@pytest.mark.parametrize("d", DISCRETE.values(), ids=DISCRETE)
def test_discrete__values_one_by_one(d: Distribution) -> None:
    assert d.kind == "discrete"
    values = np.array([v for v in np.arange(-8, 9) / 2 if d.pmf(v) > 0])
    weights = d.pmf(values)
    assert weights.sum() == pytest.approx(1, abs=1e-15)
    assert d.mean == pytest.approx(weights @ values, abs=1e-15)
    assert d.std == pytest.approx(np.sqrt(weights @ values**2 - (weights @ values) ** 2), abs=1e-12)
    assert d.support == (values[0], values[-1])
    for x in np.arange(-9, 10) / 2 + 0.25 * (np.arange(19) % 2):
        assert d.cdf(x) == pytest.approx(weights[values <= x].sum(), abs=1e-15)
        assert d.sf(x) == pytest.approx(weights[values > x].sum(), abs=1e-15)
    upto = np.cumsum(weights)
    np.testing.assert_allclose(d.quantile(upto - 1e-9), values, rtol=1e-15)
    np.testing.assert_allclose(d.quantile(np.minimum(upto + 1e-9, 1)), np.append(values[1:], values[-1]), rtol=1e-15)


@pytest.mark.parametrize("d", MIXED.values(), ids=MIXED)
def test_mixed__atoms_are_jumps(d: Distribution) -> None:
    assert d.kind == "mixed"
    jump = d.cdf(0.0) - d.cdf(np.nextafter(0, -1))
    assert jump == pytest.approx(0.25, abs=1e-15)
    assert d.sf(0.0) == pytest.approx(1 - d.cdf(0.0), abs=1e-15)
    inside = d.cdf(np.nextafter(0, -1)) + np.array([0.001, 0.1, 0.249])
    np.testing.assert_array_equal(d.quantile(inside), [0, 0, 0])
    q = np.array([0.3, 0.7, 0.9, 1 - 1e-12])
    x = d.quantile(q)
    assert (d.cdf(x) >= q - 1e-15).all()
    assert (d.cdf(x - 1e-3) < q).all()


@given(
    parts=st.lists(
        st.tuples(st.floats(0.01, 1), st.floats(-20, 20), st.sampled_from([0.0, 1e-4, 0.5, 1.0, 10.0])),
        min_size=1,
        max_size=6,
    ),
    q=st.floats(1e-12, 1 - 1e-12),
)
def test_normals__quantile_is_the_smallest_value_that_is_enough(parts: list, q: float) -> None:
    for kind in (FoldedNormals, SignedFoldedNormals):
        d = kind(*np.array(parts).T)
        x = d.quantile(q)
        assert d.cdf(x + abs(x) * 1e-9) >= q * (1 - 1e-12)
        assert d.cdf(x - abs(x) * 1e-9 - 1e-15) <= q * (1 + 1e-12)


def test_normals__as_scipy_has_them_into_the_tails() -> None:
    x = np.array([1e-9, 1e-3, 0.5, 2.0, 7.0, 20.0, 38.0])
    for mean in (0.0, 3.0):
        d, exact = FoldedNormals([1.0], [mean], [1.0]), stats.foldnorm(mean)
        np.testing.assert_allclose(d.pdf(x), exact.pdf(x), rtol=1e-12)
        np.testing.assert_allclose(d.sf(x), exact.sf(x), rtol=1e-12)
        np.testing.assert_allclose(d.cdf(x), exact.cdf(x), rtol=1e-12 if mean == 0 else 1e-5)  # theirs cancels
        assert d.mean == pytest.approx(exact.mean(), rel=1e-12)
        assert d.std == pytest.approx(exact.std(), rel=1e-12)
    y = np.concatenate([-x, x])
    both = SignedFoldedNormals([1.0], [3.0], [1.0])
    np.testing.assert_allclose(both.pdf(y), (stats.norm.pdf(y, 3) + stats.norm.pdf(y, -3)) / 2, rtol=1e-12)
    np.testing.assert_allclose(both.cdf(y), (stats.norm.cdf(y, 3) + stats.norm.cdf(y, -3)) / 2, rtol=1e-11)
    np.testing.assert_allclose(both.sf(y), both.cdf(-y), rtol=1e-12)
    np.testing.assert_allclose(both.magnitude().sf(x), 2 * both.sf(x), rtol=1e-12)


@pytest.mark.parametrize("d", ALL, ids=[*CONTINUOUS, *DISCRETE, *(f"mixed {name}" for name in MIXED)])
def test_functions__numbers_arrays_labelled_and_lazy(d: Distribution, no_compute: None) -> None:
    x = xr.DataArray([[-1.0, 0.0], [0.15, np.nan]], dims=("gene", "tf"), coords={"tf": ["a", "b"]}, name="effect")
    for name in ("cdf", "sf", "quantile", {"continuous": "pdf", "discrete": "pmf"}.get(d.kind, "cdf")):
        function = getattr(d, name)
        plain = function(x.values)
        assert plain.shape == (2, 2)
        assert np.isnan(plain[1, 1])
        assert isinstance(function(0.15), float)
        assert function(0.15) == pytest.approx(plain[1, 0], rel=1e-14)
        labelled = function(x)
        xr.testing.assert_allclose(labelled, x.copy(data=plain), rtol=1e-14)
        assert (labelled.name, labelled.dtype) == ("effect", np.float64)
        lazy = function(x.chunk({"tf": 1}))
        assert lazy.chunks is not None
    np.testing.assert_allclose(lazy.compute(scheduler="synchronous").values, plain, rtol=1e-14)
    assert np.isnan(d.quantile(np.array([-0.1, 1.1]))).all()


@pytest.mark.parametrize(
    ("d", "wrong", "message"),
    [
        (
            CONTINUOUS["p-values"],
            "pmf",
            "a continuous distribution has no probability of individual values.*expected pdf",
        ),
        (DISCRETE["lattice"], "pdf", "a discrete distribution has no density.*expected pmf"),
        (DISCRETE["signed atoms"], "pdf", "a discrete distribution has no density.*expected pmf"),
        (MIXED["p-values"], "pdf", "a mixed distribution has no density.*expected cdf"),
        (MIXED["signed"], "pmf", "a mixed distribution has no probability.*expected cdf"),
    ],
)
def test_functions__what_there_is_not_is_refused(d: Distribution, wrong: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        getattr(d, wrong)(0.5)


def test_mixed__quantiles_in_a_jump_are_the_atom() -> None:
    d = MIXED["folded"]
    below = d.cdf(np.nextafter(3.0, 0))
    np.testing.assert_array_equal(d.quantile(below + np.array([1e-9, 0.1, 0.2499])), 3.0)
    assert d.quantile(below - 1e-9) < 3.0 < d.quantile(below + 0.2501)


def test_normals__cdf_near_0_by_quadrature() -> None:
    x = np.geomspace(1e-6, 2, 40)
    nodes, weights = np.polynomial.legendre.leggauss(40)
    for mean in (0.0, 0.5, 3.0, 6.0):
        d = FoldedNormals([1.0], [mean], [1.0])
        exact = (x[:, None] / 2 * weights * d.pdf(x[:, None] / 2 * (1 + nodes))).sum(axis=1)
        np.testing.assert_allclose(d.cdf(x), exact, rtol=1e-11)


def test_normals__quantiles_of_the_least_probabilities() -> None:
    d = FoldedNormals([1.0], [3.0], [1.0])
    q = np.array([1e-290, 1e-200, 1e-100, 1e-20])
    np.testing.assert_allclose(d.cdf(d.quantile(q)), q, rtol=1e-10)
    np.testing.assert_allclose(d.sf(d.upper_quantile(q)), q, rtol=1e-10)


def test_lattice__everything_adds_up_to_1() -> None:
    for n in (7, 49, 600, 999):
        d = Lattice.of(np.arange(n), np.full(n, 1 / n))
        assert d.cdf(n - 1.0) == d.sf(-1.0) == 1.0
        assert d.quantile(1.0) == n - 1


def test_lattice__equal_values_merge_and_none_are_dropped() -> None:
    d = Lattice.of([2.0, 1.0, 2.0, 5.0], [1.0, 2.0, 1.0, 0.0])
    np.testing.assert_array_equal(d.values, [1.0, 2.0])
    np.testing.assert_array_equal(d.probabilities, [0.5, 0.5])
