"""Recover relations of TFs from simulated data, with a sparse regression on products of binding effects.

TF A acts only on genes that C also binds, and B only on genes that A and D bind. For each TF, the response of its bound
genes is regressed on its binding effect and on products with the binding effects of the other TFs. LassoCV selects few
products, and the large weights are the relations. Needs scikit-learn (`pip install scikit-learn`).
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.linear_model import LassoCV

import yeastxr as yx

names = list("ABCDEF")
known = {"A": ["C"], "B": ["A", "D"]}
ds = yx.simulate(
    genes=6600,
    tfs=names,
    bound=[0.4],
    n_sample=[len(names)],
    bound_experiment_hops_range=(4, 6),
    max_mean_adjustment=10.0,
    background_hops_range=(20, 60),
    tf_relationships=known,
    seed=42,
)

strength = np.log1p(ds.binding_effect)  # products of two are large where both TFs bind
weights = np.zeros((len(names), len(names)))
for i, tf in enumerate(names):
    bound = ds.isel(gene=np.flatnonzero(ds.label.sel(tf=tf)))
    own = strength.sel(tf=tf, gene=bound.gene)
    products = (own * strength.sel(gene=bound.gene)).transpose("gene", "tf").values
    products[:, i] = own  # binding alone
    columns = (products - products.mean(axis=0)) / products.std(axis=0)
    model = LassoCV(cv=5, random_state=0).fit(columns, abs(bound.perturbation_effect.sel(tf=tf)))
    weights[i] = np.where(np.arange(len(names)) == i, 0, model.coef_)

chosen = {tf: [names[j] for j in np.flatnonzero(weights[i] > 0.5)] for i, tf in enumerate(names)}
print("Known:    ", known)
print("Recovered:", {tf: others for tf, others in chosen.items() if others})
print("Others, largest weight:", round(float(np.where(weights > 0.5, 0, np.abs(weights)).max()), 2))

fig, axes = plt.subplots(figsize=(6, 4.5), layout="constrained")
most = np.abs(weights).max()
shown = axes.imshow(weights, cmap="RdBu_r", vmin=-most, vmax=most)
for tf, others in known.items():
    for other in others:
        axes.plot(names.index(other), names.index(tf), "s", mfc="none", mec="black", ms=34)
axes.set_xticks(range(len(names)), names)
axes.set_yticks(range(len(names)), names)
axes.set(
    xlabel="other TF",
    ylabel="perturbed TF",
    title="Weights of products (squares: known relations)",
)
fig.colorbar(shown, ax=axes, label="weight (noise s.d.)")
fig.savefig("recover_relations.png", dpi=150)
