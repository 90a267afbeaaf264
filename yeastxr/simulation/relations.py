"""And, Or, Not: on which other TFs a TF's effect depends; which TFs they name, and where they hold.

A mapping from a TF to a list of conditions, all of which must hold for a gene: a plain TF (that TF binds the gene), or
``And``, ``Or``, ``Not`` of conditions, nested at will. TFs are named by their labels.
"""

from collections.abc import Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import reduce
from typing import Any

import numpy as np

from yeastxr._validate import to_python
from yeastxr.errors import InputError, InputTypeError, format_value, suggest

_MAX_DEPTH = 100  # deeper nesting than anyone writes by hand; keeps evaluation and JSON far from Python's own limit


@dataclass(frozen=True, init=False, repr=False)
class _Relation:
    """What And, Or and Not share: entries, how deep they are nested, what they name, a repr, equality and a hash."""

    entries: tuple[Any, ...]
    depth: int = field(compare=False)
    named: tuple[Hashable, ...] = field(compare=False)  # every TF in it, repeats included

    def __init__(self, *entries: Any) -> None:
        name = type(self).__name__
        if not entries:
            raise InputError(f"{name}() is empty; expected at least one TF or relation")
        for entry in entries:
            if not isinstance(entry, _Relation):
                _check_label(entry, f"{name}()")
        entries = tuple(map(to_python, entries))
        object.__setattr__(self, "entries", entries)
        object.__setattr__(self, "named", tuple(iterate_tfs(entries)))
        object.__setattr__(self, "depth", 1 + max(getattr(entry, "depth", 0) for entry in entries))
        if self.depth > _MAX_DEPTH:
            raise InputError(f"{name}() is nested more than {_MAX_DEPTH} deep; expected a flatter relation")

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(map(repr, self.entries))})"


class And(_Relation):
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
    """


class Or(_Relation):
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
    """


class Not(_Relation):
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


class Relationships(Mapping[Hashable, tuple[Any, ...]]):
    """Relationships that have been checked: from TFs to tuples of conditions, all labels plain; immutable."""

    def __init__(self, conditions: Mapping[Hashable, tuple[Any, ...]]) -> None:
        self._conditions = dict(conditions)
        self.tfs = frozenset(self._conditions).union(*map(iterate_tfs, self._conditions.values()))  # all it speaks of

    def __getitem__(self, tf: Hashable) -> tuple[Any, ...]:
        return self._conditions[tf]

    def __iter__(self) -> Iterator[Hashable]:
        return iter(self._conditions)

    def __len__(self) -> int:
        return len(self._conditions)

    def __repr__(self) -> str:
        return repr(self._conditions)


def iterate_tfs(entries: Iterable[Any]) -> Iterator[Hashable]:
    """Yield the TFs that conditions name, in the order they are written, repeats included.

    Examples
    --------
    >>> from yeastxr import And
    >>> from yeastxr import Or
    >>> list(iterate_tfs([And(5, Or(7, 8)), 5]))
    [5, 7, 8, 5]
    """
    for entry in entries:
        if isinstance(entry, _Relation):
            yield from entry.named
        else:
            yield entry


def check_relationships(value: Any, tfs: Iterable[Hashable]) -> Relationships:
    """Return TF relationships whose every TF is a known one, or refuse them.

    Parameters
    ----------
    value
        A mapping from a TF to a list of conditions; an empty list is no condition.
    tfs
        The labels of the TFs there are.

    Returns
    -------
    Relationships
        From TF labels to tuples of conditions; TFs without a condition are kept.

    Raises
    ------
    InputError
        If a TF is unknown, or a list or a relation is of the wrong type or empty; the message names the nearest TFs.
    """
    if not isinstance(value, Mapping):
        raise InputTypeError(
            f"tf_relationships is {format_value(value)}; expected a dict from a TF to a list of TFs, And, Or and Not"
        )
    known = {to_python(tf): None for tf in tfs}
    if isinstance(value, Relationships) and value.tfs <= known.keys():
        return value
    checked: dict[Hashable, tuple[Any, ...]] = {}
    for tf, entries in value.items():
        if isinstance(entries, str | bytes | _Relation | Mapping) or not isinstance(entries, Iterable):
            raise InputTypeError(f"{_of(tf)} is {format_value(entries)}; expected a list of TFs, And, Or and Not")
        conditions = tuple(map(to_python, entries))
        for entry in conditions:
            if not isinstance(entry, _Relation):
                _check_label(entry, _of(tf))
        _check_label(tf, "the keys of tf_relationships")
        if to_python(tf) not in known:
            raise InputError(
                f"tf_relationships names the TF {format_value(tf)}, which is not known; {suggest(tf, known)}"
            )
        for named in iterate_tfs(conditions):
            if named not in known:
                raise InputError(
                    f"{_of(tf)} names the TF {format_value(named)}, which is not known; {suggest(named, known)}"
                )
        checked[to_python(tf)] = conditions
    return Relationships(checked)


def to_json(relationships: Mapping[Hashable, Iterable[Any]]) -> dict[str, list[Any]]:
    """Return relationships in a form that JSON holds: ``{"and": [...]}``, ``{"or": [...]}``, ``{"not": entry}``.

    Parameters
    ----------
    relationships
        From TFs to conditions: TFs, ``And``, ``Or``, ``Not``.

    Returns
    -------
    dict of str to list
        The same, keys as text.

    Examples
    --------
    >>> from yeastxr import And
    >>> from yeastxr import Or
    >>> from yeastxr import Not
    >>> to_json({0: [And(3, 4), Or(3, Not(7))], 2: []})
    {'0': [{'and': [3, 4]}, {'or': [3, {'not': 7}]}], '2': []}
    """
    return {str(tf): [_entry_to_json(entry) for entry in entries] for tf, entries in relationships.items()}


def from_json(value: Any, *, named: bool) -> dict[Hashable, list[Any]]:
    """Return relationships from their JSON form; the inverse of :func:`~yeastxr.simulation.relations.to_json`.

    Parameters
    ----------
    value
        An object from a TF to a list of conditions. A TF or a condition may stand alone instead of a list of one.
    named
        Whether TFs have names; otherwise they are integers, and the object's keys are read as such.

    Returns
    -------
    dict
        From TFs to lists of conditions.

    Raises
    ------
    InputError
        If the form is another one.

    Examples
    --------
    >>> from_json({"0": [{"or": [3, {"not": 7}]}], "2": []}, named=False)
    {0: [Or(3, Not(7))], 2: []}
    """
    if not isinstance(value, Mapping):
        raise InputTypeError(
            f"tf_relationships is {format_value(value)}; expected an object from a TF to a list of conditions"
        )
    relationships: dict[Hashable, list[Any]] = {}
    for tf, entries in value.items():
        label = tf if named else _integer_key(tf)
        relationships[label] = [
            _entry_from_json(entry) for entry in (entries if isinstance(entries, list) else [entries])
        ]
    return relationships


def evaluate_conditions(columns: Mapping[Hashable, np.ndarray], entries: Iterable[Any]) -> np.ndarray:
    """Say where all conditions of one TF hold.

    Parameters
    ----------
    columns
        For each TF that is named, where it binds: arrays of one shape, bool, or of bits packed in unsigned integers.
    entries
        The conditions, at least one, all of which must hold.

    Returns
    -------
    numpy.ndarray
        An array like the columns.

    Examples
    --------
    >>> import numpy as np
    >>> from yeastxr import Not
    >>> columns = {1: np.array([True, False]), 2: np.array([True, True])}
    >>> evaluate_conditions(columns, [2, Not(1)])
    array([False,  True])
    """
    return reduce(np.bitwise_and, [_holds(columns, entry) for entry in entries])


def _holds(columns: Mapping[Hashable, np.ndarray], entry: Any) -> np.ndarray:
    if isinstance(entry, Not):
        return ~_holds(columns, entry.entries[0])
    if isinstance(entry, _Relation):
        operation = np.bitwise_and if isinstance(entry, And) else np.bitwise_or
        return reduce(operation, [_holds(columns, e) for e in entry.entries])
    return columns[entry]


def _of(tf: object) -> str:
    return f"tf_relationships[{format_value(tf)}]"


def _check_label(label: Any, where: str) -> None:
    if isinstance(label, bool | np.bool_) or not isinstance(label, str | int | np.integer):
        raise InputTypeError(
            f"{where} holds {format_value(label)}; expected a TF's label (an integer or text), And, Or or Not"
        )


def _entry_to_json(entry: Any) -> Any:
    if isinstance(entry, Not):
        return {"not": _entry_to_json(entry.entries[0])}
    if isinstance(entry, _Relation):
        return {type(entry).__name__.lower(): [_entry_to_json(e) for e in entry.entries]}
    return entry


def _entry_from_json(value: Any, level: int = 0) -> Any:
    if level > _MAX_DEPTH:
        raise InputError(f"tf_relationships is nested more than {_MAX_DEPTH} deep; expected a flatter relation")
    if not isinstance(value, Mapping):
        return value
    kinds = {"and": And, "or": Or, "not": Not}
    operator = next(iter(value), None)
    if len(value) != 1 or operator not in kinds:
        raise InputError(
            f"tf_relationships holds {format_value(value)}; "
            'expected {"and": [...]}, {"or": [...]} or {"not": ...}'
        )
    entries = value[operator] if isinstance(value[operator], list) else [value[operator]]
    return kinds[operator](*(_entry_from_json(entry, level + 1) for entry in entries))


def _integer_key(key: object) -> int:
    try:
        return int(str(key))
    except ValueError:
        raise InputError(
            f"tf_relationships names the TF {format_value(key)}, but the TFs have no names; expected an integer"
        ) from None
