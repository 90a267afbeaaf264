"""How likely conditions of And, Or and Not hold, when each TF they name binds by its own chance; exact for any nesting.

Parts that share no TF are independent, so their probabilities multiply. Where parts share TFs, one of these is taken as
bound and as not bound by turns (Shannon's expansion), and what has been seen is remembered. A TF that is named twice
thereby counts once. The cost is that of a binary decision diagram: in proportion to the size of a relation that names
each TF once, in the worst case exponential in the number of TFs that are named more than once.
"""

from collections import Counter
from collections.abc import Hashable, Iterable, Mapping
from fractions import Fraction
from math import prod
from typing import Any, NamedTuple, TypeVar

from yeastxr._validate import to_python
from yeastxr.errors import InputError, format_value
from yeastxr.simulation.relations import And, Not, Or, iterate_tfs

Probability = TypeVar("Probability", float, Fraction)


class _Plan(NamedTuple):
    """How a formula's probability is made: "and" or "or" of independent parts, "given" a TF, or that it "binds"."""

    operator: str
    tf: Hashable
    parts: tuple[Any, ...]


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
    >>> from yeastxr import And
    >>> from yeastxr import Or
    >>> half = Fraction(1, 2)
    >>> conditions_probability([Or(1, 2), Or(1, 3)], {1: half, 2: half, 3: half})
    Fraction(5, 8)
    >>> conditions_probability([And(1, Or(1, 2))], {1: 0.25, 2: 0.5})
    0.25
    """
    whole, known, _ = _expanded(entries, bound)
    return known[whole]


def importances(entries: Iterable[Any], bound: Mapping[Hashable, Probability]) -> dict[Hashable, float]:
    """Return by how much likelier the conditions hold where a TF binds than where it does not, for each that is named.

    This is Birnbaum's importance (1969) of the parts of a system, the derivative of the probability by that of the TF:
    one pass back over the expansion gives all.

    Parameters
    ----------
    entries, bound
        As for :func:`conditions_probability`.

    Returns
    -------
    dict
        From each TF that is named to a number in [-1, 1].

    Raises
    ------
    InputError
        As :func:`conditions_probability`.

    Examples
    --------
    >>> from yeastxr import And
    >>> from yeastxr import Not
    >>> importances([And(1, Not(2))], {1: 0.25, 2: 0.5})
    {1: 0.5, 2: -0.25}
    """
    entries = tuple(entries)
    whole, known, plans = _expanded(entries, bound)
    found = dict.fromkeys(map(to_python, iterate_tfs(entries)), 0.0)
    weights = dict.fromkeys(known, 0.0) | {whole: 1.0}
    for formula in reversed(known):  # a formula comes after its parts
        if formula not in plans:
            continue
        (operator, tf, parts), weight = plans[formula], weights[formula]
        chances = [float(known[part]) for part in parts]
        if operator == "binds":
            found[tf] += weight if formula.binds else -weight
        elif operator == "given":
            found[tf] += weight * (chances[0] - chances[1])
            for part, share in zip(parts, (float(bound[tf]), 1 - float(bound[tf])), strict=True):
                weights[part] += weight * share
        else:
            others = chances if operator == "and" else [1 - chance for chance in chances]
            before, after = [1.0], [1.0]  # products of those before, and of those after, each part
            for chance, last in zip(others[:-1], others[:0:-1], strict=True):
                before.append(before[-1] * chance)
                after.append(after[-1] * last)
            for part, left, right in zip(parts, before, reversed(after), strict=True):
                weights[part] += weight * left * right
    return found


def _expanded(entries: Iterable[Any], bound: Mapping[Hashable, Any]) -> tuple[Any, dict[Any, Any], dict[Any, _Plan]]:
    """Return the formula of conditions, the probabilities of all formulas it leads to, parts first, and their plans."""
    entries = tuple(map(to_python, entries))
    for tf in iterate_tfs(entries):
        if tf not in bound:
            raise InputError(
                f"bound lacks the TF {format_value(tf)}, which a condition names; expected its probability"
            )
        if not 0 <= bound[tf] <= 1:
            raise InputError(
                f"bound[{format_value(tf)}] is {format_value(bound[tf])}; expected a probability from 0 to 1"
            )
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
            plans[formula] = _plan(formula)
        missing = [part for part in plans[formula].parts if part not in known]
        if missing:
            waiting.extend(missing)
        else:
            known[formula] = _combined(formula, plans[formula], bound, known)
    return whole, known, plans


def _combined(formula: Any, plan: _Plan, bound: Mapping[Hashable, Any], known: Mapping[Any, Any]) -> Any:
    """Return a formula's probability, given its parts'."""
    chances = [known[part] for part in plan.parts]
    if plan.operator == "and":
        return prod(chances)
    if plan.operator == "or":
        return 1 - prod(1 - chance for chance in chances)
    chance = bound[plan.tf]
    if plan.operator == "given":
        return chance * chances[0] + (1 - chance) * chances[1]
    return chance if formula.binds else 1 - chance


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


def _plan(formula: Any) -> _Plan:
    """Say of which formulas' probabilities that of a formula is made, and how."""
    if isinstance(formula, _Binds):
        return _Plan("binds", formula.tf, ())
    groups = _independent(formula.parts)
    if len(groups) > 1:
        return _Plan(formula.operator, None, tuple(_joined(formula.operator, group) for group in groups))
    count = Counter(tf for part in formula.parts for tf in part.tfs)
    most = max(count.values())
    # Of the TFs in most parts the middle one: it cuts chains of TFs in half.
    often = sorted((tf for tf, n in count.items() if n == most), key=lambda tf: (str(type(tf)), tf))
    tf = often[len(often) // 2]
    return _Plan("given", tf, (_given(formula, tf, True), _given(formula, tf, False)))


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
