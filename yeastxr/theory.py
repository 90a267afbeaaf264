"""The distribution that every feature must have under a specification: exact, overall, by label and by TF.

What is exact, and what is not:

- Labels, binding effects and perturbation effects: exact. A value is rounded once, to float32; binding effects are
  those rounded values, and so are perturbation effects without noise.
- Whether a TF's conditions hold for a gene that it binds: exact, see :func:`adjusted_probability`.
- p-values: exact for the finite number of genes, ties included, but for one thing. Whether a *perturbation* effect is
  large depends on how many bound genes of the TF have conditions that hold. TFs that are named bind exact numbers of
  genes, so that number is less spread than a binomial; that is accounted for to first order. The error is of the order
  of 1 / genes^2; it is 0 where there are no conditions, and over all pairs. Where effects without noise tie, it can be
  larger.
- Marginals of single pairs. Pairs of one TF are exchangeable, but not independent: labels add up to a fixed number.
"""

from collections.abc import Hashable, Mapping, Sequence
from fractions import Fraction

import numpy as np
import xarray as xr

from yeastxr import pairkinds
from yeastxr.arguments import InputError
from yeastxr.blocks import template
from yeastxr.closedforms import (
    binding_lattice,
    slope_of_mean,
)
from yeastxr.distributions import Distribution, Lattice, UniformMixture
from yeastxr.foldednormals import SignedFoldedNormals, folded_normal_mean
from yeastxr.schema import FEATURE, FEATURE_NAMES, TF, check_feature, feature_coordinate
from yeastxr.simulate import SimulationSpec

__all__ = [
    "GROUPS",
    "Distribution",
    "adjusted_probability",
    "binding_lattice",
    "distribution",
    "expected",
    "folded_normal_mean",
    "large_fraction",
    "slope_of_mean",
]

GROUP = "group"
GROUPS: Mapping[str, Mapping[str, bool]] = {
    "all": {},
    "unbound": {"label": False},
    "bound": {"label": True},
    "bound, conditions hold": {"label": True, "adjusted": True},
    "bound, conditions fail": {"label": True, "adjusted": False},
}
"""The groups of pairs that have distributions of their own: names, and what to pass to :func:`distribution`."""


def adjusted_probability(spec: SimulationSpec) -> xr.DataArray:
    """Return how likely the conditions of a TF hold for a gene that it binds.

    Exact for any nesting: genes are alike, TFs bind independently of each other, and TF t binds a gene with probability
    ``round(genes * bound) / genes``. A TF that its own conditions name is bound there.

    Parameters
    ----------
    spec
        The specification.

    Returns
    -------
    xarray.DataArray
        float64 in [0, 1], dims ``(tf,)``, with the coordinates of a dataset; 1 where there is no condition.

    Raises
    ------
    InputError
        If it is no specification.

    Examples
    --------
    >>> import yeastxr as yx
    >>> related = {0: [1, yx.Or(1, 2)], 1: [yx.Or(0, 2)]}
    >>> spec = yx.SimulationSpec(genes=1000, bound=[0.1, 0.2, 0.5], tf_relationships=related, seed=42)
    >>> yx.theory.adjusted_probability(spec).values
    array([0.2 , 0.55, 1.  ])
    """
    kinds = pairkinds.kinds_of_tfs(pairkinds.check_spec(spec))
    coords = template(spec, None).coords
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
    """Return the distribution that a feature has under a specification.

    Parameters
    ----------
    spec
        The specification.
    feature
        One of the five.
    label
        True: of bound pairs. False: of unbound pairs. None: of all.
    adjusted
        Only with ``label=True``. True: of bound pairs for which their TF's conditions hold (of all bound pairs, where
        there are none). False: of those for which they fail. None: of both.
    tf
        The label of one TF; all by default, when every pair weighs the same.

    Returns
    -------
    Distribution
        ``label`` and ``binding_effect``: a :class:`~yeastxr.distributions.Lattice`. p-values: a
        :class:`~yeastxr.distributions.UniformMixture`. ``perturbation_effect``: a
        :class:`~yeastxr.foldednormals.SignedFoldedNormals`, or a ``Lattice`` where there is no noise.

    Raises
    ------
    InputError
        If there can be no such pair, the feature or the TF is unknown, or an argument is not what it must be.

    Examples
    --------
    >>> import yeastxr as yx
    >>> spec = yx.SimulationSpec(genes=1000, bound=[0.1, 0.3], max_mean_adjustment=10.0, seed=42)
    >>> bound = yx.theory.distribution(spec, "binding_effect", label=True)
    >>> round(bound.mean, 4), round(bound.std, 4), round(bound.quantile(0.5), 4)
    (2.3889, 6.1012, 0.9137)
    >>> response = yx.theory.distribution(spec, "perturbation_effect", label=True)
    >>> round(response.std, 4), round(response.size().mean, 4), round(response.cdf(-5.0), 4)
    (3.5362, 3.303, 0.0311)
    >>> pvalue = yx.theory.distribution(spec, "binding_pvalue", label=True, tf=1)
    >>> round(pvalue.mean, 4)
    0.3975
    """
    name = check_feature(feature).name
    pairs = _some_pairs(spec, label, adjusted, tf)
    if name.endswith("pvalue"):
        large = pairkinds.large_fraction(spec, name, pairs, every=label is None)
        return UniformMixture.of([1.0, spec.large_effect_upper_pval], [1 - large, large])
    counts = [float(sum(column)) for column in zip(*pairs.values(), strict=True)]
    hold, fail, unbound = counts
    if name == "label":
        return Lattice.of([0.0, 1.0], [unbound, hold + fail])
    if name == "binding_effect":
        return _mixed_lattice([hold + fail, unbound], pairkinds.effects(spec))
    sizes = [(count, size) for count, size in zip(counts, pairkinds.responses(spec), strict=True) if count]
    effect = SignedFoldedNormals(
        np.concatenate([count * size.weights for count, size in sizes]),
        np.concatenate([size.means for _, size in sizes]),
        np.concatenate([size.stds for _, size in sizes]),
    )
    if effect.kind != "discrete":
        return effect
    return Lattice.of(np.concatenate([-effect.means, effect.means]), np.tile(effect.weights, 2))


def large_fraction(
    spec: SimulationSpec,
    feature: str,
    *,
    label: bool | None = None,
    adjusted: bool | None = None,
    tf: Hashable = None,
) -> float:
    """Return which share of effects is large: at least the TF's quantile, so that their p-values are small.

    Where effects tie that is more than ``1 - large_effect_percentile``. Exact for the number of genes there are; about
    relations see :mod:`yeastxr.theory`.

    Parameters
    ----------
    spec
        The specification.
    feature
        ``binding_pvalue`` or ``perturbation_pvalue``, or the effect it belongs to.
    label, adjusted, tf
        Of which pairs; see :func:`distribution`.

    Returns
    -------
    float
        In [0, 1].

    Raises
    ------
    InputError
        As :func:`distribution`, and if the feature has no p-value.

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
    if name == "label":
        raise InputError("feature is 'label', which has no p-value; expected an effect or its p-value")
    return pairkinds.large_fraction(spec, name, _some_pairs(spec, label, adjusted, tf), every=label is None)


def expected(spec: SimulationSpec, *, by_tf: bool = False) -> xr.Dataset:
    """Return means and standard deviations of every feature, by group of pairs.

    Parameters
    ----------
    spec
        The specification.
    by_tf
        Whether to give them for each TF.

    Returns
    -------
    xarray.Dataset
        float64. ``mean`` and ``std`` of the values, ``size_mean`` and ``size_std`` of their absolute values, dims
        ``([tf,] feature, group)``; ``pairs``, how many pairs are to be expected in a replicate, dims ``([tf,] group)``.
        NaN where there are none. The coordinate ``group`` holds the names in ``GROUPS``.

    Raises
    ------
    InputError
        If it is no specification.

    Examples
    --------
    >>> import yeastxr as yx
    >>> spec = yx.SimulationSpec(genes=1000, bound=[0.1, 0.3], tf_relationships={0: [1]}, seed=42)
    >>> expected = yx.theory.expected(spec)
    >>> expected.size_mean.sel(feature="perturbation_effect").round(4).values
    array([1.1614, 0.7979, 2.6153, 3.0008, 0.7979])
    >>> expected.pairs.values
    array([2000., 1600.,  400.,  330.,   70.])
    """
    kinds = pairkinds.kinds_of_tfs(pairkinds.check_spec(spec))
    # One TF stands for all of its kind.
    labels: dict[object, Hashable] = {kind: tf for tf, kind in kinds.items()} if by_tf else {None: None}
    moments = {kind: [_moments(spec, tf, asked) for asked in GROUPS.values()] for kind, tf in labels.items()}
    table = np.array([moments[kind] for kind in (kinds.values() if by_tf else [None])])  # tf, group, feature, number
    counts = {
        kind: [_count(pairkinds.pairs_of(spec, tf=tf, **asked)) for asked in GROUPS.values()]
        for kind, tf in labels.items()
    }
    pairs = np.array([counts[kind] for kind in (kinds.values() if by_tf else [None])])
    dims = (TF, GROUP, FEATURE)
    names = ("mean", "std", "size_mean", "size_std")
    ds = xr.Dataset(
        {name: (dims, table[..., i]) for i, name in enumerate(names)} | {"pairs": ((TF, GROUP), pairs)},
        coords=feature_coordinate() | xr.Coordinates({GROUP: list(GROUPS)}),
    ).transpose(TF, FEATURE, GROUP)
    return ds.assign_coords(adjusted_probability(spec).coords) if by_tf else ds.isel({TF: 0})


def _some_pairs(
    spec: SimulationSpec, label: bool | None, adjusted: bool | None, tf: Hashable
) -> dict[pairkinds.TFKind, pairkinds.Pairs]:
    """Return how many pairs there are to be expected, or refuse a group that can have none."""
    pairs = pairkinds.pairs_of(spec, label, adjusted, tf)
    if not _count(pairs):
        asked = {"label": label, "adjusted": adjusted, "tf": tf}
        group = ", ".join(f"{name}={value!r}" for name, value in asked.items() if value is not None)
        raise InputError(f"there are no pairs with {group} under this specification; expected a group that has some")
    return pairs


def _count(pairs: Mapping[pairkinds.TFKind, pairkinds.Pairs]) -> float:
    return float(sum((sum(some) for some in pairs.values()), Fraction(0)))


def _moments(spec: SimulationSpec, tf: Hashable, asked: Mapping[str, bool]) -> list[tuple[float, ...]]:
    """Return the mean and the s.d. of each feature and of its absolute value; NaN where there are no such pairs."""
    if not _count(pairkinds.pairs_of(spec, tf=tf, **asked)):
        return [(np.nan,) * 4] * len(FEATURE_NAMES)
    found: list[tuple[float, ...]] = []
    for feature in FEATURE_NAMES:
        d = distribution(spec, feature, tf=tf, **asked)
        size_mean = d.size().mean if isinstance(d, SignedFoldedNormals | Lattice) else d.mean
        found.append((d.mean, d.std, size_mean, float(np.sqrt(max(d.std**2 + d.mean**2 - size_mean**2, 0.0)))))
    return found


def _mixed_lattice(weights: Sequence[float], parts: Sequence[Lattice]) -> Lattice:
    """Return the mixture of some lattices."""
    return Lattice.of(
        np.concatenate([part.values for part in parts]),
        np.concatenate([weight * part.probabilities for weight, part in zip(weights, parts, strict=True)]),
    )
