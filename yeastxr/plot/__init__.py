"""Plots of a dataset as holoviews elements, for bokeh and matplotlib, with theory drawn over data.

Data are first reduced, lazily and in one pass, and then drawn, so that large datasets give small plots. Elements have
options for both backends, and the user's current backend does not change.
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
