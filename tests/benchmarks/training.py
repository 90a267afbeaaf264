"""From datasets to tensors and batches: against torch's own ways, xbatcher and annbatch."""

import os
import shutil
import tempfile
from pathlib import Path

import numpy as np
import torch

import yeastxr as yx
from tests.benchmarks.common import Row, by_turns, ms, run_code, simulate

ANNBATCH = Path(".venv-annbatch/bin/python")  # made by `make bench-annbatch`; annbatch needs Python 3.12
LIMIT = 1 << 30  # bytes of private memory that a process of batches may have
REPLICATES, GENES, TFS = 240, 6600, 200  # 4.7 GB on disk: over four times the limit
BATCH = 256


def tensors() -> list[Row]:
    """Time tensors of 6,600 x 2,000 against torch.stack, and against copying the result."""
    ds = simulate(6600, 2000)
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    as_held = [torch.from_numpy(ds[name].values).float() for name in ds.data_vars]
    by_gene = [column.contiguous() for column in as_held]
    ready = ds.yeast.to_torch()
    out, planar = torch.empty_like(ready), ds.yeast.to_torch(layout="planar")
    fresh, again, stacked, stacked_by_gene, copied, planes, planes_again = by_turns(
        lambda: ds.yeast.to_torch(),
        lambda: ds.yeast.to_torch(out=out),
        lambda: torch.stack(as_held, dim=-1),
        lambda: torch.stack(by_gene, dim=-1),
        lambda: out.copy_(ready),
        lambda: ds.yeast.to_torch(layout="planar"),
        lambda: ds.yeast.to_torch(out=planar, layout="planar"),
        times=15,
    )
    size = "6,600 x 2,000"
    compared = [
        ("to_torch against torch.stack of columns as they are", fresh, stacked),
        ("to_torch against torch.stack of columns laid gene by gene before", fresh, stacked_by_gene),
        ("to_torch(out=...) against torch.stack of columns laid gene by gene before", again, stacked_by_gene),
        ("to_torch(out=...) against out.copy_", again, copied),
        ("to_torch, planar, against out.copy_", planes, copied),
        ("to_torch(out=...), planar, against out.copy_", planes_again, copied),
    ]
    rows: list[Row] = [
        (f"{name}, {size}", ms(ours), ms(theirs), f"{theirs / ours:.2f}") for name, ours, theirs in compared
    ]
    extra = run_code(_PEAK_OF_TENSOR)
    rows.append(("peak memory of to_torch, dask, 6,600 x 20,000, beside the tensor", f"{extra:,.0f} MB", "", ""))
    return rows


_PEAK_OF_TENSOR = """
from tests.benchmarks.common import simulate, peak_memory
simulate(6600, 20, chunks="auto").yeast.to_torch()
before = peak_memory()
tensor = simulate(6600, 20_000, chunks="auto").yeast.to_torch()
print(peak_memory() - before - tensor.nbytes / 2**20)
"""


def batches() -> list[Row]:
    """Time batches from a store four times larger than what memory a process may have, against other loaders."""
    with tempfile.TemporaryDirectory(dir=".") as folder:
        store = f"{folder}/sim.zarr"
        yx.save(simulate(GENES, TFS, replicates=REPLICATES, chunks="auto"), store, progress=False)
        size = sum(file.stat().st_size for file in Path(store).rglob("*") if file.is_file())
        print(f"store: {size / LIMIT:.1f} times the memory that a process may have", flush=True)
        loaders = {"ours": (), "xbatcher": ()}
        rounds = [{name: run_code(_EPOCH, name, store, str(LIMIT)) for name in loaders} for _ in range(3)]
        best = {name: max((epochs[name] for epochs in rounds), key=get_rate) for name in loaders}
        if ANNBATCH.exists():
            other = f"{folder}/annbatch"
            run_code(_ANNBATCH_WRITE, store, other, python=str(ANNBATCH))
            turns = [
                (run_code(_EPOCH, "ours", store, str(LIMIT)), run_code(_ANNBATCH_READ, other, python=str(ANNBATCH)))
                for _ in range(3)
            ]
            best["ours"] = max((best["ours"], *(ours for ours, _ in turns)), key=get_rate)
            best["annbatch"] = max((theirs for _, theirs in turns), key=get_rate)
        shutil.rmtree(folder)
        Path(folder).mkdir()
    ours = best["ours"]
    rows: list[Row] = []
    for name in [name for name in best if name != "ours"]:
        rate = best[name]["rate"]
        rows.append(
            (
                f"batches of {BATCH} genes x {TFS} TFs, x and y, from a store, against {name}",
                f"{ours['rate']:,.0f} samples/s",
                f"{rate:,.0f} samples/s",
                f"{ours['rate'] / rate:.2f}",
            )
        )
    rows.append(("peak memory of the same", f"{ours['peak']:,.0f} MB", "", ""))
    for name, epoch in best.items():
        for unit, perfect in (("replicate", _perfect(REPLICATES)), ("run of 512", _perfect(REPLICATES * GENES // 512))):
            if unit in epoch:
                share = f"{epoch[unit] / perfect:.2f}"
                what = f"entropy of the {unit} of origin in a batch, {name}, against a perfect shuffle"
                rows.append((what, f"{epoch[unit]:.2f} bits", f"{perfect:.2f} bits", share))
    return rows


def get_rate(epoch: dict[str, float]) -> float:
    """Return the samples a second of an epoch."""
    return epoch["rate"]


def entropy(origins: np.ndarray) -> float:
    """Return the entropy, in bits, of where the samples of a batch come from."""
    shares = np.unique(origins, return_counts=True)[1] / origins.size
    return float(-(shares * np.log2(shares)).sum())


def _perfect(blocks: int, rounds: int = 200) -> float:
    """Return the mean entropy of batches whose samples come from any of some blocks."""
    rng = np.random.default_rng(1)
    return float(np.mean([entropy(rng.integers(0, blocks, BATCH)) for _ in range(rounds)]))


_EPOCH = """
import json, resource, sys, time
name, store, limit = sys.argv[1], sys.argv[2], int(sys.argv[3])
import numpy as np
import torch
import yeastxr as yx
from tests.benchmarks.common import peak_memory
from tests.benchmarks.training import BATCH, GENES, TFS, entropy
resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
found = {}
if name == "ours":
    batches = yx.Batches(store, BATCH, shuffle=True, seed=1)
    next(iter(batches))  # compiles
    start, samples = time.perf_counter(), 0
    for x, y in batches:
        samples += len(x)
    seconds = time.perf_counter() - start
    order = batches.order(1)
    planes, positions = order["plane"].values, order["position"].values
    cuts = range(0, samples - BATCH, BATCH)
    found["replicate"] = float(np.mean([entropy(planes[i : i + BATCH]) for i in cuts]))
    runs = (planes * GENES + positions) // 512
    found["run of 512"] = float(np.mean([entropy(runs[i : i + BATCH]) for i in cuts]))
else:
    import xbatcher
    ds = yx.open(store)[["binding_effect", "perturbation_effect"]]
    generator = xbatcher.BatchGenerator(ds, input_dims={"replicate": 1, "gene": BATCH, "tf": TFS})
    start, samples = time.perf_counter(), 0
    for i in range(150):  # of some 6,000
        batch = generator[i]
        x, y = (torch.as_tensor(batch[feature].values) for feature in batch.data_vars)
        samples += x.shape[-2]
    seconds = time.perf_counter() - start
print(json.dumps({**found, "rate": samples / seconds, "peak": peak_memory()}))
"""

_ANNBATCH_WRITE = """
import sys
import anndata, numpy as np, pandas as pd, zarr
store, out = sys.argv[1:]
group = zarr.open_group(store, mode="r")
replicates, genes, tfs = group["binding_effect"].shape
both = [group[name] for name in ("binding_effect", "perturbation_effect")]
root = zarr.open_group(out, mode="w", zarr_format=3)
first = anndata.AnnData(X=np.zeros((1, 2 * tfs), np.float32))
anndata.io.write_elem(root, "/", first)
rows = replicates * genes
del root["X"]
X = root.create_array("X", shape=(rows, 2 * tfs), chunks=(512, 2 * tfs), shards=(512 * 32, 2 * tfs), dtype="float32")
X.attrs.update({"encoding-type": "array", "encoding-version": "0.2.0"})
held = np.empty((0, 2 * tfs), np.float32)
at = 0
for replicate in range(replicates):
    plane = np.concatenate([array[replicate] for array in both], axis=1)
    held = np.concatenate([held, plane])
    whole = len(held) // (512 * 32) * 512 * 32
    if replicate == replicates - 1:
        whole = len(held)
    if whole:
        X[at : at + whole] = held[:whole]
        held, at = held[whole:], at + whole
assert at == rows
print("true")
"""

_ANNBATCH_READ = """
import json, sys, time
import anndata, numpy as np, pandas as pd, zarr
zarr.config.set({"codec_pipeline.path": "zarrs.ZarrsCodecPipeline"})
from annbatch import Loader
X = zarr.open_group(sys.argv[1], mode="r")["X"]
rng = np.random.default_rng(1)
loader = Loader(batch_size=256, chunk_size=512, preload_nchunks=32, shuffle=True, return_index=True, rng=rng)
loader = loader.add_dataset(X)
def entropy(origins):
    shares = np.unique(origins, return_counts=True)[1] / origins.size
    return float(-(shares * np.log2(shares)).sum())
start, samples, indices = time.perf_counter(), 0, []
for batch in loader:
    samples += len(batch["X"])
    indices.append(batch["index"])
seconds = time.perf_counter() - start
found = {"rate": samples / seconds}
found["replicate"] = float(np.mean([entropy(i // 6600) for i in indices[:-1]]))
found["run of 512"] = float(np.mean([entropy(i // 512) for i in indices[:-1]]))
print(json.dumps(found))
"""
