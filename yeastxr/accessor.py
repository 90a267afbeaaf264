"""``ds.yeast``: the functions of the package at hand on a Dataset. It holds nothing; each method is one line."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import xarray as xr

from yeastxr import checks, schema, storage
from yeastxr.checks import CheckTable
from yeastxr.simulation import SimulationSpec, spec_of
from yeastxr.training import Batches, split, tensors

if TYPE_CHECKING:
    import holoviews as hv
    import torch

    from yeastxr.training.loaders import SampleDataset


@xr.register_dataset_accessor("yeast")
class YeastAccessor:
    """What a yeastxr dataset can do.

    Parameters
    ----------
    ds
        The dataset.

    Examples
    --------
    >>> import yeastxr as yx
    >>> ds = yx.simulate(genes=1000, bound=[0.1], n_sample=[10], seed=42)
    >>> ds.sel(feature=["binding_effect", "perturbation_effect"]).yeast.to_torch().shape
    torch.Size([1000, 10, 2])
    """

    def __init__(self, ds: xr.Dataset) -> None:
        self._ds = ds

    @property
    def spec(self) -> SimulationSpec | None:
        """The specification that made the dataset, or None; see :func:`yeastxr.spec_of`."""
        return spec_of(self._ds)

    def validate(self) -> xr.Dataset:
        """Check the dataset against the data model; see :func:`yeastxr.validate`."""
        return schema.validate(self._ds)

    def check(self, **options: Any) -> CheckTable:
        """Check the dataset against theory; see :func:`yeastxr.check`."""
        return checks.check(self._ds, **options)

    def to_dataarray(self) -> xr.DataArray:
        """Stack the selected features along a last dim; see :func:`yeastxr.to_dataarray`."""
        return tensors.to_dataarray(self._ds)

    def to_torch(self, **options: Any) -> "torch.Tensor":
        """Return a tensor ``[..., genes, TFs, features]``; see :func:`yeastxr.to_torch`."""
        return tensors.to_torch(self._ds, **options)

    def xy(self, *features: Any, **options: Any) -> tensors.Pair:
        """Return a pair of tensors for a model; see :func:`yeastxr.xy`."""
        return tensors.xy(self._ds, *features, **options)

    def split(self, *fractions: float, **options: Any) -> xr.Dataset:
        """Assign genes, TFs or replicates to train, val and test; see :func:`yeastxr.split`."""
        return split(self._ds, *fractions, **options)

    def batches(self, batch_size: int, **options: Any) -> Batches:
        """Return batches of tensors for training; see :class:`yeastxr.Batches`."""
        return Batches(self._ds, batch_size, **options)

    def samples(self, **options: Any) -> "SampleDataset":
        """Return samples by their number, for torch's DataLoader; see :class:`yeastxr.training.SampleDataset`."""
        from yeastxr.training.loaders import SampleDataset

        return SampleDataset(self._ds, **options)

    def save(self, path: str | Path, **options: Any) -> Path:
        """Save the dataset to zarr; see :func:`yeastxr.save`."""
        return storage.save(self._ds, path, **options)

    def report(self, path: str | Path, **options: Any) -> Path:
        """Write a page with the checks and the plots; see :func:`yeastxr.report`."""
        from yeastxr.report.report import report

        return report(self._ds, path, **options)

    @property
    def plot(self) -> "YeastPlots":
        """The plots of the dataset, as holoviews elements."""
        return YeastPlots(self._ds)


class YeastPlots:
    """The plots of a dataset; see :mod:`yeastxr.plot`.

    Parameters
    ----------
    ds
        The dataset.

    Examples
    --------
    >>> import yeastxr as yx
    >>> ds = yx.simulate(genes=1000, bound=[0.1, 0.3], seed=42)
    >>> [layer.label for layer in ds.yeast.plot.binding_histogram()][:2]
    ['unbound', 'bound']
    """

    def __init__(self, ds: xr.Dataset) -> None:
        self._ds = ds

    def binding_histogram(self, **options: Any) -> "hv.Overlay":
        """Histogram of binding effects by label; see :func:`yeastxr.plot.binding_histogram`."""
        return self._draw("binding_histogram", **options)

    def perturbation_histogram(self, **options: Any) -> "hv.Overlay":
        """Histogram of perturbation effects by label; see :func:`yeastxr.plot.perturbation_histogram`."""
        return self._draw("perturbation_histogram", **options)

    def pvalue_histogram(self, kind: str = "binding", **options: Any) -> "hv.Overlay":
        """Histogram of p-values by label; see :func:`yeastxr.plot.pvalue_histogram`."""
        return self._draw("pvalue_histogram", kind, **options)

    def binding_vs_perturbation(self, **options: Any) -> "hv.Overlay":
        """Binding against perturbation effects by label; see :func:`yeastxr.plot.binding_vs_perturbation`."""
        return self._draw("binding_vs_perturbation", **options)

    def quantile_quantile(self, **options: Any) -> "hv.Overlay":
        """Quantiles of perturbation effects against theory; see :func:`yeastxr.plot.quantile_quantile`."""
        return self._draw("quantile_quantile", **options)

    def relation_status(self, **options: Any) -> "hv.Overlay":
        """Perturbation effects by whether conditions hold; see :func:`yeastxr.plot.relation_status`."""
        return self._draw("relation_status", **options)

    def bound_fraction(self, **options: Any) -> "hv.Overlay":
        """Bound fraction of each TF, asked for and found; see :func:`yeastxr.plot.bound_fraction`."""
        return self._draw("bound_fraction", **options)

    def label_map(self, **options: Any) -> "hv.Image":
        """Which genes each TF binds; see :func:`yeastxr.plot.label_map`."""
        return self._draw("label_map", **options)

    def cobinding(self, **options: Any) -> "hv.Image":
        """Which TFs bind the same genes; see :func:`yeastxr.plot.cobinding`."""
        return self._draw("cobinding", **options)

    def compare(self, feature: str = "perturbation_effect", **options: Any) -> "hv.Overlay":
        """Compare a feature along a swept dim; see :func:`yeastxr.plot.compare`."""
        return self._draw("compare", feature, **options)

    def qc(self, **options: Any) -> "hv.Layout":
        """Lay out the standard set of plots; see :func:`yeastxr.plot.qc`."""
        return self._draw("qc", **options)

    def _draw(self, name: str, *arguments: Any, **options: Any) -> Any:
        from yeastxr import plot

        return getattr(plot, name)(self._ds, *arguments, **options)
