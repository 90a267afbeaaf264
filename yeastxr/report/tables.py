"""What a page says of each TF: numbers found beside those that were asked for, or that theory expects."""

import html
import json
from typing import Any

import numpy as np
import xarray as xr

from yeastxr import qc as summaries
from yeastxr import theory
from yeastxr._validate import to_python
from yeastxr.plot.style import (
    shorten_name,
)
from yeastxr.schema import (
    BOUND_FRACTION,
    FEATURE_BY_NAME,
    MAGNITUDE,
    PERTURBATION,
    QUANTITIES,
    STATUSES,
    TF,
    to_text_array,
)
from yeastxr.simulation.simulate import SimulationSpec
from yeastxr.theory.features import GROUPS, find_distribution, find_spec

MOST_ROWS = 20_000
SHOWN_ROWS = 200
_MOST_BYTES = 1_900_000  # 20,000 TFs with names such as YPL248C take 1.6 MB
_EFFECTS = (("binding_effect", "binding effect"), (MAGNITUDE, "|perturbation effect|"))
_GROUPS = ((True, "bound"), (False, "unbound"))


def tf_table(ds: xr.Dataset, summary: xr.Dataset) -> xr.Dataset:
    """Return numbers for each TF, from a summary that has been computed.

    Parameters
    ----------
    ds
        The dataset, for its specification and coordinates.
    summary
        What :func:`yeastxr.qc.summarize` returned.

    Returns
    -------
    xarray.Dataset
        Along ``tf``, float64, each variable with its title in ``long_name``: how many genes should be bound and are
        (with replicates, or other dims in front, on average); the share of bound pairs whose conditions hold, expected
        and found; means of effects by label, with what is expected of the size of perturbation effects of bound pairs,
        which depends on the TF; the share of positive effects; and ``deviation``, by how many standard errors that one
        of the means and shares is off that is off most.

    Examples
    --------
    >>> import yeastxr as yx
    >>> from yeastxr import qc
    >>> ds = yx.simulate(genes=1000, bound=[0.1, 0.3], seed=42)
    >>> tf_table(ds, qc.summarize(ds)).bound.values
    array([100., 300.])
    """
    lead = [str(dim) for dim in summary["cells"].dims if dim not in ("label", TF)]
    cells = summary["cells"].sum(lead)
    pooled = summaries.pool(summary, lead) if lead else summary
    genes, bound = int(summary.attrs["genes"]), cells.sel(label=True).values
    times = np.maximum(cells.sum("label").values / genes, 1)
    spec = find_spec(ds)
    known = spec is not None and ds.indexes[TF].isin(list(spec.tf_labels)).all()
    columns: dict[str, tuple[str, Any]] = {}
    if BOUND_FRACTION in ds.coords and (spec is None or genes == spec.n_genes):
        columns["bound_asked"] = ("bound genes, asked", [round(genes * b) for b in ds[BOUND_FRACTION].values])
    columns["bound"] = ("bound genes, found", bound / times)
    deviations = []
    chance = np.ones(bound.shape)
    if known and spec is not None and spec.tf_relationships is not None:
        chance = theory.adjusted_probability(spec).sel({TF: ds.indexes[TF]}).values
    if "status_cells" in summary:
        held = summary["status_cells"].sel(status="bound_active").sum(lead).values
        if known:
            columns["hold_expected"] = ("conditions hold, expected", chance)
            deviations.append(_off(held, bound * chance, np.sqrt(bound * chance * (1 - chance))))
        columns["hold"] = ("conditions hold, found", held / np.where(bound, bound, np.nan))
    for quantity, word in _EFFECTS:
        for label, group in _GROUPS:
            found = pooled.sel(quantity=quantity, label=label)
            if known and spec is not None:
                mean, std = _expected(spec, quantity, label, chance)
                if label and quantity == MAGNITUDE:
                    columns[f"{quantity}_expected"] = (f"mean {word}, bound, expected", mean)
                count = found["count"].values
                deviations.append(_off(found["mean"].values, mean, std / np.sqrt(np.maximum(count, 1))))
            columns[f"{quantity}_{group}"] = (f"mean {word}, {group}", found["mean"].values)
    effect = pooled.sel(quantity="perturbation_effect")
    count, positive = (effect[name].sum("label").values for name in ("count", "positive"))
    columns["positive"] = ("share positive", positive / np.where(count, count, np.nan))
    if known and spec is not None and min(spec.unbound_std, spec.bound_std) > 0:  # without noise effects may be 0
        deviations.append(_off(positive, count / 2, np.sqrt(count) / 2))
    if deviations:
        columns["deviation"] = (
            "largest deviation, standard errors",
            np.max(np.nan_to_num(deviations, posinf=np.inf), axis=0),
        )
    return xr.Dataset(
        {name: (TF, np.asarray(values, np.float64), {"long_name": title}) for name, (title, values) in columns.items()},
        coords={TF: ds.indexes[TF]},
    )


def chosen(table: xr.Dataset, most: int = MOST_ROWS) -> tuple[xr.Dataset, str]:
    """Return so many TFs of a table, and words that say which: of too many the first, and those that are off most."""
    n = table.sizes[TF]
    if n <= most:
        return table, f"{n:,} TFs"
    if "deviation" not in table:
        return table.isel({TF: slice(most)}), f"{n:,} TFs, the first {most:,} of them here"
    first = most // 2
    off = first + np.argsort(-table["deviation"].values[first:], kind="stable")[: most - first]
    words = f"{n:,} TFs; here the first {first:,} and, of the others, the {most - first:,} that deviate most"
    return table.isel({TF: np.concatenate([np.arange(first), np.sort(off)])}), words


def as_html(table: xr.Dataset, most: int = MOST_ROWS) -> str:
    """Return a table of TFs as HTML: the first rows, and as data all that a browser sorts and filters."""
    some, words = chosen(table, most)
    names = [shorten_name(to_python(tf)) for tf in some.indexes[TF]]
    columns = [[_text(value) for value in some[name].values] for name in some.data_vars]
    data = json.dumps({"names": names, "columns": [" ".join(column) for column in columns]}, ensure_ascii=False)
    data = data.replace("<", "\\u003c")  # nothing in it can end the script
    if len(data.encode()) > _MOST_BYTES:  # long names
        return as_html(table, len(names) // 2)
    titles = ["TF", *(some[name].attrs["long_name"] for name in some.data_vars)]
    head = "".join(
        f'<th scope="col" aria-sort="none"><button type="button">{html.escape(title)}</button></th>' for title in titles
    )
    body = "".join(
        f'<tr><th scope="row">{html.escape(name)}</th>' + "".join(f"<td>{value}</td>" for value in line) + "</tr>"
        for name, *line in zip(names[:SHOWN_ROWS], *(column[:SHOWN_ROWS] for column in columns), strict=True)
    )
    return f"""\
<div class="tools"><label>Filter by name <input type="search" id="tf-filter"></label>
<span id="tf-count" role="status">{words}</span></div>
<div class="wide" tabindex="0"><table id="tf-table" class="numbers" data-most="{SHOWN_ROWS}">
<thead><tr>{head}</tr></thead>
<tbody>{body}</tbody></table></div>
<script type="application/json" id="tf-data">{data}</script>"""


def _expected(spec: SimulationSpec, quantity: str, label: bool, chance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean and the standard deviation that theory has for each TF, given the chance that conditions hold."""
    if quantity != MAGNITUDE or not label:
        mean, std = _moments(spec, quantity, label=label)
        return np.full(chance.shape, mean), np.full(chance.shape, std)
    hold, hold_std = _moments(spec, quantity, label=True, adjusted=True)
    fail, fail_std = _moments(spec, quantity, label=True, adjusted=False)
    means = _mixed(chance, hold, fail)
    squares = _mixed(chance, hold**2 + hold_std**2, fail**2 + fail_std**2)
    return means, np.sqrt(np.maximum(squares - means**2, 0))


def _moments(data: xr.Dataset | SimulationSpec, quantity: str, **group: bool) -> tuple[float, float]:
    """Return the mean and the standard deviation of all pairs of a group, the same for every TF; NaN without any."""
    distribution = find_distribution(data, quantity, **group)
    return (np.nan, np.nan) if distribution is None else (distribution.mean, distribution.std)


def _mixed(chance: np.ndarray, first: float, second: float) -> np.ndarray:
    """Return the mean of two numbers by their chances; what has no chance does not count, NaN or not."""
    return np.where(chance > 0, chance * first, 0.0) + np.where(chance < 1, (1 - chance) * second, 0.0)


def _off(found: np.ndarray, expected: np.ndarray, error: np.ndarray) -> np.ndarray:
    """Return by how many standard errors numbers are off; infinitely many, where they have no error and are."""
    difference = np.abs(found - expected)
    tiny = 1e-5 * np.maximum(1, np.abs(expected))  # float32
    return np.where(error > 0, difference / np.where(error > 0, error, 1), np.where(difference > tiny, np.inf, 0.0))


def _text(value: float) -> str:
    if np.isnan(value):
        return ""
    if np.isinf(value):
        return "Infinity"  # as scripts read it
    return f"{value:.0f}" if value == round(value) and abs(value) < 1e6 else f"{value:.4g}"


GROUP, QUANTITY = "group", "quantity"


def group_table(ds: xr.Dataset, summary: xr.Dataset) -> xr.Dataset:
    """Return means and standard deviations by group, from a summary that has been computed.

    Parameters
    ----------
    ds
        The dataset, for its TFs and its specification.
    summary
        What :func:`yeastxr.qc.summarize` returned.

    Returns
    -------
    xarray.Dataset
        Dims ``(quantity, group)``: ``count``, int64, how many finite values there are; ``mean``, ``std``,
        ``expected_mean`` and ``expected_std``, float64, NaN where there is no value, or theory knows none. Groups are
        ``unbound`` and ``bound``, and the bound ones by whether their conditions hold, where there are conditions; of
        these only the size of the perturbation effect is summarised.

    Examples
    --------
    >>> import yeastxr as yx
    >>> from yeastxr import qc
    >>> ds = yx.simulate(genes=1000, bound=[0.1, 0.3], seed=42)
    >>> table = group_table(ds, qc.summarize(ds)).sel(quantity="perturbation_magnitude", group="bound")
    >>> round(float(table["mean"]), 2), round(float(table.expected_mean), 4)
    (3.04, 3.0008)
    """
    pooled = summaries.pool(summary)
    names = [name for name in QUANTITIES if name != PERTURBATION]  # its mean is 0: the sign is a coin
    groups = ["unbound", "bound", *(STATUSES[1:] if "status_mean" in pooled else [])]
    count = np.zeros((len(names), len(groups)), np.int64)
    numbers = np.full((4, *count.shape), np.nan)
    for i, name in enumerate(names):
        for j, group in enumerate(groups):
            asked = GROUPS[group]
            if group in STATUSES[1:]:
                if name != MAGNITUDE:
                    continue
                found = {key: pooled[f"status_{key}"].sel(status=group) for key in ("count", "mean", "variance")}
            else:
                found = {
                    key: pooled[key].sel(quantity=name, label=asked["label"]) for key in ("count", "mean", "variance")
                }
            count[i, j] = found["count"]
            expected = _moments(ds, name, **asked)
            numbers[:, i, j] = found["mean"], np.sqrt(found["variance"]), *expected
    values = {"count": count, **dict(zip(("mean", "std", "expected_mean", "expected_std"), numbers, strict=True))}
    return xr.Dataset(
        {name: ((QUANTITY, GROUP), value) for name, value in values.items()},
        coords={QUANTITY: to_text_array(names), GROUP: to_text_array(groups)},
    )


def as_texts(table: xr.Dataset) -> list[tuple[str, ...]]:
    """Return the rows of the table as texts: quantity, group, pairs, means and standard deviations; no empty ones."""
    found = []
    for name in table.indexes[QUANTITY]:
        for group in table.indexes[GROUP]:
            one = table.sel({QUANTITY: name, GROUP: group})
            if not one["count"]:
                continue
            numbers = [float(one[key]) for key in ("expected_mean", "mean", "expected_std", "std")]
            texts = ("–" if np.isnan(number) else f"{number:.4g}" for number in numbers)
            found.append((_title(str(name)), str(group), f"{int(one['count']):,}", *texts))
    return found


def _title(quantity: str) -> str:
    if quantity == MAGNITUDE:
        return f"|{FEATURE_BY_NAME[PERTURBATION].long_name}|"
    return FEATURE_BY_NAME[quantity].long_name
