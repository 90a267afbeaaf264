"""Pictures of TFs: how many genes each binds, which genes, and which TFs bind the same ones."""

from functools import partial
from threading import Lock
from typing import TYPE_CHECKING, Any, Literal, Unpack

import numpy as np
import xarray as xr

from yeastxr._blocks import Region, align_features, for_each_block
from yeastxr._validate import check_choice
from yeastxr.plot.style import (
    COLOURS,
    DARK,
    DIM_TITLES,
    DIVERGING,
    GREY,
    SEQUENTIAL,
    Labels,
    Options,
    customize,
    draw_line,
    draw_overlay,
    finish_bokeh,
    flatten,
    join_titles,
    load_holoviews,
    select,
    set_matplotlib_title,
    set_options,
    shorten_name,
)
from yeastxr.schema import BOUND_FRACTION, CORE_DIMS, GENE, LABEL, TF, get_label

if TYPE_CHECKING:
    import holoviews as hv

_MOST_FRACTIONS = 2000
_MOST_CELLS = {GENE: 400, TF: 400}
_MOST_CLUSTERED = {GENE: 1000, TF: 400}
_MOST_TFS = 200
_MOST_NAMES, _FEW_NAMES = 25, 8  # of an axis, so that they can be read: all, or that many of a larger number
_MOST_LETTERS = 36  # of all names of an axis
_MOST_UPRIGHT = 12  # names side by side


def bound_fraction(
    ds: xr.Dataset, *, tf: Labels = None, gene: Labels = None, **options: Unpack[Options]
) -> "hv.Overlay":
    """Draw the fraction of genes that each TF binds: observed, and expected.

    Parameters
    ----------
    ds
        A dataset with ``label``, dims ``(..., gene, tf)``, NumPy or dask; it is read once.
    tf, gene
        A label or a list of labels to draw; all by default.
    **options
        ``title``, ``xlim``, ``ylim``, ``logx``, ``theory`` (False drops its lines) and ``size`` (pixels).

    Returns
    -------
    holoviews.Overlay
        A ``Scatter`` of the observed fractions, over a ``Curve`` of those that the coordinate ``bound_fraction`` holds,
        if the dataset has it.

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
    ds, subtitle = select(ds, tf, gene)
    label = get_label(ds, "plot.bound_fraction")
    return customize(
        draw_fractions(ds, subtitle, label.mean([dim for dim in label.dims if dim != TF]).values), **options
    )


def draw_fractions(ds: xr.Dataset, subtitle: str, observed: np.ndarray) -> Any:
    """Draw the fraction of genes that each TF binds: observed as points, expected as a line of steps."""
    expected = None
    if BOUND_FRACTION in ds.coords:
        fractions = ds[BOUND_FRACTION]
        expected = fractions.mean([dim for dim in fractions.dims if dim != TF]).values  # of all points of a sweep
    dim = load_holoviews().Dimension("fraction", label="bound fraction")
    most = float(max(observed.max(), 0 if expected is None else expected.max()))
    limits = {"ylim": (0, max(1e-9, 1.1 * most))}
    return draw_tfs(ds[TF].values, observed, expected, dim, "Bound fraction by TF", subtitle, limits=limits)


def draw_tfs(
    tfs: np.ndarray,
    observed: np.ndarray,
    expected: np.ndarray | None,
    dim: Any,
    title: str,
    subtitle: str,
    *,
    names: tuple[str, str] = ("expected", "observed"),
    level: tuple[str, float] | None = None,
    note: str = "",
    limits: dict[str, Any],
) -> Any:
    """Draw a number of each TF as a point, and the expected ones as a line of steps; and a level, by name, of all.

    Of more than 2,000 TFs as many are drawn: half of them evenly spaced, half those that are furthest from what is
    expected, or else from the median.
    """
    hv = load_holoviews()
    dims = [hv.Dimension("position", label="TF"), dim]
    known = observed[np.isfinite(observed)]
    centre = expected if expected is not None else np.median(known) if known.size else 0.0
    drawn = _choose_positions(np.nan_to_num(abs(observed - centre)), _MOST_FRACTIONS)
    if drawn.size < tfs.size:
        subtitle = _join(subtitle, f"{drawn.size:,} of {tfs.size:,} TFs, the furthest off among them")
    layers = []
    if level is not None:
        line = ([-0.5, tfs.size - 0.5], [level[1]] * 2)
        layers.append(draw_line(line, dims, level[0], GREY, dashed=True))
    if expected is not None:
        steps = (drawn, expected[drawn])
        layers.append(draw_line(steps, dims, names[0], DARK["bound"], interpolation="steps-mid"))
    columns = (drawn, observed[drawn], flatten(xr.DataArray(tfs[drawn])))
    size = 7 if tfs.size < 200 else 3
    tips = [("TF", "@name"), (dim.label, f"@{dim.name}")]
    layers.append(
        set_options(
            hv.Scatter(columns, kdims=dims[:1], vdims=[dims[1], "name"], label=names[1]),
            color=COLOURS["bound"],
            bokeh={"size": size, "line_color": None, "tools": ["hover"], "hover_tooltips": tips},
            matplotlib={"s": 2.5 * size, "linewidth": 0},
        )
    )
    ticks = make_ticks(tfs, _MOST_UPRIGHT)
    limits = limits | {"xticks": ticks}
    if sum(len(name) for _, name in ticks) > _MOST_LETTERS:
        limits["xrotation"] = 60
    xlabel = _make_dim_label(TF, tfs.size) + (f"\n{note}" if note else "")
    return draw_overlay(layers, title, subtitle, xlabel, dim.label, limits)


def _choose_positions(off: np.ndarray, most: int) -> np.ndarray:
    """Return at most that many positions: all, or half evenly spaced, and of the others those that are off most."""
    even = space_evenly(off.size, most if off.size <= most else most // 2)
    others = np.setdiff1d(np.arange(off.size), even)
    furthest = others[np.argsort(-off[others], kind="stable")[: most - even.size]]
    return np.sort(np.concatenate([even, furthest]))


def label_map(
    ds: xr.Dataset,
    *,
    tf: Labels = None,
    gene: Labels = None,
    order: Literal["given", "name", "clustered"] = "given",
    **options: Unpack[Options],
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
    **options
        ``title``, ``xlim``, ``ylim``, ``logx``, ``theory`` (False drops its lines) and ``size`` (pixels).

    Returns
    -------
    holoviews.Image
        At most 400 x 400 shares from 0 to 1 (``bound``); TFs along x, genes along y, averaged over leading dimensions.

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
    check_choice("order", order, ("given", "name", "clustered"))
    ds, subtitle = select(ds, tf, gene)
    label = get_label(ds, "plot.label_map")
    if order == "clustered":
        label, note = _cluster(label)
        subtitle = _join(subtitle, note)
    elif order == "name":
        label = label.isel({dim: np.argsort(label.indexes[dim], kind="stable") for dim in CORE_DIMS})
    shares = _average_blocks(label)
    shares = shares.mean([dim for dim in shares.dims if dim not in CORE_DIMS]).transpose(*CORE_DIMS).compute()
    single = shares.shape == (label.sizes[GENE], label.sizes[TF]) and label.ndim == 2
    return customize(
        _draw_image(
            shares.values,
            label[GENE].values,
            label[TF].values,
            dims=CORE_DIMS,
            value=load_holoviews().Dimension("bound", label="bound" if single else "share of bound pairs"),
            title=join_titles("Which genes each TF binds", subtitle),
            clim=(0.0, 1.0 if single else max(1e-3, float(shares.max()))),
            cmap=SEQUENTIAL,
        ),
        **options,
    )


def _cluster(label: xr.DataArray) -> tuple[xr.DataArray, str]:
    """Return labels with similar genes, and TFs, next to each other, and a note of what was left out."""
    kept = {dim: space_evenly(label.sizes[dim], most) for dim, most in _MOST_CLUSTERED.items()}
    notes = [
        f"{positions.size:,} of {label.sizes[dim]:,} {DIM_TITLES[dim]}s"
        for dim, positions in kept.items()
        if positions.size < label.sizes[dim]
    ]
    label = label.isel(kept)
    label = label.isel({dim: 0 for dim in label.dims if dim not in CORE_DIMS}).compute()
    bound = label.transpose(*CORE_DIMS).values
    return label.isel({GENE: _order_by_likeness(bound), TF: _order_by_likeness(bound.T)}), _join(*notes, "clustered")


def _order_by_likeness(rows: np.ndarray) -> np.ndarray:
    """Return an order in which similar rows of booleans are neighbours (average linkage of Jaccard distances)."""
    from scipy.cluster.hierarchy import leaves_list, linkage, optimal_leaf_ordering
    from scipy.spatial.distance import pdist

    if len(rows) < 3:
        return np.arange(len(rows))
    distances = np.nan_to_num(pdist(rows, "jaccard"))
    tree = linkage(distances, "average")
    return np.asarray(leaves_list(optimal_leaf_ordering(tree, distances) if len(rows) <= 300 else tree))


def _average_blocks(label: xr.DataArray) -> xr.DataArray:
    """Return shares of bound pairs in blocks of genes x TFs, few enough to be drawn; lazy for dask."""
    sizes = {dim: -(-label.sizes[dim] // most) for dim, most in _MOST_CELLS.items()}
    if max(sizes.values()) == 1:
        return label.astype(np.float32)
    bare = label.drop_vars([name for name in label.coords if name not in label.dims or name in CORE_DIMS])
    return bare.astype(np.float32).coarsen(sizes, boundary="pad").mean()


def cobinding(ds: xr.Dataset, *, tf: Labels = None, gene: Labels = None, **options: Unpack[Options]) -> "hv.Image":
    """Draw how many genes two TFs bind both, over how many they would by chance.

    Parameters
    ----------
    ds
        A dataset with ``label``, dims ``(..., gene, tf)``, NumPy or dask; it is read once.
    tf, gene
        A label or a list of labels to draw; all by default, or, of more than 200 TFs, 200 that are evenly spaced.
    **options
        ``title``, ``xlim``, ``ylim``, ``logx``, ``theory`` (False drops its lines) and ``size`` (pixels).

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
    ds, subtitle = select(ds, tf, gene)
    label = get_label(ds, "plot.cobinding")
    kept = space_evenly(label.sizes[TF], _MOST_TFS)
    if kept.size < label.sizes[TF]:
        subtitle = _join(subtitle, f"{kept.size} of {label.sizes[TF]:,} TFs")
        label = label.isel({TF: kept})
    both = _count_bound_by_both(label)
    counts = np.diag(both)
    cells = label.size / label.sizes[TF]
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = both * cells / np.outer(counts, counts)
    np.fill_diagonal(ratio, np.nan)
    ratio[~np.isfinite(ratio)] = np.nan
    known = ratio[np.isfinite(ratio)]
    spread = max(0.1, float(np.quantile(abs(known - 1), 0.99))) if known.size else 1.0
    tfs = label[TF].values
    return customize(
        _draw_image(
            ratio,
            tfs,
            tfs,
            dims=(TF, TF),
            value=load_holoviews().Dimension("ratio", label="genes bound by both / by chance"),
            title=join_titles("TFs that bind the same genes", subtitle),
            clim=(1 - spread, 1 + spread),
            cmap=DIVERGING,
        ),
        **options,
    )


def _count_bound_by_both(label: xr.DataArray) -> np.ndarray:
    """Count, for each pair of TFs, the genes that both bind: ``(TFs, TFs)``, block by block of genes."""
    arrays = align_features(label.to_dataset(name=LABEL), [LABEL])
    if arrays[0].chunks:
        arrays = [arrays[0].chunk({TF: -1})]
    total = np.zeros((label.sizes[TF],) * 2)
    lock = Lock()

    def add_block(_: Region, planes: list[np.ndarray]) -> None:
        rows = planes[0].reshape(-1, total.shape[0]).astype(np.float32)
        both = rows.T @ rows
        with lock:
            total[...] += both

    for_each_block(arrays, add_block)
    return total


def _draw_image(
    values: np.ndarray,
    rows: np.ndarray,
    columns: np.ndarray,
    *,
    dims: tuple[str, str],
    value: Any,
    title: str,
    clim: tuple[float, float],
    cmap: str,
) -> Any:
    """Draw a matrix of rows x columns with labels along its axes, the first row on top.

    There may be more labels than rows or columns, where these are blocks.
    """
    hv = load_holoviews()
    height, width = values.shape
    kdims = [hv.Dimension("column", label=DIM_TITLES[dims[1]]), hv.Dimension("row", label=DIM_TITLES[dims[0]])]
    shared: dict[str, Any] = {
        "title": title,
        "xlabel": _make_dim_label(dims[1], columns.size),
        "ylabel": _make_dim_label(dims[0], rows.size),
        "xticks": [(_place(at, columns.size, width), name) for at, name in make_ticks(columns)],
        "yticks": [(height - 1 - _place(at, rows.size, height), name) for at, name in make_ticks(rows)],
        "clim": clim,
        "cmap": cmap,
        "colorbar": True,
    }
    if columns.size <= _MOST_NAMES and max(len(str(name)) for name in columns) > 3:
        shared["xrotation"] = 60
    name_on_hover = partial(_name_on_hover, rows=rows, columns=columns, dims=dims, shape=values.shape)
    return set_options(
        hv.Image(values, bounds=(-0.5, -0.5, width - 0.5, height - 0.5), kdims=kdims, vdims=[value.clone(range=clim)]),
        **shared,
        bokeh={"width": 480, "height": 400, "hooks": [finish_bokeh, name_on_hover]},
        matplotlib={"aspect": 1.3, "fig_inches": 5, "interpolation": "nearest", "hooks": [set_matplotlib_title]},
    )


def _name_on_hover(
    plot: Any, element: Any, *, rows: np.ndarray, columns: np.ndarray, dims: tuple[str, str], shape: tuple[int, int]
) -> None:
    """Show the labels under the pointer, as text; of a block of genes or TFs its first."""
    from bokeh.models import CustomJSHover, HoverTool

    def show_names(labels: np.ndarray, positions: int, axis: str) -> Any:
        names = [shorten_name(labels[int(at * labels.size / positions)]) for at in range(positions)]
        code = f"const at = Math.round(special_vars.{axis}); return names[at] ?? ''"
        return CustomJSHover(args={"names": names[::-1] if axis == "y" else names}, code=code)

    formatters = {"$y": show_names(rows, shape[0], "y"), "$x": show_names(columns, shape[1], "x")}
    titles = [DIM_TITLES[dim] for dim in dims]
    tips = [(titles[0], "$y{custom}"), (titles[1], "$x{custom}"), (element.vdims[0].label, "@image")]
    plot.handles["plot"].add_tools(HoverTool(tooltips=tips, formatters=formatters))


def _place(at: int, labels: int, positions: int) -> float:
    """Return where a label stands among fewer positions: in the middle of its own, if there are as many."""
    return (at + 0.5) * positions / labels - 0.5


def make_ticks(labels: np.ndarray, most: int = _MOST_NAMES) -> list[tuple[int, str]]:
    """Return positions and labels for an axis, evenly spaced where there are many."""
    step = 1 if labels.size <= most else _round_step(labels.size / _FEW_NAMES)
    return [(at, make_plain_text(labels[at], at)) for at in range(0, labels.size, step)]


def _round_step(least: float) -> int:
    """Return the smallest of 1, 2, 5, 10, 20, 50 and so on that is not less."""
    power = 10 ** int(np.floor(np.log10(least)))
    return next(int(power * digit) for digit in (1, 2, 5, 10) if power * digit >= least)


def make_plain_text(label: Any, at: int) -> str:
    """Return a label as text that no library reads as markup, or else its position."""
    text = str(label)
    plain = text.isascii() and text.isprintable() and not set(text) & set("$\\{}<>&")
    return text if plain and len(text) <= 24 else f"#{at}"


def _make_dim_label(dim: str, count: int) -> str:
    """Return what an axis of genes or TFs is called, with their number where not all are named."""
    return f"{DIM_TITLES[dim]} ({count:,})" if count > _MOST_NAMES else DIM_TITLES[dim]


def space_evenly(size: int, most: int) -> np.ndarray:
    """Return at most that many positions, evenly spaced."""
    return np.unique(np.linspace(0, size - 1, min(size, most)).round().astype(int))


def _join(*notes: str) -> str:
    return ", ".join(filter(None, notes))
