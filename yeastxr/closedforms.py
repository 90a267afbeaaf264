"""Closed forms of means and standard deviations, from the parameters of one step alone."""

from dataclasses import dataclass

import numpy as np

from yeastxr.foldednormals import folded_normal_mean
from yeastxr.parameters import BindingParameters, PerturbationParameters


@dataclass(frozen=True)
class Moments:
    """Moments and range of a discrete distribution.

    Parameters
    ----------
    mean, std
        Mean and standard deviation.
    square_mean, square_std
        Mean and standard deviation of the square.
    least, most
        The smallest and the largest possible value.
    """

    mean: float
    std: float
    square_mean: float
    square_std: float
    least: float
    most: float


def binding_lattice(asked: BindingParameters, *, bound: bool) -> tuple[np.ndarray, np.ndarray]:
    """Return the possible binding effects of a pair, one for each combination of hops, all equally likely.

    Parameters
    ----------
    asked
        The hops' ranges, totals and pseudocount; a :class:`yeastxr.SimulationSpec` will do.
    bound
        Whether the pair is bound.

    Returns
    -------
    values, probabilities
        float64, shape (n,): the effects, dimensionless, and their probabilities, which sum to 1.

    Examples
    --------
    >>> from yeastxr.parameters import BindingParameters
    >>> values, probabilities = binding_lattice(BindingParameters(), bound=True)
    >>> values.size, round(float(values.max()), 3)
    (600, 78.947)
    """
    experiment = asked.bound_experiment_hops_range if bound else asked.unbound_experiment_hops_range
    background = asked.background_hops_range
    values = np.asarray(
        asked.effect(
            np.arange(experiment[0], experiment[1] + 1, dtype=np.float64)[:, None],
            np.arange(background[0], background[1] + 1, dtype=np.float64)[None, :],
        )
    ).reshape(-1)
    return values, np.full(values.size, 1 / values.size)


def binding_moments(asked: BindingParameters, *, bound: bool) -> Moments:
    """Return the exact moments of the binding effect of a pair.

    Parameters
    ----------
    asked
        The hops' ranges, totals and pseudocount.
    bound
        Whether the pair is bound.

    Examples
    --------
    >>> from yeastxr.parameters import BindingParameters
    >>> moments = binding_moments(BindingParameters(), bound=True)
    >>> round(moments.mean, 4), round(moments.std, 3)
    (2.3889, 6.101)
    """
    values, weights = binding_lattice(asked, bound=bound)
    mean, square_mean = float(weights @ values), float(weights @ values**2)
    return Moments(
        mean=mean,
        std=float(np.sqrt(weights @ (values - mean) ** 2)),
        square_mean=square_mean,
        square_std=float(np.sqrt(weights @ (values**2 - square_mean) ** 2)),
        least=float(values.min()),
        most=float(values.max()),
    )


def perturbation_size_mean(
    binding: BindingParameters, perturbation: PerturbationParameters, *, bound: bool, adjusted: bool
) -> float:
    """Return the exact mean of |perturbation effect| of a pair.

    Parameters
    ----------
    binding, perturbation
        The parameters of steps 2 and 4; a :class:`yeastxr.SimulationSpec` is both.
    bound
        Whether the pair is bound: it decides the standard deviation.
    adjusted
        Whether the pair is bound and its TF's conditions hold: it decides the mean.

    Examples
    --------
    >>> from yeastxr.parameters import BindingParameters, PerturbationParameters
    >>> method_1 = PerturbationParameters()
    >>> round(perturbation_size_mean(BindingParameters(), method_1, bound=True, adjusted=True), 5)
    3.00076
    """
    std = perturbation.bound_std if bound else perturbation.unbound_std
    if not adjusted:
        return float(folded_normal_mean(perturbation.unbound_mean, std))
    values, weights = binding_lattice(binding, bound=bound)
    slope = slope_of_mean(binding, perturbation)
    return float(weights @ folded_normal_mean(perturbation.bound_mean + slope * values, std))


def slope_of_mean(binding: BindingParameters, perturbation: PerturbationParameters) -> float:
    """Return by how much the mean of an adjusted pair rises per unit of its binding effect."""
    largest = binding.largest_effect
    return perturbation.max_mean_adjustment / largest if largest else 0.0


def pvalue_mean(percentile: float, upper: float) -> float:
    """Return the mean p-value where effects do not tie and genes are many.

    Parameters
    ----------
    percentile
        From which quantile of |effect| on a p-value is small, in [0, 1].
    upper
        The upper end of small p-values, in [0, 1].

    Examples
    --------
    >>> round(pvalue_mean(0.9, 0.2), 2)
    0.46
    """
    return percentile * 0.5 + (1 - percentile) * upper / 2
