"""Axes that values are counted on: edges of bins, what the kernels need of them, and the coordinates that tell them.

A bin is closed on the left, the last one on both sides, as in :func:`numpy.histogram`. A kernel multiplies to find a
bin, and compares with its edge to be exact.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from yeastxr._validate import check_integer, check_number, check_sequence
from yeastxr.errors import InputError, SchemaError, format_value, suggest
from yeastxr.schema import FEATURES, QUANTITIES, check_array, check_feature, restore_dims
from yeastxr.simulation.parameters import PerturbationParameters
from yeastxr.simulation.simulate import read_specs

LABEL, BIN, X_BIN, Y_BIN = "label", "bin", "x_bin", "y_bin"
BINS = 60
MOST_BINS, MOST_BINS_2D = 10_000, 1_000
_NEAT = (1.0, 1.2, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0)


@dataclass(frozen=True, eq=False)
class Axis:
    """Bins between two limits.

    Parameters
    ----------
    edges
        float64, shape (bins + 1,), increasing.
    root
        Whether bins are of equal width in the square root of the distance from the lower limit, or of equal width.
    """

    edges: np.ndarray
    root: bool = False

    @property
    def bins(self) -> int:
        """How many bins there are."""
        return len(self.edges) - 1

    def coords(self, dim: str, prefix: str, feature: str, of: str = "") -> dict[str, Any]:
        """Return the centres, left and right edges of the bins as coordinates; ``of`` makes the long name of a size."""
        attrs = {name: check_feature(feature).attrs[name] for name in ("long_name", "units")}
        if of:
            attrs["long_name"] = of
        return {
            dim: (dim, (self.edges[:-1] + self.edges[1:]) / 2, attrs),
            f"{prefix}left": (dim, self.edges[:-1], attrs),
            f"{prefix}right": (dim, self.edges[1:], attrs),
        }


def axis(name: str, limits: object, bins: int, *, root: bool = False) -> Axis:
    """Return the bins between two limits, or refuse the limits.

    Examples
    --------
    >>> axis("limits", (0, 2), 4).edges.tolist(), axis("limits", (0, 2), 4, root=True).edges.tolist()
    ([0.0, 0.5, 1.0, 1.5, 2.0], [0.0, 0.125, 0.5, 1.125, 2.0])
    """
    ends = check_sequence(name, limits, "two numbers (lower, upper)")
    if len(ends) != 2:
        raise InputError(f"{name} is {format_value(limits)}; expected two numbers (lower, upper)")
    lower, upper = (check_number(name, end) for end in ends)
    edges = np.array([lower, upper])
    if lower < upper and np.isfinite(upper - lower):
        edges = np.linspace(lower, upper, bins + 1)
        if root:
            edges[1:-1] = lower + (upper - lower) * (np.arange(1, bins) / bins) ** 2
    if not np.isfinite(upper - lower) or (np.diff(edges) <= 0).any():
        raise InputError(f"{name} is {format_value(limits)}; expected lower < upper, far enough apart for {bins} bins")
    return Axis(edges, root)


def check_bins(name: str, bins: object, most: int = MOST_BINS) -> int:
    """Return a number of bins, or refuse it."""
    return check_integer(name, bins, least=1, most=most)


def neat(most: float) -> float:
    """Round a limit up to a number that is easy on the eye; 1 if it is 0.

    Examples
    --------
    >>> neat(78.947), neat(19.0), neat(0.0)
    (80.0, 20.0, 1.0)
    """
    if most <= 0:
        return 1.0
    power = float(10.0 ** np.floor(np.log10(most)))
    return next((step * power for step in _NEAT if step * power >= most), most)


def pack_axes(axes: Sequence[Axis]) -> tuple[np.ndarray, ...]:
    """Return what kernels need of axes: per axis where slots begin, and how to find one that is at most too high.

    Slot 0 is below the limits, slots 1 to n are bins, slot n + 1 is above.
    """
    guards = np.full((len(axes), max(one.bins for one in axes) + 2), np.inf)
    numbers = np.empty((4, len(axes)))
    for j, one in enumerate(axes):
        n, lower, upper = one.bins, one.edges[0], one.edges[-1]
        guards[j, : n + 2] = [-np.inf, *one.edges[:-1], np.nextafter(upper, np.inf)]
        rounding = 8 * np.finfo(float).eps * max(abs(lower), abs(upper)) / (upper - lower)
        doubt = n * (np.sqrt(rounding) if one.root else rounding) + 1e-9  # in bins: never too low
        numbers[:, j] = lower, (n**2 if one.root else n) / (upper - lower), 1 + doubt, n + 1
    return *numbers, np.array([one.root for one in axes]), guards


PAIRS = "pairs"
_FIXED = {"binding_effect": (0.0, 5.0), "binding_pvalue": (0.0, 1.0), "perturbation_pvalue": (0.0, 1.0)}


def summary_axes(ds: xr.Dataset, limits: Mapping[str, Any] | None, bins: int, bins_2d: int) -> dict[str, Axis]:
    """Return the axis of each quantity and, named x and y, those of pairs."""
    if limits is not None and not isinstance(limits, Mapping):
        raise InputError(f"limits is {format_value(limits)}; expected a dict from quantities to (lower, upper)")
    ends: dict[str, Any] = {**_FIXED, **(limits or {})}
    known = [*QUANTITIES, PAIRS]
    for name in ends:
        if name not in known:
            raise InputError(f"limits names {format_value(name)}, which is not known; {suggest(name, known)}")
    if any(name not in ends for name in ("perturbation_effect", "perturbation_magnitude", PAIRS)):
        largest = _largest(ds)
        ends.setdefault("perturbation_effect", (-largest[1], largest[1]))
        ends.setdefault("perturbation_magnitude", (0.0, largest[1]))
        ends.setdefault(PAIRS, ((0.0, largest[0]), (0.0, largest[1])))
    pair = check_sequence(f"limits[{PAIRS!r}]", ends[PAIRS], "a pair of (lower, upper), for x and for y")
    if len(pair) != 2:
        raise InputError(
            f"limits[{PAIRS!r}] is {format_value(pair)}; expected a pair of (lower, upper), for x and for y"
        )
    return {
        **{name: axis(f"limits[{name!r}]", ends[name], bins) for name in QUANTITIES},
        "x": axis("the limits of pairs along x", pair[0], bins_2d, root=True),
        "y": axis("the limits of pairs along y", pair[1], bins_2d),
    }


def _largest(ds: xr.Dataset) -> tuple[float, float]:
    """Return limits for the sizes of binding and perturbation effects."""
    specs = read_specs(ds)
    if specs:
        binding = max(spec.largest_effect for spec in specs) * (1 + 1e-6)  # float32 may round up
        return neat(binding), neat(max(_largest_perturbation(spec) for spec in specs))
    observed = largest_effects(ds, "binding_effect", "perturbation_effect")
    return neat(observed["binding_effect"]), neat(observed["perturbation_effect"])


def _largest_perturbation(spec: PerturbationParameters) -> float:
    """Return what a perturbation effect will hardly exceed: 6 standard deviations beyond the largest mean."""
    bound = max(abs(spec.bound_mean), abs(spec.bound_mean + spec.max_mean_adjustment), abs(spec.unbound_mean))
    return max(abs(spec.unbound_mean) + 6 * spec.unbound_std, bound + 6 * spec.bound_std)


def largest_effects(ds: xr.Dataset, *features: str) -> dict[str, float]:
    """Compute the largest finite absolute value of features, all in one pass over the data.

    Parameters
    ----------
    ds
        A dataset with ``label`` and the features, dims ``(..., gene, tf)``, NumPy or dask.
    *features
        Names of features, none of them ``label``.

    Returns
    -------
    dict of str to float
        For each feature its largest finite absolute value; 1.0 where there is none above 0, so that it can be a limit.

    Raises
    ------
    InputError
        If a feature is unknown or ``label``, or the dataset lacks a variable, a dim or an index.

    Examples
    --------
    >>> import yeastxr as yx
    >>> from yeastxr import qc
    >>> ds = yx.simulate(genes=1000, bound=[0.1, 0.3], seed=42)
    >>> qc.largest_effects(ds, "binding_effect")["binding_effect"] <= 78.948  # 6 of 76 hops over 1 of 1,000
    True
    """
    _, *values = matching_arrays(ds, *features)
    import dask

    sizes = [abs(array) for array in values]
    found = dask.compute(*(size.where(np.isfinite(size), 0).max() for size in sizes))
    return {feature: float(largest) or 1.0 for feature, largest in zip(features, found, strict=True)}


def number_of_cells(ds: xr.Dataset, *features: str) -> int:
    """Return how many cells a dataset has, once it is known to have labels and these features; nothing is computed.

    Parameters
    ----------
    ds
        A dataset, dims ``(..., gene, tf)``, NumPy or dask.
    *features
        Names of features, none of them ``label``.

    Returns
    -------
    int
        The product of the sizes of all dims.

    Raises
    ------
    InputError
        If a feature is unknown or ``label``, or the dataset lacks a variable, a dim or an index.

    Examples
    --------
    >>> import yeastxr as yx
    >>> from yeastxr import qc
    >>> qc.number_of_cells(yx.simulate(genes=1000, bound=[0.1, 0.3], seed=42), "binding_effect")
    2000
    """
    return matching_arrays(ds, *features)[0].size


def matching_arrays(ds: xr.Dataset, *features: str) -> list[xr.DataArray]:
    """Return the labels and the features of a dataset, checked, with dims in one order and the same chunks."""
    ds = restore_dims(ds)
    for name in features:
        if check_feature(name).name == LABEL:
            known = ", ".join(feature.name for feature in FEATURES if feature.name != LABEL)
            raise InputError(f"the feature 'label' is what counts are split by; expected one of {known}")
    names = list(dict.fromkeys([LABEL, *features]))
    for name in names:
        if name not in ds.data_vars:
            found = ", ".join(str(v) for v in ds.data_vars) or "none"
            raise SchemaError(f"the dataset lacks the variable {name!r}; found {found}")
        check_array(ds[name], name)
    dims = ds[LABEL].dims
    for name in names:
        if set(ds[name].dims) != set(dims):
            raise SchemaError(f"{name} has the dims {ds[name].dims}; expected those of 'label', {dims}")
    variables = ds[names].drop_vars([name for name in ds.coords if name not in ds.indexes])
    if len({variables[name].chunks for name in names}) > 1:
        variables = variables.chunk().unify_chunks()  # NumPy-backed variables take the chunks of those beside them
    ds = ds[names].assign(variables.data_vars)
    return [ds[name].transpose(*dims) for name in (LABEL, *features)]
