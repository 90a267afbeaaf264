"""The order of samples in an epoch: which blocks are read together, and how their samples are shuffled.

A sample is a position along one dim, of one plane of genes x TFs where there are dims in front. Runs of samples make
blocks; blocks, in a random order, are taken together by windows as large as a buffer, and shuffled in it. All of this
follows from sizes, the seed and the epoch; how the data is chunked, or how many threads read it, has no part in it.
"""

import os
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Any, NamedTuple

import numpy as np
import xarray as xr

from yeastxr._blocks import is_in_memory
from yeastxr.errors import InputError, format_value, suggest
from yeastxr.schema import CORE_DIMS, GENE, TF, check_feature, order_dims, validate
from yeastxr.simulation import draws
from yeastxr.storage.store import open as open_store
from yeastxr.training.split import part_of, positions_of
from yeastxr.training.tensors import interleave

BLOCK_CELLS = 1 << 24  # 64 MB of float32: the most that is read at once, unless a single sample is more
BUFFER_CELLS = 1 << 24  # of a feature, in one buffer


class Piece(NamedTuple):
    """Samples of one block: plane, first and last position of the block, and the buffer's row for each position."""

    plane: int
    start: int
    stop: int
    rows: np.ndarray  # below 0: not wanted


@dataclass(frozen=True)
class Order:
    """The order of samples, for any epoch.

    Parameters
    ----------
    planes, length
        How many planes there are, and how many positions each has.
    positions
        The positions that are samples, in order.
    block, window
        How many positions make a block, and how many blocks a window.
    shuffle, seed
        Whether samples are shuffled, and by which seed.
    """

    planes: int
    length: int
    positions: np.ndarray
    block: int
    window: int
    shuffle: bool
    seed: int

    @property
    def samples(self) -> int:
        """How many samples an epoch has."""
        return self.planes * len(self.positions)

    @cached_property
    def _cuts(self) -> np.ndarray:
        """Where each run of positions begins among the samples of a plane."""
        edges = np.append(np.arange(0, self.length, self.block), self.length)
        return np.searchsorted(self.positions, edges)

    @cached_property
    def _occupied(self) -> np.ndarray:
        """The runs that hold samples."""
        return np.flatnonzero(np.diff(self._cuts))

    def blocks(self, epoch: int) -> np.ndarray:
        """Return the blocks in the order of an epoch; block ``b`` is run ``b % runs`` of plane ``b // runs``."""
        runs = len(self._cuts) - 1
        blocks = (np.arange(self.planes)[:, None] * runs + self._occupied).reshape(-1)
        if not self.shuffle:
            return blocks
        keys = draws.draw_keys(blocks, stream=draws.Stream.SHUFFLE_BLOCKS, seed=self.seed, epoch=epoch)
        return blocks[np.argsort(keys, kind="stable")]

    def windows(self, epoch: int) -> tuple[list[np.ndarray], np.ndarray]:
        """Return the blocks of each window, and where each window begins among the samples, with the end behind."""
        blocks = self.blocks(epoch)
        windows = [blocks[first : first + self.window] for first in range(0, len(blocks), self.window)]
        each = np.diff(self._cuts)
        sizes = [int(each[window % (len(self._cuts) - 1)].sum()) for window in windows]
        return windows, np.concatenate([[0], np.cumsum(sizes, dtype=np.int64)])

    def samples_of(self, window: np.ndarray, epoch: int) -> np.ndarray:
        """Return the samples of a window in their order, as ``plane * length + position``."""
        runs = len(self._cuts) - 1
        samples = np.concatenate(
            [b // runs * self.length + self.positions[self._cuts[b % runs] : self._cuts[b % runs + 1]] for b in window]
        )
        if not self.shuffle:
            return samples
        return samples[
            np.argsort(
                draws.draw_keys(samples, stream=draws.Stream.SHUFFLE, seed=self.seed, epoch=epoch), kind="stable"
            )
        ]

    def pieces(self, window: np.ndarray, epoch: int) -> list[Piece]:
        """Return, for each block of a window, which rows of a buffer its positions go to."""
        runs = len(self._cuts) - 1
        samples = self.samples_of(window, epoch)
        rank = np.argsort(samples, kind="stable")  # rows of the samples in ascending order
        ascending = samples[rank]
        pieces = []
        for b in window:
            plane, start = int(b // runs), int(b % runs) * self.block
            stop = min(start + self.block, self.length)
            first, last = np.searchsorted(ascending, [plane * self.length + start, plane * self.length + stop])
            rows = np.full(stop - start, -1, np.int64)
            rows[ascending[first:last] - plane * self.length - start] = rank[first:last]
            pieces.append(Piece(plane, start, stop, rows))
        return pieces


def share(samples: int, rank: int, world_size: int, drop_last: bool) -> tuple[int, int]:
    """Return the first and the last of the samples that a rank is to have; shares are equal, to within one.

    Examples
    --------
    >>> [share(10, rank, 3, False) for rank in range(3)], [share(10, rank, 3, True) for rank in range(3)]
    ([(0, 3), (3, 6), (6, 10)], [(0, 3), (3, 6), (6, 9)])
    """
    if drop_last:
        each = samples // world_size
        return rank * each, (rank + 1) * each
    return samples * rank // world_size, samples * (rank + 1) // world_size


def default_block(length: int, cells: int) -> int:
    """Return how many samples of some cells make a block: a whole plane, unless that is very large."""
    return max(1, min(length, BLOCK_CELLS // cells))


def default_window(block: int, cells: int) -> int:
    """Return how many blocks of so many samples a buffer holds."""
    return max(1, BUFFER_CELLS // (block * cells))


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
        dims = [str(dim) for dim in order_dims(ds["label"]).dims]
        if by not in dims:
            raise InputError(f"by is {format_value(by)}, which is no dim of the dataset; {suggest(by, dims)}")
        self.by, self._lead = by, dims[:-2]
        chosen = None
        if split is not None:
            dim, chosen = positions_of(ds, split)
            if dim != by or by in self._lead:
                ds, chosen = part_of(ds, split), None
        self._arrays = {check_feature(name).name: ds[name].transpose(*dims) for name in names}
        self._sizes = {str(dim): ds.sizes[dim] for dim in dims}
        self.coords = {dim: ds[dim].reset_coords(drop=True) for dim in dims if dim in ds.indexes}
        self.in_memory = all(map(is_in_memory, self._arrays.values()))
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
        from yeastxr.training import kernels as tensorkernels

        plane = samples.T
        tensorkernels.scatter(plane.view(np.uint8) if plane.dtype == bool else plane, rows, out)
        return
    wanted = rows >= 0
    out[rows[wanted]] = samples[wanted]
