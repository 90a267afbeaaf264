"""The command: what it leaves and prints, and how it refuses."""

import json
import os
import re
import signal
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
import torch
import xarray as xr
from click.testing import CliRunner, Result

import yeastxr as yx
from tests.conftest import read_files
from yeastxr.cli import main
from yeastxr.errors import escape_controls
from yeastxr.simulation.relations import to_json

SIMULATE = ["--genes", "200", "--bound", "0.1,0.2", "--n-sample", "2,3", "--seed", "42"]


def run(*args: object) -> Result:
    return CliRunner().invoke(main, [str(arg) for arg in args], catch_exceptions=False)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    assert run("simulate", tmp_path / "sim.zarr", *SIMULATE).exit_code == 0
    return tmp_path / "sim.zarr"


def test_simulate__same_as_the_function(store: Path) -> None:
    expected = yx.simulate(genes=200, bound=[0.1, 0.2], n_sample=[2, 3], seed=42)
    xr.testing.assert_identical(yx.open(store).compute(), expected)


def test_simulate__every_option(tmp_path: Path) -> None:
    rules = {0: [1, yx.Or(2, yx.Not(1))], 2: []}
    (tmp_path / "rules.json").write_text(json.dumps(to_json(rules)))
    options = {
        "bound": [0.5],
        "n_sample": [3],
        "replicates": 2,
        "background_hops_range": [2, 50],
        "unbound_experiment_hops_range": [0, 2],
        "bound_experiment_hops_range": [3, 9],
        "total_background_hops": 500,
        "total_experiment_hops": 90,
        "pseudocount": 0.01,
        "large_effect_percentile": 0.8,
        "large_effect_upper_pval": 0.1,
        "unbound_mean": 0.5,
        "unbound_std": 2.0,
        "bound_mean": 4.0,
        "bound_std": 0.5,
        "max_mean_adjustment": 7.5,
        "seed": 2**64 - 1,
    }
    args = [
        part
        for name, value in options.items()
        for part in (f"--{name.replace('_', '-')}", ",".join(map(str, value)) if isinstance(value, list) else value)
    ]
    out = tmp_path / "sim.zarr"
    result = run("simulate", out, "--genes", "a,b,c,d", *args, "--tf-relationships", tmp_path / "rules.json")
    assert result.exit_code == 0, result.output
    assert f"seed {2**64 - 1}" in result.output
    expected = yx.simulate(genes=["a", "b", "c", "d"], tf_relationships=rules, **options)
    xr.testing.assert_identical(yx.open(out).compute(), expected)


def test_simulate__flags_texts_and_what_extends_the_tutorial(tmp_path: Path) -> None:
    out = tmp_path / "sim.zarr"
    args = ["--hops", "--adjusted", "--pvalues", "test", "--positive-fraction", "0.2,0.7", "--measurements", "2"]
    result = run(
        "simulate", out, "--genes", "20", "--bound", "0.2,0.4", "--responsive-fraction", "0.5", "--seed", "1", *args
    )
    assert result.exit_code == 0, result.output
    expected = yx.simulate(
        genes=20,
        bound=[0.2, 0.4],
        hops=True,
        adjusted=True,
        pvalues="test",
        positive_fraction=[0.2, 0.7],
        measurements=2,
        responsive_fraction=0.5,
        seed=1,
    )
    xr.testing.assert_identical(yx.open(out).compute(), expected)
    assert "hops: true" in run("info", out, "--spec").output
    (tmp_path / "spec.yaml").write_text(run("info", out, "--spec").output)
    assert run("simulate", tmp_path / "again.zarr", "--spec", tmp_path / "spec.yaml").exit_code == 0
    xr.testing.assert_identical(yx.open(tmp_path / "again.zarr").compute(), expected)
    result = run("simulate", out, "--genes", "20", "--bound", "0.2", "--pvalues", "exact")
    assert "expected 'tutorial' or 'test'" in result.output


def test_simulate__has_an_option_for_every_parameter() -> None:
    options = {parameter.name: parameter for parameter in main.commands["simulate"].params}
    for field in fields(yx.SimulationSpec):
        text = options[field.name].help
        assert text.startswith(field.metadata["help"])
        assert not options[field.name].show_default  # a default of click's would hide what --spec says
        if isinstance(field.default, tuple):
            assert f"[default: {','.join(map(str, field.default))}]" in text
        elif isinstance(field.default, bool):
            assert options[field.name].is_flag
        elif isinstance(field.default, str):
            assert f"[default: {field.default}]" in text
        elif isinstance(field.default, int | float):
            [default] = re.findall(r"\[default: (.*)\]", text)
            assert float(default) == field.default
        else:
            assert "[default" not in text


@pytest.mark.parametrize("text", ["YAL001C\nGAL4\n", "\ufeffYAL001C\r\n\r\n  GAL4  ", "1\n2"])
def test_simulate__names_from_a_file(text: str, tmp_path: Path) -> None:
    (tmp_path / "names.txt").write_bytes(text.encode())
    names = f"@{tmp_path / 'names.txt'}"
    out = tmp_path / "sim.zarr"
    args = ["--genes", names, "--tfs", names, "--bound", "0.5", "--n-sample", "2", "--seed", "1"]
    assert run("simulate", out, *args).exit_code == 0
    expected = text.lstrip("\ufeff").split()
    assert list(yx.open(out)["gene"].values) == list(yx.open(out)["tf"].values) == expected


@pytest.mark.parametrize("option", ["--genes", "--tfs"])
@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("genes.txt", "looks like a file; expected names, or @genes.txt"),
        ("data/genes", "looks like a file"),
        ("GENES.CSV", "looks like a file"),
        ("here", "looks like a file; expected names, or @here"),
        ("@missing.txt", "'@missing.txt' can't be read: No such file"),
        ("@binary", "can't be read: it is not text"),
        ("@", "can't be read"),
        ("@folder", "can't be read"),
        ("@empty", "is empty; expected at least one name"),
        ("@twice", "holds 'a' twice"),
    ],
)
def test_simulate__names_that_are_no_names(
    option: str, value: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    for name, content in {"here": b"a", "binary": b"\xff\xfe\x00", "empty": b"\n\n", "twice": b"a\na"}.items():
        (tmp_path / name).write_bytes(content)
    other = ["--genes", "3"] if option == "--tfs" else []
    result = run("simulate", "sim.zarr", *other, "--bound", "0.5", option, value)
    assert result.exit_code == 2
    assert message in result.output
    assert not (tmp_path / "sim.zarr").exists()


def test_simulate__seed_drawn_is_shown_and_stored(tmp_path: Path) -> None:
    result = run("simulate", tmp_path / "sim.zarr", "--genes", "10", "--bound", "0.5")
    seed = yx.spec_of(yx.open(tmp_path / "sim.zarr")).seed
    assert f"seed {seed}" in result.output


def test_simulate__quiet(tmp_path: Path) -> None:
    assert run("simulate", tmp_path / "sim.zarr", *SIMULATE, "--quiet").output == ""


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--genes", "0", "genes is 0; expected an integer from 1 to 4294967295"),
        ("--genes", "-1", "genes is -1; expected an integer from 1 to 4294967295"),
        ("--genes", "1.5", "genes is 1.5; expected an integer from 1 to 4294967295"),
        ("--genes", "a,a", "genes holds 'a' twice"),
        ("--genes", "6,600", "'6,600' is a list of numbers; expected a count such as 6600"),
        ("--genes", "a,,b", "'a,,b' has an empty name"),
        ("--tfs", "a,b,c,d,", "'a,b,c,d,' is not a list of the form name,..."),
        ("--tfs", "a,b,c,d,d", "tfs holds 'd' twice"),
        ("--tfs", "a,b", "tfs has 2 names; expected 5"),
        ("--bound", "0.1,1.2", "bound[1] is 1.2; expected a number from 0 to 1"),
        ("--bound", "0.1,nan", "bound[1] is nan; expected a number from 0 to 1"),
        ("--bound", "0.1", "n_sample has 2 entries and bound has 1"),
        ("--bound", "x", "'x' is not a list of the form number,..."),
        ("--n-sample", "2,0", "n_sample[1] is 0; expected an integer from 1 to"),
        ("--background-hops-range", "-1,100", "background_hops_range is [-1, 100]; expected two integers"),
        ("--background-hops-range", "10,1", "background_hops_range is [10, 1]; expected two integers"),
        ("--bound-experiment-hops-range", "1,2,3", "bound_experiment_hops_range is [1, 2, 3]; expected two integers"),
        ("--large-effect-percentile", "1.5", "large_effect_percentile is 1.5; expected a number from 0 to 1"),
        ("--bound-std", "-1", "bound_std is -1.0; expected a finite number of at least 0"),
        ("--bound-mean", "nan", "bound_mean is nan; expected a finite number"),
        ("--seed", "-1", "seed is -1; expected an integer from 0 to 2**64 - 1"),
        ("--seed", str(2**64), "expected an integer from 0 to 2**64 - 1"),
        ("--seed", "1.5", "'1.5' is not a valid integer"),
        ("--replicates", "0", "replicates is 0; expected an integer"),
    ],
)
def test_simulate__bad_input(tmp_path: Path, option: str, value: str, message: str) -> None:
    result = run("simulate", tmp_path / "sim.zarr", *SIMULATE, option, value)
    assert result.exit_code == 2
    assert message in result.output
    assert "Traceback" not in result.output
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ('{"0": [9]}', "rules.json, line 1, column 8: the TF 9 is not known; known are 0, 1, 2, 3, 4"),
        ('{"GAL4": [1]}', "line 1, column 2: the TF 'GAL4' is not known; known are 0, 1"),
        ('{"0": [{"and": []}]}', "column 8: And() is empty"),
        ('{"0": [{"xor": [1, 2]}]}', "an object of another form; expected a TF, a relation such as"),
        ('{"0": [1.5]}', "a condition is '1.5'; expected a TF"),
        ("[1, 2]", "the file is no object; expected"),
        ("{", "expected YAML or JSON"),
        ('{"0": [1], "1": [0], "0": [2]}', "column 22: the TF 0 is there twice"),
        ("0: 1 & !2\n1: (2 | 9)", "line 2, column 9: the relation names the TF 9, which is not known"),
    ],
)
def test_simulate__bad_relationships(tmp_path: Path, rules: str, message: str) -> None:
    (tmp_path / "rules.json").write_text(rules)
    result = run("simulate", tmp_path / "sim.zarr", *SIMULATE, "--tf-relationships", tmp_path / "rules.json")
    assert result.exit_code == 2
    assert message in " ".join(result.output.split())
    assert not (tmp_path / "sim.zarr").exists()


def test_simulate__missing_options(tmp_path: Path) -> None:
    result = run("simulate", tmp_path / "sim.zarr")
    assert result.exit_code == 2
    assert "--genes" in result.output


def test_simulate__store_is_there(store: Path) -> None:
    result = run("simulate", store, *SIMULATE[:-1], "43")
    assert result.exit_code == 2
    assert "overwrite" in result.output
    assert yx.spec_of(yx.open(store)).seed == 42
    assert run("simulate", store, *SIMULATE[:-1], "43", "--overwrite").exit_code == 0
    assert yx.spec_of(yx.open(store)).seed == 43


def test_info__says_what_made_it(store: Path) -> None:
    output = run("info", store).output
    for text in ("seed: 42", "genes: 200", "bound: [0.1, 0.2]", "random-number scheme 2", "binding_effect", "On disk"):
        assert text in output


@pytest.mark.parametrize("command", ["info", "check", "export"])
def test_commands__no_such_store(tmp_path: Path, command: str) -> None:
    result = run(command, tmp_path / "missing.zarr", *([tmp_path / "out.pt"] if command == "export" else []))
    assert result.exit_code == 2
    assert "missing.zarr" in result.output
    assert "Traceback" not in result.output


def test_check__passes_and_fails(store: Path, tmp_path: Path) -> None:
    result = run("check", store)
    assert result.exit_code == 0
    assert "0 failed" in result.output
    ds = yx.open(store)
    yx.save(ds.assign(perturbation_effect=abs(ds.perturbation_effect)), tmp_path / "bad.zarr")
    result = run("check", tmp_path / "bad.zarr")
    assert result.exit_code == 1
    assert "FAIL" in result.output


def test_export__tensor(store: Path, tmp_path: Path) -> None:
    assert run("export", store, tmp_path / "tensor.pt").exit_code == 0
    tensor = torch.load(tmp_path / "tensor.pt", weights_only=True)
    assert torch.equal(tensor, yx.open(store).yeast.to_torch())


def test_export__features(store: Path, tmp_path: Path) -> None:
    run("export", store, tmp_path / "two.pt", "--features", "binding_effect,label")
    tensor = torch.load(tmp_path / "two.pt", weights_only=True)
    assert torch.equal(tensor, yx.open(store).yeast.to_torch()[..., [1, 0]])
    result = run("export", store, tmp_path / "other.pt", "--features", "bindng_effect")
    assert result.exit_code == 2
    assert "did you mean 'binding_effect'" in result.output
    assert not (tmp_path / "other.pt").exists()


def test_export__refused(store: Path, tmp_path: Path) -> None:
    result = run("export", store, tmp_path / "out.xyz")
    assert result.exit_code == 2
    assert ".pt" in result.output
    (tmp_path / "tensor.pt").write_text("mine")
    assert run("export", store, tmp_path / "tensor.pt").exit_code == 2
    assert (tmp_path / "tensor.pt").read_text() == "mine"


def test_demo__leaves_its_files(tmp_path: Path) -> None:
    (tmp_path / "demo").mkdir()
    (tmp_path / "demo" / "qc.html").write_text("mine")
    result = run("demo", tmp_path / "demo")
    assert result.exit_code == 2
    assert "which holds qc.html; expected a new one, or overwrite" in result.output
    assert [path.read_text() for path in (tmp_path / "demo").iterdir()] == ["mine"]
    result = run("demo", tmp_path / "demo", "--overwrite")
    assert result.exit_code == 0, result.output
    assert {path.name for path in (tmp_path / "demo").iterdir()} == {"sim.zarr", "tensor.pt", "qc.html", "qc.png"}
    assert torch.load(tmp_path / "demo" / "tensor.pt", weights_only=True).shape == (1000, 10, 5)
    assert "Step 4" in result.output
    assert "0 failed" in result.output
    assert (tmp_path / "demo" / "qc.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("command", ["info", "check", "report", "verify", "export"])
def test_commands__take_urls(command: str, store: Path, tmp_path: Path) -> None:
    out = {"report": [tmp_path / "qc.html"], "export": [tmp_path / "out.npz"]}.get(command, [])
    result = run(command, f"file://{store}", *out)
    assert result.exit_code == 0, result.output


@pytest.mark.parametrize("command", ["check", "report", "export"])
def test_commands__missing_and_damaged_chunks_in_one_sentence(command: str, store: Path, tmp_path: Path) -> None:
    out = {"report": [tmp_path / "qc.html"], "export": [tmp_path / "out.npz"]}.get(command, [])
    chunk = store / "binding_effect" / "c" / "0" / "0"
    whole = chunk.read_bytes()
    chunk.write_bytes(whole[:100])
    result = run(command, store, *out)
    assert result.exit_code == 2
    assert "has a damaged chunk binding_effect/c/0/0" in result.output
    chunk.unlink()
    result = run(command, store, *out)
    assert result.exit_code == 2
    assert "which lacks the chunk binding_effect/c/0/0; expected what was saved" in result.output
    assert all(not path.exists() for path in out)


def test_commands__other_errors_are_not_hidden(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(*_: object, **__: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr("yeastxr.checks.check", wrong)
    with pytest.raises(RuntimeError, match="a bug"):
        run("check", store)


def test_commands__too_large_for_memory_in_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise MemoryError("Unable to allocate 61 GiB")

    monkeypatch.setattr(yx.SimulationSpec, "simulate", full)
    result = run("simulate", tmp_path / "sim.zarr", *SIMULATE)
    assert result.exit_code == 1
    assert "not enough memory: Unable to allocate 61 GiB" in result.output


def test_spec_file__makes_the_store_again(store: Path, tmp_path: Path) -> None:
    printed = run("info", "--spec", store)
    assert printed.exit_code == 0
    (tmp_path / "spec.yaml").write_text(printed.output)
    again = tmp_path / "again.zarr"
    assert run("simulate", again, "--spec", tmp_path / "spec.yaml").exit_code == 0
    xr.testing.assert_identical(yx.open(again).compute(), yx.open(store).compute())
    other = tmp_path / "other.zarr"
    assert run("simulate", other, "--spec", tmp_path / "spec.yaml", "--seed", "7", "--genes", "50").exit_code == 0
    assert dict(yx.open(other).sizes) == {"gene": 50, "tf": 5, "feature": 5}
    assert yx.open(other).attrs["seed"] == 7


def test_spec_file__with_relations_and_names(tmp_path: Path) -> None:
    spec = yx.SimulationSpec(
        genes=["a", "ü: no", "- x"], tfs=["GAL4", "1", "true"], bound=[0.5], n_sample=[3], seed=1, replicates=2,
        max_mean_adjustment=1.5, tf_relationships={"GAL4": [yx.Or("1", yx.Not("true"))], "1": []},
    )  # fmt: skip
    path = yx.save(spec.simulate(), tmp_path / "sim.zarr")
    (tmp_path / "spec.yaml").write_text(run("info", "--spec", path).output, encoding="utf-8")
    assert run("simulate", tmp_path / "again.zarr", "--spec", tmp_path / "spec.yaml").exit_code == 0
    assert yx.spec_of(yx.open(tmp_path / "again.zarr")) == spec


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("genes: [", "is not YAML"),
        ("- 3", "expected parameters with values"),
        ("genes: 10", "'--bound'"),
        ("{genes: 10, bound: [0.5], sede: 3}", "did you mean 'seed'"),
        ("{genes: 10, bond: [0.5]}", "did you mean 'bound'"),
        ("!!python/object/apply:os.system ['true']", "is not YAML"),
        ("{genes: 10, bound: [2]}", "bound[0] is 2"),
    ],
)
def test_spec_file__refused(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "spec.yaml").write_text(text)
    result = run("simulate", tmp_path / "sim.zarr", "--spec", tmp_path / "spec.yaml")
    assert result.exit_code == 2
    assert message in result.output
    assert not (tmp_path / "sim.zarr").exists()


def test_verify__exit_status_and_repair(store: Path) -> None:
    assert run("verify", store).exit_code == 0
    chunk = store / "label" / "c" / "0" / "0"
    chunk.write_bytes(chunk.read_bytes()[:-4] + b"oops")
    found = run("verify", store)
    assert found.exit_code == 1
    assert "label, block 0.0 (gene 0:200, tf 0:5): damaged" in found.output
    assert run("verify", store, "--repair").exit_code == 0
    assert "is complete" in run("verify", store, "--against-spec").output


def test_simulate__a_finished_simulation_is_complete(tmp_path: Path) -> None:
    store = tmp_path / "sim.zarr"
    assert run("simulate", store, *SIMULATE).exit_code == 0
    before = {file: file.stat().st_mtime_ns for file in store.rglob("*")}
    again = run("simulate", store, *SIMULATE)
    assert (again.exit_code, again.output) == (0, f"{store}: already complete\n")
    assert run("simulate", store, *SIMULATE, "--workers", "1").exit_code == 0
    assert {file: file.stat().st_mtime_ns for file in store.rglob("*")} == before
    assert run("simulate", store, *SIMULATE[:-1], "43").exit_code == 2


def test_simulate__takes_up_what_was_ended_with_the_seed_it_had(tmp_path: Path) -> None:
    import zarr

    out = tmp_path / "sim.zarr"
    args = ["simulate", out, "--genes", "50", "--bound", "0.2"]
    assert run(*args).exit_code == 0
    seed = yx.open(out).attrs["seed"]
    zarr.open_group(out, mode="r+").attrs["yeastxr_complete"] = False
    assert "Unfinished" in run("info", out).output
    assert run(*args).exit_code == 0
    assert yx.open(out).attrs["seed"] == seed


def test_simulate__in_processes(tmp_path: Path) -> None:
    pytest.importorskip("distributed", reason="distributed is not installed")
    out = tmp_path / "sim.zarr"
    assert run("simulate", out, *SIMULATE, "--workers", "2").exit_code == 0
    expected = yx.simulate(genes=200, bound=[0.1, 0.2], n_sample=[2, 3], seed=42)
    xr.testing.assert_identical(yx.open(out).compute(), expected)
    refused = run("simulate", tmp_path / "x.zarr", *SIMULATE, "--workers", "2", "--scheduler", "tcp://127.0.0.1:1")
    assert refused.exit_code == 2
    assert "expected one of them" in refused.output


def pipe(*args: object, **settings: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "yeastxr.cli", *map(str, args)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **settings)


@pytest.mark.parametrize("command", [["info"], ["check"], ["simulate", "--help"]], ids=str)
def test_commands__end_quietly_with_their_reader(command: list[str], store: Path) -> None:
    process = pipe(*command, *([] if "--help" in command else [store]))
    process.stdout.close()  # a reader that ends before anything is written
    assert process.stderr.read() == ""
    process.stderr.close()
    assert process.wait() == 128 + signal.SIGPIPE


def test_commands__end_quietly_where_both_outputs_lose_their_reader(tmp_path: Path) -> None:
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [sys.executable, "-m", "yeastxr.cli", "info", str(tmp_path / "missing.zarr")],
        stdout=write, stderr=write, check=False,
    )  # fmt: skip
    os.close(write)
    assert done.returncode == 128 + signal.SIGPIPE


@pytest.mark.parametrize("closed", ["1", "2"])
def test_commands__without_an_output(closed: str, store: Path, tmp_path: Path) -> None:
    """A process may be started with its output closed, as daemons are."""
    for arguments in (["verify", "--repair"], ["check"]):
        line = f'exec "$0" "$@" {closed}>&-'
        command = ["sh", "-c", line, sys.executable, "-m", "yeastxr.cli", *arguments, str(store)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert "Traceback" not in done.stderr


@pytest.mark.parametrize("name", ["a\u202eb", "a\x1b[2Jb", "a\x00b", "a\u2066b"])
def test_commands__names_do_not_control_the_terminal(name: str, tmp_path: Path) -> None:
    store = yx.save(yx.simulate(genes=["a", "b"], bound=[0.5], tfs=[name], seed=1), tmp_path / "sim.zarr")
    missing = tmp_path / name.replace("\x00", "")
    for arguments in (["info", store], ["check", store], ["verify", store], ["info", missing]):
        output = run(*arguments).output
        assert not re.search("[\x00-\x09\x0b-\x1f\u202e\u2066]", output), output
    assert escape_controls(name) in run("info", store).output


def test_simulate__a_finished_run_is_done(store: Path) -> None:
    before = read_files(store)
    result = run("simulate", store, *SIMULATE)  # a job that is submitted again
    assert result.exit_code == 0
    assert "already complete" in result.output
    assert run("simulate", store, *SIMULATE, "--quiet").output == ""
    assert read_files(store) == before


@pytest.mark.parametrize("method", ["rank-response", "dual-threshold", "curves"])
def test_analyze__table_is_that_of_the_function(method: str, store: Path, tmp_path: Path) -> None:
    import pandas as pd

    ds = yx.open(store)
    out = tmp_path / "new" / "out.csv"
    result = run("analyze", store, "--method", method, "-o", out, "--permutations", 20, "--seed", 3)
    assert result.exit_code == 0, result.output
    assert f"5 TFs by {method}" in result.output
    if method == "rank-response":
        expected = yx.analysis.rank_response(ds).compute()
    elif method == "dual-threshold":
        expected = yx.analysis.dual_threshold(ds, permutations=20, seed=3).compute()
        assert "  seed: 3\n" in result.output
    else:
        expected = yx.analysis.curves(ds).drop_dims(["fpr", "recall"]).compute()
        assert f"  pooled_auroc: {expected.pooled_auroc.item():.4g}\n" in result.output
        expected = expected.drop_vars([name for name in expected if expected[name].ndim == 0])
    dims = ["tf", "rank"] if method == "rank-response" else ["tf"]
    table = pd.read_csv(out, index_col=dims)
    frame = expected.reset_coords(drop=True).to_dataframe(dim_order=dims)
    pd.testing.assert_frame_equal(table[frame.columns], frame, check_dtype=False, rtol=1e-12)
    again = run("analyze", store, "--method", method, "-o", out)
    assert again.exit_code == 2
    assert "which exists; expected a new name, or overwrite" in again.output
    assert run("analyze", store, "--method", method, "-o", out, "--overwrite", "--permutations", 5).exit_code == 0


def test_analyze__points_of_curves(store: Path, tmp_path: Path) -> None:
    import pandas as pd

    ds = yx.open(store)
    out = tmp_path / "points.csv.gz"
    result = run("analyze", store, "--method", "curves", "--score", "perturbation_magnitude", "--points", 7, "-o", out)
    assert result.exit_code == 0, result.output
    table = pd.read_csv(out)
    assert table.columns.tolist() == ["tf", "fpr", "tpr", "threshold", "precision"]
    assert len(table) == 5 * 7
    curves = yx.analysis.curves(ds, score="perturbation_magnitude", points=7).compute()
    assert f"  pooled_auroc: {curves.pooled_auroc.item():.4g}\n" in result.output
    for i, tf in enumerate(ds.tf.values):
        own = table[table.tf == tf]
        np.testing.assert_allclose(own.fpr, curves.fpr)
        np.testing.assert_allclose(own.tpr, curves.tpr[i])
        np.testing.assert_allclose(own.threshold, curves.threshold[i])
        label, score = ds.label.values[:, i], abs(ds.perturbation_effect.values[:, i])
        assert own.precision.iloc[-1] == pytest.approx(label.mean())
        for row in own[np.isfinite(own.threshold)].itertuples():  # scores do not tie
            called = score >= row.threshold
            assert (called & ~label).sum() <= row.fpr * (~label).sum() + 1e-9
        n_true, n_false = label.sum(), (~label).sum()
        expected = own.tpr * n_true / (own.tpr * n_true + own.fpr * n_false)
        np.testing.assert_allclose(own.precision, expected)


def test_analyze__refuses(store: Path, tmp_path: Path) -> None:
    for arguments, message in (
        (("--method", "curves", "-o", tmp_path / "x.txt"), "expected a name that ends in .csv or .csv.gz"),
        (("--method", "curves", "-o", tmp_path / "x.csv", "--score", "label"), "score is 'label'"),
        (("--method", "lasso", "-o", tmp_path / "x.csv"), "'lasso' is not one of"),
        (("--method", "rank-response", "-o", tmp_path / "x.csv", "--bins", 0), "bins is 0"),
        (("--method", "curves", "-o", tmp_path / "x.csv", "--points", 1), "points is 1; expected an integer from 2"),
        (("--method", "dual-threshold", "-o", tmp_path / "x.csv", "--points", 9), "--points is of --method curves"),
    ):
        result = run("analyze", store, *arguments)
        assert (result.exit_code, message in result.output) == (2, True), result.output
    assert not list(tmp_path.glob("x.*"))
