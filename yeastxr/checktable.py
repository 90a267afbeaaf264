"""The outcome of checks: a table that prints in a terminal, in a notebook and in a report."""

import html
from dataclasses import dataclass

import xarray as xr

from yeastxr.schema import text_array


@dataclass(frozen=True)
class Check:
    """One row of the table: what was looked at, what was expected, what was found, and whether they agree.

    ``passed`` is None where the check does not apply; ``found`` then says why.
    """

    name: str
    expected: str
    found: str
    passed: bool | None


@dataclass(frozen=True)
class CheckTable:
    """The outcome of :func:`yeastxr.check`: rows that print as a table, in a terminal and in a notebook.

    Parameters
    ----------
    rows
        The checks.

    Examples
    --------
    >>> import yeastxr as yx
    >>> table = yx.check(yx.simulate(genes=500, bound=[0.1, 0.2], seed=42))
    >>> table.passed, table.failed
    (True, [])
    """

    rows: tuple[Check, ...]

    @property
    def passed(self) -> bool:
        """Whether no check failed."""
        return not self.failed

    @property
    def failed(self) -> list[str]:
        """The names of the checks that failed."""
        return [row.name for row in self.rows if row.passed is False]

    def to_dataset(self) -> xr.Dataset:
        """Return the table as a Dataset with the dim ``check``: ``expected``, ``found`` and ``verdict``, all text."""
        columns = {
            "expected": [row.expected for row in self.rows],
            "found": [row.found for row in self.rows],
            "verdict": [verdict(row) for row in self.rows],
        }
        return xr.Dataset(
            {name: ("check", text_array(values)) for name, values in columns.items()},
            coords={"check": text_array([row.name for row in self.rows])},
        )

    def __repr__(self) -> str:
        cells = [("check", "expected", "found", ""), *((r.name, r.expected, r.found, verdict(r)) for r in self.rows)]
        widths = [max(len(row[i]) for row in cells) for i in range(3)]
        lines = [
            "  ".join([*(text.ljust(width) for text, width in zip(row[:3], widths, strict=True)), row[3]]).rstrip()
            for row in cells
        ]
        return "\n".join([lines[0], "-" * max(map(len, lines)), *lines[1:], self.summary])

    def _repr_html_(self) -> str:
        body = "".join(
            "<tr>"
            + "".join(f'<td style="text-align:left">{html.escape(t)}</td>' for t in (r.name, r.expected, r.found))
            + f'<td style="text-align:left;font-weight:bold;color:{_COLOUR[r.passed]}">{verdict(r)}</td></tr>'
            for r in self.rows
        )
        head = "".join(f'<th style="text-align:left">{t}</th>' for t in ("check", "expected", "found", ""))
        return (
            f'<table class="yeastxr-checks"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'
            f"<p>{html.escape(self.summary)}</p>"
        )

    @property
    def summary(self) -> str:
        """One line: how many checks passed, failed and did not apply."""
        counts = [sum(row.passed is value for row in self.rows) for value in (True, False, None)]
        return f"{counts[0]} passed, {counts[1]} failed" + (f", {counts[2]} not applicable" if counts[2] else "")


_COLOUR = {True: "#00734d", False: "#b3261e", None: "#666666"}


def verdict(row: Check) -> str:
    """Return how a row ends: ``pass``, ``FAIL`` or ``n/a``."""
    return {True: "pass", False: "FAIL", None: "n/a"}[row.passed]
