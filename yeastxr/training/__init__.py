"""Train models on datasets: tensors, splits, batches, and datasets for torch and Lightning."""

from typing import TYPE_CHECKING, Any

from yeastxr._utils import import_extra
from yeastxr.training.batches import Batches, SimulatedBatches
from yeastxr.training.split import split
from yeastxr.training.tensors import MaskedPair, Pair, from_torch, to_dataarray, to_torch, xy

if TYPE_CHECKING:
    from yeastxr.training.lightning import YeastDataModule
    from yeastxr.training.loaders import BatchStream, SampleDataset

__all__ = [
    "BatchStream",
    "Batches",
    "MaskedPair",
    "Pair",
    "SampleDataset",
    "SimulatedBatches",
    "YeastDataModule",
    "from_torch",
    "split",
    "to_dataarray",
    "to_torch",
    "xy",
]


def __getattr__(name: str) -> Any:
    # These subclass classes of torch and Lightning, whose import takes seconds.
    if name in ("BatchStream", "SampleDataset"):
        import_extra("torch", "torch")
        from yeastxr.training import loaders

        return getattr(loaders, name)
    if name == "YeastDataModule":
        import_extra("lightning", "lightning")
        from yeastxr.training import lightning

        return lightning.YeastDataModule
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
