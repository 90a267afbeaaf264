"""Is a store what it says it is? Each block against its digest, or against what its specification makes; and repair."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import product
from typing import Any, Literal

import numpy as np
import xarray as xr

from yeastxr._utils import show_progress
from yeastxr.errors import InputError, StoreError, describe_error, format_value
from yeastxr.schema import FEATURE_NAMES, PAIR_BYTES
from yeastxr.simulation.simulate import SimulationSpec, spec_of
from yeastxr.storage.direct import DirectArray, direct_where_possible
from yeastxr.storage.layout import (
    COMPLETE,
    Block,
    Layout,
    Records,
    digest,
    everywhere,
    made_of,
    mark,
    resize,
    root_attrs,
)
from yeastxr.storage.location import Location, StoreLike, locate, wait
from yeastxr.storage.writer import feature_arrays, for_each_block, in_threads, write_missing

_WHOLE, _MISSING, _DAMAGED = range(3)


@dataclass(frozen=True)
class Verification:
    """What :func:`verify` found; prints as a table.

    Parameters
    ----------
    store
        The store's name.
    blocks
        For each variable, how many blocks it has, and how many of them are whole, missing and damaged.
    problems
        One sentence for each block or coordinate that is missing or damaged.
    repaired
        Whether all that is mended now.
    complete
        Whether the store is marked as whole.

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

    @property
    def whole(self) -> bool:
        """Whether the store is what it says it is, now."""
        return self.complete and (not self.problems or self.repaired)

    def __bool__(self) -> bool:
        return self.whole

    def __repr__(self) -> str:
        lines = [f"{'variable':22}{'blocks':>8}{'whole':>8}{'missing':>9}{'damaged':>9}"]
        lines += [f"{name:22}{n:8,}{w:8,}{m:9,}{d:9,}" for name, (n, w, m, d) in self.blocks.items()]
        shown_problems = [f"  {problem}" for problem in self.problems[:20]]
        more = [f"  and {len(self.problems) - 20:,} more"] if len(self.problems) > 20 else []
        if self.repaired:
            verdict = f"{self.store} was repaired and is whole"
        elif self.whole:
            verdict = f"{self.store} is whole"
        else:
            verdict = f"{self.store} is not whole" + ("" if self.complete else ": it is unfinished")
        return "\n".join([*lines, *shown_problems, *more, verdict])


def verify(
    store: StoreLike,
    *,
    against: Literal["digests", "spec"] = "digests",
    repair: bool = False,
    progress: bool | None = None,
    storage_options: Mapping[str, Any] | None = None,
) -> Verification:
    """Read every block of a store and tell which are whole, missing or damaged.

    Parameters
    ----------
    store
        A path, a URL, or a zarr store; whole or unfinished.
    against
        ``"digests"`` compares values with the digests that were written with them. ``"spec"`` makes every block of a
        simulation again and compares bits, so that a store that was altered on purpose is found out, too.
    repair
        Whether to make again, and write, the blocks that are missing or damaged, and only these; for simulations. It
        also finishes an unfinished store.
    progress
        Whether to show a bar on standard error; by default where that is a terminal.
    storage_options
        For object stores: what obstore takes.

    Returns
    -------
    Verification
        True where the store is whole.

    Raises
    ------
    StoreError
        If there is no yeastxr store, its records or its arrays' metadata can't be read, or a simulation is needed and
        there is none.

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
    if against not in ("digests", "spec"):
        raise InputError(f"against is {format_value(against)}; expected 'digests' or 'spec'")
    location = locate(store, storage_options=storage_options, read_only=not repair)
    complete = root_attrs(location)[COMPLETE] is True
    records = Records.read(location)
    spec = simulation_in(records, location) if repair or against == "spec" else None
    made = None if spec is None else spec.simulate(chunks=records.layout.lengths)
    states = _states(location, records, made if against == "spec" else None, progress)
    coordinates = _damaged_coordinates(location, records)
    problems = [f"{name} can't be trusted: its values are not those that were saved" for name in coordinates]
    for i, *block in np.argwhere(states != _WHOLE).tolist():
        kind = "missing" if states[(i, *block)] == _MISSING else "damaged"
        problems.append(
            f"{FEATURE_NAMES[i]}, block {'.'.join(map(str, block))} ({records.layout.named(tuple(block))}): {kind}"
        )
    repaired = False
    if repair and made is not None and (problems or not complete):
        _repair(location, records, made, states, coordinates, progress)
        repaired = complete = True
    blocks = {
        name: (state.size, *(int((state == kind).sum()) for kind in (_WHOLE, _MISSING, _DAMAGED)))
        for name, state in zip(FEATURE_NAMES, states, strict=True)
    }
    return Verification(location.name, blocks, tuple(problems), repaired, complete)


class _Reader:
    """Tells the state of a block of each feature: against digests, and against values where they are given."""

    def __init__(self, arrays: list[Any], layout: Layout, digests: np.ndarray) -> None:
        self._layout, self._digests = layout, digests
        self._arrays = direct_where_possible(arrays, layout)

    def __call__(self, *made: np.ndarray, block_id: Block) -> np.ndarray:
        block = block_id[1:]
        wanted = made or [None] * len(self._arrays)
        states = [
            self._state(array, block, int(expected), values)
            for array, expected, values in zip(self._arrays, self._digests[everywhere(block)], wanted, strict=True)
        ]
        return np.array(states, np.uint64).reshape(-1, *(1 for _ in block))

    def _state(self, array: Any, block: Block, expected: int, made: np.ndarray | None) -> int:
        region = self._layout.region(block)
        if not expected:
            return _MISSING
        try:
            if isinstance(array, DirectArray):
                values = array.read(block, tuple(part.stop - part.start for part in region))
            else:
                values = np.asarray(array[region]) if _all_chunks_exist(array, region) else None
        except Exception:  # whatever a decoder makes of damaged bytes
            return _DAMAGED
        if values is None:
            return _MISSING
        if digest(values) != expected or (made is not None and digest(made) != expected):
            return _DAMAGED
        return _WHOLE


def _all_chunks_exist(array: Any, region: tuple[slice, ...]) -> bool:
    """Tell whether each chunk, or shard, of a region is in the store."""
    lengths = array.shards or array.chunks
    chunks = product(*(range(part.start // n, -(-part.stop // n)) for part, n in zip(region, lengths, strict=True)))
    keys = [f"{array.path}/{array.metadata.encode_chunk_key(chunk)}" for chunk in chunks]

    async def exist() -> list[bool]:
        return await asyncio.gather(*(array.store.exists(key) for key in keys))

    return all(wait(exist()))


def _states(location: Location, records: Records, made: xr.Dataset | None, progress: bool | None) -> np.ndarray:
    """Return the state of each block of each feature."""
    try:
        reader = _Reader(feature_arrays(location), records.layout, records.digests)
    except Exception as error:
        raise StoreError(f"store is {location.name}, whose arrays can't be opened: {describe_error(error)}") from None
    states = np.full(records.digests.shape, _MISSING, np.uint8)
    blocks = list(records.layout.blocks())
    with show_progress(
        "verifying", sum(map(records.layout.cells, blocks)), pair_bytes=PAIR_BYTES, show=progress
    ) as tell:

        def done(block: Block, found: np.ndarray) -> None:
            states[everywhere(block)] = found.reshape(-1)
            tell(records.layout.cells(block))

        if made is None:
            in_threads(lambda block: reader(block_id=(0, *block)), blocks, done)
        else:
            for_each_block(reader, made, records.layout, blocks, done)
    return states


def _damaged_coordinates(location: Location, records: Records) -> list[str]:
    """Return the coordinates whose values are not those that were saved."""
    import zarr

    damaged = []
    for name, expected in records.made_of["coordinates"].items():
        try:
            values = np.asarray(zarr.open_array(location.store, path=name, mode="r")[...])
            if f"{digest(values):016x}" != expected:
                damaged.append(name)
        except Exception:
            damaged.append(name)
    return damaged


def _repair(
    location: Location,
    records: Records,
    made: xr.Dataset,
    states: np.ndarray,
    coordinates: list[str],
    progress: bool | None,
) -> None:
    """Make again what is not whole, and mark the store as whole."""
    if made_of(made, records.layout, {})["coordinates"].keys() != records.made_of["coordinates"].keys():
        raise StoreError(
            f"store is {location.name}, whose coordinates are not a simulation's alone; it is not repaired"
        )
    with location.locked():
        shapes = {array.shape for array in feature_arrays(location)}
        if coordinates or shapes != {tuple(records.layout.sizes.values())}:
            resize(location, records.layout, made)
        records.digests[states != _WHOLE] = 0
        write_missing(made, location, records, progress=progress, title="repairing")
        mark(location, complete=True)


def simulation_in(records: Records, location: Location) -> SimulationSpec:
    """Return the specification of a store that holds one whole simulation, or refuse the store."""
    text = records.made_of.get("specification")
    spec = None if text is None else spec_of(xr.Dataset(attrs={"specification": text}))
    if spec is None:
        raise StoreError(f"store is {location.name}, which has no specification; expected a simulation")
    sizes = {"replicate": spec.replicates, "gene": spec.n_genes, "tf": len(spec.tf_labels)}
    for dim, n in records.layout.sizes.items():
        if sizes.get(dim) != n:
            raise StoreError(
                f"store is {location.name}, which has {n} along {dim!r} where its specification has {sizes.get(dim)}; "
                "expected a whole simulation"
            )
    return spec
