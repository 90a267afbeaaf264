"""Counts, histograms and moments of a dataset by label, in one pass over its cells."""

import hashlib
import json
from collections.abc import Hashable, Mapping, Sequence
from functools import partial, reduce
from threading import Lock
from typing import Any

import numpy as np
import xarray as xr

from yeastxr._blocks import CHUNK_CELLS, broadcast_dims, is_in_memory
from yeastxr._utils import count_threads
from yeastxr._validate import check_sequence, to_python
from yeastxr.errors import InputError, InputTypeError, SchemaError, format_value, suggest
from yeastxr.qc.bins import (
    BIN,
    BINS,
    LIMITS,
    MOST_BINS_2D,
    X_BIN,
    Y_BIN,
    Axis,
    check_bins,
    check_pair,
    find_span,
    get_arrays,
    largest_effects,
    make_axis,
    make_summary_axes,
)
from yeastxr.qc.tally import INTEGERS, NUMBERS, Plan, Tally, add_tallies, make_arrays, tally_block
from yeastxr.schema import (
    BINDING,
    GENE,
    LABEL,
    MAGNITUDE,
    MEASURES,
    PERTURBATION,
    QUANTITIES,
    STATUSES,
    TF,
    check_array,
    check_feature,
    get_label,
    get_units,
    has_sign,
    match_to,
    order_dims,
    restore_dims,
    to_text_array,
)
from yeastxr.simulation.adjustment import evaluate_relationships
from yeastxr.simulation.relations import Relationships, check_relationships
from yeastxr.simulation.sweeps import read_specs

QUANTITY, STATUS_DIM, GENE_DIGEST = "quantity", "status", "gene_digest"
SUMMARY_BINS, SUMMARY_BINS_2D = 600, 60  # a number with many divisors, so that plots can join bins
_LABELS = {LABEL: (LABEL, np.array([False, True]))}
_BESIDE = dict.fromkeys(("below", "above", "infinite", "missing"), (QUANTITY, LABEL))
_HISTOGRAM_DIMS = {"histogram": (QUANTITY, LABEL, BIN), **_BESIDE}
_PAIRS_DIMS = {"pairs": (LABEL, X_BIN, Y_BIN), "pairs_outside": (LABEL,), "pairs_missing": (LABEL,)}
_EDGES = ("left", "right", "x_left", "x_right", "y_left", "y_right")
_TABLE_DIMS = dict.fromkeys((*INTEGERS, *NUMBERS), (QUANTITY, LABEL, TF))


def summarize(
    ds: xr.Dataset,
    *,
    bins: int = SUMMARY_BINS,
    bins_2d: int = SUMMARY_BINS_2D,
    limits: Mapping[str, Any] | None = None,
    by: str | Sequence[str] = (),
    adjusted: xr.DataArray | None = None,
) -> xr.Dataset:
    """Summarize a dataset in one pass: counts, histograms and moments for plots and checks.

    Counts are exact. Moments are over the genes of each TF, summed in the order of genes in float64, so that the result
    is bit-identical for any chunks. Bins are closed on the left, and the last one on both sides.

    Parameters
    ----------
    ds
        A dataset with dimensions ``(..., gene, tf)``, NumPy or dask. Chunks along genes are joined. Without ``label``,
        the result has no dimension ``label``, and its counts include all pairs.
    bins
        The number of bins of a histogram, from 1 to 10,000.
    bins_2d
        The number of bins of ``pairs`` along each axis, from 1 to 1,000.
    limits
        A dict from quantities to limits (lower, upper), or from ``"pairs"`` to limits for x and y. By default, limits
        are 0 to 5 for binding effects and 0 to 1 for p-values. Limits of perturbation effects are 6 standard deviations
        beyond the largest mean that the specification allows, and pairs end at the largest binding effect that it
        allows, both rounded up. Without a specification, these two are the largest observed values; see
        :func:`largest_effects`, which immediately makes another pass over the data.
    by
        Leading dimensions (``replicate``, or swept parameters) that counts keep; they are summed over all others.
    adjusted
        The bound pairs whose conditions hold, bool, with the dimensions of the labels. The default is the result of
        :func:`yeastxr.adjusted_pairs`, if the specification has relationships and the dataset has the TFs that they
        name.

    Returns
    -------
    xarray.Dataset
        A dataset, dask-backed if the input is. ``quantity`` is a feature except ``label``, or
        ``perturbation_magnitude``, the absolute perturbation effect; ``label`` is False for unbound pairs; below,
        ``lead`` stands for all leading dimensions, and ``by`` for those in ``by``.

        The coordinate ``units`` (quantity) contains the units of the variables.

        - ``cells`` (lead, label, tf), int64: the number of pairs;
        - ``histogram`` (by, quantity, label, bin), int64; the coordinates ``centre``, ``left`` and ``right``
          (quantity, bin) describe its bins;
        - ``below``, ``above`` and ``missing`` (by, quantity, label), int64: numbers below and above the limits, and of
          NaN. Together with the histogram, they sum to the number of pairs. ``infinite`` is the number of infinite
          values among those below and above;
        - ``pairs`` (by, label, x_bin, y_bin), int64: the magnitudes of binding and perturbation effects, with the
          coordinates ``x_left``, ``x_right``, ``y_left`` and ``y_right``. Bins along x have equal widths in the square
          root, as binding effects are dense near 0. Binding effects in logarithmic units keep their sign, and have bins
          of equal widths. ``pairs_outside`` and ``pairs_missing`` (by, label): numbers beyond the limits, and with NaN;
        - ``count`` and ``positive`` (lead, quantity, label, tf), int64: the number of finite values, and of those above
          0; ``mean``, ``variance`` (divided by the count), ``least`` and ``most`` of finite values, float64, NaN if
          there are none.

        If conditions are known, ``status`` is ``unbound``, ``bound_active`` or ``bound_inactive``, and variables
        ``status_...`` contain the same by status, for the magnitude of perturbation effects and for pairs. Attributes
        are those of the dataset, ``genes`` (the number of genes) and ``gene_digest`` (of their labels).

    Raises
    ------
    InputError
        If an argument is invalid, or the dataset lacks a variable, a dimension or an index.

    Examples
    --------
    >>> import yeastxr as yx
    >>> from yeastxr import qc
    >>> ds = yx.simulate(genes=1000, bound=[0.1, 0.3], seed=42, chunks={"tf": 1})
    >>> summary = qc.summarize(ds).compute()
    >>> summary.cells.sel(label=True).values
    array([100, 300])
    >>> magnitude = summary.sel(quantity="perturbation_magnitude", label=True)
    >>> bool((abs(magnitude["mean"] - 3) < 0.5).all())
    True
    """
    ds = broadcast_dims(restore_dims(ds))
    label, *features = get_arrays(ds, *MEASURES)
    labelled = LABEL in ds.data_vars
    if adjusted is not None:
        get_label(ds, "summarize with adjusted")
    lead = [str(dim) for dim in label.dims if dim not in (GENE, TF)]
    by = [by] if isinstance(by, str) else check_sequence("by", by, "a dimension or a list of dimensions")
    for dim in by:
        if dim not in lead:
            raise InputError(f"by contains {format_value(dim)}; expected a leading dimension, {suggest(dim, lead)}")
    axes = make_summary_axes(ds, limits, check_bins("bins", bins), check_bins("bins_2d", bins_2d, MOST_BINS_2D))
    active = _find_active(ds, label) if adjusted is None else _match_adjusted(adjusted, label)
    plan, dims = _make_plan(ds, axes, lead, by), _list_dims(lead, by, status=active is not None, labelled=labelled)
    return _make_summary(ds, label, axes, _count(label, features, active, plan, dims))


class BlockSummary:
    """The result of :func:`summarize` for a dataset, from blocks that another function reads.

    If blocks or conditions are missing, it reads the dataset.
    """

    def __init__(self, ds: xr.Dataset) -> None:
        self._ds = broadcast_dims(restore_dims(ds))
        self._label, *features = get_arrays(self._ds, *MEASURES)
        self._lead = [str(dim) for dim in self._label.dims if dim not in (GENE, TF)]
        self._axes = make_summary_axes(self._ds, None, SUMMARY_BINS, SUMMARY_BINS_2D)
        self._plan = _make_plan(self._ds, self._axes, self._lead, ())
        self._labelled = LABEL in self._ds.data_vars
        self._has_status = _find_relationships(self._ds, self._label) is not None
        self._threads = count_threads() if all(map(is_in_memory, (self._label, *features))) else 1
        self._total, self._lock, self._n_pairs = Tally(), Lock(), 0

    def add(self, positions: Mapping[Hashable, int], region: Sequence[slice], values: Mapping[str, np.ndarray]) -> None:
        """Add a block ``(..., gene, tf)``: features by name, and ``holds`` (whether conditions hold) if it is known.

        ``positions`` are along leading dimensions that the block lacks; the region is along all other dimensions.
        """
        holds = values.get("holds")
        if self._has_status and holds is None:
            return
        following = iter(region)
        starts = [positions[dim] if dim in positions else next(following).start for dim in self._lead]
        missing = tuple(axis for axis, dim in enumerate(self._lead) if dim in positions)
        planes = [np.expand_dims(values[name], missing) for name in MEASURES]
        label = np.broadcast_to(np.False_, planes[0].shape)
        if self._labelled:
            label = np.expand_dims(values[LABEL], missing)
        active = label & np.expand_dims(holds, missing) if self._has_status and holds is not None else None
        tally = tally_block(label, active, planes, (*starts, region[-1].start), self._plan, self._threads)
        with self._lock:
            self._total.add(tally)
            self._n_pairs += label.size

    def finish(self) -> xr.Dataset:
        """Return the summary, in memory."""
        if self._n_pairs != self._label.size:
            return summarize(self._ds).compute()
        lead = tuple(self._label.sizes[dim] for dim in self._lead)
        dims = _list_dims(self._lead, [], status=self._has_status, labelled=self._labelled)
        values = _make_values(self._total, self._plan, lead, self._label.sizes[TF], dims)
        return _make_summary(
            self._ds, self._label, self._axes, {name: (own, values[name]) for name, own in dims.items()}
        )


def _make_plan(ds: xr.Dataset, axes: tuple[Axis, ...], lead: Sequence[str], by: Sequence[str]) -> Plan:
    """Return the plan of a summary: all measures, the magnitude, both magnitudes as pairs, and moments."""
    quantities = (*((plane, False) for plane in range(len(MEASURES))), (MEASURES.index(PERTURBATION), True))
    pair = (MEASURES.index(BINDING), MEASURES.index(PERTURBATION))
    signed = has_sign(ds[BINDING], BINDING)
    return Plan(axes, quantities, pair, signed, moments=True, along=tuple(dim in by for dim in lead))


def _make_summary(
    ds: xr.Dataset, label: xr.DataArray, axes: Sequence[Axis], variables: Mapping[str, Any]
) -> xr.Dataset:
    """Return a summary with these variables, coordinates and attributes."""
    attrs = ds.attrs | {"genes": ds.sizes[GENE], GENE_DIGEST: _hash_labels(label.indexes[GENE].tolist())}
    coords = {name: coord for name, coord in label.coords.items() if GENE not in coord.dims}
    return xr.Dataset(variables, attrs=attrs).assign_coords(
        coords | _make_coords(ds, axes, status="status_mean" in variables)
    )


def _hash_labels(labels: list[Any]) -> str:
    """Return a digest of labels, in order."""
    return hashlib.sha256(json.dumps(labels, default=str).encode()).hexdigest()[:16]


def _find_relationships(ds: xr.Dataset, label: xr.DataArray) -> Relationships | None:
    """Return the relationships of a dataset if it has labels, relationships, and all TFs that they name."""
    specs = read_specs(ds) if LABEL in ds.data_vars else []
    if any(spec.tf_relationships != specs[0].tf_relationships for spec in specs[1:]):
        return None  # a sweep over relationships
    if not specs or not specs[0].tf_relationships or not label.indexes[TF].isin(list(specs[0].tf_labels)).all():
        return None
    try:
        return check_relationships(specs[0].tf_relationships, label.indexes[TF])
    except InputError:  # a selection without the TFs that they depend on
        return None


def _find_active(ds: xr.Dataset, label: xr.DataArray) -> xr.DataArray | None:
    """Return the pairs whose conditions hold, if conditions exist and are known."""
    relationships = _find_relationships(ds, label)
    return None if relationships is None else evaluate_relationships(order_dims(label), relationships)


def _match_adjusted(adjusted: xr.DataArray, label: xr.DataArray) -> xr.DataArray:
    """Return the pairs whose conditions hold with the dimensions and chunks of the labels, or raise."""
    active = label & match_to(check_array(adjusted, LABEL, argument="adjusted"), "adjusted", label)
    return active.chunk(label.variable.chunksizes) if label.chunks else active


def _count(
    label: xr.DataArray,
    features: Sequence[xr.DataArray],
    active: xr.DataArray | None,
    plan: Plan,
    dims: Mapping[str, tuple[str, ...]],
) -> dict[str, tuple[tuple[str, ...], Any]]:
    """Return variables with the given dimensions: from one tally, or dask-backed if any input is."""
    lead = [str(dim) for dim in label.dims if dim not in (GENE, TF)]
    inputs = [array.transpose(*lead, GENE, TF) for array in (label, *features, *([] if active is None else [active]))]
    sizes = tuple(label.sizes[dim] for dim in lead)
    finish = partial(_make_values, plan=plan, lead=sizes, tfs=label.sizes[TF], dims=dims)
    tally = partial(_tally_arrays, n=len(inputs), has_active=active is not None, plan=plan)
    if any(array.chunks for array in inputs):
        values = _count_lazily(inputs, plan, tally, finish, dims)
    else:
        starts = [0 for dim in (*lead, TF)]
        values = finish(tally(*(array.values for array in inputs), *starts, threads=count_threads()))
    return {name: (own, values[name]) for name, own in dims.items()}


def _make_values(
    total: Tally, plan: Plan, lead: tuple[int, ...], tfs: int, dims: Mapping[str, tuple[str, ...]]
) -> dict[str, np.ndarray]:
    """Return arrays with the given dimensions; without the dimension of labels, all pairs are in the first group."""
    values = make_arrays(total, plan, lead, tfs)
    if any(LABEL in own for own in dims.values()):
        return values
    # The axis of labels is the last one, except for those of TFs and bins.
    return {name: values[name].take(0, values[name].ndim - 1 - _count_after(own)) for name, own in dims.items()}


def _count_after(dims: Sequence[str]) -> int:
    """Return the number of dimensions of a variable after that of labels, if there is one."""
    return sum(dim in (TF, BIN, X_BIN, Y_BIN) for dim in dims)


def _tally_arrays(*inputs: Any, n: int, has_active: bool, plan: Plan, threads: int) -> Tally:
    """Tally a block: ``n`` arrays, then the starts along leading dimensions and ``tf``, as numbers or slices."""
    label, *planes = inputs[:n]
    active = planes.pop() if has_active else None
    starts = tuple(start[0].start if isinstance(start, tuple) else start for start in inputs[n:])
    return tally_block(label, active, planes, starts, plan, threads)


def _count_lazily(
    inputs: list[xr.DataArray], plan: Plan, tally: Any, finish: Any, dims: Mapping[str, tuple[str, ...]]
) -> dict[str, Any]:
    """Return dask-backed arrays: tallies of blocks, summed in a tree."""
    import dask.array as da
    from dask.layers import ArraySliceDep

    first = inputs[0]
    if not first.chunks or (plan.moments and len(first.variable.chunksizes[GENE]) > 1):
        widest = max(first.variable.chunksizes.get(TF, (first.sizes[TF],)))
        tf = min(widest, max(1, CHUNK_CELLS // first.sizes[GENE]))
        inputs = [array.chunk({GENE: -1, TF: tf}) for array in inputs]
        first = inputs[0]
    starts = [(ArraySliceDep((first.variable.chunksizes[dim],)), (dim,)) for dim in first.dims if dim != GENE]

    # Keep the axis of genes with length 1: dask does not fuse a contraction with the creation of its input.
    tallies = da.blockwise(
        partial(tally, threads=1),
        first.dims,
        *(item for array in inputs for item in (array.data, array.dims)),
        *(item for start in starts for item in start),
        adjust_chunks=dict.fromkeys(first.dims, 1),
        align_arrays=False,
        concatenate=True,
        dtype=object,
        meta=np.empty((0,) * first.ndim, object),
        token="tally",
    )
    n_chunked = sum(n > 1 for n in tallies.numblocks)
    total = da.reduction(
        tallies,
        chunk=_pass_on,
        combine=_add_tallies,
        aggregate=partial(_finish, finish=finish),
        concatenate=False,
        split_every=dict.fromkeys(range(first.ndim), max(2, round(16 ** (1 / max(1, n_chunked))))),
        dtype=object,
        meta=np.empty((), object),
    )
    sizes = {**first.sizes, LABEL: 2, QUANTITY: len(plan.quantities), STATUS_DIM: len(STATUSES)}
    sizes |= {BIN: plan.axes[0].bins, X_BIN: plan.axes[-2:][0].bins, Y_BIN: plan.axes[-1].bins}
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


def _pass_on(tallies: Tally, axis: Any, keepdims: bool) -> Tally:
    return tallies


def _add_tallies(nested: Any, axis: Any, keepdims: bool) -> Tally:
    return add_tallies(nested)


def _finish(nested: Any, axis: Any, keepdims: bool, *, finish: Any) -> dict[str, np.ndarray]:
    return finish(add_tallies(nested))


def _list_dims(lead: list[str], by: list[str], *, status: bool, labelled: bool) -> dict[str, tuple[str, ...]]:
    """Return the dimensions of each variable of a summary."""
    dims: dict[str, tuple[str, ...]] = {"cells": (*lead, LABEL, TF)}
    dims |= {name: (*by, *own) for name, own in ({"histogram": (), **_PAIRS_DIMS} | _HISTOGRAM_DIMS).items()}
    dims |= {name: (*lead, *own) for name, own in _TABLE_DIMS.items()}
    if status:
        dims |= {
            f"status_{name}": tuple(STATUS_DIM if dim == LABEL else dim for dim in order if dim != QUANTITY)
            for name, order in dims.items()
        }
    return dims if labelled else _drop_labels(dims)


def _drop_labels(dims: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    """Return the dimensions of each variable without that of labels."""
    return {name: tuple(dim for dim in own if dim != LABEL) for name, own in dims.items()}


def _make_coords(ds: xr.Dataset, axes: Sequence[Axis], *, status: bool) -> dict[str, Any]:
    """Return the coordinates that a summary adds to those of the labels."""
    *by_quantity, x, y = axes
    edges = np.array([axis.edges for axis in by_quantity])
    units = {name: get_units(ds, name) for name in QUANTITIES}
    coords = {
        QUANTITY: (QUANTITY, to_text_array(QUANTITIES)),
        "units": (QUANTITY, to_text_array(list(units.values()))),
        **(_LABELS if LABEL in ds.data_vars else {}),
        "centre": ((QUANTITY, BIN), (edges[:, :-1] + edges[:, 1:]) / 2),
        "left": ((QUANTITY, BIN), edges[:, :-1]),
        "right": ((QUANTITY, BIN), edges[:, 1:]),
        **x.make_coords(X_BIN, "x_", BINDING, units[BINDING]),
        **y.make_coords(Y_BIN, "y_", MAGNITUDE, units[MAGNITUDE]),
    }
    return coords | ({STATUS_DIM: (STATUS_DIM, to_text_array(STATUSES))} if status else {})


def merge(*summaries: xr.Dataset) -> xr.Dataset:
    """Join summaries of parts of a dataset that differ in TFs, or in labels along a leading dimension.

    Parameters
    ----------
    *summaries
        Results of :func:`summarize`, with the same bins and limits, in order.

    Returns
    -------
    xarray.Dataset
        The result of :func:`summarize` for the joined parts: counts are added, and tables are concatenated. Attributes
        and coordinates are kept if they are equal, and variables by status if all summaries have them.

    Raises
    ------
    InputError
        If bins or genes differ, or if labels along a dimension do not distinguish the summaries.

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
        raise InputError("there are no summaries; expected at least one")
    for summary in summaries:
        check_summary(summary)
    return reduce(_merge_two, summaries)


def pool(summary: xr.Dataset, dim: str | Sequence[str] | None = None) -> xr.Dataset:
    """Pool the moments of a summary over TFs or other dimensions.

    Counts and means are weighted sums. The variance is that within plus that between groups, with the pooled mean p:
    ``sum(n (variance + (mean - p)^2)) / sum(n)``.

    Parameters
    ----------
    summary
        A result of :func:`summarize` or :func:`merge`.
    dim
        The dimensions to pool over (default: ``tf`` and all leading dimensions).

    Returns
    -------
    xarray.Dataset
        ``count`` and ``positive``, int64, ``mean``, ``variance``, ``least`` and ``most``, float64, without these
        dimensions; the same for ``status_...``, if the summary has it. NaN without values; dask-backed if the summary
        is.

    Raises
    ------
    InputError
        If it is not a summary, or lacks the dimensions.

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
    dims = (
        known if dim is None else [dim] if isinstance(dim, str) else check_sequence("dim", dim, "a list of dimensions")
    )
    for name in dims:
        if not isinstance(name, str) or name not in known:
            raise InputError(f"dim is {format_value(name)}; {suggest(name, known)}")
    dims = list(dict.fromkeys(dims))
    result: dict[str, xr.DataArray] = {}
    for prefix in ("", "status_") if "status_count" in summary else ("",):
        n, mean, variance = (summary[prefix + name] for name in ("count", "mean", "variance"))
        total = n.sum(dims)
        has_values = total > 0
        divisor = total.where(has_values, 1)
        pooled = n.where(n > 0, 0).dot(mean.fillna(0), dims) / divisor
        spread = (n * (variance + (mean - pooled) ** 2).fillna(0)).sum(dims) / divisor
        result |= {
            f"{prefix}count": total,
            f"{prefix}positive": summary[f"{prefix}positive"].sum(dims),
            f"{prefix}mean": pooled.where(has_values),
            f"{prefix}variance": spread.where(has_values),
            f"{prefix}least": summary[f"{prefix}least"].min(dims),
            f"{prefix}most": summary[f"{prefix}most"].max(dims),
        }
    return xr.Dataset(result, attrs=summary.attrs)


def histogram_of(summary: xr.Dataset, quantity: str, bins: int | None = None) -> xr.Dataset:
    """Return a histogram of a summary in the form of :func:`yeastxr.qc.histogram`.

    Parameters
    ----------
    summary
        A result of :func:`summarize` or :func:`merge`.
    quantity
        A feature except ``label``, or ``perturbation_magnitude``.
    bins
        The number of bins of the result, a divisor of that of the summary (default: all).

    Returns
    -------
    xarray.Dataset
        ``cells`` (label, bin), ``below``, ``above`` and ``missing`` (label), with the leading dimensions of the counts
        of the summary; the coordinates ``bin`` (centres), ``left`` and ``right``. The attribute ``feature`` is the name
        of the quantity.

    Raises
    ------
    InputError
        If it is not a summary, the quantity is unknown, or bins can't be joined to this number.

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
    for dim in (QUANTITY, BIN):
        if dim not in summary["histogram"].dims:
            raise SchemaError(f"the summary has no dimension {dim!r}; expected the result of qc.summarize")
    known = summary[QUANTITY].values.tolist()
    if quantity not in known:
        raise InputError(f"quantity is {format_value(quantity)}; {suggest(quantity, known)}")
    summary = summary.sel(quantity=quantity)
    n = summary.sizes[BIN]
    bins = n if bins is None else check_bins("bins", bins, n)
    if n % bins:
        raise InputError(f"bins is {bins}; expected a divisor of {n}, the number of bins in the summary")
    axis = Axis(np.append(summary["left"].values[:: n // bins], summary["right"].values[-1]))
    cells = summary["histogram"].drop_vars(["left", "right", "centre"]).coarsen({BIN: n // bins}).sum()
    counts = xr.Dataset({"cells": cells, **{name: summary[name] for name in ("below", "above", "missing")}})
    coords = axis.make_coords(BIN, "", quantity, str(summary["units"].item()))
    return counts.drop_vars([QUANTITY, "units"]).assign_coords(coords).assign_attrs(feature=quantity)


def check_summary(summary: object) -> None:
    """Raise unless a dataset is a summary."""
    if not isinstance(summary, xr.Dataset):
        raise SchemaError(f"the summary is of type {type(summary).__name__}; expected the result of qc.summarize")
    for name in (*_HISTOGRAM_DIMS, *_PAIRS_DIMS, "cells", *_TABLE_DIMS, QUANTITY, "units", "centre", *_EDGES):
        if name not in summary.variables:
            raise SchemaError(f"the summary has no variable {name!r}; expected the result of qc.summarize")


def _merge_two(first: xr.Dataset, second: xr.Dataset) -> xr.Dataset:
    if (LABEL in first.dims) != (LABEL in second.dims):
        raise InputError("only some of the summaries have labels; expected all or none")
    for dim in (QUANTITY, LABEL, STATUS_DIM):
        if any(dim in part and dim not in part.indexes for part in (first, second)) or (
            dim in first.indexes and dim in second.indexes and not first.indexes[dim].equals(second.indexes[dim])
        ):
            raise InputError(f"the summaries differ along {dim!r}; expected the same labels and order")
    for name in _EDGES:
        if not np.array_equal(first[name], second[name]):
            raise InputError("the summaries have different bins; expected the same bins and limits")
    genes, other_genes = first.attrs.get("genes"), second.attrs.get("genes")
    if genes != other_genes:
        raise InputError(f"the summaries have {genes} and {other_genes} genes; expected the same genes")
    if first.attrs.get(GENE_DIGEST) != second.attrs.get(GENE_DIGEST):
        raise InputError("the summaries have different genes; expected the same genes and order")
    lead, other_lead = ([str(dim) for dim in part["cells"].dims if dim != LABEL] for part in (first, second))
    if lead != other_lead or first["histogram"].dims != second["histogram"].dims:
        raise InputError(
            f"the summaries have the dimensions {lead} and {other_lead}; expected the same dimensions and by"
        )
    differing = [dim for dim in lead if not _has_same_labels(first, second, dim)]
    if len(differing) != 1:
        names = " and ".join(differing) or "none"
        raise InputError(f"the labels of the summaries differ along {names}; expected one of {', '.join(lead)}")
    dim = differing[0]
    if dim not in first.indexes or dim not in second.indexes:
        raise InputError(f"the summaries have no labels along {dim!r}; expected an index coordinate")
    labels = first.indexes[dim].append(second.indexes[dim])
    if not labels.is_unique:
        repeated = format_value(to_python(labels[labels.duplicated()][0]))
        raise InputError(f"the summaries have the {dim} {repeated} more than once; expected unique labels")
    conflicts = [
        name
        for name, coord in first.coords.items()
        if dim not in coord.dims and not (name in second.coords and coord.variable.equals(second.coords[name].variable))
    ]
    first, second = first.drop_vars(conflicts), second.drop_vars(conflicts, errors="ignore")
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


def _has_same_labels(first: xr.Dataset, second: xr.Dataset, dim: str) -> bool:
    if dim in first.indexes and dim in second.indexes:
        return first.indexes[dim].equals(second.indexes[dim])
    return first.sizes[dim] == second.sizes[dim]


def histogram(
    ds: xr.Dataset, feature: str, *, bins: int = BINS, limits: tuple[float, float] | None = None
) -> xr.Dataset:
    """Count the values of a feature by label, in bins of equal width.

    Bins are closed on the left, and the last one on both sides. ``cells``, ``below``, ``above`` and ``missing`` sum to
    the number of cells.

    Parameters
    ----------
    ds
        A dataset with the feature and dimensions ``(..., gene, tf)``, NumPy or dask; counts are summed over all
        dimensions. Without ``label``, they include all pairs, and have no dimension ``label``.
    feature
        Any feature except ``label``.
    bins
        The number of bins, from 1 to 10,000.
    limits
        The limits of the first and the last bin. The default is 0 to 5 for binding effects and 0 to 1 for p-values. For
        perturbation effects it includes all values, symmetric about 0, which needs a pass over the data; see
        :func:`largest_effects`.

    Returns
    -------
    xarray.Dataset
        ``cells`` (label, bin), and ``below``, ``above`` and ``missing`` (label), the numbers of values below and above
        the limits, and of NaN; all int64, dask-backed if the dataset is. Coordinates: ``label`` (False: unbound),
        ``bin`` (centres), ``left`` and ``right`` (bin), float64.

    Raises
    ------
    InputError
        If the feature is unknown or ``label``, bins or limits are invalid, or the dataset lacks a variable, a dimension
        or an index.

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
    label, *features = get_arrays(ds, feature)
    bins = check_bins("bins", bins)
    if limits is None:
        values = features[0]
        limits = LIMITS.get(feature) if feature != BINDING or not has_sign(values, feature) else None
        limits = limits or find_span(values, feature, largest_effects(ds, feature)[feature])
    axis = make_axis("limits", limits, bins)
    plan = Plan(axes=(axis,), quantities=((0, False),), along=(False,) * (label.ndim - 2))
    labels = _LABELS if LABEL in ds.data_vars else {}
    dims = _HISTOGRAM_DIMS if labels else _drop_labels(_HISTOGRAM_DIMS)
    counts = xr.Dataset(_count(label, features, None, plan, dims)).isel({QUANTITY: 0})
    counts = counts.drop_vars("infinite").rename({"histogram": "cells"})
    coords = axis.make_coords(BIN, "", feature, get_units(restore_dims(ds), feature))
    return counts.assign_coords(labels | coords).assign_attrs(feature=feature)


def histogram_2d(
    ds: xr.Dataset,
    x: str = "binding_effect",
    y: str = "perturbation_effect",
    *,
    bins: int | tuple[int, int] = BINS,
    limits: tuple[tuple[float, float], tuple[float, float]] | None = None,
) -> xr.Dataset:
    """Count the values of two features by label, in bins of equal width of their absolute values.

    Binding effects along x in logarithmic units keep their sign.

    Parameters
    ----------
    ds
        A dataset with the features and dimensions ``(..., gene, tf)``, NumPy or dask; counts are summed over all
        dimensions. Without ``label``, they include all pairs, and have no dimension ``label``.
    x, y
        Two different features, neither of them ``label``.
    bins
        The number of bins, from 1 to 1,000: one number, or two for x and y.
    limits
        The limits of ``|x|`` and ``|y|``. The default is 0 to the largest value, which needs a pass over the data; see
        :func:`largest_effects`.

    Returns
    -------
    xarray.Dataset
        ``cells`` (label, x_bin, y_bin), and ``outside`` and ``missing`` (label), the numbers of pairs beyond the
        limits, and with NaN; all int64, dask-backed if the dataset is. Coordinates: ``label`` (False: unbound), and for
        x ``x_bin`` (centres), ``x_left`` and ``x_right``, float64; the same for y.

    Raises
    ------
    InputError
        If a feature is unknown or ``label``, both are the same, bins or limits are invalid, or the dataset lacks a
        variable, a dimension or an index.

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
    label, *features = get_arrays(ds, x, y)
    signed = x == BINDING and has_sign(features[0], x)
    sizes = bins if isinstance(bins, tuple | list) else (bins, bins)
    if len(sizes) != 2:
        raise InputTypeError(f"bins is {format_value(bins)}; expected an integer, or two integers for x and y")
    n_x, n_y = (check_bins("bins", n, MOST_BINS_2D) for n in sizes)
    if limits is None:
        largest = largest_effects(ds, x, y)
        limits = ((-largest[x] if signed else 0.0, largest[x]), (0.0, largest[y]))
    x_limits, y_limits = check_pair("limits", limits)
    axes = (make_axis("the limits of x", x_limits, n_x), make_axis("the limits of y", y_limits, n_y))
    plan = Plan(axes=axes, pair=(0, 1), signed=signed, along=(False,) * (label.ndim - 2))
    labels = _LABELS if LABEL in ds.data_vars else {}
    dims = _PAIRS_DIMS if labels else _drop_labels(_PAIRS_DIMS)
    counts = xr.Dataset(_count(label, features, None, plan, dims))
    counts = counts.rename({"pairs": "cells", "pairs_outside": "outside", "pairs_missing": "missing"})
    units = [get_units(restore_dims(ds), name) for name in (x, y)]
    coords = axes[0].make_coords(X_BIN, "x_", x, units[0]) | axes[1].make_coords(Y_BIN, "y_", y, units[1])
    return counts.assign_coords(labels | coords).assign_attrs(x=x, y=y)
