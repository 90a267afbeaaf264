"""Export to files for other programs: tables, ranked lists, tensors, arrays, netCDF and AnnData."""

from yeastxr.export.anndata import to_anndata
from yeastxr.export.export import export
from yeastxr.export.tables import to_dataframe

__all__ = [
    "export",
    "to_anndata",
    "to_dataframe",
]
