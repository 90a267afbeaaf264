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
    assert "2 max_mean_adjustment x 2 total_background_hops x 2 replicates x 30 genes x 2 tfs" in result.output
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


def test_sweep__methods_labels_and_variants(tmp_path: Path) -> None:
    out = tmp_path / "sweep.zarr"
    (tmp_path / "rules.json").write_text('{"0": [{"or": [1, 2]}]}')
    options = ["--genes", "40", "--bound", "0.5", "--n-sample", "3", "--max-mean-adjustment", "10", "--seed", "1"]
    result = run("sweep", out, *options, "--tf-relationships", tmp_path / "rules.json", "--over", "method=none,boolean")
    assert result.exit_code == 0, result.output
    spec = yx.SimulationSpec(
        genes=40, bound=[0.5], n_sample=[3], max_mean_adjustment=10.0, tf_relationships={0: [yx.Or(1, 2)]}, seed=1
    )
    xr.testing.assert_identical(yx.open(out).compute(), yx.sweep(spec, method=["none", "boolean"]).compute())
    (tmp_path / "grid.yaml").write_text(
        "method: {binding: {}, boolean: {tf_relationships: {0: [1, {not: 2}]}}}\n"
        "bound_experiment_hops_range: {few: [1, 6], many: [2, 9]}\n"
    )
    words = ["--sweep", tmp_path / "grid.yaml", "--over", "positive-fraction=0.5,0.75", "--chunks", "tf=2"]
    result = run("sweep", out, *options, *words, "--overwrite")
    assert result.exit_code == 0, result.output
    assert ": 2 method x 2 bound_experiment_hops_range x 2 positive_fraction x 40 genes x 3 tfs, " in result.output
    expected = yx.sweep(
        yx.SimulationSpec(genes=40, bound=[0.5], n_sample=[3], max_mean_adjustment=10.0, seed=1),
        method={"binding": {}, "boolean": {"tf_relationships": {0: [1, yx.Not(2)]}}},
        bound_experiment_hops_range={"few": [1, 6], "many": [2, 9]},
        positive_fraction=[0.5, 0.75],
    )
    xr.testing.assert_identical(yx.open(out).compute(), expected.compute())
    rules = "tf_relationships: {none: null, one: {0: [1]}}"
    (tmp_path / "grid.yaml").write_text(rules)
    assert run("sweep", out, *options, *words[:2], "--overwrite", "--quiet").exit_code == 0
    assert yx.spec_of(yx.open(out).sel(tf_relationships="one")).tf_relationships == {0: (1,)}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "Missing option '--over', such as --over bound_mean=3,5, or '--sweep' FILE."),
        (["--over", "bound_mean"], "'bound_mean' is invalid; expected name=value,..., such as bound_mean=3,5"),
        (["--over", "bound_mean="], "is invalid; expected name=value"),
        (["--over", "bound_mean=3,,5"], "is invalid; expected name=value"),
        (["--over", "=3"], "is invalid; expected name=value"),
        (
            ["--over", "bound_mean=3,x"],
            "'bound_mean=3,x' contains an invalid value; expected numbers for bound_mean",
        ),
        (["--over", "total_background_hops=1.5"], "contains an invalid value; expected integers for"),
        (["--over", "bound_men=3"], "did you mean 'bound_mean'"),
        (["--over", "genes=3,4"], "a sweep over 'genes' is not possible"),
        (["--over", "bound_std=1,-1"], "bound_std is -1.0; expected a finite number of at least 0"),
        (["--over", "bound_mean=3", "--over", "bound_mean=4"], "bound_mean is swept twice"),
        (["--over", "tf_relationships=a"], "tf_relationships needs conditions; expected --sweep"),
        (["--over", "bound_mean=3", "--chunks", "tfs=3"], "chunks has the unknown dimension 'tfs'"),
        (["--over", "method=none,bindng"], "unknown method 'bindng'; did you mean 'binding'?"),
        (["--over", "bound_mean=3", "--over", "bound_men=3"], "did you mean 'bound_mean'"),
        (
            ["--sweep", "@rules"],
            "Error: rules, tf_relationships['a']: tf_relationships[0] names the TF 9, which is unknown",
        ),
        (["--sweep", "@rule"], "Error: rule, method['related']: tf_relationships contains {'xor': [1]}; expected"),
        (
            ["--sweep", "@text"],
            "Error: text, way['x']: tf_relationships[0] is '1 & & 0', which is not the label of a TF: the rela",
        ),
        (["--sweep", "@text"], "the relation has '&' at character 5; expected"),
        (["--sweep", "@number"], "Error: number sweeps over 1; expected the name of a parameter"),
        (["--sweep", "@chunks"], "a sweep over 'chunks' is not possible"),
        (["--sweep", "@preset"], "Error: way['x'] can't have a preset; pass it to SimulationSpec.from"),
        (["--sweep", "@list"], "expected parameters with values"),
        (["--sweep", "@empty"], "is empty; expected at least one"),
        (["--sweep", "@scalar"], "bound_mean is 3; expected a list"),
        (["--sweep", "@twice"], "duplicate key 'bound_mean'"),
        (["--sweep", "@twice.json"], "duplicate key 'bound_mean'"),
        (["--sweep", "@yaml"], "is not YAML"),
        (["--sweep", "@missing"], "does not exist"),
    ],
    ids=str,
)
def test_sweep__bad_input(words: list[str], message: str, tmp_path: Path) -> None:
    files = {
        "list": "[1, 2]",
        "rules": "tf_relationships: {a: {0: [9]}}",
        "rule": "method: {related: {tf_relationships: {0: [{xor: [1]}]}}}",
        "text": "way: {x: {tf_relationships: {0: '1 & & 0'}}}",
        "preset": "way: {x: {preset: yeast}}",
        "number": "1: [3]",
        "chunks": "chunks: [3]",
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
