"""Relations as text: there and back, any text, operators, and text in relationships."""

import operator
import re
import time
from functools import reduce

import numpy as np
import pytest
import xarray as xr
from hypothesis import example, given
from hypothesis import strategies as st

import yeastxr as yx
from tests.reference.boolean import conditions
from yeastxr import And, Not, Or
from yeastxr.errors import escape_controls

LABELS = [
    0,
    -3,
    12,
    "GAL4",
    "YAL001C-A",
    "12",
    "not",
    "AND",
    "",
    "MF(ALPHA)1",
    "DUR1,2",
    "a\nb",
    '"',
    "\\",
    "ü",
    "\u202ex",
    "\ud800",
]
PIECES = [
    "GAL4",
    "'A b'",
    '"\\u00e9"',
    "'",
    '"',
    "\\",
    "7",
    "-1",
    "007",
    "&",
    "|",
    "!",
    "~",
    "(",
    ")",
    ",",
    "and",
    "Or(",
    "NOT",
    " ",
    "\n",
]


@given(relation=conditions(LABELS).filter(lambda entry: isinstance(entry, And | Or | Not)))
def test_text__there_and_back(relation: And | Or | Not) -> None:
    text = str(relation)
    assert yx.parse_relation(text) == relation
    assert escape_controls(text) == text  # on a terminal it is what it says
    assert yx.parse_relation(text.replace("&", " and ").replace("|", "OR ").replace("!", "~")) == relation or any(
        isinstance(tf, str) and set(tf) & set("&|!~") for tf in relation.named
    )


@given(relation=conditions(["GAL4", "a b", 3]).filter(lambda entry: isinstance(entry, And | Or | Not)))
def test_text__what_repr_writes_is_understood(relation: And | Or | Not) -> None:
    assert yx.parse_relation(repr(relation)) == relation


@given(text=st.text() | st.lists(st.sampled_from(PIECES)).map("".join))
@example("(" * 100_000)
@example("!" * 100_000 + "A")
@example("A & " * 50_000 + "A |")
def test_text__any_gives_a_relation_or_one_sentence(text: str) -> None:
    for tfs in (None, ["GAL4", 7]):
        refusal = None
        try:
            relation = yx.parse_relation(text, tfs=tfs)
        except yx.InputError as error:
            refusal = error
        if refusal is None:
            assert yx.parse_relation(str(relation)) == relation
            assert tfs is None or set(relation.named) <= set(tfs)
        else:
            assert len(str(refusal).splitlines()) == 1
            assert re.search(r" at (character|line \d+, column) \d+; ", str(refusal))
            assert refusal.__notes__[0].endswith("^")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("(GAL4 & !GAL80) | RAP1", Or(And("GAL4", Not("GAL80")), "RAP1")),
        ("A | B & !C", Or("A", And("B", Not("C")))),
        ("not A and B or C", Or(And(Not("A"), "B"), "C")),
        ("A & B & C", And("A", "B", "C")),
        ("(A & B) & C", And(And("A", "B"), "C")),
        ("~~A", Not(Not("A"))),
        ("GAL4", And("GAL4")),
        ("Or(A)", Or("A")),
        ("and(A, or(B, 3), Not(C))", And("A", Or("B", 3), Not("C"))),
        ("1 & '1' & NOT1", And(1, "1", "NOT1")),
        ("YAL068W-A |\n  MBP1::SWI6", Or("YAL068W-A", "MBP1::SWI6")),
        (r"'it\'s' & \"\x41\n\U0001f9ec\"".replace(r"\"", '"'), And("it's", "A\n\U0001f9ec")),
    ],
)
def test_text__means(text: str, expected: object) -> None:
    assert yx.parse_relation(text) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the relation ends at character 1; expected a TF, '!' or '('"),
        ("GAL4 &", "the relation ends at character 7; expected a TF, '!' or '('"),
        ("GAL4 GAL80", "the relation has 'GAL80' at character 6; expected '&', '|' or the end"),
        ("GAL4 &\n& GAL80", "the relation has '&' at line 2, column 1; expected a TF, '!' or '('"),
        ("(GAL4 | RAP1", "the relation has a '(' without a ')' at character 1; expected ')' after the operands"),
        ("GAL4)", "the relation has ')' at character 5; expected '&', '|' or the end"),
        ("GAL4 & 007", "the relation has '007' at character 8; expected an integer, or quotes around a name"),
        ("GAL4 $ RAP1", "the relation has '$' at character 6; expected a TF, '!' or '(', or quotes around a name"),
        ("GAL4 & 'RAP1", "the relation has ' without a closing quote at character 8; expected quotes around a name"),
        ("GAL8 & RAP1", "the relation names the TF 'GAL8', which is unknown at character 1; did you mean"),
        ("!" * 101 + "GAL4", "the relation has more than 100 levels at character 102; expected at most 100"),
        ("GAL4 & " * 100_000 + "RAP1", "the relation has more than 100,000 TFs at character 700001; expected"),
    ],
)  # fmt: skip
def test_text__errors_say_where(text: str, message: str) -> None:
    start = time.process_time()
    with pytest.raises(yx.InputError) as caught:
        yx.parse_relation(text, tfs=["GAL4", "GAL80", "RAP1", 7])
    assert message in str(caught.value)
    assert time.process_time() - start < 5


def test_text__note_shows_the_place() -> None:
    with pytest.raises(yx.InputError) as caught:
        yx.parse_relation("GAL4 |\n(RAP1 & & GAL80)")
    assert caught.value.__notes__ == ["  (RAP1 & & GAL80)\n          ^"]


def test_text__a_name_of_digits_is_what_there_is() -> None:
    assert yx.parse_relation("12 & 007", tfs=["12", "007"]) == And("12", "007")
    assert yx.parse_relation("12", tfs=["12", 12]) == And(12)
    with pytest.raises(yx.InputTypeError, match="text is 5; expected a relation"):
        yx.parse_relation(5)  # type: ignore[arg-type]


def test_operators__build_relations() -> None:
    assert And("A", "B") & "C" & ~Or("D", 1) == And("A", "B", "C", Not(Or("D", 1)))
    assert "A" | Not("B") | Or("C", "D") == Or("A", Not("B"), "C", "D")
    assert np.int64(3) & Not(np.int32(4)) == And(3, Not(4))
    assert Not("B") | xr.DataArray("A") == Or(Not("B"), "A")
    assert Not("A") & "B | C" == And(Not("A"), "B | C")  # a label, not a text to read
    assert reduce(operator.and_, map(Not, range(500))).depth == 2
    for other in (1.5, True, None, ["A"], {"A"}, np.arange(3)):
        with pytest.raises(TypeError):
            And("A") & other
        with pytest.raises(TypeError):
            other | And("A")


def test_relationships__text_is_read_unless_it_is_a_label() -> None:
    tfs = ["GAL4", "GAL80", "RAP1", "A & B", "12"]

    def read(relations: dict) -> dict:
        spec = yx.SimulationSpec(genes=10, bound=0.5, tfs=tfs, tf_relationships=relations, seed=1)
        assert yx.SimulationSpec.from_json(spec.to_json()) == spec
        return dict(spec.tf_relationships)

    assert read({"GAL4": "GAL80 & !RAP1"}) == {"GAL4": (And("GAL80", Not("RAP1")),)}
    assert read({"GAL4": ["GAL80 | 12", "RAP1", Not("GAL4")]}) == {"GAL4": (Or("GAL80", "12"), "RAP1", Not("GAL4"))}
    assert read({"GAL4": "A & B", "RAP1": "'A & B' | GAL4"}) == {"GAL4": ("A & B",), "RAP1": (Or("A & B", "GAL4"),)}
    labels = yx.generate_gene_population(50, bound=0.5, n_sample=3, seed=1)
    expected = yx.adjusted_pairs(labels, {0: [And(1, Not(2))]})
    assert yx.adjusted_pairs(labels, {0: "1 & !2"}).equals(expected)
    with pytest.raises(yx.InputError, match=r"\['GAL4'\] names the TF 'GAL8', which is unknown; did you mean 'GAL80'"):
        read({"GAL4": ["GAL8"]})
    with pytest.raises(
        yx.InputError, match=r"\['GAL4'\] is 'GAL8 & RAP1', which is not the label of a TF: the relation names"
    ):
        read({"GAL4": "GAL8 & RAP1"})
