"""The check table: right datasets pass, planted faults are found, and subsets are told apart from faults."""

import numpy as np
import pytest
import xarray as xr

import yeastxr as yx
from yeastxr.demo import BOOLEAN_RELATIONS, METHODS, POPULATION, RELATED_TFS


def made(**extra: object) -> xr.Dataset:
    return yx.simulate(**{**POPULATION, "seed": 7, **extra})


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("chunks", [None, {"tf": 3}, {"gene": 400}], ids=["numpy", "dask", "dask-genes"])
def test_check__simulation_passes(method: int, chunks: object) -> None:
    table = yx.check(made(**METHODS[method][1], chunks=chunks))
    assert table.failed == []
    assert not any(row.passed is None for row in table.rows)


def test_check__never_fails_by_chance_on_small_samples() -> None:
    for seed in range(60):
        ds = yx.simulate(genes=5, bound=[0.3, 0.6], max_mean_adjustment=10.0, tf_relationships={0: [1]}, seed=seed)
        assert yx.check(ds).failed == []


@pytest.mark.parametrize(
    "extra",
    [
        {"bound": [0.0], "n_sample": [2]},
        {"bound": [1.0], "n_sample": [2]},
        {"genes": 1},
        {"bound_std": 0.0, "unbound_std": 0.0},
        {"bound_std": 0.0, "unbound_std": 0.0, "bound_mean": 0.0},
        {"replicates": 3},
        {"large_effect_percentile": 0.0},
        {"large_effect_percentile": 1.0, "large_effect_upper_pval": 0.0},
        {"unbound_experiment_hops_range": (0, 0), "bound_experiment_hops_range": (0, 0)},
        {"background_hops_range": (50, 50), "bound_experiment_hops_range": (3, 3)},
        {"max_mean_adjustment": -5.0, "unbound_mean": -2.0},
    ],
    ids=str,
)
def test_check__extremes_pass(extra: dict[str, object]) -> None:
    assert yx.check(made(**extra)).failed == []


def planted(ds: xr.Dataset, fault: str) -> xr.Dataset:
    ds = ds.copy(deep=True)
    match fault:
        case "one label flipped":
            ds["label"][3, 4] = ~ds["label"][3, 4]
        case "binding effects doubled":
            ds["binding_effect"] = 2 * ds["binding_effect"]
        case "binding effects shuffled over genes":
            ds["binding_effect"].values = ds["binding_effect"].values[::-1]
        case "all signs positive":
            ds["perturbation_effect"] = abs(ds["perturbation_effect"])
        case "perturbation effects shuffled over genes":
            ds["perturbation_effect"].values = ds["perturbation_effect"].values[::-1]
        case "perturbation effects a tenth larger":
            ds["perturbation_effect"] = ds["perturbation_effect"] * np.float32(1.1)
        case "p-values without the rule":
            ds["binding_pvalue"] = 1 - ds["binding_pvalue"]
        case "a p-value of 1.5":
            ds["perturbation_pvalue"][0, 0] = 1.5
        case "a NaN":
            ds["binding_effect"][0, 0] = np.nan
        case "an infinity":
            ds["perturbation_effect"][0, 0] = np.inf
        case "another method than asked for":
            other = made(genes=6600)
            ds["perturbation_effect"].values = other["perturbation_effect"].values
        case "relations of And for Or":
            swapped = {tf: [yx.Or(*entries)] for tf, entries in RELATED_TFS.items()}
            other = made(
                genes=6600, max_mean_adjustment=10.0, tf_relationships={**swapped, 2: [yx.Or(5, 6)], 7: [yx.Or(1, 4)]}
            )
            ds["perturbation_effect"].values = other["perturbation_effect"].values
    return ds


@pytest.mark.parametrize(
    ("fault", "name"),
    [
        ("one label flipped", "bound ratio"),
        ("binding effects doubled", "binding effect"),
        ("binding effects shuffled over genes", "binding effect"),
        ("all signs positive", "share positive"),
        ("perturbation effects shuffled over genes", "|perturbation effect|"),
        ("perturbation effects a tenth larger", "|perturbation effect|"),
        ("p-values without the rule", "binding p-value"),
        ("a p-value of 1.5", "perturbation p-value: range"),
        ("a NaN", "binding effect: range"),
        ("an infinity", "perturbation effect: range"),
        ("another method than asked for", "slope"),
        ("relations of And for Or", "conditions fail"),
    ],
)
def test_check__planted_fault_is_found(fault: str, name: str) -> None:
    ds = planted(made(genes=6600, max_mean_adjustment=10.0, tf_relationships=RELATED_TFS), fault)
    table = yx.check(ds)
    assert not table.passed
    assert any(name in failed for failed in table.failed), table


def test_check__subset_is_no_fault() -> None:
    ds = made(max_mean_adjustment=10.0, tf_relationships=BOOLEAN_RELATIONS)
    table = yx.check(ds.isel(gene=slice(0, 300), tf=[3, 2]))
    assert table.failed == []
    assert any(row.passed is None and "subset" in row.found for row in table.rows)
    assert yx.check(ds.isel(tf=[8, 2])).failed == []


def test_check__no_specification() -> None:
    table = yx.check(made().drop_attrs(deep=True))
    assert table.passed
    assert all("range" in row.name for row in table.rows)


def test_check__missing_variable() -> None:
    with pytest.raises(yx.SchemaError, match="lacks the variable 'binding_pvalue'"):
        yx.check(made().drop_vars("binding_pvalue"))


def test_check__table_shows_itself() -> None:
    table = yx.check(planted(made(), "one label flipped"))
    assert "FAIL" in repr(table)
    assert f"{len(table.failed)} failed" in repr(table)
    page = table._repr_html_()
    assert "FAIL" in page
    assert "<script>" not in page
    ds = table.to_dataset()
    assert ds.sizes["check"] == len(table.rows)
    assert set(ds["verdict"].values) == {"pass", "FAIL"}
