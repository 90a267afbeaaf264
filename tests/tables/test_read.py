"""Tables of a simulation read back equal from every layout; labels are joined, rows counted, labels made."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
import xarray as xr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import yeastxr as yx
from tests.tables.common import LAYOUTS, assert_same_data, make_rows, read, simulate

MEASURES = ["binding_effect", "binding_pvalue", "perturbation_effect", "perturbation_pvalue"]


def make_table(**columns: Any) -> pd.DataFrame:
    """Return a long table of two genes and a TF, with some columns changed."""
    base = {"target_symbol": ["GAL1", "GAL7"], "regulator_symbol": "GAL4", "effect": [1.5, -2.0], "pvalue": [0.25, 0.5]}
    return pd.DataFrame({name: values for name, values in (base | columns).items() if values is not None})


@pytest.mark.parametrize("named", [True, False], ids=["names", "integers"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_from_tables__a_simulation_reads_back_equal(layout: str, named: bool, tmp_path: Path) -> None:
    ds = simulate(named=named)
    result = read(ds, layout, tmp_path)
    assert_same_data(result, ds[MEASURES])
    assert yx.validate(result) is result
    assert yx.spec_of(result) is None
    assert result.gene.dtype == ds.gene.dtype
    assert list(result.feature.values) == MEASURES
    assert {array.dtype for array in result.data_vars.values()} == {np.dtype("float32")}


@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(layout=st.sampled_from(list(LAYOUTS)), seed=st.integers(0, 2**32 - 1), missing=st.sampled_from([0.0, 0.3]))
def test_from_tables__rows_in_any_order_some_missing(
    layout: str, seed: int, missing: float, tmp_path_factory: pytest.TempPathFactory
) -> None:
    rng = np.random.default_rng(seed)
    ds = simulate()
    ds = ds.isel(gene=rng.permutation(23), tf=rng.permutation(3))
    present = rng.random((23, 3)) >= missing
    present[:, 0] = present[0] = True  # every gene and TF has a pair
    ds = ds.assign({name: ds[name].where(xr.DataArray(present, dims=("gene", "tf"))) for name in MEASURES})
    result = read(ds, layout, tmp_path_factory.mktemp("tables"), join="exact")
    assert_same_data(result, ds[MEASURES])


def test_from_tables__a_column_label_is_read() -> None:
    ds = simulate()
    rows = yx.to_dataframe(ds)
    assert_same_data(yx.from_tables(rows, rows), ds)
    text = rows.assign(label=rows.label.map({True: "True", False: "0"}))
    assert (yx.from_tables(text, rows).label == ds.label).all()
    with pytest.raises(yx.InputError, match="contains 'maybe' in row 3 of column 'label'; expected true or false"):
        yx.from_tables(text.assign(label=[*text.label[:2], "maybe", *text.label[3:]]), rows)


def test_from_tables__hops_become_extra_variables(tmp_path: Path) -> None:
    ds = simulate(hops=True)
    binding = make_rows(ds, "binding").assign(
        experiment_hops=ds.experiment_hops.values.ravel(), background=ds.background_hops.values.ravel()
    )
    result = yx.from_tables(binding, make_rows(ds, "perturbation"), background_hops="background")
    names = ["experiment_hops", "background_hops"]
    assert_same_data(result, ds[names])
    assert result.experiment_hops.dtype == np.int32
    fewer = yx.from_tables(binding.drop(index=[4]), make_rows(ds, "perturbation"))
    assert fewer.experiment_hops.values[1, 1] == 0
    assert np.isnan(fewer.binding_effect.values[1, 1])
    assert fewer.experiment_hops.attrs["missing"] == 1
    assert yx.open(yx.save(fewer, tmp_path / "x.zarr")).identical(fewer)


@pytest.mark.parametrize(
    ("table", "effect", "units"),
    [
        ("perturbation", "effect", "arbitrary units"),
        ("perturbation", "log2fc", "log2 fold change"),
        ("perturbation", "log2_shrunken_timecourses", "log2 fold change"),
        ("perturbation", "M", "log2 fold change"),
        ("binding", "callingcards_enrichment", "1"),
        ("binding", "log2fc", "log2 fold change"),
    ],
)
@pytest.mark.parametrize("pvalue", ["pvalue", "pval", "poisson_pval", "hypergeometric_pval"])
def test_from_tables__usual_columns_and_units(table: str, effect: str, units: str, pvalue: str) -> None:
    usual = make_table().rename(columns={"effect": effect})
    usual = usual.rename(columns={"pvalue": pvalue})
    if table == "perturbation" and pvalue.endswith("_pval"):  # of binding alone
        return
    other = "perturbation" if table == "binding" else "binding"
    result = yx.from_tables(**{table: usual, other: make_table()})
    assert result[f"{table}_effect"].values.tolist() == [[1.5], [-2.0]]
    assert result[f"{table}_pvalue"].values.tolist() == [[0.25], [0.5]]
    assert result[f"{table}_effect"].attrs["units"] == units
    assert result[f"{table}_effect"].attrs["source_column"] == effect
    again = yx.from_tables(usual, usual, effect=effect, pvalue=pvalue, units="z")
    assert again.binding_effect.units == again.perturbation_effect.units == "z"


def test_from_tables__other_columns_by_name() -> None:
    own = make_table().set_axis(["orf", "factor", "M", "z"], axis=1)
    both = yx.from_tables(own, own, gene="orf", tf="factor", effect="M", pvalue="z")
    each = yx.from_tables(
        own,
        make_table(),
        gene={"binding": "orf"},
        tf={"binding": "factor", "perturbation": "regulator_symbol"},
        pvalue={"binding": "z"},
        units={"perturbation": "counts"},
    )
    for result in (both, each):
        assert result.binding_pvalue.values.tolist() == result.perturbation_pvalue.values.tolist() == [[0.25], [0.5]]
    assert each.perturbation_effect.units == "counts"


def test_from_tables__locus_tags_and_symbols() -> None:
    """A column that both tables have is taken; locus tags come first."""
    tags = make_table(target_locus_tag=["YBR020W", "YBR018C"], regulator_locus_tag="YPL248C")
    assert yx.from_tables(tags, tags).gene.values.tolist() == ["YBR020W", "YBR018C"]
    assert yx.from_tables(tags, make_table()).gene.values.tolist() == ["GAL1", "GAL7"]
    assert yx.from_tables(tags, tags, tf="regulator_symbol").tf.values.tolist() == ["GAL4"]


@pytest.mark.parametrize("join", ["inner", "outer"])
def test_from_tables__labels_are_joined_and_the_rest_is_said(join: str) -> None:
    left = pd.concat([make_table(), make_table(regulator_symbol="MIG1")])
    right = make_table(target_symbol=["GAL7", "GAL80"])
    with pytest.warns(yx.TableWarning, match="genes that are in only one table are ") as caught:
        result = yx.from_tables(left, right, join=join)
    assert "1 of binding ('GAL1'), 1 of perturbation ('GAL80'); TFs that are in only one table are" in str(
        caught[0].message
    )
    assert result.attrs["genes_only_in_binding"] == result.attrs["tfs_only_in_binding"] == 1
    assert result.attrs["tfs_only_in_perturbation"] == 0
    if join == "inner":
        assert result.gene.values.tolist() == ["GAL7"]
        assert result.tf.values.tolist() == ["GAL4"]
        assert result.binding_effect.item() == -2.0
        assert result.perturbation_effect.item() == 1.5
    else:
        assert result.gene.values.tolist() == ["GAL1", "GAL7", "GAL80"]
        assert result.binding_effect.isnull().sum("gene").values.tolist() == [1, 1]
        assert result.perturbation_effect.isnull().sum("gene").values.tolist() == [1, 3]
    with pytest.raises(yx.InputError, match="the tables have different genes, 1 of binding"):
        yx.from_tables(left, right, join="exact")


@pytest.mark.filterwarnings("ignore:several rows have the same pair")
@pytest.mark.parametrize("seed", range(3))
def test_from_tables__duplicates_follow_the_rule(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Compare with pandas, over batches of 16 rows."""
    monkeypatch.setattr("yeastxr.tables.sources._ROWS", 16)
    rng = np.random.default_rng(seed)
    n = 300
    table = pd.DataFrame({"gene": rng.integers(0, 9, n), "tf": rng.integers(0, 5, n)})
    table["effect"] = np.where(rng.random(n) < 0.2, np.nan, rng.integers(-4, 5, n) / 2)
    table["pvalue"] = np.where(rng.random(n) < 0.2, np.nan, rng.integers(0, 5, n) / 4)
    table["experiment_hops"] = rng.integers(0, 9, n)
    strength = table.assign(size=table.effect.abs())
    strength = strength.sort_values(["size", "pvalue"], ascending=[False, True], na_position="last", kind="stable")
    expected = {"largest_effect": strength.drop_duplicates(["gene", "tf"]).set_index(["gene", "tf"])}
    expected["mean"] = table.groupby(["gene", "tf"]).mean()
    for rule, rows in expected.items():
        result = yx.from_tables(table, table, duplicates=rule)
        names = {"binding_effect": "effect", "binding_pvalue": "pvalue", "experiment_hops": "experiment_hops"}
        for name, column in names.items():
            wide = rows[column].unstack().reindex(index=result.gene.values, columns=result.tf.values)
            wide = wide.fillna(0).round() if name == "experiment_hops" else wide.astype("float32")
            np.testing.assert_array_equal(result[name].values, wide.values, err_msg=f"{rule} {name}")
        assert result.attrs["binding_repeated_rows"] == n - len(rows)
    first = int(np.argmax(table.duplicated(["gene", "tf"]))) + 1
    with pytest.raises(yx.InputError, match=f"again in row {first}; expected each pair once"):
        yx.from_tables(table, table, duplicates="refuse")


def test_from_tables__duplicates_are_said() -> None:
    twice = pd.concat([make_table(), make_table(effect=[-3.0, 1.0])])
    with pytest.warns(
        yx.TableWarning,
        match="several rows have the same pair, and the row with the largest .effect. is used: 2 of bin",
    ):
        result = yx.from_tables(twice, make_table())
    assert result.binding_effect.values.tolist() == [[-3.0], [-2.0]]


def test_from_tables__columns_by_which_repeats_differ_are_named() -> None:
    twice = pd.concat([make_table(), make_table()]).assign(replicate=[1, 1, 2, 2])
    with pytest.warns(
        yx.TableWarning, match="binding has a column 'replicate'; to keep one row per pair, select"
    ) as notes:
        yx.from_tables(twice, make_table(note="x"))
    assert len(notes) == 1
    yx.from_tables(twice.query("replicate == 1"), make_table())


def test_from_tables__row_numbers_are_no_genes() -> None:
    """Filters and sorts of a DataFrame leave an index of integers without a name."""
    table = make_table().rename(columns={"target_symbol": "orf"})
    both = pd.concat([table, table.assign(orf=["GAL10", "GAL80"])], ignore_index=True)
    with pytest.raises(yx.InputError, match="has no recognized column of genes"):
        yx.from_tables(both[both.orf != "GAL1"], both.sort_values("effect"))
    part = both[both.orf != "GAL1"]
    assert yx.from_tables(part.set_index("orf"), part, gene="orf").gene.values.tolist() == ["GAL7", "GAL10", "GAL80"]


def test_from_tables__folders_hold_tables_of_any_case_and_others_are_counted(tmp_path: Path) -> None:
    for name in ("GAL4.CSV", "MIG1.csv"):
        make_table(regulator_symbol=None).to_csv(tmp_path / name, index=False)
    for name in ("RAP1.csv.bz2", "README.md", ".hidden"):
        (tmp_path / name).write_text("x")
    (tmp_path / "more.csv").mkdir()
    other = pd.concat([make_table(regulator_symbol=tf) for tf in ("GAL4", "MIG1")])
    message = r"not tables are ignored: 2 of binding \('RAP1.csv.bz2', 'more.csv'\)$"
    with pytest.warns(yx.TableWarning, match=message):
        assert yx.from_tables(tmp_path, other).tf.values.tolist() == ["GAL4", "MIG1"]


@pytest.mark.parametrize("columns", ["field", "yeastxr"])
@pytest.mark.parametrize("ending", [".parquet", ".csv"])
def test_from_tables__reads_what_export_writes(ending: str, columns: str, tmp_path: Path) -> None:
    ds = simulate(hops=True)
    yx.export(ds, tmp_path / f"f{ending}", columns=columns)
    result = yx.from_tables(tmp_path / f"f{ending}", tmp_path / f"f{ending}")
    assert_same_data(result, ds[["label", *MEASURES, "experiment_hops", "background_hops"]])


def test_from_tables__thresholds_below_float32() -> None:
    table = make_table(pvalue=[1e-60, 1e-30])
    label = yx.from_tables(table, make_table(), label_from={"binding_pvalue": 1e-50}).label
    assert label.values.tolist() == [[True], [False]]
    none = yx.from_tables(table, make_table(), label_from={"binding_pvalue": 0}).label
    assert not none.any()


def test_from_tables__rows_without_labels_and_columns_without_values() -> None:
    nameless = make_table(target_symbol=["GAL1", None])
    with pytest.warns(yx.TableWarning, match="rows without a gene or a TF are dropped: 1 of binding"):
        result = yx.from_tables(nameless, make_table(), join="outer")
    assert result.attrs["binding_unlabelled_rows"] == 1
    with pytest.warns(yx.TableWarning, match="^perturbation has no column of p-values, which become NaN$"):
        result = yx.from_tables(make_table(), make_table(pvalue=None))
    assert result.perturbation_pvalue.isnull().all()
    with pytest.raises(yx.InputError, match="label_from needs p-values, but pandas DataFrame has none"):
        yx.from_tables(make_table(), make_table(pvalue=None), label_from={"perturbation_fdr": 0.1})


def test_from_tables__labels_from_thresholds() -> None:
    ds = simulate()
    tables = make_rows(ds, "binding"), make_rows(ds, "perturbation")
    low = yx.from_tables(*tables, label_from={"binding_pvalue": 0.2}).label
    xr.testing.assert_equal(low, ds.binding_pvalue.drop_vars("bound_fraction") <= np.float32(0.2))
    both = yx.from_tables(*tables, label_from={"binding_fdr": 0.8, "perturbation_pvalue": 0.5})
    rates = yx.analysis.adjust_pvalues(ds.binding_pvalue)
    assert (both.label.values == ((rates <= 0.8) & (ds.perturbation_pvalue <= 0.5)).values).all()
    assert both.label.attrs["description"] == "True where binding_fdr <= 0.8 and perturbation_pvalue <= 0.5"
    assert list(both.feature.values) == ["label", *MEASURES]
    assert not yx.from_tables(make_table(pvalue=[None, 0.1]), make_table(), label_from={"binding_pvalue": 1}).label[
        0, 0
    ]


def test_from_tables__small_pvalues_stay_above_zero() -> None:
    pvalue = yx.from_tables(make_table(pvalue=[1e-300, 0.0]), make_table()).binding_pvalue.values.ravel()
    assert pvalue.tolist() == [np.finfo(np.float32).tiny, 0.0]


def test_from_tables__attributes_say_where_data_are_from(tmp_path: Path) -> None:
    ds = simulate()
    result = read(ds, "csv", tmp_path)
    assert result.attrs["binding_tables"] == "binding.csv"  # no folder of a user's
    assert result.binding_effect.attrs["source"] == "binding.csv"
    assert not any(str(tmp_path) in str(value) for array in result.variables.values() for value in array.attrs.values())
    assert result.attrs["yeastxr_version"] == yx.__version__
    assert yx.open(yx.save(result, tmp_path / "x.zarr")).identical(result)
    assert result.yeast.to_torch().shape == (23, 3, 4)


def test_from_tables__types_that_columns_may_have() -> None:
    table = pl.from_pandas(make_table()).with_columns(
        pl.col("effect").cast(pl.Decimal(10, 2)), pl.col("pvalue").cast(pl.String)
    )
    assert yx.from_tables(table, make_table()).binding_effect.values.tolist() == [[1.5], [-2.0]]
    mixed = make_table(effect=pd.Series([1.5, "x"], dtype=object))
    with pytest.raises(yx.InputError, match="contains 'x' in row 2 of column 'effect'; expected a number"):
        yx.from_tables(mixed, make_table())
    assert yx.from_tables(make_table(target_symbol=["7", "1"]), make_table(target_symbol=["1", "7"])).gene[0] == "7"


def test_from_tables__inputs_stay_as_they_are() -> None:
    table = make_table().set_index("target_symbol")
    before = table.copy(deep=True)
    yx.from_tables(table, table)
    pd.testing.assert_frame_equal(table, before)


def test_from_tables__pyarrow_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(yx.InputError, match=r"pyarrow is not installed.*pip install 'yeastxr\[tables\]'"):
        yx.from_tables(make_table(), make_table())
