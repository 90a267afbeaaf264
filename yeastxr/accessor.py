"""The accessor ``ds.yeast``: functions of the package as methods of a Dataset."""

import functools
import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

import xarray as xr

from yeastxr import analysis as methods
from yeastxr import plot as plots
from yeastxr.checks import check
from yeastxr.explore import explore
from yeastxr.export import export, to_anndata, to_dataframe
from yeastxr.fit import fit_spec
from yeastxr.rename import rename
from yeastxr.report import report
from yeastxr.schema import MAGNITUDE, validate
from yeastxr.simulation import SimulationSpec, spec_of
from yeastxr.storage import save
from yeastxr.training import Batches, split, to_dataarray, to_torch, xy
from yeastxr.training.tensors import Missing

if TYPE_CHECKING:
    from yeastxr.training import SampleDataset

_P = ParamSpec("_P")
_R = TypeVar("_R")


def _as_method(function: Callable[Concatenate[xr.Dataset, _P], _R]) -> Callable[Concatenate[Any, _P], _R]:
    """Turn a function of a dataset into a method; type checkers and ``help`` see the parameters of the function."""

    @functools.wraps(function)
    def method(self: Any, *args: _P.args, **kwargs: _P.kwargs) -> _R:
        return function(self._ds, *args, **kwargs)

    package = function.__module__.split(".")[1]
    face = f"yeastxr.{package}" if package in ("plot", "analysis", "explore") else "yeastxr"
    role = "class" if isinstance(function, type) else "func"
    text = (function.__doc__ or "").partition("\n    Examples\n")[0].rstrip()
    text = re.sub(r"\n    (?:ds|data)\n(?:        .*\n|\n)*", "\n", text, count=1)  # the dataset is the accessor's
    text = text.replace("    Parameters\n    ----------\n    Returns", "    Returns")
    reference = f"    See :{role}:`{face}.{function.__name__}`.\n"
    method.__doc__ = re.sub(r"\n(?=    \w+\n    -+\n)", f"\n{reference}\n", text, count=1)
    return method


@xr.register_dataset_accessor("yeast")
class YeastAccessor:
    """Methods of a yeastxr dataset.

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
        """The specification of the dataset, or None; see :func:`yeastxr.spec_of`."""
        return spec_of(self._ds)

    validate = _as_method(validate)
    rename = _as_method(rename)
    check = _as_method(check)
    to_anndata = _as_method(to_anndata)
    fit_spec = _as_method(fit_spec)
    to_dataarray = _as_method(to_dataarray)
    to_dataframe = _as_method(to_dataframe)
    to_torch = _as_method(to_torch)
    xy = _as_method(xy)
    split = _as_method(split)
    batches = _as_method(Batches)
    save = _as_method(save)
    export = _as_method(export)
    report = _as_method(report)
    explore = _as_method(explore)
    targets = _as_method(methods.targets)
    top = _as_method(methods.top)
    describe = _as_method(methods.describe)

    def samples(
        self,
        *,
        x: str | Sequence[str] = "binding_effect",
        y: str | Sequence[str] = "perturbation_effect",
        by: str = "gene",
        split: str | None = None,
        dtype: Any = None,
        missing: Missing = "keep",
        mask: bool = False,
    ) -> "SampleDataset":
        """Return a map-style dataset for torch's DataLoader; see :class:`yeastxr.training.SampleDataset`."""
        from yeastxr.training import SampleDataset  # loads torch

        return SampleDataset(self._ds, x=x, y=y, by=by, split=split, dtype=dtype, missing=missing, mask=mask)

    @property
    def analysis(self) -> "YeastAnalysis":
        """Standard analysis methods for the dataset; see :mod:`yeastxr.analysis`."""
        return YeastAnalysis(self._ds)

    @property
    def plot(self) -> "YeastPlots":
        """Plots of the dataset, as holoviews elements."""
        return YeastPlots(self._ds)


class YeastAnalysis:
    """Standard analysis methods for a dataset; see :mod:`yeastxr.analysis`.

    Parameters
    ----------
    ds
        The dataset.

    Examples
    --------
    >>> import yeastxr as yx
    >>> ds = yx.simulate(genes=1000, bound=[0.1, 0.3], seed=42)
    >>> ds.yeast.analysis.curves().auroc.round(2).values
    array([0.9 , 0.91])
    """

    def __init__(self, ds: xr.Dataset) -> None:
        self._ds = ds

    rank_response = _as_method(methods.rank_response)
    top_ratio = _as_method(methods.top_ratio)
    dual_threshold = _as_method(methods.dual_threshold)
    curves = _as_method(methods.curves)
    correlate = _as_method(methods.correlate)

    def scores(self, prediction: xr.DataArray, *, target: str = MAGNITUDE, normalize_by: str = "range") -> xr.Dataset:
        """Compare a prediction with a feature of the dataset; see :func:`yeastxr.analysis.scores`."""
        return methods.scores(prediction, self._ds, target=target, normalize_by=normalize_by)


class YeastPlots:
    """Plots of a dataset; see :mod:`yeastxr.plot`.

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

    binding_histogram = _as_method(plots.binding_histogram)
    perturbation_histogram = _as_method(plots.perturbation_histogram)
    pvalue_histogram = _as_method(plots.pvalue_histogram)
    binding_vs_perturbation = _as_method(plots.binding_vs_perturbation)
    quantile_quantile = _as_method(plots.quantile_quantile)
    relation_status = _as_method(plots.relation_status)
    relations = _as_method(plots.relations)
    bound_fraction = _as_method(plots.bound_fraction)
    label_map = _as_method(plots.label_map)
    cobinding = _as_method(plots.cobinding)
    compare = _as_method(plots.compare)
    rank_response = _as_method(plots.rank_response)
    roc = _as_method(plots.roc)
    volcano = _as_method(plots.volcano)
    correlation = _as_method(plots.correlation)
    scores = _as_method(plots.scores)
    enrichment = _as_method(plots.enrichment)
    dual_threshold = _as_method(plots.dual_threshold)
    qc = _as_method(plots.qc)
