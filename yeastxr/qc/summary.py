"""A dataset's summary: one pass over the cells to counts, histograms and moments that plots and checks start from."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import xarray as xr

from yeastxr._blocks import CHUNK_CELLS
from yeastxr._utils import count_threads, run_in_threads
from yeastxr._validate import check_sequence, to_python
from yeastxr.errors import InputError, InputTypeError, SchemaError, format_value, suggest
from yeastxr.qc.bins import (
    BIN,
    BINS,
    LABEL,
    MOST_BINS_2D,
    X_BIN,
    Y_BIN,
    Axis,
    axis,
    check_bins,
    largest_effects,
    matching_arrays,
    pack_axes,
    summary_axes,
)
from yeastxr.qc.tally import INTEGERS, NUMBERS, Plan, Tally, add_tallies, arrays, tally
from yeastxr.schema import (
    FEATURE_BY_NAME,
    GENE,
    QUANTITIES,
    STATUSES,
    TF,
    check_array,
    check_feature,
    restore_dims,
    to_text_array,
)
from yeastxr.simulation.adjustment import adjusted_pairs
from yeastxr.simulation.simulate import read_specs

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
        Dask-backed if the dataset is. ``quantity`` is one of the four features or ``perturbation_magnitude``, the
        absolute perturbation effect; ``label`` is False for unbound; ``lead`` stands for the leading dims, ``by`` for
        those kept.

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

        Where it is known which conditions hold, ``status`` is ``unbound``, ``bound_active`` or
        ``bound_inactive``, and variables ``status_...`` say the same of the size of perturbation effects and of pairs
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
    >>> size = summary.sel(quantity="perturbation_magnitude", label=True)
    >>> bool((abs(size["mean"] - 3) < 0.5).all())
    True
    """
    names = QUANTITIES[:-1]
    ds = restore_dims(ds)
    label, *features = matching_arrays(ds, *names)
    lead = [str(dim) for dim in label.dims if dim not in (GENE, TF)]
    kept = [by] if isinstance(by, str) else check_sequence("by", by, "a dim or a list of dims")
    for dim in kept:
        if dim not in lead:
            raise InputError(
                f"by names {format_value(dim)}; expected a dim in front of gene and tf, {suggest(dim, lead)}"
            )
    axes = summary_axes(ds, limits, check_bins("bins", bins), check_bins("bins_2d", bins_2d, MOST_BINS_2D))
    plan = Plan(tuple(axes.values()), tuple(dim in kept for dim in lead))
    adjusted = _find_active(ds, label) if adjusted is None else _match_active(adjusted, label)
    order = (*lead, GENE, TF)
    inputs = [array.transpose(*order) for array in (label, *features, *([] if adjusted is None else [adjusted]))]
    sizes = tuple(label.sizes[dim] for dim in lead)
    finish = partial(arrays, plan=plan, lead=sizes, tfs=label.sizes[TF], status=adjusted is not None)
    dims = _dims(lead, [dim for dim in lead if dim in kept], status=adjusted is not None)
    if any(array.chunks for array in inputs):
        values = _lazily(inputs, plan, finish, dims)
    else:
        places = [np.arange(n) for n in (*sizes, label.sizes[TF])]
        values = finish(_tally([array.values for array in inputs], places, plan, count_threads()))
    summary = xr.Dataset(
        {name: (dims[name], values[name]) for name in dims}, attrs=ds.attrs | {"genes": ds.sizes[GENE]}
    )
    others = {name: coord for name, coord in label.coords.items() if GENE not in coord.dims}
    return summary.assign_coords(others | _coords(axes, status=adjusted is not None))


def _find_active(ds: xr.Dataset, label: xr.DataArray) -> xr.DataArray | None:
    """Return which pairs have conditions that hold, if there are conditions and the TFs they name."""
    specs = read_specs(ds)
    if not specs or not specs[0].tf_relationships:
        return None
    try:
        return adjusted_pairs(label, specs[0].tf_relationships)
    except InputError:  # a selection of TFs: what they depend on is not there
        return None


def _match_active(adjusted: xr.DataArray, label: xr.DataArray) -> xr.DataArray:
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
        aggregate=partial(_add_and_finish, finish=finish),
        concatenate=False,
        split_every=dict.fromkeys(range(first.ndim), max(2, round(16 ** (1 / max(1, len(several)))))),
        dtype=object,
        meta=np.empty((), object),
    )
    sizes = {**first.sizes, LABEL: 2, QUANTITY: len(QUANTITIES), STATUS_DIM: len(STATUSES), BIN: plan.axes[0].bins}
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
    return add_tallies(nested)


def _add_and_finish(nested: Any, axis: Any, keepdims: bool, *, finish: Any) -> dict[str, np.ndarray]:
    return finish(add_tallies(nested))


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
        QUANTITY: (QUANTITY, to_text_array(QUANTITIES)),
        LABEL: (LABEL, np.array([False, True])),
        "centre": ((QUANTITY, BIN), (edges[:, :-1] + edges[:, 1:]) / 2),
        "left": ((QUANTITY, BIN), edges[:, :-1]),
        "right": ((QUANTITY, BIN), edges[:, 1:]),
        **axes["x"].coords(X_BIN, "x_", _EFFECTS[0]),
        **axes["y"].coords(Y_BIN, "y_", _EFFECTS[1], f"|{FEATURE_BY_NAME[_EFFECTS[1]].long_name}|"),
    }
    return coords | ({STATUS_DIM: (STATUS_DIM, to_text_array(STATUSES))} if status else {})


def merge(*summaries: xr.Dataset) -> xr.Dataset:
    """Join summaries of parts of one dataset, which differ in their TFs, or in their labels along a dim in front.

    Parameters
    ----------
    *summaries
        What :func:`summarize` returned, with the same bins and limits, in the order in which they are to be joined.

    Returns
    -------
    xarray.Dataset
        What :func:`summarize` returns for the parts joined: counts are added up, tables put side by side. Attributes
        are kept where they agree, variables by status where all have them.

    Raises
    ------
    InputError
        If bins or genes differ, or it can't be told what distinguishes them: labels along one dim, and none twice.

    Examples
    --------
    >>> import yeastxr as yx
    >>> from yeastxr import qc
    >>> ds = yx.simulate(genes=100, bound=[0.1, 0.3, 0.5], seed=42)
    >>> parts = [qc.summarize(ds.isel(tf=[0, 1])), qc.summarize(ds.isel(tf=[2]))]
    >>> qc.merge(*parts).identical(qc.summarize(ds))
    True
    """
    if not summaries:
        raise InputError("there is no summary to merge; expected at least one")
    for one in summaries:
        check_summary(one)
    total = summaries[0]
    for other in summaries[1:]:
        total = _merge_two(total, other)
    return total


def pool(summary: xr.Dataset, dim: str | Sequence[str] | None = None) -> xr.Dataset:
    """Pool the moments of a summary's TFs, or of other dims that its tables have.

    Counts and means are weighted sums; the variance is that within and that between, ``sum(n (variance + (mean - pooled
    mean)^2)) / sum(n)``.

    Parameters
    ----------
    summary
        What :func:`summarize` or :func:`merge` returned.
    dim
        The dims to pool over; by default ``tf`` and all in front.

    Returns
    -------
    xarray.Dataset
        ``count`` and ``positive``, int64, ``mean``, ``variance``, ``least`` and ``most``, float64, without these dims;
        the same of ``status_...``, if the summary has it. NaN where there is no value; dask-backed if the summary is.

    Raises
    ------
    InputError
        If it is no summary, or lacks the dims.

    Examples
    --------
    >>> import numpy as np
    >>> import yeastxr as yx
    >>> from yeastxr import qc
    >>> ds = yx.simulate(genes=1000, bound=[0.1, 0.3], seed=42)
    >>> pooled = qc.pool(qc.summarize(ds)).sel(quantity="binding_pvalue", label=True)
    >>> int(pooled["count"]), bool(np.isclose(pooled["mean"], ds.binding_pvalue.where(ds.label).mean()))
    (400, True)
    """
    check_summary(summary)
    known = [str(d) for d in summary["cells"].dims if d != LABEL]
    over = known if dim is None else [dim] if isinstance(dim, str) else check_sequence("dim", dim, "a list of dims")
    for name in over:
        if not isinstance(name, str) or name not in known:
            raise InputError(f"dim is {format_value(name)}; {suggest(name, known)}")
    over = list(dict.fromkeys(over))
    result: dict[str, xr.DataArray] = {}
    for prefix in ("", "status_") if "status_count" in summary else ("",):
        n, mean, variance = (summary[prefix + name] for name in ("count", "mean", "variance"))
        total = n.sum(over)
        some = total > 0
        divisor = total.where(some, 1)
        pooled = n.where(n > 0, 0).dot(mean.fillna(0), over) / divisor
        spread = (n * (variance + (mean - pooled) ** 2).fillna(0)).sum(over) / divisor
        result |= {
            f"{prefix}count": total,
            f"{prefix}positive": summary[f"{prefix}positive"].sum(over),
            f"{prefix}mean": pooled.where(some),
            f"{prefix}variance": spread.where(some),
            f"{prefix}least": summary[f"{prefix}least"].min(over),
            f"{prefix}most": summary[f"{prefix}most"].max(over),
        }
    return xr.Dataset(result, attrs=summary.attrs)


def histogram_of(summary: xr.Dataset, quantity: str, bins: int | None = None) -> xr.Dataset:
    """Return one histogram of a summary, as :func:`yeastxr.qc.histogram` would.

    Parameters
    ----------
    summary
        What :func:`summarize` or :func:`merge` returned.
    quantity
        A feature but ``label``, or ``perturbation_magnitude``.
    bins
        How many bins to join those of the summary to, a divisor of their number; all by default.

    Returns
    -------
    xarray.Dataset
        ``cells`` (label, bin), ``below``, ``above`` and ``missing`` (label), with the dims in front that the summary's
        counts have; the coordinates ``bin`` (centres), ``left`` and ``right``. The attribute ``feature`` names the
        quantity.

    Raises
    ------
    InputError
        If it is no summary, the quantity is not known, or bins can't be joined to so many.

    Examples
    --------
    >>> import yeastxr as yx
    >>> from yeastxr import qc
    >>> ds = yx.simulate(genes=1000, bound=[0.1, 0.3], seed=42)
    >>> counts = qc.histogram_of(qc.summarize(ds), "binding_effect", bins=60)
    >>> bool((counts.cells.values == qc.histogram(ds, "binding_effect", bins=60).cells.values).all())
    True
    """
    check_summary(summary)
    if quantity not in QUANTITIES:
        raise InputError(f"quantity is {format_value(quantity)}; {suggest(quantity, QUANTITIES)}")
    one = summary.sel(quantity=quantity)
    n = one.sizes[BIN]
    bins = n if bins is None else check_bins("bins", bins, n)
    if n % bins:
        raise InputError(f"bins is {bins}; expected a divisor of {n}, the number of bins in the summary")
    binned = Axis(np.append(one["left"].values[:: n // bins], one["right"].values[-1]))
    feature = quantity if quantity in FEATURE_BY_NAME else "perturbation_effect"
    size = "" if feature == quantity else f"|{FEATURE_BY_NAME[feature].long_name}|"
    cells = one["histogram"].drop_vars(["left", "right", "centre"]).coarsen({BIN: n // bins}).sum()
    counts = xr.Dataset({"cells": cells, **{name: one[name] for name in ("below", "above", "missing")}})
    counts = counts.drop_vars(QUANTITY).assign_coords(binned.coords(BIN, "", feature, size))
    return counts.assign_attrs(feature=quantity)


def check_summary(summary: object) -> None:
    """Refuse what is no summary."""
    if not isinstance(summary, xr.Dataset):
        raise SchemaError(f"the summary is of type {type(summary).__name__}; expected what qc.summarize returned")
    for name in ("histogram", "pairs", "cells", "count", "mean"):
        if name not in summary.data_vars:
            raise SchemaError(f"the summary lacks the variable {name!r}; expected what qc.summarize returned")


def _merge_two(first: xr.Dataset, second: xr.Dataset) -> xr.Dataset:
    for name in ("left", "right", "x_left", "x_right", "y_left", "y_right"):
        if not np.array_equal(first[name], second[name]):
            raise InputError("the summaries have different bins; expected the same bins and limits")
    genes = [one.attrs.get("genes") for one in (first, second)]
    if genes[0] != genes[1]:
        raise InputError(f"the summaries are of {genes[0]} and {genes[1]} genes; expected the same genes")
    lead, other_lead = ([str(dim) for dim in one["cells"].dims if dim != LABEL] for one in (first, second))
    if lead != other_lead or first["histogram"].dims != second["histogram"].dims:
        raise InputError(f"the summaries have the dims {lead} and {other_lead}; expected the same, and the same by")
    differing = [dim for dim in lead if not _same(first, second, dim)]
    if len(differing) != 1:
        found = " and ".join(differing) or "none"
        raise InputError(f"the labels of the summaries differ along {found}; expected one of {', '.join(lead)}")
    dim = differing[0]
    if dim not in first.indexes or dim not in second.indexes:
        raise InputError(f"the summaries have no labels along {dim!r}; expected an index coordinate")
    twice = first.indexes[dim].intersection(second.indexes[dim])
    if len(twice):
        raise InputError(f"both summaries have the {dim} {format_value(to_python(twice[0]))}; expected each once")
    shared = [name for name in first.data_vars if name in second.data_vars]
    along = [name for name in shared if dim in first[name].dims]
    joined = xr.concat(
        [first[along], second[along]],
        dim=dim,
        data_vars="minimal",
        coords="minimal",
        compat="override",
        join="exact",
        combine_attrs="drop_conflicts",
    )
    sums = {name: first[name] + second[name] for name in shared if name not in along}
    return joined.assign(sums)[shared]


def _same(first: xr.Dataset, second: xr.Dataset, dim: str) -> bool:
    if dim in first.indexes and dim in second.indexes:
        return first.indexes[dim].equals(second.indexes[dim])
    return first.sizes[dim] == second.sizes[dim]


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
    return counts.assign_coords(_label_coords() | binned.coords(BIN, "", feature)).assign_attrs(feature=feature)


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
    if check_feature(x) == check_feature(y):
        raise InputError(f"x and y are both {format_value(x)}; expected two different features")
    label, *values = matching_arrays(ds, x, y)
    n_x, n_y = _pair_of_bins(bins)
    if limits is None:
        largest = largest_effects(ds, x, y)
        limits = ((0.0, largest[x]), (0.0, largest[y]))
    pair = check_sequence("limits", limits, "a pair of (lower, upper), for x and for y")
    if len(pair) != 2:
        raise InputError(f"limits is {format_value(limits)}; expected a pair of (lower, upper), for x and for y")
    axes = [axis("the limits of x", pair[0], n_x), axis("the limits of y", pair[1], n_y)]
    slots, missing = _count(label, values, axes, [X_BIN, Y_BIN], absolute=True)
    inside = slots.isel({X_BIN: slice(1, 1 + n_x), Y_BIN: slice(1, 1 + n_y)})
    outside = slots.sum([X_BIN, Y_BIN]) - inside.sum([X_BIN, Y_BIN])
    counts = xr.Dataset({"cells": inside, "outside": outside, "missing": missing})
    coords = _label_coords() | axes[0].coords(X_BIN, "x_", x) | axes[1].coords(Y_BIN, "y_", y)
    return counts.assign_coords(coords).assign_attrs(x=x, y=y)


def _pair_of_bins(bins: int | tuple[int, int]) -> tuple[int, int]:
    both: Sequence[Any] = bins if isinstance(bins, tuple | list) else (bins, bins)
    if len(both) != 2:
        raise InputTypeError(f"bins is {format_value(bins)}; expected an integer, or two: for x and for y")
    n_x, n_y = (check_bins("bins", n, MOST_BINS_2D) for n in both)
    return n_x, n_y


def _label_coords() -> dict[str, Any]:
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
        counts = count(*blocks, threads=count_threads())
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
    from yeastxr.qc import kernels as summarykernels

    arrays = [label.view(np.uint8), values[0], values[-1]]
    strides = {tuple(np.argsort(array.strides, kind="stable")) for array in arrays}
    order = next(iter(strides))[::-1] if len(strides) == 1 else range(label.ndim)  # as they lie, if they lie alike
    flat = [np.require(array.transpose(order), None, ("C", "A", "W")).reshape(-1) for array in arrays]
    shape = tuple(one.bins + 2 for one in axes)
    two = (shape[0], shape[1] if len(shape) > 1 else 1)
    numbers, parts = pack_axes(axes), range(0, flat[0].size, _PIECE)
    found = np.zeros((len(parts), 2, 1 + two[0] * two[1]), np.int64)

    def work(k: int) -> None:
        piece = slice(parts[k], parts[k] + _PIECE)
        slots, missing = np.zeros((2, *two), np.int64), np.zeros(2, np.int64)
        summarykernels.count_flat(*(array[piece] for array in flat), numbers, absolute, slots, missing)
        found[k] = np.concatenate([missing[:, None], slots.reshape(2, -1)], axis=1)

    run_in_threads(work, range(len(parts)), threads)
    return found.sum(0).reshape((1,) * label.ndim + found.shape[1:])
