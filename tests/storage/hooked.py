"""A folder whose writes tests can watch, delay or fail, at the public seam: a zarr store."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import zarr

_before: list[Callable[[str], object]] = []
_after: list[Callable[[str], object]] = []


class HookedStore(zarr.storage.LocalStore):
    """A folder that calls functions with each key before, or after, it is written."""

    async def set(self, key: str, *args: object, **options: object) -> None:
        """Write the value of a key."""
        for function in _before:
            await asyncio.to_thread(function, key)
        await super().set(key, *args, **options)
        for function in _after:
            function(key)


@contextmanager
def hook(
    *, before: Callable[[str], object] | None = None, after: Callable[[str], object] | None = None
) -> Iterator[None]:
    """Call functions with each key that a HookedStore writes."""
    _before.extend([before] if before else [])
    _after.extend([after] if after else [])
    try:
        yield
    finally:
        _before.clear()
        _after.clear()
