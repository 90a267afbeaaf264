"""Measured data: tables of binding and of perturbation, as a labelled dataset."""

from yeastxr.tables.read import from_tables

__all__ = [
    "from_tables",
]
