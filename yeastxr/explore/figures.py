"""Pictures as figures of the page: as wide as there is room, described for screen readers, and with a selection.

Drawing a figure anew takes bokeh about 0.1 s, and its zoom is lost. Where another picture has the same layers, its data
replace those of the figure.
"""

import textwrap
from collections.abc import Callable, Collection
from typing import Any

import numpy as np

from yeastxr.errors import shorten
from yeastxr.explore.selection import PLANES, Box
from yeastxr.plot.style import load_holoviews, shorten_name

HEIGHT = 360  # pixels
_LEGEND_WIDTH = 18  # letters of an item: two fit a phone
_LABEL_WIDTH = 46  # letters of a line of an axis' label
_PADDING = 0.04  # of a figure's ranges, as of pictures
Select = Callable[[Box | None], None]


class Figure:
    """A bokeh figure that shows one picture after another.

    Parameters
    ----------
    description
        What the figure shows, in words.
    """

    def __init__(self, description: str) -> None:
        self.description = description
        self.model: Any = None
        self._layers: list[type] = []

    def draw(self, picture: Any, name: str) -> bool:
        """Show a holoviews overlay, whose subject has a name; return whether the figure is a new one."""
        layers = [type(layer) for layer in picture]
        is_new = self.model is None or layers != self._layers or not self._replace(picture)
        if is_new:
            self.model = load_holoviews().render(picture, backend="bokeh")
            self.model.update(width=None, height=HEIGHT, sizing_mode="stretch_width", min_width=260)
            self.model.output_backend = "canvas"  # WebGL takes seconds where there is no GPU, as on remote machines
            for legend in self.model.legend:
                legend.ncols = min(2, len(legend.items)) or 1  # a phone has no room for more
            self._layers = layers
        for legend in self.model.legend:
            for item in legend.items:
                item.label = {"value": shorten(str(item.label["value"]), _LEGEND_WIDTH)}
        for axis in self.model.xaxis:
            axis.axis_label = wrap_label(axis.axis_label)
        self.model.html_attributes = {"role": "img", "aria-label": f"{shorten_name(name)}: {self.description}"}
        return is_new

    def _replace(self, picture: Any) -> bool:
        """Put the data of another picture into the figure, unless its layers have other columns, as those of bins."""
        columns = []
        for renderer, layer in zip(self.model.renderers, picture, strict=False):
            names = list(renderer.data_source.data)
            columns.append(make_columns(layer, names))
            if set(columns[-1]) != set(names):
                return False
        options = load_holoviews().Store.lookup_options("bokeh", picture, "plot").kwargs
        labels = {}
        for renderer, layer, data in zip(self.model.renderers, picture, columns, strict=False):
            renderer.data_source.selected.indices = []
            renderer.data_source.data = data
            labels[renderer.id] = layer.label
        for legend in self.model.legend:
            for item in legend.items:
                if item.renderers and item.renderers[0].id in labels:
                    item.label = {"value": labels[item.renderers[0].id]}
        for axis in self.model.xaxis:
            axis.axis_label = options["xlabel"]
        for range_, (lower, upper) in zip(
            (self.model.x_range, self.model.y_range), find_ranges(picture, options), strict=True
        ):
            range_.update(start=lower, end=upper, reset_start=lower, reset_end=upper)
        return True


def wrap_label(label: str | None) -> str:
    """Return the label of an axis in lines that fit a narrow figure."""
    lines = (label or "").split("\n")
    return "\n".join(part for line in lines for part in textwrap.wrap(line, _LABEL_WIDTH) or [""])


def make_columns(layer: Any, names: list[str]) -> dict[str, np.ndarray]:
    """Return the data of a layer as the columns of a bokeh source, which has some names."""
    hv = load_holoviews()
    if isinstance(layer, hv.Histogram):
        x, top = layer.dimension_values(0), layer.dimension_values(1)
        columns = {"top": top, "left": layer.edges[:-1], "right": layer.edges[1:]}
        return columns | dict(zip(names[3:], (x, top), strict=False))  # what hovering shows
    if isinstance(layer, hv.Area):
        x, lower, upper = (layer.dimension_values(i) for i in range(3))
        drawn = np.isfinite(lower) & np.isfinite(upper)
        x, lower, upper = x[drawn], lower[drawn], upper[drawn]
        return {"x": np.concatenate([x, x[::-1]]), "y": np.concatenate([lower, upper[::-1]])}
    steps = hv.Store.lookup_options("bokeh", layer, "plot").kwargs.get("interpolation", "linear")
    if steps != "linear":
        from holoviews.operation import interpolate_curve

        layer = interpolate_curve(layer, interpolation=steps)
    dims = layer.dimensions()
    return {name: layer.dimension_values(dim) for name, dim in zip(names, dims, strict=False)}


def find_ranges(picture: Any, options: dict[str, Any]) -> list[tuple[float, float]]:
    """Return the ends of a picture's axes: those that its options set, or else of its data with some room."""
    hv = load_holoviews()
    ranges = []
    for axis, option in enumerate(("xlim", "ylim")):
        lower, upper = options.get(option) or (None, None)
        columns = []
        for layer in picture:
            if isinstance(layer, hv.Histogram):
                columns.append(layer.edges if axis == 0 else np.append(layer.dimension_values(1), 0.0))
            else:
                columns += [layer.dimension_values(i) for i in ((0,) if axis == 0 else range(1, _count_heights(layer)))]
        values = np.concatenate([np.asarray(column, float) for column in columns])
        values = values[np.isfinite(values)]
        least, most = (float(values.min()), float(values.max())) if values.size else (0.0, 1.0)
        room = _PADDING * (most - least) or 0.5
        starts_at_0 = axis == 1 and any(isinstance(layer, hv.Histogram) for layer in picture)
        first = 0.0 if starts_at_0 else least - room
        ranges.append((first if lower is None else lower, most + room if upper is None else upper))
    return ranges


def _count_heights(layer: Any) -> int:
    """Return up to which dimension of a layer values are heights."""
    return 3 if isinstance(layer, load_holoviews().Area) else 2


class LinkedFigure(Figure):
    """A figure in which a rectangle selects pairs, and which shows the pairs that are selected elsewhere.

    Parameters
    ----------
    description
        What the figure shows, in words.
    plane
        The name of its axes in :data:`yeastxr.explore.selection.PLANES`.
    key
        The name of the points' column that tells pairs apart: ``gene`` or ``tf``.
    select
        Called with a box once one is drawn, and with None once the figure is reset.
    """

    def __init__(self, description: str, plane: str, key: str, select: Select) -> None:
        super().__init__(description)
        self._plane, self._key, self._select = plane, key, select
        self._points: list[Any] = []
        self._bars: Any = None

    def draw(self, picture: Any, name: str) -> bool:
        """Show a holoviews overlay of points or of histograms, whose subject has a name."""
        is_new = super().draw(picture, name)
        if is_new:
            self._link()
        if self._bars is not None:
            ends = self.model.renderers[0].data_source.data
            self._bars.data = {"left": ends["left"], "right": ends["right"], "top": np.zeros(len(ends["left"]))}
        return is_new

    def show(self, labels: Collection[Any] | None, values: np.ndarray) -> None:
        """Show the selected pairs, by their labels and by their values along x; None for no selection."""
        if self._bars is not None:
            edges = np.append(self._bars.data["left"], self._bars.data["right"][-1:])
            counts = np.zeros(edges.size - 1) if labels is None else np.histogram(values, edges)[0]
            self._bars.data = {**self._bars.data, "top": counts.astype(float)}
        chosen = None if labels is None else set(map(str, labels))
        for renderer in self._points:
            source = renderer.data_source
            keys = source.data[self._key]
            # Bokeh takes no index for no selection, so that a selection of none has one beyond the end.
            rows = [] if chosen is None else [i for i, key in enumerate(keys) if str(key) in chosen] or [len(keys)]
            source.selected.indices = rows

    def _link(self) -> None:
        """Give a new figure its tool and its events, and the looks of what is selected and what is not."""
        from bokeh.events import Reset, SelectionGeometry
        from bokeh.models import BoxSelectTool

        self._points = [renderer for renderer in self.model.renderers if self._key in renderer.data_source.data]
        self._bars = None if self._points else self._add_bars()
        for renderer in self._points:
            renderer.selection_glyph = renderer.glyph.clone(line_color="#000000", line_alpha=1.0, fill_alpha=0.9)
            renderer.nonselection_glyph = renderer.glyph.clone(line_alpha=0.08, fill_alpha=0.08)
        dimensions = "both" if len(PLANES[self._plane]) == 2 else "width"
        tool = BoxSelectTool(dimensions=dimensions, description="Select pairs")
        self.model.add_tools(tool)
        self.model.toolbar.active_drag = tool
        self.model.on_event(SelectionGeometry, self._select_box)
        self.model.on_event(Reset, lambda _: self._select(None))

    def _add_bars(self) -> Any:
        """Add bars of the selected pairs to a figure of histograms, with the same bins."""
        from bokeh.models import ColumnDataSource

        source = ColumnDataSource({"left": [], "right": [], "top": []})
        looks = {"fill_color": "#000000", "fill_alpha": 0.55, "line_color": None}
        self.model.quad("left", "right", "top", 0, source=source, **looks)
        return source

    def _select_box(self, event: Any) -> None:
        geometry = event.geometry
        if event.final and geometry.get("type") == "rect":
            self._select(Box.make(self._plane, geometry["x0"], geometry["x1"], geometry["y0"], geometry["y1"]))
