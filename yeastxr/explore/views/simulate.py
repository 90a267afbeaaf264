"""A form for the parameters and relations of a simulation, which runs again whenever one of them changes."""

import json
import math
from collections.abc import Callable, Mapping
from io import StringIO
from typing import Any

import pandas as pd
import panel as pn
import xarray as xr

from yeastxr import analysis, plot, qc
from yeastxr.errors import InputError
from yeastxr.explore.changes import (
    apply_changes,
    count_pairs,
    find_base,
    find_start,
    make_code,
    shrink,
)
from yeastxr.explore.fields import Form
from yeastxr.explore.figures import Figure
from yeastxr.explore.source import Source
from yeastxr.explore.state import State
from yeastxr.explore.style import STYLES
from yeastxr.explore.text import escape, make_table
from yeastxr.explore.views.base import View, make_figure_place, make_grid, make_html
from yeastxr.plot.scatter import MAX_POINTS
from yeastxr.plot.style import GREY, customize, draw_line, lay_out
from yeastxr.qc.bins import find_span, list_limits, round_up
from yeastxr.schema import BINDING, CORE_DIMS, LABEL, PERTURBATION, list_dims
from yeastxr.simulation.adjustment import adjusted_pairs
from yeastxr.simulation.presets import presets
from yeastxr.simulation.simulate import PRESET, SimulationSpec
from yeastxr.theory.features import find_spec

_MOST_AT_ONCE = 100_000  # pairs that are drawn while the page waits
_DESCRIPTIONS = {
    "effects": "magnitude of perturbation effects over binding effects, after the changes",
    PERTURBATION: "histogram of perturbation effects, after the changes and before",
    BINDING: "histogram of binding effects, after the changes and before",
    "status": "densities of perturbation effects by whether a pair is bound and its relations hold",
}
_ROWS = {
    "bound_fraction": "Bound pairs (%)",
    "effect_unbound": "Mean |perturbation effect|, unbound",
    "effect_bound": "Mean |perturbation effect|, bound",
    "effect_active": "Mean |perturbation effect|, bound, relations hold",
    "effect_inactive": "Mean |perturbation effect|, bound, relations fail",
    "binding_unbound": "Mean binding effect, unbound",
    "binding_bound": "Mean binding effect, bound",
    "auroc_effect": "AUROC of |perturbation effects| for bound pairs",
    "auroc_binding": "AUROC of binding effects for bound pairs",
}
_NOTE = (
    "Grey outlines in histograms are the simulation before, scaled to as many pairs: solid for unbound pairs, dashed "
    "for bound ones."
)
_CODE = """\
import pandas as pd
columns = {}
for name, data in {"before": before, "after": ds}.items():
    magnitude = abs(data.perturbation_effect)
    columns[name] = {
        "bound_fraction": 100 * float(data.label.mean()),
        "effect_unbound": float(magnitude.where(~data.label).mean()),
        "effect_bound": float(magnitude.where(data.label).mean()),
        "binding_unbound": float(data.binding_effect.where(~data.label).mean()),
        "binding_bound": float(data.binding_effect.where(data.label).mean()),
        "auroc_effect": float(yx.analysis.curves(data, score=magnitude, points=2).pooled_auroc),
        "auroc_binding": float(yx.analysis.curves(data, score=data.binding_effect, points=2).pooled_auroc),
    }
    relations = yx.spec_of(data).tf_relationships
    if relations:
        adjusted = yx.adjusted_pairs(data.label, relations)
        columns[name]["effect_active"] = float(magnitude.where(data.label & adjusted).mean())
        columns[name]["effect_inactive"] = float(magnitude.where(data.label & ~adjusted).mean())
table = pd.DataFrame(columns)
ds.yeast.plot.perturbation_histogram()"""


class SimulateView(View):
    """A form on one side, and on the other what its parameters change."""

    name, title = "simulate", "Simulate"
    selectors = ("point",)
    keeps_source = True

    def __init__(self, page: Any) -> None:
        super().__init__(page)
        self.form: Form | None = None
        self._base: SimulationSpec | None = None
        self._before = xr.Dataset()
        self._after = xr.Dataset()
        self._numbers: dict[str, dict[str, float]] = {}
        self._spec: SimulationSpec | None = None
        self._has_spec = False
        self._shown: Any = None  # the specifications and the point of what is drawn
        self._head = make_html()
        self.preset = pn.widgets.Select(label="Start from", stylesheets=[STYLES], sizing_mode="stretch_width")
        self.preset.param.watch(lambda event: self._choose_preset(event.new), "value")
        self._syncing = False
        self.save = pn.widgets.FileDownload(
            callback=self._write_spec,
            filename="spec.json",
            label="Save specification (JSON)",
            embed=False,
            auto=True,
            width=220,
            stylesheets=[STYLES],
        )
        self._form_place = pn.Column(
            sizing_mode="stretch_width", min_width=250, styles={"flex": "1 1 280px"}, stylesheets=[STYLES]
        )
        self._figures = {name: Figure(text) for name, text in _DESCRIPTIONS.items()}
        self._places = {name: make_figure_place() for name in _DESCRIPTIONS}
        self._table = make_html()
        results = pn.Column(
            self._table,
            make_grid(*self._places.values()),
            sizing_mode="stretch_width",
            min_width=250,
            styles={"flex": "3 1 520px", "position": "sticky", "top": "0"},
            stylesheets=[STYLES],
        )
        self.layout.objects = [
            self._head,
            pn.FlexBox(
                self._form_place,
                results,
                sizing_mode="stretch_width",
                stylesheets=[STYLES],
                align_items="flex-start",
                gap="16px",
            ),
        ]

    def show(self, state: State) -> None:
        """Bring the form in line with the changes, and draw what they change."""
        base = find_base(self.page.opened, state.point)
        start, spec = find_start(base, state.changes), apply_changes(base, state.changes)
        self._spec = spec
        self._has_spec = find_spec(self.page.opened.select(state.point)) is not None
        if base != self._base:
            self._before = xr.Dataset()
        if base != self._base or self.form is None or start != self.form.start:
            self._base = base
            self.form = Form(start, self._change, lambda changes: self._apply(changes).tf_labels)
            self._form_place.objects = [self.preset, self.form.layout, self.save]
        self._show_preset(state.changes)
        self.form.show(spec)
        shown = (base, spec, dict(state.point))
        if shown == self._shown:
            return
        self._shown = None
        live, live_base = shrink(spec), shrink(base)
        self._head.object = self._describe(live.note or live_base.note)

        def compute(report_share: Callable[[float], None]) -> dict[str, Any]:
            before = self._before or Source(live_base.spec.simulate(), "").ds
            report_share(0.3)
            here = before.isel(_find_point(before, state))
            after = self.source.select(state.point).compute() if state.changes else here
            numbers = {"before": measure(here), "after": measure(after)}
            report_share(0.7)
            return {"before": before, "after": after, "numbers": numbers, "pictures": draw_pictures(here, after)}

        def finish(result: dict[str, Any]) -> None:
            self._shown = shown
            self._before, self._after, self._numbers = result["before"], result["after"], result["numbers"]
            self._draw(result["pictures"])

        pairs = max(count_pairs(live.spec), count_pairs(live_base.spec))
        self.page.run(compute, finish, at_once=pairs <= _MOST_AT_ONCE)

    def _describe(self, note: str) -> str:
        """Return what the view is, and where its numbers are from, as HTML."""
        origin = (
            "The form begins with the opened dataset's specification"
            if self._has_spec
            else "The opened dataset has no specification: the form begins with the tutorial's numbers"
        )
        return (
            f"<h2>Simulate</h2><p>{origin}. Change a parameter or the relations, and all views show the new "
            "simulation. The seed stays, so that what differs is the effect of the change, not chance.</p>"
            + (f'<p class="notice">{escape(note, 500)}</p>' if note else "")
        )

    def _show_preset(self, changes: Mapping[str, str]) -> None:
        first = "the opened dataset" if self._has_spec else "the tutorial's numbers"
        self._syncing = True
        try:
            self.preset.options = {first: "", **{f"preset {name}": name for name in presets()}}
            self.preset.value = json.loads(changes.get(PRESET, '""'))
        finally:
            self._syncing = False

    def _choose_preset(self, name: str) -> None:
        if not self._syncing:
            self.page.go(changes={PRESET: json.dumps(name)} if name else {})

    def _apply(self, changes: Mapping[str, str]) -> SimulationSpec:
        """Return the specification of changes of the form."""
        return apply_changes(self._get_base(), self._list_preset() | dict(changes))

    def _get_base(self) -> SimulationSpec:
        assert self._base is not None  # the form is there once a state was shown
        return self._base

    def _list_preset(self) -> dict[str, str]:
        return {PRESET: json.dumps(self.preset.value)} if self.preset.value else {}

    def _change(self) -> None:
        """Simulate what the form has; what is invalid is said there, and the last simulation stays."""
        assert self.form is not None
        self.page.tell("")
        try:
            changes = self.form.read_changes()
            self._apply(changes)
        except InputError as error:
            if not self.form.tell(str(error)):
                self.page.tell(str(error))
            return
        self.page.go(changes=self._list_preset() | changes)

    def _draw(self, pictures: Mapping[str, Any]) -> None:
        """Draw the new simulation, and list what differs."""
        for name, place in self._places.items():
            picture = pictures.get(name)
            place.visible = picture is not None
            if picture is None:
                continue
            figure = self._figures[name]
            if figure.draw(picture, "Simulation") or place.object is not figure.model:
                place.object = figure.model
        rows = [
            (_ROWS[name], *(_write(self._numbers[when].get(name, math.nan)) for when in self._numbers))
            for name in self.make_table()["quantity"]
        ]
        table = make_table(("", *self._numbers), rows, "Before and after the changes")
        self._table.object = f'{table}<p class="note">{_NOTE}</p>'

    def make_table(self) -> pd.DataFrame:
        """Return means and areas under curves, before and after the changes."""
        table = pd.DataFrame(self._numbers, columns=["before", "after"])
        return table.reindex([name for name in _ROWS if name in table.index]).rename_axis("quantity").reset_index()

    def make_picture(self) -> Any:
        """Return the plots."""
        if not self._before:
            return None
        return lay_out(
            list(draw_pictures(self._before.isel(_find_point(self._before, self.page.state)), self._after).values()), 2
        )

    def make_code(self, state: State) -> list[str]:
        """Return Python lines that make the table and a plot."""
        base = find_base(self.page.opened, state.point)
        lines = make_code(shrink(base).spec, "before").splitlines()
        if not state.changes:
            lines.append("ds = before")
        for name, ds in (("before", self._before), ("ds", self.source.ds if state.changes else self._before)):
            point = _find_point(ds, state)
            lines += [f"{name} = {name}.isel({point!r})"] if point else []
        return [*lines, *_CODE.splitlines()]

    def _write_spec(self) -> StringIO:
        assert self._spec is not None
        return StringIO(json.dumps(self._spec.to_dict(), indent=2))


def _find_point(ds: xr.Dataset, state: State) -> dict[str, int]:
    """Return the positions along all leading dims of a simulation, which may have fewer than what is shown."""
    return {dim: min(state.point.get(dim, 0), ds.sizes[dim] - 1) for dim in list_dims(ds) if dim not in CORE_DIMS}


def _write(value: float) -> str:
    return "–" if pd.isna(value) else f"{value:.4g}"


def measure(ds: xr.Dataset) -> dict[str, float]:
    """Return means of effects by label and by status, and areas under ROC curves."""
    label, magnitude, binding = ds[LABEL], abs(ds[PERTURBATION]), ds[BINDING]  # as arrays they get no curves by theory
    numbers = {
        "bound_fraction": 100 * float(label.mean()),
        "effect_unbound": float(magnitude.where(~label).mean()),
        "effect_bound": float(magnitude.where(label).mean()),
        "binding_unbound": float(binding.where(~label).mean()),
        "binding_bound": float(binding.where(label).mean()),
        "auroc_effect": float(analysis.curves(ds, score=magnitude, points=2)["pooled_auroc"]),
        "auroc_binding": float(analysis.curves(ds, score=binding, points=2)["pooled_auroc"]),
    }
    spec = find_spec(ds)
    if spec is not None and spec.tf_relationships:
        adjusted = adjusted_pairs(label, spec.tf_relationships)
        numbers["effect_active"] = float(magnitude.where(label & adjusted).mean())
        numbers["effect_inactive"] = float(magnitude.where(label & ~adjusted).mean())
    return numbers


def draw_pictures(before: xr.Dataset, after: xr.Dataset) -> dict[str, Any]:
    """Draw a simulation, with outlines of the one before."""
    pictures = {
        "effects": plot.binding_vs_perturbation(after, max_points=MAX_POINTS, title="Perturbation over binding"),
        PERTURBATION: _draw_histogram(before, after, PERTURBATION, plot.perturbation_histogram),
        BINDING: _draw_histogram(before, after, BINDING, plot.binding_histogram),
    }
    spec = find_spec(after)
    if spec is not None and spec.tf_relationships:
        pictures["status"] = plot.relation_status(after, title="Perturbation effects by relation status")
    return pictures


def _draw_histogram(before: xr.Dataset, after: xr.Dataset, feature: str, draw: Callable[..., Any]) -> Any:
    """Draw a histogram of a simulation, and outlines of that before, of as many pairs."""
    limits = _find_limits(feature, before, after)
    counts = qc.histogram(before, feature, limits=limits).compute()
    scale = after[feature].size / before[feature].size
    picture = draw(after, limits=limits, theory=False)
    dims = (picture.get(0).kdims[0], picture.get(0).vdims[0])
    heights = {name: scale * counts["cells"].sel({LABEL: name}).values for name in (False, True)}
    outlines = [
        draw_line(
            (counts["bin"].values, heights[bound]),
            dims,
            "before",
            GREY,
            dashed=bound,
            interpolation="steps-mid",
            show_legend=not bound,
        )
        for bound in heights
    ]
    columns = [*(layer.dimension_values(1) for layer in picture), *heights.values()]
    most = max(float(column.max()) for column in columns)
    return customize(picture.clone([*picture, *outlines]), ylim=(0, 1.05 * max(most, 1.0)))


def _find_limits(feature: str, *datasets: xr.Dataset) -> tuple[float, float]:
    """Return the ends of a histogram of several datasets."""
    ends = [list_limits(ds).get(feature) for ds in datasets]
    if None in ends:
        most = max(qc.largest_effects(ds, feature)[feature] for ds in datasets)
        return find_span(datasets[0][feature], feature, round_up(most))
    lower, upper = zip(*ends, strict=True)
    return min(lower), max(upper)
