"""Texts of the page as HTML: what comes from data is escaped."""

import html
from collections.abc import Iterable, Mapping, Sequence

from yeastxr.errors import escape_controls, shorten

_LONGEST = 200


def escape(text: object, longest: int = _LONGEST) -> str:
    """Return a text from data as HTML, without markup of its own, shortened if it is long."""
    return html.escape(shorten(escape_controls(str(text)), longest))


def make_table(head: Sequence[str], rows: Iterable[Sequence[object]], caption: str, marked: str = "") -> str:
    """Return a small table as HTML, with cells of one text marked."""
    cells = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in head)
    body = "".join(
        f'<tr><th scope="row">{escape(first)}</th>' + "".join(_make_cell(cell, marked) for cell in rest) + "</tr>"
        for first, *rest in rows
    )
    top = f"<thead><tr>{cells}</tr></thead>" if head else ""
    return f'<div class="scroll"><table><caption>{escape(caption)}</caption>{top}<tbody>{body}</tbody></table></div>'


def _make_cell(cell: object, marked: str) -> str:
    return f'<td class="failed">{escape(cell)}</td>' if marked and cell == marked else f"<td>{escape(cell)}</td>"


def make_facts(facts: Mapping[str, object]) -> str:
    """Return names and values as a list of definitions in HTML."""
    items = "".join(
        f"<div><dt>{escape(name)}</dt><dd>{escape(value, 2_000)}</dd></div>" for name, value in facts.items()
    )
    return f"<dl>{items}</dl>"
