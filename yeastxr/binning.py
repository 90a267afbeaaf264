"""Axes that values are counted on: edges of bins, what the kernels need of them, and the coordinates that tell them.

A bin is closed on the left, the last one on both sides, as in :func:`numpy.histogram`. A kernel multiplies to find a
bin, and compares with its edge to be exact.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from yeastxr.arguments import InputError, check_integer, check_number, check_sequence, shown
from yeastxr.schema import check_feature

LABEL, BIN, X_BIN, Y_BIN = "label", "bin", "x_bin", "y_bin"
BINS = 60
MOST_BINS, MOST_BINS_2D = 10_000, 1_000

_NEAT = (1.0, 1.2, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0)


@dataclass(frozen=True, eq=False)
class Axis:
    """Bins between two limits.

    Parameters
    ----------
    edges
        float64, shape (bins + 1,), increasing.
    root
        Whether bins are of equal width in the square root of the distance from the lower limit, or of equal width.
    """

    edges: np.ndarray
    root: bool = False

    @property
    def bins(self) -> int:
        """How many bins there are."""
        return len(self.edges) - 1

    def coords(self, dim: str, prefix: str, feature: str, of: str = "") -> dict[str, Any]:
        """Return the centres, left and right edges of the bins as coordinates; ``of`` makes the long name of a size."""
        attrs = {name: check_feature(feature).attrs[name] for name in ("long_name", "units")}
        if of:
            attrs["long_name"] = of
        return {
            dim: (dim, (self.edges[:-1] + self.edges[1:]) / 2, attrs),
            f"{prefix}left": (dim, self.edges[:-1], attrs),
            f"{prefix}right": (dim, self.edges[1:], attrs),
        }


def axis(name: str, limits: object, bins: int, *, root: bool = False) -> Axis:
    """Return the bins between two limits, or refuse the limits.

    Examples
    --------
    >>> axis("limits", (0, 2), 4).edges.tolist(), axis("limits", (0, 2), 4, root=True).edges.tolist()
    ([0.0, 0.5, 1.0, 1.5, 2.0], [0.0, 0.125, 0.5, 1.125, 2.0])
    """
    ends = check_sequence(name, limits, "two numbers (lower, upper)")
    if len(ends) != 2:
        raise InputError(f"{name} is {shown(limits)}; expected two numbers (lower, upper)")
    lower, upper = (check_number(name, end) for end in ends)
    edges = np.array([lower, upper])
    if lower < upper and np.isfinite(upper - lower):
        edges = np.linspace(lower, upper, bins + 1)
        if root:
            edges[1:-1] = lower + (upper - lower) * (np.arange(1, bins) / bins) ** 2
    if not np.isfinite(upper - lower) or (np.diff(edges) <= 0).any():
        raise InputError(f"{name} is {shown(limits)}; expected lower < upper, far enough apart for {bins} bins")
    return Axis(edges, root)


def check_bins(name: str, bins: object, most: int = MOST_BINS) -> int:
    """Return a number of bins, or refuse it."""
    return check_integer(name, bins, least=1, most=most)


def neat(most: float) -> float:
    """Round a limit up to a number that is easy on the eye; 1 if it is 0.

    Examples
    --------
    >>> neat(78.947), neat(19.0), neat(0.0)
    (80.0, 20.0, 1.0)
    """
    if most <= 0:
        return 1.0
    power = float(10.0 ** np.floor(np.log10(most)))
    return next((step * power for step in _NEAT if step * power >= most), most)


def packed(axes: Sequence[Axis]) -> tuple[np.ndarray, ...]:
    """Return what kernels need of axes: per axis where slots begin, and how to find one that is at most too high.

    Slot 0 is below the limits, slots 1 to n are bins, slot n + 1 is above.
    """
    guards = np.full((len(axes), max(one.bins for one in axes) + 2), np.inf)
    numbers = np.empty((4, len(axes)))
    for j, one in enumerate(axes):
        n, lower, upper = one.bins, one.edges[0], one.edges[-1]
        guards[j, : n + 2] = [-np.inf, *one.edges[:-1], np.nextafter(upper, np.inf)]
        rounding = 8 * np.finfo(float).eps * max(abs(lower), abs(upper)) / (upper - lower)
        doubt = n * (np.sqrt(rounding) if one.root else rounding) + 1e-9  # in bins: never too low
        numbers[:, j] = lower, (n**2 if one.root else n) / (upper - lower), 1 + doubt, n + 1
    return *numbers, np.array([one.root for one in axes]), guards
