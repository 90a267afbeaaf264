"""And, Or, Not: conditions of TFs, how they are written as text, and what evaluates them."""

import re
from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from yeastxr._validate import to_python, unwrap
from yeastxr.errors import InputError, InputTypeError, escape_controls, format_value

MAX_DEPTH = 100  # far below Python's limit of recursion, for evaluation and JSON
MAX_TERMS = 100_000  # of the conditions of a TF; shared parts count each time, as they are written and evaluated
BARE_NAME = re.compile(r"[^\W\d][\w.:-]*")  # what needs no quotes in a text
WORDS = {"and": "&", "or": "|", "not": "!"}  # of operators; a TF with such a name is in quotes


@dataclass(frozen=True, init=False, repr=False)
class Relation:
    """The base of And, Or and Not: entries, depth of nesting, TFs named, repr, equality and hash."""

    entries: tuple[Any, ...]
    depth: int = field(compare=False)
    n_terms: int = field(compare=False)
    named: tuple[Hashable, ...] = field(compare=False)  # every TF that it names, repeats included
    steps: tuple[Any, ...] = field(compare=False)  # how to evaluate it, in postfix order: TFs, And, Or and Not
    n_waiting: int = field(compare=False)  # the most values that wait at a time when it is evaluated

    __array_ufunc__ = None  # NumPy leaves & and | with a label of its own to this class

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
            raise InputError(f"{name}() is nested more than {MAX_DEPTH} deep; expected a flatter relation")
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
        """Return the text that :func:`yeastxr.parse_relation` makes an equal relation of."""
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
    """Holds for a gene where every entry holds.

    Parameters
    ----------
    *entries
        TFs by their labels (a TF holds where it binds the gene), or relations.

    Raises
    ------
    InputError
        If there is no entry, or one is neither a label nor a relation.

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
    """Holds for a gene where at least one entry holds.

    Parameters
    ----------
    *entries
        TFs by their labels (a TF holds where it binds the gene), or relations.

    Raises
    ------
    InputError
        If there is no entry, or one is neither a label nor a relation.

    Examples
    --------
    >>> from yeastxr import Or
    >>> Or("GAL4", "GAL80")
    Or('GAL4', 'GAL80')
    >>> print(Or("GAL4", Not("GAL80")) | "RAP1")
    GAL4 | !GAL80 | RAP1
    """


class Not(Relation):
    """Holds for a gene where its one entry does not.

    Parameters
    ----------
    *entries
        One entry: a TF by its label, or a relation.

    Raises
    ------
    InputError
        If there is not one entry, or it is neither a label nor a relation.

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
    """Join two relations, or one and a label, by an operator; entries of that operator are joined to one list."""
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
    """Write an entry of a relation; And and Or of several entries are in parentheses."""
    if not isinstance(entry, Relation):
        return write_label(entry)
    return f"({entry})" if len(entry.entries) > 1 else str(entry)


def write_label(label: Any) -> str:
    """Write a TF's label as it stands in a text: integers and plain names as they are, other names in quotes."""
    if not isinstance(label, str):
        return str(label)
    plain = BARE_NAME.fullmatch(label) and label.lower() not in WORDS and escape_controls(label) == label
    return label if plain else '"' + escape_controls(label.replace("\\", "\\\\").replace('"', '\\"')) + '"'


def to_label(entry: Any) -> Any:
    """Return a label as plain Python, also out of an array without dimensions, and anything else as it is."""
    return entry if type(entry) in (str, int) or isinstance(entry, Relation) else to_python(unwrap(entry))


def is_label(value: Any) -> bool:
    """Return whether a value is a TF's label: an integer or text."""
    return isinstance(value, str | int | np.integer) and not isinstance(value, bool)


def describe_key(tf: object) -> str:
    """Return how a message names the conditions of a TF."""
    return f"tf_relationships[{format_value(tf)}]"


def count_terms(entries: Iterable[Any]) -> int:
    """Return how many TFs conditions name, repeats included."""
    return sum(getattr(entry, "n_terms", 1) for entry in entries)


def iterate_tfs(entries: Iterable[Any]) -> Iterator[Hashable]:
    """Yield the TFs that conditions name, in order, repeats included: ``[And(5, Or(7, 8)), 5]`` gives 5, 7, 8, 5."""
    for entry in entries:
        if isinstance(entry, Relation):
            yield from entry.named
        else:
            yield entry


def list_steps(entries: Iterable[Any], operator: type[Relation]) -> tuple[list[Any], int]:
    """Return how to evaluate entries that an operator joins, in postfix order, and the most values that wait."""
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
    """Refuse what is no label; ``key`` is the TF whose conditions hold it, where there is no ``holder``."""
    kind = type(label)
    if kind is int or kind is str:
        return
    if not is_label(label):
        raise InputTypeError(
            f"{holder or describe_key(key)} holds {format_value(label)}; "
            "expected a TF's label (an integer or text), And, Or or Not"
        )
