"""Write the blocks of a dataset to a store in parallel: in threads for NumPy, with dask's scheduler for dask.

Each block is one task, which computes all features of the block, writes them and returns digests. Only the current
blocks are in memory. Digests are recorded regularly, so that a resumed save skips written blocks.
"""

import asyncio
import os
import re
import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from itertools import product
from threading import Lock
from typing import Any

import numpy as np
import xarray as xr

from yeastxr._blocks import choose_scheduler
from yeastxr._utils import count_threads, run_in_threads, show_progress
from yeastxr.errors import InputError, StoreError, format_value
from yeastxr.schema import list_variables
from yeastxr.storage.layout import Block, Group, Layout, Records, digest, group_variables, index_block, mark
from yeastxr.storage.location import Location, sync_to_disk, wait

BlockFunction = Callable[..., np.ndarray]
Done = Callable[[Group, Block, np.ndarray], None]


def get_record_interval() -> float:
    """Return the interval, in seconds, at which digests are recorded: ``YEASTXR_RECORD_SECONDS``, or 1.

    A resumed save rewrites the blocks that were written after the last record.
    """
    setting = os.environ.get("YEASTXR_RECORD_SECONDS", "1")
    if not re.fullmatch(r"[0-9]{1,6}(\.[0-9]*)?", setting):
        raise InputError(f"YEASTXR_RECORD_SECONDS is {format_value(setting)}; expected a number of seconds")
    return float(setting)


def open_arrays(store: Any, names: Iterable[str], mode: str = "r") -> list[Any]:
    """Return the zarr arrays of variables, in order, transposed like digests (TF by TF)."""
    import zarr

    arrays = [zarr.open_array(store, path=name, mode=mode) for name in names]
    # Every chunk is a file, so that missing chunks can be detected.
    return [array.with_config({"write_empty_chunks": True, "order": "F"}) for array in arrays]


class BlockWriter:
    """Writes the missing features of a block, and returns digests of values and files; it can be pickled."""

    def __init__(self, store: Any, records: Records) -> None:
        from yeastxr.storage.strict import DigestingStore

        self._store = DigestingStore(store)
        self._arrays, self._rows = open_arrays(self._store, records.names, "r+"), records.rows
        self._missing = records.find_missing()

    def __call__(self, *arrays: np.ndarray, block_id: Block, group: Group) -> np.ndarray:
        """Write a block of a group; ``block_id`` starts with a 0 for the axis of the digests."""
        block = block_id[1:]
        region = group.layout.get_region(block)
        values = dict(zip(group.numbers, arrays, strict=True))
        features = [i for i in group.numbers if self._missing[(i, *group.expand(block))]]
        digests = np.zeros(len(self._rows.variables), np.uint64)
        for i in features:
            digests[i] = digest(values[i])

        async def write() -> None:
            await asyncio.gather(*(self._arrays[i].async_array.setitem(region, values[i]) for i in features))

        wait(write())
        for i in features:
            store = self._arrays[i].store
            for key in list_chunk_keys(self._arrays[i], region):
                row, _ = self._rows.find(key)  # type: ignore[misc]
                digests[row] = store.digests.pop(key)
        return digests.reshape(-1, *(1 for _ in block))


def write_missing(
    ds: xr.Dataset, location: Location, records: Records, *, progress: bool | None, title: str = "writing"
) -> None:
    """Write and record all missing blocks; dimensions are in the order of the layout."""
    interval = get_record_interval()
    missing, variables = records.find_missing(), np.array(records.rows.variables)
    writer = BlockWriter(location.store, records)
    recorded = time.monotonic()
    pairs = count_pairs(records.groups, missing)
    with show_progress(title, pairs, pair_bytes=records.pair_bytes, show=progress) as advance:

        def record(group: Group, block: Block, digests: np.ndarray) -> None:
            nonlocal recorded
            index = index_block(group.expand(block))
            written = missing[index][variables] & np.isin(variables, group.numbers)
            records.digests[index] = np.where(written, digests.reshape(-1), records.digests[index])
            advance(group.layout.count_pairs(block))
            if time.monotonic() - recorded > interval:
                records.update(location)
                recorded = time.monotonic()

        try:
            for_each_block(writer, ds, records.layout, missing, record)
            location.sweep()  # at the end, because workers may have been killed
        finally:
            if pairs:
                records.update(location)


def count_pairs(groups: Iterable[Group], wanted: np.ndarray) -> int:
    """Return the number of pairs in blocks of groups in which any variable is needed."""
    return sum(group.layout.count_pairs(block) for group in groups for block in group.list_blocks(wanted))


def finish(location: Location, records: Records, *, sync: bool) -> None:
    """Mark a store as complete after checking that all blocks exist and, by default, flushing them to the disk."""
    absent = find_absent(location, records) | records.find_missing()
    if absent.any():
        name = records.names[np.argwhere(absent)[0][0]]
        raise StoreError(
            f"store is {location.name}, which is missing {int(absent.sum())} blocks, the first one of {name}; "
            "expected a location that all workers share, such as a network file system or an object store"
        )
    if sync and location.path is not None:
        paths = [*location.path.rglob("*"), location.path]
        run_in_threads(sync_to_disk, paths, 8)
    mark(location, complete=True)
    if sync and location.path is not None:
        sync_to_disk(location.path / "zarr.json", location.path, location.path.parent)


def find_absent(location: Location, records: Records) -> np.ndarray:
    """Return the blocks of each variable that lack a chunk in the store, as seen by this process."""

    async def list_keys(prefix: str) -> set[str]:
        return {key async for key in location.store.list_prefix(prefix)}

    absent = np.zeros(records.existing.shape, bool)
    arrays = open_arrays(location.store, records.names)
    for group in records.groups:
        for i in group.numbers:
            keys = wait(list_keys(f"{arrays[i].path}/"))
            for block in group.layout.list_blocks():
                chunks = list_chunk_keys(arrays[i], group.layout.get_region(block))
                absent[(i, *group.expand(block))] = not keys.issuperset(chunks)
    return absent


def list_chunk_keys(array: Any, region: tuple[slice, ...]) -> list[str]:
    """Return the keys of the chunks, or shards, of a region of an array."""
    lengths = array.shards or array.chunks
    chunks = product(*(range(part.start // n, -(-part.stop // n)) for part, n in zip(region, lengths, strict=True)))
    return [f"{array.path}/{array.metadata.encode_chunk_key(chunk)}" for chunk in chunks]


def for_each_block(function: BlockFunction, ds: xr.Dataset, layout: Layout, wanted: np.ndarray, done: Done) -> None:
    """Call a function with blocks of all variables in parallel, and pass on results as they arrive.

    Variables with the same dimensions are processed together, in all blocks in which a table of variables and blocks
    marks any of them. The function gets the plain arrays, ``block_id`` (a 0 and the block) and ``group``. It returns
    uint64 values with axes of length 1 for the block. Unlike in :func:`yeastxr._blocks.for_each_block`, it runs on the
    workers.
    """
    names = list_variables(ds)
    is_lazy = any(ds[name].chunks for name in names)
    if is_lazy:
        ds = ds.chunk(layout.lengths)
    for group in group_variables({name: list(map(str, ds[name].dims)) for name in names}, layout):
        blocks = group.list_blocks(wanted)
        if is_lazy:
            _run_by_dask(partial(function, group=group), ds, group, blocks, partial(done, group))
            continue
        data = [ds[name].values for name in group.names]

        def work(block: Block, group: Group = group, data: Sequence[np.ndarray] = data) -> np.ndarray:
            region = group.layout.get_region(block)
            return function(*(values[region] for values in data), block_id=(0, *block), group=group)

        collect_in_threads(work, blocks, partial(done, group))


def collect_in_threads(
    work: Callable[[Block], np.ndarray], blocks: Sequence[Block], done: Callable[[Block, np.ndarray], None]
) -> None:
    """Call a function with each block in threads, and pass on one result at a time."""
    lock = Lock()

    def work_and_pass_on(block: Block) -> None:
        result = work(block)
        with lock:
            done(block, result)

    run_in_threads(work_and_pass_on, blocks, count_threads())


def check_workers(ds: xr.Dataset, location: Location) -> None:
    """Raise for a store in the memory of this process if dask computes in other processes."""
    import dask

    if any(ds[name].chunks for name in list_variables(ds)):
        get = choose_scheduler([ds])
        if get is not None and get not in (dask.threaded.get, dask.local.get_sync):
            location.check_shared()


def _run_by_dask(
    function: BlockFunction,
    ds: xr.Dataset,
    group: Group,
    blocks: list[Block],
    done: Callable[[Block, np.ndarray], None],
) -> None:
    """Call a function with blocks of a group in dask's scheduler, which may be a cluster."""
    if not blocks:
        return
    import dask.array as da
    from dask.callbacks import Callback

    axes, names = len(group.layout.sizes), group.names
    result = da.map_blocks(
        function,
        *(ds[name].data for name in names),
        dtype=np.uint64,
        meta=np.empty((0,) * (axes + 1), np.uint64),
        new_axis=0,
        chunks=((len(names),), *((1,) * n for n in group.layout.shape)),
        token="block",
    )
    keys = {(result.name, 0, *block): block for block in blocks}
    # Computing and writing a block become one task.
    graph = result.__dask_optimize__(result.__dask_graph__(), list(keys))
    get = choose_scheduler([result], result.__dask_scheduler__)
    client = getattr(get, "__self__", None)
    if client is not None and hasattr(client, "scheduler_info"):
        from distributed import as_completed

        futures = client.get(graph, list(keys), sync=False)
        for future, digests in as_completed(futures, with_results=True):
            done(keys[future.key], digests)
        return

    def pass_on(key: Any, value: Any, dsk: Any, state: Any, worker: Any) -> None:
        if key in keys:
            done(keys[key], value)

    with Callback(posttask=pass_on):
        get(graph, list(keys))
