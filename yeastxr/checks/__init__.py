"""Compare datasets with the data model and with theory."""

from yeastxr.checks.check import check
from yeastxr.checks.table import Check, CheckTable

__all__ = [
    "Check",
    "CheckTable",
    "check",
]
