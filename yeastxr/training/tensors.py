"""Datasets to torch tensors of shape ``[..., genes, TFs, features]``, and back; torch loads when it is first used."""

import queue
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from itertools import product
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
import xarray as xr

from yeastxr._blocks import Region, align_features, for_each_block, is_in_memory
from yeastxr._utils import count_threads, run_in_threads
from yeastxr._validate import check_names, check_sequence
from yeastxr.errors import InputError, InputTypeError, SchemaError, format_value
from yeastxr.schema import (
    CORE_DIMS,
    FEATURE,
    FEATURE_BY_NAME,
    FEATURE_NAMES,
    GENE,
    REPLICATE,
    TF,
    check_feature,
    get_feature_names,
    make_feature_coordinate,
    to_text_array,
    validate,
)
from yeastxr.training.split import part_of

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
    names = get_feature_names(ds)
    columns = [ds[name].transpose(..., *CORE_DIMS).astype(np.float32).drop_attrs() for name in names]
    if ds.coords[FEATURE].ndim == 0:
        return columns[0].rename(names[0])
    stacked = xr.concat(columns, dim=ds.coords[FEATURE].variable, coords="minimal", compat="override", join="override")
    return stacked.rename("data").transpose(..., *CORE_DIMS, FEATURE).assign_coords({FEATURE: ds.coords[FEATURE]})


def to_torch(
    ds: xr.Dataset,
    *,
    device: Any = None,
    dtype: Any = None,
    out: "torch.Tensor | None" = None,
    layout: Literal["interleaved", "planar"] = "interleaved",
    features: str | Sequence[str] | None = None,
) -> "torch.Tensor":
    """Return the selected features as one tensor.

    Made in one pass by all threads. A dataset that is not in memory is computed or read block by block, straight into
    the tensor. To a CUDA GPU features cross the bus in their own dtypes, a label as one byte, through pinned buffers.

    Parameters
    ----------
    ds
        The dataset; its coordinate ``feature`` selects and orders the columns.
    device
        Where the tensor goes, such as ``"cuda"`` or ``"mps"``; the CPU by default.
    dtype
        A floating-point torch dtype; ``torch.float32`` by default.
    out
        A tensor to fill and return, of the right shape and, for interleaved, contiguous; its device and dtype are taken
        where none are given. Filling memory again takes half the time of filling new memory.
    layout
        ``"interleaved"`` for contiguous memory; ``"planar"`` for a view of the same shape whose memory lies feature by
        feature, which is quicker to make, and to read one feature of.
    features
        Names of features that go before the dataset's own selection; one name as text gives no last axis.

    Returns
    -------
    torch.Tensor
        Shape ``[..., genes, TFs, features]``; interleaved, strides end in ``(TFs * features, features, 1)``. Without
        the last axis where the selection is one feature's name.

    Raises
    ------
    SchemaError
        If the dataset does not follow the data model, or a feature is not known.
    InputError
        If the device is not there, the dtype is not a floating-point one, or ``out`` does not fit.

    Examples
    --------
    >>> import yeastxr as yx
    >>> ds = yx.simulate(genes=1000, bound=[0.1], n_sample=[10], seed=42)
    >>> tensor = to_torch(ds)
    >>> tensor.shape, tensor.stride()
    (torch.Size([1000, 10, 5]), (50, 5, 1))
    >>> to_torch(ds, features=["binding_effect", "perturbation_effect"]).shape
    torch.Size([1000, 10, 2])
    """
    validate(ds)
    names, one = _selected(ds, features)
    if layout not in ("interleaved", "planar"):
        raise InputError(f"layout is {format_value(layout)}; expected 'interleaved' or 'planar'")
    arrays = align_features(ds, names)
    shape = arrays[0].shape if one else (*arrays[0].shape, len(names))
    if out is not None:
        _check_out(out, shape, layout)
        device, dtype = (given or own for given, own in ((device, out.device), (dtype, out.dtype)))
    where, kind = check_device(device), check_dtype(dtype)
    if out is not None and (out.device.type != where.type or out.dtype != kind):
        raise InputError(f"out is {out.dtype} on {out.device}; expected {kind} on {where}, as device and dtype ask for")
    tensor = _memory(arrays, layout, where, kind) if out is None else out.detach()
    columns = tensor if tensor.ndim > arrays[0].ndim else tensor[..., None]
    if where.type == "cuda":
        fill_on_device(arrays, columns)
    elif where.type == "cpu":
        _fill(arrays, columns)
    else:
        columns.copy_(to_torch(ds, features=names))
    if out is not None:
        return out
    return tensor[..., 0] if one else tensor


class Pair(NamedTuple):
    """What a model is given, and what it is to predict; unpacks as ``x, y``.

    Parameters
    ----------
    x, y
        Tensors of the same samples, float32 unless asked otherwise.

    Examples
    --------
    >>> import yeastxr as yx
    >>> pair = yx.xy(yx.simulate(genes=100, bound=[0.1, 0.2], seed=42))
    >>> pair.x.shape == pair.y.shape
    True
    """

    x: "torch.Tensor"
    y: "torch.Tensor"


def xy(
    ds: xr.Dataset,
    x: str | Sequence[str] = "binding_effect",
    y: str | Sequence[str] = "perturbation_effect",
    *,
    split: str | None = None,
    device: Any = None,
    dtype: Any = None,
) -> Pair:
    """Return features as a pair of tensors for a model.

    Parameters
    ----------
    ds
        The dataset; NumPy or dask.
    x, y
        The features that a model is given and those it predicts: a name, or a list of names for one more axis.
    split
        A part of the dataset's split, such as ``"train"``; see :func:`yeastxr.split`. All by default.
    device, dtype
        As for :func:`to_torch`.

    Returns
    -------
    Pair
        ``x`` and ``y``, each ``[..., genes, TFs]``, or ``[..., genes, TFs, features]`` for a list of names.

    Raises
    ------
    InputError
        If a feature or part is not known, or as for :func:`to_torch`.

    Examples
    --------
    >>> import yeastxr as yx
    >>> ds = yx.split(yx.simulate(genes=1000, bound=[0.1], n_sample=[10], seed=42), seed=1)
    >>> x, y = xy(ds, split="test")
    >>> x.shape, y.shape
    (torch.Size([100, 10]), torch.Size([100, 10]))
    """
    ds = part_of(validate(ds), split)
    return Pair(*(to_torch(ds, device=device, dtype=dtype, features=names) for names in (x, y)))


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
        raise InputError(f"features is {format_value(names)}; expected each feature once")
    if tensor.ndim < 3 or tensor.shape[-1] != len(names):
        raise InputError(f"tensor has the shape {list(tensor.shape)}; expected [..., genes, TFs, {len(names)}]")
    lead = tensor.ndim - 3
    if dims is None:
        dims = list(ds_dims(like)) if like is not None else [REPLICATE][:lead]
    if len(dims) != lead:
        raise InputError(
            f"dims is {format_value(list(dims))}; expected {lead} names for the leading dims of the tensor"
        )
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
            coords[dim] = to_text_array(checked)
    ds = xr.Dataset(variables, coords=coords).assign_coords(
        {FEATURE: make_feature_coordinate()[FEATURE].sel({FEATURE: names})}
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


def _selected(ds: xr.Dataset, features: Any) -> tuple[list[str], bool]:
    """Return the names of features to take, and whether it is one without an axis."""
    if features is None:
        return get_feature_names(ds), ds.coords[FEATURE].ndim == 0
    names = [features] if isinstance(features, str) else check_sequence("features", features, "names of features")
    if not names:
        raise InputError("features is empty; expected at least one name")
    return [check_feature(name).name for name in names], isinstance(features, str)


def _check_out(out: Any, shape: tuple[int, ...], layout: str) -> None:
    import torch

    if not isinstance(out, torch.Tensor):
        raise InputTypeError(f"out is of type {type(out).__name__}; expected a torch.Tensor")
    if tuple(out.shape) != shape:
        raise InputError(f"out has the shape {list(out.shape)}; expected {list(shape)}")
    if layout == "interleaved" and not out.is_contiguous():
        raise InputError(f"out has the strides {out.stride()}; expected contiguous memory, or layout='planar'")


def _memory(arrays: list[xr.DataArray], layout: str, where: Any, kind: Any) -> "torch.Tensor":
    """Return memory for a tensor of some features, not filled."""
    import torch

    shape, features = arrays[0].shape, len(arrays)
    swapped = layout == "planar" and not _gene_major(arrays[0])
    if layout == "interleaved":
        memory = (*shape, features)
    else:
        memory = (features, *shape[:-2], *(reversed(shape[-2:]) if swapped else shape[-2:]))
    if where.type == "cpu" and kind == torch.float32:
        tensor = torch.from_numpy(empty(memory, count_threads()))
    else:
        tensor = torch.empty(memory, dtype=kind, device=where)
    if layout == "planar":
        tensor = tensor.movedim(0, -1)
        tensor = tensor.swapaxes(-2, -3) if swapped else tensor
    return tensor


def _gene_major(array: xr.DataArray) -> bool:
    """Tell whether an array in memory lies gene by gene; datasets are made TF by TF."""
    return is_in_memory(array) and not array.chunks and bool(array.values.flags.c_contiguous)


def _fill(arrays: list[xr.DataArray], out: "torch.Tensor") -> None:
    """Fill ``out[..., i]``, on the CPU, with feature i."""
    import torch

    threads = 1 if arrays[0].chunks else count_threads()  # blocks of dask come from several threads already

    def take(region: Region, planes: list[np.ndarray]) -> None:
        target = out[region]
        if out.dtype == torch.float32:
            interleave(planes, target.numpy(), threads)
            return
        for some in slabs(target.shape[-2], planes):  # NumPy knows no bfloat16
            part = empty((*target.shape[:-2], some.stop - some.start, len(planes)))
            interleave([plane[..., some] for plane in planes], part, threads)
            target[..., some, :].copy_(torch.from_numpy(part))

    for_each_block(arrays, take)


_SLAB_TFS = 256  # what one thread takes at a time
_PAGE = 1 << 21  # bytes of a huge page
_LABEL_AND_FOUR = (1, 4, 4, 4, 4)


def empty(shape: Sequence[int], threads: int = 1) -> np.ndarray:
    """Return float32 memory for a tensor, not zeroed but there.

    NumPy asks for huge pages, as torch.empty does not; touched by all threads before kernels write here and there, they
    come four times as fast.
    """
    out = np.empty(shape, np.float32)
    pages = out.reshape(-1)[:: _PAGE // out.itemsize]
    each = -(-pages.size // threads) or 1
    run_in_threads(lambda first: pages[first : first + each].fill(0), range(0, pages.size, each), threads)
    return out


def interleave(planes: Sequence[np.ndarray], out: np.ndarray, threads: int = 1) -> None:
    """Fill ``out[..., i]`` with plane i.

    Parameters
    ----------
    planes
        Arrays ``(..., genes, TFs)``, bool or float32, in any order in memory.
    out
        float32 ``(..., genes, TFs, len(planes))``, in any order in memory.
    threads
        How many threads may work on it.
    """
    lead, genes, tfs = out.shape[:-3], out.shape[-3], out.shape[-2]
    parts = [slice(first, min(first + _SLAB_TFS, tfs)) for first in range(0, tfs, _SLAB_TFS)]

    def fill(part: tuple[tuple[int, ...], slice]) -> None:
        index, some = part
        turned = [plane[index].swapaxes(-1, -2) for plane in planes]
        rows = out[index]
        fused = (
            tuple(plane.itemsize for plane in turned) == _LABEL_AND_FOUR
            and all(plane.flags.c_contiguous for plane in turned)
            and rows.flags.c_contiguous
        )
        if fused:
            from yeastxr.training import kernels as tensorkernels

            label, *four = (plane.reshape(-1) for plane in turned)
            bits = tuple(plane.view(np.uint32) for plane in four)
            tensorkernels.interleave(label.view(np.uint8), bits, genes, tfs, some.start, some.stop, rows.reshape(-1))
        else:
            _assign([plane[some] for plane in turned], rows[:, some])

    run_in_threads(fill, list(product(np.ndindex(*lead), parts)), threads)


def slabs(tfs: int, planes: Sequence[np.ndarray]) -> Iterator[slice]:
    """Cut TFs so that a slab of all planes takes some 16 MB as float32."""
    each = max(1, (1 << 22) // max(1, len(planes) * planes[0].size // tfs))
    for first in range(0, tfs, each):
        yield slice(first, min(first + each, tfs))


def _assign(planes: Sequence[np.ndarray], out: np.ndarray) -> None:
    """Assign planes ``[TFs, genes]`` to ``out[genes, TFs, features]``, in tiles that are long where memory is."""
    tfs, genes = planes[0].shape
    if planes[0].strides[0] < planes[0].strides[1]:
        tile_tfs, tile_genes = 4096, 16
    else:
        tile_tfs, tile_genes = 16, 512 if out.strides[0] > out.itemsize else genes
    for t in range(0, tfs, tile_tfs):
        for g in range(0, genes, tile_genes):
            tile = out[g : g + tile_genes, t : t + tile_tfs]
            for i, plane in enumerate(planes):
                tile[..., i].T[...] = plane[t : t + tile_tfs, g : g + tile_genes]


_STAGED_BYTES = 1 << 23  # of pinned memory, twice for each thread
_MOST_THREADS = 8  # what fills a bus


def check_device(device: Any) -> "torch.device":
    """Return the device, or refuse one that is not there."""
    import torch

    try:
        where = torch.device("cpu" if device is None else device)
    except (RuntimeError, TypeError):
        raise InputError(f"device is {format_value(device)}; expected a torch device such as 'cpu' or 'cuda'") from None
    if where.type == "cuda" and (where.index or 0) >= torch.cuda.device_count():
        count = torch.cuda.device_count()
        raise InputError(
            f"device is {str(where)!r}, but torch finds {count} CUDA GPUs here; expected one of those or 'cpu'"
        )
    if where.type == "mps" and not torch.backends.mps.is_available():
        raise InputError("device is 'mps', but torch finds no such GPU here; expected 'cpu'")
    return where


def check_dtype(dtype: Any) -> "torch.dtype":
    """Return a floating-point dtype, float32 by default, or refuse it."""
    import torch

    if dtype is None:
        return torch.float32
    if not isinstance(dtype, torch.dtype) or not dtype.is_floating_point:
        raise InputTypeError(
            f"dtype is {format_value(dtype)}; expected a floating-point torch dtype such as torch.float32"
        )
    return dtype


def fill_on_device(arrays: Sequence[xr.DataArray], out: "torch.Tensor", pinned: bool = True) -> None:
    """Fill ``out[..., i]`` on a device with feature i, each value crossing the bus in its own dtype.

    Planes are cut into slabs. A slab is copied to one of two pinned buffers of a thread, from there to the device while
    the other buffer is filled, and there cast and put in its place. Nothing else than the buffers is held in memory.

    Parameters
    ----------
    arrays
        Features with dims ``(..., gene, tf)``, as :func:`yeastxr._blocks.align_features` returns them.
    out
        ``[..., genes, TFs, len(arrays)]``, on the device, of any dtype and strides.
    pinned
        Whether buffers are pinned; False for devices without, and for tests.
    """
    threads = min(count_threads(), _MOST_THREADS)
    stagers: queue.SimpleQueue[_Stager] = queue.SimpleQueue()
    everyone = [_Stager(out.device, pinned) for _ in range(threads)]
    for stager in everyone:
        stagers.put(stager)

    def take(region: Region, planes: list[np.ndarray]) -> None:
        target = out[region]

        def send(part: tuple[int, tuple[int, ...], slice]) -> None:
            i, index, some = part
            stager = stagers.get()
            try:
                stager.send(planes[i][index][:, some], target[index][:, some, i])
            finally:
                stagers.put(stager)

        lead, genes, tfs = target.shape[:-3], target.shape[-3], target.shape[-2]
        parts = [
            (i, index, slice(first, min(first + each, tfs)))
            for i, plane in enumerate(planes)
            for each in [max(1, _STAGED_BYTES // (plane.itemsize * genes))]
            for index, first in product(np.ndindex(*lead), range(0, tfs, each))
        ]
        # Blocks of dask come from several threads already.
        run_in_threads(send, parts, 1 if arrays[0].chunks else threads)

    for_each_block(arrays, take)
    for stager in everyone:
        stager.finish()


class _Stager:
    """One thread's way to a device: two buffers, a stream, and an event for each buffer that says when it is free."""

    def __init__(self, device: "torch.device", pinned: bool) -> None:
        import torch

        self._device, self._pinned = device, pinned
        self._buffers: list[torch.Tensor | None] = [None, None]
        self._turn = 0
        self._stream = torch.cuda.Stream(device) if pinned else None
        self._free = [torch.cuda.Event() if pinned else None for _ in range(2)]
        if self._stream is not None:
            self._stream.wait_stream(torch.cuda.current_stream(device))  # what is to be filled may still be in use

    def send(self, plane: np.ndarray, target: "torch.Tensor") -> None:
        """Copy a plane to where it belongs on the device; on return the plane is free again."""
        import torch

        self._turn ^= 1
        event = self._free[self._turn]
        if event is not None:
            event.synchronize()
        values = plane.view(np.uint8) if plane.dtype == bool else plane
        across = values.T if values.flags.f_contiguous and not values.flags.c_contiguous else values
        staged = self._staged(across)
        np.copyto(staged.numpy(), across)
        with torch.cuda.stream(self._stream) if self._stream is not None else nullcontext():
            there = staged.to(self._device, non_blocking=True, copy=True)
            target.copy_(there if across is values else there.T)
            if event is not None:
                event.record(self._stream)

    def finish(self) -> None:
        """Make what comes next on the device wait for all that was sent."""
        import torch

        if self._stream is not None:
            torch.cuda.current_stream(self._device).wait_stream(self._stream)
            self._stream.synchronize()  # so that buffers and device memory are free for others

    def _staged(self, like: np.ndarray) -> "torch.Tensor":
        """Return this turn's buffer in the shape and dtype of an array; it grows where a slab needs it."""
        import torch

        buffer = self._buffers[self._turn]
        if buffer is None or buffer.numel() < like.nbytes:
            buffer = torch.empty(max(_STAGED_BYTES, like.nbytes), dtype=torch.uint8, pin_memory=self._pinned)
            self._buffers[self._turn] = buffer
        dtype = torch.uint8 if like.dtype == np.uint8 else torch.float32
        return buffer[: like.nbytes].view(dtype).reshape(like.shape)
