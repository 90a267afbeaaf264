"""The tutorial, step by step, with yeastxr: from a gene population to one tensor of shape [1000, 10, 5].

It follows "Generating in silico data" of yeastdnnexplorer in its order. Run it with ``python examples/tutorial.py``;
the pictures go into the folder that is named on the command line, or into the current one.
"""

import sys
from pathlib import Path

import yeastxr as yx
from yeastxr import And, Or

SEED = 42  # every step takes the seed; no global random state is read or written

# Step 1: the gene populations. True means that the gene is in the TF's bound group.
n_genes = 1000
bound = [0.1, 0.15, 0.2, 0.25, 0.3]
n_sample = [1, 1, 2, 2, 4]
labels = yx.generate_gene_population(n_genes, bound=bound, n_sample=n_sample, seed=SEED)

# Step 2: binding data for each gene population, and their p-values.
binding_effect = yx.generate_binding_effects(labels, seed=SEED)
binding_pvalue = yx.generate_pvalues(binding_effect, seed=SEED)
print("Shape of the binding data:", dict(binding_effect.sizes))

# Step 3: perturbation data.
# Method 1: no mean adjustment.
effect_1 = yx.generate_perturbation_effects(labels, binding_effect, seed=SEED)

# Method 2: the mean of every bound pair is adjusted by its binding effect, by at most max_mean_adjustment.
effect_2 = yx.generate_perturbation_effects(labels, binding_effect, max_mean_adjustment=10.0, seed=SEED)

# Method 3: only where the TFs that are listed for the TF bind the gene, too.
tf_relationships = {
    0: [1],
    1: [8],
    2: [5, 6],
    3: [4],
    4: [5],
    5: [9],
    6: [4],
    7: [1, 4],
    8: [6],
    9: [4],
}
effect_3 = yx.generate_perturbation_effects(
    labels, binding_effect, max_mean_adjustment=10.0, tf_relationships=tf_relationships, seed=SEED
)

# Method 4: only where boolean relations of TFs hold.
tf_relationships_boolean = {
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
effect_4 = yx.generate_perturbation_effects(
    labels, binding_effect, max_mean_adjustment=10.0, tf_relationships=tf_relationships_boolean, seed=SEED
)

for method, effect in enumerate([effect_1, effect_2, effect_3, effect_4], start=1):
    pvalue = yx.generate_pvalues(effect, seed=SEED)
    sizes = abs(effect)
    print(
        f"Method {method}: mean |effect| {float(sizes.where(labels).mean()):.3f} if bound, "
        f"{float(sizes.where(~labels).mean()):.3f} if not; mean p-value {float(pvalue.mean()):.3f}"
    )

# Step 4: assemble, here with the data of method 1.
ds = yx.assemble(labels, binding_effect, binding_pvalue, effect_1, yx.generate_pvalues(effect_1, seed=SEED))
print(ds)

# Sanity checks: bound ratios are exact, distributions are as the closed forms say.
exact = ds.label.sum("gene") == (n_genes * ds.bound_fraction).round()
print("bound/unbound ratio is correct:", bool(exact.all()))
print(ds.yeast.check())

# The tutorial's three pictures.
folder = Path(sys.argv[1] if len(sys.argv) > 1 else ".")
folder.mkdir(parents=True, exist_ok=True)
print("Pictures:", yx.plot.save(ds.yeast.plot.qc(), folder / "qc.png"))

# Re-generate data with another relationship between binding and perturbation.
effect_influenced = yx.generate_perturbation_effects(
    labels, binding_effect, max_mean_adjustment=3.0, bound_mean=5.0, unbound_mean=0.0, seed=SEED
)
ds_influenced = yx.assemble(
    labels, binding_effect, binding_pvalue, effect_influenced, yx.generate_pvalues(effect_influenced, seed=SEED)
)
print("Influenced by binding:", yx.plot.save(ds_influenced.yeast.plot.qc(), folder / "qc_influenced.png"))

# One tensor: genes, TFs, features in the order label, binding effect and p-value, perturbation effect and p-value.
tensor = ds.yeast.to_torch()
print("Shape of the final data tensor:", tensor.shape)
print("Strides:", tensor.stride())
