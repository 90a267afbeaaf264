"""What tests of tables share: a simulation to write as tables, each layout that can be read, and a reference."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import xarray as xr

import yeastxr as yx

FIELD = {
    "gene": "target_locus_tag",
    "tf": "regulator_symbol",
    "binding_effect": "callingcards_enrichment",
    "binding_pvalue": "poisson_pval",
    "perturbation_effect": "log2fc",
    "perturbation_pvalue": "pval",
}
TABLES = ("binding", "perturbation")


def simulate(*, named: bool = True, **settings: Any) -> xr.Dataset:
    """Simulate a small dataset, with names of genes and TFs or with integers."""
    names = {"genes": [f"YAL{i:03d}W" for i in range(23)], "tfs": ["GAL4", "MIG1", "ABF1"]} if named else {"genes": 23}
    return yx.simulate(**names, bound=[0.2, 0.4], n_sample=[2, 1], seed=3, **settings)


def make_rows(ds: xr.Dataset, table: str) -> pd.DataFrame:
    """Return a long table of one kind, with the field's columns."""
    rows = yx.to_dataframe(ds).reset_index().rename(columns=FIELD)
    effect, pvalue = (FIELD[f"{table}_{quantity}"] for quantity in ("effect", "pvalue"))
    return rows[[FIELD["tf"], FIELD["gene"], effect, pvalue]]


def _write_folder(ds: xr.Dataset, table: str, folder: Path, *, column: bool) -> Path:
    """Write a CSV for each TF."""
    path = folder / table
    path.mkdir()
    for tf, rows in make_rows(ds, table).groupby(FIELD["tf"]):
        rows = rows if column else rows.drop(columns=FIELD["tf"])
        rows.to_csv(path / (f"{len(list(path.iterdir()))}.csv" if column else f"{tf}.csv"), index=False)
    (path / "README.md").write_text("no table")
    return path


def _write_matrices(ds: xr.Dataset, table: str, write: Callable[[pd.DataFrame, str], Any]) -> dict[str, Any]:
    """Return matrices by quantity, as ``write`` makes them."""
    names = {quantity: f"{table}_{quantity}" for quantity in ("effect", "pvalue")}
    return {quantity: write(ds[name].to_pandas(), name) for quantity, name in names.items()}


def _to_file(frame: pd.DataFrame, path: Path, **settings: Any) -> Path:
    """Write a table in the format that the path's ending names."""
    if path.suffix == ".parquet":
        frame.to_parquet(path, **settings)
    else:
        frame.to_csv(path, sep="\t" if ".tsv" in path.name else ",", **settings)
    return path


def _file(ending: str) -> Callable[[xr.Dataset, str, Path], Any]:
    return lambda ds, table, folder: _to_file(make_rows(ds, table), folder / f"{table}{ending}", index=False)


LAYOUTS: dict[str, Callable[[xr.Dataset, str, Path], Any]] = {
    "csv": _file(".csv"),
    "csv.gz": _file(".csv.gz"),
    "tsv": _file(".tsv"),
    "parquet": _file(".parquet"),
    "pandas": lambda ds, table, folder: make_rows(ds, table),
    "pandas index": lambda ds, table, folder: make_rows(ds, table).set_index([FIELD["gene"], FIELD["tf"]]),
    "pandas categories": lambda ds, table, folder: make_rows(ds, table).astype({FIELD["tf"]: "category"}),
    "to_dataframe": lambda ds, table, folder: yx.to_dataframe(ds).drop(columns="label"),
    "polars": lambda ds, table, folder: pl.from_pandas(make_rows(ds, table)),
    "polars categories": lambda ds, table, folder: pl.from_pandas(make_rows(ds, table)).with_columns(
        pl.col(pl.String).cast(pl.Categorical)
    ),
    "pyarrow": lambda ds, table, folder: pa.Table.from_pandas(make_rows(ds, table)),
    "list": lambda ds, table, folder: [
        rows for _, rows in make_rows(ds, table).groupby(np.arange(23 * ds.sizes["tf"]) // 20)
    ],
    "folder": lambda ds, table, folder: _write_folder(ds, table, folder, column=True),
    "folder by name": lambda ds, table, folder: _write_folder(ds, table, folder, column=False),
    "wide pandas": lambda ds, table, folder: _write_matrices(ds, table, lambda frame, name: frame),
    "wide polars": lambda ds, table, folder: _write_matrices(
        ds, table, lambda frame, name: pl.from_pandas(frame.rename(columns=str).reset_index())
    ),
    "wide csv": lambda ds, table, folder: _write_matrices(
        ds, table, lambda frame, name: _to_file(frame, folder / f"{name}.csv")
    ),
    "wide parquet": lambda ds, table, folder: _write_matrices(
        ds, table, lambda frame, name: _to_file(frame.rename(columns=str).reset_index(), folder / f"{name}.parquet")
    ),
}


def read(ds: xr.Dataset, layout: str, folder: Path, **settings: Any) -> xr.Dataset:
    """Write a dataset as tables of a layout, and read them."""
    return yx.from_tables(*(LAYOUTS[layout](ds, table, folder) for table in TABLES), **settings)


def assert_same_data(result: xr.Dataset, expected: xr.Dataset) -> None:
    """Check that the measures and labels of two datasets are equal, in any order of labels."""
    measures = list(expected.data_vars)
    assert [result.sizes[dim] for dim in ("gene", "tf")] == [expected.sizes[dim] for dim in ("gene", "tf")]
    for name in measures:
        aligned = result[name].sel(gene=expected.gene.values, tf=expected.tf.values)
        xr.testing.assert_equal(aligned, expected[name].drop_vars("bound_fraction", errors="ignore"))
