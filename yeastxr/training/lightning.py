"""A LightningDataModule for splits and batches; needs the extra ``lightning``."""

from typing import Any

import torch
import xarray as xr

from yeastxr._validate import check_seed
from yeastxr.errors import InputError
from yeastxr.schema import GENE, SPLIT
from yeastxr.storage.store import open as open_store
from yeastxr.training.batches import Batches
from yeastxr.training.split import split

try:
    from lightning import LightningDataModule
except ImportError as error:
    raise ImportError(
        f"yeastxr.training.lightning needs lightning ({error}); pip install 'yeastxr[lightning]'"
    ) from None


class YeastDataModule(LightningDataModule):
    """Training, validation and test batches of a dataset, for a ``lightning.Trainer``.

    The module uses the split of the dataset, if there is one. Otherwise it splits once, with the seed, so that the test
    set is the same before and after training. Training batches are shuffled in each epoch. Checkpoints contain the seed
    and the position in the training batches, so that a resumed run gets the same batches as an uninterrupted one.

    Parameters
    ----------
    data
        A dataset, NumPy or dask, or an argument of :func:`yeastxr.open`.
    batch_size
        The number of samples per batch.
    by
        The dimension of samples, along which the dataset is split.
    train, val, test, stratify
        Parameters of :func:`yeastxr.split`, for a dataset without a split.
    seed
        The seed for splitting and shuffling, an integer in [0, 2**64). By default it is random, and stored as ``seed``.
    **options
        Options of :class:`yeastxr.Batches`: ``x``, ``y``, ``missing``, ``mask``, ``buffer`` and so on.

    Raises
    ------
    InputError
        If an argument is invalid.

    Examples
    --------
    >>> import yeastxr as yx
    >>> module = YeastDataModule(yx.simulate(genes=1000, bound=[0.1, 0.2], seed=42), batch_size=50)
    >>> len(module.train_dataloader()), len(module.val_dataloader()), len(module.test_dataloader())
    (16, 2, 2)
    """

    def __init__(
        self,
        data: Any,
        batch_size: int = 32,
        *,
        by: str = GENE,
        train: float | None = None,
        val: float | None = None,
        test: float | None = None,
        stratify: bool = False,
        seed: int | None = None,
        **options: Any,
    ) -> None:
        super().__init__()
        for name in ("split", "shuffle", "device", "drop_last", "rank", "world_size"):
            if name in options:
                raise InputError(f"{name} can't be set, because the trainer sets it")
        self._source = data if isinstance(data, xr.Dataset) else open_store(data)
        self._split_options: dict[str, Any] = {"train": train, "val": val, "test": test, "by": by, "stratify": stratify}
        self._options: dict[str, Any] = {"batch_size": batch_size, "by": by, **options}
        self._training: Batches
        self._has_drawn_seed = seed is None
        self._set_seed(check_seed(seed))  # raises for invalid options now, before training begins

    def setup(self, stage: str) -> None:
        """Use the same random seed on all ranks.

        Parameters
        ----------
        stage
            The stage of the trainer.
        """
        if self._has_drawn_seed and torch.distributed.is_available() and torch.distributed.is_initialized():
            seeds = [self.seed]
            torch.distributed.broadcast_object_list(seeds, src=0)
            if seeds[0] != self.seed:
                self._set_seed(seeds[0])

    def state_dict(self) -> dict[str, Any]:
        """Return the state for a checkpoint.

        Returns
        -------
        dict
            The seed, and the state of the training batches.
        """
        return {"seed": self.seed, "train": self._training.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore the seed and the training batches of a checkpoint.

        Parameters
        ----------
        state
            What :meth:`state_dict` returned.

        Raises
        ------
        InputError
            If the training batches of the checkpoint are different.
        """
        self._set_seed(state["seed"])
        self._training.load_state_dict(state["train"])

    def train_dataloader(self) -> Batches:
        """Return the shuffled training batches, the same number on all ranks; calls continue the count of epochs."""
        batches = self._make_training_batches()
        batches._epochs = self._training._epochs
        self._training = batches
        return batches

    def val_dataloader(self) -> Batches:
        """Return the validation batches, in order."""
        return self._make_batches("val")

    def test_dataloader(self) -> Batches:
        """Return the test batches, in order."""
        return self._make_batches("test")

    def predict_dataloader(self) -> Batches:
        """Return the batches for prediction, which are those of the test set."""
        return self._make_batches("test")

    def _set_seed(self, seed: int) -> None:
        """Split and shuffle with a seed."""
        self.seed = self._options["seed"] = seed
        ds = self._source
        self.dataset = ds if SPLIT in ds.coords else split(ds, **self._split_options, seed=seed)
        self._training = self._make_training_batches()

    def _make_training_batches(self) -> Batches:
        """Return training batches; a trainer that overfits a few batches gets the same ones in each epoch."""
        shuffle = not (self.trainer and self.trainer.overfit_batches)
        return Batches(self.dataset, split="train", shuffle=shuffle, drop_last=True, **self._options)

    def _make_batches(self, part: str) -> Batches:
        options = dict(self._options)
        held = int((self.dataset[SPLIT] == part).sum())
        options["batch_size"] = min(int(options["batch_size"]), max(held, 1))
        return Batches(self.dataset, split=part, **options)
