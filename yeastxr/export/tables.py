"""Convert datasets to tables: a DataFrame, long tables as text and parquet, and wide tables of genes x TFs."""

import gzip
import json
import re
from collections.abc import Hashable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NamedTuple

import numpy as np
import xarray as xr

from yeastxr._utils import import_extra, replace_file
from yeastxr._validate import check_overwrite
from yeastxr.errors import InputError, format_value
from yeastxr.export.selection import (
    Advance,
    align_variables,
    cut_rows,
    get_labels,
    iterate_slabs,
    make_cells,
    order_rows,
    select_variables,
)
from yeastxr.schema import CORE_DIMS, FEATURE, GENE, TF, list_dims

if TYPE_CHECKING:
    import pandas as pd

FIELD_NAMES = {
    "binding_effect": "callingcards_enrichment",
    "binding_pvalue": "poisson_pval",
    "perturbation_effect": "log2fc",
    "perturbation_pvalue": "pvalue",
}
"""Names of the field for our features; all other variables keep their names."""
SAMPLE = "sample_id"
_SYSTEMATIC = re.compile(r"Y[A-P][LR]\d{3}[WC](-[A-Z])?|[QR]\d{4}[WC]?")  # genes of the nucleus, mitochondria, plasmids
_TABLE_ROWS = 1 << 19  # pairs of a long table at a time
_WIDE_CELLS = 1 << 26  # pairs of one variable in memory, for wide tables


def to_dataframe(ds: xr.Dataset) -> "pd.DataFrame":
    """Convert a dataset to a DataFrame with one row per pair (and replicate).

    In contrast, ``ds.to_dataframe()`` of xarray repeats every pair for each entry of the coordinate ``feature``.

    Parameters
    ----------
    ds
        The dataset; its coordinate ``feature`` selects and orders the columns. Lazy values are computed.

    Returns
    -------
    pandas.DataFrame
        The features and the extra variables with their dtypes, followed by other coordinates of genes and TFs, such as
        ``bound_fraction``. The index has the levels ``(..., gene, tf)``.

    Raises
    ------
    SchemaError
        If the dataset does not follow the data model.

    Examples
    --------
    >>> import yeastxr as yx
    >>> ds = yx.simulate(genes=100, bound=[0.1, 0.2], seed=42)
    >>> yx.to_dataframe(ds.sel(feature=["label", "binding_effect"])).shape
    (200, 3)
    """
    ds = select_variables(ds).drop_vars(FEATURE)
    names = [str(name) for name in ds.data_vars]
    dims = list(list_dims(ds))
    coords = sorted(str(name) for name in ds.coords if name not in dims and set(ds[name].dims) & set(dims))
    return ds.to_dataframe(dim_order=dims)[names + coords]


class Column(NamedTuple):
    """A column of a long table, and the source of its values: a variable, the labels of a dimension, or the sample."""

    name: str
    source: Hashable


def list_columns(ds: xr.Dataset, columns: str) -> list[Column]:
    """Return the columns of a long table of aligned variables, with names of yeastxr or of the field."""
    lead = [Column(str(dim), dim) for dim in order_rows(ds) if dim not in CORE_DIMS]
    variables = [str(name) for name in ds.data_vars]
    if columns == "yeastxr":
        result = [*lead, Column(GENE, GENE), Column(TF, TF), *(Column(name, name) for name in variables)]
    else:
        pair = [Column(name_labels(ds, dim, columns), dim) for dim in (TF, GENE)]
        result = [Column(SAMPLE, SAMPLE), *lead, *pair]
        result += [Column(FIELD_NAMES.get(name, name), name) for name in variables]
    names = [column.name for column in result]
    for column in lead:
        if names.count(column.name) > 1:
            raise InputError(
                f"the dimension {format_value(column.name)} has the name of another column; rename it, "
                "or pass columns='yeastxr'"
            )
    return result


def name_labels(ds: xr.Dataset, dim: str, columns: str) -> str:
    """Return the name of the column of genes or TFs, which in the field is that of locus tags or of symbols.

    Names are locus tags if at least half of them have the form of a systematic name, or if they are integers.
    """
    if columns == "yeastxr":
        return dim
    labels = get_labels(ds, dim)
    tags = [labels.dtype.kind != "O" or _SYSTEMATIC.fullmatch(label) is not None for label in labels]
    return f"{'regulator' if dim == TF else 'target'}_{'locus_tag' if 2 * sum(tags) >= len(tags) else 'symbol'}"


def write_text(ds: xr.Dataset, path: Path, columns: str, advance: Advance) -> None:
    """Write a long table as text, with commas or tabs."""
    import pandas as pd

    separator = "\t" if path.name.endswith((".tsv", ".tsv.gz")) else ","
    with _open_text(path) as file:
        for number, slab in enumerate(_list_slabs(ds, columns, advance, as_text=True)):
            values = {name: codes if labels is None else labels[codes] for name, (codes, labels) in slab.items()}
            pd.DataFrame(values).to_csv(file, header=number == 0, index=False, sep=separator)


def write_parquet(ds: xr.Dataset, path: Path, columns: str, advance: Advance) -> None:
    """Write a long table as parquet, with the attributes of the dataset as metadata; NaN is null."""
    pa, parquet = import_extra("pyarrow", "tables"), import_extra("pyarrow.parquet", "tables")
    attrs = json.dumps({str(name): str(value) for name, value in ds.attrs.items()})
    writer = None
    try:
        for slab in _list_slabs(ds, columns, advance, as_text=False):
            arrays = {}
            for name, (codes, labels) in slab.items():
                if labels is None:
                    arrays[name] = pa.array(codes, from_pandas=True)
                else:
                    values = pa.array(labels)
                    arrays[name] = pa.DictionaryArray.from_arrays(codes, values).cast(values.type)
            table = pa.table(arrays).replace_schema_metadata({"yeastxr": attrs})
            if writer is None:
                writer = parquet.ParquetWriter(path, table.schema, compression="zstd")
            writer.write_table(table)
    finally:
        if writer is not None:
            writer.close()


def _list_slabs(
    ds: xr.Dataset, columns: str, advance: Advance, *, as_text: bool
) -> Iterator[dict[str, tuple[np.ndarray, np.ndarray | None]]]:
    """Yield the columns of slabs of a long table: values and None, or codes and their labels."""
    ds = align_variables(ds)
    dims, listed = order_rows(ds), list_columns(ds, columns)
    labels = {dim: get_labels(ds, dim) for dim in dims}
    if as_text:
        labels = {dim: make_cells(values) for dim, values in labels.items()}
    sizes = [ds.sizes[dim] for dim in dims]
    for positions, slab in _cut_slabs(ds, dims, advance):
        grid = dict(zip(dims, np.ix_(*positions.values()), strict=True))
        shape = [positions[dim].size for dim in dims]
        table: dict[str, tuple[np.ndarray, np.ndarray | None]] = {}
        for name, source in listed:
            if source in grid:
                table[name] = np.broadcast_to(grid[source], shape).reshape(-1), labels[source]
            elif source == SAMPLE:
                index = np.ravel_multi_index([grid[dim].astype(np.int64) for dim in dims[:-1]], sizes[:-1])
                table[name] = np.broadcast_to(index, shape).reshape(-1), None
            else:
                table[name] = slab[source].values.reshape(-1), None
        yield table


def _cut_slabs(
    ds: xr.Dataset, dims: Sequence[Hashable], advance: Advance
) -> Iterator[tuple[dict[Hashable, np.ndarray], xr.Dataset]]:
    """Yield positions along dimensions and values in memory, in slabs below chunk size, as tables need more memory."""
    for region, slab in iterate_slabs(ds, dims, advance):
        for part in cut_rows({dim: slab.sizes[dim] for dim in dims}, {}, _TABLE_ROWS):
            positions = {}
            for dim in dims:
                whole = np.arange(*region.get(dim, slice(None)).indices(ds.sizes[dim]), dtype=np.int32)
                positions[dim] = whole[part.get(dim, slice(None))]
            yield positions, slab.isel(part)


def list_wide_files(ds: xr.Dataset, columns: str) -> dict[str, tuple[str, dict[Hashable, int]]]:
    """Return the files of wide tables: the variable and the positions along leading dimensions by relative path."""
    lead = [dim for dim in order_rows(align_variables(ds)) if dim not in CORE_DIMS]
    files = {}
    for index in np.ndindex(*(ds.sizes[dim] for dim in lead)):
        position = dict(zip(lead, index, strict=True))
        folder = name_folder(ds, position)
        for name in map(str, ds.data_vars):
            column = name if columns == "yeastxr" else FIELD_NAMES.get(name, name)
            files[f"{folder}{column}.csv"] = name, position
    return files


def write_wide(ds: xr.Dataset, folder: Path, columns: str, advance: Advance) -> None:
    """Write a table of genes x TFs for each variable and each combination of leading dimensions."""
    import pandas as pd

    header = pd.Index(make_cells(get_labels(ds, TF)))
    rows = pd.Index(make_cells(get_labels(ds, GENE)), name=name_labels(ds, GENE, columns))
    aligned = align_variables(ds)
    for file, (name, position) in list_wide_files(ds, columns).items():
        path = folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        plane = aligned[[name]].isel(position)
        with _open_text(path) as stream:
            for region, slab in iterate_slabs(plane, CORE_DIMS, advance, _WIDE_CELLS):
                part = region.get(GENE, slice(None))
                table = pd.DataFrame(slab[name].values, index=rows[part], columns=header)
                table.to_csv(stream, header=part.start in (None, 0))


def name_folder(ds: xr.Dataset, position: dict[Hashable, int]) -> str:
    """Return the folder of an entry of leading dimensions, such as ``replicate=0/``; empty if there are none."""
    return "".join(f"{quote_label(dim)}={quote_label(get_labels(ds, dim)[i])}/" for dim, i in position.items())


def quote_label(label: Any) -> str:
    """Return a label as the name of a file, in which other characters are escaped as %XX, as in URLs."""
    from urllib.parse import quote

    text = quote(str(label), safe=" ()+,@'", errors="replace")
    text = text.replace(".", "%2E", 1) if text.startswith(".") else text
    if len(text) > 200:
        raise InputError(
            f"the label {format_value(label)} is too long for the name of a file; expected at most 200 characters"
        )
    return text


@contextmanager
def _open_text(path: Path) -> Iterator[IO[str]]:
    """Open a file for UTF-8 text, compressed if its suffix is .gz."""
    if path.suffix == ".gz":
        with gzip.open(path, "wt", encoding="utf-8", newline="") as file:
            yield file
    else:
        with path.open("w", encoding="utf-8", newline="") as file:
            yield file


def write_result(result: xr.Dataset, path: Path, *, overwrite: bool = False) -> Path:
    """Write a labelled result, such as of :mod:`yeastxr.analysis`, as a table with one row per label."""
    check_result_path(path, overwrite)
    dims = [str(dim) for dim in max((array.dims for array in result.data_vars.values()), key=len)]
    result = result.reset_coords(drop=True)
    cells = {dim: make_cells(get_labels(result, dim)) for dim in dims}
    table = result.assign_coords(cells).to_dataframe(dim_order=dims)
    path.parent.mkdir(parents=True, exist_ok=True)
    with replace_file(path) as partial:
        table.to_csv(partial)
    return path


def check_result_path(path: Path, overwrite: bool) -> None:
    """Raise if a path is not that of a new table."""
    if not path.name.endswith((".csv", ".csv.gz")):
        raise InputError(f"path is {str(path)!r}; expected a path that ends in .csv or .csv.gz")
    check_overwrite(path, overwrite)
