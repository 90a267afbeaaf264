"""Datasets in zarr v3 stores: save, open, extend, verify and repair them."""

from yeastxr.storage.store import extend, open, save
from yeastxr.storage.verify import Verification, verify

__all__ = [
    "Verification",
    "extend",
    "open",
    "save",
    "verify",
]
