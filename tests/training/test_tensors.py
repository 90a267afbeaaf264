"""Tensors: shape, strides, order of columns, lazy data, and the way back."""

from pathlib import Path

import dask
import numpy as np
import pytest
import torch
import xarray as xr

import yeastxr as yx
from yeastxr.demo import POPULATION
from yeastxr.schema import FEATURE_NAMES
from yeastxr.training.tensors import interleave


def made(**extra: object) -> xr.Dataset:
    return yx.simulate(**{**POPULATION, "max_mean_adjustment": 10.0, "seed": 42, **extra})


@pytest.fixture(params=[None, {"tf": 3}, {"gene": 300, "tf": 4}], ids=["numpy", "dask", "dask-genes"])
def ds(request: pytest.FixtureRequest) -> xr.Dataset:
    return made(chunks=request.param)


def test_to_torch__shape_strides_and_columns(ds: xr.Dataset) -> None:
    tensor = ds.yeast.to_torch()
    assert tensor.dtype == torch.float32
    assert tensor.shape == (1000, 10, 5)
    assert tensor.is_contiguous()
    assert tensor.stride() == (50, 5, 1)
    for i, name in enumerate(FEATURE_NAMES):
        np.testing.assert_array_equal(tensor[..., i].numpy(), ds[name].values.astype(np.float32))


def test_to_torch__features_selected_and_ordered(ds: xr.Dataset) -> None:
    names = ["perturbation_effect", "label"]
    tensor = ds.sel(feature=names).yeast.to_torch()
    assert tensor.shape == (1000, 10, 2)
    assert tensor.is_contiguous()
    for i, name in enumerate(names):
        np.testing.assert_array_equal(tensor[..., i].numpy(), ds[name].values.astype(np.float32))


def test_to_torch__one_feature_without_its_axis(ds: xr.Dataset) -> None:
    tensor = ds.sel(feature="binding_effect").yeast.to_torch()
    assert tensor.shape == (1000, 10)
    np.testing.assert_array_equal(tensor.numpy(), ds["binding_effect"].values)


def test_to_torch__transposed_dims(ds: xr.Dataset) -> None:
    assert torch.equal(ds.transpose("feature", "tf", "gene").yeast.to_torch(), ds.yeast.to_torch())


@pytest.mark.parametrize("chunks", [None, {"replicate": 2, "tf": 4}], ids=["numpy", "dask"])
def test_to_torch__leading_dims(chunks: object) -> None:
    ds = made(replicates=3, chunks=chunks)
    tensor = ds.transpose("gene", "replicate", "tf", "feature").yeast.to_torch()
    assert tensor.shape == (3, 1000, 10, 5)
    assert torch.equal(tensor[0], made().yeast.to_torch())
    two = ds.expand_dims(sweep=[1.0, 2.0]).yeast.to_torch()
    assert two.shape == (2, 3, 1000, 10, 5)


def test_to_torch__writes_to_its_own_memory(ds: xr.Dataset) -> None:
    before = ds["binding_effect"].values.copy()
    ds.yeast.to_torch().zero_()
    np.testing.assert_array_equal(ds["binding_effect"].values, before)


def test_to_torch__dtype() -> None:
    assert made().yeast.to_torch(dtype=torch.float64).dtype == torch.float64
    with pytest.raises(yx.InputError, match=r"dtype is torch.int32; expected a floating-point"):
        made().yeast.to_torch(dtype=torch.int32)


@pytest.mark.parametrize("device", ["nonsense", "cuda:99", 3.5])
def test_to_torch__no_such_device(device: object) -> None:
    with pytest.raises(yx.InputError, match="device is"):
        made().yeast.to_torch(device=device)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA GPU here")
@pytest.mark.parametrize("chunks", [None, {"tf": 3}], ids=["numpy", "dask"])
@pytest.mark.parametrize("layout", ["interleaved", "planar"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_to_torch__cuda_equals_cpu(chunks: object, layout: str, dtype: torch.dtype) -> None:
    ds = made(chunks=chunks, replicates=2)
    tensor = ds.yeast.to_torch(device="cuda", dtype=dtype, layout=layout)
    assert tensor.is_cuda
    assert tensor.stride() == ds.yeast.to_torch(dtype=dtype, layout=layout).stride()
    assert torch.equal(tensor.cpu(), ds.yeast.to_torch(dtype=dtype))
    again = torch.full_like(tensor, -1.0)
    assert ds.yeast.to_torch(out=again, layout=layout) is again
    assert torch.equal(again, tensor)


@pytest.mark.parametrize("buffer_bytes", [1, 3000, 1 << 23])
def test_fill_on_device__every_slab_where_it_belongs(ds: xr.Dataset, buffer_bytes: int) -> None:
    """The way to a GPU, but for the GPU: the same slabs through buffers that are not pinned."""
    from yeastxr._blocks import align_features
    from yeastxr.training.tensors import fill_on_device

    for names in (FEATURE_NAMES, ("perturbation_effect", "label")):
        out = torch.full((1000, 10, len(names)), -1.0)
        fill_on_device(align_features(ds, names), out, pinned=False, buffer_bytes=buffer_bytes)
        assert torch.equal(out, ds.yeast.to_torch(features=names))


@pytest.mark.parametrize("tfs", [1, 2, 63, 64, 65, 300])
@pytest.mark.parametrize("genes", [1, 255, 257])
def test_to_torch__tiles_of_any_size(genes: int, tfs: int) -> None:
    ds = yx.simulate(genes=genes, bound=[0.3], n_sample=[tfs], seed=1)
    expected = np.stack([ds[name].values for name in FEATURE_NAMES], axis=-1, dtype=np.float32)
    out = torch.full(expected.shape, -1.0)
    np.testing.assert_array_equal(ds.yeast.to_torch(out=out).numpy(), expected)
    gene_major = ds.assign({name: ds[name].copy(data=np.ascontiguousarray(ds[name].values)) for name in FEATURE_NAMES})
    np.testing.assert_array_equal(gene_major.yeast.to_torch().numpy(), expected)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_to_torch__planar_is_the_same_in_other_memory(ds: xr.Dataset, dtype: torch.dtype) -> None:
    planar = ds.yeast.to_torch(layout="planar", dtype=dtype)
    assert torch.equal(planar, ds.yeast.to_torch(dtype=dtype))
    assert planar.dtype == dtype
    assert planar.movedim(-1, 0).swapaxes(-1, -2).is_contiguous() or planar.movedim(-1, 0).is_contiguous()


def test_to_torch__out_is_filled_and_returned(ds: xr.Dataset) -> None:
    expected = ds.yeast.to_torch()
    for dtype in (torch.float32, torch.float64):
        out = torch.full((1000, 10, 5), -1.0, dtype=dtype)
        assert ds.yeast.to_torch(out=out) is out
        assert torch.equal(out, expected.to(dtype))
    planar = torch.full((5, 1000, 10), -1.0).movedim(0, -1)
    assert torch.equal(ds.yeast.to_torch(out=planar, layout="planar"), expected)
    one = torch.full((1000, 10), -1.0)
    assert torch.equal(ds.yeast.to_torch(out=one, features="binding_effect"), expected[..., 1])
    part = torch.full((3, 1000, 10, 5), -1.0)
    ds.yeast.to_torch(out=part[1])
    assert torch.equal(part[1], expected)
    assert (part[[0, 2]] == -1).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"out": torch.zeros(3, 2)}, r"out has the shape \[3, 2\]; expected \[1000, 10, 5\]"),
        ({"out": np.zeros((1000, 10, 5))}, "out is of type ndarray; expected a torch.Tensor"),
        ({"out": torch.zeros(5, 1000, 10).movedim(0, -1)}, "expected contiguous memory, or layout='planar'"),
        (
            {"out": torch.zeros(1000, 10, 5), "dtype": torch.float64},
            "out is torch.float32 on cpu; expected torch.float64",
        ),
        ({"out": torch.zeros(1000, 10, 5, dtype=torch.int32)}, "dtype is torch.int32"),
        ({"layout": "columns"}, "layout is 'columns'; expected 'interleaved' or 'planar'"),
        ({"features": []}, "features is empty"),
        ({"features": "bindng_effect"}, "did you mean 'binding_effect'"),
        ({"features": ["label", 3]}, "unknown feature 3"),
        ({"features": 3}, "features is 3; expected the name of a feature, or a list of names"),
        ({"device": "cuda:99"}, "torch finds 0 CUDA GPUs"),
    ],
    ids=str,
)
def test_to_torch__refused(options: dict[str, object], message: str) -> None:
    if torch.cuda.is_available():
        message = message.replace("finds 0", r"finds \d+")
    with pytest.raises(yx.InputError, match=message):
        made().yeast.to_torch(**options)


def test_to_torch__features_go_before_the_selection(ds: xr.Dataset) -> None:
    tensor = ds.sel(feature=["label"]).yeast.to_torch(features=["perturbation_effect", "label"])
    assert torch.equal(tensor, ds.yeast.to_torch()[..., [3, 0]])
    assert torch.equal(ds.yeast.to_torch(features="binding_pvalue"), ds.yeast.to_torch()[..., 2])


def test_to_torch__from_a_store_not_yet_read(tmp_path: Path) -> None:
    ds = made(replicates=3)
    path = yx.save(ds, tmp_path / "sim.zarr")
    for chunks in ("stored", None, {"tf": 7}):
        assert torch.equal(yx.open(path, chunks=chunks).yeast.to_torch(), ds.yeast.to_torch())


def test_to_torch__features_in_different_chunks() -> None:
    ds = made(chunks={"tf": 3})
    ds["label"] = ds["label"].chunk({"gene": 100, "tf": 4})
    ds["binding_effect"] = ds["binding_effect"].compute()
    assert torch.equal(ds.yeast.to_torch(), made().yeast.to_torch())


def test_to_torch__by_a_scheduler_of_other_processes() -> None:
    with dask.config.set(scheduler="processes", num_workers=1):
        assert torch.equal(made(chunks={"tf": 5}).yeast.to_torch(), made().yeast.to_torch())


def test_to_torch__holds_no_second_copy_of_a_lazy_dataset() -> None:
    """Blocks are let go of once they are in the tensor."""
    import gc
    import weakref

    alive: list[weakref.ref] = []
    most = 0

    def watched(block: np.ndarray) -> np.ndarray:
        nonlocal most
        result = block.copy()
        alive.append(weakref.ref(result))
        most = max(most, sum(ref() is not None for ref in alive))
        return result

    ds = made(chunks={"tf": 1})
    array = ds["binding_effect"]
    ds["binding_effect"] = array.copy(data=array.data.map_blocks(watched, dtype=array.dtype, meta=array.data._meta))
    with dask.config.set(scheduler="threads", num_workers=2):
        ds.yeast.to_torch()
    gc.collect()
    assert len(alive) == 10
    assert most <= 4
    assert not any(ref() is not None for ref in alive)


@pytest.mark.parametrize(
    "features", [("binding_effect", "perturbation_effect"), (["label", "binding_effect"], "label")]
)
def test_xy__pairs(ds: xr.Dataset, features: tuple) -> None:
    pair = ds.yeast.xy(*features)
    assert torch.equal(pair.x, ds.yeast.to_torch(features=features[0]))
    assert torch.equal(pair.y, ds.yeast.to_torch(features=features[1]))
    assert pair.x.is_contiguous()


def test_to_torch__missing_variable() -> None:
    with pytest.raises(yx.SchemaError, match="has no variable"):
        yx.to_torch(made().drop_vars("label"))


def test_to_torch__unknown_feature() -> None:
    ds = made().assign_coords(feature=["label", "bindng_effect", "c", "d", "e"])
    with pytest.raises(yx.SchemaError, match="unknown feature 'bindng_effect'; did you mean 'binding_effect'"):
        ds.yeast.to_torch()


def test_to_dataarray__is_lazy_and_right(no_compute: None) -> None:
    array = made(chunks={"tf": 3}).yeast.to_dataarray()
    assert array.dims == ("gene", "tf", "feature")
    assert array.chunks is not None
    assert array.dtype == np.float32


def test_to_dataarray__values(ds: xr.Dataset) -> None:
    array = ds.yeast.to_dataarray()
    np.testing.assert_array_equal(array.values, ds.yeast.to_torch().numpy())
    assert list(array["feature"].values) == list(FEATURE_NAMES)
    assert ds.sel(feature="label").yeast.to_dataarray().dims == ("gene", "tf")
    two = ds.sel(feature=["label", "binding_effect"]).yeast.to_dataarray()
    np.testing.assert_array_equal(two.sel(feature="binding_effect").values, ds["binding_effect"].values)


@pytest.mark.parametrize("extra", [{}, {"replicates": 2}, {"tfs": [f"TF{i}<b>" for i in range(10)]}], ids=str)
def test_from_torch__goes_back(extra: dict[str, object]) -> None:
    ds = made(**extra)
    xr.testing.assert_identical(yx.from_torch(ds.yeast.to_torch(), like=ds), ds)


@pytest.mark.parametrize("layout", ["interleaved", "planar", "tf-major", "out of a stack"])
@pytest.mark.parametrize("features", [FEATURE_NAMES, ("binding_effect",), ("label",), ("label", "binding_pvalue")])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_from_torch__never_shares_memory(features: tuple[str, ...], layout: str, dtype: torch.dtype) -> None:
    ds = made()
    tensor = ds.yeast.to_torch(
        features=list(features), dtype=dtype, layout="planar" if layout == "planar" else "interleaved"
    )
    if layout == "tf-major":
        tensor = tensor.movedim(-1, 0).swapaxes(-1, -2).contiguous().swapaxes(-1, -2).movedim(0, -1)
    elif layout == "out of a stack":
        tensor = torch.stack([tensor, tensor])[1]
    for like in (None, ds):
        back = yx.from_torch(tensor, features=features, like=like)
        before = back.copy(deep=True)
        kept = tensor.clone()
        tensor.fill_(7)
        xr.testing.assert_identical(back, before)
        tensor.copy_(kept)
        for variable in back.data_vars.values():
            variable.values[:] = 0
        assert torch.equal(tensor, kept)
        if like is not None:
            back["bound_fraction"].values[:] = 0
            assert ds["bound_fraction"].values.all()


@pytest.mark.parametrize("source", ["numpy", "gene-major", "dask", "store"])
def test_memory__of_tensors_batches_and_samples_is_never_the_datasets(tmp_path: Path, source: str) -> None:
    """Every tensor that is handed out may be changed: neither the dataset nor another tensor changes with it."""
    ds = made()
    if source == "gene-major":
        ds = ds.assign({name: ds[name].copy(data=np.ascontiguousarray(ds[name].values)) for name in FEATURE_NAMES})
    data = {"dask": ds.chunk({"tf": 3})}.get(source, ds)
    if source == "store":
        data = yx.open(yx.save(ds, tmp_path / "sim.zarr"), chunks=None)
    expected = ds.copy(deep=True)
    batches, samples = data.yeast.batches(100, block=500, buffer=500), data.yeast.samples()

    def make() -> list[torch.Tensor]:
        tensors = [data.yeast.to_torch(features=name) for name in FEATURE_NAMES]
        tensors += [data.yeast.to_torch(layout="planar"), *data.yeast.xy()]
        tensors += [tensor for i in (0, 0, 1) for tensor in samples[i]]
        return tensors + [tensor for pair in batches for tensor in pair]

    for tensor, again in zip(made_once := make(), make(), strict=True):
        assert torch.equal(tensor, again)
        again.fill_(7)
    for i, tensor in enumerate(made_once):
        kept = [other.clone() for other in made_once[i + 1 : i + 3]]
        tensor.fill_(7)
        assert all(torch.equal(other, copy) for other, copy in zip(made_once[i + 1 :], kept, strict=False))
    stacked = data.yeast.to_dataarray().compute()
    stacked.values[:] = 7
    xr.testing.assert_identical(data.compute(), expected)


def test_interleave__any_number_of_planes_of_any_dtype() -> None:
    """A sixth feature, or another selection, goes through the general path."""
    rng = np.random.default_rng(1)
    for dtypes in (
        ["?"] + ["f4"] * 5,
        ["?", "?", "f4"],
        ["f4"] * 5,
        ["f8", "i2"],
        ["i1", "f4", "f4", "f4", "f4", "u2"],
    ):
        for order in "CF":
            planes = [np.asarray(rng.integers(0, 2, (3, 30, 270)), dtype, order=order) for dtype in dtypes]
            out = np.full((3, 30, 270, len(planes)), -1, np.float32)
            interleave(planes, out, threads=2)
            np.testing.assert_array_equal(out, np.stack(planes, axis=-1).astype(np.float32))


def test_from_torch__names_and_integers() -> None:
    tensor = made().yeast.to_torch()
    plain = yx.from_torch(tensor)
    yx.validate(plain)
    assert yx.spec_of(plain) is None
    assert torch.equal(plain.yeast.to_torch(), tensor)
    named = yx.from_torch(tensor, tfs=[f"TF{i}" for i in range(10)])
    np.testing.assert_array_equal(named.sel(tf="TF3")["label"].values, tensor[:, 3, 0].numpy() != 0)


def test_from_torch__some_features() -> None:
    ds = made().sel(feature=["perturbation_effect", "label"])
    back = yx.from_torch(ds.yeast.to_torch(), features=["perturbation_effect", "label"])
    assert set(back.data_vars) == {"perturbation_effect", "label"}
    np.testing.assert_array_equal(back["label"].values, ds["label"].values)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"tensor": torch.zeros(3, 2)}, "shape"),
        ({"tensor": torch.zeros(3, 2, 4)}, "shape"),
        ({"tensor": np.zeros((3, 2, 5))}, "expected a torch.Tensor"),
        ({"tfs": ["a"]}, "tfs has 1 names"),
        ({"genes": ["a", "a", "b"]}, "more than once"),
        ({"features": ["label"] * 5}, "each feature once"),
        ({"features": ["label", "x", "y", "z", "w"]}, "unknown"),
        ({"dims": ["replicate"]}, "leading dimensions"),
        ({"tensor": torch.zeros(2, 2, 3, 2, 5)}, "leading dimensions"),
    ],
    ids=str,
)
def test_from_torch__refused(change: dict[str, object], message: str) -> None:
    arguments = {"tensor": torch.zeros(3, 2, 5), **change}
    with pytest.raises(yx.InputError, match=message):
        yx.from_torch(arguments.pop("tensor"), **arguments)


def test_from_torch__like_of_another_size() -> None:
    with pytest.raises(yx.SchemaError, match="like has 1000"):
        yx.from_torch(torch.zeros(3, 10, 5), like=made())
