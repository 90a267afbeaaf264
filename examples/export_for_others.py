"""Export a dataset for programs that do not use xarray: as a tensor, arrays and a table.

The plot uses only the exported arrays, NumPy and matplotlib.
"""

import matplotlib.pyplot as plt
import numpy as np
import torch

import yeastxr as yx

ds = yx.simulate(genes=200, bound=[0.1, 0.2, 0.3], n_sample=[20, 20, 20], max_mean_adjustment=10.0, seed=42)
tensor = torch.load(yx.export(ds, "sim.pt", overwrite=True))
print("tensor:", tensor.shape, tensor.dtype)

arrays = np.load(yx.export(ds, "sim.npz", features=["label", "perturbation_effect"], overwrite=True))
print("arrays:", {name: arrays[name].shape for name in arrays})

table = yx.export(ds, "sim.csv", overwrite=True)
print("table:", *table.read_text().splitlines()[:3], sep="\n  ")

fig, axes = plt.subplots(1, 2, figsize=(8, 5), sharey=True, layout="constrained")
axes[0].imshow(arrays["label"], aspect="auto", cmap="Blues", interpolation="none")
shown = axes[1].imshow(arrays["perturbation_effect"], aspect="auto", cmap="PuOr", vmin=-6, vmax=6, interpolation="none")
axes[0].set(title="label", xlabel="TF", ylabel="gene")
axes[1].set(title="perturbation effect", xlabel="TF")
fig.colorbar(shown, ax=axes[1], label="noise s.d.")
fig.savefig("export_for_others.png", dpi=150)
