"""One page that says what a dataset is, whether it is sound, and how it looks; it needs no network and no server."""

import html
import secrets
from pathlib import Path
from typing import Any

import xarray as xr

from yeastxr import plot, provenance
from yeastxr import qc as summaries
from yeastxr.arguments import InputError, InputTypeError, shown
from yeastxr.checks import check
from yeastxr.checktable import CheckTable
from yeastxr.elements import holoviews
from yeastxr.expectations import specification
from yeastxr.page import copied, page
from yeastxr.schema import CORE_DIMS, GENE, TF, validate
from yeastxr.simulate import SPECIFICATION, SimulationSpec
from yeastxr.tftable import as_html, tf_table

TITLE = "Quality report of a yeastxr dataset"

_PROVENANCE = {"seed": "Seed", "law_version": "Version of the law of draws", "yeastxr_version": "Made by yeastxr"}
_LONGEST = 1_000_000  # characters of a specification that a page shows


def report(ds: xr.Dataset, path: str | Path, *, checks: Any = None, title: str = TITLE) -> Path:
    """Write a page with a dataset's specification, its checks, pictures and a table of TFs, in one HTML file.

    The page needs no network: it says how to make the dataset again, with which seed, whether it follows theory, and
    how it looks. Its size does not depend on the dataset's: some 2.5 MB, most of it what draws the pictures.

    Parameters
    ----------
    ds
        A yeastxr dataset, dims ``(..., gene, tf)``, NumPy or dask; it is read twice, block by block: for the checks,
        and for the summary that all else is drawn from.
    path
        The file to write; one that is there is replaced, once the new page is complete.
    checks
        The outcome of :func:`yeastxr.check`, or any other object that shows itself as HTML; made by default. False
        leaves them out.
    title
        The page's title.

    Returns
    -------
    pathlib.Path
        The path.

    Raises
    ------
    InputError
        If the path is a folder or in none, checks can't show themselves, or the dataset does not follow the data model.

    Examples
    --------
    >>> import tempfile
    >>> import yeastxr as yx
    >>> ds = yx.simulate(genes=100, bound=[0.1, 0.3], seed=42)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     page = yx.report(ds, f"{folder}/qc.html")
    ...     page.name, " checks passed" in page.read_text(encoding="utf-8")
    ('qc.html', True)
    """
    path = Path(path)
    if path.is_dir() or not path.parent.is_dir():
        raise InputError(f"path is {shown(str(path))}; expected a file in a folder that exists")
    if checks not in (None, False) and not callable(getattr(checks, "_repr_html_", None)):
        raise InputTypeError(f"checks is of type {type(checks).__name__}; expected the outcome of yeastxr.check")
    validate(ds)
    spec = specification(ds)
    if checks is None:
        checks = check(ds if spec is not None else ds.drop_attrs(deep=False))
    summary = summaries.summarize(ds).compute()
    sections = [_facts(ds), _again(ds, spec)]
    if checks is not False:
        sections = [_verdict(checks), *sections]
        sections.append(f'<section><h2>Checks</h2><div class="wide">{checks._repr_html_()}</div></section>')
    table = f"<section><h2>TFs</h2>{as_html(tf_table(ds, summary))}</section>"
    text = page(str(title), sections, _figures(plot.qc(ds, summary=summary)), table + _details(ds))
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.partial")
    try:
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    return path


def _verdict(checks: Any) -> str:
    """Say in one line whether checks passed, and which failed."""
    if not isinstance(checks, CheckTable):
        return ""
    done = sum(row.passed is not None for row in checks.rows)
    if checks.passed:
        return f'<p class="verdict passed">All {done} checks passed.</p>'
    failed = "; ".join(checks.failed)
    return f'<p class="verdict failed">{len(checks.failed)} of {done} checks failed: {html.escape(failed)}.</p>'


def _facts(ds: xr.Dataset) -> str:
    """Return a list of sizes and of where the dataset comes from."""
    label = ds["label"]
    rows = {"Genes": f"{label.sizes[GENE]:,}", "TFs": f"{label.sizes[TF]:,}"}
    rows |= {str(dim).capitalize(): f"{size:,}" for dim, size in label.sizes.items() if dim not in CORE_DIMS}
    rows["Cells"] = f"{label.size:,}"
    rows |= {word: str(ds.attrs[name]) for name, word in _PROVENANCE.items() if name in ds.attrs}
    body = "".join(
        f"<div><dt>{html.escape(word)}</dt><dd>{html.escape(value)}</dd></div>" for word, value in rows.items()
    )
    return f'<section><h2>Dataset</h2><dl class="facts">{body}</dl></section>'


def _again(ds: xr.Dataset, spec: SimulationSpec | None) -> str:
    """Say what made the dataset, and how to make it again."""
    if spec is None:
        text = ds.attrs.get(SPECIFICATION)
        unread = "" if text is None else f"<p>The specification can't be read:</p><pre>{html.escape(str(text))}</pre>"
        return (
            f"<section><h2>Make it again</h2><p>No specification: not one simulation's dataset.</p>{unread}</section>"
        )
    line, file = provenance.command(spec)
    parts = [copied(line, "command")]
    if file is not None and len(file) > _LONGEST:
        parts.append(f"<p>{provenance.SPEC_FILE} is long: <code>yeastxr info --spec STORE</code> prints it.</p>")
    elif file is not None:
        parts.append(f"<h3>{provenance.SPEC_FILE}</h3>{copied(file, provenance.SPEC_FILE)}")
    if file is not None or len(spec.to_json()) <= _LONGEST:
        parts.append(f"<h3>In Python</h3>{copied(provenance.in_python(spec), 'Python code')}")
    rows = "".join(
        f"<tr><td>{html.escape(name)}</td><td>{html.escape(value)}</td></tr>"
        for name, value in provenance.parameters(spec).items()
    )
    parts.append(
        "<details><summary>Specification</summary>"
        f'<div class="wide"><table class="parameters"><tbody>{rows}</tbody></table></div></details>'
    )
    related = provenance.relations(spec)
    if related:
        rows = "".join(
            f"<tr><td>{html.escape(str(tf))}</td><td>{html.escape(text)}</td></tr>" for tf, text in related.items()
        )
        parts.append(
            "<details><summary>Conditions of TFs, all of which must hold</summary>"
            f'<div class="wide"><table class="parameters"><tbody>{rows}</tbody></table></div></details>'
        )
    return f"<section><h2>Make it again</h2>{''.join(parts)}</section>"


def _figures(pictures: Any) -> list[Any]:
    """Return the pictures as bokeh figures that are as wide as the page allows."""
    figures = [holoviews().render(picture, backend="bokeh") for picture in pictures]
    for figure in figures:
        figure.update(width=None, sizing_mode="stretch_width", min_width=280, height=380)
    return figures


def _details(ds: xr.Dataset) -> str:
    """Return what few readers need, folded up: xarray's view of the dataset."""
    with xr.set_options(display_style="html", display_expand_data=False):
        shown_by_xarray = ds.drop_attrs(deep=False)._repr_html_()
    return (
        "<section><h2>Details</h2><details><summary>Variables</summary>"
        f'<div class="wide">{shown_by_xarray}</div></details></section>'
    )
