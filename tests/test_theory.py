"""Closed forms against brute force and against the numbers that the tutorial's defaults must give."""

import numpy as np
import pytest
from scipy import integrate, stats

from yeastxr import theory
from yeastxr.parameters import BindingParameters, PerturbationParameters

DEFAULT = BindingParameters()


@pytest.mark.parametrize(("bound", "mean", "std"), [(True, 2.3889, 6.101), (False, 0.34127, 1.1397)])
def test_binding_moments__defaults(bound: bool, mean: float, std: float) -> None:
    moments = theory.binding_moments(DEFAULT, bound=bound)
    assert moments.mean == pytest.approx(mean, rel=1e-4)
    assert moments.std == pytest.approx(std, rel=1e-4)


def test_binding_moments__brute_force() -> None:
    asked = BindingParameters(
        background_hops_range=(2, 5),
        bound_experiment_hops_range=(3, 4),
        total_background_hops=50,
        total_experiment_hops=7,
        pseudocount=0.5,
    )
    values = [(e / 7.5) / (b / 50.5 + 0.5) for e in (3, 4) for b in (2, 3, 4, 5)]
    moments = theory.binding_moments(asked, bound=True)
    assert moments.mean == pytest.approx(np.mean(values))
    assert moments.std == pytest.approx(np.std(values))
    assert moments.square_mean == pytest.approx(np.mean(np.square(values)))
    assert moments.square_std == pytest.approx(np.std(np.square(values)))
    assert (moments.least, moments.most) == pytest.approx((min(values), max(values)))


@pytest.mark.parametrize(("mean", "std"), [(0, 1), (3, 1), (-2, 0.5), (0.1, 4)])
def test_folded_normal_mean__integral(mean: float, std: float) -> None:
    exact, _ = integrate.quad(
        lambda x: abs(x) * stats.norm.pdf(x, mean, std), mean - 12 * std, mean + 12 * std, points=[0]
    )
    assert theory.folded_normal_mean(mean, std) == pytest.approx(exact, rel=1e-9)


def test_folded_normal_mean__no_noise() -> None:
    np.testing.assert_array_equal(theory.folded_normal_mean(np.array([-2.0, 3.0]), 0), [2.0, 3.0])


def test_perturbation_size_mean__method_1() -> None:
    asked = PerturbationParameters()
    assert theory.perturbation_size_mean(DEFAULT, asked, bound=True, adjusted=True) == pytest.approx(3.00076, abs=1e-5)
    assert theory.perturbation_size_mean(DEFAULT, asked, bound=False, adjusted=False) == pytest.approx(
        0.79788, abs=1e-5
    )


def test_perturbation_size_mean__method_2_is_mixture_over_lattice() -> None:
    asked = PerturbationParameters(max_mean_adjustment=10.0)
    values, weights = theory.binding_lattice(DEFAULT, bound=True)
    expected = sum(w * stats.foldnorm.mean(3 + 10 * v / values.max()) for v, w in zip(values, weights, strict=True))
    assert theory.perturbation_size_mean(DEFAULT, asked, bound=True, adjusted=True) == pytest.approx(expected)
