"""Pictures of TFs: how many genes each binds, which genes, and which TFs bind the same ones."""

from functools import partial
from typing import Any

import numpy as np
import xarray as xr

from yeastxr.elements import COLOURS, DARK, WORDS, finish_bokeh, flat, holoviews, overlay, shortened, title_matplotlib
from yeastxr.schema import GENE, TF

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
