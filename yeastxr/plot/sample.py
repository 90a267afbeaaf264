"""Plots of analysis methods that an overview can draw without reading a dataset again.

ROC curves come from the counts of a summary, and rank response from the columns of some TFs, which are copied while
blocks are read for another purpose.
"""

from collections.abc import Hashable, Mapping, Sequence
from threading import Lock
from typing import Any

import numpy as np
import xarray as xr

from yeastxr import analysis, qc
from yeastxr._blocks import broadcast_dims
from yeastxr.analysis.curves import expect_roc
from yeastxr.plot.maps import space_evenly
from yeastxr.plot.methods import draw_responses
from yeastxr.plot.style import GREY, SERIES, draw_line, draw_overlay, load_holoviews
from yeastxr.qc.bins import X_BIN, Y_BIN
from yeastxr.schema import BINDING, GENE, LABEL, MAGNITUDE, MEASURES, PERTURBATION, TF, get_feature, restore_dims
from yeastxr.simulation.sweeps import read_sweep
from yeastxr.theory.features import find_spec

_MOST_TFS = 64
_MOST_PAIRS = 2_000_000
_QUANTILES = 65  # points of a theoretical curve
_LEAST_MAGNITUDE = 2.0  # in noise s.d.; 4.6 % of unbound pairs exceed it
_LARGE_SHARE = 0.05  # share of measured effects without p-values
_SCORES = {BINDING: "binding", MAGNITUDE: "perturbation"}  # characters that fit on a phone


def select_sample(ds: xr.Dataset) -> xr.Dataset:
    """Return the measures of up to 64 evenly spaced TFs, the first along leading dims; lazy for dask."""
    ds = broadcast_dims(restore_dims(ds))
    first = dict.fromkeys((dim for dim in get_feature(ds, BINDING).dims if dim not in (GENE, TF)), 0)
    most = int(np.clip(_MOST_PAIRS // ds.sizes[GENE], 1, _MOST_TFS))
    return ds[list(MEASURES)].isel(first | {TF: space_evenly(ds.sizes[TF], most)})


class SampleBlocks:
    """The result of :func:`select_sample` for a dataset, from blocks that another function reads."""

    def __init__(self, ds: xr.Dataset) -> None:
        self._ds = broadcast_dims(restore_dims(ds))
        self._sample = select_sample(self._ds)
        self._tfs = space_evenly(self._ds.sizes[TF], self._sample.sizes[TF])
        self._values: dict[int, list[np.ndarray]] = {}
        self._lock = Lock()

    def add(self, positions: Mapping[Hashable, int], region: Sequence[slice], values: Mapping[str, np.ndarray]) -> None:
        """Copy columns of a block ``(..., gene, tf)`` with all genes; arguments are as for blocks of a summary."""
        *lead, genes, tfs = region
        if any(positions.values()) or any(part.start for part in lead) or genes != slice(0, self._ds.sizes[GENE]):
            return
        chosen = self._tfs[(self._tfs >= tfs.start) & (self._tfs < tfs.stop)]
        first = (0,) * len(lead)
        columns = {int(tf): [values[name][first][:, tf - tfs.start].copy() for name in MEASURES] for tf in chosen}
        with self._lock:
            self._values |= columns

    def finish(self) -> xr.Dataset:
        """Return the sample in memory, reading missing columns."""
        if len(self._values) < self._tfs.size:
            return self._sample.compute()
        columns = [self._values[int(tf)] for tf in self._tfs]
        sample = self._sample.transpose(GENE, TF)
        data = {name: np.stack([own[i] for own in columns], axis=1) for i, name in enumerate(MEASURES)}
        return sample.assign({name: sample[name].copy(data=values) for name, values in data.items()})


def draw_sample(ds: xr.Dataset, subtitle: str, sample: xr.Dataset) -> Any:
    """Draw the rank response of some TFs of a dataset.

    In a simulation, whose p-values carry little information, effects rank genes and define responses. In measured data,
    p-values do so if available.
    """
    rules, note = choose_rules(ds, sample)
    result = analysis.rank_response(sample, most=150, **rules)
    notes = [subtitle, *(f"{dim} {sample[dim].item()}" for dim in _list_lead(sample))]
    if sample.sizes[TF] < ds.sizes[TF]:
        notes.append(f"{sample.sizes[TF]:,} of {ds.sizes[TF]:,} TFs")
    return draw_responses(result.compute(), ", ".join(filter(None, notes)), note)


def choose_rules(ds: xr.Dataset, sample: xr.Dataset) -> tuple[dict[str, Any], str]:
    """Return what ranks genes and which of them respond, as :func:`analysis.rank_response` takes it, and a note."""
    simulated = find_spec(ds) is not None or read_sweep(ds) is not None
    rules: dict[str, Any] = {}
    note = "p ≤ 0.05"
    if simulated or not sample["binding_pvalue"].notnull().any():
        rules["by"] = BINDING
    if simulated or not sample["perturbation_pvalue"].notnull().any():
        magnitude = _LEAST_MAGNITUDE if simulated else _find_large_magnitude(sample)
        rules |= {"largest_pvalue": 1.0, "least_magnitude": magnitude}
        note = f"|effect| ≥ {magnitude:.3g}"
    return rules, note


def _find_large_magnitude(sample: xr.Dataset) -> float:
    """Return the smallest |effect| among the largest ones of measured data, in any units."""
    magnitudes = abs(sample[PERTURBATION].values)
    magnitudes = magnitudes[np.isfinite(magnitudes)]
    return float(np.quantile(magnitudes, 1 - _LARGE_SHARE)) if magnitudes.size else 0.0


def _list_lead(sample: xr.Dataset) -> list[Hashable]:
    """Return the leading dimensions of which a sample has the first entry."""
    return [name for name, coord in sample.coords.items() if coord.ndim == 0]


def draw_curves(ds: xr.Dataset, subtitle: str, summary: xr.Dataset) -> Any | None:
    """Draw ROC curves of both effects for all pairs, from a summary; None without bound or unbound pairs.

    Curves are exact at the edges of bins, and linear between them.
    """
    if LABEL not in summary.dims:
        return None
    hv = load_holoviews()
    dims = [hv.Dimension("fpr", label="false positive rate"), hv.Dimension("tpr", label="true positive rate")]
    layers, lines = [], []
    for colour, (score, name) in zip(SERIES, _SCORES.items(), strict=False):
        rates = _count_rates(summary, score)
        if rates is None:
            continue
        area = np.trapezoid(rates[1], rates[0])
        layers.append(draw_line(rates, dims, f"{name}: {area:.2f}", colour, widths=(2, 1.6), hover=True))
        expected = expect_roc(ds, score, quantiles=_QUANTILES)
        if expected is not None:
            lines.append(draw_line(expected, dims, f"{name}, theory", "#000000", dashed=True, show_legend=False))
    if not layers:
        return None
    layers += [*lines, draw_line(([0, 1], [0, 1]), dims, "chance", GREY, dashed=True)]
    xlabel = f"{dims[0].label}\n{'dashed: theory; ' if lines else ''}numbers: area, from counts in bins"
    limits = {"xlim": (0, 1), "ylim": (0, 1)}
    return draw_overlay(layers, "Effects as scores of binding", subtitle, xlabel, dims[1].label, limits)


def _count_rates(summary: xr.Dataset, score: str) -> tuple[np.ndarray, np.ndarray] | None:
    """Return the shares of unbound and of bound pairs at or above the edges of bins, from 0 to 1.

    Binding effects beyond the histogram's limit are in the bins of pairs, if no pair lacks the other effect.
    """
    counts = qc.histogram_of(summary, score)
    counts = counts.sum([dim for dim in counts["above"].dims if dim != LABEL])
    cells, above, below = (counts[name].transpose(LABEL, ...).values for name in ("cells", "above", "below"))
    called = above[:, None] + np.cumsum(cells[:, ::-1], axis=1)
    if score == BINDING:
        outer = _count_beyond(summary, float(counts["right"].values[-1]))
        called = np.concatenate([outer, above[:, None], called], axis=1)
    called = np.concatenate([np.zeros((2, 1), int), called, called[:, -1:] + below[:, None]], axis=1)
    total = called[:, -1]
    return None if not total.all() else (called[0] / total[0], called[1] / total[1])


def _count_beyond(summary: xr.Dataset, end: float) -> np.ndarray:
    """Return the number of pairs of each label with binding effects at or above the edges of bins beyond a limit."""
    names = [name for name in summary["pairs_outside"].dims if name != LABEL]
    if int(summary["pairs_outside"].sum()) or int(summary["pairs_missing"].sum()):
        return np.zeros((2, 0), int)
    cells = summary["pairs"].sum([*names, Y_BIN]).transpose(LABEL, X_BIN).values
    starts = summary["x_left"].values
    return np.cumsum(cells[:, ::-1], axis=1)[:, starts[::-1] > end]
