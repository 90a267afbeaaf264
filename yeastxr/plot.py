"""The tutorial's three pictures as holoviews elements, for bokeh and matplotlib alike.

Data are reduced first, lazily and in one pass, and then drawn: a dataset of 10^9 cells costs a picture of its counts.
Options are set for both backends on each element, and the user's current backend stays as it is.
"""

import re
import secrets
from collections.abc import Hashable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import xarray as xr

from yeastxr import elements
from yeastxr import qc as summaries
from yeastxr.arguments import InputError, check_integer, shown, suggestion
from yeastxr.elements import BINDING, PERTURBATION, WORDS
from yeastxr.schema import GENE, TF, SchemaError

if TYPE_CHECKING:
    import holoviews as hv

MAX_POINTS = 20_000

_MATPLOTLIB_FORMATS = (".png", ".svg", ".pdf")
_PLAIN = re.compile(r"[A-Za-z0-9 _.,:;+*/()'-]{1,24}")  # no font lacks these, and no library reads them as markup
_PAGE = """\
<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><title>yeastxr</title>
{scripts}
</head>
<body>{place}</body>
</html>
"""

Labels = Hashable | Iterable[Hashable] | None


def binding_histogram(
    ds: xr.Dataset,
    *,
    tf: Labels = None,
    gene: Labels = None,
    bins: int = summaries.BINS,
    limits: tuple[float, float] | None = None,
) -> "hv.Overlay":
    """Draw the histogram of binding effects, unbound over bound.

    Parameters
    ----------
    ds
        A yeastxr dataset, dims ``(..., gene, tf)``, NumPy or dask; it is read once.
    tf, gene
        A label or a list of labels to draw; all by default.
    bins
        How many bins, from 1 to 10,000.
    limits
        The ends of the axis, 0 to 5 by default; the axis says how many effects are beyond them.

    Returns
    -------
    holoviews.Overlay
        Two ``Histogram`` elements, labelled ``unbound`` and ``bound``; their counts are exact.

    Raises
    ------
    InputError
        If a TF or a gene is not in the dataset, bins or limits are not what they must be, or the dataset lacks a
        variable, a dim or an index.

    Examples
    --------
    >>> import yeastxr as yx
    >>> from yeastxr import plot
    >>> ds = yx.simulate(genes=1000, bound=[0.1, 0.15, 0.2, 0.25, 0.3], n_sample=[1, 1, 2, 2, 4], seed=42)
    >>> [histogram.label for histogram in plot.binding_histogram(ds, tf=[0, 1])]
    ['unbound', 'bound']
    """
    ds, of = _selected(ds, tf, gene)
    return elements.histogram(summaries.histogram(ds, BINDING, bins=bins, limits=limits).compute(), of)


def perturbation_histogram(
    ds: xr.Dataset,
    *,
    tf: Labels = None,
    gene: Labels = None,
    bins: int = summaries.BINS,
    limits: tuple[float, float] | None = None,
) -> "hv.Overlay":
    """Draw the histogram of perturbation effects, unbound over bound.

    Parameters
    ----------
    ds
        A yeastxr dataset, dims ``(..., gene, tf)``, NumPy or dask; it is read twice, or once if limits are given.
    tf, gene
        A label or a list of labels to draw; all by default.
    bins
        How many bins, from 1 to 10,000.
    limits
        The ends of the axis; by default what holds all effects, symmetric about 0.

    Returns
    -------
    holoviews.Overlay
        Two ``Histogram`` elements, labelled ``unbound`` and ``bound``; their counts are exact.

    Raises
    ------
    InputError
        If a TF or a gene is not in the dataset, bins or limits are not what they must be, or the dataset lacks a
        variable, a dim or an index.

    Examples
    --------
    >>> import yeastxr as yx
    >>> from yeastxr import plot
    >>> ds = yx.simulate(genes=1000, bound=[0.1, 0.3], seed=42)
    >>> int(sum(histogram.dimension_values("pairs").sum() for histogram in plot.perturbation_histogram(ds)))
    2000
    """
    ds, of = _selected(ds, tf, gene)
    return elements.histogram(summaries.histogram(ds, PERTURBATION, bins=bins, limits=limits).compute(), of)


def binding_vs_perturbation(
    ds: xr.Dataset, *, tf: Labels = None, gene: Labels = None, max_points: int = MAX_POINTS, bins: int = summaries.BINS
) -> "hv.Overlay":
    """Draw the size of perturbation effects against binding effects, coloured by label.

    Up to ``max_points`` pairs are drawn as they are, and hovering tells their gene and TF. Above that, each label has
    one marker for each bin that is not empty, the larger the more pairs are in it.

    Parameters
    ----------
    ds
        A yeastxr dataset, dims ``(..., gene, tf)``, NumPy or dask; it is read once as points, twice as bins.
    tf, gene
        A label or a list of labels to draw; all by default.
    max_points
        Up to how many pairs are drawn as points.
    bins
        How many bins along each axis, from 1 to 1,000.

    Returns
    -------
    holoviews.Overlay
        Two ``Points`` elements, labelled ``unbound`` and ``bound``.

    Raises
    ------
    InputError
        If a TF or a gene is not in the dataset, max_points or bins are not what they must be, or the dataset lacks a
        variable, a dim or an index.

    Examples
    --------
    >>> import yeastxr as yx
    >>> from yeastxr import plot
    >>> ds = yx.simulate(genes=1000, bound=[0.1, 0.3], seed=42)
    >>> [len(points) for points in plot.binding_vs_perturbation(ds)]
    [1600, 400]
    """
    ds, of = _selected(ds, tf, gene)
    if _few(ds, max_points):
        return elements.points(ds[["label", BINDING, PERTURBATION]].compute(), of)
    return elements.binned_points(summaries.histogram_2d(ds, bins=bins).compute(), of)


def qc(ds: xr.Dataset, *, tf: Labels = None, gene: Labels = None, max_points: int = MAX_POINTS) -> "hv.Layout":
    """Draw the three pictures that show whether a simulation is sound, side by side.

    Parameters
    ----------
    ds
        A yeastxr dataset, dims ``(..., gene, tf)``, NumPy or dask; it is read twice for all three.
    tf, gene
        A label or a list of labels to draw; all by default.
    max_points
        Up to how many pairs are drawn as points.

    Returns
    -------
    holoviews.Layout
        :func:`binding_histogram`, :func:`perturbation_histogram` and :func:`binding_vs_perturbation`.

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
    3
    """
    import dask

    hv = elements.holoviews()
    ds, of = _selected(ds, tf, gene)
    few = _few(ds, max_points)
    largest = summaries.largest_effects(ds, BINDING, PERTURBATION)
    limits = ((0.0, largest[BINDING]), (0.0, largest[PERTURBATION]))
    binding, perturbation, pairs = dask.compute(
        summaries.histogram(ds, BINDING),
        summaries.histogram(ds, PERTURBATION, limits=(-largest[PERTURBATION], largest[PERTURBATION])),
        ds[["label", BINDING, PERTURBATION]] if few else summaries.histogram_2d(ds, limits=limits),
    )
    draw_pairs = elements.points if few else elements.binned_points
    pictures = [elements.histogram(binding, of), elements.histogram(perturbation, of), draw_pairs(pairs, of)]
    # Axes are not shared: the histogram of binding effects ends at 5, their scatter does not.
    return hv.Layout(pictures).opts(
        hv.opts.Layout(shared_axes=False, backend="bokeh"),
        hv.opts.Layout(shared_axes=False, sublabel_format="", hspace=0.35, backend="matplotlib"),
    )


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
        If the suffix is none of these.

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
        raise InputError(f"path is {shown(str(path))}; expected a name that ends in .png, .svg, .pdf or .html")
    hv = elements.holoviews()
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.partial")
    try:
        if suffix == ".html":
            scripts, places = elements.embedded([hv.render(element, backend="bokeh")])
            temporary.write_text(_PAGE.format(scripts=scripts, place=places[0]), encoding="utf-8")
        else:
            from matplotlib import pyplot

            figure = hv.render(element, backend="matplotlib")
            figure.savefig(temporary, format=suffix[1:], dpi=150, bbox_inches="tight")
            pyplot.close(figure)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    return path


def _selected(ds: xr.Dataset, tf: Labels, gene: Labels) -> tuple[xr.Dataset, str]:
    """Return what is asked for of a dataset, and words for the titles that say so."""
    words = []
    for dim, asked in ((TF, tf), (GENE, gene)):
        if asked is None:
            continue
        if not isinstance(ds, xr.Dataset) or dim not in ds.indexes:
            raise SchemaError(f"ds has no index coordinate {dim!r} to select by; expected a yeastxr dataset")
        labels: list[Any] = list(asked) if isinstance(asked, Iterable) and not isinstance(asked, str) else [asked]
        if not labels:
            raise InputError(f"{dim} is empty; expected a label or a list of labels")
        index = ds.indexes[dim]
        places = index.get_indexer(labels)
        for label, place in zip(labels, places, strict=True):
            if place < 0 or isinstance(label, bool):
                raise InputError(f"{dim} is {shown(label)}, which is not known; {suggestion(label, index)}")
        ds = ds.isel({dim: list(dict.fromkeys(places))})
        plain = len(labels) == 1 and _PLAIN.fullmatch(str(labels[0]))
        words.append(f"{WORDS[dim]} {labels[0]}" if plain else f"{ds.sizes[dim]:,} of {len(index):,} {WORDS[dim]}s")
    return ds, ", ".join(words)


def _few(ds: xr.Dataset, max_points: int) -> bool:
    """Tell whether the pairs of a dataset, once checked, are few enough to be drawn one by one."""
    most = check_integer("max_points", max_points, least=0)
    return summaries.number_of_cells(ds, BINDING, PERTURBATION) <= most
