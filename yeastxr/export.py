"""Datasets as tables, and as files that other programs read: tensors, arrays and tables."""

from collections.abc import Hashable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from yeastxr._utils import replace_file
from yeastxr._validate import check_overwrite, check_path, check_sequence
from yeastxr.errors import InputError, escape_controls
from yeastxr.schema import (
    CORE_DIMS,
    FEATURE,
    check_feature,
    get_feature_names,
    get_template,
    order_dims,
    to_text_array,
    validate,
)
from yeastxr.training.tensors import to_torch

if TYPE_CHECKING:
    import pandas as pd


_FORMULAS = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")  # the last ones are wide forms of the others


def to_dataframe(ds: xr.Dataset) -> "pd.DataFrame":
    """Return a table with a row for each pair, and for each replicate if there are several.

    ``ds.to_dataframe()``, xarray's own method, repeats every pair for each entry of the coordinate ``feature``.

    Parameters
    ----------
    ds
        The dataset; its coordinate ``feature`` selects and orders the columns. Values that are not in memory are
        computed.

    Returns
    -------
    pandas.DataFrame
        The features in their own dtypes, then other coordinates of genes and TFs, such as ``bound_fraction``; the index
        has the levels ``(..., gene, tf)``.

    Raises
    ------
    SchemaError
        If the dataset does not follow the data model.

    Examples
    --------
    >>> import yeastxr as yx
    >>> ds = yx.simulate(genes=100, bound=[0.1, 0.2], seed=42)
    >>> yx.to_dataframe(ds.sel(feature=["label", "binding_effect"])).shape
    (200, 3)
    """
    ds = validate(ds)
    names, dims = get_feature_names(ds), list(order_dims(get_template(ds)).dims)
    coords = sorted(str(name) for name in ds[names].coords if name not in dims and ds[name].ndim)
    return ds[names].to_dataframe(dim_order=dims)[names + coords]


def export(ds: xr.Dataset, path: str | Path, *, features: Sequence[str] | None = None, overwrite: bool = False) -> Path:
    """Write a dataset to a file, in the format that the ending of its name stands for.

    Parameters
    ----------
    ds
        The dataset; NumPy or dask.
    path
        ``.pt``: a float32 tensor ``[..., genes, TFs, features]`` for ``torch.load``. ``.npz``: an array for each
        feature, and the coordinates. ``.csv`` or ``.csv.gz``: a row for each gene and TF; names that a spreadsheet
        would run as a formula, such as ``=1+1``, begin with an apostrophe, and control characters are escaped.
    features
        Names of features, in this order; the dataset's selection by default.
    overwrite
        Whether to replace an existing file.

    Returns
    -------
    pathlib.Path
        The path of the file.

    Raises
    ------
    InputError
        If the ending or a feature is unknown, or the file exists.

    Examples
    --------
    >>> import tempfile, torch
    >>> import yeastxr as yx
    >>> ds = yx.simulate(genes=100, bound=[0.1, 0.2], seed=42)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     torch.load(export(ds, f"{folder}/tensor.pt")).shape
    torch.Size([100, 2, 5])
    """
    path = check_path("path", path)
    writers = {".pt": _write_tensor, ".npz": _write_arrays, ".csv": _write_table, ".csv.gz": _write_table}
    ending = next((ending for ending in (".csv.gz", ".csv", ".npz", ".pt") if path.name.endswith(ending)), None)
    if ending is None:
        raise InputError(f"path is {str(path)!r}; expected a name that ends in {', '.join(writers)}")
    ds = validate(ds)
    if features is not None:
        names = [features] if isinstance(features, str) else check_sequence("features", features, "names of features")
        ds = ds.assign_coords({FEATURE: to_text_array([check_feature(name).name for name in names])})
    check_overwrite(path, overwrite)
    path.parent.mkdir(parents=True, exist_ok=True)
    with replace_file(path) as partial:
        writers[ending](ds, partial)
    return path


def _write_tensor(ds: xr.Dataset, path: Path) -> None:
    import torch

    torch.save(to_torch(ds), path)


def _write_arrays(ds: xr.Dataset, path: Path) -> None:
    names = get_feature_names(ds)
    arrays: dict[str, Any] = {name: ds[name].transpose(..., *CORE_DIMS).values for name in names}
    # Labels that are text become fixed-width text: by default numpy.load refuses objects.
    for dim in get_template(ds).dims:
        labels = ds.coords[dim].values
        arrays[str(dim)] = labels if labels.dtype.kind in "iuf" else np.array([str(label) for label in labels])
    np.savez_compressed(path, **arrays)


def _write_table(ds: xr.Dataset, path: Path) -> None:
    template = get_template(ds)
    dims = order_dims(template).dims
    ds = _make_cells(ds.drop_vars([name for name in ds.coords if name not in (*dims, FEATURE)]), dims)
    # In slabs of the first dim, so that a store larger than memory can be written.
    depth = max(1, 1_000_000 * ds.sizes[dims[0]] // template.size)
    for first in range(0, ds.sizes[dims[0]], depth):
        rows = to_dataframe(ds.isel({dims[0]: slice(first, first + depth)}))
        rows.to_csv(path, mode="a" if first else "w", header=first == 0)


def write_result(result: xr.Dataset, path: Path, *, overwrite: bool = False) -> Path:
    """Write a labelled result, such as of :mod:`yeastxr.analysis`, as a table: a row for each of its labels."""
    check_result_path(path, overwrite)
    dims = [str(dim) for dim in max((array.dims for array in result.data_vars.values()), key=len)]
    table = _make_cells(result.reset_coords(drop=True), dims).to_dataframe(dim_order=dims)
    path.parent.mkdir(parents=True, exist_ok=True)
    with replace_file(path) as partial:
        table.to_csv(partial)
    return path


def check_result_path(path: Path, overwrite: bool) -> None:
    """Refuse a path that is not that of a new table."""
    if not path.name.endswith((".csv", ".csv.gz")):
        raise InputError(f"path is {str(path)!r}; expected a name that ends in .csv or .csv.gz")
    check_overwrite(path, overwrite)


def _make_cells(ds: xr.Dataset, dims: Iterable[Hashable]) -> xr.Dataset:
    """Return a dataset whose labels along some dims are cells of a table."""
    for dim in dims:
        labels = ds.get_index(dim)
        if labels.dtype.kind not in "iufb":
            ds = ds.assign_coords({dim: [_make_cell(label) for label in labels]})
    return ds


def _make_cell(label: Any) -> Any:
    """Return a label for a table: a spreadsheet would run a name such as ``=1+1``, and obey control characters."""
    if not isinstance(label, str):
        return label
    text = escape_controls(label)
    return f"'{text}" if label.lstrip().startswith(_FORMULAS) or label[:1] in ("\t", "\r", "\n") else text
