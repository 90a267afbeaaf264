"""A zarr store in which no chunk of a feature may be missing: zarr by itself would read it as zeros."""

from typing import Any

from zarr.abc.store import Store
from zarr.storage import WrapperStore

from yeastxr.errors import StoreError
from yeastxr.schema import FEATURE_NAMES


class StrictStore(WrapperStore[Store]):
    """A store to read, which refuses to read a chunk of a feature that is missing; ``name`` is for messages."""

    def __init__(self, store: Store, name: str) -> None:
        super().__init__(store)
        self._name = name

    def _with_store(self, store: Store) -> "StrictStore":
        return StrictStore(store, self._name)

    async def get(self, key: str, *args: Any, **options: Any) -> Any:
        """Return the bytes of a key, or None if there is none and it is not a chunk of a feature."""
        data = await super().get(key, *args, **options)
        feature, _, rest = key.partition("/")
        if data is None and feature in FEATURE_NAMES and not rest.endswith(("json", ".zarray", ".zattrs", ".zgroup")):
            raise StoreError(
                f"store is {self._name}, which lacks the chunk {key}; expected a complete store: verify lists what is "
                "missing, and with repair simulates it again"
            )
        return data
