"""Compare how well a linear and a nonlinear model predict responses from binding under the four methods.

There are 4,000 genes, each TF binds half of them, and the models predict |perturbation effect| from the binding
effects of all TFs. They are trained on 80 % of the genes and scored on the others. "Best possible" is the expected r2
of a model that knows the mean of each pair. Needs scikit-learn (`pip install scikit-learn`).
"""

import sys

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import LinearRegression

import yeastxr as yx
from yeastxr.demo import METHODS

quick = "--quick" in sys.argv
genes, tfs, trees = (1000, 10, 10) if quick else (4000, 10, 60)
models = {
    "linear": LinearRegression(),
    "random forest": RandomForestRegressor(trees, min_samples_leaf=5, max_features=0.7, n_jobs=2, random_state=0),
}
rows: dict[str, list[float]] = {name: [] for name in [*models, "best possible"]}
for _, adjustment in METHODS.values():
    ds = yx.simulate(genes=genes, bound=[0.5], n_sample=[tfs], **adjustment, seed=42)
    ds = ds.yeast.split(by="gene", train=0.8, test=0.2, seed=1)
    train, test = (ds.isel(gene=np.flatnonzero(ds.split == part)) for part in ("train", "test"))
    x = [np.log1p(part.binding_effect).transpose("gene", "tf").values for part in (train, test)]
    y = abs(train.perturbation_effect).transpose("gene", "tf").values
    for name, model in models.items():
        predicted = xr.DataArray(model.fit(x[0], y).predict(x[1]), test.label.coords, ("gene", "tf"))
        scores = test.yeast.analysis.scores(predicted)
        rows[name].append(float(scores.pooled_r2))
    rows["best possible"].append(float(scores.pooled_ceiling))

print(f"r2 of |effects|, {genes:,} genes, half of them bound")
print(f"{'method':16}" + "".join(f"{method:>8}" for method in METHODS))
for name, values in rows.items():
    print(f"{name:16}" + "".join(f"{value:8.3f}" for value in values))

fig, axes = plt.subplots(figsize=(7, 4), layout="constrained")
for i, (name, values) in enumerate(rows.items()):
    axes.bar(np.arange(4) + 0.27 * (i - 1), values, 0.25, label=name, color=["#E69F00", "#0072B2", "#BBBBBB"][i])
axes.set_xticks(range(4), [f"{method}. {about}" for method, (about, _) in METHODS.items()], rotation=12, ha="right")
axes.set(ylabel="r2 on held-out genes", title="A linear and a nonlinear model under the four methods")
axes.set_ylim(0, 0.9)
axes.legend(loc="upper left", ncols=3)
fig.savefig("compare_models.png", dpi=150)
