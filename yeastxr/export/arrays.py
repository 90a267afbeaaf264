"""Export to arrays: torch tensors, NumPy arrays and netCDF."""

import json
import numbers
from collections.abc import Hashable, Mapping
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import xarray as xr

from yeastxr._blocks import Region, for_each_block
from yeastxr._utils import import_extra
from yeastxr.errors import InputError, format_value
from yeastxr.export.selection import Advance, align_variables, check_labels, get_labels, get_sizes
from yeastxr.schema import FEATURE_NAMES, convert_text, order_dims, to_text_array
from yeastxr.training.tensors import to_torch


def check_tensor(ds: xr.Dataset, features: object) -> None:
    """Raise if torch is missing, or for variables that a tensor can't contain."""
    import_extra("torch", "torch")
    for name in ds.data_vars if features is not None else ():
        if name not in FEATURE_NAMES:
            raise InputError(
                f"features contains {name!r}, an extra variable; expected only features for a tensor (.pt)"
            )


def write_tensor(ds: xr.Dataset, features: list[str] | None, path: Path) -> None:
    """Write a float32 tensor ``[..., genes, TFs, features]``."""
    import torch

    torch.save(to_torch(ds, features=features), path)


def write_arrays(ds: xr.Dataset, path: Path) -> None:
    """Write an array for each variable, and for the labels of each dimension."""
    arrays: dict[str, Any] = {str(name): order_dims(array).values for name, array in ds.data_vars.items()}
    for dim in get_sizes(ds):
        labels = get_labels(ds, dim)
        # Text labels become fixed-width strings, because numpy.load rejects objects by default.
        arrays[str(dim)] = labels.astype(str) if labels.dtype.kind == "O" else labels
    np.savez_compressed(path, **arrays)


def check_netcdf(ds: xr.Dataset, path: Path) -> None:
    """Raise for labels that netCDF can't store, and if the extra is missing."""
    import_extra("h5netcdf", "netcdf")
    check_labels(ds, path)
    for dim, index in ds.indexes.items():
        if index.nlevels > 1:
            raise InputError(
                f"the dimension {dim!r} has a MultiIndex with {index.nlevels} levels; expected one level for netCDF"
            )


def write_netcdf(ds: xr.Dataset, path: Path, advance: Advance) -> None:
    """Write a netCDF file: coordinates and attributes with xarray, then the variables block by block."""
    h5netcdf = import_extra("h5netcdf", "netcdf")
    coords = convert_text(ds.drop_vars(list(ds.data_vars)).drop_encoding())
    plain = {}
    for name, coord in coords.coords.items():
        values = coord.values
        if values.dtype.kind == "O":
            values = to_text_array([str(text) for text in values.reshape(-1)]).reshape(values.shape)
        plain[name] = (coord.dims, values, simplify_attrs(coord.attrs))
    xr.Dataset(coords=plain, attrs=simplify_attrs(ds.attrs)).to_netcdf(path, engine="h5netcdf")
    groups: dict[frozenset[Hashable], list[str]] = {}  # a variable keeps its dimensions
    for name, array in ds.data_vars.items():
        groups.setdefault(frozenset(array.dims), []).append(str(name))
    with h5netcdf.File(path, "a") as file:
        for dims, names in groups.items():
            aligned = align_variables(ds[names])
            for name in names:
                array = aligned[name]
                is_bool = array.dtype == bool
                attrs = simplify_attrs(ds[name].attrs) | ({"dtype": "bool"} if is_bool else {})  # like xarray
                for dim in array.dims:
                    if dim not in file.dimensions:
                        file.dimensions[dim] = array.sizes[dim]
                file.create_variable(name, array.dims, np.int8 if is_bool else array.dtype).attrs.update(attrs)
            is_widest = len(dims) == max(map(len, groups))
            write_blocks(aligned, {name: file.variables[name] for name in names}, advance if is_widest else _pass)


def _pass(done: int) -> None:
    """Ignore progress, which counts only the pairs of variables with the most dimensions."""


def write_blocks(ds: xr.Dataset, targets: Mapping[str, Any], advance: Advance) -> None:
    """Write aligned variables to arrays of a file, block by block; bool as int8 if the file has no bool."""
    lock = Lock()  # HDF5 needs a lock for writing

    def write(region: Region, blocks: list[np.ndarray]) -> None:
        with lock:
            for target, block in zip(targets.values(), blocks, strict=True):
                target[region] = block.astype(target.dtype, copy=False)
            advance(blocks[0].size)

    for_each_block([ds[name] for name in targets], write)


def simplify_attrs(attrs: Mapping[Any, Any]) -> dict[str, Any]:
    """Convert attributes to strings and numbers; other values become JSON or text."""
    return {str(name): _simplify_value(value) for name, value in attrs.items()}


def _simplify_value(value: Any) -> Any:
    """Convert a value to a string, a number or an array of numbers."""
    if isinstance(value, bool | np.bool_):
        return int(value)
    if isinstance(value, numbers.Integral):
        return int(value) if -(2**63) <= int(value) < 2**64 else str(value)
    if isinstance(value, str | numbers.Real) or (isinstance(value, np.ndarray) and value.dtype.kind in "iuf"):
        return value
    try:
        return json.dumps(value)
    except (TypeError, ValueError):
        return format_value(value, 1000)
