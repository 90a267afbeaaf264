"""The order of samples in an epoch: windows of blocks, and shuffling within windows.

A sample is a position along one dimension, in one plane of genes x TFs if there are leading dimensions. Runs of
consecutive positions are blocks. Blocks are read in random order, in windows of the size of a buffer, and samples are
shuffled within each window. The order depends only on sizes, the seed and the epoch, not on chunks and threads.
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

from yeastxr._blocks import choose_scheduler, is_in_memory
from yeastxr.errors import InputError, format_value, suggest
from yeastxr.schema import CORE_DIMS, GENE, TF, get_selected, list_dims, validate
from yeastxr.simulation import draws
from yeastxr.storage.store import open as open_store
from yeastxr.training.split import get_part_positions, select_part
from yeastxr.training.tensors import Selection, interleave, refuse_missing, refuse_nan

_BLOCK_CELLS = 1 << 24  # 64 MB of float32: the limit of a read, unless a single sample is larger
_BUFFER_CELLS = 1 << 24  # of a feature, in one buffer
_WASTEFUL = 4  # reads of a chunk per epoch


class Piece(NamedTuple):
    """Samples of one block: its plane, its first position and the one after its last, and each position's row."""

    plane: int
    start: int
    stop: int
    rows: np.ndarray  # of the buffer; -1 if the position is not a sample


@dataclass(frozen=True)
class Order:
    """The order of samples in any epoch: ``positions`` along ``dim``, of ``length`` in each plane, in windows."""

    dim: str
    planes: int
    length: int
    positions: np.ndarray
    block: int  # positions in a block
    window: int  # blocks in a window
    shuffle: bool
    seed: int

    @property
    def samples(self) -> int:
        """The number of samples in an epoch."""
        return self.planes * len(self.positions)

    @cached_property
    def _cuts(self) -> np.ndarray:
        """The start of each run of positions among the samples of a plane."""
        edges = np.append(np.arange(0, self.length, self.block), self.length)
        return np.searchsorted(self.positions, edges)

    def order_blocks(self, epoch: int) -> np.ndarray:
        """Return blocks with samples in order; block ``b`` is run ``b % runs`` of plane ``b // runs``."""
        runs = len(self._cuts) - 1
        blocks = (np.arange(self.planes)[:, None] * runs + np.flatnonzero(np.diff(self._cuts))).reshape(-1)
        return self._shuffle(blocks, draws.Stream.SHUFFLE_BLOCKS, epoch)

    def cut_windows(self, epoch: int) -> tuple[list[np.ndarray], np.ndarray]:
        """Return the blocks of each window, and the borders of windows among the samples."""
        blocks = self.order_blocks(epoch)
        windows = [blocks[first : first + self.window] for first in range(0, len(blocks), self.window)]
        run_sizes = np.diff(self._cuts)
        sizes = [int(run_sizes[window % len(run_sizes)].sum()) for window in windows]
        return windows, np.concatenate([[0], np.cumsum(sizes, dtype=np.int64)])

    def order_samples(self, window: np.ndarray, epoch: int) -> np.ndarray:
        """Return the samples of a window in their order, as ``plane * length + position``."""
        runs = len(self._cuts) - 1
        samples = np.concatenate(
            [b // runs * self.length + self.positions[self._cuts[b % runs] : self._cuts[b % runs + 1]] for b in window]
        )
        return self._shuffle(samples, draws.Stream.SHUFFLE, epoch)

    def cut_pieces(self, window: np.ndarray, epoch: int) -> list[Piece]:
        """Return, for each block of a window, the rows of a buffer that its positions go to."""
        runs = len(self._cuts) - 1
        samples = self.order_samples(window, epoch)
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

    def _shuffle(self, numbers: np.ndarray, stream: draws.Stream, epoch: int) -> np.ndarray:
        """Return blocks or samples in the order of an epoch."""
        if not self.shuffle:
            return numbers
        keys = draws.draw_keys(numbers, stream=stream, seed=self.seed, dim=self.dim, epoch=epoch)
        return numbers[np.argsort(keys, kind="stable")]


def share_samples(n: int, rank: int, world_size: int, drop_last: bool) -> tuple[int, int]:
    """Return the first sample of a rank and the one after its last; shares are equal, to within one.

    Examples
    --------
    >>> [share_samples(10, r, 3, False) for r in range(3)], [share_samples(10, r, 3, True) for r in range(3)]
    ([(0, 3), (3, 6), (6, 10)], [(0, 3), (3, 6), (6, 9)])
    """
    if drop_last:
        return rank * (n // world_size), (rank + 1) * (n // world_size)
    return n * rank // world_size, n * (rank + 1) // world_size


class SampleReader:
    """Reads blocks of samples into rows of buffers, one for each selection of features, from memory, dask or a store.

    ``data`` is a dataset, or an argument of :func:`yeastxr.open`; ``by`` is the dimension of samples; ``split`` is a
    part of the dataset's split, or None for all. With ``refuse``, missing values raise an error: immediately if all
    samples are in memory, otherwise on reading.
    """

    def __init__(
        self, data: Any, selections: Sequence[Selection], by: str, split: str | None, *, refuse: bool = False
    ) -> None:
        ds = validate(data if isinstance(data, xr.Dataset) else open_store(data, chunks=None))
        dims = list(list_dims(ds))
        if by not in dims:
            raise InputError(f"by is {format_value(by)}, which is not a dimension of the dataset; {suggest(by, dims)}")
        self.by, self._lead, self._selections = by, dims[:-2], selections
        positions = None
        if split is not None:
            dim, positions = get_part_positions(ds, split)
            if dim != by or by in self._lead:
                ds, positions = select_part(ds, split), None
        names = [name for selection in selections for name in selection.names]
        arrays = {name: get_selected(ds, name, "a batch") for name in names}
        self._arrays = {name: array.transpose(*dims, missing_dims="ignore") for name, array in arrays.items()}
        self._sizes = {str(dim): ds.sizes[dim] for dim in dims}
        self._is_in_memory = all(map(is_in_memory, self._arrays.values()))
        self._process = os.getpid()
        self._row_dims = {GENE: (TF,), TF: (GENE,)}.get(by, CORE_DIMS)
        self.row_shape = tuple(self._sizes[dim] for dim in self._row_dims)
        planes = prod(self._sizes[dim] for dim in self._lead)
        self._planes, self._length = (1, planes) if by in self._lead else (planes, self._sizes[by])
        self._positions = np.arange(self._length) if positions is None else positions
        self._refuse = refuse
        if refuse and self._is_in_memory:
            for name, array in self._arrays.items():
                refuse_missing(array if positions is None else array.isel({by: positions}), name)

    def make_order(self, shuffle: bool, seed: int, block: int | None, buffer: int | None, least: int) -> Order:
        """Return the order of the samples for the sizes of a block and a buffer, with a minimum size of windows."""
        cells = prod(self.row_shape)
        block = min(self._length, max(1, _BLOCK_CELLS // cells) if block is None else block)
        window = max(1, _BUFFER_CELLS // (block * cells)) if buffer is None else -(-buffer // block)
        window = min(max(window, -(-least // block)), self._planes * -(-self._length // block))
        order = Order(self.by, self._planes, self._length, self._positions, block, window, shuffle, seed)
        self._warn_of_waste(order)
        return order

    def get_shapes(self, rows: int) -> list[tuple[int, ...]]:
        """Return the shape of a buffer with a number of rows, for each selection."""
        return [(rows, *self.row_shape, *(() if scalar else (len(names),))) for names, scalar in self._selections]

    def check_process(self) -> None:
        """Raise in a forked process, which lacks the threads that read files and compute."""
        if os.getpid() != self._process and not self._is_in_memory:
            raise InputError(
                "the data are not in memory, and this process was forked, so it lacks the threads that read them; "
                "use num_workers=0 (threads read ahead without workers), "
                "multiprocessing_context='spawn', or data loaded with ds.load()"
            )

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_process": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, _process=os.getpid())  # unpickled, not forked

    def read(self, piece: Piece, buffers: Sequence[np.ndarray]) -> None:
        """Copy the samples of a block to their rows of the buffers."""
        columns = [
            (name, buffer if scalar else buffer[..., i])
            for (names, scalar), buffer in zip(self._selections, buffers, strict=True)
            for i, name in enumerate(names)
        ]
        if self.by in self._lead:
            for position, row in enumerate(piece.rows, piece.start):
                if row >= 0:
                    planes = self._get_planes(position, {})
                    for name, column in columns:
                        interleave([planes[name]], column[row][..., None])
            self._check_missing(piece, columns)
            return
        planes = self._get_planes(piece.plane, {self.by: slice(piece.start, piece.stop)})
        for name, column in columns:
            _scatter(planes[name] if self.by == GENE else planes[name].T, piece.rows, column)
        self._check_missing(piece, columns)

    def _check_missing(self, piece: Piece, columns: Sequence[tuple[str, np.ndarray]]) -> None:
        """Raise for samples with missing values in a block."""
        if self._refuse and not self._is_in_memory:
            rows = piece.rows[piece.rows >= 0]
            for name, column in columns:
                refuse_nan(column[rows], name)

    def _get_planes(self, plane: int, region: dict[str, slice]) -> dict[str, np.ndarray]:
        """Return each feature of a part of a plane, ``(gene, tf)``."""
        index = np.unravel_index(plane, [self._sizes[dim] for dim in self._lead])
        indexers = {**dict(zip(self._lead, map(int, index), strict=True)), **region}
        parts = {name: array.variable.isel(indexers, missing_dims="ignore") for name, array in self._arrays.items()}
        lazy = [part.data for part in parts.values() if part.chunks is not None]
        if not lazy:
            return {name: part.values for name, part in parts.items()}
        import dask

        scheduler = choose_scheduler(lazy, "synchronous")
        values = dask.compute(*(part.data for part in parts.values()), scheduler=scheduler)
        return dict(zip(parts, values, strict=True))

    def _warn_of_waste(self, order: Order) -> None:
        """Warn if chunks do not suit the order of samples, so that each block reads small parts of many chunks."""
        array = next(iter(self._arrays.values()))
        if self._is_in_memory or self.by in self._lead:
            return
        stored = array.encoding.get("preferred_chunks", {}).get(self.by, self._length)
        chunk = max(array.variable.chunksizes[self.by]) if array.chunks else stored
        times = min(chunk, self._length) / order.block
        if times > _WASTEFUL:
            warnings.warn(
                f"each chunk of {chunk:,} along {self.by!r} is read {times:.0f} times per epoch, for blocks of "
                f"{order.block:,}; use chunks of about {order.block:,} along {self.by!r} and of full length along the "
                f"others, such as yx.save(ds.chunk({{{self.by!r}: {order.block}, "
                f"{', '.join(f'{dim!r}: -1' for dim in self._row_dims)}}}), ...), or a larger block",
                stacklevel=4,
            )


def _scatter(samples: np.ndarray, rows: np.ndarray, out: np.ndarray) -> None:
    """Copy samples to rows of a buffer: ``out[rows[i]] = samples[i]``, where the row is at least 0."""
    if samples.strides[0] == samples.itemsize and len(samples) > 1:  # the samples are contiguous in memory
        from yeastxr.training import kernels

        plane = samples.T
        kernels.scatter(plane.view(np.uint8) if plane.dtype == bool else plane, rows, out)
        return
    is_sample = rows >= 0
    out[rows[is_sample]] = samples[is_sample]
