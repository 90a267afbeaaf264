"""Datasets in zarr v3 stores: saved block by block so that a run that ends early is taken up again, opened, extended.

A store is made in this order: metadata and coordinates, records of what it is made of, blocks with their digests, and
last the root attribute that says that it is whole.
"""

import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from yeastxr._validate import check_integer, check_number, check_sequence
from yeastxr.errors import (
    InputError,
    InputTypeError,
    SchemaError,
    StoreError,
    StoreExistsError,
    describe_error,
    format_value,
)
from yeastxr.schema import CORE_DIMS, FEATURE_NAMES, convert_text, validate
from yeastxr.simulation.simulate import SimulationSpec
from yeastxr.storage.layout import (
    COMPLETE,
    Layout,
    Records,
    check_encoding,
    check_storable,
    differences,
    everywhere,
    layout_of,
    made_of,
    mark,
    resize,
    root_attrs,
    write_template,
)
from yeastxr.storage.location import Location, StoreLike, locate
from yeastxr.storage.verify import simulation_in
from yeastxr.storage.writer import write_missing

_SAFE_CODECS = {"bytes", "transpose", "blosc", "zstd", "gzip", "crc32c", "sharding_indexed", "vlen-utf8", "vlen-bytes"}


def save(
    ds: xr.Dataset,
    store: StoreLike,
    *,
    overwrite: bool = False,
    encoding: Mapping[str, Mapping[str, Any]] | None = None,
    progress: bool | None = None,
    storage_options: Mapping[str, Any] | None = None,
) -> Any:
    """Save a dataset as a zarr v3 store, block by block.

    A dask-backed dataset is computed as it is written, by dask's scheduler: threads, or a ``distributed.Client``. At
    most a few blocks are in memory. If the run ends early, the store is unfinished: ``open`` refuses it, and saving the
    same again goes on where it ended. The dataset is not changed.

    Parameters
    ----------
    ds
        The dataset, dims ``(..., gene, tf)`` in any order; stored in that one. NumPy or dask.
    store
        Where to: a path, a URL such as ``file://``, ``memory://`` or ``s3://`` (the extra ``cloud``), or a zarr store.
        Missing folders are made.
    overwrite
        Whether to replace a yeastxr store that is there. In a folder it stays until the new one is whole; elsewhere it
        goes first, so a dataset that reads it must not be saved onto it. Nothing else is ever replaced.
    encoding
        For each variable, zarr encodings that go before the defaults: chunks, shards, compressors and so on.
    progress
        Whether to show a bar on standard error; by default where that is a terminal.
    storage_options
        For object stores: what obstore takes.

    Returns
    -------
    pathlib.Path or zarr store
        Where it was written.

    Raises
    ------
    SchemaError
        If the dataset does not follow the data model.
    StoreError
        If something is in the way, another process is writing there, or an argument is not what it must be; nothing is
        written then.

    Examples
    --------
    >>> import tempfile
    >>> import yeastxr as yx
    >>> ds = yx.simulate(genes=100, bound=[0.1, 0.2], seed=42)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     yx.open(yx.save(ds, f"{folder}/sim.zarr")).identical(ds)
    True
    """
    location = locate(store, storage_options=storage_options)
    ds = convert_text(validate(ds), np.dtypes.StringDType())
    check_storable(ds)
    given = check_encoding(ds, encoding)
    plain = ds.transpose(..., *CORE_DIMS, "feature", missing_dims="ignore").drop_encoding()
    layout = layout_of(plain, given)
    asked = made_of(plain, layout, given)
    there = _what_is_there(location)
    if there == "complete" and not overwrite:
        raise StoreExistsError(
            f"store is {location.name}, which exists already; expected a new place, or overwrite to replace the store"
        )
    if there == "complete" and location.path is not None:
        aside = location.beside("new")
        if _what_is_there(aside) != "nothing" and _changes(aside, asked):
            aside.clear()
        _write(plain, aside, layout, asked, given, progress)
        _move(aside.path, location.path)  # type: ignore[arg-type]
        return location.given
    if there == "unfinished" and (changed := _changes(location, asked)):
        if not overwrite:
            raise StoreExistsError(
                f"store is {location.name}, which holds an unfinished save of something else ({'; '.join(changed)}); "
                "expected the same again to finish it, or overwrite to replace it"
            )
        there = "complete"
    if there == "complete":
        location.clear()
    _write(plain, location, layout, asked, given, progress)
    return location.given


def open(
    store: StoreLike,
    *,
    chunks: Any = "stored",
    incomplete: bool = False,
    storage_options: Mapping[str, Any] | None = None,
) -> xr.Dataset:
    """Open a store as a dataset.

    Parameters
    ----------
    store
        A path, also of a zip file, a URL, or a zarr store.
    chunks
        ``"stored"`` for dask with the store's own chunks; None for NumPy arrays that load when they are used; anything
        else goes to xarray, such as ``{"tf": 100}``.
    incomplete
        Whether to open an unfinished store, too; what is missing reads as 0 and False.
    storage_options
        For object stores: what obstore takes.

    Returns
    -------
    xarray.Dataset
        What was saved: identical, whatever its chunks.

    Raises
    ------
    StoreNotFoundError
        If there is nothing.
    StoreError
        If it is not a yeastxr store, is unfinished, or can't be read; later, when a chunk is read that is missing.
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
    location = locate(store, storage_options=storage_options, read_only=True)
    attrs = root_attrs(location)
    if not incomplete and attrs[COMPLETE] is not True:
        raise StoreError(
            f"store is {location.name}, which is unfinished; expected the same save again, or verify with repair, "
            "to finish it, or incomplete=True to open it as it is"
        )
    from yeastxr.storage.strict import whole

    if isinstance(chunks, str) and chunks not in ("stored", "auto"):
        raise InputError(
            f"chunks is {format_value(chunks)}; expected 'stored', 'auto', None or sizes such as {{'tf': 100}}"
        )
    rechunk = isinstance(chunks, Mapping)  # cut after opening: what is stored stays the unit of reading
    as_stored = rechunk or (isinstance(chunks, str) and chunks == "stored")
    try:
        _check_codecs(location)
        store = location.store if incomplete else whole(location)
        ds = xr.open_zarr(store, consolidated=False, chunks={} if as_stored else chunks)
        # Short ones are read now: in chunks of their own they would not fit those of the features.
        if short := [name for name, coord in ds.coords.items() if coord.ndim < 2 and coord.variable.chunks]:
            others = [name for name in ds.variables if name not in short]
            read = xr.open_zarr(store, consolidated=False, chunks=None, drop_variables=others).load()
            ds = ds.assign_coords({name: read.variables[name] for name in short})
        ds = ds.chunk(chunks) if rechunk else ds
    except InputError:
        raise
    except Exception as error:  # whatever readers make of metadata that is not what it must be
        raise StoreError(f"store is {location.name}, which can't be read: {describe_error(error)}") from error
    ds.attrs.pop(COMPLETE, None)
    order = sorted(ds.data_vars, key=lambda name: FEATURE_NAMES.index(name) if name in FEATURE_NAMES else len(ds))
    encoding = ds.encoding
    ds = xr.Dataset({name: ds.variables[name] for name in order}, ds.coords, ds.attrs)  # stores keep no order
    ds.encoding = encoding
    try:
        return validate(convert_text(ds))
    except SchemaError as error:
        raise SchemaError(f"store is {location.name}: {error}") from None


def unfinished_seed(store: StoreLike) -> int | None:
    """Return the seed of an unfinished simulation, so that the command that began it, without a seed, finishes it."""
    location = locate(store)
    attrs = location.attrs() if location.exists() else None
    seed = None if attrs is None or attrs.get(COMPLETE) is not False else attrs.get("seed")
    return seed if isinstance(seed, int) else None


def _what_is_there(location: Location) -> str:
    """Say "nothing", "unfinished" or "complete"; refuse a place where something else is."""
    if not location.exists():
        return "nothing"
    attrs = location.attrs()
    folder = location.path if attrs is None and location.path is not None and location.path.is_dir() else None
    if folder is not None and all(file.suffix == ".partial" for file in folder.iterdir()):
        return "nothing"  # empty, or a writer ended before its first file
    if attrs is None or COMPLETE not in attrs:
        raise StoreExistsError(
            f"store is {location.name}, where something is that is not a yeastxr store; expected a new place"
        )
    return "complete" if attrs[COMPLETE] is True else "unfinished"


def _changes(location: Location, asked: dict[str, Any]) -> list[str]:
    """Say how an unfinished store differs from what is asked; not at all, where it ended before it said what it is."""
    try:
        return differences(Records.read(location).made_of, asked)
    except StoreError:
        return []


def _write(
    ds: xr.Dataset,
    location: Location,
    layout: Layout,
    asked: dict[str, Any],
    encoding: Mapping[str, Mapping[str, Any]],
    progress: bool | None,
) -> None:
    """Write a store from its start, or go on where a run ended."""
    if location.path is not None:
        location.path.parent.mkdir(parents=True, exist_ok=True)
    with location.locked():
        try:
            records = Records.read(location)
        except StoreError:
            write_template(ds, location, layout, encoding)
            records = Records.new(asked, layout)
            records.write(location)
        write_missing(ds, location, records, progress=progress)
        mark(location, complete=True)


def _check_codecs(location: Location) -> None:
    """Refuse a store with codecs that could run code of its own, such as pickles, before anything is decoded."""
    import zarr

    for name, array in zarr.open_group(location.store, mode="r", use_consolidated=False).arrays():
        for codec in array.metadata.codecs:  # type: ignore[union-attr]
            kind = str(codec.to_dict()["name"])
            if kind not in _SAFE_CODECS and not (kind.startswith("numcodecs.") and "pickle" not in kind):
                raise StoreError(
                    f"store is {location.name}, whose {name} has the codec {format_value(kind)}; it is refused"
                )


def _move(aside: Path, path: Path) -> None:
    """Put a finished store in the place of another, which goes only after that."""
    replaced = path.with_name(f".{path.name}.old")
    path.rename(replaced)
    try:
        aside.rename(path)
    except BaseException:
        replaced.rename(path)
        raise
    shutil.rmtree(replaced)


def extend(
    store: StoreLike,
    *,
    bound: Any = (),
    n_sample: Any = None,
    tfs: Any = None,
    replicates: int | None = None,
    tf_relationships: Mapping[Any, Any] | None = None,
    progress: bool | None = None,
    storage_options: Mapping[str, Any] | None = None,
) -> Any:
    """Add TFs or replicates to a simulation in a store: what is there stays, and what is new is made.

    The outcome equals a larger simulation made at once, as no value depends on how many TFs or replicates there are.
    Blocks that are whole are not touched; a last one that was cut short by the end of the data is made again, longer.

    Parameters
    ----------
    store
        A path, a URL, or a zarr store.
    bound, n_sample, tfs
        Bound fractions of the new TFs, how many for each, and their names where the others have names.
    replicates
        How many replicates there are to be in all.
    tf_relationships
        Conditions of the new TFs.
    progress, storage_options
        As for :func:`save`.

    Returns
    -------
    pathlib.Path or zarr store
        The store.

    Raises
    ------
    StoreError
        If the store holds no whole simulation, or nothing would be added.
    InputError
        If a parameter is not what it must be.

    Examples
    --------
    >>> import tempfile
    >>> import yeastxr as yx
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = yx.save(yx.simulate(genes=100, bound=[0.1], seed=42), f"{folder}/sim.zarr")
    ...     more = yx.open(yx.extend(path, bound=[0.2])).compute()
    >>> more.identical(yx.simulate(genes=100, bound=[0.1, 0.2], seed=42).compute())
    True
    """
    location = locate(store, storage_options=storage_options)
    if root_attrs(location)[COMPLETE] is not True:
        raise StoreError(
            f"store is {location.name}, which is unfinished; expected verify with repair to finish it first"
        )
    records = Records.read(location)
    old = simulation_in(records, location)
    asked = _larger(old, bound, n_sample, tfs, replicates, tf_relationships)
    if asked == old:
        raise StoreError("extend is given nothing to add; expected bound fractions of new TFs, or more replicates")
    sizes = {"replicate": asked.replicates or 1, "gene": asked.n_genes, "tf": len(asked.tf_labels)}
    layout = Layout({dim: sizes[dim] for dim in records.layout.sizes}, records.layout.lengths)
    ds = asked.simulate(chunks=layout.lengths)
    own = sorted(set(records.made_of["coordinates"]) - set(map(str, ds.coords)))
    if own:
        raise StoreError(
            f"store is {location.name}, which has coordinates of its own ({', '.join(own)}); expected none"
        )
    target = {**made_of(ds, layout, {}), "encoding": records.made_of["encoding"]}
    grown = Records.new(target, layout)
    for block in records.layout.blocks():
        if records.layout.region(block) == layout.region(block):
            grown.digests[everywhere(block)] = records.digests[everywhere(block)]
    with location.locked():
        mark(location, complete=False)
        grown.write(location)  # first: from here on, repairing the store makes the larger one
        resize(location, layout, ds)
        write_missing(ds, location, grown, progress=progress, title="extending")
        mark(location, complete=True)
    return location.given


def _larger(
    old: SimulationSpec, bound: Any, n_sample: Any, tfs: Any, replicates: Any, tf_relationships: Any
) -> SimulationSpec:
    """Return the specification of the larger simulation."""
    changes: dict[str, Any] = {}
    fractions = check_sequence("bound", bound, "a list of fractions from 0 to 1")
    if fractions:
        fractions = [check_number(f"bound[{i}]", b, least=0, most=1) for i, b in enumerate(fractions)]
        counts = [1] * len(fractions) if n_sample is None else n_sample
        counts = check_sequence("n_sample", counts, "a list of counts of at least 1")
        if len(counts) != len(fractions):
            raise InputError(f"n_sample has {len(counts)} entries and bound has {len(fractions)}; expected as many")
        changes |= {"bound": [*old.bound, *fractions], "n_sample": [*(old.n_sample or ()), *counts]}
        if (tfs is None) != (old.tfs is None):
            wanted = "names, as the others have them" if tfs is None else "no names, as the others have none"
            raise InputError(f"tfs is {format_value(tfs)}; expected {wanted}")
        changes |= {} if tfs is None else {"tfs": [*(old.tfs or ()), *check_sequence("tfs", tfs, "a list of names")]}
    elif n_sample is not None or tfs is not None:
        raise InputError("bound is missing; expected bound fractions of the new TFs")
    if replicates is not None:
        if old.replicates is None:
            raise InputError(
                f"replicates is {format_value(replicates)}; expected none, as the store has no such dimension"
            )
        changes["replicates"] = check_integer("replicates", replicates, least=old.replicates)
    if tf_relationships is not None:
        if not isinstance(tf_relationships, Mapping):
            raise InputTypeError(
                f"tf_relationships is {format_value(tf_relationships)}; expected a dict from new TFs to lists"
            )
        known = set(old.tf_labels)
        for tf in tf_relationships:
            if tf in known:
                raise InputError(
                    f"tf_relationships names the TF {format_value(tf)}, which is there already; expected new TFs"
                )
        changes["tf_relationships"] = {**(old.tf_relationships or {}), **tf_relationships}
    return replace(old, **changes)
