"""Threads that share out work on arrays in memory."""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import TypeVar

from yeastxr.arguments import InputError, check_integer

_T = TypeVar("_T")


def thread_count() -> int:
    """Return how many threads fill an array in memory: ``YEASTXR_THREADS``, or the cores this process may use.

    Raises
    ------
    InputError
        If the variable is set to anything but a positive integer.
    """
    asked = os.environ.get("YEASTXR_THREADS")
    if asked is None:
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if not asked.strip().isdigit():
        raise InputError(f"YEASTXR_THREADS is {asked!r}; expected a positive integer")
    return check_integer("YEASTXR_THREADS", int(asked), least=1)


def in_threads(work: Callable[[_T], object], parts: Sequence[_T], threads: int) -> None:
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
