"""Convert tables of measured binding and perturbation data to a labelled dataset."""

from yeastxr.tables.read import from_tables

__all__ = [
    "from_tables",
]
