"""Datasets to torch tensors of shape ``[..., genes, TFs, features]``, and back; torch loads when it is first used."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from yeastxr.arguments import InputError, InputTypeError, check_names, shown
from yeastxr.schema import (
    CORE_DIMS,
    FEATURE,
    FEATURE_BY_NAME,
    FEATURE_NAMES,
    GENE,
    REPLICATE,
    TF,
    SchemaError,
    check_feature,
    feature_coordinate,
    features_of,
    text_array,
    validate,
)

if TYPE_CHECKING:
    import torch


def to_dataarray(ds: xr.Dataset) -> xr.DataArray:
    """Stack the selected features along a last dim ``feature``.

    Parameters
    ----------
    ds
        The dataset; its coordinate ``feature`` selects and orders. NumPy or dask.

    Returns
    -------
    xarray.DataArray
        float32, dims ``(..., gene, tf, feature)``, labels as 0 and 1; dask-backed if the dataset is. Where ``feature``
        is a scalar, without that dim.

    Raises
    ------
    SchemaError
        If the dataset does not follow the data model.

    Examples
    --------
    >>> import yeastxr as yx
    >>> ds = yx.simulate(genes=100, bound=[0.1, 0.2], seed=42)
    >>> to_dataarray(ds).dims, to_dataarray(ds).shape
    (('gene', 'tf', 'feature'), (100, 2, 5))
    """
    validate(ds)
    names = features_of(ds)
    columns = [ds[name].transpose(..., *CORE_DIMS).astype(np.float32).drop_attrs() for name in names]
    if ds.coords[FEATURE].ndim == 0:
        return columns[0].rename(names[0])
    stacked = xr.concat(columns, dim=ds.coords[FEATURE].variable, coords="minimal", compat="override", join="override")
    return stacked.rename("data").transpose(..., *CORE_DIMS, FEATURE).assign_coords({FEATURE: ds.coords[FEATURE]})


def to_torch(ds: xr.Dataset, device: Any = None, dtype: Any = None) -> "torch.Tensor":
    """Return the selected features as one contiguous tensor.

    A dask-backed dataset is computed block by block straight into the tensor.

    Parameters
    ----------
    ds
        The dataset; its coordinate ``feature`` selects and orders the columns.
    device
        Where the tensor goes, such as ``"cuda"``; the CPU by default.
    dtype
        A floating-point torch dtype; ``torch.float32`` by default.

    Returns
    -------
    torch.Tensor
        Shape ``[..., genes, TFs, features]``, contiguous: strides end in ``(TFs * features, features, 1)``. Without the
        last axis where ``feature`` is a scalar.

    Raises
    ------
    SchemaError
        If the dataset does not follow the data model.
    InputError
        If the device is not there, or the dtype is not a floating-point one.

    Examples
    --------
    >>> import yeastxr as yx
    >>> tensor = to_torch(yx.simulate(genes=1000, bound=[0.1], n_sample=[10], seed=42))
    >>> tensor.shape, tensor.stride()
    (torch.Size([1000, 10, 5]), (50, 5, 1))
    """
    import torch

    validate(ds)
    names = features_of(ds)
    dtype = torch.float32 if dtype is None else dtype
    if not isinstance(dtype, torch.dtype) or not dtype.is_floating_point:
        raise InputTypeError(f"dtype is {shown(dtype)}; expected a floating-point torch dtype such as torch.float32")
    where = _check_device(device)
    columns = [ds[name].transpose(..., *CORE_DIMS) for name in names]
    filled = torch.empty((*columns[0].shape, len(names)), dtype=torch.float32)
    lazy: list[tuple[Any, np.ndarray]] = []
    for i, column in enumerate(columns):
        target = filled.numpy()[..., i]
        if column.chunks:
            lazy.append((column.data, target))
        else:
            target[...] = column.values
    if lazy:
        import dask.array as da

        sources, targets = zip(*lazy, strict=True)
        da.store(list(sources), list(targets), lock=False)  # blocks do not overlap
    if ds.coords[FEATURE].ndim == 0:
        filled = filled[..., 0]
    return filled.to(device=where, dtype=dtype)


def from_torch(
    tensor: "torch.Tensor",
    *,
    like: xr.Dataset | None = None,
    genes: Sequence[str] | None = None,
    tfs: Sequence[str] | None = None,
    features: Sequence[str] = FEATURE_NAMES,
    dims: Sequence[str] | None = None,
) -> xr.Dataset:
    """Return a tensor's columns as a dataset; the inverse of :func:`to_torch`.

    Parameters
    ----------
    tensor
        Shape ``[..., genes, TFs, features]``, on any device.
    like
        A dataset of the same sizes whose coordinates and attributes the result gets.
    genes, tfs
        Names of the genes and TFs; integers from 0 by default.
    features
        Which feature each column is; all five by default.
    dims
        Names of the leading dims; ``replicate`` by default, where there is one.

    Returns
    -------
    xarray.Dataset
        The features as variables in their own dtypes; a label is True where its column is not 0.

    Raises
    ------
    InputError
        If the shape, names or features do not fit.

    Examples
    --------
    >>> import yeastxr as yx
    >>> ds = yx.simulate(genes=100, bound=[0.1, 0.2], seed=42)
    >>> from_torch(to_torch(ds), like=ds).identical(ds)
    True
    """
    import torch

    if not isinstance(tensor, torch.Tensor):
        raise InputTypeError(f"tensor is of type {type(tensor).__name__}; expected a torch.Tensor")
    names = [check_feature(name).name for name in features]
    if len(set(names)) != len(names):
        raise InputError(f"features is {shown(names)}; expected each feature once")
    if tensor.ndim < 3 or tensor.shape[-1] != len(names):
        raise InputError(f"tensor has the shape {list(tensor.shape)}; expected [..., genes, TFs, {len(names)}]")
    lead = tensor.ndim - 3
    if dims is None:
        dims = list(ds_dims(like)) if like is not None else [REPLICATE][:lead]
    if len(dims) != lead:
        raise InputError(f"dims is {shown(list(dims))}; expected {lead} names for the leading dims of the tensor")
    all_dims = [*dims, *CORE_DIMS]
    array = tensor.detach().to(device="cpu", dtype=torch.float32).numpy()
    variables: dict[str, Any] = {}
    for i, name in enumerate(names):
        column = np.ascontiguousarray(array[..., i])
        feature = FEATURE_BY_NAME[name]
        values = column != 0 if feature.dtype == bool else column.astype(feature.dtype, copy=False)
        attrs = dict(like[name].attrs) if like is not None and name in like else feature.attrs
        variables[name] = (all_dims, values, attrs)
    sizes = dict(zip(all_dims, tensor.shape, strict=False))
    coords = {dim: np.arange(n) for dim, n in sizes.items()}
    for dim, given in ((GENE, genes), (TF, tfs)):
        if given is not None:
            checked = check_names(dim + "s", given)
            if len(checked) != sizes[dim]:
                raise InputError(f"{dim}s has {len(checked)} names; the tensor has {sizes[dim]} along that axis")
            coords[dim] = text_array(checked)
    ds = xr.Dataset(variables, coords=coords).assign_coords(
        {FEATURE: feature_coordinate()[FEATURE].sel({FEATURE: names})}
    )
    if like is None:
        return ds
    if genes is not None or tfs is not None:
        raise InputError("like is given together with genes or tfs; expected one source of names")
    for dim, n in sizes.items():
        if like.sizes.get(dim) != n:
            raise SchemaError(f"like has {like.sizes.get(dim, 0)} labels along {dim!r}; the tensor has {n}")
    coords_like = {name: coord for name, coord in like.coords.items() if FEATURE not in coord.dims}
    return ds.assign_coords(coords_like).assign_attrs(like.attrs)


def ds_dims(ds: xr.Dataset) -> tuple[str, ...]:
    """Return the names of the dims in front of gene and tf."""
    return tuple(str(dim) for dim in ds["label"].transpose(..., *CORE_DIMS).dims[:-2])


def _check_device(device: Any) -> "torch.device":
    """Return the device, or refuse one that is not there."""
    import torch

    try:
        where = torch.device("cpu" if device is None else device)
    except (RuntimeError, TypeError):
        raise InputError(f"device is {shown(device)}; expected a torch device such as 'cpu' or 'cuda'") from None
    if where.type == "cuda" and (where.index or 0) >= torch.cuda.device_count():
        count = torch.cuda.device_count()
        raise InputError(
            f"device is {str(where)!r}, but torch finds {count} CUDA GPUs here; expected one of those or 'cpu'"
        )
    if where.type == "mps" and not torch.backends.mps.is_available():
        raise InputError("device is 'mps', but torch finds no such GPU here; expected 'cpu'")
    return where
