"""Commands that make, describe and repair stores: what they leave and print, and how they refuse."""

import json
import re
from dataclasses import fields
from pathlib import Path

import pytest
import xarray as xr

import yeastxr as yx
from tests.cli.common import SIMULATE, run
from tests.conftest import read_files
from yeastxr.cli import main
from yeastxr.simulation.relations import to_json


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
        ("@binary", "can't be read: not UTF-8 text"),
        ("@", "can't be read"),
        ("@folder", "can't be read"),
        ("@empty", "is empty; expected at least one name"),
        ("@twice", "contains 'a' more than once"),
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
        ("--genes", "a,a", "genes contains 'a' more than once"),
        ("--genes", "6,600", "'6,600' is a list of numbers; expected a count such as 6600"),
        ("--genes", "a,,b", "'a,,b' contains an empty name"),
        ("--tfs", "a,b,c,d,", "'a,b,c,d,' is invalid; expected name,..."),
        ("--tfs", "a,b,c,d,d", "tfs contains 'd' more than once"),
        ("--tfs", "a,b", "tfs has 2 names; expected 5"),
        ("--bound", "0.1,1.2", "bound[1] is 1.2; expected a number from 0 to 1"),
        ("--bound", "0.1,nan", "bound[1] is nan; expected a number from 0 to 1"),
        ("--bound", "0.1", "n_sample has 2 entries and bound has 1"),
        ("--bound", "x", "'x' is invalid; expected number,..."),
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
        ('{"0": [9]}', "rules.json, line 1, column 8: unknown TF 9; expected one of 0, 1, 2, 3, 4"),
        ('{"GAL4": [1]}', "line 1, column 2: unknown TF 'GAL4'; expected one of 0, 1"),
        ('{"0": [{"and": []}]}', "column 8: And() is empty"),
        ('{"0": [{"xor": [1, 2]}]}', "an object with other keys; expected a TF, a relation such as"),
        ('{"0": [1.5]}', "a condition is '1.5'; expected a TF"),
        ("[1, 2]", "the file is not an object; expected"),
        ("{", "expected YAML or JSON"),
        ('{"0": [1], "1": [0], "0": [2]}', "column 22: duplicate TF 0"),
        ("0: 1 & !2\n1: (2 | 9)", "line 2, column 9: the relation names the TF 9, which is unknown"),
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
    assert "Incomplete" in run("info", out).output
    assert run(*args).exit_code == 0
    assert yx.open(out).attrs["seed"] == seed


def test_simulate__in_processes(tmp_path: Path) -> None:
    pytest.importorskip("distributed", reason="distributed is not installed")
    out = tmp_path / "sim.zarr"
    assert run("simulate", out, *SIMULATE, "--workers", "1").exit_code == 0
    expected = yx.simulate(genes=200, bound=[0.1, 0.2], n_sample=[2, 3], seed=42)
    xr.testing.assert_identical(yx.open(out).compute(), expected)
    refused = run("simulate", tmp_path / "x.zarr", *SIMULATE, "--workers", "2", "--scheduler", "tcp://127.0.0.1:1")
    assert refused.exit_code == 2
    assert "expected only one" in refused.output


def test_simulate__a_finished_run_is_done(store: Path) -> None:
    before = read_files(store)
    result = run("simulate", store, *SIMULATE)  # a job that is submitted again
    assert result.exit_code == 0
    assert "already complete" in result.output
    assert run("simulate", store, *SIMULATE, "--quiet").output == ""
    assert read_files(store) == before


def test_simulate__chunks(tmp_path: Path) -> None:
    out = tmp_path / "sim.zarr"
    assert run("simulate", out, *SIMULATE, "--chunks", "tf=2,gene=-1").exit_code == 0
    assert yx.open(out)["label"].chunks == ((200,), (2, 2, 1))
    xr.testing.assert_identical(
        yx.open(out).compute(), yx.simulate(genes=200, bound=[0.1, 0.2], n_sample=[2, 3], seed=42)
    )
    for chunks, message in (
        ("tfs=2", "chunks has the unknown dimension 'tfs'; did you mean 'tf'"),
        ("tf=0", "'tf=0' is invalid; expected auto, or sizes by dimension (-1 for all)"),
        ("tf", "'tf' is invalid; expected auto"),
        ("tf=2,tf=3", "sizes by dimension"),
        ("stored", "'stored' is invalid; expected auto"),
    ):
        result = run("simulate", tmp_path / "other.zarr", *SIMULATE, "--chunks", chunks)
        assert (result.exit_code, message in result.output) == (2, True), result.output
    assert not (tmp_path / "other.zarr").exists()


def test_info__as_json(store: Path) -> None:
    result = run("info", store, "--json")
    assert result.exit_code == 0, result.output
    found = json.loads(result.output)
    assert list(found) == [
        *("store", "complete", "sizes", "variables", "coordinates", "specification", "sweep", "versions", "bytes"),
    ]
    ds = yx.open(store)
    assert (found["store"], found["complete"], found["sweep"]) == (str(store), True, None)
    assert found["sizes"] == {"gene": 200, "tf": 5, "feature": 5}
    assert found["variables"]["binding_pvalue"] == {
        "dims": ["gene", "tf"], "shape": [200, 5], "dtype": "float32", "chunks": [200, 5], "units": "1",
    }  # fmt: skip
    assert list(found["variables"]) == list(ds.data_vars)
    assert found["coordinates"]["feature"]["dtype"] == "string"
    assert yx.SimulationSpec.from_dict(found["specification"]) == yx.spec_of(ds)
    assert found["versions"] == {"yeastxr": yx.__version__, "random_number_scheme": 2}
    on_disk = sum(len(data) for data in read_files(store).values())
    assert found["bytes"] == {"values": ds.nbytes, "on_disk": on_disk}
    assert run("info", store, "--json", "--spec").exit_code == 2


def test_info__as_json_of_a_sweep_unfinished_and_in_memory(tmp_path: Path) -> None:
    import zarr

    spec = yx.SimulationSpec(genes=["YAL001C", "b"], bound=[0.5], seed=1)
    yx.save(yx.sweep(spec, bound_mean=[3, 5]), tmp_path / "sweep.zarr")
    zarr.open_group(tmp_path / "sweep.zarr", mode="r+").attrs["yeastxr_complete"] = False
    found = json.loads(run("info", tmp_path / "sweep.zarr", "--json").output)
    assert (found["complete"], found["specification"]) == (False, None)
    assert found["sweep"]["values"] == {"bound_mean": [3, 5]}
    assert found["coordinates"]["gene"]["dtype"] == "string"
    text = run("info", tmp_path / "sweep.zarr").output
    assert "Sweep over bound_mean: 3, 5\n" in text
    assert ", common parameters of all points:\n  genes: ['YAL001C', 'b']\n" in text
    assert "  bound_mean: " not in text
    refused = run("info", tmp_path / "sweep.zarr", "--spec")
    assert refused.exit_code == 2
    assert "a sweep over bound_mean with several specifications; expected the store of one simulation" in refused.output
    yx.save(spec.simulate(), "memory://info-as-json")
    assert json.loads(run("info", "memory://info-as-json", "--json").output)["bytes"]["on_disk"] > 500


def test_extend__same_as_a_larger_simulation(store: Path, tmp_path: Path) -> None:
    (tmp_path / "rules.json").write_text('{"5": [0, {"not": 6}]}')
    rules = ["--tf-relationships", tmp_path / "rules.json", "--positive-fraction", "0.5"]
    result = run("extend", store, "--bound", "0.3", "--n-sample", "2", *rules, "--no-progress")
    assert result.exit_code == 0, result.output
    assert result.output.startswith(f"{store}: 200 genes x 7 tfs, seed 42, in ")
    expected = yx.simulate(
        genes=200,
        bound=[0.1, 0.2, 0.3],
        n_sample=[2, 3, 2],
        tf_relationships={5: [0, yx.Not(6)]},
        positive_fraction=[0.5] * 7,
        seed=42,
    )
    xr.testing.assert_identical(yx.open(store).compute(), expected)
    assert run("extend", store, "--bound", "0.3").exit_code == 2  # each TF has its own positive fraction
    assert run("extend", store, "--bound", "0.3", "--positive-fraction", "0.5").exit_code == 0
    assert yx.open(store).sizes["tf"] == 8


def test_extend__relations_are_read_as_simulate_reads_them(tmp_path: Path) -> None:
    out, rules = tmp_path / "sim.zarr", tmp_path / "rules.yaml"
    assert run("simulate", out, "--genes", "9", "--tfs", "1,a|b", "--bound", "0.5", "--seed", "1").exit_code == 0
    words = ["extend", out, "--bound", "0.5", "--tfs", "c", "--tf-relationships", rules, "--quiet"]
    rules.write_text("c: [1,\n  a|d]")
    refused = run(*words)
    assert (refused.exit_code, "rules.yaml, line 2, column 3: the relation names the TF 'a'" in refused.output) == (
        2,
        True,
    )
    rules.write_text("c: [1, a|b]")
    result = run(*words)
    assert result.exit_code == 0, result.output
    assert yx.open(out).yeast.spec.tf_relationships == {"c": ("1", "a|b")}


def test_extend__same_command_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that ended early goes on; one that ended is done where TFs have names."""
    from yeastxr.storage import store as module

    out = tmp_path / "sim.zarr"
    args = ["--genes", "30", "--tfs", "a,b", "--bound", "0.1,0.2", "--replicates", "1", "--seed", "1"]
    assert run("simulate", out, *args, "--chunks", "tf=1").exit_code == 0

    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    for words in (["--bound", "0.5", "--n-sample", "2", "--tfs", "c,d"], ["--replicates", "3"]):
        with monkeypatch.context() as patch:
            patch.setattr(module, "write_missing", stop)
            ended = run("extend", out, *words)
        assert ended.exit_code == 1
        assert f"Error: interrupted; rerun the same command to resume {out}" in ended.output
        assert run("verify", out).exit_code == 1
        other = run("extend", out, "--bound", "0.25", "--tfs", "e")
        assert (other.exit_code, "which is incomplete" in other.output) == (2, True), other.output
        for _ in range(2):
            assert run("extend", out, *words).exit_code == 0
            assert run("verify", out, "--against-spec").exit_code == 0
        before = read_files(out)
        assert run("extend", out, *words).exit_code == 0
        assert read_files(out) == before
    expected = yx.simulate(
        genes=30, tfs=["a", "b", "c", "d"], bound=[0.1, 0.2, 0.5], n_sample=[1, 1, 2], replicates=3, seed=1
    )
    xr.testing.assert_identical(yx.open(out).compute(), expected)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "Missing option '--bound' (fractions of new TFs) or '--replicates'."),
        (["--n-sample", "2"], "Missing option '--bound'"),
        (["--bound", "2"], "bound[0] is 2.0; expected a number from 0 to 1"),
        (["--bound", "0.1,x"], "'0.1,x' is invalid; expected number,..."),
        (["--bound", "0.1", "--n-sample", "2,3"], "expected the same number"),
        (["--bound", "0.1", "--tfs", "a"], "tfs is ['a']; expected no names"),
        (["--replicates", "3"], "the store has no such dimension"),
        (["--bound", "0.1", "--positive-fraction", "0.1,0.2"], "positive_fraction has 2 entries"),
        (["--bound", "0.1", "--tf-relationships", "no.json"], "'no.json' does not exist"),
        (["--bound", "0.1", "--workers", "1", "--scheduler", "tcp://127.0.0.1:1"], "expected only one"),
    ],
    ids=str,
)
def test_extend__bad_input(words: list[str], message: str, store: Path) -> None:
    before = read_files(store)
    result = run("extend", store, *words)
    assert result.exit_code == 2
    assert message in result.output, result.output
    assert read_files(store) == before
