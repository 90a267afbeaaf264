"""A dataset's summary: one pass over the cells to counts, histograms and moments that plots and checks start from."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import xarray as xr

from yeastxr.adjust import adjusted_pairs
from yeastxr.arguments import InputError, check_sequence, shown, suggestion
from yeastxr.binning import BIN, LABEL, MOST_BINS_2D, X_BIN, Y_BIN, Axis, check_bins
from yeastxr.blocks import CHUNK_CELLS
from yeastxr.counting import matching_arrays
from yeastxr.limits import summary_axes
from yeastxr.schema import FEATURE_BY_NAME, GENE, TF, SchemaError, check_array, text_array
from yeastxr.sweeping import specifications
from yeastxr.tallies import INTEGERS, NUMBERS, QUANTITIES, STATUS, Plan, Tally, added, arrays, tally
from yeastxr.threads import thread_count

QUANTITY, STATUS_DIM = "quantity", "status"
SUMMARY_BINS = 600  # divides by many numbers, so that plots can join bins

_DIMS = {
    "histogram": (QUANTITY, LABEL, BIN),
    "pairs": (LABEL, X_BIN, Y_BIN),
    "pairs_outside": (LABEL,),
    "pairs_missing": (LABEL,),
    **dict.fromkeys(("below", "above", "infinite", "missing"), (QUANTITY, LABEL)),
}
_TABLE_DIMS = {"cells": (LABEL, TF), **dict.fromkeys((*INTEGERS, *NUMBERS), (QUANTITY, LABEL, TF))}
_EFFECTS = ("binding_effect", "perturbation_effect")


def summarize(
    ds: xr.Dataset,
    *,
    bins: int = SUMMARY_BINS,
    bins_2d: int = 60,
    limits: Mapping[str, Any] | None = None,
    by: str | Sequence[str] = (),
    adjusted: xr.DataArray | None = None,
) -> xr.Dataset:
    """Summarise a dataset in one pass: counts, histograms and moments, all that plots and checks start from.

    Counts are exact. Moments are of one TF's genes each, added up in the order of genes in float64, so that the result
    is the same, bit for bit, however the dataset is chunked. Bins are closed on the left, the last one on both sides.

    Parameters
    ----------
    ds
        A dataset with all five features, dims ``(..., gene, tf)``, NumPy or dask. Chunks along genes are joined.
    bins
        How many bins a histogram has, from 1 to 10,000.
    bins_2d
        How many bins ``pairs`` has along each axis, from 1 to 1,000.
    limits
        From a quantity to the ends (lower, upper) of its first and last bin, or from ``"pairs"`` to two such ends. By
        default binding effects go from 0 to 5 and p-values from 0 to 1; perturbation effects end 6 standard deviations
        beyond the largest mean that the dataset's specification allows, and pairs at the largest binding effect that it
        allows, both rounded up. Without a specification these two are the largest observed, see
        :func:`largest_effects`: a pass more over the data, at once.
    by
        The dims in front (``replicate``, or swept parameters) that counts are kept along; else they are summed over.
    adjusted
        Which bound pairs have conditions that hold, bool, in the labels' dims. By default what
        :func:`yeastxr.adjusted_pairs` says, if the specification has relationships, and the dataset the TFs they name.

    Returns
    -------
    xarray.Dataset
        Dask-backed if the dataset is. ``quantity`` is one of the four features or ``perturbation_size``, the absolute
        perturbation effect; ``label`` is False for unbound; ``lead`` stands for the dims in front, ``by`` for those
        kept.

        - ``cells`` (lead, label, tf), int64: how many pairs there are;
        - ``histogram`` (by, quantity, label, bin), int64; the coordinates ``centre``, ``left`` and ``right``
          (quantity, bin) tell its bins;
        - ``below``, ``above`` and ``missing`` (by, quantity, label), int64: under and over the limits, and NaN. With
          the histogram they add up to the number of pairs. ``infinite``: how many of those below and above are
          infinite;
        - ``pairs`` (by, label, x_bin, y_bin), int64: the sizes of binding and of perturbation effects, with the
          coordinates ``x_left``, ``x_right``, ``y_left`` and ``y_right``. Bins along x have equal widths in the
          square root, as binding effects are dense near 0. ``pairs_outside`` and ``pairs_missing`` (by, label):
          beyond the limits, and NaN in either;
        - ``count`` and ``positive`` (lead, quantity, label, tf), int64: how many are finite, and how many of those
          above 0; ``mean``, ``variance`` (divided by the count), ``least`` and ``most``, float64, of those that are
          finite, NaN where there is none.

        Where it is known which conditions hold, ``status`` is ``unbound``, ``bound, conditions hold`` or ``bound,
        conditions fail``, and variables ``status_...`` say the same of the size of perturbation effects and of pairs
        by status. Attributes are the dataset's, and ``genes``, how many there are.

    Raises
    ------
    InputError
        If an argument is not what it must be, or the dataset lacks a variable, a dim or an index.

    Examples
    --------
    >>> import yeastxr as yx
    >>> from yeastxr import qc
    >>> ds = yx.simulate(genes=1000, bound=[0.1, 0.3], seed=42, chunks={"tf": 1})
    >>> summary = qc.summarize(ds).compute()
    >>> summary.cells.sel(label=True).values
    array([100, 300])
    >>> size = summary.sel(quantity="perturbation_size", label=True)
    >>> bool((abs(size["mean"] - 3) < 0.5).all())
    True
    """
    names = QUANTITIES[:-1]
    label, *features = matching_arrays(ds, *names)
    lead = [str(dim) for dim in label.dims if dim not in (GENE, TF)]
    kept = [by] if isinstance(by, str) else check_sequence("by", by, "a dim or a list of dims")
    for dim in kept:
        if dim not in lead:
            raise InputError(f"by names {shown(dim)}; expected a dim in front of gene and tf, {suggestion(dim, lead)}")
    axes = summary_axes(ds, limits, check_bins("bins", bins), check_bins("bins_2d", bins_2d, MOST_BINS_2D))
    plan = Plan(tuple(axes.values()), tuple(dim in kept for dim in lead))
    adjusted = _adjusted(ds, label) if adjusted is None else _checked(adjusted, label)
    order = (*lead, GENE, TF)
    inputs = [array.transpose(*order) for array in (label, *features, *([] if adjusted is None else [adjusted]))]
    sizes = tuple(label.sizes[dim] for dim in lead)
    finish = partial(arrays, plan=plan, lead=sizes, tfs=label.sizes[TF], status=adjusted is not None)
    dims = _dims(lead, [dim for dim in lead if dim in kept], status=adjusted is not None)
    if any(array.chunks for array in inputs):
        values = _lazily(inputs, plan, finish, dims)
    else:
        places = [np.arange(n) for n in (*sizes, label.sizes[TF])]
        values = finish(_tally([array.values for array in inputs], places, plan, thread_count()))
    summary = xr.Dataset(
        {name: (dims[name], values[name]) for name in dims}, attrs=ds.attrs | {"genes": ds.sizes[GENE]}
    )
    others = {name: coord for name, coord in label.coords.items() if GENE not in coord.dims}
    return summary.assign_coords(others | _coords(axes, status=adjusted is not None))


def _adjusted(ds: xr.Dataset, label: xr.DataArray) -> xr.DataArray | None:
    """Return which pairs have conditions that hold, if there are conditions and the TFs they name."""
    specs = specifications(ds)
    if not specs or not specs[0].tf_relationships:
        return None
    try:
        return adjusted_pairs(label, specs[0].tf_relationships)
    except InputError:  # a selection of TFs: what they depend on is not there
        return None


def _checked(adjusted: xr.DataArray, label: xr.DataArray) -> xr.DataArray:
    """Return which pairs have conditions that hold in the labels' dims and chunks, or refuse the array."""
    check_array(adjusted, LABEL, argument="adjusted")
    if dict(adjusted.sizes) != dict(label.sizes) or any(
        not index.equals(adjusted.indexes.get(dim)) for dim, index in label.indexes.items()
    ):
        raise SchemaError("adjusted has other dims or labels than the dataset; expected those of 'label'")
    adjusted = label & adjusted
    return adjusted.chunk(label.variable.chunksizes) if label.chunks else adjusted


def _tally(blocks: Sequence[np.ndarray], places: Sequence[np.ndarray], plan: Plan, threads: int) -> Tally:
    label, *planes = blocks[:5]
    return tally(label, blocks[5] if len(blocks) > 5 else None, planes, places, plan, threads)


def _lazily(inputs: list[xr.DataArray], plan: Plan, finish: Any, dims: Mapping[str, tuple[str, ...]]) -> dict[str, Any]:
    """Return the arrays of a summary, dask-backed: a tally of each block, added up in a tree."""
    import dask.array as da

    first = inputs[0]
    if not first.chunks or len(first.variable.chunksizes[GENE]) > 1:
        widest = max(first.variable.chunksizes.get(TF, (first.sizes[TF],)))
        tf = min(widest, max(1, CHUNK_CELLS // first.sizes[GENE]))
        inputs = [array.chunk({GENE: -1, TF: tf}) for array in inputs]
        first = inputs[0]
    lead = [dim for dim in first.dims if dim != GENE]
    places = [da.from_array(np.arange(first.sizes[dim]), chunks=(first.variable.chunksizes[dim],)) for dim in lead]

    # The axis of genes stays, with length 1: dask would not fuse a contraction with the making of its input.
    tallies = da.blockwise(
        partial(_tally_block, arrays=len(inputs), plan=plan),
        first.dims,
        *(item for array in inputs for item in (array.data, array.dims)),
        *(item for place, dim in zip(places, lead, strict=True) for item in (place, (dim,))),
        adjust_chunks=dict.fromkeys(first.dims, 1),
        concatenate=True,
        dtype=object,
        meta=np.empty((0,) * first.ndim, object),
        token="tally",
    )
    several = [axis for axis, n in enumerate(tallies.numblocks) if n > 1]
    total = da.reduction(
        tallies,
        chunk=_as_it_is,
        combine=_sum_of_tallies,
        aggregate=partial(_finished, finish=finish),
        concatenate=False,
        split_every=dict.fromkeys(range(first.ndim), max(2, round(16 ** (1 / max(1, len(several)))))),
        dtype=object,
        meta=np.empty((), object),
    )
    sizes = {**first.sizes, LABEL: 2, QUANTITY: len(QUANTITIES), STATUS_DIM: len(STATUS), BIN: plan.axes[0].bins}
    sizes |= {X_BIN: plan.axes[-2].bins, Y_BIN: plan.axes[-1].bins}
    result = {}
    for name, order in dims.items():
        dtype = np.float64 if name.removeprefix("status_") in NUMBERS else np.int64
        result[name] = da.blockwise(
            dict.__getitem__,
            order,
            total,
            (),
            name,
            None,
            new_axes={dim: sizes[dim] for dim in order},
            dtype=dtype,
            meta=np.empty((0,) * len(order), dtype),
            token=name,
        )
    return result


def _tally_block(*blocks: np.ndarray, arrays: int, plan: Plan) -> Tally:
    return _tally(blocks[:arrays], blocks[arrays:], plan, 1)


def _as_it_is(tallies: Tally, axis: Any, keepdims: bool) -> Tally:
    return tallies


def _sum_of_tallies(nested: Any, axis: Any, keepdims: bool) -> Tally:
    return added(nested)


def _finished(nested: Any, axis: Any, keepdims: bool, *, finish: Any) -> dict[str, np.ndarray]:
    return finish(added(nested))


def _dims(lead: list[str], kept: list[str], *, status: bool) -> dict[str, tuple[str, ...]]:
    """Return the dims of each variable of a summary."""
    dims = {"cells": (*lead, *_TABLE_DIMS["cells"])}
    dims |= {name: (*kept, *own) for name, own in _DIMS.items()}
    dims |= {name: (*lead, *own) for name, own in _TABLE_DIMS.items() if name != "cells"}
    if status:
        dims |= {
            f"status_{name}": tuple(STATUS_DIM if dim == LABEL else dim for dim in order if dim != QUANTITY)
            for name, order in dims.items()
        }
    return dims


def _coords(axes: Mapping[str, Axis], *, status: bool) -> dict[str, Any]:
    several = [axes[name] for name in QUANTITIES]
    edges = np.array([one.edges for one in several])
    coords = {
        QUANTITY: (QUANTITY, text_array(QUANTITIES)),
        LABEL: (LABEL, np.array([False, True])),
        "centre": ((QUANTITY, BIN), (edges[:, :-1] + edges[:, 1:]) / 2),
        "left": ((QUANTITY, BIN), edges[:, :-1]),
        "right": ((QUANTITY, BIN), edges[:, 1:]),
        **axes["x"].coords(X_BIN, "x_", _EFFECTS[0]),
        **axes["y"].coords(Y_BIN, "y_", _EFFECTS[1], f"|{FEATURE_BY_NAME[_EFFECTS[1]].long_name}|"),
    }
    return coords | ({STATUS_DIM: (STATUS_DIM, text_array(STATUS))} if status else {})
