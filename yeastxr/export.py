"""Write datasets to files that other programs read: tensors, arrays and tables."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from yeastxr._utils import replace_file
from yeastxr.errors import InputError
from yeastxr.schema import CORE_DIMS, FEATURE, check_feature, get_feature_names, validate
from yeastxr.training.tensors import to_torch


def export(ds: xr.Dataset, path: str | Path, *, features: Sequence[str] | None = None, overwrite: bool = False) -> Path:
    """Write a dataset to a file, in the format that the ending of its name stands for.

    Parameters
    ----------
    ds
        The dataset; NumPy or dask.
    path
        ``.pt``: a float32 tensor ``[..., genes, TFs, features]`` for ``torch.load``. ``.npz``: an array for each
        feature, and the coordinates. ``.csv`` or ``.csv.gz``: a row for each gene and TF.
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
    path = Path(path)
    writers = {".pt": _write_tensor, ".npz": _write_arrays, ".csv": _write_table, ".csv.gz": _write_table}
    ending = next((ending for ending in (".csv.gz", ".csv", ".npz", ".pt") if path.name.endswith(ending)), None)
    if ending is None:
        raise InputError(f"path is {str(path)!r}; expected a name that ends in {', '.join(writers)}")
    validate(ds)
    if features is not None:
        ds = ds.sel({FEATURE: [check_feature(name).name for name in features]})
    if path.exists() and not overwrite:
        raise InputError(f"path is {str(path)!r}, which exists; expected a new name, or overwrite")
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
    for dim in ds["label"].dims:
        labels = ds.coords[dim].values
        arrays[str(dim)] = labels if labels.dtype.kind in "iuf" else np.array([str(label) for label in labels])
    np.savez_compressed(path, **arrays)


def _write_table(ds: xr.Dataset, path: Path) -> None:
    names = get_feature_names(ds)
    dims = list(ds["label"].transpose(..., *CORE_DIMS).dims)
    lead = dims[0]
    # In slabs of the first dim, so that a store larger than memory can be written.
    depth = max(1, 1_000_000 * ds.sizes[lead] // max(1, ds["label"].size))
    columns = ds[names]
    columns = columns.drop_vars([c for c in columns.coords if c not in dims])
    for first in range(0, ds.sizes[lead], depth):
        rows = columns.isel({lead: slice(first, first + depth)}).to_dataframe(dim_order=dims)
        rows.to_csv(path, mode="a" if first else "w", header=first == 0)
