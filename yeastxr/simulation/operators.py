"""And, Or, Not: conditions of TFs, and their representation as text and as programs."""

import re
from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from yeastxr._validate import to_python, unwrap
from yeastxr.errors import InputError, InputTypeError, escape_controls, format_value

MAX_DEPTH = 100  # far below Python's recursion limit, for evaluation and JSON
MAX_TERMS = 100_000  # of the conditions of a TF; shared parts count each time, because they are evaluated each time
BARE_NAME = re.compile(r"[^\W\d][\w.:-]*")  # names that need no quotes
WORDS = {"and": "&", "or": "|", "not": "!"}  # operators; a TF with such a name needs quotes


@dataclass(frozen=True, init=False, repr=False)
class Relation:
    """Base class of And, Or and Not: entries, nesting depth, named TFs, repr, equality and hash."""

    entries: tuple[Any, ...]
    depth: int = field(compare=False)
    n_terms: int = field(compare=False)
    named: tuple[Hashable, ...] = field(compare=False)  # every TF that it names, including duplicates
    steps: tuple[Any, ...] = field(compare=False)  # program in postfix order: TFs, And, Or and Not
    n_waiting: int = field(compare=False)  # the largest size of the stack during evaluation

    __array_ufunc__ = None  # so that NumPy integers defer & and | to this class

    def __init__(self, *entries: Any) -> None:
        name = type(self).__name__
        if not entries:
            raise InputError(f"{name}() is empty; expected at least one TF or relation")
        entries = tuple(map(to_label, entries))
        for entry in entries:
            if not isinstance(entry, Relation):
                check_label(entry, f"{name}()")
        object.__setattr__(self, "entries", entries)
        object.__setattr__(self, "depth", 1 + max(getattr(entry, "depth", 0) for entry in entries))
        if self.depth > MAX_DEPTH:
            raise InputError(f"{name}() has more than {MAX_DEPTH} levels; expected at most {MAX_DEPTH}")
        object.__setattr__(self, "n_terms", count_terms(entries))
        if self.n_terms > MAX_TERMS:
            raise InputError(f"{name}() has {self.n_terms:,} terms; expected at most {MAX_TERMS:,}")
        object.__setattr__(self, "named", tuple(iterate_tfs(entries)))
        steps, n_waiting = list_steps(entries, type(self))
        object.__setattr__(self, "steps", (*steps, Not) if isinstance(self, Not) else tuple(steps))
        object.__setattr__(self, "n_waiting", n_waiting)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(map(repr, self.entries))})"

    def __str__(self) -> str:
        """Return text that :func:`yeastxr.parse_relation` converts to an equal relation."""
        if isinstance(self, Not):
            return f"!{_write_entry(self.entries[0])}"
        if len(self.entries) == 1:  # no operator would be left
            return f"{type(self).__name__}({_write_entry(self.entries[0])})"
        return (" & " if isinstance(self, And) else " | ").join(map(_write_entry, self.entries))

    def __and__(self, other: Any) -> "And":
        return _join(And, self, other)

    def __rand__(self, other: Any) -> "And":
        return _join(And, other, self)

    def __or__(self, other: Any) -> "Or":
        return _join(Or, self, other)

    def __ror__(self, other: Any) -> "Or":
        return _join(Or, other, self)

    def __invert__(self) -> "Not":
        return Not(self)


class And(Relation):
    """Condition that holds for a gene if all entries hold.

    Parameters
    ----------
    *entries
        Labels of TFs (a TF holds if it binds the gene), or relations.

    Raises
    ------
    InputError
        If there is no entry, or an entry is neither a label nor a relation.

    Examples
    --------
    >>> from yeastxr import And
    >>> from yeastxr import Or
    >>> And(5, Or(7, 8))
    And(5, Or(7, 8))
    >>> And("GAL4", "MIG1") & ~Or("GAL80", "RAP1")
    And('GAL4', 'MIG1', Not(Or('GAL80', 'RAP1')))
    """


class Or(Relation):
    """Condition that holds for a gene if at least one entry holds.

    Parameters
    ----------
    *entries
        Labels of TFs (a TF holds if it binds the gene), or relations.

    Raises
    ------
    InputError
        If there is no entry, or an entry is neither a label nor a relation.

    Examples
    --------
    >>> from yeastxr import Or
    >>> Or("GAL4", "GAL80")
    Or('GAL4', 'GAL80')
    >>> print(Or("GAL4", Not("GAL80")) | "RAP1")
    GAL4 | !GAL80 | RAP1
    """


class Not(Relation):
    """Condition that holds for a gene if its entry does not.

    Parameters
    ----------
    *entries
        One entry: the label of a TF, or a relation.

    Raises
    ------
    InputError
        If there is not exactly one entry, or it is neither a label nor a relation.

    Examples
    --------
    >>> from yeastxr import And
    >>> from yeastxr import Not
    >>> And("GAL4", Not("GAL80"))
    And('GAL4', Not('GAL80'))
    """

    def __init__(self, *entries: Any) -> None:
        if len(entries) > 1:
            raise InputError(f"Not() has {len(entries)} entries; expected one TF or relation")
        super().__init__(*entries)


def _join(operator: type[Relation], left: Any, right: Any) -> Any:
    """Join two entries by an operator; entries of the same operator are merged into one list."""
    entries: list[Any] = []
    for entry in map(to_label, (left, right)):
        if isinstance(entry, operator):
            entries += entry.entries
        elif isinstance(entry, Relation) or is_label(entry):
            entries.append(entry)
        else:
            return NotImplemented
    return operator(*entries)


def _write_entry(entry: Any) -> str:
    """Return an entry as text, with parentheses around And and Or of several entries."""
    if not isinstance(entry, Relation):
        return write_label(entry)
    return f"({entry})" if len(entry.entries) > 1 else str(entry)


def write_label(label: Any) -> str:
    """Return a TF's label as text, with quotes if necessary."""
    if not isinstance(label, str):
        return str(label)
    plain = BARE_NAME.fullmatch(label) and label.lower() not in WORDS and escape_controls(label) == label
    return label if plain else '"' + escape_controls(label.replace("\\", "\\\\").replace('"', '\\"')) + '"'


def to_label(entry: Any) -> Any:
    """Convert a label, or a 0-dimensional array of it, to plain Python; return other objects unchanged."""
    return entry if type(entry) in (str, int) or isinstance(entry, Relation) else to_python(unwrap(entry))


def is_label(value: Any) -> bool:
    """Return whether a value is a label of a TF: an integer or a string."""
    return isinstance(value, str | int | np.integer) and not isinstance(value, bool)


def describe_key(tf: object) -> str:
    """Return the name of a TF's conditions in messages."""
    return f"tf_relationships[{format_value(tf)}]"


def count_terms(entries: Iterable[Any]) -> int:
    """Return how many TFs conditions name, including duplicates."""
    return sum(getattr(entry, "n_terms", 1) for entry in entries)


def iterate_tfs(entries: Iterable[Any]) -> Iterator[Hashable]:
    """Yield the TFs that conditions name, in order, with duplicates: ``[And(5, Or(7, 8)), 5]`` yields 5, 7, 8, 5."""
    for entry in entries:
        if isinstance(entry, Relation):
            yield from entry.named
        else:
            yield entry


def list_steps(entries: Iterable[Any], operator: type[Relation]) -> tuple[list[Any], int]:
    """Return the postfix program of entries that an operator joins, and its largest stack size."""
    steps: list[Any] = []
    most_waiting = 0
    for i, entry in enumerate(entries):
        if isinstance(entry, Relation):
            steps += entry.steps
            n_waiting = entry.n_waiting
        else:
            steps.append(entry)
            n_waiting = 1
        if i:
            steps.append(operator)
            n_waiting += 1
        most_waiting = max(most_waiting, n_waiting)
    return steps, most_waiting


def check_label(label: Any, holder: str, key: object = None) -> None:
    """Raise unless a value is a label; ``holder``, or the conditions of ``key``, name it in the message."""
    kind = type(label)
    if kind is int or kind is str:
        return
    if not is_label(label):
        raise InputTypeError(
            f"{holder or describe_key(key)} contains {format_value(label)}; "
            "expected the label of a TF (an integer or a string), And, Or or Not"
        )
