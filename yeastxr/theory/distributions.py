"""Distributions of a number: finitely many values, uniforms from 0, folded normals, and mixtures of each.

Methods accept numbers, arrays or DataArrays and return the same type, float64; dask-backed DataArrays stay lazy. NaN
propagates.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, NoReturn

import numpy as np
import xarray as xr

from yeastxr.errors import InputError

Kind = Literal["discrete", "continuous", "mixed"]
_BATCH = 2**17  # points x components at a time, which fit into the cache
_REACH = 40.0  # standard deviations beyond which tails are 0 in float64
_GRID = 129  # grid points for brackets of quantiles
_NARROW = 1e-3  # in standard deviations
_TINY = 5e-324


class Distribution(ABC):
    """A distribution of one number.

    Discrete distributions have :meth:`pmf`, and continuous ones :meth:`pdf`. Mixed distributions, with atoms and a
    density, have neither.

    Examples
    --------
    >>> import yeastxr as yx
    >>> spec = yx.SimulationSpec(genes=1000, bound=[0.1], seed=42)
    >>> pvalue = yx.theory.distribution(spec, "binding_pvalue")
    >>> pvalue.kind, pvalue.support
    ('continuous', (0.0, 1.0))
    """

    @property
    @abstractmethod
    def kind(self) -> Kind:
        """Discrete, continuous or mixed."""

    @property
    @abstractmethod
    def mean(self) -> float:
        """The mean."""

    @property
    @abstractmethod
    def std(self) -> float:
        """The standard deviation."""

    @property
    @abstractmethod
    def support(self) -> tuple[float, float]:
        """The smallest and the largest possible value; may be infinite."""

    def cdf(self, x: Any) -> Any:
        """Return the probability of a value of at most x.

        Parameters
        ----------
        x
            Values of any shape.

        Returns
        -------
        float, numpy.ndarray or xarray.DataArray
            Values in [0, 1], of the type of x.
        """
        return _apply(self._cdf, x)

    def sf(self, x: Any) -> Any:
        """Return the probability of a value above x, with full relative precision in the upper tail.

        Parameters
        ----------
        x
            Values of any shape.

        Returns
        -------
        float, numpy.ndarray or xarray.DataArray
            Values in [0, 1], of the type of x.
        """
        return _apply(self._sf, x)

    def pdf(self, x: Any) -> Any:
        """Return the density at x.

        Parameters
        ----------
        x
            Values of any shape.

        Returns
        -------
        float, numpy.ndarray or xarray.DataArray
            Values of at least 0, per unit of x, of the type of x.

        Raises
        ------
        InputError
            If there is no density, because individual values have probabilities.
        """
        if self.kind != "continuous":
            self._refuse("density (pdf)")
        return _apply(self._pdf, x)

    def pmf(self, x: Any) -> Any:
        """Return the probability of exactly the value x.

        Parameters
        ----------
        x
            Values of any shape.

        Returns
        -------
        float, numpy.ndarray or xarray.DataArray
            Values in [0, 1], of the type of x.

        Raises
        ------
        InputError
            If there are no such probabilities, because values have a density.
        """
        if self.kind != "discrete":
            self._refuse("probability of individual values (pmf)")
        return _apply(self._pmf, x)

    def quantile(self, q: Any) -> Any:
        """Return the smallest value x with a cdf of at least q.

        Parameters
        ----------
        q
            Values in [0, 1], of any shape; the result is NaN for other values.

        Returns
        -------
        float, numpy.ndarray or xarray.DataArray
            Values within the support, of the type of q.
        """
        return _apply(self._quantile_or_nan, q)

    def _quantile_or_nan(self, q: np.ndarray) -> np.ndarray:
        valid = (q >= 0) & (q <= 1)
        return np.where(valid, self._quantile(np.where(valid, q, 0.5)), np.nan)

    def _refuse(self, function: str) -> NoReturn:
        advice = {
            "discrete": "expected pmf",
            "continuous": "expected pdf",
            "mixed": "expected cdf, because there are atoms",
        }
        raise InputError(f"a {self.kind} distribution has no {function}; {advice[self.kind]}")

    @abstractmethod
    def _cdf(self, x: np.ndarray) -> np.ndarray: ...

    @abstractmethod
    def _sf(self, x: np.ndarray) -> np.ndarray: ...

    @abstractmethod
    def _quantile(self, q: np.ndarray) -> np.ndarray: ...

    def _pdf(self, x: np.ndarray) -> np.ndarray:
        raise NotImplementedError

    def _pmf(self, x: np.ndarray) -> np.ndarray:
        raise NotImplementedError


@dataclass(frozen=True, eq=False)
class Lattice(Distribution):
    """Finitely many values, each with its probability.

    Parameters
    ----------
    values
        Array of shape (n,), float64, distinct and in ascending order.
    probabilities
        Array of shape (n,), float64, above 0, with sum 1.

    Examples
    --------
    >>> fair = Lattice.of([1, 2, 2, 6], [0.25, 0.25, 0.25, 0.25])
    >>> fair.values, fair.probabilities
    (array([1., 2., 6.]), array([0.25, 0.5 , 0.25]))
    >>> fair.mean, fair.cdf(2.0), fair.quantile(0.9), fair.pmf([1.5, 6.0])
    (2.75, 0.75, 6.0, array([0.  , 0.25]))
    """

    values: np.ndarray
    probabilities: np.ndarray

    @classmethod
    def of(cls, values: Any, weights: Any) -> "Lattice":
        """Create a distribution from values in any order: merge equal ones, drop weights of 0, normalize weights.

        Parameters
        ----------
        values, weights
            Arrays of shape (n,); weights are at least 0, and not all 0.
        """
        values, weights = np.asarray(values, np.float64), np.asarray(weights, np.float64)
        distinct, positions = np.unique(values[weights > 0], return_inverse=True)
        merged = np.bincount(positions, weights[weights > 0])
        return cls(distinct, merged / merged.sum())

    def __post_init__(self) -> None:
        upto, above = np.cumsum(self.probabilities), np.cumsum(self.probabilities[::-1])[::-1]
        upto[-1] = above[0] = 1.0  # exactly, without rounding errors
        object.__setattr__(self, "_upto", np.concatenate([[0.0], np.minimum(upto, 1.0)]))
        object.__setattr__(self, "_above", np.concatenate([np.minimum(above, 1.0), [0.0]]))

    def magnitude(self) -> "Lattice":
        """Return the distribution of the absolute value."""
        return Lattice.of(np.abs(self.values), self.probabilities)

    @property
    def kind(self) -> Kind:
        """Discrete."""
        return "discrete"

    @property
    def mean(self) -> float:
        """The mean."""
        return float(self.probabilities @ self.values)

    @property
    def std(self) -> float:
        """The standard deviation."""
        return float(np.sqrt(self.probabilities @ (self.values - self.mean) ** 2))

    @property
    def support(self) -> tuple[float, float]:
        """The smallest and the largest value."""
        return float(self.values[0]), float(self.values[-1])

    def _cdf(self, x: np.ndarray) -> np.ndarray:
        return self._upto[np.searchsorted(self.values, x, side="right")]  # type: ignore[attr-defined]

    def _sf(self, x: np.ndarray) -> np.ndarray:
        return self._above[np.searchsorted(self.values, x, side="right")]  # type: ignore[attr-defined]

    def _pmf(self, x: np.ndarray) -> np.ndarray:
        slots = np.minimum(np.searchsorted(self.values, x), self.values.size - 1)
        return np.where(self.values[slots] == x, self.probabilities[slots], 0.0)

    def _quantile(self, q: np.ndarray) -> np.ndarray:
        return self.values[np.searchsorted(self._upto[1:], q)]  # type: ignore[attr-defined]


@dataclass(frozen=True, eq=False)
class UniformMixture(Distribution):
    """A mixture of uniform distributions that begin at 0; p-values follow one.

    Parameters
    ----------
    ends
        Array of shape (n,), float64, at least 0: the upper ends; an end of 0 is the value 0.
    weights
        Array of shape (n,), float64, at least 0, with sum 1.

    Examples
    --------
    >>> pvalue = UniformMixture.of([1.0, 0.2], [0.9, 0.1])
    >>> round(pvalue.mean, 3), round(pvalue.pdf(0.1), 3), round(pvalue.cdf(0.2), 3), round(pvalue.quantile(0.28), 3)
    (0.46, 1.4, 0.28, 0.2)
    """

    ends: np.ndarray
    weights: np.ndarray

    @classmethod
    def of(cls, ends: Any, weights: Any) -> "UniformMixture":
        """Create a mixture from upper ends in any order: merge equal ones, drop weights of 0.

        Parameters
        ----------
        ends, weights
            Arrays of shape (n,), at least 0; weights are not all 0, and are normalized.
        """
        lattice = Lattice.of(ends, weights)
        return cls(lattice.values, lattice.probabilities)

    @property
    def kind(self) -> Kind:
        """Continuous, unless the value 0 has a probability."""
        atoms = self.ends == 0
        return "discrete" if atoms.all() else "mixed" if atoms.any() else "continuous"

    @property
    def mean(self) -> float:
        """The mean."""
        return float(self.weights @ self.ends / 2)

    @property
    def std(self) -> float:
        """The standard deviation."""
        return float(np.sqrt(self.weights @ self.ends**2 / 3 - self.mean**2))

    @property
    def support(self) -> tuple[float, float]:
        """0 and the largest end."""
        return 0.0, float(self.ends.max())

    def _cdf(self, x: np.ndarray) -> np.ndarray:
        total = np.zeros(x.shape)
        for end, weight in zip(self.ends, self.weights, strict=True):
            total += weight * (np.clip(x / end, 0, 1) if end else x >= 0)
        return np.minimum(total, 1.0)

    def _sf(self, x: np.ndarray) -> np.ndarray:
        total = np.zeros(x.shape)
        for end, weight in zip(self.ends, self.weights, strict=True):
            total += weight * (np.clip((end - x) / end, 0, 1) if end else x < 0)
        return np.minimum(total, 1.0)

    def _pdf(self, x: np.ndarray) -> np.ndarray:
        total = np.zeros(x.shape)
        for end, weight in zip(self.ends, self.weights, strict=True):
            total += weight / end * ((x >= 0) & (x <= end))
        return total

    def _pmf(self, x: np.ndarray) -> np.ndarray:
        return (x == 0).astype(np.float64)

    def _quantile(self, q: np.ndarray) -> np.ndarray:
        knots = np.union1d(0.0, self.ends)
        probabilities = self._cdf(knots)
        probabilities[-1] = 1.0
        return np.interp(q, probabilities, knots)  # the cdf is piecewise linear


def _apply(function: Callable[[np.ndarray], np.ndarray], x: Any) -> Any:
    """Apply a function of float64 arrays to a number, an array or a DataArray; NaN propagates."""

    def evaluate(x: Any) -> Any:
        x = np.asarray(x, np.float64)
        known = ~np.isnan(x)
        if not known.all():
            return np.where(known, function(np.where(known, x, 0.5)), np.nan)[()]
        return np.asarray(function(x))[()]

    if isinstance(x, xr.DataArray):
        return xr.apply_ufunc(evaluate, x, dask="parallelized", output_dtypes=[np.float64])
    values = evaluate(x)
    return float(values) if np.ndim(values) == 0 else values


def folded_normal_mean(mean: Any, std: Any) -> Any:
    """Return the mean of ``|normal(mean, std)|``.

    ``std sqrt(2 / pi) exp(-mean^2 / (2 std^2)) + mean erf(mean / (std sqrt 2))`` (Leone, Nelson and Nottingham 1961).

    Parameters
    ----------
    mean
        A number or an array.
    std
        A number or an array of at least 0, of the shape of the mean.

    Returns
    -------
    float or numpy.ndarray
        Values of the type of the mean.

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
    """The components of the two mixtures of normals, with equal ones merged."""

    weights: np.ndarray
    means: np.ndarray
    stds: np.ndarray

    def __post_init__(self) -> None:
        weights, means, stds = np.broadcast_arrays(*(np.atleast_1d(a) for a in (self.weights, self.means, self.stds)))
        kept = weights > 0
        # Folding removes the sign of the mean.
        components = np.stack([np.abs(means[kept]), stds[kept]]).astype(np.float64)
        (means, stds), positions = np.unique(components, axis=1, return_inverse=True)
        weights = np.bincount(positions.reshape(-1), weights[kept])
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
        Array of shape (n,), at least 0 and not all 0; weights are normalized.
    means
        Array of shape (n,); signs are ignored.
    stds
        Array of shape (n,), at least 0; a component with 0 is the value ``|mean|``.

    Examples
    --------
    >>> folded = FoldedNormals([0.9, 0.1], [0.0, 3.0], [1.0, 1.0])
    >>> round(folded.mean, 4), round(folded.std, 4), round(folded.sf(3.0), 4), round(folded.quantile(0.9), 4)
    (1.0182, 0.9292, 0.0524, 2.2425)
    """

    @cached_property
    def atoms(self) -> Lattice | None:
        """The distribution of the components without noise; None if there are none."""
        exact = self.stds == 0
        return Lattice.of(self.means[exact], self.weights[exact]) if exact.any() else None

    @cached_property
    def atoms_weight(self) -> float:
        """The total probability of the atoms."""
        return float(self.weights[self.stds == 0].sum())

    @cached_property
    def smooth(self) -> "FoldedNormals | None":
        """The distribution of the components with noise; None if there are none."""
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
        # Within and between components; only the first can suffer from cancellation.
        within = np.maximum(self.means**2 + self.stds**2 - means**2, 0)
        return float(np.sqrt(self.weights @ (within + (means - self.weights @ means) ** 2)))

    @property
    def support(self) -> tuple[float, float]:
        """The smallest and the largest value, which are 0 and infinity, or the outermost atoms."""
        return (0.0, np.inf) if self.atoms is None or self.smooth else self.atoms.support

    def density(self, x: np.ndarray) -> np.ndarray:
        """Return the density at values of at least 0, without atoms; float64, like x."""
        return self._sum(_compute_density, x)

    def atom(self, x: np.ndarray) -> np.ndarray:
        """Return the probability of exactly the value x, which is above 0 only at atoms; float64, like x."""
        return self.atoms_weight * self.atoms._pmf(x) if self.atoms else np.zeros(x.shape)

    def upper_quantile(self, p: np.ndarray) -> np.ndarray:
        """Return the smallest values that are exceeded with probability at most p, precise for very small p."""
        return np.where(p > 0, self._solve(np.maximum(p, _TINY), self._sf, -1), self.support[1])

    def _sum(self, function: Callable[..., np.ndarray], x: np.ndarray) -> np.ndarray:
        """Sum a function of (x, mean, std) over the components with noise, in batches."""
        noisy = self.stds > 0
        weights, means, stds = self.weights[noisy], self.means[noisy], self.stds[noisy]
        flat, total = x.reshape(-1), np.zeros(x.size)
        step = max(1, _BATCH // max(1, weights.size))
        for first in range(0, flat.size if weights.size else 0, step):
            batch = slice(first, first + step)
            total[batch] = function(flat[batch, None], means, stds) @ weights
        return total.reshape(x.shape)

    def _cdf(self, x: np.ndarray) -> np.ndarray:
        atoms = self.atoms_weight * self.atoms._cdf(x) if self.atoms else 0.0
        return np.minimum(self._sum(_compute_cdf, x) + atoms, 1.0)

    def _sf(self, x: np.ndarray) -> np.ndarray:
        atoms = self.atoms_weight * self.atoms._sf(x) if self.atoms else 0.0
        return np.minimum(self._sum(_compute_sf, x) + atoms, 1.0)

    def _pdf(self, x: np.ndarray) -> np.ndarray:
        return np.where(x >= 0, self.density(np.abs(x)), 0.0)

    def _pmf(self, x: np.ndarray) -> np.ndarray:
        return self.atom(x)

    def _quantile(self, q: np.ndarray) -> np.ndarray:
        lower = q <= 0.5  # the smaller tail is more precise
        values = np.where(lower, self._solve(np.clip(q, _TINY, 0.5), self._cdf, 1), self.upper_quantile(1 - q))
        return np.where(q <= 0, self.support[0], values)

    def _solve(self, goal: np.ndarray, tail: Callable[[np.ndarray], np.ndarray], direction: int) -> np.ndarray:
        """Find the smallest values at which a tail reaches a goal, increasing (direction 1) or decreasing (-1).

        Atoms are ends of brackets, so if the tail jumps over the goal, the result is exactly the atom.
        """
        from scipy.optimize.elementwise import find_root

        def compute_excess(x: np.ndarray, log_goal: np.ndarray) -> np.ndarray:
            return direction * (np.log(np.maximum(tail(x), _TINY)) - log_goal)

        goals = goal.reshape(-1)
        grid = np.linspace(0, float(np.max(self.means + _REACH * self.stds)), _GRID)
        grid = np.union1d(grid, self.atoms.values) if self.atoms else grid
        # The first grid point that is large enough; the last one may be too small by rounding.
        first = np.searchsorted(direction * tail(grid), direction * goals).clip(max=grid.size - 1)
        values = grid[first]
        inner = np.flatnonzero(first > 0)
        if inner.size:
            bracket = grid[first[inner] - 1], grid[first[inner]]
            root = find_root(compute_excess, bracket, args=(np.log(goals[inner]),))
            values[inner] = np.where(root.f_x >= 0, root.x, root.bracket[1])
        return values.reshape(goal.shape)


class SignedFoldedNormals(_Components):
    """A mixture of ``sign * |normal(mean, std)|``, with a probability of the sign +1 for each component (default: 1/2).

    With equal probabilities, it is symmetric about 0, and the density is ``(phi((y - mean) / std) + phi((y + mean) /
    std)) / (2 std)``, summed over components.

    Parameters
    ----------
    weights
        Array of shape (n,), at least 0 and not all 0; weights are normalized.
    means
        Array of shape (n,); signs are ignored.
    stds
        Array of shape (n,), at least 0; a component with 0 is the two values ``+-|mean|``.
    positive
        The probability of the sign +1, in [0, 1]; a number, or an array of shape (n,).

    Examples
    --------
    >>> effect = SignedFoldedNormals([0.9, 0.1], [0.0, 3.0], [1.0, 1.0])
    >>> round(effect.std, 4), round(effect.pdf(0.0), 4), round(effect.cdf(-3.0), 4), round(effect.quantile(0.95), 4)
    (1.3784, 0.3595, 0.0262, 2.2425)
    >>> mostly = SignedFoldedNormals([0.9, 0.1], [0.0, 3.0], [1.0, 1.0], positive=0.9)
    >>> round(mostly.mean, 4), round(mostly.cdf(-3.0), 4), round(mostly.quantile(0.05), 4)
    (0.8145, 0.0052, -0.7624)
    """

    def __init__(self, weights: Any, means: Any, stds: Any, positive: Any = 0.5) -> None:
        super().__init__(weights, means, stds)
        weights, means, stds, positive = np.broadcast_arrays(
            *(np.atleast_1d(np.asarray(a, np.float64)) for a in (weights, means, stds, positive))
        )
        sides = []
        for chance in (1 - positive, positive):
            total = float((weights * chance).sum() / weights.sum())
            is_magnitude = not total or bool((chance == chance[0]).all())
            side = self._magnitude if is_magnitude else FoldedNormals(weights * chance, means, stds)
            sides.append((float(chance[0]) if bool((chance == chance[0]).all()) else total, side))
        object.__setattr__(self, "sides", tuple(sides))

    sides: tuple[tuple[float, FoldedNormals], ...]
    """The probabilities of a negative and a positive sign, each with the distribution of the absolute value."""

    def magnitude(self) -> FoldedNormals:
        """Return the distribution of the absolute value."""
        return self._magnitude

    @cached_property
    def _magnitude(self) -> FoldedNormals:
        return FoldedNormals(self.weights, self.means, self.stds)

    @property
    def mean(self) -> float:
        """The mean, which is 0 if both signs are equally likely."""
        (below, negative), (above, positive) = self.sides
        return 0.0 if below == above and negative is positive else above * positive.mean - below * negative.mean

    @property
    def std(self) -> float:
        """The standard deviation; ``sqrt(mean^2 + std^2)`` for one component with equally likely signs."""
        return float(np.sqrt(self.weights @ (self.means**2 + self.stds**2) - self.mean**2))

    @property
    def support(self) -> tuple[float, float]:
        """The smallest and the largest value, which are 0 or infinite, or the outermost atoms."""
        (below, negative), (above, positive) = self.sides
        return (
            -negative.support[1] if below else positive.support[0],
            positive.support[1] if above else -negative.support[0],
        )

    def _cdf(self, x: np.ndarray) -> np.ndarray:
        return np.where(x < 0, self._tail(x), 1 - self._tail(x))

    def _sf(self, x: np.ndarray) -> np.ndarray:
        return np.where(x < 0, 1 - self._tail(x), self._tail(x))

    def _tail(self, x: np.ndarray) -> np.ndarray:
        """Return P(y > x) for x of at least 0, and P(y <= x) for negative x."""
        size = np.abs(x)
        (below, negative), (above, positive) = self.sides
        return np.where(x < 0, below * (negative._sf(size) + negative.atom(size)), above * positive._sf(size))

    def _pdf(self, x: np.ndarray) -> np.ndarray:
        (below, negative), (above, positive) = self.sides
        size = np.abs(x)
        return np.where(x < 0, below * negative.density(size), above * positive.density(size))

    def _pmf(self, x: np.ndarray) -> np.ndarray:
        (below, negative), (above, positive) = self.sides
        size = np.abs(x)
        return (x <= 0) * below * negative.atom(size) + (x >= 0) * above * positive.atom(size)

    def _quantile(self, q: np.ndarray) -> np.ndarray:
        (below, negative), (above, positive) = self.sides
        lower = (q <= below) & (below > 0)
        if negative is positive and below == above:
            magnitude = negative.upper_quantile(np.where(lower, q, 1 - q) / below)
            return np.where(lower, 0 - magnitude, magnitude)
        of_negative = negative.upper_quantile(np.minimum(q / below, 1)) if below else np.zeros(q.shape)
        of_positive = positive.upper_quantile(np.minimum((1 - q) / above, 1)) if above else np.zeros(q.shape)
        return np.where(lower, 0 - of_negative, of_positive)


def _compute_cdf(x: np.ndarray, mean: np.ndarray, std: np.ndarray) -> np.ndarray:
    """Return P(|normal| <= x), means at least 0."""
    from scipy.special import ndtr

    center, width = mean / std, x / std
    probability = np.where(x > 0, ndtr(width - center) - ndtr(-width - center), 0.0)
    narrow = (x > 0) & (width * (1 + center) < _NARROW)
    if narrow.any():  # the difference would suffer from cancellation; two terms of its series are sufficient
        series = 2 * width * _phi(center) * (1 + width**2 * (center**2 - 1) / 6)
        probability = np.where(narrow, series, probability)
    return probability


def _compute_sf(x: np.ndarray, mean: np.ndarray, std: np.ndarray) -> np.ndarray:
    """Return P(|normal| > x), means at least 0."""
    from scipy.special import ndtr

    return np.where(x >= 0, ndtr((mean - x) / std) + ndtr(-(mean + x) / std), 1.0)


def _compute_density(x: np.ndarray, mean: np.ndarray, std: np.ndarray) -> np.ndarray:
    """Return the density of |normal| at x of at least 0."""
    return (_phi((x - mean) / std) + _phi((x + mean) / std)) / std


def _phi(z: np.ndarray) -> np.ndarray:
    return np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)
