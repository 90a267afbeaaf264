"""A report of a dataset as one HTML page, with its specification, checks and plots."""

from yeastxr.report.report import report

__all__ = [
    "report",
]
