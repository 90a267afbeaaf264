"""A dataset gets the specification that it follows, and no other: labels in order, values, dimensions."""

from collections.abc import Callable

import numpy as np
import pytest
import xarray as xr

import yeastxr as yx
from yeastxr.simulation.simulate import matches_spec

SPECS = {
    "numbers": {"genes": 20},
    "names": {"genes": [f"g{i}" for i in range(20)], "tfs": ["a", "b", "c"]},
    "replicates": {"genes": 20, "replicates": 2},
}
SAME: dict[str, Callable[[xr.Dataset], xr.Dataset]] = {
    "itself": lambda ds: ds,
    "dimensions in another order": lambda ds: ds.transpose("tf", ..., "gene"),
    "without bound fractions": lambda ds: ds.drop_vars("bound_fraction"),
    "object labels": lambda ds: ds.assign_coords(gene=ds["gene"].astype(object), tf=ds["tf"].astype(object)),
    "other values": lambda ds: ds.assign(binding_effect=ds["binding_effect"] * 2),
}
DIFFERENT: dict[str, Callable[[xr.Dataset], xr.Dataset]] = {
    "TFs reversed": lambda ds: ds.isel(tf=slice(None, None, -1)),
    "genes reversed": lambda ds: ds.isel(gene=slice(None, None, -1)),
    "some genes": lambda ds: ds.isel(gene=slice(10)),
    "some TFs": lambda ds: ds.isel(tf=[0, 2]),
    "one TF": lambda ds: ds.isel(tf=0),
    "TFs renamed": lambda ds: ds.assign_coords(tf=["x", "y", "z"]),
    "genes renumbered": lambda ds: ds.assign_coords(gene=np.arange(1, 21)),
    "other bound fractions": lambda ds: ds.assign_coords(bound_fraction=("tf", [0.2, 0.5, 0.2])),
    "a further dimension": lambda ds: ds.expand_dims(bound_mean=[3.0, 5.0]),
}


@pytest.mark.parametrize("params", SPECS.values(), ids=SPECS.keys())
@pytest.mark.parametrize("chunks", [None, {"tf": 2}], ids=["numpy", "dask"])
def test_matches_spec__labels_in_order(params: dict, chunks: dict | None) -> None:
    spec = yx.SimulationSpec(bound=[0.2, 0.5], n_sample=[2, 1], seed=1, **params)
    ds = spec.simulate(chunks)
    assert {name: matches_spec(change(ds), spec) for name, change in SAME.items()} == dict.fromkeys(SAME, True)
    found = {name: matches_spec(change(ds), spec) for name, change in DIFFERENT.items()}
    assert found == dict.fromkeys(DIFFERENT, False)


def run_steps(chunks: object = None, names: bool = False, **population: object) -> list[xr.DataArray]:
    params = {"n_sample": [2, 1], **({"tfs": ["a", "b", "c"]} if names else {}), **population}
    labels = yx.generate_gene_population(40, bound=[0.2, 0.2], seed=7, chunks=chunks, **params)
    effect = yx.generate_binding_effects(labels, seed=7)
    response = yx.generate_perturbation_effects(labels, effect, max_mean_adjustment=5.0, seed=7)
    return [labels, effect, yx.generate_pvalues(effect, seed=7), response, yx.generate_pvalues(response, seed=7)]


def edit(parts: list[xr.DataArray], number: int, change: Callable[[xr.DataArray], xr.DataArray]) -> list[xr.DataArray]:
    """Change one of the arrays, and keep its attributes."""
    changed = change(parts[number]).astype(parts[number].dtype).assign_attrs(parts[number].attrs)
    return [*parts[:number], changed, *parts[number + 1 :]]


def swap_pair(array: xr.DataArray) -> xr.DataArray:
    """Exchange two genes' values, and not their labels."""
    order = np.arange(array.sizes["gene"])
    order[[3, 5]] = 5, 3
    return array.copy(data=array.isel(gene=order).data)


FOREIGN: dict[str, Callable[[list[xr.DataArray]], list[xr.DataArray]]] = {
    "TFs in another order": lambda parts: [part.isel(tf=[1, 0, 2]) for part in parts],
    "genes in another order": lambda parts: [part.isel(gene=slice(None, None, -1)) for part in parts],
    "some genes": lambda parts: [part.isel(gene=slice(10)) for part in parts],
    "TFs renamed": lambda parts: [part.assign_coords(tf=[5, 6, 7]) for part in parts],
    "TFs reordered and renamed": lambda parts: [
        part.isel(tf=[1, 0, 2]).assign_coords(tf=parts[0]["tf"]) for part in parts
    ],
    "values edited": lambda parts: edit(parts, 1, lambda array: array * 2),
    "p-values edited": lambda parts: edit(parts, 4, lambda array: 1 - array),
    "labels edited": lambda parts: edit(parts, 0, lambda array: ~array),
    "two genes exchanged": lambda parts: edit(parts, 3, swap_pair),
    "another largest effect": lambda parts: [
        *parts[:3],
        response := yx.generate_perturbation_effects(
            parts[0], parts[1], max_mean_adjustment=5.0, largest_binding_effect=3.0, seed=7
        ),
        yx.generate_pvalues(response, seed=7),
    ],
    "a rule of one's own": lambda parts: [
        *parts[:3],
        response := yx.generate_perturbation_effects(
            parts[0], parts[1], adjustment_function=lambda labels, effect: labels * 3.0, seed=7
        ),
        yx.generate_pvalues(response, seed=7),
    ],
    "attributes of another kind": lambda parts: [parts[0].assign_attrs(parameters="[1]"), *parts[1:]],
}


@pytest.mark.parametrize("chunks", [None, {"tf": 2}, {"gene": 15, "tf": 2}], ids=["numpy", "dask", "dask-genes"])
@pytest.mark.parametrize("names", [False, True], ids=["numbers", "names"])
@pytest.mark.parametrize("change", FOREIGN.values(), ids=FOREIGN.keys())
def test_assemble__gives_no_specification_to_other_data(
    change: Callable[[list[xr.DataArray]], list[xr.DataArray]], names: bool, chunks: dict | None
) -> None:
    parts = run_steps(chunks, names)
    assert yx.spec_of(yx.assemble(*parts)) is not None
    if names and change is FOREIGN["TFs renamed"]:
        return  # names are free, as long as the values are those of their positions
    assert yx.spec_of(yx.assemble(*change(parts))) is None


@pytest.mark.parametrize("chunks", [None, {"tf": 2}, {"gene": 15, "tf": 2}, "auto"], ids=str)
@pytest.mark.parametrize("replicates", [None, 2])
def test_assemble__gives_its_specification_to_a_simulation(
    chunks: object, replicates: int | None, no_compute: None
) -> None:
    ds = yx.assemble(*run_steps(chunks, names=True, replicates=replicates))
    spec = yx.spec_of(ds)
    assert spec == yx.SimulationSpec(
        genes=40,
        bound=[0.2, 0.2],
        n_sample=[2, 1],
        tfs=["a", "b", "c"],
        replicates=replicates,
        max_mean_adjustment=5.0,
        seed=7,
    )
    assert matches_spec(ds, spec)


def test_assemble__large_arrays() -> None:
    parts = run_steps(n_sample=[50_000, 40_000])  # more than a chunk
    assert yx.spec_of(yx.assemble(*parts)) is not None
    values = parts[2].copy()
    values[39, -1] = 0.5
    assert yx.spec_of(yx.assemble(*parts[:2], values, *parts[3:])) is None
