"""Pictures of a dataset as holoviews elements, for bokeh and matplotlib alike, with theory drawn over data.

Data are reduced first, lazily and in one pass, and then drawn: a dataset of 10^9 cells costs a picture of its counts.
Options are set for both backends on each element, and the user's current backend stays as it is.
"""

from yeastxr.plot.comparisons import correlation, enrichment, scores
from yeastxr.plot.histograms import (
    binding_histogram,
    compare,
    perturbation_histogram,
    pvalue_histogram,
    quantile_quantile,
    relation_status,
)
from yeastxr.plot.maps import bound_fraction, cobinding, label_map
from yeastxr.plot.methods import dual_threshold, rank_response, roc, volcano
from yeastxr.plot.overview import qc, save
from yeastxr.plot.relations import relations
from yeastxr.plot.scatter import MAX_POINTS, binding_vs_perturbation

__all__ = [
    "MAX_POINTS",
    "binding_histogram",
    "binding_vs_perturbation",
    "bound_fraction",
    "cobinding",
    "compare",
    "correlation",
    "dual_threshold",
    "enrichment",
    "label_map",
    "perturbation_histogram",
    "pvalue_histogram",
    "qc",
    "quantile_quantile",
    "rank_response",
    "relation_status",
    "relations",
    "roc",
    "save",
    "scores",
    "volcano",
]
