"""Convert datasets to AnnData: observations are TFs (or replicates x TFs), variables are genes, layers are features."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from yeastxr._blocks import Region
from yeastxr._utils import import_extra
from yeastxr.errors import InputError
from yeastxr.export.arrays import simplify_attrs, write_blocks
from yeastxr.export.selection import Advance, align_variables, check_labels, get_labels, order_rows, select_variables
from yeastxr.schema import FEATURE, GENE, to_text_array

if TYPE_CHECKING:
    import anndata
    import pandas as pd


def to_anndata(ds: xr.Dataset) -> "anndata.AnnData":
    """Convert a dataset to AnnData; needs the extra ``anndata``.

    Parameters
    ----------
    ds
        The dataset, NumPy or dask; its coordinate ``feature`` selects the layers.

    Returns
    -------
    anndata.AnnData
        ``layers``: the selected features and the extra variables, with shape ``(observations, genes)`` and their
        dtypes, dask-backed if ds is. ``obs``: a row for each TF, or for each combination of leading dimensions and TF,
        with labels and coordinates such as ``bound_fraction``. Names of rows are labels separated by slashes
        (``0/GAL4``). ``var``: a row for each gene. ``uns["yeastxr"]``: the attributes of the dataset, and the units of
        the layers. There is no ``X``.

    Raises
    ------
    SchemaError
        If the dataset does not follow the data model.
    InputError
        If anndata is not installed.

    Examples
    --------
    >>> import yeastxr as yx
    >>> ds = yx.simulate(genes=100, bound=[0.1, 0.2], seed=42)
    >>> cells = to_anndata(ds)
    >>> cells.shape, list(cells.layers)[:2]
    ((2, 100), ['label', 'binding_effect'])
    """
    ds = select_variables(ds)
    annotated = _annotate(ds)
    for name, array in align_variables(ds).data_vars.items():
        annotated.layers[str(name)] = _flatten(array)
    return annotated


def check_anndata(ds: xr.Dataset, path: Path) -> None:
    """Raise for labels that HDF5 can't store, and if the extra is missing."""
    import_extra("anndata", "anndata")
    check_labels(ds, path)


def write_anndata(ds: xr.Dataset, path: Path, advance: Advance) -> None:
    """Write an .h5ad file: everything except layers with anndata, then the layers block by block."""
    import h5py

    _annotate(ds).write_h5ad(path)
    aligned = align_variables(ds)
    rows, genes = order_rows(aligned)[:-1], aligned.sizes[GENE]
    sizes = [aligned.sizes[dim] for dim in rows]
    with h5py.File(path, "a") as file:
        layers = {}
        for name, array in aligned.data_vars.items():
            layer = file["layers"].create_dataset(str(name), (int(np.prod(sizes)), genes), array.dtype)
            layer.attrs.update({"encoding-type": "array", "encoding-version": "0.2.0"})
            layers[str(name)] = _Rows(layer, sizes)
        write_blocks(aligned, layers, advance)


class _Rows:
    """A layer ``(rows, genes)``, written as an array ``(..., gene, tf)``."""

    def __init__(self, layer: Any, sizes: list[int]) -> None:
        self._layer, self._sizes, self.dtype = layer, sizes, layer.dtype

    def __setitem__(self, region: Region, block: np.ndarray) -> None:
        *lead, genes, tfs = region
        for index in np.ndindex(block.shape[:-2]):
            position = [part.start + i for part, i in zip(lead, index, strict=True)]
            first = int(np.ravel_multi_index([*position, tfs.start], self._sizes))
            self._layer[first : first + block.shape[-1], genes] = block[index].T


def _flatten(array: xr.DataArray) -> Any:
    """Reshape an array ``(..., gene, tf)`` to a plain array ``(rows, genes)``, keeping dask arrays lazy."""
    planes = [array.data[index].T for index in np.ndindex(array.shape[:-2])]
    if len(planes) == 1:
        return planes[0]
    if array.chunks:
        import dask.array as da

        return da.concatenate(planes)
    return np.concatenate(planes)


def _annotate(ds: xr.Dataset) -> "anndata.AnnData":
    """Return AnnData without layers."""
    anndata = import_extra("anndata", "anndata")
    dims = order_rows(align_variables(ds))
    obs, var = _describe(ds, dims[:-1]), _describe(ds, dims[-1:])
    units = {str(name): str(array.attrs.get("units", "")) for name, array in ds.data_vars.items()}
    return anndata.AnnData(obs=obs, var=var, uns={"yeastxr": simplify_attrs(ds.attrs) | {"units": units}})


def _describe(ds: xr.Dataset, dims: tuple[Any, ...]) -> "pd.DataFrame":
    """Return a row for each combination of dimensions, with their labels and other coordinates."""
    import pandas as pd

    shape = [ds.sizes[dim] for dim in dims]
    columns = {}
    variables = {dim: xr.Variable((dim,), get_labels(ds, dim)) for dim in dims}
    others = {name: coord.variable for name, coord in ds.coords.items() if name not in (*dims, FEATURE)}
    for name, values in {**variables, **others}.items():
        if not values.dims or not set(values.dims) <= set(dims):
            continue
        values = values.set_dims(dict(zip(dims, shape, strict=True))).transpose(*dims)
        column = values.values.reshape(-1)
        columns[str(name)] = column if column.dtype.kind in "iufb" else to_text_array([str(text) for text in column])
    index = pd.Index(["/".join(map(str, labels)) for labels in zip(*(columns[str(dim)] for dim in dims), strict=True)])
    if not index.is_unique:
        raise InputError(f"the labels of {', '.join(map(str, dims))} give two rows the same name; rename the labels")
    return pd.DataFrame(columns, index=index)
