"""Files that are there whole or not at all: written beside their place, and moved there at the end."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a place to write to, and put what is written there in the place of a file; nothing, after an error.

    The name ends as the file's does, for what goes by that, such as compression.
    """
    partial = path.with_name(f".{secrets.token_hex(4)}.partial.{path.name}")
    try:
        yield partial
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
