"""The command sweep: the points it makes, how values are written, and how it refuses."""

import json
from pathlib import Path

import pytest
import xarray as xr

import yeastxr as yx
from tests.cli.common import run
from tests.conftest import read_files

SPEC = {"genes": 30, "bound": [0.2, 0.5], "seed": 1}
OPTIONS = ["--genes", "30", "--bound", "0.2,0.5", "--seed", "1"]


def test_sweep__same_as_the_function(tmp_path: Path) -> None:
    out = tmp_path / "sweep.zarr"
    over = ["--over", "max-mean-adjustment=0,5.5", "--over", "total_background_hops=900,1000"]
    result = run("sweep", out, *OPTIONS, *over, "--replicates", "2")
    assert result.exit_code == 0, result.output
    assert "2 max_mean_adjustments x 2 total_background_hopss x 2 replicates x 30 genes x 2 tfs" in result.output
    values = {"max_mean_adjustment": [0.0, 5.5], "total_background_hops": [900, 1000]}
    expected = yx.sweep(yx.SimulationSpec(**SPEC, replicates=2), **values).compute()
    xr.testing.assert_identical(yx.open(out).compute(), expected)


def test_sweep__a_finished_one_is_done_and_an_unfinished_one_goes_on(tmp_path: Path) -> None:
    import zarr

    out = tmp_path / "sweep.zarr"
    words = ["sweep", out, "--genes", "30", "--bound", "0.2", "--over", "bound_mean=3,5"]
    assert run(*words, "--chunks", "tf=1").exit_code == 0
    expected = yx.open(out).compute()
    zarr.open_group(out, mode="r+").attrs["yeastxr_complete"] = False
    assert run(*words).exit_code == 0  # with the seed that was drawn
    xr.testing.assert_identical(yx.open(out).compute(), expected)
    before = read_files(out)
    again = run(*words, "--seed", expected.attrs["seed"])
    assert (again.exit_code, again.output) == (0, f"{out}: already complete\n")
    assert run(*words[:-1], "bound_mean=3,6", "--seed", expected.attrs["seed"]).exit_code == 2
    assert read_files(out) == before


def test_sweep__file_before_options(tmp_path: Path) -> None:
    (tmp_path / "spec.yaml").write_text(json.dumps(SPEC))
    (tmp_path / "grid.yaml").write_text("bound_mean: [3, 5]\nbound_std: [1e0, 2]\n")
    words = ["--spec", tmp_path / "spec.yaml", "--sweep", tmp_path / "grid.yaml", "--over", "unbound_mean=0,1"]
    assert run("sweep", tmp_path / "sweep.zarr", *words).exit_code == 0
    ds = yx.open(tmp_path / "sweep.zarr").compute()
    values = {"bound_mean": [3, 5], "bound_std": [1.0, 2], "unbound_mean": [0.0, 1.0]}
    xr.testing.assert_identical(ds, yx.sweep(yx.SimulationSpec(**SPEC), **values).compute())


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "Missing option '--over', such as --over bound_mean=3,5, or '--sweep' with a file."),
        (["--over", "bound_mean"], "'bound_mean' is not of the form name=value,..., such as bound_mean=3,5"),
        (["--over", "bound_mean="], "is not of the form"),
        (["--over", "bound_mean=3,,5"], "is not of the form"),
        (["--over", "=3"], "is not of the form"),
        (
            ["--over", "bound_mean=3,x"],
            "'bound_mean=3,x' has a value that is none of the numbers that bound_mean takes",
        ),
        (["--over", "total_background_hops=1.5"], "has a value that is none of the integers that"),
        (["--over", "bound_men=3"], "did you mean 'bound_mean'"),
        (["--over", "genes=3,4"], "a sweep over 'genes' is not possible"),
        (["--over", "bound_std=1,-1"], "bound_std is -1.0; expected a finite number of at least 0"),
        (["--over", "bound_mean=3", "--over", "bound_mean=4"], "bound_mean is swept over twice"),
        (["--over", "tf_relationships=a"], "tf_relationships takes conditions, not words; expected --sweep"),
        (["--over", "bound_mean=3", "--chunks", "tfs=3"], "chunks names the dimension 'tfs', which is not known"),
        (["--sweep", "@list"], "expected parameters with values"),
        (["--sweep", "@empty"], "is empty; expected at least one"),
        (["--sweep", "@scalar"], "bound_mean is 3; expected a list"),
        (["--sweep", "@twice"], "'bound_mean' is there twice"),
        (["--sweep", "@twice.json"], "'bound_mean' is there twice"),
        (["--sweep", "@yaml"], "is not YAML"),
        (["--sweep", "@missing"], "does not exist"),
    ],
    ids=str,
)
def test_sweep__bad_input(words: list[str], message: str, tmp_path: Path) -> None:
    files = {
        "list": "[1, 2]",
        "empty": "bound_mean: []",
        "scalar": "bound_mean: 3",
        "twice": "bound_mean: [3]\nbound_std: [1]\nbound_mean: [4]",
        "twice.json": '{"bound_mean": [3], "bound_mean": [4]}',
        "yaml": "bound_mean: [",
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    words = [f"{tmp_path}/{word[1:]}" if word.startswith("@") else word for word in words]
    result = run("sweep", tmp_path / "sweep.zarr", *OPTIONS, *words)
    assert result.exit_code == 2
    assert message in result.output, result.output
    assert {path.name for path in tmp_path.iterdir()} == set(files)
