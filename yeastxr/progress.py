"""A progress bar for long work: cells done, cells and bytes a second, time left. Quiet where nobody looks."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from yeastxr.arguments import InputTypeError, shown

CELL_BYTES = 17  # one label and four float32


@contextmanager
def progress_bar(title: str, cells: int, *, show: bool | None) -> Iterator[Callable[[int], None]]:
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
    >>> with progress_bar("writing", 100, show=False) as done:
    ...     done(100)
    """
    if show is not None and not isinstance(show, bool):
        raise InputTypeError(f"progress is {shown(show)}; expected True, False or None")
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
