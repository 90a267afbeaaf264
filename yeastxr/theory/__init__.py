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
- Bound fractions that are drawn (``bound_concentration``): all of this is given the fractions of the specification's
  seed, ``spec.bound_fractions``.
- Negative binomial hops: exact, with the probabilities of the tables that the hops are drawn from. A gene's pairs share
  the factor of its promoter, and, with ``gene_responsiveness``, its chance to respond; distributions are those over
  genes. Genes are independent of each other within a TF, so large effects stay exact.
  Means that rise with very many binding effects (more than 8,192) are merged within 0.001 s.d., which changes
  probabilities by less than 1e-9.
- Responses: exact. Groups are by label and conditions, so "bound" is a mixture of pairs that respond and pairs that do
  not. With relations and ``indirect_fraction``, p-values take conditions of unbound genes as independent of each other,
  an approximation.
- ``pvalues="test"``: exact; perturbation p-values but for their rounding to float32.
- ``batch_std``: pairs of a TF share an offset, and theory refuses perturbation effects and their p-values.
- Missing values and measurements change no distribution of the values that are there.
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
from yeastxr.theory.tails import TailPvalues

__all__ = [
    "GROUPS",
    "Distribution",
    "FoldedNormals",
    "Lattice",
    "SignedFoldedNormals",
    "TailPvalues",
    "UniformMixture",
    "adjusted_probability",
    "binding_lattice",
    "distribution",
    "expected",
    "folded_normal_mean",
    "large_fraction",
    "slope_of_mean",
]
