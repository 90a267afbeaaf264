"""Distributions of one number: what they share, finitely many values, and mixtures of uniforms from 0.

Functions take numbers, arrays or DataArrays and give the same kind back, float64; a dask-backed DataArray stays lazy.
NaN gives NaN. Signed and folded normals are in :mod:`yeastxr.foldednormals`.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, NoReturn

import numpy as np
import xarray as xr

from yeastxr.arguments import InputError

Kind = Literal["discrete", "continuous", "mixed"]


class Distribution(ABC):
    """A distribution of one number.

    A discrete one has :meth:`pmf`, a continuous one :meth:`pdf`; a mixed one, part atoms and part density, has neither.

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
        return _elementwise(self._cdf, x)

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
        return _elementwise(self._sf, x)

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
            If there is no density, as single values have probabilities of their own.
        """
        if self.kind != "continuous":
            self._lacks("density (pdf)")
        return _elementwise(self._pdf, x)

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
            If there is none, as values have a density.
        """
        if self.kind != "discrete":
            self._lacks("probability of single values (pmf)")
        return _elementwise(self._pmf, x)

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
        return _elementwise(self._checked_quantile, q)

    def _checked_quantile(self, q: np.ndarray) -> np.ndarray:
        valid = (q >= 0) & (q <= 1)
        return np.where(valid, self._quantile(np.where(valid, q, 0.5)), np.nan)

    def _lacks(self, what: str) -> NoReturn:
        has = {"discrete": "expected pmf", "continuous": "expected pdf", "mixed": "expected cdf, as it is part atoms"}
        raise InputError(f"a {self.kind} distribution has no {what}; {has[self.kind]}")

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
        """Make one of values in any order: equal ones are merged, those of weight 0 dropped, weights made to sum to 1.

        Parameters
        ----------
        values, weights
            Shape (n,); weights at least 0, not all of them 0.
        """
        values, weights = np.asarray(values, np.float64), np.asarray(weights, np.float64)
        distinct, where = np.unique(values[weights > 0], return_inverse=True)
        merged = np.bincount(where, weights[weights > 0])
        return cls(distinct, merged / merged.sum())

    def __post_init__(self) -> None:
        upto, above = np.cumsum(self.probabilities), np.cumsum(self.probabilities[::-1])[::-1]
        upto[-1] = above[0] = 1.0  # as it is but for rounding
        object.__setattr__(self, "_upto", np.concatenate([[0.0], np.minimum(upto, 1.0)]))
        object.__setattr__(self, "_above", np.concatenate([np.minimum(above, 1.0), [0.0]]))

    def size(self) -> "Lattice":
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
        at = np.minimum(np.searchsorted(self.values, x), self.values.size - 1)
        return np.where(self.values[at] == x, self.probabilities[at], 0.0)

    def _quantile(self, q: np.ndarray) -> np.ndarray:
        return self.values[np.searchsorted(self._upto[1:], q)]  # type: ignore[attr-defined]


@dataclass(frozen=True, eq=False)
class UniformMixture(Distribution):
    """A mixture of uniform distributions that all begin at 0: what p-values follow.

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
        """Make one of upper ends in any order: equal ones are merged, those of weight 0 dropped.

        Parameters
        ----------
        ends, weights
            Shape (n,), both at least 0; weights not all 0, they are made to sum to 1.
        """
        lattice = Lattice.of(ends, weights)
        return cls(lattice.values, lattice.probabilities)

    @property
    def kind(self) -> Kind:
        """Continuous, unless the value 0 has a probability of its own."""
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
        reached = self._cdf(knots)
        reached[-1] = 1.0
        return np.interp(q, reached, knots)  # the cdf is made of straight lines


def _elementwise(function: Callable[[np.ndarray], np.ndarray], x: Any) -> Any:
    """Apply a function of float64 arrays to a number, an array or a DataArray; NaN stays NaN."""

    def values(x: Any) -> Any:
        x = np.asarray(x, np.float64)
        known = ~np.isnan(x)
        if not known.all():
            return np.where(known, function(np.where(known, x, 0.5)), np.nan)[()]
        return np.asarray(function(x))[()]

    if isinstance(x, xr.DataArray):
        return xr.apply_ufunc(values, x, dask="parallelized", output_dtypes=[np.float64])
    found = values(x)
    return float(found) if np.ndim(found) == 0 else found
