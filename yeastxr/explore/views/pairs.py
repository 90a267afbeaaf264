"""Two TFs side by side: which genes they share, and the effects of genes that both, either or neither bind."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from yeastxr.errors import InputError
from yeastxr.explore.figures import Figure, LinkedFigure
from yeastxr.explore.rows import RowsTable
from yeastxr.explore.source import MOST_READ_AT_ONCE
from yeastxr.explore.state import State
from yeastxr.explore.text import escape, make_facts, make_table
from yeastxr.explore.views.base import View, make_figure_place, make_grid, make_html
from yeastxr.export.selection import make_cells
from yeastxr.export.tables import quote_label
from yeastxr.plot.style import (
    COLOURS,
    GREY,
    draw_line,
    draw_overlay,
    lay_out,
    load_holoviews,
    set_options,
    shorten_name,
)
from yeastxr.schema import BINDING, GENE, LABEL, MEASURES, PERTURBATION, TF

FIRST, SECOND = "_first", "_second"  # end the columns of each TF
_PVALUE = 0.05  # of binding, where there is no label
_ORDINALS = ("first", "second")
_GROUPS = ("neither", "second only", "first only", "both")
_COLOURS = dict(zip(_GROUPS, (GREY, COLOURS["unbound"], COLOURS["bound_inactive"], COLOURS["bound"]), strict=True))
_SCATTERS = {"binding_pair": BINDING, "perturbation_pair": PERTURBATION}
_POINTS = 500  # of a cumulative curve


class PairsView(View):
    """Two TFs: their shared genes, and the effects of perturbing each, by which of them bind a gene."""

    name, title = "pairs", "TF pairs"
    selectors = ("tf", "other", "point")

    def __init__(self, page: Any) -> None:
        super().__init__(page)
        self._key: tuple[Any, ...] | None = None
        self._names: tuple[str, ...] = ("", "")
        self._genes = pd.DataFrame()
        self._facts = make_html()
        self._curves = [
            Figure(f"cumulative distribution of |effects| of the {which} TF") for which in ("first", "second")
        ]
        self._scatters = {
            plane: LinkedFigure(f"{quantity} of both TFs", plane, GENE, lambda box: self.page.go(box=box))
            for plane, quantity in (("binding_pair", "binding effects"), ("perturbation_pair", "perturbation effects"))
        }
        self._places = [make_figure_place() for _ in (*self._curves, *self._scatters)]
        titles = {plane: _title_scatter(quantity) for plane, quantity in _SCATTERS.items()}
        self._rows = RowsTable(page, GENE, titles)
        self.layout.objects = [self._facts, make_grid(*self._places), self._rows.layout]

    @classmethod
    def applies(cls, source: Any) -> bool:
        """Return whether there are two TFs."""
        return source.ds.sizes[TF] > 1

    def show(self, state: State) -> None:
        """Read both TFs if they are others, and show the selection."""
        if state.tf == state.other:
            self._key = None
            self.hide()
            raise InputError("both TFs are the same; expected two different ones")
        key = (state.tf, state.other, *sorted(state.point.items()))
        if key == self._key:
            self._show_selection(state)
            return
        self._key = None
        self.hide()

        def read(report_share: Callable[[float], None]) -> xr.Dataset:
            return self.source.take_tfs([state.tf, state.other], state.point)

        def finish(part: xr.Dataset) -> None:
            self._key = key
            self._draw(part, state)
            self.reveal(state)

        self.page.run(read, finish, at_once=2 * self.source.count_read(TF) <= MOST_READ_AT_ONCE)

    def _draw(self, part: xr.Dataset, state: State) -> None:
        """Draw the plots of two TFs, and list their genes."""
        self._names = tuple(shorten_name(label) for label in part.indexes[TF])
        self._genes = join_tfs(part)
        self._facts.object = self._describe(part.sizes[GENE], state)
        name = " and ".join(self._names)
        pictures = self._make_pictures()
        for figure, place, picture in zip(
            (*self._curves, *self._scatters.values()), self._places, pictures, strict=True
        ):
            if figure.draw(picture, name):
                place.object = figure.model
        self._show_selection(state)

    def _describe(self, n: int, state: State) -> str:
        """Say how many genes both TFs bind, how many they would by chance, and how likely that many are."""
        from scipy.stats import hypergeom

        first, second = (self._names[i] for i in (0, 1))
        counts = {group: int((self._genes["bound_by"] == group).sum()) for group in _GROUPS}
        n_first, n_second = counts["both"] + counts["first only"], counts["both"] + counts["second only"]
        pvalue = float(hypergeom.sf(counts["both"] - 1, n, n_first, n_second))
        rule = "Bound: by label" if self.source.has_label else f"Bound: binding p ≤ {_PVALUE:g}"
        facts = {
            f"Bound by {first}": f"{n_first:,} of {n:,} genes",
            f"Bound by {second}": f"{n_second:,} of {n:,} genes",
            "By both": f"{counts['both']:,} genes",
            "By both, by chance": f"{n_first * n_second / n:,.1f} genes",
            "p-value of as many by chance": f"{pvalue:.3g} (hypergeometric)",
            "Rule": rule,
        }
        means = [self._genes.loc[self._genes["bound_by"] == group] for group in _GROUPS]
        rows = [
            (
                _name_group(group, self._names),
                f"{counts[group]:,}",
                *(_format_mean(own[f"{PERTURBATION}{end}"].abs()) for end in (FIRST, SECOND)),
            )
            for group, own in zip(_GROUPS, means, strict=True)
        ]
        head = ["Genes bound by", "genes", f"mean |effect| of {first}", f"mean |effect| of {second}"]
        table = make_table(head, rows[::-1], "Effects by binding")
        return f"<h2>{escape(first)} and {escape(second)}</h2>{make_facts(facts)}{table}"

    def _make_pictures(self) -> list[Any]:
        curves = [_draw_curves(self._genes, end, name) for end, name in zip((FIRST, SECOND), self._names, strict=True)]
        return curves + [_draw_scatter(self._genes, quantity, self._names) for quantity in _SCATTERS.values()]

    def _show_selection(self, state: State) -> None:
        genes = self.make_table()
        labels = None if state.box is None else genes[GENE]
        for figure in self._scatters.values():
            figure.show(labels, np.empty(0))
        self._rows.show(genes, len(self._genes), state.box)

    def make_table(self) -> pd.DataFrame:
        """Return the selected genes, those that both TFs bind first."""
        box = self.page.state.box
        return self._genes if box is None else self._genes[box.find(self._genes)]

    def make_picture(self) -> Any:
        """Return the four plots."""
        return lay_out(self._make_pictures(), 2)

    def name_file(self, state: State) -> str:
        """Return the name of files with what is shown."""
        return "-".join(["pairs", *(quote_label(self.source.get_label(TF, tf)) for tf in (state.tf, state.other))])

    def make_code(self, state: State) -> list[str]:
        """Return Python lines that make the table."""
        labels = [self.source.get_label(TF, tf) for tf in (state.tf, state.other)]
        bound = "label" if self.source.has_label else f"binding_pvalue <= {_PVALUE!r}"
        lines = [
            f"tables = [part.sel(tf=[tf]).yeast.to_dataframe().reset_index().drop(columns='tf') for tf in {labels!r}]",
            'pairs = tables[0].merge(tables[1], on="gene", suffixes=("_first", "_second"))',
            *([] if state.box is None else state.box.make_code()),
            f"tables[0].eval({bound!r}).sum(), tables[1].eval({bound!r}).sum()  # bound genes",
        ]
        return [self.source.make_point_code(state.point).replace("point =", "part ="), *lines]


def join_tfs(part: xr.Dataset) -> pd.DataFrame:
    """Return the genes of two TFs with the values of both, and which of the TFs bind them; shared ones first."""
    columns: dict[str, np.ndarray] = {}
    bound = []
    for position, end in enumerate((FIRST, SECOND)):
        own = part.isel({TF: position})
        columns |= {f"{name}{end}": own[name].values for name in MEASURES}
        bound.append(own[LABEL].values if LABEL in own.data_vars else own["binding_pvalue"].values <= _PVALUE)
    groups = np.array(_GROUPS, dtype=object)[2 * bound[0].astype(int) + bound[1]]
    genes = pd.DataFrame({GENE: part.indexes[GENE], "bound_by": groups, **columns})
    order = genes["bound_by"].map({group: -i for i, group in enumerate(_GROUPS)})
    strength = -(genes[f"{BINDING}{FIRST}"] + genes[f"{BINDING}{SECOND}"])
    return genes.iloc[np.lexsort([strength.to_numpy(), order.to_numpy()])].reset_index(drop=True)


def _name_group(group: str, names: tuple[str, ...]) -> str:
    """Return which TFs bind a gene, by the TFs' names."""
    return {"first only": f"{names[0]} only", "second only": f"{names[1]} only"}.get(group, group)


def _format_mean(values: pd.Series) -> str:
    return f"{values.mean():.3f}" if values.notna().any() else "–"


def _draw_curves(genes: pd.DataFrame, end: str, name: str) -> Any:
    """Draw the cumulative distribution of a TF's |effects| for each group of genes."""
    hv = load_holoviews()
    dims = [hv.Dimension("magnitude", label="|perturbation effect|"), hv.Dimension("share", label="share of genes")]
    layers = []
    for group in _GROUPS:
        values = np.sort(genes.loc[genes["bound_by"] == group, f"{PERTURBATION}{end}"].abs().dropna().to_numpy(float))
        shares = np.arange(1, values.size + 1) / max(values.size, 1)
        kept = np.unique(np.linspace(0, max(values.size - 1, 0), _POINTS).astype(int))[: values.size]
        layers.append(draw_line((values[kept], shares[kept]), dims, group, _COLOURS[group], widths=(2, 1.6)))
    which = _ORDINALS[end == SECOND]
    xlabel = f"|perturbation effect|\n{which}: {name}"
    return draw_overlay(layers, f"Effects of perturbing the {which} TF", "", xlabel, dims[1].label, {"ylim": (0, 1)})


def _title_scatter(quantity: str) -> str:
    words = quantity.replace("_", " ")
    return f"{words[0].upper()}{words[1:]}s of both TFs"


def _draw_scatter(genes: pd.DataFrame, quantity: str, names: tuple[str, ...]) -> Any:
    """Draw a quantity of the second TF over that of the first, a point for each gene."""
    hv = load_holoviews()
    ends = zip((FIRST, SECOND), _ORDINALS, strict=True)
    dims = [hv.Dimension(f"{quantity}{end}", label=f"{quantity}, {which} TF") for end, which in ends]
    known = genes[[dim.name for dim in dims]].notna().all(axis=1)
    layers = []
    for group in _GROUPS:
        own = genes[known & (genes["bound_by"] == group)]
        columns = (*(own[dim.name].to_numpy() for dim in dims), make_cells(own[GENE].to_numpy()))
        points = hv.Points(columns, kdims=dims, vdims=[hv.Dimension(GENE, label="gene")], label=group)
        layers.append(
            set_options(
                points,
                color=_COLOURS[group],
                alpha=0.6,
                bokeh={"size": 4, "line_color": None, "tools": ["hover"]},
                matplotlib={"s": 10, "linewidth": 0},
            )
        )
    return draw_overlay(layers, _title_scatter(quantity), "", f"first: {names[0]}", f"second: {names[1]}")
