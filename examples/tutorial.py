"""Run the tutorial as one script, from a gene population to one tensor of shape [1000, 10, 5].

It follows "Generating in silico data" of yeastdnnexplorer step by step. The tutorial page explains each step.
"""

import yeastxr as yx
from yeastxr import And, Or

SEED = 42  # every step takes the seed; no global random state is read or written

# Step 1: the gene populations. True means that the gene is in the TF's bound group.
n_genes, bound, n_sample = 1000, [0.1, 0.15, 0.2, 0.25, 0.3], [1, 1, 2, 2, 4]
labels = yx.generate_gene_population(n_genes, bound=bound, n_sample=n_sample, seed=SEED)

# Step 2: binding data for each gene population, and their p-values.
binding = yx.generate_binding_effects(labels, seed=SEED)
binding_pvalue = yx.generate_pvalues(binding, seed=SEED)
print("Shape of the binding data:", dict(binding.sizes))

# Step 3: perturbation data, by four methods.
related = {0: [1], 1: [8], 2: [5, 6], 3: [4], 4: [5], 5: [9], 6: [4], 7: [1, 4], 8: [6], 9: [4]}
boolean = {
    0: [And(3, 4, 8), Or(3, 7), Or(1, 1)],
    1: [And(5, Or(7, 8))],
    2: [],
    3: [Or(7, 9), And(6, 7)],
    4: [And(1, 2)],
    5: [Or(0, 1, 2, 8, 9)],
    6: [And(0, Or(1, 2))],
    7: [Or(2, And(5, 6, 9))],
    8: [],
    9: [And(6, And(3, Or(0, 9)))],
}
methods = {
    "1, no adjustment": {},
    "2, by binding": {"max_mean_adjustment": 10.0},
    "3, by related TFs": {"max_mean_adjustment": 10.0, "tf_relationships": related},
    "4, by boolean relations": {"max_mean_adjustment": 10.0, "tf_relationships": boolean},
}
for name, adjustment in methods.items():
    effect = yx.generate_perturbation_effects(labels, binding, **adjustment, seed=SEED)
    size, pvalue = abs(effect), yx.generate_pvalues(effect, seed=SEED)
    print(
        f"Method {name}: mean |effect| {float(size.where(labels).mean()):.3f} if bound, "
        f"{float(size.where(~labels).mean()):.3f} if not; mean p-value {float(pvalue.mean()):.3f}"
    )

# Step 4: assemble, here with the data of method 1.
effect = yx.generate_perturbation_effects(labels, binding, seed=SEED)
ds = yx.assemble(labels, binding, binding_pvalue, effect, yx.generate_pvalues(effect, seed=SEED))
print(ds)

# Sanity checks: bound fractions are exact, distributions follow theory; and plots.
exact = ds.label.sum("gene") == (n_genes * ds.bound_fraction).round()
print("bound/unbound ratio is correct:", bool(exact.all()))
print(ds.yeast.check())
yx.plot.save(ds.yeast.plot.qc(), "tutorial.png", overwrite=True)

# Vary the relationship between binding and perturbation: nine simulations in one sweep.
swept = yx.sweep(ds.yeast.spec, max_mean_adjustment=[0.1, 3.0, 10.0], bound_mean=[3.0, 5.0, 10.0])
panels = swept.yeast.plot.binding_vs_perturbation(by=["max_mean_adjustment", "bound_mean"], ylim=(0, 21))
yx.plot.save(panels, "tutorial_sweep.png", overwrite=True)

# One tensor: genes, TFs, features (label, binding effect and p-value, perturbation effect and p-value).
tensor = ds.yeast.to_torch()
print("Shape of the final data tensor:", tensor.shape)
print("Strides:", tensor.stride())
