"""What the benchmarks share: shortest times, by turns with a rival; processes of their own; the form of a row."""

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yeastxr as yx

BOUND = [0.1, 0.15, 0.2, 0.25, 0.3]
Row = tuple[str, str, str, str]


def best(work: Callable[[], object], times: int = 5) -> float:
    """Return the shortest of several times, in seconds, after one call that is not counted."""
    work()
    seconds = []
    for _ in range(times):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def by_turns(*works: Callable[[], object], times: int = 7) -> tuple[float, ...]:
    """Return the shortest time of each, called by turns, so that a slow moment of the machine meets all."""
    rounds = [[best(work, 1) for work in works] for _ in range(times)]
    return tuple(min(column) for column in zip(*rounds, strict=True))


def simulate(genes: int, tfs: int, **extra: object) -> Any:
    """Simulate by method 2, a fifth of the TFs at each bound fraction."""
    return yx.simulate(genes=genes, bound=BOUND, n_sample=[tfs // 5] * 5, max_mean_adjustment=10.0, seed=1, **extra)


def ms(seconds: float) -> str:
    """Write a time in milliseconds."""
    return f"{seconds * 1e3:,.1f} ms"


def print_row(row: Row) -> None:
    """Print a row of the table."""
    print(f"{row[0]:90} {row[1]:>28} {row[2]:>18} {row[3]:>6}", flush=True)


def process(*command: str, times: int = 5, **environment: str) -> float:
    """Return the median wall time of a process, in seconds."""
    seconds = []
    environment = {**os.environ, **environment}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # as for users: modules are compiled once
    for _ in range(times):
        start = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True, env=environment)
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


def run_code(code: str, *arguments: str, python: str = sys.executable) -> Any:
    """Run Python code in a process of its own, and return the JSON on the last line that it prints."""
    run = subprocess.run([python, "-c", code, *arguments], check=False, capture_output=True, text=True)
    if run.returncode:
        raise RuntimeError(run.stderr)
    return json.loads(run.stdout.splitlines()[-1])


def peak_memory() -> float:
    """Return the peak memory of this process in MB; getrusage would count the parent's, too."""
    return int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) / 1024
