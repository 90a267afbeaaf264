"""Verification of stores, against digests or the specification, and repair."""

from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal

import numpy as np
import xarray as xr

from yeastxr._blocks import Region
from yeastxr._utils import show_progress
from yeastxr._validate import check_choice
from yeastxr.errors import InputTypeError, StoreError, describe_error, format_value
from yeastxr.schema import FEATURE, list_variables
from yeastxr.simulation.draws import SCHEME_VERSION
from yeastxr.simulation.simulate import SPECIFICATION, SimulationSpec
from yeastxr.simulation.steps import get_sizes
from yeastxr.simulation.sweeps import SWEEP, Sweep, read_sweep, spec_of
from yeastxr.storage.layout import (
    Block,
    Group,
    Records,
    check_storable,
    digest,
    find_damaged_files,
    read_root_attrs,
    read_template,
    restore_documents,
    restore_files,
)
from yeastxr.storage.location import COMPLETE, Location, StoreLike, locate, wait
from yeastxr.storage.metadata import compare, read_documents
from yeastxr.storage.writer import (
    check_workers,
    collect_in_threads,
    count_pairs,
    finish,
    for_each_block,
    list_chunk_keys,
    open_arrays,
    write_missing,
)

_INTACT, _MISSING, _DAMAGED = range(3)


@dataclass(frozen=True)
class Verification:
    """The result of :func:`verify`; its repr is a table, and it is true if the store is complete and intact.

    Parameters
    ----------
    store
        The store's name.
    blocks
        For each variable, the number of blocks, and how many of them are intact, missing and damaged.
    problems
        A sentence for each missing or damaged block or coordinate.
    repaired
        Whether the problems have been repaired.
    complete
        Whether the store is marked as complete.
    changes
        A sentence for each user-defined attribute that has changed since the store was saved. These are not problems,
        and repair keeps them.

    Examples
    --------
    >>> import tempfile
    >>> import yeastxr as yx
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     found = yx.verify(yx.save(yx.simulate(genes=100, bound=[0.1], seed=42), f"{folder}/sim.zarr"))
    >>> bool(found), found.blocks["label"]
    (True, (1, 1, 0, 0))
    """

    store: str
    blocks: Mapping[str, tuple[int, int, int, int]]
    problems: tuple[str, ...] = field(default=())
    repaired: bool = False
    complete: bool = True
    changes: tuple[str, ...] = field(default=())

    @property
    def whole(self) -> bool:
        """Whether the store is complete, and every block intact."""
        return self.complete and (not self.problems or self.repaired)

    def __bool__(self) -> bool:
        return self.whole

    def __repr__(self) -> str:
        lines = [f"{'variable':22}{'blocks':>8}{'intact':>8}{'missing':>9}{'damaged':>9}"]
        lines += [f"{name:22}{n:8,}{w:8,}{m:9,}{d:9,}" for name, (n, w, m, d) in self.blocks.items()]
        shown_problems = [f"  {problem}" for problem in self.problems[:20]]
        more = [f"  and {len(self.problems) - 20:,} more"] if len(self.problems) > 20 else []
        if self.repaired:
            verdict = f"{self.store} was repaired and is complete"
        elif self.whole:
            verdict = f"{self.store} is complete"
        else:
            verdict = f"{self.store} is {'damaged' if self.complete else 'incomplete'}"
        noted = [f"  kept: {change}" for change in self.changes[:20]]
        return "\n".join([*lines, *shown_problems, *more, *noted, verdict])


def verify(
    store: StoreLike,
    *,
    against: Literal["digests", "spec"] = "digests",
    repair: bool = False,
    progress: bool | None = None,
    storage_options: Mapping[str, Any] | None = None,
) -> Verification:
    """Read all blocks of a store, and list those that are missing or damaged.

    Parameters
    ----------
    store
        A path, a URL, or a zarr store, complete or not.
    against
        ``"digests"`` compares values with the stored digests. ``"spec"`` regenerates every block and compares bits,
        which also detects values that were changed together with their digests.
    repair
        Whether to regenerate missing and damaged blocks, and only these. This also completes an incomplete store. It
        raises an error if labels or values differ from the specification.
    progress
        Whether to show a bar on standard error; by default where that is a terminal.
    storage_options
        For object stores: what obstore takes.

    Returns
    -------
    Verification
        The result, which is true if the store is complete and all blocks are intact.

    Raises
    ------
    StoreError
        If there is no yeastxr store, if its records or the metadata of its arrays can't be read, or if repair needs a
        simulation and the store differs from its specification.

    Examples
    --------
    >>> import tempfile
    >>> import yeastxr as yx
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = yx.save(yx.simulate(genes=100, bound=[0.1], seed=42), f"{folder}/sim.zarr")
    ...     (path / "label" / "c" / "0" / "0").unlink()
    ...     [yx.verify(path).whole, yx.verify(path, repair=True).repaired, yx.verify(path, against="spec").whole]
    [False, True, True]
    """
    check_choice("against", against, ("digests", "spec"))
    if not isinstance(repair, bool):
        raise InputTypeError(f"repair is {format_value(repair)}; expected True or False")
    location = locate(store, storage_options=storage_options, read_only=not repair)
    location.recover_to_read()
    with location.lock() if repair else nullcontext():
        if repair:
            location.recover()
            location.check_links()
        complete, records = _read_store(location, repair)
        damage, changes = _compare_metadata(location, records)
        spec = find_simulation(location, records) if repair or against == "spec" else None
        simulated = None if spec is None else simulate_again(spec, records)
        if simulated is not None:
            check_workers(simulated, location)
        states = _find_states(location, records, simulated if against == "spec" else None, progress)
        problems = [
            *damage,
            *(f"{key}: missing, damaged or unexpected" for key in find_damaged_files(location, records)),
        ]
        if against == "spec" and simulated is not None:
            problems += _compare_with_simulation(records, simulated)
        if not records.readable:
            problems.append("the digests in the records can't be read")
        group_of = {i: group for group in records.groups for i in group.numbers}
        for i, *whole in np.argwhere(states != _INTACT).tolist():
            state = "missing" if states[(i, *whole)] == _MISSING else "damaged"
            block = tuple(whole[axis] for axis in group_of[i].axes)
            described = group_of[i].layout.describe(block)
            problems.append(f"{records.names[i]}, block {'.'.join(map(str, block))} ({described}): {state}")
        repaired = False
        if repair and spec is not None and simulated is not None and (problems or not complete):
            _repair(location, records, spec, simulated, states, progress)
            repaired = complete = True
    blocks = {
        name: _count_states(state[own])
        for name, state, own in zip(records.names, states, records.existing, strict=True)
    }
    return Verification(location.name, blocks, tuple(problems), repaired, complete, tuple(changes))


def _count_states(states: np.ndarray) -> tuple[int, int, int, int]:
    """Return the number of blocks, and how many of them are intact, missing and damaged."""
    intact, missing, damaged = (int((states == code).sum()) for code in (_INTACT, _MISSING, _DAMAGED))
    return states.size, intact, missing, damaged


def _read_store(location: Location, repair: bool) -> tuple[bool, Records]:
    """Return whether a store is marked as complete, and its records, which identify it even with a damaged root."""
    attrs = location.read_attrs() if location.exists() else None
    if attrs is None or COMPLETE not in attrs:
        try:
            return False, Records.read(location, without_digests=repair)
        except (StoreError, OSError):
            read_root_attrs(location)  # raises the error
            raise
    return attrs[COMPLETE] is True, Records.read(location, without_digests=repair)


def _compare_metadata(location: Location, records: Records) -> tuple[list[str], list[str]]:
    """Return differences from the saved metadata, and separately those in the user's attributes."""
    documents = read_documents(location, records.metadata)
    damage, changes = list[str](), list[str]()
    for path, saved in records.metadata.items():
        ours, theirs = compare(path, saved, documents[path], records.user_attrs.get(path, []))
        damage += ours
        changes += theirs
    return damage, changes


def _compare_with_simulation(records: Records, simulated: xr.Dataset) -> list[str]:
    """Return differences between the saved metadata and that of the simulation."""
    problems = []
    for name in records.names:
        saved, array = records.metadata[name], simulated[name].variable
        facts = {"dims": array.dims, "shape": array.shape, "dtype": str(array.dtype)}
        stored = {"dims": tuple(saved["dimension_names"]), "shape": tuple(saved["shape"]), "dtype": saved["data_type"]}
        problems += [
            f"the {key} of {name} differs from the specification" for key in facts if facts[key] != stored[key]
        ]
    return problems


class _Reader:
    """Finds the state of a block of each feature, by digests and, if available, simulated values."""

    def __init__(self, arrays: list[Any], digests: np.ndarray) -> None:
        self._arrays, self._digests = arrays, digests

    def __call__(self, *simulated: np.ndarray, block_id: Block, group: Group) -> np.ndarray:
        block = block_id[1:]
        region = group.layout.get_region(block)
        states = [
            self._find_state(self._arrays[i], region, int(expected), values)
            for i, expected, values in zip(
                group.numbers,
                self._digests[group.index(block)],
                simulated or [None] * len(group.numbers),
                strict=True,
            )
        ]
        return np.array(states, np.uint64).reshape(-1, *(1 for _ in block))

    def _find_state(self, array: Any, region: Region, expected: int, simulated: np.ndarray | None) -> int:
        if not expected:
            return _MISSING
        try:
            if not _all_chunks_exist(array, region):
                return _MISSING
            values = np.asarray(array[region])
        except Exception:  # decoders raise many types of errors for damaged bytes
            return _DAMAGED
        if digest(values) != expected or (simulated is not None and digest(simulated) != expected):
            return _DAMAGED
        return _INTACT


def _all_chunks_exist(array: Any, region: tuple[slice, ...]) -> bool:
    """Return whether each chunk, or shard, of a region is in the store."""

    async def exist() -> bool:
        return all([await array.store.exists(key) for key in list_chunk_keys(array, region)])

    return wait(exist())


def _find_states(
    location: Location, records: Records, simulated: xr.Dataset | None, progress: bool | None
) -> np.ndarray:
    """Return the state of each block of each feature."""
    from yeastxr.storage.strict import StrictStore

    existing = records.existing
    try:
        store = StrictStore(location.store, location.name, records, saved=True)
        reader = _Reader(open_arrays(store, records.names), records.digests[: len(records.names)])
    except Exception as error:
        raise StoreError(f"store is {location.name}, whose arrays can't be opened: {describe_error(error)}") from None
    states = np.where(existing, _MISSING, _INTACT).astype(np.uint8)
    pairs = count_pairs(records.groups, existing)
    with show_progress("verifying", pairs, pair_bytes=records.pair_bytes, show=progress) as advance:

        def collect(group: Group, block: Block, found: np.ndarray) -> None:
            states[group.index(block)] = found.reshape(-1)
            advance(group.layout.count_pairs(block))

        if simulated is not None:
            for_each_block(reader, simulated, records.layout, existing, collect)
            return states
        for group in records.groups:
            read = partial(_read_block, reader, group)
            collect_in_threads(read, group.list_blocks(existing), partial(collect, group))
    return states


def _read_block(reader: _Reader, group: Group, block: Block) -> np.ndarray:
    return reader(block_id=(0, *block), group=group)


def _repair(
    location: Location,
    records: Records,
    spec: SimulationSpec | Sweep,
    simulated: xr.Dataset,
    states: np.ndarray,
    progress: bool | None,
) -> None:
    """Restore missing and damaged parts from a simulation or the records, and mark the store as complete."""
    saved = records.identity["coordinates"]
    own = [name for name in map(str, simulated.coords) if saved.get(name) == _digest_coordinate(simulated, name)]
    template = read_template(check_storable(simulated, records.layout, {}), own)
    check_values(location, records, spec, (states != _INTACT).any(axis=0) & records.existing)
    files = dict(records.files)
    restore_files(location, records, template)
    restore_documents(location, records)
    records.digests[: len(records.names)][states != _INTACT] = 0
    if records.files != files or not records.readable:
        records.write(location)
    write_missing(simulated, location, records, progress=progress, title="repairing")
    finish(location, records, sync=True)


def find_simulation(location: Location, records: Records) -> SimulationSpec | Sweep:
    """Return the specification or the sweep of a store, or raise if its labels differ from it."""
    identity = records.identity
    attrs = {key: identity[key] for key in (SPECIFICATION, SWEEP) if identity.get(key) is not None}
    ds = xr.Dataset(attrs=attrs)
    spec = read_sweep(ds) if SWEEP in attrs else spec_of(ds)
    if spec is None:
        raise StoreError(f"store is {location.name}, which has no specification; expected a simulation")
    scheme = records.metadata[""]["attributes"].get("law_version", SCHEME_VERSION)
    if scheme != SCHEME_VERSION:
        raise StoreError(
            f"store is {location.name}, simulated with random-number scheme {format_value(scheme)}; "
            f"expected {SCHEME_VERSION}, the version that this yeastxr supports"
        )
    sizes = spec.sizes if isinstance(spec, Sweep) else get_sizes(spec)
    stored = records.layout.sizes
    for dim in {**sizes, **stored}:
        if sizes.get(dim) != stored.get(dim):
            raise StoreError(
                f"store is {location.name}, which has length {stored.get(dim)} along {dim!r}; its specification has "
                f"{sizes.get(dim)}; expected a complete simulation"
            )
    simulated, saved = spec.simulate(chunks="auto"), records.identity["coordinates"]
    lacking = [name for name in list_variables(simulated) if name not in records.names]
    if lacking:
        raise StoreError(
            f"store is {location.name}, which is missing {', '.join(lacking)} of its specification; "
            "expected a complete simulation"
        )
    for name in map(str, simulated.coords):
        if name != FEATURE and name in saved and saved[name] != _digest_coordinate(simulated, name):
            raise StoreError(
                f"store is {location.name}, whose {name} differs from its specification; "
                "expected the labels of the simulation"
            )
    for name in records.names:
        absent = set(simulated[name].dims) - set(records.metadata[name]["dimension_names"])
        if absent:
            raise StoreError(
                f"store is {location.name}, whose {name} has no dimension {absent.pop()!r}, on which it depends; "
                "expected a complete simulation"
            )
    return spec


def simulate_again(spec: SimulationSpec | Sweep, records: Records) -> xr.Dataset:
    """Return the lazy simulation of a store, with its blocks and the dimensions of its variables."""
    ds = spec.simulate(chunks=records.layout.lengths)
    sizes = records.layout.sizes
    dims = {name: records.metadata[name]["dimension_names"] for name in records.names}
    return ds.assign({name: ds[name].variable.set_dims({dim: sizes[dim] for dim in own}) for name, own in dims.items()})


def _digest_coordinate(ds: xr.Dataset, name: str) -> str | None:
    """Return the digest of a coordinate for the records; None if there is no such coordinate."""
    return f"{digest(ds.coords[name].values):016x}" if name in ds.coords else None


def check_values(location: Location, records: Records, spec: SimulationSpec | Sweep, wanted: np.ndarray) -> None:
    """Raise if the digests of blocks differ from the simulation of the specification.

    Blocks are simulated only if the records do not already show that the values equal the simulation.
    """
    if records.identity.get("values") is None:
        return
    changed: list[Block] = []

    def compare(group: Group, block: Block, found: np.ndarray) -> None:
        if (found.reshape(-1) != records.digests[group.index(block)]).any():
            changed.append(group.expand(block))

    for_each_block(_digest_block, simulate_again(spec, records), records.layout, wanted, compare)
    if changed:
        raise StoreError(
            f"store is {location.name}, whose values differ from its specification "
            f"({records.layout.describe(min(changed))}); expected an unmodified simulation"
        )


def _digest_block(*values: np.ndarray, block_id: Block, group: Group) -> np.ndarray:
    """Return the digests of a block of each feature."""
    return np.array([digest(plane) for plane in values], np.uint64).reshape(-1, *(1 for _ in block_id[1:]))
