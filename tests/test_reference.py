"""The reference has every public name, and every public name has a complete docstring with an example that runs."""

import importlib
import inspect
import sys
from typing import Any

import pytest
from numpydoc.docscrape import NumpyDocString
from numpydoc.validate import validate

from tests.pages import DOCS

sys.path.insert(0, str(DOCS / "_ext"))

import reference
import tables

# Sections are there and in order, and parameters are complete; their types are in the hints alone.
CHECKS = {
    *("GL01", "GL02", "GL03", "GL05", "GL06", "GL07", "GL08", "GL09", "GL10"),
    *("SS01", "SS02", "SS03", "SS04", "PR01", "PR02", "PR05", "PR06", "PR07", "PR08", "PR09", "PR10"),
    *("RT01", "RT03", "RT05", "YD01"),
}


def load(name: str) -> Any:
    """Return the object that a listed name stands for."""
    module, _, own = name.rpartition(".")
    return getattr(importlib.import_module(f"yeastxr.{module}" if module else "yeastxr"), own)


def get_full_name(name: str) -> str:
    """Return a listed name as numpydoc imports it."""
    value = load(name)
    return f"{value.__module__}.{value.__qualname__}"


CALLABLES = [name for name in reference.list_names() if callable(load(name))]

# What is still due; a name goes from here with what it lacks.
INCOMPLETE: set[str] = set()
WITHOUT_EXAMPLE: set[str] = set()


def mark_due(due: set[str]) -> list[Any]:
    """Return the names to test, those that are due as failures to be expected."""
    mark = pytest.mark.xfail(strict=True)
    return [pytest.param(name, marks=mark if name in due else ()) for name in CALLABLES]


def test_reference__has_every_public_name_once() -> None:
    listed = reference.list_names()
    assert set(listed) >= reference.list_public()
    assert len(listed) == len(set(listed))


def test_reference__names_exist() -> None:
    for name in reference.list_names():
        assert load(name) is not None, name


@pytest.mark.parametrize("name", mark_due(INCOMPLETE))
def test_docstrings__are_complete(name: str) -> None:
    without = {"PR01", "PR02"} if name == "simulate" else set()  # it takes those of SimulationSpec
    wrong = [error for error in validate(get_full_name(name))["errors"] if error[0] in CHECKS - without]
    assert not wrong


@pytest.mark.parametrize("name", mark_due(WITHOUT_EXAMPLE))
def test_docstrings__have_an_example(name: str) -> None:
    if is_error(load(name)):
        pytest.skip("an error is raised, not called")
    assert ">>>" in (load(name).__doc__ or "")


@pytest.mark.parametrize("name", [name for name in CALLABLES if inspect.isfunction(load(name))])
def test_docstrings__say_what_is_raised(name: str) -> None:
    source = inspect.getsource(load(name))
    if "raise " in source or "check_" in source or "validate(" in source:
        assert NumpyDocString(inspect.cleandoc(load(name).__doc__))["Raises"]


def test_accessor__methods_lead_to_what_they_do() -> None:
    for owner in (load("YeastAccessor"), load("accessor.YeastPlots")):
        for name, method in vars(owner).items():
            if not name.startswith("_"):
                text = method.fget.__doc__ if isinstance(method, property) else method.__doc__
                assert "yeastxr." in text or name == "plot", f"{name} doesn't say where it is documented"


def is_error(value: Any) -> bool:
    """Tell whether something is a class of errors."""
    return isinstance(value, type) and issubclass(value, Exception)


def test_tables__have_each_feature_and_parameter() -> None:
    from dataclasses import fields

    import yeastxr as yx

    assert [row[1] for row in tables.feature_rows()[1:]] == [feature.name for feature in yx.FEATURES]
    assert {row[0] for row in tables.parameter_rows()[1:]} == {field.name for field in fields(yx.SimulationSpec)}
