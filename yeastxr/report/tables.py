"""The tables of a report: observed and expected values for groups of pairs and for TFs."""

import json
import math
from collections.abc import Hashable, Iterable, Sequence
from typing import Any

import numpy as np
import xarray as xr

from yeastxr import qc, theory
from yeastxr._validate import to_python
from yeastxr.plot.style import describe_quantity, list_groups, make_axis_label, shorten_name
from yeastxr.schema import (
    BINDING,
    BOUND_FRACTION,
    LABEL,
    MAGNITUDE,
    MEASUREMENT,
    PERTURBATION,
    QUANTITIES,
    STATUSES,
    TF,
    get_units,
    to_text_array,
)
from yeastxr.simulation.simulate import SimulationSpec
from yeastxr.theory.distributions import Distribution
from yeastxr.theory.features import GROUPS, find_distribution, find_spec

GROUP, QUANTITY = "group", "quantity"
_ACTIVE = STATUSES[1]
_MOST_TFS = 20_000
SHOWN_TFS = 200
_MOST_BYTES = 1_900_000  # 20,000 TFs with names such as YPL248C take 1.6 MB


def summarize_groups(ds: xr.Dataset, summary: xr.Dataset) -> xr.Dataset:
    """Return observed and expected moments of each quantity by group of pairs, from a summary in memory.

    Groups are the labels and, with conditions, the statuses of bound pairs (only for |effect|). Without labels, all
    pairs are one group.
    """
    pooled = qc.pool(summary)
    quantities = [name for name in QUANTITIES if name != PERTURBATION]  # its mean is 0, because signs are random
    selections = list_groups(pooled)
    groups = [*selections, *(STATUSES[1:] if "status_mean" in pooled else [])]
    shape = (len(quantities), len(groups))
    counts, missing = np.zeros((2, *shape), np.int64)
    names = ("mean", "std", "expected_mean", "expected_std")
    moments = {name: np.full(shape, np.nan) for name in names}
    for i, quantity in enumerate(quantities):
        for j, group in enumerate(groups):
            if group in selections:
                prefix, cell = "", pooled.sel({QUANTITY: quantity, **selections[group]})
                missing[i, j] = summary["missing"].sel({QUANTITY: quantity, **selections[group]}).sum()
            elif quantity == MAGNITUDE:
                prefix, cell = "status_", pooled.sel(status=group)
                missing[i, j] = summary["status_missing"].sel(status=group).sum()
            else:
                continue
            counts[i, j] = cell[f"{prefix}count"]
            observed = float(cell[f"{prefix}mean"]), float(cell[f"{prefix}variance"]) ** 0.5
            expected = _get_moments(find_distribution(ds, quantity, **GROUPS.get(group, {})))
            for name, number in zip(names, (*observed, *expected), strict=True):
                moments[name][i, j] = number
    return xr.Dataset(
        {
            name: ((QUANTITY, GROUP), values)
            for name, values in {"count": counts, "missing": missing, **moments}.items()
        },
        coords={
            QUANTITY: to_text_array(quantities),
            GROUP: to_text_array(groups),
            "units": (QUANTITY, to_text_array([get_units(ds, quantity) for quantity in quantities])),
        },
    )


def format_groups(table: xr.Dataset) -> list[tuple[str, ...]]:
    """Return the non-empty rows of the table of groups as text: quantity with units, group, pairs, moments."""
    rows = []
    for quantity in table.indexes[QUANTITY]:
        for group in table.indexes[GROUP]:
            cell = table.sel({QUANTITY: quantity, GROUP: group})
            if not cell["count"] and not cell["missing"]:
                continue
            numbers = [float(cell[name]) for name in ("expected_mean", "mean", "expected_std", "std")]
            texts = ("–" if np.isnan(number) else f"{number:.4g}" for number in numbers)
            title = make_axis_label(quantity, str(cell["units"].item()))
            rows.append((title, str(group), f"{int(cell['count']):,}", f"{int(cell['missing']):,}", *texts))
    return rows


def summarize_tfs(ds: xr.Dataset, summary: xr.Dataset) -> xr.Dataset:
    """Return observed and expected numbers of each TF, with titles in ``long_name``, from a summary in memory.

    Bound genes are averaged over leading dimensions. ``deviation`` is the largest deviation of a mean or share in
    standard errors.
    """
    lead = [str(dim) for dim in summary["cells"].dims if dim not in (LABEL, TF)]
    cells = summary["cells"].sum(lead)
    pooled = qc.pool(summary, lead) if lead else summary
    labelled = LABEL in cells.dims
    totals = cells.sum(LABEL) if labelled else cells
    genes, bound = int(summary.attrs["genes"]), cells.sel(label=True).values if labelled else np.zeros(cells.shape)
    datasets = np.maximum(totals.values / genes, 1)
    spec = find_spec(ds) if labelled else None
    theory_spec = spec if spec is not None and ds.indexes[TF].isin(list(spec.tf_labels)).all() else None
    columns: dict[str, tuple[str, Any]] = {}
    if BOUND_FRACTION in ds.coords and ds[BOUND_FRACTION].ndim == 1 and (spec is None or genes == spec.n_genes):
        expected = [round(genes * b) for b in ds[BOUND_FRACTION].values.tolist()]
        columns["bound_expected"] = ("bound genes, expected", expected)
    if labelled:
        columns["bound"] = ("bound genes, observed", bound / datasets)
    deviations = []
    repeats = ds.sizes.get(MEASUREMENT, 1)  # measurements share labels and signs
    chance = np.ones(bound.shape)
    if theory_spec is not None and theory_spec.tf_relationships is not None:
        chance = theory.adjusted_probability(theory_spec).sel({TF: ds.indexes[TF]}).values
    if "status_cells" in summary:
        active = summary["status_cells"].sel(status=_ACTIVE).sum(lead).values
        if theory_spec is not None:
            columns["active_expected"] = (f"share {_ACTIVE}, expected", chance)
            error = np.sqrt(repeats * bound * chance * (1 - chance))
            deviations.append(_compute_deviation(active, bound * chance, error))
        columns["active"] = (f"share {_ACTIVE}, observed", active / np.where(bound, bound, np.nan))
    for quantity in (BINDING, MAGNITUDE):
        name = make_axis_label(quantity, get_units(ds, quantity))
        for group, selection in reversed(list_groups(pooled).items()):
            observed = pooled.sel({QUANTITY: quantity, **selection})
            if theory_spec is not None:
                mean, std = _expect_moments(theory_spec, quantity, group, chance, ds.indexes[TF])
                if group == "bound" and quantity == MAGNITUDE:  # the only mean that depends on the TF
                    columns[f"{quantity}_expected"] = (f"mean {name}, {group}, expected", mean)
                error = std / np.sqrt(np.maximum(observed["count"].values, 1))
                deviations.append(_compute_deviation(observed["mean"].values, mean, error))
            columns[f"{quantity}_{group}"] = (f"mean {name}, {group}", observed["mean"].values)
        known = pooled["count"].sel(quantity=quantity)
        n_missing = totals.values - (known.sum(LABEL) if labelled else known).values
        if n_missing.any():
            columns[f"{quantity}_missing"] = (f"missing {describe_quantity(quantity)[0]}s", n_missing)
    effect = pooled.sel(quantity=PERTURBATION)
    if labelled:
        effect = effect.sum(LABEL)
    count, positive = (effect[name].values for name in ("count", "positive"))
    columns["positive"] = ("share positive", positive / np.where(count, count, np.nan))
    noisy = (
        theory_spec is not None and min(theory_spec.unbound_std, theory_spec.bound_std) > 0
    )  # otherwise 0 is possible
    if theory_spec is not None and noisy and not theory_spec.batch_std:
        tfs = [to_python(tf) for tf in theory_spec.tf_labels]
        fractions = dict(zip(tfs, theory_spec.list_positive_fractions(len(tfs)), strict=True))
        share = np.array([fractions[tf] for tf in ds.indexes[TF].tolist()])
        error = np.sqrt(repeats * count * share * (1 - share))
        deviations.append(_compute_deviation(positive, count * share, error))
    if deviations:
        largest = np.max(np.nan_to_num(deviations, posinf=np.inf), axis=0)
        columns["deviation"] = ("largest deviation, standard errors", largest)
    return xr.Dataset(
        {name: (TF, np.asarray(values, np.float64), {"long_name": title}) for name, (title, values) in columns.items()},
        coords={TF: ds.indexes[TF]},
    )


def _expect_moments(
    spec: SimulationSpec, quantity: str, group: str, chance: np.ndarray, tfs: Iterable[Hashable]
) -> tuple[np.ndarray, np.ndarray]:
    """Return the expected mean and standard deviation for each TF, given the probability that conditions hold."""
    if spec.has_responses and quantity == MAGNITUDE:  # unbound pairs also depend on the TF
        moments = [_get_moments(find_distribution(spec, quantity, tf=tf, **GROUPS[group])) for tf in tfs]
        means, stds = np.array(moments).T
        return means, stds
    weights: Sequence[tuple[str, np.ndarray]] = [(group, np.ones(chance.shape))]
    if group == "bound" and quantity == MAGNITUDE:
        weights = list(zip(STATUSES[1:], (chance, 1 - chance), strict=True))
    mean = square = np.zeros(chance.shape)
    for part, weight in weights:
        part_mean, part_std = _get_moments(find_distribution(spec, quantity, **GROUPS[part]))
        mean = mean + np.where(weight > 0, weight * part_mean, 0)  # ignore impossible statuses, which may be NaN
        square = square + np.where(weight > 0, weight * (part_mean**2 + part_std**2), 0)
    return mean, np.sqrt(np.maximum(square - mean**2, 0))


def _get_moments(distribution: Distribution | None) -> tuple[float, float]:
    """Return the mean and the standard deviation; NaN if there are no pairs."""
    return (np.nan, np.nan) if distribution is None else (distribution.mean, distribution.std)


def _compute_deviation(observed: np.ndarray, expected: np.ndarray, error: np.ndarray) -> np.ndarray:
    """Return deviations in standard errors; infinite for deviations without an error."""
    difference = np.abs(observed - expected)
    tiny = 1e-5 * np.maximum(1, np.abs(expected))  # float32
    return np.where(error > 0, difference / np.where(error > 0, error, 1), np.where(difference > tiny, np.inf, 0.0))


def choose_tfs(table: xr.Dataset, most: int = _MOST_TFS) -> tuple[xr.Dataset, str]:
    """Return a limited number of TFs (the first ones, and those with the largest deviations), and a note."""
    n = table.sizes[TF]
    if n <= most:
        return table, f"{n:,} TFs"
    if "deviation" not in table:
        return table.isel({TF: slice(most)}), f"{n:,} TFs; showing the first {most:,}"
    first = most // 2
    off = first + np.argsort(-table["deviation"].values[first:], kind="stable")[: most - first]
    note = f"{n:,} TFs; showing the first {first:,}, and {most - first:,} others with the largest deviations"
    return table.isel({TF: np.concatenate([np.arange(first), np.sort(off)])}), note


def format_tfs(table: xr.Dataset, most: int = _MOST_TFS) -> dict[str, Any]:
    """Return the table of TFs for a page: the first rows, and all rows as JSON for sorting and filtering."""
    chosen, note = choose_tfs(table, most)
    names = [shorten_name(to_python(tf)) for tf in chosen.indexes[TF]]
    columns = [[_format_number(value) for value in chosen[name].values.tolist()] for name in chosen.data_vars]
    data = json.dumps({"names": names, "columns": [" ".join(column) for column in columns]}, ensure_ascii=False)
    data = data.replace("<", "\\u003c")  # so that the text can't end the script
    if len(data.encode()) > _MOST_BYTES:  # long names
        return format_tfs(table, len(names) // 2)
    rows = list(zip(names[:SHOWN_TFS], *(column[:SHOWN_TFS] for column in columns), strict=True))
    titles = ["TF", *(chosen[name].attrs["long_name"] for name in chosen.data_vars)]
    return {"titles": titles, "rows": rows, "note": note, "data": data, "shown": SHOWN_TFS}


def _format_number(value: float) -> str:
    if math.isnan(value):
        return ""
    if math.isinf(value):
        return "Infinity"  # as scripts read it
    return f"{value:.0f}" if value == round(value) and abs(value) < 1e6 else f"{value:.4g}"
