"""Look at a dataset in a browser or a notebook: choose TFs and genes, select pairs, and simulate again."""

from typing import TYPE_CHECKING, Any

from yeastxr.explore.serve import explore, serve

if TYPE_CHECKING:
    from yeastxr.explore.page import Explorer

__all__ = ["Explorer", "explore", "serve"]


def __getattr__(name: str) -> Any:
    if name == "Explorer":  # it loads panel
        from yeastxr.explore.page import Explorer

        return Explorer
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*globals(), *__all__]
