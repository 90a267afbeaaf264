"""Batches of tensors for training, in a fixed order, from memory, dask, a store larger than memory, or a simulation."""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from yeastxr._utils import count_threads
from yeastxr._validate import check_integer, check_seed, check_sequence
from yeastxr.errors import InputError, InputTypeError, format_value
from yeastxr.schema import GENE, check_feature
from yeastxr.simulation.simulate import SimulationSpec
from yeastxr.training.sampler import SampleReader, share
from yeastxr.training.tensors import Pair, empty

if TYPE_CHECKING:
    import torch

Names = str | Sequence[str]


class Batches:
    """An iterable of pairs of tensors, each iteration an epoch: every sample exactly once.

    Whole blocks of samples are read ahead in threads into a buffer, shuffled there, and handed over as tensors of their
    own. The order follows from the sizes, the seed and the epoch alone: not chunks, threads or where the data lies.

    Parameters
    ----------
    data
        A dataset, NumPy or dask, or what :func:`yeastxr.open` takes; a path is read without dask.
    batch_size
        Samples in a batch, at least 1.
    x, y
        The features that a model is given and those it predicts: a name, or a list of names for one more axis.
    by
        The dim whose positions are samples: ``"gene"``, ``"tf"``, or a dim in front of them, such as ``"replicate"``.
        Dims in front multiply the genes or TFs.
    split
        A part of the dataset's split, such as ``"train"``; see :func:`yeastxr.split`. All by default.
    shuffle
        Whether to shuffle: blocks, and samples within the buffer; anew each epoch.
    seed
        Of the shuffling, an integer in [0, 2**64); drawn by default, and part of ``state_dict()``.
    drop_last
        Whether to leave out a last batch that is smaller; with several ranks, all then get as many batches.
    device
        Where batches go; the CPU by default. To a CUDA GPU they go from pinned memory, one batch ahead.
    dtype
        A floating-point torch dtype; ``torch.float32`` by default.
    block
        Samples that are read together; by default a plane of genes x TFs, at most 64 MB a feature.
    buffer
        Samples that are shuffled together; by default as many blocks as make 64 MB a feature. Two are held.
    threads
        How many threads read ahead; ``YEASTXR_THREADS`` or the cores by default.
    rank, world_size
        Which share of the samples to give, of how many; those of ``torch.distributed`` by default.

    Raises
    ------
    InputError
        If an argument is not what it must be, or there are fewer samples than a batch has.

    Examples
    --------
    >>> import yeastxr as yx
    >>> ds = yx.simulate(genes=1000, bound=[0.1, 0.2], seed=42)
    >>> batches = Batches(ds, 256, shuffle=True, seed=1)
    >>> len(batches), [tuple(batch.x.shape) for batch in batches]
    (4, [(256, 2), (256, 2), (256, 2), (232, 2)])
    """

    def __init__(
        self,
        data: Any,
        batch_size: int,
        *,
        x: Names = "binding_effect",
        y: Names = "perturbation_effect",
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
    ) -> None:
        from yeastxr.training.tensors import check_device, check_dtype

        self.batch_size = check_integer("batch_size", batch_size, least=1)
        self._roles = [(check_names_of("x", x), isinstance(x, str)), (check_names_of("y", y), isinstance(y, str))]
        self._device, self._dtype = check_device(device), check_dtype(dtype)
        self._threads = count_threads() if threads is None else check_integer("threads", threads, least=1)
        self.drop_last, self.seed = bool(drop_last), check_seed(seed)
        for name, value in (("block", block), ("buffer", buffer)):
            if value is not None:
                check_integer(name, value, least=1)
        self._reader = SampleReader(data, [name for names, _ in self._roles for name in names], by, split)
        self._order = self._reader.order(bool(shuffle), self.seed, block, buffer, least=self.batch_size)
        self.rank, self.world_size = check_ranks(rank, world_size)
        first, last = self._share()
        if last - first < self.batch_size:
            raise InputError(
                f"batch_size is {format_value(batch_size)}; expected at most {last - first}, the number of samples"
                + (f" of rank {self.rank}" if self.world_size > 1 else "")
            )
        self._next = self._at = (0, 0)  # the epoch and batch that the next iteration begins at; and where this one is

    def __len__(self) -> int:
        first, last = self._share()
        return (last - first) // self.batch_size if self.drop_last else -(-(last - first) // self.batch_size)

    def __iter__(self) -> Iterator[Pair]:
        self._reader.check_process()
        epoch, skipped = self._next
        self._next, self._at = (epoch + 1, 0), (epoch, skipped)
        return self._batches(epoch, skipped)

    def __repr__(self) -> str:
        order, reader = self._order, self._reader
        return (
            f"<Batches: {len(self)} of {self.batch_size} samples by {reader.by!r}, rows {reader.row_shape}, "
            f"{'shuffled in buffers of ' + format(order.block * order.window, ',') if order.shuffle else 'in order'}>"
        )

    def set_epoch(self, epoch: int) -> None:
        """Make the next iteration that of some epoch, from its start.

        Parameters
        ----------
        epoch
            At least 0; epochs differ in their order where batches are shuffled.
        """
        self._next = self._at = (check_integer("epoch", epoch, least=0), 0)

    def state_dict(self) -> dict[str, Any]:
        """Return where the iteration is, so that :meth:`load_state_dict` goes on with the next batch.

        Returns
        -------
        dict
            ``epoch``, ``batch``, and what the order follows from; plain numbers, which JSON and ``torch.save`` hold.
        """
        epoch, batch = self._at
        at = (epoch + 1, 0) if batch == len(self) else (epoch, batch)
        return {"epoch": at[0], "batch": at[1], "order": self._identity()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where :meth:`state_dict` was called; the next iteration gives the rest of that epoch.

        Parameters
        ----------
        state
            What :meth:`state_dict` returned.

        Raises
        ------
        InputError
            If the state is not one, or is of batches of another order.
        """
        if not isinstance(state, Mapping) or not {"epoch", "batch", "order"} <= set(state):
            raise InputError(f"state is {format_value(state)}; expected what state_dict() returned")
        ours = self._identity()
        differ = [
            f"{key} {format_value(state['order'].get(key))}, not {value}"
            for key, value in ours.items()
            if state["order"].get(key) != value
        ]
        if differ:
            raise InputError(f"state is of batches with {'; '.join(differ)}; expected a state of the same order")
        self._next = self._at = (int(state["epoch"]), int(state["batch"]))

    def order(self, epoch: int = 0) -> xr.Dataset:
        """Return which sample comes when in an epoch, over all ranks.

        Parameters
        ----------
        epoch
            At least 0.

        Returns
        -------
        xarray.Dataset
            Along a dim ``sample``, int64: ``position`` along ``by``, and ``plane``, counted over the dims in front.
        """
        windows, _ = self._order.windows(check_integer("epoch", epoch, least=0))
        samples = np.concatenate([self._order.samples_of(window, epoch) for window in windows])
        plane, position = np.divmod(samples, self._order.length)
        return xr.Dataset({"position": ("sample", position), "plane": ("sample", plane)})

    def shared(self, part: int, parts: int) -> "Batches":
        """Return the batches of one of several workers of this rank.

        Parameters
        ----------
        part, parts
            Which worker, of how many.

        Returns
        -------
        Batches
            The same batches for a share of the samples.
        """
        import copy

        other = copy.copy(self)
        other.rank, other.world_size = self.rank * parts + part, self.world_size * parts
        return other

    def _share(self) -> tuple[int, int]:
        return share(self._order.samples, self.rank, self.world_size, self.drop_last)

    def _identity(self) -> dict[str, Any]:
        """Return what the order of the batches follows from."""
        order = self._order
        return {
            "seed": self.seed,
            "samples": order.samples,
            "length": order.length,
            "batch_size": self.batch_size,
            "shuffle": order.shuffle,
            "block": order.block,
            "window": order.window,
            "drop_last": self.drop_last,
            "rank": self.rank,
            "world_size": self.world_size,
        }

    def _batches(self, epoch: int, skipped: int) -> Iterator[Pair]:
        """Yield the batches of an epoch, in order, from one on."""
        windows, starts = self._order.windows(epoch)
        first, last = self._share()
        last = first + min(len(self) * self.batch_size, last - first)
        at = began = first + skipped * self.batch_size  # the next sample, and the first of its batch
        wanted = [w for w in range(len(windows)) if starts[w] < last and starts[w + 1] > at]
        most = int(max((starts[w + 1] - starts[w] for w in wanted), default=0))
        handover = Handover(self._device, self._dtype)
        shapes = [(most, *self._reader.row_shape, *(() if one else (len(names),))) for names, one in self._roles]
        buffers = [[handover.buffer(shape) for shape in shapes] for _ in wanted[:2]]
        threads = ThreadPoolExecutor(self._threads, thread_name_prefix="yeastxr-batches")

        def begin(i: int) -> list[Future[None]]:
            columns = self._columns(buffers[i % 2])
            handover.wait_until_free(i % 2)
            pieces = self._order.pieces(windows[wanted[i]], epoch)
            return [threads.submit(self._reader.read, piece, columns) for piece in pieces]

        try:
            reading = begin(0) if wanted else []
            for i, w in enumerate(wanted):
                for future in reading:
                    future.result()
                reading = begin(i + 1) if i + 1 < len(wanted) else []
                stop = min(last, int(starts[w + 1]))
                while at < stop:
                    end = min(began + self.batch_size, last)
                    until = min(end, stop)
                    rows = slice(at - int(starts[w]), until - int(starts[w]))
                    handover.take(i % 2, [buffer[rows] for buffer in buffers[i % 2]], whole=end - began)
                    at, began = until, end if until == end else began
                    for tensors in handover.finished():
                        yield self._handed(epoch, tensors)
            for tensors in handover.finished(all_of_them=True):
                yield self._handed(epoch, tensors)
        finally:
            threads.shutdown(cancel_futures=True)

    def _handed(self, epoch: int, tensors: "list[torch.Tensor]") -> Pair:
        if self._at[0] == epoch:
            self._at = (epoch, self._at[1] + 1)
        return Pair(*tensors)

    def _columns(self, buffers: "list[torch.Tensor]") -> list[tuple[str, np.ndarray]]:
        """Return, for each feature, the part of the buffers that it goes to."""
        columns = []
        for (names, one), buffer in zip(self._roles, buffers, strict=True):
            memory = buffer.numpy()
            columns += [(name, memory if one else memory[..., i]) for i, name in enumerate(names)]
        return columns


class SimulatedBatches(Batches):
    """Batches of a simulation that is stored nowhere: each block is simulated when it is read.

    Equal bit for bit to the batches of the stored simulation of the same specification.

    Parameters
    ----------
    spec
        What to simulate; an epoch is all of its replicates.
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


def check_names_of(argument: str, names: Any) -> list[str]:
    """Return the names of features of an argument that takes one or several."""
    names = (
        [names] if isinstance(names, str) else check_sequence(argument, names, "a feature's name, or a list of them")
    )
    if not names:
        raise InputError(f"{argument} is empty; expected at least one feature")
    return [check_feature(name).name for name in names]


def check_ranks(rank: int | None, world_size: int | None) -> tuple[int, int]:
    """Return which share is wanted of how many: as given, or as torch.distributed says."""
    if rank is None and world_size is None:
        import torch.distributed as distributed

        if not distributed.is_available() or not distributed.is_initialized():
            return 0, 1
        return distributed.get_rank(), distributed.get_world_size()
    if rank is None or world_size is None:
        raise InputError("rank and world_size are given one without the other; expected both or neither")
    world_size = check_integer("world_size", world_size, least=1)
    return check_integer("rank", rank, least=0, most=world_size - 1), world_size


class Handover:
    """Makes batches of rows of two buffers, in the order they are taken.

    To a CUDA GPU copies run on a stream of their own, from pinned memory, and a batch is kept back until the next one
    is under way, so that the device finds it there when it asks.

    Parameters
    ----------
    device, dtype
        Where batches go, and as what.
    """

    def __init__(self, device: "torch.device", dtype: "torch.dtype") -> None:
        import torch

        self._device, self._dtype = device, dtype
        self._stream = torch.cuda.Stream(device) if device.type == "cuda" else None
        self._last_use: dict[int, Any] = {}
        self._open: list[torch.Tensor] = []
        self._done: list[tuple[list[torch.Tensor], Any]] = []
        self._filled = 0  # rows of the batch that is open

    def buffer(self, shape: Sequence[int]) -> "torch.Tensor":
        """Return float32 memory on the CPU for rows; pinned, where they go to a CUDA GPU."""
        import torch

        if self._stream is not None:
            return torch.empty(tuple(shape), dtype=torch.float32, pin_memory=True)
        return torch.from_numpy(empty(shape))

    def wait_until_free(self, which: int) -> None:
        """Wait until nothing is copied out of a buffer any more."""
        if which in self._last_use:
            self._last_use.pop(which).synchronize()

    def take(self, which: int, rows: "Sequence[torch.Tensor]", whole: int) -> None:
        """Copy rows of a buffer to the batch that is open, of ``whole`` rows in all."""
        import torch

        with self._copying():
            if not self._open:
                self._open = [
                    torch.empty((whole, *part.shape[1:]), dtype=torch.float32, device=self._device) for part in rows
                ]
                self._filled = 0
            until = self._filled + len(rows[0])
            for tensor, part in zip(self._open, rows, strict=True):
                tensor[self._filled : until].copy_(part, non_blocking=True)
            self._filled = until
            full = [tensor.to(self._dtype) for tensor in self._open] if until == whole else None
            event = None
            if self._stream is not None:
                event = self._last_use[which] = torch.cuda.Event()
                event.record(self._stream)
        if full is not None:
            self._done.append((full, event))
            self._open = []

    def finished(self, all_of_them: bool = False) -> "Iterator[list[torch.Tensor]]":
        """Yield the batches that are ready; to a GPU one is kept back, unless all are asked for."""
        import torch

        while len(self._done) > (0 if all_of_them or self._stream is None else 1):
            tensors, event = self._done.pop(0)
            if self._stream is not None:
                current = torch.cuda.current_stream(self._device)
                current.wait_event(event)
                for tensor in tensors:
                    tensor.record_stream(current)  # its memory is of the other stream
            yield tensors

    def _copying(self) -> Any:
        import torch

        return nullcontext() if self._stream is None else torch.cuda.stream(self._stream)
