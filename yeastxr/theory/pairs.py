"""The kinds of pairs that a specification makes, how many of each there are, and what their effects follow.

A pair is bound and its TF's conditions hold, or bound and they fail, or unbound. TFs that bind as many genes and whose
conditions are as likely to hold are of one kind, and share what is worked out.
"""

from collections import Counter
from collections.abc import Hashable
from fractions import Fraction
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from yeastxr._validate import to_python
from yeastxr.errors import InputError, InputTypeError, format_value, suggest
from yeastxr.simulation.parameters import BindingParameters, PerturbationParameters
from yeastxr.simulation.relations import iterate_tfs
from yeastxr.simulation.simulate import SimulationSpec
from yeastxr.theory.conditions import conditions_probability, importances
from yeastxr.theory.distributions import FoldedNormals, Lattice
from yeastxr.theory.large_effects import Group, large_probabilities, rank_of_cutoff


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
    >>> from yeastxr.simulation.parameters import BindingParameters
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


_MOST_VALUES = 10**7
_ROUNDING = 1e-14


class TFKind(NamedTuple):
    """TFs that nothing tells apart.

    Parameters
    ----------
    bound
        How many genes each binds.
    adjusted
        How likely the conditions hold for one of those.
    covariance
        The covariance of that for two of them. It is 0 or below it: the TFs that are named bind so many genes and no
        more, so where they bind one they are less likely to bind the next. To first order in 1 / genes,
        ``-sum(p (1 - p) I^2) / (genes - 1)``: p how likely each TF binds, I its importance.
    """

    bound: int
    adjusted: Fraction
    covariance: float


class Pairs(NamedTuple):
    """How many pairs are to be expected in a replicate: bound with conditions that hold, or that fail, and unbound."""

    hold: Fraction
    fail: Fraction
    unbound: Fraction

    @property
    def bound(self) -> Fraction:
        """How many are bound."""
        return self.hold + self.fail


def check_spec(spec: object) -> SimulationSpec:
    """Return a specification, or refuse what is none."""
    if not isinstance(spec, SimulationSpec):
        raise InputTypeError(f"spec is of type {type(spec).__name__}; expected a SimulationSpec")
    return spec


@lru_cache(maxsize=32)
def kinds_of_tfs(spec: SimulationSpec) -> dict[Hashable, TFKind]:
    """Return the kind of each TF, by its label."""
    n = spec.n_genes
    counts = dict(zip(map(to_python, spec.tf_labels), (round(n * b) for b in spec.bound_fractions), strict=True))
    chances = {tf: Fraction(count, n) for tf, count in counts.items()}
    conditions = spec.tf_relationships or {}
    kinds = {}
    for tf, count in counts.items():
        entries = tuple(conditions.get(tf, ()))
        named = {other: chances[other] for other in iterate_tfs(entries)} | {tf: Fraction(1)}
        spread = sum(float(named[i] * (1 - named[i])) * d**2 for i, d in importances(entries, named).items())
        kinds[tf] = TFKind(count, conditions_probability(entries, named), -spread / max(n - 1, 1))
    return kinds


def pairs_of(
    spec: SimulationSpec, label: bool | None = None, adjusted: bool | None = None, tf: Hashable = None
) -> dict[TFKind, Pairs]:
    """Return how many pairs of a group are to be expected, by the kind of their TFs.

    Raises
    ------
    InputError
        If the TF is not known, or label and adjusted are not what they may be.
    """
    for name, value in {"label": label, "adjusted": adjusted}.items():
        if value is not None and not isinstance(value, bool | np.bool_):
            raise InputTypeError(f"{name} is {format_value(value)}; expected True, False or None")
    if adjusted is not None and not label:
        raise InputError(f"adjusted is {adjusted} and label is {label}; expected label=True with it")
    kinds = kinds_of_tfs(check_spec(spec))
    if tf is not None and to_python(tf) not in kinds:
        raise InputError(f"tf is {format_value(tf)}, which is not known; {suggest(tf, kinds)}")
    counts = Counter(kinds.values() if tf is None else [kinds[to_python(tf)]])
    bound, unbound = label is None or bool(label), not label
    hold, fail = bound and (adjusted is None or bool(adjusted)), bound and not adjusted
    return {
        kind: Pairs(
            hold=n_tfs * hold * kind.bound * kind.adjusted,
            fail=n_tfs * fail * kind.bound * (1 - kind.adjusted),
            unbound=n_tfs * unbound * Fraction(spec.n_genes - kind.bound),
        )
        for kind, n_tfs in counts.items()
    }


def effects(spec: SimulationSpec) -> tuple[Lattice, Lattice]:
    """Return the distributions of the binding effects of bound and of unbound pairs, float32 as stored."""
    binding = BindingParameters.of(spec)
    return _effects(binding, bound=True), _effects(binding, bound=False)


@lru_cache(maxsize=64)
def _effects(binding: BindingParameters, *, bound: bool) -> Lattice:
    ranges = (
        binding.background_hops_range,
        binding.bound_experiment_hops_range if bound else binding.unbound_experiment_hops_range,
    )
    combinations = int(np.prod([last - first + 1 for first, last in ranges], dtype=object))
    if combinations > _MOST_VALUES:
        raise InputError(f"the hops have {combinations} combinations; theory expects at most {_MOST_VALUES}")
    values, weights = binding_lattice(binding, bound=bound)
    return Lattice.of(values.astype(np.float32), weights)


def responses(spec: SimulationSpec) -> tuple[FoldedNormals, FoldedNormals, FoldedNormals]:
    """Return the distributions of |perturbation effect| of the three kinds of pairs, in the order of :class:`Pairs`.

    Means rise with the stored binding effect where conditions hold; where they fail the mean is that of unbound pairs,
    the standard deviation that of bound ones. Without noise a response is its mean, rounded as it is stored.
    """
    return _responses(BindingParameters.of(spec), _numbers(spec))


_Numbers = tuple[float, float, float, float, float]


def _numbers(spec: PerturbationParameters) -> _Numbers:
    """Return what perturbation effects depend on beside relations, in a form that can be remembered by."""
    return spec.unbound_mean, spec.unbound_std, spec.bound_mean, spec.bound_std, spec.max_mean_adjustment


@lru_cache(maxsize=64)
def _responses(binding: BindingParameters, numbers: _Numbers) -> tuple[FoldedNormals, FoldedNormals, FoldedNormals]:
    unbound_mean, unbound_std, bound_mean, bound_std, adjustment = numbers
    slope = slope_of_mean(binding, PerturbationParameters(max_mean_adjustment=adjustment))
    lattice = _effects(binding, bound=True)
    adjusted = bound_mean + slope * lattice.values
    return (
        _stored(lattice.probabilities, adjusted, bound_std) if slope else _stored(1.0, bound_mean, bound_std),
        _stored(1.0, unbound_mean, bound_std),
        _stored(1.0, unbound_mean, unbound_std),
    )


def _stored(weights: np.ndarray | float, means: np.ndarray | float, std: float) -> FoldedNormals:
    if std == 0:
        with np.errstate(over="ignore"):
            means = np.asarray(means, np.float32)
    return FoldedNormals(np.asarray(weights), np.asarray(means), np.asarray(std))


def large_fraction(spec: SimulationSpec, feature: str, pairs: dict[TFKind, Pairs], *, every: bool) -> float:
    """Return which share of some pairs' effects is large.

    Parameters
    ----------
    spec
        The specification.
    feature
        An effect or its p-value, ``binding...`` or ``perturbation...``.
    pairs
        How many there are of each kind, not all 0.
    every
        Whether these are all pairs of their TFs.
    """
    binding, percentile, n = BindingParameters.of(spec), spec.large_effect_percentile, spec.n_genes
    of_binding = feature.startswith("binding")
    rank = rank_of_cutoff(n, percentile)
    if every and not of_binding and not rank.weight and not any(size.atoms for size in responses(spec)):
        return (rank.others + 1) / n  # no ties: as many as the ranks say
    total = sum((sum(some) for some in pairs.values()), Fraction(0))
    share = 0.0
    for kind, some in pairs.items():
        if of_binding:
            chances = _large_effects(binding, percentile, n, kind.bound)
        else:
            chances = _large_responses(binding, _numbers(spec), percentile, n, kind)
        share += sum(float(count / total) * chance for count, chance in zip(some, chances, strict=True) if count)
    return 1.0 if share > 1 - _ROUNDING else share


@lru_cache(maxsize=4096)
def _large_effects(binding: BindingParameters, percentile: float, n: int, bound: int) -> tuple[float, float, float]:
    """Return the probabilities that a binding effect is large, by kind of pair; conditions don't matter to it."""
    groups = [
        Group(count, (1.0,), (_effects(binding, bound=label),)) for count, label in ((bound, True), (n - bound, False))
    ]
    (of_bound,), (of_unbound,) = large_probabilities(groups, percentile)
    return of_bound, of_bound, of_unbound


@lru_cache(maxsize=4096)
def _large_responses(
    binding: BindingParameters, numbers: _Numbers, percentile: float, n: int, kind: TFKind
) -> tuple[float, float, float]:
    """Return the probabilities that a perturbation effect is large, by kind of pair."""
    hold, fail, unbound = _responses(binding, numbers)
    groups = [
        Group(kind.bound, (float(kind.adjusted), float(1 - kind.adjusted)), (hold, fail), kind.covariance),
        Group(n - kind.bound, (1.0,), (unbound,)),
    ]
    (of_hold, of_fail), (of_unbound,) = large_probabilities(groups, percentile)
    return of_hold, of_fail, of_unbound
