"""Labelled arrays to plain blocks and back: one way in for NumPy and dask, dims by name, nothing computed.

A function of plain arrays is applied to DataArrays whose dims are brought into one order, missing ones with length 1.
NumPy-backed arrays go through it at once, with all threads; dask-backed ones block by block, one thread a block.
"""

import warnings
from collections.abc import Callable, Hashable, Mapping, Sequence
from functools import partial
from typing import Any, Literal

import numpy as np
import xarray as xr

from yeastxr.arguments import InputError, InputTypeError, shown, suggestion
from yeastxr.parameters import PopulationParameters
from yeastxr.schema import BOUND_FRACTION, GENE, REPLICATE, TF, text_array
from yeastxr.threads import thread_count

Chunks = None | Literal["auto"] | Mapping[str, int | tuple[int, ...] | Literal["auto"]]

CHUNK_CELLS = 3_300_000  # some 13 MB of float32: all of 6,600 genes for 500 TFs


def template(asked: PopulationParameters, chunks: Chunks) -> xr.DataArray:
    """Return an array with the dims, coordinates and chunks that a population asks for; its values mean nothing."""
    sizes: dict[str, int] = {} if asked.replicates is None else {REPLICATE: asked.replicates}
    sizes |= {GENE: asked.n_genes, TF: len(asked.tf_labels)}
    coords: dict[str, Any] = {
        name: (name, np.arange(n) if labels is None else text_array(labels))
        for name, n, labels in [
            (GENE, sizes[GENE], None if isinstance(asked.genes, int) else tuple(asked.genes)),
            (TF, sizes[TF], None if asked.tfs is None else tuple(asked.tfs)),
        ]
    }
    if asked.replicates is not None:
        coords[REPLICATE] = (REPLICATE, np.arange(asked.replicates))
    coords[BOUND_FRACTION] = (TF, np.array(asked.bound_fractions))
    shape, blocks = tuple(sizes.values()), chunk_sizes(sizes, chunks)
    if blocks is None:
        data: Any = np.broadcast_to(np.uint8(0), shape)
    else:
        import dask.array as da

        data = da.empty(shape, chunks=tuple(blocks.values()), dtype=np.uint8)
    return xr.DataArray(data, dims=list(sizes), coords=coords)


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
        raise InputTypeError(f"chunks is {shown(chunks)}; expected None, 'auto' or a dict from dims to chunk sizes")
    for dim in chunks:
        if dim not in sizes:
            raise InputError(f"chunks names the dimension {shown(dim)}, which is not known; {suggestion(dim, sizes)}")
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
            raise InputError(f"chunks[{dim!r}] is {shown(chunk)}; expected {allowed}")
        return tuple(int(c) for c in chunk)
    if chunk in (None, "auto"):
        chunk = 1 if dim == REPLICATE else size
    if isinstance(chunk, bool) or not isinstance(chunk, int | np.integer) or (chunk < 1 and chunk != -1):
        raise InputError(f"chunks[{dim!r}] is {shown(chunk)}; expected {allowed}")
    each = size if chunk == -1 else min(int(chunk), size)
    return (each,) * (size // each) + ((size % each,) if size % each else ())


def positions(like: xr.DataArray) -> tuple[xr.Variable, xr.Variable, xr.Variable]:
    """Return where the cells of an array lie: replicate (0 where there is no such dim), gene and TF positions."""
    variable = like.variable
    if REPLICATE in variable.dims:
        replicate = along(REPLICATE, np.arange(variable.sizes[REPLICATE]), variable)
    else:
        replicate = xr.Variable((), np.int64(0))
    gene, tf = (along(dim, np.arange(variable.sizes[dim]), variable) for dim in (GENE, TF))
    return replicate, gene, tf


def along(dim: str, values: np.ndarray, like: xr.DataArray | xr.Variable) -> xr.Variable:
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
        return xr.Variable(dims, function(*(data for data, _ in inputs), **parameters, threads=thread_count()))

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
