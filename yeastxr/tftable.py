"""What a page says of each TF: numbers found beside those that were asked for, or that theory expects."""

import html
import json
from typing import Any

import numpy as np
import xarray as xr

from yeastxr import expectations, theory
from yeastxr import qc as summaries
from yeastxr.arguments import plain
from yeastxr.schema import BOUND_FRACTION, TF

MOST_ROWS = 20_000
SHOWN_ROWS = 500

_SIZE = "perturbation_size"


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
        Along ``tf``, float64, each variable with its title in ``long_name``: bound fraction asked and found; share of
        bound pairs whose conditions hold, found and expected; means of effects by label; share of positive effects.

    Examples
    --------
    >>> import yeastxr as yx
    >>> from yeastxr import qc
    >>> ds = yx.simulate(genes=1000, bound=[0.1, 0.3], seed=42)
    >>> tf_table(ds, qc.summarize(ds)).found.values
    array([0.1, 0.3])
    """
    lead = [str(dim) for dim in summary["cells"].dims if dim not in ("label", TF)]
    cells = summary["cells"].sum(lead)
    pooled = summaries.pool(summary, lead) if lead else summary
    columns: dict[str, tuple[str, Any]] = {}
    if BOUND_FRACTION in ds.coords:
        columns["asked"] = ("bound, asked", ds[BOUND_FRACTION].values)
    columns["found"] = ("bound, found", (cells.sel(label=True) / cells.sum("label")).values)
    if "status_cells" in summary:
        held = summary["status_cells"].sel(status="bound, conditions hold").sum(lead)
        bound = cells.sel(label=True)
        columns["hold"] = ("conditions hold, found", (held / bound.where(bound > 0)).values)
        spec = expectations.specification(ds)
        if spec is not None:
            chances = theory.adjusted_probability(spec)
            columns["hold_expected"] = ("conditions hold, expected", chances.reindex({TF: ds.indexes[TF]}).values)
    for quantity, word in (("binding_effect", "binding"), (_SIZE, "|perturbation|")):
        for label, group in ((True, "bound"), (False, "unbound")):
            mean = pooled["mean"].sel(quantity=quantity, label=label).values
            columns[f"{quantity}_{group}"] = (f"mean {word}, {group}", mean)
    effect = pooled.sel(quantity="perturbation_effect")
    count = effect["count"].sum("label")
    columns["positive"] = ("share positive", (effect["positive"].sum("label") / count.where(count > 0)).values)
    return xr.Dataset(
        {name: (TF, np.asarray(values, np.float64), {"long_name": title}) for name, (title, values) in columns.items()},
        coords={TF: ds.indexes[TF]},
    )


def as_html(table: xr.Dataset) -> str:
    """Return a table of TFs as HTML: rows that a browser sorts and filters, more rows than are shown as data."""
    names = [str(plain(tf)) for tf in table.indexes[TF][:MOST_ROWS]]
    values = np.stack([table[name].values[:MOST_ROWS] for name in table.data_vars], axis=1)
    rows = [
        [name, *(f"{value:.4g}" if np.isfinite(value) else "" for value in row)]
        for name, row in zip(names, values, strict=True)
    ]
    titles = ["TF", *(table[name].attrs["long_name"] for name in table.data_vars)]
    head = "".join(
        f'<th scope="col" aria-sort="none"><button type="button">{html.escape(title)}</button></th>' for title in titles
    )
    body = "".join(
        "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>" for row in rows[:SHOWN_ROWS]
    )
    data = json.dumps(rows, ensure_ascii=False).replace("<", "\\u003c") if len(rows) > SHOWN_ROWS else "null"
    said = f"{table.sizes[TF]:,} TFs" + (
        f", the first {MOST_ROWS:,} of them here" if table.sizes[TF] > MOST_ROWS else ""
    )
    return f"""\
<div class="tools"><label>Filter by name <input type="search" id="tf-filter"></label>
<span id="tf-count" role="status">{said}</span></div>
<div class="wide"><table id="tf-table" class="numbers" data-most="{SHOWN_ROWS}"><thead><tr>{head}</tr></thead>
<tbody>{body}</tbody></table></div>
<script type="application/json" id="tf-data">{data}</script>"""
