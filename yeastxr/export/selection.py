"""Selection of the data to write: variables with ordered dimensions, plain labels, and slabs of rows in memory."""

import math
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from yeastxr._blocks import CHUNK_CELLS, align_features
from yeastxr._validate import check_names
from yeastxr.errors import InputError, SchemaError, escape_controls, format_value, suggest
from yeastxr.schema import (
    CORE_DIMS,
    FEATURE,
    FEATURE_NAMES,
    GENE,
    TF,
    VARIABLE_BY_NAME,
    get_feature_names,
    list_dims,
    list_extras,
    to_text_array,
    validate,
)

_FORMULAS = (
    "=",
    "+",
    "-",
    "@",
    "\uff1d",
    "\uff0b",
    "\uff0d",
    "\uff20",
)  # the last ones are wide forms of the first ones

Advance = Callable[[int], None]
"""A function that is called with the number of pairs written since the last call."""


def select_variables(ds: xr.Dataset, features: object = None) -> xr.Dataset:
    """Return a dataset of the variables to write, in order; ``feature`` lists the features among them.

    The default is the features that the dataset selects, followed by its extra variables.
    """
    ds = validate(ds)
    if features is None:
        return ds[[*get_feature_names(ds), *list_extras(ds)]].assign_coords({FEATURE: ds.coords[FEATURE]})
    names = check_names("features", [features] if isinstance(features, str) else features)
    known = [name for name in VARIABLE_BY_NAME if name in ds.data_vars]
    for name in names:
        if name not in VARIABLE_BY_NAME:
            raise SchemaError(f"unknown feature {format_value(name)}; {suggest(name, known)}")
        if name not in known:
            raise SchemaError(f"the dataset has no variable {name!r}; {suggest(name, known)}")
    chosen = [name for name in names if name in FEATURE_NAMES]
    ds = ds[list(names)]
    return ds.assign_coords({FEATURE: to_text_array(chosen)}) if chosen else ds.drop_vars(FEATURE, errors="ignore")


def align_variables(ds: xr.Dataset) -> xr.Dataset:
    """Return the variables with all dimensions ``(..., gene, tf)``, and equal chunks unless all are in memory."""
    names = [str(name) for name in ds.data_vars]
    aligned = align_features(ds, names)
    return xr.Dataset(dict(zip(names, aligned, strict=True)), attrs=ds.attrs).assign_coords(ds.coords)


def get_sizes(ds: xr.Dataset) -> dict[str, int]:
    """Return all dimensions of the variables, gene and tf last, and their sizes."""
    return {dim: ds.sizes[dim] for dim in list_dims(ds, ds.data_vars)}


def order_rows(ds: xr.Dataset) -> tuple[Hashable, ...]:
    """Return the dimensions in the order of rows, in which the genes of a TF are consecutive."""
    first = next(iter(ds.data_vars.values()))
    return (*(dim for dim in first.dims if dim not in CORE_DIMS), TF, GENE)


def iterate_slabs(
    ds: xr.Dataset, dims: Sequence[Hashable], advance: Advance, cells: int = CHUNK_CELLS
) -> Iterator[tuple[dict[Hashable, slice], xr.Dataset]]:
    """Yield slabs of about ``cells`` rows of aligned variables, in order: slices, and values in memory."""
    chunks = next(iter(ds.data_vars.values())).variable.chunksizes
    for region in cut_rows({dim: ds.sizes[dim] for dim in dims}, chunks, cells):
        slab = ds.isel(region).compute()
        yield region, slab.transpose(*dims, ...)
        advance(math.prod(slab.sizes[dim] for dim in dims))


def cut_rows(
    sizes: Mapping[Hashable, int], chunks: Mapping[Hashable, tuple[int, ...]], cells: int
) -> Iterator[dict[Hashable, slice]]:
    """Cut the rows of an array, in order, into slabs of at most ``cells``, along chunks if these are small enough."""
    dims = list(sizes)
    below = [math.prod(list(sizes.values())[axis + 1 :]) for axis in range(len(dims))]
    axis = next(axis for axis, size in enumerate(below) if size <= cells)
    dim = dims[axis]
    parts = list(_merge_lengths(chunks.get(dim, (sizes[dim],)), cells // below[axis]))
    for index in np.ndindex(*(sizes[before] for before in dims[:axis])):
        outer: dict[Hashable, slice] = {name: slice(i, i + 1) for name, i in zip(dims, index, strict=False)}
        for part in parts:
            yield outer | {dim: part}


def _merge_lengths(lengths: Sequence[int], most: int) -> Iterator[slice]:
    """Yield slices of at most the given length: one or more complete chunks, or parts of a chunk."""
    start = stop = 0
    for length in lengths:
        if stop > start and stop + length - start > most:
            yield slice(start, stop)
            start = stop
        stop += length
        while stop - start > most:
            yield slice(start, start + most)
            start += most
    if stop > start:
        yield slice(start, stop)


def get_labels(ds: xr.Dataset, dim: Hashable) -> np.ndarray:
    """Return the labels of a dimension as numbers, bools or str objects; positions if there are no labels."""
    labels = ds.get_index(dim)
    if labels.dtype.kind in "iufb":
        return labels.to_numpy()
    return to_text_array([str(label) for label in labels])


def check_labels(ds: xr.Dataset, path: Path) -> None:
    """Raise for labels that a binary file can't store: strings with NUL, or invalid Unicode."""
    for name, coord in ds.coords.items():
        for label in coord.values.reshape(-1) if coord.dtype.kind in "OTU" else ():
            text = str(label)
            if "\0" in text or text != text.encode("utf-8", "ignore").decode():
                raise InputError(
                    f"{name} contains {format_value(text)}, which can't be stored in a file such as {path.name!r}; "
                    "expected valid Unicode without NUL"
                )


def make_cells(labels: np.ndarray) -> np.ndarray:
    """Return labels as cells of a text table: numbers unchanged, strings escaped."""
    return labels if labels.dtype.kind in "iufb" else to_text_array([make_cell(label) for label in labels])


def make_cell(label: Any) -> Any:
    """Escape a label for a table, because spreadsheets run formulas (``=1+1``) and interpret control characters."""
    if not isinstance(label, str):
        return label
    text = escape_controls(label)
    return f"'{text}" if label.lstrip().startswith(_FORMULAS) or label[:1] in ("\t", "\r", "\n") else text
