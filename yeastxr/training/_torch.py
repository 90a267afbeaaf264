"""torch, imported when one of its attributes is first used, as the import takes seconds and most uses need none."""

from typing import Any


def __getattr__(name: str) -> Any:
    import torch

    return getattr(torch, name)
