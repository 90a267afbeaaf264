"""Missing values in tensors, pairs, batches and samples: kept, refused or filled, with masks of what is present."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import xarray as xr
from torch.utils.data import DataLoader

import yeastxr as yx
from tests.analysis.common import make_measured
from yeastxr.training import BatchStream

SOURCES = ["numpy", "dask", "store"]


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> dict[str, xr.Dataset]:
    """The same measured data in memory, dask-backed and read from a store, with an infinite value."""
    ds = make_measured(3).assign_coords(feature=list(make_measured(3).data_vars))
    ds["binding_effect"][0, 0] = np.inf
    path = yx.save(ds, Path(tmp_path_factory.mktemp("stores")) / "measured.zarr")
    return {"numpy": ds, "dask": ds.chunk({"gene": 9, "tf": 2}), "store": yx.open(path, chunks=None)}


def fill(tensor: torch.Tensor, number: float) -> torch.Tensor:
    return torch.where(tensor.isnan(), torch.tensor(number, dtype=tensor.dtype), tensor)


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("layout", ["interleaved", "planar"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_to_torch__fills_what_is_missing(sources: Any, source: str, layout: Any, dtype: torch.dtype) -> None:
    ds = sources[source]
    kept = yx.to_torch(ds, layout=layout, dtype=dtype)
    filled = yx.to_torch(ds, layout=layout, dtype=dtype, missing=-1.5)
    assert int(kept.isnan().sum()) == int(sources["numpy"].isnull().to_array().sum())
    assert torch.equal(filled, fill(kept, -1.5))
    assert filled.stride() == kept.stride()
    assert filled[0, 0, 0] == torch.inf
    out = torch.full_like(filled, 7)
    assert yx.to_torch(ds, layout=layout, out=out, missing=-1.5) is out
    assert torch.equal(out, filled)
    assert torch.equal(yx.to_torch(ds, features="binding_pvalue", missing=0), fill(yx.to_torch(ds)[..., 1], 0.0))


def test_to_torch__fills_nothing_else() -> None:
    ds = yx.simulate(genes=50, bound=[0.2], n_sample=[3], seed=1)
    assert torch.equal(yx.to_torch(ds, missing=5.0), yx.to_torch(ds))
    assert torch.equal(yx.to_torch(ds, missing="refuse"), yx.to_torch(ds))


@pytest.mark.parametrize("source", SOURCES)
def test_missing__is_refused(sources: Any, source: str) -> None:
    ds = sources[source]
    message = r"^(binding|perturbation)_(effect|pvalue) has \d+ missing values of \d+ in a block; expected none"
    out = torch.full((23, 3, 4), 7.0)
    calls: list[Callable[[], Any]] = [
        lambda: yx.to_torch(ds, missing="refuse", out=out),
        lambda: yx.xy(ds, missing="refuse"),
        lambda: list(yx.Batches(ds, 5, missing="refuse")),
        lambda: list(yx.Batches(ds, 2, by="tf", missing="refuse", x=["binding_effect", "binding_pvalue"])),
        lambda: [ds.yeast.samples(missing="refuse")[i] for i in range(23)],
    ]
    for call in calls:
        with pytest.raises(yx.InputError, match=message):
            call()
    if source == "numpy":  # before anything is written, and before a loop begins
        assert torch.equal(out, torch.full_like(out, 7))
        with pytest.raises(yx.InputError, match=message):
            yx.Batches(ds, 5, missing="refuse")


@pytest.mark.parametrize("source", SOURCES)
def test_missing__of_other_samples_does_not_matter(sources: Any, source: str) -> None:
    ds = sources[source]
    known = sources["numpy"][["binding_effect", "perturbation_effect"]].notnull().to_array().all(["variable", "tf"])
    ds = ds.assign_coords(split=("gene", np.where(known, "train", "test").astype(object)))
    n = int(known.sum())
    assert 0 < n < 23
    assert sum(len(batch.x) for batch in yx.Batches(ds, 2, split="train", missing="refuse")) == n
    samples = ds.yeast.samples(split="train", missing="refuse")
    x, _ = yx.xy(ds, split="train", missing="refuse")
    assert torch.equal(torch.stack([samples[i].x for i in range(n)]), x)


@pytest.mark.parametrize("missing", ["x", "", True, None, np.nan, np.inf, [0.0], np.zeros(2)], ids=repr)
def test_missing__bad_argument(missing: object) -> None:
    ds = make_measured(1)
    for call in (yx.to_torch, yx.xy, lambda ds, missing: yx.Batches(ds, 5, missing=missing)):
        with pytest.raises(yx.InputError, match=r"missing is .*; expected 'keep', 'refuse', or a finite number"):
            call(ds.assign_coords(feature=list(ds.data_vars)), missing=missing)


@pytest.mark.parametrize("source", SOURCES)
def test_xy__masks(sources: Any, source: str) -> None:
    ds = sources[source]
    names = ["binding_effect", "binding_pvalue"]
    x, y = yx.xy(ds, x=names)
    pair = yx.xy(ds, x=names, missing=0.0, mask=True)
    assert isinstance(pair, yx.MaskedPair)
    assert torch.equal(pair.x, fill(x, 0.0))
    assert torch.equal(pair.y, fill(y, 0.0))
    assert torch.equal(pair.x_mask, ~x.isnan())
    assert torch.equal(pair.y_mask, ~y.isnan())
    kept = yx.xy(ds, x=names, mask=True)
    assert torch.equal(kept.x_mask, ~kept.x.isnan())
    with pytest.raises(yx.InputError, match="mask is 1; expected True or False"):
        yx.xy(ds, mask=1)


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("by", ["gene", "tf"])
def test_batches__masks_are_those_of_their_samples(sources: Any, source: str, by: str) -> None:
    ds = sources[source]
    plain = yx.Batches(ds, 2, by=by, shuffle=True, seed=3)
    masked = yx.Batches(ds, 2, by=by, shuffle=True, seed=3, missing=0.0, mask=True, dtype=torch.float64)
    for (x, y), batch in zip(plain, masked, strict=True):
        assert isinstance(batch, yx.MaskedPair)
        for values, filled, mask in ((x, batch.x, batch.x_mask), (y, batch.y, batch.y_mask)):
            assert filled.dtype == torch.float64
            assert torch.equal(filled, fill(values.double(), 0.0))
            assert torch.equal(mask, ~values.isnan())


def test_batches__planes_of_replicates() -> None:
    ds = yx.simulate(genes=30, bound=[0.2, 0.3], replicates=4, missing_pair_fraction=0.3, seed=1)
    batch = next(iter(yx.Batches(ds, 4, by="replicate", missing=0.0, mask=True)))
    assert torch.equal(batch.y_mask, ~yx.xy(ds).y.isnan())
    assert batch.x_mask.all()


def test_masks__pass_through_loaders(sources: Any) -> None:
    ds = sources["numpy"]
    expected = yx.xy(ds, missing=0.0, mask=True)
    loader = DataLoader(ds.yeast.samples(missing=0.0, mask=True), batch_size=23)
    stream = DataLoader(BatchStream(yx.Batches(ds, 23, missing=0.0, mask=True)), batch_size=None)
    for batch in (next(iter(loader)), next(iter(stream))):
        assert isinstance(batch, yx.MaskedPair)
        assert all(torch.equal(part, other) for part, other in zip(batch, expected, strict=True))


def test_masks__make_a_loss_of_what_was_measured(sources: Any) -> None:
    x, y, x_mask, y_mask = yx.xy(sources["numpy"].where(np.isfinite), missing=0.0, mask=True)
    model = torch.nn.Linear(3, 3)
    torch.nn.functional.mse_loss(model(x)[y_mask], y[y_mask]).backward()
    assert model.weight.grad is not None
    assert model.weight.grad.isfinite().all()
    assert not yx.xy(sources["numpy"]).y.mean().isfinite()
    assert 0 < int(x_mask.sum()) < x_mask.numel()
