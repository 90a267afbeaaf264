"""Batches and samples as torch's own kinds of datasets, for those who use ``DataLoader``."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset, IterableDataset, get_worker_info

from yeastxr._validate import check_integer
from yeastxr.schema import GENE
from yeastxr.training.batches import Batches, Names, check_names_of
from yeastxr.training.sampler import Order, Piece, SampleReader
from yeastxr.training.tensors import Pair, check_dtype


class BatchStream(IterableDataset):
    """Batches for ``torch.utils.data.DataLoader(stream, batch_size=None)``; workers share the samples out.

    With workers, call ``set_epoch`` before each epoch, as for torch's ``DistributedSampler``: workers are copies, and
    what they count is lost with them.

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

    def __iter__(self) -> Iterator[Pair]:
        worker = get_worker_info()
        return iter(self.batches if worker is None else self.batches.shared(worker.id, worker.num_workers))

    def set_epoch(self, epoch: int) -> None:
        """Make the next iteration that of some epoch.

        Parameters
        ----------
        epoch
            At least 0.
        """
        self.batches.set_epoch(epoch)


class SampleDataset(Dataset):
    """Samples by their number, for a ``DataLoader`` with a sampler of one's own.

    Parameters
    ----------
    data
        A dataset, NumPy or dask, or what :func:`yeastxr.open` takes. Where it is not in memory, access reads a block,
        of which the last two are kept: :class:`yeastxr.Batches` is then the better way.
    x, y, by, split, dtype
        As for :class:`yeastxr.Batches`.

    Raises
    ------
    InputError
        If an argument is not what it must be; IndexError for a sample that is not there.

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
        x: Names = "binding_effect",
        y: Names = "perturbation_effect",
        by: str = GENE,
        split: str | None = None,
        dtype: Any = None,
    ) -> None:
        self._roles = [(check_names_of("x", x), isinstance(x, str)), (check_names_of("y", y), isinstance(y, str))]
        self._reader = SampleReader(data, [name for names, _ in self._roles for name in names], by, split)
        self._order: Order = self._reader.order(False, 0, None, None, least=1)
        self._dtype = check_dtype(dtype)
        self._kept: dict[tuple[int, int], list[torch.Tensor]] = {}

    def __len__(self) -> int:
        return self._order.samples

    def __getitem__(self, index: int) -> Pair:
        return self.__getitems__([index])[0]

    def __getitems__(self, indices: Sequence[int]) -> list[Pair]:
        """Return several samples; DataLoader asks for a batch in this way."""
        self._reader.check_process()
        return [Pair(*tensors) for tensors in map(self._sample, indices)]

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_kept": {}}

    def _sample(self, index: int) -> list[torch.Tensor]:
        index = check_integer("index", index, least=-len(self)) if not isinstance(index, int) else index
        if not -len(self) <= index < len(self):
            raise IndexError(f"index is {index}; expected one from {-len(self)} to {len(self) - 1}")
        plane, rank = divmod(index % len(self), len(self._order.positions))
        position = int(self._order.positions[rank])
        run = position // self._order.block
        tensors = self._kept.get((plane, run))
        if tensors is None:
            tensors = self._kept[plane, run] = self._read(plane, run)
            while len(self._kept) > 2:
                self._kept.pop(next(iter(self._kept)))
        return [tensor[position - run * self._order.block].to(self._dtype, copy=True) for tensor in tensors]

    def _read(self, plane: int, run: int) -> list[torch.Tensor]:
        start = run * self._order.block
        stop = min(start + self._order.block, self._order.length)
        buffers = [
            np.empty((stop - start, *self._reader.row_shape, *(() if one else (len(names),))), np.float32)
            for names, one in self._roles
        ]
        columns = [
            (name, buffer if one else buffer[..., i])
            for (names, one), buffer in zip(self._roles, buffers, strict=True)
            for i, name in enumerate(names)
        ]
        self._reader.read(Piece(plane, start, stop, np.arange(stop - start)), columns)
        return [torch.from_numpy(buffer) for buffer in buffers]
