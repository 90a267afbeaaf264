"""One gene, TF or replicate selected as a scalar: the same results as for a list of one label."""

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import xarray as xr

import yeastxr as yx
from tests.conftest import leave_pictures_out, simulate_tutorial
from yeastxr.accessor import YeastAccessor, YeastPlots
from yeastxr.schema import order_dims, restore_dims

NAMES = [f"T{i}" for i in range(10)]
SELECTIONS: dict[str, dict[str, Any]] = {
    "tf": {"tf": "T3"},
    "gene": {"gene": 7},
    "both": {"tf": "T3", "gene": 7},
    "replicate": {"replicate": 1},
    "all": {"tf": "T3", "gene": 7, "replicate": 1},
}


def simulate_pair(selection: dict[str, Any], chunks: Any = None) -> tuple[xr.Dataset, xr.Dataset]:
    """Return a dataset with scalars selected, and with lists of one label."""
    ds = simulate_tutorial(genes=60, tfs=NAMES, replicates=2, tf_relationships={"T3": ["T1"]}, chunks=chunks)
    ds = ds.yeast.split(seed=1, by="replicate", train=0.5, val=0.5, test=0)
    lists = {dim: label if dim == "replicate" else [label] for dim, label in selection.items()}
    return ds.sel(selection), ds.sel(lists)


def first(batches: Any) -> Any:
    return tuple(next(iter(batches)))


def rename(ds: xr.Dataset) -> xr.Dataset:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # the names are not yeast's
        return ds.yeast.rename(to="standard")


def fit(ds: xr.Dataset) -> str:
    try:
        return str(ds.yeast.fit_spec(seed=1))
    except yx.InputError as error:  # too few pairs
        return str(error)


METHODS: dict[str, Callable[..., Any]] = {
    "validate": lambda ds, folder: order_dims(ds.yeast.validate()["label"]),
    "rename": lambda ds, folder: order_dims(restore_dims(rename(ds))["label"]),
    "fit_spec": lambda ds, folder: fit(ds),
    "spec": lambda ds, folder: ds.yeast.spec,
    "check": lambda ds, folder: repr(ds.yeast.check()),
    "to_dataarray": lambda ds, folder: ds.yeast.to_dataarray(),
    "to_anndata": lambda ds, folder: ds.yeast.to_anndata().to_df("binding_effect").to_csv(),
    "to_dataframe": lambda ds, folder: ds.yeast.to_dataframe().to_csv(),
    "to_torch": lambda ds, folder: ds.yeast.to_torch().tolist(),
    "xy": lambda ds, folder: [part.tolist() for part in ds.yeast.xy()],
    "split": lambda ds, folder: ds.yeast.split(by="gene", train=1.0, val=0, test=0, seed=1)["split"],
    "batches": lambda ds, folder: [part.tolist() for part in first(ds.yeast.batches(1))],
    "samples": lambda ds, folder: [part.tolist() for part in ds.yeast.samples()[0]],
    "save": lambda ds, folder: yx.open(ds.yeast.save(folder / "sim.zarr")).compute(),
    "export": lambda ds, folder: ds.yeast.export(folder / "sim.csv", overwrite=True).read_bytes(),
    "report": lambda ds, folder: ds.yeast.report(folder / "qc.html").stat().st_size > 1000,
    "explore": lambda ds, folder: ds.yeast.explore().state,
    "targets": lambda ds, folder: ds.isel(replicate=0, missing_dims="ignore").yeast.targets("T3", rule="label"),
    "top": lambda ds, folder: ds.isel(replicate=0, missing_dims="ignore").yeast.top("T3", 1),
    "describe": lambda ds, folder: ds.yeast.describe(),
    "analysis": lambda ds, folder: ds.yeast.analysis.rank_response(responsive="label"),
    "plot": lambda ds, folder: None,
}


def test_scalars__every_method_is_tested() -> None:
    assert {name for name in vars(YeastAccessor) if not name.startswith("_")} == set(METHODS)


@pytest.mark.parametrize("selection", ["tf", "gene", "all"])
@pytest.mark.parametrize("method", [name for name in METHODS if name not in ("report", "plot")])
def test_scalars__methods_give_what_lists_give(method: str, selection: str, tmp_path: Path) -> None:
    scalars, lists = simulate_pair(SELECTIONS[selection])
    (tmp_path / "scalars").mkdir()
    (tmp_path / "lists").mkdir()
    result, expected = METHODS[method](scalars, tmp_path / "scalars"), METHODS[method](lists, tmp_path / "lists")
    if isinstance(expected, xr.Dataset | xr.DataArray):
        dims = expected.dims
        xr.testing.assert_identical(result.transpose(*dims), expected.transpose(*dims))
    else:
        assert result == expected


def test_scalars__reports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    leave_pictures_out(monkeypatch)
    assert METHODS["report"](simulate_pair(SELECTIONS["tf"])[0], tmp_path)


def make_options(name: str, ds: xr.Dataset) -> dict[str, Any]:
    """Return what a picture needs besides a dataset."""
    if name == "scores":
        return {"prediction": yx.validate(ds).binding_effect}
    return {"compare": {"by": "replicate"}, "enrichment": dict.fromkeys(HOPS, "hops")}.get(name, {})


HOPS = ("experiment_hops", "background_hops")


@pytest.mark.parametrize(
    ("name", "selection"),
    [
        (name, selection)
        for name in vars(YeastPlots)
        if not name.startswith("_")
        for selection in (["both"] if name == "qc" else ["tf", "gene", "both"])  # a layout of others
    ],
)
def test_scalars__plots_are_those_of_lists(name: str, selection: str) -> None:
    scalars, lists = simulate_pair(SELECTIONS[selection])
    if name == "enrichment":  # the variables that it takes for counts of hops
        scalars, lists = (ds.assign(hops=(ds.binding_effect * 9).round()) for ds in (scalars, lists))

    def draw(ds: xr.Dataset) -> str:
        try:
            return repr(getattr(ds.yeast.plot, name)(**make_options(name, ds)))
        except yx.InputError as error:  # the TFs that T3's conditions name may be left out
            assert name == "relation_status"
            return str(error)

    assert draw(scalars) == draw(lists)


@pytest.mark.parametrize("chunks", [None, {"tf": 3, "gene": 20}], ids=["numpy", "dask"])
def test_scalars__counts_are_those_of_lists(chunks: Any) -> None:
    scalars, lists = simulate_pair(SELECTIONS["both"], chunks)
    assert yx.qc.summarize(scalars).compute().equals(yx.qc.summarize(lists).compute())
    for count in (lambda ds: yx.qc.histogram(ds, "binding_effect"), yx.qc.histogram_2d):
        assert count(scalars).compute().equals(count(lists).compute())


def test_scalars__coordinates_along_the_dim_come_back() -> None:
    ds = simulate_tutorial(genes=60, tfs=NAMES).yeast.split(seed=1, by="tf")
    ds = ds.assign(note=("gene", list(range(60))), constant=3)
    scalar, expected = ds.sel(tf="T3"), ds.sel(tf=["T3"])
    restored = restore_dims(scalar)
    assert list(restored.data_vars) == list(ds.data_vars)
    xr.testing.assert_identical(restored.transpose(*expected.dims), expected)
    assert scalar["tf"].ndim == 0  # the user's dataset is not changed
    assert restore_dims(expected) is expected


def test_scalars__arrays_are_refused_with_advice() -> None:
    ds = simulate_tutorial(genes=60, tfs=NAMES)
    for step in (yx.generate_binding_effects, lambda labels: yx.adjusted_pairs(labels, {"T3": ["T1"]})):
        with pytest.raises(yx.SchemaError, match=r"tf=\['T3'\]"):
            step(ds["label"].sel(tf="T3"))
    with pytest.raises(yx.SchemaError, match=r"gene=\[7\]"):
        yx.generate_pvalues(ds["binding_effect"].sel(gene=7))
    with pytest.raises(yx.SchemaError, match="no dimension 'tf'"):
        yx.validate(ds.sel(tf="T3", drop=True))
