"""Simulate, check, select by name, plot, and convert to a tensor: the shortest example."""

import yeastxr as yx
from yeastxr import Not, Or

ds = yx.simulate(
    genes=["YAL001C", "YBR020W", "YGL035C", "YPL248C", *(f"gene {i}" for i in range(996))],
    tfs=["GAL4", "GAL80", "MIG1"],
    bound=[0.1, 0.2, 0.3],
    max_mean_adjustment=10.0,
    tf_relationships={"GAL4": [Or("MIG1", Not("GAL80"))]},
    seed=42,
)
print(ds.yeast.check())
print("GAL4's effect on YBR020W:", float(ds.perturbation_effect.sel(gene="YBR020W", tf="GAL4")))
print("Tensor:", ds.yeast.to_torch().shape)
yx.plot.save(ds.yeast.plot.qc(), "quickstart.png", overwrite=True)
