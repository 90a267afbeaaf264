"""Labels and numbers of a batch as plain arrays; errors state the row of an invalid value."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from yeastxr.errors import InputError, format_value
from yeastxr.schema import EXTRA_NAMES, LABEL
from yeastxr.tables.columns import PVALUE
from yeastxr.tables.text import NULLS, refuse_text

_TINY = np.finfo(np.float32).tiny
_TRUTH = {"true": 1.0, "1": 1.0, "1.0": 1.0, "false": 0.0, "0": 0.0, "0.0": 0.0}
_INTEGER = re.compile(r"0|-?[1-9][0-9]{0,17}")


class Labels:
    """The labels of genes or TFs of a table, in order of first appearance.

    ``text`` is True if some labels are strings in a typed source; then 1 and "1" differ.
    """

    def __init__(self) -> None:
        self.positions: dict[str, int] = {}
        self.text = False

    def add(self, names: Iterable[str], *, text: bool = False) -> None:
        """Add new names."""
        for name in names:
            self.positions.setdefault(name, len(self.positions))
        self.text |= text

    @property
    def integers(self) -> bool:
        """Whether all labels are integers in canonical form."""
        return not self.text and all(map(_INTEGER.fullmatch, self.positions))


@dataclass(frozen=True)
class Column:
    """Labels of a batch: codes, the Arrow array of their names, and whether the names were integers.

    The code -1 stands for a missing label. Spaces around names are dropped.
    """

    codes: np.ndarray
    names: Any
    integers: bool

    def list_used(self) -> list[str]:
        """Return the names that are used, in order of first appearance."""
        used, first = np.unique(self.codes, return_index=True)
        order = used[np.argsort(first)]
        return self.names.take(order[order >= 0]).to_pylist()

    def find(self, known: Any) -> np.ndarray:
        """Return the positions of the labels in an Arrow array of known labels; -1 for unknown ones."""
        from pyarrow import compute

        positions = compute.index_in(self.names, value_set=known).fill_null(-1).to_numpy(zero_copy_only=False)
        return np.append(positions, -1).astype(np.int64)[self.codes]


def encode(array: Any, table: str, column: str) -> Column:
    """Return a column of labels, or raise."""
    import pyarrow as pa
    from pyarrow import compute, types

    if types.is_null(array.type):
        return Column(np.full(len(array), -1), pa.array([], pa.large_string()), True)
    if not types.is_dictionary(array.type):
        if not (_is_text(array.type) or types.is_integer(array.type) or types.is_boolean(array.type)):
            raise InputError(f"the column {column!r} of {table} has the type {array.type}; expected names or integers")
        if not types.is_integer(array.type):
            array = array.cast(pa.large_string())  # a type that can be encoded, for any string type
        array = compute.dictionary_encode(array)
    names = array.dictionary
    if not (types.is_integer(names.type) or _is_text(names.type)):
        raise InputError(f"the column {column!r} of {table} has the type {names.type}; expected names or integers")
    integers = types.is_integer(names.type)
    names = compute.utf8_trim_whitespace(names.cast(pa.large_string()))
    codes = array.indices.cast(pa.int64()).fill_null(-1).to_numpy(zero_copy_only=False)
    missing = compute.is_in(names, value_set=pa.array([*NULLS, None], names.type)).to_numpy(zero_copy_only=False)
    if missing.any():
        codes = np.where(np.append(missing, True)[codes], -1, codes)
    return Column(codes, names, integers)


def _is_text(kind: Any) -> bool:
    """Return whether an Arrow type is a string type."""
    return str(kind) in ("string", "large_string", "string_view")


def read_numbers(array: Any, table: str, column: str, first: int, decimal: str) -> np.ndarray:
    """Return an array as float64, with NaN for missing values, or raise; ``first`` is the number of its first row."""
    import pyarrow as pa
    from pyarrow import compute

    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    if _is_text(array.type):
        texts = compute.utf8_trim_whitespace(array.cast(pa.string()))
        texts = compute.if_else(compute.is_in(texts, value_set=pa.array(NULLS)), None, texts)
        array = compute.replace_substring(texts, decimal, ".") if decimal != "." else texts
        try:
            array = array.cast(pa.float64())
        except pa.ArrowInvalid:
            refuse_text(texts, table, column, first, decimal)
            raise
    elif not any(is_kind(array.type) for is_kind in _list_kinds_of_numbers()):
        raise InputError(f"the column {column!r} of {table} has the type {array.type}; expected numbers")
    return array.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)


def _list_kinds_of_numbers() -> list[Callable[[Any], bool]]:
    """Return functions that test whether an Arrow type can be cast to float64."""
    from pyarrow import types

    return [types.is_integer, types.is_floating, types.is_null, types.is_boolean, types.is_decimal]


def read_truth(array: Any, table: str, column: str, first: int) -> np.ndarray:
    """Return a boolean column as float64, with NaN for missing values, or raise."""
    labels = encode(array, table, column)
    names = [str(name).lower() for name in labels.names.to_pylist()]
    for code in np.unique(labels.codes[labels.codes >= 0]):
        if names[code] not in _TRUTH:
            row = first + int(np.argmax(labels.codes == code))
            raise InputError(
                f"{table} contains {format_value(names[code], 40)} in row {row:,} of column {column!r}; expected true "
                "or false, 1 or 0"
            )
    return np.array([*(_TRUTH.get(name, np.nan) for name in names), np.nan])[labels.codes]


def check_values(quantity: str, values: np.ndarray, table: str, column: str, first: int) -> None:
    """Raise for invalid values of a quantity."""
    if quantity == LABEL:
        return
    if quantity == PVALUE:
        wrong, expected = (values < 0) | (values > 1), "a p-value in [0, 1]"
    elif quantity in EXTRA_NAMES:
        wrong, expected = (values < 0) | (values >= 2**31), "a count below 2**31"
        wrong |= (values != np.floor(values)) & ~np.isnan(values)
    else:
        wrong, expected = np.abs(values) > np.finfo(np.float32).max, "a finite effect, or a missing value"
    if wrong.any():
        at = int(np.argmax(wrong))
        raise InputError(
            f"{table} contains {values[at]:g} in row {first + at:,} of column {column!r}; expected {expected}"
        )


def round_values(quantity: str, values: np.ndarray) -> np.ndarray:
    """Return values in their dtype in memory: counts as float64, others as float32.

    p-values above 0 stay above 0: they are at least the smallest normal float32, 1.2e-38.
    """
    if quantity in EXTRA_NAMES:
        return values
    with np.errstate(under="ignore"):
        rounded = values.astype(np.float32)
    if quantity == PVALUE:
        rounded[(values > 0) & (rounded < _TINY)] = _TINY
    return rounded
