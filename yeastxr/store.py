"""Stores on disk: a dataset to zarr v3 and back, identical. A store is whole or it is not there."""

import os
import shutil
import uuid
from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

import numpy as np
import xarray as xr

from yeastxr.arguments import InputError, InputTypeError, shown, suggestion
from yeastxr.blocks import CHUNK_CELLS
from yeastxr.schema import CORE_DIMS, FEATURE_BY_NAME, FEATURE_NAMES, GENE, TF, SchemaError, validate

COMPLETE = "yeastxr_complete"  # the root attribute that is written last


class StoreError(InputError):
    """A store is not what it must be."""


class StoreExistsError(StoreError, FileExistsError):
    """Something is already where a store should go."""


class StoreNotFoundError(StoreError, FileNotFoundError):
    """There is no store."""


def save(
    ds: xr.Dataset,
    store: str | os.PathLike[str],
    *,
    overwrite: bool = False,
    encoding: Mapping[str, Mapping[str, Any]] | None = None,
) -> Path:
    """Save a dataset as a zarr v3 store.

    It is written beside its place under another name, and moved there when it is whole: a run that fails leaves
    nothing, and a store that is replaced stays until the new one is there. The dataset is not changed.

    Parameters
    ----------
    ds
        The dataset, dims ``(..., gene, tf)`` in any order; stored in that one. NumPy or dask; a dask-backed one is
        computed chunk by chunk, in parallel.
    store
        Where to: a path or a ``file://`` URL. Missing folders are made.
    overwrite
        Whether to replace a yeastxr store that is there. Nothing else is ever replaced.
    encoding
        For each variable, zarr encodings that go before the defaults.

    Returns
    -------
    pathlib.Path
        Where it was written.

    Raises
    ------
    SchemaError
        If the dataset does not follow the data model.
    StoreError
        If something is in the way, or an argument is not what it must be; nothing is written then.

    Examples
    --------
    >>> import tempfile
    >>> import yeastxr as yx
    >>> ds = yx.simulate(genes=100, bound=[0.1, 0.2], seed=42)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     yx.open(yx.save(ds, f"{folder}/sim.zarr")).identical(ds)
    True
    """
    path = _path(store)
    validate(ds)
    _check_storable(ds)
    given = _check_encoding(ds, encoding)
    _check_free(path, overwrite=overwrite)
    plain = ds.transpose(..., *CORE_DIMS, "feature", missing_dims="ignore").drop_encoding()
    grid = _grid(plain, given)
    # Dask writes chunks in parallel; for one chunk of an array in memory it would only take time to load.
    if plain.chunks or any(n < plain.sizes[dim] for dim, n in grid.items()):
        plain = plain.chunk(grid)
    encodings: dict[Any, dict[str, Any]] = {name: dict(values) for name, values in given.items()}
    for name in FEATURE_NAMES:
        encodings[name] = _default_encoding(plain[name], grid) | encodings.get(name, {})

    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.partial")
    try:
        _write(plain, partial, encodings)
        _move(partial, path)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return path


def open(store: str | os.PathLike[str], *, chunks: Any = "stored") -> xr.Dataset:
    """Open a store as a dataset.

    Parameters
    ----------
    store
        A path or a ``file://`` URL.
    chunks
        ``"stored"`` for dask with the store's own chunks; None for NumPy arrays that load when they are used; anything
        else goes to xarray, such as ``{"tf": 100}``.

    Returns
    -------
    xarray.Dataset
        What was saved: identical, whatever its chunks.

    Raises
    ------
    StoreNotFoundError
        If there is nothing.
    StoreError
        If it is not a yeastxr store, is unfinished, or can't be read.
    SchemaError
        If it lacks a variable, or one has the wrong dims or dtype.

    Examples
    --------
    >>> import tempfile
    >>> import yeastxr as yx
    >>> ds = yx.simulate(genes=100, bound=[0.1, 0.2], seed=42)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     effect = yx.open(yx.save(ds, f"{folder}/sim.zarr")).binding_effect
    ...     effect.chunks is not None, effect.shape
    (True, (100, 2))
    """
    path = _path(store)
    if not path.exists():
        raise StoreNotFoundError(f"store is {str(path)!r}, which does not exist; expected a yeastxr store")
    attrs = _root_attrs(path)
    if attrs is None:
        raise StoreError(f"store is {str(path)!r}, which is not a zarr store; expected one that yeastxr saved")
    if COMPLETE not in attrs:
        raise StoreError(
            f"store is {str(path)!r}, a zarr group that is unfinished or not yeastxr's; expected one that yeastxr saved"
        )
    rechunk = isinstance(chunks, Mapping)  # cut after opening: what is stored stays the unit of reading
    as_stored = rechunk or (isinstance(chunks, str) and chunks == "stored")
    try:
        ds = xr.open_zarr(path, consolidated=False, chunks={} if as_stored else chunks)
        ds = ds.chunk(chunks) if rechunk else ds
    except (KeyError, TypeError, ValueError) as error:
        raise StoreError(f"store is {str(path)!r}, which can't be read: {str(error).splitlines()[0]}") from error
    del ds.attrs[COMPLETE]
    try:
        return validate(ds)
    except SchemaError as error:
        raise SchemaError(f"store is {str(path)!r}: {error}") from None


def _path(store: object) -> Path:
    """Return the path that a store argument names, or refuse it."""
    if not isinstance(store, str | os.PathLike):
        raise InputTypeError(f"store is {shown(store)}; expected a path or a file:// URL")
    text = os.fspath(store)
    if not isinstance(text, str) or not text:
        raise InputError(f"store is {shown(text)}; expected a path or a file:// URL")
    scheme, rest = urlparse(text).scheme, urlparse(text).path
    if scheme == "file":
        return Path(unquote(rest))
    if "://" in text:
        raise InputError(f"store is {shown(text)}; expected a path or a file:// URL")
    return Path(text)


def _root_attrs(path: Path) -> dict[str, Any] | None:
    """Return the attributes of the zarr v3 group at a path, or None if there is none that can be read."""
    import zarr

    if not (path / "zarr.json").is_file():
        return None
    try:
        return dict(zarr.open_group(path, mode="r", zarr_format=3, use_consolidated=False).attrs)
    except (KeyError, TypeError, ValueError, OSError):
        return None


def _check_free(path: Path, *, overwrite: bool) -> None:
    """Refuse a place where something is, unless it is a yeastxr store and may be replaced."""
    if not path.exists() and not path.is_symlink():
        return
    attrs = _root_attrs(path) if path.is_dir() else None
    if attrs is None or COMPLETE not in attrs:
        raise StoreExistsError(
            f"store is {str(path)!r}, where something is that is not a yeastxr store; expected a new place"
        )
    if not overwrite:
        raise StoreExistsError(
            f"store is {str(path)!r}, which exists already; expected a new place, or overwrite to replace the store"
        )


def _check_storable(ds: xr.Dataset) -> None:
    """Refuse what would not come back as it went in."""
    for name, variable in ds.variables.items():
        if variable.dtype.kind in "OT":
            for item in np.asarray(variable.values).reshape(-1):
                if not isinstance(item, str):
                    raise StoreError(f"{name} holds {shown(item)}; expected numbers or text")
    if COMPLETE in ds.attrs:
        raise StoreError(f"the dataset has the attribute {COMPLETE!r}, which is the store's own; expected it not there")


def _check_encoding(ds: xr.Dataset, encoding: Any) -> dict[str, Mapping[str, Any]]:
    if encoding is None:
        return {}
    if not isinstance(encoding, Mapping):
        raise InputTypeError(f"encoding is {shown(encoding)}; expected a dict from variables to dicts")
    for name, values in encoding.items():
        if name not in ds.variables:
            raise StoreError(f"encoding names {shown(name)}, which is no variable; {suggestion(name, ds.variables)}")
        if not isinstance(values, Mapping):
            raise InputTypeError(f"encoding[{name!r}] is {shown(values)}; expected a dict")
    return dict(encoding)


def _grid(ds: xr.Dataset, given: Mapping[str, Mapping[str, Any]]) -> dict[Hashable, int]:
    """Return one chunk length for each dim: the dataset's own where its chunks are even, else the default."""
    label = ds["label"]
    for name, values in given.items():
        if "chunks" in values and name in FEATURE_NAMES:
            return dict(zip(ds[name].dims, values["chunks"], strict=True))
    lengths: dict[Hashable, int] = {dim: 1 for dim in label.dims if dim not in CORE_DIMS}
    lengths[GENE] = label.sizes[GENE]
    lengths[TF] = min(label.sizes[TF], max(1, CHUNK_CELLS // label.sizes[GENE]))
    for dim, sizes in label.chunksizes.items():
        even = all(size == sizes[0] for size in sizes[:-1]) and sizes[-1] <= sizes[0]
        lengths[dim] = sizes[0] if even else min(lengths[dim], max(sizes))
    return lengths


def _default_encoding(array: xr.DataArray, grid: Mapping[Hashable, int]) -> dict[str, Any]:
    """Return the codecs that packed and wrote best, see docs/design.md, and the lengths of chunks."""
    from zarr.codecs import BloscCodec

    bool_codec = BloscCodec(cname="zstd", clevel=1, shuffle="bitshuffle")
    float_codec = BloscCodec(cname="lz4", clevel=5, shuffle="bitshuffle")
    codec = bool_codec if FEATURE_BY_NAME[str(array.name)].dtype == bool else float_codec
    return {"compressors": (codec,), "chunks": tuple(grid[dim] for dim in array.dims)}


def _write(ds: xr.Dataset, path: Path, encoding: dict[Any, dict[str, Any]]) -> None:
    """Write everything, and last the mark that it is all there."""
    import zarr

    ds.to_zarr(
        path, mode="w-", zarr_format=3, consolidated=False, encoding=encoding, write_empty_chunks=True
    )  # every chunk is a file, so that one that is missing shows
    zarr.open_group(path, mode="r+", use_consolidated=False).attrs[COMPLETE] = True


def _move(partial: Path, path: Path) -> None:
    """Put a finished store in its place; one that is there goes only after that."""
    if not path.exists():
        partial.rename(path)
        return
    replaced = partial.with_suffix(".replaced")
    path.rename(replaced)
    try:
        partial.rename(path)
    except BaseException:
        replaced.rename(path)
        raise
    shutil.rmtree(replaced)
