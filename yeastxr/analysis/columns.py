"""Labelled arrays as columns, the genes of one TF each, and what a function says of each column as labelled arrays."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import xarray as xr

from yeastxr._blocks import CHUNK_CELLS, align_features, chunk_like, cut_slabs, map_blocks
from yeastxr._utils import run_in_threads
from yeastxr._validate import check_number
from yeastxr.errors import InputError, InputTypeError, SchemaError, format_value, suggest
from yeastxr.schema import (
    BINDING,
    CORE_DIMS,
    GENE,
    LABEL,
    MAGNITUDE,
    PERTURBATION,
    QUANTITIES,
    TF,
    check_array,
    check_dims,
    get_feature,
    get_label,
    match_to,
    restore_dims,
)

BINDING_PVALUE, PERTURBATION_PVALUE = "binding_pvalue", "perturbation_pvalue"
PARTNERS = {
    BINDING_PVALUE: BINDING,
    BINDING: BINDING_PVALUE,
    PERTURBATION_PVALUE: MAGNITUDE,
    MAGNITUDE: PERTURBATION_PVALUE,
}
"""What ranks genes, and what then breaks ties."""
_QUANTITIES = ", ".join(map(repr, QUANTITIES))
_SLAB_CELLS = 1 << 17
_COLUMN = "column"

Layout = Mapping[str, tuple[str | None, int, Any]]
"""What a function returns of a column, in order: by name the dim (None: a number), the length and the dtype."""


def take_quantity(ds: xr.Dataset, quantity: object, argument: str, known: Sequence[str] = QUANTITIES) -> xr.DataArray:
    """Return a quantity of a dataset, or refuse it; ``known`` are those that the argument may name."""
    if not isinstance(quantity, str) or quantity not in known:
        raise InputError(f"{argument} is {format_value(quantity)}; {suggest(quantity, known)}")
    return abs(get_feature(ds, PERTURBATION)) if quantity == MAGNITUDE else get_feature(ds, quantity)


def take_values(ds: xr.Dataset, values: str | xr.DataArray, argument: str) -> xr.DataArray:
    """Return numbers of each pair: a quantity of the dataset, or an array of its genes and TFs."""
    if not isinstance(values, str | xr.DataArray):
        raise InputTypeError(f"{argument} is {format_value(values)}; expected {_QUANTITIES}, or a DataArray of pairs")
    if isinstance(values, str):
        return take_quantity(ds, values, argument)
    if values.dtype.kind not in "fiu":
        raise SchemaError(f"{argument} has dtype {values.dtype}; expected numbers")
    return match_pairs(values, ds, argument)


def take_truth(ds: xr.Dataset, truth: str | xr.DataArray, argument: str, function: str = "") -> xr.DataArray:
    """Return which pairs are true: the dataset's label, or a bool array; refuse a dataset that has no label.

    A message says that the function needs it, or else the argument.
    """
    if isinstance(truth, xr.DataArray):
        return match_pairs(check_array(truth, LABEL, argument=argument), ds, argument)
    if not isinstance(truth, str) or truth != LABEL:
        raise InputError(f"{argument} is {format_value(truth)}; expected 'label' or a bool DataArray")
    instead = "" if argument == "rule" else f"{argument}= a bool DataArray"
    return get_label(ds, function or f"{argument}='label'", instead)


def find_responsive(
    ds: xr.Dataset, responsive: str | xr.DataArray, largest_pvalue: float, least_magnitude: float
) -> xr.DataArray:
    """Return which pairs respond, float32: 1, 0, or NaN where that is not known.

    A threshold that every value passes reads none: measured data may lack the p-values, or the effects.
    """
    most = check_number("largest_pvalue", largest_pvalue, least=0, most=1)
    least = check_number("least_magnitude", least_magnitude, least=0)
    if isinstance(responsive, str) and responsive == "measured":
        pvalue = get_feature(ds, PERTURBATION_PVALUE)
        magnitude = match_to(take_quantity(ds, MAGNITUDE, "responsive"), MAGNITUDE, pvalue, PERTURBATION_PVALUE)
        passes, known = (magnitude >= least), magnitude.notnull()
        if most < 1:
            passes, known = passes & (pvalue <= most), known & pvalue.notnull()
            if not least:
                passes, known = pvalue <= most, pvalue.notnull()
        return passes.astype(np.float32).where(known)
    if not isinstance(responsive, xr.DataArray) and not (isinstance(responsive, str) and responsive == LABEL):
        raise InputError(
            f"responsive is {format_value(responsive)}; expected 'measured', 'label' or a bool DataArray of pairs"
        )
    return take_truth(ds, responsive, "responsive").astype(np.float32)


def check_dataset(ds: xr.Dataset) -> xr.Dataset:
    """Return a dataset with the dims gene and tf last, or refuse it."""
    ds = restore_dims(ds)
    check_dims(ds, "the dataset")
    return ds.transpose(..., *CORE_DIMS)


def align_columns(arrays: Mapping[str, xr.DataArray]) -> list[xr.DataArray]:
    """Return arrays with dims ``(..., gene, tf)``, equal chunks, and all genes in one chunk; refuse different pairs."""
    (first, *_), *_ = arrays.items()
    matched = {name: match_to(array, name, arrays[first], first) for name, array in arrays.items()}
    aligned = align_features(xr.Dataset(matched), list(matched))
    if aligned[0].chunks and len(aligned[0].variable.chunksizes[GENE]) > 1:
        tfs = min(max(aligned[0].variable.chunksizes[TF]), max(1, CHUNK_CELLS // aligned[0].sizes[GENE]))
        aligned = [array.chunk({GENE: -1, TF: tfs}) for array in aligned]
    return aligned


def map_columns(
    function: Callable[..., np.ndarray],
    arrays: Mapping[str, xr.DataArray],
    layout: Layout,
    *,
    per_tf: Mapping[str, np.ndarray] | None = None,
    slab_cells: int = _SLAB_CELLS,
    **parameters: Any,
) -> dict[str, xr.DataArray]:
    """Apply a function to the columns of arrays, and return labelled arrays ``(..., tf[, dim])`` as the layout says.

    The function takes plain arrays ``(columns, genes)``, then those of ``per_tf`` ``(columns,)``, and returns float64
    ``(columns, values)``. Threads take slabs of about ``slab_cells`` pairs. Dask-backed input gives dask-backed output.
    """
    aligned = align_columns(arrays)
    first = aligned[0]
    result = map_blocks(
        partial(_map_block, partial(function, **parameters), len(aligned), slab_cells),
        first.dims,
        [*aligned, *(chunk_like(TF, values, first) for values in (per_tf or {}).values())],
        dtype=np.float64,
        reduces=GENE,
        length=sum(size for _, size, _ in layout.values()),
    )
    coords = {name: coord for name, coord in first.coords.items() if GENE not in coord.dims}
    table = xr.DataArray(result, coords=coords).rename({GENE: _COLUMN}).transpose(..., TF, _COLUMN)
    return split_table(table, layout)


def split_table(table: xr.DataArray, layout: Layout) -> dict[str, xr.DataArray]:
    """Return the parts of a table along its last dim as arrays of their own."""
    values, start = {}, 0
    for name, (dim, size, dtype) in layout.items():
        part = table[..., start] if dim is None else table[..., start : start + size].rename({_COLUMN: dim})
        values[name] = part.astype(dtype)
        start += size
    return values


def _map_block(
    function: Callable[..., np.ndarray], planes: int, slab_cells: int, *blocks: np.ndarray, threads: int
) -> np.ndarray:
    """Apply a function to slabs of columns of a block, ``(..., gene, tf)`` in, ``(..., value, tf)`` out."""
    *lead, genes, tfs = blocks[0].shape
    columns = [block.swapaxes(-1, -2) for block in blocks[:planes]]
    per_tf = [block.reshape(-1) for block in blocks[planes:]]
    slabs = list(cut_slabs(lead, genes, tfs, slab_cells))
    results: dict[int, np.ndarray] = {}

    def work(number: int) -> None:
        index, slab = slabs[number]
        parts = [np.ascontiguousarray(column[index][slab]) for column in columns]
        results[number] = function(*parts, *(values[slab] for values in per_tf))

    run_in_threads(work, range(len(slabs)), threads)
    table = np.concatenate([results[number] for number in range(len(slabs))])
    return table.reshape(*lead, tfs, -1).swapaxes(-1, -2)


def match_pairs(array: xr.DataArray, ds: xr.Dataset, argument: str) -> xr.DataArray:
    """Return an array of the dataset's pairs, or refuse it: its genes and TFs must be those of the dataset."""
    check_dims(array, argument)
    for dim in (GENE, TF):
        if not array.indexes[dim].equals(ds.indexes[dim]):
            raise SchemaError(
                f"{argument} has other labels along {dim!r} than the dataset; expected the same, in order"
            )
    return array


def order_genes(primary: np.ndarray, secondary: np.ndarray, valid: np.ndarray) -> np.ndarray:
    """Return positions that sort rows of float32: by the first, the second, then by position; invalid ones last.

    The bits of a float32, with those of negative numbers inverted, are ordered as the values are.
    """
    keys = (order_bits(primary) << np.uint64(32)) | order_bits(secondary)
    return np.argsort(np.where(valid, keys, np.uint64(2**64 - 1)), axis=-1, kind="stable")


def order_bits(values: np.ndarray) -> np.ndarray:
    """Return uint64 below 2^32 that are ordered as values are, once these are rounded to float32."""
    bits = (values.astype(np.float32) + np.float32(0)).view(np.uint32)  # -0 becomes 0
    return np.where(bits >> 31, ~bits, bits | np.uint32(0x80000000)).astype(np.uint64)


def rank_values(quantity: str, array: xr.DataArray) -> xr.DataArray:
    """Return values of which the smallest is the strongest: p-values, or effects with their sign turned.

    A negative binding effect, such as a log2 enrichment below 0, is weaker than none.
    """
    return array if quantity.endswith("pvalue") else -array


def take_ranks(ds: xr.Dataset, by: object, argument: str, known: Sequence[str]) -> dict[str, xr.DataArray]:
    """Return what orders genes by a quantity, and what breaks its ties: where that is missing, a gene comes last."""
    first = take_quantity(ds, by, argument, known)
    names = (str(by), PARTNERS[str(by)])
    arrays = (first, take_quantity(ds, names[1], argument))
    primary, secondary = (rank_values(name, array) for name, array in zip(names, arrays, strict=True))
    return {names[0]: primary, names[1]: secondary.fillna(np.inf)}
