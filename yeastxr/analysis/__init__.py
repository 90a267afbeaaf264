"""The field's own methods on labelled data: from a Dataset to a labelled Dataset by TF, NumPy or dask.

What needs the truth, ``label``, says so; all else takes measured data as it takes simulated data. Pairs with a NaN in
what a method reads are left out, and counted as ``missing``. A dask-backed dataset gives a dask-backed result, the same
however it is chunked.
"""

from yeastxr.analysis.correlation import correlate
from yeastxr.analysis.curves import curves
from yeastxr.analysis.enrichment import adjust_pvalues, enrichment
from yeastxr.analysis.ranks import rank_response, top_ratio
from yeastxr.analysis.scores import scores
from yeastxr.analysis.targets import describe, targets, top
from yeastxr.analysis.thresholds import dual_threshold

__all__ = [
    "adjust_pvalues",
    "correlate",
    "curves",
    "describe",
    "dual_threshold",
    "enrichment",
    "rank_response",
    "scores",
    "targets",
    "top",
    "top_ratio",
]
