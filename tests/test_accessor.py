"""Methods of ``ds.yeast`` have the functions' own parameters, and do what the functions do."""

import inspect
import pickle
from collections.abc import Callable
from typing import Any

import pytest

import yeastxr as yx
from tests.conftest import simulate_tutorial
from yeastxr.accessor import YeastAccessor, YeastAnalysis, YeastPlots
from yeastxr.explore import explore
from yeastxr.training import SampleDataset

METHODS: dict[str, Callable[..., Any]] = {
    "validate": yx.validate,
    "rename": yx.rename,
    "check": yx.check,
    "to_anndata": yx.to_anndata,
    "fit_spec": yx.fit_spec,
    "to_dataarray": yx.to_dataarray,
    "to_dataframe": yx.to_dataframe,
    "to_torch": yx.to_torch,
    "xy": yx.xy,
    "split": yx.split,
    "batches": yx.Batches,
    "samples": SampleDataset,
    "save": yx.save,
    "export": yx.export,
    "report": yx.report,
    "explore": explore,
    "targets": yx.analysis.targets,
    "top": yx.analysis.top,
    "describe": yx.analysis.describe,
}
PLOTS = {name: getattr(yx.plot, name) for name in yx.plot.__all__ if name not in ("MAX_POINTS", "save")}


def parameters(function: Callable[..., Any]) -> list[tuple[Any, ...]]:
    """Return name, kind, default and annotation of each parameter."""
    listed = inspect.signature(function).parameters.values()
    return [(p.name, p.kind, p.default, str(p.annotation).replace('"', "")) for p in listed]


@pytest.mark.parametrize(
    ("owner", "functions"), [(YeastAccessor, METHODS), (YeastPlots, PLOTS)], ids=["accessor", "plots"]
)
def test_accessor__has_a_method_for_each_function(owner: type, functions: dict[str, Any]) -> None:
    methods = {name for name, value in vars(owner).items() if not name.startswith("_") and inspect.isfunction(value)}
    assert methods == set(functions)


def test_accessor__has_each_public_function_of_a_dataset() -> None:
    """A new function whose first parameter is a dataset gets a method, or an exception here."""
    first = {}
    for name in yx.__all__:
        value = getattr(yx, name)
        if inspect.isfunction(value):
            first[name] = next(iter(inspect.signature(value).parameters), "")
    assert {name for name, parameter in first.items() if parameter == "ds"} - set(METHODS) == {"spec_of"}


@pytest.mark.parametrize("name", [*METHODS, *PLOTS])
def test_accessor__signatures_are_those_of_the_functions(name: str) -> None:
    owner, function = (YeastAccessor, METHODS[name]) if name in METHODS else (YeastPlots, PLOTS[name])
    assert parameters(getattr(owner, name))[1:] == parameters(function)[1:]
    assert parameters(function)[0][0] in ("ds", "data", "datasets")


@pytest.mark.parametrize("name", [*METHODS, *PLOTS])
def test_accessor__help_shows_parameters_without_the_dataset(name: str) -> None:
    ds = simulate_tutorial(genes=10)
    method = getattr(ds.yeast if name in METHODS else ds.yeast.plot, name)
    text = inspect.getdoc(method) or ""
    assert "\nds\n" not in text
    assert "\ndata\n" not in text
    assert ">>>" not in text
    assert "see :" in text.lower()
    listed = list(inspect.signature(method).parameters)
    assert "self" not in listed
    assert "ds" not in listed
    if "\nParameters\n" in text:
        section = text.partition("\nParameters\n")[2].partition("\n\n")[0]
        named = {word.strip(" *") for line in section.splitlines() if line[:1].strip() for word in line.split(",")}
        assert set(listed) <= named


def test_accessor__gives_what_the_functions_give() -> None:
    ds = simulate_tutorial(genes=100)
    assert ds.yeast.validate() is ds
    assert ds.yeast.to_dataarray().identical(yx.to_dataarray(ds))
    assert ds.yeast.split(seed=1).identical(yx.split(ds, seed=1))
    assert ds.yeast.spec == yx.spec_of(ds)
    assert repr(ds.yeast.check()) == repr(yx.check(ds))
    assert len(ds.yeast.batches(7)) == len(yx.Batches(ds, 7))
    assert repr(ds.yeast.plot.label_map(tf=[1, 2])) == repr(yx.plot.label_map(ds, tf=[1, 2]))


def test_accessor__is_pickled_with_its_dataset() -> None:
    ds = simulate_tutorial(genes=20)
    assert ds.yeast is ds.yeast
    again = pickle.loads(pickle.dumps(ds))
    assert again.yeast.to_dataarray().identical(ds.yeast.to_dataarray())


def test_accessor__has_each_method_of_the_analysis() -> None:
    """All functions of a dataset; those of one TF and the table of TFs are methods of ``ds.yeast`` itself."""
    functions = {name: getattr(yx.analysis, name) for name in yx.analysis.__all__}
    of_datasets = {name: f for name, f in functions.items() if "ds" in inspect.signature(f).parameters}
    assert set(functions) - set(of_datasets) == {"enrichment", "adjust_pvalues"}
    for name, function in of_datasets.items():
        method = getattr(YeastAccessor if name in METHODS else YeastAnalysis, name)
        expected = [p for p in parameters(function) if p[0] != "ds"]
        assert [p for p in parameters(method) if p[0] not in ("self", "ds")] == expected, name
