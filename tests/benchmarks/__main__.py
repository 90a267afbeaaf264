"""``make bench``: each figure a ratio against a rival in the same run; prints a table and writes docs/benchmarks.md."""

import os
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path

import numpy as np

import yeastxr as yx
from tests.benchmarks import rival, training
from tests.benchmarks.common import BOUND, Row, best, by_turns, ms, print_row, process, run_code, simulate
from tests.benchmarks.gpu import compare_devices
from tests.benchmarks.summaries import summaries
from tests.reference.injected import repeat_relationships
from yeastxr.demo import BOOLEAN_RELATIONS, RELATED_TFS
from yeastxr.simulation.relations import And, Not, Or

PAGE = Path(__file__).parent.parent.parent / "docs" / "benchmarks.md"


def eager() -> list[Row]:
    """Time NumPy-backed simulation against the NumPy rival."""
    rows = []
    threads = len(os.sched_getaffinity(0))
    for genes, tfs in [(1000, 10), (6600, 200), (6600, 2000)]:
        for count in sorted({threads, 1}, reverse=True):
            os.environ["YEASTXR_THREADS"] = str(count)
            work, others = (lambda g=genes, t=tfs: simulate(g, t)), (lambda g=genes, t=tfs: rival.simulate(g, t))
            ours, other = by_turns(work, others)
            name = f"simulate, method 2, {genes:,} x {tfs:,}, {count} thread{'s' * (count > 1)}"
            each = f"{ms(ours)} ({ours / genes / tfs * 1e9:.1f} ns a cell)"
            rows.append((name, each, ms(other), f"{other / ours:.1f}"))
        del os.environ["YEASTXR_THREADS"]
    return rows


def methods() -> list[Row]:
    """Time methods 3 and 4 against method 2."""
    rows = []
    for name, relations in [("3", RELATED_TFS), ("4", BOOLEAN_RELATIONS)]:
        rules = repeat_relationships(relations, 200)
        ours, second = by_turns(
            lambda r=rules: simulate(6600, 200, tf_relationships=r), lambda: simulate(6600, 200), times=25
        )
        rows.append((f"method {name} against method 2, 6,600 x 200", ms(ours), ms(second), f"{second / ours:.2f}"))
    return rows


def steps() -> list[Row]:
    """Time each step against NumPy's uniform numbers of the same count."""
    genes, tfs = 6600, 2000
    rng = np.random.default_rng(0)
    uniform = best(lambda: rng.random((genes, tfs), dtype=np.float32))
    labels = yx.generate_gene_population(genes, bound=BOUND, n_sample=[tfs // 5] * 5, seed=1)
    effect = yx.generate_binding_effects(labels, seed=1)
    work: dict[str, Callable[[], object]] = {
        "labels": lambda: yx.generate_gene_population(genes, bound=BOUND, n_sample=[tfs // 5] * 5, seed=1),
        "binding effects": lambda: yx.generate_binding_effects(labels, seed=1),
        "p-values": lambda: yx.generate_pvalues(effect, seed=1),
        "perturbation effects": lambda: yx.generate_perturbation_effects(
            labels, effect, max_mean_adjustment=10.0, seed=1
        ),
    }
    rows = []
    for name, step in work.items():
        ours = best(step)
        rows.append((f"{name} against rng.random, 6,600 x 2,000", ms(ours), ms(uniform), f"{uniform / ours:.2f}"))
    return rows


def lazy() -> list[Row]:
    """Time dask against eager, and how long graphs take to build."""
    import dask

    def summed(ds: object) -> None:
        dask.compute(*(ds[name].sum() for name in ds.data_vars))

    lazily, eagerly = by_turns(
        lambda: summed(simulate(6600, 20_000, chunks="auto")), lambda: summed(simulate(6600, 20_000)), times=2
    )
    name = "dask against eager, sums of all variables, 6,600 x 20,000"
    rows: list[Row] = [(name, ms(lazily), ms(eagerly), f"{eagerly / lazily:.2f}")]
    for chunks in (10, 100, 1000):
        built = best(lambda c=chunks: simulate(6600, 5 * c, chunks={"tf": 5}))
        rows.append((f"graph of {chunks:,} chunks of all five variables", ms(built), "", ""))
    nested = {tf: [And(tf, Or((tf + 1) % 1000, Not((tf + 2) % 1000), And(5, 7)))] for tf in range(1000)}
    built = best(lambda: simulate(6600, 1000, chunks="auto", tf_relationships=nested))
    rows.append(("graph of 1,000 TFs, each with a nested relation of 5 terms", ms(built), "", ""))
    rows.append(
        (f"peak memory of {name.split(', ', 1)[1]}, above the baseline", f"{run_code(_PEAK_OF_SUMS):,.0f} MB", "", "")
    )
    return rows


_PEAK_OF_SUMS = """
import dask
from tests.benchmarks.common import simulate, peak_memory
def summed(tfs):
    ds = simulate(6600, tfs, chunks="auto")
    dask.compute(*(ds[name].sum() for name in ds.data_vars))
    return peak_memory()
before = summed(10)
print(summed(20_000) - before)
"""


def storage() -> list[Row]:
    """Time saves against ready-made blocks, and against xarray's own; many small blocks; memory."""
    import shutil

    import dask.array as da
    import xarray as xr

    def saved(save: Callable[[], object], folder: str) -> float:
        shutil.rmtree(folder, ignore_errors=True)
        os.sync()
        start = time.perf_counter()
        save()
        return time.perf_counter() - start

    rows: list[Row] = []
    with tempfile.TemporaryDirectory(dir=".") as folder:
        path = f"{folder}/sim.zarr"
        for tfs, rounds in [(10_000, 6), (60_000, 2)]:
            lazy = simulate(6600, tfs, chunks={"tf": 500})
            block = simulate(6600, 500)
            ready: xr.Dataset = lazy.drop_attrs(deep=False)
            for name in list(ready.data_vars):
                one = da.from_array(block[name].values, chunks=-1, name=False)
                ready[name] = ready[name].copy(data=da.concatenate([one] * (tfs // 500), axis=1))
            times = [
                (
                    saved(lambda ds=lazy: yx.save(ds, path), path),
                    saved(lambda ds=ready: yx.save(ds, path), path),
                    saved(lambda ds=lazy: ds.to_zarr(path, consolidated=False, zarr_format=3), path),
                )
                for _ in range(rounds)
            ]
            ours, others, plain = (min(column) for column in zip(*times, strict=True))
            rows.append(
                (f"save against ready-made blocks, 6,600 x {tfs:,}", ms(ours), ms(others), f"{others / ours:.2f}")
            )
            rows.append((f"save against xarray's to_zarr, 6,600 x {tfs:,}", ms(ours), ms(plain), f"{plain / ours:.2f}"))
        small = simulate(100, 5000, chunks={"tf": 1})
        seconds = saved(lambda: yx.save(small, path), path)
        rows.append(("save of 5,000 blocks of 100 x 1, each of 5 files, a file", ms(seconds / 25_000), "", ""))
        start = time.perf_counter()
        yx.verify(path)
        rows.append(("verify of the same, a file", ms((time.perf_counter() - start) / 25_000), "", ""))
        rows += compare_checksums(Path(path))
        for tfs in (6_000, 60_000):
            shutil.rmtree(path, ignore_errors=True)
            peak = run_code(_PEAK_OF_COMMAND, path, str(tfs))
            rows.append((f"peak memory of yeastxr simulate, 6,600 x {tfs:,}", f"{peak:,.0f} MB", "", ""))
    return rows


_PEAK_OF_COMMAND = """
import sys
from tests.benchmarks.common import peak_memory
from yeastxr.cli import main
options = ["--genes", "6600", "--bound", "0.1", "--n-sample", sys.argv[2], "--quiet", "--seed", "1"]
main(["simulate", sys.argv[1], *options], standalone_mode=False)
print(peak_memory())
"""


def compare_checksums(path: Path) -> list[Row]:
    """Read a store of 1 GB, warm, with digests of its files compared, with crc32c, and without any check."""
    import shutil

    import dask
    import xarray as xr
    from zarr.codecs import BloscCodec, Crc32cCodec
    from zarr.storage import LocalStore

    from yeastxr.storage.layout import Records
    from yeastxr.storage.location import locate
    from yeastxr.storage.strict import StrictStore

    ds = simulate(6600, 9_000, chunks={"tf": 500})
    packing = {name: {"cname": "lz4", "clevel": 5} for name in ds.data_vars} | {"label": {"cname": "zstd", "clevel": 1}}
    crc = {n: {"compressors": (BloscCodec(**p, shuffle="bitshuffle"), Crc32cCodec())} for n, p in packing.items()}
    shutil.rmtree(path, ignore_errors=True)
    plain, checked = path / "plain", path / "crc"
    yx.save(ds, plain)
    yx.save(ds, checked, encoding=crc)
    records = Records.read(locate(plain))

    def read(folder: Path, known: Records | None) -> float:
        store = StrictStore(LocalStore(folder), "store", known, partial=True)
        lazy = xr.open_zarr(store, consolidated=False, chunks={})
        blocks = [block for array in lazy.data_vars.values() for block in array.data.to_delayed().ravel()]
        start = time.perf_counter()
        dask.compute(*(dask.delayed(len)(block) for block in blocks))
        return time.perf_counter() - start

    times = [(read(plain, None), read(plain, records), read(checked, None)) for _ in range(12)]
    without, digests, crcs = (min(column) for column in zip(*times, strict=True))
    shutil.rmtree(path)
    return [
        ("reading 1.0 GB with digests of files against no check", ms(digests), ms(without), f"{without / digests:.2f}"),
        ("reading 1.0 GB with zarr's crc32c against no check", ms(crcs), ms(without), f"{without / crcs:.2f}"),
    ]


def start() -> list[Row]:
    """Time imports, and the command with a warm and a cold cache."""
    by_turns = [
        [process(sys.executable, "-c", f"import {m}", times=1) for m in ("yeastxr", "xarray")] for _ in range(15)
    ]
    ours, other = map(statistics.median, zip(*by_turns, strict=True))
    rows: list[Row] = [("import yeastxr against import xarray", ms(ours), ms(other), f"{other / ours:.2f}")]
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "yeastxr.cli", "simulate", f"{folder}/sim.zarr", "--overwrite", "--seed", "42"]
        command += ["--genes", "1000", "--bound", ",".join(map(str, BOUND)), "--n-sample", "1,1,2,2,4"]
        cold = process(*command, times=1, NUMBA_CACHE_DIR=f"{folder}/cache")
        warm = process(*command, NUMBA_CACHE_DIR=f"{folder}/cache")
    rows.append(("yeastxr simulate, the tutorial's size, cold cache", ms(cold), "", ""))
    rows.append(("yeastxr simulate, the tutorial's size, warm cache", ms(warm), "", ""))
    return rows


def processor() -> str:
    """Return the processor's name."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.machine())


PARTS: dict[str, Callable[[], list[Row]]] = {
    "simulate": eager,
    "methods": methods,
    "steps": steps,
    "lazy": lazy,
    "start": start,
    "storage": storage,
    "tensors": training.tensors,
    "batches": training.batches,
    "summaries": summaries,
    "gpu": compare_devices,
}


def main(names: list[str]) -> None:
    """Run the parts of these names, or all; print a table and, after all, write the page."""
    rows: list[Row] = []
    for name in names or PARTS:
        for row in PARTS[name]():
            print_row(row)
            rows.append(row)
    if names:
        return
    machine = f"{processor()}, {len(os.sched_getaffinity(0))} cores, Python {platform.python_version()}"
    modules = map(__import__, ("numpy", "xarray", "dask", "numba", "zarr", "torch"))
    versions = ", ".join(f"{module.__name__} {module.__version__}" for module in modules)
    PAGE.write_text(HEAD.format(date=date.today().isoformat(), machine=machine, versions=versions))
    with PAGE.open("a") as page:
        page.writelines(f"| {' | '.join(row)} |\n" for row in rows)


HEAD = """\
# Benchmarks

How fast is yeastxr, compared with alternatives? `make bench` generates this page (for a single part: `make bench
PARTS=tensors`). Each ratio is the time of the rival divided by ours, or our rate divided by that of the rival, in the
same run: above 1, yeastxr is faster. The rival of `simulate` is the same model in plain NumPy
(`tests/benchmarks/rival.py`). annbatch is included if `make bench-annbatch` could install it. The machine is shared
and noisy; each time is the best of several alternating measurements. No GPU was available.

{date}, {machine}, {versions}.

| what | yeastxr | rival | ratio |
|---|---:|---:|---:|
"""


if __name__ == "__main__":
    main(sys.argv[1:])
