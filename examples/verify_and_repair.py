"""Find the missing and damaged blocks of a store, and regenerate only those.

The script deletes one file and alters another, as a full disk or a bad copy would. Every block has a digest, and a
simulation can regenerate any of its blocks.
"""

from pathlib import Path

import matplotlib.pyplot as plt

import yeastxr as yx

ds = yx.simulate(genes=1000, bound=[0.2], n_sample=[40], seed=42, chunks={"tf": 10})
store = Path(yx.save(ds, "sim.zarr", overwrite=True))

(store / "label" / "c" / "0" / "1").unlink()
effects = store / "binding_effect" / "c" / "0" / "2"
effects.write_bytes(effects.read_bytes()[:-100] + bytes(100))

result = yx.verify(store)
print(result)
print("Repaired blocks:")
print(yx.verify(store, repair=True).repaired)
print(yx.verify(store, against="spec").whole)  # regenerates every block and compares bits

fig, axes = plt.subplots(figsize=(7, 3))
left = [0] * len(result.blocks)
for i, (state, colour) in enumerate([("complete", "#0072B2"), ("missing", "#999999"), ("damaged", "#D55E00")], start=1):
    counts = [numbers[i] for numbers in result.blocks.values()]
    axes.barh(list(result.blocks), counts, left=left, color=colour, edgecolor="white", label=state)
    left = [before + n for before, n in zip(left, counts, strict=True)]
axes.invert_yaxis()
axes.set(xlabel="blocks", xticks=range(5), title="Blocks of the store before repair")
axes.legend(loc="center left", bbox_to_anchor=(1, 0.5))
fig.savefig("verify_and_repair.png", dpi=150, bbox_inches="tight")
