"""Statistics of TFs at the points of a sweep, each with what theory expects and with the Python lines that make it."""

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from yeastxr import analysis
from yeastxr._blocks import broadcast_dims
from yeastxr._validate import to_python
from yeastxr.analysis.curves import compute_area
from yeastxr.errors import InputError
from yeastxr.explore.source import Source
from yeastxr.schema import BINDING, FEATURE, GENE, LABEL, MAGNITUDE, PERTURBATION, TF
from yeastxr.simulation.simulate import SimulationSpec
from yeastxr.simulation.sweeps import read_sweep
from yeastxr.theory.features import find_distribution, find_spec
from yeastxr.theory.pairs import classify_tfs

GROUP, BOUND, UNBOUND = "group", "bound", "unbound"
TOP = 25  # genes that are bound most strongly
_MOST_SPECS = 200  # points whose theory is computed
_QUANTILES = 129  # of a distribution, for an area by theory
Rules = Mapping[str, Any]


@dataclass(frozen=True)
class Statistic:
    """A number for each TF, or one each for bound and unbound genes.

    ``compute`` takes a dataset in memory and the rules of response. ``expect`` takes a specification, a TF, those rules
    and whether groups are counted separately, and returns the number of each group. ``code`` makes ``value`` of
    ``part``.
    """

    title: str
    axis: str
    compute: Callable[[xr.Dataset, Rules], xr.DataArray]
    expect: Callable[[SimulationSpec, Hashable, Rules, bool], list[float]] | None
    code: Callable[[Rules, bool, int], list[str]]
    needs_label: bool = False


def _count_top(ds: xr.Dataset) -> int:
    return min(TOP, ds.sizes[GENE])


def _compute_response(name: str) -> Callable[[xr.Dataset, Rules], xr.DataArray]:
    return lambda ds, rules: analysis.top_ratio(ds, _count_top(ds), **rules)[name]


def _write_response(name: str) -> Callable[[Rules, bool, int], list[str]]:
    def write(rules: Rules, labelled: bool, n_genes: int) -> list[str]:
        given = "".join(f", {key}={value!r}" for key, value in rules.items())
        return [f'value = part.yeast.analysis.top_ratio({min(TOP, n_genes)}{given})["{name}"]']

    return write


def _compute_mean(quantity: str) -> Callable[[xr.Dataset, Rules], xr.DataArray]:
    def compute(ds: xr.Dataset, rules: Rules) -> xr.DataArray:
        effect = (abs(ds[PERTURBATION]) if quantity == MAGNITUDE else ds[BINDING]).astype(np.float64)
        if LABEL in ds.data_vars:
            effect = effect.where(ds[LABEL] == xr.DataArray([True, False], coords={GROUP: [BOUND, UNBOUND]}))
        return effect.mean(GENE)

    return compute


def _write_mean(quantity: str) -> Callable[[Rules, bool, int], list[str]]:
    effect = f'abs(part["{PERTURBATION}"])' if quantity == MAGNITUDE else f'part["{BINDING}"]'

    def write(rules: Rules, labelled: bool, n_genes: int) -> list[str]:
        if not labelled:
            return [f'value = {effect}.astype(float).mean("gene")']
        return [
            "import xarray as xr",
            f'is_bound = xr.DataArray([True, False], coords={{"{GROUP}": ["{BOUND}", "{UNBOUND}"]}})',
            f'value = {effect}.astype(float).where(part["label"] == is_bound).mean("gene")',
        ]

    return write


def _expect_mean(quantity: str) -> Callable[[SimulationSpec, Hashable, Rules, bool], list[float]]:
    def expect(spec: SimulationSpec, tf: Hashable, rules: Rules, labelled: bool) -> list[float]:
        groups: list[dict[str, bool]] = [{LABEL: True}, {LABEL: False}] if labelled else [{}]
        found = [find_distribution(spec, quantity, tf=tf, **group) for group in groups]
        return [np.nan if one is None else float(one.mean) for one in found]

    return expect


def _expect_response(spec: SimulationSpec, tf: Hashable, rules: Rules, labelled: bool) -> list[float]:
    magnitude = find_distribution(spec, MAGNITUDE, tf=tf)
    least = np.nextafter(rules.get("least_magnitude", 0.0), -np.inf)
    return [np.nan if magnitude is None else float(magnitude.sf(least))]


def _compute_area(score: str) -> Callable[[xr.Dataset, Rules], xr.DataArray]:
    # The pooled curve, which nobody needs here, is cheaper from counts.
    return lambda ds, rules: analysis.curves(ds, score=score, points=2, pool="histogram")["auroc"]


def _write_area(score: str) -> Callable[[Rules, bool, int], list[str]]:
    line = f'value = part.yeast.analysis.curves(score="{score}", points=2, pool="histogram")["auroc"]'
    return lambda rules, labelled, n_genes: [line]


def _expect_area(score: str) -> Callable[[SimulationSpec, Hashable, Rules, bool], list[float]]:
    def expect(spec: SimulationSpec, tf: Hashable, rules: Rules, labelled: bool) -> list[float]:
        bound, unbound = (find_distribution(spec, score, tf=tf, label=label) for label in (True, False))
        return [np.nan if bound is None or unbound is None else compute_area(bound, unbound, quantiles=_QUANTILES)]

    return expect


STATISTICS: Mapping[str, Statistic] = {
    "responsive": Statistic(
        "Share of responsive genes",
        "share of genes that respond",
        _compute_response("chance"),
        _expect_response,
        _write_response("chance"),
    ),
    "binding": Statistic(
        "Mean binding effect",
        "mean binding effect",
        _compute_mean(BINDING),
        _expect_mean(BINDING),
        _write_mean(BINDING),
    ),
    "perturbation": Statistic(
        "Mean |perturbation effect|",
        "mean |perturbation effect|",
        _compute_mean(MAGNITUDE),
        _expect_mean(MAGNITUDE),
        _write_mean(MAGNITUDE),
    ),
    "rank_response": Statistic(
        f"Rank response at {TOP}",
        f"share of the {TOP} most strongly bound genes that respond",
        _compute_response("ratio"),
        None,
        _write_response("ratio"),
    ),
    "binding_auroc": Statistic(
        "AUROC of binding effects",
        "area under the ROC curve of binding effects",
        _compute_area(BINDING),
        _expect_area(BINDING),
        _write_area(BINDING),
        needs_label=True,
    ),
    "perturbation_auroc": Statistic(
        "AUROC of |perturbation effects|",
        "area under the ROC curve of |perturbation effects|",
        _compute_area(MAGNITUDE),
        _expect_area(MAGNITUDE),
        _write_area(MAGNITUDE),
        needs_label=True,
    ),
}
"""The statistics by their names in a URL."""


def compute_statistic(statistic: Statistic, part: xr.Dataset, rules: Rules) -> xr.DataArray:
    """Return a statistic of a part of a dataset in memory, with all leading dims, gene not among them."""
    return statistic.compute(broadcast_dims(part), rules).rename(None).drop_vars(FEATURE, errors="ignore")


def expect_statistic(
    statistic: Statistic, source: Source, tf: Hashable | None, rules: Rules, report_share: Callable[[float], None]
) -> xr.DataArray | None:
    """Return what theory expects of a statistic for one TF, or on average over TFs (None).

    Dims are those of the sweep, and ``group``. None where it is not known for each point.
    """
    if statistic.expect is None:
        return None
    frame = source.ds.drop_vars(list(source.ds.data_vars))
    tfs = list(map(to_python, source.ds.indexes[TF])) if tf is None else [tf]
    sweep = read_sweep(frame) if find_spec(frame) is None else None
    dims = [] if sweep is None else [dim for dim in source.dims if dim in sweep.labels]
    sizes = [source.ds.sizes[dim] for dim in dims]
    if np.prod(sizes, dtype=int) > _MOST_SPECS:
        return None
    n_points = int(np.prod(sizes, dtype=int))
    table = []
    for number, index in enumerate(np.ndindex(*sizes)):
        spec = find_spec(frame.isel(dict(zip(dims, index, strict=True))))
        if spec is None:
            return None
        by_kind: dict[Any, list[float]] = {}  # TFs of a kind have the same theory
        kinds = classify_tfs(spec)
        try:
            for one in tfs:
                if kinds[one] not in by_kind:
                    by_kind[kinds[one]] = statistic.expect(spec, one, rules, source.has_label)
        except (InputError, KeyError):  # theory does not know it, or not these TFs
            return None
        table.append(pd.DataFrame([by_kind[kinds[one]] for one in tfs]).mean().to_numpy())
        report_share((number + 1) / n_points)
    n_groups = len(table[0])
    coords = {dim: frame.coords[dim].values for dim in dims} | {GROUP: [BOUND, UNBOUND] if n_groups == 2 else [""]}
    values = xr.DataArray(np.reshape(table, (*sizes, n_groups)), dims=(*dims, GROUP), coords=coords)
    return values if n_groups == 2 else values.isel({GROUP: 0}, drop=True)
