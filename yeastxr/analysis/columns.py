"""Conversion of labelled arrays to columns (the genes of a TF), and of results by column to labelled arrays."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import xarray as xr

from yeastxr._blocks import CHUNK_CELLS, align_features, broadcast_dims, chunk_like, cut_slabs, map_blocks
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
"""Quantities that rank genes, and their tiebreakers."""
_QUANTITIES = ", ".join(map(repr, QUANTITIES))
_SLAB_CELLS = 1 << 17
_COLUMN = "column"

Layout = Mapping[str, tuple[str | None, int, Any]]
"""The outputs of a function for a column, in order: the dimension (None for a number), length and dtype by name."""


def take_quantity(ds: xr.Dataset, quantity: object, argument: str, known: Sequence[str] = QUANTITIES) -> xr.DataArray:
    """Return a quantity of a dataset, or raise; ``known`` lists the valid names."""
    if not isinstance(quantity, str) or quantity not in known:
        raise InputError(f"{argument} is {format_value(quantity)}; {suggest(quantity, known)}")
    return abs(get_feature(ds, PERTURBATION)) if quantity == MAGNITUDE else get_feature(ds, quantity)


def take_values(ds: xr.Dataset, values: str | xr.DataArray, argument: str) -> xr.DataArray:
    """Return the values of a quantity of the dataset, or of an array with its genes and TFs."""
    if not isinstance(values, str | xr.DataArray):
        raise InputTypeError(f"{argument} is {format_value(values)}; expected {_QUANTITIES}, or a DataArray of pairs")
    if isinstance(values, str):
        return take_quantity(ds, values, argument)
    if values.dtype.kind not in "fiu":
        raise SchemaError(f"{argument} has dtype {values.dtype}; expected numbers")
    return match_pairs(values, ds, argument)


def take_truth(ds: xr.Dataset, truth: str | xr.DataArray, argument: str, function: str = "") -> xr.DataArray:
    """Return the truth of pairs, from the label of the dataset or a bool array; raise without a label.

    The message names the function or the argument that needs it.
    """
    if isinstance(truth, xr.DataArray):
        return match_pairs(check_array(truth, LABEL, argument=argument), ds, argument)
    if not isinstance(truth, str) or truth != LABEL:
        raise InputError(f"{argument} is {format_value(truth)}; expected 'label' or a bool DataArray")
    instead = "" if argument == "rule" else f"pass {argument}= with a bool DataArray"
    return get_label(ds, function or f"{argument}='label'", instead)


def find_responsive(
    ds: xr.Dataset, responsive: str | xr.DataArray, largest_pvalue: float, least_magnitude: float
) -> xr.DataArray:
    """Return the responses of pairs as float32: 1, 0, or NaN if unknown.

    If all values pass a threshold, they are not read, because measured data may lack p-values or effects.
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
    """Return a dataset with gene and tf as last dimensions, or raise."""
    ds = broadcast_dims(restore_dims(ds))
    check_dims(ds, "the dataset")
    return ds.transpose(..., *CORE_DIMS)


def align_columns(arrays: Mapping[str, xr.DataArray]) -> list[xr.DataArray]:
    """Return arrays ``(..., gene, tf)`` with equal chunks and all genes in one chunk, or raise if pairs differ."""
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
    """Apply a function to the columns of arrays, and return labelled arrays ``(..., tf[, dim])`` given by a layout.

    The function gets plain arrays ``(columns, genes)``, followed by those of ``per_tf`` ``(columns,)``, and returns
    float64 ``(columns, values)``. Threads process slabs of about ``slab_cells`` pairs. Dask-backed input gives
    dask-backed output.
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
    """Split a table along its last dimension into separate arrays."""
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
    """Return an array with the genes and TFs of the dataset, or raise."""
    check_dims(array, argument)
    for dim in (GENE, TF):
        if not array.indexes[dim].equals(ds.indexes[dim]):
            raise SchemaError(f"{argument} and the dataset have different labels along {dim!r}; expected the same")
    return array


def order_genes(primary: np.ndarray, secondary: np.ndarray, valid: np.ndarray) -> np.ndarray:
    """Return positions that sort rows of float32: by the first array, the second, then by position; invalid ones last.

    The bits of float32, inverted for negative numbers, have the order of the values.
    """
    keys = (order_bits(primary) << np.uint64(32)) | order_bits(secondary)
    return np.argsort(np.where(valid, keys, np.uint64(2**64 - 1)), axis=-1, kind="stable")


def order_bits(values: np.ndarray) -> np.ndarray:
    """Return uint64 below 2^32 with the same order as values rounded to float32."""
    bits = (values.astype(np.float32) + np.float32(0)).view(np.uint32)  # -0 becomes 0
    return np.where(bits >> 31, ~bits, bits | np.uint32(0x80000000)).astype(np.uint64)


def rank_values(quantity: str, array: xr.DataArray) -> xr.DataArray:
    """Return values whose smallest is the strongest: p-values, or effects with inverted sign.

    A negative binding effect, such as a log2 enrichment below 0, is weaker than none.
    """
    return array if quantity.endswith("pvalue") else -array


def take_ranks(ds: xr.Dataset, by: object, argument: str, known: Sequence[str]) -> dict[str, xr.DataArray]:
    """Return the values that rank genes by a quantity, and those of its tiebreaker, where missing values come last."""
    first = take_quantity(ds, by, argument, known)
    names = (str(by), PARTNERS[str(by)])
    arrays = (first, take_quantity(ds, names[1], argument))
    primary, secondary = (rank_values(name, array) for name, array in zip(names, arrays, strict=True))
    return {names[0]: primary, names[1]: secondary.fillna(np.inf)}
