"""Pictures of TFs: how many genes each binds, which genes, and which TFs bind the same ones."""

from functools import partial
from threading import Lock
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import xarray as xr

from yeastxr._blocks import Region, align_features, for_each_block
from yeastxr.errors import InputError, SchemaError, format_value
from yeastxr.plot.style import (
    COLOURS,
    DARK,
    WORDS,
    Labels,
    finish_bokeh,
    flat,
    holoviews,
    overlay,
    select,
    shortened,
    title_matplotlib,
)
from yeastxr.schema import BOUND_FRACTION, CORE_DIMS, GENE, TF, check_array

if TYPE_CHECKING:
    import holoviews as hv

MOST_CELLS = {GENE: 400, TF: 400}
MOST_TFS = 200
_CLUSTERED = {GENE: 1000, TF: 400}


def bound_fraction(ds: xr.Dataset, *, tf: Labels = None, gene: Labels = None) -> "hv.Overlay":
    """Draw the fraction of genes that each TF binds: found, and asked for.

    Parameters
    ----------
    ds
        A dataset with ``label``, dims ``(..., gene, tf)``, NumPy or dask; it is read once.
    tf, gene
        A label or a list of labels to draw; all by default.

    Returns
    -------
    holoviews.Overlay
        A ``Scatter`` of what was found, over a ``Curve`` of what was asked for, if the dataset says so.

    Raises
    ------
    InputError
        If a TF or a gene is not in the dataset, or it lacks its labels, a dim or an index.

    Examples
    --------
    >>> import yeastxr as yx
    >>> from yeastxr import plot
    >>> ds = yx.simulate(genes=1000, bound=[0.1, 0.3], seed=42)
    >>> plot.bound_fraction(ds).get(1).dimension_values("fraction")
    array([0.1, 0.3])
    """
    ds, of = select(ds, tf, gene)
    label = _label(ds)
    return fractions_of(ds, of, label.mean([dim for dim in label.dims if dim != TF]).compute())


def fractions_of(ds: xr.Dataset, of: str, found: xr.DataArray) -> Any:
    """Draw fractions that were found."""
    asked = ds[BOUND_FRACTION].values if BOUND_FRACTION in ds.coords else None
    return fractions(found.values, asked, ds[TF].values, of)


def label_map(
    ds: xr.Dataset, *, tf: Labels = None, gene: Labels = None, order: Literal["given", "name", "clustered"] = "given"
) -> "hv.Image":
    """Draw which genes each TF binds; of large datasets the share of bound pairs in blocks of genes x TFs.

    Parameters
    ----------
    ds
        A dataset with ``label``, dims ``(..., gene, tf)``, NumPy or dask; it is read once, block by block.
    tf, gene
        A label or a list of labels to draw; all by default.
    order
        ``"given"``; ``"name"``: by their labels, numbers in rising order; or ``"clustered"``: genes, and TFs, that are
        alike next to each other, of at most 1,000 genes and 400 TFs, evenly spaced.

    Returns
    -------
    holoviews.Image
        At most 400 x 400 shares from 0 to 1 (``bound``); TFs along x, genes along y. Dims in front are averaged.

    Raises
    ------
    InputError
        If the order is another, a TF or a gene is not in the dataset, or it lacks its labels, a dim or an index.

    Examples
    --------
    >>> import yeastxr as yx
    >>> from yeastxr import plot
    >>> ds = yx.simulate(genes=1000, bound=[0.1, 0.3], seed=42)
    >>> plot.label_map(ds).dimension_values("bound", flat=False).shape
    (334, 2)
    """
    if order not in ("given", "name", "clustered"):
        raise InputError(f"order is {format_value(order)}; expected 'given', 'name' or 'clustered'")
    ds, of = select(ds, tf, gene)
    label = _label(ds)
    if order == "clustered":
        label, said = _clustered(label)
        of = ", ".join(filter(None, [of, said]))
    elif order == "name":
        label = label.isel({dim: np.argsort(label.indexes[dim], kind="stable") for dim in CORE_DIMS})
    shares = block_means(label, MOST_CELLS)
    shares = shares.mean([dim for dim in shares.dims if dim not in CORE_DIMS]).transpose(*CORE_DIMS).compute()
    whole = shares.shape == (label.sizes[GENE], label.sizes[TF]) and label.ndim == 2
    value = holoviews().Dimension("bound", label="bound" if whole else "share of bound pairs")
    limits = (0.0, 1.0 if whole else max(1e-3, float(shares.max())))
    return image(
        shares.values,
        label[GENE].values,
        label[TF].values,
        dims=CORE_DIMS,
        value=value,
        title="Which genes each TF binds",
        of=of,
        limits=limits,
    )


def cobinding(ds: xr.Dataset, *, tf: Labels = None, gene: Labels = None) -> "hv.Image":
    """Draw how many genes two TFs bind both, over how many they would by chance.

    Parameters
    ----------
    ds
        A dataset with ``label``, dims ``(..., gene, tf)``, NumPy or dask; it is read once.
    tf, gene
        A label or a list of labels to draw; all by default, or, of more than 200 TFs, 200 that are evenly spaced.

    Returns
    -------
    holoviews.Image
        TFs x TFs: the ratio of the genes bound by both to those expected if TFs were independent (``ratio``); NaN on
        the diagonal, and for a TF that binds no gene.

    Raises
    ------
    InputError
        If a TF or a gene is not in the dataset, or it lacks its labels, a dim or an index.

    Examples
    --------
    >>> import yeastxr as yx
    >>> from yeastxr import plot
    >>> ds = yx.simulate(genes=1000, bound=[0.1, 0.3, 0.5], seed=42)
    >>> plot.cobinding(ds).dimension_values("ratio", flat=False).shape
    (3, 3)
    """
    ds, of = select(ds, tf, gene)
    label = _label(ds)
    some = evenly(label.sizes[TF], MOST_TFS)
    if some.size < label.sizes[TF]:
        of = ", ".join(filter(None, [of, f"{some.size} of {label.sizes[TF]:,} TFs"]))
        label = label.isel({TF: some})
    both = _bound_by_both(label)
    counts = np.diag(both)
    cells = label.size / label.sizes[TF]
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = both * cells / np.outer(counts, counts)
    np.fill_diagonal(ratio, np.nan)
    ratio[~np.isfinite(ratio)] = np.nan
    value = holoviews().Dimension("ratio", label="genes bound by both / by chance")
    known = ratio[np.isfinite(ratio)]
    spread = max(0.1, float(np.quantile(abs(known - 1), 0.99))) if known.size else 1.0
    names = label[TF].values
    return image(
        ratio,
        names,
        names,
        dims=(TF, TF),
        value=value,
        title="TFs that bind the same genes",
        of=of,
        limits=(1 - spread, 1 + spread),
        diverging=True,
    )


def _bound_by_both(label: xr.DataArray) -> np.ndarray:
    """Count, for each pair of TFs, the genes that both bind: ``(TFs, TFs)``, block by block of genes."""
    arrays = align_features(label.to_dataset(name="label"), ["label"])
    if arrays[0].chunks:
        arrays = [arrays[0].chunk({TF: -1})]
    total = np.zeros((label.sizes[TF],) * 2)
    adding = Lock()

    def take(_: Region, planes: list[np.ndarray]) -> None:
        rows = planes[0].reshape(-1, total.shape[0]).astype(np.float32)
        both = rows.T @ rows
        with adding:
            total[...] += both

    for_each_block(arrays, take)
    return total


def _label(ds: xr.Dataset) -> xr.DataArray:
    if not isinstance(ds, xr.Dataset) or "label" not in ds:
        raise SchemaError("the dataset lacks the variable 'label'; expected a yeastxr dataset")
    return check_array(ds["label"], "label")


def _clustered(label: xr.DataArray) -> tuple[xr.DataArray, str]:
    """Return labels with similar genes, and TFs, next to each other, and words for what was left out."""
    kept = {dim: evenly(label.sizes[dim], most) for dim, most in _CLUSTERED.items()}
    words = [
        f"{at.size:,} of {label.sizes[dim]:,} {'genes' if dim == GENE else 'TFs'}"
        for dim, at in kept.items()
        if at.size < label.sizes[dim]
    ]
    label = label.isel(kept)
    label = label.isel({dim: 0 for dim in label.dims if dim not in CORE_DIMS}).compute()
    bound = label.transpose(*CORE_DIMS).values
    return label.isel({GENE: clustered(bound), TF: clustered(bound.T)}), ", ".join([*words, "clustered"])


_MOST_NAMES, _FEW_NAMES = 25, 8  # of an axis, so that they can be read: all, or so many of a larger number
_MOST_LETTERS = 36  # of them all
_MOST_BELOW = 12  # labels that stand upright side by side
_MOST_FRACTIONS = 2000
_DIVERGING = ("#2166ac", "#67a9cf", "#f7f7f7", "#ef8a62", "#b2182b")  # ColorBrewer's RdBu: safe for the colour-blind
_RISING = ("#f7f7f7", "#7fb3d5", "#0072B2", "#003a5c")


def fractions(found: np.ndarray, asked: np.ndarray | None, tfs: np.ndarray, of: str) -> Any:
    """Draw the fraction of genes that each TF binds: found as points, asked for as a line of steps.

    Parameters
    ----------
    found, asked
        Fractions, one for each TF. Of more than 2,000 TFs as many are drawn: half of them evenly spaced, half those
        that are furthest from what was asked, or else from the median.
    tfs
        The TFs' labels.
    of
        Which genes and TFs they are of, for the title.
    """
    hv = holoviews()
    place = hv.Dimension("position", label="TF")
    bound = hv.Dimension("fraction", label="bound fraction")
    at = _evenly_and_furthest(abs(found - (np.median(found) if asked is None else asked)), _MOST_FRACTIONS)
    if at.size < tfs.size:
        of = ", ".join(filter(None, [of, f"{at.size:,} of {tfs.size:,} TFs, the furthest off among them"]))
    layers = []
    if asked is not None:
        line = hv.Curve((at, asked[at]), kdims=[place], vdims=[bound], label="asked for")
        look = {"color": DARK[True], "interpolation": "steps-mid"}
        line.opts(hv.opts.Curve(**look, line_width=1.5, backend="bokeh"))
        line.opts(hv.opts.Curve(**look, linewidth=1.1, backend="matplotlib"))
        layers.append(line)
    columns = (at, found[at], flat(xr.DataArray(tfs[at])))
    points = hv.Scatter(columns, kdims=[place], vdims=[bound, "name"], label="found")
    size = 7 if tfs.size < 200 else 3
    tips = [("TF", "@name"), ("bound fraction", "@fraction")]
    look = {"color": COLOURS[True]}
    points.opts(
        hv.opts.Scatter(**look, size=size, line_color=None, tools=["hover"], hover_tooltips=tips, backend="bokeh")
    )
    points.opts(hv.opts.Scatter(**look, s=2.5 * size, linewidth=0, backend="matplotlib"))
    layers.append(points)
    limits: dict[str, Any] = {
        "xticks": ticks(tfs, _MOST_BELOW),
        "ylim": (0, max(1e-9, 1.1 * float(max(found.max(), 0 if asked is None else asked.max())))),
    }
    if sum(len(name) for _, name in limits["xticks"]) > _MOST_LETTERS:
        limits["xrotation"] = 60
    return overlay(hv, layers, "Bound fraction by TF", of, _axis_of(TF, tfs.size), "bound fraction", limits)


def image(
    values: np.ndarray,
    rows: np.ndarray,
    columns: np.ndarray,
    *,
    dims: tuple[str, str],
    value: Any,
    title: str,
    of: str,
    limits: tuple[float, float],
    diverging: bool = False,
) -> Any:
    """Draw a matrix of rows x columns as an image with labels along its axes, the first row on top.

    Parameters
    ----------
    values
        Shape (rows, columns).
    rows, columns
        The labels; there may be more than positions.
    dims
        Which dims they are along.
    value
        The holoviews dimension of the values.
    title, of
        What it is, and of which genes and TFs.
    limits
        The values at the ends of the colours.
    diverging
        Whether the colours diverge from the middle.
    """
    hv = holoviews()
    height, width = values.shape
    kdims = [hv.Dimension("column", label=WORDS[dims[1]]), hv.Dimension("row", label=WORDS[dims[0]])]
    picture = hv.Image(values, bounds=(-0.5, -0.5, width - 0.5, height - 0.5), kdims=kdims, vdims=[value])
    shared: dict[str, Any] = {
        "title": f"{title}\n{of}" if of else title,
        "xlabel": _axis_of(dims[1], columns.size),
        "ylabel": _axis_of(dims[0], rows.size),
        "xticks": [(_place(at, columns.size, width), name) for at, name in ticks(columns)],
        "yticks": [(height - 1 - _place(at, rows.size, height), name) for at, name in ticks(rows)],
        "clim": limits,
        "cmap": _colours(_DIVERGING if diverging else _RISING),
        "colorbar": True,
    }
    if columns.size <= _MOST_NAMES and max(len(str(name)) for name in columns) > 3:
        shared["xrotation"] = 60
    return picture.opts(
        hv.opts.Image(
            **shared,
            width=480,
            height=400,
            hooks=[finish_bokeh, partial(_name_on_hover, rows=rows, columns=columns, dims=dims, shape=values.shape)],
            backend="bokeh",
        ),
        hv.opts.Image(
            **shared,
            aspect=1.3,
            fig_inches=5,
            interpolation="nearest",
            hooks=[title_matplotlib],
            backend="matplotlib",
        ),
    )


def _name_on_hover(
    plot: Any, element: Any, *, rows: np.ndarray, columns: np.ndarray, dims: tuple[str, str], shape: tuple[int, int]
) -> None:
    """Show the labels under the pointer, as text; of a block of genes or TFs its first."""
    from bokeh.models import CustomJSHover, HoverTool

    def named(labels: np.ndarray, positions: int, upwards: bool) -> Any:
        first = [shortened(labels[int(at * labels.size / positions)]) for at in range(positions)]
        code = "const at = Math.round(special_vars.{}); return names[at] ?? ''".format("y" if upwards else "x")
        return CustomJSHover(args={"names": first[::-1] if upwards else first}, code=code)

    formatters = {"$y": named(rows, shape[0], True), "$x": named(columns, shape[1], False)}
    words = (WORDS[dims[0]], WORDS[dims[1]])
    tips = [(words[0], "$y{custom}"), (words[1], "$x{custom}"), (element.vdims[0].label, "@image")]
    plot.handles["plot"].add_tools(HoverTool(tooltips=tips, formatters=formatters))


def _place(at: int, labels: int, positions: int) -> float:
    """Return where a label stands among fewer positions: in the middle of its own, if there are as many."""
    return (at + 0.5) * positions / labels - 0.5


def _colours(stops: tuple[str, ...]) -> list[str]:
    """Return 256 colours between some, evenly spaced."""
    parts = np.array([[int(stop[i : i + 2], 16) for i in (1, 3, 5)] for stop in stops])
    where = np.linspace(0, len(stops) - 1, 256)
    rgb = np.stack([np.interp(where, np.arange(len(stops)), part) for part in parts.T], axis=1).round().astype(int)
    return [f"#{red:02x}{green:02x}{blue:02x}" for red, green, blue in rgb]


def ticks(labels: np.ndarray, most: int = _MOST_NAMES) -> list[tuple[int, str]]:
    """Return positions and labels for an axis, evenly spaced where there are many; names that are markup as numbers."""
    step = 1 if labels.size <= most else _round_step(labels.size / _FEW_NAMES)
    return [(at, plain_text(labels[at], at)) for at in range(0, labels.size, step)]


def _round_step(least: float) -> int:
    """Return the smallest of 1, 2, 5, 10, 20, 50 and so on that is not less."""
    power = 10 ** int(np.floor(np.log10(least)))
    return next(int(power * digit) for digit in (1, 2, 5, 10) if power * digit >= least)


def plain_text(label: Any, at: int) -> str:
    """Return a label as text that no library reads as markup, or else its position."""
    text = str(label)
    return text if len(text) <= 24 and not set(text) & set("$\\{}<>&") and text.isascii() else f"#{at}"


def _axis_of(dim: str, count: int) -> str:
    return f"{WORDS[dim]} ({count:,})" if count > _MOST_NAMES else WORDS[dim]


def evenly(size: int, most: int) -> np.ndarray:
    """Return at most so many positions, evenly spaced."""
    return np.unique(np.linspace(0, size - 1, min(size, most)).round().astype(int))


def _evenly_and_furthest(off: np.ndarray, most: int) -> np.ndarray:
    """Return at most so many positions: if not all, half evenly spaced, and of the others those that are off most."""
    some = evenly(off.size, most if off.size <= most else most // 2)
    others = np.setdiff1d(np.arange(off.size), some)
    furthest = others[np.argsort(-off[others], kind="stable")[: most - some.size]]
    return np.sort(np.concatenate([some, furthest]))


def clustered(rows: np.ndarray) -> np.ndarray:
    """Return an order in which similar rows of booleans are neighbours (average linkage of Jaccard distances)."""
    from scipy.cluster.hierarchy import leaves_list, linkage, optimal_leaf_ordering
    from scipy.spatial.distance import pdist

    if len(rows) < 3:
        return np.arange(len(rows))
    distances = np.nan_to_num(pdist(rows, "jaccard"))
    tree = linkage(distances, "average")
    return np.asarray(leaves_list(optimal_leaf_ordering(tree, distances) if len(rows) <= 300 else tree))


def block_means(label: xr.DataArray, most: dict[str, int]) -> xr.DataArray:
    """Return shares of bound pairs in blocks of genes x TFs, so few that they can be drawn; lazy for dask.

    The coordinates are the first label of each block.
    """
    sizes = {dim: -(-label.sizes[dim] // most[dim]) for dim in (GENE, TF)}
    if max(sizes.values()) == 1:
        return label.astype(np.float32)
    bare = label.drop_vars([name for name in label.coords if name not in label.dims or name in (GENE, TF)])
    shares = bare.astype(np.float32).coarsen(sizes, boundary="pad").mean()
    firsts = {dim: label.indexes[dim][:: sizes[dim]] for dim in (GENE, TF)}
    return shares.assign_coords(firsts)
