"""Splits: disjoint, complete, sizes right to one, the same whatever the chunks, and kept with the dataset."""

import json
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from hypothesis import assume, given
from hypothesis import strategies as st

import yeastxr as yx

PARTS = ("train", "val", "test")


def made(**extra: object) -> xr.Dataset:
    return yx.simulate(**{"genes": 200, "bound": [0.1, 0.3], "n_sample": [4, 6], "replicates": 10, "seed": 42, **extra})


@given(
    st.integers(3, 400),
    st.tuples(st.integers(1, 100), st.integers(1, 100), st.integers(1, 100)),
    st.integers(0, 2**64 - 1),
    st.booleans(),
)
def test_split__disjoint_complete_and_sizes_right_to_one(
    genes: int, weights: tuple[int, int, int], seed: int, stratify: bool
) -> None:
    ds = yx.simulate(genes=genes, bound=[0.3, 0.5], seed=1)
    fractions = [weight / sum(weights) for weight in weights]
    assume(min(fractions) * genes >= 1)  # else a part may be empty, which is refused
    parts = ds.yeast.split(*fractions, seed=seed, stratify=stratify).split.values
    sizes = [int((parts == part).sum()) for part in PARTS]
    assert sum(sizes) == genes
    assert all(abs(size - genes * fraction) < 1 + 1e-6 for size, fraction in zip(sizes, fractions, strict=True))


@pytest.mark.parametrize("stratify", [False, True])
@pytest.mark.parametrize("by", ["gene", "tf", "replicate"])
def test_split__same_seed_same_parts_whatever_the_chunks(by: str, stratify: bool) -> None:
    first = made().yeast.split(by=by, seed=1, stratify=stratify)
    assert first.split.dims == (by,)
    for chunks in ({"tf": 3}, {"gene": 7, "replicate": 2}):
        other = made(chunks=chunks).yeast.split(by=by, seed=1, stratify=stratify)
        xr.testing.assert_identical(
            other.split.drop_vars("bound_fraction", errors="ignore"),
            first.split.drop_vars("bound_fraction", errors="ignore"),
        )
    assert (made().yeast.split(by=by, seed=2, stratify=stratify).split != first.split).any()


def test_split__is_lazy_unless_stratified(no_compute: None) -> None:
    ds = made(chunks={"tf": 3}).yeast.split(seed=1)
    assert ds.label.chunks is not None
    assert ds.isel(gene=(ds.split == "test").values).sizes["gene"] == 20


def test_split__is_kept_by_a_store(tmp_path: Path) -> None:
    ds = made().yeast.split(seed=1)
    stored = yx.open(yx.save(ds, tmp_path / "sim.zarr"))
    xr.testing.assert_identical(stored.compute(), ds)
    x, _ = stored.yeast.xy(split="test")
    np.testing.assert_array_equal(x.numpy(), ds.isel(gene=(ds.split == "test").values)["binding_effect"].values)


def test_split__test_set_is_the_same_before_and_after_training() -> None:
    ds = made().yeast.split(seed=1)
    before = [(x.clone(), y.clone()) for x, y in ds.yeast.batches(50, split="test")]
    for _ in range(2):
        for x, y in ds.yeast.batches(50, split="train", shuffle=True):
            x.add_(1), y.add_(1)
    for (x, y), (x_before, y_before) in zip(ds.yeast.batches(50, split="test"), before, strict=True):
        assert x.equal(x_before)
        assert y.equal(y_before)


def test_split__chances_are_even() -> None:
    """Each gene is as often in the test set as any other: counts over 400 seeds are binomial."""
    ds = yx.simulate(genes=50, bound=[0.1], seed=1)
    counts = sum((ds.yeast.split(0.6, 0.2, 0.2, seed=seed).split == "test").values.astype(int) for seed in range(400))
    assert np.abs(counts - 80).max() < 6 * np.sqrt(400 * 0.2 * 0.8)


def test_split__stratified_parts_have_their_share_of_every_stratum() -> None:
    ds = yx.simulate(genes=3000, bound=[0.3, 0.5, 0.2], seed=1).yeast.split(0.6, 0.3, 0.1, seed=1, stratify=True)
    bound = ds.label.sum("tf")
    for number in range(4):
        stratum = ds.split.values[(bound == number).values]
        for part, fraction in zip(PARTS, (0.6, 0.3, 0.1), strict=True):
            assert abs((stratum == part).sum() - fraction * len(stratum)) <= 2
    # Within a stratum who is chosen is random: another seed chooses others.
    other = ds.yeast.split(0.6, 0.3, 0.1, seed=2, stratify=True)
    assert 0.4 < (other.split == ds.split).mean() < 0.55  # 0.46 = 0.36 + 0.09 + 0.01 by chance; s.d. 0.009


def test_split__dims_have_permutations_of_their_own() -> None:
    """One seed splits genes, TFs and replicates independently: two agree as often as by chance, 0.66 of 200."""
    ds = yx.simulate(genes=200, bound=[0.1], n_sample=[200], replicates=200, seed=1)
    for stratify in (False, True):
        parts = [ds.yeast.split(by=by, seed=1, stratify=stratify).split.values for by in ("gene", "tf", "replicate")]
        for i in range(3):
            assert 0.5 < (parts[i] == parts[i - 1]).mean() < 0.82  # s.d. 0.03


@pytest.mark.parametrize(
    ("given", "sizes"),
    [
        ({}, (160, 20, 20)),
        ({"train": 0.8, "test": 0.2}, (160, 0, 40)),
        ({"train": 0.7, "val": 0.1}, (140, 20, 40)),
        ({"val": 0.1, "test": 0.2}, (140, 20, 40)),
        ({"train": 1}, (200, 0, 0)),
        ({"train": 0.1, "test": 0.2}, (20, 140, 40)),
        ({"train": 0.5, "val": 0.5, "test": 0}, (100, 100, 0)),
    ],
    ids=str,
)
def test_split__a_fraction_that_is_not_given_is_what_the_others_leave(
    given: dict[str, float], sizes: tuple[int, ...]
) -> None:
    ds = made().yeast.split(**given, seed=1)
    assert tuple(int((ds.split == part).sum()) for part in PARTS) == sizes
    parameters = json.loads(ds.split.attrs["parameters"])
    assert yx.split(made(), **{name: parameters[name] for name in PARTS}, seed=1).identical(ds)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"train": 0.9}, "train=0.9 sum to 0.9, and val and test are not given; expected fractions that sum to 1"),
        ({"train": 0.8, "test": 0.3}, "train=0.8, test=0.3 sum to 1.1; expected fractions that sum to 1"),
        ({"train": 0.8, "val": 0.1, "test": 0.2}, "sum to 1.1; expected fractions that sum to 1"),
        ({"train": 0.8, "val": 0.3}, "sum to 1.1; expected fractions that sum to 1"),
        ({"train": -0.1, "val": 1.0}, "train is -0.1; expected a number from 0 to 1"),
        ({"train": "most"}, "train is 'most'"),
        ({"by": "genes"}, "did you mean 'gene'"),
        (
            {"by": "tf", "train": 0.98, "val": 0.01, "test": 0.01},
            "val is 0.01 of 10 along 'tf', less than one; expected",
        ),
        ({"seed": 1.5}, "seed is 1.5"),
    ],
    ids=str,
)
def test_split__refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(yx.InputError, match=message):
        yx.split(made(), **options)


def test_split__a_part_may_be_left_out() -> None:
    ds = made().yeast.split(0.9, 0, 0.1, seed=1)
    assert set(ds.split.values) == {"train", "test"}
    with pytest.raises(
        yx.InputError,
        match=r"split is 'val', which is not a part of the dataset's split; expected one of 'train', 'test'",
    ):
        ds.yeast.xy(split="val")
    with pytest.raises(yx.SchemaError, match="no coordinate 'split'"):
        made().yeast.xy(split="train")
