"""One page that says what a dataset is, whether it is sound, and how it looks; it needs no network and no server."""

import html
import math
from collections.abc import Iterable
from importlib.resources import files
from pathlib import Path
from typing import Any

import xarray as xr

from yeastxr import plot, theory
from yeastxr import qc as summaries
from yeastxr._utils import replace_file
from yeastxr._validate import check_path
from yeastxr.checks.check import LEVEL, check
from yeastxr.checks.table import CheckTable
from yeastxr.errors import InputError, InputTypeError, format_value, shorten
from yeastxr.plot.style import (
    embed_figures,
    load_holoviews,
)
from yeastxr.report import provenance
from yeastxr.report.tables import as_html, as_texts, group_table, tf_table
from yeastxr.schema import CORE_DIMS, FEATURE_BY_NAME, GENE, TF, validate
from yeastxr.simulation.simulate import SPECIFICATION, SimulationSpec, read_sweep
from yeastxr.theory.features import find_spec

TITLE = "Quality report of a yeastxr dataset"
_PROVENANCE = {"seed": "Seed", "law_version": "Version of the law of draws", "yeastxr_version": "Made by yeastxr"}
_LONGEST = 750_000  # bytes of a specification that a page shows
_HEAD = ("feature", "pairs", "how many", "mean, expected", "mean, found", "s.d., expected", "s.d., found")
_BITS = "It makes the same bits with this version of the law of draws."


def report(
    ds: xr.Dataset,
    path: str | Path,
    *,
    checks: Any = None,
    title: str = TITLE,
    level: float = LEVEL,
    progress: bool | None = None,
) -> Path:
    """Write a page with a dataset's specification, its checks, pictures and a table of TFs, in one HTML file.

    The page needs no network: it says how to make the dataset again, with which seed, whether it follows theory, and
    how it looks. It stays below 5 MB whatever the dataset's size; 1.5 MB of it are what draws the pictures. Of more
    than 20,000 TFs the table holds the first 10,000 and the 10,000 that deviate most.

    Parameters
    ----------
    ds
        A yeastxr dataset, dims ``(..., gene, tf)``, NumPy or dask; it is read twice, block by block: for the checks,
        and for the summary that all else is drawn from.
    path
        The file to write, whose name ends in .html; one that is there is replaced, once the new page is complete.
    checks
        The outcome of :func:`yeastxr.check`, or any other object that shows itself as HTML; made by default. False
        leaves them out.
    title
        The page's title.
    level
        The chance that a right dataset fails any check, above 0 and below 1; for checks that are made.
    progress
        Whether to show a bar while checking; None for where standard error is a terminal.

    Returns
    -------
    pathlib.Path
        The path.

    Raises
    ------
    InputError
        If the path ends otherwise, is a folder or in none, checks can't show themselves, or the dataset does not follow
        the data model.

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
    path = page_path(path)
    if checks not in (None, False) and not callable(getattr(checks, "_repr_html_", None)):
        raise InputTypeError(f"checks is of type {type(checks).__name__}; expected the outcome of yeastxr.check")
    ds = validate(ds)
    spec = find_spec(ds)
    if checks is None:
        # What can't be read is shown as it is; the rest can be checked.
        known = spec is not None or read_sweep(ds) is not None
        checks = check(ds if known else ds.drop_attrs(deep=False), level=level, progress=progress)
    summary = summaries.summarize(ds).compute()
    sections = [_facts(ds), section("Make it again", _again(ds, spec))]
    if checks is not False:
        table = f'<div class="wide" tabindex="0">{checks._repr_html_()}</div>'
        sections = [_verdict(checks), *sections, section("Checks", table, "checks")]
    groups = as_texts(group_table(ds, summary))
    sections.append(section("Expected and found", rows(_HEAD, groups, kind="numbers", texts=2)))
    tfs = section("TFs", as_html(tf_table(ds, summary)))
    text = page(str(title), sections, _figures(plot.qc(ds, summary=summary)), tfs + _variables(ds))
    with replace_file(path) as partial:
        partial.write_text(text, encoding="utf-8")
    return path


def page_path(path: str | Path) -> Path:
    """Return where a page goes, or refuse it: it must end in .html, and its folder be there."""
    path = check_path("path", path)
    if path.suffix.lower() not in (".html", ".htm"):  # a page must not replace a tensor or part of a store
        raise InputError(f"path is {format_value(str(path))}; expected a name that ends in .html")
    if path.is_dir() or not path.parent.is_dir():
        raise InputError(f"path is {format_value(str(path))}; expected a file in a folder that exists")
    return path


def _verdict(checks: Any) -> str:
    """Say in one line whether checks passed, and which failed."""
    if not isinstance(checks, CheckTable):
        return ""
    done = sum(row.passed is not None for row in checks.rows)
    chance = "" if math.isnan(checks.level) else f"A right dataset fails with a chance of at most {checks.level:g}."
    if checks.passed:
        return f'<p class="verdict passed"><strong>All {done} checks passed.</strong> {chance}</p>'
    if not checks.failed:
        words = f"Not checked against theory; {done} checks of the data model and of ranges passed."
        return f'<p class="verdict"><strong>{words}</strong></p>'
    failed = html.escape("; ".join(checks.failed))
    words = f'{len(checks.failed)} of {done} checks failed: <a href="#checks">{failed}</a>.'
    return f'<p class="verdict failed"><strong>{words}</strong> {chance}</p>'


def _facts(ds: xr.Dataset) -> str:
    """Return a list of sizes, labels and where the dataset comes from."""
    label = ds["label"]
    dims = [GENE, TF, *(dim for dim in label.dims if dim not in CORE_DIMS)]
    words = {GENE: "Genes", TF: "TFs"}
    found = {words.get(str(dim), str(dim).capitalize()): _labels(label, str(dim)) for dim in dims}
    found["Cells"] = f"{label.size:,} with {len(ds.data_vars)} features, {ds.nbytes / 1e6:,.1f} MB"
    found |= {word: str(ds.attrs[name]) for name, word in _PROVENANCE.items() if name in ds.attrs}
    body = "".join(
        f"<div><dt>{html.escape(word)}</dt><dd>{html.escape(value)}</dd></div>" for word, value in found.items()
    )
    return section("Dataset", f'<dl class="facts">{body}</dl>')


def _labels(label: xr.DataArray, dim: str) -> str:
    """Say how many labels a dim has, and which come first and last."""
    number = f"{label.sizes[dim]:,}"
    if dim not in label.indexes:
        return number
    ends = dict.fromkeys(str(label.indexes[dim][at]) for at in (0, -1))
    return f"{number} ({' … '.join(shorten(end, 40) for end in ends)})"


def _again(ds: xr.Dataset, spec: SimulationSpec | None) -> str:
    """Say what made the dataset, and how to make it again."""
    sweep = read_sweep(ds) if spec is None else None
    if spec is None and sweep is None:
        text = ds.attrs.get(SPECIFICATION)
        shortened = html.escape(str(text)[:10_000])
        unread = "" if text is None else f"<p>The specification can't be read:</p><pre>{shortened}</pre>"
        return f"<p>No specification: not one simulation's dataset.</p>{unread}"
    spec, values = sweep or (spec, None)
    assert spec is not None
    line, file = provenance.command(spec)
    parts = [f"<p>{html.escape(provenance.differs(ds, spec))}</p>", copied(line, "command") if not sweep else ""]
    if file is not None and len(html.escape(file, quote=False).encode()) > _LONGEST:
        parts.append(
            f"<p>{provenance.SPEC_FILE} is long; its text is <code>ds.attrs[&quot;{SPECIFICATION}&quot;]</code>.</p>"
        )
    elif file is not None:
        parts.append(f"<h3>{provenance.SPEC_FILE}</h3>{copied(file, 'file', file=provenance.SPEC_FILE)}")
    parts.append(f"<h3>In Python</h3>{copied(provenance.in_python(spec, values), 'Python code')}")
    parts.append(f'<p class="note">{_BITS}</p>')
    asked = provenance.parameters(spec) | {
        name: f"swept over {format_value(grid)}" for name, grid in (values or {}).items()
    }
    parts.append(folded("Specification", rows(("parameter", "value"), asked.items(), texts=2)))
    if related := provenance.relations(spec):
        chances = theory.adjusted_probability(spec)
        conditions = [(tf, text, f"{float(chances.sel({TF: tf})):.4g}") for tf, text in related.items()]
        head = ("TF", "conditions, all of which must hold", "probability that they do")
        more = sum(map(bool, (spec.tf_relationships or {}).values())) - len(related)
        rest = f'<p class="note">And {more:,} more, see {provenance.SPEC_FILE}.</p>' if more else ""
        parts.append(folded("Conditions of TFs", rows(head, conditions, texts=2) + rest))
    return "".join(parts)


def _figures(pictures: Any) -> list[Any]:
    """Return the pictures as bokeh figures that are as wide as the page allows."""
    figures = [load_holoviews().render(picture, backend="bokeh") for picture in pictures]
    for figure in figures:
        figure.update(width=None, sizing_mode="stretch_width", min_width=280, height=380)
    return figures


def _variables(ds: xr.Dataset) -> str:
    """Return a table of the dataset's variables and coordinates."""
    found = []
    for name, array in (*ds.data_vars.items(), *ds.coords.items()):
        declared = FEATURE_BY_NAME.get(str(name))
        words = declared.description if declared else str(array.attrs.get("long_name", ""))
        chunks = " x ".join(str(max(sizes)) for sizes in array.chunks) if array.chunks else "in memory"
        found.append((name, f"({', '.join(map(str, array.dims))})", array.dtype, chunks, words))
    return section("Variables", rows(("name", "dims", "dtype", "chunks", "meaning"), found, texts=5))


# The browser refuses whatever a page might ask for; bokeh makes functions of text, and pictures of data.
_POLICY = "default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval'; style-src 'unsafe-inline'; img-src data: blob:"


def page(title: str, sections: list[str], figures: list[Any], details: str) -> str:
    """Return a page: sections are HTML, figures bokeh's; the title is text.

    Parameters
    ----------
    title
        The page's title.
    sections
        What comes before the figures.
    figures
        Bokeh figures, as wide as the page allows.
    details
        What comes behind them.
    """
    scripts, places = embed_figures(figures)
    pictures = "\n".join(f'<div class="picture">{place}</div>' for place in places)
    title = html.escape(title)
    return f"""\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{_POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
{_asset("page.css")}</style>
{scripts}
</head>
<body>
<main>
<h1>{title}</h1>
{"".join(sections)}
<section><h2>Pictures</h2>
<div class="pictures">
{pictures}
</div>
</section>
{details}
<p id="said" class="note" role="status"></p>
</main>
<script>
{_asset("page.js")}</script>
</body>
</html>
"""


def section(title: str, body: str, name: str = "") -> str:
    """Return a section of a page: the title is text, the body HTML, the name what links lead to."""
    known = f' id="{name}"' if name else ""
    return f"<section{known}><h2>{html.escape(title)}</h2>{body}</section>"


def folded(title: str, body: str) -> str:
    """Return HTML that is shown when its title is clicked."""
    return f"<details><summary>{html.escape(title)}</summary>{body}</details>"


def rows(head: Iterable[str], body: Iterable[Iterable[object]], *, kind: str = "parameters", texts: int = 1) -> str:
    """Return a table, text in HTML: the first column names its rows; those after ``texts`` columns hold numbers."""

    def cell(at: int, value: object, tag: str = "td") -> str:
        side = ' class="text"' if at < texts else ""
        return f"<{tag}{side}>{html.escape(str(value))}</{tag.split()[0]}>"

    names = "".join(cell(at, name, 'th scope="col"') for at, name in enumerate(head))
    lines = "".join(
        "<tr>" + "".join(cell(at, value, "td" if at else 'th scope="row"') for at, value in enumerate(line)) + "</tr>"
        for line in body
    )
    top = f"<thead><tr>{names}</tr></thead>" if names else ""
    # What can be scrolled must be reached by keyboard, too.
    return f'<div class="wide" tabindex="0"><table class="{kind}">{top}<tbody>{lines}</tbody></table></div>'


def copied(text: str, what: str, *, file: str | None = None) -> str:
    """Return text in a frame, with a button that copies it, and one that saves it if it is a file."""
    buttons = f'<button type="button" aria-label="Copy {html.escape(what)}">Copy</button>'
    if file is not None:
        buttons += (
            f'<button type="button" data-name="{html.escape(file)}" aria-label="Save {html.escape(what)}">Save</button>'
        )
    # Browsers drop a line feed that comes first, and this one is.
    return f'<div class="code">{buttons}<pre tabindex="0">\n{html.escape(text, quote=False)}</pre></div>'


def _asset(name: str) -> str:
    return files("yeastxr.report").joinpath("assets", name).read_text(encoding="utf-8")
