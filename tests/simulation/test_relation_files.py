"""Files of relations: YAML and JSON alike, and what is wrong in them, by line and column."""

import json
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import yeastxr as yx
from tests.reference.boolean import relationships
from yeastxr import And, Not, Or
from yeastxr.simulation.relations import to_json

NAMES = ["GAL4", "MIG1", "a b", "ü", "1", "null", "\U0001f9ec", "\\", "x: y"]
YAML = """\
# what GAL4 needs
GAL4: GAL3 & !GAL80
MIG1:
  - "!HXK2"
  - or: [GAL4, {not: GAL80}]
  - and: ["GAL4 | HXK2", GAL3]
HXK2: []
GAL3: GAL4
"""
EXPECTED = {
    "GAL4": [And("GAL3", Not("GAL80"))],
    "MIG1": [Not("HXK2"), Or("GAL4", Not("GAL80")), And(Or("GAL4", "HXK2"), "GAL3")],
    "HXK2": [],
    "GAL3": ["GAL4"],
}
TFS = ["GAL3", "GAL4", "GAL80", "HXK2", "MIG1"]


def read(folder: Path, text: str | bytes, tfs: list | None = TFS) -> dict:
    path = folder / "relations.yaml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return yx.read_relations(path, tfs=tfs)


def test_files__yaml_and_what_it_is_for(tmp_path: Path) -> None:
    assert read(tmp_path, YAML) == read(tmp_path, YAML, None) == EXPECTED
    assert read(tmp_path, b"\xef\xbb\xbf" + YAML.replace("\n", "\r\n").encode()) == EXPECTED
    spec = yx.SimulationSpec(genes=10, tfs=TFS, bound=0.5, tf_relationships=read(tmp_path, YAML), seed=1)
    assert {tf: list(entries) for tf, entries in spec.tf_relationships.items()} == EXPECTED
    assert read(tmp_path, "0: 1 & !2\n'1': [2, 0]\n-3: 2", [0, 1, 2, -3]) == {0: [And(1, Not(2))], 1: [2, 0], -3: [2]}
    assert read(tmp_path, "12: 7 & '12'\n7: 12", ["12", "7"]) == {"12": [And("7", "12")], "7": ["12"]}


def test_files__without_libyaml(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(yaml, "CSafeLoader", raising=False)
    assert read(tmp_path, YAML) == read(tmp_path, json.dumps(to_json(EXPECTED), indent="\t")) == EXPECTED
    for text, place in {"GAL4: [": "line 1, column 8", "GAL4: \x07": "line 1, column 7", "[" * 9999: "nest"}.items():
        with pytest.raises(yx.InputError, match=place):
            read(tmp_path, text)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(
    named=relationships(NAMES),
    numbered=relationships([0, 1, 7]),
    ascii=st.booleans(),
    indent=st.sampled_from([None, 2, "\t"]),
)
def test_files__json_is_read_as_it_is_written(
    tmp_path: Path, named: dict, numbered: dict, ascii: bool, indent: int | str | None
) -> None:
    for relations, tfs in ((named, NAMES), (numbered, [0, 1, 7])):
        text = json.dumps(to_json(relations), ensure_ascii=ascii, indent=indent)
        assert read(tmp_path, text, tfs) == relations
        texts = {str(tf): [e if e in tfs else str(e) for e in entries] for tf, entries in relations.items()}
        assert read(tmp_path, json.dumps(texts, ensure_ascii=ascii, indent=indent), tfs) == relations


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("GAL4: GAL3\nGAL5: GAL4", "line 2, column 1: unknown TF 'GAL5'; did you mean 'GAL4'"),
        ("GAL4:\n  - GAL3\n  - GAL8 | MIG1", "line 3, column 5: the relation names the TF 'GAL8', which is unknown"),
        ("GAL4: 'GAL3 & GAL8'", "line 1, column 15: the relation names the TF 'GAL8', which is unknown; did"),
        ('{"GAL4": [\n\t{"and": ["MIG"]}]}', "line 2, column 11: unknown TF 'MIG'; did you mean 'MIG1'"),
        ("GAL4: >\n  GAL3 &\n  & MIG1", "line 1, column 7: the relation has '&' at character 8; expected a TF"),
        ("GAL4: GAL3 &", "line 1, column 13: the relation ends; expected a TF, '!' or '('"),
        ("GAL4: !GAL3", "line 1, column 7: '!GAL3' is a YAML tag; expected no tags, or quotes around relations"),
        ("GAL4: &GAL3", "line 1, column 7: 'GAL3' is a YAML anchor; expected no anchor, or quotes around relations"),
        ("GAL4: *x", "line 1, column 7: 'x' is a YAML alias"),
        ("GAL4: & MIG1", "expected YAML or JSON, with quotes around relations"),
        ("GAL4: [", "expected YAML or JSON, with quotes"),
        ("GAL4: \x07", "line 1, column 7: "),
        ("a: &a [GAL4]\nb: &b [*a, *a]\nc: [*b, *b]", "line 1, column 4: 'a' is a YAML anchor"),
        ("GAL4: MIG1\nGAL4: GAL3", "line 2, column 1: duplicate TF 'GAL4'; expected each TF once"),
        ("GAL4: {and: [MIG1], and: [GAL3]}", "line 1, column 7: a condition is an object with other keys; expected"),
        ("GAL4: {xor: [MIG1]}", "line 1, column 7: a condition is an object with other keys; expected a TF"),
        ("GAL4: [[MIG1]]", "line 1, column 8: a condition is a nested list; expected a TF"),
        ("GAL4: {or: []}", "line 1, column 7: Or() is empty; expected at least one TF or relation"),
        ("GAL4: {not: [MIG1, GAL3]}", "line 1, column 7: Not() has 2 entries; expected one TF or relation"),
        ("GAL4:", "line 1, column 6: a condition is empty; expected a TF"),
        ("GAL4: [null, 1.5]", "line 1, column 8: a condition is 'null'; expected a TF"),
        ("? [GAL4]\n: MIG1", "line 1, column 3: a key is not a TF; expected a name or an integer"),
        ("[GAL4]", "line 1, column 1: the file is not an object; expected TFs with conditions"),
        ("", "line 1, column 1: the file is not an object"),
        ("GAL4: MIG1\n---\nMIG1: GAL4", "line 2, column 1: the file has a second document; expected one"),
        ("GAL4: " + "[" * 100_000, "nest"),
        ("GAL4: " + "{not: " * 101 + "MIG1" + "}" * 101, "more than 100 levels"),
        ("GAL4: [MIG1, " + "'MIG1 & MIG1', " * 10, "expected YAML or JSON"),
        (b"GAL4: \xff", "which is not UTF-8 at byte 6; expected UTF-8 text"),
    ],
)  # fmt: skip
def test_files__errors_say_where(tmp_path: Path, text: str | bytes, message: str) -> None:
    with pytest.raises(yx.InputError) as caught:
        read(tmp_path, text)
    assert message in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1
    assert "relations.yaml" in str(caught.value)
    assert isinstance(text, bytes) or caught.value.__notes__[0].endswith("^")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(text=st.text(max_size=40) | st.lists(st.sampled_from([*"[]{}:,&*!|>'\"# \n-?", "GAL4", "or", "1"])).map("".join))
def test_files__any_text_gives_relations_or_one_sentence(tmp_path: Path, text: str) -> None:
    for tfs in (None, TFS):
        try:
            relations, message = read(tmp_path, text.encode("utf-8", "surrogatepass"), tfs), "read"
        except yx.InputError as error:
            relations, message = {}, str(error)
        assert len(message.splitlines()) == 1
        if tfs:
            yx.SimulationSpec(genes=5, bound=0.5, tfs=TFS, tf_relationships=relations, seed=1)


def test_files__what_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(yx.InputError, match="No such file or directory; expected a file of relations"):
        yx.read_relations(tmp_path / "missing.yaml")
    with pytest.raises(yx.InputError, match="expected a path"):
        yx.read_relations(5)  # type: ignore[arg-type]
    with (tmp_path / "large.yaml").open("wb") as file:
        file.truncate(64_000_001)
    with pytest.raises(yx.InputError, match="of 64,000,001 bytes; expected at most 64,000,000"):
        yx.read_relations(tmp_path / "large.yaml")
