"""The exact probability that conditions of And, Or and Not hold, given the probability that each TF binds.

Parts that share no TF are independent, so their probabilities multiply. For parts that share TFs, Shannon's expansion
conditions on one TF at a time, with cached results. The cost is that of a binary decision diagram: proportional to the
size of a relation that names each TF once, and in the worst case exponential in the number of TFs that are named more
than once.
"""

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping
from fractions import Fraction
from math import prod
from typing import Any, NamedTuple, TypeVar

import numpy as np

from yeastxr._validate import to_python
from yeastxr.errors import InputError, format_value
from yeastxr.simulation.operators import And, Not, Or, iterate_tfs
from yeastxr.theory.counts import (
    MOST_TERMS,
    Counts,
    add_counts,
    approximate_count,
    draw_sizes,
    fix_count,
    intersect_counts,
    negate_count,
)

_STEP = 1e-3
Probability = TypeVar("Probability", float, Fraction)


class _Plan(NamedTuple):
    """The plan for the probability of a formula: "and" or "or" of independent parts, "given" a TF, or "binds"."""

    operator: str
    tf: Hashable
    parts: tuple[Any, ...]


def compute_probability(entries: Iterable[Any], bound: Mapping[Hashable, Probability]) -> Probability:
    """Return the probability that all conditions hold for a gene, given the probability that each named TF binds it.

    TFs bind independently of each other. Without entries, the result is 1. Fractions give an exact fraction.

    >>> from yeastxr import And, Or
    >>> compute_probability([And(1, Or(1, 2))], {1: 0.25, 2: 0.5})
    0.25
    """
    root, known, _ = _expand(entries, bound)
    return known[root]


def compute_importances(entries: Iterable[Any], bound: Mapping[Hashable, Probability]) -> dict[Hashable, float]:
    """Return the difference of the probability of conditions with and without binding of each named TF.

    This is the importance of the parts of a system by Birnbaum (1969), the derivative with respect to the probability
    of the TF. A backward pass over the expansion computes all of them.
    """
    entries = tuple(entries)
    root, known, plans = _expand(entries, bound)
    importances = dict.fromkeys(map(to_python, iterate_tfs(entries)), 0.0)
    weights = dict.fromkeys(known, 0.0) | {root: 1.0}
    for formula in reversed(plans):  # a formula comes after its parts
        (operator, tf, parts), weight = plans[formula], weights[formula]
        chances = [float(known[part]) for part in parts]
        if operator == "binds":
            importances[tf] += weight if formula.binds else -weight
        elif operator == "given":
            importances[tf] += weight * (chances[0] - chances[1])
            for part, share in zip(parts, (float(bound[tf]), 1 - float(bound[tf])), strict=True):
                weights[part] += weight * share
        else:
            others = chances if operator == "and" else [1 - chance for chance in chances]
            before, after = [1.0], [1.0]  # products of the probabilities before and after each part
            for chance, last in zip(others[:-1], others[:0:-1], strict=True):
                before.append(before[-1] * chance)
                after.append(after[-1] * last)
            for part, left, right in zip(parts, before, reversed(after), strict=True):
                weights[part] += weight * left * right
    return importances


def count_genes(entries: Iterable[Any], tf: Hashable, bound: Mapping[Hashable, int], n: int) -> Counts:
    """Return the distribution of the number of genes, of n, that a TF binds and for which its conditions hold.

    ``bound`` is the number of genes that each TF binds: sets of this size are equally likely, and independent of other
    TFs. The distribution is exact if the conditions split into parts that share no TF (except for very costly ones).
    Otherwise the mean is exact, and the variance and the third cumulant are correct to leading order in n. Conditions
    that differ only in names of TFs give the same object.
    """
    entries = tuple(map(to_python, entries))
    root = _substitute(_join("and", [_normalize(entry, True) for entry in entries]), tf, True)
    known: dict[Any, Counts | None] = {True: fix_count(n), False: fix_count(0)}
    for formula, plan in _order_plans(root, _plan_count).items():
        known[formula] = _count_formula(formula, plan, bound, n, known)
    conditions = known[root]
    both = None if conditions is None else intersect_counts([conditions, fix_count(bound[tf])], n)
    if both is not None:
        return both
    chances = {other: Fraction(bound[other], n) for other in iterate_tfs(entries)} | {tf: Fraction(1)}
    return approximate_count(n, *_compute_cumulants(entries, tf, bound[tf], chances, n))


def _plan_count(formula: Any) -> _Plan:
    """Return the plan to count the genes for which a formula holds; parts of "given" must not share TFs."""
    plan = _make_plan(formula)
    if plan.operator == "given" and not any(isinstance(part, bool) for part in plan.parts):
        binds, fails = plan.parts
        return _Plan("shared", None, ()) if binds.tfs & fails.tfs else plan
    return plan


def _count_formula(
    formula: Any, plan: _Plan, bound: Mapping[Hashable, int], n: int, known: Mapping[Any, Counts | None]
) -> Counts | None:
    """Return the distribution of the number of genes for which a formula holds, from those of its parts."""
    if plan.operator == "binds":
        return fix_count(bound[plan.tf] if formula.binds else n - bound[plan.tf])
    if plan.operator == "shared":
        return _count_by_classes(formula, bound, n)
    counts = [count for part in plan.parts if (count := known[part]) is not None]
    if len(counts) < len(plan.parts):
        return None
    if plan.operator == "and":
        return intersect_counts(counts, n)
    if plan.operator == "or":
        return _unite_counts(counts, n)
    (binds, fails), (if_binds, if_fails) = plan.parts, counts
    own, rest = fix_count(bound[plan.tf]), fix_count(n - bound[plan.tf])
    if binds is True:
        return _unite_counts([own, if_fails], n)
    if fails is True:
        return _unite_counts([rest, if_binds], n)
    one, other = intersect_counts([own, if_binds], n), intersect_counts([rest, if_fails], n)
    return None if one is None or other is None else add_counts(one, other)


def _count_by_classes(formula: Any, bound: Mapping[Hashable, int], n: int) -> Counts | None:
    """Return the distribution of the number of genes for which a formula holds, TF by TF; None if it is costly.

    Genes are classified by the remaining formula, given the binding of the TFs processed so far. A state is the number
    of genes in each class; each TF splits the classes that depend on it.
    """
    classes, states, cost = [formula], np.array([[n]]), 0
    probabilities: np.ndarray = np.ones(1)
    while open_classes := [part for part in classes if part is not True]:
        occurrences = Counter(tf for part in open_classes for tf in part.tfs)
        tf = max(occurrences, key=lambda tf: (occurrences[tf], str(type(tf)), tf))
        genes, binds = np.full(states.shape[0], n), np.full(states.shape[0], bound[tf])
        columns: dict[Any, np.ndarray] = {}
        sizes = list(states.T)
        for i, part in enumerate(classes):
            if part is True or tf not in part.tfs:
                columns[part] = columns.get(part, 0) + sizes[i]
                continue
            drawn = draw_sizes(sizes[i], binds, genes)
            if drawn is None:
                return None
            rows, both, chances = drawn
            cost += rows.size
            if cost > MOST_TERMS:
                return None
            probabilities = probabilities[rows] * chances
            sizes = [size[rows] for size in sizes]
            columns = {other: column[rows] for other, column in columns.items()}
            for remainder, number in (
                (_substitute(part, tf, True), both),
                (_substitute(part, tf, False), sizes[i] - both),
            ):
                if remainder is not False:
                    columns[remainder] = columns.get(remainder, 0) + number
            genes, binds = genes[rows] - sizes[i], binds[rows] - both
        classes = list(columns)
        if not classes:
            return fix_count(0)
        if (n + 1) ** len(classes) >= 2**63:  # states are merged by an integer code
            return None
        states = np.stack(list(columns.values()), axis=1)
        keys = states @ (n + 1) ** np.arange(len(classes))
        _, first, positions = np.unique(keys, return_index=True, return_inverse=True)
        states, probabilities = states[first], np.bincount(positions, probabilities)
    return Counts.trim(0, np.bincount(states[:, 0], probabilities))


def _unite_counts(counts: Iterable[Counts], n: int) -> Counts | None:
    """Return the number of genes, out of n, in any of several independent sets; None if it is too costly."""
    neither = intersect_counts([negate_count(count, n) for count in counts], n)
    return None if neither is None else negate_count(neither, n)


def _compute_cumulants(
    entries: tuple[Any, ...], tf: Hashable, bound: int, chances: Mapping[Hashable, Fraction], n: int
) -> tuple[float, float, float]:
    """Return the mean, variance and third cumulant of the number of genes that a TF binds and whose conditions hold.

    To leading order they are n times those of ``F - sum(I (X - p))`` for one gene: F is 1 if the TF binds and its
    conditions hold, X is 1 if a TF binds, p is its probability and I its importance. The sum removes the part
    determined by the fixed numbers of bound genes.
    """
    p = {other: float(chance) for other, chance in chances.items()} | {tf: bound / n}
    conditional = compute_probability(entries, chances)
    weights = {other: p[tf] * i for other, i in compute_importances(entries, chances).items()} | {
        tf: float(conditional)
    }
    spreads = {other: p[other] * (1 - p[other]) for other in p}
    mean = float(bound * conditional) / n
    squares = sum(spreads[other] * weight**2 for other, weight in weights.items())
    cubes = sum(spreads[other] * (1 - 2 * p[other]) * weight**3 for other, weight in weights.items())
    # The second derivative in the direction of spreads times weights, which includes all pairs of TFs.
    moved = 0.0
    for step in (-_STEP, _STEP):
        at = {other: p[other] + step * spreads[other] * weights[other] for other in p}
        moved += at[tf] * compute_probability(entries, at | {tf: 1.0})
    curvature = (moved - 2 * mean) / _STEP**2
    variance = mean * (1 - mean) - squares
    third = (1 - 2 * mean) * (mean * (1 - mean) - 3 * squares) + 2 * cubes + 3 * curvature
    # n / (n - 1) makes the variance exact for two TFs.
    return n * mean, variance * n**2 / max(n - 1, 1), n * third


def _expand(entries: Iterable[Any], bound: Mapping[Hashable, Any]) -> tuple[Any, dict[Any, Any], dict[Any, _Plan]]:
    """Return the formula of conditions, the probabilities of all its subformulas, parts first, and their plans."""
    entries = tuple(map(to_python, entries))
    for tf in iterate_tfs(entries):
        if tf not in bound:
            raise InputError(f"bound has no TF {format_value(tf)}, which a condition names; expected its probability")
        if not 0 <= bound[tf] <= 1:
            raise InputError(
                f"bound[{format_value(tf)}] is {format_value(bound[tf])}; expected a probability from 0 to 1"
            )
    root = _join("and", [_normalize(entry, True) for entry in entries])
    number = Fraction if any(isinstance(value, Fraction) for value in bound.values()) else float
    known: dict[Any, Any] = {True: number(1), False: number(0)}
    plans = _order_plans(root, _make_plan)
    for formula, plan in plans.items():
        known[formula] = _combine(formula, plan, bound, known)
    return root, known, plans


def _order_plans(root: Any, make_plan: Callable[[Any], _Plan]) -> dict[Any, _Plan]:
    """Return the plans of a formula and of all its subformulas, parts first."""
    plans: dict[Any, _Plan] = {}
    ordered: dict[Any, _Plan] = {}
    stack = [root]
    while stack:  # iterative, because an expansion may exceed Python's recursion limit
        formula = stack[-1]
        if isinstance(formula, bool) or formula in ordered:
            stack.pop()
            continue
        if formula not in plans:
            plans[formula] = make_plan(formula)
        missing = [part for part in plans[formula].parts if not isinstance(part, bool) and part not in ordered]
        if missing:
            stack.extend(missing)
        else:
            ordered[formula] = plans[formula]
    return ordered


def _combine(formula: Any, plan: _Plan, bound: Mapping[Hashable, Any], known: Mapping[Any, Any]) -> Any:
    """Return a formula's probability from those of its parts."""
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
    """The formula that a TF binds the gene, or that it does not."""

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
    """Non-constant formulas joined by "and" or "or", ignoring order and duplicates."""

    __slots__ = ("_hash", "operator", "parts", "tfs")

    def __init__(self, operator: str, parts: frozenset[Any]) -> None:
        self.operator, self.parts = operator, parts
        self.tfs: frozenset[Hashable] = frozenset().union(*(part.tfs for part in parts))
        self._hash = hash((operator, parts))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Joined) and self.operator == other.operator and self.parts == other.parts

    def __hash__(self) -> int:
        return self._hash


def _normalize(entry: Any, holds: bool) -> Any:
    """Return the formula that an entry holds or fails, with every Not moved to the TFs."""
    if isinstance(entry, Not):
        return _normalize(entry.entries[0], not holds)
    if isinstance(entry, And | Or):
        operator = "and" if isinstance(entry, And) is holds else "or"
        return _join(operator, [_normalize(e, holds) for e in entry.entries])
    return _Binds(entry, holds)


def _join(operator: str, parts: Iterable[Any]) -> Any:
    """Join formulas: simplify True and False, and flatten parts with the same operator."""
    dominant = operator == "or"  # one part with this value decides the result
    flat: set[Any] = set()
    for part in parts:
        if isinstance(part, bool):
            if part is dominant:
                return dominant
        elif isinstance(part, _Joined) and part.operator == operator:
            flat |= part.parts
        else:
            flat.add(part)
    if len(flat) < 2:
        return flat.pop() if flat else not dominant
    return _Joined(operator, frozenset(flat))


def _make_plan(formula: Any) -> _Plan:
    """Return the plan for the probability of a formula, and the formulas that it needs."""
    if isinstance(formula, _Binds):
        return _Plan("binds", formula.tf, ())
    groups = _group_independent(formula.parts)
    if len(groups) > 1:
        return _Plan(formula.operator, None, tuple(_join(formula.operator, group) for group in groups))
    counts = Counter(tf for part in formula.parts for tf in part.tfs)
    largest = max(counts.values())
    # The middle one of the TFs in the most parts, because it halves chains of TFs.
    candidates = sorted((tf for tf, n in counts.items() if n == largest), key=lambda tf: (str(type(tf)), tf))
    tf = candidates[len(candidates) // 2]
    return _Plan("given", tf, (_substitute(formula, tf, True), _substitute(formula, tf, False)))


def _substitute(formula: Any, tf: Hashable, binds: bool) -> Any:
    """Return a formula given whether a TF binds."""
    if isinstance(formula, bool) or tf not in formula.tfs:
        return formula
    if isinstance(formula, _Binds):
        return formula.binds is binds
    return _join(formula.operator, [_substitute(part, tf, binds) for part in formula.parts])


def _group_independent(parts: Iterable[Any]) -> list[list[Any]]:
    """Group formulas that share TFs, directly or indirectly."""
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
