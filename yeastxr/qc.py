"""Counts by label for plots, exact and block by block, so that 10^9 cells cost no more memory than one block.

:func:`summarize` counts everything there is in one pass; :func:`histogram` and :func:`histogram_2d` one feature or two.
A dask-backed dataset gives dask-backed counts; :func:`largest_effects` is the only function that computes anything.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import xarray as xr

from yeastxr.arguments import InputError, InputTypeError, check_sequence, shown
from yeastxr.binning import BIN, BINS, LABEL, MOST_BINS_2D, X_BIN, Y_BIN, Axis, axis, check_bins, packed
from yeastxr.counting import largest_effects, matching_arrays, number_of_cells
from yeastxr.merging import histogram_of, merge, pool
from yeastxr.summaries import summarize
from yeastxr.threads import in_threads, thread_count

__all__ = [
    "BINS",
    "LIMITS",
    "histogram",
    "histogram_2d",
    "histogram_of",
    "largest_effects",
    "merge",
    "number_of_cells",
    "pool",
    "summarize",
]

LIMITS = {"binding_effect": (0.0, 5.0), "binding_pvalue": (0.0, 1.0), "perturbation_pvalue": (0.0, 1.0)}

_PIECE = 1 << 20  # cells that a thread counts at a time


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
    label, values = matching_arrays(ds, feature)
    bins = check_bins("bins", bins)
    if limits is None:
        limits = LIMITS.get(feature)
    if limits is None:
        largest = largest_effects(ds, feature)[feature]
        limits = (-largest, largest)
    binned = axis("limits", limits, bins)
    slots, missing = _count(label, [values], [binned], [BIN])
    inside = slots.isel({BIN: slice(1, 1 + bins)})
    counts = xr.Dataset(
        {
            "cells": inside,
            "below": slots.isel({BIN: 0}),
            "above": slots.isel({BIN: 1 + bins}),
            "missing": missing,
        }
    )
    return counts.assign_coords(_coords() | binned.coords(BIN, "", feature)).assign_attrs(feature=feature)


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
    label, *values = matching_arrays(ds, x, y)
    n_x, n_y = _pair_of_bins(bins)
    if limits is None:
        largest = largest_effects(ds, x, y)
        limits = ((0.0, largest[x]), (0.0, largest[y]))
    pair = check_sequence("limits", limits, "a pair of (lower, upper), for x and for y")
    if len(pair) != 2:
        raise InputError(f"limits is {shown(limits)}; expected a pair of (lower, upper), for x and for y")
    axes = [axis("the limits of x", pair[0], n_x), axis("the limits of y", pair[1], n_y)]
    slots, missing = _count(label, values, axes, [X_BIN, Y_BIN], absolute=True)
    inside = slots.isel({X_BIN: slice(1, 1 + n_x), Y_BIN: slice(1, 1 + n_y)})
    outside = slots.sum([X_BIN, Y_BIN]) - inside.sum([X_BIN, Y_BIN])
    counts = xr.Dataset({"cells": inside, "outside": outside, "missing": missing})
    coords = _coords() | axes[0].coords(X_BIN, "x_", x) | axes[1].coords(Y_BIN, "y_", y)
    return counts.assign_coords(coords).assign_attrs(x=x, y=y)


def _pair_of_bins(bins: int | tuple[int, int]) -> tuple[int, int]:
    both: Sequence[Any] = bins if isinstance(bins, tuple | list) else (bins, bins)
    if len(both) != 2:
        raise InputTypeError(f"bins is {shown(bins)}; expected an integer, or two: for x and for y")
    n_x, n_y = (check_bins("bins", n, MOST_BINS_2D) for n in both)
    return n_x, n_y


def _coords() -> dict[str, Any]:
    return {LABEL: (LABEL, np.array([False, True]))}


def _count(
    label: xr.DataArray,
    values: list[xr.DataArray],
    axes: list[Axis],
    bin_dims: list[str],
    *,
    absolute: bool = False,
) -> tuple[xr.DataArray, xr.DataArray]:
    """Count cells by label and slot (below the limits, bins, above), and those that are NaN; over all other dims."""
    dims = (*label.dims, LABEL, "slot")
    blocks = [array.data for array in (label, *values)]
    shape = tuple(one.bins + 2 for one in axes)
    count = partial(_count_block, axes=axes, absolute=absolute)
    if not label.chunks:
        counts = count(*blocks, threads=thread_count())
    else:
        import dask.array as da

        counts = da.blockwise(
            partial(count, threads=1),
            dims,
            *(item for block in blocks for item in (block, label.dims)),
            new_axes={LABEL: 2, "slot": 1 + int(np.prod(shape))},
            adjust_chunks=dict.fromkeys(label.dims, 1),
            dtype=np.int64,
            meta=np.empty((0,) * len(dims), np.int64),
            token="count",
        )
    total = xr.DataArray(counts, dims=dims).sum(label.dims)
    slots = xr.DataArray(total.data[:, 1:].reshape((2, *shape)), dims=(LABEL, *bin_dims))
    return slots, total.isel(slot=0)


def _count_block(label: np.ndarray, *values: np.ndarray, axes: list[Axis], absolute: bool, threads: int) -> np.ndarray:
    """Count the cells of one block, NaN in front; the result has length 1 along the block's own axes."""
    from yeastxr import summarykernels

    arrays = [label.view(np.uint8), values[0], values[-1]]
    strides = {tuple(np.argsort(array.strides, kind="stable")) for array in arrays}
    order = next(iter(strides))[::-1] if len(strides) == 1 else range(label.ndim)  # as they lie, if they lie alike
    flat = [np.require(array.transpose(order), None, ("C", "A", "W")).reshape(-1) for array in arrays]
    shape = tuple(one.bins + 2 for one in axes)
    two = (shape[0], shape[1] if len(shape) > 1 else 1)
    numbers, parts = packed(axes), range(0, flat[0].size, _PIECE)
    found = np.zeros((len(parts), 2, 1 + two[0] * two[1]), np.int64)

    def work(k: int) -> None:
        piece = slice(parts[k], parts[k] + _PIECE)
        slots, missing = np.zeros((2, *two), np.int64), np.zeros(2, np.int64)
        summarykernels.count_flat(*(array[piece] for array in flat), numbers, absolute, slots, missing)
        found[k] = np.concatenate([missing[:, None], slots.reshape(2, -1)], axis=1)

    in_threads(work, range(len(parts)), threads)
    return found.sum(0).reshape((1,) * label.ndim + found.shape[1:])
