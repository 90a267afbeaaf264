"""A zarr store in which no chunk of a feature may be missing: zarr by itself would read it as zeros."""

from typing import Any

from zarr.abc.store import Store
from zarr.storage import WrapperStore

from yeastxr.errors import StoreError
from yeastxr.schema import FEATURE_NAMES
from yeastxr.storage.location import Location


class WholeStore(WrapperStore[Store]):
    """A store that is read only, and refuses to read a chunk that is not there.

    Parameters
    ----------
    store
        The store.
    name
        What to call it in messages.
    """

    def __init__(self, store: Store, name: str) -> None:
        super().__init__(store)
        self._name = name

    def _with_store(self, store: Store) -> "WholeStore":
        return WholeStore(store, self._name)

    async def get(self, key: str, *args: Any, **options: Any) -> Any:
        """Return what is stored under a key; None, if that is not a chunk of a feature."""
        found = await super().get(key, *args, **options)
        feature, _, rest = key.partition("/")
        if found is None and feature in FEATURE_NAMES and not rest.endswith(("json", ".zarray", ".zattrs", ".zgroup")):
            raise StoreError(
                f"store is {self._name}, which lacks the chunk {key}; expected a whole store: verify tells what is "
                "missing, and makes a simulation's blocks again with repair"
            )
        return found


def whole(location: Location) -> WholeStore:
    """Return the store of a location as one that must be whole."""
    return WholeStore(location.store, location.name)
