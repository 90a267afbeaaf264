"""What tests of the analysis share: measured data without labels, with ties and NaN, and how results are compared."""

from collections.abc import Callable

import numpy as np
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

CHUNKINGS = ({"tf": 1}, {"gene": 4, "tf": 2}, {"gene": 5})


def make_measured(seed: int, genes: int = 23, tfs: int = 3, *, label: bool = False, missing: float = 0.1) -> xr.Dataset:
    """Return a dataset as measured: names, few distinct values (so they tie), some of them NaN, and no label."""
    rng = np.random.default_rng(seed)

    def draw(values: np.ndarray) -> tuple[tuple[str, str], np.ndarray]:
        values = values.astype(np.float32)
        values[rng.random(values.shape) < missing] = np.nan
        return ("gene", "tf"), values

    shape = (genes, tfs)
    ds = xr.Dataset(
        {
            "binding_effect": draw(rng.integers(0, 6, shape) / 2),
            "binding_pvalue": draw(rng.integers(0, 5, shape) / 10),
            "perturbation_effect": draw(rng.integers(-4, 5, shape) / 2),
            "perturbation_pvalue": draw(rng.integers(0, 5, shape) / 40),
        },
        coords={"gene": [f"Y{i:03d}" for i in range(genes)], "tf": [f"TF{i}" for i in range(tfs)]},
    )
    return ds.assign(label=(("gene", "tf"), rng.random(shape) < 0.4)) if label else ds


def any_seed(test: Callable[..., None]) -> Callable[..., None]:
    """Run a test for some seeds."""
    return settings(max_examples=6)(given(seed=st.integers(0, 2**32 - 1))(test))


def assert_same_for_any_chunks(function, ds: xr.Dataset) -> None:
    """Check that dask-backed data give a lazy result, and the same, bit for bit, for any chunks."""
    import dask

    expected = function(ds)
    for chunks in CHUNKINGS:
        with dask.config.set(scheduler=_refuse):
            lazy = function(ds.chunk(chunks))
        eager = [name for name, array in lazy.data_vars.items() if array.chunks is None]
        assert all("theory" in name or "ceiling" in name for name in eager), eager
        xr.testing.assert_identical(lazy.compute(), expected)


def _refuse(*args: object, **kwargs: object) -> None:
    raise AssertionError("a lazy path computed")
