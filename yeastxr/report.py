"""One page that says what a dataset is, whether it is sound, and how it looks; it needs no network and no server."""

import html
import json
import secrets
from pathlib import Path
from typing import Any

import xarray as xr

from yeastxr import plot
from yeastxr.arguments import InputError, InputTypeError, shown
from yeastxr.elements import embedded, holoviews
from yeastxr.schema import CORE_DIMS, GENE, TF

TITLE = "Quality report of a yeastxr dataset"

_PROVENANCE = {"seed": "Seed", "law_version": "Version of the law of draws", "yeastxr_version": "Made by yeastxr"}


def report(ds: xr.Dataset, path: str | Path, *, checks: Any = None, title: str = TITLE) -> Path:
    """Write a page with a dataset's summary, its checks and the three pictures, in one HTML file.

    Parameters
    ----------
    ds
        A yeastxr dataset, dims ``(..., gene, tf)``, NumPy or dask; it is read twice, block by block.
    path
        The file to write; one that is there is replaced, once the new page is complete.
    checks
        The outcome of :func:`yeastxr.check`, or any other object that shows itself as HTML; none by default.
    title
        The page's title.

    Returns
    -------
    pathlib.Path
        The path.

    Raises
    ------
    InputError
        If the path is a folder or in none, checks can't show themselves, or the dataset lacks a variable, a dim or an
        index.

    Examples
    --------
    >>> import tempfile
    >>> import yeastxr as yx
    >>> ds = yx.simulate(genes=100, bound=[0.1, 0.3], seed=42)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     page = yx.report(ds, f"{folder}/qc.html", checks=yx.check(ds))
    ...     page.name, "binding effect" in page.read_text(encoding="utf-8")
    ('qc.html', True)
    """
    path = Path(path)
    if path.is_dir() or not path.parent.is_dir():
        raise InputError(f"path is {shown(str(path))}; expected a file in a folder that exists")
    if checks is not None and not callable(getattr(checks, "_repr_html_", None)):
        raise InputTypeError(f"checks is of type {type(checks).__name__}; expected the outcome of yeastxr.check")
    pictures = plot.qc(ds)
    sections = [_summary(ds)]
    if checks is not None:
        sections.append(f'<section><h2>Checks</h2><div class="wide">{checks._repr_html_()}</div></section>')
    page = _page(str(title), "".join(sections), _figures(pictures), _details(ds))
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.partial")
    try:
        temporary.write_text(page, encoding="utf-8")
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    return path


def _summary(ds: xr.Dataset) -> str:
    """Return a table of sizes and of where the dataset comes from."""
    label = ds["label"]
    rows = {"Genes": f"{label.sizes[GENE]:,}", "TFs": f"{label.sizes[TF]:,}"}
    rows |= {str(dim).capitalize(): f"{size:,}" for dim, size in label.sizes.items() if dim not in CORE_DIMS}
    rows["Cells"] = f"{label.size:,}"
    rows |= {word: str(ds.attrs[name]) for name, word in _PROVENANCE.items() if name in ds.attrs}
    body = "".join(
        f"<div><dt>{html.escape(word)}</dt><dd>{html.escape(value)}</dd></div>" for word, value in rows.items()
    )
    return f'<section><h2>Dataset</h2><dl class="facts">{body}</dl></section>'


def _figures(pictures: Any) -> list[Any]:
    """Return the pictures as bokeh figures that are as wide as the page allows."""
    figures = [holoviews().render(picture, backend="bokeh") for picture in pictures]
    for figure in figures:
        figure.update(width=None, sizing_mode="stretch_width", min_width=280, height=380)
    return figures


def _details(ds: xr.Dataset) -> str:
    """Return what few readers need, folded up: the specification and xarray's view of the dataset."""
    parts = []
    if "specification" in ds.attrs:
        text = html.escape(_indented(ds.attrs["specification"]))
        parts.append(f"<details><summary>Specification</summary><pre>{text}</pre></details>")
    with xr.set_options(display_style="html", display_expand_data=False):
        shown_by_xarray = ds._repr_html_()
    parts.append(f'<details><summary>Variables</summary><div class="wide">{shown_by_xarray}</div></details>')
    return f"<section><h2>Details</h2>{''.join(parts)}</section>"


def _indented(text: Any) -> str:
    try:
        return json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    except (TypeError, ValueError, RecursionError):
        return str(text)


def _page(title: str, top: str, figures: list[Any], bottom: str) -> str:
    """Return the page; top and bottom are HTML already."""
    scripts, places = embedded(figures)
    pictures = "\n".join(f'<div class="picture">{place}</div>' for place in places)
    title = html.escape(title)
    return f"""\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
{_STYLE}</style>
{scripts}
</head>
<body>
<main>
<h1>{title}</h1>
{top}
<section><h2>Pictures</h2>
{pictures}
</section>
{bottom}
</main>
</body>
</html>
"""


_STYLE = """\
  :root { color-scheme: light; }
  body { margin: 0; background: #fff; color: #1c1c1c; font: 16px/1.5 system-ui, "Segoe UI", Roboto, sans-serif; }
  main { box-sizing: border-box; max-width: 60rem; margin: 0 auto; padding: 1.5rem 1rem 3rem; }
  h1 { font-size: 1.6rem; line-height: 1.25; margin: 0 0 1rem; overflow-wrap: anywhere; }
  h2 { font-size: 1.15rem; margin: 2rem 0 .6rem; padding-bottom: .25rem; border-bottom: 1px solid #ddd; }
  .facts { display: flex; flex-wrap: wrap; gap: .6rem 2rem; margin: 0; }
  .facts dt { color: #595959; font-size: .85rem; }
  .facts dd { margin: 0; font-variant-numeric: tabular-nums; overflow-wrap: anywhere; }
  .wide > table { border-collapse: collapse; font-size: .9rem; }
  .yeastxr-checks th, .yeastxr-checks td { padding: .3rem .8rem .3rem 0; border-bottom: 1px solid #eee; }
  .wide { overflow-x: auto; }
  .picture { margin: 0 0 1.5rem; break-inside: avoid; }
  details { margin: .5rem 0; }
  summary { cursor: pointer; }
  pre { overflow-x: auto; padding: .8rem; background: #f6f6f6; font-size: .8rem; }
  @media print { main { max-width: none; padding: 0; } h2 { break-after: avoid; } tr { break-inside: avoid; } }
"""
