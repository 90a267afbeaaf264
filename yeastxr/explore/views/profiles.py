"""The profiles of a TF, over genes, and of a gene, over TFs: plots that share a selection, and a table."""

from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import xarray as xr

from yeastxr import analysis, plot
from yeastxr.errors import InputError
from yeastxr.explore.figures import Figure, LinkedFigure
from yeastxr.explore.rows import RowsTable
from yeastxr.explore.selection import Box
from yeastxr.explore.source import MOST_READ_AT_ONCE
from yeastxr.explore.state import State
from yeastxr.explore.text import escape, make_facts
from yeastxr.explore.views.base import View, make_figure_place, make_grid, make_html
from yeastxr.export.tables import quote_label, to_dataframe
from yeastxr.plot.sample import draw_sample
from yeastxr.plot.style import lay_out
from yeastxr.schema import BINDING, GENE, LABEL, MEASURES, PERTURBATION, TF
from yeastxr.simulation.adjustment import evaluate_relationships
from yeastxr.simulation.operators import iterate_tfs
from yeastxr.simulation.relations import check_relationships
from yeastxr.theory.features import find_spec

_TITLES = {
    "effects": "Perturbation over binding",
    "binding": "Binding: p-values over effects",
    "perturbation": "Perturbation: p-values over effects",
    "binding_effect": "Binding effects",
    "perturbation_effect": "Perturbation effects",
}
PICTURES: dict[str, Callable[[xr.Dataset], Any]] = {
    "effects": lambda ds: plot.binding_vs_perturbation(ds, title=_TITLES["effects"]),
    "binding": lambda ds: plot.volcano(ds, "binding", title=_TITLES["binding"]),
    "perturbation": lambda ds: plot.volcano(ds, title=_TITLES["perturbation"]),
    "binding_effect": lambda ds: plot.binding_histogram(ds, title=_TITLES["binding_effect"]),
    "perturbation_effect": lambda ds: plot.perturbation_histogram(ds, title=_TITLES["perturbation_effect"]),
}


class ProfileView(View):
    """The pairs of one label along a dim: five linked plots, and a table of the selected pairs."""

    dim: ClassVar[str]
    """The dim of which one label is shown."""
    key: ClassVar[str]
    """The other dim: its labels tell the shown pairs apart."""
    word: ClassVar[str]

    def __init__(self, page: Any) -> None:
        super().__init__(page)
        self._shown: tuple[Any, ...] | None = None
        self._part = xr.Dataset()
        self._pairs = pd.DataFrame()
        self._figures = {
            plane: LinkedFigure(description, plane, self.key, lambda box: self.page.go(box=box))
            for plane, description in _DESCRIPTIONS.items()
        }
        self._extra_figure = Figure("rank response")
        self._facts = make_html()
        self._places = {plane: make_figure_place() for plane in PICTURES}
        self._extra = make_figure_place()
        self._rows = RowsTable(page, self.key, _TITLES, self._follow)
        self.layout.objects = [
            self._facts,
            make_grid(*self._places.values(), self._extra),
            self._rows.layout,
        ]

    def show(self, state: State) -> None:
        """Read the profile if it is another one, and show the selection in it."""
        position = getattr(state, self.dim)
        key = (position, *sorted(state.point.items()))
        if key == self._shown:
            self._show_selection(state.box)
            return
        self._shown = None
        self.hide()

        def read(report_share: Callable[[float], None]) -> xr.Dataset:
            return self._read(position, state)

        def finish(part: xr.Dataset) -> None:
            self._shown = key
            self._draw(part, state)
            self.reveal(state)

        self.page.run(read, finish, at_once=self.source.count_read(self.dim) <= MOST_READ_AT_ONCE)

    def _read(self, position: int, state: State) -> xr.Dataset:
        raise NotImplementedError

    def _draw(self, part: xr.Dataset, state: State) -> None:
        """Draw the plots of a profile, and list its pairs, the most strongly bound first."""
        self._part = part
        pairs = to_dataframe(part).reset_index().drop(columns=[self.dim])
        order = [name for name in ("binding_pvalue", BINDING) if pairs[name].notna().any()]
        pairs = pairs.sort_values(order, ascending=[name != BINDING for name in order], kind="stable")
        self._pairs = pairs.reset_index(drop=True)
        name = f"{self.word} {self.source.get_label(self.dim, getattr(state, self.dim))}"
        self._facts.object = f"<h2>{escape(name)}</h2>{make_facts(self._list_facts(part, state))}"
        for plane, make in PICTURES.items():
            if self._figures[plane].draw(make(part), name):
                self._places[plane].object = self._figures[plane].model
        extra = self._make_extra(part)
        self._extra.visible = extra is not None
        if extra is not None and self._extra_figure.draw(extra, name):
            self._extra.object = self._extra_figure.model
        self._show_selection(state.box)

    def _list_facts(self, part: xr.Dataset, state: State) -> dict[str, object]:
        raise NotImplementedError

    def _make_extra(self, part: xr.Dataset) -> Any:
        return None

    def _show_selection(self, box: Box | None) -> None:
        pairs = self.make_table()
        for plane, figure in self._figures.items():
            labels = None if box is None else pairs[self.key]
            figure.show(labels, pairs[PERTURBATION if plane == PERTURBATION else BINDING].to_numpy())
        hidden = [name for name in pairs if name in self._part.coords and self.key not in self._part[name].dims]
        self._rows.show(pairs, len(self._pairs), box, hidden)

    def make_table(self) -> pd.DataFrame:
        """Return the selected pairs, the most strongly bound first."""
        box = self.page.state.box
        return self._pairs if box is None else self._pairs[box.find(self._pairs)]

    def make_picture(self) -> Any:
        """Return the plots of the profile."""
        return lay_out([make(self._part) for make in PICTURES.values()], 3)

    def name_file(self, state: State) -> str:
        """Return the name of files with what is shown."""
        return f"{self.name}-{quote_label(self.source.get_label(self.dim, getattr(state, self.dim)))}"

    def make_code(self, state: State) -> list[str]:
        """Return Python lines that make the table and a plot."""
        label = self.source.get_label(self.dim, getattr(state, self.dim))
        lines = [
            self.source.make_point_code(state.point),
            f"part = point.sel({self.dim}=[{label!r}])",
            "pairs = part.yeast.to_dataframe().reset_index()",
        ]
        if state.box is not None:
            lines += state.box.make_code()
        lines += [
            'pairs = pairs.sort_values(["binding_pvalue", "binding_effect"], ascending=[True, False], kind="stable")',
            "part.yeast.plot.binding_vs_perturbation()",
        ]
        return lines

    def _follow(self, label: str) -> None:
        """Show the gene or the TF of a row whose name is clicked."""
        self.page.go(view=self.key, **{self.key: self.source.find(self.key, label)})


_DESCRIPTIONS = {
    "effects": "magnitude of perturbation effects over binding effects",
    "binding": "minus log10 of binding p-values over binding effects",
    "perturbation": "minus log10 of perturbation p-values over perturbation effects",
    "binding_effect": "histogram of binding effects",
    "perturbation_effect": "histogram of perturbation effects",
}


class TFView(ProfileView):
    """One TF: its genes."""

    name, title = "tf", "TF"
    selectors = ("tf", "point")
    dim, key, word = TF, GENE, "TF"

    def _read(self, position: int, state: State) -> xr.Dataset:
        return self.source.take_tfs([position], state.point)

    def _list_facts(self, part: xr.Dataset, state: State) -> dict[str, object]:
        table = analysis.describe(part).isel({TF: 0})
        n = part.sizes[GENE]
        facts: dict[str, object] = {}
        if LABEL in part.data_vars:
            facts["Bound genes"] = f"{int(table['bound']):,} of {n:,} ({100 * int(table['bound']) / n:.1f} %)"
        facts |= {
            "Binding p ≤ 0.05": f"{int(table['binding_significant']):,} genes",
            "Perturbation p ≤ 0.05": f"{int(table['response_significant']):,} genes",
            "Both": f"{int(table['both_significant']):,} genes",
        }
        if int(table["missing"]):
            facts["Genes with missing values"] = f"{int(table['missing']):,}"
        return facts | self._describe_relation(part, state)

    def _describe_relation(self, part: xr.Dataset, state: State) -> dict[str, object]:
        """Say what the TF's relation is, and how many of its bound genes meet it."""
        spec = find_spec(part)
        tf = self.source.get_label(TF, state.tf)
        entries = tuple(spec.tf_relationships.get(tf, ())) if spec and spec.tf_relationships else ()
        if not entries:
            return {}
        facts: dict[str, object] = {"Relation": " & ".join(map(str, entries)) if len(entries) > 1 else str(entries[0])}
        try:
            others = [self.source.find(TF, str(other)) for other in iterate_tfs(entries)]
        except InputError:
            return facts  # of TFs that the dataset does not have
        labels = self.source.take_tfs(list(dict.fromkeys([state.tf, *others])), state.point)[LABEL]
        relations = check_relationships({tf: list(entries)}, labels.indexes[TF])
        met = int(evaluate_relationships(labels, relations).sel({TF: tf}).sum())
        bound = int(labels.sel({TF: tf}).sum())
        return facts | {"Bound genes that meet it": f"{met:,} of {bound:,}"}

    def _make_extra(self, part: xr.Dataset) -> Any:
        return draw_sample(part, "", part[list(MEASURES)])


class GeneView(ProfileView):
    """One gene: its TFs."""

    name, title = "gene", "Gene"
    selectors = ("gene", "point")
    dim, key, word = GENE, TF, "Gene"

    def _read(self, position: int, state: State) -> xr.Dataset:
        return self.source.take_gene(position, state.point)

    def _list_facts(self, part: xr.Dataset, state: State) -> dict[str, object]:
        n = part.sizes[TF]
        facts: dict[str, object] = {"TFs": f"{n:,}"}
        if LABEL in part.data_vars:
            facts["Bound by"] = f"{int(part[LABEL].sum()):,} TFs"
        for title, name in (("Binding", "binding_pvalue"), ("Perturbation", "perturbation_pvalue")):
            facts[f"{title} p ≤ 0.05"] = f"{int((part[name] <= 0.05).sum()):,} TFs"
        largest = np.abs(part[PERTURBATION].values)
        if np.isfinite(largest).any():
            facts["Largest |effect|"] = f"{np.nanmax(largest):.3g}"
        return facts
