"""Batches in other people's loops: torch's DataLoader, with workers, and lightning's Trainer."""

import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
import xarray as xr
from torch.utils.data import ChainDataset, DataLoader

import yeastxr as yx
from yeastxr.training.loaders import BatchStream, SampleDataset

SPEC = yx.SimulationSpec(genes=200, bound=[0.1, 0.3], n_sample=[3, 4], replicates=4, seed=42)


@pytest.fixture(scope="module")
def ds() -> xr.Dataset:
    return SPEC.simulate()


def rows(loader: object) -> np.ndarray:
    return np.concatenate([x.numpy() for x, _ in loader])


def ordered(values: np.ndarray) -> np.ndarray:
    values = values.reshape(-1, values.shape[-1])
    return values[np.lexsort(values.T)]


def test_batch_stream__without_workers_is_the_batches(ds: xr.Dataset) -> None:
    loader = DataLoader(BatchStream(ds.yeast.batches(50, shuffle=True, seed=1)), batch_size=None)
    np.testing.assert_array_equal(rows(loader), rows(ds.yeast.batches(50, shuffle=True, seed=1)))


@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")  # forking is what is tested
def test_batch_stream__workers_share_the_samples(ds: xr.Dataset) -> None:
    stream = BatchStream(ds.yeast.batches(50, shuffle=True, seed=1))
    loader = DataLoader(stream, batch_size=None, num_workers=2, multiprocessing_context="fork")
    observed = rows(loader)
    np.testing.assert_array_equal(ordered(observed), ordered(ds["binding_effect"].values))
    stream.set_epoch(1)
    assert not np.array_equal(rows(loader), observed)


@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")  # forking is what is tested
def test_workers__a_store_is_read_when_spawned_and_refused_when_forked(ds: xr.Dataset, tmp_path: Path) -> None:
    stream = BatchStream(yx.Batches(yx.save(ds, tmp_path / "sim.zarr"), 50))
    in_memory = BatchStream(ds.yeast.batches(50, shuffle=True, seed=1))
    both = ChainDataset([stream, in_memory])
    spawned = rows(DataLoader(both, batch_size=None, num_workers=1, multiprocessing_context="spawn"))
    expected = ds["binding_effect"].values.reshape(-1, 7)
    np.testing.assert_array_equal(spawned[: len(expected)], expected)
    np.testing.assert_array_equal(spawned[len(expected) :], rows(ds.yeast.batches(50, shuffle=True, seed=1)))
    forked = DataLoader(stream, batch_size=None, num_workers=1, multiprocessing_context="fork")
    with pytest.raises(ValueError, match=r"this process was forked.*use num_workers=0"):
        rows(forked)


@pytest.mark.parametrize("source", ["numpy", "dask", "store"])
def test_sample_dataset__by_number(ds: xr.Dataset, tmp_path: Path, source: str) -> None:
    data = {"numpy": ds, "dask": ds.chunk({"replicate": 1, "tf": 3}), "store": yx.save(ds, tmp_path / "sim.zarr")}[
        source
    ]
    samples = SampleDataset(data, x="binding_effect", y=["label", "perturbation_effect"])
    assert len(samples) == 800
    expected = ds["binding_effect"].values.reshape(-1, 7)
    for i in (0, 199, 200, 799, -1):
        np.testing.assert_array_equal(samples[i].x.numpy(), expected[i])
        assert samples[i].y.shape == (7, 2)
    loader = DataLoader(samples, batch_size=64, shuffle=True, generator=torch.Generator().manual_seed(1))
    np.testing.assert_array_equal(ordered(rows(loader)), ordered(expected))
    with pytest.raises(IndexError, match="index is 800"):
        samples[800]


def test_sample_dataset__a_part_of_a_split(ds: xr.Dataset) -> None:
    marked = ds.yeast.split(seed=1)
    samples = marked.yeast.samples(split="test", by="gene")
    chosen = marked.isel(gene=(marked.split == "test").values)["binding_effect"].values.reshape(-1, 7)
    np.testing.assert_array_equal(np.stack([samples[i].x.numpy() for i in range(len(samples))]), chosen)


def test_data_module__trains_tests_and_keeps_the_test_set(ds: xr.Dataset, tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # lightning's own imports warn
        lightning = pytest.importorskip("lightning")
        from yeastxr.training.lightning import YeastDataModule

        class Linear(lightning.LightningModule):
            def __init__(self) -> None:
                super().__init__()
                self.layer = torch.nn.Linear(7, 7)

            def training_step(self, batch: yx.Pair, _: int) -> torch.Tensor:
                return torch.nn.functional.mse_loss(self.layer(batch.x), batch.y.abs())

            def validation_step(self, batch: yx.Pair, i: int) -> None:
                self.log("val", self.training_step(batch, i), batch_size=len(batch.x))

            def test_step(self, batch: yx.Pair, i: int) -> None:
                self.log("test", self.training_step(batch, i), batch_size=len(batch.x))

            def configure_optimizers(self) -> torch.optim.Optimizer:
                return torch.optim.Adam(self.parameters(), lr=0.05)

        module = YeastDataModule(ds.chunk({"replicate": 1}), batch_size=40, seed=1)
        held = rows(module.test_dataloader())
        trainer = lightning.Trainer(
            max_epochs=3, accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False,
            enable_model_summary=False, default_root_dir=tmp_path,
        )  # fmt: skip
        model = Linear()
        untrained = trainer.test(model, module, verbose=False)[0]["test"]
        trainer.fit(model, module)
        assert trainer.test(model, module, verbose=False)[0]["test"] < 0.9 * untrained
    np.testing.assert_array_equal(rows(module.test_dataloader()), held)
    seen = np.concatenate([rows(module.train_dataloader()), rows(module.val_dataloader()), held])
    np.testing.assert_array_equal(ordered(seen), ordered(ds["binding_effect"].values))


def test_data_module__refused(ds: xr.Dataset) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # lightning's own imports warn
        pytest.importorskip("lightning")
        from yeastxr.training.lightning import YeastDataModule
    with pytest.raises(yx.InputError, match="batch_size is 5000"):
        YeastDataModule(ds, batch_size=5000)
    with pytest.raises(yx.InputError, match="shuffle can't be set"):
        YeastDataModule(ds, shuffle=False)
    with pytest.raises(yx.InputError, match="sum to"):
        YeastDataModule(ds, train=0.9)
