"""Times of summaries: against only making the data, and the memory that 10^9 cells take."""

import json
import subprocess
import sys
import time
from collections.abc import Callable

import yeastxr as yx
from yeastxr import qc

BOUND = [0.1, 0.15, 0.2, 0.25, 0.3]
Row = tuple[str, str, str, str]


def made(genes: int, tfs: int, **extra: object) -> object:
    return yx.simulate(genes=genes, bound=BOUND, n_sample=[tfs // 5] * 5, max_mean_adjustment=10.0, seed=1, **extra)


def seconds(work: Callable[[], object], times: int) -> float:
    """Return the shortest of several times."""
    found = []
    for _ in range(times):
        start = time.perf_counter()
        work()
        found.append(time.perf_counter() - start)
    return min(found)


def summaries(tfs: int = 160_000) -> list[Row]:
    """Time a summary of a dataset in memory, of a lazy one against its making alone, and building graphs."""
    rows: list[Row] = []
    in_memory = made(6600, 2000)
    qc.summarize(in_memory)
    for name, work in [
        ("qc.summarize, 6,600 x 2,000 in memory", lambda: qc.summarize(in_memory)),
        ("qc.histogram of it", lambda: qc.histogram(in_memory, "binding_effect")),
        ("qc.histogram_2d of it", lambda: qc.histogram_2d(in_memory, limits=((0, 80), (0, 20)))),
    ]:
        took = seconds(work, 5)
        rows.append((name, f"{took * 1e3:,.1f} ms ({took / 6600 / 2000 * 1e9:.1f} ns a cell)", "", ""))
    many = made(6600, 5000, chunks={"tf": 5})
    rows.append(
        ("graph of qc.summarize, 1,000 chunks", f"{seconds(lambda: qc.summarize(many), 3) * 1e3:,.1f} ms", "", "")
    )

    one, other = (measured(what, tfs) for what in ("summary", "sums"))
    ratio = f"{other['seconds'] / one['seconds']:.2f}"
    size = f"6,600 x {tfs:,}"
    rows.append((f"qc.summarize of {size}, lazy, against its sums", ms(one["seconds"]), ms(other["seconds"]), ratio))
    rows.append((f"peak memory of the process, {size}", f"{one['peak']:,.0f} MB", f"{other['peak']:,.0f} MB", ""))
    return rows


def ms(took: float) -> str:
    return f"{took * 1e3:,.0f} ms"


def measured(what: str, tfs: int) -> dict[str, float]:
    """Return the time and the peak memory, in MB, of a lazy summary, or of the sums of all variables, in a process."""
    code = f"""
import json, time
from pathlib import Path
import dask
from tests.benchmarks.summaries import made
from yeastxr import qc
def work(tfs):
    ds = made(6600, tfs, chunks="auto")
    if {what!r} == "summary":
        return qc.summarize(ds).compute()
    return dask.compute(*(ds[name].sum() for name in ds.data_vars))
work(10)
start = time.perf_counter()
work({tfs})
seconds = time.perf_counter() - start
status = Path("/proc/self/status").read_text()  # getrusage would count the parent's memory, too
print(json.dumps({{"seconds": seconds, "peak": int(status.split("VmHWM:")[1].split()[0]) / 1024}}))
"""
    run = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return json.loads(run.stdout)


if __name__ == "__main__":
    for row in summaries():
        print(f"{row[0]:62} {row[1]:>28} {row[2]:>14} {row[3]:>6}", flush=True)
