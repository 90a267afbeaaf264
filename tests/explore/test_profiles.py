"""The views of a TF, of a gene and of two TFs, without a browser."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy.stats import hypergeom

import yeastxr as yx
from tests.explore.common import MARKUP, TFS, simulate
from yeastxr.errors import InputError
from yeastxr.explore.figures import find_ranges, make_columns, wrap_label
from yeastxr.explore.page import Explorer
from yeastxr.explore.selection import Box
from yeastxr.explore.views.profiles import PICTURES
from yeastxr.plot.style import load_holoviews

DS = simulate()


def get_view(page: Explorer) -> Any:
    return page._shown


def get_message(page: Explorer) -> str:
    return page._message.object if page._message.visible else ""


def run_code(page: Explorer, ds: xr.Dataset) -> dict[str, Any]:
    """Run the Python lines that the page shows, but for those that make the dataset."""
    names: dict[str, Any] = {"ds": ds, "yx": yx}
    exec("\n".join(get_view(page).make_code(page.state)), names)
    return names


@pytest.fixture(scope="module")
def page() -> Explorer:
    return Explorer(DS, title="sim.zarr", query="?view=tf")


@pytest.mark.parametrize(
    "box", [None, Box("effects", (1.0, 80.0, 0.5, 9.0)), Box("perturbation", (-1.0, 4.0, 0.5, 9.0))]
)
@pytest.mark.parametrize(("view", "dim", "key", "position"), [("tf", "tf", "gene", 1), ("gene", "gene", "tf", 17)])
def test_profile__lists_the_selected_pairs(
    page: Explorer, box: Box | None, view: str, dim: str, key: str, position: int
) -> None:
    page.go(view=view, **{dim: position})
    page.go(box=box)
    assert get_message(page) == ""
    table = get_view(page).make_table()
    pairs = run_code(page, DS)["pairs"]
    assert list(table[key]) == list(pairs[key])
    assert list(table["binding_effect"]) == list(pairs["binding_effect"])
    whole = DS.isel({dim: [position]}).yeast.to_dataframe().reset_index()
    assert set(table[key]) == set(whole[box.find(whole)][key] if box else whole[key])
    assert len(get_view(page)._rows._table.value) == len(table)


def test_profile__shows_the_selection_in_all_plots(page: Explorer) -> None:
    page.go(view="tf", tf=2, box=None)
    box = Box("binding_effect", (0.2, 1.0))
    page.go(box=box)
    chosen = set(get_view(page).make_table()["gene"])
    assert 0 < len(chosen) < 300
    for plane in ("effects", "binding", "perturbation"):
        points = get_view(page)._figures[plane]._points
        marked = [np.asarray(r.data_source.data["gene"])[r.data_source.selected.indices] for r in points]
        assert set(np.concatenate(marked)) == chosen
    bars = get_view(page)._figures["perturbation_effect"]._bars.data["top"]
    assert bars.sum() == len(chosen)
    page.go(box=Box("effects", (70.0, 80.0, 90.0, 99.0)))  # of nothing
    points = get_view(page)._figures["effects"]._points
    assert all(r.data_source.selected.indices == [len(r.data_source.data["gene"])] for r in points)
    page.go(box=None)
    assert all(r.data_source.selected.indices == [] for r in points)


def test_relation__is_told_with_how_many_genes_meet_it(page: Explorer) -> None:
    page.go(view="tf", tf=0)
    facts = get_view(page)._facts.object
    label = DS.label
    met = label.sel(tf="GAL4") & (label.sel(tf="MIG1") | ~label.sel(tf="GCN4"))
    assert "MIG1 | !GCN4" in facts
    assert f"{int(met.sum())} of {int(label.sel(tf='GAL4').sum())}" in facts
    page.go(tf=1)
    assert "Relation" not in get_view(page)._facts.object


def test_figure__has_the_data_of_a_picture_drawn_anew(page: Explorer) -> None:
    hv = load_holoviews()
    page.go(view="tf", tf=3)
    models = {plane: figure.model for plane, figure in get_view(page)._figures.items()}
    page.go(tf=5)
    part = DS.isel(tf=[5])
    for plane, make in PICTURES.items():
        figure = get_view(page)._figures[plane]
        assert figure.model is models[plane]  # drawn once
        picture = make(part)
        new = hv.render(picture, backend="bokeh")
        for renderer, expected in zip(figure.model.renderers, new.renderers, strict=False):
            for name, values in expected.data_source.data.items():
                np.testing.assert_array_equal(renderer.data_source.data[name], values, err_msg=f"{plane} {name}")
        ranges = find_ranges(picture, hv.Store.lookup_options("bokeh", picture, "plot").kwargs)
        drawn = [(axis.start, axis.end) for axis in (figure.model.x_range, figure.model.y_range)]
        np.testing.assert_allclose(ranges, drawn)
        assert [axis.axis_label for axis in figure.model.xaxis] == [wrap_label(new.xaxis[0].axis_label)]


def test_columns__of_an_area_are_its_outline() -> None:
    hv = load_holoviews()
    area = hv.Area(([1, 2, 3], [0.1, np.nan, 0.2], [0.5, np.nan, 0.6]), vdims=["lower", "upper"])
    columns = make_columns(area, ["x", "y"])
    assert columns["x"].tolist() == [1, 3, 3, 1]
    assert columns["y"].tolist() == [0.1, 0.2, 0.6, 0.5]


@pytest.mark.parametrize(("chunks", "labelled"), [({"tf": 2}, True), (None, False)])
def test_views__take_any_dataset(chunks: dict[str, int] | None, labelled: bool) -> None:
    ds = simulate(chunks=chunks)
    pvalue = ds.binding_pvalue.where(ds.tf != "MIG1")
    ds = ds.assign(binding_pvalue=pvalue, perturbation_effect=ds.perturbation_effect.where(ds.gene > 3))
    if not labelled:
        ds = ds.drop_vars("label").drop_attrs(deep=False).assign_coords(feature=list(ds.feature.values[1:]))
    page = Explorer(ds, query="?view=tf&tf=MIG1")
    for changes in ({}, {"view": "gene", "gene": 2}, {"view": "pairs", "other": 4}, {"view": "tf", "tf": 4}):
        page.go(**changes)
        assert get_message(page) == ""
        assert len(get_view(page).make_table()) == (6 if page.state.view == "gene" else 300)
        assert "<img" not in get_view(page)._facts.object
    assert get_view(page)._facts.object.count("&lt;img") == 1


@pytest.mark.parametrize("view", ["tf", "gene", "pairs"])
def test_fields__select_as_a_rectangle_does(page: Explorer, view: str) -> None:
    page.go(view=view, tf=1, box=None)
    rows = get_view(page)._rows
    assert not rows._clear.visible
    flat = view == "pairs"
    rows._plot.value = "binding_pair" if flat else "binding_effect"
    assert page.state.box is None
    rows._ends.value = "1, 0.2, 0, 80" if flat else "80, 0.2"  # in any order
    expected = Box("binding_pair", (0.2, 1.0, 0.0, 80.0)) if flat else Box("binding_effect", (0.2, 80.0))
    assert page.state.box == expected
    assert len(rows._table.value) == len(get_view(page).make_table()) > 0
    rows._ends.value = "1, two"
    assert "expected" in get_message(page)
    assert page.state.box == expected
    rows._clear.clicks += 1
    assert (page.state.box, rows._ends.value) == (None, "")
    assert not rows._clear.visible
    page.go(box=expected)
    assert rows._ends.value == ("0.2, 1, 0, 80" if flat else "0.2, 80")
    rows._ends.value = ""
    assert page.state.box is None


@pytest.mark.parametrize("view", ["tf", "gene", "pairs"])
def test_view__that_fails_to_read_shows_nothing_else(
    page: Explorer, view: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise InputError("the store is gone")

    page.go(view=view, tf=1, gene=1, other=2, box=None)
    with monkeypatch.context() as patched:
        patched.setattr(page.source, "take_tfs", fail)
        patched.setattr(page.source, "take_gene", fail)
        page.go(tf=3, gene=3)
        assert "the store is gone" in get_message(page)
        assert not any(part.visible for part in get_view(page).layout)
        assert not page.downloads._csv.visible
    page.go(tf=1, gene=1)
    assert all(part.visible for part in get_view(page).layout)
    assert page.downloads._csv.visible


def test_table__leaves_out_what_all_rows_share(page: Explorer) -> None:
    page.go(view="tf", tf=1, box=None)
    assert "bound_fraction" not in get_view(page)._rows._table.value
    assert "bound_fraction" in get_view(page).make_table()  # to download
    page.go(view="gene", gene=1)
    assert "bound_fraction" in get_view(page)._rows._table.value


def test_gene__opens_from_the_table(page: Explorer) -> None:
    page.go(view="tf", tf=0)
    get_view(page)._follow("17")
    assert (page.state.view, page.state.gene) == ("gene", 17)


def test_pairs__count_shared_genes(page: Explorer) -> None:
    page.go(view="pairs", tf=3, other=4)
    first, second = (DS.label.isel(tf=tf).values for tf in (3, 4))
    table = get_view(page).make_table()
    assert dict(table["bound_by"].value_counts()) == {
        "both": (first & second).sum(),
        "first only": (first & ~second).sum(),
        "second only": (~first & second).sum(),
        "neither": (~first & ~second).sum(),
    }
    assert list(table["bound_by"])[: (first & second).sum()] == ["both"] * (first & second).sum()
    both = DS.isel(tf=3).perturbation_effect.values[first & second]
    facts = get_view(page)._facts.object
    assert f"{np.abs(both).mean():.3f}" in facts
    pvalue = hypergeom.sf((first & second).sum() - 1, 300, first.sum(), second.sum())
    assert f"{pvalue:.3g} (hypergeometric)" in facts
    page.go(box=Box("perturbation_pair", (0.0, 9.0, -9.0, 0.0)))
    pairs = run_code(page, DS)["pairs"]
    selected = get_view(page).make_table()
    assert set(selected["gene"]) == set(pairs["gene"])
    assert 0 < len(selected) < 300
    page.go(other=3)
    assert "expected two different ones" in get_message(page)


def test_files__are_named_by_what_they_hold(page: Explorer) -> None:
    page.go(view="tf", tf=TFS.index(MARKUP))
    assert page.downloads._csv.filename.startswith("tf-")
    assert not set('<>"/\\') & set(page.downloads._csv.filename)
    assert len(pd.read_csv(page.downloads._write_csv())) == 300
    assert page.downloads._write_png().getvalue().startswith(b"\x89PNG")
