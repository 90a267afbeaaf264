"""Labelled arrays to plain blocks and back: one way in for NumPy and dask, dims by name, nothing computed.

A function of plain arrays is applied to DataArrays whose dims are brought into one order, missing ones with length 1.
NumPy-backed arrays go through it at once, with all threads; dask-backed ones block by block, one thread a block.
"""

import warnings
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from functools import partial
from itertools import product
from typing import Any, Literal
from uuid import uuid4

import numpy as np
import xarray as xr

from yeastxr._utils import count_threads
from yeastxr.errors import InputError, InputTypeError, format_value, suggest
from yeastxr.schema import GENE, REPLICATE, TF, order_dims

Chunks = None | Literal["auto"] | Mapping[str, int | tuple[int, ...] | Literal["auto"]]
CHUNK_CELLS = 3_300_000  # some 13 MB of float32: all of 6,600 genes for 500 TFs


def chunk_sizes(sizes: Mapping[str, int], chunks: Chunks) -> dict[str, tuple[int, ...]] | None:
    """Return the chunk lengths along each dim, or None for NumPy.

    What is not said is chosen: all genes, one replicate, and as many TFs as make some 13 MB of float32.

    Raises
    ------
    InputError
        If chunks are neither None, "auto" nor a dict from dims to lengths that fit.

    Examples
    --------
    >>> chunk_sizes({"gene": 6600, "tf": 1200}, "auto")
    {'gene': (6600,), 'tf': (500, 500, 200)}
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
            raise InputError(
                f"chunks names the dimension {format_value(dim)}, which is not known; {suggest(dim, sizes)}"
            )
    lengths = {dim: _lengths(dim, size, chunks.get(dim, "auto")) for dim, size in sizes.items() if dim != TF}
    genes_each = max(lengths[GENE])
    tf = chunks.get(TF, "auto")
    lengths[TF] = _lengths(TF, sizes[TF], max(1, CHUNK_CELLS // genes_each) if tf in (None, "auto") else tf)
    return {dim: lengths[dim] for dim in sizes}


def _lengths(dim: str, size: int, chunk: Any) -> tuple[int, ...]:
    """Return the lengths of the chunks along one dim."""
    allowed = f"a chunk size from 1, -1 for the whole, or sizes that add up to {size}"
    if isinstance(chunk, tuple | list):
        if not all(isinstance(c, int | np.integer) and c > 0 for c in chunk) or sum(chunk) != size:
            raise InputError(f"chunks[{dim!r}] is {format_value(chunk)}; expected {allowed}")
        return tuple(int(c) for c in chunk)
    if chunk in (None, "auto"):
        chunk = 1 if dim == REPLICATE else size
    if isinstance(chunk, bool) or not isinstance(chunk, int | np.integer) or (chunk < 1 and chunk != -1):
        raise InputError(f"chunks[{dim!r}] is {format_value(chunk)}; expected {allowed}")
    each = size if chunk == -1 else min(int(chunk), size)
    return (each,) * (size // each) + ((size % each,) if size % each else ())


def get_positions(like: xr.DataArray) -> tuple[xr.Variable, xr.Variable, xr.Variable]:
    """Return where the cells of an array lie: replicate (0 where there is no such dim), gene and TF positions."""
    variable = like.variable
    if REPLICATE in variable.dims:
        replicate = chunk_like(REPLICATE, np.arange(variable.sizes[REPLICATE]), variable)
    else:
        replicate = xr.Variable((), np.int64(0))
    gene, tf = (chunk_like(dim, np.arange(variable.sizes[dim]), variable) for dim in (GENE, TF))
    return replicate, gene, tf


def chunk_like(dim: str, values: np.ndarray, like: xr.DataArray | xr.Variable) -> xr.Variable:
    """Return values along one dim of an array, chunked as that array is."""
    variable = xr.Variable((dim,), values)
    cuts = like.variable if isinstance(like, xr.DataArray) else like  # a coordinate may be cut in another way
    return variable.chunk({dim: cuts.chunksizes[dim]}) if like.chunks else variable


def map_blocks(
    function: Callable[..., np.ndarray],
    dims: Sequence[Hashable],
    arrays: Sequence[xr.DataArray | xr.Variable],
    *,
    dtype: Any,
    reduces: Hashable | None = None,
    **parameters: Any,
) -> xr.Variable:
    """Apply a function of plain arrays to labelled ones, block by block where any of them is dask-backed.

    Parameters
    ----------
    function
        Takes one plain array for each labelled one, with axes in the order of ``dims`` (length 1 where a dim is
        missing, then any dims of its own, whole), the parameters by name, and ``threads``; returns an array with axes
        ``dims``.
    dims
        The dims of the result.
    arrays
        What it is applied to, by dims; coordinates are not looked at.
    dtype
        The result's dtype.
    reduces
        A dim that the result has with length 1; the arrays must not be chunked along it.
    **parameters
        Passed on to the function.

    Returns
    -------
    xarray.Variable
        With these dims; dask-backed if any input is.
    """
    inputs = [_by_dims(array, dims) for array in arrays]
    if all(isinstance(data, np.ndarray) for data, _ in inputs):
        return xr.Variable(dims, function(*(data for data, _ in inputs), **parameters, threads=count_threads()))

    import dask.array as da

    pairs: list[Any] = []
    for data, axes in inputs:
        pairs += [da.from_array(data, chunks=-1) if isinstance(data, np.ndarray) else data, axes]
    with warnings.catch_warnings():  # vectors of positions make many blocks together; that is meant
        warnings.filterwarnings("ignore", "Increasing number of chunks", da.PerformanceWarning)
        result = da.blockwise(
            partial(function, **parameters, threads=1),
            tuple(dims),
            *pairs,
            dtype=dtype,
            meta=np.empty((0,) * len(dims), dtype),
            adjust_chunks=None if reduces is None else {reduces: 1},
            concatenate=True,
            token=getattr(function, "__name__", "block").strip("_"),
        )
    return xr.Variable(dims, result)


def _by_dims(array: xr.DataArray | xr.Variable, dims: Sequence[Hashable]) -> tuple[Any, tuple[Hashable, ...]]:
    """Return the plain array with axes in the order of the dims, of length 1 where it lacks one, and then its own."""
    variable = array.variable if isinstance(array, xr.DataArray) else array
    order = [d for d in dims if d in variable.dims]
    own = [d for d in variable.dims if d not in dims]
    data = variable.data if variable.dims == (*order, *own) else variable.transpose(*order, *own).data
    if len(order) < len(dims):
        data = data[tuple(slice(None) if d in order else None for d in dims)]
    return data, (*dims, *own)


Region = tuple[slice, ...]
Work = Callable[[Region, list[np.ndarray]], None]
_AT_ONCE = 4  # blocks that another machine's workers make while one is being taken in


def is_in_memory(array: xr.DataArray) -> bool:
    """Tell whether an array's values are there, neither dask's to compute nor a file's to read."""
    return bool(array.variable._in_memory)  # xarray has no public word for what is indexed lazily


def align_features(ds: xr.Dataset, names: Sequence[str]) -> list[xr.DataArray]:
    """Return features with dims in one order, gene and tf last, and in the same chunks where any is not in memory."""
    arrays = [order_dims(ds[name]) for name in names]
    arrays = [array.transpose(*arrays[0].dims) for array in arrays]
    if all(map(is_in_memory, arrays)):
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

    get = choose_scheduler(data)
    if get is None or get in (dask.threaded.get, dask.local.get_sync):
        chunks = tuple((1,) * n for n in data[0].numblocks)
        meta = np.empty((0,) * len(chunks), np.uint8)
        name = f"take-{uuid4().hex}"  # without one, dask would hash all the memory that the function fills
        da.map_blocks(take, *data, dtype=np.uint8, chunks=chunks, meta=meta, name=name).compute(scheduler=get)
        return
    blocks = list(regions)  # workers elsewhere can't reach the memory to fill
    for first in range(0, len(blocks), _AT_ONCE):
        batch = blocks[first : first + _AT_ONCE]
        computed = dask.compute(*([array.blocks[block] for array in data] for block in batch))
        for block, values in zip(batch, computed, strict=True):
            take(*values, block_id=block)


def choose_scheduler(collections: Sequence[Any], default: Any = None) -> Any:
    """Return what dask would compute with: the caller's choice by context, config or client, or else the default."""
    import dask

    return dask.base.get_scheduler(collections=collections) or default


def cut_slabs(lead: Sequence[int], genes: int, tfs: int, cells: int) -> Iterator[tuple[tuple[int, ...], slice]]:
    """Cut every plane of genes x TFs into slabs of some TFs, of about so many cells; leading index and TFs of each."""
    width = max(1, cells // genes)
    for index in np.ndindex(*lead):
        for first in range(0, tfs, width):
            yield index, slice(first, min(first + width, tfs))


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
