"""All exceptions of the package, and the formatting of values in messages."""

import difflib
import numbers
import re
from collections.abc import Iterable

import numpy as np

_CONTROLS = re.compile(
    r"[\x00-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufeff"
    r"\uffa0\ufff9-\ufffb\ud800-\udfff\U000e0000-\U000e0fff]"
)


class InputError(ValueError):
    """An argument, a dataset or a file is invalid."""


class InputTypeError(InputError, TypeError):
    """An argument has the wrong type."""


class SchemaError(InputError):
    """A dataset or an array does not follow the data model."""


class StoreError(InputError):
    """A store is invalid, incomplete or damaged."""


class StoreExistsError(StoreError, FileExistsError):
    """The path of a new store already exists."""


class StoreNotFoundError(StoreError, FileNotFoundError):
    """No store exists at a path."""


class TableWarning(UserWarning):
    """Some rows or labels of a table were dropped, combined or changed."""


def format_value(value: object, limit: int = 80) -> str:
    """Format a value for an error message, in one line, shortened if it is long.

    Examples
    --------
    >>> format_value([1, 2])
    '[1, 2]'
    """
    return shorten(re.sub(r"\s*\n\s*", " ", _represent(value, limit)), limit)


_BRACKETS: dict[type, str] = {list: "[]", tuple: "()", dict: "{}"}


def _represent(value: object, room: int) -> str:
    """Return the repr of a value; nested lists and dicts are cut soon after ``room`` characters."""
    brackets = _BRACKETS.get(type(value))
    if brackets is None or not value:
        try:
            return repr(value.item() if isinstance(value, np.generic) else value)
        except Exception:
            if isinstance(value, int):  # Python converts at most 4,300 digits
                return f"an integer of about {value.bit_length() * 0.30103:,.0f} digits"
            return f"an object of type {type(value).__name__}"
    text = brackets[0]
    for item in value:  # type: ignore[attr-defined]
        if len(text) > room:
            return text
        text += ", " if len(text) > 1 else ""
        text += _represent(item, room - len(text))
        if isinstance(value, dict):
            text += f": {_represent(value[item], room - len(text))}"
    return text + (",)" if isinstance(value, tuple) and len(value) == 1 else brackets[1])


def escape_controls(text: str) -> str:
    r"""Escape invisible, control and bidirectional characters, such as ``\u202e``.

    Names may contain them, and they could change what a terminal, a spreadsheet or a page shows.
    """
    return _CONTROLS.sub(lambda match: ascii(match[0])[1:-1], text)


def shorten(text: str, limit: int) -> str:
    """Shorten a text to at most ``limit`` characters, with an ellipsis at the end.

    Examples
    --------
    >>> shorten("transcription", 6)
    'trans…'
    """
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def describe_error(error: BaseException) -> str:
    r"""Return the first line of an error's message, or its type if the message is empty.

    Examples
    --------
    >>> describe_error(ValueError("no such thing\nand why"))
    'no such thing'
    """
    return shorten((str(error).splitlines() or [type(error).__name__])[0], 300)


def suggest(name: object, known: Iterable[object]) -> str:
    """Return a hint for an unknown name: the most similar valid names, or a list of valid names.

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
        return f"expected an integer from {known[0]} to {known[-1]}"
    if not known:
        return "there are none"
    listed = ", ".join(format_value(k, 40) for k in known[:8])
    return f"expected one of {listed}" + (f" and {len(known) - 8} more" if len(known) > 8 else "")
