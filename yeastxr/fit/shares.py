"""Shares of pairs and genes: signs, known responses, missing values."""

import numpy as np

from yeastxr.fit.hops import Estimate, propagate
from yeastxr.simulation.parameters import LEAST_RESPONSIVENESS, MOST_RESPONSIVENESS
from yeastxr.simulation.tables import FACTOR_LEVELS, make_beta_levels

_SIGNIFICANT = 3.0  # standard errors for significant differences of genes
_UNLIKELY = 1e-4  # p-value of significant differences of signs between TFs
_MOST_STEPS = 200


def estimate_share(number: float, total: float) -> Estimate:
    """Return a share and its binomial standard error, which at 0 and 1 includes half an additional case."""
    if not total:
        return Estimate(np.nan, np.nan)
    share, inner = number / total, (number + 0.5) / (total + 1)
    used = share if 0 < share < 1 else inner
    return Estimate(float(share), float(np.sqrt(used * (1 - used) / total)))


def differ_in_signs(positive: np.ndarray, negative: np.ndarray) -> bool:
    """Return whether TFs differ in their share of positive effects, by a chi-square test."""
    from scipy.stats import chi2

    total = positive + negative
    own = total > 0
    share = positive[own].sum() / max(total[own].sum(), 1)
    if own.sum() < 2 or not 0 < share < 1:
        return False
    statistic = ((positive[own] - total[own] * share) ** 2 / (total[own] * share * (1 - share))).sum()
    return bool(chi2.sf(statistic, own.sum() - 1) < _UNLIKELY)


def estimate_missing(known: np.ndarray, tfs: int) -> tuple[Estimate, Estimate]:
    """Return the shares of genes, and of other pairs, with missing effects, by maximum likelihood.

    ``known`` is the number of effects of each gene. If there are none, the gene is missing, or all of its pairs are
    missing by chance. For a share p of missing pairs, the share ``(p - p^tfs) / (1 - p^tfs)`` of pairs is missing in
    other genes.
    """
    genes, empty = known.size, int((known == 0).sum())
    rest = (genes - empty) * tfs
    observed = 1 - known.sum() / rest if rest else 0.0  # of the pairs of genes with at least one effect
    if tfs == 1:
        return Estimate(0.0, np.nan), estimate_share(empty, genes)
    share = observed
    for _ in range(_MOST_STEPS):  # the mean of a binomial number below its maximum
        share = 1 - (1 - observed) * (1 - share**tfs)
    if not rest or share >= 1:
        return Estimate(0.0 if rest else 1.0, np.nan), Estimate(share, np.nan)
    gene_share = max(0.0, (empty / genes - share**tfs) / (1 - share**tfs))
    # Standard errors by the delta method, from the mean and variance of a binomial number that is below its maximum.
    some, filled, alone = 1 - share, 1 - share**tfs, empty / genes
    mean = tfs * some / filled
    variance = (tfs * some * share + (tfs * some) ** 2) / filled - mean**2
    slope = (tfs * filled - tfs * some * tfs * share ** (tfs - 1)) / filled**2
    of_pairs = max(variance, 0.0) / (genes - empty) / slope**2 if share else estimate_share(0, rest).error ** 2
    of_genes = alone * (1 - alone) / genes / filled**2 if 0 < alone < 1 else estimate_share(empty, genes).error ** 2
    of_genes += (tfs * share ** (tfs - 1) * (1 - alone) / filled**2) ** 2 * of_pairs
    return Estimate(gene_share, float(np.sqrt(of_genes))), Estimate(share, float(np.sqrt(of_pairs)))


def estimate_responses(responses: np.ndarray) -> dict[str, Estimate]:
    """Return the shares of bound and unbound pairs that respond, and the correlation of responses of a gene.

    ``responses`` contains for each gene the numbers of unbound pairs, responsive unbound pairs, bound pairs, and
    responsive bound pairs. Standard errors come from the variation of genes, which are independent. The correlation is
    0 if it is not above 0 by three standard errors.
    """
    n_unbound, indirect, n_bound, direct = responses
    pairs = [n * (n - 1) for n in (n_unbound, indirect, n_bound, direct)]
    sums = np.concatenate([responses, pairs])
    values = _solve_responses(sums.sum(axis=1))
    errors = np.sqrt(np.diag(propagate(sums, _solve_responses)))
    names = ("indirect_fraction", "responsive_fraction", "gene_responsiveness")
    found = {name: Estimate(float(v), float(e)) for name, v, e in zip(names, values, errors, strict=True)}
    for name, number, total in ((names[0], indirect, n_unbound), (names[1], direct, n_bound)):
        if found[name].value in (0.0, 1.0) or not total.sum():
            found[name] = estimate_share(float(number.sum()), float(total.sum()))
    correlation = found[names[2]]
    if not correlation.value > _SIGNIFICANT * correlation.error:
        found[names[2]] = Estimate(0.0, correlation.error)
    else:
        weights = [pairs[0].sum() * values[0] * (1 - values[0]), pairs[2].sum() * values[1] * (1 - values[1])]
        mean = float(values[int(np.argmax(weights))])
        found[names[2]] = _undo_levels(correlation, mean)
    return found


def _solve_responses(sums: np.ndarray) -> np.ndarray:
    """Return shares of unbound and bound pairs that respond, and the correlation, from sums over genes."""
    shares = [sums[1] / sums[0] if sums[0] else 0.0, sums[3] / sums[2] if sums[2] else 0.0]
    excess = sums[5] - sums[4] * shares[0] ** 2 + sums[7] - sums[6] * shares[1] ** 2
    scale = sums[4] * shares[0] * (1 - shares[0]) + sums[6] * shares[1] * (1 - shares[1])
    return np.array([*shares, excess / scale if scale > 0 else 0.0])


def _undo_levels(observed: Estimate, mean: float) -> Estimate:
    """Return the correlation of beta probabilities whose 64 levels have the observed correlation."""
    points = [min(observed.value, 0.95 * MOST_RESPONSIVENESS), min(observed.value, 0.95 * MOST_RESPONSIVENESS) * 1.04]
    levels = []
    for point in points:
        chances = np.asarray(make_beta_levels(mean, 1 / point - 1, FACTOR_LEVELS), np.float64)
        levels.append(float(chances.var() / (mean * (1 - mean))))
    slope = (points[1] - points[0]) / (levels[1] - levels[0])
    value = points[0] + (observed.value - levels[0]) * slope
    return Estimate(float(np.clip(value, LEAST_RESPONSIVENESS, MOST_RESPONSIVENESS)), observed.error * slope)
