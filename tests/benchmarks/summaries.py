"""Summaries, checks and pictures: against only making the data, and the memory that 10^9 cells take."""

from tests.benchmarks.common import Row, best, found_by, made, ms
from yeastxr import plot, qc
from yeastxr.plot.style import load_holoviews

TFS = 160_000  # of 6,600 genes: 1.06 x 10^9 cells


def summaries() -> list[Row]:
    """Time summaries in memory and of a lazy dataset, graphs, and what is drawn from a summary."""
    in_memory = made(6600, 2000)
    rows: list[Row] = []
    for name, work in [
        ("qc.summarize, 6,600 x 2,000 in memory", lambda: qc.summarize(in_memory)),
        ("qc.histogram of it", lambda: qc.histogram(in_memory, "binding_effect")),
        ("qc.histogram_2d of it", lambda: qc.histogram_2d(in_memory, limits=((0, 80), (0, 20)))),
        ("check of it", lambda: in_memory.yeast.check()),
    ]:
        took = best(work, 3)
        rows.append((name, f"{ms(took)} ({took / 6600 / 2000 * 1e9:.1f} ns a cell)", "", ""))
    many = made(6600, 5000, chunks={"tf": 5})
    rows.append(("graph of qc.summarize, 1,000 chunks", ms(best(lambda: qc.summarize(many), 3)), "", ""))
    summary, hv = qc.summarize(in_memory), load_holoviews()
    drawn = best(lambda: hv.render(plot.qc(in_memory, summary=summary), backend="bokeh"), 3)
    rows.append(("plot.qc from a summary, all pictures, bokeh", ms(drawn), "", ""))
    size = f"6,600 x {TFS:,}, lazy"
    found = [{what: found_by(_WHOLE, what, str(TFS)) for what in ("summary", "sums")} for _ in range(2)]
    ours, other = (min((each[what] for each in found), key=lambda one: one["seconds"]) for what in ("summary", "sums"))
    ratio = f"{other['seconds'] / ours['seconds']:.2f}"
    rows.append((f"qc.summarize against sums, {size}", ms(ours["seconds"]), ms(other["seconds"]), ratio))
    rows.append((f"peak memory of the process, {size}", f"{ours['peak']:,.0f} MB", f"{other['peak']:,.0f} MB", ""))
    return rows


_WHOLE = """
import json, sys, time
import dask
from tests.benchmarks.common import made, peak_memory
from yeastxr import qc
def work(tfs):
    ds = made(6600, tfs, chunks="auto")
    if sys.argv[1] == "summary":
        return qc.summarize(ds).compute()
    return dask.compute(*(ds[name].sum() for name in ds.data_vars))
work(10)
start = time.perf_counter()
work(int(sys.argv[2]))
print(json.dumps({"seconds": time.perf_counter() - start, "peak": peak_memory()}))
"""
