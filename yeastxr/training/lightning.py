"""A LightningDataModule over splits and batches; it needs the extra ``lightning``."""

from typing import Any

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
        f"yeastxr.training.lightning needs lightning ({error}); expected: pip install 'yeastxr[lightning]'"
    ) from None


class YeastDataModule(LightningDataModule):
    """Training, validation and test batches of a dataset, for a ``lightning.Trainer``.

    The split is the dataset's own where it has one; otherwise it is made once, from the seed, so the test set is the
    same before and after training. Training batches are shuffled anew each epoch.

    Parameters
    ----------
    data
        A dataset, NumPy or dask, or what :func:`yeastxr.open` takes.
    batch_size
        Samples in a batch.
    by
        The dim whose positions are samples, and that is split.
    train, val, test, stratify
        Of the split, where the dataset has none; see :func:`yeastxr.split`.
    seed
        Of the split and the shuffling, an integer in [0, 2**64); drawn, and kept as ``seed``, by default.
    **options
        Of :class:`yeastxr.Batches`: ``x``, ``y``, ``buffer`` and so on.

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
        train: float = 0.8,
        val: float = 0.1,
        test: float = 0.1,
        stratify: bool = False,
        seed: int | None = None,
        **options: Any,
    ) -> None:
        super().__init__()
        self.seed = check_seed(seed)
        for name in ("split", "shuffle", "device", "drop_last", "rank", "world_size"):
            if name in options:
                raise InputError(f"{name} is given; expected it to be left to the trainer")
        ds = data if isinstance(data, xr.Dataset) else open_store(data)
        if SPLIT not in ds.coords:
            ds = split(ds, train, val, test, by=by, stratify=stratify, seed=self.seed)
        self.dataset = ds
        self._options = {"batch_size": batch_size, "by": by, "seed": self.seed, **options}
        self._training = self.train_dataloader()  # what is wrong shows here, not once training begins

    def train_dataloader(self) -> Batches:
        """Return the training batches, shuffled; every rank gets as many."""
        return Batches(self.dataset, split="train", shuffle=True, drop_last=True, **self._options)

    def val_dataloader(self) -> Batches:
        """Return the validation batches, in order."""
        return self._make_batches("val")

    def test_dataloader(self) -> Batches:
        """Return the test batches, in order."""
        return self._make_batches("test")

    def predict_dataloader(self) -> Batches:
        """Return the batches to predict, those of the test set."""
        return self._make_batches("test")

    def _make_batches(self, part: str) -> Batches:
        options = dict(self._options)
        held = int((self.dataset[SPLIT] == part).sum())
        options["batch_size"] = min(int(options["batch_size"]), max(held, 1))
        return Batches(self.dataset, split=part, **options)
