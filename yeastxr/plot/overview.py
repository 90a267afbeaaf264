"""Pictures of a dataset as holoviews elements, for bokeh and matplotlib alike, with theory drawn over data.

Data are reduced first, lazily and in one pass, and then drawn: a dataset of 10^9 cells costs a picture of its counts.
Options are set for both backends on each element, and the user's current backend stays as it is.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import xarray as xr

from yeastxr import qc as summaries
from yeastxr._utils import replace_file
from yeastxr.errors import InputError, InputTypeError, format_value
from yeastxr.plot import maps as tfplots
from yeastxr.plot import style as elements
from yeastxr.plot.histograms import (
    histogram_of,
    quantiles_of,
    statuses_of,
)
from yeastxr.plot.scatter import MAX_POINTS, bins_of, few, points_of
from yeastxr.plot.style import (
    Labels,
    select,
)
from yeastxr.schema import BINDING, PERTURBATION, TF
from yeastxr.theory import features as expectations

if TYPE_CHECKING:
    import holoviews as hv

_MATPLOTLIB_FORMATS = (".png", ".svg", ".pdf")
_PAGE = """\
<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><title>yeastxr</title>
{scripts}
</head>
<body>{place}</body>
</html>
"""


def qc(
    ds: xr.Dataset,
    *,
    tf: Labels = None,
    gene: Labels = None,
    max_points: int = MAX_POINTS,
    summary: xr.Dataset | None = None,
) -> "hv.Layout":
    """Draw the standard set of pictures that show whether a simulation is sound, side by side.

    Parameters
    ----------
    ds
        A yeastxr dataset, dims ``(..., gene, tf)``, NumPy or dask; it is read once, or twice if it has no
        specification. With a summary only where pairs are few enough to be points.
    tf, gene
        A label or a list of labels to draw; all by default.
    max_points
        Up to how many pairs are drawn as points.
    summary
        What :func:`yeastxr.qc.summarize` returned for the dataset, if it is at hand; not with ``tf`` or ``gene``.

    Returns
    -------
    holoviews.Layout
        :func:`binding_histogram`, :func:`perturbation_histogram`, :func:`binding_vs_perturbation`, both
        :func:`pvalue_histogram`, and :func:`bound_fraction`; with a specification :func:`quantile_quantile`, and with
        relationships :func:`relation_status`.

    Raises
    ------
    InputError
        If a TF or a gene is not in the dataset, max_points is not what it must be, or the dataset lacks a variable, a
        dim or an index.

    Examples
    --------
    >>> import yeastxr as yx
    >>> from yeastxr import plot
    >>> ds = yx.simulate(genes=1000, bound=[0.1, 0.3], seed=42)
    >>> len(plot.qc(ds))
    7
    """
    import dask

    hv = elements.holoviews()
    if summary is not None and not (tf is None and gene is None):
        raise InputError("summary is given together with tf or gene; expected one of them")
    ds, of = select(ds, tf, gene)
    drawn_one_by_one = few(ds, max_points)
    pairs = ds[["label", BINDING, PERTURBATION]] if drawn_one_by_one else xr.Dataset()
    if summary is None:
        summary, pairs = dask.compute(summaries.summarize(ds), pairs)  # in one pass
    else:
        pairs = pairs.compute()
    bound = summary["cells"].sum([dim for dim in summary["cells"].dims if dim not in (TF, "label")])
    pictures = [
        histogram_of(ds, of, summary, BINDING),
        histogram_of(ds, of, summary, PERTURBATION, 120),
        points_of(ds, of, pairs) if drawn_one_by_one else bins_of(ds, of, _pairs_of(summary)),
        histogram_of(ds, of, summary, "binding_pvalue", 50),
        histogram_of(ds, of, summary, "perturbation_pvalue", 50),
        tfplots.fractions_of(ds, of, bound.sel(label=True) / bound.sum("label")),
    ]
    if expectations.specification(ds) is not None:
        pictures.append(quantiles_of(ds, of, summary))
    if "status_histogram" in summary:
        pictures.append(statuses_of(ds, of, summary))
    # Pictures say themselves which are linked: a histogram of binding effects ends at 5, their scatter does not.
    return (
        hv.Layout(pictures)
        .opts(
            hv.opts.Layout(shared_axes=True, backend="bokeh"),
            hv.opts.Layout(shared_axes=False, sublabel_format="", hspace=0.35, vspace=0.6, backend="matplotlib"),
        )
        .cols(3)
    )


def _pairs_of(summary: xr.Dataset) -> xr.Dataset:
    """Return a summary's counts of pairs in the form of :func:`yeastxr.qc.histogram_2d`."""
    cells = summary["pairs"]
    return cells.sum([dim for dim in cells.dims if dim not in ("label", "x_bin", "y_bin")]).to_dataset(name="cells")


def save(element: Any, path: str | Path) -> Path:
    """Save a picture; the file's suffix says as what.

    Parameters
    ----------
    element
        Any holoviews element, overlay or layout.
    path
        Ends in ``.png``, ``.svg`` or ``.pdf`` (drawn by matplotlib), or in ``.html`` (bokeh: one page that needs no
        network). A file that is there is replaced, once the new one is complete.

    Returns
    -------
    pathlib.Path
        The path.

    Raises
    ------
    InputError
        If the suffix is none of these, there is no such folder, or it is nothing that can be drawn.

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
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in (*_MATPLOTLIB_FORMATS, ".html"):
        raise InputError(f"path is {format_value(str(path))}; expected a name that ends in .png, .svg, .pdf or .html")
    if not path.parent.is_dir():
        raise InputError(f"path is {format_value(str(path))}; expected a file in a folder that exists")
    hv = elements.holoviews()
    if not isinstance(element, hv.core.Dimensioned):
        raise InputTypeError(f"element is {format_value(element)}; expected what a function of yeastxr.plot returns")
    with replace_file(path) as partial:
        if suffix == ".html":
            scripts, places = elements.embedded([hv.render(element, backend="bokeh")])
            partial.write_text(_PAGE.format(scripts=scripts, place=places[0]), encoding="utf-8")
        else:
            from matplotlib import pyplot

            figure = hv.render(element, backend="matplotlib")
            figure.savefig(partial, format=suffix[1:], dpi=150, bbox_inches="tight")
            pyplot.close(figure)
    return path
