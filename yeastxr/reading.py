"""Features of a dataset as plain arrays, block by block: whole where they are in memory, chunk by chunk where not."""

from collections.abc import Callable, Iterator, Sequence
from itertools import product
from typing import Any
from uuid import uuid4

import numpy as np
import xarray as xr

from yeastxr.schema import ordered

Region = tuple[slice, ...]
Work = Callable[[Region, list[np.ndarray]], None]
_AT_ONCE = 4  # blocks that another machine's workers make while one is being taken in


def in_memory(array: xr.DataArray) -> bool:
    """Tell whether an array's values are there, neither dask's to compute nor a file's to read."""
    return bool(array.variable._in_memory)  # xarray has no public word for what is indexed lazily


def alike(ds: xr.Dataset, names: Sequence[str]) -> list[xr.DataArray]:
    """Return features with dims in one order, gene and tf last, and in the same chunks where any is not in memory."""
    arrays = [ordered(ds[name]) for name in names]
    arrays = [array.transpose(*arrays[0].dims) for array in arrays]
    if all(map(in_memory, arrays)):
        return arrays
    arrays = [_as_dask(array) for array in arrays]
    if any(array.chunks != arrays[0].chunks for array in arrays):
        arrays = [xr.DataArray(array) for array in xr.unify_chunks(*arrays)]
    return arrays


def for_each_block(arrays: Sequence[xr.DataArray], work: Work) -> None:
    """Call a function with the region and the plain arrays of each block; several threads may call it at once.

    Parameters
    ----------
    arrays
        As :func:`alike` returns them.
    work
        Takes a slice along each dim, and a plain array for each labelled one.
    """
    if not arrays[0].chunks:
        work(tuple(slice(0, n) for n in arrays[0].shape), [array.values for array in arrays])
        return
    import dask
    import dask.array as da

    data = [array.data for array in arrays]
    regions = _regions(data[0].chunks)

    def take(*values: np.ndarray, block_id: tuple[int, ...]) -> np.ndarray:
        work(regions[block_id], list(values))
        return np.zeros((1,) * len(block_id), np.uint8)

    get = dask.base.get_scheduler(collections=data)
    if get is None or get in (dask.threaded.get, dask.local.get_sync):
        chunks = tuple((1,) * n for n in data[0].numblocks)
        meta = np.empty((0,) * len(chunks), np.uint8)
        name = f"take-{uuid4().hex}"  # without one, dask would hash all the memory that the function fills
        da.map_blocks(take, *data, dtype=np.uint8, chunks=chunks, meta=meta, name=name).compute(scheduler=get)
        return
    blocks = list(regions)  # workers elsewhere can't reach the memory to fill
    for first in range(0, len(blocks), _AT_ONCE):
        some = blocks[first : first + _AT_ONCE]
        for block, values in zip(some, dask.compute(*([array.blocks[b] for array in data] for b in some)), strict=True):
            take(*values, block_id=block)


def _as_dask(array: xr.DataArray) -> xr.DataArray:
    """Return an array for dask; one that a file holds is cut as the file is."""
    return array if array.chunks else array.chunk(array.encoding.get("preferred_chunks", {}))


def _regions(chunks: tuple[tuple[int, ...], ...]) -> dict[tuple[int, ...], Region]:
    """Return what each block covers."""

    def slices(lengths: tuple[int, ...]) -> Iterator[slice]:
        start = 0
        for length in lengths:
            yield slice(start, start + length)
            start += length

    each: list[Any] = [list(enumerate(slices(lengths))) for lengths in chunks]
    return {tuple(i for i, _ in cell): tuple(part for _, part in cell) for cell in product(*each)}
