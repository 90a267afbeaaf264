"""Batches: the same samples in the same order, wherever the data lies, and each exactly once."""

import math
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

import yeastxr as yx
from yeastxr.training.batches import Batches, SimulatedBatches

SPEC = yx.SimulationSpec(genes=300, bound=[0.1, 0.3], n_sample=[3, 4], replicates=5, max_mean_adjustment=10.0, seed=42)
ROWS = {"gene": (7,), "tf": (300,), "replicate": (300, 7)}
SMALL = {"gene": 64, "tf": 8, "replicate": 2}


@pytest.fixture(scope="module")
def ds() -> xr.Dataset:
    return SPEC.simulate()


@pytest.fixture(scope="module")
def store(ds: xr.Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return yx.save(ds.chunk({"replicate": 1}), tmp_path_factory.mktemp("batches") / "sim.zarr")


def given_out(batches: Batches) -> list[tuple[torch.Tensor, torch.Tensor]]:
    return [(x, y) for x, y in batches]


def assert_equal(ours: list, others: list) -> None:
    assert len(ours) == len(others)
    for (x, y), (other_x, other_y) in zip(ours, others, strict=True):
        assert torch.equal(x, other_x)
        assert torch.equal(y, other_y)


def samples(ds: xr.Dataset, name: str, batches: Batches, epoch: int = 0) -> np.ndarray:
    """Return a feature's rows in the order that the batches say they come."""
    order = batches.order(epoch)
    values = ds[name].values.astype(np.float32)
    by = batches.state_dict()["order"]["by"]
    if by == "replicate":
        return values[order.position.values]
    values = values if by == "gene" else values.swapaxes(1, 2)
    return values[order.plane.values, order.position.values]


@pytest.mark.parametrize("shuffle", [False, True])
@pytest.mark.parametrize("by", ["gene", "tf", "replicate"])
def test_batches__values_are_the_samples_in_the_order_told(ds: xr.Dataset, by: str, shuffle: bool) -> None:
    batches = ds.yeast.batches(SMALL[by], by=by, shuffle=shuffle, seed=1)
    for epoch in range(2):
        parts = given_out(batches)
        assert len(parts) == len(batches)
        assert parts[0][0].shape == (SMALL[by], *ROWS[by])
        x, y = (torch.cat(tensors).numpy() for tensors in zip(*parts, strict=True))
        np.testing.assert_array_equal(x, samples(ds, "binding_effect", batches, epoch))
        np.testing.assert_array_equal(y, samples(ds, "perturbation_effect", batches, epoch))


def test_batches__unshuffled_is_the_dataset(ds: xr.Dataset) -> None:
    x = torch.cat([x for x, _ in ds.yeast.batches(64)])
    np.testing.assert_array_equal(x.numpy(), ds["binding_effect"].values.reshape(-1, 7))


@pytest.mark.parametrize("by", ["gene", "tf", "replicate"])
def test_batches__every_sample_once_an_epoch_and_another_order_the_next(ds: xr.Dataset, by: str) -> None:
    batches = ds.yeast.batches(SMALL[by], by=by, shuffle=True, seed=1)
    epochs = []
    for epoch in range(3):
        order = batches.order(epoch)
        assert (
            len(set(zip(order.plane.values.tolist(), order.position.values.tolist(), strict=True)))
            == order.sizes["sample"]
        )
        epochs.append((order.plane.values * 300 + order.position.values).tolist())
    assert sorted(epochs[0]) == sorted(epochs[1]) == sorted(epochs[2])
    assert len({tuple(order) for order in epochs}) == 3
    again = ds.yeast.batches(SMALL[by], by=by, shuffle=True, seed=2)
    assert (again.order().position.values.tolist(), again.order().plane.values.tolist()) != (
        batches.order().position.values.tolist(),
        batches.order().plane.values.tolist(),
    )


@pytest.mark.parametrize("by", ["gene", "tf", "replicate"])
@given(data=st.data())
def test_batches__same_whatever_chunks_and_threads(ds: xr.Dataset, by: str, data: st.DataObject) -> None:
    options = {
        "by": by,
        "shuffle": data.draw(st.booleans(), "shuffle"),
        "drop_last": data.draw(st.booleans(), "drop_last"),
        "seed": 7,
        "block": data.draw(st.none() | st.integers(1, 400), "block"),
        "buffer": data.draw(st.none() | st.integers(1, 400), "buffer"),
    }
    chunks = {dim: data.draw(st.integers(1, ds.sizes[dim]), dim) for dim in ("replicate", "gene", "tf")}
    chunks |= {"gene": max(chunks["gene"], 100), "tf": max(chunks["tf"], 5)}  # few enough to be quick
    size = data.draw(st.integers(1, {"gene": 400, "tf": 20, "replicate": 5}[by]), "batch_size")
    size = max(size, {"gene": 40, "tf": 1, "replicate": 1}[by])
    import warnings

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "each chunk of", UserWarning)  # small blocks of large chunks are meant here
        lazy = ds.chunk(chunks).yeast.batches(size, threads=data.draw(st.integers(1, 4), "threads"), **options)
    assert_equal(given_out(ds.yeast.batches(size, threads=1, **options)), given_out(lazy))


@pytest.mark.parametrize("by", ["gene", "tf", "replicate"])
def test_batches__store_dask_and_simulation_give_the_same(ds: xr.Dataset, store: Path, by: str) -> None:
    options = {"by": by, "shuffle": True, "seed": 3, "x": ["label", "binding_effect"], "y": "perturbation_pvalue"}
    expected = given_out(ds.yeast.batches(SMALL[by], **options))
    assert expected[0][0].shape == (SMALL[by], *ROWS[by], 2)
    assert_equal(given_out(yx.Batches(store, SMALL[by], **options)), expected)
    assert_equal(given_out(yx.open(store).yeast.batches(SMALL[by], **options)), expected)
    assert_equal(given_out(SimulatedBatches(SPEC, SMALL[by], **options)), expected)
    gene_major = ds.assign({name: ds[name].copy(data=np.ascontiguousarray(ds[name].values)) for name in ds.data_vars})
    assert_equal(given_out(gene_major.yeast.batches(SMALL[by], **options)), expected)


def test_batches__without_replicates_and_with_more_dims() -> None:
    plain = yx.simulate(genes=100, bound=[0.1, 0.2], seed=1)
    assert [tuple(x.shape) for x, _ in plain.yeast.batches(60)] == [(60, 2), (40, 2)]
    assert [tuple(x.shape) for x, _ in plain.yeast.batches(1, by="tf")] == [(1, 100), (1, 100)]
    swept = yx.sweep(SPEC, bound_mean=[1.0, 2.0]).transpose("tf", "bound_mean", "gene", "replicate", "feature")
    x = torch.cat([x for x, _ in swept.yeast.batches(300)])
    assert "bound_mean" not in swept["binding_effect"].dims
    expected = (
        swept["binding_effect"].expand_dims(bound_mean=2).transpose("bound_mean", "replicate", "gene", "tf").values
    )
    np.testing.assert_array_equal(x.numpy(), expected.reshape(-1, 7))
    planes = torch.cat([x for x, _ in swept.yeast.batches(10, by="bound_mean")])
    np.testing.assert_array_equal(planes.numpy(), expected.reshape(10, 300, 7))


@pytest.mark.parametrize("source", ["numpy", "dask", "store"])
def test_batches__resumed_in_mid_epoch_give_the_rest(ds: xr.Dataset, store: Path, source: str) -> None:
    data = {"numpy": ds, "dask": ds.chunk({"replicate": 1}), "store": store}[source]

    def made() -> Batches:
        return yx.Batches(data, 64, shuffle=True, seed=1, buffer=300)

    whole = made()
    first, second = given_out(whole), given_out(whole)
    for done in (0, 1, 7, len(first) - 1, len(first)):
        stopped = made()
        iteration = iter(stopped)
        for _ in range(done):
            next(iteration)
        state = stopped.state_dict()
        resumed = made()
        resumed.load_state_dict(pickle.loads(pickle.dumps(state)))
        assert_equal(given_out(resumed), second if done == len(first) else first[done:])
        assert_equal(given_out(resumed), second if done < len(first) else given_out_of_epoch(made(), 2))
        iteration.close()


def given_out_of_epoch(batches: Batches, epoch: int) -> list:
    batches.set_epoch(epoch)
    return given_out(batches)


def test_batches__an_iteration_left_early_is_an_epoch_begun(ds: xr.Dataset) -> None:
    batches = ds.yeast.batches(64, shuffle=True, seed=1)
    next(iter(batches))
    assert_equal(given_out(batches), given_out_of_epoch(ds.yeast.batches(64, shuffle=True, seed=1), 1))


def test_batches__state_of_another_order_is_refused(ds: xr.Dataset) -> None:
    state = ds.yeast.batches(64, seed=1).state_dict()
    with pytest.raises(yx.InputError, match=r"state belongs to batches with seed 1, not 2; batch_size 64, not 32"):
        ds.yeast.batches(32, seed=2).load_state_dict(state)
    with pytest.raises(yx.InputError, match="expected the result of state_dict"):
        ds.yeast.batches(32, seed=2).load_state_dict({})


@given(world_size=st.integers(1, 7), drop_last=st.booleans(), shuffle=st.booleans())
def test_batches__ranks_share_the_samples(ds: xr.Dataset, world_size: int, drop_last: bool, shuffle: bool) -> None:
    ranks = [
        ds.yeast.batches(50, rank=r, world_size=world_size, drop_last=drop_last, shuffle=shuffle, seed=1)
        for r in range(world_size)
    ]
    rows = [row for batches in ranks for x, _ in batches for row in x]
    expected = ds["binding_effect"].values.reshape(-1, 7)
    order = ranks[0].order()
    in_order = expected[order.plane.values * 300 + order.position.values]
    if drop_last:
        assert len({len(batches) for batches in ranks}) == 1
        assert len(rows) == sum(len(batches) for batches in ranks) * 50 <= 1500
    else:
        np.testing.assert_array_equal(torch.stack(rows).numpy(), in_order)


def test_batches__drop_last(ds: xr.Dataset) -> None:
    batches = ds.yeast.batches(64, drop_last=True)
    assert len(batches) == 1500 // 64
    assert {len(x) for x, _ in batches} == {64}
    assert len(given_out(batches)) == len(batches)


def test_batches__parts_of_a_split(ds: xr.Dataset) -> None:
    for by, other in [("gene", "gene"), ("gene", "tf"), ("tf", "replicate"), ("replicate", "replicate")]:
        marked = ds.yeast.split(0.6, 0.2, 0.2, by=other, seed=1)
        for part in ("train", "test"):
            rows = torch.cat([x for x, _ in marked.yeast.batches(1 if by == "replicate" else 3, by=by, split=part)])
            chosen = marked.isel({other: (marked.split == part).values})["binding_effect"].values
            if by != "replicate":
                chosen = chosen.swapaxes(1, 2) if by == "tf" else chosen
                chosen = chosen.reshape(-1, chosen.shape[-1])
            np.testing.assert_array_equal(rows.numpy(), chosen)


def test_batches__belong_to_the_one_who_gets_them(ds: xr.Dataset) -> None:
    batches = ds.yeast.batches(64, buffer=64, block=64)
    kept = []
    for x, y in batches:
        kept.append((x.clone(), y.clone(), x, y))
    for x, y, x_then, y_then in kept:
        assert torch.equal(x, x_then)
        assert torch.equal(y, y_then)
    before = ds["binding_effect"].values.copy()
    for x, _ in ds.yeast.batches(64):
        x.zero_()
    np.testing.assert_array_equal(ds["binding_effect"].values, before)


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_batches__dtype(ds: xr.Dataset, dtype: torch.dtype) -> None:
    for (x, y), (x32, y32) in zip(ds.yeast.batches(100, dtype=dtype), ds.yeast.batches(100), strict=True):
        assert x.dtype == y.dtype == dtype
        assert torch.equal(x, x32.to(dtype))
        assert torch.equal(y, y32.to(dtype))


def test_batches__nothing_is_computed_before_it_is_wanted(no_compute: None) -> None:
    batches = SimulatedBatches(SPEC, 32, shuffle=True)
    assert len(batches) == math.ceil(1500 / 32)
    with pytest.raises(AssertionError, match="a lazy path computed"):
        next(iter(batches))


def test_batches__shuffles_as_well_as_the_buffer_allows(ds: xr.Dataset) -> None:
    """Blocks within a batch are mixed: their entropy is that of a multinomial over the blocks of the buffer."""
    batches = ds.yeast.batches(60, shuffle=True, seed=1, block=50, buffer=1500)
    order = batches.order()
    block = order.plane.values * 6 + order.position.values // 50
    entropies = []
    for first in range(0, 1500, 60):
        share = np.bincount(block[first : first + 60]) / 60
        entropies.append(-(share[share > 0] * np.log2(share[share > 0])).sum())
    # Of 2,000 perfect shuffles of 30 blocks of 50, cut into 25 batches of 60, the mean is 4.522, its s.d. 0.0194.
    assert abs(np.mean(entropies) - 4.522) < 6 * 0.0194


def test_batches__an_error_in_reading_reaches_the_loop(ds: xr.Dataset) -> None:
    def broken(block: np.ndarray) -> np.ndarray:
        raise RuntimeError("the disk is gone")

    bad = ds.copy()
    bad["binding_effect"] = (
        ds["binding_effect"]
        .chunk({"replicate": 1})
        .copy(
            data=ds["binding_effect"]
            .chunk({"replicate": 1})
            .data.map_blocks(broken, dtype=np.float32, meta=np.empty((0, 0, 0), np.float32))
        )
    )
    with pytest.raises(RuntimeError, match="the disk is gone"):
        list(bad.yeast.batches(64))


def test_batches__says_when_chunks_lie_across() -> None:
    lazy = yx.simulate(genes=300, bound=[0.1], n_sample=[4], seed=1, chunks={"gene": 300, "tf": 1})
    with pytest.warns(
        UserWarning, match=r"each chunk of 300 along 'gene' is read 6 times per epoch.*'gene': 50, 'tf': -1"
    ):
        lazy.yeast.batches(10, block=50)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch_size": 0}, "batch_size is 0; expected an integer of at least 1"),
        ({"batch_size": 2.5}, "batch_size is 2.5; expected an integer"),
        ({"batch_size": 1501}, "batch_size is 1501; expected at most 1500, the number of samples"),
        ({"batch_size": 800, "rank": 0, "world_size": 2}, "expected at most 750, the number of samples of rank 0"),
        ({"x": "bindng_effect"}, "unknown feature 'bindng_effect'; did you mean 'binding_effect'"),
        ({"y": []}, "y is empty"),
        ({"y": 3}, "y is 3; expected the name of a feature"),
        ({"by": "genes"}, "by is 'genes', which is not a dimension of the dataset; did you mean 'gene'"),
        ({"split": "train"}, "no coordinate 'split'"),
        ({"device": "cuda:99"}, "device is 'cuda:99'"),
        ({"dtype": torch.int32}, "dtype is torch.int32"),
        ({"block": 0}, "block is 0"),
        ({"buffer": -1}, "buffer is -1"),
        ({"threads": 0}, "threads is 0"),
        ({"seed": -1}, "seed is -1"),
        ({"rank": 1}, "rank and world_size"),
        ({"rank": 2, "world_size": 2}, "rank is 2; expected an integer from 0 to 1"),
    ],
    ids=str,
)
def test_batches__refused(ds: xr.Dataset, options: dict[str, object], message: str) -> None:
    with pytest.raises(yx.InputError, match=message):
        yx.Batches(ds, **{"batch_size": 32, **options})


def test_batches__name_themselves(ds: xr.Dataset) -> None:
    batches = ds.yeast.batches(64, shuffle=True, buffer=600)
    assert repr(batches) == "<Batches: 24 of 64 samples by 'gene', rows (7,), shuffled in buffers of 600>"
    assert repr(SimulatedBatches(SPEC, 64)) == "<SimulatedBatches: 24 of 64 samples by 'gene', rows (7,), in order>"


def test_batches__missing_dims_and_stores(ds: xr.Dataset, tmp_path: Path) -> None:
    with pytest.raises(yx.SchemaError, match="no dimension 'gene'"):
        yx.Batches(ds.isel(gene=0, drop=True), 3)
    with pytest.raises(FileNotFoundError, match="does not exist"):
        yx.Batches(tmp_path / "none.zarr", 3)
    with pytest.raises(yx.InputError, match="expected a SimulationSpec"):
        SimulatedBatches({"genes": 3}, 3)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA GPU here")
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_batches__on_a_gpu_equal_those_on_the_cpu(ds: xr.Dataset, dtype: torch.dtype) -> None:
    options = {"shuffle": True, "seed": 1, "dtype": dtype, "buffer": 300, "block": 100}
    for (x, y), (x_cpu, y_cpu) in zip(
        ds.yeast.batches(64, device="cuda", **options), ds.yeast.batches(64, **options), strict=True
    ):
        assert x.is_cuda
        assert torch.equal(x.cpu(), x_cpu)
        assert torch.equal(y.cpu(), y_cpu)
