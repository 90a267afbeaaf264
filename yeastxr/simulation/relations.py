"""Relationships of TFs: validation, JSON, and compilation to programs for the kernel.

Relationships map a TF to a list of conditions, all of which must hold for a gene. A condition is a TF (that TF binds
the gene), ``And``, ``Or`` or ``Not`` of conditions, nested to any depth, or such a relation as text. TFs are given by
their labels.
"""

from collections.abc import Collection, Hashable, Iterable, Iterator, Mapping, Set
from typing import Any, NamedTuple, NoReturn

import numpy as np

from yeastxr._validate import to_python, unwrap
from yeastxr.errors import InputError, InputTypeError, format_value, suggest
from yeastxr.simulation.operators import (
    MAX_DEPTH,
    MAX_TERMS,
    And,
    Not,
    Or,
    Relation,
    check_label,
    count_terms,
    describe_key,
    iterate_tfs,
    list_steps,
    to_label,
)
from yeastxr.simulation.relation_text import RelationError, is_relation_text, parse_text, show_line

_MAX_TERMS_IN_ALL = 2_000_000


class Relationships(Mapping[Hashable, tuple[Any, ...]]):
    """Validated relationships: an immutable mapping from TFs to tuples of conditions, with plain Python labels."""

    def __init__(self, conditions: dict[Hashable, tuple[Any, ...]], tfs: Set[Hashable]) -> None:
        self._conditions = conditions
        self.tfs = tfs  # keys and named

    def __getitem__(self, tf: Hashable) -> tuple[Any, ...]:
        return self._conditions[tf]

    def __iter__(self) -> Iterator[Hashable]:
        return iter(self._conditions)

    def __len__(self) -> int:
        return len(self._conditions)

    def __repr__(self) -> str:
        return repr(self._conditions)


def check_relationships(value: Any, tfs: Iterable[Hashable] | None) -> Relationships:
    """Return validated TF relationships, whose TFs must be among ``tfs``; empty lists are kept.

    If ``tfs`` is None, any label is valid.
    """
    if not isinstance(value, Mapping):
        raise InputTypeError(
            f"tf_relationships is {format_value(value)}; expected a dict from TFs to conditions (TFs, And, Or, Not)"
        )
    known = None if tfs is None else dict.fromkeys(tfs if isinstance(tfs, range) else map(to_python, tfs))
    if isinstance(value, Relationships) and (known is None or value.tfs <= known.keys()):
        return value
    checked: dict[Hashable, tuple[Any, ...]] = {}
    named: set[Hashable] = set()
    n_terms = 0
    for tf, entries in value.items():
        if not isinstance(entries, list | tuple):
            entries = _collect_entries(tf, entries)
        own_terms = len(entries)
        if own_terms <= MAX_TERMS:
            conditions = tuple(_to_condition(tf, entry, known) for entry in entries)
            own_terms = count_terms(conditions)
        if own_terms > MAX_TERMS:
            raise InputError(f"{describe_key(tf)} has {own_terms:,} terms; expected at most {MAX_TERMS:,}")
        n_terms += own_terms
        if n_terms > _MAX_TERMS_IN_ALL:
            raise InputError(f"tf_relationships has more than {_MAX_TERMS_IN_ALL:,} terms; expected fewer")
        for entry in conditions:
            if isinstance(entry, Relation):
                named.update(entry.named)
            else:
                check_label(entry, "", tf)
                named.add(entry)
        check_label(tf, "the keys of tf_relationships")
        checked[to_python(tf)] = conditions
    named.update(checked)
    if known is not None and not named <= known.keys():
        _refuse_unknown(checked, known)
    return Relationships(checked, named)


def _to_condition(tf: Hashable, entry: Any, known: Collection[Hashable] | None) -> Any:
    """Return a condition; text with operators that is not the label of a TF is parsed as a relation."""
    entry = to_label(entry)
    if not isinstance(entry, str) or (known and entry in known) or not is_relation_text(entry):
        return entry
    try:
        return parse_text(entry, known)
    except RelationError as error:
        message = f"{describe_key(tf)} is {format_value(entry)}, which is not the label of a TF: {error}"
        refusal = InputError(message)
        refusal.add_note(show_line(entry, error.position))
        raise refusal from None


def _refuse_unknown(relationships: Mapping[Hashable, Iterable[Any]], known: Collection[Hashable]) -> NoReturn:
    """Raise for the first unknown TF."""
    for tf, entries in relationships.items():
        if tf not in known:
            raise InputError(
                f"tf_relationships names the TF {format_value(tf)}, which is unknown; {suggest(tf, known)}"
            )
        for name in iterate_tfs(entries):
            if name not in known:
                raise InputError(
                    f"{describe_key(tf)} names the TF {format_value(name)}, which is unknown; {suggest(name, known)}"
                )
    raise AssertionError(relationships)


def _collect_entries(tf: Hashable, entries: Any) -> Collection[Any]:
    """Return the conditions of a TF, a single one or several, as an ordered collection."""
    entries = unwrap(entries)
    if isinstance(entries, str | int | np.integer | Relation) and not isinstance(entries, bool):
        return [entries]
    if isinstance(entries, Set):
        return sorted(entries, key=repr)  # one order in every process
    if isinstance(entries, bytes | Mapping) or not isinstance(entries, Collection):
        raise InputTypeError(
            f"{describe_key(tf)} is {format_value(entries)}; expected a TF, And, Or, Not, or a list of them"
        )
    return np.asarray(entries) if hasattr(entries, "__array__") else entries


def to_json(relationships: Mapping[Hashable, Iterable[Any]]) -> dict[str, list[Any]]:
    """Convert relationships to JSON values: ``{"and": [...]}``, ``{"or": [...]}``, ``{"not": entry}``.

    Parameters
    ----------
    relationships
        A dict from TFs to conditions: TFs, ``And``, ``Or``, ``Not``.

    Returns
    -------
    dict of str to list
        The converted relationships, with string keys.

    Examples
    --------
    >>> from yeastxr import And
    >>> from yeastxr import Or
    >>> from yeastxr import Not
    >>> to_json({0: [And(3, 4), Or(3, Not(7))], 2: []})
    {'0': [{'and': [3, 4]}, {'or': [3, {'not': 7}]}], '2': []}
    """
    return {str(tf): [_entry_to_json(entry) for entry in entries] for tf, entries in relationships.items()}


def rename_tfs(relationships: Mapping[Hashable, Iterable[Any]], names: Mapping[Any, str]) -> dict[Hashable, list[Any]]:
    """Rename the TFs of relationships."""

    def rename(entry: Any) -> Any:
        if isinstance(entry, Relation):
            return type(entry)(*map(rename, entry.entries))
        return names.get(entry, entry)

    return {rename(tf): [rename(entry) for entry in entries] for tf, entries in relationships.items()}


def from_json(value: Any, *, named: bool) -> dict[Hashable, list[Any]]:
    """Convert JSON values to relationships; the inverse of :func:`~yeastxr.simulation.relations.to_json`.

    Parameters
    ----------
    value
        An object that maps TFs to lists of conditions, or to a single condition.
    named
        Whether TFs have names; otherwise keys are converted to integers.

    Returns
    -------
    dict
        A dict from TFs to lists of conditions.

    Raises
    ------
    InputError
        If the value has another form.

    Examples
    --------
    >>> from_json({"0": [{"or": [3, {"not": 7}]}], "2": []}, named=False)
    {0: [Or(3, Not(7))], 2: []}
    """
    if not isinstance(value, Mapping):
        raise InputTypeError(
            f"tf_relationships is {format_value(value)}; expected an object that maps TFs to lists of conditions"
        )
    made: dict[int, Relation] = {}
    relationships: dict[Hashable, list[Any]] = {}
    for tf, entries in value.items():
        label = tf if named else _parse_integer(tf)
        if label in relationships:
            raise InputError(f"tf_relationships names the TF {format_value(label)} twice; expected it once")
        entries = entries if isinstance(entries, list) else [entries]
        relationships[label] = [_entry_from_json(entry, made) for entry in entries]
    return relationships


AND, OR, NOT, TRUE = -1, -2, -3, -4  # instructions of programs; other codes, from 0, push a column


class Programs(NamedTuple):
    """Conditions of several TFs in postfix order, for the kernel that evaluates them.

    ``code[starts[t] : starts[t + 1]]`` is the program of TF ``t``: columns to push, and instructions. It is empty
    without conditions. ``n_waiting`` is the largest size of the stack.
    """

    code: np.ndarray
    starts: np.ndarray
    n_waiting: int

    def select(self, tfs: slice) -> "Programs":
        """Return the programs of the selected TFs."""
        return self._replace(starts=self.starts[tfs.start : tfs.stop + 1])


def compile_conditions(
    conditions: Iterable[tuple[Hashable, Iterable[Any]]],
    columns: Mapping[Hashable, int],
    *,
    assume_bound: bool = False,
) -> Programs:
    """Compile the conditions of several TFs for the given columns of labels.

    With ``assume_bound``, a TF is bound wherever its own conditions name it.
    """
    codes: dict[Any, int] = {And: AND, Or: OR, Not: NOT, **columns}
    code: list[int] = []
    starts = [0]
    most_waiting = 0
    for tf, entries in conditions:
        if entries:
            steps, n_waiting = list_steps(entries, And)
            own = {**codes, tf: TRUE} if assume_bound and tf in columns else codes
            code.extend(map(own.__getitem__, steps))
            most_waiting = max(most_waiting, n_waiting)
        starts.append(len(code))
    return Programs(np.array(code, np.int32), np.array(starts), most_waiting)


def _entry_to_json(entry: Any) -> Any:
    if not isinstance(entry, Relation):
        return entry
    if isinstance(entry, Not):
        return {"not": _entry_to_json(entry.entries[0])}
    return {name: [_entry_to_json(e) for e in entries] for name, entries in to_plain(entry).items()}


def to_plain(relation: Relation) -> dict[str, Any]:
    """Return the JSON form of a relation without converting its entries, for use in an encoder."""
    if isinstance(relation, Not):
        return {"not": relation.entries[0]}
    return {"and" if isinstance(relation, And) else "or": relation.entries}


def _entry_from_json(value: Any, made: dict[int, Relation], level: int = 0) -> Any:
    """Convert an entry; ``made`` caches relations by identity, because YAML aliases share objects."""
    if level > MAX_DEPTH:
        raise InputError(f"tf_relationships has more than {MAX_DEPTH} levels; expected at most {MAX_DEPTH}")
    if not isinstance(value, Mapping):
        return value
    if id(value) in made:
        return made[id(value)]
    classes = {"and": And, "or": Or, "not": Not}
    operator = next(iter(value), None)
    if len(value) != 1 or operator not in classes:
        raise InputError(
            f"tf_relationships contains {format_value(value)}; "
            'expected {"and": [...]}, {"or": [...]} or {"not": ...}'
        )
    entries = value[operator] if isinstance(value[operator], list) else [value[operator]]
    made[id(value)] = classes[operator](*(_entry_from_json(entry, made, level + 1) for entry in entries))
    return made[id(value)]


def _parse_integer(key: object) -> int:
    try:
        return int(str(key))
    except ValueError:  # of the text, or of more than 4,300 digits
        raise InputError(
            f"tf_relationships names the TF {format_value(key)}, but the TFs have no names; expected an integer"
        ) from None
