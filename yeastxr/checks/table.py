"""The results of checks: a table for terminals, notebooks and reports."""

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
    """A row of the table: expected value, observed value, and whether they agree.

    Parameters
    ----------
    name
        The name of the check.
    expected, observed
        The expected and the observed value, as text.
    passed
        Whether they agree; None if the check does not apply, or only describes the data.
    statistic, pvalue
        The statistic and the p-value of a test; NaN if the check is not a test.
    kind
        The kind of the statistic, such as ``"z"``, ``"chi2"`` or ``"difference"``.

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
    kind: str = ""


@dataclass(frozen=True)
class CheckTable:
    """The result of :func:`yeastxr.check`, a table in terminals and notebooks.

    It is true if all values were compared with theory and no check failed.

    Parameters
    ----------
    rows
        The checks.
    level
        The probability that a correct dataset fails any of them.
    checked
        Whether all values were compared with theory, which needs a specification.

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
        """Whether no check failed; None if none failed, but not all values were compared with theory."""
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
            A dataset with the dimension ``check``, whose labels are names: ``expected``, ``observed``, ``verdict`` and
            ``kind`` (strings), and ``statistic`` and ``pvalue`` (float64, NaN if the check is not a test). The
            attributes are ``level`` and ``checked``.
        """
        texts = {
            "expected": [row.expected for row in self.rows],
            "observed": [row.observed for row in self.rows],
            "verdict": [get_verdict(row) for row in self.rows],
            "kind": [row.kind for row in self.rows],
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
        cells = [_HEAD, *map(format_cells, self.rows)]
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
        rest = f"; widen the terminal to show: {', '.join(sorted(hidden))}" if hidden else ""
        return "\n".join([lines[0], "-" * max(map(len, lines)), *lines[1:], self.summary + rest])

    def _repr_html_(self) -> str:
        body = "".join(
            "<tr>"
            + "".join(
                f'<td style="text-align:{_get_alignment(i)}">{html.escape(t)}</td>'
                for i, t in enumerate(format_cells(r)[:-1])
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
        """A line with the numbers of checks that passed, failed and did not apply."""
        counts = [sum(row.passed is value for row in self.rows) for value in (True, False, None)]
        words = f"{counts[0]} passed, {counts[1]} failed" + (f", {counts[2]} not applicable" if counts[2] else "")
        return words if self.checked else f"{words}; not compared with theory"


_HEAD = ("check", "expected", "observed", "statistic", "p-value", "")
_OBSERVED, _NUMBERS = 2, (3, 4)
_HIDDEN_FIRST = (3, 1)  # columns to hide in a narrow terminal, first ones first
_GAP = "  "
_UNLIMITED = 10_000  # width if the output is not a terminal
_COLOUR = {True: "#00734d", False: "#b3261e", None: "#666666"}


def get_verdict(row: Check) -> str:
    """Return the verdict of a row: ``pass``, ``FAIL`` or ``n/a``."""
    return {True: "pass", False: "FAIL", None: "n/a"}[row.passed]


def format_cells(row: Check) -> tuple[str, ...]:
    """Return a row as texts: name, expected, observed, statistic with its kind, p-value, verdict."""
    statistic, pvalue = ("" if math.isnan(number) else f"{number:.3g}" for number in (row.statistic, row.pvalue))
    if statistic and row.kind:
        statistic = f"{row.kind} {statistic}"
    return tuple(map(escape_controls, (row.name, row.expected, row.observed, statistic, pvalue, get_verdict(row))))


def _get_alignment(column: int) -> str:
    return "right;white-space:nowrap" if column in _NUMBERS else "left"


def make_test(
    name: str, expected: str, observed: str, statistic: float, pvalue: float, kind: str = "difference"
) -> Check:
    """Create the row of a test, which passes until its p-value is compared with the level."""
    return Check(name, expected, observed, True, float(statistic), float(pvalue), "" if math.isnan(statistic) else kind)


def make_count(name: str, expected: str, wrong: int, words: str, correct: str) -> Check:
    """Create the row of an exact check, which passes if nothing is wrong."""
    return Check(name, expected, f"{wrong:,} {words}" if wrong else correct, wrong == 0)


def make_fit(name: str, expected: str, observed: str, counts: np.ndarray, chances: Any = None) -> Check:
    """Create the row that compares a histogram with probabilities of bins (default: equal)."""
    fit = test_fit(counts, np.full(counts.size, 1 / counts.size) if chances is None else chances)
    if fit is None:
        return Check(name, expected, f"{observed}; too few pairs or values", None)
    statistic, pvalue, bins = fit
    return make_test(name, expected, f"{observed}, {count_noun(bins, 'bin')}", statistic, pvalue, "chi2")


def make_sequence_test(name: str, z: np.ndarray, noun: str, *, normal: bool) -> Check:
    """Create the row that compares genes or TFs, whose scores should be standard normal or sums of signs."""
    pvalues = test_sequence(z.ravel(), normal=normal)
    observed = f"{count_noun(z.size, noun)}, least likely: {min(pvalues, key=lambda reason: pvalues[reason])}"
    largest = float(np.max(np.abs(z), where=np.isfinite(z), initial=0.0))
    pvalue = combine_pvalues(list(pvalues.values()))
    return make_test(name, "random variation", observed, largest, pvalue, "max |z|")


def count_noun(number: int, noun: str, ending: str = "s") -> str:
    """Return a number with its noun, in the plural unless the number is 1."""
    return f"{number:,} {noun}{'' if number == 1 else ending}"
