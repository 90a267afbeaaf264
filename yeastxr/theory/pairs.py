"""The kinds of TFs and pairs in a specification, their expected numbers, and the distributions of their effects.

The label and the conditions of the TF determine the status of a pair, see :data:`yeastxr.schema.STATUSES`; with random
responses, the effects of a status are a mixture. TFs with equal numbers of bound genes and equal probabilities of
conditions are of one kind, and share cached results.
"""

from collections import Counter
from collections.abc import Hashable, Iterable, Mapping
from fractions import Fraction
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from yeastxr._validate import to_python, unwrap
from yeastxr.errors import InputError, InputTypeError, format_value, suggest
from yeastxr.schema import STATUSES
from yeastxr.simulation.adjustment import MeanModel
from yeastxr.simulation.extended import make_hop_tables, make_tails
from yeastxr.simulation.operators import iterate_tfs
from yeastxr.simulation.parameters import BindingParameters, PerturbationParameters, ResponseParameters
from yeastxr.simulation.simulate import SimulationSpec
from yeastxr.theory.conditions import compute_probability, count_genes
from yeastxr.theory.counts import Counts
from yeastxr.theory.distributions import FoldedNormals, Lattice
from yeastxr.theory.pvalues import Group, compute_large_probabilities, rank_cutoff

_MOST_VALUES = 10**7
_ROUNDING = 1e-14
_COARSE = 2.0**10  # steps of float32 per s.d. below which stored values are enumerated
_MOST_STEPS = 2**17
_MOST_COMPONENTS, _NEAR = 2**13, 1e-3  # in s.d.
_WIDEST = 9.0  # limit of drawn values, in s.d.


def binding_lattice(parameters: BindingParameters, *, bound: bool) -> tuple[np.ndarray, np.ndarray]:
    """Return the possible binding effects of a pair for all combinations of hops.

    Combinations of uniform hops are equally likely. Negative binomial hops of a pair share the factor of the promoter:
    the probability of a combination is the mean over levels of the product of the probabilities of both counts.

    Parameters
    ----------
    parameters
        The distribution of hops, totals and pseudocount, for example a :class:`yeastxr.SimulationSpec`.
    bound
        Whether the pair is bound.

    Returns
    -------
    values, probabilities
        Arrays of shape (n,), float64: dimensionless effects, and their probabilities, which sum to 1.

    Examples
    --------
    >>> from yeastxr.simulation.parameters import BindingParameters
    >>> values, probabilities = binding_lattice(BindingParameters(), bound=True)
    >>> values.size, round(float(values.max()), 3)
    (600, 78.947)
    """
    background, experiment, probabilities = tabulate_hops(parameters, bound=bound)
    values = parameters.effect(experiment.astype(np.float64)[:, None], background.astype(np.float64)[None, :])
    return np.asarray(values).reshape(-1), probabilities.T.reshape(-1)


def tabulate_hops(
    parameters: BindingParameters, *, bound: bool, level: int | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the possible background and experiment hops, and the probability of each combination.

    Arrays are int64 ``[background]`` and ``[experiment]``, and float64 ``[background, experiment]``. With ``level``,
    probabilities are those of genes with that level of the promoter's factor.
    """
    if not parameters.is_tabulated:
        experiment = parameters.bound_experiment_hops_range if bound else parameters.unbound_experiment_hops_range
        counts = [np.arange(first, last + 1) for first, last in (parameters.background_hops_range, experiment)]
        combinations = int(np.prod([part.size for part in counts], dtype=object))
        _check_size(combinations)
        return counts[0], counts[1], np.full((counts[0].size, counts[1].size), 1 / combinations)
    of_background, of_unbound, of_bound = make_hop_tables(parameters)
    chances = [table.probabilities for table in (of_background, of_bound if bound else of_unbound)]
    _check_size(chances[0].shape[1] * chances[1].shape[1])
    counts = [np.arange(part.shape[1]) for part in chances]
    if level is not None:
        chances = [part[[level]] for part in chances]
    return counts[0], counts[1], chances[0].T @ chances[1] / len(chances[0])


def _check_size(combinations: int) -> None:
    if combinations > _MOST_VALUES:
        raise InputError(f"the hops have {combinations:,} combinations; expected at most {_MOST_VALUES:,}")


def slope_of_mean(binding: BindingParameters, perturbation: PerturbationParameters) -> float:
    """Return the increase of the mean of an active pair per unit of its binding effect.

    Parameters
    ----------
    binding, perturbation
        The parameters of steps 2 and 3, for example the same :class:`yeastxr.SimulationSpec`.

    Returns
    -------
    float
        ``max_mean_adjustment`` divided by the largest binding effect that the ranges of hops allow, in noise s.d.

    Examples
    --------
    >>> import yeastxr as yx
    >>> spec = yx.SimulationSpec(genes=100, bound=[0.1], max_mean_adjustment=10.0, seed=42)
    >>> round(slope_of_mean(spec, spec), 4)  # 10 at an effect of 78.947
    0.1267
    """
    return MeanModel.from_parameters(perturbation, binding.largest_effect).slope


class TFKind(NamedTuple):
    """TFs with equal distributions: they have ``bound`` genes, whose conditions hold with probability ``adjusted``.

    ``active`` is the distribution of the number of bound_active genes, which varies less than a binomial variable,
    because TFs bind fixed numbers of genes. ``indirect`` is the probability that conditions hold for an unbound gene (1
    if such genes do not respond), ``positive`` the probability of a positive effect.
    """

    bound: int
    adjusted: Fraction
    active: Counts
    indirect: Fraction = Fraction(1)
    positive: float = 0.5


class Pairs(NamedTuple):
    """The expected number of pairs in a replicate, by status."""

    unbound: Fraction
    bound_active: Fraction
    bound_inactive: Fraction


def check_spec(spec: object) -> SimulationSpec:
    """Return a specification, or raise for any other object."""
    if not isinstance(spec, SimulationSpec):
        raise InputTypeError(f"spec is of type {type(spec).__name__}; expected a SimulationSpec")
    return spec


@lru_cache(maxsize=32)
def classify_tfs(spec: SimulationSpec) -> dict[Hashable, TFKind]:
    """Return the kind of each TF, by its label."""
    n = spec.n_genes
    counts = dict(zip(map(to_python, spec.tf_labels), (round(n * b) for b in spec.bound_fractions), strict=True))
    fractions = {count: Fraction(count, n) for count in set(counts.values())}  # few, and slow to make
    chances = {tf: fractions[count] for tf, count in counts.items()}
    conditions = spec.tf_relationships or {}
    signs = spec.list_positive_fractions(len(counts))
    kinds: dict[Hashable, TFKind] = {}
    unconditional: dict[tuple[int, float], TFKind] = {}  # shared objects, because there may be many TFs
    for (tf, count), positive in zip(counts.items(), signs, strict=True):
        entries = tuple(conditions.get(tf, ()))
        if not entries and (count, positive) in unconditional:
            kinds[tf] = unconditional[count, positive]
            continue
        named = {other: chances[other] for other in iterate_tfs(entries)} | {tf: Fraction(1)}
        as_labelled = named | {tf: Fraction(0)}
        kinds[tf] = TFKind(
            count,
            compute_probability(entries, named),
            count_genes(entries, tf, counts, n),
            compute_probability(entries, as_labelled) if spec.indirect_fraction else Fraction(1),
            positive,
        )
        if not entries:
            unconditional[count, positive] = kinds[tf]
    return kinds


@lru_cache(maxsize=16)
def _count_kinds(spec: SimulationSpec, tfs: tuple[Hashable, ...] | None) -> dict[TFKind, int]:
    """Return the number of TFs of each kind, among all TFs or the given labels."""
    kinds = classify_tfs(spec)
    for tf in () if tfs is None else tfs:
        if tf not in kinds:
            raise InputError(f"tf is {format_value(tf)}, which is unknown; {suggest(tf, kinds)}")
    members = list(kinds.values() if tfs is None else map(kinds.__getitem__, tfs))
    counts: dict[TFKind, int] = {}
    objects = {id(kind): kind for kind in members}
    for key, n_tfs in Counter(map(id, members)).items():  # kinds are slow to hash
        counts[objects[key]] = counts.get(objects[key], 0) + n_tfs
    return counts


def count_pairs(
    spec: SimulationSpec,
    label: bool | None = None,
    adjusted: bool | None = None,
    tfs: Iterable[Hashable] | None = None,
) -> dict[TFKind, Pairs]:
    """Return the expected number of pairs of a group by kind of TF, or raise for invalid arguments."""
    for name, value in {"label": label, "adjusted": adjusted}.items():
        if value is not None and not isinstance(value, bool | np.bool_):
            raise InputTypeError(f"{name} is {format_value(value)}; expected True, False or None")
    if adjusted is not None and not label:
        raise InputError(f"adjusted is {adjusted} and label is {label}; expected label=True")
    labels = None if tfs is None else tuple(to_python(unwrap(tf)) for tf in tfs)
    bound, unbound = label is None or bool(label), not label
    active, inactive = bound and (adjusted is None or bool(adjusted)), bound and not adjusted
    return {
        kind: Pairs(
            unbound=n_tfs * unbound * Fraction(spec.n_genes - kind.bound),
            bound_active=n_tfs * active * kind.bound * kind.adjusted,
            bound_inactive=n_tfs * inactive * kind.bound * (1 - kind.adjusted),
        )
        for kind, n_tfs in _count_kinds(check_spec(spec), labels).items()
    }


def make_binding_distributions(parameters: BindingParameters) -> tuple[Lattice, Lattice]:
    """Return the distributions of the binding effects of unbound and of bound pairs, float32 as stored."""
    binding = BindingParameters.extract(parameters)
    return _make_lattice(binding, bound=False), _make_lattice(binding, bound=True)


@lru_cache(maxsize=64)
def _make_lattice(binding: BindingParameters, *, bound: bool) -> Lattice:
    values, weights = binding_lattice(binding, bound=bound)
    return Lattice.of(values.astype(np.float32), weights)


@lru_cache(maxsize=16)
def make_pvalue_lattices(spec: SimulationSpec) -> tuple[Lattice, Lattice]:
    """Return the distributions of binding p-values of tests, of unbound and of bound pairs, float32 as stored."""
    binding = BindingParameters.extract(spec)
    tails, *firsts = make_tails(binding, spec.poisson_pseudocount)
    lattices = []
    for bound in (False, True):
        background, experiment, probabilities = tabulate_hops(binding, bound=bound)
        possible = probabilities > 0
        index = np.broadcast_arrays((background - firsts[0])[:, None], (experiment - firsts[1])[None, :])
        lattices.append(Lattice.of(tails[index[0][possible], index[1][possible]], probabilities[possible]))
    return lattices[0], lattices[1]


def make_magnitude_distributions(spec: SimulationSpec) -> tuple[FoldedNormals, ...]:
    """Return the distributions of |perturbation effect|, by status.

    The mean of an active pair depends on its stored binding effect. Without noise a response is its mean, as float32.
    """
    return _make_magnitudes(BindingParameters.extract(spec), MeanModel.from_spec(spec))


@lru_cache(maxsize=64)
def _make_magnitudes(binding: BindingParameters, model: MeanModel, *, bound: bool = True) -> tuple[FoldedNormals, ...]:
    """Return the distributions by status; active pairs have the binding effects of bound or of unbound pairs."""
    magnitudes = []
    for status in STATUSES:
        lattice = _make_lattice(binding, bound=bound) if status == "bound_active" and model.slope else None
        means = model.mean(status, lattice.values if lattice else 0.0)
        std = model.std(status)
        if std == 0:
            with np.errstate(over="ignore"):
                means = means.astype(np.float32)
        weights = lattice.probabilities if lattice else np.ones(1)
        magnitudes.append(FoldedNormals(*_merge_near(weights, means, std)))
    return tuple(magnitudes)


def _merge_near(weights: np.ndarray, means: np.ndarray, std: np.ndarray) -> tuple[np.ndarray, ...]:
    """Merge many components with means within 0.001 s.d. to components of the same mean and variance.

    This only changes the third moment, and probabilities by less than 1e-9.
    """
    if weights.size <= _MOST_COMPONENTS or std == 0:
        return weights, means, std
    means = np.abs(means)  # like folding
    _, groups = np.unique(np.floor(means / (_NEAR * std)), return_inverse=True)
    merged = np.bincount(groups, weights)
    centres = np.bincount(groups, weights * means) / merged
    variances = np.bincount(groups, weights * (means - centres[groups]) ** 2) / merged
    return merged, centres, np.sqrt(std**2 + variances)


def make_group_magnitudes(spec: SimulationSpec, kind: TFKind) -> tuple[FoldedNormals, ...]:
    """Return the distributions of |perturbation effect| by label and conditions, for the TFs of a kind.

    They equal those by status, except for random responses: mixtures of pairs that respond, by their TF's conditions,
    and of pairs that do not respond, which have the effects of unbound pairs.
    """
    return _mix_magnitudes(
        BindingParameters.extract(spec),
        MeanModel.from_spec(spec),
        ResponseParameters.extract(spec),
        float(kind.indirect),
        stored=False,
    )


Parts = list[tuple[float, FoldedNormals]]  # parts of a mixture: weights with sum 1, and distributions


def list_magnitude_parts(spec: SimulationSpec, kind: TFKind) -> tuple[Parts, ...]:
    """Return the parts of the mixtures of :func:`make_group_magnitudes`, which are few and the same for all TFs."""
    return _list_parts(
        BindingParameters.extract(spec),
        MeanModel.from_spec(spec),
        ResponseParameters.extract(spec),
        float(kind.indirect),
        stored=False,
    )


def _list_parts(
    binding: BindingParameters, model: MeanModel, responses: ResponseParameters, indirect: float, *, stored: bool
) -> tuple[Parts, ...]:
    make = _round_magnitudes if stored else _make_magnitudes
    unbound, active, inactive = make(binding, model)
    if not responses.has_responses:
        return [(1.0, unbound)], [(1.0, active)], [(1.0, inactive)]
    _, elsewhere, _ = make(binding, model, bound=False)
    direct, share = responses.responsive_fraction, responses.indirect_fraction
    return (
        [(1 - share, unbound), (share * indirect, elsewhere), (share * (1 - indirect), inactive)],
        [(1 - direct, unbound), (direct, active)],
        [(1 - direct, unbound), (direct, inactive)],
    )


@lru_cache(maxsize=256)
def _mix_magnitudes(
    binding: BindingParameters, model: MeanModel, responses: ResponseParameters, indirect: float, *, stored: bool
) -> tuple[FoldedNormals, ...]:
    """Return the distributions by label and conditions, with atoms for coarse steps of ``stored`` values."""
    parts = _list_parts(binding, model, responses, indirect, stored=stored)
    return tuple(_mix(part) if len(part) > 1 else part[0][1] for part in parts)


def _mix(parts: Parts) -> FoldedNormals:
    return FoldedNormals(
        np.concatenate([weight * d.weights for weight, d in parts]),
        np.concatenate([d.means for _, d in parts]),
        np.concatenate([d.stds for _, d in parts]),
    )


@lru_cache(maxsize=64)
def _round_magnitudes(binding: BindingParameters, model: MeanModel, *, bound: bool = True) -> tuple[FoldedNormals, ...]:
    """Return the distributions of stored |perturbation effect| by status, with atoms for coarse steps of float32."""
    return tuple(_round_coarse(magnitude) for magnitude in _make_magnitudes(binding, model, bound=bound))


def _round_coarse(magnitude: FoldedNormals) -> FoldedNormals:
    """Replace components whose noise spans few steps of float32 by their possible values.

    Such values tie, so that more effects are large. Ties of other components are neglected; they affect at most a share
    of step / s.d. / 5 of the effects.
    """
    means, stds = magnitude.means, magnitude.stds
    with np.errstate(over="ignore"):
        coarse = (stds > 0) & (stds < _COARSE * np.spacing((means + stds).astype(np.float32)))
        ends = [np.maximum(means - _WIDEST * stds, 0)[coarse], (means + _WIDEST * stds)[coarse]]
        # Non-negative values of float32 have the order of their bits.
        first, last = np.asarray(ends, np.float32).view(np.int32).astype(np.int64)
    stop = np.maximum.accumulate(last + 1)  # components are sorted by mean
    start = np.maximum(first, np.append(0, stop[:-1]))
    if not coarse.any() or np.maximum(stop - start, 0).sum() > _MOST_STEPS:
        return magnitude
    bits = np.concatenate([np.arange(*segment, dtype=np.int32) for segment in zip(start, stop, strict=True)])
    values = bits.view(np.float32).astype(np.float64)
    borders = np.append((values[1:] + values[:-1]) / 2, np.inf)
    exact = FoldedNormals(magnitude.weights[coarse], means[coarse], stds[coarse])
    shares = np.diff(exact.cdf(borders), prepend=0.0)
    parts = [(magnitude.weights[~coarse], means[~coarse], stds[~coarse])]
    parts += [(magnitude.weights[coarse].sum() * shares, values, np.zeros(values.size))]
    return FoldedNormals(*(np.concatenate(arrays) for arrays in zip(*parts, strict=True)))


def refuse_batches(spec: SimulationSpec) -> None:
    """Raise for a specification whose perturbation effects have an offset by TF and measurement."""
    if spec.batch_std:
        raise InputError(
            f"batch_std is {spec.batch_std:g}, so perturbation effects of a TF share an offset in each measurement; "
            "expected batch_std=0"
        )


def compute_large_fraction(spec: SimulationSpec, feature: str, pairs: Mapping[TFKind, Pairs], *, every: bool) -> float:
    """Return the share of large effects among pairs (at least one); ``every`` means all pairs of their TFs.

    ``feature`` is an effect or its p-value.
    """
    if spec.tests_effects:
        raise InputError("pvalues is 'test', so there are no large effects; expected pvalues='tutorial'")
    binding, model = BindingParameters.extract(spec), MeanModel.from_spec(spec)
    percentile, n = spec.large_effect_percentile, spec.n_genes
    of_binding = feature.startswith("binding")
    rank = rank_cutoff(n, percentile)
    if every and not of_binding and not rank.weight and not any(d.atoms for d in _round_magnitudes(binding, model)):
        return (rank.others + 1) / n  # without ties, only the rank matters
    if not of_binding:
        refuse_batches(spec)
    responses = ResponseParameters.extract(spec)
    total = sum((sum(counts) for counts in pairs.values()), Fraction(0))
    share = 0.0
    for kind, counts in pairs.items():
        if of_binding:
            chances = _compute_large_binding(binding, percentile, n, kind.bound)
        else:
            chances = _compute_large_perturbation(binding, model, responses, percentile, n, kind._replace(positive=0.5))
        share += sum(float(count / total) * chance for count, chance in zip(counts, chances, strict=True) if count)
    return 1.0 if share > 1 - _ROUNDING else share


@lru_cache(maxsize=4096)
def _compute_large_binding(binding: BindingParameters, percentile: float, n: int, bound: int) -> tuple[float, ...]:
    """Return the probabilities that a binding effect is large, by status."""
    groups = [
        Group(count, (1.0,), (_make_lattice(binding, bound=label),))
        for label, count in ((False, n - bound), (True, bound))
    ]
    (of_unbound,), (of_bound,) = compute_large_probabilities(groups, percentile)
    return of_unbound, of_bound, of_bound


@lru_cache(maxsize=4096)
def _compute_large_perturbation(
    binding: BindingParameters,
    model: MeanModel,
    responses: ResponseParameters,
    percentile: float,
    n: int,
    kind: TFKind,
) -> tuple[float, ...]:
    """Return the probabilities that a perturbation effect is large, by label and conditions."""
    unbound, active, inactive = _mix_magnitudes(binding, model, responses, float(kind.indirect), stored=True)
    groups = [
        Group(kind.bound, (float(kind.adjusted), float(1 - kind.adjusted)), (active, inactive), kind.active),
        Group(n - kind.bound, (1.0,), (unbound,)),
    ]
    (of_active, of_inactive), (of_unbound,) = compute_large_probabilities(groups, percentile)
    return of_unbound, of_active, of_inactive
