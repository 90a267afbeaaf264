"""What follows from the parameters of one step or two alone: possible binding effects, and what they add to means."""

import numpy as np

from yeastxr.parameters import BindingParameters, PerturbationParameters


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


def slope_of_mean(binding: BindingParameters, perturbation: PerturbationParameters) -> float:
    """Return by how much the mean of an adjusted pair rises per unit of its binding effect.

    Parameters
    ----------
    binding, perturbation
        The parameters of steps 2 and 4; a :class:`yeastxr.SimulationSpec` is both.

    Returns
    -------
    float
        ``max_mean_adjustment`` over the largest binding effect that the ranges of hops allow, in units of the noise's
        s.d.

    Examples
    --------
    >>> import yeastxr as yx
    >>> spec = yx.SimulationSpec(genes=100, bound=[0.1], max_mean_adjustment=10.0, seed=42)
    >>> round(slope_of_mean(spec, spec), 4)  # 10 at an effect of 78.947
    0.1267
    """
    largest = binding.largest_effect
    return perturbation.max_mean_adjustment / largest if largest else 0.0
