"""Datasets by standard and systematic names: labels, specifications, and what has no other name."""

import warnings

import pytest
import xarray as xr

import yeastxr as yx
from yeastxr import And, Not, Or

GENES = {"YAL001C": "TFC3", "YAL003W": "EFB1", "YAL004W": "YAL004W", "YPL248C": "GAL4"}
TFS = {"YPL248C": "GAL4", "YGL035C": "MIG1", "YML051W": "GAL80"}


def simulate(to: str, **extra: object) -> xr.Dataset:
    """Simulate with the standard or the systematic names of genes and TFs."""
    pick = list if to == "systematic" else lambda names: list(names.values())
    gal4, mig1, gal80 = pick(TFS)
    rules = {gal4: [mig1, Or(mig1, Not(And(gal80, gal4)))], mig1: []}
    return yx.simulate(
        genes=pick(GENES), tfs=[gal4, mig1, gal80], bound=0.5, tf_relationships=rules, adjusted=True, seed=1, **extra
    )


@pytest.mark.parametrize("chunks", [None, {"tf": 2}], ids=["numpy", "dask"])
def test_rename__is_the_simulation_with_those_names(chunks: dict[str, int] | None) -> None:
    ds = simulate("systematic", chunks=chunks, replicates=2)
    before = ds.copy(deep=True)
    renamed = yx.rename(ds, to="standard")
    assert renamed.identical(simulate("standard", chunks=chunks, replicates=2))
    assert renamed.yeast.spec == simulate("standard", replicates=2).yeast.spec
    assert (renamed.label.chunks is None) == (chunks is None)
    assert yx.rename(renamed, to="systematic").identical(ds)
    assert ds.yeast.rename(to="systematic").identical(ds)
    assert before.identical(ds)
    assert renamed.yeast.check().failed == []


def test_rename__selections_sweeps_and_arrays() -> None:
    ds = simulate("systematic")
    assert yx.rename(ds.sel(tf="YPL248C"), to="standard").tf.item() == "GAL4"
    array = yx.rename(ds["perturbation_effect"], to="standard")
    assert array.identical(simulate("standard")["perturbation_effect"])
    swept = yx.sweep(ds.yeast.spec, bound_mean=[3.0, 5.0])
    expected = yx.sweep(simulate("standard").yeast.spec, bound_mean=[3.0, 5.0])
    assert yx.rename(swept, to="standard").identical(expected)
    one = yx.simulate(genes=5, bound={"GAL4": 0.5}, seed=1)
    assert yx.rename(one, to="systematic").indexes["gene"].tolist() == list(range(5))


def test_rename__unknown_names_stay_and_are_counted() -> None:
    ds = yx.simulate(genes=["YAL001C", "lacZ", "gfp"], bound={"GAL4": 0.5}, seed=1)
    with pytest.warns(UserWarning, match=r"2 of 3 names along gene are not in the catalog .* such as 'lacZ'"):
        renamed = yx.rename(ds, to="standard")
    assert renamed.gene.values.tolist() == ["TFC3", "lacZ", "gfp"]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yx.rename(ds.isel(gene=[0]).drop_attrs(), to="standard")


def test_rename__collisions_and_what_has_no_names_are_refused() -> None:
    ds = yx.simulate(genes=4, bound={"GAL4": 0.5, "YPL248C": 0.5}, seed=1)
    with pytest.raises(
        yx.InputError,
        match="tf has both 'GAL4' and 'YPL248C', which are names of the ORF 'GAL4'; expected each ORF once",
    ):
        yx.rename(ds, to="standard")
    with pytest.raises(yx.InputError, match="no names along gene or tf"):
        yx.rename(yx.simulate(genes=4, bound=0.5, seed=1), to="standard")
    with pytest.raises(yx.InputError, match="to is 'common'; expected 'standard' or 'systematic'"):
        yx.rename(ds, to="common")  # type: ignore[arg-type]
