"""One HTML page that says what a dataset is, whether it is sound, and how it looks."""

from yeastxr.report.report import report

__all__ = [
    "report",
]
