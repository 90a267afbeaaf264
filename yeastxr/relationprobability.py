"""How likely conditions of And, Or and Not hold, when each TF they name binds by its own chance; exact for any nesting.

Parts that share no TF are independent, so their probabilities multiply. Where parts share TFs, one of these is taken as
bound and as not bound by turns (Shannon's expansion), and what has been seen is remembered. A TF that is named twice
thereby counts once. The cost is that of a binary decision diagram: in proportion to the size of a relation that names
each TF once, in the worst case exponential in the number of TFs that are named more than once.
"""

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from fractions import Fraction
from math import prod
from typing import Any, TypeVar

from yeastxr.arguments import InputError, plain, shown
from yeastxr.relations import And, Not, Or, tfs_named

Probability = TypeVar("Probability", float, Fraction)

_Plan = tuple[Callable[..., Any], Sequence[Any]]


def conditions_probability(entries: Iterable[Any], bound: Mapping[Hashable, Probability]) -> Probability:
    """Return how likely it is that all conditions hold for a gene.

    TFs bind independently of each other.

    Parameters
    ----------
    entries
        The conditions, all of which must hold: TFs by their labels, ``And``, ``Or``, ``Not``, nested at will. None at
        all always hold.
    bound
        For each TF that is named, the probability that it binds the gene, in [0, 1]: floats, or fractions for an exact
        rational result.

    Returns
    -------
    float or fractions.Fraction
        In [0, 1]; of the kind of ``bound``.

    Raises
    ------
    InputError
        If a TF is named whose probability is not there, or is not in [0, 1].

    Examples
    --------
    >>> from fractions import Fraction
    >>> from yeastxr import And, Or
    >>> half = Fraction(1, 2)
    >>> conditions_probability([Or(1, 2), Or(1, 3)], {1: half, 2: half, 3: half})
    Fraction(5, 8)
    >>> conditions_probability([And(1, Or(1, 2))], {1: 0.25, 2: 0.5})
    0.25
    """
    entries = tuple(map(plain, entries))
    for tf in tfs_named(entries):
        if tf not in bound:
            raise InputError(f"bound lacks the TF {shown(tf)}, which a condition names; expected its probability")
        if not 0 <= bound[tf] <= 1:
            raise InputError(f"bound[{shown(tf)}] is {shown(bound[tf])}; expected a probability from 0 to 1")
    whole = _joined("and", [_formula(entry, True) for entry in entries])
    kind = Fraction if any(isinstance(value, Fraction) for value in bound.values()) else float
    known: dict[Any, Any] = {True: kind(1), False: kind(0)}
    plans: dict[Any, _Plan] = {}
    waiting = [whole]
    while waiting:  # a stack of our own: an expansion may go deeper than Python recurses
        formula = waiting[-1]
        if formula in known:
            waiting.pop()
            continue
        if formula not in plans:
            plans[formula] = _plan(formula, bound)
        combine, parts = plans[formula]
        missing = [part for part in parts if part not in known]
        if missing:
            waiting.extend(missing)
        else:
            known[formula] = combine(*(known[part] for part in parts))
    return known[whole]


class _Binds:
    """That a TF binds the gene, or that it does not."""

    __slots__ = ("_hash", "binds", "tf", "tfs")

    def __init__(self, tf: Hashable, binds: bool) -> None:
        self.tf, self.binds = tf, binds
        self.tfs = frozenset([tf])
        self._hash = hash((tf, binds))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Binds) and self.tf == other.tf and self.binds == other.binds

    def __hash__(self) -> int:
        return self._hash


class _Joined:
    """Formulas, none of them plainly true or false, joined by "and" or by "or"; order and repeats don't matter."""

    __slots__ = ("_hash", "operator", "parts", "tfs")

    def __init__(self, operator: str, parts: frozenset[Any]) -> None:
        self.operator, self.parts = operator, parts
        self.tfs: frozenset[Hashable] = frozenset().union(*(part.tfs for part in parts))
        self._hash = hash((operator, parts))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Joined) and self.operator == other.operator and self.parts == other.parts

    def __hash__(self) -> int:
        return self._hash


def _formula(entry: Any, wanted: bool) -> Any:
    """Return an entry, or what says that it does not hold, with every Not moved down to the TFs."""
    if isinstance(entry, Not):
        return _formula(entry.entries[0], not wanted)
    if isinstance(entry, And | Or):
        operator = "and" if isinstance(entry, And) is wanted else "or"
        return _joined(operator, [_formula(e, wanted) for e in entry.entries])
    return _Binds(entry, wanted)


def _joined(operator: str, parts: Iterable[Any]) -> Any:
    """Join formulas; True and False are taken out, and what is joined the same way is made one."""
    decides = operator == "or"  # one part of this value is the value of all
    flat: set[Any] = set()
    for part in parts:
        if isinstance(part, bool):
            if part is decides:
                return decides
        elif isinstance(part, _Joined) and part.operator == operator:
            flat |= part.parts
        else:
            flat.add(part)
    if len(flat) < 2:
        return flat.pop() if flat else not decides
    return _Joined(operator, frozenset(flat))


def _plan(formula: Any, bound: Mapping[Hashable, Any]) -> _Plan:
    """Say of which formulas' probabilities that of a formula is made, and how."""
    if isinstance(formula, _Binds):
        chance = bound[formula.tf]
        return (lambda: chance if formula.binds else 1 - chance), ()
    groups = _independent(formula.parts)
    if len(groups) > 1:
        parts = [_joined(formula.operator, group) for group in groups]
        if formula.operator == "and":
            return (lambda *chances: prod(chances)), parts
        return (lambda *chances: 1 - prod(1 - chance for chance in chances)), parts
    count = Counter(tf for part in formula.parts for tf in part.tfs)
    most = max(count.values())
    # Of the TFs in most parts the middle one: it cuts chains of TFs in half.
    often = sorted((tf for tf, n in count.items() if n == most), key=lambda tf: (str(type(tf)), tf))
    tf = often[len(often) // 2]
    chance = bound[tf]
    return (
        lambda yes, no: chance * yes + (1 - chance) * no,
        (_given(formula, tf, True), _given(formula, tf, False)),
    )


def _given(formula: Any, tf: Hashable, binds: bool) -> Any:
    """Return what a formula becomes once it is known whether a TF binds."""
    if tf not in formula.tfs:
        return formula
    if isinstance(formula, _Binds):
        return formula.binds is binds
    return _joined(formula.operator, [_given(part, tf, binds) for part in formula.parts])


def _independent(parts: Iterable[Any]) -> list[list[Any]]:
    """Put formulas that share TFs, directly or through others, into groups."""
    group_of: dict[Hashable, list[Any]] = {}
    groups: dict[int, list[Any]] = {}
    for part in parts:
        merged = [part]
        for group in {id(group_of[tf]): group_of[tf] for tf in part.tfs if tf in group_of}.values():
            merged += group
            del groups[id(group)]
        groups[id(merged)] = merged
        for member in merged:
            group_of.update(dict.fromkeys(member.tfs, merged))
    return list(groups.values())
