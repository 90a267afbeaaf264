"""How likely an effect is large: at least its TF's quantile of |effect| over genes, for a finite number of genes.

The cutoff is ``X[k] + (X[k+1] - X[k]) w``, X being the TF's n values of |effect| in rising order (from 0), k the whole
part of ``(n - 1) q`` and w the rest. Let r be ``(n - 1) q`` rounded up. If w is 0 the cutoff is X[r] itself. If not, it
lies above X[k] and not above X[k+1] = X[r], or both are equal: no value lies in between, so whatever is at least the
cutoff is at least X[r]. Either way **an effect is large if and only if it is at least the r-th order statistic**: at
most n - 1 - r of the other genes' values are larger. That holds with ties, and makes the chance of a value to be large
a tail of a sum of two independent binomials: the bound genes left, and the unbound genes left.

One exception: where w is a rounding error of ``(n - 1) q`` (55.00000000000001 of 100 genes and quantile 0.55), the
cutoff may round to X[k], which makes one more effect large. Values are float32, so that takes a w below 2^-29; it is
accounted for.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np

from yeastxr.theory.distributions import FoldedNormals, Lattice

_ODDS = 40.0  # exp(-40) = 4e-18 is what is left out at each end of a sum
_CELLS = 2**20  # terms of sums at a time
_LEAST_WEIGHT = 2.0**-29  # below it a cutoff can round down to X[k]: float32 values differ by 2^-24 or are equal
_NODES, _NODE_WEIGHTS = np.polynomial.legendre.leggauss(10)
_PANELS, _BRACKETINGS, _HALVINGS = 16, 4, 40
_TOLERANCE = 1e-14
_NOTHING = 1e-20
Chance = Callable[[np.ndarray], np.ndarray]  # from values to the probabilities that they are large


class Rank(NamedTuple):
    """Where the cutoff lies among the n values of a TF.

    Parameters
    ----------
    others
        By how many of the other values a large one is exceeded at most: n - 1 - r.
    weight
        How far the cutoff is from X[k] to X[k+1], where that is a rounding error; otherwise 0.
    """

    others: int
    weight: float


def rank_cutoff(n: int, percentile: float) -> Rank:
    """Return the rank of the cutoff among n values; ``(n - 1) percentile`` is rounded as the kernel does.

    Examples
    --------
    >>> rank_cutoff(1000, 0.9), rank_cutoff(11, 0.9)
    (Rank(others=99, weight=0.0), Rank(others=1, weight=0.0))
    >>> rank_cutoff(101, 0.55).others, rank_cutoff(101, 0.55).weight < 1e-14
    (44, True)
    """
    place = percentile * (n - 1)
    weight = place - int(place)
    return Rank(n - 1 - math.ceil(place), weight if weight < _LEAST_WEIGHT else 0.0)


@dataclass(frozen=True)
class Group:
    """Genes of a TF whose values of |effect| are drawn alike, each from one of some distributions.

    Parameters
    ----------
    count
        How many genes, all of which there are n.
    shares
        With which probability each distribution is drawn from, sum 1.
    distributions
        One or two.
    covariance
        Of two genes, for being drawn from the first distribution; 0 where genes are independent. Of the order 1 / n.
    """

    count: int
    shares: tuple[float, ...]
    distributions: tuple[FoldedNormals | Lattice, ...]
    covariance: float = 0.0

    def sf(self, x: np.ndarray) -> np.ndarray:
        """Return the probability of a value above x."""
        return sum(
            (share * d.sf(x) for share, d in zip(self.shares, self.distributions, strict=True) if share > 0),
            np.zeros(x.shape),
        )

    def contrast(self, x: np.ndarray) -> np.ndarray:
        """Return by how much likelier a value above x is of the first distribution than of the second."""
        return self.distributions[0].sf(x) - self.distributions[1].sf(x)


class Left(NamedTuple):
    """The genes that are left of a group beside the one at hand.

    Parameters
    ----------
    n
        How many.
    group
        The group.
    shift
        By how much likelier each is drawn from the first distribution, for what is known of the gene at hand.
    """

    n: int
    group: Group
    shift: float


def compute_large_probabilities(groups: Sequence[Group], percentile: float) -> list[list[float]]:
    """Return the probability that a value is large, for each distribution of each group of a TF's genes.

    Exact to about 1e-12 where the genes of a group are independent of each other; otherwise to first order in their
    covariance, so with an error of the order 1 / n^2 where nothing ties.

    Parameters
    ----------
    groups
        Up to two; together the genes of a TF.
    percentile
        Which quantile the cutoff is, in [0, 1].

    Returns
    -------
    list of list of float
        As the distributions in the groups; NaN for those that no gene follows.

    Examples
    --------
    >>> coin = Lattice.of([0.0, 1.0], [0.5, 0.5])
    >>> compute_large_probabilities([Group(2, (1.0,), (coin,))], 1.0)  # not large: 0, where the other gene has 1
    [[0.75]]
    """
    rank = rank_cutoff(sum(group.count for group in groups), percentile)
    found: list[list[float]] = []
    for i, group in enumerate(groups):
        found.append([])
        for share, d, sign in zip(group.shares, group.distributions, (1, -1), strict=False):
            if not group.count or share <= 0:
                found[-1].append(math.nan)
                continue
            shift = sign * group.covariance / share  # the other genes', once this one is known to be of this kind
            left = [Left(g.count - (j == i), g, shift if j == i else 0.0) for j, g in enumerate(groups)]
            chance = partial(_chance, left=[some for some in left if some.n > 0], rank=rank)
            found[-1].append(min(max(_expected(chance, d, groups), 0.0), 1.0))
    return found


def _expected(chance: Chance, d: FoldedNormals | Lattice, groups: Sequence[Group]) -> float:
    """Return the mean of the chance of a value over its distribution."""
    if isinstance(d, Lattice):
        return float(d.probabilities @ chance(d.values))
    still = float(d.atoms.probabilities @ chance(d.atoms.values)) if d.atoms else 0.0
    if d.smooth is None:
        return still
    smooth = _integral(chance, d.smooth, _edges(chance, groups))
    return d.atoms_weight * still + (1 - d.atoms_weight) * smooth


def _edges(chance: Chance, groups: Sequence[Group]) -> np.ndarray:
    """Return values in rising order, the first 0, between which the chance rises smoothly; most where it does rise."""
    drawn = [
        (group.count * share, d)
        for group in groups
        for share, d in zip(group.shares, group.distributions, strict=True)
        if isinstance(d, FoldedNormals) and group.count * share > 0
    ]
    whole = FoldedNormals(
        np.concatenate([weight * d.weights for weight, d in drawn]),
        np.concatenate([d.means for _, d in drawn]),
        np.concatenate([d.stds for _, d in drawn]),
    )
    top = float(whole.upper_quantile(np.array(_NOTHING)))
    low, high = 0.0, top
    for _ in range(_BRACKETINGS):
        inner = np.linspace(low, high, _PANELS + 1)
        found = chance(inner)
        low, high = inner[found <= _NOTHING].max(initial=low), inner[found >= 1].min(initial=high)
    atoms = whole.atoms.values if whole.atoms else np.empty(0)  # the chance jumps there
    return np.unique(np.concatenate([[0.0], np.linspace(low, high, _PANELS + 1), atoms[atoms < top], [top]]))


def _integral(chance: Chance, d: FoldedNormals, edges: np.ndarray) -> float:
    """Integrate the chance of a value over a density, by Gauss and Legendre's rule on panels that are halved at need.

    A panel is right when its halves agree with it, and the density alone integrates to what its distribution says.
    """
    at_edges, above = chance(edges), d.sf(edges)
    # Where the chance is one number it is not sampled; beyond the last edge there is nothing to speak of.
    flat = at_edges[1:] == at_edges[:-1]
    total = float(at_edges[1:][flat] @ (above[:-1] - above[1:])[flat] + at_edges[-1] * above[-1])
    left, right = edges[:-1][~flat], edges[1:][~flat]
    whole, _ = _panels(chance, d, left, right)
    for _ in range(_HALVINGS):
        middle = (left + right) / 2
        halves, masses = _panels(chance, d, np.concatenate([left, middle]), np.concatenate([middle, right]))
        both = halves.reshape(2, -1).sum(axis=0)
        wrong_mass = masses.reshape(2, -1).sum(axis=0) - (d.sf(left) - d.sf(right))
        rough = np.abs(both - whole) + np.abs(wrong_mass) > _TOLERANCE
        total += float(both[~rough].sum())
        rough2 = np.concatenate([rough, rough])
        left, right = np.concatenate([left, middle])[rough2], np.concatenate([middle, right])[rough2]
        whole = halves[rough2]
        if not whole.size:
            break
    return total + float(whole.sum())


def _panels(chance: Chance, d: FoldedNormals, left: np.ndarray, right: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the integrals of density times chance, and of the density alone, over panels."""
    half = (right - left) / 2
    x = (left + half)[:, None] + half[:, None] * _NODES
    density = d.density(x) * _NODE_WEIGHTS * half[:, None]
    return (density * chance(x)).sum(axis=1), density.sum(axis=1)


def _chance(v: np.ndarray, left: Sequence[Left], rank: Rank) -> np.ndarray:
    """Return the probability that a value v is large, given how many genes of which groups are left beside it."""
    if not left:
        return np.ones(v.shape)
    counts, chances = [some.n for some in left], [some.group.sf(v) for some in left]
    found = _tail(counts, chances, rank.others)
    for some in left:
        if some.group.covariance:
            # Changing the mean of a count by m and its second factorial cumulant by c is to multiply its generating
            # function by 1 + m (z - 1) + c (z - 1)^2 / 2, to first order.
            contrast = some.group.contrast(v)
            mean = some.n * some.shift * contrast
            cumulant = some.n * (some.n - 1) * some.group.covariance * contrast**2
            one, two = (_tail(counts, chances, rank.others - less) for less in (1, 2))
            found = found - mean * (found - one) + cumulant / 2 * (found - 2 * one + two)
    if rank.weight:
        # v is X[k], and large after all where X[k+1] is so near that the cutoff rounds to v.
        near = v + np.spacing(v) / (2 * rank.weight)
        beyond = [some.group.sf(near) for some in left]
        gaps = [chance - far for chance, far in zip(chances, beyond, strict=True)]
        others = [far / np.maximum(1 - gap, np.finfo(float).tiny) for far, gap in zip(beyond, gaps, strict=True)]
        none = np.exp(sum(count * np.log1p(-gap) for count, gap in zip(counts, gaps, strict=True)))
        following = _tail(counts, chances, rank.others + 1) - found
        far_off = none * (_tail(counts, others, rank.others + 1) - _tail(counts, others, rank.others))
        found = found + np.maximum(following - far_off, 0)
    return found


def _tail(counts: Sequence[int], chances: Sequence[np.ndarray], most: int) -> np.ndarray:
    """Return the probability that independent binomials add up to at most a number, for each point of chances.

    Bernstein's inequality says where that is 0 or 1, and which terms of the sum count; all of those are added.
    """
    shape = chances[0].shape
    columns = [chance.reshape(-1) for chance in chances]
    mean = sum((m * s for m, s in zip(counts, columns, strict=True)), np.zeros(1))
    reach = _reach(sum((m * s * (1 - s) for m, s in zip(counts, columns, strict=True)), np.zeros(1)))
    found = np.where(most + 1 - mean >= reach, 1.0, 0.0)
    between = np.flatnonzero((most + 1 - mean < reach) & (mean - most < reach))
    if most >= sum(counts):
        found[:] = 1.0
    elif between.size:
        widest = sum(2 * int(_reach(m * s * (1 - s)).max()) + 5 for m, s in zip(counts, columns, strict=True))
        for at in np.array_split(between, -(-between.size * widest // _CELLS)):
            found[at] = _sum_at_most(counts, [column[at] for column in columns], most)
    return found.reshape(shape)


def _sum_at_most(counts: Sequence[int], chances: Sequence[np.ndarray], most: int) -> np.ndarray:
    first, terms = _binomial(counts[0], chances[0])
    upto = np.cumsum(terms, axis=1)
    if len(counts) == 1:
        at = (most - first)[:, None]
        total = np.take_along_axis(upto, at.clip(0, upto.shape[1] - 1), axis=1)
        return np.where(at < 0, 0.0, total)[:, 0].clip(0, 1)
    other_first, other_terms = _binomial(counts[1], chances[1])
    at = most - other_first[:, None] - np.arange(other_terms.shape[1]) - first[:, None]
    reached = np.where(at < 0, 0.0, np.take_along_axis(upto, at.clip(0, upto.shape[1] - 1), axis=1))
    return (other_terms * reached).sum(axis=1).clip(0, 1)


def _binomial(m: int, s: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return binomial probabilities of m trials for each chance of success, and the number that the first belongs to.

    Each follows from its neighbour by their ratio, from the mode outwards, and the sum is made 1: no factorial of a
    large number, so all are right to a few hundred roundings.
    """
    half = min(m, int(np.ceil(_reach(m * s * (1 - s)).max())) + 1)
    mode = np.minimum(np.floor((m + 1) * s), m)
    away = np.arange(1, half + 1)
    with np.errstate(divide="ignore", under="ignore"):
        odds, against = np.where(s < 1, s / (1 - s), 0.0)[:, None], np.where(s > 0, (1 - s) / s, 0.0)[:, None]
    up = np.maximum(m - mode[:, None] - away + 1, 0) / (mode[:, None] + away) * odds
    down = np.maximum(mode[:, None] - away + 1, 0) / (m - mode[:, None] + away) * against
    with np.errstate(under="ignore"):
        up, down = np.cumprod(up, axis=1), np.cumprod(down, axis=1)
        terms = np.concatenate([down[:, ::-1], np.ones((s.size, 1)), up], axis=1)
        terms /= terms.sum(axis=1, keepdims=True)
    return mode.astype(np.int64) - half, terms


def _reach(variance: np.ndarray) -> np.ndarray:
    """Return how far from its mean a sum of indicators lies with probability 4e-18, by Bernstein's inequality."""
    return _ODDS / 3 + np.sqrt((_ODDS / 3) ** 2 + 2 * _ODDS * variance)
