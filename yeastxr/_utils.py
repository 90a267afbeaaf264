"""Threads, progress bars, and files that are written whole or not at all."""

import os
import secrets
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

from yeastxr.errors import InputError, InputTypeError, format_value

_T = TypeVar("_T")


def count_threads() -> int:
    """Return how many threads fill an array in memory: ``YEASTXR_THREADS``, or the cores this process may use.

    Raises
    ------
    InputError
        If the variable is set to anything but a positive integer.
    """
    asked = os.environ.get("YEASTXR_THREADS")
    if asked is None:
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if not asked.strip().isdigit() or int(asked) < 1:
        raise InputError(f"YEASTXR_THREADS is {asked!r}; expected a positive integer")
    return int(asked)


def run_in_threads(work: Callable[[_T], object], parts: Sequence[_T], threads: int) -> None:
    """Do each part of some work, in threads where there are several of both."""
    if min(threads, len(parts)) < 2:
        for part in parts:
            work(part)
        return
    for _ in _pool(os.getpid(), threads).map(work, parts):
        pass


@lru_cache(maxsize=1)
def _pool(process: int, threads: int) -> ThreadPoolExecutor:
    """Return the threads of this process; they stay, as starting some takes as long as a small simulation."""
    return ThreadPoolExecutor(threads, thread_name_prefix="yeastxr")


CELL_BYTES = 17  # one label and four float32


@contextmanager
def show_progress(title: str, cells: int, *, show: bool | None) -> Iterator[Callable[[int], None]]:
    """Show how far some work is, on standard error.

    Parameters
    ----------
    title
        What is done.
    cells
        How many cells there are to do.
    show
        Whether to show it; None for where standard error is a terminal.

    Yields
    ------
    callable
        To be told of cells that are done.

    Examples
    --------
    >>> with show_progress("writing", 100, show=False) as done:
    ...     done(100)
    """
    if show is not None and not isinstance(show, bool):
        raise InputTypeError(f"progress is {format_value(show)}; expected True, False or None")
    if not (sys.stderr.isatty() if show is None else show) or not cells:
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, ProgressColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn
    from rich.table import Column

    class Speed(ProgressColumn):
        """Cells and bytes a second."""

        def render(self, task: Any) -> str:
            speed = task.finished_speed or task.speed or 0.0
            done = task.completed * CELL_BYTES / 1e6
            return f"{done:,.0f} MB, {speed / 1e6:,.1f} M cells/s"

    speed = Speed(table_column=Column(no_wrap=True))
    columns = [TextColumn("{task.description}"), BarColumn(24), TaskProgressColumn(), speed, TimeRemainingColumn()]
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(title, total=cells)
        yield lambda n: bar.advance(task, n)


@contextmanager
def replace_file(path: Path) -> Iterator[Path]:
    """Give a place to write to, and put what is written there in the place of a file; nothing, after an error.

    The name ends as the file's does, for what goes by that, such as compression.
    """
    partial = path.with_name(f".{secrets.token_hex(4)}.partial.{path.name}")
    try:
        yield partial
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
