"""Selections: a part of a plot, and the pairs of a table that lie in it."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np
import pandas as pd

from yeastxr.errors import InputError, format_value, suggest

LEAST_PVALUE = float(np.finfo(np.float32).tiny)


class Axis(NamedTuple):
    """A quantity of a plot's axis: its values for a table of pairs, and the Python code of them."""

    compute: Callable[[pd.DataFrame], pd.Series]
    code: str


def _make_column(name: str) -> Axis:
    return Axis(lambda pairs: pairs[name], f"pairs.{name}")


_BINDING, _EFFECT = _make_column("binding_effect"), _make_column("perturbation_effect")
_MAGNITUDE = Axis(lambda pairs: pairs["perturbation_effect"].abs(), "pairs.perturbation_effect.abs()")


def _make_height(name: str) -> Axis:
    """Return -log10 of p-values, as volcano plots have it."""
    return Axis(
        lambda pairs: -np.log10(pairs[name].clip(lower=LEAST_PVALUE)),
        f"-np.log10(pairs.{name}.clip(lower=np.finfo(np.float32).tiny))",
    )


PLANES: Mapping[str, tuple[Axis, ...]] = {
    "effects": (_BINDING, _MAGNITUDE),
    "binding": (_BINDING, _make_height("binding_pvalue")),
    "perturbation": (_EFFECT, _make_height("perturbation_pvalue")),
    "binding_effect": (_BINDING,),
    "perturbation_effect": (_EFFECT,),
    "binding_pair": tuple(_make_column(f"binding_effect_{tf}") for tf in ("first", "second")),
    "perturbation_pair": tuple(_make_column(f"perturbation_effect_{tf}") for tf in ("first", "second")),
}
"""The axes of the plots in which pairs can be selected, by name; histograms have one."""


@dataclass(frozen=True)
class Box:
    """The part of a plot between two ends of each axis, both included.

    Parameters
    ----------
    plane
        Which plot: a name in :data:`PLANES`.
    ends
        The lower and the upper end along x, and along y if the plot has two axes.
    """

    plane: str
    ends: tuple[float, ...]

    @classmethod
    def make(cls, plane: str, x0: float, x1: float, y0: float, y1: float) -> Self:
        """Return a box from the corners of a rectangle, to four digits, as the URL has it."""
        ends = [*sorted((x0, x1)), *sorted((y0, y1))][: 2 * len(PLANES[plane])]
        return cls(plane, tuple(float(f"{end:.4g}") for end in ends))

    def to_text(self) -> str:
        """Return the box as a URL has it."""
        return ",".join([self.plane, *(f"{end:g}" for end in self.ends)])

    @classmethod
    def from_text(cls, text: str) -> Self:
        """Return the box of a text, or refuse it."""
        plane, *ends = text.split(",")
        if plane not in PLANES:
            raise InputError(f"box is {format_value(text)}, of no plot; {suggest(plane, PLANES)}")
        n = 2 * len(PLANES[plane])
        try:
            numbers = tuple(map(float, ends))
        except ValueError:
            numbers = ()
        if len(numbers) != n or not all(map(math.isfinite, numbers)):
            raise InputError(f"box is {format_value(text)}; expected {plane} and {n} numbers with commas between them")
        return cls(plane, numbers)

    def find(self, pairs: pd.DataFrame) -> np.ndarray:
        """Return which pairs of a table lie in the box."""
        inside = np.ones(len(pairs), bool)
        for axis, lower, upper in self._list_axes():
            inside &= axis.compute(pairs).between(lower, upper).to_numpy()
        return inside

    def make_code(self) -> list[str]:
        """Return Python lines that keep the pairs of a table in the box."""
        lines = [f"pairs = pairs[({axis.code}).between({low!r}, {high!r})]" for axis, low, high in self._list_axes()]
        return ["import numpy as np", *lines] if any("np." in line for line in lines) else lines

    def _list_axes(self) -> list[tuple[Axis, float, float]]:
        axes = PLANES[self.plane]
        return list(zip(axes, self.ends[::2], self.ends[1::2], strict=True))
