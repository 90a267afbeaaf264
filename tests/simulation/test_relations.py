"""Relations: any nesting as one gene at a time in plain Python, through JSON and back, at a cost by what is named."""

import json
import pickle

import dask
import numpy as np
import pytest
from hypothesis import given

import yeastxr as yx
from tests.reference.boolean import holds, relationships
from yeastxr import And, Not, Or
from yeastxr.simulation.relations import check_relationships, from_json, to_json

NAMES = ["GAL4", "MIG1", "GAL80", "ü", "1"]


@given(relations=relationships(list(range(6))))
@pytest.mark.parametrize("chunks", [None, {"gene": 13, "tf": 4}, {"tf": 1}], ids=str)
def test_adjusted_pairs__one_gene_at_a_time(relations: dict, chunks: object) -> None:
    labels = yx.generate_gene_population(37, bound=[0.2, 0.5, 0.8], n_sample=[2, 2, 2], seed=3, chunks=chunks)
    found = yx.adjusted_pairs(labels, relations)
    assert (found.chunks is None) == (chunks is None)
    bound = [set(np.flatnonzero(row)) for row in labels.values]
    expected = [
        [tf in here and all(holds(entry, here) for entry in relations.get(tf, [])) for tf in range(6)] for here in bound
    ]
    np.testing.assert_array_equal(found.values, expected)


@given(named=relationships(NAMES), numbered=relationships([0, 1, 7]))
def test_json__there_and_back(named: dict, numbered: dict) -> None:
    for relations, tfs in [(named, NAMES), (numbered, [0, 1, 7])]:
        checked = check_relationships(relations, tfs)
        text = json.dumps(to_json(checked))
        again = check_relationships(from_json(json.loads(text), named=tfs is NAMES), tfs)
        assert again == checked == {tf: tuple(entries) for tf, entries in relations.items()}
        assert pickle.loads(pickle.dumps(checked)) == checked


def test_checked__immutable_and_checked_against_other_tfs_again() -> None:
    checked = check_relationships({0: [And(1, Not(2))]}, range(3))
    assert check_relationships(checked, range(3)) is checked
    with pytest.raises(yx.InputError, match="names the TF 2"):
        check_relationships(checked, range(2))
    with pytest.raises(TypeError):
        checked[0] = ()  # type: ignore[index]


def test_graph__grows_with_chunks_and_not_with_relations(no_compute: None) -> None:
    relations = {tf: [And(tf, Or((tf + 1) % 1000, Not((tf + 2) % 1000)), Or(5, (tf * 7) % 1000))] for tf in range(1000)}
    labels = yx.generate_gene_population(100, bound=[0.1], n_sample=[1000], seed=1, chunks={"tf": 100})
    few, many = (yx.adjusted_pairs(labels, some) for some in ({0: relations[0]}, relations))
    assert len(dict(many.__dask_graph__())) <= len(dict(few.__dask_graph__())) + 20 * 10


def test_graph__reads_only_the_chunks_of_tfs_that_are_named() -> None:
    labels = yx.generate_gene_population(100, bound=[0.1], n_sample=[1000], seed=1, chunks={"tf": 10})
    one = yx.adjusted_pairs(labels, {3: [17, Or(995, 18)]}).isel(tf=slice(10))
    (optimized,) = dask.optimize(one)
    made = [key for key in dict(optimized.__dask_graph__()) if isinstance(key, tuple) and "label" in str(key[0])]
    assert len(made) <= 3
