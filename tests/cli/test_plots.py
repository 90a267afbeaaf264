"""The command plot: kinds and options are those of the functions, and pictures are theirs."""

import inspect
from pathlib import Path
from typing import Any

import pytest
import xarray as xr

import yeastxr as yx
from tests.cli.common import run
from yeastxr.cli import main, plots

OTHERS = {"scores", "save"}  # what needs more than a dataset
NOT_GIVEN = {"ds", "datasets", "data", "summary", "result", "options"}  # what no text gives


def test_plot__kinds_and_options_are_those_of_the_functions() -> None:
    kinds = plots.list_kinds()
    assert set(kinds) == {name for name in yx.plot.__all__ if callable(getattr(yx.plot, name))} - OTHERS
    known = {name for kind in kinds for name in inspect.signature(getattr(yx.plot, kind)).parameters} - NOT_GIVEN
    options = {parameter.name.removeprefix("option_") for parameter in main.commands["plot"].params}
    assert known | set(plots.Options.__annotations__) == {name for names in kinds.values() for name in names}
    assert known <= options
    assert set(plots.HELP) == {name for names in kinds.values() for name in names}
    shown = " ".join(run("plot", "--help").output.split())
    assert f"Kinds: {', '.join(kinds)}." in shown
    assert "[default: 60; 50 for pvalue_histogram; 5 for rank_response]" in shown
    assert "compare, rank_response) [default: binding_pvalue for rank_response]" in shown


@pytest.mark.parametrize("ending", ["png", "svg", "pdf", "html"])
def test_plot__pictures(ending: str, store: Path, tmp_path: Path) -> None:
    out = tmp_path / f"a.{ending}"
    result = run("plot", store, "bound-fraction", "-o", out, "--dpi", 20)
    assert result.exit_code == 0, result.output
    assert f"{out}: bound_fraction, " in result.output
    assert run("plot", store, "bound-fraction", "-o", out, "--dpi", 20).exit_code == 2  # it is there
    start = {"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF", "html": b"<!DOCTYPE"}[ending]
    assert out.read_bytes().lstrip()[:9].startswith(start)


@pytest.mark.parametrize(
    ("kind", "words", "expected"),
    [
        ("qc", ["--max-points", "9", "--gene", "3,4"], {"max_points": 9, "gene": [3, 4]}),
        (
            "binding_histogram",
            ["--bins", "30", "--limits", "0,9.5", "--tf", "1", "--no-theory", "--size", "300,200", "--title", "x"],
            {"bins": 30, "limits": (0, 9.5), "tf": [1], "theory": False, "size": (300, 200), "title": "x"},
        ),
        ("compare", ["--by", "tf", "--label", "none"], {"by": "tf", "label": None}),
        ("label_map", ["--order", "clustered"], {"order": "clustered"}),
        ("volcano", ["--kind", "binding", "--logx"], {"kind": "binding", "logx": True}),
        ("correlation", ["--x", "binding_pvalue", "--level", "0.9"], {"x": "binding_pvalue", "level": 0.9}),
    ],
)
def test_plot__options_reach_the_function(
    kind: str, words: list[str], expected: dict[str, Any], store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []

    def record(ds: xr.Dataset, **options: Any) -> str:
        calls.append(options)
        return kind

    signature = inspect.signature(getattr(yx.plot, kind))
    record.__signature__ = signature  # type: ignore[attr-defined]
    monkeypatch.setattr(yx.plot, kind, record)
    monkeypatch.setattr(yx.plot, "save", lambda picture, path, **_: path.write_text(picture))
    assert run("plot", store, kind, "-o", tmp_path / "a.png", *words).exit_code == 0
    assert calls == [expected]
    assert set(expected) <= {*signature.parameters, *plots.Options.__annotations__}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["qcc", "-o", "a.png"], "unknown value 'qcc'; did you mean 'qc'?"),
        (["label_maps", "-o", "a.png"], "did you mean 'label_map'"),
        (["scores", "-o", "a.png"], "unknown value 'scores'"),
        (["qc"], "Missing option '-o'"),
        (["qc", "-o", "a.jpg"], "expected a path that ends in .png, .svg, .pdf or .html"),
        (["qc", "-o", "no/a.png"], "expected a file in an existing folder"),
        (["qc", "-o", "there.png"], "which already exists; choose another path or pass --overwrite"),
        (
            ["qc", "-o", "a.png", "--bins", "3"],
            "--bins is not an option of qc; expected one of 'tf', 'gene', 'max_points'",
        ),
        (["roc", "-o", "a.png", "--bins", "3"], "--bins is not an option of roc"),
        (["binding_histogram", "-o", "a.png", "--bins", "0"], "bins is 0; expected an integer from 1"),
        (["binding_histogram", "-o", "a.png", "--limits", "1,2,3"], "limits is (1.0, 2.0, 3.0)"),
        (["binding_histogram", "-o", "a.png", "--tf", "GAL4"], "tf is ['GAL4']; expected integers"),
        (["binding_histogram", "-o", "a.png", "--tf", "9"], "tf is 9, which is unknown"),
        (["label_map", "-o", "a.png", "--order", "named"], "unknown value 'named'; did you mean 'name'?"),
        (["compare", "-o", "a.png"], "by is None"),
        (["compare", "-o", "a.png", "--by", "gen"], "by is 'gen'"),
        (["enrichment", "-o", "a.png"], "experiment_hops"),
        (["qc", "-o", "a.png", "--dpi", "3"], "dpi is 3; expected an integer from 10 to 1200"),
        (["qc", "-o", "a.png", "--chunks", "tsf=3"], "chunks has the unknown dimension 'tsf'"),
    ],
    ids=str,
)
def test_plot__bad_input(
    words: list[str], message: str, store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there.png").write_text("mine")
    result = run("plot", store, *words)
    assert result.exit_code == 2
    assert message in result.output, result.output
    assert {path.name for path in tmp_path.iterdir()} == {"sim.zarr", "there.png"}
    assert (tmp_path / "there.png").read_text() == "mine"
