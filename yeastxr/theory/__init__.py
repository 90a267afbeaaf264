"""The expected distribution of every feature under a specification: overall, by status and by TF.

Exact and approximate results:

- Labels, binding effects and perturbation effects: exact. Values are rounded once, to float32; the distributions of
  binding effects, and of perturbation effects without noise, consist of rounded values.
- The probability that a TF's conditions hold for a gene that it binds: exact; see :func:`adjusted_probability`.
- p-values: exact for the finite number of genes, including ties, given the number of bound genes of a TF whose
  conditions hold. The distribution of this number is exact for conditions that name each TF once, and for others that
  are not too costly (three TFs at 6,600 genes, more at fewer). Otherwise its mean is exact, its variance and third
  cumulant are correct to leading order, and the probability that an effect is large has an error of the order of
  ``genes ** -1.5``. Effects with noise tie only by rounding to float32, which is taken into account if the noise spans
  fewer than 1,024 steps of float32; otherwise the share of additional large effects is below 0.0002 (by default 10^-7).
- Random bound fractions (``bound_concentration``): all distributions are conditional on the fractions for the seed of
  the specification, ``spec.bound_fractions``.
- Negative binomial hops: exact, with the probabilities of the tables of hops. The pairs of a gene share the factor of
  its promoter and, with ``gene_responsiveness``, its probability of a response; distributions are over genes. The genes
  of a TF are independent of each other, so large effects are exact, too. Means for more than 8,192 binding effects are
  merged within 0.001 s.d., which changes probabilities by less than 1e-9.
- Responses: exact. Groups are by label and conditions, so "bound" is a mixture of pairs that respond and pairs that do
  not. With relations and ``indirect_fraction``, p-values assume independent conditions of unbound genes, which is an
  approximation.
- ``pvalues="test"``: exact, except for the rounding of perturbation p-values to float32.
- ``batch_std``: not available for perturbation effects and their p-values, because pairs of a TF share an offset.
- Missing values and measurements do not change the distributions of other values.
- Distributions are marginal ones of single pairs. Pairs of a TF are exchangeable, but not independent, because the
  number of bound genes is fixed.
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
