"""The state of a page and its URL, selections, and what is read of a dataset."""

from urllib.parse import parse_qs

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

import yeastxr as yx
from tests.conftest import count_reads
from tests.explore.common import MARKUP, TFS, simulate
from yeastxr.errors import InputError
from yeastxr.explore.selection import PLANES, Box
from yeastxr.explore.source import Source
from yeastxr.explore.state import VIEWS, State
from yeastxr.export.tables import to_dataframe

SOURCE = Source(simulate(replicates=3), "")
boxes = st.builds(
    lambda plane, corners: Box.make(plane, *corners),
    st.sampled_from(sorted(PLANES)),
    st.tuples(*[st.floats(-1e3, 1e3)] * 4),
)


@given(
    view=st.sampled_from(VIEWS),
    tf=st.integers(0, len(TFS) - 1),
    gene=st.integers(0, 299),
    other=st.integers(0, len(TFS) - 1),
    replicate=st.integers(0, 2),
    box=st.none() | boxes,
)
def test_query__gives_the_state_back(
    view: str, tf: int, gene: int, other: int, replicate: int, box: Box | None
) -> None:
    shown = {"gene": gene} if view == "gene" else {}
    shown |= {"other": other} if view == "pairs" else {}
    state = State(view=view, tf=tf, point={"replicate": replicate} if replicate else {}, box=box, **shown)
    read, problems = State.from_query(state.to_query(SOURCE), SOURCE)
    assert problems == []
    assert read.to_query(SOURCE) == state.to_query(SOURCE)
    assert (read.view, read.tf, read.box) == (view, tf, box)
    assert dict(read.point) == dict(state.point)


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("?view=map", "view is 'map'"),
        ("?tf=GAL5", "did you mean 'GAL4'?"),
        ("?gene=300", "gene '300' is not in the dataset"),
        ("?at.replicate=9", "replicate '9' is not in the dataset"),
        ("?at.day=1", "dim 'day' is not in the dataset"),
        ("?box=effects,1,2", "expected effects and 4 numbers"),
        ("?box=effects,1,2,3,nan", "expected effects and 4 numbers"),
        ("?box=area,1,2", "of no plot"),
    ],
)
def test_query__that_can_not_be_followed_is_explained(query: str, words: str) -> None:
    state, problems = State.from_query(query, SOURCE)
    assert words in problems[0]
    assert state == State(other=1)


def test_query__holds_markup_only_encoded() -> None:
    query = State(tf=TFS.index(MARKUP)).to_query(SOURCE)
    assert "<" not in query
    assert parse_qs(query[1:])["tf"] == [MARKUP]


def test_change__drops_the_selection_of_another_tf() -> None:
    state = State(view="pairs", tf=2, other=4, box=Box("effects", (0.0, 1.0, 0.0, 1.0)))
    assert state.change(box=None).box is None
    assert state.change(tf=3).box is None
    assert state.change().box == state.box
    assert (state.change(tf=4).tf, state.change(tf=4).other) == (4, 2)  # never the same


@given(box=boxes)
def test_box__finds_the_pairs_that_its_code_keeps(box: Box) -> None:
    pairs = to_dataframe(SOURCE.ds.isel(replicate=0)).reset_index()
    for name in ("binding_effect", "perturbation_effect"):
        pairs[f"{name}_first"] = pairs[f"{name}_second"] = pairs[name]
    names = {"pairs": pairs, "np": np}
    exec("\n".join(box.make_code()), names)
    pd.testing.assert_frame_equal(names["pairs"], pairs[box.find(pairs)])


def test_box__holds_both_ends_and_no_nan() -> None:
    pairs = pd.DataFrame({"binding_effect": [1.0, 2.0, 3.0, np.nan], "perturbation_effect": [-1.0, 2.0, -3.0, 1.0]})
    assert Box.make("effects", 3.0, 1.0, 0.5, 2.0).find(pairs).tolist() == [True, True, False, False]
    assert Box.make("binding_effect", 2.0, 9.0, 0.0, 0.0).find(pairs).tolist() == [False, True, True, False]


@pytest.mark.parametrize("chunks", [None, {"tf": 2}])
def test_source__reads_what_is_shown_and_no_more(chunks: dict[str, int] | None) -> None:
    ds = simulate(replicates=2)
    counted, reads = count_reads(ds.chunk({"replicate": 1, "tf": 2})) if chunks else (ds, None)
    source = Source(counted, "")
    part = source.take_tfs([3], {"replicate": 1})
    xr.testing.assert_identical(part, ds.isel(replicate=1, tf=[3]))
    if reads is not None:
        assert set(reads.values()) == {1}
        assert {block[0][0] for block in [key[1:] for key in reads]} == {1}  # the replicate
        assert {key[1][-1] for key in reads} == {1}  # the block of TFs
        before = sum(reads.values())
        source.take_tfs([3], {"replicate": 1})
        assert sum(reads.values()) == before
        assert source.count_read("tf") == 600
        assert source.count_read("gene") == 1800
    else:
        assert source.count_read("tf") == 0
    xr.testing.assert_identical(source.take_gene(7, {}), ds.isel(replicate=0, gene=[7]))


def test_source__finds_labels_by_text() -> None:
    assert SOURCE.find("tf", "gal4") == 0
    assert SOURCE.find("gene", " 12") == 12
    assert Source(yx.simulate(genes=5, bound=[0.5] * 2, tfs=[" a", "b"], seed=1), "").find("tf", "A ") == 0
    same = Source(yx.simulate(genes=5, bound=[0.5] * 2, tfs=["a", "A"], seed=1), "")
    assert (same.find("tf", "a"), same.find("tf", "A")) == (0, 1)
    with pytest.raises(InputError, match="TF 'b' is not in the dataset; expected one of 'a', 'A'"):
        same.find("tf", "b")


def test_source__shows_all_features_and_no_other_variables() -> None:
    ds = simulate().sel(feature=["binding_effect"]).assign(note=("gene", np.arange(300)))
    source = Source(ds, "")
    assert "note" not in source.ds
    assert source.ds.feature.size == 5
