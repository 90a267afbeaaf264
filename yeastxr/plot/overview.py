"""The standard set of plots, and saving of plots to files."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import xarray as xr

from yeastxr._utils import replace_file
from yeastxr._validate import check_integer, check_overwrite, check_path
from yeastxr.errors import InputError, InputTypeError, format_value
from yeastxr.plot.histograms import draw_histogram, draw_quantiles, draw_statuses, take_histogram
from yeastxr.plot.maps import draw_fractions
from yeastxr.plot.sample import draw_curves, draw_sample, select_sample
from yeastxr.plot.scatter import MAX_POINTS, are_points, draw_bins, draw_points, select_points
from yeastxr.plot.style import Labels, lay_out, load_holoviews, render_page, select
from yeastxr.qc import summarize
from yeastxr.schema import BINDING, LABEL, PERTURBATION, TF
from yeastxr.theory.features import find_spec

if TYPE_CHECKING:
    import holoviews as hv

_MATPLOTLIB_FORMATS = (".png", ".svg", ".pdf")


def qc(
    ds: xr.Dataset,
    *,
    tf: Labels = None,
    gene: Labels = None,
    max_points: int = MAX_POINTS,
    summary: xr.Dataset | None = None,
) -> "hv.Layout":
    """Draw the standard set of quality plots side by side.

    Parameters
    ----------
    ds
        A yeastxr dataset with dimensions ``(..., gene, tf)``, NumPy or dask; it is read once, or twice without a
        specification. With ``summary`` it is read only to draw pairs as points.
    tf, gene
        A label or a list of labels to draw (default: all).
    max_points
        The maximum number of pairs to draw as points.
    summary
        A result of :func:`yeastxr.qc.summarize` for the dataset, which saves a pass. It can't be combined with ``tf``
        or ``gene``.

    Returns
    -------
    holoviews.Layout
        :func:`binding_histogram`, :func:`perturbation_histogram`, :func:`binding_vs_perturbation`, both
        :func:`pvalue_histogram`; :func:`bound_fraction` with ``label``; :func:`quantile_quantile` with a specification;
        :func:`relation_status` with relationships. If there are bound and unbound pairs, ROC curves of both effects for
        all pairs, from the counts of the summary. Without ``summary``, :func:`rank_response` of up to 64 evenly spaced
        TFs, for the first entry of leading dimensions: it uses measured p-values if available; otherwise genes with
        |effects| of at least 2 (in measured data, the largest 5 %) respond. The number of columns leaves the fewest
        places empty.

    Raises
    ------
    InputError
        If a TF or a gene is not in the dataset, max_points is invalid, or the dataset lacks a variable, a dimension or
        an index.

    Examples
    --------
    >>> import yeastxr as yx
    >>> from yeastxr import plot
    >>> ds = yx.simulate(genes=1000, bound=[0.1, 0.3], seed=42)
    >>> len(plot.qc(ds))
    9
    """
    import dask

    load_holoviews()
    if summary is not None and not (tf is None and gene is None):
        raise InputError("summary can't be combined with tf or gene; expected only one of them")
    ds, subtitle = select(ds, tf, gene)
    as_points = are_points(ds, max_points)
    pairs = select_points(ds) if as_points else xr.Dataset()
    sample = None
    if summary is None:
        summary, pairs, sample = dask.compute(summarize(ds), pairs, select_sample(ds))  # in one pass
    else:
        pairs = pairs.compute()
    pictures = [
        draw_histogram(ds, subtitle, take_histogram(summary, BINDING)),
        draw_histogram(ds, subtitle, take_histogram(summary, PERTURBATION, 120)),
        draw_points(ds, subtitle, pairs) if as_points else draw_bins(ds, subtitle, _count_pairs(summary)),
        draw_histogram(ds, subtitle, take_histogram(summary, "binding_pvalue", 50)),
        draw_histogram(ds, subtitle, take_histogram(summary, "perturbation_pvalue", 50)),
    ]
    if LABEL in summary.dims:
        cells = summary["cells"].sum([dim for dim in summary["cells"].dims if dim not in (TF, LABEL)])
        pictures.append(draw_fractions(ds, subtitle, (cells.sel(label=True) / cells.sum(LABEL)).values))
    if find_spec(ds) is not None:
        pictures.append(draw_quantiles(ds, subtitle, summary))
    if "status_histogram" in summary:
        pictures.append(draw_statuses(ds, subtitle, summary))
    curves = draw_curves(ds, subtitle, summary)
    if curves is not None:
        pictures.append(curves)
    if sample is not None:
        pictures.append(draw_sample(ds, subtitle, sample))
    # Plots define linked axes themselves: a histogram of binding effects ends at 5, their scatter does not.
    return lay_out(pictures, _choose_columns(len(pictures)))


def _choose_columns(pictures: int) -> int:
    """Return the number of columns that leaves the fewest places empty, closest to 3."""
    return min((3, 4, 2, 5), key=lambda columns: -pictures % columns)


def _count_pairs(summary: xr.Dataset) -> xr.Dataset:
    """Return the counts of pairs of a summary in the form of :func:`yeastxr.qc.histogram_2d`."""
    names = {"pairs": "cells", "pairs_outside": "outside", "pairs_missing": "missing"}
    counts = summary[list(names)].rename(names)
    return counts.sum([dim for dim in counts.dims if dim not in (LABEL, "x_bin", "y_bin")])


def save(element: Any, path: str | Path, *, overwrite: bool = False, dpi: int = 150) -> Path:
    """Save a plot in the format given by the suffix of the file.

    Parameters
    ----------
    element
        Any holoviews element, overlay or layout.
    path
        A path that ends in ``.png``, ``.svg`` or ``.pdf`` (matplotlib), or in ``.html`` (bokeh, a self-contained page).
    overwrite
        Whether to replace an existing file, once the new one is complete.
    dpi
        Dots per inch of a ``.png``, from 10 to 1,200.

    Returns
    -------
    pathlib.Path
        The path.

    Raises
    ------
    InputError
        If the suffix is invalid, the folder does not exist, the file exists, or the element can't be drawn.

    Examples
    --------
    >>> import tempfile
    >>> import yeastxr as yx
    >>> from yeastxr import plot
    >>> ds = yx.simulate(genes=100, bound=[0.1, 0.3], seed=42)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     plot.save(plot.binding_histogram(ds), f"{folder}/binding.svg").name
    'binding.svg'
    """
    path = check_picture_path(path, overwrite)
    suffix = path.suffix.lower()
    dpi = check_integer("dpi", dpi, least=10, most=1200)
    hv = load_holoviews()
    if not isinstance(element, hv.core.Dimensioned):
        raise InputTypeError(f"element is {format_value(element)}; expected the result of a function of yeastxr.plot")
    with replace_file(path) as partial:
        if suffix == ".html":
            partial.write_text(render_page([hv.render(element, backend="bokeh")], "yeastxr"), encoding="utf-8")
        else:
            from matplotlib import pyplot

            with _use_agg():
                figure = hv.renderer("matplotlib").get_plot(element).state  # hv.render draws twice
                figure.savefig(partial, format=suffix[1:], dpi=dpi, bbox_inches="tight")
                pyplot.close(figure)
    return path


def check_picture_path(path: str | Path, overwrite: bool) -> Path:
    """Return the path of a plot, or raise if its suffix is unknown or its folder does not exist."""
    path = check_path("path", path)
    if path.suffix.lower() not in (*_MATPLOTLIB_FORMATS, ".html"):
        raise InputError(f"path is {format_value(str(path))}; expected a path that ends in .png, .svg, .pdf or .html")
    if not path.parent.is_dir():
        raise InputError(f"path is {format_value(str(path))}; expected a file in an existing folder")
    check_overwrite(path, overwrite)
    return path


@contextmanager
def _use_agg() -> Iterator[None]:
    """Draw in memory, so that holoviews can measure; other backends may be missing or open windows."""
    from matplotlib import pyplot

    backend = pyplot.get_backend()
    pyplot.switch_backend("agg")
    try:
        yield
    finally:
        with suppress(ImportError):
            pyplot.switch_backend(backend)
