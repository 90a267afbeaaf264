"""Find the blocks of a store that are missing or damaged, and make just those again.

A file is deleted and another one altered, as a full disk or a bad copy would do. Every block has a digest, and a
simulation can make any of its blocks again.
"""

from pathlib import Path

import matplotlib.pyplot as plt

import yeastxr as yx

ds = yx.simulate(genes=1000, bound=[0.2], n_sample=[40], seed=42, chunks={"tf": 10})
store = Path(yx.save(ds, "sim.zarr", overwrite=True))

(store / "label" / "c" / "0" / "1").unlink()
effects = store / "binding_effect" / "c" / "0" / "2"
effects.write_bytes(effects.read_bytes()[:-100] + bytes(100))

found = yx.verify(store)
print(found)
print("Opened all the same, the damage would show as zeros or an error; so mend it:")
print(yx.verify(store, repair=True).repaired)
print(yx.verify(store, against="spec").whole)  # every block made again, and bits compared

fig, axes = plt.subplots(figsize=(7, 3))
left = [0] * len(found.blocks)
for i, (state, colour) in enumerate([("whole", "#0072B2"), ("missing", "#999999"), ("damaged", "#D55E00")], start=1):
    counts = [numbers[i] for numbers in found.blocks.values()]
    axes.barh(list(found.blocks), counts, left=left, color=colour, edgecolor="white", label=state)
    left = [before + n for before, n in zip(left, counts, strict=True)]
axes.invert_yaxis()
axes.set(xlabel="blocks", xticks=range(5), title="Blocks of the store before its repair")
axes.legend(loc="center left", bbox_to_anchor=(1, 0.5))
fig.savefig("verify_and_repair.png", dpi=150, bbox_inches="tight")
