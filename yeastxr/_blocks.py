"""Apply functions of plain arrays to labelled arrays, backed by NumPy or dask, without computing anything.

:func:`map_blocks` passes plain arrays with the same order of dimensions to a function; missing dimensions get length 1.
A NumPy-backed array is passed as a whole, and uses all threads. Dask-backed arrays are passed block by block, with one
thread for each block.
"""

import sys
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from itertools import product
from numbers import Integral
from threading import Lock
from typing import Any, Literal, NamedTuple
from uuid import uuid4

import numpy as np
import xarray as xr

from yeastxr._utils import count_threads
from yeastxr.errors import InputError, InputTypeError, format_value, suggest
from yeastxr.schema import GENE, MEASUREMENT, REPLICATE, TF, VARIABLE_BY_NAME, list_dims, order_dims

Chunks = None | Literal["auto"] | Mapping[str, int | tuple[int, ...] | Literal["auto"]]
CHUNK_CELLS = 3_300_000  # about 13 MB of float32: 6,600 genes and 500 TFs


def chunk_sizes(sizes: Mapping[str, int], chunks: Chunks) -> dict[str, tuple[int, ...]] | None:
    """Return the chunk lengths along each dimension, or None for NumPy.

    By default a chunk has all genes, one replicate, and as many TFs as fit into about 13 MB of float32: 6,600 genes and
    1,200 TFs give ``{"gene": (6600,), "tf": (500, 500, 200)}``.
    """
    if chunks is None:
        return None
    if isinstance(chunks, str) and chunks == "auto":
        chunks = {}
    if not isinstance(chunks, Mapping):
        raise InputTypeError(
            f"chunks is {format_value(chunks)}; expected None, 'auto' or a dict from dims to chunk sizes"
        )
    for dim in chunks:
        if dim not in sizes:
            raise InputError(f"chunks has the unknown dimension {format_value(dim)}; {suggest(dim, sizes)}")
    defaults = {GENE: -1, REPLICATE: 1, MEASUREMENT: 1}
    lengths: dict[str, tuple[int, ...]] = {}
    for dim in sorted(sizes, key=lambda dim: dim == TF):  # the default for TFs depends on the genes
        chunk = chunks.get(dim)
        if chunk is None or (isinstance(chunk, str) and chunk == "auto"):
            chunk = max(1, CHUNK_CELLS // max(lengths[GENE])) if dim == TF else defaults.get(dim, -1)
        lengths[dim] = _split(dim, sizes[dim], chunk)
    return {dim: lengths[dim] for dim in sizes}


def _split(dim: str, size: int, chunk: Any) -> tuple[int, ...]:
    """Return the lengths of the chunks along one dimension."""
    from dask.array.core import normalize_chunks

    several = isinstance(chunk, tuple | list)
    lengths = list(chunk) if several else [chunk]
    if all(isinstance(n, Integral) and not isinstance(n, bool) for n in lengths):
        allowed = [n > 0 or (n == -1 and not several) for n in lengths]
        with suppress(ValueError):  # the lengths do not add up to the size
            if all(allowed):
                return normalize_chunks((tuple(map(int, lengths)) if several else min(int(chunk), size),), (size,))[0]
    raise InputError(
        f"chunks[{dim!r}] is {format_value(chunk)}; "
        f"expected a chunk size from 1, -1 for all, or sizes that add up to {size}"
    )


class Positions(NamedTuple):
    """Positions along a dimension of a lazy array, stored in the graph as one range for each block."""

    dim: Hashable
    chunks: tuple[int, ...]


def get_positions(like: xr.DataArray) -> list[xr.Variable | Positions]:
    """Return the positions of an array's cells: replicates, genes, TFs and measurements.

    Without the dimension ``replicate``, its position is 0. Without ``measurement``, there are three positions.
    """
    variable = like.variable
    dims = (REPLICATE, GENE, TF, *((MEASUREMENT,) if MEASUREMENT in variable.dims else ()))
    return [
        xr.Variable((), np.int64(0))
        if dim not in variable.dims
        else Positions(dim, variable.chunksizes[dim])
        if variable.chunks
        else xr.Variable((dim,), np.arange(variable.sizes[dim]))
        for dim in dims
    ]


def chunk_like(dim: str, values: np.ndarray, like: xr.DataArray) -> xr.Variable:
    """Return values along one dimension with the chunks of an array."""
    variable = xr.Variable((dim,), values)
    return variable.chunk({dim: like.variable.chunksizes[dim]}) if like.chunks else variable


def map_blocks(
    function: Callable[..., np.ndarray],
    dims: Sequence[Hashable],
    arrays: Sequence[xr.DataArray | xr.Variable | Positions],
    *,
    dtype: Any,
    reduces: Hashable | None = None,
    length: int = 1,
    **parameters: Any,
) -> xr.Variable:
    """Apply a function of plain arrays to labelled arrays, block by block if any is dask-backed.

    The function gets a plain array for each labelled array, the parameters by name, and ``threads``. It returns an
    array with the axes ``dims``. The axes of its arguments are ``dims``, with length 1 for a missing dimension,
    followed by any other dimensions, which are not chunked. The result has ``length`` along ``reduces``; no array may
    be chunked along it.
    """
    inputs = [(array, (array.dim,)) if isinstance(array, Positions) else _order_axes(array, dims) for array in arrays]
    expand: list[Any] = [tuple(slice(None) if dim in axes else None for dim in dims) for _, axes in inputs]
    if all(isinstance(data, np.ndarray) for data, _ in inputs):
        blocks = [data[index] for (data, _), index in zip(inputs, expand, strict=True)]
        return xr.Variable(dims, function(*blocks, **parameters, threads=count_threads()))

    import dask.array as da
    from dask.layers import ArraySliceDep

    pairs: list[Any] = []
    for data, axes in inputs:
        if not isinstance(data, Positions):
            pairs += [da.from_array(data, chunks=-1) if isinstance(data, np.ndarray) else data, axes]
    common, lazy = da.core.unify_chunks(*pairs, warn=False)
    following = iter(lazy)
    pairs = []
    for data, axes in inputs:
        if isinstance(data, Positions):
            chunks = common.get(data.dim, data.chunks)
            data = ArraySliceDep((chunks if sum(chunks) == sum(data.chunks) else data.chunks,))  # not those of length 1
        else:
            data = next(following)
        pairs += [data, axes]
    for dim in dims:  # dask loses new_axes when it fuses tasks
        if not any(dim in axes for _, axes in inputs):
            pairs += [ArraySliceDep(((1,),)), (dim,)]
    result = da.blockwise(
        partial(_apply, function, expand, **parameters, threads=1),
        tuple(dims),
        *pairs,
        dtype=dtype,
        meta=np.empty((0,) * len(dims), dtype),
        adjust_chunks=None if reduces is None else {reduces: length},
        align_arrays=False,
        concatenate=True,
        token=getattr(function, "__name__", "block").strip("_"),
    )
    return xr.Variable(dims, result)


def _apply(function: Callable[..., np.ndarray], expand: list[Any], *blocks: Any, **parameters: Any) -> np.ndarray:
    """Call the function with the arrays of a block, expanded to all dimensions, and with positions from slices."""
    arrays = [np.arange(block[0].start, block[0].stop) if isinstance(block, tuple) else block for block in blocks]
    return function(*(array[index] for array, index in zip(arrays, expand, strict=False)), **parameters)


def _order_axes(array: xr.DataArray | xr.Variable, dims: Sequence[Hashable]) -> tuple[Any, tuple[Hashable, ...]]:
    """Return the plain array and its axes: dimensions in the order of ``dims``, then all others."""
    variable = array.variable if isinstance(array, xr.DataArray) else array
    axes = (*(d for d in dims if d in variable.dims), *(d for d in variable.dims if d not in dims))
    return (variable if variable.dims == axes else variable.transpose(*axes)).data, axes


Region = tuple[slice, ...]
Work = Callable[[Region, list[np.ndarray]], None]
_CHOOSING = Lock()  # dask imports distributed on first use; two threads must not import it at the same time
_AT_ONCE = 4  # blocks that workers of a cluster compute at the same time


def is_in_memory(array: xr.DataArray) -> bool:
    """Return whether an array is in memory, rather than backed by dask or a file."""
    return bool(array.variable._in_memory)  # xarray has no public function for this


def broadcast_dims(ds: xr.Dataset, others: Iterable[str] = ()) -> xr.Dataset:
    """Broadcast variables of a dataset, as views, so that all have the same dimensions."""
    names = dict.fromkeys((*VARIABLE_BY_NAME, *others))
    dims = list_dims(ds, names)
    pairs = [name for name in names if name in ds.data_vars and {GENE, TF} <= set(ds[name].dims)]
    lacking = [name for name in pairs if len(ds[name].dims) < len(dims)]
    if not lacking:
        return ds
    arrays = {name: ds[name] if is_in_memory(ds[name]) else _as_dask(ds[name]) for name in lacking}
    sizes = {dim: ds.sizes[dim] for dim in dims}
    return ds.assign({name: array.variable.set_dims(sizes) for name, array in arrays.items()})


def align_features(ds: xr.Dataset, names: Sequence[str]) -> list[xr.DataArray]:
    """Return features with the same order of dimensions, gene and tf last, and equal chunks unless all are in memory.

    Features that lack leading dimensions of the dataset are broadcast.
    """
    ds = broadcast_dims(ds, names)
    arrays = [order_dims(ds[name]) for name in names]
    arrays = [array.transpose(*arrays[0].dims) for array in arrays]
    if all(map(is_in_memory, arrays)):
        return arrays
    arrays = [_as_dask(array) for array in arrays]
    if any(array.chunks != arrays[0].chunks for array in arrays):
        arrays = [xr.DataArray(array) for array in xr.unify_chunks(*arrays)]
    return arrays


def for_each_block(arrays: Sequence[xr.DataArray], work: Work) -> None:
    """Call a function with the region (slices) and the plain arrays of each block, possibly from several threads.

    :func:`align_features` prepares the arrays.
    """
    if not arrays[0].chunks:
        work(tuple(slice(0, n) for n in arrays[0].shape), [array.values for array in arrays])
        return
    import dask
    import dask.array as da

    data = [array.data for array in arrays]
    regions = _find_regions(data[0].chunks)

    def take(*values: np.ndarray, block_id: tuple[int, ...]) -> np.ndarray:
        work(regions[block_id], list(values))
        return np.zeros((1,) * len(block_id), np.uint8)

    get = choose_scheduler(data)
    if get is None or get in (dask.threaded.get, dask.local.get_sync):
        chunks = tuple((1,) * n for n in data[0].numblocks)
        meta = np.empty((0,) * len(chunks), np.uint8)
        name = f"take-{uuid4().hex}"  # otherwise dask hashes all the memory that the function fills
        da.map_blocks(take, *data, dtype=np.uint8, chunks=chunks, meta=meta, name=name).compute(scheduler=get)
        return
    blocks = list(regions)  # worker processes can't access this memory
    for first in range(0, len(blocks), _AT_ONCE):
        batch = blocks[first : first + _AT_ONCE]
        computed = dask.compute(*([array.blocks[block] for array in data] for block in batch))
        for block, values in zip(batch, computed, strict=True):
            take(*values, block_id=block)


def choose_scheduler(collections: Sequence[Any], default: Any = None) -> Any:
    """Return dask's scheduler: that of the context, configuration or client, or else the default.

    Inside a task of a cluster, return threads of the worker: waiting for other tasks could deadlock.
    """
    with _CHOOSING:
        import dask

        if "distributed" in sys.modules:
            from distributed.worker import thread_state

            if hasattr(thread_state, "execution_state"):
                return dask.threaded.get
        return dask.base.get_scheduler(collections=collections) or default


def cut_slabs(lead: Sequence[int], genes: int, tfs: int, cells: int) -> Iterator[tuple[tuple[int, ...], slice]]:
    """Yield the leading index and the slice of TFs of slabs with about the given number of cells."""
    width = max(1, cells // genes)
    for index in np.ndindex(*lead):
        for first in range(0, tfs, width):
            yield index, slice(first, min(first + width, tfs))


def _as_dask(array: xr.DataArray) -> xr.DataArray:
    """Return a dask-backed array; an array from a file keeps the chunks of the file."""
    return array if array.chunks else array.chunk(array.encoding.get("preferred_chunks", {}))


def _find_regions(chunks: tuple[tuple[int, ...], ...]) -> dict[tuple[int, ...], Region]:
    """Return the slices that each block covers."""

    def slices(lengths: tuple[int, ...]) -> Iterator[slice]:
        start = 0
        for length in lengths:
            yield slice(start, start + length)
            start += length

    numbered: list[Any] = [list(enumerate(slices(lengths))) for lengths in chunks]
    return {tuple(i for i, _ in block): tuple(part for _, part in block) for block in product(*numbered)}
