"""Every format is read back equal, by the programs that it is for."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anndata
import h5py
import numpy as np
import pandas as pd
import polars as pl
import pyarrow.parquet
import pytest
import torch
import xarray as xr

import yeastxr as yx
from tests.conftest import count_reads, read_files
from tests.export.common import CHUNKS, KINDS, TFS, simulate_measured
from yeastxr._blocks import broadcast_dims
from yeastxr.export.selection import cut_rows
from yeastxr.schema import list_dims

STREAMED = [".parquet", ".csv", ".nc", ".h5ad", "wide", "ranks"]


@pytest.fixture(params=[(kind, chunks) for kind in KINDS for chunks in CHUNKS], ids="-".join)
def ds(request: pytest.FixtureRequest) -> xr.Dataset:
    kind, chunks = request.param
    return KINDS[kind](CHUNKS[chunks])


def compare(result: dict[str, np.ndarray], ds: xr.Dataset, exact: bool = True) -> None:
    """Compare arrays with all variables of a dataset: values, NaN and dtypes."""
    assert list(result) == [str(name) for name in ds.data_vars]
    for name, values in result.items():
        expected = ds[name].values
        if exact:
            assert values.dtype == expected.dtype
        np.testing.assert_array_equal(values.astype(expected.dtype), expected)


def arrange(table: pd.DataFrame, ds: xr.Dataset) -> dict[str, np.ndarray]:
    """Return the columns of a long table as arrays with the dims and the order of a dataset."""
    dims = list(list_dims(ds))
    table = table.set_index(dims)
    assert table.index.is_unique
    table = table.reindex(pd.MultiIndex.from_product([ds.indexes[dim] for dim in dims], names=dims))
    shape = [ds.sizes[dim] for dim in dims]
    return {str(name): table[name].to_numpy().reshape(shape) for name in table}


@pytest.mark.parametrize("ending", [".csv", ".tsv.gz", ".parquet"])
def test_export__long_tables(ds: xr.Dataset, tmp_path: Path, ending: str) -> None:
    path = yx.export(ds, tmp_path / f"sim{ending}", columns="yeastxr")
    if ending == ".parquet":
        compare(arrange(pd.read_parquet(path), ds), broadcast_dims(ds))
        return
    table = pd.read_csv(path, sep="\t" if "tsv" in ending else ",", float_precision="round_trip")
    assert list(table["gene"][:30]) == list(ds.indexes["gene"])  # the genes of a TF follow each other
    compare(arrange(table, ds), broadcast_dims(ds), exact=False)


def test_export__parquet_has_the_columns_of_the_field(ds: xr.Dataset, tmp_path: Path) -> None:
    table = pl.read_parquet(yx.export(ds, tmp_path / "sim.parquet"))
    lead = list(list_dims(ds)[:-2])
    named = ds.indexes["gene"].dtype == object
    regulator = "regulator_symbol" if named else "regulator_locus_tag"
    columns = ["sample_id", *lead, regulator, "target_locus_tag", "label"]
    columns += ["callingcards_enrichment", "poisson_pval", "log2fc", "pvalue", *list(ds.data_vars)[5:]]
    assert table.columns == columns
    assert table[regulator].dtype == (pl.String if named else pl.Int64)
    samples = table.group_by("sample_id", maintain_order=True).agg(
        pl.col("target_locus_tag"), pl.col(regulator).n_unique()
    )
    assert samples["sample_id"].to_list() == list(range(len(table) // 30))
    assert samples["target_locus_tag"].to_list() == [list(ds.indexes["gene"])] * len(samples)
    assert set(samples[regulator]) == {1}
    assert table["log2fc"].null_count() == int(ds["perturbation_effect"].isnull().sum())
    assert table["log2fc"].is_nan().sum() == 0


def test_export__parquet_says_what_made_it(tmp_path: Path) -> None:
    ds = simulate_measured()
    schema = pyarrow.parquet.read_schema(yx.export(ds, tmp_path / "sim.parquet"))
    assert json.loads(schema.metadata[b"yeastxr"])["specification"] == ds.attrs["specification"]


def test_export__netcdf(ds: xr.Dataset, tmp_path: Path) -> None:
    ds = ds.copy().assign_attrs(note="ä", flags=[1, 2], odd={"a": [None]}, yes=True)
    ds["label"] = ds["label"].copy()
    ds["label"].attrs["also"] = False
    with xr.open_dataset(yx.export(ds, tmp_path / "sim.nc"), engine="h5netcdf") as back:
        back = back.load()
    assert back["label"].dtype == bool
    assert yx.spec_of(back) == yx.spec_of(ds)
    assert json.loads(back.attrs["odd"]) == {"a": [None]}
    for name in ("flags", "odd", "yes"):
        del back.attrs[name], ds.attrs[name]
    assert back["label"].attrs.pop("also") == 0
    del ds["label"].attrs["also"]
    xr.testing.assert_identical(back, ds.compute())
    yx.validate(back)


def test_export__anndata(ds: xr.Dataset, tmp_path: Path) -> None:
    written = anndata.read_h5ad(yx.export(ds, tmp_path / "sim.h5ad"))
    made = ds.yeast.to_anndata()
    dims = list(list_dims(ds))
    for cells in (written, made):
        layers = {}
        for name in map(str, ds.data_vars):  # a file's layers have no order
            layer = np.asarray(cells.layers[name])
            layers[name] = layer.reshape([*(ds.sizes[dim] for dim in dims[:-2]), ds.sizes["tf"], 30]).swapaxes(-1, -2)
        compare(layers, broadcast_dims(ds))
        assert list(cells.obs["tf"]) == [*ds.indexes["tf"]] * (cells.n_obs // 4)
        assert list(cells.var["gene"]) == list(ds.indexes["gene"])
        assert list(cells.obs.columns[: len(dims) - 1]) == [*dims[:-2], "tf"]
        assert ds.attrs.items() <= dict(cells.uns["yeastxr"]).items()
        assert cells.uns["yeastxr"]["units"]["perturbation_effect"] == "noise s.d."
        np.testing.assert_array_equal(cells.obs["bound_fraction"].to_numpy()[:4], ds["bound_fraction"].values)
    if "split" in ds.coords:
        assert list(written.var["split"]) == list(ds["split"].values)
        assert list(written.obs_names[3:5]) == ["0/RAP1", "1/GAL4"]
    assert (type(made.layers["label"]) is np.ndarray) == (not ds.chunks)


def test_export__arrays(ds: xr.Dataset, tmp_path: Path) -> None:
    with np.load(yx.export(ds, tmp_path / "sim.npz")) as arrays:
        compare({str(name): arrays[name] for name in ds.data_vars}, ds)
        for dim in list_dims(ds):
            assert list(arrays[dim]) == list(ds.indexes[dim])


def test_export__tensor_has_features_alone(ds: xr.Dataset, tmp_path: Path) -> None:
    tensor = torch.load(yx.export(ds, tmp_path / "sim.pt"))
    assert tensor.shape[-1] == 5
    np.testing.assert_array_equal(tensor.numpy(), ds.yeast.to_torch().numpy())


@pytest.mark.parametrize("columns", ["yeastxr", "field"])
def test_export__wide_tables(ds: xr.Dataset, tmp_path: Path, columns: Any) -> None:
    folder = yx.export(ds, tmp_path / "wide", layout="wide", columns=columns)
    field = {"binding_effect": "callingcards_enrichment", "perturbation_effect": "log2fc"}
    files = field if columns == "field" else {}
    names = {"yeastxr": "gene", "field": "target_locus_tag"}
    lead = list(list_dims(ds)[:-2])
    entries = [dict(zip(lead, index, strict=True)) for index in np.ndindex(*(ds.sizes[dim] for dim in lead))]
    assert len(read_files(folder)) == len(entries) * len(ds.data_vars)
    for position in entries:
        parts = [f"{dim}={ds[dim].values[i]}" for dim, i in position.items()]
        for name in ("label", "binding_effect", "perturbation_effect"):
            file = folder.joinpath(
                *parts, f"{files.get(name, name) if name != 'perturbation_effect' else 'log2fc'}.csv"
            )
            if columns == "yeastxr":
                file = file.with_name(f"{name}.csv")
            table = pd.read_csv(file, index_col=0)
            assert table.index.name == names[columns]
            assert list(table.index) == list(ds.indexes["gene"])
            assert list(table.columns) == list(map(str, ds.indexes["tf"]))
            expected = ds[name].isel(position, missing_dims="ignore").values
            np.testing.assert_array_equal(table.to_numpy().astype(expected.dtype), expected)


@pytest.mark.parametrize("ending", STREAMED)
def test_export__chunks_change_nothing_and_are_read_once(tmp_path: Path, ending: str) -> None:
    options: dict[str, Any] = {"layout": ending} if ending in ("wide", "ranks") else {}
    name = "out" if options else f"out{ending}"
    files = []
    for number, chunks in enumerate([None, {"replicate": 1, "tf": 3}, {"replicate": 1, "tf": 3, "gene": 20}]):
        ds = simulate_measured(chunks)
        if chunks:
            ds, reads = count_reads(ds)
        path = yx.export(ds, tmp_path / str(number) / name, **options)
        if ending == ".nc":
            with xr.open_dataset(path, engine="h5netcdf") as back:
                files.append({str(name): array.values.tobytes() for name, array in back.data_vars.items()})
        elif ending == ".h5ad":
            with h5py.File(path) as file:
                files.append({name: layer[:].tobytes() for name, layer in file["layers"].items()})
        else:
            files.append(read_files(path) if path.is_dir() else {"": path.read_bytes()})
    assert files[0] == files[1] == files[2]
    assert set(reads.values()) == {1}, reads


def test_cut_rows__covers_all_in_order_within_memory() -> None:
    random = np.random.default_rng(1)
    for _ in range(200):
        sizes = {f"d{i}": int(random.integers(1, 8)) for i in range(random.integers(1, 5))}
        chunks = {}
        for dim, size in sizes.items():
            cuts = sorted(set(random.integers(1, size + 1, size=2).tolist()) | {size})
            chunks[dim] = tuple(np.diff([0, *cuts]).tolist())
        cells = int(random.integers(1, 200))
        array = np.arange(np.prod(list(sizes.values()))).reshape(list(sizes.values()))
        parts = [
            array[tuple(region.get(dim, slice(None)) for dim in sizes)].reshape(-1)
            for region in cut_rows(sizes, chunks, cells)
        ]
        assert max(part.size for part in parts) <= cells
        np.testing.assert_array_equal(np.concatenate(parts), array.reshape(-1))


@pytest.mark.parametrize("ending", [".parquet", ".csv", ".nc", ".h5ad", ".npz"])
def test_export__variables_that_are_wanted(tmp_path: Path, ending: str) -> None:
    readers: dict[str, Callable[[Path], list[str]]] = {
        ".parquet": lambda path: list(pd.read_parquet(path).columns[3:]),
        ".csv": lambda path: list(pd.read_csv(path).columns[3:]),
        ".nc": lambda path: list(xr.open_dataset(path, engine="h5netcdf").load().data_vars),
        ".h5ad": lambda path: list(anndata.read_h5ad(path).layers),
        ".npz": lambda path: list(np.load(path))[:-3],
    }
    ds = simulate_measured()
    wanted = ["perturbation_pvalue", "experiment_hops", "label"]
    options: Any = {"columns": "yeastxr"} if ending == ".parquet" else {}
    names = readers[ending](yx.export(ds, tmp_path / f"a{ending}", features=wanted, **options))
    assert names == wanted or (ending == ".h5ad" and sorted(names) == sorted(wanted))
    extras = ["experiment_hops", "background_hops", "responsive", "adjusted"]
    selected = ds.sel(feature=["perturbation_pvalue", "label"])
    names = readers[ending](yx.export(selected, tmp_path / f"b{ending}", **options))
    assert sorted(names) == sorted(["perturbation_pvalue", "label", *extras])
    if ending == ".nc":
        with xr.open_dataset(tmp_path / "b.nc", engine="h5netcdf") as back:
            assert list(back["feature"].values) == ["perturbation_pvalue", "label"]
    with pytest.raises(yx.SchemaError, match="did you mean 'label'"):
        yx.export(ds, tmp_path / f"c{ending}", features=["labl"])
    with pytest.raises(yx.SchemaError, match="has no variable 'adjusted'"):
        yx.export(ds.drop_vars("adjusted"), tmp_path / f"c{ending}", features=["adjusted"])


def test_export__measurements_and_scalars(tmp_path: Path) -> None:
    ds = yx.simulate(genes=20, bound=[0.2], n_sample=[3], measurements=2, seed=1).sel(tf=1, feature="binding_effect")
    table = pd.read_parquet(yx.export(ds, tmp_path / "sim.parquet"))
    assert list(table) == [
        "sample_id",
        "measurement",
        "regulator_locus_tag",
        "target_locus_tag",
        "callingcards_enrichment",
    ]
    np.testing.assert_array_equal(table["callingcards_enrichment"].to_numpy(), ds["binding_effect"].values.reshape(-1))
    with xr.open_dataset(yx.export(ds, tmp_path / "sim.nc"), engine="h5netcdf") as back:
        assert back["feature"].item() == "binding_effect"
        np.testing.assert_array_equal(back["binding_effect"].values[..., 0], ds["binding_effect"].values)


def fail_later(ds: xr.Dataset) -> xr.Dataset:
    """Return a dask-backed dataset whose last block can't be computed."""

    def fail(values: np.ndarray, block_id: tuple[int, ...]) -> np.ndarray:
        if block_id[-1] == 1:
            raise OSError("disk full")
        return values

    array = ds["binding_effect"]
    return ds.assign(
        binding_effect=array.copy(data=array.data.map_blocks(fail, dtype=array.dtype, meta=array.data._meta))
    )


@pytest.mark.parametrize("ending", [*STREAMED, ".npz"])
def test_export__leaves_nothing_half_done(tmp_path: Path, ending: str) -> None:
    ds = simulate_measured({"tf": 3})
    if ending in ("wide", "ranks"):
        path, options = tmp_path / "out", {"layout": ending, "overwrite": True}
        path.mkdir()
        (path / "binding_effect.csv").write_text("mine")
    else:
        path, options = tmp_path / f"out{ending}", {"overwrite": True}
        path.write_text("mine")
    before = read_files(tmp_path)
    with pytest.raises(OSError, match="disk full"):
        yx.export(fail_later(ds), path, **options)
    assert read_files(tmp_path) == before
    assert len(list(tmp_path.iterdir())) == 1
    with pytest.raises(yx.InputError, match="already exists; choose another path or pass overwrite=True"):
        yx.export(ds, path, **(options | {"overwrite": False}))
    yx.export(ds, path, **options)
    after = read_files(tmp_path)
    assert before.items() - after.items() == (set() if ending in ("wide", "ranks") else before.items())


@pytest.mark.parametrize(
    ("ending", "module", "extra"),
    [(".parquet", "pyarrow", "tables"), (".nc", "h5netcdf", "netcdf"), (".h5ad", "anndata", "anndata")],
)
def test_export__says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ending: str, module: str, extra: str
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(yx.InputError, match=rf"^{module} is not installed; pip install 'yeastxr\[{extra}\]'$"):
        yx.export(simulate_measured(), tmp_path / "new" / f"sim{ending}")
    assert list(tmp_path.iterdir()) == []


REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("out.xyz", {}, r"expected a path that ends in \.csv.*or a folder and layout='wide' or 'ranks'"),
    ("out", {}, "or a folder and layout='wide' or 'ranks'"),
    ("out.csv", {"layout": "wide"}, "expected a folder for layout='wide', not a .csv file"),
    ("out", {"layout": "tall"}, "layout is 'tall'; expected 'long', 'wide' or 'ranks'"),
    ("out.csv", {"columns": "other"}, "columns is 'other'; expected 'field' or 'yeastxr'"),
    ("out.nc", {"columns": "field"}, "columns is 'field'; expected a table"),
    ("out", {"layout": "ranks", "columns": "field"}, "columns is 'field'; expected a table"),
    ("out.npz", {"card": True}, "card is True; expected a long table"),
    ("out.csv", {"header": True}, "header is True; expected layout='ranks'"),
    ("out.csv", {"card": 1}, "card is 1; expected True or False"),
    ("out.csv", {"features": []}, "features is empty"),
    ("out.csv", {"features": ["label", "label"]}, "features contains 'label' more than once"),
    ("out.pt", {"features": ["label", "adjusted"]}, "features contains 'adjusted', an extra variable"),
    ("out", {"layout": "ranks", "features": ["label"]}, "expected one feature of binding and one of perturbation"),
    ("out.csv", {"progress": "yes"}, "progress is 'yes'"),
]


@pytest.mark.parametrize(("name", "options", "message"), REFUSED)
def test_export__refuses_before_any_work(
    tmp_path: Path, name: str, options: Any, message: str, no_compute: None
) -> None:
    with pytest.raises(yx.InputError, match=message):
        yx.export(simulate_measured({"tf": 3}), tmp_path / name, **options)
    assert list(tmp_path.iterdir()) == []


def test_export__names_that_a_file_cannot_hold(tmp_path: Path) -> None:
    tfs = ["a/b", "..", "x\ty", "GAL 4"]
    ds = simulate_measured().assign_coords(tf=tfs)
    folder = yx.export(ds.isel(replicate=0, drop=True), tmp_path / "ranks", layout="ranks")
    assert sorted(path.name for path in (folder / "binding").iterdir()) == [
        "%2E..csv",
        "GAL 4.csv",
        "a%2Fb.csv",
        "x%09y.csv",
    ]
    ds = ds.assign_coords(tf=["a\0b", *TFS[1:]])
    for ending in (".nc", ".h5ad"):
        with pytest.raises(yx.InputError, match=r"tf contains 'a\\x00b', which can't be stored in a file such as"):
            yx.export(ds, tmp_path / f"sim{ending}")
    table = pd.read_parquet(yx.export(ds, tmp_path / "sim.parquet"))
    assert table["regulator_symbol"][0] == "a\0b"


def test_export__a_dim_may_not_be_a_column(tmp_path: Path) -> None:
    ds = simulate_measured().rename(replicate="pvalue")
    with pytest.raises(yx.InputError, match="the dimension 'pvalue' has the name of another column"):
        yx.export(ds, tmp_path / "sim.parquet")
    assert "pvalue" in pd.read_parquet(yx.export(ds, tmp_path / "sim.parquet", columns="yeastxr"))


def test_export__shows_progress(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, options in (("sim.parquet", {}), ("sim.nc", {}), ("wide", {"layout": "wide"})):
        yx.export(simulate_measured({"tf": 3}), tmp_path / name, progress=True, **options)
        shown = capsys.readouterr().err
        assert f"Writing {name}" in shown
        assert "100%" in shown
