"""The cells of a dataset that are counted: labels and features, checked, in one order; their number and largest size.

:func:`largest_effects` is the only function here that computes anything.
"""

import numpy as np
import xarray as xr

from yeastxr.arguments import InputError
from yeastxr.binning import LABEL
from yeastxr.schema import FEATURES, SchemaError, check_array, check_feature


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
    variables = ds[names].drop_vars([name for name in ds.coords if name not in ds.indexes])
    if len({variables[name].chunks for name in names}) > 1:
        variables = variables.chunk().unify_chunks()  # NumPy-backed variables take the chunks of those beside them
    ds = ds[names].assign(variables.data_vars)
    return [ds[name].transpose(*dims) for name in (LABEL, *features)]
