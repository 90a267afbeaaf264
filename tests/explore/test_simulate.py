"""Simulating with other parameters: relations as lines, changes of a specification, the form, and the page."""

import json
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import numpy as np
import param
import pytest
import xarray as xr

import yeastxr as yx
from tests.cli.common import run
from tests.explore.common import MARKUP, TFS, simulate
from yeastxr.errors import InputError
from yeastxr.explore import changes
from yeastxr.explore.changes import apply_changes, count_pairs, make_code, shrink
from yeastxr.explore.fields import GROUPS, applies
from yeastxr.explore.page import Explorer
from yeastxr.explore.relation_lines import parse_lines, write_lines
from yeastxr.explore.views import simulate as views

DS = simulate()
SPEC = yx.spec_of(DS)
QUERY = "?view=simulate"


def get_view(page: Explorer) -> Any:
    return page._get_view("simulate")


def get_message(page: Explorer) -> str:
    return page._message.object if page._message.visible else ""


def set_field(page: Explorer, name: str, value: Any) -> None:
    """Change a field as somebody does: a slider once it is let go."""
    widget = get_view(page).form.entries[name].widget
    widget.value = value
    if hasattr(widget, "value_throttled"):
        with param.edit_constant(widget):
            widget.value_throttled = value


def list_errors(page: Explorer) -> dict[str, str]:
    return {name: entry.error for name, entry in get_view(page).form.entries.items() if entry.error}


def make_measured() -> xr.Dataset:
    """Return a dataset without labels and without a specification."""
    return DS.sel(feature=[name for name in DS.feature.values if name != "label"]).drop_vars("label").drop_attrs()


@pytest.mark.parametrize(
    ("relations", "tfs"),
    [
        ({"GAL4": ["MIG1"], "MIG1": [yx.Or("RAP1", yx.Not("GCN4"))], "GCN4": []}, TFS),
        ({MARKUP: [yx.And("$x^2$", yx.Not(MARKUP))], "a: b": ["not"], 'q"': ["a: b"]}, [*TFS, "a: b", "not", 'q"']),
        ({0: [yx.Or(1, 2)], 12: [yx.Not(0)]}, range(20)),
        ({"12": [yx.Not("3")]}, ["3", "12"]),
        ({}, None),
    ],
)
def test_lines__are_read_as_they_are_written(relations: dict[Any, Any], tfs: Any) -> None:
    assert parse_lines(write_lines(relations), tfs) == relations


def test_lines__of_several_conditions_are_one_that_means_the_same() -> None:
    relations = {"A": ["B", yx.Or("C", "D")]}
    assert parse_lines(write_lines(relations)) == {"A": [yx.And("B", yx.Or("C", "D"))]}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("A: B &", "line 1, column 7: the relation ends"),
        ("A: B\n\n# note\nB: A & (C", "line 4, column 8: the relation has a '(' without a ')'"),
        ("A: Z", "line 1, column 4: the relation names the TF 'Z', which is unknown"),
        ("Z: A", "line 1, column 1: the relation names the TF 'Z'"),
        ("A: B\nA: C", "line 2, column 1: the TF 'A' is there twice"),
        ("A & B", "line 1, column 1: there is no TF with a colon"),
        ("!A: B", "line 1, column 1: '!A' is no TF"),
        ("A: B $", "line 1, column 6: the relation has '$'"),
    ],
)
def test_lines__are_refused_with_line_and_column(text: str, expected: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_lines(text, ["A", "B", "C"])
    assert expected in str(caught.value)


def test_changes__keep_what_they_do_not_name() -> None:
    spec = apply_changes(SPEC, {"bound_mean": "5", "tf_relationships": '{"MIG1": [{"not": "GAL4"}]}'})
    assert (spec.bound_mean, spec.tf_relationships["MIG1"]) == (5.0, (yx.Not("GAL4"),))
    assert (spec.seed, spec.tfs, spec.max_mean_adjustment) == (SPEC.seed, SPEC.tfs, 10.0)
    assert apply_changes(SPEC, {}) == SPEC


def test_changes__of_the_number_of_tfs_and_genes_keep_names() -> None:
    spec = apply_changes(SPEC, {"n_sample": "4", "tf_relationships": "null"})
    assert spec.tfs == (*TFS, "TF7", "TF8")
    assert apply_changes(SPEC, {"n_sample": "1", "tf_relationships": "null"}).tfs == ("GAL4", "MIG1")
    named = yx.SimulationSpec(genes=["a", "b", "c"], bound=0.5, seed=1)
    assert apply_changes(named, {"genes": "2"}).genes == ("a", "b")
    assert apply_changes(named, {"genes": "4"}).genes == 4


def test_changes__of_a_preset_have_the_seed() -> None:
    spec = apply_changes(SPEC, {"preset": '"yeast"', "genes": "500"})
    assert spec == yx.SimulationSpec.from_preset("yeast", genes=500, seed=42)


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({"bound_meen": "5"}, "did you mean 'bound_mean'"),
        ({"bound_mean": "five"}, "bound_mean is 'five'; expected JSON"),
        ({"bound_std": "-1"}, "bound_std is -1"),
        ({"preset": '"yeas"'}, "did you mean 'yeast'"),
        ({"n_sample": "1"}, "GCN4"),  # of a relation
        ({"tf_relationships": "[1]"}, "tf_relationships is [1]"),
        ({"bound": "[" * 100_000}, "expected JSON"),
    ],
)
def test_changes__are_refused(parameters: dict[str, str], expected: str) -> None:
    with pytest.raises(InputError) as caught:
        apply_changes(SPEC, parameters)
    assert expected in str(caught.value)


def test_shrink__leaves_small_specifications() -> None:
    assert shrink(SPEC).spec is SPEC
    assert shrink(SPEC).note == ""


def test_shrink__keeps_fractions_names_and_relations() -> None:
    relations = {3: [yx.Not(70_001)], 5: [6]}
    spec = yx.SimulationSpec(
        genes=6600, bound=[0.1, 0.2], n_sample=[40_000, 40_000], tf_relationships=relations, seed=1
    )
    live = shrink(spec)
    small = live.spec
    assert count_pairs(small) <= 2_000_000
    assert len(small.tf_labels) > 290
    assert small.bound == (0.1, 0.2)
    assert abs(small.n_sample[0] - small.n_sample[1]) < 5
    assert small.tf_relationships == {"3": (yx.Not("70001"),), "5": ("6",)}
    assert "of 80,000 TFs" in live.note
    positions = [int(name) for name in small.tfs]
    assert positions == sorted(set(positions))


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"genes": 5_000_000}, "genes"),
        ({"genes": 10_000, "replicates": 10**6}, "replicates"),
        ({"genes": 1000, "n_sample": 4_000_000_000}, "4,000,000,000 TFs"),
        ({"genes": 10_000, "n_sample": 50, "positive_fraction": [0.5] * 50, "measurements": 40}, "TFs"),
    ],
)
def test_shrink__has_any_size(values: dict[str, Any], expected: str) -> None:
    live = shrink(yx.SimulationSpec(bound=0.2, seed=1, **values))
    assert 0 < count_pairs(live.spec) <= 2_000_000
    assert expected in live.note


def test_shrink__says_which_relations_are_left_out() -> None:
    relations = {i: [i + 1] for i in range(40)}
    spec = yx.SimulationSpec(genes=1000, bound=0.1, n_sample=50, tf_relationships=relations, seed=1)
    live = shrink(spec, 20_000)
    assert len(live.spec.tf_labels) <= 20
    assert f"{40 - len(live.spec.tf_relationships)} relations name TFs that are left out" in live.note


@pytest.mark.parametrize("spec", [SPEC, yx.SimulationSpec(genes="yeast", bound=0.1, tfs=["A", "B & C"], seed=1)])
def test_code__makes_the_simulation(spec: yx.SimulationSpec) -> None:
    names: dict[str, Any] = {}
    exec(make_code(spec), names)
    assert names["ds"].identical(spec.simulate())


@pytest.fixture
def draws_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out pictures, which take most of the time."""
    monkeypatch.setattr(views, "draw_pictures", lambda before, after: {})


@pytest.fixture(scope="module")
def opened_page() -> Explorer:
    return Explorer(DS, title="sim.zarr", query=QUERY)


@pytest.fixture
def page(opened_page: Explorer) -> Explorer:
    """Return the page as it was opened, whatever tests before have done."""
    opened_page.visit(QUERY)
    return opened_page


def test_form__has_a_field_for_every_parameter(page: Explorer) -> None:
    form = get_view(page).form
    assert set(form.entries) == set(SPEC.to_dict()) | {
        field for group, _ in GROUPS.values() for field in group.__dataclass_fields__
    }
    assert form.read_changes() == {}
    assert page.source is page.opened
    assert not page._changes_row.visible
    assert not form.entries["background_hops_mean"].layout.visible
    assert form.entries["background_hops_range"].layout.visible


@pytest.mark.usefixtures("draws_nothing")
def test_form__changes_the_dataset_of_all_views(page: Explorer) -> None:
    set_field(page, "bound_mean", 5.0)
    set_field(page, "tf_relationships", "GAL4: MIG1 | RAP1")
    expected = yx.simulate(
        genes=300,
        bound=[0.1, 0.3],
        n_sample=[3, 3],
        tfs=TFS,
        seed=42,
        max_mean_adjustment=10.0,
        bound_mean=5.0,
        tf_relationships={"GAL4": [yx.Or("MIG1", "RAP1")]},
    )
    assert list_errors(page) == {}
    assert page.source.ds.identical(expected)
    assert page._changes_row.visible
    names: dict[str, Any] = {}
    exec(page.source.code, names)
    assert names["ds"].identical(expected)
    page.go(view="tf", tf=0)
    assert "MIG1 | RAP1" in page._shown._facts.object
    page._back.clicks += 1
    assert page.source is page.opened
    assert page.state.changes == {}
    assert not page._changes_row.visible
    page.go(view="simulate")
    assert get_view(page).form.entries["bound_mean"].widget.value == 3.0
    assert get_view(page).form.read_changes() == {}


def test_form__updates_the_same_figures(page: Explorer) -> None:
    set_field(page, "bound_mean", 5.0)
    view = get_view(page)
    models = {name: place.object for name, place in view._places.items()}
    assert all(model is not None for model in models.values())
    before = np.array(models["perturbation_effect"].renderers[1].data_source.data["top"])
    set_field(page, "bound_mean", 8.0)
    assert get_view(page) is view
    assert {name: place.object for name, place in view._places.items()} == models
    assert not np.array_equal(before, models["perturbation_effect"].renderers[1].data_source.data["top"])
    assert "before" in [item.label["value"] for item in models["binding_effect"].legend[0].items]


def test_form__draws_many_pairs_as_bins(page: Explorer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(views, "MAX_POINTS", 1000)
    shown = []
    for value in (4.5, 7.5):
        set_field(page, "bound_mean", value)
        assert get_message(page) == ""
        shown.append(get_view(page)._places["effects"].object.renderers[1].data_source.data["perturbation_magnitude"])
    assert max(shown[1]) > max(shown[0]) + 1
    monkeypatch.setattr(views, "MAX_POINTS", 10_000)
    set_field(page, "bound_mean", 6.0)
    assert "gene" in get_view(page)._places["effects"].object.renderers[1].data_source.data


@pytest.mark.usefixtures("draws_nothing")
@pytest.mark.parametrize(
    ("name", "value", "below", "expected"),
    [
        ("bound", "0.1, x", "bound", "expected numbers"),
        ("bound", "0.1, 2", "bound", "bound[1] is 2"),
        ("n_sample", 1, "tf_relationships", "GCN4"),
        ("tf_relationships", "GAL4: MIG1 &\n", "tf_relationships", "line 1, column 13"),
        ("tf_relationships", f"GAL4: '{MARKUP} & x'", "tf_relationships", "unknown"),
        ("seed", "-1", "seed", "seed is"),
        ("seed", str(2**64), "seed", "seed is"),
        ("pseudocount", -1.0, "pseudocount", "at least 0"),
        ("bound_concentration", 0.0, "bound_concentration", "0.01"),
        ("replicates", 0, "replicates", "from 1"),
        ("tfs", "A, A", "tfs", "more than once"),
        ("tfs", "A, B", "tfs", "expected 6"),
    ],
)
def test_form__shows_errors_below_their_field(page: Explorer, name: str, value: Any, below: str, expected: str) -> None:
    form = get_view(page).form
    set_field(page, name, value)
    errors = list_errors(page)
    assert list(errors) == [below]
    assert expected in errors[below]
    assert 'role="alert"' in errors[below]
    assert "<img" not in errors[below]
    assert page.source is page.opened
    assert page.state.changes == {}
    page.go(changes={})
    assert list_errors(page) == {}
    assert form.read_changes() == {}


@pytest.mark.usefixtures("draws_nothing")
def test_form__has_the_parameters_of_the_chosen_distribution(page: Explorer) -> None:
    set_field(page, "background_hops_range", (1, 50))
    set_field(page, "hop_distribution", "negative_binomial")
    form = get_view(page).form
    assert list_errors(page) == {}
    spec = yx.spec_of(page.source.ds)
    assert (spec.hop_distribution, spec.background_hops_mean) == ("negative_binomial", 50.5)
    assert form.entries["background_hops_mean"].layout.visible
    assert not form.entries["background_hops_range"].layout.visible
    set_field(page, "hop_distribution", "uniform")
    assert yx.spec_of(page.source.ds) == apply_changes(SPEC, {"background_hops_range": "[1, 50]"})
    set_field(page, "responsive_fraction", 0.5)
    set_field(page, "gene_responsiveness", 0.3)
    set_field(page, "responsive_fraction", 1.0)  # for which the next one has no meaning
    assert yx.spec_of(page.source.ds).gene_responsiveness == 0.0
    assert not applies("batch_std", SPEC.to_dict() | {"measurements": None})


@pytest.mark.usefixtures("draws_nothing")
def test_preset__replaces_all_parameters(page: Explorer) -> None:
    get_view(page).preset.value = "tutorial"
    assert yx.spec_of(page.source.ds) == yx.SimulationSpec.from_preset("tutorial", seed=42)
    set_field(page, "bound_mean", 4.0)
    assert dict(page.state.changes) == {"preset": '"tutorial"', "bound_mean": "4.0"}
    assert page.source.ds.sizes["tf"] == 10
    get_view(page).preset.value = ""
    assert page.source is page.opened


@pytest.mark.usefixtures("draws_nothing")
def test_seed__is_a_new_one_on_demand(page: Explorer) -> None:
    form = get_view(page).form
    form._draw_seed()
    seed = page.source.ds.attrs["seed"]
    assert seed != 42
    assert form.entries["seed"].widget.value == str(seed)


@pytest.mark.usefixtures("draws_nothing")
def test_url__restores_the_simulation(page: Explorer) -> None:
    set_field(page, "n_sample", 4)
    set_field(page, "tf_relationships", f"GAL4: MIG1 & !'{MARKUP}'\nTF8: $x".replace("$x", '"$x^2$"'))
    assert list_errors(page) == {}
    page.go(tf=7)
    query = page.navigation.query
    copy = Explorer(DS, query=query)
    assert copy.source.ds.identical(page.source.ds)
    assert copy.navigation.query == query
    assert copy.source.get_label("tf", copy.state.tf) == "TF8"
    assert get_message(copy) == ""
    copy.visit("?view=simulate")
    assert copy.source is copy.opened
    copy.visit(query)
    assert copy.source.ds.sizes["tf"] == 8


@pytest.mark.usefixtures("draws_nothing")
@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [("bound_mean", '"<b>"', "bound_mean is"), ("nothing", "1", "not a parameter"), ("genes", "0", "genes is 0")],
)
def test_url__with_invalid_changes_shows_what_was_opened(name: str, text: str, expected: str) -> None:
    page = Explorer(DS, query=f"{QUERY}&{urlencode({f'set.{name}': text, 'tf': 'RAP1'})}")
    assert expected in get_message(page)
    assert "<b>" not in get_message(page)
    assert page.source is page.opened
    assert (page.state.changes, page.state.tf) == ({}, 3)
    page.go(changes={name: text})
    assert expected in get_message(page)
    assert page.source is page.opened


@pytest.mark.usefixtures("draws_nothing")
def test_measured__begins_with_the_tutorial() -> None:
    page = Explorer(make_measured(), query=QUERY)
    view = get_view(page)
    assert "no specification" in view._head.object
    assert len(view._after.tf) == 10
    assert page.source is page.opened
    set_field(page, "genes", 400)
    assert page.source.ds.sizes["gene"] == 400
    assert "label" in page.source.ds
    page.go(tf=9)
    page.go(changes={})
    assert page.state.tf == 5


@pytest.mark.usefixtures("draws_nothing")
def test_sweep__begins_with_the_point_that_is_shown() -> None:
    spec = yx.SimulationSpec(genes=100, bound=[0.2], n_sample=3, replicates=2, seed=1)
    page = Explorer(yx.sweep(spec, bound_mean=[3.0, 6.0]), query=f"{QUERY}&at.bound_mean=6.0&at.replicate=1")
    view = get_view(page)
    assert view.form.entries["bound_mean"].widget.value == 6.0
    set_field(page, "bound_std", 2.0)
    assert (yx.spec_of(page.source.ds).bound_mean, yx.spec_of(page.source.ds).bound_std) == (6.0, 2.0)
    assert page.source.dims == ("replicate",)
    copy = Explorer(page.opened.ds, query=page.navigation.query)
    assert copy.source.ds.identical(page.source.ds)
    assert copy.state.point == {"bound_mean": 1, "replicate": 1}
    run_code(copy)
    copy.go(changes={})
    assert copy.state.point == {"bound_mean": 1, "replicate": 1}
    assert copy.source is copy.opened


def run_code(page: Explorer) -> None:
    """Run the Python lines that the page shows, and compare their table with the page's."""
    view = get_view(page)
    names: dict[str, Any] = {"ds": page.opened.ds}
    exec("\n".join([*page.source.code.splitlines(), *view.make_code(page.state)]), names)
    own = view.make_table().set_index("quantity")
    np.testing.assert_array_equal(names["table"].loc[own.index].to_numpy(), own.to_numpy())


@pytest.mark.parametrize("ds", [DS, DS.chunk({"tf": 2}), make_measured()], ids=["numpy", "dask", "measured"])
def test_table__is_what_the_code_makes(ds: xr.Dataset, request: pytest.FixtureRequest) -> None:
    if ds is not DS:
        request.getfixturevalue("draws_nothing")
    page = Explorer(ds, query=QUERY)
    run_code(page)
    table = get_view(page).make_table()
    assert (table["before"].fillna(0) == table["after"].fillna(0)).all()
    set_field(page, "bound_mean", 5.5)
    run_code(page)
    means = get_view(page).make_table().set_index("quantity").loc["effect_bound"]
    assert means["after"] > means["before"] + 1
    if ds is DS:
        assert len(get_view(page).make_picture()) == 4
    assert "before" in get_view(page)._table.object


@pytest.mark.usefixtures("draws_nothing")
def test_saved_specification__is_what_the_command_takes(page: Explorer, tmp_path: Path) -> None:
    set_field(page, "bound_mean", 5.0)
    set_field(page, "tf_relationships", f"RAP1: MIG1 & !'{MARKUP}'")
    path, store = tmp_path / "spec.json", tmp_path / "out.zarr"
    path.write_text(get_view(page)._write_spec().read(), encoding="utf-8")
    assert json.loads(path.read_text())["bound_mean"] == 5.0
    result = run("simulate", store, "--spec", path, "--no-progress")
    assert result.exit_code == 0, result.output
    with yx.open(store) as saved:
        assert saved.compute().identical(page.source.ds)


@pytest.mark.usefixtures("draws_nothing")
def test_large_specification__is_simulated_in_part(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (changes, views):
        monkeypatch.setattr(module, "shrink", partial(shrink, most=20_000))
    spec = yx.SimulationSpec(genes=1000, bound=[0.1], n_sample=20_000, seed=1, tf_relationships={7: [19_999]})
    page = Explorer(spec.simulate(chunks={"tf": 1000}), query=QUERY)
    view = get_view(page)
    assert "of 20,000 TFs" in view._head.object
    set_field(page, "bound_mean", 4.0)
    assert list_errors(page) == {}
    assert page.source.n_pairs <= 20_000
    saved = yx.SimulationSpec.from_json(view._write_spec().read())
    assert saved == apply_changes(spec, {"bound_mean": "4"})
