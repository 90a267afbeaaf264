"""Files that other programs read."""

import csv
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet
import pytest
import xarray as xr

import yeastxr as yx
from tests.export.common import simulate_measured

NAMES = ["GAL4", "ä,<script>", 'q"uote']


@pytest.fixture(params=[None, {"tf": 2}], ids=["numpy", "dask"])
def ds(request: pytest.FixtureRequest) -> xr.Dataset:
    return yx.simulate(genes=50, bound=[0.2], n_sample=[3], tfs=NAMES, seed=1, chunks=request.param)


@pytest.mark.parametrize("name", ["table.csv", "table.csv.gz"])
def test_export__table(ds: xr.Dataset, tmp_path: Path, name: str) -> None:
    table = pd.read_csv(yx.export(ds, tmp_path / name), index_col=["gene", "tf"])
    assert len(table) == 150
    back = table.to_xarray().sel(tf=NAMES)
    np.testing.assert_array_equal(back["label"].values, ds["label"].values)
    np.testing.assert_allclose(back["binding_effect"].values, ds["binding_effect"].values, rtol=1e-6)


@pytest.mark.parametrize("name", ["table.csv", "table.parquet"])
def test_export__table_in_slabs_is_that_of_one(
    ds: xr.Dataset, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = yx.export(ds, tmp_path / f"whole_{name}")
    monkeypatch.setattr(sys.modules["yeastxr.export.tables"], "_TABLE_ROWS", 20)
    slabs = yx.export(ds, tmp_path / name)
    if name.endswith(".csv"):
        assert slabs.read_bytes() == whole.read_bytes()
        assert len(slabs.read_text(encoding="utf-8").splitlines()) == 151
    else:
        assert pyarrow.parquet.ParquetFile(slabs).num_row_groups == 9
        assert pyarrow.parquet.read_table(slabs) == pyarrow.parquet.read_table(whole)


def test_export__arrays(ds: xr.Dataset, tmp_path: Path) -> None:
    with np.load(yx.export(ds, tmp_path / "arrays.npz")) as arrays:
        np.testing.assert_array_equal(arrays["perturbation_effect"], ds["perturbation_effect"].values)
        assert list(arrays["tf"]) == NAMES
        assert arrays["label"].dtype == bool


def test_export__leaves_nothing_half_done(ds: xr.Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*args: object) -> None:
        Path(args[1]).write_text("half")
        raise OSError("disk full")

    monkeypatch.setattr(sys.modules["yeastxr.export.arrays"], "write_arrays", broken)
    with pytest.raises(OSError, match="disk full"):
        yx.export(ds, tmp_path / "arrays.npz")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("extra", [{}, {"replicates": 2}], ids=["plain", "replicates"])
def test_to_dataframe__a_row_for_each_pair(ds: xr.Dataset, extra: dict[str, int]) -> None:
    ds = yx.split(ds, seed=1) if not extra else yx.simulate(genes=50, bound=[0.2], seed=1, **extra)
    table = ds.yeast.to_dataframe()
    assert len(table) == ds["label"].size
    assert table.index.names == [*ds["label"].dims]
    assert table.index.is_unique
    for name in yx.FEATURES:
        np.testing.assert_array_equal(table[name.name].to_numpy(), ds[name.name].values.reshape(-1))
        assert table[name.name].dtype == name.dtype
    assert list(table.columns[5:]) == (["bound_fraction"] if extra else ["bound_fraction", "split"])


def test_to_dataframe__follows_the_selection(ds: xr.Dataset) -> None:
    assert list(ds.sel(feature=["binding_effect", "label"]).yeast.to_dataframe().columns[:2]) == [
        "binding_effect",
        "label",
    ]
    assert list(ds.sel(feature="label").yeast.to_dataframe().columns) == ["label", "bound_fraction"]
    with pytest.raises(yx.SchemaError, match="has no variable 'label'"):
        yx.to_dataframe(ds.drop_vars("label"))


def test_to_dataframe__has_extra_variables() -> None:
    ds = simulate_measured()
    table = yx.to_dataframe(ds)
    assert list(table.columns) == [*map(str, ds.data_vars), "bound_fraction", "split"]
    np.testing.assert_array_equal(table["adjusted"].to_numpy(), ds["adjusted"].values.reshape(-1))


FORMULAS = [
    "=1+1",
    "+1",
    "-1",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    "\n=1",
    " =1",
    "＝1",
    "＋1",
    "－1",
    "＠1",
    '=HYPERLINK("x")',
]


@pytest.mark.parametrize("name", FORMULAS)
def test_export__spreadsheets_run_no_name(name: str, tmp_path: Path) -> None:
    ds = yx.simulate(genes=["a", name], bound=[0.5], tfs=[name], seed=1)
    with (yx.export(ds, tmp_path / "table.csv")).open(newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))
    assert len(rows) == 3
    for row in rows[1:]:
        assert row[1].startswith("'")
        assert row[1][1:].replace("\\t", "\t").replace("\\r", "\r").replace("\\n", "\n") == name
    assert float(rows[1][3]) == pytest.approx(ds["binding_effect"].values[0, 0], rel=1e-6)


@pytest.mark.parametrize("name", ["a\u202eb", "a\x00b", "a\x1b[2Jb", "a\u2066b", "a\u2028b", "a\x85b"])
def test_export__no_name_controls_a_reader(name: str, tmp_path: Path) -> None:
    ds = yx.simulate(genes=["a", name], bound=[0.5], seed=1)
    text = yx.export(ds, tmp_path / "table.csv").read_text(encoding="utf-8")
    assert name not in text
    assert name.encode("unicode_escape").decode() in text


def test_export__names_without_controls_stay(tmp_path: Path) -> None:
    names = ["YAL001C", "日本", "naïve", "a-b", "x=1", "'quoted'", 'a"b', "a,b", "🙂"]
    ds = yx.simulate(genes=names, bound=[0.5], seed=1)
    assert list(pd.read_csv(yx.export(ds, tmp_path / "table.csv"))["gene"]) == names
