"""Zarr stores that compare files with digests on reading, and compute digests on writing."""

import json
from collections.abc import AsyncIterator
from typing import Any

from zarr.abc.store import Store
from zarr.storage import WrapperStore

from yeastxr.errors import StoreError
from yeastxr.schema import FEATURE_NAMES
from yeastxr.storage.layout import Records, digest_file
from yeastxr.storage.metadata import get_key


class StrictStore(WrapperStore[Store]):
    """A read-only store that raises for chunks that are missing or differ from the records.

    zarr itself reads missing chunks as zeros, and decodes most damaged ones. ``name`` is the name in messages. With
    ``partial``, chunks may be missing; with ``saved``, metadata comes from the records.
    """

    def __init__(
        self, store: Store, name: str, records: Records | None, *, partial: bool = False, saved: bool = False
    ) -> None:
        super().__init__(store)
        self._name, self._records, self._partial, self._saved = name, records, partial, saved
        paths = {} if records is None else records.metadata
        self._blocks = FEATURE_NAMES if records is None else records.names
        self._documents = {get_key(path): path for path in paths}
        self._names = {path.partition("/")[0] for path in paths}

    def _with_store(self, store: Store) -> "StrictStore":
        return StrictStore(store, self._name, self._records, partial=self._partial, saved=self._saved)

    async def get(self, key: str, prototype: Any, byte_range: Any = None) -> Any:
        """Return the bytes of a key; None if it does not exist and is not expected."""
        if self._saved and self._records is not None and key in self._documents:
            document = self._records.metadata[self._documents[key]]
            return prototype.buffer.from_bytes(json.dumps(document).encode())
        data = await super().get(key, prototype, byte_range)
        name, _, rest = key.partition("/")
        if not (rest == "c" or rest.startswith("c/")):
            return data
        expected = None if self._records is None else self._records.get_file_digest(key)
        if data is None:
            if not self._partial and (expected or name in self._blocks):
                self._refuse(f"is missing the chunk {key}")
        elif expected is None and name in self._names and name not in self._blocks:
            self._refuse(f"has the unexpected chunk {key}")
        elif expected and byte_range is None and digest_file(data) != expected:  # parts of shards may be read
            self._refuse(f"has a damaged chunk {key}, or one that was changed since the store was opened")
        return data

    def _refuse(self, problem: str) -> None:
        raise StoreError(
            f"store is {self._name}, which {problem}; verify lists missing and "
            "damaged blocks, and yx.verify(path, repair=True) regenerates them"
        )

    async def list_dir(self, prefix: str) -> AsyncIterator[str]:
        """Yield the contents of a folder; in the root only arrays and groups, because zarr warns about other files."""
        async for name in super().list_dir(prefix):
            if prefix.strip("/") or name in ("zarr.json", *self._names) or await self.exists(get_key(name)):
                yield name


class DigestingStore(WrapperStore[Store]):
    """A store that computes the digest of each written file."""

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.digests: dict[str, int] = {}

    async def set(self, key: str, value: Any) -> None:
        """Write the bytes of a key."""
        self.digests[key] = digest_file(value)
        await super().set(key, value)
