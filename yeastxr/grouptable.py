"""Means and standard deviations of each feature by group of pairs, found beside those that theory expects."""

import numpy as np
import xarray as xr

from yeastxr import expectations
from yeastxr import qc as summaries
from yeastxr.elements import PERTURBATION, SIZE
from yeastxr.schema import FEATURE_BY_NAME, text_array
from yeastxr.tallies import QUANTITIES, STATUS
from yeastxr.theory import GROUPS

GROUP, QUANTITY = "group", "quantity"


def group_table(ds: xr.Dataset, summary: xr.Dataset) -> xr.Dataset:
    """Return means and standard deviations by group, from a summary that has been computed.

    Parameters
    ----------
    ds
        The dataset, for its TFs and its specification.
    summary
        What :func:`yeastxr.qc.summarize` returned.

    Returns
    -------
    xarray.Dataset
        Dims ``(quantity, group)``: ``count``, int64, how many finite values there are; ``mean``, ``std``,
        ``expected_mean`` and ``expected_std``, float64, NaN where there is no value, or theory knows none. Groups are
        ``unbound`` and ``bound``, and the bound ones by whether their conditions hold, where there are conditions; of
        these only the size of the perturbation effect is summarised.

    Examples
    --------
    >>> import yeastxr as yx
    >>> from yeastxr import qc
    >>> ds = yx.simulate(genes=1000, bound=[0.1, 0.3], seed=42)
    >>> table = group_table(ds, qc.summarize(ds)).sel(quantity="perturbation_size", group="bound")
    >>> round(float(table["mean"]), 2), round(float(table.expected_mean), 4)
    (3.04, 3.0008)
    """
    pooled = summaries.pool(summary)
    names = [name for name in QUANTITIES if name != PERTURBATION]  # its mean is 0: the sign is a coin
    groups = ["unbound", "bound", *(STATUS[1:] if "status_mean" in pooled else [])]
    count = np.zeros((len(names), len(groups)), np.int64)
    numbers = np.full((4, *count.shape), np.nan)
    for i, name in enumerate(names):
        for j, group in enumerate(groups):
            asked = GROUPS[group]
            if group in STATUS[1:]:
                if name != SIZE:
                    continue
                found = {key: pooled[f"status_{key}"].sel(status=group) for key in ("count", "mean", "variance")}
            else:
                found = {
                    key: pooled[key].sel(quantity=name, label=asked["label"]) for key in ("count", "mean", "variance")
                }
            count[i, j] = found["count"]
            expected = expectations.moments(expectations.parts(ds, name, **asked))
            numbers[:, i, j] = found["mean"], np.sqrt(found["variance"]), *expected
    values = {"count": count, **dict(zip(("mean", "std", "expected_mean", "expected_std"), numbers, strict=True))}
    return xr.Dataset(
        {name: ((QUANTITY, GROUP), value) for name, value in values.items()},
        coords={QUANTITY: text_array(names), GROUP: text_array(groups)},
    )


def as_texts(table: xr.Dataset) -> list[tuple[str, ...]]:
    """Return the rows of the table as texts: quantity, group, pairs, means and standard deviations; no empty ones."""
    found = []
    for name in table.indexes[QUANTITY]:
        for group in table.indexes[GROUP]:
            one = table.sel({QUANTITY: name, GROUP: group})
            if not one["count"]:
                continue
            numbers = [float(one[key]) for key in ("expected_mean", "mean", "expected_std", "std")]
            texts = ("–" if np.isnan(number) else f"{number:.4g}" for number in numbers)
            found.append((_title(str(name)), str(group), f"{int(one['count']):,}", *texts))
    return found


def _title(quantity: str) -> str:
    if quantity == SIZE:
        return f"|{FEATURE_BY_NAME[PERTURBATION].long_name}|"
    return FEATURE_BY_NAME[quantity].long_name
