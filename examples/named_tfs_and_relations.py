"""Name genes and TFs, and make the response to one TF depend on others.

GAL4 affects its targets only where its repressor GAL80 does not bind, or where GAL3 does. The plot shows GAL4's effects
by whether this condition holds.
"""

import matplotlib.pyplot as plt
import xarray as xr

import yeastxr as yx
from yeastxr import Not, Or

relation = {"GAL4": [Or("GAL3", Not("GAL80"))]}
ds = yx.simulate(
    genes=[f"gene {i}" for i in range(6000)],
    tfs=["GAL3", "GAL4", "GAL80"],
    bound=[0.1, 0.3, 0.4],
    max_mean_adjustment=10.0,
    tf_relationships=relation,
    seed=42,
)
holds = yx.adjusted_pairs(ds.label, relation).sel(tf="GAL4")
bound = ds.label.sel(tf="GAL4")
print("GAL4 binds", int(bound.sum()), "genes; its relation holds for", int(holds.sum()), "of them")

size = abs(ds.perturbation_effect.sel(tf="GAL4"))
status = xr.where(holds, "bound_active", xr.where(bound, "bound_inactive", "unbound"))
print(size.groupby(status.rename("status")).mean().to_series().round(2).to_string())

groups = ["unbound", "bound_active", "bound_inactive"]
fig, axes = plt.subplots(figsize=(7, 4))
boxes = axes.boxplot(
    [size.values[status.values == group] for group in groups], tick_labels=groups, sym=".", patch_artist=True
)
for box, colour in zip(boxes["boxes"], ["#E69F00", "#56B4E9", "#999999"], strict=True):
    box.set_facecolor(colour)
axes.set(ylabel="|perturbation effect| (noise s.d.)", title="GAL4's effects by status")
fig.savefig("named_tfs_and_relations.png", dpi=150, bbox_inches="tight")
