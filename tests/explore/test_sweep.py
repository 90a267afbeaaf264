"""The view of a sweep, without a browser."""

from html import unescape
from typing import Any

import numpy as np
import pytest
import xarray as xr

import yeastxr as yx
from tests.conftest import count_reads
from tests.explore.common import MARKUP, TFS
from yeastxr.explore.page import Explorer
from yeastxr.explore.statistics import STATISTICS
from yeastxr.explore.views import sweep
from yeastxr.schema import MEASURES

SPEC = yx.SimulationSpec(
    genes=150, bound=[0.2, 0.3], n_sample=[3, 3], tfs=TFS, seed=3, tf_relationships={"GAL4": [yx.Not("MIG1")]}
)
DIMS: dict[str, Any] = {"bound_mean": [2.0, 4.0], "max_mean_adjustment": [0.0, 5.0]}
LAZY = yx.sweep(SPEC, replicates=3, **DIMS)
DS = LAZY.compute()


def open_page(ds: xr.Dataset, options: str = "") -> Explorer:
    page = Explorer(ds, query=f"?view=sweep{options}")
    assert page.state.view == "sweep"
    return page


def get_message(page: Explorer) -> str:
    return unescape(page._message.object) if page._message.visible else ""


def run_code(page: Explorer, ds: xr.Dataset) -> Any:
    """Run the lines of the page that make the table."""
    names: dict[str, Any] = {"ds": ds}
    exec("\n".join(line for line in page._shown.make_code(page.state) if ".plot()" not in line), names)
    return names["table"]


@pytest.fixture
def no_plots(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the plot out, which takes most of the time."""
    monkeypatch.setattr(sweep.SweepView, "_make_overlay", lambda *_: None)
    monkeypatch.setattr(sweep.Figure, "draw", lambda *_: False)


@pytest.fixture(scope="module")
def page() -> Explorer:
    return open_page(DS)


@pytest.mark.usefixtures("no_plots")
@pytest.mark.parametrize("tfs", ["", "all"])
@pytest.mark.parametrize("name", STATISTICS)
def test_table__is_what_the_code_makes_and_near_theory(page: Explorer, name: str, tfs: str) -> None:
    page.go(tf=4, options={"statistic": name, "tfs": tfs})
    assert get_message(page) == ""
    table = page._shown.make_table()
    code = run_code(page, DS)
    keys = list(code.columns[:-1])
    assert keys[:2] == ["bound_mean", "max_mean_adjustment"]
    assert table[keys].equals(code[keys])
    np.testing.assert_allclose(table["value"], code["value"], rtol=1e-12)
    assert (table["least"] <= table["value"]).all()
    assert (table["value"] <= table["most"]).all()
    if name == "rank_response":
        assert "theory" not in table
    else:
        near = 0.25 if name.startswith("perturbation") else 0.05
        bound = table["group"] == "bound" if "group" in table else table["value"] > -1
        rows = table[bound] if name == "perturbation" else table[~bound] if name == "binding" else table
        np.testing.assert_allclose(rows["value"], rows["theory"], atol=0.6 if name == "perturbation" else near)


@pytest.mark.usefixtures("no_plots")
def test_statistics__by_hand(page: Explorer) -> None:
    point = DS.sel(bound_mean=4.0, max_mean_adjustment=5.0, tf="MIG1")
    page.go(tf=1, options={"statistic": "perturbation"})
    table = page._shown.make_table().set_index(["bound_mean", "max_mean_adjustment", "group"])
    effect = abs(point.perturbation_effect.astype(float))
    single = effect.where(point.label).mean("gene")
    row = table.loc[(4.0, 5.0, "bound")]
    assert row[["value", "least", "most"]].tolist() == pytest.approx(
        [single.mean().item(), single.min().item(), single.max().item()]
    )
    page.go(options={})
    row = page._shown.make_table().set_index(["bound_mean", "max_mean_adjustment"]).loc[(4.0, 5.0)]
    assert row["value"] == pytest.approx((effect >= 2).mean().item())


def test_plot__has_a_line_for_each_colour_and_group_and_keeps_its_figure(page: Explorer) -> None:
    page.go(tf=0, options={"statistic": "binding"})
    view = page._shown
    figure = view._place.object
    labels = [layer.label for layer in view.make_picture()]
    assert [label for label in labels if "," not in label or label.endswith("bound")] == [
        "0.0, bound",
        "0.0, unbound",
        "5.0, bound",
        "5.0, unbound",
    ]
    assert sum(label.endswith("theory") for label in labels) == 4
    page.go(tf=2)
    assert view._place.object is figure
    assert figure.html_attributes["aria-label"].startswith("TF GCN4: ")
    page.go(options={"statistic": "binding", "colour": ""})
    assert view._place.object is not figure
    assert "Mean over 2 of max_mean_adjustment, 3 of replicate." in view._note.object


@pytest.mark.usefixtures("no_plots")
def test_widgets__change_the_url_and_follow_it(page: Explorer) -> None:
    page.go(tf=0, options={})
    view = page._shown
    view._widgets["x"].value = "replicate"
    view._all.value = list(view._all.options)
    assert page.state.options == {"x": "replicate", "tfs": "all"}
    assert "opt.x=replicate&opt.tfs=all" in page.navigation.query
    view._all.value = []
    view._widgets["x"].value = "bound_mean"
    assert page.state.options == {}
    page.visit("?view=sweep&opt.colour=replicate&opt.statistic=binding_auroc")
    assert (view._widgets["colour"].value, view._widgets["statistic"].value) == ("replicate", "binding_auroc")
    assert list(view.make_table().columns) == ["bound_mean", "replicate", "value", "theory"]
    page.visit("?view=sweep&opt.x=bound_maen")
    assert "did you mean 'bound_mean'?" in get_message(page)
    page.go(view="tf")
    assert page.state.options == {}


@pytest.mark.usefixtures("no_plots")
def test_lazy__gives_the_same_and_reads_a_tf_once(monkeypatch: pytest.MonkeyPatch) -> None:
    counted, reads = count_reads(LAZY.chunk({"tf": 2}))
    page = open_page(counted, "&tf=RAP1&opt.statistic=perturbation")
    expected = open_page(DS, "&tf=RAP1&opt.statistic=perturbation")._shown.make_table()
    np.testing.assert_allclose(page._shown.make_table()["value"], expected["value"], rtol=1e-12)
    assert {block[-1] for _, block in reads} == {1}  # the chunk of the fourth TF
    assert set(reads.values()) == {1}
    page.go(options={"statistic": "binding_auroc"})
    assert set(reads.values()) == {1}
    monkeypatch.setattr(sweep, "_MOST_READ", 100)
    page.go(tf=0)
    view = page._shown
    assert view._start.visible
    assert "gene–TF pairs" in view._note.object
    assert {block[-1] for _, block in reads} == {1}
    view._start.clicks += 1
    assert not view._start.visible
    assert {block[-1] for _, block in reads} == {0, 1}
    assert len(view.make_table()) == 4


def test_measured__without_label_with_odd_names_and_missing_values() -> None:
    ds = yx.simulate(genes=80, bound=[0.2, 0.3], tfs=["$x$", MARKUP], seed=2, replicates=2)
    ds = ds.drop_attrs(deep=False).drop_vars("label").sel(feature=list(MEASURES)).rename(replicate="<b>day</b>")
    ds = ds.assign_coords({"<b>day</b>": [MARKUP, "$$y$$"]})
    ds = ds.assign(binding_effect=ds.binding_effect.where(ds.gene > 9), perturbation_pvalue=np.nan * ds.binding_effect)
    page = open_page(ds)
    view = page._shown
    assert get_message(page) == ""
    assert list(view._widgets["statistic"].options.values()) == [
        "responsive",
        "binding",
        "perturbation",
        "rank_response",
    ]
    for name in view._widgets["statistic"].options.values():
        page.go(options={"statistic": name})
        table = view.make_table()
        np.testing.assert_allclose(table["value"], run_code(page, ds)["value"], rtol=1e-12)
        assert "theory" not in table
        assert list(table["<b>day</b>"]) == [MARKUP, "$$y$$"]
    shown = "".join(part.object for part in (view._heading, view._note, view._html_table))
    assert "<b>" not in shown
    assert "<img" not in shown
    assert [name for _, name in view.make_picture().opts.get("plot", "bokeh").kwargs["xticks"]] == ["#0", "#1"]


@pytest.mark.usefixtures("no_plots")
def test_sweep__is_not_there_without_leading_dims() -> None:
    ds = DS.isel(bound_mean=0, max_mean_adjustment=0, replicate=0)
    page = Explorer(ds, query="?view=tf")
    assert "Sweep" not in [link["title"] for link in page.navigation.links]
    assert "Sweep" in [link["title"] for link in open_page(DS).navigation.links]
