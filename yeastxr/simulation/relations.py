"""And, Or, Not: the conditions of a TF's effect on other TFs.

A mapping from a TF to a list of conditions, all of which must hold for a gene: a plain TF (that TF binds the gene), or
``And``, ``Or``, ``Not`` of conditions, nested at will. TFs are named by their labels.
"""

from collections.abc import Collection, Hashable, Iterable, Iterator, Mapping, Set
from dataclasses import dataclass, field
from typing import Any, NamedTuple, NoReturn

import numpy as np

from yeastxr._validate import to_python, unwrap
from yeastxr.errors import InputError, InputTypeError, format_value, suggest

_MAX_DEPTH = 100  # far below Python's limit of recursion, for evaluation and JSON
_MAX_TERMS = 100_000  # of the conditions of a TF; shared parts count each time, as they are written and evaluated
_MAX_TERMS_IN_ALL = 2_000_000


@dataclass(frozen=True, init=False, repr=False)
class _Relation:
    """The base of And, Or and Not: entries, depth of nesting, TFs named, repr, equality and hash."""

    entries: tuple[Any, ...]
    depth: int = field(compare=False)
    n_terms: int = field(compare=False)
    named: tuple[Hashable, ...] = field(compare=False)  # every TF that it names, repeats included
    steps: tuple[Any, ...] = field(compare=False)  # how to evaluate it, in postfix order: TFs, And, Or and Not
    n_waiting: int = field(compare=False)  # the most values that wait at a time when it is evaluated

    def __init__(self, *entries: Any) -> None:
        name = type(self).__name__
        if not entries:
            raise InputError(f"{name}() is empty; expected at least one TF or relation")
        for entry in entries:
            if not isinstance(entry, _Relation):
                _check_label(entry, f"{name}()")
        entries = tuple(map(to_python, entries))
        object.__setattr__(self, "entries", entries)
        object.__setattr__(self, "depth", 1 + max(getattr(entry, "depth", 0) for entry in entries))
        if self.depth > _MAX_DEPTH:
            raise InputError(f"{name}() is nested more than {_MAX_DEPTH} deep; expected a flatter relation")
        object.__setattr__(self, "n_terms", _count_terms(entries))
        if self.n_terms > _MAX_TERMS:
            raise InputError(f"{name}() has {self.n_terms:,} terms; expected at most {_MAX_TERMS:,}")
        object.__setattr__(self, "named", tuple(iterate_tfs(entries)))
        steps, n_waiting = _list_steps(entries, type(self))
        object.__setattr__(self, "steps", (*steps, Not) if isinstance(self, Not) else tuple(steps))
        object.__setattr__(self, "n_waiting", n_waiting)

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
    """Checked relationships, immutable: from TFs to tuples of conditions, all labels plain Python."""

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


def _count_terms(entries: Iterable[Any]) -> int:
    """Return how many TFs conditions name, repeats included."""
    return sum(getattr(entry, "n_terms", 1) for entry in entries)


def iterate_tfs(entries: Iterable[Any]) -> Iterator[Hashable]:
    """Yield the TFs that conditions name, in order, repeats included: ``[And(5, Or(7, 8)), 5]`` gives 5, 7, 8, 5."""
    for entry in entries:
        if isinstance(entry, _Relation):
            yield from entry.named
        else:
            yield entry


def check_relationships(value: Any, tfs: Iterable[Hashable]) -> Relationships:
    """Return TF relationships whose TFs are all among the labels of ``tfs``, or refuse them; an empty list is kept."""
    if not isinstance(value, Mapping):
        raise InputTypeError(
            f"tf_relationships is {format_value(value)}; expected a dict from a TF to TFs, And, Or and Not"
        )
    known = dict.fromkeys(tfs if isinstance(tfs, range) else map(to_python, tfs))
    if isinstance(value, Relationships) and value.tfs <= known.keys():
        return value
    checked: dict[Hashable, tuple[Any, ...]] = {}
    named: set[Hashable] = set()
    n_terms = 0
    for tf, entries in value.items():
        if not isinstance(entries, list | tuple):
            entries = _collect_entries(tf, entries)
        own_terms = len(entries)
        if own_terms <= _MAX_TERMS:
            conditions = tuple(map(to_python, entries))
            own_terms = _count_terms(conditions)
        if own_terms > _MAX_TERMS:
            raise InputError(f"{_describe_key(tf)} has {own_terms:,} terms; expected at most {_MAX_TERMS:,}")
        n_terms += own_terms
        if n_terms > _MAX_TERMS_IN_ALL:
            raise InputError(f"tf_relationships has more than {_MAX_TERMS_IN_ALL:,} terms; expected at most as many")
        for entry in conditions:
            if isinstance(entry, _Relation):
                named.update(entry.named)
            else:
                _check_label(entry, "", tf)
                named.add(entry)
        _check_label(tf, "the keys of tf_relationships")
        checked[to_python(tf)] = conditions
    named.update(checked)
    if not named <= known.keys():
        _refuse_unknown(checked, known)
    return Relationships(checked, named)


def _refuse_unknown(relationships: Mapping[Hashable, Iterable[Any]], known: Collection[Hashable]) -> NoReturn:
    """Refuse the first TF of relationships that is not known."""
    for tf, entries in relationships.items():
        if tf not in known:
            raise InputError(
                f"tf_relationships names the TF {format_value(tf)}, which is not known; {suggest(tf, known)}"
            )
        for name in iterate_tfs(entries):
            if name not in known:
                raise InputError(
                    f"{_describe_key(tf)} names the TF {format_value(name)}, which is not known; {suggest(name, known)}"
                )
    raise AssertionError(relationships)


def _collect_entries(tf: Hashable, entries: Any) -> Collection[Any]:
    """Return the entries of a TF, of which one may stand alone, as a collection with an order."""
    entries = unwrap(entries)
    if isinstance(entries, str | int | _Relation) and not isinstance(entries, bool):
        return [entries]
    if isinstance(entries, Set):
        return sorted(entries, key=repr)  # one order in every process
    if isinstance(entries, bytes | Mapping) or not isinstance(entries, Collection):
        raise InputTypeError(
            f"{_describe_key(tf)} is {format_value(entries)}; expected TFs, And, Or and Not, or a list of them"
        )
    return np.asarray(entries) if hasattr(entries, "__array__") else entries


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
    made: dict[int, _Relation] = {}
    relationships: dict[Hashable, list[Any]] = {}
    for tf, entries in value.items():
        label = tf if named else _parse_integer(tf)
        if label in relationships:
            raise InputError(f"tf_relationships names the TF {format_value(label)} twice; expected it once")
        entries = entries if isinstance(entries, list) else [entries]
        relationships[label] = [_entry_from_json(entry, made) for entry in entries]
    return relationships


AND, OR, NOT, TRUE = -1, -2, -3, -4  # instructions of programs, beside the columns to push, from 0


class Programs(NamedTuple):
    """Conditions of several TFs in postfix order, for the kernel that evaluates them.

    ``code[starts[t] : starts[t + 1]]`` is the program of TF ``t``: columns to push, and instructions. It is empty
    without conditions. ``n_waiting`` is the most values that wait at a time.
    """

    code: np.ndarray
    starts: np.ndarray
    n_waiting: int

    def select(self, tfs: slice) -> "Programs":
        """Return the programs of some of the TFs."""
        return self._replace(starts=self.starts[tfs.start : tfs.stop + 1])


def compile_conditions(
    conditions: Iterable[tuple[Hashable, Iterable[Any]]],
    columns: Mapping[Hashable, int],
    *,
    assume_bound: bool = False,
) -> Programs:
    """Compile the conditions of several TFs, given as TFs with their conditions, and the columns of named TFs.

    With ``assume_bound`` a TF that its own conditions name is bound there.
    """
    codes: dict[Any, int] = {And: AND, Or: OR, Not: NOT, **columns}
    code: list[int] = []
    starts = [0]
    most_waiting = 0
    for tf, entries in conditions:
        if entries:
            steps, n_waiting = _list_steps(entries, And)
            own = {**codes, tf: TRUE} if assume_bound and tf in columns else codes
            code.extend(map(own.__getitem__, steps))
            most_waiting = max(most_waiting, n_waiting)
        starts.append(len(code))
    return Programs(np.array(code, np.int32), np.array(starts), most_waiting)


def _list_steps(entries: Iterable[Any], operator: type[_Relation]) -> tuple[list[Any], int]:
    """Return how to evaluate entries that an operator joins, in postfix order, and the most values that wait."""
    steps: list[Any] = []
    most_waiting = 0
    for i, entry in enumerate(entries):
        if isinstance(entry, _Relation):
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


def _describe_key(tf: object) -> str:
    return f"tf_relationships[{format_value(tf)}]"


def _check_label(label: Any, holder: str, key: object = None) -> None:
    """Refuse what is no label; ``key`` is the TF whose conditions hold it, where there is no ``holder``."""
    kind = type(label)
    if kind is int or kind is str:
        return
    if isinstance(label, bool | np.bool_) or not isinstance(label, str | int | np.integer):
        raise InputTypeError(
            f"{holder or _describe_key(key)} holds {format_value(label)}; "
            "expected a TF's label (an integer or text), And, Or or Not"
        )


def _entry_to_json(entry: Any) -> Any:
    if not isinstance(entry, _Relation):
        return entry
    if isinstance(entry, Not):
        return {"not": _entry_to_json(entry.entries[0])}
    return {name: [_entry_to_json(e) for e in entries] for name, entries in to_plain(entry).items()}


def to_plain(relation: _Relation) -> dict[str, Any]:
    """Return the JSON form of a relation, its entries as they are: for an encoder, which goes on with these."""
    if isinstance(relation, Not):
        return {"not": relation.entries[0]}
    return {"and" if isinstance(relation, And) else "or": relation.entries}


def _entry_from_json(value: Any, made: dict[int, _Relation], level: int = 0) -> Any:
    """Return an entry; ``made`` has the relations by identity, as aliases in YAML are one object many times."""
    if level > _MAX_DEPTH:
        raise InputError(f"tf_relationships is nested more than {_MAX_DEPTH} deep; expected a flatter relation")
    if not isinstance(value, Mapping):
        return value
    if id(value) in made:
        return made[id(value)]
    classes = {"and": And, "or": Or, "not": Not}
    operator = next(iter(value), None)
    if len(value) != 1 or operator not in classes:
        raise InputError(
            f"tf_relationships holds {format_value(value)}; "
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
