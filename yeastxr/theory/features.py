"""The expected distribution of every feature under a specification: overall, by status and by TF.

:mod:`yeastxr.theory` describes which results are exact.
"""

from collections.abc import Hashable, Iterable, Mapping
from fractions import Fraction
from functools import lru_cache

import numpy as np
import xarray as xr

from yeastxr.errors import InputError
from yeastxr.schema import (
    BINDING,
    FEATURE,
    FEATURE_NAMES,
    LABEL,
    MAGNITUDE,
    PERTURBATION,
    STATUSES,
    TF,
    check_feature,
    make_feature_coordinate,
)
from yeastxr.simulation.adjustment import MeanModel
from yeastxr.simulation.simulate import SimulationSpec
from yeastxr.simulation.steps import make_template
from yeastxr.simulation.sweeps import spec_of
from yeastxr.theory.distributions import (
    Distribution,
    FoldedNormals,
    Lattice,
    SignedFoldedNormals,
    UniformMixture,
    folded_normal_mean,
)
from yeastxr.theory.pairs import (
    Pairs,
    TFKind,
    check_spec,
    classify_tfs,
    compute_large_fraction,
    count_pairs,
    list_magnitude_parts,
    make_binding_distributions,
    make_group_magnitudes,
    make_pvalue_lattices,
    refuse_batches,
)
from yeastxr.theory.tails import TailPvalues

GROUP = "group"
GROUPS: Mapping[str, Mapping[str, bool]] = {
    "all": {},
    "unbound": {"label": False},
    "bound": {"label": True},
    "bound_active": {"label": True, "adjusted": True},
    "bound_inactive": {"label": True, "adjusted": False},
}
"""The groups of pairs with distributions: names, and arguments of :func:`distribution`."""
BINDING_PVALUE = "binding_pvalue"
_MOMENTS = ("mean", "std", "magnitude_mean", "magnitude_std")


def adjusted_probability(spec: SimulationSpec) -> xr.DataArray:
    """Return the probability that the conditions of a TF hold for a gene that it binds.

    It is exact for any nesting: TFs bind independently of each other, each with probability ``round(genes * bound) /
    genes`` for a gene. Wherever its own conditions name a TF, it is bound.

    Parameters
    ----------
    spec
        The specification.

    Returns
    -------
    xarray.DataArray
        A float64 array in [0, 1], with the dimension ``tf`` and the coordinates of a dataset; 1 without conditions.

    Raises
    ------
    InputError
        If ``spec`` is not a specification.

    Examples
    --------
    >>> import yeastxr as yx
    >>> related = {0: [1, yx.Or(1, 2)], 1: [yx.Or(0, 2)]}
    >>> spec = yx.SimulationSpec(genes=1000, bound=[0.1, 0.2, 0.5], tf_relationships=related, seed=42)
    >>> yx.theory.adjusted_probability(spec).values
    array([0.2 , 0.55, 1.  ])
    """
    kinds = classify_tfs(check_spec(spec))
    coords = make_template(spec, None).coords
    return xr.DataArray(
        np.array([float(kind.adjusted) for kind in kinds.values()]),
        dims=TF,
        coords={name: coord for name, coord in coords.items() if coord.dims == (TF,)},
        name="adjusted_probability",
        attrs={"long_name": "probability that the conditions hold for a gene that the TF binds", "units": "1"},
    )


def distribution(
    spec: SimulationSpec,
    feature: str,
    *,
    label: bool | None = None,
    adjusted: bool | None = None,
    tf: Hashable = None,
) -> Distribution:
    """Return the distribution of a feature under a specification.

    Parameters
    ----------
    spec
        The specification.
    feature
        The name of a feature.
    label
        True for bound pairs, False for unbound pairs, None for all pairs.
    adjusted
        Only with ``label=True``: True for bound pairs whose TF's conditions hold (all bound pairs without conditions),
        False for those whose conditions fail, None for both.
    tf
        The label of a TF. The default is all TFs, with equal weights of pairs.

    Returns
    -------
    Distribution
        ``label`` and ``binding_effect``: a :class:`~yeastxr.theory.distributions.Lattice`. p-values: a
        :class:`~yeastxr.theory.distributions.UniformMixture`; with ``pvalues="test"`` a ``Lattice`` for binding, and a
        :class:`~yeastxr.theory.tails.TailPvalues` for perturbation. ``perturbation_effect``: a
        :class:`~yeastxr.theory.distributions.SignedFoldedNormals`, or a ``Lattice`` without noise. Distributions refer
        to values that are not missing.

    Raises
    ------
    InputError
        If the group has no pairs, the feature or the TF is unknown, or an argument is invalid; for perturbation with
        ``batch_std``, because pairs of a TF share an offset.

    Examples
    --------
    >>> import yeastxr as yx
    >>> spec = yx.SimulationSpec(genes=1000, bound=[0.1, 0.3], max_mean_adjustment=10.0, seed=42)
    >>> bound = yx.theory.distribution(spec, "binding_effect", label=True)
    >>> round(bound.mean, 4), round(bound.std, 4), round(bound.quantile(0.5), 4)
    (2.3889, 6.1012, 0.9137)
    >>> response = yx.theory.distribution(spec, "perturbation_effect", label=True)
    >>> round(response.std, 4), round(response.magnitude().mean, 4), round(response.cdf(-5.0), 4)
    (3.5362, 3.303, 0.0311)
    >>> pvalue = yx.theory.distribution(spec, "binding_pvalue", label=True, tf=1)
    >>> round(pvalue.mean, 4)
    0.3975
    """
    pairs = _count_pairs_or_refuse(spec, label, adjusted, None if tf is None else [tf])
    return _make_distribution(spec, check_feature(feature).name, pairs, every=label is None)


def large_fraction(
    spec: SimulationSpec,
    feature: str,
    *,
    label: bool | None = None,
    adjusted: bool | None = None,
    tf: Hashable = None,
) -> float:
    """Return the share of large effects, which reach the quantile of the TF and have small p-values.

    With ties, it exceeds ``1 - large_effect_percentile``. It is exact for the number of genes; for relations see
    :mod:`yeastxr.theory`.

    Parameters
    ----------
    spec
        The specification.
    feature
        An effect or its p-value.
    label, adjusted, tf
        The group of pairs; see :func:`distribution`.

    Returns
    -------
    float
        In [0, 1].

    Raises
    ------
    InputError
        As for :func:`distribution`, and if the feature has no p-value, or p-values come from tests.

    Examples
    --------
    >>> import yeastxr as yx
    >>> spec = yx.SimulationSpec(genes=1000, bound=[0.05], seed=42)
    >>> yx.theory.large_fraction(spec, "perturbation_effect")
    0.1
    >>> spec = yx.SimulationSpec(genes=1000, bound=[0.05], large_effect_percentile=0.3, seed=42)
    >>> yx.theory.large_fraction(spec, "binding_effect")  # nearly half of the effects are 0: the cutoff is, too
    1.0
    """
    name = check_feature(feature).name
    if name == LABEL:
        raise InputError("feature is 'label', which has no p-value; expected an effect or its p-value")
    pairs = _count_pairs_or_refuse(spec, label, adjusted, None if tf is None else [tf])
    return compute_large_fraction(spec, name, pairs, every=label is None)


def expected(spec: SimulationSpec, *, by_tf: bool = False) -> xr.Dataset:
    """Return means and standard deviations of every feature, by group of pairs.

    Parameters
    ----------
    spec
        The specification.
    by_tf
        Whether to return them for each TF.

    Returns
    -------
    xarray.Dataset
        float64. ``mean`` and ``std`` of the values, ``magnitude_mean`` and ``magnitude_std`` of their absolute values,
        with dimensions ``([tf,] feature, group)``; ``pairs``, the expected number of pairs in a replicate, with
        dimensions ``([tf,] group)``. NaN for groups without pairs, and for perturbation with ``batch_std``. The
        coordinate ``group`` contains the names in ``GROUPS``.

    Raises
    ------
    InputError
        If ``spec`` is not a specification.

    Examples
    --------
    >>> import yeastxr as yx
    >>> spec = yx.SimulationSpec(genes=1000, bound=[0.1, 0.3], tf_relationships={0: [1]}, seed=42)
    >>> expected = yx.theory.expected(spec)
    >>> expected.magnitude_mean.sel(feature="perturbation_effect").round(4).values
    array([1.1614, 0.7979, 2.6153, 3.0008, 0.7979])
    >>> expected.pairs.values
    array([2000., 1600.,  400.,  330.,   70.])
    """
    kinds = classify_tfs(check_spec(spec))
    # One TF represents all TFs of its kind.
    members: dict[object, list[Hashable] | None] = {kind: [tf] for tf, kind in kinds.items()} if by_tf else {None: None}
    counts, moments = {}, {}
    for kind, tfs in members.items():
        pairs = {name: count_pairs(spec, **group, tfs=tfs) for name, group in GROUPS.items()}
        counts[kind] = [_sum_pairs(counts) for counts in pairs.values()]
        moments[kind] = [_compute_moments(spec, group, every=name == "all") for name, group in pairs.items()]
    rows = list(kinds.values()) if by_tf else [None]
    table = np.array([moments[kind] for kind in rows])  # tf, group, feature, moment
    ds = xr.Dataset(
        {name: ((TF, GROUP, FEATURE), table[..., i]) for i, name in enumerate(_MOMENTS)}
        | {"pairs": ((TF, GROUP), np.array([counts[kind] for kind in rows]))},
        coords=make_feature_coordinate() | xr.Coordinates({GROUP: list(GROUPS)}),
    ).transpose(TF, FEATURE, GROUP)
    return ds.assign_coords(adjusted_probability(spec).coords) if by_tf else ds.isel({TF: 0})


def find_spec(ds: xr.Dataset) -> SimulationSpec | None:
    """Return the specification of a dataset, if it is valid."""
    try:
        return spec_of(ds)
    except InputError:
        return None


def find_distribution(
    data: xr.Dataset | SimulationSpec, quantity: str, *, tf: Hashable = None, **group: bool
) -> Distribution | None:
    """Return the distribution of a quantity in a group of pairs, or None without a specification or such pairs.

    For a dataset, it refers to its TFs with equal weights, or to one TF. ``label`` and ``adjusted`` define the group.
    """
    spec = data if isinstance(data, SimulationSpec) else find_spec(data)
    if spec is None:
        return None
    try:
        tfs = data.indexes[TF].tolist() if isinstance(data, xr.Dataset) else None
        tfs = None if tfs == list(spec.tf_labels) else tfs  # all: nothing to look up, label by label
        pairs = _count_pairs_or_refuse(spec, tfs=tfs if tf is None else [tf], **group)
        return _make_distribution(spec, quantity, pairs, every="label" not in group)
    except InputError:
        return None


def compute_bin_probabilities(distribution: Distribution, edges: np.ndarray) -> np.ndarray:
    """Return the probability of each bin, closed on the left, the last one on both sides."""
    return np.diff(distribution.cdf(np.append(np.nextafter(edges[:-1], -np.inf), edges[-1])))


def compute_mean_magnitudes(spec: SimulationSpec, binding_effect: np.ndarray) -> dict[str, np.ndarray]:
    """Return the mean of |perturbation effect| given binding effects, by status, or by label if no conditions can fail.

    With random responses it is the mean over pairs that respond and pairs that do not. Empty with ``batch_std``.
    """
    if spec.batch_std:
        return {}
    model = MeanModel.from_spec(spec)
    means = {
        status: np.asarray(folded_normal_mean(model.mean(status, binding_effect), model.std(status)))
        for status in STATUSES
    }
    if spec.has_responses:
        unbound, active, inactive = means.values()
        pairs = count_pairs(spec, label=False)
        n_unbound = max(_sum_pairs(pairs), 1.0)
        holds = float(sum((counts.unbound * kind.indirect for kind, counts in pairs.items()), Fraction(0))) / n_unbound
        direct, indirect = spec.responsive_fraction, spec.indirect_fraction
        means["unbound"] = (1 - indirect) * unbound + indirect * (holds * active + (1 - holds) * inactive)
        means["bound_active"] = (1 - direct) * unbound + direct * active
        means["bound_inactive"] = (1 - direct) * unbound + direct * inactive
    if spec.tf_relationships is None:
        return {"unbound": means["unbound"], "bound": means["bound_active"]}
    return means


def _count_pairs_or_refuse(
    spec: SimulationSpec,
    label: bool | None = None,
    adjusted: bool | None = None,
    tfs: Iterable[Hashable] | None = None,
) -> dict[TFKind, Pairs]:
    """Return the expected number of pairs of a group, or raise if there are none."""
    tfs = None if tfs is None else list(tfs)
    pairs = count_pairs(spec, label, adjusted, tfs)
    if not _sum_pairs(pairs):
        chosen = {"label": label, "adjusted": adjusted, "tf": tfs[0] if tfs and len(tfs) == 1 else tfs}
        group = ", ".join(f"{name}={value!r}" for name, value in chosen.items() if value is not None)
        raise InputError(f"there are no pairs with {group} under this specification; expected a group with pairs")
    return pairs


def _sum_pairs(pairs: Mapping[TFKind, Pairs]) -> float:
    return float(sum((sum(counts) for counts in pairs.values()), Fraction(0)))


def _make_distribution(
    spec: SimulationSpec, quantity: str, pairs: Mapping[TFKind, Pairs], *, every: bool
) -> Distribution:
    """Return the distribution of a quantity or the label over pairs; ``every`` means all pairs of their TFs."""
    if quantity.endswith("pvalue") and not spec.tests_effects:
        large = compute_large_fraction(spec, quantity, pairs, every=every)
        return UniformMixture.of([1.0, spec.large_effect_upper_pval], [1 - large, large])
    counts = [float(sum(column)) for column in zip(*pairs.values(), strict=True)]
    by_label = [counts[0], sum(counts[1:])]
    if quantity == LABEL:
        return Lattice.of([0.0, 1.0], by_label)
    if quantity in (BINDING, BINDING_PVALUE):
        lattices = make_binding_distributions(spec) if quantity == BINDING else make_pvalue_lattices(spec)
        weights = [count * lattice.probabilities for count, lattice in zip(by_label, lattices, strict=True)]
        return Lattice.of(np.concatenate([lattice.values for lattice in lattices]), np.concatenate(weights))
    refuse_batches(spec)
    effect = _mix_effects(spec, pairs)
    if quantity == MAGNITUDE:
        return effect.magnitude()
    if quantity != PERTURBATION:
        return _make_tail_pvalues(spec, effect.magnitude())
    if effect.kind != "discrete":
        return effect
    values, weights = [], []
    for sign, (chance, side) in zip((-1, 1), effect.sides, strict=True):
        values.append(sign * side.means)
        weights.append(chance * side.weights)
    return Lattice.of(np.concatenate(values), np.concatenate(weights))


def _mix_effects(spec: SimulationSpec, pairs: Mapping[TFKind, Pairs]) -> SignedFoldedNormals:
    """Return the distribution of perturbation effects over pairs."""
    alike: dict[tuple[Fraction, float], tuple[TFKind, list[float]]] = {}
    for kind, numbers in pairs.items():
        _, totals = alike.setdefault((kind.indirect, kind.positive), (kind, [0.0] * len(numbers)))
        for i, number in enumerate(numbers):
            totals[i] += float(number)
    parts = [
        (total * magnitude.weights, magnitude.means, magnitude.stds, np.full(magnitude.means.size, kind.positive))
        for kind, totals in alike.values()
        for total, magnitude in zip(totals, make_group_magnitudes(spec, kind), strict=True)
    ]
    return SignedFoldedNormals(*(np.concatenate(arrays) for arrays in zip(*parts, strict=True)))


def _compute_moments(spec: SimulationSpec, pairs: Mapping[TFKind, Pairs], *, every: bool) -> np.ndarray:
    """Return the moments of each feature, shape ``(feature, moment)``; NaN for a group without pairs."""
    moments = np.full((len(FEATURE_NAMES), len(_MOMENTS)), np.nan)
    for i, feature in enumerate(FEATURE_NAMES if _sum_pairs(pairs) else ()):
        try:
            parts = _list_moments(spec, feature, pairs, every=every)
        except InputError:  # there is no theory for these parameters
            continue
        weights, tilts, means, stds = np.array(parts).T
        weights = weights / weights.sum()
        mean, magnitude_mean = weights @ (tilts * means), weights @ means
        # Within and between parts; only the first can suffer from cancellation.
        spread = np.sqrt(weights @ (stds**2 + (means - magnitude_mean) ** 2))
        std = np.sqrt(weights @ (stds**2 + means**2) - mean**2) if (tilts < 1).any() else spread
        moments[i] = mean, std, magnitude_mean, spread
    return moments


def _list_moments(
    spec: SimulationSpec, feature: str, pairs: Mapping[TFKind, Pairs], *, every: bool
) -> list[tuple[float, float, float, float]]:
    """Return the parts of a feature's distribution over pairs, most of which TFs share.

    Each part has a weight, the mean of its sign, and the mean and s.d. of its magnitude.
    """
    counts = [float(sum(column)) for column in zip(*pairs.values(), strict=True)]
    if feature == LABEL or (feature.endswith("pvalue") and not spec.tests_effects):
        return [(1.0, 1.0, *_get_moments(_make_distribution(spec, feature, pairs, every=every)))]
    if feature in (BINDING, BINDING_PVALUE):
        lattices = make_binding_distributions(spec) if feature == BINDING else make_pvalue_lattices(spec)
        numbers = (counts[0], sum(counts[1:]))
        return [(n, 1.0, *_get_moments(lattice)) for n, lattice in zip(numbers, lattices, strict=True) if n]
    refuse_batches(spec)
    parts = []
    for kind, by_status in pairs.items():
        tilt = 2 * kind.positive - 1 if feature == PERTURBATION else 1.0
        for number, magnitudes in zip(by_status, list_magnitude_parts(spec, kind), strict=True):
            for weight, magnitude in magnitudes:
                if number and weight:
                    d = magnitude if feature == PERTURBATION else _make_tail_pvalues(spec, magnitude)
                    parts.append((float(number) * weight, tilt, *_get_moments(d)))
    return parts


@lru_cache(maxsize=256)
def _get_moments(d: Distribution) -> tuple[float, float]:
    return d.mean, d.std


@lru_cache(maxsize=64)
def _make_tail_pvalues(spec: SimulationSpec, magnitude: FoldedNormals) -> Distribution:
    """Return the distribution of the two-sided p-values of a magnitude."""
    null = FoldedNormals(np.ones(1), np.array([spec.unbound_mean]), np.array([spec.unbound_std]))
    same = magnitude.weights.size == 1 and (magnitude.means, magnitude.stds) == (null.means, null.stds)
    return UniformMixture.of([1.0], [1.0]) if same else TailPvalues(null, magnitude)
