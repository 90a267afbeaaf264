"""Samples of a dataset as rows: a gene with all its TFs, a TF with all its genes, or a whole plane of both."""

import os
import warnings
from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np
import xarray as xr

from yeastxr.arguments import InputError, shown, suggestion
from yeastxr.interleaving import interleave
from yeastxr.reading import in_memory
from yeastxr.sampling import Order, Piece, default_block, default_window
from yeastxr.schema import CORE_DIMS, GENE, TF, check_feature, ordered, validate
from yeastxr.splitting import part_of, positions_of
from yeastxr.store import open as open_store

_WASTEFUL = 4  # times that a chunk is read in an epoch


class SampleReader:
    """Reads blocks of samples of some features into rows of buffers, from memory, dask or a store.

    Parameters
    ----------
    data
        A dataset, or what :func:`yeastxr.open` takes.
    names
        The features to read.
    by
        The dim whose positions are samples.
    split
        A part of the dataset's split; None for all.
    """

    def __init__(self, data: Any, names: Sequence[str], by: str, split: str | None) -> None:
        ds = validate(data if isinstance(data, xr.Dataset) else open_store(data, chunks=None))
        dims = [str(dim) for dim in ordered(ds["label"]).dims]
        if by not in dims:
            raise InputError(f"by is {shown(by)}, which is no dim of the dataset; {suggestion(by, dims)}")
        self.by, self._lead = by, dims[:-2]
        chosen = None
        if split is not None:
            dim, chosen = positions_of(ds, split)
            if dim != by or by in self._lead:
                ds, chosen = part_of(ds, split), None
        self._arrays = {check_feature(name).name: ds[name].transpose(*dims) for name in names}
        self._sizes = {str(dim): ds.sizes[dim] for dim in dims}
        self.coords = {dim: ds[dim].reset_coords(drop=True) for dim in dims if dim in ds.indexes}
        self.in_memory = all(map(in_memory, self._arrays.values()))
        self._process = os.getpid()
        rows = {GENE: (TF,), TF: (GENE,)}.get(by, CORE_DIMS)
        self.row_dims: tuple[str, ...] = rows
        self.row_shape = tuple(self._sizes[dim] for dim in rows)
        self.planes = 1 if by in self._lead else prod(self._sizes[dim] for dim in self._lead)
        self.length = prod(self._sizes[dim] for dim in self._lead) if by in self._lead else self._sizes[by]
        self.positions = np.arange(self.length) if chosen is None else chosen

    def order(self, shuffle: bool, seed: int, block: int | None, buffer: int | None, least: int) -> Order:
        """Return the order of the samples, given how many make a block, a buffer, and at least a window."""
        cells = prod(self.row_shape)
        block = default_block(self.length, cells) if block is None else min(block, self.length)
        window = default_window(block, cells) if buffer is None else -(-buffer // block)
        window = min(max(window, -(-least // block)), self.planes * -(-self.length // block))
        order = Order(self.planes, self.length, self.positions, block, window, shuffle, seed)
        self._warn_of_waste(order)
        return order

    def check_process(self) -> None:
        """Refuse to read files or compute in a forked process, where the threads that would do it are missing."""
        if os.getpid() != self._process and not self.in_memory:
            raise InputError(
                "the data is not in memory, and this process was forked, which the threads that read it don't survive; "
                "expected num_workers=0 (reading ahead in threads needs no workers), "
                "multiprocessing_context='spawn', or data loaded with ds.load()"
            )

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_process": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, _process=os.getpid())  # unpickled, not forked

    def read(self, piece: Piece, columns: Sequence[tuple[str, np.ndarray]]) -> None:
        """Copy the samples of a block to their rows of buffers ``(rows, *row_shape)``, one for each feature."""
        names = list(dict.fromkeys(name for name, _ in columns))
        if self.by in self._lead:
            for position, row in enumerate(piece.rows, piece.start):
                if row >= 0:
                    planes = self._values(names, position, {})
                    for name, column in columns:
                        interleave([planes[name]], column[row][..., None])
            return
        planes = self._values(names, piece.plane, {self.by: slice(piece.start, piece.stop)})
        for name, column in columns:
            _scatter(planes[name] if self.by == GENE else planes[name].T, piece.rows, column)

    def _values(self, names: Sequence[str], plane: int, region: dict[str, slice]) -> dict[str, np.ndarray]:
        """Return features of a part of a plane, ``(gene, tf)``."""
        lead = np.unravel_index(plane, [self._sizes[dim] for dim in self._lead])
        at = dict(zip(self._lead, map(int, lead), strict=True))
        parts = [self._arrays[name].variable.isel({**at, **region}) for name in names]
        if any(part.chunks is not None for part in parts):
            import dask

            get = dask.base.get_scheduler(collections=[part.data for part in parts if part.chunks is not None])
            values = dask.compute(*(part.data for part in parts), scheduler=get or "synchronous")
            return dict(zip(names, values, strict=True))
        return {name: part.values for name, part in zip(names, parts, strict=True)}

    def _warn_of_waste(self, order: Order) -> None:
        """Say so where the data is cut across the samples, so that every block reads many chunks for little of each."""
        array = next(iter(self._arrays.values()))
        if self.in_memory or self.by in self._lead:
            return
        stored = array.encoding.get("preferred_chunks", {}).get(self.by, self.length)
        chunk = max(array.variable.chunksizes[self.by]) if array.chunks else stored
        times = min(chunk, self.length) / order.block
        if times > _WASTEFUL:
            warnings.warn(
                f"each chunk of {chunk:,} along {self.by!r} is read {times:.0f} times an epoch, for blocks of "
                f"{order.block:,}; expected chunks of about {order.block:,} along {self.by!r} and whole along the "
                f"others, such as yx.save(ds.chunk({{{self.by!r}: {order.block}, "
                f"{', '.join(f'{dim!r}: -1' for dim in self.row_dims)}}}), ...), or a larger block",
                stacklevel=4,
            )


def _scatter(samples: np.ndarray, rows: np.ndarray, out: np.ndarray) -> None:
    """Copy samples to rows of a buffer: ``out[rows[i]] = samples[i]``, where the row is not below 0."""
    if samples.strides[0] == samples.itemsize and len(samples) > 1:  # the samples lie side by side in memory
        from yeastxr import tensorkernels

        plane = samples.T
        tensorkernels.scatter(plane.view(np.uint8) if plane.dtype == bool else plane, rows, out)
        return
    wanted = rows >= 0
    out[rows[wanted]] = samples[wanted]
