"""Simulate replicates and sweep two parameters in one labelled dataset.

All points of a sweep share the seed, so they differ only by the parameters. The plot shows how the response of bound
pairs increases with the mean, for three adjustments by binding.
"""

import matplotlib.pyplot as plt

import yeastxr as yx

spec = yx.SimulationSpec(genes=1000, bound=[0.1, 0.3], n_sample=[5, 5], seed=42)
ds = yx.sweep(spec, bound_mean=[1.0, 2.0, 3.0, 5.0, 8.0], max_mean_adjustment=[0.0, 10.0, 40.0], replicates=4)
print(dict(ds.perturbation_effect.sizes))

response = abs(ds.perturbation_effect).where(ds.label).mean(["gene", "tf"]).compute()  # the only computation
mean, spread = response.mean("replicate"), response.std("replicate")
print(mean.to_pandas().round(2).to_string())
print("largest s.d. over replicates:", round(float(spread.max()), 3))

mean.plot.line(x="bound_mean", marker="o", figsize=(7, 4))
plt.xlabel("bound_mean (noise s.d.)")
plt.ylabel("mean |perturbation effect| if bound (noise s.d.)")
plt.title("A sweep over two parameters")
plt.savefig("replicates_and_sweep.png", dpi=150, bbox_inches="tight")
