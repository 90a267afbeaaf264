"""The probability of a relation: every assignment of its TFs by hand, exact fractions, and relations of hundreds."""

import math
import time
from fractions import Fraction
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.reference.boolean import conditions, holds, nested_conditions
from yeastxr import And, InputError, Not, Or
from yeastxr.simulation.relations import iterate_tfs
from yeastxr.theory.conditions import compute_importances, compute_probability

TFS = ["GAL4", 0, 1, 2, 3, 4]
CHANCES = st.lists(st.fractions(0, 1, max_denominator=20), min_size=len(TFS), max_size=len(TFS))


def by_hand(entries: list, bound: dict) -> Fraction:
    """Add up the probabilities of all assignments in which the conditions hold."""
    total = Fraction(0)
    for binds in product([False, True], repeat=len(bound)):
        here = {tf for tf, b in zip(bound, binds, strict=True) if b}
        if all(holds(entry, here) for entry in entries):
            total += math.prod(bound[tf] if tf in here else 1 - bound[tf] for tf in bound)
    return total


@given(entries=st.lists(conditions(TFS), max_size=3), chances=CHANCES)
def test_conditions_probability__every_assignment(entries: list, chances: list) -> None:
    bound = dict(zip(TFS, chances, strict=True))
    assert compute_probability(entries, bound) == by_hand(entries, bound)


@given(entries=st.lists(nested_conditions(TFS, 4), min_size=1, max_size=3), chances=CHANCES)
def test_conditions_probability__every_assignment_to_depth_4(entries: list, chances: list) -> None:
    bound = dict(zip(TFS, chances, strict=True))
    exact = by_hand(entries, bound)
    assert compute_probability(entries, bound) == exact
    found = compute_probability(entries, {tf: float(chance) for tf, chance in bound.items()})
    assert isinstance(found, float)
    assert found == pytest.approx(float(exact), abs=1e-13)


@given(entries=st.lists(nested_conditions(TFS, 3), max_size=3), chances=CHANCES)
def test_importances__bound_less_not_bound(entries: list, chances: list) -> None:
    bound = dict(zip(TFS, chances, strict=True))
    found = compute_importances(entries, bound)
    assert found.keys() == set(iterate_tfs(entries))
    for tf, importance in found.items():
        known = [by_hand(entries, bound | {tf: Fraction(binds)}) for binds in (0, 1)]
        assert importance == pytest.approx(float(known[1] - known[0]), abs=1e-13)


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        ([], 1),
        ([1], Fraction(1, 3)),
        ([1, 1], Fraction(1, 3)),
        ([1, Not(1)], 0),
        ([Or(1, Not(1))], 1),
        ([And(1, Or(1, 2))], Fraction(1, 3)),
        ([Or(And(1, 2), And(1, Not(2)))], Fraction(1, 3)),
        ([Not(Not(Not(1)))], Fraction(2, 3)),
        ([Or(And(1, 2), And(2, 3), And(1, 3))], Fraction(7, 27)),
    ],
    ids=str,
)
def test_conditions_probability__tfs_named_twice_count_once(entries: list, expected: Fraction) -> None:
    assert compute_probability(entries, dict.fromkeys([1, 2, 3], Fraction(1, 3))) == expected


def test_conditions_probability__hundreds_of_tfs_are_quick() -> None:
    p = {tf: Fraction(tf % 50, 1000) for tf in range(800)}
    chain = Or(*[And(tf, tf + 1) for tf in range(299)])
    before = {(False): Fraction(1)}  # P(no two neighbours bound so far), by whether the last one is
    for tf in range(300):
        free, bound = before.get(False, Fraction(0)), before.get(True, Fraction(0))
        before = {False: (free + bound) * (1 - p[tf]), True: free * p[tf]}
    started = time.perf_counter()
    assert compute_probability([Or(*range(800))], p) == 1 - math.prod(1 - p[tf] for tf in p)
    assert compute_probability([And(*range(1, 49))], p) == math.prod(p[tf] for tf in range(1, 49))
    pairs = [Or(tf, tf + 400) for tf in range(1, 49)]
    assert compute_probability(pairs, p) == math.prod(1 - (1 - p[tf]) * (1 - p[tf + 400]) for tf in range(1, 49))
    hub = Or(*[And(7, Or(tf, Not(tf + 400))) for tf in range(8, 300)])
    others = 1 - math.prod((1 - p[tf]) * p[tf + 400] for tf in range(8, 300))
    assert compute_probability([hub], p) == p[7] * others
    assert compute_probability([chain], p) == 1 - sum(before.values())
    assert time.perf_counter() - started < 10  # 0.4 s on an idle machine; an expansion that went wrong never ends


def test_conditions_probability__deep_nesting() -> None:
    entry, expected = 0, Fraction(1, 2)
    for tf in range(1, 98):
        entry, expected = (Or if tf % 2 else And)(tf, entry), (1 + expected) / 2 if tf % 2 else expected / 2
    assert compute_probability([entry], dict.fromkeys(range(98), Fraction(1, 2))) == expected


@pytest.mark.parametrize(
    ("bound", "message"), [({1: 0.5}, "bound has no TF 2"), ({1: 0.5, 2: 1.5}, r"bound\[2\] is 1.5")]
)
def test_conditions_probability__refusals(bound: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        compute_probability([And(1, 2)], bound)
