"""Every exception of the package, and how values are shown in messages."""

import difflib
import numbers
from collections.abc import Iterable

import numpy as np


class InputError(ValueError):
    """An argument, a dataset or a file is not what it must be."""


class InputTypeError(InputError, TypeError):
    """An argument has the wrong type."""


class SchemaError(InputError):
    """A dataset or an array does not follow the data model."""


class StoreError(InputError):
    """A store is not what it must be."""


class StoreExistsError(StoreError, FileExistsError):
    """The path of a new store exists already."""


class StoreNotFoundError(StoreError, FileNotFoundError):
    """There is no store at a path."""


def format_value(value: object, limit: int = 80) -> str:
    """Write a value for an error message, shortened when it is long.

    Examples
    --------
    >>> format_value([1, 2])
    '[1, 2]'
    """
    return shorten(repr(value.item() if isinstance(value, np.generic) else value), limit)


def shorten(text: str, limit: int) -> str:
    """Return a text of at most ``limit`` characters; the last one is an ellipsis where some were cut off.

    Examples
    --------
    >>> shorten("transcription", 6)
    'trans…'
    """
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def describe_error(error: BaseException) -> str:
    r"""Return the first line of an error's message, or its type where it has none.

    Examples
    --------
    >>> describe_error(ValueError("no such thing\nand why"))
    'no such thing'
    """
    return (str(error).splitlines() or [type(error).__name__])[0]


def suggest(name: object, known: Iterable[object]) -> str:
    """Return a hint for a name that is not known: the nearest known names, or a list of them.

    Examples
    --------
    >>> suggest("GAL5", ["GAL4", "ABF1"])
    "did you mean 'GAL4'?"
    """
    known = list(known)
    if isinstance(name, str):
        texts = {str(k): k for k in known}
        near = difflib.get_close_matches(name, texts, n=3, cutoff=0.6)
        if near:
            return f"did you mean {' or '.join(format_value(texts[n]) for n in near)}?"
    if len(known) > 8 and all(isinstance(k, numbers.Integral) for k in known):
        return f"known are the integers from {known[0]} to {known[-1]}"
    if not known:
        return "there is none"
    listed = ", ".join(format_value(k, 40) for k in known[:8])
    return f"known are {listed}" + (f" and {len(known) - 8} more" if len(known) > 8 else "")
