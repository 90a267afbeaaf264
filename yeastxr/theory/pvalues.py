"""The distribution of p-values: the probability that an effect is large, so that its p-value is small.

An effect is large if it is at least the quantile of |effect| over the finite number of genes of its TF.

The cutoff is ``X[k] + (X[k+1] - X[k]) w``, where X are the n values of |effect| of the TF in ascending order (from 0),
k is the integer part of ``(n - 1) q`` and w the fractional part. Let r be ``(n - 1) q`` rounded up. If w is 0, the
cutoff is X[r]. Otherwise it is above X[k] and at most X[k+1] = X[r], or both are equal: there are no values in between,
so a value that is at least the cutoff is at least X[r]. Either way **an effect is large if and only if it is at least
the r-th order statistic**: at most n - 1 - r of the other genes' values are larger. This includes ties. The probability
that a value is large is therefore a tail of a sum of independent binomials, given the number of genes with each
distribution: bound genes whose conditions hold, bound genes whose conditions fail, and unbound genes. If the first
number is random, the tail is averaged over its distribution.

There is one exception: if w is a rounding error of ``(n - 1) q`` (55.00000000000001 for 100 genes and quantile 0.55),
the cutoff may round to X[k], so that one more effect is large. Because values are float32, this needs a w below 2^-29;
it is taken into account.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import NamedTuple

import numpy as np

from yeastxr.theory.counts import Counts, compute_reach
from yeastxr.theory.distributions import FoldedNormals, Lattice

_ODDS = 40.0  # exp(-40) = 4e-18 is negligible
_CELLS = 2**15  # values x frequencies at a time
_LEAST_WEIGHT = 2.0**-29  # below it a cutoff can round down to X[k]: float32 values differ by 2^-24 or are equal
_PANELS, _BRACKETINGS, _HALVINGS = 16, 4, 40
_TOLERANCE = 1e-14
_NEGLIGIBLE = 1e-15
Chance = Callable[[np.ndarray], np.ndarray]  # from values to the probabilities that they are large


class Rank(NamedTuple):
    """The rank of the cutoff among the n values of a TF: at most ``others`` values exceed a large value.

    ``weight`` is the position of the cutoff between X[k] and X[k+1] if it is a rounding error; otherwise 0.
    """

    others: int
    weight: float


def rank_cutoff(n: int, percentile: float) -> Rank:
    """Return the rank of the cutoff among n values; ``(n - 1) percentile`` is rounded as in the kernel.

    >>> rank_cutoff(1000, 0.9)
    Rank(others=99, weight=0.0)
    """
    place = percentile * (n - 1)
    weight = place - int(place)
    return Rank(n - 1 - math.ceil(place), weight if weight < _LEAST_WEIGHT else 0.0)


@dataclass(frozen=True)
class Group:
    """A number ``count`` of genes of a TF with one or two distributions, with shares that sum to 1.

    ``first`` is the distribution of the number of genes with the first distribution; None for independent genes.
    """

    count: int
    shares: tuple[float, ...]
    distributions: tuple[FoldedNormals | Lattice, ...]
    first: Counts | None = None

    def remove(self, distribution: int) -> "Group":
        """Return all other genes, given that one gene has the distribution at an index."""
        first = None
        if self.first is not None:
            numbers, start = self.first.numbers, self.first.start
            weights = self.first.probabilities * (self.count - numbers if distribution else numbers)
            first = Counts.trim(start if distribution else start - 1, weights)
        return Group(self.count - 1, self.shares, self.distributions, first)


def compute_large_probabilities(groups: Sequence[Group], percentile: float) -> list[list[float]]:
    """Return the probability that a value is large, for each distribution of each group of a TF's genes.

    The error is about 1e-12. The result is NaN for distributions without genes.

    >>> coin = Lattice.of([0.0, 1.0], [0.5, 0.5])
    >>> compute_large_probabilities([Group(2, (1.0,), (coin,))], 1.0)  # not large: 0, where the other gene has 1
    [[0.75]]
    """
    rank = rank_cutoff(sum(group.count for group in groups), percentile)
    edges = np.empty(0)
    probabilities: list[list[float]] = []
    for i, group in enumerate(groups):
        probabilities.append([])
        for j, (share, d) in enumerate(zip(group.shares, group.distributions, strict=True)):
            if not group.count or share <= 0:
                probabilities[-1].append(math.nan)
                continue
            others = [other.remove(j) if k == i else other for k, other in enumerate(groups)]
            chance = partial(_compute_chance, others=[other for other in others if other.count], rank=rank)
            if not edges.size and isinstance(d, FoldedNormals):  # almost equal for all, because they differ by one gene
                edges = _choose_edges(chance, groups)
            probabilities[-1].append(min(max(_average(chance, d, edges), 0.0), 1.0))
    return probabilities


def _average(chance: Chance, d: FoldedNormals | Lattice, edges: np.ndarray) -> float:
    """Return the mean of the probability of a value over its distribution."""
    if isinstance(d, Lattice):
        return float(d.probabilities @ chance(d.values))
    atoms = float(d.atoms.probabilities @ chance(d.atoms.values)) if d.atoms else 0.0
    if d.smooth is None:
        return atoms
    smooth = _integrate(chance, d.smooth, edges)
    return d.atoms_weight * atoms + (1 - d.atoms_weight) * smooth


def average_chance(chance: Chance, d: FoldedNormals, parts: Sequence[FoldedNormals]) -> float:
    """Return the mean of a probability that increases with the magnitude; the parts determine where."""
    return _average(chance, d, _choose_edges(chance, [Group(1, (1.0,), (part,)) for part in parts]))


def _choose_edges(chance: Chance, groups: Sequence[Group]) -> np.ndarray:
    """Return ascending values, from 0, between which the probability is smooth, most of them where it increases."""
    parts = [
        (group.count * share, d)
        for group in groups
        for share, d in zip(group.shares, group.distributions, strict=True)
        if isinstance(d, FoldedNormals) and group.count * share > 0
    ]
    mixture = FoldedNormals(
        np.concatenate([weight * d.weights for weight, d in parts]),
        np.concatenate([d.means for _, d in parts]),
        np.concatenate([d.stds for _, d in parts]),
    )
    top = float(mixture.upper_quantile(np.array(1e-20)))
    low, high = 0.0, top
    for _ in range(_BRACKETINGS):
        inner = np.linspace(low, high, _PANELS + 1)
        chances = chance(inner)
        low = inner[chances <= _NEGLIGIBLE].max(initial=low)
        high = inner[chances >= 1 - _NEGLIGIBLE].min(initial=high)
    atoms = mixture.atoms.values if mixture.atoms else np.empty(0)  # the probability jumps there
    return np.unique(np.concatenate([[0.0], np.linspace(low, high, _PANELS + 1), atoms[atoms < top], [top]]))


def _integrate(chance: Chance, d: FoldedNormals, edges: np.ndarray) -> float:
    """Integrate the probability of a value over a density by adaptive Gauss-Legendre quadrature on panels.

    A panel is accepted if its halves agree with it, and the integral of the density agrees with the distribution.
    """
    at_edges, above = chance(edges), d.sf(edges)
    masses = above[:-1] - above[1:]
    # The probability is monotonic, hence constant between equal values. The density beyond the last edge is negligible.
    flat = (at_edges[1:] - at_edges[:-1] <= _NEGLIGIBLE) | (masses <= _NEGLIGIBLE**2)
    total = float(at_edges[1:][flat] @ masses[flat] + at_edges[-1] * above[-1])
    left, right = edges[:-1][~flat], edges[1:][~flat]
    whole, _ = _integrate_panels(chance, d, left, right)
    for _ in range(_HALVINGS):
        middle = (left + right) / 2
        halves, masses = _integrate_panels(chance, d, np.concatenate([left, middle]), np.concatenate([middle, right]))
        both = halves.reshape(2, -1).sum(axis=0)
        mass_error = masses.reshape(2, -1).sum(axis=0) - (d.sf(left) - d.sf(right))
        rough = np.abs(both - whole) + np.abs(mass_error) > _TOLERANCE
        total += float(both[~rough].sum())
        rough2 = np.concatenate([rough, rough])
        left, right = np.concatenate([left, middle])[rough2], np.concatenate([middle, right])[rough2]
        whole = halves[rough2]
        if not whole.size:
            break
    return total + float(whole.sum())


@cache
def _get_nodes() -> tuple[np.ndarray, np.ndarray]:
    """Return the nodes and weights of Gauss-Legendre quadrature, importing numpy.polynomial lazily."""
    return np.polynomial.legendre.leggauss(10)


def _integrate_panels(
    chance: Chance, d: FoldedNormals, left: np.ndarray, right: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the integrals of density times probability, and of the density, over panels."""
    nodes, weights = _get_nodes()
    half = (right - left) / 2
    x = (left + half)[:, None] + half[:, None] * nodes
    density = d.density(x) * weights * half[:, None]
    return (density * chance(x)).sum(axis=1), density.sum(axis=1)


class _Genes(NamedTuple):
    """Independent genes with the probability that a value is beyond a limit, for several limits.

    With two ``chances``, a random number of genes (``first``) has the first one, and all others have the second one.
    ``log_scales`` are logarithms of probabilities per gene of the condition of the chances.
    """

    n: int
    first: Counts | None
    chances: tuple[np.ndarray, ...]
    log_scales: tuple[np.ndarray, ...]

    def select(self, index: np.ndarray) -> "_Genes":
        """Return the genes for a selection of limits."""
        return self._replace(
            chances=tuple(chance[index] for chance in self.chances),
            log_scales=tuple(log_scale[index] for log_scale in self.log_scales),
        )

    def bound_sum(self, per_gene: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
        """Return the smallest and the largest sum over genes of a function of probabilities, shape (2, limits)."""
        if self.first is None:
            return np.stack([self.n * per_gene(self.chances[0])] * 2)
        one, two = (per_gene(chance) for chance in self.chances)
        return np.sort([k * one + (self.n - k) * two for k in self.first.numbers[[0, -1]]], axis=0)

    def transform(self, theta: np.ndarray) -> np.ndarray:
        """Return the characteristic function of the number of genes beyond a limit, shape (limits, frequencies)."""
        half, sine = np.sin(theta / 2) ** 2, np.sin(theta)
        logs = []
        for chance, log_scale in zip(self.chances, self.log_scales, strict=True):
            s = chance[:, None]
            log_modulus = np.log1p(-4 * s * (1 - s) * half) / 2 + log_scale[:, None]
            logs.append(log_modulus + 1j * np.arctan2(s * sine, 1 - 2 * s * half))
        if self.first is None:
            return np.exp(self.n * logs[0])
        one, two = logs
        ratio, total = np.exp(one - two), np.zeros(one.shape, complex)
        for probability in self.first.probabilities[::-1]:  # Horner's rule
            total *= ratio
            total += probability
        return total * np.exp(self.first.start * one + (self.n - self.first.start) * two)


def _compute_chance(v: np.ndarray, others: Sequence[Group], rank: Rank) -> np.ndarray:
    """Return the probability that a value v is large, given all other genes."""
    x = v.reshape(-1)
    chance = _compute_tail([_make_genes(group, x) for group in others], x.size, rank.others)
    if rank.weight:
        # v is X[k], and also large if X[k+1] is so close that the cutoff rounds to v, that is, if not all of the
        # larger values are beyond that.
        near = x + np.spacing(x) / (2 * rank.weight)
        for sign, limit in ((1, x), (-1, near)):
            genes = [_make_genes(group, x, limit) for group in others]
            tails = [_compute_tail(genes, x.size, rank.others + i) for i in (0, 1)]
            chance = chance + sign * (tails[1] - tails[0])
    return chance.reshape(v.shape)


def _make_genes(group: Group, x: np.ndarray, limit: np.ndarray | None = None) -> _Genes:
    """Return genes with values beyond a limit of at least x (default: x), and none between both."""
    above = [d.sf(x) for d in group.distributions]
    beyond = above if limit is None else [d.sf(limit) for d in group.distributions]
    if group.first is None:
        above, beyond = ([sum(np.array(group.shares)[:, None] * s)] for s in (above, beyond))
    within = [np.maximum(1 - (a - b), np.finfo(float).tiny) for a, b in zip(above, beyond, strict=True)]
    chances = tuple(np.minimum(b / w, 1) for b, w in zip(beyond, within, strict=True))
    return _Genes(group.count, group.first, chances, tuple(np.log(w) for w in within))


def _compute_tail(genes: Sequence[_Genes], size: int, most: int) -> np.ndarray:
    """Return the probability that at most a given number of genes are beyond each of ``size`` limits.

    Bernstein's inequality bounds this number; between the bounds, its characteristic function is inverted.
    """
    everything = np.prod([part.transform(np.zeros(1))[:, 0].real for part in genes], axis=0) * np.ones(size)
    means = np.sum([part.bound_sum(lambda s: s) for part in genes], axis=0) * np.ones((2, size))
    variances = np.sum([part.bound_sum(lambda s: s * (1 - s)) for part in genes], axis=0) * np.ones((2, size))
    reach = compute_reach(variances[1])
    low = np.maximum(np.floor(means[0] - reach), 0)
    high = np.minimum(np.ceil(means[1] + reach), sum(part.n for part in genes))
    tail = np.where(high <= most, everything, 0.0)
    undecided = np.flatnonzero((low <= most) & (most < high))
    # Limits with windows and variances of similar size share frequencies.
    classes = np.stack([np.frexp(high - low + 1)[1], np.frexp(variances[0] + 1)[1]])[:, undecided]
    for similar in np.unique(classes, axis=1).T:
        index = undecided[(classes == similar[:, None]).all(axis=0)]
        window = 2 * (int((high - low)[index].max() + 1) // 2) + 1  # odd, and at least as wide as every window
        theta = 2 * np.pi / window * np.arange(window // 2 + 1)
        # At higher frequencies the characteristic function is negligible.
        theta = theta[2 * variances[0, index].min() * np.sin(theta / 2) ** 2 <= _ODDS]
        for batch in np.array_split(index, -(-index.size * theta.size // _CELLS)):
            value = np.exp(-0.5j * (low[batch, None] + most) * theta)
            for part in genes:
                value = value * part.select(batch).transform(theta)
            numbers = most - low[batch, None] + 1
            terms = value.real * np.concatenate(
                [numbers, 2 * np.sin(numbers * theta[1:] / 2) / np.sin(theta[1:] / 2)], axis=1
            )
            tail[batch] = np.clip(terms.sum(axis=1) / window, 0, 1)
    return tail
