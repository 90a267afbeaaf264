"""What is made of summaries: those of the parts of a dataset merged, moments pooled, one histogram."""

from collections.abc import Sequence

import numpy as np
import xarray as xr

from yeastxr.arguments import InputError, check_sequence, plain, shown, suggestion
from yeastxr.binning import BIN, LABEL, Axis, check_bins
from yeastxr.schema import FEATURE_BY_NAME, SchemaError
from yeastxr.tallies import QUANTITIES

QUANTITY = "quantity"


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
        total = _merged(total, other)
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
    for one in over:
        if one not in known:
            raise InputError(f"dim is {shown(one)}; {suggestion(one, known)}")
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
        A feature but ``label``, or ``perturbation_size``.
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
        raise InputError(f"quantity is {shown(quantity)}; {suggestion(quantity, QUANTITIES)}")
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


def _merged(first: xr.Dataset, second: xr.Dataset) -> xr.Dataset:
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
        raise InputError(f"both summaries have the {dim} {shown(plain(twice[0]))}; expected each once")
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
