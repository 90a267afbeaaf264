"""From buffers to batches on a device: copies out of a buffer, so that it can be filled again."""

from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from typing import Any

import torch

from yeastxr.interleaving import empty


class Handover:
    """Makes batches of rows of two buffers, in the order they are taken.

    To a CUDA GPU copies run on a stream of their own, from pinned memory, and a batch is kept back until the next one
    is under way, so that the device finds it there when it asks.

    Parameters
    ----------
    device, dtype
        Where batches go, and as what.
    """

    def __init__(self, device: torch.device, dtype: torch.dtype) -> None:
        self._device, self._dtype = device, dtype
        self._stream = torch.cuda.Stream(device) if device.type == "cuda" else None
        self._last_use: dict[int, Any] = {}
        self._open: list[torch.Tensor] = []
        self._done: list[tuple[list[torch.Tensor], Any]] = []
        self._filled = 0  # rows of the batch that is open

    def buffer(self, shape: Sequence[int]) -> torch.Tensor:
        """Return float32 memory on the CPU for rows; pinned, where they go to a CUDA GPU."""
        if self._stream is not None:
            return torch.empty(tuple(shape), dtype=torch.float32, pin_memory=True)
        return torch.from_numpy(empty(shape))

    def wait_until_free(self, which: int) -> None:
        """Wait until nothing is copied out of a buffer any more."""
        if which in self._last_use:
            self._last_use.pop(which).synchronize()

    def take(self, which: int, rows: Sequence[torch.Tensor], whole: int) -> None:
        """Copy rows of a buffer to the batch that is open, of ``whole`` rows in all."""
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

    def finished(self, all_of_them: bool = False) -> Iterator[list[torch.Tensor]]:
        """Yield the batches that are ready; to a GPU one is kept back, unless all are asked for."""
        while len(self._done) > (0 if all_of_them or self._stream is None else 1):
            tensors, event = self._done.pop(0)
            if self._stream is not None:
                current = torch.cuda.current_stream(self._device)
                current.wait_event(event)
                for tensor in tensors:
                    tensor.record_stream(current)  # its memory is of the other stream
            yield tensors

    def _copying(self) -> Any:
        return nullcontext() if self._stream is None else torch.cuda.stream(self._stream)
