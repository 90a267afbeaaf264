"""The order of samples in an epoch: which blocks are read together, and how their samples are shuffled.

A sample is a position along one dim, of one plane of genes x TFs where there are dims in front. Runs of samples make
blocks; blocks, in a random order, are taken together by windows as large as a buffer, and shuffled in it. All of this
follows from sizes, the seed and the epoch; how the data is chunked, or how many threads read it, has no part in it.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from yeastxr import draws

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
        keys = draws.keys(blocks, stream=draws.Stream.SHUFFLE_BLOCKS, seed=self.seed, epoch=epoch)
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
            np.argsort(draws.keys(samples, stream=draws.Stream.SHUFFLE, seed=self.seed, epoch=epoch), kind="stable")
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
