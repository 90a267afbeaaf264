"""Batches and samples as datasets for torch's ``DataLoader``."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset, IterableDataset, get_worker_info

from yeastxr._validate import check_flag, check_integer
from yeastxr.schema import BINDING, GENE, PERTURBATION
from yeastxr.training.batches import Batches
from yeastxr.training.sampler import Piece, SampleReader
from yeastxr.training.tensors import (
    MaskedPair,
    Missing,
    Names,
    Pair,
    check_missing,
    make_pair,
    resolve_dtype,
    select_features,
)


class BatchStream(IterableDataset):
    """Batches for ``torch.utils.data.DataLoader(stream, batch_size=None)``, shared between workers.

    All workers together (forked or spawned, persistent or not) return each batch of an epoch once: the same batches as
    without workers, but interleaved. Each iteration of the loader is the next epoch, or the one that ``set_epoch``
    sets.

    Parameters
    ----------
    batches
        The batches.

    Examples
    --------
    >>> import yeastxr as yx
    >>> from torch.utils.data import DataLoader
    >>> batches = yx.Batches(yx.simulate(genes=1000, bound=[0.1, 0.2], seed=42), 250)
    >>> [tuple(x.shape) for x, y in DataLoader(BatchStream(batches), batch_size=None)]
    [(250, 2), (250, 2), (250, 2), (250, 2)]
    """

    def __init__(self, batches: Batches) -> None:
        self.batches = batches
        batches._share_epochs()

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[Pair | MaskedPair]:
        worker = get_worker_info()
        return iter(self.batches) if worker is None else self.batches._iterate_share(worker)

    def set_epoch(self, epoch: int) -> None:
        """Make the next iteration that of an epoch, from its start.

        Parameters
        ----------
        epoch
            At least 0.
        """
        self.batches.set_epoch(epoch)


class SampleDataset(Dataset):
    """A map-style dataset for a ``DataLoader`` with its own sampler.

    Parameters
    ----------
    data
        A dataset, NumPy or dask, or an argument of :func:`yeastxr.open`. If it is not in memory, each access reads a
        block, and the last two blocks are cached; :class:`yeastxr.Batches` is then faster.
    x, y, by, split, dtype, missing, mask
        As for :class:`yeastxr.Batches`.

    Raises
    ------
    InputError
        If an argument is invalid; IndexError for a sample that does not exist.

    Examples
    --------
    >>> import yeastxr as yx
    >>> samples = SampleDataset(yx.simulate(genes=1000, bound=[0.1, 0.2], seed=42))
    >>> len(samples), samples[0].x.shape
    (1000, torch.Size([2]))
    """

    def __init__(
        self,
        data: Any,
        *,
        x: Names = BINDING,
        y: Names = PERTURBATION,
        by: str = GENE,
        split: str | None = None,
        dtype: Any = None,
        missing: Missing = "keep",
        mask: bool = False,
    ) -> None:
        self._selections = [select_features("x", x), select_features("y", y)]
        self._missing, self._mask = check_missing(missing), mask
        check_flag("mask", mask)
        self._reader = SampleReader(data, self._selections, by, split, refuse=self._missing == "refuse")
        self._order = self._reader.make_order(False, 0, None, None, least=1)
        self._dtype = resolve_dtype(dtype)
        self._cache: dict[tuple[int, int], list[torch.Tensor]] = {}

    def __len__(self) -> int:
        return self._order.samples

    def __getitem__(self, index: int) -> Pair | MaskedPair:
        return self.__getitems__([index])[0]

    def __getitems__(self, indices: Sequence[int]) -> list[Pair | MaskedPair]:
        """Return several samples; DataLoader calls this for a batch."""
        self._reader.check_process()
        samples = map(self._get_sample, indices)
        return [make_pair(tensors, self._missing, mask=self._mask) for tensors in samples]

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_cache": {}}

    def _get_sample(self, index: int) -> list[torch.Tensor]:
        """Return copies of the tensors of one sample."""
        index = check_integer("index", index, least=-len(self)) if not isinstance(index, int) else index
        if not -len(self) <= index < len(self):
            raise IndexError(f"index is {index}; expected an integer from {-len(self)} to {len(self) - 1}")
        plane, rank = divmod(index % len(self), len(self._order.positions))
        run, row = divmod(int(self._order.positions[rank]), self._order.block)
        tensors = self._cache.get((plane, run))
        if tensors is None:
            tensors = self._cache[plane, run] = self._read_block(plane, run)
            while len(self._cache) > 2:
                self._cache.pop(next(iter(self._cache)))
        return [tensor[row].to(self._dtype, copy=True) for tensor in tensors]

    def _read_block(self, plane: int, run: int) -> list[torch.Tensor]:
        """Return the tensors of a block; positions outside the samples are not filled."""
        start = run * self._order.block
        rows = min(self._order.block, self._order.length - start)
        buffers = [np.empty(shape, np.float32) for shape in self._reader.get_shapes(rows)]
        is_sample = np.isin(np.arange(start, start + rows), self._order.positions)
        self._reader.read(Piece(plane, start, start + rows, np.where(is_sample, np.arange(rows), -1)), buffers)
        return [torch.from_numpy(buffer) for buffer in buffers]
