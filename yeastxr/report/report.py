"""A report of a dataset as one self-contained HTML page, with its specification, checks and plots."""

import html
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import xarray as xr

from yeastxr import plot, theory
from yeastxr._blocks import broadcast_dims
from yeastxr._utils import replace_file
from yeastxr._validate import check_overwrite, check_path
from yeastxr.checks.check import LEVEL, check_blocks
from yeastxr.checks.table import CheckTable
from yeastxr.errors import InputError, InputTypeError, escape_controls, format_value, shorten
from yeastxr.plot.sample import SampleBlocks, draw_sample, select_sample
from yeastxr.plot.style import DIM_TITLES, load_holoviews, render_page
from yeastxr.qc.summary import BlockSummary, summarize
from yeastxr.report import provenance
from yeastxr.report.tables import format_groups, format_tfs, summarize_groups, summarize_tfs
from yeastxr.schema import CORE_DIMS, FEATURE_BY_NAME, MEASURES, TF, get_units, validate
from yeastxr.simulation.simulate import SPECIFICATION, SimulationSpec
from yeastxr.simulation.sweeps import read_sweep
from yeastxr.theory.features import find_spec

TITLE = "Quality report of a yeastxr dataset"
_PROVENANCE = {
    "seed": "Seed",
    "law_version": "Version of the random-number scheme",
    "yeastxr_version": "Simulated by yeastxr",
}
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
    spec = find_spec(ds)
    if checks is None:
        # An unreadable specification is shown unchanged; all else can be checked.
        known = spec is not None or read_sweep(ds) is not None
        blocks, sampled = BlockSummary(ds), SampleBlocks(ds)
        checked = ds if known else ds.drop_attrs(deep=False)
        checks = check_blocks(checked, level=level, progress=progress, visit=_join_visits(blocks.add, sampled.add))
        summary, sample = blocks.finish(), sampled.finish()
    else:
        summary, sample = dask.compute(summarize(ds), select_sample(ds))
    tfs = format_tfs(summarize_tfs(ds, summary))
    shown, more_checks = _limit_checks(checks)
    points = _list_points(ds, checks)
    table = "" if checks is False else shown._repr_html_()
    text = render_page(
        _render_figures([*plot.qc(ds, summary=summary), draw_sample(ds, "", sample)]),
        str(title),
        package="yeastxr.report",
        template="report.html",
        banner=_make_banner(checks),
        facts=_list_facts(ds),
        recipe=_make_recipe(ds, spec),
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


def _join_visits(*visits: Callable[..., None]) -> Callable[..., None]:
    """Return a function that passes each block to several functions."""

    def visit(*block: Any) -> None:
        for own in visits:
            own(*block)

    return visit


def check_page_path(path: str | Path, overwrite: bool) -> Path:
    """Return the path of a page, or raise: it must end in .html, and its folder must exist."""
    path = check_path("path", path)
    if path.suffix.lower() not in (".html", ".htm"):  # a page must not replace a tensor or part of a store
        raise InputError(f"path is {format_value(str(path))}; expected a path that ends in .html")
    if path.is_dir() or not path.parent.is_dir():
        raise InputError(f"path is {format_value(str(path))}; expected a file in an existing folder")
    check_overwrite(path, overwrite)
    return path


def _make_banner(checks: Any) -> dict[str, str]:
    """Return a line that states which checks failed, and whether all values were compared with theory."""
    if not isinstance(checks, CheckTable):
        return {}
    done = sum(row.passed is not None for row in checks.rows)
    chance = (
        "" if math.isnan(checks.level) else f"A correct dataset fails with a probability of at most {checks.level:g}."
    )
    if checks.failed:
        words = f"{len(checks.failed):,} of {done:,} checks failed:"
        note = chance if checks.checked else "Not all values were compared with theory."
        failed = shorten("; ".join(checks.failed), 2_000)
        return {"outcome": "failed", "words": words, "failed": failed, "note": note}
    if not checks.checked:
        words = f"Not compared with theory; {done:,} checks of the data model and ranges passed."
        return {"outcome": "unchecked", "words": words, "failed": "", "note": ""}
    return {"outcome": "passed", "words": f"All {done:,} checks passed.", "failed": "", "note": chance}


def _list_points(ds: xr.Dataset, checks: Any) -> list[tuple[str, str]]:
    """Return the points of a sweep, with the names of rows of checks, and the result of each.

    If a page can't show all of them, failed points come first.
    """
    sweep = read_sweep(ds) if isinstance(checks, CheckTable) and find_spec(ds) is None else None
    if sweep is None or not sweep.labels:
        return []
    first = next(iter(sweep.labels))
    points: dict[str, list[bool | None]] = {}
    for row in checks.rows:
        if row.name.startswith((f"{first}=", f"{first} unknown")):
            points.setdefault(row.name.split(": ")[0], []).append(row.passed)
    outcomes = []
    for point, passed in points.items():
        failed = passed.count(False)
        words = f"{failed} of {len(passed) - passed.count(None)} checks failed" if failed else "all checks passed"
        unchecked = None in passed and not failed and len(passed) < len(checks.rows) / len(points) / 2
        outcomes.append((point, "not compared with theory" if unchecked else words))
    return (
        sorted(outcomes, key=lambda outcome: "failed" not in outcome[1]) if len(outcomes) > _MOST_POINTS else outcomes
    )


def _limit_checks(checks: Any) -> tuple[Any, str]:
    """Return a table of checks that fits a page, with failed rows first if some are omitted, and a note."""
    if not isinstance(checks, CheckTable) or len(checks.rows) <= _MOST_CHECKS:
        return checks, ""
    rows = sorted(checks.rows, key=lambda row: row.passed is not False)[:_MOST_CHECKS]
    note = f"Total: {checks.summary}. Showing {_MOST_CHECKS:,} of {len(checks.rows):,} checks, failed ones first."
    return CheckTable(tuple(rows), checks.level, checks.checked), note


def _list_facts(ds: xr.Dataset) -> dict[str, str]:
    """Return sizes, labels and provenance of a dataset by name."""
    template = broadcast_dims(ds)[MEASURES[0]]
    dims = [*CORE_DIMS, *(str(dim) for dim in template.dims if dim not in CORE_DIMS)]
    facts = {}
    for dim in dims:
        name = f"{DIM_TITLES[dim]}s" if dim in DIM_TITLES else dim
        facts[name[0].upper() + name[1:]] = _describe_labels(template, dim)
    facts["Cells"] = f"{template.size:,} with {len(ds.data_vars)} features, {ds.nbytes / 1e6:,.1f} MB"
    return facts | {word: str(ds.attrs[name]) for name, word in _PROVENANCE.items() if name in ds.attrs}


def _describe_labels(array: xr.DataArray, dim: str) -> str:
    """Describe the labels of a dimension: their number, the first and the last."""
    number = f"{array.sizes[dim]:,}"
    if dim not in array.indexes:
        return number
    ends = dict.fromkeys(str(array.indexes[dim][at]) for at in (0, -1))
    return f"{number} ({' … '.join(shorten(end, 40) for end in ends)})"


def _make_recipe(ds: xr.Dataset, spec: SimulationSpec | None) -> dict[str, Any]:
    """Return the parameters of the dataset and code that regenerates it, or the text of an unreadable specification."""
    sweep = read_sweep(ds) if spec is None else None
    swept: dict[str, str] = {}
    if sweep is not None:
        spec = sweep.spec
        for dim, changes in sweep.changes.items():
            swept |= {name: f"set by {dim}" for change in changes for name in change}
            swept[dim] = f"swept over {format_value(list(sweep.labels[dim]))}"
    elif spec is None:
        return {"unread": _keep_lines(str(ds.attrs.get(SPECIFICATION, ""))[:10_000])}
    command, file = provenance.make_command(spec)
    text = None if file is None else _keep_lines(file)
    conditions = {} if "tf_relationships" in swept else provenance.list_conditions(spec)
    chances = theory.adjusted_probability(spec) if conditions else None
    n_conditions = sum(map(bool, (spec.tf_relationships or {}).values())) if conditions else 0
    return {
        "difference": provenance.describe_difference(ds, spec, sweep),
        "command": command if sweep is None else None,
        "file": text,
        "file_is_long": text is not None and len(text.encode()) > _MOST_BYTES,
        "python": _keep_lines(provenance.make_python(spec, sweep)),
        "parameters": provenance.list_parameters(spec) | swept,
        "conditions": [
            (tf, words, f"{float(chances.sel({TF: tf})):.4g}")
            for tf, words in conditions.items()
            if chances is not None
        ],
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
