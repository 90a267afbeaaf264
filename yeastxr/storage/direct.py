"""Chunks in a folder on this machine, encoded and written without zarr's event loop, byte for byte as zarr would.

For chunks of some kB the way through zarr's asynchronous layers takes many times what encoding and writing take. It is
left out for what yeastxr itself stores by default: whole chunks, blosc, a local folder. All else goes through zarr.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np

from yeastxr.storage.layout import Block, Layout


class DirectArray:
    """A zarr array whose chunks are written and read directly, one block a chunk."""

    def __init__(self, array: Any, codec: Any, order: tuple[int, ...] | None) -> None:
        self._array, self._codec, self._order = array, codec, order
        self._root = Path(array.store.root) / array.path

    @classmethod
    def of(cls, array: Any, lengths: tuple[int, ...]) -> "DirectArray | None":
        """Return the array for direct use, or None where store, chunks or codecs are others than the default."""
        from zarr.codecs import BloscCodec, BytesCodec, TransposeCodec
        from zarr.storage import LocalStore

        codecs = list(array.metadata.codecs)
        order = None
        if codecs and isinstance(codecs[0], TransposeCodec):
            order = tuple(codecs.pop(0).order)
        kinds = [type(codec) for codec in codecs]
        little = kinds == [BytesCodec, BloscCodec] and _endian(codecs[0]) in (None, "little")
        if type(array.store) is not LocalStore or array.chunks != lengths or not little or np.little_endian is False:
            return None
        codec = getattr(codecs[1], "_blosc_codec", None)  # zarr's own, set up for the array's dtype
        return None if codec is None else cls(array, codec, order)

    def write(self, block: Block, values: np.ndarray) -> None:
        """Write a block, whole or cut short by the end of the array; the file is there whole or not at all."""
        if values.shape != self._array.chunks:  # zarr fills what lies beyond the end
            full = np.full(self._array.chunks, self._array.fill_value, self._array.dtype)
            full[tuple(map(slice, values.shape))] = values
            values = full
        turned = values if self._order is None else values.transpose(self._order)
        encoded = self._codec.encode(np.ascontiguousarray(turned).reshape(-1).view(np.uint8))
        file = self._file(block)
        partial = file.with_name(f"{file.name}.{uuid4().hex}.partial")
        try:
            try:
                target = partial.open("wb")
            except FileNotFoundError:
                file.parent.mkdir(parents=True, exist_ok=True)
                target = partial.open("wb")
            with target:
                target.write(encoded)
            partial.replace(file)
        except BaseException:
            partial.unlink(missing_ok=True)
            raise

    def read(self, block: Block, shape: tuple[int, ...]) -> np.ndarray | None:
        """Return a block of some shape, or None where it is missing."""
        try:
            encoded = self._file(block).read_bytes()
        except FileNotFoundError:
            return None
        chunks = self._array.chunks
        order = self._order or tuple(range(len(chunks)))
        decoded = np.frombuffer(self._codec.decode(encoded), self._array.dtype)
        turned = decoded.reshape([chunks[axis] for axis in order])
        return turned.transpose(np.argsort(order))[tuple(map(slice, shape))]

    def _file(self, block: Block) -> Path:
        return self._root / self._array.metadata.encode_chunk_key(block)


def _endian(codec: Any) -> str | None:
    """Return the order of bytes; zarr has it as an enumeration, and later as text."""
    return getattr(codec.endian, "value", codec.endian)


def direct_where_possible(arrays: Sequence[Any], layout: Layout) -> list[Any]:
    """Return zarr arrays for direct use, block by block, and those for which it is not possible as they are."""
    lengths = tuple(layout.lengths.values())
    return [DirectArray.of(array, lengths) or array for array in arrays]
