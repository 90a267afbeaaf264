"""Summaries for plots: exact counts by label, block by block, so that 10^9 cells cost no more memory than one block.

A dask-backed dataset gives dask-backed counts. What has to be known before counting, the largest effect, is computed
in one pass for all features that need it; :func:`largest_effects` is the only function here that computes anything.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import xarray as xr

from yeastxr.arguments import InputError, InputTypeError, check_integer, check_number, check_sequence, shown
from yeastxr.schema import FEATURES, SchemaError, check_array, check_feature

LABEL, BIN = "label", "bin"
BINS = 60
LIMITS = {"binding_effect": (0.0, 5.0), "binding_pvalue": (0.0, 1.0), "perturbation_pvalue": (0.0, 1.0)}

_MOST_BINS, _MOST_BINS_2D = 10_000, 1_000
_PIECE = 2**18  # cells counted at a time: their float64 copies stay in the cache
_OUTSIDE = 3  # slots beside the bins: below and above the limits, and NaN


def histogram(
    ds: xr.Dataset, feature: str, *, bins: int = BINS, limits: tuple[float, float] | None = None
) -> xr.Dataset:
    """Count the cells of a feature by label, in bins of equal width.

    Bins are closed on the left, the last one on both sides. ``cells``, ``below``, ``above`` and ``missing`` add up to
    the number of cells.

    Parameters
    ----------
    ds
        A dataset with ``label`` and the feature, dims ``(..., gene, tf)``, NumPy or dask; all dims are summed over.
    feature
        Any feature but ``label``.
    bins
        How many bins, from 1 to 10,000.
    limits
        The ends of the first and the last bin. By default 0 to 5 for binding effects, 0 to 1 for p-values, and for
        perturbation effects what holds all of them, symmetric about 0: that alone reads the data, see
        :func:`largest_effects`.

    Returns
    -------
    xarray.Dataset
        ``cells`` (label, bin), and ``below``, ``above`` and ``missing`` (label): how many are under and over the limits
        or NaN; all int64, dask-backed if the dataset is. Coordinates: ``label`` (False: unbound), ``bin`` (centres),
        ``left`` and ``right`` (bin), float64.

    Raises
    ------
    InputError
        If the feature is unknown or ``label``, bins or limits are not what they must be, or the dataset lacks a
        variable, a dim or an index.

    Examples
    --------
    >>> import yeastxr as yx
    >>> from yeastxr import qc
    >>> ds = yx.simulate(genes=1000, bound=[0.1, 0.3], seed=42)
    >>> counts = qc.histogram(ds, "binding_effect", bins=20)
    >>> counts.cells.dims, counts.cells.dtype
    (('label', 'bin'), dtype('int64'))
    >>> total = counts.cells.sum("bin") + counts.below + counts.above + counts.missing
    >>> total.sel(label=True).item()  # 1,000 genes, two TFs, 10 % and 30 % bound
    400
    """
    label, values = _arrays(ds, feature)
    bins = check_integer("bins", bins, least=1, most=_MOST_BINS)
    if limits is None:
        limits = LIMITS.get(feature)
    if limits is None:
        largest = largest_effects(ds, feature)[feature]
        limits = (-largest, largest)
    edges = _edges("limits", limits, bins)
    slots = _count(label, [values], [edges], [BIN])
    inside = slots.isel({BIN: slice(1, 1 + bins)})
    counts = xr.Dataset(
        {
            "cells": inside,
            "below": slots.isel({BIN: 0}),
            "above": slots.isel({BIN: 1 + bins}),
            "missing": slots.isel({BIN: 2 + bins}),
        }
    )
    return counts.assign_coords(_bin_coords(BIN, "", feature, edges)).assign_attrs(feature=feature)


def histogram_2d(
    ds: xr.Dataset,
    x: str = "binding_effect",
    y: str = "perturbation_effect",
    *,
    bins: int | tuple[int, int] = BINS,
    limits: tuple[tuple[float, float], tuple[float, float]] | None = None,
) -> xr.Dataset:
    """Count the cells of two features by label, in bins of equal width of their absolute values.

    Parameters
    ----------
    ds
        A dataset with ``label`` and the features, dims ``(..., gene, tf)``, NumPy or dask; all dims are summed over.
    x, y
        Two different features, neither of them ``label``.
    bins
        How many bins, from 1 to 1,000: one number, or one each for x and y.
    limits
        The ends of the bins of ``|x|`` and of ``|y|``. By default from 0 to the largest, which reads the data once, see
        :func:`largest_effects`.

    Returns
    -------
    xarray.Dataset
        ``cells`` (label, x_bin, y_bin), and ``outside`` and ``missing`` (label): how many are beyond the limits or NaN
        in either feature; all int64, dask-backed if the dataset is. Coordinates: ``label`` (False: unbound), and for x
        ``x_bin`` (centres), ``x_left`` and ``x_right``, float64; for y alike.

    Raises
    ------
    InputError
        If a feature is unknown or ``label``, both are the same, bins or limits are not what they must be, or the
        dataset lacks a variable, a dim or an index.

    Examples
    --------
    >>> import yeastxr as yx
    >>> from yeastxr import qc
    >>> ds = yx.simulate(genes=1000, bound=[0.1, 0.3], seed=42)
    >>> counts = qc.histogram_2d(ds, bins=(40, 30))
    >>> dict(counts.sizes), counts.cells.sum().item()
    ({'label': 2, 'x_bin': 40, 'y_bin': 30}, 2000)
    """
    if x == y:
        raise InputError(f"x and y are both {shown(x)}; expected two different features")
    label, *values = _arrays(ds, x, y)
    n_x, n_y = _pair_of_bins(bins)
    if limits is None:
        largest = largest_effects(ds, x, y)
        limits = ((0.0, largest[x]), (0.0, largest[y]))
    pair = check_sequence("limits", limits, "a pair of (lower, upper), for x and for y")
    if len(pair) != 2:
        raise InputError(f"limits is {shown(limits)}; expected a pair of (lower, upper), for x and for y")
    edges = [_edges("the limits of x", pair[0], n_x), _edges("the limits of y", pair[1], n_y)]
    slots = _count(label, values, edges, ["x_bin", "y_bin"], absolute=True)
    inside = slots.isel(x_bin=slice(1, 1 + n_x), y_bin=slice(1, 1 + n_y))
    known = slots.isel(x_bin=slice(None, 2 + n_x), y_bin=slice(None, 2 + n_y)).sum(["x_bin", "y_bin"])
    counts = xr.Dataset(
        {
            "cells": inside,
            "outside": known - inside.sum(["x_bin", "y_bin"]),
            "missing": slots.sum(["x_bin", "y_bin"]) - known,
        }
    )
    coords = _bin_coords("x_bin", "x_", x, edges[0]) | _bin_coords("y_bin", "y_", y, edges[1])
    return counts.assign_coords(coords).assign_attrs(x=x, y=y)


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
    _, *values = _arrays(ds, *features)
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
    return _arrays(ds, *features)[0].size


def _arrays(ds: xr.Dataset, *features: str) -> list[xr.DataArray]:
    """Return the labels and the features of a dataset, checked, with dims in one order and the same chunks."""
    if not isinstance(ds, xr.Dataset):
        raise SchemaError(f"ds is of type {type(ds).__name__}; expected an xarray.Dataset")
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
    ds = ds[names]
    if any(ds[name].chunks for name in names):
        ds = ds.chunk().unify_chunks()  # NumPy-backed variables beside dask-backed ones take their chunks
    return [ds[name].transpose(*dims) for name in (LABEL, *features)]


def _pair_of_bins(bins: int | tuple[int, int]) -> tuple[int, int]:
    both: Sequence[Any] = bins if isinstance(bins, tuple | list) else (bins, bins)
    if len(both) != 2:
        raise InputTypeError(f"bins is {shown(bins)}; expected an integer, or two: for x and for y")
    n_x, n_y = (check_integer("bins", n, least=1, most=_MOST_BINS_2D) for n in both)
    return n_x, n_y


def _edges(name: str, limits: object, bins: int) -> np.ndarray:
    """Return the edges of bins of equal width between two limits, or refuse the limits."""
    ends = check_sequence(name, limits, "two numbers (lower, upper)")
    if len(ends) != 2:
        raise InputError(f"{name} is {shown(limits)}; expected two numbers (lower, upper)")
    lower, upper = (check_number(name, end) for end in ends)
    edges = np.linspace(lower, upper, bins + 1) if lower < upper else np.array([lower, upper])
    if not np.isfinite(upper - lower) or (np.diff(edges) <= 0).any():
        raise InputError(f"{name} is {shown(limits)}; expected lower < upper, far enough apart for {bins} bins")
    return edges


def _bin_coords(dim: str, prefix: str, feature: str, edges: np.ndarray) -> dict[str, Any]:
    attrs = {name: check_feature(feature).attrs[name] for name in ("long_name", "units")}
    return {
        LABEL: (LABEL, np.array([False, True])),
        dim: (dim, (edges[:-1] + edges[1:]) / 2, attrs),
        f"{prefix}left": (dim, edges[:-1], attrs),
        f"{prefix}right": (dim, edges[1:], attrs),
    }


def _count(
    label: xr.DataArray,
    values: list[xr.DataArray],
    edges: list[np.ndarray],
    bin_dims: list[str],
    *,
    absolute: bool = False,
) -> xr.DataArray:
    """Count cells by label and slot, a slot being a bin or a place outside of the bins; sums go over all other dims."""
    dims = (*label.dims, LABEL, *bin_dims)
    blocks = [array.data for array in (label, *values)]
    if not label.chunks:
        counts = _count_block(*blocks, edges=edges, absolute=absolute)
    else:
        import dask.array as da

        slots = [len(ends) - 1 + _OUTSIDE for ends in edges]
        counts = da.blockwise(
            partial(_count_block, edges=edges, absolute=absolute),
            dims,
            *(item for block in blocks for item in (block, label.dims)),
            new_axes=dict(zip(dims[label.ndim :], [2, *slots], strict=True)),
            adjust_chunks=dict.fromkeys(label.dims, 1),
            dtype=np.int64,
            meta=np.empty((0,) * len(dims), np.int64),
            token="count",
        )
    return xr.DataArray(counts, dims=dims).sum(label.dims)


def _count_block(label: np.ndarray, *values: np.ndarray, edges: list[np.ndarray], absolute: bool) -> np.ndarray:
    """Count the cells of one block; the result has length 1 along the block's own axes."""
    shape = (2, *(len(ends) - 1 + _OUTSIDE for ends in edges))
    counts = np.zeros(np.prod(shape), np.int64)
    flat = [np.ravel(array) for array in (label, *values)]
    for start in range(0, flat[0].size, _PIECE):
        labels, *pieces = (array[start : start + _PIECE] for array in flat)
        pieces = [abs(piece) for piece in pieces] if absolute else pieces
        slots = [_slots(piece, ends) for piece, ends in zip(pieces, edges, strict=True)]
        counts += np.bincount(np.ravel_multi_index((labels.astype(np.intp), *slots), shape), minlength=counts.size)
    return counts.reshape((1,) * label.ndim + shape)


def _slots(values: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Return where values lie: 0 below the limits, 1 to n in a bin, n + 1 above, n + 2 for NaN."""
    n = len(edges) - 1
    exact = values.astype(np.float64)
    missing = np.isnan(exact)
    exact[missing] = edges[0]
    # A multiplication tells the bin up to rounding, and comparing with its edges makes it exact; a search is slower.
    place = (exact - edges[0]) * (n / (edges[-1] - edges[0]))
    slots = np.floor(np.clip(place, -1, n)).astype(np.intp) + 1
    bounds = np.concatenate([[-np.inf], edges, [np.nan]])
    slots -= exact < bounds[slots]
    slots += exact >= bounds[slots + 1]
    slots[exact == edges[-1]] = n
    slots[missing] = n + 2
    return slots
