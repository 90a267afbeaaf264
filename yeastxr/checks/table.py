"""The outcome of checks: a table that prints in a terminal, in a notebook and in a report."""

import html
import math
import shutil
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from yeastxr.checks.significance import combine_pvalues, test_fit, test_sequence
from yeastxr.errors import escape_controls, shorten
from yeastxr.schema import to_text_array


@dataclass(frozen=True)
class Check:
    """One row of the table: what is expected, what is observed, and whether they agree.

    Parameters
    ----------
    name
        What is checked.
    expected, observed
        What is expected and what is observed, as text.
    passed
        Whether they agree; None where the check does not apply, or only describes.
    statistic, pvalue
        Of a test; NaN where the check is not a test.

    Examples
    --------
    >>> import yeastxr as yx
    >>> row = yx.check(yx.simulate(genes=500, bound=[0.1, 0.2], seed=42)).rows[10]
    >>> row.name, row.observed, row.passed
    ('bound genes of each TF', '2 of 2 exact', True)
    """

    name: str
    expected: str
    observed: str
    passed: bool | None
    statistic: float = math.nan
    pvalue: float = math.nan


@dataclass(frozen=True)
class CheckTable:
    """The outcome of :func:`yeastxr.check`: rows that print as a table, in a terminal and in a notebook.

    As a truth value it says whether all values were checked against theory and no check failed.

    Parameters
    ----------
    rows
        The checks.
    level
        The chance that a correct dataset fails any of them.
    checked
        Whether all values were checked against theory, which needs a specification.

    Examples
    --------
    >>> import yeastxr as yx
    >>> table = yx.check(yx.simulate(genes=500, bound=[0.1, 0.2], seed=42))
    >>> table.passed, table.failed
    (True, [])
    >>> float(table.to_dataset().pvalue.sel(check="signs: share positive").round(3))
    0.591
    """

    rows: tuple[Check, ...]
    level: float = math.nan
    checked: bool = True

    def __bool__(self) -> bool:
        return bool(self.passed)

    @property
    def passed(self) -> bool | None:
        """Whether no check failed; None where none failed, but not all values were checked against theory."""
        return False if self.failed else True if self.checked else None

    @property
    def failed(self) -> list[str]:
        """The names of the checks that failed."""
        return [row.name for row in self.rows if row.passed is False]

    def to_dataset(self) -> xr.Dataset:
        """Return the table as a Dataset.

        Returns
        -------
        xarray.Dataset
            Along the dimension ``check``, which holds the names: ``expected``, ``observed`` and ``verdict`` (text), and
            ``statistic`` and ``pvalue`` (float64, NaN where the check is not a test). The attributes are ``level``
            and ``checked``.
        """
        texts = {
            "expected": [row.expected for row in self.rows],
            "observed": [row.observed for row in self.rows],
            "verdict": [get_verdict(row) for row in self.rows],
        }
        numbers = {
            "statistic": [row.statistic for row in self.rows],
            "pvalue": [row.pvalue for row in self.rows],
        }
        return xr.Dataset(
            {name: ("check", to_text_array(values)) for name, values in texts.items()}
            | {name: ("check", np.array(values)) for name, values in numbers.items()},
            coords={"check": to_text_array([row.name for row in self.rows])},
            attrs={"level": self.level, "checked": int(self.checked)},
        )

    def __repr__(self) -> str:
        terminal = shutil.get_terminal_size((_UNLIMITED, 0)).columns
        cells = [_HEAD, *map(_format_cells, self.rows)]
        widths = {i: max(len(row[i]) for row in cells) for i in range(len(_HEAD))}
        hidden = []
        for column in _HIDDEN_FIRST:
            if sum(widths.values()) + len(_GAP) * (len(widths) - 1) > terminal:
                hidden.append(_HEAD[column])
                del widths[column]
        widths[_OBSERVED] -= max(0, sum(widths.values()) + len(_GAP) * (len(widths) - 1) - terminal)
        widths[_OBSERVED] = max(widths[_OBSERVED], len(_HEAD[_OBSERVED]))
        lines = [
            _GAP.join(
                shorten(row[i], width).rjust(width) if i in _NUMBERS else shorten(row[i], width).ljust(width)
                for i, width in widths.items()
            ).rstrip()
            for row in cells
        ]
        rest = f"; a wider terminal shows: {', '.join(sorted(hidden))}" if hidden else ""
        return "\n".join([lines[0], "-" * max(map(len, lines)), *lines[1:], self.summary + rest])

    def _repr_html_(self) -> str:
        body = "".join(
            "<tr>"
            + "".join(
                f'<td style="text-align:{_get_alignment(i)}">{html.escape(t)}</td>'
                for i, t in enumerate(_format_cells(r)[:-1])
            )
            + f'<td style="padding-left:1em;font-weight:bold;color:{_COLOUR[r.passed]}">{get_verdict(r)}</td></tr>'
            for r in self.rows
        )
        head = "".join(f'<th style="text-align:{_get_alignment(i)}">{t}</th>' for i, t in enumerate(_HEAD))
        return (
            f'<table class="yeastxr-checks"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'
            f"<p>{html.escape(self.summary)}</p>"
        )

    @property
    def summary(self) -> str:
        """One line: how many checks passed, failed and did not apply, and whether theory was among them."""
        counts = [sum(row.passed is value for row in self.rows) for value in (True, False, None)]
        words = f"{counts[0]} passed, {counts[1]} failed" + (f", {counts[2]} not applicable" if counts[2] else "")
        return words if self.checked else f"{words}; not checked against theory"


_HEAD = ("check", "expected", "observed", "statistic", "p-value", "")
_OBSERVED, _NUMBERS = 2, (3, 4)
_HIDDEN_FIRST = (3, 1)  # where a terminal is too narrow
_GAP = "  "
_UNLIMITED = 10_000  # columns where the output is not a terminal
_COLOUR = {True: "#00734d", False: "#b3261e", None: "#666666"}


def get_verdict(row: Check) -> str:
    """Return the last cell of a row: ``pass``, ``FAIL`` or ``n/a``."""
    return {True: "pass", False: "FAIL", None: "n/a"}[row.passed]


def _format_cells(row: Check) -> tuple[str, ...]:
    numbers = ("" if math.isnan(number) else f"{number:.3g}" for number in (row.statistic, row.pvalue))
    return tuple(map(escape_controls, (row.name, row.expected, row.observed, *numbers, get_verdict(row))))


def _get_alignment(column: int) -> str:
    return "right;white-space:nowrap" if column in _NUMBERS else "left"


def make_test(name: str, expected: str, observed: str, statistic: float, pvalue: float) -> Check:
    """Return the row of a test, which passes until its p-value is compared with the level."""
    return Check(name, expected, observed, True, float(statistic), float(pvalue))


def make_count(name: str, expected: str, wrong: int, words: str, correct: str) -> Check:
    """Return the row of an exact check, which passes where nothing is wrong."""
    return Check(name, expected, f"{wrong:,} {words}" if wrong else correct, wrong == 0)


def make_fit(name: str, expected: str, observed: str, counts: np.ndarray, chances: Any = None) -> Check:
    """Return the row that compares a histogram with the bins' probabilities, by default equal ones."""
    fit = test_fit(counts, np.full(counts.size, 1 / counts.size) if chances is None else chances)
    if fit is None:
        return Check(name, expected, f"{observed}; too few pairs or values", None)
    statistic, pvalue, bins = fit
    return make_test(name, expected, f"{observed}, {count_noun(bins, 'bin')}", statistic, pvalue)


def make_sequence_test(name: str, z: np.ndarray, noun: str, *, normal: bool) -> Check:
    """Return the row that compares genes or TFs, whose numbers should be standard normal or sums of signs."""
    pvalues = test_sequence(z.ravel(), normal=normal)
    observed = f"{count_noun(z.size, noun)}, least likely: {min(pvalues, key=lambda reason: pvalues[reason])}"
    largest = float(np.max(np.abs(z), where=np.isfinite(z), initial=0.0))
    return make_test(name, "within chance", observed, largest, combine_pvalues(list(pvalues.values())))


def count_noun(number: int, noun: str, ending: str = "s") -> str:
    """Return a number with its noun, in the plural where it is not 1."""
    return f"{number:,} {noun}{'' if number == 1 else ending}"
