"""Set the mean of each pair with your own function instead of one of the four methods.

In this example, genes that are bound by many TFs respond less to each of them, regardless of their binding effects.
"""

import matplotlib.pyplot as plt
import xarray as xr

import yeastxr as yx


def shared_work(labels: xr.DataArray, binding_effect: xr.DataArray) -> xr.DataArray:
    """Return the mean of each pair: 6 shared among the TFs that bind the gene, 0 for unbound pairs."""
    binding_tfs = labels.sum("tf").clip(min=1)
    return xr.where(labels, 6.0 / binding_tfs, 0.0)


labels = yx.generate_gene_population(6600, bound=[0.3], n_sample=[8], seed=42)
binding = yx.generate_binding_effects(labels, seed=42)
response = yx.generate_perturbation_effects(labels, binding, adjustment_function=shared_work, seed=42)
print(response.dtype, dict(response.sizes))

tfs_of_gene = labels.sum("tf").rename("TFs that bind the gene")
size = abs(response).where(labels).mean("tf").groupby(tfs_of_gene).mean().dropna("TFs that bind the gene")
print(size.to_series().round(2).to_string())

size.plot(marker="o", linestyle="", color="#0072B2", figsize=(7, 4), label="observed")
(6.0 / size["TFs that bind the gene"]).plot(color="#E69F00", label="mean without noise")
plt.ylabel("mean |perturbation effect| if bound (noise s.d.)")
plt.xlabel("TFs that bind the gene")
plt.title("Responses under a custom rule")
plt.legend()
plt.savefig("a_rule_of_your_own.png", dpi=150, bbox_inches="tight")
