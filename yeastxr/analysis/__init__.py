"""Standard analysis methods, which convert a Dataset to a labelled Dataset by TF, for NumPy and dask.

Methods that need the truth, ``label``, raise an error without it; all others work with measured and simulated data.
Pairs with NaN in the variables that a method reads are omitted, and counted as ``missing``. A dask-backed dataset gives
a dask-backed result, which does not depend on chunks.
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
