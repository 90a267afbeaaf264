"""YeastDataModule in Lightning's trainer: orders of epochs, and runs that are resumed, reloaded or overfit."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import xarray as xr

import yeastxr as yx

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # lightning's own imports warn
    lightning = pytest.importorskip("lightning")
    from lightning.pytorch.callbacks import ModelCheckpoint

    from yeastxr.training.lightning import YeastDataModule

pytestmark = pytest.mark.filterwarnings("ignore")  # lightning's advice on loaders, loggers and devices

BATCHES = 6  # of 8 genes, in an epoch of 51


class Recorder(lightning.LightningModule):
    """Keeps the sum of each batch."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(5, 5)
        self.seen: list[tuple[int, float]] = []

    def training_step(self, batch: yx.Pair, _: int) -> torch.Tensor:
        self.seen.append((self.current_epoch, float(batch.x.sum())))
        return self.layer(batch.x).square().mean()

    def validation_step(self, batch: yx.Pair, _: int) -> None:
        self.layer(batch.x)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.01)


@pytest.fixture(scope="module")
def ds() -> xr.Dataset:
    return yx.simulate(genes=64, bound=[0.1, 0.2], n_sample=[3, 2], seed=42)


def fit(
    module: YeastDataModule, folder: Path, checkpoint: Path | None = None, **options: Any
) -> list[tuple[int, float]]:
    """Return the epoch and the sum of each training batch."""
    model = Recorder()
    trainer = lightning.Trainer(
        **{"max_epochs": 3, "enable_checkpointing": bool(options.get("callbacks")), **options}, accelerator="cpu",
        logger=False, enable_progress_bar=False, enable_model_summary=False, default_root_dir=folder,
    )  # fmt: skip
    trainer.fit(model, module, ckpt_path=checkpoint)
    return model.seen


@pytest.mark.parametrize("validation", [0, 1.0], ids=["train", "train-and-val"])
@pytest.mark.parametrize(
    "saved",
    [
        {"every_n_epochs": 1, "save_on_train_epoch_end": True},
        {"every_n_epochs": 1, "save_on_train_epoch_end": False},
        {"every_n_train_steps": 4},
    ],
    ids=["epoch-end", "validation-end", "steps"],
)
def test_data_module__resumed_run_gets_the_rest_of_the_batches(
    ds: xr.Dataset, tmp_path: Path, saved: dict[str, Any], validation: float
) -> None:
    """The seed is drawn, so only the checkpoint can tell it to the resumed run, in the middle of an epoch or not."""
    module = YeastDataModule(ds, batch_size=8)
    callback = ModelCheckpoint(dirpath=tmp_path, save_top_k=-1, **saved)
    seen = fit(module, tmp_path, callbacks=[callback], limit_val_batches=validation)
    assert len(seen) == len(set(seen)) == 3 * BATCHES
    checkpoints = {torch.load(path)["global_step"]: path for path in tmp_path.glob("*.ckpt")}
    if validation or saved.get("save_on_train_epoch_end") is not False:
        assert set(checkpoints) >= ({4, 8, 12} if "every_n_train_steps" in saved else {6, 12, 18})
    for step, path in checkpoints.items():
        resumed = YeastDataModule(ds, batch_size=8)
        assert resumed.seed != module.seed
        assert fit(resumed, tmp_path, path, limit_val_batches=validation) == seen[step:]
        assert resumed.seed == module.seed
        xr.testing.assert_identical(resumed.dataset, module.dataset)


@pytest.mark.parametrize("epochs", [1, 2])
def test_data_module__reloaded_loaders_go_on_with_the_epochs(ds: xr.Dataset, tmp_path: Path, epochs: int) -> None:
    expected = fit(YeastDataModule(ds, batch_size=8, seed=3), tmp_path)
    reloaded = fit(YeastDataModule(ds, batch_size=8, seed=3), tmp_path, reload_dataloaders_every_n_epochs=epochs)
    assert reloaded == expected


def test_data_module__loaders_go_on_in_a_loop_of_ones_own(ds: xr.Dataset) -> None:
    module = YeastDataModule(ds, batch_size=8, seed=3)
    orders = [[float(x.sum()) for x, _ in module.train_dataloader()] for _ in range(3)]
    assert len({tuple(order) for order in orders}) == 3
    resumed = YeastDataModule(ds, batch_size=8)
    resumed.load_state_dict({"seed": 3, "train": {**module.state_dict()["train"], "epoch": 1, "batch": 2}})
    assert [float(x.sum()) for x, _ in resumed.train_dataloader()] == orders[1][2:]
    assert [float(x.sum()) for x, _ in resumed.train_dataloader()] == orders[2]


def test_data_module__overfits_the_same_batches(ds: xr.Dataset, tmp_path: Path) -> None:
    seen = fit(YeastDataModule(ds, batch_size=8, seed=3), tmp_path, overfit_batches=2)
    assert [value for _, value in seen] == [value for _, value in seen[:2]] * 3


def test_data_module__seed_is_drawn_and_kept(ds: xr.Dataset) -> None:
    module, other = YeastDataModule(ds, batch_size=8), YeastDataModule(ds, batch_size=8)
    assert module.seed != other.seed
    assert module.train_dataloader().seed == module.seed
    again = YeastDataModule(ds, batch_size=8, seed=module.seed)
    xr.testing.assert_identical(again.dataset, module.dataset)
    for mine, same in zip(module.train_dataloader(), again.train_dataloader(), strict=True):
        assert torch.equal(mine.x, same.x)


def test_data_module__keeps_the_split_of_a_dataset(ds: xr.Dataset) -> None:
    marked = ds.yeast.split(train=0.5, val=0.25, test=0.25, seed=9)
    module = YeastDataModule(marked, batch_size=8)
    state = module.state_dict()
    module.load_state_dict(state)
    np.testing.assert_array_equal(module.dataset.split.values, marked.split.values)
    with pytest.raises(yx.InputError, match="positions"):
        YeastDataModule(ds.yeast.split(train=0.5, val=0.25, test=0.25, seed=8), batch_size=8).load_state_dict(state)


def _train_rank(rank: int, address: str, results: Any) -> None:
    import torch.distributed as distributed

    distributed.init_process_group("gloo", init_method=address, rank=rank, world_size=2)
    ds = yx.simulate(genes=64, bound=[0.1, 0.2], n_sample=[3, 2], seed=42)
    module = YeastDataModule(ds, batch_size=8)  # each rank draws a seed
    module.setup("fit")
    rows = [row.tolist() for x, _ in module.train_dataloader() for row in x]
    results.put((rank, module.seed, rows))
    results.close()
    results.join_thread()
    distributed.destroy_process_group()


@pytest.mark.slow  # starts processes that import torch
@pytest.mark.skipif(not torch.distributed.is_available(), reason="torch without distributed")
def test_data_module__ranks_share_a_seed_that_is_drawn(tmp_path: Path) -> None:
    processes = torch.multiprocessing.get_context("spawn")
    results = processes.Queue()
    ranks = [
        processes.Process(target=_train_rank, args=(rank, f"file://{tmp_path / 'ranks'}", results)) for rank in (0, 1)
    ]
    for process in ranks:
        process.start()
    (_, seed, rows), (_, other_seed, other_rows) = (results.get(timeout=120) for _ in ranks)
    for process in ranks:
        process.join()
    assert seed == other_seed
    both = [tuple(row) for row in rows + other_rows]
    assert len(rows) == len(other_rows) == 24
    assert len(set(both)) == 48
