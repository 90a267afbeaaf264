"""The distribution of two-sided p-values of effects under the distribution of unbound pairs."""

from functools import cached_property

import numpy as np

from yeastxr.theory.distributions import Distribution, FoldedNormals, Kind, Lattice
from yeastxr.theory.pvalues import average_chance


class TailPvalues(Distribution):
    """P-values ``P(|X| >= a)`` of magnitudes ``a``, where ``|X|`` and ``a`` have different distributions.

    If both distributions are equal, p-values are uniform. The result is exact except for the rounding of p-values to
    float32, which is taken into account only for magnitudes without noise.

    Parameters
    ----------
    null
        The distribution of ``|X|``, with noise.
    magnitude
        The distribution of ``a``.

    Examples
    --------
    >>> unbound = FoldedNormals([1.0], [0.0], [1.0])
    >>> pvalue = TailPvalues(unbound, FoldedNormals([0.9, 0.1], [0.0, 3.0], [1.0, 1.0]))
    >>> round(pvalue.cdf(0.05), 4), round(pvalue.mean, 4), round(pvalue.quantile(0.5), 4)
    (0.1301, 0.4533, 0.4458)
    """

    def __init__(self, null: FoldedNormals, magnitude: FoldedNormals) -> None:
        self.null, self.magnitude = null, magnitude

    @property
    def kind(self) -> Kind:
        """Continuous, unless magnitudes without noise have probabilities."""
        return self.magnitude.kind

    @cached_property
    def _atoms(self) -> Lattice | None:
        """The distribution of the p-values of magnitudes without noise, float32 as stored."""
        atoms = self.magnitude.atoms
        if atoms is None:
            return None
        with np.errstate(under="ignore"):
            return Lattice.of(np.float32(self.null.sf(atoms.values)), atoms.probabilities)

    @cached_property
    def _moments(self) -> tuple[float, float]:
        def chance(x: np.ndarray) -> np.ndarray:
            return self.null._cdf(x)

        parts = [self.null, self.magnitude]
        complement = average_chance(chance, self.magnitude, parts)
        square = average_chance(lambda x: chance(x) ** 2, self.magnitude, parts)
        return 1 - complement, max(square - complement**2, 0.0)

    @property
    def mean(self) -> float:
        """The mean, by quadrature."""
        return self._moments[0]

    @property
    def std(self) -> float:
        """The standard deviation, by quadrature."""
        return float(np.sqrt(self._moments[1]))

    @property
    def support(self) -> tuple[float, float]:
        """0 and 1, or the smallest and the largest p-value of magnitudes without noise."""
        return (0.0, 1.0) if self._atoms is None or self.magnitude.smooth else self._atoms.support

    def _invert(self, x: np.ndarray) -> np.ndarray:
        """Return the magnitudes of p-values."""
        return self.null.upper_quantile(np.clip(x, 0, 1))

    def _add(self, of_atoms: np.ndarray | float, of_smooth: np.ndarray | float) -> np.ndarray:
        weight = self.magnitude.atoms_weight
        return np.clip(weight * of_atoms + (1 - weight) * of_smooth, 0.0, 1.0)

    def _cdf(self, x: np.ndarray) -> np.ndarray:
        smooth = self.magnitude.smooth
        inside = np.where(x >= 1, 1.0, np.where(x <= 0, 0.0, smooth._sf(self._invert(x)))) if smooth else 0.0
        return self._add(self._atoms._cdf(x) if self._atoms else 0.0, inside)

    def _sf(self, x: np.ndarray) -> np.ndarray:
        smooth = self.magnitude.smooth
        inside = np.where(x >= 1, 0.0, np.where(x <= 0, 1.0, smooth._cdf(self._invert(x)))) if smooth else 0.0
        return self._add(self._atoms._sf(x) if self._atoms else 0.0, inside)

    def _pdf(self, x: np.ndarray) -> np.ndarray:
        inside = (x > 0) & (x <= 1)
        at = self._invert(np.where(inside, x, 0.5))
        return np.where(inside, self.magnitude.density(at) / self.null.density(at), 0.0)

    def _pmf(self, x: np.ndarray) -> np.ndarray:
        assert self._atoms is not None  # a discrete distribution has no other values
        return self._atoms._pmf(x)

    def _quantile(self, q: np.ndarray) -> np.ndarray:
        if self._atoms is None:
            return self.null.sf(self.magnitude.upper_quantile(q))
        if self.magnitude.smooth is None:
            return self._atoms._quantile(q)
        low, high = np.zeros(q.shape), np.ones(q.shape)
        for _ in range(60):  # bisection, because the cdf jumps at atoms
            middle = (low + high) / 2
            reached = self._cdf(middle) >= q
            low, high = np.where(reached, low, middle), np.where(reached, middle, high)
        return np.where(q <= 0, self.support[0], high)
