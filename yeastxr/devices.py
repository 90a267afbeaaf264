"""Tensors on devices: which there are, and how columns get there from memory."""

import queue
from collections.abc import Sequence
from contextlib import nullcontext
from itertools import product
from typing import Any

import numpy as np
import torch
import xarray as xr

from yeastxr.arguments import InputError, InputTypeError, shown
from yeastxr.reading import Region, for_each_block
from yeastxr.threads import in_threads, thread_count

_STAGED_BYTES = 1 << 23  # of pinned memory, twice for each thread
_MOST_THREADS = 8  # what fills a bus


def check_device(device: Any) -> torch.device:
    """Return the device, or refuse one that is not there."""
    try:
        where = torch.device("cpu" if device is None else device)
    except (RuntimeError, TypeError):
        raise InputError(f"device is {shown(device)}; expected a torch device such as 'cpu' or 'cuda'") from None
    if where.type == "cuda" and (where.index or 0) >= torch.cuda.device_count():
        count = torch.cuda.device_count()
        raise InputError(
            f"device is {str(where)!r}, but torch finds {count} CUDA GPUs here; expected one of those or 'cpu'"
        )
    if where.type == "mps" and not torch.backends.mps.is_available():
        raise InputError("device is 'mps', but torch finds no such GPU here; expected 'cpu'")
    return where


def check_dtype(dtype: Any) -> torch.dtype:
    """Return a floating-point dtype, float32 by default, or refuse it."""
    if dtype is None:
        return torch.float32
    if not isinstance(dtype, torch.dtype) or not dtype.is_floating_point:
        raise InputTypeError(f"dtype is {shown(dtype)}; expected a floating-point torch dtype such as torch.float32")
    return dtype


def fill_on_device(arrays: Sequence[xr.DataArray], out: torch.Tensor, pinned: bool = True) -> None:
    """Fill ``out[..., i]`` on a device with feature i, each value crossing the bus in its own dtype.

    Planes are cut into slabs. A slab is copied to one of two pinned buffers of a thread, from there to the device while
    the other buffer is filled, and there cast and put in its place. Nothing else than the buffers is held in memory.

    Parameters
    ----------
    arrays
        Features with dims ``(..., gene, tf)``, as :func:`yeastxr.reading.alike` returns them.
    out
        ``[..., genes, TFs, len(arrays)]``, on the device, of any dtype and strides.
    pinned
        Whether buffers are pinned; False for devices without, and for tests.
    """
    threads = min(thread_count(), _MOST_THREADS)
    stagers: queue.SimpleQueue[_Stager] = queue.SimpleQueue()
    everyone = [_Stager(out.device, pinned) for _ in range(threads)]
    for stager in everyone:
        stagers.put(stager)

    def take(region: Region, planes: list[np.ndarray]) -> None:
        target = out[region]

        def send(part: tuple[int, tuple[int, ...], slice]) -> None:
            i, index, some = part
            stager = stagers.get()
            try:
                stager.send(planes[i][index][:, some], target[index][:, some, i])
            finally:
                stagers.put(stager)

        lead, genes, tfs = target.shape[:-3], target.shape[-3], target.shape[-2]
        parts = [
            (i, index, slice(first, min(first + each, tfs)))
            for i, plane in enumerate(planes)
            for each in [max(1, _STAGED_BYTES // (plane.itemsize * genes))]
            for index, first in product(np.ndindex(*lead), range(0, tfs, each))
        ]
        # Blocks of dask come from several threads already.
        in_threads(send, parts, 1 if arrays[0].chunks else threads)

    for_each_block(arrays, take)
    for stager in everyone:
        stager.finish()


class _Stager:
    """One thread's way to a device: two buffers, a stream, and an event for each buffer that says when it is free."""

    def __init__(self, device: torch.device, pinned: bool) -> None:
        self._device, self._pinned = device, pinned
        self._buffers: list[torch.Tensor | None] = [None, None]
        self._turn = 0
        self._stream = torch.cuda.Stream(device) if pinned else None
        self._free = [torch.cuda.Event() if pinned else None for _ in range(2)]
        if self._stream is not None:
            self._stream.wait_stream(torch.cuda.current_stream(device))  # what is to be filled may still be in use

    def send(self, plane: np.ndarray, target: torch.Tensor) -> None:
        """Copy a plane to where it belongs on the device; on return the plane is free again."""
        self._turn ^= 1
        event = self._free[self._turn]
        if event is not None:
            event.synchronize()
        values = plane.view(np.uint8) if plane.dtype == bool else plane
        across = values.T if values.flags.f_contiguous and not values.flags.c_contiguous else values
        staged = self._staged(across)
        np.copyto(staged.numpy(), across)
        with torch.cuda.stream(self._stream) if self._stream is not None else nullcontext():
            there = staged.to(self._device, non_blocking=True, copy=True)
            target.copy_(there if across is values else there.T)
            if event is not None:
                event.record(self._stream)

    def finish(self) -> None:
        """Make what comes next on the device wait for all that was sent."""
        if self._stream is not None:
            torch.cuda.current_stream(self._device).wait_stream(self._stream)
            self._stream.synchronize()  # so that buffers and device memory are free for others

    def _staged(self, like: np.ndarray) -> torch.Tensor:
        """Return this turn's buffer in the shape and dtype of an array; it grows where a slab needs it."""
        buffer = self._buffers[self._turn]
        if buffer is None or buffer.numel() < like.nbytes:
            buffer = torch.empty(max(_STAGED_BYTES, like.nbytes), dtype=torch.uint8, pin_memory=self._pinned)
            self._buffers[self._turn] = buffer
        dtype = torch.uint8 if like.dtype == np.uint8 else torch.float32
        return buffer[: like.nbytes].view(dtype).reshape(like.shape)
