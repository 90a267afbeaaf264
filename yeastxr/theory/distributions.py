"""Distributions of one number: finitely many values, uniforms from 0, folded normals, and mixtures of each.

Methods take numbers, arrays or DataArrays and return the same type, float64; a dask-backed DataArray stays lazy.
NaN gives NaN.
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
_BATCH = 2**17  # points x components at a time: they stay in the processor's cache
_REACH = 40.0  # standard deviations beyond which nothing is left in float64
_GRID = 129  # points from which brackets of quantiles are chosen
_NARROW = 1e-3  # in standard deviations
_TINY = 5e-324


class Distribution(ABC):
    """A distribution of one number.

    A discrete one has :meth:`pmf`, a continuous one :meth:`pdf`; a mixed one, atoms and a density, has neither.

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
        """The least and the most possible value; may be infinite."""

    def cdf(self, x: Any) -> Any:
        """Return the probability of a value of at most x.

        Parameters
        ----------
        x
            Any shape.

        Returns
        -------
        float, numpy.ndarray or xarray.DataArray
            In [0, 1]; like x.
        """
        return _apply(self._cdf, x)

    def sf(self, x: Any) -> Any:
        """Return the probability of a value above x, of full relative precision in the upper tail.

        Parameters
        ----------
        x
            Any shape.

        Returns
        -------
        float, numpy.ndarray or xarray.DataArray
            In [0, 1]; like x.
        """
        return _apply(self._sf, x)

    def pdf(self, x: Any) -> Any:
        """Return the density at x.

        Parameters
        ----------
        x
            Any shape.

        Returns
        -------
        float, numpy.ndarray or xarray.DataArray
            At least 0, per unit of x; like x.

        Raises
        ------
        InputError
            If there is no density, because single values have probabilities.
        """
        if self.kind != "continuous":
            self._refuse("density (pdf)")
        return _apply(self._pdf, x)

    def pmf(self, x: Any) -> Any:
        """Return the probability of the value x itself.

        Parameters
        ----------
        x
            Any shape.

        Returns
        -------
        float, numpy.ndarray or xarray.DataArray
            In [0, 1]; like x.

        Raises
        ------
        InputError
            If there is none, because values have a density.
        """
        if self.kind != "discrete":
            self._refuse("probability of single values (pmf)")
        return _apply(self._pmf, x)

    def quantile(self, q: Any) -> Any:
        """Return the smallest value that a share q of the distribution does not exceed.

        Parameters
        ----------
        q
            In [0, 1], any shape; elsewhere the result is NaN.

        Returns
        -------
        float, numpy.ndarray or xarray.DataArray
            Within the support; like q.
        """
        return _apply(self._quantile_or_nan, q)

    def _quantile_or_nan(self, q: np.ndarray) -> np.ndarray:
        valid = (q >= 0) & (q <= 1)
        return np.where(valid, self._quantile(np.where(valid, q, 0.5)), np.nan)

    def _refuse(self, function: str) -> NoReturn:
        advice = {"discrete": "expected pmf", "continuous": "expected pdf", "mixed": "expected cdf, as it has atoms"}
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
        Shape (n,), float64, in rising order, all different.
    probabilities
        Shape (n,), float64, above 0, sum 1.

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
        """Make one of values in any order: merge equal ones, drop those of weight 0, scale weights to sum to 1.

        Parameters
        ----------
        values, weights
            Shape (n,); weights at least 0, not all of them 0.
        """
        values, weights = np.asarray(values, np.float64), np.asarray(weights, np.float64)
        distinct, positions = np.unique(values[weights > 0], return_inverse=True)
        merged = np.bincount(positions, weights[weights > 0])
        return cls(distinct, merged / merged.sum())

    def __post_init__(self) -> None:
        upto, above = np.cumsum(self.probabilities), np.cumsum(self.probabilities[::-1])[::-1]
        upto[-1] = above[0] = 1.0  # exactly, not up to rounding
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
        """The least and the most value."""
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
        Shape (n,), float64, at least 0: the upper ends; an end of 0 is the value 0 itself.
    weights
        Shape (n,), float64, at least 0, sum 1.

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
        """Make one of upper ends in any order: merge equal ones, drop those of weight 0.

        Parameters
        ----------
        ends, weights
            Shape (n,), both at least 0; weights not all 0, they are scaled to sum to 1.
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
    """Apply a function of float64 arrays to a number, an array or a DataArray; NaN stays NaN."""

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
    """The components of the two mixtures of normals, merged where they are equal."""

    weights: np.ndarray
    means: np.ndarray
    stds: np.ndarray

    def __post_init__(self) -> None:
        weights, means, stds = np.broadcast_arrays(*(np.atleast_1d(a) for a in (self.weights, self.means, self.stds)))
        kept = weights > 0
        # Folding drops the sign of the mean.
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
        Shape (n,), at least 0, not all 0; they are scaled to sum to 1.
    means
        Shape (n,); their signs are dropped.
    stds
        Shape (n,), at least 0; a component of 0 is the value ``|mean|`` itself.

    Examples
    --------
    >>> folded = FoldedNormals([0.9, 0.1], [0.0, 3.0], [1.0, 1.0])
    >>> round(folded.mean, 4), round(folded.std, 4), round(folded.sf(3.0), 4), round(folded.quantile(0.9), 4)
    (1.0182, 0.9292, 0.0524, 2.2425)
    """

    @cached_property
    def atoms(self) -> Lattice | None:
        """The distribution of the components without noise; None where there are none."""
        exact = self.stds == 0
        return Lattice.of(self.means[exact], self.weights[exact]) if exact.any() else None

    @cached_property
    def atoms_weight(self) -> float:
        """The total probability of the atoms."""
        return float(self.weights[self.stds == 0].sum())

    @cached_property
    def smooth(self) -> "FoldedNormals | None":
        """The distribution of the components with noise; None where there are none."""
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
        # Within and between components: only the first can cancel.
        within = np.maximum(self.means**2 + self.stds**2 - means**2, 0)
        return float(np.sqrt(self.weights @ (within + (means - self.weights @ means) ** 2)))

    @property
    def support(self) -> tuple[float, float]:
        """The least and the most value, which are 0 and infinity, or the least and the most atom."""
        return (0.0, np.inf) if self.atoms is None or self.smooth else self.atoms.support

    def density(self, x: np.ndarray) -> np.ndarray:
        """Return the density at values of at least 0, without atoms; float64, like x."""
        return self._sum(_compute_density, x)

    def atom(self, x: np.ndarray) -> np.ndarray:
        """Return the probability of the value x itself, which is above 0 only at atoms; float64, like x."""
        return self.atoms_weight * self.atoms._pmf(x) if self.atoms else np.zeros(x.shape)

    def upper_quantile(self, p: np.ndarray) -> np.ndarray:
        """Return the smallest values that are exceeded with probability at most p, precise for the smallest p."""
        return np.where(p > 0, self._solve(np.maximum(p, _TINY), self._sf, -1), self.support[1])

    def _sum(self, function: Callable[..., np.ndarray], x: np.ndarray) -> np.ndarray:
        """Add up a function of (x, mean, std) over the components with noise, batch by batch."""
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
        lower = q <= 0.5  # the smaller tail is the more precise one
        values = np.where(lower, self._solve(np.clip(q, _TINY, 0.5), self._cdf, 1), self.upper_quantile(1 - q))
        return np.where(q <= 0, self.support[0], values)

    def _solve(self, goal: np.ndarray, tail: Callable[[np.ndarray], np.ndarray], direction: int) -> np.ndarray:
        """Find the smallest values at which a tail reaches a goal, rising (direction 1) or falling (-1).

        Atoms are ends of brackets, so where the tail jumps over the goal the result is the atom itself.
        """
        from scipy.optimize.elementwise import find_root

        def compute_excess(x: np.ndarray, log_goal: np.ndarray) -> np.ndarray:
            return direction * (np.log(np.maximum(tail(x), _TINY)) - log_goal)

        goals = goal.reshape(-1)
        grid = np.linspace(0, float(np.max(self.means + _REACH * self.stds)), _GRID)
        grid = np.union1d(grid, self.atoms.values) if self.atoms else grid
        # The first grid point that is large enough; rounding may leave the last one just too small.
        first = np.searchsorted(direction * tail(grid), direction * goals).clip(max=grid.size - 1)
        values = grid[first]
        inner = np.flatnonzero(first > 0)
        if inner.size:
            bracket = grid[first[inner] - 1], grid[first[inner]]
            root = find_root(compute_excess, bracket, args=(np.log(goals[inner]),))
            values[inner] = np.where(root.f_x >= 0, root.x, root.bracket[1])
        return values.reshape(goal.shape)


class SignedFoldedNormals(_Components):
    """A mixture of ``sign * |normal(mean, std)|``, the sign +1 with a chance for each component, by default 1/2.

    With equal chances it is symmetric about 0, and the density is
    ``(phi((y - mean) / std) + phi((y + mean) / std)) / (2 std)``, summed over components.

    Parameters
    ----------
    weights
        Shape (n,), at least 0, not all 0; they are scaled to sum to 1.
    means
        Shape (n,); their signs are dropped.
    stds
        Shape (n,), at least 0; a component of 0 is the two values ``+-|mean|``.
    positive
        In [0, 1]: the chance of the sign +1; a number, or shape (n,).

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
    """The chance of a negative and of a positive sign, each with the distribution of the absolute value."""

    def magnitude(self) -> FoldedNormals:
        """Return the distribution of the absolute value."""
        return self._magnitude

    @cached_property
    def _magnitude(self) -> FoldedNormals:
        return FoldedNormals(self.weights, self.means, self.stds)

    @property
    def mean(self) -> float:
        """The mean, which is 0 where signs have equal chances."""
        (below, negative), (above, positive) = self.sides
        return 0.0 if below == above and negative is positive else above * positive.mean - below * negative.mean

    @property
    def std(self) -> float:
        """The standard deviation, ``sqrt(mean^2 + std^2)`` of one component whose signs have equal chances."""
        return float(np.sqrt(self.weights @ (self.means**2 + self.stds**2) - self.mean**2))

    @property
    def support(self) -> tuple[float, float]:
        """The least and the most value, which are 0 or infinite, or the outermost atoms."""
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
        """Return P(y > x) where x is at least 0, and P(y <= x) where it is below."""
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
    if narrow.any():  # the difference would cancel; two terms of its series are enough
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
