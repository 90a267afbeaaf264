"""Relations of TFs as lines of text, such as ``GAL4: MIG1 & !RAP1``: what a text field of the page holds."""

import re
from collections.abc import Collection, Hashable, Mapping, Sequence
from typing import Any, NoReturn

from yeastxr.errors import InputError, format_value
from yeastxr.simulation.operators import And, Relation, write_label
from yeastxr.simulation.relation_text import RelationError, list_known, parse_text

_KEY_END = re.compile(r"""\s*(?:"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|[^"'\s]\S*?)\s*(?P<colon>:)(?=\s|$)""")
_COMMENT = "#"


def write_lines(relationships: Mapping[Hashable, Sequence[Any]] | None) -> str:
    """Write relations as text, a line for each TF; :func:`parse_lines` reads it.

    Examples
    --------
    >>> import yeastxr as yx
    >>> write_lines({"GAL4": ["MIG1", yx.Or("RAP1", yx.Not("GAL80"))]})
    'GAL4: MIG1 & (RAP1 | !GAL80)'
    """
    return "\n".join(
        f"{write_label(tf)}: {_write_entries(entries)}".rstrip() for tf, entries in (relationships or {}).items()
    )


def _write_entries(entries: Sequence[Any]) -> str:
    if not entries:
        return ""
    if len(entries) == 1:
        return str(entries[0]) if isinstance(entries[0], Relation) else write_label(entries[0])
    return str(And(*entries))


def parse_lines(text: str, tfs: Collection[Hashable] | None = None) -> dict[Hashable, list[Any]]:
    """Return the relations of a text, a line for each TF: its name, a colon, and a relation.

    A line without a relation is a TF without conditions. Empty lines, and those that begin with ``#``, are left out.

    Parameters
    ----------
    text
        The lines.
    tfs
        The labels of the TFs that there are; any label by default.

    Returns
    -------
    dict
        From TFs to lists of conditions.

    Raises
    ------
    InputError
        If a line is no relation, or names a TF twice or one that is not known; the message has line and column.

    Examples
    --------
    >>> parse_lines("GAL4: MIG1 & (RAP1 | !GAL80)")
    {'GAL4': [And('MIG1', Or('RAP1', Not('GAL80')))]}
    """
    known = list_known(tfs)
    relations: dict[Hashable, list[Any]] = {}
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip() or line.lstrip().startswith(_COMMENT):
            continue
        key = _KEY_END.match(line)
        if key is None:
            column = len(line) - len(line.lstrip()) + 1
            expected = "expected a line such as 'GAL4: MIG1 & !RAP1'"
            _fail(number, column, "there is no TF with a colon after it", expected)
        end = key.start("colon")
        entries = _parse(line[:end], 0, number, known)
        if len(entries) != 1 or isinstance(entries[0], Relation):
            _fail(number, 1, f"{format_value(line[:end].strip(), 40)} is no TF", "expected one TF before the colon")
        if entries[0] in relations:
            _fail(number, 1, f"the TF {format_value(entries[0])} is there twice", "expected it once")
        condition = line[end + 1 :]
        relations[entries[0]] = _parse(condition, end + 1, number, known) if condition.strip() else []
    return relations


def _parse(text: str, start: int, line: int, known: Collection[Hashable] | None) -> list[Any]:
    """Return the conditions of a part of a line; a TF alone is itself."""
    try:
        relation = parse_text(text, known)
    except RelationError as error:
        _fail(line, start + error.position + 1, f"the relation {error.problem}", error.expected)
    return list(relation.entries) if isinstance(relation, And) and len(relation.entries) == 1 else [relation]


def _fail(line: int, column: int, problem: str, expected: str) -> NoReturn:
    raise InputError(f"tf_relationships, line {line}, column {column}: {problem}; {expected}")
