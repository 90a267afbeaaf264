"""Mixtures of ``|normal(mean, std)|`` and of the same with a random sign: what perturbation effects follow.

Many components, such as one for each binding effect, are evaluated in pieces, so memory stays small. A standard
deviation of 0 makes a component an atom.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from yeastxr.distributions import Distribution, Kind, Lattice

_PIECE = 2**17  # points x components at a time: they stay in the cache
_REACH = 40.0  # standard deviations beyond which nothing is left in float64
_GRID = 129  # points that brackets of quantiles are first looked for among
_STEPS = 200  # more than halving a bracket to nothing takes
_NEAR = 1e-10  # relative to x: Newton's method squares the error, so a step of this size is the last one
_EPSILON = 4e-16
_NARROW = 1e-3  # in standard deviations
_TINY = 5e-324


def folded_normal_mean(mean: Any, std: Any) -> Any:
    """Return the mean of ``|normal(mean, std)|``.

    ``std sqrt(2 / pi) exp(-mean^2 / (2 std^2)) + mean erf(mean / (std sqrt 2))`` (Leone, Nelson and Nottingham 1961).

    Parameters
    ----------
    mean
        A number or an array.
    std
        At least 0; a number, or an array like the mean.

    Returns
    -------
    float or numpy.ndarray
        Like the mean.

    Examples
    --------
    >>> round(float(folded_normal_mean(0.0, 1.0)), 5), round(float(folded_normal_mean(3.0, 1.0)), 5)
    (0.79788, 3.00076)
    """
    from scipy.special import erf

    noisy = np.asarray(std) > 0
    ratio = np.asarray(mean) / np.where(noisy, std, 1)
    folded = std * np.sqrt(2 / np.pi) * np.exp(-(ratio**2) / 2) + mean * erf(ratio / np.sqrt(2))
    return np.where(noisy, folded, np.abs(mean))[()]


@dataclass(frozen=True, eq=False)
class _Components(Distribution):
    """What the two mixtures share: the components, merged where they are equal."""

    weights: np.ndarray
    means: np.ndarray
    stds: np.ndarray

    def __post_init__(self) -> None:
        weights, means, stds = np.broadcast_arrays(*(np.atleast_1d(a) for a in (self.weights, self.means, self.stds)))
        kept = weights > 0
        pairs = np.stack([np.abs(means[kept]), stds[kept]]).astype(np.float64)  # a folded normal knows no sign
        (means, stds), where = np.unique(pairs, axis=1, return_inverse=True)
        weights = np.bincount(where.reshape(-1), weights[kept])
        for name, values in {"weights": weights / weights.sum(), "means": means, "stds": stds}.items():
            object.__setattr__(self, name, values)

    @property
    def kind(self) -> Kind:
        """Continuous, unless a standard deviation is 0."""
        atoms = self.stds == 0
        return "discrete" if atoms.all() else "mixed" if atoms.any() else "continuous"


class FoldedNormals(_Components):
    """A mixture of ``|normal(mean, std)|``.

    Parameters
    ----------
    weights
        Shape (n,), at least 0, not all 0; they are made to sum to 1.
    means
        Shape (n,); their signs don't matter, and are dropped.
    stds
        Shape (n,), at least 0; a component of 0 is the value ``|mean|`` itself.

    Examples
    --------
    >>> size = FoldedNormals([0.9, 0.1], [0.0, 3.0], [1.0, 1.0])
    >>> round(size.mean, 4), round(size.std, 4), round(size.sf(3.0), 4), round(size.quantile(0.9), 4)
    (1.0182, 0.9292, 0.0524, 2.2425)
    """

    @cached_property
    def atoms(self) -> Lattice | None:
        """The distribution of those values that have probabilities of their own; None where there are none."""
        still = self.stds == 0
        return Lattice.of(self.means[still], self.weights[still]) if still.any() else None

    @cached_property
    def atoms_weight(self) -> float:
        """The probability of being at an atom."""
        return float(self.weights[self.stds == 0].sum())

    @cached_property
    def smooth(self) -> "FoldedNormals | None":
        """The distribution of what is not at an atom; None where all is."""
        noisy = self.stds > 0
        return FoldedNormals(self.weights[noisy], self.means[noisy], self.stds[noisy]) if noisy.any() else None

    @property
    def mean(self) -> float:
        """The mean; see :func:`folded_normal_mean`."""
        return float(self.weights @ folded_normal_mean(self.means, self.stds))

    @property
    def std(self) -> float:
        """The standard deviation."""
        means = folded_normal_mean(self.means, self.stds)
        # Within and between components: of the two only the first can cancel.
        within = np.maximum(self.means**2 + self.stds**2 - means**2, 0)
        return float(np.sqrt(self.weights @ (within + (means - self.weights @ means) ** 2)))

    @property
    def support(self) -> tuple[float, float]:
        """The least and the most value, which are 0 and infinity, or the least and the most atom."""
        return (0.0, np.inf) if self.atoms is None or self.smooth else self.atoms.support

    def density(self, x: np.ndarray) -> np.ndarray:
        """Return the density at values of at least 0, atoms left out; float64, like x."""
        return self._sum(_density, x)

    def atom(self, x: np.ndarray) -> np.ndarray:
        """Return the probability of the value x itself: 0 but at atoms; float64, like x."""
        return self.atoms_weight * self.atoms._pmf(x) if self.atoms else np.zeros(x.shape)

    def upper_quantile(self, p: np.ndarray) -> np.ndarray:
        """Return the smallest values that are exceeded with probability at most p, precise for the smallest p."""
        return np.where(p > 0, self._solve(np.maximum(p, _TINY), self._sf, -1), self.support[1])

    def _sum(self, function: Callable[..., np.ndarray], x: np.ndarray) -> np.ndarray:
        """Add up a function of (x, mean, std) over the noisy components, in pieces."""
        noisy = self.stds > 0
        weights, means, stds = self.weights[noisy], self.means[noisy], self.stds[noisy]
        flat, found = x.reshape(-1), np.zeros(x.size)
        step = max(1, _PIECE // max(1, weights.size))
        for first in range(0, flat.size if weights.size else 0, step):
            piece = flat[first : first + step, None]
            found[first : first + step] = function(piece, means, stds) @ weights
        return found.reshape(x.shape)

    def _cdf(self, x: np.ndarray) -> np.ndarray:
        still = self.atoms_weight * self.atoms._cdf(x) if self.atoms else 0.0
        return np.minimum(self._sum(_below, x) + still, 1.0)

    def _sf(self, x: np.ndarray) -> np.ndarray:
        still = self.atoms_weight * self.atoms._sf(x) if self.atoms else 0.0
        return np.minimum(self._sum(_above, x) + still, 1.0)

    def _pdf(self, x: np.ndarray) -> np.ndarray:
        return np.where(x >= 0, self.density(np.abs(x)), 0.0)

    def _pmf(self, x: np.ndarray) -> np.ndarray:
        return self.atom(x)

    def _quantile(self, q: np.ndarray) -> np.ndarray:
        lower = q <= 0.5  # the smaller tail is the more precise one
        found = np.where(lower, self._solve(np.clip(q, _TINY, 0.5), self._cdf, 1), self.upper_quantile(1 - q))
        return np.where(q <= 0, self.support[0], found)

    def _solve(self, goal: np.ndarray, tail: Callable[[np.ndarray], np.ndarray], rises: int) -> np.ndarray:
        """Find where a tail meets a goal: Newton's method on logarithms, in a bracket that is halved when a step fails.

        Atoms are ends of brackets from the start, so where the tail jumps over the goal the atom itself is found.
        """
        goals = goal.reshape(-1)
        grid = np.linspace(0, float(np.max(self.means + _REACH * self.stds)), _GRID)
        grid = np.union1d(grid, self.atoms.values) if self.atoms else grid
        # Index of the first grid point that is far enough; all are past it when rounding keeps the last one short.
        first = np.searchsorted(rises * tail(grid), rises * goals).clip(max=grid.size - 1)
        low, high = np.where(first > 0, grid[first - 1], -np.inf), grid[first]
        found, active = high.copy(), np.flatnonzero(first > 0)
        x = (low + high) / 2
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            for _ in range(_STEPS):
                at, reached = x[active], tail(x[active])
                enough = rises * reached >= rises * goals[active]
                high[active] = np.where(enough, at, high[active])
                low[active] = np.where(enough, low[active], at)
                step = rises * np.log(goals[active] / reached) * reached / self.density(at)
                new, left, right = at + step, low[active], high[active]
                near = np.abs(step) <= _NEAR * at
                inside = (new > left) & (new < right)
                x[active] = np.where(inside, new, (left + right) / 2)
                found[active] = np.where(near, np.clip(new, left, right), right)
                active = active[~near & (right - left > _EPSILON * right)]
                if not active.size:
                    break
        return found.reshape(goal.shape)


class SignedFoldedNormals(_Components):
    """A mixture of ``sign * |normal(mean, std)|``, the sign +1 or -1 with equal chance: symmetric about 0.

    The density is ``(phi((y - mean) / std) + phi((y + mean) / std)) / (2 std)``, summed over components.

    Parameters
    ----------
    weights
        Shape (n,), at least 0, not all 0; they are made to sum to 1.
    means
        Shape (n,); their signs don't matter, and are dropped.
    stds
        Shape (n,), at least 0; a component of 0 is the two values ``+-|mean|``.

    Examples
    --------
    >>> effect = SignedFoldedNormals([0.9, 0.1], [0.0, 3.0], [1.0, 1.0])
    >>> round(effect.std, 4), round(effect.pdf(0.0), 4), round(effect.cdf(-3.0), 4), round(effect.quantile(0.95), 4)
    (1.3784, 0.3595, 0.0262, 2.2425)
    """

    def size(self) -> FoldedNormals:
        """Return the distribution of the absolute value."""
        return self._size

    @cached_property
    def _size(self) -> FoldedNormals:
        return FoldedNormals(self.weights, self.means, self.stds)

    @property
    def mean(self) -> float:
        """The mean, which is 0."""
        return 0.0

    @property
    def std(self) -> float:
        """The standard deviation, ``sqrt(mean^2 + std^2)`` of one component."""
        return float(np.sqrt(self.weights @ (self.means**2 + self.stds**2)))

    @property
    def support(self) -> tuple[float, float]:
        """The least and the most value, which are infinite, or the outermost atoms."""
        most = self.size().support[1]
        return -most, most

    def _cdf(self, x: np.ndarray) -> np.ndarray:
        return np.where(x < 0, self._tail(x), 1 - self._tail(x))

    def _sf(self, x: np.ndarray) -> np.ndarray:
        return np.where(x < 0, 1 - self._tail(x), self._tail(x))

    def _tail(self, x: np.ndarray) -> np.ndarray:
        """Return P(y > x) where x is at least 0, and P(y <= x) where it is below."""
        sizes = self.size()
        return (sizes.sf(np.abs(x)) + np.where(x < 0, sizes.atom(np.abs(x)), 0)) / 2

    def _pdf(self, x: np.ndarray) -> np.ndarray:
        return self.size().density(np.abs(x)) / 2

    def _pmf(self, x: np.ndarray) -> np.ndarray:
        return np.where(x == 0, 1.0, 0.5) * self.size().atom(np.abs(x))

    def _quantile(self, q: np.ndarray) -> np.ndarray:
        lower = q <= 0.5
        size = self.size().upper_quantile(2 * np.where(lower, q, 1 - q))
        return np.where(lower, 0 - size, size)


def _below(x: np.ndarray, mean: np.ndarray, std: np.ndarray) -> np.ndarray:
    """Return P(|normal| <= x), means at least 0."""
    from scipy.special import ndtr

    center, width = mean / std, x / std
    found = np.where(x > 0, ndtr(width - center) - ndtr(-width - center), 0.0)
    narrow = (x > 0) & (width * (1 + center) < _NARROW)
    if narrow.any():  # here the difference would cancel; two terms of its series are enough
        series = 2 * width * _phi(center) * (1 + width**2 * (center**2 - 1) / 6)
        found = np.where(narrow, series, found)
    return found


def _above(x: np.ndarray, mean: np.ndarray, std: np.ndarray) -> np.ndarray:
    """Return P(|normal| > x), means at least 0."""
    from scipy.special import ndtr

    return np.where(x >= 0, ndtr((mean - x) / std) + ndtr(-(mean + x) / std), 1.0)


def _density(x: np.ndarray, mean: np.ndarray, std: np.ndarray) -> np.ndarray:
    """Return the density of |normal| at x of at least 0."""
    return (_phi((x - mean) / std) + _phi((x + mean) / std)) / std


def _phi(z: np.ndarray) -> np.ndarray:
    return np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)
