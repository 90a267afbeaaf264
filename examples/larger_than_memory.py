"""Simulate block by block into a store, interrupt the run, resume it, and plot the result.

Only a few blocks are in memory at a time. Pass the number of TFs on the command line: `python larger_than_memory.py
152000` simulates 10^9 cells, which take 13 GB of disk space and about a minute.
"""

import sys
import time

from dask.callbacks import Callback

import yeastxr as yx


class StopAfter(Callback):
    """Interrupt a run after a number of blocks, like Ctrl-C or a batch system."""

    def __init__(self, blocks: int) -> None:
        super().__init__(posttask=self.count)
        self.left = blocks

    def count(self, key, *_) -> None:
        """Count a finished task if it wrote a block."""
        self.left -= str(key[0]).startswith("block")
        if not self.left:
            raise KeyboardInterrupt


tfs = int(sys.argv[1]) if len(sys.argv) > 1 else 1200
lazy = yx.simulate(
    genes=6600, bound=[0.1, 0.2], n_sample=[tfs // 2, tfs // 2], max_mean_adjustment=10.0, seed=42, chunks={"tf": 100}
)
print(f"{lazy.label.size:,} cells, {lazy.nbytes / 1e6:,.0f} MB, none of it computed")

try:
    with StopAfter(5):
        yx.save(lazy, "large.zarr")
except KeyboardInterrupt:
    print("The run was interrupted. Complete blocks, all blocks:", yx.verify("large.zarr").blocks["label"][1::-1])

start = time.perf_counter()
yx.save(lazy, "large.zarr")  # resumes: existing blocks are kept
print(f"Finished in {time.perf_counter() - start:.1f} s. Complete: {yx.verify('large.zarr').whole}")

yx.extend("large.zarr", bound=[0.3], n_sample=[100])  # adds TFs; existing ones do not change
ds = yx.open("large.zarr")
print("TFs now:", ds.sizes["tf"], "- mean binding effect of TF 7:", round(float(ds.binding_effect.sel(tf=7).mean()), 4))
yx.plot.save(ds.yeast.plot.binding_vs_perturbation(), "larger_than_memory.png", overwrite=True)
