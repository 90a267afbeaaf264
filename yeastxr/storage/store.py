"""Datasets in zarr v3 stores: save block by block, resume interrupted runs, open and extend.

A store is written in this order: metadata and coordinates, records that identify the dataset, blocks with their
digests, and finally the attribute of the root that marks it as complete.
"""

import json
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

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
    suggest,
)
from yeastxr.schema import (
    BINDING,
    BOUND_FRACTION,
    CORE_DIMS,
    FEATURE,
    MEASUREMENT,
    REPLICATE,
    TF,
    VARIABLE_BY_NAME,
    convert_text,
    list_dims,
    list_variables,
    validate,
)
from yeastxr.simulation.parameters import PerturbationParameters
from yeastxr.simulation.simulate import SimulationSpec
from yeastxr.simulation.steps import get_sizes
from yeastxr.simulation.sweeps import Sweep
from yeastxr.storage.layout import (
    Layout,
    Records,
    check_codecs,
    check_encoding,
    check_name,
    check_storable,
    choose_layout,
    describe_differences,
    digest_bytes,
    digest_others,
    identify,
    index_block,
    list_others,
    list_paths,
    mark,
    read_root_attrs,
    read_template,
    restore_documents,
    restore_files,
    to_plain_attrs,
    write_template,
)
from yeastxr.storage.location import COMPLETE, Location, StoreLike, locate
from yeastxr.storage.metadata import (
    Document,
    compare,
    list_user_attrs,
    merge_user_attrs,
    read_documents,
    write_document,
)
from yeastxr.storage.verify import check_values, find_simulation
from yeastxr.storage.writer import check_workers, find_absent, finish, write_missing

_NO_BLOCKS = ("zarr.json", ".partial")


def save(
    ds: xr.Dataset,
    store: StoreLike,
    *,
    overwrite: bool = False,
    encoding: Mapping[str, Mapping[str, Any]] | None = None,
    sync: bool = True,
    progress: bool | None = None,
    storage_options: Mapping[str, Any] | None = None,
) -> Any:
    """Save a dataset as a zarr v3 store, block by block.

    A dask-backed dataset is computed while it is written, by dask's scheduler: threads, or a ``distributed.Client``.
    Only a few blocks are in memory at a time. If a run is interrupted, the store is incomplete: ``open`` raises an
    error, and saving the same dataset again resumes. A complete store of the same simulation with the same attributes
    is not rewritten. The dataset does not change.

    Parameters
    ----------
    ds
        The dataset, NumPy or dask, with dimensions in any order; stored as ``(..., gene, tf)``.
    store
        A path, a URL such as ``file://``, ``memory://`` or ``s3://`` (the extra ``cloud``), or a zarr store. ``~`` is
        the home folder, links are followed, and missing folders are created.
    overwrite
        Whether to replace a yeastxr store. In a folder, the old store exists until the new one is complete; in other
        stores it is deleted first, so never save a dataset to the store from which it is read. Stores that contain
        other files are not replaced.
    encoding
        A dict from variables to zarr encodings (chunks, shards, compressors and so on) that override the defaults.
    sync
        Whether to flush all files of a folder to the disk before the store is marked as complete, so that it also
        survives a power failure. This takes about 3 % of the time.
    progress
        Whether to show a progress bar on standard error; by default only in a terminal.
    storage_options
        Options of obstore for object stores.

    Returns
    -------
    pathlib.Path or zarr store
        The absolute path, or the zarr store.

    Raises
    ------
    SchemaError
        If the dataset does not follow the data model.
    StoreError
        If the store exists, another process is writing it, or the dataset can't be stored. Nothing changes then.

    Examples
    --------
    >>> import tempfile
    >>> import yeastxr as yx
    >>> ds = yx.simulate(genes=100, bound=[0.1, 0.2], seed=42)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     yx.open(yx.save(ds, f"{folder}/sim.zarr")).identical(ds)
    True
    """
    _check_flags(overwrite=overwrite, sync=sync, progress=progress)
    location = locate(store, storage_options=storage_options)
    plain, layout, encodings, identity = _prepare(ds, encoding)
    memory = check_storable(plain, layout, encodings)
    check_workers(plain, location)
    with location.lock(make_parents=True):
        location.recover()
        state = location.classify()
        target = location
        if state == "complete":
            if not overwrite and _holds(location, plain, identity):
                return location.handle
            if not overwrite:
                raise StoreExistsError(
                    f"store is {location.name}, which already exists; choose another path or pass overwrite=True"
                )
            location.check_own()
            if location.path is None:
                mark(location, complete=False)
                location.clear()
            else:
                target = location.get_sibling("new")
                state = target.classify()
        target.check_links()
        records = _find_records(target, identity, overwrite=overwrite) if state != "nothing" else None
        if records is None:
            if target.exists():
                target.clear()
            write_template(plain, target, layout, encodings)
            metadata = cast("dict[str, Document]", read_documents(target, list_paths(plain)))
            files = digest_others(target, list_others(plain))
            records = Records.create(identity, layout, metadata, list_user_attrs(plain), files)
            records.write(target)
        else:
            _resume(plain, target, records, memory)
        write_missing(plain, target, records, progress=progress)
        finish(target, records, sync=sync)
        if target is not location:
            location.check_own()
            location.replace_with(target, sync=sync)
    return location.handle


def _resume(ds: xr.Dataset, target: Location, records: Records, memory: Location) -> None:
    """Update metadata and coordinates of an incomplete store, as attributes of the dataset may have changed."""
    absent = find_absent(target, records)
    restore_files(target, records, read_template(memory, list_others(ds)))
    before = records.metadata
    documents = read_documents(memory, before)
    attrs = {path: document["attributes"] for path, document in documents.items() if document is not None}
    records.metadata = {path: {**saved, "attributes": attrs[path]} for path, saved in before.items()}
    records.user_attrs = list_user_attrs(ds)
    records.digests[: len(records.names)][absent] = 0
    if records.metadata != before:
        records.write(target)
    documents = read_documents(target, records.metadata)
    for path, document in records.metadata.items():
        if documents[path] != document:
            write_document(target, path, document)


def is_saved(ds: xr.Dataset, store: StoreLike, *, storage_options: Mapping[str, Any] | None = None) -> bool:
    """Return whether a complete store already contains the same simulation, with the same labels and attributes."""
    location = locate(store, storage_options=storage_options, read_only=True)
    if not location.exists() or (location.read_attrs() or {}).get(COMPLETE) is not True:
        return False
    plain, _, _, identity = _prepare(ds, None)
    return _holds(location, plain, identity)


def _prepare(ds: xr.Dataset, encoding: Any) -> tuple[xr.Dataset, Layout, dict[str, Mapping[str, Any]], dict[str, Any]]:
    """Return a dataset in its stored form, its layout, its encodings and its identity."""
    ds = convert_text(validate(ds), np.dtypes.StringDType())
    for label in (*ds.variables, *ds.dims):
        check_name(label)
    encodings = check_encoding(ds, encoding)
    dims = list_dims(ds)
    plain = ds.transpose(*dims[:-2], ..., *CORE_DIMS, FEATURE, missing_dims="ignore").drop_encoding()
    own = list_variables(plain)
    for name, array in plain.variables.items():
        if name not in own and array.chunks:  # chunks of zarr are even
            plain[name] = array.chunk({dim: max(sizes) for dim, sizes in array.chunksizes.items()})
    layout = choose_layout(plain, encodings)
    return plain, layout, encodings, identify(plain, layout, encodings)


def _check_flags(**flags: Any) -> None:
    """Raise unless flags are True or False; ``progress`` may be None."""
    for name, value in flags.items():
        if not isinstance(value, bool | np.bool_) and not (name == "progress" and value is None):
            expected = "True, False or None" if name == "progress" else "True or False"
            raise InputTypeError(f"{name} is {format_value(value)}; expected {expected}")


def _find_records(location: Location, identity: dict[str, Any], *, overwrite: bool) -> Records | None:
    """Return the records of an incomplete save of the same dataset, or None to start again; otherwise raise."""
    try:
        records = Records.read(location)
    except StoreError:
        own = location.list_keys()[0]
        has_blocks = any(key.partition("/")[0] in VARIABLE_BY_NAME and not key.endswith(_NO_BLOCKS) for key in own)
        if has_blocks and not overwrite:
            raise StoreExistsError(
                f"store is {location.name}, which has blocks without records; pass overwrite=True to replace it"
            ) from None
        return None
    differences = describe_differences(records.identity, identity)
    if differences and not overwrite:
        raise StoreExistsError(
            f"store is {location.name}, an incomplete save of another dataset ({'; '.join(differences)}); "
            "save the same dataset again, or pass overwrite=True"
        )
    return None if differences else records


def _holds(location: Location, ds: xr.Dataset, identity: dict[str, Any]) -> bool:
    """Return whether a complete store contains all blocks of the same simulation, labels and attributes."""
    if identity["values"] is not None:
        return False
    try:
        records = Records.read(location)
        stored = open(location.handle)
        absent = find_absent(location, records) | records.find_missing()
    except (InputError, OSError, KeyError, TypeError, ValueError):
        return False
    keys = ("specification", "values", "coordinates", "others")
    same = all(records.identity.get(key) == identity.get(key) for key in keys)
    return same and not absent.any() and _list_attrs(stored) == _list_attrs(ds)


def _list_attrs(ds: xr.Dataset) -> str:
    """Return all attributes of a dataset as text, except the version of the package."""
    attrs = {str(name): to_plain_attrs(variable.attrs, str(name)) for name, variable in ds.variables.items()}
    attrs[""] = {**to_plain_attrs(ds.attrs, "the attributes"), "yeastxr_version": None}
    return json.dumps(attrs, sort_keys=True)


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
        A path of a folder or a zip file, a URL, or a zarr store.
    chunks
        ``"stored"`` for dask arrays with the chunks of the store; None for NumPy arrays that are read on use;
        ``"auto"`` for dask's choice, or sizes such as ``{"tf": 100}``.
    incomplete
        Whether to open an incomplete store; missing blocks are read as 0 and False.
    storage_options
        Options of obstore for object stores.

    Returns
    -------
    xarray.Dataset
        A dataset identical to the saved one.

    Raises
    ------
    StoreNotFoundError
        If the store does not exist.
    StoreError
        If it is not a yeastxr store, is incomplete, or can't be read; on reading, if a chunk is missing or damaged.
    SchemaError
        If a variable is missing, or has the wrong dimensions or dtype.

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
    location.recover_to_read()
    attrs = read_root_attrs(location)
    if not incomplete and attrs[COMPLETE] is not True:
        raise StoreError(
            f"store is {location.name}, which is incomplete; save the same dataset again or call verify(repair=True) "
            "to complete it, or pass incomplete=True to open it unchanged"
        )
    import zarr

    from yeastxr.storage.strict import StrictStore

    if isinstance(chunks, str) and chunks not in ("stored", "auto"):
        raise InputError(
            f"chunks is {format_value(chunks)}; expected 'stored', 'auto', None or sizes such as {{'tf': 100}}"
        )
    rechunk = (
        isinstance(chunks, Mapping | str) and chunks != "stored"
    )  # after opening, so that stored chunks are read once
    records = _read_checked_records(location, incomplete, attrs[COMPLETE] is True)
    try:
        opened = StrictStore(location.store, location.name, records, partial=incomplete)
        check_codecs(Location(opened, location.name))
        with zarr.config.set({"array.order": "F"}):  # TF by TF, like stored blocks, so that reading does not transpose
            ds = xr.open_zarr(opened, consolidated=False, chunks={} if rechunk or chunks == "stored" else chunks)
        # Read short coordinates now: their chunks would not match those of the features.
        lazy = {name: coord for name, coord in ds.coords.items() if coord.variable.chunks}
        if short := [name for name, coord in lazy.items() if coord.ndim < 2 or name == BOUND_FRACTION]:
            others = [name for name in ds.variables if name not in short]
            loaded = xr.open_zarr(opened, consolidated=False, chunks=None, drop_variables=others).load()
            ds = ds.assign_coords({name: loaded.variables[name] for name in short})
        ds = _rechunk(ds, chunks) if rechunk else ds
    except InputError:
        raise
    except Exception as error:  # readers raise many types of errors for invalid metadata
        raise StoreError(f"store is {location.name}, which can't be read: {describe_error(error)}") from error
    ds.attrs.pop(COMPLETE, None)
    known = list(VARIABLE_BY_NAME)
    order = sorted(ds.data_vars, key=lambda name: known.index(str(name)) if name in known else len(known))
    encoding = ds.encoding
    ds = xr.Dataset({name: ds.variables[name] for name in order}, ds.coords, ds.attrs)  # stores have no order
    ds.encoding = encoding
    try:
        return validate(convert_text(ds))
    except SchemaError as error:
        raise SchemaError(f"store is {location.name}: {error}") from None


def _read_checked_records(location: Location, incomplete: bool, complete: bool) -> Records | None:
    """Return the records of a store after comparing its metadata, or raise; None to read it unchecked."""
    try:
        records = Records.read(location)
    except StoreError:
        if incomplete:
            return None
        raise
    if complete:
        documents = read_documents(location, records.metadata)
        for path, saved in records.metadata.items():
            damage, _ = compare(path, saved, documents[path], records.user_attrs.get(path, []))
            if damage:
                raise StoreError(
                    f"store is {location.name}, which can't be read: {damage[0]}; "
                    "yx.verify(path, repair=True) restores it"
                )
    return records


def _rechunk(ds: xr.Dataset, chunks: Any) -> xr.Dataset:
    """Return a dataset with new chunks of its dask arrays; "auto" is dask's choice for the features."""
    from dask.array.core import normalize_chunks

    if isinstance(chunks, str):
        effect = ds[BINDING].variable
        cuts = normalize_chunks("auto", effect.shape, dtype=effect.dtype, previous_chunks=effect.chunks)
        chunks = dict(zip(effect.dims, cuts, strict=True))
    else:
        for dim in chunks:
            if dim not in ds.dims:
                raise InputError(
                    f"chunks has the unknown dimension {format_value(dim)}; {suggest(dim, map(str, ds.dims))}"
                )
    for name, variable in ds.variables.items():
        if variable.chunks:
            sizes = {dim: cut for dim, cut in chunks.items() if dim in variable.dims}
            ds[name] = variable.chunk(sizes)
    return ds


def find_unfinished_seed(store: StoreLike) -> int | None:
    """Return the seed of an incomplete simulation, so that the same command without a seed can resume it."""
    location = locate(store)
    for place in (location, location.get_sibling("new")) if location.path is not None else (location,):
        attrs = (place.read_attrs() if place.exists() else None) or {}
        if attrs.get(COMPLETE) is False and isinstance(attrs.get("seed"), int):
            return int(attrs["seed"])
    return None


def extend(
    store: StoreLike,
    *,
    bound: Any = (),
    n_sample: Any = None,
    tfs: Any = None,
    replicates: int | None = None,
    tf_relationships: Mapping[Any, Any] | None = None,
    positive_fraction: Any = None,
    sync: bool = True,
    progress: bool | None = None,
    storage_options: Mapping[str, Any] | None = None,
) -> Any:
    """Add TFs or replicates to a simulation in a store.

    The result equals a larger simulation, because no value depends on the number of TFs or replicates. Full blocks do
    not change; a shorter last block is rewritten. If the run is interrupted, the same call, or :func:`verify` with
    ``repair=True``, completes it. After a complete run, the same call changes nothing if it names the new TFs or adds
    only replicates; otherwise it adds more TFs.

    Parameters
    ----------
    store
        A path, a URL, or a zarr store.
    bound, n_sample, tfs
        Bound fractions of the new TFs, the number of TFs for each, and names, if TFs have names. Not available for a
        sweep over ``bound``, ``n_sample`` or ``positive_fraction``.
    replicates
        The new total number of replicates.
    tf_relationships
        Conditions of the new TFs. Not available for a sweep over relations or methods.
    positive_fraction
        Fractions of positive effects of the new TFs: one value for all, or a list with one for each. The default is the
        common value of the other TFs.
    sync, progress, storage_options
        As for :func:`save`.

    Returns
    -------
    pathlib.Path or zarr store
        The store.

    Raises
    ------
    StoreError
        If labels or values in the store differ from its specification, or nothing would be added.
    InputError
        If a parameter is invalid.

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
    _check_flags(sync=sync, progress=progress)
    location = locate(store, storage_options=storage_options)
    location.recover_to_read()
    read_root_attrs(location)
    with location.lock():
        location.recover()
        added = (bound, n_sample, tfs, replicates, tf_relationships, positive_fraction)
        complete = read_root_attrs(location)[COMPLETE] is True
        location.check_links()
        records, old = _read_simulation(location, complete)
        before = _find_extended(records, added, old)
        if before is not None and not complete:
            _finish_extension(location, records, old, sync=sync, progress=progress)
            return location.handle
        if before is not None and (tfs is not None or _list_tfs(before) == _list_tfs(old)):
            return location.handle  # named TFs and replicates are not added twice
        if not complete and not _is_written(location, records):
            raise _describe_unfinished(location)
        spec = _enlarge(old, *added)
        if spec == old:
            raise StoreError("there is nothing to add; expected bound fractions of new TFs, or more replicates")
        sizes = spec.sizes if isinstance(spec, Sweep) else get_sizes(spec)
        layout = Layout({dim: sizes[dim] for dim in records.layout.sizes}, records.layout.lengths)
        ds = spec.simulate(chunks=layout.lengths)
        own = sorted(set(records.identity["coordinates"]) - set(map(str, ds.coords)))
        own += sorted(map(str, records.identity.get("others", {})))
        if own:
            raise StoreError(
                f"store is {location.name}, which has additional coordinates ({', '.join(own)}); expected none"
            )
        check_workers(ds, location)
        check_values(location, records, old, records.existing)
        larger, template = _enlarge_records(ds, layout, location, records)
        larger.extends = old.to_json()
        for block in records.layout.list_blocks():
            if records.layout.get_region(block) == layout.get_region(block):
                larger.digests[index_block(block)] = records.digests[index_block(block)]
        mark(location, complete=False)
        larger.write(location)  # first: from now on, repair completes the larger store
        restore_documents(location, larger)
        restore_files(location, larger, template)
        write_missing(ds, location, larger, progress=progress, title="extending")
        finish(location, larger, sync=sync)
    return location.handle


def _find_extended(
    records: Records, added: tuple[Any, ...], spec: SimulationSpec | Sweep
) -> SimulationSpec | Sweep | None:
    """Return the specification before the last extension, if that was the same extension; otherwise None."""
    try:
        before = None if records.extends is None else type(spec).from_json(records.extends)
        return before if before is not None and _enlarge(before, *added) == spec else None
    except (InputError, KeyError):  # invalid for the old specification, which says nothing about the current one
        return None


def _list_tfs(spec: SimulationSpec | Sweep) -> Sequence[Hashable]:
    """Return the labels of the TFs."""
    return (spec.spec if isinstance(spec, Sweep) else spec).tf_labels


def _describe_unfinished(location: Location) -> StoreError:
    """Return the error for a store that is incomplete for a reason other than this extension."""
    return StoreError(
        f"store is {location.name}, which is incomplete; complete it with verify(repair=True), or rerun the "
        "interrupted extension"
    )


def _read_simulation(location: Location, complete: bool) -> tuple[Records, SimulationSpec | Sweep]:
    """Return the records of a store, and its specification or sweep."""
    try:
        records = Records.read(location)
        return records, find_simulation(location, records)
    except StoreError:
        if complete:
            raise
        raise _describe_unfinished(location) from None


def _is_written(location: Location, records: Records) -> bool:
    """Return whether an incomplete store lacks no block, for example after an interrupted extension."""
    try:
        return not (records.find_missing() | find_absent(location, records)).any()
    except Exception:  # whatever zarr raises for metadata that is not what it must be
        return False


def _finish_extension(
    location: Location, records: Records, spec: SimulationSpec | Sweep, *, sync: bool, progress: bool | None
) -> None:
    """Write the missing blocks of an interrupted extension."""
    ds = spec.simulate(chunks=records.layout.lengths)
    check_workers(ds, location)
    restore_documents(location, records)
    restore_files(location, records, read_template(check_storable(ds, records.layout, {}), list_others(ds)))
    records.digests[: len(records.names)][find_absent(location, records)] = 0
    write_missing(ds, location, records, progress=progress, title="extending")
    finish(location, records, sync=sync)


def _enlarge_records(
    ds: xr.Dataset, layout: Layout, location: Location, records: Records
) -> tuple[Records, dict[str, bytes]]:
    """Return the records of a larger simulation, without digests of new blocks, and the files of its coordinates."""
    memory = check_storable(ds, layout, {})
    template = read_template(memory, list_others(ds))
    current, metadata, user_attrs = read_documents(location, records.metadata), {}, {}
    grown = {str(name) for name, coord in ds.coords.items() if {TF, REPLICATE, MEASUREMENT} & set(coord.dims)}
    for path, document in read_documents(memory, list_paths(ds)).items():
        new = cast("Document", document)
        saved = records.metadata.get(path, new)
        user = records.user_attrs.get(path, [])
        old = merge_user_attrs(saved, current.get(path), user)
        attrs = {
            key: value for key, value in old["attributes"].items() if key in user or key not in saved["attributes"]
        }
        if path not in grown:
            attrs = old["attributes"]
            new = {**old, "attributes": new["attributes"]} | ({"shape": new["shape"]} if path in records.names else {})
        metadata[path] = {**new, "attributes": attrs | new["attributes"]}
        user_attrs[path] = [key for key in attrs if key in user or key not in {**saved, **new}["attributes"]]
    kept = {path for path in metadata if path in records.metadata and path not in grown}
    files = {key: value for key, value in records.files.items() if key.partition("/")[0] in kept}
    files |= {key: f"{digest_bytes(data):016x}" for key, data in template.items() if key.partition("/")[0] not in kept}
    identity = {**identify(ds, layout, {}), "encoding": records.identity["encoding"]}
    return Records.create(identity, layout, metadata, {k: v for k, v in user_attrs.items() if v}, files), template


def _add_positive_fractions(old: SimulationSpec, given: Any, counts: list[Any]) -> dict[str, Any]:
    """Return the positive fractions of old and new TFs, if they differ between TFs."""
    before = old.list_positive_fractions(len(old.tf_labels))
    if given is None:
        if isinstance(old.positive_fraction, tuple):
            raise InputError(
                "positive_fraction is missing; expected values for the new TFs, because they differ between TFs"
            )
        return {}
    n_new = sum(check_integer(f"n_sample[{i}]", n, least=1) for i, n in enumerate(counts))
    group = PerturbationParameters(positive_fraction=given)
    if isinstance(group.positive_fraction, tuple) and len(group.positive_fraction) != n_new:
        raise InputError(
            f"positive_fraction has {len(group.positive_fraction)} entries; "
            f"expected 1, or {n_new} (one for each new TF)"
        )
    return {"positive_fraction": [*before, *group.list_positive_fractions(n_new)]}


def _enlarge(old: SimulationSpec | Sweep, *added: Any) -> SimulationSpec | Sweep:
    """Return the specification of the larger simulation or sweep."""
    return _enlarge_sweep(old, *added) if isinstance(old, Sweep) else _enlarge_spec(old, *added)


def _enlarge_sweep(
    old: Sweep, bound: Any, n_sample: Any, tfs: Any, replicates: Any, tf_relationships: Any, positive_fraction: Any
) -> Sweep:
    """Return the larger sweep; all points get the same TFs, so swept parameters must not be per TF."""
    own = sorted({"bound", "n_sample", "positive_fraction"} & old.parameters)
    if own and len(check_sequence("bound", bound, "a list of fractions from 0 to 1")):
        raise InputError(f"bound can't be used with a sweep over {', '.join(own)}; expected only replicates")
    if tf_relationships is not None and "tf_relationships" in old.parameters:
        raise InputError(
            "tf_relationships can't be used, because points of the store have different relations along "
            f"{_find_dim(old, 'tf_relationships')}; expected new TFs without conditions"
        )
    return replace(
        old, spec=_enlarge_spec(old.spec, bound, n_sample, tfs, replicates, tf_relationships, positive_fraction)
    )


def _find_dim(sweep: Sweep, name: str) -> str:
    """Return the swept dim that changes a parameter."""
    return next(dim for dim, changes in sweep.changes.items() if any(name in change for change in changes))


def _enlarge_spec(
    old: SimulationSpec,
    bound: Any,
    n_sample: Any,
    tfs: Any,
    replicates: Any,
    tf_relationships: Any,
    positive_fraction: Any,
) -> SimulationSpec:
    """Return the specification of the larger simulation."""
    changes: dict[str, Any] = {}
    fractions = check_sequence("bound", bound, "a list of fractions from 0 to 1")
    if fractions:
        fractions = [check_number(f"bound[{i}]", b, least=0, most=1) for i, b in enumerate(fractions)]
        default = [1] * len(fractions)
        counts: list[Any] = check_sequence(
            "n_sample", default if n_sample is None else n_sample, "a list of counts of at least 1"
        )
        if len(counts) != len(fractions):
            raise InputError(
                f"n_sample has {len(counts)} entries and bound has {len(fractions)}; expected the same number"
            )
        changes |= {
            "bound": [*check_sequence("bound", old.bound, "a list"), *fractions],
            "n_sample": [*check_sequence("n_sample", old.n_sample, "a list"), *counts],
        }
        if (tfs is None) != (old.tfs is None):
            wanted = "names, because other TFs have names" if tfs is None else "no names, because other TFs have none"
            raise InputError(f"tfs is {format_value(tfs)}; expected {wanted}")
        changes |= {} if tfs is None else {"tfs": [*(old.tfs or ()), *check_sequence("tfs", tfs, "a list of names")]}
        changes |= _add_positive_fractions(old, positive_fraction, counts)
    elif n_sample is not None or tfs is not None or positive_fraction is not None:
        raise InputError("bound is missing; expected fractions for the new TFs")
    if replicates is not None:
        if old.replicates is None:
            raise InputError(
                f"replicates is {format_value(replicates)}; expected None, because the store has no such dimension"
            )
        changes["replicates"] = check_integer("replicates", replicates, least=old.replicates)
    if tf_relationships is not None:
        if not isinstance(tf_relationships, Mapping):
            raise InputTypeError(
                f"tf_relationships is {format_value(tf_relationships)}; expected a dict from new TFs to conditions"
            )
        known = set(old.tf_labels)
        for tf in tf_relationships:
            if tf in known:
                raise InputError(
                    f"tf_relationships names the TF {format_value(tf)}, which already exists; expected new TFs"
                )
        changes["tf_relationships"] = {**(old.tf_relationships or {}), **tf_relationships}
    return replace(old, **changes)
