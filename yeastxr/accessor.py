"""``ds.yeast``: the functions of the package at hand on a Dataset. It holds nothing; each method is one line."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import xarray as xr

from yeastxr import checks, schema, store, tensors
from yeastxr.checktable import CheckTable
from yeastxr.simulate import SimulationSpec, spec_of

if TYPE_CHECKING:
    import holoviews as hv
    import torch


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

    def check(self) -> CheckTable:
        """Check the dataset against the closed forms; see :func:`yeastxr.check`."""
        return checks.check(self._ds)

    def to_dataarray(self) -> xr.DataArray:
        """Stack the selected features along a last dim; see :func:`yeastxr.to_dataarray`."""
        return tensors.to_dataarray(self._ds)

    def to_torch(self, device: Any = None, dtype: Any = None) -> "torch.Tensor":
        """Return a tensor ``[..., genes, TFs, features]``; see :func:`yeastxr.to_torch`."""
        return tensors.to_torch(self._ds, device=device, dtype=dtype)

    def save(self, path: str | Path, **options: Any) -> Path:
        """Save the dataset to zarr; see :func:`yeastxr.save`."""
        return store.save(self._ds, path, **options)

    def report(self, path: str | Path, **options: Any) -> Path:
        """Write a page with the checks and the plots; see :func:`yeastxr.report`."""
        from yeastxr.report import report

        return report(self._ds, path, checks=self.check(), **options)

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
    """

    def __init__(self, ds: xr.Dataset) -> None:
        self._ds = ds

    def binding_histogram(self, **options: Any) -> "hv.Overlay":
        """Histogram of binding effects by label; see :func:`yeastxr.plot.binding_histogram`."""
        from yeastxr import plot

        return plot.binding_histogram(self._ds, **options)

    def perturbation_histogram(self, **options: Any) -> "hv.Overlay":
        """Histogram of perturbation effects by label; see :func:`yeastxr.plot.perturbation_histogram`."""
        from yeastxr import plot

        return plot.perturbation_histogram(self._ds, **options)

    def binding_vs_perturbation(self, **options: Any) -> "hv.Overlay":
        """Binding against perturbation effects by label; see :func:`yeastxr.plot.binding_vs_perturbation`."""
        from yeastxr import plot

        return plot.binding_vs_perturbation(self._ds, **options)

    def qc(self, **options: Any) -> "hv.Layout":
        """Lay out the standard set of plots; see :func:`yeastxr.plot.qc`."""
        from yeastxr import plot

        return plot.qc(self._ds, **options)
