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
