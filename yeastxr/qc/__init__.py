"""Exact counts by label for plots, computed block by block with the memory of one block.

:func:`summarize` counts all features in one pass; :func:`histogram` and :func:`histogram_2d` count one or two features.
A dask-backed dataset gives dask-backed counts; only :func:`largest_effects` computes values.
"""

from yeastxr.qc.bins import BINS, LIMITS, largest_effects, number_of_cells
from yeastxr.qc.summary import histogram, histogram_2d, histogram_of, merge, pool, summarize

__all__ = [
    "BINS",
    "LIMITS",
    "histogram",
    "histogram_2d",
    "histogram_of",
    "largest_effects",
    "merge",
    "number_of_cells",
    "pool",
    "summarize",
]
