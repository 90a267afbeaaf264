"""Plots of TFs: bound fractions, bound genes, and TFs that bind the same genes."""

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
_MOST_NAMES, _FEW_NAMES = 25, 8  # labels of an axis; all of fewer, or this many of more
_MOST_LETTERS = 36  # characters of all names of an axis
_MOST_UPRIGHT = 12  # names side by side


def bound_fraction(
    ds: xr.Dataset, *, tf: Labels = None, gene: Labels = None, **options: Unpack[Options]
) -> "hv.Overlay":
    """Draw the observed and expected fraction of genes that each TF binds.

    Parameters
    ----------
    ds
        A dataset with ``label`` and dimensions ``(..., gene, tf)``, NumPy or dask; it is read once.
    tf, gene
        A label or a list of labels to draw (default: all).
    **options
        ``title``, ``xlim``, ``ylim``, ``logx``, ``theory`` (False omits theory) and ``size`` (pixels).

    Returns
    -------
    holoviews.Overlay
        A ``Scatter`` of the observed fractions and, if the dataset has the coordinate ``bound_fraction``, a ``Curve``
        of expected ones.

    Raises
    ------
    InputError
        If a TF or a gene is not in the dataset, or it lacks its labels, a dimension or an index.

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
    """Draw fractions of genes that each TF binds: observed as points, expected as a line of steps."""
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
    """Draw a value for each TF as a point, expected values as a line of steps, and an optional named level.

    At most 2,000 TFs are drawn: half of them are evenly spaced, and half have the largest deviations from the expected
    value or the median.
    """
    hv = load_holoviews()
    dims = [hv.Dimension("position", label="TF"), dim]
    known = observed[np.isfinite(observed)]
    centre = expected if expected is not None else np.median(known) if known.size else 0.0
    drawn = _choose_positions(np.nan_to_num(abs(observed - centre)), _MOST_FRACTIONS)
    if drawn.size < tfs.size:
        subtitle = _join(subtitle, f"{drawn.size:,} of {tfs.size:,} TFs, with the largest deviations")
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
    """Return a limited number of positions: half of them evenly spaced, and half with the largest deviations."""
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
    """Draw the genes that each TF binds; for large datasets, the share of bound pairs in blocks of genes x TFs.

    Parameters
    ----------
    ds
        A dataset with ``label`` and dimensions ``(..., gene, tf)``, NumPy or dask; it is read once, block by block.
    tf, gene
        A label or a list of labels to draw (default: all).
    order
        ``"given"``; ``"name"`` (sorted by label); or ``"clustered"`` (similar genes and TFs next to each other, for at
        most 1,000 genes and 400 TFs, evenly spaced).
    **options
        ``title``, ``xlim``, ``ylim``, ``logx``, ``theory`` (False omits theory) and ``size`` (pixels).

    Returns
    -------
    holoviews.Image
        At most 400 x 400 shares from 0 to 1 (``bound``); TFs along x, genes along y, averaged over leading dimensions.

    Raises
    ------
    InputError
        If the order is invalid, a TF or a gene is not in the dataset, or it lacks its labels, a dimension or an index.

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
            title=join_titles("Genes that each TF binds", subtitle),
            clim=(0.0, 1.0 if single else max(1e-3, float(shares.max()))),
            cmap=SEQUENTIAL,
        ),
        **options,
    )


def _cluster(label: xr.DataArray) -> tuple[xr.DataArray, str]:
    """Return labels with similar genes and TFs next to each other, and a note about omitted ones."""
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
    """Return an order with similar boolean rows next to each other (average linkage of Jaccard distances)."""
    from scipy.cluster.hierarchy import leaves_list, linkage, optimal_leaf_ordering
    from scipy.spatial.distance import pdist

    if len(rows) < 3:
        return np.arange(len(rows))
    distances = np.nan_to_num(pdist(rows, "jaccard"))
    tree = linkage(distances, "average")
    return np.asarray(leaves_list(optimal_leaf_ordering(tree, distances) if len(rows) <= 300 else tree))


def _average_blocks(label: xr.DataArray) -> xr.DataArray:
    """Return shares of bound pairs in blocks of genes x TFs for drawing; lazy for dask."""
    sizes = {dim: -(-label.sizes[dim] // most) for dim, most in _MOST_CELLS.items()}
    if max(sizes.values()) == 1:
        return label.astype(np.float32)
    bare = label.drop_vars([name for name in label.coords if name not in label.dims or name in CORE_DIMS])
    return bare.astype(np.float32).coarsen(sizes, boundary="pad").mean()


def cobinding(ds: xr.Dataset, *, tf: Labels = None, gene: Labels = None, **options: Unpack[Options]) -> "hv.Image":
    """Draw the number of genes that two TFs both bind, relative to chance.

    Parameters
    ----------
    ds
        A dataset with ``label`` and dimensions ``(..., gene, tf)``, NumPy or dask; it is read once.
    tf, gene
        A label or a list of labels to draw. The default is all, or 200 evenly spaced TFs.
    **options
        ``title``, ``xlim``, ``ylim``, ``logx``, ``theory`` (False omits theory) and ``size`` (pixels).

    Returns
    -------
    holoviews.Image
        TFs x TFs: the number of genes bound by both, divided by the number expected for independent TFs (``ratio``). It
        is NaN on the diagonal, and for TFs without bound genes.

    Raises
    ------
    InputError
        If a TF or a gene is not in the dataset, or it lacks its labels, a dimension or an index.

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
            value=load_holoviews().Dimension("ratio", label="genes bound by both / expected by chance"),
            title=join_titles("TFs that bind the same genes", subtitle),
            clim=(1 - spread, 1 + spread),
            cmap=DIVERGING,
        ),
        **options,
    )


def _count_bound_by_both(label: xr.DataArray) -> np.ndarray:
    """Count the genes that both TFs of each pair bind, ``(TFs, TFs)``, in blocks of genes."""
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

    If rows or columns are blocks, there may be more labels.
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
    """Show the labels under the pointer as text; for a block of genes or TFs, the first one."""
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
    """Return the position of a label on an axis, whose positions may be fewer than labels."""
    return (at + 0.5) * positions / labels - 0.5


def make_ticks(labels: np.ndarray, most: int = _MOST_NAMES) -> list[tuple[int, str]]:
    """Return positions and labels for an axis, evenly spaced if there are many."""
    step = 1 if labels.size <= most else _round_step(labels.size / _FEW_NAMES)
    return [(at, make_plain_text(labels[at], at)) for at in range(0, labels.size, step)]


def _round_step(least: float) -> int:
    """Return the smallest of 1, 2, 5, 10, 20, 50 and so on that is at least the given number."""
    power = 10 ** int(np.floor(np.log10(least)))
    return next(int(power * digit) for digit in (1, 2, 5, 10) if power * digit >= least)


def make_plain_text(label: Any, at: int) -> str:
    """Return a label as text without markup, or its position."""
    text = str(label)
    plain = text.isascii() and text.isprintable() and not set(text) & set("$\\{}<>&")
    return text if plain and len(text) <= 24 else f"#{at}"


def _make_dim_label(dim: str, count: int) -> str:
    """Return the title of an axis of genes or TFs, with their number if not all have labels."""
    return f"{DIM_TITLES[dim]} ({count:,})" if count > _MOST_NAMES else DIM_TITLES[dim]


def space_evenly(size: int, most: int) -> np.ndarray:
    """Return a limited number of evenly spaced positions."""
    return np.unique(np.linspace(0, size - 1, min(size, most)).round().astype(int))


def _join(*notes: str) -> str:
    return ", ".join(filter(None, notes))
