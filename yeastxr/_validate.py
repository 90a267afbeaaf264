"""Checks of arguments, which raise errors with one-sentence messages before any work starts."""

import math
import numbers
import os
import secrets
from collections.abc import Collection, Hashable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from yeastxr.errors import InputError, InputTypeError, format_value

SEED_END = 2**64
_MOST_ITEMS = 10_000_000  # of a range
POSITION_END = 2**32 - 1  # positions have 32 bits in the random-number scheme, and the last one is reserved


def to_python(label: Any) -> Hashable:
    """Convert a label to a plain Python value, so that 3 and numpy.int64(3) are equal and have one type."""
    return label.item() if isinstance(label, np.generic) else label


def unwrap(value: Any) -> Any:
    """Return the value of a 0-dimensional array, and any other object unchanged."""
    return value.item() if getattr(value, "ndim", None) == 0 and hasattr(value, "item") else value


def check_integer(name: str, value: object, *, least: int, most: int | None = None, largest: str = "") -> int:
    """Return an integer argument as an int, or raise; ``largest`` is the text of ``most`` in the message."""
    value = unwrap(value)
    allowed = f"an integer of at least {least}" if most is None else f"an integer from {least} to {largest or most}"
    if isinstance(value, bool | np.bool_) or not isinstance(value, numbers.Integral):
        raise InputTypeError(f"{name} is {format_value(value)}; expected {allowed}")
    number = int(value)
    if number < least or (most is not None and number > most):
        raise InputError(f"{name} is {format_value(value)}; expected {allowed}")
    return number


def check_number(name: str, value: object, *, least: float = -math.inf, most: float = math.inf) -> float:
    """Return a finite real argument within [least, most] as a float, or raise."""
    value = unwrap(value)
    if math.isinf(least) and math.isinf(most):
        allowed = "a finite number"
    elif math.isinf(most):
        allowed = f"a finite number of at least {least:g}"
    else:
        allowed = f"a number from {least:g} to {most:g}"
    if isinstance(value, bool | np.bool_) or not isinstance(value, numbers.Real):
        raise InputTypeError(f"{name} is {format_value(value)}; expected {allowed}")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number) or not least <= number <= most:
        raise InputError(f"{name} is {format_value(value)}; expected {allowed}")
    return number


def check_seed(value: object) -> int:
    """Return the seed as an int in [0, 2**64); None draws a random one."""
    if value is None:
        return secrets.randbits(64)
    return check_integer("seed", value, least=0, most=SEED_END - 1, largest="2**64 - 1")


def check_range(name: str, value: object, *, least: int) -> tuple[int, int]:
    """Return an inclusive range of integers as a pair, or raise."""
    allowed = f"two integers (first, last), {least} <= first <= last < 2**31"
    ends = [unwrap(end) for end in check_sequence(name, value, allowed)]
    if len(ends) != 2 or any(isinstance(e, bool | np.bool_) or not isinstance(e, numbers.Integral) for e in ends):
        raise InputTypeError(f"{name} is {format_value(value)}; expected {allowed}")
    first, last = int(ends[0]), int(ends[1])
    if not least <= first <= last < 2**31:
        raise InputError(f"{name} is {format_value(value)}; expected {allowed}")
    return first, last


def check_sequence(name: str, value: object, allowed: str) -> list[Any]:
    """Return a list or a 1-dimensional array (NumPy, pandas, xarray) as a list, or raise."""
    if isinstance(value, set | frozenset):
        raise InputTypeError(f"{name} is a set, which has no order; expected {allowed}")
    if (
        isinstance(value, str | bytes | bytearray | Mapping)
        or not isinstance(value, Collection)
        or getattr(value, "ndim", 1) != 1
    ):
        raise InputTypeError(f"{name} is {format_value(value)}; expected {allowed}")
    if isinstance(value, range) and (value.stop - value.start) // value.step > _MOST_ITEMS:  # len can overflow
        raise InputError(f"{name} is {value}; expected {allowed}, of at most {_MOST_ITEMS:,}")
    return list(np.asarray(value)) if hasattr(value, "__array__") else list(value)


def find_names(value: Any) -> list[str] | None:
    """Return the names that index a Series or a 1-dimensional DataArray, or None."""
    index = getattr(value, "index", None)
    if hasattr(value, "indexes") and getattr(value, "ndim", None) == 1:
        index = value.indexes.get(value.dims[0])
    if index is None or getattr(index, "inferred_type", None) != "string":
        return None
    return list(index)


def check_names(name: str, value: object) -> tuple[str, ...]:
    """Return a non-empty list of unique names as a tuple of str, or raise."""
    names = [unwrap(item) for item in check_sequence(name, value, "a list of unique names")]
    if not names:
        raise InputError(f"{name} is empty; expected at least one name")
    seen: set[str] = set()
    for item in names:
        if not isinstance(item, str):
            raise InputTypeError(f"{name} contains {format_value(item)}; expected strings")
        if item in seen:
            raise InputError(f"{name} contains {format_value(item)} more than once; expected unique names")
        try:
            item.encode("utf-8")
        except UnicodeEncodeError:
            raise InputError(f"{name} contains {format_value(item)}; expected valid Unicode") from None
        seen.add(item)
    return tuple(str(item) for item in names)


def check_choice(name: str, value: object, choices: Collection[str]) -> None:
    """Raise unless an argument is one of the choices."""
    if not isinstance(value, str) or value not in choices:
        *first, last = map(repr, choices)
        raise InputError(f"{name} is {format_value(value)}; expected {', '.join(first)} or {last}")


def check_flag(name: str, value: object) -> None:
    """Raise unless an argument is True or False."""
    if not isinstance(value, bool):
        raise InputTypeError(f"{name} is {format_value(value)}; expected True or False")


def check_path(name: str, value: object) -> Path:
    """Return a path argument as a Path, or raise."""
    if not isinstance(value, str | os.PathLike):
        raise InputTypeError(f"{name} is {format_value(value)}; expected a path")
    text = os.fspath(value)
    try:
        usable = isinstance(text, str) and os.fsencode(text).strip() and "\0" not in text
    except UnicodeEncodeError:
        usable = False
    if not usable:
        raise InputError(f"{name} is {format_value(text)}; expected the path of a file")
    return Path(text)


def check_overwrite(path: Path, overwrite: object) -> None:
    """Raise if a file exists, unless overwrite is True."""
    if not isinstance(overwrite, bool):
        raise InputTypeError(f"overwrite is {format_value(overwrite)}; expected True or False")
    if path.exists() and not overwrite:
        raise InputError(
            f"path is {format_value(str(path))}, which already exists; choose another path or pass overwrite=True"
        )
