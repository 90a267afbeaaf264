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

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from fractions import Fraction

import numpy as np
import xarray as xr

from yeastxr._validate import to_python
from yeastxr.errors import InputError
from yeastxr.schema import FEATURE, FEATURE_NAMES, MAGNITUDE, TF, check_feature, make_feature_coordinate
from yeastxr.simulation.simulate import SimulationSpec, spec_of
from yeastxr.simulation.steps import make_template
from yeastxr.theory import pairs as pairkinds
from yeastxr.theory.distributions import Distribution, Lattice, SignedFoldedNormals, UniformMixture, folded_normal_mean
from yeastxr.theory.pairs import TFKind, kinds_of_tfs, slope_of_mean

GROUP = "group"
GROUPS: Mapping[str, Mapping[str, bool]] = {
    "all": {},
    "unbound": {"label": False},
    "bound": {"label": True},
    "bound_active": {"label": True, "adjusted": True},
    "bound_inactive": {"label": True, "adjusted": False},
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
        ``label`` and ``binding_effect``: a :class:`~yeastxr.theory.distributions.Lattice`. p-values: a
        :class:`~yeastxr.theory.distributions.UniformMixture`. ``perturbation_effect``: a
        :class:`~yeastxr.theory.distributions.SignedFoldedNormals`, or a ``Lattice`` where there is no noise.

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
    >>> round(response.std, 4), round(response.magnitude().mean, 4), round(response.cdf(-5.0), 4)
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
        float64. ``mean`` and ``std`` of the values, ``magnitude_mean`` and ``magnitude_std`` of their absolute values,
        dims ``([tf,] feature, group)``; ``pairs``, how many pairs are to be expected in a replicate, dims ``([tf,] group)``.
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
    >>> expected.magnitude_mean.sel(feature="perturbation_effect").round(4).values
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
    names = ("mean", "std", "magnitude_mean", "magnitude_std")
    ds = xr.Dataset(
        {name: (dims, table[..., i]) for i, name in enumerate(names)} | {"pairs": ((TF, GROUP), pairs)},
        coords=make_feature_coordinate() | xr.Coordinates({GROUP: list(GROUPS)}),
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
        magnitude_mean = d.magnitude().mean if isinstance(d, SignedFoldedNormals | Lattice) else d.mean
        found.append(
            (d.mean, d.std, magnitude_mean, float(np.sqrt(max(d.std**2 + d.mean**2 - magnitude_mean**2, 0.0))))
        )
    return found


def _mixed_lattice(weights: Sequence[float], parts: Sequence[Lattice]) -> Lattice:
    """Return the mixture of some lattices."""
    return Lattice.of(
        np.concatenate([part.values for part in parts]),
        np.concatenate([weight * part.probabilities for weight, part in zip(weights, parts, strict=True)]),
    )


_GRID = 8001
Parts = list[tuple[float, Distribution]]


def specification(ds: xr.Dataset) -> SimulationSpec | None:
    """Return a dataset's specification, if it has one that can be read."""
    try:
        return spec_of(ds)
    except InputError:
        return None


def parts(ds: xr.Dataset, quantity: str, **group: bool) -> Parts:
    """Return distributions of a quantity in a group of a dataset's pairs, and their weights, which sum to 1.

    Parameters
    ----------
    ds
        A dataset, or any other with its index of TFs and its attributes; none has to be whole.
    quantity
        A feature but ``label``, or ``perturbation_magnitude``.
    **group
        As for :func:`yeastxr.theory.distribution`: ``label``, ``adjusted``.

    Returns
    -------
    list of (float, Distribution)
        Empty if there is no specification, or no such pair.
    """
    spec = specification(ds)
    if spec is None:
        return []
    kinds = kinds_of_tfs(spec)
    here = [to_python(tf) for tf in ds.indexes[TF]]
    if any(tf not in kinds for tf in here):
        return []
    alike: Counter[TFKind] = Counter(kinds[tf] for tf in here)
    one_of = {kinds[tf]: tf for tf in here}
    # All TFs of a simulation share one quantity_distribution; of some, each kind has its own.
    asked = [(1.0, None)] if len(here) == len(kinds) else [(float(n), one_of[kind]) for kind, n in alike.items()]
    found: Parts = []
    for number, tf in asked:
        one = quantity_distribution(spec, quantity, tf=tf, **group)
        if one is None:
            continue
        weight = number if tf is None else number * _pairs(spec, kinds[tf], group)
        found.append((weight, one))
    total = sum(weight for weight, _ in found)
    return [(weight / total, one) for weight, one in found]


def quantity_distribution(
    spec: SimulationSpec, quantity: str, *, tf: Hashable = None, **group: bool
) -> Distribution | None:
    """Return what :func:`distribution` does, also of ``perturbation_magnitude``; None where there is no such pair."""
    try:
        one = distribution(spec, "perturbation_effect" if quantity == MAGNITUDE else quantity, tf=tf, **group)
    except InputError:
        return None
    return one.magnitude() if quantity == MAGNITUDE else one  # type: ignore[attr-defined]


def moments(mixed: Parts) -> tuple[float, float]:
    """Return the mean and the standard deviation of a mixture; NaN if there is none."""
    if not mixed:
        return np.nan, np.nan
    mean = sum(weight * one.mean for weight, one in mixed)
    square = sum(weight * (one.std**2 + one.mean**2) for weight, one in mixed)
    return float(mean), float(np.sqrt(max(square - mean**2, 0.0)))


def _pairs(spec: SimulationSpec, kind: TFKind, group: dict[str, bool]) -> float:
    if not group.get("label", True):
        return spec.n_genes - kind.bound
    adjusted = float(kind.adjusted)
    share = {True: adjusted, False: 1 - adjusted, None: 1.0}[group.get("adjusted")]
    return kind.bound * share


def cdf(mixed: Parts, x: np.ndarray) -> np.ndarray:
    """Return the quantity_distribution function of a mixture."""
    return np.asarray(sum(weight * np.asarray(one.cdf(x)) for weight, one in mixed))


def shares_of_bins(mixed: Parts, edges: np.ndarray) -> np.ndarray:
    """Return the probability of each bin, closed on the left, the last one on both sides."""
    below = cdf(mixed, np.append(np.nextafter(edges[:-1], -np.inf), edges[-1]))
    return np.diff(below)


def quantiles(mixed: Parts, q: np.ndarray, most: float) -> np.ndarray:
    """Return quantiles of a mixture of sizes or p-values, to a part in thousands of the largest value."""
    if len(mixed) == 1:
        return np.asarray(mixed[0][1].quantile(q))
    grid = np.linspace(0, most, _GRID)
    return np.interp(q, cdf(mixed, grid), grid)


def expected_sizes(spec: SimulationSpec, binding: np.ndarray) -> dict[str, np.ndarray]:
    """Return the mean of |perturbation effect| given binding effects, for unbound pairs and for adjusted ones."""
    raised = spec.bound_mean + slope_of_mean(spec, spec) * binding
    found = {
        "unbound": np.full(binding.shape, folded_normal_mean(spec.unbound_mean, spec.unbound_std)),
        "bound": np.asarray(folded_normal_mean(raised, spec.bound_std)),
    }
    if spec.tf_relationships is not None:
        failed = folded_normal_mean(spec.unbound_mean, spec.bound_std)
        found["conditions fail"] = np.full(binding.shape, failed)
    return found
