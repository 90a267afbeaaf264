"""Delimited text: encoding, delimiters, and reading in batches."""

import codecs
import csv
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from yeastxr.errors import InputError, describe_error, format_value

NULLS = ("", "NA", "N/A", "#N/A", "NaN", "nan", "NULL", "null", "None", "-")
_DELIMITERS = (",", "\t", ";", "|")
_HEAD = 1 << 20  # largest size of a header in bytes
_BLOCK = 2 << 20  # bytes of a batch


class TextFile:
    """A CSV or TSV file, optionally compressed with gzip.

    Parameters
    ----------
    path
        The file.
    delimiter
        The separator of columns, by default detected in the header.
    decimal
        The decimal separator.
    encoding
        The encoding of text; the byte-order mark of UTF-16 takes precedence.
    """

    def __init__(self, path: Path, *, delimiter: str | None, decimal: str, encoding: str) -> None:
        self._path, self._decimal, self._encoding = path, decimal, encoding
        header, self._skip = self._read_header()
        self._delimiter = delimiter or _find_delimiter(header, path)
        [names] = csv.reader([header], delimiter=self._delimiter)
        self.columns = tuple(name.strip() for name in names)

    def _open(self) -> Any:
        """Open the file as a stream of uncompressed bytes."""
        import pyarrow as pa

        with self._path.open("rb") as file:
            compressed = file.read(2) == b"\x1f\x8b"
        return pa.input_stream(str(self._path), compression="gzip" if compressed else None)

    def _read_header(self) -> tuple[str, int]:
        """Return the line with the names of columns, and the number of lines to skip."""
        try:
            with self._open() as stream:
                head = bytes(stream.read(_HEAD))
        except OSError as error:
            raise InputError(f"{self._path} can't be read: {describe_error(error)}") from None
        if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            self._encoding = "utf-16"
        try:
            text = codecs.getincrementaldecoder(self._encoding)().decode(head).removeprefix("\ufeff")
        except UnicodeError:
            raise self._refuse_encoding() from None
        for name, zeros in (("utf-16-le", head[1::2]), ("utf-16-be", head[::2])):
            if "\0" in text and zeros.count(0) > len(zeros) / 2:
                raise InputError(f"{self._path} looks like UTF-16 text; pass encoding={name!r}")
        if "\0" in text:
            raise InputError(
                f"{self._path} is not text; expected CSV or TSV, optionally compressed with gzip, or parquet"
            )
        lines = re.split(r"\r\n|\n|\r", text)
        for number, line in enumerate(lines, 1):
            if line.strip():
                if not any(map(str.strip, lines[number:])) and len(head) < _HEAD:
                    raise InputError(f"{self._path} has no rows; expected at least one row after the header")
                return line, number
        raise InputError(f"{self._path} is empty; expected a header and rows")

    def _refuse_encoding(self) -> InputError:
        usual = {"utf-8": "encoding='latin-1'", "utf8": "encoding='latin-1'", "utf-16": "encoding='utf-16-le'"}
        hint = usual.get(self._encoding.lower().replace("_", "-"), "another one")
        return InputError(
            f"{self._path} is not {self._encoding} text; pass its encoding with encoding=, such as {hint}"
        )

    def _refuse_quotation(self) -> InputError:
        return InputError(f"{self._path} has a line with an unclosed quotation mark; expected pairs of quotation marks")

    def read(self, labels: Sequence[str], numbers: Sequence[str]) -> Iterator[Any]:
        """Yield record batches of some columns: labels as dictionaries of text, numbers as float64."""
        import pyarrow as pa

        types = {name: pa.dictionary(pa.int32(), pa.string()) for name in labels}
        types |= dict.fromkeys(numbers, pa.float64())
        try:
            yield from self._iterate(types)
        except pa.ArrowInvalid as error:
            self._explain(error, numbers)
            raise InputError(f"{self._path} can't be read: {describe_error(error)}") from None
        except UnicodeError:
            raise self._refuse_encoding() from None
        except OSError as error:
            raise InputError(f"{self._path} can't be read: {describe_error(error)}") from None

    def _iterate(self, types: dict[str, Any]) -> Iterator[Any]:
        from pyarrow import csv as arrow

        with self._open() as stream:
            reader = arrow.open_csv(
                stream,
                read_options=arrow.ReadOptions(
                    column_names=self.columns, skip_rows=self._skip, block_size=_BLOCK, encoding=self._encoding
                ),
                parse_options=arrow.ParseOptions(delimiter=self._delimiter),
                convert_options=arrow.ConvertOptions(
                    column_types=types,
                    include_columns=list(types),
                    null_values=NULLS,
                    strings_can_be_null=True,
                    decimal_point=self._decimal,
                ),
            )
            yield from reader

    def _explain(self, error: Exception, numbers: Sequence[str]) -> None:
        """Raise an error that states the row in which reading failed, if possible."""
        import pyarrow as pa

        text = str(error)
        uneven = re.search(r"Expected (\d+) columns, got (\d+): (.*)", text)
        if uneven:
            expected, found, line = uneven.groups()
            if line.count('"') % 2:
                raise self._refuse_quotation() from None
            comma = self._delimiter == "," and int(found) > int(expected)
            hint = ", and a delimiter that is not the decimal comma" if comma else ""
            raise InputError(
                f"{self._path} has a line of {found} values, {format_value(line, 60)}; expected {expected}, as in the "
                f"header{hint}"
            ) from None
        if "newlines_in_values" in text:
            raise self._refuse_quotation() from None
        if "UTF8" in text or "UTF-8" in text:
            raise self._refuse_encoding() from None
        if not numbers:
            return
        first = 1
        for batch in self._iterate(dict.fromkeys(numbers, pa.string())):
            for name in numbers:
                refuse_text(batch[name], str(self._path), name, first, self._decimal)
            first += batch.num_rows


def refuse_text(array: Any, table: str, column: str, first: int, decimal: str = ".") -> None:
    """Raise for text that is not a number, and state its row."""
    for row, text in enumerate(array.to_pylist(), first):
        if text is None or text.strip() in NULLS:
            continue
        try:
            if "_" in text or (decimal != "." and "." in text):
                raise ValueError(text)
            float(text.replace(decimal, "."))
        except ValueError:
            comma = decimal == "." and re.fullmatch(r"\s*[-+]?\d*,\d+([eE][-+]?\d+)?\s*", text)
            hint = ", or decimal=',' for a decimal comma" if comma else ""
            raise InputError(
                f"{table} contains {format_value(text, 40)} in row {row:,} of column {column!r}; expected a number"
                f"{hint}"
            ) from None


def _find_delimiter(header: str, path: Path) -> str:
    """Return the delimiter that gives the most columns in a header."""
    counts = {mark: len(next(csv.reader([header], delimiter=mark))) for mark in _DELIMITERS}
    usual = "\t" if ".tsv" in path.name.lower() else ","
    return max(_DELIMITERS, key=lambda mark: (counts[mark], mark == usual))
