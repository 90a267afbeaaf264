"""Where a store lies: paths, URLs and zarr stores made one, and what can be told without opening a dataset."""

import os
import shutil
from collections.abc import Awaitable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import unquote, urlparse
from zipfile import BadZipFile

from yeastxr.errors import InputError, InputTypeError, StoreError, StoreExistsError, describe_error, format_value

if TYPE_CHECKING:
    import zarr.abc.store

StoreLike = Any  # a path, a URL, or a zarr store
_EXPECTED = "expected a path, a URL such as file://, memory:// or s3://, or a zarr store"
_T = TypeVar("_T")


def wait(work: Awaitable[_T]) -> _T:
    """Run zarr's asynchronous work to its end, on zarr's own loop, which every store is bound to."""
    from zarr.core.sync import sync

    return sync(work)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Location:
    """A zarr store, what to call it in messages, and its folder where it is on this machine."""

    store: "zarr.abc.store.Store"
    name: str
    path: Path | None = None

    @property
    def given(self) -> Any:
        """What a caller gets back: the path, or else the zarr store."""
        return self.store if self.path is None else self.path

    def exists(self) -> bool:
        """Tell whether anything is there at all."""
        if self.path is not None:
            return self.path.exists() or self.path.is_symlink()
        try:
            return not wait(self.store.is_empty(""))
        except Exception as error:  # each kind of store has errors of its own
            raise StoreError(f"store is {self.name}, which can't be reached: {describe_error(error)}") from None

    def attrs(self) -> dict[str, Any] | None:
        """Return the attributes of the zarr v3 group that is there, or None if there is none that can be read."""
        import zarr

        if self.path is not None and not self.path.is_file() and not (self.path / "zarr.json").is_file():
            return None
        try:
            return dict(zarr.open_group(self.store, mode="r", zarr_format=3, use_consolidated=False).attrs)
        except (KeyError, TypeError, ValueError, OSError, RecursionError, BadZipFile):
            return None

    def clear(self) -> None:
        """Delete everything that is there."""
        if self.path is not None:
            shutil.rmtree(self.path, ignore_errors=True)
        else:
            wait(self.store.delete_dir(""))

    def sweep(self) -> None:
        """Delete what a writer that was killed left half written."""
        for leftover in self.path.rglob("*.partial") if self.path is not None else ():
            leftover.unlink(missing_ok=True)

    def beside(self, suffix: str) -> "Location":
        """Return a place beside a folder, hidden, for what will take its place."""
        if self.path is None:
            raise StoreError(f"store is {self.name}, which has no place beside it; expected a path")
        path = self.path.with_name(f".{self.path.name}.{suffix}")
        return Location(_local(path), repr(str(path)), path)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold a folder for one writer; the lock of a writer that was killed is free again."""
        if self.path is None:  # object stores have no locks; two writers of one specification write the same bytes
            yield
            return
        from filelock import FileLock, Timeout

        file = self.path.with_name(f".{self.path.name}.lock")
        try:
            with FileLock(file, timeout=0):
                yield
                file.unlink(missing_ok=True)
        except Timeout:
            if not file.exists():
                raise StoreError(
                    f"store is {self.name}, whose folder can't be written to; expected one that can"
                ) from None
            raise StoreExistsError(
                f"store is {self.name}, which another process is writing; expected that to end first"
            ) from None


def locate(store: StoreLike, *, storage_options: Mapping[str, Any] | None = None, read_only: bool = False) -> Location:
    """Return where a store argument points, or refuse it; nothing is read or made.

    Parameters
    ----------
    store
        A path, a URL, or a zarr store, such as an icechunk session's.
    storage_options
        For URLs of object stores: what obstore takes, such as the region or keys.
    read_only
        Whether nothing is to be written; zip files are only read.

    Raises
    ------
    InputError
        If it is none of these, or what reads such URLs is not installed.
    """
    from zarr.abc.store import Store
    from zarr.storage import FsspecStore, LocalStore, ZipStore

    if isinstance(store, LocalStore):
        return Location(store, repr(str(store.root)), Path(store.root))
    if isinstance(store, Store):
        return Location(store, str(store))
    if not isinstance(store, str | os.PathLike):
        raise InputTypeError(f"store is {format_value(store)}; {_EXPECTED}")
    text = os.fspath(store)
    if not isinstance(text, str) or not text:
        raise InputError(f"store is {format_value(text)}; {_EXPECTED}")
    url = urlparse(text) if "://" in text else None
    if url is None or url.scheme == "file":
        path = Path(text if url is None else unquote(url.path))
        if path.suffix == ".zip":
            if not read_only:
                raise InputError(f"store is {str(path)!r}, and zip files are only read; expected a folder to write to")
            return Location(ZipStore(path, mode="r") if path.is_file() else _local(path), repr(str(path)), path)
        return Location(_local(path), repr(str(path)), path)
    try:
        if url.scheme == "memory":
            return Location(FsspecStore.from_url(text), repr(text))
        from obstore.store import from_url
        from zarr.storage import ObjectStore

        return Location(ObjectStore(from_url(text, **(storage_options or {}))), repr(text))
    except ImportError as error:
        raise InputError(
            f"store is {text!r}, and {error.name or 'obstore'} is not installed; expected a path, "
            "or: pip install 'yeastxr[cloud]'"
        ) from None
    except Exception as error:
        raise InputError(
            f"store is {format_value(text)}, which is refused ({describe_error(error)}); {_EXPECTED}"
        ) from None


def _local(path: Path) -> "zarr.abc.store.Store":
    from zarr.storage import LocalStore

    return LocalStore(path)
