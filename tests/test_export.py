"""Files that other programs read."""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import yeastxr as yx

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


def test_export__table_in_slabs_has_one_header(tmp_path: Path) -> None:
    ds = yx.simulate(genes=1100, bound=[0.2], n_sample=[1000], seed=1)
    lines = (yx.export(ds.sel(feature=["label"]), tmp_path / "table.csv")).read_text().splitlines()
    assert len(lines) == 1 + 1_100_000
    assert sum(line.startswith("gene") for line in lines) == 1


def test_export__arrays(ds: xr.Dataset, tmp_path: Path) -> None:
    with np.load(yx.export(ds, tmp_path / "arrays.npz")) as arrays:
        np.testing.assert_array_equal(arrays["perturbation_effect"], ds["perturbation_effect"].values)
        assert list(arrays["tf"]) == NAMES
        assert arrays["label"].dtype == bool


def test_export__leaves_nothing_half_done(ds: xr.Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*args: object) -> None:
        Path(args[1]).write_text("half")
        raise OSError("disk full")

    monkeypatch.setattr(sys.modules["yeastxr.export"], "_write_arrays", broken)
    with pytest.raises(OSError, match="disk full"):
        yx.export(ds, tmp_path / "arrays.npz")
    assert list(tmp_path.iterdir()) == []
