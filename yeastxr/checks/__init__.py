"""Check datasets against the data model and against theory."""

from yeastxr.checks.check import check
from yeastxr.checks.table import Check, CheckTable

__all__ = [
    "Check",
    "CheckTable",
    "check",
]
