"""The distribution that every feature must have under a specification: exact, overall, by label and by TF.

What is exact, and what is not:

- Labels, binding effects and perturbation effects: exact. A value is rounded once, to float32; binding effects are
  those rounded values, and so are perturbation effects without noise.
- Whether a TF's conditions hold for a gene that it binds: exact, see :func:`adjusted_probability`.
- p-values: exact for the finite number of genes, ties included, but for one thing. Whether a *perturbation* effect is
  large depends on how many bound genes of the TF have conditions that hold. TFs that are named bind exact numbers of
  genes, so that number is less spread than a binomial; that is accounted for to first order. The error is of the order
  of 1 / genes^2; it is 0 where there are no conditions, and over all pairs. Where effects without noise tie, it can be
  larger.
- Marginals of single pairs. Pairs of one TF are exchangeable, but not independent: labels add up to a fixed number.
"""

from yeastxr.theory.distributions import (
    Distribution,
    FoldedNormals,
    Lattice,
    SignedFoldedNormals,
    UniformMixture,
    folded_normal_mean,
)
from yeastxr.theory.features import GROUPS, adjusted_probability, distribution, expected, large_fraction
from yeastxr.theory.pairs import binding_lattice, slope_of_mean

__all__ = [
    "GROUPS",
    "Distribution",
    "FoldedNormals",
    "Lattice",
    "SignedFoldedNormals",
    "UniformMixture",
    "adjusted_probability",
    "binding_lattice",
    "distribution",
    "expected",
    "folded_normal_mean",
    "large_fraction",
    "slope_of_mean",
]
