"""The cells to count, and bins: their edges, default limits, and their form for kernels.

Bins are closed on the left, and the last one on both sides, as in :func:`numpy.histogram`. Kernels multiply to find a
bin, and compare with its edge to be exact.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from yeastxr._blocks import broadcast_dims
from yeastxr._validate import check_integer, check_number, check_sequence
from yeastxr.errors import InputError, format_value, suggest
from yeastxr.schema import (
    BINDING,
    FEATURE_BY_NAME,
    FEATURES,
    LABEL,
    MAGNITUDE,
    MEASURES,
    PERTURBATION,
    QUANTITIES,
    check_feature,
    get_feature,
    has_sign,
    match_to,
    restore_dims,
)
from yeastxr.simulation.adjustment import MeanModel
from yeastxr.simulation.simulate import SimulationSpec
from yeastxr.simulation.sweeps import read_specs
from yeastxr.theory.pairs import make_binding_distributions

BIN, X_BIN, Y_BIN, PAIRS = "bin", "x_bin", "y_bin", "pairs"
BINS = 60
MOST_BINS, MOST_BINS_2D = 10_000, 1_000
LIMITS = {feature.name: feature.limits for feature in FEATURES if feature.limits}
_ROUNDING = 2.0**-24  # of a float32
_LARGEST, _LEAST = 1e30, float(np.finfo(np.float32).tiny)  # limits beyond which float32 finds no slots, and a step
_PAIR_OF_LIMITS = "two pairs (lower, upper), for x and for y"
_ROUND = (1.0, 1.2, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0)


@dataclass(frozen=True, eq=False)
class Axis:
    """Bins between two limits: their edges, float64, increasing.

    With ``root``, bins have equal widths in the square root of the distance from the lower limit.
    """

    edges: np.ndarray
    root: bool = False

    @property
    def bins(self) -> int:
        """The number of bins."""
        return len(self.edges) - 1

    def make_coords(self, dim: str, prefix: str, quantity: str, units: str) -> dict[str, Any]:
        """Return the centres and the edges of the bins as coordinates, with the name and unit of the quantity."""
        feature = FEATURE_BY_NAME[PERTURBATION if quantity == MAGNITUDE else quantity]
        long_name = f"|{feature.long_name}|" if quantity == MAGNITUDE else feature.long_name
        attrs = {"long_name": long_name} | ({"units": units} if units else {})
        return {
            dim: (dim, (self.edges[:-1] + self.edges[1:]) / 2, attrs),
            f"{prefix}left": (dim, self.edges[:-1], attrs),
            f"{prefix}right": (dim, self.edges[1:], attrs),
        }


def make_axis(name: str, limits: object, bins: int, *, root: bool = False) -> Axis:
    """Return the bins between two limits, or raise.

    >>> make_axis("limits", (0, 2), 4).edges.tolist(), make_axis("limits", (0, 2), 4, root=True).edges.tolist()
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
        raise InputError(
            f"{name} is {format_value(limits)}; expected lower < upper, with a sufficient distance for {bins} bins"
        )
    return Axis(edges, root)


def check_bins(name: str, bins: object, most: int = MOST_BINS) -> int:
    """Return a number of bins, or raise."""
    return check_integer(name, bins, least=1, most=most)


def check_pair(name: str, limits: object) -> Sequence[Any]:
    """Return limits for x and for y, or raise."""
    pair = check_sequence(name, limits, _PAIR_OF_LIMITS)
    if len(pair) != 2:
        raise InputError(f"{name} is {format_value(limits)}; expected {_PAIR_OF_LIMITS}")
    return pair


def round_up(most: float) -> float:
    """Round a limit up to a short number; 1 if it is 0.

    >>> round_up(78.947), round_up(19.0), round_up(0.0)
    (80.0, 20.0, 1.0)
    """
    if most <= 0:
        return 1.0
    power = float(10.0 ** np.floor(np.log10(most)))
    return next((step * power for step in _ROUND if step * power >= most), most)


def find_span(array: xr.DataArray, feature: str, most: float) -> tuple[float, float]:
    """Return limits that include all values of a feature up to a magnitude."""
    return -most if has_sign(array, feature) else 0.0, most


def list_limits(ds: xr.Dataset) -> dict[str, tuple[float, float]]:
    """Return the limits of histograms that do not depend on values; logarithmic enrichment has none."""
    return {
        name: limits
        for name, limits in LIMITS.items()
        if name != BINDING or name not in ds or not has_sign(ds[name], name)
    }


def pack_axes(axes: Sequence[Axis]) -> tuple[np.ndarray, ...]:
    """Return axes in their form for kernels: the computation of a slot, possibly too high, and the starts of slots.

    Slot 0 is below the limits, slots 1 to n are bins, and slot n + 1 is above.
    """
    guards = np.full((len(axes), max(axis.bins for axis in axes) + 2), np.inf, np.float32)
    numbers = np.empty((6, len(axes)), np.float32)
    for j, axis in enumerate(axes):
        n, lower, upper = axis.bins, axis.edges[0], axis.edges[-1]
        guards[j, : n + 2] = _round_to_float32(np.array([-np.inf, *axis.edges[:-1], np.nextafter(upper, np.inf)]))
        span, scale = upper - lower, (n**2 if axis.root else n) / (upper - lower)
        # Twice the lower limit is rounded off, and some five times the position; in bins.
        doubt = n * _ROUNDING * (2 * max(abs(lower), abs(upper)) / span + 5) + 1e-6
        if axis.root:
            doubt += n * math.sqrt(2 * _ROUNDING * abs(lower) / span)
        if abs(lower) > _LARGEST or not 1 / _LARGEST < scale < _LARGEST:  # beyond float32: start from the last slot
            lower, scale, doubt = 0.0, _LEAST, n + 5  # largest * least is 4
        certain = guards[j, 1] if doubt < 1 else np.nan  # the lower limit is in slot 1
        numbers[:, j] = guards[j, 1] if lower else 0, scale, 1 + doubt, 2.001 * doubt, n + 1, certain
    return *numbers, np.array([axis.root for axis in axes]), guards


def _round_to_float32(values: np.ndarray) -> np.ndarray:
    """Return the least float32 that are not below values: a float32 is below these just where it is below values."""
    with np.errstate(over="ignore"):
        rounded = values.astype(np.float32)
    return np.where(rounded < values, np.nextafter(rounded, np.float32(np.inf)), rounded)


def make_summary_axes(ds: xr.Dataset, limits: Mapping[str, Any] | None, bins: int, bins_2d: int) -> tuple[Axis, ...]:
    """Return the axis of each quantity, and those of pairs along x and y."""
    if limits is not None and not isinstance(limits, Mapping):
        raise InputError(f"limits is {format_value(limits)}; expected a dict from quantities to (lower, upper)")
    known = [*QUANTITIES, PAIRS]
    for name in limits or {}:
        if name not in known:
            raise InputError(f"limits has the unknown key {format_value(name)}; {suggest(name, known)}")
    chosen: dict[str, Any] = {**list_limits(ds), **(limits or {})}
    if not set(known) <= set(chosen):
        chosen = _find_limits(ds, [name for name in MEASURES if name not in chosen]) | chosen
    x, y = check_pair(f"limits[{PAIRS!r}]", chosen[PAIRS])
    return (
        *(make_axis(f"limits[{name!r}]", chosen[name], bins) for name in QUANTITIES),
        make_axis("the limits of pairs along x", x, bins_2d, root=not has_sign(ds[BINDING], BINDING)),
        make_axis("the limits of pairs along y", y, bins_2d),
    )


def _find_limits(ds: xr.Dataset, measures: Sequence[str]) -> dict[str, Any]:
    """Return limits of measures, the magnitude and pairs, from the specification or the largest observed values."""
    specs = read_specs(ds)
    largest: dict[str, float] = {}
    if specs:
        largest[BINDING] = max(map(_find_largest_binding, specs)) * (1 + 1e-6)  # float32 may round up
        largest[PERTURBATION] = max(map(_find_largest_perturbation, specs))
    missing = [name for name in dict.fromkeys((*measures, BINDING, PERTURBATION)) if name not in largest]
    if missing:
        largest |= largest_effects(ds, *missing)
    ends = {name: round_up(most) for name, most in largest.items()}
    magnitude = (0.0, ends[PERTURBATION])
    spans: dict[str, Any] = {name: find_span(ds[name], name, most) for name, most in ends.items()}
    limits = {name: spans[name] for name in measures}
    return limits | {MAGNITUDE: magnitude, PAIRS: (spans[BINDING], magnitude)}


def _find_largest_perturbation(spec: SimulationSpec) -> float:
    """Return an upper limit of perturbation effects: 6 standard deviations beyond the largest mean."""
    model = MeanModel.from_spec(spec)
    largest = max(abs(model.unbound_mean) + 6 * model.unbound_std, model.largest_abs_mean + 6 * model.bound_std)
    return largest + 6 * spec.batch_std


def _find_largest_binding(spec: SimulationSpec) -> float:
    """Return the largest binding effect that the ranges of hops allow, or the value that one of a million exceeds."""
    if not spec.is_tabulated:
        return spec.largest_effect
    return max(lattice.quantile(1 - 1e-6) for lattice in make_binding_distributions(spec))


def largest_effects(ds: xr.Dataset, *features: str) -> dict[str, float]:
    """Compute the largest finite absolute values of features in one pass over the data.

    Parameters
    ----------
    ds
        A dataset with the features and dimensions ``(..., gene, tf)``, NumPy or dask.
    *features
        Names of features, none of them ``label``.

    Returns
    -------
    dict of str to float
        The largest finite absolute value of each feature; 1.0 if there is none above 0, so that it can be a limit.

    Raises
    ------
    InputError
        If a feature is unknown or ``label``, or the dataset lacks a variable, a dimension or an index.

    Examples
    --------
    >>> import yeastxr as yx
    >>> from yeastxr import qc
    >>> ds = yx.simulate(genes=1000, bound=[0.1, 0.3], seed=42)
    >>> qc.largest_effects(ds, "binding_effect")["binding_effect"] <= 78.948  # 6 of 76 hops over 1 of 1,000
    True
    """
    _, *values = get_arrays(ds, *features)
    import dask

    magnitudes = [abs(array) for array in values]
    largest = dask.compute(*(array.where(np.isfinite(array), 0).max() for array in magnitudes))
    return {feature: float(value) or 1.0 for feature, value in zip(features, largest, strict=True)}


def number_of_cells(ds: xr.Dataset, *features: str) -> int:
    """Return the number of cells of a dataset with these features, without computing anything.

    Parameters
    ----------
    ds
        A dataset with dimensions ``(..., gene, tf)``, NumPy or dask.
    *features
        Names of features, none of them ``label``.

    Returns
    -------
    int
        The product of the sizes of all dimensions.

    Raises
    ------
    InputError
        If a feature is unknown or ``label``, or the dataset lacks a variable, a dimension or an index.

    Examples
    --------
    >>> import yeastxr as yx
    >>> from yeastxr import qc
    >>> qc.number_of_cells(yx.simulate(genes=1000, bound=[0.1, 0.3], seed=42), "binding_effect")
    2000
    """
    return get_arrays(ds, *features)[0].size


def get_arrays(ds: xr.Dataset, *features: str) -> list[xr.DataArray]:
    """Return the validated labels and features of a dataset, with the same order of dimensions and equal chunks.

    Without labels, as in measured data, all are False, so that pairs form one group.
    """
    ds = broadcast_dims(restore_dims(ds))
    for name in features:
        if check_feature(name).name == LABEL:
            raise InputError(f"the feature is 'label', which splits counts; expected one of {', '.join(MEASURES)}")
    has_label = LABEL in ds.data_vars
    like = get_feature(ds, LABEL if has_label else features[0] if features else MEASURES[0])
    label = like if has_label else _make_labels(like)
    arrays = {LABEL: label}
    arrays |= {name: match_to(get_feature(ds, name), name, like, repr(like.name)) for name in features}
    variables = xr.Dataset({name: array.variable for name, array in arrays.items()})
    if len({variable.chunks for variable in variables.values()}) > 1:
        variables = variables.chunk().unify_chunks()  # NumPy-backed variables get the chunks of dask-backed ones
    return [arrays[name].copy(deep=False, data=variables[name].data) for name in (LABEL, *features)]


def _make_labels(like: xr.DataArray) -> xr.DataArray:
    """Return labels that are all False, without allocating memory."""
    if like.chunks:
        return xr.zeros_like(like, dtype=bool).drop_attrs()
    return like.copy(deep=False, data=np.broadcast_to(np.False_, like.shape)).drop_attrs()
