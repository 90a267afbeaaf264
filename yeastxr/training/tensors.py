"""Convert datasets to torch tensors of shape ``[..., genes, TFs, features]``, and back."""

import math
import queue
from collections.abc import Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
import xarray as xr

from yeastxr._blocks import Region, align_features, broadcast_dims, cut_slabs, for_each_block, is_in_memory
from yeastxr._utils import LazyModule, count_threads, run_in_threads
from yeastxr._validate import check_choice, check_flag, check_names, check_number, check_sequence
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
    get_selected,
    list_dims,
    make_feature_coordinate,
    order_dims,
    restore_dims,
    to_text_array,
    validate,
)
from yeastxr.training.split import select_part

if TYPE_CHECKING:
    import torch
else:
    torch = LazyModule("torch", "torch")

Names = str | Sequence[str]
Missing = float | Literal["keep", "refuse"]


def to_dataarray(ds: xr.Dataset) -> xr.DataArray:
    """Stack the selected features along a last dimension ``feature``.

    Parameters
    ----------
    ds
        The dataset, NumPy or dask; its coordinate ``feature`` selects and orders features.

    Returns
    -------
    xarray.DataArray
        A float32 array with dimensions ``(..., gene, tf, feature)``, and labels as 0 and 1; dask-backed if the dataset
        is. If ``feature`` is a scalar, there is no last dimension.

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
    ds = broadcast_dims(validate(ds))
    names = get_feature_names(ds)
    columns = [order_dims(ds[name]).astype(np.float32).drop_attrs() for name in names]
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
    features: Names | None = None,
    missing: Missing = "keep",
) -> "torch.Tensor":
    """Return the selected features as one tensor.

    All threads fill the tensor in one pass. A dataset that is not in memory is computed or read block by block,
    directly into the tensor. Features are copied to a CUDA GPU in their stored dtypes (labels as one byte) through
    pinned buffers.

    Parameters
    ----------
    ds
        The dataset; its coordinate ``feature`` selects and orders the columns.
    device
        The device of the tensor, such as ``"cuda"`` or ``"mps"`` (default: the CPU).
    dtype
        A floating-point torch dtype; ``torch.float32`` by default.
    out
        A tensor of the same shape to fill and return; for an interleaved layout it must be contiguous. Its device and
        dtype are the defaults of ``device`` and ``dtype``. Reusing memory takes half the time of filling new memory.
    layout
        ``"interleaved"`` for contiguous memory; ``"planar"`` for a view of the same shape with contiguous features,
        which is faster to fill, and to read single features from.
    features
        Names of features, instead of the selection of the dataset. A single string returns a tensor without the last
        axis.
    missing
        How to treat missing values: keep NaN (``"keep"``), raise an error (``"refuse"``), or fill with a number. To get
        a mask, use ``~to_torch(ds).isnan()``.

    Returns
    -------
    torch.Tensor
        A tensor of shape ``[..., genes, TFs, features]``; if interleaved, its strides end in ``(TFs * features,
        features, 1)``. For a single name, there is no last axis.

    Raises
    ------
    SchemaError
        If the dataset does not follow the data model, or a feature is unknown.
    InputError
        If the device is not available, the dtype is not a floating-point dtype, ``out`` does not fit, or values are
        missing with ``missing="refuse"``: immediately if they are in memory, otherwise while blocks are read.

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
    ds = validate(ds)
    if features is None:
        names, scalar = get_feature_names(ds), ds.coords[FEATURE].ndim == 0
    else:
        names, scalar = select_features("features", features)
        for name in names:
            get_selected(ds, name, "a tensor")
    check_choice("layout", layout, ("interleaved", "planar"))
    missing = check_missing(missing)
    arrays = align_features(ds, names)
    if missing == "refuse":
        arrays = [refuse_missing(array, name) for array, name in zip(arrays, names, strict=True)]
    if out is not None:
        _check_out(out, arrays[0].shape if scalar else (*arrays[0].shape, len(names)), layout)
        device = out.device if device is None else device
        dtype = out.dtype if dtype is None else dtype
    device, dtype = resolve_device(device), resolve_dtype(dtype)
    if out is None:
        columns = _allocate_tensor(arrays, layout, device, dtype)
    elif out.dtype == dtype and out.device.type == device.type and device.index in (None, out.device.index):
        columns = out.detach()[..., None] if scalar else out.detach()
    else:
        raise InputError(f"out is {out.dtype} on {out.device}; expected {dtype} on {device}, like device and dtype")
    if device.type == "cuda":
        fill_on_device(arrays, columns)
    elif device.type == "cpu":
        _fill(arrays, columns)
    else:
        columns.copy_(to_torch(ds, features=names, missing=missing))
    fill_missing([columns], missing)
    if out is not None:
        return out
    return columns[..., 0] if scalar else columns


class Pair(NamedTuple):
    """The input and the target of a model; unpacks as ``x, y``.

    Parameters
    ----------
    x, y
        Tensors of the same samples, float32 by default.

    Examples
    --------
    >>> import yeastxr as yx
    >>> pair = yx.xy(yx.simulate(genes=100, bound=[0.1, 0.2], seed=42))
    >>> pair.x.shape == pair.y.shape
    True
    """

    x: "torch.Tensor"
    y: "torch.Tensor"


class MaskedPair(NamedTuple):
    """The input and the target of a model, with masks; unpacks as ``x, y, x_mask, y_mask``.

    Parameters
    ----------
    x, y
        Tensors of the same samples, float32 by default.
    x_mask, y_mask
        Bool tensors of the same shapes on the same device, which are False for missing values.

    Examples
    --------
    >>> import torch
    >>> import yeastxr as yx
    >>> ds = yx.simulate(genes=100, bound=[0.1, 0.2], missing_pair_fraction=0.25, seed=42)
    >>> x, y, x_mask, y_mask = yx.xy(ds, missing=0.0, mask=True)
    >>> x_mask.all().item(), round(y_mask.float().mean().item(), 2)
    (True, 0.73)
    >>> loss = torch.nn.functional.mse_loss(x[y_mask], y[y_mask])  # of what was measured
    """

    x: "torch.Tensor"
    y: "torch.Tensor"
    x_mask: "torch.Tensor"
    y_mask: "torch.Tensor"


def xy(
    ds: xr.Dataset,
    x: Names = "binding_effect",
    y: Names = "perturbation_effect",
    *,
    split: str | None = None,
    device: Any = None,
    dtype: Any = None,
    missing: Missing = "keep",
    mask: bool = False,
) -> Pair | MaskedPair:
    """Return features as a pair of tensors for a model.

    Parameters
    ----------
    ds
        The dataset; NumPy or dask.
    x, y
        The features that a model gets and those that it predicts: a name, or a list of names for one more axis.
    split
        A part of the dataset's split, such as ``"train"``; see :func:`yeastxr.split`. All by default.
    device, dtype, missing
        As for :func:`to_torch`.
    mask
        Whether to return masks of the values that are present in ``x`` and ``y``.

    Returns
    -------
    Pair or MaskedPair
        ``x`` and ``y``, each ``[..., genes, TFs]``, or ``[..., genes, TFs, features]`` for a list of names; and, with
        ``mask``, the bool tensors ``x_mask`` and ``y_mask`` of the same shapes.

    Raises
    ------
    InputError
        If a feature or part is unknown, or as for :func:`to_torch`.

    Examples
    --------
    >>> import yeastxr as yx
    >>> ds = yx.split(yx.simulate(genes=1000, bound=[0.1], n_sample=[10], seed=42), seed=1)
    >>> x, y = xy(ds, split="test")
    >>> x.shape, y.shape
    (torch.Size([100, 10]), torch.Size([100, 10]))
    """
    ds = select_part(validate(ds), split)
    missing = check_missing(missing)
    check_flag("mask", mask)
    kept: Missing = "refuse" if missing == "refuse" else "keep"
    tensors = [to_torch(ds, device=device, dtype=dtype, features=names, missing=kept) for names in (x, y)]
    return make_pair(tensors, missing, mask=mask)


def make_pair(tensors: "Sequence[torch.Tensor]", missing: Missing, *, mask: bool) -> Pair | MaskedPair:
    """Return x and y in separate memory, with missing values filled, and with masks if requested."""
    masks = [~tensor.isnan() for tensor in tensors] if mask else []
    fill_missing(tensors, missing)
    return MaskedPair(*tensors, *masks) if mask else Pair(*tensors)


def check_missing(missing: object) -> Missing:
    """Return the treatment of missing values: keep, refuse, or a number as a float."""
    if isinstance(missing, str) and missing in ("keep", "refuse"):
        return missing  # type: ignore[return-value]
    try:
        return check_number("missing", missing)
    except InputError:
        raise InputError(f"missing is {format_value(missing)}; expected 'keep', 'refuse', or a finite number") from None


def fill_missing(tensors: "Sequence[torch.Tensor]", missing: Missing) -> None:
    """Replace NaN in tensors by a number, in place, if missing is one."""
    if not isinstance(missing, str):
        for tensor in tensors:
            tensor.nan_to_num_(nan=missing, posinf=math.inf, neginf=-math.inf)


def refuse_missing(array: xr.DataArray, name: str) -> xr.DataArray:
    """Raise for missing values in an array: immediately if it is in memory, otherwise when its blocks are computed."""
    if array.dtype.kind != "f":
        return array
    if not array.chunks:
        refuse_nan(array.values, name)
        return array
    import dask.array as da

    checked = da.map_blocks(refuse_nan, array.data, name, dtype=array.dtype, meta=array.data._meta, token="refuse-nan")
    return array.copy(data=checked)


def refuse_nan(values: np.ndarray, name: str) -> np.ndarray:
    """Return an array, or raise if it contains NaN."""
    n = int(np.count_nonzero(np.isnan(values))) if values.dtype.kind == "f" else 0
    if n:
        raise InputError(
            f"{name} has {n:,} missing values of {values.size:,} in a block; expected none, missing='keep', "
            "or missing=NUMBER to fill them"
        )
    return values


def from_torch(
    tensor: "torch.Tensor",
    *,
    like: xr.Dataset | None = None,
    genes: Sequence[str] | None = None,
    tfs: Sequence[str] | None = None,
    features: Sequence[str] | None = None,
    dims: Sequence[str] | None = None,
) -> xr.Dataset:
    """Convert a tensor to a dataset; the inverse of :func:`to_torch`.

    Parameters
    ----------
    tensor
        A tensor of shape ``[..., genes, TFs, features]``, on any device.
    like
        A dataset of the same sizes, whose coordinates and attributes are used for the result.
    genes, tfs
        Names of the genes and TFs (default: integers from 0).
    features
        The features along the last axis, in order; by default those that ``like`` selects, or all.
    dims
        Names of the leading dimensions; by default those of ``like``, or ``replicate``.

    Returns
    -------
    xarray.Dataset
        A dataset with the features as variables of their dtypes; labels are True where the tensor is not 0.

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
    if not isinstance(tensor, torch.Tensor):
        raise InputTypeError(f"tensor is of type {type(tensor).__name__}; expected a torch.Tensor")
    like = None if like is None else broadcast_dims(restore_dims(like))
    if features is None:
        features = FEATURE_NAMES if like is None or FEATURE not in like.coords else _list_selected(like)
    names = [check_feature(name).name for name in check_sequence("features", features, "names of features")]
    if len(set(names)) != len(names):
        raise InputError(f"features is {format_value(names)}; expected each feature once")
    if tensor.ndim < 3 or tensor.shape[-1] != len(names):
        raise InputError(f"tensor has the shape {list(tensor.shape)}; expected [..., genes, TFs, {len(names)}]")
    n_lead = tensor.ndim - 3
    if dims is None:
        dims = [REPLICATE][:n_lead] if like is None else list(list_dims(like)[:-2])
    dims = check_sequence("dims", dims, "names of the leading dimensions of the tensor")
    dims = list(check_names("dims", dims)) if dims else dims
    if len(dims) != n_lead or not {*CORE_DIMS, FEATURE}.isdisjoint(dims):
        raise InputError(
            f"dims is {format_value(list(dims))}; expected {n_lead} names for the leading dimensions of the tensor"
        )
    all_dims = [*dims, *CORE_DIMS]
    array = tensor.detach().to(device="cpu", dtype=torch.float32).numpy()
    variables: dict[str, Any] = {}
    for i, name in enumerate(names):
        feature = FEATURE_BY_NAME[name]
        column = array[..., i] != 0 if feature.dtype == bool else array[..., i]
        values = np.array(column, feature.dtype, order="C")  # a copy: the dataset never shares the tensor's memory
        attrs = dict(like[name].attrs) if like is not None and name in like else feature.attrs
        variables[name] = (all_dims, values, attrs)
    sizes = dict(zip(all_dims, tensor.shape, strict=False))
    coords = {dim: np.arange(n) for dim, n in sizes.items()}
    for dim, labels in ((GENE, genes), (TF, tfs)):
        if labels is not None:
            checked = check_names(dim + "s", labels)
            if len(checked) != sizes[dim]:
                raise InputError(
                    f"{dim}s has {len(checked)} names; expected {sizes[dim]}, the length of that axis of the tensor"
                )
            coords[dim] = to_text_array(checked)
    ds = xr.Dataset(variables, coords=coords).assign_coords(
        {FEATURE: make_feature_coordinate()[FEATURE].sel({FEATURE: names})}
    )
    if like is None:
        return ds
    if genes is not None or tfs is not None:
        raise InputError("like excludes genes and tfs; expected only one source of names")
    for dim, n in sizes.items():
        if like.sizes.get(dim) != n:
            raise SchemaError(f"like has {like.sizes.get(dim, 0)} labels along {dim!r}; expected {n}, as in the tensor")
    coords_like = {name: coord.copy() for name, coord in like.coords.items() if FEATURE not in coord.dims}
    return ds.assign_coords(coords_like).assign_attrs(like.attrs)


def _list_selected(ds: xr.Dataset) -> list[str]:
    """Return the names in the coordinate ``feature`` of a dataset, whose variables need not exist."""
    return [str(name) for name in np.atleast_1d(ds.coords[FEATURE].values)]


class Selection(NamedTuple):
    """Names of features, and whether they are a single feature without an axis."""

    names: list[str]
    scalar: bool


def select_features(argument: str, names: Any) -> Selection:
    """Return the features that an argument selects by a name or a list of names, or raise."""
    if isinstance(names, str):
        return Selection([check_feature(names).name], True)
    names = check_sequence(argument, names, "the name of a feature, or a list of names")
    if not names:
        raise InputError(f"{argument} is empty; expected at least one feature")
    return Selection([check_feature(name).name for name in names], False)


def resolve_device(device: Any) -> "torch.device":
    """Return the device (the CPU for None), or raise if it is not available."""
    make = torch.device
    try:
        resolved = make("cpu" if device is None else device)
    except (RuntimeError, TypeError, ValueError):
        raise InputError(f"device is {format_value(device)}; expected a torch device such as 'cpu' or 'cuda'") from None
    if resolved.type == "cuda" and (resolved.index or 0) >= torch.cuda.device_count():
        raise InputError(
            f"device is {str(resolved)!r}, but torch finds {torch.cuda.device_count()} CUDA GPUs; "
            "expected one of these or 'cpu'"
        )
    if resolved.type == "mps" and not torch.backends.mps.is_available():
        raise InputError("device is 'mps', but torch finds no such GPU; expected 'cpu'")
    return resolved


def resolve_dtype(dtype: Any) -> "torch.dtype":
    """Return the floating-point dtype (float32 for None), or raise."""
    if dtype is None:
        return torch.float32
    if not isinstance(dtype, torch.dtype) or not dtype.is_floating_point:
        raise InputTypeError(
            f"dtype is {format_value(dtype)}; expected a floating-point torch dtype such as torch.float32"
        )
    return dtype


def _check_out(out: Any, shape: tuple[int, ...], layout: str) -> None:
    """Raise for a tensor that does not fit the result."""
    if not isinstance(out, torch.Tensor):
        raise InputTypeError(f"out is of type {type(out).__name__}; expected a torch.Tensor")
    if tuple(out.shape) != shape:
        raise InputError(f"out has the shape {list(out.shape)}; expected {list(shape)}")
    if layout == "interleaved" and not out.is_contiguous():
        raise InputError(f"out has the strides {out.stride()}; expected contiguous memory, or layout='planar'")


def _allocate_tensor(
    arrays: list[xr.DataArray], layout: str, device: "torch.device", dtype: "torch.dtype"
) -> "torch.Tensor":
    """Return an uninitialized tensor ``[..., genes, TFs, features]``."""
    *lead, genes, tfs = arrays[0].shape
    tf_major = layout == "planar" and not _is_gene_major(arrays[0])
    if layout == "interleaved":
        shape = (*lead, genes, tfs, len(arrays))
    else:
        shape = (len(arrays), *lead, tfs, genes) if tf_major else (len(arrays), *lead, genes, tfs)
    if device.type == "cpu" and dtype == torch.float32:
        # Planes are filled in long runs, which map pages in order; rows are filled in small parts.
        ready = allocate(shape, count_threads()) if layout == "interleaved" else np.empty(shape, np.float32)
        tensor = torch.from_numpy(ready)
    else:
        tensor = torch.empty(shape, dtype=dtype, device=device)
    if layout == "planar":
        tensor = tensor.movedim(0, -1)
    return tensor.swapaxes(-2, -3) if tf_major else tensor


def _is_gene_major(array: xr.DataArray) -> bool:
    """Return whether an array in memory is contiguous by gene; simulated arrays are contiguous by TF."""
    return is_in_memory(array) and not array.chunks and bool(array.values.flags.c_contiguous)


_PAGE = 1 << 21  # bytes of a huge page


def allocate(shape: Sequence[int], threads: int = 1) -> np.ndarray:
    """Return uninitialized float32 memory with mapped pages.

    NumPy requests huge pages, unlike torch.empty. Touching them in all threads before kernels write is four times
    faster.
    """
    array = np.empty(shape, np.float32)
    pages = array.reshape(-1)[:: _PAGE // array.itemsize]
    step = -(-pages.size // threads) or 1
    run_in_threads(lambda first: pages[first : first + step].fill(0), range(0, pages.size, step), threads)
    return array


_CAST_CELLS = 1 << 22  # of all features: 16 MB of float32


def _fill(arrays: list[xr.DataArray], out: "torch.Tensor") -> None:
    """Fill ``out[..., i]`` on the CPU with feature i."""
    threads = 1 if arrays[0].chunks else count_threads()  # several threads already process blocks of dask

    def fill_region(region: Region, planes: list[np.ndarray]) -> None:
        target = out[region]
        if out.dtype == torch.float32:
            interleave(planes, target.numpy(), threads)
            return

        def cast(slab: tuple[tuple[int, ...], slice]) -> None:  # NumPy has no bfloat16
            index, tfs = slab
            part = target[index][:, tfs]
            values = allocate(part.shape)
            interleave([plane[index][:, tfs] for plane in planes], values)
            part.copy_(torch.from_numpy(values))

        *lead, n_genes, n_tfs, n_features = target.shape
        run_in_threads(cast, list(cut_slabs(lead, n_genes, n_tfs, _CAST_CELLS // n_features)), threads)

    for_each_block(arrays, fill_region)


_SLAB_TFS = 256  # for one thread at a time
_FUSED_ITEMS = (1, 4, 4, 4, 4)  # bytes per item of the planes for the fused kernel: a label and four float32


def interleave(planes: Sequence[np.ndarray], out: np.ndarray, threads: int = 1) -> None:
    """Fill ``out[..., i]`` with plane i, where planes are ``(..., genes, TFs)``, in any order in memory.

    If all features are contiguous by TF, a fused kernel copies them; otherwise this uses strided assignment.
    """
    *lead, n_genes, n_tfs, _ = out.shape

    def fill(slab: tuple[tuple[int, ...], slice]) -> None:
        index, tfs = slab
        columns = [plane[index].swapaxes(-1, -2) for plane in planes]
        rows = out[index]
        if (
            tuple(column.itemsize for column in columns) == _FUSED_ITEMS
            and all(column.flags.c_contiguous for column in columns)
            and rows.flags.c_contiguous
        ):
            from yeastxr.training import kernels

            label, *measures = (column.reshape(-1) for column in columns)
            bits = tuple(measure.view(np.uint32) for measure in measures)
            kernels.interleave(label.view(np.uint8), bits, n_genes, n_tfs, tfs.start, tfs.stop, rows.reshape(-1))
        else:
            _assign([column[tfs] for column in columns], rows[:, tfs])

    run_in_threads(fill, list(cut_slabs(lead, n_genes, n_tfs, _SLAB_TFS * n_genes)), threads)


def _assign(columns: Sequence[np.ndarray], out: np.ndarray) -> None:
    """Assign columns ``[TFs, genes]`` to ``out[genes, TFs, features]``, in tiles that follow the order in memory."""
    n_tfs, n_genes = columns[0].shape
    if columns[0].strides[0] < columns[0].strides[1]:
        tile_tfs, tile_genes = 4096, 16
    elif out.strides[0] > out.itemsize:
        tile_tfs, tile_genes = 16, 512
    else:
        tile_tfs, tile_genes = _SLAB_TFS, n_genes
    for t in range(0, n_tfs, tile_tfs):
        for g in range(0, n_genes, tile_genes):
            tile = out[g : g + tile_genes, t : t + tile_tfs]
            for i, column in enumerate(columns):
                tile[..., i].T[...] = column[t : t + tile_tfs, g : g + tile_genes]


_BUS_THREADS = 8  # enough to saturate the bus


def fill_on_device(
    arrays: Sequence[xr.DataArray], out: "torch.Tensor", *, pinned: bool = True, buffer_bytes: int = 1 << 23
) -> None:
    """Fill ``out[..., i]`` on a device with feature i, transferring values in their stored dtype.

    Planes are cut into slabs. A thread copies a slab to one of its two buffers in pinned memory, and sends it while it
    fills the other buffer; the device casts the values and stores them. Without pinned memory (on devices that do not
    support it, and in tests), transfers are synchronous.
    """
    threads = min(count_threads(), _BUS_THREADS)
    senders = [_Sender(out.device, pinned, buffer_bytes) for _ in range(threads)]
    free: queue.SimpleQueue[_Sender] = queue.SimpleQueue()
    for sender in senders:
        free.put(sender)

    def fill_region(region: Region, planes: list[np.ndarray]) -> None:
        target = out[region]
        *lead, n_genes, n_tfs, _ = target.shape

        def send(slab: tuple[int, tuple[int, ...], slice]) -> None:
            i, index, tfs = slab
            sender = free.get()
            try:
                sender.send(planes[i][index][:, tfs], target[index][:, tfs, i])
            finally:
                free.put(sender)

        slabs = [
            (i, index, tfs)
            for i, plane in enumerate(planes)
            for index, tfs in cut_slabs(lead, n_genes, n_tfs, buffer_bytes // plane.itemsize)
        ]
        # Several threads already process blocks of dask.
        run_in_threads(send, slabs, 1 if arrays[0].chunks else threads)

    for_each_block(arrays, fill_region)
    for sender in senders:
        sender.finish()


class _Sender:
    """Sends planes to a device: two buffers, a stream, and an event for each buffer that signals when it is free."""

    def __init__(self, device: "torch.device", pinned: bool, buffer_bytes: int) -> None:
        self._device, self._pinned, self._buffer_bytes = device, pinned, buffer_bytes
        self._buffers: list[torch.Tensor | None] = [None, None]
        self._turn = 0
        self._stream = torch.cuda.Stream(device) if pinned else None
        self._free = [torch.cuda.Event() if pinned else None for _ in range(2)]
        if self._stream is not None:
            self._stream.wait_stream(torch.cuda.current_stream(device))  # the target memory may still be in use

    def send(self, plane: np.ndarray, target: "torch.Tensor") -> None:
        """Copy a plane to the device; on return, the caller may change the plane."""
        self._turn ^= 1
        event = self._free[self._turn]
        if event is not None:
            event.synchronize()
        values = plane.view(np.uint8) if plane.dtype == bool else plane
        tf_major = values.flags.f_contiguous and not values.flags.c_contiguous
        rows = values.T if tf_major else values
        staged = self._get_buffer(rows)
        np.copyto(staged.numpy(), rows)
        with torch.cuda.stream(self._stream) if self._stream is not None else nullcontext():
            on_device = staged.to(self._device, non_blocking=True, copy=True)
            target.copy_(on_device.T if tf_major else on_device)
            if event is not None:
                event.record(self._stream)

    def finish(self) -> None:
        """Make later work on the device wait for all transfers."""
        if self._stream is not None:
            torch.cuda.current_stream(self._device).wait_stream(self._stream)
            self._stream.synchronize()  # so that buffers and device memory can be reused

    def _get_buffer(self, like: np.ndarray) -> "torch.Tensor":
        """Return the current buffer with the shape and dtype of an array, enlarging it if necessary."""
        buffer = self._buffers[self._turn]
        if buffer is None or buffer.numel() < like.nbytes:
            buffer = torch.empty(max(self._buffer_bytes, like.nbytes), dtype=torch.uint8, pin_memory=self._pinned)
            self._buffers[self._turn] = buffer
        dtype = torch.from_numpy(np.empty(0, like.dtype)).dtype
        return buffer[: like.nbytes].view(dtype).reshape(like.shape)
