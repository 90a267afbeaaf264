"""Labels and numbers of a batch, as plain arrays; what is none is refused, with its row."""

import re
from collections.abc import Iterable
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
    """The labels of genes or TFs of a table, in the order in which they first appear.

    ``text`` says that some are text where their file or DataFrame has types: then 1 and "1" differ.
    """

    def __init__(self) -> None:
        self.positions: dict[str, int] = {}
        self.text = False

    def add(self, names: Iterable[str], *, text: bool = False) -> None:
        """Add names that are not there yet."""
        for name in names:
            self.positions.setdefault(name, len(self.positions))
        self.text |= text

    @property
    def integers(self) -> bool:
        """Whether all are integers, as they would be written."""
        return not self.text and all(map(_INTEGER.fullmatch, self.positions))


def encode(array: Any, table: str, column: str) -> tuple[np.ndarray, list[str], bool]:
    """Return labels as codes, the names that codes stand for, and whether these are integers in the table.

    The code -1 stands for a missing label. Spaces around names are dropped.
    """
    import pyarrow as pa
    from pyarrow import compute

    typed = not pa.types.is_dictionary(array.type)
    if typed:
        if pa.types.is_null(array.type):
            return np.full(len(array), -1), [], True
        if pa.types.is_boolean(array.type):
            array = array.cast(pa.string())
        elif not pa.types.is_integer(array.type):
            try:
                array = array.cast(pa.large_string()) if not pa.types.is_floating(array.type) else None
            except pa.ArrowException:
                array = None
            if array is None:
                raise InputError(f"the column {column!r} of {table} holds no labels; expected names or integers")
        array = compute.dictionary_encode(array)
    values = array.dictionary
    if not (pa.types.is_integer(values.type) or str(values.type).endswith(("string", "string_view"))):
        raise InputError(f"the column {column!r} of {table} holds no labels; expected names or integers")
    names = [str(value).strip() if value is not None else "" for value in values.to_pylist()]
    codes = array.indices.cast(pa.int64()).fill_null(-1).to_numpy(zero_copy_only=False)
    missing = np.array([name in NULLS for name in names] + [True])
    if missing[:-1].any():
        codes = np.where(missing[codes], -1, codes)
    return codes, names, pa.types.is_integer(values.type)


def look_up(codes: np.ndarray, names: list[str], positions: dict[str, int]) -> np.ndarray:
    """Return the positions of encoded labels; -1 for those that are missing or have none."""
    return np.array([*(positions.get(name, -1) for name in names), -1], np.int64)[codes]


def read_numbers(array: Any, table: str, column: str, first: int, decimal: str) -> np.ndarray:
    """Return an array as float64, NaN where it is missing, or refuse it; ``first`` is the number of its first row."""
    import pyarrow as pa
    from pyarrow import compute

    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    if str(array.type).endswith(("string", "string_view")):
        texts = compute.utf8_trim_whitespace(array.cast(pa.string()))
        texts = compute.if_else(compute.is_in(texts, value_set=pa.array(NULLS)), None, texts)
        array = compute.replace_substring(texts, decimal, ".") if decimal != "." else texts
        try:
            array = array.cast(pa.float64())
        except pa.ArrowInvalid:
            refuse_text(texts, table, column, first, decimal)
            raise
    elif not (pa.types.is_integer(array.type) or pa.types.is_floating(array.type) or pa.types.is_null(array.type)):
        if not (pa.types.is_boolean(array.type) or pa.types.is_decimal(array.type)):
            raise InputError(f"the column {column!r} of {table} holds {array.type}; expected numbers")
    return array.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)


def read_truth(array: Any, table: str, column: str, first: int) -> np.ndarray:
    """Return a column of True and False as float64, NaN where it is missing, or refuse it."""
    codes, names, _ = encode(array, table, column)
    for code, name in enumerate(names):
        if name.lower() not in _TRUTH and name not in NULLS and (codes == code).any():
            row = first + int(np.argmax(codes == code))
            raise InputError(
                f"{table} holds {format_value(name, 40)} in row {row:,} of the column {column!r}; expected true, false, "
                "1 or 0"
            )
    return np.array([*(_TRUTH.get(name.lower(), np.nan) for name in names), np.nan])[codes]


def check_values(quantity: str, values: np.ndarray, table: str, column: str, first: int) -> None:
    """Refuse values that a quantity can't have."""
    if quantity == LABEL:
        return
    if quantity == PVALUE:
        wrong, expected = (values < 0) | (values > 1), "a p-value in [0, 1]"
    elif quantity in EXTRA_NAMES:
        wrong, expected = (values < 0) | (values >= 2**31), "a count below 2**31"
        wrong |= (values != np.floor(values)) & ~np.isnan(values)
    else:
        wrong, expected = np.abs(values) > np.finfo(np.float32).max, "a finite effect, or none"
    if wrong.any():
        at = int(np.argmax(wrong))
        raise InputError(
            f"{table} holds {values[at]:g} in row {first + at:,} of the column {column!r}; expected {expected}"
        )


def round_values(quantity: str, values: np.ndarray) -> np.ndarray:
    """Return values in the dtype that they are kept in: counts as float64, others as float32.

    A p-value above 0 stays above 0: below the smallest normal float32, 1.2e-38, it becomes that.
    """
    if quantity in EXTRA_NAMES:
        return values
    with np.errstate(under="ignore"):
        rounded = values.astype(np.float32)
    if quantity == PVALUE:
        rounded[(values > 0) & (rounded < _TINY)] = _TINY
    return rounded
