"""A report of a dataset as one self-contained HTML page, with its specification, checks and plots."""

import html
from pathlib import Path
from typing import Any

import xarray as xr

from yeastxr._utils import replace_file
from yeastxr._validate import check_overwrite, check_path
from yeastxr.checks.check import LEVEL
from yeastxr.checks.table import CheckTable
from yeastxr.errors import InputError, InputTypeError, escape_controls, format_value
from yeastxr.plot.sample import select_sample
from yeastxr.plot.style import load_holoviews, render_page
from yeastxr.qc.summary import summarize
from yeastxr.report import facts, provenance
from yeastxr.report.tables import format_groups, format_tfs, summarize_groups, summarize_tfs
from yeastxr.schema import FEATURE_BY_NAME, get_units, validate
from yeastxr.simulation.simulate import SPECIFICATION

TITLE = "Quality report of a yeastxr dataset"
_MOST_BYTES = 750_000  # largest length of a specification on a page
_MOST_CHECKS = 2_000  # rows
_MOST_POINTS = 1_000


def report(
    ds: xr.Dataset,
    path: str | Path,
    *,
    checks: Any = None,
    title: str = TITLE,
    level: float = LEVEL,
    overwrite: bool = False,
    progress: bool | None = None,
) -> Path:
    """Write a report of a dataset as one HTML page: specification, checks, plots and a table of TFs.

    The page is self-contained. It shows code that regenerates the dataset, including the seed, the comparison with
    theory, and plots. Its size is below 5 MB for any dataset, of which 1.5 MB are the library for plots. For more than
    20,000 TFs, the table contains the first 10,000 and the 10,000 with the largest deviations.

    Parameters
    ----------
    ds
        A yeastxr dataset with dimensions ``(..., gene, tf)``, NumPy or dask. It is read once, block by block, for
        checks, the summary, and the rank response of up to 64 TFs. At most 20,000 pairs are read again for points.
        Without a specification, a first pass finds the largest effects.
    path
        The path of the page, which ends in .html.
    checks
        The result of :func:`yeastxr.check`, or any object with an HTML representation. By default the checks run; False
        omits them.
    title
        The title of the page.
    level
        The probability that a correct dataset fails any check, above 0 and below 1, if the checks run.
    overwrite
        Whether to replace an existing file, once the new page is complete.
    progress
        Whether to show a progress bar for checks (default: only in a terminal).

    Returns
    -------
    pathlib.Path
        The path of the page.

    Raises
    ------
    InputError
        If the path has another suffix, is a folder, is in a missing folder or exists, ``checks`` is invalid, or the
        dataset does not follow the data model.

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
    import dask
    from markupsafe import Markup

    path = check_page_path(path, overwrite)
    if checks not in (None, False) and not callable(getattr(checks, "_repr_html_", None)):
        raise InputTypeError(f"checks is of type {type(checks).__name__}; expected the result of yeastxr.check")
    ds = validate(ds)
    if checks is None:
        checks, summary, sample = facts.inspect_dataset(ds, level=level, progress=progress)
    else:
        summary, sample = dask.compute(summarize(ds), select_sample(ds))
    tfs = format_tfs(summarize_tfs(ds, summary))
    shown, more_checks = facts.limit_checks(checks, _MOST_CHECKS)
    points = facts.list_points(ds, checks, _MOST_POINTS)
    table = "" if checks is False else shown._repr_html_()
    text = render_page(
        _render_figures(facts.draw_pictures(ds, summary, sample)),
        str(title),
        package="yeastxr.report",
        template="report.html",
        banner=facts.make_banner(checks),
        facts=facts.list_facts(ds),
        recipe=_make_recipe(ds),
        spec_file=provenance.SPEC_FILE,
        attribute=SPECIFICATION,
        checks=Markup(escape_controls(table) if isinstance(shown, CheckTable) else table),
        more_checks=more_checks,
        points=points[:_MOST_POINTS],
        more_points=max(0, len(points) - _MOST_POINTS),
        groups=format_groups(summarize_groups(ds, summary)),
        tfs=tfs | {"data": Markup(tfs["data"])},
        variables=_list_variables(ds),
    )
    with replace_file(path) as partial:
        partial.write_text(text, encoding="utf-8")
    return path


def check_page_path(path: str | Path, overwrite: bool) -> Path:
    """Return the path of a page, or raise: it must end in .html, and its folder must exist."""
    path = check_path("path", path)
    if path.suffix.lower() not in (".html", ".htm"):  # a page must not replace a tensor or part of a store
        raise InputError(f"path is {format_value(str(path))}; expected a path that ends in .html")
    if path.is_dir() or not path.parent.is_dir():
        raise InputError(f"path is {format_value(str(path))}; expected a file in an existing folder")
    check_overwrite(path, overwrite)
    return path


def _make_recipe(ds: xr.Dataset) -> dict[str, Any]:
    """Return the parameters of the dataset and code that regenerates it, or the text of an unreadable specification."""
    spec, sweep = provenance.find_source(ds)
    if spec is None:
        return {"unread": _keep_lines(str(ds.attrs.get(SPECIFICATION, ""))[:10_000])}
    command, file = provenance.make_command(spec)
    text = None if file is None else _keep_lines(file)
    conditions, n_conditions = provenance.list_conditions(spec, sweep)
    return {
        "difference": provenance.describe_difference(ds, spec, sweep),
        "command": command if sweep is None else None,
        "file": text,
        "file_is_long": text is not None and len(text.encode()) > _MOST_BYTES,
        "python": _keep_lines(provenance.make_python(spec, sweep)),
        "parameters": provenance.list_parameters(spec, sweep),
        "conditions": conditions,
        "more_conditions": n_conditions - len(conditions),
    }


def _keep_lines(text: str) -> Any:
    """Escape text for HTML with line feeds, keeping quotes, which are frequent in JSON, short."""
    from markupsafe import Markup

    return Markup("\n".join(html.escape(escape_controls(line), quote=False) for line in text.split("\n")))


def _render_figures(pictures: Any) -> list[Any]:
    """Return the plots as bokeh figures of the width of the page."""
    from bokeh.document import Document

    renderer, document = (
        load_holoviews().renderer("bokeh"),
        Document(),
    )  # one document, because moving models between documents is slow
    with document.models.freeze():
        figures = [renderer.get_plot(picture, doc=document).state for picture in pictures]
        for figure in figures:
            document.add_root(figure)
    for figure in figures:
        figure.update(width=None, sizing_mode="stretch_width", min_width=280, height=380)
    return figures


def _list_variables(ds: xr.Dataset) -> list[tuple[object, ...]]:
    """Return the rows of the table of variables and coordinates."""
    rows: list[tuple[object, ...]] = []
    for name, array in (*ds.data_vars.items(), *ds.coords.items()):
        feature = FEATURE_BY_NAME.get(str(name))
        attrs = {} if feature is None else {"long_name": feature.long_name}
        attrs |= array.attrs
        meaning = str(attrs.get("description") or attrs.get("long_name", ""))
        units = get_units(ds, str(name)) if feature else str(attrs.get("units", ""))
        chunks = " x ".join(str(max(sizes)) for sizes in array.chunks) if array.chunks else "in memory"
        rows.append((name, f"({', '.join(map(str, array.dims))})", array.dtype, chunks, units, meaning))
    return rows
