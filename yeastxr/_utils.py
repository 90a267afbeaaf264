"""Threads, progress bars, atomic replacement of files, and compiled kernels."""

import os
import pickle
import re
import secrets
import shutil
import sys
import zlib
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed, wait
from contextlib import contextmanager, suppress
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import Any, TypeVar

from yeastxr.errors import InputError, InputTypeError, format_value

_T = TypeVar("_T")


class LazyModule:
    """A module that is imported on first use, such as torch, whose import takes seconds."""

    def __init__(self, name: str, extra: str) -> None:
        self._name, self._extra = name, extra

    def __getattr__(self, name: str) -> Any:
        return getattr(import_extra(self._name, self._extra), name)


_HINTS = {"torch": ", or, for a CPU-only build: pip install torch --index-url https://download.pytorch.org/whl/cpu"}


def import_extra(name: str, extra: str) -> Any:
    """Import a module that an extra of the package installs; the error says how to install it."""
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        missing = error.name or name
        hint = _HINTS.get(missing, "")
        raise InputError(f"{missing} is not installed; pip install 'yeastxr[{extra}]'{hint}") from None


def count_threads() -> int:
    """Return the number of threads: ``YEASTXR_THREADS``, or the number of cores available to this process."""
    setting = os.environ.get("YEASTXR_THREADS")
    if setting is None:
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if not re.fullmatch(r"\s*0*[1-9][0-9]{0,5}\s*", setting):
        raise InputError(f"YEASTXR_THREADS is {format_value(setting)}; expected a positive integer")
    return int(setting)


def run_in_threads(work: Callable[[_T], object], parts: Sequence[_T], threads: int) -> None:
    """Call a function with each part, in threads if there are several; stop at the first error."""
    if min(threads, len(parts)) < 2:
        for part in parts:
            work(part)
        return
    futures = [_get_pool(os.getpid(), threads).submit(work, part) for part in parts]
    try:
        for future in as_completed(futures):
            future.result()
    finally:  # after an error, nothing continues in the background
        for future in futures:
            future.cancel()
        wait(futures)


@lru_cache(maxsize=1)
def _get_pool(process: int, threads: int) -> ThreadPoolExecutor:
    """Return the thread pool of this process, cached because starting it takes as long as a small simulation."""
    return ThreadPoolExecutor(threads, thread_name_prefix="yeastxr")


@contextmanager
def show_progress(title: str, pairs: int, *, pair_bytes: int, show: bool | None) -> Iterator[Callable[[int], None]]:
    """Show a progress bar on standard error; None for ``show`` means on a terminal only.

    Yield a function to call with the number of pairs completed since the last call.
    """
    if show is not None and not isinstance(show, bool):
        raise InputTypeError(f"progress is {format_value(show)}; expected True, False or None")
    if not pairs or not (_is_terminal(sys.stderr) if show is None else show and sys.stderr is not None):
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, ProgressColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn
    from rich.table import Column

    class Speed(ProgressColumn):
        """Column with completed megabytes and pairs per second."""

        def render(self, task: Any) -> str:
            speed = task.finished_speed or task.speed or 0.0
            return f"{task.completed * pair_bytes / 1e6:,.0f} MB, {speed / 1e6:,.1f} M pairs/s"

    speed = Speed(table_column=Column(no_wrap=True))
    columns = [TextColumn("{task.description}"), BarColumn(24), TaskProgressColumn(), speed, TimeRemainingColumn()]
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(title, total=pairs)
        yield lambda n: bar.advance(task, n)


def _is_terminal(stream: Any) -> bool:
    """Return whether a stream is a terminal; None, closed streams and plain objects with ``write`` are not."""
    try:
        return bool(stream.isatty())
    except (AttributeError, ValueError, OSError):
        return False


@contextmanager
def replace_file(path: Path) -> Iterator[Path]:
    """Yield a temporary path, which replaces the file on success; after an error the file is unchanged.

    The path has the same suffix as the file, because compression depends on it.
    """
    partial = path.with_name(f".{secrets.token_hex(4)}.partial.{path.name}")
    try:
        yield partial
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def fill_folder(folder: Path) -> Iterator[Path]:
    """Yield a temporary folder, whose files move to the folder on success; after an error the folder is unchanged.

    Files with the same names are replaced, and others are kept.
    """
    partial = folder.with_name(f".{secrets.token_hex(4)}.partial.{folder.name}")
    partial.mkdir(parents=True)
    try:
        yield partial
        if not folder.exists():
            partial.rename(folder)
            return
        for file in sorted(path for path in partial.rglob("*") if path.is_file()):
            target = folder / file.relative_to(partial)
            target.parent.mkdir(parents=True, exist_ok=True)
            file.replace(target)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def compile_kernel(function: Callable[..., Any], fastmath: Collection[str] = ()) -> Any:
    """Compile a function with numba, and cache its machine code if possible.

    If the cache can't be read or written, the function is compiled again. ``fastmath`` lists the flags of LLVM that may
    change rounding.
    """
    from numba import njit

    kernel = njit(nogil=True, error_model="numpy", fastmath=set(fastmath))(function)
    with suppress(Exception):  # no folder for the cache, or a numba version with a different interface
        kernel._cache = _cache_class()(function)
    return kernel


def inline_kernel(function: Callable[..., Any]) -> Any:
    """Mark a function for numba to inline into kernels."""
    from numba import njit

    return njit(inline="always", error_model="numpy")(function)


@lru_cache(maxsize=1)
def _cache_class() -> type:
    """Return numba's cache of a function with added checksums; its errors are ignored."""
    from numba.core.caching import CompileResultCacheImpl, FunctionCache
    from numba.core.serialize import dumps
    from numba.core.sigutils import normalize_signature

    class Checked(CompileResultCacheImpl):
        def reduce(self, result: Any) -> tuple[int, bytes]:
            data = dumps(super().reduce(result))
            return zlib.crc32(data), data

        def rebuild(self, target_context: Any, payload: tuple[int, bytes]) -> Any:
            checksum, data = payload
            if zlib.crc32(data) != checksum:
                raise ValueError("damaged")
            return super().rebuild(target_context, pickle.loads(data))

    class Cache(FunctionCache):
        _impl_class = Checked

        def load_overload(self, signature: Any, target_context: Any) -> Any:
            with suppress(Exception):
                result = super().load_overload(signature, target_context)
                # Concurrent writers can swap the files of two signatures.
                if result is not None and result.signature.args == tuple(normalize_signature(signature)[0]):
                    return result
            return None

        def save_overload(self, signature: Any, result: Any) -> None:
            try:
                super().save_overload(signature, result)
            except Exception:
                with suppress(Exception):
                    self.flush()  # an unreadable index
                    super().save_overload(signature, result)

    return Cache
