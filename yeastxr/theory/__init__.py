"""The distribution that every feature must have under a specification: overall, by status and by TF.

What is exact, and what is not:

- Labels, binding effects and perturbation effects: exact. A value is rounded once, to float32; binding effects are
  those rounded values, and so are perturbation effects without noise.
- Whether a TF's conditions hold for a gene that it binds: exact, see :func:`adjusted_probability`.
- p-values: exact for the finite number of genes, ties included, given how many bound genes of a TF have conditions that
  hold. The distribution of that number is exact for conditions that name each TF once, and for others that are not too
  costly (three TFs at 6,600 genes, more at fewer). For the rest its mean is exact, and its variance and third cumulant
  are to leading order; the probability that an effect is large then has an error of the order of ``genes ** -1.5``.
  Effects with noise tie only by rounding to float32, which counts where the noise spans fewer than 1,024 steps of
  float32; elsewhere it makes a share of less than 0.0002 more effects large, by default of 10^-7.
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
