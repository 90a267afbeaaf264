"""Blocks of a dataset to a store, several at a time: by threads for NumPy, by dask's scheduler, whichever, for dask.

Each block is one task that makes its part of all features, writes it and returns digests; memory is bounded by the
blocks at work. What has been written is recorded as the work goes on, so that it needn't be done again.
"""

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import Any

import numpy as np
import xarray as xr

from yeastxr._utils import count_threads, show_progress
from yeastxr.schema import FEATURE_NAMES, PAIR_BYTES
from yeastxr.storage.direct import DirectArray, direct_where_possible
from yeastxr.storage.layout import Block, Layout, Records, digest, everywhere
from yeastxr.storage.location import Location, wait

_RECORD_EVERY = 1.0  # seconds; what a killed writer did since then is done again
BlockFunction = Callable[..., np.ndarray]
Done = Callable[[Block, np.ndarray], None]


def feature_arrays(location: Location, mode: str = "r") -> list[Any]:
    """Return the zarr arrays of the features, in order."""
    import zarr

    arrays = [zarr.open_array(location.store, path=name, mode=mode) for name in FEATURE_NAMES]
    # Every chunk is a file, so that one that is missing shows.
    return [array.with_config({"write_empty_chunks": True, "order": "C"}) for array in arrays]


class BlockWriter:
    """Writes a block of all features that are wanted, and returns their digests; it travels to other machines."""

    def __init__(self, arrays: Sequence[Any], layout: Layout, todo: np.ndarray) -> None:
        self._layout, self._todo = layout, todo
        self._arrays = direct_where_possible(arrays, layout)

    def __call__(self, *values: np.ndarray, block_id: Block) -> np.ndarray:
        """Write what is wanted of a block; ``block_id`` has a 0 in front."""
        block = block_id[1:]
        region, wanted = self._layout.region(block), self._todo[everywhere(block)]
        digests = np.zeros((len(values), *(1 for _ in block)), np.uint64)

        by_zarr = []
        for i in np.flatnonzero(wanted):
            array = self._arrays[i]
            if isinstance(array, DirectArray):
                array.write(block, values[i])
            else:
                by_zarr.append((array, values[i]))
            digests[i] = digest(values[i])

        async def write() -> None:
            await asyncio.gather(*(array.async_array.setitem(region, value) for array, value in by_zarr))

        if by_zarr:
            wait(write())
        return digests


def write_missing(
    ds: xr.Dataset, location: Location, records: Records, *, progress: bool | None, title: str = "writing"
) -> None:
    """Write every block that the records don't have yet, and record it.

    Parameters
    ----------
    ds
        The dataset, its features in the dims' order of the layout.
    location, records
        The store, and what it knows; updated every second, and when the work ends, however it ends.
    progress
        Whether to show a bar; None for where somebody looks.
    title
        What to call the work.
    """
    todo, layout = records.todo(), records.layout
    blocks = [block for block in layout.blocks() if todo[everywhere(block)].any()]
    writer = BlockWriter(feature_arrays(location, "r+"), layout, todo)
    recorded = time.monotonic()
    with show_progress(title, sum(map(layout.cells, blocks)), pair_bytes=PAIR_BYTES, show=progress) as tell:

        def done(block: Block, digests: np.ndarray) -> None:
            nonlocal recorded
            at = everywhere(block)
            records.digests[at] = np.where(todo[at], digests.reshape(-1), records.digests[at])
            tell(layout.cells(block))
            if time.monotonic() - recorded > _RECORD_EVERY:
                records.update(location)
                recorded = time.monotonic()

        try:
            for_each_block(writer, ds, layout, blocks, done)
            location.sweep()  # at the end: workers may have been killed on the way, too
        finally:
            if blocks:
                records.update(location)


def for_each_block(
    function: BlockFunction, ds: xr.Dataset, layout: Layout, blocks: Iterable[Block], done: Done
) -> None:
    """Call a function with some blocks of all features, in parallel, and tell of each result as it comes.

    The function takes five plain arrays and ``block_id``, a 0 and the block; it returns one uint64 for each feature,
    with axes for the blocks behind.
    """
    blocks = list(blocks)
    if any(ds[name].chunks for name in FEATURE_NAMES):
        _by_dask(function, ds.chunk(layout.lengths), layout, blocks, done)
        return
    data = [ds[name].values for name in FEATURE_NAMES]

    def work(block: Block) -> np.ndarray:
        region = layout.region(block)
        return function(*(values[region] for values in data), block_id=(0, *block))

    in_threads(work, blocks, done)


def in_threads(work: Callable[[Block], np.ndarray], blocks: Sequence[Block], done: Done) -> None:
    """Do some work for each block in threads; an error ends it all."""
    if len(blocks) < 2:
        for block in blocks:
            done(block, work(block))
        return
    with ThreadPoolExecutor(count_threads()) as threads:
        futures = {threads.submit(work, block): block for block in blocks}
        try:
            for future in as_completed(futures):
                done(futures[future], future.result())
        finally:
            threads.shutdown(cancel_futures=True)


def _by_dask(function: BlockFunction, ds: xr.Dataset, layout: Layout, blocks: list[Block], done: Done) -> None:
    import dask
    import dask.array as da
    from dask.callbacks import Callback

    axes = len(layout.sizes)
    result = da.map_blocks(
        function,
        *(ds[name].data for name in FEATURE_NAMES),
        dtype=np.uint64,
        meta=np.empty((0,) * (axes + 1), np.uint64),
        new_axis=0,
        chunks=((len(FEATURE_NAMES),), *((1,) * n for n in layout.shape)),
        token="block",
    )
    keys = {(result.name, 0, *block): block for block in blocks}
    graph = result.__dask_optimize__(
        result.__dask_graph__(), list(keys)
    )  # a block's making and writing become one task
    get = dask.base.get_scheduler(collections=[result]) or result.__dask_scheduler__
    client = getattr(get, "__self__", None)
    if client is not None and hasattr(client, "scheduler_info"):
        from distributed import as_completed as as_they_come

        futures = client.get(graph, list(keys), sync=False)
        for future, digests in as_they_come(futures, with_results=True):
            done(keys[future.key], digests)
        return

    def told(key: Any, value: Any, dsk: Any, state: Any, worker: Any) -> None:
        if key in keys:
            done(keys[key], value)

    with Callback(posttask=told):
        get(graph, list(keys))
