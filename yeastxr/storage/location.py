"""The location of a store (a path, a URL or a zarr store), its lock, and the files that belong to it.

yeastxr deletes only files that it or zarr created for a store: metadata and chunks of its arrays, partial files of
zarr, and folders beside the store whose names contain ``.yeastxr-``.
"""

import os
import re
from collections.abc import Awaitable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import unquote, urlparse
from zipfile import BadZipFile

from yeastxr.errors import InputError, InputTypeError, StoreError, StoreExistsError, describe_error, format_value
from yeastxr.schema import VARIABLE_BY_NAME

if TYPE_CHECKING:
    import zarr.abc.store

StoreLike = Any  # a path, a URL, or a zarr store
COMPLETE = "yeastxr_complete"  # attribute of the root: False until everything is written
RECORDS = "yeastxr"  # the group of the records
_EXPECTED = "expected a path, a URL such as file://, memory:// or s3://, or a zarr store"
_RECORD_ARRAYS = (f"{RECORDS}/digests", f"{RECORDS}/digests-next")
_PARTIAL = re.compile(r"[^/.]+\.[0-9a-f]{32}\.partial")  # zarr writes to such files, and renames them
_CHUNK = re.compile(r"c|(c[./])?[0-9]+([./][0-9]+)*")
_SWAP_SECONDS = 5.0  # seconds that a reader waits for a writer between two renames
_T = TypeVar("_T")


def wait(work: Awaitable[_T]) -> _T:
    """Run a coroutine on the event loop of zarr, to which all stores are bound."""
    from zarr.core.sync import sync

    return sync(work)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Location:
    """A zarr store, its name in messages, and its folder (absolute, with links resolved) if it is local."""

    store: "zarr.abc.store.Store"
    name: str
    path: Path | None = None
    handle: Any = None  # the return value of public functions: an absolute path, or the zarr store

    def exists(self) -> bool:
        """Return whether anything exists at this location."""
        if self.path is not None:
            return os.path.lexists(self.path)
        try:
            return not wait(self.store.is_empty(""))
        except Exception as error:  # each type of store has its own errors
            raise StoreError(f"store is {self.name}, which can't be reached: {describe_error(error)}") from None

    def read_attrs(self) -> dict[str, Any] | None:
        """Return the attributes of the zarr v3 group at this location, or None if there is no readable group."""
        import zarr

        if self.path is not None and not self.path.is_file() and not (self.path / "zarr.json").is_file():
            return None
        try:
            return dict(zarr.open_group(self.store, mode="r", zarr_format=3, use_consolidated=False).attrs)
        except (AttributeError, KeyError, TypeError, ValueError, OSError, RecursionError, BadZipFile):
            return None

    def classify(self) -> str:
        """Return "nothing", "unfinished" or "complete"; raise if the location contains anything but a yeastxr store."""
        if not self.exists():
            return "nothing"
        attrs = self.read_attrs()
        if attrs is None and self.path is not None and self.path.is_dir() and not self.path.is_symlink():
            names = [file.name for file in self.path.iterdir()]
            if all(name.startswith("zarr.") and _PARTIAL.fullmatch(name) for name in names):
                return "nothing"  # empty, or a writer was killed before its first file
        if attrs is None or COMPLETE not in attrs:
            raise StoreExistsError(
                f"store is {self.name}, which exists and is not a yeastxr store; choose another path"
            )
        return "complete" if attrs[COMPLETE] is True else "unfinished"

    def list_keys(self) -> tuple[list[str], list[str]]:
        """Return the keys of the store's own files, and those of other files and links to the outside."""
        if self.path is None:

            async def list_all() -> list[str]:
                return [key async for key in self.store.list()]

            keys, strange = wait(list_all()), list[str]()
        else:
            keys, strange = _walk(self.path)
        arrays = {key.rpartition("/")[0] for key in keys if key.endswith("/zarr.json")} - {RECORDS}
        arrays |= {*VARIABLE_BY_NAME, *_RECORD_ARRAYS}
        own = [key for key in keys if _is_own(key, arrays)]
        return own, sorted({*keys, *strange}.difference(own))

    def check_links(self) -> None:
        """Raise if the folder contains links to the outside."""
        if self.path is not None and self.path.is_dir():
            for key in _walk(self.path)[1]:
                if (self.path / key).is_symlink():
                    raise StoreError(
                        f"store is {self.name}, where {key} is a link to the outside; expected a regular file or folder"
                    )

    def check_own(self) -> None:
        """Raise if a store to delete contains other files."""
        foreign = self.list_keys()[1]
        if foreign:
            more = f" and {len(foreign) - 3} more" if len(foreign) > 3 else ""
            raise StoreExistsError(
                f"store is {self.name}, which contains files that do not belong to it "
                f"({', '.join(foreign[:3])}{more}); move them elsewhere, because replacing the store would delete them"
            )

    def clear(self) -> None:
        """Delete the store, with the files that identify it last; raise if there are other files."""
        self.check_own()
        if self.path is None:
            if self.exists():
                wait(self.store.delete_dir(""))
            return
        root = self.path / "zarr.json"
        for key in sorted(self.list_keys()[0], key=lambda key: (key.endswith("zarr.json"), key)):
            if key != root.name:
                (self.path / key).unlink(missing_ok=True)
        for folder, _, _ in os.walk(self.path, topdown=False):
            if Path(folder) == self.path:
                root.unlink(missing_ok=True)  # last, so that until then this is a yeastxr store
            with suppress(OSError):  # not empty: a file was added in the meantime
                Path(folder).rmdir()

    def sweep(self) -> None:
        """Delete partial files of zarr that killed writers left behind."""
        if self.path is not None:
            for key in self.list_keys()[0]:
                if key.endswith(".partial"):
                    (self.path / key).unlink(missing_ok=True)

    def get_sibling(self, role: str) -> "Location":
        """Return the hidden folder beside a store for its replacement ("new") or the replaced store ("old")."""
        assert self.path is not None
        path = self.path.with_name(f".{self.path.name}.yeastxr-{role}")
        return Location(_open_local(path), repr(str(path)), path, path)

    def recover(self) -> None:
        """Finish a replacement that was interrupted between its renames; the caller holds the lock."""
        if self.path is None:
            return
        new, old = self.get_sibling("new"), self.get_sibling("old")
        if not self.exists():
            for sibling in (new, old):
                if (sibling.read_attrs() or {}).get(COMPLETE) is True:
                    sibling.path.rename(self.path)  # type: ignore[union-attr]
                    break
        if old.exists() and (self.read_attrs() or {}).get(COMPLETE) is True and not old.list_keys()[1]:
            old.clear()

    def recover_to_read(self) -> None:
        """Finish an interrupted replacement if it left no store to read."""
        if self.path is None or self.exists():
            return
        if any(self.get_sibling(role).exists() for role in ("new", "old")):
            with self.lock(_SWAP_SECONDS):
                self.recover()

    def replace_with(self, new: "Location", *, sync: bool) -> None:
        """Replace this store with a complete one, and then delete the old one."""
        old = self.get_sibling("old")
        assert self.path is not None
        assert new.path is not None
        assert old.path is not None
        if old.exists():
            raise StoreExistsError(f"store is {self.name}, but {old.name} already exists beside it; move it elsewhere")
        self.path.rename(old.path)
        try:
            new.path.rename(self.path)
        except BaseException:
            old.path.rename(self.path)
            raise
        if sync:
            sync_to_disk(self.path.parent)
        old.clear()

    @contextmanager
    def lock(self, seconds: float = 0.0, *, make_parents: bool = False) -> Iterator[None]:
        """Lock a folder for one writer; the operating system releases the lock of a killed writer."""
        if self.path is None:  # object stores have no locks, but writers of the same specification write the same bytes
            yield
            return
        from filelock import FileLock, Timeout

        file = self.path.with_name(f".{self.path.name}.yeastxr-lock")
        unwritable = StoreError(f"store is {self.name}, whose folder is not writable; expected a writable folder")
        try:
            if make_parents:
                self.path.parent.mkdir(parents=True, exist_ok=True)
            lock = FileLock(file, timeout=seconds)
            lock.acquire()
        except Timeout:
            if not file.exists():
                raise unwritable from None
            raise StoreExistsError(
                f"store is {self.name}, which another process is writing; wait for it to finish"
            ) from None
        except OSError:
            raise unwritable from None
        try:
            yield
        finally:
            with suppress(OSError):
                file.unlink()
            lock.release()

    def check_shared(self) -> None:
        """Raise for a store in the memory of this process, which other processes can't access."""
        store: Any = self.store
        while hasattr(store, "_store"):  # zarr wrappers
            store = store._store
        base = type(store).__module__.partition(".")[0]
        protocol = getattr(getattr(store, "fs", None), "protocol", ())
        in_obstore = type(getattr(store, "store", None)).__name__ == "MemoryStore"
        in_memory = type(store).__name__.endswith("MemoryStore") or "memory" in protocol or in_obstore
        if in_memory or base == "icechunk":
            raise StoreError(
                f"store is {self.name}, which other processes can't access; use a path or an object store, "
                "or dask.config.set(scheduler='threads')"
            )


def locate(store: StoreLike, *, storage_options: Mapping[str, Any] | None = None, read_only: bool = False) -> Location:
    """Convert a store argument to a location, without reading or creating anything. Zip files are read-only."""
    from zarr.abc.store import Store
    from zarr.storage import FsspecStore, LocalStore, ZipStore

    if isinstance(store, LocalStore):
        handle, path = _resolve(str(store.root))
        if path != store.root and type(store) is LocalStore:
            store = LocalStore(path, read_only=store.read_only)
        return Location(store, repr(str(store.root)), path, handle)
    if isinstance(store, Store):
        return Location(store, str(store), None, store)
    if not isinstance(store, str | os.PathLike):
        raise InputTypeError(f"store is {format_value(store)}; {_EXPECTED}")
    text = os.fspath(store)
    if not isinstance(text, str) or not text or "\0" in text:
        raise InputError(f"store is {format_value(text)}; {_EXPECTED}")
    url = urlparse(text) if "://" in text else None
    if url is None or url.scheme == "file":
        if url is not None and url.netloc not in ("", "localhost"):
            raise InputError(f"store is {text!r}, a file on another host; expected file:///... or a path")
        given = text if url is None else unquote(url.path)
        handle, path = _resolve(given)
        if path.suffix == ".zip":
            if not read_only:
                raise InputError(f"store is {given!r}, but zip files are read-only; expected a folder")
            return Location(
                ZipStore(path, mode="r") if path.is_file() else _open_local(path), repr(given), path, handle
            )
        return Location(_open_local(path), repr(given), path, handle)
    try:
        opened: Store
        if url.scheme == "memory":
            opened = FsspecStore.from_url(text)
        else:
            from obstore.store import from_url
            from zarr.storage import ObjectStore

            opened = ObjectStore(from_url(text, **(storage_options or {})))
        return Location(opened, repr(text), None, opened)
    except ImportError as error:
        raise InputError(
            f"store is {text!r}, but {error.name or 'obstore'} is not installed; use a path, "
            "or pip install 'yeastxr[cloud]'"
        ) from None
    except Exception as error:
        raise InputError(
            f"store is {format_value(text)}, which is invalid ({describe_error(error)}); {_EXPECTED}"
        ) from None


def sync_to_disk(*paths: Path) -> None:
    """Flush files, or the entries of folders, to the disk."""
    for path in paths:
        with suppress(OSError):  # the platform can't sync folders, or the file no longer exists
            descriptor = os.open(path, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)


def _resolve(text: str) -> tuple[Path, Path]:
    """Return the absolute path, and the path with links resolved; broken links are kept."""
    try:
        path = Path(os.path.normpath(Path.cwd() / Path(text).expanduser()))
    except (RuntimeError, OSError, ValueError) as error:
        raise InputError(f"store is {text!r}, which is invalid ({describe_error(error)}); {_EXPECTED}") from None
    if path.is_symlink() and not path.exists():
        return path, path
    try:
        return path, path.resolve()
    except (RuntimeError, OSError, ValueError):
        return path, path


def _walk(root: Path) -> tuple[list[str], list[str]]:
    """Return the keys of all files, and those of links to the outside."""
    keys, strange = [], []
    for folder, folders, files in os.walk(root):
        base = Path(folder)
        relative = "" if base == root else f"{base.relative_to(root).as_posix()}/"
        for name in (*folders, *files):
            entry = base / name
            if entry.is_symlink() and not entry.resolve().is_relative_to(root):
                strange.append(relative + name)
            elif name in files or entry.is_symlink():
                keys.append(relative + name)
    return keys, strange


def _is_own(key: str, arrays: set[str]) -> bool:
    """Return whether a key belongs to metadata, a chunk or a partial file of the store."""
    if key in ("zarr.json", f"{RECORDS}/zarr.json"):
        return True
    folder, _, name = key.rpartition("/")
    if name.endswith(".partial"):
        if not _PARTIAL.fullmatch(name):
            return False
        if name.startswith("zarr."):
            return folder.count("/") == 0 or folder in arrays
        key = f"{folder}/{name.partition('.')[0]}"
    array, _, rest = key.partition("/")
    if array == RECORDS:
        name, _, rest = rest.partition("/")
        array = f"{RECORDS}/{name}"
    return array in arrays and (rest == "zarr.json" or bool(_CHUNK.fullmatch(rest)))


def _open_local(path: Path) -> "zarr.abc.store.Store":
    from zarr.storage import LocalStore

    return LocalStore(path)
