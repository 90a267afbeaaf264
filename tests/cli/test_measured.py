"""The command import saves what from_tables returns."""

from pathlib import Path

import pytest

import yeastxr as yx
from tests.cli.common import run
from tests.tables.common import TABLES, make_rows, read, simulate


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with two tables, in which the command runs."""
    monkeypatch.chdir(tmp_path)
    ds = simulate()
    for table in TABLES:
        make_rows(ds, table).to_csv(tmp_path / f"{table}.csv", index=False)
        for quantity in ("effect", "pvalue"):
            ds[f"{table}_{quantity}"].to_pandas().to_csv(tmp_path / f"{table}_{quantity}.csv")
    return tmp_path


def test_import__a_store_equals_the_function(folder: Path) -> None:
    command = ["import", "x.zarr", "--binding", "binding.csv", "--perturbation", "perturbation.csv"]
    result = run(*command, "--label-from", "binding_fdr=0.5", "--units", "perturbation=z")
    assert (result.exit_code, result.output) == (0, "x.zarr: 23 genes x 3 tfs\n")
    expected = yx.from_tables(
        "binding.csv", "perturbation.csv", label_from={"binding_fdr": 0.5}, units={"perturbation": "z"}
    )
    assert yx.open("x.zarr").identical(expected)
    again = run(*command)
    assert again.exit_code == 2
    assert "x.zarr already exists; choose another path or pass --overwrite" in again.output
    assert run(*command, "--overwrite", "--quiet").output == ""
    assert "label" not in yx.open("x.zarr")


def test_import__chunks_are_those_of_the_store(folder: Path) -> None:
    command = ["import", "x.zarr", "--binding", "binding.csv", "--perturbation", "perturbation.csv"]
    assert run(*command, "--chunks", "tf=2").exit_code == 0
    ds = yx.open("x.zarr")
    assert ds.binding_effect.chunks == ((23,), (2, 1))
    assert ds.identical(yx.from_tables("binding.csv", "perturbation.csv"))
    assert "has the unknown dimension 'x'" in run(*command, "--overwrite", "--chunks", "x=2").output


def test_import__matrices_columns_and_notes(folder: Path) -> None:
    matrices = [f"--{table}={name}={table}_{name}.csv" for table in TABLES for name in ("effect", "pvalue")]
    assert run("import", "wide.zarr", *matrices).exit_code == 0
    assert yx.open("wide.zarr").equals(read(simulate(), "pandas", folder))
    binding = ["--binding", "binding.csv", "--gene", "target_locus_tag"]
    other = make_rows(simulate(), "perturbation").iloc[3:].rename(columns={"regulator_symbol": "x"})
    other.to_csv("other.csv", index=False)
    columns = [
        "--tf",
        "binding=regulator_symbol",
        "--tf",
        "perturbation=x",
        "--duplicates",
        "refuse",
        "--join",
        "outer",
    ]
    result = run("import", "other.zarr", *binding, "--perturbation", "other.csv", *columns)
    assert "genes that are in only one table are kept with NaN: 1 of binding ('YAL000W')" in result.output


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--label-from", "0.1"], "0.1 is not a threshold; expected NAME=NUMBER with a name among binding_pvalue"),
        (
            ["--label-from", "binding_fdr=0.5", "--label-from", "binding_fdr=0.01"],
            "contains binding_fdr twice; expected each name once",
        ),
        (["--label-from", "binding_fd=0.1"], "label_from has the unknown key 'binding_fd'; did you mean 'binding_fdr'"),
        (["--binding", "effect=binding.csv"], "mixes two forms; expected each of effect=..., pvalue=..."),
        (["--effect", "efect"], "has no column 'efect'; its columns are"),
        (["--duplicates", "men"], "unknown value 'men'; did you mean 'mean'?"),
    ],
)
def test_import__bad_input_is_one_sentence(folder: Path, options: list[str], message: str) -> None:
    result = run("import", "x.zarr", "--binding", "binding.csv", "--perturbation", "perturbation.csv", *options)
    assert result.exit_code == 2
    assert message in result.output
    assert not (folder / "x.zarr").exists()
