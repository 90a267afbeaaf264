"""Chunks: their defaults, what they may be, and that they cover an array exactly."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import yeastxr as yx
from yeastxr._blocks import CHUNK_CELLS, chunk_sizes


def test_chunk_sizes__defaults() -> None:
    assert chunk_sizes({"gene": 6600, "tf": 1200}, "auto") == {"gene": (6600,), "tf": (500, 500, 200)}
    assert chunk_sizes({"replicate": 2, "gene": 10, "tf": 3}, {}) == {"replicate": (1, 1), "gene": (10,), "tf": (3,)}
    assert chunk_sizes({"gene": 2 * CHUNK_CELLS, "tf": 2}, "auto")["tf"] == (1, 1)
    assert chunk_sizes({"gene": 10, "tf": 3}, None) is None
    assert chunk_sizes({"gene": 6600, "tf": 1200}, {"gene": 3300})["tf"] == (1000, 200)


@given(
    sizes=st.fixed_dictionaries({"replicate": st.integers(1, 9), "gene": st.integers(1, 99), "tf": st.integers(1, 99)}),
    chunk=st.sampled_from([None, "auto", -1, 1, 7, 1000, np.int32(5), 2**70]),
    dim=st.sampled_from(["replicate", "gene", "tf"]),
)
def test_chunk_sizes__cover_the_array(sizes: dict[str, int], chunk: object, dim: str) -> None:
    found = chunk_sizes(sizes, {dim: chunk})
    assert list(found) == list(sizes)
    assert {name: sum(lengths) for name, lengths in found.items()} == sizes
    if isinstance(chunk, int) and chunk > 0:
        assert set(found[dim][:-1]) <= {chunk}
        assert found[dim][-1] <= chunk


@pytest.mark.parametrize(
    "chunk", [0, -2, 1.5, True, "10MB", (3, 4), (0, 10), (3, -1, 8), (5.0, 5.0), (10.0,), (5,), [], np.arange(3), {}]
)
def test_chunk_sizes__refused(chunk: object) -> None:
    with pytest.raises(yx.InputError, match=r"chunks\['tf'\] is .*; expected a chunk size from 1, .* add up to 10"):
        chunk_sizes({"gene": 3, "tf": 10}, {"tf": chunk})


def test_graph__holds_ranges_not_a_task_for_each_block(no_compute: None) -> None:
    sizes = []
    for replicates in (10, 1000):
        ds = yx.simulate(
            genes=100, bound=[0.5], max_mean_adjustment=1.0, seed=1, replicates=replicates, chunks={"tf": -1}
        )
        layers = [layer for name in ds.data_vars for layer in ds[name].__dask_graph__().layers.values()]
        sizes.append(sum(len(layer) for layer in layers if layer.is_materialized()))
    assert sizes[0] == sizes[1] < 50


def test_map_blocks__inputs_with_other_chunks_are_aligned() -> None:
    labels = yx.generate_gene_population(60, bound=0.5, n_sample=7, replicates=2, seed=1)
    effect = yx.generate_binding_effects(labels, seed=1)
    expected = yx.generate_perturbation_effects(labels, effect, max_mean_adjustment=5.0, seed=1)
    cuts = [{}, {"gene": 13}, {"tf": 3}, {"gene": 20, "tf": 5, "replicate": 1}, {"tf": (1, 4, 2)}]
    for of_labels in cuts:
        for of_effect in cuts:
            lazy = yx.generate_perturbation_effects(
                labels.chunk(of_labels) if of_labels else labels,
                effect.chunk(of_effect) if of_effect else effect,
                max_mean_adjustment=5.0,
                seed=1,
            )
            np.testing.assert_array_equal(lazy.values, expected.values)
            assert bool(lazy.chunks) == bool(of_labels or of_effect)
