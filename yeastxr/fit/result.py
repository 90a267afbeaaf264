"""The result of a fit: a specification, estimates with standard errors, and notes."""

import html
import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import xarray as xr

from yeastxr.errors import escape_controls
from yeastxr.schema import to_text_array
from yeastxr.simulation.simulate import SimulationSpec

PARAMETER = "parameter"
_HEAD = ("parameter", "value", "standard error", "source")


@dataclass(frozen=True)
class Row:
    """A parameter of the fitted specification: its value, standard error, and source."""

    name: str
    value: float
    error: float
    source: str


@dataclass(frozen=True, repr=False)
class SpecFit:
    """The result of :func:`yeastxr.fit_spec`, whose repr is a table.

    Parameters
    ----------
    spec
        The fitted specification.
    estimates
        Along the dimension ``parameter``: ``value`` and ``standard_error`` (float64, NaN if there is none) and
        ``source`` (a string): ``estimated``; ``held`` at the default, from which it does not differ significantly;
        ``chosen`` to resemble the data, without a standard error; ``given`` by the caller; ``dataset``, from the
        attributes of the dataset; or ``default``. ``slope`` is the increase of the mean of bound pairs per unit of
        binding effect. By TF: ``bound`` and ``positive_fraction``, each with ``..._standard_error``.
    notes
        Sentences about parameters that were not estimated, and about problems.

    Examples
    --------
    >>> import yeastxr as yx
    >>> ds = yx.simulate(genes=2000, bound=[0.1, 0.2], n_sample=[5, 5], bound_mean=4.0, seed=42)
    >>> fit = yx.fit_spec(ds, seed=1)
    >>> fit.estimates.value.sel(parameter="bound_mean").round(2).item()
    4.01
    >>> fit.spec.simulate().sizes == ds.sizes
    True
    """

    spec: SimulationSpec
    estimates: xr.Dataset
    notes: tuple[str, ...] = field(default=())

    def __repr__(self) -> str:
        cells = [_HEAD, *self._list_cells()]
        widths = [max(len(row[i]) for row in cells) for i in range(len(_HEAD))]
        lines = [
            "  ".join(
                text.rjust(width) if i in (1, 2) else text.ljust(width)
                for i, (text, width) in enumerate(zip(row, widths, strict=True))
            ).rstrip()
            for row in cells
        ]
        return "\n".join([lines[0], "-" * max(map(len, lines)), *lines[1:], self._describe_tfs(), *self._list_notes()])

    def _repr_html_(self) -> str:
        def make_row(tag: str, row: tuple[str, ...]) -> str:
            cells = (
                f'<{tag} style="text-align:{"right" if i in (1, 2) else "left"}">{html.escape(text)}</{tag}>'
                for i, text in enumerate(row)
            )
            return f"<tr>{''.join(cells)}</tr>"

        body = "".join(make_row("td", row) for row in self._list_cells())
        rest = "".join(f"<li>{html.escape(note)}</li>" for note in self._list_notes())
        return (
            f'<table class="yeastxr-fit"><thead>{make_row("th", _HEAD)}</thead><tbody>{body}</tbody></table>'
            f"<p>{html.escape(self._describe_tfs())}</p><ul>{rest}</ul>"
        )

    def _list_cells(self) -> list[tuple[str, ...]]:
        table = self.estimates
        rows = zip(
            table[PARAMETER].values, table["value"].values, table["standard_error"].values, table["source"].values,
            strict=True,
        )  # fmt: skip
        return [(str(name), _format(value), _format(error), str(source)) for name, value, error, source in rows]

    def _describe_tfs(self) -> str:
        bound = self.estimates["bound"].values
        n = f"{bound.size} TF{'' if bound.size == 1 else 's'}"
        if np.ptp(bound) == 0:
            return f"{n}, bound fraction {bound[0]:.4g}"
        return f"{n}, bound fractions {bound.min():.4g} to {bound.max():.4g}"

    def _list_notes(self) -> list[str]:
        return [escape_controls(note) for note in self.notes]


def _format(number: float) -> str:
    return "" if math.isnan(number) else f"{number:.4g}" if abs(number) < 1e4 or number % 1 else f"{number:.0f}"


def make_table(rows: list[Row], by_tf: dict[str, Any], coords: Any) -> xr.Dataset:
    """Convert estimates to a Dataset, along ``parameter`` and by TF."""
    numbers = {"value": [row.value for row in rows], "standard_error": [row.error for row in rows]}
    return xr.Dataset(
        {name: (PARAMETER, np.array(values, np.float64)) for name, values in numbers.items()}
        | {"source": (PARAMETER, to_text_array([row.source for row in rows]))}
        | by_tf,
        coords={PARAMETER: to_text_array([row.name for row in rows]), **coords},
    )
