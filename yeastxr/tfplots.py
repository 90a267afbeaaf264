"""Pictures of labels: how many genes each TF binds, which ones, and which TFs bind the same genes."""

from threading import Lock
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import xarray as xr

from yeastxr import maps
from yeastxr.arguments import InputError, shown
from yeastxr.elements import holoviews
from yeastxr.reading import Region, alike, for_each_block
from yeastxr.schema import BOUND_FRACTION, CORE_DIMS, GENE, TF, SchemaError, check_array
from yeastxr.selection import Labels, select

if TYPE_CHECKING:
    import holoviews as hv

MOST_CELLS = {GENE: 400, TF: 400}
MOST_TFS = 200

_CLUSTERED = {GENE: 1000, TF: 400}


def bound_fraction(ds: xr.Dataset, *, tf: Labels = None, gene: Labels = None) -> "hv.Overlay":
    """Draw the fraction of genes that each TF binds: found, and asked for.

    Parameters
    ----------
    ds
        A dataset with ``label``, dims ``(..., gene, tf)``, NumPy or dask; it is read once.
    tf, gene
        A label or a list of labels to draw; all by default.

    Returns
    -------
    holoviews.Overlay
        A ``Scatter`` of what was found, over a ``Curve`` of what was asked for, if the dataset says so.

    Raises
    ------
    InputError
        If a TF or a gene is not in the dataset, or it lacks its labels, a dim or an index.

    Examples
    --------
    >>> import yeastxr as yx
    >>> from yeastxr import plot
    >>> ds = yx.simulate(genes=1000, bound=[0.1, 0.3], seed=42)
    >>> plot.bound_fraction(ds).get(1).dimension_values("fraction")
    array([0.1, 0.3])
    """
    ds, of = select(ds, tf, gene)
    label = _label(ds)
    return fractions_of(ds, of, label.mean([dim for dim in label.dims if dim != TF]).compute())


def fractions_of(ds: xr.Dataset, of: str, found: xr.DataArray) -> Any:
    """Draw fractions that were found."""
    asked = ds[BOUND_FRACTION].values if BOUND_FRACTION in ds.coords else None
    return maps.fractions(found.values, asked, ds[TF].values, of)


def label_map(
    ds: xr.Dataset, *, tf: Labels = None, gene: Labels = None, order: Literal["given", "name", "clustered"] = "given"
) -> "hv.Image":
    """Draw which genes each TF binds; of large datasets the share of bound pairs in blocks of genes x TFs.

    Parameters
    ----------
    ds
        A dataset with ``label``, dims ``(..., gene, tf)``, NumPy or dask; it is read once, block by block.
    tf, gene
        A label or a list of labels to draw; all by default.
    order
        ``"given"``; ``"name"``: by their labels, numbers in rising order; or ``"clustered"``: genes, and TFs, that are
        alike next to each other, of at most 1,000 genes and 400 TFs, evenly spaced.

    Returns
    -------
    holoviews.Image
        At most 400 x 400 shares from 0 to 1 (``bound``); TFs along x, genes along y. Dims in front are averaged.

    Raises
    ------
    InputError
        If the order is another, a TF or a gene is not in the dataset, or it lacks its labels, a dim or an index.

    Examples
    --------
    >>> import yeastxr as yx
    >>> from yeastxr import plot
    >>> ds = yx.simulate(genes=1000, bound=[0.1, 0.3], seed=42)
    >>> plot.label_map(ds).dimension_values("bound", flat=False).shape
    (334, 2)
    """
    if order not in ("given", "name", "clustered"):
        raise InputError(f"order is {shown(order)}; expected 'given', 'name' or 'clustered'")
    ds, of = select(ds, tf, gene)
    label = _label(ds)
    if order == "clustered":
        label, said = _clustered(label)
        of = ", ".join(filter(None, [of, said]))
    elif order == "name":
        label = label.isel({dim: np.argsort(label.indexes[dim], kind="stable") for dim in CORE_DIMS})
    shares = maps.block_means(label, MOST_CELLS)
    shares = shares.mean([dim for dim in shares.dims if dim not in CORE_DIMS]).transpose(*CORE_DIMS).compute()
    whole = shares.shape == (label.sizes[GENE], label.sizes[TF]) and label.ndim == 2
    value = holoviews().Dimension("bound", label="bound" if whole else "share of bound pairs")
    limits = (0.0, 1.0 if whole else max(1e-3, float(shares.max())))
    return maps.image(
        shares.values,
        label[GENE].values,
        label[TF].values,
        dims=CORE_DIMS,
        value=value,
        title="Which genes each TF binds",
        of=of,
        limits=limits,
    )


def cobinding(ds: xr.Dataset, *, tf: Labels = None, gene: Labels = None) -> "hv.Image":
    """Draw how many genes two TFs bind both, over how many they would by chance.

    Parameters
    ----------
    ds
        A dataset with ``label``, dims ``(..., gene, tf)``, NumPy or dask; it is read once.
    tf, gene
        A label or a list of labels to draw; all by default, or, of more than 200 TFs, 200 that are evenly spaced.

    Returns
    -------
    holoviews.Image
        TFs x TFs: the ratio of the genes bound by both to those expected if TFs were independent (``ratio``); NaN on
        the diagonal, and for a TF that binds no gene.

    Raises
    ------
    InputError
        If a TF or a gene is not in the dataset, or it lacks its labels, a dim or an index.

    Examples
    --------
    >>> import yeastxr as yx
    >>> from yeastxr import plot
    >>> ds = yx.simulate(genes=1000, bound=[0.1, 0.3, 0.5], seed=42)
    >>> plot.cobinding(ds).dimension_values("ratio", flat=False).shape
    (3, 3)
    """
    ds, of = select(ds, tf, gene)
    label = _label(ds)
    some = maps.evenly(label.sizes[TF], MOST_TFS)
    if some.size < label.sizes[TF]:
        of = ", ".join(filter(None, [of, f"{some.size} of {label.sizes[TF]:,} TFs"]))
        label = label.isel({TF: some})
    both = _bound_by_both(label)
    counts = np.diag(both)
    cells = label.size / label.sizes[TF]
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = both * cells / np.outer(counts, counts)
    np.fill_diagonal(ratio, np.nan)
    ratio[~np.isfinite(ratio)] = np.nan
    value = holoviews().Dimension("ratio", label="genes bound by both / by chance")
    known = ratio[np.isfinite(ratio)]
    spread = max(0.1, float(np.quantile(abs(known - 1), 0.99))) if known.size else 1.0
    names = label[TF].values
    return maps.image(
        ratio,
        names,
        names,
        dims=(TF, TF),
        value=value,
        title="TFs that bind the same genes",
        of=of,
        limits=(1 - spread, 1 + spread),
        diverging=True,
    )


def _bound_by_both(label: xr.DataArray) -> np.ndarray:
    """Count, for each pair of TFs, the genes that both bind: ``(TFs, TFs)``, block by block of genes."""
    arrays = alike(label.to_dataset(name="label"), ["label"])
    if arrays[0].chunks:
        arrays = [arrays[0].chunk({TF: -1})]
    total = np.zeros((label.sizes[TF],) * 2)
    adding = Lock()

    def take(_: Region, planes: list[np.ndarray]) -> None:
        rows = planes[0].reshape(-1, total.shape[0]).astype(np.float32)
        both = rows.T @ rows
        with adding:
            total[...] += both

    for_each_block(arrays, take)
    return total


def _label(ds: xr.Dataset) -> xr.DataArray:
    if not isinstance(ds, xr.Dataset) or "label" not in ds:
        raise SchemaError("the dataset lacks the variable 'label'; expected a yeastxr dataset")
    return check_array(ds["label"], "label")


def _clustered(label: xr.DataArray) -> tuple[xr.DataArray, str]:
    """Return labels with similar genes, and TFs, next to each other, and words for what was left out."""
    kept = {dim: maps.evenly(label.sizes[dim], most) for dim, most in _CLUSTERED.items()}
    words = [
        f"{at.size:,} of {label.sizes[dim]:,} {'genes' if dim == GENE else 'TFs'}"
        for dim, at in kept.items()
        if at.size < label.sizes[dim]
    ]
    label = label.isel(kept)
    label = label.isel({dim: 0 for dim in label.dims if dim not in CORE_DIMS}).compute()
    bound = label.transpose(*CORE_DIMS).values
    return label.isel({GENE: maps.clustered(bound), TF: maps.clustered(bound.T)}), ", ".join([*words, "clustered"])
