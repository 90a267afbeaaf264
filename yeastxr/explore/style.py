"""The style sheet and the scripts of the page, from its assets."""

from functools import cache
from importlib.resources import files


@cache
def read_asset(name: str) -> str:
    """Return the text of a file in ``assets``."""
    return (files("yeastxr.explore") / "assets" / name).read_text(encoding="utf-8")


STYLES = read_asset("parts.css")
