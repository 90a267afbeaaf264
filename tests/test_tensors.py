"""Tensors: shape, strides, order of columns, lazy data, and the way back."""

import numpy as np
import pytest
import torch
import xarray as xr

import yeastxr as yx
from yeastxr.demo import POPULATION
from yeastxr.schema import FEATURE_NAMES


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
def test_to_torch__cuda_equals_cpu() -> None:
    tensor = made().yeast.to_torch(device="cuda")
    assert tensor.is_cuda
    assert tensor.stride() == (50, 5, 1)
    assert torch.equal(tensor.cpu(), made().yeast.to_torch())


def test_to_torch__missing_variable() -> None:
    with pytest.raises(yx.SchemaError, match="lacks the variable"):
        yx.to_torch(made().drop_vars("label"))


def test_to_torch__unknown_feature() -> None:
    ds = made().assign_coords(feature=["label", "bindng_effect", "c", "d", "e"])
    with pytest.raises(yx.SchemaError, match="'bindng_effect' is not known; did you mean 'binding_effect'"):
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
        ({"genes": ["a", "a", "b"]}, "twice"),
        ({"features": ["label"] * 5}, "each feature once"),
        ({"features": ["label", "x", "y", "z", "w"]}, "not known"),
        ({"dims": ["replicate"]}, "leading dims"),
        ({"tensor": torch.zeros(2, 2, 3, 2, 5)}, "leading dims"),
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
