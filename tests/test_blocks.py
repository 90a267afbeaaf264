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
