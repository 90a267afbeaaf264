"""Everyday questions against pandas."""

import numpy as np
import pytest
import xarray as xr

import yeastxr as yx
from tests.analysis.common import any_seed, assert_same_for_any_chunks, make_measured


@any_seed
def test_targets__and_top_are_those_of_sorted_tables(seed: int) -> None:
    ds = make_measured(seed, label=True)
    table = ds.sel(tf="TF1").to_dataframe().reset_index()
    table["strength"] = abs(table.binding_effect)
    table = table.dropna().sort_values(["binding_pvalue", "strength", "gene"], ascending=[True, False, True])
    measured = ds.dropna("gene").drop_vars("label")
    complete = table[table.gene.isin(measured.gene.values)]
    assert yx.analysis.top(measured, "TF1", 5).gene.values.tolist() == complete.gene.tolist()[:5]
    chosen = complete[
        (complete.binding_pvalue <= np.float32(0.1))
        & (complete.perturbation_pvalue <= np.float32(0.1))
        & (abs(complete.perturbation_effect) >= 0.5)
    ]
    found = yx.analysis.targets(measured, "TF1", largest_pvalue=0.1, least_magnitude=0.5)
    assert found.gene.values.tolist() == chosen.gene.tolist()
    assert found.tf.item() == "TF1"
    by_truth = yx.analysis.targets(ds.dropna("gene"), "TF1", rule="label")
    assert by_truth.gene.values.tolist() == complete[complete.label].gene.tolist()


def test_targets__nan_and_dask() -> None:
    ds = make_measured(4, label=True)
    for question in (lambda ds: yx.analysis.targets(ds, "TF2"), lambda ds: yx.analysis.top(ds, "TF2", 30)):
        found = question(ds)
        assert not found["binding_pvalue"].isnull().any()
        xr.testing.assert_identical(question(ds.chunk({"gene": 5, "tf": 1})), found)
    strongest = yx.analysis.top(ds, "TF2", 1, by="perturbation_magnitude").perturbation_effect
    assert abs(strongest).item() == abs(ds.perturbation_effect.sel(tf="TF2")).max().item()


@any_seed
def test_describe__is_that_of_tables(seed: int) -> None:
    ds = make_measured(seed, label=True)
    result = yx.analysis.describe(ds, least_magnitude=1.0)
    for tf in ds.tf.values:
        table, own = ds.sel(tf=tf).to_dataframe().dropna(), result.sel(tf=tf)
        binds = table.binding_pvalue <= 0.05
        responds = (table.perturbation_pvalue <= np.float32(0.05)) & (abs(table.perturbation_effect) >= 1)
        expected = {
            "genes": len(table),
            "missing": 23 - len(table),
            "binding_significant": binds.sum(),
            "response_significant": responds.sum(),
            "both_significant": (binds & responds).sum(),
            "bound": table.label.sum(),
            "bound_both_significant": (table.label & binds & responds).sum(),
            "mean_binding_effect": table.binding_effect.mean(),
            "mean_magnitude": abs(table.perturbation_effect).mean(),
            "bound_mean_binding_effect": table.binding_effect[table.label].mean(),
            "bound_mean_magnitude": abs(table.perturbation_effect[table.label]).mean(),
        }
        assert set(expected) == set(result.data_vars)
        for name, value in expected.items():
            assert float(own[name]) == pytest.approx(float(value), rel=1e-6), name


def test_describe__any_chunks_give_the_same() -> None:
    assert_same_for_any_chunks(yx.analysis.describe, make_measured(2))
    assert_same_for_any_chunks(yx.analysis.describe, make_measured(2, label=True))
    assert len(yx.analysis.describe(make_measured(2)).to_dataframe()) == 3


def test_targets__refuses() -> None:
    ds = make_measured(1)
    for tf, arguments, message in (
        ("TF9", {}, "tf is 'TF9', which is unknown; did you mean"),
        (["TF1"], {}, r"tf is \['TF1'\], which is unknown"),
        ("TF1", {"rule": "label"}, "rule='label' needs the variable 'label', which the dataset does not have"),
        ("TF1", {"rule": "bound"}, "rule is 'bound'; expected 'measured' or 'label'"),
        ("TF1", {"by": "label"}, "by is 'label'"),
    ):
        with pytest.raises(yx.InputError, match=message):
            yx.analysis.targets(ds, tf, **arguments)
    with pytest.raises(yx.InputError, match="n is 0"):
        yx.analysis.top(ds, "TF1", 0)
    ds = yx.simulate(genes=5, bound=[0.4], replicates=2, seed=1)
    with pytest.raises(yx.InputError, match="has the dimensions replicate besides gene and tf"):
        yx.analysis.top(ds, 0)
    assert yx.analysis.top(ds.isel(replicate=0), 0, 3).sizes["gene"] == 3
