"""Properties of counts for any values, shapes, chunks and orders in memory: what plain NumPy counts, the same bits."""

from itertools import pairwise
from typing import Any

import dask
import numpy as np
import pytest
import xarray as xr
from hypothesis import example, given
from hypothesis import strategies as st

import yeastxr as yx
from yeastxr import qc
from yeastxr.schema import FEATURES, LABEL, MAGNITUDE, MEASURES, QUANTITIES

FLOATS = st.floats(width=32, allow_nan=True, allow_infinity=True)
SPECIAL = st.sampled_from([0.0, -0.0, 0.5, 1.0, 5.0, -1.0, 1e-45, 3.4e38, -3.4e38, np.inf, -np.inf, np.nan])
LIMITS = st.tuples(st.floats(-1e6, 1e6, allow_subnormal=False), st.floats(1e-3, 1e6)).map(
    lambda ends: (ends[0], ends[0] + ends[1])
)


@st.composite
def datasets(draw: st.DrawFn) -> xr.Dataset:
    """Draw a dataset of any values, with or without leading dims, in any order of dims and of memory."""
    sizes = {"replicate": draw(st.integers(1, 3)), "gene": draw(st.integers(1, 12)), "tf": draw(st.integers(1, 5))}
    dims = draw(st.permutations(["gene", "tf", *draw(st.sampled_from([[], ["replicate"]]))]))
    shape = [sizes[dim] for dim in dims]
    n = int(np.prod(shape))
    values = st.lists(SPECIAL | FLOATS, min_size=1, max_size=8)
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    arrays = {}
    for feature in FEATURES:
        flat = rng.random(n) < 0.5 if feature.name == LABEL else rng.choice(np.float32(draw(values)), n)
        array = flat.reshape(shape, order=draw(st.sampled_from("CF"))).astype(feature.dtype, copy=False)
        array.flags.writeable = draw(st.booleans())
        arrays[feature.name] = (tuple(dims), array)
    coords = {dim: np.arange(sizes[dim]) for dim in dims}
    return xr.Dataset(arrays, coords | {"feature": [feature.name for feature in FEATURES]})


def cut(ds: xr.Dataset, seed: int) -> xr.Dataset:
    """Cut a dataset into random chunks, and leave some variables in memory."""
    rng = np.random.default_rng(seed)
    ends = {dim: sorted({0, size, *rng.integers(0, size + 1, 2).tolist()}) for dim, size in ds[LABEL].sizes.items()}
    chunks = {dim: tuple(b - a for a, b in pairwise(positions)) for dim, positions in ends.items()}
    return ds.assign({name: ds[name].chunk(chunks) for name in ds.data_vars if rng.random() < 0.8 or name == LABEL})


def get_cells(ds: xr.Dataset, quantity: str) -> xr.DataArray:
    """Return a quantity as float64, in the order of the labels' dims."""
    array = abs(ds["perturbation_effect"]) if quantity == MAGNITUDE else ds[quantity]
    return array.transpose(*ds[LABEL].dims).astype(np.float64)


def get_edges(counts: xr.Dataset, prefix: str = "") -> np.ndarray:
    """Return the edges of bins."""
    return np.append(counts[f"{prefix}left"].values, counts[f"{prefix}right"].values[-1])


def find_slots(values: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Return the slots of values by bisection: 0 below, the last bin closed on both sides, then above."""
    slots = np.searchsorted(edges, values, side="right")
    return np.where(values == edges[-1], len(edges) - 1, slots)


def count_slots(values: np.ndarray, edges: np.ndarray) -> list[int]:
    """Count values below, in bins and above, and NaN."""
    known = values[~np.isnan(values)]
    return [*np.bincount(find_slots(known, edges), minlength=len(edges) + 1).tolist(), int(np.isnan(values).sum())]


@given(
    ds=datasets(), feature=st.sampled_from(MEASURES), bins=st.integers(1, 40), limits=LIMITS, seed=st.integers(0, 99)
)
@example(ds=yx.simulate(genes=5, bound=[0.4], seed=1), feature=MEASURES[0], bins=1, limits=(0.0, 1e-3), seed=0)
def test_histogram__any_values_as_bisection_counts_them(
    ds: xr.Dataset, feature: str, bins: int, limits: tuple[float, float], seed: int
) -> None:
    counts = qc.histogram(ds, feature, bins=bins, limits=limits)
    for bound in (False, True):
        observed = counts.sel(label=bound)
        numbers = [int(observed["below"]), *observed["cells"].values.tolist(), int(observed["above"])]
        values = get_cells(ds, feature).values[ds[LABEL].values == bound]
        assert [*numbers, int(observed["missing"])] == count_slots(values, get_edges(counts))
    with dask.config.set(scheduler="synchronous"):
        xr.testing.assert_identical(qc.histogram(cut(ds, seed), feature, bins=bins, limits=limits).compute(), counts)


@given(
    ds=datasets(),
    features=st.permutations(MEASURES),
    bins=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    limits=st.tuples(LIMITS, LIMITS),
    seed=st.integers(0, 99),
)
def test_histogram_2d__any_values_as_bisection_counts_them(
    ds: xr.Dataset, features: list[str], bins: tuple[int, int], limits: Any, seed: int
) -> None:
    x, y = features[:2]
    counts = qc.histogram_2d(ds, x, y, bins=bins, limits=limits)
    for bound in (False, True):
        group = ds[LABEL].values == bound
        first, second = (abs(get_cells(ds, name).values[group]) for name in (x, y))
        known = ~np.isnan(first) & ~np.isnan(second)
        expected = np.zeros((bins[0] + 2, bins[1] + 2), np.int64)
        slots = [
            find_slots(values[known], get_edges(counts, f"{axis}_")) for axis, values in (("x", first), ("y", second))
        ]
        np.add.at(expected, tuple(slots), 1)
        observed = counts.sel(label=bound)
        np.testing.assert_array_equal(observed["cells"], expected[1:-1, 1:-1])
        assert int(observed["outside"]) == known.sum() - expected[1:-1, 1:-1].sum()
        assert int(observed["missing"]) == (~known).sum()
    with dask.config.set(scheduler="synchronous"):
        lazy = qc.histogram_2d(cut(ds, seed), x, y, bins=bins, limits=limits).compute()
    xr.testing.assert_identical(lazy, counts)


@given(ds=datasets(), conditions=st.booleans(), along=st.booleans(), seed=st.integers(0, 99))
def test_summarize__any_values_in_any_chunks(ds: xr.Dataset, conditions: bool, along: bool, seed: int) -> None:
    holds = ds[LABEL].copy(data=np.random.default_rng(seed).random(ds[LABEL].shape) < 0.5) if conditions else None
    by = [dim for dim in ds.dims if dim == "replicate"] if along else []
    summary = qc.summarize(ds, bins=7, bins_2d=4, by=by, adjusted=holds)
    with dask.config.set(scheduler="synchronous"):
        lazy = qc.summarize(cut(ds, seed), bins=7, bins_2d=4, by=by, adjusted=holds).compute()
    xr.testing.assert_identical(lazy, summary)
    total = summary.sum(by)
    for quantity in QUANTITIES:
        counts = qc.histogram_of(summary, quantity).sum(by)
        for bound in (False, True):
            group = get_cells(ds, quantity).where(ds[LABEL] == bound, drop=False).values
            values = get_cells(ds, quantity).values[ds[LABEL].values == bound]
            observed = counts.sel(label=bound)
            numbers = [int(observed["below"]), *observed["cells"].values.tolist(), int(observed["above"])]
            assert [*numbers, int(observed["missing"])] == count_slots(values, get_edges(counts))
            assert int(total["infinite"].sel(quantity=quantity, label=bound)) == np.isinf(values).sum()
            finite = np.isfinite(group)
            gene_axis = ds[LABEL].dims.index("gene")
            table = summary.sel(quantity=quantity, label=bound)
            dims = [dim for dim in ds[LABEL].dims if dim != "gene"]
            np.testing.assert_array_equal(table["count"].transpose(*dims), finite.sum(gene_axis))
            least = np.where(finite, group, np.inf).min(gene_axis)
            np.testing.assert_array_equal(table["least"].transpose(*dims), np.where(np.isinf(least), np.nan, least))
    for group in ("", "status_"):
        if f"{group}pairs" in summary:
            cells = summary[f"{group}pairs"].sum() + summary[f"{group}pairs_outside"].sum()
            assert int(cells + summary[f"{group}pairs_missing"].sum()) == ds[LABEL].size


@given(ds=datasets(), parts=st.integers(1, 4), seed=st.integers(0, 99), along=st.booleans())
def test_merge__any_parts(ds: xr.Dataset, parts: int, seed: int, along: bool) -> None:
    dims = [dim for dim in ("tf", "replicate") if ds.sizes.get(dim, 0) >= parts]
    by = [dim for dim in ds.dims if dim == "replicate"] if along else []
    limits = dict.fromkeys(QUANTITIES, (-9.0, 9.0)) | {"pairs": ((0.0, 9.0), (0.0, 9.0))}
    expected = qc.summarize(ds, bins=5, by=by, limits=limits)
    for dim in dims:
        ends = sorted(
            {0, ds.sizes[dim], *np.random.default_rng(seed).integers(0, ds.sizes[dim] + 1, parts - 1).tolist()}
        )
        pieces = [ds.isel({dim: slice(a, b)}) for a, b in pairwise(ends)]
        merged = qc.merge(*(qc.summarize(piece, bins=5, by=by, limits=limits) for piece in pieces))
        xr.testing.assert_identical(merged, expected)


@pytest.mark.parametrize("order", ["CF", "FC", "CC"])
def test_histogram__orders_in_memory(order: str) -> None:
    ds = yx.simulate(genes=300, bound=[0.2], n_sample=[400], seed=1)
    expected = qc.histogram(ds, "binding_effect")
    for name, memory in zip((LABEL, "binding_effect"), order, strict=True):
        ds[name] = ds[name].copy(data=np.array(ds[name].values, order=memory))
    xr.testing.assert_identical(qc.histogram(ds, "binding_effect"), expected)
