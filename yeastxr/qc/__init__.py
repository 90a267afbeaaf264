"""Counts by label for plots, exact and block by block, so that 10^9 cells cost no more memory than one block.

:func:`summarize` counts all features in one pass; :func:`histogram` and :func:`histogram_2d` one feature or two.
A dask-backed dataset gives dask-backed counts; :func:`largest_effects` is the only function that computes anything.
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
