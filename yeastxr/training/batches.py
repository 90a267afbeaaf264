"""Batches of tensors for training, in a reproducible order, from memory, dask, a store or a simulation."""

import zlib
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from yeastxr._utils import LazyModule, count_threads
from yeastxr._validate import check_flag, check_integer, check_seed
from yeastxr.errors import InputError, InputTypeError, format_value
from yeastxr.schema import BINDING, GENE, PERTURBATION
from yeastxr.simulation.simulate import SimulationSpec
from yeastxr.training.epochs import Epochs, SharedEpochs
from yeastxr.training.sampler import SampleReader, share_samples
from yeastxr.training.tensors import (
    MaskedPair,
    Missing,
    Names,
    Pair,
    allocate,
    check_missing,
    make_pair,
    resolve_device,
    resolve_dtype,
    select_features,
)

if TYPE_CHECKING:
    import torch
else:
    torch = LazyModule("torch", "torch")


EPOCH_END = 2**32  # epochs have 32 bits in the random-number scheme


class Batches:
    """Iterable of pairs of tensors; each iteration is an epoch, which contains every sample exactly once.

    Threads read blocks of samples ahead into a buffer, which shuffles them; batches are copies. The order depends only
    on the sizes, the seed and the epoch, not on chunks, threads or the storage of the data.

    Parameters
    ----------
    data
        A dataset, NumPy or dask, or an argument of :func:`yeastxr.open`; paths are read without dask.
    batch_size
        The number of samples per batch, at least 1.
    x, y
        The features for the input and the target of a model: a name, or a list of names, which adds an axis.
    by
        The dimension of samples: ``"gene"``, ``"tf"``, or a leading dimension such as ``"replicate"``. With leading
        dimensions, each gene or TF is a sample for each of their entries.
    split
        A part of the dataset's split, such as ``"train"``; see :func:`yeastxr.split`. The default is all samples.
    shuffle
        Whether to shuffle blocks, and samples within the buffer, in each epoch.
    seed
        The seed for shuffling, an integer in [0, 2**64). By default it is random, and part of ``state_dict()``.
    drop_last
        Whether to drop a smaller last batch; all ranks then get the same number of batches.
    device
        The device of the batches (default: the CPU). Batches are copied to a CUDA GPU from pinned memory, one batch
        ahead.
    dtype
        A floating-point torch dtype (default: ``torch.float32``).
    block
        The number of samples to read at a time. The default is a plane of genes x TFs, with at most 64 MB per feature.
    buffer
        The number of samples to shuffle together. The default is 64 MB per feature, rounded to blocks. There are two
        buffers in memory.
    threads
        The number of threads that read ahead (default: ``YEASTXR_THREADS``, or the number of cores).
    rank, world_size
        The share of the samples to use, and the number of shares (default: those of ``torch.distributed``).
    missing
        How to treat missing values: keep NaN (``"keep"``), raise an error (``"refuse"``), or fill with a number.
    mask
        Whether batches are a :class:`yeastxr.MaskedPair`: ``x, y, x_mask, y_mask``, where masks are True for values
        that are present. A loss of NaN is NaN, so losses of data with missing values need the mask.

    Raises
    ------
    InputError
        If an argument is invalid, there are fewer samples than in a batch, or values are missing with
        ``missing="refuse"``: immediately if the data are in memory, otherwise while batches are read.

    Examples
    --------
    >>> import yeastxr as yx
    >>> ds = yx.simulate(genes=1000, bound=[0.1, 0.2], seed=42)
    >>> batches = Batches(ds, 256, shuffle=True, seed=1)
    >>> len(batches), [tuple(batch.x.shape) for batch in batches]
    (4, [(256, 2), (256, 2), (256, 2), (232, 2)])
    """

    batch_sampler = None  # Lightning reads it if there is a sampler

    def __init__(
        self,
        data: Any,
        batch_size: int,
        *,
        x: Names = BINDING,
        y: Names = PERTURBATION,
        by: str = GENE,
        split: str | None = None,
        shuffle: bool = False,
        seed: int | None = None,
        drop_last: bool = False,
        device: Any = None,
        dtype: Any = None,
        block: int | None = None,
        buffer: int | None = None,
        threads: int | None = None,
        rank: int | None = None,
        world_size: int | None = None,
        missing: Missing = "keep",
        mask: bool = False,
    ) -> None:
        self.batch_size = check_integer("batch_size", batch_size, least=1)
        selections = [select_features("x", x), select_features("y", y)]
        self._device, self._dtype = resolve_device(device), resolve_dtype(dtype)
        self._threads = count_threads() if threads is None else check_integer("threads", threads, least=1)
        self.drop_last, self.seed = bool(drop_last), check_seed(seed)
        for name, value in (("block", block), ("buffer", buffer)):
            if value is not None:
                check_integer(name, value, least=1)
        self._missing, self._mask = check_missing(missing), mask
        check_flag("mask", mask)
        self._reader = SampleReader(data, selections, by, split, refuse=self._missing == "refuse")
        self._order = self._reader.make_order(bool(shuffle), self.seed, block, buffer, least=self.batch_size)
        self.rank, self.world_size = _resolve_ranks(rank, world_size)
        if shuffle and seed is None and self.world_size > 1:
            raise InputError("seed is None, so ranks would use different seeds; expected the same seed on all ranks")
        first, last = self._get_share()
        if last - first < self.batch_size:
            raise InputError(
                f"batch_size is {format_value(batch_size)}; expected at most {last - first}, the number of samples"
                + (f" of rank {self.rank}" if self.world_size > 1 else "")
            )
        self._epochs = Epochs()
        self._now: tuple[int, int] | None = None  # the epoch of the last iteration, and its next batch

    def __len__(self) -> int:
        first, last = self._get_share()
        return (last - first) // self.batch_size if self.drop_last else -(-(last - first) // self.batch_size)

    def __iter__(self) -> Iterator[Pair | MaskedPair]:
        # A generator, so that epochs begin with a first batch: Lightning creates iterators before it sets the epoch.
        self._reader.check_process()
        self._now = epoch, first = self._epochs.begin()
        yield from self._read_batches(epoch, first, len(self))

    def __repr__(self) -> str:
        order, reader = self._order, self._reader
        return (
            f"<{type(self).__name__}: {len(self)} of {self.batch_size} samples by {reader.by!r}, rows "
            f"{reader.row_shape}, "
            f"{'shuffled in buffers of ' + format(order.block * order.window, ',') if order.shuffle else 'in order'}>"
        )

    def set_epoch(self, epoch: int) -> None:
        """Set the epoch of the next iteration, which begins with its first batch.

        Parameters
        ----------
        epoch
            At least 0; each epoch has a different order of shuffled batches.
        """
        self._set_next(check_integer("epoch", epoch, least=0, most=EPOCH_END - 1), 0)

    @property
    def sampler(self) -> "EpochSetter":
        """The object whose ``set_epoch`` Lightning calls."""
        return EpochSetter(self)

    def state_dict(self) -> dict[str, Any]:
        """Return the state of the iteration, so that :meth:`load_state_dict` continues with the next batch.

        With workers of a ``DataLoader``, which read ahead of the loop, this is the start of the next epoch.

        Returns
        -------
        dict
            ``epoch``, ``batch``, and the parameters of the order, as plain values for JSON and ``torch.save``.
        """
        epoch, batch = self._epochs.get_next()
        if self._now is not None and self._now[0] == epoch - 1 and self._now[1] < len(self):
            epoch, batch = self._now
        return {"epoch": epoch, "batch": batch, "order": self._describe_order()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore the state of :meth:`state_dict`: the next iteration yields the rest of that epoch.

        Parameters
        ----------
        state
            The return value of :meth:`state_dict`.

        Raises
        ------
        InputError
            If it is not a valid state, or belongs to batches in a different order.
        """
        if not isinstance(state, Mapping) or not {"epoch", "batch", "order"} <= set(state):
            raise InputError(f"state is {format_value(state)}; expected the result of state_dict()")
        differences = [
            f"{key} {format_value(state['order'].get(key))}, not {value}"
            for key, value in self._describe_order().items()
            if state["order"].get(key) != value
        ]
        if differences:
            raise InputError(f"state belongs to batches with {'; '.join(differences)}; expected the same parameters")
        self._set_next(int(state["epoch"]), int(state["batch"]))

    def order(self, epoch: int = 0) -> xr.Dataset:
        """Return the order of the samples in an epoch, over all ranks.

        Parameters
        ----------
        epoch
            At least 0.

        Returns
        -------
        xarray.Dataset
            Variables along a dimension ``sample``, int64: ``position`` along ``by``, and ``plane``, the number of the
            entry of leading dimensions.
        """
        windows, _ = self._order.cut_windows(check_integer("epoch", epoch, least=0, most=EPOCH_END - 1))
        samples = np.concatenate([self._order.order_samples(window, epoch) for window in windows])
        plane, position = np.divmod(samples, self._order.length)
        return xr.Dataset({"position": ("sample", position), "plane": ("sample", plane)})

    def _share_epochs(self) -> None:
        """Share the count of epochs with workers of a ``DataLoader``, which are copies of this object."""
        if not isinstance(self._epochs, SharedEpochs):
            self._epochs = SharedEpochs(self._epochs.get_next())

    def _iterate_share(self, worker: Any) -> Iterator[Pair | MaskedPair]:
        """Return an iterator over a worker's share of the batches in a ``DataLoader``."""
        self._reader.check_process()
        assert isinstance(self._epochs, SharedEpochs)
        epoch, first = self._epochs.begin(worker)
        n = len(self) - first
        start, end = (first + n * i // worker.num_workers for i in (worker.id, worker.id + 1))
        return self._read_batches(epoch, start, end)

    def _set_next(self, epoch: int, batch: int) -> None:
        """Set the start of the next iteration."""
        self._epochs.set_next((epoch, batch))
        self._now = None

    def _get_share(self) -> tuple[int, int]:
        """Return the first sample of this rank, and the one after its last."""
        return share_samples(self._order.samples, self.rank, self.world_size, self.drop_last)

    def _describe_order(self) -> dict[str, Any]:
        """Return the parameters of the order of batches."""
        order = self._order
        return {
            "seed": self.seed,
            "by": order.dim,
            "samples": order.samples,
            "positions": zlib.crc32(order.positions.astype(np.int64).tobytes()),
            "length": order.length,
            "batch_size": self.batch_size,
            "shuffle": order.shuffle,
            "block": order.block,
            "window": order.window,
            "drop_last": self.drop_last,
            "world_size": self.world_size,
        }

    def _read_batches(self, epoch: int, first_batch: int, end_batch: int) -> Iterator[Pair | MaskedPair]:
        """Yield consecutive batches of an epoch, in order."""
        windows, starts = self._order.cut_windows(epoch)
        first, last = self._get_share()
        last = first + min(end_batch * self.batch_size, last - first)
        position = batch_start = first + first_batch * self.batch_size  # the next sample, and the first of its batch
        needed = [w for w in range(len(windows)) if starts[w] < last and starts[w + 1] > position]
        rows = int(max((starts[w + 1] - starts[w] for w in needed), default=0))
        handover = _Handover(self._device, self._dtype)
        buffers = [[handover.allocate(shape) for shape in self._reader.get_shapes(rows)] for _ in needed[:2]]
        threads = ThreadPoolExecutor(self._threads, thread_name_prefix="yeastxr-batches")

        def begin(i: int) -> list[Future[None]]:
            handover.wait_until_free(i % 2)
            arrays = [buffer.numpy() for buffer in buffers[i % 2]]
            pieces = self._order.cut_pieces(windows[needed[i]], epoch)
            return [threads.submit(self._reader.read, piece, arrays) for piece in pieces]

        try:
            reads = begin(0) if needed else []
            for i, w in enumerate(needed):
                for future in reads:
                    future.result()
                reads = begin(i + 1) if i + 1 < len(needed) else []
                stop = min(last, int(starts[w + 1]))
                while position < stop:
                    batch_end = min(batch_start + self.batch_size, last)
                    end = min(batch_end, stop)
                    chosen = slice(position - int(starts[w]), end - int(starts[w]))
                    handover.copy(i % 2, [buffer[chosen] for buffer in buffers[i % 2]], batch_end - batch_start)
                    position, batch_start = end, batch_end if end == batch_end else batch_start
                    for tensors in handover.pop_finished():
                        yield self._hand_over(epoch, tensors)
            for tensors in handover.pop_finished(flush=True):
                yield self._hand_over(epoch, tensors)
        finally:
            threads.shutdown(cancel_futures=True)

    def _hand_over(self, epoch: int, tensors: "list[torch.Tensor]") -> Pair | MaskedPair:
        """Count and return a batch."""
        if self._now is not None and self._now[0] == epoch:
            self._now = (epoch, self._now[1] + 1)
        return make_pair(tensors, self._missing, mask=self._mask)


class EpochSetter:
    """Sets the epoch of batches for a loop that counts epochs; a position within that epoch is kept.

    Parameters
    ----------
    batches
        The batches.

    Examples
    --------
    >>> import yeastxr as yx
    >>> batches = Batches(yx.simulate(genes=100, bound=[0.1], seed=42), 50, shuffle=True, seed=1)
    >>> batches.sampler.set_epoch(3)
    >>> batches.state_dict()["epoch"]
    3
    """

    def __init__(self, batches: Batches) -> None:
        self._batches = batches

    def set_epoch(self, epoch: int) -> None:
        """Set the epoch of the next iteration, which begins with the batch from :meth:`Batches.load_state_dict`.

        Parameters
        ----------
        epoch
            At least 0.
        """
        if self._batches._epochs.get_next()[0] != epoch:
            self._batches.set_epoch(epoch)


class SimulatedBatches(Batches):
    """Batches of a simulation without a store: each block is simulated when it is read.

    Bit-identical to the batches of a stored simulation with the same specification.

    Parameters
    ----------
    spec
        The specification; an epoch contains all of its replicates.
    batch_size, **options
        As for :class:`Batches`.

    Examples
    --------
    >>> import yeastxr as yx
    >>> spec = yx.SimulationSpec(genes=1000, bound=[0.1, 0.2], replicates=20, seed=42)
    >>> x, y = next(iter(SimulatedBatches(spec, 32)))
    >>> x.shape, y.shape
    (torch.Size([32, 2]), torch.Size([32, 2]))
    """

    def __init__(self, spec: SimulationSpec, batch_size: int, **options: Any) -> None:
        if not isinstance(spec, SimulationSpec):
            raise InputTypeError(f"spec is of type {type(spec).__name__}; expected a SimulationSpec")
        self.spec = spec
        super().__init__(spec.simulate(chunks="auto"), batch_size, **options)


def _resolve_ranks(rank: int | None, world_size: int | None) -> tuple[int, int]:
    """Return the given rank and world size, or those of torch.distributed."""
    if rank is None and world_size is None:
        distributed = torch.distributed
        if not distributed.is_available() or not distributed.is_initialized():
            return 0, 1
        return distributed.get_rank(), distributed.get_world_size()
    if rank is None or world_size is None:
        raise InputError("only one of rank and world_size is given; expected both or neither")
    world_size = check_integer("world_size", world_size, least=1)
    return check_integer("rank", rank, least=0, most=world_size - 1), world_size


class _Handover:
    """Assembles batches from rows of two buffers, in the order in which they are copied.

    Copies to a CUDA GPU run on a separate stream, from pinned memory. Each batch is delayed until the next one is being
    copied, so that the device does not wait for copies.
    """

    def __init__(self, device: "torch.device", dtype: "torch.dtype") -> None:
        self._device, self._dtype = device, dtype
        self._stream = torch.cuda.Stream(device) if device.type == "cuda" else None
        self._last_use: dict[int, Any] = {}
        self._batch: list[torch.Tensor] = []  # the incomplete batch, and its number of rows
        self._rows = 0
        self._finished: list[tuple[list[torch.Tensor], Any]] = []

    def allocate(self, shape: Sequence[int]) -> "torch.Tensor":
        """Return float32 memory on the CPU for rows, pinned if they are copied to a CUDA GPU."""
        if self._stream is not None:
            return torch.empty(tuple(shape), dtype=torch.float32, pin_memory=True)
        return torch.from_numpy(allocate(shape))

    def wait_until_free(self, buffer: int) -> None:
        """Wait until all copies from a buffer are complete."""
        if buffer in self._last_use:
            self._last_use.pop(buffer).synchronize()

    def copy(self, buffer: int, rows: "Sequence[torch.Tensor]", size: int) -> None:
        """Copy rows of a buffer to the current batch of ``size`` rows."""
        with nullcontext() if self._stream is None else torch.cuda.stream(self._stream):
            if not self._batch:
                self._batch = [
                    torch.empty((size, *part.shape[1:]), dtype=torch.float32, device=self._device) for part in rows
                ]
                self._rows = 0
            end = self._rows + len(rows[0])
            for tensor, part in zip(self._batch, rows, strict=True):
                tensor[self._rows : end].copy_(part, non_blocking=True)
            self._rows = end
            complete = [tensor.to(self._dtype) for tensor in self._batch] if end == size else None
            event = None
            if self._stream is not None:
                event = self._last_use[buffer] = torch.cuda.Event()
                event.record(self._stream)
        if complete is not None:
            self._finished.append((complete, event))
            self._batch = []

    def pop_finished(self, *, flush: bool = False) -> "Iterator[list[torch.Tensor]]":
        """Yield complete batches; the last one for a GPU is delayed unless flushed."""
        while len(self._finished) > (0 if flush or self._stream is None else 1):
            tensors, event = self._finished.pop(0)
            if self._stream is not None:
                current = torch.cuda.current_stream(self._device)
                current.wait_event(event)
                for tensor in tensors:
                    tensor.record_stream(current)  # the other stream allocated its memory
            yield tensors
