"""The graph of relations of TFs, with edges from TFs that conditions name, through operators, to other TFs."""

import math
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np
import xarray as xr

from yeastxr._validate import unwrap
from yeastxr.errors import InputError, InputTypeError, escape_controls, format_value, shorten, suggest
from yeastxr.plot.style import (
    COLOURS,
    GREY,
    SERIES,
    Labels,
    Options,
    customize,
    finish_bokeh,
    join_titles,
    load_holoviews,
    set_matplotlib_title,
    set_options,
    shorten_name,
)
from yeastxr.simulation.operators import And, Not, Or, count_terms, iterate_tfs, to_label
from yeastxr.simulation.relations import check_relationships
from yeastxr.simulation.simulate import SimulationSpec
from yeastxr.simulation.sweeps import read_specs

if TYPE_CHECKING:
    import holoviews as hv

_MOST_TFS, _MOST_TERMS = 60, 400  # TFs that can be distinguished
_LONGEST_NAME = 14  # characters of a name on the circle; the node has more of it
_MOST_UPRIGHT = 16  # largest number of TFs with horizontal names
_LIMIT = 1.45  # limit of both axes, where the circle has the radius 1
_COLOURS = {"bound": SERIES[0], "unbound": SERIES[1]}  # colours of edges, by the required state of their start
_RADII = {"TF": 0.08, "and": 0.085, "or": 0.085}  # radii of nodes, at which edges end
_LONGEST_CONDITIONS = 200


@dataclass
class _Graph:
    """Nodes and edges; nodes are numbered, TFs first."""

    names: list[str] = field(default_factory=list)
    kinds: list[str] = field(default_factory=list)
    places: list[tuple[float, float]] = field(default_factory=list)
    conditions: list[str] = field(default_factory=list)
    edges: list[tuple[int, int, str]] = field(default_factory=list)

    def add_node(self, name: str, kind: str, place: tuple[float, float], conditions: str = "") -> int:
        """Add a node, and return its number."""
        self.names.append(name)
        self.kinds.append(kind)
        self.places.append(place)
        self.conditions.append(conditions)
        return len(self.names) - 1


def relations(
    data: xr.Dataset | SimulationSpec | Mapping[Hashable, Any],
    *,
    tf: Labels = None,
    **options: Unpack[Options],
) -> "hv.Overlay":
    """Draw the relations of TFs as a graph, with edges from TFs that conditions name to the TF with the conditions.

    All edges into a TF must hold. A node ``or`` holds if any edge into it holds; a node ``and`` holds if all edges do.
    An arrow means that its TF must bind the gene, or its node must hold; a bar means that it must not.

    Parameters
    ----------
    data
        A simulated dataset, a specification, or a dict in the form of ``tf_relationships``.
    tf
        A label or a list of labels: TFs whose conditions are drawn. The default is all or, in order, as many as have at
        most 60 TFs and 400 terms in total.
    **options
        ``title``, ``xlim``, ``ylim`` and ``size`` (pixels); ``logx`` and ``theory`` have no effect.

    Returns
    -------
    holoviews.Overlay
        A ``Graph``, whose nodes have a ``name``, a ``kind`` (``"TF"``, ``"and"`` or ``"or"``) and ``conditions`` as
        text, and whose edges have ``holds``, ``"bound"`` or ``"unbound"``; over it ``Labels`` of operators and of TFs.

    Raises
    ------
    InputError
        If there are no relations, a TF has none, conditions are invalid, or there are too many TFs or terms to draw.

    Examples
    --------
    >>> from yeastxr import plot
    >>> picture = plot.relations({"GAL4": "GAL3 & !GAL80", "MIG1": "GAL4 | RAP1"})
    >>> graph = picture.get(0)
    >>> graph.nodes.dimension_values("name").tolist()
    ['GAL4', 'GAL3', 'GAL80', 'MIG1', 'RAP1', 'or']
    >>> graph.dimension_values("holds").tolist()
    ['bound', 'unbound', 'bound', 'bound', 'bound']
    """
    relationships = _get_relationships(data)
    chosen, n_tfs = _select_tfs(relationships, tf)
    n_all = sum(1 for entries in relationships.values() if entries)
    subtitle = "arrow: must bind the gene; bar: must not"
    if len(chosen) < n_all:
        subtitle += f"\nconditions of {len(chosen):,} of {n_all:,} TFs"
    return customize(_draw_graph(_build_graph(chosen), n_tfs, subtitle), **options)


def _get_relationships(data: Any) -> Mapping[Hashable, Sequence[Any]]:
    """Return validated relationships of a dataset, a specification or a dict."""
    relationships: Mapping[Hashable, Sequence[Any]]
    if isinstance(data, Mapping) and not isinstance(data, xr.Dataset):
        relationships = check_relationships(data, None)
    else:
        if not isinstance(data, xr.Dataset | SimulationSpec):
            raise InputTypeError(
                f"data is of type {type(data).__name__}; expected a dataset, a SimulationSpec or a dict of relations"
            )
        specs = [data] if isinstance(data, SimulationSpec) else read_specs(data)
        relationships = specs[0].tf_relationships or {} if specs else {}
        if any((spec.tf_relationships or {}) != relationships for spec in specs[1:]):
            raise InputError(
                "data is a sweep with different relations; select one point, for example with ds.isel(...)"
            )
    if not any(relationships.values()):
        raise InputError("data has no relations of TFs; expected relations such as tf_relationships={'GAL4': '!GAL80'}")
    return relationships


def _select_tfs(
    relationships: Mapping[Hashable, Sequence[Any]], tf: Labels
) -> tuple[dict[Hashable, Sequence[Any]], int]:
    """Return the conditions to draw by TF, and the number of TFs with conditions."""
    related = {label: entries for label, entries in relationships.items() if entries}
    if tf is None:
        wanted = list(related)
    else:
        selection: Any = unwrap(tf)
        single = isinstance(selection, str) or not isinstance(selection, Iterable)
        wanted = [selection] if single else list(map(to_label, selection))
        if not wanted:
            raise InputError(f"tf is {format_value(tf)}, which is empty; expected a label or a list of labels")
    named: set[Hashable] = set()
    n_terms = 0
    chosen: dict[Hashable, Sequence[Any]] = {}
    for label in wanted:
        if not isinstance(label, Hashable) or isinstance(label, bool) or label not in related:
            raise InputError(f"tf is {format_value(label)}, which has no conditions; {suggest(label, related)}")
        more, terms = named | {label, *iterate_tfs(related[label])}, n_terms + count_terms(related[label])
        if len(more) <= _MOST_TFS and terms <= _MOST_TERMS:
            named, n_terms, chosen[label] = more, terms, related[label]
        elif tf is not None or (label == wanted[-1] and not chosen):
            raise InputError(
                f"the conditions to draw have {terms:,} terms of {len(more):,} TFs; "
                f"expected at most {_MOST_TERMS:,} of {_MOST_TFS}; select fewer TFs with tf"
            )
    return chosen, len(named)


def _build_graph(relationships: Mapping[Hashable, Sequence[Any]]) -> _Graph:
    """Return the graph of conditions: TFs on a circle, in order of appearance, and operators inside."""
    tfs = list(dict.fromkeys(label for tf, entries in relationships.items() for label in (tf, *iterate_tfs(entries))))
    graph = _Graph()
    numbers = {}
    for i, tf in enumerate(tfs):
        angle = math.pi / 2 - 2 * math.pi * i / len(tfs)  # clockwise from the top
        entries = relationships.get(tf, ())
        text = str(And(*entries)) if len(entries) > 1 else "".join(map(str, entries))
        text = shorten(escape_controls(text), _LONGEST_CONDITIONS)
        numbers[tf] = graph.add_node(shorten_name(tf), "TF", (math.cos(angle), math.sin(angle)), text)
    for tf, entries in relationships.items():
        # All conditions must hold, so the entries of an And are conditions of the TF.
        own = [part for entry in entries for part in (entry.entries if isinstance(entry, And) else [entry])]
        for entry in own:
            _add_entry(graph, numbers, entry, numbers[tf])
    return graph


def _add_entry(graph: _Graph, numbers: Mapping[Hashable, int], entry: Any, parent: int) -> None:
    """Add the edges of a condition to the node that it belongs to."""
    holds = True
    while isinstance(entry, Not) or (isinstance(entry, And | Or) and len(entry.entries) == 1):
        holds ^= isinstance(entry, Not)
        entry = entry.entries[0]
    if isinstance(entry, And | Or):
        kind = "and" if isinstance(entry, And) else "or"
        named = [graph.places[numbers[tf]] for tf in iterate_tfs([entry])]
        node = graph.add_node(kind, kind, _place_operator(graph.places[parent], named, graph.places))
        for inner in entry.entries:
            _add_entry(graph, numbers, inner, node)
    else:
        node = numbers[entry]
    graph.edges.append((node, parent, "bound" if holds else "unbound"))


def _place_operator(
    parent: tuple[float, float], named: Sequence[tuple[float, float]], taken: Sequence[tuple[float, float]]
) -> tuple[float, float]:
    """Return a position between a node and the TFs of an operator, away from other nodes if possible."""
    start, centre = np.array(parent), np.mean(named, axis=0)
    step = 0.42 * (centre - start)
    if np.hypot(*step) < 0.2:  # the operator names the node itself, or TFs around it
        step = -0.35 * start if np.hypot(*start) > 0.5 else np.array([0.0, 0.3])
    aside = np.array([-step[1], step[0]]) / np.hypot(*step)
    places = [start + step + shift * aside for shift in (0, 0.15, -0.15, 0.3, -0.3, 0.45, -0.45)]
    distances = [np.hypot(*(np.array(taken) - place).T).min() - (np.hypot(*place) > 0.87) for place in places]
    x, y = places[next((i for i, distance in enumerate(distances) if distance > 0.14), int(np.argmax(distances)))]
    return float(x), float(y)


def _draw_edge(graph: _Graph, edge: tuple[int, int, str]) -> np.ndarray:
    """Return the path of an edge, (points, 2): a curve between the borders of its nodes, with an arrow or a bar."""
    source, target, holds = edge
    start, end = np.array(graph.places[source]), np.array(graph.places[target])
    if source == target:  # a condition on the TF itself: a loop inside the circle
        angles = np.linspace(0.25, 2 * math.pi - 0.25, 24) + math.atan2(start[1], start[0])
        points = 0.88 * start + 0.12 * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    else:
        line = end - start
        bend = start + line / 2 + 0.12 * np.array([-line[1], line[0]])  # so that edges in both directions differ
        t = np.linspace(0, 1, 400)[:, None]
        points = (1 - t) ** 2 * start + 2 * t * (1 - t) * bend + t**2 * end
        from_start, from_end = np.hypot(*(points - start).T), np.hypot(*(points - end).T)
        kept = (from_start >= _RADII[graph.kinds[source]]) & (from_end >= _RADII[graph.kinds[target]])
        points = points[kept] if kept.sum() > 1 else points[199:201]
        points = points[np.linspace(0, len(points) - 1, min(24, len(points))).astype(int)]
    tip = points[-1]
    along = (tip - points[-2]) / max(1e-9, np.hypot(*(tip - points[-2])))
    across = np.array([-along[1], along[0]])
    if holds == "bound":
        head = [tip - 0.055 * along + 0.025 * across, tip, tip - 0.055 * along - 0.025 * across]
    else:
        head = [tip + 0.045 * across, tip - 0.045 * across]
    return np.vstack([points, *head])


def _draw_graph(graph: _Graph, n_tfs: int, subtitle: str) -> Any:
    """Draw a graph, with the names of its nodes."""
    hv = load_holoviews()
    x, y = np.array(graph.places).T
    is_tf = np.array(graph.kinds) == "TF"
    columns = (x, y, np.arange(x.size), graph.names, graph.kinds, graph.conditions)
    nodes = hv.Nodes(columns, vdims=["name", "kind", "conditions"])
    paths = hv.EdgePaths([_draw_edge(graph, edge) for edge in graph.edges])
    sources, targets, holds = (list(column) for column in zip(*graph.edges, strict=True))
    colours = [_COLOURS[value] for value in holds]
    tips = [("", "@name"), ("conditions", "@conditions")]
    layers = [
        set_options(
            hv.Graph(((sources, targets, holds, colours), nodes, paths), vdims=["holds", "colour"], label="relations"),
            edge_color=hv.dim("colour"),
            node_color=hv.dim("kind").categorize({"TF": COLOURS["bound"], "and": GREY, "or": GREY}),
            bokeh={
                "node_size": hv.dim("kind").categorize({"TF": 16, "and": 24, "or": 24}),
                "node_line_color": None,
                "edge_line_width": 1.6,
                "tools": ["hover"],
                "hover_tooltips": tips,
            },
            matplotlib={"node_size": 13, "node_edgecolors": "none", "edge_linewidth": 1.3},
        )
    ]
    if not is_tf.all():
        operators = (x[~is_tf], y[~is_tf], np.array(graph.names, dtype=object)[~is_tf])
        layers.append(
            set_options(
                hv.Labels(operators, label="operators"),
                bokeh={"text_color": "white", "text_font_size": "8pt"},
                matplotlib={"color": "white", "size": 6.5},
            )
        )
    names = np.array([shorten(name, _LONGEST_NAME) for name in graph.names], dtype=object)
    layers += _draw_names(hv, x[is_tf], y[is_tf], names[is_tf], n_tfs)
    limits = (-_LIMIT, _LIMIT)
    return set_options(
        hv.Overlay(layers),
        title=join_titles("Relations of TFs", subtitle),
        xlabel="",
        ylabel="",
        xaxis=None,
        yaxis=None,
        xlim=limits,
        ylim=limits,
        show_grid=False,
        show_legend=False,
        bokeh={"width": 560, "height": 560, "autohide_toolbar": True, "shared_axes": False, "hooks": [finish_bokeh]},
        matplotlib={"aspect": 1, "fig_inches": 6, "hooks": [set_matplotlib_title]},
    )


def _draw_names(hv: Any, x: np.ndarray, y: np.ndarray, names: np.ndarray, n_tfs: int) -> list[Any]:
    """Draw the names of TFs outside the circle, rotated if there are many."""
    turned = n_tfs > _MOST_UPRIGHT
    left = x < -0.02
    middle = np.zeros(x.size, bool) if turned else np.abs(x) < 0.3
    layers = []
    for side, mask in (("left", ~left & ~middle), ("right", left & ~middle), ("center", middle)):
        degrees = np.degrees(np.arctan2(y[mask], x[mask])) + (180 if side == "right" else 0)
        columns = (1.13 * x[mask], 1.13 * y[mask], names[mask], degrees if turned else 0 * degrees)
        layers.append(
            set_options(
                hv.Labels(columns, vdims=["name", "degrees"], label="TFs"),
                bokeh={
                    "text_align": side,
                    "text_font_size": "10pt",
                    "text_color": "black",
                    "angle": hv.dim("degrees"),
                },
                matplotlib={
                    "horizontalalignment": side,
                    "size": 9,
                    "color": "black",
                    "rotation": hv.dim("degrees"),
                    "hooks": [_finish_names],
                },
            )
        )
    return [layer for layer in layers if len(layer)]


def _finish_names(plot: Any, element: Any) -> None:
    """Set options of matplotlib that holoviews lacks: rotation about the ends of names, and literal dollar signs."""
    for text in plot.handles["artist"]:
        text.set_rotation_mode("anchor")
        text.set_parse_math(False)
