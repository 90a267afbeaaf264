"""Summaries: what plain NumPy finds, the same bits however the data are cut, and lazy."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import dask
import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

import yeastxr as yx
from yeastxr import qc
from yeastxr.qc.bins import make_summary_axes
from yeastxr.qc.tally import Plan, make_arrays, tally_block
from yeastxr.schema import MEASURES, QUANTITIES, STATUSES
from yeastxr.simulation.relations import Not, Or

RELATED = {0: [1], 2: [Or(0, Not(3))], 4: [3, 5]}
COUNTS = ["below", "above", "missing"]


def simulate(**extra: Any) -> xr.Dataset:
    population = {"genes": 150, "bound": [0.0, 0.2, 0.5, 1.0], "n_sample": [1, 2, 2, 1], "seed": 42}
    return yx.simulate(**{"max_mean_adjustment": 10.0, **population, **extra})


def spoil(ds: xr.Dataset) -> xr.Dataset:
    """Return a dataset with NaN, infinities, negative p-values and a TF without any finite value."""
    ds = ds.compute().copy(deep=True)
    flat = {name: ds[name].transpose("gene", "tf", ...) for name in MEASURES}
    flat["binding_effect"][:3] = np.nan
    flat["binding_effect"][3:5] = np.inf
    flat["perturbation_effect"][2:6] = -np.inf
    flat["perturbation_effect"][6, 1:3] = np.nan
    flat["perturbation_effect"][7] = np.inf
    flat["binding_pvalue"][8] = -0.25
    flat["perturbation_pvalue"][:, 2] = np.nan
    flat["perturbation_effect"][9] = -0.0
    return ds


def get_values(ds: xr.Dataset, quantity: str) -> xr.DataArray:
    if quantity == "perturbation_magnitude":
        return abs(ds["perturbation_effect"]).astype(np.float64)
    return ds[quantity].astype(np.float64)


def get_edges(summary: xr.Dataset, quantity: str) -> np.ndarray:
    summary = summary.sel(quantity=quantity)
    return np.append(summary["left"].values, summary["right"].values[-1])


def assert_counts(observed: xr.Dataset, prefix: str, values: np.ndarray, edges: np.ndarray) -> None:
    """Compare a histogram, of all its quantities and groups but one, with NumPy's."""
    known = values[~np.isnan(values)]
    np.testing.assert_array_equal(observed[f"{prefix}histogram"], np.histogram(known, edges)[0])
    expected = [(known < edges[0]).sum(), (known > edges[-1]).sum(), np.isnan(values).sum()]
    assert [int(observed[prefix + name]) for name in COUNTS] == expected
    assert int(observed[f"{prefix}infinite"]) == np.isinf(values).sum()


def assert_moments(observed: xr.Dataset, prefix: str, values: np.ndarray) -> None:
    """Compare the statistics of one TF with NumPy's."""
    finite = values[np.isfinite(values)]
    assert int(observed[f"{prefix}count"]) == finite.size
    assert int(observed[f"{prefix}positive"]) == (finite > 0).sum()
    expected = [finite.mean(), finite.var(), finite.min(), finite.max()] if finite.size else [np.nan] * 4
    statistics = [float(observed[prefix + name]) for name in ("mean", "variance", "least", "most")]
    np.testing.assert_allclose(statistics, expected, rtol=1e-12, atol=1e-14)
    np.testing.assert_array_equal(statistics[2:], expected[2:])


def assert_pairs(observed: xr.Dataset, prefix: str, x: np.ndarray, y: np.ndarray) -> None:
    known = ~np.isnan(x) & ~np.isnan(y)
    edges = [np.append(observed[f"{axis}_left"].values, observed[f"{axis}_right"].values[-1]) for axis in "xy"]
    expected = np.histogram2d(x[known], y[known], edges)[0]
    np.testing.assert_array_equal(observed[f"{prefix}pairs"].transpose("x_bin", "y_bin"), expected)
    assert int(observed[f"{prefix}pairs_missing"]) == (~known).sum()
    assert int(observed[f"{prefix}pairs_outside"]) == known.sum() - expected.sum()


@pytest.mark.parametrize("chunks", [None, {"tf": 2}, {"gene": 40, "tf": 5}], ids=["numpy", "dask", "dask-genes"])
@pytest.mark.parametrize("bad", [False, True], ids=["clean", "spoilt"])
def test_summarize__counts_and_moments_as_numpy_finds_them(chunks: dict[str, int] | None, bad: bool) -> None:
    ds = simulate(tf_relationships=RELATED)
    ds = spoil(ds) if bad else ds
    label = ds["label"].values
    holds = yx.adjusted_pairs(ds["label"], RELATED).values
    groups = dict(zip(STATUSES, [~label, holds, label & ~holds], strict=True))
    summary = qc.summarize(ds if chunks is None else ds.chunk(chunks), bins=50, bins_2d=12).compute()
    assert summary["histogram"].dtype == summary["cells"].dtype == summary["count"].dtype == np.int64
    for quantity in QUANTITIES:
        values, edges = get_values(ds, quantity).values, get_edges(summary, quantity)
        for bound in (False, True):
            group = label == bound
            observed = summary.sel(quantity=quantity, label=bound)
            assert_counts(observed, "", values[group], edges)
            for t in range(ds.sizes["tf"]):
                assert_moments(observed.isel(tf=t), "", values[group[:, t], t])
    size, binding = get_values(ds, "perturbation_magnitude").values, abs(get_values(ds, "binding_effect").values)
    for bound in (False, True):
        assert_pairs(summary.sel(label=bound), "", binding[label == bound], size[label == bound])
        np.testing.assert_array_equal(summary["cells"].sel(label=bound), (label == bound).sum(0))
    for status, group in groups.items():
        observed = summary.sel(status=status)
        assert_counts(observed, "status_", size[group], get_edges(summary, "perturbation_magnitude"))
        assert_pairs(observed, "status_", binding[group], size[group])
        np.testing.assert_array_equal(observed["status_cells"], group.sum(0))
        for t in range(ds.sizes["tf"]):
            assert_moments(observed.isel(tf=t), "status_", size[group[:, t], t])


@given(
    gene=st.lists(st.integers(1, 60), min_size=1, max_size=6),
    tf=st.lists(st.integers(1, 5), min_size=1, max_size=4),
    replicate=st.sampled_from([(1, 1, 1), (3,), (2, 1)]),
    order=st.permutations(["replicate", "gene", "tf"]),
    bad=st.booleans(),
)
def test_summarize__the_same_bits_however_it_is_cut(
    gene: list[int], tf: list[int], replicate: tuple[int, ...], order: list[str], bad: bool
) -> None:
    def cut(lengths: list[int], size: int) -> tuple[int, ...]:
        ends = sorted({min(int(end), size) for end in np.cumsum(lengths)} | {0, size})
        return tuple(int(b - a) for a, b in pairwise(ends))

    ds = simulate(replicates=3, tf_relationships=RELATED)
    ds = spoil(ds) if bad else ds
    expected = qc.summarize(ds, bins=30, bins_2d=10, by="replicate")
    chunks = {"gene": cut(gene, 150), "tf": cut(tf, 6), "replicate": replicate}
    lazy = qc.summarize(ds.transpose(..., *order).chunk(chunks), bins=30, bins_2d=10, by="replicate")
    assert all(variable.chunks for variable in lazy.data_vars.values())
    with dask.config.set(scheduler="synchronous"):
        xr.testing.assert_identical(lazy.compute().transpose(*expected.dims), expected.transpose(*expected.dims))


@pytest.mark.parametrize("moments", [True, False])
@pytest.mark.parametrize("along", [True, False])
def test_tally_block__threads_slabs_and_memory_order_change_nothing(moments: bool, along: bool) -> None:
    ds = spoil(simulate(replicates=7))
    label, *planes = (ds[name].values for name in ("label", *MEASURES))
    axes = make_summary_axes(ds, None, 30, 10)
    quantities = (*((plane, False) for plane in range(4)), (2, True))
    plan = Plan(axes=axes, quantities=quantities, pair=(0, 2), moments=moments, along=(along,))
    rows = [np.ascontiguousarray(np.repeat(array, 50, -1)) for array in (label, *planes)]  # genes as rows pay
    for arrays in ([label, *planes], rows):
        tfs = arrays[0].shape[-1]
        expected = make_arrays(tally_block(arrays[0], None, arrays[1:], (0, 0), plan, 1), plan, (7,), tfs)
        for slab_cells in (1, 300, 1800, 1 << 19):
            tally = tally_block(arrays[0], None, arrays[1:], (0, 0), plan, 3, slab_cells)
            for name, array in make_arrays(tally, plan, (7,), tfs).items():
                np.testing.assert_array_equal(array, expected[name])


def test_summarize__order_in_memory_and_read_only_arrays_change_nothing() -> None:
    ds = simulate()
    expected = qc.summarize(ds)
    turned = ds.copy(deep=True)
    for name in turned.data_vars:
        turned[name].values = np.ascontiguousarray(turned[name].values)
        turned[name].values.flags.writeable = False
    xr.testing.assert_identical(qc.summarize(turned), expected)


@pytest.mark.parametrize("relationships", [None, RELATED], ids=["method-2", "method-4"])
def test_summarize__lazy_computes_nothing_and_leaves_its_input(
    no_compute: None, relationships: dict[int, list[Any]] | None
) -> None:
    ds = simulate(chunks={"tf": 2}, tf_relationships=relationships)
    before = ds.copy()
    summary = qc.summarize(ds)
    assert all(variable.chunks for variable in summary.data_vars.values())
    assert ("status_cells" in summary) is (relationships is not None)
    assert not summary["bound_fraction"].chunks
    xr.testing.assert_identical(before, ds.assign())


def test_summarize__sweep_is_lazy_and_kept_along_the_swept_dim(no_compute: None) -> None:
    spec = yx.spec_of(simulate(tf_relationships=RELATED))
    assert spec is not None
    ds = yx.sweep(spec, bound_mean=[3.0, 30.0], replicates=2)
    summary = qc.summarize(ds, by="bound_mean")
    assert summary["histogram"].dims == ("bound_mean", "quantity", "label", "bin")
    assert summary["mean"].dims == ("bound_mean", "replicate", "quantity", "label", "tf")
    with dask.config.set(scheduler="synchronous"):
        observed, one = summary.compute(), qc.summarize(ds.sel(bound_mean=3.0).compute(), limits=get_limits(summary))
    assert int(observed["above"].sel(quantity="perturbation_magnitude").sum()) == 0  # 30 + 10 + 6 s.d. is inside
    for name in ("histogram", "pairs", "mean", "status_histogram"):
        np.testing.assert_array_equal(observed[name].sel(bound_mean=3.0), one[name])


def get_limits(summary: xr.Dataset) -> dict[str, Any]:
    pairs = tuple((float(summary[f"{axis}_left"][0]), float(summary[f"{axis}_right"][-1])) for axis in "xy")
    edges = {quantity: get_edges(summary, quantity) for quantity in QUANTITIES}
    return {"pairs": pairs} | {quantity: (float(ends[0]), float(ends[-1])) for quantity, ends in edges.items()}


def test_summarize__one_task_a_block() -> None:
    ds = simulate(chunks={"tf": 1})
    (summary,) = dask.optimize(qc.summarize(ds))
    names = [str(key[0] if isinstance(key, tuple) else key) for key in dict(summary.__dask_graph__())]
    unfused = ("binding_effects", "label_columns", "perturbation_block", "pvalues", "tally")
    assert sum(name.startswith("pass_on") for name in names) == ds.sizes["tf"]
    assert not [name for name in names if name.startswith(unfused)]


def test_summarize__one_pass_with_a_specification_two_without() -> None:
    ds = simulate(chunks={"tf": 2})
    passes = []

    def counting(graph: object, keys: object, **options: object) -> object:
        passes.append(keys)
        return dask.get(graph, keys, **options)

    with dask.config.set(scheduler=counting):
        qc.summarize(ds).compute()
        assert len(passes) == 1
        bare = qc.summarize(ds.drop_attrs(deep=False)).compute()
    assert len(passes) == 3
    assert bare["pairs_outside"].sum() == bare["above"].sel(quantity="perturbation_effect").sum() == 0


@pytest.mark.parametrize(
    "extra",
    [
        {"genes": 1, "bound": [0.0], "n_sample": [1]},
        {"genes": 1, "bound": [1.0], "n_sample": [1]},
        {"genes": 20, "bound": [0.0], "n_sample": [3]},
        {"genes": 20, "bound": [1.0], "n_sample": [1]},
        {"genes": 9, "bound": [0.5], "n_sample": [2], "unbound_std": 0.0, "bound_std": 0.0, "bound_mean": 0.0},
    ],
    ids=["one-unbound", "one-bound", "none-bound", "all-bound", "no-noise"],
)
def test_summarize__small_and_one_sided_datasets(extra: dict[str, Any]) -> None:
    ds = simulate(**extra, max_mean_adjustment=0.0)
    summary = qc.summarize(ds)
    label = ds["label"].values
    for bound in (False, True):
        group = label == bound
        for quantity in QUANTITIES:
            observed = summary.sel(quantity=quantity, label=bound)
            values = get_values(ds, quantity).values
            assert_counts(observed, "", values[group], get_edges(summary, quantity))
            for t in range(ds.sizes["tf"]):
                assert_moments(observed.isel(tf=t), "", values[group[:, t], t])


@given(
    size=st.integers(1, 70),
    offset=st.sampled_from([0.0, 1.0, -1e6, 3e7]),
    scale=st.sampled_from([0.0, 1e-3, 1.0, 1e6]),
    seed=st.integers(0, 1000),
)
def test_summarize__variance_far_from_zero(size: int, offset: float, scale: float, seed: int) -> None:
    values = (offset + scale * np.random.default_rng(seed).standard_normal((size, 1))).astype(np.float32)
    ds = simulate(genes=size, bound=[0.0], n_sample=[1])
    ds["perturbation_effect"] = ds["perturbation_effect"].copy(data=values)
    observed = qc.summarize(ds).sel(quantity="perturbation_effect", label=False).isel(tf=0)
    exact = values.astype(np.longdouble)
    assert float(observed["mean"]) == pytest.approx(float(exact.mean()), rel=1e-14, abs=1e-15)
    # The sum of squares about the first value is at most n times that about the mean.
    assert float(observed["variance"]) == pytest.approx(float(exact.var()), rel=1e-15 * (10 + 4 * size), abs=1e-300)


@given(parts=st.permutations(range(6)), cuts=st.sets(st.integers(1, 5), max_size=3), lazy=st.booleans())
def test_merge__parts_make_the_whole(parts: list[int], cuts: set[int], lazy: bool) -> None:
    ds = simulate(replicates=2)
    ds = ds.isel(tf=parts)
    pieces = [ds.isel(tf=slice(a, b)) for a, b in pairwise([0, *sorted(cuts), 6])]
    summaries = [qc.summarize(piece.chunk(tf=2) if lazy else piece, bins=30, by="replicate") for piece in pieces]
    merged = qc.merge(*summaries)
    xr.testing.assert_identical(merged.compute(), qc.summarize(ds, bins=30, by="replicate"))


@pytest.mark.parametrize("by", ["replicate", ()], ids=["kept", "summed"])
def test_merge__replicates_with_relationships(by: Any) -> None:
    ds = simulate(replicates=3, tf_relationships=RELATED)
    parts = [qc.summarize(ds.isel(replicate=part), by=by) for part in ([0], [1, 2])]
    xr.testing.assert_identical(qc.merge(*parts), qc.summarize(ds, by=by))


def test_merge__tfs_whose_conditions_are_given() -> None:
    ds = simulate(tf_relationships=RELATED)
    adjusted = yx.adjusted_pairs(ds["label"], RELATED)
    halves = [slice(0, 3), slice(3, 6)]
    parts = [qc.summarize(ds.isel(tf=half), adjusted=adjusted.isel(tf=half)) for half in halves]
    xr.testing.assert_identical(qc.merge(*parts), qc.summarize(ds))
    assert "status_cells" not in qc.summarize(ds.isel(tf=[0, 2]))  # what TF 0 depends on isn't there


def test_merge__status_in_another_order_is_refused() -> None:
    summaries = [qc.summarize(simulate(replicates=3, tf_relationships=RELATED).isel(replicate=[i])) for i in range(2)]
    with pytest.raises(yx.InputError, match="differ along 'status'"):
        qc.merge(summaries[0], summaries[1].isel(status=[1, 0, 2]))


def test_merge__coordinates_that_differ_are_dropped() -> None:
    first, second = (simulate(replicates=2, bound=[bound], n_sample=[3]) for bound in (0.1, 0.4))
    limits = {"pairs": ((0, 80), (0, 20)), "perturbation_effect": (-20, 20), "perturbation_magnitude": (0, 20)}
    parts = [qc.summarize(ds, limits=limits) for ds in (first, second.assign_coords(replicate=[2, 3]))]
    merged = qc.merge(*parts)
    assert "bound_fraction" not in merged.coords
    assert "specification" not in merged.attrs
    assert merged["cells"].sel(label=True).values.tolist() == [[15] * 3] * 2 + [[60] * 3] * 2


@pytest.mark.parametrize("names", [["A", "B", "X"], ["X", "A", "B"]])
def test_summarize__conditions_are_not_those_of_tfs_that_the_specification_lacks(names: list[str]) -> None:
    ds = simulate(bound=[0.5], n_sample=[3], tfs=["A", "B", "C"], tf_relationships={"A": ["B"]})
    assert "status_cells" in qc.summarize(ds)
    assert "status_cells" in qc.summarize(ds.isel(tf=[1, 0]))
    assert "status_cells" not in qc.summarize(ds.assign_coords(tf=names))


def test_summarize__stacked_points_of_a_sweep() -> None:
    spec = yx.spec_of(simulate())
    assert spec is not None
    ds = yx.sweep(spec, bound_mean=[3.0, 30.0], replicates=2)
    stacked = ds.stack(point=("bound_mean", "replicate"))
    expected = qc.summarize(ds, by=["bound_mean", "replicate"]).compute().stack(point=("bound_mean", "replicate"))
    observed = qc.summarize(stacked, by="point").compute()
    for name in observed.data_vars:
        np.testing.assert_array_equal(observed[name], expected[name].transpose(*observed[name].dims))


def test_summarize__many_small_replicates() -> None:
    ds = simulate(genes=5, bound=[0.4], n_sample=[2], replicates=100, max_mean_adjustment=0.0)
    ds = ds.isel(replicate=np.arange(20_000) % 100).assign_coords(replicate=np.arange(20_000))
    summary = qc.summarize(ds)
    assert int(summary["cells"].sum()) == ds["label"].size
    xr.testing.assert_identical(qc.summarize(ds.chunk(replicate=6_000)).compute(), summary)


@pytest.mark.parametrize("lazy", ["neither", "dataset", "conditions"])
def test_summarize__given_conditions_count_for_bound_pairs_only(lazy: str) -> None:
    ds = simulate(tf_relationships=RELATED)
    expected = qc.summarize(ds)
    holds = yx.adjusted_pairs(ds["label"], RELATED) | ~ds["label"]
    ds = ds.chunk(tf=2) if lazy == "dataset" else ds
    holds = holds.chunk(gene=70, tf=4) if lazy == "conditions" else holds
    observed = qc.summarize(ds, adjusted=holds)
    assert bool(observed["status_cells"].chunks) is (lazy != "neither")
    xr.testing.assert_identical(observed.compute(), expected)


@pytest.mark.parametrize("chunks", [None, {"tf": 2}], ids=["numpy", "dask"])
def test_pool__as_numpy_finds_it(chunks: dict[str, int] | None) -> None:
    ds = simulate(replicates=2, chunks=chunks, tf_relationships=RELATED)
    pooled = qc.pool(qc.summarize(ds)).compute()
    label = ds["label"].values
    holds = yx.adjusted_pairs(ds["label"], RELATED).values
    for quantity in QUANTITIES:
        for bound in (False, True):
            values = get_values(ds, quantity).values[label == bound]
            assert_moments(pooled.sel(quantity=quantity, label=bound), "", values)
    assert_moments(pooled.sel(status=STATUSES[1]), "status_", get_values(ds, "perturbation_magnitude").values[holds])
    one = qc.pool(qc.summarize(ds), "tf").sel(quantity="binding_effect", label=True, replicate=1)
    assert_moments(one, "", get_values(ds, "binding_effect").values[1][label[1]])


def test_histogram_of__joins_bins() -> None:
    ds = simulate()
    summary = qc.summarize(ds, bins=120)
    for feature in MEASURES:
        observed = qc.histogram_of(summary, feature, bins=40)
        ends = get_edges(summary, feature)[[0, -1]]
        expected = qc.histogram(ds, feature, bins=40, limits=tuple(ends))
        for name in ("cells", *COUNTS):
            np.testing.assert_array_equal(observed[name], expected[name])
        assert observed.attrs == expected.attrs
        assert set(observed.coords) == set(expected.coords)


def cut_twice(ds: xr.Dataset, gene: Any = None, **selection: Any) -> list[xr.Dataset]:
    """Summarise two parts of a dataset; select from the second summary, or give the second part other genes."""
    first, second = ds.isel(tf=slice(0, 2)), ds.isel(tf=slice(2, 4))
    second = second if gene is None else second.assign_coords(gene=gene)
    return [qc.summarize(first), qc.summarize(second).isel(selection)]


BAD: list[tuple[Callable[[xr.Dataset], object], str]] = [
    (lambda ds: qc.summarize(ds, bins=0), "bins is 0"),
    (lambda ds: qc.summarize(ds, bins_2d=2.5), "bins_2d is 2.5"),
    (lambda ds: qc.summarize(ds, by="gene"), "by contains 'gene'"),
    (lambda ds: qc.summarize(ds, by="replicates"), "by contains 'replicates'"),
    (lambda ds: qc.summarize(ds, limits=(0, 1)), "limits is (0, 1)"),
    (lambda ds: qc.summarize(ds, limits={"binding": (0, 1)}), "did you mean"),
    (lambda ds: qc.summarize(ds, limits={"binding_effect": (1, 0)}), "limits['binding_effect'] is (1, 0)"),
    (lambda ds: qc.summarize(ds, limits={"pairs": (0, 1)}), "the limits of pairs along x is 0"),
    (lambda ds: qc.summarize(ds, limits={"pairs": [(0, 1)]}), "expected two pairs"),
    (lambda ds: qc.summarize(ds.drop_vars("binding_pvalue")), "has no variable 'binding_pvalue'"),
    (lambda ds: qc.summarize(ds["label"]), "expected an xarray.Dataset"),
    (lambda ds: qc.summarize(ds, adjusted=ds["label"].isel(tf=[0])), "adjusted has length 1 along 'tf'"),
    (lambda ds: qc.summarize(ds, adjusted=ds["binding_effect"]), "adjusted has dtype float32"),
    (lambda ds: qc.merge(), "there are no summaries"),
    (lambda ds: qc.merge(ds), "has no variable 'histogram'"),
    (lambda ds: qc.merge(qc.summarize(ds), None), "the summary is of type NoneType"),
    (lambda ds: qc.merge(qc.summarize(ds), qc.summarize(ds)), "differ along none"),
    (
        lambda ds: qc.merge(qc.summarize(ds), qc.summarize(ds.isel(tf=[0]))),
        "the summaries have the tf 0 more than once",
    ),
    (lambda ds: qc.merge(qc.summarize(ds), qc.summarize(ds, bins=60)), "different bins"),
    (lambda ds: qc.merge(qc.summarize(ds), qc.summarize(ds.isel(gene=[0, 1]))), "have 20 and 2 genes"),
    (lambda ds: qc.merge(qc.summarize(ds), qc.summarize(ds.isel(replicate=0))), "the summaries have the dimensions"),
    (lambda ds: qc.merge(*cut_twice(ds, quantity=[1, 0, 2, 3, 4])), "differ along 'quantity'"),
    (lambda ds: qc.merge(*cut_twice(ds, quantity=0)), "differ along 'quantity'"),
    (lambda ds: qc.merge(*cut_twice(ds, label=[1, 0])), "differ along 'label'"),
    (lambda ds: qc.merge(*cut_twice(ds, ds.gene + 1)), "have different genes"),
    (lambda ds: qc.merge(*cut_twice(ds, ds.gene.values[::-1])), "have different genes"),
    (lambda ds: qc.merge(qc.summarize(ds).isel(tf=[0, 0]), qc.summarize(ds).isel(tf=[1])), "the tf 0 more than once"),
    (lambda ds: qc.merge(*cut_twice(ds), qc.summarize(ds).drop_vars("left")), "has no variable 'left'"),
    (lambda ds: qc.pool(qc.summarize(ds).drop_vars("positive")), "has no variable 'positive'"),
    (lambda ds: qc.histogram_of(qc.summarize(ds).isel(quantity=0), "binding_effect"), "has no dimension 'quantity'"),
    (lambda ds: qc.histogram_of(qc.summarize(ds).isel(bin=0), "binding_effect"), "has no dimension 'bin'"),
    (lambda ds: qc.histogram_of(qc.summarize(ds).isel(quantity=[0]), "binding_pvalue"), "quantity is 'binding_pvalue'"),
    (lambda ds: qc.pool(ds), "has no variable 'histogram'"),
    (lambda ds: qc.pool(qc.summarize(ds), "gene"), "dim is 'gene'"),
    (lambda ds: qc.histogram_of(qc.summarize(ds), "label"), "quantity is 'label'"),
    (lambda ds: qc.histogram_of(qc.summarize(ds), "binding_effect", bins=7), "expected a divisor of 600"),
]


@pytest.mark.parametrize(("call", "message"), BAD, ids=[message for _, message in BAD])
def test_summary__refuses_bad_input(call: Callable[[xr.Dataset], object], message: str) -> None:
    ds = simulate(genes=20, replicates=2)
    with pytest.raises(yx.InputError) as error:
        call(ds)
    assert message in str(error.value)
    assert "\n" not in str(error.value)
