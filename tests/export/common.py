"""What tests of exports share: datasets of each kind, for NumPy and dask."""

from functools import cache
from typing import Any

import xarray as xr

import yeastxr as yx

GENES = [f"YAL{i:03d}C" for i in range(1, 31)]
TFS = ["GAL4", "MIG1", "ABF1", "RAP1"]


def simulate_measured(chunks: Any = None) -> xr.Dataset:
    """Return named genes and TFs with replicates, extra variables, NaN and a coordinate of genes."""
    return _simulate_measured().chunk(chunks) if chunks else _simulate_measured().copy(deep=True)


def sweep_numbers(chunks: Any = None) -> xr.Dataset:
    """Return genes and TFs that are numbers, for two means and two s.d."""
    return _sweep_numbers().chunk(chunks) if chunks else _sweep_numbers().copy(deep=True)


@cache
def _simulate_measured() -> xr.Dataset:
    ds = yx.simulate(
        genes=GENES,
        tfs=TFS,
        bound=[0.2, 0.4],
        n_sample=[2, 2],
        replicates=2,
        hops=True,
        responsive_fraction=0.8,
        adjusted=True,
        missing_pair_fraction=0.1,
        seed=2**63 + 1,
    )
    return yx.split(ds, by="gene", seed=1)


@cache
def _sweep_numbers() -> xr.Dataset:
    spec = yx.SimulationSpec(genes=30, bound=[0.2], n_sample=[4], seed=3)
    return yx.sweep(spec, bound_mean=[3.0, 5.0], bound_std=[1.0, 2.0]).compute()


KINDS = {"names": simulate_measured, "integers": sweep_numbers}
CHUNKS: dict[str, Any] = {"numpy": None, "dask": {"tf": 3, "gene": 20}}
