"""Sources of tables: files, folders, DataFrames and Arrow tables, all read as batches of columns."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from yeastxr._validate import check_path
from yeastxr.errors import InputError, InputTypeError, describe_error, format_value, suggest
from yeastxr.schema import GENE
from yeastxr.tables.columns import VALUE_COLUMNS, Header
from yeastxr.tables.text import TextFile

TEXT_ENDINGS = (".csv", ".tsv", ".txt", ".csv.gz", ".tsv.gz", ".txt.gz")
ENDINGS = (*TEXT_ENDINGS, ".parquet")
_ROWS = 1 << 17  # of a batch
_ALLOWED = (
    "a path of a file or folder, a pandas or polars DataFrame, a pyarrow Table, a list of them, or a dict of matrices"
)

Batches = Iterator[Any]


@dataclass(frozen=True)
class Source:
    """A single table.

    Parameters
    ----------
    header
        Its name in messages, and its columns.
    title
        Its name in attributes: the name of a file without its folder.
    read
        A function of the names of columns of labels and of numbers that yields record batches.
    stem
        The name of a file of a folder or list without its suffix, which is the TF if there is no column of TFs.
    decimal
        The decimal separator of numbers in text.
    index
        The column with the index of a DataFrame, or with the genes of a matrix.
    typed
        Whether columns have types. In untyped text, an integer may be a name.
    """

    header: Header
    title: str
    read: Callable[[Sequence[str], Sequence[str]], Batches]
    stem: str | None = None
    decimal: str = "."
    index: str | None = None
    typed: bool = True


@dataclass(frozen=True)
class Long:
    """Tables with one row per pair, and the names of other files in their folders."""

    sources: list[Source]
    others: tuple[str, ...] = ()


@dataclass(frozen=True)
class Wide:
    """Matrices of genes by TFs, one for each quantity."""

    sources: dict[str, Source]


def open_tables(table: str, value: object, **text: Any) -> Long | Wide:
    """Return the tables of an argument, after reading their headers."""
    if isinstance(value, Mapping):
        if not value:
            raise InputError(f"{table} is an empty dict; expected a matrix for each quantity")
        known = VALUE_COLUMNS[table]
        for quantity in value:
            if quantity not in known:
                raise InputError(f"{table} has the unknown key {format_value(quantity)}; {suggest(quantity, known)}")
        matrices = {}
        for quantity, matrix in value.items():
            sources = _open(f"{table}[{quantity!r}]", matrix, text, wide=True)
            if len(sources) > 1:
                raise InputError(f"{table}[{quantity!r}] is {len(sources)} tables; expected one matrix")
            matrices[quantity] = sources[0]
        return Wide(matrices)
    if isinstance(value, list | tuple):
        if not value:
            raise InputError(f"{table} is an empty list; expected {_ALLOWED}")
        items = [source for i, item in enumerate(value) for source in _open(f"{table}[{i}]", item, text)]
        return Long(items, tuple(name for item in value for name in _list_others(item)))
    sources = _open(table, value, text)
    if len(sources) == 1 and not _is_folder(value):
        sources = [replace(sources[0], stem=None)]
    return Long(sources, _list_others(value))


def _is_folder(value: object) -> bool:
    """Return whether an argument is the path of a folder."""
    return isinstance(value, str | os.PathLike) and Path(value).is_dir()


def _is_table(path: Path) -> bool:
    """Return whether a file in a folder is a table, by its name."""
    return path.name.lower().endswith(ENDINGS) and path.name[0] != "." and not path.is_dir()


def _list_others(value: object) -> tuple[str, ...]:
    """Return the files in a folder that are not tables, except hidden files and a README."""
    if not _is_folder(value):
        return ()
    paths = [path for path in sorted(Path(str(value)).iterdir()) if path.name[0] != "." and not _is_table(path)]
    return tuple(path.name for path in paths if path.stem.lower() != "readme")


def _open(name: str, value: object, text: dict[str, Any], *, wide: bool = False) -> list[Source]:
    """Return the tables of one value: several if it is a folder."""
    if isinstance(value, str | os.PathLike):
        path = check_path(name, value)
        if path.is_dir() and not wide:
            files = [file for file in sorted(path.iterdir()) if _is_table(file)]
            if not files:
                raise InputError(f"{name} is {str(path)!r}, a folder without tables; expected {', '.join(ENDINGS)}")
            return [_open_file(file, text) for file in files]
        if not path.is_file():
            raise InputError(f"{name} is {str(path)!r}, which does not exist; expected {_ALLOWED}")
        return [_open_file(path, text)]
    if type(value).__module__.partition(".")[0] == "pandas" and hasattr(value, "itertuples"):
        return [_open_pandas(name, value, wide)]
    if hasattr(value, "__arrow_c_stream__"):
        return [_open_arrow(name, value)]
    hint = "; call collect() on a LazyFrame" if hasattr(value, "collect_schema") else ""
    raise InputTypeError(f"{name} is of type {type(value).__name__}; expected {_ALLOWED}{hint}")


def _open_file(path: Path, text: dict[str, Any]) -> Source:
    """Return the table of a file."""
    with path.open("rb") as file:
        parquet = file.read(4) == b"PAR1"
    stem = path.name
    for ending in sorted(ENDINGS, key=len, reverse=True):
        stem = stem[: -len(ending)] if stem.lower().endswith(ending) else stem
    if not parquet:
        if path.name.lower().endswith(".parquet"):
            raise InputError(f"{path} is not a parquet file; expected parquet, or another suffix for text")
        source = TextFile(path, **text)
        return Source(Header(str(path), source.columns), path.name, source.read, stem, text["decimal"], typed=False)
    import pyarrow as pa
    from pyarrow import parquet as arrow

    def read(labels: Sequence[str], numbers: Sequence[str]) -> Batches:
        try:
            with arrow.ParquetFile(path, pre_buffer=False) as file:
                yield from file.iter_batches(_ROWS, columns=[*labels, *numbers])
        except (pa.ArrowException, OSError) as error:
            raise InputError(f"{path} can't be read: {describe_error(error)}") from None

    try:
        columns = arrow.read_schema(path).names
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"{path} can't be read: {describe_error(error)}") from None
    return Source(Header(str(path), columns), path.name, read, stem, text["decimal"])


def _open_arrow(name: str, value: Any) -> Source:
    """Return the table of an object with Arrow's PyCapsule interface, such as a polars DataFrame."""
    import pyarrow as pa

    table = pa.table(value)
    title = f"{type(value).__module__.partition('.')[0]} {type(value).__name__}"

    def read(labels: Sequence[str], numbers: Sequence[str]) -> Batches:
        yield from table.select([*labels, *numbers]).to_batches(_ROWS)

    return Source(Header(f"{name} ({title})", table.column_names), title, read)


def _open_pandas(name: str, frame: Any, wide: bool) -> Source:
    """Return the table of a pandas DataFrame; named levels of its index are columns, too.

    An index without a name contains the genes of a matrix; in a long table it is ignored as row numbers.
    """
    import pyarrow as pa

    header = Header(f"{name} (pandas DataFrame)", [str(column) for column in frame.columns])
    if header.columns and len(set(header.columns)) < len(header.columns):
        return Source(header, "pandas DataFrame", lambda labels, numbers: iter(()))
    arrays = {str(column): frame[column] for column in frame.columns}
    index = None
    unnamed = frame.index.nlevels == 1 and frame.index.name is None
    default = unnamed and (not wide or type(frame.index).__name__ == "RangeIndex")
    if not default and frame.index.nlevels == 1:
        index = str(frame.index.name) if frame.index.name is not None else GENE
        if index not in arrays:
            arrays = {index: frame.index, **arrays}
    elif frame.index.nlevels > 1:
        levels = {str(level): frame.index.get_level_values(level) for level in frame.index.names if level is not None}
        arrays = levels | arrays

    def convert(values: Any) -> Any:
        try:
            return pa.array(values, from_pandas=True)
        except (pa.ArrowException, ValueError, TypeError):  # objects of several types
            return pa.array([None if value is None or value != value else str(value) for value in values], pa.string())

    def read(labels: Sequence[str], numbers: Sequence[str]) -> Batches:
        chosen = [*labels, *numbers]
        table = pa.table([convert(arrays[column]) for column in chosen], names=chosen)
        yield from table.to_batches(_ROWS)

    return Source(Header(header.name, list(arrays)), "pandas DataFrame", read, index=index if wide else None)
