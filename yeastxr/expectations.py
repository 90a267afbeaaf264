"""What theory says of the pairs that a picture shows: of a whole simulation, or of some of its TFs and genes."""

from collections import Counter
from collections.abc import Hashable

import numpy as np
import xarray as xr

from yeastxr import theory
from yeastxr.arguments import InputError, plain
from yeastxr.closedforms import slope_of_mean
from yeastxr.distributions import Distribution
from yeastxr.elements import SIZE
from yeastxr.foldednormals import folded_normal_mean
from yeastxr.pairkinds import TFKind, kinds_of_tfs
from yeastxr.schema import TF
from yeastxr.simulate import SimulationSpec, spec_of

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
        A feature but ``label``, or ``perturbation_size``.
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
    here = [plain(tf) for tf in ds.indexes[TF]]
    if any(tf not in kinds for tf in here):
        return []
    alike: Counter[TFKind] = Counter(kinds[tf] for tf in here)
    one_of = {kinds[tf]: tf for tf in here}
    # All TFs of a simulation share one distribution; of some, each kind has its own.
    asked = [(1.0, None)] if len(here) == len(kinds) else [(float(n), one_of[kind]) for kind, n in alike.items()]
    found: Parts = []
    for number, tf in asked:
        one = distribution(spec, quantity, tf=tf, **group)
        if one is None:
            continue
        weight = number if tf is None else number * _pairs(spec, kinds[tf], group)
        found.append((weight, one))
    total = sum(weight for weight, _ in found)
    return [(weight / total, one) for weight, one in found]


def distribution(spec: SimulationSpec, quantity: str, *, tf: Hashable = None, **group: bool) -> Distribution | None:
    """Return what :func:`yeastxr.theory.distribution` does, also of ``perturbation_size``; None without such pairs."""
    try:
        one = theory.distribution(spec, "perturbation_effect" if quantity == SIZE else quantity, tf=tf, **group)
    except InputError:
        return None
    return one.size() if quantity == SIZE else one  # type: ignore[attr-defined]


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
    """Return the distribution function of a mixture."""
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
